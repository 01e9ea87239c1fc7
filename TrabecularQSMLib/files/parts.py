"""Which part of which echo a file is, and whose, by its name and by what headers and sidecars say."""

import re
from collections.abc import Sequence
from pathlib import Path

from . import nifti

PAIRS = (("mag", "phase"), ("real", "imag"))
# Of a file whose numbers are complex.
WHOLE = "complex"
# What makes a signal, the first that is there.
SIGNALS = (*PAIRS, (WHOLE,))
# Keys of headers and sidecars that tell whose an image is.
WHOSE = ("PatientID", "PatientName", "PatientBirthDate", "StudyInstanceUID")
# Keys of a sidecar that tell the part.
TYPE_KEYS = ("ComplexImageComponent", "ImageType")
_WORDS = {
    "mag": ("magnitude", "magn", "mag"),
    "phase": ("phase", "phas", "phs", "pha", "ph"),
    "real": ("real",),
    "imag": ("imaginary", "imag"),
}
_PART_OF_WORD = {word: part for part, words in _WORDS.items() for word in words}
_WORD = re.compile(rf"(?:^|(?<=[_\-. ]))(?:part-)?({'|'.join(_PART_OF_WORD)})(?=\d*(?:$|[_\-. ]))", re.IGNORECASE)
# What a water–fat scan calls images in which phase is meant otherwise: in phase, opposed phase, out of phase. A scan
# before or after an operation (pre-op, post-op) is none of these.
_OTHER_PHASE = re.compile(r"(?:^|(?<!pre)(?<!post)[_\-. ])(?:in|out|of|op|opp|opposed|opposite)[_\-. ]$", re.IGNORECASE)
_TYPES = {
    "mag": ("M", "MAGNITUDE", "M_FFE", "MAGNITUDE_IMAGE"),
    "phase": ("P", "PHASE", "P_FFE", "PHASE MAP", "PHASE_IMAGE"),
    "real": ("R", "REAL", "R_FFE", "REAL_IMAGE"),
    "imag": ("I", "IMAGINARY", "I_FFE", "IMAGINARY_IMAGE"),
}
# How Siemens says that distortion by the gradients was left, or corrected in the plane or in space.
_CORRECTIONS = ("ND", "DIS2D", "DIS3D", "DIS3D2D")
_PART_OF_TYPE = {word: part for part, words in _TYPES.items() for word in words}


def bare_name(path) -> str:
    """Name of an image file without its ending, or nothing if it is no NIfTI file."""
    name = Path(path).name
    ending = next((ending for ending in (".nii.gz", ".nii") if name.lower().endswith(ending)), None)
    return name[: -len(ending)] if ending and not name.startswith(".") else ""


def split_part(name: str) -> tuple[str, str | None]:
    """Take the last word for a part (such as ``_ph``) out of a bare name: what is left, and the part or None."""
    found = next(reversed(_words(name)), None)
    if found is None:
        return name, None
    # A number behind the word keeps what parts it from the name.
    joined = name[found.end() : found.end() + 1].isdigit()
    start = found.start() - (1 if found.start() and not joined else 0)
    return name[:start] + name[found.end() :], _PART_OF_WORD[found[1].lower()]


def _words(name):
    """Words for parts in a name."""
    return [word for word in _WORD.finditer(name) if not _OTHER_PHASE.search(name[: word.start()])]


def name_of_part(name: str, part: str) -> str:
    """Return a bare name with the word for another part in place of its own, or behind it."""
    base = split_part(name)[0]
    if base == name:
        return f"{name}_{part}"
    found = _words(name)[-1]
    return name[: found.start()] + part + name[found.end() :]


def part_of_type(metadata: dict) -> str | None:
    """Part that the DICOM image type in a sidecar tells, or None."""
    words = [metadata.get("ComplexImageComponent"), *_types(metadata)]
    words = [str(word).strip().upper() for word in words if word is not None]
    # Philips names magnitude after the other component in some of its types (PHASE MAP\\P\\FFE), never the reverse.
    parts = [_PART_OF_TYPE[word] for word in words if word in _PART_OF_TYPE]
    return next((part for part in ("phase", "imag", "real", "mag") if part in parts), None)


def correction_of(header) -> str:
    """Correction of distortion that the image type of a sidecar or header tells; nothing if it tells none."""
    return next((str(word) for word in _types(header) if word in _CORRECTIONS), "")


def _types(header) -> list:
    """The words of an image type: a list, or one text as DICOM writes it; nothing of what is neither."""
    types = header.get("ImageType")
    if isinstance(types, str):
        return re.split(r"[\\/,]", types)
    return list(types) if isinstance(types, Sequence) else []


def part_of(path: Path, metadata: dict, named: str | None = None) -> str:
    """Part that a file holds: what its numbers, its BIDS label (`named`), its sidecar or its name tell."""
    if nifti.is_complex(path):
        return WHOLE
    return (
        _PART_OF_WORD.get(str(named).lower(), named)
        or part_of_type(metadata)
        or split_part(bare_name(path))[1]
        or "mag"
    )
