"""The exceptions that a caller is meant to catch, what a solver has to say about its end, and words of sentences."""

import re
from collections.abc import Iterable
from contextlib import contextmanager


class InputError(ValueError):
    """Wrong input, told in one sentence: what was found, what was expected and what to do."""


class PackageNeeded(InputError):
    """A Python package that the input needs is not installed; `packages` are the names by which pip installs them."""

    def __init__(self, message: str, *packages: str) -> None:
        super().__init__(message)
        self.packages = packages


class Cancelled(Exception):
    """Raised by a progress callback to stop a run; not an error. It may say why."""


class SolverWarning(RuntimeWarning):
    """A solver stopped before it was done; told in one sentence, which becomes a note of the result."""


def worded(text: str, words: dict[str, str]) -> str:
    """Return a sentence of the library in the words of the door that shows it.

    The library names what a caller may give by the argument, such as ``voxel_size`` in backticks; the command line has
    an option for it, a panel a field.

    Parameters
    ----------
    text : str
    words : dict of str to str
        Argument to what the door calls it; others stay as they are.
    """
    return re.sub(r"`(\w+)`", lambda found: words.get(found[1], found[0]), text)


@contextmanager
def errors_of(what):
    """Say of what is wrong input within."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{what}: {error}") from error


def listed(names: Iterable[str], most: int = 4) -> str:
    """Return the first of many names and how many more there are, for a sentence."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun, such as "1 echo" and "2 echoes".

    Parameters
    ----------
    number : int
    one : str
        The noun of one.
    many : str, optional
        That of several, where it does not end with s, or es after o.
    """
    return f"{number} {one if number == 1 else many or one + ('es' if one.endswith('o') else 's')}"
