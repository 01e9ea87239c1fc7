"""Statistics of maps in segments, as rows of one table that grows case by case."""

import json
from collections.abc import Sequence

import slicer

from ..analysis.measure import COLUMNS, measure
from ..errors import InputError
from ..progress import Progress, report
from ..quantities import QUANTITIES
from ..study.measure import on_measured
from .echoes import NOTES_ATTRIBUTE, addNotes
from .folders import resultFolder, sameFolder
from .reconstruct import CHI_NOISE_ATTRIBUTE
from .regions import notesOnPartsOutside, regionsFromSegmentation
from .tables import (
    DERIVATION_PROPERTY,
    QUANTITY_PROPERTY,
    Column,
    addTable,
    appendRows,
    checkColumns,
    columnsOf,
    rowsFromTable,
)
from .volumes import checkVolume, codedEntry, gridDifference, quantityOf

# What tells one row from another.
KEY = ("case", "region", "quantity")
# Columns that a table of maps shares with those of CT: description and codes as Slicer's Segment Statistics has them.
_ABOUT = {
    "case": ("Patient or scan", None),
    "region": ("Name of the segment", None),
    "quantity": ("What the map shows", None),
    "unit": ("Unit of the quantity, in which mean to max are", None),
    "n": ("Voxels that count", (QUANTITY_PROPERTY, "99QIICR", "nvoxels", "Number of voxels")),
    "mean": ("Mean", (DERIVATION_PROPERTY, "SCT", "373098007", "Mean")),
    "sd": ("Standard deviation, with n − 1", (DERIVATION_PROPERTY, "SCT", "386136009", "Standard Deviation")),
    "median": ("Median", (DERIVATION_PROPERTY, "SCT", "373099004", "Median")),
    "q25": ("Lower quartile", None),
    "q75": ("Upper quartile", None),
    "min": ("Minimum", (DERIVATION_PROPERTY, "SCT", "255605001", "Minimum")),
    "max": ("Maximum", (DERIVATION_PROPERTY, "SCT", "56851009", "Maximum")),
    "excluded": ("Voxels of the region that are left out as unreliable, outside the mask or not finite", None),
    "se": ("Standard error of the mean by noise, where the scan has a map of standard deviations", None),
}
_COUNTS = ("n", "excluded")
_TITLES = {"sd": "SD", "se": "SE of the mean", "q25": "lower quartile", "q75": "upper quartile"}
# Maps that say which voxels of the others count, and how large their noise is.
_SUPPORTING = tuple(name for name, quantity in QUANTITIES.items() if not quantity.measured)


def measureNodes(
    volumes,
    segmentation,
    *,
    case: str,
    table=None,
    name: str | None = None,
    progress: Progress | None = None,
):
    """Measure maps in every segment and return the table, one row for each region and quantity.

    Segments are resampled to the nearest neighbor on each map's own grid, and transforms of maps and segmentation
    are followed. Maps of reliability and mask in the same folder of the scene, or among those given, say which voxels
    count, those of standard deviations give the error of the means. Scans are told apart by their case: rows that are
    replaced by other values, and regions without reliable values, are told in the table's attribute `NOTES_ATTRIBUTE`.
    Nothing changes if it fails or is cancelled.

    :param volumes: scalar volumes, or a dictionary of them such as `reconstructNodes` returns. A volume without a
        quantity of this extension goes by its own name.
    :param segmentation: the regions.
    :param case: patient or scan, the first column.
    :param table: table of an earlier run to which rows are added; rows of the same case, region and quantity are
        replaced. A new one by default.
    :param name: name of a new table.
    :param progress: ``progress(fraction, message)``; what it raises stops the run.
    :raises InputError: if a region has no voxel on a map's grid, or the maps hold no reliable value there.
    """
    checkColumns(table, COLUMNS)
    volumes = list(volumes.values() if isinstance(volumes, dict) else volumes)
    for volume in volumes:
        checkVolume(volume, "map")
    measured = [volume for volume in volumes if quantityOf(volume)[0] not in _SUPPORTING]
    if not measured:
        raise InputError(
            "There is no map to measure; choose at least one beside mask, reliability and standard deviations."
        )
    _checkNames(measured)
    rows, seen, outside = [], [], []
    for number, volume in enumerate(measured):
        report(progress, number / len(measured), f"Measuring {volume.GetName()}")
        quantity, unit = quantityOf(volume)
        beside = _supportingVolumes(volume, volumes)
        maps = {name: slicer.util.arrayFromVolume(one) for name, one in {quantity: volume, **beside}.items()}
        labels, names = regionsFromSegmentation(segmentation, volume)
        seen.append((maps, labels, volume.GetSpacing()[::-1]))
        outside = outside or notesOnPartsOutside(segmentation, volume, labels, names)
        try:
            rows += measure(maps, labels, names, case=case, units={quantity: unit}, chi_noise=_chiNoise(beside))
        except InputError as error:
            raise InputError(f"{volume.GetName()} with {segmentation.GetName()}: {error}") from error
    report(progress, 1.0, "Measured")
    table = addRows(rows, table, name or "Region statistics")
    addNotes(table, [*outside, *on_measured(rows, seen)])
    return table


def addRows(rows: list[dict], table, name: str):
    """Add rows of statistics to a table, and return it.

    :param rows: with the keys of `measure.COLUMNS`.
    :param table: where they are added, replacing rows of the same case, region and quantity; a new one where it is None
        or was removed meanwhile.
    :param name: name of a new table.
    """
    columns = columnsOf(rows, {name: _column(name) for name in COLUMNS})
    if isGone(table):
        with resultFolder("Measurements") as put:
            return put(addTable(name, columns))
    addToTable(table, columns, KEY)
    return table


def isGone(table) -> bool:
    """Return whether there is no table to add to, or it was removed from the scene while rows were computed.

    :param table: table node or None.
    """
    return table is None or table.GetScene() is None


def addToTable(table, columns: Sequence[Column], key: Sequence[str]) -> None:
    """Add rows of one case to a table, and note in it if they took the place of other values, or count a region twice.

    :param table: table of an earlier run of the step.
    :param columns: the new rows, column by column, one of them the case.
    :param key: names of the columns that tell rows apart.
    """
    replaced = appendRows(table, columns, key)
    case = next(column.values[0] for column in columns if column.name == "case")
    note = f"Other values of case {case} are replaced (rows: {replaced}); another scan needs a case of its own."
    table.SetAttribute(NOTES_ATTRIBUTE, note if replaced else None)
    regions = next(column.values for column in columns if column.name == "region")
    if twice := _formerNames(rowsFromTable(table), case, set(regions)):
        note = "the same values stand under another name now; delete the rows of the former one, or they count twice."
        addNotes(table, [f"{', '.join(twice)} of case {case}: {note}"])


def _formerNames(rows, case, regions):
    """Regions of a case that are not among those measured now, but have all the values of one of these."""
    alike = {}
    for row in rows:
        if row["case"] == case and row["n"]:
            alike.setdefault(tuple(value for name, value in row.items() if name != "region"), []).append(row["region"])
    return sorted({one for same in alike.values() if regions & {*same} for one in same if one not in regions})


def _column(name):
    description, code = _ABOUT[name]
    unit = "voxels" if name in _COUNTS else ""
    codes = {code[0]: codedEntry(*code[1:]).GetAsString()} if code else {}
    return Column(name, (), unit, description, codes, _TITLES.get(name, ""))


def _checkNames(volumes):
    seen = {}
    for volume in volumes:
        quantity = quantityOf(volume)[0]
        if quantity in seen:
            raise InputError(
                f"{seen[quantity]} and {volume.GetName()} are both maps of {quantity}; choose one for each case."
            )
        seen[quantity] = volume.GetName()


def _supportingVolumes(volume, given):
    """Reliability, mask and noise on the grid of a volume: those given, or else those in its folder."""
    found = {}
    for other in (*sameFolder(volume), *given):  # the later ones win
        quantity = quantityOf(other)[0]
        if quantity in _SUPPORTING and other is not volume and not gridDifference(volume, other):
            found[quantity] = other
    return found


def _chiNoise(volumes):
    """How noise of χ averages over voxels, as the map of its standard deviation says."""
    said = volumes["sigma_chi"].GetAttribute(CHI_NOISE_ATTRIBUTE) if "sigma_chi" in volumes else None
    return json.loads(said) if said else None
