"""Spatial unwrapping of whole field periods."""

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

from ..methods import Method


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
    it closest. Parts of the mask without connection are joined in the same way across the shortest gaps between them.
    The one period that no scan can tell is fixed so that the weighted median of the field
    over the mask lies within half a period of zero: a scanner tunes its center frequency to the tissue.
    """
    result = np.where(mask, field_hz, 0).astype(field_hz.dtype)
    if not mask.any():
        return result
    values, trust = result[mask].astype(np.float64), weight[mask]
    lower, upper, gaps = _connections(mask)
    if np.any(np.abs(values[upper] - values[lower]) > period_hz / 2):
        values += period_hz * _periods(values, trust, lower, upper, gaps, period_hz)
    values -= period_hz * np.round(_weighted_median(values, trust) / period_hz)
    result[mask] = values
    return result


def _connections(mask):
    """Pairs of neighboring voxels, numbered inside the mask, then bridges between its parts; and the gap of each."""
    index = np.full(mask.shape, -1, np.int32)  # half the memory, which many pairs need
    index[mask] = np.arange(np.count_nonzero(mask), dtype=np.int32)
    pairs = []
    for first, second in _beside(index):
        both = (first >= 0) & (second >= 0)
        pairs.append((first[both], second[both]))
    lower, upper = (np.concatenate(side) for side in zip(*pairs, strict=True))
    labels, count = ndimage.label(mask)
    if count < 2:
        return lower, upper, np.zeros(lower.size)
    # Each voxel outside belongs to the part it is closest to; where two territories meet, the parts can be bridged.
    gap, nearest = ndimage.distance_transform_edt(~mask, return_indices=True)
    owner = index[tuple(nearest)]
    part = labels[mask]
    bridges = []
    for (first, second), (near, far) in zip(_beside(owner), _beside(gap), strict=True):
        meeting = part[first] != part[second]
        bridges.append((first[meeting], second[meeting], 1 + near[meeting] + far[meeting]))
    first, second, gaps = (np.concatenate(side) for side in zip(*bridges, strict=True))
    ends = np.sort(np.stack([part[first], part[second]]), axis=0)
    order = np.lexsort((gaps, *ends))
    _, shortest = np.unique(ends[:, order], axis=1, return_index=True)
    shortest = order[shortest]
    gaps = np.concatenate([np.zeros(lower.size), gaps[shortest]])
    return np.concatenate([lower, first[shortest]]), np.concatenate([upper, second[shortest]]), gaps


def _beside(array):
    """Yield the values of all pairs of voxels that lie beside each other, an axis at a time."""
    for axis in range(3):
        moved = np.moveaxis(array, axis, 0)
        yield moved[:-1].ravel(), moved[1:].ravel()


def _periods(values, trust, lower, upper, gaps, period_hz):
    """Whole periods of each voxel, along the tree of the most trusted connections and the shortest bridges."""
    change = (values[upper] - values[lower]) / period_hz
    # Trusted voxels with little change between them first; all lengths are positive, since 0 would be no connection.
    trusted = np.minimum(trust[lower], trust[upper]) / max(trust.max(), 1e-30)
    length = 1.001 + np.abs(change - np.round(change)) - trusted + 2 * gaps
    count = values.size
    tree = minimum_spanning_tree(coo_array((length, (lower, upper)), shape=(count, count)).tocsr())
    root = int(np.argmax(trust))
    order, before = breadth_first_order(tree, root, directed=False)
    later = order[1:]
    steps = np.zeros(values.size, np.int32)
    steps[later] = np.round((values[before[later]] - values[later]) / period_hz)
    # Each voxel adds up what lies on its way to the root: after n rounds, the last 2ⁿ steps of it.
    before[before < 0] = root  # of the root itself
    while np.any(before != root):
        steps += steps[before]
        before = before[before]
    return steps


def _weighted_median(values, weight):
    order = np.argsort(values)
    cumulative = np.cumsum(weight[order], dtype=np.float64)
    return values[order[np.searchsorted(cumulative, cumulative[-1] / 2)]] if cumulative[-1] > 0 else np.median(values)


METHOD = Method(
    unwrap,
    title="Unwrapping",
    solves="whole periods along the spanning tree of the most trusted connections; its median within half a period",
    test="test_fieldmap.UnwrapTest",
)
