"""The panel of the module TrabecularQSMSimulation, driven as a user would. Needs the application.

cd Testing/Application
Slicer --testing --additional-module-paths ../../TrabecularQSM --python-script panel_trabecularqsmsimulation.py
"""

import sys

import driving
import slicer
from TrabecularQSMSimulation import STEPS, missingOfRun, onBone

from TrabecularQSMLib import scene
from TrabecularQSMLib.scene.gui import show
from TrabecularQSMLib.scene.tables import rowsFromTable
from TrabecularQSMLib.settings import preset


class PanelTest(driving.PanelCase):
    module = "TrabecularQSMSimulation"

    def setUp(self):
        super().setUp()
        self.record("showNumbers")
        self.replace(slicer.util, "resetThreeDViews")

    def small(self):
        self.ui.sizeSpinBox.value = 24
        self.ui.numbersLineEdit.text, self.ui.radiiLineEdit.text = "4 8 12", "2, 3"
        self.ui.configurationNumberSpinBox.value, self.ui.configurationRadiusSpinBox.value = 6, 3

    def test_every_parameter_is_bound_to_a_widget(self):
        self.check_every_parameter_is_bound()

    def test_every_input_drives_its_parameter_and_back(self):
        for name, child in driving.bound(self.widget).items():
            before = self.p.getValue(name)
            if hasattr(child, "currentText"):
                child.currentIndex = 1
                after = child.currentText
            elif hasattr(child, "value"):
                child.value = after = child.value + child.singleStep
            else:
                child.text = after = f"{child.text} 7"
            self.assertNotEqual(after, before, name)
            self.assertEqual(self.p.getValue(name), after, name)
            self.p.setValue(name, before)
            shown = child.currentText if hasattr(child, "currentText") else getattr(child, "value", None)
            self.assertEqual(child.text if shown is None else shown, before, name)

    def test_run_adds_table_and_charts_and_says_how_straight_they_are(self):
        self.small()
        self.assertEqual(self.ui.runButton.text, "Run (12 geometries, about 1 s)")
        self.ui.runButton.click()
        table = slicer.mrmlScene.GetFirstNodeByName("simulation table")
        self.assertEqual(len(rowsFromTable(table)), 48)
        ((_kind, node, charts, slices),) = self.shown
        self.assertEqual((node.GetName(), slices), ("simulation summary", False))
        self.assertEqual(len(charts), 2)  # χ and R2′ over BV/TV
        self.assertTrue(all("BV/TV" in chart.GetName() for chart in charts), [chart.GetName() for chart in charts])
        self.assertIn("per BV/TV", self.ui.statusLabel.text)

    def test_a_geometry_is_shown(self):
        self.small()
        self.ui.configurationButton.click()
        self.assertIsNotNone(slicer.mrmlScene.GetFirstNodeByName("simulation 6 × 3 bone"))
        self.assertIn("BV/TV 0.", self.ui.statusLabel.text)
        layout = self.layouts()
        before = layout.layout
        (first,) = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
        self.ui.configurationButton.click()
        self.assertEqual(layout.layout, show.GEOMETRY_LAYOUT)  # with a 3-D view
        self.ui.layoutButton.click()
        self.assertEqual(layout.layout, before)
        _first, second = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
        shown = [node.GetDisplayNode().GetVisibility() for node in (first, second)]
        self.assertEqual(shown, [0, 1])
        self.assertFalse(second.GetDisplayNode().GetVisibility2DFill())  # the field is seen within

    def test_a_protocol_is_assessed(self):
        self.ui.protocolStepButton.click()
        self.ui.protocolLongestEchoSpinBox.value = 11
        self.ui.protocolButton.click()
        self.assertIn("field 1.24 Hz", self.ui.statusLabel.text)
        self.assertIn("Less noise in the same time: echoes at 1.25", self.ui.statusLabel.text)
        ((_kind, node, charts, slices),) = self.shown
        self.assertEqual((node.GetName(), len(charts), slices), ("protocol table", 2, False))
        self.assertNotIn("apart", self.ui.statusLabel.text)
        self.ui.protocolTrainsSpinBox.value = 1
        self.ui.protocolButton.click()
        self.assertIn("apart, but bandwidth and gradients allow no less than 1.74 ms", self.ui.statusLabel.text)
        self.assertIn("check 'Bandwidth and read-out' (the bandwidth is that of one voxel)", self.ui.statusLabel.text)
        self.ui.protocolEchoTimesLineEdit.text = ""
        self.assertEqual(self.ui.protocolButton.text, "Enter the echo times")
        self.ui.protocolEchoTimesLineEdit.text = "1 2"
        self.assertIn("three or more", self.ui.protocolButton.toolTip)

    def test_a_protocol_is_assessed_in_an_ankle_as_the_step_of_bone_reconstructs_and_says_before_how_long(self):
        self.ui.protocolStepButton.click()
        self.ui.boneInversionComboBox.currentText = "closed-form"
        for draws, said in ((1, "'Draws in an ankle' is 1"), (50, "")):
            self.ui.protocolAnkleDrawsSpinBox.value = draws
            self.assertEqual(self.ui.protocolButton.enabled, not said)
            self.assertIn(said, self.ui.protocolButton.toolTip)
        self.assertRegex(self.ui.protocolButton.text, r"^Assess protocol \(about \d+ min, 0\.\d GB\)$")
        seen, assess = [], sys.modules["TrabecularQSMLib.protocol.assess"]

        def measured(settings, ankle, executors, progress):
            seen.append(ankle)
            places = [assess.Measured("ball of radius 6 mm", 6.0, 250, 0.123, 0.5)]
            return sys.modules["TrabecularQSMLib.protocol.ankle"].InAnkle(places, ("It is noisy.",))

        self.replace(assess, "run_ankle", measured)
        self.ui.protocolButton.click()
        (ankle,) = seen
        self.assertEqual((ankle.draws, ankle.reconstruction), (50, preset(inversion="closed-form")))
        self.assertIn("χ of a region of 6 mm: 0.12 ppm", self.ui.statusLabel.text)
        self.assertIn("The reconstruction of the digital ankle notes: It is noisy.", self.ui.statusLabel.text)

    def test_the_protocol_sweeps_conditions_and_says_before_how_long_that_takes(self):
        self.ui.boneStepButton.click()
        self.assertRegex(self.ui.sweepButton.text, r"^Sweep \(blocks: 8, about \d+ s, 0\.\d GB\)$")
        self.assertRegex(self.ui.chainButton.text, r"^Scan \(blocks: 8, about \d+ min, \d\.\d GB\)$")
        self.ui.boneBvtvLineEdit.text, self.ui.boneRepeatsSpinBox.value = "0.1 0.3", 1
        self.assertIn("(blocks: 2, about ", self.ui.sweepButton.text)
        self.ui.boneFieldStrengthsLineEdit.text = "1.5 3"
        self.ui.sweepButton.click()
        self.assertRegex(self.ui.statusLabel.text, r"^R2\* \d+ to \d+ 1/s, fat fraction off by .* of χ comes back\.")
        ((_kind, node, charts, slices),) = self.shown
        self.assertEqual((node.GetName(), node.GetNumberOfRows(), len(charts), slices), ("sweep table", 4, 3, False))

    def test_simulated_bone_is_scanned_by_the_code_of_the_command_line_and_can_be_cancelled(self):
        self.ui.boneStepButton.click()
        self.ui.boneInversionComboBox.currentText = "closed-form"
        self.ui.protocolVoxelSizeLineEdit.text = "3 3 3"
        self.ui.boneBvtvLineEdit.text, self.ui.boneRepeatsSpinBox.value = "0.1 0.2 0.3", 1
        before = driving.names()
        self.during(self.ui.cancelButton.click)
        self.ui.chainButton.click()
        self.assertEqual((self.ui.statusLabel.text, driving.names()), ("Cancelled.", before))
        self.assertEqual(self.shown, [])
        seen, protocol_bone = [], sys.modules[scene.chainNodes.__module__]

        def rows(settings, chain, progress):
            seen.append((settings, chain))
            points = [{name: bvtv for name in protocol_bone.CHAIN_COLUMNS} for bvtv, _repeat in chain.bone.points()]
            found = [point | {"chi": -point["bvtv"], "chi_true": -2 * point["bvtv"]} for point in points]
            return sys.modules["TrabecularQSMLib.protocol.chain"].Chain(found, ("It is noisy.",))

        self.replace(protocol_bone, "run_chain", rows)
        self.ui.boneShapeComboBox.currentText, self.ui.boneConcentrationLineEdit.text = "cylinders", "-3.5"
        self.ui.chainButton.click()
        ((settings, chain),) = seen
        self.assertEqual((settings.voxel_size, chain.bone.bvtv), ((3.0, 3.0, 3.0), (0.1, 0.2, 0.3)))
        self.assertEqual((chain.bone.shape, chain.bone.concentration), ("cylinders", -3.5))
        self.assertEqual(chain.reconstruction, preset(inversion="closed-form"))
        self.assertIn("χ changes by -1 ppm (50% of the true change) and R2*", self.ui.statusLabel.text)
        self.assertIn(" It is noisy.", self.ui.statusLabel.text)
        ((_kind, node, charts, _slices),) = self.shown
        self.assertEqual((node.GetName(), node.GetNumberOfRows(), len(charts)), ("chain table", 3, 3))

    def test_what_keeps_bone_from_being_scanned_is_said(self):
        for widget, wrong, button, said in (
            (self.ui.boneBvtvLineEdit, "", self.ui.chainButton, "Enter values of BV/TV"),
            (self.ui.boneBvtvLineEdit, "0.9", self.ui.chainButton, "'BV/TV' is 0.9"),
            (self.ui.protocolEchoTimesLineEdit, "", self.ui.sweepButton, "Enter the echo times"),
            (self.ui.boneVoxelsLineEdit, "9", self.ui.sweepButton, "Voxels of 9 mm do not fit"),
            (self.ui.boneVoxelsLineEdit, "0", self.ui.sweepButton, "'Voxels' is 0"),
            (self.ui.boneAnglesLineEdit, "900", self.ui.sweepButton, "'Angles of B0' is 900"),
            (self.ui.boneConcentrationLineEdit, "1 2", self.ui.sweepButton, "give one number"),
            (self.ui.boneConcentrationLineEdit, "2000", self.ui.chainButton, "concentration is 2000"),
            (self.ui.boneConcentrationLineEdit, "x", self.ui.chainButton, "give one number"),
            (self.ui.boneTrainsLineEdit, "1 2 3; 4 5", self.ui.sweepButton, "three or more"),
            (self.ui.protocolEchoTimesLineEdit, "3 2 1", self.ui.sweepButton, "that increase in 'Echo times'"),
            (self.ui.protocolVoxelSizeLineEdit, "1 1", self.ui.chainButton, "'Voxel size' is 1.0 1.0; give 3"),
        ):
            right, widget.text = widget.text, wrong
            self.assertFalse(button.enabled)
            self.assertIn(said, button.toolTip)
            widget.text = right
            self.assertTrue(button.enabled)
        module = sys.modules[onBone.__module__]
        self.replace(module, "free_memory", lambda: 0.2e9)
        self.ui.boneRepeatsSpinBox.value = 3
        self.assertIn("GB of memory, and 0.2 GB are free", self.ui.chainButton.toolTip)

    def test_cancel_stops_a_run_and_leaves_the_scene_as_it_was(self):
        self.small()
        before = slicer.mrmlScene.GetNumberOfNodes()
        self.during(self.ui.cancelButton.click)
        self.ui.runButton.click()
        self.assertEqual(self.ui.statusLabel.text, "Cancelled.")
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), before)
        self.assertTrue(self.ui.runButton.enabled)

    def test_closing_the_scene_stops_a_run(self):
        self.small()
        self.during(lambda: slicer.mrmlScene.Clear(0))
        self.ui.runButton.click()
        self.assertIsNone(slicer.mrmlScene.GetFirstNodeByName("simulation table"))

    def test_a_disabled_button_says_what_is_missing(self):
        self.small()
        self.replace(sys.modules[missingOfRun.__module__], "free_memory", lambda: 4e9)
        for widget, wrong, said in (
            (self.ui.numbersLineEdit, "", "Enter how many pieces of bone"),
            (self.ui.radiiLineEdit, " ", "Enter a radius"),
            (self.ui.deltaChisLineEdit, "", "Enter Δχ"),
        ):
            right, widget.text = widget.text, wrong
            self.assertEqual((self.ui.runButton.text, self.ui.runButton.enabled), (said, False))
            widget.text = right
        self.ui.radiiLineEdit.text = "30"
        self.assertIn("tooltip", self.ui.runButton.text)
        self.assertIn("30 voxels does not fit", self.ui.runButton.toolTip)
        for widget, wrong, said in (
            (self.ui.radiiLineEdit, "1e400", "give numbers"),
            (self.ui.numbersLineEdit, "nan", "give numbers"),
            (self.ui.sizeSpinBox, 512, "GB of memory"),
        ):
            name = "value" if hasattr(widget, "value") else "text"
            right = getattr(widget, name)
            setattr(widget, name, wrong)
            self.assertIn(said, self.ui.runButton.toolTip)
            setattr(widget, name, right)
        self.ui.configurationDeltaChiSpinBox.value = 0
        self.assertEqual(self.ui.configurationButton.text, "Enter a Δχ that is not zero")

    def test_one_part_is_shown_at_a_time_with_what_was_said_of_it(self):
        self.check_steps(STEPS)
        self.small()
        self.ui.runButton.click()
        self.ui.configurationStepButton.click()
        self.assertEqual(self.ui.statusLabel.text, "")
        self.ui.configurationButton.click()
        self.assertIn("BV/TV 0.", self.ui.statusLabel.text)
        self.ui.tableStepButton.click()
        self.assertIn("per BV/TV", self.ui.statusLabel.text)

    def test_parameters_of_another_version_have_their_defaults(self):
        wrong = {"model.boundary": "open", "repeats": "0"}
        self.check_parameters_of_another_version(wrong, "decay.snr")

    def test_nothing_is_left_of_a_visit(self):
        self.check_nothing_is_left_of_a_visit()

    def test_the_part_is_seen_whole_on_a_laptop(self):
        self.check_laptop({"table": "run", "configuration": "configuration", "protocol": "protocol", "bone": "sweep"})

    def test_the_signal_can_be_set_where_there_are_echoes(self):
        self.small()
        self.assertFalse(self.ui.fatFractionSpinBox.enabled)
        self.ui.echoTimesLineEdit.text = "1 2.5 4"
        for widget in (self.ui.fatFractionSpinBox, self.ui.fatModelComboBox, self.ui.snrSpinBox):
            self.assertTrue(widget.enabled)
        self.ui.configurationButton.click()
        self.assertIn("Over the echo times it is", self.ui.statusLabel.text)
        self.ui.echoTimesLineEdit.text = "1"
        self.assertIn("echo times are 1 ms", self.ui.runButton.toolTip)

    def test_the_axis_of_spheres_cannot_be_set(self):
        self.assertFalse(self.ui.orientationLineEdit.enabled)
        self.ui.shapeComboBox.currentText = "plates"
        self.assertTrue(self.ui.orientationLineEdit.enabled and self.ui.concentrationLineEdit.enabled)
        self.assertFalse(self.ui.boneConcentrationLineEdit.enabled)
        self.ui.boneShapeComboBox.currentText = "cylinders"
        self.assertTrue(self.ui.boneOrientationLineEdit.enabled and self.ui.boneConcentrationLineEdit.enabled)


if __name__ == "__main__":
    driving.run(PanelTest)
