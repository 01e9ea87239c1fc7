"""Background removal by LBV, against fields that are harmonic, and sources that leave nothing outside."""

import unittest

import numpy as np
from scipy import ndimage

from TrabecularQSMLib.background.lbv import lbv
from TrabecularQSMLib.background.none import none
from TrabecularQSMLib.errors import Cancelled, InputError
from TrabecularQSMLib.phantom.simulate import solid_harmonics

SHAPE, VOXEL_SIZE = (20, 25, 30), (3.0, 1.2, 1.0)


def positions(shape=SHAPE, voxel_size=VOXEL_SIZE):
    """Coordinates in mm from the middle of the grid, (3, K, J, I)."""
    return np.stack([(n - (size - 1) / 2) * h for n, size, h in zip(np.indices(shape), shape, voxel_size, strict=True)])


def two_parts():
    """A mask of two parts, one with a hole, and one reaching the border of the image."""
    z, y, x = positions()
    large = (z / 27) ** 2 + (y / 13) ** 2 + ((x + 4) / 9) ** 2 < 1
    hole = (z / 8) ** 2 + (y / 3) ** 2 + ((x + 4) / 3) ** 2 < 1
    return (large & ~hole) | (x > 8)


class LBVTest(unittest.TestCase):
    def test_shim_fields_up_to_second_order_vanish_to_the_tolerance_of_the_solver(self):
        # The 7-point Laplacian is exact for second order, so nothing remains but rounding: float64 of the field,
        # 1e-16 of its largest value 100, times the condition of the Laplacian (about 300); float32 of the result.
        mask = two_parts()
        z, y, x = positions() / 15.0
        for number, term in enumerate(solid_harmonics(x, y, z)):
            with self.subTest(harmonic=number):
                field = 100.0 * np.broadcast_to(term, SHAPE)
                local, interior = lbv(field, mask, VOXEL_SIZE, tolerance=1e-6)
                self.assertLess(np.abs(local).max(), 1e-9)
                self.assertGreater(interior.sum(), 1000)

    def test_a_function_that_is_harmonic_in_voxels_but_not_in_mm_is_not_removed(self):
        z, y, _ = np.indices(SHAPE, float)
        local, _ = lbv(z**2 - y**2, two_parts(), VOXEL_SIZE)
        self.assertGreater(np.abs(local).max(), 1.0)

    def test_the_field_of_a_dipole_outside_vanishes(self):
        # Only harmonic in the continuum: the error of the 7-point Laplacian, h²/12 times fourth derivatives, is
        # (3/30)² × 12 at the source's distance of 30 mm and more, and the boundary holds the field in place.
        mask = two_parts()
        z, y, x = positions()
        z = z - 60.0
        r = np.sqrt(z**2 + y**2 + x**2)
        field = (3 * z**2 - r**2) / r**5 * 30.0**3
        local, interior = lbv(field, mask, VOXEL_SIZE)
        self.assertGreater(np.ptp(field[interior]), 0.9)
        self.assertLess(np.abs(local).max(), 2e-3)

    def test_a_field_of_inner_sources_that_is_zero_on_the_border_comes_back(self):
        # Any u with u = 0 on the outermost layer is the solution; the answer is off by the solver's relative residual
        # times the condition of the Laplacian, about 300.
        rng = np.random.default_rng(1)
        mask = two_parts()
        _, interior = lbv(rng.standard_normal(SHAPE), mask, VOXEL_SIZE)
        inner = np.where(interior, rng.standard_normal(SHAPE), 0)
        z, y, x = positions() / 15.0
        background = 50 + 20 * z + 10 * x * y + 30 * (2 * z * z - x * x - y * y)
        for tolerance in (1e-4, 1e-8):
            local, again = lbv(inner + background, mask, VOXEL_SIZE, tolerance=tolerance)
            np.testing.assert_array_equal(again, interior)
            # float32 of the result: 4 × 6e-8.
            np.testing.assert_allclose(local, inner, atol=300 * tolerance + 3e-7)

    def test_the_local_field_meets_its_equation(self):
        # −Δu = −Δf in the interior with u = 0 elsewhere; relative residual 1e-6, plus float32 of the result.
        rng = np.random.default_rng(2)
        field, mask = rng.standard_normal(SHAPE), two_parts()
        local, interior = lbv(field, mask, VOXEL_SIZE)

        def laplacian(u):
            return sum(
                ndimage.correlate1d(np.asarray(u, float), [1, -2, 1], axis=n, mode="constant") / h**2
                for n, h in enumerate(VOXEL_SIZE)
            )

        wanted = laplacian(field)[interior]
        self.assertLess(np.linalg.norm(laplacian(local)[interior] - wanted), 2e-6 * np.linalg.norm(wanted))

    def test_the_interior_has_all_six_neighbors_in_the_mask_and_the_image(self):
        mask = two_parts()
        cross = ndimage.generate_binary_structure(3, 1)
        wanted = ndimage.binary_erosion(mask, cross, border_value=0)
        local, interior = lbv(np.random.default_rng(3).standard_normal(SHAPE), mask, VOXEL_SIZE)
        np.testing.assert_array_equal(interior, wanted)
        self.assertTrue(np.all(local[~wanted] == 0))
        self.assertEqual((local.dtype, interior.dtype), (np.float32, bool))

    def test_values_outside_the_mask_do_not_matter_and_nothing_is_changed(self):
        field, mask = np.random.default_rng(4).standard_normal(SHAPE), two_parts()
        kept, kept_mask = field.copy(), mask.copy()
        local, _ = lbv(field, mask, VOXEL_SIZE)
        other, _ = lbv(np.where(mask, field, 1e6), mask, VOXEL_SIZE)
        np.testing.assert_array_equal(local, other)
        np.testing.assert_array_equal(field, kept)
        np.testing.assert_array_equal(mask, kept_mask)

    def test_masks_without_an_interior_are_told_how_many_slices_it_needs(self):
        slab, rod = np.zeros((8, 9, 10), bool), np.zeros((8, 9, 10), bool)
        slab[3:5], rod[:, 4:6, 4:7] = True, True
        for mask in (np.ones((1, 9, 10), bool), np.ones((2, 9, 10), bool), slab, rod):
            with self.assertRaisesRegex(InputError, "at least three slices"):
                lbv(np.ones(mask.shape), mask, (1.0, 1.0, 1.0))

    def test_progress_rises_to_one_and_what_it_raises_passes(self):
        seen = []
        field = np.random.default_rng(5).standard_normal(SHAPE)
        lbv(field, two_parts(), VOXEL_SIZE, progress=lambda fraction, _: seen.append(fraction))
        self.assertGreater(len(seen), 10)
        self.assertEqual((seen, seen[-1]), (sorted(seen), 1.0))

        def cancel(fraction, _):
            if fraction > 0.05:
                raise Cancelled

        with self.assertRaises(Cancelled):
            lbv(field, two_parts(), VOXEL_SIZE, progress=cancel)


class NoneTest(unittest.TestCase):
    def test_a_field_without_background_is_kept_in_the_mask(self):
        field, mask = np.random.default_rng(6).standard_normal(SHAPE), two_parts()
        local, where = none(field, mask, VOXEL_SIZE)
        np.testing.assert_array_equal(local, np.where(mask, field, 0).astype(np.float32))
        np.testing.assert_array_equal(where, mask)


if __name__ == "__main__":
    unittest.main()
