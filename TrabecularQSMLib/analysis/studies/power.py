"""How many subjects a study needs, or what it can detect: exact for Student's t, from what was measured in others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from ...errors import InputError, counted
from ...methods import Method
from ..inference import Interval, is_constant, root_mean_square, scaled, sd_factors
from ..observations import Observations, one_session, repeated
from .design import ALPHA, CHANGE, DESIGNS, GROUPS, POWER
from .study import LEAST_SUBJECTS, Study, limits, with_unit

# More subjects than these nobody scans.
_MOST = 1_000_000
# One-sided level at which a pilot's SD is at most its upper limit (Browne, doi 10.1002/sim.4780141709).
_SAFE = 0.8


@dataclass(frozen=True)
class Plan:
    """What a study of one region needs.

    Parameters
    ----------
    region, design : str
    pilot : int
        Subjects from whom `sd` is known.
    sd : float
        Of a value between subjects, or of a change; with `sd_ci`, its interval, None where noise alone gives it.
    noise : float, optional
        What of `sd` the scan's noise makes, from standard errors.
    alpha, power : float
    difference : float, optional
        To be detected, with `needed`, the subjects (of each group) for it, and `needed_safely`, those for the upper
        limit of `sd` that holds in 80 of 100 pilots.
    subjects : int, optional
        That can be had (of each group), with `detectable`, the difference that these detect.
    """

    region: str
    design: str
    pilot: int
    sd: float
    sd_ci: Interval | None
    noise: float | None
    alpha: float
    power: float
    difference: float | None
    needed: int | None
    needed_safely: int | None
    subjects: int | None
    detectable: float | None

    def as_rows(self, unit: str) -> list[dict]:
        """Return the row of a table."""
        of = "each_group" if self.design == GROUPS else "subjects"
        row = {
            "region": self.region,
            "design": self.design,
            "pilot_subjects": self.pilot,
            with_unit("sd", unit): self.sd,
            **limits("sd", self.sd_ci, unit),
            with_unit("noise_sd", unit): self.noise,
            "alpha": self.alpha,
            "power": self.power,
            with_unit("difference", unit): self.difference,
            f"n_{of}": self.needed,
            f"n_{of}_safe": self.needed_safely,
            f"n_{of}_given": self.subjects,
            with_unit("detectable_difference", unit): self.detectable,
        }
        return [row]


def power_of(effect: float, subjects: int, *, design: str = GROUPS, alpha: float = ALPHA) -> float:
    """Return the probability that a two-sided t test finds a difference.

    Parameters
    ----------
    effect : float
        Difference over the standard deviation, of values (`design` "groups") or of changes ("change").
    subjects : int
        Two and more, of each group or in all.
    design : {"groups", "change"}
    alpha : float
        Level of the test.

    References
    ----------
    Student's t off its center: Johnson and Welch, Biometrika 1940, doi 10.1093/biomet/31.3-4.362.
    """
    groups = design == GROUPS
    free = 2 * (subjects - 1) if groups else subjects - 1
    center = abs(effect) * np.sqrt(subjects / 2 if groups else subjects)
    least = scipy.stats.t.ppf(1 - alpha / 2, free)
    # scipy's are not numbers far off, where the upper tail is next to all and the lower next to nothing.
    upper, lower = scipy.stats.nct.sf(least, free, center), scipy.stats.nct.cdf(-least, free, center)
    return float(np.nan_to_num(upper, nan=1.0) + np.nan_to_num(lower, nan=0.0))


def subjects_needed(effect: float, *, design: str = GROUPS, power: float = POWER, alpha: float = ALPHA) -> int:
    """Return the least number of subjects (of each group) with which a difference is found with `power`.

    `effect` is as of `power_of`. `InputError` if it is zero, or so small that nobody could measure enough subjects.
    """
    few, many = 2, 2
    while power_of(effect, many, design=design, alpha=alpha) < power:
        few, many = many, 2 * many
        if many > _MOST:
            raise InputError(
                f"A difference of {abs(effect):.2g} standard deviations needs more than {_MOST:,} subjects; "
                "give a larger one."
            )
    while few < many:
        middle = (few + many) // 2
        enough = power_of(effect, middle, design=design, alpha=alpha) >= power
        few, many = (few, middle) if enough else (middle + 1, many)
    return many


def detectable_effect(subjects: int, *, design: str = GROUPS, power: float = POWER, alpha: float = ALPHA) -> float:
    """Return the difference, over the standard deviation, that so many subjects (of each group) find with `power`.

    `InputError` for fewer than two.
    """
    if subjects < 2:
        raise InputError(f"{subjects} subject cannot tell a spread; give two or more.")

    def lacking(effect):
        return power_of(effect, subjects, design=design, alpha=alpha) - power

    far = 1.0
    while lacking(far) < 0:
        far *= 2
    return float(scipy.optimize.brentq(lacking, 0, far, xtol=1e-9))


def plan(
    observations: Observations,
    *,
    design: str = GROUPS,
    difference: float | None = None,
    subjects: int | None = None,
    power: float = POWER,
    alpha: float = ALPHA,
    sessions: Sequence[str] | None = None,
) -> Study:
    """Return what a planned study needs in every region, from the spread that was measured.

    Parameters
    ----------
    observations : Observations
        Of a pilot: one session of each subject for `design` "groups". For "change" two, whose changes give the spread;
        where there is one, the noise of two sessions does, and a note says what is missing in it.
    design : {"groups", "change"}
    difference : float, optional
        To be detected, in the unit of the quantity.
    subjects : int, optional
        That can be had, of each group or in all.
    power, alpha : float
        Probability to find what is there, and to find what is not.
    sessions : sequence of str, optional

    Returns
    -------
    Study
        Of `Plan`.

    Raises
    ------
    InputError
        If neither `difference` nor `subjects` is given, a number is out of its range, or the spread is not known.
    """
    _check_plan(design, difference, subjects, power, alpha)
    notes, spreads = _spreads(observations, design, sessions)
    ways = {"design": design, "power": power, "alpha": alpha}
    plans = []
    for region, (pilot, sd, noise, free) in spreads.items():
        # Standard errors rest on the noise of so many voxels that their own error does not count.
        upper = None if free is None else sd * np.sqrt(free / scipy.stats.chi2.ppf(1 - _SAFE, free))
        plans.append(
            Plan(
                region=region,
                pilot=pilot,
                sd=sd,
                sd_ci=None if free is None else scaled(sd_factors(free), sd),
                noise=noise,
                difference=difference,
                needed=None if difference is None else subjects_needed(difference / sd, **ways),
                needed_safely=None if None in (difference, upper) else subjects_needed(difference / upper, **ways),
                subjects=subjects,
                detectable=None if subjects is None else detectable_effect(subjects, **ways) * sd,
                **ways,
            )
        )
        if noise is not None and free is not None and noise >= sd:
            notes.append(f"{region}: noise ({noise:.3g}) explains all of the spread ({sd:.3g}).")
    if len(plans) > 1:
        notes.append(
            f"Each region is planned for alone; to test all {len(plans)} in one study, give an alpha of "
            f"{alpha:g} / {len(plans)} = {alpha / len(plans):.2g}."
        )
    return Study(tuple(plans), tuple(notes))


def _check_plan(design, difference, subjects, power, alpha):
    if design not in DESIGNS:
        raise InputError(f"The design is {design!r}; expected one of {', '.join(DESIGNS)}.")
    if difference is None and subjects is None:
        raise InputError("Give a `difference` to detect, the number of `subjects`, or both.")
    if difference is not None and not (np.isfinite(difference) and difference != 0):
        raise InputError(f"The difference is {difference:g}; give one that is not zero.")
    for name, value, low, high in (("alpha", alpha, 0, 1), ("power", power, alpha, 1)):
        if not low < value < high:
            raise InputError(f"The {name} is {value:g}; expected between {low:g} and {high:g}, without these.")


def _spreads(observations, design, sessions):
    """Notes, and of each region subjects, standard deviation, its part by noise, degrees of freedom."""
    sessions = list(sessions or observations.session_names)
    if design == CHANGE and len(sessions) > 2:
        raise InputError(f"There are the sessions {', '.join(sessions)}; choose two by `sessions`.")
    if design == CHANGE and len(sessions) == 2:
        both, notes = repeated(observations, sessions, LEAST_SUBJECTS)
        samples = {name: (own.values @ (-1, 1), np.hypot(*own.errors.T)) for name, own in both.items()}
        return notes, _spread_of(samples, notes)
    observations = one_session(observations, sessions)
    notes, alone = list(observations.notes), map(observations.of_region, observations.region_names)
    if design == CHANGE:
        return notes, _noise_of(alone, notes)
    return notes, _spread_of({own.regions[0]: (own.values, own.errors) for own in alone}, notes)


def _spread_of(samples, notes):
    """Spread of what was measured: values, or changes, and the noise of each."""
    found = {}
    for region, (values, errors) in samples.items():
        n = len(values)
        if n < LEAST_SUBJECTS or is_constant(values):
            notes.append(f"{region} was left out: {counted(n, 'subject')}, whose spread cannot be told.")
            continue
        found[region] = (n, float(values.std(ddof=1)), root_mean_square(errors), n - 1)
    if not found:
        raise InputError("No region has three subjects whose values differ; add some, or choose other sessions.")
    return found


def _noise_of(alone, notes):
    """Spread of a change that noise makes, where nobody was measured twice."""
    found = {}
    for own in alone:
        noise = np.sqrt(2) * (root_mean_square(own.errors) or 0)
        if noise == 0:
            notes.append(f"{own.regions[0]} was left out: it has no standard errors.")
            continue
        found[own.regions[0]] = (len(own.values), float(noise), float(noise), None)
    if not found:
        raise InputError(
            "A change needs subjects who were measured twice, or standard errors of their values; the tables have "
            "neither (for χ: reconstruct with the standard deviation of χ)."
        )
    notes.append(
        "Nobody was measured twice: the spread of a change is that of the scan's noise alone, so these numbers of "
        "subjects are the least that can be; laying down again and how subjects differ in their change come on top."
    )
    return found


METHODS = (
    Method(
        subjects_needed,
        title="Power",
        solves="least n with P(|t| > t_α) ≥ power, t of n off its center",
        test="test_analysis_studies.PowerTest",
        reference="Johnson and Welch, Biometrika 1940, doi 10.1093/biomet/31.3-4.362",
    ),
)
