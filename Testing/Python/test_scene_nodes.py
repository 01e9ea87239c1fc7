"""Nodes of another class than is asked for, and volumes without values: every step says so and adds nothing."""

import functools
import unittest

import numpy as np
from scenes import AFFINE, SHAPE, SceneTest, random_map, slicer

from TrabecularQSMLib import scene
from TrabecularQSMLib.errors import InputError

# What a user may choose by mistake, or a script pass on.
CLASSES = (
    "vtkMRMLTextNode",
    "vtkMRMLModelNode",
    "vtkMRMLLinearTransformNode",
    "vtkMRMLScalarVolumeNode",  # without voxels
    "vtkMRMLDiffusionTensorVolumeNode",
)


class ClassTest(SceneTest):
    def setUp(self):
        super().setUp()
        self.volume = scene.addMapVolume(random_map(), AFFINE, "chi", "ankle")
        labels = np.zeros(SHAPE, np.uint8)
        labels[1:3, 1:4, :2] = 1
        self.regions = scene.addSegmentation(labels, {1: "tuber"}, AFFINE, "regions")
        self.line = self.scene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", "line")
        for point in ((-31.0, 12.5, 7.0), (-30.0, 13.0, 8.0)):
            self.line.AddControlPoint(point)
        self.wrong = [None, *(self.scene.AddNewNodeByClass(name, f"a {name}") for name in CLASSES)]
        self.wrong += [self.flat(), self.valueless()]

    def flat(self):
        """A volume one of whose axes has no length."""
        node = scene.addMapVolume(random_map(), AFFINE, "pdff", "flat")
        node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(np.diag([1.0, 1.0, 0.0, 1.0])))
        return node

    def valueless(self):
        """A volume whose image has a size and no values."""
        node = self.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "valueless")
        image = slicer.vtkOrientedImageData()
        image.SetDimensions(4, 5, 6)
        node.SetAndObserveImageData(image)
        return node

    def assert_told(self, step, wrong):
        for node in wrong:
            name = "nothing" if node is None else node.GetName()
            ids = self.node_ids()
            with self.subTest(node=name), self.assertRaises(InputError) as caught:
                step(node)
            self.assertNotIn("vtkMRML", str(caught.exception).replace(name, ""))
            self.assertEqual(self.node_ids(), ids, name)

    def test_where_a_volume_is_asked_for(self):
        volume, measure = self.volume, functools.partial(scene.measureNodes, case="a")
        steps = {
            "measure": lambda node: measure([node], self.regions),
            "register, fixed": lambda node: scene.registerNodes(node, volume),
            "register, moving": lambda node: scene.registerNodes(volume, node),
            "checkerboard": lambda node: scene.checkerboardNodes(volume, node),
            "phase cycles": lambda node: scene.combinePhaseCyclesNodes([volume, node]),
            "one phase cycle": lambda node: scene.combinePhaseCyclesNodes([node]),
            "profile": lambda node: scene.profileNodes([node], self.line),
            "split": lambda node: scene.splitRegionNodes(self.regions, None, 2, node),
            "mask": lambda node: scene.maskFromSegment(self.regions, None, node),
            "template": scene.regionTemplate,
            "bone reference": lambda node: scene.proposeBoneReferenceNode(node, self.regions),
            "bones": lambda node: scene.proposeRegionsNodes([node]),
            "field": lambda node: scene.reconstructField(node, "local", "ppm"),
            "echo": lambda node: scene.sequencesFromVolumes([volume, node], None, [1.0, 2.0], "scan"),
        }
        for name, step in steps.items():
            with self.subTest(step=name):
                self.assert_told(step, self.wrong)

    def test_where_another_node_is_asked_for(self):
        volume, regions = self.volume, self.regions
        volumes = volume, scene.addMapVolume(random_map(1), AFFINE, "r2star", "ankle")
        steps = {
            "regions": lambda node: scene.measureNodes([volume], node, case="a"),
            "line": lambda node: scene.profileNodes([volume], node),
            "landmarks": lambda node: scene.registerNodes(*volumes, start="landmarks", landmarks=(node, self.line)),
            "regression": lambda node: scene.regressNodes([node], "x", "y"),
            "scan": lambda node: scene.acquisitionFromSequences(node, None, fieldStrength=3.0),
        }
        for name, step in steps.items():
            with self.subTest(step=name):
                self.assert_told(step, self.wrong)
        self.assert_told(lambda node: scene.measureNodes([volume], regions, case="a", table=node), self.wrong[1:])

    def test_a_label_map_of_fractions_is_told(self):
        node = self.scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
        slicer.util.updateVolumeFromArray(node, np.linspace(0, 2, 120).reshape(SHAPE))
        with self.assertRaisesRegex(InputError, "labels holds the value 0.01681, but labels are whole"):
            scene.measureNodes([self.volume], node, case="a")


if __name__ == "__main__":
    unittest.main()
