"""Pictures of the simulation: BV/TV, χ and R2′ over each parameter (Fig. 7), and χ and R2′ over BV/TV (Fig. 8)."""

from collections.abc import Collection

import numpy as np

from ..errors import InputError
from ..simulation.model import DECAY
from ..simulation.summary import PARAMETERS, Power, linearity, over_parameter, trend
from .style import line_style, render

_LABELS = {
    "number": "number",
    "radius": "radius [voxels]",
    "delta_chi": "Δχ [ppm]",
    "bvtv": "BV/TV",
    "mean_chi": "mean χ [ppm]",
    "r2prime_hwhm_ppm": "R2′ (half width) [ppm]",
    DECAY: "R2′ (decay) [1/s]",
}
_QUANTITIES = ("bvtv", "mean_chi", "r2prime_hwhm_ppm")


def check_drawable(*parameters: Collection) -> None:
    """Raise `InputError` if none of the parameters has two values or more."""
    if all(len(values) < 2 for values in parameters):
        raise InputError("The figure needs a parameter with two values or more; give some to `numbers` or `radii`.")


def simulation_figure(summary: list[dict], picture_format: str, shape: str = "spheres") -> bytes:
    """Return a picture with the panels that the parameters allow.

    Parameters
    ----------
    summary : list of dict
        From `simulation.summary.summarize`.
    picture_format : str
        ``"png"`` or ``"svg"``.
    shape : str
        Of the inclusions, whose volume grows with a power of the radius.

    Raises
    ------
    InputError
        If nothing is varied, so that there is nothing to draw, or matplotlib is missing.

    Notes
    -----
    Bars are standard deviations over the repeats; those of the paper are variances.
    """
    values = {name: {row[name] for row in summary} for name in PARAMETERS}
    check_drawable(*values.values())
    parameters = [name for name in PARAMETERS if len(values[name]) > 1]
    densities = len({(row["number"], row["radius"]) for row in summary}) >= 3
    heights = len(parameters) + densities

    def draw(figure):
        figure.supxlabel("Bars: standard deviation over the repeats", fontsize="small")
        axes = figure.subplots(heights, 3, squeeze=False)
        for line, parameter in zip(axes, parameters, strict=False):
            rows = over_parameter(summary, parameter)
            fixed = [f"{_LABELS[name]} {rows[0][name]:g}" for name in PARAMETERS if name != parameter]
            line[1].set_title(", ".join(fixed))
            for axis, quantity in zip(line, _QUANTITIES, strict=True):
                _draw_over_parameter(axis, rows, parameter, quantity, shape)
        if densities:
            known = [quantity for quantity in (*_QUANTITIES[1:], DECAY) if f"{quantity}_mean" in summary[0]]
            for axis, quantity in zip(axes[-1], known, strict=False):
                _draw_over_density(axis, summary, quantity)
            for axis in axes[-1, len(known) :]:
                axis.axis("off")

    return render(draw, (12.6, 0.3 + 3.3 * heights), picture_format)


def _draw_over_parameter(axis, rows, parameter, quantity, shape):
    rows = [row for row in rows if row[f"{quantity}_mean"] is not None]
    x = np.array([row[parameter] for row in rows], np.float64)
    y = np.array([row[f"{quantity}_mean"] for row in rows], np.float64)
    axis.errorbar(x, y, [row[f"{quantity}_sd"] or 0 for row in rows], fmt="o", markersize=4, capsize=3)
    axis.set(xlabel=_LABELS[parameter], ylabel=_LABELS[quantity])
    axis.grid(True)
    curve = trend(parameter, quantity, x, y, shape)
    if curve is not None:
        label = f"{curve.a:.3g} · {curve.term}" if isinstance(curve, Power) else f"slope {curve.slope:.4g}"
        fine = np.linspace(x.min(), x.max(), 101)
        axis.plot(fine, curve.at(fine), label=f"{label}, R² {curve.r2:.3f}")
        axis.legend()


def _draw_over_density(axis, summary, quantity):
    lines = linearity(summary, quantity)
    for number, found in enumerate(lines):
        rows = [row for row in summary if row["delta_chi"] == found.delta_chi and row[f"{quantity}_mean"] is not None]
        x = np.array([row["bvtv_mean"] for row in rows])
        y = [row[f"{quantity}_mean"] for row in rows]
        spread = {"xerr": [row["bvtv_sd"] or 0 for row in rows], "yerr": [row[f"{quantity}_sd"] or 0 for row in rows]}
        style = line_style(number)
        axis.errorbar(x, y, **spread, linestyle="none", markersize=3, elinewidth=0.7, **style)
        ends = np.array([x.min(), x.max()])
        label = f"Δχ {found.delta_chi:g} ppm: slope {found.line.slope:.4g}, off the line {found.nonlinearity:.1%}"
        axis.plot(ends, found.line.at(ends), color=style["color"], label=label)
    axis.set(xlabel=_LABELS["bvtv"], ylabel=_LABELS[quantity])
    if lines:
        axis.legend(fontsize="x-small")
    axis.grid(True)
