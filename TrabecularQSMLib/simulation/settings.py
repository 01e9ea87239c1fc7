"""Settings of the simulation, with the paper's values."""

import math
from dataclasses import asdict, dataclass

from ..acquisition import FIELD_STRENGTHS_T, GYROMAGNETIC_RATIO_HZ_PER_T
from ..errors import InputError
from ..fieldmap.fat_models import FAT_MODELS

# What lies around the region.
BOUNDARIES = ("periodic", "linear", "filled")
SHAPES = ("spheres", "cylinders", "plates")
POINT_SPREADS = ("box", "sinc", "hann")
# Water in bone against marrow of the same volume, and how long its signal lasts.
BONE_SIGNAL, BONE_T2_S = 0.3, 0.5e-3

# The grid of Fig. 8; its smallest and largest values are those of the published tables.
PAPER_NUMBERS = (100, 150, 200, 250, 300)
PAPER_RADII = (5, 7, 10, 12, 15, 17)
PAPER_DELTA_CHIS = (0.5, 1.0, 1.5, 2.0)
PAPER_REPEATS = 100

_LONGEST_TIME = 0.5  # s
_LAST_ECHO = 1e-4  # s; no echo train ends before: such numbers are seconds where milliseconds are asked for
_MOST_CONCENTRATED = 1000.0


@dataclass(frozen=True)
class DecaySettings:
    """The signal that R2′ is fitted to, beside the width of the line.

    Parameters
    ----------
    echo_times : tuple of float
        s, from 2 on, increasing; R2′ depends on them.
    fat_fraction : float
        Of the marrow, 0–1; the fit knows it.
    fat_model : str
        Spectrum of fat, a name of ``data/fat_models.json``.
    bone_signal : float
        Proton density of bone against that of marrow; the fit does not know it.
    bone_t2 : float
        s, of the signal of bone.
    snr : float, optional
        Of an imaging voxel of marrow at time zero, in the real and in the imaginary part. No noise by default.
    point_spread : str
        ``"box"``: an imaging voxel is the mean over it. ``"sinc"``: k-space is sampled as far as the imaging voxel
        needs; ``"hann"``: with a Hann window.

    Raises
    ------
    InputError
        If a value cannot be simulated.
    """

    echo_times: tuple[float, ...]
    fat_fraction: float = 0.0
    fat_model: str = "ren-marrow"
    bone_signal: float = BONE_SIGNAL
    bone_t2: float = BONE_T2_S
    snr: float | None = None
    point_spread: str = "box"

    def __post_init__(self):
        times = tuple(float(time) for time in self.echo_times)
        object.__setattr__(self, "echo_times", times)
        listed = ", ".join(f"{1e3 * time:g}" for time in times) or "none"
        # NaN is not below either.
        if len(times) < 2 or not all(a < b for a, b in zip((0.0, *times), (*times, _LONGEST_TIME), strict=True)):
            raise InputError(
                f"The echo times are {listed} ms; give two or more, increasing, between 0 and "
                f"{1e3 * _LONGEST_TIME:g} ms."
            )
        if times[-1] < _LAST_ECHO:
            raise InputError(
                f"The echo times are {listed} ms, and the last one is below {1e3 * _LAST_ECHO:g} ms; if these are "
                "seconds, give milliseconds."
            )
        for name, value, low, high, unit in (
            ("fat fraction", self.fat_fraction, 0, 1, ""),
            ("signal of bone", self.bone_signal, 0, 1, ""),
            ("T2 of bone", 1e3 * self.bone_t2, 1e-3, 1e3, " ms"),
            ("SNR", self.snr, 1e-3, 1e9, ""),
        ):
            if value is not None and not low <= value <= high:
                raise InputError(f"The {name} is {value:g}{unit}; give a number from {low:g} to {high:g}{unit}.")
        for name, value, choices in (
            ("fat model", self.fat_model, FAT_MODELS),
            ("point spread", self.point_spread, POINT_SPREADS),
        ):
            if value not in choices:
                raise InputError(f"The {name} is {value!r}; choose one of {', '.join(choices)}.")


@dataclass(frozen=True)
class SimulationSettings:
    """What all geometries of a simulation have in common.

    Parameters
    ----------
    size : int
        Edge of the cubic region in voxels; 128 in the paper.
    boundary : str
        ``"periodic"``: the region lies in an empty box three times as long that repeats itself, as in the paper.
        ``"linear"``: empty space without end (for the field within the region; the χ of a box about twice as long
        repeats).
        ``"filled"``: the region itself repeats, and spheres that leave it come in again opposite (cylinders and plates
        if they lie along its axes); no field tells the mean χ of what is everywhere, so that there is none.
    shape : str
        ``"spheres"``, ``"cylinders"`` or ``"plates"``; the last two reach through the region.
    orientation : (3,) floats
        Direction of cylinders, or of the normal of plates, along k, j, i; any length.
    concentration : float, optional
        How the directions of cylinders, or of the normals of plates, lie about `orientation`: κ of a Watson
        distribution, of the density exp(κ cos²). 0: every direction alike; from about 5: close to it; below 0: across
        it. All in it by default.
    b0_direction : (3,) floats
        Direction of B0 along k, j, i; any length.
    regularization : float
        λ of the closed-form χ in squared voxels. The paper prints none for the simulation; 0.788 reproduces its tables.
    field_strength : float
        T, for R2′ in 1/s.
    imaging_voxel : int or (3,) ints, optional
        Edge, in voxels of the simulation, of the imaging voxels within which R2′ dephases the signal; three along k, j,
        i where they are no cubes. The whole region by default, as in the paper.
    seed : int
        From which the inclusions of every geometry are drawn.
    decay : DecaySettings, optional
        Signal to which R2′ is fitted over echo times, beside the width of the line; none by default.

    Raises
    ------
    InputError
        If a value cannot be simulated.

    References
    ----------
    Diefenbach et al., MRM 2019, doi 10.1002/mrm.27531.
    """

    size: int = 128
    boundary: str = "periodic"
    shape: str = "spheres"
    orientation: tuple[float, float, float] = (1.0, 0.0, 0.0)
    concentration: float | None = None
    b0_direction: tuple[float, float, float] = (1.0, 0.0, 0.0)
    regularization: float = 0.788
    field_strength: float = 3.0
    imaging_voxel: int | tuple[int, int, int] | None = None
    seed: int = 0
    decay: DecaySettings | None = None

    def __post_init__(self):
        if self.size < 8:
            raise InputError(f"The region's size is {self.size} voxels; give at least 8.")
        for name, value, choices in (("boundary", self.boundary, BOUNDARIES), ("shape", self.shape, SHAPES)):
            if value not in choices:
                raise InputError(f"The {name} is {value!r}; choose one of {', '.join(choices)}.")
        for name, words in (("orientation", "orientation of the inclusions"), ("b0_direction", "direction of B0")):
            vector = getattr(self, name)
            length = math.hypot(*vector)
            if len(vector) != 3 or not (0 < length < math.inf):
                raise InputError(f"The {words} is {_plain(vector[::-1])}; give three numbers that are not all zero.")
            # The same direction is the same simulation, whatever its length.
            object.__setattr__(self, name, tuple(float(x) / length for x in vector))
        if not (1e-12 <= self.regularization <= 1e6):
            raise InputError(f"The regularization is {self.regularization:g}; give a number from 1e-12 to 1e6.")
        low, high = FIELD_STRENGTHS_T
        if not low <= self.field_strength <= high:
            raise InputError(f"The field strength is {self.field_strength:g} T; give {low:g} to {high:g} T.")
        if self.concentration is not None and not abs(self.concentration) <= _MOST_CONCENTRATED:
            raise InputError(
                f"The concentration is {self.concentration:g}; give a number from {-_MOST_CONCENTRATED:g} (across the "
                f"orientation) to {_MOST_CONCENTRATED:g} (along it), 0 for every direction alike."
            )
        edges = self.imaging_voxel if isinstance(self.imaging_voxel, tuple) else (self.imaging_voxel,)
        for edge in edges if self.imaging_voxel is not None else ():
            if not 2 <= edge <= self.size:
                raise InputError(f"The imaging voxel has an edge of {edge} voxels; give 2 to {self.size} (the region).")
        if self.seed < 0:
            raise InputError(f"The seed is {self.seed}; give a whole number from 0.")

    def as_dict(self) -> dict:
        """Return the settings as they are written to files: along i, j, k, as users give directions (R, A, S)."""
        along_axes = {name: getattr(self, name) for name in ("orientation", "b0_direction", "imaging_voxel")}
        return asdict(self) | {
            name: list(value[::-1]) for name, value in along_axes.items() if isinstance(value, tuple)
        }


def rate_per_s(hwhm_ppm: float, field_strength: float) -> float:
    """Return R2′ in 1/s of a Lorentzian line whose half width at half maximum is given in ppm of B0 [T]."""
    return 2 * math.pi * GYROMAGNETIC_RATIO_HZ_PER_T * field_strength * hwhm_ppm * 1e-6


def _plain(vector):
    return " ".join(f"{x:g}" for x in vector) or "empty"
