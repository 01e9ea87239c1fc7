"""Total-field inversion: χ and what lies outside the body at once, without background removal."""

import numpy as np
from scipy.ndimage import binary_fill_holes

from ..methods import Inversion
from ..progress import Progress
from .splitting import Problem, solve

# Outside the body χ may vary this many times as strongly for the same cost: air against tissue is 9 ppm, tissues
# differ by tenths. It plays the part of the preconditioner of Liu et al.
OUTSIDE = 30.0
# β in mm⁴: the field of a shim and of what lies beyond the grid is harmonic in the body.
HARMONIC = 1000.0


def total_field(
    local_field: np.ndarray,
    voxel_size,
    *,
    b0_direction,
    regularization: float,
    data_weight: np.ndarray,
    edge_weight: np.ndarray,
    variation: str = "anisotropic",
    tolerance: float = 2.5e-3,
    iterations: int = 300,
    progress: Progress | None = None,
) -> np.ndarray:
    """Return the χ of the least ``‖W_d (Dχ + h − f)‖² + λ ‖P⁻¹ W_g ∇χ‖₁ + β ‖M Δh‖²``, (K, J, I) float32.

    Parameters are those of `inversion.invert`, with the total field in place of the local one, and those of `medi_tv`;
    an iteration takes three FFT pairs.

    Notes
    -----
    M, the body, is where W_d is not 0 and what that encloses; P is 1 in it and `OUTSIDE` outside and across
    its surface. Sources outside make the near background; h, harmonic in M, takes up the shim and
    what lies beyond the grid.

    References
    ----------
    Liu et al., MRM 2017, doi 10.1002/mrm.26331; Boehm et al., MRM 2022, doi 10.1002/mrm.28903; Milovic et al., MRM
    2019, doi 10.1002/mrm.27483; the solver is that of `splitting.solve`.
    """
    field, weight = np.asarray(local_field, np.float32), np.asarray(data_weight, np.float32)
    body = binary_fill_holes(weight > 0)
    within = body.copy()
    for axis in range(3):
        # Links are forward differences: those to a voxel outside cross the surface.
        within &= np.roll(body, -1, axis)
    total = float(weight.sum(dtype=np.float64))
    if total > 0:
        # A constant is harmonic, so this changes the start and not the end.
        field = np.where(body, field - np.float32(np.vdot(weight, field) / total), 0)
    problem = Problem(
        field,
        voxel_size,
        b0_direction,
        weight,
        np.where(within, edge_weight, np.asarray(edge_weight) / OUTSIDE).astype(np.float32),
        regularization,
        isotropic=variation == "isotropic",
        harmonic=HARMONIC,
        inside=body,
    )
    return solve(
        problem,
        tolerance=tolerance,
        iterations=iterations,
        message="Inverting the field (total field)",
        progress=progress,
    )


METHOD = Inversion(
    total_field,
    title="Total-field inversion",
    solves="‖W_d (Dχ + h − f)‖² + λ ‖P⁻¹ W_g ∇χ‖₁ + β ‖M Δh‖² over χ and h, f the total field, by ADMM",
    test="test_inversion_splitting.TotalFieldTest",
    reference="Liu et al., MRM 2017, doi 10.1002/mrm.26331; Boehm et al., MRM 2022, doi 10.1002/mrm.28903",
    options={"variation": "variation", "tolerance": "inversion_tolerance", "iterations": "inversion_iterations"},
    power=1,
    weighted=True,
    total=True,
    regularization=0.01,
    effort=1.5,
)
