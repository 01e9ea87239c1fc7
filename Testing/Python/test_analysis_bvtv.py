import io
import sys
import unittest
from unittest import mock

import numpy as np
import SimpleITK as sitk
from scipy import stats

from TrabecularQSMLib.analysis import bvtv
from TrabecularQSMLib.analysis.bvtv import (
    COLUMNS,
    RULES,
    apparent_bvtv,
    combine_phase_cycles,
    correct_bias,
    on_ends,
    on_reference,
)
from TrabecularQSMLib.errors import Cancelled, InputError

AFFINE = np.diag([0.3, 0.3, 0.9, 1.0])


def trabeculae(fraction, seed, mm=12, spacing=0.1, period=1.0):
    """Share of bone in voxels of 0.9 × 0.3 × 0.3 mm of a random network at 0.1 mm: noise of one period, thresholded."""
    size = round(mm / spacing)
    noise = np.random.default_rng(seed).standard_normal((size,) * 3)
    k, j, i = np.meshgrid(np.fft.fftfreq(size, spacing), np.fft.fftfreq(size, spacing), np.fft.rfftfreq(size, spacing),
                          indexing="ij")  # fmt: skip
    band = np.exp(-(((np.sqrt(k**2 + j**2 + i**2) * period - 1) / 0.35) ** 2) / 2)
    noise = np.fft.irfftn(np.fft.rfftn(noise) * band, s=noise.shape, axes=(0, 1, 2))
    bone = noise < np.quantile(noise, fraction)
    k, j, i = size // 9, size // 3, size // 3
    return bone[: 9 * k].reshape(k, 9, j, 3, i, 3).mean(axis=(1, 3, 5))


def image_of(fractions, seed, noise=50.0):
    """Image of one block of trabeculae for each fraction and of bone, labels 1, 2, … and names, and the bone."""
    blocks = [trabeculae(fraction, 100 * seed + number) for number, fraction in enumerate(fractions)]
    labels = np.concatenate([np.full(block.shape, number) for number, block in enumerate([*blocks, blocks[0]], 1)])
    labels[labels > len(blocks)] = 0
    bone = np.concatenate([*blocks, np.ones_like(blocks[0])])
    rng = np.random.default_rng(seed)
    image = np.abs(1000 * (1 - bone) + noise * (rng.standard_normal((*bone.shape, 2)) @ [1, 1j]))
    names = {number: f"block {number}" for number in range(1, len(blocks) + 1)}
    return image.astype(np.float32), labels, names, labels == 0


def stripes():
    """Whole numbers whose histogram can be counted by hand: marrow 96 to 100, bone 60."""
    image = np.full((1, 2, 14000), 60, np.int16)
    image[0, 0, :13000] = np.repeat([100, 99, 98, 97, 96], (1600, 2600, 5600, 2800, 400))
    labels = np.zeros(image.shape, int)
    labels[0, 0] = 1
    return image, labels, {1: "tuber"}, labels == 0


class IndexTest(unittest.TestCase):
    def test_marrow_is_the_right_edge_of_the_bin_with_half_the_peaks_count_on_the_bright_side(self):
        image, labels, names, bone = stripes()
        (found,) = apparent_bvtv(image, labels, names, bone)
        inverted = image.max() - image[labels == 1].astype(int)
        counts, edges = np.histogram(inverted, bins="auto")
        self.assertEqual(counts[:4].tolist(), [1600, 2600, 5600, 2800])
        # Of 1600, 2600 and 5600 the nearest to 2800 is 2600; its right edge is 2, or 98 in the image. 2800 comes later.
        self.assertAlmostEqual(edges[2], 2, delta=0.02)
        self.assertAlmostEqual(found.marrow, 98, delta=0.02)
        self.assertEqual((found.bone, found.n), (60, 14000))
        self.assertAlmostEqual(found.mean, image[labels == 1].mean())
        self.assertAlmostEqual(found.bvtv, (found.marrow - found.mean) / (found.marrow - 60))
        self.assertEqual(tuple(found.row("sub-01")), COLUMNS)

    def test_the_last_bin_is_not_taken_for_the_peak(self):
        image = np.full((1, 2, 3000), 5.0)
        image[0, 0, :1000] = np.repeat([100, 91], (300, 700))  # the other two thirds are pure bone, in the last bin
        labels = np.zeros(image.shape, int)
        labels[0, 0] = 1
        (found,) = apparent_bvtv(image, labels, {1: "a"}, labels == 0)
        self.assertEqual([found.counts[0], *found.counts[-2:]], [2000, 700, 300])
        # Half of 700 is nearest to 300; half of 2000 would be nearest to 700.
        self.assertAlmostEqual(found.marrow, found.edges[-2])

    def test_the_robust_level_is_the_half_maximum_of_marrow_alone(self):
        rng = np.random.default_rng(0)
        image = np.where(rng.random((2, 20, 5000)) < 0.3, 100.0, 1000.0)
        image[0] = 100
        image += rng.normal(0, 50, image.shape)
        labels = np.zeros(image.shape, int)
        labels[1] = 1
        (found,) = apparent_bvtv(image, labels, {1: "a"}, labels == 0, rule="robust")
        self.assertAlmostEqual(found.marrow, 1000 + 50 * (2 * np.log(2)) ** 0.5, delta=5)

    def test_the_robust_level_is_as_wide_as_its_kernel_makes_it(self):
        # 201 values of a normal distribution, one at each quantile: the bandwidth of Silverman is 0.9 · 201^(−1/5) SD.
        values = 1000 + 50 * stats.norm.ppf((np.arange(201) + 0.5) / 201)
        image = np.concatenate([np.full(201, 100.0), values])[:, None, None]
        labels = np.repeat([0, 1], 201)[:, None, None]
        (found,) = apparent_bvtv(image, labels, {1: "a"}, labels == 0, rule="robust")
        width = 50 * np.sqrt(1 + (0.9 * 201**-0.2) ** 2)
        self.assertAlmostEqual(found.marrow, 1000 + width * (2 * np.log(2)) ** 0.5, delta=1)

    def test_a_mean_beyond_bone_is_not_clipped(self):
        image, labels, names, bone = stripes()
        image[bone] = 98 - 1
        image[labels == 1] -= 3 * (image[labels == 1] < 97)
        (found,) = apparent_bvtv(image, labels, names, bone)
        self.assertLess(found.mean, found.bone)
        self.assertGreater(found.bvtv, 1)

    def test_histogram_and_levels_are_intensities_of_the_image(self):
        image, labels, names, bone = image_of([0.2], 1)
        for rule in RULES:
            (found,) = apparent_bvtv(image, labels, names, bone, rule=rule)
            counts, _ = np.histogram(image[labels == 1], bins=found.edges)
            # Values on an edge fall to the other side in the inverted image.
            self.assertLess(np.abs(counts - found.counts).sum(), 5)
            self.assertTrue(found.bone < found.mean < found.marrow < found.edges[-1])

    def test_scale_of_the_image_does_not_matter(self):
        image, labels, names, bone = image_of([0.2], 2)
        for rule in RULES:
            first, second = (apparent_bvtv(x, labels, names, bone, rule=rule)[0] for x in (image, 4 * image))
            self.assertAlmostEqual(first.bvtv, second.bvtv, places=5)

    def test_on_trabeculae_of_known_fraction_the_index_ranks_rightly_and_is_compressed_as_stated(self):
        fractions = (0.1, 0.2, 0.3, 0.4)
        for rule in RULES:
            with self.subTest(rule):
                found = [region.bvtv for region in apparent_bvtv(*image_of(fractions, 3), rule=rule)]
                self.assertTrue(np.all(np.diff(found) > 0), found)
                # The docstring's figures, which are of larger blocks.
                np.testing.assert_allclose(found, (0.15, 0.24, 0.34, 0.42), atol=0.03)

    def test_the_robust_rule_scatters_less_from_patient_to_patient(self):
        found = {rule: [] for rule in RULES}
        for seed in range(5):
            for rule in RULES:
                found[rule].append([region.bvtv for region in apparent_bvtv(*image_of((0.15, 0.3), seed), rule=rule)])
        scatter = {rule: np.std(values, axis=0).mean() for rule, values in found.items()}
        self.assertLess(scatter["robust"], 0.7 * scatter["half-peak"])

    def test_wrong_input_gets_its_sentence(self):
        image, labels, names, bone = image_of([0.2], 4)
        nothing = np.zeros_like(bone)
        cases = {
            "bone reference has no voxel": (image, labels, names, nothing),
            "holds no region": (image, labels, {}, bone),
            "'talus' .label 7. has no voxel": (image, labels, {7: "talus"}, bone),
            "is 5 everywhere; give": (np.full(image.shape, 5), labels, names, bone),
            "is 7 everywhere in the region 'block 1'": (np.where(labels == 1, 7, image), labels, names, bone),
            "1 voxel that is not a number": (np.where(np.arange(image.size).reshape(image.shape), image, np.nan),
                                              labels, names, bone),
            "as bright as the marrow of the region 'block 1'": (image, labels, names, image > 1050),
            "regions have shape": (image, labels[:3], names, bone),
            "bone reference have shape": (image, labels, names, bone[:3]),
        }  # fmt: skip
        for words, arguments in cases.items():
            for rule in RULES:
                with self.subTest(words), self.assertRaisesRegex(InputError, words):
                    apparent_bvtv(*arguments, rule=rule)
        with self.assertRaisesRegex(InputError, "choose half-peak or robust"):
            apparent_bvtv(image, labels, names, bone, rule="magic")

    def test_images_of_few_different_values_are_no_bug(self):
        image = np.zeros((1, 2, 50), np.uint8)
        labels = np.zeros(image.shape, int)
        labels[0, 0], image[0, 0, :30] = 1, 200
        for rule in RULES:
            self.assertAlmostEqual(
                apparent_bvtv(image, labels, {1: "a"}, labels == 0, rule=rule)[0].bvtv, 0.4, delta=0.13
            )


class ValuesTest(unittest.TestCase):
    def test_what_is_no_magnitude_one_cycle_twice_and_clipping_are_told(self):
        labels = np.zeros((8, 8, 8), int)
        labels[2:6], bone = 1, np.zeros(labels.shape, bool)
        bone[0, 0] = True
        image = np.random.default_rng(1).normal(1000, 100, labels.shape)
        image[0] = 100
        self.assertEqual(on_ends(image, labels, {1: "talus"}), [])
        self.assertEqual(len(apparent_bvtv(image - 150, labels, {1: "talus"}, bone)), 1)  # a bit below zero
        self.assertIn("10% of the region talus are exactly 1100", on_ends(image.clip(0, 1100), labels, {1: "talus"})[0])
        cut = image * (np.arange(8) > 3)
        rounded = np.round(image / image.max() * 12)
        self.assertIn("different values alone: the image was rounded", on_ends(rounded, labels, {1: "talus"})[0])
        self.assertIn("50% of the region talus are exactly 0", on_ends(cut, labels, {1: "talus"})[0])
        for reference, count in ((bone, 0), (bone | (labels > 0), 1)):
            found = apparent_bvtv(image, labels, {1: "talus"}, reference)
            self.assertEqual(len(on_reference(image, reference, found)), count)
        with self.assertRaisesRegex(InputError, "which a magnitude has not"):
            apparent_bvtv(image - 600, labels, {1: "talus"}, bone)
        with self.assertRaisesRegex(InputError, "Two phase cycles are the same image"):
            combine_phase_cycles([image, image])


class BiasTest(unittest.TestCase):
    def setUp(self):
        rng = np.random.default_rng(0)
        body = np.zeros((12, 40, 40))
        body[1:-1, 5:-5, 5:-5] = 1
        body[5:7, 16:20, 16:20] = 0.1
        i = np.linspace(-1, 1, 40)
        self.shading = np.exp(0.6 * i)[None, None, :] * np.ones(body.shape)
        self.image = (1000 * body * self.shading + rng.normal(0, 20, body.shape)).clip(0).astype(np.float32)
        self.tissue = body == 1
        self.affine = np.diag([1.0, 1.0, 2.0, 1.0])

    def spread(self, image):
        return image[self.tissue].std() / image[self.tissue].mean()

    def test_a_coils_shading_is_taken_out(self):
        before = self.image.copy()
        found = correct_bias(self.image, self.affine)
        np.testing.assert_array_equal(self.image, before)
        self.assertEqual((found.dtype, found.shape), (np.float32, self.image.shape))
        self.assertGreater(self.spread(self.image), 0.25)
        self.assertLess(self.spread(found), 0.05)
        field = self.image[self.tissue] / found[self.tissue]
        self.assertLess(np.std(field / self.shading[self.tissue]) / np.mean(field / self.shading[self.tissue]), 0.04)

    def test_density_of_bone_is_not_taken_for_shading(self):
        image, labels, names, _ = image_of((0.1, 0.4), 5)
        image = np.tile(image[:-13], (2, 1, 1))[:, :30, :30]  # blocks of 12 mm in turn, without the block of bone
        labels = np.tile(labels[:-13], (2, 1, 1))[:, :30, :30]
        means = [
            image[labels == 1].mean() / image[labels == 2].mean()
            for image in (image, correct_bias(image, np.diag([1.0, 1.0, 1.0, 1.0])))
        ]
        self.assertAlmostEqual(means[0], 1.5, delta=0.03)
        self.assertAlmostEqual(means[1], means[0], delta=0.08)

    def test_control_points_stay_about_seventy_millimeters_apart(self):
        # As many levels as halve the longest side, of 40 voxels, until that; two at least.
        for voxel, levels in ((1.0, 2), (3.5, 2), (7.0, 3), (14.0, 4)):
            with (
                mock.patch.object(
                    sitk.N4BiasFieldCorrectionImageFilter, "SetMaximumNumberOfIterations", side_effect=Cancelled
                ) as steps,
                self.assertRaises(Cancelled),
            ):
                correct_bias(self.image, np.diag([voxel, voxel, voxel, 1.0]))
            self.assertEqual(len(steps.call_args.args[0]), levels, voxel)

    def test_what_the_progress_raises_comes_out_as_itself_and_early(self):
        calls = []

        def progress(fraction, _):
            calls.append(fraction)
            if len(calls) == 3:
                raise Cancelled

        hook = sys.excepthook
        with mock.patch.object(sys, "stderr", io.StringIO()) as errors, self.assertRaises(Cancelled):
            correct_bias(self.image, self.affine, progress=progress)
        self.assertEqual((len(calls), errors.getvalue()), (3, ""))
        self.assertIs(sys.excepthook, hook)

    def test_ctrl_c_comes_out_as_itself_wherever_it_hits_the_callback(self):
        def interrupt(*_):
            raise KeyboardInterrupt

        with mock.patch.object(bvtv, "report", interrupt), self.assertRaises(KeyboardInterrupt):
            correct_bias(self.image, self.affine)
        # Between two lines of the callback itself, outside of anything it calls.
        filters = mock.patch.object(sitk.N4BiasFieldCorrectionImageFilter, "GetCurrentLevel", interrupt)
        with filters, mock.patch.object(sys, "stderr", io.StringIO()) as errors, self.assertRaises(KeyboardInterrupt):
            correct_bias(self.image, self.affine)
        self.assertEqual(errors.getvalue(), "")

    def test_the_field_is_the_same_slab_by_slab(self):
        with mock.patch.object(bvtv, "_FIT_STEPS", 2):
            whole = correct_bias(self.image, self.affine)
            self.assertGreater(np.ptp(whole[self.tissue] / self.image[self.tissue]), 0.03)
            with mock.patch.object(bvtv, "_FIELD_VOXELS", 5 * 40 * 40):
                np.testing.assert_allclose(correct_bias(self.image, self.affine), whole, rtol=1e-5)

    def test_images_without_tissue_are_refused(self):
        with self.assertRaisesRegex(InputError, "is 0 everywhere"):
            correct_bias(np.zeros((5, 6, 7)), self.affine)
        with self.assertRaisesRegex(InputError, "which a magnitude has not"):
            correct_bias(-1 - self.image, self.affine)
        with self.assertRaisesRegex(InputError, "single slice; bias correction needs two"):
            correct_bias(self.image[:1], self.affine)


class PhaseCyclesTest(unittest.TestCase):
    def test_bands_at_different_places_are_filled(self):
        one, other = np.full((2, 3, 4), 10, np.int16), np.full((2, 3, 4), 10, np.int16)
        one[0], other[1] = 0, 0
        np.testing.assert_array_equal(combine_phase_cycles([one, other]), 10)
        np.testing.assert_array_equal(combine_phase_cycles([one, other], "root-sum-of-squares"), 10)
        both = combine_phase_cycles([np.full((1, 1, 1), 3), np.full((1, 1, 1), 4)], "root-sum-of-squares")
        self.assertEqual((float(both[0, 0, 0]), both.dtype), (5.0, np.float32))

    def test_wrong_input_gets_its_sentence(self):
        self.assertRaisesRegex(InputError, "no image", combine_phase_cycles, [])
        image = np.ones((2, 2, 2))
        self.assertRaisesRegex(InputError, "choose maximum", combine_phase_cycles, [image], "mean")
        self.assertRaisesRegex(InputError, "shapes", combine_phase_cycles, [image, image[:1]])


if __name__ == "__main__":
    unittest.main()
