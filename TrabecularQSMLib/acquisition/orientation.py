"""The axes of a scan: its affine, the direction of B0, and the closest RAS order."""

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..images import LARGEST_SHEAR, cosines, shear_degrees

PATIENT_SUPERIOR = (0.0, 0.0, 1.0)
# Open magnets, most of which have a vertical field, reach 1.2 T.
_OPEN_T = 1.25
# Voxels of other sizes are in another unit.
_LEAST_MM, _MOST_MM = 0.01, 100.0
# An image shows so much along the second of its extents, of so many voxels at least.
_LEAST_VIEW_MM, _MOST_VIEW_MM, _FEWEST_VOXELS = 35.0, 700.0, 40
_A_PIECE = ", unless this is a piece of a scan or of bone"
# Axes that are less than this off right angles, in degrees, are so by a header of few digits.
_ROUNDING = 1.0


def voxel_size(affine: np.ndarray) -> tuple[float, float, float]:
    """Voxel size in mm along k, j and i of an affine (i, j, k → RAS)."""
    return tuple(float(x) for x in np.linalg.norm(affine[:3, :3], axis=0)[::-1])


def b0_direction(affine: np.ndarray, b0_patient=PATIENT_SUPERIOR) -> tuple[float, float, float]:
    """Unit vector along the array axes k, j and i of a direction in patient space RAS."""
    return tuple(float(x) for x in (cosines(affine).T @ np.asarray(b0_patient))[::-1])


@dataclass(frozen=True)
class Reorientation:
    """Permutation and flips of the axes k, j, i that bring an array to the closest RAS order, and back.

    Storage order and flips of the input thus never change a result.
    """

    order: tuple[int, int, int]
    flips: tuple[bool, bool, bool]
    shape: tuple[int, int, int]

    @classmethod
    def to_ras(cls, affine: np.ndarray, shape: tuple[int, int, int]) -> "Reorientation":
        """Find the reorientation for an affine of (i, j, k) and an array of `shape` (k, j, i)."""
        axes = cosines(affine)
        # The assignment of voxel axes to R, A, S with the largest sum of |cosines|; greedy choices can clash at 45°.
        permutations = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
        best = max(permutations, key=lambda p: sum(abs(axes[row, column]) for row, column in enumerate(p)))
        flip_of_ras = [bool(axes[row, column] < 0) for row, column in enumerate(best)]
        # `best` names the voxel axis (i=0, j=1, k=2) that becomes R, A, S; arrays are (S, A, R) = (k, j, i).
        order = tuple(2 - best[row] for row in (2, 1, 0))
        return cls(order, tuple(flip_of_ras[row] for row in (2, 1, 0)), tuple(shape))

    def apply(self, array: np.ndarray) -> np.ndarray:
        """Bring an array whose last three axes are k, j, i to RAS order (a view)."""
        lead = array.ndim - 3
        array = array.transpose(*range(lead), *(lead + axis for axis in self.order))
        return array[(..., *(slice(None, None, -1 if flip else 1) for flip in self.flips))]

    def undo(self, array: np.ndarray) -> np.ndarray:
        """Put an array in RAS order back to the input's order, C-contiguous."""
        lead = array.ndim - 3
        array = array[(..., *(slice(None, None, -1 if flip else 1) for flip in self.flips))]
        return np.ascontiguousarray(array.transpose(*range(lead), *(lead + int(a) for a in np.argsort(self.order))))

    def apply_affine(self, affine: np.ndarray) -> np.ndarray:
        """Affine (i, j, k → RAS) of an array after `apply`."""
        result = np.eye(4)
        origin = affine[:3, 3].copy()
        for new_axis, (old_axis, flip) in enumerate(zip(self.order, self.flips, strict=True)):
            column = affine[:3, 2 - old_axis]
            if flip:
                origin += column * (self.shape[old_axis] - 1)
            result[:3, 2 - new_axis] = -column if flip else column
        result[:3, 3] = origin
        return result


def check_spacing(affine: np.ndarray, source: str) -> None:
    """Raise `InputError` if the voxels of an affine (i, j, k → RAS) have a size in mm that no scan has."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if np.any(spacing <= 0):
        raise InputError(
            f"{source} has voxels of size {tuple(spacing)} mm; sizes must be positive, so correct the header."
        )
    if spacing.min() < _LEAST_MM or spacing.max() > _MOST_MM:
        listed = " × ".join(f"{x:.4g}" for x in spacing)
        raise InputError(
            f"{source} has voxels of {listed} mm; expected {_LEAST_MM:g} to {_MOST_MM:g} mm, so check the unit of its "
            "header (mm, not m or µm)."
        )


def on_field_of_view(affine: np.ndarray, shape: tuple[int, int, int], source: str) -> list[str]:
    """Say if an image (k, j, i) shows more than a person, or less than a joint, as where sizes are in another unit.

    A scan may be long, or have few slices, so that the second of three extents tells; few voxels tell nothing.
    """
    counts = np.array(shape[::-1])
    sizes = counts * np.linalg.norm(affine[:3, :3], axis=0)
    middle = np.argsort(sizes)[1]
    if counts[middle] < _FEWEST_VOXELS or _LEAST_VIEW_MM < sizes[middle] < _MOST_VIEW_MM:
        return []
    than, unless = ("more than a person", "") if sizes[middle] > _MOST_VIEW_MM else ("less than a joint", _A_PIECE)
    return [
        f"{source} shows {' × '.join(f'{x:.0f}' for x in sizes)} mm, {than}: check its voxel size, which is in mm"
        f"{unless}; depths, filters and volumes go by it."
    ]


def checked_affine(affine, source: str) -> np.ndarray:
    """Return an affine in float64; refuse one that is none, or whose voxels are sheared or of an impossible size."""
    affine = np.array(affine, dtype=np.float64)
    if affine.shape != (4, 4) or not np.all(np.isfinite(affine)):
        raise InputError(f"{source} has no usable geometry; give a 4×4 matrix from voxel indices to RAS in mm.")
    check_spacing(affine, source)
    shear = shear_degrees(affine)
    if shear > LARGEST_SHEAR:
        cause = "as by rounding in its header; write the geometry again with more digits" if shear < _ROUNDING else (
            "as after a tilted gantry or an affine registration; resample it to a rectangular grid"
        )  # fmt: skip
        raise InputError(
            f"The voxel axes of {source} are {shear:.2g}° off right angles ({LARGEST_SHEAR:g}° are allowed), {cause}."
        )
    return affine


def checked_direction(b0_patient, field_strength, source: str) -> tuple[tuple[float, float, float], list[str]]:
    """Return the direction of B0 as a unit vector, superior for None, and what to ask then; refuse one that is none.

    A field strength in tesla, where it is known, tells of magnets that may be open.
    """
    if b0_patient is None:
        return PATIENT_SUPERIOR, _on_open_magnet(field_strength, source)
    try:
        direction = np.asarray(b0_patient, dtype=np.float64).ravel()
    except (TypeError, ValueError):
        direction = np.empty(0)
    if direction.shape != (3,) or not np.all(np.isfinite(direction)) or not direction.any():
        raise InputError(
            f"The B0 direction of {source} is {b0_patient}; give three numbers R A S that are not all zero."
        )
    direction = direction / np.abs(direction).max()  # squares of any numbers are numbers then
    return tuple(float(x) for x in direction / np.linalg.norm(direction)), []


def _on_open_magnet(field_strength, source):
    if field_strength is None or field_strength > _OPEN_T:
        return []
    return [
        f"{source} was acquired at {field_strength:.3g} T, where many magnets are open and have B0 from back to front "
        "of a lying patient; B0 was taken from feet to head, as in a bore: if the magnet is open, χ is wrong unless "
        "`b0_direction` is 0 1 0."
    ]
