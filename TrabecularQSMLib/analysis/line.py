"""The straight line between two quantities."""

from dataclasses import dataclass

import numpy as np
import scipy

from ..errors import InputError, counted
from ..methods import Method
from .inference import TAIL, Interval, is_constant, t_interval

_LARGEST = 1e100  # of which squares can still be summed


class Estimate:
    """What estimates of a slope have in common."""

    def as_dict(self) -> dict:
        """Return the numbers that are written to files."""
        return {**self.__dict__, "slope_ci": list(self.slope_ci)}


@dataclass(frozen=True)
class Line(Estimate):
    """Straight line of least squares, y = slope · x + intercept, with what its confidence band needs.

    `slope_ci` is the 95 % confidence interval of the slope, `p` the two-sided probability of its being zero.
    """

    n: int
    slope: float
    intercept: float
    r: float
    r2: float
    p: float
    slope_se: float
    slope_ci: Interval
    x_mean: float
    x_spread: float
    residual_sd: float

    def at(self, x: np.ndarray) -> np.ndarray:
        """Return the line at `x`."""
        return self.slope * np.asarray(x, dtype=np.float64) + self.intercept

    def band(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the 95 % confidence band of the line at `x`: lower and upper limit, in the shape of `x`."""
        x = np.asarray(x, dtype=np.float64)
        deviation = self.residual_sd * np.sqrt(1 / self.n + (x - self.x_mean) ** 2 / self.x_spread)
        half = scipy.stats.t.ppf(1 - TAIL, self.n - 2) * deviation
        middle = self.at(x)
        return middle - half, middle + half


def fit_line(x: np.ndarray, y: np.ndarray, what: str = "A regression") -> Line:
    """Fit a straight line by ordinary least squares.

    Parameters
    ----------
    x, y : (n,) array
        At least three finite pairs; `x` not all the same.
    what : str
        Subject of the error's sentence.

    Raises
    ------
    InputError
        If there are fewer than three pairs, values that are not finite, or no spread in `x`.
    """
    x, y = (np.asarray(values, dtype=np.float64).ravel() for values in (x, y))
    if x.shape != y.shape:
        raise InputError(f"`x` has {counted(x.size, 'value')} but `y` has {y.size}; give pairs.")
    if not (np.all(np.isfinite(x)) and np.all(np.isfinite(y))):
        row = int(np.flatnonzero(~(np.isfinite(x) & np.isfinite(y)))[0])
        raise InputError(f"Row {row + 1} holds a value that is not a number; remove the row or measure it again.")
    if x.size < 3:
        raise InputError(f"{what} has {counted(x.size, 'point')}; at least three are needed, so add cases.")
    if max(np.abs(x).max(), np.abs(y).max()) > _LARGEST:
        raise InputError(f"{what} has values beyond {_LARGEST:g}; check their units.")
    if is_constant(x):
        raise InputError(f"{what} has the same x, {x[0]:.4g}, in all {x.size} rows; no slope can be told from it.")
    found = scipy.stats.linregress(x, y)
    residual = y - found.slope * x - found.intercept
    # A constant y has no correlation, and scipy gives not-a-number or zero by version.
    r, p, error = (0.0, 1.0, 0.0) if is_constant(y) else (found.rvalue, found.pvalue, found.stderr)
    return Line(
        n=int(x.size),
        slope=float(found.slope),
        intercept=float(found.intercept),
        r=float(r),
        r2=float(r * r),
        p=float(p),
        slope_se=float(error),
        slope_ci=t_interval(found.slope, error, x.size - 2),
        x_mean=float(x.mean()),
        x_spread=float(((x - x.mean()) ** 2).sum()),
        residual_sd=float(np.sqrt((residual @ residual) / (x.size - 2))),
    )


def cooks_distance(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return how far each pair moves the line (Cook, Technometrics 1977, doi 10.1080/00401706.1977.10489493).

    Parameters
    ----------
    x, y : (n,) array
        As for `fit_line`.

    Returns
    -------
    (n,) array
        Cook's distance; above 4 / n is usually looked at.
    """
    x, y = (np.asarray(values, dtype=np.float64).ravel() for values in (x, y))
    line = fit_line(x, y)
    residual = y - line.slope * x - line.intercept
    leverage = 1 / line.n + (x - line.x_mean) ** 2 / line.x_spread
    variance = line.residual_sd**2
    if variance <= 1e-24 * max(float((y**2).mean()), 1e-300):
        return np.zeros(line.n)  # all on the line: none moves it
    free = np.maximum(1 - leverage, 1e-12)  # a pair that alone spans x has nothing left over
    return residual**2 / (2 * variance) * leverage / free**2


METHODS = (
    Method(
        fit_line,
        title="Straight line",
        solves="Σ (y − a − b x)²",
        test="test_analysis_regression.LineTest",
    ),
    Method(
        cooks_distance,
        title="Distance of Cook",
        solves="how far each pair moves the line",
        test="test_analysis_regression.CookTest",
        reference="Cook, Technometrics 1977, doi 10.1080/00401706.1977.10489493",
    ),
)
