"""Whether noise was taken off the echoes by principal components, which leaves the rest of it alike in neighbors.

Noise of one echo knows nothing of that of another, whatever was done to each image: filters, zero filling, parallel
imaging or a combination of coils. So the echoes of two voxels without signal, as vectors, point in directions that
chance has chosen, or alike everywhere. The components that are kept of a patch are those of all its voxels.
"""

import numpy as np

from ..methods import Method

# Neighbors so many voxels apart are compared: nearer ones share what zero filling does, and patches are larger.
APART = 2
# So many pairs along an axis are enough, and so many of a part of the image (one of eight) have a say.
PAIRS, FEWEST = 40_000, 400


def shared_directions(echoes: np.ndarray, dark: np.ndarray) -> float:
    """Return how much more than by chance the echoes of dark neighbors point in one direction, 1 by chance.

    It is the mean square of the cosine between both, without the square of its mean, over one part in the number of
    echoes; along the axis in which it is largest, in the part of the image in which it is least: ghosts and what else
    is no noise seldom lie in all of the air. It is 1, too, if there is too little air to tell.

    Parameters
    ----------
    echoes : (E, K, J, I) complex array
    dark : (K, J, I) bool array
        Voxels that hold noise alone.
    """
    pairs = [_cosines(echoes, dark, axis) for axis in range(3) if dark.shape[axis] > APART]
    found = []
    for part in range(8):
        of_part = [cosine[where == part] for cosine, where in pairs]
        of_part = [cosine for cosine in of_part if cosine.size >= FEWEST]
        if of_part:
            found.append(max(float(np.mean(np.abs(one) ** 2) - np.abs(one.mean()) ** 2) for one in of_part))
    return len(echoes) * min(found) if found else 1.0


def _cosines(echoes, dark, axis):
    """Complex cosines (V,) between the echoes of dark voxels and of those further along an axis, and in which part."""
    both = np.zeros_like(dark)
    here, there = (np.moveaxis(array, axis, 0) for array in (both, dark))
    here[:-APART] = there[:-APART] & there[APART:]
    voxels = np.flatnonzero(both)
    voxels = voxels[np.linspace(0, voxels.size - 1, min(PAIRS, voxels.size)).astype(int)]
    at = np.unravel_index(voxels, dark.shape)
    beyond = tuple(index + APART * (number == axis) for number, index in enumerate(at))
    one, other = (np.stack([echo[where] for echo in echoes]) for where in (at, beyond))
    size = np.sqrt((np.abs(one) ** 2).sum(axis=0) * (np.abs(other) ** 2).sum(axis=0))
    part = sum((2 * index >= n) << number for number, (index, n) in enumerate(zip(at, dark.shape, strict=True)))
    return (one.conj() * other).sum(axis=0) / np.maximum(size, np.finfo(np.float32).tiny), part


METHOD = Method(
    shared_directions,
    title="Denoised echoes",
    solves="mean square of the cosine between the echoes of neighbors in air, over that of independent noise",
    test="test_fieldmap_denoised.DenoisedTest",
)
