"""Pictures of L-curves: discrepancy over λ, data term against regularizer, region means over λ, χ at some λ."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..inversion import METHODS
from ..inversion.lcurve import LCurve
from .maps import INVERSION_TITLES, View, map_panel, panels_figure
from .style import label_logarithmic, line_style, render


def lcurve_figure(curve: LCurve, title: str, picture_format: str = "png") -> bytes:
    """Return a picture of the discrepancy over λ (the paper's Fig. S2), the L-curve, and region means if given.

    Parameters
    ----------
    curve : LCurve
        The inversion over λ.
    title : str
        Such as the case and the inversion.
    picture_format : {"png", "svg"}
        The same curve gives the same bytes.

    Raises
    ------
    InputError
        If matplotlib is missing.
    """
    panels = 3 if curve.region_means else 2

    def draw(figure):
        figure.suptitle(title)
        axes = figure.subplots(1, panels)
        _draw_curve(axes[0], axes[1], curve)
        if curve.region_means:
            for number, (name, means) in enumerate(curve.region_means.items()):
                axes[2].semilogx(curve.regularization, means, markersize=3, label=name, **line_style(number))
            label_logarithmic(axes[2].xaxis)
            axes[2].set(title="Region means", xlabel=f"λ [{_unit(curve)}]", ylabel="χ [ppm]")
            axes[2].legend(loc="center left", bbox_to_anchor=(1, 0.5))
        for axis in (axes[0], *axes[2:]):
            axis.axvline(curve.best, color="C1", linewidth=0.8)
        for axis in axes:
            axis.grid(True)

    return render(draw, (4.8 * panels, 4.2), picture_format)


def compare_lcurves(curves: Sequence[LCurve], mask: np.ndarray, view: View, picture_format: str = "png") -> bytes:
    """Return a picture of the discrepancy over λ of several inversions, and below it their χ at some λ (paper: S2).

    Parameters
    ----------
    curves : sequence of LCurve
        One for each inversion, with the `maps` that are shown.
    mask : (K, J, I) array
        Outside of it χ is not drawn.
    view : View
        Where the slices lie.
    picture_format : {"png", "svg"}
        The same curves give the same bytes.

    Raises
    ------
    InputError
        If matplotlib is missing.

    Notes
    -----
    The discrepancy of the paper counts every voxel alike, those outside the body too, and weighted inversions do not
    make it least; beside it is the data term, with the weights of each, which grows with λ.
    """

    def chart(name, title):
        def draw(axes):
            for number, curve in enumerate(curves):
                style = line_style(number)
                values, drawn = getattr(curve, name), np.isin(curve.regularization, list(curve.maps))
                axes.loglog(curve.regularization, values, markersize=3, label=_title(curve), **style)
                rings = {"linestyle": "none", "markersize": 8, "fillstyle": "none"}
                axes.loglog(curve.regularization[drawn], values[drawn], **rings, **style)
            label_logarithmic(axes.xaxis, axes.yaxis)
            axes.set(title=title, xlabel="λ, in the units below (rings: shown there)", ylabel="[ppm²]")
            axes.grid(True)
            axes.legend()

        return draw

    rows = []
    for curve in curves:
        maps = ((value, np.where(mask, chi, np.nan)) for value, chi in sorted(curve.maps.items()))
        titled = f"{_title(curve)} χ, λ {{:g}} {_unit(curve)}"
        rows.append([replace(map_panel("chi", chi), title=titled.format(value)) for value, chi in maps])
    charts = chart("discrepancy", "Discrepancy ‖Dχ − f‖²"), chart("data_term", "Data term ‖W_d (Dχ − f)‖²")
    return panels_figure(rows, view, picture_format, charts=charts)


def _title(curve):
    return INVERSION_TITLES.get(curve.method, curve.method)


def _unit(curve):
    return METHODS[curve.method].unit


def _draw_curve(left, right, curve):
    unit = _unit(curve)
    left.loglog(curve.regularization, curve.discrepancy, "o-", markersize=4)
    label_logarithmic(left.xaxis, left.yaxis)
    left.set(title="Discrepancy", xlabel=f"λ [{unit}]", ylabel="‖Dχ − f‖² [ppm²]")
    corner = curve.regularization.tolist().index(curve.best)
    data_term, regularizer = np.log10(curve.data_term), np.log10(curve.regularizer)
    right.plot(data_term, regularizer, "o-", markersize=4)
    found = f"largest curvature: λ = {curve.best:.3g} {unit}"
    right.plot(data_term[corner], regularizer[corner], "s", color="C1", label=found)
    if curve.inflection is not None:
        at = np.log(curve.inflection)
        point = [np.interp(at, np.log(curve.regularization), term) for term in (data_term, regularizer)]
        right.plot(*point, "D", color="C2", label=f"zero curvature: λ = {curve.inflection:.3g} {unit}")
    square = "²" if METHODS[curve.method].power == 2 else ""
    right.set(title="L-curve", xlabel="log₁₀ data term [ppm²]", ylabel=f"log₁₀ regularizer [ppm{square}/mm{square}]")
    right.legend()
