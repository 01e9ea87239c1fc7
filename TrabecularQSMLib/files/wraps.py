"""Whether phase was averaged while it was wrapped: by interpolation, by a filter or by a coarser grid.

Between π and −π the mean of both lies, which is the phase of neither. So voxels on the line of a wrap contradict those
at both sides of it, which agree. Noise and anatomy make such voxels, too, but wherever phase is: they are counted on
the lines of other phases, which mean nothing, in voxels as bright.
"""

from collections.abc import Iterator

import numpy as np

# Lines of so many phases are compared; phase wraps at the first of them, 0, or in the middle, π.
_LINES = 8
# Neighbors, so many voxels away, agree within this (rad), and have more than this part of the largest magnitude. At
# the farthest, anatomy contradicts up to 1.07 times as much as is asked for below: so many times is.
_DISTANCES, _AGREE, _BRIGHT = {1: 1.0, 2: 1.0, 3: 1.2}, np.pi / 3, 0.1
# Voxels on the line contradict more than those on any other line by so much (one less the mean cosine), and so many
# times: in all echoes together or in one, of so many places at least.
_TIMES, _TOGETHER, _ALONE = 2.5, (0.35, 50), (0.5, 150)
# Voxels are as bright as others in one of so many equal parts of the logarithm: where a line crosses nothing but air,
# noise alone contradicts there.
_BRIGHTNESSES = 4
# So many voxels of an echo along its other axes are enough.
_VOXELS = 300_000


def on_wraps(echoes: np.ndarray, source: str) -> Iterator[str]:
    """Say if phase was averaged while it was wrapped.

    Parameters
    ----------
    echoes : (E, K, J, I) complex array
    source : str
        Name for messages.
    """
    sums = np.stack([_sums_on_lines(echo) for echo in echoes], axis=1)
    for times, at_distance in zip(_DISTANCES.values(), sums, strict=True):
        for which, one, (excess, places) in _sets(at_distance):
            for line in (0, _LINES // 2):
                here, elsewhere, count = _contradiction(one, line)
                if count >= places and here - elsewhere > times * excess and here > _TIMES * elsewhere:
                    yield (
                        f"The phase of {which}{source} was averaged while it was wrapped: along its wraps voxels have "
                        "the phase of neither side (mean cosine "
                        f"{1 - here:.2f} to it; {1 - elsewhere:.2f} along other lines), as where it was interpolated, "
                        "smoothed or reduced. Field, χ and fat fraction are wrong there; do so to real and imaginary "
                        "part in place of the phase."
                    )
                    return


def _sets(sums):
    """All echoes together, then each of them: name, sums, and what is asked for."""
    yield "", sums.sum(axis=0), _TOGETHER
    for number, one in enumerate(sums, start=1):
        yield f"echo {number} of ", one, _ALONE


def _contradiction(sums, line) -> tuple[float, float, float]:
    """How far voxels on a line contradict both sides of it, as bright ones on others, and how many voxels that is."""
    weight, against, square = sums
    here = weight[line].sum()
    beside = [[(line + 1) % _LINES], [(line - 1) % _LINES]]
    far = [n for n in range(_LINES) if [n] not in ([line], *beside)]
    tiny, elsewhere = np.finfo(float).tiny, 0.0
    for others in (*beside, far):
        total, of_total = weight[others].sum(axis=0), against[others].sum(axis=0)
        mean = np.where(total > 0, of_total / np.maximum(total, tiny), of_total.sum() / max(total.sum(), tiny))
        elsewhere = max(elsewhere, float(weight[line] @ mean / max(here, tiny)))
    return float(against[line].sum() / max(here, tiny)), elsewhere, float(here**2 / max(square[line].sum(), tiny))


def _sums_on_lines(echo):
    """For each distance, line and brightness, over voxels on it: sums of weights, of what contradicts, of squares."""
    size, phase = np.abs(echo), np.angle(echo)
    size /= size.max() or 1
    step = int(np.ceil(np.sqrt(max(echo.size / _VOXELS, 1))))
    total = np.zeros((len(_DISTANCES), 3, _LINES, _BRIGHTNESSES))
    for axis, count in enumerate(echo.shape):
        parts = tuple(slice(None) if n == axis else slice(None, None, step) for n in range(3))
        weights, phases = (np.moveaxis(array[parts], axis, 0) for array in (size, phase))
        for number, distance in enumerate(_DISTANCES):
            if count > 2 * distance:
                total[number] += _along(weights, phases, distance)
    return total


def _along(size, phase, distance):
    """The sums of `_sums_on_lines` along the first axis."""
    before, here, after = slice(None, -2 * distance), slice(distance, -distance), slice(2 * distance, None)
    weight = np.minimum(np.minimum(size[before], size[here]), size[after])
    change = phase[after] - phase[before]
    change -= 2 * np.pi * np.round(change / (2 * np.pi))
    counted = (weight > _BRIGHT) & (np.abs(change) < _AGREE)
    change, weight = change[counted], weight[counted].astype(np.float64)
    middle = phase[before][counted] + change / 2
    line = np.round(middle * (_LINES / (2 * np.pi)))
    crossed = np.abs(middle - line * (2 * np.pi / _LINES)) <= np.abs(change) / 2
    against = 1 - np.cos(phase[here][counted] - middle)[crossed]
    number, weight = line[crossed].astype(int) % _LINES, weight[crossed]
    bright = _BRIGHTNESSES * (1 - np.log(weight) / np.log(_BRIGHT))
    number = _BRIGHTNESSES * number + np.clip(bright.astype(int), 0, _BRIGHTNESSES - 1)
    weight = weight**2
    sums = [np.bincount(number, values, _LINES * _BRIGHTNESSES) for values in (weight, weight * against, weight**2)]
    return np.reshape(sums, (3, _LINES, _BRIGHTNESSES))
