"""How close a map comes to its truth: line, error and likeness, as challenges of susceptibility mapping count them."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..errors import InputError


@dataclass(frozen=True)
class Accuracy:
    """Agreement of a map with its truth over some voxels.

    `r2`, `slope`, `intercept`: the line of the map over the truth. `nonlinearity`: the largest distance between that
    line and the parabola of the same voxels between the truth's 5th and 95th percentile, over the line's rise there.
    `rmse`: root mean square of the difference less its mean (χ has no absolute reference), in the map's unit. `hfen`:
    high-frequency error norm, a fraction. `xsim`: mean structural similarity. `count`: voxels.
    """

    r2: float
    slope: float
    intercept: float
    nonlinearity: float
    rmse: float
    hfen: float
    xsim: float
    count: int


def accuracy(measured: np.ndarray, truth: np.ndarray, where: np.ndarray) -> Accuracy:
    """Return how well a map agrees with its truth, both (K, J, I), over the voxels of `where`, bool.

    Values outside `where` do not count: the means over it are taken off both, and zeros stand elsewhere where filters
    reach out of it.

    Raises
    ------
    InputError
        For fewer than three voxels, or a truth that is the same in all of them.
    """
    where = np.asarray(where, bool)
    x, y = (np.asarray(array, np.float64)[where] for array in (truth, measured))
    if x.size < 3 or np.ptp(x) == 0:
        raise InputError(f"A map is compared with its truth over {x.size} voxels; give three or more that differ.")
    slope, intercept = np.polyfit(x, y, 1)
    flat = np.zeros((2, *where.shape))
    flat[0][where], flat[1][where] = y - y.mean(), x - x.mean()
    return Accuracy(
        r2=float(np.corrcoef(x, y)[0, 1] ** 2) if np.ptp(y) else 0.0,
        slope=float(slope),
        intercept=float(intercept),
        nonlinearity=_nonlinearity(x, y, slope, intercept),
        rmse=float(np.std(y - x)),
        hfen=hfen(*flat, where),
        xsim=xsim(*flat, where),
        count=x.size,
    )


def _nonlinearity(x, y, slope, intercept):
    low, high = np.percentile(x, (5, 95))
    if slope == 0 or low == high:
        return float("nan")
    at = np.linspace(low, high, 101)
    bend = np.polyval(np.polyfit(x, y, 2), at) - (slope * at + intercept)
    return float(np.abs(bend).max() / abs(slope * (high - low)))


def hfen(measured: np.ndarray, truth: np.ndarray, where: np.ndarray) -> float:
    """Return ``‖LoG (m − t)‖ / ‖LoG t‖`` over `where`, with a Laplacian of Gaussian of 1.5 voxels.

    References
    ----------
    Langkammer et al., MRM 2018, doi 10.1002/mrm.26830.
    """
    error, scale = (
        np.linalg.norm(ndimage.gaussian_laplace(np.asarray(array, np.float64), 1.5, mode="constant")[where])
        for array in (np.subtract(measured, truth), truth)
    )
    return float(error / scale) if scale else float("nan")


def xsim(measured: np.ndarray, truth: np.ndarray, where: np.ndarray) -> float:
    """Return the structural similarity of χ maps in ppm, mean over `where`; 1 for equal maps.

    SSIM with Gaussian windows of 1.5 voxels, a range L of 1 ppm, K₁ = 0.01 and K₂ = 0.001, and no scaling of the maps.

    References
    ----------
    Milovic et al., MRM 2025, doi 10.1002/mrm.30271.
    """
    x, y = (np.asarray(array, np.float64) for array in (measured, truth))
    mean = lambda array: ndimage.gaussian_filter(array, 1.5, mode="constant", truncate=3.5)  # noqa: E731
    mx, my = mean(x), mean(y)
    xx, yy, xy = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = 0.01**2, 0.001**2
    similarity = (2 * mx * my + c1) * (2 * xy + c2) / ((mx**2 + my**2 + c1) * (xx + yy + c2))
    return float(similarity[where].mean())
