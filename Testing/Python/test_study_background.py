"""A cohort in a process of its own: what it tells meanwhile, and how it ends."""

import shutil
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

from TrabecularQSMLib.errors import Cancelled, InputError
from TrabecularQSMLib.study import background
from TrabecularQSMLib.study.background import BackgroundCohort

# In place of the command: says what that says.
STAND_IN = """
import sys, time
assert sys.argv[2:] == ["out", "--workers", "2", "--resume"], sys.argv
print(" 10 % sub-01: Separating water and fat", file=sys.stderr, flush=True)
if sys.argv[1] == "wait":
    time.sleep(60)
print("Note: sub-01 failed: a note that looks like it")
print("sub-02 failed: It has two echoes; give three.")
print("1 of 2 subjects are finished.")
if sys.argv[1] == "fault":
    raise ValueError("λ is wrong")
sys.exit(int(sys.argv[1]))
"""


class BackgroundTest(unittest.TestCase):
    def stand_in(self, what):
        """A cohort whose process says what the command says, and leaves with a code, waits, or fails."""
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        (folder / "cohort.py").write_text(STAND_IN, encoding="utf-8")
        with mock.patch.object(background, "_COMMAND", (str(folder / "cohort.py"),)):
            return BackgroundCohort(what, "out", {"workers": 2, "resume": True, "overwrite": False, "ct": ""})

    def test_it_ends_with_the_last_line_and_the_subjects_that_failed(self):
        cohort = self.stand_in("3")
        ended = cohort.result()
        self.assertFalse(cohort.is_running())
        self.assertEqual(ended.summary, "1 of 2 subjects are finished.")
        self.assertEqual(ended.failures, {"sub-02": "It has two echoes; give three."})
        self.assertEqual(ended.notes, ("sub-01 failed: a note that looks like it",))

    def test_it_goes_on_until_it_is_stopped(self):
        cohort, end = self.stand_in("wait"), time.monotonic() + 20
        while cohort.progress() == (0.0, "Starting") and time.monotonic() < end:
            time.sleep(0.02)
        self.assertEqual(cohort.progress(), (0.1, "sub-01: Separating water and fat"))
        self.assertTrue(cohort.is_running())
        cohort.stop()
        with self.assertRaisesRegex(Cancelled, "What is finished stays"):
            cohort.result()

    def test_it_ends_where_nobody_waits_for_it_any_more(self):
        cohort = self.stand_in("wait")
        process = cohort._process
        del cohort
        self.assertNotEqual(process.wait(20), 0)

    def test_a_fault_of_the_program_is_no_result(self):
        with self.assertRaisesRegex(RuntimeError, "ended with code 1: ValueError: λ is wrong"):
            self.stand_in("fault").result()

    def test_the_command_itself_says_what_is_wrong(self):
        with self.assertRaisesRegex(InputError, "^nowhere is not a folder; give a BIDS dataset"):
            BackgroundCohort("nowhere", "out", {"resume": True, "overwrite": False, "workers": 1}).result()


if __name__ == "__main__":
    unittest.main()
