"""Whether regions lie on what they were drawn on: beside it, or turned, they would fit far better."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

# How far regions are moved, in steps of so many mm, to look whether they fit better: to one tissue, and to edges, where
# the image still shows this share of them.
_REACH_MM, _FAR_MM, _STEP_MM, _STILL_SEEN = 15.0, 24.0, 3.0, 0.7
# So many voxels of a region tell its spread; fewer than the latter tell nothing.
_SAMPLES, _FEWEST = 2000, 50
# They fit better where they spread by less than this share, and their medians change by less than that share of it: in
# another tissue, such as muscle, they spread less as well.
_LESS, _SAME_TISSUE = 0.5, 0.5
# Regions that are turned are told of where this share of their boundary would lie on edges, and less than that does, as
# of regions anywhere; an edge is steeper than this share of what is inside, which has so many voxels at least. So many
# voxels along an axis are enough.
_ON_EDGES, _NOT_ON_EDGES, _INSIDE, _FEWEST_INSIDE, _MOST = 0.75, 0.3, 0.9, 300, 160
# A mask agrees with the body so well where it is one of the body, and less well where it is not (Dice 1945).
_IS_BODY, _IS_NOT_BODY = 0.95, 0.85


def on_place(image: np.ndarray, labels: np.ndarray, names: Mapping[int, str], voxel_size: Sequence[float]) -> list[str]:
    """Say if all regions together would hold one tissue each where they are moved by some millimeters.

    A transform that is off by more than the thickness of cortex brings cortex, joints and muscle into regions of
    marrow. Where they lie right, or in one tissue that is the wrong one, no place beside is better.

    Parameters
    ----------
    image : (K, J, I) array
        Such as a CT or bSSFP; voxels that are not a number were not measured.
    labels : (K, J, I) int array
        Region of each voxel, 0 for none.
    names : mapping of int to str
        Label to region name.
    voxel_size : (3,) sequence
        mm along k, j and i.

    Returns
    -------
    list of str
        One note, or none.
    """
    places = [_some(np.argwhere(labels == label)) for label in names]
    places = [one for one in places if len(one) >= _FEWEST]
    if not places:
        return []
    medians, spread = _medians_and_spread(image, places)
    best, distance = spread, 0.0
    for shift in _shifts(voxel_size, _REACH_MM):
        moved = [one + shift for one in places]
        if any(one.min() < 0 or np.any(one.max(axis=0) >= image.shape) for one in moved):
            continue
        its_medians, its_spread = _medians_and_spread(image, moved)
        if its_spread < best and np.all(np.abs(its_medians - medians) < _SAME_TISSUE * spread):
            best, distance = its_spread, float(np.linalg.norm(shift * voxel_size))
    if not best < _LESS * spread:
        return []
    return [
        f"What the regions hold varies by {spread:.3g} (standard deviation), by {best:.3g} where they are moved by "
        f"{distance:.0f} mm: they reach into cortex, joints or soft tissue; check the transform and the drawing."
    ]


def on_edges(image: np.ndarray, labels: np.ndarray, voxel_size: Sequence[float] | None = None) -> list[str]:
    """Say if the boundaries of regions would lie on edges of an image once they are turned round, transposed or moved.

    Arrays that went through a program without their header are turned, and still have the shape of the image; regions
    are moved where they were drawn on another image, between which and this one the patient moved. Small regions and
    such whose boundaries lie within one tissue tell nothing.

    Parameters
    ----------
    image : (K, J, I) array
        Such as a fat fraction, CT or bSSFP; voxels that are not a number were not measured.
    labels : (K, J, I) int array
        Region of each voxel, 0 for none.
    voxel_size : (3,) sequence, optional
        mm along k, j and i, where regions may be moved by some millimeters.

    Returns
    -------
    list of str
        One note, or none.
    """
    edges = _Edges.of(image, labels)
    if edges is None:
        return []
    return _on_orientation(edges) or ([] if voxel_size is None else _on_shift(edges, voxel_size))


def _on_orientation(edges):
    def turned(*orientation):
        return edges.share(*(_turned(places, *orientation, edges.shape) for places in (edges.boundary, edges.inside)))

    share, order, flipped = _best_orientation(edges.shape, turned)
    if share < _ON_EDGES:
        return []
    return [
        f"The boundaries of the regions lie on edges of the image by {edges.own:.0%}, but by {share:.0%} if they are "
        f"{_in_words(order, flipped)}: they were stored in another orientation than the image; export them with the "
        "image as reference."
    ]


def _on_shift(edges, voxel_size):
    size = np.asarray(voxel_size) * edges.thinned
    boundary, inside = _some(edges.boundary), _some(edges.inside)

    def share(shift):
        moved = [one[np.all((one >= 0) & (one < edges.shape), axis=1)] for one in (boundary + shift, inside + shift)]
        return edges.share(*moved) if len(moved[0]) >= _STILL_SEEN * len(boundary) else 0.0

    start = max(_shifts(size, _FAR_MM), key=share)
    shift = max((start + step for step in _shifts(size, _STEP_MM, size.min())), key=share)
    best, distance = share(shift), float(np.linalg.norm(shift * size))
    if best < _ON_EDGES:
        return []
    return [
        f"The boundaries of the regions lie on edges of the map by {edges.own:.0%}, but by {best:.0%} if they are "
        f"moved by {distance:.0f} mm: they lie beside what they were drawn on, as where the patient moved between two "
        "images; register these and move the regions, or draw them on the maps."
    ]


@dataclass(frozen=True, eq=False)
class _Edges:
    """How steep an image is, boundary and inside of regions (N, 3), every how many voxels, and the share on edges."""

    steepness: np.ndarray
    boundary: np.ndarray
    inside: np.ndarray
    thinned: np.ndarray
    own: float

    @property
    def shape(self):
        return self.steepness.shape

    @classmethod
    def of(cls, image, labels):
        """Edges, where so few of the boundary lie on them that regions may be misplaced, else None."""
        steps = np.array([-(-n // _MOST) for n in labels.shape])
        thinned = tuple(slice(None, None, step) for step in steps)
        image, labels = np.asarray(image[thinned], np.float32), labels[thinned]
        boundary = np.zeros(labels.shape, bool)
        for axis in range(3):
            along, there = np.moveaxis(labels, axis, 0), np.moveaxis(boundary, axis, 0)
            changes = along[1:] != along[:-1]
            there[1:] |= changes
            there[:-1] |= changes
        inside = np.argwhere((labels > 0) & ~boundary)
        if len(inside) < _FEWEST_INSIDE:
            return None
        steepness = ndimage.gaussian_gradient_magnitude(image, 1.0)
        boundary = np.argwhere(boundary)
        own = _share_on_edges(steepness, boundary, inside)
        return cls(steepness, boundary, inside, steps, own) if own < _NOT_ON_EDGES else None

    def share(self, boundary, inside):
        """Share of a boundary that lies on edges."""
        return _share_on_edges(self.steepness, boundary, inside)


def on_mask_orientation(mask: np.ndarray, body: np.ndarray, axes: Sequence[str] = "kji") -> list[str]:
    """Say if a mask would be the body once it is turned round or transposed.

    Parameters
    ----------
    mask, body : (K, J, I) bool array
    axes : sequence of str
        What to call the axes, where those of the arrays are not those of the files.
    """
    sizes = np.count_nonzero(mask), np.count_nonzero(body)
    if 2 * min(sizes) <= _IS_BODY * sum(sizes):  # no way of turning it makes these alike, such as a mask of bone
        return []
    agreement = lambda other: 2 * np.count_nonzero(other & body) / sum(sizes)  # noqa: E731
    if agreement(mask) >= _IS_NOT_BODY:
        return []
    share, order, flipped = _best_orientation(
        mask.shape, lambda order, flipped: agreement(np.flip(mask.transpose(order), flipped))
    )
    if share < _IS_BODY:
        return []
    return [
        f"The mask agrees with what gives signal by {agreement(mask):.0%}, but by {share:.0%} if it is "
        f"{_in_words(order, flipped, axes)}: it was stored in another orientation than the scan; export it with the "
        "scan as reference."
    ]


def _best_orientation(shape, score):
    """Largest score of an order of axes that keeps the shape and axes that are turned round then, and both."""
    found = [(score(*one), *one) for one in _orientations(shape)]
    return max(found, key=lambda one: one[0])


def _orientations(shape):
    """Orders of axes that keep the shape, each with axes that are turned round then."""
    for order in itertools.permutations(range(3)):
        if tuple(shape[axis] for axis in order) == tuple(shape):
            for number in range(8):
                yield order, tuple(axis for axis in range(3) if number >> axis & 1)


def _in_words(order, flipped, axes="kji"):
    ways = [f"turned round along {axes[axis]}" for axis in flipped]
    if order != (0, 1, 2):
        ways.insert(0, f"taken with its axes {', '.join(axes)} in the order {', '.join(axes[axis] for axis in order)}")
    return " and ".join(ways)


def _turned(places, order, flipped, shape):
    """Where voxels come to lie if axes are put in another order, and then some turned round."""
    places = places[:, order].copy()
    for axis in flipped:
        places[:, axis] = shape[axis] - 1 - places[:, axis]
    return places


def _share_on_edges(steepness, boundary, inside):
    """Share of a boundary that is steeper than nearly all of what is inside."""
    within = steepness[tuple(inside.T)]
    within = within[np.isfinite(within)]
    if within.size < _FEWEST_INSIDE:
        return 0.0
    return float(np.mean(steepness[tuple(boundary.T)] > np.quantile(within, _INSIDE)))


def _some(places):
    return places[:: max(len(places) // _SAMPLES, 1)]


def _shifts(voxel_size, reach, step=_STEP_MM):
    """Steps in voxels within reach, each once; mm."""
    steps = np.arange(-reach, reach + 0.5 * step, step)
    shifts = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    shifts = shifts[np.linalg.norm(shifts, axis=1) <= reach]
    return np.unique(np.round(shifts / np.asarray(voxel_size)).astype(int), axis=0)


def _medians_and_spread(image, places):
    """Median of each region, and the standard deviation around them of all; infinite where something is no number."""
    values = [image[tuple(one.T)].astype(np.float64) for one in places]
    medians = np.array([np.median(one) for one in values])
    squares = np.concatenate([(one - median) ** 2 for one, median in zip(values, medians, strict=True)])
    spread = float(np.sqrt(squares.mean()))
    return medians, spread if np.isfinite(spread) else np.inf
