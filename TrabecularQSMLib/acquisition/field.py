"""A field that other software has measured, in ppm, with its geometry, checked once."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from ..errors import InputError
from .orientation import Reorientation, checked_affine, checked_direction
from .strength import checked_field_strength

# Where a measured field stands among the stages, and its units.
FIELD_STAGES = ("total", "local")
FIELD_UNITS = ("ppm", "Hz", "rad/s")
# Between these, in ppm, are the fields of tissue and air; what is less is below the noise of any scan.
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
    b0_patient: tuple[float, float, float] | None = None

    def __post_init__(self):
        put = partial(object.__setattr__, self)  # the dataclass is frozen
        if self.stage not in FIELD_STAGES:
            raise InputError(f"A field is {self.stage!r}; choose one of {', '.join(FIELD_STAGES)}.")
        field = np.asarray(self.field)
        if field.ndim != 3 or np.iscomplexobj(field):
            raise InputError(f"{self.source} has the shape {field.shape[::-1]}; give one real volume.")
        if self.field_strength is not None or self.imaging_frequency is not None:
            strength, frequency = checked_field_strength(self.field_strength, self.imaging_frequency, self.source)
            put("field_strength", strength)
            put("imaging_frequency", frequency)
        finite = np.isfinite(field)
        known = finite & (field != 0)
        if not known.any():
            raise InputError(f"{self.source} is zero everywhere; give the field in ppm, Hz or rad/s.")
        if known.sum() > 1 and np.ptp(field[known]) == 0:
            raise InputError(
                f"{self.source} is {field[known][0]:.4g} ppm wherever it is not zero, as a mask; give a field."
            )
        most = float(np.percentile(np.abs(field[known]), 99))
        if not _LEAST_PPM < most < _MOST_PPM:
            raise InputError(
                f"{self.source} reaches {most:.4g} ppm; tissue and air make {_LEAST_PPM:g} to {_MOST_PPM:g}, so check "
                "its unit, and that it is a field, not a phase."
            )
        put("field", np.where(finite, field, 0).astype(np.float32))
        put("known", known)
        put("affine", checked_affine(self.affine, self.source))
        if self.magnitude is not None:
            magnitude = np.asarray(self.magnitude)
            if magnitude.shape != field.shape or not np.all(np.isfinite(magnitude)) or not np.any(magnitude > 0):
                raise InputError(
                    f"The magnitude of {self.source} has {magnitude.shape[::-1]} voxels (the field "
                    f"{field.shape[::-1]}), or is not finite, or zero; give one on the field's grid."
                )
            put("magnitude", np.abs(magnitude).astype(np.float32))
        direction, asked = checked_direction(self.b0_patient, self.field_strength, self.source)
        put("b0_patient", direction)
        put("notes", (*self.notes, *asked))

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
