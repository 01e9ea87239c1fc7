"""Gaussian smoothing of volumes, on a few threads."""

import numpy as np
from scipy import ndimage

from .chunks import run_slabs


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
