"""The inversions with a total variation, by ADMM with splits of which every step is one closed form."""

import warnings
from dataclasses import dataclass

import numpy as np
import scipy.fft
from scipy.ndimage import binary_fill_holes

from ..errors import SolverWarning
from ..kernels import difference_symbols, dipole_kernel, periodic_difference, periodic_difference_adjoint
from ..progress import Progress, report

# Penalties are what the terms themselves weigh at slopes that bone has [ppm/mm], and a share of the data's own.
NATURAL_SLOPE = 0.3
DATA_SHARE = 0.05
QUADRATIC = 0.3
# Over-relaxation, between 1 and 2.
RELAXATION = 1.8
# Components of a symmetric 3 × 3 field of second differences: its axes, and how often each counts in the norm.
PAIRS = (((0, 0), 1), ((1, 1), 1), ((2, 2), 1), ((0, 1), 2), ((0, 2), 2), ((1, 2), 2))


@dataclass(frozen=True, eq=False)
class Problem:
    """What `solve` minimizes, in all arrays (K, J, I) float32.

    ``‖W_d (Dχ + h − f)‖² + λ ‖W_g (∇χ − w)‖₁ + λ ℓ ‖W_g Ew‖₁ + β ‖M Δh‖²`` over χ, over w where ℓ is not 0, and
    over h where β is not 0; E is the symmetrized gradient. ∇ and E end at the border of the grid: the periodic
    links have weight 0.

    Parameters
    ----------
    field : array
        f in ppm.
    voxel_size, b0_direction : (3,) floats
    data_weight, edge_weight : arrays
        W_d, W_g.
    regularization : float
        λ in ppm·mm.
    power : int
        2 for ``λ ‖W_g ∇χ‖²``, with λ in mm² and without w.
    isotropic : bool
        Whether the ℓ1 norm takes the length of a voxel's vector (matrix), not the sum over its components.
    second_order_mm : float
        ℓ; 0 for no w.
    harmonic : float
        β in mm⁴; 0 for no h.
    inside : bool array, optional
        M, where h has to be harmonic; default: where W_d is not 0, and what that encloses, such as cortex.
    """

    field: np.ndarray
    voxel_size: tuple
    b0_direction: tuple
    data_weight: np.ndarray
    edge_weight: np.ndarray
    regularization: float
    power: int = 1
    isotropic: bool = False
    second_order_mm: float = 0.0
    harmonic: float = 0.0
    inside: np.ndarray | None = None


def solve(
    problem: Problem, *, tolerance: float, iterations: int, message: str, progress: Progress | None = None
) -> np.ndarray:
    """Return the χ that minimizes a `Problem`, of mean zero.

    Parameters
    ----------
    tolerance : float
        Stops when χ where the field is known changes by less than this fraction of its deviation in one iteration.
    iterations : int
        Most iterations; running out of them is a `SolverWarning`.

    Notes
    -----
    Each linear expression inside a norm is a split z = Kx with a penalty ρ/2 ‖Kx − z + u‖². In z every norm is a
    shrinkage or a weighted mean. In (χ, w, h) the penalties are a convolution: per frequency, with the differences
    d and e = |d|², w is eliminated by the Sherman–Morrison formula, since EᴴE = ½ (e 1 + d dᴴ) has d as eigenvector,
    which leaves ``ρ₂ρ₃e²/(ρ₂ + ρ₃e)`` in place of ``ρ₂e`` for χ; h by a 2 × 2 system. An iteration takes two
    FFT pairs, 5 with w, one more with h.

    References
    ----------
    Boyd et al., Found Trends Mach Learn 2011, doi 10.1561/2200000016; Bilgic et al., MRM 2014, doi 10.1002/mrm.25029;
    Milovic et al., MRM 2018, doi 10.1002/mrm.27073.
    """
    state = _State(problem)
    known = problem.data_weight > 0
    if not known.any() or not problem.field[known].any():
        return np.zeros(problem.field.shape, np.float32)
    before, change, first = np.zeros(np.count_nonzero(known), np.float32), np.inf, None
    for iteration in range(1, iterations + 1):
        chi = state.step()
        now = chi[known]
        deviation = float(now.std())
        change = float(np.std(now - before)) / deviation if deviation > 0 else 0.0
        before, first = now, first or change
        # The change falls about as a power of the iteration; whichever end comes first.
        done = np.log(first / max(change, 1e-30)) / np.log(first / tolerance) if first > tolerance else 1.0
        state.fraction = max(state.fraction, min(0.99, done), iteration / (iterations + 1))
        report(progress, state.fraction, message)
        if change <= tolerance:
            break
    else:
        warnings.warn(
            f"{message.partition('(')[2].rstrip(')')} did not reach its tolerance of {tolerance:g} in {iterations} "
            f"iterations: χ still changed by {change:.1e} of its deviation in the last; allow more, or raise the "
            "tolerance.",
            SolverWarning,
            stacklevel=3,
        )
    report(progress, 1.0, message)
    return chi - chi.mean(dtype=np.float64).astype(np.float32)


class _State:
    """Splits and their scaled multipliers; v is z + u, of which both follow."""

    def __init__(self, problem: Problem):
        self.problem, self.fraction = problem, 0.0
        shape, voxel_size = problem.field.shape, problem.voxel_size
        weight = np.square(problem.data_weight, dtype=np.float32) * np.float32(2)
        ours = weight[weight > 0]
        rho_data = DATA_SHARE * float(ours.mean()) if ours.size else 1.0
        rho = problem.regularization / NATURAL_SLOPE if problem.power == 1 else QUADRATIC * problem.regularization
        self.length = problem.second_order_mm
        self.kernel = dipole_kernel(shape, voxel_size, problem.b0_direction)
        self.symbols = difference_symbols(shape, voxel_size)
        squared = sum(np.abs(d) ** 2 for d in self.symbols).astype(np.float32)
        self.share = weight / (weight + np.float32(rho_data))
        limit = problem.edge_weight * np.float32(problem.regularization / rho)
        if problem.power == 2:
            # The share of v that u is: 2λ W_g² over itself and ρ.
            limit *= 2 * problem.edge_weight
            limit /= 1 + limit
        self.limits = [limit.copy() for _ in range(3)]
        for axis, limit in enumerate(self.limits):
            np.moveaxis(limit, axis, 0)[-1] = 0
        self.v_data = np.zeros(shape, np.float32)
        self.v = [np.zeros(shape, np.float32) for _ in range(3)]
        regularizer = np.float32(rho) * squared
        if self.length:
            # ρ₃ over ρ₂: second differences are slopes over ℓ.
            self.second = second = np.float32(self.length**2)
            self.damping = 1 / (1 + second * squared)
            self.inverse = 1 / (1 + second / 2 * squared)
            regularizer *= second * squared * self.damping
            scale = np.float32(problem.regularization * self.length / (rho * self.length**2))
            self.second_limits = []
            for (a, b), _ in PAIRS:
                limit = problem.edge_weight * scale
                np.moveaxis(limit, a, 0)[-1] = 0
                np.moveaxis(limit, b, 0)[-1] = 0
                self.second_limits.append(limit)
            self.v_second = [np.zeros(shape, np.float32) for _ in PAIRS]
        self.rho, self.rho_data = np.float32(rho), np.float32(rho_data)
        system = self.rho_data * self.kernel**2 + regularizer
        system[0, 0, 0] = np.inf
        if problem.harmonic:
            # The data penalty of h alone, and of Δh; χ after h is eliminated.
            rho_harmonic = np.float32(2 * problem.harmonic)
            self.rho_harmonic, self.laplacian = rho_harmonic, -squared
            self.harmonic_system = 1 / (self.rho_data + rho_harmonic * squared**2)
            self.couple = self.rho_data * self.kernel * self.harmonic_system
            system -= self.rho_data * self.kernel * self.couple
            system[0, 0, 0] = np.inf
            # β over β and ρ/2, and nothing outside.
            inside = problem.inside
            if inside is None:
                inside = binary_fill_holes(problem.data_weight > 0)
            self.damped = np.where(inside, np.float32(0.5), np.float32(0))
            self.v_harmonic = np.zeros(shape, np.float32)
        self.system = 1 / system

    def _clipped(self, v, limits, counts=(1, 1, 1)):
        """The multipliers: what shrinkage takes away from v."""
        if self.problem.power == 2:
            return [one * limit for one, limit in zip(v, limits, strict=True)]
        if not self.problem.isotropic:
            return [np.clip(one, -limit, limit) for one, limit in zip(v, limits, strict=True)]
        length = np.sqrt(
            sum(
                np.float32(n) * np.where(limit > 0, one, 0) ** 2
                for n, one, limit in zip(counts, v, limits, strict=True)
            )
        )
        # A link past the border has no weight, and no share in the length.
        return [
            one * np.minimum(1, limit / np.maximum(length, np.float32(1e-20)))
            for one, limit in zip(v, limits, strict=True)
        ]

    def step(self) -> np.ndarray:
        """One iteration; returns χ."""
        problem, shape, h = self.problem, self.v_data.shape, self.problem.voxel_size
        u_data = self.share * (self.v_data - problem.field)
        data = self.rho_data * scipy.fft.rfftn(self.v_data - 2 * u_data)
        u = self._clipped(self.v, self.limits)
        targets = [one - 2 * taken for one, taken in zip(self.v, u, strict=True)]
        back = np.zeros(shape, np.float32)
        for axis in range(3):
            periodic_difference_adjoint(targets[axis], axis, h[axis], back)
        right = self.rho * scipy.fft.rfftn(back)
        right += data * self.kernel
        if self.length:
            u_second = self._clipped(self.v_second, self.second_limits, [n for _, n in PAIRS])
            slopes = [-one for one in targets]
            for ((a, b), _), one, taken in zip(PAIRS, self.v_second, u_second, strict=True):
                target = self.second * (one - 2 * taken)
                periodic_difference_adjoint(target, b, h[b], slopes[a])
                if a != b:
                    periodic_difference_adjoint(target, a, h[a], slopes[b])
            slopes = [scipy.fft.rfftn(one, overwrite_x=True) for one in slopes]
            along = sum(np.conj(d) * one for d, one in zip(self.symbols, slopes, strict=True))
            right += self.rho * self.damping * along
        if problem.harmonic:
            u_harmonic = self.damped * self.v_harmonic
            own = data + self.rho_harmonic * self.laplacian * scipy.fft.rfftn(self.v_harmonic - 2 * u_harmonic)
            right -= self.couple * own
        right *= self.system
        chi = scipy.fft.irfftn(right, s=shape)
        field = right * self.kernel
        if problem.harmonic:
            harmonic = own * self.harmonic_system - self.couple * right
            field += harmonic
            bend = scipy.fft.irfftn(self.laplacian * harmonic, s=shape, overwrite_x=True)
            self.v_harmonic += RELAXATION * (bend - self.v_harmonic + u_harmonic)
        relaxation = np.float32(RELAXATION)
        self.v_data += relaxation * (scipy.fft.irfftn(field, s=shape, overwrite_x=True) - self.v_data + u_data)
        if self.length:
            # (b − ½ρ₃ d dᴴb/(ρ₂ + ρ₃e)) / (ρ₂ + ½ρ₃e), with b the right side plus ρ₂ d χ.
            e_chi = sum(np.abs(d) ** 2 for d in self.symbols) * right
            share = self.second / 2 * self.damping * (along + e_chi)
            slopes = [
                scipy.fft.irfftn(self.inverse * (one + d * (right - share)), s=shape, overwrite_x=True)
                for d, one in zip(self.symbols, slopes, strict=True)
            ]
            for index, ((a, b), _) in enumerate(PAIRS):
                bend = periodic_difference(slopes[b], a, h[a])
                if a != b:
                    bend += periodic_difference(slopes[a], b, h[b])
                    bend *= np.float32(0.5)
                self.v_second[index] += relaxation * (bend - self.v_second[index] + u_second[index])
        for axis in range(3):
            slope = periodic_difference(chi, axis, h[axis])
            if self.length:
                slope -= slopes[axis]
            slope -= self.v[axis]
            slope += u[axis]
            slope *= relaxation
            self.v[axis] += slope
        return chi
