"""Regression of quantities in tables: estimates and points as tables, and the pair plot as a chart."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..analysis.regression import Regression, regress
from ..analysis.tables import Pairs, Table, pair_up
from ..errors import InputError
from ..figures.regression import FORMATS, Panel, regression_figure
from ..files.writing import write_files
from .folders import resultFolder
from .tables import COLORS, LINE_COLOR, Column, addChart, addSeries, addTable, rowsFromTable
from .volumes import freeName

# The result as JSON, such as the command line writes it; saved with the scene.
RESULT_ATTRIBUTE = "TrabecularQSM.Regression"
# Points of the line and its band in the chart.
_LINE_POINTS = 41


class RegressionNodes(NamedTuple):
    """A regression in the scene; `result` is that of the library, with its warnings."""

    table: object
    points: object
    chart: object
    result: Regression


def regressNodes(
    tables: Sequence,
    x: str,
    y: str,
    *,
    group: str | None = None,
    subject: str | None = None,
    pair: tuple[str, str] | None = None,
    exclude: Sequence[dict[str, str]] = (),
    name: str | None = None,
) -> RegressionNodes:
    """Regress y on x and return estimates, points with Cook's distance and a chart, in a folder.

    :param tables: table nodes, such as those of `measureNodes` and `bvtvNodes`; they are joined on case and region.
    :param x: column, or quantity of a table of maps, whose mean is taken; "table:name" where several tables have it.
    :param y: the same.
    :param group: column that tells groups apart; by default region or label, where there is one.
    :param subject: column that says whose a row is; by default case or subject, where there is one.
    :param pair: the two groups whose differences are regressed; needed where there are more than two.
    :param exclude: rows that are left out, each as a dictionary of column to value.
    :param name: start of the names of the nodes; by default "y over x".
    :raises InputError: if a name is unknown, a row has no partner or no number, or there are fewer than three pairs.
    """
    pairs, found = _regressed(tables, x, y, group, subject, pair, exclude)
    name = freeName(name or f"{y} over {x}", " regression")
    with resultFolder(f"{name} regression") as put:
        table = put(addTable(f"{name} estimates", _estimates(found, pairs)))
        table.SetAttribute(RESULT_ATTRIBUTE, json.dumps(found.as_dict()))
        points = put(addTable(f"{name} points", _points(found, pairs, x, y)))
        chart = _addChart(put, found, pairs, name)
    return RegressionNodes(table, points, chart, found)


def saveRegressionFigure(path, tables: Sequence, x: str, y: str, **options) -> None:
    """Save the picture of a regression.

    :param path: file whose name ends with .png or .svg.
    :param tables: as for `regressNodes`, like all that follow; `name` is not needed.
    :param x: column or quantity.
    :param y: column or quantity.
    :raises InputError: if there is no regression, no matplotlib, or the name has another ending.
    """
    path = Path(path)
    pictureFormat = path.suffix.lower().removeprefix(".")
    if pictureFormat not in FORMATS:
        raise InputError(f"{path.name} does not end with .{' or .'.join(FORMATS)}; choose such a name for the figure.")
    panel = Panel(*_regressed(tables, x, y, **options))
    write_files({path: regression_figure([panel], pictureFormat)})


def tableOf(tableNode) -> Table:
    """Return a table node as the library's tables are.

    :param tableNode: any table node.
    :raises InputError: if it has no rows.
    """
    rows = rowsFromTable(tableNode)
    if not rows:
        raise InputError(f"The table {tableNode.GetName()} has no rows; choose another, or measure first.")
    return Table(tableNode.GetName(), tuple(rows[0]), tuple(rows))


def _regressed(tables, x, y, group=None, subject=None, pair=None, exclude=()):
    tables = [tableOf(node) for node in tables]
    if not tables:
        raise InputError("There is no table to take values from; choose at least one.")
    pairs = pair_up(tables, x, y, group=group or None, subject=subject or None, exclude=exclude)
    return pairs, regress(pairs.x, pairs.y, groups=pairs.groups, subjects=pairs.subjects, pair=pair)


def _estimates(found, pairs):
    lines = {"pooled": found.pooled}
    lines |= {f"within {group}": line for group, line in found.within.items()}
    if found.paired:
        lines[f"paired {found.paired.groups[0]} − {found.paired.groups[1]}"] = found.paired.line
    lines |= {
        name: one
        for name, one in (
            ("within all groups", found.common),
            ("mixed, subjects", found.mixed),
            ("mixed, subjects and groups", found.mixed_within),
        )
        if one
    }
    lines |= {f"subject {subject}": line for subject, line in found.per_subject.items()}
    slope, y = f"{pairs.y_label} per {pairs.x_label}", pairs.y_label
    abouts = {
        "n": ("rows", "Pairs that count"),
        "slope": ("", f"Slope, {slope}"),
        "intercept": ("", f"{y} where x is 0"),
        "r2": ("1", "Share of the variance that the line explains"),
        "p": ("1", "Probability of such a slope if there were none"),
        "slope_se": ("", "Standard error of the slope"),
    }
    columns = [Column("estimate", list(lines), "", "Which rows the line goes through")]
    for column, (unit, description) in abouts.items():
        values = [getattr(line, column, None) for line in lines.values()]
        columns.append(Column(column, values, unit, description))
    for number, end in enumerate(("low", "high")):
        values = [line.slope_ci[number] for line in lines.values()]
        columns.append(Column(f"slope_{end}", values, "", "Limit of the 95 % confidence interval of the slope"))
    return columns


def _points(found, pairs, x, y):
    columns = []
    for column, texts in (("subject", pairs.subjects), ("group", pairs.groups)):
        if texts is not None:
            columns.append(Column(column, texts))
    return [
        *columns,
        Column(f"x {x}", pairs.x, "", pairs.x_label),
        Column(f"y {y}", pairs.y, "", pairs.y_label),
        Column("cooks_distance", found.cooks_distance, "1", "How far the row moves the pooled line; look above 4/n"),
    ]


def _addChart(put, found, pairs: Pairs, name):
    names, lines = found.series(pairs.groups, pairs.subjects)
    names = np.array(names)
    series = []
    for number, one in enumerate(dict.fromkeys(names.tolist())):
        chosen, color = names == one, COLORS[number % len(COLORS)]
        x, label = pairs.x[chosen], one or "rows"
        table = put(addTable(f"{name} {label}", [Column("x", x), Column("y", pairs.y[chosen])], hidden=True))
        series.append(addSeries(put, label, table, "x", "y", color, line=False, size=9))
        if one in lines:
            own, ends = lines[one], np.array([x.min(), x.max()])
            columns = [Column("x", ends), Column("line", own.at(ends))]
            table = put(addTable(f"{name} {label} line", columns, hidden=True))
            series.append(addSeries(put, f"{label}, R² = {own.r2:.2f}", table, "x", "line", color, points=False))
            series[-1].SetLineStyle(series[-1].LineStyleDash)
    along = np.linspace(pairs.x.min(), pairs.x.max(), _LINE_POINTS)
    low, high = found.pooled.band(along)
    columns = [Column("x", along), Column("line", found.pooled.at(along)), Column("low", low), Column("high", high)]
    table = put(addTable(f"{name} line", columns, hidden=True))
    line = f"pooled, R² = {found.pooled.r2:.2f}"
    for column, shown in (("line", line), ("low", "95 % band, low"), ("high", "95 % band, high")):
        one = addSeries(put, shown, table, "x", column, LINE_COLOR, points=False)
        if column != "line":
            one.SetLineStyle(one.LineStyleDash)
        series.append(one)
    return addChart(put, f"{name} plot", f"{name} (n = {found.pooled.n})", series, pairs.x_label, pairs.y_label)
