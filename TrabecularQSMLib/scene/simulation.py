"""The simulation as tables and charts, and one of its geometries as volumes."""

import json
from typing import NamedTuple

import numpy as np

from ..progress import Progress, part, report
from ..simulation.field import FieldModel
from ..simulation.geometry import draw_geometry
from ..simulation.model import DECAY, check_delta_chis, columns_of, measure_rows
from ..simulation.monte_carlo import ParameterGrid, simulate, sorted_rows
from ..simulation.settings import SimulationSettings
from ..simulation.summary import (
    PARAMETERS,
    Linearity,
    Power,
    linearity,
    notes_on,
    over_bvtv,
    over_parameter,
    summarize,
    summary_columns,
    trend,
)
from .alive import keepAlive
from .echoes import addNotes
from .folders import resultFolder
from .regions import addSegmentation
from .tables import COLORS, Column, addChart, addSeries, addTable, columnsOf
from .volumes import addMapVolume, freeName

# Unit and description of the columns.
_ABOUT = {
    "number": ("", "Pieces of bone in the region"),
    "radius": ("voxels", "Their radius; half the thickness of plates"),
    "delta_chi": ("ppm", "Susceptibility of bone less that of marrow"),
    "repeat": ("", "Which of the random geometries"),
    "repeats": ("", "Random geometries"),
    "fitted": ("", "Random geometries whose R2′ could be fitted"),
    "bvtv": ("1", "Share of the region that is bone"),
    "expected_bvtv": ("1", "BV/TV computed without random numbers"),
    "mean_chi": ("ppm", "Mean of the closed-form susceptibility in the region"),
    "r2prime_hwhm_ppm": ("ppm", "Half width at half maximum of a Lorentzian fitted to the field outside the bone"),
    "r2prime_fwhm_ppm": ("ppm", "Full width of the same line"),
    "r2prime_fwhm_per_s": ("1/s", "The same at the field strength of the settings"),
    "r2prime_per_s": ("1/s", "The half width as a rate at the field strength of the settings"),
    DECAY: ("1/s", "Decay of the signal over the echo times of the settings: what a scan with these echoes shows"),
}
_STATISTICS = {"mean": "mean", "sd": "standard deviation over the repeats", "se": "standard error of the mean"}
_TITLES = {
    "number": "Number",
    "radius": "Radius [voxels]",
    "delta_chi": "Δχ [ppm]",
    "bvtv": "BV/TV",
    "mean_chi": "Mean χ [ppm]",
    "r2prime_hwhm_ppm": "R2′, half width [ppm]",
    "r2prime_fwhm_ppm": "R2′, full width [ppm]",
    "r2prime_fwhm_per_s": "R2′, full width [1/s]",
    "r2prime_per_s": "R2′ [1/s]",
    DECAY: "R2′, decay [1/s]",
    "expected_bvtv": "Expected BV/TV",
}
# The same in names of charts.
_WORDS = {
    "number": "number",
    "radius": "radius",
    "delta_chi": "Δχ",
    "bvtv": "BV/TV",
    "mean_chi": "mean χ",
    "r2prime_hwhm_ppm": "R2′",
    DECAY: "R2′ of the decay",
}
_DRAWN = ("bvtv", "mean_chi", "r2prime_hwhm_ppm")
_LINE_POINTS = 41
SETTINGS_ATTRIBUTE = "TrabecularQSM.Simulation"


class SimulationNodes(NamedTuple):
    """A simulation in the scene: all rows, their summary, and charts.

    `charts` are by the names of their vertical and horizontal axis; `linearity` says for each Δχ how straight mean χ
    and R2′ are over BV/TV, `notes` what is left empty.
    """

    table: object
    summary: object
    charts: dict[tuple[str, str], object]
    linearity: list[Linearity]
    notes: list[str]


class ConfigurationNodes(NamedTuple):
    """One geometry in the scene: bone, field and closed-form susceptibility; `values` as in a table's row."""

    bone: object
    field: object
    chi: object
    values: dict


def simulateNodes(
    settings: SimulationSettings | None = None,
    grid: ParameterGrid | None = None,
    *,
    name: str = "simulation",
    progress: Progress | None = None,
) -> SimulationNodes:
    """Simulate a grid of parameters in this process and return table, summary and charts, in a folder.

    Nothing is left in the scene if it fails or is cancelled.

    :param settings: what all geometries share; the paper's by default.
    :param grid: what is varied; the paper's by default, which takes half an hour and more.
    :param name: start of the names of the nodes.
    :param progress: ``progress(fraction, message)``; what it raises stops the run.
    :raises InputError: if the pieces of bone do not fit into the region.
    """
    settings, grid = settings or SimulationSettings(), grid or ParameterGrid()

    def compute(told):
        rows = sorted_rows(row for found in simulate(settings, grid, progress=told) for row in found)
        summary = summarize(rows, settings)
        return rows, summary, [line for quantity in over_bvtv(settings) for line in linearity(summary, quantity)]

    rows, summary, lines = keepAlive(compute, part(progress, 0.0, 0.98))
    report(progress, 1.0, "Simulated")
    name, notes = freeName(name, "", " table", " summary"), notes_on(rows)
    with resultFolder(name) as put:
        about = {column: _column(column) for column in columns_of(settings)}
        table = put(addTable(f"{name} table", columnsOf(rows, about)))
        about = {column: _column(column) for column in summary_columns(settings)}
        means = put(addTable(f"{name} summary", columnsOf(summary, about)))
        for node in (table, means):
            node.SetAttribute(SETTINGS_ATTRIBUTE, json.dumps(settings.as_dict()))
            addNotes(node, notes)
        charts = {}
        for quantity in over_bvtv(settings):
            if any(line.quantity == quantity for line in lines):
                charts[quantity, "bvtv"] = _overDensity(put, summary, lines, quantity, name)
        for parameter in PARAMETERS:
            if len({row[parameter] for row in summary}) > 1:
                for quantity in _DRAWN:
                    shown = [row for row in over_parameter(summary, parameter) if row[f"{quantity}_mean"] is not None]
                    if shown:
                        charts[quantity, parameter] = _overParameter(
                            put, shown, parameter, quantity, name, settings.shape
                        )
    return SimulationNodes(table, means, charts, lines, notes)


def configurationNodes(
    settings: SimulationSettings | None = None,
    *,
    number: int,
    radius: int,
    deltaChi: float = 1.0,
    repeat: int = 0,
    name: str = "geometry",
    progress: Progress | None = None,
) -> ConfigurationNodes:
    """Return one geometry of a simulation as a segment, with its field and susceptibility as volumes, in a folder.

    Voxels are 1 mm; the array axes k, j, i are the patient's S, A, R, so that B0 is along S by default. Nothing is left
    in the scene if it fails or is cancelled.

    :param settings: as for `simulateNodes`.
    :param number: pieces of bone in the region.
    :param radius: their radius in voxels.
    :param deltaChi: susceptibility of bone less that of marrow, ppm.
    :param repeat: which of the random geometries; the same as that of a table's row.
    :param name: start of the names of the nodes.
    :param progress: ``progress(fraction, message)``; what it raises stops the run.
    :raises InputError: if the pieces of bone do not fit into the region.
    """
    settings = settings or SimulationSettings()
    check_delta_chis([deltaChi])
    model = FieldModel(settings)

    def compute(told):
        report(told, 0.0, "Placing the bone")
        bone = draw_geometry(settings, number, radius, repeat) != 0
        report(told, 0.1, "Computing the field")
        field = model.field(bone)
        report(told, 0.5, "Inverting the field")
        chi = model.chi_map(bone)
        report(told, 0.8, "Measuring")
        (row,) = measure_rows(model, bone, [deltaChi], seed=(number, radius, repeat), field=field)
        return bone, field, chi, row

    bone, field, chi, values = keepAlive(compute, part(progress, 0.0, 0.98))
    report(progress, 1.0, "Simulated")
    affine = np.eye(4)
    affine[:3, 3] = -(settings.size - 1) / 2
    name = freeName(name)
    with resultFolder(name) as put:
        segmentation = put(addSegmentation(bone.astype(np.uint8), {1: "bone"}, affine, f"{name} bone"))
        fieldNode = put(addMapVolume(deltaChi * field, affine, "local_field", name))
        chiNode = put(addMapVolume(deltaChi * chi, affine, "chi", name))
        for node, array in ((fieldNode, field), (chiNode, chi)):
            # The window of patients is far wider than these.
            limit = abs(deltaChi) * float(np.quantile(np.abs(array), 0.99)) or 1.0
            node.GetScalarVolumeDisplayNode().SetWindowLevelMinMax(-limit, limit)
    return ConfigurationNodes(segmentation, fieldNode, chiNode, values)


def _column(name):
    if name in _ABOUT:
        return Column(name, (), *_ABOUT[name], title=_title(name))
    quantity, _, statistic = name.rpartition("_")
    unit, description = _ABOUT[quantity]
    return Column(name, (), unit, f"{description}: {_STATISTICS[statistic]}", title=f"{_title(quantity)}, {statistic}")


def _title(name):
    """Title of a column without its unit, which the table adds."""
    return _TITLES.get(name, name).partition(" [")[0]


def _overDensity(put, summary, lines, quantity, name):
    """Chart of a quantity over BV/TV, points and a straight line for each Δχ (the paper's figure 8)."""
    series = []
    for number, found in enumerate(line for line in lines if line.quantity == quantity):
        rows = [row for row in summary if row["delta_chi"] == found.delta_chi and row[f"{quantity}_mean"] is not None]
        x = np.array([row["bvtv_mean"] for row in rows])
        color = COLORS[number % len(COLORS)]
        label = f"{found.delta_chi:g} ppm"
        line = found.line
        points = [x, [row[f"{quantity}_mean"] for row in rows]]
        series += _pointsAndLine(
            put, f"{name} {_WORDS[quantity]} {label}", points, line, color, (label, f"slope {line.slope:.3g}")
        )
    title = f"{_WORDS[quantity]} over BV/TV"
    return addChart(
        put, f"{name} {title}", _sentence(title), series, _TITLES["bvtv"], _TITLES[quantity]
    )  # fmt: skip


def _overParameter(put, rows, parameter, quantity, name, shape):
    """Chart of a quantity over one parameter, the others at one value (the paper's figure 7)."""
    x = np.array([row[parameter] for row in rows], dtype=np.float64)
    y = np.array([row[f"{quantity}_mean"] for row in rows], dtype=np.float64)
    curve, fitted = trend(parameter, quantity, x, y, shape), ""
    if isinstance(curve, Power):
        fitted = f"{curve.a:.3g} {curve.term}"
    elif curve is not None:
        fitted = f"slope {curve.slope:.3g}"
    fixed = ", ".join(_FIXED[one].format(rows[0][one]) for one in PARAMETERS if one != parameter)
    title = f"{_WORDS[quantity]} over {_WORDS[parameter]}"
    series = _pointsAndLine(put, f"{name} {title}", (x, y), curve, COLORS[0], (fixed, fitted))
    # One color of points and its curve need no legend: what they are stands in the title.
    sentence = f"{_sentence(_WORDS[quantity])}{': ' if fitted else ''}{fitted} ({fixed})"
    return addChart(
        put, f"{name} {title}", sentence, series, _TITLES[parameter], _TITLES[quantity], legend=False
    )  # fmt: skip


_FIXED = {"number": "number {:g}", "radius": "radius {:g}", "delta_chi": "{:g} ppm"}


def _sentence(title):
    return title[0].upper() + title[1:]


def _pointsAndLine(put, name, points, curve, color, labels):
    columns = [Column("x", list(points[0])), Column("y", list(points[1]))]
    table = put(addTable(f"{name} points", columns, hidden=True))
    series = [addSeries(put, labels[0], table, "x", "y", color, line=False, size=9)]
    if curve is not None:
        along = np.linspace(min(points[0]), max(points[0]), _LINE_POINTS)
        table = put(addTable(f"{name} line", [Column("x", along), Column("y", curve.at(along))], hidden=True))
        series.append(addSeries(put, labels[1], table, "x", "y", color, points=False))
    return series
