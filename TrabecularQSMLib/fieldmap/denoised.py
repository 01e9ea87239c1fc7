"""Whether noise was taken off the echoes by principal components, which leaves the rest of it alike in neighbors.

Noise of one echo knows nothing of that of another, whatever was done to each image: filters, zero filling, parallel
imaging or a combination of coils. So the echoes of two voxels without signal, as vectors, point in directions that
chance has chosen, or alike everywhere; so does what a fit leaves over in tissue. The components that are kept of a
patch are those of all its voxels. Differences of neighbors are compared, in which what changes slowly over the image,
as errors of a model do, is no more.
"""

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from ..methods import Method
from .fat_models import FatModel
from .groups import EchoGroups, positions_of
from .separation import EXACT_ECHOES, Separation
from .signal import Model, synthesize

# Four voxels in a row make a pair of differences, which patches hold; zero filling makes the middle ones alike.
ROW = 4
# So many rows along an axis are enough, and so many of a part of the image have a say.
ROWS, FEWEST = 20_000, 400
# Where a fit leaves least over, in so many voxels around, it leaves noise alone.
AROUND = 5


def shared_in_air(echoes: np.ndarray, dark: np.ndarray) -> float:
    """Return how much more than by chance the echoes of dark neighbors point in one direction, 1 by chance.

    Parameters
    ----------
    echoes : (E, K, J, I) complex array
    dark : (K, J, I) bool array
        Voxels that hold noise alone.
    """
    # Ghosts and what else is no noise seldom lie in all of the air: it is asked in eighths of the image.
    place = sum((2 * np.indices(dark.shape, sparse=True)[n] >= size) << n for n, size in enumerate(dark.shape))
    return _shared(lambda at, _: np.stack([echo[at] for echo in echoes]), dark, place, len(echoes))


def shared_in_rest(
    echoes: np.ndarray,
    separation: Separation,
    inside: np.ndarray,
    *,
    echo_times: np.ndarray,
    imaging_frequency: float,
    fat_model: FatModel,
    sign: int,
    groups: EchoGroups | None,
) -> float:
    """Return how much more than by chance what the fit leaves over of neighbors points in one direction.

    It is 1 of four echoes and fewer, which leave no more than one direction. Arguments are those of
    `separation.separate`, its result, and the voxels with signal (K, J, I).
    """
    if len(echoes) <= EXACT_ECHOES + 1:
        return 1.0
    left = separation.residual * np.sqrt(sum(np.abs(echo) ** 2 for echo in echoes))
    count = np.maximum(ndimage.uniform_filter(inside.astype(np.float32), AROUND), 1e-3)
    around = ndimage.uniform_filter(np.where(inside, left, 0), AROUND) / count
    least = inside & (around <= np.median(around[inside])) if inside.any() else inside
    model = Model(np.asarray(echo_times, np.float64), fat_model.signal(echo_times, imaging_frequency))

    def rest(at, voxels):
        signal = np.stack([echo[at] for echo in echoes])
        if groups is not None:
            signal = groups.corrected(signal, positions_of(inside.shape, voxels))
        signal = signal if sign > 0 else signal.conj()
        if separation.gains is not None:
            signal = signal / separation.gains.gains[:, None]
        fitted = (getattr(separation, name)[at] for name in ("water", "fat", "field_hz", "r2star"))
        modelled = synthesize(*fitted, model)
        return (signal - modelled) * np.exp(-1j * np.angle(modelled))

    return _shared(rest, least, np.zeros(inside.shape, int), len(echoes) - EXACT_ECHOES)


def _shared(vectors: Callable, where: np.ndarray, parts: np.ndarray, directions: int) -> float:
    """Mean square of the cosine between differences of neighbors, without that of its mean, times the directions.

    Along the axis in which it is largest, in the part of the image in which it is least. It is 1, too, if there are too
    few voxels to tell.
    """
    rows = [_cosines(vectors, where, axis) for axis in range(3) if where.shape[axis] >= ROW]
    found = []
    for part in np.unique(parts):
        of_part = [cosine[parts.ravel()[voxels] == part] for cosine, voxels in rows]
        of_part = [cosine for cosine in of_part if cosine.size >= FEWEST]
        if of_part:
            found.append(max(float(np.mean(np.abs(one) ** 2) - np.abs(one.mean()) ** 2) for one in of_part))
    return directions * min(found) if found else 1.0


def _cosines(vectors, where, axis):
    """Complex cosines (V,) between differences of two neighbors and of the next two, and the first of these voxels."""
    along = np.moveaxis(where, axis, 0)
    count = len(along) - ROW + 1
    both = np.zeros_like(where)
    np.moveaxis(both, axis, 0)[:count] = np.all([along[n : n + count] for n in range(ROW)], axis=0)
    voxels = np.flatnonzero(both)
    voxels = voxels[np.linspace(0, voxels.size - 1, min(ROWS, voxels.size)).astype(int)]
    at = np.unravel_index(voxels, where.shape)
    four = []
    for n in range(ROW):
        beyond = tuple(index + n * (number == axis) for number, index in enumerate(at))
        four.append(vectors(beyond, np.ravel_multi_index(beyond, where.shape)))
    one, other = four[0] - four[1], four[2] - four[3]
    size = np.sqrt((np.abs(one) ** 2).sum(axis=0) * (np.abs(other) ** 2).sum(axis=0))
    return (one.conj() * other).sum(axis=0) / np.maximum(size, np.finfo(np.float32).tiny), voxels


METHOD = Method(
    shared_in_rest,
    title="Denoised echoes",
    solves="mean square of the cosine between differences of neighbors, in air and of what the fit leaves over",
    test="test_fieldmap_denoised.DenoisedTest",
)
