"""The sign of the phase, found from the echoes: with the other one, fat lies on the wrong side of water."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from .gains import mean_in_errors
from .groups import EchoGroups
from .sample import Fits, Sample
from .search import FINEST_MISFIT, search
from .smooth_field import SmoothFit

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
# Where the field goes on smoothly from water to fat, a voxel has a say if it fits twice as well with one of the signs;
# few have, if it fits four times as well: neither noise nor errors of echoes do that in more than single ones.
TWICE, FOURFOLD, SURE_BY_FIELD, LEAST_CHANCE = np.log(2), np.log(4), 5.0, 1e-300
# One line beside water explains a scan better than fat does if it leaves so much less of the logarithm over, in so many
# voxels: noise alone makes 0.1, as a line has its image on the other side. The second is asked for beside fat with
# gains. Its offsets are so far apart, as parts of one over the train that are halved so many times, up to so many ppm;
# nearer to water than that it is water.
BY_LINE, BY_LINE_ALONE, LINE_VOXELS, LINE_STEPS, HALVINGS, LINE_PPM, AS_WATER = 0.2, 0.05, 400, 8, 3, 8.0, 0.96


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


def sign_by_field(seen: Sequence[Sequence[SmoothFit]]) -> float:
    """Return by how many standard errors the second sign fits worse where the field goes on from water to fat.

    Fat in noise fits nearly as well as water beside fat's own field. With the right sign there is one smooth field for
    both, all over the image; with the other one water and fat change places, and one of them does not fit. Water beside
    air is as far off as fat is, on either side, but more of it lies between: where more voxels fit at a field of their
    own alone than speak for a sign, the field is not smooth, and says nothing.
    """
    if len(seen) == 1:
        return np.inf
    near = [min(fits, key=_mean_misfit) for fits in seen]
    plus, minus = (fit.misfit for fit in near)
    gains = minus - plus, plus - minus
    votes, sure_votes = ([np.count_nonzero(gain > least) for gain in gains] for least in (TWICE, FOURFOLD))
    most = int(np.argmax(votes))
    if np.count_nonzero(near[most].lost > FOURFOLD) > votes[most]:
        return 0.0
    errors = (votes[0] - votes[1]) / np.sqrt(max(sum(votes), 1))
    # A few voxels that all say the same are rarer by chance than a normal distribution has it.
    chance = special.bdtr(min(sure_votes), sum(sure_votes), 0.5)
    return float(max(errors, np.sign(sure_votes[0] - sure_votes[1]) * _in_errors(chance), key=abs))


def sign_by_mimics(seen: Sequence[Sequence[SmoothFit]], echoes: int, groups: int) -> float:
    """Return by how many standard errors the second sign is less likely, as it needs errors that mimic the first.

    It does if it fits worse, and single echoes have next to no errors with the first. Echoes are in so many `groups`
    that have gains of their own.
    """
    for best, side in zip(range(len(seen)), (1, -1), strict=False):
        fit = min(seen[best], key=_mean_misfit)
        if len(seen) > 1 and _mean_misfit(fit) < min(map(_mean_misfit, seen[1 - best])):
            return side * min(_errors_of_mimics(fit, other, echoes, groups) for other in seen[1 - best])
    return 0.0


def may_be_mimicked(seen: Sequence[Sequence[SmoothFit]], best: int, echoes: int, groups: int) -> bool:
    """Return whether errors of single echoes may be most of what the other sign leaves over more."""
    fit = min(seen[best], key=_mean_misfit)
    left, by_gains = _left(fit)
    for other in seen[1 - best]:
        more, more_by_gains = (theirs - ours for theirs, ours in zip(_left(other), (left, by_gains), strict=True))
        if more_by_gains > HALF * more and _errors_of_mimics(fit, other, echoes, groups) < SURE_OF_SIGN:
            return True
    return False


def better_as_line(signals: Sequence[np.ndarray], as_fat: np.ndarray, sample: Sample, least: float = BY_LINE) -> bool:
    """Return whether one line beside water, at any offset, leaves less of one of the signals than fat does (V,).

    Silicone, or water elsewhere in the field, is no fat, but may look like fat on the other side. Which side of water a
    single line is on, nothing tells: it fits as well with the other sign. The logarithm must be less by `least`.
    """
    some = slice(LINE_VOXELS)
    sample, as_fat = sample.part(some), as_fat[some]
    gained = [as_fat - _fit_of_line(signal[:, some], sample) for signal in signals]
    return any(one.mean() > least and mean_in_errors(one) > SURE_OF_SIGN for one in gained)


def _fit_of_line(signal, sample):
    """Logarithm of what the best single line beside water leaves over of the voxels' energy, (V,)."""

    def left(offset):
        line = sample.with_line(offset)
        if np.abs(line.model.fat.mean()) ** 2 > AS_WATER:
            return np.inf
        return np.log(search(signal, line.table)[2][0] + FINEST_MISFIT).mean()

    step = 1 / (LINE_STEPS * sample.model.train)
    best = min(np.arange(step, min(LINE_PPM * sample.ppm_hz, sample.model.period_hz / 2) + step, step), key=left)
    for _ in range(HALVINGS):
        step /= 2
        best = min((best - step, best, best + step), key=left)
    return sample.with_line(best).fits(signal).misfit


def _left(fit):
    """What is left over of the energy of voxels, as a geometric mean, and how much of it gains of echoes take off."""
    left = np.exp(_mean_misfit(fit))
    return left, left * fit.by_gains / (HALF * fit.misfit.size)  # a voxel's weight makes half a unit of its misfit


def _errors_of_mimics(fit, other, echoes, groups):
    """How unlikely, in standard errors, errors of single echoes so much smaller with this sign than the other are.

    What errors at random, alike in all voxels, leave over beside each voxel's own signal, field and R2* has as many
    directions as there are gains of echoes besides. Fat takes up two of them, with either sign others: that all but a
    share x of the errors lies there has the chance ``x**(directions / 2 - 1)`` (beta distribution).
    """
    directions = 2 * (echoes - 2) - 2 * (groups - 1)
    share = min(fit.by_gains / max(other.by_gains, np.finfo(float).tiny), 1.0)
    return _in_errors(share ** max(directions / 2 - 1, 0))


def _in_errors(chance):
    """The standard errors beyond which a normal distribution has such a chance, at one side."""
    return -float(special.ndtri(np.clip(chance, LEAST_CHANCE, 0.5)))


def _mean_misfit(fit):
    return fit.misfit.mean()


def sign_by_gains(
    signals: Sequence[np.ndarray], best: int, groups: Sequence[EchoGroups | None], sample: Sample
) -> Answer | None:
    """Return what is known of the sign where single echoes have gains of their own, else None.

    Thousands of voxels then say no more than one, and standard errors over them mean nothing. Where groups of echoes,
    one for each sign, leave such gains over, they are not the whole kind of the scan, and say less.
    """
    some = sample.of_organs()
    sample, plain = sample.part(some), [one[:, some] for one in signals]
    signals = [sample.without(its, one) for its, one in zip(groups, plain, strict=True)]
    if not sample.asks_for_gains(signals[best], sample.fits(signals[best])):
        return None
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
    if sum(wins) != 1:
        return Answer(0, False)
    best = wins.index(True)
    # Gains, and those of groups, take up what another substance leaves over, which needs none.
    ways = [signals[best]] if groups[best] is None else [signals[best], plain[best]]
    other = better_as_line(ways, np.log(answers[best].fit.misfit), sample, least=BY_LINE_ALONE)
    return Answer(0, False) if other else Answer(best, True)
