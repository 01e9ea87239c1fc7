"""Weights of the inversion: how much each voxel's field counts, and where edges of χ are free."""

from functools import partial

import numpy as np
from scipy import ndimage

from ..kernels import gradient
from ..methods import Method

# Of an image smoothed by this SD in mm, noise at SNR 15 makes no edges, and χ of marrow is nearest to the truth.
SMOOTHING_MM = 2.2
# How much the square of a slope across a link counts beside that along it.
_ACROSS = 0.2


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
    steepness = np.sqrt(np.square(gradient(_smoothed(image, voxel_size, smoothing), voxel_size)).sum(axis=0))
    inside = steepness[mask]
    if inside.size == 0:
        return np.ones(image.shape, np.float32)
    level = np.quantile(inside, 1 - fraction) if threshold is None else threshold * inside.max()
    return np.where(steepness > level, np.float32(weight), np.float32(1))


def link_weight(
    image: np.ndarray, mask: np.ndarray, voxel_size, *, steepness: float, weight: float = 0.01, smoothing: float = 0.0
) -> np.ndarray:
    """Return W_g of the link from each voxel to the next along k, j and i, (3, K, J, I) float32.

    Parameters
    ----------
    image, mask, voxel_size, smoothing
        As for `edge_weight`.
    steepness : float
        1/mm. W_g is one half where the image changes by this fraction of its bright end in a millimeter.
    weight : float
        Least W_g.

    Notes
    -----
    W_g is ``1 / (1 + (s / steepness)⁴)``, where s² is the square of the slope along the link and a fifth of that across
    it, so that along an edge χ stays smooth. The bright end is the 99th percentile in the mask, which hardly depends on
    where the mask ends; the steepest edge, which is that of the skin, does.

    References
    ----------
    Liu et al., NeuroImage 2012, doi 10.1016/j.neuroimage.2011.08.082 (each direction with edges of its own).
    """
    image = _smoothed(image, voxel_size, smoothing)
    inside = image[mask]
    bright = float(np.percentile(inside, 99)) if inside.size else 0.0
    if bright <= 0:
        return np.ones((3, *image.shape), np.float32)
    squares = np.square(gradient(image, voxel_size))
    squares *= np.float32((bright * steepness) ** -2)
    # A voxel's slope along an axis is that of its two links, and a link's slope across it that of its two voxels.
    pair = partial(ndimage.uniform_filter1d, size=2, mode="nearest")
    of_voxels = [pair(square, axis=axis) for axis, square in enumerate(squares)]
    for axis, square in enumerate(squares):
        across = sum(of_voxels[other] for other in range(3) if other != axis)
        square += np.float32(_ACROSS) * pair(across, axis=axis, origin=-1)
    result = np.square(squares, out=squares)
    result += 1
    np.divide(1, result, out=result)
    return np.maximum(result, np.float32(weight), out=result)


def beyond_interior(edge_weight: np.ndarray, interior: np.ndarray, weight: float) -> np.ndarray:
    """Return W_g of links, (3, K, J, I) float32, with one weight for all that do not join two voxels of the interior.

    Parameters
    ----------
    edge_weight : (3, K, J, I) array
    interior : (K, J, I) bool array
        Where the local field holds.
    weight : float

    Notes
    -----
    χ beyond the interior stands for what background removal left of the field of sources out there. Where links are
    next to free at the skin and stiff in the air it is hard to find, but the level of χ is pinned.
    """
    result = np.array(edge_weight, np.float32)
    for axis, links in enumerate(result):
        links[~(interior & np.roll(interior, -1, axis))] = weight
    return result


def along(edge_weight: np.ndarray, axis: int) -> np.ndarray:
    """Return W_g of the links along an axis: their own, or that of their voxels."""
    return edge_weight[axis] if edge_weight.ndim == 4 else edge_weight


def _smoothed(image, voxel_size, smoothing):
    return ndimage.gaussian_filter(np.asarray(image, np.float32), [smoothing / h for h in voxel_size])


METHODS = (
    Method(
        data_weight,
        title="Data weight W_d",
        solves="magnitude over echoes, 0 to 1, times reliability",
        test="test_inversion_weights.WeightsTest",
    ),
    Method(
        edge_weight,
        title="Edge weight W_g",
        solves="a small weight where the gradient of an image is among the largest, 1 elsewhere",
        test="test_inversion_weights.WeightsTest",
        reference="Liu et al., NeuroImage 2012, doi 10.1016/j.neuroimage.2011.08.082",
        options={
            "image": "edge_image",
            "fraction": "edge_fraction",
            "threshold": "edge_threshold",
            "weight": "edge_weight",
        },
    ),
    Method(
        link_weight,
        title="Edge weight W_g of links",
        solves="1 / (1 + (s / s₀)⁴) or edge_weight if that is more; s is the slope of an "
        "image along a link, and a fifth of the square of that across it",
        test="test_inversion_weights.LinkWeightTest",
        reference="Liu et al., NeuroImage 2012, doi 10.1016/j.neuroimage.2011.08.082",
        options={"image": "edge_image", "steepness": "edge_steepness", "weight": "edge_weight"},
    ),
    Method(
        beyond_interior,
        title="W_g of links beyond the interior",
        solves="one weight for all, where edges are soft: that of the inversion, if it has one",
        test="test_inversion_weights.BeyondTest",
    ),
)
