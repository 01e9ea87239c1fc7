"""A block of trabeculae, bone and marrow each where it is, in the marrow of the digital ankle or knee.

All else of the phantom's bones is marrow with a bone volume fraction; in the block, bone is a geometry of voxels far
smaller than those of the scan, whose field dephases the marrow between.
"""

from dataclasses import dataclass

import numpy as np
import scipy.fft
from scipy.ndimage import gaussian_filter

from ..acquisition import GYROMAGNETIC_RATIO_HZ_PER_T
from ..errors import InputError
from ..kernels import block_means, dipole_kernel
from ..simulation.settings import BONE_SIGNAL, BONE_T2_S
from .body import MARROW_R2, SOFTENING, Patient

LABEL, NAME = 20, "trabecular block"
_FEWEST_VOXELS = 3


@dataclass(frozen=True, eq=False)
class Block:
    """A geometry of bone, and the marrow around it.

    Parameters
    ----------
    bone : (K, J, I) bool array
        Where bone is, along the axes k, j, i of the scan.
    voxel_mm : float
        Edge of its voxels.
    center : (3,) floats
        Of the block in the anatomy's coordinates, RAS mm; it is moved by less than a voxel of the scan.
    pdff : float
        Fat fraction of the marrow.
    bone_density : float
        Signal of bone against that of marrow of the same volume, at echo time zero.

    Raises
    ------
    InputError
        If the geometry is no volume of bone, or a value is impossible.
    """

    bone: np.ndarray
    voxel_mm: float
    center: tuple[float, float, float]
    pdff: float = 0.95
    bone_density: float = BONE_SIGNAL

    def __post_init__(self):
        if np.ndim(self.bone) != 3 or 0 in np.shape(self.bone):
            raise InputError(f"The block's geometry has the shape {np.shape(self.bone)}; give a volume.")
        if not 1e-3 <= self.voxel_mm <= 1:
            raise InputError(f"The geometry's voxels have an edge of {self.voxel_mm:g} mm; give 0.001 to 1 mm.")
        for name, value in (("fat fraction", self.pdff), ("signal of bone", self.bone_density)):
            if not 0 <= value <= 1:
                raise InputError(f"The block's {name} is {value:g}; give a number from 0 to 1.")


def voxels_in_block(shape, voxel_mm: float, scan_voxel) -> np.ndarray:
    """Return how many voxels of a scan a geometry holds along k, j, i; `InputError` if these are too few.

    Parameters
    ----------
    shape : (3,) ints
        Of the geometry.
    voxel_mm : float
        Edge of its voxels.
    scan_voxel : (3,) floats
        mm along k, j, i.
    """
    voxels = np.floor(np.array(shape) * voxel_mm / np.array(scan_voxel) + 1e-6).astype(int)
    if np.any(voxels < _FEWEST_VOXELS):
        edges = " × ".join(f"{n * voxel_mm:.3g}" for n in shape[::-1])
        raise InputError(
            f"The block of {edges} mm holds {' × '.join(map(str, voxels[::-1]))} voxels of the scan; three along each "
            "axis are the least, so give a larger geometry or smaller voxels."
        )
    return voxels


class PlacedBlock:
    """A block on the fine grid of a phantom: what is painted there, and how its marrow dephases.

    Parameters
    ----------
    block : Block
    grid : the phantom's fine grid
    patient : Patient
    settings : PhantomSettings
        Its field strength and echo times.

    Notes
    -----
    The block holds whole voxels of the scan, and each point of the phantom in it many points of the geometry. The field
    of all sources has the mean χ of each point; what the geometry adds to that is its field, in open space, less that
    of the same means, softened as the phantom's. Marrow has R2 alone: the rest of its R2* comes about by dephasing.
    """

    def __init__(self, block: Block, grid, patient: Patient, settings):
        factor, size = grid.factor, np.array(grid.voxel_size)
        voxels = voxels_in_block(block.bone.shape, block.voxel_mm, size * factor)
        middle = np.linalg.solve(grid.to_anatomy, np.asarray(block.center) - grid.origin)[::-1]
        first = np.rint(middle + 0.5 - voxels / 2).astype(int)
        if np.any(first < 0) or np.any(first + voxels > grid.shape):
            raise InputError("The block lies outside the field of view; give a larger one.")
        self.block = block
        self.voxels = tuple(slice(a, a + n) for a, n in zip(first, voxels, strict=True))
        # In points of the fine grid, inside the field of view and of the grid that goes on beyond it.
        self.points = tuple(slice(one.start * factor, one.stop * factor) for one in self.voxels)
        self.extended = tuple(
            slice(one.start + b, one.stop + b) for one, b in zip(self.points, grid.before, strict=True)
        )
        shape = tuple(one.stop - one.start for one in self.points)
        self.fine = tuple(np.maximum(np.rint(size / block.voxel_mm), 1).astype(int).tolist())
        self.bone = _sampled(block, shape, self.fine, size)
        self.bvtv = block_means(self.bone.astype(np.float32), self.fine)
        self._chi = block.pdff * patient.chi_fat, patient.chi_bone
        self._spacing = tuple(size / self.fine)
        self._b0_direction = grid.b0_direction
        self._marrow, self._bone = self._dephased(settings)

    def paint(self, canvas: dict[str, np.ndarray], first: int, last: int) -> None:
        """Paint the block over what lies between two planes of the extended fine grid; `InputError` beyond marrow."""
        low, high = max(first, self.extended[0].start), min(last, self.extended[0].stop)
        if low >= high:
            return
        target = (slice(low - first, high - first), *self.extended[1:])
        bvtv = self.bvtv[low - self.extended[0].start : high - self.extended[0].start]
        if not np.all(canvas["bvtv"][target] > 0):
            raise InputError("The block leaves the marrow of its bone; give a smaller geometry or another center.")
        marrow, pdff = 1 - bvtv, np.float32(self.block.pdff)
        chi_marrow, chi_bone = self._chi
        values = {
            "water": marrow * (1 - pdff), "fat": marrow * pdff, "decay": marrow * np.float32(MARROW_R2),
            "chi": marrow * np.float32(chi_marrow) + bvtv * np.float32(chi_bone), "bvtv": bvtv,
            "cortex": 0.0, "body": 1.0, "label": LABEL,
        }  # fmt: skip
        for name, value in values.items():
            canvas[name][target] = value

    def within(self, planes: slice):
        """Where the block lies in some planes of the fine grid, and which of its planes these are; None if nowhere."""
        low, high = max(planes.start, self.points[0].start), min(planes.stop, self.points[0].stop)
        if low >= high:
            return None
        there = slice(low - self.points[0].start, high - self.points[0].start)
        return (slice(low - planes.start, high - planes.start), *self.points[1:]), there

    def marrow(self, echo: int, planes: slice) -> np.ndarray:
        """Mean over the marrow of each point of what its field does to the signal at an echo."""
        return self._marrow[echo][planes]

    def bone_signal(self, echo: int, planes: slice) -> np.ndarray:
        """Signal of the bone of each point at an echo, but for the field of the point."""
        return self._bone[echo][planes]

    def _dephased(self, settings):
        """For each echo, what `marrow` and `bone_signal` return of the whole block."""
        turning = self._field() * np.float32(2e-6 * np.pi * settings.field_strength * GYROMAGNETIC_RATIO_HZ_PER_T)
        share = np.where(self.bvtv < 1, 1 - self.bvtv, 1)
        marrow, bone = [], []
        for time in settings.echo_times:
            turn = np.exp(1j * (turning * np.float32(time)))
            hard = block_means(turn * self.bone, self.fine)
            marrow.append(((block_means(turn, self.fine) - hard) / share).astype(np.complex64))
            bone.append((self.block.bone_density * np.exp(-time / BONE_T2_S) * hard).astype(np.complex64))
        return marrow, bone

    def _field(self):
        """Field in ppm of the geometry less that of its points' means, at each of its fine points."""
        chi_marrow, chi_bone = self._chi
        means = self.bvtv
        for axis, n in enumerate(self.fine):
            means = np.repeat(means, n, axis)
        softened = gaussian_filter(means, [SOFTENING * n for n in self.fine], mode="nearest")
        source = np.float32(chi_bone - chi_marrow) * (self.bone.astype(np.float32) - softened)
        # As much empty space around as the block is wide: what repeats is far away.
        shape = [scipy.fft.next_fast_len(2 * n, real=True) for n in source.shape]
        transform = scipy.fft.rfftn(source, s=shape, workers=-1)
        transform *= dipole_kernel(tuple(shape), self._spacing, self._b0_direction)
        field = scipy.fft.irfftn(transform, s=shape, workers=-1, overwrite_x=True)
        return field[tuple(slice(0, n) for n in source.shape)]


def _sampled(block, shape, fine, size):
    """The geometry at the fine points of each of the phantom's, its middle in the block's."""
    indices = []
    for n, m, h, length in zip(shape, fine, size, block.bone.shape, strict=True):
        from_middle = (np.arange(n * m) + 0.5) * (h / m) - n * h / 2
        index = np.floor(from_middle / block.voxel_mm + length / 2).astype(int)
        indices.append(np.clip(index, 0, length - 1))
    return block.bone[np.ix_(*indices)] != 0
