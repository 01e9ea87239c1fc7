import unittest

import numpy as np
from scipy import ndimage

from TrabecularQSMLib.analysis.ct import (
    Calibration,
    attenuation,
    fit_calibration,
    hounsfield,
    on_regions,
    without_padding,
)
from TrabecularQSMLib.analysis.measure import COLUMNS
from TrabecularQSMLib.analysis.slices import on_slices
from TrabecularQSMLib.errors import InputError

# Mindways' rods A to E, mg/cm³.
WATER = np.array([1012.2, 1057.0, 1103.6, 1119.5, 923.2])
K2HPO4 = np.array([-51.8, -53.4, 58.9, 157.0, 375.8])


class CalibrationTest(unittest.TestCase):
    def test_rods_on_a_line_give_the_line(self):
        hu = np.array([-12.0, 60.0, 130.0, 290.0])
        found = fit_calibration(hu, 0.85 * hu - 7)
        self.assertAlmostEqual(found.slope, 0.85)
        self.assertAlmostEqual(found.intercept, -7)
        np.testing.assert_allclose(found.density(np.array([[0.0, 100.0]])), [[-7, 78]])

    def test_noise_in_the_rods_is_averaged_by_least_squares(self):
        found = fit_calibration([0, 100, 200], [0, 130, 200])
        self.assertAlmostEqual(found.slope, 1.0)
        self.assertAlmostEqual(found.intercept, 10.0)

    def test_rods_with_water_give_mindways_form(self):
        sigma, beta = 1.2, 7.0
        # What the phantom's maker says a scanner of this σ and β sees in each rod.
        hu = WATER + (sigma + 0.2174) * K2HPO4 + (beta - 999.6)
        found = fit_calibration(hu, K2HPO4, WATER)
        np.testing.assert_allclose(found.density(np.array([beta, beta + sigma, beta + 150 * sigma])), [0, 1, 150],
                                   atol=1e-9)  # fmt: skip

    def test_what_gives_no_line_is_refused(self):
        for words, arguments in {
            "has 1 rod, but": ([5.0], [3.0]),
            "same attenuation": ([5.0, 5.0], [3.0, 4.0]),
            "same density": ([5.0, 6.0], [3.0, 3.0]),
            "2 attenuations but 3 densities": ([5.0, 6.0], [3.0, 3.0, 4.0]),
            "has no number": ([5.0, np.nan], [3.0, 4.0]),
            "slope -1 .* rises with attenuation": ([5.0, 6.0], [4.0, 3.0]),
            "columns are swapped": (-K2HPO4, K2HPO4, 0 * K2HPO4),
            "not g/cm³": ([0.0, 500.0], [0.0, 0.4]),
            "Rod 3 of the calibration .24 mg/cm³. lies": ([0.0, 100, 300, 500], [0.0, 80, 24, 400]),
        }.items():
            with self.subTest(words), self.assertRaisesRegex(InputError, words):
                fit_calibration(*arguments)
        for slope, intercept in ((0, 1), (-1, 0), (np.nan, 0), (1, np.inf)):
            with self.assertRaises(InputError):
                Calibration(slope, intercept)


class AttenuationTest(unittest.TestCase):
    def setUp(self):
        self.labels = np.zeros((3, 4, 5), int)
        self.labels[0], self.labels[2] = 1, 4
        self.ct = np.arange(-10, 50).reshape(3, 4, 5).astype(np.int16)
        self.names = {1: "tuber", 4: "talus"}

    def test_regions_have_attenuation_and_with_a_calibration_density(self):
        rows = attenuation(self.ct, self.labels, self.names, case="sub-01", calibration=Calibration(0.5, 2))
        self.assertEqual([tuple(row) for row in rows], 4 * [COLUMNS])
        found = {(row["region"], row["quantity"]): (row["unit"], row["n"], row["mean"], row["max"]) for row in rows}
        self.assertEqual(found["tuber", "ct"], ("HU", 20, -0.5, 9))
        self.assertEqual(found["talus", "bmd"], ("mg/cm³", 20, 0.5 * 39.5 + 2, 0.5 * 49 + 2))
        rows = attenuation(self.ct, self.labels, self.names, case="sub-01")
        self.assertEqual({row["quantity"] for row in rows}, {"ct"})

    def leg(self):
        """A leg in air as a CT shows it: fat, muscle, cortex and marrow with trabeculae, with noise and soft edges."""
        j, i = np.indices((64, 64)) - 31.5
        radius = np.hypot(j, i) * np.ones((6, 1, 1))
        tissue = np.select([radius < 7, radius < 9, radius < 18, radius < 22], [280.0, 1300, 60, -100], -1000)
        noise = np.random.default_rng(1).normal(0, 15, radius.shape)
        return np.maximum(ndimage.uniform_filter(tissue, (1, 2, 2)) + noise, -1024), (radius < 5).astype(int)

    def test_air_and_tissue_at_other_places_are_refused_and_bone_in_air_told(self):
        ct, labels = self.leg()
        self.assertEqual(hounsfield(ct)[1] + on_regions(ct, labels, {1: "tibia"}), [])
        inner = np.s_[:, 16:48, 16:48]
        for kept in (ct[inner], np.where(ct < -500, -500, ct), np.where(ct < -900, -1500, ct)):
            self.assertNotIn("no Hounsfield", " ".join(hounsfield(kept)[1]))  # cut, windowed, filled
        spread = np.random.default_rng(2).normal(0, 150, ct.shape)
        self.assertIn("unless that is lung", hounsfield(np.where(ct < -500, -780 + spread / 5, ct))[1][0])
        shaft = np.where(ct[inner] > 30, 1250 + spread[inner], ct[inner])
        self.assertEqual(hounsfield(np.maximum(shaft, -100))[1], [])
        for words, other in {
            "around 1000 HU, .* none around": ct + 1000,
            "around -500 and none": ct + 500,
            "around -5[01].": ct / 2,
            "and vary: air has .* these are no": 2 * ct,
            "between -1900 and -1400": ndimage.zoom(np.maximum(2 * ct, -2000), (1, 0.5, 0.5), order=1),
            "and vary: air": ct - 1024,
            "taken off twice": np.maximum(ct, -1000) - 1024,  # as of scanners, which store no less
            "lie around 1000 HU": np.where(ct < 200, -ct, ct),
        }.items():
            with self.subTest(words), self.assertRaisesRegex(InputError, words):
                hounsfield(other)
        with self.assertRaisesRegex(InputError, "holds no number"):
            hounsfield(np.full((2, 3, 4), np.nan))
        self.assertIn("were not divided", hounsfield(ct / 10)[1][0])
        self.assertIn("75% of the region tibia lie in air", on_regions(ct, np.roll(labels, 24, 2), {1: "tibia"})[0])
        scaled = 10 * ct[inner]
        scaled[scaled < -5000] = 600  # what is outside of the leg: only its fat looks like air
        self.assertIn("between -200 and 200 HU, where fat and muscle are", " ".join(hounsfield(scaled)[1]))
        self.assertIn("more than any bone", on_regions(10 * ct, labels, {1: "tibia"})[0])
        self.assertEqual(on_regions(ct, labels, {1: "tibia"}), [])
        metal = ct.copy()
        metal[np.unravel_index(np.flatnonzero(labels == 1)[:2], ct.shape)] = 3500, 20000
        (note,) = on_regions(metal, labels, {1: "tibia"})
        self.assertIn("2 voxels of the region tibia have more than 3071 HU (up to 20000), as metal has", note)

    def test_air_beside_its_place_is_told_and_air_that_became_dense_refused(self):
        ct, _ = self.leg()
        for other, told in ((ct, False), (ct + 30, False), (ct + 100, True), (ct - 90, True), (0.9 * ct, True)):
            self.assertEqual("Air lies around" in " ".join(hounsfield(other)[1]), told)
        for scale, place in ((1.12, -11), (1.2, -12), (1.35, -13)):
            self.assertRegex(hounsfield(scale * ct)[1][0], rf"Air lies around {place}\d\d HU")
        self.assertIn("but scanners make it −1000", hounsfield(np.where(ct < -500, np.round(ct) + 100, ct))[1][0])
        lung = np.where(ct < -500, np.random.default_rng(2).normal(-870, 30, ct.shape), ct)
        self.assertIn("or moved, unless that is lung.", hounsfield(lung)[1][0])
        with self.assertRaisesRegex(InputError, "lie around 1000 HU, .* and nearly none around −1000"):
            hounsfield(np.where(ct > 600, 1.6 * ct, ct) * -1)  # dense cortex lies where air does

    def test_slices_that_were_lost_are_told_but_no_padding_and_no_gap_between_two_legs(self):
        ct, _ = self.leg()
        legs = np.where(np.concatenate([ct, ct], axis=2) < -500, -1000, np.concatenate([ct, ct], axis=2))
        for whole in (ct, legs, np.pad(ct, 2, constant_values=-1024), np.full_like(ct, 5)):
            self.assertEqual(on_slices(whole, "x"), [])
        ct[3] = 0
        self.assertIn("1 of 6 slices along k of x (first 4) hold one value between others", on_slices(ct, "x")[0])
        ct[3] = ct[2]
        self.assertIn("1 of 6 slices along k of x (first 4) are copies of the slice before", on_slices(ct, "x")[0])
        ct[3], ct[:, 0] = np.nan, np.nan
        self.assertIn("1 of 6 slices along k of x (first 4) hold one value between others", on_slices(ct, "x")[0])

    def test_a_ct_without_air_is_told_by_its_fat_if_it_was_scaled(self):
        ct, _ = self.leg()
        for factor, told in ((1, False), (1.2, False), (1.6, True), (2, True)):
            notes = " ".join(hounsfield(np.where(ct < -300, -3024, factor * ct))[1])
            self.assertEqual("No air shows in the CT, and what is dark stands out" in notes, told, factor)

    def test_one_value_in_much_of_a_region_is_told(self):
        ct, labels = self.leg()
        for value in (0, -1024, 3071):  # as outside of the scanner's field of view
            ended = ct.copy()
            ended[:, :, :31] = value
            self.assertIn(f"hold one value, {value} HU", on_regions(ended, labels, {1: "tibia"})[0])

    def test_wrong_input_gets_its_sentence(self):
        for words, arguments in {
            "is 0 everywhere": (0 * self.ct, self.labels, self.names),
            "'cavum' .label 9. is empty": (self.ct, self.labels, {9: "cavum"}),
            "give one grid": (self.ct[:2], self.labels, self.names),
            "holds no region": (self.ct, self.labels, {}),
        }.items():
            with self.subTest(words), self.assertRaisesRegex(InputError, words):
                attenuation(*arguments, case="sub-01")

    def test_values_that_are_no_hounsfield_units_are_refused(self):
        for words, ct in {
            "runs from 0 to 1314, but fat has": np.where(self.ct > 0, self.ct + 1265, 0),
            "runs from 0 to 1,* but": np.clip(self.ct, 0, 1) / 1.0,
            "runs from -1010 to -951, but muscle": self.ct - 1000,
            "from 5 to 59": np.where(self.ct < -5, -3024, self.ct + 10),
            "from -0.01 to 0.049, but air has -?−1000.*another unit or scale": self.ct / 1e3,
            "from 32758 to 32817, but air has": self.ct + 32768.0,
            "reaches 65535, but .* without their sign .65535 for -1.": self.ct.astype(np.uint16),
            "down to -12000. and vary: air has": np.where(self.ct < 40, 100.0 * self.ct - 11000, self.ct),
        }.items():
            with self.subTest(words), self.assertRaisesRegex(InputError, words):
                attenuation(ct, self.labels, self.names, case="sub-01")

    def test_a_piece_of_bone_alone_is_told_to_be_in_doubt(self):
        (note,) = hounsfield(self.ct + 210)[1]
        self.assertIn("runs from 200 to 259", note)
        self.assertIn("unless this is a piece of bone alone", note)
        self.assertEqual(len(attenuation(self.ct + 210, self.labels, self.names, case="sub-01")), 2)

    def test_padding_is_told_and_left_out(self):
        ct = self.ct.copy()
        ct[0, 0] = -2000, -2048, -3024, -32768, 7
        values, notes = hounsfield(ct)
        self.assertIn("4 voxels hold -2000 and below", notes[0])
        self.assertEqual(np.count_nonzero(np.isnan(values)), 4)
        row = attenuation(ct, self.labels, self.names, case="sub-01")[0]
        self.assertEqual((row["n"], row["excluded"], row["min"]), (16, 4, -5))
        air, _ = without_padding(ct)
        self.assertEqual(air.min(), -5)
        self.assertIs(without_padding(self.ct)[0], self.ct)
        # What is padded becomes air, the least of the rest.
        self.assertEqual(without_padding(np.array([[[-3000, -990, 40, 1200]]]))[0].tolist(), [[[-990, -990, 40, 1200]]])
        self.assertEqual(hounsfield(self.ct)[1], [])

    def test_a_window_that_cuts_values_off_is_told(self):
        self.assertIn("31 voxels hold the largest value, 19 HU", hounsfield(np.minimum(self.ct, 19))[1][0])


if __name__ == "__main__":
    unittest.main()
