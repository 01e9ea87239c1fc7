"""Rigid registration of two images by points that were set on both."""

import numpy as np

from ..errors import InputError, counted
from ..methods import Method


def register_landmarks(fixed_points: np.ndarray, moving_points: np.ndarray) -> tuple[np.ndarray, float]:
    """Find the rigid motion that brings pairs of points closest to each other.

    Parameters
    ----------
    fixed_points, moving_points : (N, 3) arrays
        The same places in both images, in the same order, RAS mm.

    Returns
    -------
    matrix : (4, 4) array
        Maps RAS points of the fixed image to RAS points of the moving image.
    rms_mm : float
        Root mean square of the distances that are left.

    Raises
    ------
    InputError
        If the numbers differ, there are fewer than three, or they lie on a line.

    Notes
    -----
    Least squares by the singular value decomposition of Kabsch (1976, doi 10.1107/S0567739476001873).
    """
    fixed, moving = (np.asarray(points, np.float64).reshape(-1, 3) for points in (fixed_points, moving_points))
    if len(fixed) != len(moving):
        raise InputError(
            f"The fixed image has {counted(len(fixed), 'landmark')} and the moving one {len(moving)}; set pairs."
        )
    if len(fixed) < 3:
        raise InputError(
            f"{counted(len(fixed), 'pair')} of landmarks cannot do; set at least three that are not on a line."
        )
    centers = fixed.mean(axis=0), moving.mean(axis=0)
    for points, center in zip((fixed, moving), centers, strict=True):
        spread = np.linalg.svd(points - center, compute_uv=False)
        if not spread[1] > 1e-3 * spread[0]:
            raise InputError("The landmarks lie on a line or at one place; set one of them aside of it.")
    left, _, right = np.linalg.svd((moving - centers[1]).T @ (fixed - centers[0]))
    turn = left @ np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right))]) @ right
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = turn, centers[1] - turn @ centers[0]
    rest = fixed @ turn.T + matrix[:3, 3] - moving
    return matrix, float(np.sqrt((rest**2).sum(axis=1).mean()))


METHOD = Method(
    register_landmarks,
    title="Rigid registration of landmarks",
    solves="Σ |R x + t − y|² over rotation and shift",
    test="test_analysis_registration.LandmarksTest",
    reference="Kabsch 1976, doi 10.1107/S0567739476001873",
)
