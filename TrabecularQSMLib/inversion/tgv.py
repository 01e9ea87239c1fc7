"""Second-order total generalized variation: χ that rises evenly, as in marrow, costs only where its slope changes."""

import numpy as np

from ..methods import Inversion
from ..progress import Progress
from .splitting import Problem, solve

# Slopes that change over less than about this length [mm] cost more than the steps that they replace: two voxels of
# the paper's 1.5 mm, the usual ratio of 2 in voxels.
LENGTH_MM = 3.0
# W_g of links beyond the interior (`weights.beyond_interior`).
BEYOND = 0.015


def tgv(
    local_field: np.ndarray,
    voxel_size,
    *,
    b0_direction,
    regularization: float,
    data_weight: np.ndarray,
    edge_weight: np.ndarray,
    variation: str = "anisotropic",
    weak_harmonic: float = 0.0,
    tolerance: float = 2.5e-3,
    iterations: int = 200,
    progress: Progress | None = None,
) -> np.ndarray:
    """Return the χ of the least ``‖W_d (Dχ − f)‖² + λ (‖W_g (∇χ − w)‖₁ + ℓ ‖W_g Ew‖₁)``, (K, J, I) float32.

    Parameters are those of `inversion.invert`, and those of `medi_tv`; an iteration takes five FFT pairs.

    Notes
    -----
    w is a smooth field of slopes, E its symmetrized gradient and ℓ `LENGTH_MM`. On edges (W_g small) χ may step and its
    slope may change.

    References
    ----------
    Bredies et al., SIAM J Imaging Sci 2010, doi 10.1137/090769521; Langkammer et al., NeuroImage 2015,
    doi 10.1016/j.neuroimage.2015.02.041; the solver is that of `splitting.solve`.
    """
    problem = Problem(
        np.asarray(local_field, np.float32),
        voxel_size,
        b0_direction,
        np.asarray(data_weight, np.float32),
        np.asarray(edge_weight, np.float32),
        regularization,
        isotropic=variation == "isotropic",
        harmonic=weak_harmonic,
        second_order_mm=LENGTH_MM,
    )
    return solve(
        problem, tolerance=tolerance, iterations=iterations, message="Inverting the field (TGV)", progress=progress
    )


METHOD = Inversion(
    tgv,
    title="Total generalized variation (TGV)",
    solves="‖W_d (Dχ − f)‖² + λ (‖W_g (∇χ − w)‖₁ + ℓ ‖W_g Ew‖₁) over χ and w, by ADMM; "
    f"with soft edges W_g of links beyond the interior is {BEYOND}",
    test="test_inversion_splitting.TotalVariationTest",
    reference="Bredies et al., SIAM J Imaging Sci 2010, doi 10.1137/090769521",
    options={
        "variation": "variation",
        "weak_harmonic": "weak_harmonic",
        "tolerance": "inversion_tolerance",
        "iterations": "inversion_iterations",
    },
    power=1,
    weighted=True,
    regularization=0.01,
    beyond=BEYOND,
    effort=1.1,
)
