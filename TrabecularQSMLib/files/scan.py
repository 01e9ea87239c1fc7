"""What a reader returns: the acquisition, whose it is, and the files it came from."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..acquisition import Acquisition
from ..errors import InputError

# What BIDS and dcm2niix call the parameters of an acquisition that a report names; none of them tells who was scanned.
PROTOCOL = (
    "Manufacturer",
    "ManufacturersModelName",
    "SoftwareVersions",
    "ReceiveCoilName",
    "ReceiveCoilActiveElements",
    "MRAcquisitionType",
    "ScanningSequence",
    "PulseSequenceType",
    "SequenceName",
    "PulseSequenceName",
    "ScanOptions",
    "RepetitionTime",
    "FlipAngle",
    "PixelBandwidth",
    "SliceThickness",
    "AcquisitionMatrixPE",
    "ParallelAcquisitionTechnique",
    "ParallelReductionFactorInPlane",
    "ParallelReductionFactorOutOfPlane",
    "PartialFourier",
    "AcquisitionDuration",
)


@dataclass(frozen=True, eq=False)
class Scan:
    """A multi-echo scan with its name and its files.

    Parameters
    ----------
    acquisition : Acquisition
    entities : dict of str to str
        BIDS entities that name the scan, in BIDS order, such as ``{"sub": "01", "run": "2"}``.
    files : tuple of Path
        All files that were read, images and sidecars, sorted.
    protocol : dict
        How it was acquired, as far as sidecars say: those of `PROTOCOL` that are there, by their BIDS names.
    """

    acquisition: Acquisition
    entities: dict[str, str]
    files: tuple[Path, ...]
    protocol: dict = field(default_factory=dict)

    @property
    def stem(self) -> str:
        """Start of the names of everything made from this scan, such as ``sub-01_run-2``."""
        return stem_of(self.entities)

    @property
    def folder(self) -> Path:
        """Folder of the results inside an output folder, such as ``sub-01/anat``."""
        return folder_of(self.entities)


def folder_of(entities: dict[str, str]) -> Path:
    """Folder of a scan inside a BIDS dataset."""
    return Path(*(f"{key}-{entities[key]}" for key in ("sub", "ses") if key in entities), "anat")


def stem_of(entities: dict[str, str]) -> str:
    """Join entities to the start of a BIDS file name."""
    return "_".join(f"{key}-{value}" for key, value in entities.items())


def parse_name(name: str) -> tuple[dict[str, str], str]:
    """Split a BIDS file name without extension into its entities and its suffix."""
    *pairs, suffix = name.split("_")
    return dict(pair.split("-", 1) for pair in pairs if "-" in pair), suffix


def checked_label(label, key: str) -> str:
    """Return a BIDS label without its key: both ``01`` and ``sub-01`` name subject 01."""
    text = str(label).removeprefix(f"{key}-")
    if not re.fullmatch(r"[A-Za-z0-9]+", text):
        raise InputError(
            f"The label {str(label)!r} for {key}- is not letters and digits only; give one such as {key}-01."
        )
    return text


def check_voxel_size(given, stored, source) -> None:
    """Refuse a voxel size (i, j, k) given on top of a different stored one: it would move every mask and region."""
    if given is not None and not np.allclose(np.asarray(given, dtype=float), stored, rtol=1e-3):
        raise InputError(
            f"{source} has voxels of {' × '.join(f'{x:.4g}' for x in stored)} mm in its header but `voxel_size` says "
            f"{' × '.join(f'{x:g}' for x in given)}; that is for files that store none, so leave it out "
            "or correct the header."
        )


def field_strength_of(stored, given, source, notes: list[str]):
    """Return the field strength (tesla) that was given, or else the stored one; a note is added where they differ."""
    if given is None:
        return stored
    if stored is not None and abs(given - stored) > 0.02 * given:
        notes.append(f"{source} says a field strength of {stored:g} T; that of `field_strength` is taken.")
    return given


def case_of(name: str) -> str | None:
    """Return subject and session (``sub-01_ses-2``) at the start of a BIDS name, which join tables, or None."""
    found = re.match(r"sub-[A-Za-z0-9]+(_ses-[A-Za-z0-9]+)?(?=_)", name)
    return found and found[0]
