"""Scans from files, by the reader of the command line."""

import logging
import re

from ..errors import InputError, worded
from ..files import read_acquisition
from .echoes import addEchoSequences

# How BIDS labels are called in the reader.
LABELS = {"sub": "subject", "ses": "session", "run": "run", "acq": "acq", "series": "series"}
# Arguments of the library that its sentences name: labels are what the panel asks for under Which scan.
_WORDS = {name: f"the label {key}-…" for key, name in LABELS.items()} | {
    "voxel_size": "voxelSize= of scene.loadScan",
    "echo_times": "echoTimes= of scene.loadScan (seconds)",
    "b0_direction": "the direction of B0",
    "overwrite": "overwrite=True",
}


def loadScan(
    path, *, labels: str = "", name: str | None = None, echoTimes=None, fieldStrength=None, voxelSize=None
) -> tuple:
    """Load a scan and return its magnitude sequence and phase sequence.

    :param path: BIDS dataset, folder of echoes (also dcm2niix's), 4-D NIfTI or .mat file.
    :param labels: which of several scans of a folder, such as ``sub-01 run-1``, or ``series-5`` of dcm2niix's.
    :param name: start of the names of the sequences; by default the scan's own.
    :param echoTimes: seconds, for files that do not say them.
    :param fieldStrength: tesla, for files that do not say it.
    :param voxelSize: mm along i, j and k, for files that do not say it.
    :raises InputError: if there is no such scan, or more than one.
    """
    chosen = {LABELS[key]: label for key, label in labelsFrom(labels).items()}
    values = {"echo_times": echoTimes, "field_strength": fieldStrength, "voxel_size": voxelSize}
    try:
        scan = read_acquisition(path, **values, **chosen)
    except InputError as error:
        raise InputError(inWordsOfScene(str(error))) from error
    for note in scan.acquisition.notes:
        logging.info(inWordsOfScene(note))
    return addEchoSequences(scan.acquisition, name or scan.stem)


def inWordsOfScene(text: str) -> str:
    """Return a sentence of the library with what is given here in place of its arguments.

    :param text: such as "choose one with `series`".
    """
    return re.sub(r"'pip install ([\w -]+)'", r"slicer.util.pip_install('\1')", worded(text, _WORDS))


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
