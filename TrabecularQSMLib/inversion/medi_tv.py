"""TV-MEDI: the paper's inversion, by ADMM."""

from collections.abc import Callable

import numpy as np

from ..methods import Inversion
from ..progress import Progress
from .splitting import Problem, solve


def medi_tv(
    local_field: np.ndarray,
    voxel_size,
    *,
    b0_direction,
    regularization: float,
    data_weight: np.ndarray,
    edge_weight: np.ndarray,
    variation: str = "anisotropic",
    weak_harmonic: float = 0.0,
    rounds: int = 1,
    renewed: Callable[[np.ndarray, Progress | None], np.ndarray] | None = None,
    tolerance: float | None = None,
    iterations: int = 500,
    progress: Progress | None = None,
) -> np.ndarray:
    """Return the χ that minimizes ``‖W_d (Dχ − f)‖² + λ ‖W_g ∇χ‖₁``, or the next in Bregman's iteration, float32.

    Parameters are those of `inversion.invert`, and:

    Parameters
    ----------
    variation : {"anisotropic", "isotropic"}
        Whether the ℓ1 norm sums the three differences of a voxel (paper) or takes their length.
    weak_harmonic : float
        β in mm⁴ of the weak-harmonic term (`splitting.Problem`): what background removal left; 0 for none.
    rounds : int
        1 for the minimizer. It has lost some of every step of χ to the ℓ1 norm; with more rounds what it leaves of the
        field is added to f, and minimized again: steps come back before noise does, and λ is to be larger.
    renewed : callable, optional
        From the χ of a round to f of the next (`splitting.solve`).
    tolerance : float, optional
        A round ends when χ where the field is known changes by less than this fraction of its deviation in one
        iteration. By default 10⁻³ of a single round, else 3·10⁻³: regions are then 7 ppb from where they settle.
    iterations : int
        Most iterations of all rounds, of two FFT pairs each.

    References
    ----------
    Equation 1 of Diefenbach et al. 2019 with p = 1; Osher et al., Multiscale Model Simul 2005, doi 10.1137/040605412
    (rounds); the solver is that of `splitting.solve`.
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
    )
    return solve(
        problem,
        rounds=rounds,
        renewed=renewed,
        tolerance=tolerance or (1e-3 if rounds == 1 else 3e-3),
        iterations=iterations,
        message="Inverting the field (TV-MEDI)",
        progress=progress,
    )


METHOD = Inversion(
    medi_tv,
    title="TV-MEDI",
    solves="‖W_d (Dχ − f)‖² + λ ‖W_g ∇χ‖₁, by ADMM; in rounds (bregman_rounds), each with what the one before left "
    "of f added to f",
    test="test_inversion_splitting.TotalVariationTest",
    reference="Liu et al., NeuroImage 2012, doi 10.1016/j.neuroimage.2011.08.082; "
    "Bilgic et al., MRM 2014, doi 10.1002/mrm.25029; "
    "Osher et al., Multiscale Model Simul 2005, doi 10.1137/040605412",
    options={
        "variation": "variation",
        "weak_harmonic": "weak_harmonic",
        "rounds": "bregman_rounds",
        "tolerance": "inversion_tolerance",
        "iterations": "inversion_iterations",
    },
    power=1,
    weighted=True,
    regularization=0.016,  # with two rounds; on ankles of seeds 2 and 3 and two knees larger ones take from slopes
    effort=1.0,
)
