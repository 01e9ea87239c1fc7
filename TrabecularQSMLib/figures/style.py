"""What all pictures share: how they look, how they become files, and the colors of maps."""

import io
from collections.abc import Callable

from ..errors import InputError
from .colors import color_table

FORMATS = ("png", "svg")
DARK, LIGHT = "#121212", "#ebebeb"
# Okabe and Ito's colors, told apart also by the color-blind: first those that stand out most on white and on gray.
LINE_COLORS = ("#0072b2", "#d55e00", "#009e73", "#e69f00", "#56b4e9", "#cc79a7", "#f0e442")
_DPI = 150
# Ratios of its ends from which a logarithmic axis has labels at 1, 2 and 5 times a power of ten, and at powers alone.
_PART_OF_DECADE, _FEW_DECADES = 5, 1000
_STYLE = {
    # Letters become outlines, so that an SVG looks the same where a font is missing.
    "svg.fonttype": "path",
    # Names inside an SVG come from a fixed salt: equal pictures are equal bytes.
    "svg.hashsalt": "TrabecularQSM",
    # Names may hold any sign, also those that matplotlib takes for formulas.
    "text.parse_math": False,
    "legend.fontsize": "small",
    "axes.titlesize": "medium",
    "grid.alpha": 0.3,
}


def require_matplotlib() -> None:
    """Raise `InputError` with the way to install it if matplotlib is missing."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise InputError("The figure needs matplotlib; install it with: pip install matplotlib") from error


def render(
    draw: Callable, size: tuple[float, float], picture_format: str = "png", *, layout: str | None = "constrained"
) -> bytes:
    """Return the picture that `draw` makes on an empty `matplotlib.figure.Figure`, in the style of all pictures.

    Parameters
    ----------
    draw : callable
        Takes the figure.
    size : (width, height)
        In inches.
    picture_format : {"png", "svg"}
        The same picture gives the same bytes: they hold no date and no version, and no font but as outlines.
    layout : {"constrained"}, optional
        Who places the axes; None where `draw` does.

    Raises
    ------
    InputError
        If matplotlib is missing.
    """
    require_matplotlib()
    import matplotlib.style
    from cycler import cycler
    from matplotlib.figure import Figure

    # Over matplotlib's own defaults: what a reader has set for other pictures does not change these.
    style = _STYLE | {"axes.prop_cycle": cycler(color=LINE_COLORS)}
    with matplotlib.style.context(["default", style]):
        figure = Figure(figsize=size, layout=layout)
        draw(figure)
        return _save(figure, picture_format)


def line_style(number: int) -> dict:
    """Color and marker of the n-th of several series: each color in turn, then again with the next marker."""
    rounds, position = divmod(number, len(LINE_COLORS))
    return {"color": LINE_COLORS[position], "marker": "os^D"[rounds % 4]}


def outline_style(number: int) -> dict:
    """Color and dashes of the n-th of several outlines: each color in turn, and from the second round on dashed."""
    style = line_style(number)
    return {"color": style["color"], "linestyle": "solid" if style["marker"] == "o" else "dashed"}


def label_logarithmic(*axes) -> None:
    """Label logarithmic axes (such as ``axes.xaxis``) by plain numbers, once all is drawn.

    Matplotlib's own labels are formulas, which no text is taken for here.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    for axis in axes:
        low, high = axis.get_view_interval()
        powers = LogLocator(subs=(1, 2, 5) if high < _FEW_DECADES * low else (1,))
        axis.set_major_locator(MaxNLocator(4) if high < _PART_OF_DECADE * low else powers)
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())


def color_map(colors: str):
    """Return matplotlib's color map for `Quantity.colors`; what is not a number is as dark as the page."""
    import matplotlib
    from matplotlib.colors import ListedColormap

    table = matplotlib.colormaps["gray"] if colors == "gray" else ListedColormap(color_table(colors), name=colors)
    return table.with_extremes(bad=DARK)


def _save(figure, picture_format):
    file = io.BytesIO()
    metadata = {"Date": None, "Creator": None} if picture_format == "svg" else {"Software": None}
    figure.savefig(file, format=picture_format, dpi=_DPI, metadata=metadata)
    return file.getvalue()
