"""Where the body is, where its signal can be trusted, and how loud the noise is."""

import unittest

import numpy as np

from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.fieldmap import masks
from TrabecularQSMLib.fieldmap.fat_models import FAT_MODELS
from TrabecularQSMLib.fieldmap.separation import separate
from TrabecularQSMLib.fieldmap.signal import Model, synthesize

VOXEL_SIZE = (3.0, 1.0, 1.5)
FREQUENCY = 3 * 42.577478518e6


def leg(shape=(20, 40, 44)):
    """Signal of a leg that runs through k: two bones, dark cortical rings, open to the image's border at both ends."""
    _, y, x = np.indices(shape, float)
    inside = (y - 20) ** 2 + (x - 22) ** 2 < 17**2
    signal = inside.copy()
    for cy, cx, radius in ((20, 15, 6.5), (22, 30, 4.5)):
        r = np.sqrt((y - cy) ** 2 + (x - cx) ** 2)
        signal &= ~((r < radius) & (r > radius - 2))
    return signal, inside


class BodyTest(unittest.TestCase):
    def test_bones_that_leave_the_field_of_view_are_filled(self):
        # The dark rings are open to the outside through the first and last slice.
        for axis in range(3):
            signal, inside = (np.moveaxis(a, 0, axis) for a in leg())
            np.testing.assert_array_equal(masks.body_mask(signal), inside)

    def test_a_bone_with_dark_marrow_cut_by_the_border_is_filled(self):
        signal, inside = leg()
        _, y, x = np.indices(signal.shape)
        signal &= (y - 20) ** 2 + (x - 15) ** 2 > 5**2
        np.testing.assert_array_equal(masks.body_mask(signal), inside)

    def test_holes_inside_are_filled_and_the_outside_is_not(self):
        signal = np.zeros((20, 20, 20), bool)
        signal[3:17, 3:17, 3:17] = True
        body = signal.copy()
        signal[8:12, 8:12, 8:12] = False
        np.testing.assert_array_equal(masks.body_mask(signal), body)

    def test_two_feet_stay_and_specks_go(self):
        signal = np.zeros((20, 30, 60), bool)
        signal[3:17, 5:25, 5:25] = True
        signal[5:15, 8:22, 35:50] = True
        feet = signal.copy()
        rng = np.random.default_rng(1)
        specks = rng.random(signal.shape) < 0.01
        # Right beside a foot, a speck is part of its ragged surface.
        specks[2:18, 4:26, 4:26], specks[4:16, 7:23, 34:51] = False, False
        signal |= specks
        signal[1:4, 1:4, 55:58] = True  # 27 voxels, below 5 % of a foot
        np.testing.assert_array_equal(masks.body_mask(signal), feet)

    def test_a_single_slice_works_along_every_axis(self):
        signal, inside = leg((1, 40, 44))
        # A line of artefact, as many voxels as would make a small foot, has no core.
        signal[0, 0] = True
        for axis in range(3):
            np.testing.assert_array_equal(masks.body_mask(np.moveaxis(signal, 0, axis)), np.moveaxis(inside, 0, axis))

    def test_nothing_gives_nothing(self):
        self.assertFalse(masks.body_mask(np.zeros((4, 5, 6), bool)).any())


class ErosionTest(unittest.TestCase):
    def test_the_distance_is_in_mm_on_anisotropic_voxels(self):
        mask = np.zeros((15, 31, 25), bool)
        mask[1:14, 1:30, 1:24] = True
        # From a voxel of the mask to the nearest outside, the first layer is one voxel size away.
        eroded = masks.erode(mask, 5.0, VOXEL_SIZE)
        wanted = np.zeros_like(mask)
        wanted[1 + 1 : 14 - 1, 1 + 5 : 30 - 5, 1 + 3 : 24 - 3] = True
        np.testing.assert_array_equal(eroded, wanted)

    def test_the_border_of_the_image_is_no_surface(self):
        _, inside = leg()
        eroded = masks.erode(inside, 5.0, VOXEL_SIZE)
        self.assertTrue(eroded[0].any())
        np.testing.assert_array_equal(eroded, np.broadcast_to(eroded[10], inside.shape))
        self.assertTrue(masks.erode(np.ones((3, 4, 5), bool), 100.0, VOXEL_SIZE).all())

    def test_no_distance_returns_a_copy(self):
        _, inside = leg()
        eroded = masks.erode(inside, 0.0, VOXEL_SIZE)
        np.testing.assert_array_equal(eroded, inside)
        self.assertFalse(np.shares_memory(eroded, inside))


class SignalTest(unittest.TestCase):
    def noisy(self, echoes, air, seed=2):
        """A cube of signal 100 in noise of SD 2, filling all but a share `air` of the image."""
        rng = np.random.default_rng(seed)
        signal = rng.standard_normal((echoes, 24, 40, 50, 2)) @ [2.0, 2.0j]
        signal[:, :, : round(40 * (1 - air))] += 100.0
        return signal.astype(np.complex64)

    def test_noise_is_estimated_within_ten_percent(self):
        for echoes in (3, 9):
            for air in (0.3, 0.6, 0.95):
                for combination in ("mip", "rss"):
                    with self.subTest(echoes=echoes, air=air, combination=combination):
                        signal = self.noisy(echoes, air)
                        found = masks.noise_level(signal, masks.combine_echoes(signal, combination))
                        self.assertAlmostEqual(found, 2.0, delta=0.2)

    def test_planes_of_zeros_around_an_image_are_no_noise(self):
        signal = self.noisy(3, 0.6)
        image = masks.combine_echoes(signal)
        padded = np.pad(signal, ((0, 0), (4, 0), (12, 8), (0, 9)))
        self.assertEqual(masks.noise_level(padded, masks.combine_echoes(padded)), masks.noise_level(signal, image))
        level = masks.noise_of_magnitude(masks.combine_echoes(padded))
        self.assertAlmostEqual(level, masks.noise_of_magnitude(image), delta=0.1 * level)
        self.assertEqual(masks.noise_level(0 * signal, 0 * image), 0)

    def test_corners_of_zeros_are_no_noise_and_tissue_cut_out_of_air_has_none(self):
        signal = self.noisy(3, 0.6)
        j, i = np.indices(signal.shape[2:])
        for name, kept, noise in (
            ("a round field of view", np.hypot((j - 19.5) / 20, (i - 24.5) / 25) < 1, 2.0),
            ("the body alone", (j < 16) & (i + j > 8), 0.0),
        ):
            cut = signal * kept
            with self.subTest(name):
                mip = masks.combine_echoes(cut)
                self.assertAlmostEqual(masks.noise_level(cut, mip), noise, delta=0.2)
                # Of a magnitude alone it spreads less.
                self.assertAlmostEqual(masks.noise_level(np.abs(cut), mip), 0.655 * noise, delta=0.15)
                # Four of it are above nearly all air, as without corners of zeros.
                level = masks.noise_of_magnitude(mip)
                whole = masks.noise_of_magnitude(masks.combine_echoes(signal))
                self.assertAlmostEqual(level, whole if noise else 0.0, delta=0.1 * whole)

    def test_without_air_tissue_does_not_pass_for_noise(self):
        # A smooth image of 100 with noise of SD 2 all over: neighbors differ by noise alone.
        signal = self.noisy(4, 0.0)
        signal *= np.exp(1j * np.linspace(0, 1, 50)).astype(np.complex64)
        self.assertAlmostEqual(masks.noise_level(signal, masks.combine_echoes(signal)), 2.0, delta=0.4)

    def test_noise_alone_hardly_passes_for_signal(self):
        # Four SD in the largest of nine echoes: 9 exp(−4²/2) = 0.30 % of voxels, and 9 exp(−3.6²/2) = 1.4 % with noise
        # estimated a tenth too low.
        signal = self.noisy(9, 0.95)
        magnitude = masks.combine_echoes(signal)
        inside = masks.signal_mask(magnitude, masks.noise_level(signal, magnitude), 0.02)
        self.assertTrue(inside[:, :2].all())
        self.assertLess(inside[:, 2:].mean(), 0.014)

    def test_the_bright_end_is_blind_to_hot_voxels(self):
        magnitude = np.zeros((20, 20, 20), np.float32)
        magnitude[5:15] = 100.0
        magnitude[0, 0, :5] = 1e4
        self.assertAlmostEqual(masks.bright_end(magnitude), 100.0)
        self.assertTrue(masks.signal_mask(magnitude, 0.0, 0.05)[5:15].all())
        self.assertEqual(masks.bright_end(np.full((2, 2, 2), 3.0)), 3.0)

    def test_echoes_combine_to_maximum_and_root_sum_of_squares(self):
        echoes = np.array([3.0, -4.0j, 0.0], np.complex64).reshape(3, 1, 1, 1)
        self.assertEqual(masks.combine_echoes(echoes)[0, 0, 0], 4.0)
        self.assertEqual(masks.combine_echoes(echoes, "rss")[0, 0, 0], 5.0)


class ReliabilityTest(unittest.TestCase):
    def of(self, magnitude, residual=0.0, excess=0.0, margin=np.inf, mask=True, noise=0.0):
        parts = np.broadcast_arrays(magnitude, residual, excess, margin, mask)
        return masks.reliability(*parts, noise=noise, threshold=0.05)

    def test_it_falls_with_the_residual_and_is_zero_only_where_there_is_no_signal(self):
        magnitude = np.full((1, 1, 8), 100.0)
        magnitude[..., -1] = 4.0
        residual = np.array([[[0.0, 0.125, 0.5, 0.0, 0.0, 0.25, 0.0, 0.0]]])
        mask = np.array([[[True, True, True, True, False, True, True, True]]])
        weight = self.of(magnitude, residual, mask=mask)
        # A residual of a quarter of the signal takes half: noise alone, whose field is still known, is never all.
        np.testing.assert_allclose(weight, [[[1.0, 0.8, 0.2, 1.0, 0.0, 0.5, 1.0, 0.0]]], rtol=1e-6)
        self.assertEqual(weight.dtype, np.float32)
        np.testing.assert_allclose(self.of(magnitude, residual, margin=np.log(2.0), mask=mask), weight / 2, atol=1e-6)
        self.assertFalse(self.of(magnitude, residual, mask=mask, noise=100.0 / 3.9).any())

    def test_it_falls_where_noise_does_not_explain_the_misfit(self):
        magnitude = np.full((1, 1, 3), 100.0)
        np.testing.assert_allclose(self.of(magnitude, excess=[[[0.0, 0.08, 0.24]]]), [[[1.0, 0.5, 0.1]]], rtol=1e-6)

    def test_it_falls_where_a_voxel_holds_something_without_signal(self):
        def along(values):
            return self.of(np.array(values, float)[None, None] * np.ones((1, 5, 1)))[0, 2]

        # Cut by cortex of one voxel or two, and by the surface.
        np.testing.assert_allclose(along([100, 100, 25, 100, 100])[2], 0.25, rtol=1e-6)
        np.testing.assert_allclose(along([100, 100, 25, 40, 100, 100])[2:4], [0.25, 0.64], rtol=1e-6)
        np.testing.assert_allclose(along([0, 0, 20, 100, 100, 100]), [0, 0, 0.16, 1, 1, 1], rtol=1e-6)
        # More than half of the neighbors' signal, and a dark tissue beside a bright one, are no such voxels.
        np.testing.assert_allclose(along([100, 100, 60, 100, 100]), 1)
        np.testing.assert_allclose(along([100, 100, 100, 30, 30, 30]), 1)

    def test_an_echo_that_contradicts_the_others_lowers_it(self):
        times = 1.25e-3 + 0.7e-3 * np.arange(9)
        model = Model(times, FAT_MODELS["ren-marrow"].signal(times, FREQUENCY))
        count = 600
        rng = np.random.default_rng(45)
        for wrong, low, high in ((1.0, 0.95, 1.0), (0.7, 0.0, 0.7), (np.exp(0.5j), 0.0, 0.6)):
            echoes = synthesize(np.full(count, 40.0), np.full(count, 60.0), 30.0, 50.0, model)
            echoes[4, : count // 3] *= wrong
            echoes = (echoes + rng.standard_normal((9, count)) + 1j * rng.standard_normal((9, count))).reshape(
                9, 6, 10, 10
            )
            mask = np.ones(echoes.shape[1:], bool)
            found = separate(
                echoes.astype(np.complex64), mask, (1.5,) * 3, echo_times=times, imaging_frequency=FREQUENCY,
                fat_model=FAT_MODELS["ren-marrow"], noise=1.0,
            )  # fmt: skip
            trust = masks.reliability(
                masks.combine_echoes(echoes),
                found.residual,
                found.excess,
                found.margin,
                mask,
                noise=1.0,
                threshold=0.05,
            )
            self.assertGreater(trust[2:].mean(), 0.95)
            self.assertTrue(low <= trust[:2].mean() <= high, (wrong, trust[:2].mean()))


class FillTest(unittest.TestCase):
    def test_what_is_not_trusted_takes_the_field_around_it(self):
        # A linear field: a Gaussian mean around the middle of a symmetric hole is its value; the mean reaches two
        # and a half voxels, so the ends of the hole are off by less than the field changes over that.
        z, y, x = np.indices((9, 21, 23), float)
        field = 0.1 * (y - 10)
        trust, mask = np.ones(field.shape, np.float32), np.ones(field.shape, bool)
        hole = (np.abs(z - 4) < 2) & (np.abs(y - 10) < 2) & (np.abs(x - 11) < 2)
        trust[hole] = 0
        wild = np.where(hole, 1e4, field)
        filled = masks.fill_unreliable(wild, trust, mask, (1.0, 1.0, 1.0))
        np.testing.assert_allclose(filled[~hole], field[~hole], rtol=1e-6)
        self.assertAlmostEqual(float(filled[4, 10, 11]), 0.0, places=5)
        self.assertLess(np.abs(filled - field)[hole].max(), 0.25)

    def test_a_wide_hole_is_filled_from_afar_and_no_trust_at_all_gives_zero(self):
        shape = (1, 41, 41)
        _, y, x = np.indices(shape)
        hole = (y - 20) ** 2 + (x - 20) ** 2 < 10**2
        trust = np.where(hole, 0, 1).astype(np.float32)
        filled = masks.fill_unreliable(np.where(hole, 1e4, 5.0), trust, np.ones(shape, bool), VOXEL_SIZE)
        np.testing.assert_allclose(filled, 5.0, rtol=1e-4)
        self.assertFalse(masks.fill_unreliable(np.ones(shape), np.zeros(shape, np.float32), hole, VOXEL_SIZE).any())

    def test_outside_the_mask_it_is_zero_and_does_not_count(self):
        rng = np.random.default_rng(3)
        field, trust = rng.standard_normal((6, 7, 8)), np.ones((6, 7, 8), np.float32)
        mask = np.zeros(field.shape, bool)
        mask[1:5, 1:6, 1:7] = True
        trust[~mask] = 0
        trust[2:4, 3, 3] = 0
        filled = masks.fill_unreliable(np.where(mask, field, 1e6), trust, mask, VOXEL_SIZE)
        self.assertFalse(filled[~mask].any())
        self.assertLess(np.abs(filled).max(), np.abs(field).max() + 1e-6)


class UsersMaskTest(unittest.TestCase):
    def test_any_label_counts_as_inside(self):
        mask = np.zeros((3, 4, 5), np.int16)
        mask[1, 2, 3], mask[0, 0, 0] = 7, -1
        np.testing.assert_array_equal(masks.checked_mask(mask, (3, 4, 5)), mask != 0)

    def test_a_mask_of_another_grid_or_without_a_voxel_is_refused(self):
        # Told in the order i, j, k of the files.
        with self.assertRaisesRegex(InputError, r"\(6, 4, 3\).*\(5, 4, 3\)"):
            masks.checked_mask(np.ones((3, 4, 6)), (3, 4, 5))
        with self.assertRaisesRegex(InputError, "empty"):
            masks.checked_mask(np.zeros((3, 4, 5)), (3, 4, 5))


if __name__ == "__main__":
    unittest.main()
