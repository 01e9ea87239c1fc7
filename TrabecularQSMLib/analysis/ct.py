"""Attenuation of CT in regions, and mineral density by a calibration line."""

from dataclasses import dataclass

import numpy as np
import scipy
from scipy import ndimage

from ..errors import InputError, counted
from ..methods import Method
from .measure import measure

UNITS = {"ct": "HU", "bmd": "mg/cm³"}
# No tissue, nor air (−1000 HU), is down here: scanners and programs fill so what lies outside of the field of view.
PADDING_HU = -2000
# A CT of less range, or that begins above, is in another unit or scale.
_LEAST_RANGE_HU, _MOST_LOW_HU = 20.0, 3000.0
# What scanners store at most.
_MOST_HU = 2**15 - 1
# Where more voxels lie at padding, at least this share of them has one value.
_PADDING_SHARE, _ONE_VALUE = 0.01, 0.2
# A share of voxels at the largest value, where that is below what scanners reach, is a window's end.
_CUT_SHARE, _REACHED_HU = 1e-3, 1500
# Air of stored values that lack their intercept, and the share of it that tells them from a piece of bone.
_AIR_RAW, _AIR_SHARE = 100, 0.01
# Where air lies, and this share of a CT that shows any; how far off its middle that of much air is wrong; where hardly
# a voxel lies but of lung, whose values have a median below this, and for a window's end, which has this share of
# those; and between padding and air, where scanners store nothing.
_AIR_HU, _SHOWS_AIR = (-1100, -900), 0.01
_OFF_AIR, _MUCH_AIR = 60, 0.05
_EMPTY_HU, _LUNG_HU, _EMPTY_SHARE, _WINDOW_END = (-850, -250), -650, 0.05, 0.8
_BELOW_AIR_HU, _BELOW_AIR_SHARE = (-1900, -1400), 0.02
# Where soft tissue lies if the intercept is lost; bone is seldom so dense in more voxels than less dense, or denser.
_DENSE_HU, _BONE_HU, _DENSE_SHARE = (850, 1150), (200, 800), 0.1
# Where fat and muscle lie; of what is no air they are more than this share, and in dense values above less than that.
_SOFT_HU, _LEAST_SOFT, _HARD_HU, _MOST_HARD = (-200, 200), 0.05, (300, 800), 0.2
# A CT from fat or air to no more than the latter shows no bone.
_FAT_HU, _NO_BONE_HU = -50, 200
# Fat of a CT without air is looked for in this range, in bins smoothed so far, as a peak with this share of all voxels
# that rises so far above what is beside; below the last value it is none.
_DARK_HU, _BIN_HU, _SMOOTH_BINS, _PEAK_SHARE, _PROMINENT = (-600, -20), 5, 2.0, 0.002, 0.1
_DARKEST_FAT_HU = -140
# One value in so many voxels of a region may be chance.
_FEWEST_ALIKE = 10
# Below lies air, which no bone holds in more than this share of its voxels; no bone is denser on average.
_NO_TISSUE_HU, _IN_AIR, _MOST_BONE_HU = -300, 0.02, 2200
# More than 12 bits hold above -1024, which neither cortex nor enamel has.
_METAL_HU = 3071
# Slopes of calibrations, mg/cm³ per HU, are about 1; rods lie on their line but for this share of their range.
_LEAST_SLOPE, _MOST_SLOPE, _OFF_LINE = 0.1, 10.0, 0.12
# Mindways' solid phantom: what water and the reference material add to slope and intercept of the rods' line, to get
# from their density of K2HPO4 to attenuation.
_K2HPO4_SLOPE, _WATER_INTERCEPT = -0.2174, 999.6


@dataclass(frozen=True)
class Calibration:
    """Line from attenuation to mineral density: `slope` [mg/cm³ per HU] and `intercept` [mg/cm³].

    Raises
    ------
    InputError
        If a number is not finite, or density would not rise with attenuation.
    """

    slope: float
    intercept: float

    def __post_init__(self):
        if not (np.isfinite(self.slope) and np.isfinite(self.intercept)):
            raise InputError(f"The calibration is {self.slope} and {self.intercept}; give two numbers.")
        if not self.slope > 0:
            raise InputError(
                f"The calibration has the slope {self.slope:g} mg/cm³ per HU, but density rises with attenuation; "
                "check that the values are not swapped."
            )
        if not _LEAST_SLOPE <= self.slope <= _MOST_SLOPE:
            raise InputError(
                f"The calibration has the slope {self.slope:g} mg/cm³ per HU; expected {_LEAST_SLOPE:g} to "
                f"{_MOST_SLOPE:g}, so check the unit of its densities (mg/cm³, not g/cm³)."
            )

    def density(self, hu: np.ndarray) -> np.ndarray:
        """Return mineral density [mg/cm³] of attenuation [HU] of any shape."""
        return self.slope * hu + self.intercept


def fit_calibration(hu, density, water=None) -> Calibration:
    """Fit a calibration to the rods of a phantom that was scanned with the patient.

    Parameters
    ----------
    hu : (N,) array
        Mean attenuation in each rod, HU.
    density : (N,) array
        Its mineral density, mg/cm³ (hydroxyapatite, or K2HPO4 with `water`).
    water : (N,) array, optional
        Its water-equivalent density, mg/cm³, where the maker gives one.

    Returns
    -------
    Calibration

    Raises
    ------
    InputError
        If there are fewer than two rods, numbers differ or are not finite, all rods are alike, one lies off the line of
        all, or the line is none of a `Calibration`.

    Notes
    -----
    Without `water`, the straight line of least squares through density over HU. With it, Mindways' form: HU − water is
    a line over density with slope a and intercept b; with σ = a − 0.2174 and β = b + 999.6, density = (HU − β) / σ.
    Rods A to E of that phantom have 1012.2, 1057.0, 1103.6, 1119.5, 923.2 mg/cm³ of water and −51.8, −53.4, 58.9,
    157.0, 375.8 mg/cm³ of K2HPO4; the authors' code has −5.18 for the first of these, by a slip.
    """
    hu, density = np.asarray(hu, np.float64).ravel(), np.asarray(density, np.float64).ravel()
    given = [hu, density] if water is None else [hu, density, np.asarray(water, np.float64).ravel()]
    if len({values.size for values in given}) > 1:
        found = counted(hu.size, "attenuation"), counted(density.size, "density", "densities")
        raise InputError(f"The rods have {found[0]} but {found[1]}; give one pair for each.")
    if hu.size < 2:
        raise InputError(f"The calibration has {hu.size} rod, but a line needs at least two; measure more rods.")
    if not all(np.all(np.isfinite(values)) for values in given):
        raise InputError("A rod of the calibration has no number for its attenuation or density; fill it in.")
    if np.ptp(hu) == 0 or np.ptp(density) == 0:
        what = "attenuation" if np.ptp(hu) == 0 else "density"
        raise InputError(f"All rods of the calibration have the same {what}; give rods that differ.")
    if water is None:
        slope, intercept = map(float, scipy.stats.linregress(hu, density)[:2])
        _refuse_off_line(density, slope * hu + intercept, density)
        return Calibration(slope, intercept)
    slope, intercept = map(float, scipy.stats.linregress(density, hu - given[2])[:2])
    _refuse_off_line(hu - given[2], slope * density + intercept, density)
    sigma, beta = slope + _K2HPO4_SLOPE, intercept + _WATER_INTERCEPT
    if not sigma > 0:
        raise InputError(
            f"The rods give {sigma:.3g} HU per mg/cm³, but attenuation rises with density; "
            "check that no columns are swapped."
        )
    return Calibration(float(1 / sigma), float(-beta / sigma))


def without_padding(ct: np.ndarray, fill: float | None = None) -> tuple[np.ndarray, list[str]]:
    """Return a CT whose padding, `PADDING_HU` and below, is replaced, and a note if there is any.

    Parameters
    ----------
    ct : (K, J, I) array
        Hounsfield units; an image without such values is returned as it is.
    fill : float, optional
        What replaces padding; by default the smallest value of the others, which is air.
    """
    ct = np.asarray(ct)
    padding = ct <= PADDING_HU
    count = int(np.count_nonzero(padding))
    if count in (0, ct.size):
        return ct, []
    rest = ct[~padding]
    fill = rest.min() if fill is None else fill
    kept = ct if ct.dtype.kind == "f" else ct.astype(np.float32)
    found = counted(count, "voxel holds", "voxels hold")
    note = f"{found} {PADDING_HU} and below, which is the padding of a CT, no tissue; what is padded is left out."
    return np.where(padding, kept.dtype.type(fill), kept), [note]


def _refuse_scaled(ct):
    """Raise `InputError` where values below all tissue vary as tissue does: padding is one value, or blends of it."""
    below = ct[ct <= PADDING_HU]
    if below.size <= _PADDING_SHARE * ct.size:
        return
    _, counts = np.unique(np.round(below), return_counts=True)
    if counts.max() < _ONE_VALUE * below.size:
        raise InputError(
            f"{below.size} voxels of the CT lie at {PADDING_HU} and below (down to {below.min():g}) and vary: air has "
            "−1000 HU and padding one value, so these are no Hounsfield units (another scale?); export it again."
        )


def hounsfield(ct: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Return a CT with padding as NaN, and notes, once its values can be Hounsfield units.

    Parameters
    ----------
    ct : (K, J, I) array

    Raises
    ------
    InputError
        If nothing lies below 0 HU, where fat and air are, but much where air lies without the intercept; if nothing
        lies above 0, where muscle and bone are; or if the range is that of another unit or scale.
    """
    _refuse_scaled(np.asarray(ct))
    ct, notes = without_padding(ct, np.nan)
    if not np.isfinite(ct).any():
        raise InputError("The CT holds no number; export it again.")
    low, high = float(np.nanmin(ct)), float(np.nanmax(ct))
    if low == high:
        raise InputError(f"The CT is {low:g} everywhere; give one that shows the bones.")
    if high - low < _LEAST_RANGE_HU or low > _MOST_LOW_HU:
        raise InputError(
            f"The CT runs from {low:g} to {high:g}, but air has −1000, muscle 50 and cortical bone above 1000 HU: "
            "these are no Hounsfield units (another unit or scale?); export it again."
        )
    if high > _MOST_HU:
        raise InputError(
            f"The CT reaches {high:g}, but metal ends at {_MOST_HU} HU: values below zero were stored without their "
            f"sign ({high:g} for {high - 2**16:g}), or these are no Hounsfield units; export it again."
        )
    if low >= 0:
        said = f"The CT runs from {low:g} to {high:g}, but fat has −100 and air −1000 HU: these are"
        if np.count_nonzero(ct <= _AIR_RAW) > _AIR_SHARE * ct.size:
            raise InputError(
                f"{said} no Hounsfield units but stored values without their intercept (often −1024), or a windowed "
                "picture; export it in Hounsfield units."
            )
        notes.append(f"{said} no Hounsfield units, unless this is a piece of bone alone.")
    if notes:
        _refuse_moved_down(ct)
    notes += _on_displaced(ct, low)
    if not high > 0:
        raise InputError(
            f"The CT runs from {low:g} to {high:g}, but muscle and bone lie above 0 HU: these are no Hounsfield units "
            "(was the intercept taken off twice?); export it again."
        )
    cut = int(np.count_nonzero(ct == high))
    if high < _REACHED_HU and cut > max(_CUT_SHARE * ct.size, 1):
        notes.append(
            f"{cut} voxels hold the largest value, {high:g} HU, as where a window cuts values off; means of dense bone "
            "are too low then."
        )
    if -_NO_BONE_HU < low < _FAT_HU and high < _NO_BONE_HU:
        notes.append(
            f"The CT runs from {low:g} to {high:g} HU, but cortical bone lies above 500 HU and trabecular bone mostly "
            "above 100 HU: check that its values were not divided, or windowed."
        )
    return ct, notes


def _refuse_moved_down(ct):
    """Raise `InputError` where, beside what is taken for padding, more lies where only lung does than at tissue's HU.

    With the intercept taken off twice, air lies at padding, soft tissue at air, and bone between air and fat.
    """
    between = np.count_nonzero((ct >= _EMPTY_HU[0]) & (ct < _NO_TISSUE_HU))
    tissue = np.count_nonzero(ct >= _NO_TISSUE_HU)
    if between > max(tissue, _FEWEST_ALIKE):
        raise InputError(
            f"Of the CT {between} voxels lie between {_EMPTY_HU[0]} and {_NO_TISSUE_HU} HU but only {tissue} above, "
            f"where tissue does, and many at {PADDING_HU} and below: these are no Hounsfield units (was the intercept "
            "taken off twice?); export it again."
        )


def _on_displaced(ct, low) -> list[str]:
    """Raise `InputError` where air and soft tissue stand out, but not at their places; say where they may."""
    count = np.count_nonzero(np.isfinite(ct))
    share = lambda places: np.count_nonzero((ct >= places[0]) & (ct < places[1])) / count  # noqa: E731
    advice = "are no Hounsfield units (another intercept, scale or sign?); export it again"
    # Padding of a value of its own is no tissue's.
    if share(_BELOW_AIR_HU) > max(_BELOW_AIR_SHARE, 2 * np.count_nonzero(ct == low) / count):
        raise InputError(
            f"{share(_BELOW_AIR_HU):.0%} of the CT lie between {_BELOW_AIR_HU[0]} and {_BELOW_AIR_HU[1]}, but nothing "
            f"does between padding and air (−1000 HU): these {advice}."
        )
    air = share(_AIR_HU)
    if share(_DENSE_HU) > max(_DENSE_SHARE, share(_BONE_HU), share((_DENSE_HU[1], np.inf)), air):
        shown = "nearly none" if air else "none"
        raise InputError(
            f"{share(_DENSE_HU):.0%} of the CT lie around 1000 HU, more than at those of trabecular bone, and {shown} "
            f"around −1000 HU, where air lies: these {advice}."
        )
    if share((_BELOW_AIR_HU[1], _AIR_HU[1])) >= _SHOWS_AIR:  # also where it was scaled away
        return [*_on_place_of_air(ct), *_on_soft(share, share((_NO_TISSUE_HU, np.inf)))]
    empty = share(_EMPTY_HU)
    if empty > _EMPTY_SHARE and np.count_nonzero(ct == low) < _WINDOW_END * empty * count:
        place = float(np.median(ct[(ct >= _EMPTY_HU[0]) & (ct < _EMPTY_HU[1])]))
        said = f"{empty:.0%} of the CT lie around {place:.0f} and none around −1000 HU, where air lies:"
        if place > _LUNG_HU:
            raise InputError(f"{said} these {advice}.")
        return [f"{said} unless that is lung, these {advice}."]
    return _on_fat(ct)


def _on_place_of_air(ct) -> list[str]:
    """Say if air, where much of it shows, lies beside its place, as in values that were scaled or moved."""
    counts, edges = np.histogram(ct, np.arange(_BELOW_AIR_HU[1], _AIR_HU[1] + _OFF_AIR + _BIN_HU, _BIN_HU))
    density = ndimage.gaussian_filter1d(counts.astype(float), _SMOOTH_BINS)
    place = float(edges[density.argmax()] + _BIN_HU / 2)
    if abs(place + 1000) <= _OFF_AIR or counts.sum() < _MUCH_AIR * ct.size:
        return []
    return [
        f"Air lies around {place:.0f} HU in the CT, but scanners make it −1000 HU: check that the values were not "
        f"scaled or moved{', unless that is lung' if place > -1000 else ''}."
    ]


def _on_fat(ct) -> list[str]:
    """Say if fat, where it stands out of a CT without air, is too dark for fat."""
    inside = np.isfinite(ct)
    if not inside.all():  # voxels at an edge that was cut out hold air as well
        inside = ndimage.binary_erosion(inside)
    values = ct[inside]
    counts, edges = np.histogram(values, np.arange(*_DARK_HU, _BIN_HU))
    density = ndimage.gaussian_filter1d(counts.astype(float), _SMOOTH_BINS)
    peaks, _ = scipy.signal.find_peaks(
        density, height=_PEAK_SHARE * max(values.size, 1), prominence=_PROMINENT * density.max()
    )
    if not len(peaks) or edges[peaks[-1]] > _DARKEST_FAT_HU:
        return []
    return [
        f"No air shows in the CT, and what is dark stands out around {edges[peaks[-1]]:.0f} HU, but fat has −120 to "
        "−80 HU: check that the values were not scaled or moved."
    ]


def _on_soft(share, tissue) -> list[str]:
    """Say if hardly anything lies where fat and muscle do: ten times as far out, fat looks like air."""
    soft, hard = share(_SOFT_HU), share(_HARD_HU)
    if not tissue or soft > _LEAST_SOFT * tissue or hard < _MOST_HARD * tissue:
        return []
    return [
        f"{soft / tissue:.0%} of what is no air in the CT lies between {_SOFT_HU[0]} and {_SOFT_HU[1]} HU, where fat "
        f"and muscle are, and {hard / tissue:.0%} between {_HARD_HU[0]} and {_HARD_HU[1]}: unless this is bone without "
        "soft tissue, these are no Hounsfield units (another scale?)."
    ]


def on_regions(ct: np.ndarray, labels: np.ndarray, names: dict[int, str]) -> list[str]:
    """Say which regions can hardly be of bone: partly in air, or too dense; arguments are those of `attenuation`."""
    notes, in_air = [], []
    for label, name in names.items():
        values = np.asarray(ct)[labels == label]
        values = values[np.isfinite(values)]
        if not values.size:
            continue
        if values.mean() > _MOST_BONE_HU:
            notes.append(
                f"The region {name} has {values.mean():.0f} HU on average, more than any bone: it holds metal, or "
                "these are no Hounsfield units."
            )
        elif metal := int(np.count_nonzero(values > _METAL_HU)):
            notes.append(
                f"{counted(metal, 'voxel')} of the region {name} {'has' if metal == 1 else 'have'} more than "
                f"{_METAL_HU} HU (up to {values.max():.0f}), as metal has and no bone: mean and spread are off; draw "
                "the region without it, and without its streaks."
            )
        stored, counts = np.unique(values, return_counts=True)
        if counts.max() > max(_ONE_VALUE * values.size, _FEWEST_ALIKE):
            notes.append(
                f"{counts.max() / values.size:.0%} of the region {name} hold one value, "
                f"{stored[counts.argmax()]:g} HU, as where the CT ends or its values were cut off: the mean is wrong."
            )
        share = float(np.mean(values < _NO_TISSUE_HU))
        if share > _IN_AIR:
            in_air.append(f"{share:.0%} of the region {name}")
    if in_air:
        beside = "it is beside its bone" if len(in_air) == 1 else "they are beside their bones"
        notes.append(
            f"{', '.join(in_air)} lie in air (below {_NO_TISSUE_HU} HU): {beside}, or partly out of the scanner's "
            "field of view; check the transform and the direction in which it maps."
        )
    return notes


def attenuation(
    ct: np.ndarray,
    labels: np.ndarray,
    names: dict[int, str],
    *,
    case: str,
    calibration: Calibration | None = None,
) -> list[dict]:
    """Return one row of statistics for each region: attenuation, and with a calibration mineral density too.

    Parameters
    ----------
    ct : (K, J, I) array
        Hounsfield units.
    labels : (K, J, I) int array
        Region of each voxel, 0 for none.
    names : dict of int to str
        Label to region name.
    case : str
        First column.
    calibration : Calibration, optional

    Returns
    -------
    list of dict
        As `measure.measure`, with the quantities ``ct`` [HU] and ``bmd`` [mg/cm³].

    Raises
    ------
    InputError
        If there is no region, one is empty or has no number, shapes differ, or the values are no Hounsfield units
        (`hounsfield`, whose notes are the caller's to tell).
    """
    ct, _ = hounsfield(ct)
    maps = {"ct": ct}
    if calibration is not None:
        maps["bmd"] = calibration.density(ct.astype(np.float32))
    return measure(maps, labels, names, case=case, units=UNITS)


def _refuse_off_line(values, fitted, density):
    """Raise `InputError` if one of three or more rods lies off the line of all."""
    off = np.abs(values - fitted)
    if off.max() > _OFF_LINE * np.ptp(values):
        worst = int(off.argmax())
        raise InputError(
            f"Rod {worst + 1} of the calibration ({density[worst]:g} mg/cm³) lies {off[worst]:.3g} off the line of "
            f"all, over whose range values change by {np.ptp(values):.3g}; check its numbers."
        )


METHODS = (
    Method(
        fit_calibration,
        title="Calibration of a CT",
        solves="density = slope · HU + intercept by least squares, or by the form with water-equivalent density",
        test="test_analysis_ct.CalibrationTest",
    ),
    Method(
        attenuation,
        title="Attenuation and density",
        solves="statistics of HU and of calibrated density in regions",
        test="test_analysis_ct.AttenuationTest",
    ),
)
