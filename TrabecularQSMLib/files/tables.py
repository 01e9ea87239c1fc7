"""Tables in files: read as texts by column, written so that the same numbers give the same text."""

import csv
import io
import re
from pathlib import Path

from ..analysis.tables import Table
from ..errors import InputError

# A number as spreadsheets write it where the decimal mark is a comma; there they separate cells by semicolons.
_DECIMAL_COMMA = re.compile(r"^([+-]?\d*),(\d+(?:[eE][+-]?\d+)?)$")
# Thousands where decimals are commas: 1.048, 12.500.000, 1.048,5. Nothing starts with 0. then.
_THOUSANDS = re.compile(r"^[+-]?[1-9]\d{0,2}(\.\d{3})+$")
_THOUSANDS_COMMA = re.compile(r"^[+-]?[1-9]\d{0,2}(\.\d{3})+,\d+$")
_DECIMAL_POINT = re.compile(r"^[+-]?\d*\.\d+(?:[eE][+-]?\d+)?$")


def read_table(path) -> Table:
    """Read a table of comma-, tab- or semicolon-separated values with a line of column names.

    Between semicolons the decimal mark may be a comma, found for the whole file; points then mark
    thousands. A first line ``sep=;``, as spreadsheets write it, is understood.

    Raises
    ------
    InputError
        If the file is absent, no table, has no row, or a line with too few or too many cells.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); give a CSV file such as measure writes."
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a table of UTF-8 text; save it as CSV (UTF-8).") from error
    told = re.match(r"sep=([,;\t])\s*\n", text)
    text = text[told.end() :] if told else text
    separator = told[1] if told else max(",\t;", key=text.partition("\n")[0].count)
    try:
        lines = list(csv.reader(text.splitlines(), delimiter=separator))
    except csv.Error as error:
        raise InputError(f"{path} cannot be read as a table ({error}); save it as CSV once more.") from error
    lines = [line for line in lines if any(cell.strip() for cell in line)]
    columns = tuple(cell.strip() for cell in lines[0]) if lines else ()
    if len(columns) < 2 or len(set(columns)) < len(columns):
        raise InputError(f"{path} has no line of different column names; give a CSV file such as measure writes.")
    if len(lines) == 1:
        raise InputError(f"{path} holds no row under its column names; measure something first.")
    for number, line in enumerate(lines[1:], start=1):
        if len(line) != len(columns):
            raise InputError(f"Row {number} of {path} has {len(line)} cells but there are {len(columns)} columns.")
    cells = ([cell.strip() for cell in line] for line in lines[1:])
    rows = [
        dict(zip(columns, line, strict=True)) for line in (_with_points(path, cells) if separator == ";" else cells)
    ]
    return Table(path.name, columns, tuple(rows))


def _with_points(path, lines):
    """Lines with decimal points, where the file's decimal mark is a comma; points before three digits are thousands."""
    lines = list(lines)
    cells = [cell for line in lines for cell in line]
    if not any(_DECIMAL_COMMA.match(cell) or _THOUSANDS_COMMA.match(cell) for cell in cells):
        return lines
    points = [cell for cell in cells if _DECIMAL_POINT.match(cell) and not _THOUSANDS.match(cell)]
    thousands = [cell for cell in cells if _THOUSANDS.match(cell)]
    if points and thousands:
        raise InputError(
            f"{path} has decimal commas, but also {points[0]!r} and {thousands[0]!r}, so that a point may mark "
            "decimals or thousands; write all numbers in one way."
        )
    plain = lambda cell: (  # noqa: E731
        cell.replace(".", "") if _THOUSANDS.match(cell) or _THOUSANDS_COMMA.match(cell) else cell
    )
    return [[_DECIMAL_COMMA.sub(r"\1.\2", plain(cell)) for cell in line] for line in lines]


def read_rods(path) -> dict[str, list[float] | None]:
    """Read the rods of a calibration phantom, as `analysis.ct.fit_calibration` takes them.

    Raises
    ------
    InputError
        If the table has no column hu or density, or a cell that is no number.
    """
    columns = {name: [] for name in ("hu", "density", "water")}
    table = read_table(path)
    if not {"hu", "density"} <= set(table.columns):
        raise InputError(f"{path} has the columns {', '.join(table.columns)}; expected hu and density.")
    for number, row in enumerate(table.rows, start=1):
        for name in columns.keys() & row.keys():
            try:
                columns[name].append(float(row[name]))
            except ValueError as error:
                raise InputError(f"Row {number} of {path} has {row[name]!r} for {name}; expected a number.") from error
    return {"hu": columns["hu"], "density": columns["density"], "water": columns["water"] or None}


def csv_text(columns, rows: list[dict]) -> str:
    """Return rows as CSV with plain newlines; the same numbers give the same text."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row[column]) for column in columns] for row in rows)
    return text.getvalue()


def _cell(value):
    if value is None:
        return ""
    # Seven digits: all that float32 maps hold.
    return f"{value:.7g}" if isinstance(value, float) else str(value)
