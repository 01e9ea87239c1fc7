"""Whether a magnitude and a phase can be what they claim: of one place, as they were measured."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import scipy
import scipy.fft
from scipy import ndimage

from ..analysis.slices import copies
from ..errors import InputError
from .wraps import on_wraps

# The middle of the image, up to so many voxels along an axis, is looked at; so few in all tell nothing.
_MOST, _FEWEST = 96, 2000
# Phase that agrees less with that of the six neighbors, as a mean cosine, is noise, and this share of it at least shows
# where air is. A magnitude of which more is zero was cut out already.
_NOISE, _LEAST_AIR, _MOST_CUT = 0.3, 0.1, 0.05
# The magnitude lies elsewhere if its logarithm follows the agreement so well there, and so much better than here, at
# least by so many standard errors.
_FOLLOWS, _BETTER, _SURE = 0.3, 0.01, 2.0
# Mean over standard deviation of noise in so many voxels around: 1.9 of a magnitude, more of several coils, 1 of its
# square.
_AROUND, _MOSTLY_AIR, _SQUARED = 5, 0.6, 1.35
# Noise of a magnitude is skewed to large values, by 0.63 of one coil and 0.1 of many; that of its root to small ones,
# by so many standard errors at least. It is looked at where this share of so many voxels around is air.
_SKEWED, _FAR_AROUND, _IN_AIR = 2.0, 7, 0.75
# That of its logarithm, as of decibels, has -1.1, and none of its roots less than this.
_LOGARITHM = -0.5
# Skewness by quantiles times mean over standard deviation is 0.29 of one coil and less of several; with so many errors
# of it, and above this, a constant was added.
_SURELY_SKEWED, _ONE_COIL = 3.0, 0.4
# Air of a magnitude alone: not brighter than this times the median of what is dark, nearly all of it dark around.
_NOT_BRIGHTER, _ALL_DARK, _THRESHOLD_STEPS = 1.5, 0.99, 10
# So many slices of it tell enough.
_SLICES = 32
# Noise of neighbors is alike by no more in magnitude than the correlation that their phase shows allows, but for this
# much; so many voxels apart it is not alike at all.
_SMOOTHER, _APART = 0.25, 5
# Of a magnitude alone more of it is a filter: finer voxels of the scanner make 0.5 or 0.6, a Gaussian with a standard
# deviation of one voxel 0.7, of 1.5 and more 0.82 to 0.89.
_FILTERED = 0.8
# Real and imaginary part of noise spread alike, but for this share.
_UNEQUAL = 0.15
# The mean of the signal over so many voxels has a phase near zero everywhere (as a mean cosine), and zero in the middle
# (rad), where low frequencies were taken from the phase, though in this share of the body it is not small (rad).
_LOW, _NEAR_ZERO, _ZERO, _NOT_SMALL, _SHARE = 9, 0.64, 0.2, 0.5, 0.2
# Largest values that differ by no more than this share are the same; so many voxels have it where they were clipped,
# and as many in all echoes, but for this share, where each was scaled to a percentile of its own.
_ALIKE, _CLIPPED, _AS_MANY = 1e-5, 5, 0.02
# So many voxels, and this share of those above half of the largest value, have it where something is wrong by that, and
# half as many as lie within so little below it: of right scans, in 7 bits, three voxels have it at most.
_LEAST_CLIPPED, _MUCH_CLIPPED, _PILED, _JUST_BELOW = 20, 0.005, 0.5, 0.97
_PARTS = ((np.abs, "magnitude"), (np.real, "real part"), (np.imag, "imaginary part"))
# Quantiles to which magnitudes are scaled; of at least so many voxels above one, all echoes but for this number have it
# in common, of at least so many echoes: of voxels that change, the number does by more.
_QUANTILES, _LEAST_ABOVE, _BUT_FOR, _FEWEST_ECHOES = (0.999, 0.995, 0.99, 0.98, 0.95, 0.9), 300, 2, 4
_AXES = "kji"


def doubts(echoes: np.ndarray, source: str) -> list[str]:
    """Return what speaks against the echoes being a magnitude and a phase of one place, as they were measured.

    Parameters
    ----------
    echoes : (E, K, J, I) complex array
    source : str
        Name for messages.

    Raises
    ------
    InputError
        If there is no phase, or no magnitude, in any of them.
    """
    if not np.all(np.isfinite(echoes)) or not np.any(echoes):  # which is told where the scan is checked
        return []
    _refuse_one_part(echoes, source)
    scale = [
        *(_on_scale(echoes, source) or _on_quantiles(echoes, source)),
        *_on_ends(echoes, source),
        *_on_copies(echoes[0], source),
    ]
    if echoes[0].size < _FEWEST:
        return scale
    middle = tuple(slice(max(n - _MOST, 0) // 2, max(n - _MOST, 0) // 2 + min(n, _MOST)) for n in echoes.shape[1:])
    echoes = echoes[(slice(None), *middle)]
    # What averaged phase does to air is told as that.
    others = [*on_wraps(echoes, source)] or [*_on_air(echoes[0], source), *_on_filter(echoes, source)]
    return [*scale, *others]


def doubts_of_magnitude(magnitudes: np.ndarray, source: str) -> list[str]:
    """Return what speaks against echoes (E, K, J, I) of magnitude alone being as they were measured."""
    if not np.all(np.isfinite(magnitudes)) or not np.any(magnitudes):  # which is told where the scan is checked
        return []
    alone = _PARTS[:1]
    return [
        *(_on_scale(magnitudes, source, alone) or _on_quantiles(magnitudes, source)),
        *_on_ends(magnitudes, source, alone),
        *_on_copies(magnitudes[0], source),
        *on_magnitude(magnitudes[0], source, "R2* and fat fraction are"),
    ]


def _refuse_one_part(echoes, source):
    """Refuse what is the magnitude alone, or the phase alone, in the form of a complex signal."""
    if not np.any(echoes.imag):
        raise InputError(f"The signal of {source} has no imaginary part: its phase was not stored; export it as well.")
    first = np.abs(echoes[0])
    if np.ptp(first) <= _ALIKE * first.max() and first.size > 1:
        raise InputError(
            f"The magnitude of {source} is {first.max():.4g} everywhere: the phase alone was stored; export the "
            "magnitude as well."
        )


def _on_scale(echoes, source, parts=_PARTS) -> list[str]:
    """Each echo scaled to its own largest value, of the magnitude or of one part."""
    for part, what in parts:
        peaks = [float(np.abs(part(echo)).max()) for echo in echoes]
        least = (1 - _ALIKE) * max(peaks)
        if min(peaks) < least:
            continue
        # Values that were clipped have the same end, which many voxels have, and fewer the later the echo.
        ends = [np.count_nonzero(np.abs(part(echo)) >= least) for echo in echoes]
        if min(ends) < _CLIPPED or max(ends) <= (1 + _AS_MANY) * min(ends):
            return [
                f"Every echo of {source} has the same largest {what}, {peaks[0]:.4g}, as if each had been scaled on "
                "its own: R2* is wrong then; export the echoes with one scale."
            ]
    return []


def _on_ends(echoes, source, parts=_PARTS) -> list[str]:
    """Echoes of which many voxels have the largest value, as where receiver, export or a window clipped them."""
    for part, what in parts:
        found = {}
        for number, echo in enumerate(echoes, start=1):
            size = np.abs(part(echo))
            most = float(size.max())
            at_end, near, upper = (
                int(np.count_nonzero(size >= share * most)) for share in (1 - _ALIKE, _JUST_BELOW, 0.5)
            )
            # An echo without phase, as the zero of the others has it, has no imaginary part at all.
            if most and at_end >= max(_LEAST_CLIPPED, _MUCH_CLIPPED * upper, _PILED * (near - at_end)):
                found[number] = (most, at_end / upper)
        if found:
            which = (
                f"echo{'es' * (len(found) > 1)} {', '.join(map(str, found))} of " if len(found) < len(echoes) else ""
            )
            most, share = max(found.values(), key=lambda one: one[1])
            return [
                f"The {what} of {which}{source} ends at {most:.4g} in up to {share:.1%} of its brighter half: it "
                "was clipped there (by the receiver, the export or a window), and R2* and fat fraction are wrong; "
                "export or acquire it with a smaller scale."
            ]
    return []


def _on_quantiles(echoes, source) -> list[str]:
    """Each echo scaled to its own quantile of the magnitude, above which as many voxels lie in all then."""
    last = echoes[0].size - 1
    places = {share: int(share * last) for share in _QUANTILES if last - int(share * last) >= _LEAST_ABOVE}
    if len(echoes) < _FEWEST_ECHOES or not places:
        return []
    first = np.quantile(np.abs(echoes[0]), [*places])  # between two values, as programs take it
    possible = {share: (value, last - place) for value, (share, place) in zip(first, places.items(), strict=True)}
    for echo in echoes[1:]:
        size = np.abs(echo)
        possible = {
            share: (value, above)
            for share, (value, above) in possible.items()
            if abs(np.count_nonzero(size > value) - above) <= _BUT_FOR
        }
        if not possible:
            return []
    share, (value, above) = next(iter(possible.items()))
    return [
        f"In every echo of {source} the same number of voxels ({above}) is above {value:.4g}, as if each had been "
        f"scaled to {100 * share:g} % of its own values: R2* is wrong then; export the echoes with one scale."
    ]


def _on_copies(echo, source) -> Iterator[str]:
    """A slice that is its neighbor's copy, as where a stack was filled up."""
    if same := copies(echo):
        yield (
            f"{len(same)} of {len(echo)} slices of {source} (first {same[0] + 1}) are copies of the slice before: the "
            "field does not go on across them, and χ is wrong; export the scan as it was acquired."
        )


def _on_air(echo, source) -> Iterator[str]:
    """A magnitude whose body is not where phase is coherent, or its square or root: noise in air shows each."""
    magnitude = np.abs(echo)
    magnitude /= max(float(magnitude.max()), np.finfo(np.float32).tiny)  # squares stay numbers
    if np.mean(magnitude == 0) > _MOST_CUT:
        return
    agreement = _agreement(echo)
    air = agreement < _NOISE
    if air.mean() < _LEAST_AIR:
        return
    yield from _on_parts(echo[ndimage.binary_erosion(air)], source)
    yield from _on_place(np.log(magnitude + 1e-3 * magnitude.max()), agreement, source)
    air &= _dark(magnitude)  # the phase of tissue differs as much between voxels of some mm, where it is steep
    smoothed = [*_on_smoothing(echo, air, source)]
    yield from smoothed or [*on_noise(magnitude, air, source), *_on_constant(magnitude, air, source)]


def on_magnitude(magnitude: np.ndarray, source: str, wrong: str) -> list[str]:
    """Return what the noise of air says against a magnitude of which there is no phase; arguments as of `on_noise`.

    Air is what is dark around, with all around it, and reaches the border of the image.
    """
    middle = max(len(magnitude) - _SLICES, 0) // 2
    magnitude = np.asarray(magnitude[middle : middle + _SLICES], np.float32)
    if magnitude.size < _FEWEST or not np.isfinite(magnitude).all() or np.mean(magnitude == 0) > _MOST_CUT:
        return []
    if not 0 <= magnitude.min() < magnitude.max():  # no magnitude, which is told where BV/TV is computed
        return []
    dark = _dark(magnitude).astype(np.float32)
    regions, _ = ndimage.label(ndimage.uniform_filter(dark, _AROUND) > _ALL_DARK)
    at_border = np.unique([regions[place] for place in (0, -1)])
    air = np.isin(regions, at_border[at_border > 0])
    alike = [float(found[0]) for found in map(partial(_alike, magnitude, air), range(3)) if found]
    if max(alike, default=0.0) > _FILTERED:  # which brings the body's edge into the air, and skews what is there
        return [
            f"Noise in the air of {source} is smooth (neighbors are alike by {max(alike):.2f}): the image was "
            f"filtered, denoised or brought to far finer voxels, so that fine structure is lost and {wrong} wrong "
            "then; give it as it was acquired."
        ]
    return list(on_noise(magnitude, air, source, wrong, alike))


def _dark(magnitude):
    """Where the magnitude is that of air or less, in the mean of the voxels around."""
    around = ndimage.uniform_filter(magnitude, _AROUND)
    dark = around < _between(around)
    return dark & (around < _NOT_BRIGHTER * np.median(around[dark]))


def _between(values):
    """Threshold between dark and bright, the middle of their means (Ridler, Calvard 1978, 10.1109/TSMC.1978.4310039).

    From the mean of all, ten steps come within 0.1 %, and half or twice of it would change the air by 3 % at most: what
    is dark is cut once more, by its own median.
    """
    threshold = float(values.mean())
    for _ in range(_THRESHOLD_STEPS):
        threshold = 0.5 * float(values[values <= threshold].mean() + values[values > threshold].mean())
    return threshold


def on_noise(
    magnitude: np.ndarray,
    air: np.ndarray,
    source: str,
    wrong: str = "R2* and fat fraction are",
    alike: Sequence[float] = (),
) -> Iterator[str]:
    """Say if noise has another spread or skewness than that of a magnitude.

    Parameters
    ----------
    magnitude : (K, J, I) array
    air : (K, J, I) bool array
        Where nothing but noise is.
    source : str
        Name for messages.
    wrong : str
        What is wrong then, with its verb.
    alike : sequence of float
        How alike noise of neighbors is along the axes (its correlation in magnitude), so that fewer voxels count.
    """
    magnitude = magnitude / max(float(magnitude.max()), np.finfo(np.float32).tiny)  # squares stay numbers
    mean, square = (ndimage.uniform_filter(values, _AROUND) for values in (magnitude, magnitude**2))
    inside = ndimage.uniform_filter(air.astype(np.float32), _AROUND) > _MOSTLY_AIR
    ratio = mean[inside] / np.sqrt(np.maximum(square - mean**2, np.finfo(np.float32).tiny))[inside]
    if ratio.size and np.median(ratio) < _SQUARED:
        yield (
            f"Noise in the air of {source} is spread as that of a squared magnitude (mean over standard deviation "
            f"{np.median(ratio):.2f}; 1.9 or more of a magnitude): {wrong} wrong then; take the root."
        )
    inside = ndimage.uniform_filter(air.astype(np.float32), _FAR_AROUND) > _IN_AIR
    noise = magnitude[inside] / np.maximum(mean[inside], np.finfo(np.float32).tiny)
    if noise.size < _FEWEST:
        return
    skewness = float(scipy.stats.skew(noise))
    near = np.sqrt(np.clip(alike, 0, 1))
    independent = noise.size * np.prod((1 - near) / (1 + near))
    if skewness < -_SKEWED * np.sqrt(6 / max(independent, 1)):
        what = "logarithm (dB) of a magnitude" if skewness < _LOGARITHM else "root of a magnitude, or its logarithm"
        yield (
            f"Noise in the air of {source} is skewed as that of the {what} ({skewness:.2f}; 0.1 or more of a "
            f"magnitude): {wrong} wrong then; undo it."
        )


def _on_constant(magnitude, air, source):
    """Say if noise is too skewed for how far from zero it lies, as where a constant was added to the magnitude.

    Of more coils it lies farther from zero, and is less skewed by as much.
    """
    mean, square = (ndimage.uniform_filter(values.astype(np.float64), _AROUND) for values in (magnitude, magnitude**2))
    inside = ndimage.uniform_filter(air.astype(np.float32), _FAR_AROUND) > _IN_AIR
    if np.count_nonzero(inside) < _FEWEST or not mean[inside].all():
        return
    ratio = float(np.median(mean[inside] / np.sqrt(np.maximum(square - mean**2, 1e-12 * mean**2))[inside]))
    # By quantiles, on which ghosts in a part of the air have little influence.
    low, middle, high = np.quantile((magnitude / np.where(inside, mean, 1))[inside], (0.1, 0.5, 0.9))
    skewness = (high + low - 2 * middle) / max(high - low, np.finfo(np.float32).tiny)
    if ratio * (skewness - _SURELY_SKEWED / np.sqrt(np.count_nonzero(inside))) > _ONE_COIL:
        yield (
            f"Noise in the air of {source} lies {ratio:.1f} times its standard deviation above zero, but is skewed as "
            "where that is less (1.9 for one coil), as if a constant had been added to the magnitude: R2* and fat "
            "fraction are wrong then; take it off, or export the magnitude as it was measured."
        )


def _on_smoothing(echo, air, source):
    """Noise in air that is smoother in magnitude than in phase, as the magnitude alone was filtered.

    Where the complex noise of neighbors is correlated by ρ, that of their magnitudes is by some ρ², and the mean cosine
    between their phases is π/4 ρ or more.
    """
    found = []
    # Noise that happens to agree with its neighbors is noise as well; what lies beside the body is none.
    air = ndimage.binary_erosion(ndimage.binary_closing(air, np.ones((3, 3, 3))))
    size = np.abs(echo)
    for axis in range(3):
        if likeness := _alike(size, air, axis):
            alike, near = likeness
            turn = np.moveaxis(echo / np.maximum(size, np.finfo(np.float32).tiny), axis, 0)
            coherence = np.abs((turn[1:] * turn[:-1].conj())[near].mean())
            found.append((alike, min((4 / np.pi * coherence) ** 2, 1)))
    alike, allowed = max(found, key=lambda one: one[0] - one[1], default=(0.0, 0.0))
    if alike - allowed > _SMOOTHER:
        yield (
            f"Noise in the air of {source} is smoother in magnitude than in phase (neighbors are alike by {alike:.2f}; "
            f"by {allowed:.2f} at most as it was measured): the magnitude was filtered, and fat fraction and R2* are "
            "wrong at edges; export the magnitude without filter."
        )


def _alike(size, air, axis):
    """How alike noise of neighbors along an axis is, and which pairs are neighbors; None where too little is air."""
    if size.shape[axis] <= 2 * _APART:
        return None
    size, where = (np.moveaxis(array, axis, 0) for array in (size, air))
    near, far = where[1:] & where[:-1], where[_APART:] & where[:-_APART]
    if min(np.count_nonzero(near), np.count_nonzero(far)) < _FEWEST:
        return None
    beside, apart = np.abs(size[1:] - size[:-1])[near], np.abs(size[_APART:] - size[:-_APART])[far]
    # Edges of what gives signal are cut off; a median would jump where the magnitude is stored in few steps.
    most = 2 * np.median(apart)
    beside, apart = (np.minimum(change, most).mean() for change in (beside, apart))
    return (1 - (beside / apart) ** 2, near) if apart > 0 else None


def _on_parts(noise, source):
    """Real and imaginary part in different units, as where each image has a scale of its own."""
    if noise.size < _FEWEST:
        return
    real, imaginary = (float(np.median(np.abs(part))) for part in (noise.real, noise.imag))  # whatever signal is in it
    if abs(real - imaginary) > _UNEQUAL * max(real, imaginary):
        yield (
            f"Noise in the air of {source} is {real / max(imaginary, 1e-30):.2f} times as strong in the real part as "
            "in the imaginary one: the two are not of one scale, or phase was averaged while it was wrapped, and all "
            "maps are wrong; export them again."
        )


def _agreement(echo):
    """Mean cosine of the difference of phase to the six neighbors."""
    turn = echo / np.maximum(np.abs(echo), np.finfo(np.float32).tiny)
    total, count = np.zeros(echo.shape, np.float32), np.zeros(echo.shape, np.float32)
    for axis in range(3):
        along, to, counted = (np.moveaxis(array, axis, 0) for array in (turn, total, count))
        cosine = (along[1:] * along[:-1].conj()).real
        for part in (slice(1, None), slice(None, -1)):
            to[part] += cosine
            counted[part] += 1
    return total / count


def _on_place(magnitude, agreement, source):
    """Where the magnitude would lie on the phase better: flipped and shifted, by the peak of their correlation."""
    magnitude, agreement = magnitude - magnitude.mean(), agreement - agreement.mean()
    size = np.sqrt(np.sum(magnitude**2, dtype=np.float64) * np.sum(agreement**2, dtype=np.float64))
    if size == 0:
        return
    transformed = scipy.fft.rfftn(magnitude)
    here, best, flips, peak = None, -np.inf, (), ()
    for number in range(8):
        axes = tuple(axis for axis in range(3) if number >> axis & 1)
        there = scipy.fft.irfftn(transformed * scipy.fft.rfftn(np.flip(agreement, axes)).conj(), s=magnitude.shape)
        here = float(there[0, 0, 0]) if here is None else here
        if there.max() > best:
            best, flips, peak = float(there.max()), axes, np.unravel_index(there.argmax(), there.shape)
    here, best = here / size, best / size
    if best < _FOLLOWS or best - here < max(_BETTER, _SURE / np.sqrt(magnitude.size)):
        return
    shifts = [int((at + n // 2) % n - n // 2) for at, n in zip(peak, magnitude.shape, strict=True)]
    moves = [f"turned round along {_AXES[axis]}" for axis in flips]
    moves += [f"moved by {shift:+d} along {_AXES[axis]}" for axis, shift in enumerate(shifts) if shift]
    yield (
        f"The phase of {source} lies on its magnitude better if it is {' and '.join(moves)} (it is coherent where "
        f"there is signal with a correlation of {best:.2f}, {here:.2f} as it is): the two are not of one place, and "
        "all maps are wrong; export both again."
    )


def _on_filter(echoes, source) -> Iterator[str]:
    """A phase without its low frequencies, as for susceptibility-weighted images: it varies about zero everywhere."""
    last = echoes[-1]
    body = np.abs(last) > 0.1 * np.abs(last).max()
    if np.mean(np.abs(np.angle(last[body])) > _NOT_SMALL) < _SHARE:
        return
    for echo in (echoes[n] for n in sorted({0, 1, len(echoes) // 2, len(echoes) - 1})):
        low = ndimage.uniform_filter(echo.real, _LOW) + 1j * ndimage.uniform_filter(echo.imag, _LOW)
        # At low field it may stay near zero by chance, to one side of it or in some echoes.
        if low.real.sum() < _NEAR_ZERO * np.abs(low).sum() or abs(np.angle(low.sum())) > _ZERO:
            return
    yield (
        f"The phase of {source} varies about zero everywhere and in every echo, as if its low frequencies had been "
        "filtered out (for susceptibility-weighted images): field, χ and fat fraction are wrong then; export the phase "
        "without filter."
    )
