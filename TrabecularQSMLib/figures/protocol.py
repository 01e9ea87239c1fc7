"""Pictures of a protocol: noise and second minima over the fat fraction, and bias over BV/TV."""

import numpy as np

from ..protocol.assess import BIAS_BVTV, Assessment
from ..protocol.chain import QUANTITIES, TRUTHS, chain_lines
from ..protocol.settings import ProtocolSettings
from ..protocol.sweep import condition_text, means_over_repeats, panels
from .style import line_style, render

_BOUNDS = (
    ("field_hz", "σ of the field [Hz]"),
    ("sigma_r2star", "σ of R2* [1/s]"),
    ("sigma_pdff", "σ of the fat fraction"),
)


def protocol_figure(found: Assessment) -> bytes:
    """Return a picture with the bounds by noise (above), and second minima and bias (below).

    Parameters
    ----------
    found : Assessment

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

    return render(draw, (12.6, 7.2))


_CHAIN_LABELS = {"chi": "χ against muscle [ppm]", "r2star": "R2* [1/s]", "pdff": "fat fraction"}
_TRUE_LABELS = {"chi": "true", "r2star": "the same echoes without noise", "pdff": "true"}


def chain_figure(rows: list[dict]) -> bytes:
    """Return a picture of χ, R2* and fat fraction of blocks of trabeculae over BV/TV, measured and true.

    Parameters
    ----------
    rows : list of dict
        From `protocol.chain.run_chain`.

    Raises
    ------
    InputError
        If matplotlib is missing.

    Notes
    -----
    Bars are standard deviations over the voxels of a block.
    """
    lines = {one.quantity: one for one in chain_lines(rows)}
    x = np.array([row["bvtv"] for row in rows])

    def draw(figure):
        for axis, name in zip(figure.subplots(1, 3), QUANTITIES, strict=True):
            found, spread, true = ([row[key] for row in rows] for key in (name, f"{name}_sd", TRUTHS[name]))
            axis.plot(x, true, linestyle="none", markersize=6, markerfacecolor="none", label=_TRUE_LABELS[name],
                      **line_style(1))  # fmt: skip
            axis.errorbar(x, found, spread, linestyle="none", markersize=4, elinewidth=0.7, label="measured",
                          **line_style(0))  # fmt: skip
            if name in lines:
                line = lines[name]
                ends = np.array([x.min(), x.max()])
                label = f"slope {line.slope:.4g}"
                if name != "pdff":
                    label += f", scatter {line.scatter:.2g} of BV/TV"
                axis.plot(ends, line.intercept + line.slope * ends, color=line_style(0)["color"], label=label)
            axis.set(xlabel="BV/TV", ylabel=_CHAIN_LABELS[name])
            axis.legend(fontsize="x-small")
            axis.grid(True)

    return render(draw, (12.6, 3.9))


_SWEEP_LABELS = {"r2star": "R2* [1/s]", "pdff_bias": "bias of the fat fraction", "chi": "χ against around [ppm]"}


def sweep_figure(rows: list[dict], varied: list[str], settings: ProtocolSettings) -> bytes:
    """Return a picture of R2*, bias of the fat fraction and χ over BV/TV, a row of panels for each condition varied.

    Parameters
    ----------
    rows : list of dict
        From `protocol.sweep.run_sweep`.
    varied : list of str
        Conditions with several values (`SweepSettings.varied`).
    settings : ProtocolSettings
        What the conditions that are held are near to, as `protocol.sweep.panels` has it.

    Raises
    ------
    InputError
        If matplotlib is missing.
    """
    shown = panels(rows, varied, settings)

    def draw(figure):
        axes = figure.subplots(len(shown), 3, squeeze=False)
        for line, panel in zip(axes, shown, strict=True):
            line[1].set_title(", ".join(condition_text(*one) for one in panel.held.items()))
            for axis, quantity in zip(line, _SWEEP_LABELS, strict=True):
                _draw_sweep(axis, panel, quantity)

    return render(draw, (12.6, 0.3 + 3.6 * len(shown)))


def _draw_sweep(axis, panel, quantity):
    for number, (value, some) in enumerate(panel.by_value().items()):
        means = means_over_repeats(some, quantity)
        axis.plot(*means, markersize=4, label=condition_text(panel.condition, value), **line_style(number))
        axis.plot(
            [row["bvtv"] for row in some], [row[quantity] for row in some], linestyle="none", markersize=2,
            color=line_style(number)["color"], marker=".",
        )  # fmt: skip
    if quantity == "chi":
        ends = sorted((row["bvtv"], row["chi_true"]) for row in panel.rows)
        axis.plot(*zip(*ends, strict=True), color="0.4", linestyle="dashed", label="true")
    axis.set(xlabel="BV/TV", ylabel=_SWEEP_LABELS[quantity])
    axis.legend(fontsize="x-small")
    axis.grid(True)


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
