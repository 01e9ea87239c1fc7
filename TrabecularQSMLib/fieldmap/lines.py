"""Lines of the image in which the echoes fit no tissue while they do on both sides, as radio interference leaves them.

Anatomy leaves no such lines, but for flow in a straight vessel: cortex and air have no signal, which is not asked here,
and the skin bends.
"""

import numpy as np

from ..methods import Method

# Echoes miss the model by more than this part of the signal, beyond noise, in so large a part of a line of so many
# voxels, and in so small a part of the lines on both sides, half as long. Of right scans no line had over a fifth of
# its voxels miss by 0.2; of ones zero-filled, averaged or interpolated as complex numbers, where straight edges of fat
# cancel, no more than four fifths by 0.3.
MISSED, IN_LINE, BESIDE, LONG = 0.3, 0.9, 0.3, 16
# A line may be so wide: the ones beside are half as many lines and one away.
WIDTHS = (2, 4)


def find_lines(excess: np.ndarray, inside: np.ndarray) -> tuple[int, np.ndarray] | None:
    """Return the axis along which such lines run and where they lie, or None if there are none.

    Parameters
    ----------
    excess : (K, J, I) array
        Root sum of squares over echoes of what the fit leaves over beyond noise, as a part of that of the signal.
    inside : (K, J, I) bool array
        Voxels with signal.

    Returns
    -------
    tuple of int and (K, J, I) bool array, or None
    """
    missed, best = inside & (excess > MISSED), None
    for axis in range(3):
        count = inside.sum(axis=axis)
        share = np.where(2 * count >= LONG, missed.sum(axis=axis) / np.maximum(count, 1), np.nan)
        found = np.zeros(share.shape, bool)
        for beside in range(2):
            values, target = np.moveaxis(share, beside, 0), np.moveaxis(found, beside, 0)
            for away in WIDTHS:
                middle = slice(away, -away)
                apart = (values[: -2 * away] < BESIDE) & (values[2 * away :] < BESIDE)  # not where unknown
                target[middle] |= (values[middle] > IN_LINE) & apart
        where = np.expand_dims(found & (count >= LONG), axis) & inside
        if where.any() and (best is None or np.count_nonzero(where) > np.count_nonzero(best[1])):
            best = axis, where
    return best


METHOD = Method(
    find_lines,
    title="Lines of interference",
    solves="lines in most of whose voxels with signal noise does not explain what the fit leaves over, not so beside",
    test="test_fieldmap_lines.LinesTest",
)
