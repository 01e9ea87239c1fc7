"""Picture of how values are distributed in regions."""

from collections.abc import Mapping

import numpy as np

from ..quantities import ALL_QUANTITIES
from .style import outline_style, render

_BINS = 60


def histogram_figure(maps: Mapping[str, np.ndarray], regions: Mapping[str, np.ndarray]) -> bytes:
    """Return a picture with one histogram for each map, of all regions over each other.

    Parameters
    ----------
    maps : mapping of quantity name to (K, J, I) array
        From left to right.
    regions : mapping of name to (K, J, I) bool array
        Regions, or what else values are taken from, such as the mask.

    Raises
    ------
    InputError
        If matplotlib is missing.
    """

    def draw(figure):
        axes = np.atleast_1d(figure.subplots(1, len(maps)))
        for axis, (name, array) in zip(axes, maps.items(), strict=True):
            quantity = ALL_QUANTITIES[name]
            values = {region: array[inside & np.isfinite(array)] for region, inside in regions.items()}
            known = np.concatenate(list(values.values()))
            low, high = np.percentile(known, (0.5, 99.5)) if known.size else (0.0, 1.0)
            edges = np.linspace(low, max(high, low + 1e-6), _BINS + 1)
            for number, (region, some) in enumerate(values.items()):
                density = np.histogram(some, edges)[0] / max(some.size, 1)
                axis.stairs(density, edges, label=region, **outline_style(number))
            axis.set(title=quantity.title, xlabel=f"[{quantity.unit}]" if quantity.unit != "1" else "", yticks=[])
        if len(regions) > 1:
            figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)

    return render(draw, (3.2 * len(maps), 2.9))
