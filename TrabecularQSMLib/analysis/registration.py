"""Rigid registration of two images by mutual information."""

from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from ..images import image_from, matrix_from, transform_from
from ..methods import Method
from ..progress import Progress, part, report
from .callbacks import raised_in_callbacks
from .information import Pair, search_shifts, shared_information, shift

# Bins of the metric's joint histogram: the authors' number.
METRIC_BINS = 50
# Levels from coarse to fine: voxels of the finest level in one, and smoothing (SD) in these voxels.
LEVELS = ((4, 2.0), (2, 1.0), (1, 0.5))
# Within a mask the finest level is not smoothed, which would bring in what lies outside.
MASKED_LEVELS = (*LEVELS[:2], (1, 0.0))
# Enough for a histogram of 50 × 50 bins; more voxels than this are sampled at random, with one seed.
SAMPLES, SEED = 60_000, 20190418
# With a small mask, coarse levels are only smoothed, so that so many voxels are left.
LEAST_SAMPLES = 10_000
ITERATIONS = 100
# Less overlap than this is none that could be trusted.
LEAST_OVERLAP = 0.1
# The search looks where half of the smaller image lies inside the other: a result with less than what some millimeters
# from there leave has wandered off (0.49 was right by 0.2 mm).
LIKELY_OVERLAP = 0.45
# A result whose quality is below this share of that of a mere search over shifts has failed: on the sample data results
# that are 2 mm off have 0.88 of it and more, those that are 5 mm off 0.71 to 0.85.
LEAST_SHARE = 0.85
# Images that belong together have this many times the quality that they have so far beside it, in mm or voxels of the
# coarser: simulated ankles and knees with noise, or in small masks, 1.45 times and more, noise 1.35 times and less.
BESIDE_MM, BESIDE_VOXELS, LEAST_GAIN = 12.0, 4.0, 1.4
# One of two images is mirrored if they agree so many times better once it is turned back: simulated ankles and knees
# that are right agree 0.97 times as well at most, such that are mirrored 1.04 times and more.
LEAST_MIRRORED = 1.03
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
    return _registered(Pair.of(fixed, fixed_affine, moving, moving_affine, fixed_mask), start, progress)


def _registered(pair, start, progress):
    fixed_volume, moving_volume, mask_volume, finest = pair.fixed, pair.moving, pair.mask, pair.finest
    matrix, done = _best_start(start, pair, part(progress, 0.0, 0.4)), 0.4
    if mask_volume is not None and isinstance(start, str):
        refined = _refined(matrix, fixed_volume, moving_volume, None, finest, LEVELS, part(progress, 0.4, 0.7))
        matrix, done = refined[0] if refined else matrix, 0.7
    levels = LEVELS if mask_volume is None else MASKED_LEVELS
    refined = _refined(matrix, fixed_volume, moving_volume, mask_volume, finest, levels, part(progress, done, 0.97))
    overlap = pair.overlap(refined[0]) if refined else 0.0
    if overlap < LEAST_OVERLAP:
        raise InputError(
            "The images lose their overlap during the registration; look whether both show the same part of the "
            "patient, and start closer, such as by landmarks."
        )
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
    pair = Pair.of(fixed, fixed_affine, moving, moving_affine, fixed_mask)
    return _best_start(start, pair, progress)


@dataclass(frozen=True)
class Agreement:
    """How well two images agree where a registration has put them, whoever found it.

    Parameters
    ----------
    quality, overlap : float
        As in `Registration`.
    warning : str or None
        What says that the registration failed.
    """

    quality: float
    overlap: float
    warning: str | None


def agreement(
    fixed: np.ndarray,
    fixed_affine: np.ndarray,
    moving: np.ndarray,
    moving_affine: np.ndarray,
    matrix: np.ndarray,
    *,
    fixed_mask: np.ndarray | None = None,
    searched: np.ndarray | None = None,
) -> Agreement:
    """Return how well two images agree with the moving one placed by a matrix, and whether that is a failure.

    Parameters and errors are those of `register_rigid`, and `searched`, what `find_start` found: the matrix fails where
    that agrees better, where hardly anything overlaps, and where the images agree as well some millimeters beside it.
    """
    return _agreement(Pair.of(fixed, fixed_affine, moving, moving_affine, fixed_mask), matrix, searched)


def _agreement(pair, matrix, searched):
    quality, overlap = pair.quality(matrix), pair.overlap(matrix)
    better = pair.quality(searched) if searched is not None else 0.0
    beside, distance = _beside(pair, matrix, overlap)
    failed, warning = f"The registration failed: quality {quality:.2g} with an overlap of {overlap:.0%}", None
    if quality < LEAST_GAIN * beside:
        warning = (
            f"{failed}, and {beside:.2g} in the median {distance:.0f} mm beside, which is next to nothing in common. "
            "Look whether both images show the same part of the patient; if they do, start closer."
        )
    elif quality < LEAST_SHARE * better or overlap < LEAST_OVERLAP:
        warning = (
            f"{failed}, while a search over shifts alone reaches {better:.2g}. Start from geometry or from landmarks."
        )
    elif (mirrored := _mirrored(pair, matrix)) > LEAST_MIRRORED * (plain := pair.quality(matrix, masked=False)):
        warning = (
            f"The images agree better if one of them is mirrored from left to right (quality {mirrored:.2g}, "
            f"{plain:.2g} as it is): look whether left is left in both, as by a marker or "
            "the fibula; if it is, the registration may have failed, so start closer."
        )
    # A slab inside of the other image covers little of a mask of the whole body.
    elif (shared := max(overlap, pair.overlap(matrix, masked=False))) < LIKELY_OVERLAP:
        warning = (
            f"The images share no more than {shared:.0%} of the smaller one's field of view: if they show the same "
            "part of the patient, the registration failed; start closer, and look whether one of them is mirrored."
        )
    return Agreement(quality, overlap, warning)


def register_and_judge(
    fixed: np.ndarray,
    fixed_affine: np.ndarray,
    moving: np.ndarray,
    moving_affine: np.ndarray,
    *,
    start: str | np.ndarray = "geometry",
    fixed_mask: np.ndarray | None = None,
    progress: Progress | None = None,
) -> tuple[Registration, Agreement]:
    """Return what `register_rigid` finds and its `agreement`; the images are prepared once.

    Parameters and errors are those of `register_rigid`; what starts elsewhere is compared with a search over shifts,
    which is the start from geometry.
    """
    report(progress, 0.0, "Preparing the images")
    pair, searched = Pair.of(fixed, fixed_affine, moving, moving_affine, fixed_mask), None
    if not isinstance(start, str) or start != "geometry":
        searched = _best_start("geometry", pair, part(progress, 0.0, 0.2))
        progress = part(progress, 0.2, 1.0)
    found = _registered(pair, start, progress)
    return found, _agreement(pair, found.matrix, searched)


def on_result(found: Registration, judged: Agreement) -> list[str]:
    """Say if a registration failed, or did not come to its end."""
    if judged.warning:
        return [judged.warning]
    return [] if found.converged else ["The steps had not become short at the end; look at the result closely."]


def _beside(pair, matrix, overlap):
    """Median quality at six shifts by a distance, of those that keep half of the overlap or more, and that distance."""
    distance = max(BESIDE_MM, BESIDE_VOXELS * pair.finest)
    shifted = [shift(sign * distance * axis) @ matrix for axis in np.eye(3) for sign in (1, -1)]
    qualities = [pair.quality(matrix) for matrix in shifted if pair.overlap(matrix) >= overlap / 2]
    return float(np.median(qualities)) if qualities else 0.0, distance


def _mirrored(pair, matrix):
    """Quality with the fixed image mirrored from left to right, refined on the coarsest level from a matrix."""
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    mirror[0, 3] = 2 * pair.fixed.center[0]
    turned = replace(pair, fixed=replace(pair.fixed, affine=mirror @ pair.fixed.affine), mask=None)
    refined = _refined(matrix, turned.fixed, turned.moving, None, turned.finest, LEVELS[:1], None)
    return turned.quality(refined[0]) if refined else 0.0


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
        return [shift(_center_of_mass(moving) - _center_of_mass(fixed))]
    if start != "geometry":
        raise InputError(f"The start is {start!r}; choose geometry, moments, or give a transform.")
    return search_shifts(fixed, moving, progress)


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


def _center_of_mass(volume):
    weight = volume.array - volume.array.min()
    index = [
        np.dot(weight.sum(axis=tuple({0, 1, 2} - {axis}), dtype=np.float64), np.arange(weight.shape[axis]))
        for axis in (2, 1, 0)
    ]
    return volume.affine[:3, :3] @ (np.array(index) / weight.sum(dtype=np.float64)) + volume.affine[:3, 3]


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
    # Turned about the middle of what both show: rotations and shifts then hardly depend on each other.
    moved = _about(cropped.center, matrix)
    method = _method(cropped, mask, finest, levels)
    method.SetInitialTransform(moved, inPlace=True)
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
    found, value = matrix_from(moved), method.GetMetricValue()
    # Of so few voxels the quality on one grid alone may be higher by chance.
    if mask is not None and not all(
        shared_information(found, fixed, moving, mask, spacing)
        > shared_information(matrix, fixed, moving, mask, spacing)
        for spacing in (finest, 2 * finest)
    ):
        found = matrix
        method.SetInitialTransform(transform_from(matrix))
        value = method.MetricEvaluate(cropped.image(), moving.image())
    return found, -float(value), count, converged


def _about(center, matrix):
    """Rigid transform of ITK that turns about a point in RAS, of a matrix."""
    linear, rigid, center = transform_from(matrix), sitk.Euler3DTransform(), center * (-1, -1, 1)
    rigid.SetCenter(center.tolist())
    rigid.SetMatrix(linear.GetMatrix(), 1e-6)
    rigid.SetTranslation((np.array(linear.TransformPoint(center.tolist())) - center).tolist())
    return rigid


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
