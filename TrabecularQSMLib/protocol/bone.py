"""Blocks of random bone of a wanted BV/TV, for the chain and for sweeps."""

from dataclasses import dataclass, field, fields
from functools import cache, partial

import numpy as np

from ..errors import InputError
from ..phantom.settings import numbers
from ..progress import Progress, part
from ..simulation.geometry import draw_geometry, expected_bvtv
from ..simulation.image import bone_of, cube_edge
from ..simulation.settings import SHAPES, SimulationSettings

_FINEST_MM, _COARSEST_MM = 0.001, 0.5
_BVTV = (0.01, 0.7)
# One piece is no more than this part of what is asked for, or it is told.
_COARSE = 0.25


@dataclass(frozen=True)
class BoneSettings:
    """Blocks of random bone.

    Parameters
    ----------
    bvtv : tuple of floats
        BV/TV of the blocks, about: inclusions are whole.
    repeats : int
        Geometries for each.
    shape : {"spheres", "cylinders", "plates"}
        Of the bone.
    radius : int
        Of it, in voxels of the geometry; half the thickness of plates.
    orientation : (3,) floats
        Of cylinders, or of the normal of plates: R, A, S.
    concentration : float, optional
        How their directions lie about it, as in `SimulationSettings`; all in it by default.
    voxel_mm : float
        Edge of the voxels of the geometry.
    size : int
        Of them, along an edge of a block.
    seed : int
        Of the geometries, and of what else is random.
    mask : (K, J, I) bool array, optional
        A geometry of bone along the scan's axes instead of random ones, such as `bone_of_image` gives.

    Raises
    ------
    InputError
        If a value cannot be simulated.
    """

    bvtv: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4)
    repeats: int = 2
    shape: str = "spheres"
    radius: int = 2
    orientation: tuple[float, float, float] = (0.0, 0.0, 1.0)
    concentration: float | None = None
    voxel_mm: float = 0.1
    size: int = 128
    seed: int = 0
    mask: np.ndarray | None = field(default=None, repr=False, compare=False)

    def __post_init__(self):
        put = partial(object.__setattr__, self)  # the dataclass is frozen
        if self.mask is not None:
            put("bvtv", (float(self.mask.mean(dtype=np.float64)),))
        put("bvtv", tuple(sorted(set(numbers("bvtv", self.bvtv, None, low=_BVTV[0], high=_BVTV[1])))))
        put("repeats", numbers("repeats", self.repeats, 1, whole=True, low=1, high=1000)[0])
        put("size", numbers("size", self.size, 1, whole=True, low=8, high=512)[0])
        put("radius", numbers("radius", self.radius, 1, whole=True, low=1, high=(self.size - 1) // 2)[0])
        put("voxel_mm", numbers("voxel_mm", self.voxel_mm, 1, low=_FINEST_MM, high=_COARSEST_MM)[0])
        put("orientation", numbers("orientation", self.orientation, 3))
        put("seed", numbers("seed", self.seed, 1, whole=True, low=0)[0])
        if not any(self.orientation):
            raise InputError("The orientation is 0 0 0; give three numbers that are not all zero.")
        if self.mask is None and self.shape not in SHAPES:
            raise InputError(f"`shape` is {self.shape!r}; choose one of {', '.join(SHAPES)}.")
        if self.mask is None:
            simulation_of(self, self.orientation)  # which knows what concentrations there are

    def as_dict(self) -> dict:
        """Return the settings as they are written to files; of a mask, that there is one."""
        return {one.name: getattr(self, one.name) for one in fields(self)} | {"mask": self.mask is not None}

    @property
    def extent(self) -> tuple[int, ...]:
        """Voxels of a block along k, j, i."""
        return (self.size,) * 3 if self.mask is None else self.mask.shape

    def points(self) -> list[tuple[float, int]]:
        """Return BV/TV and repeat of every block, in the order of the table."""
        return [(bvtv, repeat) for bvtv in self.bvtv for repeat in range(self.repeats)]


def block_tasks(settings, varied, points: list, progress: Progress | None) -> dict[tuple, tuple]:
    """Return the arguments of `chain.chain_row` and `sweep.block_rows` by the block's BV/TV and repeat.

    `progress` is told of each block's own, with messages that say which it is; None where other processes do the work.
    """
    order = varied.bone.points()
    return {point: (settings, varied, *point, _of_block(progress, order.index(point), len(order))) for point in points}


def _of_block(progress, number, count):
    if progress is None:
        return None
    here = part(progress, number / count, (number + 1) / count)
    return lambda fraction, message: here(fraction, f"Block {number + 1} of {count}: {message}")


def simulation_of(bone: BoneSettings, orientation) -> SimulationSettings:
    """Return the settings of geometries whose inclusions lie along `orientation`, along k, j, i."""
    return SimulationSettings(
        size=bone.size,
        boundary="filled",
        shape=bone.shape,
        orientation=tuple(orientation),
        concentration=bone.concentration,
        seed=bone.seed,
    )


def bone_notes(bone: BoneSettings) -> list[str]:
    """Return what to say of pieces of bone that are too large for a BV/TV that was asked for."""
    if bone.mask is not None:
        return []
    one = expected_bvtv(simulation_of(bone, bone.orientation[::-1]), 1, bone.radius)
    coarse = [bvtv for bvtv in bone.bvtv if one is not None and one > _COARSE * bvtv]
    if not coarse:
        return []
    listed = ", ".join(f"{bvtv:g}" for bvtv in coarse)
    return [
        f"One piece of bone is {one:.1%} of a block, and pieces are whole: BV/TV of {listed} comes out as near as "
        "they allow, which the tables tell; a smaller `bone_radius` comes nearer."
    ]


def draw_bone(bone: BoneSettings, orientation, bvtv: float, repeat: int) -> np.ndarray:
    """Return a block with as many inclusions as come closest to a BV/TV, or the mask, (K, J, I) bool.

    Inclusions lie along `orientation`, along k, j, i.
    """
    if bone.mask is not None:
        return bone.mask
    geometry = simulation_of(bone, orientation)

    @cache
    def density(number):
        expected = expected_bvtv(geometry, number, bone.radius)
        # None is expected of bone with directions of its own: its own density is taken.
        return draw_geometry(geometry, number, bone.radius, repeat).mean() if expected is None else expected

    low, high = 1, 2
    while density(high) < bvtv:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if density(middle) < bvtv else (low, middle)
    number = min((low, high), key=lambda number: abs(density(number) - bvtv))
    return draw_geometry(geometry, number, bone.radius, repeat)


def bone_of_image(image: np.ndarray, affine: np.ndarray, source: str, **others) -> BoneSettings:
    """Return the settings of a given geometry, such as of a micro-CT.

    Parameters
    ----------
    image : (K, J, I) array
        Cubic voxels of two values: 0 for marrow, the other one for bone. Its axes become those of the scan.
    affine : (4, 4) array
        Voxel indices (i, j, k) to RAS in mm; only the size of voxels counts.
    source : str
        What errors call the image.
    **others
        Other settings of `BoneSettings`.

    Raises
    ------
    InputError
        If voxels are not cubes or too large for trabeculae, or the image is not binary.
    """
    edge = cube_edge(affine, source)
    if not _FINEST_MM <= edge <= _COARSEST_MM:
        raise InputError(
            f"{source} has voxels of {edge:.3g} mm, and trabeculae are 0.1 to 0.3 mm thick; expected {_FINEST_MM:g} to "
            f"{_COARSEST_MM:g} mm: take another image, or correct the voxel size in its header."
        )
    mask = bone_of(image, source)
    density, (low, high) = float(mask.mean(dtype=np.float64)), _BVTV
    if not low <= density <= high:
        raise InputError(
            f"{density:.1%} of {source} is bone; expected {low:.0%} to {high:.0%}, with 0 for marrow: if 0 is bone in "
            "it, invert it first."
        )
    return BoneSettings(mask=mask, voxel_mm=edge, shape="mask", **others)
