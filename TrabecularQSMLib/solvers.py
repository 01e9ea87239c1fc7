"""Iterations that several methods share: Nesterov's accelerated gradient descent, and conjugate gradients."""

from collections.abc import Callable

import numpy as np
from scipy.sparse.linalg import cg

from .progress import Progress, report


def accelerated_gradient(
    value_and_step: Callable[[np.ndarray], tuple[float, np.ndarray]],
    start: np.ndarray,
    *,
    tolerance: float,
    iterations: int,
    callback: Callable[[int], None] | None = None,
) -> np.ndarray:
    """Return an approximate minimizer of a smooth convex function.

    Parameters
    ----------
    value_and_step : callable
        Point x to the value and the step ``M⁻¹ ∇`` there, with one M for all points that bounds the Hessian from
        above (``M = L·1`` with the Lipschitz constant L of the gradient is the plain method).
    start : array
        Not modified.
    tolerance : float
        Stops when the value has changed by less than this fraction over the last ten iterations.
    iterations : int
        Most iterations.
    callback : callable, optional
        Called with the number of finished iterations; what it raises stops the descent.

    Notes
    -----
    Momentum is dropped whenever it points uphill.

    References
    ----------
    Nesterov 1983; O'Donoghue & Candès, Found Comput Math 2015, doi 10.1007/s10208-013-9150-3.
    """
    point, extrapolated, momentum = start, start, 1.0
    values = []
    for iteration in range(1, iterations + 1):
        value, step = value_and_step(extrapolated)
        values.append(value)
        if len(values) > 10 and abs(values[-11] - value) <= tolerance * abs(value):
            break
        new_point = extrapolated - step
        change = new_point - point
        if np.vdot(step, change) > 0:
            extrapolated, momentum = new_point, 1.0
        else:
            following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
            change *= np.asarray((momentum - 1) / following, change.dtype)
            change += new_point
            extrapolated, momentum = change, following
        point = new_point
        if callback is not None:
            callback(iteration)
    return point


def conjugate_gradients(
    system,
    right: np.ndarray,
    *,
    tolerance: float,
    iterations: int,
    what: str,
    message: str,
    pace: float = 0.95,
    preconditioner=None,
    progress: Progress | None = None,
) -> np.ndarray:
    """Return the solution of a symmetric positive definite system, by SciPy's conjugate gradients.

    Parameters
    ----------
    system, preconditioner : sparse matrix or LinearOperator
    right : (N,) array
    tolerance : float
        Relative residual at which they stop.
    iterations : int
        Most iterations.
    what : str
        What the error is of.
    message : str
        Of the progress.
    pace : float
        Of what is left of the progress, an iteration leaves this part: the end is not known beforehand.

    Raises
    ------
    RuntimeError
        If the tolerance is not reached.
    """
    done = 0

    def follow(_):
        nonlocal done
        done += 1
        report(progress, 1 - pace**done, message)

    solution, failed = cg(
        system, right, rtol=tolerance, atol=0.0, maxiter=iterations, M=preconditioner, callback=follow
    )
    if failed:
        raise RuntimeError(f"{what} did not reach a relative residual of {tolerance:g} in {done} iterations.")
    return solution
