"""Spatial unwrapping of whole field periods."""

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree


def unwrap(field_hz: np.ndarray, mask: np.ndarray, weight: np.ndarray, period_hz: float) -> np.ndarray:
    """Return the field with whole periods added so that it is continuous inside the mask.

    Parameters
    ----------
    field_hz : (K, J, I) array
        Field known up to whole periods.
    mask : (K, J, I) bool array
    weight : (K, J, I) array
        How far each voxel can be trusted; least trusted neighbors are joined last.
    period_hz : float

    Returns
    -------
    (K, J, I) array of `field_hz`'s type
        Zero outside the mask.

    Notes
    -----
    Neighbors are joined along a spanning tree of the most trusted connections, each by the whole period that brings
    it closest. A part of the mask without connection to the largest one is shifted so that it is closest to the
    nearest voxel there. The one period that no scan can tell is fixed so that the weighted median of the field
    over the mask lies within half a period of zero: a scanner tunes its center frequency to the tissue.
    """
    result = np.where(mask, field_hz, 0).astype(field_hz.dtype)
    if not mask.any():
        return result
    values, trust = result[mask].astype(np.float64), weight[mask]
    lower, upper = _connections(mask)
    if np.any(np.abs(values[upper] - values[lower]) > period_hz / 2):
        values += period_hz * _periods(values, trust, lower, upper, period_hz)
    values -= period_hz * np.round(_weighted_median(values, trust) / period_hz)
    result[mask] = values
    return result


def _connections(mask):
    """Pairs of neighboring voxels, numbered inside the mask, and one bridge from each part to the largest one."""
    index = np.full(mask.shape, -1, np.int64)
    index[mask] = np.arange(np.count_nonzero(mask))
    pairs = []
    for axis in range(3):
        moved = np.moveaxis(index, axis, 0)
        first, second = moved[:-1].ravel(), moved[1:].ravel()
        both = (first >= 0) & (second >= 0)
        pairs.append((first[both], second[both]))
    labels, count = ndimage.label(mask)
    if count > 1:
        largest = 1 + np.argmax(np.bincount(labels.ravel())[1:])
        distance, nearest = ndimage.distance_transform_edt(labels != largest, return_indices=True)
        part = labels[mask]
        order = np.lexsort((distance[mask], part))
        parts, first_of_part = np.unique(part[order], return_index=True)
        closest = order[first_of_part[parts != largest]]
        pairs.append((closest, index[tuple(axis[mask][closest] for axis in nearest)]))
    return tuple(np.concatenate(side) for side in zip(*pairs, strict=True))


def _periods(values, trust, lower, upper, period_hz):
    """Whole periods of each voxel, along the tree of the most trusted connections."""
    change = (values[upper] - values[lower]) / period_hz
    # Trusted voxels with little change between them first; all lengths are positive, since 0 would be no connection.
    length = (
        1.001 + np.abs(change - np.round(change)) - np.minimum(trust[lower], trust[upper]) / max(trust.max(), 1e-30)
    )
    count = values.size
    tree = minimum_spanning_tree(coo_array((length, (lower, upper)), shape=(count, count)).tocsr())
    order, before = breadth_first_order(tree, int(np.argmax(trust)), directed=False)
    later = order[1:]
    steps = np.round((values[before[later]] - values[later]) / period_hz).astype(np.int64)
    periods = [0] * count
    for voxel, predecessor, step in zip(later.tolist(), before[later].tolist(), steps.tolist(), strict=True):
        periods[voxel] = periods[predecessor] + step
    return np.asarray(periods)


def _weighted_median(values, weight):
    order = np.argsort(values)
    cumulative = np.cumsum(weight[order], dtype=np.float64)
    return values[order[np.searchsorted(cumulative, cumulative[-1] / 2)]] if cumulative[-1] > 0 else np.median(values)
