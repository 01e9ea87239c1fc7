"""Noise that was taken off by principal components of patches, and noise of right scans, which knows no other echo."""

import unittest
from dataclasses import replace

import numpy as np
import scans
from scipy import ndimage

from TrabecularQSMLib.fieldmap import masks
from TrabecularQSMLib.fieldmap.denoised import shared_directions
from TrabecularQSMLib.pipeline import reconstruct
from TrabecularQSMLib.settings import preset


def denoised(echoes, kept, reach=2):
    """Echoes (E, K, J, I) of which so many principal components of the patch around each voxel are left."""
    result = np.zeros_like(echoes)
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(echoes, [(0, 0), (0, 0), *[(reach, reach)] * 2], mode="reflect"), (2 * reach + 1,) * 2, axis=(2, 3)
    )
    for k, slices in enumerate(np.moveaxis(windows, 1, 0)):
        patch = np.moveaxis(slices.reshape(*slices.shape[:3], -1), 0, 2)
        u, *_ = np.linalg.svd(patch, full_matrices=False)
        kept_of = u[..., :kept]
        own = np.moveaxis(echoes[:, k], 0, -1)[..., None]
        result[:, k] = np.moveaxis((kept_of @ (kept_of.conj().swapaxes(-1, -2) @ own))[..., 0], -1, 0)
    return result


class DenoisedTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scan = scans.small_ankle()[0]
        mip = masks.combine_echoes(cls.scan.echoes)
        cls.dark = mip < 4 * masks.noise_level(cls.scan.echoes, mip)

    def test_directions_are_shared_after_principal_components_alone(self):
        echoes = self.scan.echoes
        ghost = 0.1 * np.roll(echoes, 12, axis=2)
        right = {
            "as it is": echoes,
            "errors of echoes": echoes * np.array([1, 1.1, 0.9, 1.05j, 1, 1])[:, None, None, None],
            "filtered": ndimage.gaussian_filter(echoes.real, (0, 0, 0.7, 0.7))
            + 1j * ndimage.gaussian_filter(echoes.imag, (0, 0, 0.7, 0.7)),
            "against the first echo": echoes * np.exp(-1j * np.angle(echoes[:1])),
            "with a ghost": echoes + ghost * (np.indices(self.dark.shape)[2] < 20),
            "three echoes": echoes[:3],
        }
        for name, one in right.items():
            with self.subTest(name):
                self.assertLess(shared_directions(one, self.dark), 1.15)
        self.assertNotEqual(shared_directions(echoes, self.dark), 1.0)
        for kept in (1, 2, 3):
            self.assertGreater(shared_directions(denoised(echoes, kept), self.dark), 1.3)
        self.assertEqual(shared_directions(echoes, np.zeros_like(self.dark)), 1.0)

    def test_it_is_told(self):
        settings = preset(stop_after="fieldmap", readout="monopolar", trains="1")
        for echoes, told in ((self.scan.echoes, False), (denoised(self.scan.echoes, 2), True)):
            notes = reconstruct(replace(self.scan, echoes=echoes), settings).notes
            self.assertEqual(any("principal components" in note for note in notes), told)


if __name__ == "__main__":
    unittest.main()
