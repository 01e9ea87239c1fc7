"""Mistakes of headers and exports that the echoes themselves show: with one of them undone, they fit far better."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.special import digamma

from ..methods import Method
from ..progress import Progress, report
from .gains import FEWEST_ECHOES, mean_in_errors
from .kind import Kind, seen
from .sample import Fits, Sample
from .search import FINEST_MISFIT, search
from .signal import fitted_echoes, project

# Voxels that are asked, and those with so much fat that have a say of their own.
VOXELS, FATTY, FEWEST = 400, 0.4, 50
# How many mistakes, the likeliest by the search alone, are fitted.
LIKELY = 4
# Where the misfit is no more than so many times that of noise, only small errors of times could be hidden in it.
NOISY = 1.5
# A mistake counts if the logarithm of the misfit falls by so much without it, and by so many standard errors; and if
# little but noise is left then, or so much is gone that errors of single echoes would not do it.
GAINED, SURE, MOST = 0.25, 8.0, np.log(2)
# Of fewer echoes than tell gains of their own, errors of single ones of 5 % feign 0.76 (fat 0.9 times as far away).
GAINED_OF_FEW = 0.85
# An echo is not negated where gains of single echoes leave so much less of the logarithm than that.
BETTER_BY_GAINS = 0.1
# Water and fat in one voxel beat, in magnitude and phase alike, which tells a power of the magnitude, that of the echo
# beside, or phases in the reverse order: the misfit there falls by so much with it (by 0.11 at most in right scans, by
# 4.6 standard errors). Dim voxels, below this part of the energy in the middle, are noise.
MIXED, MIXED_VOXELS, BRIGHT, GAINED_BETWEEN_PARTS = (0.15, 0.85), 800, 0.5, 0.2
# What gains less than this could be errors of single echoes, which must gain less then; or not so many times as much,
# beside a power, of which they take up a part.
PLAIN, FAR_MORE = 0.5, 2.0
# What undoes powers, of which there is the root or square of a magnitude, and what displays do to it (gamma). It is
# asked where mixed voxels have so much more left over than pure ones, as other mistakes do not leave.
POWERS, OVER_PURE = (0.5, 0.71, 1.41, 2.0), 0.5
# One echo fewer has to leave something over.
FEWEST_TO_SHIFT = 5
# What times or field strengths may be off by: other fields than 3 T and 1.5 T, factors of 2, and times of another scan.
SMALL = (0.9, 1.1)
SCALES = (0.43, 0.5, 0.67, 0.8, *SMALL, 1.25, 1.5, 2.0, 2.33)
# What all times may be off by, in parts of their spacing.
OFFSETS = (-1.5, -1.0, -0.5, 0.5, 1.0, 1.5)


@dataclass(frozen=True)
class Mistake:
    """One mistake, and what speaks for it.

    `what` is "scale" (times, or the field strength, are to be multiplied by `number`), "offset" (all times are to be
    later by `number` seconds), "order" (echo `number` belongs behind the next one), "reversed", "gap" (an echo is
    missing behind echo `number`), "negated" or "conjugated" (echo `number`, every other one if it is 0), "power" (the
    magnitude is to be raised to `number`), "magnitude" or "phase" (that of each echo is of the one `number` behind it,
    1 or −1), or "phases" (they are in the reverse order); `gained` is the part of the misfit that is gone without it,
    `errors` that in standard errors.
    """

    what: str
    number: float
    gained: float
    errors: float


def find_mistake(
    signal: np.ndarray,
    sample: Sample,
    *,
    kind: Kind,
    noise: float,
    progress: Progress | None = None,
) -> Mistake | None:
    """Return the mistake without which a scan fits best, or None if it fits as well as noise lets it, or nearly.

    Parameters
    ----------
    signal : (E, V) complex array
    sample : Sample
        Both of voxels with signal (`sample.draw`), as the header says.
    kind : Kind
        What was found in these voxels without the thought of a mistake; it must fit less well than what is found here.
    noise : float
        Standard deviation in the real channel of an echo.
    """
    if sample.echoes <= 3 or not signal.size:  # three echoes fit anything
        return None
    some = slice(VOXELS)
    as_is = Fits(*(values[some] for values in kind.fits))
    found = [
        _find_single(signal[:, some], sample.part(some), as_is, kind, noise, progress),
        _find_between_parts(signal, sample, kind, noise),
    ]
    return max(filter(None, found), key=lambda one: one.gained, default=None)


def _find_single(signal, sample, as_is, kind, noise, progress) -> Mistake | None:
    """A mistake of times, field strength, order or single echoes."""
    by_noise = _by_noise(signal, noise)

    def noisy(fits):
        return np.mean(fits.misfit - by_noise) < np.log(NOISY)

    least = GAINED if sample.echoes >= FEWEST_ECHOES else GAINED_OF_FEW
    possible = [*(_scaled(signal, SMALL) if noisy(as_is) else _possible(signal, sample))]
    best = None
    for fit in _likeliest(possible, sample, progress):
        without = fit.sample.fits(fit.signal)
        gained, errors = _gain(as_is, without)
        counts = gained > least and errors > SURE and (gained > MOST or noisy(without))
        if counts and (best is None or gained > best.gained):
            best, fits = Mistake(fit.what, fit.number, gained, errors), without
    if best is None or _gains_do_as_well(best, fits, seen(signal, sample, kind), sample, as_is):
        return None
    return replace(best, gained=float(-np.expm1(-best.gained)))


def _by_noise(signal, noise):
    """Logarithm of the misfit that noise alone is expected to leave over of each voxel, (V,)."""
    power = np.maximum((np.abs(signal) ** 2).sum(axis=0), np.finfo(np.float32).tiny)
    return np.log((2 * len(signal) - 6) * noise**2 / power) if noise > 0 else np.full(power.size, -np.inf)


def _find_between_parts(signal, sample, kind, noise) -> Mistake | None:
    """A magnitude that is not that of its phase: a power of it, or either part of another echo.

    Voxels of water and fat show it.
    """
    energy = (np.abs(signal) ** 2).sum(axis=0)
    bright = energy > BRIGHT * np.median(energy)
    mixed = (kind.fits.fat > MIXED[0]) & (kind.fits.fat < MIXED[1])
    pure, mixed = kind.fits.misfit[bright & ~mixed], np.flatnonzero(bright & mixed)[:MIXED_VOXELS]
    if mixed.size < FEWEST:
        return None
    sample, as_it_came = sample.part(mixed), signal[:, mixed]
    signal, fits = seen(as_it_came, sample, kind), Fits(*(values[mixed] for values in kind.fits))
    as_is = fits.misfit
    # Phases of other echoes can take noise away, too, where a single mixture fills the scan: they are asked if clearly
    # more is left over. Powers, which change the noise of the air, are asked where pure voxels leave less.
    freedom = sample.echoes - 3
    by_noise = _by_noise(as_it_came, noise).mean() + digamma(freedom) - np.log(freedom)
    more = as_is.mean() - by_noise > GAINED_BETWEEN_PARTS / 2
    # What other mistakes leave over is in pure voxels, too.
    alone = not pure.size or as_is.mean() - pure.mean() >= OVER_PURE

    def gains(signal, as_it_came, as_is):
        found = [*_off_by_one(signal, sample)] if more and sample.echoes >= FEWEST_TO_SHIFT else []
        found += _powers(signal, sample, as_is) if alone and pure.size else []
        return found + ([_reversed_phases(as_it_came, sample, as_is)] if alone and more else [])

    found = gains(signal, as_it_came, as_is)
    if any(gained.mean() > GAINED_BETWEEN_PARTS for _, _, gained in found):
        # Noise alone gains as well where echoes have decayed into it: as much as in a right scan of such tissue.
        alike = _with_noise(signal, sample, fits)
        by_chance = gains(alike, alike, sample.fits(alike).misfit)
        found = [(*one[:2], one[2] - max(chance[2].mean(), 0)) for one, chance in zip(found, by_chance, strict=True)]
    found = [_gained(*one) for one in found]
    found = [one for one in found if one.gained > -np.expm1(-GAINED_BETWEEN_PARTS) and one.errors > SURE]
    best = max(found, key=lambda one: one.gained, default=None)
    if best is None or best.gained > -np.expm1(-PLAIN):
        return best
    allowed = (FAR_MORE if best.what == "power" else 1.0) * -np.log1p(-best.gained)
    return None if _gains_gain(signal, sample, fits) > allowed else best


def _gains_gain(signal, sample, fits) -> float:
    """By how much the logarithm of the misfit falls with gains of single echoes; infinite where they fit anything."""
    some = sample.of_organs()
    if sample.echoes < FEWEST_ECHOES or not some.size:
        return np.inf
    fits = Fits(*(values[some] for values in fits))
    return float((fits.misfit - np.log(sample.part(some).explained(signal[:, some], fits).fit.misfit)).mean())


def _powers(signal, sample, as_is) -> Iterator[tuple]:
    """Powers of the magnitude."""
    size = np.abs(signal) / np.maximum(np.abs(signal).max(axis=0), np.finfo(np.float32).tiny)
    for power in POWERS:
        fits = sample.fits((signal * np.maximum(size, 1e-3) ** (power - 1)).astype(np.complex64))
        # With the power of the signal noise along it changes, noise across it does not.
        yield "power", power, as_is - fits.misfit - max(np.log(2 / (power**2 + 1)), 0)


def _with_noise(signal, sample, fits):
    """Echoes as the model has them, with noise as strong in each voxel as what the fit leaves over."""
    at = project(signal, sample.model, fits.field_hz, fits.r2star)
    modelled = fitted_echoes(at, sample.model, fits.field_hz, fits.r2star)
    noise = np.random.default_rng(0).standard_normal((*signal.shape, 2)) @ [1, 1j]
    return (modelled + noise * np.sqrt(at.cost / (2 * len(signal) - 6))).astype(np.complex64)


def _reversed_phases(signal, sample, as_is) -> tuple:
    """Phases in the reverse order, which alone look like those of the other sign, and hide what groups have."""
    size = np.abs(signal)
    turn = (signal / np.maximum(size, np.finfo(np.float32).tiny))[::-1]
    misfits = [sample.fits((size * one).astype(np.complex64)).misfit for one in (turn, turn.conj())]
    return "phases", 0, as_is - min(misfits, key=np.mean)


def _off_by_one(signal, sample) -> Iterator[tuple]:
    """The magnitude of each echo with the phase of the one beside, where the echo times are those of either."""
    times, size = sample.model.echo_times, np.abs(signal)
    turn = signal / np.maximum(size, np.finfo(np.float32).tiny)
    sooner, later = slice(None, -1), slice(1, None)
    for by, off, right in ((1, sooner, later), (-1, later, sooner)):
        at = sample.timed(times[right], 1.0)
        as_is = at.fits(signal[right]).misfit
        for what, put in (("magnitude", size[off] * turn[right]), ("phase", size[right] * turn[off])):
            yield what, by, as_is - at.fits(put).misfit


def _gained(what, number, difference) -> Mistake:
    return Mistake(what, number, float(-np.expm1(-difference.mean())), mean_in_errors(difference))


def _gains_do_as_well(mistake, fits, signal, sample, as_is) -> bool:
    """Whether gains of single echoes, which are told elsewhere, leave no more than a mistake does."""
    some = sample.of_organs()
    if sample.echoes < FEWEST_ECHOES or not some.size:
        return False
    as_is, fits = (Fits(*(values[some] for values in one)) for one in (as_is, fits))
    by_gains = as_is._replace(misfit=np.log(sample.part(some).explained(signal[:, some], as_is).fit.misfit))
    gained, errors = _gain(by_gains, fits)
    if mistake.what == "negated":  # which is such a gain itself
        return gained < -BETTER_BY_GAINS
    return gained < GAINED or errors < SURE


class _Fit(NamedTuple):
    """A mistake, the signal and sample without it, and what the search alone leaves over then."""

    cost: float
    what: str
    number: float
    signal: np.ndarray
    sample: Sample


def _likeliest(possible, sample, progress) -> list[_Fit]:
    """Return the mistakes that the search alone, with either sign of the phase, prefers."""
    fits = []
    for tried, (what, number, changed, times, shift) in enumerate(possible):
        report(progress, tried / len(possible), "Looking for mistakes of the header")
        one = sample if times is None and shift == 1 else sample.timed(times, shift)
        for turned in (changed, changed.conj()):
            cost = np.log(search(turned, one.table)[2][0] + FINEST_MISFIT).mean()
            fits.append(_Fit(float(cost), what, number, turned, one))
    return sorted(fits, key=lambda fit: fit.cost)[:LIKELY]


def _possible(signal, sample) -> Iterator[tuple]:
    """Mistakes, each with the signal, the times (or None) and the factor of fat's shift without it."""
    times = sample.model.echo_times
    count = times.size
    yield from _scaled(signal, SCALES)
    for part in OFFSETS:
        later = part * (times[1] - times[0])
        if times[0] + later > 0:
            yield "offset", later, signal, times + later, 1.0
    yield "reversed", 0, signal[::-1], None, 1.0
    for n in range(count - 1):
        order = np.arange(count)
        order[[n, n + 1]] = n + 1, n
        yield "order", n + 1, signal[order], None, 1.0
        gap = times[n + 1] - times[n]
        yield "gap", n + 1, signal, np.where(np.arange(count) > n, times + gap, times), 1.0
    for n in range(-1, count):
        here = (np.arange(count) % 2 == 1 if n < 0 else np.arange(count) == n)[:, None]
        yield "negated", n + 1, np.where(here, -signal, signal), None, 1.0
        yield "conjugated", n + 1, np.where(here, signal.conj(), signal), None, 1.0


def _scaled(signal, scales) -> Iterator[tuple]:
    for scale in scales:
        yield "scale", scale, signal, None, scale


def _gain(as_is: Fits, other: Fits) -> tuple[float, float]:
    """Mean fall of the logarithm of the misfit, and that in standard errors, over all voxels or over those with fat."""
    difference, fat = as_is.misfit - other.misfit, np.maximum(as_is.fat, other.fat)
    parts = [difference[part] for part in (fat >= 0, fat >= FATTY) if np.count_nonzero(part) >= FEWEST]
    return max(((float(part.mean()), mean_in_errors(part)) for part in parts), default=(0.0, 0.0))


METHOD = Method(
    find_mistake,
    title="Mistakes of headers and exports",
    solves="the mistake (times, field, order, signs, part squared or of another echo) without which misfits fall most",
    test="test_fieldmap_mistakes.MistakesTest",
)
