"""Maps, λ tried out, L-curves and DICOM of the module TrabecularQSM; panel_trabecularqsm.py runs these."""

import sys
import tempfile
from pathlib import Path
from unittest import mock

import driving
import numpy as np
import slicer
from case_reconstruction import PHANTOM, ReconstructionCase
from driving import emit

from TrabecularQSMLib import scene
from TrabecularQSMLib.scene.gui.results import windowText


class ResultsTest(ReconstructionCase):
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
        self.assertFalse(self.ui.resultsCollapsibleButton.collapsed)

    def test_the_maps_of_a_run_are_a_table_and_a_click_shows_one(self):
        self.load()
        regions = self.regions()
        self.ui.applyButton.click()
        table, display = self.ui.resultsTable, regions.GetDisplayNode()
        self.assertEqual(self.ui.resultsRunComboBox.currentText, "small maps")
        rows = [[table.item(row, column).text() for column in (1, 2, 3)] for row in range(table.rowCount)]
        self.assertEqual(rows[:2], [["Susceptibility", "ppm", "-1 … 1"], ["R2*", "1/s", "0 … 300"]])
        self.assertIn(["Fat fraction", "–", "0 … 1"], rows)
        self.assertEqual(windowText(-5e-7, 0.8536), "0 … 0.8536")  # as it comes back with a scene
        self.assertRegex(self.ui.resultsNotesLabel.text, "fit.*median 0\\.[0-9]+ of 1")
        self.assertIn("('Cortex apart')", self.ui.resultsNotesLabel.text)  # of the panel, not separate_cortex
        self.assertFalse(display.GetVisibility2DFill())  # outlines, so that the bones are seen
        emit(table.cellClicked, 1, 1)
        self.assertEqual(scene.shownMap().GetName(), "small R2* [1/s]")
        emit(table.cellClicked, 1, 0)
        self.assertIsNone(scene.shownMap())
        slicer.mrmlScene.RemoveNode(slicer.mrmlScene.GetFirstNodeByName("small χ [ppm]"))
        emit(table.cellClicked, 0, 1)
        self.assertEqual(table.item(0, 1).text(), "R2*")
        self.assertEqual(table.rowCount, len(rows) - 1)

    def test_the_layout_of_the_maps_has_a_way_back(self):
        self.load()
        node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
        if node is None:
            node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLayoutNode")
            self.addCleanup(slicer.mrmlScene.RemoveNode, node)
        manager = slicer.app.layoutManager()
        before = manager.layout
        self.assertFalse(self.ui.layoutButton.enabled)
        self.ui.applyButton.click()
        self.assertNotEqual(manager.layout, before)
        self.assertTrue(node.IsLayoutDescription(manager.layout))
        self.ui.layoutButton.click()
        self.assertEqual(manager.layout, before)
        self.assertFalse(self.ui.layoutButton.enabled)

    def test_a_mask_is_proposed_from_the_maps_and_regions(self):
        self.load()
        self.assertFalse(self.ui.proposeMaskButton.enabled)
        self.ui.applyButton.click()
        self.ui.lcurveRegionsSelector.setCurrentNode(self.regions())
        self.ui.proposeMaskButton.click()
        node = self.ui.maskSelector.currentNode()
        self.assertEqual(node.GetName(), "regions mask")
        self.assertEqual(self.p.maskSegment, node.GetSegmentation().GetNthSegmentID(0))
        self.assertIn("is a proposal", self.ui.statusLabel.text)

    def test_maps_are_written_as_dicom_by_the_code_of_the_command_line(self):
        from TrabecularQSMLib.errors import PackageNeeded
        from TrabecularQSMLib.scene import export

        self.load()
        self.p.settings.stop_after = "fieldmap"
        self.assertEqual(self.ui.dicomButton.text, "Apply first: there are no maps")
        self.ui.applyButton.click()
        self.assertEqual(self.ui.dicomButton.text, "Choose the scan's DICOM files")
        self.ui.dicomSourceLineEdit.currentPath = "scan"
        self.assertEqual(self.ui.dicomButton.text, "Choose the folder to write")
        self.ui.dicomFolderLineEdit.currentPath = "archive"
        self.ui.dicomRegionsSelector.setCurrentNode(self.regions())
        self.ui.dicomPlainCheckBox.checked = True
        write = mock.Mock(side_effect=[PackageNeeded("highdicom is needed.", "highdicom"), ["a.dcm", "b.dcm"]])
        offer = sys.modules["TrabecularQSMLib.scene.gui.packages"]
        with (
            mock.patch.object(export, "write_dicom", write),
            mock.patch.object(offer, "offerPackage", return_value=True) as offered,
        ):
            self.ui.dicomButton.click()
        offered.assert_called_once_with("highdicom")
        self.assertEqual(self.ui.statusLabel.text, "Wrote 2 DICOM files to archive.")
        (folder, source, stem, maps, _affine), options = write.call_args
        self.assertEqual(
            (folder, source, stem, sorted(maps)), ("archive", "scan", "small", ["field_hz", "pdff", "r2star"])
        )
        self.assertEqual(sorted(options["names"].values()), sorted(PHANTOM.region_names.values()))
        self.assertTrue(options["plain"])
        self.assertIn("r2star", {row["quantity"] for row in options["rows"]})

    def test_a_long_l_curve_is_foretold_and_learned_from_runs(self):
        self.load()
        self.assertEqual(self.ui.lcurveButton.text, "Compute L-curve")
        self.p.settings.inversion = "medi-tv"
        self.ui.lcurveValuesLineEdit.text = " ".join(str(value) for value in range(1, 101))
        self.assertRegex(self.ui.lcurveButton.text, "100 values, about [0-9]+ (s|min)")
        self.assertIn("two cores", self.ui.lcurveButton.toolTip)
        self.p.settings.inversion = "closed-form"
        self.ui.applyButton.click()
        self.p.settings.inversion = "medi-tv"
        self.assertIn("from the last run", self.ui.lcurveButton.toolTip)

    def test_the_l_curve_is_a_plot(self):
        self.load()
        self.ui.lcurveValuesLineEdit.text = "0.01 0.1"
        self.assertFalse(self.ui.lcurveButton.enabled)
        self.assertIn("at least three different positive values", driving.toolTip(self.ui.lcurveButton))
        self.ui.lcurveValuesLineEdit.text = "0.01 0.1 1"
        self.ui.lcurveRegionsSelector.setCurrentNode(self.regions())
        self.ui.lcurveButton.click()
        self.assertGreaterEqual(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLPlotChartNode"), 3)
        self.assertIn("λ = 0.1 mm²", self.ui.statusLabel.text)
        self.assertIn("at the end of the values of λ", self.ui.statusLabel.text)  # three values say little
        chart = slicer.mrmlScene.GetFirstNodeByName("small region means chart")
        self.assertEqual(chart.GetNumberOfPlotSeriesNodes(), len(PHANTOM.region_names))

    def test_a_slider_shows_the_closed_form_at_once_and_the_button_runs_the_chosen_inversion_alone(self):
        self.load()
        slider, button = self.ui.previewSlider, self.ui.previewButton
        self.assertEqual((slider.enabled, button.text), (False, "Apply first, then try λ"))
        self.assertIn("no maps yet", driving.toolTip(slider))
        self.ui.applyButton.click()
        self.p.settings.inversion = "medi-l2"
        self.assertTrue(slider.enabled)
        for value in (0.1, 0.2, 0.3):
            slider.value = value
        slicer.app.processEvents()
        preview = scene.shownMap()
        self.assertEqual(preview.GetName(), "small closed-form preview χ [ppm]")
        self.assertEqual(len(self.ui.resultsTable.selectedItems()), 0)  # none of the maps is shown
        self.assertIn("Shown: small closed-form preview", self.ui.statusLabel.text)
        self.assertEqual(self.ui.previewLabel.text, "closed-form, λ 0.399 mm² (2 × preset)")
        self.assertEqual(button.text, "Run medi-l2 with λ 0.2 mm²")
        before = slicer.util.arrayFromVolume(preview).copy()
        emit(self.ui.resultsTable.cellClicked, 1, 1)  # another map
        slider.value = -1
        slicer.app.processEvents()
        self.assertIs(scene.shownMap(), preview)
        self.assertFalse(np.array_equal(slicer.util.arrayFromVolume(preview), before))
        button.click()
        self.assertTrue(self.widget.logic.kept.were_used)
        self.assertEqual(self.p.settings.regularization, 0.01)
        self.assertEqual(scene.shownMap().GetName(), "small 2 χ [ppm]")
        self.assertIsNone(preview.GetScene())  # what it showed was a try
        self.p.settings.stop_after = "background"
        self.assertEqual((button.text, button.enabled), ("Set Stop after to nothing", False))
        self.p.settings.stop_after = "nothing"
        self.assertEqual(button.text, "Run medi-l2 with λ 0.01 mm²")

    def test_results_say_how_they_were_made_and_what_the_panel_has_otherwise_now(self):
        self.load()
        self.ui.applyButton.click()
        notes = self.ui.resultsNotesLabel
        self.assertIn("χ by closed-form with λ 0.2 mm², background removal lbv.", notes.text)
        self.assertNotIn("Changed", notes.text)
        self.ui.maskErosionSpinBox.value, self.ui.regularizationSpinBox.value = 7, 0.5
        self.assertIn("Changed in the panel since this run: Mask erosion, Regularization λ.", notes.text)
        self.ui.maskErosionSpinBox.value, self.ui.regularizationSpinBox.value = 5, 0
        # As the λ of the preset, and the same numbers written otherwise, are no other ones.
        self.ui.echoTimesLineEdit.text = self.ui.echoTimesLineEdit.text.replace(" ", ", ")
        self.assertNotIn("Changed", notes.text)
        self.ui.maskSelector.setCurrentNode(self.regions())
        self.ui.fieldStrengthSpinBox.value = 1.5
        self.assertIn("since this run: Field strength, Mask.", notes.text)

    def test_another_scan_than_that_of_the_run_is_told_and_is_not_run_with_the_lambda_that_was_tried(self):
        magnitude, _phase = self.load()
        self.ui.applyButton.click()
        self.ui.magnitudeSelector.setCurrentNode(scene.addEchoSequences(PHANTOM.acquisition, "other")[0])
        self.assertIn("Changed in the panel since this run: Magnitude, Phase.", self.ui.resultsNotesLabel.text)
        self.ui.magnitudeSelector.currentNode().SetName(magnitude.GetName())  # two of one name are two scans
        self.widget.results.refresh()
        self.assertIn("Changed in the panel since this run: Magnitude, Phase.", self.ui.resultsNotesLabel.text)
        button = self.ui.previewButton
        self.assertEqual((button.text, button.enabled), ("Select the scan of the chosen run", False))
        self.assertTrue(self.ui.applyButton.enabled)
        self.ui.magnitudeSelector.setCurrentNode(magnitude)
        self.assertTrue(button.enabled)

    def test_maps_that_are_deleted_leave_the_table_by_themselves(self):
        self.load()
        self.ui.applyButton.click()
        table = self.ui.resultsTable
        count = table.rowCount
        slicer.mrmlScene.RemoveNode(slicer.mrmlScene.GetFirstNodeByName("small local field [ppm]"))
        slicer.app.processEvents()
        self.assertEqual((table.rowCount, self.ui.previewSlider.enabled), (count - 1, False))
        for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
            slicer.mrmlScene.RemoveNode(node)
        slicer.app.processEvents()
        self.assertEqual((table.rowCount, self.ui.resultsRunComboBox.count), (0, 0))
        self.assertEqual(self.ui.resultsNotesLabel.text, "No maps yet: click Apply.")

    def test_many_notes_stand_under_the_results_alone(self):
        self.load()
        acquisition = PHANTOM.acquisition
        bone = scene.addSegmentation(PHANTOM.regions == 2, {1: "one bone"}, acquisition.affine, "bone")
        self.ui.maskSelector.setCurrentNode(bone)
        self.ui.applyButton.click()
        said, notes = self.ui.statusLabel.text, self.ui.resultsNotesLabel.text
        self.assertRegex(said, r"^Added 15 maps. What to know of them stands under 'Results', in \d notes.$")
        self.assertIn("The mask covers", notes)

    def test_where_a_run_has_nothing_to_try_lambda_on_the_reason_is_said(self):
        self.load()
        self.p.settings.inversion = "total-field"
        self.p.settings.inversion_iterations = 3
        self.ui.applyButton.click()
        self.assertFalse(self.ui.previewButton.enabled)
        self.assertIn("took the background away itself", driving.toolTip(self.ui.previewButton))

    def test_one_preview_is_saved_and_loaded_and_taken_up_again(self):
        name = "small closed-form preview χ [ppm]"
        self.load()
        self.ui.applyButton.click()
        self.ui.previewSlider.value = 1
        slicer.app.processEvents()
        before = slicer.util.arrayFromVolume(slicer.mrmlScene.GetFirstNodeByName(name)).copy()
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "scene.mrb")
            self.assertTrue(slicer.util.saveScene(path))
            slicer.mrmlScene.Clear(0)
            self.assertFalse(self.widget.ui.previewButton.enabled)
            slicer.util.loadScene(path)
        slicer.app.processEvents()
        self.assertEqual(self.ui.previewSlider.value, 1)
        self.assertIn("10 × preset", self.ui.previewLabel.text)
        np.testing.assert_array_equal(slicer.util.arrayFromVolume(slicer.mrmlScene.GetFirstNodeByName(name)), before)
        self.ui.previewSlider.value = 0.5  # the maps know where B0 was
        slicer.app.processEvents()
        (node,) = slicer.util.getNodes(f"{name.partition(' [')[0]}*").values()
        self.assertFalse(np.array_equal(slicer.util.arrayFromVolume(node), before))
