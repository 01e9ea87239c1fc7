"""Mean values over spheres, V-SHARP and RESHARP, against harmonic fields and a dense solver."""

import unittest

import numpy as np
import scipy.fft
from backgrounds import SHAPE, VOXEL_SIZE, dipole_field, positions, round_mask, two_parts
from scipy import ndimage

from TrabecularQSMLib.background.resharp import resharp
from TrabecularQSMLib.background.spheres import fits, sphere_kernel
from TrabecularQSMLib.background.v_sharp import TRUNCATION, v_sharp
from TrabecularQSMLib.kernels import convolve, solid_harmonics


class SphereTest(unittest.TestCase):
    def test_the_mean_of_a_harmonic_is_its_value_in_the_middle(self):
        # Second moments along axes of unlike voxels are equal to a percent or two.
        z, y, x = positions() / 10.0
        for radius in (3.0, 4.0, 6.5):
            kernel = sphere_kernel(SHAPE, VOXEL_SIZE, radius)
            where = fits(kernel, np.pad(np.ones(np.subtract(SHAPE, 2), bool), 1))
            self.assertTrue(where.any())
            for term in solid_harmonics(x, y, z):
                term = np.broadcast_to(term, SHAPE)
                self.assertLess(np.abs(convolve(kernel, term) - term)[where].max(), 1.2e-3 * np.ptp(term) + 1e-6)
        # A field that is not harmonic is changed: x² + y² + z² by the second moment, 3/5 r² for many voxels.
        square = x**2 + y**2 + z**2
        change = (convolve(kernel, square) - square)[where]
        np.testing.assert_allclose(change, 0.6 * (radius / 10) ** 2, rtol=0.1)

    def test_it_is_its_own_adjoint_and_keeps_the_mean(self):
        rng = np.random.default_rng(4)
        kernel = sphere_kernel(SHAPE, VOXEL_SIZE, 4.0)
        a, b = rng.standard_normal((2, *SHAPE))
        self.assertAlmostEqual(np.vdot(convolve(kernel, a), b), np.vdot(a, convolve(kernel, b)), places=9)
        self.assertAlmostEqual(float(kernel[0, 0, 0]), 1.0, places=6)

    def test_it_fits_where_all_its_voxels_are_in_the_mask(self):
        mask = round_mask()
        kernel = sphere_kernel(SHAPE, VOXEL_SIZE, 4.0)
        shape = scipy.fft.irfftn(kernel, s=SHAPE) > 1e-6
        footprint = np.roll(shape, [n // 2 for n in SHAPE], axis=(0, 1, 2))
        wanted = ndimage.binary_erosion(mask, footprint)
        found = fits(kernel, mask)
        self.assertGreater(found.sum(), 100)
        np.testing.assert_array_equal(found, wanted)


class VSHARPTest(unittest.TestCase):
    def test_a_dipole_outside_vanishes_and_one_inside_stays(self):
        mask = round_mask()
        outer, inner = dipole_field((0, 40, 0), 20.0, 9.4), dipole_field((0, 0, 0), 3.0, 1.0)
        local, interior = v_sharp(outer, mask, VOXEL_SIZE)
        self.assertLess(np.std(local[interior]), 0.05 * np.std(outer[interior]))
        local, _ = v_sharp(inner + outer, mask, VOXEL_SIZE)
        near = interior & (inner != 0) & (np.abs(positions()).max(axis=0) < 7)
        self.assertGreater(np.corrcoef(local[near], inner[near])[0, 1], 0.95)

    def test_the_interior_is_the_mask_less_its_outermost_layer_of_the_least_sphere(self):
        mask = two_parts()
        _, interior = v_sharp(np.zeros(SHAPE), mask, VOXEL_SIZE)
        np.testing.assert_array_equal(interior, fits(sphere_kernel((48, 48, 48), VOXEL_SIZE, 3.0), np.pad(
            mask, [(0, 48 - n) for n in SHAPE]))[tuple(slice(n) for n in SHAPE)])  # fmt: skip

    def test_noise_of_frequencies_that_the_largest_sphere_hardly_leaves_is_not_amplified(self):
        # A slab in which only small spheres lie, which leave little of what is wide: what noise makes of its mean.
        (z, y, x), rng = positions(), np.random.default_rng(9)
        mask, means = (np.abs(z) < 7) & (y**2 + x**2 < 13**2), {}
        fields = rng.standard_normal((12, *SHAPE))
        for share in (1e-3, TRUNCATION, 0.2):
            ends = [v_sharp(field, mask, VOXEL_SIZE, truncation=share) for field in fields]
            means[share] = np.sqrt(np.mean([local[interior].mean() ** 2 for local, interior in ends]))
        self.assertLess(means[TRUNCATION], 0.6 * means[1e-3])
        self.assertLess(means[0.2], 0.4 * means[TRUNCATION])


class RESHARPTest(unittest.TestCase):
    def test_it_is_the_minimizer_that_a_dense_solver_finds(self):
        rng = np.random.default_rng(5)
        shape, size = (9, 8, 10), (1.0, 1.0, 1.0)
        mask = np.zeros(shape, bool)
        mask[1:-1, 1:-1, 1:-1] = True
        field = rng.standard_normal(shape)
        local, interior = resharp(field, mask, size, radius=2.0, tikhonov=0.02, tolerance=1e-6)
        # The sphere's weights about one voxel, by which the matrix is written down.
        large = (16, 16, 16)
        weights = scipy.fft.irfftn(sphere_kernel(large, size, 2.0), s=large)
        inside, holds = np.argwhere(mask), np.argwhere(interior)
        matrix = np.array([[weights[tuple(a - b)] for b in inside] for a in holds])
        matrix = np.array([[np.array_equal(a, b) for b in inside] for a in holds]) - matrix
        normal = matrix.T @ matrix + 0.02 * np.eye(len(inside))
        wanted = np.zeros(shape)
        wanted[mask] = np.linalg.solve(normal, matrix.T @ (matrix @ field[mask]))
        self.assertGreater(interior.sum(), 20)
        np.testing.assert_allclose(local[interior], wanted[interior], atol=1e-4 * np.abs(wanted).max())

    def test_a_sphere_smaller_than_a_voxel_has_its_longest_edge(self):
        field, mask = np.random.default_rng(3).standard_normal(SHAPE), round_mask()
        for one, other in zip(*(resharp(field, mask, VOXEL_SIZE, radius=mm) for mm in (0.2, 3.0)), strict=True):
            np.testing.assert_array_equal(one, other)

    def test_a_dipole_outside_vanishes(self):
        mask = round_mask()
        outer = dipole_field((0, 40, 0), 20.0, 9.4)
        local, interior = resharp(outer, mask, VOXEL_SIZE)
        self.assertLess(np.std(local[interior]), 0.05 * np.std(outer[interior]))


if __name__ == "__main__":
    unittest.main()
