"""Slices whose signal is stored otherwise than that of their neighbors, and what undoes it."""

import numpy as np

from ..chunks import run_chunks
from ..errors import counted

# Share of the signal that turns from slice to slice by half a turn before this is undone.
_ALTERNATING, _LEAST_VOXELS = -0.5, 100
# Voxels of a slice that are compared with those of its neighbors.
_VOXELS = 4096
# A slice is negated if this brings its phase nearer to that of either neighbor, and to their middle, in this share of
# the signal, and by so many standard errors, where it has this share of what slices have; so is every other one.
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
    alternating = undo_alternate_slices(echoes)
    if alternating:
        notes.append(
            f"The phase of {_of_echoes(alternating, len(echoes), source)} turns by half a turn from slice to slice, "
            "which was undone."
        )
    for turned, numbers in undo_conjugate_slices(echoes).items():
        which = ", ".join(str(number + 1) for number in turned[:_LISTED]) + (" …" if len(turned) > _LISTED else "")
        notes.append(
            f"In {counted(len(turned), 'slice')} of {_of_echoes(numbers, len(echoes), source)} ({which}) the phase "
            "runs the other way than in those beside; it was negated there. Compare the field in these slices with "
            "that of the others."
        )
    return notes


def _of_echoes(numbers: list[int], count: int, source: str) -> str:
    if len(numbers) == count:
        return source
    return f"{'echoes' if len(numbers) > 1 else 'echo'} {', '.join(str(n + 1) for n in numbers)} of {source}"


def undo_alternate_slices(echoes: np.ndarray) -> list[int]:
    """Undo, in place, a sign that alternates from slice to slice, and return the numbers of the echoes that had it.

    GE stores real and imaginary part of 3-D scans so (a transform along the slices whose origin is not in the middle).

    Parameters
    ----------
    echoes : (E, K, J, I) complex64 array
    """
    for axis in range(3):  # converters may interchange axes
        stacks = np.moveaxis(echoes, axis + 1, 1)
        some = _some(stacks)
        # From echo to echo, since over the time to a late one the field itself may turn by half a turn a slice.
        changes = [_alternates(some[0]), *(_alternates(b * a.conj()) for a, b in zip(some[:-1], some[1:], strict=True))]
        turned = np.flatnonzero(np.cumsum(changes) % 2).tolist()
        if turned:
            for number in turned:
                stacks[number, 1::2] *= -1
            return turned
    return []


def _alternates(slices: np.ndarray) -> bool:
    """Return whether the signal (S, V) turns by half a turn from slice to slice."""
    product = slices[:-1] * slices[1:].conj()
    whole = float(np.abs(product).sum(dtype=np.float64))
    turned = float(product.real.sum(dtype=np.float64))
    return product.size >= _LEAST_VOXELS and whole > 0 and turned <= _ALTERNATING * whole


def undo_conjugate_slices(echoes: np.ndarray) -> dict[tuple[int, ...], list[int]]:
    """Undo, in place, a phase that runs the other way in single slices or in every other one, of all echoes or some.

    Return the numbers of the echoes in which it did, by those of the slices. Which half of every other slice is right,
    the sign of the phase as a whole tells.

    Parameters
    ----------
    echoes : (E, K, J, I) complex64 array
    """
    for axis in range(3):
        stacks = np.moveaxis(echoes, axis + 1, 1)
        if min(stacks.shape[:2]) < 3:
            continue
        some = _some(stacks)
        # How the phase goes on from the first echo, over short and long times; then that of each echo.
        course = np.concatenate([some[n] * some[0].conj() for n in sorted({1, len(some) // 2, len(some) - 1})], axis=1)
        found: dict[tuple[int, ...], list[int]] = {}
        for signal, numbers in ((course, [*range(len(some))]), *((echo, [n]) for n, echo in enumerate(some))):
            if turned := _contrary(signal):
                found.setdefault(turned, []).extend(numbers)
                for number in numbers:
                    for echoes_at in (stacks[number], some[number]):
                        echoes_at[[*turned]] = echoes_at[[*turned]].conj()
        if found:
            return found
    return {}


def _some(stacks):
    """Some voxels (E, S, V) of each slice, of which products are finite."""
    step = max(int(np.sqrt(stacks[0, 0].size / _VOXELS)), 1)
    some = np.empty(stacks[:, :, ::step, ::step].shape, stacks.dtype)

    def work(numbers):
        some[numbers] = stacks[numbers, :, ::step, ::step]

    run_chunks(work, len(stacks), 1)
    some = some.reshape(*some.shape[:2], -1)
    some /= np.abs(some.view(some.real.dtype)).max(initial=0) or 1
    return some


def _contrary(signal: np.ndarray) -> tuple[int, ...]:
    """Return the slices of a signal (S, V) that go on evenly between both beside them if they are conjugated alone.

    A field that is steep along the slices bends little, wherever it passes zero, and makes none of them contrary.
    """
    size = np.abs(signal)
    turn = signal / np.maximum(size, np.finfo(np.float32).tiny)
    weight = np.sqrt(np.minimum(size[1:-1], np.minimum(size[:-2], size[2:])))
    below, own, above = turn[:-2], turn[1:-1], turn[2:]
    whole = weight.sum(axis=1)

    def gain(one, other):
        """By how much each voxel of the second is nearer to the first if it is conjugated."""
        return -2 * weight * one.imag * other.imag

    def sure(gained, axis=None):
        return gained.sum(axis) > _SURE * np.sqrt((gained**2).sum(axis))

    bend = gain(below * above, own**2)
    if bend.sum() > _NEARER * whole.sum() and sure(bend):
        return tuple(range(1, len(signal), 2))
    nearer = np.min([one.sum(axis=1) for one in (bend, gain(below, own), gain(above, own))], axis=0) > _NEARER * whole
    turned = 1 + np.flatnonzero(nearer & sure(bend, 1) & (whole > _LEAST_SIGNAL * np.median(whole)))
    return tuple(turned.tolist())
