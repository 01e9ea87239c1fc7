"""Slices whose signal is stored otherwise than that of their neighbors, and what undoes it."""

from functools import partial

import numpy as np

from ..chunks import run_chunks, run_slabs
from ..errors import counted

# Share of the signal that turns from slice to slice by half a turn before this is undone.
_ALTERNATING, _LEAST_VOXELS = -0.5, 100
# Voxels of a slice that are compared with those of its neighbors.
_VOXELS = 4096
# A slice is negated if this brings its phase nearer to that of either neighbor, and to their middle, in this share of
# the signal, and by so many standard errors, where it has this share of what slices have; so is every other one.
# Where a field at 7 T bends, a slice of a right scan is nearer in 0.22. Negated, it goes on by so much of how evenly
# the slice in the middle does: one that noise bends in 0.255 by 0.3.
_NEARER, _SURE, _LEAST_SIGNAL, _AS_EVEN = 0.25, 8.0, 0.3, 0.6
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
    beside = slices[1:]
    sums = run_slabs(partial(_going_on, slices), beside.shape) if beside.size >= _LEAST_VOXELS else [(0, 0)]
    whole, same = np.sum(sums, axis=0)
    return whole > 0 and same <= _ALTERNATING * whole


def _going_on(signal, slices):
    """Sums over some slices and those that follow: of the products of sizes, and what of it goes on in phase."""
    own, beside = (signal[slices.start + n : slices.stop + n] for n in (0, 1))
    return np.abs(own).ravel() @ np.abs(beside).ravel(), np.vdot(own, beside).real


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
    """Some voxels (E, S, V) of each slice, spread over it, of which products are finite."""
    spare = max(stacks[0, 0].size / _VOXELS, 1)
    rows = int(np.sqrt(spare))
    columns = int(spare / rows)
    some = np.empty(stacks[:, :, ::rows, ::columns].shape, stacks.dtype)

    def work(numbers):
        some[numbers] = stacks[numbers, :, ::rows, ::columns]

    run_chunks(work, len(stacks), 1)
    some = some.reshape(*some.shape[:2], -1)
    some /= np.abs(some.view(some.real.dtype)).max(initial=0) or 1
    return some


def _contrary(signal: np.ndarray) -> tuple[int, ...]:
    """Return the slices of a signal (S, V) that go on evenly between both beside them if they are conjugated alone.

    A field that is steep along the slices bends little, wherever it passes zero, and makes none of them contrary.
    """
    sums = np.concatenate(run_slabs(partial(_gained, signal), signal[1:-1].shape), axis=1)
    whole, square, even, bend, *sides = sums
    if bend.sum() > max(_NEARER * whole.sum(), _SURE * np.sqrt(square.sum())):
        return tuple(range(1, len(signal), 2))
    nearer = np.min([bend, *sides], axis=0) > _NEARER * whole
    sure = bend > _SURE * np.sqrt(square)
    strong = whole > _LEAST_SIGNAL * np.median(whole)
    usual = np.median(even[strong] / whole[strong]) if strong.any() else 0.0
    return tuple((1 + np.flatnonzero(nearer & sure & strong & (even + bend > _AS_EVEN * usual * whole))).tolist())


def _gained(signal, slices):
    """What some slices but the first and the last gain if they are conjugated: sums over voxels, (6, slices).

    Of the weights; of the squares of the fourth; how near the slice is to the middle between those beside; and by how
    much it is nearer to the middle, to the one below, and to the one above.
    """
    signal = signal[slices.start : slices.stop + 2]
    size = np.abs(signal)
    weight = np.sqrt(np.minimum(size[1:-1], np.minimum(size[:-2], size[2:])))
    np.maximum(size, np.finfo(np.float32).tiny, out=size)
    real, imag = signal.real / size, signal.imag / size
    own = -2 * weight * imag[1:-1]
    below, above = own * imag[:-2], own * imag[2:]
    # The middle counts twice the angle: Re(below · above) Re(own²) ± Im(below · above) Im(own²).
    own *= 2 * real[1:-1]
    bend = own * (real[:-2] * imag[2:] + imag[:-2] * real[2:])
    even = weight * (2 * real[1:-1] ** 2 - 1) * (real[:-2] * real[2:] - imag[:-2] * imag[2:]) - bend / 2
    return np.array([one.sum(axis=1, dtype=np.float64) for one in (weight, bend**2, even, bend, below, above)])
