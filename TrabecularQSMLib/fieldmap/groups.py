"""Groups of echoes with gains of their own: those of one direction of the read-out, or of one interleaved train."""

from dataclasses import dataclass

import numpy as np

from .signal import common_spacing

# Phases between groups below this (rad) are those of hardware, and not of a field that is off by their period.
LARGE_PHASE = 0.4
# Groups whose phases have no slope (rad) may be errors of single echoes, if they have fewer echoes than these.
SMALL_SLOPE = 0.1
FEWEST_OF_GROUP = 3
# Errors of single echoes of 5 % leave phases of 0.07 rad between groups, those of 10 % up to 0.21, and slopes of 0.05.
LARGEST_BY_ERRORS = 0.25


@dataclass(frozen=True)
class EchoGroups:
    """Groups of echoes with gains of their own.

    `group` (E,) numbers them, and the first is the reference. Echoes of group g hold, besides the signal, the gain
    ``exp(magnitude[g] + i (offset[g] + slope[g] · x))`` for x from −1 to 1 along each array axis; `slope` is (G, 3).
    """

    group: np.ndarray
    offset: np.ndarray
    slope: np.ndarray
    magnitude: np.ndarray

    def take_off(self, echo: int, signal: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Return the signal (V,) of echo number `echo` at positions (3, V) without its gain."""
        g = self.group[echo]
        if g == 0:
            return signal
        phase = np.float32(self.offset[g]) + self.slope[g].astype(np.float32) @ positions
        return signal * np.exp(np.float32(-self.magnitude[g]) - 1j * phase)

    def corrected(self, signal: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Return echoes (E, V) at positions (3, V) without their gains."""
        return np.stack([self.take_off(n, echo, positions) for n, echo in enumerate(signal)])

    def conjugate(self) -> "EchoGroups":
        """Return the groups of the conjugated echoes."""
        return EchoGroups(self.group, -self.offset, -self.slope, self.magnitude)

    def period_hz(self, echo_times: np.ndarray) -> float:
        """Period in Hz of the field as a whole: that of one group, if large phases take up what is between groups."""
        if np.abs(self.offset).max() < LARGE_PHASE:
            return 1 / common_spacing(echo_times)
        own = [echo_times[self.group == g] for g in range(int(self.group.max()) + 1)]
        return max(1 / common_spacing(times) for times in own if times.size > 1)

    @property
    def beyond_errors(self) -> bool:
        """Whether phases or their slopes are larger than those that errors of single echoes leave between groups."""
        return bool(np.abs(self.offset).max() > LARGEST_BY_ERRORS or not self.without_slope)

    @property
    def without_slope(self) -> bool:
        """Whether the phases are the same all over the image, as errors of single echoes are."""
        return bool(np.abs(self.slope).max() < SMALL_SLOPE)

    @property
    def in_pairs(self) -> bool:
        """Whether groups of two echoes, without slope, are among them."""
        return self.without_slope and bool(np.bincount(self.group).min() < FEWEST_OF_GROUP)

    @property
    def size(self) -> float:
        """The largest phase in radians, or change of magnitude."""
        return float(max(np.abs(part).max() for part in (self.offset, self.slope, self.magnitude)))


def positions_of(shape, voxels: np.ndarray | None = None) -> np.ndarray:
    """Return coordinates (3, V) from −1 to 1 along the axes, of all or some voxels; 0 along an axis of one."""
    indices = np.unravel_index(np.arange(np.prod(shape)) if voxels is None else voxels, shape)
    return np.stack([(2 * i - (n - 1)) / max(n - 1, 1) for i, n in zip(indices, shape, strict=True)]).astype(np.float32)


def echo_groups(echoes: int, bipolar: bool, trains: int) -> np.ndarray:
    """Return the group of each echo: by train, taken in turn, and within a train by the direction of read-out."""
    n = np.arange(echoes)
    return n % trains * (1 + bipolar) + (n // trains % 2 if bipolar else 0)
