"""Pictures of maps: slices in patient orientation side by side, each with its window, unit and colors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..acquisition import Reorientation, voxel_size
from ..quantities import ALL_QUANTITIES, display_window
from .style import DARK, LIGHT, color_map, line_style, outline_style, render

INVERSION_TITLES = {"closed-form": "Closed form", "medi-l2": "MEDI-ℓ2", "medi-tv": "TV-MEDI"}

# How slices lie on the page: axis of the (S, A, R) array across which they are cut, and the letters at top and left.
_PLANES = {"sagittal": (2, "S", "A"), "coronal": (1, "S", "R"), "axial": (0, "A", "R")}
_MOST_COLUMNS = 4
# In inches: the longer side of the largest slice, and what lies around it.
_SLICE, _MARGIN, _HEAD, _LINE = 2.1, 0.12, 0.25, 0.2
_BAR_GAP, _BAR, _BAR_TEXT, _LOW_BAR = 0.06, 0.09, 0.44, 0.6
_LETTER = 0.085  # about as wide as one of a legend's
# Charts over the slices: their height, and of that what is left free at the left, below, at the right and above.
_CHART, _CHART_MARGINS = 2.6, (0.8, 0.5, 0.15, 0.3)


@dataclass(frozen=True, eq=False)
class View:
    """Where a picture's slices lie and what is drawn over all of them.

    Attributes
    ----------
    affine : (4, 4) array
        Voxel indices (i, j, k) to RAS mm; slices are shown in patient orientation and true proportions.
    planes : sequence of {"sagittal", "coronal", "axial"}
        Anatomical planes closest to the slices, from top to bottom, all in one scale.
    voxel : (k, j, i), optional
        Voxel of the arrays that the slices go through; the middle by default.
    regions : (K, J, I) int array, optional
        Labels, 0 for none, whose outlines are drawn.
    region_names : dict of int to str
        Names for the legend; a label without one is its number.
    lines : sequence of (N, 3) arrays
        RAS mm of the corners of lines, drawn as seen along the slices' normal, each in its color of `line_style`.
    """

    affine: np.ndarray
    planes: Sequence[str] = ("sagittal",)
    voxel: tuple[int, int, int] | None = None
    regions: np.ndarray | None = None
    region_names: dict[int, str] = field(default_factory=dict)
    lines: Sequence[np.ndarray] = ()


@dataclass(frozen=True, eq=False)
class Panel:
    """One image of a picture: an array (K, J, I) with title and window; no bar where there is no unit to tell."""

    title: str
    array: np.ndarray
    window: tuple[float, float]
    unit: str | None = None
    colors: str = "gray"


def map_figure(
    maps: dict[str, np.ndarray],
    view: View,
    *,
    truth: dict[str, np.ndarray] | None = None,
    body: np.ndarray | None = None,
    picture_format: str = "png",
) -> bytes:
    """Return a picture of slices through any number of maps, each with title, window, and a bar with its unit.

    Parameters
    ----------
    maps : dict of (K, J, I) array
        Maps by the name of their quantity; a name that is no quantity becomes the title. What is not a number is not
        drawn.
    view : View
        Where the slices lie.
    truth : dict of (K, J, I) array, optional
        Known truth by the same names, shown below its map in the same window.
    body : (K, J, I) bool array, optional
        Outside of it maps in color are not drawn, so that a zero there is not taken for a value.
    picture_format : {"png", "svg"}
        The same maps give the same bytes.

    Raises
    ------
    InputError
        If matplotlib is missing.
    """
    truth = truth or {}
    names = list(maps)
    # Rows are filled alike: five maps are three and two.
    columns = -(-len(names) // -(-len(names) // _MOST_COLUMNS))
    rows = []
    for start in range(0, len(names), columns):
        chosen = names[start : start + columns]
        measured = [map_panel(name, maps[name], body) for name in chosen]
        true = [
            replace(map_panel(name, truth[name], body), title="Truth", window=panel.window) if name in truth else None
            for name, panel in zip(chosen, measured, strict=True)
        ]
        rows += [measured, true] if any(true) else [measured]
    return panels_figure(rows, view, picture_format)


def compare_inversions(
    chi_maps: dict[str, np.ndarray],
    mip: np.ndarray,
    view: View,
    *,
    truth: np.ndarray | None = None,
    window: tuple[float, float] | None = None,
    picture_format: str = "png",
) -> bytes:
    """Return a picture of the dipole inversions side by side in one window, beside the echo MIP (paper: figure 2).

    Parameters
    ----------
    chi_maps : dict of (K, J, I) array
        Susceptibility in ppm by the name of the inversion.
    mip : (K, J, I) array
        Maximum over echoes of the magnitude.
    view : View
        Where the slices lie.
    truth : (K, J, I) array, optional
        Known susceptibility in ppm, with the reference of the maps.
    window : (low, high), optional
        In ppm; that of the quantity by default.
    picture_format : {"png", "svg"}
        The same maps give the same bytes.

    Raises
    ------
    InputError
        If matplotlib is missing.
    """
    shown = {INVERSION_TITLES.get(name, name): chi for name, chi in chi_maps.items()}
    if truth is not None:
        shown["Truth"] = truth
    panels = [map_panel("mip", mip)]
    for title, chi in shown.items():
        panel = map_panel("chi", chi)
        panels.append(replace(panel, title=f"{title} χ", window=window or panel.window))
    return panels_figure([panels], view, picture_format)


def panels_figure(
    rows: Sequence[Sequence[Panel | None]],
    view: View,
    picture_format: str = "png",
    *,
    charts: Sequence[Callable] = (),
) -> bytes:
    """Return a picture of rows of panels, each row once for every plane of the view.

    Parameters
    ----------
    rows : sequence of sequence of Panel or None
        From top to bottom and from left to right; None leaves its place empty.
    view : View
        Where the slices lie.
    picture_format : {"png", "svg"}
        The same panels give the same bytes.
    charts : sequence of callable
        Each draws on the axes that it is given; they lie side by side above the slices.

    Raises
    ------
    InputError
        If matplotlib is missing.
    """
    shape = next(panel.array.shape for row in rows for panel in row if panel is not None)
    extents = {plane: _extent(shape, view.affine, plane) for plane in view.planes}
    scale = _SLICE / max(side for extent in extents.values() for side in extent)
    width = scale * max(extent[1] for extent in extents.values())
    if any(panel is not None and panel.unit is not None for row in rows for panel in row):
        width += _BAR_GAP + _BAR + _BAR_TEXT
    styles = _region_styles(view)
    columns = max(map(len, rows))
    page = columns * (width + _MARGIN) + _MARGIN
    legend_columns = max(1, int((page - 2 * _MARGIN) / _legend_width(view, styles))) if styles else 1
    height = len(rows) * sum(_HEAD + scale * extent[0] + _MARGIN for extent in extents.values()) + _MARGIN
    height += _LINE * -(-len(styles) // legend_columns)
    top_of_slices = height - _MARGIN
    height += _CHART * bool(charts)

    def draw(figure):
        figure.set_facecolor(DARK)
        _draw_charts(figure, charts)
        top = top_of_slices
        for row, plane in ((row, plane) for row in rows for plane in view.planes):
            top -= _HEAD + scale * extents[plane][0]
            for column, panel in enumerate(row):
                if panel is not None:
                    left = _MARGIN + column * (width + _MARGIN)
                    _draw_panel(figure, panel, view, plane, corner=(left, top), cell=width, scale=scale, styles=styles)
            top -= _MARGIN
        if styles:
            _draw_legend(figure, view, styles, legend_columns)

    return render(draw, (page, height), picture_format, layout=None)


def map_panel(name: str, array: np.ndarray, body: np.ndarray | None = None) -> Panel:
    """Return a map as a panel, by the name of its quantity; `map_figure` says how."""
    array = np.asarray(array)
    window = display_window(name, array)
    quantity = ALL_QUANTITIES.get(name)
    if quantity is None:
        return Panel(name, array, window, "")
    if body is not None and quantity.colors != "gray":
        array = np.where(body, array, np.nan)
    title = "Susceptibility χ" if name == "chi" else quantity.title
    return Panel(title, array, window, quantity.unit, quantity.colors)


def _oriented(array, view, plane):
    """Slice with superior (or anterior) up, and anterior (or the patient's right) on the left."""
    array = np.asarray(array)
    reorientation = Reorientation.to_ras(view.affine, array.shape)
    axis = _PLANES[plane][0]
    old_axis = reorientation.order[axis]
    index = array.shape[old_axis] // 2 if view.voxel is None else view.voxel[old_axis]
    if reorientation.flips[axis]:
        index = array.shape[old_axis] - 1 - index
    return reorientation.apply(array).take(index, axis=axis)[::-1, ::-1]


def _on_slice(points, shape, view, plane):
    """Where points in RAS mm lie on a slice, in mm from its left and from its upper edge, (N,) each."""
    reorientation = Reorientation.to_ras(view.affine, shape)
    affine = reorientation.apply_affine(view.affine)
    index = np.linalg.solve(affine[:3, :3], (np.asarray(points) - affine[:3, 3]).T)[::-1]
    y, x = (
        size * (shape[reorientation.order[axis]] - 0.5 - index[axis])
        for axis, size in enumerate(voxel_size(affine))
        if axis != _PLANES[plane][0]
    )
    return x, y


def _extent(shape, affine, plane):
    """Height and width in mm of the slices of an array."""
    reorientation = Reorientation.to_ras(affine, shape)
    sizes = voxel_size(reorientation.apply_affine(affine))
    return tuple(
        shape[reorientation.order[axis]] * size for axis, size in enumerate(sizes) if axis != _PLANES[plane][0]
    )


def _draw_panel(figure, panel, view, plane, *, corner, cell, scale, styles):
    """Draw one slice with its title above and its bar on the right; all lengths on the page are in inches."""
    page = np.tile(figure.get_size_inches(), 2)
    left, bottom = corner
    height, width = extent = _extent(panel.array.shape, view.affine, plane)
    axes = figure.add_axes(np.array([left, bottom, scale * width, scale * height]) / page)
    axes.set_axis_off()
    image = axes.imshow(
        np.ma.masked_invalid(_oriented(panel.array, view, plane).astype(np.float64)),
        cmap=color_map(panel.colors),
        vmin=panel.window[0],
        vmax=panel.window[1],
        extent=(0, width, height, 0),
        interpolation="none",
    )
    title = panel.title if len(view.planes) == 1 else f"{panel.title}, {plane}"
    text = figure.text(left / page[0], (bottom + scale * height + 0.06) / page[1], title, color=LIGHT, fontsize=9)
    _fit(text, figure, cell)
    _draw_outlines(axes, view, plane, extent, styles)
    for number, points in enumerate(view.lines):
        look = {"color": line_style(number)["color"], "path_effects": _stroke(3), "gid": f"line-{number}"}
        axes.plot(*_on_slice(points, panel.array.shape, view, plane), linewidth=1.6, **look)
    _draw_letters(axes, *_PLANES[plane][1:])
    _draw_scale_bar(axes, height, width)
    if panel.unit is not None:
        bar_left = left + scale * width + _BAR_GAP
        _draw_bar(figure.add_axes(np.array([bar_left, bottom, _BAR, scale * height]) / page), image, panel.unit)


def _draw_charts(figure, charts):
    """Draw charts side by side on a white strip at the top of the page."""
    from matplotlib.patches import Rectangle

    page, (left, below, right, above) = figure.get_size_inches(), _CHART_MARGINS
    if charts:
        strip = (0, page[1] - _CHART) / page, *(page[0], _CHART) / page
        figure.add_artist(Rectangle(*strip, transform=figure.transFigure, facecolor="white", zorder=-1))
    width = page[0] / max(len(charts), 1)
    for number, draw in enumerate(charts):
        place = (number * width + left, page[1] - _CHART + below, width - left - right, _CHART - below - above)
        draw(figure.add_axes(np.array(place) / np.tile(page, 2)))


def _fit(text, figure, width):
    """Make a text smaller that is wider than its place."""
    found = text.get_window_extent().width / figure.dpi
    if found > width:
        text.set_fontsize(text.get_fontsize() * width / found)


def _stroke(width):
    """Keep letters and lines readable on an image of any gray."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=width, foreground=DARK)]


def _draw_letters(axes, top, left):
    look = {"transform": axes.transAxes, "color": LIGHT, "fontsize": 7, "path_effects": _stroke(1.6)}
    axes.text(0.5, 0.99, top, ha="center", va="top", **look)
    axes.text(0.015, 0.5, left, ha="left", va="center", **look)


def _draw_scale_bar(axes, height, width):
    length = _round_length(0.3 * width)
    label = f"{length:g} mm" if length < 10 else f"{length / 10:g} cm"
    right, at = 0.96 * width, height - 0.04 * max(height, width)
    ends, look = [right - length, right], {"solid_capstyle": "butt", "path_effects": _stroke(3)}
    axes.plot(ends, [at, at], color=LIGHT, linewidth=1.4, gid="scale-bar", **look)
    look = {"ha": "center", "va": "bottom", "path_effects": _stroke(1.6)}
    axes.text(right - length / 2, at - 0.01 * max(height, width), label, color=LIGHT, fontsize=6, **look)


def _round_length(most):
    """Largest length of 1, 2 or 5 times a power of ten that is not longer."""
    power = 10.0 ** np.floor(np.log10(most))
    return float(power * max(step for step in (1, 2, 5) if step * power <= most * (1 + 1e-9)))


def _draw_bar(axes, image, unit):
    low, high = image.get_clim()
    ramp = np.linspace(high, low, 256)[:, None]
    axes.imshow(ramp, cmap=image.cmap, vmin=low, vmax=high, extent=(0, 1, low, high), aspect="auto")
    # The unit stands between the numbers; a low bar has no place for the one in the middle.
    height = axes.get_position().height * axes.figure.get_size_inches()[1]
    ticks, place = ((low, (low + high) / 2, high), 0.75) if height > _LOW_BAR else ((low, high), 0.5)
    axes.set_xticks([])
    axes.yaxis.tick_right()
    axes.set_yticks(ticks, [_number(value) for value in ticks])
    # Inside the height of the bar, not to touch what lies above and below.
    for label, alignment in zip(
        (axes.get_yticklabels()[0], axes.get_yticklabels()[-1]), ("bottom", "top"), strict=True
    ):
        label.set_verticalalignment(alignment)
    axes.tick_params(length=0, pad=3, labelsize=7, labelcolor=LIGHT)
    if unit:
        offset = {"textcoords": "offset points", "xytext": (3, 0)}
        axes.annotate(f"[{unit}]", (1, place), xycoords="axes fraction", va="center", color=LIGHT, fontsize=7, **offset)
    for edge in axes.spines.values():
        edge.set_visible(False)


def _number(value):
    text = f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return text.replace("-", "−")


def _region_styles(view):
    """Color of each region that a slice shows; the second round of colors is dashed."""
    if view.regions is None:
        return {}
    present = [np.unique(_oriented(view.regions, view, plane)) for plane in view.planes]
    shown = set(np.concatenate(present).tolist()) - {0}
    labels = sorted(set(np.unique(view.regions).tolist()) - {0})
    return {label: outline_style(number) for number, label in enumerate(labels) if label in shown}


def _draw_outlines(axes, view, plane, extent, styles):
    if not styles:
        return
    # A rim of nothing, so that the outline of a region that the image cuts is closed.
    labels = np.pad(_oriented(view.regions, view, plane), 1)
    y, x = ((np.arange(n) - 0.5) * side / (n - 2) for n, side in zip(labels.shape, extent, strict=True))
    for label, style in styles.items():
        inside = labels == label
        if inside.any():
            lines = axes.contour(x, y, inside, [0.5], colors=style["color"], linestyles=style["linestyle"])
            lines.set(linewidth=0.9, gid=f"region-{label}")
    axes.set(xlim=(0, extent[1]), ylim=(extent[0], 0))


def _region_name(view, label):
    return view.region_names.get(label, str(label))


def _legend_width(view, styles):
    return 0.5 + _LETTER * max(len(_region_name(view, label)) for label in styles)


def _draw_legend(figure, view, styles, columns):
    from matplotlib.lines import Line2D

    page = figure.get_size_inches()
    handles = [
        Line2D([], [], linewidth=1.6, label=_region_name(view, label), **style) for label, style in styles.items()
    ]
    figure.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(_MARGIN / page[0], 0.5 * _MARGIN / page[1]),
        ncols=columns,
        frameon=False,
        labelcolor=LIGHT,
        borderpad=0,
        borderaxespad=0,
        handlelength=1.6,
    )
