"""Cohorts: the same bytes from any workers, whole subjects only, and what is finished stays."""

import contextlib
import csv
import hashlib
import importlib.util
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import scans
from reading import InFolderTest
from windows import like_windows

from TrabecularQSMLib import cli
from TrabecularQSMLib.errors import Cancelled, InputError
from TrabecularQSMLib.files import read_acquisition
from TrabecularQSMLib.files.phantom import write_phantom
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom
from TrabecularQSMLib.settings import preset
from TrabecularQSMLib.study import cohort
from TrabecularQSMLib.study.estimate import (
    free_memory,
    in_words,
    needed_memory,
    needed_seconds,
    usable_workers,
    whole_seconds,
)
from TrabecularQSMLib.study.subjects import find_subjects
from TrabecularQSMLib.workers import process_pool

try:
    import resource
except ImportError:  # Windows
    resource = None

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = preset(inversion="closed-form")
REGIONS = "derivatives/truth/{folder}/anat/{name}_dseg.nii.gz"


def contents(folder):
    """All files of a cohort's output with the digest of their bytes, but for the log."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in Path(folder).rglob("*")
        if path.is_file() and path.name != cohort.LOG.name
    }


def setUpModule():
    """Make a dataset of two coarse phantoms, and a cohort of it in this process, to compare with."""
    CohortTest.common = Path(tempfile.mkdtemp())
    CohortTest.dataset, CohortTest.whole = (CohortTest.common / name for name in ("study", "whole"))
    for seed in (1, 2):
        phantom = make_phantom(PhantomSettings(shape=(30, 31, 14), seed=seed))
        write_phantom(CohortTest.dataset, phantom, subject=f"0{seed}")
    subjects = find_subjects(CohortTest.dataset, {"regions": REGIONS})
    cohort.run_cohort(subjects, cohort.Work(CohortTest.dataset, CohortTest.whole, SETTINGS))


def tearDownModule():
    shutil.rmtree(CohortTest.common)


class CohortTest(InFolderTest):
    def setUp(self):
        super().setUp()
        self.output = self.folder / "out"

    def run_cohort(self, dataset=None, output=None, settings=SETTINGS, regions=REGIONS, participants=(), **options):
        subjects = find_subjects(dataset or self.dataset, {"regions": regions} if regions else {}, participants)
        work = cohort.Work(dataset or self.dataset, output or self.output, settings)
        return cohort.run_cohort(subjects, work, **options)

    def copy(self):
        """A dataset to damage."""
        shutil.copytree(self.dataset, self.folder / "study")
        return self.folder / "study"

    def finish(self):
        """Put what a cohort has made before into the output."""
        shutil.copytree(self.whole, self.output)

    def statuses(self, outcomes):
        return {one.name: one.status for one in outcomes}


class RunTest(CohortTest):
    def test_the_same_bytes_come_from_any_number_of_workers_and_from_dask(self):
        expected = contents(self.whole)
        self.assertIn("sub-02/anat/sub-02_Chimap.nii.gz", expected)
        outcomes = self.run_cohort(output=self.folder / "two", executors=lambda most=None: process_pool(2))
        self.assertEqual(self.statuses(outcomes), {"sub-01": "finished", "sub-02": "finished"})
        self.assertEqual(contents(self.folder / "two"), expected)
        if importlib.util.find_spec("distributed") is None:
            self.skipTest("needs dask[distributed]")
        from distributed import Client

        with Client(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as client:
            self.run_cohort(output=self.folder / "dask", executors=lambda most=None: client.get_executor())
        self.assertEqual(contents(self.folder / "dask"), expected)

    def test_the_table_has_the_rows_that_measure_gives_of_each_subject(self):
        with open(self.whole / cohort.TABLE, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual({row["case"] for row in rows}, {"sub-01", "sub-02"})
        table = self.folder / "one.csv"
        regions = self.dataset / REGIONS.format(folder="sub-02", name="sub-02")
        arguments = ["measure", str(self.whole / "sub-02"), "--regions", str(regions), "--output", str(table)]
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(cli.main(arguments), 0)
        with open(table, encoding="utf-8", newline="") as file:
            expected = [row for row in csv.DictReader(file) if row["region"] != "mask"]
        self.assertEqual([row for row in rows if row["case"] == "sub-02"], expected)

    def test_a_sidecar_repeats_its_subject_bit_for_bit(self):
        sidecar = self.whole / "sub-02" / "anat" / "sub-02_Chimap.json"
        command = ["reconstruct", self.dataset, self.folder / "again", "--subject", "02", "--settings", sidecar]
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            self.assertEqual(cli.main([*map(str, command), "--threads", "1"]), 0)
        first, again = (
            {path.name: path.read_bytes() for path in (folder / "sub-02" / "anat").glob("*map*.nii.gz")}
            for folder in (self.whole, self.folder / "again")
        )
        self.assertGreater(len(first), 8)
        self.assertEqual(first, again)

    def test_a_subject_that_fails_leaves_nothing_but_its_sentence_and_stops_nobody(self):
        dataset = self.copy()
        for path in (dataset / "sub-01").rglob("*echo-3_part-phase*"):
            path.unlink()
        outcomes = self.run_cohort(dataset)
        self.assertEqual(self.statuses(outcomes), {"sub-01": "failed", "sub-02": "finished"})
        self.assertIn("part-phase for", outcomes[0].message)
        self.assertNotIn("A fault of the program", outcomes[0].message)
        self.assertFalse((self.output / "sub-01").exists())
        self.assertEqual([path.name for path in self.output.rglob(".*")], [".bidsignore"])

    def test_a_fault_of_ours_in_one_subject_is_told_and_stops_nobody(self):
        real = cohort.reconstruct

        def sometimes(acquisition, *arguments, **options):
            if "sub-01" in acquisition.source:
                raise ZeroDivisionError("no")
            return real(acquisition, *arguments, **options)

        with mock.patch.object(cohort, "reconstruct", sometimes):
            outcomes = self.run_cohort()
        self.assertEqual(self.statuses(outcomes), {"sub-01": "failed", "sub-02": "finished"})
        self.assertIn("ZeroDivisionError", outcomes[0].message)

    @unittest.skipIf(resource is None, "needs a system that limits the size of files")
    def test_what_cannot_be_written_whole_is_told_and_leaves_nothing(self):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_FSIZE, before)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))  # a part of a map
        (outcome,) = self.run_cohort(participants=["01"])
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        self.assertEqual(outcome.status, "failed")
        self.assertIn(f"There is no space left to write {self.output}", outcome.message)
        self.assertFalse((self.output / "sub-01").exists())
        self.assertEqual([path.name for path in self.output.rglob(".*")], [".bidsignore"])

    def test_a_worker_that_is_killed_costs_the_subject_that_kills_it_alone(self):
        class Pool(ThreadPoolExecutor):
            def submit(self, work, subject, *arguments):
                if subject.name == "sub-01":
                    raise BrokenProcessPool("killed")
                return super().submit(work, subject, *arguments)

        asked = []

        def pool(most=None):
            asked.append(most)
            return Pool(1)

        outcomes = self.run_cohort(executors=pool)
        self.assertEqual(self.statuses(outcomes), {"sub-01": "failed", "sub-02": "finished"})
        self.assertIn("was killed, most likely for lack of memory", outcomes[0].message)
        self.assertEqual(asked, [None, 1, 1])

    def test_what_is_cancelled_leaves_whole_subjects_and_goes_on_from_them(self):
        def cancel(fraction, message):
            if message.startswith("sub-02"):
                raise Cancelled

        with self.assertRaises(Cancelled):
            self.run_cohort(progress=cancel)
        self.assertTrue((self.output / "sub-01").exists())
        self.assertEqual(sorted(path.name for path in self.output.iterdir()), ["prov", "sub-01"])
        outcomes = self.run_cohort(resume=True)
        self.assertEqual(self.statuses(outcomes), {"sub-01": "unchanged", "sub-02": "finished"})
        self.assertEqual(contents(self.output), contents(self.whole))

    def test_workers_stop_when_the_run_is_stopped(self):
        subject = find_subjects(self.dataset)[0]
        work = cohort.Work(self.dataset, self.output, SETTINGS, run="a run that is over")
        with self.assertRaises(Cancelled):
            cohort.work_on(subject, work)
        self.assertFalse(self.output.exists())

    @unittest.skipUnless(hasattr(signal, "SIGKILL"), "needs signals")
    def test_killed_at_any_moment_and_resumed_it_comes_to_the_same_bytes(self):
        command = [sys.executable, "-m", "TrabecularQSMLib", "cohort", str(self.dataset), str(self.output)]
        command += ["--inversion", "closed-form", "--regions", REGIONS, "--workers", "1", "--resume"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        for seconds in (1.5, 3.0):
            with subprocess.Popen(command, stdout=-3, stderr=-3, env=environment) as run:
                time.sleep(seconds)
                run.kill()
            for name, folder in cohort.finished_subjects(self.output).items():
                self.assertTrue((folder / "anat" / f"{name}_regions.csv").exists())
        self.assertEqual(subprocess.run(command, stdout=-3, stderr=-3, env=environment, check=False).returncode, 0)
        self.assertEqual(contents(self.output), contents(self.whole))


class ResumeTest(CohortTest):
    def test_no_lock_is_left_where_open_files_cannot_be_removed(self):
        work = cohort.Work(self.dataset, self.output, SETTINGS)
        with like_windows(cohort):
            with cohort._only_run(work):
                self.assertTrue((self.output / cohort._LOCK).exists())
                (self.output / "x").write_text("x")
            self.assertEqual([path.name for path in self.output.iterdir()], ["x"])

    def test_results_that_are_there_are_neither_skipped_nor_replaced_unasked(self):
        self.finish()
        before = contents(self.output)
        with self.assertRaisesRegex(InputError, "already holds sub-01 and 1 more; .*`resume`.*`overwrite`"):
            self.run_cohort()
        self.assertEqual(contents(self.output), before)

    def test_a_finished_subject_whose_inputs_or_settings_changed_is_told_and_kept(self):
        dataset = self.copy()
        self.finish()
        sidecar = next((dataset / "sub-01").rglob("*.json"))
        values = json.loads(sidecar.read_text(encoding="utf-8"))
        sidecar.write_text(json.dumps({**values, "ImagingFrequency": 127.0}), encoding="utf-8")
        before = contents(self.output)
        outcomes = self.run_cohort(dataset, resume=True)
        self.assertEqual(self.statuses(outcomes), {"sub-01": "failed", "sub-02": "unchanged"})
        self.assertIn("made of other inputs, settings or version; give `overwrite`", outcomes[0].message)
        changed = {name for name, content in contents(self.output).items() if before[name] != content}
        self.assertEqual(changed, {cohort.SUBJECTS_TABLE})
        times = json.loads((self.output / cohort.LOG).read_text(encoding="utf-8"))
        self.assertEqual(
            {name: one["Status"] for name, one in times.items()}, {"sub-01": "failed", "sub-02": "finished"}
        )
        self.assertGreater(times["sub-02"]["Seconds"], 0)  # of the run that made it
        outcomes = self.run_cohort(dataset, resume=True, overwrite=True)
        self.assertEqual(self.statuses(outcomes), {"sub-01": "finished", "sub-02": "unchanged"})
        other = preset(inversion="closed-form", regularization=0.5)
        self.assertEqual(set(self.statuses(self.run_cohort(dataset, settings=other, resume=True)).values()), {"failed"})

    def test_subjects_one_after_the_other_come_to_the_same_tables_as_all_at_once(self):
        work = cohort.Work(self.dataset, self.output, SETTINGS)
        for label in ("02", "01"):
            cohort.run_cohort(find_subjects(self.dataset, {"regions": REGIONS}, [label]), work)
        self.assertEqual(contents(self.output), contents(self.whole))

    def test_what_a_killed_run_left_in_its_hidden_folder_is_not_finished(self):
        shutil.copytree(self.whole / "sub-01", self.output / ".writing-x" / "files" / "sub-01")
        self.assertEqual(cohort.finished_subjects(self.output), {})

    def test_a_folder_that_cohort_did_not_make_is_kept(self):
        (self.output / "sub-01").mkdir(parents=True)
        outcomes = self.run_cohort(resume=True)
        self.assertIn("was not made by cohort", outcomes[0].message)
        self.assertEqual(list((self.output / "sub-01").iterdir()), [])

    def test_two_runs_do_not_work_on_one_folder(self):
        work = cohort.Work(self.dataset, self.output, SETTINGS)
        with cohort._only_run(work):
            with self.assertRaisesRegex(InputError, "Another run is working on"):
                self.run_cohort()
        self.assertFalse(self.output.exists())


class SubjectsTest(CohortTest):
    def test_subjects_have_the_files_that_patterns_name(self):
        subjects = find_subjects(self.dataset, {"regions": REGIONS, "ct": "sub-*/{name}_CT.nii.gz"}, ["sub-02"])
        self.assertEqual([subject.name for subject in subjects], ["sub-02"])
        self.assertEqual(subjects[0].companions["regions"].name, "sub-02_dseg.nii.gz")
        self.assertEqual(subjects[0].missing, ("ct",))

    def test_patterns_and_labels_that_fit_nobody_or_too_much_are_refused(self):
        for patterns, participants, words in (
            ({"regions": "all.nii.gz"}, (), "is the same for all subjects; put {name}"),
            ({"regions": "{folder}/{subject}.nii.gz"}, (), "cannot be filled in; use {name}"),
            ({"regions": "{folder}/anat/*phase*.nii*"}, (), "both fit .* for sub-01"),
            ({}, ["07"], "holds no subject sub-07; choose from 01, 02"),
            ({"regions": REGIONS, "bone": "{folder}/bone.nii.gz"}, (), "give regions and bSSFP too, or leave it out"),
        ):
            with self.assertRaisesRegex(InputError, words):
                find_subjects(self.dataset, patterns, participants)
        with self.assertRaisesRegex(InputError, "is not a folder"):
            find_subjects(self.folder / "none")
        with self.assertRaisesRegex(InputError, "holds no multi-echo scan"):
            find_subjects(self.folder)

    def test_time_grows_with_the_inversion_the_noise_of_chi_and_companions(self):
        (subject, _), fast = find_subjects(self.dataset), preset(inversion="closed-form")
        more = [preset(inversion="medi-tv"), preset(inversion="medi-tv", chi_sigma="yes")]
        times = [needed_seconds(subject, settings) for settings in (preset(stop_after="background"), fast, *more)]
        self.assertEqual(times, sorted(set(times)))
        with_ct = replace(subject, companions={"ct": subject.images[0]})
        self.assertGreater(needed_seconds(with_ct, fast), needed_seconds(subject, fast) + 5)

    def test_time_is_about_what_was_measured(self):
        for voxels, measured in ((98 * 98 * 45, 8), (147 * 147 * 68, 20)):
            with mock.patch("TrabecularQSMLib.study.estimate._sizes", return_value=(18 * voxels, voxels)):
                told = needed_seconds(
                    replace(find_subjects(self.dataset)[0], companions={}), preset(inversion="medi-tv")
                )
            self.assertAlmostEqual(told / measured, 1, delta=0.25)

    def test_all_subjects_take_as_long_as_their_share_or_the_longest_one(self):
        self.assertEqual([whole_seconds([30, 60, 90], workers) for workers in (1, 2, 3)], [180, 90, 90])
        self.assertEqual(whole_seconds([30], 1), 30)
        self.assertEqual([in_words(one) for one in (119, 121, 7100, 7300)], ["119 s", "2 min", "118 min", "2 h"])

    def test_as_many_workers_as_memory_allows(self):
        needed = needed_memory(find_subjects(self.dataset)[0])
        self.assertGreater(needed, 9 * 30 * 31 * 14 * 8)
        with mock.patch("TrabecularQSMLib.study.estimate.free_memory", lambda: 2.5 * needed):
            with mock.patch("os.cpu_count", lambda: 8):
                self.assertEqual(usable_workers(needed, 5), 2)
                self.assertEqual(usable_workers(needed, 1), 1)

    def test_free_memory_is_known_on_macos_and_windows_too(self):
        said = (
            "Mach Virtual Memory Statistics: (page size of 16384 bytes)\n"
            "Pages free:                                3631.\nPages active:                            404433.\n"
            "Pages inactive:                          402225.\nPages speculative:                         1350.\n"
        )

        def fill(reference):
            status = reference._obj
            self.assertEqual(status.length, 64)
            status.total, status.available = 16 << 30, 5 << 30
            return 1

        windows = mock.Mock()
        windows.kernel32.GlobalMemoryStatusEx = fill
        with mock.patch("subprocess.run", return_value=mock.Mock(stdout=said)), mock.patch("sys.platform", "darwin"):
            self.assertEqual(free_memory(), 16384 * (3631 + 402225 + 1350))
        with mock.patch("ctypes.windll", windows, create=True), mock.patch("sys.platform", "win32"):
            self.assertEqual(free_memory(), 5 << 30)
        with mock.patch("subprocess.run", side_effect=OSError), mock.patch("sys.platform", "darwin"):
            self.assertIsNone(free_memory())
        with mock.patch("sys.platform", "freebsd14"):
            self.assertIsNone(free_memory())


class ConvertTest(CohortTest):
    def test_a_scan_becomes_one_subject_of_a_dataset_with_its_protocol(self):
        anat = self.folder / "other" / "sub-9" / "anat"
        scans.write_bids(
            anat,
            name="sub-9",
            sidecar=lambda n: {"EchoTime": scans.ECHO_TIMES[n - 1], "MagneticFieldStrength": 3, "FlipAngle": 5},
        )
        arguments = ["convert", self.folder / "other", self.folder / "study", "--subject", "07"]
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            self.assertEqual(cli.main([*map(str, arguments)]), 0)
            self.assertEqual(cli.main([*map(str, arguments)]), 2)  # it is there
        before, after = (read_acquisition(self.folder / name) for name in ("other", "study"))
        self.assertEqual((after.stem, after.protocol), ("sub-07", {"FlipAngle": 5}))
        np.testing.assert_allclose(after.acquisition.echoes, before.acquisition.echoes, rtol=1e-5, atol=1e-4)
        np.testing.assert_allclose(after.acquisition.affine, before.acquisition.affine, atol=1e-5)


class CommandTest(CohortTest):
    def run_command(self, *arguments):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = cli.main(["cohort", *map(str, arguments)])
        return code, out.getvalue(), err.getvalue()

    def test_some_failing_subjects_are_named_and_give_three(self):
        dataset = self.copy()
        next((dataset / "sub-02").rglob("*echo-1_part-mag_MEGRE.nii")).write_bytes(b"")
        code, out, err = self.run_command(
            dataset, self.output, "--regions", REGIONS, "--inversion", "closed-form", "--workers", 1
        )
        self.assertEqual(code, 3, err)
        self.assertRegex(out, r"sub-02 failed: .*echo-1_part-mag_MEGRE.nii")
        self.assertIn("1 of 2 subjects are finished.", out)

    def test_results_that_are_there_are_told_with_the_options_that_help(self):
        (self.output / "sub-01").mkdir(parents=True)
        code, _, err = self.run_command(self.dataset, self.output)
        self.assertEqual(code, 2)
        self.assertIn("--resume to go on, or --overwrite to replace them", err)

    def test_a_run_says_that_it_does_not_know_the_free_memory(self):
        with (
            mock.patch("TrabecularQSMLib.study.estimate.free_memory", lambda: None),
            mock.patch("os.cpu_count", lambda: 2),
        ):
            _, out, _ = self.run_command(self.dataset, self.output, "--dry-run")
            _, given, _ = self.run_command(self.dataset, self.output, "--dry-run", "--workers", "2")
        self.assertIn("How much memory is free is not known here: 2 subjects at a time", out)
        self.assertNotIn("not known", given)

    def test_a_dry_run_says_what_there_is_and_writes_nothing(self):
        code, out, _ = self.run_command(self.dataset, self.output, "--ct", "{folder}/{name}_CT.nii.gz", "--dry-run")
        self.assertEqual(code, 0)
        self.assertRegex(out, r"sub-01: 18 images, no CT; \d+\.\d GB, about \d+ s\n")
        self.assertRegex(out, r"2 subjects, \d at a time, inversion medi-tv: about \d+ s on processors")
        self.assertFalse(self.output.exists())
        self.assertEqual(self.run_command(self.folder / "none", self.output)[0], 2)

    def test_a_dry_run_tells_who_has_no_phase(self):
        copy = self.folder / "without-phase"
        shutil.copytree(self.dataset, copy)
        for path in (copy / "sub-01").rglob("*_part-phase_*"):
            path.unlink()
        _, out, _ = self.run_command(copy, self.output, "--dry-run")
        self.assertRegex(out, r"sub-01: 9 images, no phase; ")
        self.assertRegex(out, r"sub-02: 18 images, nothing beside; ")


if __name__ == "__main__":
    unittest.main()
