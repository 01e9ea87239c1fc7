"""Which quantities of a cohort's regions go with which."""

from ..analysis.regression import Regression, regress
from ..analysis.tables import Pairs, Table, pair_up
from ..errors import InputError

# Pairs that are regressed where both are there: x, y.
PAIRS = (("bvtv", "chi"), ("bvtv", "r2star"), ("ct", "chi"), ("r2star", "chi"))


def regressions_of(table: Table) -> list[tuple[Pairs, Regression]]:
    """Return the regression of each of `PAIRS` that a table of regions has enough of.

    Parameters
    ----------
    table : Table
        In the columns of `measure`, with rows of several cases.
    """
    quantities, found = {row["quantity"] for row in table.rows}, []
    for x, y in PAIRS:
        if {x, y} <= quantities:
            try:
                pairs = pair_up([table], x, y)
                found.append((pairs, regress(pairs.x, pairs.y, groups=pairs.groups, subjects=pairs.subjects)))
            except InputError:  # too few rows, or all alike
                continue
    return found
