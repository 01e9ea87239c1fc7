"""Picture of a registration: both images and their checkerboard in three planes."""

import numpy as np

from ..analysis.agreement import checkerboard
from .maps import map_figure

TILES = 12
PLANES = ("sagittal", "coronal", "axial")


def checkerboard_figure(fixed: np.ndarray, moving: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Return an RGB picture (rows, columns, 3) of two images (K, J, I) on one grid, apart and in alternate tiles.

    The slices go through the middle of where the second image shows something.
    """
    shown = [np.flatnonzero(np.ptp(moving, axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    voxel = tuple(int(n.mean()) if n.size else moving.shape[axis] // 2 for axis, n in enumerate(shown))
    # All as in the checkerboard, from 0 to 1: Hounsfield units begin below zero, where a figure's window begins.
    pairs = {"Fixed": (fixed, fixed), "Moving": (moving, moving), "Both": (fixed, moving)}
    images = {title: checkerboard(*pair, TILES) for title, pair in pairs.items()}
    rows = [map_figure(images, affine, plane=plane, voxel=voxel) for plane in PLANES]
    width = max(row.shape[1] for row in rows)
    filled = [np.full((row.shape[0], width, 3), row[0, 0], np.uint8) for row in rows]
    for target, row in zip(filled, rows, strict=True):
        target[:, : row.shape[1]] = row
    return np.concatenate(filled)
