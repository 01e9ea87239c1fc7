"""L-curves as a table with charts."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..inversion import METHODS
from ..inversion.lcurve import LCurve
from ..pipeline import KeptFields, sweep_regularization
from ..progress import Progress, part
from ..settings import Settings, preset
from .alive import keepAlive
from .echoes import baseName
from .folders import resultFolder
from .reconstruct import labelResult, scanFromSequences
from .regions import masksFromSegmentation, segmentColors
from .tables import Column, addChart, addSeries, addTable
from .volumes import freeName

CURVE_COLOR, CORNER_COLOR = (0.12, 0.47, 0.71), (0.84, 0.15, 0.16)


class LCurveNodes(NamedTuple):
    """An L-curve in the scene; `regionChart` is None without regions, `bestRegularization` the λ at the corner.

    `inflectionRegularization` is the λ of zero curvature below it, None where the sweep holds none; `notes` say what a
    user should know.
    """

    table: object
    cornerTable: object
    lcurveChart: object
    discrepancyChart: object
    regionChart: object
    bestRegularization: float
    inflectionRegularization: float | None
    notes: tuple[str, ...]


def lcurveNodes(
    magnitudeSequence,
    phaseSequence,
    *,
    settings: Settings | None = None,
    regularizations: Sequence[float] | None = None,
    regions=None,
    name: str | None = None,
    kept: KeptFields | None = None,
    progress: Progress | None = None,
    **scan,
) -> LCurveNodes:
    """Invert with many values of λ and return the L-curve as a table with charts, in a folder.

    Nothing is left in the scene if it fails or is cancelled.

    :param magnitudeSequence: sequence of magnitude volumes over the echo time.
    :param phaseSequence: the same of the phase.
    :param settings: `settings.Settings`; the preset ``default`` by default.
    :param regularizations: values of λ; by default sixteen around the settings' own.
    :param regions: segmentation whose segments' mean susceptibility is followed over λ, those where it is solved.
    :param name: as for `reconstructNodes`, like `kept` and `progress`.
    :param scan: all else that `reconstructNodes` takes: mask, echo times, field strength, direction of B0.
    """
    acquisition, mask = scanFromSequences(magnitudeSequence, phaseSequence, **scan, progress=part(progress, 0.0, 0.02))
    settings = preset() if settings is None else settings
    options = {
        "mask": mask,
        "kept": kept,
        "regions": regions and masksFromSegmentation(regions, magnitudeSequence),
    }
    values = () if regularizations is None else regularizations
    curve = keepAlive(
        lambda told: sweep_regularization(acquisition, settings, values, **options, progress=told),
        part(progress, 0.02, 1.0),
    )
    colors = segmentColors(regions) if regions else {}
    return _addNodes(curve, settings, name or baseName(magnitudeSequence), colors, magnitudeSequence)


def _columns(curve: LCurve) -> list[Column]:
    method = METHODS[curve.method]
    square = "²" if method.power == 2 else ""
    columns = [
        Column("regularization", curve.regularization, method.unit, "λ of the cost", title="λ"),
        Column("discrepancy", curve.discrepancy, "ppm²", "‖Dχ − f‖² over the grid"),
        Column("data_term", curve.data_term, "ppm²", "Weighted data term of the cost"),
        Column("regularizer", curve.regularizer, f"ppm{square}/mm{square}", "Weighted sum over ∇χ, without λ"),
        Column("curvature", curve.curvature, "1", "Curvature of the L-curve in logarithms; its peak is the corner"),
    ]
    for region, means in curve.region_means.items():
        columns.append(Column(f"chi {region}", means, "ppm", f"Mean susceptibility of {region}", title=f"χ {region}"))
    return columns


def _addNodes(curve, settings, name, colors, beside):
    columns, name = _columns(curve), freeName(name, " L-curve")
    units = {column.name: column.unit for column in columns}
    best = np.flatnonzero(curve.regularization == curve.best)
    atCorner = [column._replace(values=np.asarray(column.values)[best]) for column in columns]
    with resultFolder(f"{name} L-curve", beside) as put:
        table = put(addTable(f"{name} L-curve table", columns))
        corner = put(addTable(f"{name} L-curve corner", atCorner))
        for node in (table, corner):
            labelResult(node, settings, curve.notes)

        def chart(kind, x, series, yTitle, logarithmic):
            xTitle, title = f"{_AXES[x]} [{units[x]}]", f"{kind[0].upper()}{kind[1:]} ({curve.method})"
            if kind != "region means":
                title += f", corner at λ {curve.best:.3g} {units['regularization']}"
            scales = (True, logarithmic)
            # Neither needs a legend: the corner is in the title, and regions have the colors of their segments.
            return addChart(
                put, f"{name} {kind} chart", title, series, xTitle, yTitle, logarithmic=scales, legend=False
            )  # fmt: skip

        def curveAndCorner(kind, x, y):
            marked = addSeries(put, f"corner, λ {curve.best:.3g}", corner, x, y, CORNER_COLOR, line=False, size=13)
            marked.SetMarkerStyle(marked.MarkerStyleSquare)
            series = [addSeries(put, kind, table, x, y, CURVE_COLOR), marked]
            return chart(kind, x, series, f"{_AXES[y]} [{units[y]}]", True)

        lcurveChart = curveAndCorner("L-curve", "data_term", "regularizer")
        discrepancyChart = curveAndCorner("discrepancy", "regularization", "discrepancy")
        regionChart = None
        if curve.region_means:
            series = [
                addSeries(put, region, table, "regularization", f"chi {region}", colors[region])
                for region in curve.region_means
            ]
            regionChart = chart("region means", "regularization", series, "Mean χ [ppm]", False)
    charts = lcurveChart, discrepancyChart, regionChart
    return LCurveNodes(table, corner, *charts, curve.best, curve.inflection, curve.notes)


_AXES = {
    "regularization": "λ",
    "discrepancy": "Misfit of the field",
    "data_term": "Data term",
    "regularizer": "Regularizer",
}
