"""Smoothing of volumes, on a few threads: by a Gaussian, and over voxels whose surroundings look alike."""

import itertools

import numpy as np
from scipy import ndimage

from .chunks import run_chunks, run_slabs
from .progress import Progress

# Voxels within this many are compared, each by a block of 3 × 3 × 3; and voxels that are worked on at once.
_REACH, _CHUNK = 3, 8192


def gaussian(array: np.ndarray, sigma, *, mode: str = "reflect", truncate: float = 4.0) -> np.ndarray:
    """Return what `scipy.ndimage.gaussian_filter` gives of a volume (K, J, I) of floats, to the bit.

    Parameters
    ----------
    sigma : float or (3,) floats
        Standard deviations in samples; 0 for an axis that is left as it is.
    mode, truncate
        As of `scipy.ndimage.gaussian_filter`.
    """
    (first, *others), options = np.broadcast_to(sigma, 3), {"mode": mode, "truncate": truncate}
    result = np.array(array, order="C")

    def along_first(rows):
        ndimage.gaussian_filter1d(array[:, rows], first, 0, output=result[:, rows], **options)

    def along_others(planes):
        for axis, one in enumerate(others, start=1):
            if one > 0:
                ndimage.gaussian_filter1d(result[planes], one, axis, output=result[planes], **options)

    if first > 0:
        run_slabs(along_first, (array.shape[1], array.shape[0], array.shape[2]))
    run_slabs(along_others, array.shape)
    return result


def mean_of_alike(
    image: np.ndarray,
    variance: np.ndarray,
    known: np.ndarray,
    where: np.ndarray,
    *,
    message: str = "",
    progress: Progress | None = None,
) -> np.ndarray:
    """Return the mean of each voxel and of those near it whose surroundings are alike but for noise, (V,) float32.

    A layer as thin as a voxel keeps its steps, since along it the same surroundings come again (non-local means, with
    weights by the noise of each voxel).

    Parameters
    ----------
    image : (K, J, I) array
        Float.
    variance : (K, J, I) array
        Of its noise, voxel by voxel.
    known : (K, J, I) bool array
        What may be averaged; all is compared.
    where : (K, J, I) bool array
        The V voxels that are asked for.
    message, progress
        As of `chunks.run_chunks`.

    Notes
    -----
    Two voxels count as ``exp(1 − d / e)``, 1 at most, with d the mean squared difference of their blocks, and e what
    noise alone makes of it.

    References
    ----------
    Buades et al., Multiscale Model Simul 2005, doi 10.1137/040616024; Manjón et al., J Magn Reson Imaging 2010, doi
    10.1002/jmri.22003 (noise that differs from voxel to voxel).
    """
    around = lambda array: np.pad(np.asarray(array, np.float32), _REACH + 1, mode="edge")  # noqa: E731
    image, variance = around(image), np.maximum(around(variance), np.finfo(np.float32).tiny)
    trust = around(known) / np.maximum(variance, 1e-8)
    expected = ndimage.uniform_filter(variance, 3).ravel()
    strides = np.array(image.strides) // image.itemsize
    steps = range(-_REACH, _REACH + 1)
    near = [
        np.array(step) @ strides for step in itertools.product(steps, repeat=3) if 0 < np.dot(step, step) <= _REACH**2
    ]
    block = np.array([np.array(step) @ strides for step in itertools.product((-1, 0, 1), repeat=3)])
    voxels = (np.argwhere(where) + _REACH + 1) @ strides
    values, trusts, result = image.ravel(), trust.ravel(), np.empty(voxels.size, np.float32)

    def work(chunk):
        here = voxels[chunk]
        blocks = values[here[:, None] + block]
        weights = np.maximum(trusts[here], np.finfo(np.float32).tiny)
        total = weights * values[here]
        for step in near:
            there = here + step
            apart = np.square(values[there[:, None] + block] - blocks).mean(axis=1)
            alike = np.exp(np.minimum(1 - apart / (expected[here] + expected[there]), 0))
            weights += (counted := alike * trusts[there])
            total += counted * values[there]
        result[chunk] = total / weights

    run_chunks(work, voxels.size, _CHUNK, message=message, progress=progress)
    return result
