"""What the statistics of studies share: confidence intervals, exact for normal data, and Holm's correction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from ...errors import InputError, counted

CONFIDENCE = 0.95
# Two-sided.
TAIL = (1 - CONFIDENCE) / 2
SIGNIFICANT = 0.05
# Of the variance of values, what is left by numbers that were made of them.
ITSELF = 1e-9
# Half of the width, in SD, of what holds 95 % of a normal distribution.
NORMAL = float(stats.norm.ppf(1 - TAIL))
# Fewer subjects leave next to nothing to tell a spread by.
LEAST_SUBJECTS = 3
# Column of a table of repeatability that change is judged by.
COEFFICIENT = "repeatability_coefficient"

Interval = tuple[float, float]


@dataclass(frozen=True)
class Study:
    """What was found in each region, and sentences on what the data cannot tell.

    `results` are of one kind, in the order of the regions; each has a method `as_rows`, which takes the unit and
    returns rows of a table whose columns name it.
    """

    results: tuple
    notes: tuple[str, ...]

    def rows(self, unit: str) -> list[dict]:
        """Return the rows of the table."""
        return [row for result in self.results for row in result.as_rows(unit)]


def of_regions(answers: Mapping[str, Callable]) -> tuple[list, list[str]]:
    """Return what functions, by region, return, and notes on regions that cannot be answered for.

    Raises
    ------
    InputError
        That of the first region if there is an answer for none.
    """
    found, notes, first = [], [], None
    for region, answer in answers.items():
        try:
            found.append(answer())
        except InputError as error:
            first = first or error
            notes.append(f"{region} was left out: {error}")
    if first and not found:
        raise first
    return found, notes


def with_unit(name: str, unit: str) -> str:
    """Return the name of a column with its unit."""
    return f"{name} [{unit}]" if unit else name


def limits(name: str, interval: Interval | None, unit: str = "") -> dict:
    """Return the two columns of an interval; None where there is none."""
    low, high = (None, None) if interval is None else interval
    return {with_unit(f"{name}_low", unit): low, with_unit(f"{name}_high", unit): high}


def is_constant(values: np.ndarray) -> bool:
    """Return whether values do not differ but by rounding."""
    return bool(np.ptp(values) <= 1e-12 * np.abs(values).max())


def t_interval(estimate: float, error: float, free: float) -> Interval:
    """Return the confidence interval of an estimate with a standard error, by Student's t."""
    half = stats.t.ppf(1 - TAIL, free) * error
    return float(estimate - half), float(estimate + half)


def t_probability(estimate: float, error: float, free: float) -> float:
    """Return the two-sided probability of zero, by Student's t."""
    return float(2 * stats.t.sf(abs(estimate / error), free))


def sd_factors(free: int) -> Interval:
    """Return by what a standard deviation is multiplied for its confidence interval (normal data, χ²)."""
    return float(np.sqrt(free / stats.chi2.ppf(1 - TAIL, free))), float(np.sqrt(free / stats.chi2.ppf(TAIL, free)))


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
    near, far = (root * stats.nct.ppf((TAIL, 1 - TAIL), free, NORMAL / root)).tolist()
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


def checked(values: np.ndarray, what: str, least: int = LEAST_SUBJECTS) -> np.ndarray:
    """Return values as floating point.

    Raises
    ------
    InputError
        If there are too few rows, or a value is not finite.
    """
    values = np.asarray(values, np.float64)
    if len(values) < least:
        raise InputError(f"{what} of {counted(len(values), 'subject')}; at least {least} are needed, so add some.")
    if not np.all(np.isfinite(values)):
        raise InputError(f"{what} of values that are no numbers; leave those subjects out.")
    return values
