"""Voxels that cortex cuts: they measure the field of the part that has signal, not the mean over the voxel."""

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from ..kernels import convolve, dipole_kernel
from ..methods import Method
from ..progress import Progress, part

# The correction stands when it has changed by less than this fraction (root of sum of squares); at most so many.
STANDS, MOST_PASSES = 0.05, 3
# A voxel with less than this share missing counts as whole: densities of tissues differ by as much.
WHOLE = 0.05
# χ follows the missing share linearly within a Gaussian neighborhood of this SD in mm; its slope in ppm lies between
# that of bone without pores in fat and zero.
REACH_MM, SLOPES = 4.0, (-3.0, 0.0)
# Sharpening: SD of the neighborhood in fine voxels, steepness, passes, halvings of the search for a voxel's level.
_NEAR, _STEEPNESS, _PASSES, _HALVINGS = 1.0, 6.0, 4, 18


def missing_share(signal: np.ndarray) -> np.ndarray:
    """Return the share of each voxel that gives no signal, 0 to 1, against the bright end of its neighborhood, float32.

    Parameters
    ----------
    signal : (K, J, I) array
        Magnitude, best at echo time zero. In a neighborhood that is dark as a whole, a tenth of the image's bright end
        (99th percentile of what is not zero) stands for it, so that thick cortex is missing too.
    """
    signal = np.asarray(signal, np.float32)
    if not signal.any():
        return np.ones(signal.shape, np.float32)
    full = ndimage.gaussian_filter(ndimage.percentile_filter(signal, 85, 5), 1.0)
    floor = np.float32(0.1 * np.percentile(signal[signal > 0], 99))
    return np.clip(1 - signal / np.maximum(full, floor), 0, 1)


def sharpened(share: np.ndarray) -> np.ndarray:
    """Return a share on a grid twice as fine, 0 to 1, (2K, 2J, 2I) float32.

    Each voxel keeps its mean; within it the share gathers where its surroundings hold more of it (Atkinson 2005, doi
    10.14358/PERS.71.7.839, with fractions instead of swaps).
    """
    fine = _linear(share)
    cut = (share > WHOLE) & (share < 1 - WHOLE)
    wanted = share[cut][:, None]
    for _ in range(_PASSES):
        near = _blocks(ndimage.gaussian_filter(fine, _NEAR))[cut]
        low, high = near.min(axis=1, keepdims=True) - 1, near.max(axis=1, keepdims=True) + 1
        for _ in range(_HALVINGS):
            level = (low + high) / 2
            more = np.clip(0.5 + _STEEPNESS * (near - level), 0, 1).mean(axis=1, keepdims=True) > wanted
            low, high = np.where(more, level, low), np.where(more, high, level)
        blocks = np.repeat(share[..., None], 8, axis=3)
        blocks[cut] = np.clip(0.5 + _STEEPNESS * (near - level), 0, 1)
        fine = _unblocks(blocks)
    return fine


def field_offset(
    chi: np.ndarray, signal: np.ndarray, voxel_size, *, b0_direction, slope: np.ndarray | float
) -> np.ndarray:
    """Return the field that a voxel's signal sees less the voxel's mean field, (K, J, I) float32 in ppm.

    Parameters
    ----------
    chi : (K, J, I) array
        ppm, means of voxels on a periodic grid.
    signal : (K, J, I) array
        Magnitude, any unit.
    voxel_size, b0_direction
        As for `inversion.invert`.
    slope : float or (K, J, I) array
        Change of χ in ppm from where all of the signal is there to where all is missing.

    Notes
    -----
    On a grid twice as fine χ is ``χ + slope (m − M)`` with the missing share M of a voxel, and m sharpened within it.
    Its field is averaged with the signal, ``1 − m``, and plainly; the offset is the difference. A voxel without signal
    has none.
    """
    share = missing_share(signal)
    fine = sharpened(share)
    source = fine - _repeated(share)
    source *= _linear(np.broadcast_to(np.asarray(slope, np.float32), share.shape))
    source += _repeated(np.asarray(chi, np.float32))
    kernel = dipole_kernel(source.shape, np.asarray(voxel_size, float) / 2, b0_direction)
    field = convolve(kernel, source)
    del source, kernel
    np.subtract(1, fine, out=fine)
    left = _mean(fine)
    fine *= field
    weighted = _mean(fine)
    seen = left > WHOLE
    return np.where(seen, weighted / np.where(seen, left, 1) - _mean(field), 0).astype(np.float32)


def slope_of_share(chi: np.ndarray, share: np.ndarray, mask: np.ndarray, voxel_size) -> np.ndarray:
    """Return the slope of χ over the missing share around each voxel, within `SLOPES`, (K, J, I) float32.

    The line is fitted with Gaussian weights of `REACH_MM` over the mask. So a tendon, dark but of the χ of its
    surroundings, gets no offset, and a scan's own bone gives the size.
    """
    spread = [REACH_MM / h if n > 1 else 0.0 for h, n in zip(voxel_size, share.shape, strict=True)]
    weight = mask.astype(np.float32)
    mean = lambda array: ndimage.gaussian_filter(weight * array, spread, mode="constant", truncate=2.5)  # noqa: E731
    count = np.maximum(mean(1), 1e-6)
    of_share, of_chi = mean(share) / count, mean(chi) / count
    variance = np.maximum(mean(share**2) / count - of_share**2, 0)
    # Where the share hardly varies its line means nothing: 1e-4 is a share that varies by 1 %.
    return np.clip((mean(share * chi) / count - of_share * of_chi) / (variance + 1e-4), *SLOPES)


def invert_corrected(
    invert_once: Callable[[np.ndarray, Progress | None], np.ndarray],
    local_field: np.ndarray,
    signal: np.ndarray,
    mask: np.ndarray,
    voxel_size,
    *,
    b0_direction,
    correction: str = "on",
    progress: Progress | None = None,
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return χ of a field without the offset of cut voxels, which is predicted from χ until it stands.

    Parameters
    ----------
    invert_once : callable
        Field in ppm and progress to χ in ppm.
    local_field, signal : (K, J, I) arrays
        In ppm, and magnitude in any unit.
    mask : (K, J, I) bool array
        Where the field was measured, and is corrected.
    voxel_size, b0_direction, progress
        As for `inversion.invert`.
    correction : {"off", "on"}
        "off" inverts once and takes nothing off.

    Returns
    -------
    chi : (K, J, I) array
    offset : (K, J, I) float32 array
        What was taken off the field, in ppm.
    change : float
        By which fraction the last prediction differs from the one before; above `STANDS` when passes ran out.
    """
    if correction == "off":
        return invert_once(local_field, progress), np.zeros(local_field.shape, np.float32), 0.0
    share = missing_share(signal)
    runs = MOST_PASSES + 1
    chi = invert_once(local_field, part(progress, 0.0, 1 / runs))
    offset, change = np.zeros(local_field.shape, np.float32), np.inf
    for step in range(1, runs):
        slope = slope_of_share(chi, share, mask, voxel_size)
        found = np.where(
            mask, field_offset(np.where(mask, chi, 0), signal, voxel_size, b0_direction=b0_direction, slope=slope), 0
        )
        size = float(np.linalg.norm(found))
        change = float(np.linalg.norm(found - offset)) / size if size > 0 else 0.0
        if change < STANDS:
            break
        offset = found
        chi = invert_once(local_field - offset, part(progress, step / runs, (step + 1) / runs))
    return chi, offset, change


def _linear(array):
    """Linear interpolation to twice the grid, each voxel split into two."""
    for axis in range(3):
        moved = np.moveaxis(array, axis, 0)
        padded = np.concatenate([moved[:1], moved, moved[-1:]])
        fine = np.empty((2 * moved.shape[0], *moved.shape[1:]), np.float32)
        fine[::2] = 0.25 * padded[:-2] + 0.75 * moved
        fine[1::2] = 0.75 * moved + 0.25 * padded[2:]
        array = np.moveaxis(fine, 0, axis)
    return np.ascontiguousarray(array)


def _repeated(array):
    return array.repeat(2, axis=0).repeat(2, axis=1).repeat(2, axis=2)


def _blocks(fine):
    """(K, J, I, 8): the fine voxels of each voxel."""
    k, j, i = (n // 2 for n in fine.shape)
    return fine.reshape(k, 2, j, 2, i, 2).transpose(0, 2, 4, 1, 3, 5).reshape(k, j, i, 8)


def _unblocks(blocks):
    k, j, i, _ = blocks.shape
    return np.ascontiguousarray(
        blocks.reshape(k, j, i, 2, 2, 2).transpose(0, 3, 1, 4, 2, 5).reshape(2 * k, 2 * j, 2 * i)
    )


def _mean(fine):
    k, j, i = (n // 2 for n in fine.shape)
    return fine.reshape(k, 2, j, 2, i, 2).mean(axis=(1, 3, 5))


METHODS = (
    Method(
        invert_corrected,
        title="Partial-volume correction",
        solves="field averaged with the signal less its plain mean, on a grid twice as fine; taken off until it stands",
        test="test_inversion_partial_volume.OffsetTest",
        reference="Atkinson 2005, doi 10.14358/PERS.71.7.839 (sub-voxel shares); the correction is ours",
        options={"correction": "partial_volume_correction"},
    ),
)
