"""What filters the spectrum of a region: transfer functions of kernels in space, plane by plane."""

from collections.abc import Callable, Iterator

import numpy as np
import scipy.fft

# A plane's kernel ends where the rest of it is less than what single precision rounds away.
_ROUNDING = float(np.finfo(np.float32).eps)


def window_of(shape) -> tuple[int, ...]:
    """Return the fast grid on which no two voxels of a region are as far apart as a repetition."""
    return tuple(scipy.fft.next_fast_len(2 * n - 1) for n in shape)


def transfer_planes(grid, row: Callable[[int], np.ndarray]) -> Iterator[np.ndarray]:
    """Yield planes of the half grid along k of the transform of a real and even kernel.

    Parameters
    ----------
    grid : (3,) ints
        Along k, j, i.
    row : callable
        Of an index j: the kernel's plane (K, I) in space.

    Notes
    -----
    Row by row, since the kernel, its transform and copies of both would need three times the memory.
    """
    half = np.empty((grid[0] // 2 + 1, *grid[1:]), np.complex64)
    # Half a grid away is two places at once, and no two voxels of the region are that far apart.
    apart = [offsets(n) == -n / 2 for n in grid]
    for j in range(grid[1]):
        kernel = row(j)
        kernel[apart[0]] = kernel[:, apart[2]] = 0
        half[:, j] = 0 if apart[1][j] else scipy.fft.rfft(kernel, axis=0)
    for plane in half:
        yield scipy.fft.fft2(plane).real


def dipole_in_space(grid, b0_direction) -> Iterator[np.ndarray]:
    """Yield the planes of `transfer_planes` of the field of a voxel in empty space, on a grid."""
    along = [offsets(n) for n in grid]
    return transfer_planes(grid, lambda j: _dipole(along[0], along[1][j], along[2], b0_direction))


def short_dipole(shape, b0_direction) -> tuple[int, Iterator[np.ndarray]]:
    """Return the transfer function of the field of a voxel in empty space, each plane on a grid of its own.

    Parameters
    ----------
    shape : (3,) ints
        Of the region.
    b0_direction : (3,) floats
        Unit vector along k, j, i.

    Returns
    -------
    depth : int
        Of the grid along k.
    planes : iterator of (J′, I′) float32 arrays
        For the half grid along k.

    Notes
    -----
    What a wave along k does across it fades as ``exp(−|k| r)``: but for the longest waves a plane's kernel is short,
    and its grid needs to be little longer than the region. That is so if the kernel along k is smooth: beyond the
    region's length, where it may be anything, it goes over smoothly into its own repetition.
    """
    length = shape[0]
    depth = scipy.fft.next_fast_len(2 * length + length // 4)
    first, last = length - 1, depth - length + 1
    there = np.arange(depth)
    part = np.clip((there - first) / (last - first), 0, 1)
    weight = (1 - part**3 * (10 - 15 * part + 6 * part**2))[:, None]  # no jump in value, slope or bend
    window = window_of(shape)
    along = [offsets(n) for n in window[1:]]
    half = np.empty((depth // 2 + 1, *window[1:]), np.complex64)
    kernel = np.empty((depth, window[2]))
    for j, beside in enumerate(along[0]):
        kernel[:last] = weight[:last] * _dipole(there[:last], beside, along[1], b0_direction)
        kernel[last:] = 0
        again = slice(length, None)
        kernel[again] += (1 - weight[again]) * _dipole(there[again] - depth, beside, along[1], b0_direction)
        half[:, j] = scipy.fft.rfft(kernel, axis=0)
    return depth, _short_planes(half, shape[1:])


def _short_planes(half, shape):
    """Transforms of planes in space, cut off where nothing that counts is left."""
    window = half.shape[1:]
    along = [offsets(n) for n in window]
    ring = np.maximum(*np.meshgrid(*map(np.abs, along), indexing="ij")).ravel()
    for plane in half:
        energy = np.bincount(ring, (plane.real**2 + plane.imag**2).ravel())
        beyond = np.cumsum(energy[::-1])[::-1]
        reach = int(np.count_nonzero(beyond > _ROUNDING**2 * beyond[0])) - 1
        grid = [min(m, scipy.fft.next_fast_len(n + reach)) for n, m in zip(shape, window, strict=True)]
        yield scipy.fft.fft2(plane[np.ix_(*map(offsets, grid))]).real


def _dipole(k, j, i, b0_direction):
    """Field of a voxel at the origin in a row j of voxels around it, (K, I) float64."""
    k = k[:, None]
    squared = k**2 + j**2 + i**2 * 1.0
    origin = squared == 0
    squared[origin] = 1
    along = k * b0_direction[0] + j * b0_direction[1] + i * b0_direction[2]
    return np.where(origin, 0, (3 * along**2 / squared - 1) / (4 * np.pi * squared * np.sqrt(squared)))


def offsets(n: int) -> np.ndarray:
    """Return offsets in voxels along an axis of n, from 0 up and then from the left of it."""
    return np.rint(scipy.fft.fftfreq(n, 1 / n)).astype(int)
