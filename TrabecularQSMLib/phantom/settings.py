"""What can be chosen about the phantom, and the geometry that follows."""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..acquisition import FIELD_STRENGTHS_T, GIVEN_ECHO_TIMES_S
from ..errors import InputError, counted
from ..fieldmap.fat_models import FAT_MODELS
from .anatomy import ANATOMIES
from .body import CONSTANTS

# Directions in RAS of the axes i, j, k before any tilt; all right-handed.
ORIENTATIONS = {
    "sagittal": ((0, -1, 0), (0, 0, -1), (1, 0, 0)),  # i to posterior, j to inferior, k from left to right
    "coronal": ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
    "axial": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
}
READOUTS = ("monopolar", "bipolar")
# The paper's protocol: nine echoes, 0.7 ms apart after interleaving.
ECHO_TIMES = tuple(round(1.25e-3 + 0.7e-3 * n, 6) for n in range(9))


@dataclass(frozen=True)
class PhantomSettings:
    """Settings of `make_phantom`; the defaults are the paper's protocol.

    Parameters
    ----------
    shape : (I, J, K)
        Voxels along i, j, k; odd and even sizes.
    field_of_view_mm : (3,) floats
        Along i, j, k. The voxel size is this over `shape`.
    snr : float or None
        Largest magnitude of the first echo over the standard deviation of the noise in the real channel; None or
        infinity for no noise.
    seed : int
        Patient (anatomy, tissue, coil) and noise. The patient does not depend on the grid.
    tilt_degrees : float
        Turn of the acquisition grid about the patient's left–right axis.
    orientation : {"sagittal", "coronal", "axial"}
        Directions of i, j, k before the tilt. Sagittal: i to posterior, j to inferior, k from left to right.
    field_strength : float
        Tesla. Tissues have the R2* of 3 T there; elsewhere R2 is taken to be the same, what R2* has beyond it to
        grow in proportion, and the density of the signal (T1) not to change.
    echo_times : tuple of floats
        Seconds, increasing.
    fat_model : str
        Spectrum the fat signal is made with, a name of ``data/fat_models.json``.
    field_offset_hz : float
        Added to the field everywhere.
    field_gradient_hz_per_mm : (3,) floats
        Along R, A, S, added to the field; zero at the center of the field of view. A large offset or gradient pushes
        the field past whole periods (1,428.6 Hz for the default echoes).
    supersampling : int
        Simulated points per voxel along every axis.
    anatomy : {"ankle", "knee"}
        What is in the field of view.
    gap_mm : float or None
        Air in mm, or more, to the patient's other side, a mirror image with the same labels; the field of view has its
        center between the two and should be twice as wide. None: one side.
    chi_fat, chi_bone : float or None
        Susceptibility of fat and of bone in ppm against water; None draws 0.45 to 0.70 and −2.3 to −1.4 by the seed.
    marrow_pdff, porosity : float or None
        Fat fraction of the marrow in all bones and share of the cortex that is not bone; None draws them for each bone
        by the seed.
    readout : {"monopolar", "bipolar"}
        Whether every other echo of a train is read in the opposite direction.
    readout_axis : {"i", "j", "k"}
        Axis along which echoes are read.
    readout_offset_rad, readout_slope_rad : float
        Phase of the echoes read backwards against the others at the center of the field of view, and what is added
        from there to the last voxel along the read-out.
    readout_magnitude : float
        By what share the echoes read backwards are brighter.
    train_offsets_rad, train_slopes_rad : tuple of floats
        Phase of each of several interleaved trains, whose echoes take turns, at the center and from there to the last
        voxel along the read-out; none for one train, and no slopes for none.
    bandwidth_hz : float or None
        Of one voxel along the read-out: each peak of fat appears displaced by its frequency over this, the other way
        in echoes read backwards. The field itself displaces nothing, in which a scan is less simple. None: no
        displacement.

    Raises
    ------
    InputError
        If a value cannot be simulated.
    """

    shape: tuple[int, int, int] = (147, 147, 68)
    field_of_view_mm: tuple[float, float, float] = (220.5, 220.5, 102.0)
    snr: float | None = 40.0
    seed: int = 0
    tilt_degrees: float = 0.0
    orientation: str = "sagittal"
    field_strength: float = 3.0
    echo_times: tuple[float, ...] = ECHO_TIMES
    fat_model: str = "ren-marrow"
    field_offset_hz: float = 0.0
    field_gradient_hz_per_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    supersampling: int = 2
    anatomy: str = "ankle"
    gap_mm: float | None = None
    chi_fat: float | None = None
    chi_bone: float | None = None
    marrow_pdff: float | None = None
    porosity: float | None = None
    readout: str = "monopolar"
    readout_axis: str = "j"
    readout_offset_rad: float = 0.0
    readout_slope_rad: float = 0.0
    readout_magnitude: float = 0.0
    train_offsets_rad: tuple[float, ...] = ()
    train_slopes_rad: tuple[float, ...] = ()
    bandwidth_hz: float | None = None

    def __post_init__(self):
        put = partial(object.__setattr__, self)  # the dataclass is frozen
        put("shape", numbers("shape", self.shape, 3, whole=True, low=4, high=1024))
        put("field_of_view_mm", numbers("field_of_view_mm", self.field_of_view_mm, 3, low=1, high=1000))
        put(
            "field_gradient_hz_per_mm",
            numbers("field_gradient_hz_per_mm", self.field_gradient_hz_per_mm, 3, low=-1e3, high=1e3),
        )
        put("echo_times", checked_times(self.echo_times))
        if self.snr is not None and not (_is_number(self.snr) and self.snr >= 0.1):
            raise InputError(f"`snr` is {self.snr!r}; give 0.1 or more, or nothing for echoes without noise.")
        if not _is_number(self.seed, whole=True) or self.seed < 0:
            raise InputError(f"`seed` is {self.seed!r}; give a whole number from 0.")
        if not _is_number(self.supersampling, whole=True) or not 1 <= self.supersampling <= 6:
            raise InputError(f"`supersampling` is {self.supersampling!r}; give a whole number from 1 to 6.")
        for name, (low, high), unit in (
            ("tilt_degrees", (-360, 360), "°"),
            ("field_offset_hz", (-1e5, 1e5), " Hz"),
            ("field_strength", FIELD_STRENGTHS_T, " T"),
        ):
            put(name, numbers(name, getattr(self, name), 1, low=low, high=high, unit=unit)[0])
        for name, (low, high) in {**CONSTANTS, "gap_mm": (1.0, 1000.0), "bandwidth_hz": (10.0, 1e6)}.items():
            if getattr(self, name) is not None:
                put(name, numbers(name, getattr(self, name), 1, low=low, high=high)[0])
        for name, low in (("readout_offset_rad", -10), ("readout_slope_rad", -10), ("readout_magnitude", -0.9)):
            put(name, numbers(name, getattr(self, name), 1, low=low, high=10)[0])
        for name in ("train_offsets_rad", "train_slopes_rad"):
            put(name, numbers(name, getattr(self, name), None, low=-10, high=10))
        if not self.train_slopes_rad:
            put("train_slopes_rad", (0.0,) * len(self.train_offsets_rad))
        choices_of = {
            "orientation": ORIENTATIONS, "fat_model": FAT_MODELS, "anatomy": ANATOMIES, "readout": READOUTS,
            "readout_axis": ("i", "j", "k"),
        }  # fmt: skip
        for name, choices in choices_of.items():
            if getattr(self, name) not in choices:
                raise InputError(f"`{name}` is {getattr(self, name)!r}; choose one of {', '.join(choices)}.")
        self._check_gains()

    def _check_gains(self):
        """Refuse gains of trains and directions of the read-out that the scan does not have."""
        trains, count = len(self.train_offsets_rad), len(self.echo_times)
        if len(self.train_slopes_rad) != trains or 2 * trains > count:
            raise InputError(
                f"`train_slopes_rad` holds {counted(len(self.train_slopes_rad), 'number')} and `train_offsets_rad` "
                f"{trains}; give as many of both, for at most {count // 2} trains of {count} echoes."
            )
        for name in ("readout_offset_rad", "readout_slope_rad", "readout_magnitude"):
            if (value := getattr(self, name)) and self.readout != "bipolar":
                raise InputError(f"`{name}` is {value:g}, but no echo is read backwards; give a bipolar readout too.")

    @property
    def affine(self) -> np.ndarray:
        """Indices (i, j, k) to RAS in mm, with the center of the field of view at the origin."""
        angle = math.radians(self.tilt_degrees)
        cosine, sine = math.cos(angle), math.sin(angle)
        tilt = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
        spacing = np.array(self.field_of_view_mm) / np.array(self.shape)
        affine = np.eye(4)
        affine[:3, :3] = tilt @ np.array(ORIENTATIONS[self.orientation], float).T * spacing
        affine[:3, 3] = -affine[:3, :3] @ ((np.array(self.shape) - 1) / 2)
        return affine


def _is_number(value, whole=False):
    kinds = (int, np.integer) if whole else (int, float, np.integer, np.floating)
    return isinstance(value, kinds) and not isinstance(value, bool)


def checked_times(times):
    """Return echo times in s as a tuple, or raise `InputError` in the unit in which users give them."""
    times, (first, last) = numbers("echo_times", times, None), GIVEN_ECHO_TIMES_S
    listed = " ".join(f"{1e3 * time:g}" for time in times)
    if any(b <= a for a, b in zip(times, times[1:], strict=False)) or len(times) < 3:
        raise InputError(f"The echo times are {listed} ms; give three or more that increase in `echo_times`.")
    if times[0] < first or times[-1] > last:
        raise InputError(
            f"The echo times are {listed} ms; give them between {1e3 * first:g} and {1e3 * last:g} ms in `echo_times`."
        )
    return times


def numbers(name, values, count, *, whole=False, low=-math.inf, high=math.inf, unit=""):
    """Return some numbers of a setting as a tuple, or raise `InputError` if they are not what it takes."""
    try:
        values = tuple(v.item() if isinstance(v, np.generic) else v for v in values)
    except TypeError:
        values = (values,)
    right = count is None or len(values) == count
    if not right or not all(_is_number(v, whole) and math.isfinite(v) and low <= v <= high for v in values):
        noun = f"{'whole' if whole else 'finite'} number"
        kind = f"a {noun}" if count == 1 else f"{'' if count is None else f'{count} '}{noun}s"
        limits = "" if math.isinf(low) else f" between {low:g} and {high:g}{unit}"
        raise InputError(f"`{name}` is {' '.join(map(str, values)) or 'empty'}; give {kind}{limits}.")
    return values if whole else tuple(float(v) for v in values)
