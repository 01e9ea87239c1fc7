"""Groups compared, adjusted for what else they differ in: a linear model (analysis of covariance) in each region."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy

from ...errors import InputError, counted, listed
from ...methods import Method
from ..inference import SIGNIFICANT, TAIL, Interval, is_constant, t_interval, t_probability
from ..observations import Observations, as_numbers
from ..oddities import spelled_alike
from .study import ITSELF, Study, checked, limits, of_regions, with_holm, with_unit

# A name with more values than this share of the subjects is none that tells kinds of them.
_MOST_LEVELS = 1 / 3
# A covariate of fewer values is a kind, of which no range or slope is told.
_LEAST_VALUES = 3


@dataclass(frozen=True)
class Contrast:
    """Difference of one group from the reference in one region, adjusted.

    Parameters
    ----------
    region, group, reference : str
    n, n_reference : int
    mean, mean_reference : float
        Adjusted to the mean of the covariates over all subjects.
    difference : float
        `mean` − `mean_reference`, with `ci`, its interval, and `p`, the two-sided probability of none.
    effect : float
        Difference over the standard deviation within groups that is left after adjustment, corrected for few subjects
        (Hedges' g), with its interval.
    residual_sd : float
    free : int
        Degrees of freedom.
    p_groups : float
        Probability that no group differs from another (F test).
    p_holm : float
        `p` corrected for the number of regions and groups.
    """

    region: str
    group: str
    reference: str
    n: int
    n_reference: int
    mean: float
    mean_reference: float
    difference: float
    ci: Interval
    effect: float
    effect_ci: Interval
    residual_sd: float
    free: int
    p: float
    p_groups: float
    p_holm: float

    def as_rows(self, unit: str) -> list[dict]:
        """Return the row of a table."""
        row = {
            "region": self.region,
            "group": self.group,
            "reference": self.reference,
            "n": self.n,
            "n_reference": self.n_reference,
            with_unit("adjusted_mean", unit): self.mean,
            with_unit("adjusted_mean_reference", unit): self.mean_reference,
            with_unit("difference", unit): self.difference,
            **limits("difference", self.ci, unit),
            "effect_size": self.effect,
            **limits("effect_size", self.effect_ci),
            with_unit("residual_sd", unit): self.residual_sd,
            "degrees_of_freedom": self.free,
            "p": self.p,
            "p_all_groups": self.p_groups,
            "p_holm": self.p_holm,
        }
        return [row]


def compare_groups(
    values: np.ndarray,
    groups: Sequence[str],
    covariates: Mapping[str, Sequence[str]] | None = None,
    *,
    reference: str | None = None,
    region: str = "",
) -> tuple[list[Contrast], list[str]]:
    """Return the difference of each group from the reference, adjusted for covariates, and notes.

    Parameters
    ----------
    values : (n,) array
    groups : sequence of n str
        Two and more groups, each of two subjects and more.
    covariates : mapping of name to n str, optional
        Numbers are taken for a straight line, the same in all groups; other texts for kinds.
    reference : str, optional
        Group that the others are compared with; by default the first by name.
    region : str

    Raises
    ------
    InputError
        If there are too few groups or subjects, the reference is none of them, groups cannot be told apart from the
        covariates, or one of these is the same of all, a text of nearly each, or mixes numbers and texts.

    References
    ----------
    Hedges, J Educ Stat 1981, doi 10.3102/10769986006002107 (effect size of few subjects).
    """
    values = checked(values, f"The comparison in {region or 'a region'} is")
    groups, covariates = np.array([str(group) for group in groups]), covariates or {}
    names = sorted(set(groups.tolist()))
    reference = names[0] if reference is None else reference
    _check_groups(groups, names, reference)
    others = [name for name in names if name != reference]
    dummies = np.stack([groups == name for name in others], axis=1).astype(np.float64)
    adjusting = [_columns(name, texts) for name, texts in covariates.items()]
    of_all = np.column_stack([np.ones_like(values), *adjusting])
    design = np.column_stack([of_all, dummies])
    free = len(values) - design.shape[1]
    _check_design(design, of_all, free, covariates, region)
    _, without = _fit(of_all, values)
    if covariates and not is_constant(values):
        _refuse_itself(without, values, covariates, region)
    coefficients, residual = _fit(design, values)
    sd = float(np.sqrt(residual @ residual / free))
    if sd <= 1e-12 * np.abs(values).max():
        raise InputError(f"Nothing is left in {region or 'the region'} to tell an error by; add subjects.")
    inverse = np.linalg.inv(design.T @ design)
    f_ratio = max(without @ without - residual @ residual, 0) / len(others) / sd**2
    p_groups = float(scipy.stats.f.sf(f_ratio, len(others), free))
    results = []
    for number, name in enumerate(others, start=of_all.shape[1]):
        difference, root = float(coefficients[number]), float(np.sqrt(inverse[number, number]))
        p = t_probability(difference, sd * root, free)
        results.append(
            Contrast(
                region=region,
                group=name,
                reference=reference,
                n=int(np.sum(groups == name)),
                n_reference=int(np.sum(groups == reference)),
                mean=float(coefficients[0] + difference),
                mean_reference=float(coefficients[0]),
                difference=difference,
                ci=t_interval(difference, sd * root, free),
                effect=_few(free) * difference / sd,
                effect_ci=_effect_interval(difference / (sd * root), free, root),
                residual_sd=sd,
                free=free,
                p=p,
                p_groups=p_groups,
                p_holm=p,
            )
        )
    return results, list(_remarks(region, groups, residual, covariates, values, design, of_all.shape[1]))


def compare_regions(
    observations: Observations,
    groups: Sequence[str | None],
    covariates: Mapping[str, Sequence[str | None]] | None = None,
    *,
    reference: str | None = None,
) -> Study:
    """Return the groups' differences in every region, p values corrected for all of them.

    Parameters
    ----------
    observations : Observations
        One session of each subject.
    groups : sequence of str or None
        Group of each value, None where it is not known; such subjects are left out and named.
    covariates : mapping of name to sequence of str or None, optional
    reference : str, optional

    Returns
    -------
    Study
        Of `Contrast`.

    Raises
    ------
    InputError
        As for `compare_groups`.
    """
    covariates, notes = covariates or {}, []
    known = np.array([None not in told for told in zip(groups, *covariates.values(), strict=True)], bool)
    if not known.all():
        who = dict.fromkeys(one for one, its in zip(observations.subjects, known, strict=True) if not its)
        what = " or ".join(["group", *covariates])
        notes.append(f"Left out, as the tables do not say their {what}: {listed(who)}.")
    answers = {}
    for region in observations.region_names:
        places = [n for n, one in enumerate(observations.regions) if one == region and known[n]]
        its_covariates = {name: [texts[place] for place in places] for name, texts in covariates.items()}
        its_groups = [groups[place] for place in places]
        answers[region] = partial(
            compare_groups, observations.values[places], its_groups, its_covariates, reference=reference, region=region
        )
    found, told = of_regions(answers)
    notes += told
    results = [one for contrasts, _ in found for one in contrasts]
    notes += [note for _, of_region in found for note in of_region]
    return Study(with_holm(results), (*observations.notes, *notes))


def _check_groups(groups, names, reference):
    if reference not in names:
        raise InputError(f"The reference {reference} is none of the groups {', '.join(names)}; name one of them.")
    if len(names) < 2:
        raise InputError(f"All {len(groups)} subjects are of the group {names[0]}; a comparison needs two groups.")
    for name in names:
        if np.sum(groups == name) < 2:
            raise InputError(f"The group {name} has one subject; two are needed to tell how subjects of it differ.")


def _check_design(design, of_all, free, covariates, region):
    if free < 2:
        raise InputError(
            f"{len(design)} subjects in {region or 'the region'} are too few for groups and "
            f"{counted(len(covariates), 'covariate')}; add subjects, or adjust for fewer."
        )
    if np.linalg.matrix_rank(design) < design.shape[1]:
        alone = np.linalg.matrix_rank(of_all) == of_all.shape[1]
        what = "groups and covariates" if alone else "covariates"
        raise InputError(
            f"The {what} ({', '.join(covariates)}) say the same of the subjects in {region or 'the region'}, so that "
            "their effects cannot be told apart; adjust for fewer."
        )


def _refuse_itself(left, values, covariates, region):
    """Refuse covariates that give the values without any group; `left` is what they leave of these."""
    if left @ left <= ITSELF * np.sum((values - values.mean()) ** 2):
        raise InputError(
            f"The covariates ({', '.join(covariates)}) alone give all values in {region or 'the region'}, as only the "
            "quantity itself or what was made of it does; adjust for others."
        )


def _columns(name, texts):
    """Columns of a covariate, each of mean zero, so that the intercept is the mean of the reference adjusted to all.

    In units of their spread, or the rank of the design would depend on units.
    """
    numbers = as_numbers(texts)
    if numbers is None:
        levels = sorted(set(texts))
        wrong = [text for text in levels if as_numbers([text]) is None]
        if len(wrong) < len(levels) / 2:
            raise InputError(f"{name} is a number of most subjects but {listed(wrong)} of others; correct these.")
        if len(levels) > max(2, _MOST_LEVELS * len(texts)):
            raise InputError(
                f"{name} has {len(levels)} different texts of {len(texts)} subjects, such as {listed(levels)}; give "
                "numbers, or kinds of which each has several subjects."
            )
        numbers = np.stack([np.array(texts) == level for level in levels[1:]], axis=1).astype(np.float64)
    columns = numbers.reshape(len(texts), -1)
    if columns.shape[1] == 0 or np.any(np.ptp(columns, axis=0) == 0):
        raise InputError(f"{name} is the same of all subjects, {texts[0]}; there is nothing to adjust for.")
    return (columns - columns.mean(axis=0)) / columns.std(axis=0)


def _fit(design, values):
    coefficients = np.linalg.lstsq(design, values, rcond=None)[0]
    return coefficients, values - design @ coefficients


def _few(free):
    """Factor by which a standardized difference of few subjects is too large."""
    return 1 - 3 / (4 * free - 1)


def _effect_interval(t, free, root):
    """Interval of the standardized difference, by Student's t off its center."""
    reach = 8 * np.sqrt(1 + t**2 / (2 * free))

    def below(shift):
        # scipy's is not a number far off, where it is next to 1 on one side and to 0 on the other.
        probability = scipy.stats.nct.cdf(t, free, shift)
        return float(shift < t) if np.isnan(probability) else probability

    def center(share):
        return float(scipy.optimize.brentq(lambda shift: below(shift) - share, t - reach, t + reach, xtol=1e-6))

    factor = _few(free) * root
    return center(1 - TAIL) * factor, center(TAIL) * factor


def _remarks(region, groups, residual, covariates, values, design, first_group):
    names = sorted(set(groups.tolist()))
    spreads = [residual[groups == name] for name in names]
    spreads = [one for one in spreads if one.size > 2]  # two lie equally far from their median, which tells nothing
    for one, other in spelled_alike(names):
        yield f"{region}: the groups {one} and {other} differ in spelling alone, and are taken for two."
    p = float(scipy.stats.levene(*spreads).pvalue) if len(spreads) > 1 else 1.0
    if p < SIGNIFICANT:
        yield f"{region}: the groups' spread differs (p {p:.2g}), so that p and intervals are rough."
    for name, texts in covariates.items():
        numbers = as_numbers(texts)
        if numbers is None or len(set(texts)) < _LEAST_VALUES:
            continue
        low = max(numbers[groups == one].min() for one in names)
        high = min(numbers[groups == one].max() for one in names)
        if low > high:
            yield f"{region}: no {name} is common to all groups, so that the adjustment rests on the line beyond them."
        p = _interaction(numbers, design, first_group, values, residual)
        if p is not None and p < SIGNIFICANT:
            yield (
                f"{region}: the slope over {name} differs between groups (p {p:.2g}), so that their difference "
                f"depends on {name}; it is given at its mean, {numbers.mean():.4g}."
            )


def _interaction(numbers, design, first_group, values, residual):
    """Probability of one slope in all groups."""
    more = design[:, first_group:] * (numbers - numbers.mean())[:, None]
    wide = np.column_stack([design, more])
    free = len(values) - wide.shape[1]
    if free < 1:
        return None
    _, left = _fit(wide, values)
    if left @ left <= 0:
        return None
    gained = (residual @ residual - left @ left) / more.shape[1]
    return float(scipy.stats.f.sf(gained / (left @ left / free), more.shape[1], free))


METHODS = (
    Method(
        compare_groups,
        title="Groups, adjusted",
        solves="value = group + covariates, least squares; Student's t, F, Holm over regions; Hedges' g",
        test="test_analysis_studies.GroupsTest",
        reference="Holm, Scand J Statist 1979;6:65-70; Hedges, J Educ Stat 1981, doi 10.3102/10769986006002107",
    ),
)
