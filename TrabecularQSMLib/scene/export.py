"""Scans from the scene to files that the command line reads."""

from pathlib import Path

from ..errors import InputError
from ..files.bids import write_scan
from ..progress import Progress
from .echoes import acquisitionFromSequences
from .load import inWordsOfScene, labelsFrom


def exportScan(
    magnitudeSequence,
    phaseSequence,
    folder,
    *,
    labels: str = "",
    echoTimes=None,
    fieldStrength: float | None = None,
    b0Direction=None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> list[Path]:
    """Write a scan as a BIDS dataset, or add it to one, so that the command line takes it.

    :param magnitudeSequence: sequence of magnitude volumes over the echo time.
    :param phaseSequence: the same of the phase; it is written in radians. None for a scan without phase.
    :param folder: folder of the dataset.
    :param labels: name of the scan, such as ``sub-01 run-1``; subject 01 by default.
    :param echoTimes: seconds; by default what the magnitude sequence says.
    :param fieldStrength: tesla; needed for sequences that do not know it.
    :param b0Direction: direction of B0 in RAS; superior by default.
    :param overwrite: replace files that are there already.
    :param progress: ``progress(fraction, message)``; what it raises stops the writing, and nothing is left.
    :return: the files written.
    :raises InputError: if the nodes are no usable scan, or the files cannot be written.
    """
    acquisition = acquisitionFromSequences(
        magnitudeSequence, phaseSequence, echoTimes=echoTimes, fieldStrength=fieldStrength, b0Direction=b0Direction
    )
    try:
        return write_scan(folder, acquisition, labelsFrom(labels), overwrite=overwrite, progress=progress)
    except InputError as error:
        raise InputError(inWordsOfScene(str(error))) from error
