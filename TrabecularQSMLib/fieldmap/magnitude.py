"""R2* and fat fraction from the magnitude of the echoes alone, without their phase."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.special import i0e, i1e

from ..chunks import run_chunks
from ..methods import Method
from ..progress import Progress
from .fat_models import FatModel
from .levenberg import invertible, minimize
from .signal import HIGHEST_R2STAR, Model, r2star_range

CHUNK = 8192
# W, F and R2* are three numbers, an echo gives one.
LEAST_ECHOES = 4
MAXIMUM_ITERATIONS = 60
R2STAR_TOLERANCE, SIGNAL_TOLERANCE = 1e-3, 1e-6
# Fractions of fat to start from, on both sides of the ambiguity.
STARTS = (0.1, 0.9)
# Spacings that differ by more than this part of them are not equidistant.
SPACING_TOLERANCE = 0.02
# Least of a model's magnitude in terms of water and fat, where its derivative is taken: it has a kink at zero.
KINK = 1e-6
# Below any signal; its square is a number still.
TINY = 1e-30
# The median of the absolute difference of two samples of noise, magnitude against real part (Rayleigh, Gauss).
RAYLEIGH_OVER_GAUSS = 0.6424
# Units of log-likelihood below which a voxel asks the 26 around it whether water or fat prevails; each has this vote at
# most, so that strong evidence of other tissue does not count for more, and its own evidence this weight.
UNSURE, ONE_VOTE, OWN_WEIGHT = 3.0, 0.5, 2.0
LARGEST_MARGIN = 10.0
# Spread of the difference of two fits over that by noise from which it is told, with that many voxels at least.
DISAGREEING, LEAST_VOXELS = 2.0, 100
# Share of voxels in which the magnitude takes water for fat that is told, and fraction of fat that ARLO stands.
LARGEST_SWAPPED, ARLO_LARGEST_PDFF = 0.01, 0.05


@dataclass(frozen=True, eq=False)
class MagnitudeFit:
    """Water and fat at echo time zero, R2* in 1/s and fat fraction of a magnitude fit, (K, J, I) float32.

    `residual`: root sum of squares over that of the signal. `margin`: by how many units of log-likelihood the other
    start ends worse, ten at most, and ten where both end alike. `sigma_r2star`,
    `sigma_pdff`: standard deviations by noise. All are zero outside the mask. `noise`: standard deviation of the noise
    in the real channel that was reckoned with.
    """

    water: np.ndarray
    fat: np.ndarray
    r2star: np.ndarray
    pdff: np.ndarray
    residual: np.ndarray
    margin: np.ndarray
    sigma_r2star: np.ndarray
    sigma_pdff: np.ndarray
    noise: float


def is_equidistant(echo_times: np.ndarray) -> bool:
    """Return whether all echoes are equally far apart."""
    spacings = np.diff(echo_times)
    return bool(np.ptp(spacings) <= SPACING_TOLERANCE * spacings.mean())


def arlo(
    echoes: np.ndarray,
    mask: np.ndarray,
    *,
    echo_times: np.ndarray,
    noise: float = 0.0,
    progress: Progress | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return R2* in 1/s by auto-regression on linear operations, and its standard deviation by noise.

    Parameters
    ----------
    echoes : (E, K, J, I) array
        Real or complex; only the magnitude counts.
    mask : (K, J, I) bool array
    echo_times : (E,) array
        Seconds, equidistant (`is_equidistant`), three or more.
    noise : float
        Standard deviation of the noise in the real channel; what it adds to magnitude is taken off,
        ``√|M² − σ²|`` (Gudbjartsson & Patz, MRM 1995, doi 10.1002/mrm.1910340618).

    Returns
    -------
    r2star, sigma : (K, J, I) float32 arrays
        Zero outside the mask.

    Notes
    -----
    For one decaying signal, ``∫ S dt`` over two spacings is ``T2* (S_i − S_{i+2})``; with Simpson's rule s_i for the
    integral and d_i for the difference, ``R2* = (Σ s d + Δ/3 Σ d²) / (Σ s² + Δ/3 Σ s d)`` for the spacing Δ (Pei et
    al., MRM 2015, doi 10.1002/mrm.25137). It knows water alone: where fat is, its beating with water is taken for
    decay.
    """
    spacing = float(np.mean(np.diff(echo_times)))
    at = np.nonzero(mask)
    result = np.zeros((2, *mask.shape), np.float32)
    values = np.zeros((2, at[0].size), np.float32)

    def work(chunk):
        some = tuple(index[chunk] for index in at)
        signal = np.stack([np.abs(echo[some]) for echo in echoes]).astype(np.float64)
        values[:, chunk] = _arlo(np.sqrt(np.abs(signal**2 - noise**2)), spacing, noise)

    run_chunks(work, at[0].size, 4 * CHUNK, message="R2* of the magnitude", progress=progress)
    for target, one in zip(result, values, strict=True):
        target[at] = one
    return result[0], result[1]


def fit_magnitude(
    echoes: np.ndarray,
    mask: np.ndarray,
    *,
    echo_times: np.ndarray,
    imaging_frequency: float,
    fat_model: FatModel,
    noise: float = 0.0,
    progress: Progress | None = None,
) -> MagnitudeFit:
    """Return water, fat and R2* of every voxel in the mask from the magnitude of its echoes.

    Parameters
    ----------
    echoes : (E, K, J, I) array
        At least `LEAST_ECHOES`, real or complex; only the magnitude counts.
    mask : (K, J, I) bool array
    echo_times : (E,) array
        Seconds.
    imaging_frequency : float
        Hz.
    fat_model : FatModel
    noise : float
        Standard deviation of the noise in the real channel of one receiver; that of the fit's residuals counts if it
        is larger.

    Notes
    -----
    ``Σ [M(t) − A(|W + F c(t)| e^{−R2* t})]²`` with real W and F (Bydder et al., Magn Reson Imaging 2008, doi
    10.1016/j.mri.2007.08.012), where A(m) is the mean of a magnitude whose true value is m in noise (Rice; Feng et
    al., MRM 2013, doi 10.1002/mrm.24607). A magnitude is the same for water and fat exchanged but for the fat's
    smaller peaks, which tell above 50 % of fat from below: Levenberg–Marquardt starts from both sides, the lower
    misfit counts (Triay Bagur et al., MRM 2019, doi 10.1002/mrm.27728), or where both are nearly the same that of the
    voxels around.
    """
    model = Model(np.asarray(echo_times, np.float64), fat_model.signal(echo_times, imaging_frequency))
    at = np.nonzero(mask)
    power = np.zeros(at[0].size, np.float32)
    ends = np.zeros((len(STARTS), 6, power.size), np.float32)

    def work(chunk):
        some = tuple(index[chunk] for index in at)
        signal = np.stack([np.abs(echo[some]) for echo in echoes]).astype(np.float64)
        power[chunk] = (signal**2).sum(axis=0)
        for end, share in zip(ends, STARTS, strict=True):
            end[:, chunk] = _fit(signal, model, share, noise)

    run_chunks(work, power.size, CHUNK, message="Fitting the magnitude", progress=progress)
    left = len(model.echo_times) - 3
    if power.size:
        # The median of χ², as in `uncertainty.noise_of_fit`.
        smaller = np.median(np.minimum(*ends[:, 3]))
        noise = max(noise, float(np.sqrt(smaller / (left * (1 - 2 / (9 * left)) ** 3))))
    chosen, margin = _choose(ends, mask, max(2 * noise**2, TINY))
    water, fat, rate, cost, *sigmas = np.where(chosen, ends[1], ends[0])
    pdff = np.clip(_share(water, fat), 0, 1)
    residual = np.sqrt(cost / np.maximum(power, np.finfo(np.float32).tiny))
    for sigma, limit in zip(sigmas, (HIGHEST_R2STAR, 1.0), strict=True):
        sigma *= np.float32(noise)
        np.minimum(np.nan_to_num(sigma, copy=False, nan=limit, posinf=limit), limit, out=sigma)
    result = np.zeros((8, *mask.shape), np.float32)
    for target, one in zip(result, (water, fat, rate, pdff, residual, margin, *sigmas), strict=True):
        target[at] = one
    return MagnitudeFit(*result, noise=noise)


def doubt(margin: np.ndarray) -> float:
    """Return the share of voxels in which the other end is the right one, as foretold from their margins."""
    return float(np.mean(1 / (1 + np.exp(np.asarray(margin, np.float64))))) if margin.size else 0.0


def noise_from_magnitude(noise: float) -> float:
    """Return the noise of the real channel from what `masks.noise_level` finds when it is given magnitude alone."""
    return noise / RAYLEIGH_OVER_GAUSS


def disagreement(first, second, sigma_first, sigma_second) -> tuple[float, float]:
    """Return the median difference of two estimates from the same data, and how many times noise's share its spread is.

    Parameters
    ----------
    first, second : (V,) arrays
        The second from more of the data than the first.
    sigma_first, sigma_second : (V,) arrays
        Their standard deviations by noise.

    Notes
    -----
    The variance of the difference of an estimate from an efficient one is the difference of their variances (Hausman
    1978, doi 10.2307/1913827). The spread is the median of absolute values, 1 where there is noise alone.
    """
    first, second, sigma_first, sigma_second = (
        np.asarray(one, np.float64) for one in (first, second, sigma_first, sigma_second)
    )
    # Where both know nearly the same, the difference of two estimated variances tells little.
    variance = np.maximum(sigma_first**2 - sigma_second**2, 0.1 * sigma_first**2) + TINY
    difference = first - second
    return float(np.median(difference)), float(np.median(np.abs(difference) / np.sqrt(variance)) / 0.6745)


def cross_check(maps, trust: np.ndarray, margin: np.ndarray) -> list[str]:
    """Say where maps of the magnitude and of the complex fit differ by more than noise explains, and what ARLO leaves.

    Parameters
    ----------
    maps : mapping of name to (K, J, I) array
        Those of the magnitude, and where there are such of the complex fit, under the names of `quantities`.
    trust : (K, J, I) array
        Reliability; voxels above one half count.
    margin : (K, J, I) array
        That of the magnitude fit.
    """
    notes, believed = [], trust > 0.5
    pdff = maps.get("pdff", maps["pdff_magnitude"])
    found = []
    if "pdff" in maps:
        clear = believed & (margin >= UNSURE)
        # The fat fraction is cut at 0 and 1, where its noise is no longer seen.
        mixed = clear & (pdff > 0.02) & (pdff < 0.98)
        water = believed & (pdff < ARLO_LARGEST_PDFF)
        found = [
            _difference(maps, "r2star_magnitude", "r2star", clear, "R2* by {:+.1f} 1/s"),
            _difference(maps, "pdff_magnitude", "pdff", mixed, "fat fraction by {:+.3f}"),
            _difference(
                maps, "r2star_arlo", "r2star", water, "R2* by ARLO, where there is water alone, by {:+.1f} 1/s"
            ),
        ]
        swapped = np.abs(maps["pdff_magnitude"] - pdff)[believed] > 0.5
        if swapped.size and (share := float(swapped.mean())) > LARGEST_SWAPPED:
            notes.append(
                f"In {share:.1%} of the reliable voxels the magnitude takes water for fat or the reverse; there its "
                "fat fraction and R2* are those of the other."
            )
    if any(found):
        notes.append(
            f"Magnitude and complex fit differ by more than noise explains: {'; '.join(filter(None, found))} "
            "(medians); the phase has errors of its own, or fat is not as in the spectrum."
        )
    if "r2star_arlo" in maps and believed.any():
        share = float(np.mean(pdff[believed] > ARLO_LARGEST_PDFF))
        if share > 0:
            notes.append(
                f"ARLO knows water alone: {share:.0%} of the reliable voxels hold more than {ARLO_LARGEST_PDFF:.0%} "
                "fat, whose beating with water it takes for decay; use R2* of the other fits there."
            )
    return notes


def _difference(maps, name, other, where, text):
    """What two maps differ by, or None where noise explains it or too few voxels tell."""
    if name not in maps or np.count_nonzero(where) < LEAST_VOXELS:
        return None
    values = (maps[key][where] for key in (name, other, f"sigma_{name}", f"sigma_{other}"))
    median, spread = disagreement(*values)
    return f"{text.format(median)}, {spread:.1f} times what noise does" if spread > DISAGREEING else None


def _arlo(signal, spacing, noise):
    """R2* and its standard deviation, (2, V): the noise through the derivatives along each echo."""
    third = spacing / 3
    integral = third * (signal[:-2] + 4 * signal[1:-1] + signal[2:])
    difference = signal[:-2] - signal[2:]
    both = (integral * difference).sum(axis=0)
    above = both + third * (difference**2).sum(axis=0)
    below = (integral**2).sum(axis=0) + third * both
    below = np.where(np.abs(below) > TINY, below, np.inf)
    rate = above / below

    def back(weights, values):  # what each echo has in the sums over three neighbors
        result = np.zeros_like(signal)
        for shift, weight in enumerate(weights):
            result[shift : shift + len(values)] += weight * values
        return result

    simpson, ends = (third, 4 * third, third), (1, 0, -1)
    of_both = back(simpson, difference) + back(ends, integral)
    of_above = of_both + 2 * third * back(ends, difference)
    of_below = 2 * back(simpson, integral) + third * of_both
    sigma = noise * np.linalg.norm((of_above - rate * of_below) / below, axis=0)
    limits = r2star_range(spacing * np.arange(len(signal)))
    return np.stack([np.clip(rate, *limits), np.minimum(sigma, HIGHEST_R2STAR)])


def _fit(signal, model, share, noise):
    """Fit from one start: W, F, R2*, cost, and deviations of R2* and of the fat fraction for noise 1, (6, V)."""
    parameters, cost = _refine(signal, model, _start(signal, model, share), noise)
    parameters[parameters[:, :2].sum(axis=1) < 0, :2] *= -1
    jacobian = _expected(parameters, model, noise)[1]
    covariance = np.linalg.inv(invertible(np.einsum("pev,qev->vpq", jacobian, jacobian)))
    water, fat, rate = parameters.T
    total = np.where(np.abs(water + fat) > TINY, water + fat, np.inf)
    by = np.stack([-fat / total**2, water / total**2], axis=1)
    of_pdff = np.einsum("vp,vpq,vq->v", by, covariance[:, :2, :2], by)
    return np.stack([water, fat, rate, cost, *np.sqrt(np.maximum([covariance[:, 2, 2], of_pdff], 0))])


def _choose(ends, mask, scale):
    """Which end counts in each voxel (V,), true for the second, and by how many units of log-likelihood it is better.

    A voxel whose own echoes hardly tell follows the majority around it. That the one is better is its own evidence.
    """
    own = (ends[0, 3] - ends[1, 3]) / scale
    votes = np.zeros(mask.shape, np.float32)
    votes[mask] = np.clip(own, -ONE_VOTE, ONE_VOTE)
    around = 27 * ndimage.uniform_filter(votes, 3, mode="constant")[mask] + OWN_WEIGHT * own
    # Both starts at one end leave no other solution.
    alike = np.abs(_share(*ends[0, :2]) - _share(*ends[1, :2])) < 0.02
    chosen = np.where((np.abs(own) < UNSURE) & ~alike, around, own) > 0
    return chosen, np.where(alike, LARGEST_MARGIN, np.minimum(np.abs(own), LARGEST_MARGIN)).astype(np.float32)


def _share(water, fat):
    total = water + fat
    return fat / np.where(np.abs(total) > TINY, total, np.inf)


def _start(signal, model, share):
    """Water, fat and R2* (V, 3) to start from, for a fraction of fat: the line through the logarithms."""
    mixed = np.maximum(np.abs(1 - share + share * model.fat), 0.1)[:, None]
    logarithm = np.log(np.maximum(signal, 1e-6 * signal.max(axis=0) + TINY) / mixed)
    weight = signal**2 + TINY
    time = model.echo_times[:, None]
    total = weight.sum(axis=0)
    mean_time, mean = (weight * time).sum(axis=0) / total, (weight * logarithm).sum(axis=0) / total
    spread = (weight * (time - mean_time) ** 2).sum(axis=0)
    slope = (weight * (time - mean_time) * (logarithm - mean)).sum(axis=0) / np.maximum(spread, TINY)
    rate = np.clip(-slope, 0, HIGHEST_R2STAR / 2)
    size = np.exp(np.clip(mean + rate * mean_time, -80, 80))
    return np.stack([(1 - share) * size, share * size, rate], axis=1)


def _expected(parameters, model, noise):
    """Expected magnitude (E, V) and its derivatives (3, E, V) along W, F and R2*."""
    water, fat, rate = parameters.T
    time, c = model.echo_times[:, None], model.fat[:, None]
    decay = np.exp(-time * rate)
    mixed = water + fat * c
    size = np.abs(mixed)
    safe = np.maximum(size, KINK * (np.abs(water) + np.abs(fat)) + TINY)
    true = decay * size
    along = np.stack([decay * mixed.real / safe, decay * (mixed.conj() * c).real / safe, -time * true])
    if not noise > 0:
        return true, along
    # The mean of a Rice distribution and its derivative; scaled Bessel functions, as the plain ones overflow.
    ratio = true / noise
    zeroth, first = i0e(ratio**2 / 4), i1e(ratio**2 / 4)
    mean = noise * np.sqrt(np.pi / 2) * ((1 + ratio**2 / 2) * zeroth + ratio**2 / 2 * first)
    along *= np.sqrt(np.pi / 8) * ratio * (zeroth + first)
    return mean, along


def _refine(signal, model, parameters, noise):
    """Parameters (V, 3) from a start, and their cost."""

    def equations(some, at):
        expected, jacobian = _expected(at, model, noise)
        residual = signal[:, some] - expected
        normal = np.einsum("pev,qev->vpq", jacobian, jacobian)
        return (residual**2).sum(axis=0), np.einsum("pev,ev->vp", jacobian, residual), normal

    def is_moving(before, after):
        change, size = np.abs(after - before), np.abs(before[:, :2]).sum(axis=1)
        return (change[:, :2].sum(axis=1) > SIGNAL_TOLERANCE * size) | (change[:, 2] > R2STAR_TOLERANCE)

    parameters = minimize(
        equations,
        parameters,
        rates=slice(2, None),
        limits=model.r2star_range,
        is_moving=is_moving,
        iterations=MAXIMUM_ITERATIONS,
    )
    return parameters, equations(slice(None), parameters)[0]


METHODS = (
    Method(
        arlo,
        title="R2* of the magnitude, water alone (ARLO)",
        solves="R2* = (Σ s d + Δ/3 Σ d²) / (Σ s² + Δ/3 Σ s d), s by Simpson's rule over two spacings, d the difference",
        test="test_fieldmap_magnitude.ArloTest",
        reference="Pei et al., MRM 2015, doi 10.1002/mrm.25137; "
        "Gudbjartsson & Patz, MRM 1995, doi 10.1002/mrm.1910340618",
    ),
    Method(
        fit_magnitude,
        title="R2* and fat fraction of the magnitude",
        solves="Σ (M(t) − A(|W + F c(t)| e^{−R2* t}))², A the mean of a Rice distribution; two starts",
        test="test_fieldmap_magnitude.FitTest",
        reference="Bydder et al., Magn Reson Imaging 2008, doi 10.1016/j.mri.2007.08.012; "
        "Feng et al., MRM 2013, doi 10.1002/mrm.24607; Triay Bagur et al., MRM 2019, doi 10.1002/mrm.27728",
        options={"fat_model": "fat_model"},
    ),
    Method(
        disagreement,
        title="Magnitude against complex fit",
        solves="median |difference| over √(σ₁² − σ₂²), 0.67 where noise alone makes it",
        test="test_fieldmap_magnitude.DisagreementTest",
        reference="Hausman 1978, doi 10.2307/1913827",
    ),
)
