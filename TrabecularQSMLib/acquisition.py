"""The multi-echo gradient-echo scan: echoes, echo times, field strength and geometry, checked once."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from .errors import InputError, counted
from .images import LARGEST_SHEAR, shear_degrees

GYROMAGNETIC_RATIO_HZ_PER_T = 42.577478518e6  # proton, CODATA 2018, not shielded
# Voxels of other sizes are in another unit.
_LEAST_MM, _MOST_MM = 0.01, 100.0
FIELD_STRENGTHS_T = (0.01, 30.0)
# Other units that are met, as how much of them one tesla or one hertz is.
_UNITS = {"T": {"gauss": 1e4, "mT": 1e3, "MHz": 1e-6 * GYROMAGNETIC_RATIO_HZ_PER_T}, "Hz": {"MHz": 1e-6, "kHz": 1e-3}}
# Water, fat and field need as many. The last gradient echo lies between these times; those of s and ms do not overlap.
FEWEST_ECHOES, ECHO_TIMES_S = 3, (2e-4, 0.5)
# Axes that are less than this off right angles, in degrees, are so by a header of few digits.
_ROUNDING = 1.0
PATIENT_SUPERIOR = (0.0, 0.0, 1.0)


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
    b0_patient : (3,) array
        Direction of B0 in patient coordinates RAS; superior for a scan along the bore.
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
    b0_patient: tuple[float, float, float] = PATIENT_SUPERIOR
    has_phase: bool = True

    def __post_init__(self):
        put = partial(object.__setattr__, self)  # the dataclass is frozen
        echoes = np.asarray(self.echoes)
        echo_times = np.asarray([] if self.echo_times is None else self.echo_times, dtype=np.float64).ravel()
        _check_echoes(echoes, echo_times, self.source)
        _check_echo_times(echo_times, self.source)
        put("echoes", np.ascontiguousarray(echoes, dtype=np.complex64).view())
        put("echo_times", echo_times)
        put("affine", _checked_affine(self.affine, self.source))
        strength, frequency = _field_strength(self.field_strength, self.imaging_frequency, self.source)
        put("field_strength", strength)
        put("imaging_frequency", frequency)
        put("b0_patient", _direction(self.b0_patient, self.source))
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


# Peaks of the magnitude beyond which its squares are no numbers of single precision.
_LEAST_PEAK, _MOST_PEAK = 1e-18, 1e18
# Share of an echo's peak that is signal, and of such voxels that another echo may leave at zero (opposed phase may, and
# fat that a bipolar read-out displaces, where there is no noise).
_BRIGHT, _ZEROS = 0.2, 0.1


# Where a measured field stands among the stages, its units, and what no tissue or air makes, in ppm.
FIELD_STAGES = ("total", "local")
FIELD_UNITS = ("ppm", "Hz", "rad/s")
# Those of tissue and air, in ppm; what is less than the former is below the noise of any scan.
_LEAST_PPM, _MOST_PPM = 5e-3, 50.0


def field_in_ppm(field: np.ndarray, unit: str, frequency: float | None, source: str) -> np.ndarray:
    """Return a field in ppm.

    Parameters
    ----------
    field : (K, J, I) array
    unit : {"ppm", "Hz", "rad/s"}
    frequency : float or None
        Imaging frequency in Hz, which ppm do not need.
    source : str
        Name for messages.

    Raises
    ------
    InputError
        If the unit is another, or the frequency is needed and not known.
    """
    if unit not in FIELD_UNITS:
        raise InputError(f"`field_unit` is {unit!r}; choose one of {', '.join(FIELD_UNITS)}.")
    if unit == "ppm":
        return np.asarray(field, np.float64)
    if frequency is None:
        raise InputError(
            f"{source} is in {unit} but says no field strength; give `field_strength` in tesla, or add "
            "MagneticFieldStrength to its JSON sidecar."
        )
    if not frequency > 0:
        raise InputError(
            f"{source} has an imaging frequency of {frequency:g} Hz; expected a positive one, so correct its sidecar."
        )
    return np.asarray(field, np.float64) * (1e6 / frequency / (2 * np.pi if unit == "rad/s" else 1.0))


@dataclass(frozen=True, eq=False)
class MeasuredField:
    """The field of a scan, measured by other software: what is left to do is background removal and inversion.

    Parameters
    ----------
    field : (K, J, I) array
        ppm of B0, positive where the frequency is higher. What is not finite was not measured.
    affine : (4, 4) array
        As that of `Acquisition`.
    stage : {"total", "local"}
        Whether the field still holds its background.
    magnitude : (K, J, I) array, optional
        For weights, edges and the body.
    field_strength, imaging_frequency : float, optional
        Tesla and Hz, where they are known.
    source, notes, b0_patient
        As those of `Acquisition`.

    Raises
    ------
    InputError
        For anything that would give wrong numbers, in one sentence.
    """

    field: np.ndarray
    affine: np.ndarray
    stage: str
    magnitude: np.ndarray | None = None
    field_strength: float | None = None
    imaging_frequency: float | None = None
    source: str = "the field"
    notes: tuple[str, ...] = ()
    b0_patient: tuple[float, float, float] = PATIENT_SUPERIOR

    def __post_init__(self):
        put = partial(object.__setattr__, self)  # the dataclass is frozen
        if self.stage not in FIELD_STAGES:
            raise InputError(f"A field is {self.stage!r}; choose one of {', '.join(FIELD_STAGES)}.")
        field = np.asarray(self.field)
        if field.ndim != 3 or np.iscomplexobj(field):
            raise InputError(f"{self.source} has the shape {field.shape[::-1]}; give one real volume.")
        finite = np.isfinite(field)
        known = finite & (field != 0)
        if not known.any():
            raise InputError(f"{self.source} is zero everywhere; give the field in ppm, Hz or rad/s.")
        most = float(np.percentile(np.abs(field[known]), 99))
        if not _LEAST_PPM < most < _MOST_PPM:
            raise InputError(
                f"{self.source} reaches {most:.4g} ppm; tissue and air make {_LEAST_PPM:g} to {_MOST_PPM:g}, so check "
                "its unit, and that it is a field, not a phase."
            )
        put("field", np.where(finite, field, 0).astype(np.float32))
        put("known", known)
        put("affine", _checked_affine(self.affine, self.source))
        if self.magnitude is not None:
            magnitude = np.asarray(self.magnitude)
            if magnitude.shape != field.shape or not np.all(np.isfinite(magnitude)) or not np.any(magnitude > 0):
                raise InputError(
                    f"The magnitude of {self.source} has {magnitude.shape[::-1]} voxels (the field "
                    f"{field.shape[::-1]}), or is not finite, or zero; give one on the field's grid."
                )
            put("magnitude", np.abs(magnitude).astype(np.float32))
        if self.field_strength is not None or self.imaging_frequency is not None:
            strength, frequency = _field_strength(self.field_strength, self.imaging_frequency, self.source)
            put("field_strength", strength)
            put("imaging_frequency", frequency)
        put("b0_patient", _direction(self.b0_patient, self.source))

    @property
    def has_phase(self) -> bool:
        """True: a field is made of phase."""
        return True

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along k, j and i."""
        return self.field.shape

    @property
    def reorientation(self) -> "Reorientation":
        """Permutation and flips to the closest RAS order, in which all numerics run."""
        return Reorientation.to_ras(self.affine, self.shape)


def _direction(b0_patient, source) -> tuple[float, float, float]:
    try:
        direction = np.asarray(b0_patient, dtype=np.float64).ravel()
    except (TypeError, ValueError):
        direction = np.empty(0)
    if direction.shape != (3,) or not np.all(np.isfinite(direction)) or not direction.any():
        raise InputError(
            f"The B0 direction of {source} is {b0_patient}; give three numbers R A S that are not all zero."
        )
    direction = direction / np.abs(direction).max()  # squares of any numbers are numbers then
    return tuple(float(x) for x in direction / np.linalg.norm(direction))


def voxel_size(affine: np.ndarray) -> tuple[float, float, float]:
    """Voxel size in mm along k, j and i of an affine (i, j, k → RAS)."""
    return tuple(float(x) for x in np.linalg.norm(affine[:3, :3], axis=0)[::-1])


def b0_direction(affine: np.ndarray, b0_patient=PATIENT_SUPERIOR) -> tuple[float, float, float]:
    """Unit vector along the array axes k, j and i of a direction in patient space RAS."""
    cosines = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    return tuple(float(x) for x in (cosines.T @ np.asarray(b0_patient))[::-1])


@dataclass(frozen=True)
class Reorientation:
    """Permutation and flips of the axes k, j, i that bring an array to the closest RAS order, and back.

    Storage order and flips of the input thus never change a result.
    """

    order: tuple[int, int, int]
    flips: tuple[bool, bool, bool]
    shape: tuple[int, int, int]

    @classmethod
    def to_ras(cls, affine: np.ndarray, shape: tuple[int, int, int]) -> "Reorientation":
        """Find the reorientation for an affine of (i, j, k) and an array of `shape` (k, j, i)."""
        cosines = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
        # The assignment of voxel axes to R, A, S with the largest sum of |cosines|; greedy choices can clash at 45°.
        permutations = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
        best = max(permutations, key=lambda p: sum(abs(cosines[row, column]) for row, column in enumerate(p)))
        flip_of_ras = [bool(cosines[row, column] < 0) for row, column in enumerate(best)]
        # `best` names the voxel axis (i=0, j=1, k=2) that becomes R, A, S; arrays are (S, A, R) = (k, j, i).
        order = tuple(2 - best[row] for row in (2, 1, 0))
        return cls(order, tuple(flip_of_ras[row] for row in (2, 1, 0)), tuple(shape))

    def apply(self, array: np.ndarray) -> np.ndarray:
        """Bring an array whose last three axes are k, j, i to RAS order (a view)."""
        lead = array.ndim - 3
        array = array.transpose(*range(lead), *(lead + axis for axis in self.order))
        return array[(..., *(slice(None, None, -1 if flip else 1) for flip in self.flips))]

    def undo(self, array: np.ndarray) -> np.ndarray:
        """Put an array in RAS order back to the input's order, C-contiguous."""
        lead = array.ndim - 3
        array = array[(..., *(slice(None, None, -1 if flip else 1) for flip in self.flips))]
        return np.ascontiguousarray(array.transpose(*range(lead), *(lead + int(a) for a in np.argsort(self.order))))

    def apply_affine(self, affine: np.ndarray) -> np.ndarray:
        """Affine (i, j, k → RAS) of an array after `apply`."""
        result = np.eye(4)
        origin = affine[:3, 3].copy()
        for new_axis, (old_axis, flip) in enumerate(zip(self.order, self.flips, strict=True)):
            column = affine[:3, 2 - old_axis]
            if flip:
                origin += column * (self.shape[old_axis] - 1)
            result[:3, 2 - new_axis] = -column if flip else column
        result[:3, 3] = origin
        return result


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


def _checked_affine(affine, source):
    affine = np.array(affine, dtype=np.float64)
    if affine.shape != (4, 4) or not np.all(np.isfinite(affine)):
        raise InputError(f"{source} has no usable geometry; give a 4×4 matrix from voxel indices to RAS in mm.")
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if np.any(spacing <= 0):
        raise InputError(
            f"{source} has voxels of size {tuple(spacing)} mm; sizes must be positive, so correct the header."
        )
    if spacing.min() < _LEAST_MM or spacing.max() > _MOST_MM:
        listed = " × ".join(f"{x:.4g}" for x in spacing)
        raise InputError(
            f"{source} has voxels of {listed} mm; expected {_LEAST_MM:g} to {_MOST_MM:g} mm, so check the unit of its "
            "header (mm, not m or µm)."
        )
    shear = shear_degrees(affine)
    if shear > LARGEST_SHEAR:
        cause = "as by rounding in its header; write the geometry again with more digits" if shear < _ROUNDING else (
            "as after a tilted gantry or an affine registration; resample it to a rectangular grid"
        )  # fmt: skip
        raise InputError(
            f"The voxel axes of {source} are {shear:.2g}° off right angles ({LARGEST_SHEAR:g}° are allowed), {cause}."
        )
    return affine


def _field_strength(strength, frequency, source):
    given = [x for x in (strength, frequency) if x is not None]
    if not given:
        raise InputError(
            f"{source} says neither field strength nor imaging frequency; give `field_strength`, or add "
            "MagneticFieldStrength in tesla to its header."
        )
    if not all(np.isfinite(x) and x > 0 for x in given):
        raise InputError(
            f"{source} has field strength {strength} T and imaging frequency {frequency} Hz; expected positive numbers."
        )
    for name, value, unit, least, most in (
        ("field strength", strength, "T", *FIELD_STRENGTHS_T),
        ("imaging frequency", frequency, "Hz", *(t * GYROMAGNETIC_RATIO_HZ_PER_T for t in FIELD_STRENGTHS_T)),
    ):
        if value is not None and not least <= value <= most:
            # The usual one of the values that it would have in other units.
            fits = [(abs(np.log(value / factor / (0.1 * most))), other, value / factor) for other, factor
                    in _UNITS[unit].items() if value > 0 and least <= value / factor <= most]  # fmt: skip
            guess = f" (if it is in {min(fits)[1]}, that would be {min(fits)[2]:.4g} {unit})" if fits else ""
            raise InputError(
                f"{source} has the {name} {value:.9g} {unit}; expected {least:.3g} to {most:.3g} {unit}, so "
                f"check its unit{guess}."
            )
    if strength is None:
        strength = frequency / GYROMAGNETIC_RATIO_HZ_PER_T
    if frequency is None:
        frequency = strength * GYROMAGNETIC_RATIO_HZ_PER_T
    if abs(frequency / (strength * GYROMAGNETIC_RATIO_HZ_PER_T) - 1) > 0.05:
        raise InputError(
            f"{source} has a field strength of {strength:g} T, at which protons have "
            f"{1e-6 * strength * GYROMAGNETIC_RATIO_HZ_PER_T:.4g} MHz, but an imaging frequency of "
            f"{1e-6 * frequency:.4g} MHz; correct one of them."
        )
    return float(strength), float(frequency)
