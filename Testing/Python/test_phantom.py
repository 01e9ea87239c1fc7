"""The digital ankle: its anatomy, its physics against closed forms, its noise, and its geometry."""

import unittest
from dataclasses import replace

import numpy as np
import scipy.fft
from patients import COARSE, TRUTHS, made, positions_ras, region_mean
from scipy import ndimage

from TrabecularQSMLib.errors import Cancelled, InputError
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom
from TrabecularQSMLib.phantom.anatomy import ANATOMIES, draw_patient
from TrabecularQSMLib.phantom.body import marrow_r2star, relaxation
from TrabecularQSMLib.phantom.fine_grid import FineGrid, pure_labels


class Anatomy(unittest.TestCase):
    def test_every_truth_has_the_grid_of_the_echoes(self):
        phantom = made(replace(COARSE, shape=(37, 50, 21)))
        self.assertEqual(phantom.acquisition.echoes.shape, (9, 21, 50, 37))
        self.assertEqual(set(phantom.truth), TRUTHS)
        for name, values in phantom.truth.items():
            self.assertEqual((values.shape, values.dtype), ((21, 50, 37), np.float32), name)
            self.assertTrue(np.isfinite(values).all(), name)
        self.assertEqual(phantom.regions.dtype, np.uint8)
        np.testing.assert_allclose(phantom.acquisition.voxel_size, (102 / 21, 220.5 / 50, 220.5 / 37))

    def test_all_regions_exist_and_have_names(self):
        phantom = made(COARSE)
        self.assertEqual(set(np.unique(phantom.regions)) - {0}, set(phantom.region_names))

    def test_susceptibilities_and_bone_fractions_are_drawn_from_their_ranges(self):
        patients = [draw_patient(np.random.default_rng(seed)) for seed in range(30)]
        for name, low, high in (("chi_air", 9.2, 9.5), ("chi_fat", 0.45, 0.70), ("chi_bone", -2.3, -1.4)):
            values = [getattr(patient, name) for patient in patients]
            self.assertGreater(len(set(values)), 25)
            self.assertTrue(low <= min(values) and max(values) <= high, name)
        for patient in patients:
            for tissue in (painted.tissue for painted in patient.parts):
                if tissue.bvtv is not None:
                    self.assertTrue(0.92 <= tissue.pdff <= 0.98)
                if tissue.is_cortex:
                    self.assertTrue(0.85 <= tissue.chi / patient.chi_bone <= 0.95)

    def test_calcaneus_is_dense_below_the_talus_and_sparse_in_the_cavum(self):
        phantom = made(COARSE)
        subtalar, tuber, cavum = (region_mean(phantom, "bvtv", label) for label in (1, 2, 3))
        self.assertTrue(0.33 < subtalar < 0.43 and 0.23 < tuber < 0.31 and 0.07 < cavum < 0.17)

    def test_bone_fraction_of_the_tibia_rises_towards_the_joint(self):
        phantom = made(COARSE)
        height = positions_ras(phantom)[2]
        tibia = phantom.regions == 4
        self.assertLess(np.corrcoef(height[tibia], phantom.truth["bvtv"][tibia])[0, 1], -0.9)

    def test_leg_leaves_the_field_of_view_above_and_nothing_leaves_below_behind_or_beside(self):
        for seed in range(4):
            signal = made(replace(COARSE, seed=seed)).truth["signal"]
            # Sagittal: j runs to inferior, i to posterior, k from left to right.
            self.assertGreater((signal[:, 0] > 0).mean(), 0.1)
            for face in (signal[:, -1], signal[:, :, -1], signal[0], signal[-1]):
                self.assertEqual(face.max(), 0)

    def test_tissue_goes_on_beyond_the_field_of_view_where_the_body_does(self):
        grid = FineGrid(COARSE, draw_patient(np.random.default_rng(0)))
        # Sagittal: tissue above (low j) and in front (low i), at two points per voxel and a fifth of 48 voxels.
        self.assertEqual(grid.before, (0, 20, 20))
        self.assertEqual(tuple(np.subtract(grid.extended_shape, np.multiply(grid.shape, 2))), (0, 20, 20))

    def test_cortex_gives_no_signal(self):
        phantom = made(COARSE)
        density = phantom.truth["water"] + phantom.truth["fat"]
        self.assertGreater(phantom.truth["cortex"].max(), 0.3)
        self.assertTrue(np.all(density <= (1 - phantom.truth["cortex"]) + 1e-5))

    def test_regions_are_whole_compartments(self):
        phantom = made(COARSE)
        marrow = np.isin(phantom.regions, (1, 2, 3, 4, 5, 6))
        self.assertLess(phantom.truth["cortex"][phantom.regions > 0].max(), 2e-3)
        self.assertGreater(phantom.truth["pdff"][marrow].min(), 0.915)
        self.assertLess(phantom.truth["pdff"][phantom.regions == 7].max(), 0.045)

    def test_a_label_needs_all_points_of_the_voxel(self):
        label = np.full((2, 2, 4), 3, np.uint8)
        label[1, 0, 3] = 5
        np.testing.assert_array_equal(pure_labels(label, 2), [[[3, 0]]])


class Knee(unittest.TestCase):
    KNEE = replace(COARSE, shape=(56, 56, 26), anatomy="knee")

    def test_the_knee_has_regions_of_the_same_meaning(self):
        phantom = made(self.KNEE)
        self.assertEqual(phantom.region_names, ANATOMIES["knee"].region_names)
        self.assertEqual(set(np.unique(phantom.regions)) - {0}, set(range(1, 9)))
        self.assertEqual(sorted(ANATOMIES["ankle"].region_names), sorted(phantom.region_names))
        for anatomy in ANATOMIES:
            both = made(replace(self.KNEE, anatomy=anatomy))
            # One bone has a dense, a less dense and a sparse compartment.
            dense, less, sparse = (region_mean(both, "bvtv", label) for label in (1, 2, 3))
            self.assertTrue(dense > less + 0.03 and less > sparse + 0.05, anatomy)
            self.assertLess(region_mean(both, "pdff", 7), 0.05)

    def test_the_knee_leaves_the_field_of_view_above_and_below_only(self):
        for seed in range(3):
            signal = made(replace(self.KNEE, seed=seed)).truth["signal"]
            for face in (signal[:, 0], signal[:, -1]):
                self.assertGreater((face > 0).mean(), 0.1)
            for face in (signal[:, :, 0], signal[:, :, -1], signal[0], signal[-1]):
                self.assertEqual(face.max(), 0)

    def test_bone_fraction_of_the_proximal_tibia_rises_towards_the_joint(self):
        phantom = made(self.KNEE)
        tibia = phantom.regions == 4
        self.assertGreater(np.corrcoef(positions_ras(phantom)[2][tibia], phantom.truth["bvtv"][tibia])[0, 1], 0.8)


class Choices(unittest.TestCase):
    def test_a_constant_that_is_given_changes_nothing_else(self):
        drawn = draw_patient(np.random.default_rng(3))
        given = {"chi_fat": 0.5, "chi_bone": -3.0, "marrow_pdff": 0.7, "porosity": 0.3}
        patient = draw_patient(np.random.default_rng(3), replace(COARSE, **given))
        self.assertEqual((patient.chi_fat, patient.chi_bone), (0.5, -3.0))
        np.testing.assert_array_equal(patient.pose, drawn.pose)
        np.testing.assert_array_equal(patient.shift, drawn.shift)
        for one, other in zip(patient.parts, drawn.parts, strict=True):
            self.assertEqual(one.tissue.r2star, other.tissue.r2star)
            if one.tissue.bvtv is not None:
                self.assertEqual(one.tissue.pdff, 0.7)
                self.assertNotEqual(other.tissue.pdff, 0.7)
            if one.tissue.is_cortex:
                self.assertAlmostEqual(one.tissue.chi, 0.7 * -3.0)

    def test_only_dephasing_grows_with_the_field(self):
        self.assertEqual(relaxation(30.0, 25.0, 3.0), 30.0)
        self.assertAlmostEqual(relaxation(30.0, 25.0, 0.3), 25.5)
        self.assertEqual(relaxation(120.0, None, 7.0), 120.0)
        low, high = (made(replace(COARSE, shape=(72, 72, 34), field_strength=b0)) for b0 in (0.35, 7.0))
        for label, at_3_tesla, r2 in ((1, marrow_r2star(region_mean(low, "bvtv", 1)), 15.0), (7, 30.0, 25.0)):
            # Draws of 26 to 34 for muscle; dephasing within the voxel adds some 1/s at 7 T.
            for phantom, share, spread in ((low, 0.35 / 3, 1.5), (high, 7 / 3, 20.0)):
                expected = r2 + (at_3_tesla - r2) * share
                self.assertLess(abs(np.median(phantom.truth["r2star"][phantom.regions == label]) - expected), spread)

    def test_the_other_side_is_a_mirror_image_behind_a_gap_of_air(self):
        both = made(replace(COARSE, field_of_view_mm=(220.5, 220.5, 232.0), shape=(48, 48, 58), gap_mm=12.0))
        # Sagittal: k runs from left to right, and the patient's right side is the last.
        signal, half = both.truth["signal"] > 0, 29
        self.assertEqual(ndimage.label(ndimage.binary_closing(signal))[1], 2)
        air = ~signal.any(axis=(1, 2))
        # 4 mm a slice.
        self.assertGreaterEqual(np.count_nonzero(air[half - 4 : half + 4]), 3)
        np.testing.assert_array_equal(both.regions[:half], both.regions[half:][::-1])
        np.testing.assert_allclose(both.truth["bvtv"][:half], both.truth["bvtv"][half:][::-1], atol=1e-5)
        self.assertEqual(np.unique(both.regions[half:]).size, 9)


class Tissue(unittest.TestCase):
    def test_marrow_susceptibility_mixes_fat_and_bone(self):
        patient = draw_patient(np.random.default_rng((0, 0)))
        phantom = made(COARSE)
        marrow = np.isin(phantom.regions, (1, 2, 3, 4, 5, 6))
        bvtv, pdff = phantom.truth["bvtv"][marrow], phantom.truth["pdff"][marrow]
        expected = (1 - bvtv) * patient.chi_fat * pdff + bvtv * patient.chi_bone
        # Whole voxels may still hold a thousandth of cortex.
        np.testing.assert_allclose(phantom.truth["chi"][marrow], expected, atol=5e-3)

    def test_air_has_its_own_susceptibility(self):
        patient = draw_patient(np.random.default_rng((0, 0)))
        self.assertAlmostEqual(float(made(COARSE).truth["chi"][0, 0, 0]), patient.chi_air, places=5)

    def test_fat_fraction_is_fat_over_water_and_fat(self):
        truth = made(COARSE).truth
        total = truth["water"] + truth["fat"]
        expected = np.where(total > 0, truth["fat"] / np.where(total > 0, total, 1), 0)
        np.testing.assert_allclose(truth["pdff"], expected, atol=1e-6)

    def test_relaxation_of_marrow_is_linear_in_bone_fraction_where_the_field_is_flat(self):
        phantom = made(COARSE)
        for label in (1, 2, 3):
            # Dephasing over a voxel of 4.6 mm adds a few 1/s.
            expected = marrow_r2star(region_mean(phantom, "bvtv", label))
            self.assertTrue(0 <= region_mean(phantom, "r2star", label) - expected < 6, phantom.region_names[label])
        self.assertEqual((marrow_r2star(0.08), marrow_r2star(0.42)), (40, 220))

    def test_dephasing_in_a_field_gradient_raises_effective_relaxation(self):
        still = made(COARSE)
        steep = made(replace(COARSE, field_gradient_hz_per_mm=(0.0, 8.0, 0.0)))
        self.assertGreater(region_mean(steep, "r2star", 7), region_mean(still, "r2star", 7) + 10)

    def test_compartments_agree_between_grids(self):
        coarse = made(COARSE)
        for other in (replace(COARSE, shape=(61, 40, 29)), replace(COARSE, supersampling=3)):
            phantom = made(other)
            for label in (1, 2, 3, 5):
                for name, tolerance in (("chi", 0.02), ("pdff", 1e-3), ("bvtv", 0.01)):
                    difference = region_mean(phantom, name, label) - region_mean(coarse, name, label)
                    self.assertLess(abs(difference), tolerance, (other.shape, label, name))


class Reproducibility(unittest.TestCase):
    def test_same_settings_give_the_same_bytes_on_any_number_of_threads(self):
        settings = replace(COARSE, shape=(31, 30, 17), snr=40.0)
        first = make_phantom(settings)
        with scipy.fft.set_workers(2):
            second = make_phantom(settings)
        self.assertEqual(first.acquisition.echoes.tobytes(), second.acquisition.echoes.tobytes())
        self.assertEqual(first.regions.tobytes(), second.regions.tobytes())
        for name in TRUTHS:
            self.assertEqual(first.truth[name].tobytes(), second.truth[name].tobytes(), name)

    def test_another_seed_is_another_patient(self):
        one, other = made(COARSE), made(replace(COARSE, seed=1))
        self.assertGreater((one.regions != other.regions).sum(), 100)
        self.assertNotEqual(one.truth["chi"][0, 0, 0], other.truth["chi"][0, 0, 0])

    def test_progress_rises_to_one_and_can_cancel(self):
        seen = []
        make_phantom(replace(COARSE, shape=(20, 20, 12)), progress=lambda fraction, message: seen.append(fraction))
        self.assertEqual(seen, sorted(seen))
        self.assertEqual(seen[-1], 1.0)

        def stop(fraction, message):
            raise Cancelled

        with self.assertRaises(Cancelled):
            make_phantom(replace(COARSE, shape=(20, 20, 12)), progress=stop)


class Geometry(unittest.TestCase):
    def test_tilt_turns_the_grid_and_not_the_patient(self):
        level = made(COARSE)
        for degrees in (20.0, -35.0):
            tilted = made(replace(COARSE, tilt_degrees=degrees))
            direction = tilted.acquisition.b0_direction
            cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
            # Sagittal axes: i = −A and j = −S, each turned about R.
            np.testing.assert_allclose(direction, (0, -cosine, -sine), atol=1e-12)
            for label in (1, 2, 3, 5):
                centers = [positions_ras(p)[:, p.regions == label].mean(axis=1) for p in (level, tilted)]
                self.assertLess(np.linalg.norm(centers[0] - centers[1]), 1.5)

    def test_field_of_the_same_tissue_does_not_depend_on_the_tilt(self):
        # Turned by 25°, other tissue lies inside the field of view; the heel is far from where that changes.
        level, tilted = made(COARSE), made(replace(COARSE, tilt_degrees=25.0))
        for label in (2, 3):
            difference = region_mean(level, "local_field", label) - region_mean(tilted, "local_field", label)
            self.assertLess(abs(difference), 0.02, level.region_names[label])

    def test_other_orientations_show_the_same_patient(self):
        sagittal = made(COARSE)
        others = {
            "coronal": replace(COARSE, orientation="coronal", shape=(24, 48, 48), field_of_view_mm=(102, 220.5, 220.5)),
            "axial": replace(COARSE, orientation="axial", shape=(24, 48, 48), field_of_view_mm=(102, 220.5, 220.5)),
        }
        for name, settings in others.items():
            phantom = made(settings)
            self.assertGreater(np.linalg.det(phantom.acquisition.affine[:3, :3]), 0)
            # The same voxels in another storage order: all maps must be the same patient's.
            views = [p.acquisition.reorientation.apply(p.truth["field_hz"]) for p in (sagittal, phantom)]
            body = sagittal.acquisition.reorientation.apply(sagittal.truth["signal"]) > 0.1
            np.testing.assert_allclose(views[0][body], views[1][body], atol=0.5, err_msg=name)

    def test_center_of_the_field_of_view_is_the_origin(self):
        affine = replace(COARSE, shape=(37, 50, 21), tilt_degrees=30.0).affine
        np.testing.assert_allclose(affine @ (18, 24.5, 10, 1), (0, 0, 0, 1), atol=1e-9)


class WrongInput(unittest.TestCase):
    def test_settings_that_cannot_be_simulated_are_named(self):
        wrong = {
            "shape": [(48, 48), (48, 48, 0), (48.5, 48, 24), 48],
            "field_of_view_mm": [(220, 220), (220, 220, -1), (220, 220, float("nan"))],
            "snr": [0, -3, 1e-9, float("nan"), "forty"],
            "seed": [-1, 1.5],
            "tilt_degrees": [float("inf"), "20", 1e9],
            "field_offset_hz": [1e9],
            "orientation": ["oblique"],
            "field_strength": [0, 50],
            "echo_times": [(1e-3, 2e-3), (1e-3, 3e-3, 2e-3), (1.25, 1.95, 2.65)],
            "fat_model": ["butter"],
            "field_gradient_hz_per_mm": [(0, 0), (1e9, 0, 0)],
            "supersampling": [0, 2.5],
            "anatomy": ["elbow"],
            "gap_mm": [0, "wide"],
            "chi_bone": [-200, float("nan")],
            "marrow_pdff": [1.2],
        }
        for name, values in wrong.items():
            for value in values:
                with (
                    self.subTest(name=name, value=value),
                    self.assertRaisesRegex(InputError, f"`{name}` is .*; .*(give|choose)|; give .* in `{name}`"),
                ):
                    PhantomSettings(**{name: value})

    def test_numpy_numbers_and_lists_are_taken(self):
        settings = PhantomSettings(shape=list(np.array([20, 20, 12])), field_of_view_mm=np.array([200.0, 200.0, 100.0]))
        self.assertEqual(settings.shape, (20, 20, 12))
        self.assertEqual(hash(settings), hash(replace(settings)))


if __name__ == "__main__":
    unittest.main()
