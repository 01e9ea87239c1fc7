"""Mean values over spheres: what the methods of the SHARP family are made of."""

import numpy as np
import scipy.fft

from ..kernels import convolve
from ..methods import Method

# Points per voxel and axis at which it is told how far a sphere covers a voxel.
_POINTS = 5


def sphere_kernel(shape, voxel_size, radius: float) -> np.ndarray:
    """Return the transform of the mean over a sphere on a periodic grid, for `scipy.fft.rfftn`, float32.

    Parameters
    ----------
    shape : (3,) ints
        Grid along k, j, i, larger than the sphere.
    voxel_size : (3,) floats
        mm.
    radius : float
        mm.

    Notes
    -----
    Voxels count by the share that the sphere covers, which makes second moments equal along all axes to a percent or
    two, also where voxels are not cubes: the mean of a harmonic function of second order is then that in the middle.
    """
    reach = [int(np.ceil(radius / h)) for h in voxel_size]
    square = 0.0
    for axis, (n, h) in enumerate(zip(reach, voxel_size, strict=True)):
        at = (np.arange((2 * n + 1) * _POINTS) - ((2 * n + 1) * _POINTS - 1) / 2) / _POINTS * h / radius
        square = square + (at**2).reshape([-1 if axis == other else 1 for other in range(3)])
    inside = (square <= 1).astype(np.float64)
    for axis, n in enumerate(reach):
        split = (*inside.shape[:axis], 2 * n + 1, _POINTS, *inside.shape[axis + 1 :])
        inside = inside.reshape(split).mean(axis=axis + 1)
    kernel = np.zeros(shape)
    kernel[tuple(slice(2 * n + 1) for n in reach)] = inside / inside.sum()
    kernel = np.roll(kernel, [-n for n in reach], axis=(0, 1, 2))
    # Even in all axes, so its transform is real.
    return scipy.fft.rfftn(kernel).real.astype(np.float32)


def fits(kernel: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return where the sphere of a kernel lies in the mask as a whole, bool."""
    # float32 of a transform: about 1e-6; the least share of a voxel is 1/125 of one in a few thousand.
    return mask & (convolve(kernel, mask.astype(np.float32)) > 1 - 1e-5)


METHOD = Method(
    sphere_kernel,
    title="Mean over a sphere",
    solves="share of each voxel in the sphere",
    test="test_background_spheres.SphereTest",
)
