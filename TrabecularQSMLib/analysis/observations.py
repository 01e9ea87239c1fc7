"""Values of one quantity by subject, session and region, and what tables say of the subjects."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import InputError, counted, listed
from .keys import GROUP_COLUMNS, SUBJECT_COLUMNS, Table, keyed, on_keys
from .oddities import far_off, two_units
from .tables import (
    NOTHING,
    Entry,
    cell_text,
    check_exclusions,
    find_entries,
    number_in,
    split_case,
    unit_of,
)

# Of tables that have no regions, such as one value for each case.
_NO_REGION = "all"


@dataclass(frozen=True)
class Observations:
    """Values of one quantity; all sequences have one entry for each value.

    Parameters
    ----------
    values : (n,) array
    errors : (n,) array
        Standard errors by noise, not-a-number where the tables have none.
    cases, subjects, sessions, regions : tuple of n str
        A case is a subject's session as the tables call it; a session is empty where they say none.
    name, unit : str
        Of the quantity; the unit is empty where it is a number or not known.
    notes : tuple of str
        Sentences on what was left out.
    """

    values: np.ndarray
    errors: np.ndarray
    cases: tuple[str, ...]
    subjects: tuple[str, ...]
    sessions: tuple[str, ...]
    regions: tuple[str, ...]
    name: str
    unit: str
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Name with unit, for axes and columns."""
        return f"{self.name} [{self.unit}]" if self.unit else self.name

    @property
    def region_names(self) -> list[str]:
        """Regions in the order of the tables."""
        return list(dict.fromkeys(self.regions))

    @property
    def session_names(self) -> list[str]:
        """Sessions, numbers in their names by value."""
        return sorted(set(self.sessions), key=_by_number)

    def chosen(self, keep: Sequence[bool], *notes: str) -> "Observations":
        """Return those to keep, with notes added."""
        places = np.flatnonzero(keep)
        texts = {
            name: tuple(getattr(self, name)[place] for place in places)
            for name in ("cases", "subjects", "sessions", "regions")
        }
        arrays = {"values": self.values[places], "errors": self.errors[places]}
        return replace(self, **arrays, **texts, notes=(*self.notes, *notes))

    def of_region(self, region: str) -> "Observations":
        """Return those of one region, without notes."""
        return replace(self, notes=()).chosen([one == region for one in self.regions])


@dataclass(frozen=True)
class Repeated:
    """Values of one region, one row a subject who has a value in each session, one column a session."""

    subjects: tuple[str, ...]
    values: np.ndarray
    errors: np.ndarray


def observe(
    tables: Sequence[Table],
    quantity: str,
    *,
    subject: str | None = None,
    session: str | None = None,
    region: str | None = None,
    exclude: Sequence[dict[str, str]] = (),
) -> Observations:
    """Return the values of a quantity that tables hold, each once.

    Parameters
    ----------
    tables : sequence of Table
    quantity : str
        Name of a column, or of a quantity in a long table, whose mean is taken, as for `tables.pair_up`.
    subject, session, region : str, optional
        Columns that say whose a value is, when it was measured and of what it is. By default ``case``, ``subject`` or
        ``participant_id``, of which ``sub-01_ses-2`` is the session ``ses-2`` of ``sub-01``; ``session``; and
        ``region`` or ``label``.
    exclude : sequence of dict
        Rows that are left out, as for `tables.pair_up`. Rows without a value are left out and named in the notes.

    Raises
    ------
    InputError
        If a name is unknown, a value no number, given twice for one subject, session and region, or units differ.
    """
    check_exclusions(tables, exclude)
    entries = find_entries(tables, quantity, exclude)
    if not entries:
        raise InputError("All rows were excluded; leave out fewer.")
    known = [entry for entry in entries if not entry.is_empty()]
    if not known:
        entries[0].value()  # its sentence says that the column is empty
    notes = [*on_keys(tables, subject=("subject", subject), session=("session", session), region=("region", region))]
    if empty := [entry for entry in entries if entry.is_empty()]:
        which = listed([entry.whose().strip(" ()") or f"row {entry.number}" for entry in empty])
        notes.append(f"{counted(len(empty), 'row')} without a value of {quantity} left out: {which}.")
    cases, subjects, sessions = _whose(known, subject, session)
    regions = _cells(known, region, GROUP_COLUMNS, "region") or (_NO_REGION,) * len(known)
    _check_once(known, list(zip(subjects, sessions, regions, strict=True)), quantity)
    unit = unit_of(known, quantity)
    values = np.array([entry.value() for entry in known])
    if far := [f"{cases[place]} {regions[place]} ({values[place]:g})" for place in far_off(values, regions)]:
        notes.append(
            f"{quantity} is far from all others in {listed(far)}: check the unit, and whether it stands for no value."
        )
    if said := two_units(values, regions):
        notes.append(f"{quantity}: {said}")
    return Observations(
        values=values,
        errors=np.array([_error(entry) for entry in known]),
        cases=cases,
        subjects=subjects,
        sessions=sessions,
        regions=regions,
        name=quantity.rpartition(":")[2],
        unit=unit,
        notes=tuple(notes),
    )


def one_session(observations: Observations, sessions: Sequence[str] | None = None) -> Observations:
    """Return observations of which every subject has one session.

    Raises
    ------
    InputError
        If a subject has several and `sessions` does not name one.
    """
    observations = select_sessions(observations, sessions)
    by_subject = {}
    for one, session in zip(observations.subjects, observations.sessions, strict=True):
        by_subject.setdefault(one, set()).add(session)
    for one, its in by_subject.items():
        if len(its) > 1:
            raise InputError(
                f"{one} has the sessions {', '.join(sorted(its, key=_by_number))}; choose one by `sessions`, "
                "as subjects count once."
            )
    return observations


def select_sessions(observations: Observations, sessions: Sequence[str] | None) -> Observations:
    """Return the observations of the named sessions; all if None. `InputError` if there is no such session."""
    if not sessions:
        return observations
    names = observations.session_names
    for name in sessions:
        if name not in names:
            there = ", ".join(filter(None, names)) or "none"
            raise InputError(f"There is no session {name}; there are {there}.")
    if len(set(sessions)) < len(sessions):
        raise InputError(f"The session {max(sessions, key=list(sessions).count)} is named twice; name each once.")
    return observations.chosen([one in sessions for one in observations.sessions])


def in_order(observations: Observations, sessions: Sequence[str] | None, what: str) -> tuple[list[str], list[str]]:
    """Return the sessions named, or all, and a note where nothing but the alphabet says which of two is the first.

    `what` goes from the first to the second, such as a change.
    """
    if sessions:
        return list(sessions), []
    found = observations.session_names
    if len(found) != 2 or len({re.sub(r"\d+", "#", name) for name in found}) == 1:
        return found, []
    note = (
        f"{what} goes from {found[0]} to {found[1]}, as their names follow in the alphabet; name first and second by "
        "`sessions` if it is the other way round."
    )
    return found, [note]


def repeated(observations: Observations, sessions: Sequence[str], least: int) -> tuple[dict[str, Repeated], list[str]]:
    """Return what was measured in each of several sessions, by region, and notes on who and what was left out.

    Parameters
    ----------
    observations : Observations
    sessions : sequence of str
        In the order of the columns.
    least : int
        Subjects that a region needs.

    Raises
    ------
    InputError
        If there is no such session, or no region has so many subjects.
    """
    observations = select_sessions(observations, sessions)
    found, lacking, few, which = {}, {}, [], ", ".join(sessions)
    for region in observations.region_names:
        own = observations.of_region(region)
        places = {key: place for place, key in enumerate(zip(own.subjects, own.sessions, strict=True))}
        everybody = list(dict.fromkeys(own.subjects))
        whole = [one for one in everybody if all((one, session) in places for session in sessions)]
        if who := tuple(one for one in everybody if one not in whole):
            lacking.setdefault(who, []).append(region)
        if len(whole) < least:
            few.append(
                f"{region} was left out: {counted(len(whole), 'subject')} with all sessions; {least} are needed."
            )
            continue
        chosen = np.array([[places[one, session] for session in sessions] for one in whole], int)
        found[region] = Repeated(tuple(whole), own.values[chosen], own.errors[chosen])
    if not found:
        raise InputError(
            f"No region has {least} subjects with a value in each of the sessions {which}; add subjects, or choose "
            "other ones by `sessions`."
        )
    notes = [
        f"Without a value in each of {which} and left out in {listed(of)}: {listed(who)}."
        for who, of in lacking.items()
    ]
    return found, [*observations.notes, *notes, *few]


def variables_of(
    tables: Sequence[Table], names: Sequence[str], observations: Observations, *, subject: str | None = None
) -> dict[str, tuple[str | None, ...]]:
    """Return what tables say of each observation's subject, such as age or sex; None where they say nothing.

    Parameters
    ----------
    tables : sequence of Table
        Such as ``participants.tsv`` of BIDS; rows are found by case, subject or ``participant_id``.
    names : sequence of str
        Columns.
    observations : Observations
    subject : str, optional
        Column that says whose a row is.

    Raises
    ------
    InputError
        If no table has such a column, or it says two things of one subject.
    """
    found = {}
    for name in names:
        said = _said(tables, name, subject)
        people = zip(observations.cases, observations.subjects, strict=True)
        found[name] = tuple(said.get(case, said.get(one)) for case, one in people)
        if not any(found[name]):
            raise InputError(
                f"The column {name} is of {listed(said) or 'nobody'}, but the values are of "
                f"{listed(dict.fromkeys(observations.cases))}; name subjects alike in all tables."
            )
    return found


def numbers_of(name: str, texts: Sequence[str]) -> np.ndarray:
    """Return texts as numbers; `InputError` if one is none."""
    numbers = as_numbers(texts)
    if numbers is None:
        wrong = next(text for text in texts if as_numbers([text]) is None)
        raise InputError(f"{name} is {wrong!r} of a subject; expected a number.")
    return numbers


def as_numbers(texts: Sequence[str]) -> np.ndarray | None:
    """Return texts as finite numbers, or None if one is none."""
    numbers = np.array([number_in(text) for text in texts])
    return numbers if np.all(np.isfinite(numbers)) else None


def _whose(entries, subject, session):
    """Case, subject and session of each entry."""
    cases = _cells(entries, subject, SUBJECT_COLUMNS, "subject")
    if cases is None:
        columns = ", ".join(dict.fromkeys(column for entry in entries for column in entry.table.columns))
        raise InputError(
            f"No column case, subject or participant_id says whose a row is; name it by `subject`: there are {columns}."
        )
    both = [split_case(case) for case in cases]
    sessions = _cells(entries, session, ("session",), "session") or tuple(its for _, its in both)
    return cases, tuple(one for one, _ in both), sessions


def _cells(entries: Sequence[Entry], column, usual, argument):
    """Texts of a column, or of the first usual one that all entries have; None where they have none."""
    if column is None:
        column = next((name for name in usual if all(name in entry.row for entry in entries)), None)
        if column is None:
            return None
    for entry in entries:
        if column not in entry.row:
            raise InputError(
                f"{entry.table.name} has no column {column}, which `{argument}` names; "
                f"there are {', '.join(entry.table.columns)}."
            )
        if entry.row[column] in (None, ""):
            raise InputError(
                f"Row {entry.number} of {entry.table.name} has nothing in the column {column}; fill it in."
            )
    return tuple(cell_text(entry.row[column]) for entry in entries)


def _check_once(entries, keys, quantity):
    first = {}
    for entry, key in zip(entries, keys, strict=True):
        if key in first:
            one = first[key]
            raise InputError(
                f"Row {entry.number} of {entry.table.name} gives {quantity} of {', '.join(filter(None, key))} once "
                f"more (first in row {one.number} of {one.table.name}); remove one of the two, or name the column that "
                "tells them apart by `session`."
            )
        first[key] = entry


def _error(entry):
    cell = entry.row.get("se") if entry.column == "mean" else None
    error = as_numbers(["" if cell is None else cell])
    return np.nan if error is None or error[0] < 0 else error[0]


def _said(tables, name, subject):
    """What a column says of each person."""
    said, known = {}, False
    for table in (keyed(one) for one in tables if name in one.columns):
        columns = (subject, *SUBJECT_COLUMNS)
        whose = next((column for column in columns if column in table.columns), None)
        if whose is None:
            continue
        known = True
        for number, row in enumerate(table.rows, start=1):
            person, text = cell_text(row[whose]), cell_text("" if row[name] is None else row[name]).strip()
            if text.lower() in NOTHING:
                continue
            if said.setdefault(person, text) != text:
                raise InputError(
                    f"Row {number} of {table.name} says {name} {text} of {person}, but another row {said[person]}; "
                    "give each subject one."
                )
    if not known:
        columns = dict.fromkeys(column for table in tables for column in table.columns)
        raise InputError(
            f"No table has the column {name} beside a column case, subject or participant_id; there are the columns "
            f"{', '.join(columns)}."
        )
    return said


def _by_number(name):
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]
