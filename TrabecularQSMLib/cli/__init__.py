"""The command line ``trabecular-qsm``: reads, calls the library, writes. No defaults or checks of its own.

Exit codes: 0 done, 2 wrong input, 3 some subjects failed, 130 cancelled; anything else that escapes is a bug: its
traceback and 1.
"""

import argparse
import contextlib
import difflib
import errno
import os
import re
import signal
import sys
from collections.abc import Sequence

from .. import __version__
from ..errors import Cancelled, InputError
from . import (
    attenuation,
    bvtv,
    cohort,
    convert,
    export,
    measure,
    morphometry,
    phantom,
    protocol,
    regions,
    register,
    regress,
    report,
    scan,
    simulate,
    split,
    statistics,
)
from .common import in_options

# The libraries under numpy read these when it is loaded, so that nothing above imports it.
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
# Errors of the system that are of a name that was given, wherever it is first looked up, and how much of one is shown.
_OF_NAMES = (errno.ENAMETOOLONG, errno.EACCES, errno.ELOOP)
_LONG_NAME = 80
# After so many seconds it is asked again whether an import is over.
_SOON = 0.05
_NEGATIVE = re.compile(r"^-(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$|^-(inf|nan)$")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    argv = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a console without λ is no reason to fail
    _keep_to_own_threads()
    # As Ctrl+C: batch queues and `timeout` end programs so, and nothing half-written may stay then either.
    with contextlib.suppress(ValueError):  # of a thread that may not
        signal.signal(signal.SIGTERM, _interrupt)
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, _interrupt)
    try:
        _check_words(argv)
        parser = build_parser(filled="_ARGCOMPLETE" in os.environ)
        _complete(parser)
        arguments = parser.parse_args(argv)
        arguments.argv = argv
        code = arguments.run(arguments) or 0
        sys.stdout.flush()
        return code
    except InputError as error:
        print(f"trabecular-qsm: {in_options(str(error))}", file=sys.stderr)
        return 2
    except MemoryError:
        print(
            "trabecular-qsm: this computer has too little memory left for that; close other programs, use fewer "
            "workers, or give something smaller.",
            file=sys.stderr,
        )
        return 2
    except BrokenPipeError:
        # Whoever read what is printed, such as `head`, has seen enough; files were written before.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        if error.errno not in _OF_NAMES:
            raise
        name = os.fsdecode(error.filename)
        name = name if len(name) < _LONG_NAME else f"{name[:_LONG_NAME]}…"
        print(f"trabecular-qsm: {name} cannot be reached ({error.strerror}); give another name.", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, Cancelled) as stop:
        print(f"trabecular-qsm: cancelled; {str(stop) or 'nothing was written'}.", file=sys.stderr)
        return 130
    return 0


class _Interrupted(KeyboardInterrupt):
    """Ctrl+C; after a plain KeyboardInterrupt that crossed an exec, Python ends by the signal whatever main returns."""


def _interrupt(_number, frame):
    """Stop the command; amid an import only once that is over, as modules may swallow it or fail for another reason."""
    while frame is not None and frame.f_code is not main.__code__:
        if frame.f_code.co_filename.startswith("<frozen importlib") and hasattr(signal, "setitimer"):
            signal.signal(signal.SIGALRM, _interrupt)
            signal.setitimer(signal.ITIMER_REAL, _SOON)
            return
        frame = frame.f_back
    raise _Interrupted


def build_parser(*, filled: bool = False) -> argparse.ArgumentParser:
    """Return the parser of all commands; with all their options if `filled`, else each gets them once it is asked for.

    So ``--version``, ``--help`` and most wrong words are answered without importing the library.
    """
    parser = _Parser(
        prog="trabecular-qsm",
        description="Susceptibility, R2* and fat fraction of trabecular bone from multi-echo gradient-echo scans.",
        epilog="Example:\n  trabecular-qsm phantom ankle\n  trabecular-qsm reconstruct ankle maps",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"TrabecularQSM {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    scans = (scan, convert, cohort, report, export, phantom, regions)
    for group in (
        *scans,
        measure,
        bvtv,
        attenuation,
        split,
        morphometry,
        register,
        regress,
        statistics,
        simulate,
        protocol,
    ):
        group.add_commands(commands)
    if filled:
        for command in commands.choices.values():
            command.fill()
    return parser


def _complete(parser):
    """Answer the shell's question how a word may go on, and end; where it asks for that, and argcomplete is there."""
    if "_ARGCOMPLETE" in os.environ:
        with contextlib.suppress(ImportError):
            from argcomplete import autocomplete

            autocomplete(parser)


def _check_words(argv):
    """Refuse words that a shell leaves where it should have put another: they would be names of files here."""
    if "" in argv:
        raise InputError(
            f"The argument {argv.index('') + 1} is empty, as where a variable of the shell is not set; leave it out, "
            "or fill it in."
        )
    if word := next((word for word in argv if re.search(r"(^|=)~[/\\]", word)), None):
        raise InputError(f"{word} begins with ~, which the shell did not fill in; write the folder in full.")


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, without all the options before it, and takes -1e-3 for a number."""

    def __init__(self, **options):
        super().__init__(**options)
        self.later = None
        self._negative_number_matcher = _NEGATIVE  # argparse's own knows no exponent, and took such for options

    def fill(self) -> "_Parser":
        """Add the options that wait for being asked for, and return the parser."""
        add, self.later = self.later, None
        if add is not None:
            add(self)
        return self

    def error(self, message):
        message = re.sub(r"invalid (float|int|positive) value: ('.*')", _not_a_number, message)
        if choices := re.search(r"invalid choice: '(.*)' \(choose from (.*)\)", message):
            message += _meant(choices[1], re.findall(r"[\w+-]+", choices[2]))
        self.exit(2, f"trabecular-qsm: {message}; see {self.prog} --help\n")

    def parse_known_args(self, args=None, namespace=None):
        """As argparse's, but a command refuses its own unknown options, since it knows those that are alike."""
        self.fill()
        found, unknown = super().parse_known_args(args, namespace)
        if unknown and self._subparsers is None:
            flag = unknown[0].partition("=")[0]
            alike = _meant(flag, self._option_string_actions) if flag.startswith("--") else ""
            self.error(f"unrecognized arguments: {' '.join(unknown)}{alike}")
        return found, unknown


def _not_a_number(found):
    """What argparse says of a word in the place of a number, as people say it."""
    comma = " (decimals have a point)" if re.fullmatch(r"'-?\d*,\d+'", found[2]) else ""
    return f"{found[2]} is not a {'' if found[1] == 'float' else 'whole '}number{comma}"


def _meant(word, names):
    """Question for the name that was probably meant; nothing where none is alike."""
    alike = [name for name in names if word and name.startswith(word)] or difflib.get_close_matches(word, names, 1)
    return f"; did you mean {alike[0]}?" if alike else ""


def _keep_to_own_threads():
    """Leave the libraries under numpy one thread each.

    The work is shared among threads of our own (``--threads``); for each of its small products those of the libraries
    would only wait for each other, which took up to three times the time of processors.
    """
    if "numpy" not in sys.modules:
        os.environ.update(dict.fromkeys(_THREAD_VARIABLES, "1"))
