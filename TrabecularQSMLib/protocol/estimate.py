"""How much time and memory a protocol on simulated bone needs."""

import math
from typing import NamedTuple

from ..pipeline.solving import FIELDS_US, inversion_seconds
from .ankle import AnkleSettings, reconstructions
from .chain import ChainSettings, scan_shape
from .settings import ProtocolSettings
from .sweep import SweepSettings

# Measured millionths of a second of one thread for each voxel of a block's geometry, to draw it and for the field about
# it, and for each voxel of a scan of nine echoes, simulated and fitted (with TV-MEDI 6, 15 and 24 s at voxels of 3, 2
# and 1.5 mm). Bytes: 0.3, 0.5 and 1.0 GB.
_BLOCK_US, _SCAN_US, _ECHOES = 1.2, 26.0, 9
_BLOCK_BYTES, _SCAN_BYTES = 140, 1400
# Of the ankle without a block, for each voxel: to make it, and bytes.
_PAINT_US, _ANKLE_BYTES = 8.0, 1100
# Of a sweep: for each voxel of the geometry to draw it, to compute its field, and to see it by nine echoes; for each
# imaging voxel, to fit it; bytes (0.11 GB for 128³ voxels).
_DRAW_US, _DIPOLES_US, _SEE_US, _FIT_US, _SWEEP_BYTES = 0.15, 0.26, 0.07, 27.0, 55


class Cost(NamedTuple):
    """About how many seconds of one processor something takes, and how many bytes beside the program itself."""

    seconds: float
    memory: float


def ankle_cost(settings: ProtocolSettings, ankle: AnkleSettings) -> Cost:
    """Return what `ankle.run_ankle` costs, one reconstruction at a time."""
    grid = math.prod(scan_shape(settings))
    made, times = reconstructions(settings, ankle)
    fitting = 1e-6 * grid * FIELDS_US * len(settings.echo_times) / _ECHOES
    painting = made * (1e-6 * grid * _PAINT_US + fitting)
    return Cost(painting + times * (fitting + inversion_seconds(grid, ankle.reconstruction)), _ANKLE_BYTES * grid)


def chain_cost(settings: ProtocolSettings, chain: ChainSettings) -> Cost:
    """Return what `chain.run_chain` costs, one block at a time."""
    grid = math.prod(scan_shape(settings))
    scanning = 1e-6 * grid * _SCAN_US * len(settings.echo_times) / _ECHOES
    each = scanning + inversion_seconds(grid, chain.reconstruction)
    fine = math.prod(chain.bone.extent)
    seconds = len(chain.bone.points()) * (1e-6 * _BLOCK_US * fine + each)
    return Cost(seconds, _BLOCK_BYTES * fine + _SCAN_BYTES * grid)


def sweep_cost(sweep: SweepSettings) -> Cost:
    """Return what `sweep.run_sweep` costs, one block at a time."""
    bone = sweep.bone
    fine = bone.size**3
    coarse = [(bone.size // max(2, round(voxel / bone.voxel_mm))) ** 3 for voxel in sweep.voxels_mm]
    echoes = sum(map(len, sweep.trains)) / _ECHOES * len(sweep.field_strengths)
    seen = echoes * sum(_SEE_US * fine + _FIT_US * voxels for voxels in coarse)
    seconds = 1e-6 * (_DRAW_US * fine + len(sweep.b0_degrees) * (_DIPOLES_US * fine + seen))
    # The closed form's grid is three times as wide as the region.
    return Cost(len(bone.points()) * seconds, _SWEEP_BYTES * (fine + 27 * max(coarse)))
