"""Regions in files: label maps and segmentations, and their place on the grid of another image."""

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy import ndimage

from ..acquisition import check_spacing
from ..errors import InputError, counted
from ..images import geometry_difference, image_from, is_around, is_graded, resample
from .formats import companion, decoded, first_bytes, read_bytes
from .nifti import header_notes, read_layers, read_metadata, save_image, stores_orientation
from .terminology import segment_color, terminology_entry
from .transforms import read_transform

_LARGEST_LABEL = np.iinfo(np.int32).max
# Labels that another program computed with are whole numbers but for this.
_ROUNDED = 1e-3
# A region of which less than this share is on an image is cut off by it.
_MOST_OF_IT = 0.9
# By how much a rigid transform may stretch, by its rounding.
_RIGID = 0.01
# A sentence lists so many labels.
_LISTED = 6
# Grids of one image differ by less than this part of a voxel.
_SAME_GRID = 1e-2


def read_regions(path, *, only: Sequence[str] = ()) -> tuple[np.ndarray, np.ndarray, dict[int, str]]:
    """Read the regions of a file: integer labels (K, J, I), affine (i, j, k → RAS), and names by label.

    Parameters
    ----------
    path : path
        Label map in NIfTI, NRRD or MetaImage, with names from a BIDS ``.tsv`` beside it, or Slicer's
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
    whole = np.round(layers)
    if not np.all(np.isfinite(layers)) or np.any(np.abs(layers - whole) > _ROUNDED) or np.any(whole < 0):
        raise InputError(f"{path} holds values that are not whole numbers from 0; export the segmentation as labels.")
    if whole.size and whole.max() > _LARGEST_LABEL:
        raise InputError(f"{path} holds labels beyond {_LARGEST_LABEL}; number its regions from 1.")
    layers = whole.astype(np.int32)
    _refuse_shares(path, layers)
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
    _refuse_background(path, layers, found, only)
    listed = ", ".join(names.values())
    if len(set(names.values())) < len(names):
        raise InputError(f"{path} has two regions of the same name among {listed}; rename one.")
    for name in only:
        if name not in names.values():
            nameless = len(layers) == 1 and not segments and not _names_beside(path)
            beside = (
                f" (names would come from {names_file(path).name} beside it, which is not there)" if nameless else ""
            )
            raise InputError(f"{path} has no region {name!r}; it has {listed}{beside}.")
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
                f"{counted(np.count_nonzero(labels[inside] == other), 'voxel')}; let each voxel be in one region, "
                "or measure one of them at a time."
            )
        labels[inside] = label
    return labels, affine, names


def _refuse_shares(path, layers):
    """Refuse what says how much of a voxel is inside, or is an image, where labels are asked for."""
    kinds = ("Segmentation_SourceRepresentation", "Segmentation_MasterRepresentation")
    metadata = read_metadata(path)
    if any(metadata.get(kind, "").startswith("Fractional") for kind in kinds):
        raise InputError(
            f"{path} is a fractional segmentation, whose values are shares of voxels; export it as binary labelmap."
        )
    if any(is_graded(layer) for layer in layers):
        raise InputError(
            f"{path} holds {np.unique(layers).size} values up to {layers.max()} that change from voxel to voxel, as an "
            "image or shares of voxels do; export the segmentation as labels."
        )


def _refuse_background(path, layers, found, only):
    """Refuse a label of what lies around the others, as where programs number from 1 and the background with them.

    It is in every corner, and nothing is without a label; `found` is label to name, layer and value.
    """
    if len(layers) > 1 or len(found) < 2 or np.any(layers == 0):
        return
    name, _, label = found[int(layers[0].flat[0])]
    if is_around(layers[0]) and (not only or name in only):
        raise InputError(
            f"Every voxel of {path} is in a region, and {name!r} (label {label}) fills all corners: it is the "
            "background, so give that 0, or choose the other regions by `only`."
        )


def write_segments(
    path,
    labels: np.ndarray,
    affine: np.ndarray,
    names: Mapping[int, str],
    codes: Mapping[str, tuple[str, str, str]] | None = None,
) -> None:
    """Write regions as a segmentation that 3D Slicer reads with names, colors and terminology.

    Parameters
    ----------
    path : path
        Ends with ``.seg.nrrd``.
    labels : (K, J, I) int array
        Region of each voxel, 0 for none.
    affine : (4, 4) array
        Voxel indices (i, j, k) to RAS in mm.
    names : mapping of int to str
        Label to name; a label without voxels becomes an empty segment.
    codes : mapping of str to tuple, optional
        Name to its codes, such as `terminology.proposed_codes` gives.

    Raises
    ------
    InputError
        If a label has no name.
    """
    labels = np.asarray(labels, np.int32)
    unnamed = sorted(set(np.unique(labels).tolist()) - {0} - set(names))
    if unnamed:
        raise InputError(f"There is no name for the label {unnamed[0]}; give it one.")
    image = image_from(np.ascontiguousarray(labels, np.uint8 if max(names) < 256 else np.uint16), affine)
    put = image.SetMetaData
    put("Segmentation_ContainedRepresentationNames", "Binary labelmap|")
    put("Segmentation_MasterRepresentation", "Binary labelmap")  # its name up to Slicer 5.0, which later ones read
    put("Segmentation_SourceRepresentation", "Binary labelmap")
    put("Segmentation_ReferenceImageExtentOffset", "0 0 0")
    boxes = ndimage.find_objects(labels, max_label=max(names))
    for number, (label, name) in enumerate(names.items()):
        # An extent that ends before it begins is Slicer's sign of nothing.
        box = boxes[label - 1] or (slice(0, 0),) * 3
        values = {
            "ID": f"Segment_{number + 1}",
            "Name": name,
            "NameAutoGenerated": "0",
            "Color": " ".join(f"{share:.6g}" for share in segment_color(number)),
            "ColorAutoGenerated": "0",
            "LabelValue": str(label),
            "Layer": "0",
            "Extent": " ".join(f"{axis.start} {axis.stop - 1}" for axis in box[::-1]),
            "Tags": f"TerminologyEntry:{terminology_entry(codes[name])}|" if codes and name in codes else "",
        }
        for key, value in values.items():
            put(f"Segment{number}_{key}", value)
    save_image(image, path, packed=True)


def place_regions(path, regions, target, grid, matrix=None) -> np.ndarray:
    """Return regions on another grid: each of its voxels is in the region that holds its middle.

    Parameters
    ----------
    path : path
        Where the regions are from, for errors.
    regions : tuple
        What `read_regions` returned.
    target : path
        The image whose grid it is, for errors.
    grid : tuple
        Its shape (k, j, i), and the affine (4, 4) of its voxel indices to RAS in mm.
    matrix : (4, 4) array, optional
        Maps RAS points of the target to RAS points of the regions; the identity by default.

    Raises
    ------
    InputError
        If a region is empty, or none of its voxels comes to lie on the grid.
    """
    labels, affine, names = regions
    held = [str(label) for label in np.unique(labels) if label != 0]
    found = f" (which holds {', '.join(held[:_LISTED])}{' …' if len(held) > _LISTED else ''})" if held else ""
    _refuse_lost(labels, names, f"is empty in {path}{found}; draw it or remove it.")
    if matrix is None and geometry_difference(*grid, labels.shape, affine) is None:
        return labels
    placed = resample(labels, affine, *grid, matrix, interpolation="nearest")
    advice = "check that both are of one patient and any transform between them, or leave the region out"
    files = [one for one in (path, target) if Path(one).is_file()]  # nodes are called by their names
    if nowhere := [one for one in files if not stores_orientation(one)]:
        advice = f"the header of {Path(nowhere[0]).name} does not say where it lies, so export it again with its place"
    _refuse_lost(placed, names, f"of {path} has no voxel on the grid of {Path(target).name}; {advice}.")
    return placed


def regions_on(
    path, image, shape, affine, *, transform=None, only: Sequence[str] = (), may_have_moved: bool = False
) -> tuple[np.ndarray, dict[int, str], list[str]]:
    """Read regions onto the grid of an image that may be registered to where they were drawn.

    Parameters
    ----------
    path : path
        The regions, as `read_regions` takes them.
    image : path
        The image, for errors and notes; `shape` and `affine` are those of its grid.
    transform : path, optional
        Maps points of the grid on which the regions were drawn to points of the image: what ``register`` wrote.
    only : sequence of str
        Names of the regions to keep; all by default.
    may_have_moved : bool
        Whether the patient may have moved between both, so that another grid without a transform is noted.

    Returns
    -------
    labels : (k, j, i) int array
    names : dict of int to str
    notes : list of str
        Positions in doubt, regions that the image cuts off, and a transform that is not rigid, or not there.
    """
    # Resampling asks for the way from the grid that is filled to the one that is read: the inverse.
    notes, matrix = header_notes(image, path), None
    if transform:
        matrix = np.linalg.inv(read_transform(transform))
        volume = float(np.linalg.det(matrix[:3, :3]))
        if volume < 0:
            notes.append(f"{transform} mirrors, as no patient does: left and right are interchanged in {image}.")
        stretches = np.linalg.svd(matrix[:3, :3], compute_uv=False)
        if np.abs(stretches - 1).max() > _RIGID:
            low, high = 1 / stretches.max(), 1 / stretches.min()
            notes.append(
                f"{transform} is not rigid: it stretches by {low:.3g} to {high:.3g}, and volumes by "
                f"{1 / abs(volume):.3g}."
            )
    labels, its_affine, names = read = read_regions(path, only=only)
    check_spacing(affine, str(image))
    check_spacing(its_affine, str(path))
    placed = place_regions(path, read, image, (shape, affine), matrix)
    if may_have_moved and not transform and not is_cut_from(its_affine, affine):
        notes.append(
            f"{Path(path).name} is on another grid than {Path(image).name} and no transform was given: regions count "
            "where they were drawn, as if the patient had not moved between the two; give `transform` unless one image "
            "was laid on the other before."
        )
    return placed, names, notes + notes_on_parts_outside(labels, its_affine, names, image, placed, affine)


def is_cut_from(affine, whole) -> bool:
    """Whether a grid is part of a whole one, in whole voxels in any order: Slicer cuts segments to what was drawn."""
    between = np.linalg.solve(whole, affine)
    cut = np.round(between)
    one_each = np.abs(cut[:3, :3])
    ordered = (one_each.sum(axis=0) == 1).all() and (one_each.sum(axis=1) == 1).all()
    return bool(ordered) and np.allclose(between, cut, atol=_SAME_GRID)


def notes_on_parts_outside(labels, affine, names, target, placed, target_affine) -> list[str]:
    """Say of which regions a part is cut off by the grid that they were placed on; arguments are as there."""
    there, here = (abs(float(np.linalg.det(its[:3, :3]))) for its in (affine, target_affine))
    drawn = {label: np.count_nonzero(labels == label) * there for label in names}
    return on_parts_outside(drawn, names, target, placed, here)


def on_parts_outside(drawn: Mapping[int, float], names, target, placed, voxel: float) -> list[str]:
    """Say which regions are cut off by an image: they reach its border, and are smaller than they were drawn.

    `drawn` are volumes by label, `placed` the labels on the image, and `voxel` is the volume of one of its voxels, mm³.
    """
    # Elsewhere a region of few voxels is smaller since they are coarse.
    faces = [np.unique(np.take(placed, (0, -1), axis)) for axis in range(3)]
    here = {label: np.count_nonzero(placed == label) * voxel for label in np.unique(np.concatenate(faces)).tolist()}
    return [
        f"{100 * (1 - here[label] / there):.0f} % of the region {names[label]} lie outside of {target}."
        for label, there in drawn.items()
        if label in here and here[label] < _MOST_OF_IT * there
    ]


def read_bone(path, image, shape, affine) -> np.ndarray:
    """Return the bone reference of a file on the grid of an image, (k, j, i) bool.

    It is the region called bone, or the only one; `InputError` if there is neither.
    """
    _, _, names = read_regions(path)
    if len(names) > 1 and "bone" not in names.values():
        raise InputError(
            f"{path} has {len(names)} regions ({', '.join(names.values())}) and none is called bone; "
            "call the bone reference so, or give a file with it alone."
        )
    name = "bone" if "bone" in names.values() else next(iter(names.values()))
    return place_regions(path, read_regions(path, only=[name]), image, (shape, affine)) != 0


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


def names_file(path) -> Path:
    """Return where the names of a label map are: a BIDS dseg.tsv (columns index and name) beside it."""
    bare = Path(path).with_name(re.sub(r"(?i)(\.nii)?(\.gz|\.[^.]*)$", "", Path(path).name))
    return companion(bare, ".tsv") or Path(f"{bare}.tsv")


def _names_beside(path):
    table = names_file(path)
    if not table.is_file() and not table.is_symlink():
        return {}
    first_bytes(table)
    lines = decoded(read_bytes(table)).splitlines()
    try:
        # BIDS tables know no quotes: they are part of a name.
        table_rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        rows = [(int(row["index"]), row["name"].strip()) for row in table_rows]
        if not all(0 <= label <= _LARGEST_LABEL for label, _ in rows):
            raise ValueError("a label that no image can hold")
    except (AttributeError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise InputError(f"{table} is not a table of labels; expected tab-separated columns index and name.") from error
    names = {}
    for label, name in rows:
        if names.setdefault(label, name) != name:
            raise InputError(f"{table} calls the label {label} both {names[label]} and {name}; give it one name.")
    return {label: name for label, name in names.items() if label}


def _segments(path, layers):
    """Name, layer and label value of each segment of a .seg.nrrd written by Slicer, in its order."""
    metadata = read_metadata(path)
    numbers = (re.fullmatch(r"Segment(\d{1,9})_Name", key, re.ASCII) for key in metadata)
    segments = []
    for number in sorted(int(found[1]) for found in numbers if found):
        start = f"Segment{number}_"
        name = metadata[start + "Name"].strip() or f"segment {number + 1}"
        # Slicer before 4.11 gave each segment a layer of its own.
        layer = metadata.get(start + "Layer", str(number if layers > 1 else 0))
        value = metadata.get(start + "LabelValue", "1")
        if not (re.fullmatch(r"\d{1,9} \d{1,9}", f"{layer} {value}", re.ASCII) and int(layer) < layers):
            raise InputError(
                f"{path} says of the segment {name} that its layer is {layer} and its label {value}, but it has "
                f"{counted(layers, 'layer')}; save the segmentation again."
            )
        same = next((other for other, *place in segments if place == [int(layer), int(value)]), None)
        if same is not None:
            raise InputError(
                f"{path} gives the segments {same} and {name} the same voxels (label {value}); save the segmentation "
                "again."
            )
        segments.append((name, int(layer), int(value)))
    return segments
