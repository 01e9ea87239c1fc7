"""What the commands share: their parsers' form, and how they print."""

import argparse
import contextlib
import os
import re
import sys
import tempfile
from pathlib import Path

from ..errors import InputError, worded

FIGURE_ENDINGS = (".png", ".svg")
# Arguments of the library that its sentences name, as options.
OPTIONS = {
    name: f"--{name.replace('_', '-')}"
    for name in (
        *("subject", "session", "acq", "run", "series", "overwrite", "resume"),
        *("sessions", "difference", "repeatability", "only", "transform"),
    )
} | {
    "voxel_size": "--voxel-size I J K",
    "voxel_size_mm": "--voxel-size MM",
    "echo_times": "--echo-times (ms)",
    "field_strength": "--field-strength",
    "field_unit": "--field-unit",
    "b0_direction": "--b0-direction R A S",
    "numbers": "--number",
    "radii": "--radius",
    "subjects": "--subjects",
}
# A word that may name a setting: in backticks, or of several words and neither a part of a file's name nor quoted.
_SETTING = r"`([a-z0-9_]+)`|(?<![\w./'-])([a-z0-9]+(?:_[a-z0-9]+)+)(?![\w/'-]|\.\w)"
TABLE_ENDINGS = (".csv",)
REGIONS_HELP = "label map (NIfTI, NRRD), named by a BIDS .tsv beside it, or a segmentation of Slicer (.seg.nrrd)"


def add_command(commands, name, run, description, example, options=None):
    """Add a command with its help and an example, and return its parser; `run` gets the arguments.

    Options that repeat what the library says, and so have to import it, are added by the function `options` of the
    parser, once this command is asked for.
    """
    parser = commands.add_parser(
        name,
        help=description,
        description=description,
        epilog=f"Example:\n  trabecular-qsm {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    parser.later = options
    return parser


def add_regions_of_mip(parser):
    """Add the regions on the echo MIP that are measured in another image, and the way there."""
    parser.add_argument("--regions", metavar="SEG", required=True, help=f"{REGIONS_HELP}, drawn on the echo MIP")
    parser.add_argument(
        "--transform", metavar="T.tfm", help="where the regions lie in the image: what `register ECHO_MIP IMAGE` wrote"
    )
    add_case(parser)


def add_case(parser):
    """Add the name of the case, which `case_of_image` takes."""
    parser.add_argument(
        "--case", metavar="NAME", help="the first column (default: sub-… and ses-… at the start of the image's name)"
    )


def add_only_and_output(parser):
    """Add which regions are measured, and the table."""
    parser.add_argument("--only", nargs="+", default=(), metavar="NAME", help="regions to measure (default: all)")
    parser.add_argument("--output", metavar="T.csv", required=True, help="table to write")


def case_of_image(arguments):
    """Name of the case: as given, or subject and session of the image's name, or that name."""
    if arguments.case:
        return arguments.case
    from ..files.scan import case_of

    name = Path(arguments.image).name
    return case_of(name) or name.partition(".")[0]


def with_default(text, value):
    """Help text of an option with its default."""
    if isinstance(value, tuple):
        value = " ".join(str(x) for x in value)
    return f"{text} (default: {value})"


def positive(text):
    """Type of an option that is a whole number from 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive whole number")
    return value


def check_outputs(*files, inputs=()):
    """Raise `InputError` unless each output, a name or None and the endings it may have, can be such a file.

    Long work comes before the writing, so that a folder in which nothing can be written is told here. None of the
    `inputs`, names or None, may be written over.
    """
    names = [file for file, _ in files if file]
    for file, endings in files:
        if file and Path(file).is_dir():
            raise InputError(f"{file} is a folder; give the name of a file that ends with {' or '.join(endings)}.")
        if file and not file.lower().endswith(endings):
            raise InputError(f"{file} does not end with {' or '.join(endings)}; give the name of such a file.")
    paths = [_resolved(name) for name in names]
    if len(set(paths)) < len(paths):
        raise InputError(f"{names[-1]} is given for two outputs; give each its own name.")
    given = {_resolved(name) for name in inputs if name}
    for name, path in zip(names, paths, strict=True):
        if path in given:
            raise InputError(f"{name} is an input and would be written over; give the output another name.")
        _check_place(name, path)


def _resolved(name) -> Path:
    """Return a path without its links; `InputError` if these lead round in a circle."""
    path = Path(os.path.realpath(name))  # Path.resolve raises other errors in each version
    if any(one.is_symlink() for one in (path, *path.parents)):
        raise InputError(f"{name} is a link that leads to itself; give another name, or remove the link.")
    return path


def check_apart(output, given, folder=".", files=()):
    """Raise `InputError` if results would lie among what they are made of, where nothing tells the two apart.

    Parameters
    ----------
    output, given : path
        Folder of the results, and the input.
    folder : path
        Where the results go inside `output`.
    files : iterable of path
        Those of the input. Results may lie in a folder inside the input that holds none of them.
    """
    output, given = _resolved(output), _resolved(given)
    holds = [parent for file in files for parent in _resolved(file).parents]
    inside = given.is_dir() and output.is_relative_to(given) and output in {given, *holds}
    if inside or output / folder in holds:
        raise InputError(
            f"{output} holds the input, which results would mix with; give a folder of their own, such as "
            f"{(given if inside else output) / 'derivatives' / 'trabecular-qsm'}."
        )


def check_writable(name):
    """Raise `InputError` unless a folder of this name is there, or could be made, for results."""
    path = _resolved(name)
    if path.exists() and not path.is_dir():
        raise InputError(f"{name} is a file; give a folder for the results.")
    _check_place(name, path)


def _check_place(name, path):
    """Raise `InputError` unless something could be made where a name leads."""
    there = path if path.is_dir() else next(folder for folder in path.parents if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"{name} cannot be written ({reason}); give a folder that can.") from error


def notes_on_subjects(*files):
    """Say if the names of files (or None) are of different subjects: a mistake that nothing else would tell."""
    found = {}
    for file in filter(None, files):
        if subject := re.match(r"sub-[A-Za-z0-9]+(?=_)", Path(file).name):
            found.setdefault(subject[0], Path(file).name)
    if len(found) < 2:
        return []
    listed = " and ".join(f"{name} ({subject})" for subject, name in found.items())
    return [f"The names are of different subjects: {listed}; check that they belong together."]


def write_outputs(contents) -> list:
    """Write all files (name to text, bytes, or a function of the path) or none, and return their paths."""
    from ..files.writing import write_files

    return write_files(contents)


@contextlib.contextmanager
def naming(words):
    """Let wrong input within name the options that were given: arguments of the library to these."""
    try:
        yield
    except InputError as error:
        raise InputError(worded(str(error), words)) from error


def in_options(text):
    """Return a sentence of the library with the options of the command line in place of arguments and settings."""
    text = worded(text, OPTIONS)
    if not re.search(_SETTING, text):
        return text
    from ..settings import Settings

    flags = {name: f"--{name.replace('_', '-')}" for name in Settings.__dataclass_fields__}
    return re.sub(_SETTING, lambda found: flags.get(found[1] or found[2], found[0]), text)


def print_result(notes, written):
    """Say what was noticed, and which files there are now."""
    for note in notes:
        print(f"Note: {in_options(note)}")
    for path in written:
        print(path)


class ProgressLine:
    """Progress on stderr: a tqdm bar where it is installed and stderr is a terminal, else a line for every tenth."""

    def __init__(self):
        self.bar = None
        self.shown = -1.0
        if sys.stderr.isatty():
            try:
                from tqdm import tqdm
            except ImportError:
                return
            self.bar = tqdm(total=1.0, bar_format="{percentage:3.0f}% |{bar}| {desc} [{elapsed}]", leave=False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.bar is not None:
            self.bar.close()

    def __call__(self, fraction: float, message: str) -> None:
        """Show how far the work is; the progress callback of the library."""
        if self.bar is not None:
            self.bar.set_description_str(message, refresh=False)
            self.bar.update(max(fraction - self.bar.n, 0.0))
        elif fraction - self.shown >= 0.1:
            self.shown = fraction
            print(f"{100 * fraction:3.0f} % {message}", file=sys.stderr, flush=True)
