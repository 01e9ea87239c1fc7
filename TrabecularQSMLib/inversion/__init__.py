"""Dipole inversion: from local field to susceptibility. One method a file; `METHODS` holds them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..progress import Progress
from .closed_form import closed_form
from .medi_l2 import medi_l2
from .medi_tv import medi_tv


@dataclass(frozen=True)
class Method:
    """An inversion: its function, the power p of its regularizer, and whether it takes weights and iterates."""

    solve: Callable[..., np.ndarray]
    power: int
    weighted: bool


METHODS = {
    "closed-form": Method(closed_form, power=2, weighted=False),
    "medi-l2": Method(medi_l2, power=2, weighted=True),
    "medi-tv": Method(medi_tv, power=1, weighted=True),
}


def invert(
    local_field: np.ndarray,
    voxel_size,
    *,
    method: str,
    b0_direction,
    regularization: float,
    data_weight: np.ndarray,
    edge_weight: np.ndarray,
    tolerance: float | None = None,
    iterations: int | None = None,
    progress: Progress | None = None,
) -> np.ndarray:
    """Return χ in ppm from the local field by a method of `METHODS`, (K, J, I) float32.

    Methods without weights ignore `data_weight` and `edge_weight`; without `tolerance` and `iterations` each method
    has its own. The grid is periodic; `grid.Grid` can pad it.
    """
    chosen = METHODS[method]
    options = {"b0_direction": b0_direction, "regularization": regularization}
    if chosen.weighted:
        options |= {"data_weight": data_weight, "edge_weight": edge_weight, "progress": progress}
        stopping = {"tolerance": tolerance, "iterations": iterations}
        options |= {name: value for name, value in stopping.items() if value is not None}
    return chosen.solve(local_field, voxel_size, **options)
