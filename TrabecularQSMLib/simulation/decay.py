"""The signal of imaging voxels over the echo times, and the R2′ of its decay, as a scan would fit it."""

import numpy as np
import scipy.fft

from ..acquisition import GYROMAGNETIC_RATIO_HZ_PER_T
from ..errors import InputError
from ..fieldmap.fat_models import FAT_MODELS
from ..kernels import block_means
from ..methods import Method
from .settings import DecaySettings
from .transfer import offsets

# Of the histogram of a whole region: how far a bin turns in rad, which sums its signal to 1e-5, and how many there are.
_BIN_TURN, _FEWEST_BINS, _MOST_BINS = 0.002, 1 << 10, 1 << 17
_MOST_STEPS = 100
_TOLERANCE = 1e-9  # of the complex rate, as a part of one over the length of the train


def voxel_signals(
    field: np.ndarray,
    bone: np.ndarray,
    decay: DecaySettings,
    *,
    field_strength: float,
    delta_chi: float = 1.0,
    edge: int | tuple[int, int, int] | None = None,
) -> np.ndarray:
    """Return the echoes of the imaging voxels of a region, without noise.

    Parameters
    ----------
    field : (K, J, I) array
        ppm for each ppm of Δχ, such as from `FieldModel.field`; in the bone too, where bone has a signal.
    bone : (K, J, I) bool array
        Where bone is; all else is marrow.
    decay : DecaySettings
        Echo times, tissue and point spread.
    field_strength : float
        T.
    delta_chi : float
        χ of bone − χ of marrow, ppm.
    edge : int or (3,) ints, optional
        Of an imaging voxel along k, j, i, in voxels of the simulation. The whole region is one voxel by default.

    Returns
    -------
    (E, K′, J′, I′) complex128 array
        Of the imaging voxels that lie wholly in the region; 1 is a voxel of marrow at time zero.

    Notes
    -----
    ``s(t) = Σ_x p(x) [m(x) M(t) + b(x) ρ e^(−t/T2)] e^(2πi f(x) t)`` with the share of marrow m and bone b of each
    simulated voxel, ``M(t) = 1 − F + F c(t)`` of water and the fat spectrum c, and the field f in Hz. The point spread
    p is the mean over the imaging voxel (``"box"``), or what a scanner makes that samples k-space as far as the imaging
    voxel needs (``"sinc"``), with a Hann window (``"hann"``); those two take the region for one that repeats. Spins do
    not diffuse, and marrow has no decay of its own: it would add to R2′.
    """
    edges = tuple(np.broadcast_to(field.shape if edge is None else edge, 3).tolist())
    if any(not 1 <= e <= n for e, n in zip(edges, field.shape, strict=True)):
        raise InputError(f"Imaging voxels of {edges} voxels do not fit the region of {field.shape}; give smaller ones.")
    hz_per_ppm = GYROMAGNETIC_RATIO_HZ_PER_T * field_strength * 1e-6
    times = np.asarray(decay.echo_times)
    marrow, hard = _tissue_signals(decay, field_strength)
    whole = tuple(slice(0, n // e * e) for n, e in zip(field.shape, edges, strict=True))
    turning = field[whole] * np.float32(2 * np.pi * hz_per_ppm * delta_chi)
    bone = bone[whole] != 0
    if edges == field.shape and decay.point_spread == "box":
        shares = marrow * _mean_turn(turning[~bone], times), hard * _mean_turn(turning[bone], times)
        part = np.count_nonzero(bone) / bone.size
        return ((1 - part) * shares[0] + part * shares[1])[:, None, None, None]
    echoes = []
    for time, soft_now, hard_now in zip(times, marrow, hard, strict=True):
        phase = turning * np.float32(time)
        signal = np.where(bone, np.complex64(hard_now), np.complex64(soft_now))
        turn = np.empty(phase.shape, np.complex64)
        np.cos(phase, out=turn.real)
        np.sin(phase, out=turn.imag)
        signal *= turn
        echoes.append(_seen(signal, edges, decay.point_spread))
    return np.array(echoes)


def fit_decay(signals: np.ndarray, decay: DecaySettings, *, field_strength: float) -> tuple[np.ndarray, np.ndarray]:
    """Fit one decay and one field to the echoes of each voxel.

    Parameters
    ----------
    signals : (E, …) complex array
        From `voxel_signals`, with noise or without.
    decay : DecaySettings
        Echo times, and the marrow, which is known.
    field_strength : float
        T, at which fat turns.

    Returns
    -------
    rate : (…) float64 array
        R2′ in 1/s.
    amplitude : (…) float64 array
        Size of the signal at time zero, of the fit.

    Notes
    -----
    ``A M(t) e^((2πi f − R2′) t)`` by least squares over the complex echoes, which is what the R2* of a scan is but for
    the marrow's own decay, and for water and fat, which a scan must tell first. A is linear and eliminated (variable
    projection, Golub & Pereyra 1973); Gauss–Newton in the complex rate, with shorter steps where one goes too far.
    """
    times, lead = np.asarray(decay.echo_times), signals.shape[1:]
    signal = signals.reshape(times.size, -1)
    marrow = _tissue_signals(decay, field_strength)[0][:, None]
    time = (times - times[0])[:, None]
    rate = _first_guess(signal, marrow, time)
    step = np.ones(rate.size)
    amplitude, cost, slope = _projected(signal, marrow, time, rate)
    for _ in range(_MOST_STEPS):
        trial = rate + step * slope
        found = _projected(signal, marrow, time, trial)
        better = found[1] <= cost
        rate = np.where(better, trial, rate)
        amplitude, cost, slope = (
            np.where(better, new, old) for new, old in zip(found, (amplitude, cost, slope), strict=True)
        )
        step = np.where(better, np.minimum(2 * step, 1), step / 4)
        if np.all(np.abs(step * slope) * time[-1] < _TOLERANCE):
            break
    at_zero = np.abs(amplitude) * np.exp(-rate.real * times[0])
    return -rate.real.reshape(lead), at_zero.reshape(lead)


def decay_rate(
    field: np.ndarray,
    bone: np.ndarray,
    decay: DecaySettings,
    *,
    field_strength: float,
    delta_chi: float = 1.0,
    edge: int | tuple[int, int, int] | None = None,
    seed: int | tuple[int, ...] = 0,
) -> float | None:
    """Return the region's R2′ in 1/s: the mean of its imaging voxels, each weighted by its first echo.

    Parameters
    ----------
    field, bone, decay, field_strength, delta_chi, edge
        As for `voxel_signals`.
    seed : int or sequence of ints
        Of the noise; the same seed gives the same noise.

    Returns
    -------
    float or None
        None where there is no marrow.
    """
    if np.all(bone):
        return None
    signals = voxel_signals(field, bone, decay, field_strength=field_strength, delta_chi=delta_chi, edge=edge)
    if decay.snr is not None:
        noise = np.random.default_rng(np.random.SeedSequence(seed)).normal(size=(2, *signals.shape)) / decay.snr
        signals += noise[0] + 1j * noise[1]
    rate, _ = fit_decay(signals, decay, field_strength=field_strength)
    return float(np.average(rate, weights=np.abs(signals[0])))


def _tissue_signals(decay, field_strength):
    """Signal of marrow and of bone at the echo times, (E,) each."""
    times = np.asarray(decay.echo_times)
    fat = FAT_MODELS[decay.fat_model].signal(times, GYROMAGNETIC_RATIO_HZ_PER_T * field_strength)
    return 1 - decay.fat_fraction + decay.fat_fraction * fat, decay.bone_signal * np.exp(-times / decay.bone_t2)


def _mean_turn(turning, times):
    """Mean of e^(iωt) over values of ω in rad/s, by a histogram: one turn for each bin and time, not for each voxel."""
    if turning.size == 0:
        return np.zeros(times.size)
    bins = np.clip(np.ceil(np.ptp(turning) * times[-1] / _BIN_TURN), _FEWEST_BINS, _MOST_BINS)
    # In single precision numpy finds no bins in a field that is nearly uniform.
    counts, edges = np.histogram(turning.astype(np.float64), bins=int(bins))
    within = np.sinc(times * (edges[1] - edges[0]) / (2 * np.pi))  # what is spread evenly over a bin
    return within * (np.exp(1j * np.outer(times, (edges[1:] + edges[:-1]) / 2)) @ counts) / turning.size


def _seen(signal, edges, point_spread):
    """Signals of imaging voxels, of those of the simulated ones."""
    if point_spread == "box":
        return block_means(signal, edges, np.complex128)
    spectrum = scipy.fft.fftn(signal)
    for axis, (n, edge) in enumerate(zip(signal.shape, edges, strict=True)):
        kept = n // edge
        order = offsets(kept)
        spectrum = spectrum.take(order % n, axis)
        if point_spread == "hann":
            window = (0.5 + 0.5 * np.cos(2 * np.pi * order / kept)).astype(np.float32)
            spectrum *= window.reshape([-1 if other == axis else 1 for other in range(3)])
    return scipy.fft.ifftn(spectrum.astype(np.complex128), norm="forward") / signal.size


def _first_guess(signal, marrow, time):
    """Complex rate of a line through the logarithm of the echoes, strong ones counting more."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = signal / marrow
        weight = np.abs(signal) ** 2
        logarithm = np.log(np.abs(ratio)) + 1j * np.unwrap(np.angle(ratio), axis=0)
        logarithm, weight = np.where(np.isfinite(logarithm), logarithm, 0), np.where(np.isfinite(logarithm), weight, 0)
        middle = (weight * time).sum(axis=0) / weight.sum(axis=0)
        guess = (weight * (time - middle) * logarithm).sum(axis=0) / (weight * (time - middle) ** 2).sum(axis=0)
    return np.where(np.isfinite(guess), guess, 0)


def _projected(signal, marrow, time, rate):
    """Amplitude, cost and Gauss–Newton step at complex rates."""
    shape = marrow * np.exp(time * rate)
    energy = (np.abs(shape) ** 2).sum(axis=0)
    amplitude = (shape.conj() * signal).sum(axis=0) / energy
    left = signal - amplitude * shape
    moved = time * shape
    moved = amplitude * (moved - shape * (shape.conj() * moved).sum(axis=0) / energy)
    bent = (np.abs(moved) ** 2).sum(axis=0)
    step = (moved.conj() * left).sum(axis=0) / np.where(bent > 0, bent, 1)
    return amplitude, (np.abs(left) ** 2).sum(axis=0), step


METHOD = Method(
    decay_rate,
    title="R2′ of the decay",
    solves="complex exponential fitted to the summed signal of each imaging voxel over the echo times",
    test="test_simulation_decay.RateTest",
    reference="Yablonskiy & Haacke, MRM 1994, doi 10.1002/mrm.1910320610",
)
