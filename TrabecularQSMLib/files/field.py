"""A field map that other software has written, as the beginning of a reconstruction."""

from pathlib import Path

import numpy as np

from ..acquisition import GYROMAGNETIC_RATIO_HZ_PER_T, PATIENT_SUPERIOR, MeasuredField
from ..errors import InputError
from ..images import geometry_difference
from . import nifti
from .converted import named
from .echoes import bare_name, number_of, read_json
from .scan import Scan

# Units of a field, and other ways in which sidecars write them.
FIELD_UNITS = ("ppm", "Hz", "rad/s")
_WRITTEN = {"ppm": "ppm", "hz": "Hz", "hertz": "Hz", "rad/s": "rad/s", "rad/sec": "rad/s"}


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
    """Read one field map of NIfTI, NRRD or MetaImage, with its JSON sidecar if there is one.

    Parameters
    ----------
    path : path
        One real volume; zeros and what is not finite were not measured.
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
        Direction of B0 in patient coordinates R A S; superior if not given.

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
    array, affine = nifti.read_image(path)
    sidecar = path.with_name((bare_name(path) or path.stem) + ".json")
    metadata = read_json(sidecar) if sidecar.exists() else {}
    unit = _unit(metadata.get("Units"), unit, path)
    megahertz = number_of(metadata, "ImagingFrequency", path.name)
    stored = number_of(metadata, "MagneticFieldStrength", path.name)
    strength = stored if field_strength is None else field_strength
    # The frequency of the file belongs to the field strength of the file.
    frequency = 1e6 * megahertz if megahertz is not None and field_strength is None else None
    notes = [*nifti.header_notes(path)]
    factor = 1.0
    if unit != "ppm":
        if strength is None and frequency is None:
            raise InputError(
                f"{path} is in {unit} but says no field strength; give `field_strength` in tesla, or add "
                "MagneticFieldStrength to its JSON sidecar."
            )
        hertz = frequency if frequency is not None else strength * GYROMAGNETIC_RATIO_HZ_PER_T
        if not hertz > 0:
            raise InputError(
                f"{path} has an imaging frequency of {hertz:g} Hz; expected a positive one, so correct its sidecar."
            )
        factor = 1e6 / hertz / (2 * np.pi if unit == "rad/s" else 1.0)
    notes.append(f"The {stage} field was measured elsewhere and read from {path.name} in {unit}.")
    image = None
    if magnitude is not None:
        image, its_affine = nifti.read_image(magnitude)
        difference = geometry_difference(array.shape, affine, image.shape, its_affine)
        if difference:
            raise InputError(
                f"The magnitude {magnitude} is not on the grid of {path.name}: {difference}; resample it to the field."
            )
    acquisition = MeasuredField(
        np.asarray(array, np.float64) * factor,
        affine,
        stage,
        magnitude=image,
        field_strength=strength,
        imaging_frequency=frequency,
        source=path.name,
        notes=tuple(notes),
        b0_patient=PATIENT_SUPERIOR if b0_direction is None else b0_direction,
    )
    files = [path, *([sidecar] if metadata else []), *([Path(magnitude)] if magnitude is not None else [])]
    entities = named({"sub": subject, "ses": session, "run": run}, path)
    return Scan(acquisition, entities, tuple(sorted(files)))


def _unit(stored, given, path):
    """The unit of a field: nothing is guessed."""
    known = _WRITTEN.get(str(stored).strip().lower()) if stored is not None else None
    if stored is not None and known is None and given is None:
        raise InputError(
            f"Units of {path} is {stored!r}; expected one of {', '.join(FIELD_UNITS)}, so give `field_unit`."
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
    if unit not in FIELD_UNITS:
        raise InputError(f"`field_unit` is {unit!r}; choose one of {', '.join(FIELD_UNITS)}.")
    return unit
