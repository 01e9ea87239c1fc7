"""What noise of the echoes does to the fields, drawn once more from the standard deviations that the fit gives."""

import copy

import numpy as np

from ..fieldmap.signal import r2star_range
from ..progress import Progress
from .fields import Fields


def with_more_noise(fields: Fields, random: np.random.Generator, progress: Progress | None) -> Fields:
    """Return fields with what noise of the echoes does to them, drawn once more, in the same mask.

    Noise of R2* turns the decay about the mean time of the echoes' power and so moves the signal at time zero.
    """
    again, maps = copy.copy(fields), fields.maps
    one = lambda: random.standard_normal(fields.magnitude.shape, dtype=np.float32)  # noqa: E731
    rate = np.clip(maps["r2star"] + maps["sigma_r2star"] * one(), *r2star_range(fields.echo_times))
    # Where the signal could be e times as strong, nothing is known of it.
    turned = np.clip(_mean_time(fields) * (rate - maps["r2star"]), -1, 1)
    fat, both = fields.fat_fraction, signal_noise(fields)
    signal = fields.signal * np.exp(turned) + both * one()
    again.fat_fraction = np.clip(fat + maps["sigma_pdff"] * one(), 0, 1)
    again.maps = maps | {
        "r2star": rate,
        "pdff": again.fat_fraction,
        "fat": again.fat_fraction * signal,
        "water": (1 - again.fat_fraction) * signal,
    }
    again.apart = {}
    ppm = maps["sigma_field"] * np.float32(1e6 / fields.imaging_frequency)
    again.total_field = fields.total_field + ppm * one()
    again.local_field, _ = fields.local(again.total_field, progress)
    again.magnitude = np.abs(fields.magnitude + fields.noise * one())
    same = fields.edges is fields.magnitude
    again.weigh(again.magnitude if same else np.abs(fields.edges + both * one()))
    return again


def signal_noise(fields: Fields) -> np.ndarray:
    """Return the standard deviation of `Fields.signal` at a given R2*.

    Water and fat have equal noise s, and (p² + (1 − p)²) s² is the variance of the fraction p of their sum.
    """
    fat = fields.fat_fraction
    return np.sqrt(2 / (fat**2 + (1 - fat) ** 2)) * fields.maps["sigma_pdff"] * fields.signal


def _mean_time(fields):
    """Mean echo time in s by what is left of the signal's power then."""
    power, late = 0, 0
    for time in np.asarray(fields.echo_times, np.float32):
        left = np.exp(-2 * time * fields.maps["r2star"])
        power, late = power + left, late + time * left
    return late / power
