"""Picture of maps with lines through them, and of their values along the lines."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..analysis.profile import line_profile
from .maps import Panel, View, panels_figure
from .style import line_style


def profile_figure(
    panels: Sequence[Panel],
    lines: Mapping[str, np.ndarray],
    view: View,
    *,
    shade: np.ndarray | None = None,
    plain: Panel | None = None,
    picture_format: str = "png",
) -> bytes:
    """Return a picture of maps with lines through them, and a chart of their values along each line (paper: 3 and 9).

    Parameters
    ----------
    panels : sequence of Panel
        Maps of one quantity from left to right, whose titles are in the legend; what is not a number leaves a gap.
    lines : mapping of name to (N, 3) array
        RAS mm of the corners of each line, by the title of its chart.
    view : View
        Where the slices lie; the lines are drawn over them.
    shade : (K, J, I) array, optional
        Charts are gray where it is above a quarter, such as the share of cortex.
    plain : Panel, optional
        An image before the maps of which no profile is drawn.
    picture_format : {"png", "svg"}
        The same panels give the same bytes.

    Raises
    ------
    InputError
        If a line lies outside of the maps, or matplotlib is missing.
    """

    def chart(number, name):
        def draw(axes):
            for index, panel in enumerate(panels):
                # Nearest: between voxels, values of cortex and of marrow would mix.
                distance, values = line_profile(panel.array, view.affine, lines[name], order=0)
                axes.plot(distance, values, label=panel.title, color=line_style(index)["color"])
            if shade is not None:
                distance, inside = line_profile(shade, view.affine, lines[name], order=0)
                axes.fill_between(distance, 0, 1, inside > 0.25, transform=axes.get_xaxis_transform(), color="0.85")
            axes.set(xlabel="along the line [mm]", ylabel=f"[{panels[0].unit}]")
            axes.set_title(name, color=line_style(number)["color"])
            axes.grid(True)
            if number == 0:  # the same in all charts
                axes.legend()

        return draw

    charts = [chart(number, name) for number, name in enumerate(lines)]
    row = [panel for panel in (plain, *panels) if panel is not None]
    return panels_figure([row], replace(view, lines=tuple(lines.values())), picture_format, charts=charts)
