"""The panel of the module TrabecularQSM, driven as a user would. Needs the application: its widgets and its scene.

Slicer --testing --additional-module-paths TrabecularQSM --python-script Testing/Application/panel_trabecularqsm.py
"""

import tempfile
from pathlib import Path
from unittest import mock

import driving
import numpy as np
import qt
import slicer

from TrabecularQSMLib import scene
from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom
from TrabecularQSMLib.scene.regions import TERMINOLOGY
from TrabecularQSMLib.settings import preset

PHANTOM = make_phantom(PhantomSettings(shape=(48, 48, 24), seed=3))


def emit(signal, *arguments):
    """Emit a signal of a widget, as a user's click would."""
    getattr(signal, "emit", signal)(*arguments)


class PanelTest(driving.PanelCase):
    module = "TrabecularQSM"

    def load(self):
        magnitude, phase = scene.addEchoSequences(PHANTOM.acquisition, "small")
        self.ui.magnitudeSelector.setCurrentNode(magnitude)
        self.ui.phaseSelector.setCurrentNode(phase)
        self.p.settings.inversion = "closed-form"
        return magnitude, phase

    def regions(self):
        acquisition = PHANTOM.acquisition
        return scene.addSegmentation(PHANTOM.regions, PHANTOM.region_names, acquisition.affine, "regions")

    def test_every_input_drives_its_parameter_and_back(self):
        magnitude, phase = self.load()
        regions = self.regions()
        nodes = {"magnitudeSequence": phase, "phaseSequence": magnitude}
        nodes |= {"maskSegmentation": regions, "lcurveRegions": regions}
        parameters = driving.bound(self.widget)
        self.assertGreater(len(parameters), 25)
        # A segment can be chosen once there is a segmentation.
        for name, child in sorted(parameters.items(), key=lambda item: item[0] not in nodes):
            before = self.p.getValue(name)
            if name in nodes:
                child.setCurrentNode(nodes[name])
            elif name == "maskSegment":
                self.assertEqual(before, regions.GetSegmentation().GetNthSegmentID(0))
                child.setCurrentSegmentID(regions.GetSegmentation().GetNthSegmentID(2))
            elif name.startswith("loose") and name != "looseEchoTimes":
                continue  # its own test
            elif hasattr(child, "currentIndex"):
                child.currentIndex = (child.currentIndex + 1) % child.count
            elif hasattr(child, "text") and hasattr(child, "placeholderText"):
                child.text = "7"
            else:
                child.value = child.value + 2 * child.singleStep
            after = self.p.getValue(name)
            self.assertNotEqual(after, before, name)
            if name in nodes or name == "maskSegment":
                continue
            self.p.setValue(name, before)
            shown = child.value if hasattr(child, "value") else getattr(child, "currentText", None) or child.text
            self.assertEqual(str(shown), str(before), name)
        self.p.magnitudeSequence = magnitude
        self.assertIs(self.ui.magnitudeSelector.currentNode(), magnitude)

    def test_every_parameter_is_bound_to_a_widget(self):
        self.check_every_parameter_is_bound()

    def test_the_scan_fills_in_its_values_and_edited_ones_are_kept(self):
        magnitude, phase = self.load()
        self.assertEqual(self.ui.fieldStrengthSpinBox.value, 3.0)
        self.assertTrue(self.ui.echoTimesLineEdit.text.startswith("1.25 1.95"))
        options = self.widget.logic.options(self.p)
        self.assertIsNone(options["echoTimes"])
        self.assertIsNone(options["fieldStrength"])
        self.ui.fieldStrengthSpinBox.value = 1.5
        self.ui.magnitudeSelector.setCurrentNode(None)
        self.ui.fieldStrengthSpinBox.value = 2.5
        self.ui.magnitudeSelector.setCurrentNode(magnitude)
        self.assertEqual(self.widget.logic.options(self.p)["fieldStrength"], 2.5)

    def test_apply_says_what_is_missing(self):
        self.assertFalse(self.ui.applyButton.enabled)
        self.assertEqual(self.ui.applyButton.text, "Select the magnitude sequence")
        self.load()
        self.assertTrue(self.ui.applyButton.enabled)
        self.assertEqual(self.ui.applyButton.text, "Apply")
        self.ui.echoTimesLineEdit.text = "1 2"
        self.assertFalse(self.ui.applyButton.enabled)
        self.assertEqual(self.ui.applyButton.text, "Enter 9 echo times in ms")

    def test_choosing_a_preset_fills_in_its_settings(self):
        self.load()
        self.ui.presetComboBox.currentIndex = self.ui.presetComboBox.findText("authors-code")
        emit(self.ui.presetComboBox.activated, self.ui.presetComboBox.currentIndex)
        self.assertEqual(self.widget.logic.settings(self.p), preset("authors-code"))
        self.assertEqual(self.ui.edgeThresholdSpinBox.value, 0.1)
        self.assertIn("0.016 ppm·mm", self.ui.regularizationSpinBox.text)

    def test_apply_shows_the_maps(self):
        self.load()
        self.ui.outputNameLineEdit.text = "mine"
        self.ui.applyButton.click()
        chi = slicer.mrmlScene.GetFirstNodeByName("mine χ [ppm]")
        self.assertIsNotNone(chi)
        composite = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSliceCompositeNode")
        if composite is not None:
            self.assertEqual(composite.GetBackgroundVolumeID(), chi.GetID())
        self.assertEqual(self.ui.applyButton.text, "Apply")
        self.assertTrue(self.ui.statusLabel.text.startswith("Added 1"), self.ui.statusLabel.text)
        self.assertTrue(self.ui.inputsCollapsibleButton.enabled)

    def test_a_segment_is_the_mask(self):
        self.load()
        regions = self.regions()
        self.ui.maskSelector.setCurrentNode(regions)
        segment = regions.GetSegmentation().GetSegmentIdBySegmentName("calcaneus tuber")
        self.ui.maskSegmentSelector.setCurrentSegmentID(segment)
        self.ui.applyButton.click()
        mask = slicer.util.arrayFromVolume(slicer.mrmlScene.GetFirstNodeByName("small mask"))
        inside = scene.maskFromSegment(regions, segment, self.p.magnitudeSequence.GetNthDataNode(0))
        self.assertTrue((inside == (mask > 0)).all())

    def test_cancel_leaves_the_scene_as_it_was(self):
        self.load()
        before, seen = driving.names(), []

        def press():
            seen.append((self.ui.applyButton.text, self.ui.inputsCollapsibleButton.enabled))
            self.ui.applyButton.click()
            seen.append((self.ui.applyButton.text, self.ui.applyButton.enabled))

        self.during(press)
        self.ui.applyButton.click()
        self.assertEqual(seen, [("Cancel", False), ("Cancelling…", False)])
        self.assertEqual(self.ui.statusLabel.text, "Cancelled.")
        self.assertEqual(self.ui.applyButton.text, "Apply")
        self.assertEqual(driving.names(), before)

    def test_closing_the_scene_cancels(self):
        self.load()
        self.during(lambda: slicer.mrmlScene.Clear(0))
        self.ui.applyButton.click()
        self.assertEqual(self.ui.statusLabel.text, "Cancelled.")
        self.assertIsNone(slicer.mrmlScene.GetFirstNodeByName("small χ [ppm]"))
        self.assertFalse(self.ui.applyButton.enabled)

    def test_quitting_the_application_cancels(self):
        self.load()
        before = driving.names()
        self.during(lambda: emit(slicer.app.lastWindowClosed))
        self.ui.applyButton.click()
        self.assertEqual(self.ui.statusLabel.text, "Cancelled.")
        self.assertEqual(driving.names(), before)

    def test_settings_are_read_once_when_a_run_starts(self):
        self.load()
        self.during(lambda: setattr(self.p.settings, "stop_after", "fieldmap"))
        self.ui.applyButton.click()
        self.assertIsNotNone(slicer.mrmlScene.GetFirstNodeByName("small χ [ppm]"))

    def test_another_start_during_a_run_is_refused(self):
        self.load()
        started = []

        def again():
            started.append(self.widget.run(lambda progress: started.append("second"), "", str))
            self.ui.lcurveButton.click()
            self.ui.applyButton.click()

        self.during(again)
        self.ui.applyButton.click()
        self.assertEqual(started, [None])

    def test_wrong_input_is_said_and_leaves_the_scene_as_it_was(self):
        self.load()
        before = driving.names()
        self.ui.maskErosionSpinBox.value = 50
        with self.assertRaisesRegex(InputError, "lower .Mask threshold. or .Mask erosion."):
            self.widget.onApplyButton()
        self.assertIn("Susceptibility mapping failed.", self.ui.statusLabel.text)
        self.assertEqual(driving.names(), before)
        self.assertEqual(self.ui.applyButton.text, "Apply")

    def test_the_l_curve_is_a_plot(self):
        self.load()
        self.ui.lcurveValuesLineEdit.text = "0.01 0.1 1"
        self.ui.lcurveRegionsSelector.setCurrentNode(self.regions())
        self.ui.lcurveButton.click()
        self.assertGreaterEqual(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLPlotChartNode"), 3)
        self.assertIn("λ = 0.1", self.ui.statusLabel.text)

    def test_loose_volumes_become_sequences(self):
        acquisition = PHANTOM.acquisition
        parts = {"looseMagnitudesSelector": np.abs, "loosePhasesSelector": np.angle}
        for selector, part in parts.items():
            for number in range(3):
                volume = scene.addMapVolume(part(acquisition.echoes[number]), acquisition.affine, "mip", selector)
                getattr(self.ui, selector).setCheckState(volume, qt.Qt.Checked)
        self.assertEqual([len(self.p.looseMagnitudes), len(self.p.loosePhases)], [3, 3])
        self.ui.looseEchoTimesLineEdit.text = "1.25, 1.95, 2.65"
        self.ui.looseButton.click()
        self.assertEqual(self.p.magnitudeSequence.GetNumberOfDataNodes(), 3)
        self.assertEqual(self.ui.echoTimesLineEdit.text, "1.25 1.95 2.65")
        self.assertEqual(self.ui.applyButton.text, "Enter the field strength")

    def test_a_saved_scene_restores_the_panel(self):
        self.load()
        regions = self.regions()
        segment = regions.GetSegmentation().GetNthSegmentID(2)
        self.ui.maskSelector.setCurrentNode(regions)
        self.ui.maskSegmentSelector.setCurrentSegmentID(segment)
        self.ui.regularizationSpinBox.value = 0.25
        self.ui.fieldStrengthSpinBox.value = 1.5
        self.ui.backgroundComboBox.currentIndex = 1
        self.ui.outputNameLineEdit.text = "mine"
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "panel.mrb")
            self.assertTrue(slicer.util.saveScene(path))
            slicer.mrmlScene.Clear(0)
            self.assertEqual(self.ui.outputNameLineEdit.text, "")
            slicer.util.loadScene(path)
        self.assertEqual(self.ui.magnitudeSelector.currentNode().GetName(), "small magnitude")
        self.assertEqual(self.ui.maskSelector.currentNode().GetName(), "regions")
        self.assertEqual(self.ui.maskSegmentSelector.currentSegmentID(), segment)
        self.assertEqual(self.p.maskSegment, segment)
        self.assertEqual(self.ui.regularizationSpinBox.value, 0.25)
        self.assertEqual(self.ui.fieldStrengthSpinBox.value, 1.5)
        self.assertEqual(self.ui.inversionComboBox.currentText, "closed-form")
        self.assertEqual(self.ui.backgroundComboBox.currentText, "none")
        self.assertEqual(self.ui.outputNameLineEdit.text, "mine")

    def test_leaving_and_coming_back_keeps_everything(self):
        self.load()
        self.representation.exit()
        self.widget.logic.getParameterNode().outputName = "changed meanwhile"
        self.representation.enter()
        self.assertEqual(self.ui.outputNameLineEdit.text, "changed meanwhile")

    def test_sample_data_is_listed_and_the_phantom_is_made_on_the_spot(self):
        from TrabecularQSMLib.scene.gui import samples

        magnitude, phase, regions = samples.loadPhantom(self.widget.logic)
        self.assertIs(self.ui.magnitudeSelector.currentNode(), magnitude)
        self.assertTrue(self.ui.applyButton.enabled)
        self.assertGreater(regions.GetSegmentation().GetNumberOfSegments(), 3)

    def test_the_terminology_is_loaded_when_the_application_has_started(self):
        logic = slicer.modules.terminologies.logic()
        self.assertTrue(logic.IsTerminologyContextLoaded(TERMINOLOGY))

    def test_a_failed_download_of_the_example_says_what_to_do(self):
        import SampleData

        from TrabecularQSMLib.scene.gui import samples

        def fail(logic, **options):
            self.assertEqual(options["checksums"], samples.EXAMPLE_CHECKSUM)
            return ["/nowhere.mat"]

        patches = mock.patch.object(SampleData.SampleDataLogic, "downloadFromURL", fail, create=True)
        for agreed in (False, True):
            with patches, mock.patch.object(slicer.util, "confirmOkCancelDisplay", return_value=agreed):
                if not agreed:
                    self.assertEqual(samples.loadAnkle(self.widget.logic), [])
                    continue
                with self.assertRaisesRegex(InputError, "could not be downloaded.*git lfs"):
                    samples.loadAnkle(self.widget.logic)


class ReloadTest(driving.PanelCase):
    module = "TrabecularQSM"

    def test_reload_builds_a_new_panel_on_a_new_library(self):
        self.check_reload("outputName", "outputNameLineEdit")


if __name__ == "__main__":
    # The reload comes last: this file goes on with the library it imported.
    driving.run(PanelTest, ReloadTest)
