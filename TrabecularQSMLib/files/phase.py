"""Signals as scanners and converters store them: phase in whatever unit, real and imaginary part with an offset."""

import zlib
from functools import partial

import numpy as np

from ..chunks import run_slabs
from ..errors import InputError

# Ways in which scanners and converters store phase, as lowest and highest value of a whole turn. Only an image that
# reaches both ends to 2 % is taken for one of them: noise in air does so in every complete export.
_SCALES = (
    (-4096.0, 4096.0),
    (0.0, 4096.0),
    (-2048.0, 2048.0),
    (-3141.593, 3141.593),
    (0.0, 6283.185),
    (-180.0, 180.0),
    (0.0, 360.0),
    (-32768.0, 32768.0),
    (0.0, 65536.0),
)
_TURN = 2 * np.pi
_RADIANS_TOLERANCE = 0.01
# A range of this share of a turn is a turn: noise reaches its ends, but few voxels need not.
_WHOLE = 0.9
# Radians in a smaller range than this (rad) are noise at most: a scale was left on.
_LEAST_RANGE = 0.1
# Whole numbers in a range of so few are radians that were rounded.
_FEW_NUMBERS = 14
# Wrapped phase fills its range to the ends: bins there hold at least this share of their due, and of the pairs of
# neighbors at least this share jumps by more than half the range.
_BINS, _FILLED, _JUMPS = 50, 0.15, 0.005
# Of radians, unwrapped in space or over echoes, no more than this share of the signal's power differs from its neighbor
# by a quarter of a turn or more, apart from whole turns; of other units half of it does.
_ROUGH = 0.2
# An echo whose phase spans less than the first share of what the others span may be in another unit, and less than the
# second is.
_NARROW, _ANOTHER = 0.5, 0.02
# The first one's may be zero but for rounding.
_ZERO = 1e-6
_SAMPLES = 200_000
# Slices that tell one part from another, and a range that is none.
_PLANES, _TINY = 16, 1e-30
# Phase has one value in more than this share of the signal, and in so many times more voxels than any other value, only
# where it was cut out.
_CUT_OUT, _ABOVE_STEPS = 0.02, 4
# A magnitude of fewer whole numbers was rounded.
_FEW_LEVELS = 32
# In air a phase jumps by more than half its range between so many neighbors (a quarter of those there), so many times
# as many as a magnitude does: edges make 0.02 of it in voxels of 5 mm, and more only where this share is clipped.
_NOISY, _TIMES, _AT_END = 0.05, 4, 0.02
# A real or imaginary part comes as near to its magnitude as this, in each of so many classes of brightness, and lies
# near it in this share.
_NEARLY, _CLASSES, _OFTEN = 0.03, 4, 0.1
# So far below zero, in parts of its largest value, rounding and interpolation at edges bring a magnitude.
_ROUNDING, _OVERSHOOT = 1e-4, 0.05
# An offset of real and imaginary part: its least size and largest change between echoes in parts of the signal, the
# least share of voxels (air) that lie there, and how many more than at zero.
_LEAST_OFFSET, _STEADY, _AIR, _RARER = 0.1, 0.05, 0.05, 5


def polar_to_complex(echoes: np.ndarray, source: str) -> str | None:
    """Turn magnitude and phase, held as real and imaginary part of `echoes`, into the complex signal in place.

    Parameters
    ----------
    echoes : (E, K, J, I) complex64 array
        Phase in radians, wrapped or not, in turns, degrees or a known integer scale, which is recognized and rescaled.
    source : str
        Name for messages.

    Returns
    -------
    str or None
        What was rescaled or decided, if anything.

    Raises
    ------
    InputError
        If the magnitude is negative somewhere, or the phase is none or its scale is not known.
    """
    negative = without_negative(echoes, source)
    refuse_copies(echoes, ("magnitude", "phase"), source)
    _refuse_other_parts(echoes[len(echoes) // 2], source)
    scale, middle, note = _phase_scale(echoes, source)
    cut = _leave_out_cut(echoes, source)
    notes = (negative, cut, note, _check_one_unit(echoes, _TURN / scale, source), rounded(echoes, source))
    note = " ".join(filter(None, notes)) or None
    for echo in echoes:
        run_slabs(partial(_slab_to_complex, echo, np.float32(middle), np.float32(scale)), echo.shape)
    return note


def _refuse_other_parts(echo, source):
    """Refuse a phase given as the magnitude and the reverse, and a real or imaginary part given as the phase."""
    planes = echo[len(echo) // 2 :][:_PLANES]
    if planes.shape[-1] < 2 or not np.isfinite(planes).all():  # the latter is told where the scan is checked
        return
    if np.min(planes.imag) >= 0:
        jumps = [np.mean(np.abs(np.diff(part)) > 0.5 * max(np.ptp(part), _TINY)) for part in (planes.real, planes.imag)]
        at_end = np.mean(planes.real == planes.real.max())
        if at_end < _AT_END and jumps[0] > max(_NOISY, _TIMES * jumps[1]):
            raise InputError(
                f"What is given as the magnitude of {source} jumps over its whole range in air, as only phase does, "
                "and what is given as its phase does not: the two are exchanged, so give each as what it is."
            )
        return
    bright = planes[planes.real > np.median(planes.real)]
    classes = np.array_split(np.abs(bright.imag / bright.real)[np.argsort(bright.real)], _CLASSES)
    if all(one.size and abs(one.max() - 1) < _NEARLY and np.mean(one > 1 - _OFTEN) > _OFTEN for one in classes):
        raise InputError(
            f"What is given as the phase of {source} is as large as the magnitude and no larger, dark and bright "
            "alike, as a real or imaginary part is: export the phase, or give both parts as real and imaginary."
        )


def _leave_out_cut(echoes, source):
    """Set to zero, in all echoes, what has magnitude but had its phase cut out of any, and say so."""
    low, high = (float(find([find(echo.imag) for echo in echoes])) for find in (np.min, np.max))
    cut, value = np.zeros(echoes.shape[1:], bool), 0.0
    for echo in echoes:
        signal = echo.real > 0
        if not signal.any() or np.ptp(echo.imag[signal]) == 0:  # all of it may be the zero of the others
            continue
        for one in {0.0, low, high}:
            there = signal & (echo.imag == np.float32(one))
            count = np.count_nonzero(there)
            if count <= _CUT_OUT * np.count_nonzero(signal):
                continue
            if count > _ABOVE_STEPS * _commonest(echo.imag[signal & ~there]):
                cut, value = cut | there, one
    if not cut.any():
        return None
    share = np.count_nonzero(cut) / np.count_nonzero(np.any(echoes.real > 0, axis=0))
    echoes[:, cut] = 0
    return (
        f"The phase of {source} is exactly {value:g} in {share:.0%} of what has magnitude, as where it was cut out: "
        "these voxels are left out; export the phase whole for what lies in them."
    )


def _commonest(values) -> int:
    """How many of the values are alike at most: of a phase in few steps, as many as lie in one."""
    return int(np.unique(values, return_counts=True)[1].max()) if values.size else 0


def _slab_to_complex(echo, middle, scale, planes):
    here = echo[planes]
    magnitude, phase = here.real.copy(), (here.imag - middle) * scale
    here.real = magnitude * np.cos(phase)
    here.imag = magnitude * np.sin(phase)


def take_off_offset(echoes: np.ndarray, source: str) -> str | None:
    """Take off, in place, what was added to real and imaginary part to store them without sign, and say so.

    It shows as a value, the same in all echoes, at which air lies and next to which nothing lies at zero.

    Parameters
    ----------
    echoes : (E, K, J, I) complex64 array
    source : str
        Name for messages.

    Raises
    ------
    InputError
        If neither part has anything below zero and no such value is found.
    """
    low = min(float(echoes.real.min()), float(echoes.imag.min()))
    high = max(float(echoes.real.max()), float(echoes.imag.max()))
    if not high > low:
        return None
    refuse_copies(echoes, ("real part", "imaginary part"), source)
    samples = [_some(echo) for echo in echoes]
    peaks = np.array([_densest(values, low, high) for values in samples])
    offset, values = complex(np.median(peaks.real), np.median(peaks.imag)), np.concatenate(samples)
    size, scale = abs(offset), float(np.quantile(np.abs(values - offset), 0.99))
    there, at_zero = (np.count_nonzero(np.abs(values - place) < 0.3 * size) for place in (offset, 0))
    if (
        size > _LEAST_OFFSET * scale
        and np.abs(peaks - offset).max() < _STEADY * scale
        and there > max(_AIR * values.size, _RARER * at_zero)
    ):
        # Noise has its share in where most values lie; what programs add is a power of two.
        nearest = 2.0 ** np.round(np.log2(max(offset.real, 1.0)))
        if abs(offset - nearest * (1 + 1j)) < _STEADY * scale:
            offset = nearest * (1 + 1j)
        echoes -= np.complex64(offset)
        return (
            f"Real and imaginary part of {source} have an offset ({offset.real:g} and {offset.imag:g}, where air lies "
            "in all echoes), which was taken off."
        )
    if low >= 0:
        raise InputError(
            f"Real and imaginary part of {source} have nothing below zero (they run from {low:g} to {high:g}): an "
            "offset was added to store them, or their sign was lost; subtract it, or export magnitude and phase."
        )
    return None


def without_negative(echoes: np.ndarray, source: str) -> str | None:
    """Set what interpolation brought below zero in a magnitude, the real part of `echoes`, to zero in place; say so.

    Raises
    ------
    InputError
        If it falls so far that it is no magnitude.
    """
    least, most = float(echoes.real.min()), float(echoes.real.max())
    if not least < 0:
        return None
    if least < -_OVERSHOOT * most:
        raise InputError(
            f"The magnitude of {source} has negative values (down to {least:g}); check that it is not the phase or the "
            "real part, nor in decibels, nor unsigned numbers read as such with a sign."
        )
    for echo in echoes:
        np.maximum(echo.real, 0, out=echo.real)
    if least > -_ROUNDING * most:
        return None
    return (
        f"The magnitude of {source} falls below zero (to {least:.3g}, its largest is {most:.3g}), as where it was "
        "interpolated: such voxels count as zero; export it without interpolation if you can."
    )


def refuse_copies(echoes, names, source):
    """Refuse an image that stands for two: both parts of an echo, or the same part of two echoes."""
    seen = {}
    for number, echo in enumerate(echoes, start=1):
        if np.array_equal(echo.real, echo.imag) and np.any(echo):
            raise InputError(
                f"{names[0].capitalize()} and {names[1]} of echo {number} of {source} are the same image; export it "
                "again."
            )
        for name, part in zip(names, ("real", "imag"), strict=True):
            image = getattr(echo, part)
            if np.ptp(image) == 0:
                continue
            first = seen.setdefault((part, zlib.crc32(np.ascontiguousarray(image))), number)
            if first != number and np.array_equal(getattr(echoes[first - 1], part), image):
                raise InputError(
                    f"The {name} of echo {first} and of echo {number} of {source} is the same image, bit for bit; "
                    "export the echoes again."
                )


def rounded(echoes: np.ndarray, source: str) -> str | None:
    """Return a note on an echo whose magnitude, the real part of `echoes`, was rounded to a few whole numbers."""
    for number, echo in enumerate(echoes, start=1):
        most = float(echo.real.max())
        if 0 < most < _FEW_LEVELS and all(np.array_equal(plane.real, np.round(plane.real)) for plane in echo):
            return (
                f"The magnitude of echo {number} of {source} is in whole numbers up to {most:g}: it was rounded, and "
                "R2* and fat fraction are wrong; export it with its fraction, or scaled to thousands."
            )
    return None


def _check_one_unit(echoes, turn, source):
    """Refuse echoes whose phase is nothing, or in another unit than that of the others; return a note on the first."""
    ranges = _ranges(echoes)
    widest = max(ranges, key=lambda one: one[1] - one[0])
    if widest[1] == widest[0]:  # of a single voxel
        return None
    unwrapped = widest[1] - widest[0] > 1.02 * turn
    for number, (low, high) in enumerate(ranges, start=1):
        share = (high - low) / (widest[1] - widest[0])
        if share >= _NARROW or number == 1 and share < _ZERO:
            continue
        if share < _ANOTHER or not unwrapped and _texture(echoes[number - 1 : number], low, high)[0]:
            raise InputError(
                f"The phase of echo {number} of {source} runs from {low:g} to {high:g}, that of others from "
                f"{widest[0]:g} to {widest[1]:g}; expected one unit in all, so export the echoes again."
            )
    low, high = ranges[0]
    if high - low < _ZERO * (widest[1] - widest[0]):
        return f"The phase of echo 1 of {source} is {low:.4g} everywhere, and the zero of that of the others."
    return None


def _ranges(echoes):
    """Least and largest phase of each echo, in the unit of the file."""
    return [(float(echo.imag.min()), float(echo.imag.max())) for echo in echoes]


def _phase_scale(echoes, source):
    """Radians per stored unit, the stored value of zero, and a note if that is not plain radians."""
    low, high = float(echoes.imag.min()), float(echoes.imag.max())
    span, said = high - low, f"The phase of {source} runs from {low:g} to {high:g}"
    if not np.isfinite(span):
        return 1.0, 0.0, None  # numbers are asked for where the scan is checked
    if span == 0:
        raise InputError(f"The phase of {source} is {low:g} everywhere; expected radians, so export it again.")
    if span < _FEW_NUMBERS and all(
        np.array_equal(plane.imag, np.round(plane.imag)) for echo in echoes for plane in echo
    ):
        raise InputError(
            f"{said} in whole numbers: radians were rounded to integers, and their fraction is lost; export the phase "
            "as float or in the scanner's own scale."
        )
    # Converters may take 0 to 2π for one echo and −π to π for another.
    radians = all(
        any(start - _RADIANS_TOLERANCE <= least and most <= start + _TURN + _RADIANS_TOLERANCE for start in (-np.pi, 0))
        for least, most in _ranges(echoes)
    )
    if radians and span >= _WHOLE * _TURN:
        return 1.0, 0.0, None
    if not radians:
        for first, last in _SCALES:
            turn = last - first
            slack = 0.01 * turn  # 2 % of half a turn
            if -1.5 <= low - first <= slack and -slack <= high - last <= 1.5:
                _refuse_lost_sign(echoes, first, last, said)
                return _TURN / turn, 0.5 * (first + last), _rescaled(source, low, high, turn)
    wrapped, rough = _texture(echoes, low, high)
    # Turns, and half turns from −1 to 1, of floating-point numbers.
    turn = next((turn for turn, starts in ((1, (-0.5, 0)), (2, (-1,))) if abs(span - turn) < 0.02 * turn
                 and any(abs(low - start) < 0.02 for start in starts)), None)  # fmt: skip
    if wrapped and turn:
        return _TURN / turn, round(0.5 * (low + high), 1), _rescaled(source, low, high, turn)
    if wrapped or radians and span < _LEAST_RANGE:
        _check_one_unit(echoes, span, source)  # which may be the cause
        what = (
            "which it fills as wrapped phase of another scale does" if wrapped else "which is no phase of a whole scan"
        )
        raise InputError(
            f"{said}, {what}; expected radians (−π to π), degrees or a known integer scale such as 0 to 4095, so undo "
            "the scale or export it again."
        )
    if radians:
        return 1.0, 0.0, None
    if rough > _ROUGH:
        raise InputError(
            f"{said}, which is no known scale; expected radians (−π to π, or unwrapped), degrees or a known integer "
            "scale such as 0 to 4095, so undo the scale or export it again."
        )
    note = f"{said} but goes on smoothly: it is taken as phase in radians that was unwrapped already."
    return 1.0, 0.0, note


def _refuse_lost_sign(echoes, first, last, said):
    """Refuse whole numbers none of which lie in the middle half of their range: those below zero were wrapped."""
    quarter = 0.25 * (last - first)
    if first == 0 and not any(np.any(np.abs(echo.imag - 2 * quarter) < quarter) for echo in echoes):
        raise InputError(
            f"{said} with nothing in the middle half of that: numbers with a sign were stored without it, so that "
            f"{last:g} was added to those below zero; export the phase as float or with its sign."
        )


def _rescaled(source, low, high, turn):
    stored = f"The phase of {source} is stored as {low:g} to {high:g}"
    return f"{stored} and was rescaled to radians (a whole turn is {turn:g})."


def _texture(echoes, low, high):
    """Whether values fill their range and jump across it, as wrapped phase does, and how rough they are as radians.

    The latter is the share of the signal's power that differs from its neighbor by more than a quarter of a turn, in
    radians and apart from whole turns.
    """
    counts, pairs, jumps, rough, signal = np.zeros(_BINS), 0, 0, 0.0, 0.0
    for echo in (echoes[n] for n in sorted({0, len(echoes) // 2, len(echoes) - 1})):
        counts += np.histogram(echo.imag[echo.real > 0], _BINS, (low, high))[0]
        for axis in range(3):
            here, there = (np.moveaxis(echo, axis, 0)[part] for part in (slice(1, None), slice(None, -1)))
            weight = np.minimum(here.real, there.real)
            inside, step = weight > 0, np.abs(here.imag - there.imag)
            pairs += int(np.count_nonzero(inside))
            jumps += int(np.count_nonzero(inside & (step > 0.5 * (high - low))))
            power = weight.astype(np.float64) ** 2  # in which air does not count
            rough += float(power[np.abs(step - _TURN * np.round(step / _TURN)) > 0.25 * _TURN].sum())
            signal += float(power.sum())
    filled = counts[[0, -1]].min() >= _FILLED * counts.sum() / _BINS
    return bool(filled and jumps >= max(_JUMPS * pairs, 1)), rough / max(signal, 1e-30)


def _some(echo):
    flat = echo.ravel()
    return flat[:: max(flat.size // _SAMPLES, 1)]


def _densest(values, low, high):
    """The point of the complex plane around which most values lie."""
    counts, _, _ = np.histogram2d(values.real, values.imag, _BINS, ((low, high), (low, high)))
    width = (high - low) / _BINS
    middle = low + width * (np.array(np.unravel_index(counts.argmax(), counts.shape)) + 0.5)
    near = np.maximum(np.abs(values.real - middle[0]), np.abs(values.imag - middle[1])) < 1.5 * width
    return complex(np.median(values.real[near]), np.median(values.imag[near]))
