"""Regression of quantities in tables: estimates and points as tables, and the pair plot as a chart."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..analysis.regression import Regression, regress_pairs
from ..analysis.tables import Pairs, Table, pair_up
from ..errors import InputError
from ..figures.regression import Panel, regression_figure
from ..figures.style import FORMATS
from ..files.writing import write_files
from ..quantities import ALL_QUANTITIES
from .folders import resultFolder
from .tables import LINE_COLOR, Column, addChart, addSeries, addTable, lookOf, rowsFromTable
from .volumes import freeName, mapName

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
    :param subject: column that says whose a row is; by default case, subject or participant_id, where there is one.
    :param pair: the two groups whose differences are regressed; needed where there are more than two.
    :param exclude: rows that are left out, each as a dictionary of column to value.
    :param name: start of the names of the nodes; by default y over x in words.
    :raises InputError: if a name is unknown, a row has no partner or no number, or there are fewer than three pairs.
    """
    pairs, found = _regressed(tables, x, y, group, subject, pair, exclude)
    words = [_words(label) for label in (pairs.x_label, pairs.y_label)]
    name = freeName(name or " over ".join(word.partition(" [")[0] for word in reversed(words)), " regression")
    colors = _colorWords(found, pairs)
    with resultFolder(f"{name} regression") as put:
        table = put(addTable(f"{name} estimates", _estimates(found, pairs, colors)))
        table.SetAttribute(RESULT_ATTRIBUTE, json.dumps(found.as_dict()))
        points = put(addTable(f"{name} points", _points(found, pairs, x, y, colors)))
        chart = _addChart(put, found, pairs, name, words)
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
    return pairs, regress_pairs(pairs, pair=pair)


# What quantities are called in names and charts, beside those of maps.
_QUANTITY_WORDS = {"true_bvtv": "true BV/TV", "ct": "CT", "bmd": "bone mineral density"}


def _words(label):
    """A label such as "chi [ppm]" in the words of the field."""
    name, bracket, unit = label.partition(" [")
    if name in ALL_QUANTITIES:
        return mapName(name).partition(" [")[0] + bracket + unit
    return _QUANTITY_WORDS.get(name, name) + bracket + unit


def _colorWords(found, pairs):
    """Name of each series to the word for its color in the chart; nothing where there is one alone."""
    names = dict.fromkeys(found.series(pairs.groups, pairs.subjects)[0])
    return {name: lookOf(number)[2] for number, name in enumerate(names)} if len(names) > 1 else {}


def _estimates(found, pairs, colors):
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
    unit = _slopeUnit(pairs)
    slope, y = f"{pairs.y_label} per {pairs.x_label}", pairs.y_label
    abouts = {
        "n": ("rows", "Pairs that count"),
        "slope": (unit, f"Slope, {slope}"),
        "intercept": (_unit(pairs.y_label), f"{y} where x is 0"),
        "r2": ("1", "Share of the variance that the line explains"),
        "p": ("1", "Probability of such a slope if there were none"),
        "slope_se": (unit, "Standard error of the slope"),
    }
    columns = [Column("estimate", list(lines), "", "Which rows the line goes through")]
    if colors:
        drawn = [colors.get(name.removeprefix("within ").removeprefix("subject "), "") for name in lines]
        drawn[0] = "black"
        columns.append(Column("color", drawn, "", "Of the line in the chart"))
    for column, (itsUnit, description) in abouts.items():
        values = [getattr(line, column, None) for line in lines.values()]
        columns.append(Column(column, values, itsUnit, description, title=_TITLES.get(column, column)))
    for number, end in enumerate(("low", "high")):
        values = [line.slope_ci[number] for line in lines.values()]
        description = "Limit of the 95 % confidence interval of the slope"
        columns.append(Column(f"slope_{end}", values, unit, description, title=f"slope, 95 % {end}"))
    return columns


_TITLES = {"r2": "R²", "slope_se": "slope, SE"}


def _unit(label):
    return label.partition(" [")[2].removesuffix("]")


def _slopeUnit(pairs):
    x, y = _unit(pairs.x_label), _unit(pairs.y_label)
    return f"{y or '1'}/({x})" if x else y


def _points(found, pairs, x, y, colors):
    columns = []
    for column, texts in (("subject", pairs.subjects), ("group", pairs.groups)):
        if texts is not None:
            columns.append(Column(column, texts))
    if colors:
        names, _ = found.series(pairs.groups, pairs.subjects)
        columns.append(Column("color", [colors[name] for name in names], "", "Of the point in the chart"))
    return [
        *columns,
        Column(f"x {x}", pairs.x, _unit(pairs.x_label), pairs.x_label),
        Column(f"y {y}", pairs.y, _unit(pairs.y_label), pairs.y_label),
        Column("cooks_distance", found.cooks_distance, "1", "How far the row moves the pooled line; look above 4/n"),
    ]


def _addChart(put, found, pairs: Pairs, name, words):
    names, lines = found.series(pairs.groups, pairs.subjects)
    names = np.array(names)
    series = []
    for number, one in enumerate(dict.fromkeys(names.tolist())):
        chosen, (color, marker, _) = names == one, lookOf(number)
        x, label = pairs.x[chosen], one or "rows"
        table = put(addTable(f"{name} {label}", [Column("x", x), Column("y", pairs.y[chosen])], hidden=True))
        series.append(addSeries(put, label, table, "x", "y", color, line=False, size=9))
        series[-1].SetMarkerStyle(marker)
        if one in lines:
            own, ends = lines[one], np.array([x.min(), x.max()])
            columns = [Column("x", ends), Column("line", own.at(ends))]
            table = put(addTable(f"{name} {label} line", columns, hidden=True))
            series.append(addSeries(put, f"its line, R² {own.r2:.2f}", table, "x", "line", color, points=False))
            series[-1].SetLineStyle(series[-1].LineStyleDash)
    along = np.linspace(pairs.x.min(), pairs.x.max(), _LINE_POINTS)
    low, high = found.pooled.band(along)
    columns = [Column("x", along), Column("line", found.pooled.at(along))]
    table = put(addTable(f"{name} line", columns, hidden=True))
    series.append(addSeries(put, f"pooled, R² {found.pooled.r2:.2f}", table, "x", "line", LINE_COLOR, points=False))
    # Both limits are one line, there and back, which breaks where there is no number.
    columns = [
        Column("x", np.concatenate([along, along[-1:], along[::-1]])),
        Column("band", np.concatenate([low, [np.nan], high[::-1]])),
    ]
    table = put(addTable(f"{name} band", columns, hidden=True))
    series.append(addSeries(put, "95 % band", table, "x", "band", LINE_COLOR, points=False))
    series[-1].SetLineStyle(series[-1].LineStyleDash)
    title = f"{words[1].partition(' [')[0]} over {words[0].partition(' [')[0]} (n = {found.pooled.n})"
    return addChart(put, f"{name} chart", title[0].upper() + title[1:], series, *words)
