"""Standard deviations of field, R2* and fat fraction in each voxel, from the noise and the Jacobian of the fit."""

import numpy as np

from ..chunks import run_chunks
from ..methods import Method
from ..progress import Progress
from .signal import HIGHEST_R2STAR, Model

CHUNK = 8192
# Where the rate is hardly known, its errors bend: the field's variance grows by this times the square of σ over the
# length of the train (simulated for trains of three to nine echoes).
BEND = 0.63
TINY = np.finfo(np.float32).tiny


def noise_of_fit(residual: np.ndarray, echoes: int) -> float:
    """Return the standard deviation of the noise in one channel from the residuals of many voxels' fits.

    Parameters
    ----------
    residual : (V,) array
        Root sum of squares over echoes, in units of the signal.
    echoes : int
        More than three: W, F, field and R2* are six of the 2 · echoes numbers.
    """
    left = 2 * echoes - 6
    if left <= 0 or not residual.size:
        return 0.0
    # The median of χ² (Wilson & Hilferty 1931, doi 10.1073/pnas.17.12.684) is blind to voxels that the model misses.
    return float(np.sqrt(np.median(residual**2) / (left * (1 - 2 / (9 * left)) ** 3)))


def share_of_noise(echoes: np.ndarray, residual: np.ndarray, inside: np.ndarray, noise: float) -> float:
    """Return what part of what the fit leaves over inside is noise as strong as in air, 0 to 1, as a root mean square.

    Parameters
    ----------
    echoes : (E, K, J, I) complex array
    residual : (K, J, I) array
        Root sum of squares over echoes, as a part of that of the signal.
    inside : (K, J, I) bool array
    noise : float
        Standard deviation in the real channel, as seen in air; zero if there is none.
    """
    power = sum(np.abs(echo[inside]) ** 2 for echo in echoes)
    left = noise_of_fit(residual[inside] * np.sqrt(power), len(echoes))
    return min(noise / left, 1.0) if left > 0 else 0.0


def standard_deviations(
    water: np.ndarray,
    fat: np.ndarray,
    field_hz: np.ndarray,
    r2star: np.ndarray,
    model: Model,
    noise: float,
    *,
    progress: Progress | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the standard deviations of the field in Hz, R2* in 1/s and the fat fraction, (V,) float32 each.

    Parameters
    ----------
    water, fat : (V,) complex arrays
        At echo time zero.
    field_hz, r2star : (V,) arrays
        Hz and 1/s.
    model : Model
        Echo times and fat signal.
    noise : float
        Standard deviation of the noise in the real and in the imaginary channel of an echo.

    Notes
    -----
    The signal is analytic in W, F and the rate z = 2πi f − R2*, so the covariance of the three is
    ``2 σ² (Jᴴ J)⁻¹`` with ``J = [e^{zt}, c e^{zt}, t m]`` (Cramér–Rao bound; Pineda et al., MRM 2005,
    doi 10.1002/mrm.20623, for three echoes). They hold while the errors are small and the right minimum was chosen;
    without signal they end at half a field period, the range of R2*, and 1. The field's holds to second order (`BEND`).
    That of R2* is of what the echoes tell: where R2* ends at a limit of its range, its error is smaller. Of an estimate
    from three echoes it is `of_exact_fit`.
    """
    count = field_hz.size
    result = tuple(np.empty(count, np.float32) for _ in range(3))

    def work(chunk):
        values = _deviations(water[chunk], fat[chunk], field_hz[chunk], r2star[chunk], model, noise)
        limits = (model.period_hz / 2, HIGHEST_R2STAR, 1.0)
        for target, value, limit in zip(result, values, limits, strict=True):
            target[chunk] = np.minimum(np.nan_to_num(value, nan=limit, posinf=limit), limit)

    run_chunks(work, count, CHUNK, message="Standard deviations", progress=progress)
    return result


def of_exact_fit(sigma_r2star: np.ndarray, train: float) -> np.ndarray:
    """Return the standard deviation of an R2* that three echoes gave, from that by the Jacobian at the estimate.

    Where noise takes such a rate high, it takes that one high as well, and large errors would be divided by large
    deviations. One over the length of the train, in s, adds to what is known of the rate: errors are as large as this
    says from σ of 0.05 to once that rate (simulated for 0.5 to 2.3 ms between echoes, 1.5 to 7 T, fat fractions of 0.1
    to 0.9).
    """
    return sigma_r2star / np.sqrt(1 + (sigma_r2star * train) ** 2)


def of_two_minima(sigma_field: np.ndarray, margin: np.ndarray, distance_hz: float) -> np.ndarray:
    """Return the standard deviation of a field in Hz where the voxel's next minimum may be the right one.

    Parameters
    ----------
    sigma_field : (V,) array
        Of the chosen minimum, in Hz.
    margin : (V,) array
        By how many units of log-likelihood that minimum is better than the next; infinite where there is none.
    distance_hz : float
        How far from it the next lies.

    Notes
    -----
    The next one is right with the odds ``e^(−margin)``; the field is off by the distance then.
    """
    of_next = 1 / (1 + np.exp(np.clip(margin, 0, 50)))
    return np.sqrt(sigma_field**2 + of_next * np.float32(distance_hz) ** 2).astype(np.float32)


def _deviations(water, fat, field_hz, r2star, model, noise):
    time = (model.echo_times - model.echo_times[0])[:, None]
    c = model.fat[:, None]
    # At the first echo, as the covariance of W and F is wanted free of what z adds up to there.
    at_first = np.exp((2j * np.pi * field_hz - r2star) * model.echo_times[0])
    water, fat = water * at_first, fat * at_first
    energy = np.exp(-2 * time * r2star)
    g11, g12, g22 = energy.sum(axis=0), (energy * c).sum(axis=0), (energy * np.abs(c) ** 2).sum(axis=0)
    determinant = np.maximum(g11 * g22 - np.abs(g12) ** 2, 1e-10 * g11 * g22)
    # The phase of the field is common to J and drops out.
    along = time * energy * (water + c * fat)
    b1, b2 = along.sum(axis=0), (along * c.conj()).sum(axis=0)
    of_water, of_fat = (g22 * b1 - g12 * b2) / determinant, (g11 * b2 - g12.conj() * b1) / determinant
    square = (time**2 * energy * np.abs(water + c * fat) ** 2).sum(axis=0)
    curvature = np.maximum(square - (b1.conj() * of_water + b2.conj() * of_fat).real, TINY)
    rate = noise / np.sqrt(curvature)

    # The derivatives g of |F| / |W + F|, and of 1 − |W| / |W + F|, with respect to W and F are −F and W, over |W + F|²
    # and but for a phase of both, which drops out of gᵀ (G⁻¹ + d dᴴ / curvature) g* for the Gram matrix G of the
    # columns of W and F, and d = G⁻¹ (b1, b2).
    fixed = g22 * np.abs(fat) ** 2 + g11 * np.abs(water) ** 2 + 2 * (fat * g12 * water.conj()).real
    moved = np.abs(water * of_fat - fat * of_water) ** 2 / curvature
    total = np.abs(water + fat)
    fraction = noise * np.sqrt(fixed / determinant + moved) / np.maximum(total, TINY) ** 2
    # R2* does not stray so far, as its range has ends.
    bent = rate * np.sqrt(1 + BEND * (rate * model.train) ** 2)
    return bent / (2 * np.pi), rate, np.where(total > TINY, fraction, np.inf)


METHOD = Method(
    standard_deviations,
    title="Standard deviations",
    solves="the Cramér–Rao bound of field, R2* and fat fraction in each voxel; that of the field grows by the odds of "
    "the next minimum",
    test="test_fieldmap_uncertainty.UncertaintyTest",
    reference="Pineda et al., MRM 2005, doi 10.1002/mrm.20623",
)
