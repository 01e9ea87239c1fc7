"""The inversions by splitting against independent solutions with matrices, and the operators' adjoints."""

import unittest
import warnings
from dataclasses import replace
from types import SimpleNamespace
from unittest import mock

import numpy as np
import scipy.sparse as sp

from TrabecularQSMLib import chunks
from TrabecularQSMLib.errors import Cancelled, InputError, SolverWarning
from TrabecularQSMLib.inversion import METHODS, invert
from TrabecularQSMLib.inversion.prior import fat_prior
from TrabecularQSMLib.inversion.splitting import Problem, solve
from TrabecularQSMLib.inversion.total_field import total_field
from TrabecularQSMLib.kernels import (
    convolve,
    difference_symbols,
    dipole_kernel,
    periodic_difference,
    periodic_difference_adjoint,
)
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom
from TrabecularQSMLib.pipeline import reconstruct
from TrabecularQSMLib.settings import preset

SHAPE, VOXEL_SIZE, B0 = (5, 4, 6), (1.5, 0.8, 1.1), (0.48, -0.6, 0.64)
REGULARIZATION = 0.003


def case(seed=1, axes=()):
    """A field with noise, and weights with holes and edges (of links, with three axes)."""
    rng = np.random.default_rng(seed)
    chi = np.zeros(SHAPE)
    chi[1:3, 1:3, 2:5], chi[3:, 3:, :3] = 0.8, -0.5
    field = convolve(dipole_kernel(SHAPE, VOXEL_SIZE, B0), chi) + 0.01 * rng.standard_normal(SHAPE)
    weights = rng.uniform(0.4, 1, SHAPE) * (rng.random(SHAPE) > 0.1)
    edges = np.where(rng.random((*axes, *SHAPE)) < 0.3, 0.2, 1)
    single = lambda array: array.astype(np.float32)  # noqa: E731
    return SimpleNamespace(field=single(field), data_weight=single(weights), edge_weight=single(edges))


def problem(one, **more):
    return Problem(one.field, VOXEL_SIZE, B0, one.data_weight, one.edge_weight, REGULARIZATION, **more)


class Matrices:
    """The cost of a `Problem` with matrices in float64: ‖A x − b‖² and a list of weighted ℓ1 norms of rows of x."""

    def __init__(self, one):
        count = one.field.size
        self.count = count
        kernel = dipole_kernel(SHAPE, VOXEL_SIZE, B0).astype(float)
        self.dipole = np.stack([convolve(kernel, e.reshape(SHAPE)).ravel() for e in np.eye(count)], axis=1)
        lines = [sp.diags_array([-np.ones(n), np.ones(n - 1)], offsets=[0, 1]).tolil() for n in SHAPE]
        for line in lines:
            line[-1, -1] = 0  # Neumann
        whole = [sp.eye_array(n) for n in SHAPE]
        self.slope = []
        for axis, h in enumerate(VOXEL_SIZE):
            parts = [lines[n] if n == axis else whole[n] for n in range(3)]
            self.slope.append((sp.kron(sp.kron(parts[0], parts[1]), parts[2]) / h).tocsr())
        self.weight = one.data_weight.ravel().astype(float)
        self.edges = [one.ravel() for one in np.broadcast_to(one.edge_weight.astype(float), (3, *SHAPE))]
        self.target = self.weight * one.field.ravel()


def by_matrices(data, target, blocks, *, isotropic):
    """Minimize ‖Ax − b‖² + Σ tᵢ|Bx|ᵢ by alternating directions with exact solutions, written on its own.

    `blocks` are lists of (matrix, weights, count): those of one list form the vectors of the isotropic norm, in which
    a component counts `count` times.
    """
    # Each row is scaled by the root of its count, so that lengths are plain sums of squares.
    rows = sp.vstack([np.sqrt(n) * matrix for block in blocks for matrix, _, n in block]).toarray()
    scale = lambda n: 1 if isotropic else np.sqrt(n)  # noqa: E731
    limits = [np.stack([scale(n) * weights for _, weights, n in block]) for block in blocks]
    penalty = 10 * REGULARIZATION  # found by trying; with 1000 iterations what is left is below 1e-9
    inverse = np.linalg.pinv(2 * data.T @ data + penalty * rows.T @ rows)
    fixed, back = inverse @ (2 * data.T @ target), penalty * inverse @ rows.T
    split, dual = np.zeros((2, len(rows)))
    for _ in range(1000):
        x = fixed + back @ (split - dual)
        both = 1.6 * (rows @ x) - 0.6 * split + dual
        start = 0
        for bound in limits:
            stop = start + bound.size
            part = both[start:stop].reshape(bound.shape)
            if isotropic:
                # A component without weight (past the border) takes no part.
                length = np.linalg.norm(np.where(bound > 0, part, 0), axis=0)
                less = np.maximum(0, 1 - bound.max(axis=0) / (penalty * np.maximum(length, 1e-300)))
                part = np.where(bound > 0, part * less, part)
            else:
                part = np.sign(part) * np.maximum(np.abs(part) - bound / penalty, 0)
            split[start:stop] = part.ravel()
            start = stop
        dual = both - split
    return x


def laplacian(count):
    """The periodic Laplacian as a matrix."""
    units = np.eye(count).reshape(count, *SHAPE)
    return sum(
        ((np.roll(units, 1, axis + 1) + np.roll(units, -1, axis + 1) - 2 * units) / h**2).reshape(count, count).T
        for axis, h in enumerate(VOXEL_SIZE)
    )


class TotalVariationTest(unittest.TestCase):
    def compare(self, one, *, order=1, isotropic=False, harmonic=0.0, rounds=1, later=0.0):
        matrices = Matrices(one)
        edges, count, slope = matrices.edges, matrices.count, matrices.slope
        mean = sum(edges) / 3
        together = [mean] * 3 if isotropic else edges
        # All but a corner, through which h can bend: with more h would explain all.
        inside = np.ones(SHAPE, bool)
        inside[:2, :2, :2] = False
        ends = [np.ones(SHAPE) for _ in range(3)]
        for axis, end in enumerate(ends):
            np.moveaxis(end, axis, 0)[-1] = 0
        ends = [end.ravel() for end in ends]
        root = np.diag(matrices.weight)  # of the data term
        harmonic_part = np.zeros((count, count))  # h of what χ leaves of the field
        zero, one_by_one = sp.csr_array((count, count)), sp.eye_array(count)
        first = [[slope[axis], REGULARIZATION * together[axis] * ends[axis], 1] for axis in range(3)]
        blocks = [first]
        more = {"isotropic": isotropic}
        if order == 2:
            length = 2.0
            more["second_order_mm"] = length
            keep = [sp.diags_array(end) for end in ends]
            for axis in range(3):
                parts = [slope[axis], *(-keep[axis] @ one_by_one if n == axis else zero for n in range(3))]
                first[axis][0] = sp.hstack(parts)
            second = []
            for a, b, times in ((0, 0, 1), (1, 1, 1), (2, 2, 1), (0, 1, 2), (0, 2, 2), (1, 2, 2)):
                both = ends[a] * ends[b]
                parts = [zero, zero, zero]
                # The link counts where both of its differences lie in the grid.
                parts[b] = parts[b] + 0.5 * sp.diags_array(both) @ slope[a]
                parts[a] = parts[a] + 0.5 * sp.diags_array(both) @ slope[b]
                edge = (together[a] + together[b]) / 2
                second.append([sp.hstack([zero, *parts]), REGULARIZATION * length * edge * both, times])
            blocks.append(second)
        if harmonic:
            more |= {"harmonic": harmonic, "inside": inside}
            # h is eliminated: what of a misfit no h can take away.
            bends = np.sqrt(harmonic) * inside.ravel()[:, None] * laplacian(count)
            weight = np.diag(matrices.weight**2)
            harmonic_part = np.linalg.pinv(weight + bends.T @ bends) @ weight
            values, vectors = np.linalg.eigh(weight - weight @ harmonic_part)
            root = np.sqrt(np.maximum(values, 0))[:, None] * vectors.T
        data = root @ matrices.dipole
        if order == 2:
            data = np.hstack([data, np.zeros((count, 3 * count))])
        field = one.field.ravel().astype(float)
        # In later rounds the field is another.
        renewed = one.field + np.float32(later) * np.random.default_rng(5).standard_normal(SHAPE, dtype=np.float32)
        for _ in range(rounds):
            wanted = by_matrices(data, root @ field, blocks, isotropic=isotropic)[:count]
            rest = field - matrices.dipole @ wanted
            field = renewed.ravel() + rest - harmonic_part @ rest
        wanted = wanted.reshape(SHAPE)
        found = solve(
            problem(one, **more),
            tolerance=1e-6,
            iterations=3000,
            rounds=rounds,
            renewed=(lambda chi, progress: renewed) if later else None,
            message="Inverting (test)",
        )
        self.assertLess(abs(found.mean(dtype=float)), 1e-6)
        self.assertGreater(np.linalg.norm(wanted), 0.3)
        return np.linalg.norm(found - (wanted - wanted.mean())) / np.linalg.norm(wanted)

    def test_it_reaches_the_minimum_that_a_method_with_matrices_finds(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SolverWarning)
            for axes, more in (
                ((3,), {}),
                ((3,), {"isotropic": True}),
                ((3,), {"order": 2}),
                ((), {"order": 2, "isotropic": True}),
                ((), {"harmonic": 0.5}),
                ((3,), {"rounds": 2}),
                ((3,), {"rounds": 2, "later": 0.05}),
                ((), {"harmonic": 0.5, "rounds": 2}),
            ):
                with self.subTest(axes=axes, **more):
                    # At most 0.03 %, which falls with its iterations.
                    self.assertLess(self.compare(case(axes=axes), **more), 1e-3)

    def test_a_harmonic_field_is_found_as_soon_however_much_it_may_not_bend(self):
        inside = np.ones(SHAPE, bool)
        inside[:2, :2, :2] = False
        for harmonic in (0.5, 50.0):
            one = problem(case(), harmonic=harmonic, inside=inside)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SolverWarning)
                early, late = (solve(one, tolerance=1e-9, iterations=n, message="A (test)") for n in (100, 1000))
            # 0.3 %; with the weight of the term itself as penalty 3 to 8 %.
            self.assertLess(np.linalg.norm(early - late), 0.01 * np.linalg.norm(late), harmonic)

    def test_a_second_round_gives_steps_back_that_the_first_took(self):
        chi = np.zeros((20, 18, 16), np.float32)
        chi[6:13, 5:12, 4:11] = 0.5
        field = convolve(dipole_kernel(chi.shape, (1, 1, 1), B0), chi)
        ones, inside, lost = np.ones(chi.shape, np.float32), chi > 0, []
        for rounds in (1, 2):
            found = solve(
                Problem(field, (1, 1, 1), B0, ones, ones, 0.02),
                tolerance=1e-4,
                iterations=2000,
                rounds=rounds,
                message="A (test)",
            )
            lost.append(1 - (found[inside].mean() - found[~inside].mean()) / 0.5)
        # 24 % and 2 %.
        self.assertGreater(lost[0], 0.15)
        self.assertLess(abs(lost[1]), lost[0] / 4)

    def test_periodic_differences_have_their_adjoint_and_their_symbols(self):
        rng = np.random.default_rng(3)
        for shape in ((6, 5, 7), (5, 6, 8)):
            x, v = rng.standard_normal((2, *shape))
            for axis, (h, symbol) in enumerate(zip(VOXEL_SIZE, difference_symbols(shape, VOXEL_SIZE), strict=True)):
                slope, back = periodic_difference(x, axis, h), np.zeros(shape)
                periodic_difference_adjoint(v, axis, h, back)
                self.assertAlmostEqual(np.vdot(slope, v), np.vdot(x, back), delta=1e-12)
                # Symbols are float32.
                np.testing.assert_allclose(slope, convolve(symbol, x), atol=1e-5)

    def test_slabs_change_nothing(self):
        one, found = case(), []
        for more in ({}, {"isotropic": True}, {"power": 2}, {"second_order_mm": 3.0, "harmonic": 0.5}):
            for voxels in (45, 10**6):  # two planes, all
                with mock.patch.object(chunks, "SLAB_VOXELS", voxels), warnings.catch_warnings():
                    warnings.simplefilter("ignore", SolverWarning)
                    found.append(solve(problem(one, **more), tolerance=1e-9, iterations=20, message="A (test)"))
            np.testing.assert_allclose(*found[-2:], atol=1e-5 * np.abs(found[-1]).max(), err_msg=str(more))

    def test_it_takes_the_same_iterations_in_voxels_of_any_size(self):
        one, found = problem(case()), []
        for scale in (1, 3):
            size, weight = tuple(scale * h for h in VOXEL_SIZE), scale * REGULARIZATION
            scaled = replace(one, voxel_size=size, regularization=weight)  # the same cost, in other units
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SolverWarning)
                found.append(solve(scaled, tolerance=1e-9, iterations=15, message="A (test)"))
        np.testing.assert_allclose(*found, atol=1e-5)

    def test_with_a_quadratic_regularizer_it_reaches_the_least_squares_solution(self):
        one = case(axes=(3,))
        matrices = Matrices(one)
        rows = [
            np.sqrt(0.05) * edge[:, None] * slope.toarray()
            for edge, slope in zip(matrices.edges, matrices.slope, strict=True)
        ]
        system = np.concatenate([matrices.weight[:, None] * matrices.dipole, *rows])
        target = np.concatenate([matrices.target, np.zeros(3 * matrices.count)])
        wanted = np.linalg.lstsq(system, target, rcond=None)[0].reshape(SHAPE)
        arguments = (VOXEL_SIZE, B0, one.data_weight, one.edge_weight, 0.05)
        found = solve(Problem(one.field, *arguments, power=2), tolerance=1e-6, iterations=3000, message="A (test)")
        self.assertGreater(np.linalg.norm(wanted), 0.3)
        # float32
        np.testing.assert_allclose(found, wanted, atol=2e-4 * np.abs(wanted).max())

    def test_it_says_when_it_runs_out_of_iterations_and_knows_an_empty_field(self):
        one = case()
        with self.assertWarnsRegex(SolverWarning, "^test did not reach its tolerance of 1e-07 in 3 iterations"):
            solve(problem(one), tolerance=1e-7, iterations=3, message="A (test)")
        one.field = np.zeros_like(one.field)
        self.assertFalse(solve(problem(one), tolerance=1e-3, iterations=3, message="A (test)").any())

    def test_progress_rises_to_one_and_what_it_raises_passes(self):
        for name in ("medi-tv", "tgv"):
            seen = []
            arguments = {"method": name, "b0_direction": B0, "regularization": REGULARIZATION, "tolerance": 0.01}
            one = case()
            arguments |= {"data_weight": one.data_weight, "edge_weight": one.edge_weight, "iterations": 2000}
            invert(one.field, VOXEL_SIZE, progress=lambda fraction, _: seen.append(fraction), **arguments)  # noqa: B023
            self.assertEqual((seen, seen[-1]), (sorted(seen), 1.0), name)
            with self.assertRaises(Cancelled):
                invert(one.field, VOXEL_SIZE, progress=self.cancel, **arguments)

    @staticmethod
    def cancel(_, __):
        raise Cancelled


class TotalFieldTest(unittest.TestCase):
    def test_it_finds_a_source_in_a_body_within_air_and_a_shim(self):
        shape, voxel_size, b0 = (28, 30, 26), (1.5, 1.2, 1.5), (0.6, 0.0, 0.8)
        z, y, x = np.indices(shape) - np.reshape([(n - 1) / 2 for n in shape], (3, 1, 1, 1))
        body = (z / 10) ** 2 + (y / 11) ** 2 + (x / 9) ** 2 < 1
        source = (abs(z) < 3) & (abs(y - 2) < 3) & (abs(x) < 3)
        chi = np.where(body, 0, 9.4) + 0.5 * source
        field = convolve(dipole_kernel(shape, voxel_size, b0), chi) + 3.0 + 0.05 * z - 0.02 * y
        weight = body.astype(np.float32)
        edges = np.ones(shape, np.float32)
        for axis in range(3):
            edges[np.roll(source, -1, axis) != source] = 0.01
        found = total_field(
            np.where(body, field, 0),
            voxel_size,
            b0_direction=b0,
            regularization=0.01,
            data_weight=weight,
            edge_weight=edges,
            tolerance=1e-3,
            iterations=1000,
        )
        around = body & ~source
        # The mean of the rest of the body is the reference; without air and shim taken up it would be off by ppm.
        self.assertAlmostEqual(found[source].mean() - found[around].mean(), 0.5, delta=0.05)
        self.assertLess(found[around].std(), 0.1)

    def test_the_pipeline_says_that_background_and_erosion_were_not_used(self):
        acquisition = make_phantom(PhantomSettings(shape=(30, 31, 14))).acquisition
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SolverWarning)
            result = reconstruct(acquisition, preset(inversion="total-field", background="lbv", inversion_iterations=5))
        self.assertEqual((result.settings.background, result.settings.mask_erosion), ("none", 0.0))
        self.assertTrue(any("total-field takes the background away itself" in note for note in result.notes))
        self.assertTrue(result.maps["chi"].any())


class PriorTest(unittest.TestCase):
    def test_chi_is_regularized_less_the_prior_by_every_method(self):
        one = case()
        rng = np.random.default_rng(5)
        prior = fat_prior(rng.random(SHAPE), one.data_weight > 0, chi_fat=0.3)
        self.assertTrue(np.all(prior[one.data_weight == 0] == 0))
        field = convolve(dipole_kernel(SHAPE, VOXEL_SIZE, B0), prior)
        for name in METHODS:
            # So much regularization that nothing but the prior is left.
            arguments = {"b0_direction": B0, "regularization": 1e3, "method": name, "prior": prior}
            weights = {"data_weight": one.data_weight, "edge_weight": np.ones(SHAPE, np.float32)}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SolverWarning)
                found = invert(one.field + field, VOXEL_SIZE, **arguments, **weights)
            np.testing.assert_allclose(found - found.mean(), prior - prior.mean(), atol=0.02, err_msg=name)

    def test_a_weak_harmonic_term_is_refused_where_a_method_has_none(self):
        for name, method in METHODS.items():
            if "weak_harmonic" in method.options.values():
                self.assertEqual(preset(inversion=name, weak_harmonic=5.0).weak_harmonic, 5.0)
            else:
                with self.assertRaisesRegex(InputError, f"the inversion {name} has no such term"):
                    preset(inversion=name, weak_harmonic=5.0)


if __name__ == "__main__":
    unittest.main()
