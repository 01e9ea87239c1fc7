"""A region split into compact parts of equal size."""

import numpy as np

from ..errors import InputError, counted
from ..methods import Method

# An exchange is worth its time if it brings the two centers apart by at least this share of their distance. The sweeps
# are far more than it takes; a last one goes through all pairs once more, so that no single voxel is left behind.
_PASSES = ((1e-4, 100), (0.0, 1))


def split_region(inside: np.ndarray, count: int, voxel_size: tuple[float, float, float]) -> np.ndarray:
    """Return the parts of a region, for statistics of many samples of it as the paper has ten for CT.

    Parameters
    ----------
    inside : (K, J, I) bool array
        The region.
    count : int
        Number of parts.
    voxel_size : (k, j, i)
        mm.

    Returns
    -------
    (K, J, I) int32 array
        1 to `count` in the order of their centers along k; 0 outside. Sizes differ by one voxel at most. The same
        region gives the same parts.

    Raises
    ------
    InputError
        If `count` is less than one, or the region has fewer voxels.

    Notes
    -----
    Parts minimize the sum of squared distances to their centers under fixed sizes. The region is halved across its
    longest principal axis again and again; then pairs of parts exchange voxels: for two given centers the best split
    of given sizes is a plane across the line between them. Each exchange lowers the sum, so that it ends. Of an
    ellipsoid, ten parts lie within 9 % of the mean distance to the center in a ball of their volume. In a region that
    is hollow or bent a part may come in two pieces.
    """
    inside = np.asarray(inside) != 0
    points = np.argwhere(inside) * np.asarray(voxel_size, np.float64)
    if count < 1:
        raise InputError(f"The region is to be split into {count} parts; give at least one.")
    if len(points) < count:
        found = counted(len(points), "voxel")
        raise InputError(f"The region has {found}, fewer than the {count} parts; ask for fewer parts.")
    sizes = np.full(count, len(points) // count)
    sizes[: len(points) % count] += 1
    parts = []
    _halve(points, np.arange(len(points)), sizes, parts)
    _exchange(points, parts)
    parts.sort(key=lambda part: tuple(points[part].mean(axis=0)))
    labels = np.zeros(inside.shape, np.int32)
    of_points = np.empty(len(points), np.int32)
    for number, part in enumerate(parts, start=1):
        of_points[part] = number
    labels[inside] = of_points
    return labels


def _halve(points, chosen, sizes, parts):
    """Append the index arrays of parts of given sizes to `parts`."""
    if len(sizes) == 1:
        parts.append(chosen)
        return
    some = points[chosen] - points[chosen].mean(axis=0)
    axis = np.linalg.eigh(some.T @ some)[1][:, -1]
    # The sign of an eigenvector is arbitrary.
    axis = axis * np.sign(axis[np.argmax(np.abs(axis))])
    middle = len(sizes) // 2
    first, second = _cut(chosen, some @ axis, int(sizes[:middle].sum()))
    _halve(points, first, sizes[:middle], parts)
    _halve(points, second, sizes[middle:], parts)


def _cut(chosen, position, size):
    """Split indices into the `size` of lowest position, and the others; ties are cut in the order of the voxels."""
    order = np.argsort(np.round(position, 6), kind="stable")
    return chosen[order[:size]], chosen[order[size:]]


def _exchange(points, parts):
    """Let pairs of parts exchange voxels until none gets more compact."""
    for least_gain, sweeps in _PASSES:
        changed = np.ones(len(parts), bool)
        for _ in range(sweeps):
            changed = _sweep(points, parts, changed, least_gain)
            if not changed.any():
                break


def _sweep(points, parts, before, least_gain):
    """Try an exchange in each pair of which one has changed; which parts have changed now."""
    changed = np.zeros(len(parts), bool)
    for one in range(len(parts)):
        for other in range(one + 1, len(parts)):
            if not (before[one] or before[other] or changed[one] or changed[other]):
                continue
            first, second = parts[one], parts[other]
            between = points[second].mean(axis=0) - points[first].mean(axis=0)
            first_at, second_at = points[first] @ between, points[second] @ between
            # Only what lies beyond the nearest of the other part can change sides.
            first_in, second_in = first_at > second_at.min() + 1e-6, second_at < first_at.max() - 1e-6
            count = np.count_nonzero(first_in)
            if count == 0:
                continue
            mixed = np.concatenate([first[first_in], second[second_in]])
            lower, upper = _cut(mixed, np.concatenate([first_at[first_in], second_at[second_in]]), count)
            gain = (points[first[first_in]].sum(axis=0) - points[lower].sum(axis=0)) @ between
            if gain <= least_gain * len(first) * (between @ between):
                continue
            parts[one] = np.concatenate([first[~first_in], lower])
            parts[other] = np.concatenate([second[~second_in], upper])
            changed[one] = changed[other] = True
    return changed


METHOD = Method(
    split_region,
    title="Parts of a region",
    solves="Σ |x − center of its part|² under equal sizes",
    test="test_analysis_subregions.SplitTest",
)
