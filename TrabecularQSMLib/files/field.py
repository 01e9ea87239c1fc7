"""A field map that other software has written, as the beginning of a reconstruction."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..acquisition import (
    FIELD_UNITS,
    GYROMAGNETIC_RATIO_HZ_PER_T,
    MeasuredField,
    field_in_ppm,
)
from ..errors import InputError
from ..images import geometry_difference
from . import mat, nifti
from .converted import named
from .echoes import b0_of, number_of, read_json
from .formats import companion
from .parts import bare_name
from .scan import Scan

# Ways in which sidecars write the units of a field.
_WRITTEN = {"ppm": "ppm", "hz": "Hz", "hertz": "Hz", "rad/s": "rad/s", "rad/sec": "rad/s"}
# What the end of a name says a map is that is no field, in whose unit it may yet be.
_NO_FIELD = (
    (re.compile(r"(chi[-_]?map|[-_](chi|qsm|susceptibility))$", re.IGNORECASE), "susceptibility"),
    (re.compile(r"(desc-)?(sigma|std|noise)[-_a-z0-9]*[-_]field[a-z]*$", re.IGNORECASE), "the noise of a field"),
)
# And whether a field has its background or not.
_STAGES = {
    "local": re.compile(r"(local[-_]?field|desc-local[-_])", re.IGNORECASE),
    "total": re.compile(r"(total[-_]?field|desc-total[-_])", re.IGNORECASE),
}


def read_field(
    path,
    stage: str,
    *,
    subject=None,
    session=None,
    run=None,
    unit: str | None = None,
    magnitude=None,
    field_strength: float | None = None,
    b0_direction=None,
) -> Scan:
    """Read one field map of NIfTI, NRRD or MetaImage with its JSON sidecar if there is one, or of a .mat file of MEDI.

    Parameters
    ----------
    path : path
        One real volume; zeros and what is not finite were not measured. Of a .mat file iFreq or RDF, by the stage.
    stage : {"total", "local"}
        Whether the field still holds its background.
    subject, session, run : str, optional
        Labels of the results; those of the file's name, or subject 01, if not given.
    unit : {"ppm", "Hz", "rad/s"}, optional
        Where the sidecar has no ``Units``.
    magnitude : path, optional
        An image on the same grid, for weights, edges and the body.
    field_strength : float, optional
        Tesla, for a field in Hz or rad/s whose sidecar says neither that nor ``ImagingFrequency``.
    b0_direction : (3,) sequence, optional
        Direction of B0 in patient coordinates R A S; by default what the file says, or superior.

    Returns
    -------
    Scan
        Its acquisition is a `MeasuredField`.

    Raises
    ------
    InputError
        If a file cannot be read or does not fit, or unit or field strength are not known.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder; give the one file that holds the field.")
    read = _of_matlab if path.suffix.lower() == ".mat" else _of_image
    field = read(path, stage, unit, field_strength)
    image = field.magnitude
    if magnitude is not None:
        image, its_affine = nifti.read_image(magnitude)
        difference = geometry_difference(field.ppm.shape, field.affine, image.shape, its_affine)
        if difference:
            raise InputError(
                f"The magnitude {magnitude} is not on the grid of {path.name}: {difference}; resample it to the field."
            )
    acquisition = MeasuredField(
        field.ppm,
        field.affine,
        stage,
        magnitude=image,
        field_strength=field.strength,
        imaging_frequency=field.frequency,
        source=path.name,
        notes=field.notes,
        b0_patient=field.b0_patient if b0_direction is None else b0_direction,
    )
    files = [*field.files, *([Path(magnitude)] if magnitude is not None else [])]
    entities = named({"sub": subject, "ses": session, "run": run}, path)
    return Scan(acquisition, entities, tuple(sorted(files)))


@dataclass(frozen=True, eq=False)
class _Stored:
    """A field (k, j, i) in ppm as a file stores it, and what the file says beside; tesla and Hz."""

    ppm: np.ndarray
    affine: np.ndarray
    strength: float | None
    frequency: float | None
    notes: tuple[str, ...]
    files: tuple[Path, ...]
    magnitude: np.ndarray | None = None
    b0_patient: tuple[float, float, float] | None = None


def _of_matlab(path, stage, unit, field_strength):
    """MEDI's variables."""
    if unit is not None:
        raise InputError(f"{path} holds a field of MEDI, radians in the time between echoes; leave `field_unit` out.")
    found = mat.read_field(path, stage)
    notes = (
        mat.axes_note(path.name, found.b0_axes),
        f"The {stage} field was measured elsewhere and read from {found.variable} of {path.name}, in radians in the "
        "time between echoes.",
        *found.notes,
    )
    turned = [None if image is None else image.transpose(2, 1, 0) for image in (found.field, found.magnitude)]
    return _Stored(
        turned[0],
        mat.affine_of(np.diag(found.voxel_size), turned[0].shape),
        field_strength,
        # The frequency of the file turned its radians into ppm, whatever field strength is given.
        found.imaging_frequency,
        notes,
        (path,),
        turned[1],
        found.b0_axes,
    )


def _of_image(path, stage, unit, field_strength):
    """An image with its sidecar."""
    by_name = _said_by_name(path, stage)
    array, affine = nifti.read_image(path)
    sidecar = companion(path.with_name(bare_name(path) or path.stem), ".json")
    metadata = read_json(sidecar) if sidecar else {}
    unit = _unit(metadata.get("Units"), unit, path)
    megahertz = number_of(metadata, "ImagingFrequency", path.name)
    stored = number_of(metadata, "MagneticFieldStrength", path.name)
    strength = stored if field_strength is None else field_strength
    # The frequency of the file belongs to the field strength of the file.
    frequency = 1e6 * megahertz if megahertz is not None and field_strength is None else None
    hertz = frequency if frequency is not None or strength is None else strength * GYROMAGNETIC_RATIO_HZ_PER_T
    notes = (
        *nifti.header_notes(path),
        *by_name,
        f"The {stage} field was measured elsewhere and read from {path.name} in {unit}.",
    )
    files = (path, sidecar) if metadata else (path,)
    b0_patient = b0_of(metadata, path.name)
    return _Stored(
        field_in_ppm(array, unit, hertz, str(path)), affine, strength, frequency, notes, files, b0_patient=b0_patient
    )


def _said_by_name(path, stage) -> list[str]:
    """Refuse what is named as another map than a field, and say if it is named as the field of another stage."""
    name = bare_name(path) or path.stem
    for pattern, what in _NO_FIELD:
        if pattern.search(name):
            raise InputError(f"{path} is a map of {what} by its name, not a field; give the total or local field.")
    other = "local" if stage == "total" else "total"
    if _STAGES[stage].search(name) or not _STAGES[other].search(name):
        return []
    return [
        f"{path.name} is a {other} field by its name but was read as the {stage} one: begin from the {other} field if "
        "it is one, or χ is wrong."
    ]


def _unit(stored, given, path):
    """The unit of a field: nothing is guessed."""
    known = _WRITTEN.get(str(stored).strip().lower()) if stored is not None else None
    if stored is not None and known is None and given is None:
        raise InputError(
            f"Units of {path} is {stored!r}; expected one of {', '.join(FIELD_UNITS)}, so give the one it is in as "
            "`field_unit`, or bring its values to one of them."
        )
    if known and given and known != given:
        raise InputError(
            f"The sidecar of {path} says {known} but `field_unit` {given}; leave it out or correct the sidecar."
        )
    unit = given or known
    if unit is None:
        raise InputError(
            f"Nothing says the unit of {path}; give `field_unit` ({', '.join(FIELD_UNITS)}) or Units in a sidecar."
        )
    return unit
