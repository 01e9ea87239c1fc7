"""From registration to regression in the module TrabecularQSMAnalysis; panel_trabecularqsmanalysis.py runs these."""

import tempfile
from pathlib import Path
from unittest import mock

import driving
import numpy as np
import qt
import slicer
from case_analysis import SHAPE, AnalysisCase, image, labels, tick

from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.scene.gui import packages
from TrabecularQSMLib.scene.registration import qualityOf
from TrabecularQSMLib.scene.tables import rowsFromTable
from TrabecularQSMLib.scene.volumes import nameOf


class NumbersTest(AnalysisCase):
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

    def test_a_volume_that_is_deleted_during_its_registration_leaves_no_result(self):
        for number in (0, 1):
            volumes, seen = self.pair(), []

            def delete(volume=volumes[number], seen=seen):
                slicer.mrmlScene.RemoveNode(volume)
                seen.append(driving.names())

            self.during(delete)
            with self.assertRaisesRegex(InputError, f"{('fixed', 'moving')[number]} .* was deleted during"):
                self.widget.onRegisterButton()
            self.assertIn("The registration failed.", self.ui.statusLabel.text)
            self.assertEqual([driving.names()], seen)
            self.assertIsNone(volumes[1].GetParentTransformNode())

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
