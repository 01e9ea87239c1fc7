"""Spatial unwrapping of whole field periods."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

from ..methods import Method

# Rounds in which voxels follow their neighbors by whole periods.
VOTES = 10
# Parts of fewer voxels are told nothing of.
SPECK = 30
# Steps of the field from voxel to voxel have a mean if they are so much alike; so many voxels along other axes tell it.
_ALIGNED, _VOXELS = 0.5, 300_000


def unwrap(
    field_hz: np.ndarray,
    mask: np.ndarray,
    weight: np.ndarray,
    period_hz: float,
    *,
    offset_period_hz: float | None = None,
) -> np.ndarray:
    """Return the field with whole periods added so that it is continuous inside the mask.

    Parameters
    ----------
    field_hz : (K, J, I) array
        Field known up to whole periods.
    mask : (K, J, I) bool array
    weight : (K, J, I) array
        How far each voxel can be trusted; least trusted neighbors are joined last.
    period_hz : float
    offset_period_hz : float, optional
        What the field as a whole is known up to, where groups of echoes have phases of their own: the period of one
        group. Default: `period_hz`.

    Returns
    -------
    (K, J, I) array of `field_hz`'s type
        Zero outside the mask.

    Notes
    -----
    Neighbors are joined along a spanning tree of the most trusted connections, each by the whole period that brings
    it closest; a voxel whose neighbors agree on another one follows them. Parts of the mask without connection are
    joined in the same way across the shortest gaps between them. The one period that no scan can tell is fixed so that
    the weighted median of the field over the mask lies within half a period of zero: a scanner tunes its center
    frequency to the tissue.
    """
    result = np.where(mask, field_hz, 0).astype(field_hz.dtype)
    if not mask.any():
        return result
    values, trust = result[mask].astype(np.float64), weight[mask]
    lower, upper, gaps = _connections(mask)
    if np.any(np.abs(values[upper] - values[lower]) > period_hz / 2):
        bends = _bends(result / period_hz, mask)[mask]
        values += period_hz * _periods(values, trust, bends, lower, upper, gaps, period_hz)
        _outvoted(values, trust, lower, upper, period_hz)
    offset_period_hz = offset_period_hz or period_hz
    values -= offset_period_hz * np.round(_weighted_median(values, trust) / offset_period_hz)
    result[mask] = values
    return result


@dataclass(frozen=True)
class PartApart:
    """A part of a mask apart from the largest: its gap to the others in mm, and the change of field over it in Hz."""

    inside: np.ndarray
    gap_mm: float
    change_hz: float


def parts_apart(field_hz: np.ndarray, mask: np.ndarray, voxel_size) -> list[PartApart]:
    """Return the parts of a mask (K, J, I) but the largest, without specks."""
    labels, _ = ndimage.label(mask)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    told = sizes >= SPECK
    parts = []
    for label in np.flatnonzero(told):
        if label == sizes.argmax():
            continue
        inside = labels == label
        others = told[labels] & ~inside
        distance, nearest = ndimage.distance_transform_edt(~others, sampling=voxel_size, return_indices=True)
        gap = float(distance[inside].min())
        # Single voxels at a border are noisy: all that lie about as close have a say.
        facing = inside & (distance <= gap + max(voxel_size))
        change = field_hz[facing] - field_hz[tuple(axis[facing] for axis in nearest)]
        parts.append(PartApart(inside, gap, float(np.median(change))))
    return parts


def steepness(echoes: np.ndarray, echo_times: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, float]:
    """Return by how many Hz the field changes per voxel along each axis of an image, and up to how many it is known.

    It is what the phase between echoes next to each other says, whatever is water or fat: the circular mean over
    neighbors inside, zero where they are few or disagree.

    Parameters
    ----------
    echoes : (E, K, J, I) complex array
    echo_times : (E,) array
        Seconds; echoes as far apart as the closest have a say.
    inside : (K, J, I) bool array

    Returns
    -------
    (3,) array and float
    """
    gaps = np.diff(echo_times)
    period = 1 / gaps.min()
    pairs = np.flatnonzero(gaps < 1.01 * gaps.min())
    step = int(np.ceil(np.sqrt(max(inside.size / _VOXELS, 1))))
    found = np.zeros(3)
    for axis in range(3):
        parts = tuple(slice(None) if n == axis else slice(None, None, step) for n in range(3))
        known = np.moveaxis(inside[parts], axis, 0)
        both = known[1:] & known[:-1]
        if np.count_nonzero(both) < SPECK:
            continue
        total, size = 0j, 0.0
        for pair in pairs:
            turn = np.moveaxis(echoes[pair + 1][parts] * echoes[pair][parts].conj(), axis, 0)
            change = (turn[1:] * turn[:-1].conj())[both]
            total, size = total + change.sum(), size + np.abs(change).sum()
        found[axis] = np.angle(total) / (2 * np.pi) * period if abs(total) > _ALIGNED * size else 0.0
    return found, period


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


def _bends(turns, mask):
    """How far each voxel is from the line through its neighbors, in periods up to one half, along the worst axis.

    A single wrong voxel may lie closer to the next period of what is behind it than a steep field does.
    """
    result = np.zeros(turns.shape, np.float32)
    for axis in range(3):
        moved, inside, bends = (np.moveaxis(array, axis, 0) for array in (turns, mask, result))
        bend = moved[2:] - 2 * moved[1:-1] + moved[:-2]
        bend = np.abs(bend - np.round(bend)) * (inside[2:] & inside[1:-1] & inside[:-2])
        np.maximum(bends[1:-1], bend, out=bends[1:-1])
    return result


def _periods(values, trust, bends, lower, upper, gaps, period_hz):
    """Whole periods of each voxel, along the tree of the most trusted connections and the shortest bridges."""
    change = (values[upper] - values[lower]) / period_hz
    # Trusted voxels with little change between them and on a line with their neighbors first; all lengths are positive,
    # since 0 would be no connection.
    trusted = np.minimum(trust[lower], trust[upper]) / max(trust.max(), 1e-30)
    length = 1.001 + np.abs(change - np.round(change)) - trusted + 2 * gaps
    length += np.maximum(bends[lower], bends[upper])
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


def _outvoted(values, trust, lower, upper, period_hz):
    """Move voxels, in place, by the whole periods that most of the trust around them asks for.

    The tree joins a voxel by one neighbor only, whose own field may be wrong.
    """
    count = values.size
    weight = np.minimum(trust[lower], trust[upper]) + 1e-6
    total = np.bincount(lower, weight, count) + np.bincount(upper, weight, count)
    for _ in range(VOTES):
        periods = np.round((values[upper] - values[lower]) / period_hz)
        votes = np.bincount(lower, weight * periods, count) - np.bincount(upper, weight * periods, count)
        wanted = np.round(votes / np.maximum(total, np.finfo(float).tiny))
        # Of two neighbors that lie a period apart, the one less at odds with all stays.
        odds = np.abs(votes)
        rival = np.zeros(count)
        np.maximum.at(rival, lower, odds[upper] * (periods != 0))
        np.maximum.at(rival, upper, odds[lower] * (periods != 0))
        wanted[odds <= rival] = 0
        if not wanted.any():
            return
        values += period_hz * wanted


def _weighted_median(values, weight):
    order = np.argsort(values)
    cumulative = np.cumsum(weight[order], dtype=np.float64)
    return values[order[np.searchsorted(cumulative, cumulative[-1] / 2)]] if cumulative[-1] > 0 else np.median(values)


METHOD = Method(
    unwrap,
    title="Unwrapping",
    solves="whole periods along the spanning tree of the most trusted connections; its median within half a period",
    test="test_fieldmap_unwrap.UnwrapTest",
)
