"""Least squares by Levenberg–Marquardt, in many voxels at once."""

from collections.abc import Callable

import numpy as np

# Damping at the start, by how much it falls and grows, and its least.
_FIRST, _FACTOR, _LEAST = 1e-3, 10.0, 1e-9


def minimize(
    equations: Callable,
    parameters: np.ndarray,
    *,
    rates: slice,
    limits: tuple[float, float],
    is_moving: Callable,
    iterations: int,
) -> np.ndarray:
    """Return the parameters of least cost that are reached from a start.

    Parameters
    ----------
    equations : function of (n,) indices of voxels and their (n, P) parameters
        Returns their costs (n,), gradients of half the cost downhill (n, P) and Gauss–Newton matrices (n, P, P).
    parameters : (V, P) array
        The start.
    rates : slice
        Which of the parameters are kept within `limits`.
    limits : (low, high)
    is_moving : function of (n, P) parameters before and after a step
        Returns which voxels are not done (n,).
    iterations : int
        At most so many.

    Notes
    -----
    Each parameter is damped in its own unit. A step that raises the cost is taken back and damped tenfold more.
    """
    parameters = np.array(parameters, np.float64)
    active = np.arange(len(parameters))
    cost, gradient, normal = equations(active, parameters)
    damping = np.full(active.size, _FIRST)
    for _ in range(iterations):
        trial = parameters[active] + _step(gradient[active], normal[active], damping[active])
        trial[:, rates] = np.clip(trial[:, rates], *limits)
        moving = is_moving(parameters[active], trial)
        if not moving.any():
            break
        active, trial = active[moving], trial[moving]
        its_cost, its_gradient, its_normal = equations(active, trial)
        better = its_cost <= cost[active]
        won, lost = active[better], active[~better]
        parameters[won], cost[won] = trial[better], its_cost[better]
        gradient[won], normal[won] = its_gradient[better], its_normal[better]
        damping[won] = np.maximum(damping[won] / _FACTOR, _LEAST)
        damping[lost] *= _FACTOR
    return parameters


def invertible(normal: np.ndarray) -> np.ndarray:
    """Return normal matrices (V, P, P) that can be inverted, also where a signal is absent and has no curvature."""
    size = np.trace(normal, axis1=1, axis2=2)[:, None, None]
    return normal + (1e-12 * size + 1e-30) * np.eye(normal.shape[-1])


def _step(gradient, normal, damping):
    damped = invertible(normal)
    own = np.einsum("vpp->vp", damped)
    damped = damped + (damping[:, None] * own)[:, :, None] * np.eye(normal.shape[-1])
    return np.linalg.solve(damped, gradient[..., None])[..., 0]
