"""Confidence intervals, exact for normal data, probabilities, and Holm's correction of these."""

from collections.abc import Sequence

import numpy as np
import scipy

CONFIDENCE = 0.95
# Two-sided.
TAIL = (1 - CONFIDENCE) / 2
SIGNIFICANT = 0.05
# Half of the width, in SD, of what holds 95 % of a normal distribution.
NORMAL = float(scipy.special.ndtri(1 - TAIL))

Interval = tuple[float, float]


def is_constant(values: np.ndarray) -> bool:
    """Return whether values do not differ but by rounding."""
    return bool(np.ptp(values) <= 1e-12 * np.abs(values).max())


def t_interval(estimate: float, error: float, free: float) -> Interval:
    """Return the confidence interval of an estimate with a standard error, by Student's t."""
    half = scipy.stats.t.ppf(1 - TAIL, free) * error
    return float(estimate - half), float(estimate + half)


def t_probability(estimate: float, error: float, free: float) -> float:
    """Return the two-sided probability of zero, by Student's t; 0 or 1 of an estimate without error."""
    return float(2 * scipy.stats.t.sf(abs(estimate / error), free)) if error > 0 else float(estimate == 0)


def sd_factors(free: int) -> Interval:
    """Return by what a standard deviation is multiplied for its confidence interval (normal data, χ²)."""
    low, high = np.sqrt(free / scipy.stats.chi2.ppf((1 - TAIL, TAIL), free)).tolist()
    return low, high


def scaled(interval: Interval, factor: float) -> Interval:
    """Return both ends of an interval times a factor."""
    return float(interval[0] * factor), float(interval[1] * factor)


def limit_interval(middle: float, sd: float, free: int, leverage: float, side: int) -> Interval:
    """Return the exact confidence interval of a limit of agreement or of a normal range.

    The limit is a percentile of a normal distribution, ``middle ± 1.96 sd``; what is estimated of it follows Student's
    t off its center.

    Parameters
    ----------
    middle, sd : float
        Estimated mean and standard deviation.
    free : int
        Degrees of freedom of `sd`.
    leverage : float
        Variance of `middle` over that of one value, such as 1 / n.
    side : {-1, 1}
        Lower or upper limit.

    References
    ----------
    Carkeet, Optom Vis Sci 2015, doi 10.1097/OPX.0000000000000513.
    """
    root = np.sqrt(leverage)
    near, far = (root * scipy.stats.nct.ppf((TAIL, 1 - TAIL), free, NORMAL / root)).tolist()
    low, high = (near, far) if side > 0 else (-far, -near)
    return float(middle + low * sd), float(middle + high * sd)


def holm(probabilities: Sequence[float]) -> np.ndarray:
    """Return p values corrected for their number, so that the chance of any false finding stays as it says.

    References
    ----------
    Holm, Scand J Statist 1979;6:65-70.
    """
    p = np.asarray(probabilities, np.float64)
    order = np.argsort(p, kind="stable")
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1)), 1)
    return corrected


def root_mean_square(values: np.ndarray) -> float | None:
    """Return the root of the mean square, None if a value is not known or there is none."""
    return float(np.sqrt(np.mean(values**2))) if values.size and np.all(np.isfinite(values)) else None
