"""What is given of a protocol, and what is assumed where it says nothing."""

import math
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np

from ..acquisition import FIELD_STRENGTHS_T, GYROMAGNETIC_RATIO_HZ_PER_T
from ..errors import InputError
from ..fieldmap.fat_models import FAT_MODELS
from ..fieldmap.signal import Model
from ..fieldmap.t1 import t1_weighting
from ..phantom.body import MARROW_R2, MARROW_R2STAR_BVTV, marrow_r2star, relaxation
from ..phantom.settings import READOUTS, checked_times, numbers
from ..settings import preset

# Largest ratio of the first echo to the noise: beyond, nothing is lost by noise.
_MOST_SNR = 1e6


@dataclass(frozen=True)
class ProtocolSettings:
    """A protocol, and what is assumed of scanner, marrow and study.

    Parameters
    ----------
    echo_times : tuple of floats
        Seconds, increasing, three at least.
    field_strength : float
        Tesla.
    voxel_size : (3,) floats
        mm along k, j, i.
    snr : float
        Mean magnitude of marrow in the first echo over the standard deviation of the noise in the real channel (that
        of the magnitude of air, over 0.655).
    bandwidth_hz : float or None
        Of one voxel along the read-out. None: the given echoes are taken for the closest that can be.
    readout : {"monopolar", "bipolar"}
        Whether all echoes of a train are read in one direction, which takes a gradient back between them.
    trains : int
        Interleaved trains, whose echoes take turns; each needs the scan's time once.
    flip_angle, repetition_time : float or None
        Degrees, and seconds from pulse to pulse, for what T1 does to the fat fraction. None: that is not told.
    readout_axis : {"i", "j", "k"}
        Axis along which echoes are read.
    gradient : float
        The scanner's largest gradient in mT/m; the default is usual.
    slew_rate : float
        How fast it changes, in T/m/s; the default is usual.
    shortest_echo : float or None
        Seconds; how early a first echo can be, which the RF pulse decides. None: as the given one.
    longest_echo : float or None
        Seconds; how late a last echo can be, which TR decides. None: as the given one.
    echoes : int or None
        Most echoes of a recommended train. None: as many as the given one has.
    fat_model : str
        Spectrum of fat, a name of ``data/fat_models.json``.
    pdff : float
        Fat fraction of the marrow that SNR and bias are of. The default is that of yellow marrow.
    r2star : (2,) floats or None
        Lowest and highest R2* in 1/s. None: those of marrow with a BV/TV of 0.08 and 0.42 in the digital ankle, which
        grow with the field.
    bvtv : float
        BV/TV of the marrow that the bias is of.
    region_radii_mm : tuple of floats
        Of the balls that stand for regions.
    regularization : float
        λ in mm² of the closed-form inversion that the error of χ is of; the default is the preset's.
    chi_slope : float
        Change of χ in ppm with BV/TV from 0 to 1: χ of bone less that of marrow. The default is bone of −1.8 ppm in
        marrow of 0.5 ppm, the middle of what the digital ankle draws; published values differ by 1 ppm.
    subject_sd : float
        Standard deviation of BV/TV between subjects of a group; an assumption.
    repeat_sd : float
        Standard deviation in ppm of a region's χ over repeated scans beyond noise: position, region, background.
    bvtv_difference : float
        Difference of BV/TV to be found.

    Raises
    ------
    InputError
        If a value is impossible.
    """

    echo_times: tuple[float, ...]
    field_strength: float
    voxel_size: tuple[float, float, float]
    snr: float
    bandwidth_hz: float | None = None
    readout: str = "monopolar"
    trains: int = 1
    flip_angle: float | None = None
    repetition_time: float | None = None
    readout_axis: str = "j"
    gradient: float = 40.0
    slew_rate: float = 150.0
    shortest_echo: float | None = None
    longest_echo: float | None = None
    echoes: int | None = None
    fat_model: str = "ren-marrow"
    pdff: float = 0.9
    r2star: tuple[float, float] | None = None
    bvtv: float = 0.2
    region_radii_mm: tuple[float, ...] = (3.0, 6.0, 9.0)
    regularization: float = preset(inversion="closed-form").regularization
    chi_slope: float = -2.3
    subject_sd: float = 0.03
    repeat_sd: float = 0.0
    bvtv_difference: float = 0.02

    def __post_init__(self):
        put = partial(object.__setattr__, self)  # the dataclass is frozen
        put("echo_times", checked_times(self.echo_times))
        put("voxel_size", numbers("voxel_size", self.voxel_size, 3, low=0.01, high=100, unit=" mm"))
        for name, (low, high, *unit) in _RANGES.items():
            if getattr(self, name) is not None:
                put(name, numbers(name, getattr(self, name), 1, low=low, high=high, unit="".join(unit))[0])
        for name, (low, high) in _LIMITS_MS.items():  # in the unit in which users give them
            if (seconds := getattr(self, name)) is not None:
                value = round(1e3 * seconds, 9) if isinstance(seconds, int | float) else seconds
                numbers(name, value, 1, low=low, high=high, unit=" ms")
                put(name, float(seconds))
        put("trains", numbers("trains", self.trains, 1, whole=True, low=1, high=len(self.echo_times) // 2)[0])
        if self.echoes is not None:
            put("echoes", numbers("echoes", self.echoes, 1, whole=True, low=3, high=100)[0])
        put("region_radii_mm", numbers("region_radii_mm", self.region_radii_mm, None, low=0.1, high=100))
        choices_of = {"readout": READOUTS, "readout_axis": ("i", "j", "k"), "fat_model": FAT_MODELS}
        for name, choices in choices_of.items():
            if getattr(self, name) not in choices:
                raise InputError(f"`{name}` is {getattr(self, name)!r}; choose one of {', '.join(choices)}.")
        if self.chi_slope == 0:
            raise InputError("`chi_slope` is 0; give a number that is not zero, or χ tells nothing of BV/TV.")
        if self.r2star is not None:
            put("r2star", numbers("r2star", self.r2star, 2, low=0, high=2000))
            if self.r2star[0] > self.r2star[1]:
                raise InputError(f"`r2star` is {self.r2star}; give the lowest rate first, then the highest.")
        if self.first_allowed > self.last_allowed:
            raise InputError(
                f"The first echo is allowed from {1e3 * self.first_allowed:g} ms on, the last one to "
                f"{1e3 * self.last_allowed:g} ms; give a `longest_echo` after the `shortest_echo`."
            )

    def as_dict(self) -> dict:
        """Return the settings as they are written to files: voxel size along i, j, k, as users give it."""
        return asdict(self) | {"voxel_size": list(self.voxel_size[::-1])}

    @property
    def imaging_frequency(self) -> float:
        """Hz."""
        return self.field_strength * GYROMAGNETIC_RATIO_HZ_PER_T

    @property
    def fat_hz(self) -> float:
        """Frequency of the main peak of fat against water in Hz."""
        return FAT_MODELS[self.fat_model].main_hz(self.imaging_frequency)

    @property
    def displaced_voxels(self) -> float | None:
        """How many voxels off the main peak of fat appears along the read-out; None without a bandwidth."""
        return None if self.bandwidth_hz is None else abs(self.fat_hz) / self.bandwidth_hz

    @property
    def t1_weighting(self) -> float | None:
        """How many times stronger T1 leaves fat than water; None without flip angle and repetition time."""
        if self.flip_angle is None or self.repetition_time is None:
            return None
        return t1_weighting(self.flip_angle, self.repetition_time, self.field_strength)

    @property
    def spacing(self) -> float:
        """Least time between two echoes of one train, in s; trains take turns echo by echo."""
        times = np.asarray(self.echo_times)
        return float((times[self.trains :] - times[: -self.trains]).min())

    @property
    def first_allowed(self) -> float:
        """How early a first echo can be, in s."""
        return self.echo_times[0] if self.shortest_echo is None else self.shortest_echo

    @property
    def last_allowed(self) -> float:
        """How late a last echo can be, in s."""
        return self.echo_times[-1] if self.longest_echo is None else self.longest_echo

    @property
    def most_echoes(self) -> int:
        """Most echoes of a recommended train."""
        return len(self.echo_times) if self.echoes is None else self.echoes

    @property
    def r2star_range(self) -> tuple[float, float]:
        """Lowest and highest R2* of marrow in 1/s."""
        if self.r2star is not None:
            return self.r2star
        return tuple(
            float(relaxation(marrow_r2star(bvtv), MARROW_R2, self.field_strength)) for bvtv in MARROW_R2STAR_BVTV
        )

    @property
    def middle_r2star(self) -> float:
        """R2* of the marrow that SNR and bias are of, in 1/s."""
        return float(np.mean(self.r2star_range))

    def model(self, echo_times=None) -> Model:
        """Return the signal model of the fit for the protocol's echo times, or for others in s."""
        times = np.asarray(self.echo_times if echo_times is None else echo_times, np.float64)
        return Model(times, FAT_MODELS[self.fat_model].signal(times, self.imaging_frequency))

    @property
    def noise(self) -> float:
        """Standard deviation of the noise in the real channel, of a signal of 1 at echo time zero."""
        fat = self.model().fat[0]
        first = abs(1 - self.pdff + self.pdff * fat) * math.exp(-self.middle_r2star * self.echo_times[0])
        return float(first / self.snr)


_LIMITS_MS = {"repetition_time": (0.5, 10_000.0), "shortest_echo": (0.01, 500.0), "longest_echo": (0.1, 500.0)}
_RANGES = {
    "field_strength": (*FIELD_STRENGTHS_T, " T"),
    "snr": (1.0, _MOST_SNR),
    "flip_angle": (0.1, 90.0, "°"),
    "bandwidth_hz": (10.0, 1e6, " Hz"),
    "gradient": (1.0, 1000.0, " mT/m"),
    "slew_rate": (1.0, 10_000.0, " T/m/s"),
    "pdff": (0.0, 1.0),
    "bvtv": (0.0, 0.9),
    "regularization": (1e-12, 1e6, " mm²"),
    "chi_slope": (-20.0, 20.0, " ppm"),
    "subject_sd": (0.0, 1.0),
    "repeat_sd": (0.0, 10.0, " ppm"),
    "bvtv_difference": (1e-4, 1.0),
}
