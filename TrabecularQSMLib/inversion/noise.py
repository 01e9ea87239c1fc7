"""What noise does to χ: its standard deviation, and how that of a mean falls with its voxels."""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.signal import fftconvolve

from ..methods import Method

# Draws of noise: one inversion each, the least that pooled over neighbors give a standard deviation.
DRAWS = 3
SEED = 20191
# Neighbors over which the squares of the draws are pooled, as SD of a Gaussian in voxels.
_POOL = 1.0
# Radii in voxels (the geometric mean of their edges) of the balls whose means are looked at.
_RADII = (0.0, 1.0, 1.5, 2.2, 3.3, 5.0, 7.5, 11.0, 16.0, 24.0)
# A ball counts if this share of it is known.
_LEAST_SHARE = 0.5


def chi_noise(draws: Sequence[np.ndarray], known: np.ndarray, voxel_size) -> tuple[np.ndarray, dict[str, list[float]]]:
    """Return the standard deviation of χ by noise, and by how much neighbors share it.

    Parameters
    ----------
    draws : sequence of (K, J, I) arrays
        Changes of χ in ppm by independent draws of noise, two or more.
    known : (K, J, I) bool array
        Where χ counts.
    voxel_size : (3,) floats
        mm.

    Returns
    -------
    sigma : (K, J, I) float32 array
        ppm; zero where χ is not known.
    correlation : dict
        ``Voxels`` and ``VarianceRatio``: the variance of the mean over a ball of so many voxels, as a multiple of what
        independent voxels of the same σ would give, ``Σ σ² / n²``. A ball is what a region is taken to be like.

    Notes
    -----
    ``σ² = G ∗ Σ (δ_k − mean δ)² / ((K − 1) G ∗ 1)`` over known voxels, with G a Gaussian, since a few draws alone tell
    a variance badly; the ratio is that of the sums over all balls at least half of which is known, and does not fall
    with size.
    """
    known = np.asarray(known, bool)
    mean = sum(draws) / len(draws)  # more noise also shifts what is not linear in it
    draws = [np.where(known, one - mean, 0).astype(np.float64) for one in draws]
    share = gaussian_filter(known.astype(np.float64), _POOL, mode="constant")
    squares = gaussian_filter(sum(one**2 for one in draws) / (len(draws) - 1), _POOL, mode="constant")
    variance = np.divide(squares, share, out=np.zeros(known.shape), where=known)
    edge = float(np.prod(voxel_size)) ** (1 / 3)
    voxels, ratios = [], []
    for radius in _RADII:
        ball = _ball(radius * edge, voxel_size)

        def within(array, ball=ball):
            return fftconvolve(array, ball, mode="same")

        count = np.rint(within(known.astype(np.float64)))
        counts = known & (count >= _LEAST_SHARE * ball.sum())
        if not counts.any():
            break
        independent = np.sum(within(variance)[counts] / count[counts] ** 2)
        found = sum(np.sum((within(one)[counts] / count[counts]) ** 2) for one in draws) / (len(draws) - 1)
        if independent > 0:
            voxels.append(float(np.mean(count[counts])))
            # Large balls hold the dipoles' negative lobes, which regions that are no balls do not.
            ratios.append(max([float(found / independent), *ratios[-1:]]))
    return np.sqrt(variance).astype(np.float32), {"Voxels": voxels, "VarianceRatio": ratios}


def _ball(radius_mm, voxel_size):
    axes = [h * np.arange(-int(radius_mm / h), int(radius_mm / h) + 1) for h in voxel_size]
    k, j, i = np.meshgrid(*axes, indexing="ij")
    return (k**2 + j**2 + i**2 <= radius_mm**2 + 1e-9).astype(np.float64)


METHOD = Method(
    chi_noise,
    title="Standard deviation of χ",
    solves="three draws of noise through weights, edges, cortex, background removal and inversion, pooled over "
    "neighbors; means over balls of growing size",
    test="test_inversion_noise.NoiseTest",
)
