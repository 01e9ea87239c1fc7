"""The whole way on simulated bone, small: rows that are the same from any worker, and what they say."""

import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from unittest import mock

import numpy as np
from test_protocol import PAPER

from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.protocol import chain
from TrabecularQSMLib.protocol.bone import BoneSettings, bone_of_image, draw_bone
from TrabecularQSMLib.protocol.chain import CHI_FAT, COLUMNS, ChainSettings, chain_lines, run_chain
from TrabecularQSMLib.protocol.estimate import chain_cost
from TrabecularQSMLib.settings import preset

# Blocks of 12.8 mm in voxels of 3 mm.
COARSE = replace(PAPER, voxel_size=(3.0, 3.0, 3.0), bandwidth_hz=None, snr=100.0)
CHAIN = ChainSettings(
    BoneSettings(bvtv=(0.3,), repeats=1, size=64, voxel_mm=0.2),
    preset(inversion="closed-form", background="pdf", echo_gains="none"),
)


class ChainTest(unittest.TestCase):
    def test_a_block_comes_back_with_its_rate_and_fat_fraction_and_less_than_its_chi(self):
        (row,), notes = run_chain(COARSE, CHAIN)
        self.assertIn("cortex above all", notes[0])  # of the reconstruction
        self.assertEqual(tuple(row), COLUMNS)
        self.assertAlmostEqual(row["bvtv"], 0.3, delta=0.02)
        self.assertAlmostEqual(row["pdff_true"], COARSE.pdff, places=4)
        self.assertAlmostEqual(row["pdff"], COARSE.pdff, delta=0.03)
        # Noise moves a mean over eight voxels by a few units; the rate follows what the echoes show without it.
        self.assertAlmostEqual(row["r2star"] / row["r2star_noiseless"], 1, delta=0.1)
        self.assertGreater(row["r2star"], 130)
        marrow = CHI_FAT * COARSE.pdff
        self.assertAlmostEqual(row["chi_true"], marrow + row["bvtv"] * COARSE.chi_slope, delta=0.03)
        # The closed form gives back a part of what sets the block off from marrow around it.
        self.assertTrue(row["chi_true"] < row["chi"] < marrow)

    def test_rows_come_in_the_order_of_the_table_from_any_worker(self):
        def slow_first(settings, chain, bvtv, repeat, progress=None):
            time.sleep(0.05 if bvtv == 0.1 else 0)
            notes = {0: ("ε is 0.1 ppm.", "Rare."), 1: (f"ε is {bvtv} ppm.",)}[int(bvtv == 0.3)]
            return {"bvtv": bvtv, "repeat": repeat}, notes

        several, said = replace(CHAIN, bone=BoneSettings(bvtv=(0.1, 0.3))), []
        with mock.patch.object(chain, "chain_row", slow_first):
            alone = run_chain(COARSE, several)
            others = run_chain(
                COARSE, several, executors=lambda: ThreadPoolExecutor(4), progress=lambda *x: said.append(x)
            )
        self.assertEqual(alone, others)
        self.assertEqual([(row["bvtv"], row["repeat"]) for row in alone.rows], several.bone.points())
        # One of each kind, whatever its numbers.
        self.assertEqual(alone.notes, ("ε is 0.1 ppm.", "Rare. (In 2 of 4 blocks.)"))
        self.assertEqual(said[-1], (1.0, "4 of 4 blocks"))

    def test_it_costs_about_what_was_measured_and_more_blocks_cost_more(self):
        one = BoneSettings(bvtv=(0.2,), repeats=1)
        cost = chain_cost(PAPER, ChainSettings(one, preset(inversion="medi-tv")))
        self.assertTrue(20 < cost.seconds < 40 and 0.8e9 < cost.memory < 1.3e9, cost)  # 27 s, 0.96 GB
        less = chain_cost(COARSE, ChainSettings(one, preset(inversion="closed-form")))
        self.assertTrue(3 < less.seconds < 6 and 0.25e9 < less.memory < 0.4e9, less)  # 4.1 s, 0.31 GB
        several = ChainSettings(replace(one, repeats=3), preset(inversion="medi-tv"))
        self.assertAlmostEqual(chain_cost(PAPER, several).seconds, 3 * cost.seconds)
        # A large mask takes 2.6 GB in the same coarse scan.
        large = replace(one, mask=np.broadcast_to(np.arange(260) % 5 == 0, (260,) * 3))
        of_mask = chain_cost(COARSE, ChainSettings(large, preset(inversion="closed-form")))
        self.assertTrue(2.5e9 < of_mask.memory < 3.2e9 and of_mask.seconds > 15, of_mask)

    def test_a_line_is_recovered_with_its_scatter(self):
        random, bvtv = np.random.default_rng(3), np.linspace(0.1, 0.4, 400)
        chi = 0.3 - 2 * bvtv + 0.02 * random.standard_normal(400)
        rows = [
            dict.fromkeys(COLUMNS, 1.0) | {"bvtv": x, "chi": y, "chi_true": 0.4 - 2.3 * x}
            for x, y in zip(bvtv.tolist(), chi.tolist(), strict=True)
        ]
        line = chain_lines(rows)[0]
        self.assertAlmostEqual(line.slope, -2, delta=0.05)
        self.assertAlmostEqual(line.true_slope, -2.3)
        # 0.02 ppm over 2 ppm.
        self.assertAlmostEqual(line.scatter, 0.01, delta=0.001)
        self.assertAlmostEqual(line.bias, -0.1 + 0.3 * bvtv.mean(), delta=0.005)
        self.assertEqual(chain_lines(rows[:2]), [])

    def test_an_image_becomes_a_block_of_its_own_bvtv_or_is_refused(self):
        image = np.zeros((8, 8, 8), np.uint8)
        image[:2] = 255
        bone = bone_of_image(image, np.diag([0.05, 0.05, 0.05, 1]), "ct.nii", repeats=1)
        self.assertEqual(bone.points(), [(0.25, 0)])
        self.assertAlmostEqual(bone.voxel_mm, 0.05)
        self.assertIs(draw_bone(bone, None, 0.25, 0), bone.mask)
        self.assertTrue(bone.as_dict()["mask"])
        for words, values, sizes in (("cubic", image, (0.05, 0.05, 0.1)), ("binary", image // 2 + 1, (0.05,) * 3)):
            with self.subTest(words), self.assertRaisesRegex(InputError, words):
                bone_of_image(values, np.diag([*sizes, 1]), "ct.nii")

    def test_impossible_bone_is_told(self):
        for words, changes in (
            ("`bvtv` is 0.9; give", {"bvtv": (0.9,)}),
            ("repeats", {"repeats": 0}),
            ("radius", {"radius": 100}),
            ("shape", {"shape": "rods"}),
        ):
            with self.subTest(words), self.assertRaisesRegex(InputError, words):
                BoneSettings(**changes)


if __name__ == "__main__":
    unittest.main()
