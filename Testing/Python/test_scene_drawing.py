"""Segments to draw into, from files, and split into parts, on real MRML."""

import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
from scenes import AFFINE, SHAPE, SceneTest, random_map, slicer

from TrabecularQSMLib import scene
from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.files import nifti
from TrabecularQSMLib.files.regions import place_regions, read_regions
from TrabecularQSMLib.files.terminology import REGION_CODES
from TrabecularQSMLib.scene import regions
from TrabecularQSMLib.scene.regions import TEMPLATE, segmentColors


def moved(scene_, node, shift):
    """Put a node under a translation."""
    matrix = np.eye(4)
    matrix[:3, 3] = shift
    transform = scene_.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    node.SetAndObserveTransformNodeID(transform.GetID())
    return transform


class TemplateTest(SceneTest):
    def test_new_regions_hide_the_old_ones(self):
        volume = scene.addMapVolume(random_map(), AFFINE, "mip", "ankle")
        first = scene.regionTemplate(volume)
        self.assertTrue(first.GetDisplayNode().GetVisibility())
        second = scene.regionTemplate(volume)
        self.assertFalse(first.GetDisplayNode().GetVisibility())
        self.assertTrue(second.GetDisplayNode().GetVisibility())

    def test_the_template_has_an_empty_segment_with_codes_for_every_region_of_the_paper(self):
        volume = scene.addMapVolume(random_map(), AFFINE, "mip", "ankle")
        for side, meaning, number in (("right", "Right", ""), ("left", "Left", " 2"), ("not stated", "", " 3")):
            node = scene.regionTemplate(volume, side)
            self.assertEqual(node.GetName(), f"ankle echo MIP regions{number}")
            labels, names = scene.regionsFromSegmentation(node, volume)
            self.assertEqual((tuple(names.values()), labels.max()), (TEMPLATE, 0))
            self.assertEqual(len(set(segmentColors(node).values())), len(TEMPLATE))
            for n, name in enumerate(TEMPLATE):
                entry = slicer.vtkSlicerTerminologyEntry()
                logic = slicer.vtkSlicerTerminologiesModuleLogic()
                self.assertTrue(
                    logic.DeserializeTerminologyEntry(node.GetSegmentation().GetNthSegment(n).GetTerminology(), entry)
                )
                self.assertEqual(entry.GetTypeModifierObject().GetCodeMeaning() or "", meaning)
                self.assertEqual(entry.GetTypeObject().GetCodeMeaning(), REGION_CODES[name][1].split("^")[2])

    def test_what_is_drawn_in_the_template_lies_on_the_grid_of_its_volume(self):
        volume = scene.addMapVolume(random_map(), AFFINE, "mip", "ankle")
        transform = moved(self.scene, volume, (20.0, 0, 0))
        node = scene.regionTemplate(volume)
        self.assertIs(node.GetParentTransformNode(), transform)
        drawn = np.zeros(SHAPE, dtype=np.uint8)
        drawn[2:4, 1:4, 1:3] = 1
        segment = node.GetSegmentation().GetSegmentIdBySegmentName("calcaneus tuber")
        # The Segment Editor takes the grid of this reference; so does this function where no volume is given.
        slicer.util.updateSegmentBinaryLabelmapFromArray(drawn, node, segment, volume)
        labels, names = scene.regionsFromSegmentation(node, volume)
        np.testing.assert_array_equal(labels == list(names.values()).index("calcaneus tuber") + 1, drawn > 0)
        geometry = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
        self.assertTrue(node.GetSegmentation().GetConversionParameter(geometry))

    def test_a_volume_without_voxels_and_a_side_that_is_none_are_refused(self):
        empty = self.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
        ids = self.node_ids()
        with self.assertRaisesRegex(InputError, "volume empty has no voxels"):
            scene.regionTemplate(empty)
        volume = scene.addMapVolume(random_map(), AFFINE, "mip", "ankle")
        ids = self.node_ids()
        with self.assertRaisesRegex(InputError, "side is 'Right'; choose right, left, not stated"):
            scene.regionTemplate(volume, "Right")
        # What fails later leaves nothing behind either.
        with (
            mock.patch.object(regions, "_setCodes", side_effect=RuntimeError("no room")),
            self.assertRaisesRegex(RuntimeError, "no room"),
        ):
            scene.regionTemplate(volume)
        self.assertEqual(self.node_ids(), ids)


class LoadTest(SceneTest):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.labels = np.zeros(SHAPE, dtype=np.uint8)
        self.labels[1:3, 1:4, :2] = 3
        self.labels[3:, 2:, 1:] = 7
        self.names = {3: "calcaneus tuber", 7: "my own"}
        self.volume = scene.addMapVolume(random_map(), AFFINE, "chi", "ankle")

    def check(self, node, names):
        labels, found = scene.regionsFromSegmentation(node, self.volume)
        self.assertEqual(list(found.values()), names)
        for number, label in zip(found, (3, 7), strict=True):
            np.testing.assert_array_equal(labels == number, self.labels == label)

    def test_segments_saved_by_slicer_keep_names_codes_and_colors(self):
        saved = scene.addSegmentation(self.labels, self.names, AFFINE, "saved", codes=REGION_CODES)
        path = self.folder / "mine.seg.nrrd"
        storage = slicer.vtkMRMLSegmentationStorageNode()
        storage.SetFileName(str(path))
        self.assertTrue(storage.WriteData(saved))
        node = scene.loadRegions(path)
        self.assertEqual(node.GetName(), "mine")
        self.check(node, list(self.names.values()))
        tag = saved.GetSegmentation().GetNthSegment(0).GetTerminology()
        self.assertEqual(node.GetSegmentation().GetNthSegment(0).GetTerminology(), tag)
        for name, color in segmentColors(saved).items():
            np.testing.assert_allclose(segmentColors(node)[name], color, atol=1e-5)

    def test_segments_saved_by_slicer_are_read_without_it(self):
        saved = scene.addSegmentation(self.labels, self.names, AFFINE, "saved")
        path = self.folder / "mine.seg.nrrd"
        storage = slicer.vtkMRMLSegmentationStorageNode()
        storage.SetFileName(str(path))
        storage.CropToMinimumExtentOn()
        self.assertTrue(storage.WriteData(saved))
        labels, _, names = read = read_regions(path)
        self.assertEqual((list(names.values()), labels.size < self.labels.size), (list(self.names.values()), True))
        placed = place_regions(path, read, "map", (SHAPE, AFFINE))
        for number, label in zip(names, self.names, strict=True):
            np.testing.assert_array_equal(placed == number, self.labels == label)
        # A third segment over both others gets a layer of its own.
        over = scene.addSegmentation(self.labels > 0, {1: "all"}, AFFINE, "over").GetSegmentation().GetNthSegment(0)
        saved.GetSegmentation().AddSegment(over)
        self.assertTrue(storage.WriteData(saved))
        with self.assertRaisesRegex(InputError, "'my own' and 'all' of .*mine.seg.nrrd overlap in 27 voxels"):
            read_regions(path)
        for only in ([*self.names.values()], ["all"]):
            _, _, names = read = read_regions(path, only=only)
            self.assertEqual(list(names.values()), only)
            placed = place_regions(path, read, "map", (SHAPE, AFFINE))
            np.testing.assert_array_equal(placed > 0, self.labels > 0)

    def test_label_maps_are_named_by_their_table_or_by_number(self):
        for ending in (".nii.gz", ".nrrd"):
            path = self.folder / f"sub-01_dseg{ending}"
            nifti.write_image(path, self.labels, AFFINE)
            self.check(scene.loadRegions(path), ["label 3", "label 7"])
        (self.folder / "sub-01_dseg.tsv").write_text("index\tname\n3\tcalcaneus tuber\n7\tmy own\n", encoding="utf-8")
        node = scene.loadRegions(self.folder / "sub-01_dseg.nii.gz", "named")
        self.assertEqual(node.GetName(), "named")
        self.check(node, list(self.names.values()))
        self.assertIn("Calcaneal tubercle", node.GetSegmentation().GetNthSegment(0).GetTerminology())

    def test_what_is_no_segmentation_gets_its_sentence_and_adds_nothing(self):
        ids = self.node_ids()
        with self.assertRaisesRegex(InputError, "does not exist"):
            scene.loadRegions(self.folder / "absent.seg.nrrd")
        (self.folder / "text.seg.nrrd").write_text("no image", encoding="utf-8")
        with self.assertRaisesRegex(InputError, "cannot be read as an image"):
            scene.loadRegions(self.folder / "text.seg.nrrd")
        nifti.write_image(self.folder / "map.nii", random_map().astype(np.float32), AFFINE)
        with self.assertRaisesRegex(InputError, "not whole numbers"):
            scene.loadRegions(self.folder / "map.nii")
        nifti.write_image(self.folder / "nothing.seg.nrrd", np.zeros(SHAPE, np.uint8), AFFINE)
        with self.assertRaisesRegex(InputError, "holds no segment"):
            scene.loadRegions(self.folder / "nothing.seg.nrrd")
        self.assertEqual(self.node_ids(), ids)


class SplitTest(SceneTest):
    def setUp(self):
        super().setUp()
        labels = np.zeros(SHAPE, dtype=np.uint8)
        labels[:3], labels[4:] = 1, 2
        self.labels = labels
        self.volume = scene.addMapVolume(random_map(), AFFINE, "chi", "ankle")
        self.segmentation = scene.addSegmentation(labels, {1: "tuber", 2: "cavum"}, AFFINE, "regions")
        self.tuber = self.segmentation.GetSegmentation().GetSegmentIdBySegmentName("tuber")

    def test_a_region_becomes_parts_of_equal_size_with_its_name(self):
        node = scene.splitRegionNodes(self.segmentation, self.tuber, 4, self.volume)
        labels, names = scene.regionsFromSegmentation(node, self.volume)
        self.assertEqual(list(names.values()), ["tuber 1", "tuber 2", "tuber 3", "tuber 4"])
        np.testing.assert_array_equal(labels > 0, self.labels == 1)
        self.assertEqual(np.bincount(labels.ravel())[1:].tolist(), [15] * 4)

    def test_parts_lie_where_the_region_is_seen(self):
        transform = moved(self.scene, self.volume, (10.0, 0, 0))
        self.segmentation.SetAndObserveTransformNodeID(transform.GetID())
        node = scene.splitRegionNodes(self.segmentation, self.tuber, 2, self.volume)
        self.assertIs(node.GetParentTransformNode(), transform)
        labels, _ = scene.regionsFromSegmentation(node, self.volume)
        np.testing.assert_array_equal(labels > 0, self.labels == 1)

    def test_wrong_input_gets_its_sentence_and_adds_nothing(self):
        far = AFFINE.copy()
        far[:3, 3] += 1000
        elsewhere = scene.addMapVolume(random_map(), far, "chi", "far")
        ids = self.node_ids()
        for segment, count, volume, sentence in (
            (None, 2, self.volume, "regions has 2 segments; choose the one that is the region to split"),
            (self.tuber, 2, elsewhere, "tuber of regions has no voxel inside the scan; draw it where the scan is.$"),
            (self.tuber, 100, self.volume, "has 60 voxels, fewer than the 100 parts"),
        ):
            with self.assertRaisesRegex(InputError, sentence):
                scene.splitRegionNodes(self.segmentation, segment, count, volume)
        self.assertEqual(self.node_ids(), ids)


if __name__ == "__main__":
    unittest.main()
