"""Pictures of regressions: rows as points by group or subject, their lines, the pooled line with its band."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..analysis.regression import Regression
from ..analysis.tables import Pairs
from .style import require_matplotlib

FORMATS = ("png", "svg")


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
    require_matplotlib()
    import matplotlib
    from matplotlib.figure import Figure

    # Names may hold any sign, also those that matplotlib takes for formulas.
    with matplotlib.rc_context({"svg.hashsalt": "TrabecularQSM", "text.parse_math": False}):
        figure = Figure(figsize=(4.6 * len(panels), 4.4), layout="constrained")
        for axis, panel in zip(np.atleast_1d(figure.subplots(1, len(panels))), panels, strict=True):
            _draw(axis, panel)
        file = io.BytesIO()
        # No date and no version in the file: equal results give equal bytes.
        metadata = {"Date": None} if picture_format == "svg" else {"Software": None}
        figure.savefig(file, format=picture_format, dpi=150, metadata=metadata)
    return file.getvalue()


def _draw(axis, panel):
    pairs, result = panel.pairs, panel.regression
    line = result.pooled
    series, lines = result.series(pairs.groups, pairs.subjects)
    names = list(dict.fromkeys(series))
    for number, name in enumerate(names):
        chosen = np.array([one == name for one in series])
        color = f"C{number % 10}"
        axis.plot(pairs.x[chosen], pairs.y[chosen], "o", color=color, markersize=4.5, label=name or None)
        if name in lines:
            ends = np.array([pairs.x[chosen].min(), pairs.x[chosen].max()])
            own = lines[name]
            axis.plot(ends, own.at(ends), "--", color=color, linewidth=1)
    along = np.linspace(pairs.x.min(), pairs.x.max(), 100)
    low, high = line.band(along)
    axis.fill_between(along, low, high, color="0.5", alpha=0.2, linewidth=0)
    axis.plot(along, line.at(along), "-", color="0.25", linewidth=1.5)
    axis.set(xlabel=pairs.x_label, ylabel=pairs.y_label)
    axis.set_title(f"slope {line.slope:.3g}, R² {line.r2:.2f}, p {_probability(line.p)}, n {line.n}", fontsize="medium")
    axis.locator_params(nbins=6)
    axis.grid(True, alpha=0.3)
    if len(names) > 1:
        axis.legend(fontsize="small")


def _probability(p):
    return f"{p:.2g}" if p >= 0.001 else f"{p:.0e}"
