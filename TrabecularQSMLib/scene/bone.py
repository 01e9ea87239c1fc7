"""Apparent BV/TV of a high-resolution image and attenuation of a CT, in segments."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import slicer

from ..analysis.bvtv import COLUMNS, combine_phase_cycles
from ..analysis.measure import COLUMNS as STATISTICS
from ..errors import InputError
from ..progress import Progress, part, report
from ..study.companions import attenuation_in, bvtv_in
from .alive import keepAlive
from .echoes import addNotes
from .folders import resultFolder
from .measure import addRows, addToTable, isGone
from .regions import (
    maskFromSegment,
    notesOnPartsOutside,
    notesOnRegistration,
    regionsFromSegmentation,
    segmentColors,
)
from .tables import LINE_COLOR, QUANTITY_PROPERTY, Column, addChart, addSeries, addTable, checkColumns, columnsOf
from .volumes import (
    PRIVATE_SCHEME,
    affineFromVolume,
    checkVolume,
    codedEntry,
    freeName,
    gridDifference,
    nameOf,
    newVolume,
)

_KEY = ("case", "region")
_BVTV_CODE = {QUANTITY_PROPERTY: codedEntry(PRIVATE_SCHEME, "apparent_bvtv", "Apparent BV/TV").GetAsString()}
# Column to its unit and meaning, in the order of the library's.
_ABOUT = {
    "case": ("", "Patient or scan"),
    "region": ("", "Name of the segment"),
    "bvtv": ("1", "Apparent bone volume fraction"),
    "marrow": ("a.u.", "Level of pure marrow in the image"),
    "bone": ("a.u.", "Level of pure bone in the image, from the bone reference"),
    "mean": ("a.u.", "Mean of the region in the image"),
    "n": ("voxels", "Voxels of the region"),
}
_TITLES = {"bvtv": "BV/TV"}


class BvtvNodes(NamedTuple):
    """Apparent BV/TV in the scene; `corrected` is None without bias correction."""

    table: object
    corrected: object
    chart: object


def bvtvNodes(
    image,
    segmentation,
    *,
    case: str,
    boneSegmentation=None,
    boneSegmentID: str | None = None,
    biasCorrection: bool = True,
    rule: str = "half-peak",
    table=None,
    name: str | None = None,
    progress: Progress | None = None,
) -> BvtvNodes:
    """Compute apparent BV/TV of every segment, with histograms as a chart, in a folder.

    Segments are resampled to the image's grid, following the transforms of both. What a user should know of the image,
    the bone reference and rows that are replaced is in the table's attribute `NOTES_ATTRIBUTE`, one sentence a line.
    Nothing changes if it fails or is cancelled.

    :param image: bSSFP volume, registered to where the regions were drawn.
    :param segmentation: the regions.
    :param case: patient or scan, the first column.
    :param boneSegmentation: segmentation with the segment of pure bone; the regions' own by default.
    :param boneSegmentID: which of its segments.
    :param biasCorrection: whether the image's slow shading is taken out first.
    :param rule: how the level of marrow is found, as `analysis.bvtv.apparent_bvtv` says.
    :param table: table of an earlier run to which rows are added; rows of the same case and region are replaced.
    :param name: start of the names of the nodes; by default that of the image.
    :param progress: ``progress(fraction, message)``; what it raises stops the run.
    :raises InputError: if a region or the bone reference has no voxel in the image, or the image is constant.
    """
    checkColumns(table, COLUMNS)
    checkVolume(image, "image")
    name, affine = name or nameOf(image), affineFromVolume(image)
    boneSegmentation = boneSegmentation or segmentation
    report(progress, 0.0, "Reading the bone reference")
    bone = maskFromSegment(boneSegmentation, boneSegmentID, image, purpose="bone reference")
    leaveOut = boneSegmentID if boneSegmentation is segmentation else None
    labels, names = regionsFromSegmentation(segmentation, image, leaveOut=leaveOut, progress=part(progress, 0.0, 0.1))
    array = slicer.util.arrayFromVolume(image)

    options = {"source": image.GetName(), "bias_correction": biasCorrection, "rule": rule}

    def compute(told):
        return bvtv_in(array, affine, labels, names, bone, **options, progress=told)

    try:
        found, array, notes = keepAlive(compute, part(progress, 0.1, 1.0))
    except InputError as error:
        raise InputError(f"{image.GetName()}: {error}") from error
    report(progress, 1.0, "Computed apparent BV/TV")
    about = {
        key: Column(key, (), *_ABOUT[key], _BVTV_CODE if key == "bvtv" else {}, _TITLES.get(key, "")) for key in COLUMNS
    }
    columns = columnsOf([one.row(case) for one in found], about)
    name = freeName(name, " BV/TV")
    with resultFolder(f"{name} BV/TV", image) as put:
        corrected = None
        if biasCorrection:
            corrected = newVolume(array, affine, freeName(f"{name} corrected"))
            corrected.SetAndObserveTransformNodeID(image.GetTransformNodeID())
            put(slicer.mrmlScene.AddNode(corrected)).CreateDefaultDisplayNodes()
        chart = _addHistograms(put, found, f"{name} histograms", segmentColors(segmentation))
        if isGone(table):
            table = put(addTable(f"{name} BV/TV table", columns))
        else:
            addToTable(table, columns, _KEY)
    _note(table, image, notes)
    addNotes(table, notesOnRegistration(segmentation, image) + notesOnPartsOutside(segmentation, image, labels, names))
    return BvtvNodes(table, corrected, chart)


def attenuationNodes(
    ct,
    segmentation,
    *,
    case: str,
    calibration=None,
    table=None,
    name: str | None = None,
    progress: Progress | None = None,
):
    """Measure the attenuation of a CT in every segment and return the table, with the columns of `measureNodes`.

    What a user should know of the CT, and of rows that are replaced, is in the table's attribute `NOTES_ATTRIBUTE`, one
    sentence a line.

    :param ct: volume in Hounsfield units, registered to where the regions were drawn.
    :param segmentation: the regions.
    :param case: patient or scan, the first column.
    :param calibration: `analysis.ct.Calibration`; with it there is a row of bone mineral density for each region.
    :param table: table of an earlier run to which rows are added; it may be that of `measureNodes`.
    :param name: name of a new table.
    :param progress: ``progress(fraction, message)``; what it raises stops the run.
    :raises InputError: if a region has no voxel in the CT, or its values are no Hounsfield units.
    """
    checkColumns(table, STATISTICS)
    checkVolume(ct, "CT")
    labels, names = regionsFromSegmentation(segmentation, ct, progress=part(progress, 0.0, 0.5))
    array, affine = slicer.util.arrayFromVolume(ct), affineFromVolume(ct)

    def compute(told):
        report(told, 0.0, "Measuring the CT")
        return attenuation_in(array, affine, labels, names, case=case, calibration=calibration)

    try:
        rows, notes = keepAlive(compute, part(progress, 0.5, 1.0))
    except InputError as error:
        raise InputError(f"{ct.GetName()} with {segmentation.GetName()}: {error}") from error
    table = addRows(rows, table, name or "CT table")
    _note(table, ct, notes)
    addNotes(table, notesOnRegistration(segmentation, ct) + notesOnPartsOutside(segmentation, ct, labels, names))
    return table


def _note(table, image, notes):
    """Add what a user should know of an image to the notes of a table."""
    addNotes(table, [f"{image.GetName()}: {note}" for note in notes])


def combinePhaseCyclesNodes(volumes: Sequence, method: str = "maximum", name: str | None = None):
    """Combine the phase cycles of a bSSFP scan into one volume and return it.

    :param volumes: one volume for each phase cycle, on one grid.
    :param method: as `analysis.bvtv.combine_phase_cycles` says.
    :param name: name of the volume; by default that of the first one and "combined".
    :raises InputError: if the volumes are on different grids.
    """
    volumes = list(volumes)
    for other in volumes:
        difference = gridDifference(volumes[0], other)
        if difference:
            raise InputError(
                f"The volumes {volumes[0].GetName()} and {other.GetName()} are on different grids: {difference}; "
                "choose phase cycles of one scan that were not resampled."
            )
    combined = combine_phase_cycles([slicer.util.arrayFromVolume(volume) for volume in volumes], method)
    name = freeName(name or f"{nameOf(volumes[0])} combined")
    node = newVolume(combined, affineFromVolume(volumes[0]), name)
    node.SetAndObserveTransformNodeID(volumes[0].GetTransformNodeID())
    with resultFolder(f"{node.GetName()} volume", volumes[0]) as put:
        put(slicer.mrmlScene.AddNode(node)).CreateDefaultDisplayNodes()
    return node


def _addHistograms(put, found, name, colors):
    """Chart of the regions' histograms, each with a line at its level of marrow, and one at that of bone."""
    series = []
    highest = max(float(np.max(one.counts)) for one in found)
    for one in found:
        centers = (np.asarray(one.edges)[1:] + np.asarray(one.edges)[:-1]) / 2
        columns = [
            Column("signal", centers, "a.u.", "Middle of the bin"),
            Column("count", np.asarray(one.counts), "voxels", "Voxels in the bin"),
        ]
        table = put(addTable(f"{name} {one.region}", columns, hidden=True))
        series.append(addSeries(put, one.region, table, "signal", "count", colors[one.region], points=False))
        series.append(_addLevel(put, f"{one.region} marrow", one.marrow, np.max(one.counts), colors[one.region]))
    series.append(_addLevel(put, "bone", found[0].bone, highest, LINE_COLOR))
    # The regions have the colors of their segments.
    title = "Histograms; dashed: marrow, bone (black)"
    return addChart(put, name, title, series, "Signal [a.u.]", "Voxels", legend=False)


def _addLevel(put, name, level, height, color):
    columns = [Column("signal", [level] * 2, "a.u.", "Level"), Column("count", [0.0, float(height)], "voxels", "")]
    table = put(addTable(f"{name} level", columns, hidden=True))
    line = addSeries(put, name, table, "signal", "count", color, points=False)
    line.SetLineStyle(line.LineStyleDash)
    return line
