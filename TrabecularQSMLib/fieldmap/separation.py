"""Water–fat separation: from echoes to water, fat, field and R2*."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..chunks import run_chunks
from ..methods import Method
from ..progress import Progress, part
from .fat_models import FatModel
from .gains import EchoGains, echo_gains, in_large_parts
from .groups import EchoGroups, positions_of
from .neighborhood import choose_candidates, smoothed
from .refine import refine
from .search import CANDIDATES, search, search_table
from .signal import Model, within_period
from .uncertainty import noise_of_fit, of_exact_fit, of_two_minima, standard_deviations

# Voxels worked on at once: small enough for the cache, large enough for NumPy.
SEARCH_CHUNK = 4096
REFINE_CHUNK = 8192
# Gains of single echoes are sought in so many voxels, above this part of the energy of bright tissue.
GAIN_VOXELS = 1000
BRIGHT = 0.1
# More units of log-likelihood than this make no difference.
DECIDED = 10.0
# So many echoes just determine the unknowns: a fit to them leaves nothing over, whatever the data.
EXACT_ECHOES = 3
# Minima whose misfits differ by no more than this part of the signal's energy, as the grid of R2* makes them, are told
# apart by the fit, with so many steps.
GRID_ERROR, ON_THE_WAY = 0.02, 3
# How far fields stray from the mean around them, as a part of the distance between fields that are taken for each
# other: so weak a tie moves only voxels whose field is hardly known.
TIE = 0.25


@dataclass(frozen=True, eq=False)
class Separation:
    """Maps of the water–fat separation, (K, J, I), zero outside the mask.

    `water` and `fat` complex64 at echo time zero, `field_hz` and `r2star` float32 in Hz and 1/s, `residual` float32:
    root sum of squares of the residual over that of the signal. The field is known up to whole `period_hz`.
    `excess`: the same of what noise does not explain.
    `margin`: by how many units of log-likelihood the chosen minimum is better than the voxel's next;
    `own_margin`: than one at a distance, by the voxel's own echoes alone and at most `DECIDED`.
    `sigma_field`, `sigma_r2star`, `sigma_pdff`: standard deviations by noise in Hz, 1/s and as a fraction.
    `gains`: those of single echoes that were taken off, if any.
    """

    water: np.ndarray
    fat: np.ndarray
    field_hz: np.ndarray
    r2star: np.ndarray
    residual: np.ndarray
    excess: np.ndarray
    margin: np.ndarray
    own_margin: np.ndarray
    sigma_field: np.ndarray
    sigma_r2star: np.ndarray
    sigma_pdff: np.ndarray
    period_hz: float
    gains: EchoGains | None = None


def separate(
    echoes: np.ndarray,
    mask: np.ndarray,
    voxel_size,
    *,
    echo_times: np.ndarray,
    imaging_frequency: float,
    fat_model: FatModel,
    sign: int = 1,
    groups: EchoGroups | None = None,
    find_gains: bool = True,
    noise: float = 0.0,
    progress: Progress | None = None,
) -> Separation:
    """Return water, fat, field and R2* of every voxel in the mask.

    Parameters
    ----------
    echoes : (E, K, J, I) complex array
    mask : (K, J, I) bool array
        Voxels to fit.
    voxel_size : (3,) floats
        mm along k, j, i.
    echo_times : (E,) array
        Seconds.
    imaging_frequency : float
        Hz.
    fat_model : FatModel
    sign : {1, -1}
        1 if phase grows with frequency, −1 if it falls.
    groups : EchoGroups, optional
        Gains to take off the echoes (`kind.find_kind`).
    find_gains : bool
        Whether gains of single echoes, the same all over the image, are looked for and taken off (`gains`).
    noise : float
        Standard deviation of the noise in the real channel as seen in the background, for the standard deviations of
        the maps; that of the fit's residuals counts if it is larger, as where the background was set to zero.

    Notes
    -----
    Global search over field and R2* with water and fat projected out (`search`), choice among the minima of each
    voxel with the help of its neighbors (`choose_candidates`), projected Gauss–Newton to convergence (`refine`). From
    four echoes on, the field of the fit is tied to the mean around the voxel, with a standard deviation of `TIE` of the
    distance between water and fat (108 Hz at 3 T): a field known to 10 Hz moves by less than a hundredth of its
    distance from there, and one that noise leaves unknown stays near its neighbors.
    Three echoes just determine the six unknowns: the search holds R2* at 50 1/s, and the residual of the fit is zero
    whatever the data.
    """
    model = Model(np.asarray(echo_times, np.float64), fat_model.signal(echo_times, imaging_frequency))
    count = int(np.count_nonzero(mask))
    signal = np.empty((len(echo_times), count), np.complex64)
    positions = None if groups is None else positions_of(mask.shape, np.flatnonzero(mask))
    for number, echo in enumerate(echoes):
        signal[number] = echo[mask] if groups is None else groups.take_off(number, echo[mask], positions)
    if sign < 0:
        np.conj(signal, out=signal)
    power = _power(signal)

    fat_hz = fat_model.main_hz(imaging_frequency)
    where = {"mask": mask, "voxel_size": voxel_size, "imaging_frequency": imaging_frequency, "fat_hz": fat_hz}
    starts = _starts(signal, power, model, **where, progress=part(progress, 0.0, 0.5))
    gains = _gains(signal, power, model, *starts[:2], mask, imaging_frequency, fat_hz) if find_gains else None
    if gains is not None:
        signal /= gains.gains.astype(np.complex64)[:, None]
        power = _power(signal)
        starts = _starts(signal, power, model, **where, progress=part(progress, 0.3, 0.5))
    start_field, start_rate, margin, own, misfit = starts
    tied_to, tie = None, 0.0
    if len(echo_times) > EXACT_ECHOES:
        tied_to = _around(start_field, power * -np.expm1(-np.maximum(margin, 0)), mask, voxel_size, model.period_hz)
        # Where the background was set to zero, what the search leaves over tells the noise.
        tie = max(noise**2, misfit / (2 * len(echo_times) - 6)) / (TIE * confusion_distance(model, fat_hz)) ** 2
    water, fat = (np.empty(count, np.complex64) for _ in range(2))
    field, r2star, residual = (np.empty(count, np.float32) for _ in range(3))

    def refine_chunk(chunk):
        field[chunk], r2star[chunk], water[chunk], fat[chunk], residual[chunk] = refine(
            signal[:, chunk],
            model,
            start_field[chunk],
            start_rate[chunk],
            tied_to=None if tied_to is None else tied_to[chunk],
            tie=tie,
        )

    message = "Fitting water, fat, field and R2*"
    run_chunks(refine_chunk, count, REFINE_CHUNK, message=message, progress=part(progress, 0.5, 0.95))
    noise = max(noise, noise_of_fit(residual, len(echo_times)))
    sigmas = list(standard_deviations(water, fat, field, r2star, model, noise, progress=part(progress, 0.95, 1.0)))
    sigmas[0] = np.minimum(of_two_minima(sigmas[0], margin, confusion_distance(model, fat_hz)), model.period_hz / 2)
    if len(echo_times) == EXACT_ECHOES:
        sigmas[1] = of_exact_fit(sigmas[1], model.train)
    # Twice what noise leaves over on average is found in one voxel of forty, by noise alone.
    excess = np.maximum(residual**2 - 2 * (2 * len(echo_times) - 6) * noise**2, 0)
    power = np.maximum(power, np.finfo(np.float32).tiny)
    excess, residual = np.sqrt(excess / power), residual / np.sqrt(power)

    def volume(values):
        result = np.zeros(mask.shape, values.dtype)
        result[mask] = values
        return result

    return Separation(
        *(volume(v) for v in (water, fat, field, r2star, residual, excess, margin, own, *sigmas)),
        period_hz=model.period_hz,
        gains=gains,
    )


def confusion_distance(model: Model, shift_hz: float) -> float:
    """Return how far apart in Hz fields lie that echoes take for each other: water for fat, or the next side lobe."""
    swap = abs(within_period(shift_hz, model.period_hz))
    return float(min(max(swap, abs(shift_hz) / 4), 2.4 / model.train))


def _around(field, weight, mask, voxel_size, period):
    """The mean field around each voxel, within half a period of its own."""
    phasors = np.exp(2j * np.pi * field / period).astype(np.complex64) * (weight + 1e-30)
    around = smoothed(phasors.real, mask, voxel_size, 1.0) + 1j * smoothed(phasors.imag, mask, voxel_size, 1.0)
    return field + (period / (2 * np.pi)) * np.angle(around * np.exp(-2j * np.pi * field / period)).astype(np.float32)


def _power(signal):
    return np.einsum("ev,ev->v", signal.real, signal.real) + np.einsum("ev,ev->v", signal.imag, signal.imag)


def _gains(signal, power, model, field, rate, mask, imaging_frequency, fat_hz):
    """Gains of single echoes, from some of the voxels with a good part of the signal."""
    bright = np.flatnonzero(power > BRIGHT * np.percentile(power, 90)) if power.size else np.arange(0)
    some = np.random.default_rng(0).permutation(bright)[:GAIN_VOXELS]
    organ = ndimage.label(mask)[0][mask][some]
    kept = in_large_parts(organ)
    some, organ = some[kept], organ[kept]
    return echo_gains(
        signal[:, some], model, field[some], rate[some], organ, fat_hz=fat_hz, ppm_hz=1e-6 * imaging_frequency
    )


def _starts(signal, power, model, *, mask, voxel_size, imaging_frequency, fat_hz, progress):
    """Field and R2* of each voxel to start the fit from, how sure with and without neighbors, and the median misfit."""
    table = search_table(model, imaging_frequency)
    echoes, count = signal.shape
    fields, rates, costs = (np.empty((CANDIDATES, count), np.float32) for _ in range(3))

    def search_chunk(chunk):
        found = search(signal[:, chunk], table)
        fields[:, chunk], rates[:, chunk], costs[:, chunk] = _between_rates(*found, signal[:, chunk], model)

    message = "Searching water, fat and field"
    run_chunks(search_chunk, count, SEARCH_CHUNK, message=message, progress=part(progress, 0.0, 0.8))
    chosen, margin, own = choose_candidates(
        fields,
        costs,
        power,
        mask,
        voxel_size,
        period_hz=model.period_hz,
        distance_hz=confusion_distance(model, fat_hz),
        train=model.train,
        # Complex W and F, the field and R2*; with three echoes the search holds R2*.
        degrees_of_freedom=max(2 * echoes - 6, 1),
        progress=part(progress, 0.8, 1.0),
    )
    voxels = np.arange(count)
    misfit = float(np.median(costs[0] * power)) if count else 0.0
    own = np.minimum(own, DECIDED).astype(np.float32)
    return fields[chosen, voxels], rates[chosen, voxels], margin.astype(np.float32), own, misfit


def _between_rates(field, rate, cost, signal, model):
    """Candidates of the search, (C, V) each and best first, with R2* and misfit of their own where the search errs.

    The rates of the search are far apart: water between two of them may fit no better than fat on one.
    """
    rival = np.where(field == field[0], np.inf, cost).min(axis=0)
    unsure = rival - cost[0] < GRID_ERROR
    if signal.shape[0] > EXACT_ECHOES and unsure.any():
        signal = signal[:, unsure]
        power = np.maximum(_power(signal), np.finfo(np.float32).tiny)
        own = np.stack([field[:, unsure], rate[:, unsure], cost[:, unsure]])
        for one in own.swapaxes(0, 1):
            one[0], one[1], *_, residual = refine(signal, model, one[0], one[1], iterations=ON_THE_WAY)
            one[2] = residual**2 / power
        own = np.take_along_axis(own, np.argsort(own[2], axis=0)[None], axis=1)
        field[:, unsure], rate[:, unsure], cost[:, unsure] = own
    return field, rate, cost


def fat_fraction(water: np.ndarray, fat: np.ndarray) -> np.ndarray:
    """Return the proton-density fat fraction ``|F| / |W + F|`` without noise bias at its ends, float32 in 0–1.

    The magnitude of the smaller of the two would never average to zero, so the fraction is computed from the larger
    one, ``1 − |W| / |W + F|`` where water prevails (Liu et al., MRM 2007, doi 10.1002/mrm.21301), and clipped.
    """
    total = np.abs(water + fat)
    safe = np.maximum(total, np.finfo(np.float32).tiny)
    fraction = np.where(np.abs(water) > np.abs(fat), 1 - np.abs(water) / safe, np.abs(fat) / safe)
    return np.where(total > 0, np.clip(fraction, 0, 1), 0).astype(np.float32)


METHODS = (
    Method(
        separate,
        title="Water–fat separation",
        solves="Σ |s(t) − (W + c(t) F) e^{2πi f t − R2* t}|²; global search, choice by minimum cuts, Gauss–Newton",
        test="test_fieldmap.SeparationTest",
        reference="Golub & Pereyra, SIAM J Numer Anal 1973, doi 10.1137/0710036; "
        "Besag 1986, doi 10.1111/j.2517-6161.1986.tb01412.x; "
        "Lempitsky et al., IEEE TPAMI 2010, doi 10.1109/TPAMI.2009.143",
        options={"fat_model": "fat_model", "sign": "phase_sign", "find_gains": "echo_gains"},
    ),
    Method(
        fat_fraction,
        title="Fat fraction",
        solves="1 − |W| / |W + F| or |F| / |W + F|, of the larger one",
        test="test_fieldmap_uncertainty.FatFractionTest",
        reference="Liu et al., MRM 2007, doi 10.1002/mrm.21301",
    ),
)
