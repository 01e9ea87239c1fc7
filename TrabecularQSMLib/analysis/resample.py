"""Images and label maps brought to another grid through a linear transform."""

import numpy as np
import SimpleITK as sitk

from ..nifti import image_from, transform_from

_INTERPOLATORS = {"linear": sitk.sitkLinear, "nearest": sitk.sitkNearestNeighbor, "spline": sitk.sitkBSpline}


def resample(
    image: np.ndarray,
    affine: np.ndarray,
    target_shape: tuple[int, int, int],
    target_affine: np.ndarray,
    matrix: np.ndarray | None = None,
    *,
    interpolation: str = "linear",
    outside: float = 0.0,
) -> np.ndarray:
    """Return an image on another grid.

    Parameters
    ----------
    image : (K, J, I) array
        Real values; bool and 64-bit integers are held in 32 bits.
    affine : (4, 4) array
        Voxel indices (i, j, k) of `image` to RAS in mm.
    target_shape : (k, j, i)
        Shape of the result.
    target_affine : (4, 4) array
        Voxel indices of the result to RAS in mm.
    matrix : (4, 4) array, optional
        Maps RAS points of the target to RAS points of `image`: the result of a registration with the target as fixed
        image. The identity by default.
    interpolation : {"linear", "nearest", "spline"}
        "nearest" for labels; "spline" is a cubic B-spline.
    outside : float
        Value where the target lies outside `image`.

    Returns
    -------
    (k, j, i) array
        In the type of `image`; float32 for other than floats with "linear" and "spline".
    """
    image = np.asarray(image)
    kept = image.dtype
    if interpolation != "nearest" and kept.kind != "f":
        kept = np.dtype(np.float32)
    held = {"b": np.uint8, "i": np.int32, "u": np.uint32 if kept.itemsize > 4 else kept}.get(kept.kind, kept)
    source = image_from(np.ascontiguousarray(image, dtype=held), affine)
    target = image_from(np.zeros((1, 1, 1), np.uint8), target_affine)
    found = sitk.Resample(
        source,
        [int(n) for n in target_shape[::-1]],
        transform_from(np.eye(4) if matrix is None else matrix),
        _INTERPOLATORS[interpolation],
        target.GetOrigin(),
        target.GetSpacing(),
        target.GetDirection(),
        float(outside),
        source.GetPixelID(),
    )
    return sitk.GetArrayFromImage(found).astype(kept, copy=False)
