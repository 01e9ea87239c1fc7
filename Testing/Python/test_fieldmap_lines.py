import unittest

import numpy as np
import scans

from TrabecularQSMLib.acquisition import Acquisition
from TrabecularQSMLib.fieldmap.lines import LONG, find_lines
from TrabecularQSMLib.pipeline import reconstruct
from TrabecularQSMLib.settings import preset


class LinesTest(unittest.TestCase):
    def setUp(self):
        self.inside = np.zeros((20, 24, 30), bool)
        self.inside[2:18, 2:22, 2:28] = True
        self.excess = 0.1 * np.random.default_rng(0).random(self.inside.shape)

    def test_lines_in_a_plane_or_a_slice_are_found_up_to_three_voxels_wide(self):
        for name, place, axes in (
            ("one line", (7, 11, slice(None)), {2}),
            ("a plane", (slice(None), 11, slice(None)), {0, 2}),
            ("three lines", (7, slice(10, 13), slice(None)), {2}),
            ("along k", (slice(None), 9, 9), {0}),
        ):
            excess = self.excess.copy()
            excess[place] = 0.5
            where = np.zeros_like(self.inside)
            where[place] = True
            with self.subTest(name):
                axis, at = find_lines(excess, self.inside)
                self.assertIn(axis, axes)
                np.testing.assert_array_equal(at, where & self.inside)

    def test_what_fits_badly_otherwise_is_no_line(self):
        k, j, i = np.indices(self.inside.shape)
        for name, where in {
            "nothing": np.zeros_like(self.inside),
            "everywhere": np.ones_like(self.inside),
            "a vessel that bends": np.hypot(j - 11 - (i - 15) ** 2 / 15, k - 9) < 2,
            "half of the scan": i > 14,
            "an edge that misses in most voxels": (j == 11) & (k == 7) & (i % 6 > 0),
            "the rim": (j < 4) | (j > 19),
            "a short one": (j == 11) & (k == 7) & (abs(i - 15) < LONG / 4),
        }.items():
            with self.subTest(name):
                self.assertIsNone(find_lines(np.where(where, 0.5, self.excess), self.inside))

    def test_a_scan_with_a_zipper_is_told(self):
        scan, _ = scans.small_ankle()
        random, echoes = np.random.default_rng(1), scan.echoes.copy()
        noise = random.standard_normal((len(echoes), *echoes.shape[1:], 2)) @ [1, 1j]
        echoes[:, :, 14] += np.abs(echoes).max() * noise[:, :, 14]

        one = Acquisition(echoes, scan.echo_times, scan.affine, field_strength=scan.field_strength)
        settings = preset(stop_after="fieldmap", readout="monopolar", trains="1", phase_sign="+1", mask_erosion=0)
        found = [note for note in reconstruct(one, settings, threads=1).notes if "(a zipper)" in note]
        self.assertRegex(found[0], r"^In \d+ lines \S+ \(.* leave it out of regions")


if __name__ == "__main__":
    unittest.main()
