"""Nesterov's accelerated gradient descent for a smooth convex function."""

from collections.abc import Callable

import numpy as np


def accelerated_gradient(
    value_and_gradient: Callable[[np.ndarray], tuple[float, np.ndarray]],
    start: np.ndarray,
    lipschitz: float,
    *,
    tolerance: float,
    iterations: int,
    callback: Callable[[int], None] | None = None,
) -> np.ndarray:
    """Return an approximate minimiser of a convex function whose gradient has Lipschitz constant `lipschitz`.

    Parameters
    ----------
    value_and_gradient : callable
        Point to value and gradient there.
    start : array
        Not modified.
    lipschitz : float
        Step length is its inverse.
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
    point = start.copy()
    extrapolated = start
    momentum = 1.0
    values = []
    for iteration in range(1, iterations + 1):
        value, slope = value_and_gradient(extrapolated)
        values.append(value)
        if len(values) > 10 and abs(values[-11] - value) <= tolerance * abs(value):
            break
        new_point = extrapolated - slope * np.asarray(1 / lipschitz, slope.dtype)
        change = new_point - point
        if np.vdot(slope, change) > 0:
            momentum = 1.0
            extrapolated = new_point
        else:
            following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
            change *= np.asarray((momentum - 1) / following, change.dtype)
            change += new_point
            extrapolated, momentum = change, following
        point = new_point
        if callback is not None:
            callback(iteration)
    return point
