"""The inversions with a total variation, by ADMM with splits of which every step is one closed form."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_fill_holes

from ..chunks import run_slabs
from ..errors import SolverWarning
from ..kernels import (
    difference_symbols,
    dipole_kernel,
    half_grids,
    in_frequencies,
    periodic_difference,
    periodic_difference_adjoint,
)
from ..progress import Progress, part, report

# Penalties are what the terms themselves weigh at steps that bone has from voxel to voxel [ppm]; for the data part, of
# the geometric mean of their own weight and of that penalty at such steps: with more χ swings about the minimum, with
# less it creeps. Where there is a harmonic field, a share of their own weight.
NATURAL_STEP = 0.45
DATA_MEAN, DATA_SHARE = 0.11, 0.05
QUADRATIC = 0.3
# Iterations that what a round left of the field needs to reach χ.
LEAST = 20
# Over-relaxation, between 1 and 2.
RELAXATION = np.float32(1.8)
# Components of a field of first differences: their axes, and how often each counts in the norm.
AXES = (((0,), 1), ((1,), 1), ((2,), 1))
# The same of a symmetric 3 × 3 field of second differences.
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
    data_weight : array
        W_d.
    edge_weight : array
        W_g; or (3, K, J, I), of the links from each voxel to the next along each axis. Where a norm takes them together
        (isotropic; two axes of E) it is their mean.
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
    problem: Problem,
    *,
    tolerance: float,
    iterations: int,
    message: str,
    rounds: int = 1,
    renewed: Callable[[np.ndarray, Progress | None], np.ndarray] | None = None,
    progress: Progress | None = None,
) -> np.ndarray:
    """Return the χ that minimizes a `Problem`, or the next in Bregman's iteration, of mean zero.

    Parameters
    ----------
    tolerance : float
        A round ends when χ where the field is known changes by less than this fraction of its deviation in one
        iteration.
    iterations : int
        Most iterations of all rounds; running out of them is a `SolverWarning`.
    rounds : int
        Of Bregman's iteration: what a minimizer left of the field is added to the field, and minimized again, since an
        ℓ1 norm takes something from every step of χ. 1: the minimizer itself.
    renewed : callable, optional
        ``renewed(chi, progress)`` gives the field of the next round, (K, J, I) float32 in ppm, from the χ of one; by
        default it is that of the problem.

    Notes
    -----
    Each linear expression inside a norm is a split z = Kx with a penalty ρ/2 ‖Kx − z + u‖². In z every norm is a
    shrinkage or a weighted mean. In (χ, w, h) the penalties are a convolution: per frequency, with the differences
    d and e = |d|², w is eliminated by the Sherman–Morrison formula, since EᴴE = ½ (e 1 + d dᴴ) has d as eigenvector,
    which leaves ``ρ₂ρ₃e²/(ρ₂ + ρ₃e)`` in place of ``ρ₂e`` for χ; h by a 2 × 2 system. An iteration takes two
    FFT pairs, 5 with w, one more with h.

    References
    ----------
    Osher et al., Multiscale Model Simul 2005, doi 10.1137/040605412 (Bregman's iteration);
    Boyd et al., Found Trends Mach Learn 2011, doi 10.1561/2200000016; Bilgic et al., MRM 2014, doi 10.1002/mrm.25029;
    Milovic et al., MRM 2018, doi 10.1002/mrm.27073.
    """
    known = problem.data_weight > 0
    if not known.any() or not problem.field[known].any():
        return np.zeros(problem.field.shape, np.float32)
    state, change, first, ended, earliest = _State(problem), np.inf, None, 0, 1
    for iteration in range(1, iterations + 1):
        change = state.step()
        first = first or change
        # The change falls about as a power of the iteration; whichever end comes first.
        done = np.log(first / max(change, 1e-30)) / np.log(first / tolerance) if first > tolerance else 1.0
        state.fraction = max(state.fraction, (ended + min(0.99, done)) / rounds, iteration / (iterations + 1))
        report(progress, state.fraction, message)
        if change <= tolerance and iteration >= earliest:
            ended, earliest = ended + 1, iteration + LEAST
            if ended == rounds:
                break
            here = part(progress, state.fraction, state.fraction)
            state.add_rest(problem.field if renewed is None else renewed(state.chi, here))
    else:
        warnings.warn(
            f"{message.partition('(')[2].rstrip(')')} did not reach its tolerance of {tolerance:g} in {iterations} "
            f"iterations: χ still changed by {change:.1e} of its deviation in the last; allow more, or raise the "
            "tolerance.",
            SolverWarning,
            stacklevel=3,
        )
    report(progress, 1.0, message)
    state.chi -= state.chi.mean(dtype=np.float64).astype(np.float32)
    return state.chi


class _State:
    """Splits and their scaled multipliers, in units of the penalty ρ₂ of the first differences.

    Of a split z = Kx, v is z + u. An iteration leaves two arrays of it: `kept`, v − r z with r the over-relaxation, to
    which r Kx is added for the next v; and `target`, z − u, which the next Kx comes close to.
    """

    def __init__(self, problem: Problem):
        self.problem, self.fraction, self.field = problem, 0.0, problem.field
        shape, voxel_size = problem.field.shape, problem.voxel_size
        weight = np.square(problem.data_weight, dtype=np.float32) * np.float32(2)
        ours = weight[weight > 0]
        size = float(np.prod(voxel_size)) ** (1 / 3)
        weighs = float(ours.mean()) if ours.size else 1.0
        rho = problem.regularization * (size / NATURAL_STEP if problem.power == 1 else QUADRATIC)
        rho_data = DATA_SHARE * weighs if problem.harmonic else DATA_MEAN * np.sqrt(weighs * rho) / size
        self.rho_data = np.float32(rho_data / rho)
        self.kernel = dipole_kernel(shape, voxel_size, problem.b0_direction)
        self.symbols = difference_symbols(shape, voxel_size)
        self.squared = sum(np.abs(d) ** 2 for d in self.symbols).astype(np.float32)
        self.share = np.divide(weight, weight + np.float32(rho_data), out=weight)
        self.limit = problem.edge_weight * np.float32(problem.regularization / rho)
        if problem.power == 2:
            # The share of v that u is: 2λ W_g² over itself and ρ.
            self.limit *= 2 * problem.edge_weight
            self.limit /= 1 + self.limit
        zeros = lambda: np.zeros(shape, np.float32)  # noqa: E731
        self.kept_data, self.target_data = zeros(), zeros()
        self.kept, self.back, self.chi = [zeros() for _ in range(3)], zeros(), zeros()
        self.before, self.known = zeros(), (problem.data_weight > 0).astype(np.float32)
        self.count = np.count_nonzero(self.known)
        # What goes into the system of an iteration, and where its solution is put.
        self.right_sides, self.solutions = [self.target_data, self.back], [self.target_data, self.chi]
        system = self.rho_data * self.kernel**2
        self.length = problem.second_order_mm
        if self.length:
            self._add_second_order(system)
            self.kept_second = [zeros() for _ in PAIRS]
            self.rights, self.slopes = ([zeros() for _ in range(3)] for _ in range(2))
            self.right_sides += self.rights
            self.solutions += self.slopes
        else:
            system += self.squared
        if problem.harmonic:
            self._add_harmonic(system, np.float32(2 * problem.harmonic / rho))
            self.kept_harmonic, self.target_harmonic = zeros(), zeros()
            self.right_sides.append(self.target_harmonic)
            self.solutions.append(self.target_harmonic)
        system[0, 0, 0] = np.inf
        self.inverse = np.divide(1, system, out=system)
        self.spectra = half_grids(self.right_sides)
        self._advance()

    def _add_second_order(self, system):
        # ρ₃ over ρ₂: second differences are slopes over ℓ. Their limit is ℓ times that of slopes, over this.
        self.second = second = np.float32(self.length**2)
        self.second_scale = np.float32(1 / self.length)
        self.damping = 1 / (1 + second * self.squared)
        self.inverse_slopes = 1 / (1 + second / 2 * self.squared)
        system += self.squared * second * self.squared * self.damping

    def _add_harmonic(self, system, weight):
        # The data penalty of h alone, and that of Δh; χ after h is eliminated. The two are alike for an h that bends
        # within a voxel: whatever β, χ then comes closest in the same number of iterations.
        rho = self.rho_data * np.float32(np.prod(self.problem.voxel_size) ** (4 / 3))
        self.rho_harmonic = rho
        self.inverse_harmonic = 1 / (self.rho_data + rho * self.squared**2)
        self.couple = self.rho_data * self.kernel * self.inverse_harmonic
        system -= self.rho_data * self.kernel * self.couple
        # The share of v that u is: 2β over itself and ρ, and nothing outside.
        inside = self.problem.inside
        if inside is None:
            inside = binary_fill_holes(self.problem.data_weight > 0)
        self.damped = np.where(inside, weight / (weight + rho), np.float32(0))

    def step(self) -> float:
        """One iteration; returns the deviation of what χ changed by, where known, as a fraction of that of χ."""
        in_frequencies(self.right_sides, self._solve, self.solutions, self.spectra)
        whole, whole_square, change, change_square = self._advance() / self.count
        variance = whole_square - whole**2
        return float(np.sqrt(max(change_square - change**2, 0) / variance)) if variance > 0 else 0.0

    def add_rest(self, field):
        """Go on with a field, and with what the split of Dχ + h, z, left of that before."""
        z = (self.kept_data + self.target_data / self.rho_data) / (2 - RELAXATION)
        self.field = field + (self.field - z)

    def _solve(self, rows, spectra):
        """Put χ, Dχ + h, w and Δh in place of the right sides, at some frequencies."""
        data, right, *others = spectra
        kernel, squared = self.kernel[:, rows], self.squared[:, rows]
        if self.length:
            slopes, damping = others[:3], self.damping[:, rows]
            symbols = [one[:, rows] if one.shape[1] > 1 else one for one in self.symbols]
            along = sum(np.conj(d) * one for d, one in zip(symbols, slopes, strict=True))
            right += damping * along
        if self.problem.harmonic:
            own, couple = others[-1], self.couple[:, rows]
            own *= -self.rho_harmonic * squared
            own += data
            right -= couple * own
        data *= kernel
        right += data
        right *= self.inverse[:, rows]
        np.multiply(right, kernel, out=data)
        if self.problem.harmonic:
            own *= self.inverse_harmonic[:, rows]
            own -= couple * right
            data += own
            own *= -squared
        if self.length:
            # w: (b − ½ρ₃ d dᴴb/(ρ₂ + ρ₃e)) / (ρ₂ + ½ρ₃e), with b the right side plus ρ₂ d χ.
            rest = right - self.second / 2 * damping * (along + squared * right)
            for d, one in zip(symbols, slopes, strict=True):
                one += d * rest
                one *= self.inverse_slopes[:, rows]

    def _advance(self):
        """Splits and targets from χ, w, and Dχ + h and Δh, which are where their next targets are put.

        Returns sum and sum of squares of χ and of what it changed by, where known.
        """
        outputs, shape = [self.back, *(self.rights if self.length else ())], self.chi.shape

        def work(planes):
            self._advance_plain(planes)
            spill = np.zeros((len(outputs), *shape[1:]), np.float32)
            self._advance_slopes(planes, spill[0])
            if self.length:
                self._advance_bends(planes, spill[1:])
            return planes.stop % len(self.chi), spill, self._sums(planes)

        totals = 0
        for plane, spill, sums in run_slabs(work, shape):
            totals += sums
            # What the adjoint of a slab gives to the plane that follows it.
            for output, one in zip(outputs, spill, strict=True):
                output[plane] += one
        return totals

    def _sums(self, planes):
        chi, change, known = self.chi[planes], self.before[planes], self.known[planes]
        np.subtract(chi, change, out=change)
        sums = [(np.vdot(known, one), np.vdot(known * one, one)) for one in (chi, change)]
        change[:] = chi
        return np.ravel(sums).astype(np.float64)

    def _advance_plain(self, planes):
        """The splits of Dχ + h and of Δh."""
        v, field = self.kept_data[planes], self.target_data[planes]
        field *= RELAXATION
        v += field
        u = np.subtract(v, self.field[planes], out=field)
        u *= self.share[planes]
        target = _reflect(v, u)
        target *= self.rho_data
        if self.problem.harmonic:
            v, u = self.kept_harmonic[planes], self.target_harmonic[planes]
            u *= RELAXATION
            v += u
            _reflect(v, np.multiply(v, self.damped[planes], out=u))

    def _advance_slopes(self, planes, spill):
        """The splits of ∇χ − w."""
        v, h, chi = [one[planes] for one in self.kept], self.problem.voxel_size, self.chi
        for axis, one in enumerate(v):
            # Over-relaxed by a smaller voxel.
            one += periodic_difference(chi[planes], axis, h[axis] / RELAXATION, following(chi, axis, planes))
            if self.length:
                one -= RELAXATION * self.slopes[axis][planes]
        back = self.back[planes]
        back[:] = 0
        u = self._multipliers(planes, v, self._limits(planes, AXES), AXES)
        for axis, (one, taken) in enumerate(zip(v, u, strict=True)):
            target = _reflect(one, taken)
            periodic_difference_adjoint(target, axis, h[axis], back, spill if axis == 0 else None)
            if self.length:
                np.negative(target, out=self.rights[axis][planes])

    def _advance_bends(self, planes, spill):
        """The splits of Ew."""
        v, h = [one[planes] for one in self.kept_second], [one / RELAXATION for one in self.problem.voxel_size]
        slopes = self.slopes
        for one, ((a, b), _) in zip(v, PAIRS, strict=True):
            bend = periodic_difference(slopes[b][planes], a, h[a], following(slopes[b], a, planes))
            if a != b:
                bend += periodic_difference(slopes[a][planes], b, h[b], following(slopes[a], b, planes))
                bend *= np.float32(0.5)
            one += bend
        limits = [self.second_scale * one for one in self._limits(planes, PAIRS)]
        h = self.problem.voxel_size
        rights = [one[planes] for one in self.rights]
        u = self._multipliers(planes, v, limits, PAIRS)
        for one, taken, ((a, b), _) in zip(v, u, PAIRS, strict=True):
            target = _reflect(one, taken)
            target *= self.second
            periodic_difference_adjoint(target, b, h[b], rights[a], spill[a] if b == 0 else None)
            if a != b:
                periodic_difference_adjoint(target, a, h[a], rights[b], spill[b] if a == 0 else None)

    def _limits(self, planes, components):
        """The limit of each component of a norm."""
        if self.limit.ndim == 3:
            return [self.limit[planes]] * len(components)
        own = self.limit[:, planes]
        return [own[a[0]] if len({*a}) == 1 else (own[a[0]] + own[a[1]]) / 2 for a, _ in components]

    def _multipliers(self, planes, v, limits, components):
        """What shrinkage takes away from the components v of a norm, given as their axes and how often each counts."""
        last = planes.stop == len(self.back)
        if self.problem.power == 2:
            u = [one * limit for one, limit in zip(v, limits, strict=True)]
        elif not self.problem.isotropic:
            u = [np.minimum(one, limit) for one, limit in zip(v, limits, strict=True)]
            for one, limit in zip(u, limits, strict=True):
                np.maximum(one, -limit, out=one)
        else:
            limit = sum(limits) / np.float32(len(limits)) if self.limit.ndim == 4 else limits[0]
            length = np.zeros_like(limit)
            for one, (axes, count) in zip(v, components, strict=True):
                # A link past the border has no weight, and no share in the length.
                square = np.float32(count) * one**2
                empty_past_border(square, axes, last)
                length += square
            np.sqrt(length, out=length)
            np.maximum(length, np.float32(1e-20), out=length)
            share = np.minimum(1, np.divide(limit, length, out=length), out=length)
            u = [one * share for one in v]
        for one, (axes, _) in zip(u, components, strict=True):
            empty_past_border(one, axes, last)
        return u


def following(array: np.ndarray, axis: int, planes: slice) -> np.ndarray | None:
    """Return the plane after a slab of the first axis, if that is where differences along an axis leave it."""
    return array[planes.stop % len(array)] if axis == 0 else None


def empty_past_border(array: np.ndarray, axes, last: bool) -> None:
    """Set to 0, in a slab, what links past the border of the grid along some axes hold; `last`: no slab comes after."""
    for axis in axes:
        if axis > 0 or last:
            array.swapaxes(axis, 0)[-1] = 0


def _reflect(v, u):
    """Leave in v what an iteration leaves of it, and in u, which is returned, the target."""
    z = v - u
    np.subtract(z, u, out=u)
    z *= RELAXATION
    v -= z
    return u
