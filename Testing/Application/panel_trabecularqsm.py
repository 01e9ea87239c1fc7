"""The panel of the module TrabecularQSM, driven as a user would. Needs the application: its widgets and its scene.

Slicer --testing --additional-module-paths TrabecularQSM --python-script Testing/Application/panel_trabecularqsm.py
"""

import sys
import tempfile
from pathlib import Path
from unittest import mock

import driving
import numpy as np
import qt
import slicer

from TrabecularQSMLib import scene
from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.files.terminology import TERMINOLOGY
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom
from TrabecularQSMLib.scene.gui.results import windowText
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
        nodes |= {"maskSegmentation": regions, "lcurveRegions": regions, "dicom.regions": regions}
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
            elif hasattr(child, "currentPath"):
                child.currentPath = "/somewhere"
            elif hasattr(child, "checked") and not hasattr(child, "value"):
                child.checked = not child.checked
            elif hasattr(child, "currentIndex"):
                child.currentIndex = (child.currentIndex + 1) % child.count
            elif hasattr(child, "text") and hasattr(child, "placeholderText"):
                child.text = "5e-3" if isinstance(before, float) else "7"
            else:
                child.value = child.value + 2 * child.singleStep
            after = self.p.getValue(name)
            self.assertNotEqual(after, before, name)
            if name in nodes or name == "maskSegment":
                continue
            self.p.setValue(name, before)
            ways = ("value", "currentPath", "checked", "currentText", "text")
            shown = next(getattr(child, way) for way in ways if hasattr(child, way))
            if isinstance(before, float):
                shown = float(shown or 0)
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

    def test_the_scan_that_is_shown_is_taken_where_another_has_the_same_name(self):
        first, _phase = self.load()
        second, _phase = scene.addEchoSequences(PHANTOM.acquisition, "other")
        second.SetName(first.GetName())
        self.check_a_namesake_is_taken("magnitudeSequence", first, second)
        self.assertIs(self.widget.logic.options(self.p)["magnitudeSequence"], second)

    def test_apply_says_what_is_missing(self):
        self.assertFalse(self.ui.applyButton.enabled)
        self.assertEqual(self.ui.applyButton.text, "Select the magnitude sequence")
        self.load()
        self.assertTrue(self.ui.applyButton.enabled)
        self.assertEqual(self.ui.applyButton.text, "Apply")
        self.ui.echoTimesLineEdit.text = "1 2"
        self.assertFalse(self.ui.applyButton.enabled)
        self.assertEqual(self.ui.applyButton.text, "Enter 9 echo times in ms")

    def test_apply_says_what_no_scan_can_have(self):
        self.load()
        button, times = self.ui.applyButton, self.ui.echoTimesLineEdit
        right = times.text.split()
        for text, said in {
            " ".join(right[::-1]): "Enter echo times that increase from above zero",
            " ".join(["0", *right[1:]]): "Enter echo times that increase from above zero",
            " ".join(str(float(time) / 1e3) for time in right): "Enter the echo times in ms",
            " ".join([*right[:-1], "685"]): "Enter the echo times in ms",
            "one": "Check the parameters (see tooltip)",
        }.items():
            times.text = text
            self.assertEqual((button.text, button.enabled), (said, False), text)
        self.assertIn("The echo times are 'one'", driving.toolTip(button))
        times.text = "; ".join(right).replace(".", ",")
        self.assertEqual(button.text, "Apply")
        self.ui.b0DirectionLineEdit.text = "0 0 0"
        self.assertEqual(button.text, "Enter three numbers for the direction of B0")

    def test_sequences_that_are_no_scan_are_told_and_harm_nothing(self):
        models = [slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", name) for name in "ab"]
        echoes = scene.addEchoSequences(PHANTOM.acquisition, "small")
        few = [slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", name) for name in "cd"]
        for sequence, whole in zip(few, echoes, strict=True):
            sequence.Copy(whole)
            for time in sequence.GetNthIndexValue(8), sequence.GetNthIndexValue(7):
                sequence.RemoveDataNodeAtValue(time)
        for pair, said in (
            (models, "The magnitude sequence holds no volumes"),
            ((echoes[0], models[0]), "The phase sequence holds no volumes"),
            ((echoes[0], few[1]), "Magnitude and phase differ in number of echoes"),
        ):
            self.p.magnitudeSequence, self.p.phaseSequence = pair
            self.assertEqual(self.ui.applyButton.text, said)
        for sequence in few:
            for number in range(6, 1, -1):
                sequence.RemoveDataNodeAtValue(sequence.GetNthIndexValue(number))
        self.p.magnitudeSequence, self.p.phaseSequence = few
        self.assertEqual(self.ui.applyButton.text, "At least three echoes are needed")

    def test_the_phase_follows_the_magnitude_of_another_scan(self):
        first, firstPhase = self.load()
        second, secondPhase = scene.addEchoSequences(PHANTOM.acquisition, "other")
        self.ui.magnitudeSelector.setCurrentNode(second)
        self.assertIs(self.p.phaseSequence, secondPhase)
        self.assertIs(self.ui.phaseSelector.currentNode(), secondPhase)
        self.ui.phaseSelector.setCurrentNode(firstPhase)  # a choice is kept, and told with the maps
        self.assertIs(self.p.phaseSequence, firstPhase)
        self.ui.magnitudeSelector.setCurrentNode(first)
        self.assertIs(self.p.phaseSequence, firstPhase)

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

    def test_a_scan_from_a_folder_is_shown_and_said(self):
        from TrabecularQSMLib.files.phantom import write_phantom

        with tempfile.TemporaryDirectory() as folder:
            write_phantom(folder, PHANTOM)
            self.widget.loadScan(folder)
        self.assertRegex(self.ui.statusLabel.text, "^sub-01: 9 echoes of 48 × 48 × 24 voxels, .* mm, 3 T")
        self.assertEqual(scene.shownMap().GetName(), "sub-01 magnitude echo")
        self.assertTrue(self.ui.loadingCollapsibleButton.collapsed)
        self.p.magnitudeSequence = None
        self.assertEqual(self.ui.statusLabel.text, "")

    def test_a_folder_of_several_scans_or_datasets_says_how_to_choose(self):
        from TrabecularQSMLib.files.phantom import write_phantom

        with tempfile.TemporaryDirectory() as folder:
            write_phantom(Path(folder) / "one", PHANTOM)
            write_phantom(Path(folder) / "one", PHANTOM, subject="02")
            with self.assertRaisesRegex(InputError, "sub-01, sub-02.*choose one with 'Which scan'"):
                self.widget.loadScan(str(Path(folder) / "one"))
            self.assertFalse(self.ui.loadingCollapsibleButton.collapsed)
            self.ui.scanLabelsLineEdit.text = "sub-02"
            self.widget.loadScan(str(Path(folder) / "one"))
            self.assertEqual(self.p.magnitudeSequence.GetName(), "sub-02 magnitude")
            self.ui.scanLabelsLineEdit.text = ""
            write_phantom(Path(folder) / "two", PHANTOM)
            with self.assertRaisesRegex(InputError, "2 datasets .one, two.; choose the folder of one"):
                self.widget.loadScan(folder)

    def test_cancelled_loading_leaves_the_scene_as_it_was(self):
        from TrabecularQSMLib.files.phantom import write_phantom

        before = driving.names()
        with tempfile.TemporaryDirectory() as folder:
            write_phantom(folder, PHANTOM)
            self.during(self.widget.cancel)
            self.widget.loadScan(folder)
        self.assertEqual(self.ui.statusLabel.text, "Cancelled.")
        self.assertEqual(driving.names(), before)

    def test_a_file_that_stores_no_voxel_size_asks_for_it_by_its_label(self):
        import scipy.io

        signal = PHANTOM.acquisition.echoes.transpose(3, 2, 1, 0)
        struct = {
            "signal": signal,
            "TE_s": PHANTOM.acquisition.echo_times,
            "fieldStrength_T": 3.0,
            "centerFreq_Hz": PHANTOM.acquisition.imaging_frequency,
        }
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "scan.mat")
            scipy.io.savemat(path, {"ImDataParams": struct})
            with self.assertRaisesRegex(InputError, "stores no voxel size.*with 'Voxel size'"):
                self.widget.loadScan(path)
            self.ui.voxelSizeLineEdit.text = "3 3 4"
            self.widget.loadScan(path)
        self.assertIn("3 × 3 × 4 mm", self.ui.statusLabel.text)
        self.assertNotIn("--", self.ui.statusLabel.text)

    def test_echo_times_and_field_strength_of_a_4d_file_are_asked_for_by_their_labels(self):
        import SimpleITK as sitk

        from TrabecularQSMLib.images import image_from

        acquisition = PHANTOM.acquisition
        with tempfile.TemporaryDirectory() as folder:
            for part, function in (("mag", np.abs), ("phase", np.angle)):
                images = [image_from(function(echo), acquisition.affine) for echo in acquisition.echoes]
                sitk.WriteImage(sitk.JoinSeries(images), str(Path(folder) / f"scan_{part}.nii"))
            path = str(Path(folder) / "scan_mag.nii")
            with self.assertRaisesRegex(InputError, "give them with 'Files' echo times'"):
                self.widget.loadScan(path)
            self.assertFalse(self.ui.loadingCollapsibleButton.collapsed)
            self.ui.fileEchoTimesLineEdit.text = " ".join(f"{1e3 * time:g}" for time in acquisition.echo_times)
            with self.assertRaisesRegex(InputError, "give 'Files' field strength', or add"):
                self.widget.loadScan(path)
            self.ui.fileFieldStrengthLineEdit.text = "3"
            self.widget.loadScan(path)
        self.assertEqual(self.ui.fieldStrengthSpinBox.value, 3.0)
        self.assertTrue(self.ui.applyButton.enabled)

    def test_packages_are_offered_where_a_scan_needs_them_and_it_is_read_then(self):
        from TrabecularQSMLib.errors import PackageNeeded
        from TrabecularQSMLib.scene.gui import packages

        tried = []

        def load(path, progress=None, **options):
            tried.append(path)
            if len(tried) != 3:
                raise PackageNeeded("A package is needed.", "dcm2niix")
            return self.load()

        self.replace(self.widget.logic, "loadScan", load)
        for agreed in (False, True):
            with (
                mock.patch.object(packages, "isInstalled", side_effect=[False, True]),
                mock.patch.object(slicer.util, "confirmOkCancelDisplay", return_value=agreed) as asked,
                mock.patch.object(packages.importlib.util, "find_spec", return_value=None),
                mock.patch.object(slicer.util, "pip_install", create=True) as install,
            ):
                self.widget.loadScan("somewhere")
                asked.assert_called_once()
                self.assertIn("dcm2niix", asked.call_args[0][0])
                self.assertEqual(install.called, agreed)
        self.assertEqual(len(tried), 3)
        self.assertIn("small: 9 echoes", self.ui.statusLabel.text)

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

    def test_tolerances_read_as_people_write_them(self):
        # Left out, each method has its own.
        self.assertIsNone(preset().background_tolerance)
        self.assertEqual(self.ui.backgroundToleranceLineEdit.text, "")
        for text, value in {"2e-5": 2e-5, "2e-": 2e-5, "900": 2e-5, "0.001": 1e-3}.items():
            self.ui.backgroundToleranceLineEdit.text = text
            self.assertEqual(self.p.settings.background_tolerance, value)
            self.assertEqual(self.ui.backgroundToleranceLineEdit.text, text)

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

    def test_of_the_kinds_of_edges_one_alone_can_be_set(self):
        steepness, threshold, share = (
            getattr(self.ui, f"edge{name}SpinBox") for name in ("Steepness", "Threshold", "Fraction")
        )
        self.assertEqual((threshold.enabled, share.enabled), (False, False))
        steepness.value = 0
        self.assertEqual((threshold.enabled, share.enabled), (True, True))
        threshold.value = 0.2
        self.assertEqual((threshold.enabled, share.enabled), (True, False))
        self.p.settings.edge_steepness = 0.0125
        self.assertEqual((threshold.enabled, share.enabled), (False, False))

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

    def test_many_notes_stand_under_the_results_alone(self):
        self.load()
        acquisition = PHANTOM.acquisition
        bone = scene.addSegmentation(PHANTOM.regions == 2, {1: "one bone"}, acquisition.affine, "bone")
        self.ui.maskSelector.setCurrentNode(bone)
        self.ui.applyButton.click()
        said, notes = self.ui.statusLabel.text, self.ui.resultsNotesLabel.text
        self.assertRegex(said, r"^Added 15 maps. What to know of them stands under 'Results', in \d notes.$")
        self.assertIn("The mask covers", notes)

    def test_another_inversion_has_the_lambda_of_the_preset(self):
        self.load()
        box, spin = self.ui.inversionComboBox, self.ui.regularizationSpinBox
        spin.value = 0.5  # mm²; as many ppm·mm would be 42 times the preset's
        box.setCurrentText("medi-tv")
        emit(box.activated, box.currentIndex)
        self.assertEqual((self.p.settings.regularization, spin.text), (0, "0.012 ppm·mm (preset)"))
        self.assertIn("λ is the preset's again", self.ui.statusLabel.text)
        self.widget.say("")
        emit(box.activated, box.currentIndex)
        self.assertEqual(self.ui.statusLabel.text, "")

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

    def test_loose_volumes_become_sequences(self):
        acquisition = PHANTOM.acquisition
        self.assertEqual(self.ui.looseButton.text, "Tick the magnitude volumes")
        parts = {"looseMagnitudesSelector": np.abs, "loosePhasesSelector": np.angle}
        for selector, part in parts.items():
            for number in range(3):
                volume = scene.addMapVolume(part(acquisition.echoes[number]), acquisition.affine, "mip", selector)
                getattr(self.ui, selector).setCheckState(volume, qt.Qt.Checked)
        self.assertEqual([len(self.p.looseMagnitudes), len(self.p.loosePhases)], [3, 3])
        self.ui.looseEchoTimesLineEdit.text = "1.25, 1.95"
        self.assertEqual(self.ui.looseButton.text, "Enter one echo time in ms for each volume")
        self.ui.looseEchoTimesLineEdit.text = "1.25, 1.95, 2.65"
        self.ui.fieldStrengthSpinBox.value = 1.5
        self.ui.looseButton.click()
        self.assertEqual(self.p.magnitudeSequence.GetNumberOfDataNodes(), 3)
        self.assertEqual(self.ui.echoTimesLineEdit.text, "1.25 1.95 2.65")
        self.assertEqual(self.ui.fieldStrengthSpinBox.value, 1.5)
        self.assertTrue(self.ui.applyButton.enabled)
        self.assertIn("3 echoes", self.ui.statusLabel.text)
        # What is shown of a sequence, and results, can be no echoes.
        hidden = [slicer.mrmlScene.GetNodeByID(one).GetName() for one in scene.volumesThatAreNoEchoes()]
        self.assertEqual(len(hidden), 2, hidden)

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
    # The reload comes last: this file goes on with the library it imported.
    driving.run(PanelTest, ReloadTest)
