"""The step Cohort of the module TrabecularQSMAnalysis; panel_trabecularqsmanalysis.py runs these."""

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

import slicer
from case_analysis import AnalysisCase
from driving import emit

from TrabecularQSMLib import scene
from TrabecularQSMLib.errors import Cancelled, InputError
from TrabecularQSMLib.files.phantom import write_phantom
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom
from TrabecularQSMLib.settings import preset

TINY = make_phantom(PhantomSettings(shape=(30, 31, 14), seed=1))


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


class CohortTest(AnalysisCase):
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
