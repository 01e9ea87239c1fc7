"""Echoes that lie elsewhere than the others: what the fit leaves over of them follows the gradient of the signal.

A signal that was moved by d is the signal less d times its gradient, to first order; one that was turned, less what
turning changes at each place. What the fit leaves over does not follow the gradient otherwise, whatever water, fat and
R2* do from place to place: each voxel is fitted on its own. The fit takes a part of it for field, fat and R2*, so that
what is found is smaller than the true way.
"""

from dataclasses import dataclass

import numpy as np

from ..methods import Method
from .contradiction import LeftOver
from .kind import seen
from .search import FINEST_MISFIT

# So many voxels are too far, by so many standard errors: half a voxel back and forth from echo to echo leaves no more
# where it looks like the beat of fat. Noise leaves 0.03 at most, at 3.3 standard errors.
FAR, SURE = 0.04, 8.0
# A bipolar read-out that displaces fat by 0.2 voxels to either side leaves 0.05, and does no harm.
FAR_BIPOLAR = 0.06
# Slices with a scale of their own of 20 % leave 0.06 across them; farther is no error of slices.
BEYOND_SLICES = 0.1
# Along an axis of fewer voxels nothing is told.
FEWEST = 3


@dataclass(frozen=True)
class Displacement:
    """The echoes, counted from 1, that lie elsewhere along an axis (0 to 2), or are `turned` about it.

    `voxels` is how far the farthest lies at least (where turned, as a root mean square over the image), and `errors`
    that in standard errors.
    """

    echoes: tuple[int, ...]
    axis: int
    voxels: float
    errors: float
    turned: bool = False


def find_displacement(echoes: np.ndarray, left_over: LeftOver) -> Displacement | None:
    """Return which echoes lie elsewhere than the others, or None.

    Parameters
    ----------
    echoes : (E, K, J, I) complex array
    left_over : LeftOver
        What the fit leaves over of voxels of them, from `left_over`.
    """
    sample, kind, size, rest = left_over.sample, left_over.kind, left_over.size, left_over.rest
    axes = [axis for axis in range(3) if sample.shape[axis] >= FEWEST]
    if not axes:
        return None
    weight, along_model = left_over.weight, left_over.modelled.conj() / np.maximum(size, np.finfo(np.float32).tiny)
    changes = {axis: seen(_change(echoes, sample, axis), sample, kind) * along_model for axis in axes}
    # Ways 0 to 2 are moves along the axes, 3 to 5 turns about them.
    changes |= {3 + axis: by for axis in range(3) if (by := _turning(changes, sample, axis)) is not None}
    ways, changes = [*changes], np.stack([*changes.values()])
    # What an echo has in common, or changes linearly over the image, is no way: gains, and what a read-out adds.
    smooth = np.stack([unit * place for unit in (1, 1j) for place in (np.ones_like(size[0]), *sample.positions)])
    voxels, errors = np.zeros((2, sample.echoes, 6))
    for number, left in enumerate(rest):
        found = _way(left, np.concatenate([changes[:, number], size[number] * smooth]), weight)
        voxels[number, ways], errors[number, ways] = (one[: len(ways)] for one in found)
    far = np.abs(voxels) * (np.abs(errors) > SURE)
    number, way = np.unravel_index(far.argmax(), far.shape)
    if far[number, way] <= (FAR_BIPOLAR if kind.bipolar else FAR):
        return None
    # From the others the fit takes a part of the way, so that they seem to lie elsewhere, too.
    moved = np.flatnonzero(far[:, way] > 0.5 * far[number, way]) + 1
    return Displacement(
        tuple(moved.tolist()), int(way % 3), float(far[number, way]), float(abs(errors[number, way])), bool(way >= 3)
    )


def _change(echoes, sample, axis):
    """Change of the echoes (E, V) per voxel along an axis."""
    places = [sample.index(n) for n in range(3)]
    here, ends = places[axis], []
    for step in (1, -1):
        places[axis] = np.clip(here + step, 0, sample.shape[axis] - 1)
        ends.append(np.stack([echo[tuple(places)] for echo in echoes]))
    return (ends[0] - ends[1]) / 2


def _turning(changes, sample, axis):
    """Change of the echoes (E, V) by turning about an axis, by a voxel as a root mean square; None if it has no plane.

    Voxels are taken for cubes: others would be turned and sheared.
    """
    one, other = (n for n in range(3) if n != axis)
    if one not in changes or other not in changes:
        return None
    along_one, along_other = (place - place.mean() for place in (sample.index(one), sample.index(other)))
    reach = np.sqrt(np.mean(along_one**2 + along_other**2))
    return (along_one * changes[other] - along_other * changes[one]) / max(reach, 1.0)


def _way(left, changes, weight):
    """Voxels (A,) by which an echo lies off, and that in standard errors, from its changes (A, V) by some ways."""
    square = ((changes.conj() * weight) @ changes.T).real
    square += FINEST_MISFIT * np.trace(square) * np.eye(len(square)) + np.finfo(np.float32).tiny * np.eye(len(square))
    voxels = -np.linalg.solve(square, ((changes.conj() * weight) @ left).real)
    score = weight * (changes.conj() * (left + voxels @ changes)).real
    errors = np.sqrt(np.diag(np.linalg.inv(square)) ** 2 * (score**2).sum(axis=1))
    return voxels, voxels / np.maximum(errors, np.finfo(np.float32).tiny)


METHOD = Method(
    find_displacement,
    title="Echoes that lie elsewhere",
    solves="the way, or the turn, by which what the fit leaves over of an echo follows the gradient of the signal",
    test="test_fieldmap_displacement.DisplacementTest",
)
