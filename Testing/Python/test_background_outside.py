"""Sources outside of the mask: PDF and the model of the air, against dense solvers and known fields."""

import unittest

import numpy as np
from backgrounds import GIVEN, SHAPE, VOXEL_SIZE, dipole_field, positions, round_mask

from TrabecularQSMLib.background.air_model import AIR_PPM, air_field, air_model, continued
from TrabecularQSMLib.background.outside import LOCAL_PPM, Shim, without_outside
from TrabecularQSMLib.background.pdf import pdf
from TrabecularQSMLib.kernels import convolve, dipole_kernel, solid_harmonics


class OutsideTest(unittest.TestCase):
    def test_its_end_is_the_minimizer_that_a_dense_solver_finds(self):
        rng = np.random.default_rng(6)
        shape, size, b0 = (8, 9, 10), (1.0, 1.2, 0.8), (0.8, 0.6, 0.0)
        kernel = dipole_kernel(shape, size, b0)
        spread, weight = np.zeros(shape, np.float32), rng.random(shape).astype(np.float32)
        spread[0, :, ::2] = 0.02 + rng.random((9, 5))
        weight[:2] = 0
        field = rng.standard_normal(shape).astype(np.float32)
        found = without_outside(field, weight, spread, size, b0_direction=b0, tolerance=1e-6, message="")
        columns = [np.broadcast_to(term, shape) for term in solid_harmonics(*positions(shape, size)[::-1])]
        for index in np.argwhere(spread):
            one = np.zeros(shape)
            one[tuple(index)] = spread[tuple(index)]
            columns.append(convolve(kernel, one))
        columns = np.array([column.ravel() for column in columns])
        scaled = weight.ravel() / np.sqrt(np.mean(np.square(weight[weight > 0]))) / LOCAL_PPM
        # Each dipole's strength over its spread is a row of its own.
        prior = np.eye(len(columns))[9:]
        matrix = np.concatenate(((columns * scaled).T, prior))
        right = np.concatenate((scaled * field.ravel(), np.zeros(len(prior))))
        best = np.linalg.lstsq(matrix, right, rcond=None)[0]
        wanted = field - (best @ columns).reshape(shape)
        # Rounding of float32 times the condition, some hundred.
        np.testing.assert_allclose(found, wanted, atol=1e-3 * np.abs(wanted).max())
        self.assertLess(np.linalg.norm(weight * found), 0.99 * np.linalg.norm(weight * field))

    def test_the_scale_of_weights_does_not_count(self):
        rng = np.random.default_rng(8)
        field, weight = rng.standard_normal((2, *SHAPE)).astype(np.float32)
        arguments = ((~round_mask()).astype(np.float32), VOXEL_SIZE)
        given = {"b0_direction": (1, 0, 0), "tolerance": 1e-5, "message": ""}
        one, other = (without_outside(field, scale * np.abs(weight), *arguments, **given) for scale in (1, 100))
        np.testing.assert_allclose(one, other, atol=1e-3)

    def test_a_shim_is_fitted_where_it_is_and_harmonics_that_a_thin_mask_cannot_tell_apart_are_not(self):
        z, y, x = positions() / 50.0
        shim = 100 + 30 * x - 20 * y * z + 10 * (x * x - y * y)
        for where in (round_mask(), positions()[0] == 1.5):
            weight = np.where(where, 0.3, 0)
            fitted = Shim(weight, VOXEL_SIZE).fitted(np.where(where, shim, 1e6).astype(np.float32))
            # Float32 of 100 is 1e-5, times the condition of the harmonics.
            np.testing.assert_allclose(fitted[where], shim[where], atol=2e-2)
            # Beyond, it goes on as a shim does, not as the inverse of rounding.
            self.assertLess(np.abs(fitted).max(), 1e5)

    def test_where_nothing_counts_the_field_stays(self):
        field = np.random.default_rng(9).standard_normal(SHAPE).astype(np.float32)
        nothing = np.zeros(SHAPE, np.float32)
        given = {"b0_direction": (1, 0, 0), "tolerance": 1e-3, "message": ""}
        found = without_outside(field, nothing, 1 + nothing, VOXEL_SIZE, **given)
        np.testing.assert_array_equal(found, field)


class PDFTest(unittest.TestCase):
    def test_its_minimum_is_reached_and_keeps_sources_near_the_surface(self):
        mask = round_mask()
        outer, inner = dipole_field((0, 35, 0), 15.0, 9.4), dipole_field((0, 8, 0), 3.0, 0.5)
        given = {"b0_direction": (1, 0, 0), "data_weight": np.ones(SHAPE)}
        local, end = (pdf(inner + outer, mask, VOXEL_SIZE, **given, **one)[0] for one in ({}, {"tolerance": 1e-6}))
        self.assertLess(np.linalg.norm((local - end)[mask]), 1e-2 * np.linalg.norm(end[mask]))
        # It is linear, so that what becomes of the inner source does not depend on the outer one.
        kept = end - pdf(outer, mask, VOXEL_SIZE, **given, tolerance=1e-6)[0]
        self.assertGreater(np.polyfit(inner[mask], kept[mask], 1)[0], 0.7)

    def test_a_sphere_of_air_outside_vanishes_to_below_the_local_field(self):
        # Sources are as weak as they may be for a local field of 0.05 ppm: of air 6 mm from the mask, whose field has a
        # standard deviation of 0.15 ppm in it, half of that may remain.
        mask = round_mask()
        outer = dipole_field((0, 35, 0), 15.0, 9.4)
        local, _ = pdf(outer, mask, VOXEL_SIZE, b0_direction=(1, 0, 0), data_weight=np.ones(SHAPE))
        self.assertLess(np.std(local[mask]), 0.6 * LOCAL_PPM)
        twice, _ = pdf(2 * outer, mask, VOXEL_SIZE, b0_direction=(1, 0, 0), data_weight=np.ones(SHAPE))
        np.testing.assert_allclose(twice, 2 * local, atol=1e-3)

    def test_voxels_without_weight_do_not_count(self):
        mask, rng = round_mask(), np.random.default_rng(7)
        weight = np.ones(SHAPE, np.float32)
        weight[8:11, 10:14, 12:16] = 0
        field = dipole_field((0, 35, 0), 15.0, 9.4)
        noisy = field + np.where(weight > 0, 0, 1e3 * rng.standard_normal(SHAPE))
        locals_ = [pdf(f, mask, VOXEL_SIZE, b0_direction=(1, 0, 0), data_weight=weight)[0] for f in (field, noisy)]
        np.testing.assert_allclose(*(local[mask & (weight > 0)] for local in locals_), atol=1e-5)


class AirModelTest(unittest.TestCase):
    def test_a_sphere_of_air_in_tissue_without_end_is_known(self):
        # Its field is χ/3 (a/r)³ (3 cos² − 1); voxels of 1 mm, softened, tell its volume to some percent.
        shape, size = (40, 41, 42), (1.0, 1.0, 1.0)
        z, y, x = positions(shape, size)
        r = np.sqrt(z**2 + y**2 + x**2)
        field = AIR_PPM / 3 * 6.0**3 * (3 * z**2 - r**2) / np.maximum(r, 1) ** 5
        mask = (r > 10) & (r < 18)
        known = air_field(r > 6, size, (1, 0, 0))
        difference = (known - field)[mask]
        self.assertLess(np.std(difference), 0.1 * np.std(field[mask]))
        local, interior = air_model(field, mask, size, b0_direction=(1, 0, 0), data_weight=np.ones(shape), body=r > 6)
        np.testing.assert_array_equal(interior, mask)
        self.assertLess(np.std(local[mask]), 0.1 * np.std(field[mask]))

    def test_air_makes_no_field_within_a_sphere_whatever_the_direction_of_b0(self):
        # Where B0 lies along no axis, the transform of a sharp edge rings by 0.08 ppm.
        shape, size = (40, 41, 42), (1.0, 1.0, 1.0)
        r = np.linalg.norm(np.stack(np.broadcast_arrays(*positions(shape, size))), axis=0)
        for b0 in ((1, 0, 0), (0.8, 0.6, 0)):
            self.assertLess(np.std(air_field(r < 16, size, b0)[r < 12]), 0.02)

    def test_a_rod_goes_on_in_its_direction_beyond_the_image(self):
        # Tilted by 20° in the plane of k and i.
        shape, size = (30, 24, 40), (2.0, 2.0, 1.5)
        large = tuple(n + 40 for n in shape)
        z, y, x = positions(large, size)
        rod = (x - np.tan(np.deg2rad(20)) * z) ** 2 + y**2 < 12.0**2
        image = rod[20:-20, 20:-20, 20:-20]
        found = continued(image, size, (20, 20, 20)) > 0.5
        section = np.zeros(large, bool)
        section[:, 20:-20, :] = True
        # Where the rod leaves through the ends along k; a drift of a voxel in 20 mm is what the eye of it can see.
        wrong = np.count_nonzero((found ^ rod) & section) / np.count_nonzero(rod)
        self.assertLess(wrong, 0.1)
        self.assertGreater(np.count_nonzero(continued(image, size, (20, 0, 0))[0]), 50)
        # A body that ends in the image goes nowhere.
        self.assertEqual(np.count_nonzero(continued(np.pad(image, 1), size, (5, 5, 5))), np.count_nonzero(image))

    def test_sources_beyond_the_image_are_fitted(self):
        mask = round_mask()
        field = dipole_field((0, 50, 0), 15.0, 9.4)
        local, _ = air_model(field, mask, VOXEL_SIZE, **{k: GIVEN[k] for k in ("b0_direction", "data_weight", "body")})
        self.assertLess(np.std(local[mask]), 0.05 * np.std(field[mask]))


if __name__ == "__main__":
    unittest.main()
