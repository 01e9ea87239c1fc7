"""Tables in files: read as texts by column, written so that the same numbers give the same text.

Spreadsheets take a text that begins with one of ``= + - @`` for a formula, which can start programs. Such a text, be it
the name of a region or a case, is written with an apostrophe before it, which keeps it a text there and which is taken
off when it is read here. Numbers stay as they are.
"""

import csv
import io
import re
import unicodedata
from pathlib import Path

from ..analysis.keys import Table, is_key
from ..analysis.tables import NOTHING
from ..errors import InputError, counted
from .formats import decoded, first_bytes, kind_of, read_bytes

# Cells that spreadsheets write for numbers: with one mark alone, with both, or with spaces between thousands.
_NUMBER = re.compile(r"[+-]?(\d+[\d.,'’ ]*|[.,]\d+)([eE][+-]?\d+)?")
_SPACES = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2212": "-"})
# What nobody sees in a name, or takes for a hyphen, and spaces of which one would do.
_UNSEEN = str.maketrans("\u2010\u2011", "--", "\u200b\u200c\u200d\ufeff\u00ad")
_SEVERAL_SPACES = re.compile(r"  +")
# One to three digits (not zero alone), then groups of three: a number of thousands or one of three decimals.
_GROUPS = r"[+-]?[1-9]\d{0,2}(?:%s\d{3})+"
# What spreadsheets take for a formula, guarded or not, and what is written before it.
_FORMULA = re.compile(r"['\s]*[=+\-@]")
_GUARD = "'"
# Columns of what `measure` writes that hold no numbers.
_TEXTS = ("case", "region", "quantity", "unit")


def read_table(path) -> Table:
    """Read a table of comma-, tab- or semicolon-separated values with a line of column names.

    The decimal mark, point or comma, is found once for all numbers of the file; the other mark, spaces and apostrophes
    may stand between thousands, and are taken away. A first line ``sep=;``, as spreadsheets write it, is understood.

    Raises
    ------
    InputError
        If the file is absent, no table, has no row, or a line with too few or too many cells, or if it cannot be told
        which mark stands for decimals.
    """
    path = Path(path)
    columns, lines, separator = _cells(path)
    rows = [dict(zip(columns, line, strict=True)) for line in lines]
    return Table(path.name, columns, tuple(_numbers(path, columns, rows, separator)))


def _cells(path):
    """Column names, the cells of all rows, and what separates them."""
    start = first_bytes(path)
    # Letters with marks in one form, whichever the system writes: names that look alike join.
    text = unicodedata.normalize("NFC", decoded(content := read_bytes(path)))
    if "\0" in text:
        kind = kind_of(path, start.rstrip(b"\0")) if content[:2] != b"\x1f\x8b" else ("packed by gzip", "")
        if kind and kind[0] == "a text":
            raise InputError(f"{path} is a text with zero bytes in it, as a copy that broke off leaves; copy it again.")
        raise InputError(f"{path} is {kind[0] if kind else 'no text'}; expected a table, so save it as CSV (UTF-8).")
    if text.lstrip().startswith(("{", "[{")):
        raise InputError(f"{path} is JSON; expected a table, so save it as CSV (UTF-8).")
    told = re.match(r"sep=([,;\t])\s*\n", text)
    text = text[told.end() :] if told else text
    separator = told[1] if told else max(",\t;", key=text.partition("\n")[0].count)
    try:
        lines = list(csv.reader(text.splitlines(), delimiter=separator))
    except csv.Error as error:
        raise InputError(f"{path} cannot be read as a table ({error}); save it as CSV once more.") from error
    lines = [line for line in lines if any(cell.strip() for cell in line)]
    lines = _without_empty_columns(lines)
    columns = tuple(map(_cleaned, lines[0])) if lines else ()
    _check_columns(path, columns)
    for number, line in enumerate(lines[1:], start=1):
        if len(line) != len(columns):
            found = counted(len(line), "cell")
            raise InputError(f"Row {number} of {path} has {found} but the row of column names {len(columns)}.")
    rows = _without_other_names(path, columns, [[*map(_cleaned, line)] for line in lines[1:]])
    if not rows:
        raise InputError(f"{path} holds no row under its column names; measure something first.")
    return columns, rows, separator


def _without_other_names(path, columns, rows):
    """Rows without the lines of column names that tables have inside which were put under each other."""
    for number, row in enumerate(rows, start=1):
        if tuple(row) != columns and sorted(row) == sorted(columns):
            raise InputError(
                f"Row {number} of {path} is another line of the column names, in another order, as of tables that were "
                "put under each other; give each as a file of its own."
            )
    return [row for row in rows if tuple(row) != columns]


def _cleaned(cell):
    text = _unguarded(cell.translate(_UNSEEN).strip()).translate(_SPACES)
    return _SEVERAL_SPACES.sub(" ", text).strip()


def _without_empty_columns(lines):
    """Rows without what spreadsheets add behind the last column."""
    last = max((n for line in lines for n, cell in enumerate(line, start=1) if cell.strip()), default=0)
    return [line[:last] for line in lines]


def _check_columns(path, columns):
    """Refuse a first line that is no line of different column names, and say what it is."""
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if len(columns) >= 2 and twice is None:
        return
    if len(columns) < 2:
        what = f"{', '.join(columns)[:60]!r}, which holds no names between commas, tabs or semicolons"
    else:
        what = f"{twice!r} as the name of several columns" if twice else "columns without a name"
    raise InputError(
        f"{path} has no line of different column names: its first one has {what}; give a CSV file such as "
        "measure writes."
    )


def _numbers(path, columns, rows, separator):
    """Rows whose numbers have a point as decimal mark and nothing between thousands."""
    cells = [
        (number, column, row[column])
        for column in columns
        if not is_key(column)
        for number, row in enumerate(rows, start=1)
        if _NUMBER.fullmatch(row[column])
    ]
    # A column that holds words too, such as versions or notes, says nothing about marks.
    counts = {column: sum(row[column].lower() not in NOTHING for row in rows) for column in columns}
    found = {column: sum(its == column for _, its, _ in cells) for column in columns}
    said = {
        mark: next((one for one in cells if found[one[1]] == counts[one[1]] and _is_decimal(one[2], mark)), None)
        for mark in ",."
    }
    doubtful = next((one for one in cells if any(_is_grouped(one[2], mark) for mark in ",.")), None)
    where = lambda one: f"{one[2]!r} in row {one[0]}, column {one[1]}"  # noqa: E731
    if said[","] and said["."] and doubtful:
        raise InputError(
            f"{path} has numbers with a decimal comma ({where(said[','])}) and with a decimal point "
            f"({where(said['.'])}), so that {where(doubtful)} may be either; write all with one mark."
        )
    decimal = next((mark for mark in ",." if said[mark]), None)
    if decimal is None:
        decimal = "," if separator == ";" and any("," in cell for _, _, cell in cells) else "."
        if doubtful := _doubtful(cells, separator):
            raise InputError(
                f"{path} has {where(doubtful)}, which may be thousands or decimals: nothing in the file says which; "
                "write it without a mark between thousands, or with another number of decimals."
            )
    for number, column, cell in cells:
        own = next((mark for mark in ",." if _is_decimal(cell, mark)), decimal)
        rows[number - 1][column] = _plain(cell, own)
    return rows


def _is_decimal(cell, mark):
    """Whether `mark` can only be the decimal mark of a cell."""
    if cell.count(mark) != 1:
        return False
    other = "." if mark == "," else ","
    if other in cell:
        return cell.rindex(mark) > cell.rindex(other)
    return not _is_grouped(cell, mark)


def _is_grouped(cell, mark):
    """Whether a cell has one `mark` that may stand before thousands or before three decimals."""
    return cell.count(mark) == 1 and re.fullmatch(_GROUPS % re.escape(mark), cell) is not None


def _doubtful(cells, separator):
    """Return a cell with one mark and three digits behind it of which nothing else says what they are, or None.

    Three decimals are what many programs write, so that only a column with whole numbers beside them is in doubt; and
    where commas separate cells, one inside a cell was put in quotes on purpose, perhaps for thousands.
    """
    with_whole = {column for _, column, cell in cells if cell.lstrip("+-").isdigit()}
    for one in cells:
        quoted = separator != ";" and _is_grouped(one[2], ",")
        if quoted or separator == ";" and one[1] in with_whole and any(_is_grouped(one[2], mark) for mark in ",."):
            return one
    return None


def _plain(cell, decimal):
    """Return a number with a point and without thousands' marks; what is none, such as a date, as it is."""
    whole, found, rest = cell.partition(decimal)
    if found and not re.fullmatch(r"\d*([eE][+-]?\d+)?", rest):
        return cell
    other = "." if decimal == "," else ","
    if re.search(r"[^\d+\-eE]", whole):
        if not any(re.fullmatch(_GROUPS % re.escape(mark), whole) for mark in (other, " ", "'", "’")):
            return cell
        whole = re.sub(r"[^\d+\-]", "", whole)
    return f"{whole}.{rest}" if found else whole


def read_measured(path) -> list[dict]:
    """Return the rows of a table that `measure` or `cohort` wrote, with numbers as such and None where there is none.

    There are none where there is no such table.
    """
    if not Path(path).exists():
        return []
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return [{key: _measured(key, text) for key, text in row.items()} for row in csv.DictReader(file)]
    except (ValueError, TypeError, AttributeError, csv.Error) as error:
        raise InputError(f"{path} is not a table that measure or cohort wrote; make it again.") from error


def _measured(column, text):
    if column in _TEXTS:
        return _unguarded(text)
    return float(text) if text else None


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
    writer.writerow(map(_cell, columns))
    writer.writerows([_cell(row[column]) for column in columns] for row in rows)
    return text.getvalue()


def _cell(value):
    if value is None:
        return ""
    if isinstance(value, str):
        return _GUARD + value if _FORMULA.match(value) and not _is_number(value) else value
    # Seven digits: all that float32 maps hold.
    return f"{value:.7g}" if isinstance(value, float) else str(value)


def _unguarded(text):
    """Return a cell without the apostrophe that `csv_text` put before it."""
    return text[1:] if text.startswith(_GUARD) and _FORMULA.match(text) else text


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True
