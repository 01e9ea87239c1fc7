"""Picture of an L-curve: discrepancy over λ, data term against regularizer, region means over λ."""

import io

import numpy as np

from ..inversion.lcurve import LCurve
from .style import require_matplotlib


def lcurve_png(curve: LCurve, title: str) -> bytes:
    """Return a PNG with the discrepancy over λ (the paper's Fig. S2), the L-curve, and region means if given."""
    require_matplotlib()
    from matplotlib.figure import Figure

    panels = 3 if curve.region_means else 2
    figure = Figure(figsize=(4.8 * panels, 4.2), layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots(1, panels)
    corner = curve.regularization.tolist().index(curve.best)

    axes[0].loglog(curve.regularization, curve.discrepancy, "o-", markersize=4)
    axes[0].set(title="Discrepancy", xlabel="λ", ylabel="‖Dχ − f‖² [ppm²]")

    data_term, regularizer = np.log10(curve.data_term), np.log10(curve.regularizer)
    axes[1].plot(data_term, regularizer, "o-", markersize=4)
    axes[1].plot(data_term[corner], regularizer[corner], "rs", label=f"largest curvature: λ = {curve.best:.3g}")
    axes[1].set(title="L-curve", xlabel="log₁₀ data term", ylabel="log₁₀ regularizer")
    axes[1].legend()

    if curve.region_means:
        for name, means in curve.region_means.items():
            axes[2].semilogx(curve.regularization, means, "o-", markersize=3, label=name)
        axes[2].set(title="Region means", xlabel="λ", ylabel="χ [ppm]")
        axes[2].legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    for axis in (axes[0], axes[2]) if curve.region_means else (axes[0],):
        axis.axvline(curve.best, color="red", linewidth=0.8)
    for axis in axes:
        axis.grid(True, alpha=0.3)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=120, metadata={"Software": None})
    return file.getvalue()
