"""TV-MEDI by Nesterov's method with continuation, the paper's solver."""

from functools import partial

import numpy as np
import scipy.fft

from ..chunks import run_slabs
from ..kernels import convolve, dipole_kernel, laplacian_symbol
from ..methods import Inversion
from ..progress import Progress, report
from ..solvers import accelerated_gradient
from .weights import along

# The smoothing μ falls between these multiples of the start's mean slope, in equal steps on a log scale.
SMOOTHING_START = 2.0
SMOOTHING_END = 0.01
CONTINUATION_STEPS = 4


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
        self.data_weight = np.asarray(data_weight, np.float32)
        self.edge = np.asarray(edge_weight, np.float32)

    def bounds(self, smoothing: float) -> tuple[np.ndarray, np.ndarray]:
        """Upper bounds of the Hessian of the smoothed cost: its Lipschitz constant per frequency, and per voxel.

        In k-space ``2 max W_d² D² + λ max W_g² E / μ`` with E the periodic symbol of −Δ, which bounds that of Neumann
        differences; in space ``2 max W_d² max D² + λ/μ Σ|rows of ∇ᵀ W_g² ∇|`` (Gershgorin), with max D² = 4/9.
        """
        data = 2 * float(self.data_weight.max()) ** 2
        scale = self.regularization / smoothing
        frequency = np.float32(scale * float(self.edge.max()) ** 2) * laplacian_symbol(
            self.field.shape, self.voxel_size
        )
        frequency += np.float32(data) * self.kernel**2
        # The mean of χ changes nothing.
        frequency[0, 0, 0] = np.inf
        space = np.full(self.field.shape, data * 4 / 9, np.float32)
        for axis, h in enumerate(self.voxel_size):
            weight = np.moveaxis(along(self.edge, axis), axis, 0)[:-1] ** 2 * np.float32(2 * scale / h**2)
            target = np.moveaxis(space, axis, 0)
            target[:-1] += weight
            target[1:] += weight
        return frequency, space

    def _slopes(self, chi, first, last):
        """Yield axis, W_g over the voxel size, and W_g ∇χ along it, for the planes `first` to `last` of the grid.

        Along the planes' own axis the slopes begin one plane earlier, where there is one: the adjoint needs them.
        """
        for axis, h in enumerate(self.voxel_size):
            begin = max(first - 1, 0) if axis == 0 else first
            end = min(last + 1, chi.shape[0]) if axis == 0 else last
            moved = np.moveaxis(chi[begin:end], axis, 0)
            edge = np.moveaxis(along(self.edge, axis)[begin:end], axis, 0)[:-1] * np.float32(1 / h)
            slope = moved[1:] - moved[:-1]
            slope *= edge
            yield axis, edge, slope

    def total_variation(self, chi) -> float:
        """``‖W_g ∇χ‖₁``."""

        def work(planes):
            total, first = 0.0, planes.start
            for axis, _, slope in self._slopes(chi, first, planes.stop):
                own = slope[1:] if axis == 0 and first > 0 else slope
                total += float(np.abs(own).sum(dtype=np.float64))
            return total

        return float(np.sum(run_slabs(work, chi.shape)))

    def value(self, chi) -> float:
        """The cost, not smoothed."""
        misfit = convolve(self.kernel, chi)
        misfit -= self.field
        misfit *= self.data_weight
        return float(np.vdot(misfit, misfit)) + self.regularization * self.total_variation(chi)

    def smoothed(self, chi, smoothing, bounds):
        """Value of the smoothed cost, and the step from its gradient: the mean of those of the two bounds."""
        misfit = convolve(self.kernel, chi)
        misfit -= self.field
        misfit *= self.data_weight
        value = float(np.vdot(misfit, misfit))
        misfit *= self.data_weight
        spectrum = scipy.fft.rfftn(misfit)
        spectrum *= 2 * self.kernel
        slope_of_data = scipy.fft.irfftn(spectrum, s=chi.shape)
        edges = np.zeros_like(chi)

        def work(planes):
            huber, first, last = 0.0, planes.start, planes.stop
            for axis, edge, slope in self._slopes(chi, first, last):
                dual = slope * np.float32(1 / smoothing)
                np.clip(dual, -1, 1, out=dual)
                # Huber's function is dual·slope − μ dual²/2.
                own = slice(1, None) if axis == 0 and first > 0 else slice(None)
                slope -= np.float32(smoothing / 2) * dual
                huber += float(np.einsum("kji,kji->", slope[own], dual[own]))
                dual *= edge
                target = np.moveaxis(edges[first:last], axis, 0)
                if axis == 0:
                    # Plane k takes the dual below it and gives away its own.
                    below = dual if first > 0 else dual[: last - 1]
                    target[1 if first == 0 else 0 :] += below[: last - max(first, 1)]
                    above = dual[own]
                    target[: above.shape[0]] -= above
                else:
                    target[:-1] -= dual
                    target[1:] += dual
            return huber

        value += self.regularization * float(np.sum(run_slabs(work, chi.shape)))
        edges *= np.float32(self.regularization)
        frequency, space = bounds
        spectrum += scipy.fft.rfftn(edges)
        spectrum /= frequency
        step = scipy.fft.irfftn(spectrum, s=chi.shape, overwrite_x=True)
        edges += slope_of_data
        edges /= space
        step += edges
        step *= np.float32(0.5)
        return value, step


def medi_tv_nesterov(
    local_field: np.ndarray,
    voxel_size,
    *,
    b0_direction,
    regularization: float,
    data_weight: np.ndarray,
    edge_weight: np.ndarray,
    tolerance: float = 1e-4,
    iterations: int = 150,
    progress: Progress | None = None,
) -> np.ndarray:
    """Return the χ that minimizes ``‖W_d (Dχ − f)‖² + λ ‖W_g ∇χ‖₁``, (K, J, I) float32.

    Parameters are those of `inversion.invert`, and:

    Parameters
    ----------
    tolerance : float
        A continuation step ends when its cost has changed by less than this fraction over ten iterations.
    iterations : int
        Most iterations per continuation step.

    Notes
    -----
    Nesterov's method on the smoothed cost, its smoothing μ lowered in `CONTINUATION_STEPS` steps from twice to a
    hundredth of the mean |W_g ∇χ| of the start, each step started from the result of the one before. The start is
    one gradient step of the data term from zero, its length found by a line search. A step whose result has a larger
    cost (not smoothed) than the one before is given up, so the cost never rises.

    One Lipschitz constant for all would make the method crawl: the Hessian is small at low frequencies and on edges
    (W_g = 0.01), and λ/μ elsewhere. Each of the two bounds of `Cost.bounds` captures one of these, and the mean of
    their inverses still lies below the inverse of the Hessian, which is what the method needs.

    References
    ----------
    Equation 1 of Diefenbach et al. 2019 with p = 1; Becker et al. (NESTA), SIAM J Imaging Sci 2011,
    doi 10.1137/090756855.
    """
    cost = Cost(local_field, voxel_size, b0_direction, regularization, data_weight, edge_weight)
    message = "Inverting the field (TV-MEDI)"
    chi = _start(cost)
    mean_slope = cost.total_variation(chi) / (3 * chi.size)
    if mean_slope == 0:
        return np.zeros(cost.field.shape, np.float32)
    best = cost.value(chi)
    for step, factor in enumerate(np.geomspace(SMOOTHING_START, SMOOTHING_END, CONTINUATION_STEPS)):
        smoothing = factor * mean_slope

        def follow(iteration, step=step):
            report(progress, (step + iteration / iterations) / CONTINUATION_STEPS, message)

        trial = accelerated_gradient(
            partial(cost.smoothed, smoothing=smoothing, bounds=cost.bounds(smoothing)),
            chi,
            tolerance=tolerance,
            iterations=iterations,
            callback=follow,
        )
        value = cost.value(trial)
        if value < best:
            chi, best = trial, value
    report(progress, 1.0, message)
    return chi - chi.mean()


def _start(cost):
    """One gradient step of the data term from zero, with the best step length."""
    weighted = cost.data_weight**2 * cost.field
    descent = convolve(cost.kernel, weighted)
    change = convolve(cost.kernel, descent)
    curvature = float(np.sum((cost.data_weight * change) ** 2))
    length = float(np.vdot(change, weighted)) / curvature if curvature > 0 else 0.0
    return (length * descent).astype(np.float32)


METHOD = Inversion(
    medi_tv_nesterov,
    title="TV-MEDI, Nesterov",
    solves="‖W_d (Dχ − f)‖² + λ ‖W_g ∇χ‖₁, smoothed",
    test="test_inversion.TVTest",
    reference="Liu et al., NeuroImage 2012, doi 10.1016/j.neuroimage.2011.08.082; "
    "Becker et al. (NESTA), SIAM J Imaging Sci 2011, doi 10.1137/090756855",
    options={"tolerance": "inversion_tolerance", "iterations": "inversion_iterations"},
    power=1,
    weighted=True,
    regularization=0.01,  # closest to the truth on simulated ankles of seeds 1 to 3
    effort=3.0,
)
