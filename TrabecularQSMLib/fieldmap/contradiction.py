"""What the fit leaves over, where noise would not: more along the signal than across it, or another in each slice.

All unknowns of the fit are complex but for one factor, and the noise of a complex signal is as strong along it (in
magnitude) as across it (in phase). So what is left over is as well, whatever the tissue, and both are compared voxel by
voxel. A magnitude that was smoothed leaves less along the signal, one with errors of its own more, a phase with errors
of its own more across it. Errors that a whole slice has in common stay when its voxels are averaged; those of noise
do not.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..methods import Method
from .gains import FEWEST_ECHOES, mean_in_errors
from .kind import Kind, seen
from .sample import Fits, Sample
from .search import FINEST_MISFIT
from .separation import EXACT_ECHOES
from .signal import fitted_echoes, project

# Voxels below this part of the energy in the middle, and tissues of fewer voxels, have no say.
BRIGHT, FEWEST = 0.5, 50
# Along and across count as different if the logarithm of their energies differs by so much in water and in fat and by
# so many standard errors, and what one has more of is this part of the signal: models of fat err by less.
RATIO, SURE, PART = 0.5, 8.0, 0.025
# So much of the signal's magnitude, and of its phase in rad, has each slice of its own, if halves of its voxels agree
# with this correlation. Errors half as large do less than noise at an SNR of 40.
SLICE_SCALE, SLICE_PHASE, AGREE = 0.04, 0.05, 0.7
FEWEST_SLICES, FEWEST_IN_SLICE = 4, 10
# So does each place of the image, one of so many along an axis. From few echoes the fit takes most of such errors for
# field, R2* and fat.
PLACES, FEWEST_PLACES, PLACES_AGREE, FEW_ECHOES = 6, 8, 0.5, 5
PLACE_SCALE, PLACE_PHASE, PLACE_OF_FEW = 0.03, 0.04, 0.01
# Fractions of fat that part tissues, and how much more than the mean an echo may have of what is left over by chance.
TISSUES, MOST_IN_ECHO = (0.3, 0.7), 3.0


@dataclass(frozen=True)
class Contradiction:
    """What the fit leaves over as parts of the signal, `along` it (in magnitude) and `across` it (in phase).

    Both are the root sum of squares over echoes in the middle voxel, `errors` says by how many standard errors they
    differ, zero if it is too little to matter. `axis` is the one whose slices have errors of their own, or None, and
    `scale` of the magnitude, as a part, and `phase` in rad are their standard deviations in an echo; without an axis,
    of errors that each place of the image has of its own.
    """

    along: float
    across: float
    errors: float
    axis: int | None = None
    scale: float = 0.0
    phase: float = 0.0


@dataclass(frozen=True, eq=False)
class LeftOver:
    """What the fit leaves over in voxels that tell something, with the sample and the kind of scan of these.

    `signal` (E, V) is what was fitted. `rest` (E, V) is in the direction of the model `modelled` (E, V), without what
    all voxels share: its real part is along it. `energy` (V,) is that of the echoes.
    """

    sample: Sample
    kind: Kind
    signal: np.ndarray
    energy: np.ndarray
    modelled: np.ndarray
    rest: np.ndarray

    @property
    def size(self) -> np.ndarray:
        """Magnitude (E, V) of the model."""
        return np.abs(self.modelled)

    @property
    def weight(self) -> np.ndarray:
        """Weight (V,) by what is left: one over its energy."""
        return 1 / ((np.abs(self.rest) ** 2).sum(axis=0) + FINEST_MISFIT * (self.size**2).sum(axis=0))


def find_contradiction(left: LeftOver) -> Contradiction | None:
    """Return what speaks against magnitude and phase of the echoes being of one measurement, or None if nothing does.

    Parameters
    ----------
    left : LeftOver
        From `left_over`.
    """
    axis, scale, phase = _of_slices(left)
    along, across, errors = _along_and_across(left)
    if axis is None:
        scale, phase = _of_places(left)
        if max(scale, phase) > 0:
            scale, phase = _of_places(_without_gains(left))
    found = axis is not None or errors > 0 or max(scale, phase) > 0
    return Contradiction(along, across, errors, axis, scale, phase) if found else None


def left_over(signal: np.ndarray, sample: Sample, *, kind: Kind) -> LeftOver | None:
    """Return what the fit leaves over of the signal as that kind of scan has it, or None where it leaves nothing.

    Parameters
    ----------
    signal : (E, V) complex array
    sample : Sample
        Both of voxels with signal (`sample.draw`).
    kind : Kind
        What was found in these voxels.
    """
    if sample.echoes <= EXACT_ECHOES or not signal.size:
        return None
    return _left_over(seen(signal, sample, kind), sample, kind)


def _left_over(signal, sample, kind):
    """What the fit leaves over of the signal as the kind of scan has it."""
    energy = (np.abs(signal) ** 2).sum(axis=0)
    # At a limit of R2* the fit takes less along the signal than across it.
    low, high = sample.model.r2star_range
    inside = (kind.fits.r2star > low) & (kind.fits.r2star < high)
    some = np.flatnonzero(inside & (energy > BRIGHT * np.median(energy)))
    signal, model, fits = signal[:, some], sample.model, Fits(*(values[some] for values in kind.fits))
    at = project(signal, model, fits.field_hz, fits.r2star)
    modelled = fitted_echoes(at, model, fits.field_hz, fits.r2star)
    size = np.abs(modelled)
    rest = (signal - modelled) * modelled.conj() / np.maximum(size, np.finfo(np.float32).tiny)
    shared = (size * rest).sum(axis=1) / np.maximum((size**2).sum(axis=1), np.finfo(np.float32).tiny)
    rest = rest - shared[:, None] * size
    return LeftOver(sample.part(some), replace(kind, fits=fits), signal, energy[some], modelled, rest)


def _without_gains(left):
    """What is left over without gains of single echoes, of which each tissue's fit takes another part."""
    some = left.sample.of_organs()
    if left.sample.echoes < FEWEST_ECHOES or not some.size:
        return left
    fits = Fits(*(values[some] for values in left.kind.fits))
    gains = left.sample.part(some).explained(left.signal[:, some], fits).fit.gains
    signal = (left.signal / gains[:, None]).astype(np.complex64)
    return _left_over(signal, left.sample, replace(left.kind, fits=left.sample.fits(signal)))


def share_by_chance(left: LeftOver | None) -> float:
    """Return what part of what the fit leaves over each voxel has of its own, as noise, 0 to 1.

    What a wrong model leaves over is alike in voxels of one tissue in one place of the image. Zero, if nothing is left
    over, echoes differ so much in it as noise does not, or too few voxels tell.
    """
    if left is None:
        return 0.0
    rest = left.rest * np.exp(1j * np.angle(left.modelled) - 1j * np.angle(left.modelled[:1]))
    place = _places(left.sample, np.digitize(left.kind.fits.fat, TISSUES))
    count = np.bincount(place)
    told = count[place] >= FEWEST_IN_SLICE
    rest, place, energy = rest[:, told], place[told], (np.abs(rest[:, told]) ** 2).sum(axis=1)
    if np.count_nonzero(told) < FEWEST or energy.max() > MOST_IN_ECHO * energy.mean():
        return 0.0
    sums = [np.bincount(place, one.real, count.size) + 1j * np.bincount(place, one.imag, count.size) for one in rest]
    alone = [np.bincount(place, np.abs(one) ** 2, count.size) for one in rest]
    alike = (sum(np.abs(one) ** 2 for one in sums) - sum(alone)) / np.maximum(count - 1, 1)
    return float(np.clip(1 - alike.sum() / energy.sum(), 0, 1))


def _places(sample, kind):
    """Number of the place of the image in which each voxel lies, apart for each number of its kind (V,)."""
    for position in sample.positions:
        kind = PLACES * kind + np.clip(((position + 1) / 2 * PLACES).astype(int), 0, PLACES - 1)
    return kind


def _along_and_across(left):
    """Median parts of the signal along and across it, and their difference in standard errors if it matters."""
    parts = [(part**2).sum(axis=0) / left.energy for part in (left.rest.real, left.rest.imag)]
    fat = left.kind.fits.fat
    along, across = (float(np.sqrt(np.median(part))) for part in parts)
    ratio = np.log(parts[0] + FINEST_MISFIT) - np.log(parts[1] + FINEST_MISFIT)
    tissues = [np.median(ratio[where]) for where in (fat < 0.5, fat >= 0.5) if np.count_nonzero(where) >= FEWEST]
    errors = abs(mean_in_errors(ratio))
    differ = tissues and (min(tissues) > RATIO or max(tissues) < -RATIO)
    matters = differ and errors > SURE and abs(along**2 - across**2) > PART**2
    return along, across, errors if matters else 0.0


def _of_slices(left):
    """The axis whose slices have errors of their own, and their size in magnitude and phase; or None."""
    weight, size = left.weight, left.size
    found = [_across(axis, weight * size * left.rest, weight * size**2, left.sample) for axis in range(3)]
    strength = [max(scale / SLICE_SCALE, phase / SLICE_PHASE) for scale, phase in found]
    axis = int(np.argmax(strength))
    return (axis, *found[axis]) if strength[axis] > 1 else (None, 0.0, 0.0)


def _across(axis, product, square, sample):
    """Standard deviation of errors of slices across an axis, of magnitude and phase: what both halves of them share."""
    # From slice to slice: what changes slowly over the body is no error of slices.
    steps = [np.diff(half, axis=1) for half in _halves(product, square, sample.index(axis), sample.shape[axis])]
    known = np.isfinite(steps[0][0]) & np.isfinite(steps[1][0])
    if np.count_nonzero(known) < FEWEST_SLICES - 1:
        return 0.0, 0.0
    first, second = (step[:, known] / np.sqrt(2) for step in steps)
    return _shared(first.real, second.real, AGREE), _shared(first.imag, second.imag, AGREE)


def _of_places(left):
    """Standard deviation of errors of places, of magnitude and phase, if they matter: what both halves share."""
    weight, size, sample = left.weight, left.size, left.sample
    rest = _without_errors_of_fat(size, left.rest, left.kind.fits.fat, weight)
    place = _places(sample, np.zeros(weight.size, int))
    halves = _halves(weight * size * rest, weight * size**2, place, PLACES**3)
    known = np.isfinite(halves[0][0]) & np.isfinite(halves[1][0])
    if np.count_nonzero(known) < FEWEST_PLACES:
        return 0.0, 0.0
    first, second = (half[:, known] for half in halves)
    scale, phase = _shared(first.real, second.real, PLACES_AGREE), _shared(first.imag, second.imag, PLACES_AGREE)
    least = (PLACE_OF_FEW,) * 2 if sample.echoes <= FEW_ECHOES else (PLACE_SCALE, PLACE_PHASE)
    return (scale, phase) if scale > least[0] or phase > least[1] else (0.0, 0.0)


def _without_errors_of_fat(size, rest, fat, weight):
    """What is left without what follows the fat fraction, as with another spectrum of fat."""
    without = np.empty_like(rest)
    for number, (large, left) in enumerate(zip(size, rest, strict=True)):
        powers = large * np.stack([np.ones_like(fat), fat, fat**2])
        own = np.linalg.lstsq((powers * weight) @ powers.T, (powers * weight) @ left, rcond=None)[0]
        without[number] = left - own @ powers
    return without


def _halves(product, square, place, count):
    """Means (E, count) of errors over either half of the voxels of each place, NaN where they are few."""
    halves = []
    for half in (slice(0, None, 2), slice(1, None, 2)):
        own = place[half]

        def total(values, own=own, half=half):
            return np.stack([np.bincount(own, one[half], count) for one in values])

        mean = (total(product.real) + 1j * total(product.imag)) / np.maximum(total(square), np.finfo(np.float32).tiny)
        halves.append(np.where(np.bincount(own, minlength=count) >= FEWEST_IN_SLICE, mean, np.nan))
    return halves


def _shared(first, second, agree):
    """Standard deviation of what two halves share, if they agree."""
    together = (first * second).mean()
    alone = np.sqrt((first**2).mean() * (second**2).mean())
    return float(np.sqrt(together)) if together > agree * alone > 0 else 0.0


METHOD = Method(
    find_contradiction,
    title="Magnitude against phase",
    solves="what the fit leaves over, along the signal against across it in each voxel, and common to a slice",
    test="test_fieldmap_contradiction.ContradictionTest",
)
