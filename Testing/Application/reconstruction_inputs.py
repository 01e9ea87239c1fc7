"""Scans, inputs and parameters of the module TrabecularQSM; panel_trabecularqsm.py runs these."""

import tempfile
from pathlib import Path
from unittest import mock

import driving
import numpy as np
import qt
import slicer
from case_reconstruction import PHANTOM, ReconstructionCase
from driving import emit

from TrabecularQSMLib import scene
from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.settings import preset


class InputsTest(ReconstructionCase):
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

    def test_another_inversion_has_the_lambda_of_the_preset(self):
        self.load()
        box, spin = self.ui.inversionComboBox, self.ui.regularizationSpinBox
        spin.value = 0.5  # mm²; as many ppm·mm would be 42 times the preset's
        box.setCurrentText("medi-tv")
        emit(box.activated, box.currentIndex)
        self.assertEqual((self.p.settings.regularization, spin.text), (0, "0.016 ppm·mm (preset)"))
        self.assertIn("λ is the preset's again", self.ui.statusLabel.text)
        self.widget.say("")
        emit(box.activated, box.currentIndex)
        self.assertEqual(self.ui.statusLabel.text, "")

    def test_tolerances_read_as_people_write_them(self):
        # Left out, each method has its own.
        self.assertIsNone(preset().background_tolerance)
        self.assertEqual(self.ui.backgroundToleranceLineEdit.text, "")
        for text, value in {"2e-5": 2e-5, "2e-": 2e-5, "900": 2e-5, "0.001": 1e-3}.items():
            self.ui.backgroundToleranceLineEdit.text = text
            self.assertEqual(self.p.settings.background_tolerance, value)
            self.assertEqual(self.ui.backgroundToleranceLineEdit.text, text)

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
