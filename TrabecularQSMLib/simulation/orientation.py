"""Directions: of random inclusions about an axis, of the bone in a mask, and of B0 against it."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..images import cosines
from ..methods import Method

_ANGLES = 20_001  # at which the distribution is summed; at the largest κ a hundredth of its width apart
_SMOOTHING = 1.0  # voxels, over which the staircase of a surface becomes one


@dataclass(frozen=True)
class Fabric:
    """Structure tensor of bone: how much of its surface looks into each direction.

    `shares` are the three eigenvalues, ascending, which add up to one: (0, ½, ½) for parallel cylinders, (0, 0, 1) for
    parallel plates, a third each for what looks alike from everywhere. `directions` are their unit vectors along k, j,
    i, one in each row; the first is the main direction, along which the bone changes least.
    """

    shares: tuple[float, float, float]
    directions: np.ndarray

    @property
    def anisotropy(self) -> float:
        """1 − the smallest share over the largest: 0 where all directions are alike, to 1."""
        return 1 - self.shares[0] / self.shares[2]

    def as_dict(self, affine: np.ndarray) -> dict:
        """Return what is written to files; the main direction in RAS, by the image's affine (i, j, k → RAS)."""
        main = cosines(affine) @ self.directions[0][::-1]
        return {"shares": list(self.shares), "anisotropy": self.anisotropy, "main_direction": main.tolist()}


def watson_directions(axis, concentration: float, number: int, random: np.random.Generator) -> np.ndarray:
    """Draw unit vectors from a Watson distribution, of the density exp(κ cos²θ) over the sphere.

    Parameters
    ----------
    axis : (3,) floats
        Unit vector from which θ is.
    concentration : float
        κ: above 0 along the axis, 0 isotropic, below 0 across it.
    number : int
        How many.
    random : numpy.random.Generator
        What draws them.

    Returns
    -------
    (number, 3) float64 array

    References
    ----------
    Watson, Biometrika 1965, 52:193.
    """
    # A direction and its opposite are one: θ to 90° is enough.
    theta = np.linspace(0, np.pi / 2, _ANGLES)
    cosine = np.cos(theta) ** 2
    density = np.exp(concentration * (cosine - (concentration > 0))) * np.sin(theta)
    summed = np.append(0, np.cumsum(density[1:] + density[:-1]))
    theta = np.interp(random.random(number) * summed[-1], summed, theta)
    turn = 2 * np.pi * random.random(number)
    axis = np.asarray(axis, np.float64)
    first = np.cross(axis, np.eye(3)[np.argmin(np.abs(axis))])
    first /= np.linalg.norm(first)
    second = np.cross(axis, first)
    beside = np.outer(np.cos(turn), first) + np.outer(np.sin(turn), second)
    return np.cos(theta)[:, None] * axis + np.sin(theta)[:, None] * beside


def fabric(bone: np.ndarray) -> Fabric:
    """Return the fabric of a mask from its structure tensor.

    Parameters
    ----------
    bone : (K, J, I) bool array
        Cubic voxels; there must be bone and marrow.

    Notes
    -----
    ``T = Σ ∇m ∇mᵀ / Σ |∇m|²`` of the mask m after a Gaussian of one voxel; the borders of the image, where bone is cut
    off, do not count. Fabrics of bone: Odgaard, Bone 1997, doi 10.1016/S8756-3282(97)00007-0.
    """
    smooth = ndimage.gaussian_filter(bone.astype(np.float32), _SMOOTHING, mode="nearest")
    slopes = np.stack(np.gradient(smooth))[:, 1:-1, 1:-1, 1:-1].reshape(3, -1)
    tensor = (slopes @ slopes.T).astype(np.float64)
    shares, vectors = np.linalg.eigh(tensor / np.trace(tensor))
    return Fabric(tuple(np.clip(shares, 0, 1).tolist()), vectors.T)


def directions_at(main: np.ndarray, across: np.ndarray, angles_deg) -> np.ndarray:
    """Return unit vectors at angles from a main direction towards one across it, (A, 3)."""
    angles = np.radians(np.asarray(angles_deg, np.float64))
    return np.outer(np.cos(angles), main) + np.outer(np.sin(angles), across)


METHOD = Method(
    fabric,
    title="Fabric of a mask",
    solves="eigenvectors of the mean outer product of the gradient",
    test="test_simulation_orientation.FabricTest",
    reference="Odgaard, Bone 1997, doi 10.1016/S8756-3282(97)00007-0",
)
