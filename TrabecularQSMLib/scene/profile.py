"""Values of maps along a line, as a table with charts (Figure 3 of the paper)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import slicer

from ..analysis.profile import line_profile
from ..errors import InputError, counted
from ..progress import Progress, part, report
from ..quantities import ALL_QUANTITIES
from .alive import keepAlive
from .folders import resultFolder
from .tables import COLORS, Column, addChart, addSeries, addTable
from .volumes import (
    affineFromVolume,
    checkClass,
    checkVolume,
    controlPoints,
    freeName,
    mapName,
    pointsInVolume,
    quantityOf,
)


class ProfileNodes(NamedTuple):
    """Profiles in the scene: one table for each volume, one chart for each unit."""

    tables: list
    charts: list


def profileNodes(
    volumes: Sequence,
    line,
    *,
    step: float | None = None,
    name: str | None = None,
    progress: Progress | None = None,
) -> ProfileNodes:
    """Return values of volumes along a line, as tables and charts in a folder.

    :param volumes: scalar volumes on any grids; the transforms above them are followed.
    :param line: markups line or curve.
    :param step: distance of the samples in mm; by default as `analysis.profile.line_profile` chooses.
    :param name: start of the names of the nodes; by default that of the line.
    :param progress: ``progress(fraction, message)``; what it raises stops the run.
    :raises InputError: if the line has fewer than two points, or lies outside a volume.
    """
    volumes = list(volumes)
    if not volumes:
        raise InputError("There is no volume for the line profile; choose at least one.")
    for volume in volumes:
        checkVolume(volume)
    points, name = _worldPoints(line), name or line.GetName()
    found = []
    for number, volume in enumerate(volumes):
        one = part(progress, number / len(volumes), (number + 1) / len(volumes))
        report(one, 0.0, f"Sampling {volume.GetName()}")
        try:
            found.append(keepAlive(_sampling(volume, points, step), one))
        except InputError as error:
            raise InputError(f"{line.GetName()} on {volume.GetName()}: {error}") from error
    tables, seriesByUnit = [], {}
    quantities = [quantityOf(volume)[0] for volume in volumes]
    name = freeName(name, " profile")
    with resultFolder(f"{name} profile", line) as put:
        for number, (volume, (distance, values)) in enumerate(zip(volumes, found, strict=True)):
            quantity, unit = quantityOf(volume)
            columns = [
                Column("distance", distance, "mm", "Distance from the first point of the line"),
                Column(quantity, values, unit, f"Value of {volume.GetName()}", title=_title(quantity)),
            ]
            tables.append(put(addTable(f"{name} profile of {volume.GetName()}", columns)))
            color = COLORS[number % len(COLORS)]
            shown = _title(quantity) if quantities.count(quantity) == 1 else volume.GetName()
            one = addSeries(put, shown, tables[-1], "distance", quantity, color, points=False)
            seriesByUnit.setdefault(unit, []).append(one)
        charts = []
        for unit, series in seriesByUnit.items():
            shown = unit or "a.u."
            of = f"{name} profile chart" + ("" if shown == "1" else f" [{shown}]")
            charts.append(
                addChart(put, of, name, series, "Distance [mm]", "Value" if shown == "1" else f"Value [{shown}]")
            )
    report(progress, 1.0, "Sampled")
    return ProfileNodes(tables, charts)


def _sampling(volume, points, step):
    """What `keepAlive` does for a volume: nodes are read here, by the thread that may."""
    array, affine = slicer.util.arrayFromVolume(volume), affineFromVolume(volume)
    inVolume = pointsInVolume(points, volume)
    return lambda progress: line_profile(array, affine, inVolume, step=step)


def _title(quantity):
    return mapName(quantity).partition(" [")[0] if quantity in ALL_QUANTITIES else quantity


def _worldPoints(line):
    checkClass(line, "vtkMRMLMarkupsNode", "a line or curve", "choose one that was placed on the image")
    placed = line.GetNumberOfDefinedControlPoints()
    if placed < 2:
        raise InputError(f"{line.GetName()} has {counted(placed, 'placed point')}; place at least two.")
    if line.IsA("vtkMRMLMarkupsCurveNode"):
        return slicer.util.arrayFromMarkupsCurvePoints(line, world=True)
    points = controlPoints(line)
    return points[np.isfinite(points[:, 0])]
