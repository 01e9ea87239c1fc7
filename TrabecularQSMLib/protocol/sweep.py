"""What field strength, voxel size, direction of B0 and echo train do to R2*, fat fraction and χ over BV/TV."""

import math
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field, fields, replace
from functools import partial
from itertools import product
from typing import NamedTuple

import numpy as np

from ..acquisition import FIELD_STRENGTHS_T, GYROMAGNETIC_RATIO_HZ_PER_T
from ..errors import InputError, counted, errors_of
from ..fieldmap.fat_models import FAT_MODELS
from ..fieldmap.refine import refine
from ..fieldmap.separation import fat_fraction
from ..fieldmap.signal import Model
from ..inversion.closed_form import closed_form
from ..kernels import block_means, convolve, dipole_kernel
from ..methods import Method
from ..phantom.body import MARROW_R2
from ..phantom.settings import numbers
from ..progress import Progress, report
from ..simulation.decay import voxel_signals
from ..simulation.field import FieldModel
from ..simulation.settings import BONE_T2_S, DecaySettings
from ..workers import results
from .bone import BoneSettings, block_tasks, draw_bone, simulation_of
from .settings import ProtocolSettings

COLUMNS = (
    "bvtv_wanted", "repeat", "field_strength", "voxel_mm", "b0_degrees", "train", "bvtv", "r2prime", "r2star",
    "pdff_bias", "chi_true", "chi",
)  # fmt: skip
# What is varied beside BV/TV.
CONDITIONS = ("field_strength", "voxel_mm", "b0_degrees", "train")

_CONDITION_TEXTS = {
    "field_strength": "{:g} T",
    "voxel_mm": "voxel {:.3g} mm",
    "b0_degrees": "B0 at {:g}°",
    "train": "train {:d}",
}

Block = tuple[float, int]  # BV/TV and repeat


@dataclass(frozen=True)
class SweepSettings:
    """What is varied; every combination is measured in the same geometries.

    Parameters
    ----------
    bone : BoneSettings
        BV/TV, repeats, and the shape of bone.
    field_strengths : tuple of floats
        Tesla.
    voxels_mm : tuple of floats
        Edges of cubic voxels; they become whole voxels of the geometry.
    b0_degrees : tuple of floats
        Angles between B0 and S, towards R.
    trains : tuple of tuples of floats
        Echo times in s.

    Raises
    ------
    InputError
        If there is nothing of something, or a value is impossible.
    """

    field_strengths: tuple[float, ...]
    voxels_mm: tuple[float, ...]
    trains: tuple[tuple[float, ...], ...]
    b0_degrees: tuple[float, ...] = (0.0,)
    bone: BoneSettings = field(default_factory=BoneSettings)

    def __post_init__(self):
        put = partial(object.__setattr__, self)  # the dataclass is frozen
        for name, low, high in (
            ("field_strengths", *FIELD_STRENGTHS_T),
            ("voxels_mm", 0.01, 100),
            ("b0_degrees", -360, 360),
        ):
            put(name, tuple(sorted(set(numbers(name, getattr(self, name), None, low=low, high=high)))))
        put("trains", tuple(dict.fromkeys(tuple(train) for train in self.trains)))
        if not (self.field_strengths and self.voxels_mm and self.b0_degrees and self.trains):
            raise InputError("There is nothing to vary; give a field strength, voxel, angle and echo train at least.")
        edge = self.bone.voxel_mm * self.bone.size
        for voxel in self.voxels_mm:
            if not 2 * self.bone.voxel_mm <= voxel <= edge / 2:
                raise InputError(
                    f"Voxels of {voxel:g} mm do not fit a region of {edge:g} mm whose geometry has voxels of "
                    f"{self.bone.voxel_mm:g} mm; give {2 * self.bone.voxel_mm:g} to {edge / 2:g} mm."
                )
        # What is measured is what the table says.
        put("voxels_mm", tuple(sorted({self._whole(voxel) for voxel in self.voxels_mm})))

    def _whole(self, voxel):
        """An edge to whole voxels of the geometry."""
        return round(max(2, round(voxel / self.bone.voxel_mm)) * self.bone.voxel_mm, 9)

    def as_dict(self) -> dict:
        """Return the settings as they are written to files."""
        return {one.name: getattr(self, one.name) for one in fields(self)} | {"bone": self.bone.as_dict()}

    @classmethod
    def around(cls, settings: ProtocolSettings, bone: BoneSettings, **varied) -> "SweepSettings":
        """Return a sweep in which what is not `varied` is as in a protocol; its echo train comes first."""
        given = {name: value for name, value in varied.items() if value}
        own = {
            "field_strengths": (settings.field_strength,),
            "voxels_mm": (float(np.prod(settings.voxel_size)) ** (1 / 3),),
        }
        trains = [settings.echo_times]
        for train in given.pop("trains", ()):
            with errors_of("Another echo train"):
                trains.append(replace(settings, echo_times=tuple(train), trains=1).echo_times)
        return cls(**own | given, trains=tuple(trains), bone=bone)

    def combinations(self) -> int:
        """Return how many rows each block has."""
        return math.prod(map(len, (self.field_strengths, self.voxels_mm, self.b0_degrees, self.trains)))

    def varied(self) -> list[str]:
        """Return which of `CONDITIONS` have several values."""
        values = (self.field_strengths, self.voxels_mm, self.b0_degrees, self.trains)
        return [name for name, some in zip(CONDITIONS, values, strict=True) if len(some) > 1]


def run_sweep(
    settings: ProtocolSettings,
    sweep: SweepSettings,
    *,
    executors: Callable[[], Executor] | None = None,
    done: Collection[Block] = (),
    progress: Progress | None = None,
) -> Iterator[list[dict]]:
    """Give the rows of every block, with the keys of `COLUMNS`, as soon as they are there.

    Parameters
    ----------
    settings : ProtocolSettings
        Fat, its fraction, λ, and χ of bone less that of marrow.
    sweep : SweepSettings
        What is varied.
    executors : callable, optional
        Gives an executor for other processes; the rows are the same.
    done : collection of (BV/TV, repeat)
        Blocks to leave out.
    progress : callable, optional

    Notes
    -----
    A region of bone in marrow without end, without noise. Each voxel's signal is the mean over its part of the region
    of marrow (R2 15 1/s, fat) and of bone's own, dephased by the field of the geometry; it is fitted by our own fit.
    R2* and R2′ (R2* less R2) are means over voxels weighted by their signal. χ is that of the closed form of the fitted
    field, less that around; outside the region the field is that of the voxels' BV/TV. That says most of a region's
    mean: χ shows what the inversion gives back, and hardly the fit inside.
    """
    everything = sweep.bone.points()
    missing = [point for point in everything if point not in set(done)]

    def tell():
        finished = len(everything) - len(missing)
        report(progress, finished / len(everything), f"{finished} of {counted(len(everything), 'block')}")

    tasks = block_tasks(settings, sweep, missing, None if executors else progress)
    for point, rows in results(block_rows, tasks, executors, tell):
        missing.remove(point)
        yield rows
    tell()


def sorted_rows(rows) -> list[dict]:
    """Return rows by BV/TV, repeat and conditions."""
    return sorted(rows, key=lambda row: tuple(row[name] for name in ("bvtv_wanted", "repeat", *CONDITIONS)))


class Panel(NamedTuple):
    """Rows in which one condition differs alone, and the values of the others."""

    condition: str
    held: dict[str, float]
    rows: list[dict]

    def by_value(self) -> dict[float, list[dict]]:
        """Return the rows of each value of the condition."""
        values = sorted({row[self.condition] for row in self.rows})
        return {value: [row for row in self.rows if row[self.condition] == value] for value in values}


def means_over_repeats(rows: list[dict], quantity: str) -> tuple[list[float], list[float]]:
    """Return BV/TV and a quantity of rows under one condition, each the mean over the repeats of one BV/TV wanted."""
    wanted = sorted({row["bvtv_wanted"] for row in rows})
    bvtv, means = (
        [float(np.mean([row[name] for row in rows if row["bvtv_wanted"] == one])) for one in wanted]
        for name in ("bvtv", quantity)
    )
    return bvtv, means


def panels(rows: list[dict], varied: list[str], settings: ProtocolSettings) -> list[Panel]:
    """Return what is to be seen of a sweep: one panel for each condition with several values, or one of the train.

    The other conditions are as near to those of the protocol as there are; B0 is at its first angle.
    """
    voxel = float(np.prod(settings.voxel_size)) ** (1 / 3)
    wanted = {"field_strength": settings.field_strength, "voxel_mm": voxel, "b0_degrees": -math.inf, "train": 0}
    nearest = {name: _nearest({row[name] for row in rows}, value) for name, value in wanted.items()}
    found = []
    for condition in varied or ["train"]:
        held = {name: value for name, value in nearest.items() if name != condition}
        some = [row for row in rows if all(row[name] == value for name, value in held.items())]
        found.append(Panel(condition, held, some))
    return found


def _nearest(values, wanted):
    """The value nearest to a wanted one; the smallest for minus infinity."""
    return min(values, key=lambda value: (abs(value - wanted), value))


def condition_text(condition: str, value: float) -> str:
    """Return a condition as people write it; trains are counted from 1."""
    return _CONDITION_TEXTS[condition].format(value + 1 if condition == "train" else value)


def block_rows(
    settings: ProtocolSettings, sweep: SweepSettings, bvtv: float, repeat: int, progress: Progress | None = None
) -> list[dict]:
    """Return the rows of one block: every combination of what is varied, in one geometry."""
    bone = draw_bone(sweep.bone, sweep.bone.orientation[::-1], bvtv, repeat)
    rows, count = [], sweep.combinations()
    for angle in sweep.b0_degrees:
        report(progress, len(rows) / count, f"Field with B0 at {angle:g}°")
        b0 = (math.cos(math.radians(angle)), 0.0, math.sin(math.radians(angle)))
        region = replace(simulation_of(sweep.bone, (1.0, 0.0, 0.0)), boundary="linear", b0_direction=b0)
        local = FieldModel(region).field(bone)
        for voxel in sweep.voxels_mm:
            edge = max(2, round(voxel / sweep.bone.voxel_mm))
            scanned = _Scanned(bone, local, b0, edge, edge * sweep.bone.voxel_mm)
            for tesla, (number, train) in product(sweep.field_strengths, enumerate(sweep.trains)):
                report(progress, len(rows) / count, f"{len(rows)} of {counted(count, 'combination')}")
                found = _measured(scanned, settings, tesla, train)
                conditions = dict(zip(CONDITIONS, (tesla, voxel, angle, number), strict=True))
                rows.append({"bvtv_wanted": bvtv, "repeat": repeat} | conditions | found)
    return rows


class _Scanned(NamedTuple):
    """A block of bone, the field of its own for each ppm of Δχ, and the imaging voxels that see it."""

    bone: np.ndarray
    field: np.ndarray
    b0_direction: tuple[float, float, float]
    edge: int  # of an imaging voxel in voxels of the block
    edge_mm: float


def _measured(scanned, settings, tesla, train) -> dict:
    """BV/TV, R2′, R2*, bias of the fat fraction, and χ of a region at one field strength and echo train."""
    bone, field, edge = scanned.bone, scanned.field, scanned.edge
    frequency = tesla * GYROMAGNETIC_RATIO_HZ_PER_T
    times = np.asarray(train)
    model = Model(times, FAT_MODELS[settings.fat_model].signal(times, frequency))
    whole, edges = (slice(0, bone.shape[0] // edge * edge),) * 3, (edge,) * 3
    share = block_means(bone[whole], edges)
    # Marrow decays here, and not in those signals: its decay is that of all, which bone's own is given less of.
    decay = DecaySettings(train, settings.pdff, settings.fat_model, bone_t2=1 / (1 / BONE_T2_S - MARROW_R2))
    signal = voxel_signals(field, bone, decay, field_strength=tesla, delta_chi=settings.chi_slope, edge=edge)
    signal = signal.reshape(times.size, -1) * np.exp(-MARROW_R2 * times)[:, None]
    mean_field = settings.chi_slope * 1e-6 * frequency * block_means(field[whole], edges, np.float64).ravel()
    hz, rate, water, fat, _ = refine(signal, model, mean_field, np.full(share.size, 60.0))
    weight = np.abs(water + fat)
    r2star = float(np.average(rate, weights=weight))
    pdff = float(np.average(fat_fraction(water, fat), weights=weight))
    ppm = hz.reshape(share.shape) * (1e6 / frequency)
    chi = _chi(ppm, settings.chi_slope * share, scanned.edge_mm, scanned.b0_direction, settings)
    values = (float(share.mean()), r2star - MARROW_R2, r2star, pdff - settings.pdff,
              float(settings.chi_slope * share.mean()), chi)  # fmt: skip
    return dict(zip(COLUMNS[6:], values, strict=True))


def _chi(field_ppm, chi, voxel, b0, settings) -> float:
    """Mean χ of a region by the closed form of its field, less that around it."""
    count = chi.shape[0]
    # Three times as wide, so that what repeats is as far away as the region is wide.
    inside = (slice(count, 2 * count),) * 3
    around = np.zeros((3 * count,) * 3, np.float32)
    around[inside] = chi
    full = convolve(dipole_kernel(around.shape, (voxel,) * 3, b0), around)
    full[inside] = field_ppm
    found = closed_form(full, (voxel,) * 3, b0_direction=b0, regularization=settings.regularization)
    region = np.zeros(around.shape, bool)
    region[inside] = True
    return float(found[region].mean(dtype=np.float64) - found[~region].mean(dtype=np.float64))


METHOD = Method(
    run_sweep,
    title="Sweep of conditions",
    solves="signal of imaging voxels in the field of a geometry, our own fit, closed form of the fitted field",
    test="test_protocol_sweep.SweepTest",
)
