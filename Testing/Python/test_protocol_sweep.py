"""Sweeps: what field strength, voxel, direction of B0 and echo train do to R2*, fat fraction and χ of a region."""

import unittest
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from test_protocol import PAPER

from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.inversion.closed_form import closed_form
from TrabecularQSMLib.kernels import convolve, dipole_kernel
from TrabecularQSMLib.protocol.bone import BoneSettings, bone_notes
from TrabecularQSMLib.protocol.estimate import sweep_cost
from TrabecularQSMLib.protocol.sweep import COLUMNS, SweepSettings, _chi, run_sweep, sorted_rows

BONE = BoneSettings(bvtv=(0.1, 0.3), repeats=1, radius=2, size=48)
LATE = tuple(3e-3 + 1e-3 * n for n in range(8))


def rows_of(bone=BONE, executors=None, done=(), **varied):
    sweep = SweepSettings.around(PAPER, bone, **{"voxels_mm": (1.6,)} | varied)
    return sorted_rows(row for rows in run_sweep(PAPER, sweep, executors=executors, done=done) for row in rows)


class SweepTest(unittest.TestCase):
    def test_r2prime_grows_with_bvtv_and_field_and_chi_is_a_part_of_the_true_one(self):
        rows = rows_of(field_strengths=(1.5, 3.0), trains=(LATE,))
        self.assertEqual([tuple(row) for row in rows], [COLUMNS] * 8)
        rate = {(row["bvtv_wanted"], row["field_strength"], row["train"]): row["r2prime"] for row in rows}
        for bvtv in BONE.bvtv:
            # Early echoes see a decay that grows with the square of the field, late ones one in proportion.
            early, late = (rate[bvtv, 3.0, train] / rate[bvtv, 1.5, train] for train in (0, 1))
            self.assertTrue(2 < late < early < 4.2, (early, late))
        for train in (0, 1):
            self.assertAlmostEqual(rate[0.3, 3.0, train] / rate[0.1, 3.0, train], 2.8, delta=0.5)
        for row in rows:
            self.assertAlmostEqual(row["chi_true"], PAPER.chi_slope * row["bvtv"])
            self.assertTrue(0.3 < row["chi"] / row["chi_true"] < 0.9, row)
            self.assertAlmostEqual(row["r2star"] - row["r2prime"], 15)
            self.assertLess(abs(row["pdff_bias"]), 0.05)

    def test_chi_is_the_closed_form_of_the_fitted_field_inside_and_of_the_true_one_around(self):
        chi, inside = np.full((6, 6, 6), -0.5), (slice(6, 12),) * 3
        whole = np.zeros((18, 18, 18), np.float32)
        whole[inside] = chi
        field = convolve(dipole_kernel(whole.shape, (1.5,) * 3, (1, 0, 0)), whole)
        fitted = field[inside] + np.linspace(-0.2, 0.2, 6, dtype=np.float32)
        for some in (field[inside], fitted):
            field[inside] = some
            found = closed_form(field, (1.5,) * 3, b0_direction=(1, 0, 0), regularization=PAPER.regularization)
            # The mean of all is zero: of 27 parts, 26 are around.
            self.assertAlmostEqual(
                _chi(some, chi, 1.5, (1, 0, 0), PAPER) / (found[inside].mean() * 27 / 26), 1, places=4
            )

    def test_cylinders_across_b0_dephase_and_along_it_do_not(self):
        bone = replace(BONE, bvtv=(0.2,), shape="cylinders", orientation=(0.0, 0.0, 1.0))
        along, across = rows_of(bone, b0_degrees=(0.0, 90.0))
        self.assertLess(along["r2prime"], 6)
        self.assertGreater(across["r2prime"], 60)
        # About the same directions the difference is less, and as much bone.
        found = rows_of(replace(bone, concentration=5.0), b0_degrees=(0.0, 90.0))
        self.assertAlmostEqual(found[0]["bvtv"], 0.2, delta=0.03)
        self.assertTrue(2 * along["r2prime"] < found[0]["r2prime"] < 0.8 * found[1]["r2prime"], found)

    def test_any_worker_gives_the_same_rows_and_what_is_done_is_left_out(self):
        alone = rows_of()
        self.assertEqual(rows_of(executors=lambda: ThreadPoolExecutor(2)), alone)
        self.assertEqual(rows_of(done={(0.1, 0)}), [row for row in alone if row["bvtv_wanted"] == 0.3])

    def test_it_costs_about_what_was_measured(self):
        one = BoneSettings(bvtv=(0.2,), repeats=1)
        cases = ({}, {"field_strengths": (1.5, 3.0, 7.0)}, {"voxels_mm": (1.5, 0.5)}, {"b0_degrees": (0.0, 90.0)})
        costs = [sweep_cost(SweepSettings.around(PAPER, one, **varied)).seconds for varied in cases]
        np.testing.assert_allclose(costs, [1.2, 1.5, 1.8, 2.1], rtol=0.2)

    def test_voxels_of_the_table_are_those_that_were_simulated_and_coarse_bone_is_told(self):
        sweep = SweepSettings.around(PAPER, BONE, voxels_mm=(0.25, 0.2, 1.56))
        self.assertEqual(sweep.voxels_mm, (0.2, 1.6))  # of 0.1 mm
        self.assertEqual(bone_notes(BONE), [])
        (note,) = bone_notes(replace(BONE, shape="plates", radius=3, size=128, bvtv=(0.1, 0.3)))
        self.assertIn("One piece of bone is 5.5% of a block, and pieces are whole: BV/TV of 0.1 comes out", note)
        self.assertEqual(bone_notes(replace(BONE, mask=np.arange(64).reshape((4, 4, 4)) % 4 == 0)), [])

    def test_what_cannot_be_simulated_is_told(self):
        for words, changes in (
            ("Voxels of 9 mm do not fit", {"voxels_mm": (9.0,)}),
            ("Another echo train: The echo times are 3 2 1 ms", {"trains": ((3e-3, 2e-3, 1e-3),)}),
            ("field_strengths", {"field_strengths": (0.0,)}),
            ("three or more that increase", {"trains": ((1e-3, 2e-3),)}),
        ):
            with self.subTest(words), self.assertRaisesRegex(InputError, words):
                rows_of(**changes)
        with self.assertRaisesRegex(InputError, "concentration is 1e.06"):
            BoneSettings(concentration=1e6)


if __name__ == "__main__":
    unittest.main()
