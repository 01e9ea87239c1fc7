"""The panel of the module TrabecularQSMAnalysis, driven as a user would. Needs the application: its widgets and scene.

cd Testing/Application
Slicer --testing --additional-module-paths ../../TrabecularQSM --python-script panel_trabecularqsmanalysis.py
"""

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from unittest import mock

import driving
import numpy as np
import qt
import slicer

from TrabecularQSMLib import scene
from TrabecularQSMLib.errors import Cancelled, InputError
from TrabecularQSMLib.files import nifti
from TrabecularQSMLib.files.phantom import write_phantom
from TrabecularQSMLib.phantom import CompanionSettings, PhantomSettings, make_phantom
from TrabecularQSMLib.scene.gui import packages
from TrabecularQSMLib.scene.gui.analysis import STEPS
from TrabecularQSMLib.scene.gui.connectors import followSegmentation
from TrabecularQSMLib.scene.regions import TEMPLATE
from TrabecularQSMLib.scene.registration import qualityOf
from TrabecularQSMLib.scene.tables import Column, addTable, rowsFromTable
from TrabecularQSMLib.scene.volumes import nameOf
from TrabecularQSMLib.settings import preset

AFFINE = np.diag([2.0, 2.0, 3.0, 1.0])
SHAPE = (24, 26, 28)
TINY = make_phantom(PhantomSettings(shape=(30, 31, 14), seed=1))
LISTS = ("measure.maps", "bvtv.cycles", "profile.volumes", "regression.tables")


def labels():
    """Two regions, and cortex between them."""
    array = np.zeros(SHAPE, dtype=np.uint8)
    array[4:20, 4:22, 3:11], array[4:20, 4:22, 17:25], array[4:20, 4:22, 13:15] = 1, 2, 3
    return array


def image(seed=1):
    rng = np.random.default_rng(seed)
    share = np.select([labels() == 1, labels() == 2, labels() == 3], [0.4, 0.2, 1.0], 0.0)
    return np.where(rng.random(SHAPE) < share, 50, 1000) * (0.1 + (labels() > 0)) + rng.normal(0, 20, SHAPE)


def tick(selector, *nodes):
    """Tick these nodes and no others."""
    for number in range(selector.nodeCount()):
        selector.setCheckState(selector.nodeFromIndex(number), qt.Qt.Unchecked)
    for node in nodes:
        selector.setCheckState(node, qt.Qt.Checked)


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


def emit(signal, *arguments):
    """Emit a signal of a widget, as a user's click would."""
    getattr(signal, "emit", signal)(*arguments)


class StandInCohort:
    """In place of study.background.BackgroundCohort: goes on until it is stopped."""

    def __init__(self, *arguments):
        self.stopped = False

    def is_running(self):
        return not self.stopped

    def progress(self):
        return 0.4, "sub-01: Inverting"

    def stop(self):
        self.stopped = True

    def result(self):
        raise Cancelled("What is finished stays.")


class PanelTest(driving.PanelCase):
    module = "TrabecularQSMAnalysis"

    def setUp(self):
        super().setUp()
        self.record("showNumbers", "showOver")
        self.widget.showStep(STEPS[0])

    def volume(self, array, name="mip", quantity="mip"):
        return scene.addMapVolume(array, AFFINE, quantity, name)

    def regions(self):
        node = scene.addSegmentation(labels() % 3, {1: "subtalar", 2: "tuber"}, AFFINE, "regions")
        self.ui.segmentationSelector.setCurrentNode(node)
        return node

    def bone(self):
        return scene.addSegmentation(labels() == 3, {1: "cortex"}, AFFINE, "bone")

    def test_every_parameter_is_bound_to_a_widget(self):
        self.check_every_parameter_is_bound()

    def cohort(self, subjects=("01",)):
        """A dataset of tiny scans, chosen with an output folder in the step Cohort."""
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        for subject in subjects:
            write_phantom(folder / "study", TINY, subject=subject)
        settings = {"Settings": preset(inversion="closed-form").as_dict()}
        (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
        self.ui.cohortStepButton.click()
        self.ui.cohortDatasetLineEdit.currentPath = str(folder / "study")
        self.ui.cohortOutputLineEdit.currentPath = str(folder / "out")
        self.ui.cohortSettingsLineEdit.currentPath = str(folder / "settings.json")
        self.ui.cohortRegionsLineEdit.text = "derivatives/truth/{folder}/anat/{name}_dseg.nii.gz"
        self.addCleanup(self.widget.cohort.stop)
        return folder

    def states(self):
        table = self.ui.cohortTable
        return [[table.item(row, column).text() for column in (0, 2, 5)] for row in range(table.rowCount)]

    def wait(self, seconds=240):
        """Let events pass until the cohort has ended."""
        end = time.monotonic() + seconds
        while self.widget.cohort.isRunning and time.monotonic() < end:
            slicer.app.processEvents()
            time.sleep(0.05)
        self.assertFalse(self.widget.cohort.isRunning)

    def test_a_cohort_says_what_each_subject_has_and_lacks(self):
        self.ui.cohortStepButton.click()
        self.assertEqual((self.ui.cohortRunButton.text, self.ui.cohortRunButton.enabled), ("Choose the dataset", False))
        self.cohort(("01", "02"))
        self.ui.cohortBssfpLineEdit.text = "{folder}/anat/{name}_bSSFP.nii.gz"
        self.ui.cohortFindButton.click()
        self.assertEqual(self.states(), [["sub-01", "bSSFP", "–"], ["sub-02", "bSSFP", "–"]])
        said = r"^2 subjects, 0\.\d GB each, . at a time: about \d+ s. 2 of them lack files.$"
        self.assertRegex(self.ui.statusLabel.text, said)
        self.assertRegex(self.ui.cohortTable.item(0, 4).text(), r"^\d+ s$")
        self.ui.cohortBssfpLineEdit.text = "the_same.nii.gz"
        with self.assertRaisesRegex(InputError, "is the same for all subjects"):
            self.widget.cohort.onFind()

    def test_a_cohort_runs_in_the_background_and_ends_with_table_maps_and_what_failed(self):
        folder = self.cohort(("01", "02"))
        for path in (folder / "study" / "sub-02").rglob("*echo-[4-9]*"):
            path.unlink()
        (folder / "study" / "sub-02" / "anat" / "sub-02_echo-3_part-mag_MEGRE.json").write_text("{", encoding="utf-8")
        self.ui.cohortRunButton.click()
        self.assertEqual((self.ui.cohortRunButton.text, self.widget.running), ("Cancel", False))
        self.assertFalse(self.ui.cohortFindButton.enabled)
        self.ui.measureStepButton.click()  # the other steps stay as they are
        self.assertTrue(self.ui.measureSection.enabled)
        self.ui.cohortStepButton.click()
        self.wait()
        self.assertEqual(self.states(), [["sub-01", "–", "finished"], ["sub-02", "–", "failed"]])
        self.assertRegex(self.ui.statusLabel.text, "^1 of 2 subjects are finished. sub-02: .*out cohort table: ")
        self.assertIn("No regression", self.ui.statusLabel.text)  # there is no BV/TV
        self.assertEqual([node.GetName() for node in self.p.regression.tables], ["out cohort table"])
        self.assertEqual((self.shown[0][0], self.shown[0][1].GetName()), ("showNumbers", "out cohort table"))
        self.assertEqual(self.ui.cohortRunButton.text, "Run")
        self.widget.cohort.onSubject(1, 0)
        self.assertEqual(self.ui.statusLabel.text, "sub-02 is not finished; there are no maps yet.")
        emit(self.ui.cohortTable.cellDoubleClicked, 0, 1)
        self.assertEqual(scene.shownMap().GetName(), "sub-01 χ [ppm]")
        self.ui.xLineEdit.text = "r2star"
        self.ui.cohortTableButton.click()
        self.assertIn("Pooled: slope", self.ui.statusLabel.text)
        self.assertEqual(len(self.shown[1][2]), 1)

    def test_a_cohort_is_stopped_by_a_second_press_and_goes_on_by_a_third(self):
        started = []

        class Cohort(StandInCohort):
            def __init__(self, *arguments):
                super().__init__()
                started.append(arguments)

        self.replace(sys.modules[type(self.widget.cohort).__module__], "BackgroundCohort", Cohort)
        folder = self.cohort()
        self.ui.cohortReplaceCheckBox.checked = True
        self.ui.cohortRunButton.click()
        self.widget.cohort.onTimer()
        self.assertEqual(self.states(), [["sub-01", "–", "waiting"]])
        self.assertEqual(self.ui.statusLabel.text, "0 of 1 subjects are finished. sub-01: Inverting")
        self.assertEqual(self.ui.cohortProgressBar.value, 40)
        self.ui.cohortRunButton.click()
        self.assertEqual(self.ui.cohortRunButton.text, "Cancelling…")
        self.widget.cohort.onTimer()
        self.assertEqual(self.ui.statusLabel.text, "Cancelled. What is finished stays.")
        self.ui.cohortRunButton.click()
        self.assertEqual(self.ui.cohortRunButton.text, "Cancel")
        self.assertEqual(started[0], started[1])
        dataset, output, options = started[0]
        self.assertEqual((dataset, output), (str(folder / "study"), str(folder / "out")))
        self.assertEqual((options["resume"], options["overwrite"], options["workers"]), (True, True, 0))
        self.widget.cohort.stop()
        self.assertFalse(self.widget.cohort.isRunning)

    def test_a_cohort_that_fails_says_why_with_the_labels_of_the_panel(self):
        class Cohort(StandInCohort):
            def is_running(self):
                return False

            def result(self):
                raise InputError("out holds results; give --overwrite to replace them.")

        self.replace(sys.modules[type(self.widget.cohort).__module__], "BackgroundCohort", Cohort)
        self.replace(slicer.util, "errorDisplay")
        self.cohort()
        self.ui.cohortRunButton.click()
        self.widget.cohort.onTimer()
        said = "The cohort failed. out holds results; give 'Replace results' to replace them."
        self.assertEqual(self.ui.statusLabel.text, said)
        slicer.util.errorDisplay.assert_called_once_with(said)

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

    def edited(self):
        """Segmentation and volume in the Segment Editor of the panel."""
        editor = self.ui.segmentEditor
        if not hasattr(editor, "_calls"):  # the application's
            return editor.segmentationNode(), editor.sourceVolumeNode()
        told = dict(editor._calls)
        nodes = [told.get(f"set{name}Node", (None,))[0] for name in ("Segmentation", "SourceVolume")]
        return tuple(nodes)

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
        self.assertEqual(followSegmentation(selector, nodes[0], ""), "a")
        self.assertEqual(followSegmentation(selector, nodes[1], "a"), "b")

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

    def register(self):
        fixed = self.volume(image() * (labels() > 0), "fixed")
        moved = AFFINE.copy()
        moved[:3, 3] = (6, -4, 5)
        moving = scene.addMapVolume(image(2) * (labels() > 0), moved, "mip", "moving")
        self.ui.fixedSelector.setCurrentNode(fixed)
        self.ui.movingSelector.setCurrentNode(moving)
        self.ui.registerButton.click()
        return fixed, moving

    def test_registration_puts_the_moving_volume_under_a_transform(self):
        fixed, moving = self.register()
        transform = moving.GetParentTransformNode()
        self.assertGreater(qualityOf(transform)["quality"], 0)
        self.assertIn("look at the checkerboard", self.ui.statusLabel.text)
        self.assertEqual(self.shown, [("showOver", fixed, moving)])
        before = driving.names()
        self.ui.registerButton.click()
        self.assertIn("nothing changed", self.ui.statusLabel.text)
        self.assertEqual(driving.names(), before)
        self.assertIs(moving.GetParentTransformNode(), transform)
        self.during(self.ui.cancelButton.click)
        self.ui.checkerboardButton.click()
        self.assertEqual((self.ui.statusLabel.text, driving.names()), ("Cancelled.", before))
        self.ui.checkerboardButton.click()
        self.assertIsNotNone(slicer.mrmlScene.GetFirstNodeByName(f"{nameOf(moving)} on {nameOf(fixed)}"))
        before = driving.names()
        self.ui.checkerboardButton.click()
        self.assertEqual(driving.names(), before)

    def test_landmarks_can_be_chosen_for_their_start_only(self):
        self.assertFalse(self.ui.fixedLandmarksSelector.enabled)
        self.ui.startComboBox.currentIndex = self.ui.startComboBox.findText("landmarks")
        self.assertTrue(self.ui.fixedLandmarksSelector.enabled)

    def test_cancel_stops_a_registration_and_leaves_the_scene_as_it_was(self):
        seen = []

        def press():
            seen.append((self.ui.cancelButton.enabled, self.ui.regionsSection.enabled, driving.names()))
            self.ui.cancelButton.click()
            seen.append(self.ui.cancelButton.enabled)

        self.during(press)
        _fixed, moving = self.register()
        (enabled, inputs, before), after = seen
        self.assertEqual((enabled, inputs, after), (True, False, False))
        self.assertEqual(self.ui.statusLabel.text, "Cancelled.")
        self.assertIsNone(moving.GetParentTransformNode())
        self.assertEqual(driving.names(), before)
        self.assertFalse(self.ui.cancelButton.enabled)
        self.assertTrue(self.ui.regionsSection.enabled)

    def test_closing_the_scene_cancels(self):
        self.during(lambda: slicer.mrmlScene.Clear(0))
        self.register()
        self.assertEqual(self.ui.statusLabel.text, "Cancelled.")
        self.assertFalse(self.ui.registerButton.enabled)

    def test_from_maps_and_bssfp_to_a_regression(self):
        self.regions()
        self.ui.boneSelector.setCurrentNode(self.bone())
        self.ui.biasCorrectionCheckBox.checked = False
        tables = []
        for number, case in enumerate(("sub-01", "sub-02")):
            self.ui.caseLineEdit.text = case
            bssfp = self.volume(image(number), f"{case} bSSFP")
            tick(self.ui.mapsSelector, self.volume(image(number) / 1000, case, "chi"))
            self.ui.bvtvImageSelector.setCurrentNode(bssfp)
            self.ui.measureButton.click()
            self.ui.bvtvButton.click()
            tables.append((self.p.measure.table, self.p.bvtv.table))
        self.assertEqual(len(set(tables)), 1)
        maps, bvtv = tables[0]
        self.assertEqual([len(rowsFromTable(table)) for table in (maps, bvtv)], [4, 4])
        self.assertIn(": 4 rows.", self.ui.statusLabel.text)
        self.assertEqual([node for _kind, node, *_ in self.shown], [maps, bvtv] * 2)
        self.assertEqual(self.shown[1][2][0].GetName(), "sub-01 bSSFP echo MIP histograms")
        tick(self.ui.tablesSelector, maps, bvtv)
        self.ui.excludeLineEdit.text = "case"
        self.assertEqual(self.ui.regressButton.text, "Enter rows to leave out as column=value")
        self.ui.excludeLineEdit.text = ""
        self.ui.pairLineEdit.text = "tuber"
        self.assertEqual(self.ui.regressButton.text, "Enter two groups as the pair")
        self.ui.pairLineEdit.text = "tuber, subtalar"
        self.ui.regressButton.click()
        self.assertRegex(self.ui.statusLabel.text, r"^Pooled: slope [-.0-9]+ ppm, R² ")
        self.assertIn("2 subjects give 4 rows", self.ui.statusLabel.text)
        kind, _table, _charts, slices = self.shown[-1]
        self.assertEqual((kind, slices), ("showNumbers", False))
        estimates = slicer.mrmlScene.GetFirstNodeByName("χ over BV/TV estimates")
        self.assertGreater(rowsFromTable(estimates)[0]["r2"], 0.9)
        self.save_figure()

    def save_figure(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "figure.svg"
            with (
                mock.patch.object(qt.QFileDialog, "getSaveFileName", return_value=str(path)) as asked,
                mock.patch.object(slicer.util, "confirmOkCancelDisplay", return_value=False) as offered,
            ):
                self.ui.figureButton.click()
            if packages.isInstalled("matplotlib"):
                self.assertIn("<svg", path.read_text(encoding="utf-8"))
            else:  # as in the application; it is offered, and declining is no error
                offered.assert_called_once()
                asked.assert_not_called()

    def test_ct_is_calibrated_and_measured(self):
        self.regions()
        self.ui.caseLineEdit.text = "sub-01"
        self.ui.rodsHuLineEdit.text, self.ui.rodsDensityLineEdit.text = "0 100", "0,5 80"
        self.assertFalse(self.ui.rodsButton.enabled)
        self.assertIn("write decimals with a point", self.ui.rodsButton.toolTip)
        self.ui.rodsDensityLineEdit.text = "0, 80"
        self.ui.rodsButton.click()
        self.assertAlmostEqual(self.ui.slopeSpinBox.value, 0.8)
        self.assertIn("0.8 mg/cm³ per HU", self.ui.statusLabel.text)
        self.ui.rodsHuLineEdit.text = "5 5"
        with self.assertRaises(InputError):
            self.widget.onRodsButton()
        self.assertIn("The calibration failed. All rods", self.ui.statusLabel.text)
        ct = np.select([labels() == 1, labels() == 2, labels() == 3], [300.0, 150.0, 900.0], -1000.0)
        self.ui.ctSelector.setCurrentNode(self.volume(ct + np.random.default_rng(1).normal(0, 20, SHAPE), "CT"))
        self.ui.ctButton.click()
        self.assertEqual({row["quantity"] for row in rowsFromTable(self.p.ct.table)}, {"ct", "bmd"})

    def test_phase_cycles_are_combined_and_selected(self):
        tick(self.ui.cyclesSelector, self.volume(image(1), "a"), self.volume(image(2), "b"))
        self.ui.cyclesButton.click()
        self.assertEqual(self.ui.bvtvImageSelector.currentNode().GetName(), "a echo MIP combined")

    def test_a_line_profile_is_a_plot(self):
        line = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", "across")
        for point in ((4, 4, 4), (40, 40, 40)):
            line.AddControlPointWorld(*point)
        tick(self.ui.profileVolumesSelector, self.volume(image()))
        self.assertEqual(self.ui.profileButton.text, "Select a line")
        self.ui.lineSelector.setCurrentNode(line)
        self.ui.profileButton.click()
        self.assertEqual([chart.GetName() for chart in self.shown[0][2]], ["across profile chart [a.u.]"])
        tick(self.ui.profileVolumesSelector, self.volume(image()), self.volume(image(), "scan", "r2star"))
        self.ui.profileButton.click()
        self.assertEqual(len(self.shown[1][2]), 2)  # one for each unit

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

    def test_statsmodels_is_offered_while_it_is_missing(self):
        for there in (True, False):
            with mock.patch("importlib.util.find_spec", return_value=object() if there else None):
                self.widget.refresh()
            self.assertEqual(self.ui.statsmodelsButton.isHidden(), there)

    def test_declining_to_install_is_no_error(self):
        with (
            mock.patch("importlib.util.find_spec", return_value=None),
            mock.patch.object(slicer.util, "confirmOkCancelDisplay", return_value=False) as asked,
        ):
            self.ui.statsmodelsButton.click()
        self.assertIn("statsmodels", asked.call_args.args[0])

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

    def test_a_segmentation_without_segments_has_none_selected(self):
        self.regions()
        self.assertNotEqual(self.p.bvtv.bone_segment, "")
        empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        # The real widget goes on to give the segment of the segmentation before.
        with mock.patch.object(type(self.ui.boneSegmentSelector), "currentSegmentID", return_value="gone"):
            self.ui.segmentationSelector.setCurrentNode(empty)
            self.assertEqual(self.p.bvtv.bone_segment, "")


class ReloadTest(driving.PanelCase):
    module = "TrabecularQSMAnalysis"

    def test_reload_builds_a_new_panel_on_a_new_library(self):
        self.check_reload("case", "caseLineEdit")


if __name__ == "__main__":
    # The reload comes last: this file goes on with the library it imported.
    driving.run(PanelTest, ReloadTest)
