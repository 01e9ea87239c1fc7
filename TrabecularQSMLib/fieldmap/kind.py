"""What kind of scan it is, found from the echoes: the sign of the phase, a bipolar read-out, interleaved trains.

Echoes read in one direction, or in one train, share a phase of their own that changes linearly along the read-out
(gradient delays, eddy currents), and a magnitude. All questions are put to a few thousand voxels (`sample`), whose
misfits under two answers are compared in pairs; an answer is given when the mean difference of their logarithms is
several standard errors from zero. How gains of groups are found is in `readout`, what tells the sign in `sign`.
"""

from dataclasses import dataclass, field, replace
from functools import cache, cached_property

import numpy as np

from ..errors import InputError
from ..methods import Method
from ..progress import Progress, report
from .gains import ALIKE, FEWEST_ECHOES, tuning_cost
from .groups import EchoGroups
from .readout import SURE, Grouped, asks, best_groups, may_be_single_echoes, ways_to_group
from .sample import Fits, Sample
from .separation import EXACT_ECHOES
from .sign import (
    SURE_BY_FIELD,
    Answer,
    ambiguous,
    answer_of,
    better_as_line,
    differ_little,
    may_be_mimicked,
    sign_by_field,
    sign_by_gains,
    sign_by_mimics,
    sign_errors,
)
from .signal import mean_field, within_period
from .smooth_field import misfit_near, smooth_field, smooth_fits

# Fields that are less alike than this are spread over a whole period, and have no mean.
LEAST_ALIGNED = 0.5
# Fractions of fat below and above which voxels count as water and as fat, the least share of each, and by how many
# ppm fat may lie below water: what noise takes for the other one is rarer, and susceptibility makes less.
PURE, LEAST_PURE, JUMP_PPM = (0.3, 0.7), 0.15, 1.25
# At the field of the other tissue, so many voxels of one fit worse by so much (in the logarithm), and those of the
# other gain no more than this part of it (0.40 where the phase was doubled). Where noise alone takes a tissue for
# another at that field, either it loses little or the other gains half as much and more.
JUMP_VOXELS, LOST, GAINED_BACK = 1500, 0.85, 0.43
_MESSAGE = "Finding out what kind of scan it is"


@dataclass(frozen=True)
class Kind:
    """Sign of the phase and gains of echoes, with the evidence.

    `sign_errors` and `groups_errors` say by how many standard errors the misfit of the other answer (the opposite
    sign; no groups) is larger; `sure_of_sign` whether the sign was found, `likely_sign` whether it is the one that fits
    better where too few echoes are there to be sure. `groups` is None for a plain train. `fits` are those of the voxels
    that were asked, with this sign and without the gains of groups; `far_off_hz` is their mean field, where it would be
    far likelier half a period away, as every other echo negated makes it, and `jump_ppm` how far apart the fields of
    water and fat are, if that is more than a body makes them.
    """

    sign: int
    sure_of_sign: bool
    sign_errors: float
    groups: EchoGroups | None
    groups_errors: float
    likely_sign: bool = False
    far_off_hz: float | None = None
    jump_ppm: float | None = None
    fits: Fits | None = field(default=None, repr=False, compare=False)

    def with_likely_sign(self) -> "Kind":
        """Return this kind with a sign that is likely at most."""
        return replace(self, sure_of_sign=False, likely_sign=self.likely_sign or self.sure_of_sign)

    @property
    def trains(self) -> int:
        """Number of interleaved trains; two of them count as a bipolar read-out."""
        return 1 if self.groups is None or self.bipolar else int(self.groups.group.max()) + 1

    @property
    def bipolar(self) -> bool:
        """Whether even and odd echoes have gains of their own."""
        return self.groups is not None and int(self.groups.group.max()) == 1


@dataclass(frozen=True, eq=False)
class _Signs:
    """What the questions on the sign are put to: the voxels' signal with each sign, and its fits without groups."""

    signs: tuple[int, ...]
    signals: list[np.ndarray]
    plain: list[Grouped]
    sample: Sample

    @classmethod
    def of(cls, signal, sample, sign):
        """The sign that is given, or both."""
        signs = (1, -1) if sign is None else (sign,)
        signals = [signal if one > 0 else signal.conj() for one in signs]
        return cls(signs, signals, [Grouped(sample.fits(one)) for one in signals], sample)

    @cached_property
    def _plainly_smooth(self):
        """Fits near a smooth field without groups, asked before groups are looked for and where there are none."""
        return self._smooth(self.signals, self.plain)

    def _smooth(self, signals, grouped):
        return [smooth_fits(one, its.fits, self.sample) for one, its in zip(signals, grouped, strict=True)]

    def smooth(self, grouped, of_signs):
        """Fits near a smooth field of the signal without the gains of groups, one for each sign."""
        if all(one.groups is None for one in grouped):
            return self._plainly_smooth
        pairs = zip(of_signs, self.signals, strict=True)
        return self._smooth([self.sample.without(*pair) for pair in pairs], grouped)

    @property
    def plain_errors_by_field(self):
        """What the field says without groups."""
        return sign_by_field(self._plainly_smooth)


def seen(signal: np.ndarray, sample: Sample, kind: Kind) -> np.ndarray:
    """Return the signal (E, V) as that kind of scan has it: without gains of groups, phase growing with frequency."""
    signal = sample.without(kind.groups, signal)
    return (signal if kind.sign > 0 else signal.conj()).astype(np.complex64)


def fitting_better(signal: np.ndarray, sample: Sample, kind: Kind) -> Kind:
    """Return the kind, or where nothing tells its sign the one with the sign that leaves less over.

    What a wrong sign leaves over looks like mistakes and errors that are none.
    """
    if kind.sure_of_sign or not signal.size:
        return kind
    fits = sample.fits(seen(signal, sample, kind).conj())
    return replace(kind, sign=-kind.sign, fits=fits) if fits.misfit.mean() < kind.fits.misfit.mean() else kind


def find_kind(
    signal: np.ndarray,
    sample: Sample,
    *,
    sign: int | None = None,
    bipolar: bool | None = None,
    trains: int | None = None,
    sure_from: float = SURE,
    progress: Progress | None = None,
) -> Kind:
    """Return the kind of a scan; what is given (not None) is not asked.

    Parameters
    ----------
    signal : (E, V) complex array
    sample : Sample
        Both of voxels with signal (`sample.draw`).
    sign : {1, -1}, optional
        1 if phase grows with frequency, −1 if it falls.
    bipolar : bool, optional
        Whether every other echo of a train is read in the opposite direction.
    trains : int, optional
        Number of interleaved trains, whose echoes take turns.
    sure_from : float
        Standard errors from which gains of groups that are asked count.

    Raises
    ------
    InputError
        If there are too few echoes for what is given.
    """
    if not signal.size:
        return Kind(sign or 1, sign is not None, 0.0, None, 0.0)
    ways = ways_to_group(sample.echoes, bipolar, trains)
    if not ways and (bipolar or (trains or 1) > 1):
        raise InputError(
            f"{sample.echoes} echoes do not tell the gains of so many directions of read-out and trains, each of which "
            "needs two echoes and all together four; set readout and trains to what the scan has."
        )
    asked = _Signs.of(signal, sample, sign)
    report(progress, 0.2, _MESSAGE)
    given = bipolar is not None and trains is not None
    grouped = _grouped(asked, ways, given, sure_from, progress)
    errors = sign_errors(_fits(grouped))
    best, sure = answer_of(errors)
    groups = grouped[best].groups
    in_pairs = groups is not None and groups.in_pairs
    if groups is not None and not given and may_be_single_echoes(asked.signals[best], groups, sample):
        grouped = asked.plain
    if sign is None and in_pairs:
        # Pairs take up errors of single echoes: what they leave over says nothing of the sign.
        best, sure, errors = _answer(asked, asked.plain, sign_errors(_fits(asked.plain)))
    elif sign is None:
        best, sure, errors = _answer(asked, grouped, errors)
    fits, groups, groups_errors = grouped[best]
    jump_ppm = _jump(asked.signals[best], groups, fits, sample)
    if asked.signs[best] < 0 and groups is not None:
        groups = groups.conjugate()  # they belong to the echoes as they came
    # So few echoes fit any errors of their own: the sign that fits better is taken, and never sure.
    few = sign is None and sample.echoes < FEWEST_ECHOES
    return Kind(
        asked.signs[best], sure and not few, abs(errors), groups, groups_errors, sure and few,
        far_off_hz=_far_off(fits, sample), jump_ppm=jump_ppm, fits=fits,
    )  # fmt: skip


def _fits(grouped):
    return [one.fits for one in grouped]


def _grouped(asked, ways, given, sure_from, progress):
    """For each sign the best of the ways to group echoes, or none where nothing asks for a group."""
    best, sure = answer_of(sign_errors(_fits(asked.plain)))
    if not sure and ways:
        best, sure = answer_of(asked.plain_errors_by_field, SURE_BY_FIELD)
    # Where the sign is plain and no group of echoes asks for a gain, nothing more is to be found.
    if not ways or not (given or not sure or any(asks(asked.signals[best], asked.sample, way) for way in ways)):
        return asked.plain
    grouped = []
    for signal, alone in zip(asked.signals, asked.plain, strict=True):
        grouped.append(best_groups(signal, asked.sample, alone.fits, ways, given, sure_from))
        report(progress, 0.2 + 0.8 * len(grouped) / len(asked.signals), _MESSAGE)
    return grouped


def _answer(asked, grouped, errors):
    """Which of both signs it is, whether that is sure, and the errors that say so, beginning with those of the fits."""
    best, sure = answer_of(errors)
    groups = grouped[best].groups
    of_signs = [None if groups is None else one.groups for one in grouped]
    known = sign_by_gains(asked.signals, best, of_signs, asked.sample)
    smooth = cache(lambda: asked.smooth(grouped, of_signs))  # not every scan is asked
    if known is None and not sure and not ambiguous(_fits(grouped)):
        errors = sign_by_field(smooth())
        best, sure = answer_of(errors, SURE_BY_FIELD)
    # What errors of single echoes leave beside groups may speak for the sign that has a use for them.
    alike = known is None and differ_little(_fits(grouped))
    sure = sure and not (alike and groups is not None and not groups.beyond_errors)
    best, sure = known or (best if sure else 0, sure)
    if not sure or known is None and asked.sample.echoes >= FEWEST_ECHOES:
        best, sure, errors = _asked_of_errors(Answer(best, sure), errors, smooth(), asked.sample.echoes, grouped)
    if sure and known is None and asked.sample.echoes > EXACT_ECHOES:
        # Gains of groups take up a part of what another substance leaves over; three echoes leave nothing.
        plain, groups = asked.signals[best], of_signs[best]
        ways = [plain] if groups is None else [asked.sample.without(groups, plain), plain]
        if better_as_line(ways, asked.sample.fits(ways[0]).misfit, asked.sample):
            best, sure = 0, False
    return (0, False, errors) if asked.sample.fat_like_water else (best, sure, errors)


def _asked_of_errors(answer, errors, smooth, echoes, grouped):
    """The answer and what speaks for it, after what errors of single echoes may say of the sign."""
    groups = grouped[answer.best].groups
    many = echoes, 1 if groups is None else int(groups.group.max()) + 1
    by_mimics = sign_by_mimics(smooth, *many)
    only = answer_of(by_mimics)
    if only.sure and not (answer.sure and only != answer):
        return *only, errors if answer.sure else by_mimics
    contradicted = answer.sure and (only.sure or may_be_mimicked(smooth, answer.best, *many))
    return (0, False, errors) if contradicted else (*answer, errors)


def _far_off(fits, sample):
    """The mean field in Hz, if a scanner is hardly tuned so and every other echo negated would explain it."""
    period, times = sample.model.period_hz, sample.model.echo_times
    center, alike = mean_field(fits.field_hz, period)
    if np.any(np.round(np.diff(times) * period) % 2 == 0) or alike < LEAST_ALIGNED:
        return None
    here, there = (tuning_cost(one, period, sample.fat_hz, sample.ppm_hz) for one in (center, center + period / 2))
    return float(center) if here - there > ALIKE else None


def _jump(signal, groups, fits, sample):
    """How far in ppm the field of fat is below that of water, apart from what is smooth all over the image, if far."""
    water, fat = fits.fat < PURE[0], fits.fat > PURE[1]
    if min(water.mean(), fat.mean()) < LEAST_PURE:
        return None
    smooth = smooth_field(fits.field_hz, sample)
    off = within_period(fits.field_hz - smooth, sample.model.period_hz)
    of_water, of_fat = np.median(off[water]), np.median(off[fat])
    jump = float(of_fat - of_water) / sample.ppm_hz
    # Noise that takes fat for water puts it on the other side.
    if jump >= -JUMP_PPM:
        return None
    signal, lost = sample.without(groups, signal), []
    for tissue, own, other in ((water, of_water, of_fat), (fat, of_fat, of_water)):
        some = np.flatnonzero(tissue)[:JUMP_VOXELS]
        voxels, part, near = signal[:, some], sample.part(some), smooth[some]
        lost.append((misfit_near(voxels, part, near + other) - misfit_near(voxels, part, near + own)).mean())
    return jump if max(lost) > LOST and -min(lost) < GAINED_BACK * max(lost) else None


METHOD = Method(
    find_kind,
    title="Kind of scan",
    solves="paired differences of log misfits over some thousand voxels: sign of the phase, gains of echo groups",
    test="test_fieldmap_kind.KindTest",
    options={"sign": "phase_sign", "bipolar": "readout", "trains": "trains"},
)
