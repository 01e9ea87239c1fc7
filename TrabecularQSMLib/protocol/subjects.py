"""How many subjects a study needs to find a difference."""

from ..analysis.studies.design import CHANGE, GROUPS
from ..analysis.studies.power import subjects_needed
from ..errors import InputError

_MOST = 100_000


def subjects(difference: float, sd: float, groups: int = 2) -> int | None:
    """Return how many subjects find a difference of means by a two-sided t-test.

    Parameters
    ----------
    difference : float
        To be found at 5 % with a probability of 80 %.
    sd : float
        Of one measurement, in the same unit: with two groups, over the subjects of a group; with one, of the change
        that is measured in each.
    groups : {1, 2}
        Whether two groups of as many subjects are compared, or each subject with itself.

    Returns
    -------
    int or None
        For each group, two at least; None where more than 100,000 are needed.
    """
    if sd <= 0:
        return 2
    try:
        number = subjects_needed(difference / sd, design=GROUPS if groups == 2 else CHANGE)
    except InputError:  # more than anybody scans
        return None
    return number if number <= _MOST else None
