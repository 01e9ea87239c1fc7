"""Projected, damped Gauss–Newton for field and R2*, all voxels of a chunk at once."""

import numpy as np

from .signal import Model, project

# Converged when the next step is this small: far below the noise of any scan, far above rounding in complex128.
FIELD_TOLERANCE_HZ = 1e-5
R2STAR_TOLERANCE = 1e-4
MAXIMUM_ITERATIONS = 60
# A longer step, as a part of one over the length of the train, could cross into the swapped solution.
LONGEST_STEP = 0.5


def refine(
    signal: np.ndarray,
    model: Model,
    field_hz: np.ndarray,
    r2star: np.ndarray,
    *,
    tied_to: np.ndarray | None = None,
    tie: float = 0.0,
    iterations: int = MAXIMUM_ITERATIONS,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the least-squares field, R2*, water, fat and residual of voxels, from a start nearby.

    Parameters
    ----------
    signal : (E, V) complex array
        Echoes; computed in complex128.
    model : Model
        Echo times and fat signal.
    field_hz, r2star : (V,) arrays
        Start, Hz and 1/s.
    tied_to : (V,) array, optional
        Field in Hz that the result is drawn to; it leaves the rest of the fit as it is.
    tie : float
        How strongly: the square of the distance in Hz times this is added to the sum of squares.
    iterations : int
        At most so many, where a start will do.

    Returns
    -------
    field_hz, r2star : (V,) float64 arrays
    water, fat : (V,) complex128 arrays
        At echo time zero.
    residual : (V,) float64 array
        Root sum of squares of the residual over echoes.

    Notes
    -----
    A step that raises the cost is taken back and damped tenfold more (Levenberg–Marquardt). A voxel is done when its
    next step is below `FIELD_TOLERANCE_HZ` and `R2STAR_TOLERANCE`, or after `iterations`.
    """
    signal = np.asarray(signal, np.complex128)
    field_hz = np.array(field_hz, np.float64)
    limits = model.r2star_range
    r2star = np.clip(np.array(r2star, np.float64), *limits)
    active = np.arange(field_hz.size)
    tied_to = field_hz if tied_to is None else np.asarray(tied_to, np.float64)
    at = project(signal, model, field_hz, r2star)
    cost, slope, curvature = at.cost + tie * (field_hz - tied_to) ** 2, at.slope, at.curvature
    damping = np.zeros(field_hz.size)
    longest = LONGEST_STEP / model.train
    for _ in range(iterations):
        bent = np.maximum(curvature[active] * (1 + damping[active]), np.finfo(float).tiny)
        pull = tie * (tied_to[active] - field_hz[active])
        field_step = (2 * np.pi * slope[active].imag + pull) / ((2 * np.pi) ** 2 * bent + tie * (1 + damping[active]))
        trial_r2star = np.clip(r2star[active] - slope[active].real / bent, *limits)
        np.clip(field_step, -longest, longest, out=field_step)
        small = (np.abs(field_step) < FIELD_TOLERANCE_HZ) & (np.abs(trial_r2star - r2star[active]) < R2STAR_TOLERANCE)
        moving = ~small
        if not moving.any():
            break
        active = active[moving]
        trial_field = field_hz[active] + field_step[moving]
        trial_r2star = trial_r2star[moving]
        at = project(signal[:, active], model, trial_field, trial_r2star)
        trial_cost = at.cost + tie * (trial_field - tied_to[active]) ** 2
        better = trial_cost <= cost[active]
        won = active[better]
        field_hz[won], r2star[won] = trial_field[better], trial_r2star[better]
        cost[won], slope[won], curvature[won] = trial_cost[better], at.slope[better], at.curvature[better]
        damping[won] /= 10
        damping[damping < 1e-3] = 0
        lost = active[~better]
        damping[lost] = np.maximum(damping[lost] * 10, 0.1)
    at = project(signal, model, field_hz, r2star)
    back_to_zero = np.exp(-(2j * np.pi * field_hz - r2star) * model.echo_times[0])
    return field_hz, r2star, at.water * back_to_zero, at.fat * back_to_zero, np.sqrt(at.cost)
