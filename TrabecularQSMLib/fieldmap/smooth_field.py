"""How voxels fit where the field goes on smoothly all over the image, from water to fat."""

import itertools
from dataclasses import dataclass

import numpy as np

from .gains import normal_equations
from .refine import refine
from .sample import Fits, Sample
from .search import FINEST_MISFIT
from .signal import mean_field, project, within_period

# How far single voxels are off the smooth field in ppm, the values of R2* over one over the train that are tried, those
# that a fit begins with, its iterations, and how many voxels are asked.
OFF_SMOOTH_PPM, RATES, VOXELS = 0.8, (0.1, 0.4, 1.0, 2.5), 2000
START_RATES, STARTS, ITERATIONS = (0.3, 1.4), 5, 8
# Changes of gains that the data tell a thousand times worse than others count as untold.
UNTOLD = 1e-3


@dataclass(frozen=True)
class SmoothFit:
    """Logarithm of what is left of the energy of voxels (V,), and how much of it gains of single echoes take off.

    The latter is over all voxels, in squares of their misfit. `lost` (V,) is how much more is left, in the logarithm,
    than at each voxel's own best field.
    """

    misfit: np.ndarray
    by_gains: float
    lost: np.ndarray


def smooth_fits(signal: np.ndarray, fits: Fits, sample: Sample) -> list[SmoothFit]:
    """Return fits of some voxels near the smooth field through their own fits, and with all fat or water exchanged."""
    some = slice(VOXELS)
    signal, sample, own = signal[:, some], sample.part(some), fits.misfit[some]
    smooth = smooth_field(fits.field_hz[some], sample)
    return [_fit_near(signal, sample, smooth + n * sample.fat_hz, own) for n in (-1, 0, 1)]


def _best_start(signal, model, center, offs, rates):
    """Field, R2* and cost of the best of some fields beside a center and some R2*, those over one over the train."""
    field, rate, cost = center.copy(), np.zeros(center.size), np.full(center.size, np.inf)
    for off, its in itertools.product(offs, rates):
        its = np.full(center.size, its / model.train)
        at = project(signal, model, center + off, its)
        lower = at.cost < cost
        field, rate, cost = (np.where(lower, *pair) for pair in ((center + off, field), (its, rate), (at.cost, cost)))
    return field, rate, cost


def _fit_near(signal, sample, center, own):
    model, reach = sample.model, OFF_SMOOTH_PPM * sample.ppm_hz
    field, rate, cost = _best_start(signal, model, center, np.linspace(-reach, reach, STARTS), START_RATES)
    found = refine(signal, model, field, rate, iterations=ITERATIONS)
    # What leaves the neighborhood stays where it began.
    kept = np.abs(found[0] - center) < reach
    field, rate, cost = (np.where(kept, *pair) for pair in ((found[0], field), (found[1], rate), (found[4] ** 2, cost)))
    power = np.maximum((np.abs(signal) ** 2).sum(axis=0), np.finfo(np.float32).tiny)
    alone = np.eye(sample.echoes)[:, :, None]
    normal, right = normal_equations(signal, model, field, rate, [*alone, *(1j * alone)])
    told, directions = np.linalg.eigh(normal)
    told, directions = told[told > UNTOLD * told[-1]], directions[:, told > UNTOLD * told[-1]]
    misfit = np.log(cost / power + FINEST_MISFIT)
    return SmoothFit(misfit, float(((directions.T @ right) ** 2 / told).sum()), misfit - own)


def smooth_field(field, sample):
    """Return a polynomial of second order through most of the fields in Hz, which are known up to whole periods."""
    x, period = sample.positions.astype(float), sample.model.period_hz
    terms = np.stack([np.ones(field.size), *x, *(x[a] * x[b] for a in range(3) for b in range(a, 3))], axis=1)
    smooth = np.full(field.size, mean_field(field, period)[0])
    for used in (1, 4, 4, 10, 10, 10):
        off = within_period(field - smooth, period)
        near = np.abs(off) < abs(sample.fat_hz) / 2
        smooth += terms[:, :used] @ np.linalg.lstsq(terms[near, :used], off[near], rcond=1e-6)[0]
    return smooth


def misfit_near(signal, sample, field):
    """Return the least logarithm of what is left of the energy at fields nearby, (V,)."""
    offs = np.linspace(-1, 1, 7) * OFF_SMOOTH_PPM * sample.ppm_hz
    _, _, cost = _best_start(signal, sample.model, field, offs, RATES)
    return np.log(cost / np.maximum((np.abs(signal) ** 2).sum(axis=0), np.finfo(np.float32).tiny) + FINEST_MISFIT)
