"""A high-resolution bSSFP and a CT of the digital ankle's patient, who lay differently in each.

>>> from TrabecularQSMLib.phantom import CompanionSettings, PhantomSettings, make_companions, make_phantom
>>> phantom = make_phantom(PhantomSettings(shape=(48, 48, 24)))
>>> companions = make_companions(phantom, CompanionSettings(bssfp_voxel_mm=(2, 2, 2), ct_voxel_mm=(3, 3, 3)))
>>> companions.bssfp.shape
(46, 75, 65)
"""

import math
from dataclasses import dataclass

import numpy as np
import scipy.fft
from scipy.special import ndtr

from ..acquisition import voxel_size
from ..chunks import run_chunks
from ..images import resample
from ..kernels import frequencies
from ..methods import Method
from ..progress import Progress, part, report
from .anatomy import ANATOMIES, draw_patient
from .body import Patient
from .fine_grid import FineGrid, paint
from .settings import ORIENTATIONS, numbers
from .simulate import Phantom

# How far the radiographer's field of view is off, mm.
POSITIONING_MM = 5.0
# Trabeculae and the marrow between them repeat about every millimeter (Majumdar 1997: spacing plus thickness).
TRABECULAR_PERIOD_MM, TRABECULAR_BANDWIDTH = 1.0, 0.35
# The structure repeats itself after about so many mm, which no averaged voxel shows.
TILE_MM = 27.0
# bSSFP signal of fat and of water per density; bone has none. Balanced sequences show T2/T1: marrow is bright.
BSSFP_FAT, BSSFP_WATER = 1.0, 0.5
BSSFP_UNITS = 2000
# The coil's sensitivity falls by about this share over 100 mm.
COIL_FALL = 0.5
# Hounsfield units of what a voxel is a mixture of.
HU_AIR, HU_FAT, HU_WATER, HU_BONE = -1000.0, -100.0, 40.0, 1300.0


@dataclass(frozen=True)
class CompanionSettings:
    """Settings of `make_companions`.

    Parameters
    ----------
    bssfp_voxel_mm, ct_voxel_mm : (3,) floats
        Voxel sizes along i, j, k. The bSSFP is sagittal (the paper's 0.3 × 0.3 × 0.9 mm), the CT axial.
    structure_mm : float
        Largest distance of the points at which a voxel's trabecular structure is simulated.
    largest_shift_mm, largest_rotation_degrees : float
        The patient moves at random by a third of this at least and by this at most.
    bssfp_snr : float
        Signal of pure fat over the standard deviation of the noise in the real channel.
    ct_noise_hu : float
        Standard deviation in Hounsfield units.

    Raises
    ------
    InputError
        If a value cannot be simulated.
    """

    bssfp_voxel_mm: tuple[float, float, float] = (0.3, 0.3, 0.9)
    ct_voxel_mm: tuple[float, float, float] = (0.45, 0.45, 0.6)
    structure_mm: float = 0.1
    largest_shift_mm: float = 15.0
    largest_rotation_degrees: float = 10.0
    bssfp_snr: float = 15.0
    ct_noise_hu: float = 30.0

    def __post_init__(self):
        for name, count, low, high in (
            ("bssfp_voxel_mm", 3, 0.1, 10),
            ("ct_voxel_mm", 3, 0.1, 10),
            ("structure_mm", 1, 0.05, 1),
            ("largest_shift_mm", 1, 0, 100),
            ("largest_rotation_degrees", 1, 0, 90),
            ("bssfp_snr", 1, 1, 1e6),
            ("ct_noise_hu", 1, 0, 1000),
        ):
            values = numbers(name, getattr(self, name), count, low=low, high=high)
            object.__setattr__(self, name, values if count > 1 else values[0])


@dataclass(frozen=True, eq=False)
class Companions:
    """Two other scans of a phantom's patient beside their truth.

    Parameters
    ----------
    bssfp : (K, J, I) uint16 array
        Magnitude, in arbitrary units: marrow bright, muscle between, bone dark.
    bone : (K, J, I) uint8 array
        1 in voxels of the bSSFP that are cortical bone as a whole: the reference that users draw.
    ct : (K, J, I) int16 array
        Hounsfield units.
    bssfp_affine, ct_affine : (4, 4) arrays
        Voxel indices (i, j, k) to RAS in mm.
    bssfp_matrix, ct_matrix : (4, 4) arrays
        Map RAS points of the phantom's scan to RAS points of the bSSFP and of the CT: what registration is to find.
    bvtv : dict of str to float
        Bone volume fraction of the simulated trabecular structure in each region that the bSSFP shows as a whole.
    settings : CompanionSettings
    """

    bssfp: np.ndarray
    bone: np.ndarray
    ct: np.ndarray
    bssfp_affine: np.ndarray
    ct_affine: np.ndarray
    bssfp_matrix: np.ndarray
    ct_matrix: np.ndarray
    bvtv: dict[str, float]
    settings: CompanionSettings


@dataclass(frozen=True, eq=False)
class _Scan:
    """A grid in the scanner, (I, J, K) voxels, and the motion (phantom to scan, RAS) of the patient in it."""

    shape: tuple[int, int, int]
    scanner_affine: np.ndarray
    matrix: np.ndarray
    supersampling: int = 1

    @property
    def affine(self):
        """Voxel indices to where their tissue lies in the phantom's scan."""
        return np.linalg.inv(self.matrix) @ self.scanner_affine


def make_companions(
    phantom: Phantom, settings: CompanionSettings | None = None, *, progress: Progress | None = None
) -> Companions:
    """Simulate a bSSFP and a CT of the phantom's patient, each after a rigid motion of the whole patient.

    Parameters
    ----------
    phantom : Phantom
        Its seed draws the patient, the motions and the noise; its regions are those of `Companions.bvtv`.
    settings : CompanionSettings, optional
    progress : callable, optional
        Called with a fraction and a message.

    Returns
    -------
    Companions
        The same phantom and settings give the same bytes.

    Notes
    -----
    Trabeculae are where band-limited Gaussian noise lies below the quantile of the local BV/TV, so that the structure
    has the phantom's BV/TV everywhere. It is simulated at points 0.1 mm apart, and voxels are their means. bSSFP: fat
    and water by their density, none from bone, times a coil's smooth sensitivity, with Rician noise. CT: Hounsfield
    units of air, fat, water and bone mixed by volume, with Gaussian noise; it does not resolve trabeculae, so that
    its marrow has the phantom's BV/TV itself.
    """
    settings = CompanionSettings() if settings is None else settings
    seed = phantom.settings.seed
    # The phantom itself uses the first three.
    patient_rng = np.random.default_rng((seed, 0))
    motion_rng, structure_rng, bssfp_rng, ct_rng = (np.random.default_rng((seed, n)) for n in range(3, 7))
    patient, anatomy = draw_patient(patient_rng, phantom.settings), ANATOMIES[phantom.settings.anatomy]
    bssfp_scan = _scan(anatomy.bssfp_view, settings.bssfp_voxel_mm, patient, anatomy.pivot, motion_rng, settings)
    ct_scan = _scan(anatomy.ct_view, settings.ct_voxel_mm, patient, anatomy.pivot, motion_rng, settings)

    report(progress, 0.0, "Growing trabeculae")
    tile = _structure(settings, structure_rng)
    bssfp, bone, bvtv = _bssfp(phantom, patient, bssfp_scan, tile, part(progress, 0.05, 0.5))
    _weight_with_coil(bssfp, bssfp_scan, bssfp_rng)
    bssfp = _rician(bssfp, BSSFP_FAT / settings.bssfp_snr, bssfp_rng, part(progress, 0.5, 0.55))
    ct = _ct(patient, ct_scan, part(progress, 0.55, 0.95))
    for plane in ct:
        plane += settings.ct_noise_hu * ct_rng.standard_normal(plane.shape, dtype=np.float32)
    ct = np.clip(np.rint(ct, out=ct), -1024, 3071).astype(np.int16)
    report(progress, 1.0, "Companions")
    return Companions(
        bssfp=bssfp,
        bone=bone,
        ct=ct,
        bssfp_affine=bssfp_scan.scanner_affine,
        ct_affine=ct_scan.scanner_affine,
        bssfp_matrix=bssfp_scan.matrix,
        ct_matrix=ct_scan.matrix,
        bvtv=bvtv,
        settings=settings,
    )


def _scan(view, voxel_mm, patient: Patient, pivot, rng, settings) -> _Scan:
    """Draw how the patient lies, and put the field of view around its first side there."""
    orientation, center, size = view
    to_patient = np.linalg.inv(patient.pose)
    pivot, center = to_patient @ (pivot - patient.shift), to_patient @ (center - patient.shift)
    axis, direction = (vector / np.linalg.norm(vector) for vector in rng.normal(size=(2, 3)))
    angle = math.radians(settings.largest_rotation_degrees * rng.uniform(1 / 3, 1))
    shift = settings.largest_shift_mm * rng.uniform(1 / 3, 1) * direction
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    matrix = np.eye(4)
    matrix[:3, :3] += math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross  # Rodrigues' formula
    matrix[:3, 3] = pivot + shift - matrix[:3, :3] @ pivot
    shape = np.maximum(np.rint(size / voxel_mm), 4).astype(int)
    affine = np.eye(4)
    affine[:3, :3] = np.array(ORIENTATIONS[orientation], float).T * voxel_mm
    middle = matrix[:3, :3] @ center + matrix[:3, 3] + rng.uniform(-POSITIONING_MM, POSITIONING_MM, 3)
    affine[:3, 3] = middle - affine[:3, :3] @ ((shape - 1) / 2)
    return _Scan(tuple(shape.tolist()), affine, matrix)


def _structure(settings, rng):
    """A periodic tile of noise, uniform from 0 to 65,535: (voxels along k, j, i, points in a voxel), uint16."""
    voxel = np.array(settings.bssfp_voxel_mm[::-1])
    points = np.ceil(voxel / settings.structure_mm - 1e-6).astype(int)
    voxels = np.maximum(np.rint(TILE_MM / voxel), 1).astype(int)
    size = voxels * points
    spectrum = scipy.fft.rfftn(rng.standard_normal(size, dtype=np.float32), workers=-1)
    deep, high, wide = (np.square(one).astype(np.float32) for one in frequencies(size, voxel / points))
    middle = np.float32(1 / TRABECULAR_PERIOD_MM)
    for k, square in enumerate(deep.ravel()):  # plane by plane, to need little memory
        frequency = np.sqrt(square + high[0] + wide[0])
        spectrum[k] *= np.exp(-(((frequency - middle) / (TRABECULAR_BANDWIDTH * middle)) ** 2) / 2)
    noise = scipy.fft.irfftn(spectrum, s=tuple(size), workers=-1, overwrite_x=True)
    noise *= 1 / noise.std()
    uniform = np.minimum(65536 * ndtr(noise, out=noise), 65535).astype(np.uint16)
    blocks = uniform.reshape(voxels[0], points[0], voxels[1], points[1], voxels[2], points[2])
    return np.ascontiguousarray(blocks.transpose(0, 2, 4, 1, 3, 5)).reshape(*voxels, points.prod())


def _painted(patient, scan, use, message, progress):
    """Call ``use(first, last, canvas)`` for slabs of planes that together fill the grid of a scan."""
    grid = FineGrid(scan, patient, margin=0.0)
    planes = grid.extended_shape[0]
    step = max(1, int(1e6 / (grid.extended_shape[1] * grid.extended_shape[2])))

    def work(slabs):
        first, last = slabs.start * step, min(slabs.stop * step, planes)
        use(first, last, paint(grid, patient, first, last))

    run_chunks(work, -(-planes // step), 1, message=message, progress=progress)


def _bssfp(phantom, patient, scan, tile, progress):
    """Signal without coil and noise, the bone reference, and BV/TV by region."""
    shape = scan.shape[::-1]
    signal, bone = np.zeros(shape, np.float32), np.zeros(shape, np.uint8)
    # Regions are compartments, and whole voxels of the phantom: what lies nearest is right.
    regions = resample(phantom.regions, phantom.settings.affine, shape, scan.affine, interpolation="nearest")
    labels = max(phantom.region_names) + 1
    sums = np.zeros((shape[0], 2, labels))

    def use(first, last, canvas):
        density = canvas["water"] + canvas["fat"]
        trabecular = canvas["bvtv"]
        where = np.nonzero(trabecular > 0)
        marrow = trabecular[where] + density[where]  # cortex is all that borders on marrow
        found = _fraction(tile, (where[0] + first, *where[1:]), trabecular[where] / marrow)
        ratio = np.ones_like(density)
        ratio[where] = (1 - found) * marrow / density[where]
        signal[first:last] = (np.float32(BSSFP_FAT) * canvas["fat"] + np.float32(BSSFP_WATER) * canvas["water"]) * ratio
        bone[first:last] = canvas["cortex"] > 0.999
        label = regions[first:last][where]
        sums[first, 0] = np.bincount(label, found * marrow, labels)
        sums[first, 1] = np.bincount(label, marrow, labels)

    _painted(patient, scan, use, "Scanning bSSFP", progress)
    # In the order of the planes, whatever the threads did.
    bone_volume, volume = sums.sum(axis=0) * float(abs(np.linalg.det(scan.affine[:3, :3])))
    voxel = float(abs(np.linalg.det(phantom.settings.affine[:3, :3])))
    bvtv = {}
    for label, name in phantom.region_names.items():
        whole = np.count_nonzero(phantom.regions == label) * voxel
        if whole > 0 and volume[label] > 0.98 * whole:
            bvtv[name] = float(bone_volume[label] / volume[label])
    return signal, bone, bvtv


def _fraction(tile, index, bvtv):
    """Share of the points of voxels (k, j, i) that are bone."""
    level = np.minimum(65536 * bvtv, 65535).astype(np.uint16)
    wrapped = [n % size for n, size in zip(index, tile.shape, strict=False)]
    found = np.empty(level.size, np.float32)
    size = max(1, int(1e7 / tile.shape[-1]))
    for start in range(0, level.size, size):
        some = slice(start, start + size)
        points = tile[wrapped[0][some], wrapped[1][some], wrapped[2][some]]
        found[some] = np.count_nonzero(points < level[some, None], axis=1) / np.float32(tile.shape[-1])
    return found


def _weight_with_coil(signal, scan, rng):
    """Multiply with the sensitivity of a coil at one side of the field of view."""
    toward = rng.normal(size=3)
    toward *= COIL_FALL / 100.0 / np.linalg.norm(toward)
    spacing = voxel_size(scan.scanner_affine)
    k, j, i = (
        h * (np.arange(n) - (n - 1) / 2) * slope for h, n, slope in zip(spacing, signal.shape, toward, strict=True)
    )
    for plane, offset in zip(signal, k, strict=True):
        along = offset + j[:, None] + i
        plane *= np.exp(along - along**2 / 2).astype(np.float32)


def _rician(signal, deviation, rng, progress):
    """Magnitude of the signal with noise in both channels, in whole units."""
    result = np.empty(signal.shape, np.uint16)
    for k, plane in enumerate(signal):
        real, imaginary = deviation * rng.standard_normal((2, *plane.shape), dtype=np.float32)
        result[k] = np.rint(BSSFP_UNITS * np.hypot(plane + real, imaginary))
        report(progress, k / len(signal), "Scanning bSSFP")
    return result


def _ct(patient, scan, progress):
    """Hounsfield units without noise."""
    ct = np.empty(scan.shape[::-1], np.float32)

    def use(first, last, canvas):
        bone = canvas["cortex"] + canvas["bvtv"]
        water = canvas["body"] - bone - canvas["fat"]
        parts = ((bone, HU_BONE), (canvas["fat"], HU_FAT), (water, HU_WATER), (canvas["body"] - 1, -HU_AIR))
        ct[first:last] = sum(np.float32(units) * share for share, units in parts)

    _painted(patient, scan, use, "Scanning CT", progress)
    return ct


METHOD = Method(
    make_companions,
    title="Its bSSFP and CT",
    solves="voxel means of random trabeculae with the BV/TV of the patient, after a known motion",
    test="test_phantom_companions.ContrastTest",
)
