"""Slices whose signal is stored otherwise than that of their neighbors, and what undoes it."""

import numpy as np

from ..errors import counted

# Share of the signal that turns from slice to slice by half a turn before this is undone.
_ALTERNATING, _LEAST_VOXELS = -0.5, 100
# Voxels of a slice that are compared with those of its neighbors.
_VOXELS = 4096
# A slice is negated if this brings its phase nearer to that of either neighbor, and to their middle, in this share of
# the signal, and by so many standard errors, where it has this share of what slices have.
_NEARER, _SURE, _LEAST_SIGNAL = 0.2, 8.0, 0.3
_LISTED = 8


def undo_slices(echoes: np.ndarray, source: str) -> list[str]:
    """Undo, in place, what is stored otherwise from slice to slice, and say so.

    Parameters
    ----------
    echoes : (E, K, J, I) complex64 array
    source : str
        Name for messages.
    """
    notes = []
    if not np.all(np.isfinite(echoes)):  # which is told where the scan is checked
        return notes
    if undo_alternate_slices(echoes):
        notes.append(f"The phase of {source} turns by half a turn from slice to slice, which was undone.")
    turned = undo_conjugate_slices(echoes)
    if turned:
        which = ", ".join(str(number + 1) for number in turned[:_LISTED]) + (" …" if len(turned) > _LISTED else "")
        notes.append(
            f"In {counted(len(turned), 'slice')} of {source} ({which}) the phase runs the other way than in those "
            "beside; it was negated there. Compare the field in these slices with that of the others."
        )
    return notes


def undo_alternate_slices(echoes: np.ndarray) -> bool:
    """Undo, in place, a sign that alternates from slice to slice, and tell whether there was one.

    GE stores real and imaginary part of 3-D scans so (a transform along the slices whose origin is not in the middle).

    Parameters
    ----------
    echoes : (E, K, J, I) complex64 array
    """
    for axis in range(3):  # converters may interchange axes
        slices = np.moveaxis(echoes[0], axis, 0)
        turned, whole, count = 0.0, 0.0, 0
        for here, above in zip(slices[:-1], slices[1:], strict=True):
            product = here * above.conj()
            turned += float(product.real.sum(dtype=np.float64))
            whole += float(np.abs(product).sum(dtype=np.float64))
            count += product.size
        if count >= _LEAST_VOXELS and whole > 0 and turned <= _ALTERNATING * whole:
            np.moveaxis(echoes, axis + 1, 0)[1::2] *= -1
            return True
    return False


def undo_conjugate_slices(echoes: np.ndarray) -> list[int]:
    """Undo, in place, a phase that runs the other way in single slices or in every other one, and return in which.

    Which half of every other slice is right, the sign of the phase as a whole tells.

    Parameters
    ----------
    echoes : (E, K, J, I) complex64 array
    """
    for axis in range(3):
        stacks = np.moveaxis(echoes, axis + 1, 1)
        turned = _contrary(stacks) if min(stacks.shape[:2]) >= 3 else np.empty(0, int)
        if turned.size:
            for echo in stacks:
                echo[turned] = echo[turned].conj()
            return turned.tolist()
    return []


def _contrary(stacks):
    """Numbers of the slices that go on evenly between both slices beside them if they are conjugated alone.

    A field that is steep along the slices bends little, wherever it passes zero, and makes none of them contrary.
    """
    step = max(int(np.sqrt(stacks[0, 0].size / _VOXELS)), 1)
    some = stacks[:, :, ::step, ::step].reshape(*stacks.shape[:2], -1)
    # How the phase goes on from the first echo, over short and long times.
    course = np.concatenate([some[n] * some[0].conj() for n in sorted({1, len(some) // 2, len(some) - 1})], axis=1)
    size = np.abs(course)
    turn = course / np.maximum(size, np.finfo(np.float32).tiny)
    weight = np.sqrt(np.minimum(size[1:-1], np.minimum(size[:-2], size[2:])))
    below, own, above = turn[:-2], turn[1:-1], turn[2:]
    whole = weight.sum(axis=1)

    def gain(one, other):
        """By how much the second is nearer to the first if it is conjugated, and that in standard errors."""
        gained = -2 * weight * one.imag * other.imag
        return gained.sum(axis=1), gained.sum(axis=1) / np.sqrt((gained**2).sum(axis=1) + np.finfo(np.float32).tiny)

    bend, sure = gain(below * above, own**2)
    if bend.sum() > _NEARER * whole.sum():
        return np.arange(1, stacks.shape[1], 2)
    nearer = np.minimum(bend, np.minimum(gain(below, own)[0], gain(above, own)[0])) > _NEARER * whole
    return 1 + np.flatnonzero(nearer & (sure > _SURE) & (whole > _LEAST_SIGNAL * np.median(whole)))
