"""A given geometry, such as of a micro-CT: what it must be, and what is noticed of it."""

import numpy as np

from ..acquisition import voxel_size
from ..errors import InputError
from ..images import check_right_angles

_THINNEST_MM, _THICKEST_MM = 0.01, 1.0  # of trabeculae: human ones are 0.1 to 0.3 mm thick, those of mice 0.03 to 0.06
_DENSEST = 0.7  # BV/TV: beyond, bone and marrow are more likely the wrong way round
_SEAM = 1.5  # how much more opposite faces may differ than any neighboring planes: what repeats differs no more
_CUBES = 1e-3  # relative


def bone_of(image: np.ndarray, source: str = "The image") -> np.ndarray:
    """Return where bone is, bool, of an image with 0 for marrow and one other value; `InputError` if it is another."""
    values = np.unique(image)
    if values.size != 2 or values[0] != 0 or not np.all(np.isfinite(values)):
        found = f"is {values[0]:g} everywhere" if values.size == 1 else f"holds {values.size} different values"
        found = found if np.all(np.isfinite(values)) else "holds values that are not numbers"
        raise InputError(f"{source} {found}; expected a binary image with 0 for marrow.")
    return image != 0


def cube_edge(affine: np.ndarray, source: str = "The image") -> float:
    """Return the edge in mm of cubic voxels; `InputError` if they are no cubes."""
    check_right_angles(affine, source)
    edges = voxel_size(affine)
    if not _are_equal(edges):
        raise InputError(f"{source} has voxels of {_sizes(edges)} mm; resample it to cubic voxels first.")
    return float(np.mean(edges))


def header_notes(affine: np.ndarray, edge_mm: float, source: str = "The image") -> list[str]:
    """Return what to say of a header whose voxels are no cubes, where a user gave the edge of cubes."""
    edges = voxel_size(affine)
    if _are_equal(edges):
        return []
    return [
        f"The header of {source} has voxels of {_sizes(edges)} mm, which were taken for cubes of {edge_mm:g} mm as "
        "given (`voxel_size_mm`); if the header is right, the bone is distorted: resample it to cubic voxels."
    ]


def _are_equal(edges) -> bool:
    return max(edges) <= (1 + _CUBES) * min(edges)


def _sizes(edges) -> str:
    return " × ".join(f"{edge:.4g}" for edge in edges[::-1])


def check_repeats(bone: np.ndarray, source: str = "The image") -> None:
    """Raise `InputError` if opposite faces of a mask do not continue each other.

    A mask that is repeated although it does not repeat has a wall at every seam, whose field is not that of the bone.
    """
    for axis, name in enumerate("kji"):
        planes = np.moveaxis(bone, axis, 0)
        seam = float(np.mean(planes[0] != planes[-1]))
        usual = float(np.max(np.mean(planes[1:] != planes[:-1], axis=(1, 2))))
        if seam > _SEAM * usual:
            raise InputError(
                f"{source} does not repeat: its first and last plane along {name} differ in {seam:.0%} of the voxels, "
                f"neighboring planes in {usual:.0%} at most; take the boundary linear, or mirror the image first."
            )


def thickness(bone: np.ndarray) -> float:
    """Return the mean thickness of bone in voxels, 2 BV/BS (Parfitt et al. 1987, doi 10.1002/jbmr.5650020617).

    The faces of voxels are 3/2 of a surface that looks everywhere alike.
    """
    faces = sum(np.count_nonzero(np.diff(bone, axis=axis)) for axis in range(3))
    return 3 * np.count_nonzero(bone) / max(faces, 1)


def mask_notes(bone: np.ndarray, edge_mm: float, source: str = "The image") -> list[str]:
    """Return what to say of a mask that is hardly of trabeculae.

    Too thick or too thin, as where a header does not know its voxel size, or too dense, as where marrow is marked.
    """
    found, density = edge_mm * thickness(bone), np.count_nonzero(bone) / bone.size
    notes = []
    if not _THINNEST_MM <= found <= _THICKEST_MM:
        notes.append(
            f"The bone of {source} is about {found:.2g} mm thick with voxels of {edge_mm:.3g} mm, which trabeculae are "
            "not; if the header does not know the voxel size, give `voxel_size_mm`."
        )
    if density > _DENSEST:
        notes.append(f"{density:.0%} of {source} is bone, which is 0 for marrow; if 0 is bone in it, invert it first.")
    return notes
