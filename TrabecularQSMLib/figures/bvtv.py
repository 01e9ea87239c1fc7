"""Picture of apparent BV/TV: each region's histogram with the levels of marrow and bone and its mean."""

import io
from collections.abc import Sequence

import numpy as np

from ..analysis.bvtv import ApparentBVTV
from .style import require_matplotlib


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
    require_matplotlib()
    import matplotlib
    from matplotlib.figure import Figure

    # Names may hold any sign, also those that matplotlib takes for formulas.
    with matplotlib.rc_context({"svg.hashsalt": "TrabecularQSM", "text.parse_math": False}):
        figure = Figure(figsize=(7.2, 0.9 + 2.1 * len(results)), layout="constrained")
        figure.suptitle(title)
        axes = np.atleast_1d(figure.subplots(len(results), 1, sharex=True))
        for axis, result in zip(axes, results, strict=True):
            axis.stairs(result.counts, result.edges, fill=True, color="0.75")
            for name, level, color in (
                ("bone", result.bone, "C3"),
                ("mean", result.mean, "0.25"),
                ("marrow", result.marrow, "C0"),
            ):
                line = "--" if name == "mean" else "-"
                axis.axvline(level, color=color, linestyle=line, label=f"{name} {level:.4g}")
            axis.set_title(f"{result.region}: apparent BV/TV {result.bvtv:.3f}", fontsize="medium")
            axis.set_ylabel("Voxels")
            axis.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
            axis.grid(True, alpha=0.3)
        axes[-1].set_xlabel("Intensity")
        file = io.BytesIO()
        # No date and no version in the file: equal results give equal bytes.
        metadata = {"Date": None} if picture_format == "svg" else {"Software": None}
        figure.savefig(file, format=picture_format, dpi=150, metadata=metadata)
    return file.getvalue()
