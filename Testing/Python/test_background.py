"""Background removal, against fields that are harmonic, sources that leave nothing outside, and dense solvers."""

import unittest

import numpy as np
import scipy.fft
from scipy import ndimage

from TrabecularQSMLib.background import AIR_FIRST, METHODS, remove
from TrabecularQSMLib.background.air_model import AIR_PPM, air_field, air_model, continued
from TrabecularQSMLib.background.lbv import lbv
from TrabecularQSMLib.background.none import none
from TrabecularQSMLib.background.outside import LOCAL_PPM, Shim, without_outside
from TrabecularQSMLib.background.pdf import pdf
from TrabecularQSMLib.background.resharp import resharp
from TrabecularQSMLib.background.spheres import fits, sphere_kernel
from TrabecularQSMLib.background.v_sharp import v_sharp
from TrabecularQSMLib.errors import Cancelled, InputError
from TrabecularQSMLib.kernels import convolve, dipole_kernel, solid_harmonics

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


def dipole_field(center, radius, chi):
    """Field in ppm of a sphere of susceptibility `chi` against its surroundings, B0 along k, zero within it."""
    z, y, x = positions() - np.reshape(center, (3, 1, 1, 1))
    r = np.sqrt(z**2 + y**2 + x**2)
    return np.where(r > radius, chi / 3 * radius**3 * (3 * z**2 - r**2) / np.maximum(r, radius) ** 5, 0)


def round_mask():
    """A mask that is thick enough for spheres."""
    z, y, x = positions()
    return (z / 28) ** 2 + (y / 14) ** 2 + (x / 14) ** 2 < 1


# What `remove` hands to methods that need it.
GIVEN = {"b0_direction": (1.0, 0.0, 0.0), "data_weight": np.ones(SHAPE, np.float32), "body": np.ones(SHAPE, bool)}


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

    def test_a_dipole_outside_vanishes(self):
        mask = round_mask()
        outer = dipole_field((0, 40, 0), 20.0, 9.4)
        local, interior = resharp(outer, mask, VOXEL_SIZE)
        self.assertLess(np.std(local[interior]), 0.05 * np.std(outer[interior]))


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


class NoneTest(unittest.TestCase):
    def test_a_field_without_background_is_kept_in_the_mask(self):
        field, mask = np.random.default_rng(6).standard_normal(SHAPE), two_parts()
        local, where = none(field, mask, VOXEL_SIZE)
        np.testing.assert_array_equal(local, np.where(mask, field, 0).astype(np.float32))
        np.testing.assert_array_equal(where, mask)


if __name__ == "__main__":
    unittest.main()
