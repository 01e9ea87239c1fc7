"""What numbers and names in tables say of mistakes: units, codes for no value, names in two spellings."""

import re
from collections.abc import Sequence

import numpy as np

# A value is far off if it is so many times farther from the median than half of the values, of which there are so many.
# Zero is none of them if all others are farther from it than this part of their median, and than from each other, and
# no more than this share of them are whole numbers, as counts are.
_FAR, _LEAST_VALUES, _NEAR_ZERO, _MOST_WHOLE = 50.0, 4, 0.2, 0.3
# Fractions and percent in one column: so many values of each, a gap of this factor, and medians of such a ratio.
_LEAST_OF_UNIT, _GAP, _PERCENT = 2, 5.0, (30.0, 300.0)


def far_off(values: np.ndarray, groups: Sequence[str] | None = None) -> list[int]:
    """Return the places of values that lie far from those of their group, such as codes for no value.

    Parameters
    ----------
    values : (n,) array
    groups : sequence of n str, optional
    """
    values, found = np.asarray(values, np.float64), []
    groups = np.zeros(values.size) if groups is None else np.asarray(groups)
    for group in np.unique(groups):
        places = np.flatnonzero(groups == group)
        found += places[_are_none(values[places])].tolist()
        away = np.abs(values[places] - np.median(values[places]))
        if places.size >= _LEAST_VALUES and np.median(away) > 0:
            found += places[away > _FAR * np.median(away)].tolist()
    return sorted(set(found))


def _are_none(values):
    """Which values are 0 where others are measured and none comes near it, as programs write for no value."""
    others = np.sort(np.abs(values[values != 0]))
    if (
        others.size < _LEAST_VALUES
        or np.mean(others == np.round(others)) > _MOST_WHOLE
        or others[0] < max(_NEAR_ZERO * np.median(others), np.diff(others).max())
    ):
        return np.zeros(values.size, bool)
    return values == 0


def two_units(values: np.ndarray, groups: Sequence[str] | None = None) -> str | None:
    """Return what speaks for fractions and percent in one column: positive values on both sides of a wide gap at 1.

    Parameters
    ----------
    values : (n,) array
    groups : sequence of n str, optional
        If none of them has values on both sides, that is how they differ.
    """
    values = np.asarray(values, np.float64)
    if groups is not None and not set(np.asarray(groups)[values <= 1]) & set(np.asarray(groups)[values > 1]):
        return None
    values = np.sort(values)
    small, large = values[values <= 1], values[values > 1]
    if min(small.size, large.size) < _LEAST_OF_UNIT or values[0] <= 0 or values[-1] > 100:
        return None
    ratio = np.median(large) / np.median(small)
    if large[0] < _GAP * small[-1] or not _PERCENT[0] < ratio < _PERCENT[1]:
        return None
    return (
        f"{small.size} values lie from {small[0]:.3g} to {small[-1]:.3g} and {large.size} from {large[0]:.3g} to "
        f"{large[-1]:.3g}, {ratio:.0f} times as high: as fractions and percent; bring them to one unit."
    )


def spelled_alike(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return pairs of names that differ in capitals, spaces and hyphens alone."""
    found = {}
    for name in dict.fromkeys(names):
        found.setdefault(plain_name(name), []).append(name)
    return [(alike[0], other) for alike in found.values() for other in alike[1:]]


def plain_name(name: str) -> str:
    """Return a name without what people write otherwise each time: capitals, spaces, hyphens and underscores."""
    return re.sub(r"[\s_-]+", "", name).casefold()
