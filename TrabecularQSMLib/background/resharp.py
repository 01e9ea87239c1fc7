"""RESHARP: the least local field whose mean-value property fails as that of the total field does."""

import numpy as np
from scipy.sparse.linalg import LinearOperator

from ..errors import InputError
from ..inversion.grid import Grid
from ..kernels import convolve
from ..methods import Background
from ..progress import Progress, report
from ..solvers import conjugate_gradients
from .spheres import fits, sphere_kernel

# Tikhonov weight of the local field, as in the paper.
TIKHONOV = 5e-3


def resharp(
    total_field: np.ndarray,
    mask: np.ndarray,
    voxel_size,
    *,
    radius: float = 5.0,
    tikhonov: float = TIKHONOV,
    tolerance: float = 4e-4,
    progress: Progress | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the local field by regularization-enabled harmonic artifact reduction, and where it holds.

    Parameters and results are those of `background.remove`; in the interior the whole sphere lies in the mask. And:

    Parameters
    ----------
    radius : float
        Of the sphere in mm, at least the voxel's longest edge; the interior is by so much smaller than the mask.
    tikhonov : float
        α.
    tolerance : float
        Relative residual of the normal equations at which conjugate gradients stop.

    Raises
    ------
    InputError
        If the sphere does not fit into the mask.

    Notes
    -----
    Minimizes ``‖M C (f − u)‖² + α ‖u‖²`` with ``C = 1 − ρ`` for the mean ρ over a sphere and M where it fits:
    ``(C M C + α) u = C M C f``.

    References
    ----------
    Sun & Wilman, MRM 2014, doi 10.1002/mrm.24765.
    """
    mask = np.asarray(mask, bool)
    radius = max(radius, *voxel_size)
    grid = Grid.around(mask, tuple(2 + int(np.ceil(radius / h)) for h in voxel_size)) if mask.any() else None
    inside = None if grid is None else grid.put(mask)
    kernel = None if grid is None else sphere_kernel(inside.shape, voxel_size, radius)
    interior = np.zeros(mask.shape, bool) if grid is None else fits(kernel, inside)
    if not interior.any():
        raise InputError(
            f"A sphere of {radius:g} mm does not fit into the mask (image of {mask.shape[::-1]} voxels); acquire more "
            "slices, enlarge the mask, lower background_radius, or stop after the field map."
        )
    field = grid.put(np.where(mask, total_field, 0).astype(np.float32))
    kernel = 1 - kernel
    right = convolve(kernel, interior * convolve(kernel, field)).ravel()
    norm = np.linalg.norm(right)
    if norm == 0:
        return np.zeros(mask.shape, np.float32), grid.take(interior)
    alpha, message = np.float32(tikhonov), "Removing the background field (RESHARP)"

    def apply(vector):
        local = vector.reshape(field.shape)
        return (convolve(kernel, interior * convolve(kernel, local)) + alpha * local).ravel()

    operator = LinearOperator((field.size, field.size), matvec=apply, dtype=np.float32)
    options = {"tolerance": tolerance, "iterations": 1000, "what": "RESHARP", "message": message}
    solution = conjugate_gradients(operator, right, **options, progress=progress)
    local = np.where(interior, solution.reshape(field.shape), 0).astype(np.float32)
    report(progress, 1.0, message)
    return grid.take(local), grid.take(interior)


METHOD = Background(
    resharp,
    title="RESHARP",
    solves="‖M (1 − ρ) * (f − u)‖² + 0.005 ‖u‖², ρ a sphere's mean, M where it lies in the mask; u is the local field",
    test="test_background_spheres.RESHARPTest",
    reference="Sun & Wilman, MRM 2014, doi 10.1002/mrm.24765",
    options={"radius": "background_radius", "tolerance": "background_tolerance"},
)
