"""What fits a field best from outside: a shim, and dipoles that are as strong as they may be for what they explain."""

import numpy as np
from scipy.sparse.linalg import LinearOperator

from ..kernels import convolve, dipole_kernel, solid_harmonics
from ..progress import Progress
from ..solvers import conjugate_gradients

# Dipoles lie up to this far beyond the mask's box.
MARGIN_MM = 30.0
# Standard deviation of the field that is not from outside: local field and noise.
LOCAL_PPM = 0.05
# Harmonics of which the others leave less than this share of the square in the mask are not told apart from them.
_TOLD_APART = 1e-9
_MOST_ITERATIONS = 2000


def margin(voxel_size) -> tuple[int, ...]:
    """Return how many voxels beyond a box may hold dipoles."""
    return tuple(int(np.ceil(MARGIN_MM / h)) for h in voxel_size)


class Shim:
    """The solid harmonics up to second order, as they fit a field by weights, (K, J, I).

    Parameters
    ----------
    weight : (K, J, I) array
        W; where it is zero the field does not count.
    voxel_size : (3,) floats
        mm.
    """

    def __init__(self, weight: np.ndarray, voxel_size):
        self._where = weight > 0
        self._weight = np.asarray(weight[self._where], np.float32)
        middle = [float(at.mean()) if at.size else 0.0 for at in np.nonzero(self._where)]
        z, y, x = (
            # In units of 100 mm about the middle of what counts, so that all are of one size.
            ((np.arange(n, dtype=np.float32) - np.float32(m)) * np.float32(h / 100.0)).reshape(view)
            for n, m, h, view in zip(
                weight.shape, middle, voxel_size, ((-1, 1, 1), (1, -1, 1), (1, 1, -1)), strict=True
            )
        )
        self._terms = solid_harmonics(x, y, z)
        rows = np.stack([np.broadcast_to(term, weight.shape)[self._where] * self._weight for term in self._terms])
        products = np.array([[np.sum(one * other, dtype=np.float64) for other in rows] for one in rows])
        scale = 1 / np.sqrt(np.maximum(np.diag(products), np.finfo(np.float32).tiny))
        squares, axes = np.linalg.eigh(products * np.outer(scale, scale))
        kept = squares > _TOLD_APART
        self._mixture = (axes[:, kept] / np.sqrt(squares[kept])).T * scale
        self._basis = self._mixture.astype(np.float32) @ rows

    def fitted(self, field: np.ndarray) -> np.ndarray:
        """Return the combination that makes ``‖W (field − h)‖`` least, everywhere on the grid."""
        found = (self._basis @ (self._weight * field[self._where])) @ self._mixture
        result = np.zeros(self._where.shape, np.float32)
        for coefficient, term in zip(found, self._terms, strict=True):
            result += np.float32(coefficient) * term
        return result

    def weighted_rest(self, field: np.ndarray) -> np.ndarray:
        """Return ``W² (field − h)`` for the combination h that fits best: symmetric in the field."""
        rest = self._weight * field[self._where]
        rest -= (self._basis @ rest) @ self._basis
        result = np.zeros(self._where.shape, np.float32)
        result[self._where] = self._weight * rest
        return result


def without_outside(
    field: np.ndarray,
    weight: np.ndarray,
    spread: np.ndarray,
    voxel_size,
    *,
    b0_direction,
    tolerance: float,
    message: str,
    progress: Progress | None = None,
) -> np.ndarray:
    """Return ``f − h − D χ`` for the harmonics h and the χ of the least ``‖W (f − h − D χ)/σ‖² + ‖χ/s‖²``.

    Parameters
    ----------
    field : (K, J, I) float32 array
        ppm, on a periodic grid.
    weight : (K, J, I) array
        W; its scale does not count: its mean square, where it is not zero, is taken for 1.
    spread : (K, J, I) float32 array
        s, the standard deviation of χ in ppm; 0 where there is no source.
    voxel_size, b0_direction
        As for `dipole_kernel`.
    tolerance : float
        Relative residual of the normal equations at which conjugate gradients stop.

    Notes
    -----
    σ is `LOCAL_PPM`. With ``χ = s η`` the system is ``s D W² D s η / σ² + η``, in which nothing is left to the number
    of iterations: its condition is bounded by that of ``(s / σ)²``.
    """
    used = np.square(weight[weight > 0], dtype=np.float64)
    if used.size == 0:
        return np.array(field, np.float32)
    scale = 1 / (LOCAL_PPM * np.sqrt(used.mean()))
    shim = Shim((weight * scale).astype(np.float32), voxel_size)
    kernel = dipole_kernel(field.shape, voxel_size, b0_direction)

    def back(rest):
        return spread * convolve(kernel, shim.weighted_rest(rest))

    def apply(vector):
        sources = vector.reshape(field.shape)
        return (back(convolve(kernel, spread * sources)) + sources).ravel()

    operator = LinearOperator((field.size, field.size), matvec=apply, dtype=np.float32)
    options = {"tolerance": tolerance, "iterations": _MOST_ITERATIONS, "what": "The fit", "message": message}
    sources = conjugate_gradients(operator, back(field).ravel(), **options, pace=0.97, progress=progress)
    rest = field - convolve(kernel, spread * sources.reshape(field.shape))
    return rest - shim.fitted(rest)
