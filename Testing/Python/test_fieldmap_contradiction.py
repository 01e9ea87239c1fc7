import unittest
from unittest import mock

import numpy as np
import scans
from scipy import ndimage

from TrabecularQSMLib.fieldmap import contradiction, sample
from TrabecularQSMLib.fieldmap.contradiction import Contradiction, find_contradiction, left_over, share_by_chance
from TrabecularQSMLib.fieldmap.fat_models import FAT_MODELS
from TrabecularQSMLib.fieldmap.kind import find_kind
from TrabecularQSMLib.fieldmap.signal import Model, synthesize
from TrabecularQSMLib.pipeline.remarks_on_echoes import on_contradiction


class ContradictionTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scan, cls.mask = scans.small_ankle()
        cls.random = np.random.default_rng(0)

    def left_over(self, echoes, model="ren-marrow", voxels=1500, bipolar=False, sign=1):
        with mock.patch.object(sample, "VOXELS", voxels):
            drawn = sample.draw(
                echoes, self.mask, echo_times=self.scan.echo_times[: len(echoes)],
                imaging_frequency=self.scan.imaging_frequency, fat_model=FAT_MODELS[model],
            )  # fmt: skip
            return left_over(*drawn, kind=find_kind(*drawn, sign=sign, bipolar=bipolar, trains=1))

    def find(self, echoes, *given, **options) -> Contradiction | None:
        left = self.left_over(echoes, *given, **options)
        return left and find_contradiction(left)

    def test_noise_errors_of_echoes_and_another_fat_are_none(self):
        echoes = self.scan.echoes
        gains = np.exp(0.05 * (self.random.standard_normal((6, 2)) @ [1, 1j]))[:, None, None, None]
        for name, one in {"plain": echoes, "errors": echoes * gains, "four": echoes[:4], "three": echoes[:3]}.items():
            with self.subTest(name):
                self.assertIsNone(self.find(one))
        other = next(name for name in FAT_MODELS if name != "ren-marrow")
        self.assertIsNone(self.find(echoes, other))

    def test_noise_stronger_in_the_middle_differs_from_voxel_to_voxel_and_mistakes_do_not(self):
        echoes, (_, j, i) = self.scan.echoes, np.indices(self.mask.shape)
        middle = np.exp(-((j - 20) ** 2 + (i - 20) ** 2) / 80) * np.abs(echoes).max() / 12
        stronger = echoes + middle * (np.random.default_rng(3).standard_normal((*echoes.shape, 2)) @ [1, 1j])
        self.assertGreater(share_by_chance(self.left_over(stronger.astype(np.complex64), voxels=5000)), 0.99)
        for one, sign in ((echoes, -1), (echoes[[1, 0, 2, 3, 4, 5]], 1), (echoes[::-1], 1)):
            self.assertLess(share_by_chance(self.left_over(np.ascontiguousarray(one), voxels=5000, sign=sign)), 0.98)
        self.assertEqual(share_by_chance(self.left_over(echoes[:3])), 0)

    def test_a_smoothed_magnitude_leaves_less_along_the_signal_than_noise(self):
        echoes = self.scan.echoes
        smooth = ndimage.gaussian_filter(np.abs(echoes), (0, 0, 1, 1)) * np.exp(1j * np.angle(echoes))
        found = self.find(smooth)
        self.assertIsNone(found.axis)
        self.assertLess(found.along, 0.8 * found.across)
        self.assertIn("the magnitude was smoothed", on_contradiction(found)[0])
        # Gains of a bipolar read-out make no part of the signal larger or smaller.
        gains = (1 + 0.1 * (-1.0) ** np.arange(6))[:, None, None, None]
        bipolar = self.find(smooth * gains, bipolar=True)
        np.testing.assert_allclose((bipolar.along, bipolar.across), (found.along, found.across), rtol=0.03)

    def test_a_phase_of_each_echo_that_changes_over_the_image_is_across_the_signal(self):
        echoes, (k, j, i) = self.scan.echoes, np.indices(self.mask.shape) / 10
        waves = [np.sin(a * j + b * i + c * k) for a, b, c in self.random.standard_normal((6, 3))]
        found = self.find(echoes * np.exp(0.3j * np.array(waves)))
        self.assertIsNone(found.axis)
        self.assertIn("the phase has errors of its own", on_contradiction(found)[0])
        found = self.find(echoes * np.exp(0.3 * np.array(waves)))
        self.assertIn("the magnitude has errors of its own", on_contradiction(found)[0])

    def test_errors_that_noise_hides_in_a_voxel_are_told_by_what_places_have_in_common(self):
        random, echoes, (k, j, i) = np.random.default_rng(1), self.scan.echoes, np.indices(self.mask.shape) / 10
        waves = [np.sin(a * j + b * i + c * k) for a, b, c in random.standard_normal((6, 3))]
        noise = 0.1 * np.abs(echoes).max() * (random.standard_normal((*echoes.shape, 2)) @ [1, 1j])
        self.assertIsNone(self.find(echoes + noise, voxels=5000))
        found = self.find(echoes * np.exp(0.3j * np.array(waves)) + noise, voxels=5000)
        self.assertEqual((found.axis, found.errors), (None, 0))
        self.assertTrue(0.05 < found.phase < 0.3 and found.scale < 0.05)
        self.assertIn("in each place of the image", on_contradiction(found)[0])

    def test_errors_of_single_echoes_leave_other_parts_in_organs_of_other_tissue_and_are_none(self):
        times, (_, j, i) = 3.7e-3 * np.arange(1.75, 6.5), np.indices(self.mask.shape) / 20 - 1
        inside = np.hypot(np.abs(i) - 0.45, j) < 0.4
        model = Model(times, FAT_MODELS["ren-marrow"].signal(times, 23.4e6))
        fat = np.where(i < 0, 0.6, 0.03)[inside]
        echoes = np.zeros((5, *inside.shape), np.complex64)
        echoes[:, inside] = synthesize(1 - fat, fat, 4 * (i - j)[inside], np.full(fat.size, 40.0), model)
        random = np.random.default_rng(0)
        errors = 0.05 * (random.standard_normal((5, 2)) @ [1, 1j])
        echoes *= np.exp(errors)[:, None, None, None]
        echoes += 0.01 * (random.standard_normal((*echoes.shape, 2)) @ [1, 1j])
        drawn = sample.draw(
            echoes, inside, echo_times=times, imaging_frequency=23.4e6, fat_model=FAT_MODELS["ren-marrow"]
        )
        left = left_over(*drawn, kind=find_kind(*drawn, sign=1, bipolar=False, trains=1))
        self.assertGreater(max(contradiction._of_places(left)), 0)
        self.assertIsNone(find_contradiction(left))

    def test_slices_with_a_scale_or_a_phase_of_their_own_are_named(self):
        errors = self.random.standard_normal((6, 16))[:, :, None, None]
        scaled = self.find(self.scan.echoes * np.exp(0.1 * errors))
        self.assertEqual(scaled.axis, 0)
        # The fit takes a part of it for R2* and fat.
        self.assertTrue(0.05 < scaled.scale < 0.1 and scaled.phase < 0.02)
        turned = self.find(self.scan.echoes * np.exp(0.2j * errors))
        self.assertEqual(turned.axis, 0)
        self.assertTrue(0.1 < turned.phase < 0.2 and turned.scale < 0.05)
        self.assertIn("in each slice", on_contradiction(turned)[0])
