"""MEDI with an ℓ2 regularizer, by preconditioned conjugate gradients."""

import warnings

import numpy as np
import scipy.fft

from ..chunks import run_slabs
from ..errors import SolverWarning
from ..kernels import dipole_kernel, laplacian_symbol, periodic_difference, periodic_difference_adjoint
from ..methods import Inversion
from ..progress import Progress, report
from .splitting import Problem, empty_past_border, following, solve
from .weights import along

MESSAGE = "Inverting the field (MEDI-ℓ2)"
# A smaller residual is beyond single precision: iterations that go on from there diverge.
_FINEST = 1e-6


def normal_operator(chi, spectrum, kernel, data_weight_squared, edge_weight_squared, voxel_size, regularization):
    """Return the transform of ``D W_d² D χ + λ ∇ᵀ W_g² ∇ χ``, given χ and its own."""
    field = scipy.fft.irfftn(kernel * spectrum, s=chi.shape, overwrite_x=True)
    field *= data_weight_squared
    result = scipy.fft.rfftn(field)
    result *= kernel
    result += scipy.fft.rfftn(_regularizer(chi, edge_weight_squared, voxel_size, regularization))
    return result


def _regularizer(chi, edge_weight_squared, voxel_size, regularization):
    """Return ``λ ∇ᵀ W_g² ∇ χ``."""
    result = np.zeros_like(chi)

    def work(planes):
        spill = np.zeros_like(chi[0])
        for axis, h in enumerate(voxel_size):
            slope = periodic_difference(chi[planes], axis, h, following(chi, axis, planes))
            slope *= along(edge_weight_squared, axis)[planes]
            slope *= np.float32(regularization)
            empty_past_border(slope, (axis,), planes.stop == len(chi))
            periodic_difference_adjoint(slope, axis, h, result[planes], spill if axis == 0 else None)
        return planes.stop % len(chi), spill

    for plane, spill in run_slabs(work, chi.shape):
        result[plane] += spill
    return result


def _inner(first, second, samples):
    """Inner product of two real arrays of which the transforms on the half grid are given, times their size."""
    # All planes stand for two but the first, and the last of an even grid.
    once = [0, -1] if samples % 2 == 0 else [0]
    twice = 2 * np.vdot(first, second).real
    return float(twice - sum(np.vdot(first[..., i], second[..., i]).real for i in once))


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
        Relative residual of the normal equations at which conjugate gradients stop, 10⁻⁶ at least.
    iterations : int
        Most iterations.

    Notes
    -----
    Preconditioned by ``(mean W_d² D² + λ mean W_g² E)⁻¹``, E the symbol of −Δ, and iterated on transforms, so that the
    preconditioner costs no FFT: an iteration takes two pairs, and two thirds as many iterations as without. Every
    iterate has zero mean, since D(0) = 0.

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
            message=MESSAGE,
            progress=progress,
        )
    shape = field.shape
    kernel = dipole_kernel(shape, voxel_size, b0_direction)
    data_squared = np.square(data_weight, dtype=np.float32)
    edge_squared = np.square(edge_weight, dtype=np.float32)
    arguments = (kernel, data_squared, edge_squared, voxel_size, regularization)
    residual = kernel * scipy.fft.rfftn(data_squared * field)
    chi = np.zeros(shape, np.float32)
    start = np.sqrt(_inner(residual, residual, shape[2]))
    if start == 0:
        return chi
    inverse = np.float32(data_squared[data_squared > 0].mean()) * kernel**2
    inverse += np.float32(regularization * edge_squared.mean()) * laplacian_symbol(shape, voxel_size)
    inverse[0, 0, 0] = np.inf
    np.divide(1, inverse, out=inverse)
    direction, before = np.zeros_like(residual), np.inf
    for iteration in range(1, iterations + 1):
        step = inverse * residual
        descent = _inner(residual, step, shape[2])
        direction *= np.float32(descent / before)
        direction += step
        before = descent
        change = scipy.fft.irfftn(direction, s=shape)
        bent = normal_operator(change, direction, *arguments)
        length = np.float32(descent / _inner(direction, bent, shape[2]))
        change *= length
        chi += change
        bent *= length
        residual -= bent
        report(progress, 1 - 0.99**iteration, MESSAGE)
        if np.sqrt(_inner(residual, residual, shape[2])) <= max(tolerance, _FINEST) * start:
            break
    else:
        warnings.warn(
            f"MEDI-ℓ2 did not reach its tolerance of {tolerance:g} in {iterations} iterations; "
            "allow more, or raise the tolerance or λ.",
            SolverWarning,
            stacklevel=2,
        )
    report(progress, 1.0, MESSAGE)
    return chi


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
    effort=0.75,
)
