"""What the statistics of studies share: answers region by region, as rows of a table, and the checks of their input."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...errors import InputError, counted
from ..inference import Interval, holm

# Of the variance of values, what is left by numbers that were made of them.
ITSELF = 1e-9
# Fewer subjects leave next to nothing to tell a spread by.
LEAST_SUBJECTS = 3
# Column of a table of repeatability that change is judged by.
COEFFICIENT = "repeatability_coefficient"


@dataclass(frozen=True)
class Study:
    """What was found in each region, and sentences on what the data cannot tell.

    `results` are of one kind, in the order of the regions; each has a method `as_rows`, which takes the unit and
    returns rows of a table whose columns name it.
    """

    results: tuple
    notes: tuple[str, ...]

    def rows(self, unit: str) -> list[dict]:
        """Return the rows of the table."""
        return [row for result in self.results for row in result.as_rows(unit)]


def of_regions(answers: Mapping[str, Callable]) -> tuple[list, list[str]]:
    """Return what functions, by region, return, and notes on regions that cannot be answered for.

    Raises
    ------
    InputError
        That of the first region if there is an answer for none.
    """
    found, notes, first = [], [], None
    for region, answer in answers.items():
        try:
            found.append(answer())
        except InputError as error:
            first = first or error
            notes.append(f"{region} was left out: {error}")
    if first and not found:
        raise first
    return found, notes


def with_holm(results: Sequence) -> tuple:
    """Return results with the correction of their p values, for the number of all, as their `p_holm`."""
    corrected = holm([one.p for one in results])
    return tuple(replace(one, p_holm=float(p)) for one, p in zip(results, corrected, strict=True))


def with_unit(name: str, unit: str) -> str:
    """Return the name of a column with its unit."""
    return f"{name} [{unit}]" if unit else name


def limits(name: str, interval: Interval | None, unit: str = "") -> dict:
    """Return the two columns of an interval; None where there is none."""
    low, high = (None, None) if interval is None else interval
    return {with_unit(f"{name}_low", unit): low, with_unit(f"{name}_high", unit): high}


def checked(values: np.ndarray, what: str, least: int = LEAST_SUBJECTS) -> np.ndarray:
    """Return values as floating point.

    Raises
    ------
    InputError
        If there are too few rows, or a value is not finite.
    """
    values = np.asarray(values, np.float64)
    if len(values) < least:
        raise InputError(f"{what} of {counted(len(values), 'subject')}; at least {least} are needed, so add some.")
    if not np.all(np.isfinite(values)):
        raise InputError(f"{what} of values that are no numbers; leave those subjects out.")
    return values
