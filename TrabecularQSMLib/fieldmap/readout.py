"""Gains of echo groups, found from the echoes: a bipolar read-out, interleaved trains.

A field that is wrong by one over the spacing within a group looks the same with other phases, everywhere alike: the
smallest phases are taken.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from .gains import FEWEST_ECHOES, mean_in_errors, normal_equations
from .groups import EchoGroups, echo_groups
from .sample import Fits, Sample
from .search import FINEST_MISFIT, search
from .signal import fitted_echoes, project

# Voxels that gains are estimated from, and those in the search over the phases of three trains, with its many points.
GAIN_VOXELS = 2000
FEW_VOXELS = 500
# Standard errors at which gains (fitted, so that noise alone reaches four or five) count, and those at which they must
# help water and fat alike; the smallest phase (rad) or change of magnitude that counts. Those of the second say enough
# where gains of single echoes are little but those of groups.
SURE, SURE_OF_PLAIN = 8.0, 5.0
SURE_OF_BOTH = 2.0
SMALLEST_GAIN = 0.02
# Points over the phase between two groups of echoes, and over its slope from the center to the edge of the image.
PHASES = 16
SLOPES = np.linspace(-1.6, 1.6, 17)
# Phases of each of more than two groups, before that.
TWELFTHS = np.arange(12) * np.pi / 6
POLISHING_STEPS = 6
# Gains of single echoes are those of groups where these take up so much of their sum of squares: at random, of six
# echoes, they do so once in a thousand times.
AS_GROUPS = 0.9
# Groups without slope may be errors of single echoes, if they leave so much more of the misfit.
MORE_LEFT = 1.25


class Grouped(NamedTuple):
    """How the voxels fit without the gains of groups, the groups (None without any), and what speaks for them.

    The latter is by how many standard errors the misfit without groups is larger.
    """

    fits: Fits
    groups: EchoGroups | None = None
    errors: float = 0.0


def ways_to_group(echoes: int, bipolar: bool | None, trains: int | None) -> list[np.ndarray]:
    """Return ways to divide the echoes into groups, among those not excluded; each is the group of every echo."""
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


def asks(signal: np.ndarray, sample: Sample, group: np.ndarray) -> bool:
    """Return whether a first step of the gains of groups leads away from none."""
    zero = np.zeros(int(group.max()) + 1)
    start = EchoGroups(group, zero, np.zeros((zero.size, 3)), zero)
    some = slice(0, GAIN_VOXELS)
    return _polished(signal[:, some], sample.part(some), start).size > SMALLEST_GAIN


def best_groups(
    signal: np.ndarray, sample: Sample, plain: Fits, ways: Sequence[np.ndarray], given: bool, sure_from: float = SURE
) -> Grouped:
    """Return the best of several ways to divide the echoes, or none unless it is `given` or sure by these errors."""
    best, some = Grouped(plain), slice(0, GAIN_VOXELS)
    for group in ways:
        found = _gains(signal[:, some], sample.part(some), group)
        corrected = sample.without(found, signal)
        fits = sample.fits(corrected)
        fits = fits._replace(misfit=_misfit_as_it_came(fits, found, signal, corrected, sample))
        gained = plain.misfit - fits.misfit
        errors = mean_in_errors(gained)
        # A wrong spectrum of fat is no gain: what belongs to the echoes helps water and fat alike.
        fatty = fits.fat > 0.5
        parts = [part for part in (fatty, ~fatty) if part.sum() >= min(50, part.size // 2)]
        sure = errors > sure_from and min(mean_in_errors(gained[part]) for part in parts) > SURE_OF_BOTH
        better = sure and found.size > SMALLEST_GAIN and fits.misfit.mean() < best.fits.misfit.mean()
        if better or given:
            best = Grouped(fits, found, errors)
    return best


def _misfit_as_it_came(fits, groups, signal, corrected, sample):
    """Logarithm of what is left of the energy in the echoes as they are: gains that only shrink noise gain nothing."""
    at = project(corrected, sample.model, fits.field_hz, fits.r2star)
    rest = corrected - fitted_echoes(at, sample.model, fits.field_hz, fits.r2star)
    left = np.exp(2 * groups.magnitude[groups.group]) @ np.abs(rest) ** 2
    power = np.maximum((np.abs(signal) ** 2).sum(axis=0), np.finfo(np.float32).tiny)
    return np.log(left / power + FINEST_MISFIT)


def may_be_single_echoes(signal: np.ndarray, groups: EchoGroups, sample: Sample) -> bool:
    """Return whether gains of single echoes say as much as these groups, which take up part of any errors."""
    if not groups.without_slope:
        return False
    if groups.in_pairs and sample.echoes >= FEWEST_ECHOES:
        return True
    some = sample.of_organs()
    signal, sample = signal[:, some], sample.part(some)
    fits = sample.fits(signal)
    if not sample.asks_for_gains(signal, fits):
        return False
    left = sample.fits(sample.without(groups, signal)).misfit
    return float(np.median(np.exp(left))) > MORE_LEFT * sample.explained(signal, fits).left


def are_of_groups(signal: np.ndarray, groups: EchoGroups, sample: Sample) -> bool:
    """Return whether gains of single echoes, but for a slope over echoes, are the same in all of each group."""
    some = sample.of_organs()
    if sample.echoes < FEWEST_ECHOES or not some.size:
        return False
    signal, sample = signal[:, some], sample.part(some)
    gains = np.log(sample.explained(signal, sample.fits(signal)).fit.gains)
    times = sample.model.echo_times
    free, own = np.stack([np.ones_like(times), times], axis=1), np.eye(groups.offset.size)[groups.group]

    def rest(values, columns):
        return values - columns @ np.linalg.lstsq(columns, values, rcond=None)[0]

    gains, own = rest(gains, free), rest(own, free)
    left = (np.abs(rest(gains, own[:, 1:])) ** 2).sum()
    return bool(left < (1 - AS_GROUPS) * (np.abs(gains) ** 2).sum())


def _gains(signal, sample, group):
    """Gains of groups of echoes: phases and slopes from a grid, all polished by Gauss–Newton."""
    number = int(group.max()) + 1
    few = slice(None) if number == 2 else slice(0, FEW_VOXELS)

    def costs(offset):
        turned = signal[:, few] * np.exp(-1j * offset)[group][:, None]
        return np.log(search(turned, sample.table)[2][0] + FINEST_MISFIT)

    offset = np.zeros(2) if number == 2 else _rough_phases(costs, number)
    profiles = _profiles(costs, offset)
    axes = [axis for axis, n in enumerate(sample.shape) if n >= 8] or [int(np.argmax(sample.shape))]
    best, least = None, np.inf
    for axis in axes:
        phases, along_axis, total = _best_line(profiles, offset, sample.positions[axis, few])
        if total < least - 1e-9:
            slope = np.zeros((number, 3))
            slope[:, axis] = along_axis
            best, least = EchoGroups(group, _smallest(phases), slope, np.zeros(number)), total
    for _ in range(POLISHING_STEPS):
        best = _polished(signal, sample, best)
    return best


def _span(number):
    """Range of the first phase: a field off by one over the spacing in a train adds such a turn to each group."""
    return 2 * np.pi / number


def _rough_phases(costs: Callable, number):
    """Phases of more than two groups, the same all over the image, from a grid over two and then one by one."""
    coarse = np.arange(PHASES // 2) * 2 * _span(number) / PHASES
    grid = np.meshgrid(coarse, TWELFTHS, indexing="ij")
    trials = [np.concatenate([[0.0], two, np.zeros(number - 3)]) for two in zip(*map(np.ravel, grid), strict=True)]
    offset = min(trials, key=lambda trial: costs(trial).mean())
    for _ in range(2):
        for g in range(1, number):
            turned = [offset + step * np.eye(number)[g] for step in TWELFTHS]
            offset = min(turned, key=lambda trial: costs(trial).mean())
    return offset


def _profiles(costs: Callable, offset):
    """Costs (phase, voxel) of each group over its own phase, with the step between phases."""
    number = offset.size
    step = (_span(number) if number == 2 else 2 * np.pi) / PHASES
    return [
        (step, np.stack([costs(offset + p * step * np.eye(number)[g]) for p in range(PHASES)]))
        for g in range(1, number)
    ]


def _best_line(profiles, offset, x):
    """Phases at the center, slopes and cost of the best line of phases of each group over positions x, (V,)."""
    start, slope, total = offset.copy(), np.zeros(offset.size), 0.0
    for g, (step, costs) in enumerate(profiles, start=1):
        phases, voxels = costs.shape
        line = (np.arange(phases)[:, None, None] * step + SLOPES[None, :, None] * x) / step
        low = np.floor(line).astype(int)
        part, here = line - low, np.arange(voxels)
        value = (1 - part) * costs[low % phases, here] + part * costs[(low + 1) % phases, here]
        value = value.mean(axis=2)
        a, b = np.unravel_index(value.argmin(), value.shape)
        start[g], slope[g], total = offset[g] + a * step, SLOPES[b], total + value[a, b]
    return start, slope, total


def _smallest(offset):
    """The same phases up to what a shift of the field does, with the smallest sum of squares."""
    number = offset.size
    shifts = [offset + 2 * np.pi * turn * np.arange(number) / number for turn in range(number)]
    wrapped = [np.angle(np.exp(1j * shift)) for shift in shifts]
    return min(wrapped, key=lambda phases: float(phases @ phases))


def _polished(signal, sample, groups):
    """One Gauss–Newton step of all gains, with each voxel's own six parameters projected out."""
    number, positions = groups.offset.size, sample.positions
    data = groups.corrected(signal, positions)
    fits = sample.fits(data)
    # An axis of one slice, or of nearly the same position everywhere, has no slope.
    axes = [axis for axis in range(3) if positions[axis].std() > 0.1]
    directions = []
    for g in range(1, number):
        of_group = (groups.group == g)[:, None].astype(float)
        directions += [of_group, 1j * of_group, *(1j * of_group * positions[axis] for axis in axes)]
    normal, right = normal_equations(data, sample.model, fits.field_hz, fits.r2star, directions)
    step = np.linalg.pinv(normal, rcond=1e-6, hermitian=True) @ right
    step = np.clip(step, -0.5, 0.5).reshape(number - 1, 2 + len(axes))
    magnitude, offset, slope = groups.magnitude.copy(), groups.offset.copy(), groups.slope.copy()
    magnitude[1:] += step[:, 0]
    offset[1:] += step[:, 1]
    for column, axis in enumerate(axes, start=2):
        slope[1:, axis] += step[:, column]
    return EchoGroups(groups.group, offset, slope, magnitude)
