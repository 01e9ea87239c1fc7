"""L-curves as a table with charts."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import slicer

from ..inversion import METHODS
from ..inversion.lcurve import LCurve
from ..pipeline import sweep_regularization
from ..progress import Progress
from ..settings import Settings, preset
from .echoes import acquisitionFromSequences, baseName
from .folders import resultFolder
from .reconstruct import labelResult, scanMask
from .regions import masksFromSegmentation

CURVE_COLOR, CORNER_COLOR = (0.12, 0.47, 0.71), (0.84, 0.15, 0.16)


class LCurveNodes(NamedTuple):
    """An L-curve in the scene; `regionChart` is None without regions, `bestRegularization` the λ at the corner."""

    table: object
    cornerTable: object
    lcurveChart: object
    discrepancyChart: object
    regionChart: object
    bestRegularization: float


def lcurveNodes(
    magnitudeSequence,
    phaseSequence,
    *,
    settings: Settings | None = None,
    regularizations: Sequence[float] | None = None,
    regions=None,
    maskSegmentation=None,
    maskSegmentID: str | None = None,
    echoTimes=None,
    fieldStrength: float | None = None,
    b0Direction=None,
    name: str | None = None,
    progress: Progress | None = None,
) -> LCurveNodes:
    """Invert with many values of λ and return the L-curve as a table with charts, in a folder.

    Nothing is left in the scene if it fails or is cancelled.

    :param magnitudeSequence: sequence of magnitude volumes over the echo time.
    :param phaseSequence: the same of the phase.
    :param settings: `settings.Settings`; the preset ``default`` by default.
    :param regularizations: values of λ; by default sixteen around the settings' own.
    :param regions: segmentation whose segments' mean susceptibility is followed over λ.
    :param maskSegmentation: as for `reconstructNodes`, like all that follow.
    """
    acquisition = acquisitionFromSequences(
        magnitudeSequence, phaseSequence, echoTimes=echoTimes, fieldStrength=fieldStrength, b0Direction=b0Direction
    )
    settings = preset() if settings is None else settings
    curve = sweep_regularization(
        acquisition,
        settings,
        () if regularizations is None else regularizations,
        mask=scanMask(magnitudeSequence, maskSegmentation, maskSegmentID),
        regions=regions and masksFromSegmentation(regions, magnitudeSequence.GetNthDataNode(0)),
        progress=progress,
    )
    colors = {}
    for number in range(regions.GetSegmentation().GetNumberOfSegments() if regions else 0):
        segment = regions.GetSegmentation().GetNthSegment(number)
        colors[segment.GetName()] = segment.GetColor()
    return _addNodes(curve, settings, name or baseName(magnitudeSequence), colors, magnitudeSequence)


def _columns(curve: LCurve):
    """Name, values, unit and description of the columns."""
    power = METHODS[curve.method].power
    square = "²" if power == 2 else ""
    columns = [
        ("regularization", curve.regularization, "mm²" if power == 2 else "ppm·mm", "λ of the cost"),
        ("discrepancy", curve.discrepancy, "ppm²", "‖Dχ − f‖² over the grid"),
        ("data_term", curve.data_term, "ppm²", "Weighted data term of the cost"),
        ("regularizer", curve.regularizer, f"ppm{square}/mm{square}", "Weighted sum over the gradient of χ, without λ"),
        ("curvature", curve.curvature, "1", "Curvature of the L-curve in logarithms; its peak is the corner"),
    ]
    for region, means in curve.region_means.items():
        columns.append((f"chi {region}", means, "ppm", f"Mean susceptibility of {region}"))
    return columns


def _addNodes(curve, settings, name, colors, beside):
    columns = _columns(curve)
    units = {column: unit for column, _, unit, _ in columns}
    best = np.flatnonzero(curve.regularization == curve.best)
    title = f"{name} ({curve.method})"
    with resultFolder(f"{name} L-curve", beside) as put:
        table = _addTable(put, f"{name} L-curve table", columns)
        corner = _addTable(put, f"{name} L-curve corner", [(n, v[best], u, d) for n, v, u, d in columns])
        for node in (table, corner):
            labelResult(node, settings)

        def chart(kind, x, series, yTitle, logarithmic):
            node = put(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotChartNode", f"{name} {kind}"))
            node.SetTitle(f"{title}: {kind}")
            node.SetXAxisTitle(f"{_AXES[x]} [{units[x]}]")
            node.SetYAxisTitle(yTitle)
            node.SetXAxisLogScale(True)
            node.SetYAxisLogScale(logarithmic)
            for one in series:
                node.AddAndObservePlotSeriesNodeID(one.GetID())
            return node

        def curveAndCorner(kind, x, y):
            series = [
                _addSeries(put, f"{name} {kind} curve", table, x, y, CURVE_COLOR),
                _addSeries(put, f"{name} {kind} corner, λ = {curve.best:.3g}", corner, x, y, CORNER_COLOR, line=False),
            ]
            return chart(kind, x, series, f"{_AXES[y]} [{units[y]}]", True)

        lcurveChart = curveAndCorner("L-curve", "data_term", "regularizer")
        discrepancyChart = curveAndCorner("discrepancy", "regularization", "discrepancy")
        regionChart = None
        if curve.region_means:
            series = [
                _addSeries(put, f"{name} {region}", table, "regularization", f"chi {region}", colors[region])
                for region in curve.region_means
            ]
            regionChart = chart("region means", "regularization", series, "Mean χ [ppm]", False)
    return LCurveNodes(table, corner, lcurveChart, discrepancyChart, regionChart, curve.best)


_AXES = {
    "regularization": "λ",
    "discrepancy": "‖Dχ − f‖²",
    "data_term": "Data term",
    "regularizer": "Regularizer",
}


def _addTable(put, name, columns):
    node = put(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", name))
    slicer.util.updateTableFromArray(node, [values for _, values, _, _ in columns], [column for column, *_ in columns])
    for column, _, unit, description in columns:
        node.SetColumnUnitLabel(column, unit)
        node.SetColumnDescription(column, description)
    return node


def _addSeries(put, name, table, x, y, color, line=True):
    node = put(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", name))
    node.SetAndObserveTableNodeID(table.GetID())
    node.SetPlotType(node.PlotTypeScatter)
    node.SetXColumnName(x)
    node.SetYColumnName(y)
    node.SetColor(*color)
    node.SetLineStyle(node.LineStyleSolid if line else node.LineStyleNone)
    node.SetMarkerStyle(node.MarkerStyleCircle if line else node.MarkerStyleSquare)
    node.SetMarkerSize(7 if line else 13)
    return node
