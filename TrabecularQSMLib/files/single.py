"""One NIfTI file of all echoes along its fourth axis, and its partner (phase, or the imaginary part) if it is real."""

from functools import cache
from pathlib import Path

from ..errors import InputError
from . import nifti
from .bids import image_files
from .converted import named
from .echoes import MAGNITUDE_ADVICE, EchoFile, read_json, scan_of
from .formats import companion
from .mat import read_header
from .parts import PAIRS, WHOLE, bare_name, name_of_part, part_of_type, split_part
from .scan import Scan


def read(path: Path, labels: dict, *, magnitude_alone: bool = False, **options) -> Scan:
    """Read a 4-D file, and if its numbers are not complex the file beside it that is called alike but for the part.

    Parameters
    ----------
    path : Path
        Either of both files, such as ``x_mag.nii.gz`` beside ``x_phase.nii.gz``, or ``x.nii.gz`` beside
        ``x_ph.nii.gz``.
    labels : dict
        sub, ses, acq, run to label or None: the name of the results, by default that of the file where it has BIDS
        labels, and else subject 01.
    magnitude_alone : bool
        Whether the magnitude will do where nothing is beside it.
    **options
        Those of `echoes.scan_of`.
    """
    count = nifti.read_grid(path)[0]
    if count == 1:
        raise InputError(
            f"{path} holds one volume; give the folder that holds all echoes, or one file with all of them along its "
            "fourth axis."
        )
    if nifti.is_complex(path):
        files = _echo_files({WHOLE: path})
        return scan_of(files, named(labels, path), path.parent, source=path.name, notes=_on_header(files), **options)
    base, part = split_part(bare_name(path))
    beside = {}
    for other in sorted(path.parent.iterdir()):
        its_base, its_part = split_part(bare_name(other))
        if bare_name(other) and its_base == base:
            beside.setdefault(its_part or "mag", []).append(other)
    part = part or "mag"
    if len(beside.get(part, [])) < 2:
        beside[part] = [path]
    pair = next(pair for pair in PAIRS if part in pair)
    if magnitude_alone and set(beside) == {"mag"} and len(beside["mag"]) == 1:
        _refuse_both(path, count)
        pair, options = ("mag",), {**options, "magnitude_alone": True}
    for one in pair:
        found = beside.get(one, [])
        if len(found) != 1:
            if part == "mag":
                _refuse_both(path, count)
            said = " and ".join(file.name for file in found) or "none"
            advice = f"; export it, or {MAGNITUDE_ADVICE}" if set(beside) == {"mag"} else ""
            raise InputError(
                f"{path} is the {part} part; expected one file of the {one} part beside it, called alike (such as "
                f"{name_of_part(bare_name(path), one)}.nii.gz), but found {said}{advice}."
            )
    files = _echo_files({one: beside[one][0] for one in pair})
    return scan_of(files, named(labels, path), path.parent, source=path.name, notes=_on_header(files), **options)


def _refuse_both(path, count):
    """Refuse a file that holds more than a magnitude, by the volumes that have values below zero."""
    signed = [bool((volume < 0).any()) for volume in nifti.read_series(path)[0]]
    half, bare = count // 2, bare_name(path)
    for pattern, which in (
        ([False] * half + [True] * half, f"first {half} volumes and the last {half}"),
        ([False, True] * half, "odd volumes and the even ones"),
    ):
        if signed == pattern:
            raise InputError(
                f"{path} holds {count} volumes, of which {half} have values below zero as a phase: split it into the "
                f"{which}, called alike such as {name_of_part(bare, 'mag')} and {name_of_part(bare, 'phase')}."
            )
    if all(signed):
        raise InputError(
            f"{path} is called as a magnitude, but each of its {count} volumes has values below zero: name the part "
            f"that it is, such as {name_of_part(bare, 'phase')}, or split it into its parts if it holds several."
        )


def find(folder: Path) -> Path | None:
    """Return a file of several volumes below a folder, if all such are called alike but for the part."""
    several = [path for path in image_files(folder) if nifti.read_grid(path)[0] > 1]
    alike = {(path.parent, split_part(bare_name(path))[0]) for path in several}
    return several[0] if len(alike) == 1 else None


def _echo_files(paths):
    """The files of some parts; what lies beside them is read once for all."""
    header_beside = cache(_header)
    return [_echo_file(path, part, header_beside) for part, path in paths.items()]


def _echo_file(path, part, header_beside):
    side = companion(path.with_name(bare_name(path)), ".json")
    metadata = read_json(side) if side else {}
    sides = (side,) if side else ()
    if "EchoTime" not in metadata:
        count, shape, _ = nifti.read_grid(path)
        if header := header_beside(path.parent, (count, *shape)):
            metadata, sides = {**header[1], **metadata}, (*sides, header[0])
    said = part_of_type(metadata)
    if said and part not in (said, WHOLE):
        raise InputError(f"{path} is called the {part} part but its sidecar says {said}; rename it or correct that.")
    return EchoFile(path, part, (0,), metadata, sides)


def _header(folder, shape):
    """The one header of SEPIA in a folder that is of echoes (E, K, J, I), and what it says; None if there is none."""
    beside = (one for one in sorted(folder.iterdir()) if one.suffix.lower() == ".mat")
    found = [(one, header) for one in beside if (header := read_header(one, shape))]
    return found[0] if len(found) == 1 else None


def _on_header(files):
    """Say that a header of SEPIA was read."""
    names = {side.name for file in files for side in file.sidecars if side.suffix.lower() == ".mat"}
    return tuple(f"What no sidecar says of {files[0].path.name} is taken from {name} beside it." for name in names)
