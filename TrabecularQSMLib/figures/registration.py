"""Picture of a registration: both images and their checkerboard in three planes."""

import numpy as np

from ..analysis.agreement import checkerboard
from .maps import Panel, View, panels_figure

TILES = 12
PLANES = ("sagittal", "coronal", "axial")


def checkerboard_figure(
    fixed: np.ndarray, moving: np.ndarray, affine: np.ndarray, picture_format: str = "png"
) -> bytes:
    """Return a picture of two images (K, J, I) on one grid, apart and in alternate tiles.

    The slices go through the middle of where the second image shows something; its tiles are dark beyond it, where it
    has its lowest value.

    Raises
    ------
    InputError
        If the shapes differ or matplotlib is missing.
    """
    shown = [np.flatnonzero(np.ptp(moving, axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    voxel = tuple(int(n.mean()) if n.size else moving.shape[axis] // 2 for axis, n in enumerate(shown))
    # All as in the checkerboard, from 0 to 1: the two have no unit in common.
    pairs = {"Fixed": (fixed, fixed), "Moving": (moving, moving), "Both": (fixed, moving)}
    row = [Panel(title, checkerboard(*pair, TILES), (0.0, 1.0)) for title, pair in pairs.items()]
    return panels_figure([row], View(affine, PLANES, voxel), picture_format)
