"""Multi-echo scans among DICOM files, as sequences over the echo time: what the DICOM module's plugin does."""

import logging
from typing import NamedTuple

from ..errors import InputError
from ..files import dicom_series
from .echoes import addEchoBrowser, addEchoSequences
from .volumes import removeWithHelpers

_WORDS = {"mag": "magnitude", "phase": "phase", "real": "real", "imag": "imaginary part"}


class DicomScan(NamedTuple):
    """A scan that can be loaded: its name, one line about it, what a user should know before, and its files."""

    name: str
    tooltip: str
    warning: str
    files: list


class DicomNodes(NamedTuple):
    """A loaded scan."""

    magnitudeSequence: object
    phaseSequence: object
    browser: object


def examineDicom(fileLists) -> list[DicomScan]:
    """Return the multi-echo scans among DICOM files: three echoes or more with magnitude and phase, or both components.

    :param fileLists: lists of files, one for each series; magnitude and phase may lie in several.
    """
    files = [file for one in fileLists for file in one]
    scans = []
    for candidate in dicom_series.find(files):
        if not candidate.complete:
            continue
        warning = ""
        try:
            dicom_series.grid_of(candidate)
        except InputError as error:
            warning = str(error)
        pair = " and ".join(_WORDS[part] for part in dicom_series.pair_of(candidate))
        times = ", ".join(f"{1e3 * time:.4g}" for time in candidate.echo_times)
        scans.append(
            DicomScan(
                name=f"{'+'.join(candidate.names)}: {candidate.title} multi-echo scan".replace(":  ", ": "),
                tooltip=f"{len(candidate.echo_times)} echoes ({times} ms), {pair}",
                warning=warning,
                files=[str(path) for path in dicom_series.files_of(candidate)],
            )
        )
    return scans


def loadDicomScan(files, name: str) -> DicomNodes:
    """Load the multi-echo scan of DICOM files as magnitude and phase sequence, with a browser to look at the echoes.

    Field strength and direction of B0 come with it. Nothing is left in the scene if it fails.

    :param files: those of one scan that `examineDicom` found.
    :param name: start of the nodes' names.
    :raises InputError: if slices are missing or pixels cannot be read.
    """
    candidates = [one for one in dicom_series.find(files) if one.complete]
    if len(candidates) != 1:
        raise InputError(f"The files of {name} hold {len(candidates)} multi-echo scans; expected one.")
    acquisition = dicom_series.read(candidates[0])
    for note in acquisition.notes:
        logging.info(note)
    added = []
    try:
        added += addEchoSequences(acquisition, name)
        added.append(addEchoBrowser(*added))
    except BaseException:
        for node in reversed(added):
            removeWithHelpers(node)
        raise
    return DicomNodes(*added)
