"""Whether regions lie on what they were drawn on: what they hold would vary far less some millimeters beside."""

from collections.abc import Mapping, Sequence

import numpy as np

# How far regions are moved, in steps of so many mm, to look whether they fit better.
_REACH_MM, _STEP_MM = 15.0, 3.0
# So many voxels of a region tell its spread; fewer than the latter tell nothing.
_SAMPLES, _FEWEST = 2000, 50
# They fit better where they spread by less than this share, and their medians change by less than that share of it: in
# another tissue, such as muscle, they spread less as well.
_LESS, _SAME_TISSUE = 0.5, 0.5


def on_place(image: np.ndarray, labels: np.ndarray, names: Mapping[int, str], voxel_size: Sequence[float]) -> list[str]:
    """Say if all regions together would hold one tissue each where they are moved by some millimeters.

    A transform that is off by more than the thickness of cortex brings cortex, joints and muscle into regions of
    marrow. Where they lie right, or in one tissue that is the wrong one, no place beside is better.

    Parameters
    ----------
    image : (K, J, I) array
        Such as a CT or bSSFP; voxels that are not a number were not measured.
    labels : (K, J, I) int array
        Region of each voxel, 0 for none.
    names : mapping of int to str
        Label to region name.
    voxel_size : (3,) sequence
        mm along k, j and i.

    Returns
    -------
    list of str
        One note, or none.
    """
    places = [_some(np.argwhere(labels == label)) for label in names]
    places = [one for one in places if len(one) >= _FEWEST]
    if not places:
        return []
    medians, spread = _medians_and_spread(image, places)
    best, distance = spread, 0.0
    for shift in _shifts(voxel_size):
        moved = [one + shift for one in places]
        if any(one.min() < 0 or np.any(one.max(axis=0) >= image.shape) for one in moved):
            continue
        its_medians, its_spread = _medians_and_spread(image, moved)
        if its_spread < best and np.all(np.abs(its_medians - medians) < _SAME_TISSUE * spread):
            best, distance = its_spread, float(np.linalg.norm(shift * voxel_size))
    if not best < _LESS * spread:
        return []
    return [
        f"What the regions hold varies by {spread:.3g} (standard deviation), by {best:.3g} where they are moved by "
        f"{distance:.0f} mm: they reach into cortex, joints or soft tissue; check the transform and the drawing."
    ]


def _some(places):
    return places[:: max(len(places) // _SAMPLES, 1)]


def _shifts(voxel_size):
    """Steps in voxels within reach, each once."""
    steps = np.arange(-_REACH_MM, _REACH_MM + 0.5 * _STEP_MM, _STEP_MM)
    shifts = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    shifts = shifts[np.linalg.norm(shifts, axis=1) <= _REACH_MM]
    return np.unique(np.round(shifts / np.asarray(voxel_size)).astype(int), axis=0)


def _medians_and_spread(image, places):
    """Median of each region, and the standard deviation around them of all; infinite where something is no number."""
    values = [image[tuple(one.T)].astype(np.float64) for one in places]
    medians = np.array([np.median(one) for one in values])
    squares = np.concatenate([(one - median) ** 2 for one, median in zip(values, medians, strict=True)])
    spread = float(np.sqrt(squares.mean()))
    return medians, spread if np.isfinite(spread) else np.inf
