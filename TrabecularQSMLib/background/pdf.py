"""PDF: the background is the field of a shim and of dipoles outside the mask that fits the total field best."""

import numpy as np
from scipy import ndimage

from ..errors import InputError
from ..inversion.grid import Grid
from ..methods import Background
from ..progress import Progress, report
from .outside import margin, without_outside

# Standard deviation of χ so far from the mask; it grows with the square of the distance. Near dipoles can mimic sources
# in the mask, and must be weak; far ones cannot, and have to stand for all the air around.
OUTSIDE_PPM, DISTANCE_MM = 1.0, 10.0
MESSAGE = "Removing the background field (PDF)"


def pdf(
    total_field: np.ndarray,
    mask: np.ndarray,
    voxel_size,
    *,
    b0_direction,
    data_weight: np.ndarray,
    tolerance: float = 2e-4,
    progress: Progress | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the local field by projection onto dipole fields, and the mask.

    Parameters and results are those of `background.remove`, with W the `data_weight`. And:

    Parameters
    ----------
    tolerance : float
        Relative residual of the normal equations at which conjugate gradients stop.

    Raises
    ------
    InputError
        If the mask is empty.

    Notes
    -----
    Minimizes ``‖W (f − h − D χ)‖² / σ² + ‖χ / s‖²`` over χ outside the mask and the solid harmonics h up to second
    order, which a shim can make; σ is 0.05 ppm, and s is 1 ppm at 10 mm from the mask and grows with the square of the
    distance. In the paper, which has neither h nor s, the minimum mimics sources in the mask: the descent ends early.

    References
    ----------
    Liu et al., NMR Biomed 2011, doi 10.1002/nbm.1670.
    """
    mask = np.asarray(mask, bool)
    if not mask.any():
        raise InputError("The mask is empty, so no field can be fitted in it; draw it where the bone is.")
    grid = Grid.around(mask, margin(voxel_size))
    inside = grid.put(mask)
    local = without_outside(
        grid.put(np.where(mask, total_field, 0).astype(np.float32)),
        grid.put(np.where(mask, data_weight, 0)),
        _spread(inside, voxel_size),
        voxel_size,
        b0_direction=b0_direction,
        tolerance=tolerance,
        message=MESSAGE,
        progress=progress,
    )
    report(progress, 1.0, MESSAGE)
    return grid.take(np.where(inside, local, 0)), mask.copy()


def _spread(inside, voxel_size):
    """Standard deviation of χ outside the mask, in ppm."""
    distance = ndimage.distance_transform_edt(~inside, sampling=voxel_size)
    return (OUTSIDE_PPM * np.square(distance / DISTANCE_MM)).astype(np.float32)


METHOD = Background(
    pdf,
    title="Projection onto dipole fields (PDF)",
    solves="‖W (f − h − D χ)‖² / 0.05² + ‖χ / s‖² over χ outside the mask and second-order solid harmonics h; s is "
    "1 ppm at 10 mm from the mask and grows with the square of the distance",
    test="test_background_outside.PDFTest",
    reference="Liu et al., NMR Biomed 2011, doi 10.1002/nbm.1670",
    options={"tolerance": "background_tolerance"},
    needs=("b0_direction", "data_weight"),
)
