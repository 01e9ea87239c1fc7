"""The panel of the module TrabecularQSM, driven as a user would. Needs the application: its widgets and its scene.

Slicer --testing --additional-module-paths TrabecularQSM --python-script Testing/Application/panel_trabecularqsm.py
"""

import tempfile
from pathlib import Path
from unittest import mock

import driving
import slicer
from case_reconstruction import ReconstructionCase
from driving import emit
from reconstruction_inputs import InputsTest
from reconstruction_results import ResultsTest

from TrabecularQSMLib import scene
from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.files.terminology import TERMINOLOGY


class PanelTest(ReconstructionCase):
    def test_a_segment_is_the_mask(self):
        self.load()
        regions = self.regions()
        self.ui.maskSelector.setCurrentNode(regions)
        segment = regions.GetSegmentation().GetSegmentIdBySegmentName("calcaneus tuber")
        self.p.settings.background = "none"  # others leave no field in its outermost slices, and say so
        self.ui.maskSegmentSelector.setCurrentSegmentID(segment)
        self.ui.applyButton.click()
        mask = slicer.util.arrayFromVolume(slicer.mrmlScene.GetFirstNodeByName("small mask"))
        inside = scene.maskFromSegment(regions, segment, self.p.magnitudeSequence.GetNthDataNode(0))
        self.assertTrue((inside == (mask > 0)).all())

    def test_a_mask_segment_that_is_removed_is_told_with_the_one_in_its_place(self):
        self.load()
        regions = self.regions()
        segmentation = regions.GetSegmentation()
        first, second = (segmentation.GetNthSegmentID(number) for number in (0, 1))
        self.ui.maskSelector.setCurrentNode(regions)
        self.ui.maskSegmentSelector.setCurrentSegmentID(second)
        segmentation.GetSegment(first).SetName("heel")
        self.assertEqual(self.ui.statusLabel.text, "")
        segmentation.RemoveSegment(second)
        self.assertEqual(self.p.maskSegment, first)
        self.assertEqual(
            self.ui.statusLabel.text, "The segment that was selected in regions is gone; heel is selected now."
        )
        slicer.mrmlScene.RemoveNode(regions)
        self.assertEqual((self.p.maskSegment, self.ui.applyButton.text), ("", "Apply"))

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

    def test_a_saved_scene_restores_the_panel(self):
        self.load()
        regions = self.regions()
        segment = regions.GetSegmentation().GetNthSegmentID(2)
        self.ui.maskSelector.setCurrentNode(regions)
        self.ui.maskSegmentSelector.setCurrentSegmentID(segment)
        self.ui.regularizationSpinBox.value = 0.25
        self.ui.fieldStrengthSpinBox.value = 1.5
        self.ui.backgroundComboBox.setCurrentText("none")
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

    def test_parameters_of_another_version_have_their_defaults(self):
        wrong = {"settings.inversion": "medi-2031", "settings.mask_erosion": "-7", "preset": "ancient"}
        self.check_parameters_of_another_version(wrong, "settings.padding")

    def test_nothing_is_left_of_a_visit(self):
        self.check_nothing_is_left_of_a_visit()

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

    def test_sample_data_can_be_cancelled(self):
        from TrabecularQSMLib.scene.gui import samples

        before, dialog = driving.names(), mock.Mock(wasCanceled=True)
        with mock.patch.object(slicer.util, "createProgressDialog", return_value=dialog):
            self.assertEqual(samples.loadPhantom(self.widget.logic), [])
        dialog.close.assert_called_once()
        self.assertEqual(driving.names(), before)

    def test_apply_and_status_are_seen_on_a_laptop(self):
        # Of a window of 1280 x 720 the application leaves 390 pixels to the panel.
        self.load()
        mask = self.regions()
        mask.SetName("sub-0123 ses-baseline acq-high run-02: susceptibility of the left foot, all regions")
        self.ui.maskSelector.setCurrentNode(mask)
        slicer.app.processEvents()
        self.assertLess(self.ui.statusLabel.y + self.ui.statusLabel.height, 390)
        times = self.ui.echoTimesLineEdit
        self.assertLess(times.fontMetrics().horizontalAdvance(times.text), 280)
        # Sentences about a run are broken into lines, and make the panel no wider than its views leave room for.
        panel = self.ui.progressBar.parent()
        width = panel.minimumSizeHint.width()
        self.assertLessEqual(width, driving.PANEL_WIDTH)
        self.ui.resultsCollapsibleButton.collapsed = False
        self.ui.resultsNotesLabel.setText("What is to be known of a run is told in long sentences. " * 5)
        slicer.app.processEvents()
        self.assertEqual(panel.minimumSizeHint.width(), width)

    def test_no_section_is_wider_than_a_laptop_leaves_room_for(self):
        self.ui.advancedCollapsibleButton.collapsed = False
        self.addCleanup(setattr, self.ui.advancedCollapsibleButton, "collapsed", True)
        sections = {name: one for name, one in vars(self.ui).items() if name.endswith("CollapsibleButton")}
        for name, section in sections.items():
            if section.collapsed:
                section.collapsed = False
                slicer.app.processEvents()
                width = self.ui.progressBar.parent().minimumSizeHint.width()
                self.assertLessEqual(width, driving.PANEL_WIDTH, name)
                section.collapsed = True

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
    # The reload comes last: these files go on with the library they imported.
    driving.run(InputsTest, ResultsTest, PanelTest, ReloadTest)
