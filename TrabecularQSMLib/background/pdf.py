"""PDF: the background is the field of dipoles outside the mask that fits the total field best."""

import numpy as np

from ..errors import InputError
from ..inversion.grid import Grid
from ..kernels import convolve, dipole_kernel
from ..methods import Background
from ..progress import Progress, report

# Dipoles lie up to this far beyond the mask's box.
MARGIN_MM = 30.0
MESSAGE = "Removing the background field (PDF)"


def pdf(
    total_field: np.ndarray,
    mask: np.ndarray,
    voxel_size,
    *,
    b0_direction,
    data_weight: np.ndarray,
    tolerance: float = 1e-2,
    iterations: int = 100,
    progress: Progress | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the local field by projection onto dipole fields, and the mask.

    Parameters
    ----------
    total_field : (K, J, I) array
        ppm.
    mask : (K, J, I) bool array
        Dipoles lie outside it.
    voxel_size : (3,) floats
        mm.
    b0_direction : (3,) floats
        Unit vector along k, j, i.
    data_weight : (K, J, I) array
        W, how far the field of each voxel counts.
    tolerance : float
        Conjugate gradients stop when ten iterations have lowered ``‖W (f − c − D χ)‖`` by less than this fraction.
    iterations : int
        Most iterations.

    Returns
    -------
    local_field : (K, J, I) float32 array
        ppm, zero outside the mask.
    interior : (K, J, I) bool array
        The mask.

    Raises
    ------
    InputError
        If the mask is empty.

    Notes
    -----
    Minimizes ``‖W (f − c − D χ)‖²`` over χ outside the mask and the constant c, by conjugate gradients from zero on
    the normal equations. Dipoles close to the mask can mimic sources in it, so the minimum itself is not wanted: as
    in the paper, the descent ends early.

    References
    ----------
    Liu et al., NMR Biomed 2011, doi 10.1002/nbm.1670.
    """
    mask = np.asarray(mask, bool)
    if not mask.any():
        raise InputError("The mask is empty, so no field can be fitted in it; draw it where the bone is.")
    grid = Grid.around(mask, margin(voxel_size))
    inside = grid.put(mask)
    local = without_dipoles(
        grid.put(np.where(mask, total_field, 0).astype(np.float32)),
        grid.put(np.where(mask, data_weight, 0)),
        ~inside,
        dipole_kernel(inside.shape, voxel_size, b0_direction),
        tolerance=tolerance,
        iterations=iterations,
        progress=progress,
    )
    report(progress, 1.0, MESSAGE)
    return grid.take(np.where(inside, local, 0)), mask.copy()


def margin(voxel_size) -> tuple[int, ...]:
    """Return how many voxels beyond a box may hold dipoles."""
    return tuple(int(np.ceil(MARGIN_MM / h)) for h in voxel_size)


def without_dipoles(field, weight, sources, kernel, *, tolerance, iterations, progress=None, message=MESSAGE):
    """Return ``f − c − D χ`` for the constant c and the χ within `sources` that make ``‖W (f − c − D χ)‖`` small.

    All are float32 arrays of one periodic grid, `sources` bool and `kernel` a transform; the descent is that of `pdf`.
    """
    squared = np.square(weight, dtype=np.float32)
    total = squared.sum(dtype=np.float64)
    residual = np.array(field, np.float32)
    if total == 0:
        return residual

    def weighted(values):
        """W² of values less their weighted mean: the constant is always at its best."""
        return squared * (values - np.float32(np.vdot(squared, values) / total))

    pulled = weighted(residual)
    gradient = np.where(sources, convolve(kernel, pulled), 0)
    direction, square = gradient, float(np.vdot(gradient, gradient))
    costs = [float(np.vdot(residual, pulled))]
    for iteration in range(iterations if square > 0 else 0):
        image = convolve(kernel, direction)
        residual -= np.float32(square / float(np.vdot(image, weighted(image)))) * image
        pulled = weighted(residual)
        costs.append(float(np.vdot(residual, pulled)))
        report(progress, (iteration + 1) / iterations, message)
        if len(costs) > 10 and costs[-1] >= (1 - tolerance) ** 2 * costs[-11]:
            break
        gradient = np.where(sources, convolve(kernel, pulled), 0)
        square, before = float(np.vdot(gradient, gradient)), square
        direction = gradient + np.float32(square / before) * direction
    return residual - np.float32(np.vdot(squared, residual) / total)


METHOD = Background(
    pdf,
    title="Projection onto dipole fields (PDF)",
    solves="‖W (f − c − D χ)‖² over χ outside the mask and a constant, from zero until it hardly falls",
    test="test_background.PDFTest",
    reference="Liu et al., NMR Biomed 2011, doi 10.1002/nbm.1670",
    options={"tolerance": "background_tolerance"},
    needs=("b0_direction", "data_weight"),
)
