"""The sign of the phase, found from the echoes: with the other one, fat lies on the wrong side of water."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .gains import mean_in_errors
from .groups import EchoGroups
from .sample import Fits, Sample
from .search import FINEST_MISFIT
from .signal import mean_field, project, within_period

# Voxels in which the fit finds such a fraction of fat, with either sign, have a say of their own on the sign: a little
# fat is told best where it is pure.
FATTY = (0.4, 0.7)
# Standard errors at which the sign counts.
SURE_OF_SIGN = 4.0
# Where most voxels are water with one sign and fat with the other, as noise makes them in a weak field, up to 30 % of
# fat in water speaks for the wrong sign by up to 7.5 standard errors: more is asked for.
SURE_IF_AMBIGUOUS, HALF = 12.0, 0.5
# So much in the logarithm is left over more with the other sign, by errors of single echoes of 5 % that even and odd
# echoes, or the wrong sign alone, take a part of (0.17 at SNR 10 in six echoes, by up to 21 standard errors).
LITTLE = 0.25
# What the field says is sure from here on where such errors may have spoken (they say 11.5 for the wrong sign).
SURE_IF_DOUBTFUL = 14.0
# A field that goes on smoothly from water to fat: how far single voxels are off it in ppm, the values of R2* over one
# over the train that are tried, and how many voxels. One has a say if it fits twice as well with one of the signs.
OFF_SMOOTH_PPM, RATES, FIELD_VOXELS, TWICE, SURE_BY_FIELD = 0.8, (0.1, 0.4, 1.0, 2.5), 2000, np.log(2), 5.0


class Answer(NamedTuple):
    """Number of the sign that fits better, and whether the other one can be ruled out."""

    best: int
    sure: bool


def answer_of(errors: float, sure: float = SURE_OF_SIGN) -> Answer:
    """Return what the errors say, by which the second sign fits worse; the first is taken where they say little."""
    return Answer(int(errors < -sure), abs(errors) > sure)


def sign_errors(fits: Sequence[Fits]) -> float:
    """Return by how many standard errors the second sign fits worse: over all voxels, or over those with fat."""
    if len(fits) == 1:
        return np.inf
    plus, minus = fits
    difference, fat = minus.misfit - plus.misfit, np.maximum(minus.fat, plus.fat)
    # Only fat can tell, and where it is rare, the others add noise alone.
    errors = [mean_in_errors(difference[fat >= least]) for least in (0.0, *FATTY)]
    # Water that contradicts fat shows errors of echoes: it looks alike with either sign.
    if min(errors) < -SURE_OF_SIGN and max(errors) > SURE_OF_SIGN:
        return 0.0
    best = max(errors, key=abs)
    return 0.0 if ambiguous(fits) and abs(best) < SURE_IF_AMBIGUOUS else best


def ambiguous(fits: Sequence[Fits]) -> bool:
    """Return whether most voxels are water with one sign and fat with the other: then either has a smooth field."""
    return len(fits) > 1 and bool(np.mean((fits[0].fat > HALF) != (fits[1].fat > HALF)) > HALF)


def differ_little(fits: Sequence[Fits]) -> bool:
    """Return whether both signs leave nearly as much over, as errors of single echoes may make them, in fat as well."""
    plus, minus = fits
    difference, fat = minus.misfit - plus.misfit, np.maximum(plus.fat, minus.fat)
    parts = [difference[fat >= least] for least in (0.0, *FATTY)]
    return max(abs(part.mean()) for part in parts if part.size) < LITTLE


def sign_by_field(signals: Sequence[np.ndarray], fits: Sequence[Fits], sample: Sample) -> float:
    """Return by how many standard errors the second sign fits worse where the field goes on from water to fat.

    Fat in noise fits nearly as well as water beside fat's own field. With the right sign there is one smooth field for
    both, all over the image; with the other one water and fat change places, and one of them does not fit.
    """
    if len(signals) == 1:
        return np.inf
    some = slice(FIELD_VOXELS)
    sample, costs = sample.part(some), []
    for signal, its in zip(signals, fits, strict=True):
        field = smooth_field(its.field_hz[some], sample)
        shifted = [misfit_near(signal[:, some], sample, field + n * sample.fat_hz) for n in (-1, 0, 1)]
        costs.append(min(shifted, key=np.mean))
    plus, minus = (np.count_nonzero(gain > TWICE) for gain in (costs[1] - costs[0], costs[0] - costs[1]))
    return (plus - minus) / np.sqrt(max(plus + minus, 1))


def smooth_field(field, sample):
    """Return a polynomial of second order through most of the fields in Hz, which are known up to whole periods."""
    x, period = sample.positions.astype(float), sample.model.period_hz
    terms = np.stack([np.ones(field.size), *x, *(x[a] * x[b] for a in range(3) for b in range(a, 3))], axis=1)
    smooth = np.full(field.size, mean_field(field, period)[0])
    for used in (1, 4, 4, 10, 10, 10):
        off = within_period(field - smooth, period)
        near = np.abs(off) < abs(sample.fat_hz) / 2
        smooth += terms[:, :used] @ np.linalg.lstsq(terms[near, :used], off[near], rcond=1e-6)[0]
    return smooth


def misfit_near(signal, sample, field):
    """Return the least logarithm of what is left of the energy at fields nearby, (V,)."""
    cost = np.full(field.size, np.inf)
    for off in np.linspace(-1, 1, 7) * OFF_SMOOTH_PPM * sample.ppm_hz:
        for rate in RATES:
            at = project(signal, sample.model, field + off, np.full(field.size, rate / sample.model.train))
            cost = np.minimum(cost, at.cost)
    return np.log(cost / np.maximum((np.abs(signal) ** 2).sum(axis=0), np.finfo(np.float32).tiny) + FINEST_MISFIT)


def asks_for_gains(signals: Sequence[np.ndarray], which: int, groups: Sequence[EchoGroups | None], sample: Sample):
    """Return whether single echoes ask for gains of their own with one of both signs."""
    some = sample.of_organs()
    sample, signal = sample.part(some), signals[which][:, some]
    signal = sample.without(groups[which], signal)
    return sample.asks_for_gains(signal, sample.fits(signal))


def sign_by_gains(
    signals: Sequence[np.ndarray], best: int, groups: Sequence[EchoGroups | None], sample: Sample
) -> Answer | None:
    """Return what is known of the sign where single echoes have gains of their own, else None.

    Thousands of voxels then say no more than one, and standard errors over them mean nothing. Where groups of echoes,
    one for each sign, leave such gains over, they are not the whole kind of the scan, and say less.
    """
    if not asks_for_gains(signals, best, groups, sample):
        return None
    some = sample.of_organs()
    sample = sample.part(some)
    signals = [sample.without(its, one[:, some]) for its, one in zip(groups, signals, strict=True)]
    answers = []
    for signal in signals:
        gains = np.ones(sample.echoes)
        # Gains bring the voxels in line, each of which began with its own best field.
        for _ in range(2):
            fits = sample.fits((signal / gains[:, None]).astype(np.complex64))
            explained = sample.explained(signal, fits, gains)
            gains = explained.fit.gains
        answers.append(explained)
    plus, minus = answers
    wins = [one.beats(other, by_tuning=groups[best] is None) for one, other in ((plus, minus), (minus, plus))]
    return Answer(wins.index(True), True) if sum(wins) == 1 else Answer(0, False)
