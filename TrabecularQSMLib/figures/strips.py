"""Picture of region means of many cases."""

from collections.abc import Sequence

import numpy as np

from .style import line_style, render

_SPREAD = 0.18


def strip_figure(title: str, rows: Sequence[dict], regions: Sequence[str]) -> bytes:
    """Return a picture with a column of points for each region, one point a case, and its median and quartiles.

    Parameters
    ----------
    title : str
    rows : sequence of dict
        Of `measure`: `region`, `case`, `mean` and `unit`.
    regions : sequence of str
        From left to right, in the same place and color in every picture; one without rows stays empty.

    Raises
    ------
    InputError
        If matplotlib is missing.
    """
    unit = rows[0]["unit"]

    def draw(figure):
        axis = figure.subplots()
        for number, region in enumerate(regions):
            values = np.array([row["mean"] for row in rows if row["region"] == region])
            if not values.size:
                continue
            # Side by side in the order of the rows, so that points do not hide each other.
            across = number + np.linspace(-_SPREAD, _SPREAD, len(values)) * (len(values) > 1)
            color = line_style(number)["color"]
            axis.plot(across, values, "o", color=color, markersize=4, alpha=0.8)
            low, middle, high = np.percentile(values, (25, 50, 75))
            axis.plot([number - 0.3, number + 0.3], [middle, middle], color="0.2", linewidth=1.6)
            axis.fill_between([number - 0.3, number + 0.3], low, high, color=color, alpha=0.15, linewidth=0)
        axis.set_xticks(range(len(regions)), regions, rotation=20, ha="right")
        axis.set(title=title, ylabel=f"[{unit}]" if unit not in ("", "1") else "")
        axis.grid(True, axis="y")

    return render(draw, (max(4.0, 1.1 * len(regions) + 1.5), 3.4))
