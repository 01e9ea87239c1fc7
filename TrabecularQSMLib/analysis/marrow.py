"""Marrow compartments behind cortex: where fat signal is marrow's, cut where a cortex or a neck is."""

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from ..fieldmap.masks import depth_of
from ..progress import part, report

# Marrow is mostly fat in the adult's limbs; voxels with less are another tissue, or more than half of one.
_FAT_FRACTION = 0.6
# Of the fat signal's bright end: well above noise, and below the densest trabecular bone under a weak coil.
_FAINT = 0.25
# The border of marrow is where its signal is half of what it is inside, over so many mm.
_LEVEL_MM = 6.0
# Where signal is as low as behind a thin cortex, it curves up on both sides: the largest second derivative at this
# scale, in units of the level inside.
_VALLEY_MM, _VALLEY = 1.5, 0.12
# A cortex takes half of the signal of voxels as wide as two of it. What is brighter than this over a face of so many
# mm² was no cortex.
_NO_CORTEX, _FACE_MM2 = 0.68, 150.0
# Skin and septa are sheets: what no ball of this radius fits into, in mm and at least in voxels. Bones part at necks of
# this share of their width.
_SHEET_MM, _SHEET_VOXELS, _NECK = 3.5, 1.6, 0.65
# A bone that can be measured holds a ball of this radius: a first metatarsal does, the others and the fibula do not.
_BONE_MM = 6.0
# A cortex is a dip of the signal between marrow and what lies around it, and is to be seen on most of the surface.
# Behind the skin is no more than noise, far below marrow.
_DIP, _TISSUE, _ENCLOSED = 0.85, 0.3, 0.7
_RAY_MM, _PATCH_MM = np.arange(-4.0, 8.01, 0.5), 3.0
# Wider voxels blur cortex over more than that.
_RAY_VOXEL_MM = 2.0


def find_compartments(pdff, magnitude, voxel_size, progress=None):
    """Masks of the compartments of marrow that cortex encloses, (K, J, I) bool, from the largest.

    `pdff` and `magnitude` are finite (K, J, I) float32 arrays, `voxel_size` is in mm.
    """
    labels = _compartments(magnitude * pdff, pdff, voxel_size, part(progress, 0.0, 0.55))
    return _enclosed_ones(labels, magnitude, voxel_size, part(progress, 0.55, 1.0))


def _compartments(fat_signal, pdff, voxel_size, progress):
    """Label what may be marrow of one bone each, cut where a cortex or a neck is."""
    report(progress, 0.0, "Looking for marrow")
    labels = np.zeros(pdff.shape, np.int32)
    fat = pdff > _FAT_FRACTION
    if not fat.any():
        return labels
    sure = fat & (fat_signal > _FAINT * np.percentile(fat_signal[fat], 95))
    level = _level(fat_signal, ndimage.binary_erosion(sure, border_value=1), voxel_size)
    marrow = ndimage.binary_fill_holes(fat_signal > 0.5 * level)
    known = np.where(np.isfinite(level), level, 0)
    report(progress, 0.2, "Looking for cortex between marrow")
    thick = marrow & (_valleys(fat_signal, marrow, voxel_size) <= _VALLEY * known)
    report(progress, 0.4, "Parting the bones")
    depth = depth_of(thick, voxel_size)
    # What a ball fits into. Sheets such as the skin would join whatever they touch.
    sheet = max(_SHEET_MM, _SHEET_VOXELS * min(voxel_size))
    opened = thick & (depth_of(depth < sheet, voxel_size) < sheet)
    if not opened.any():
        return labels
    report(progress, 0.6, "Parting the bones")
    # On a logarithm, one level of the watershed is a ratio of radii.
    floor = np.float32(np.log(min(voxel_size)) - 3)
    relief = np.where(opened, -np.log(np.maximum(depth, 1e-3)), -floor).astype(np.float32)
    basins = sitk.MorphologicalWatershed(sitk.GetImageFromArray(relief), -np.log(_NECK), False, False)
    labels = np.where(opened, sitk.GetArrayFromImage(basins).astype(np.int32), 0)
    report(progress, 0.8, "Parting the bones")
    labels = _grown(labels, marrow, sheet, voxel_size)
    return _joined(labels, np.divide(fat_signal, level, out=np.zeros_like(level), where=known > 0), voxel_size)


def _level(signal, where, voxel_size):
    """Mean of a signal around each voxel over voxels `where`; infinite far from all of them."""
    widths = _widths(_LEVEL_MM, voxel_size, where.shape)
    smooth = lambda array: ndimage.gaussian_filter(array, widths, mode="constant", truncate=3.0)  # noqa: E731
    weight = smooth(where.astype(np.float32))
    total = smooth(np.where(where, signal, 0).astype(np.float32))
    return np.divide(total, weight, out=np.full(where.shape, np.inf, np.float32), where=weight > 1e-3)


def _valleys(signal, where, voxel_size):
    """Largest second derivative of a signal over directions in voxels `where`, in units of the signal."""
    # Voxels wider than the scale would leave nothing of it.
    scales = [max(_VALLEY_MM, 0.7 * h) for h in voxel_size]
    widths = [s / h if n > 1 else 0.0 for s, h, n in zip(scales, voxel_size, signal.shape, strict=True)]
    hessian = np.zeros((np.count_nonzero(where), 3, 3), np.float32)
    for a in range(3):
        for b in range(a, 3):
            if widths[a] and widths[b]:
                order = [(axis == a) + (axis == b) for axis in range(3)]
                derivative = ndimage.gaussian_filter(signal, widths, order=order, mode="nearest")
                hessian[:, a, b] = hessian[:, b, a] = derivative[where] * (widths[a] * widths[b])
    result = np.zeros(signal.shape, np.float32)
    result[where] = np.linalg.eigvalsh(hessian)[:, -1]
    return result


def _grown(labels, inside, reach, voxel_size):
    """Labels that take over voxels `inside` which are not farther than `reach` mm from them."""
    if not labels.any():
        return labels
    distance, nearest = ndimage.distance_transform_edt(labels == 0, sampling=voxel_size, return_indices=True)
    return np.where(inside & (distance <= reach), labels[tuple(nearest)], 0)


def _joined(labels, relative, voxel_size):
    """Join compartments that meet in a wide face without a cortex: at a growth plate, or cut by chance."""
    pairs, values, areas = [], [], []
    for axis, width in enumerate(voxel_size):
        first, second = np.moveaxis(labels, axis, 0)[:-1], np.moveaxis(labels, axis, 0)[1:]
        touch = (first != second) & (first > 0) & (second > 0)
        signals = np.moveaxis(relative, axis, 0)
        pairs.append(np.sort(np.stack([first[touch], second[touch]], axis=1), axis=1))
        values.append(np.minimum(signals[:-1], signals[1:])[touch])
        areas.append(np.full(len(values[-1]), np.prod(voxel_size) / width))
    pairs, values, areas = np.concatenate(pairs), np.concatenate(values), np.concatenate(areas)
    root = np.arange(labels.max() + 1)
    found, number = np.unique(pairs, axis=0, return_inverse=True)
    number = number.ravel()
    for n, (one, other) in enumerate(found):
        if areas[number == n].sum() >= _FACE_MM2 and np.median(values[number == n]) > _NO_CORTEX:
            root[root == root[other]] = root[one]
    return root[labels]


def _enclosed_ones(compartments, magnitude, voxel_size, progress):
    """Masks of the compartments that are wide enough and lie behind cortex, from the largest."""
    bones, boxes = [], ndimage.find_objects(compartments)
    reach = _RAY_MM[-1] * max(1.0, min(voxel_size) / _RAY_VOXEL_MM)
    margin = [int(np.ceil(reach / h)) + 2 for h in voxel_size]
    for number, box in enumerate(boxes):
        report(progress, number / len(boxes), "Looking for cortex around marrow")
        if box is None:
            continue
        box = tuple(
            slice(max(0, s.start - m), min(n, s.stop + m))
            for s, m, n in zip(box, margin, compartments.shape, strict=True)
        )
        inside = ndimage.binary_fill_holes(_largest_piece(compartments[box] == number + 1))
        if depth_of(inside, voxel_size).max() < _BONE_MM or _enclosure(inside, magnitude[box], voxel_size) < _ENCLOSED:
            continue
        bone = np.zeros(compartments.shape, bool)
        bone[box] = inside
        bones.append(bone)
    return sorted(bones, key=np.count_nonzero, reverse=True)


def _largest_piece(inside):
    """The largest connected piece of a mask: growing may have leapt over a cortex."""
    pieces, count = ndimage.label(inside)
    return pieces == 1 + np.argmax(np.bincount(pieces.ravel())[1:]) if count > 1 else inside


def _enclosure(inside, magnitude, voxel_size):
    """Share of a compartment's surface with a cortex: the signal dips, and rises again beyond it."""
    surface = inside & ~ndimage.binary_erosion(inside, border_value=1)
    if not surface.any():
        return 0.0
    widths = _widths(max(_VALLEY_MM, min(voxel_size)), voxel_size, inside.shape)
    soft = ndimage.gaussian_filter(inside.astype(np.float32), widths, mode="nearest")
    gradients = [np.gradient(soft, h, axis=a) if soft.shape[a] > 1 else 0 * soft for a, h in enumerate(voxel_size)]
    normals = -np.stack([gradient[surface] for gradient in gradients])
    normals /= np.maximum(np.linalg.norm(normals, axis=0), 1e-6)
    start = np.argwhere(surface).T.astype(np.float64)
    rays = np.empty((len(_RAY_MM), start.shape[1]))
    stretch = max(1.0, min(voxel_size) / _RAY_VOXEL_MM)
    for ray, distance in zip(rays, _RAY_MM, strict=True):
        at = start + stretch * distance * normals / np.array(voxel_size)[:, None]
        ndimage.map_coordinates(magnitude, at, output=ray, order=1, mode="nearest")
    # The darkest of each ray before any mean: the cortex is thinner than the steps of the voxels' surface.
    near = (_RAY_MM >= -0.5) & (_RAY_MM <= 4)
    darkest = np.argmin(np.where(near[:, None], rays, np.inf), axis=0)
    index = np.arange(len(_RAY_MM))[:, None]
    behind = (index > darkest + 1) & (index <= darkest + 8)
    patch = _widths(_PATCH_MM, voxel_size, inside.shape)
    weight = ndimage.gaussian_filter(surface.astype(np.float32), patch)[surface]

    def patches(values):
        image = np.zeros(inside.shape, np.float32)
        image[surface] = values
        return ndimage.gaussian_filter(image, patch)[surface] / weight

    marrow = patches(rays[_RAY_MM <= -2].mean(axis=0))
    cortex = patches(np.take_along_axis(rays, darkest[None], axis=0)[0])
    beyond = patches(np.mean(rays, axis=0, where=behind))
    return float(np.mean((cortex < _DIP * np.minimum(marrow, beyond)) & (beyond > _TISSUE * marrow)))


def _widths(millimeters, voxel_size, shape):
    """Standard deviations of a Gaussian in voxels; none along an axis of one sample."""
    return [millimeters / h if n > 1 else 0.0 for h, n in zip(voxel_size, shape, strict=True)]
