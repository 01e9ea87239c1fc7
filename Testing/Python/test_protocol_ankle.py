"""What noise does to χ of regions of the digital ankle: against noise that is known, and the same from any worker."""

import math
import types
import unittest
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from unittest import mock

import numpy as np
from test_protocol import PAPER

from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.phantom import make_phantom
from TrabecularQSMLib.protocol import ankle
from TrabecularQSMLib.protocol.ankle import AnkleSettings, ankle_means, run_ankle
from TrabecularQSMLib.protocol.assess import assess, rows
from TrabecularQSMLib.protocol.chain import ankle_settings, marrow_of
from TrabecularQSMLib.protocol.estimate import ankle_cost
from TrabecularQSMLib.protocol.region import ball_of_chi
from TrabecularQSMLib.protocol.remarks import unknowns
from TrabecularQSMLib.settings import preset

COARSE = replace(PAPER, voxel_size=(5.0, 5.0, 5.0), bandwidth_hz=None, region_radii_mm=(8.0, 60.0))
LINEAR = preset(inversion="closed-form", background="pdf", echo_gains="none", separate_cortex="no")


def of_the_first_echo(scan, settings, *, mask=None, threads=1, progress=None):
    """A reconstruction of which all is known: χ is the real part of the first echo."""
    chi = scan.echoes[0].real
    notes = ("a mask was given",) if mask is not None else (f"{chi.std():.6f}",)
    return types.SimpleNamespace(maps={"chi": chi, "mask": np.ones(chi.shape, np.float32)}, notes=notes)


class AnkleTest(unittest.TestCase):
    def test_the_error_of_a_mean_is_that_of_known_noise(self):
        phantom = make_phantom(ankle_settings(COARSE, 0))
        deviation = phantom.truth["signal"][marrow_of(phantom)].mean() / COARSE.snr
        with mock.patch.object(ankle, "reconstruct", of_the_first_echo):
            found, _ = run_ankle(COARSE, AnkleSettings(draws=101))
        self.assertEqual(found[0].radius_mm, 8.0)
        self.assertEqual(len(found), 7)  # no ball of 60 mm lies in marrow
        for one in found:
            # 101 draws tell a standard deviation to 7 %, of eight balls together to 2.5 %.
            expected = deviation / math.sqrt(one.voxels)
            self.assertAlmostEqual(one.sigma_chi / expected, 1, delta=0.08 if one.radius_mm else 0.2, msg=one.name)

    def test_what_comes_back_of_a_ball_is_what_the_closed_form_gives_back(self):
        name = "ball of radius 8 mm"
        said = []
        jobs, told = [(0, None), (0, name)], lambda *x: said.append(x[0])
        (before, after), notes = ankle_means(COARSE, AnkleSettings(2, LINEAR), jobs, told)
        self.assertEqual(said, sorted(said))
        self.assertEqual(notes, ())  # none is of the mask that is given here
        change = COARSE.chi_slope * COARSE.bvtv_difference
        found = np.mean([(y - x) / change for (_, x), (_, y) in zip(before[name], after[name], strict=True)])
        inverted = {"b0_direction": (1.0, 0.0, 0.0), "regularization": COARSE.regularization}
        share = ball_of_chi(COARSE.voxel_size, 8.0, **inverted)[2]
        # Background removal and what is near the skin take some of it.
        self.assertTrue(0.6 * share < found < 1.05 * share, (found, share))

    def test_any_worker_gives_the_same_numbers(self):
        said = []
        with mock.patch.object(ankle, "reconstruct", of_the_first_echo), mock.patch.object(ankle, "_AT_ONCE", 4):
            alone = run_ankle(COARSE, AnkleSettings(9), progress=lambda *x: said.append(x))
            others = run_ankle(COARSE, AnkleSettings(9), executors=lambda: ThreadPoolExecutor(4))
        self.assertEqual(alone, others)
        self.assertEqual(len(alone.notes), 1)
        self.assertRegex(alone.notes[0], r"^0\.\d+$")
        self.assertEqual(said[-1], (1.0, "17 of 17 reconstructions"))
        self.assertEqual([x[0] for x in said], sorted(x[0] for x in said))

    def test_impossible_numbers_are_refused_and_cost_grows_with_draws(self):
        for changes in ({"draws": 1}, {"draws": 2.5}, {"seed": -1}):
            self.assertRaises(InputError, AnkleSettings, **changes)
        few, many = (ankle_cost(PAPER, AnkleSettings(draws)) for draws in (50, 100))
        # Of 50 draws in voxels of 1.5 mm: 59 reconstructions of 7 s and six ankles, 0.59 GB.
        self.assertTrue(300 < few.seconds < 600 and 0.5e9 < few.memory < 0.8e9, few)
        self.assertTrue(1.5 < many.seconds / few.seconds < 2)
        self.assertAlmostEqual(AnkleSettings(51).precision, 0.1)


class AssessTest(unittest.TestCase):
    def test_regions_and_subjects_follow_from_what_the_ankle_shows(self):
        measured = [
            ankle.Measured("ball of radius 8 mm", 8.0, 33, 0.01, 0.5),
            ankle.Measured("talus", None, 700, 0.03, 0.7),
            ankle.Measured("metatarsals", None, 1, 0.03, -0.01),
        ]
        in_ankle = ankle.InAnkle(measured, ("It is noisy.",))
        with mock.patch("TrabecularQSMLib.protocol.assess.run_ankle", return_value=in_ankle):
            found = assess(COARSE, AnkleSettings(20, LINEAR, seed=4))
        self.assertEqual([one.in_ankle for one in found.regions], [True, False, True, True])
        talus = found.regions[2]
        self.assertAlmostEqual(talus.sigma_bvtv, 0.03 / (0.7 * 2.3))
        self.assertGreater(talus.between, found.regions[1].between)
        table = {(row["quantity"], row["of"].partition(",")[0]): row for row in rows(found)}
        row = table["σ of mean χ by noise", "talus"]
        self.assertEqual(row["value"], 0.03)
        self.assertIn("20 draws of noise in a digital ankle (seed 4), which tell it to 16%; pdf and", row["rests_on"])
        self.assertEqual(table["subjects scanned twice", "talus"]["value"], talus.within)
        nothing = table["σ of BV/TV from χ", "metatarsals"]
        self.assertEqual((nothing["value"], found.regions[-1].between), (None, None))
        self.assertIn("alike in all voxels", table["σ of mean χ by noise", "ball of radius 60 mm"]["rests_on"])
        said = " ".join(unknowns(found))
        self.assertIn("The reconstruction of the digital ankle notes: It is noisy.", said)
        self.assertIn("No ball of radius 60 mm lies wholly in marrow", said)
        self.assertIn("20 draws, which tell it to 16%, in one digital ankle", said)
        self.assertNotIn("in a body", said.lower())


if __name__ == "__main__":
    unittest.main()
