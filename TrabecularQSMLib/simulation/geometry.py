"""Inclusions of bone: where they are, and how much of the region they are expected to fill."""

import math
from functools import lru_cache

import numpy as np

from ..errors import InputError, counted
from ..methods import Method
from .orientation import watson_directions
from .settings import SimulationSettings


def check_inclusions(settings: SimulationSettings, number: int, radius: int) -> None:
    """Raise `InputError` if so many inclusions of that radius cannot be placed in the region."""
    if not 1 <= number <= settings.size**3:
        raise InputError(
            f"The number of inclusions is {number}; give at least 1, and at most one for each of the region's "
            f"{settings.size**3} voxels."
        )
    if radius < 1:
        raise InputError(f"The radius is {radius} voxels; give at least 1.")
    if 2 * radius + 1 > settings.size:
        raise InputError(
            f"The radius of {counted(radius, 'voxel')} does not fit a region of {settings.size} voxels; "
            f"give at most {(settings.size - 1) // 2} or a larger size."
        )


def draw_geometry(settings: SimulationSettings, number: int, radius: int, repeat: int) -> np.ndarray:
    """Place equal inclusions at random.

    Parameters
    ----------
    settings : SimulationSettings
        Size, shape, orientation and seed.
    number : int
        How many inclusions; they may overlap.
    radius : int
        Voxels; of spheres and cylinders, and half the thickness of plates.
    repeat : int
        From 0. The same seed, number, radius and repeat always give the same geometry.

    Returns
    -------
    (size, size, size) bool array
        Where bone is.

    Raises
    ------
    InputError
        If the inclusions do not fit.

    Notes
    -----
    Centers are voxels, uniform in the region; an inclusion holds the voxels whose center lies within `radius`
    (inclusive) of its center, axis or middle plane and is cut off at the region's border. These conventions reproduce
    the published BV/TV. In a region that repeats itself, spheres, and cylinders and plates along an axis, come in again
    where they leave; what lies askew cannot meet itself and is cut off.
    """
    check_inclusions(settings, number, radius)
    random = np.random.default_rng(np.random.SeedSequence([settings.seed, number, radius, repeat]))
    centers = random.integers(0, settings.size, (number, 3))
    if settings.shape == "spheres":
        return _draw_spheres(settings, radius, centers)
    if settings.concentration is not None:
        directions = watson_directions(settings.orientation, settings.concentration, number, random)
        return _draw_through(settings, radius, centers, directions)
    if _repeats(settings):
        centers = _with_copies(settings, radius, centers)
    return _draw_through(settings, radius, centers, [settings.orientation] * len(centers))


def expected_bvtv(settings: SimulationSettings, number: int, radius: int) -> float | None:
    """Return the mean BV/TV of all geometries that `draw_geometry` can give, without drawing any.

    Returns
    -------
    float or None
        None where the inclusions have directions of their own.

    Notes
    -----
    The mean over the region's voxels x of ``1 − (1 − v(x) / size³)^number``, where v(x) is the number of voxels that
    are in the region and whose inclusion would hold x.
    """
    check_inclusions(settings, number, radius)
    if settings.concentration is not None and settings.shape != "spheres":
        return None
    centers, voxels = _center_counts(settings, radius)
    with np.errstate(divide="ignore"):  # where every center holds the voxel, it is surely filled
        filled = -np.expm1(number * np.log1p(-centers / settings.size**3))
    return float(filled @ voxels / settings.size**3)


@lru_cache(maxsize=64)
def _center_counts(settings, radius):
    """For each number of centers whose inclusion would hold a voxel, how many voxels of the region there are."""
    inclusion, size = _inclusion(settings, radius), settings.size
    if _repeats(settings):
        # Of what reaches through the region one period counts: the same everywhere along the axes that it fills.
        cut = tuple(slice(size) if full else slice(None) for full in _filled_axes(settings))
        return np.array([float(np.count_nonzero(inclusion[cut]))]), np.array([float(size**3)])
    reach = inclusion.shape[0] // 2
    # All positions of a sphere farther than its radius from a face see the same: one stands for them.
    edge = min(size, 2 * reach + 1)
    positions, weights = np.arange(edge), np.ones(edge)
    weights[edge // 2] += size - edge
    positions[edge // 2 + 1 :] += size - edge
    # Centers fill a box, so that those of a voxel are what a window of that size counts in the inclusion about it.
    counts = inclusion.astype(np.int32)
    high = np.minimum(positions + reach, 2 * reach) + 1
    low = np.maximum(positions + reach - size + 1, 0)
    for axis in range(3):
        summed = np.cumsum(counts, axis=axis, dtype=np.int32)
        summed = np.insert(summed, 0, 0, axis=axis)
        counts = np.take(summed, high, axis=axis) - np.take(summed, low, axis=axis)
    centers, which = np.unique(counts, return_inverse=True)
    volumes = np.einsum("k,j,i->kji", weights, weights, weights)
    return centers.astype(np.float64), np.bincount(which.ravel(), volumes.ravel())


def _repeats(settings):
    """Whether what leaves the region comes in again opposite: what lies askew to its axes never meets itself."""
    askew = settings.concentration is not None or max(map(abs, settings.orientation)) < 1
    return settings.boundary == "filled" and (settings.shape == "spheres" or not askew)


def _filled_axes(settings):
    """Along which axes an inclusion that lies along one reaches through the region, three bools."""
    along = [abs(x) == 1 for x in settings.orientation]
    return {"spheres": [False] * 3, "cylinders": along, "plates": [not one for one in along]}[settings.shape]


def _with_copies(settings, radius, centers):
    """Centers, and those one region away whose inclusion reaches into it, of inclusions along an axis."""
    for axis in np.flatnonzero(~np.array(_filled_axes(settings))):
        copies = []
        for sign in -1, 1:
            beyond = centers.copy()
            beyond[:, axis] += sign * settings.size
            reaches = (beyond[:, axis] >= -radius) & (beyond[:, axis] < settings.size + radius)
            copies.append(beyond[reaches])
        centers = np.concatenate([centers, *copies])
    return centers


def _draw_spheres(settings, radius, centers):
    size, ball = settings.size, _inclusion(settings, radius)
    mask = np.zeros((size,) * 3, bool)
    for center in centers.tolist():
        if _repeats(settings):
            mask[np.ix_(*(np.arange(c - radius, c + radius + 1) % size for c in center))] |= ball
            continue
        here = tuple(slice(max(c - radius, 0), min(c + radius + 1, size)) for c in center)
        part = tuple(slice(max(radius - c, 0), min(size - c + radius, 2 * radius + 1)) for c in center)
        mask[here] |= ball[part]
    return mask


def _draw_through(settings, radius, centers, directions):
    """Cylinders or plates that each have a direction, through the whole region.

    A line of voxels meets a convex body in one interval: each body only marks where it begins and ends on the lines
    along one axis, and the marks are summed along them in the end.
    """
    size, plates = settings.size, settings.shape == "plates"
    marks = np.zeros((3, size + 1, size, size), np.int32)
    line = np.arange(size)
    rows, columns = np.indices((size, size))
    for center, direction in zip(centers, directions, strict=True):
        # Lines that meet it at the largest angle: few voxels are then within a rounding error of its surface.
        axis = int(np.argmax(np.abs(direction)) if plates else np.argmin(np.abs(direction)))
        first, second = (other for other in range(3) if other != axis)
        x, y = (line - center[first])[:, None], line - center[second]
        beside = direction[first] * x + direction[second] * y
        if plates:
            middle = -beside / direction[axis]
            half = np.full(middle.shape, radius / abs(direction[axis]))
        else:  # |r|² − (r·u)² ≤ R², a quadratic in the coordinate along the line
            across = 1 - direction[axis] ** 2
            middle = beside * direction[axis] / across
            squared = middle**2 - (x**2 + y**2 - beside**2 - radius**2) / across
            half = np.where(squared >= 0, np.sqrt(np.maximum(squared, 0)), -1)
        begin = np.clip(np.ceil(center[axis] + middle - half - _ROUNDING), 0, size).astype(int)
        end = np.clip(np.floor(center[axis] + middle + half + _ROUNDING) + 1, 0, size).astype(int)
        met = begin < end
        marks[axis, begin[met], rows[met], columns[met]] += 1
        marks[axis, end[met], rows[met], columns[met]] -= 1
    mask = np.zeros((size,) * 3, bool)
    for axis in range(3):
        mask |= np.moveaxis(np.cumsum(marks[axis, :size], axis=0) > 0, 0, axis)
    return mask


def _inclusion(settings, radius):
    """One inclusion about its center, an odd cube, as wide as a sphere or wide enough to reach through the region."""
    reach = radius if settings.shape == "spheres" else settings.size - 1
    line = np.arange(-reach, reach + 1, dtype=np.float64)
    k, j, i = line[:, None, None], line[:, None], line
    along = settings.orientation[0] * k + settings.orientation[1] * j + settings.orientation[2] * i
    if settings.shape == "plates":
        return np.abs(along) <= radius + _ROUNDING
    distance = k**2 + j**2 + i**2
    if settings.shape == "cylinders":
        distance = distance - along**2
    return distance <= radius**2 + _ROUNDING


# Of the products above; far below the next distance between voxels.
_ROUNDING = 1e-9 * math.sqrt(3)


METHOD = Method(
    draw_geometry,
    title="Random inclusions",
    solves="equal spheres, cylinders or plates at random places",
    test="test_simulation.GeometryTest",
    reference="Diefenbach et al., MRM 2019, doi 10.1002/mrm.27531",
)
