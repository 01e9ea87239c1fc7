"""A better echo train for the same time: first echo and spacing of the least noise, within what the scanner can do."""

import math
from dataclasses import dataclass
from itertools import product

import numpy as np

from ..acquisition import GYROMAGNETIC_RATIO_HZ_PER_T
from ..fieldmap.separation import DECIDED
from .bounds import Bounds, bounds
from .settings import ProtocolSettings
from .swaps import Swaps, swaps

# Spacings and first echoes are tried in steps of these, which scanners can set.
_STEP_S, _FIRST_STEP_S = 0.05e-3, 0.1e-3
# Trains that take turns, and spacings and first echoes tried beyond the shortest.
_MOST_TRAINS = 3
_SPACINGS, _FIRSTS = 30, 10
# A train may be as sure of its field as this part of the given one, and one unit of log-likelihood is no difference.
_AS_SURE, _NO_DIFFERENCE = 0.9, 1.0


@dataclass(frozen=True, eq=False)
class Train:
    """Echo times in s of `trains` interleaved trains, with the bounds and second minima in the given scan time."""

    echo_times: tuple[float, ...]
    trains: int
    bounds: Bounds
    swaps: Swaps


def closest_spacing(settings: ProtocolSettings) -> float:
    """Return the least time in s between two echoes of one train.

    Notes
    -----
    A read-out of 1 / bandwidth with the gradient ``G = bandwidth / (γ h)`` and ramps of G / slew rate; read in one
    direction, a gradient of the same area goes back between, as strong as the scanner allows.
    """
    if settings.bandwidth_hz is None:
        return settings.spacing
    edge = settings.voxel_size["kji".index(settings.readout_axis)] * 1e-3
    reading = 1 / settings.bandwidth_hz
    gradient = settings.bandwidth_hz / (GYROMAGNETIC_RATIO_HZ_PER_T * edge)
    slew, most = settings.slew_rate, max(settings.gradient * 1e-3, gradient)
    if settings.readout == "bipolar":
        return reading + 2 * gradient / slew
    # The area of the read-out with its ramps; back in a triangle, or a trapezoid at the strongest gradient.
    area = gradient * (reading + gradient / slew)
    peak = math.sqrt(area * slew)
    back = 2 * peak / slew if peak <= most else area / most + most / slew
    return reading + 2 * gradient / slew + back


def recommend(settings: ProtocolSettings) -> Train:
    """Return the train of the least noise that takes the same scan time and TR; it may be the given one.

    Notes
    -----
    Over one to three interleaved trains of equal spacing, first echoes from the shortest allowed, and as many echoes as
    are allowed or as end by the longest allowed, the largest of three ratios is least: of the root-mean-square bounds
    of field, R2* and fat fraction, over all fat fractions and the range of R2*, to those of the given train. What is
    found is therefore better in all three, or the given train stays. Each repetition measures one train, so that with
    T of them the noise is that of the given train times √(T / T_given). The voxel, the bandwidth and the flip angle
    stay. None is taken that leaves a voxel less than 90 % of the given train's margin less one unit of log-likelihood
    (nine are enough), or less than 90 % of the distance that its field may stray.
    """
    given = given_train(settings)
    sure = min(DECIDED, _AS_SURE * given.swaps.least_margin) - _NO_DIFFERENCE
    stray = _AS_SURE * given.swaps.least_stray_hz
    for _, times, trains in sorted(_offers(settings, given.bounds.typical())):
        one = _train(settings, times, trains)
        if one.swaps.least_margin >= sure and one.swaps.least_stray_hz >= stray:
            return one
    return given


def given_train(settings: ProtocolSettings) -> Train:
    """Return the protocol's own train."""
    return _train(settings, settings.echo_times, settings.trains)


def _offers(settings, given):
    """Trains that are better than the bounds `given` in all three, the worst ratio before each."""
    closest, offers = closest_spacing(settings), []
    first, last = settings.first_allowed, settings.last_allowed
    for trains in range(1, _MOST_TRAINS + 1):
        least = math.ceil(closest / trains / _STEP_S - 1e-6)
        for spacing, start in product(range(least, least + _SPACINGS), range(_FIRSTS)):
            begin, step = first + start * _FIRST_STEP_S, spacing * _STEP_S
            count = min(settings.most_echoes, math.floor((last - begin) / step + 1e-6) + 1) // trains * trains
            if count < max(3, 2 * trains):
                continue
            times = tuple(np.round(begin + step * np.arange(count), 8).tolist())
            found = _bounds(settings, times, trains).typical()
            worst = max(a / b for a, b in zip(found, given, strict=True))
            if worst < 1:
                offers.append((worst, times, trains))
    return offers


def _noise(settings, trains):
    return settings.noise * math.sqrt(trains / settings.trains)


def _bounds(settings, times, trains):
    low, high = settings.r2star_range
    rates = (low, settings.middle_r2star, high)
    return bounds(settings.model(times), _noise(settings, trains), rates)


def _train(settings, times, trains):
    return Train(times, trains, _bounds(settings, times, trains), swaps(settings, times, _noise(settings, trains)))
