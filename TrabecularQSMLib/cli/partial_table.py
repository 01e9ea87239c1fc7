"""Rows of a simulation that are kept while it runs, so that one that stops can go on."""

import contextlib
import json
import math
from contextlib import contextmanager
from pathlib import Path

from ..errors import Cancelled, InputError, counted
from ..files.locks import OPEN_FILES_STAY, lock


def read_partial(path: Path, head: dict, columns: tuple[str, ...]) -> dict:
    """Return the rows of each geometry (number, radius, repeat) of a run that was stopped; none if there is no file.

    The rows have the `columns` of the table that is to be written.

    Raises
    ------
    InputError
        If it cannot be read, or belongs to a run with another `head`.
    """
    kept = _kept(path, head, lambda rows: _geometry(rows, set(columns)), "a simulation")
    parameters = head["parameters"]
    for (number, radius, repeat), rows in kept.items():
        known = number in parameters["numbers"] and radius in parameters["radii"] and repeat < parameters["repeats"]
        if not known or [row["delta_chi"] for row in rows] != parameters["delta_chis"]:
            raise InputError(f"{path} holds rows that its run does not have; remove it or give another --output.")
    return kept


def _geometry(rows, columns):
    """What the rows of a line are of; ValueError if they are not rows of one geometry."""
    whose = {(row["number"], row["radius"], row["repeat"]) for row in rows if set(row) == columns}
    values = [value for row in rows for value in row.values() if value is not None]
    if len(whose) != 1 or not all(set(row) == columns and math.isfinite(sum(values)) for row in rows):
        raise ValueError("not the rows of a geometry")
    return whose.pop()


def read_blocks(path: Path, head: dict, columns: tuple[str, ...], key: tuple[str, ...]) -> dict:
    """Return the rows of each block of a run that was stopped, by the columns that tell blocks apart.

    Raises
    ------
    InputError
        As for `read_partial`.
    """

    def block(rows):
        if any(set(row) != set(columns) for row in rows):
            raise ValueError("not the rows of a block")
        return tuple(rows[0][name] for name in key)

    return _kept(path, head, block, "a sweep")


def _kept(path, head, key_of, kind):
    """Rows of each line of a partial table under its head, by the key that `key_of` finds in them."""
    if not path.exists():
        return {}
    try:
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]  # what follows the last newline was cut off
        first, *blocks = (json.loads(line) for line in lines)
        kept = {key_of(rows): rows for rows in blocks} if first == head else {}
    except (OSError, ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        raise InputError(f"{path} is not the partial table of {kind}; remove it or give another name.") from error
    if first != head:
        raise InputError(
            f"{path} belongs to a run with other parameters or of another version; "
            "give the same to go on, remove it, or give another --output."
        )
    return kept


def _claim(path):
    """Keep other runs off a file that is there: it is open and locked as long as what is returned (or None)."""
    if not path.is_file():
        return None
    file = open(path, "rb")  # noqa: SIM115 - closed by the caller
    try:
        _lock(file, path)
    except BaseException:
        file.close()
        raise
    return file


def _lock(file, path):
    if not lock(file):
        raise InputError(f"Another run is writing to {path}; wait for it, stop it, or give another --output.")


@contextmanager
def partial_table(path: Path, head: dict, kept: dict):
    """Give a function that keeps the rows of one more geometry in the file.

    If nothing has been kept in the end, the file and the folders made for it are removed.
    """
    made = [folder for folder in path.parents if not folder.exists()]
    # Written anew without a line that was cut off, and moved there whole.
    fresh = path.with_name(path.name + ".new")
    count = len(kept)
    file = None

    def keep(rows):
        nonlocal count
        with _told(path):
            file.write(json.dumps(rows) + "\n")
            file.flush()
        count += 1

    claimed = _claim(path)
    try:
        with _told(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_text("".join(json.dumps(line) + "\n" for line in (head, *kept.values())), encoding="utf-8")
            if claimed and OPEN_FILES_STAY:
                claimed.close()
            fresh.replace(path)
            file = open(path, "a", encoding="utf-8")  # noqa: SIM115 - closed below
            _lock(file, path)
        yield keep
    except (KeyboardInterrupt, Cancelled) as error:
        if count:
            kept = counted(count, "geometry is", "geometries are")
            raise Cancelled(f"{kept} kept; give the same command again to go on") from error
        raise
    finally:
        for one in filter(None, (file, claimed)):
            with contextlib.suppress(OSError):  # it writes again what did not fit on a full disk
                one.close()
        fresh.unlink(missing_ok=True)
        if not count:
            path.unlink(missing_ok=True)
            for folder in made:
                if folder.is_dir() and not any(folder.iterdir()):
                    folder.rmdir()


@contextmanager
def _told(path):
    """Say in a sentence that a file cannot be written."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"{path} cannot be written ({reason}); give a folder that can.") from error
