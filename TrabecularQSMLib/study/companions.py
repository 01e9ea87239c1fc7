"""Other images of the patient in files: registered to the echo MIP, and measured in regions that were drawn there."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ..acquisition import on_field_of_view, voxel_size
from ..analysis.bvtv import ApparentBVTV, apparent_bvtv, combine_phase_cycles, correct_bias, on_ends, on_reference
from ..analysis.ct import Calibration, attenuation, hounsfield, on_regions
from ..analysis.information import on_images
from ..analysis.placement import on_edges, on_place
from ..analysis.registration import Registration, on_result, register_and_judge
from ..analysis.slices import on_slices
from ..errors import InputError, errors_of
from ..files.doubts import on_magnitude
from ..files.nifti import header_notes, read_grid, read_image
from ..files.regions import read_bone, read_regions, regions_on
from ..files.transforms import read_transform
from ..images import geometry_difference, mask_of, resample
from ..progress import Progress, part, report

# Trabecular bone of a true BV/TV of 0.05 gives 0.1 and more (`analysis.bvtv.apparent_bvtv`).
_LEAST_BVTV = 0.05


@dataclass(frozen=True, eq=False)
class RegisteredFiles:
    """A registration with its images, their affines, and what there is to notice."""

    registration: Registration
    fixed: np.ndarray
    affine: np.ndarray
    moving: np.ndarray
    moving_affine: np.ndarray
    notes: tuple[str, ...]

    @cached_property
    def on_fixed(self) -> np.ndarray:
        """The moving image on the grid of the fixed one; its lowest value stands where it shows nothing."""
        outside, matrix = float(self.moving.min()), self.registration.matrix
        return resample(self.moving, self.moving_affine, self.fixed.shape, self.affine, matrix, outside=outside)


def register_files(fixed, moving, *, start="geometry", mask=None, progress: Progress | None = None) -> RegisteredFiles:
    """Register two images in files, and say what there is to notice.

    Parameters
    ----------
    fixed, moving : path
    start
        As for `register_rigid`.
    mask : path, optional
        Where to compare, on the grid of the fixed image.
    progress : callable, optional

    Raises
    ------
    InputError
        If a file cannot be read or the images cannot be registered.
    """
    image, affine = read_image(fixed)
    other, its_affine = read_image(moving)
    inside, notes = _mask_on(mask, fixed, image, affine)
    notes += header_notes(fixed, moving, mask)
    notes += on_field_of_view(its_affine, other.shape, Path(moving).name)
    with errors_of(f"{moving} to {fixed}"):
        found, judged = register_and_judge(
            image, affine, other, its_affine, start=start, fixed_mask=inside, progress=progress
        )
    notes += [*on_result(found, judged), *on_images((Path(fixed).name, image), (Path(moving).name, other))]
    return RegisteredFiles(found, image, affine, other, its_affine, tuple(notes))


def bvtv_of_files(
    image,
    regions,
    bone,
    *,
    transform=None,
    only: Sequence[str] = (),
    other=None,
    combination: str = "maximum",
    bias_correction: bool = True,
    rule: str = "half-peak",
    progress: Progress | None = None,
) -> tuple[list[ApparentBVTV], list[str]]:
    """Return the apparent BV/TV of regions in an image, and notes.

    Parameters
    ----------
    image, other : path
        Image in which marrow is bright, and the other phase cycle of it, if any.
    regions, transform, only
        As for `files.regions.regions_on`.
    bone : path
        Reference of pure cortical bone on the image.
    combination : {"maximum", "root-sum-of-squares"}
        How both phase cycles become one.
    bias_correction : bool
        Whether the coil's shading is taken off.
    rule : {"half-peak", "robust"}
        As for `apparent_bvtv`.
    progress : callable, optional

    Raises
    ------
    InputError
        If a file cannot be read, both phase cycles are not on one grid, or for what `regions_on`, `correct_bias` and
        `apparent_bvtv` refuse.
    """
    array, affine = read_image(image)
    if other:
        second, its_affine = read_image(other)
        if difference := geometry_difference(array.shape, affine, second.shape, its_affine):
            raise InputError(f"{other} is not on the grid of {image}: {difference}; give images of one scan.")
        array = combine_phase_cycles([array, second], combination)
    labels, names, notes = regions_on(
        regions, image, array.shape, affine, transform=transform, only=only, may_have_moved=True
    )
    reference = read_bone(bone, image, array.shape, affine)
    with errors_of(image):
        found, _, told = bvtv_in(
            array,
            affine,
            labels,
            names,
            reference,
            source=Path(image).name,
            bias_correction=bias_correction,
            rule=rule,
            progress=progress,
        )
    return found, [*notes, *told]


def bvtv_in(
    image: np.ndarray,
    affine: np.ndarray,
    labels: np.ndarray,
    names: dict[int, str],
    bone: np.ndarray,
    *,
    source: str,
    bias_correction: bool = True,
    rule: str = "half-peak",
    progress: Progress | None = None,
) -> tuple[list[ApparentBVTV], np.ndarray, list[str]]:
    """Return the apparent BV/TV of regions, the image without the coil's shading, and notes.

    Parameters
    ----------
    image : (K, J, I) array
    affine : (4, 4) array
        Voxel indices (i, j, k) to RAS in mm.
    labels, names, bone, rule
        As for `apparent_bvtv`.
    source : str
        Name of the image for notes.
    bias_correction, progress
        As for `bvtv_of_files`.
    """
    notes = [*on_field_of_view(affine, image.shape, source), *on_slices(image, source)]
    notes += [*on_ends(image, labels, names), *on_magnitude(image, source, "BV/TV is")]
    if bias_correction:
        image = correct_bias(image, affine, progress=part(progress, 0.0, 0.9))
    report(progress, 0.9, "Computing apparent BV/TV")
    found = apparent_bvtv(image, labels, names, bone, rule=rule)
    notes += [*on_reference(image, bone, found), *on_place(image, labels, names, voxel_size(affine))]
    notes += on_edges(image, labels)
    notes += [
        f"The apparent BV/TV of {one.region} is {one.bvtv:.3g}, beyond 0 to 1: "
        "look at its histogram and at the bone reference."
        for one in found
        if not 0 <= one.bvtv <= 1
    ]
    notes += [
        f"The apparent BV/TV of {one.region} is {one.bvtv:.2g}, less than trabecular bone gives (0.1 and more): look "
        "whether the region lies in it, by the transform and the side."
        for one in found
        if 0 <= one.bvtv < _LEAST_BVTV
    ]
    return found, image, notes


def attenuation_of_files(
    image, regions, *, case: str, transform=None, only: Sequence[str] = (), calibration: Calibration | None = None
) -> tuple[list[dict], list[str]]:
    """Return the rows of `attenuation` of regions in a CT, and notes.

    Parameters
    ----------
    image : path
        CT in Hounsfield units.
    regions, transform, only
        As for `files.regions.regions_on`.
    case : str
        First column.
    calibration : Calibration, optional
        To density.
    """
    array, affine = read_image(image)
    labels, names, notes = regions_on(
        regions, image, array.shape, affine, transform=transform, only=only, may_have_moved=True
    )
    with errors_of(image):
        rows, told = attenuation_in(array, affine, labels, names, case=case, calibration=calibration)
    return rows, [*notes, *told]


def attenuation_in(
    ct: np.ndarray,
    affine: np.ndarray,
    labels: np.ndarray,
    names: dict[int, str],
    *,
    case: str,
    calibration: Calibration | None = None,
) -> tuple[list[dict], list[str]]:
    """Return the rows of `attenuation`, with its arguments and the affine of the CT, and notes."""
    doubts = [*on_field_of_view(affine, ct.shape, "The CT"), *on_slices(ct, "the CT")]
    ct, notes = hounsfield(ct)
    rows = attenuation(ct, labels, names, case=case, calibration=calibration)
    notes += [*doubts, *on_regions(ct, labels, names), *on_place(ct, labels, names, voxel_size(affine))]
    return rows, [*notes, *on_edges(ct, labels)]


def regions_seen(regions, image, *, transform=None, only: Sequence[str] = ()) -> tuple[list[str], list[str]]:
    """Return the names of the regions that an image shows at least a voxel of, and a note on the others.

    Parameters
    ----------
    regions, image, transform, only
        As for `files.regions.regions_on`, which refuses regions that the image does not show.
    """
    labels, its_affine, names = read_regions(regions, only=only)
    _, shape, affine = read_grid(image)
    matrix = np.linalg.inv(read_transform(transform)) if transform else None
    there = set(np.unique(resample(labels, its_affine, shape, affine, matrix, interpolation="nearest")).tolist())
    seen = [name for label, name in names.items() if label in there]
    missed = [name for name in names.values() if name not in seen]
    notes = [f"{Path(image).name} does not show {', '.join(missed)}; left out there."] if missed else []
    return seen, notes


def _mask_on(file, fixed_file, fixed, affine):
    if file is None:
        return None, []
    mask, its_affine = read_image(file)
    difference = geometry_difference(fixed.shape, affine, mask.shape, its_affine)
    if difference:
        raise InputError(f"The mask {file} is not on the grid of {fixed_file}: {difference}; draw it on that image.")
    return mask_of(mask, file)
