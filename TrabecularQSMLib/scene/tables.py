"""Tables whose columns know their unit and code, and charts of their columns."""

import json
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import slicer
import vtk
from slicer import vtkMRMLPlotSeriesNode, vtkMRMLTableNode
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from ..errors import InputError
from .volumes import checkClass, followUndo, freeName

# How Slicer's module Segment Statistics calls what a column is of, and in which way it was derived.
QUANTITY_PROPERTY, DERIVATION_PROPERTY = "DICOM.QuantityCode", "DICOM.DerivationCode"
# Of series, distinct for readers with any color vision (Okabe and Ito), and of lines fitted to them.
COLORS = ((0.0, 0.45, 0.7), (0.84, 0.37, 0.0), (0.0, 0.62, 0.45), (0.8, 0.47, 0.65), (0.9, 0.62, 0.0), (0.34, 0.7, 0.9))
COLOR_WORDS = ("blue", "vermilion", "green", "pink", "amber", "light blue")
LINE_COLOR = (0.2, 0.2, 0.2)
# Tables show so many digits; their numbers in full are in this attribute, as JSON by column.
DIGITS = 4
EXACT_ATTRIBUTE = "TrabecularQSM.Exact"
# What the built-in font of VTK, which draws charts, has no letters for. Slicer's chart node takes no other font.
_WORDS = {
    "Δχ": "susceptibility difference",
    "χ": "susceptibility",
    "λ": "lambda",
    "Δ": "difference of ",
    "∇": "gradient of ",
    "σ": "sigma",
    "‖": "|",
    "′": "'",
}
# A legend covers what lies under it. It has room beside the data then, for so many names of so many letters.
LEGEND_ENTRIES, LEGEND_LETTERS, LEGEND_ROOM = 8, 20, 0.65
# Of titles, axes and legend, in pixels; a plot view has some 450 by 250 of them.
_TITLE_SIZE, _AXIS_SIZE, _LABEL_SIZE, _LEGEND_SIZE, TITLE_LETTERS = 14, 13, 11, 10, 56
_MARGIN = 0.05


class Column(NamedTuple):
    """A column of a table: its values, texts or numbers (None for a number that there is not), and what they are.

    `codes` are coded entries as text by the name of their property, such as `QUANTITY_PROPERTY`; `title` is what stands
    above the column, with the unit behind it, by default its name.
    """

    name: str
    values: Sequence
    unit: str = ""
    description: str = ""
    codes: dict[str, str] = {}
    title: str = ""


def addTable(name: str, columns: Sequence[Column], *, hidden: bool = False) -> vtkMRMLTableNode:
    """Add a table to the scene.

    :param name: name of the node.
    :param columns: its columns.
    :param hidden: whether it only serves a chart, and is not among the tables that users choose from.
    """
    node = vtkMRMLTableNode()
    followUndo(node)
    node.SetName(freeName(name))
    node.SetHideFromEditors(hidden)
    node.SetUseColumnTitleAsColumnHeader(True)
    _fill(node, columns, None if hidden else DIGITS)
    return slicer.mrmlScene.AddNode(node)


def rowsFromTable(tableNode) -> list[dict]:
    """Return the rows of a table by the names of its columns: texts, numbers, and None where there is no number.

    Numbers of `addTable` have all their digits, unless they were changed by hand.

    :param tableNode: any table node.
    :raises InputError: if it is none.
    """
    checkClass(tableNode, "vtkMRMLTableNode", "a table", "choose one")
    columns = {column.GetName(): _values(column) for column in _vtkColumns(tableNode)}
    for name, exact in json.loads(tableNode.GetAttribute(EXACT_ATTRIBUTE) or "{}").items():
        shown = columns.get(name, [])
        if len(shown) == len(exact):
            columns[name] = [
                other
                if isinstance(one, float) and other is not None and np.isclose(one, _rounded(other), 1e-9)
                else one
                for one, other in zip(shown, exact, strict=True)
            ]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def checkColumns(tableNode, names) -> list[str]:
    """Return the names of a table's columns, once rows of some columns fit into it.

    :param tableNode: table, one without columns takes any; None for a new one.
    :param names: of the columns of the rows.
    :raises InputError: if it is no table, or lacks one of them.
    """
    if tableNode is None:
        return []
    checkClass(tableNode, "vtkMRMLTableNode", "a table to add rows to", "choose one, or a new one")
    present = [column.GetName() for column in _vtkColumns(tableNode)]
    missing = [name for name in names if name not in present]
    if present and missing:
        raise InputError(
            f"The table {tableNode.GetName()} has no column {missing[0]}, so these rows do not fit into it; "
            "choose the table of an earlier run of the same step, or a new one."
        )
    return present


def appendRows(tableNode, columns: Sequence[Column], key: Sequence[str]) -> int:
    """Append rows to a table; those that are there already under the same key are replaced.

    :param tableNode: table that `addTable` made with these columns; other columns stay.
    :param columns: the new rows, column by column.
    :param key: names of the columns that tell rows apart.
    :return: how many rows that were there say something else now.
    :raises InputError: if the table lacks one of the columns.
    """
    given = {column.name: column for column in columns}
    present = checkColumns(tableNode, given)
    old = rowsFromTable(tableNode)
    new = [dict(zip(given, row, strict=True)) for row in zip(*(column.values for column in columns), strict=True)]

    def byKey(rows):
        return {tuple(row[name] for name in key): row for row in rows}

    replaced = byKey(new)
    rows = [row for row in old if tuple(row[name] for name in key) not in replaced] + new
    merged = []
    for name in present or given:
        known = given.get(name) or _described(tableNode, name)
        merged.append(known._replace(values=[row.get(name) for row in rows]))
    with slicer.util.NodeModify(tableNode):
        _fill(tableNode, merged, DIGITS)
    after = byKey(rowsFromTable(tableNode))
    return sum(row != after[one] for one, row in byKey(old).items())


def columnsOf(rows: Sequence[dict], about: dict[str, Column]) -> list[Column]:
    """Return rows as columns, in the order and with the meaning that `about` gives them.

    :param rows: dictionaries with the same keys.
    :param about: name of a column to what is known of it; its values are not used.
    """
    return [column._replace(values=[row[name] for row in rows]) for name, column in about.items()]


def addSeries(
    put: Callable, name: str, table, x: str, y: str, color, *, line: bool = True, points: bool = True, size: float = 7
) -> vtkMRMLPlotSeriesNode:
    """Add a series of a chart.

    :param put: takes the new node, such as `resultFolder` gives.
    :param name: name of the node, which the legend shows; in words where the chart has no letters for it.
    :param table: table node of its points.
    :param x: name of the column of the horizontal axis.
    :param y: name of the column of the vertical axis.
    :param color: red, green and blue, 0 to 1.
    :param line: whether the points are connected.
    :param points: whether the points are marked.
    :param size: of the markers, in pixels.
    """
    if table.GetNumberOfRows() == 1:
        # Charts draw a line through all points of a series, if an invisible one, and report an error where it is one.
        twice = [Column(column.GetName(), 2 * _values(column)) for column in _vtkColumns(table)]
        table = put(addTable(f"{table.GetName()} twice", twice, hidden=True))
    node = put(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", drawable(name, LEGEND_LETTERS)))
    node.SetAndObserveTableNodeID(table.GetID())
    node.SetPlotType(node.PlotTypeScatter)
    node.SetXColumnName(x)
    node.SetYColumnName(y)
    node.SetColor(*color)
    node.SetLineStyle(node.LineStyleSolid if line else node.LineStyleNone)
    node.SetMarkerStyle(node.MarkerStyleCircle if points else node.MarkerStyleNone)
    node.SetMarkerSize(size)
    return node


def lookOf(number: int) -> tuple:
    """Return color, style of the markers, and both in words, of the n-th of several series.

    :param number: from 0; after the last color come squares of the first one, and so on.
    """
    rounds, position = divmod(number, len(COLORS))
    node = vtkMRMLPlotSeriesNode
    marker, word = ((node.MarkerStyleCircle, ""), (node.MarkerStyleSquare, " square"))[rounds % 2]
    return COLORS[position], marker, COLOR_WORDS[position] + word


def addChart(
    put: Callable,
    name: str,
    title: str,
    series,
    xTitle: str,
    yTitle: str,
    *,
    logarithmic=(False, False),
    legend: bool = True,
):
    """Add a chart, with a legend beside the data if that is short.

    :param put: takes the new node, such as `resultFolder` gives.
    :param name: name of the node.
    :param title: what stands above the plot.
    :param series: series nodes.
    :param xTitle: what stands at the horizontal axis.
    :param yTitle: what stands at the vertical axis.
    :param logarithmic: whether the horizontal and the vertical axis are.
    :param legend: whether there is a legend; not where the colors are seen elsewhere, nor with many series or one.
    """
    node = put(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotChartNode", freeName(name)))
    node.SetTitle(drawable(title, TITLE_LETTERS))
    node.SetXAxisTitle(drawable(xTitle))
    node.SetYAxisTitle(drawable(yTitle))
    node.SetTitleFontSize(_TITLE_SIZE)
    node.SetAxisTitleFontSize(_AXIS_SIZE)
    node.SetAxisLabelFontSize(_LABEL_SIZE)
    node.SetLegendFontSize(_LEGEND_SIZE)
    legend = legend and not any(logarithmic) and 1 < len(series) <= LEGEND_ENTRIES
    node.SetLegendVisibility(legend)
    node.SetXAxisLogScale(logarithmic[0])
    node.SetYAxisLogScale(logarithmic[1])
    for one in series:
        node.AddAndObservePlotSeriesNodeID(one.GetID())
    if not logarithmic[0]:
        node.SetXAxisRangeAuto(False)
        node.SetXAxisRange(*_range(series, "GetXColumnName", LEGEND_ROOM if legend else 0.0))
    if not logarithmic[1]:
        node.SetYAxisRangeAuto(False)
        node.SetYAxisRange(*_range(series, "GetYColumnName"))
    return node


def drawable(text: str, letters: int | None = None) -> str:
    """Return a text in words for letters that charts cannot draw.

    :param text: any text.
    :param letters: how long it may be; its middle is left out otherwise.
    """
    for sign, word in _WORDS.items():
        text = text.replace(sign, word)
    if letters is None or len(text) <= letters:
        return text
    half = (letters - 1) // 2
    return f"{text[:half].rstrip()}…{text[half - letters + 1 :].lstrip()}"


def _range(series, column, room=0.0):
    """Range of an axis: the data with a margin, and room for a legend at the right."""
    values = [
        value
        for one in series
        for value in _values(one.GetTableNode().GetTable().GetColumnByName(getattr(one, column)()))
        if value is not None and np.isfinite(value)
    ]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    span = high - low or abs(high) or 1.0
    return low - _MARGIN * span, high + (_MARGIN + room) * span


def _rounded(value):
    return float(f"{value:.{DIGITS}g}")


def _behind(unit):
    return f" [{unit}]" if unit not in ("", "1") else ""


def _described(node, name):
    """A column of a table as it is described there, without its values."""
    unit, properties = node.GetColumnUnitLabel(name), (QUANTITY_PROPERTY, DERIVATION_PROPERTY)
    codes = {one: code for one in properties if (code := node.GetColumnProperty(name, one))}
    title = node.GetColumnTitle(name).removesuffix(_behind(unit))
    return Column(name, (), unit, node.GetColumnDescription(name), codes, title)


def _fill(node, columns, digits):
    """Put columns into a table; with `digits` they are shown rounded."""
    node.RemoveAllColumns()
    exact = {}
    for column in columns:
        array = _vtkColumn(column)
        if digits and array.GetDataType() == vtk.VTK_DOUBLE:
            exact[column.name] = _values(array)
            rounded = [
                value if value is None or not np.isfinite(value) else _rounded(value) for value in _values(array)
            ]
            array = _vtkColumn(column._replace(values=rounded))
        node.AddColumn(array)
        node.SetColumnTitle(column.name, (column.title or column.name.replace("_", " ")) + _behind(column.unit))
        node.SetColumnUnitLabel(column.name, column.unit)
        node.SetColumnDescription(column.name, column.description)
        for name, code in column.codes.items():
            node.SetColumnProperty(column.name, name, code)
    node.SetAttribute(EXACT_ATTRIBUTE, json.dumps(exact) if exact else None)


def _vtkColumn(column):
    values = list(column.values)
    if any(isinstance(value, str) for value in values):
        array = vtk.vtkStringArray()
        for value in values:
            array.InsertNextValue("" if value is None else str(value))
    elif values and all(isinstance(value, int | np.integer) for value in values):
        array = numpy_to_vtk(np.array(values, dtype=np.int64), deep=True)
    else:
        numbers = [np.nan if value is None else float(value) for value in values]
        array = numpy_to_vtk(np.array(numbers, dtype=np.float64), deep=True)
    array.SetName(column.name)
    return array


def _vtkColumns(tableNode):
    table = tableNode.GetTable()
    return [table.GetColumn(n) for n in range(table.GetNumberOfColumns())]


def _values(column):
    if column.IsA("vtkStringArray"):
        return [column.GetValue(n) for n in range(column.GetNumberOfValues())]
    return [None if value != value else value for value in vtk_to_numpy(column).tolist()]
