"""Fields that echoes take for each other: how far apart, how sure the right one is, and how far the field may stray."""

from dataclasses import dataclass

import numpy as np

from ..fieldmap.cuts import JUMP, SMOOTHNESS
from ..fieldmap.neighborhood import MODEL_ERROR
from ..fieldmap.search import search, search_table
from ..fieldmap.separation import confusion_distance
from ..fieldmap.signal import synthesize, within_period
from .bounds import PDFFS
from .settings import ProtocolSettings

_NEIGHBORS = 6
# Fields closer than this part of the distance between those that are taken for each other are one minimum.
_DISTINCT = 0.25


@dataclass(frozen=True, eq=False)
class Swaps:
    """Second minima of voxels of the protocol's middle R2*, by fat fraction; arrays of one number for each.

    `distance_hz` is how far the second minimum lies from the truth (NaN: there is none), `margin` by how many units of
    log-likelihood it fits worse, and `stray_hz` by how much the field of a single voxel may differ from that of its six
    neighbors before the spatial step takes the wrong one (infinite: it never does). `period_hz` is the field
    period of the echoes, `confusion_hz` the distance that the spatial step takes for that of a swap.
    """

    pdff: tuple[float, ...]
    distance_hz: np.ndarray
    margin: np.ndarray
    stray_hz: np.ndarray
    period_hz: float
    confusion_hz: float

    @property
    def least_margin(self) -> float:
        """The smallest margin over all fat fractions."""
        return float(np.min(self.margin))

    @property
    def least_stray_hz(self) -> float:
        """The smallest distance that the field may stray, at most half a period, from where on it is wrapped."""
        return float(min(np.min(self.stray_hz), self.period_hz / 2))


def swaps(settings: ProtocolSettings, echo_times=None, noise: float | None = None) -> Swaps:
    """Return the second minima of a protocol, or of one with other echo times in s or other noise.

    Notes
    -----
    From the search of our own fit on signals without noise. The misfit counts as it does there,
    ``ΔSSE / 2 (σ² + 0.004 Σ|s|²)``: the second term is what the model may miss. The energy of a voxel and its six
    neighbors, which agree, is that of the minimum cuts: ``misfit + 6 min(p Δf², J)`` with J = 6; other choices of
    neighbors, as at edges, are not in it.
    """
    model = settings.model(echo_times)
    noise = settings.noise if noise is None else noise
    fractions = np.asarray(PDFFS)
    signal = synthesize(1 - fractions, fractions, 0.0, settings.middle_r2star, model)
    fields, _, costs = search(signal, search_table(model, settings.imaging_frequency))
    power = np.sum(np.abs(signal) ** 2, axis=0)
    period = model.period_hz
    confusion = confusion_distance(model, settings.fat_hz)

    strayed = np.abs(within_period(fields, period))
    other = np.where(strayed > _DISTINCT * confusion, costs, np.inf)
    chosen = other.argmin(axis=0)
    voxels = np.arange(fractions.size)
    there = np.isfinite(other[chosen, voxels])
    true_cost = np.where(strayed <= _DISTINCT * confusion, costs, np.inf).min(axis=0)
    excess = (other[chosen, voxels] - np.where(np.isfinite(true_cost), true_cost, 0)) * power
    margin = excess / (2 * (noise**2 + MODEL_ERROR * power))
    distance = np.where(there, strayed[chosen, voxels], np.nan)
    deviation = noise / np.sqrt(power) / model.train
    smooth = SMOOTHNESS * confusion
    precision = 0.5 / (smooth**2 + 2 * deviation**2)
    stray = np.array([_stray(*one, period) for one in zip(distance, margin, precision, strict=True)])
    return Swaps(PDFFS, distance, margin, stray, float(period), confusion)


def _stray(distance, margin, precision, period):
    """Smallest difference from six neighbors at which a voxel takes its second minimum; infinite if it never does."""
    if not np.isfinite(distance):
        return np.inf
    difference = np.linspace(0, period / 2, 2001)

    def energy(offset):
        return _NEIGHBORS * np.minimum(within_period(offset, period) ** 2 * precision, JUMP)

    swapped = margin + energy(difference - distance) < energy(difference)
    return float(difference[swapped.argmax()]) if swapped.any() else np.inf
