"""Repeatability: how far values of a subject that did not change differ from one measurement to the next."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy

from ...errors import InputError
from ...methods import Method
from ..inference import (
    NORMAL,
    SIGNIFICANT,
    TAIL,
    Interval,
    is_constant,
    limit_interval,
    root_mean_square,
    scaled,
    sd_factors,
    t_interval,
)
from ..observations import Observations, in_order, repeated
from .study import COEFFICIENT, LEAST_SUBJECTS, Study, checked, limits, of_regions, with_unit

# Units of quantities whose zero is a convention: a spread in percent of the mean depends on it.
_NO_ZERO = ("ppm", "Hz", "HU")
# Of so many degrees of freedom a standard deviation is known to about a quarter.
_ENOUGH_FREE = 35


@dataclass(frozen=True)
class Agreement:
    """Differences of two measurements (second − first) of the same subjects, as Bland and Altman look at them.

    `bias` is the mean difference, `lower` and `upper` are the limits of agreement, bias ± 1.96 SD, each with its 95 %
    confidence interval. `trend_p` is the probability that differences do not grow or fall with the mean.
    """

    sd: float
    bias: float
    bias_ci: Interval
    lower: float
    lower_ci: Interval
    upper: float
    upper_ci: Interval
    trend_p: float


@dataclass(frozen=True)
class Repeatability:
    """How repeatable a quantity is in one region.

    Parameters
    ----------
    region : str
    values : (n, k) array
        One row a subject, one column a session.
    mean : float
    icc_agreement, icc_consistency : float
        ICC(2,1), of single measurements at any session, and ICC(3,1), for which a shift between sessions does not
        count, each with its interval (None where subjects, or sessions but for such a shift, do not differ at all).
    within_sd, between_sd : float
        Standard deviation within subjects, shifts between sessions included, and between them.
    within_cv : float, optional
        Standard deviation within subjects in percent of the subject's mean, root mean square over subjects; None where
        means have both signs.
    coefficient : float
        Repeatability coefficient, 1.96 · √2 · `within_sd`: two measurements differ by less in 95 of 100 times.
    noise : float, optional
        Standard error by noise that the tables give, root mean square: the part of `within_sd` that the scan's noise
        explains.
    agreement : Agreement, optional
        Of two sessions.
    """

    region: str
    values: np.ndarray
    mean: float
    icc_agreement: float
    icc_agreement_ci: Interval | None
    icc_consistency: float
    icc_consistency_ci: Interval | None
    within_sd: float
    within_sd_ci: Interval
    between_sd: float
    within_cv: float | None
    coefficient: float
    coefficient_ci: Interval
    noise: float | None
    agreement: Agreement | None

    @property
    def subjects(self) -> int:
        """How many subjects."""
        return len(self.values)

    @property
    def sessions(self) -> int:
        """How many sessions of each."""
        return self.values.shape[1]

    def as_rows(self, unit: str) -> list[dict]:
        """Return the row of a table."""
        row = {
            "region": self.region,
            "subjects": self.subjects,
            "sessions": self.sessions,
            with_unit("mean", unit): self.mean,
            "icc_2_1": self.icc_agreement,
            **limits("icc_2_1", self.icc_agreement_ci),
            "icc_3_1": self.icc_consistency,
            **limits("icc_3_1", self.icc_consistency_ci),
            with_unit("within_sd", unit): self.within_sd,
            **limits("within_sd", self.within_sd_ci, unit),
            with_unit("between_sd", unit): self.between_sd,
            "within_cv [%]": self.within_cv,
            with_unit(COEFFICIENT, unit): self.coefficient,
            **limits(COEFFICIENT, self.coefficient_ci, unit),
            with_unit("noise_se", unit): self.noise,
        }
        for name, own in (("bias", "bias"), ("lower_limit", "lower"), ("upper_limit", "upper")):
            row[with_unit(name, unit)] = self.agreement and getattr(self.agreement, own)
            row |= limits(name, self.agreement and getattr(self.agreement, f"{own}_ci"), unit)
        return [row]


def repeatability(values: np.ndarray, errors: np.ndarray | None = None, *, region: str = "") -> Repeatability:
    """Return how repeatable measurements are.

    Parameters
    ----------
    values : (n, k) array
        One row a subject, one column a session; at least three subjects and two sessions.
    errors : (n, k) array, optional
        Standard errors by noise.
    region : str
        Name of the result.

    Raises
    ------
    InputError
        If there are too few subjects or sessions, a value is not finite, or all are the same.

    References
    ----------
    Shrout and Fleiss, Psychol Bull 1979, doi 10.1037/0033-2909.86.2.420 (ICC); McGraw and Wong, Psychol Methods 1996,
    doi 10.1037/1082-989X.1.1.30 (their intervals); Bland and Altman, Lancet 1986, doi 10.1016/S0140-6736(86)90837-8,
    and Stat Methods Med Res 1999, doi 10.1177/096228029900800204.
    """
    values = checked(values, f"The repeatability in {region or 'a region'} is")
    if values.ndim != 2 or values.shape[1] < 2:
        raise InputError("Repeatability needs two sessions of each subject; there is one.")
    if is_constant(values):
        raise InputError(f"All values in {region or 'the region'} are the same, {values.flat[0]:.4g}; check the table.")
    n, k = values.shape
    means = values.mean(axis=1)
    free = n * (k - 1)
    within = float(np.sqrt(((values - means[:, None]) ** 2).sum() / free))
    between = float(np.sqrt(max(means.var(ddof=1) - within**2 / k, 0)))
    agreement, agreement_ci, consistency, consistency_ci = _intraclass(values)
    factors = sd_factors(free)
    coefficient = NORMAL * np.sqrt(2) * within
    one_sign = np.all(means > 0) or np.all(means < 0)
    return Repeatability(
        region=region,
        values=values,
        mean=float(values.mean()),
        icc_agreement=agreement,
        icc_agreement_ci=agreement_ci,
        icc_consistency=consistency,
        icc_consistency_ci=consistency_ci,
        within_sd=within,
        within_sd_ci=scaled(factors, within),
        between_sd=between,
        within_cv=float(100 * np.sqrt(np.mean(values.var(axis=1, ddof=1) / means**2))) if one_sign else None,
        coefficient=float(coefficient),
        coefficient_ci=scaled(factors, coefficient),
        noise=None if errors is None else root_mean_square(np.asarray(errors, np.float64)),
        agreement=_agreement(*values.T) if k == 2 else None,
    )


def repeatability_of_regions(observations: Observations, sessions: Sequence[str] | None = None) -> Study:
    """Return the repeatability in every region.

    Parameters
    ----------
    observations : Observations
    sessions : sequence of str, optional
        Those that are compared, two or more; by default all. Subjects that lack one are left out and named.

    Returns
    -------
    Study
        Of `Repeatability`.

    Raises
    ------
    InputError
        If there are fewer than two sessions, or three subjects in no region.
    """
    sessions, order = in_order(observations, sessions, "The bias")
    if len(sessions) < 2:
        raise InputError(
            "Repeatability needs two sessions of each subject, such as the cases sub-01_ses-1 and sub-01_ses-2; "
            f"there is {'one, ' + sessions[0] if sessions[0] else 'none'}."
        )
    found, notes = repeated(observations, sessions, LEAST_SUBJECTS)
    answers = {region: partial(repeatability, own.values, own.errors, region=region) for region, own in found.items()}
    results, told = of_regions(answers)
    notes = [*order, *notes, *told]
    notes += [note for result in results for note in _remarks(result)]
    fewest = min(len(result.values) for result in results)
    if (free := fewest * (len(sessions) - 1)) < _ENOUGH_FREE:
        low, high = sd_factors(free)
        notes.append(
            f"With {fewest} subjects the repeatability coefficient is known to between {100 * (low - 1):.0f} and "
            f"+{100 * (high - 1):.0f} %."
        )
    if observations.unit in _NO_ZERO:
        notes.append(
            f"The zero of {observations.name} is a convention: the coefficient of variation depends on it, so report "
            f"the standard deviation in {observations.unit}."
        )
    if len(sessions) > 2:
        notes.append("Bland and Altman's limits compare two sessions; choose two by `sessions`.")
    return Study(tuple(results), tuple(notes))


def _remarks(result):
    """What a result does not tell well."""
    if result.icc_agreement_ci is None:
        yield f"{result.region}: subjects, or sessions but for a shift, do not differ at all; check the table."
    elif 2 * (copied := np.count_nonzero(np.ptp(result.values, axis=1) == 0)) >= len(result.values):
        yield (
            f"{result.region}: {copied} of {len(result.values)} subjects have the very same value in all sessions, as "
            "where one was copied; check the table."
        )
    if result.agreement and result.agreement.trend_p < SIGNIFICANT:
        yield (
            f"{result.region}: differences change with the mean (p {result.agreement.trend_p:.2g}), so that one pair "
            "of limits does not fit all subjects."
        )


def _agreement(first, second):
    differences, means = second - first, (first + second) / 2
    n, bias, sd = len(differences), float(differences.mean()), float(differences.std(ddof=1))
    varies = not is_constant(means) and not is_constant(differences)
    return Agreement(
        sd=sd,
        bias=bias,
        bias_ci=t_interval(bias, sd / np.sqrt(n), n - 1),
        lower=bias - NORMAL * sd,
        lower_ci=limit_interval(bias, sd, n - 1, 1 / n, -1),
        upper=bias + NORMAL * sd,
        upper_ci=limit_interval(bias, sd, n - 1, 1 / n, 1),
        trend_p=float(scipy.stats.linregress(means, differences).pvalue) if varies else 1.0,
    )


def _intraclass(values):
    """ICC(2,1) and ICC(3,1) with their intervals, from the mean squares of subjects, sessions and what is left."""
    n, k = values.shape
    rows, columns = values.mean(axis=1), values.mean(axis=0)
    left = values - rows[:, None] - columns + values.mean()
    of_rows, of_columns = float(k * rows.var(ddof=1)), float(n * columns.var(ddof=1))
    of_left = float((left**2).sum() / ((n - 1) * (k - 1)))
    agreement = (of_rows - of_left) / (of_rows + (k - 1) * of_left + k * (of_columns - of_left) / n)
    consistency = (of_rows - of_left) / (of_rows + (k - 1) * of_left)
    if min(of_left, of_rows) <= 1e-24 * max(of_left, of_rows):
        return agreement, None, consistency, None
    return (
        agreement,
        _agreement_interval(n, k, of_rows, of_columns, of_left, agreement),
        consistency,
        _consistency_interval(n, k, of_rows / of_left),
    )


def _consistency_interval(n, k, ratio):
    """Interval of ICC(3,1), from the ratio of mean squares of subjects and what is left."""
    free = (n - 1) * (k - 1)
    low, high = ratio / scipy.stats.f.ppf(1 - TAIL, n - 1, free), ratio * scipy.stats.f.ppf(1 - TAIL, free, n - 1)
    return float((low - 1) / (low + k - 1)), float((high - 1) / (high + k - 1))


def _agreement_interval(n, k, of_rows, of_columns, of_left, agreement):
    """Interval of ICC(2,1), with Satterthwaite's degrees of freedom for sessions and what is left together."""
    sessions, spread = k * agreement * of_columns / of_left, n * (1 + (k - 1) * agreement) - k * agreement
    free = (n - 1) * (k - 1) * (sessions + spread) ** 2 / ((n - 1) * sessions**2 + spread**2)
    # Of next to no freedom the first is infinite.
    upper, lower = scipy.stats.f.ppf(1 - TAIL, n - 1, free), scipy.stats.f.ppf(1 - TAIL, free, n - 1)
    both = k * of_columns + (k * n - k - n) * of_left
    low = n * (of_rows / upper - of_left) / (both + n * of_rows / upper)
    high = n * (lower * of_rows - of_left) / (both + n * lower * of_rows)
    # The approximation may miss an estimate that is negative.
    return float(min(low, agreement)), float(max(high, agreement))


METHODS = (
    Method(
        repeatability,
        title="Repeatability",
        solves="ICC(2,1), ICC(3,1), SD within subjects, 1.96 √2 of it, limits of agreement",
        test="test_analysis_studies.RepeatabilityTest",
        reference="Shrout and Fleiss, Psychol Bull 1979, doi 10.1037/0033-2909.86.2.420; Bland and Altman, Lancet "
        "1986, doi 10.1016/S0140-6736(86)90837-8; Carkeet, Optom Vis Sci 2015, doi 10.1097/OPX.0000000000000513",
    ),
)
