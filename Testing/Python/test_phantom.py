"""The digital ankle: its anatomy, its physics against closed forms, its noise, and its geometry."""

import unittest
from dataclasses import replace
from functools import lru_cache
from types import SimpleNamespace

import numpy as np
import scipy.fft
from scipy import ndimage

from TrabecularQSMLib.errors import Cancelled, InputError
from TrabecularQSMLib.fieldmap.fat_models import FAT_MODELS
from TrabecularQSMLib.fieldmap.groups import positions_of
from TrabecularQSMLib.fieldmap.signal import Model, synthesize
from TrabecularQSMLib.kernels import block_means, dipole_kernel, solid_harmonics
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom
from TrabecularQSMLib.phantom.anatomy import ANATOMIES, draw_patient
from TrabecularQSMLib.phantom.body import marrow_r2star, relaxation
from TrabecularQSMLib.phantom.field import field_of, smeared_field
from TrabecularQSMLib.phantom.fine_grid import FineGrid, pure_labels
from TrabecularQSMLib.phantom.readout import displaced
from TrabecularQSMLib.pipeline import reconstruct
from TrabecularQSMLib.settings import preset

COARSE = PhantomSettings(shape=(48, 48, 24), snr=None)
TRUTHS = {
    "chi", "pdff", "field_hz", "total_field", "local_field", "r2star", "bvtv", "cortex", "water", "fat", "signal",
}  # fmt: skip


@lru_cache(maxsize=8)
def made(settings):
    return make_phantom(settings)


def positions_ras(phantom):
    """RAS coordinates in mm of all voxels, (3, K, J, I)."""
    k, j, i = np.indices(phantom.regions.shape)
    affine = phantom.acquisition.affine
    return np.einsum("rc,ckji->rkji", affine[:3, :3], np.stack([i, j, k])) + affine[:3, 3].reshape(3, 1, 1, 1)


def region_mean(phantom, name, label):
    return phantom.truth[name][phantom.regions == label].mean(dtype=float)


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


class Field(unittest.TestCase):
    def test_field_of_a_sphere_is_the_analytic_one_and_does_not_ring(self):
        voxel, direction, n, radius = (1.0, 1.2, 0.9), np.array([0.6, 0.64, 0.48]), 64, 12.0
        k, j, i = (h * (np.arange(n).reshape(view) - (n - 1) / 2) for h, view in zip(
            voxel, ((-1, 1, 1), (1, -1, 1), (1, 1, -1)), strict=True))  # fmt: skip
        distance = np.sqrt(k**2 + j**2 + i**2)
        sphere = np.clip(0.5 - (distance - radius), 0, 1).astype(np.float32)
        grid = SimpleNamespace(voxel_size=voxel, b0_direction=tuple(direction), factor=1)
        field = field_of(sphere, grid, (slice(None, n),) * 3)
        cosine = (k * direction[0] + j * direction[1] + i * direction[2]) / distance
        outside = (radius / distance) ** 3 / 3 * (3 * cosine**2 - 1)
        shell = (distance > radius + 3) & (distance < 26)
        # The field outside is Δχ/3 (a/r)³ (3 cos²θ − 1), here up to 0.34 ppm; inside it is zero (Lorentz sphere).
        self.assertLess(np.abs(field - outside)[shell].max(), 0.006)
        self.assertLess(np.abs(field[distance < radius - 3]).max(), 0.006)

    def test_signal_beside_a_shell_of_cortex_sees_the_analytic_field_of_its_own_side(self):
        n, parts, inner, outer, chi = 40, 3, 11.3, 13.1, np.float32(-2.0)
        points = (np.arange(n * parts) + 0.5) / parts - n / 2
        k, j, i = points[:, None, None], points[None, :, None], points[None, None, :]
        radius = np.sqrt(k**2 + j**2 + i**2)
        within = (radius > inner) & (radius < outer)
        share = block_means(within, (parts,) * 3, np.float32)
        # Outside the field of two balls, inside of neither.
        dipole = (3 * (k / radius) ** 2 - 1) / (3 * radius**3)
        true = block_means(np.where(radius > outer, chi * (outer**3 - inner**3) * dipole, 0) * ~within, (parts,) * 3)
        cut = (share > 0.05) & (share < 0.95)
        grid = SimpleNamespace(voxel_size=(1.0, 1.0, 1.0), b0_direction=(1.0, 0.0, 0.0), factor=1)
        plain = field_of(chi * share, grid, (slice(None, n),) * 3)
        smeared = smeared_field({"cortex": share, "cortex_chi": chi * share, "chi": chi * share}, grid)
        seen = true[cut] / (1 - share[cut])
        self.assertGreater(np.std(plain[cut] - seen), 0.25)
        self.assertLess(np.std((plain - smeared)[cut] - seen), 0.06)
        self.assertLess(np.abs(smeared[radius[1::3, 1::3, 1::3] < 7]).max(), 0.005)

    def test_local_field_is_the_convolution_of_the_tissue_inside_the_field_of_view(self):
        phantom = made(replace(COARSE, shape=(72, 72, 34)))
        chi = phantom.truth["chi"].astype(float)
        chi_air, chi_fat = chi.max(), region_mean(phantom, "chi", 8)
        # Voxels at the skin hold fat and air: keep the fat.
        tissue = np.where(chi > chi_fat, (chi_air - chi) / (chi_air - chi_fat) * chi_fat, chi)
        acquisition = phantom.acquisition
        shape = tuple(2 * n for n in chi.shape)
        kernel = dipole_kernel(shape, acquisition.voxel_size, acquisition.b0_direction)
        field = scipy.fft.irfftn(scipy.fft.rfftn(tissue, s=shape) * kernel, s=shape)[tuple(map(slice, chi.shape))]
        deep = np.isin(phantom.regions, (2, 3, 5))
        difference = (phantom.truth["local_field"] - field)[deep]
        # Next to cortex of 1.4 mm, a kernel on voxels of 3 mm is off by a few hundredths; elsewhere the two agree.
        self.assertLess(np.median(np.abs(difference)), 0.008)
        self.assertLess(abs(difference.mean()), 0.005)
        self.assertGreater(np.std(field[deep]), 0.04)

    def test_what_is_left_after_the_tissue_inside_is_harmonic(self):
        # Air, what lies outside the field of view and the shim have no sources in the tissue.
        phantom = made(replace(COARSE, shape=(72, 72, 34)))
        background = phantom.truth["total_field"].astype(float) - phantom.truth["local_field"]
        # Away from the skin, and from the planes that cut the bones: their continuation is background, and near.
        signal = ndimage.binary_erosion(phantom.truth["signal"] > 0, iterations=4)
        interior = signal & (phantom.regions > 0) & (phantom.regions < 8)
        self.assertGreater(interior.sum(), 10_000)

        def roughness(field):
            laplacian = sum(
                (np.roll(field, 1, axis) - 2 * field + np.roll(field, -1, axis)) / h**2
                for axis, h in enumerate(phantom.acquisition.voxel_size)
            )
            return np.sqrt((laplacian[interior] ** 2).mean())

        self.assertLess(roughness(background), 0.1 * roughness(phantom.truth["total_field"].astype(float)))

    def test_shim_terms_are_harmonic_in_millimetres(self):
        h = 0.25
        axes = [h * (np.arange(5) - 2)] * 3
        z, y, x = np.meshgrid(*axes, indexing="ij")
        for number, term in enumerate(solid_harmonics(x, y, z)):
            term = np.broadcast_to(term, x.shape).astype(float)
            # Second differences of quadratics are exact.
            laplacian = sum(np.diff(term, 2, axis)[tuple(slice(None) if a == axis else slice(1, -1) for a in range(3))]
                            for axis in range(3))  # fmt: skip
            np.testing.assert_allclose(laplacian, 0, atol=1e-12, err_msg=str(number))
        basis = np.stack([np.broadcast_to(term, x.shape).ravel() for term in solid_harmonics(x, y, z)], axis=1)
        self.assertEqual(np.linalg.matrix_rank(basis), 9)

    def test_no_second_order_field_is_left_over_the_body(self):
        phantom = made(COARSE)
        body = phantom.truth["signal"] > 0.3 * phantom.truth["signal"].max()
        x, y, z = positions_ras(phantom)[:, body] / 100
        basis = np.stack([np.broadcast_to(term, x.shape) for term in solid_harmonics(x, y, z)], axis=1)
        field = phantom.truth["field_hz"][body].astype(float)
        explained = basis @ np.linalg.lstsq(basis, field, rcond=None)[0]
        self.assertLess(np.sqrt((explained**2).mean()), 0.25 * np.sqrt((field**2).mean()))

    def test_field_over_the_body_stays_within_a_fat_shift_of_zero(self):
        for seed in range(3):
            phantom = made(replace(COARSE, seed=seed))
            body = phantom.truth["signal"] > 0.3 * phantom.truth["signal"].max()
            low, high = np.percentile(phantom.truth["field_hz"][body], (1, 99))
            self.assertTrue(-330 < low < -50 and 50 < high < 330, (low, high))

    def test_total_field_in_ppm_is_the_field_over_the_imaging_frequency(self):
        phantom = made(COARSE)
        expected = phantom.truth["field_hz"] / phantom.acquisition.imaging_frequency * 1e6
        np.testing.assert_allclose(phantom.truth["total_field"], expected, rtol=1e-5)

    def test_offset_and_gradient_push_the_field_past_whole_periods(self):
        plain = made(COARSE)
        gradient = np.array([3.0, -6.0, 14.0])
        pushed = made(replace(COARSE, field_offset_hz=900.0, field_gradient_hz_per_mm=tuple(gradient)))
        whole = plain.regions == 7
        expected = 900 + np.tensordot(gradient, positions_ras(plain), 1)
        added = pushed.truth["field_hz"].astype(float) - plain.truth["field_hz"]
        np.testing.assert_allclose(added[whole], expected[whole], atol=0.01)
        self.assertGreater(np.ptp(pushed.truth["field_hz"][whole]), 1428.6)

    def test_field_scales_with_field_strength(self):
        low = made(replace(COARSE, field_strength=1.5))
        np.testing.assert_allclose(
            low.truth["field_hz"][low.regions == 5], made(COARSE).truth["field_hz"][low.regions == 5] / 2, atol=0.5
        )


class Signal(unittest.TestCase):
    def test_voxels_of_one_tissue_follow_the_signal_equation(self):
        phantom = made(COARSE)
        acquisition, truth = phantom.acquisition, phantom.truth
        times = acquisition.echo_times
        model = Model(times, FAT_MODELS["ren-marrow"].signal(times, acquisition.imaging_frequency))
        tuber = phantom.regions == 2
        expected = synthesize(
            *(truth[name][tuber].astype(float) for name in ("water", "fat", "field_hz", "r2star")), model
        )
        measured = acquisition.echoes[:, tuber]
        # The receive phase is the same for all echoes of a voxel.
        measured = measured * np.exp(1j * np.angle((expected * measured.conj()).sum(axis=0)))
        error = np.abs(measured - expected).max(axis=0) / np.abs(expected).max(axis=0)
        self.assertLess(np.median(error), 0.01)

    def test_unequal_echo_times_give_the_same_echo_at_the_same_time(self):
        equal = made(COARSE).acquisition
        unequal = made(replace(COARSE, echo_times=(1.25e-3, 2.0e-3, 2.65e-3, 4.05e-3, 5.0e-3))).acquisition
        peak = np.abs(equal.echoes).max()
        for e, same in ((0, 0), (2, 2), (3, 4)):
            self.assertLess(np.abs(unequal.echoes[e] - equal.echoes[same]).max(), 1e-4 * peak)

    def test_noise_has_the_peak_over_snr_in_both_channels(self):
        clean, noisy = made(COARSE), made(replace(COARSE, snr=25.0))
        noise = noisy.acquisition.echoes - clean.acquisition.echoes
        expected = np.abs(clean.acquisition.echoes[0]).max() / 25
        # Half a million samples: the standard error of the deviation is 0.1 %.
        for channel in (noise.real, noise.imag):
            self.assertLess(abs(channel.std() / expected - 1), 0.005)
            self.assertLess(abs(channel.mean()) / expected, 0.006)
        self.assertLess(abs(np.corrcoef(noise.real.ravel(), noise.imag.ravel())[0, 1]), 0.006)
        for one, other in ((noise[0].real, noise[1].real), (noise[0].imag, noise[1].imag)):
            self.assertLess(abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]), 0.02)

    def test_truth_does_not_depend_on_noise(self):
        clean, noisy = made(COARSE), made(replace(COARSE, snr=25.0))
        for name in TRUTHS:
            np.testing.assert_array_equal(clean.truth[name], noisy.truth[name], name)

    def test_infinite_snr_is_no_noise(self):
        endless = make_phantom(replace(COARSE, snr=float("inf")))
        np.testing.assert_array_equal(endless.acquisition.echoes, made(COARSE).acquisition.echoes)

    def test_receive_phase_and_sensitivity_are_smooth(self):
        phantom = made(COARSE)
        muscle = phantom.regions == 7
        sensitivity = np.where(muscle, phantom.truth["water"] + phantom.truth["fat"], np.nan) / 0.75
        self.assertTrue(0.65 < np.nanmin(sensitivity) < np.nanmax(sensitivity) <= 1.001)
        self.assertGreater(np.nanmax(sensitivity) - np.nanmin(sensitivity), 0.03)
        for axis in range(3):
            self.assertLess(np.nanmax(np.abs(np.diff(sensitivity, axis=axis))), 0.03)

    def test_fat_spectrum_is_a_choice(self):
        other = make_phantom(replace(COARSE, fat_model="seven-peak")).acquisition.echoes
        self.assertGreater(np.abs(other - made(COARSE).acquisition.echoes).max(), 0.01)


class ReadOut(unittest.TestCase):
    SMALL = replace(COARSE, shape=(40, 42, 20))

    def assert_same_truth(self, settings, but=()):
        plain, other = made(self.SMALL), made(settings)
        for name in TRUTHS - set(but):
            np.testing.assert_array_equal(plain.truth[name], other.truth[name], name)
        return plain.acquisition.echoes, other.acquisition.echoes

    def test_echoes_read_backwards_have_a_gain_along_the_read_out(self):
        gains = {"readout_offset_rad": 0.4, "readout_slope_rad": -0.6, "readout_magnitude": 0.08}
        for axis, name in ((1, "j"), (0, "k")):
            settings = replace(self.SMALL, readout="bipolar", readout_axis=name, **gains)
            plain, read = self.assert_same_truth(settings)
            x = np.linspace(-1, 1, plain.shape[1 + axis]).reshape([-1 if n == axis else 1 for n in range(3)])
            expected = 1.08 * np.exp(1j * (0.4 - 0.6 * x))
            for number in range(9):
                factor = expected if number % 2 else 1
                np.testing.assert_allclose(read[number], plain[number] * factor, atol=1e-6)

    def test_trains_take_turns_and_each_reads_in_both_directions(self):
        offsets, slopes = (0.0, 0.5, -0.4), (0.0, 0.2, 0.3)
        settings = replace(self.SMALL, train_offsets_rad=offsets, train_slopes_rad=slopes)
        plain, read = self.assert_same_truth(settings)
        x = np.linspace(-1, 1, plain.shape[2])[None, :, None]
        both = made(replace(settings, readout="bipolar", readout_offset_rad=0.3)).acquisition.echoes
        for number in range(9):
            gain = np.exp(1j * (offsets[number % 3] + slopes[number % 3] * x))
            np.testing.assert_allclose(read[number], plain[number] * gain, atol=1e-6)
            # The second echo of each train of three is read backwards.
            backward = np.exp(0.3j) if 3 <= number < 6 else 1
            np.testing.assert_allclose(both[number], plain[number] * gain * backward, atol=1e-6)

    def test_a_peak_is_displaced_by_its_share_of_the_bandwidth(self):
        rng = np.random.default_rng(0)
        points = rng.normal(size=(3, 24, 4)) + 1j * rng.normal(size=(3, 24, 4))
        points[:, :6] = points[:, -6:] = 0
        sums = points.reshape(3, 12, 2, 4).sum(axis=2)
        np.testing.assert_allclose(displaced(points, 2, 1, [(2j, 0.0)]), 2j * sums)
        np.testing.assert_allclose(displaced(points, 2, 1, [(1, 2.0)]), np.roll(sums, 2, axis=1), atol=1e-12)
        # Half a voxel is one of two points.
        half = np.roll(points, -1, axis=1).reshape(3, 12, 2, 4).sum(axis=2)
        np.testing.assert_allclose(displaced(points, 2, 1, [(1, -0.5)]), half, atol=1e-12)
        # Whatever the part of a point, the signal stays the same and its center moves by as much.
        line = np.abs(points[:1, :, :1])
        moved = displaced(line, 2, 1, [(1, 1.37)])[0, :, 0].real
        center = lambda values: values @ np.arange(values.size) / values.sum()  # noqa: E731
        self.assertAlmostEqual(moved.sum(), line.sum())
        self.assertAlmostEqual(center(moved), (center(line[0, :, 0]) - 0.5) / 2 + 1.37, delta=0.02)

    def test_fat_appears_displaced_and_truth_stays_with_the_tissue(self):
        shift = FAT_MODELS["single-peak"].main_shift_ppm * 1e-6 * made(self.SMALL).acquisition.imaging_frequency
        base = replace(self.SMALL, fat_model="single-peak")
        plain = made(base)
        for readout in ("monopolar", "bipolar"):
            # The signals of water and fat are W + F, W + SF and W + S²F when fat is displaced by one voxel and by two.
            scans = [made(replace(base, readout=readout, bandwidth_hz=abs(shift) / n)) for n in (1, 2)]
            for scan in scans:
                for name in TRUTHS - {"signal"}:
                    np.testing.assert_array_equal(scan.truth[name], plain.truth[name], name)
            for number in range(2):
                once, twice = (scan.acquisition.echoes[number] - plain.acquisition.echoes[number] for scan in scans)
                # Fat has the lower frequency, and lies on the other side where an echo is read backwards.
                step = 1 if readout == "bipolar" and number == 1 else -1
                left = np.abs(twice - once - np.roll(once, step, axis=1))
                # The coil differs by some percent from voxel to voxel; the other direction is wholly wrong.
                self.assertLess(left.max(), 0.2 * np.abs(once).max())
                self.assertGreater(np.abs(once).max(), 0.5)

    def test_the_separation_takes_a_bipolar_read_out_and_trains_off(self):
        base = replace(COARSE, shape=(36, 36, 18), snr=40.0)
        kinds = {
            "bipolar": {"readout": "bipolar", "readout_slope_rad": 0.65, "readout_magnitude": 0.05},
            "trains": {"train_offsets_rad": (0.0, 0.5, -0.4), "train_slopes_rad": (0.0, 0.2, 0.3)},
        }
        fieldmap = preset(stop_after="fieldmap")
        plain = reconstruct(made(base).acquisition, fieldmap).maps
        inside = (made(base).regions > 0) & (plain["reliability"] > 0.5)
        line = np.vstack([np.ones(inside.sum()), positions_of(inside.shape, np.flatnonzero(inside))]).T
        for name, gains in kinds.items():
            result = reconstruct(made(replace(base, **gains)).acquisition, fieldmap)
            self.assertEqual((result.settings.readout, result.settings.trains), {
                "bipolar": ("bipolar", "1"), "trains": ("monopolar", "3")}[name])  # fmt: skip
            pdff, field, residual = (
                (result.maps[quantity] - plain[quantity])[inside] for quantity in ("pdff", "field_hz", "residual")
            )
            self.assertLess(abs(np.median(pdff)), 0.005, name)
            # A tenth of the phases left on: 0.36 and 0.28 Hz by trains, 0.011 by the read-out; none: 0.06 Hz, 0.0047.
            tilted = np.linalg.lstsq(line, np.clip(field, -3, 3))[0]
            self.assertLess(np.abs(tilted).max(), 0.15, name)
            self.assertLess(np.percentile(np.abs(residual), 90), 0.0055, name)

    def test_gains_without_echoes_that_have_them_are_refused(self):
        for wrong in (
            {"readout_slope_rad": 0.2},
            {"train_offsets_rad": (0, 1), "train_slopes_rad": (0, 1, 2)},
            {"train_offsets_rad": (0, 1, 2, 3, 4)},
            {"readout": "spiral"},
            {"bandwidth_hz": 0},
        ):
            with self.subTest(wrong), self.assertRaisesRegex(InputError, "give|choose"):
                PhantomSettings(**wrong)


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
                    self.assertRaisesRegex(InputError, f"^{name} is .*; .*give|choose"),
                ):
                    PhantomSettings(**{name: value})

    def test_numpy_numbers_and_lists_are_taken(self):
        settings = PhantomSettings(shape=list(np.array([20, 20, 12])), field_of_view_mm=np.array([200.0, 200.0, 100.0]))
        self.assertEqual(settings.shape, (20, 20, 12))
        self.assertEqual(hash(settings), hash(replace(settings)))


if __name__ == "__main__":
    unittest.main()
