import contextlib
import csv
import importlib.util
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from concurrent.futures import CancelledError
from pathlib import Path
from unittest import mock

import numpy as np
import SimpleITK as sitk
from windows import like_windows

from TrabecularQSMLib import cli
from TrabecularQSMLib.cli import partial_table, workers
from TrabecularQSMLib.errors import Cancelled, InputError
from TrabecularQSMLib.files import nifti
from TrabecularQSMLib.simulation import monte_carlo
from TrabecularQSMLib.simulation.geometry import draw_geometry
from TrabecularQSMLib.simulation.model import COLUMNS
from TrabecularQSMLib.simulation.settings import SimulationSettings

SMALL = "--size 16 --number 3 6 --radius 2 3 --delta-chi -1 2 --repeats 3".split()
ROOT = Path(__file__).resolve().parents[2]
HAS_MATPLOTLIB = importlib.util.find_spec("matplotlib") is not None


class SimulateTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.table = self.folder / "out" / "T.csv"
        self.partial = Path(f"{self.table}.partial")

    def run_command(self, *arguments, output=None):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            argv = ["simulate", *arguments, "--output", output or self.table]
            code = cli.main([str(argument) for argument in argv])
        return code, out.getvalue(), err.getvalue()

    def assert_refused(self, *words, arguments=SMALL, output=None):
        there = sorted(self.folder.rglob("*"))
        code, out, err = self.run_command(*arguments, output=output)
        self.assertEqual((code, out), (2, ""), err)
        for word in words:
            self.assertIn(word, err.strip().splitlines()[-1])
        self.assertEqual(sorted(self.folder.rglob("*")), there)

    def rows(self):
        with open(self.table, encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def stop_after(self, count):
        """Run until so many geometries are done, then cancel."""
        simulate = monte_carlo.simulate

        def stopped(*arguments, **options):
            for number, rows in enumerate(simulate(*arguments, **options)):
                if number == count:
                    raise Cancelled
                yield rows

        with mock.patch.object(monte_carlo, "simulate", stopped):
            return self.run_command(*SMALL)

    @unittest.skipUnless(HAS_MATPLOTLIB, "matplotlib is not installed")
    def test_table_summary_and_picture_are_written(self):
        summary, picture = self.folder / "S.csv", self.folder / "F.svg"
        code, out, err = self.run_command(*SMALL, "--summary", summary, "--figure", picture)
        self.assertEqual(code, 0, err)
        rows = self.rows()
        self.assertEqual(tuple(rows[0]), COLUMNS)
        self.assertEqual(len(rows), 2 * 2 * 2 * 3)
        keys = [tuple(float(row[name]) for name in ("number", "radius", "delta_chi", "repeat")) for row in rows]
        self.assertEqual(keys, sorted(keys))
        self.assertLess(float(rows[0]["mean_chi"]), 0)  # Δχ = −1 ppm
        settings = json.loads(self.table.with_suffix(".json").read_text(encoding="utf-8"))["settings"]
        self.assertEqual((settings["size"], settings["b0_direction"]), (16, [0, 0, 1]))
        self.assertEqual(len(summary.read_text(encoding="utf-8").splitlines()), 1 + 8)
        values = json.loads(summary.with_suffix(".json").read_text(encoding="utf-8"))
        self.assertEqual(values["parameters"]["delta_chis"], [-1, 2])
        self.assertEqual([one["delta_chi"] for one in values["over_bvtv"]["mean_chi"]], [-1, 2])
        self.assertIn("<svg", picture.read_text(encoding="utf-8"))
        for words in ("mean_chi over bvtv at Δχ = -1 ppm: slope -", "r2prime_hwhm_ppm over bvtv", str(self.table)):
            self.assertIn(words, out)
        self.assertFalse(self.partial.exists())

    def test_a_stopped_run_goes_on_and_ends_with_the_same_bytes(self):
        code, _, err = self.stop_after(5)
        self.assertEqual(code, 130)
        self.assertIn("cancelled; 5 geometries are kept; give the same command again to go on.", err)
        self.assertFalse(self.table.exists())
        with open(self.partial, "a", encoding="utf-8") as file:
            file.write('[{"number": 3, "rad')  # as when the power fails
        simulated = []
        rows_of = monte_carlo._rows_of
        with mock.patch.object(monte_carlo, "_rows_of", lambda *what: simulated.append(what) or rows_of(*what)):
            self.assertEqual(self.run_command(*SMALL)[0], 0)
        self.assertEqual(len(simulated), 12 - 5)
        resumed = self.table.read_bytes()
        self.assertFalse(self.partial.exists())
        self.assertEqual(self.run_command(*SMALL)[0], 0)
        self.assertEqual(self.table.read_bytes(), resumed)

    def test_a_partial_table_goes_on_where_open_files_cannot_be_replaced(self):
        path = self.folder / "kept.partial"
        head = {"a": 1}
        with like_windows(partial_table):
            with partial_table.partial_table(path, head, {}) as keep:
                keep([{"b": 2}])
            with partial_table.partial_table(path, head, {1: [{"b": 2}]}) as keep:
                keep([{"b": 3}])
        self.assertEqual([json.loads(line) for line in path.read_text().splitlines()], [head, [{"b": 2}], [{"b": 3}]])

    def test_a_partial_table_of_another_run_is_refused(self):
        self.stop_after(2)
        kept = self.partial.read_bytes()
        self.assert_refused("T.csv.partial", "other parameters", arguments=[*SMALL, "--seed", "4"])
        self.assertEqual(self.partial.read_bytes(), kept)
        self.partial.write_text("number,radius\n3,4\n", encoding="utf-8")
        self.assert_refused("not the partial table of a simulation")

    def test_a_damaged_partial_table_is_refused(self):
        self.stop_after(2)
        head, first, _ = (line + "\n" for line in self.partial.read_text(encoding="utf-8").splitlines())
        for text in (b"\xff\xfe\x00", head + "{}\n", head + "7\n", head + '[{"number": 3}]\n', "7\n" + first):
            self.partial.write_bytes(text if isinstance(text, bytes) else text.encode())
            self.assert_refused("T.csv.partial")
        for one in (
            ('"number": 3', '"number": 7'),
            ('"repeat": 0', '"repeat": 9'),
            ('"delta_chi": 2.0', '"delta_chi": 1.0'),
        ):
            self.partial.write_text(head + first.replace(*one), encoding="utf-8")
            self.assert_refused("T.csv.partial", "holds rows that its run does not have")
        for one in ('"radius": 2', '"radius": "2"'), ('"repeat": 0', '"repeat": NaN'):
            self.partial.write_text(head + first.replace(*one), encoding="utf-8")
            self.assert_refused("T.csv.partial")
        self.partial.unlink()
        self.partial.mkdir()
        self.assert_refused("T.csv.partial is not the partial table")
        self.partial.rmdir()
        self.partial.write_text(head + first + first, encoding="utf-8")  # one geometry twice counts once
        self.assertEqual(self.run_command(*SMALL)[0], 0)
        self.assertEqual(len(self.rows()), 2 * 2 * 2 * 3)

    def test_two_runs_do_not_share_a_table(self):
        head = {"parameters": {}}
        self.table.parent.mkdir()
        with partial_table.partial_table(self.partial, head, {}) as keep:
            keep([dict.fromkeys(COLUMNS, 1)])
            with self.assertRaisesRegex(InputError, "Another run is writing to .*T.csv.partial"):
                with partial_table.partial_table(self.partial, head, {}):
                    pass
            keep([dict.fromkeys(COLUMNS, 2)])
        self.assertEqual(len(self.partial.read_text(encoding="utf-8").splitlines()), 3)
        with partial_table.partial_table(self.partial, head, {1: [dict.fromkeys(COLUMNS, 1)]}):
            pass  # it has ended

    @unittest.skipUnless(Path("/dev/full").exists(), "needs a device that is always full")
    def test_a_full_disk_is_told(self):
        def full(*arguments, **options):
            return open("/dev/full", "a", encoding="utf-8")

        with (
            mock.patch.object(partial_table, "open", full, create=True),
            self.assertRaisesRegex(InputError, "T.csv.partial cannot be written .No space left on device"),
            partial_table.partial_table(self.partial, {}, {}) as keep,
        ):
            keep([dict.fromkeys(COLUMNS, 1)])
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_nothing_is_left_when_nothing_was_done(self):
        code, _, err = self.stop_after(0)
        self.assertEqual((code, err.splitlines()[-1]), (130, "trabecular-qsm: cancelled; nothing was written."))
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_where_nothing_can_be_written_is_told_before_the_work(self):
        blocked = self.folder / "file"
        blocked.write_text("not a folder")
        with mock.patch.object(monte_carlo, "_rows_of", side_effect=AssertionError("simulated")):
            self.assert_refused("S.csv cannot be written", arguments=[*SMALL, "--summary", blocked / "S.csv"])
            same = self.table.parent / ".." / "out" / "T.csv"
            self.assert_refused("is given for two outputs", arguments=[*SMALL, "--summary", same])

    @unittest.skipUnless(os.name == "posix", "needs signals")
    def test_a_run_that_is_ended_or_killed_leaves_no_worker_and_goes_on(self):
        arguments = "--size 64 --number 5 --radius 3 --delta-chi 1 --repeats 40 --workers 2 --output".split()
        command = [sys.executable, "-m", "TrabecularQSMLib", "simulate", *arguments, str(self.table)]
        for sign, code in ((signal.SIGTERM, 130), (signal.SIGKILL, -signal.SIGKILL)):
            before = len(self.partial.read_bytes().splitlines()) if self.partial.exists() else 1
            process = subprocess.Popen(command, stderr=subprocess.PIPE, cwd=ROOT)
            while not self.partial.exists() or len(self.partial.read_bytes().splitlines()) < before + 2:
                time.sleep(0.05)
            process.send_signal(sign)
            # The pipe ends when the last of the workers, who have inherited it, ends.
            err = process.communicate(timeout=30)[1].decode()
            self.assertEqual(process.returncode, code, err)
            self.assertTrue(self.partial.exists())
        self.assertEqual(self.run_command(*arguments[:-1])[0], 0)
        self.assertEqual(len(self.rows()), 40)

    def test_field_strength_and_regularization_are_taken(self):
        found = []
        for more in ((), ("--field-strength", 1.5), ("--regularization", 0.1)):
            self.assertEqual(self.run_command(*SMALL, *more)[0], 0)
            found.append([float(self.rows()[5][name]) for name in ("mean_chi", "r2prime_hwhm_ppm", "r2prime_per_s")])
        usual, field, weak = found
        self.assertEqual(field[:2], usual[:2])
        self.assertAlmostEqual(field[2] / usual[2], 0.5, places=5)
        self.assertEqual(weak[1:], usual[1:])
        self.assertGreater(abs(weak[0]), 1.01 * abs(usual[0]))

    def test_echo_times_add_the_decay_to_table_summary_and_picture(self):
        summary = self.folder / "S.csv"
        picture = ["--figure", self.folder / "F.svg"] if HAS_MATPLOTLIB else []
        decay = "--echo-times 1 2.5 4 --fat-fraction 0.9 --bone-t2 0.4 --snr 200 --point-spread box".split()
        code, out, err = self.run_command(*SMALL, *decay, "--summary", summary, *picture)
        self.assertEqual(code, 0, err)
        rows = self.rows()
        self.assertEqual(tuple(rows[0]), (*COLUMNS, "r2prime_decay_per_s"))
        self.assertNotIn("", [row["r2prime_decay_per_s"] for row in rows])
        settings = json.loads(self.table.with_suffix(".json").read_text(encoding="utf-8"))["settings"]["decay"]
        self.assertEqual((settings["echo_times"], settings["fat_fraction"]), ([0.001, 0.0025, 0.004], 0.9))
        self.assertAlmostEqual(settings["bone_t2"], 0.4e-3)
        self.assertIn("r2prime_decay_per_s_mean", summary.read_text(encoding="utf-8"))
        self.assertIn("r2prime_decay_per_s over bvtv", out)
        once = self.table.read_bytes()
        self.assertEqual(self.run_command(*SMALL, *decay, "--workers", "2")[0], 0)
        self.assertEqual(self.table.read_bytes(), once)
        self.stop_after(2)
        self.assert_refused("other parameters", arguments=[*SMALL, *decay])
        for value in ("1e9", "-1e9", "1e-9", "0"):
            self.assert_refused("ppm; give 0.001 to 1000 ppm", arguments=[*SMALL, "--delta-chi", value])
        self.assert_refused("give 0.01 to 30 T", arguments=[*SMALL, "--field-strength", "1e-9"])
        self.assert_refused("--snr is of the decay; give --echo-times (ms)", arguments=[*SMALL, "--snr", "20"])
        self.assert_refused("echo times are 4, 1 ms", arguments=[*SMALL, "--echo-times", "4", "1"])
        seconds = ["--echo-times", "0.00125", "0.00685"]
        self.assert_refused("if these are seconds, give milliseconds", arguments=[*SMALL, *seconds])
        short = ["--echo-times", "1", "2", "--bone-t2", "0.0005"]
        self.assert_refused("T2 of bone is 0.0005 ms; give a number from 0.001", arguments=[*SMALL, *short])
        self.assert_refused("--concentration is of cylinders and plates", arguments=[*SMALL, "--concentration", "5"])

    def test_directions_are_given_in_patient_space(self):
        tables = []
        for b0 in ("0 0 1", "1 0 0"):
            arguments = f"--shape cylinders --orientation 0 0 1 --boundary filled --b0-direction {b0}".split()
            picture = ["--figure", self.folder / "F.png"] if HAS_MATPLOTLIB else []
            code, out, _ = self.run_command(*SMALL, *arguments, *picture)
            self.assertEqual(code, 0)
            tables.append([row["r2prime_hwhm_ppm"] for row in self.rows()])
        # Along B0 the marrow has one field, and no width; the cylinders lie along k, the first axis of arrays.
        self.assertEqual(set(tables[0]), {""})
        self.assertNotIn("", tables[1])
        # What is everywhere has no mean that a field tells.
        self.assertIn("No field tells the mean χ", out)
        self.assertEqual({row["mean_chi"] for row in self.rows()}, {""})
        self.assertNotIn("mean_chi over bvtv", out)
        directions = "--orientation 0 0 2 --b0-direction 0 3 4 --boundary linear --shape plates".split()
        self.assertEqual(self.run_command(*SMALL, *directions, "--summary", self.folder / "S.csv")[0], 0)
        settings = json.loads((self.folder / "S.json").read_text(encoding="utf-8"))["settings"]
        self.assertEqual((settings["orientation"], settings["b0_direction"]), ([0, 0, 1], [0, 0.6, 0.8]))

    def test_a_binary_image_is_measured(self):
        mask = np.zeros((12, 14, 16), np.uint8)
        mask[4:8, 5:9, 6:10] = 255
        for wrong, words in (
            (np.where(mask > 0, np.nan, 0), "values that are not numbers"),
            (np.where(mask > 0, np.inf, 0), "values that are not numbers"),
            (np.ones(mask.shape), "is 1 everywhere"),
            (np.zeros(mask.shape), "is 0 everywhere"),
        ):
            image = sitk.GetImageFromArray(wrong.astype(np.float32))  # what our own writing would refuse
            sitk.WriteImage(image, str(self.folder / "wrong.nrrd"))
            self.assert_refused(words, arguments=["--mask", self.folder / "wrong.nrrd"])
            (self.folder / "wrong.nrrd").unlink()
        path = self.folder / "bone.nii.gz"
        nifti.write_image(path, mask, np.diag([0.05, 0.05, 0.05, 1]))
        code, _, err = self.run_command("--mask", path, "--delta-chi", "1", "-2")
        self.assertEqual(code, 0, err)
        rows = self.rows()
        self.assertEqual([row["delta_chi"] for row in rows], ["-2", "1"])
        self.assertAlmostEqual(float(rows[0]["bvtv"]), 64 / mask.size, places=6)
        self.assertEqual(rows[0]["number"] + rows[0]["radius"] + rows[0]["repeat"], "")
        self.assertAlmostEqual(float(rows[0]["mean_chi"]), -2 * float(rows[1]["mean_chi"]), places=6)
        self.table.unlink()
        shutil.rmtree(self.table.parent)
        self.assert_refused("--size does not go with --mask", arguments=["--mask", path, "--size", "16"])
        nifti.write_image(path, mask, np.diag([0.05, 0.05, 0.1, 1]))
        self.assert_refused("0.05 × 0.05 × 0.1 mm", "cubic voxels", arguments=["--mask", path])
        code, out, _ = self.run_command("--mask", path, "--voxel-size", "0.05")
        self.assertEqual(code, 0)  # the user may know better
        self.assertIn("0.05 × 0.05 × 0.1 mm, which were taken for cubes of 0.05 mm as given (--voxel-size", out)
        shutil.rmtree(self.table.parent)
        mask[0, 0, 0] = 7
        nifti.write_image(path, mask, np.diag([0.05, 0.05, 0.05, 1]))
        self.assert_refused("3 different values", arguments=["--mask", path])

    def test_a_header_without_voxel_size_is_noticed_and_imaging_voxels_may_be_in_mm(self):
        mask = np.zeros((12, 14, 16), np.uint8)
        mask[4:8, 5:9, 6:10] = 1
        path = self.folder / "bone.nii.gz"
        nifti.write_image(path, mask, np.eye(4))
        code, out, err = self.run_command("--mask", path)
        self.assertEqual(code, 0, err)
        self.assertRegex(out, r"about 2 mm thick with voxels of 1 mm, .* give --voxel-size MM\.")
        settings = json.loads(self.table.with_suffix(".json").read_text(encoding="utf-8"))["settings"]
        self.assertNotIn("shape", settings)  # of random inclusions
        nifti.write_image(path, 1 - mask, np.diag([5e-5, 5e-5, 5e-5, 1]))  # meters, and marrow marked
        code, out, err = self.run_command("--mask", path)
        self.assertRegex(out, r"mm thick with voxels of 5e-05 mm, .*\n.*98% of .* is bone, .* invert it first\.")
        nifti.write_image(path, mask[:7], np.diag([0.05, 0.05, 0.05, 1]))
        shutil.rmtree(self.table.parent)
        self.assert_refused("16 × 14 × 7 voxels; the field of bone needs 8", arguments=["--mask", path])
        nifti.write_image(path, mask, np.eye(4))
        self.assertIn("GB of memory", err)
        imaging = "--boundary linear --imaging-voxel-mm 0.2".split()
        code, out, err = self.run_command("--mask", path, "--voxel-size", "0.05", *imaging)
        self.assertEqual((code, "Note" in out), (0, False), err)
        head = json.loads(self.table.with_suffix(".json").read_text(encoding="utf-8"))
        self.assertEqual((head["voxel_size_mm"], head["settings"]["imaging_voxel"]), (0.05, [4, 4, 4]))
        voxels = "--boundary linear --echo-times 1 3 --imaging-voxel 2 3 6".split()
        self.assertEqual(self.run_command("--mask", path, *voxels)[0], 0)
        settings = json.loads(self.table.with_suffix(".json").read_text(encoding="utf-8"))["settings"]
        self.assertEqual(settings["imaging_voxel"], [2, 3, 6])
        self.assert_refused("the values 2 3", "one, or three", arguments=["--mask", path, *voxels[:-1]])
        there = ("--mask", path)
        for edge in ("0.7", "0.05", "nan"):
            wrong = [*there, "--voxel-size", "0.05", "--imaging-voxel-mm", edge]
            self.assert_refused("give edges from 0.1 to 0.6 mm", arguments=wrong)
        self.assert_refused("the same in two units", arguments=[*there, *imaging, "--imaging-voxel", "4"])
        self.assert_refused("voxel size of", "is -1 mm", arguments=[*there, "--voxel-size", "-1"])
        self.assert_refused("--voxel-size is of a --mask", arguments=[*SMALL, "--voxel-size", "1"])
        self.assert_refused("--b0-direction", "--sweep-angles", arguments=[*SMALL, "--b0-angles", "0", "90"])
        with mock.patch("TrabecularQSMLib.study.estimate.free_memory", return_value=1e5):
            self.assert_refused("16 × 14 × 12 voxels needs", "a cube of", arguments=there)
            self.assert_refused("16 × 16 × 16 voxels needs", arguments=SMALL)

    def test_a_mask_that_does_not_repeat_is_not_repeated(self):
        mask = draw_geometry(SimulationSettings(size=24), 20, 4, 0)[4:20].astype(np.uint8)
        path = self.folder / "bone.nii.gz"
        nifti.write_image(path, mask, np.diag([0.05, 0.05, 0.05, 1]))
        arguments = ["--mask", path, "--boundary", "filled"]
        self.assert_refused("plane along", "take the boundary linear", arguments=arguments)
        for axis in range(3):
            mask = np.concatenate([mask, np.flip(mask, axis)], axis)
        nifti.write_image(path, mask, np.diag([0.05, 0.05, 0.05, 1]))
        self.assertEqual(self.run_command(*arguments)[0], 0)

    def test_b0_of_a_binary_image_is_along_the_patient_whatever_its_axes(self):
        mask = np.zeros((12, 14, 16), np.uint8)
        mask[:, 5:8, 6:9] = mask[:, 10, 3] = 1  # rods along the patient's S
        stored = {"axial": (mask, np.eye(4)), "sagittal": (mask.transpose(2, 1, 0), np.eye(4)[:, [2, 1, 0, 3]])}
        tables = {}
        for name, (array, affine) in stored.items():
            for b0 in ((), ("--b0-direction", "0", "0", "1"), ("--b0-direction", "1", "0", "0")):
                nifti.write_image(self.folder / "bone.nii.gz", array, affine)
                code, _, err = self.run_command("--mask", self.folder / "bone.nii.gz", "--delta-chi", "1", *b0)
                self.assertEqual(code, 0, err)
                tables[name, b0[1:]] = [float(x) for x in list(self.rows()[0].values())[4:]]
        for name in stored:
            self.assertEqual(tables[name, ()], tables[name, ("0", "0", "1")])
            self.assertGreater(tables[name, ("1", "0", "0")][3], 1.2 * tables[name, ()][3])
        np.testing.assert_allclose(tables["axial", ()], tables["sagittal", ()], rtol=1e-4)
        angles = "--b0-angles 0 90 54.7".split()
        self.assertEqual(self.run_command("--mask", self.folder / "bone.nii.gz", "--delta-chi", "1", *angles)[0], 0)
        rows = self.rows()
        self.assertEqual([row["b0_angle"] for row in rows], ["0", "90", "54.7"])
        rates = [float(row["r2prime_per_s"]) for row in rows]
        self.assertAlmostEqual(rates[0] / tables["axial", ()][3], 1, delta=0.02)
        self.assertGreater(rates[1], 1.2 * rates[0])
        found = json.loads(self.table.with_suffix(".json").read_text(encoding="utf-8"))["fabric"]
        self.assertGreater(abs(found["main_direction"][2]), 0.99)
        there = ["--mask", self.folder / "bone.nii.gz"]
        self.assert_refused("two ways", arguments=[*there, *angles, "--b0-direction", "0", "0", "1"])
        self.assert_refused("edge of 13", arguments=["--mask", self.folder / "bone.nii.gz", "--imaging-voxel", "13"])

    def test_wrong_input_is_told(self):
        for words, arguments in (
            ("radius of 40 voxels does not fit", ["--size", "16", "--radius", "40"]),
            ("number of repeats is 0", ["--repeats", "0"]),
            ("size is -3", ["--size", "-3"]),
            ("number of inclusions is -1", ["--number", "-1"]),
            ("Δχ is 0 ppm", ["--delta-chi", "1", "0"]),
            ("direction of B0 is 0 0 0", ["--b0-direction", "0", "0", "0"]),
            ("F.gif does not end with .png or .svg", ["--figure", "F.gif"]),
            ("is given for two outputs", ["--summary", self.table]),
            ("does not end with .csv", ["--summary", self.folder / "S.json"]),
        ):
            self.assert_refused(words, arguments=arguments)
        self.assert_refused("is a folder; give the name of a file that ends with .csv", output=self.folder)

    @unittest.skipUnless(HAS_MATPLOTLIB, "matplotlib is not installed")
    def test_a_picture_of_one_value_is_refused(self):
        picture = ["--figure", self.folder / "F.png"]
        self.assert_refused("two values or more", arguments=[*"--number 3 --radius 2 --delta-chi 1".split(), *picture])

    def test_a_scheduler_that_cannot_be_used_is_told(self):
        arguments = [*SMALL, "--scheduler", "tcp://127.0.0.1:1"]
        with mock.patch.dict(sys.modules, {"distributed": None}):
            self.assert_refused('pip install "dask[distributed]"', arguments=arguments)
        try:
            import distributed  # noqa: F401
        except ImportError:
            self.skipTest("needs dask[distributed]")
        with mock.patch.object(workers, "_CONNECT_WITHIN_S", 0.3):
            self.assert_refused("scheduler tcp://127.0.0.1:1 does not answer", arguments=arguments)
            for address in ("nonsense://127.0.0.1:1", "tls://127.0.0.1:1"):
                self.assert_refused("does not answer", arguments=[*SMALL, "--scheduler", address])
            with socket.create_server(("127.0.0.1", 0)) as silent:
                address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
                self.assert_refused("does not answer", arguments=[*SMALL, "--scheduler", address])
        self.assert_refused("is empty", arguments=[*SMALL, "--scheduler", ""])
        for address in ("127.0.0.1", "tcp://:8786"):
            self.assert_refused("give host and port", arguments=[*SMALL, "--scheduler", address])

    def test_a_scheduler_that_goes_away_is_told_and_what_was_done_is_kept(self):
        try:
            from distributed import LocalCluster
        except ImportError:
            self.skipTest("needs dask[distributed]")
        simulate = monte_carlo.simulate

        def interrupted(*arguments, **options):
            yield next(simulate(*arguments, **options))
            raise CancelledError  # of the futures, when the connection is lost

        with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster:
            with mock.patch.object(monte_carlo, "simulate", interrupted):
                code, _, err = self.run_command(*SMALL, "--scheduler", cluster.scheduler_address)
        self.assertEqual(code, 2)
        self.assertIn("went away; what was done is kept", err)
        self.assertEqual(len(self.partial.read_text(encoding="utf-8").splitlines()), 2)

    def test_a_cluster_gives_the_same_table(self):
        try:
            from distributed import LocalCluster
        except ImportError:
            self.skipTest("needs dask[distributed]")
        self.assertEqual(self.run_command(*SMALL)[0], 0)
        expected = self.table.read_bytes()
        with LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0") as cluster:
            with mock.patch.object(workers, "_HAS_OUR_CODE", "False"):
                self.assert_refused(
                    "has no TrabecularQSM; install", arguments=[*SMALL, "--scheduler", cluster.scheduler_address]
                )
            code, _, err = self.run_command(*SMALL, "--scheduler", cluster.scheduler_address)
        self.assertEqual(code, 0, err)
        self.assertEqual(self.table.read_bytes(), expected)
        self.assertEqual(self.run_command(*SMALL, "--workers", "2")[0], 0)
        self.assertEqual(self.table.read_bytes(), expected)


if __name__ == "__main__":
    unittest.main()
