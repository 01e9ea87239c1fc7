"""Scans from files, by the reader of the command line."""

import logging
import os
import re
from pathlib import Path

from ..errors import InputError, PackageNeeded, listed, worded
from ..files import read_acquisition
from ..files.dicom_frames import is_dicom
from ..progress import Progress, part, report
from .alive import keepAlive
from .echoes import NOTES_ATTRIBUTE, SOURCE_ATTRIBUTE, addEchoSequences

# How BIDS labels are called in the reader.
LABELS = {"sub": "subject", "ses": "session", "run": "run", "acq": "acq", "series": "series"}
# Arguments of the library that its sentences name: labels are what the panel asks for under Which scan.
_WORDS = {name: f"the label {key}-…" for key, name in LABELS.items()} | {
    "voxel_size": "the voxel size (in a script voxelSize=)",
    "echo_times": "the echo times (in a script echoTimes=, in seconds)",
    "field_strength": "the field strength (in a script fieldStrength=, in tesla)",
    "b0_direction": "the direction of B0",
    "overwrite": "overwrite=True",
}

_NOT_SEARCHED = ("derivatives", "sourcedata", "code", "stimuli")


def loadScan(
    path,
    *,
    labels: str = "",
    name: str | None = None,
    voxelSize=None,
    echoTimes=None,
    fieldStrength=None,
    magnitudeAlone: bool = False,
    words: dict[str, str] | None = None,
    progress: Progress | None = None,
) -> tuple:
    """Load a scan and return its magnitude sequence and phase sequence, or None if it has no phase.

    Nothing is added to the scene if it fails or is cancelled. What a user should know is in the magnitude sequence's
    attribute `NOTES_ATTRIBUTE`, one sentence a line.

    :param path: BIDS dataset, folder of echoes (also dcm2niix's), DICOM folder, 4-D NIfTI or .mat file.
    :param labels: which of several scans of a folder, such as ``sub-01 run-1``, or ``series-5`` of dcm2niix's.
    :param name: start of the names of the sequences; by default the scan's own.
    :param voxelSize: mm along the array axes i, j, k, for a file that stores none.
    :param echoTimes: seconds, for files that do not say them.
    :param fieldStrength: tesla, for files that do not say it.
    :param magnitudeAlone: whether a scan without phase is loaded, of which there are maps of the magnitude only.
    :param words: what sentences call the arguments of the library's reader, such as ``voxel_size``; by default the
        arguments here.
    :param progress: ``progress(fraction, message)``; what it raises stops the loading.
    :raises InputError: if there is no such scan, or more than one.
    """
    path, words = Path(path), _WORDS if words is None else words
    chosen = {LABELS[key]: label for key, label in labelsFrom(labels).items()}
    given = {"voxel_size": voxelSize, "echo_times": echoTimes, "field_strength": fieldStrength}
    given["magnitude_alone"] = magnitudeAlone

    def read(told):
        report(told, 0.0, f"Reading {path.name}")
        return read_acquisition(path, **chosen, **given)

    try:
        scan = keepAlive(read, part(progress, 0.0, 0.6))
    except PackageNeeded as error:
        raise PackageNeeded(inWordsOfScene(str(error), words), *error.packages) from error
    except InputError as error:
        several = datasetsIn(path)
        if len(several) < 2:
            raise InputError(inWordsOfScene(str(error), words)) from error
        advice = f"{path.name} holds {len(several)} datasets ({listed(several, 8)}); choose the folder of one of them."
        # With labels, the reason may be another one.
        raise InputError(f"{inWordsOfScene(str(error), words)} {advice}" if chosen else advice) from error
    sequences = addEchoSequences(scan.acquisition, name or scan.stem, part(progress, 0.6, 1.0))
    if any(map(is_dicom, scan.files)):
        sequences[0].SetAttribute(SOURCE_ATTRIBUTE, str(path))
    notes = [inWordsOfScene(note, words) for note in scan.acquisition.notes]
    for note in notes:
        logging.info(note)
    if notes:
        sequences[0].SetAttribute(NOTES_ATTRIBUTE, "\n".join(notes))
    return sequences


def datasetsIn(folder) -> list[str]:
    """Return the folders below a folder that have subjects, by their path from there: BIDS datasets, one or several.

    :param folder: any folder; a file has none.
    """
    found = []
    for parent, folders, _ in os.walk(folder):
        # Results in derivatives and the like are no scans.
        folders[:] = sorted(name for name in folders if name not in _NOT_SEARCHED and not name.startswith("."))
        if any(name.startswith("sub-") for name in folders):
            found.append(str(Path(parent).relative_to(folder)))
            folders.clear()
    return found


def inWordsOfScene(text: str, words: dict[str, str] = _WORDS) -> str:
    """Return a sentence of the library with what is given here in place of its arguments.

    :param text: such as "choose one with `series`".
    :param words: argument of the library's reader to what it is called.
    """
    return re.sub(r"'pip install ([\w -]+)'", r"slicer.util.pip_install('\1')", worded(text, words))


def labelsFrom(text: str) -> dict:
    """Return labels by their key.

    :param text: labels such as ``sub-01 run-1``.
    :raises InputError: for what is none.
    """
    labels = dict((pair.split("-", 1) if "-" in pair else (pair, "")) for pair in text.replace("_", " ").split())
    unknown = [key for key in labels if key not in LABELS]
    if unknown:
        raise InputError(
            f"{unknown[0]!r} in {text!r} is no label of a scan; give labels such as sub-01, ses-1, acq-x or run-1."
        )
    return labels
