"""Echoes as sequence nodes on real MRML: echo times, geometry, loose volumes, the digital ankle."""

import unittest

import numpy as np
from reading import InFolderTest
from scenes import AFFINE, ECHO_TIMES, SHAPE, SceneTest, cancel_at, random_acquisition, slicer, vtk

from TrabecularQSMLib import scene
from TrabecularQSMLib.acquisition import b0_direction
from TrabecularQSMLib.errors import Cancelled, InputError
from TrabecularQSMLib.files import read_acquisition
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom
from TrabecularQSMLib.scene.volumes import newVolume


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

    def test_the_direction_of_b0_turns_with_a_scan_on_which_a_rotation_is_hardened(self):
        acquisition = random_acquisition()
        sequences = scene.addEchoSequences(acquisition, "ankle")
        turn = self.transform((0.0, 0.6, 0.8), 40)
        for sequence in sequences:
            for number in range(4):
                sequence.GetNthDataNode(number).ApplyTransformMatrix(slicer.util.vtkMatrixFromArray(turn))
        again = scene.acquisitionFromSequences(*sequences)
        np.testing.assert_allclose(again.affine, turn @ AFFINE, atol=1e-9)
        np.testing.assert_allclose(again.b0_patient, turn[:3, :3] @ acquisition.b0_patient, atol=1e-9)
        np.testing.assert_allclose(scene.scanValues(sequences[0])[2], again.b0_patient)
        # What inversion works with, B0 along the axes of the grid, is as before.
        np.testing.assert_allclose(*(b0_direction(a.affine, a.b0_patient) for a in (again, acquisition)), atol=1e-9)
        self.assertEqual(again.notes, ())
        # Scenes of earlier versions say it in the patient's axes.
        for name, value in (("TrabecularQSM.B0DirectionIJK", None), ("TrabecularQSM.B0DirectionRAS", "0 0.6 0.8")):
            sequences[0].SetAttribute(name, value)
        self.assertEqual(scene.scanValues(sequences[0])[2], (0.0, 0.6, 0.8))

    def test_the_phase_of_another_scan_is_told(self):
        (one, phase), (other, otherPhase) = (scene.addEchoSequences(random_acquisition(), name) for name in ("a", "b"))
        self.assertIs(scene.echoes.phaseOf(other), otherPhase)
        self.assertEqual(scene.acquisitionFromSequences(other, otherPhase).notes, ())
        (note,) = scene.acquisitionFromSequences(other, phase).notes
        self.assertIn("a phase belongs to a magnitude, not to b magnitude", note)
        slicer.mrmlScene.RemoveNode(one)  # whose phase it was is not known then
        self.assertEqual(scene.acquisitionFromSequences(other, phase).notes, ())

    def test_a_scan_that_may_have_been_turned_asks_for_the_direction_of_b0(self):
        volumes = self.loose()
        sequences = scene.sequencesFromVolumes(*volumes, (1, 2, 3), "loose")

        def notes(**options):
            return " ".join(scene.acquisitionFromSequences(*sequences, fieldStrength=3, **options).notes)

        self.assertNotIn("B0", notes())
        volumes[0][0].SetAndObserveTransformNodeID(self.node(self.transform((1, 0, 0), 30)).GetID())
        with self.assertRaisesRegex(InputError, "under different transforms"):
            scene.sequencesFromVolumes(*volumes, (1, 2, 3), "loose")
        for volume in (*volumes[0], *volumes[1]):
            volume.SetAndObserveTransformNodeID(volumes[0][0].GetTransformNodeID())
        sequences = scene.sequencesFromVolumes(*volumes, (1, 2, 3), "loose")
        self.assertIn("is under the transform turn, which turns it", notes())
        self.assertNotIn("B0", notes(b0Direction=(0, 0, 1)))
        for volume in (*volumes[0], *volumes[1]):
            volume.HardenTransform()
        sequences = scene.sequencesFromVolumes(*volumes, (1, 2, 3), "loose")
        self.assertIn("its grid is tilted by 30° against the patient's axis; B0 was taken along S", notes())
        self.assertNotIn("B0", notes(b0Direction=(0, 0, 1)))

    def test_a_scan_whose_shown_volume_was_moved_says_so(self):
        sequences = scene.addEchoSequences(random_acquisition(), "ankle")
        proxy = scene.addEchoBrowser(*sequences).GetProxyNode(sequences[0])
        self.assertEqual(scene.acquisitionFromSequences(*sequences).notes, ())
        proxy.ApplyTransformMatrix(slicer.util.vtkMatrixFromArray(self.transform((1, 0, 0), 30)))
        (note,) = scene.acquisitionFromSequences(*sequences).notes
        self.assertIn("ankle magnitude echo does not lie where the echoes of ankle magnitude do", note)

    def loose(self):
        rng = np.random.default_rng(1)
        arrays = {"magnitude": rng.uniform(1, 2, size=SHAPE), "phase": rng.uniform(-np.pi, np.pi, size=SHAPE)}
        return [
            [
                slicer.mrmlScene.AddNode(newVolume(np.roll(array, n), np.diag([1.0, 2.0, 3.0, 1.0]), f"{part} {n}"))
                for n in range(3)
            ]
            for part, array in arrays.items()
        ]

    def transform(self, axis, degrees):
        found = vtk.vtkTransform()
        found.RotateWXYZ(degrees, *axis)
        return slicer.util.arrayFromVTKMatrix(found.GetMatrix())

    def node(self, matrix):
        node = self.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "turn")
        node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
        return node

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

    def test_the_index_of_a_dynamic_series_is_not_taken_for_echo_times(self):
        magnitude, _ = scene.addEchoSequences(random_acquisition(), "ankle")
        for accepted in ("EchoTime", "echo time", "Echo_Time", "TE"):
            magnitude.SetIndexName(accepted)
            np.testing.assert_allclose(scene.echoTimesFromSequence(magnitude), ECHO_TIMES)
        magnitude.SetIndexUnit("s")
        self.assertEqual(scene.echoTimesFromSequence(magnitude)[0], 1.25)
        for refused in ("time", "", "frame"):
            magnitude.SetIndexName(refused)
            with self.assertRaisesRegex(InputError, "expected numbers under the name EchoTime"):
                scene.echoTimesFromSequence(magnitude)

    def test_attributes_that_do_not_fit_the_echoes_are_refused(self):
        magnitude, _ = scene.addEchoSequences(random_acquisition(), "ankle")
        magnitude.SetIndexName("")
        magnitude.SetAttribute("MultiVolume.FrameIdentifyingDICOMTagName", "EchoTime")
        for labels in ("2.5,5,7.5", "a,b,c,d", ""):
            magnitude.SetAttribute("MultiVolume.FrameLabels", labels)
            with self.assertRaisesRegex(InputError, "give the echo times by hand"):
                scene.echoTimesFromSequence(magnitude)
        magnitude.SetAttribute("MultiVolume.FrameLabels", "1,2,3,4")
        magnitude.SetAttribute("MultiVolume.FrameIdentifyingDICOMTagName", "TriggerTime")
        with self.assertRaisesRegex(InputError, "give the echo times by hand"):
            scene.echoTimesFromSequence(magnitude)

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
        with self.assertRaisesRegex(InputError, "ankle magnitude does not say its field strength"):
            scene.acquisitionFromSequences(magnitude, phase)
        self.assertEqual(scene.acquisitionFromSequences(magnitude, phase, fieldStrength=1.5).field_strength, 1.5)


class LooseVolumesTest(SceneTest):
    def setUp(self):
        super().setUp()
        self.acquisition = random_acquisition()
        self.magnitudes, self.phases = [], []
        for number, echo in enumerate(self.acquisition.echoes, start=1):
            self.magnitudes.append(self.volume(np.abs(echo), f"m{number}"))
            self.phases.append(self.volume(np.angle(echo), f"p{number}"))
        self.times = [1e3 * time for time in ECHO_TIMES]

    def volume(self, array, name, affine=AFFINE):
        node = slicer.util.addVolumeFromArray(array, nodeClassName="vtkMRMLScalarVolumeNode", name=name)
        node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(affine))
        return node

    def test_volumes_in_any_order_become_sequences_in_the_order_of_time(self):
        order = (2, 0, 3, 1)
        shuffled = ([values[n] for n in order] for values in (self.magnitudes, self.phases, self.times))
        magnitude, phase = scene.sequencesFromVolumes(*shuffled, "ankle")
        self.assertEqual((magnitude.GetName(), phase.GetName()), ("ankle magnitude", "ankle phase"))
        self.assertEqual((magnitude.GetIndexName(), magnitude.GetIndexUnit()), ("EchoTime", "ms"))
        again = scene.acquisitionFromSequences(magnitude, phase, fieldStrength=3.0)
        np.testing.assert_allclose(again.echo_times, ECHO_TIMES, rtol=1e-9)
        np.testing.assert_allclose(again.echoes, self.acquisition.echoes, atol=2e-6)
        np.testing.assert_allclose(again.affine, AFFINE, atol=1e-12)

    def test_the_volumes_stay_and_the_sequences_are_copies(self):
        magnitude, _ = scene.sequencesFromVolumes(self.magnitudes, self.phases, self.times, "ankle")
        slicer.util.arrayFromVolume(self.magnitudes[0])[:] = 0
        self.assertGreater(slicer.util.arrayFromVolume(magnitude.GetNthDataNode(0)).max(), 0)
        self.find("m1")

    def test_whole_numbers_of_a_scanner_become_float32(self):
        integers = [self.volume(np.full(SHAPE, n, np.int16), f"i{n}") for n in range(4)]
        magnitude, _ = scene.sequencesFromVolumes(integers, self.phases, self.times, "ankle")
        self.assertEqual(slicer.util.arrayFromVolume(magnitude.GetNthDataNode(1)).dtype, np.float32)

    def test_what_is_no_scan_is_refused_by_name_and_nothing_added(self):
        moved = AFFINE.copy()
        moved[0, 3] += 5
        moved = self.volume(np.zeros(SHAPE), "moved", moved)
        vector = slicer.util.addVolumeFromArray(
            np.zeros((*SHAPE, 3)), nodeClassName="vtkMRMLVectorVolumeNode", name="arrows"
        )
        empty = self.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "hollow")
        m, p, times = self.magnitudes, self.phases, self.times
        wrong = (
            ((m, p[:3], times), "4 magnitude volumes, 3 phase volumes and 4 echo times; choose one of each"),
            ((m, p, times[:2]), "2 echo times"),
            (([], [], []), "0 magnitude volumes"),
            ((m, p, [1, 2, 2, 3]), "1, 2, 2, 3 ms, of which some are equal"),
            ((m, p, [1, 2, -3, 4]), "positive number in ms"),
            ((m, p, ["1", "2", "x", "4"]), "positive number in ms"),
            ((m, [*p[:3], p[0]], times), "p1 is chosen twice"),
            ((m, [*p[:3], moved], times), "m1 and moved are on different grids"),
            ((m, [*p[:3], vector], times), "arrows, not a scalar volume"),
            ((m, [*p[:3], empty], times), "hollow, not a scalar volume"),
            ((m, [*p[:3], None], times), "nothing, not a scalar volume"),
        )
        ids = self.node_ids()
        for arguments, sentence in wrong:
            with self.assertRaisesRegex(InputError, sentence):
                scene.sequencesFromVolumes(*arguments, "ankle")
        self.assertEqual(self.node_ids(), ids)

    def test_a_browser_shows_the_echoes_and_knows_their_place(self):
        magnitude, phase = scene.sequencesFromVolumes(self.magnitudes, self.phases, self.times, "ankle")
        browser = scene.addEchoBrowser(magnitude, phase)
        shown = browser.GetProxyNode(magnitude)
        self.assertEqual(shown.GetName(), "ankle magnitude echo")
        self.assertIs(slicer.util.getNode("ankle magnitude"), magnitude)
        browser.SetSelectedItemNumber(2)
        slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
        expected = np.abs(self.acquisition.echoes[2])
        np.testing.assert_allclose(slicer.util.arrayFromVolume(shown), expected, rtol=1e-6)
        self.assertEqual(shown.GetName(), "ankle magnitude echo")


class ExportTest(InFolderTest, SceneTest):
    def test_an_exported_scan_is_the_scan_of_the_scene_for_the_command_line(self):
        acquisition = random_acquisition()
        written = scene.exportScan(*scene.addEchoSequences(acquisition, "ankle"), self.folder / "out")
        # Four echoes, two parts, sidecars, dataset_description.json, .bidsignore.
        self.assertEqual(len(written), 18)
        found = read_acquisition(self.folder / "out").acquisition
        np.testing.assert_allclose(found.echoes, acquisition.echoes, atol=1e-5)
        np.testing.assert_allclose(found.echo_times, acquisition.echo_times, rtol=1e-9)
        np.testing.assert_allclose(found.affine, AFFINE, atol=1e-5)
        np.testing.assert_allclose(found.b0_patient, acquisition.b0_patient, rtol=1e-12)
        np.testing.assert_allclose(found.imaging_frequency, acquisition.imaging_frequency)

    def test_scans_are_added_to_a_dataset_but_not_written_over(self):
        sequences = scene.addEchoSequences(random_acquisition(), "ankle")
        for label in ("sub-01 run-1", "sub-01 run-2"):
            scene.exportScan(*sequences, self.folder, labels=label)
            with self.assertRaisesRegex(InputError, "already holds .* or overwrite=True"):
                scene.exportScan(*sequences, self.folder, labels=label)
        with self.assertRaisesRegex(InputError, "2 scans .* choose one with the label run-…"):
            scene.loadScan(self.folder)
        scene.exportScan(*sequences, self.folder, labels=label, overwrite=True)
        magnitude, _ = scene.loadScan(self.folder, labels="sub-01 run-2")
        self.assertEqual(magnitude.GetName(), "sub-01_run-2 magnitude")
        before = sorted(self.folder.rglob("*"))

        def cancel(fraction, message):
            raise Cancelled

        self.assertRaises(Cancelled, scene.exportScan, *sequences, self.folder, labels="sub-02", progress=cancel)
        self.assertEqual(sorted(self.folder.rglob("*")), before)


class DigitalAnkleTest(SceneTest):
    SETTINGS = PhantomSettings(shape=(30, 31, 14), seed=2)

    def test_the_nodes_hold_the_simulated_scan_and_its_regions(self):
        expected = make_phantom(self.SETTINGS)
        nodes = scene.addPhantom(self.SETTINGS, "sample")
        scan = scene.acquisitionFromSequences(nodes.magnitudeSequence, nodes.phaseSequence)
        np.testing.assert_allclose(scan.echoes, expected.acquisition.echoes, atol=1e-5)
        self.assertAlmostEqual(scan.field_strength, 3.0)
        volume = nodes.browser.GetProxyNode(nodes.magnitudeSequence)
        labels, names = scene.regionsFromSegmentation(nodes.regions, volume)
        np.testing.assert_array_equal(labels, expected.regions)
        self.assertEqual(names, expected.region_names)
        self.assertEqual(nodes.regions.GetName(), "sample regions")

    def test_the_tuber_has_its_code(self):
        segment = scene.addPhantom(self.SETTINGS).regions.GetSegmentation().GetNthSegment(1)
        entry = slicer.vtkSlicerTerminologyEntry()
        logic = slicer.vtkSlicerTerminologiesModuleLogic()
        self.assertTrue(logic.DeserializeTerminologyEntry(segment.GetTerminology(), entry))
        found = [
            (code.GetCodingSchemeDesignator(), code.GetCodeValue(), code.GetCodeMeaning())
            for code in (entry.GetTypeObject(), entry.GetTypeModifierObject())
        ]
        self.assertEqual(found, [("SCT", "82474009", "Calcaneal tubercle"), ("SCT", "24028007", "Right")])

    def test_cancelled_at_any_time_it_leaves_the_scene_as_it_was(self):
        scene.addPhantom(self.SETTINGS, "first")  # whatever a first browser makes stays
        before = self.node_ids(), self.hierarchy_count()
        for limit in (0.3, 1.0):
            with self.assertRaises(Cancelled):
                scene.addPhantom(self.SETTINGS, "second", cancel_at(limit))
            self.assertEqual((self.node_ids(), self.hierarchy_count()), before)


if __name__ == "__main__":
    unittest.main()
