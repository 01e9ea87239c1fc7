"""Nesterov's accelerated gradient descent for a smooth convex function."""

from collections.abc import Callable

import numpy as np


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
