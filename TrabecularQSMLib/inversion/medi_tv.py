"""TV-MEDI: the paper's inversion, by Nesterov's method with continuation."""

import numpy as np
import scipy.fft

from ..kernels import convolve, dipole_kernel, laplacian_symbol
from ..progress import Progress, report
from ..solvers import accelerated_gradient

# The smoothing falls by this factor in all, in this many equal steps on a log scale, from the mean slope of the start.
SMOOTHING_START = 0.5
SMOOTHING_END = 0.005
CONTINUATION_STEPS = 6


class Cost:
    """Equation 1 with p = 1 and its smoothed version.

    ``‖W_d (Dχ − f)‖² + λ ‖W_g ∇χ‖₁``; the ℓ1 norm is over voxels and the three directions. Smoothed, |g| becomes
    ``g²/2μ`` below μ and ``|g| − μ/2`` above.
    """

    def __init__(self, local_field, voxel_size, b0_direction, regularization, data_weight, edge_weight):
        self.field = np.asarray(local_field, np.float32)
        self.voxel_size = voxel_size
        self.kernel = dipole_kernel(self.field.shape, voxel_size, b0_direction)
        self.regularization = regularization
        self.data_squared = np.square(data_weight, dtype=np.float32)
        self.edge = np.asarray(edge_weight, np.float32)

    def bound(self, smoothing: float) -> np.ndarray:
        """Upper bound of the Hessian of the smoothed cost, diagonal in k-space: its Lipschitz constant per frequency.

        ``2 max W_d² D² + λ max W_g² E / μ`` with E the periodic symbol of −Δ, which bounds that of Neumann differences.
        """
        data = 2 * float(self.data_squared.max()) * self.kernel**2
        edges = self.regularization * float(self.edge.max()) ** 2 / smoothing
        bound = data + np.float32(edges) * laplacian_symbol(self.field.shape, self.voxel_size)
        # The mean of χ changes nothing and is left alone.
        bound[0, 0, 0] = np.inf
        return bound

    def slopes(self, chi):
        """Yield axis, and W_g ∇χ along it with the voxels it belongs to."""
        for axis, h in enumerate(self.voxel_size):
            moved, edge = np.moveaxis(chi, axis, 0), np.moveaxis(self.edge, axis, 0)[:-1]
            slope = moved[1:] - moved[:-1]
            slope *= np.float32(1 / h)
            slope *= edge
            yield axis, h, edge, slope

    def value(self, chi) -> float:
        """The cost, not smoothed."""
        misfit = convolve(self.kernel, chi)
        misfit -= self.field
        data = float(np.vdot(misfit, self.data_squared * misfit))
        return data + self.regularization * sum(float(np.abs(slope).sum()) for *_, slope in self.slopes(chi))

    def smoothed(self, chi, smoothing, bound):
        """Value of the smoothed cost, and its gradient divided by `bound` in k-space."""
        misfit = convolve(self.kernel, chi)
        misfit -= self.field
        weighted = self.data_squared * misfit
        value = float(np.vdot(misfit, weighted))
        step = scipy.fft.rfftn(weighted)
        step *= 2 * self.kernel
        edges = np.zeros_like(chi)
        for axis, h, edge, slope in self.slopes(chi):
            dual = slope * np.float32(1 / smoothing)
            np.clip(dual, -1, 1, out=dual)
            # Huber's function is dual·slope − μ dual²/2.
            value += self.regularization * (float(np.vdot(dual, slope)) - smoothing / 2 * float(np.vdot(dual, dual)))
            dual *= edge
            dual *= np.float32(self.regularization / h)
            target = np.moveaxis(edges, axis, 0)
            target[:-1] -= dual
            target[1:] += dual
        step += scipy.fft.rfftn(edges)
        step /= bound
        return value, scipy.fft.irfftn(step, s=chi.shape, overwrite_x=True)


def medi_tv(
    local_field: np.ndarray,
    voxel_size,
    *,
    b0_direction,
    regularization: float,
    data_weight: np.ndarray,
    edge_weight: np.ndarray,
    tolerance: float = 1e-3,
    iterations: int = 300,
    progress: Progress | None = None,
) -> np.ndarray:
    """Return the χ that minimises ``‖W_d (Dχ − f)‖² + λ ‖W_g ∇χ‖₁``, (K, J, I) float32.

    Parameters
    ----------
    local_field : (K, J, I) array
        ppm.
    voxel_size : (3,) floats
        mm.
    b0_direction : (3,) floats
        Unit vector along k, j, i.
    regularization : float
        λ in mm.
    data_weight, edge_weight : (K, J, I) arrays
        W_d and W_g.
    tolerance : float
        A continuation step ends when its cost has changed by less than this fraction over ten iterations.
    iterations : int
        Most iterations per continuation step.

    Notes
    -----
    Nesterov's method on the smoothed cost, with the smoothing μ lowered from half to a two-hundredth of the mean
    absolute slope |W_g ∇χ| of the start in `CONTINUATION_STEPS` steps, each started from the result of the one
    before. The start is one Landweber step from zero, its length found by a line search. The Lipschitz constant is
    ``2 max W_d² · 4/9 + λ max W_g² · 4 Σ 1/h² / μ``. A step whose result has a larger cost (not smoothed) than the
    one before is given up, so the cost never rises.

    References
    ----------
    Equation 1 of Diefenbach et al. 2019 with p = 1; Becker et al. (NESTA), SIAM J Imaging Sci 2011,
    doi 10.1137/090756855.
    """
    cost = Cost(local_field, voxel_size, b0_direction, regularization, data_weight, edge_weight)
    message = "Inverting the field (TV-MEDI)"
    chi = _start(cost)
    slope_sum, slope_count = 0.0, 0
    for *_, slope in cost.slopes(chi):
        slope_sum += float(np.abs(slope).sum())
        slope_count += np.count_nonzero(slope)
    if slope_sum == 0:
        return np.zeros(cost.field.shape, np.float32)
    mean_slope = slope_sum / slope_count
    best = cost.value(chi)
    for step, factor in enumerate(np.geomspace(SMOOTHING_START, SMOOTHING_END, CONTINUATION_STEPS)):
        smoothing = factor * mean_slope

        def follow(iteration, step=step):
            report(progress, (step + iteration / iterations) / CONTINUATION_STEPS, message)

        trial = accelerated_gradient(
            lambda x, mu=smoothing, bound=cost.bound(smoothing): cost.smoothed(x, mu, bound),
            chi,
            tolerance=tolerance,
            iterations=iterations,
            callback=follow,
        )
        value = cost.value(trial)
        if value < best:
            chi, best = trial, value
    report(progress, 1.0, message)
    return chi


def _start(cost):
    """One gradient step of the data term from zero, with the best step length."""
    descent = convolve(cost.kernel, cost.data_squared * cost.field)
    along = convolve(cost.kernel, descent)
    curvature = float(np.vdot(along, cost.data_squared * along))
    length = float(np.vdot(along, cost.data_squared * cost.field)) / curvature if curvature > 0 else 0.0
    return (length * descent).astype(np.float32)
