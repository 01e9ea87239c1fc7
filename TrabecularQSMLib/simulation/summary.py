"""What a table of the simulation says: means with their uncertainty, slopes, and which quantity is linear in BV/TV."""

from collections import defaultdict
from dataclasses import asdict, dataclass

import numpy as np
import scipy

from ..analysis.line import Line, fit_line
from ..methods import Method
from .geometry import expected_bvtv
from .model import DECAY
from .settings import SimulationSettings

QUANTITIES = ("bvtv", "mean_chi", "r2prime_hwhm_ppm", "r2prime_per_s")
# What Fig. 7 draws over each parameter: a line over number and Δχ, a·r³ over the radius, as a sphere's volume grows.
PARAMETERS = ("delta_chi", "number", "radius")
POWERS = {"spheres": 3, "cylinders": 2, "plates": 1}
_LEAST_SPREAD = 1e-6  # of BV/TV


def summarized(settings: SimulationSettings) -> tuple[str, ...]:
    """Return the quantities of which a summary has means: `QUANTITIES`, and R2′ of the decay where there is one."""
    return QUANTITIES if settings.decay is None else (*QUANTITIES, DECAY)


def summary_columns(settings: SimulationSettings) -> tuple[str, ...]:
    """Return the columns of a summary."""
    first = ("number", "radius", "delta_chi", "repeats", "fitted", "expected_bvtv")
    return first + tuple(f"{name}_{statistic}" for name in summarized(settings) for statistic in ("mean", "sd", "se"))


def over_bvtv(settings: SimulationSettings) -> tuple[str, ...]:
    """Return the quantities that are drawn and tested over BV/TV."""
    names = ("mean_chi", "r2prime_hwhm_ppm")
    return names if settings.decay is None else (*names, DECAY)


def notes_on(rows: list[dict]) -> list[str]:
    """Return what to say of rows of which something is left empty."""
    missing = sum(row["r2prime_hwhm_ppm"] is None for row in rows)
    notes = [f"R2′ could not be fitted in {missing} of {len(rows)} rows; they are left empty."] if missing else []
    if any(row["mean_chi"] is None for row in rows):
        notes.append("No field tells the mean χ of a region that repeats itself (filled); it is left empty.")
    return notes


@dataclass(frozen=True)
class Linearity:
    """A quantity against BV/TV for one Δχ, over the means of all numbers and radii.

    `line` is the straight line; `curvature` the coefficient of BV/TV² beside it and `p` the two-sided probability of
    its being zero by chance (F test of the quadratic against the straight line, which takes the means for equally
    precise; None with fewer than four points).
    `nonlinearity` is the root-mean-square distance from the line over the root-mean-square value: how far from
    straight the relation is, whatever the number of points.
    """

    quantity: str
    delta_chi: float
    line: Line
    curvature: float | None
    p: float | None
    nonlinearity: float

    def as_dict(self) -> dict:
        """Return the numbers that are written to files."""
        return {**asdict(self), "line": self.line.as_dict()}


@dataclass(frozen=True)
class Power:
    """Curve of least squares y = a·x^power; `r2` as a fraction of the variance of y."""

    a: float
    power: int
    r2: float

    @property
    def term(self) -> str:
        """The power of the radius, as it is written."""
        return {1: "r", 2: "r²", 3: "r³"}[self.power]

    def at(self, x: np.ndarray) -> np.ndarray:
        """Return the curve at `x`."""
        return self.a * np.asarray(x, dtype=np.float64) ** self.power


def summarize(rows: list[dict], settings: SimulationSettings) -> list[dict]:
    """Return one row with the keys of `summary_columns` for each number, radius and Δχ.

    Parameters
    ----------
    rows : list of dict
        From `simulate`.
    settings : SimulationSettings
        They were simulated with.

    Notes
    -----
    `sd` has n − 1 in the denominator and `se` = sd / √n; both are None for a single repeat. The error bars of the
    paper's figures are variances. `fitted` counts the repeats whose R2′ could be fitted, of which its means are.
    `expected_bvtv` is computed without random numbers.
    """
    groups = defaultdict(list)
    for row in rows:
        groups[row["number"], row["radius"], row["delta_chi"]].append(row)
    expected = {key: expected_bvtv(settings, *key) for key in {key[:2] for key in groups}}
    summary = []
    for (number, radius, delta_chi), members in sorted(groups.items()):
        found = {"number": number, "radius": radius, "delta_chi": delta_chi, "repeats": len(members)}
        found["fitted"] = sum(row["r2prime_hwhm_ppm"] is not None for row in members)
        found["expected_bvtv"] = expected[number, radius]
        for name in summarized(settings):
            values = np.array([row[name] for row in members if row[name] is not None], np.float64)
            sd = float(values.std(ddof=1)) if values.size > 1 else None
            found[f"{name}_mean"] = float(values.mean()) if values.size else None
            found[f"{name}_sd"] = sd
            found[f"{name}_se"] = None if sd is None else sd / values.size**0.5
        summary.append(found)
    return summary


def linearity(summary: list[dict], quantity: str) -> list[Linearity]:
    """Return for each Δχ how a quantity depends on BV/TV.

    Parameters
    ----------
    summary : list of dict
        From `summarize`.
    quantity : str
        Of `summarized`.

    Returns
    -------
    list of Linearity
        By Δχ. A Δχ is left out where the quantity is known for fewer than three numbers and radii, or BV/TV is the same
        in all of them: no slope can be told.
    """
    found = []
    for delta_chi in sorted({row["delta_chi"] for row in summary}):
        points = [
            (row["bvtv_mean"], row[f"{quantity}_mean"])
            for row in summary
            if row["delta_chi"] == delta_chi and row[f"{quantity}_mean"] is not None
        ]
        if len(points) < 3 or np.ptp([x for x, _ in points]) < _LEAST_SPREAD:
            continue
        x, y = np.array(points).T
        line = fit_line(x, y)
        straight = y - line.slope * x - line.intercept
        curvature, p = _quadratic_term(x, y, straight)
        nonlinearity = float(np.sqrt((straight @ straight) / (y @ y))) if np.any(y) else 0.0
        found.append(Linearity(quantity, delta_chi, line, curvature, p, nonlinearity))
    return found


def over_parameter(summary: list[dict], parameter: str) -> list[dict]:
    """Return the rows in which the other two parameters stay at one value, as in a panel of the paper's Fig. 7.

    That is the paper's (200, 10 voxels, 1 ppm), or the middle one where there is none.

    Parameters
    ----------
    summary : list of dict
        From `summarize`.
    parameter : str
        Of `PARAMETERS`.
    """
    paper = {"number": 200, "radius": 10, "delta_chi": 1.0}
    for name in PARAMETERS:
        if name != parameter:
            values = sorted({row[name] for row in summary})
            value = paper[name] if paper[name] in values else values[len(values) // 2]
            summary = [row for row in summary if row[name] == value]
    return summary


def trend(parameter: str, quantity: str, x: np.ndarray, y: np.ndarray, shape: str) -> Line | Power | None:
    """Return the curve of a panel of Fig. 7: a power over the radius, else a line; None where there is none to draw."""
    if len(x) < 2 or np.ptp(y) == 0:  # such as BV/TV over Δχ
        return None
    if parameter == "radius":
        return None if quantity.startswith("r2prime") else fit_power(x, y, POWERS[shape])
    return fit_line(x, y) if len(x) > 2 and not is_bent(parameter, quantity, x) else None


def is_bent(parameter: str, quantity: str, x: np.ndarray) -> bool:
    """Return whether no line can be drawn: R2′ goes with the size of Δχ, whatever its sign."""
    return parameter == "delta_chi" and quantity.startswith("r2prime") and min(x) < 0 < max(x)


def fit_power(x: np.ndarray, y: np.ndarray, power: int = 3) -> Power:
    """Fit y = a·x^power by least squares, as in Fig. 7 over the radius: the volume of inclusions without overlap."""
    x, y = np.asarray(x, dtype=np.float64) ** power, np.asarray(y, dtype=np.float64)
    a = float((x @ y) / (x @ x))
    spread = float(((y - y.mean()) ** 2).sum())
    return Power(a, power, 1 - float(((y - a * x) ** 2).sum()) / spread if spread else 0.0)


def _quadratic_term(x, y, straight):
    free = x.size - 3
    if free < 1:
        return None, None
    center, scale = x.mean(), x.std()
    u = (x - center) / scale
    design = np.stack([np.ones_like(u), u, u**2], axis=1)
    coefficients = np.linalg.lstsq(design, y, rcond=None)[0]
    left = y - design @ coefficients
    explained, unexplained = float(straight @ straight - left @ left), float(left @ left)
    p = float(scipy.stats.f.sf(explained / (unexplained / free), 1, free)) if unexplained > 0 else float(explained <= 0)
    return float(coefficients[2] / scale**2), p


METHOD = Method(
    linearity,
    title="Linearity over BV/TV",
    solves="straight line and its deviation, F-test of a quadratic term",
    test="test_simulation_monte_carlo.SummaryTest",
    reference="Diefenbach et al., MRM 2019, doi 10.1002/mrm.27531",
)
