"""Statistics of maps in regions, as rows of one tidy table."""

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .analysis.resample import resample
from .errors import InputError
from .nifti import geometry_difference, read_image, read_layers, read_metadata
from .outputs import find_maps
from .quantities import ALL_QUANTITIES

COLUMNS = ("case", "region", "quantity", "unit", "n", "mean", "sd", "median", "q25", "q75", "min", "max", "excluded")
_ONLY_IN_MASK = ("chi", "local_field", "total_field")
_NOT_MEASURED = ("mask", "reliability")
_LARGEST_LABEL = np.iinfo(np.int32).max


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


def measure_files(folder, regions, *, case: str | None = None, only: Sequence[str] = ()) -> list[dict]:
    """Return the rows of `measure` for every scan of a subject whose maps lie below `folder`, with its regions.

    Parameters
    ----------
    folder : path
        What ``reconstruct`` or ``phantom`` wrote.
    regions : path
        Label map as `read_regions` takes it, on any grid of the same patient space: each voxel of a map is in the
        region that holds its middle.
    case : str, optional
        First column; by default `case_of` the scan, or its whole name where several scans would share that.
    only : sequence of str
        Names of the regions to measure; all by default.

    Raises
    ------
    InputError
        If there are no maps, or those of several subjects, `case` is given for several scans, or a region is empty or
        has no voxel on the grid of a map.
    """
    if not Path(folder).is_dir():
        raise InputError(f"{folder} is not a folder; give the folder that reconstruct wrote.")
    scans = find_maps(folder)
    if not scans:
        raise InputError(f"{folder} holds no map such as sub-01_Chimap.nii.gz; give the folder that reconstruct wrote.")
    subjects = list(dict.fromkeys(scan.partition("_")[0] for scan in scans))
    if len(subjects) > 1:
        raise InputError(
            f"{folder} holds maps of {', '.join(subjects[:4])}{' and others' if len(subjects) > 4 else ''}, but "
            "regions are of one subject; give the folder of that subject, and measure them one by one."
        )
    if case and len(scans) > 1:
        raise InputError(
            f"{folder} holds {len(scans)} scans ({', '.join(scans)}), which cannot all be the case {case}."
        )
    short = {scan: case or case_of(f"{scan}_") for scan in scans}
    cases = short if len(set(short.values())) == len(scans) else {scan: scan for scan in scans}
    labels, affine, names = read_regions(regions, only=only)
    rows = []
    for scan, paths in scans.items():
        maps, first = {}, None
        for name, path in paths.items():
            maps[name], its_affine = read_image(path)
            first = first or (path, maps[name].shape, its_affine)
            difference = geometry_difference(*first[1:], maps[name].shape, its_affine)
            if difference:
                raise InputError(
                    f"{path} is not on the grid of {first[0].name}: {difference}; reconstruct {scan} again."
                )
        placed = place_regions(regions, labels, affine, names, *first)
        rows += measure(maps, placed, names, case=cases[scan])
    return rows


def case_of(name: str) -> str | None:
    """Return subject and session (``sub-01_ses-2``) at the start of a BIDS name, which join tables, or None."""
    found = re.match(r"sub-[A-Za-z0-9]+(_ses-[A-Za-z0-9]+)?(?=_)", name)
    return found and found[0]


def read_regions(path, *, only: Sequence[str] = ()) -> tuple[np.ndarray, np.ndarray, dict[int, str]]:
    """Read the regions of a file: integer labels (K, J, I), affine (i, j, k → RAS), and names by label.

    Parameters
    ----------
    path : path
        Label map in NIfTI, NRRD or another format of ITK, with names from a BIDS ``.tsv`` beside it, or Slicer's
        ``.seg.nrrd`` of one or several layers. Labels without a name are "label 1" and so on.
    only : sequence of str
        Names of the regions to keep; all by default.

    Raises
    ------
    InputError
        If the file is no label map, holds no region, two of one name, two that overlap, or not those of `only`.
    """
    path = Path(path)
    layers, affine = read_layers(path)
    if not np.all(np.isfinite(layers)) or np.any(layers != np.round(layers)) or np.any(layers < 0):
        raise InputError(f"{path} holds values that are not whole numbers from 0; export the segmentation as labels.")
    if layers.size and layers.max() > _LARGEST_LABEL:
        raise InputError(f"{path} holds labels beyond {_LARGEST_LABEL}; number its regions from 1.")
    layers = layers.astype(np.int32)
    segments = _segments(path, len(layers))
    if len(layers) > 1 and not segments:
        raise InputError(
            f"{path} has {len(layers)} values in each voxel and names no segments; export it as one label map."
        )
    if len(layers) == 1:
        # The labels stay those of the file.
        names = _names_beside(path) or {value: name for name, _, value in segments}
        for label in np.unique(layers[0]).tolist():
            names.setdefault(label, f"label {label}")
        found = {label: (names[label], 0, label) for label in sorted(names) if label}
    else:
        found = dict(enumerate(segments, start=1))
    if not found:
        raise InputError(f"{path} holds no region; draw at least one.")
    names = {label: name for label, (name, _, _) in found.items()}
    listed = ", ".join(names.values())
    if len(set(names.values())) < len(names):
        raise InputError(f"{path} has two regions of the same name among {listed}; rename one.")
    for name in only:
        if name not in names.values():
            raise InputError(f"{path} has no region {name!r}; it has {listed}.")
    if only:
        names = {label: name for label, name in names.items() if name in only}
    labels = np.zeros(layers.shape[1:], np.int32)
    for label, name in names.items():
        _, layer, value = found[label]
        inside = layers[layer] == value
        if np.any(labels[inside]):
            other = int(labels[inside].max())
            raise InputError(
                f"The regions {names[other]!r} and {name!r} of {path} overlap in "
                f"{np.count_nonzero(labels[inside] == other)} voxels; let each voxel be in one region, "
                "or measure one of them at a time."
            )
        labels[inside] = label
    return labels, affine, names


def place_regions(path, labels, affine, names, target, shape, target_affine, matrix=None) -> np.ndarray:
    """Return regions on another grid: each of its voxels is in the region that holds its middle.

    Parameters
    ----------
    path : path
        Where the regions are from, for errors.
    labels, affine, names
        What `read_regions` returned.
    target : path
        The image whose grid it is, for errors.
    shape : (k, j, i)
        Shape of the grid.
    target_affine : (4, 4) array
        Its voxel indices to RAS in mm.
    matrix : (4, 4) array, optional
        Maps RAS points of the target to RAS points of the regions; the identity by default.

    Raises
    ------
    InputError
        If a region is empty, or none of its voxels comes to lie on the grid.
    """
    _refuse_lost(labels, names, f"is empty in {path}; draw it or remove it.")
    if matrix is None and geometry_difference(shape, target_affine, labels.shape, affine) is None:
        return labels
    placed = resample(labels, affine, shape, target_affine, matrix, interpolation="nearest")
    _refuse_lost(
        placed,
        names,
        f"of {path} has no voxel on the grid of {Path(target).name}; check that both are of one patient "
        "and any transform between them, or leave the region out.",
    )
    return placed


def _refuse_lost(labels, names, words):
    there = set(np.unique(labels).tolist())
    for label, name in names.items():
        if label not in there:
            raise InputError(f"The region {name!r} (label {label}) {words}")


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


def names_file(path) -> Path:
    """Return where the names of a label map are: a BIDS dseg.tsv (columns index and name) beside it."""
    return Path(path).with_name(re.sub(r"(\.nii)?(\.gz|\.[^.]*)$", "", Path(path).name) + ".tsv")


def _names_beside(path):
    table = names_file(path)
    if not table.is_file():
        return {}
    try:
        with open(table, encoding="utf-8-sig", newline="") as file:
            rows = [(int(row["index"]), row["name"]) for row in csv.DictReader(file, delimiter="\t")]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{table} is not a table of labels; expected tab-separated columns index and name.") from error
    return {label: name for label, name in rows if label}


def _segments(path, layers):
    """Name, layer and label value of each segment of a .seg.nrrd written by Slicer, in its order."""
    metadata = read_metadata(path)
    numbers = (key.removeprefix("Segment").removesuffix("_Name") for key in metadata if key.endswith("_Name"))
    segments = []
    for number in sorted(int(number) for number in numbers if number.isdecimal()):
        start = f"Segment{number}_"
        name = metadata[start + "Name"].strip() or f"segment {number + 1}"
        # Slicer before 4.11 gave each segment a layer of its own.
        layer = metadata.get(start + "Layer", str(number if layers > 1 else 0))
        value = metadata.get(start + "LabelValue", "1")
        if not (layer.isdecimal() and value.isdecimal() and int(layer) < layers):
            raise InputError(
                f"{path} says of the segment {name} that its layer is {layer} and its label {value}, but it has "
                f"{layers} layers; save the segmentation again."
            )
        segments.append((name, int(layer), int(value)))
    return segments
