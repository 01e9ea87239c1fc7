import unittest
from unittest import mock

import numpy as np
import scans
from scipy import ndimage

from TrabecularQSMLib.fieldmap import sample
from TrabecularQSMLib.fieldmap.contradiction import left_over
from TrabecularQSMLib.fieldmap.displacement import Displacement, find_displacement
from TrabecularQSMLib.fieldmap.fat_models import FAT_MODELS
from TrabecularQSMLib.fieldmap.kind import find_kind
from TrabecularQSMLib.fieldmap.signal import Model, synthesize
from TrabecularQSMLib.pipeline.remarks_on_echoes import on_displacement


def moved(echoes, way):
    """The echoes moved by a way in voxels (k, j, i)."""
    return np.stack([np.fft.ifftn(ndimage.fourier_shift(np.fft.fftn(echo), way)) for echo in echoes])


class DisplacementTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scan, cls.mask = scans.small_ankle()

    def find(self, echoes, sign=1, bipolar=False) -> Displacement | None:
        with mock.patch.object(sample, "VOXELS", 1500):
            drawn = sample.draw(
                echoes.astype(np.complex64), self.mask, echo_times=self.scan.echo_times[: len(echoes)],
                imaging_frequency=self.scan.imaging_frequency, fat_model=FAT_MODELS["ren-marrow"],
            )  # fmt: skip
            left = left_over(*drawn, kind=find_kind(*drawn, sign=sign, bipolar=bipolar, trains=1))
            return left and find_displacement(echoes, left)

    def test_echoes_of_one_place_lie_nowhere_else(self):
        echoes = self.scan.echoes
        random = np.random.default_rng(0).standard_normal((6, 2)) @ [1, 1j]
        slope = 0.4 * (-1.0) ** np.arange(6)[:, None, None, None] * np.linspace(-1, 1, 40)
        for name, one in {
            "plain": echoes,
            "errors of echoes": echoes * np.exp(0.05 * random)[:, None, None, None],
            "all moved": moved(echoes, (0.3, 0.5, 0.5)),
            "three": moved(echoes[:3], (0, 0, 0.5)),
        }.items():
            with self.subTest(name):
                self.assertIsNone(self.find(one))
        self.assertIsNone(self.find(echoes * np.exp(1j * slope), bipolar=True))

    def test_phases_of_echoes_of_one_tissue_in_a_smooth_field_are_no_way(self):
        # The field's gradient looks like the phase of an echo there, and a slope along the read-out like a turn.
        rng, times, fat = np.random.default_rng(0), 1.1e-3 * (1.4 + np.arange(8)), FAT_MODELS["ren-marrow"]
        k, j, i = np.meshgrid(*(np.linspace(-1, 1, n) for n in (6, 30, 30)), indexing="ij")
        inside, field = np.hypot(j, i) < 0.93, 50 * i - 40 * j + 10 * k - 50 * (j**2 + i**2)
        frequency = self.scan.imaging_frequency
        model = Model(times, fat.signal(times, frequency))
        echoes = synthesize(0.6 * inside.ravel(), 0.4 * inside.ravel(), field.ravel(), 30.0, model)
        errors = 0.07 * (rng.standard_normal((8, 2)) @ [1, 1j])[:, None, None, None]
        slope = 0.3j * (-1.0) ** np.arange(8)[:, None, None, None] * j
        echoes = echoes.reshape(8, *inside.shape) * np.exp(errors + slope)
        echoes = (echoes + rng.standard_normal((*echoes.shape, 2)) @ [1, 1j] / 27).astype(np.complex64)
        with mock.patch.object(sample, "VOXELS", 1500):
            drawn = sample.draw(echoes, inside, echo_times=times, imaging_frequency=frequency, fat_model=fat)
        kind = find_kind(*drawn, sign=1, bipolar=False, trains=1)
        self.assertIsNone(find_displacement(echoes, left_over(*drawn, kind=kind)))

    def test_a_train_or_an_echo_that_moved_is_told_along_its_axis(self):
        second = self.scan.echoes.copy()
        second[1::3] = moved(second[1::3], (0, 0.5, 0))
        found = self.find(second)
        self.assertEqual((found.axis, found.echoes), (1, (2, 5)))
        self.assertTrue(0.1 < found.voxels < 0.5)
        self.assertIn("posterior–anterior", on_displacement(found)[0])
        alone = self.scan.echoes.copy()
        alone[3:4] = moved(alone[3:4], (0, 0, 0.5))
        self.assertEqual(self.find(alone).axis, 2)
        self.assertIn(4, self.find(alone).echoes)
        self.assertEqual(self.find(alone.conj(), sign=-1), self.find(alone))

    def test_an_echo_that_was_turned_is_told_with_its_axis(self):
        turned = self.scan.echoes.copy()
        for part in (turned[3].real, turned[3].imag):
            part[...] = ndimage.rotate(part, 3, axes=(1, 2), reshape=False, order=1, mode="nearest")
        found = self.find(turned)
        self.assertTrue(found.turned)
        self.assertEqual(found.axis, 0)
        self.assertIn(4, found.echoes)
        self.assertGreater(found.voxels, 0.1)
        self.assertIn("turned about the axis inferior–superior", on_displacement(found)[0])


if __name__ == "__main__":
    unittest.main()
