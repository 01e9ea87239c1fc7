"""Rigid registration of two images by mutual information."""

from dataclasses import dataclass

import numpy as np
import scipy.fft
import SimpleITK as sitk

from ..errors import InputError, counted
from ..images import image_from, matrix_from, resample, transform_from
from ..methods import Method
from ..progress import Progress, part, report
from .callbacks import raised_in_callbacks
from .ct import without_padding

# Bins of the joint histogram: of the metric (the authors' number), and of what is computed on coarse images.
METRIC_BINS, COARSE_BINS = 50, 16
# The search over all shifts works on grids of about this many points, with at least this much overlap.
SEARCH_POINTS, SEARCH_OVERLAP = 20_000, 0.5
# So many of the best shifts are refined on the coarsest level before one is chosen.
CANDIDATES = 4
# Levels from coarse to fine: voxels of the finest level in one, and smoothing (SD) in these voxels.
LEVELS = ((4, 2.0), (2, 1.0), (1, 0.5))
# Within a mask the finest level is not smoothed, which would bring in what lies outside.
MASKED_LEVELS = (*LEVELS[:2], (1, 0.0))
# Enough for a histogram of 50 × 50 bins; more voxels than this are sampled at random, with one seed.
SAMPLES, SEED = 60_000, 20190418
# With a small mask, coarse levels are only smoothed, so that so many voxels are left.
LEAST_SAMPLES = 10_000
# About two for each bin of the coarse histogram; fewer voxels of the registration's grid tell nothing.
LEAST_MASKED = 500
# ITK smooths along no axis that is shorter.
LEAST_VOXELS = 4
# The finest level has at most this many voxels.
FINEST_VOXELS = 3_000_000
ITERATIONS = 100
# Less overlap than this is none that could be trusted.
LEAST_OVERLAP = 0.1
# Around the moving image's field of view, what counts of the fixed image, mm.
CROP_MARGIN = 25.0


@dataclass(frozen=True, eq=False)
class Registration:
    """A rigid registration and how good it is.

    Parameters
    ----------
    matrix : (4, 4) array
        Maps RAS points of the fixed image to RAS points of the moving image, mm.
    mutual_information : float
        Of the two images at the end, in nats (Mattes et al. 2003, doi 10.1109/TMI.2003.809072).
    quality : float
        Share of information that the images have in common, 2·I(F, M) / (H(F) + H(M)), from 0 for none to 1 where
        each gives the other: the normalized mutual information of Studholme et al. 1999 (doi
        10.1016/S0031-3203(98)00091-0), NMI = 2 / (2 − quality), on another scale. Images of different contrast and
        with noise reach 0.2 to 0.5; compare results of the same pair of images.
    overlap : float
        Share of the smaller field of view that lies inside the other; with a mask, the share of the mask that lies
        inside the moving image.
    iterations : int
        Steps on all levels of the last refinement.
    converged : bool
        Whether the last level stopped because its steps became short, not because it ran out of iterations.
    """

    matrix: np.ndarray
    mutual_information: float
    quality: float
    overlap: float
    iterations: int
    converged: bool

    @property
    def rotation_degrees(self) -> float:
        """Angle of the rotation."""
        return float(np.degrees(np.arccos(np.clip((np.trace(self.matrix[:3, :3]) - 1) / 2, -1, 1))))

    def displacement(self, shape, affine) -> float:
        """Return how far the center of a grid of `shape` (k, j, i) and `affine` is moved, mm."""
        center = (affine @ [*(np.array(shape[::-1]) - 1) / 2, 1])[:3]
        return float(np.linalg.norm(self.matrix[:3, :3] @ center + self.matrix[:3, 3] - center))


@dataclass(frozen=True, eq=False)
class _Volume:
    """An image as the registration works on it: outliers clipped, with its affine."""

    array: np.ndarray
    affine: np.ndarray

    @property
    def spacing(self):
        return np.linalg.norm(self.affine[:3, :3], axis=0)

    @property
    def corners(self):
        """Corners of the field of view, voxels as a whole, (8, 3) in RAS mm."""
        size = np.array(self.array.shape[::-1])
        indices = np.array(list(np.ndindex(2, 2, 2))) * size - 0.5
        return indices @ self.affine[:3, :3].T + self.affine[:3, 3]

    @property
    def center(self):
        return self.corners.mean(axis=0)

    @property
    def size_mm3(self):
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
        return _Volume(np.ascontiguousarray(array), affine)

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
        return _Volume(np.ascontiguousarray(self.array[block]), affine)

    def image(self):
        return image_from(self.array, self.affine)


@dataclass(frozen=True, eq=False)
class _Pair:
    """Two images as they are registered, averaged to voxels of about `finest` mm, and the mask on the fixed one."""

    fixed: _Volume
    moving: _Volume
    mask: _Volume | None
    finest: float

    @classmethod
    def of(cls, fixed, fixed_affine, moving, moving_affine, fixed_mask):
        volumes = [_checked("fixed", fixed, fixed_affine), _checked("moving", moving, moving_affine)]
        spacings = [np.prod(volume.spacing) ** (1 / 3) for volume in volumes]
        finest = max(*spacings, (volumes[0].size_mm3 / FINEST_VOXELS) ** (1 / 3))
        mask = None if fixed_mask is None else _checked_mask(fixed_mask, volumes[0], finest)
        return cls(*(volume.averaged(finest, LEAST_VOXELS) for volume in volumes), mask, finest)

    def quality(self, matrix):
        return _quality(matrix, self.fixed, self.moving, self.mask, 2 * self.finest)

    def overlap(self, matrix):
        return _overlap(matrix, self.fixed, self.moving, self.mask)


def register_rigid(
    fixed: np.ndarray,
    fixed_affine: np.ndarray,
    moving: np.ndarray,
    moving_affine: np.ndarray,
    *,
    start: str | np.ndarray = "geometry",
    fixed_mask: np.ndarray | None = None,
    progress: Progress | None = None,
) -> Registration:
    """Find the rigid motion that brings two images of one patient into agreement, whatever their contrast.

    Parameters
    ----------
    fixed, moving : (K, J, I) arrays
        Real images; their grids and fields of view may differ.
    fixed_affine, moving_affine : (4, 4) arrays
        Voxel indices (i, j, k) to RAS in mm.
    start : {"geometry", "moments"} or (4, 4) array
        "geometry" puts the centers of the two fields of view on each other and then tries all shifts that leave half
        of the smaller one inside the other. "moments" puts the centers of mass of the intensities on each other. A
        matrix, fixed to moving points in RAS, is refined as it is: the result of another registration, or of hands.
    fixed_mask : (K, J, I) bool array, optional
        Where the images are compared in the end, on the grid of `fixed`: best bones with some millimeters around them,
        because within one bone there is little to compare. The starts "geometry" and "moments" are refined with all
        of the images first; what the mask leaves out has no say in whether that or what follows is better.
    progress : callable, optional
        Called with a fraction and a message; what it raises stops the registration.

    Returns
    -------
    Registration
        The same input gives the same result.

    Raises
    ------
    InputError
        If an image is constant or holds NaN, the mask holds too little, the start is not rigid, or nothing overlaps.

    Notes
    -----
    Mutual information after Mattes et al. (2003, doi 10.1109/TMI.2003.809072) as SimpleITK computes it, with the
    authors' 50 bins, over three levels of resolution, by gradient descent with steps that are shortened where
    the direction turns. Three rotations and three shifts are scaled by the displacement they cause. Unlike the authors'
    script the samples have a fixed seed, and finer images are first averaged to the resolution of the coarser. With a
    mask the result is where the refinement within it started, unless its end has the higher quality on two grids.
    """
    report(progress, 0.0, "Preparing the images")
    pair = _Pair.of(fixed, fixed_affine, moving, moving_affine, fixed_mask)
    fixed_volume, moving_volume, mask_volume, finest = pair.fixed, pair.moving, pair.mask, pair.finest
    matrix, done = _best_start(start, pair, part(progress, 0.0, 0.4)), 0.4
    if mask_volume is not None and isinstance(start, str):
        refined = _refined(matrix, fixed_volume, moving_volume, None, finest, LEVELS, part(progress, 0.4, 0.7))
        matrix, done = refined[0] if refined else matrix, 0.7
    levels = LEVELS if mask_volume is None else MASKED_LEVELS
    refined = _refined(matrix, fixed_volume, moving_volume, mask_volume, finest, levels, part(progress, done, 0.97))
    overlap = pair.overlap(refined[0]) if refined else 0.0
    if overlap < LEAST_OVERLAP:
        raise InputError("The images lose their overlap during the registration; start closer, such as by landmarks.")
    matrix, information, iterations, converged = refined
    report(progress, 1.0, "Registered")
    return Registration(
        matrix=matrix,
        mutual_information=information,
        quality=pair.quality(matrix),
        overlap=overlap,
        iterations=iterations,
        converged=converged,
    )


def find_start(
    fixed: np.ndarray,
    fixed_affine: np.ndarray,
    moving: np.ndarray,
    moving_affine: np.ndarray,
    *,
    start: str = "geometry",
    fixed_mask: np.ndarray | None = None,
    progress: Progress | None = None,
) -> np.ndarray:
    """Return the matrix (4, 4) from which `register_rigid` goes on, for programs that are told where to start.

    Parameters and errors are those of `register_rigid`; from "geometry" it is the best of the shifts that were tried,
    refined on the coarsest level.
    """
    pair = _Pair.of(fixed, fixed_affine, moving, moving_affine, fixed_mask)
    return _best_start(start, pair, progress)


def agreement(
    fixed: np.ndarray,
    fixed_affine: np.ndarray,
    moving: np.ndarray,
    moving_affine: np.ndarray,
    matrix: np.ndarray,
    *,
    fixed_mask: np.ndarray | None = None,
) -> tuple[float, float]:
    """Return the quality and the overlap of a registration, as `Registration` has them, whoever found the matrix."""
    pair = _Pair.of(fixed, fixed_affine, moving, moving_affine, fixed_mask)
    return pair.quality(matrix), pair.overlap(matrix)


def _checked(name, array, affine):
    """Check an image and clip its outliers, which would take most of the histogram."""
    array = np.asarray(array)
    if array.ndim != 3 or min(array.shape) < LEAST_VOXELS:
        raise InputError(
            f"The {name} image has shape {array.shape}; "
            f"registration needs three axes of at least {LEAST_VOXELS} voxels."
        )
    bad = array.size - np.count_nonzero(np.isfinite(array))
    if bad:
        found = counted(bad, "voxel that is not a number", "voxels that are not numbers")
        raise InputError(f"The {name} image holds {found}; replace them or export it again.")
    array = without_padding(array)[0].astype(np.float32)
    low, high = np.percentile(array[::2, ::2, ::2], (0.1, 99.9))
    if low == high:
        low, high = array.min(), array.max()
    if low == high:
        raise InputError(f"The {name} image is {low:g} everywhere; give an image that shows the bones.")
    # ITK wants one type of both images, whichever of the limits they have.
    return _Volume(np.clip(array, low, high, dtype=np.float64), np.asarray(affine, np.float64))


def _checked_mask(mask, fixed, spacing):
    """The mask on the grid of the fixed image, once that is averaged to `spacing`."""
    mask = np.asarray(mask)
    if mask.shape != fixed.array.shape:
        raise InputError(f"The mask has shape {mask.shape} but the fixed image has {fixed.array.shape}; give one grid.")
    if not np.any(mask):
        raise InputError("The mask is empty; draw where the images are to be compared, or leave it out.")
    found = _Volume((mask != 0).astype(np.float32), fixed.affine).averaged(spacing, LEAST_VOXELS)
    count = np.count_nonzero(found.array)
    if count < LEAST_MASKED:
        raise InputError(
            f"The mask holds {count} of the voxels of {np.prod(found.spacing):.3g} mm³ on which images are compared, "
            f"expected at least {LEAST_MASKED}; draw it larger, with some space around the bones, or leave it out."
        )
    return found


def check_rigid(matrix: np.ndarray) -> np.ndarray:
    """Return a matrix (4, 4) as the rigid one next to it, if it is rigid to a thousandth; else raise `InputError`."""
    matrix = np.asarray(matrix, np.float64)
    rigid = np.eye(4)
    if matrix.shape == (4, 4) and np.all(np.isfinite(matrix)):
        left, stretch, right = np.linalg.svd(matrix[:3, :3])
        if np.abs(stretch - 1).max() < 1e-3 and np.linalg.det(matrix[:3, :3]) > 0:
            rigid[:3, :3], rigid[:3, 3] = left @ right, matrix[:3, 3]
            return rigid
    raise InputError(
        "The initial transform is not rigid: it scales, shears or mirrors; give one of rotations and shifts only."
    )


def _starts(start, fixed, moving, progress):
    """Matrices to start from, the most promising first."""
    if not isinstance(start, str):
        return [check_rigid(start)]
    if start == "moments":
        return [_shift(_center_of_mass(moving) - _center_of_mass(fixed))]
    if start != "geometry":
        raise InputError(f"The start is {start!r}; choose geometry, moments, or give a transform.")
    return _search(fixed, moving, progress)


def _best_start(start, pair, progress):
    """The most promising of the starts, refined on the coarsest level where there are several."""
    starts = _starts(start, pair.fixed, pair.moving, part(progress, 0.0, 0.25))
    if max(map(pair.overlap, starts)) < LEAST_OVERLAP:
        raise InputError(
            "The images do not overlap where the registration starts; start from the centers of the images "
            "(geometry) or move one of them by hand first."
        )
    if len(starts) == 1:
        return starts[0]
    scores, step = [], 0.75 / len(starts)
    for number, matrix in enumerate(starts):
        share = part(progress, 0.25 + step * number, 0.25 + step * (number + 1))
        # Of all the images: a bone alone looks like many others.
        refined = _refined(matrix, pair.fixed, pair.moving, None, pair.finest, LEVELS[:1], share)
        matrix = refined[0] if refined else matrix
        scores.append((pair.quality(matrix), matrix))
    # The first of equals, so that ties do not depend on anything.
    return max(scores, key=lambda score: score[0])[1]


def _shift(vector):
    matrix = np.eye(4)
    matrix[:3, 3] = vector
    return matrix


def _center_of_mass(volume):
    weight = volume.array - volume.array.min()
    index = [
        np.dot(weight.sum(axis=tuple({0, 1, 2} - {axis}), dtype=np.float64), np.arange(weight.shape[axis]))
        for axis in (2, 1, 0)
    ]
    return volume.affine[:3, :3] @ (np.array(index) / weight.sum(dtype=np.float64)) + volume.affine[:3, 3]


def _search(fixed, moving, progress):
    """Shifts by whole steps of a coarse grid at which the images share most information, best first.

    The joint histogram of two images of few gray values has, for all shifts at once, one correlation for each pair
    of gray values.
    """
    step = (fixed.size_mm3 / SEARCH_POINTS) ** (1 / 3)
    origin = moving.center - fixed.center
    codes, first = [], []
    for volume in (fixed, moving):
        low, high = volume.corners.min(axis=0), volume.corners.max(axis=0)
        # The grids' points are whole steps from the centers, which the start puts on each other.
        below, above = (np.ceil(np.abs(end - volume.center) / step - 0.5).astype(int) for end in (low, high))
        affine = np.diag([step, step, step, 1.0])
        affine[:3, 3] = volume.center - below * step
        shape = tuple((below + above + 1)[::-1])
        small = volume.averaged(step)
        values = resample(small.array, small.affine, shape, affine, outside=np.nan)
        codes.append(_binned(values))
        first.append(below)
    size = [scipy.fft.next_fast_len(a + b - 1, real=True) for a, b in zip(*(c.shape for c in codes), strict=True)]
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
    share = _shared_information(logarithms, total)
    smaller = min(np.count_nonzero(c >= 0) for c in codes)
    share[total < SEARCH_OVERLAP * smaller] = -1
    found = []
    for _ in range(CANDIDATES):
        best = np.unravel_index(np.argmax(share), share.shape)
        if share[best] < 0:
            break
        # Shifts beyond half of the period are negative ones; the first points lie at different places.
        steps = [n if n < c else n - s for n, c, s in zip(best, codes[1].shape, size, strict=True)]
        found.append(_shift(origin + step * (np.array(steps[::-1]) + first[0] - first[1])))
        share[np.ix_(*[np.arange(n - 1, n + 2) % s for n, s in zip(best, size, strict=True)])] = -1
    return found or [_shift(origin)]


def _binned(values):
    """Gray values from 0 of an image, −1 where it has none."""
    known = np.isfinite(values)
    low, high = np.percentile(values[known], (0.5, 99.5)) if known.any() else (0.0, 1.0)
    scaled = (np.where(known, values, low) - low) * (COARSE_BINS / max(high - low, 1e-30))
    return np.where(known, np.clip(scaled, 0, COARSE_BINS - 1), -1).astype(np.int16)


def _shared_information(logarithms, total):
    """2·I / (H(F) + H(M)) from Σ n log n of the joint and both marginal histograms and Σ n."""
    total = np.maximum(total, 1)
    joint, one, other = (np.log(total) - values / total for values in logarithms)
    both = one + other
    return np.where(both > 1e-9, 2 * (both - joint) / np.maximum(both, 1e-9), 0.0)


def _quality(matrix, fixed, moving, mask, spacing):
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
    return float(_shared_information(logarithms, joint.sum()))


def _overlap(matrix, fixed, moving, mask):
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


def _refined(matrix, fixed, moving, mask, finest, levels, progress):
    """Matrix, mutual information, iterations and convergence after some levels; None if the images part.

    With a mask the start is kept unless the quality has become higher.
    """
    around = _enlarged(moving.corners)
    cropped = fixed.cropped((around - matrix[:3, 3]) @ matrix[:3, :3])  # by the inverse of a rigid motion
    if cropped is not None and mask is not None:
        held = np.argwhere(mask.array)[:, ::-1] @ mask.affine[:3, :3].T + mask.affine[:3, 3]
        cropped = cropped.cropped(_enlarged(mask.cropped(held).corners))
    if cropped is None:
        return None
    start = sitk.Euler3DTransform()
    # Turned about the middle of what both show: rotations and shifts then hardly depend on each other.
    linear = transform_from(matrix)
    center = cropped.center * (-1, -1, 1)
    start.SetCenter(center.tolist())
    start.SetMatrix(linear.GetMatrix(), 1e-6)
    start.SetTranslation((np.array(linear.TransformPoint(center.tolist())) - center).tolist())

    method = _method(cropped, mask, finest, levels)
    method.SetInitialTransform(start, inPlace=True)

    count = 0

    def step():
        nonlocal count
        count += 1
        done = (method.GetCurrentLevel() + min(method.GetOptimizerIteration() / ITERATIONS, 1)) / len(levels)
        report(progress, done, "Registering")

    method.AddCommand(sitk.sitkIterationEvent, step)
    try:
        with raised_in_callbacks():
            method.Execute(cropped.image(), moving.image())
    except RuntimeError as error:
        if "outside" in str(error) or "overlap" in str(error):
            return None
        raise
    converged = "Maximum number" not in method.GetOptimizerStopConditionDescription()
    found, value = matrix_from(start), method.GetMetricValue()
    # Of so few voxels the quality on one grid alone may be higher by chance.
    if mask is not None and not all(
        _quality(found, fixed, moving, mask, spacing) > _quality(matrix, fixed, moving, mask, spacing)
        for spacing in (finest, 2 * finest)
    ):
        found = matrix
        method.SetInitialTransform(linear)
        value = method.MetricEvaluate(cropped.image(), moving.image())
    return found, -float(value), count, converged


def _method(fixed, mask, finest, levels):
    """What maximizes mutual information with the part `fixed` of the fixed image, in the mask, over some levels."""
    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfWorkUnits(1)  # sums of several threads would differ from run to run
    method.SetMetricAsMattesMutualInformation(METRIC_BINS)
    method.SetMetricSamplingStrategy(method.RANDOM)
    # Samples outside of the mask are drawn as well, and do not count.
    inside = fixed.array.size if mask is None else min(fixed.array.size, np.count_nonzero(mask.array))
    most = max(1, int((inside / LEAST_SAMPLES) ** (1 / 3)))
    shrinks = [min(shrink, most) for shrink, _ in levels]
    shares = [min(1.0, SAMPLES * shrink**3 / max(inside, 1)) for shrink in shrinks]
    method.SetMetricSamplingPercentagePerLevel(shares, SEED)
    if mask is not None:
        method.SetMetricFixedMask(image_from((mask.array > 0).astype(np.uint8), mask.affine))
        # ITK's filters smooth the gradients: without the skin, whose edges outweigh all else, the steps would then
        # lead away from where fine structures agree.
        method.SetMetricUseFixedImageGradientFilter(False)
        method.SetMetricUseMovingImageGradientFilter(False)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetShrinkFactorsPerLevel(shrinks)
    method.SetSmoothingSigmasPerLevel([sigma * finest for _, sigma in levels])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=1.0,
        minStep=0.005,
        numberOfIterations=ITERATIONS,
        relaxationFactor=0.8,  # halving the steps, as is usual, makes them short before the end
        gradientMagnitudeTolerance=1e-8,
        estimateLearningRate=method.Once,
        maximumStepSizeInPhysicalUnits=finest,
    )
    method.SetOptimizerScalesFromPhysicalShift()
    return method


def _enlarged(corners):
    """Corners of a box (8, 3), farther from its center, by `CROP_MARGIN` along its longest axis."""
    center = corners.mean(axis=0)
    around = corners - center
    return center + around * (1 + CROP_MARGIN / np.abs(around).max())


METHOD = Method(
    register_rigid,
    title="Rigid registration",
    solves="mutual information over three rotations and three shifts, on three levels of resolution",
    test="test_analysis_registration.RigidTest",
    reference="Mattes et al. 2003, doi 10.1109/TMI.2003.809072; "
    "quality: Studholme et al. 1999, doi 10.1016/S0031-3203(98)00091-0",
)
