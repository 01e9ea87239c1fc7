"""Global choice among the candidate fields: whole patches move at once, by minimum cuts.

The choice c minimizes ``E = Σ_v D_v(c_v) + Σ_uv min((f_u − f_v)² / 2 s_uv², J)`` over voxels v and pairs of neighbors:
the misfit of each voxel in units of log-likelihood, and a field that changes slowly but may jump for the price J. A
move offers every voxel the candidate nearest to its field shifted by a distance at which neighbors disagree, and the
voxels that take it are a minimum cut (fusion moves: Lempitsky et al., IEEE TPAMI 2010, doi 10.1109/TPAMI.2009.143).
What lies away from all disagreement moves as a whole, so that the graphs stay small.
"""

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, connected_components, maximum_flow

from ..progress import Progress, report
from .signal import within_period

# Price of a jump between two neighbors in units of log-likelihood.
JUMP = 6.0
# How far the field may change from voxel to voxel, as a part of the distance between fields that are taken for each
# other, and how close to the offered field a candidate must lie.
SMOOTHNESS = 0.1
CLOSE = 0.35
# Rounds of moves, shifts tried in each, and single voxels of one cut.
ROUNDS = 6
SHIFTS = 2
LARGEST_CUT = 60_000
# A share of the voxels whose moves call for no further round.
ENOUGH = 1e-3
# Capacities of the cut are whole numbers: units of log-likelihood times this.
SCALE = 200


def choose_globally(
    chosen: np.ndarray,
    field_hz: np.ndarray,
    misfit: np.ndarray,
    deviation_hz: np.ndarray,
    mask: np.ndarray,
    voxel_size,
    *,
    period_hz: float,
    distance_hz: float,
    progress: Progress | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a choice of candidates whose energy no shift of a patch lowers, and how sure it is in each voxel.

    Parameters
    ----------
    chosen : (V,) int array
        Choice to begin with.
    field_hz, misfit : (C, V) arrays
        Candidates in Hz, and their misfit in units of log-likelihood.
    deviation_hz : (V,) array
        Standard deviation of a voxel's field by noise.
    mask : (K, J, I) bool array
        Where the V voxels are.
    voxel_size : (3,) floats
        mm.
    period_hz, distance_hz : float
        Fields a period apart are the same; fields `distance_hz` apart are easily taken for each other.

    Returns
    -------
    chosen : (V,) int array
    margin : (V,) array
        How much more the next best candidate of the voxel would cost, in units of log-likelihood.
    own : (V,) array
        How much more one at a distance would cost by the voxel's own echoes alone.
    """
    graph = _Graph(field_hz, misfit, deviation_hz, mask, voxel_size, period_hz, distance_hz)
    chosen = chosen.copy()
    for turn in range(ROUNDS):
        state, moved = _State(graph, chosen), 0
        for shift in state.shifts():
            moving = graph.move(chosen, shift, state)
            if moving:
                moved += moving
                state = _State(graph, chosen)
        report(progress, (turn + 1) / ROUNDS, "Comparing fields over the volume")
        # A few voxels that still change sides are noise, and a round is as long as the search.
        if moved <= ENOUGH * chosen.size:
            break
    return chosen, graph.margin(chosen), graph.own_margin(chosen)


class _Graph:
    """Voxels, pairs of neighbors, and what they cost."""

    def __init__(self, field_hz, misfit, deviation_hz, mask, voxel_size, period_hz, distance_hz):
        self.field, self.misfit = field_hz, misfit
        self.period, self.distance = period_hz, distance_hz
        self.mask = mask
        self.first, self.second, self.gap = _neighbors(mask, voxel_size)
        with np.errstate(over="ignore"):  # infinite where nothing is known of the field: such pairs do not count
            variance = deviation_hz.astype(np.float32) ** 2
        smooth = SMOOTHNESS * distance_hz * np.sqrt(self.gap / np.prod(voxel_size) ** (1 / 3))
        self.precision = 0.5 / (smooth**2 + variance[self.first] + variance[self.second]).astype(np.float32)

    def wrapped(self, difference):
        return within_period(difference, self.period)

    def pair_cost(self, difference, edges):
        return np.minimum(self.wrapped(difference) ** 2 * self.precision[edges], JUMP)

    def move(self, chosen, shift, state):
        """Shift the patches for which that is better, in place; return how many voxels that were."""
        field = state.field
        strayed = np.abs(self.wrapped(self.field - (field + np.float32(shift))))
        offer = strayed.argmin(axis=0)
        possible = np.take_along_axis(strayed, offer[None], axis=0)[0] < CLOSE * self.distance
        voxels = np.arange(chosen.size)
        offered = self.field[offer, voxels]
        gain = np.where(possible, self.misfit[offer, voxels] - self.misfit[chosen, voxels], np.inf)
        # What the cut could never pay for stays as it is, in one node.
        node = np.where(state.near & (gain > 6 * JUMP), state.nodes, state.node)
        nodes = state.nodes + 1
        edges = state.edges
        u, v = self.first[edges], self.second[edges]
        keep_keep = state.pair_cost
        keep_take = self.pair_cost(offered[v] - field[u], edges)
        take_keep = self.pair_cost(field[v] - offered[u], edges)
        take_take = self.pair_cost(offered[v] - offered[u], edges)
        unary = np.bincount(node, np.minimum(gain, 1e4), nodes)
        unary += np.bincount(node[u], take_keep - keep_keep, nodes)
        unary += np.bincount(node[v], take_take - take_keep, nodes)
        # Where the fields are far from smooth, a pair may not be a cut; its price is then left out and checked below.
        strength = np.where(node[u] != node[v], np.maximum(keep_take + take_keep - keep_keep - take_take, 0), 0)
        taken = _cut(unary, node[u], node[v], strength)[node] & possible
        if not taken.any():
            return 0
        taken = self.worthwhile(taken, field, offered, gain)
        chosen[taken] = offer[taken]
        return int(np.count_nonzero(taken))

    def margin(self, chosen):
        """What a voxel's next best candidate would cost more, with all its neighbors as they are."""
        count, edges = chosen.size, slice(None)
        field = self.field[chosen, np.arange(count)]

        def energy(own, misfit):
            at_first = self.pair_cost(field[self.second] - own[self.first], edges)
            at_second = self.pair_cost(own[self.second] - field[self.first], edges)
            return misfit + np.bincount(self.first, at_first, count) + np.bincount(self.second, at_second, count)

        best = energy(field, self.misfit[chosen, np.arange(count)])
        margin = np.full(count, np.inf)
        for other, misfit in zip(self.field, self.misfit, strict=True):
            distinct = np.abs(self.wrapped(other - field)) > CLOSE / 2 * self.distance
            more = np.where(distinct, energy(other, misfit) - best, np.inf)
            np.minimum(margin, more, out=margin)
        return margin

    def own_margin(self, chosen):
        """What the best candidate at half the distance or more would cost a voxel without neighbors."""
        voxels = np.arange(chosen.size)
        strayed = np.abs(self.wrapped(self.field - self.field[chosen, voxels]))
        other = np.where(strayed > self.distance / 2, self.misfit, np.inf).min(axis=0)
        return other - self.misfit[chosen, voxels]

    def worthwhile(self, taken, field, offered, gain):
        """The connected patches among those taken that lower the energy."""
        touched = np.flatnonzero(taken[self.first] | taken[self.second])
        u, v = self.first[touched], self.second[touched]
        both = taken[u] & taken[v]
        pairs = coo_array((np.ones(np.count_nonzero(both), np.int8), (u[both], v[both])), shape=(taken.size,) * 2)
        patch = connected_components(pairs, directed=False)[1]
        after = np.where(taken, offered, field)
        change = self.pair_cost(after[v] - after[u], touched) - self.pair_cost(field[v] - field[u], touched)
        owner = np.where(taken[u], patch[u], patch[v])
        total = np.bincount(owner, change, patch.size)
        total += np.bincount(patch[taken], gain[taken], patch.size)
        return taken & (total < -1e-3)[patch]


class _State:
    """Where neighbors disagree under a choice: voxels near that move singly, all others in patches."""

    def __init__(self, graph, chosen):
        self.graph = graph
        self.field = graph.field[chosen, np.arange(chosen.size)]
        first, second = graph.first, graph.second
        difference = graph.wrapped(self.field[second] - self.field[first])
        walls = difference**2 * graph.precision > JUMP / 2
        self.jumps = np.abs(difference[walls])
        near = np.zeros(chosen.size, bool)
        near[first[walls]] = near[second[walls]] = True
        for _ in range(2):
            grown = near.copy()
            grown[first[near[second]]] = grown[second[near[first]]] = True
            if np.count_nonzero(grown) > LARGEST_CUT:
                break
            near = grown
        self.near = near
        apart = near[first] | near[second]
        joined = ~apart
        pairs = coo_array(
            (np.ones(np.count_nonzero(joined), np.int8), (first[joined], second[joined])), (near.size,) * 2
        )
        self.nodes, self.node = connected_components(pairs, directed=False)
        self.edges = np.flatnonzero(apart)
        self.pair_cost = graph.pair_cost(difference[apart], self.edges)

    def shifts(self):
        """The distances at which most neighbors disagree, both ways."""
        width = self.graph.distance / 4
        jumps = self.jumps[self.jumps > CLOSE * self.graph.distance]
        found = []
        while jumps.size and len(found) < SHIFTS:
            counts, edges = np.histogram(jumps, np.arange(0, self.graph.period / 2 + width, width))
            near = np.abs(jumps - edges[counts.argmax()] - width / 2) < width
            found.append(float(np.median(jumps[near])))
            jumps = jumps[~near]
        return [sign * shift for shift in found for sign in (1, -1)]


def _neighbors(mask, voxel_size):
    """Pairs of neighbors, numbered inside the mask, and their distance in mm; across gaps between parts as well."""
    index = np.full(mask.shape, -1, np.int32)  # half the memory, which many pairs need
    index[mask] = np.arange(np.count_nonzero(mask), dtype=np.int32)
    owner, gap = index, None
    if ndimage.label(mask)[1] > 1:
        # Each voxel outside belongs to the one it is closest to; where two territories meet, there is a bridge.
        gap, nearest = ndimage.distance_transform_edt(~mask, sampling=voxel_size, return_indices=True)
        owner = index[tuple(nearest)]
    pairs = []
    for axis, size in enumerate(voxel_size):
        first, second = (np.moveaxis(owner, axis, 0)[part].ravel() for part in (slice(None, -1), slice(1, None)))
        distance = np.full(first.size, size, np.float32)
        if gap is None:
            apart = (first >= 0) & (second >= 0)
        else:
            near, far = (np.moveaxis(gap, axis, 0)[part].ravel() for part in (slice(None, -1), slice(1, None)))
            distance += near + far
            apart = first != second
        pairs.append((first[apart], second[apart], distance[apart]))
    first, second, distance = (np.concatenate(side) for side in zip(*pairs, strict=True))
    return first, second, distance


def _cut(unary, first, second, strength):
    """Which nodes take the offer: the minimum of Σ unary x + Σ strength (1 − x_first) x_second over binary x."""
    nodes = unary.size
    around = np.bincount(first, strength, nodes) + np.bincount(second, strength, nodes)
    # More than its neighbors could make good or undo changes nothing, and whole numbers stay small.
    unary = np.round(SCALE * np.clip(unary, -around - 1, around + 1)).astype(np.int64)
    strength = np.round(SCALE * strength).astype(np.int64)
    # Nodes that no neighbor can move away from what they like are the terminals themselves.
    source, sink = nodes, nodes + 1
    pairs = strength > 0
    take = np.flatnonzero(unary < 0)
    keep = np.flatnonzero(unary > 0)
    if not take.size:
        return np.zeros(nodes, bool)
    rows = np.concatenate([first[pairs], np.full(keep.size, source), take])
    columns = np.concatenate([second[pairs], keep, np.full(take.size, sink)])
    capacity = np.concatenate([strength[pairs], unary[keep], -unary[take]])
    graph = coo_array((capacity, (rows, columns)), shape=(nodes + 2,) * 2).tocsr().astype(np.int32)
    left = (graph - maximum_flow(graph, source, sink).flow).tocsr()
    left.data = np.maximum(left.data, 0)
    left.eliminate_zeros()
    reached = breadth_first_order(left, source, return_predecessors=False)
    taken = np.ones(nodes + 2, bool)
    taken[reached] = False
    return taken[:nodes]
