"""Multi-echo scans among DICOM files, as sequences over the echo time: what the DICOM module's plugin does."""

import hashlib
import logging
from typing import NamedTuple

import slicer
from vtk import vtkCollection

from ..errors import InputError, counted
from ..files import dicom_series
from ..progress import Progress, part, report
from .alive import keepAlive
from .echoes import SOURCE_ATTRIBUTE, addEchoSequences, browsed

FILES_ATTRIBUTE = "TrabecularQSM.DICOMFiles"
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

    A scan of several series comes once for each, its files in front: Slicer chooses a reader for every series, and
    would take single volumes for the series of the phase.

    :param fileLists: lists of files, one for each series; magnitude and phase may lie in several.
    """
    fileLists = [[str(file) for file in files] for files in fileLists]
    scans = []
    for candidate in dicom_series.find(file for files in fileLists for file in files):
        if not candidate.complete:
            continue
        warning = ""
        try:
            dicom_series.grid_of(candidate)
        except InputError as error:
            warning = str(error)
        pair = " and ".join(_WORDS[part] for part in dicom_series.pair_of(candidate))
        times = ", ".join(f"{1e3 * time:.4g}" for time in candidate.echo_times)
        name = f"{'+'.join(candidate.names)}: {candidate.title}".rstrip(": ") + " multi-echo scan"
        tooltip = f"{counted(len(candidate.echo_times), 'echo')} ({times} ms), {pair}"
        whole = [str(path) for path in dicom_series.files_of(candidate)]
        for files in map(set, fileLists):
            if files & set(whole):
                # In front those of the series for which Slicer asks; the order within stays.
                ordered = sorted(whole, key=lambda file, files=files: file not in files)
                scans.append(DicomScan(name, tooltip, warning, ordered))
    return scans


def loadDicomScan(files, name: str, progress: Progress | None = None) -> DicomNodes:
    """Load the multi-echo scan of DICOM files as magnitude and phase sequence, with a browser to look at the echoes.

    Field strength and direction of B0 come with it. A scan that is in the scene already is not loaded again. Nothing is
    left in the scene if it fails.

    :param files: those of one scan that `examineDicom` found.
    :param name: start of the nodes' names.
    :param progress: ``progress(fraction, message)``; what it raises stops the loading.
    :raises InputError: if slices are missing or pixels cannot be read.
    """
    loaded = loadedDicomScan(files)
    if loaded:
        return loaded

    def read(told):
        report(told, 0.0, f"Reading {name}")
        candidates = [one for one in dicom_series.find(files) if one.complete]
        if len(candidates) != 1:
            raise InputError(f"The files of {name} hold {counted(len(candidates), 'multi-echo scan')}; expected one.")
        return dicom_series.read(candidates[0])

    acquisition = keepAlive(read, part(progress, 0.0, 0.8))
    for note in acquisition.notes:
        logging.info(note)
    sequences = addEchoSequences(acquisition, name, part(progress, 0.8, 0.95))
    sequences[0].SetAttribute(SOURCE_ATTRIBUTE, str(min(map(str, files))))
    browser = browsed(sequences, part(progress, 0.95, 1.0))
    browser.SetAttribute(FILES_ATTRIBUTE, _digest(files))
    return DicomNodes(*sequences, browser)


def loadedDicomScan(files) -> DicomNodes | None:
    """Return the nodes of a scan that was loaded before from the same files, if they are in the scene.

    :param files: those of one scan, in any order.
    """
    digest = _digest(files)
    for browser in slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode"):
        if browser.GetAttribute(FILES_ATTRIBUTE) == digest and browser.GetNumberOfSynchronizedSequenceNodes(True) == 2:
            sequences = vtkCollection()
            browser.GetSynchronizedSequenceNodes(sequences, True)
            return DicomNodes(*(sequences.GetItemAsObject(n) for n in range(2)), browser)
    return None


def _digest(files):
    return hashlib.sha256("\n".join(sorted(str(file) for file in files)).encode()).hexdigest()
