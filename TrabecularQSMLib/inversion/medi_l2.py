"""MEDI with an ℓ2 regularizer, by conjugate gradients."""

import warnings

import numpy as np
from scipy.sparse.linalg import LinearOperator, cg

from ..errors import SolverWarning
from ..kernels import convolve, dipole_kernel, gradient, gradient_adjoint
from ..methods import Inversion
from ..progress import Progress, report
from .splitting import Problem, solve


def normal_operator(chi, kernel, data_weight_squared, edge_weight_squared, voxel_size, regularization):
    """Return ``D W_d² D χ + λ ∇ᵀ W_g² ∇ χ``."""
    result = convolve(kernel, data_weight_squared * convolve(kernel, chi))
    vectors = gradient(chi, voxel_size)
    vectors *= edge_weight_squared
    result += np.float32(regularization) * gradient_adjoint(vectors, voxel_size)
    return result


def medi_l2(
    local_field: np.ndarray,
    voxel_size,
    *,
    b0_direction,
    regularization: float,
    data_weight: np.ndarray,
    edge_weight: np.ndarray,
    weak_harmonic: float = 0.0,
    tolerance: float = 1e-3,
    iterations: int = 1000,
    progress: Progress | None = None,
) -> np.ndarray:
    """Return the χ that minimizes ``‖W_d (Dχ − f)‖² + λ ‖W_g ∇χ‖²``, (K, J, I) float32.

    Parameters are those of `inversion.invert`, and:

    Parameters
    ----------
    weak_harmonic : float
        β in mm⁴ of the weak-harmonic term, which is solved by `splitting.solve`; 0 for none.
    tolerance : float
        Relative residual of the normal equations at which conjugate gradients stop.
    iterations : int
        Most iterations.

    Notes
    -----
    Started from zero, every iterate has zero mean: the operator's range has none, since D(0) = 0.

    References
    ----------
    Equation 1 of Diefenbach et al. 2019 with p = 2; de Rochefort et al., MRM 2010, doi 10.1002/mrm.22187.
    """
    field = np.asarray(local_field, np.float32)
    if weak_harmonic:
        weights = (np.asarray(data_weight, np.float32), np.asarray(edge_weight, np.float32))
        problem = Problem(field, voxel_size, b0_direction, *weights, regularization, power=2, harmonic=weak_harmonic)
        return solve(
            problem,
            tolerance=tolerance,
            iterations=iterations,
            message="Inverting the field (MEDI-ℓ2)",
            progress=progress,
        )
    kernel = dipole_kernel(field.shape, voxel_size, b0_direction)
    data_squared = np.square(data_weight, dtype=np.float32)
    edge_squared = np.square(edge_weight, dtype=np.float32)
    right = convolve(kernel, data_squared * field).ravel()
    if not right.any():
        return np.zeros(field.shape, np.float32)

    def apply(vector):
        chi = vector.reshape(field.shape)
        return normal_operator(chi, kernel, data_squared, edge_squared, voxel_size, regularization).ravel()

    done = 0

    def follow(_):
        nonlocal done
        done += 1
        report(progress, 1 - 0.99**done, "Inverting the field (MEDI-ℓ2)")

    operator = LinearOperator((field.size, field.size), matvec=apply, dtype=np.float32)
    solution, unfinished = cg(operator, right, rtol=tolerance, atol=0.0, maxiter=iterations, callback=follow)
    if unfinished:
        warnings.warn(
            f"MEDI-ℓ2 did not reach its tolerance of {tolerance:g} in {iterations} iterations; "
            "allow more, or raise the tolerance or λ.",
            SolverWarning,
            stacklevel=2,
        )
    report(progress, 1.0, "Inverting the field (MEDI-ℓ2)")
    return solution.reshape(field.shape).astype(np.float32)


METHOD = Inversion(
    medi_l2,
    title="MEDI-ℓ2",
    solves="‖W_d (Dχ − f)‖² + λ ‖W_g ∇χ‖²",
    test="test_inversion.L2Test",
    reference="de Rochefort et al., MRM 2010, doi 10.1002/mrm.22187",
    options={
        "weak_harmonic": "weak_harmonic",
        "tolerance": "inversion_tolerance",
        "iterations": "inversion_iterations",
    },
    power=2,
    weighted=True,
    regularization=0.1,
    effort=2.0,
)
