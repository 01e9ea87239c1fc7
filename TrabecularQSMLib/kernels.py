"""The dipole kernel, means of blocks, gradients and differences: the linear operators of susceptibility mapping."""

import math
from collections.abc import Iterator

import numpy as np
import scipy.fft
from scipy import ndimage

from .chunks import SLAB_VOXELS, run_chunks, run_slabs

# Surfaces are smoothed by these SD in samples, before their slope is taken and after; how far both reach together;
# and how many planes are worked on at a time.
_BEFORE, _AFTER, _REACH, _PLANES = 0.7, 1.0, 8, 32
# Rows that are transformed along the first axis at once, at least: single ones waste what each access brings along.
_ROWS = 8


def dipole_kernel(shape, voxel_size, b0_direction) -> np.ndarray:
    """Return the unit dipole response in k-space, ``D(k) = 1/3 − (k·b)²/|k|²`` and ``D(0) = 0``.

    Parameters
    ----------
    shape : (3,) ints
        Grid along k, j, i; odd and even sizes.
    voxel_size : (3,) floats
        mm, in the same order.
    b0_direction : (3,) floats
        Unit vector of B0 along the same axes.

    Returns
    -------
    (K, J, I//2 + 1) float32 array
        For `scipy.fft.rfftn`.

    References
    ----------
    Salomir et al., Concepts Magn Reson B 2003, doi 10.1002/cmr.b.10083.
    """
    kernel = np.empty((*shape[:2], shape[2] // 2 + 1), np.float32)
    for k, plane in enumerate(_planes(shape, voxel_size, b0_direction, half_axis=2)):
        kernel[k] = plane
    return kernel


def dipole_planes(shape, voxel_size, b0_direction) -> Iterator[np.ndarray]:
    """Yield `dipole_kernel` on the half grid along k instead of i: for k = 0 … K//2 a plane (J, I), float32."""
    for plane in _planes(shape, voxel_size, b0_direction, half_axis=0):
        yield plane.astype(np.float32)


def _squares_and_singles(shape, voxel_size, half_axis):
    """Squared frequencies along each axis, and the frequencies; along one axis from 0 on only. They broadcast."""
    # Cross terms k_a k_b vanish on a Nyquist plane: +N/2 and -N/2 are the same sample, so the real operator holds
    # their mean. Without this an oblique field on an even grid would depend on the order of the voxels.
    singles = frequencies(shape, voxel_size, half_axis)
    squares = [k**2 for k in singles]
    for n, single in zip(shape, singles, strict=True):
        if n % 2 == 0:
            single.flat[n // 2] = 0.0
    return squares, singles


def frequencies(shape, voxel_size=(1, 1, 1), half_axis: int = 2) -> tuple[np.ndarray, ...]:
    """Return the frequencies along k, j, i in cycles per mm, or per sample; along one axis from 0 on only.

    They broadcast to what `scipy.fft.rfftn` returns.
    """
    along = [scipy.fft.fftfreq, scipy.fft.fftfreq, scipy.fft.fftfreq]
    along[half_axis] = scipy.fft.rfftfreq
    return np.ix_(*(of(n, h) for of, n, h in zip(along, shape, voxel_size, strict=True)))


def _planes(shape, voxel_size, b0_direction, half_axis) -> Iterator[np.ndarray]:
    """The kernel plane by plane along k, in float64: a plane stays in the cache, and none is kept."""
    squares, singles = _squares_and_singles(shape, voxel_size, half_axis)
    b = [float(x) for x in b0_direction]
    crossed = [(p, q) for p, q in ((0, 1), (0, 2), (1, 2)) if b[p] * b[q] != 0]
    for k in range(squares[0].size):
        square, single = ([array[0][k], *(one[0] for one in array[1:])] for array in (squares, singles))
        along = square[0] * b[0] ** 2 + square[1] * b[1] ** 2 + square[2] * b[2] ** 2
        for p, q in crossed:
            along += (2 * b[p] * b[q]) * single[p] * single[q]
        total = square[0] + square[1] + square[2]
        if k == 0:
            total[0, 0] = 1.0
        plane = 1.0 / 3.0 - along / total
        if k == 0:
            plane[0, 0] = 0.0
        yield plane


def half_grids(arrays) -> list[np.ndarray]:
    """Return memory for what `scipy.fft.rfftn` makes of each of some real arrays (K, J, I)."""
    return [np.empty((*a.shape[:2], a.shape[2] // 2 + 1), np.result_type(a, np.complex64)) for a in arrays]


def in_frequencies(arrays, work, results, spectra=None) -> None:
    """Put into `results` the real arrays whose spectra `work` makes of those of some real arrays of one shape.

    Parameters
    ----------
    arrays, results : lists of (K, J, I) arrays
        As many of both; a result may be one of the arrays.
    work : callable
        ``work(rows, spectra)`` changes, in place, some rows (a slice of J) of what `scipy.fft.rfftn` makes of each
        array: (K, rows, I//2 + 1).
    spectra : list of arrays, optional
        `half_grids`, to be used again in an iteration.

    Notes
    -----
    Planes, rows and planes again stay in the cache for all that is done to them, and no whole array is made.
    """
    spectra, shape = spectra or half_grids(arrays), arrays[0].shape

    def forward(planes):
        for array, spectrum in zip(arrays, spectra, strict=True):
            spectrum[planes] = scipy.fft.fft(scipy.fft.rfft(array[planes]), axis=1, overwrite_x=True)

    def through(rows):
        parts = [scipy.fft.fft(spectrum[:, rows], axis=0) for spectrum in spectra]
        work(rows, parts)
        for spectrum, one in zip(spectra, parts, strict=True):
            spectrum[:, rows] = scipy.fft.ifft(one, axis=0, overwrite_x=True)

    def back(planes):
        for spectrum, result in zip(spectra, results, strict=True):
            result[planes] = scipy.fft.irfft(scipy.fft.ifft(spectrum[planes], axis=1, overwrite_x=True), shape[2])

    run_slabs(forward, shape)
    run_chunks(through, shape[1], max(_ROWS, SLAB_VOXELS // (shape[0] * shape[2])))
    run_slabs(back, shape)


def convolve(kernel: np.ndarray, array: np.ndarray) -> np.ndarray:
    """Apply a real half-grid kernel to a real array by FFT (periodic)."""
    result = np.empty(array.shape, array.dtype)

    def multiply(rows, spectra):
        spectra[0] *= kernel[:, rows]

    in_frequencies([array], multiply, [result])
    return result


def within_thin_layer(share: np.ndarray, voxel_size, b0_direction) -> np.ndarray:
    """Return by how much the field within a thin layer of χ of 1 ppm differs from that beside it: 1/3 − cos²θ.

    Parameters
    ----------
    share : (K, J, I) float array
        Share of each sample that the layer takes, 0 to 1.
    voxel_size, b0_direction : (3,) floats
        As for `dipole_kernel`.

    Returns
    -------
    (K, J, I) float32 array
        In ppm, −2/3 where B0 is normal to the layer, 1/3 where it lies in it; 0 away from its surfaces.

    Notes
    -----
    θ lies between B0 and the normal of the layer's surface, and cos²θ is a mean over about two samples, weighted with
    the square of the slope of the share.
    """
    result = np.empty(share.shape, np.float32)

    def work(planes):
        low = max(planes.start - _REACH, 0)
        slab = _within_thin_layer(share[low : planes.stop + _REACH], voxel_size, b0_direction)
        result[planes] = slab[planes.start - low : planes.stop - low]

    run_chunks(work, len(share), _PLANES)
    return result


def _within_thin_layer(share, voxel_size, b0_direction):
    smoothed = ndimage.gaussian_filter(share, _BEFORE)
    along, total = np.zeros_like(smoothed), np.zeros_like(smoothed)
    for axis, (h, cosine) in enumerate(zip(voxel_size, b0_direction, strict=True)):
        if share.shape[axis] > 1:
            slope = np.gradient(smoothed, np.float32(h), axis=axis)
            along += np.float32(cosine) * slope
            total += np.square(slope, out=slope)
    along = ndimage.gaussian_filter(np.square(along, out=along), _AFTER)
    total = ndimage.gaussian_filter(total, _AFTER)
    flat = total < 1e-6 / max(voxel_size) ** 2
    return np.where(flat, 0, np.float32(1 / 3) - along / np.where(flat, 1, total))


def block_sums(array: np.ndarray, edges, dtype=None) -> np.ndarray:
    """Return the sums of blocks of `edges` samples along k, j, i, of which the array holds whole numbers.

    Of `dtype`; without it, of the array's own if it is real or complex, else float64.
    """
    dtype = dtype or (array.dtype if array.dtype.kind in "fc" else np.float64)
    # Every n-th sample is added to the others: sums over the short axes of a reshaped array take five times as long.
    for axis, edge in reversed(list(enumerate(edges))):
        before = (slice(None),) * axis
        total = np.add(0, array[(*before, slice(0, None, edge))], dtype=dtype)
        for n in range(1, edge):
            total += array[(*before, slice(n, None, edge))]
        array = total
    return array


def block_means(array: np.ndarray, edges, dtype=None) -> np.ndarray:
    """Return the means of the blocks of `block_sums`."""
    return block_sums(array, edges, dtype) / int(math.prod(edges))


def gradient(array: np.ndarray, voxel_size) -> np.ndarray:
    """Return forward differences per mm along k, j, i, shape (3, K, J, I); an axis ends with 0 (Neumann)."""
    result = np.empty((3, *array.shape), array.dtype)
    for axis, h in enumerate(voxel_size):
        target = np.moveaxis(result[axis], axis, 0)
        source = np.moveaxis(array, axis, 0)
        np.subtract(source[1:], source[:-1], out=target[:-1])
        target[:-1] *= np.asarray(1.0 / h, result.real.dtype)
        target[-1] = 0
    return result


def laplacian_symbol(shape, voxel_size) -> np.ndarray:
    """Return ``Σ (2 − 2 cos(2π n/N)) / h²``, the periodic ‖∇‖² in k-space on the half grid, float32."""
    along = zip(frequencies(shape), voxel_size, strict=True)
    return sum((2 - 2 * np.cos(2 * np.pi * cycles)) / h**2 for cycles, h in along).astype(np.float32)


def solid_harmonics(x, y, z) -> list:
    """Return the nine real solid harmonics up to second order, which a second-order shim can make.

    All coordinates must be in one unit: scaled differently, x² − y² and 2z² − x² − y² would not be harmonic.
    """
    return [1, x, y, z, x * y, y * z, z * x, x * x - y * y, 2 * z * z - x * x - y * y]


def difference_symbols(shape, voxel_size) -> list[np.ndarray]:
    """Return ``(exp(2πi n/N) − 1) / h`` along k, j, i: forward differences on the periodic half grid, complex64.

    They broadcast to (K, J, I//2 + 1).
    """
    along = zip(frequencies(shape), voxel_size, strict=True)
    return [(np.expm1(2j * np.pi * cycles) / h).astype(np.complex64) for cycles, h in along]


def periodic_difference(array: np.ndarray, axis: int, h: float, following: np.ndarray | None = None) -> np.ndarray:
    """Return forward differences per mm along an axis; the last one goes to the first sample.

    Of a slab of a larger grid it goes to the plane `following`.
    """
    result = np.empty(array.shape, array.dtype)
    source, target = _along(axis, array, result)
    np.subtract(source[1:], source[:-1], out=target[:-1])
    source, target = array.swapaxes(axis, 0), result.swapaxes(axis, 0)
    np.subtract(source[0] if following is None else following, source[-1], out=target[-1])
    result *= np.asarray(1 / h, array.dtype)
    return result


def periodic_difference_adjoint(
    array: np.ndarray, axis: int, h: float, target: np.ndarray, following: np.ndarray | None = None
) -> None:
    """Add the exact adjoint of `periodic_difference` to `target`, and to `following` what goes there."""
    back = np.empty(array.shape, array.dtype)
    source, result = _along(axis, array, back)
    np.subtract(source[:-1], source[1:], out=result[1:])
    source, result = array.swapaxes(axis, 0), back.swapaxes(axis, 0)
    if following is None:
        np.subtract(source[-1], source[0], out=result[0])
    else:
        np.negative(source[0], out=result[0])
        following += source[-1] * np.asarray(1 / h, array.dtype)
    back *= np.asarray(1 / h, array.dtype)
    target += back


def _along(axis, *arrays):
    """Views of arrays of one shape of which the first axis is the given one, for differences.

    One long row is faster than many short ones, so the last axis is left with differences of ends and beginnings.
    """
    if axis == arrays[0].ndim - 1 and all(array.flags.c_contiguous for array in arrays):
        return [array.reshape(-1) for array in arrays]
    return [array.swapaxes(axis, 0) for array in arrays]
