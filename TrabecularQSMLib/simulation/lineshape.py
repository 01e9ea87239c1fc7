"""R2′ of a field: the width of the Lorentzian that fits its histogram."""

from dataclasses import dataclass

import numpy as np
import scipy

from ..methods import Method

_TOLERANCE = 1e-12  # relative, of the sum of squares and of the parameters
_FEWEST_VALUES = 100
_FEWEST_BINS, _MOST_BINS = 5, 1_000_000
_ROUNDING = 4 * float(np.finfo(np.float32).eps)  # of a field: as wide is the line of a uniform one


@dataclass(frozen=True)
class Line:
    """Lorentzian ``height / (1 + ((x − center) / hwhm)²)`` and the histogram that it was fitted to.

    `center`, `hwhm` (half width at half maximum) and `edges` are in the unit of the field; `height` and `counts` are
    numbers of voxels.
    """

    center: float
    hwhm: float
    height: float
    counts: np.ndarray
    edges: np.ndarray

    def at(self, field: np.ndarray) -> np.ndarray:
        """Return the fitted number of voxels of a bin at `field`."""
        return self.height / (1 + ((field - self.center) / self.hwhm) ** 2)


def fit_line_shape(field: np.ndarray, marrow: np.ndarray) -> Line | None:
    """Fit a Lorentzian to the histogram of a field outside the bone.

    Parameters
    ----------
    field : (K, J, I) array
        Any unit.
    marrow : (K, J, I) bool array
        Which voxels count.

    Returns
    -------
    Line or None
        None where fewer than 100 voxels count, the field is the same in nearly all of them, or no line fits.

    Notes
    -----
    Bins after Freedman and Diaconis (1981, doi 10.1007/BF01025868), or after Sturges where these are finer, which was
    numpy's ``"auto"`` at the time of the paper; least squares over all bins with height, center and width free
    (Levenberg–Marquardt, analytic derivatives, to a relative 1e-12). In the published tables of
    doi 10.1002/mrm.27531 R2′ is the half width, although the text speaks of the full one.
    """
    # Sorted once, quartiles and bins are looked up: half the time of a quantile and a histogram.
    values = field[marrow]
    values.sort()
    values = values.astype(np.float64)
    if values.size < _FEWEST_VALUES:
        return None
    q25, median, q75 = (_quantile(values, part) for part in (0.25, 0.5, 0.75))
    width = (q75 - q25) / 2  # half the interquartile range is the half width of a Lorentzian
    if width <= _ROUNDING * max(-values[0], values[-1]):
        return None
    extent = values[-1] - values[0]
    # Freedman and Diaconis: twice the interquartile range over the cube root; Sturges: extent / (log2 n + 1).
    bins = np.ceil(max(extent / (4 * width * values.size ** (-1 / 3)), np.log2(values.size) + 1))
    if not _FEWEST_BINS <= bins <= _MOST_BINS:
        return None
    edges = np.linspace(values[0], values[-1], int(bins) + 1)
    counts = np.diff(np.append(np.searchsorted(values, edges[:-1]), values.size))
    # In units of the first guess, so that all three parameters are near 0 or 1.
    x = ((edges[1:] + edges[:-1]) / 2 - median) / width
    y = counts / counts.max()

    def residual(p):
        return p[0] / (1 + ((x - p[1]) / p[2]) ** 2) - y

    def jacobian(p):
        u = (x - p[1]) / p[2]
        shape = 1 / (1 + u**2)
        slope = 2 * p[0] * u * shape**2 / p[2]
        return np.stack([shape, slope, u * slope], axis=1)

    found = scipy.optimize.least_squares(
        residual, (1.0, 0.0, 1.0), jacobian, method="lm", ftol=_TOLERANCE, xtol=_TOLERANCE, gtol=_TOLERANCE
    )
    height, center, hwhm = found.x.tolist()
    hwhm = abs(hwhm)
    if not found.success or height <= 0 or not hwhm < x[-1] - x[0]:
        return None
    return Line(
        center=float(median + center * width),
        hwhm=float(hwhm * width),
        height=float(height * counts.max()),
        counts=counts,
        edges=edges,
    )


def fit_within_voxels(field: np.ndarray, marrow: np.ndarray, edge: int | tuple[int, int, int]) -> Line | None:
    """Fit a Lorentzian to what the field differs from the mean of its own imaging voxel.

    Parameters
    ----------
    field, marrow : (K, J, I) arrays
        As for `fit_line_shape`.
    edge : int or (3,) ints
        Of an imaging voxel, in voxels of the simulation; along k, j, i where it is no cube.

    Returns
    -------
    Line or None
        Pooled over the imaging voxels that lie wholly in the region; None as for `fit_line_shape`.

    Notes
    -----
    A field that is uniform over an imaging voxel shifts its signal and does not dephase it, so that small voxels show
    less R2′. Diffusion, blurring and slice profiles are not simulated.
    """
    edges = np.broadcast_to(edge, 3).tolist()
    counts = [n // e for n, e in zip(field.shape, edges, strict=True)]
    whole = tuple(slice(0, n * e) for n, e in zip(counts, edges, strict=True))
    blocks = tuple(x for pair in zip(counts, edges, strict=True) for x in pair)
    inside = marrow[whole].reshape(blocks)
    values = np.where(inside, field[whole].astype(np.float64).reshape(blocks), 0)
    number = inside.sum(axis=(1, 3, 5), keepdims=True)
    mean = values.sum(axis=(1, 3, 5), keepdims=True) / np.maximum(number, 1)
    return fit_line_shape(values - mean, inside)


def _quantile(values, part):
    """Quantile of sorted values, linear between them."""
    place = part * (values.size - 1)
    low = int(place)
    high = min(low + 1, values.size - 1)
    return values[low] + (place - low) * (values[high] - values[low])


METHOD = Method(
    fit_line_shape,
    title="R2′",
    solves="Lorentzian fitted to the histogram of the field in marrow by least squares",
    test="test_simulation.MeasureTest",
    reference="Diefenbach et al., MRM 2019, doi 10.1002/mrm.27531; "
    "bins: Freedman & Diaconis 1981, doi 10.1007/BF01025868",
)
