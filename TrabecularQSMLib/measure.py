"""Statistics of maps in regions, as rows of one tidy table."""

import csv
import io
from pathlib import Path

import numpy as np

from .errors import InputError
from .nifti import geometry_difference, read_image, read_metadata
from .outputs import find_maps
from .quantities import ALL_QUANTITIES

COLUMNS = ("case", "region", "quantity", "unit", "n", "mean", "sd", "median", "q25", "q75", "min", "max", "excluded")
_ONLY_IN_MASK = ("chi", "local_field", "total_field")
_NOT_MEASURED = ("mask", "reliability")


def measure(
    maps: dict[str, np.ndarray],
    labels: np.ndarray,
    names: dict[int, str],
    *,
    case: str,
    units: dict[str, str] | None = None,
) -> list[dict]:
    """Return one row of statistics for each region and quantity.

    Parameters
    ----------
    maps : dict of str to (K, J, I) array
        Quantity name to map. ``reliability`` and ``mask``, where present, say which voxels count.
    labels : (K, J, I) int array
        Region of each voxel, 0 for none.
    names : dict of int to str
        Label to region name.
    case : str
        First column.
    units : dict of str to str, optional
        Unit of each map whose name is no quantity of `ALL_QUANTITIES`.

    Returns
    -------
    list of dict
        With the keys of `COLUMNS`. `excluded` counts the region's voxels that are left out and not in `n`: those of
        reliability 0, those whose value is not finite and, for χ and the fields in ppm, those outside the mask.
        `sd` has n − 1 in the denominator; statistics that too few voxels leave undefined are None.

    Raises
    ------
    InputError
        If there is no region, one is empty, none lies where the maps hold reliable values, or shapes differ.
    """
    for name, array in maps.items():
        if array.shape != labels.shape:
            raise InputError(f"`labels` has shape {labels.shape} but the map {name} has {array.shape}; give one grid.")
    if not names:
        raise InputError("The segmentation holds no region; draw at least one.")
    reliable = maps["reliability"] > 0 if "reliability" in maps else np.ones(labels.shape, bool)
    mask = maps["mask"] != 0 if "mask" in maps else np.ones(labels.shape, bool)
    measured = [name for name in maps if name not in _NOT_MEASURED]
    rows = []
    for label, region in names.items():
        inside = labels == label
        size = int(np.count_nonzero(inside))
        if size == 0:
            raise InputError(f"The region {region!r} (label {label}) is empty; draw it or remove it.")
        for name in measured:
            values = maps[name][inside]
            counts = reliable[inside] & np.isfinite(values)
            if name in _ONLY_IN_MASK:
                counts &= mask[inside]
            statistics = _statistics(values[counts].astype(np.float64))
            unit = ALL_QUANTITIES[name].unit if name in ALL_QUANTITIES else (units or {})[name]
            row = {"case": case, "region": region, "quantity": name, "unit": unit, **statistics}
            rows.append({**row, "excluded": size - statistics["n"]})
    if rows and not any(row["n"] for row in rows):
        raise InputError(
            f"All regions lie outside of where the maps of {case} hold reliable values; move them into the body."
        )
    return rows


def measure_files(folder, regions) -> list[dict]:
    """Return the rows of `measure` for every scan whose maps lie below `folder`, with the regions of a label map.

    Parameters
    ----------
    folder : path
        What ``reconstruct`` or ``phantom`` wrote.
    regions : path
        Label map on the maps' grid. Names come from a BIDS ``.tsv`` beside it, or from the header of Slicer's
        ``.seg.nrrd``; labels without a name are "label 1" and so on.

    Raises
    ------
    InputError
        If there are no maps, the label map is on another grid, or a region is empty.
    """
    if not Path(folder).is_dir():
        raise InputError(f"{folder} is not a folder; give the folder that reconstruct wrote.")
    scans = find_maps(folder)
    if not scans:
        raise InputError(f"{folder} holds no map such as sub-01_Chimap.nii.gz; give the folder that reconstruct wrote.")
    labels, affine, names = read_regions(regions)
    rows = []
    for case, paths in scans.items():
        maps = {}
        for name, path in paths.items():
            maps[name], its_affine = read_image(path)
            check_regions_grid(regions, labels, affine, path, maps[name].shape, its_affine)
        rows += measure(maps, labels, names, case=case)
    return rows


def read_regions(path) -> tuple[np.ndarray, np.ndarray, dict[int, str]]:
    """Read a label map: integer labels (K, J, I), affine (i, j, k → RAS), and names by label."""
    path = Path(path)
    array, affine = read_image(path)
    if not np.all(np.isfinite(array)) or np.any(array != np.round(array)) or np.any(array < 0):
        raise InputError(f"{path} holds values that are not whole numbers from 0; export the segmentation as labels.")
    labels = array.astype(np.int32)
    names = _names_beside(path) or _names_in_header(path)
    for label in np.unique(labels).tolist():
        if label:
            names.setdefault(label, f"label {label}")
    names = {label: names[label] for label in sorted(names)}
    if not names:
        raise InputError(f"{path} holds no region; draw at least one.")
    if len(set(names.values())) < len(names):
        raise InputError(f"{path} has two regions of the same name among {', '.join(names.values())}; rename one.")
    return labels, affine, names


def check_regions_grid(path, labels, affine, other, shape, other_affine) -> None:
    """Raise `InputError` if a label map is not on the grid of `other`, of `shape` and `other_affine`."""
    difference = geometry_difference(shape, other_affine, labels.shape, affine)
    if difference:
        raise InputError(
            f"The regions {path} are not on the grid of {Path(other).name}: {difference}; "
            "export the segmentation with the map as reference."
        )


def csv_text(columns, rows: list[dict]) -> str:
    """Return rows as CSV with plain newlines; the same numbers give the same text."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row[column]) for column in columns] for row in rows)
    return text.getvalue()


def _statistics(values):
    keys = ("mean", "sd", "median", "q25", "q75", "min", "max")
    if values.size == 0:
        return {"n": 0, **dict.fromkeys(keys)}
    low, q25, median, q75, high = np.quantile(values, (0, 0.25, 0.5, 0.75, 1)).tolist()
    deviation = float(values.std(ddof=1)) if values.size > 1 else None
    numbers = (float(values.mean()), deviation, median, q25, q75, low, high)
    return {"n": int(values.size), **dict(zip(keys, numbers, strict=True))}


def _cell(value):
    if value is None:
        return ""
    # Seven digits: all that float32 maps hold.
    return f"{value:.7g}" if isinstance(value, float) else str(value)


def _names_beside(path):
    """Names of a BIDS dseg.tsv (columns index and name) beside the label map."""
    table = path.with_name(path.name.removesuffix(".gz").removesuffix(path.suffix).removesuffix(".nii") + ".tsv")
    if not table.is_file():
        return {}
    try:
        with open(table, encoding="utf-8-sig", newline="") as file:
            rows = [(int(row["index"]), row["name"]) for row in csv.DictReader(file, delimiter="\t")]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{table} is not a table of labels; expected tab-separated columns index and name.") from error
    return {label: name for label, name in rows if label}


def _names_in_header(path):
    """Names of the segments of a .seg.nrrd written by Slicer."""
    metadata = read_metadata(path)
    names = {}
    for key, name in metadata.items():
        if key.startswith("Segment") and key.endswith("_Name"):
            names[int(metadata.get(key.removesuffix("_Name") + "_LabelValue", 0))] = name
    names.pop(0, None)
    return names
