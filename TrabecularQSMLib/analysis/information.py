"""The information that two images have in common, and the shifts at which that is most."""

from dataclasses import dataclass

import numpy as np
import scipy.fft

from ..acquisition import check_spacing
from ..errors import InputError
from ..images import check_finite, image_from, is_patched, resample
from ..progress import report
from .ct import without_padding

# Bins of histograms of coarse images.
COARSE_BINS = 16
# The search over all shifts works on grids of about this many points, with at least this much overlap.
SEARCH_POINTS, SEARCH_OVERLAP = 20_000, 0.5
# So many of the best shifts are worth a closer look.
CANDIDATES = 4
# About two for each bin of the coarse histogram; fewer voxels of the registration's grid tell nothing.
LEAST_MASKED = 500
# ITK smooths along no axis that is shorter.
LEAST_VOXELS = 4
# The finest level has at most this many voxels.
FINEST_VOXELS = 3_000_000


@dataclass(frozen=True, eq=False)
class Volume:
    """An image as the registration works on it: outliers clipped, with its affine."""

    array: np.ndarray
    affine: np.ndarray

    @property
    def spacing(self):
        """Size of a voxel along i, j, k in mm."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)

    @property
    def corners(self):
        """Corners of the field of view, voxels as a whole, (8, 3) in RAS mm."""
        size = np.array(self.array.shape[::-1])
        indices = np.array(list(np.ndindex(2, 2, 2))) * size - 0.5
        return indices @ self.affine[:3, :3].T + self.affine[:3, 3]

    @property
    def center(self):
        """Center of the field of view, RAS mm."""
        return self.corners.mean(axis=0)

    @property
    def size_mm3(self):
        """Volume of the field of view."""
        return float(np.prod(self.spacing * self.array.shape[::-1]))

    def averaged(self, spacing, least=1):
        """Means over blocks of whole voxels, as many as fit into `spacing` and leave `least` blocks along each axis."""
        factors = np.maximum(np.floor(spacing / self.spacing + 1e-6), 1).astype(int)
        factors = np.minimum(factors, np.array(self.array.shape[::-1]) // least)
        if np.all(factors == 1):
            return self
        array = self.array
        for axis, factor in enumerate(factors[::-1]):
            count = array.shape[axis] // factor
            array = np.moveaxis(array, axis, 0)[: count * factor]
            array = np.moveaxis(array.reshape(count, factor, *array.shape[1:]).mean(axis=1), 0, axis)
        affine = self.affine.copy()
        affine[:3, :3] *= factors
        affine[:3, 3] += self.affine[:3, :3] @ ((factors - 1) / 2)
        return Volume(np.ascontiguousarray(array), affine)

    def cropped(self, points):
        """The smallest block, of `LEAST_VOXELS` at least, that holds `points` (N, 3) in RAS; None if there is none."""
        indices = np.linalg.solve(self.affine[:3, :3], (points - self.affine[:3, 3]).T)[::-1]
        low = np.clip(np.floor(indices.min(axis=1)), 0, self.array.shape).astype(int)
        high = np.clip(np.ceil(indices.max(axis=1)) + 1, 0, self.array.shape).astype(int)
        if np.any(high <= low):
            return None
        low = np.maximum(np.minimum(low, high - LEAST_VOXELS), 0)
        high = np.minimum(np.maximum(high, low + LEAST_VOXELS), self.array.shape)
        affine = self.affine.copy()
        affine[:3, 3] += affine[:3, :3] @ low[::-1]
        block = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        return Volume(np.ascontiguousarray(self.array[block]), affine)

    def image(self):
        """The image as SimpleITK's, in its own directions."""
        return image_from(self.array, self.affine)


@dataclass(frozen=True, eq=False)
class Pair:
    """Two images as they are registered, averaged to voxels of about `finest` mm, and the mask on the fixed one."""

    fixed: Volume
    moving: Volume
    mask: Volume | None
    finest: float

    @classmethod
    def of(cls, fixed, fixed_affine, moving, moving_affine, fixed_mask):
        """Check two images and a mask or None, and average them to the voxels of the coarser image."""
        volumes = [_checked("fixed", fixed, fixed_affine), _checked("moving", moving, moving_affine)]
        spacings = [np.prod(volume.spacing) ** (1 / 3) for volume in volumes]
        finest = max(*spacings, (volumes[0].size_mm3 / FINEST_VOXELS) ** (1 / 3))
        mask = None if fixed_mask is None else _checked_mask(fixed_mask, volumes[0], finest)
        return cls(*(volume.averaged(finest, LEAST_VOXELS) for volume in volumes), mask, finest)

    def quality(self, matrix, *, masked=True):
        """Share of common information with the moving image placed by `matrix`, in the mask if there is one."""
        mask = self.mask if masked else None
        return shared_information(matrix, self.fixed, self.moving, mask, 2 * self.finest)

    def overlap(self, matrix, *, masked=True):
        """Share of the smaller field of view, or of the mask if there is one, that lies inside the other image."""
        return overlap(matrix, self.fixed, self.moving, self.mask if masked else None)


def _checked(name, array, affine):
    """Check an image and clip its outliers, which would take most of the histogram."""
    array = np.asarray(array)
    if array.ndim != 3 or min(array.shape) < LEAST_VOXELS:
        raise InputError(
            f"The {name} image has shape {array.shape}; "
            f"registration needs three axes of at least {LEAST_VOXELS} voxels."
        )
    check_spacing(affine, f"The {name} image")
    check_finite(array, f"The {name} image")
    array = without_padding(array)[0].astype(np.float32)
    low, high = np.percentile(array[::2, ::2, ::2], (0.1, 99.9))
    if low == high:
        low, high = array.min(), array.max()
    if low == high:
        raise InputError(f"The {name} image is {low:g} everywhere; give an image that shows the bones.")
    # ITK wants one type of both images, whichever of the limits they have.
    return Volume(np.clip(array, low, high, dtype=np.float64), np.asarray(affine, np.float64))


def _checked_mask(mask, fixed, spacing):
    """The mask on the grid of the fixed image, once that is averaged to `spacing`."""
    mask = np.asarray(mask)
    if mask.shape != fixed.array.shape:
        raise InputError(f"The mask has shape {mask.shape} but the fixed image has {fixed.array.shape}; give one grid.")
    if not np.any(mask):
        raise InputError("The mask is empty; draw where the images are to be compared, or leave it out.")
    found = Volume((mask != 0).astype(np.float32), fixed.affine).averaged(spacing, LEAST_VOXELS)
    count = np.count_nonzero(found.array)
    if count < LEAST_MASKED:
        raise InputError(
            f"The mask holds {count} of the voxels of {np.prod(found.spacing):.3g} mm³ on which images are compared, "
            f"expected at least {LEAST_MASKED}; draw it larger, with some space around the bones, or leave it out."
        )
    return found


def shift(vector):
    """Matrix (4, 4) that adds a vector in RAS mm."""
    matrix = np.eye(4)
    matrix[:3, 3] = vector
    return matrix


def on_images(*images: tuple[str, np.ndarray]) -> list[str]:
    """Say what of images, each with its name, does not lend itself to a registration by mutual information."""
    notes = [note for _, image in images for note in without_padding(image)[1]]
    notes += [
        f"{name} holds a few whole numbers in patches, as labels do: mutual information wants images."
        for name, image in images
        if is_patched(image)
    ]
    (one, first), (other, second) = images
    if np.array_equal(first, second):
        notes.append(f"{other} holds the same values as {one}: it is registered to itself; give two images.")
    return notes


def search_shifts(fixed, moving, progress):
    """Shifts by whole steps of a coarse grid at which the images share most information, best first.

    The joint histogram of two images of few gray values has, for all shifts at once, one correlation for each pair
    of gray values.
    """
    step = (fixed.size_mm3 / SEARCH_POINTS) ** (1 / 3)
    origin = moving.center - fixed.center
    codes, first = zip(*(_on_coarse_grid(volume, step) for volume in (fixed, moving)), strict=True)
    size = [scipy.fft.next_fast_len(a + b - 1, real=True) for a, b in zip(*(c.shape for c in codes), strict=True)]
    share, total = _shared_at_shifts(codes, size, progress)
    smaller = min(np.count_nonzero(c >= 0) for c in codes)
    share[total < SEARCH_OVERLAP * smaller] = -1
    found = []
    for _ in range(CANDIDATES):
        best = np.unravel_index(np.argmax(share), share.shape)
        if share[best] < 0:
            break
        # Shifts beyond half of the period are negative ones; the first points lie at different places.
        steps = [n if n < c else n - s for n, c, s in zip(best, codes[1].shape, size, strict=True)]
        found.append(shift(origin + step * (np.array(steps[::-1]) + first[0] - first[1])))
        share[np.ix_(*[np.arange(n - 1, n + 2) % s for n, s in zip(best, size, strict=True)])] = -1
    return found or [shift(origin)]


def _on_coarse_grid(volume, step):
    """Gray values of an image on a grid whose points are whole steps from its center, and how many lie before that."""
    low, high = volume.corners.min(axis=0), volume.corners.max(axis=0)
    # Centers are what the start puts on each other.
    below, above = (np.ceil(np.abs(end - volume.center) / step - 0.5).astype(int) for end in (low, high))
    affine = np.diag([step, step, step, 1.0])
    affine[:3, 3] = volume.center - below * step
    small = volume.averaged(step)
    values = resample(small.array, small.affine, tuple((below + above + 1)[::-1]), affine, outside=np.nan)
    return _binned(values), below


def _shared_at_shifts(codes, size, progress):
    """Share of common information at all shifts of two images of gray values, and how many points overlap there."""
    # In float32: counts of so few points are told apart many times over.
    spectra = [
        [scipy.fft.rfftn((c == n).astype(np.float32), s=size, workers=-1) for n in range(COARSE_BINS)] for c in codes
    ]
    products = np.arange(max(c.size for c in codes) + 1)
    products = (products * np.log(np.maximum(products, 1))).astype(np.float32)  # n log n
    logarithms = np.zeros((3, *size))  # Σ n log n of the joint and of both marginal histograms
    columns = np.zeros((COARSE_BINS, *size))
    for done, one in enumerate(spectra[0]):
        report(progress, done / COARSE_BINS, "Looking for a start")
        row = np.zeros(size)
        for number, other in enumerate(spectra[1]):
            count = scipy.fft.irfftn(one.conj() * other, s=size, workers=-1)
            count = np.maximum(np.rint(count, out=count), 0).astype(np.int32)
            logarithms[0] += products[count]
            row += count
            columns[number] += count
        logarithms[1] += row * np.log(np.maximum(row, 1))
    logarithms[2] = (columns * np.log(np.maximum(columns, 1))).sum(axis=0)
    total = columns.sum(axis=0)
    return _share(logarithms, total), total


def shared_information(matrix, fixed, moving, mask, spacing):
    """Share of common information of the two images on the fixed image's grid, averaged to `spacing`."""
    small, other = fixed.averaged(spacing), moving.averaged(spacing)
    values = resample(other.array, other.affine, small.array.shape, small.affine, matrix, outside=np.nan)
    if mask is not None:
        values[mask.averaged(spacing).array == 0] = np.nan
    where = np.isfinite(values)
    if not where.any():
        return 0.0
    pair = _binned(small.array[where]), _binned(values[where])
    joint = np.zeros((COARSE_BINS, COARSE_BINS))
    np.add.at(joint, pair, 1)
    logarithms = [float((n * np.log(np.maximum(n, 1))).sum()) for n in (joint, joint.sum(axis=1), joint.sum(axis=0))]
    return float(_share(logarithms, joint.sum()))


def overlap(matrix, fixed, moving, mask):
    """Share of the smaller field of view, or of the mask, that lies inside the other image."""
    index = np.stack(np.meshgrid(*(np.arange(0, n, 2) for n in fixed.array.shape[::-1]), indexing="ij"), axis=-1)
    index = index.reshape(-1, 3)
    if mask is not None:
        index = np.argwhere(mask.array)[:, ::-1]
    through = np.linalg.inv(moving.affine) @ matrix @ fixed.affine
    found = index @ through[:3, :3].T + through[:3, 3]
    inside = np.all((found >= -0.5) & (found <= np.array(moving.array.shape[::-1]) - 0.5), axis=1).mean()
    if mask is not None:
        return float(inside)
    return float(min(1.0, inside * fixed.size_mm3 / min(fixed.size_mm3, moving.size_mm3)))


def _binned(values):
    """Gray values from 0 of an image, −1 where it has none."""
    known = np.isfinite(values)
    low, high = np.percentile(values[known], (0.5, 99.5)) if known.any() else (0.0, 1.0)
    scaled = (np.where(known, values, low) - low) * (COARSE_BINS / max(high - low, 1e-30))
    return np.where(known, np.clip(scaled, 0, COARSE_BINS - 1), -1).astype(np.int16)


def _share(logarithms, total):
    """2·I / (H(F) + H(M)) from Σ n log n of the joint and both marginal histograms and Σ n."""
    total = np.maximum(total, 1)
    joint, one, other = (np.log(total) - values / total for values in logarithms)
    both = one + other
    return np.where(both > 1e-9, 2 * (both - joint) / np.maximum(both, 1e-9), 0.0)
