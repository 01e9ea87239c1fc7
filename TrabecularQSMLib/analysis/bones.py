"""Bones proposed from maps: marrow behind cortex, each bone one region, and those of a hindfoot by name."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from ..acquisition import voxel_size
from ..errors import InputError
from ..fieldmap.masks import depth_of
from ..images import check_finite
from ..progress import Progress, part, report
from .marrow import find_compartments

SIDES = ("left", "right")
# Parts of the calcaneus as the paper draws them, and where their centers lie by the bone's own axes: the share of its
# length from the heel to the front, and of its height there. The tuber is the heel, the subtalar region lies below the
# joint with the talus, the cavum (neutral triangle) in front of and below it.
PARTS = {"calcaneus subtalar": (0.55, 0.75), "calcaneus tuber": (0.20, 0.50), "calcaneus cavum": (0.75, 0.25)}
REMAINDER = "calcaneus remainder"
# Trabeculae of one part pass into those of the next over some millimeters, which belong to neither.
TRANSITION_MM = 6.0

# Cartilage and cortex of both bones lie between the marrow of two at a joint.
_JOINT_MM = 10.0
# The heel is farther back than the talus by this and more.
_HEEL_MM = 5.0
# χ is solved in the bones and so far around them, where their field still is to be seen.
MASK_REACH_MM = 20.0
# Cortex is looked for from so far inside of the marrow's border to so far outside.
_CORTEX_MM = (1.0, 2.5)
_OTSU_BINS = 128
# It is darker than this share of marrow, else it is another tissue.
_DARK = 0.4


class Bones(NamedTuple):
    """Proposed regions: labels [k, j, i] int16 with 0 outside, names by label, and what the user should know."""

    labels: np.ndarray
    names: dict[int, str]
    notes: tuple[str, ...]


def propose_bones(
    maps: Mapping[str, np.ndarray],
    affine: np.ndarray,
    *,
    side: str | None = None,
    cut: bool = True,
    progress: Progress | None = None,
) -> Bones:
    """Return the bones that maps show, as regions to be looked at and edited.

    Parameters
    ----------
    maps : mapping of str to (K, J, I) array
        At least `pdff` (0 to 1) and `mip`, the signal over echoes.
    affine : (4, 4) array
        Voxel indices (i, j, k) to RAS in mm.
    side : {"left", "right"}, optional
        Which foot is named where the maps show both.
    cut : bool
        Whether the calcaneus is cut into its parts.
    progress : callable, optional
        Called with a fraction and a message; what it raises stops the search.

    Returns
    -------
    Bones
        A tibia, talus and calcaneus by name if they are there together, others as "bone 1" and so on from the largest.
        None of it if there is no marrow behind cortex.

    Raises
    ------
    InputError
        If a map is missing, shapes differ, or the side is none.

    Notes
    -----
    Marrow is what is mostly fat and has more than half of the fat signal around it: partial volume with cortex or
    muscle then puts the border where it is, whatever the density inside. Compartments that touch are parted along
    valleys of that signal, and at necks narrower than two thirds of the smaller one (watershed of the distance to
    the border). Of these, bones are those that cortex encloses: along the normals of the surface, averaged over some
    millimeters, the signal falls below that of marrow and rises again beyond. Fat below the skin, pads of fat and fat
    between muscles do not have that. Names need all of the hindfoot: a talus below a shaft, at the width of a joint,
    and an elongated larger bone below and behind it, of the sizes that they have. Bones narrower than 12 mm, and red
    marrow with less than 60 % fat, are left out.
    """
    if side is not None and side not in SIDES:
        raise InputError(f"The side is {side!r}; choose {' or '.join(SIDES)}, or none.")
    pdff, magnitude = _checked(maps)
    affine = np.asarray(affine, np.float64)
    bones = find_compartments(pdff, magnitude, voxel_size(affine), part(progress, 0.0, 0.9))
    report(progress, 0.9, "Naming the bones")
    feet = _feet(bones, affine)
    notes = []
    if len(feet) > 1 and side is None:
        notes.append(f"The maps show {len(feet)} feet, and no bone is named; choose a side.")
        feet = []
    elif bones and not feet:
        notes.append("No tibia, talus and calcaneus were found together, and no bone is named; name them yourself.")
    # Right is toward +x in RAS.
    feet.sort(key=lambda foot: _points(bones[foot[2]], affine)[:, 0].mean(), reverse=side == "right")
    labels, names = _labelled(bones, feet[0] if feet else (), pdff.shape, affine, cut)
    report(progress, 1.0, "Proposed the bones")
    return Bones(labels, names, tuple(notes))


def cut_calcaneus(calcaneus: np.ndarray, talus: np.ndarray, affine: np.ndarray) -> dict[str, np.ndarray]:
    """Return the parts of a calcaneus by the names of `PARTS`, (K, J, I) bool.

    Parameters
    ----------
    calcaneus, talus : (K, J, I) bool array
        Marrow of both bones.
    affine : (4, 4) array
        Voxel indices (i, j, k) to RAS in mm.

    Notes
    -----
    The long axis is the bone's longest principal axis, toward the front; up is the way to the talus across it. Each
    part is what is nearest to its center; what is within half of `TRANSITION_MM` of the next part, and voxels that
    touch the border, which hold cortex, are in none.
    """
    points, others = _points(calcaneus, affine), _points(talus, affine)
    middle = points.mean(axis=0)
    forward = _long_axis(points)
    up = others.mean(axis=0) - middle
    up -= forward * (up @ forward)
    up /= np.linalg.norm(up)
    along, height = (points - middle) @ forward, (points - middle) @ up
    centers = []
    for share_of_length, share_of_height in PARTS.values():
        start, stop = np.percentile(along, (0.5, 99.5))
        there = start + share_of_length * (stop - start)
        # Within a twentieth of the length, the bone's height is that of its middle.
        slab = height[np.abs(along - there) < 0.05 * (stop - start)]
        bottom, top = np.percentile(slab, (2, 98))
        centers.append((there, bottom + share_of_height * (top - bottom)))
    centers = np.array(centers)
    # Distance to the plane between two centers, in the plane of both axes.
    squares = (along[:, None] - centers[:, 0]) ** 2 + (height[:, None] - centers[:, 1]) ** 2
    apart = np.linalg.norm(centers[:, None] - centers, axis=2)
    inner = ndimage.binary_erosion(calcaneus, border_value=1)[calcaneus]
    parts = {}
    for number, name in enumerate(PARTS):
        rest = [n for n in range(len(PARTS)) if n != number]
        to_plane = (squares[:, rest] - squares[:, [number]]) / (2 * apart[number, rest])
        parts[name] = np.zeros(calcaneus.shape, bool)
        parts[name][calcaneus] = inner & (to_plane.min(axis=1) > TRANSITION_MM / 2)
    return parts


def mask_around(bones: np.ndarray, body: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Return a mask for χ: what of the body lies in bones or within `MASK_REACH_MM` of them, (K, J, I) bool.

    Parameters
    ----------
    bones : (K, J, I) array
        Not zero in bones, such as the labels of `propose_bones`.
    body : (K, J, I) array
        Not zero where the field can be used, such as the map `mask`.
    affine : (4, 4) array
        Voxel indices (i, j, k) to RAS in mm.

    Raises
    ------
    InputError
        If there is no bone within the body.
    """
    bones, body = np.asarray(bones) != 0, np.asarray(body) != 0
    if bones.shape != body.shape:
        raise InputError(f"The bones have shape {bones.shape} and the body has {body.shape}; give those of one scan.")
    if not (bones & body).any():
        raise InputError("There is no bone within the body; propose or draw one first.")
    return body & (depth_of(~bones, voxel_size(np.asarray(affine))) <= MASK_REACH_MM)


def cortex_reference(image: np.ndarray, bones: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Return voxels of nothing but cortical bone in an image that shows it dark, (K, J, I) bool.

    Parameters
    ----------
    image : (K, J, I) array
        High-resolution image such as a bSSFP: marrow bright, bone dark.
    bones : (K, J, I) array
        Not zero in marrow, on the image's grid.
    affine : (4, 4) array
        Voxel indices (i, j, k) to RAS in mm.

    Raises
    ------
    InputError
        If shapes differ, no bone lies on the image, or it shows no cortex that is wider than three voxels.

    Notes
    -----
    Otsu's thresholds part the voxels at the border of the marrow into bone, other tissue, and marrow; those of the
    darkest kind are taken whose six neighbors are so too, so that none holds part of another tissue. On a digital
    ankle's bSSFP of 0.4 × 0.4 × 0.9 mm their mean was 173, and that of voxels of nothing but cortex 167, with marrow at
    1400.
    """
    image, bones = np.asarray(image), np.asarray(bones) != 0
    if image.shape != bones.shape:
        raise InputError(f"The image has shape {image.shape} and the bones have {bones.shape}; give one grid.")
    if not bones.any():
        raise InputError("No bone lies on the image; check the transform between them.")
    check_finite(image, "The image")
    size = voxel_size(np.asarray(affine))
    # Only what lies around the bones is looked at.
    margin = [int(np.ceil(_CORTEX_MM[1] / h)) + 2 for h in size]
    box = tuple(
        slice(max(0, s.start - m), s.stop + m)
        for s, m in zip(ndimage.find_objects(bones.astype(np.uint8))[0], margin, strict=True)
    )
    near, marrow = image[box], bones[box]
    border = (depth_of(marrow, size) <= _CORTEX_MM[0]) & (depth_of(~marrow, size) <= _CORTEX_MM[1])
    found = np.zeros(image.shape, bool)
    if border.any() and np.ptp(near[border]) > 0:
        otsu = sitk.OtsuMultipleThresholdsImageFilter()
        otsu.SetNumberOfThresholds(2)
        otsu.SetNumberOfHistogramBins(_OTSU_BINS)
        otsu.Execute(sitk.GetImageFromArray(near[border].astype(np.float32)[None]))
        dark = near < min(otsu.GetThresholds()[0], _DARK * np.median(near[marrow]))
        found[box] = border & ndimage.binary_erosion(dark)
    if not found.any():
        raise InputError(
            "The image shows no cortex around the bones that is wider than three voxels; draw the bone reference."
        )
    return found


def _checked(maps):
    """Fat fraction and signal as finite float32 arrays of one shape."""
    found = []
    for name in ("pdff", "mip"):
        if name not in maps:
            raise InputError(f"There is no map {name!r} among {', '.join(maps) or 'none'}; give those of one scan.")
        found.append(np.nan_to_num(np.asarray(maps[name], np.float32), posinf=0.0, neginf=0.0))
    pdff, magnitude = found
    if pdff.shape != magnitude.shape:
        raise InputError(
            f"The maps pdff and mip have shapes {pdff.shape} and {magnitude.shape}; give those of one scan."
        )
    return np.clip(pdff, 0, 1), magnitude


class _Shape(NamedTuple):
    """What tells one bone from another: RAS mm, cm³."""

    center: np.ndarray
    axis: np.ndarray  # the longest principal axis, toward the front
    elongation: float  # of standard deviations, the longest over the next
    length: float
    volume: float
    back: float
    bottom: float
    whole: bool  # not cut off by the image


def _feet(bones, affine):
    """Find tibia, talus and calcaneus among the bones: tuples of their numbers, one for each foot.

    Sizes are of marrow from a child's to a large adult's foot. The arrangement counts: a short bone below a shaft and
    above a longer one that reaches farther back and lies more along the foot than upright.
    """
    shapes = [_shape(bone, affine) for bone in bones]
    size = voxel_size(affine)
    feet = []
    for c, calcaneus in enumerate(shapes):
        if not (calcaneus.whole and 15 < calcaneus.volume < 150 and 45 < calcaneus.length < 110):
            continue
        if abs(calcaneus.axis[1]) < 0.6 or calcaneus.elongation < 1.5:
            continue
        for t, talus in enumerate(shapes):
            down = calcaneus.center - talus.center
            fits = talus.whole and 0.25 < talus.volume / calcaneus.volume < 0.9 and talus.length < calcaneus.length
            if t == c or not (fits and down[1] < 0 and -down[2] > abs(down[0])):
                continue
            if calcaneus.back > talus.back - _HEEL_MM or calcaneus.bottom > talus.bottom:
                continue
            if not _joint(bones[c], bones[t], size):
                continue
            above = [
                n
                for n, shape in enumerate(shapes)
                if n not in (c, t)
                and shape.center[2] > talus.center[2]
                and shape.center[2] - talus.center[2] > np.linalg.norm((shape.center - talus.center)[:2])
                and shape.bottom > calcaneus.bottom
                and _joint(bones[n], bones[t], size)
            ]
            if above:
                feet.append((max(above, key=lambda n: shapes[n].volume), t, c))
    return feet


def _joint(one, other, size):
    """Whether two bones come as near to each other as at a joint."""
    both = np.argwhere(one | other)
    box = tuple(slice(low, high + 1) for low, high in zip(both.min(axis=0), both.max(axis=0), strict=True))
    return ndimage.distance_transform_edt(~one[box], sampling=size)[other[box]].min() <= _JOINT_MM


def _shape(bone, affine):
    points = _points(bone, affine)
    center, axis = points.mean(axis=0), _long_axis(points)
    spread = np.sqrt(np.linalg.eigvalsh(np.cov((points - center).T)))
    along = (points - center) @ axis
    borders = any(np.moveaxis(bone, a, 0)[[0, -1]].any() for a in range(3))
    return _Shape(
        center=center,
        axis=axis,
        elongation=float(spread[-1] / spread[-2]),
        length=float(np.ptp(along)),
        volume=len(points) * abs(np.linalg.det(affine[:3, :3])) / 1000,
        back=float(points[:, 1].min()),
        bottom=float(points[:, 2].min()),
        whole=not borders,
    )


def _points(inside, affine):
    """RAS mm of the voxels of a mask, (N, 3)."""
    return np.argwhere(inside)[:, ::-1] @ affine[:3, :3].T + affine[:3, 3]


def _long_axis(points):
    """Longest principal axis of points in RAS, toward the front."""
    axis = np.linalg.eigh(np.cov((points - points.mean(axis=0)).T))[1][:, -1]
    return axis if axis[1] > 0 else -axis


def _labelled(bones, foot, shape, affine, cut):
    """Labels and names: the bones of the foot, the parts of its calcaneus, and the others by number."""
    regions = {}
    if foot:
        tibia, talus, calcaneus = (bones[n] for n in foot)
        regions |= {"tibia": tibia, "talus": talus}
        regions |= {REMAINDER if cut else "calcaneus": calcaneus}
        if cut:
            regions |= cut_calcaneus(calcaneus, talus, affine)
    others = [bone for n, bone in enumerate(bones) if n not in foot]
    regions |= {f"bone {n}": bone for n, bone in enumerate(others, start=1)}
    labels = np.zeros(shape, np.int16)
    for label, inside in enumerate(regions.values(), start=1):
        labels[inside] = label  # parts are painted over what remains of their bone
    return labels, dict(enumerate(regions, start=1))
