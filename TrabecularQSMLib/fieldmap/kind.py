"""What kind of scan it is, found from the echoes: the sign of the phase, a bipolar read-out, interleaved trains.

Echoes read in one direction, or in one train, share a phase of their own that changes linearly along the read-out
(gradient delays, eddy currents), and a magnitude. A field that is wrong by one over the spacing within a train looks
the same with other phases, everywhere alike: the smallest phases are taken. All questions are put to a few thousand
voxels, whose misfits under two answers are compared in pairs; an answer is given when the mean difference of their
logarithms is several standard errors from zero.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..methods import Method
from ..progress import Progress, report
from .fat_models import FatModel
from .gains import FEWEST_ECHOES, FEWEST_VOXELS, asked_for, explained, mean_in_errors, normal_equations
from .refine import refine
from .search import FINEST_MISFIT, SearchTable, search, search_table
from .signal import Model, common_spacing, project

VOXELS = 8000
# Voxels that gains are estimated from, and those in the search over the phases of three trains, with its many points.
GAIN_VOXELS = 2000
FEW_VOXELS = 500
# Voxels that the sign is asked of where single echoes have gains.
FEWER_VOXELS = 600
# Voxels in which the fit finds such a fraction of fat, with either sign, have a say of their own on the sign: a little
# fat is told best where it is pure.
FATTY = (0.4, 0.7)
# Standard errors at which gains (fitted, so that noise alone reaches four or five) and the sign count, and the smallest
# phase (rad) or change of magnitude that does.
SURE = 8.0
SURE_OF_SIGN = 4.0
SMALLEST_GAIN = 0.02
# Phases between groups below this (rad) are those of hardware, and not of a field that is off by their period.
LARGE_PHASE = 0.4
# Points over the phase between two groups of echoes, and over its slope from the center to the edge of the image.
PHASES = 16
SLOPES = np.linspace(-1.6, 1.6, 17)
POLISHING_STEPS = 6
# Groups whose phases have no slope (rad) may be errors of single echoes, if they leave so much more of the misfit, or
# have fewer echoes than these.
SMALL_SLOPE = 0.1
MORE_LEFT = 1.25
FEWEST_OF_GROUP = 3


@dataclass(frozen=True)
class EchoGroups:
    """Groups of echoes with gains of their own.

    `group` (E,) numbers them, and the first is the reference. Echoes of group g hold, besides the signal, the gain
    ``exp(magnitude[g] + i (offset[g] + slope[g] · x))`` for x from −1 to 1 along each array axis; `slope` is (G, 3).
    """

    group: np.ndarray
    offset: np.ndarray
    slope: np.ndarray
    magnitude: np.ndarray

    def take_off(self, echo: int, signal: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Return the signal (V,) of echo number `echo` at positions (3, V) without its gain."""
        g = self.group[echo]
        if g == 0:
            return signal
        phase = np.float32(self.offset[g]) + self.slope[g].astype(np.float32) @ positions
        return signal * np.exp(np.float32(-self.magnitude[g]) - 1j * phase)

    def corrected(self, signal: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Return echoes (E, V) at positions (3, V) without their gains."""
        return np.stack([self.take_off(n, echo, positions) for n, echo in enumerate(signal)])

    def period_hz(self, echo_times: np.ndarray) -> float:
        """Period in Hz of the field as a whole: that of one group, if large phases take up what is between groups."""
        if np.abs(self.offset).max() < LARGE_PHASE:
            return 1 / common_spacing(echo_times)
        own = [echo_times[self.group == g] for g in range(int(self.group.max()) + 1)]
        return max(1 / common_spacing(times) for times in own if times.size > 1)

    @property
    def without_slope(self) -> bool:
        """Whether the phases are the same all over the image, as errors of single echoes are."""
        return bool(np.abs(self.slope).max() < SMALL_SLOPE)

    @property
    def in_pairs(self) -> bool:
        """Whether groups of two echoes, without slope, are among them."""
        return self.without_slope and bool(np.bincount(self.group).min() < FEWEST_OF_GROUP)

    @property
    def size(self) -> float:
        """The largest phase in radians, or change of magnitude."""
        return float(max(np.abs(part).max() for part in (self.offset, self.slope, self.magnitude)))


@dataclass(frozen=True)
class Kind:
    """Sign of the phase and gains of echoes, with the evidence.

    `sign_errors` and `groups_errors` say by how many standard errors the misfit of the other answer (the opposite
    sign; no groups) is larger; `sure_of_sign` whether the sign was found, `likely_sign` whether it is the one that fits
    better where too few echoes are there to be sure. `groups` is None for a plain train.
    """

    sign: int
    sure_of_sign: bool
    sign_errors: float
    groups: EchoGroups | None
    groups_errors: float
    likely_sign: bool = False

    @property
    def trains(self) -> int:
        """Number of interleaved trains; two of them count as a bipolar read-out."""
        return 1 if self.groups is None or self.bipolar else int(self.groups.group.max()) + 1

    @property
    def bipolar(self) -> bool:
        """Whether even and odd echoes have gains of their own."""
        return self.groups is not None and int(self.groups.group.max()) == 1


def positions_of(shape, voxels: np.ndarray | None = None) -> np.ndarray:
    """Return coordinates (3, V) from −1 to 1 along the axes, of all or some voxels; 0 along an axis of one."""
    indices = np.unravel_index(np.arange(np.prod(shape)) if voxels is None else voxels, shape)
    return np.stack([(2 * i - (n - 1)) / max(n - 1, 1) for i, n in zip(indices, shape, strict=True)]).astype(np.float32)


def echo_groups(echoes: int, bipolar: bool, trains: int) -> np.ndarray:
    """Return the group of each echo: by train, taken in turn, and within a train by the direction of read-out."""
    n = np.arange(echoes)
    return n % trains * (1 + bipolar) + (n // trains % 2 if bipolar else 0)


def find_kind(
    echoes: np.ndarray,
    mask: np.ndarray,
    *,
    echo_times: np.ndarray,
    imaging_frequency: float,
    fat_model: FatModel,
    sign: int | None = None,
    bipolar: bool | None = None,
    trains: int | None = None,
    progress: Progress | None = None,
) -> Kind:
    """Return the kind of a scan; what is given (not None) is not asked.

    Parameters
    ----------
    echoes : (E, K, J, I) complex array
    mask : (K, J, I) bool array
        Voxels with signal.
    echo_times : (E,) array
        Seconds.
    imaging_frequency : float
        Hz.
    fat_model : FatModel
    sign : {1, -1}, optional
        1 if phase grows with frequency, −1 if it falls.
    bipolar : bool, optional
        Whether every other echo of a train is read in the opposite direction.
    trains : int, optional
        Number of interleaved trains, whose echoes take turns.
    """
    voxels = np.flatnonzero(mask)
    if not voxels.size:
        return Kind(sign or 1, sign is not None, 0.0, None, 0.0)
    signal, sample = _sample(echoes, mask, voxels, echo_times, imaging_frequency, fat_model)
    signs = (1, -1) if sign is None else (sign,)
    turned = [signal if one > 0 else signal.conj() for one in signs]
    misfits = [_misfit(one, sample.model, sample.table) for one in turned]
    report(progress, 0.2, "Finding out what kind of scan it is")
    errors = _sign_errors(misfits)
    best, answers = int(errors < 0), [(misfit, None, 0.0) for misfit in misfits]
    ways = _ways(sample.echoes, bipolar, trains)
    given = bipolar is not None and trains is not None
    # Where the sign is plain and no group of echoes asks for a gain, nothing more is to be found.
    if ways and (given or abs(errors) < SURE_OF_SIGN or any(_asks(turned[best], sample, way) for way in ways)):
        for done, (one, misfit) in enumerate(zip(turned, misfits, strict=True)):
            answers[done] = _best_groups(one, sample, misfit, ways, given)
            report(progress, 0.2 + 0.8 * (done + 1) / len(signs), "Finding out what kind of scan it is")
        errors = _sign_errors([answer[0] for answer in answers])
    best, sure = int(errors < -SURE_OF_SIGN), abs(errors) > SURE_OF_SIGN
    groups = answers[best][1]
    in_pairs = groups is not None and groups.in_pairs
    if groups is not None and not given and _may_be_single_echoes(turned[best], groups, sample):
        answers = [(misfit, None, 0.0) for misfit, _, _ in answers]
    if len(signs) > 1:
        # Pairs take up errors of single echoes: what they leave over says nothing of the sign.
        of_groups = None if in_pairs else answers[best][1]
        best, sure = _sign_by_gains(turned, best, of_groups, sample) or (best, sure)
    _, groups, groups_errors = answers[best]
    if signs[best] < 0 and groups is not None:
        # The gains belong to the echoes as they came.
        groups = EchoGroups(groups.group, -groups.offset, -groups.slope, groups.magnitude)
    # So few echoes fit any errors of their own: the sign that fits better is taken, and never sure.
    few = len(signs) > 1 and sample.echoes < FEWEST_ECHOES
    return Kind(signs[best], sure and not few, abs(float(errors)), groups, groups_errors, sure and few)


@dataclass(frozen=True)
class _Sample:
    """What is known of the voxels that are asked: positions (3, V), the part of the image, shape, model and search."""

    positions: np.ndarray
    organ: np.ndarray
    shape: tuple[int, int, int]
    model: Model
    table: SearchTable
    fat_hz: float
    ppm_hz: float

    @property
    def echoes(self) -> int:
        return self.model.echo_times.size

    def without(self, groups: EchoGroups | None, signal: np.ndarray) -> np.ndarray:
        return signal if groups is None else groups.corrected(signal, self.positions)


def _sample(echoes, mask, voxels, echo_times, imaging_frequency, fat_model):
    """Echoes (E, V) of some voxels, and what is known of them."""
    voxels = voxels[np.linspace(0, voxels.size - 1, min(VOXELS, voxels.size)).astype(int)]
    # In the order of the array, a part of them would lie in one corner.
    voxels = np.random.default_rng(0).permutation(voxels)
    at = np.unravel_index(voxels, mask.shape)
    model = Model(np.asarray(echo_times, np.float64), fat_model.signal(echo_times, imaging_frequency))
    ppm_hz = 1e-6 * imaging_frequency
    sample = _Sample(
        positions_of(mask.shape, voxels), ndimage.label(mask)[0][at], mask.shape, model,
        search_table(model, imaging_frequency), fat_model.main_shift_ppm * ppm_hz, ppm_hz,
    )  # fmt: skip
    return np.stack([echo[at] for echo in echoes]).astype(np.complex64), sample


def _ways(echoes, bipolar, trains):
    """Ways to divide the echoes into groups, among those not excluded."""
    if echoes <= 3:
        return []
    ways = []
    for number in (1, 3) if trains is None else (trains,):
        for both in (False, True) if bipolar is None else (bipolar,):
            groups = echo_groups(echoes, both, number)
            # Fewer than two echoes a group fit anything. Trains of a bipolar read-out are not looked for unasked.
            if groups.max() > 0 and np.bincount(groups).min() > 1 and not (number > 1 and both and bipolar is None):
                ways.append(groups)
    return ways


def _asks(signal, sample, group):
    """Whether a first step of the gains leads away from none."""
    zero = np.zeros(int(group.max()) + 1)
    start = EchoGroups(group, zero, np.zeros((zero.size, 3)), zero)
    some = slice(0, GAIN_VOXELS)
    return _polished(signal[:, some], sample.positions[:, some], sample.model, sample.table, start).size > SMALLEST_GAIN


def _sign_errors(misfits):
    """By how many standard errors the second sign fits worse: over all voxels, or over those with fat."""
    if len(misfits) == 1:
        return np.inf
    plus, minus = misfits
    difference, fat = minus[0] - plus[0], np.maximum(minus[3], plus[3])
    # Only fat can tell, and where it is rare, the others add noise alone.
    return max((mean_in_errors(difference[fat >= least]) for least in (0.0, *FATTY)), key=abs)


def _sign_by_gains(signals, best, groups, sample):
    """Index of the sign and whether it is sure where single echoes have gains of their own, else None.

    Thousands of voxels then say no more than one, and standard errors over them mean nothing. Where groups of echoes
    leave such gains over, they are not the whole kind of the scan, and nothing says the sign.
    """
    some = _of_organs(sample.organ)
    signal, organ, model = sample.without(groups, signals[best])[:, some], sample.organ[some], sample.model
    _, field, rate, _ = _misfit(signal, model, sample.table)
    if not asked_for(signal, model, field, rate):
        return None
    if groups is not None:
        return 0, False
    signals = [one[:, some] for one in signals]
    answers = []
    for signal in signals:
        gains = np.ones(sample.echoes)
        # Gains bring the voxels in line, each of which began with its own best field.
        for _ in range(2):
            _, field, rate, _ = _misfit((signal / gains[:, None]).astype(np.complex64), model, sample.table)
            answer = explained(
                signal, model, field, rate, organ, fat_hz=sample.fat_hz, ppm_hz=sample.ppm_hz, gains=gains
            )
            gains = answer.fit.gains
        answers.append(answer)
    if answers[0].beats(answers[1]):
        return 0, True
    return (1, True) if answers[1].beats(answers[0]) else (0, False)


def _may_be_single_echoes(signal, groups, sample):
    """Whether gains of single echoes say as much as these groups, which take up part of any errors."""
    if not groups.without_slope:
        return False
    if groups.in_pairs and sample.echoes >= FEWEST_ECHOES:
        return True
    some = _of_organs(sample.organ)
    model, organ = sample.model, sample.organ[some]
    _, field, rate, _ = _misfit(signal[:, some], model, sample.table)
    if not asked_for(signal[:, some], model, field, rate):
        return False
    single = explained(signal[:, some], model, field, rate, organ, fat_hz=sample.fat_hz, ppm_hz=sample.ppm_hz)
    left = _misfit(sample.without(groups, signal)[:, some], model, sample.table)[0]
    return float(np.median(np.exp(left))) > MORE_LEFT * single.left


def _of_organs(organ):
    """Some voxels, of parts of the image that are no specks."""
    some = np.arange(min(organ.size, FEWER_VOXELS))
    names, counts = np.unique(organ[some], return_counts=True)
    return some[np.isin(organ[some], names[counts >= FEWEST_VOXELS])]


def _best_groups(signal, sample, plain, ways, given):
    """Misfits, groups and evidence of the best of several ways to divide the echoes, or of none."""
    best = (plain, None, 0.0)
    some = slice(0, GAIN_VOXELS)
    model, table = sample.model, sample.table
    for group in ways:
        found = _gains(signal[:, some], sample.positions[:, some], sample.shape, model, table, group)
        misfit = _misfit(sample.without(found, signal), model, table)
        errors = mean_in_errors(plain[0] - misfit[0])
        # A wrong spectrum of fat is no gain: what belongs to the echoes helps water and fat alike.
        fatty = misfit[3] > 0.5
        alike = min(
            mean_in_errors((plain[0] - misfit[0])[part])
            for part in (fatty, ~fatty)
            if part.sum() >= min(50, part.size // 2)
        )
        better = errors > SURE and alike > 2 and found.size > SMALLEST_GAIN and misfit[0].mean() < best[0][0].mean()
        if better or given:
            best = (misfit, found, errors)
    return best


def _misfit(signal, model, table):
    """Logarithm of the best fit's residual as a part of a voxel's energy, field, R2* and fat fraction, (V,) each."""
    field, rate, cost = search(signal, table)
    if model.echo_times.size <= 3:
        at = project(signal, model, field[0], rate[0])
        return np.log(cost[0] + FINEST_MISFIT), field[0], rate[0], np.abs(at.fat) / (np.abs(at.water) + np.abs(at.fat))
    fits = [refine(signal, model, f, r) for f, r in zip(field[:2], rate[:2], strict=True)]
    second = fits[1][4] < fits[0][4]
    field, rate, water, fat, residual = (np.where(second, *pair) for pair in zip(fits[1], fits[0], strict=True))
    power = (np.abs(signal) ** 2).sum(axis=0)
    return (
        np.log(residual**2 / np.maximum(power, np.finfo(np.float32).tiny) + FINEST_MISFIT),
        field,
        rate,
        (np.abs(fat) / np.maximum(np.abs(water) + np.abs(fat), np.finfo(float).tiny)),
    )


def _gains(signal, positions, shape, model, table, group):
    """Gains of groups of echoes: phases and slopes from a grid, all polished by Gauss–Newton."""
    number = int(group.max()) + 1
    axes = [axis for axis, n in enumerate(shape) if n >= 8] or [int(np.argmax(shape))]

    def cost_with(offset, few):
        turned = signal[:, few] * np.exp(-1j * offset)[group][:, None]
        return np.log(search(turned, table)[2][0] + FINEST_MISFIT)

    # A field off by one over the spacing in a train adds a fraction of a turn to each group: one turn of the first
    # phase over the number of groups is enough, the others need all of it.
    span = 2 * np.pi / number
    first = np.arange(PHASES) * span / PHASES
    offset, few = np.zeros(number), slice(None)
    if number > 2:
        few = slice(0, FEW_VOXELS)
        coarse = np.arange(PHASES // 2) * 2 * span / PHASES
        best = np.inf
        rounds = np.array(np.meshgrid(coarse, *[np.arange(12) * np.pi / 6] * (min(number, 3) - 2), indexing="ij"))
        for trial in rounds.reshape(min(number, 3) - 1, -1).T:
            candidate = np.concatenate([[0.0], trial, np.zeros(number - 1 - trial.size)])
            total = cost_with(candidate, few).mean()
            if total < best:
                best, offset = total, candidate
        for _ in range(2):
            for g in range(1, number):
                trials = [offset + step * np.eye(number)[g] for step in np.arange(12) * np.pi / 6]
                offset = min(trials, key=lambda trial: cost_with(trial, few).mean())
    profiles = []
    for g in range(1, number):
        grid = first if number == 2 else np.arange(PHASES) * 2 * np.pi / PHASES
        costs = np.stack([cost_with(offset + p * np.eye(number)[g], few) for p in grid])
        profiles.append((grid[1] - grid[0], costs))
    best = (np.inf, None)
    for axis in axes:
        x = positions[axis, few]
        slope, start, total = np.zeros((number, 3)), offset.copy(), 0.0
        for g, (step, costs) in enumerate(profiles, start=1):
            phases, voxels = costs.shape
            line = (np.arange(phases)[:, None, None] * step + SLOPES[None, :, None] * x) / step
            low = np.floor(line).astype(int)
            part, here = line - low, np.arange(voxels)
            value = (1 - part) * costs[low % phases, here] + part * costs[(low + 1) % phases, here]
            value = value.mean(axis=2)
            a, b = np.unravel_index(value.argmin(), value.shape)
            start[g], slope[g, axis], total = offset[g] + a * step, SLOPES[b], total + value[a, b]
        if total < best[0] - 1e-9:
            best = (total, EchoGroups(group, _smallest(start), slope, np.zeros(number)))
    found = best[1]
    for _ in range(POLISHING_STEPS):
        found = _polished(signal, positions, model, table, found)
    return found


def _smallest(offset):
    """The same phases up to what a shift of the field does, with the smallest sum of squares."""
    number = offset.size
    shifts = [offset + 2 * np.pi * turn * np.arange(number) / number for turn in range(number)]
    wrapped = [np.angle(np.exp(1j * shift)) for shift in shifts]
    return min(wrapped, key=lambda phases: float(phases @ phases))


def _polished(signal, positions, model, table, groups):
    """One Gauss–Newton step of all gains, with each voxel's own six parameters projected out."""
    number = groups.offset.size
    data = groups.corrected(signal, positions)
    _, field, rate, _ = _misfit(data, model, table)
    # An axis of one slice, or of nearly the same position everywhere, has no slope.
    axes = [axis for axis in range(3) if positions[axis].std() > 0.1]
    directions = []
    for g in range(1, number):
        of_group = (groups.group == g)[:, None].astype(float)
        directions += [of_group, 1j * of_group, *(1j * of_group * positions[axis] for axis in axes)]
    normal, right = normal_equations(data, model, field, rate, directions)
    step = np.linalg.pinv(normal, rcond=1e-6, hermitian=True) @ right
    step = np.clip(step, -0.5, 0.5).reshape(number - 1, 2 + len(axes))
    magnitude, offset, slope = groups.magnitude.copy(), groups.offset.copy(), groups.slope.copy()
    magnitude[1:] += step[:, 0]
    offset[1:] += step[:, 1]
    for column, axis in enumerate(axes, start=2):
        slope[1:, axis] += step[:, column]
    return EchoGroups(groups.group, offset, slope, magnitude)


METHOD = Method(
    find_kind,
    title="Kind of scan",
    solves="paired differences of log misfits over some thousand voxels: sign of the phase, gains of echo groups",
    test="test_fieldmap.KindTest",
    options={"sign": "phase_sign", "bipolar": "readout", "trains": "trains"},
)
