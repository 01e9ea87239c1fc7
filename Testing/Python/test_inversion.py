"""The inversions against the equations they solve, and the L-curve."""

import sys
import unittest
import warnings
from functools import lru_cache
from types import SimpleNamespace
from unittest import mock

import numpy as np
import scipy.fft

from TrabecularQSMLib import chunks
from TrabecularQSMLib.errors import Cancelled, InputError, SolverWarning
from TrabecularQSMLib.inversion import METHODS, invert, lcurve
from TrabecularQSMLib.inversion.closed_form import ClosedForm, closed_form
from TrabecularQSMLib.inversion.grid import Grid
from TrabecularQSMLib.inversion.medi_l2 import medi_l2, normal_operator
from TrabecularQSMLib.inversion.medi_tv_nesterov import Cost, medi_tv_nesterov
from TrabecularQSMLib.inversion.weights import data_weight, edge_weight
from TrabecularQSMLib.kernels import convolve, dipole_kernel, gradient
from TrabecularQSMLib.solvers import accelerated_gradient

# The package holds the function of this name.
NESTEROV = sys.modules[Cost.__module__]
VOXEL_SIZE, B0 = (1.5, 0.8, 1.1), (0.48, -0.6, 0.64)


def problem(shape=(14, 15, 12), seed=1, axes=()):
    """A field with noise, and weights with holes, edges (of links, with three axes) and a shade."""
    rng = np.random.default_rng(seed)
    chi = np.zeros(shape, np.float32)
    chi[4:9, 5:11, 3:8], chi[9:12, 3:6, 6:10] = 0.8, -0.5
    field = convolve(dipole_kernel(shape, VOXEL_SIZE, B0), chi) + 0.01 * rng.standard_normal(shape)
    weights = rng.uniform(0.3, 1, shape)
    weights[rng.random(shape) < 0.1] = 0
    edges = np.where(rng.random((*axes, *shape)) < 0.3, 0.01, 1)
    return SimpleNamespace(
        field=field.astype(np.float32), data_weight=weights.astype(np.float32), edge_weight=edges.astype(np.float32)
    )


def options(case, regularization, **more):
    weights = {"data_weight": case.data_weight, "edge_weight": case.edge_weight}
    return {"b0_direction": B0, "regularization": regularization, **weights, **more}


@lru_cache(maxsize=1)
def ankle():
    """Local field and weights of a piece of the digital ankle, as the pipeline gives them."""
    from TrabecularQSMLib.phantom import PhantomSettings, make_phantom
    from TrabecularQSMLib.pipeline import reconstruct
    from TrabecularQSMLib.settings import preset

    phantom = make_phantom(PhantomSettings(shape=(48, 48, 24), field_of_view_mm=(72, 72, 36), seed=3))
    maps = reconstruct(phantom.acquisition, preset(stop_after="background")).maps
    mask = maps["reliability"] > 0
    return SimpleNamespace(
        field=maps["local_field"],
        voxel_size=phantom.acquisition.voxel_size,
        b0_direction=phantom.acquisition.b0_direction,
        data_weight=data_weight(maps["mip"], mask, maps["reliability"]),
        edge_weight=edge_weight(maps["water"] - maps["fat"], mask, phantom.acquisition.voxel_size),
    )


class ClosedFormTest(unittest.TestCase):
    def test_it_meets_its_normal_equations_on_the_periodic_grid(self):
        case = problem()
        for regularization in (0.01, 0.2):
            chi = closed_form(case.field, VOXEL_SIZE, b0_direction=B0, regularization=regularization).astype(float)
            kernel = dipole_kernel(chi.shape, VOXEL_SIZE, B0)
            laplacian = sum(
                (2 * chi - np.roll(chi, 1, axis) - np.roll(chi, -1, axis)) / h**2 for axis, h in enumerate(VOXEL_SIZE)
            )
            left = convolve(kernel, convolve(kernel, chi)) + regularization * laplacian
            # float32, of values of about 0.1.
            np.testing.assert_allclose(left, convolve(kernel, case.field.astype(float)), atol=1e-6)
            self.assertAlmostEqual(chi.mean(), 0, places=6)

    def test_it_equals_a_dense_solution(self):
        shape = (5, 6, 4)
        count = int(np.prod(shape))
        field = np.random.default_rng(2).standard_normal(shape).astype(np.float32)
        kernel = dipole_kernel(shape, VOXEL_SIZE, B0)
        basis = np.eye(count).reshape(count, *shape)
        dipole = np.stack([convolve(kernel, e).ravel() for e in basis], axis=1)
        slopes = [
            np.stack([((np.roll(e, -1, axis) - e) / h).ravel() for e in basis], axis=1)
            for axis, h in enumerate(VOXEL_SIZE)
        ]
        system = np.concatenate([dipole, *(np.sqrt(0.3) * s for s in slopes)])
        right = np.concatenate([field.ravel(), np.zeros(3 * count)])
        # The least-norm solution has zero mean.
        wanted = np.linalg.lstsq(system, right, rcond=None)[0].reshape(shape)
        found = closed_form(field, VOXEL_SIZE, b0_direction=B0, regularization=0.3)
        np.testing.assert_allclose(found, wanted, atol=1e-5)

    def test_one_spectrum_gives_the_same_for_every_regularization(self):
        case = problem()
        field = case.field[:-1]  # an odd number of samples too
        form = ClosedForm(field, VOXEL_SIZE, b0_direction=B0)
        for regularization in (0.5, 0.01, 0.5):
            whole = closed_form(field, VOXEL_SIZE, b0_direction=B0, regularization=regularization)
            np.testing.assert_array_equal(form.chi(regularization), whole)

    def test_the_residual_grows_and_the_gradient_falls_with_regularization(self):
        case = problem()
        kernel = dipole_kernel(case.field.shape, VOXEL_SIZE, B0)
        chis = [closed_form(case.field, VOXEL_SIZE, b0_direction=B0, regularization=x) for x in np.logspace(-4, 1, 9)]
        residuals = [np.sum((convolve(kernel, chi) - case.field) ** 2) for chi in chis]
        slopes = [np.sum(gradient(chi, VOXEL_SIZE) ** 2) for chi in chis]
        self.assertTrue(np.all(np.diff(residuals) > 0))
        self.assertTrue(np.all(np.diff(slopes) < 0))


class L2Test(unittest.TestCase):
    def test_its_normal_operator_is_symmetric_and_positive(self):
        rng = np.random.default_rng(3)
        for shape, axes in (((6, 8, 10), ()), ((7, 9, 5), (3,)), ((6, 9, 8), (3,))):
            case = problem(axes=axes)
            crop = tuple(slice(0, n) for n in shape)
            squares = case.data_weight[crop] ** 2, case.edge_weight[(..., *crop)] ** 2
            arguments = (dipole_kernel(shape, VOXEL_SIZE, B0), *squares, VOXEL_SIZE, 0.1)
            x, y = rng.standard_normal((2, *shape))
            ax, ay = (
                scipy.fft.irfftn(normal_operator(one, scipy.fft.rfftn(one), *arguments), s=shape) for one in (x, y)
            )
            # Rounding of float64.
            self.assertAlmostEqual(np.vdot(ax, y), np.vdot(x, ay), delta=1e-10)
            self.assertGreater(np.vdot(ax, x), 0)

    def test_it_meets_its_normal_equations_to_its_tolerance_and_has_mean_zero(self):
        for tolerance, axes in ((1e-2, ()), (1e-4, ()), (1e-4, (3,))):
            case = problem(axes=axes)
            kernel = dipole_kernel(case.field.shape, VOXEL_SIZE, B0).astype(float)
            d2, g2 = case.data_weight.astype(float) ** 2, case.edge_weight.astype(float) ** 2
            chi = medi_l2(case.field, VOXEL_SIZE, **options(case, 0.1, tolerance=tolerance)).astype(float)
            # The equations written out in float64; CG in float32 drifts from its own residual by 1e-5 or so.
            left = convolve(kernel, d2 * convolve(kernel, chi))
            for axis, (h, slope) in enumerate(zip(VOXEL_SIZE, g2 * gradient(chi, VOXEL_SIZE), strict=True)):
                left -= 0.1 * np.diff(slope, axis=axis, prepend=0) / h
            right = convolve(kernel, d2 * case.field)
            self.assertLess(np.linalg.norm(left - right), (tolerance + 5e-5) * np.linalg.norm(right))
            self.assertGreater(np.linalg.norm(chi), 0.1)
            # Rounding of float32 over some hundred iterations.
            self.assertLess(abs(chi.mean()), 1e-5 * np.abs(chi).max())

    def test_with_unit_weights_it_equals_the_closed_form_away_from_the_border(self):
        # The closed form's differences are periodic, those of MEDI end at the border; with nothing near it they agree.
        shape = (24, 28, 26)
        chi = np.zeros(shape, np.float32)
        chi[9:14, 11:17, 10:15] = 1.0
        field = convolve(dipole_kernel(shape, VOXEL_SIZE, B0), chi)
        ones = np.ones(shape, np.float32)
        case = SimpleNamespace(data_weight=ones, edge_weight=ones)
        found = medi_l2(field, VOXEL_SIZE, **options(case, 0.05, tolerance=1e-5))
        wanted = closed_form(field, VOXEL_SIZE, b0_direction=B0, regularization=0.05)
        # The field of the box at the border is 1 % of its peak.
        self.assertLess(np.abs(found - wanted).max(), 0.02 * np.abs(wanted).max())

    def test_a_residual_beyond_single_precision_ends_where_that_ends(self):
        case = problem()
        case.edge_weight = np.ones_like(case.edge_weight)
        found, finer = (medi_l2(case.field, VOXEL_SIZE, **options(case, 0.1, tolerance=one)) for one in (1e-5, 1e-12))
        np.testing.assert_allclose(finer, found, atol=1e-4 * np.abs(found).max())

    def test_it_warns_when_it_runs_out_of_iterations_and_knows_an_empty_field(self):
        case = problem()
        with self.assertWarnsRegex(SolverWarning, "3 iterations"):
            medi_l2(case.field, VOXEL_SIZE, **options(case, 0.1, iterations=3))
        self.assertFalse(medi_l2(np.zeros_like(case.field), VOXEL_SIZE, **options(case, 0.1)).any())


class TVCostTest(unittest.TestCase):
    def setUp(self):
        self.case = problem(axes=(3,))
        # Thin slabs, so that the seams between them are tested.
        patcher = mock.patch.object(chunks, "SLAB_VOXELS", 600)
        patcher.start()
        self.addCleanup(patcher.stop)
        self.cost = Cost(self.case.field, VOXEL_SIZE, B0, 0.03, self.case.data_weight, self.case.edge_weight)

    def reference(self, chi, smoothing=None):
        """The cost written out in float64."""
        kernel = dipole_kernel(chi.shape, VOXEL_SIZE, B0).astype(float)
        misfit = self.case.data_weight * (convolve(kernel, chi) - self.case.field)
        slopes = np.abs(self.case.edge_weight * gradient(chi, VOXEL_SIZE))
        if smoothing:
            slopes = np.where(slopes < smoothing, slopes**2 / (2 * smoothing), slopes - smoothing / 2)
        return np.sum(misfit**2) + 0.03 * slopes.sum()

    def test_its_values_are_those_of_the_equation(self):
        chi = np.random.default_rng(4).standard_normal(self.case.field.shape).astype(np.float32)
        self.assertAlmostEqual(self.cost.value(chi) / self.reference(chi.astype(float)), 1, places=5)
        for smoothing in (0.01, 1.0, 100.0):
            value, _ = self.cost.smoothed(chi, smoothing, self.cost.bounds(smoothing))
            self.assertAlmostEqual(value / self.reference(chi.astype(float), smoothing), 1, places=5)

    def test_its_gradient_is_the_derivative_of_the_smoothed_cost(self):
        rng = np.random.default_rng(5)
        chi = rng.standard_normal(self.case.field.shape).astype(np.float32)
        ones = np.ones_like(chi)
        for smoothing in (0.05, 0.5, 20.0):
            # Bounds of one in space and infinity in k-space leave half of the gradient.
            _, half = self.cost.smoothed(chi, smoothing, (np.float32(np.inf), ones))
            for _ in range(5):
                along = rng.standard_normal(chi.shape)
                step = 1e-5 * along
                slope = self.reference(chi + step, smoothing) - self.reference(chi - step, smoothing)
                # float32 of the gradient, and central differences of a piecewise quadratic.
                scale = 2 * np.linalg.norm(half) * np.linalg.norm(along)
                self.assertAlmostEqual(slope / 2e-5, 2 * np.vdot(half.astype(float), along), delta=1e-5 * scale)
            # And as the k-space bound takes it.
            _, other = self.cost.smoothed(chi, smoothing, (np.float32(1), np.float32(np.inf)))
            np.testing.assert_allclose(other, half, atol=1e-5 * np.abs(half).max())

    def test_both_bounds_lie_above_the_hessian(self):
        # With a smoothing far above every slope the cost is quadratic: xᵀHx is its second difference.
        rng = np.random.default_rng(6)
        shape, smoothing = self.case.field.shape, 1e3
        k, j, i = np.indices(shape)
        vectors = [rng.standard_normal(shape) for _ in range(5)]
        vectors += [
            (-1.0) ** (k * a + j * b + i * c) for a, b, c in ((1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0))
        ]
        vectors += [
            np.where((k == a) & (j == b) & (i == c), 1.0, 0) for a, b, c in ((0, 0, 0), (7, 7, 6), (13, 14, 11))
        ]
        vectors += [np.cos(2 * np.pi * k / shape[0]), np.cos(2 * np.pi * (j / shape[1] + i / shape[2]))]
        # The wave to which the dipole answers most.
        answer = np.abs(self.cost.kernel)
        a, b, c = np.unravel_index(np.argmax(answer), answer.shape)
        vectors += [np.cos(2 * np.pi * (a * k / shape[0] + b * j / shape[1] + c * i / shape[2]))]
        for weights in ("as given", "ones"):
            if weights == "ones":
                ones = np.ones(shape, np.float32)
                self.case.data_weight = self.case.edge_weight = ones
                self.cost = Cost(self.case.field, VOXEL_SIZE, B0, 0.03, ones, ones)
            # Once with the data term leading, once with the regularizer.
            for regularization in (0.03, 0.03e5):
                self.cost.regularization = regularization
                frequency, space = self.cost.bounds(smoothing)
                frequency[0, 0, 0] = 0
                closest = [0.0, 0.0]
                for x in vectors:
                    x = x - x.mean()
                    misfit = self.case.data_weight * convolve(self.cost.kernel, x)
                    slopes = self.case.edge_weight * gradient(x, VOXEL_SIZE)
                    curvature = 2 * np.sum(misfit**2) + regularization / smoothing * np.sum(slopes**2)
                    by_frequency = np.vdot(x, convolve(frequency, x))
                    # A rounding of float32 more than nothing.
                    self.assertLess(curvature, by_frequency * (1 + 1e-5))
                    self.assertLess(curvature, np.sum(space * x**2) * (1 + 1e-5))
                    closest = np.maximum(closest, (curvature / by_frequency, curvature / np.sum(space * x**2)))
                # Not by far: with weights of one, some vector comes close to each.
                if weights == "ones":
                    self.assertGreater(min(closest), 0.8)


class TVTest(unittest.TestCase):
    REGULARIZATION = 0.03

    def setUp(self):
        self.ankle = ankle()
        case = self.ankle
        self.cost = Cost(
            case.field, case.voxel_size, case.b0_direction, self.REGULARIZATION, case.data_weight, case.edge_weight
        )

    def solve(self, **more):
        arguments = options(self.ankle, self.REGULARIZATION, **more) | {"b0_direction": self.ankle.b0_direction}
        return medi_tv_nesterov(self.ankle.field, self.ankle.voxel_size, **arguments)

    def test_the_cost_falls_from_one_continuation_step_to_the_next(self):
        starts = []

        def watched(function, start, **more):
            starts.append(start)
            return accelerated_gradient(function, start, **more)

        with mock.patch.object(NESTEROV, "accelerated_gradient", watched):
            result = self.solve()
        values = [self.cost.value(chi) for chi in (*starts, result)]
        self.assertEqual(len(values), 5)
        self.assertTrue(np.all(np.diff(values) <= 1e-6 * values[0]), values)
        self.assertLess(values[-1], 0.8 * values[0])
        self.assertLess(abs(result.mean(dtype=float)), 1e-6)

    def test_a_step_that_makes_it_worse_is_given_up(self):
        results = []

        def worse_every_other_time(function, start, **more):
            results.append(accelerated_gradient(function, start, **{**more, "iterations": 5}))
            return results[-1] if len(results) % 2 else start + 1 - 2 * (np.indices(start.shape)[0] % 2)

        with mock.patch.object(NESTEROV, "accelerated_gradient", worse_every_other_time):
            found = self.solve()
        np.testing.assert_array_equal(found, results[2] - results[2].mean())

    def test_it_ends_within_one_percent_of_the_least_cost_that_is_known(self):
        found = self.cost.value(self.solve())
        # Splitting, which is compared with a method of matrices, falls below what 5,000 iterations here come to.
        arguments = options(self.ankle, self.REGULARIZATION) | {"b0_direction": self.ankle.b0_direction}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            precise = {"method": "medi-tv", "tolerance": 5e-5, "iterations": 3000}
            best = self.cost.value(invert(self.ankle.field, self.ankle.voxel_size, **precise, **arguments))
        self.assertLess(best, found)
        self.assertLess(found / best - 1, 0.01)

    def test_a_field_of_zero_gives_zero(self):
        self.ankle = SimpleNamespace(**(vars(self.ankle) | {"field": np.zeros_like(self.ankle.field)}))
        self.assertFalse(self.solve().any())


class MethodsTest(unittest.TestCase):
    def test_every_method_leaves_its_input_alone_and_returns_single_precision(self):
        case = problem()
        kept = [a.copy() for a in (case.field, case.data_weight, case.edge_weight)]
        for name, method in METHODS.items():
            chi = invert(case.field, VOXEL_SIZE, method=name, **options(case, 0.05))
            self.assertEqual((chi.shape, chi.dtype), (case.field.shape, np.float32), name)
            self.assertGreater(np.abs(chi).max(), 0.1)
            self.assertIn(method.power, (1, 2))
        for array, before in zip((case.field, case.data_weight, case.edge_weight), kept, strict=True):
            np.testing.assert_array_equal(array, before)

    def test_tolerance_and_iterations_reach_the_methods_that_iterate(self):
        case = problem()
        for name in ("medi-l2", "medi-tv"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)
                few = invert(case.field, VOXEL_SIZE, method=name, iterations=2, **options(case, 0.05))
            loose = invert(case.field, VOXEL_SIZE, method=name, tolerance=0.3, **options(case, 0.05))
            usual = invert(case.field, VOXEL_SIZE, method=name, **options(case, 0.05))
            self.assertGreater(np.abs(few - usual).max(), 1e-3, name)
            self.assertGreater(np.abs(loose - usual).max(), 1e-3, name)

    def test_progress_rises_to_one_and_what_it_raises_passes(self):
        case = problem()
        for name in ("medi-l2", "medi-tv"):
            seen = []
            invert(case.field, VOXEL_SIZE, method=name, progress=lambda f, _: seen.append(f), **options(case, 0.05))  # noqa: B023
            self.assertEqual((seen, seen[-1]), (sorted(seen), 1.0), name)
            for stop_at in (0.02, 0.5):

                def cancel(fraction, _, stop_at=stop_at):
                    if fraction > stop_at:
                        raise Cancelled

                with self.assertRaises(Cancelled):
                    invert(case.field, VOXEL_SIZE, method=name, progress=cancel, **options(case, 0.05))


class GridTest(unittest.TestCase):
    def test_it_holds_the_mask_with_its_padding_and_gives_the_image_back(self):
        image = np.random.default_rng(9).standard_normal((11, 13, 12)).astype(np.float32)
        mask = np.zeros(image.shape, bool)
        mask[2:9, 1:5, 6:12] = True
        for padding in (0, 3, 20):
            grid = Grid.around(mask, padding)
            inside = grid.put(mask)
            for axis, n in enumerate(inside.shape):
                used = np.flatnonzero(inside.any(axis=tuple(other for other in range(3) if other != axis)))
                self.assertGreaterEqual(min(used[0], n - 1 - used[-1]), padding)
                self.assertEqual(n, scipy.fft.next_fast_len(n, real=True))
            self.assertEqual(np.count_nonzero(inside), np.count_nonzero(mask))
            np.testing.assert_array_equal(grid.take(grid.put(image))[mask], image[mask])
            np.testing.assert_array_equal(grid.put(np.ones(mask.shape), fill=1.0), np.ones(inside.shape))

    def test_what_leaves_the_image_goes_on_beyond_it_and_only_there(self):
        image = np.arange(4 * 5 * 6, dtype=np.float32).reshape(4, 5, 6)
        mask = np.zeros(image.shape, bool)
        mask[:3, 1:4, 5:] = True  # leaves by the first plane of the first axis, and by the last of the last
        grid = Grid.around(mask, 3)
        self.assertEqual(grid.leaves, ((True, False), (False, False), (False, True)))
        once, on = grid.put(image, fill=-1.0), grid.put(image, fill=-1.0, goes_on=True)
        k, i = grid.before[0], grid.before[2] + len(range(*grid.inside[2].indices(6)))
        np.testing.assert_array_equal(on[:k, :, :i], np.repeat(once[k : k + 1, :, :i], k, axis=0))
        np.testing.assert_array_equal(on[k:, :, i:], np.repeat(once[k:, :, i - 1 : i], grid.after[2], axis=2))
        np.testing.assert_array_equal(on[k:, :, :i], once[k:, :, :i])
        of_links = np.stack([image, image + 1])
        np.testing.assert_array_equal(grid.put(of_links, fill=-1.0, goes_on=True)[0], on)


class PriorTest(unittest.TestCase):
    def test_the_field_of_a_later_round_belongs_to_all_of_chi(self):
        case, seen = problem(), []
        prior = np.random.default_rng(4).standard_normal(case.field.shape).astype(np.float32)
        arguments = options(case, 0.01, prior=prior, rounds=2, tolerance=0.05)

        def renewed(chi, progress):
            seen.append(chi)
            return case.field

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SolverWarning)
            found = [
                invert(case.field, VOXEL_SIZE, method="medi-tv", **arguments, **more)
                for more in ({}, {"renewed": renewed})
            ]
        np.testing.assert_array_equal(*found)
        self.assertGreater(np.corrcoef(seen[0].ravel(), prior.ravel())[0, 1], 0.5)


class LCurveTest(unittest.TestCase):
    def sweep(self, values, method="closed-form", **more):
        case = problem()
        arguments = options(case, 0.0, **more)
        del arguments["regularization"]
        return lcurve.sweep(case.field, VOXEL_SIZE, values, method=method, **arguments)

    def test_the_corner_of_an_l_has_the_largest_curvature(self):
        # y = 1/x² + 1 in logs: flat for large x, steep for small x, with its corner at x = 1.
        parameter = np.linspace(-4, 4, 81)
        bend = lcurve.curvature(parameter, np.log(np.exp(parameter) + 1), np.log(np.exp(-parameter) + 1))
        self.assertAlmostEqual(parameter[np.argmax(bend[1:-1]) + 1], 0.0, delta=0.11)
        self.assertGreater(bend[40], 0)
        # A circle of radius 2 has curvature 1/2, and its mirror image the opposite.
        angle = np.linspace(0, 1, 201)
        for sign in (1, -1):
            bend = lcurve.curvature(angle, 2 * np.cos(angle), sign * 2 * np.sin(angle))
            np.testing.assert_allclose(bend[3:-3], sign * 0.5, atol=1e-4)

    def test_the_zero_of_the_curvature_is_the_nearest_below_its_peak(self):
        values = np.logspace(-4, 4, 41)
        at = np.log10(values)
        # A wave with zeros every 1.5 from −1.1, its largest peak above that one.
        bend = np.sin(np.pi * (at + 1.1) / 1.5) * np.exp(-(at**2))
        # A line between values 0.2 apart, where the wave bends.
        self.assertAlmostEqual(np.log10(lcurve.zero_below_peak(values, bend)), -1.1, delta=0.03)
        self.assertIsNone(lcurve.zero_below_peak(values, 1 / (1 + at**2)), "never zero")
        self.assertIsNone(lcurve.zero_below_peak(values, at - 9), "never an L")

    def test_more_regularization_fits_worse_and_is_smoother(self):
        values = np.logspace(-3, 0, 4)
        for method in METHODS:
            with self.subTest(method=method):
                with warnings.catch_warnings():
                    # More exact than their defaults, but not to the end.
                    warnings.simplefilter("ignore", SolverWarning)
                    curve = self.sweep(values[::-1], method, **({} if method == "closed-form" else {"tolerance": 1e-4}))
                np.testing.assert_allclose(curve.regularization, values)
                self.assertTrue(np.all(np.diff(curve.data_term) > 0))
                self.assertTrue(np.all(np.diff(curve.regularizer) < 0))
                self.assertIn(curve.best, values[1:-1])
                for array in (curve.discrepancy, curve.curvature):
                    self.assertTrue(np.all(np.isfinite(array)))

    def test_its_terms_are_those_of_the_cost_and_regions_are_followed(self):
        case = problem()
        inside = np.zeros(case.field.shape, bool)
        inside[4:9, 5:11, 3:8] = True
        curve = self.sweep((0.01, 0.1, 1.0), "medi-l2", regions={"box": inside})
        chi = medi_l2(case.field, VOXEL_SIZE, **options(case, 0.1))
        misfit = convolve(dipole_kernel(chi.shape, VOXEL_SIZE, B0), chi) - case.field
        self.assertAlmostEqual(curve.discrepancy[1] / np.sum(misfit**2), 1, places=4)
        self.assertAlmostEqual(curve.data_term[1] / np.sum((case.data_weight * misfit) ** 2), 1, places=4)
        slopes = case.edge_weight * gradient(chi, VOXEL_SIZE)
        self.assertAlmostEqual(curve.regularizer[1] / np.sum(slopes**2), 1, places=4)
        self.assertAlmostEqual(curve.region_means["box"][1], chi[inside].mean(), places=5)

    def test_what_is_smooth_is_that_which_differs_from_the_prior(self):
        prior = np.random.default_rng(4).standard_normal(problem().field.shape).astype(np.float32)
        curve = self.sweep((0.01, 0.1, 1.0), "medi-l2", prior=prior, keep=(0.1,))
        slopes = problem().edge_weight * gradient(curve.maps[0.1] - prior, VOXEL_SIZE)
        self.assertAlmostEqual(curve.regularizer[1] / np.sum(slopes**2), 1, places=4)

    def test_too_few_or_impossible_values_are_refused(self):
        for values in ((), (0.1, 0.2), (0.1, 0.1, 0.2), (0.0, 0.1, 0.2), (-1.0, 0.1, 0.2), (0.1, 0.2, np.nan)):
            with self.assertRaisesRegex(InputError, "at least three different positive values"):
                self.sweep(values)

    def test_a_region_outside_the_grid_is_left_out_by_name(self):
        inside = np.ones((14, 15, 12), bool)
        curve = self.sweep((0.1, 0.2, 0.3), regions={"heel": ~inside, "box": inside})
        self.assertEqual(list(curve.region_means), ["box"])
        self.assertRegex(" ".join(curve.notes), "region heel has no voxel.*left out")
        self.assertEqual(len(curve.notes), 1)


if __name__ == "__main__":
    unittest.main()
