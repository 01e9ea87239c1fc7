"""The fine grid on which the patient is painted: where it lies, what each point holds."""

import numpy as np

from .body import MARROW_R2, REFERENCE_TESLA, Patient, marrow_chi, marrow_r2star, relaxation
from .settings import PhantomSettings

# Tissue is simulated this far beyond the field of view, as a share of it, where the body goes on.
MARGIN = 0.2


class FineGrid:
    """The fine grid: supersampled, and extended by whole voxels where the body leaves the field of view.

    Of `settings`, it reads shape, affine and supersampling; it is extended by up to `margin`, a share of the shape.
    """

    def __init__(self, settings: PhantomSettings, patient: Patient, margin: float = MARGIN):
        self.factor = settings.supersampling
        self.affine = settings.affine
        self.shape = settings.shape[::-1]
        spacing = np.linalg.norm(self.affine[:3, :3], axis=0)
        self.voxel_size = tuple(spacing[::-1] / self.factor)
        self.b0_direction = tuple((self.affine[:3, :3] / spacing)[2, ::-1])
        # Indices (i, j, k) of voxels to the anatomy's own coordinates.
        self.to_anatomy = patient.pose @ self.affine[:3, :3]
        self.origin = patient.pose @ self.affine[:3, 3] + patient.shift
        size = np.array(self.shape)
        # The leg counts as far as the grid can reach: further away, it would lean out of a grid slightly turned.
        corners = np.array(list(np.ndindex(2, 2, 2))) * (1 + 2 * margin) - margin
        heights = self.origin[2] + corners * (size[::-1] - 1) @ self.to_anatomy[2]
        (*body_low, bottom), (*body_high, top) = patient.box
        low, high = self._corners(((*body_low, max(bottom, heights.min())), (*body_high, min(top, heights.max()))))
        room = np.round(margin * size)
        before = np.clip(np.ceil(-0.5 - low), 0, room).astype(int)
        after = np.clip(np.ceil(high - (size - 0.5)), 0, room).astype(int)
        self.before = tuple(before * self.factor)
        self.extended_shape = tuple((before + size + after) * self.factor)
        self.inside = tuple(slice(b, b + n * self.factor) for b, n in zip(self.before, self.shape, strict=True))

    def _corners(self, box):
        """Smallest and largest voxel index (k, j, i) of a box of the anatomy."""
        corners = np.array([[box[n >> axis & 1][axis] for axis in range(3)] for n in range(8)], float)
        indices = np.linalg.solve(self.to_anatomy, (corners - self.origin).T)[::-1]
        return indices.min(axis=1), indices.max(axis=1)

    def positions(self, axis, start=0, stop=None):
        """Voxel indices, with fractions, of the extended fine grid along one array axis."""
        n = np.arange(start, self.extended_shape[axis] if stop is None else stop)
        return (n - self.before[axis] + 0.5) / self.factor - 0.5

    def box(self, box, first, last):
        """Slices of the extended fine grid, between two planes, that hold a box of the anatomy; None if none."""
        low, high = ((c + 0.5) * self.factor - 0.5 + self.before for c in self._corners(box))
        low = np.maximum(np.floor(low) - 1, (first, 0, 0)).astype(int)
        high = np.minimum(np.ceil(high) + 2, (last, *self.extended_shape[1:])).astype(int)
        return None if np.any(low >= high) else tuple(slice(a, b) for a, b in zip(low, high, strict=True))

    def coordinates(self, slices):
        """Anatomy coordinates of a block, as broadcastable arrays: an axis that does not matter has length one."""
        result = []
        for row, origin in zip(self.to_anatomy, self.origin, strict=True):
            total = np.full((1, 1, 1), origin)
            for axis, block in enumerate(slices):
                coefficient = row[2 - axis]
                if abs(coefficient) > 1e-9 * np.abs(row).max():
                    view = [1, 1, 1]
                    view[axis] = -1
                    total = total + coefficient * self.positions(axis, block.start, block.stop).reshape(view)
            result.append(total.astype(np.float32))
        return result


def paint(grid: FineGrid, patient: Patient, first: int, last: int, tesla=REFERENCE_TESLA) -> dict[str, np.ndarray]:
    """Tissue properties of the extended fine grid between two planes; `chi` has air at zero."""
    shape = (last - first, *grid.extended_shape[1:])
    names = ("water", "fat", "decay", "chi", "bvtv", "cortex", "body", "cortex_chi")
    canvas = {name: np.zeros(shape, np.float32) for name in names}
    label = canvas["label"] = np.zeros(shape, np.uint8)
    width = np.float32(np.mean(grid.voxel_size))
    for painted in patient.parts:
        slices = grid.box(painted.box, first, last)
        if slices is None:
            continue
        x, y, z = grid.coordinates(slices)
        share = np.clip(0.5 - painted.distance(x, y, z) / width, 0, 1)
        if not share.any():
            continue
        target = (slice(slices[0].start - first, slices[0].stop - first), *slices[1:])
        tissue = painted.tissue
        density, chi, bvtv = tissue.density, tissue.chi, 0.0
        r2star = relaxation(tissue.r2star, tissue.r2, tesla)
        if tissue.bvtv is not None:
            bvtv = tissue.bvtv(x, y, z)
            density, r2star = 1 - bvtv, relaxation(marrow_r2star(bvtv), MARROW_R2, tesla)
            chi = marrow_chi(bvtv, tissue.pdff, patient.chi_fat, patient.chi_bone)
        values = {
            "water": density * (1 - tissue.pdff), "fat": density * tissue.pdff, "decay": density * r2star,
            "chi": chi, "bvtv": bvtv, "cortex": float(tissue.is_cortex), "body": 1.0,
            "cortex_chi": chi if tissue.is_cortex else 0.0,
        }  # fmt: skip
        rest = 1 - share
        for name, value in values.items():
            block = canvas[name][target]
            block *= rest
            if np.ndim(value) or value != 0:
                block += share * np.asarray(value, np.float32)
        new = tissue.label(x, y, z) if callable(tissue.label) else np.uint8(tissue.label)
        label[target] = np.where(share > 0.999, new, np.where(share > 0.001, np.uint8(0), label[target]))
    return canvas


def pure_labels(label, factor):
    """Label of voxels all of whose points carry it; 0 elsewhere."""
    k, j, i = (n // factor for n in label.shape)
    blocks = label.reshape(k, factor, j, factor, i, factor)
    low, high = blocks.min(axis=(1, 3, 5)), blocks.max(axis=(1, 3, 5))
    return np.where(low == high, low, 0).astype(np.uint8)


def centered_mm(shape, voxel_size):
    """Coordinates along the array axes from the center of the field of view in units of 100 mm, broadcastable."""
    result = []
    for axis, (n, h) in enumerate(zip(shape, voxel_size, strict=True)):
        view = [1, 1, 1]
        view[axis] = -1
        result.append(((np.arange(n) - (n - 1) / 2) * (h / 100.0)).reshape(view))
    return result
