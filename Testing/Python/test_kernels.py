"""The dipole kernel against the field of a ball, and the linear operators against their adjoints and bounds."""

import unittest
from itertools import permutations, product
from unittest import mock

import numpy as np
import scipy.fft
from scipy import ndimage

from TrabecularQSMLib.errors import Cancelled
from TrabecularQSMLib.kernels import (
    convolve,
    dipole_kernel,
    dipole_planes,
    gradient,
    half_grids,
    in_frequencies,
    laplacian_symbol,
    within_thin_layer,
)
from TrabecularQSMLib.smoothing import gaussian, mean_of_alike
from TrabecularQSMLib.solvers import accelerated_gradient

# Even, odd and mixed grids, all anisotropic, with B0 along an axis and oblique.
GRIDS = ((8, 10, 12), (7, 9, 11), (8, 9, 11), (9, 8, 12), (1, 10, 7))
VOXEL_SIZE = (1.5, 0.8, 1.1)
DIRECTIONS = ((1.0, 0.0, 0.0), (0.0, 0.6, 0.8), (0.48, -0.6, 0.64))


def ball(shape, voxel_size, radius, samples=4):
    """Volume fraction of a ball in the middle of the grid, and coordinates in mm from its center."""
    coordinates, fine = [], []
    for n, h in zip(shape, voxel_size, strict=True):
        at = (np.arange(n) - n // 2) * h
        coordinates.append(at)
        fine.append((at[:, None] + h * ((np.arange(samples) + 0.5) / samples - 0.5)).ravel())
    z, y, x = np.ix_(*fine)
    inside = (z**2 + y**2 + x**2 <= radius**2).astype(np.float32)
    blocks = inside.reshape(*(size for n in shape for size in (n, samples)))
    return blocks.mean(axis=(1, 3, 5), dtype=np.float64), np.stack(np.meshgrid(*coordinates, indexing="ij"))


class DipoleTest(unittest.TestCase):
    def test_its_planes_are_the_half_grid_along_the_first_axis(self):
        for shape, direction in product(GRIDS, DIRECTIONS):
            planes = np.array(list(dipole_planes(shape, VOXEL_SIZE, direction)))
            source = np.random.default_rng(4).normal(size=shape)
            transform = np.fft.rfftn(source, axes=(1, 2, 0))  # the last one is halved
            field = np.fft.irfftn(transform * planes, shape[1:] + shape[:1], axes=(1, 2, 0))
            expected = convolve(dipole_kernel(shape, VOXEL_SIZE, direction), source)
            np.testing.assert_allclose(field, expected, atol=1e-6)

    def test_a_ball_has_the_field_of_a_dipole_outside_and_none_inside(self):
        # χ = 1 ppm. The field peaks at 2/3 ppm outside. Copies of the ball in the neighboring periods add up to
        # V_ball / V_grid = 0.5 % of χ where the grid is not a cube; a step of χ on voxels rings within some voxels of
        # the surface, by 4 % of χ two voxels off, on average by less than 1 %.
        shape, radius = (66, 80, 72), 8.0
        for voxel_size, direction in product(((1.0, 1.0, 1.0), (1.4, 0.8, 1.0)), DIRECTIONS):
            with self.subTest(voxel_size=voxel_size, direction=direction):
                source, at = ball(shape, voxel_size, radius)
                field = convolve(dipole_kernel(shape, voxel_size, direction), source)
                r = np.sqrt((at**2).sum(axis=0))
                cosine = np.einsum("akji,a->kji", at, direction) / np.maximum(r, 1e-9)
                outside = (r > radius + 2.5) & (r < 2.5 * radius)
                truth = (radius / np.maximum(r, 1.0)) ** 3 * (3 * cosine**2 - 1) / 3
                error = field - truth
                self.assertLess(np.sqrt(np.mean(error[outside] ** 2)), 0.01)
                self.assertLess(np.abs(error[outside]).max(), 0.05)
                inside = r < radius - 2.5
                self.assertLess(abs(field[inside].mean()), 0.01)
                self.assertLess(np.sqrt(np.mean(field[inside] ** 2)), 0.03)

    def test_the_kernel_is_the_formula_with_zero_at_the_origin(self):
        shape, direction = (7, 9, 11), DIRECTIONS[2]
        k = np.stack(np.meshgrid(*map(np.fft.fftfreq, shape, VOXEL_SIZE), indexing="ij"))
        with np.errstate(invalid="ignore"):
            formula = 1 / 3 - np.einsum("akji,a->kji", k, direction) ** 2 / (k**2).sum(axis=0)
        formula[0, 0, 0] = 0
        # float32 entries of at most 2/3.
        np.testing.assert_allclose(dipole_kernel(shape, VOXEL_SIZE, direction), formula[..., :6], atol=1e-7)

    def test_the_dipole_operator_is_its_own_adjoint(self):
        rng = np.random.default_rng(1)
        for shape, direction in product(GRIDS, DIRECTIONS):
            with self.subTest(shape=shape, direction=direction):
                kernel = dipole_kernel(shape, VOXEL_SIZE, direction)
                x, y = rng.standard_normal((2, *shape))
                # Rounding of float64.
                self.assertAlmostEqual(np.vdot(convolve(kernel, x), y), np.vdot(x, convolve(kernel, y)), delta=1e-11)

    def test_the_field_follows_when_axes_are_exchanged_and_flipped_on_even_grids_too(self):
        # The plane of the highest frequency of an even grid belongs to both signs: taken for one of them, an oblique
        # field would depend on the order of the voxels, by far more than the rounding of the float32 kernel.
        rng = np.random.default_rng(2)
        shape, direction = (8, 6, 10), DIRECTIONS[2]
        array = rng.standard_normal(shape)
        field = convolve(dipole_kernel(shape, VOXEL_SIZE, direction), array)
        for order, flips in product(permutations(range(3)), product((1, -1), repeat=3)):
            move = lambda a, o=order, f=flips: a.transpose(o)[tuple(slice(None, None, flip) for flip in f)]  # noqa: E731
            kernel = dipole_kernel(
                move(array).shape,
                [VOXEL_SIZE[axis] for axis in order],
                [direction[axis] * flip for axis, flip in zip(order, flips, strict=True)],
            )
            np.testing.assert_allclose(convolve(kernel, move(array)), move(field), atol=1e-6)


class FrequencyTest(unittest.TestCase):
    def test_planes_and_rows_have_the_spectra_of_the_whole_for_any_number_of_threads(self):
        rng = np.random.default_rng(0)
        for shape, precision in product(GRIDS, (np.float32, np.float64)):
            arrays = [rng.standard_normal(shape).astype(precision) for _ in range(2)]
            whole, found = [scipy.fft.rfftn(array) for array in arrays], set()
            factor = rng.standard_normal(whole[0].shape).astype(precision)
            expected = [scipy.fft.irfftn(one, s=shape) for one in (whole[1] * factor, whole[0])]

            def work(rows, spectra):
                for one, all_of_it in zip(spectra, whole, strict=True):  # noqa: B023
                    self.assertEqual(one.dtype, all_of_it.dtype)
                    np.testing.assert_allclose(one, all_of_it[:, rows], rtol=0, atol=300 * np.finfo(precision).eps)  # noqa: B023
                spectra[0][:], spectra[1][:] = spectra[1] * factor[:, rows], spectra[0].copy()  # noqa: B023

            for threads in (1, 2):
                results = [array.copy() for array in arrays]
                with mock.patch("TrabecularQSMLib.chunks.SLAB_VOXELS", 200), scipy.fft.set_workers(threads):
                    in_frequencies(results, work, results, half_grids(results))
                np.testing.assert_allclose(results, expected, rtol=0, atol=100 * np.finfo(precision).eps)
                found.add(b"".join(one.tobytes() for one in results))
            self.assertEqual(len(found), 1)


class SmoothingTest(unittest.TestCase):
    def test_slabs_have_the_bytes_of_scipy(self):
        rng = np.random.default_rng(0)
        ways = ((1.5, {}), ((0, 2.0, 0.7), {"mode": "constant", "truncate": 2.5}), ((3.0, 0, 0), {"mode": "nearest"}))
        for shape, (sigma, options) in product(GRIDS, ways):
            array = np.moveaxis(rng.standard_normal(shape[::-1], dtype=np.float32), 0, 2)
            before = array.copy()
            expected = ndimage.gaussian_filter(array, sigma, **options).tobytes()
            for threads in (1, 2):
                with mock.patch("TrabecularQSMLib.chunks.SLAB_VOXELS", 200), scipy.fft.set_workers(threads):
                    self.assertEqual(gaussian(array, sigma, **options).tobytes(), expected)
            np.testing.assert_array_equal(array, before)

    def test_what_is_alike_is_averaged_and_thin_layers_keep_their_steps(self):
        rng, layer = np.random.default_rng(0), np.zeros((12, 16, 16), np.float32)
        layer[6] = 1
        variance = np.full(layer.shape, 0.01, np.float32)
        variance[:, 8:] = 0.0025
        image = layer + np.sqrt(variance) * rng.standard_normal(layer.shape, dtype=np.float32)
        known, where = np.ones(layer.shape, bool), layer > 0
        known[6, 0, 0], image[6, 0, 0] = False, 5
        means = mean_of_alike(image, variance, known, where)
        # The mean is nearer to the layer's value by the root of the voxels alike; next to it lie zeros.
        rest = means.reshape(16, 16)[4:]
        self.assertLess(np.std(rest), 0.5 * np.std(image[6, 4:]))
        self.assertLess(abs(rest.mean() - 1), 0.02)
        with mock.patch("TrabecularQSMLib.smoothing._CHUNK", 50), scipy.fft.set_workers(2):
            np.testing.assert_array_equal(mean_of_alike(image, variance, known, where), means)


class ThinLayerTest(unittest.TestCase):
    def test_a_slab_has_the_field_of_a_slab_at_every_angle_to_b0(self):
        planes = np.zeros((70, 12, 12), np.float32)
        planes[20:23] = 1
        for b0, within in (((1, 0, 0), -2 / 3), ((0, 1, 0), 1 / 3), ((0.6, 0, 0.8), 1 / 3 - 0.36)):
            found = within_thin_layer(planes, (1.0, 2.0, 0.5), b0)
            np.testing.assert_allclose(found[18:25], within, rtol=1e-4)
            self.assertEqual(np.abs(found[40:]).max(), 0)

    def test_slabs_of_planes_give_the_bytes_of_the_whole(self):
        share = np.random.default_rng(2).random((70, 9, 8), dtype=np.float32)
        with mock.patch("TrabecularQSMLib.kernels._PLANES", 1000):
            whole = within_thin_layer(share, (1.0, 1.2, 0.9), (0.6, 0.0, 0.8))
        np.testing.assert_array_equal(within_thin_layer(share, (1.0, 1.2, 0.9), (0.6, 0.0, 0.8)), whole)
        self.assertTrue(whole.min() >= -0.667 and whole.max() <= 0.334)


class GradientTest(unittest.TestCase):
    def test_a_linear_field_has_its_slope_per_mm_and_none_at_the_end(self):
        z, y, x = (n * h for n, h in zip(np.indices((4, 5, 6)), VOXEL_SIZE, strict=True))
        slopes = gradient(2.0 * z - 3.0 * y + 0.5 * x, VOXEL_SIZE)
        for axis, slope in enumerate((2.0, -3.0, 0.5)):
            along = np.moveaxis(slopes[axis], axis, 0)
            np.testing.assert_allclose(along[:-1], slope)
            np.testing.assert_array_equal(along[-1], 0)

    def test_single_precision_stays_single(self):
        x = np.ones((3, 4, 5), np.float32)
        self.assertEqual(gradient(x, VOXEL_SIZE).dtype, np.float32)

    def test_the_symbol_is_the_periodic_laplacian(self):
        rng = np.random.default_rng(4)
        for shape in GRIDS:
            x = rng.standard_normal(shape)
            laplacian = sum(
                (2 * x - np.roll(x, 1, axis) - np.roll(x, -1, axis)) / h**2 for axis, h in enumerate(VOXEL_SIZE)
            )
            # float32 entries up to Σ 4/h² = 11.
            np.testing.assert_allclose(convolve(laplacian_symbol(shape, VOXEL_SIZE), x), laplacian, atol=1e-5)


class AcceleratedGradientTest(unittest.TestCase):
    def setUp(self):
        rng = np.random.default_rng(5)
        turn = np.linalg.qr(rng.standard_normal((40, 40)))[0]
        self.matrix = turn @ np.diag(np.geomspace(1e-3, 1, 40)) @ turn.T
        self.solution = rng.standard_normal(40)
        self.evaluated = 0

    def quadratic(self, x):
        self.evaluated += 1
        slope = self.matrix @ (x - self.solution)
        return 0.5 * float(slope @ (x - self.solution)) + 1.0, slope

    def test_it_beats_plain_descent_by_far_on_an_ill_conditioned_quadratic(self):
        start, x = np.zeros(40), np.zeros(40)
        result = accelerated_gradient(self.quadratic, start, tolerance=0.0, iterations=300)
        for _ in range(300):
            x = x - self.quadratic(x)[1]
        # Above the minimum, 1. Condition 1,000: plain descent loses (1 − 1/1000)^600, about a half, of the flattest
        # part, the accelerated one 4/300² of all, with restarts far less.
        self.assertLess(self.quadratic(result)[0] - 1, 0.01 * (self.quadratic(x)[0] - 1))
        np.testing.assert_array_equal(start, 0)

    def test_it_stops_at_its_tolerance_and_at_its_iterations(self):
        accelerated_gradient(self.quadratic, np.zeros(40), tolerance=1e-3, iterations=1000)
        self.assertLess(self.evaluated, 300)
        seen = []
        accelerated_gradient(self.quadratic, np.zeros(40), tolerance=0.0, iterations=25, callback=seen.append)
        self.assertEqual(seen, list(range(1, 26)))

    def test_what_the_callback_raises_passes(self):
        def cancel(iteration):
            if iteration == 3:
                raise Cancelled

        with self.assertRaises(Cancelled):
            accelerated_gradient(self.quadratic, np.zeros(40), tolerance=0.0, iterations=25, callback=cancel)


if __name__ == "__main__":
    unittest.main()
