"""The panel of the module TrabecularQSMAnalysis, driven as a user would. Needs the application: its widgets and scene.

cd Testing/Application
Slicer --testing --additional-module-paths ../../TrabecularQSM --python-script panel_trabecularqsmanalysis.py
"""

import tempfile
from pathlib import Path
from unittest import mock

import driving
import numpy as np
import slicer
from analysis_cohort import CohortTest
from analysis_numbers import NumbersTest
from analysis_regions import RegionsTest
from case_analysis import LISTS, SHAPE, AnalysisCase, image, tick

from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.phantom import CompanionSettings, PhantomSettings
from TrabecularQSMLib.scene.gui.analysis import STEPS
from TrabecularQSMLib.scene.tables import Column, addTable, rowsFromTable


class PanelTest(AnalysisCase):
    def test_every_parameter_is_bound_to_a_widget(self):
        self.check_every_parameter_is_bound()

    def test_every_input_drives_its_parameter_and_back(self):
        nodes = {"segmentation": self.regions(), "registration.mask": self.bone()}
        nodes["bvtv.bone_segmentation"] = nodes["registration.mask"]
        volumes = ("regions.reference", "registration.fixed", "registration.moving", "bvtv.image", "ct.volume")
        nodes |= dict.fromkeys(volumes, self.volume(image()))
        nodes |= dict.fromkeys(("measure.table", "bvtv.table", "ct.table"), addTable("table", [Column("x", [1.0])]))
        points = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
        nodes |= dict.fromkeys(("registration.fixed_landmarks", "registration.moving_landmarks"), points)
        nodes["profile.line"] = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsLineNode")
        parameters = driving.bound(self.widget)
        for name, child in sorted(parameters.items(), key=lambda item: item[0] not in nodes):
            before = self.p.getValue(name)
            if name in nodes:
                child.setCurrentNode(nodes[name])
                self.assertIs(self.p.getValue(name), nodes[name], name)
            elif name in LISTS:
                tick(child, nodes["bvtv.table" if name == "regression.tables" else "ct.volume"])
                self.assertEqual(len(self.p.getValue(name)), 1, name)
            elif name == "regions.split_segment":
                child.setCurrentSegmentID(nodes["segmentation"].GetSegmentation().GetNthSegmentID(1))
                self.assertNotEqual(self.p.getValue(name), before)
            elif name == "bvtv.bone_segment":
                segment = nodes["bvtv.bone_segmentation"].GetSegmentation().GetNthSegmentID(0)
                self.assertEqual(self.p.getValue(name), segment)
            else:
                if hasattr(child, "checked") and not hasattr(child, "value"):
                    child.checked = not child.checked
                elif hasattr(child, "currentPath"):
                    child.currentPath = "/somewhere"
                elif hasattr(child, "currentIndex"):
                    child.currentIndex = (child.currentIndex + 1) % child.count
                elif hasattr(child, "placeholderText"):
                    child.text = "7"
                else:
                    child.value = child.value + 2 * child.singleStep
                self.assertNotEqual(self.p.getValue(name), before, name)
                self.p.setValue(name, before)

    def test_buttons_say_what_is_missing(self):
        reasons = {
            "registerButton": "Select the fixed volume",
            "measureButton": "Enter the case",
            "bvtvButton": "Enter the case",
            "ctButton": "Enter the case",
            "profileButton": "Tick at least one volume",
            "regressButton": "Tick at least one table",
        }
        for name, reason in reasons.items():
            button = getattr(self.ui, name)
            self.assertEqual((button.text, driving.toolTip(button), button.enabled), (reason, reason, False))
        self.assertEqual(self.ui.templateButton.text, "Create empty")
        self.assertEqual(driving.toolTip(self.ui.templateButton), "Select the volume to draw on")
        self.ui.caseLineEdit.text = "sub-01"
        self.assertEqual(self.ui.measureButton.text, "Select the regions")
        self.regions()
        self.assertEqual(self.ui.measureButton.text, "Tick at least one map")
        tick(self.ui.mapsSelector, self.volume(image()))
        self.assertEqual((self.ui.measureButton.text, self.ui.measureButton.enabled), ("Measure", True))

    def test_closing_the_scene_cancels(self):
        self.during(lambda: slicer.mrmlScene.Clear(0))
        self.register()
        self.assertEqual(self.ui.statusLabel.text, "Cancelled.")
        self.assertFalse(self.ui.registerButton.enabled)

    def test_one_step_is_shown_at_a_time_with_what_was_said_of_it(self):
        self.check_steps(STEPS)
        self.regions()
        self.ui.caseLineEdit.text = "sub-01"
        tick(self.ui.mapsSelector, self.volume(image()))
        self.ui.measureStepButton.click()
        self.ui.measureButton.click()
        said = self.ui.statusLabel.text
        self.assertIn("rows", said)
        self.ui.bvtvStepButton.click()
        self.assertEqual(self.ui.statusLabel.text, "")
        self.ui.measureStepButton.click()
        self.assertEqual(self.ui.statusLabel.text, said)
        slicer.mrmlScene.Clear(0)
        self.assertEqual(self.ui.statusLabel.text, "")

    def test_the_step_is_seen_whole_on_a_laptop(self):
        self.ui.startComboBox.currentIndex = self.ui.startComboBox.findText("landmarks")
        buttons = "propose register measure bvtv ct profile regress cohortRun".split()
        self.check_laptop(dict(zip(STEPS, buttons, strict=True)))

    def test_the_layout_before_results_comes_back(self):
        self.doCleanups()  # show the real thing
        layouts = self.layouts()
        before = layouts.layout
        self.assertFalse(self.ui.layoutButton.enabled)
        self.regions()
        self.ui.caseLineEdit.text = "sub-01"
        tick(self.ui.mapsSelector, self.volume(image()))
        self.ui.measureButton.click()
        shown = layouts.layout
        self.assertNotEqual(shown, before)
        self.ui.measureButton.click()  # from its own layout
        self.assertEqual(layouts.layout, shown)
        self.ui.layoutButton.click()
        self.assertEqual(layouts.layout, before)
        self.assertFalse(self.ui.layoutButton.enabled)

    def test_wrong_input_is_said_and_leaves_the_scene_as_it_was(self):
        self.regions()
        self.ui.caseLineEdit.text = "sub-01"
        self.ui.bvtvImageSelector.setCurrentNode(self.volume(np.ones(SHAPE)))
        self.ui.boneSelector.setCurrentNode(self.bone())
        before = driving.names()
        with self.assertRaisesRegex(InputError, "The image is 1 everywhere"):
            self.widget.onBvtvButton()
        self.assertIn("BV/TV could not be computed.", self.ui.statusLabel.text)
        self.assertEqual(driving.names(), before)

    def test_parameters_of_another_version_have_their_defaults(self):
        wrong = {"registration.start": "anywhere", "regions.split_count": "many"}
        self.check_parameters_of_another_version(wrong, "bvtv.bias_correction")

    def test_nothing_is_left_of_a_visit(self):
        self.check_nothing_is_left_of_a_visit()

    def test_a_saved_scene_restores_the_panel(self):
        regions = self.regions()
        segment = regions.GetSegmentation().GetNthSegmentID(1)
        self.ui.splitSegmentSelector.setCurrentSegmentID(segment)
        self.ui.caseLineEdit.text = "sub-07"
        self.ui.ruleComboBox.currentIndex = 1
        tick(self.ui.mapsSelector, self.volume(image()))
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "panel.mrb")
            self.assertTrue(slicer.util.saveScene(path))
            slicer.mrmlScene.Clear(0)
            self.assertEqual(self.ui.caseLineEdit.text, "")
            slicer.util.loadScene(path)
        self.assertEqual(self.ui.caseLineEdit.text, "sub-07")
        self.assertEqual(self.ui.segmentationSelector.currentNode().GetName(), "regions")
        self.assertEqual(self.ui.splitSegmentSelector.currentSegmentID(), segment)
        self.assertEqual(self.ui.ruleComboBox.currentText, "robust")
        self.assertEqual(len(self.p.measure.maps), 1)

    def test_the_sample_fills_in_the_panel(self):
        from TrabecularQSMLib.scene.gui import samples

        quick = {
            "SAMPLE": PhantomSettings(shape=(40, 40, 20)),
            "SAMPLE_COMPANIONS": CompanionSettings(
                bssfp_voxel_mm=(1.5, 1.5, 2), ct_voxel_mm=(3, 3, 3), structure_mm=0.5
            ),
        }
        with mock.patch.multiple(samples, **quick):
            added = samples.loadCompanions(self.widget.logic)
        self.assertIn(self.ui.bvtvImageSelector.currentNode(), added)
        for name in ("registerButton", "measureButton", "bvtvButton", "ctButton"):
            self.assertTrue(getattr(self.ui, name).enabled, getattr(self.ui, name).text)
        # A second sample's rows go into the same table, as another case.
        self.ui.measureButton.click()
        rows = len(rowsFromTable(self.p.measure.table))
        with mock.patch.multiple(samples, **quick):
            samples.loadCompanions(self.widget.logic)
        self.ui.measureButton.click()
        found = rowsFromTable(self.p.measure.table)
        self.assertEqual(len(found), 2 * rows)
        self.assertEqual(list(dict.fromkeys(row["case"] for row in found)), ["ankle phantom", "ankle phantom 2"])
        # Slicer's subject hierarchy logs a critical error for a segmentation that changes while the scene closes.
        changed = []
        for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
            node.AddObserver(node.DisplayModifiedEvent, lambda node, event: changed.append((node.GetName(), event)))
            for event in ("SegmentAdded", "SegmentRemoved", "SegmentModified", "SegmentsOrderModified"):
                number = getattr(node.GetSegmentation(), event)
                node.AddObserver(number, lambda node, event: changed.append((node.GetName(), event)))
        slicer.mrmlScene.Clear(0)
        self.assertEqual(changed, [])

    def test_an_imported_scene_leaves_the_selection_as_it_is(self):
        mip = self.volume(image())
        self.ui.fixedSelector.setCurrentNode(mip)
        slicer.mrmlScene.StartState(slicer.mrmlScene.ImportState)
        # Selectors list all nodes anew then, which sets them to nothing for a moment.
        self.ui.fixedSelector.setCurrentNode(None)
        slicer.mrmlScene.EndState(slicer.mrmlScene.ImportState)
        self.assertIs(self.p.registration.fixed, mip)
        self.assertIs(self.ui.fixedSelector.currentNode(), mip)

    def test_the_image_that_is_shown_is_taken_of_two_of_one_name(self):
        first, second = (self.volume(image()) for _ in range(2))
        second.SetName(first.GetName())
        self.check_a_namesake_is_taken("bvtv.image", first, second)

    def test_what_is_removed_is_not_replaced_by_its_neighbor(self):
        masks = [self.bone() for _ in range(3)]
        volumes = [self.volume(image(), name) for name in "abc"]
        self.ui.registrationMaskSelector.setCurrentNode(masks[1])
        self.ui.bvtvImageSelector.setCurrentNode(volumes[1])
        slicer.mrmlScene.RemoveNode(masks[1])
        slicer.mrmlScene.RemoveNode(volumes[1])
        self.assertIsNone(self.p.registration.mask)
        self.assertIsNone(self.ui.registrationMaskSelector.currentNode())
        self.assertIsNone(self.p.bvtv.image)


class ReloadTest(driving.PanelCase):
    module = "TrabecularQSMAnalysis"

    def test_reload_builds_a_new_panel_on_a_new_library(self):
        self.check_reload("case", "caseLineEdit")


if __name__ == "__main__":
    # The reload comes last: these files go on with the library they imported.
    driving.run(CohortTest, RegionsTest, NumbersTest, PanelTest, ReloadTest)
