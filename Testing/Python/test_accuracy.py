"""Water–fat separation at the paper's voxels and SNR against known truth, on patients of different seeds."""

import unittest

import numpy as np

from TrabecularQSMLib.phantom import PhantomSettings, make_phantom
from TrabecularQSMLib.pipeline import reconstruct
from TrabecularQSMLib.settings import preset


class AccuracyTest(unittest.TestCase):
    """The bars every version must clear; figures of the first one in the comments."""

    def check(self, settings):
        phantom = make_phantom(settings)
        result = reconstruct(phantom.acquisition, preset(stop_after="fieldmap"))
        truth, maps = phantom.truth, result.maps
        # Voxels that hold signal and are not cut by cortex.
        counted = (truth["signal"] > 0.1 * truth["signal"].max()) & (truth["cortex"] < 1e-3)
        self.assertGreater(counted.sum(), 150_000)
        error = (maps["field_hz"] - truth["field_hz"])[counted]
        far = np.abs(error) > 50
        # 2.2 Hz.
        self.assertLessEqual(np.sqrt(np.mean(error[~far] ** 2, dtype=float)), 3.0)
        # Swaps and voxels taken for air: at most 0.002 %.
        self.assertLessEqual(far.mean(), 1e-4)
        self.assertEqual(set(np.unique(phantom.regions).tolist()), {0, *phantom.region_names})
        for label, name in phantom.region_names.items():
            inside = phantom.regions == label
            pdff = np.mean((maps["pdff"] - truth["pdff"])[inside], dtype=float)
            r2star = maps["r2star"][inside].mean(dtype=float) / truth["r2star"][inside].mean(dtype=float) - 1
            # At most 0.001 and 0.6 %.
            self.assertLessEqual(abs(pdff), 0.01, name)
            self.assertLessEqual(abs(r2star), 0.05, name)

    def test_the_paper_s_protocol(self):
        self.check(PhantomSettings(shape=(147, 147, 68), snr=40.0, seed=0))

    def test_a_grid_tilted_by_twenty_degrees(self):
        slab = {"shape": (147, 147, 24), "field_of_view_mm": (220.5, 220.5, 36.0)}
        self.check(PhantomSettings(**slab, snr=40.0, seed=1, tilt_degrees=20.0))

    def test_an_odd_sized_grid_of_anisotropic_voxels(self):
        slab = {"shape": (131, 149, 25), "field_of_view_mm": (220.5, 220.5, 50.0)}
        self.check(PhantomSettings(**slab, snr=40.0, seed=2))


if __name__ == "__main__":
    unittest.main()
