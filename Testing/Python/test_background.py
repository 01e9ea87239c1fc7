"""Background removal, against fields that are harmonic, sources that leave nothing outside, and dense solvers."""

import unittest

import numpy as np
from backgrounds import GIVEN, SHAPE, VOXEL_SIZE, dipole_field, positions, round_mask, two_parts
from scipy import ndimage

from TrabecularQSMLib.background import AIR_FIRST, METHODS, remove
from TrabecularQSMLib.background.lbv import lbv
from TrabecularQSMLib.background.none import none
from TrabecularQSMLib.errors import Cancelled, InputError
from TrabecularQSMLib.kernels import solid_harmonics


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

    def test_a_wider_mask_takes_hardly_more_iterations(self):
        counts = []
        for width in (20, 40):
            mask, seen = np.pad(np.ones((width,) * 3, bool), 1), []
            field = np.random.default_rng(0).standard_normal(mask.shape).cumsum(axis=0)
            lbv(field, mask, (1.0, 1.0, 1.0), progress=lambda fraction, _: seen.append(fraction))  # noqa: B023
            counts.append(len(seen))
        self.assertLess(counts[1], 1.3 * counts[0])  # 1.9 without blocks

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


class EveryMethodTest(unittest.TestCase):
    """What `remove` promises of all methods of the registry."""

    def run_method(self, name, field, mask, **changes):
        return remove(field, mask, VOXEL_SIZE, method=name, **{**GIVEN, **changes})

    def test_arrays_have_their_forms_and_the_input_is_not_changed(self):
        field, mask = np.random.default_rng(0).standard_normal(SHAPE), round_mask()
        kept, kept_mask = field.copy(), mask.copy()
        for name in METHODS:
            local, interior = self.run_method(name, field, mask)
            self.assertEqual((local.dtype, interior.dtype), (np.float32, bool), name)
            self.assertEqual((local.shape, interior.shape), (SHAPE, SHAPE), name)
            self.assertTrue(interior.any() and not np.any(interior & ~mask), name)
            self.assertTrue(np.all(local[~interior] == 0), name)
            self.assertFalse(np.shares_memory(interior, mask), name)
        np.testing.assert_array_equal(field, kept)
        np.testing.assert_array_equal(mask, kept_mask)

    def test_values_outside_the_mask_do_not_matter(self):
        field, mask = np.random.default_rng(1).standard_normal(SHAPE), round_mask()
        for name in METHODS:
            local, _ = self.run_method(name, field, mask)
            other, _ = self.run_method(name, np.where(mask, field, 1e6), mask)
            np.testing.assert_array_equal(local, other, name)

    def test_a_shim_is_taken_off_and_inner_sources_stay(self):
        # Only how much they differ with and without the background: what each does to the local field is its own.
        mask = round_mask()
        z, y, x = positions() / 30.0
        shim = sum(
            c * term for c, term in zip((3, 1, -2, 1, 0.5, 1, -1, 0.7, -0.4), solid_harmonics(x, y, z), strict=True)
        )
        inner = dipole_field((0, 2, 1), 3.0, 1.0)
        # Shares of the shim that may remain: rounding; the truncated deconvolution and the spheres' own steps.
        most = {"lbv": 1e-5, "v-sharp": 2e-2, "resharp": 2e-2, "pdf": 1e-3, "air-model": 1e-3}
        for name in METHODS.keys() - {"none"}:
            alone, interior = self.run_method(name, inner, mask)
            both, _ = self.run_method(name, inner + shim, mask)
            left = np.std((both - alone)[interior]) / np.std(shim[interior])
            self.assertLess(left, most[name], name)
            # The sphere's field in the middle of the interior is still there.
            near = interior & (np.abs(positions()).max(axis=0) < 8) & (inner != 0)
            self.assertGreater(np.corrcoef(both[near], inner[near])[0, 1], 0.8, name)

    def test_progress_rises_to_one_and_what_it_raises_passes(self):
        field, mask = np.random.default_rng(2).standard_normal(SHAPE), round_mask()

        def cancel(fraction, _):
            raise Cancelled

        for name in METHODS.keys() - {"none"}:
            for first in AIR_FIRST:
                seen = []
                self.run_method(name, field, mask, air_first=first, progress=lambda f, _, seen=seen: seen.append(f))
                self.assertEqual((seen, seen[-1]), (sorted(seen), 1.0), name)
            with self.assertRaises(Cancelled):
                self.run_method(name, field, mask, progress=cancel)

    def test_masks_in_which_nothing_can_be_solved_are_refused(self):
        for name in METHODS.keys() - {"none"}:
            with self.assertRaisesRegex(InputError, "mask", msg=name):
                self.run_method(name, np.ones(SHAPE), np.zeros(SHAPE, bool))
        slab = np.zeros(SHAPE, bool)
        slab[9:11] = True
        for name in ("lbv", "v-sharp", "resharp"):
            with self.assertRaisesRegex(InputError, "more slices", msg=name):
                self.run_method(name, np.ones(SHAPE), slab)

    def test_the_air_model_comes_first_where_it_is_asked_for(self):
        field, mask = np.random.default_rng(3).standard_normal(SHAPE), round_mask()
        body = ndimage.binary_dilation(mask)
        first = self.run_method("none", field, mask, body=body, air_first="on")
        np.testing.assert_array_equal(first[0], self.run_method("air-model", field, mask, body=body)[0])
        twice = self.run_method("lbv", field, mask, body=body, air_first="on")
        np.testing.assert_array_equal(twice[0], lbv(first[0], mask, VOXEL_SIZE)[0])
        # It is not applied to itself.
        np.testing.assert_array_equal(self.run_method("air-model", field, mask, body=body, air_first="on")[0], first[0])


class NoneTest(unittest.TestCase):
    def test_a_field_without_background_is_kept_in_the_mask(self):
        field, mask = np.random.default_rng(6).standard_normal(SHAPE), two_parts()
        local, where = none(field, mask, VOXEL_SIZE)
        np.testing.assert_array_equal(local, np.where(mask, field, 0).astype(np.float32))
        np.testing.assert_array_equal(where, mask)


if __name__ == "__main__":
    unittest.main()
