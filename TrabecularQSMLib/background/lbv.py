"""LBV: the background field is the harmonic function with the total field's values on the mask's surface."""

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.linalg import LinearOperator, splu

from ..errors import InputError
from ..methods import Background
from ..progress import Progress, report
from ..solvers import conjugate_gradients

# Voxels along an edge of the blocks of which one value each is solved for directly.
BLOCK = 6


def lbv(
    total_field: np.ndarray, mask: np.ndarray, voxel_size, *, tolerance: float = 1e-6, progress: Progress | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the local field by the Laplacian boundary value method, and where it holds.

    Parameters and results are those of `background.remove`; the interior are voxels of the mask whose six neighbors all
    lie in it and in the image. And:

    Parameters
    ----------
    tolerance : float
        Relative residual at which conjugate gradients stop.

    Raises
    ------
    InputError
        If the mask has no interior.

    Notes
    -----
    The background is harmonic inside the mask. It is taken to be the harmonic function that equals the total field
    on the mask's outermost layer, so the local field u solves Δu = Δf inside with u = 0 on that layer (7-point
    Laplacian with true voxel sizes, float64). Local field on that layer is thereby taken for background. Conjugate
    gradients would need about as many iterations as the mask is wide; with the means of blocks solved for directly in
    each, the block's width counts instead.

    References
    ----------
    Zhou et al., NMR Biomed 2014, doi 10.1002/nbm.3064; Nicolaides, SIAM J Numer Anal 1987, doi 10.1137/0724027.
    """
    interior = _interior(mask)
    if not interior.any():
        raise InputError(
            f"The mask has no voxel with all six neighbors inside (image of {mask.shape[::-1]} voxels); background "
            "removal needs at least three slices and a mask three voxels thick, so acquire more slices, enlarge the "
            "mask, or stop after the field map."
        )
    index = np.full(mask.shape, -1, np.int32)
    index[interior] = np.arange(np.count_nonzero(interior), dtype=np.int32)
    matrix, right = _laplace_system(np.asarray(total_field, np.float64), interior, index, voxel_size)
    norm = np.linalg.norm(right)
    local = np.zeros(mask.shape, np.float32)
    if norm == 0:
        return local, interior
    message, blocks = "Removing the background field (LBV)", _by_blocks(matrix, interior)
    options = {"tolerance": tolerance, "iterations": 20 * sum(mask.shape), "what": "LBV", "message": message}
    local[interior] = conjugate_gradients(matrix, right, **options, preconditioner=blocks, progress=progress)
    report(progress, 1.0, message)
    return local, interior


def _interior(mask):
    interior = np.array(mask, bool)
    for axis in range(3):
        moved, source = np.moveaxis(interior, axis, 0), np.moveaxis(mask, axis, 0)
        moved[[0, -1]] = False
        moved[1:-1] &= source[:-2] & source[2:]
    return interior


def _laplace_system(field, interior, index, voxel_size):
    """Return minus the Laplacian between interior voxels, and minus the Laplacian of the field there."""
    count = int(np.count_nonzero(interior))
    own = index[interior]
    right = np.zeros(count)
    rows, columns, values = [own], [own], [np.full(count, sum(2 / h**2 for h in voxel_size))]
    at = np.nonzero(interior)
    center = field[interior]
    for axis, h in enumerate(voxel_size):
        for step in (-1, 1):
            beside = tuple(a + step if n == axis else a for n, a in enumerate(at))
            right += (center - field[beside]) / h**2
            neighbor = index[beside]
            linked = neighbor >= 0
            rows.append(own[linked])
            columns.append(neighbor[linked])
            values.append(np.full(np.count_nonzero(linked), -1 / h**2))
    matrix = csr_array((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=(count, count))
    return matrix, right


def _by_blocks(matrix, interior):
    """Return the preconditioner: the diagonal's inverse plus, for what is constant in blocks, the system's own."""
    edges = [-(-n // BLOCK) for n in interior.shape]
    blocks = np.ravel_multi_index([at // BLOCK for at in np.nonzero(interior)], edges)
    used, block = np.unique(blocks, return_inverse=True)
    count = len(block)
    sums = csr_array((np.ones(count), (block, np.arange(count))), shape=(len(used), count))
    coarse, scale = splu((sums @ matrix @ sums.T).tocsc()), 1 / matrix.diagonal()

    def apply(residual):
        return scale * residual + coarse.solve(np.bincount(block, residual, len(used)))[block]

    return LinearOperator(matrix.shape, matvec=apply, dtype=np.float64)


METHOD = Background(
    lbv,
    title="Laplacian boundary value (LBV)",
    solves="Δu = Δf inside the mask, u = 0 on its outermost layer; u is the local field",
    test="test_background.LBVTest",
    reference="Zhou et al., NMR Biomed 2014, doi 10.1002/nbm.3064",
    options={"tolerance": "background_tolerance"},
)
