"""What is called what in MATLAB files: each packing of a scan, or of a field, to values of one kind."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from ..errors import InputError
from .phase import polar_to_complex

# MEDI's toolbox and SEPIA save plain variables under these names; of those on one line the first that is there counts.
_MAGNITUDE = ("magn", "mag", "Mag", "magnitude", "Magnitude", "iMag")
_PHASE = ("phase", "Phase", "ph", "iPhase")
_VOXEL_SIZE = ("voxel_size", "voxelSize", "voxelsize", "vox")
_TESLA = ("B0_mag", "B0")
# What tells of the scan may lie in a struct beside its images, such as `params`.
PARAMETERS = ("TE", "delta_TE", "B0_dir", "CF", *_VOXEL_SIZE, *_TESLA)
VARIABLES = ("iField", "matrix_size", "matrixSize", "iFreq", "RDF", "Mask", *_MAGNITUDE, *_PHASE, *PARAMETERS)
# Spacings of echoes that differ by less than this are the same. Fields bend alike with such a correlation over so many
# voxels, and are of one unit if one is this many times the other or more.
_SAME_SPACING, _ALIKE, _FEWEST, _LEAST_FACTOR = 0.02, 0.8, 500, 0.4
_MOST_SPACING_S = 0.2
# The toolbox's variables of a field, radians in the time between two echoes.
FIELDS = {"total": "iFreq", "local": "RDF"}


@dataclass(frozen=True, eq=False)
class Contents:
    """What a file holds of a scan.

    `values` are arguments of `Acquisition`, `voxel_size` is in mm along i, j, k, `orientation` a word of the authors',
    `b0_axes` the direction of B0 along i, j, k; None stands for what is not stored.
    """

    values: dict
    voxel_size: np.ndarray | None
    orientation: str | None = None
    b0_axes: tuple[float, float, float] | None = None
    notes: list[str] = field(default_factory=list)


def _authors(name, struct, echo_times):
    """Values of the authors' struct: signal (i, j, k, echo), TE_s, centerFreq_Hz, fieldStrength_T, voxelSize_mm."""
    notes = []
    times = _echo_times(name, struct, "TE_s", echo_times, notes)
    values = {
        "echoes": _in_order(_signal(name, struct, "signal"), times, name, "signal"),
        "echo_times": times,
        "field_strength": _number(name, struct, "fieldStrength_T"),
        "imaging_frequency": _number(name, struct, "centerFreq_Hz"),
    }
    return Contents(values, _size(name, struct, "voxelSize_mm"), _text(struct, "orientation"), notes=notes)


def _toolbox(name, struct, echo_times):
    """Values of the toolbox's struct: images (x, y, z, coil, echo), TE, FieldStrength, PrecessionIsClockwise."""
    notes = []
    times = _echo_times(name, struct, "TE", echo_times, notes)
    images = _signal(name, struct, "images")
    if images.ndim == 5:
        if images.shape[3] != 1:
            raise _coils(name, images.shape[3])
        images = images[:, :, :, 0]
    echoes = _in_order(images, times, name, "images", "five (x, y, z, coil, echo)")
    clockwise = _number(name, struct, "PrecessionIsClockwise")
    if clockwise is not None and clockwise <= 0:
        echoes = echoes.conj()
        notes.append(f"{name} says that precession is not clockwise: the phase was negated.")
    values = {
        "echoes": echoes,
        "echo_times": times,
        "field_strength": _number(name, struct, "FieldStrength"),
    }
    return Contents(values, _size(name, struct, "voxelSize"), _text(struct, "orientation"), notes=notes)


def _medi(name, variables, echo_times):
    """Values of MEDI's variables: iField (x, y, z, echo), TE in s, CF in Hz, voxel_size in mm, B0_dir along x, y, z."""
    signal = _signal(name, variables, "iField")
    if signal.ndim == 5:
        raise _coils(name, signal.shape[4])
    notes = [f"The phase of iField in {name} was negated: as MEDI saves it, it falls where the frequency is higher."]
    times = _plain_times(name, variables, echo_times, notes)
    return _plain(name, variables, times, _in_order(signal, times, name, "iField").conj(), notes)


def _polar(name, variables, echo_times):
    """Values of plain variables: magnitude and phase (x, y, z, echo), and the others as MEDI and SEPIA call them."""
    parts = [_first(variables, names) for names in (_MAGNITUDE, _PHASE)]
    if None in parts:
        fields = [stage for stage, variable in FIELDS.items() if variable in variables]
        lacks, called = ("magnitude", _MAGNITUDE) if parts[0] is None else ("phase of the echoes", _PHASE)
        raise InputError(
            f"{name} holds {next(filter(None, parts))} but no {lacks} (by a name such as {', '.join(called[:4])}); "
            f"save it so with the other, or iField{f', or start from its {fields[-1]} field' if fields else ''}."
        )
    notes = []
    times = _plain_times(name, variables, echo_times, notes)
    magnitude, phase = (_in_order(_real(name, variables, part), times, name, part) for part in parts)
    if magnitude.shape != phase.shape:
        raise InputError(
            f"{parts[0]} of {name} has the shape {variables[parts[0]].shape} but {parts[1]} "
            f"{variables[parts[1]].shape}; expected one of each for every echo."
        )
    signal = np.empty(magnitude.shape, np.complex64)
    signal.real, signal.imag = magnitude, phase
    notes += filter(None, [polar_to_complex(signal, name)])
    return _plain(name, variables, times, signal, notes)


def _real(name, variables, part):
    image = variables[part]
    if not isinstance(image, np.ndarray) or image.dtype.kind not in "fiu":
        raise InputError(f"{part} of {name} is not an array of real numbers; save magnitude and phase as such.")
    return image


def _plain_times(name, variables, echo_times, notes):
    if echo_times is None and "TE" not in variables and "delta_TE" in variables:
        raise InputError(
            f"{name} stores the spacing of its echoes (delta_TE) but no TE, and fat and R2* need the first as well; "
            "give all with `echo_times`."
        )
    times = _echo_times(name, variables, "TE", echo_times, notes)
    notes += _on_spacing(name, variables, times)
    return times


def _on_spacing(name, variables, times):
    """Say if the spacing of echoes that is stored is another one than that of their times (s)."""
    spacing = _number(name, variables, "delta_TE")
    if spacing is None or times is None or len(times) < 2:
        return []
    steps = np.diff(times)
    if any(abs(step - spacing) <= _SAME_SPACING * abs(step) for step in (*steps, steps.mean())):
        return []
    return [
        f"delta_TE of {name} is {1e3 * spacing:.4g} ms, but its echo times lie {1e3 * steps[0]:.4g} ms apart: one "
        "of both is of another scan or in another unit. Echoes go by the times, fields by delta_TE, and χ is off by as "
        "much as this is wrong."
    ]


def _plain(name, variables, times, signal, notes):
    """Contents of plain variables beside the signal (echo, k, j, i) and its echo times."""
    _check_matrix(name, variables, signal.shape[:0:-1])
    values = {
        "echoes": signal,
        "echo_times": times,
        "field_strength": _number(name, variables, _first(variables, _TESLA)),
        "imaging_frequency": _number(name, variables, "CF"),
    }
    size = _size(name, variables, _first(variables, _VOXEL_SIZE))
    return Contents(values, size, b0_axes=_b0_axes(name, variables), notes=notes)


def with_parameters(variables: dict) -> dict:
    """Return plain variables with what structs beside them tell of the scan and they do not."""
    beside = {}
    for value in variables.values():
        if isinstance(value, dict):
            beside |= {key: one for key, one in value.items() if key in PARAMETERS and key not in beside}
    return {**beside, **variables}


def header_contents(name: str, variables: dict, shape) -> dict | None:
    """Return what SEPIA's header says of images (echoes, k, j, i), as a sidecar says it; None if it is of others."""
    times = _numbers(name, variables, "TE")
    if len(times) != shape[0]:
        return None
    _check_matrix(name, variables, shape[:0:-1])
    frequency = _number(name, variables, "CF")
    found = {
        "EchoTime": times.tolist(),
        "MagneticFieldStrength": _number(name, variables, _first(variables, _TESLA)),
        "ImagingFrequency": frequency and 1e-6 * frequency,
    }
    return {key: value for key, value in found.items() if value is not None}


# How a struct or a variable is called to how its packing is read.
STRUCTS: dict[str, Callable] = {"ImDataParams": _authors, "imDataParams": _toolbox}
PLAIN: dict[str, Callable] = {"iField": _medi, **dict.fromkeys((*_PHASE, *_MAGNITUDE), _polar)}


@dataclass(frozen=True, eq=False)
class FieldContents:
    """A field (i, j, k) in ppm and, as far as stored, magnitude, imaging frequency and geometry as in `Contents`."""

    field: np.ndarray
    magnitude: np.ndarray | None
    imaging_frequency: float
    voxel_size: np.ndarray
    b0_axes: tuple[float, float, float] | None
    variable: str
    notes: tuple[str, ...] = ()


def field_contents(name: str, variables: dict, stage: str) -> FieldContents:
    """Return the field of MEDI's variables: its total field iFreq or its local field RDF, zero outside of its Mask.

    Raises
    ------
    InputError
        If it is not there, or what turns it into ppm is not.
    """
    variable = FIELDS[stage]
    values = variables[variable]
    if not isinstance(values, np.ndarray) or values.ndim not in (2, 3) or values.dtype.kind != "f":
        raise InputError(f"{variable} of {name} is not one real volume (x, y, z); give the {stage} field as NIfTI.")
    given = {
        "delta_TE": _number(name, variables, "delta_TE"),
        "CF": _number(name, variables, "CF"),
        "voxel_size": _size(name, variables, _first(variables, _VOXEL_SIZE)),
    }
    missing = [key for key, value in given.items() if value is None or np.any(np.asarray(value) <= 0)]
    if missing:
        raise InputError(
            f"{name} holds {variable}, radians in the time between echoes, but no {' and no '.join(missing)}; save "
            "these with it, or give the field as NIfTI."
        )
    if given["delta_TE"] > _MOST_SPACING_S:
        raise InputError(
            f"delta_TE of {name} is {given['delta_TE']:g} s, which looks like milliseconds; save it in seconds."
        )
    values = _volume(values)
    _check_matrix(name, variables, values.shape)
    notes = (*_on_spacing(name, variables, _numbers(name, variables, "TE")), *_on_both_fields(name, variables))
    inside = variables.get("Mask")
    if isinstance(inside, np.ndarray) and _volume(inside).shape == values.shape:
        values = np.where(_volume(inside) > 0.5, values, 0.0)
    magnitude = variables.get("iMag")
    fits = isinstance(magnitude, np.ndarray) and _volume(magnitude).shape == values.shape
    return FieldContents(
        values * (1e6 / (2 * np.pi * given["delta_TE"] * given["CF"])),
        _volume(magnitude) if fits else None,
        given["CF"],
        given["voxel_size"],
        _b0_axes(name, variables),
        variable,
        notes,
    )


def _on_both_fields(name, variables):
    """Say if total and local field, which bend alike as the background has no sources inside, are not of one unit."""
    fields = [_volume(variables[one]) for one in FIELDS.values() if isinstance(variables.get(one), np.ndarray)]
    if len(fields) < 2 or fields[0].shape != fields[1].shape or fields[0].ndim != 3 or min(fields[0].shape) < 3:
        return []
    total, local = (np.nan_to_num(one.astype(np.float64)) for one in fields)
    known = ndimage.binary_erosion((total != 0) & (local != 0))
    bent = [ndimage.laplace(one)[known] for one in (total, local)]
    within = np.abs(bent[0]) < np.pi  # beyond, the total field is wrapped
    total, local = (one[within] for one in bent)
    if total.size < _FEWEST or not total.any() or not local.any():
        return []
    factor, back = float(total @ local / (total @ total)), float(total @ local / (local @ local))
    if factor * back < _ALIKE**2 or _LEAST_FACTOR < factor < 1 / _LEAST_FACTOR:
        return []
    return [
        f"{FIELDS['local']} of {name} bends as {FIELDS['total']} does, but {factor:.3g} times as strongly: one of both "
        "is in another unit or of the other sign (radians in the time between echoes are meant), and χ is off by as "
        "much if it is this one."
    ]


def _volume(array):
    return array[:, :, None] if array.ndim == 2 else array


def _in_order(signal, times, name, what, expected="four (i, j, k, echo)"):
    """Echoes (E, K, J, I) of a signal (i, j, k, echo), or (i, j, echo) of one slice."""
    if signal.ndim == 3 and times is not None and signal.shape[2] == len(times):
        signal = signal[:, :, None]
    if signal.ndim != 4:
        raise InputError(
            f"{name} has {signal.ndim} axes in {what}; expected {expected}, or three (i, j, echo) for one slice."
        )
    return signal.transpose(3, 2, 1, 0)


def _check_matrix(name, variables, shape):
    key = _first(variables, ("matrix_size", "matrixSize"))
    stored = _numbers(name, variables, key)
    if stored is not None and stored.size and tuple(stored[:3]) != tuple(map(float, shape))[: stored.size]:
        here, there = (" × ".join(f"{n:g}" for n in sizes) for sizes in (shape, stored))
        raise InputError(
            f"{name} holds {here} voxels but its {key} is {there}; axes may have been interchanged, so save it again."
        )


def _b0_axes(name, variables):
    direction = _numbers(name, variables, "B0_dir")
    if direction is None or not direction.size:
        return None
    if direction.size != 3 or not np.all(np.isfinite(direction)) or not np.any(direction):
        raise InputError(f"B0_dir of {name} is {direction.tolist()}; expected three numbers along x, y, z.")
    return tuple(direction.tolist())


def _first(variables, names):
    return next((name for name in names if name in variables), None)


def _coils(name, number):
    return InputError(f"{name} has the images of {number} coils; combine the coils first, with phase, to one image.")


def _echo_times(name, struct, field, given, notes):
    """Echo times in seconds: those given, or those of the struct."""
    stored = _numbers(name, struct, field)
    if given is None:
        return stored
    if stored is not None and stored.size and (len(stored) != len(given) or not np.allclose(stored, given, rtol=1e-3)):
        listed = ", ".join(f"{1e3 * time:.4g}" for time in stored)
        notes.append(f"{name} says echo times of {listed} ms; those of `echo_times` are taken.")
    return np.asarray(given, dtype=float)


def _signal(name, struct, field):
    _refuse_other_kinds(name, struct, field)
    array = struct.get(field)
    if array is None:
        raise InputError(f"{name} has no field {field!r}; expected the complex signal of all echoes there.")
    if not np.iscomplexobj(array):
        raise InputError(
            f"The field {field!r} of {name} is not complex; expected the complex signal, so keep the phase."
        )
    return array


def _refuse_other_kinds(name, struct, field):
    """Refuse a field that is there but holds what is not read, such as a cell array."""
    if field in struct and struct[field] is None:
        raise InputError(
            f"The field {field!r} of {name} is no array of numbers as MATLAB stores them but of another kind, such as "
            "a cell or an array of structs; save it as one array (in MATLAB by cell2mat or cat)."
        )


def _numbers(name, struct, field):
    _refuse_other_kinds(name, struct, field)
    values = struct.get(field)
    if values is None:
        return None
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiub":
        raise InputError(f"The field {field!r} of {name} does not hold numbers; correct it in MATLAB.")
    return np.asarray(values, dtype=float).ravel()


def _number(name, struct, field):
    values = _numbers(name, struct, field)
    if values is None or values.size == 0:
        return None
    if values.size != 1:
        raise InputError(f"The field {field!r} of {name} holds {values.size} numbers; expected one.")
    return float(values[0])


def _size(name, struct, field):
    values = _numbers(name, struct, field)
    if values is None or values.size == 0:
        return None
    if values.size != 3 or not np.all(values > 0):
        raise InputError(
            f"The field {field!r} of {name} is {values.tolist()}; expected three positive sizes in mm (i, j, k)."
        )
    return values


def _text(struct, field):
    value = struct.get(field)
    return value.strip() or None if isinstance(value, str) else None
