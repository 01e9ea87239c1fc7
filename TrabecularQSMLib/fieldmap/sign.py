"""The sign of the phase, found from the echoes: with the other one, fat lies on the wrong side of water."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .gains import mean_in_errors
from .groups import EchoGroups
from .sample import Fits, Sample

# Voxels in which the fit finds such a fraction of fat, with either sign, have a say of their own on the sign: a little
# fat is told best where it is pure.
FATTY = (0.4, 0.7)
# Standard errors at which the sign counts.
SURE_OF_SIGN = 4.0
# Where most voxels are water with one sign and fat with the other, as noise makes them in a weak field, up to 30 % of
# fat in water speaks for the wrong sign by up to 7.5 standard errors: more is asked for.
SURE_IF_AMBIGUOUS, HALF = 12.0, 0.5


class Answer(NamedTuple):
    """Number of the sign that fits better, and whether the other one can be ruled out."""

    best: int
    sure: bool


def answer_of(errors: float) -> Answer:
    """Return what the errors say, by which the second sign fits worse; the first is taken where they say little."""
    return Answer(int(errors < -SURE_OF_SIGN), abs(errors) > SURE_OF_SIGN)


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
    ambiguous = np.mean((plus.fat > HALF) != (minus.fat > HALF)) > HALF
    return 0.0 if ambiguous and abs(best) < SURE_IF_AMBIGUOUS else best


def sign_by_gains(
    signals: Sequence[np.ndarray], best: int, groups: Sequence[EchoGroups | None], sample: Sample
) -> Answer | None:
    """Return what is known of the sign where single echoes have gains of their own, else None.

    Thousands of voxels then say no more than one, and standard errors over them mean nothing. Where groups of echoes,
    one for each sign, leave such gains over, they are not the whole kind of the scan, and say less.
    """
    some = sample.of_organs()
    sample = sample.part(some)
    signals = [sample.without(its, one[:, some]) for its, one in zip(groups, signals, strict=True)]
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
    return Answer(wins.index(True), True) if sum(wins) == 1 else Answer(0, False)
