"""The grid on which the inversion is solved: the mask's box, padded to sizes that the FFT likes."""

from dataclasses import dataclass

import numpy as np
import scipy.fft

from ..methods import Method


@dataclass(frozen=True)
class Grid:
    """A box of an image, possibly reaching beyond it.

    `inside` are the slices of the image that the box covers, `before` and `after` the samples added on each side.
    `leaves` tells, for the first and the last plane of each axis, whether the mask reaches that of the image: the body
    goes on there.
    """

    image_shape: tuple[int, int, int]
    inside: tuple[slice, slice, slice]
    before: tuple[int, int, int]
    after: tuple[int, int, int]
    leaves: tuple[tuple[bool, bool], ...]

    @classmethod
    def around(cls, mask: np.ndarray, padding: int | tuple[int, int, int] = 0) -> "Grid":
        """Return the box of a mask that is not empty, at least `padding` samples (of each axis) wider on every side."""
        inside, before, after, leaves = [], [], [], []
        for axis, (n, wider) in enumerate(zip(mask.shape, np.broadcast_to(padding, 3).tolist(), strict=True)):
            used = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
            leaves.append((bool(used[0] == 0), bool(used[-1] == n - 1)))
            low, high = int(used[0]) - wider, int(used[-1]) + 1 + wider
            spare = scipy.fft.next_fast_len(high - low, real=True) - (high - low)
            low, high = low - spare // 2, high + spare - spare // 2
            inside.append(slice(max(low, 0), min(high, n)))
            before.append(max(-low, 0))
            after.append(max(high - n, 0))
        return cls(mask.shape, tuple(inside), tuple(before), tuple(after), tuple(leaves))

    def put(self, array: np.ndarray, fill: float = 0.0, *, goes_on: bool = False) -> np.ndarray:
        """Return the part of an image, or of one along each axis, on this grid, `fill` beyond the image.

        `goes_on`: what leaves the image goes on beyond it as in its last plane.
        """
        widths = [(0, 0)] * (array.ndim - 3) + list(zip(self.before, self.after, strict=True))
        result = np.pad(array[(..., *self.inside)], widths, constant_values=fill)
        for axis in range(3) if goes_on else ():
            planes, (first, last) = np.moveaxis(result, array.ndim - 3 + axis, 0), self.leaves[axis]
            own = slice(self.before[axis], len(planes) - self.after[axis])
            if first:
                planes[: own.start] = planes[own.start]
            if last:
                planes[own.stop :] = planes[own.stop - 1]
        return result

    def take(self, array: np.ndarray) -> np.ndarray:
        """Return an image that holds an array of this grid, zero outside the box."""
        result = np.zeros(self.image_shape, array.dtype)
        kept = tuple(slice(b, n - a) for b, a, n in zip(self.before, self.after, array.shape, strict=True))
        result[self.inside] = array[kept]
        return result


METHOD = Method(
    Grid.around,
    title="Grid of the inversion",
    solves="the box of the mask, padded, of sizes that the FFT likes; what leaves the image goes on beyond it",
    test="test_inversion.GridTest",
    options={"padding": "padding"},
)
