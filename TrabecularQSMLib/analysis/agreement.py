"""What shows how well two images, or two registrations of them, agree."""

import numpy as np

from ..errors import InputError


def largest_displacement(matrix: np.ndarray, other: np.ndarray, points: np.ndarray) -> float:
    """Return the largest distance in mm between where two matrices (4, 4) put points (N, 3)."""
    difference = np.asarray(matrix, np.float64) - other
    return float(np.linalg.norm(np.asarray(points) @ difference[:3, :3].T + difference[:3, 3], axis=1).max())


def checkerboard(fixed: np.ndarray, moving: np.ndarray, tiles: int = 8) -> np.ndarray:
    """Return two images (K, J, I) on one grid in alternate cubes, each scaled to 0–1: edges must go on across tiles.

    `tiles` is the number of cubes along the longest axis. Where an image holds NaN, such as beyond its field of view,
    its cubes are dark. `InputError` if their shapes differ.
    """
    if fixed.shape != moving.shape:
        raise InputError(f"The images have shapes {fixed.shape} and {moving.shape}; resample one to the other's grid.")
    size = max(1, -(-max(fixed.shape) // tiles))
    odd = sum(np.arange(n).reshape(np.roll((-1, 1, 1), axis)) // size for axis, n in enumerate(fixed.shape)) % 2
    return np.where(odd == 0, _scaled(fixed), _scaled(moving))


def _scaled(image):
    known = np.isfinite(image)
    low, high = np.percentile(image[known], (0.5, 99.5)) if known.any() else (0.0, 1.0)
    return np.where(known, np.clip((image - low) / max(high - low, 1e-30), 0, 1), 0).astype(np.float32)
