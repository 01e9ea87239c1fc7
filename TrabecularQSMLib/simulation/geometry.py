"""Inclusions of bone: where they are, and how much of the region they are expected to fill."""

import math
from functools import lru_cache

import numpy as np

from ..errors import InputError, counted
from ..methods import Method
from .settings import SimulationSettings


def check_inclusions(settings: SimulationSettings, number: int, radius: int) -> None:
    """Raise `InputError` if so many inclusions of that radius cannot be placed in the region."""
    if not 1 <= number <= settings.size**3:
        raise InputError(
            f"The number of inclusions is {number}; give at least 1, and at most one for each of the region's "
            f"{settings.size**3} voxels."
        )
    if radius < 1:
        raise InputError(f"The radius is {radius} voxels; give at least 1.")
    if 2 * radius + 1 > settings.size:
        raise InputError(
            f"The radius of {counted(radius, 'voxel')} does not fit a region of {settings.size} voxels; "
            f"give at most {(settings.size - 1) // 2} or a larger size."
        )


def draw_geometry(settings: SimulationSettings, number: int, radius: int, repeat: int) -> np.ndarray:
    """Place equal inclusions at random.

    Parameters
    ----------
    settings : SimulationSettings
        Size, shape, orientation and seed.
    number : int
        How many inclusions; they may overlap.
    radius : int
        Voxels; of spheres and cylinders, and half the thickness of plates.
    repeat : int
        From 0. The same seed, number, radius and repeat always give the same geometry.

    Returns
    -------
    (size, size, size) bool array
        Where bone is.

    Raises
    ------
    InputError
        If the inclusions do not fit.

    Notes
    -----
    Centers are voxels, uniform in the region; an inclusion holds the voxels whose center lies within `radius`
    (inclusive) of its center, axis or middle plane and is cut off at the region's border. These conventions reproduce
    the published BV/TV.
    """
    check_inclusions(settings, number, radius)
    size = settings.size
    inclusion = _inclusion(settings, radius)
    reach = inclusion.shape[0] // 2
    random = np.random.default_rng(np.random.SeedSequence([settings.seed, number, radius, repeat]))
    mask = np.zeros((size,) * 3, bool)
    for center in random.integers(0, size, (number, 3)).tolist():
        if settings.boundary == "filled" and settings.shape == "spheres":
            mask[np.ix_(*(np.arange(c - reach, c + reach + 1) % size for c in center))] |= inclusion
            continue
        here = tuple(slice(max(c - reach, 0), min(c + reach + 1, size)) for c in center)
        part = tuple(slice(max(reach - c, 0), min(size - c + reach, 2 * reach + 1)) for c in center)
        mask[here] |= inclusion[part]
    return mask


def expected_bvtv(settings: SimulationSettings, number: int, radius: int) -> float:
    """Return the mean BV/TV of all geometries that `draw_geometry` can give, without drawing any.

    Notes
    -----
    The mean over the region's voxels x of ``1 − (1 − v(x) / size³)^number``, where v(x) is the number of voxels that
    are in the region and whose inclusion would hold x.
    """
    check_inclusions(settings, number, radius)
    centers, voxels = _center_counts(settings, radius)
    with np.errstate(divide="ignore"):  # where every center holds the voxel, it is surely filled
        filled = -np.expm1(number * np.log1p(-centers / settings.size**3))
    return float(filled @ voxels / settings.size**3)


@lru_cache(maxsize=64)
def _center_counts(settings, radius):
    """For each number of centers whose inclusion would hold a voxel, how many voxels of the region there are."""
    inclusion, size = _inclusion(settings, radius), settings.size
    if settings.shape == "spheres" and settings.boundary == "filled":
        return np.array([float(np.count_nonzero(inclusion))]), np.array([float(size**3)])
    reach = inclusion.shape[0] // 2
    # All positions of a sphere farther than its radius from a face see the same: one stands for them.
    edge = min(size, 2 * reach + 1)
    positions, weights = np.arange(edge), np.ones(edge)
    weights[edge // 2] += size - edge
    positions[edge // 2 + 1 :] += size - edge
    # Centers fill a box, so that those of a voxel are what a window of that size counts in the inclusion about it.
    counts = inclusion.astype(np.int32)
    high = np.minimum(positions + reach, 2 * reach) + 1
    low = np.maximum(positions + reach - size + 1, 0)
    for axis in range(3):
        summed = np.cumsum(counts, axis=axis, dtype=np.int32)
        summed = np.insert(summed, 0, 0, axis=axis)
        counts = np.take(summed, high, axis=axis) - np.take(summed, low, axis=axis)
    centers, which = np.unique(counts, return_inverse=True)
    volumes = np.einsum("k,j,i->kji", weights, weights, weights)
    return centers.astype(np.float64), np.bincount(which.ravel(), volumes.ravel())


def _inclusion(settings, radius):
    """One inclusion about its center, an odd cube, as wide as a sphere or wide enough to reach through the region."""
    reach = radius if settings.shape == "spheres" else settings.size - 1
    line = np.arange(-reach, reach + 1, dtype=np.float64)
    k, j, i = line[:, None, None], line[:, None], line
    along = settings.orientation[0] * k + settings.orientation[1] * j + settings.orientation[2] * i
    if settings.shape == "plates":
        return np.abs(along) <= radius + _ROUNDING
    distance = k**2 + j**2 + i**2
    if settings.shape == "cylinders":
        distance = distance - along**2
    return distance <= radius**2 + _ROUNDING


# Of the products above; far below the next distance between voxels.
_ROUNDING = 1e-9 * math.sqrt(3)


METHOD = Method(
    draw_geometry,
    title="Random inclusions",
    solves="equal spheres, cylinders or plates at random places",
    test="test_simulation.GeometryTest",
    reference="Diefenbach et al., MRM 2019, doi 10.1002/mrm.27531",
)
