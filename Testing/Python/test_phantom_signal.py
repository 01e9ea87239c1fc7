"""The field and the signal of the digital ankle: sphere and shell, shim, noise, read-out."""

import unittest
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import scipy.fft
from patients import COARSE, TRUTHS, made, positions_ras, region_mean
from scipy import ndimage

from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.fieldmap.fat_models import FAT_MODELS
from TrabecularQSMLib.fieldmap.groups import positions_of
from TrabecularQSMLib.fieldmap.signal import Model, synthesize
from TrabecularQSMLib.kernels import block_means, dipole_kernel, solid_harmonics
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom
from TrabecularQSMLib.phantom.field import field_of, smeared_field
from TrabecularQSMLib.phantom.readout import displaced
from TrabecularQSMLib.pipeline import reconstruct
from TrabecularQSMLib.settings import preset


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


if __name__ == "__main__":
    unittest.main()
