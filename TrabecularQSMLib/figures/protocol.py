"""Pictures of a protocol: noise and second minima over the fat fraction, and bias over BV/TV."""

import numpy as np

from ..protocol.assess import BIAS_BVTV, Assessment
from .style import line_style, render

_BOUNDS = (
    ("field_hz", "σ of the field [Hz]"),
    ("sigma_r2star", "σ of R2* [1/s]"),
    ("sigma_pdff", "σ of the fat fraction"),
)


def protocol_figure(found: Assessment, picture_format: str = "png") -> bytes:
    """Return a picture with the bounds by noise (above), and second minima and bias (below).

    Parameters
    ----------
    found : Assessment
    picture_format : {"png", "svg"}
        The same assessment gives the same bytes.

    Raises
    ------
    InputError
        If matplotlib is missing.
    """

    def draw(figure):
        above, below = figure.subplots(2, 3)
        for axis, (name, label) in zip(above, _BOUNDS, strict=True):
            _draw_bounds(axis, found, name)
            axis.set(xlabel="fat fraction", ylabel=label, ylim=(0, None))
        above[0].legend(fontsize="x-small")
        _draw_swaps(below[0], found.given.swaps)
        for axis, name, label in (
            (below[1], "r2star", "bias of R2* [1/s]"),
            (below[2], "pdff", "bias of the fat fraction"),
        ):
            axis.plot(BIAS_BVTV, [getattr(one, name) for one in found.bias], markersize=3, **line_style(0))
            axis.set(xlabel="BV/TV", ylabel=label, title="By bone's own signal")
            axis.axhline(0, color="0.6", linewidth=0.8)
        for axis in (*above, *below):
            axis.grid(True)

    return render(draw, (12.6, 7.2), picture_format)


def _draw_bounds(axis, found, name):
    trains = [("given", found.given, "solid")]
    if not found.is_best:
        trains.append(("recommended", found.recommended, "dashed"))
    for which, train, dashes in trains:
        for number, rate in enumerate(train.bounds.r2star):
            values = getattr(train.bounds, name)[number]
            label = f"R2* {rate:.3g} 1/s, {which}"
            axis.plot(train.bounds.pdff, values, markersize=3, linestyle=dashes, label=label, **line_style(number))


def _draw_swaps(axis, swaps):
    axis.plot(swaps.pdff, swaps.distance_hz, markersize=3, label="second minimum", **line_style(0))
    stray = np.where(np.isfinite(swaps.stray_hz), swaps.stray_hz, np.nan)
    axis.plot(swaps.pdff, stray, markersize=3, label="one voxel may stray", **line_style(1))
    axis.axhline(swaps.period_hz / 2, color="0.4", linestyle="dashed", label="half a field period")
    axis.set(xlabel="fat fraction", ylabel="Hz from the truth", ylim=(0, None), title="Fields taken for each other")
    axis.legend(fontsize="x-small")
