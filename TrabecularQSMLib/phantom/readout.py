"""How echoes are read out: in which direction and train, with gains of their own, and where fat appears.

Echo n of N trains that take turns belongs to train n mod N; in a bipolar read-out every other echo of a train is read
backwards.
"""

import numpy as np

from ..acquisition import GYROMAGNETIC_RATIO_HZ_PER_T
from ..fieldmap.fat_models import FAT_MODELS
from .settings import PhantomSettings

# Array axis (k, j, i) of the names.
AXES = {"k": 0, "j": 1, "i": 2}


def is_backward(settings: PhantomSettings, echo: int) -> bool:
    """Whether an echo, counted from 0, is read backwards."""
    return settings.readout == "bipolar" and echo // max(len(settings.train_offsets_rad), 1) % 2 == 1


def gain(settings: PhantomSettings, echo: int) -> np.ndarray | None:
    """Return what the signal of an echo is multiplied with, broadcastable to (K, J, I) complex64; None for nothing."""
    offset, slope, magnitude = 0.0, 0.0, 1.0
    if settings.train_offsets_rad:
        train = echo % len(settings.train_offsets_rad)
        offset, slope = settings.train_offsets_rad[train], settings.train_slopes_rad[train]
    if is_backward(settings, echo):
        offset, slope = offset + settings.readout_offset_rad, slope + settings.readout_slope_rad
        magnitude += settings.readout_magnitude
    if (offset, slope, magnitude) == (0.0, 0.0, 1.0):
        return None
    axis = AXES[settings.readout_axis]
    view = [1, 1, 1]
    view[axis] = -1
    x = np.linspace(-1, 1, settings.shape[::-1][axis]).reshape(view)
    return (magnitude * np.exp(1j * (offset + slope * x))).astype(np.complex64)


def peaks(settings: PhantomSettings, echo: int) -> list[tuple[complex, float]]:
    """Return the peaks of fat at an echo: complex amplitude, and by how many voxels each is displaced."""
    model = FAT_MODELS[settings.fat_model]
    direction = -1 if is_backward(settings, echo) else 1
    time, result = settings.echo_times[echo], []
    frequency = settings.field_strength * GYROMAGNETIC_RATIO_HZ_PER_T
    for ppm, amplitude in zip(model.shifts_ppm, model.amplitudes, strict=True):
        shift = ppm * 1e-6 * frequency
        phasor = amplitude * np.exp(2j * np.pi * shift * time)
        result.append((complex(phasor), direction * shift / settings.bandwidth_hz))
    return result


def displaced(points: np.ndarray, factor: int, axis: int, spectrum) -> np.ndarray:
    """Return the sum over voxels of the signal of points when each peak appears displaced.

    Parameters
    ----------
    points : (K, J, I) complex array
        Sums over the points of a voxel along two axes, and single points along `axis`.
    factor : int
        Points per voxel along `axis`.
    spectrum : list of (complex, float)
        As `peaks` returns.

    Notes
    -----
    A voxel takes from the interval it covers, displaced the other way; a point fills its place evenly. What would come
    from beyond the image is not there.
    """
    moved = np.moveaxis(points, axis, 0)
    count = moved.shape[0]
    sums = np.zeros((count + 1, *moved.shape[1:]), np.complex128)
    np.cumsum(moved, axis=0, out=sums[1:])
    edges, total = np.arange(0, count + 1, factor), 0
    for amplitude, voxels in spectrum:
        at = edges - voxels * factor
        low = np.floor(at).astype(int)
        share = (at - low).reshape(-1, 1, 1)
        below, above = (sums[np.clip(low + step, 0, count)] for step in (0, 1))
        total = total + amplitude * np.diff((1 - share) * below + share * above, axis=0)
    return np.moveaxis(total, 0, axis)
