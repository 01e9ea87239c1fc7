"""A protocol on simulated bone: the whole way from trabeculae to maps, and what conditions change, as nodes."""

import json
from typing import NamedTuple

from ..progress import Progress, part, report
from ..protocol.bone import bone_notes
from ..protocol.chain import COLUMNS as CHAIN_COLUMNS
from ..protocol.chain import QUANTITIES, TRUTHS, ChainLine, ChainSettings, chain_lines, run_chain
from ..protocol.settings import ProtocolSettings
from ..protocol.sweep import COLUMNS as SWEEP_COLUMNS
from ..protocol.sweep import SweepSettings, condition_text, means_over_repeats, panels, run_sweep, sorted_rows
from .alive import keepAlive
from .echoes import addNotes
from .folders import resultFolder
from .protocol import SETTINGS_ATTRIBUTE
from .tables import COLORS, LINE_COLOR, Column, addChart, addSeries, addTable, columnsOf
from .volumes import freeName

# Unit, description and title of the columns.
_ABOUT = {
    "bvtv": ("1", "Share of the block that is bone", "BV/TV"),
    "bvtv_wanted": ("1", "The same as it was asked for", "BV/TV wanted"),
    "repeat": ("", "Which of the random geometries", ""),
    "voxels": ("", "Voxels of the scan one voxel inside the block", ""),
    "chi_true": ("ppm", "Susceptibility that was simulated", "true χ"),
    "chi": ("ppm", "Susceptibility that is measured", "χ"),
    "chi_sd": ("ppm", "Standard deviation over the voxels", "χ, SD"),
    "r2star_noiseless": ("1/s", "What the same echoes show without noise", "R2* without noise"),
    "r2star": ("1/s", "R2* that is measured", "R2*"),
    "r2star_sd": ("1/s", "Standard deviation over the voxels", "R2*, SD"),
    "pdff_true": ("1", "Fat fraction that was simulated", "true fat fraction"),
    "pdff": ("1", "Fat fraction that is measured", "fat fraction"),
    "pdff_sd": ("1", "Standard deviation over the voxels", "fat fraction, SD"),
    "reliable": ("1", "Share of the voxels whose fit can be trusted", ""),
    "field_strength": ("T", "Of the scanner", ""),
    "voxel_mm": ("mm", "Edge of the cubic voxels", "voxel"),
    "b0_degrees": ("°", "Angle between B0 and S, towards R", "B0"),
    "train": ("ms", "Echo times", "echoes"),
    "r2prime": ("1/s", "R2* less R2", "R2′"),
    "pdff_bias": ("1", "Fat fraction that is measured less the true one", "bias of the fat fraction"),
}
_AXES = {"chi": "χ [ppm]", "r2star": "R2* [1/s]", "pdff": "Fat fraction", "pdff_bias": "Bias of the fat fraction"}
_WORDS = {"chi": "susceptibility", "r2star": "R2*", "pdff": "fat fraction", "pdff_bias": "fat fraction bias"}
_TRUE = {"chi": "true", "r2star": "without noise", "pdff": "true"}
_SWEPT = ("r2star", "pdff_bias", "chi")
_CONDITIONS = {"field_strength": "field strengths", "voxel_mm": "voxels", "b0_degrees": "angles", "train": "echoes"}


class ChainNodes(NamedTuple):
    """A chain in the scene: its table, charts over BV/TV by quantity, the rows, and the lines over BV/TV.

    `notes` are those on bone and of the reconstructions, one sentence each.
    """

    table: object
    charts: dict[str, object]
    rows: list[dict]
    lines: list[ChainLine]
    notes: list[str]


class SweepNodes(NamedTuple):
    """A sweep in the scene: its table, and charts over BV/TV by condition and quantity; `notes` on its bone."""

    table: object
    charts: dict[tuple[str, str], object]
    rows: list[dict]
    notes: list[str]


def chainNodes(
    settings: ProtocolSettings, chain: ChainSettings, *, name: str = "chain", progress: Progress | None = None
) -> ChainNodes:
    """Scan blocks of simulated trabeculae with a protocol, reconstruct and measure them: a table with charts.

    Nothing is left in the scene if it fails or is cancelled.

    :param settings: the protocol.
    :param chain: bone and reconstruction.
    :param name: start of the names of the nodes.
    :param progress: ``progress(fraction, message)``; what it raises stops the work.
    :raises InputError: as `protocol.chain.run_chain`.
    """
    (rows, notes), name = _measure(lambda told: run_chain(settings, chain, progress=told), name, progress)
    lines, notes = chain_lines(rows), [*bone_notes(chain.bone), *notes]
    with resultFolder(name) as put:
        table = _table(put, f"{name} table", CHAIN_COLUMNS, rows, settings, chain.as_dict())
        addNotes(table, notes)
        found = {line.quantity: line for line in lines}
        charts = {quantity: _measured(put, rows, found.get(quantity), quantity, name) for quantity in QUANTITIES}
    return ChainNodes(table, charts, rows, lines, notes)


def sweepNodes(
    settings: ProtocolSettings, sweep: SweepSettings, *, name: str = "sweep", progress: Progress | None = None
) -> SweepNodes:
    """Measure blocks of simulated trabeculae under every combination of conditions: a table with charts.

    Nothing is left in the scene if it fails or is cancelled.

    :param settings: the protocol.
    :param sweep: bone and conditions.
    :param name: start of the names of the nodes.
    :param progress: ``progress(fraction, message)``; what it raises stops the work.
    :raises InputError: as `protocol.sweep.run_sweep`.
    """

    def run(told):
        return sorted_rows(row for some in run_sweep(settings, sweep, progress=told) for row in some)

    rows, name = _measure(run, name, progress)
    notes = bone_notes(sweep.bone)
    with resultFolder(name) as put:
        trains = [" ".join(f"{1e3 * time:g}" for time in train) for train in sweep.trains]
        listed = [row | {"train": trains[row["train"]]} for row in rows]
        table = _table(put, f"{name} table", SWEEP_COLUMNS, listed, settings, sweep.as_dict())
        addNotes(table, notes)
        charts = {
            (panel.condition, quantity): _varied(put, panel, quantity, name, sweep.varied())
            for panel in panels(rows, sweep.varied(), settings)
            for quantity in _SWEPT
        }
    return SweepNodes(table, charts, rows, notes)


def _measure(run, name, progress):
    """What `run` gives, and a name for it that no node of the scene has."""
    found = keepAlive(run, part(progress, 0.0, 0.98))
    report(progress, 1.0, "Measured the blocks")
    return found, freeName(name, "", " table")


def _table(put, name, columns, rows, settings, others):
    about = {
        column: Column(column, (), unit, text, title=title)
        for column in columns
        for unit, text, title in (_ABOUT[column],)
    }
    table = put(addTable(name, columnsOf(rows, about)))
    table.SetAttribute(SETTINGS_ATTRIBUTE, json.dumps({"protocol": settings.as_dict(), **others}))
    return table


def _measured(put, rows, line, quantity, name):
    """Chart of a quantity of blocks over BV/TV, measured and true, with a line through what is measured."""
    x, word = [row["bvtv"] for row in rows], _WORDS[quantity]
    series = []
    for label, key, color in ((_TRUE[quantity], TRUTHS[quantity], COLORS[1]), ("measured", quantity, COLORS[0])):
        points = _points(put, f"{name} {word} {label}", x, [row[key] for row in rows])
        series.append(addSeries(put, label, points, "x", "y", color, line=False, size=9))
    title = f"{word[0].upper()}{word[1:]} over BV/TV"
    if line is not None:
        ends = [min(x), max(x)]
        points = _points(put, f"{name} {word} line", ends, [line.intercept + line.slope * end for end in ends])
        series.append(addSeries(put, f"slope {line.slope:.3g}", points, "x", "y", LINE_COLOR, points=False))
    return addChart(put, f"{name} {word}", title, series, "BV/TV", _AXES[quantity])


def _varied(put, panel, quantity, name, varied):
    """Chart of a quantity over BV/TV, one line of means over the repeats for each value of a condition."""
    condition, word = panel.condition, _WORDS[quantity]
    series = []
    for number, (value, rows) in enumerate(panel.by_value().items()):
        label = condition_text(condition, value)
        x, y = means_over_repeats(rows, quantity)
        points = _points(put, f"{name} {word} {label}", x, y)
        series.append(addSeries(put, label, points, "x", "y", COLORS[number % len(COLORS)]))
    if quantity == "chi":
        true = sorted({(row["bvtv"], row["chi_true"]) for row in panel.rows})
        points = _points(put, f"{name} {word} true {condition}", *map(list, zip(*true, strict=True)))
        series.append(addSeries(put, "true", points, "x", "y", LINE_COLOR, points=False))
    held = ", ".join(condition_text(*one) for one in panel.held.items() if one[0] in varied)
    title = f"{word[0].upper()}{word[1:]} {f'({held})' if held else 'over BV/TV'}"
    return addChart(put, f"{name} {word} {_CONDITIONS[condition]}", title, series, "BV/TV", _AXES[quantity])


def _points(put, name, x, y):
    return put(addTable(f"{name} points", [Column("x", x), Column("y", y)], hidden=True))
