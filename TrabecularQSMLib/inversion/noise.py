"""What noise does to χ: its standard deviation, and how that of a mean falls with its voxels."""

from collections.abc import Sequence

import numpy as np
import scipy
from scipy.ndimage import gaussian_filter

from ..methods import Method

# Draws of noise: one inversion each. Of three, two tell what the third is to be judged by.
DRAWS = 3
SEED = 20191
# Neighbors over which the squares of the draws are pooled, as SD of a Gaussian in voxels.
_POOL = 2.0
# Radii in voxels (the geometric mean of their edges) of the balls whose means are looked at.
_RADII = (0.0, 1.0, 1.5, 2.2, 3.3, 5.0, 7.5, 11.0, 16.0, 24.0)
# A ball counts if this share of it is known, and its variance is more than this share of the largest: less is rounding.
_LEAST_SHARE, _ROUNDING = 0.5, 1e-12


def chi_noise(
    draws: Sequence[np.ndarray], known: np.ndarray, voxel_size
) -> tuple[np.ndarray, list[np.ndarray], dict[str, list[float]]]:
    """Return the standard deviation of χ by noise, draws of that noise, and by how much neighbors share it.

    Parameters
    ----------
    draws : sequence of (K, J, I) arrays
        Changes of χ in ppm by independent draws of noise, three or more.
    known : (K, J, I) bool array
        Where χ counts.
    voxel_size : (3,) floats
        mm.

    Returns
    -------
    sigma : (K, J, I) float32 array
        ppm; zero where χ is not known.
    noise : list of (K, J, I) float32 arrays
        Draws of the noise of χ in ppm, one less than were given since their mean is taken off: independent, of mean
        zero and the variance of χ; zero where χ is not known.
    correlation : dict
        ``Voxels`` and ``VarianceRatio``: the variance of the mean over a ball of so many voxels, as a multiple of what
        independent voxels of the same σ would give, ``Σ σ² / n²``. A ball is what a region is taken to be like.

    Notes
    -----
    ``σ² = G ∗ Σ (δ_k − mean δ)² / ((K − 1) G ∗ 1)`` over known voxels, with G a Gaussian, since a few draws alone tell
    a variance badly. The ratio is the one with which z of a draw, its mean over a ball over the standard error that the
    *other* draws give, has a mean square of 1 over draws and all balls at least half of which is known; it does not
    fall with size. The ratio of sums would be that of the noisiest balls, of edges that come and go, where noise is
    least shared; and draws that judge themselves know neither how badly they tell σ, nor how it differs over the body.
    """
    known = np.asarray(known, bool)
    draws = np.where(known, draws, 0).astype(np.float64)
    count = len(draws)
    off = draws - draws.mean(axis=0)  # more noise also shifts what is not linear in it
    share = gaussian_filter(known.astype(np.float64), _POOL, mode="constant")

    def pooled(squares):
        near = gaussian_filter(squares, _POOL, mode="constant")
        return np.divide(near, share, out=np.zeros(known.shape), where=known)

    squares = np.square(off).sum(axis=0)
    alone = np.sqrt(count / (count - 1)) * off  # each less the mean of the others, of the variance of one
    others = [pooled((squares - one**2) / (count - 2)) for one in alone]
    voxels, ratios = [], []
    for radius in _RADII:
        ball = _ball(radius * float(np.prod(voxel_size)) ** (1 / 3), voxel_size)
        size = np.rint(scipy.signal.fftconvolve(known.astype(np.float64), ball, mode="same"))
        counts = known & (size >= _LEAST_SHARE * ball.sum())
        if not counts.any():
            break
        z_squared = [_z_squared(one, variance, ball, counts) for one, variance in zip(alone, others, strict=True)]
        if all(z.size for z in z_squared):
            voxels.append(float(np.mean(size[counts])))
            # Large balls hold the dipoles' negative lobes, which regions that are no balls do not.
            ratios.append(max([float(np.mean(np.concatenate(z_squared))), *ratios[-1:]]))
    sigma = np.sqrt(pooled(squares / (count - 1))).astype(np.float32)
    return sigma, _without_their_mean(draws), {"Voxels": voxels, "VarianceRatio": ratios}


def _without_their_mean(draws):
    """Each draw less the mean of those before it, scaled to the variance of one (Helmert's contrasts)."""
    return [
        (np.sqrt(n / (n + 1)) * (draws[n] - draws[:n].mean(axis=0))).astype(np.float32) for n in range(1, len(draws))
    ]


def _z_squared(draw, variance, ball, counts):
    """Squares of sums of a draw over balls, as multiples of what independent voxels would give."""
    expected = scipy.signal.fftconvolve(variance, ball, mode="same")[counts]
    tells = expected > _ROUNDING * expected.max(initial=0.0)
    return np.square(scipy.signal.fftconvolve(draw, ball, mode="same")[counts][tells]) / expected[tells]


def _ball(radius_mm, voxel_size):
    axes = [h * np.arange(-int(radius_mm / h), int(radius_mm / h) + 1) for h in voxel_size]
    k, j, i = np.meshgrid(*axes, indexing="ij")
    return (k**2 + j**2 + i**2 <= radius_mm**2 + 1e-9).astype(np.float64)


METHOD = Method(
    chi_noise,
    title="Standard deviation of χ",
    solves="three draws of noise through weights, edges, cortex, background removal and inversion, pooled over "
    "neighbors; means over balls of growing size, each draw judged by the others, and over the region itself",
    test="test_inversion_noise.NoiseTest",
)
