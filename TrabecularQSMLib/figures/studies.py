"""Pictures of the statistics of studies: one panel for each region, or all regions in one."""

from collections.abc import Sequence

import numpy as np

from ..analysis.inference import NORMAL, SIGNIFICANT
from ..analysis.studies.change import Change
from ..analysis.studies.design import CHANGE
from ..analysis.studies.groups import Contrast
from ..analysis.studies.power import Plan, detectable_effect
from ..analysis.studies.ranges import NormalRange
from ..analysis.studies.repeatability import Repeatability
from .style import label_logarithmic, line_style, render

# Panels side by side, and inches between a row's labels and the titles of the next.
_ACROSS, _ROWS_APART = 3, 0.12
_FIRST, _SECOND = (line_style(number)["color"] for number in (0, 1))
_GROUP_SIZES = np.unique(np.round(np.geomspace(4, 200, 60)).astype(int))


def agreement_figure(results: Sequence[Repeatability], label: str, picture_format: str = "png") -> bytes:
    """Return Bland and Altman's picture of each region: differences over means, bias and limits with their intervals.

    Of more than two sessions each value's distance from its subject's mean is shown, and ±1.96 SD within subjects.

    Parameters
    ----------
    results : sequence of Repeatability
    label : str
        Quantity and unit.
    picture_format : {"png", "svg"}
        The same results give the same bytes.

    Raises
    ------
    InputError
        If matplotlib is missing.
    """

    def draw(axis, result):
        means = result.values.mean(axis=1)
        found = result.agreement
        if found:
            axis.plot(means, result.values @ (-1, 1), "o", color=_FIRST, markersize=4)
            lines = ((found.bias, found.bias_ci), (found.lower, found.lower_ci), (found.upper, found.upper_ci))
            for (middle, (low, high)), style in zip(lines, ("-", "--", "--"), strict=True):
                axis.axhline(middle, color="0.25", linestyle=style, linewidth=1.2)
                axis.axhspan(low, high, color="0.5", alpha=0.15, linewidth=0)
        else:
            away = result.values - means[:, None]
            axis.plot(np.repeat(means, result.sessions), away.ravel(), "o", color=_FIRST, markersize=4)
            for side in (-1, 1):
                axis.axhline(side * NORMAL * result.within_sd, color="0.25", linestyle="--", linewidth=1.2)
        axis.set_title(f"{result.region}: ICC(2,1) {result.icc_agreement:.2f}, n {result.subjects}")
        what = "second − first" if found else "distance from the subject's mean"
        axis.set(xlabel=f"mean of {label}", ylabel=what)

    return _panels(results, draw, picture_format)


def change_figure(results: Sequence[Change], label: str, picture_format: str = "png") -> bytes:
    """Return each region's subjects as lines from the first to the second session, and the mean.

    Lines of subjects whose change exceeds what is detectable stand out. Parameters as of `agreement_figure`.
    """

    def draw(axis, result):
        for first, second, least in zip(result.first, result.second, result.detectable, strict=True):
            seen = abs(second - first) > least  # not where that is not known
            axis.plot((0, 1), (first, second), "o-", color=_SECOND if seen else "0.6", markersize=3, linewidth=1)
        means = (result.first.mean(), result.second.mean())
        axis.plot((0, 1), means, "s-", color=_FIRST, markersize=6, linewidth=2.2)
        axis.set_xticks((0, 1), ("first", "second"))
        low, high = result.ci
        axis.set_title(f"{result.region}\n{result.mean:.2g} ({low:.2g} to {high:.2g}), p {result.p:.2g}")
        axis.set(ylabel=label, xlim=(-0.25, 1.25))

    return _panels(results, draw, picture_format)


def groups_figure(results: Sequence[Contrast], label: str, picture_format: str = "png") -> bytes:
    """Return the adjusted differences of all regions and groups with their intervals. As `agreement_figure`."""

    def draw(figure):
        axis = figure.subplots()
        places = np.arange(len(results))[::-1]
        for place, result in zip(places, results, strict=True):
            color = _FIRST if result.p_holm < SIGNIFICANT else "0.5"
            axis.plot(result.ci, (place, place), "-", color=color, linewidth=1.6)
            axis.plot(result.difference, place, "s", color=color, markersize=6)
        axis.axvline(0, color="0.25", linewidth=1)
        axis.set_yticks(places, [f"{one.region}\n{one.group} − {one.reference}" for one in results])
        axis.set(xlabel=f"adjusted difference of {label}", ylim=(-0.6, len(results) - 0.4))
        axis.grid(True, axis="x")

    return render(draw, (5.6, 1.2 + 0.6 * len(results)), picture_format)


def power_figure(results: Sequence[Plan], label: str, picture_format: str = "png") -> bytes:
    """Return the difference that is detectable over the number of subjects, a line a region. As `agreement_figure`."""

    def draw(figure):
        axis = figure.subplots()
        effects = {}
        for number, one in enumerate(results):
            way = {"design": one.design, "power": one.power, "alpha": one.alpha}
            if not effects:  # the same for all regions
                effects = {n: detectable_effect(int(n), **way) for n in _GROUP_SIZES}
            color = line_style(number)["color"]
            axis.plot(_GROUP_SIZES, [effects[n] * one.sd for n in _GROUP_SIZES], "-", color=color, label=one.region)
        first = results[0]
        if first.difference is not None:
            axis.axhline(abs(first.difference), color="0.25", linestyle="--", linewidth=1)
        if first.subjects is not None:
            axis.axvline(first.subjects, color="0.25", linestyle="--", linewidth=1)
        axis.set(xscale="log", yscale="log", ylabel=f"detectable difference of {label}")
        label_logarithmic(axis.xaxis, axis.yaxis)
        axis.set_xlabel("subjects" if first.design == CHANGE else "subjects of each group")
        axis.set_title(f"power {first.power:g}, α {first.alpha:g}, two-sided")
        axis.grid(True, which="both")
        axis.legend()

    return render(draw, (5.4, 4.2), picture_format)


def ranges_figure(results: Sequence[NormalRange], label: str, picture_format: str = "png") -> bytes:
    """Return each region's values with its normal range, over age where there is a trend. As `agreement_figure`."""

    def draw(axis, result):
        if result.trend:
            across = result.ages
            along = np.array([across.min(), across.max()])
            axis.set_xlabel("age [years]")
        else:
            # Side by side in the order of the tables, so that points do not hide each other.
            across = np.linspace(-0.5, 0.5, len(result.values))
            along = np.array([-0.6, 0.6])
            axis.set_xticks(())
        axis.plot(across, result.values, "o", color=_FIRST, markersize=4)
        middle = np.broadcast_to(result.at(along)[0], along.shape)
        axis.plot(along, middle, "-", color="0.25", linewidth=1.4)
        for side in (-1, 1):
            axis.plot(along, middle + side * NORMAL * result.sd, "--", color="0.25", linewidth=1.2)
        axis.set_title(f"{result.region}, n {len(result.values)}")
        axis.set_ylabel(label)

    return _panels(results, draw, picture_format)


def _panels(results, draw, picture_format):
    """One panel for each result, three side by side."""
    across = min(_ACROSS, len(results))
    down = -(-len(results) // across)

    def draw_all(figure):
        axes = np.ravel(figure.subplots(down, across, squeeze=False))
        for axis, result in zip(axes, results, strict=False):
            draw(axis, result)
            axis.grid(True)
            axis.locator_params(axis="x", nbins=4)
            axis.locator_params(axis="y", nbins=6)
        for axis in axes[len(results) :]:
            axis.set_visible(False)

        figure.get_layout_engine().set(h_pad=_ROWS_APART)

    return render(draw_all, (3.9 * across, 3.2 * down), picture_format)
