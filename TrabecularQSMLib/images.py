"""Arrays [k, j, i] with an affine to RAS as ITK images and transforms: compared, and brought to another grid.

ITK holds patient coordinates as LPS, everything else here as RAS: the signs change in this file and nowhere else.
"""

import numpy as np
import SimpleITK as sitk

from .errors import InputError, counted

_LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])

# Far below what would change a region's statistics, and well above the rounding of a float32 header.
_GEOMETRY_TOLERANCE_VOXELS = 0.02

# Axes that are farther from right angles than this, in degrees, are so by more than a usual header rounds.
LARGEST_SHEAR = 0.06
# More whole numbers than these are no labels of regions.
MOST_LABELS = 64
# So few are labels, however thin the regions are.
_FEW_LABELS = 16
# Largest values that masks have beside 1: percent, and 8 bits. Splines overshoot 1 by less than half.
_FULL, _OVERSHOOT = (100, 255), 1.5
# Of what is above a tenth of the largest value of a mask that was blurred, at least this share is near that value.
_NEAR_TOP = 0.008

_INTERPOLATORS = {"linear": sitk.sitkLinear, "nearest": sitk.sitkNearestNeighbor, "spline": sitk.sitkBSpline}


def image_from(array: np.ndarray, affine: np.ndarray) -> sitk.Image:
    """Return an ITK image of an array [k, j, i] with an affine (i, j, k → RAS)."""
    image = sitk.GetImageFromArray(array)
    lps = affine[:3] * _LPS_TO_RAS[:, None]
    spacing = np.linalg.norm(lps[:, :3], axis=0)
    # Adding zero turns the −0 that a sign change leaves into 0, so that equal geometry gives equal bytes.
    image.SetSpacing(spacing.tolist())
    image.SetDirection((lps[:, :3] / spacing + 0.0).ravel().tolist())
    image.SetOrigin((lps[:, 3] + 0.0).tolist())
    return image


def transform_from(matrix: np.ndarray) -> sitk.AffineTransform:
    """Return an ITK transform of a matrix (4, 4) that maps RAS points to RAS points."""
    signs = np.append(_LPS_TO_RAS, 1.0)
    lps = np.asarray(matrix, dtype=np.float64) * signs[:, None] * signs
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(lps[:3, :3].ravel().tolist())
    transform.SetTranslation(lps[:3, 3].tolist())
    return transform


def matrix_from(transform: sitk.Transform) -> np.ndarray:
    """Return the matrix (4, 4) from RAS points to RAS points of a linear ITK transform."""
    points = np.vstack([np.zeros(3), np.eye(3)])
    moved = np.array([transform.TransformPoint(point.tolist()) for point in points])
    lps = np.eye(4)
    lps[:3, :3], lps[:3, 3] = (moved[1:] - moved[0]).T, moved[0]
    signs = np.append(_LPS_TO_RAS, 1.0)
    return lps * signs[:, None] * signs


def geometry_difference(shape, affine, other_shape, other_affine) -> str | None:
    """Say how a second grid differs from a first one, or None if they are the same to 2 % of a voxel.

    Shapes are (k, j, i), affines (i, j, k → RAS).
    """
    if tuple(shape) != tuple(other_shape):
        return f"{_by(shape)} voxels (i × j × k) against {_by(other_shape)}"
    sizes, other_sizes = (np.linalg.norm(matrix[:3, :3], axis=0) for matrix in (affine, other_affine))
    if not np.allclose(sizes, other_sizes, rtol=1e-3):
        return f"voxels of {_mm(sizes)} mm against {_mm(other_sizes)} mm"
    if not np.allclose(affine[:3, :3] / sizes, other_affine[:3, :3] / other_sizes, atol=1e-3):
        return "the axes point in different directions"
    distance = farthest_corner(shape, affine, other_affine)
    if distance > _GEOMETRY_TOLERANCE_VOXELS * sizes.min():
        return f"the same voxels lie up to {distance:.3g} mm apart"
    return None


def farthest_corner(shape, affine, other_affine) -> float:
    """Return how far apart, in mm, two affines put the same corner voxel of a grid of `shape` (k, j, i) at most."""
    corners = np.array([(i, j, k, 1) for i in (0, shape[2] - 1) for j in (0, shape[1] - 1) for k in (0, shape[0] - 1)])
    return float(np.linalg.norm((corners @ (np.asarray(affine) - other_affine).T)[:, :3], axis=1).max())


def cosines(affine: np.ndarray) -> np.ndarray:
    """Return the unit vectors of the axes of an affine (i, j, k → RAS), its columns."""
    return affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)


def shear_degrees(affine: np.ndarray) -> float:
    """Return by how many degrees the angles between the axes of an affine (i, j, k → RAS) differ from 90 at most."""
    axes = cosines(affine)
    off = np.abs(axes.T @ axes - np.eye(3)).max()
    return float(np.degrees(np.arcsin(min(off, 1.0))))


def check_finite(array: np.ndarray, what: str) -> None:
    """Raise `InputError` if an image, `what` of the sentence, holds voxels that are not numbers."""
    if bad := array.size - np.count_nonzero(np.isfinite(array)):
        found = counted(bad, "voxel that is not a number", "voxels that are not numbers")
        raise InputError(f"{what} holds {found}; replace them or export it again.")


def mask_of(array: np.ndarray, name: str) -> tuple[np.ndarray, list[str]]:
    """Return which voxels of an image that stands for a mask are inside, and what had to be decided.

    Parameters
    ----------
    array : (K, J, I) array
        0 outside and any other one value inside; several whole numbers from 0 are labels, all of which are inside.
        What lies between 0 and a largest value, as after interpolation, is cut at one half of that.
    name : str
        For messages.

    Raises
    ------
    InputError
        If there are values that are not numbers, negative ones that are no overshoot of interpolation, or none inside.
    """
    array = np.asarray(array)
    if not np.all(np.isfinite(array)):
        raise InputError(f"The mask {name} holds values that are not numbers; expected zero outside and one inside.")
    low, high = (float(array.min()), float(array.max())) if array.size else (0.0, 0.0)
    if high <= 0:
        what = "zero everywhere" if low == 0 else f"nowhere above zero (down to {low:g})"
        raise InputError(f"The mask {name} is {what}; draw it again or leave it out.")
    values = np.unique(array)
    if low < -0.5 * high or low < 0 and values.size == 2:
        raise InputError(f"The mask {name} holds values down to {low:g}; expected 0 outside and 1 inside.")
    if values.size == 1:
        return array != 0, [f"The mask {name} is {low:g} everywhere: all of the image counts as inside."]
    if values.size == 2 and low == 0:
        return array != 0, []
    inside, mostly_high = (
        array != 0,
        np.count_nonzero(array >= 0.9 * high) >= 0.4 * np.count_nonzero(array > 0.1 * high),
    )
    if low >= 0 and np.array_equal(values, np.round(values)):
        soft = mostly_high and (values.size > MOST_LABELS or high in _FULL)
        if not soft and (values.size > MOST_LABELS or _graded(array, high)):
            raise InputError(
                f"The mask {name} holds {values.size} different values up to {high:g}, like an image; expected 0 "
                "outside and 1 inside."
            )
        if not soft:
            if low > 0 and is_around(array):
                raise InputError(
                    f"The mask {name} holds labels from {low:g} to {high:g} and nothing outside, which is 0; give 0 to "
                    "its background."
                )
            listed = ", ".join(f"{value:g}" for value in values[values != 0])
            return inside, [f"The mask {name} holds the labels {listed}: all of them count as inside."]
    near_top = np.count_nonzero(array >= 0.9 * min(high, 1.0)) / np.count_nonzero(array > 0.1 * min(high, 1.0))
    if not mostly_high and (high > _OVERSHOOT or near_top < _NEAR_TOP):
        raise InputError(
            f"The mask {name} holds values up to {high:.4g} that are no whole numbers, like an image; expected 0 "
            "outside and 1 inside."
        )
    top = 1.0 if 0.5 < high < _OVERSHOOT else high
    return array > 0.5 * top, [
        f"The mask {name} holds values between 0 and {high:.4g}, as after interpolation: it was cut at {0.5 * top:g}."
    ]


def is_around(array: np.ndarray) -> bool:
    """Whether one value other than zero fills all corners of an image of labels, as only a background does."""
    corners = np.unique(array[np.ix_(*((0, -1) for _ in array.shape))])
    return corners.size == 1 and bool(corners[0] != 0)


def is_graded(array: np.ndarray) -> bool:
    """Whether whole numbers are too many and too different from voxel to voxel for labels, as in an image or shares."""
    return np.unique(array).size > _FEW_LABELS and _graded(array, float(array.max()))


def is_patched(array: np.ndarray) -> bool:
    """Whether an image holds a few whole numbers in patches, as a label map or a mask does."""
    values = np.unique(array)
    return values.size <= MOST_LABELS and np.array_equal(values, np.round(values)) and not is_graded(array)


def _graded(array, high):
    """Whether values below the highest change from voxel to voxel, as in an image and hardly ever in labels."""
    pairs = equal = 0
    for axis in range(array.ndim):
        here, there = (np.moveaxis(array, axis, 0)[part] for part in (slice(1, None), slice(None, -1)))
        inside = (here > 0) & (there > 0) & ((here < high) | (there < high))
        pairs += np.count_nonzero(inside)
        equal += np.count_nonzero(inside & (here == there))
    return np.unique(array).size > _FEW_LABELS and 2 * equal < pairs


def check_right_angles(affine: np.ndarray, name) -> None:
    """Raise `InputError` if the axes of an image are off right angles, for what goes by the sizes of its voxels."""
    if (shear := shear_degrees(affine)) > LARGEST_SHEAR:
        raise InputError(
            f"The voxel axes of {name} are {shear:.2g}° off right angles, so that its voxels do not tell sizes in "
            "mm; resample it to a rectangular grid."
        )


def resample(
    image: np.ndarray,
    affine: np.ndarray,
    target_shape: tuple[int, int, int],
    target_affine: np.ndarray,
    matrix: np.ndarray | None = None,
    *,
    interpolation: str = "linear",
    outside: float = 0.0,
) -> np.ndarray:
    """Return an image on another grid.

    Parameters
    ----------
    image : (K, J, I) array
        Real values; bool and 64-bit integers are held in 32 bits.
    affine : (4, 4) array
        Voxel indices (i, j, k) of `image` to RAS in mm.
    target_shape : (k, j, i)
        Shape of the result.
    target_affine : (4, 4) array
        Voxel indices of the result to RAS in mm.
    matrix : (4, 4) array, optional
        Maps RAS points of the target to RAS points of `image`: the result of a registration with the target as fixed
        image. The identity by default.
    interpolation : {"linear", "nearest", "spline"}
        "nearest" for labels; "spline" is a cubic B-spline.
    outside : float
        Value where the target lies outside `image`.

    Returns
    -------
    (k, j, i) array
        In the type of `image`; float32 for other than floats with "linear" and "spline".
    """
    image = np.asarray(image)
    kept = image.dtype
    if interpolation != "nearest" and kept.kind != "f":
        kept = np.dtype(np.float32)
    held = {"b": np.uint8, "i": np.int32, "u": np.uint32 if kept.itemsize > 4 else kept}.get(kept.kind, kept)
    source = image_from(np.ascontiguousarray(image, dtype=held), affine)
    target = image_from(np.zeros((1, 1, 1), np.uint8), target_affine)
    found = sitk.Resample(
        source,
        [int(n) for n in target_shape[::-1]],
        transform_from(np.eye(4) if matrix is None else matrix),
        _INTERPOLATORS[interpolation],
        target.GetOrigin(),
        target.GetSpacing(),
        target.GetDirection(),
        float(outside),
        source.GetPixelID(),
    )
    return sitk.GetArrayFromImage(found).astype(kept, copy=False)


def _by(shape):
    return " × ".join(str(n) for n in shape[::-1])


def _mm(sizes):
    return " × ".join(f"{x:.4g}" for x in sizes)
