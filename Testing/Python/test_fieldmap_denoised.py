"""Noise that was taken off by principal components of patches, and noise of right scans, which knows no other echo."""

import unittest
from dataclasses import replace

import numpy as np
import scans
from scipy import ndimage

from TrabecularQSMLib.fieldmap import masks
from TrabecularQSMLib.fieldmap.denoised import shared_in_air
from TrabecularQSMLib.pipeline import reconstruct
from TrabecularQSMLib.settings import preset


def denoised(echoes, kept=None, *, noise=0.0, reach=2):
    """Echoes (E, K, J, I) of which so many principal components of the patch around each voxel are left.

    Without a number, those are left that stand out of noise (Marchenko and Pastur): none in air.
    """
    result = np.zeros_like(echoes)
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(echoes, [(0, 0), (0, 0), *[(reach, reach)] * 2], mode="reflect"), (2 * reach + 1,) * 2, axis=(2, 3)
    )
    for k, slices in enumerate(np.moveaxis(windows, 1, 0)):
        patch = np.moveaxis(slices.reshape(*slices.shape[:3], -1), 0, 2)
        u, size, _ = np.linalg.svd(patch, full_matrices=False)
        edge = np.sqrt(2) * noise * (np.sqrt(patch.shape[-2]) + np.sqrt(patch.shape[-1]))
        kept_of = u[..., :kept] * (size > edge)[..., None, :kept]
        own = np.moveaxis(echoes[:, k], 0, -1)[..., None]
        result[:, k] = np.moveaxis((kept_of @ (kept_of.conj().swapaxes(-1, -2) @ own))[..., 0], -1, 0)
    return result


class DenoisedTest(unittest.TestCase):
    errors = np.array([1, 1.1, 0.9, 1.05 * np.exp(0.1j), 1, 1])[:, None, None, None]

    @classmethod
    def setUpClass(cls):
        cls.scan = scans.small_ankle()[0]
        mip = masks.combine_echoes(cls.scan.echoes)
        cls.noise = masks.noise_level(cls.scan.echoes, mip)
        cls.dark = mip < 4 * cls.noise

    def test_directions_are_shared_after_principal_components_alone(self):
        echoes = self.scan.echoes
        ghost = 0.1 * np.roll(echoes, 12, axis=2)
        right = {
            "as it is": echoes,
            "errors of echoes": echoes * self.errors,
            "filtered": ndimage.gaussian_filter(echoes.real, (0, 0, 0.7, 0.7))
            + 1j * ndimage.gaussian_filter(echoes.imag, (0, 0, 0.7, 0.7)),
            "against the first echo": echoes * np.exp(-1j * np.angle(echoes[:1])),
            "with a ghost": echoes + ghost * (np.indices(self.dark.shape)[2] < 20),
            "three echoes": echoes[:3],
        }
        for name, one in right.items():
            with self.subTest(name):
                self.assertLess(shared_in_air(one, self.dark), 1.15)
        self.assertNotEqual(shared_in_air(echoes, self.dark), 1.0)
        for kept in (1, 2, 3):
            self.assertGreater(shared_in_air(denoised(echoes, kept), self.dark), 1.3)
        self.assertEqual(shared_in_air(echoes, np.zeros_like(self.dark)), 1.0)

    def test_it_is_told_by_air_and_by_tissue_where_air_is_zero(self):
        settings = preset(stop_after="fieldmap", readout="monopolar", trains="1")
        echoes, where = self.scan.echoes, masks.body_mask(~self.dark)
        by_noise = denoised(echoes, noise=self.noise)
        self.assertGreater(np.mean(by_noise[:, self.dark] == 0), 0.5)
        for name, one, told, changes in (
            ("right", echoes, False, {}),
            ("right, cut out", echoes * where, False, {}),
            ("right, fitted with another spectrum", echoes, False, {"fat_model": "single-peak"}),
            ("right, with errors of echoes", echoes * self.errors, False, {}),
            ("two components", denoised(echoes, 2), True, {}),
            ("two components, cut out", denoised(echoes, 2) * where, True, {}),
            ("as many as stand out of noise", by_noise, True, {}),
            ("… with errors of echoes", by_noise * self.errors, True, {}),
            ("… of negated phase", by_noise.conj(), True, {"phase_sign": "-1"}),
        ):
            with self.subTest(name):
                notes = reconstruct(replace(self.scan, echoes=one), replace(settings, **changes)).notes
                self.assertEqual(any("principal components" in note for note in notes), told, notes)


if __name__ == "__main__":
    unittest.main()
