"""The error of a region's mean χ by noise of the field, and how much of its χ the inversion gives back."""

import numpy as np
import scipy.fft

from ..inversion.closed_form import closed_form
from ..kernels import convolve, dipole_kernel

# The part of the body around the region, and most voxels along an edge of it.
_EDGE_MM = 100.0
_MOST_VOXELS = 160


def ball_name(radius_mm: float) -> str:
    """Return what a ball is called."""
    return f"ball of radius {radius_mm:g} mm"


def ball(voxel_size, radius_mm: float) -> np.ndarray:
    """Return the voxels of a ball and of the body around it, (K, J, I) bool; voxels in mm along k, j, i."""
    least = max(_EDGE_MM, 6 * radius_mm)
    shape = [scipy.fft.next_fast_len(int(np.clip(least / h, 16, _MOST_VOXELS)), real=True) for h in voxel_size]
    axes = [h * (np.arange(n) - n // 2) for n, h in zip(shape, voxel_size, strict=True)]
    k, j, i = np.meshgrid(*axes, indexing="ij", sparse=True)
    return k**2 + j**2 + i**2 <= radius_mm**2


def ball_of_chi(voxel_size, radius_mm: float, *, b0_direction, regularization: float) -> tuple[int, float, float]:
    """Return what the closed-form inversion does to the mean χ of a ball.

    Parameters
    ----------
    voxel_size : (3,) floats
        mm.
    radius_mm : float
        Of the ball; voxels whose center lies in it count, one at least.
    b0_direction : (3,) floats
        Unit vector along k, j, i.
    regularization : float
        λ in mm².

    Returns
    -------
    voxels : int
        In the ball.
    error : float
        Standard deviation of the mean in ppm for each ppm of independent noise of the field in every voxel.
    share : float
        Of the difference between the ball and what is around it, how much is given back.

    Notes
    -----
    The mean is ``⟨w, H f⟩`` with the ball's indicator w over its voxels and H = D / (D² + λ E), which is its own
    adjoint: its error is ``‖H w‖``. The grid repeats itself after 100 mm, or after six radii where that is more: a
    larger one lets in longer waves of noise, and the error grows slowly with it.
    """
    inside = ball(voxel_size, radius_mm)
    voxels = int(np.count_nonzero(inside))

    def inverted(field):
        return closed_form(field, voxel_size, b0_direction=b0_direction, regularization=regularization)

    weights = (inside / voxels).astype(np.float32)
    error = float(np.linalg.norm(inverted(weights).astype(np.float64)))
    chi = inverted(convolve(dipole_kernel(inside.shape, voxel_size, b0_direction), inside.astype(np.float32)))
    return voxels, error, float(chi[inside].mean() - chi[~inside].mean())
