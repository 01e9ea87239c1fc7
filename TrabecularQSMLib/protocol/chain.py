"""The whole way on simulated bone: trabeculae in the digital ankle, scanned, reconstructed and measured."""

import math
import re
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from scipy.ndimage import binary_erosion

from ..acquisition import Acquisition, b0_direction
from ..analysis.line import fit_line
from ..errors import InputError, counted
from ..methods import Method
from ..phantom import Block, Phantom, PhantomSettings, make_phantom
from ..phantom.trabeculae import LABEL, voxels_in_block
from ..pipeline import reconstruct
from ..progress import Progress, part, report
from ..settings import Settings, preset
from ..workers import results
from .bone import BoneSettings, block_tasks, draw_bone
from .settings import ProtocolSettings

COLUMNS = (
    "bvtv", "repeat", "voxels", "chi_true", "chi", "chi_sd", "r2star_noiseless", "r2star", "r2star_sd",
    "pdff_true", "pdff", "pdff_sd", "reliable",
)  # fmt: skip
QUANTITIES = ("chi", "r2star", "pdff")
TRUTHS = {"chi": "chi_true", "r2star": "r2star_noiseless", "pdff": "pdff_true"}
# Hindfoot with a block in the tuber of the calcaneus: mm along i, j, k of a sagittal scan, and RAS mm of the anatomy.
FIELD_OF_VIEW_MM = (150.0, 138.0, 90.0)
CENTER = (0.0, -48.0, -40.0)
CHI_FAT = 0.575
MUSCLE = 7
_NUMBERS = re.compile(r"[\d.,]*\d")


@dataclass(frozen=True)
class ChainSettings:
    """What bone the chain has, and how it is reconstructed.

    Parameters
    ----------
    bone : BoneSettings
        Each repeat is another geometry, patient and draw of noise.
    reconstruction : Settings
        Those of the reconstruction.
    """

    bone: BoneSettings = field(default_factory=BoneSettings)
    reconstruction: Settings = field(default_factory=preset)

    def as_dict(self) -> dict:
        """Return the settings as they are written to files."""
        return {"bone": self.bone.as_dict(), "reconstruction": self.reconstruction.as_dict()}


class Chain(NamedTuple):
    """What was measured in the blocks: a row with the keys of `COLUMNS` for each, and what the reconstructions note."""

    rows: list[dict]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class ChainLine:
    """A quantity over BV/TV: `slope` and `intercept` of its line, `scatter` about it as a SD of BV/TV, and `bias`.

    `true_slope` and `bias` (the mean difference) are against the truth; for R2*, against the fit without noise.
    """

    quantity: str
    slope: float
    intercept: float
    scatter: float
    true_slope: float
    bias: float


def run_chain(
    settings: ProtocolSettings,
    chain: ChainSettings,
    *,
    executors: Callable[[], Executor] | None = None,
    progress: Progress | None = None,
) -> Chain:
    """Return a row with the keys of `COLUMNS` for every block, and what the reconstructions note.

    Parameters
    ----------
    settings : ProtocolSettings
        The scan.
    chain : ChainSettings
        Bone and reconstruction.
    executors : callable, optional
        Gives an executor for other processes; the rows are the same.
    progress : callable, optional

    Raises
    ------
    InputError
        If the block does not fit the marrow or holds fewer than three voxels of the scan along an axis.

    Notes
    -----
    χ is against that of muscle, as its mean is not measured. R2* has no truth but what the same echoes show without
    noise; what they make of the trabeculae's field is the point. Values are of voxels one voxel inside the block.
    """
    check_block(settings, chain.bone)
    points, rows, notes = chain.bone.points(), {}, {}

    def tell():
        report(progress, len(rows) / len(points), f"{len(rows)} of {counted(len(points), 'block')}")

    tasks = block_tasks(settings, chain, points, None if executors else progress)
    for point, (row, said) in results(chain_row, tasks, executors, tell):
        rows[point], notes[point] = row, said
    tell()
    return Chain([rows[point] for point in points], _kinds_of([notes[point] for point in points]))


def _kinds_of(notes: list[tuple[str, ...]]) -> tuple[str, ...]:
    """One of each kind of note, whose numbers alone differ, with in how many blocks it is told if not in all."""
    found = {}
    for block in notes:
        for kind, one in {_NUMBERS.sub("", one): one for one in block}.items():
            found.setdefault(kind, []).append(one)
    count = len(notes)
    return tuple(
        one if len(others) + 1 == count else f"{one} (In {1 + len(others)} of {counted(count, 'block')}.)"
        for one, *others in found.values()
    )


def chain_lines(rows: list[dict]) -> list[ChainLine]:
    """Return the line of each quantity over BV/TV; none with fewer than three blocks or one BV/TV."""
    x = np.array([row["bvtv"] for row in rows])
    if x.size < 3 or np.ptp(x) < 1e-3:
        return []
    lines = []
    for name in QUANTITIES:
        found, true = (np.array([row[key] for row in rows]) for key in (name, TRUTHS[name]))
        line = fit_line(x, found)
        left = found - line.at(x)
        scatter = math.sqrt(float(left @ left) / (x.size - 2)) / abs(line.slope) if line.slope else math.inf
        bias = float(np.mean(found - true))
        lines.append(ChainLine(name, line.slope, line.intercept, scatter, fit_line(x, true).slope, bias))
    return lines


def check_block(settings: ProtocolSettings, bone: BoneSettings) -> None:
    """Raise `InputError` if a block holds too few voxels of the scan, before anything long begins."""
    voxels_in_block(bone.extent, bone.voxel_mm, settings.voxel_size)


def chain_row(
    settings: ProtocolSettings, chain: ChainSettings, bvtv: float, repeat: int, progress: Progress | None = None
) -> tuple[dict, tuple[str, ...]]:
    """Return the row of one block, and what its reconstruction notes: its scan is simulated, fitted and measured."""
    phantom = _phantom(settings, chain.bone, bvtv, repeat, part(progress, 0.0, 0.5))
    scan = noisy(phantom, settings.snr, np.random.default_rng((chain.bone.seed, repeat, round(1e6 * bvtv))))
    result = reconstruct(scan, chain.reconstruction, threads=1, progress=part(progress, 0.5, 1.0))
    maps = result.maps
    block = phantom.regions == LABEL
    inside = binary_erosion(block)
    inside = inside if inside.any() else block
    muscle = (phantom.regions == MUSCLE) & (maps["mask"] != 0) & (maps["reliability"] > 0)
    measured = inside & (maps["mask"] != 0)
    if not measured.any() or not muscle.any():
        raise InputError("No voxel of the block, or of muscle, is in the mask; check SNR and settings.")

    def of(values):
        return values[measured].astype(np.float64)

    def less_muscle(chi):
        return of(chi) - chi[muscle].mean(dtype=np.float64)

    chi, r2star, pdff = less_muscle(maps["chi"]), of(maps["r2star"]), of(maps["pdff"])
    truth = phantom.truth
    values = (
        float(of(truth["bvtv"]).mean()), repeat, int(measured.sum()), float(less_muscle(truth["chi"]).mean()),
        float(chi.mean()), float(chi.std()), float(of(truth["r2star"]).mean()), float(r2star.mean()),
        float(r2star.std()), float(of(truth["pdff"]).mean()), float(pdff.mean()), float(pdff.std()),
        float(np.mean(of(maps["reliability"]) > 0)),
    )  # fmt: skip
    return dict(zip(COLUMNS, values, strict=True)), tuple(result.notes)


def scan_shape(settings: ProtocolSettings) -> tuple[int, ...]:
    """Return how many voxels the scan of a block has along i, j, k."""
    lengths = zip(FIELD_OF_VIEW_MM, settings.voxel_size[::-1], strict=True)
    return tuple(max(4, round(length / h)) for length, h in lengths)


def ankle_settings(settings: ProtocolSettings, seed: int) -> PhantomSettings:
    """Return the settings of a digital ankle that is scanned with a protocol, without noise."""
    shape = scan_shape(settings)
    return PhantomSettings(
        shape=shape,
        field_of_view_mm=tuple(n * h for n, h in zip(shape, settings.voxel_size[::-1], strict=True)),
        snr=None,
        seed=seed,
        field_strength=settings.field_strength,
        echo_times=settings.echo_times,
        fat_model=settings.fat_model,
        chi_fat=CHI_FAT,
        chi_bone=settings.chi_slope + CHI_FAT * settings.pdff,
        marrow_pdff=settings.pdff,
        readout=settings.readout,
        readout_axis=settings.readout_axis,
        bandwidth_hz=settings.bandwidth_hz,
    )


def _phantom(settings, bone, bvtv, repeat, progress) -> Phantom:
    """The scan without noise."""
    scan = ankle_settings(settings, bone.seed + repeat)
    # The geometry's axes are the scan's: patient directions turn as B0 does.
    along = b0_direction(scan.affine, np.asarray(bone.orientation) / np.linalg.norm(bone.orientation))
    drawn = draw_bone(bone, along, bvtv, repeat)
    block = Block(drawn, bone.voxel_mm, CENTER, pdff=settings.pdff)
    return make_phantom(scan, block=block, progress=progress)


def marrow_of(phantom: Phantom) -> np.ndarray:
    """Return where all regions of bone are, bool."""
    return (phantom.regions > 0) & (phantom.regions < MUSCLE)


def noisy(phantom: Phantom, snr: float, random: np.random.Generator) -> Acquisition:
    """Return the scan with noise: `snr` is that of marrow in the first echo, on average over all regions of bone."""
    marrow = marrow_of(phantom)
    deviation = np.float32(phantom.truth["signal"][marrow].mean() / snr)
    echoes = phantom.acquisition.echoes.copy()
    for component in (echoes.real, echoes.imag):
        component += deviation * random.standard_normal(component.shape, dtype=np.float32)
    return replace(phantom.acquisition, echoes=echoes)


METHOD = Method(
    run_chain,
    title="The whole way on simulated bone",
    solves="trabeculae in the digital ankle, scanned, reconstructed and measured: χ, R2*, fat fraction over BV/TV",
    test="test_protocol_chain.ChainTest",
)
