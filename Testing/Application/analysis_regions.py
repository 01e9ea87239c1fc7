"""Regions of the module TrabecularQSMAnalysis; panel_trabecularqsmanalysis.py runs these."""

import tempfile
from pathlib import Path
from unittest import mock

import driving
import numpy as np
import qt
import slicer
from case_analysis import AFFINE, AnalysisCase, image, labels, tick

from TrabecularQSMLib import scene
from TrabecularQSMLib.files import nifti
from TrabecularQSMLib.scene.gui.connectors import followSegmentation
from TrabecularQSMLib.scene.regions import TEMPLATE


class SameNameSelector:
    """As qMRMLSegmentSelectorWidget does: a node of the same name is taken without a signal, the segments stay."""

    def __init__(self, segments):
        self.segments, self.node, self.segment = segments, None, ""

    def currentNode(self):
        return self.node

    def currentSegmentID(self):
        return self.segment

    def setCurrentNode(self, node):
        signals = node is None or self.node is None or node.GetName() != self.node.GetName()
        self.node = node
        if signals and node:
            self.segment = self.segments[id(node)]

    def setCurrentSegmentID(self, segment):
        self.segment = segment


class RegionsTest(AnalysisCase):
    def edited(self):
        """Segmentation and volume in the Segment Editor of the panel."""
        editor = self.ui.segmentEditor
        if not hasattr(editor, "_calls"):  # the application's
            return editor.segmentationNode(), editor.sourceVolumeNode()
        told = dict(editor._calls)
        nodes = [told.get(f"set{name}Node", (None,))[0] for name in ("Segmentation", "SourceVolume")]
        return tuple(nodes)

    def ankle(self):
        """Fat fraction, echo MIP and bSSFP of a ball of marrow behind cortex within muscle."""
        found = []
        # The bSSFP is finer, and bone is wider in it.
        for quantity, size, spacing, edge in (("pdff", 40, 2, 20), ("mip", 40, 2, 20), ("mip", 79, 1, 24)):
            radius = spacing * np.linalg.norm(np.indices((size,) * 3) - (size - 1) / 2, axis=0)
            tissues = [radius < 16, radius < edge, radius < 36]
            array = np.select(tissues, [90.0, 3.0, 3.0] if quantity == "pdff" else [900.0, 60.0, 900.0])
            if quantity == "mip":
                array += np.random.default_rng(0).normal(0, 5, radius.shape)
            found.append(scene.addMapVolume(array, np.diag([spacing, spacing, spacing, 1.0]), quantity, "ball"))
        return found

    def test_empty_regions_are_made_selected_and_drawn_in_the_panel(self):
        mip = self.volume(image())
        self.ui.referenceSelector.setCurrentNode(mip)
        self.ui.sideComboBox.currentIndex = self.ui.sideComboBox.findText("left")
        self.ui.templateButton.click()
        node = self.ui.segmentationSelector.currentNode()
        segments = map(node.GetSegmentation().GetNthSegment, range(len(TEMPLATE)))
        tags = {segment.GetName(): segment.GetTerminology() for segment in segments}
        self.assertEqual(tuple(tags), TEMPLATE)
        self.assertIn("Left", tags["calcaneus tuber"])
        self.assertIn(node.GetName(), self.ui.statusLabel.text)
        self.assertIsNone(self.edited()[0])
        self.addCleanup(setattr, self.ui.drawCollapsibleButton, "collapsed", True)
        self.ui.drawCollapsibleButton.collapsed = False
        self.assertEqual(self.edited(), (node, mip))
        for leave, come_back in (
            (lambda: self.ui.measureStepButton.click(), lambda: self.ui.regionsStepButton.click()),
            (self.representation.exit, self.representation.enter),
        ):
            leave()
            self.assertIsNone(self.edited()[0])
            come_back()
            self.assertEqual(self.edited(), (node, mip))
        other = self.regions()
        self.assertIs(self.edited()[0], other)
        self.widget.onLastWindowClosed()
        self.assertIsNone(self.edited()[0])
        self.widget.refresh()
        self.assertIs(self.edited()[0], other)
        slicer.mrmlScene.Clear(0)
        self.assertIsNone(self.edited()[0])
        self.assertFalse(self.ui.drawCollapsibleButton.enabled)

    def test_nothing_is_drawn_during_a_run(self):
        self.regions()
        self.addCleanup(setattr, self.ui.drawCollapsibleButton, "collapsed", True)
        self.ui.drawCollapsibleButton.collapsed = False
        seen = []
        self.during(lambda: seen.append(self.edited()[0]))
        self.ui.registrationStepButton.click()
        self.ui.regionsStepButton.click()
        self.assertIsNotNone(self.edited()[0])
        self.register()
        self.assertEqual(seen, [None])
        self.assertIsNotNone(self.edited()[0])

    def test_bones_are_proposed_as_outlines_with_a_note(self):
        self.assertFalse(self.ui.proposeButton.enabled)
        self.assertIn("no fat fraction", self.ui.proposeButton.toolTip)
        _fraction, mip, bssfp = self.ankle()
        self.ui.referenceSelector.setCurrentNode(mip)
        self.assertTrue(self.ui.proposeButton.enabled)
        before = driving.names()
        self.during(self.ui.cancelButton.click)
        self.ui.proposeButton.click()
        self.assertEqual((self.ui.statusLabel.text, driving.names()), ("Cancelled.", before))
        self.ui.proposeButton.click()
        node = self.ui.segmentationSelector.currentNode()
        self.assertGreater(node.GetSegmentation().GetNumberOfSegments(), 0)
        self.assertFalse(node.GetDisplayNode().GetVisibility2DFill())
        self.assertIn("Proposed in ball", self.ui.statusLabel.text)
        self.assertTrue(self.ui.statusLabel.text.endswith("Look at each region before you measure."))
        self.assertEqual(driving.toolTip(self.ui.proposeBoneButton), "Select the bSSFP image")
        self.ui.bvtvImageSelector.setCurrentNode(bssfp)
        self.ui.proposeBoneButton.click()
        bone = self.ui.boneSelector.currentNode()
        self.assertEqual(self.p.bvtv.bone_segment, bone.GetSegmentation().GetNthSegmentID(0))

    def test_maps_on_two_grids_are_not_taken_for_a_pair(self):
        fraction = self.ankle()[0]
        fraction.SetOrigin(1, 2, 3)
        self.widget.refresh()
        self.assertFalse(self.ui.proposeButton.enabled)

    def test_another_segmentation_of_the_same_name_has_its_own_segment_selected(self):
        nodes = [mock.Mock(), mock.Mock()]
        for node, segment in zip(nodes, "ab", strict=True):
            node.GetName.return_value = "bone"
            node.GetSegmentation().GetSegment.side_effect = lambda name, own=segment: name == own or None
        selector = SameNameSelector(dict(zip(map(id, nodes), "ab", strict=True)))
        self.assertEqual(followSegmentation(selector, nodes[0], "", self.fail), "a")
        self.assertEqual(followSegmentation(selector, nodes[1], "a", self.fail), "b")

    def test_what_a_button_added_is_undone_in_one_step(self):
        model = slicer.mrmlScene.CreateNodeByClass("vtkMRMLTableNode")
        model.UnRegister(None)
        model.SetUndoEnabled(True)
        slicer.mrmlScene.AddDefaultNode(model)
        self.addCleanup(slicer.mrmlScene.GetDefaultNodeByClass("vtkMRMLTableNode").SetUndoEnabled, False)
        self.addCleanup(slicer.mrmlScene.SetUndoFlag, slicer.mrmlScene.GetUndoFlag())
        self.addCleanup(slicer.mrmlScene.ClearUndoStack)
        slicer.mrmlScene.SetUndoFlag(True)
        self.regions()
        self.ui.caseLineEdit.text = "sub-01"
        tick(self.ui.mapsSelector, self.volume(image()))
        levels = slicer.mrmlScene.GetNumberOfUndoLevels()
        self.ui.measureButton.click()
        self.assertIsNotNone(self.p.measure.table)
        self.assertEqual(slicer.mrmlScene.GetNumberOfUndoLevels(), levels + 1)
        slicer.mrmlScene.Undo()
        self.assertEqual(slicer.util.getNodesByClass("vtkMRMLTableNode"), [])
        before = driving.names()
        self.during(self.ui.cancelButton.click)
        self.ui.measureButton.click()
        self.assertEqual(self.ui.statusLabel.text, "Cancelled.")
        found = slicer.mrmlScene.GetNumberOfUndoLevels(), slicer.mrmlScene.GetNumberOfRedoLevels(), driving.names()
        self.assertEqual(found, (levels, 0, before))

    def test_regions_come_from_a_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "labels.nii.gz")
            nifti.write_image(path, labels(), AFFINE)
            with mock.patch.object(qt.QFileDialog, "getOpenFileName", return_value=path):
                self.ui.loadRegionsButton.click()
        self.assertEqual(self.p.segmentation.GetSegmentation().GetNumberOfSegments(), 3)

    def test_a_region_is_split(self):
        self.regions()
        self.ui.referenceSelector.setCurrentNode(self.volume(image()))
        self.ui.splitCountSpinBox.value = 4
        self.ui.splitButton.click()
        parts = slicer.mrmlScene.GetFirstNodeByName("subtalar parts")
        self.assertEqual(parts.GetSegmentation().GetNumberOfSegments(), 4)

    def test_a_segmentation_without_segments_has_none_selected(self):
        self.regions()
        self.assertNotEqual(self.p.bvtv.bone_segment, "")
        empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        # The real widget goes on to give the segment of the segmentation before.
        with mock.patch.object(type(self.ui.boneSegmentSelector), "currentSegmentID", return_value="gone"):
            self.ui.segmentationSelector.setCurrentNode(empty)
            self.assertEqual(self.p.bvtv.bone_segment, "")
