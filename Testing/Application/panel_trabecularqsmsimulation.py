"""The panel of the module TrabecularQSMSimulation, driven as a user would. Needs the application.

cd Testing/Application
Slicer --testing --additional-module-paths ../../TrabecularQSM --python-script panel_trabecularqsmsimulation.py
"""

import sys
import unittest
from unittest import mock

import qt
import slicer

from TrabecularQSMLib.scene.tables import rowsFromTable


def bound(widget):
    """Widgets of the panel by the parameter they are bound to."""
    children = [child for child in vars(widget.ui).values() if hasattr(child, "property")]
    return {name: child for child in children if (name := child.property("SlicerParameterName"))}


class PanelTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.representation = slicer.modules.trabecularqsmsimulation.widgetRepresentation()
        self.representation.enter()
        self.widget = self.representation.self()
        self.ui = self.widget.ui
        # What has been computed is shown; where there are no plot and table views, that is only asked for.
        self.shown = []
        show = sys.modules[type(self.widget).__module__].show
        for name in ("showChart", "showTable"):
            patch = mock.patch.object(show, name, lambda node, name=name: self.shown.append((name, node.GetName())))
            patch.start()
            self.addCleanup(patch.stop)
        patch = mock.patch.object(slicer.util, "resetThreeDViews")
        patch.start()
        self.addCleanup(patch.stop)

    @property
    def p(self):
        return self.widget._parameterNode

    def small(self):
        self.ui.sizeSpinBox.value = 24
        self.ui.numbersLineEdit.text, self.ui.radiiLineEdit.text = "4 8 12", "2, 3"
        self.ui.configurationNumberSpinBox.value, self.ui.configurationRadiusSpinBox.value = 6, 3

    def test_every_parameter_is_bound_to_a_widget(self):
        expected = []
        for name, info in self.p.allParameters.items():
            pack = getattr(info.unalteredType, "allParameters", None)
            expected += [f"{name}.{member}" for member in pack] if pack else [name]
        self.assertEqual(sorted(bound(self.widget)), sorted(expected))

    def test_every_input_drives_its_parameter_and_back(self):
        for name, child in bound(self.widget).items():
            before = self.p.getValue(name)
            if hasattr(child, "currentText"):
                child.currentIndex = 1
                after = child.currentText
            elif hasattr(child, "value"):
                child.value = after = child.value + 1
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
        self.assertEqual(self.shown[0], ("showTable", "simulation summary"))
        self.assertEqual(self.shown[1][0], "showChart")
        self.assertIn("per BV/TV", self.ui.statusLabel.text)

    def test_a_geometry_is_shown(self):
        self.small()
        self.ui.configurationButton.click()
        self.assertIsNotNone(slicer.mrmlScene.GetFirstNodeByName("simulation 6 × 3 bone"))
        self.assertIn("BV/TV 0.", self.ui.statusLabel.text)

    def test_cancel_stops_a_run_and_leaves_the_scene_as_it_was(self):
        self.small()
        before = slicer.mrmlScene.GetNumberOfNodes()
        qt.QTimer.singleShot(0, self.ui.cancelButton.click)
        self.ui.runButton.click()
        self.assertEqual(self.ui.statusLabel.text, "Cancelled.")
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), before)
        self.assertTrue(self.ui.runButton.enabled)

    def test_closing_the_scene_stops_a_run(self):
        self.small()
        qt.QTimer.singleShot(0, lambda: slicer.mrmlScene.Clear(0))
        self.ui.runButton.click()
        self.assertIsNone(slicer.mrmlScene.GetFirstNodeByName("simulation table"))

    def test_a_disabled_button_says_what_is_missing(self):
        self.small()
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
            (self.ui.sizeSpinBox, 512, "needs a box"),
        ):
            name = "value" if hasattr(widget, "value") else "text"
            right = getattr(widget, name)
            setattr(widget, name, wrong)
            self.assertIn(said, self.ui.runButton.toolTip)
            setattr(widget, name, right)
        self.ui.configurationDeltaChiSpinBox.value = 0
        self.assertEqual(self.ui.configurationButton.text, "Enter a Δχ that is not zero")

    def test_the_axis_of_spheres_cannot_be_set(self):
        self.assertFalse(self.ui.orientationLineEdit.enabled)
        self.ui.shapeComboBox.currentText = "plates"
        self.assertTrue(self.ui.orientationLineEdit.enabled)


if __name__ == "__main__":
    result = unittest.TextTestRunner(verbosity=2).run(unittest.defaultTestLoader.loadTestsFromTestCase(PanelTest))
    if not result.wasSuccessful():
        sys.exit(1)
