"""Normal ranges: between which values 95 of 100 subjects lie, if wanted by age."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy

from ...errors import InputError, listed
from ...methods import Method
from ..inference import NORMAL, SIGNIFICANT, TAIL, Interval, is_constant, limit_interval, t_interval, t_probability
from ..observations import Observations, numbers_of
from .study import ITSELF, LEAST_SUBJECTS, Study, checked, limits, of_regions, with_unit

_SHARES = {"p2_5": 0.025, "median": 0.5, "p97_5": 0.975}
# As the guideline CLSI EP28 asks for.
_ENOUGH = 120
# Years; beyond are months, or years of birth.
_OLDEST = 120
_DECADE = 10


@dataclass(frozen=True)
class AgeTrend:
    """Straight line over age: slope in a year with its interval, and probability of none."""

    slope: float
    slope_ci: Interval
    p: float
    mean_age: float
    spread: float  # Σ (age − mean age)²


@dataclass(frozen=True)
class NormalRange:
    """Normal range of one region.

    `values` and `ages` (or None) are of each subject; `mean` is that of all, which is the line's at `mean_age` where
    there is a trend; `sd` what is left about mean or line, with `free` degrees of freedom. `shapiro_p` is the
    probability that it is normal. `percentiles` hold value and interval by name; of few subjects intervals are None.
    """

    region: str
    values: np.ndarray
    ages: np.ndarray | None
    mean: float
    sd: float
    free: int
    shapiro_p: float
    trend: AgeTrend | None
    percentiles: dict[str, tuple[float, Interval | None]]

    def at(self, age: float | None = None) -> tuple[float, float]:
        """Return mean and leverage at an age: the variance of the mean over that of a value."""
        n = len(self.values)
        if self.trend is None or age is None:
            return self.mean, 1 / n
        away = age - self.trend.mean_age
        return self.mean + self.trend.slope * away, 1 / n + away**2 / self.trend.spread

    def limits_at(self, age: float | None = None) -> tuple[float, float]:
        """Return the normal range, mean ± 1.96 SD, at an age."""
        middle, _ = self.at(age)
        return middle - NORMAL * self.sd, middle + NORMAL * self.sd

    def table_ages(self) -> list[float | None]:
        """Return the ages of the table's rows: full decades, or youngest and oldest where these are fewer than two."""
        if self.trend is None:
            return [None]
        youngest, oldest = float(self.ages.min()), float(self.ages.max())
        decades = np.arange(np.ceil(youngest / _DECADE), np.floor(oldest / _DECADE) + 1) * _DECADE
        return decades.tolist() if len(decades) > 1 else [youngest, oldest]

    def as_rows(self, unit: str) -> list[dict]:
        """Return a row of a table for each age, or one."""
        rows = []
        for age in self.table_ages():
            middle, leverage = self.at(age)
            low, high = self.limits_at(age)
            row = {
                "region": self.region,
                **({} if age is None else {"age [years]": age}),
                "subjects": len(self.values),
                with_unit("mean", unit): middle,
                **limits("mean", t_interval(middle, self.sd * np.sqrt(leverage), self.free), unit),
                with_unit("sd", unit): self.sd,
            }
            for name, limit, side in (("lower_limit", low, -1), ("upper_limit", high, 1)):
                row[with_unit(name, unit)] = limit
                row |= limits(name, limit_interval(middle, self.sd, self.free, leverage, side), unit)
            row["normal_p"] = self.shapiro_p
            rows.append(row | self._last_columns(unit))
        return rows

    def _last_columns(self, unit):
        """Slope over age, or percentiles, which hold for all ages together."""
        if self.trend:
            per_year = f"{unit}/year" if unit else "1/year"
            slope = {with_unit("slope", per_year): self.trend.slope}
            return slope | limits("slope", self.trend.slope_ci, per_year) | {"slope_p": self.trend.p}
        row = {}
        for name, (value, interval) in self.percentiles.items():
            row |= {with_unit(name, unit): value, **limits(name, interval, unit)}
        return row


def normal_range(values: np.ndarray, ages: np.ndarray | None = None, *, region: str = "") -> NormalRange:
    """Return the normal range of a quantity, from subjects who are healthy.

    Parameters
    ----------
    values : (n,) array
    ages : (n,) array, optional
        The mean then follows a straight line over age.
    region : str

    Raises
    ------
    InputError
        If there are fewer than three subjects (four with ages), a value is not finite, all are the same, ages are or
        are none in years, or values are on one line over them.

    References
    ----------
    Intervals of the limits as of `inference.limit_interval`; those of percentiles are values of subjects whose rank
    holds the percentile with 95 % (binomial). Royston, Stat Med 1991, doi 10.1002/sim.4780100502 (ranges by age).
    """
    values = checked(values, f"The normal range in {region or 'a region'} is", LEAST_SUBJECTS + (ages is not None))
    if is_constant(values):
        raise InputError(f"All values in {region or 'the region'} are the same, {values[0]:.4g}; check the table.")
    left, trend, free = values - values.mean(), None, len(values) - 1
    if ages is not None:
        ages = checked(ages, f"The ages in {region or 'a region'} are")
        if ages.min() < 0 or ages.max() > _OLDEST:
            raise InputError(
                f"The ages run from {ages.min():g} to {ages.max():g}; expected years of age (not months, nor years of "
                "birth), so correct that column."
            )
        if is_constant(ages):
            raise InputError(f"All subjects are of the age {ages[0]:g}; leave age out.")
        away = ages - ages.mean()
        spread = float(away @ away)
        slope = float(away @ left / spread)
        before, left, free = left, left - slope * away, free - 1
        if left @ left <= ITSELF * (before @ before):
            raise InputError(
                f"All values in {region or 'the region'} lie on one line over age, as only ages do that were made of "
                "them; name the column of ages."
            )
        error = float(np.sqrt(left @ left / free / spread))
        p = t_probability(slope, error, free)
        trend = AgeTrend(slope, t_interval(slope, error, free), p, float(ages.mean()), spread)
    return NormalRange(
        region=region,
        values=values,
        ages=ages,
        mean=float(values.mean()),
        sd=float(np.sqrt(left @ left / free)),
        free=free,
        shapiro_p=float(scipy.stats.shapiro(left).pvalue) if not is_constant(left) else 1.0,
        trend=trend,
        percentiles={name: _percentile(np.sort(values), share) for name, share in _SHARES.items()},
    )


def ranges_of_regions(observations: Observations, ages: Sequence[str | None] | None = None) -> Study:
    """Return the normal range in every region.

    Parameters
    ----------
    observations : Observations
        One session of each subject.
    ages : sequence of str or None, optional
        Age of each value's subject; subjects without are left out and named.

    Returns
    -------
    Study
        Of `NormalRange`.

    Raises
    ------
    InputError
        If no region has enough subjects, or an age is no number.
    """
    notes = list(observations.notes)
    if ages is not None:
        unknown = dict.fromkeys(one for one, age in zip(observations.subjects, ages, strict=True) if age is None)
        if unknown:
            notes.append(f"Left out, as the tables do not say their age: {listed(unknown)}.")
        numbers_of("Age", [age for age in ages if age is not None])
    answers = {}
    for region in observations.region_names:
        places = [
            n for n, one in enumerate(observations.regions) if one == region and (ages is None or ages[n] is not None)
        ]
        own = None if ages is None else numbers_of("Age", [ages[place] for place in places])
        answers[region] = partial(normal_range, observations.values[places], own, region=region)
    results, told = of_regions(answers)
    notes += [*told, *(note for result in results for note in _remarks(result))]
    fewest = min(len(one.values) for one in results)
    if fewest < _ENOUGH:
        notes.append(
            f"The ranges are of {fewest} subjects; {_ENOUGH} are asked for (CLSI EP28), so give the limits with their "
            "intervals."
        )
    return Study(tuple(results), tuple(notes))


def _remarks(result):
    if result.shapiro_p < SIGNIFICANT:
        instead = "a line over age does not mend that" if result.trend else "take the percentiles"
        yield (
            f"{result.region}: values are not normal (p {result.shapiro_p:.2g}), so that mean ± 1.96 SD does not hold "
            f"95 of 100; {instead}."
        )
    if result.trend and len(result.values) > LEAST_SUBJECTS + 1:
        p = _bend(result)
        if p < SIGNIFICANT:
            yield f"{result.region}: the trend over age is bent (p {p:.2g}), so that the straight line does not fit."


def _bend(result):
    """Probability that the square of age adds nothing to the line."""
    away = result.ages - result.trend.mean_age
    line = np.column_stack([np.ones_like(away), away])
    square = away**2 - line @ np.linalg.lstsq(line, away**2, rcond=None)[0]
    if square @ square <= 1e-18 * (away**2) @ (away**2):
        return 1.0  # of two ages no bend is told
    left = result.values - result.at(result.ages)[0]
    bend = float(square @ left / (square @ square))
    after = left - bend * square
    free = result.free - 1
    error = np.sqrt(after @ after / free / (square @ square))
    return t_probability(bend, error, free)


def _percentile(ordered, share):
    """Percentile and the interval between two ranks that holds it with at least 95 %."""
    n = len(ordered)
    low = int(scipy.stats.binom.ppf(TAIL, n, share))
    high = int(scipy.stats.binom.ppf(1 - TAIL, n, share)) + 1
    known = low >= 1 and high <= n
    interval = (float(ordered[low - 1]), float(ordered[high - 1])) if known else None
    return float(np.quantile(ordered, share)), interval


METHODS = (
    Method(
        normal_range,
        title="Normal range",
        solves="mean (or line over age) ± 1.96 SD with exact intervals; percentiles with those of ranks",
        test="test_analysis_studies.RangeTest",
        reference="Royston, Stat Med 1991, doi 10.1002/sim.4780100502",
    ),
)
