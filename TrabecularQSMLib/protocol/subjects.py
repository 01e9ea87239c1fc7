"""How many subjects a study needs to find a difference."""

import math

import numpy as np
from scipy import stats

ALPHA, POWER = 0.05, 0.8
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

    Notes
    -----
    By the noncentral t distribution (Cohen 1988), without an approximation.
    """
    if sd <= 0:
        return 2
    effect = abs(difference) / sd / math.sqrt(groups)

    def power(n):
        free = groups * (n - 1)
        limit = stats.t.isf(ALPHA / 2, free)
        # The other tail adds nothing where the power is of interest; the distribution has no values far out.
        return float(np.nan_to_num(stats.nct.sf(limit, free, effect * math.sqrt(n)), nan=1.0))

    low, high = 1, 2
    while power(high) < POWER:
        low, high = high, 2 * high
        if high > _MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if power(middle) < POWER else (low, middle)
    return high
