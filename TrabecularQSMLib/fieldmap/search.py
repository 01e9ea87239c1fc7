"""Global search over field and R2* by variable projection: every field that could be right, in every voxel."""

from dataclasses import dataclass

import numpy as np

from .signal import Model

CANDIDATES = 3
# Grid steps well inside the basin in which Gauss–Newton converges, as parts of one over the length of the train.
FIELD_STEPS = 12
R2STAR_GRID = (0.05, 0.3, 0.7, 1.4, 2.8, 5.0, 9.0)
# Tissue that decays faster than this from echo to echo leaves too few of them to be told: such rates are left out.
FASTEST_DECAY = 1.7
# Search no further than this around the center frequency, in ppm: more than air against bone can do.
FIELD_RANGE_PPM = 15.0
# Three echoes fit many pairs of field and R2* exactly: only with R2* held at a usual value do they tell the field.
R2STAR_OF_THREE_ECHOES = 50.0
# A misfit below this part of a voxel's energy is no better for it: the grid of the search has such errors.
FINEST_MISFIT = 2e-4


@dataclass(frozen=True)
class SearchTable:
    """What the search needs and no voxel changes.

    The energy that water and fat explain, ``s^H P(R2*) s`` after demodulation by f, is a trigonometric polynomial in
    f whose coefficients belong to the echo spacings: N − 1 of them for equally spaced echoes, up to N(N − 1)/2
    otherwise. `pair_to_lag` (R, 2·pairs + N, 2·lags + 1) turns the products of echoes into coefficients for each
    R2*, `lag_to_field` (2·lags + 1, F) those into energies at the fields `field_hz`.
    """

    field_hz: np.ndarray
    r2star: np.ndarray
    pairs: tuple[np.ndarray, np.ndarray]
    pair_to_lag: np.ndarray
    lag_to_field: np.ndarray


def search_table(model: Model, imaging_frequency: float) -> SearchTable:
    """Build the table for echo times, fat signal and imaging frequency in Hz."""
    times = model.echo_times
    rates = _rates(model)
    width = min(model.period_hz, 2 * FIELD_RANGE_PPM * 1e-6 * imaging_frequency)
    # A weak field or widely spaced echoes leave little to search, but the candidates need room.
    count = max(int(np.ceil(width * model.train * FIELD_STEPS)), 4 * CANDIDATES)
    field_hz = (np.arange(count) / count - 0.5) * width

    first, second = np.triu_indices(times.size, 1)
    spacings = times[second] - times[first]
    # Spacings equal to a tenth of a microsecond are one lag.
    lags, lag_of_pair = np.unique(np.round(spacings * 1e7), return_inverse=True)
    lags = lags * 1e-7
    pairs, n = first.size, times.size
    pair_to_lag = np.zeros((rates.size, 2 * pairs + n, 2 * lags.size + 1))
    rows = np.arange(pairs)
    for table, rate in zip(pair_to_lag, rates, strict=True):
        basis = np.stack([np.ones(n), model.fat], axis=1) * np.exp(-rate * (times - times[0]))[:, None]
        q, _ = np.linalg.qr(basis)
        projector = q @ q.conj().T
        p = projector[first, second]
        # A pair gives 2 Re[P_nm conj(s_n) s_m exp(2πi f (t_n − t_m))], split into real and imaginary parts.
        table[rows, lag_of_pair] = 2 * p.real
        table[rows, lags.size + lag_of_pair] = 2 * p.imag
        table[pairs + rows, lag_of_pair] = -2 * p.imag
        table[pairs + rows, lags.size + lag_of_pair] = 2 * p.real
        table[2 * pairs + np.arange(n), -1] = np.diag(projector).real
    angle = -2 * np.pi * np.outer(lags, field_hz)
    lag_to_field = np.concatenate([np.cos(angle), -np.sin(angle), np.ones((1, count))])
    return SearchTable(
        field_hz, rates, (first, second), pair_to_lag.astype(np.float32), lag_to_field.astype(np.float32)
    )


def _rates(model):
    """The values of R2* that are searched, in 1/s."""
    if model.echo_times.size <= 3:
        return np.array([R2STAR_OF_THREE_ECHOES])
    over_train = np.array(R2STAR_GRID)
    return over_train[over_train <= FASTEST_DECAY * (model.echo_times.size - 1)] / model.train


def search(signal: np.ndarray, table: SearchTable) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the most likely fields of each voxel, best first.

    Parameters
    ----------
    signal : (E, V) complex array
    table : SearchTable

    Returns
    -------
    field_hz, r2star : (CANDIDATES, V) float32 arrays
        Local minima over the field of the residual, itself minimized over R2*; a voxel with fewer minima repeats
        its best.
    cost : (CANDIDATES, V) float32 array
        Residual sum of squares as a fraction of the signal's sum of squares.
    """
    first, second = table.pairs
    signal = np.asarray(signal, np.complex64)
    power = np.einsum("ev,ev->v", signal.real, signal.real) + np.einsum("ev,ev->v", signal.imag, signal.imag)
    scale = 1 / np.sqrt(np.maximum(power, np.finfo(np.float32).tiny))
    signal = signal * scale
    products = signal[first].conj() * signal[second]
    features = np.concatenate([products.real, products.imag, np.abs(signal) ** 2])
    best = None
    for index, pair_to_lag in enumerate(table.pair_to_lag):
        energy = (features.T @ pair_to_lag) @ table.lag_to_field
        if best is None:
            best, rate = energy, np.zeros(energy.shape, np.uint8)
        else:
            higher = energy > best
            best[higher] = energy[higher]
            rate[higher] = index
    count = table.field_hz.size
    peak = (best >= np.roll(best, 1, axis=1)) & (best > np.roll(best, -1, axis=1))
    peaks = np.where(peak, best, -1.0)
    voxels = np.arange(best.shape[0])[:, None]
    chosen = np.argpartition(-peaks, CANDIDATES, axis=1)[:, :CANDIDATES]
    chosen = np.take_along_axis(chosen, np.argsort(-peaks[voxels, chosen], axis=1), axis=1)
    chosen = np.where(peaks[voxels, chosen] < 0, chosen[:, :1], chosen)
    left, center, right = (best[voxels, (chosen + shift) % count] for shift in (-1, 0, 1))
    # Parabola through the three samples at a peak: its place and height between the grid fields.
    bend = np.maximum(2 * center - left - right, 1e-12)
    shift = np.clip((right - left) / (2 * bend), -0.5, 0.5)
    field = table.field_hz[chosen] + shift * (table.field_hz[1] - table.field_hz[0])
    cost = np.maximum(1 - (center + 0.5 * shift * (right - left) / 2), 0)
    return field.T.astype(np.float32), table.r2star[rate[voxels, chosen]].T.astype(np.float32), cost.T
