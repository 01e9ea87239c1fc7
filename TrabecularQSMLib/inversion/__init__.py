"""Dipole inversion: from local field to susceptibility. One method a file, each ending with its record `METHOD`."""

from collections.abc import Callable

import numpy as np

from ..kernels import convolve, dipole_kernel
from ..progress import Progress
from . import closed_form, medi_l2, medi_tv, medi_tv_nesterov, tgv, total_field

# One line a method; menus and flags have this order.
METHODS = {
    "closed-form": closed_form.METHOD,
    "medi-l2": medi_l2.METHOD,
    "medi-tv": medi_tv.METHOD,
    "medi-tv-nesterov": medi_tv_nesterov.METHOD,
    "tgv": tgv.METHOD,
    "total-field": total_field.METHOD,
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
    prior: np.ndarray | None = None,
    renewed: Callable[[np.ndarray, Progress | None], np.ndarray] | None = None,
    progress: Progress | None = None,
    **options,
) -> np.ndarray:
    """Return χ in ppm from the local field by a method of `METHODS`, (K, J, I) float32.

    This is also the form of the methods themselves, without `method`; those that are not weighted have no weights.

    Parameters
    ----------
    local_field : (K, J, I) array
        ppm, zero where unknown; for methods that are `total`, the total field. The grid is periodic; `grid.Grid` can
        pad it.
    voxel_size : (3,) floats
        mm.
    method : str
        Name in `METHODS`.
    b0_direction : (3,) floats
        Unit vector along k, j, i.
    regularization : float
        λ, in mm² where the method's power is 2, in ppm·mm where it is 1.
    data_weight : (K, J, I) array
        W_d, 0 to 1; methods without weights ignore it.
    edge_weight : (K, J, I) or (3, K, J, I) array
        W_g, 0 to 1, of each voxel, or of the link from each to the next along k, j and i.
    prior : (K, J, I) array, optional
        ppm; what is regularized is χ less this.
    renewed : callable, optional
        Of methods that go rounds: ``renewed(chi, progress)`` is the local field of the next round, by the χ of one.
    progress : callable, optional
        ``progress(fraction, message)``; what it raises stops the inversion.
    **options
        Of the method alone, such as `tolerance` and `iterations`; it has a default for each.
    """
    chosen = METHODS[method]
    if chosen.weighted:
        options |= {"data_weight": data_weight, "edge_weight": edge_weight}
    if prior is not None:
        of_prior = convolve(dipole_kernel(np.shape(local_field), voxel_size, b0_direction), prior)
        local_field = local_field - of_prior
    if renewed is not None:
        options["renewed"] = renewed
        if prior is not None:
            options["renewed"] = lambda chi, progress: renewed(chi + prior, progress) - of_prior
    chi = chosen.function(
        local_field,
        voxel_size,
        b0_direction=b0_direction,
        regularization=regularization,
        progress=progress,
        **options,
    )
    return chi if prior is None else chi + prior
