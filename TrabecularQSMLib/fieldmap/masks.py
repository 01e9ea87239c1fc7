"""Where the body is, where its signal can be trusted, and magnitude images over echoes."""

import numpy as np
from scipy import ndimage

from ..chunks import run_slabs
from ..errors import InputError
from ..methods import Method
from ..smoothing import gaussian
from .magnitude import RAYLEIGH_OVER_GAUSS

# A misfit beyond noise of this part of the signal halves the reliability; the fat of another tissue leaves over less
# than half of it.
CONTRADICTION = 0.08
# The largest of up to forty echoes of noise is less than so many standard deviations in the median; tissue is more.
# That of an unknown number of echoes, as other software makes it, is less than so many of its own.
_AS_NOISE, _AS_NOISE_OF_MAXIMUM = 3.0, 8.0


def combine_echoes(echoes: np.ndarray, combination: str = "mip") -> np.ndarray:
    """Return the maximum ("mip") or root sum of squares ("rss") of the magnitude over echoes, (K, J, I) float32."""
    result = np.empty(echoes.shape[1:], echoes.real.dtype)

    def work(planes):
        magnitudes = [np.abs(echo[planes]) for echo in echoes]
        rss = combination == "rss"
        result[planes] = np.sqrt(sum(one**2 for one in magnitudes)) if rss else np.max(magnitudes, axis=0)

    run_slabs(work, result.shape)
    return result


def bright_end(magnitude: np.ndarray) -> float:
    """Return the 99th percentile of the voxels above the image's mean: bright tissue, blind to hot voxels."""
    above = magnitude[magnitude > magnitude.mean()]
    return float(np.percentile(above, 99)) if above.size else float(magnitude.max())


def noise_level(echoes: np.ndarray, magnitude: np.ndarray) -> float:
    """Return the standard deviation of the noise in the real channel.

    From differences between neighbors in the last echo among the darkest fifth of the image, without what is zero;
    median based, so that the little tissue in there does not matter. It is 0 where all air is zero.
    """
    box = _without_zeros(magnitude)
    last, magnitude = echoes[-1][box], magnitude[box]
    dark, level, cut = _darkest(magnitude)
    if not dark.any():
        return 0.0
    noise = _spread(last.real, dark)
    limit = _AS_NOISE if np.any(last.imag) else _AS_NOISE / RAYLEIGH_OVER_GAUSS
    return noise if not cut or level < limit * noise else 0.0


def noise_of_magnitude(magnitude: np.ndarray) -> float:
    """Return a noise level of which four stand above nearly all that the darkest fifth of a magnitude image holds.

    For images without phase, in which noise has no known distribution (such as a maximum over echoes). A quarter of the
    bright end is the most that is taken for noise: an image may hold no air. It is 0 where all air is zero.
    """
    bright, magnitude = bright_end(magnitude), magnitude[_without_zeros(magnitude)]
    dark, level, cut = _darkest(magnitude)
    if not dark.any() or cut and level >= _AS_NOISE_OF_MAXIMUM * _spread(magnitude, dark):
        return 0.0
    return min(float(np.percentile(magnitude[dark], 99)), 0.25 * bright) / 4


def _darkest(magnitude):
    """Where the darkest fifth of an image lies, without what is zero, its level, and if there was anything zero."""
    known = magnitude != 0
    if not known.any():
        return known, 0.0, False
    # Blurred over five voxels: choosing by its own magnitude would take the voxels in which noise happens to be low.
    blurred, cut = ndimage.uniform_filter(magnitude, 5), not known.all()
    if cut:
        blurred /= np.maximum(ndimage.uniform_filter(known.astype(np.float32), 5), 1e-3)  # of 125, one is 8e-3
    dark = known & (blurred <= np.percentile(blurred[known], 20))
    return dark, float(np.median(blurred[dark])), cut


def _spread(values, where):
    """Standard deviation of noise by the median of differences between neighbors along the longest axis."""
    axis = int(np.argmax(values.shape))
    values, where = np.moveaxis(values, axis, 0), np.moveaxis(where, axis, 0)
    differences = (values[1:] - values[:-1])[where[1:] & where[:-1]]
    return float(np.median(np.abs(differences)) * 1.4826 / np.sqrt(2)) if differences.size else 0.0


def _without_zeros(image):
    """Slices of the smallest box around what is not zero: planes of zeros that pad an image are no noise."""
    box = []
    for axis in range(3):
        used = np.any(image, axis=tuple(n for n in range(3) if n != axis))
        box.append(slice(int(used.argmax()), used.size - int(used[::-1].argmax())))
    return tuple(box)


def signal_mask(magnitude: np.ndarray, noise: float, threshold: float) -> np.ndarray:
    """Return where the magnitude over echoes is above `threshold` of its bright end, and above the noise.

    Noise alone, the largest of ten echoes, passes four standard deviations in about one voxel of 300.
    """
    return magnitude > max(threshold * bright_end(magnitude), 4.0 * noise)


def body_mask(signal: np.ndarray) -> np.ndarray:
    """Return the body from where there is signal: specks removed, holes without signal (cortex, air) filled.

    Where the body leaves the field of view, a hole such as the cortex of a cut bone is open to the outside through
    the image's border. The border slices that the body crosses are therefore filled in the plane first, and the
    volume after that.
    """
    cross = ndimage.generate_binary_structure(3, 1)
    # Along an axis of one sample the cross has no neighbors, and opening would remove everything.
    for axis, n in enumerate(signal.shape):
        if n == 1:
            cross = np.take(cross, [1], axis=axis)
    opened = ndimage.binary_opening(signal, cross)
    labels, count = ndimage.label(opened if opened.any() else signal)
    if count == 0:
        return np.zeros(signal.shape, bool)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    # Both feet stay when both are in the image.
    kept = sizes >= 0.05 * sizes.max()
    body = ndimage.binary_propagation(kept[labels], mask=signal)
    for axis in range(3):
        moved = np.moveaxis(body, axis, 0)
        for border in {0, moved.shape[0] - 1}:
            moved[border] = ndimage.binary_fill_holes(moved[border])
    return ndimage.binary_fill_holes(body)


def depth_of(mask: np.ndarray, voxel_size) -> np.ndarray:
    """Return the distance of a mask's voxels from its outside in mm, (K, J, I), and zero outside.

    The border of the image does not count as outside: the body goes on behind it.
    """
    if mask.all():
        return np.full(mask.shape, np.inf)
    return ndimage.distance_transform_edt(mask, sampling=voxel_size)


def erode(mask: np.ndarray, distance_mm: float, voxel_size) -> np.ndarray:
    """Return the voxels of a mask farther than a distance from its outside (`depth_of`)."""
    return depth_of(mask, voxel_size) > distance_mm if distance_mm > 0 else mask.copy()


def reliability(magnitude, residual, excess, margin, mask, *, noise: float, threshold: float) -> np.ndarray:
    """Return how far a voxel's field can be trusted, 0 to 1, float32.

    Zero outside the mask and where the signal is below `threshold` of the bright end or four times the noise. Above
    that the product of: ``1 / (1 + (4 r)²)`` for the residual r, one half when it reaches a quarter of the signal;
    ``1 / (1 + (x / 0.08)²)`` for what noise does not explain of it, x, as where an echo is wrong or blood flows;
    ``1 − e^{−m}`` for the margin m, zero where another minimum is as good; and ``(2 s)²`` up to one for the share s of
    its neighbors' signal that the voxel has, where it lies between them and what gives no signal (`signal_share`).

    Parameters
    ----------
    magnitude : (K, J, I) array
        Signal over echoes.
    residual : (K, J, I) array
        Root sum of squares of the fit residual divided by that of the signal.
    excess : (K, J, I) array
        The part of it beyond noise.
    margin : (K, J, I) array
        By how many units of log-likelihood the chosen minimum is better than the next.
    mask : (K, J, I) bool array
    """
    weight = np.zeros(mask.shape, np.float32)
    signal = signal_mask(magnitude, noise, threshold)
    inside = mask & signal
    weight[inside] = 1 / (1 + (residual[inside] / 0.25) ** 2) * -np.expm1(-np.maximum(margin[inside], 0))
    weight[inside] /= 1 + (excess[inside] / CONTRADICTION) ** 2
    weight[inside] *= np.minimum(2 * signal_share(magnitude, signal)[inside], 1) ** 2
    return weight


def signal_share(magnitude: np.ndarray, signal: np.ndarray) -> np.ndarray:
    """Return what part of its neighbors' signal each voxel has, at most 1, where it may hold something without signal.

    Along each axis a voxel is compared with the brightest of two voxels on either side: with the darker side, as
    signal on both with less between is cut by something thin, such as cortex; with the brighter one where the other
    side has no signal, as at the surface. A dark tissue beside a bright one is neither.
    """
    share = np.ones(magnitude.shape, np.float32)
    for axis, size in enumerate(magnitude.shape):
        if size < 3:
            continue
        own, inside, result = (np.moveaxis(array, axis, 0) for array in (magnitude, signal, share))
        before, after = own[:-2].copy(), own[2:].copy()
        before_inside, after_inside = inside[:-2].copy(), inside[2:].copy()
        np.maximum(before[1:], own[:-3], out=before[1:])
        np.maximum(after[:-1], own[3:], out=after[:-1])
        before_inside[1:] |= inside[:-3]
        after_inside[:-1] |= inside[3:]
        both = before_inside & after_inside
        reference = np.where(both, np.minimum(before, after), np.maximum(before, after))
        part = own[1:-1] / np.maximum(reference, np.finfo(np.float32).tiny)
        np.minimum(result[1:-1], part, out=result[1:-1])
    return share


def fill_unreliable(field: np.ndarray, trust: np.ndarray, mask: np.ndarray, voxel_size) -> np.ndarray:
    """Return a field in which voxels of the mask without trust hold the trust-weighted mean around them, float32.

    Each such voxel takes the mean over the narrowest of three Gaussian neighborhoods (1, 3 and 9 mean voxel widths)
    in which anything is trusted, or zero.
    """
    result = np.where(mask, field, 0).astype(np.float32)
    missing = mask & (trust <= 0)
    if not missing.any():
        return result
    weighted = result * trust
    width = np.prod(voxel_size) ** (1 / 3)
    left = missing.copy()
    result[missing] = 0
    for reach in (1.0, 3.0, 9.0):
        if not left.any():
            break
        sigma = [reach * width / h if n > 1 else 0.0 for h, n in zip(voxel_size, mask.shape, strict=True)]
        total = gaussian(trust, sigma, mode="constant", truncate=2.5)
        known = left & (total > 1e-3)
        if known.any():
            mean = gaussian(weighted, sigma, mode="constant", truncate=2.5)
            result[known] = mean[known] / total[known]
            left &= ~known
    return result


def checked_mask(mask, shape) -> np.ndarray:
    """Return a user's mask as bool after checking that it fits and is not empty."""
    mask = np.asarray(mask)
    if mask.shape != tuple(shape):
        raise InputError(
            f"The mask has shape {mask.shape[::-1]} but the echoes have {tuple(shape)[::-1]} voxels; "
            "draw or resample the mask on the echoes' grid."
        )
    mask = mask != 0
    if not mask.any():
        raise InputError("The mask is empty; draw it where the bone is, or leave it out for an automatic one.")
    return mask


METHODS = (
    Method(
        combine_echoes,
        title="Magnitude over echoes",
        solves="max |s(TE)| over echoes (mip), or √Σ |s(TE)|² (rss)",
        test="test_fieldmap_masks.SignalTest",
        options={"combination": "echo_combination"},
    ),
    Method(
        signal_mask,
        title="Where there is signal",
        solves="magnitude over echoes > threshold · its bright end, and > 4 standard deviations of the noise",
        test="test_fieldmap_masks.SignalTest",
        options={"threshold": "mask_threshold"},
    ),
    Method(
        body_mask,
        title="Body",
        solves="opening of the signal, its large parts, holes filled",
        test="test_fieldmap_masks.BodyTest",
    ),
    Method(
        erode,
        title="Mask",
        solves="distance to the surface of the body > erosion",
        test="test_fieldmap_masks.ErosionTest",
        options={"distance_mm": "mask_erosion"},
    ),
    Method(
        reliability,
        title="Reliability",
        solves="0 without signal; less by a residual, what noise does not explain of it, another minimum as good, "
        "and where the signal is a part of the neighbors', between them and nothing",
        test="test_fieldmap_masks.ReliabilityTest",
    ),
    Method(
        fill_unreliable,
        title="Field without signal",
        solves="mean of the field around, weighted by reliability",
        test="test_fieldmap_masks.FillTest",
    ),
)
