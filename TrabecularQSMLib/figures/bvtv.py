"""Picture of apparent BV/TV: each region's histogram with the levels of marrow and bone and its mean."""

from collections.abc import Sequence

import numpy as np

from ..analysis.bvtv import ApparentBVTV
from .style import render


def bvtv_figure(results: Sequence[ApparentBVTV], title: str, picture_format: str = "png") -> bytes:
    """Return a picture with one histogram for each region, all on one scale of intensities.

    Parameters
    ----------
    results : sequence of ApparentBVTV
        From top to bottom.
    title : str
        Such as the case.
    picture_format : {"png", "svg"}
        The same results give the same bytes.

    Raises
    ------
    InputError
        If matplotlib is missing.
    """

    def draw(figure):
        figure.suptitle(title)
        axes = np.atleast_1d(figure.subplots(len(results), 1, sharex=True))
        for axis, result in zip(axes, results, strict=True):
            axis.stairs(result.counts, result.edges, fill=True, color="0.75")
            for name, level, color, line in (
                ("bone", result.bone, "C1", "-"),
                ("mean", result.mean, "0.25", "--"),
                ("marrow", result.marrow, "C0", "-"),
            ):
                axis.axvline(level, color=color, linestyle=line, label=f"{name} {level:.4g}")
            axis.set_title(f"{result.region}: apparent BV/TV {result.bvtv:.3f}")
            axis.set_ylabel("Voxels")
            axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
            axis.grid(True)
        axes[-1].set_xlabel("Intensity")

    return render(draw, (7.2, 0.9 + 2.1 * len(results)), picture_format)
