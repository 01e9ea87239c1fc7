"""Cortex solved apart, against shells and slabs whose share and field are known."""

import unittest
from dataclasses import replace
from unittest import mock

import numpy as np
from scipy import ndimage

from TrabecularQSMLib.acquisition import MeasuredField
from TrabecularQSMLib.inversion import cortex
from TrabecularQSMLib.inversion.cortex import (
    displaced,
    field_of_share,
    missing_share,
    sharpened,
    susceptibility_of_share,
)
from TrabecularQSMLib.kernels import convolve, dipole_kernel
from TrabecularQSMLib.pipeline import reconstruct_each, solving
from TrabecularQSMLib.settings import preset
from TrabecularQSMLib.smoothing import gaussian

SHAPE = (32, 24, 20)
VOXEL_SIZE = (1.5, 1.5, 1.5)
UP, ACROSS = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
EVERYWHERE = np.ones(SHAPE, bool)


def slab():
    """Share of a slab from the middle of plane 13 to that of plane 16: two whole planes, two cut in half."""
    share = np.zeros(SHAPE, np.float32)
    share[14:16], share[13], share[16] = 1.0, 0.5, 0.5
    return share


def shell(n=44, inner=9.0, outer=10.5):
    """Share of a shell between two radii in voxels, from points three times as fine, and where its inside is."""
    axis = (np.arange(3 * n) + 0.5) / 3 - n / 2
    radius = np.sqrt(axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + axis**2)
    mean = lambda fine: fine.reshape(n, 3, n, 3, n, 3).mean(axis=(1, 3, 5), dtype=np.float32)  # noqa: E731
    return mean((radius > inner) & (radius < outer)), mean(radius < inner)


class ShareTest(unittest.TestCase):
    def test_the_share_of_cortex_between_marrow_and_muscle_is_found_and_none_in_dark_marrow(self):
        share, inside = shell()
        # Marrow gives 0.6 of which 0.9 is fat, muscle 0.85 of water; cortex of one and a half voxels between.
        fat, water = 0.54 * inside, 0.06 * inside + 0.85 * (1 - share - inside)
        coil = np.linspace(0.8, 1.0, share.shape[1], dtype=np.float32)[:, None]
        signal = coil * (water + fat)
        found = missing_share(signal, fat / np.maximum(water + fat, 1e-6), np.ones(share.shape, bool), VOXEL_SIZE)
        cut = share > 0.05
        error = np.abs(found - share)[cut].mean()
        self.assertLess(error, 0.02)
        self.assertLess(found[~cut].max(), 0.06)
        # Without the fat fraction the one side is taken for dark.
        blind = missing_share(signal, np.zeros_like(signal), np.ones(share.shape, bool), VOXEL_SIZE)
        self.assertGreater(np.abs(blind - share)[cut].mean(), 1.5 * error)

    def test_signal_that_cortex_dephases_is_not_taken_for_more_signal(self):
        share, inside = shell()
        times = np.arange(1, 10) * 0.8e-3
        # Water of 20 1/s; within a voxel that cortex cuts it falls like a Gaussian besides, by up to half at the end.
        exponent = -20 * times[:, None, None, None] - (np.square(times)[:, None, None, None] * (1.2e4 * share))
        slopes, logs = np.polyfit(times, exponent.reshape(times.size, -1), 1)
        signal = (1 - share) * np.exp(logs.reshape(share.shape))
        water, cut = np.zeros_like(signal), (share > 0.1) & (share < 0.6)
        error = lambda **decay: (  # noqa: E731
            missing_share(signal, water, np.ones(share.shape, bool), VOXEL_SIZE, **decay) - share
        )[cut].mean()
        decay = {"r2star": -slopes.reshape(share.shape), "echo_times": times}
        self.assertLess(error(), -0.02)
        self.assertLess(abs(error(**decay)), 0.9 * abs(error()))

    def test_noise_of_r2star_is_not_taken_for_signal(self):
        share, inside = shell()
        times = np.arange(1, 10) * 0.8e-3
        # An amplitude at echo time zero errs with R2*, by exp(t δ) with t the mean echo time.
        noise = np.random.default_rng(1).normal(0, 40, share.shape)
        signal, water = (1 - share) * np.exp(times.mean() * noise), np.zeros_like(share)
        error = lambda **decay: np.std(  # noqa: E731
            (missing_share(signal, water, np.ones(share.shape, bool), VOXEL_SIZE, **decay) - share)[share > 0.1]
        )
        self.assertLess(error(r2star=20 + noise, echo_times=times), 0.5 * error())

    def test_noise_of_the_share_is_averaged_along_cortex(self):
        share = 0.6 * slab()
        deviation, water = np.full(SHAPE, 0.06, np.float32), np.zeros(SHAPE)
        noise = deviation * np.random.default_rng(1).standard_normal(SHAPE)
        found = lambda signal, noise=None: missing_share(signal, water, EVERYWHERE, VOXEL_SIZE, noise=noise)  # noqa: E731
        error = lambda noise_told: np.std((found(1 - share + noise, noise_told) - share)[share > 0.1])  # noqa: E731
        self.assertLess(error(deviation), 0.6 * error(None))
        # Of a scan without noise nothing is averaged.
        np.testing.assert_allclose(found(1 - share, 0 * deviation), found(1 - share), atol=1e-5)

    def test_a_joint_that_is_thin_and_brighter_than_muscle_hides_no_cortex(self):
        share = np.zeros(SHAPE, np.float32)
        share[[14, 15, 17, 18], 10:] = 0.5
        kind = np.zeros(SHAPE)  # 1 in marrow
        kind[:15] = kind[18:] = 1
        kind[:, :10] = 0
        water = (1 - kind) * (1 - share)
        water[:, :10] *= 0.7  # muscle; the joint, of one voxel between two that are cut, gives 1
        fat = 0.6 * kind * (1 - share)
        found = missing_share(water + fat, fat / (water + fat), EVERYWHERE, VOXEL_SIZE)
        np.testing.assert_allclose(found[14:19, 13:], share[14:19, 13:], atol=0.12)

    def test_a_tendon_on_a_bone_hides_no_cortex(self):
        fat, water = np.zeros(SHAPE), np.full(SHAPE, 0.8)
        fat[:12], water[:12], water[12] = 0.6, 0, 0.3  # plane 12 is cortex for five eighths, the rest muscle
        water[13:18, 8:15, 7:14] = 0.25
        found = missing_share(water + fat, np.where(fat > 0, 1.0, 0.0), EVERYWHERE, VOXEL_SIZE)
        np.testing.assert_allclose(found[12, 10:13, 9:12], 0.625, atol=0.1)

    def test_nothing_is_missing_outside_the_body_without_signal_or_in_thick_noise(self):
        share = slab()
        zeros = np.zeros(SHAPE, np.float32)
        self.assertEqual(missing_share(1 - share, zeros, share < 0, VOXEL_SIZE).max(), 0)
        self.assertEqual(missing_share(zeros, zeros, EVERYWHERE, VOXEL_SIZE).max(), 0)
        noisy = 1 + np.random.default_rng(0).normal(0, 1 / 15, SHAPE)
        self.assertEqual(missing_share(noisy, zeros, EVERYWHERE, VOXEL_SIZE).max(), 0)

    def test_a_share_keeps_each_voxel_s_mean_and_gathers_beside_the_slab(self):
        share = slab()
        share[20:30] = np.random.default_rng(3).random((10, *SHAPE[1:]), dtype=np.float32)
        fine = sharpened(share)
        self.assertEqual(fine.shape, tuple(2 * n for n in SHAPE))
        self.assertTrue(fine.min() >= 0 and fine.max() <= 1)
        means = fine.reshape(32, 2, 24, 2, 20, 2).mean(axis=(1, 3, 5))
        inside = (share > 0.05) & (share < 0.95)
        np.testing.assert_allclose(means[inside], share[inside], atol=1e-3)
        self.assertTrue(np.all(fine[27] > 0.9) and np.all(fine[26] < 0.1))


class FieldTest(unittest.TestCase):
    def test_signal_beside_a_slab_sees_none_of_its_field_and_cortex_the_field_within(self):
        share = slab()
        # Within a slab the field is (1/3 − cos²) χ, outside zero, both less the mean that the periodic grid has not.
        for b0, within in ((UP, -2 / 3), (ACROSS, 1 / 3)):
            outside = -within * share.mean()
            field = field_of_share(share, VOXEL_SIZE, b0_direction=b0)
            np.testing.assert_allclose(field[14:16], within + outside, rtol=0.05)
            np.testing.assert_allclose(field[[13, 16]], outside, atol=0.01)
            np.testing.assert_allclose(field[:12], outside, atol=0.01)

    def test_voxels_that_an_oblique_slab_cuts_see_none_of_its_field_either(self):
        # Its normal is (2, 1, 0)/√5, so that it repeats over 32 × 64 voxels of 1 mm.
        k, j, _ = np.meshgrid((np.arange(128) + 0.5) / 4, (np.arange(256) + 0.5) / 4, np.arange(4), indexing="ij")
        period, along = 64 / np.sqrt(5), (2 * k + j) / np.sqrt(5)
        fine = np.abs(along % period - period / 2) < 1.3
        share = fine.reshape(32, 4, 64, 4, 4).mean(axis=(1, 3), dtype=np.float32)
        cut = (share > 0.1) & (share < 0.9)
        # A slab's field is sharp where B0 lies in it; else the grid smooths it, by half of what cut points add at most.
        for b0, within, smoothed in ((UP, 1 / 3 - 4 / 5, 0.05), ((0.0, 0.0, 1.0), 1 / 3, 1e-5)):
            field = field_of_share(share, (1.0, 1.0, 1.0), b0_direction=b0) + within * share.mean()
            self.assertLess(abs(field[cut].mean()), smoothed)


class SusceptibilityTest(unittest.TestCase):
    def setUp(self):
        self.share, self.inside = shell()
        self.of_share = field_of_share(self.share, VOXEL_SIZE, b0_direction=UP)
        self.other = np.zeros_like(self.share)
        self.weight, self.edges = 1 - self.share, np.ones_like(self.share)
        self.interior = np.ones(self.share.shape, bool)

    def found(self, delta):
        field = convolve(dipole_kernel(self.other.shape, VOXEL_SIZE, UP), self.other)
        field += np.float32(delta) * self.of_share
        given = (field, self.of_share, self.share, self.weight, self.edges, self.interior)
        return susceptibility_of_share(*given, VOXEL_SIZE, b0_direction=UP)

    def test_delta_is_found_whatever_the_marrow_within(self):
        self.other = np.float32(0.3) * self.inside
        for delta in (-2.0, -0.7):
            found, said = self.found(delta)
            # Outside, a ball of marrow has the field of its shell: a step of 0.3 ppm counts as some of it.
            self.assertAlmostEqual(found, delta, delta=0.25)
            self.assertIn(f"{-found:.2f} ppm below", said)

    def test_without_a_step_across_the_shell_delta_is_exact(self):
        self.assertAlmostEqual(self.found(-1.4)[0], -1.4, places=4)

    def test_thick_cortex_in_which_nothing_is_measured_has_the_same_delta(self):
        for inner, outer in ((9.0, 9.8), (9.0, 11.0), (11.0, 14.0)):
            share, _ = shell(inner=inner, outer=outer)
            field = np.float32(-1.4) * field_of_share(share, VOXEL_SIZE, b0_direction=UP)
            given = MeasuredField(field, np.diag((1.5, 1.5, 1.5, 1.0)), "local", magnitude=1 - share)
            (found,) = reconstruct_each(given, [preset(mask_erosion=0.0, inversion="closed-form")])
            said = " ".join(found.notes).partition("cortex above all, lies ")[2]
            self.assertAlmostEqual(float(said[:4]), 1.4, delta=0.15, msg=(inner, outer))

    def test_delta_does_not_follow_which_end_has_the_thicker_cortex(self):
        half = self.share.shape[1] // 2
        self.share[:, half:] *= 0.6
        self.of_share = field_of_share(self.share, VOXEL_SIZE, b0_direction=UP)
        self.other[:, half:] = 0.5
        self.other = gaussian(self.other, 6)
        self.assertAlmostEqual(self.found(-1.4)[0], -1.4, delta=0.25)

    def test_delta_does_not_follow_which_tissue_the_shell_lies_in(self):
        radius = np.sqrt(sum((at - 21.5) ** 2 for at in np.indices(self.share.shape)))
        self.other = gaussian(np.float32(0.5) * (radius < 16), 3)
        self.edges[(radius > 12) & (radius < 20)] = 0.01
        self.assertAlmostEqual(self.found(-1.4)[0], -1.4, delta=0.1)

    def test_edges_beyond_where_the_local_field_holds_do_not_count(self):
        radius = np.sqrt(sum((at - 21.5) ** 2 for at in np.indices(self.share.shape)))
        self.interior = radius < 14
        self.weight = self.weight * self.interior
        self.other = np.float32(0.3) * self.inside
        found, _ = self.found(-1.4)
        self.edges[radius > 14] = 0.01
        self.assertEqual(self.found(-1.4)[0], found)

    def test_fine_voxels_are_read_in_blocks_with_the_same_delta(self):
        size = (0.6, 1.5, 0.6)
        of_share = field_of_share(self.share, size, b0_direction=UP)
        weights = (self.share, self.weight, self.edges, self.interior)
        with mock.patch.object(cortex, "medi_l2", wraps=cortex.medi_l2) as solved:
            field = np.float32(-1.4) * of_share
            found, _ = susceptibility_of_share(field, of_share, *weights, size, b0_direction=UP)
        self.assertAlmostEqual(found, -1.4, places=4)
        self.assertEqual(solved.call_args.args[0].shape, (22, 44, 22))
        np.testing.assert_allclose(solved.call_args.args[1], (1.2, 1.5, 1.2))

    def test_what_bone_cannot_be_is_left_and_said(self):
        for delta in (1.0, -9.0):
            found, said = self.found(delta)
            self.assertEqual(found, 0.0)
            self.assertIn("which bone is not", said)

    def test_too_little_cortex_is_left_and_said(self):
        self.weight = 0 * self.weight
        found, said = self.found(-2.0)
        self.assertEqual(found, 0.0)
        self.assertIn("too few", said)


class DisplacedTest(unittest.TestCase):
    def test_a_voxel_has_what_is_left_of_its_tissue_and_its_share_of_cortex(self):
        share = np.random.default_rng(1).random(SHAPE, dtype=np.float32)
        chi = np.random.default_rng(2).normal(0.2, 0.3, SHAPE).astype(np.float32)
        mean = (share * chi).sum() / share.sum()
        mixed = (1 - share) * chi + share * (mean - 1.4)
        np.testing.assert_allclose(chi - 1.4 * share - displaced(share, chi), mixed, atol=1e-5)
        # χ of the whole, but for its mean; cortex alone is added where it was not inverted so.
        for renewed, wanted in ((True, mixed), (False, chi - 1.4 * share)):
            apart = solving.Apart(share, -1.4, chi)
            self.assertLess(np.ptp(apart.whole(chi, renewed) - wanted), 1e-5)
        self.assertEqual(np.abs(displaced(0 * share, chi)).max(), 0)

    def test_the_second_round_gets_the_field_of_tissue_that_cortex_displaces_too(self):
        share, _ = shell(40)
        kernel = dipole_kernel(share.shape, VOXEL_SIZE, UP)
        chi = np.broadcast_to(np.linspace(0.4, -0.4, 40, dtype=np.float32)[:, None], share.shape)  # fatty to dense
        field = np.float32(-1.4) * field_of_share(share, VOXEL_SIZE, b0_direction=UP)
        given = MeasuredField(field, np.diag((1.5, 1.5, 1.5, 1.0)), "local", magnitude=1 - share)
        got = {}

        def inverted(rest, voxel_size, **options):
            got.update(options, rest=rest)
            return np.zeros_like(rest)

        settings = preset(mask_erosion=0.0, padding=0)  # on the grid of the image itself
        with mock.patch.object(solving, "invert", inverted):
            reconstruct_each(given, [settings])
            added = got.pop("renewed")(chi, None) - got["rest"]
            wanted = convolve(kernel, displaced(share, chi))
            # The share is told from the magnitude.
            far = ~ndimage.binary_dilation(share > 0, iterations=2)
            self.assertGreater(wanted[far].std(), 0.001)
            self.assertLess((added - wanted)[far].std(), 0.1 * wanted[far].std())
            reconstruct_each(given, [replace(settings, bregman_rounds=1)])
            self.assertNotIn("renewed", got)


class ChainTest(unittest.TestCase):
    def test_marrow_within_a_dark_shell_is_closer_to_the_truth_with_cortex_apart(self):
        share, inside = shell()
        truth = np.float32(0.3) * inside - np.float32(1.8) * share
        kernel = dipole_kernel(share.shape, VOXEL_SIZE, UP)
        field = convolve(kernel, np.float32(0.3) * inside)
        field -= np.float32(1.8) * field_of_share(share, VOXEL_SIZE, b0_direction=UP)
        given = MeasuredField(field, np.diag((1.5, 1.5, 1.5, 1.0)), "local", magnitude=1 - share)
        quick = preset(inversion="medi-l2", inversion_iterations=60)
        apart, together = reconstruct_each(given, [quick, replace(quick, separate_cortex="no")])
        marrow = inside > 0.99
        errors = [np.std((one.maps["chi"] - truth)[marrow]) for one in (apart, together)]
        self.assertLess(errors[0], 0.7 * errors[1])
        np.testing.assert_array_equal(apart.maps["local_field"], together.maps["local_field"])
        told = [any("solved apart" in note for note in one.notes) for one in (apart, together)]
        self.assertEqual(told, [True, False])
        # Voxels of 4 mm are left as they are, and that is told.
        coarse = replace(given, affine=np.diag((4.0, 4.0, 4.0, 1.0)))
        quick = replace(quick, inversion_iterations=2)
        tried, together = reconstruct_each(coarse, [quick, replace(quick, separate_cortex="no")])
        np.testing.assert_array_equal(tried.maps["chi"], together.maps["chi"])
        self.assertIn("too coarse to tell the share of cortex", " ".join(tried.notes))

    def test_a_shaft_that_leaves_the_image_has_the_same_susceptibility_up_to_its_ends(self):
        # The periodic grid on which its field is made has no end.
        j, i = np.indices((44, 44)) - 21.5
        radius = np.broadcast_to(np.hypot(j, i), (24, 44, 44))
        share, marrow = ((radius > 8) & (radius < 10)).astype(np.float32), radius < 7
        chi = np.float32(0.3) * (radius <= 8)
        tilted = np.array((0.9, 0.3, 0.3)) / np.linalg.norm((0.9, 0.3, 0.3))
        field = convolve(dipole_kernel(share.shape, VOXEL_SIZE, tilted), chi)
        field -= np.float32(1.4) * field_of_share(share, VOXEL_SIZE, b0_direction=tilted)
        magnitude = np.where(radius < 20, 1 - share, 0)
        given = MeasuredField(field * (radius < 20), np.diag((1.5, 1.5, 1.5, 1.0)), "local", magnitude=magnitude)
        given = replace(given, b0_patient=tuple(tilted[::-1]))
        (found,) = reconstruct_each(given, [preset(mask_erosion=0.0)])
        of_slices = np.array([one[where].mean() for one, where in zip(found.maps["chi"], marrow, strict=True)])
        self.assertLess(np.ptp(of_slices), 0.03)

    def test_the_surface_of_the_body_is_no_cortex(self):
        share, _ = shell(outer=11.0)
        radius = np.sqrt(sum((at - 21.5) ** 2 for at in np.indices(share.shape)))
        # The outermost voxels are half air; skin gives less signal than what lies below it, and makes no field.
        magnitude = np.where(radius < 18, 1 - share, np.where(radius < 19, 0.5, 0)).astype(np.float32)
        field = -np.float32(1.5) * field_of_share(share, VOXEL_SIZE, b0_direction=UP)
        field += convolve(dipole_kernel(share.shape, VOXEL_SIZE, UP), np.float32(0.6) * (radius < 19) * (radius > 15))
        given = MeasuredField(field * (radius < 19), np.diag((1.5, 1.5, 1.5, 1.0)), "local", magnitude=magnitude)
        (found,) = reconstruct_each(given, [preset(inversion="closed-form", mask_erosion=0.0)])
        self.assertRegex(" ".join(found.notes), r"lies 1\.[45]\d ppm below")


if __name__ == "__main__":
    unittest.main()
