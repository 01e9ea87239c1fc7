"""Echoes as sequence nodes on real MRML: echo times, geometry, loose volumes, the digital ankle."""

import unittest

import numpy as np
from scenes import AFFINE, ECHO_TIMES, SHAPE, SceneTest, random_acquisition, slicer

from TrabecularQSMLib import scene
from TrabecularQSMLib.errors import InputError


class EchoSequenceTest(SceneTest):
    def test_a_scan_comes_back_from_its_sequences(self):
        acquisition = random_acquisition()
        magnitude, phase = scene.addEchoSequences(acquisition, "ankle")
        again = scene.acquisitionFromSequences(magnitude, phase)
        np.testing.assert_allclose(again.echoes, acquisition.echoes, atol=2e-6)
        np.testing.assert_allclose(again.echo_times, acquisition.echo_times, rtol=1e-9)
        np.testing.assert_allclose(again.affine, AFFINE, atol=1e-12)
        np.testing.assert_allclose(again.b0_patient, acquisition.b0_patient, rtol=1e-12)
        self.assertEqual(again.imaging_frequency, acquisition.imaging_frequency)
        self.assertEqual(again.notes, ())

    def test_the_index_of_a_sequence_is_the_echo_time_in_milliseconds(self):
        magnitude, phase = scene.addEchoSequences(random_acquisition(), "ankle")
        for sequence in (magnitude, phase):
            self.assertEqual((sequence.GetIndexName(), sequence.GetIndexUnit()), ("EchoTime", "ms"))
            self.assertEqual([sequence.GetNthIndexValue(n) for n in range(4)], ["1.25", "1.95", "2.65", "3.4"])

    def test_echo_times_are_read_from_the_attributes_of_the_multi_volume_importer(self):
        magnitude, _ = scene.addEchoSequences(random_acquisition(), "ankle")
        magnitude.SetIndexName("")
        magnitude.SetIndexUnit("")
        magnitude.SetAttribute("MultiVolume.FrameIdentifyingDICOMTagName", "EchoTime")
        magnitude.SetAttribute("MultiVolume.FrameLabels", "2.5,5,7.5,10")
        np.testing.assert_allclose(scene.echoTimesFromSequence(magnitude), (0.0025, 0.005, 0.0075, 0.01))

    def test_an_index_that_is_no_time_is_asked_about_and_never_guessed(self):
        magnitude, phase = scene.addEchoSequences(random_acquisition(), "ankle")
        magnitude.SetIndexUnit("")
        with self.assertRaisesRegex(InputError, "ankle magnitude.*expected numbers under the name EchoTime in ms"):
            scene.acquisitionFromSequences(magnitude, phase)
        given = scene.acquisitionFromSequences(magnitude, phase, echoTimes=ECHO_TIMES)
        np.testing.assert_array_equal(given.echo_times, ECHO_TIMES)

    def test_stored_integer_phase_is_rescaled_and_said_so(self):
        acquisition = random_acquisition()
        magnitude, phase = scene.addEchoSequences(acquisition, "ankle")
        ends = np.array([-np.pi, np.pi])
        for n in range(4):
            voxels = slicer.util.arrayFromVolume(phase.GetNthDataNode(n))
            voxels.ravel()[:2] = ends  # a complete export reaches both ends
            voxels[:] = np.round(voxels / np.pi * 4096)
        again = scene.acquisitionFromSequences(magnitude, phase)
        np.testing.assert_allclose(again.echoes.ravel()[2:20], acquisition.echoes.ravel()[2:20], atol=5e-3)
        self.assertRegex(again.notes[0], "rescaled to radians")

    def test_sequences_that_do_not_belong_together_are_refused_by_name(self):
        magnitude, phase = scene.addEchoSequences(random_acquisition(), "ankle")
        shorter = scene.addEchoSequences(
            random_acquisition(echoes=np.ones((3, *SHAPE), dtype=complex), echo_times=ECHO_TIMES[:3]), "other"
        )[1]
        with self.assertRaisesRegex(InputError, "ankle magnitude has 4 echoes but other phase has 3"):
            scene.acquisitionFromSequences(magnitude, shorter)
        later = scene.addEchoSequences(random_acquisition(echo_times=np.add(ECHO_TIMES, 1e-3)), "later")[1]
        with self.assertRaisesRegex(InputError, "different echo times"):
            scene.acquisitionFromSequences(magnitude, later)
        moved = AFFINE.copy()
        moved[0, 3] += 5
        moved = scene.addEchoSequences(random_acquisition(affine=moved), "moved")[1]
        with self.assertRaisesRegex(InputError, "moved phase .* different grids"):
            scene.acquisitionFromSequences(magnitude, moved)

    def test_an_empty_sequence_and_a_missing_field_strength_are_refused(self):
        empty = slicer.vtkMRMLSequenceNode()
        empty.SetName("nothing")
        empty.SetIndexUnit("ms")
        with self.assertRaisesRegex(InputError, "nothing"):
            scene.acquisitionFromSequences(empty, empty)
        magnitude, phase = scene.addEchoSequences(random_acquisition(), "ankle")
        magnitude.RemoveAttribute("TrabecularQSM.ImagingFrequencyHz")
        with self.assertRaisesRegex(InputError, "neither field strength nor imaging frequency"):
            scene.acquisitionFromSequences(magnitude, phase)
        self.assertEqual(scene.acquisitionFromSequences(magnitude, phase, fieldStrength=1.5).field_strength, 1.5)


if __name__ == "__main__":
    unittest.main()
