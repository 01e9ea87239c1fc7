"""Change from one session to another: of the subjects together, and of each against what it must exceed to be seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from ...errors import InputError, listed
from ...methods import Method
from ..inference import NORMAL, TAIL, Interval, is_constant, t_interval, t_probability
from ..observations import Observations, as_numbers, in_order, repeated
from ..tables import Table, cell_text
from .study import COEFFICIENT, LEAST_SUBJECTS, Study, checked, limits, of_regions, with_holm, with_unit


@dataclass(frozen=True)
class Change:
    """Change of one region, second − first session.

    Parameters
    ----------
    region : str
    subjects : tuple of n str
    first, second : (n,) array
    detectable : (n,) array
        What a subject's change must exceed to be more than chance (95 %); not-a-number where it is not known.
    mean : float
        Mean change, with `ci`, its interval, and `p`, the two-sided probability of none (paired t test).
    sd : float
        Of the changes; `effect` is the mean change over it (Cohen's d of pairs).
    p_holm : float
        `p` corrected for the number of regions.
    """

    region: str
    subjects: tuple[str, ...]
    first: np.ndarray
    second: np.ndarray
    detectable: np.ndarray
    mean: float
    ci: Interval
    sd: float
    effect: float
    p: float
    p_holm: float

    @property
    def changes(self) -> np.ndarray:
        """Change of each subject."""
        return self.second - self.first

    def seen(self, sign: int) -> int | None:
        """Return how many subjects rise (1) or fall (−1) by more than is detectable; None where that is not known."""
        if np.all(np.isnan(self.detectable)):
            return None
        return int(np.count_nonzero(sign * self.changes > self.detectable))

    def as_rows(self, unit: str) -> list[dict]:
        """Return the row of a table."""
        row = {
            "region": self.region,
            "subjects": len(self.subjects),
            with_unit("first_mean", unit): float(self.first.mean()),
            with_unit("second_mean", unit): float(self.second.mean()),
            with_unit("change", unit): self.mean,
            **limits("change", self.ci, unit),
            with_unit("change_sd", unit): self.sd,
            "effect_size": self.effect,
            "p": self.p,
            "p_holm": self.p_holm,
            with_unit("detectable_in_one", unit): _middle(self.detectable),
            "subjects_rising": self.seen(1),
            "subjects_falling": self.seen(-1),
        }
        return [row]

    def subject_rows(self, unit: str) -> list[dict]:
        """Return a row for each subject."""
        return [
            {
                "subject": subject,
                "region": self.region,
                with_unit("first", unit): float(first),
                with_unit("second", unit): float(second),
                with_unit("change", unit): float(second - first),
                with_unit("detectable", unit): None if np.isnan(least) else float(least),
                "seen": "" if np.isnan(least) else "yes" if abs(second - first) > least else "no",
            }
            for subject, first, second, least in zip(
                self.subjects, self.first, self.second, self.detectable, strict=True
            )
        ]


def paired_change(
    first: np.ndarray,
    second: np.ndarray,
    *,
    detectable: np.ndarray | float | None = None,
    subjects: Sequence[str] = (),
    region: str = "",
) -> Change:
    """Return the change between two measurements of the same subjects.

    Parameters
    ----------
    first, second : (n,) array
        At least three subjects, whose changes differ.
    detectable : (n,) array or float, optional
        What a change must exceed; not-a-number where it is not known.
    subjects : sequence of n str, optional
    region : str

    Raises
    ------
    InputError
        If there are too few subjects, a value is not finite, or all change alike.
    """
    what = f"The change in {region or 'a region'} is"
    first, second = checked(first, what), checked(second, what)
    change = second - first
    n = len(change)
    if is_constant(change):
        where = region or "the region"
        raise InputError(f"All subjects change by the same in {where}, {change[0]:.4g}; check the table.")
    mean, sd = float(change.mean()), float(change.std(ddof=1))
    p = t_probability(mean, sd / np.sqrt(n), n - 1)
    return Change(
        region=region,
        subjects=tuple(subjects) or tuple(str(number) for number in range(1, n + 1)),
        first=first,
        second=second,
        detectable=np.broadcast_to(np.asarray(np.nan if detectable is None else detectable, np.float64), n),
        mean=mean,
        ci=t_interval(mean, sd / np.sqrt(n), n - 1),
        sd=sd,
        effect=mean / sd,
        p=p,
        p_holm=p,
    )


def change_of_regions(
    observations: Observations,
    sessions: Sequence[str] | None = None,
    coefficients: Mapping[str, float] | None = None,
) -> Study:
    """Return the change in every region.

    Parameters
    ----------
    observations : Observations
    sessions : (str, str), optional
        First and second; not needed where there are two. Subjects that lack one are left out and named.
    coefficients : mapping of region to float, optional
        Repeatability coefficients, which a subject's change must exceed. Without them it must exceed 1.96 standard
        errors of the difference by noise, ``√(se₁² + se₂²)``.

    Returns
    -------
    Study
        Of `Change`.

    Raises
    ------
    InputError
        If there are not two sessions, three subjects in no region, or no coefficient of a region.
    """
    sessions, order = in_order(observations, sessions, "The change")
    if len(sessions) != 2:
        there = ", ".join(filter(None, observations.session_names)) or "none"
        raise InputError(f"A change is between two sessions; name first and second by `sessions`: there are {there}.")
    found, notes = repeated(observations, sessions, LEAST_SUBJECTS)
    answers = {}
    for region, own in found.items():
        least = NORMAL * np.hypot(*own.errors.T) if coefficients is None else _coefficient(coefficients, region)
        names = {"subjects": own.subjects, "region": region}
        answers[region] = partial(paired_change, *own.values.T, detectable=least, **names)
    results, told = of_regions(answers)
    notes += told
    return Study(with_holm(results), (*order, *notes, *_remarks(results, coefficients)))


def _remarks(results, coefficients):
    unknown = [one.region for one in results if np.any(np.isnan(one.detectable))]
    if unknown:
        yield (
            f"Standard errors are missing in {listed(unknown)}, so that not every subject's change can be judged; give "
            "repeatability coefficients by `repeatability`."
        )
    judged = sum(int(np.count_nonzero(~np.isnan(one.detectable))) for one in results)
    if coefficients is None and judged:
        yield (
            "A subject's change is judged against the scan's noise alone, not against laying down and drawing regions "
            "again; give repeatability coefficients by `repeatability`."
        )
    if judged:
        seen = sum((one.seen(1) or 0) + (one.seen(-1) or 0) for one in results)
        chance = 2 * TAIL * judged
        yield f"{seen} of {judged} changes of a subject exceed what is detectable; {chance:.1f} would by chance."


def coefficients_of(table: Table, observations: Observations) -> dict[str, float]:
    """Return the repeatability coefficient of each region, from a table that `repeatability_of_regions` gave.

    Raises
    ------
    InputError
        If the table holds none of this quantity and unit, or one that is no number.
    """
    column = with_unit(COEFFICIENT, observations.unit)
    if not {"region", column} <= set(table.columns):
        raise InputError(
            f"{table.name} has no columns region and {column}; give the table of repeatability of {observations.label}."
        )
    own = [row for row in table.rows if row.get("quantity", observations.name) == observations.name]
    if not own:
        raise InputError(f"{table.name} holds the repeatability of other quantities than {observations.name}.")
    found = {cell_text(row["region"]): as_numbers([row[column]]) for row in own}
    for region, number in found.items():
        if number is None or number[0] < 0:
            raise InputError(f"{table.name} has no number of {column} for {region}; repeat the statistics.")
    return {region: float(number[0]) for region, number in found.items()}


def _coefficient(coefficients, region):
    if region not in coefficients:
        raise InputError(
            f"There is no repeatability coefficient of {region}; there are those of {listed(coefficients) or 'none'}."
        )
    return coefficients[region]


def _middle(values):
    known = values[~np.isnan(values)]
    return float(np.median(known)) if known.size else None


METHODS = (
    Method(
        paired_change,
        title="Change between sessions",
        solves="mean of second − first, Student's t; each against 1.96 √(se₁² + se₂²) or the repeatability coefficient",
        test="test_analysis_studies.ChangeTest",
    ),
)
