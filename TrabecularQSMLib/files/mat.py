"""MATLAB files: the authors' ``ImDataParams`` and the ISMRM fat–water toolbox's ``imDataParams``.

Those of version 7.3 are HDF5 files, which the optional h5py reads.
"""

import importlib.util
from pathlib import Path

import numpy as np

from ..acquisition import PATIENT_SUPERIOR, Acquisition
from ..errors import InputError, PackageNeeded
from .apart import read_arrays
from .formats import first_bytes, kind_of
from .matlab import read_variables
from .scan import Scan, check_voxel_size, checked_label, field_strength_of

# Directions of the array axes i, j, k in RAS (columns) for each `orientation` of the authors' struct.
_ORIENTATIONS = {
    "sag": ((0, 0, 1), (0, -1, 0), (-1, 0, 0)),
    "cor": ((0, -1, 0), (0, 0, -1), (-1, 0, 0)),
    "tra": ((0, -1, 0), (-1, 0, 0), (0, 0, 1)),
}
_VARIABLES = ("ImDataParams", "imDataParams")
_HDF5 = b"\x89HDF\r\n\x1a\n"
_AXES_NOTE = "{} stores no orientation: its axes are taken as right, anterior, superior; `b0_direction` sets B0."


def read(
    path: Path,
    labels: dict,
    *,
    voxel_size=None,
    b0_patient=None,
    echo_times=None,
    field_strength=None,
    grid_needed=True,
) -> Scan:
    """Read the struct of a .mat file; `labels` (sub, ses, acq, run to label or None) name the results.

    The other arguments are those of `files.read_acquisition`.
    """
    kind, struct = _struct(path)
    convert = _authors if kind == "ImDataParams" else _toolbox
    values, stored_size, notes = convert(path.name, struct, echo_times)
    values["field_strength"] = field_strength_of(values["field_strength"], field_strength, path.name, notes)
    orientation = _text(struct, "orientation")
    if orientation is None:
        cosines = np.eye(3)
        notes.append(_AXES_NOTE.format(path.name))
    elif orientation[:3].lower() in _ORIENTATIONS:
        cosines = np.array(_ORIENTATIONS[orientation[:3].lower()], dtype=float)
    else:
        raise InputError(f"{path.name} has the orientation {orientation!r}; expected sag, cor or tra, so correct it.")
    if stored_size is not None:
        check_voxel_size(voxel_size, stored_size, path.name)
    elif voxel_size is None and not grid_needed:
        stored_size = np.ones(3)
        notes.append(f"{path.name} stores no voxel size: cubes of 1 mm are taken; `voxel_size` gives others.")
    elif voxel_size is None:
        raise InputError(f"{path.name} stores no voxel size; give it in mm along the array axes with `voxel_size`.")
    else:
        stored_size = np.asarray(voxel_size, dtype=float)
    shape = values["echoes"].shape[1:]
    affine = np.eye(4)
    affine[:3, :3] = cosines * stored_size
    # The file stores no position: the volume's center becomes the origin.
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape[::-1]) - 1) / 2)
    entities = {key: checked_label("01" if label is None else label, key) for key, label in labels.items()
                if label is not None or key == "sub"}  # fmt: skip
    return Scan(
        acquisition=Acquisition(
            **values,
            affine=affine,
            source=path.name,
            notes=tuple(notes),
            b0_patient=PATIENT_SUPERIOR if b0_patient is None else tuple(b0_patient),
        ),
        entities=entities,
        files=(path,),
    )


def _authors(name, struct, echo_times):
    """Values of the authors' struct: signal (i, j, k, echo), TE_s, centerFreq_Hz, fieldStrength_T, voxelSize_mm."""
    notes = []
    times = _echo_times(name, struct, "TE_s", echo_times, notes)
    signal = _with_slices(_signal(name, struct, "signal"), times)
    if signal.ndim != 4:
        raise InputError(
            f"The signal of {name} has {signal.ndim} axes; expected four (i, j, k, echo), or three (i, j, echo) for "
            "one slice."
        )
    values = {
        "echoes": signal.transpose(3, 2, 1, 0),
        "echo_times": times,
        "field_strength": _number(name, struct, "fieldStrength_T"),
        "imaging_frequency": _number(name, struct, "centerFreq_Hz"),
    }
    return values, _size(name, struct, "voxelSize_mm"), notes


def _toolbox(name, struct, echo_times):
    """Values of the toolbox's struct: images (x, y, z, coil, echo), TE, FieldStrength, PrecessionIsClockwise."""
    notes = []
    times = _echo_times(name, struct, "TE", echo_times, notes)
    images = _with_slices(_signal(name, struct, "images"), times)
    if images.ndim == 5:
        if images.shape[3] != 1:
            raise InputError(
                f"{name} has the images of {images.shape[3]} coils; combine the coils first, with phase, to one image."
            )
        images = images[:, :, :, 0]
    if images.ndim != 4:
        raise InputError(
            f"The images of {name} have {images.ndim} axes; expected five (x, y, z, coil, echo), or three (x, y, echo) "
            "for one slice."
        )
    clockwise = _number(name, struct, "PrecessionIsClockwise")
    if clockwise is not None and clockwise <= 0:
        images = images.conj()
        notes.append(f"{name} says that precession is not clockwise: the phase was negated.")
    values = {
        "echoes": images.transpose(3, 2, 1, 0),
        "echo_times": times,
        "field_strength": _number(name, struct, "FieldStrength"),
    }
    return values, _size(name, struct, "voxelSize"), notes


def _with_slices(signal, times):
    """Return the signal of one slice (i, j, echo) as a volume; others as they are."""
    one_slice = signal.ndim == 3 and times is not None and signal.shape[2] == len(times)
    return signal[:, :, None] if one_slice else signal


def _echo_times(name, struct, field, given, notes):
    """Echo times in seconds: those given, or those of the struct."""
    stored = _numbers(name, struct, field)
    if given is None:
        return stored
    if stored is not None and (len(stored) != len(given) or not np.allclose(stored, given, rtol=1e-3)):
        listed = ", ".join(f"{1e3 * time:.4g}" for time in stored)
        notes.append(f"{name} says echo times of {listed} ms; those of `echo_times` are taken.")
    return np.asarray(given, dtype=float)


def _struct(path):
    """Return the name of the known variable in a .mat file and its struct."""
    start = first_bytes(path, 520, unpacked=False)
    if start[:8] == _HDF5 or start[512:] == _HDF5:
        if importlib.util.find_spec("h5py") is None:
            raise PackageNeeded(
                f"{path} is a MATLAB 7.3 file, for which h5py is needed; install it with 'pip install h5py', or save "
                "the file in MATLAB again with save(…, '-v7').",
                "h5py",
            )
        variables = read_arrays(path, *_VARIABLES)
    else:
        kind = kind_of(path, start)
        if kind and not start.startswith(b"MATLAB"):
            raise InputError(f"{path} is {kind[0]}, not a MATLAB file as its name says; give the one of the scan.")
        variables = read_variables(path, _VARIABLES)
        if not variables:  # it may lie in a struct with other things
            variables = dict(_nested(read_variables(path)))
    kind = next((name for name in _VARIABLES if name in variables), None)
    if kind is None:
        raise InputError(f"{path} holds neither ImDataParams nor imDataParams; save the scan as one of these structs.")
    if not isinstance(variables[kind], dict):
        raise InputError(f"{kind} of {path} is not one struct; save the scan as a single struct of that name.")
    return kind, variables[kind]


def _nested(variables):
    """Yield the known variables inside of structs."""
    for name, value in variables.items():
        if name in _VARIABLES:
            yield name, value
        elif isinstance(value, dict):
            yield from _nested(value)


def _signal(name, struct, field):
    array = struct.get(field)
    if array is None:
        raise InputError(f"{name} has no field {field!r}; expected the complex signal of all echoes there.")
    if not np.iscomplexobj(array):
        raise InputError(
            f"The field {field!r} of {name} is not complex; expected the complex signal, so keep the phase."
        )
    return array


def _numbers(name, struct, field):
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
