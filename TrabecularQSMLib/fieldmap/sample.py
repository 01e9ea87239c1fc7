"""Some thousand voxels of a scan, to which the questions are put that concern all of it, and how well they fit."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from .fat_models import FatModel
from .gains import Explained, asked_for, explained, in_large_parts
from .groups import EchoGroups, positions_of
from .refine import refine
from .search import FINEST_MISFIT, SearchTable, search, search_table
from .signal import Model, project

VOXELS = 8000
# Share of fat's energy over the echoes that is the same in all of them, as water's.
LIKE_WATER = 0.5
# Voxels that are asked about errors of single echoes.
FEWER_VOXELS = 600


class Fits(NamedTuple):
    """Best fits of voxels, (V,) each: logarithm of what is left of the energy, field, R2* and fat fraction."""

    misfit: np.ndarray
    field_hz: np.ndarray
    r2star: np.ndarray
    fat: np.ndarray


@dataclass(frozen=True, eq=False)
class Sample:
    """What is known of the voxels that are asked, beside their signal (E, V).

    Positions (3, V) and the part of the image each lies in (V,), the image's shape, the imaging frequency in Hz, the
    spectrum of fat, and model and search of the fit.
    """

    positions: np.ndarray
    organ: np.ndarray
    shape: tuple[int, int, int]
    imaging_frequency: float
    fat_model: FatModel
    model: Model
    table: SearchTable

    @property
    def echoes(self) -> int:
        """Number of echoes."""
        return self.model.echo_times.size

    @property
    def ppm_hz(self) -> float:
        """One millionth of the imaging frequency in Hz."""
        return 1e-6 * self.imaging_frequency

    @property
    def fat_hz(self) -> float:
        """Shift of fat against water in Hz."""
        return self.fat_model.main_shift_ppm * self.ppm_hz

    @property
    def fat_like_water(self) -> bool:
        """Whether the echoes come when fat and water are nearly in the same phase: they hardly differ then."""
        fat = self.model.fat
        return bool(np.abs(fat.mean()) ** 2 > LIKE_WATER * np.mean(np.abs(fat) ** 2))

    def timed(self, echo_times: np.ndarray | None, shift: float) -> "Sample":
        """Return the sample with other echo times (unless None), or fat so many times as far from water."""
        times = self.model.echo_times if echo_times is None else echo_times
        return self._modelled(Model(times, self.fat_model.signal(shift * times, self.imaging_frequency)))

    def with_line(self, offset_hz: float) -> "Sample":
        """Return the sample with a single line in the place of fat."""
        times = self.model.echo_times
        return self._modelled(Model(times, np.exp(2j * np.pi * offset_hz * times)))

    def _modelled(self, model):
        return replace(self, model=model, table=search_table(model, self.imaging_frequency))

    def part(self, which) -> "Sample":
        """Return the sample of some of the voxels."""
        return replace(self, positions=self.positions[:, which], organ=self.organ[which])

    def index(self, axis: int) -> np.ndarray:
        """Return the index (V,) of each voxel along an axis of the image."""
        return np.round((self.positions[axis] + 1) / 2 * (self.shape[axis] - 1)).astype(int)

    def of_organs(self) -> np.ndarray:
        """Return indices of some voxels, of parts of the image that are no specks."""
        some = np.arange(min(self.organ.size, FEWER_VOXELS))
        return some[in_large_parts(self.organ[some])]

    def without(self, groups: EchoGroups | None, signal: np.ndarray) -> np.ndarray:
        """Return the signal of the voxels without the gains of groups."""
        return signal if groups is None else groups.corrected(signal, self.positions)

    def fits(self, signal: np.ndarray) -> Fits:
        """Return the better of the fits from the two deepest minima of the search."""
        field, rate, cost = search(signal, self.table)
        if self.echoes <= 3:  # which any fit goes through
            at = project(signal, self.model, field[0], rate[0])
            fat = np.abs(at.fat) / (np.abs(at.water) + np.abs(at.fat))
            return Fits(np.log(cost[0] + FINEST_MISFIT), field[0], rate[0], fat)
        both = [refine(signal, self.model, f, r) for f, r in zip(field[:2], rate[:2], strict=True)]
        second = both[1][4] < both[0][4]
        field, rate, water, fat, residual = (np.where(second, *pair) for pair in zip(both[1], both[0], strict=True))
        power = np.maximum((np.abs(signal) ** 2).sum(axis=0), np.finfo(np.float32).tiny)
        whole = np.maximum(np.abs(water) + np.abs(fat), np.finfo(float).tiny)
        return Fits(np.log(residual**2 / power + FINEST_MISFIT), field, rate, np.abs(fat) / whole)

    def asks_for_gains(self, signal: np.ndarray, fits: Fits) -> bool:
        """Return whether single echoes ask for gains of their own."""
        return asked_for(signal, self.model, fits.field_hz, fits.r2star)

    def explained(self, signal: np.ndarray, fits: Fits, gains: np.ndarray | None = None) -> Explained:
        """Return how gains of single echoes explain the signal best, beginning with gains that belong to the fits."""
        return explained(
            signal, self.model, fits.field_hz, fits.r2star, self.organ,
            fat_hz=self.fat_hz, ppm_hz=self.ppm_hz, gains=gains,
        )  # fmt: skip


def draw(
    echoes: np.ndarray,
    mask: np.ndarray,
    *,
    echo_times: np.ndarray,
    imaging_frequency: float,
    fat_model: FatModel,
) -> tuple[np.ndarray, Sample]:
    """Return the signal (E, V) of some voxels of a mask, and what is known of them."""
    voxels = np.flatnonzero(mask)
    voxels = voxels[np.linspace(0, voxels.size - 1, min(VOXELS, voxels.size)).astype(int)]
    # In the order of the array, a part of them would lie in one corner.
    voxels = np.random.default_rng(0).permutation(voxels)
    at = np.unravel_index(voxels, mask.shape)
    model = Model(np.asarray(echo_times, np.float64), fat_model.signal(echo_times, imaging_frequency))
    sample = Sample(
        positions_of(mask.shape, voxels), ndimage.label(mask)[0][at], mask.shape, imaging_frequency, fat_model, model,
        search_table(model, imaging_frequency),
    )  # fmt: skip
    return np.stack([echo[at] for echo in echoes]).astype(np.complex64), sample
