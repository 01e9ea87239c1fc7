"""What headers say of the pulse sequence that makes maps mean something else, and what is told of it."""

import unittest

import numpy as np

from TrabecularQSMLib.acquisition import Acquisition
from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.files.sequence import on_sequence

GRADIENT_ECHO = {"ScanningSequence": "GR", "SequenceVariant": "SP\\OSP", "ScanOptions": "PFP", "MTState": False}


def told(**said):
    return " ".join(on_sequence({**GRADIENT_ECHO, **said}, "sub-01", field_strength=3.0))


class SequenceTest(unittest.TestCase):
    def test_a_plain_gradient_echo_is_nothing_to_tell(self):
        self.assertEqual(told(), "")
        self.assertEqual(told(ScanningSequence=["GR"], ScanOptions="", ContrastBolusAgent=" "), "")
        self.assertEqual(told(ScanningSequence=7, ScanOptions=None, SequenceVariant=[3]), "")

    def test_each_kind_of_preparation_is_told_with_what_it_does(self):
        for said, *words in (
            ({"ScanOptions": "PFP\\FS"}, "with fat saturation (ScanOptions FS)", "the fat fraction is far too low"),
            ({"ScanOptions": "FS_GEMS"}, "with fat saturation"),
            ({"ScanOptions": ["PFP", "WE"]}, "with water excitation", "far too low"),
            ({"SequenceVariant": "SK\\MTC"}, "with magnetization transfer", "the fat fraction is too high"),
            ({"MTState": True}, "with magnetization transfer"),
            ({"ScanningSequence": "GR\\IR"}, "with inversion recovery"),
            ({"ScanningSequence": "EP\\GR"}, "by echo-planar imaging"),
            ({"ScanningSequence": "SE"}, "is a spin echo", "R2* is wrong"),
            ({"ContrastBolusIngredient": "GADOLINIUM"}, "with a contrast agent (GADOLINIUM)"),
        ):
            for word in words:
                self.assertIn(word, told(**said), said)

    def test_that_no_contrast_agent_was_given_is_nothing_to_tell(self):
        for said in ("NONE", "n/a", "No", "no contrast", "ohne", "-", ""):
            self.assertEqual(told(ContrastBolusIngredient=said, ContrastBolusAgent=said), "", said)
        for said in ("UNKNOWN", "Novaray"):
            self.assertIn(f"({said})", told(ContrastBolusIngredient="", ContrastBolusAgent=said))

    def test_t1_is_told_with_the_number_that_takes_it_off(self):
        note = told(FlipAngle=15, RepetitionTime=0.011)
        self.assertIn("reads 0.63 unless `t1_weighting` is 1.74", note)
        self.assertIn("5° every 13 ms", told(FlipAngle=5, RepetitionTime=0.013))
        self.assertIn("90° every 1000 ms", told(FlipAngle=90, RepetitionTime=1.0))
        self.assertIn("every 13 ms", told(FlipAngle=5, RepetitionTime=2.2, RepetitionTimeExcitation=0.013))

    def test_without_spoiling_no_number_is_told(self):
        said = {"FlipAngle": 15, "RepetitionTime": 0.011}
        note = told(**said, SpoilingState=False)
        self.assertIn("was not spoiled", note)
        self.assertNotIn("1.74", note)
        self.assertEqual(told(**said, SpoilingState=True), told(**said))

    def test_t1_that_hardly_matters_or_is_not_known_is_not_told(self):
        for said in ({"FlipAngle": 3, "RepetitionTime": 0.012}, {"FlipAngle": 15}, {"RepetitionTime": 0.011},
                     {"FlipAngle": 15, "RepetitionTime": 5.0}, {"FlipAngle": "15", "RepetitionTime": 0.011},
                     {"FlipAngle": 180, "RepetitionTime": 0.011}, {"FlipAngle": 15, "RepetitionTime": 0}):  # fmt: skip
            self.assertEqual(told(**said), "", said)
        self.assertEqual(on_sequence({"FlipAngle": 15, "RepetitionTime": 0.011}, "sub-01"), [])

    def test_fat_that_a_low_bandwidth_displaces_is_told_with_the_bandwidth_that_is_enough(self):
        self.assertIn("0.87 voxels off along the read-out", told(PixelBandwidth=500))
        self.assertIn("with 870 Hz or more", told(PixelBandwidth=500))
        self.assertEqual(told(PixelBandwidth=870), "")
        self.assertEqual(told(PixelBandwidth="500"), "")
        self.assertEqual(on_sequence({"PixelBandwidth": 500}, "sub-01", imaging_frequency=6e7), [])


class OpenMagnetTest(unittest.TestCase):
    def notes(self, strength, **given):
        echoes = np.ones((3, 4, 4, 4), np.complex64) * (1 + 1j)
        return Acquisition(echoes, [0.002, 0.004, 0.006], np.eye(4), field_strength=strength, **given).notes

    def test_where_b0_points_is_asked_of_magnets_that_are_often_open(self):
        for strength in (0.25, 0.35, 1.0, 1.2):
            (note,) = self.notes(strength)
            self.assertIn("unless `b0_direction` is 0 1 0", note)

    def test_it_is_not_asked_of_bores_or_where_it_was_given(self):
        self.assertEqual(self.notes(1.5), ())
        self.assertEqual(self.notes(0.35, b0_patient=(0, 1, 0)), ())
        self.assertEqual(self.notes(0.35, b0_patient=(0, 0, 1)), ())
        with self.assertRaisesRegex(InputError, "three numbers R A S"):
            self.notes(0.35, b0_patient=(0, 0, 0))


if __name__ == "__main__":
    unittest.main()
