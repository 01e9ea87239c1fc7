"""Callbacks of ITK's filters: they report progress, and what they raise stops the filter."""

import contextlib
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def raised_in_callbacks() -> Iterator[None]:
    """Let what a callback raises come out of the block as itself, KeyboardInterrupt at any place of it included.

    SimpleITK ends the filter then with a RuntimeError that does not know the reason, after it has printed it by
    `sys.excepthook`: which therefore keeps it meanwhile.
    """
    kept, hook = [], sys.excepthook
    sys.excepthook = lambda kind, error, trace: kept.append(error)
    try:
        yield
    except RuntimeError:
        if kept:
            raise kept[0] from None
        raise
    finally:
        sys.excepthook = hook
    if kept:
        raise kept[0]
