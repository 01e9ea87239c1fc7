"""Tables of regions, and the pairs of numbers in them that belong together."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from ..errors import InputError, listed
from .keys import GROUP_COLUMNS, KEYS, SUBJECT_COLUMNS, Table, keyed, on_keys
from .measure import MASK

# Cells that say that there is no value.
NOTHING = ("", "n/a", "na", "nan", "none", "null", "-")
# What rows under a table are called that are made of the others, in some languages; of these, regions may be sums.
_SUMS = frozenset("sum total summe gesamt suma".split())
_OF_OTHERS = (
    _SUMS
    | frozenset(
        "mean average avg median sd std stdev std.dev sem se variance cv iqr minimum maximum mittelwert mw stabw "
        "standardabweichung moyenne moy ecart-type écart-type media promedio".split()
    )
    | {"standard deviation", "standard error", "st dev", "mean ± sd", "mean±sd", "mean +/- sd", "mean (sd)"}
)
# Letters of a person's initials at most.
_INITIALS = 3
# A case of BIDS, whose sessions and runs are of one subject.
_BIDS_CASE = re.compile(r"^(sub-[A-Za-z0-9]+)_(.+)$")


@dataclass(frozen=True)
class Pairs:
    """Pairs x and y of equal length with whose and what they are; None where the tables do not say.

    `on_keys` are notes on columns that are taken for those of subjects or regions.
    """

    x: np.ndarray
    y: np.ndarray
    groups: tuple[str, ...] | None
    subjects: tuple[str, ...] | None
    x_label: str
    y_label: str
    on_keys: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of whose the pairs are."""
        if self.subjects is not None:
            return self.on_keys
        columns = f"{', '.join(SUBJECT_COLUMNS[:-1])} or {SUBJECT_COLUMNS[-1]}"
        return (*self.on_keys, f"No column {columns} says whose a row is: all rows are taken for independent.")


def pair_up(
    tables: Sequence[Table],
    x: str,
    y: str,
    *,
    group: str | None = None,
    subject: str | None = None,
    exclude: Sequence[dict[str, str]] = (),
) -> Pairs:
    """Return the values of two quantities that belong together.

    Parameters
    ----------
    tables : sequence of Table
        A quantity's rows may be spread over several, such as one for each case.
    x, y : str
        Name of a column, or of a quantity in a long table (columns ``quantity`` and ``mean``), whose mean is taken.
        Where several tables have it, ``TABLE:NAME`` says which, with ``*`` for any part of their names. Where both are
        columns of one table, its rows are the pairs; otherwise rows are joined on ``case`` (or ``subject``) and
        ``region`` (or ``label``), as far as both tables have them: a table with one row for each case joins all regions
        of that case.
    group, subject : str, optional
        Columns that say what a row is of and whose it is; by default ``region`` or ``label``, and ``case`` or
        ``subject``, where there are such columns. Cases ``sub-X_ses-Y`` are by default of the subject ``sub-X``.
    exclude : sequence of dict
        Rows that are left out, each as column to value; all of a dictionary's must be there. See `parse_exclusion`.

    Raises
    ------
    InputError
        If a name is unknown, a row has no partner or several, a value is not a number, or there is no row to exclude:
        the sentence names it.
    """
    check_exclusions(tables, exclude)
    x_entries, y_entries = (find_entries(tables, name, exclude) for name in (x, y))
    if [entry.row for entry in x_entries] == [entry.row for entry in y_entries]:
        key = _columns_of(x_entries, (*KEYS, *filter(None, (group, subject))))
        if len(key) > 1:  # a single column need not tell rows apart, as with several rows of a subject
            _by_key(x_entries, key)
        if x_entries and [entry.column for entry in x_entries] == [entry.column for entry in y_entries]:
            raise InputError(f"x and y are both {x_entries[0].name}; name two quantities.")
        joined = [(one.row, one, other) for one, other in zip(x_entries, y_entries, strict=True)]
    else:
        joined = _join(x_entries, y_entries, x, y)
    if not joined:
        raise InputError("All rows were excluded; leave out fewer.")
    rows = [row for row, _, _ in joined]
    subjects = _named(rows, subject, SUBJECT_COLUMNS)
    if subject is None and subjects is not None:
        subjects = tuple(split_case(name)[0] for name in subjects)
    return Pairs(
        np.array([one.value() for _, one, _ in joined]),
        np.array([other.value() for _, _, other in joined]),
        _named(rows, group, GROUP_COLUMNS),
        subjects,
        _label(x, x_entries),
        _label(y, y_entries),
        on_keys=on_keys(tables, group=("region", group), subject=("subject", subject)),
    )


def split_case(name: str) -> tuple[str, str]:
    """Return the subject of a case, and its session or run: ``sub-01`` and ``ses-2`` of ``sub-01_ses-2``.

    The second is empty where the name says none, and the first is the whole name where it is none of BIDS.
    """
    found = _BIDS_CASE.match(name)
    return (found[1], found[2]) if found else (name, "")


def number_in(cell) -> float:
    """Return the number of a cell, NaN if it is none; what only Python takes for one, such as 1_000, is none."""
    try:
        return math.nan if "_" in str(cell) else float(cell)
    except (TypeError, ValueError):
        return math.nan


@dataclass(frozen=True)
class Entry:
    """One value of a quantity: where it stands."""

    table: Table
    number: int
    row: dict
    name: str
    column: str

    def is_empty(self) -> bool:
        """Return whether nothing was measured there."""
        return str("" if self.row[self.column] is None else self.row[self.column]).strip().lower() in NOTHING

    def value(self) -> float:
        """Return the number; `InputError` where there is none, which names the row."""
        cell = self.row[self.column]
        value = number_in(cell)
        if not math.isfinite(value):
            if all(row[self.column] in (None, "") for row in self.table.rows if row.get("quantity") == self.quantity):
                raise InputError(
                    f"The column {self.column} of {self.table.name} is empty for {self.name}; give a table that has "
                    "numbers there."
                )
            found = "empty" if cell in (None, "") else f"{cell!r}"
            more = re.search(r"\d", str(cell)) is not None
            what = "write the number alone, with a point" if more else "measure it again or exclude the row"
            raise InputError(
                f"Row {self.number} of {self.table.name}{self.whose()} has no number for {self.name}: it is {found}; "
                f"{what}."
            )
        return value

    @property
    def quantity(self) -> str | None:
        """Quantity of a long table's row."""
        return self.row.get("quantity")

    def whose(self) -> str:
        """Return what the row is of, in brackets."""
        names = dict.fromkeys(cell_text(self.row[name]) for name in KEYS if name in self.row)
        return f" ({', '.join(names)})" if names else ""


def unit_of(entries: Sequence["Entry"], name: str) -> str:
    """Return the unit of a quantity in long tables, nothing for plain numbers; `InputError` if there are several."""
    units = {str(entry.row.get("unit") or "1") for entry in entries if entry.column == "mean"}
    if len(units) > 1:
        raise InputError(f"{name} is in {' and in '.join(sorted(units))}; bring the tables to one unit.")
    return "".join(units - {"1"})


def parse_exclusion(text: str) -> dict[str, str]:
    """Return ``COLUMN=VALUE``, or several of them with `` and `` between, as a dictionary.

    Raises
    ------
    InputError
        If it is of another form.
    """
    found = {}
    for part in text.split(" and "):
        column, sign, value = (word.strip() for word in part.partition("="))
        if not (column and sign):
            raise InputError(f"{text!r} says no row to leave out; give COLUMN=VALUE, such as case=sub-10.")
        found[column] = value
    return found


def check_exclusions(tables: Sequence[Table], exclude: Sequence[dict[str, str]]) -> None:
    """Raise `InputError` if a dictionary of `exclude` fits no row."""
    for row in exclude:
        for column in row:
            if not any(column in table.columns for table in tables):
                raise InputError(
                    f"No table has a column {column} to exclude rows by; there are {listed_columns(tables)}."
                )
        if not any(_is_excluded(one, [row]) for table in tables for one in table.rows):
            which = " and ".join(f"{column}={value}" for column, value in row.items())
            raise InputError(f"There is no row with {which} to exclude; check how it is spelled.")


def _is_excluded(row, exclude):
    return any(all(name in row and cell_text(row[name]) == value for name, value in one.items()) for one in exclude)


def _chosen(tables, name):
    """The tables that a name may be of, and the name in them."""
    prefix, sign, rest = name.partition(":")
    named = [table for table in tables if any(fnmatchcase(one, prefix) for one in (table.name, Path(table.name).stem))]
    return (named, rest) if sign and named else (tables, name)


def find_entries(tables: Sequence[Table], name: str, exclude: Sequence[dict[str, str]]) -> list[Entry]:
    """Return the values of a column or quantity, without the rows to exclude and that of the whole mask.

    Raises
    ------
    InputError
        If no table has it; the sentence lists what there is.
    """
    chosen_tables, name = _chosen(tables, name)
    found, known = [], False
    for table in map(keyed, chosen_tables):
        is_long = {"quantity", "mean"} <= set(table.columns)
        # The row of the whole mask is for referencing, and no region to compare with others.
        # In a long table "mean" and its like are statistics of many quantities, which make no sense together.
        wide = name in table.columns and not is_long
        chosen = [
            Entry(table, number, row, name, name if wide else "mean")
            for number, row in enumerate(table.rows, start=1)
            if (wide or (is_long and row["quantity"] == name and row.get("region") != MASK))
            and not _is_excluded(row, exclude)
        ]
        known = known or wide or (is_long and any(row["quantity"] == name for row in table.rows))
        found += chosen
    if not known:
        raise InputError(f"There is no column or quantity {name}; there are {listed_columns(tables)}.")
    _refuse_rows_of_others(found)
    return found


def _refuse_rows_of_others(entries):
    """Refuse means and the like that spreadsheets hold under the rows which they are of."""
    for entry in entries:
        for column in (name for name in KEYS if name in entry.row):
            text = cell_text(entry.row[column])
            name = text.strip(" .:").casefold()
            if name not in _OF_OTHERS - (_SUMS if column in GROUP_COLUMNS else set()):
                continue
            # SD is a person's initials where the others have such, too.
            if _is_initials(text) and all(_is_initials(cell_text(row[column])) for row in entry.table.rows):
                continue
            raise InputError(
                f"Row {entry.number} of {entry.table.name} has {text} for its {column}, so that it is made of "
                f"other rows; take it away, or exclude {column}={text}."
            )


def _is_initials(text):
    return text.isalpha() and len(text) <= _INITIALS


def _columns_of(entries, names):
    return [name for name in dict.fromkeys(names) if all(name in entry.row for entry in entries)]


def listed_columns(tables: Sequence[Table]) -> str:
    """Return the names of all columns and quantities, for a sentence."""
    names = {}
    for table in tables:
        if {"quantity", "mean"} <= set(table.columns):
            names |= dict.fromkeys(row["quantity"] for row in table.rows)
        else:
            names |= dict.fromkeys(table.columns)
    return listed(names, 12)


def _by_key(entries, key):
    """Entries by what their rows are of; two of the same are an error."""
    found = {}
    for entry in entries:
        if nobody := next((name for name in key if name in SUBJECT_COLUMNS and entry.row[name] in (None, "")), None):
            raise InputError(
                f"Row {entry.number} of {entry.table.name} has nothing in the column {nobody}, as under a merged cell "
                "or in a row of units; fill it in, or take the row away."
            )
        which = tuple(cell_text(entry.row[name]) for name in key)
        if key and which in found:
            first = found[which]
            way = "or name the column that tells them apart as group"
            if not set(key) & set(SUBJECT_COLUMNS):
                way = "or give the column that says whose a row is the name case"
            if first.table is not entry.table:
                way = f"or say which table by {Path(entry.table.name).stem}:{entry.name}"
            raise InputError(
                f"Row {entry.number} of {entry.table.name} gives {entry.name} of {', '.join(which)} once more "
                f"(first in row {first.number} of {first.table.name}); remove one of the two, {way}."
            )
        found[which] = entry
    return found


def _join(x_entries, y_entries, x, y):
    y_entries = _called_alike(x_entries, y_entries)
    x_key, y_key = (_columns_of(entries, KEYS) for entries in (x_entries, y_entries))
    key = [name for name in x_key if name in y_key]
    if not key:
        raise InputError(
            f"{x} and {y} are in different tables without a common column case or region; add one to both."
        )
    # A table that says less, such as one value for each case, has partners in many rows of the other.
    x_found = _by_key(x_entries, x_key if y_key == key else key)
    y_found = _by_key(y_entries, y_key if x_key == key else key)
    partners = {}
    for name, entries in (("x", x_found), ("y", y_found)):
        for entry in entries.values():
            which = tuple(cell_text(entry.row[column]) for column in key)
            partners.setdefault(which, {}).setdefault(name, []).append(entry)
    alone = {
        side: {", ".join(which): both[side][0] for which, both in partners.items() if list(both) == [side]}
        for side in ("x", "y")
    }
    for side, other, here, there in (("x", "y", x, y), ("y", "x", y, x)):
        if not alone[side]:
            continue
        (first, entry), *others = alone[side].items()
        more = f" (nor of {_some(name for name, _ in others)})" if others else ""
        instead = f" (rows of {there} alone: {_some(alone[other])}; spelled otherwise?)" if alone[other] else ""
        raise InputError(
            f"Row {entry.number} of {entry.table.name} gives {here} of {first}, but no row gives "
            f"{there} of it{more}{instead}; measure that too, or exclude the row."
        )
    return [
        ({**other.row, **one.row}, one, other) for both in partners.values() for one in both["x"] for other in both["y"]
    ]


def _called_alike(x_entries, y_entries):
    """The entries of y with the columns of x, where one says ``case`` of what the other calls ``subject``."""
    for usual in (SUBJECT_COLUMNS, GROUP_COLUMNS):
        here, there = (_columns_of(entries, usual) for entries in (x_entries, y_entries))
        if here and there and not set(here) & set(there):
            y_entries = [replace(one, row={**one.row, here[0]: one.row[there[0]]}) for one in y_entries]
    return y_entries


def _some(names):
    names = list(names)
    return "; ".join(names[:3]) + (" and others" if len(names) > 3 else "")


def _named(rows, column, usual):
    if column is None:
        column = next((name for name in usual if all(name in row for row in rows)), None)
        if column is None:
            return None
    for row in rows:
        if column not in row:
            raise InputError(f"There is no column {column}; there are {', '.join(row)}.")
        if row[column] in (None, ""):
            which = ", ".join(cell_text(row[name]) for name in KEYS if name in row and row[name] not in (None, ""))
            raise InputError(f"The row of {which or 'no case'} has nothing in the column {column}; fill it in.")
    return tuple(cell_text(row[column]) for row in rows)


def cell_text(value) -> str:
    """Return a cell as text."""
    # A label that a table of the scene holds as the number 1.0 is the same as the text 1 of a file.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _label(name, entries):
    unit = unit_of(entries, name)
    return f"{name} [{unit}]" if unit else name
