"""Columns that say what a row of a table is of, however tables of other programs call them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from .oddities import plain_name

# What a row is of, where a table says so; the first that is there is taken.
SUBJECT_COLUMNS, GROUP_COLUMNS = ("case", "subject", "participant_id"), ("region", "label")
KEYS = (*SUBJECT_COLUMNS, *GROUP_COLUMNS)
# Columns whose cells are names, whatever they look like.
KEY_COLUMNS = (*KEYS, "quantity", "unit")
# Of long tables and of studies, which are known in capitals too.
_KNOWN = (*KEY_COLUMNS, "session", "mean", "se")
# What other programs and people call them, without capitals, spaces, hyphens and underscores; a note says so.
_OTHERS = {
    "subject": "subjectid subjid subj sub patient patientid patid patienten patientenid patientennummer participant "
    "proband probandid probandin pid caseid fall id".split(),
    "region": "regionname roi roiname segment segmentname".split(),
    "session": "sessionid ses visit timepoint".split(),
}


@dataclass(frozen=True)
class Table:
    """Rows of texts or numbers by column, and the name that errors call the table by."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[dict, ...]


def keyed(table: Table) -> Table:
    """Return a table whose rows have what they are of under our names too, such as ``case`` where it is ``Case``."""
    names = {ours: theirs for ours, theirs in _keys(table.columns).items() if ours != theirs}
    if not names:
        return table
    rows = ({**row, **{ours: row[theirs] for ours, theirs in names.items()}} for row in table.rows)
    return replace(table, columns=(*table.columns, *names), rows=tuple(rows))


def is_key(column: str) -> bool:
    """Return whether the cells of a column are names, whatever they look like."""
    return any(ours in KEY_COLUMNS for ours in _keys((column,)))


def on_keys(tables: Iterable[Table], **options: tuple[str, str | None]) -> tuple[str, ...]:
    """Say which columns are taken that have another name than ours, capitals and hyphens aside.

    `options` are our names by the option that names a column instead, each with what was given for that.
    """
    notes = {}
    for option, (ours, given) in options.items():
        for table in tables if given is None else ():
            taken = _keys(table.columns).get(ours)
            if taken and _plain(taken) != _plain(ours):
                others = [one for one in _others(table.columns, ours) if one != taken]
                which = f"{taken}, not {' or '.join(others)}," if others else taken
                notes[f"The column {which} is taken for the {ours}; `{option}` names another."] = None
    return tuple(notes)


def _keys(columns):
    """Column of a table by our name for it."""
    plain = _by_plain_name(columns)
    found = {ours: ours if ours in columns else plain[_plain(ours)] for ours in _KNOWN if _plain(ours) in plain}
    for ours in _OTHERS:
        same = {"subject": SUBJECT_COLUMNS, "region": GROUP_COLUMNS}.get(ours, (ours,))
        others = _others(columns, ours)
        if others and not found.keys() & set(same):
            found[ours] = others[0]
    return found


def _others(columns, ours):
    """Columns that other programs and people call what we call so, the likeliest first."""
    plain = _by_plain_name(columns)
    return [plain[name] for name in _OTHERS.get(ours, ()) if name in plain]


def _by_plain_name(columns):
    plain = {}
    for column in columns:
        plain.setdefault(_plain(column), column)
    return plain


def _plain(name):
    return plain_name(name.replace(".", ""))  # which stands for a space in columns, and in names of regions counts
