"""Values of an image along a line."""

import numpy as np
from scipy.ndimage import map_coordinates

from ..acquisition import voxel_size
from ..errors import InputError, counted
from ..methods import Method


def line_profile(
    image: np.ndarray, affine: np.ndarray, points: np.ndarray, *, step: float | None = None, order: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of an image along a line through points (the paper's Fig. 3).

    Parameters
    ----------
    image : (K, J, I) array
        Real values.
    affine : (4, 4) array
        Voxel indices (i, j, k) to RAS in mm.
    points : (N, 3) array
        Corners of the line in RAS, mm.
    step : float, optional
        Distance of samples in mm; by default half of the smallest voxel edge. It is shortened so that the last sample
        is the last point.
    order : int
        Of the interpolation: 0 nearest, 1 linear, 3 cubic spline.

    Returns
    -------
    distance : (M,) array
        Along the line from its first point, mm.
    values : (M,) array
        NaN where the line is outside of the image.

    Raises
    ------
    InputError
        If there are fewer than two different points, the step is not positive, or the whole line is outside.
    """
    points = np.asarray(points, np.float64).reshape(-1, 3)
    if not np.all(np.isfinite(points)):
        raise InputError("A point of the line has no position; place it on the image.")
    lengths = np.linalg.norm(np.diff(points, axis=0), axis=1)
    corners = np.append(0.0, np.cumsum(lengths))
    if not corners[-1] > 0:
        found = counted(len(points), "point")
        raise InputError(f"The line has {found} and no length; place two points apart from each other.")
    step = min(voxel_size(affine)) / 2 if step is None else step
    if not step > 0:
        raise InputError(f"The step along the line is {step} mm; give a positive one.")
    distance = np.linspace(0.0, corners[-1], int(np.ceil(corners[-1] / step - 1e-9)) + 1)
    on_line = np.stack([np.interp(distance, corners, points[:, axis]) for axis in range(3)])
    index = np.linalg.solve(affine[:3, :3], on_line - affine[:3, 3:])[::-1]
    size = np.reshape(image.shape, (3, 1))
    # Voxels reach half of their edge beyond their middle; the tolerance is rounding.
    inside = np.all((index >= -0.5 - 1e-6) & (index <= size - 0.5 + 1e-6), axis=0)
    if not inside.any():
        raise InputError("The whole line is outside of the image; place its points on the image.")
    values = np.full(distance.size, np.nan)
    values[inside] = map_coordinates(image, index[:, inside], output=np.float64, order=order, mode="nearest")
    return distance, values


METHOD = Method(
    line_profile,
    title="Line profile",
    solves="interpolated values along a line",
    test="test_analysis_profile.ProfileTest",
    reference="Diefenbach et al., MRM 2019, doi 10.1002/mrm.27531",
)
