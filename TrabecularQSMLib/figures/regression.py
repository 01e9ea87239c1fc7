"""Pictures of regressions: rows as points by group or subject, their lines, the pooled line with its band."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..analysis.regression import Regression
from ..analysis.tables import Pairs
from .style import line_style, render

# More names than these stand beside the picture, where they cover no points; inches that they take there.
_MOST_INSIDE, _BESIDE = 5, 1.9


@dataclass(frozen=True)
class Panel:
    """One pair of quantities and its regression."""

    pairs: Pairs
    regression: Regression


def regression_figure(panels: Sequence[Panel], picture_format: str = "png") -> bytes:
    """Return the pictures of one or several pairs side by side, as the paper's figures 4, 6 and S3 to S5.

    Parameters
    ----------
    panels : sequence of Panel
        From left to right.
    picture_format : {"png", "svg"}
        The same panels give the same bytes.

    Raises
    ------
    InputError
        If matplotlib is missing.
    """

    def draw(figure):
        for axis, panel in zip(np.atleast_1d(figure.subplots(1, len(panels))), panels, strict=True):
            _draw(axis, panel)

    beside = sum(len(_names(panel)) > _MOST_INSIDE for panel in panels)
    return render(draw, (4.6 * len(panels) + _BESIDE * beside, 4.4), picture_format)


def _names(panel):
    """Names of the series of points."""
    return list(dict.fromkeys(panel.regression.series(panel.pairs.groups, panel.pairs.subjects)[0]))


def _draw(axis, panel):
    pairs, result = panel.pairs, panel.regression
    line = result.pooled
    series, lines = result.series(pairs.groups, pairs.subjects)
    names = _names(panel)
    for number, name in enumerate(names):
        chosen = np.array([one == name for one in series])
        style = line_style(number)
        axis.plot(pairs.x[chosen], pairs.y[chosen], linestyle="none", markersize=4.5, label=name or None, **style)
        if name in lines:
            ends = np.array([pairs.x[chosen].min(), pairs.x[chosen].max()])
            own = lines[name]
            axis.plot(ends, own.at(ends), "--", color=style["color"], linewidth=1)
    along = np.linspace(pairs.x.min(), pairs.x.max(), 100)
    low, high = line.band(along)
    axis.fill_between(along, low, high, color="0.5", alpha=0.2, linewidth=0)
    axis.plot(along, line.at(along), "-", color="0.25", linewidth=1.5)
    axis.set(xlabel=pairs.x_label, ylabel=pairs.y_label)
    axis.set_title(f"slope {line.slope:.3g}, R² {line.r2:.2f}, p {_probability(line.p)}, n {line.n}")
    axis.locator_params(nbins=6)
    axis.grid(True)
    if len(names) > _MOST_INSIDE:
        axis.legend(loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0)
    elif len(names) > 1:
        axis.legend()


def _probability(p):
    return f"{p:.2g}" if p >= 0.001 else f"{p:.0e}"
