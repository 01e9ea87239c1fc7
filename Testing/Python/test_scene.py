"""Real MRML nodes: units, geometry, echo times, regions, whole reconstruction, and a scene written and read back."""

import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np

try:
    import slicer
except ImportError as error:
    raise unittest.SkipTest(f"the libraries of 3D Slicer (slicer-core) cannot be imported: {error}") from error

import headless

from TrabecularQSMLib import scene
from TrabecularQSMLib.acquisition import Acquisition
from TrabecularQSMLib.errors import Cancelled, InputError
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom
from TrabecularQSMLib.pipeline import Reconstruction, reconstruct
from TrabecularQSMLib.quantities import QUANTITIES
from TrabecularQSMLib.scene import reconstruct as reconstruct_module
from TrabecularQSMLib.settings import Settings, preset

# An oblique, anisotropic, left-handed grid: everything that can be mixed up differs.
COSINES = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))[0]
AFFINE = np.eye(4)
AFFINE[:3, :3] = COSINES * (1.5, 0.8, 2.5)
AFFINE[:3, 3] = (-31.0, 12.5, 7.0)
SHAPE = (6, 5, 4)
ECHO_TIMES = (1.25e-3, 1.95e-3, 2.65e-3, 3.4e-3)


def random_map(seed=0):
    return np.random.default_rng(seed).normal(size=SHAPE)


def random_acquisition(**changes):
    rng = np.random.default_rng(3)
    shape = (len(ECHO_TIMES), *SHAPE)
    values = {
        "echoes": rng.normal(size=shape) + 1j * rng.normal(size=shape),
        "echo_times": ECHO_TIMES,
        "affine": AFFINE,
        "field_strength": 3.0,
        "b0_patient": (0.0, 0.6, 0.8),
    }
    return Acquisition(**{**values, **changes})


class SceneTest(unittest.TestCase):
    def setUp(self):
        self.scene = headless.start()
        headless.clear()
        self.addCleanup(headless.clear)
        # The hierarchy is made when first asked for, and then stays.
        slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self.scene)

    def node_ids(self):
        return sorted(self.scene.GetNthNode(n).GetID() for n in range(self.scene.GetNumberOfNodes()))

    def find(self, name):
        node = self.scene.GetFirstNodeByName(name)
        self.assertIsNotNone(node, name)
        return node

    def hierarchy_count(self):
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self.scene)
        return hierarchy.GetNumberOfItems()


class MapVolumeTest(SceneTest):
    def test_values_and_geometry_come_back_as_they_went_in(self):
        array = random_map()
        node = scene.addMapVolume(array, AFFINE, "chi", "ankle")
        np.testing.assert_array_equal(slicer.util.arrayFromVolume(node), array.astype(np.float32))
        np.testing.assert_allclose(scene.affineFromVolume(node), AFFINE, atol=1e-12)

    def test_a_voxel_lies_where_the_affine_says(self):
        array = np.zeros(SHAPE)
        array[4, 2, 1] = 1
        node = scene.addMapVolume(array, AFFINE, "chi", "ankle")
        matrix = slicer.util.vtkMatrixFromArray(np.eye(4))
        node.GetRASToIJKMatrix(matrix)
        ijk = slicer.util.arrayFromVTKMatrix(matrix) @ AFFINE @ (1, 2, 4, 1)
        np.testing.assert_allclose(ijk[:3], (1, 2, 4), atol=1e-9)
        self.assertEqual(node.GetImageData().GetScalarComponentAsDouble(1, 2, 4, 0), 1)

    def test_every_type_of_number_is_stored_as_float32(self):
        for dtype in (bool, np.uint8, np.int64, np.float64):
            node = scene.addMapVolume(random_map().astype(dtype), AFFINE, "mask", "ankle")
            self.assertEqual(slicer.util.arrayFromVolume(node).dtype, np.float32)

    def test_quantity_and_unit_are_standard_codes(self):
        expected = {
            "chi": ("126396", "DCM", "[ppm]"),
            "r2star": ("126395", "DCM", "/s"),
            "pdff": ("129100", "DCM", "1"),
            "field_hz": ("110807", "DCM", "Hz"),
            "local_field": ("local_field", "99TRABQSM", "[ppm]"),
        }
        for name, (value, scheme, unit) in expected.items():
            node = scene.addMapVolume(random_map(), AFFINE, name, "ankle")
            quantity, units = node.GetVoxelValueQuantity(), node.GetVoxelValueUnits()
            self.assertEqual((quantity.GetCodeValue(), quantity.GetCodingSchemeDesignator()), (value, scheme))
            self.assertEqual((units.GetCodeValue(), units.GetCodingSchemeDesignator()), (unit, "UCUM"))

    def test_every_quantity_has_a_name_with_its_unit_by_which_it_is_found(self):
        for name, quantity in QUANTITIES.items():
            node = scene.addMapVolume(random_map(), AFFINE, name, "ankle")
            self.assertIs(slicer.util.getNode(node.GetName()), node)
            if quantity.unit != "1":
                self.assertIn(quantity.unit, node.GetName())
            self.assertIn(quantity.unit, node.GetDescription())

    def test_maps_are_shown_in_the_window_and_colors_of_their_quantity(self):
        display = scene.addMapVolume(random_map(), AFFINE, "chi", "ankle").GetDisplayNode()
        self.assertFalse(display.GetAutoWindowLevel())
        self.assertEqual((display.GetWindowLevelMin(), display.GetWindowLevelMax()), QUANTITIES["chi"].display)
        self.assertEqual(display.GetColorNode().GetName(), "Grey")
        display = scene.addMapVolume(random_map(), AFFINE, "r2star", "ankle").GetDisplayNode()
        self.assertEqual((display.GetWindowLevelMin(), display.GetWindowLevelMax()), QUANTITIES["r2star"].display)
        self.assertEqual(display.GetColorNode().GetName(), "Iron")


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
        with self.assertRaisesRegex(InputError, "ankle magnitude.*expected echo times in ms"):
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


class SegmentationTest(SceneTest):
    def regions(self):
        labels = np.zeros(SHAPE, dtype=np.uint8)
        labels[1:3, 1:4, :2] = 1
        labels[3:, 2:, 1:] = 7
        return labels, {1: "subtalar", 7: "tuber", 9: "not there"}

    def test_regions_come_back_with_their_names_on_the_grid_of_a_volume(self):
        labels, names = self.regions()
        segmentation = scene.addSegmentation(labels, names, AFFINE, "regions")
        volume = scene.addMapVolume(random_map(), AFFINE, "chi", "ankle")
        ids = self.node_ids()
        again, found = scene.regionsFromSegmentation(segmentation, volume)
        self.assertEqual(list(found.values()), list(names.values()))
        for number, label in zip(found, names, strict=True):
            np.testing.assert_array_equal(again == number, labels == label)
        self.assertEqual(self.node_ids(), ids)

    def test_regions_are_taken_to_the_grid_of_another_volume(self):
        labels, names = self.regions()
        segmentation = scene.addSegmentation(labels, names, AFFINE, "regions")
        finer = AFFINE.copy()
        finer[:3, 0] /= 2
        finer[:3, 3] -= finer[:3, 0] / 2
        volume = scene.addMapVolume(np.zeros((6, 5, 8)), finer, "chi", "fine")
        again, _ = scene.regionsFromSegmentation(segmentation, volume)
        np.testing.assert_array_equal(again == 2, np.repeat(labels == 7, 2, axis=2))

    def test_a_segment_under_a_transform_is_read_where_it_is_seen(self):
        labels, names = self.regions()
        segmentation = scene.addSegmentation(labels, names, AFFINE, "regions")
        volume = scene.addMapVolume(random_map(), AFFINE, "chi", "ankle")
        matrix = np.eye(4)
        matrix[:3, 3] = AFFINE[:3, 2]  # one voxel along k
        transform = self.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
        segmentation.SetAndObserveTransformNodeID(transform.GetID())
        again, _ = scene.regionsFromSegmentation(segmentation, volume)
        np.testing.assert_array_equal(again[1:] == 2, labels[:-1] == 7)
        volume.SetAndObserveTransformNodeID(transform.GetID())
        again, _ = scene.regionsFromSegmentation(segmentation, volume)
        np.testing.assert_array_equal(again == 2, labels == 7)

    def test_a_segment_drawn_as_a_surface_is_read_too(self):
        labels = np.zeros((20, 20, 20), dtype=np.uint8)
        labels[5:15, 5:15, 5:15] = 1
        segmentation = scene.addSegmentation(labels, {1: "cube"}, np.eye(4), "regions")
        segmentation.CreateClosedSurfaceRepresentation()
        segmentation.GetSegmentation().SetSourceRepresentationName("Closed surface")
        segmentation.RemoveBinaryLabelmapRepresentation()
        volume = scene.addMapVolume(np.zeros(labels.shape), np.eye(4), "chi", "ankle")
        again, _ = scene.regionsFromSegmentation(segmentation, volume)
        # The surface is smoothed, which takes the edges of the cube away.
        self.assertEqual(np.unique(again[7:13, 7:13, 7:13]).tolist(), [1])
        self.assertAlmostEqual(np.count_nonzero(again) / 1000, 1.0, delta=0.1)

    def test_overlapping_segments_and_equal_names_are_refused(self):
        labels, names = self.regions()
        volume = scene.addMapVolume(random_map(), AFFINE, "chi", "ankle")
        segmentation = scene.addSegmentation(labels, names, AFFINE, "regions")
        segmentation.GetSegmentation().GetNthSegment(1).SetName("subtalar")
        with self.assertRaisesRegex(InputError, "Two segments of regions have the name subtalar"):
            scene.regionsFromSegmentation(segmentation, volume)
        other = scene.addSegmentation(np.ones(SHAPE, dtype=np.uint8), {1: "all"}, AFFINE, "other")
        source = other.GetSegmentation()
        source.GetNthSegment(0).SetName("everything")
        segmentation.GetSegmentation().GetNthSegment(1).SetName("tuber")
        segmentation.GetSegmentation().CopySegmentFromSegmentation(source, source.GetNthSegmentID(0))
        with self.assertRaisesRegex(InputError, "tuber and everything of regions overlap"):
            scene.regionsFromSegmentation(segmentation, volume)

    def test_a_label_without_name_is_refused_and_nothing_added(self):
        labels, names = self.regions()
        ids = self.node_ids()
        with self.assertRaisesRegex(InputError, "label 7"):
            scene.addSegmentation(labels, {1: names[1]}, AFFINE, "regions")
        self.assertEqual(self.node_ids(), ids)


class ReconstructNodesTest(SceneTest):
    @classmethod
    def setUpClass(cls):
        cls.phantom = make_phantom(PhantomSettings(shape=(36, 37, 18), seed=4, tilt_degrees=15.0))
        cls.settings = preset("default", inversion="closed-form")

    def sequences(self):
        return scene.addEchoSequences(self.phantom.acquisition, "ankle")

    def test_the_nodes_hold_what_the_arrays_give(self):
        expected = reconstruct(self.phantom.acquisition, self.settings)
        seen = []
        nodes = scene.reconstructNodes(
            *self.sequences(), settings=self.settings, progress=lambda fraction, message: seen.append(fraction)
        )
        self.assertEqual(set(nodes), set(expected.maps))
        for name in ("field_hz", "r2star", "pdff", "chi"):
            found, array = slicer.util.arrayFromVolume(nodes[name]), expected.maps[name]
            # The scan went through magnitude and phase in float32, which the search for the field hardly notices.
            close = np.isclose(found, array, rtol=1e-3, atol=1e-3 * np.abs(array).max())
            self.assertGreater(close.mean(), 0.999, name)
        np.testing.assert_allclose(scene.affineFromVolume(nodes["chi"]), self.phantom.acquisition.affine, atol=1e-9)
        self.assertEqual(seen[-1], 1.0)

    def test_results_lie_in_a_folder_and_know_their_settings(self):
        nodes = scene.reconstructNodes(*self.sequences(), settings=self.settings)
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self.scene)
        folders = {hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) for node in nodes.values()}
        self.assertEqual([hierarchy.GetItemName(folder) for folder in folders], ["ankle maps"])
        stored = Settings.from_dict(json.loads(nodes["chi"].GetAttribute("TrabecularQSM.Settings")))
        self.assertEqual(stored.inversion, "closed-form")
        self.assertEqual(stored.phase_sign, "+1")

    def test_a_cancelled_run_leaves_the_scene_as_it_was(self):
        magnitude, phase = self.sequences()
        before = self.node_ids(), self.hierarchy_count()

        def cancel(fraction, message):
            if fraction > 0.3:
                raise Cancelled

        with self.assertRaises(Cancelled):
            scene.reconstructNodes(magnitude, phase, settings=self.settings, progress=cancel)
        self.assertEqual((self.node_ids(), self.hierarchy_count()), before)

    def test_a_failure_while_nodes_are_made_leaves_the_scene_as_it_was(self):
        result = Reconstruction({"chi": random_map(), "pdff": random_map()}, self.settings, ())
        before = self.node_ids(), self.hierarchy_count()
        made = []

        def second_fails(*arguments):
            if made:
                raise MemoryError
            made.append(scene.addMapVolume(*arguments))
            return made[0]

        with mock.patch.object(reconstruct_module, "addMapVolume", second_fails), self.assertRaises(MemoryError):
            scene.addMapVolumes(result, AFFINE, "ankle")
        self.assertEqual((self.node_ids(), self.hierarchy_count()), before)


class SceneFileTest(SceneTest):
    def test_a_scene_file_holds_maps_regions_and_echoes(self):
        acquisition = random_acquisition()
        scene.addEchoSequences(acquisition, "ankle")
        maps = {name: random_map(n) for n, name in enumerate(QUANTITIES)}
        nodes = scene.addMapVolumes(Reconstruction(maps, Settings(), ()), AFFINE, "ankle")
        names = {name: node.GetName() for name, node in nodes.items()}
        labels = (np.arange(np.prod(SHAPE)).reshape(SHAPE) // 30).astype(np.uint8)
        scene.addSegmentation(labels, {1: "one", 2: "two", 3: "three"}, AFFINE, "regions")
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "ankle.mrb")
            self.assertTrue(self.scene.WriteToMRB(path, None))
            headless.clear()
            self.assertIsNone(self.scene.GetFirstNodeByName("regions"))
            self.assertTrue(self.scene.ReadFromMRB(path, True))
        for name, array in maps.items():
            node = self.find(names[name])
            np.testing.assert_array_equal(slicer.util.arrayFromVolume(node), array.astype(np.float32))
            np.testing.assert_allclose(scene.affineFromVolume(node), AFFINE, atol=1e-9)
            self.assertEqual(node.GetVoxelValueUnits().GetCodingSchemeDesignator(), "UCUM")
        chi = self.find(names["chi"])
        self.assertEqual(chi.GetVoxelValueQuantity().GetCodeMeaning(), "Magnetic Susceptibility")
        self.assertEqual(chi.GetDisplayNode().GetWindowLevelMax(), QUANTITIES["chi"].display[1])
        again, found = scene.regionsFromSegmentation(self.find("regions"), chi)
        np.testing.assert_array_equal(again, labels)
        self.assertEqual(found, {1: "one", 2: "two", 3: "three"})
        scan = scene.acquisitionFromSequences(self.find("ankle magnitude"), self.find("ankle phase"))
        np.testing.assert_allclose(scan.echoes, acquisition.echoes, atol=2e-6)
        np.testing.assert_allclose(scan.echo_times, acquisition.echo_times, rtol=1e-9)
        np.testing.assert_allclose(scan.b0_patient, acquisition.b0_patient, rtol=1e-9)


if __name__ == "__main__":
    unittest.main()
