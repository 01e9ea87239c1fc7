"""Tables whose columns know their unit and code, and charts of their columns."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import slicer
import vtk
from slicer import vtkMRMLPlotSeriesNode, vtkMRMLTableNode
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from ..errors import InputError
from .volumes import freeName

# How Slicer's module Segment Statistics calls what a column is of, and in which way it was derived.
QUANTITY_PROPERTY, DERIVATION_PROPERTY = "DICOM.QuantityCode", "DICOM.DerivationCode"
# Of series, distinct for readers with any color vision (Okabe and Ito), and of lines fitted to them.
COLORS = ((0.0, 0.45, 0.7), (0.84, 0.37, 0.0), (0.0, 0.62, 0.45), (0.8, 0.47, 0.65), (0.9, 0.62, 0.0), (0.34, 0.7, 0.9))
LINE_COLOR = (0.2, 0.2, 0.2)


class Column(NamedTuple):
    """A column of a table: its values, texts or numbers (None for a number that there is not), and what they are.

    `codes` are coded entries as text by the name of their property, such as `QUANTITY_PROPERTY`.
    """

    name: str
    values: Sequence
    unit: str = ""
    description: str = ""
    codes: dict[str, str] = {}


def addTable(name: str, columns: Sequence[Column], *, hidden: bool = False) -> vtkMRMLTableNode:
    """Add a table to the scene.

    :param name: name of the node.
    :param columns: its columns.
    :param hidden: whether it only serves a chart, and is not among the tables that users choose from.
    """
    node = vtkMRMLTableNode()
    node.SetName(freeName(name))
    node.SetHideFromEditors(hidden)
    _fill(node, columns)
    return slicer.mrmlScene.AddNode(node)


def rowsFromTable(tableNode) -> list[dict]:
    """Return the rows of a table by the names of its columns: texts, numbers, and None where there is no number.

    :param tableNode: any table node.
    """
    columns = {column.GetName(): _values(column) for column in _vtkColumns(tableNode)}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def appendRows(tableNode, columns: Sequence[Column], key: Sequence[str]) -> None:
    """Append rows to a table; those that are there already under the same key are replaced.

    :param tableNode: table that `addTable` made with these columns; other columns stay.
    :param columns: the new rows, column by column.
    :param key: names of the columns that tell rows apart.
    :raises InputError: if the table lacks one of the columns.
    """
    old = rowsFromTable(tableNode)
    present = [column.GetName() for column in _vtkColumns(tableNode)]
    missing = [column.name for column in columns if column.name not in present]
    if present and missing:
        raise InputError(
            f"The table {tableNode.GetName()} has no column {missing[0]}, so these rows do not fit into it; "
            "choose the table of an earlier run of the same step, or a new one."
        )
    given = {column.name: column for column in columns}
    new = [dict(zip(given, row, strict=True)) for row in zip(*(column.values for column in columns), strict=True)]
    replaced = {tuple(row[name] for name in key) for row in new}
    rows = [row for row in old if tuple(row[name] for name in key) not in replaced] + new
    merged = []
    for name in present or given:
        known = given.get(name, Column(name, ()))
        merged.append(known._replace(values=[row.get(name) for row in rows]))
    with slicer.util.NodeModify(tableNode):
        _fill(tableNode, merged)


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
    :param name: name of the node, which the legend shows.
    :param table: table node of its points.
    :param x: name of the column of the horizontal axis.
    :param y: name of the column of the vertical axis.
    :param color: red, green and blue, 0 to 1.
    :param line: whether the points are connected.
    :param points: whether the points are marked.
    :param size: of the markers, in pixels.
    """
    node = put(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", name))
    node.SetAndObserveTableNodeID(table.GetID())
    node.SetPlotType(node.PlotTypeScatter)
    node.SetXColumnName(x)
    node.SetYColumnName(y)
    node.SetColor(*color)
    node.SetLineStyle(node.LineStyleSolid if line else node.LineStyleNone)
    node.SetMarkerStyle(node.MarkerStyleCircle if points else node.MarkerStyleNone)
    node.SetMarkerSize(size)
    return node


def addChart(put: Callable, name: str, title: str, series, xTitle: str, yTitle: str, *, logarithmic=(False, False)):
    """Add a chart.

    :param put: takes the new node, such as `resultFolder` gives.
    :param name: name of the node.
    :param title: what stands above the plot.
    :param series: series nodes.
    :param xTitle: what stands at the horizontal axis.
    :param yTitle: what stands at the vertical axis.
    :param logarithmic: whether the horizontal and the vertical axis are.
    """
    node = put(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotChartNode", freeName(name)))
    node.SetTitle(title)
    node.SetXAxisTitle(xTitle)
    node.SetYAxisTitle(yTitle)
    node.SetXAxisLogScale(logarithmic[0])
    node.SetYAxisLogScale(logarithmic[1])
    for one in series:
        node.AddAndObservePlotSeriesNodeID(one.GetID())
    return node


def _fill(node, columns):
    node.RemoveAllColumns()
    for column in columns:
        node.AddColumn(_vtkColumn(column))
        node.SetColumnUnitLabel(column.name, column.unit)
        node.SetColumnDescription(column.name, column.description)
        for name, code in column.codes.items():
            node.SetColumnProperty(column.name, name, code)


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
