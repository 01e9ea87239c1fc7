"""What Windows does otherwise, on Linux: an open file can be neither moved nor replaced nor removed."""

import contextlib
import os
import unittest
from pathlib import Path
from unittest import mock


def _refuse_open(*paths):
    opened = {os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")}
    for path in paths:
        if os.path.realpath(path) in opened:
            raise PermissionError(13, "The process cannot access the file because it is being used", str(path))


@contextlib.contextmanager
def like_windows(*modules):
    """Let open files stay where they are, and tell it to modules that ask."""
    if not Path("/proc/self/fd").is_dir():
        raise unittest.SkipTest("only Linux tells which files are open")

    def wrapped(original):
        def careful(*arguments, **options):
            _refuse_open(*(one for one in arguments if isinstance(one, str | os.PathLike)))
            return original(*arguments, **options)

        return careful

    with contextlib.ExitStack() as stack:
        for module in modules:
            stack.enter_context(mock.patch.object(module, "OPEN_FILES_STAY", True))
        for name in ("rename", "replace", "unlink", "remove"):
            stack.enter_context(mock.patch.object(os, name, wrapped(getattr(os, name))))
        yield
