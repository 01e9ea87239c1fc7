"""Bones proposed on nodes, and the command's file as Slicer reads it, on real MRML."""

import shutil
import tempfile
from pathlib import Path

import hindfoot
import numpy as np
from hindfoot import AFFINE
from scenes import SceneTest, slicer
from test_cli_regions import write_maps

from TrabecularQSMLib import scene
from TrabecularQSMLib.analysis.bones import propose_bones
from TrabecularQSMLib.cli import main
from TrabecularQSMLib.errors import Cancelled, InputError
from TrabecularQSMLib.files.terminology import segment_color
from TrabecularQSMLib.scene.bones import NOTES_ATTRIBUTE


def tags(segmentation):
    """Type and modifier of the segments in words, by their names."""
    found = {}
    for number in range(segmentation.GetSegmentation().GetNumberOfSegments()):
        segment = segmentation.GetSegmentation().GetNthSegment(number)
        _, _, kind, modifier, *_ = segment.GetTerminology().split("~")
        found[segment.GetName()] = (kind.split("^")[2], modifier.split("^")[2])
    return found


class ProposalTest(SceneTest):
    @classmethod
    def setUpClass(cls):
        cls.arrays, cls.marrow = hindfoot.hindfoot()
        cls.bones = propose_bones(cls.arrays, AFFINE)

    def add(self, arrays=None, affine=AFFINE):
        arrays = self.arrays if arrays is None else arrays
        return {name: scene.addMapVolume(array, affine, name, "ankle") for name, array in arrays.items()}

    def test_segments_have_names_and_terminology_and_lie_where_the_maps_are(self):
        maps = self.add()
        transform = self.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        for volume in maps.values():
            volume.SetAndObserveTransformNodeID(transform.GetID())
        segmentation = scene.proposeRegionsNodes(maps, side="left")
        self.assertEqual(segmentation.GetName(), "ankle proposed regions")
        self.assertEqual(segmentation.GetTransformNodeID(), transform.GetID())
        labels, names = scene.regionsFromSegmentation(segmentation, maps["pdff"])
        self.assertEqual(names, self.bones.names)
        np.testing.assert_array_equal(labels, self.bones.labels)
        found = tags(segmentation)
        self.assertEqual(found["tibia"], ("Tibia", "Left"))
        self.assertEqual(found["calcaneus remainder"], ("Calcaneus", "Left"))
        self.assertEqual(found["calcaneus cavum"], ("Cavum calcanei", "Left"))
        self.assertEqual(tags(scene.proposeRegionsNodes(maps, side="not stated"))["talus"], ("Talus", ""))

    def test_the_calcaneus_stays_whole_if_asked(self):
        segmentation = scene.proposeRegionsNodes(self.add(), cut=False, name="mine")
        self.assertEqual((segmentation.GetName(), list(tags(segmentation))), ("mine", list(hindfoot.NAMES)))

    def test_bones_without_names_have_a_note_and_the_code_of_bone(self):
        arrays, _ = hindfoot.hindfoot(bones=("talus",))
        segmentation = scene.proposeRegionsNodes(list(self.add(arrays).values()), side="right")
        self.assertEqual(tags(segmentation), {"bone 1": ("Bone", "")})
        self.assertRegex(segmentation.GetAttribute(NOTES_ATTRIBUTE), "no bone is named")

    def test_the_mask_and_the_bone_reference_are_segments_too(self):
        maps = self.add()
        segmentation = scene.proposeRegionsNodes(maps)
        node = scene.proposeMaskNode(maps, segmentation)
        mask = scene.maskFromSegment(node, None, maps["mask"])
        self.assertTrue(mask[self.bones.labels > 0].all())
        self.assertLess(mask.sum(), self.arrays["mask"].sum())
        # The maps themselves are an image whose cortex is one voxel wide: nothing in it is cortex as a whole.
        image = scene.addMapVolume(self.arrays["mip"], AFFINE, "mip", "bSSFP")
        with self.assertRaisesRegex(InputError, r"bSSFP echo MIP \[a.u.\]: The image shows no cortex"):
            scene.proposeBoneReferenceNode(image, segmentation)
        distance = np.linalg.norm(np.stack(np.indices((50, 50, 50))) - 24.5, axis=0)
        array = np.where(distance < 15, 900.0, np.where(distance < 19, 50.0, 450.0))
        ball = scene.addSegmentation(
            (distance < 15).astype(np.uint8), {1: "bone 1"}, np.diag([0.5, 0.5, 0.5, 1]), "ball"
        )
        image = scene.addMapVolume(array, np.diag([0.5, 0.5, 0.5, 1]), "mip", "ball")
        reference = scene.proposeBoneReferenceNode(image, ball)
        self.assertEqual(tags(reference), {"bone": ("Bone", "")})
        bone = scene.maskFromSegment(reference, None, image)
        self.assertGreater(bone.sum(), 1000)
        self.assertEqual(np.unique(array[bone]).tolist(), [50.0])

    def test_nothing_is_added_if_it_fails_or_is_cancelled(self):
        maps = self.add()
        no_bone = self.add(hindfoot.hindfoot(cortex=0)[0])
        moved = AFFINE.copy()
        moved[0, 3] += 5
        other = {"pdff": maps["pdff"], "mip": scene.addMapVolume(self.arrays["mip"], moved, "mip", "other")}
        ids = self.node_ids()

        def cancel(fraction, message):
            raise Cancelled(message)

        for given, words in (
            (no_bone, "ankle fat fraction 2 shows no marrow behind cortex"),
            ({"pdff": maps["pdff"]}, "no map of mip among the volumes"),
            (other, "different grids"),
            ([*maps.values(), no_bone["pdff"]], "are both pdff"),
        ):
            with self.assertRaisesRegex(InputError, words):
                scene.proposeRegionsNodes(given)
        with self.assertRaises(Cancelled):
            scene.proposeRegionsNodes(maps, progress=cancel)
        self.assertEqual(self.node_ids(), ids)

    def test_slicer_reads_the_file_of_the_command_with_names_colors_and_terminology(self):
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        path = folder / "regions.seg.nrrd"
        write_maps(folder / "maps", self.arrays)
        self.assertEqual(main(["regions", str(folder / "maps"), "--output", str(path), "--side", "right"]), 0)
        node = self.scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        storage = slicer.vtkMRMLSegmentationStorageNode()
        storage.SetFileName(str(path))
        self.assertTrue(storage.ReadData(node))
        self.assertEqual(tags(node), tags(scene.proposeRegionsNodes(self.add(), side="right")))
        for number in range(node.GetSegmentation().GetNumberOfSegments()):
            color = node.GetSegmentation().GetNthSegment(number).GetColor()
            np.testing.assert_allclose(color, segment_color(number), atol=1e-5)
        volume = scene.addMapVolume(self.arrays["pdff"], AFFINE, "pdff", "ankle")
        labels, names = scene.regionsFromSegmentation(node, volume)
        self.assertEqual(names, self.bones.names)
        np.testing.assert_array_equal(labels, self.bones.labels)
        # All segments share one layer, as Slicer keeps those that do not overlap.
        self.assertEqual(node.GetSegmentation().GetNumberOfLayers(), 1)
