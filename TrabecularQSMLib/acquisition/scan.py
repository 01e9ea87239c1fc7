"""The multi-echo gradient-echo scan: echoes, echo times, field strength and geometry, checked once."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from ..errors import InputError, counted
from .orientation import (
    Reorientation,
    b0_direction,
    checked_affine,
    checked_direction,
    voxel_size,
)
from .strength import checked_field_strength

# Water, fat and field need as many. The last gradient echo lies between these times; those of s and ms do not overlap.
FEWEST_ECHOES, ECHO_TIMES_S = 3, (2e-4, 0.5)
# What a user gives lies between these.
GIVEN_ECHO_TIMES_S = (1e-4, ECHO_TIMES_S[1])
# Peaks of the magnitude beyond which its squares are no numbers of single precision.
_LEAST_PEAK, _MOST_PEAK = 1e-18, 1e18
# Share of an echo's peak that is signal, and of such voxels that another echo may leave at zero (opposed phase may, and
# fat that a bipolar read-out displaces, where there is no noise).
_BRIGHT, _ZEROS = 0.2, 0.1


@dataclass(frozen=True, eq=False)
class Acquisition:
    """One multi-echo gradient-echo scan.

    Parameters
    ----------
    echoes : (E, K, J, I) complex array
        Signal of every echo, stored as C-contiguous complex64. Positive phase slope means a higher frequency.
    echo_times : (E,) array
        Echo times in seconds, increasing.
    affine : (4, 4) array
        Voxel indices (i, j, k) to patient coordinates RAS in mm. Columns must be orthogonal (no shear).
    field_strength : float, optional
        Tesla. One of `field_strength` and `imaging_frequency` must be given; the other is derived.
    imaging_frequency : float, optional
        Hz.
    source : str
        What the scan was read from, as named in error messages.
    notes : tuple of str
        What a reader changed and a user should know, such as rescaled phase.
    b0_patient : (3,) array, optional
        Direction of B0 in patient coordinates RAS; if not given superior, as along a bore, with a note where magnets
        often have none.
    has_phase : bool
        Whether the phase was stored; without it `echoes` hold the magnitude as real part, and give no field.

    Raises
    ------
    InputError
        For anything that would give wrong numbers, in one sentence.
    """

    echoes: np.ndarray
    echo_times: np.ndarray
    affine: np.ndarray
    field_strength: float | None = None
    imaging_frequency: float | None = None
    source: str = "the acquisition"
    notes: tuple[str, ...] = ()
    b0_patient: tuple[float, float, float] | None = None
    has_phase: bool = True

    def __post_init__(self):
        put = partial(object.__setattr__, self)  # the dataclass is frozen
        echoes = np.asarray(self.echoes)
        echo_times = np.asarray([] if self.echo_times is None else self.echo_times, dtype=np.float64).ravel()
        _check_echoes(echoes, echo_times, self.source)
        _check_echo_times(echo_times, self.source)
        put("echoes", np.ascontiguousarray(echoes, dtype=np.complex64).view())
        put("echo_times", echo_times)
        put("affine", checked_affine(self.affine, self.source))
        strength, frequency = checked_field_strength(self.field_strength, self.imaging_frequency, self.source)
        put("field_strength", strength)
        put("imaging_frequency", frequency)
        direction, asked = checked_direction(self.b0_patient, strength, self.source)
        put("b0_patient", direction)
        put("notes", (*self.notes, *asked))
        for array in (self.echoes, self.echo_times, self.affine):
            array.flags.writeable = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along k, j and i."""
        return self.echoes.shape[1:]

    @property
    def voxel_size(self) -> tuple[float, float, float]:
        """Voxel size in mm along k, j and i."""
        return voxel_size(self.affine)

    @property
    def b0_direction(self) -> tuple[float, float, float]:
        """Unit vector of B0 along the array axes k, j and i: B0 in patient space through the direction cosines."""
        return b0_direction(self.affine, self.b0_patient)

    @property
    def reorientation(self) -> "Reorientation":
        """Permutation and flips to the closest RAS order, in which all numerics run."""
        return Reorientation.to_ras(self.affine, self.shape)


def _check_echoes(echoes, echo_times, source):
    if echoes.ndim != 4:
        raise InputError(
            f"The signal of {source} has {counted(echoes.ndim, 'dimension')}; expected four (echo, k, j, i), "
            "so give one volume per echo."
        )
    if echo_times.size == 0:
        raise InputError(f"{source} has no echo times; give one echo time in seconds for each echo.")
    if echoes.shape[0] != echo_times.size:
        raise InputError(
            f"{source} has {counted(echoes.shape[0], 'echo')} but {counted(echo_times.size, 'echo time')}; "
            "give one echo time for each echo, and check that the echo axis is the last one of a 4-D file."
        )
    if echoes.shape[0] < FEWEST_ECHOES:
        raise InputError(
            f"{source} has {counted(echoes.shape[0], 'echo')}; "
            "water–fat separation needs at least three, so acquire or select more echoes."
        )
    if 0 in echoes.shape:
        raise InputError(f"The volumes of {source} are empty (shape {echoes.shape[1:]}); check the export.")
    if not np.iscomplexobj(echoes):
        raise InputError(
            f"The signal of {source} is real ({echoes.dtype}); expected complex numbers, "
            "so join magnitude and phase to magnitude · exp(i phase)."
        )
    peaks = []
    for number, echo in enumerate(echoes, start=1):
        wrong = echo.size - int(np.count_nonzero(np.isfinite(echo)))
        if wrong:
            found = counted(wrong, "voxel that is not a number", "voxels that are not numbers")
            raise InputError(
                f"Echo {number} of {source} holds {found} (NaN or infinite); "
                "export the scan again or replace them by zero."
            )
        peaks.append(float(np.abs(echo).max()))
    if max(peaks) == 0:
        raise InputError(f"The magnitude of {source} is zero everywhere; check that the right series was exported.")
    if not _LEAST_PEAK < max(peaks) < _MOST_PEAK:
        raise InputError(
            f"The magnitude of {source} reaches {max(peaks):.3g}, whose square is no number of single precision; "
            "scale magnitude (or real and imaginary part) to around 1,000."
        )
    _check_signal_of_echoes(echoes, peaks, source)


def _check_signal_of_echoes(echoes, peaks, source):
    """Refuse an echo of zeros, or with zeros where its neighbors in time have signal: it was not exported whole."""
    last = len(peaks) - 1
    for number, peak in enumerate(peaks):
        if peak == 0:
            raise InputError(f"Echo {number + 1} of {source} is zero everywhere; export it again, or leave it out.")
        zeros = signal = 0
        beside = sorted({max(number - 1, 0), min(number + 1, last)} - {number})
        for k, plane in enumerate(echoes[number]):  # the copies stay small
            if np.all(plane):
                continue
            there = np.logical_and.reduce([np.abs(echoes[n][k]) > _BRIGHT * peaks[n] for n in beside])
            signal += int(np.count_nonzero(there))
            zeros += int(np.count_nonzero(there & (plane == 0)))
        if zeros > _ZEROS * signal:
            raise InputError(
                f"Echo {number + 1} of {source} is zero in {zeros / signal:.0%} of the voxels in which the echoes "
                "beside it have signal; export it again, or leave it out."
            )


def _check_echo_times(echo_times, source):
    if not np.all(np.isfinite(echo_times)) or np.any(echo_times <= 0):
        raise InputError(
            f"{source} has echo times {_listed(echo_times)} s; expected positive numbers, so correct the header."
        )
    if echo_times.max() > ECHO_TIMES_S[1]:
        unit, factor = ("milliseconds", 1000) if echo_times.max() <= 1e3 * ECHO_TIMES_S[1] else ("microseconds", 10**6)
        raise InputError(
            f"{source} has echo times {_listed(echo_times)} s, which look like {unit}; give seconds (divide by "
            f"{factor:,})."
        )
    if echo_times.max() < ECHO_TIMES_S[0]:
        raise InputError(
            f"{source} has echo times {_listed(echo_times)} s, far too short for a gradient echo; "
            "they look divided by 1,000 twice, so give seconds."
        )
    if np.ptp(echo_times) == 0 and echo_times.size > 1:
        raise InputError(
            f"{source} has one echo time, {echo_times[0]:g} s, for all {echo_times.size} echoes; "
            "give each echo its own."
        )
    if len(np.unique(echo_times)) < echo_times.size:
        times, counts = np.unique(echo_times, return_counts=True)
        raise InputError(
            f"{source} has {counts.max()} echoes at the echo time {times[counts.argmax()]:g} s; expected one at each, "
            "so correct the echo times, or leave out repeated echoes."
        )
    if np.any(np.diff(echo_times) <= 0):
        raise InputError(
            f"{source} has echo times {_listed(echo_times)} s, which do not increase; order the echoes by echo time."
        )


def _listed(echo_times):
    text = ", ".join(f"{x:g}" for x in echo_times[:4])
    return text + (", …" if len(echo_times) > 4 else "")
