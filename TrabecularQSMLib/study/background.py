"""A cohort in a process of its own, for programs that go on meanwhile, such as 3D Slicer."""

import os
import re
import shutil
import subprocess
import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import Cancelled, InputError
from ..workers import NO_WINDOW, python_program

# What Python runs, and where it finds that.
_COMMAND, _ROOT = ("-m", "TrabecularQSMLib", "cohort"), Path(__file__).resolve().parents[2]
# Exit codes of the command: some subjects failed, wrong input, cancelled.
_SOME_FAILED, _WRONG_INPUT, _CANCELLED = 3, 2, 130
_PROGRESS_LINE = re.compile(r"\s*(\d+) % (.*)")
_NOTE = "Note: "
_FAILED_LINE = re.compile(r"(sub-\S+) failed: (.*)")


@dataclass(frozen=True)
class Ended:
    """How a cohort ended: what the command said last, subjects that failed with the reason, and notes on the others."""

    summary: str
    failures: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class BackgroundCohort:
    """The command ``cohort``, running.

    Parameters
    ----------
    dataset, output : path
    options : mapping of str to str, int or bool
        Those of the command line by name, such as ``workers``; True for one that has no value, and what is false
        is left out.

    Raises
    ------
    InputError
        If there is no Python to start it with.
    """

    def __init__(self, dataset, output, options: Mapping[str, str | int | bool]):
        command = [python_program(), *_COMMAND, str(dataset), str(output), *_flags(options)]
        self._folder = Path(tempfile.mkdtemp(prefix="TrabecularQSM-"))
        self._said, self._told = self._folder / "output", self._folder / "errors"
        self._stopped = False
        path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
        with open(self._said, "wb") as said, open(self._told, "wb") as told:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=told,
                env={**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"},
                creationflags=NO_WINDOW,
            )
        # It ends with this program, and where nobody waits for it any more.
        self._end = weakref.finalize(self, _end, self._process, self._folder)

    def is_running(self) -> bool:
        """Return whether it goes on."""
        return self._process.poll() is None

    def progress(self) -> tuple[float, str]:
        """Return what it told last: how much is done, 0 to 1, and a message."""
        found = [line for line in map(_PROGRESS_LINE.fullmatch, _lines(self._told)) if line]
        return (int(found[-1][1]) / 100, found[-1][2]) if found else (0.0, "Starting")

    def stop(self) -> None:
        """Ask it to stop; subjects that are finished stay."""
        self._stopped = True
        self._process.terminate()

    def result(self) -> Ended:
        """Wait for its end, and return how it ended.

        Raises
        ------
        InputError
            If the input was wrong, with its sentence.
        Cancelled
            If it was stopped.
        RuntimeError
            If it ended by a fault of the program, or was killed.
        """
        code = self._process.wait()
        said, told = _lines(self._said), _lines(self._told)
        self._end()
        if self._stopped or code == _CANCELLED:
            raise Cancelled("What is finished stays; run again to go on.")
        last = told[-1] if told else "it said nothing"
        if code == _WRONG_INPUT:
            raise InputError(last.partition("trabecular-qsm: ")[2] or last)
        if code not in (0, _SOME_FAILED):
            raise RuntimeError(f"The cohort's process ended with code {code}: {last}")
        failures = [found.groups() for found in map(_FAILED_LINE.fullmatch, said) if found]
        notes = (line.removeprefix(_NOTE) for line in said if line.startswith(_NOTE))
        return Ended(said[-1] if said else "", dict(failures), tuple(notes))


def _end(process, folder):
    process.terminate()
    shutil.rmtree(folder, ignore_errors=True)


def _flags(options) -> list[str]:
    given = {name: value for name, value in options.items() if value}
    return [text for name, value in given.items() for text in (f"--{name}", str(value))[: 1 if value is True else 2]]


def _lines(path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines()
