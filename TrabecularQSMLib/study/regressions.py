"""Which quantities of a cohort's regions go with which."""

from dataclasses import replace

from ..analysis.regression import Regression, regress_pairs
from ..analysis.tables import Pairs, Table, pair_up
from ..errors import InputError, listed

# Pairs that are regressed where both are there: x, y.
PAIRS = (("bvtv", "chi"), ("bvtv", "r2star"), ("ct", "chi"), ("r2star", "chi"))


def regressions_of(table: Table) -> list[tuple[Pairs, Regression]]:
    """Return the regression of each of `PAIRS` that a table of regions has enough of.

    Parameters
    ----------
    table : Table
        In the columns of `measure`, with rows of several cases. What has one of the two quantities alone, such as the
        regions of a case without a CT, is left out, with a warning.
    """
    found = []
    for x, y in PAIRS:
        both, left_out = _with_both(table, x, y)
        if not both.rows:
            continue
        try:
            pairs = pair_up([both], x, y)
            result = regress_pairs(pairs)
        except InputError:  # too few rows, or all alike
            continue
        if left_out:
            warning = f"Without one of {x} and {y} and left out: {listed(left_out)}."
            result = replace(result, warnings=(*result.warnings, warning))
        found.append((pairs, result))
    return found


def _with_both(table, x, y):
    """The rows of what has both quantities, and the names of what has one alone."""
    of_x, of_y = (
        {
            (row["case"], row["region"]): None
            for row in table.rows
            if row["quantity"] == name and row["mean"] not in (None, "")
        }
        for name in (x, y)
    )
    rows = tuple(row for row in table.rows if (place := (row["case"], row["region"])) in of_x and place in of_y)
    alone = [
        f"{case} {region}"
        for case, region in {**of_x, **of_y}
        if not ((case, region) in of_x and (case, region) in of_y)
    ]
    return replace(table, rows=rows), alone
