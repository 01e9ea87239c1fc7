"""Which fat spectrum fits a scan, and a shift of the whole spectrum against water, both found from its echoes.

Both are asked of some thousand voxels that hold fat. In fat alone a shift of the spectrum is a change of the field;
what is found comes from voxels that hold water as well.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..methods import Method
from ..progress import Progress, report
from .fat_models import WATER_PPM_PER_KELVIN, FatModel
from .gains import beyond_own
from .groups import positions_of
from .refine import refine
from .separation import Separation
from .signal import Model

VOXELS = 4000
# Fractions of fat from which a voxel can tell spectra apart; for a shift it must hold that much water, too.
FATTY = 0.1
LEAST_VOXELS = 50
# Standard errors by which another spectrum must fit better.
SURE = 5.0
# A voxel's misfit below this part of its energy is no better for it: spectra differ by less than fields do.
NO_BETTER = 1e-6
# A shift is given when it is that well known, and taken when it is that many standard errors from none and no farther
# off than water at 0 °C or 100 °C would be; what is smaller comes from voxels at surfaces, whose fat and water lie in
# different fields.
LARGEST_ERROR_PPM, SHIFTED, LARGEST_SHIFT_PPM, SMALLEST_SHIFT_PPM = 0.05, 5.0, 0.6, 0.02
SHIFT_TOLERANCE_PPM, SHIFT_STEPS = 1e-5, 20


@dataclass(frozen=True)
class SpectrumChoice:
    """The spectrum that fits best, by how many standard errors better than the first, and over how many voxels.

    `sure` says whether that counts; `best` is the first where none fits better. `gain`: by what part the misfits (sums
    of squares) are smaller in the geometric mean.
    """

    best: str
    errors: float
    voxels: int
    gain: float

    @property
    def sure(self) -> bool:
        """Whether the best fits better than the first beyond doubt."""
        return self.errors > SURE

    def sentence(self, first: str) -> str:
        """Say what was found, for the name of the spectrum that the others were compared with."""
        if self.voxels < LEAST_VOXELS:
            return (
                f"Which fat spectrum fits cannot be told from this scan: {self.voxels} of the voxels looked at hold "
                f"fat, expected {LEAST_VOXELS} at least; {first} was kept."
            )
        if self.sure:
            return (
                f"The fat spectrum {self.best} fits this scan better than {first}, by {self.errors:.0f} standard "
                f"errors over {self.voxels} voxels with fat (misfits smaller by {self.gain:.2g} of them); it was taken."
            )
        return (
            f"No fat spectrum fits this scan surely better than {first} (the best of the others by "
            f"{self.errors:+.1f} standard errors over {self.voxels} voxels with fat); {first} was kept."
        )


@dataclass(frozen=True)
class SpectrumShift:
    """Shift of fat against water in ppm, its standard error, and the number of voxels it comes from.

    `ppm` and `error` are not numbers (NaN) where too few voxels hold water and fat.
    """

    ppm: float
    error: float
    voxels: int

    @property
    def known(self) -> bool:
        """Whether the data tell the shift."""
        return bool(self.error < LARGEST_ERROR_PPM and abs(self.ppm) < LARGEST_SHIFT_PPM)

    @property
    def seen(self) -> bool:
        """Whether it differs from none, and by more than the surface of fat looks alike."""
        return self.known and abs(self.ppm) > max(SHIFTED * self.error, SMALLEST_SHIFT_PPM)

    def sentence(self, imaging_frequency: float, spectrum: FatModel) -> str:
        """Say what was found, at a frequency in Hz and beyond the spectrum given."""
        if self.voxels < LEAST_VOXELS:
            return (
                f"A shift of fat against water cannot be told from this scan: {self.voxels} of the voxels looked at "
                f"hold both, expected {LEAST_VOXELS} at least; none was taken."
            )
        hertz = 1e-6 * imaging_frequency
        found = (
            f"{self.ppm:+.4f} ± {self.error:.4f} ppm ({self.ppm * hertz:+.2f} ± {self.error * hertz:.2f} Hz, "
            f"standard error, over {self.voxels} voxels with water and fat)"
        )
        if not self.known:
            return f"The shift of fat against water found in this scan, {found}, is not to be believed; none was taken."
        if not self.seen:
            return (
                f"No shift of fat against water is seen in this scan ({found}; less than {SMALLEST_SHIFT_PPM:g} ppm "
                "may come from surfaces of fat alone); none was taken."
            )
        celsius = spectrum.temperature_celsius - self.ppm / WATER_PPM_PER_KELVIN
        warmth = f", as if water had {celsius:.0f} °C" if 0 <= celsius <= 60 else ""
        return f"Fat is shifted against water by {found} beyond its spectrum{warmth}; this was taken into the model."


@dataclass(frozen=True, eq=False)
class Sample:
    """Echoes (E, V) of some thousand voxels with fat, and field in Hz and R2* in 1/s (V,) to start fits from."""

    signal: np.ndarray
    field_hz: np.ndarray
    r2star: np.ndarray


def sample(
    echoes: np.ndarray, mask: np.ndarray, separation: Separation, *, mixed: bool, sign: int = 1, groups=None
) -> Sample:
    """Return voxels of a mask that hold fat, with what is the echoes' own taken off.

    Parameters
    ----------
    echoes : (E, K, J, I) complex array
    mask : (K, J, I) bool array
        Voxels with signal.
    separation : Separation
        With any spectrum: its field, and where fat is, hardly depend on that.
    mixed : bool
        Whether voxels must hold water as well.
    sign, groups
        Those of `kind.Kind`.
    """
    share = _share(separation.fat, separation.water)
    voxels = np.flatnonzero(mask & (share > FATTY) & ((share < 1 - FATTY) | (not mixed)))
    voxels = voxels[np.linspace(0, voxels.size - 1, min(VOXELS, voxels.size)).astype(int)]
    at = np.unravel_index(voxels, mask.shape)
    signal = np.stack([echo[at] for echo in echoes]).astype(np.complex64)
    if groups is not None:
        signal = groups.corrected(signal, positions_of(mask.shape, voxels)).astype(np.complex64)
    return Sample(signal.conj() if sign < 0 else signal, separation.field_hz[at], separation.r2star[at])


def choose_spectrum(
    voxels: Sample,
    spectra: Mapping[str, FatModel],
    *,
    echo_times: np.ndarray,
    imaging_frequency: float,
    progress: Progress | None = None,
) -> SpectrumChoice:
    """Return which of several spectra fits best.

    Parameters
    ----------
    voxels : Sample
        Of more than three echoes; three fit any spectrum.
    spectra : mapping of name to FatModel
        The first is kept unless another one is surely better.
    echo_times : (E,) array
        Seconds.
    imaging_frequency : float
        Hz.

    Notes
    -----
    Each voxel is fitted with every spectrum. Over the voxels in which both find fat, the differences of the logarithms
    of the misfits of two spectra are compared in pairs with their standard error.
    """
    first, *others = spectra
    signal, misfits, fractions = voxels.signal, {}, {}
    for done, (name, spectrum) in enumerate(spectra.items(), start=1):
        model = Model(np.asarray(echo_times, np.float64), spectrum.signal(echo_times, imaging_frequency))
        _, _, water, fat, residual = refine(signal, model, voxels.field_hz, voxels.r2star)
        power = np.maximum((np.abs(signal) ** 2).sum(axis=0), np.finfo(np.float32).tiny)
        misfits[name] = np.log(residual**2 / power + NO_BETTER)
        fractions[name] = _share(fat, water)
        report(progress, done / len(spectra), "Comparing spectra of fat")
    best, errors, count, gain = first, -np.inf, 0, 0.0
    for name in others:
        fatty = np.minimum(fractions[first], fractions[name]) > FATTY
        difference = (misfits[first] - misfits[name])[fatty]
        if difference.size < LEAST_VOXELS:
            continue
        spread = difference.std() / np.sqrt(difference.size)
        better = float(difference.mean() / spread) if spread > 0 else 0.0
        count = max(count, difference.size)
        # The larger gain in misfit, not in standard errors, fits better.
        if better > SURE and (best == first or misfits[name][fatty].mean() < misfits[best][fatty].mean()):
            best, errors, gain = name, better, float(-np.expm1(-difference.mean()))
        elif best == first:
            errors = max(errors, better)
    return SpectrumChoice(best, errors, count, gain)


def estimate_shift(
    voxels: Sample,
    spectrum: FatModel,
    *,
    echo_times: np.ndarray,
    imaging_frequency: float,
    progress: Progress | None = None,
) -> SpectrumShift:
    """Return by how much all peaks of a fat spectrum are shifted against water in a scan, beyond the spectrum given.

    Parameters
    ----------
    voxels : Sample
        Those that hold water and fat, of more than three echoes.
    spectrum : FatModel
    echo_times : (E,) array
        Seconds.
    imaging_frequency : float
        Hz.

    Notes
    -----
    Gauss–Newton for one shift common to all voxels that hold water and fat, with each voxel's own water, fat, field
    and R2* projected out. The standard error is that of the sum of the voxels' gradients as they scatter (sandwich
    estimator; White 1982, doi 10.2307/1912526), so that it holds where noise is not what is left over.
    """
    shift, error, count, signal = 0.0, np.nan, 0, voxels.signal
    for step_number in range(SHIFT_STEPS):
        fat = spectrum.shifted(shift)
        model = Model(np.asarray(echo_times, np.float64), fat.signal(echo_times, imaging_frequency))
        field, rate, water_part, fat_part, residual = refine(signal, model, voxels.field_hz, voxels.r2star)
        share = _share(fat_part, water_part)
        both = (share > FATTY) & (share < 1 - FATTY)
        count = int(np.count_nonzero(both))
        if count < LEAST_VOXELS:
            return SpectrumShift(np.nan, np.nan, count)
        slope = 2j * np.pi * 1e-6 * imaging_frequency * model.echo_times * model.fat
        gradient, curvature = _along(signal[:, both], model, slope, field[both], rate[both])
        weight = 1 / (residual[both] ** 2 + np.median(residual[both] ** 2) + np.finfo(float).tiny)
        total = float(weight @ curvature)
        if not total > 0:
            return SpectrumShift(np.nan, np.nan, count)
        step = float(weight @ gradient) / total
        error = float(np.linalg.norm(weight * (gradient - step * curvature))) / total
        shift += float(np.clip(step, -0.1, 0.1))
        report(progress, (step_number + 1) / SHIFT_STEPS, "Estimating the shift of fat")
        if abs(step) < SHIFT_TOLERANCE_PPM or abs(shift) > 2 * LARGEST_SHIFT_PPM:
            break
    return SpectrumShift(shift, error, count)


def _share(fat, water):
    return np.abs(fat) / np.maximum(np.abs(water) + np.abs(fat), np.finfo(float).tiny)


def _along(signal, model, slope, field, rate):
    """Gradient and curvature (V,) of each voxel's misfit along a change of the fat signal by `slope` (E,)."""
    change, rest = beyond_own(signal, model, field, rate, lambda _, of_fat: [of_fat * slope[:, None]])
    return np.einsum("vnp,vn->v", change, rest), np.einsum("vnp,vnp->v", change, change)


METHODS = (
    Method(
        choose_spectrum,
        title="Choice of the fat spectrum",
        solves="paired differences of log misfits of two spectra over voxels with fat, in standard errors",
        test="test_fieldmap_spectrum.ChoiceTest",
        options={"spectra": "fat_spectrum"},
    ),
    Method(
        estimate_shift,
        title="Shift of fat",
        solves="one shift of all peaks against water, by Gauss–Newton with all else projected out",
        test="test_fieldmap_spectrum.ShiftTest",
        reference="doi 10.2307/1912526",
        options={"spectrum": "fat_shift"},
    ),
)
