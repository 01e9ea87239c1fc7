"""MATLAB files: the authors' ``ImDataParams``, the ISMRM fat–water toolbox's ``imDataParams``, and MEDI's variables.

Those of version 7.3 are HDF5 files, which the optional h5py reads. What they call what is in `mat_structs`.
"""

import importlib.util
from collections.abc import Collection
from pathlib import Path

import numpy as np

from ..acquisition import Acquisition
from ..errors import InputError, PackageNeeded
from .apart import read_arrays
from .doubts import doubts
from .formats import first_bytes, kind_of
from .mat_structs import (
    FIELDS,
    PARAMETERS,
    PLAIN,
    STRUCTS,
    VARIABLES,
    FieldContents,
    field_contents,
    header_contents,
    with_parameters,
)
from .matlab import read_variables
from .scan import Scan, check_voxel_size, checked_label, field_strength_of
from .slices import undo_slices

# Directions of the array axes i, j, k in RAS (columns) for each `orientation` of the authors' struct.
_ORIENTATIONS = {
    "sag": ((0, 0, 1), (0, -1, 0), (-1, 0, 0)),
    "cor": ((0, -1, 0), (0, 0, -1), (-1, 0, 0)),
    "tra": ((0, -1, 0), (-1, 0, 0), (0, 0, 1)),
}
_HDF5 = b"\x89HDF\r\n\x1a\n"
_LISTED = 8


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
    """Read the scan of a .mat file; `labels` (sub, ses, acq, run to label or None) name the results.

    The other arguments are those of `files.read_acquisition`.
    """
    kind, struct, others = _struct(path, (*STRUCTS, *PLAIN))
    contents = {**STRUCTS, **PLAIN}[kind](path.name, struct, echo_times)
    values, notes, stored_size = contents.values, [*others, *contents.notes], contents.voxel_size
    values["echoes"] = np.array(values["echoes"], np.complex64, order="C")
    notes += [*undo_slices(values["echoes"], path.name), *doubts(values["echoes"], path.name)]
    values["field_strength"] = field_strength_of(values["field_strength"], field_strength, path.name, notes)
    cosines = _cosines(path.name, contents.orientation)
    if contents.orientation is None:
        notes.append(axes_note(path.name, contents.b0_axes))
    if stored_size is not None:
        check_voxel_size(voxel_size, stored_size, path.name)
    elif voxel_size is None and not grid_needed:
        stored_size = np.ones(3)
        notes.append(f"{path.name} stores no voxel size: cubes of 1 mm are taken; `voxel_size` gives others.")
    elif voxel_size is None:
        raise InputError(f"{path.name} stores no voxel size; give it in mm along the array axes with `voxel_size`.")
    else:
        stored_size = np.asarray(voxel_size, dtype=float)
    b0_patient = contents.b0_axes if b0_patient is None else b0_patient
    entities = {key: checked_label("01" if label is None else label, key) for key, label in labels.items()
                if label is not None or key == "sub"}  # fmt: skip
    return Scan(
        acquisition=Acquisition(
            **values,
            affine=affine_of(cosines * stored_size, values["echoes"].shape[1:]),
            source=path.name,
            notes=tuple(notes),
            b0_patient=b0_patient,
        ),
        entities=entities,
        files=(path,),
    )


def read_header(path: Path, shape) -> dict | None:
    """Read what SEPIA's header says of images beside it, named as in a sidecar; None if it is no header.

    Parameters
    ----------
    path : Path
        A .mat file with TE in s, and B0 in T or CF in Hz.
    shape : (4,) tuple
        Numbers of the images' echoes and voxels along k, j and i; a header of others is none of theirs.
    """
    try:
        _, variables, _ = _struct(path, ("TE",))
        return header_contents(path.name, variables, shape)
    except InputError:
        return None


def read_field(path: Path, stage: str) -> FieldContents:
    """Read MEDI's total or local field of a .mat file."""
    _, variables, _ = _struct(path, (FIELDS[stage],))
    return field_contents(path.name, variables, stage)


def affine_of(axes: np.ndarray, shape) -> np.ndarray:
    """Affine of an array (k, j, i) whose axes i, j, k are columns in RAS mm.

    The files store no position: the volume's center becomes the origin.
    """
    affine = np.eye(4)
    affine[:3, :3] = axes
    affine[:3, 3] = -axes @ ((np.array(shape[::-1]) - 1) / 2)
    return affine


def axes_note(name: str, b0_axes) -> str:
    """What is taken for the orientation of a file that stores none."""
    along = f"; its B0_dir ({', '.join(f'{x:.4g}' for x in b0_axes)}) lies along these" if b0_axes else ""
    return (
        f"{name} stores no orientation: its axes are taken as right, anterior, superior{along}; `b0_direction` sets B0."
    )


def _cosines(name, orientation):
    if orientation is None:
        return np.eye(3)
    if orientation[:3].lower() not in _ORIENTATIONS:
        raise InputError(f"{name} has the orientation {orientation!r}; expected sag, cor or tra, so correct it.")
    return np.array(_ORIENTATIONS[orientation[:3].lower()], dtype=float)


def _struct(path, kinds: Collection[str]):
    """Return the first known name in a .mat file, the struct of that name, or what it lies among, and notes."""
    start = first_bytes(path, 520, unpacked=False)
    if start[:8] == _HDF5 or start[512:] == _HDF5:
        if importlib.util.find_spec("h5py") is None:
            raise PackageNeeded(
                f"{path} is a MATLAB 7.3 file, for which h5py is needed; install it with 'pip install h5py', or save "
                "the file in MATLAB again with save(…, '-v7').",
                "h5py",
            )
        variables = read_arrays(path, STRUCTS, VARIABLES, PARAMETERS)
    else:
        kind = kind_of(path, start)
        if kind and not start.startswith(b"MATLAB"):
            raise InputError(f"{path} is {kind[0]}, not a MATLAB file as its name says; give the one of the scan.")
        variables = read_variables(path, (*STRUCTS, *VARIABLES))
        # It may lie in a struct with other things, and what tells of it in another one.
        if not variables.keys() & set(kinds) or not variables.keys() & {*STRUCTS, "TE"}:
            variables = read_variables(path)
    found = list(_known(variables, kinds))
    kind, struct = found[0] if found else (None, None)
    if kind is None:
        listed = ", ".join([*variables][:_LISTED])
        remedy = "give the 4-D image that it is the header of" if "TE" in variables else "save the scan as one of these"
        raise InputError(f"{path} holds {_asked(kinds)}{f' (but {listed})' if listed else ''}; {remedy}.")
    if not isinstance(struct, dict):
        raise InputError(f"{kind} of {path} is not one struct; save the scan as a single struct of that name.")
    # MEDI's variables lie beside each other, so that only structs are scans of their own.
    more = [name for name, value in found[1:] if name in STRUCTS and value is not struct]
    notes = [
        f"{path.name} holds {kind} and {' and '.join(more)}: the first is taken; save each scan in a file of its own."
    ]
    return kind, struct, notes if more and kind in STRUCTS else []


def _known(variables, kinds):
    """Yield known structs by name, and dicts that known variables lie in, the nearest first."""
    for kind in kinds:
        if kind in variables:
            yield kind, variables[kind] if kind in STRUCTS else with_parameters(variables)
    for value in variables.values():
        if isinstance(value, dict):
            yield from _known(value, kinds)


def _asked(kinds):
    """What a message says that is not there."""
    if "iField" in kinds:
        return "neither ImDataParams nor imDataParams, nor MEDI's iField, nor magnitude and phase"
    return f"no {kinds[0]}, a field of MEDI"
