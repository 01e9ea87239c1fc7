"""Straight lines between two quantities of regions, and beside the pooled one what the structure of the data asks for.

Regions of one subject are not independent, and regions differ in more than bone density: a pooled line mixes
differences between regions with differences between subjects. Hence the same line within each region, one slope within
all regions, a line between the differences of two regions of the same subject, and one with an intercept of each
subject's own.
"""

import warnings as python_warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import InputError, listed
from ..methods import Method
from .inference import SIGNIFICANT, Interval, is_constant, t_interval, t_probability
from .line import Estimate, Line, cooks_distance, fit_line
from .oddities import far_off, spelled_alike, two_units
from .tables import Pairs

# Fewer subjects than these cannot speak for others.
_FEW_SUBJECTS = 5
# More colors than these are not told apart in a picture.
_MOST_SERIES = 12
_MIXED_NEEDS = "The mixed model needs statsmodels and was left out; install it with: pip install statsmodels"


@dataclass(frozen=True)
class CommonSlope(Estimate):
    """Slope that all groups have in common, each with an intercept of its own (analysis of covariance).

    `p` and `slope_ci` as of `Line`; `groups` is the number of groups.
    """

    n: int
    groups: int
    slope: float
    slope_se: float
    slope_ci: Interval
    p: float


@dataclass(frozen=True)
class Paired:
    """Line through the differences of two groups (first − second) of the same subjects, and the mean differences."""

    groups: tuple[str, str]
    line: Line
    x_difference: float
    y_difference: float

    def as_dict(self) -> dict:
        """Return the numbers that are written to files."""
        means = {"mean_x_difference": self.x_difference, "mean_y_difference": self.y_difference}
        return {"groups": list(self.groups), **self.line.as_dict(), **means}


@dataclass(frozen=True)
class Mixed(Estimate):
    """Line with a random intercept of each subject, by restricted maximum likelihood.

    `subject_sd` and `residual_sd` are the standard deviations between and within subjects, in the unit of y. `p` and
    `slope_ci` are of Student's t with `degrees_of_freedom`, the number of subjects less two.
    """

    n: int
    subjects: int
    degrees_of_freedom: int
    slope: float
    intercept: float
    slope_se: float
    slope_ci: Interval
    p: float
    subject_sd: float
    residual_sd: float
    converged: bool


@dataclass(frozen=True)
class Regression:
    """Pooled line and what belongs beside it; `warnings` are sentences for the user.

    `common` is the slope within all groups, `mixed_within` the mixed model with an intercept of each group too.
    """

    pooled: Line
    within: dict[str, Line]
    common: CommonSlope | None
    paired: Paired | None
    mixed: Mixed | None
    mixed_within: Mixed | None
    per_subject: dict[str, Line]
    cooks_distance: np.ndarray
    warnings: tuple[str, ...]

    def as_dict(self) -> dict:
        """Return the result as it is written to JSON."""
        return {
            "pooled": self.pooled.as_dict(),
            "within": {name: line.as_dict() for name, line in self.within.items()},
            "common_within": self.common and self.common.as_dict(),
            "paired": self.paired and self.paired.as_dict(),
            "mixed": self.mixed and self.mixed.as_dict(),
            "mixed_within": self.mixed_within and self.mixed_within.as_dict(),
            "per_subject": {name: line.as_dict() for name, line in self.per_subject.items()},
            "cooks_distance": self.cooks_distance.tolist(),
            "warnings": list(self.warnings),
        }

    def series(self, groups: Sequence[str] | None, subjects: Sequence[str] | None) -> tuple[tuple[str, ...], dict]:
        """Return as what each row is shown in a picture, and the lines of these by name.

        By group; by subject where there are too many groups for colors, such as parts of a region; else all as one.
        """
        if groups is not None and 1 < len(set(groups)) <= _MOST_SERIES:
            return tuple(groups), self.within
        if self.per_subject and len(set(subjects)) <= _MOST_SERIES:
            return tuple(subjects), self.per_subject
        return ("",) * self.pooled.n, {}


def regress_pairs(pairs: Pairs, *, pair: tuple[str, str] | None = None) -> Regression:
    """Return what `regress` tells of pairs from tables, with what is to be said of whose they are."""
    found = regress(pairs.x, pairs.y, groups=pairs.groups, subjects=pairs.subjects, pair=pair)
    return replace(found, warnings=(*pairs.notes, *found.warnings))


def regress(
    x: np.ndarray,
    y: np.ndarray,
    *,
    groups: Sequence[str] | None = None,
    subjects: Sequence[str] | None = None,
    pair: tuple[str, str] | None = None,
) -> Regression:
    """Regress y on x, pooled as the paper does and as groups and subjects ask for.

    Parameters
    ----------
    x, y : (n,) array
        One pair for each row of a table.
    groups : sequence of n str, optional
        What each row is of, such as its region.
    subjects : sequence of n str, optional
        Whose each row is.
    pair : (str, str), optional
        The two groups whose differences are regressed; needed where there are more than two.

    Returns
    -------
    Regression
        `within` holds the groups that have three rows and more, `per_subject` such subjects. `paired` and `mixed` are
        None where they cannot be had, and `warnings` say why. So is `mixed_within`, and with fewer than three rows to a
        group, where intercepts of groups would leave too little.

    Raises
    ------
    InputError
        If there are fewer than three pairs, a value is not finite, x does not vary, or `pair` names unknown groups.
    """
    x, y = (np.asarray(values, dtype=np.float64).ravel() for values in (x, y))
    pooled = fit_line(x, y, "The regression")
    notes: list[str] = []
    groups = None if groups is None else np.array([str(group) for group in groups])
    subjects = None if subjects is None else np.array([str(subject) for subject in subjects])
    _on_names(groups, "groups", notes)
    _on_names(subjects, "subjects", notes)
    _on_values(x, y, groups, subjects, notes)
    within = _lines(x, y, groups, "group", notes)
    per_subject: dict[str, Line] = {}
    paired = mixed = mixed_within = None
    names = _ordered(groups)
    common = _common(x, y, groups, names)
    if pair is not None and (len(set(pair)) != 2 or not set(pair) <= set(names)):
        raise InputError(f"The pair {' and '.join(pair)} is not two of the groups {', '.join(names) or 'none'}.")
    if subjects is not None:
        counts = {name: int((subjects == name).sum()) for name in _ordered(subjects)}
        if len(counts) == 1:
            notes.append(
                f"All {pooled.n} rows are of one subject, {subjects[0]}; subjects differ, so add more of them."
            )
        elif max(counts.values()) > 1:
            notes.append(
                f"{len(counts)} subjects give {pooled.n} rows; the pooled p value takes rows for independent, "
                "which those of one subject are not."
            )
            per_subject = _lines(x, y, subjects, "subject", [])
            mixed = _mixed(x, y, subjects, notes)
            if 1 < len(names) <= pooled.n // 3:
                # Its `converged` says what a note would; those of `mixed` stand already.
                mixed_within = mixed and _mixed(x, y, subjects, [], groups)
            if mixed and len(counts) < _FEW_SUBJECTS:
                notes.append(f"There are {len(counts)} subjects: p values and intervals speak of these, not of others.")
            if len(names) > 1:
                paired = _paired(x, y, groups, subjects, pair, names, notes)
    if common is not None and pooled.p < SIGNIFICANT:
        _compare(pooled, common, notes)
    return Regression(
        pooled, within, common, paired, mixed, mixed_within, per_subject, cooks_distance(x, y), tuple(notes)
    )


def _on_names(names, kind, notes):
    """Say which names are probably one."""
    for one, other in spelled_alike(_ordered(names)):
        notes.append(f"The {kind} {one} and {other} differ in spelling alone, and are taken for two.")


def _on_values(x, y, groups, subjects, notes):
    """Say which values lie far from all others, which decide the line alone."""
    for values, axis in ((x, "x"), (y, "y")):
        for place in far_off(values, groups):
            whose = ", ".join(str(names[place]) for names in (subjects, groups) if names is not None)
            notes.append(
                f"Row {place + 1}{f' ({whose})' if whose else ''} has {axis} {values[place]:g}, far from all others: "
                "check its unit, and whether it stands for no value."
            )
        if said := two_units(values, groups):
            notes.append(f"Of {axis}, {said}")


def _ordered(names):
    return [] if names is None else list(dict.fromkeys(names.tolist()))


def _lines(x, y, names, kind, notes):
    lines, without = {}, []
    for name in _ordered(names):
        chosen = names == name
        try:
            lines[name] = fit_line(x[chosen], y[chosen])
        except InputError:
            without.append(name)
    if without:
        kinds = kind if len(without) == 1 else f"{kind}s"
        notes.append(f"No line within the {kinds} {listed(without)}: fewer than three rows, or all with the same x.")
    return lines


def _common(x, y, groups, names):
    """One slope within all groups, by what each value differs from its group's mean."""
    free = x.size - len(names) - 1
    if len(names) < 2 or free < 1:
        return None
    dx, dy = x.copy(), y.copy()
    for name in names:
        chosen = groups == name
        dx[chosen] -= x[chosen].mean()
        dy[chosen] -= y[chosen].mean()
    spread = float(dx @ dx)
    if spread <= 1e-24 * float(x @ x):
        return None
    slope = float(dx @ dy) / spread
    residual = dy - slope * dx
    error = float(np.sqrt((residual @ residual) / free / spread))
    interval, p = t_interval(slope, error, free), t_probability(slope, error, free)
    return CommonSlope(int(x.size), len(names), slope, error, interval, p)


def _compare(pooled, common, notes):
    """Say what the slope within the groups has to do with the pooled one."""
    low, high = common.slope_ci
    within = f"{common.slope:.3g} ({low:.3g} to {high:.3g})"
    if not low <= pooled.slope <= high:
        notes.append(
            f"The pooled line rests on differences between the groups: its slope is {pooled.slope:.3g}, "
            f"that within the groups {within}."
        )
    elif common.p >= SIGNIFICANT:
        notes.append(
            f"The pooled line may rest on differences between the groups: the slope within them, {within}, "
            "is not told from zero."
        )


def _paired(x, y, groups, subjects, pair, names, notes):
    if pair is None and len(names) > 2:
        notes.append(f"There are {len(names)} groups; choose two of them as a pair to regress differences.")
        return None
    first, second = pair or names
    both = []
    for subject in _ordered(subjects):
        rows = [np.flatnonzero((subjects == subject) & (groups == name)) for name in (first, second)]
        if any(found.size > 1 for found in rows):
            notes.append(f"{subject} has several rows of one group, so that differences cannot be paired.")
            return None
        if all(found.size for found in rows):
            both.append((rows[0][0], rows[1][0]))
    here, there = np.array(both, dtype=int).reshape(-1, 2).T
    dx, dy = x[here] - x[there], y[here] - y[there]
    try:
        line = fit_line(dx, dy, f"The pair {first} and {second}")
    except InputError as error:
        notes.append(str(error))
        return None
    return Paired((first, second), line, float(dx.mean()), float(dy.mean()))


def _mixed(x, y, subjects, notes, groups=None):
    """Random intercept of each subject, and a fixed one of each group if there are groups, by statsmodels."""
    try:
        from statsmodels.regression.mixed_linear_model import MixedLM
    except ImportError:
        notes.append(f"{_MIXED_NEEDS}.")
        return None
    if len(set(subjects.tolist())) < 3:
        notes.append("There is no mixed model: it needs three subjects, so that anything is left to tell its error by.")
        return None
    if is_constant(y):
        notes.append("There is no mixed model: y is the same in all rows.")
        return None
    # In units of their spread, or the optimizer's tolerances would depend on the units.
    x_scale, y_scale = float(x.std()), float(y.std())
    design = np.column_stack([np.ones_like(x), (x - x.mean()) / x_scale])
    for name in _ordered(groups)[1:]:
        # Centered, so that the intercept stays that of all rows.
        design = np.column_stack([design, (groups == name) - np.mean(groups == name)])
    with python_warnings.catch_warnings():
        python_warnings.simplefilter("ignore")  # what it warns of is told below
        try:
            found = MixedLM((y - y.mean()) / y_scale, design, groups=subjects).fit(reml=True)
        except (np.linalg.LinAlgError, ValueError) as error:
            notes.append(f"The mixed model could not be fitted ({error}).")
            return None
        errors = found.bse_fe
    scale = y_scale / x_scale
    slope, error = float(found.fe_params[1] * scale), float(errors[1] * scale)
    variance = float(np.asarray(found.cov_re)[0, 0])
    if not (found.converged and np.isfinite(error)):
        notes.append("The mixed model did not converge; do not rely on it.")
        if not np.isfinite(error):
            return None
    elif variance < 1e-6:
        notes.append("The mixed model finds no difference between subjects beyond that within them.")
    # Subjects are what is independent. The normal distribution finds an effect where there is none in 13 % of trials
    # with five subjects; t with subjects − 2 (a line through them) is on the safe side of Satterthwaite's.
    free = len(set(subjects.tolist())) - 2
    return Mixed(
        n=int(x.size),
        subjects=free + 2,
        degrees_of_freedom=free,
        slope=slope,
        intercept=float(y.mean() + found.fe_params[0] * y_scale - slope * x.mean()),
        slope_se=error,
        slope_ci=t_interval(slope, error, free),
        p=t_probability(slope, error, free),
        subject_sd=float(np.sqrt(max(variance, 0.0)) * y_scale),
        residual_sd=float(np.sqrt(found.scale) * y_scale),
        converged=bool(found.converged),
    )


METHOD = Method(
    regress,
    title="Regression of regions",
    solves="lines: pooled, within groups, one slope for all groups, mixed model (REML), paired differences",
    test="test_analysis_regression.StructureTest",
    reference="Diefenbach et al., MRM 2019, doi 10.1002/mrm.27531",
)
