"""Weights of the inversion: how much each voxel's field counts, and where edges of χ are free."""

import numpy as np
from scipy import ndimage

from ..kernels import gradient
from ..methods import Method

# Of an image smoothed by this SD in mm, noise at SNR 15 makes no edges, and χ of marrow is nearest to the truth.
SMOOTHING_MM = 2.2


def data_weight(magnitude: np.ndarray, mask: np.ndarray, reliability: np.ndarray | None = None) -> np.ndarray:
    """Return W_d: the magnitude over echoes scaled to 0–1 inside the mask, times the reliability, float32.

    The scale is the 99.9th percentile in the mask, not the maximum, which a single hot voxel would set.
    """
    inside = magnitude[mask]
    high = float(np.percentile(inside, 99.9)) if inside.size else 1.0
    weight = np.clip(magnitude / (high if high > 0 else 1.0), 0, 1).astype(np.float32)
    weight[~mask] = 0
    if reliability is not None:
        weight *= reliability
    return weight


def edge_weight(
    image: np.ndarray,
    mask: np.ndarray,
    voxel_size,
    *,
    fraction: float = 0.4,
    threshold: float | None = None,
    weight: float = 0.01,
    smoothing: float = 0.0,
) -> np.ndarray:
    """Return W_g: `weight` on the edges of an image, 1 elsewhere, (K, J, I) float32.

    Parameters
    ----------
    image : (K, J, I) array
        Real, such as |W − F| (paper).
    mask : (K, J, I) bool array
    voxel_size : (3,) floats
        mm.
    fraction : float
        Edges are the voxels whose gradient magnitude exceeds the value that this share of the mask's voxels exceed.
    threshold : float, optional
        If given, edges are gradients above this fraction of the largest one in the mask instead.
    weight : float
        Paper: 0.01.
    smoothing : float
        SD in mm by which the image is smoothed before.

    References
    ----------
    Liu et al., NeuroImage 2012, doi 10.1016/j.neuroimage.2011.08.082; Diefenbach et al. 2019, section 2.1.2.
    """
    image = np.asarray(image, np.float32)
    if smoothing:
        image = ndimage.gaussian_filter(
            image, [smoothing / h if n > 1 else 0 for n, h in zip(image.shape, voxel_size, strict=True)]
        )
    steepness = np.sqrt(np.square(gradient(image, voxel_size)).sum(axis=0))
    inside = steepness[mask]
    if inside.size == 0:
        return np.ones(image.shape, np.float32)
    level = np.quantile(inside, 1 - fraction) if threshold is None else threshold * inside.max()
    return np.where(steepness > level, np.float32(weight), np.float32(1))


METHODS = (
    Method(
        data_weight,
        title="Data weight W_d",
        solves="magnitude over echoes, 0 to 1, times reliability",
        test="test_inversion.WeightsTest",
    ),
    Method(
        edge_weight,
        title="Edge weight W_g",
        solves="a small weight where the gradient of an image is among the largest, 1 elsewhere",
        test="test_inversion.WeightsTest",
        reference="Liu et al., NeuroImage 2012, doi 10.1016/j.neuroimage.2011.08.082",
        options={
            "image": "edge_image",
            "fraction": "edge_fraction",
            "threshold": "edge_threshold",
            "weight": "edge_weight",
        },
    ),
)
