"""Scans from the scene to files that the command line reads, and maps to DICOM files for an archive."""

import re
from pathlib import Path

import slicer

from ..analysis.measure import measure
from ..errors import InputError
from ..files.archive import EXPORTED, write_dicom
from ..files.bids import write_scan
from ..progress import Progress, part
from .echoes import acquisitionFromSequences
from .load import inWordsOfScene, labelsFrom
from .regions import regionsFromSegmentation
from .volumes import affineFromVolume, gridDifference


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


def exportDicom(
    maps: dict,
    source,
    folder,
    *,
    name: str,
    regions=None,
    plain: bool = False,
    progress: Progress | None = None,
) -> list[Path]:
    """Write maps of a run as DICOM objects for an archive, and regions with their statistics, as `export` does.

    They lie where the scan lies: transforms above the maps are left out.

    :param maps: volume nodes by the name of their quantity, as `reconstructNodes` returns them; the main ones are
        written, the others serve the statistics.
    :param source: DICOM file or folder of the scan, of which patient and study are taken.
    :param folder: where the files go.
    :param name: start of the files' names, and case of the statistics.
    :param regions: segmentation, or None.
    :param plain: whether plain MR images of 16 bits are written as well.
    :param progress: ``progress(fraction, message)``; what it raises stops the writing.
    :return: the files written.
    :raises PackageNeeded: if highdicom is missing.
    :raises InputError: if the maps do not lie where the images of the source lie.
    """
    first = next(iter(maps.values()))
    for node in maps.values():
        if difference := gridDifference(first, node):
            raise InputError(
                f"{first.GetName()} and {node.GetName()} are on different grids: {difference}; write the maps of one "
                "run as they were made."
            )
    arrays = {quantity: slicer.util.arrayFromVolume(node) for quantity, node in maps.items()}
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-") or "maps"
    options = {"plain": plain}
    if regions is not None:
        labels, names = regionsFromSegmentation(regions, first, progress=part(progress, 0.0, 0.1))
        options |= {"labels": labels, "names": names, "rows": measure(arrays, labels, names, case=name)}
    chosen = {quantity: arrays[quantity] for quantity in EXPORTED if quantity in arrays}
    affine = affineFromVolume(first)
    # In this thread: what was cancelled must not be written by another one. No step takes half a second.
    return write_dicom(folder, source, stem, chosen or arrays, affine, **options, progress=part(progress, 0.1, 1.0))
