import contextlib
import csv
import importlib.util
import io
import json
import shutil
import sys
import tempfile
import unittest
from concurrent.futures import CancelledError
from pathlib import Path
from unittest import mock

import numpy as np

from TrabecularQSMLib import cli, nifti
from TrabecularQSMLib.cli import simulate as command
from TrabecularQSMLib.errors import Cancelled
from TrabecularQSMLib.simulation import monte_carlo
from TrabecularQSMLib.simulation.model import COLUMNS

SMALL = "--size 16 --number 3 6 --radius 2 3 --delta-chi -1 2 --repeats 3".split()
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

    def test_a_partial_table_of_another_run_is_refused(self):
        self.stop_after(2)
        kept = self.partial.read_bytes()
        self.assert_refused("T.csv.partial", "other parameters", arguments=[*SMALL, "--seed", "4"])
        self.assertEqual(self.partial.read_bytes(), kept)
        self.partial.write_text("number,radius\n3,4\n", encoding="utf-8")
        self.assert_refused("not the partial table of a simulation")

    def test_nothing_is_left_when_nothing_was_done(self):
        code, _, err = self.stop_after(0)
        self.assertEqual((code, err.splitlines()[-1]), (130, "trabecular-qsm: cancelled; nothing was written."))
        self.assertFalse(self.partial.exists())

    def test_directions_are_given_along_i_j_k(self):
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
        self.assertNotIn("Note", out)
        directions = "--orientation 0 0 2 --b0-direction 0 3 4 --boundary linear --shape plates".split()
        self.assertEqual(self.run_command(*SMALL, *directions, "--summary", self.folder / "S.csv")[0], 0)
        settings = json.loads((self.folder / "S.json").read_text(encoding="utf-8"))["settings"]
        self.assertEqual((settings["orientation"], settings["b0_direction"]), ([1, 0, 0], [0.8, 0.6, 0]))

    def test_a_binary_image_is_measured(self):
        mask = np.zeros((12, 14, 16), np.uint8)
        mask[4:8, 5:9, 6:10] = 255
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
        self.table.parent.rmdir()
        self.assert_refused("--size does not go with --mask", arguments=["--mask", path, "--size", "16"])
        nifti.write_image(path, mask, np.diag([0.05, 0.05, 0.1, 1]))
        self.assert_refused("0.05 × 0.05 × 0.1 mm", "cubic voxels", arguments=["--mask", path])
        mask[0, 0, 0] = 7
        nifti.write_image(path, mask, np.diag([0.05, 0.05, 0.05, 1]))
        self.assert_refused("3 different values", arguments=["--mask", path])

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
        self.assert_refused("does not end with .csv", output=self.folder)

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
        with mock.patch.object(command, "_CONNECT_WITHIN_S", 0.3):
            self.assert_refused("scheduler tcp://127.0.0.1:1 does not answer", arguments=arguments)
            self.assert_refused("does not answer", arguments=[*SMALL, "--scheduler", "nonsense://x"])

    def test_a_scheduler_that_goes_away_is_told_and_what_was_done_is_kept(self):
        try:
            from distributed import LocalCluster
        except ImportError:
            self.skipTest("needs dask[distributed]")
        simulate = monte_carlo.simulate

        def interrupted(*arguments, **options):
            yield next(simulate(*arguments, **options))
            raise CancelledError  # of the futures, when the connection is lost

        with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as cluster:
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
        with LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as cluster:
            code, _, err = self.run_command(*SMALL, "--scheduler", cluster.scheduler_address)
        self.assertEqual(code, 0, err)
        self.assertEqual(self.table.read_bytes(), expected)
        self.assertEqual(self.run_command(*SMALL, "--workers", "2")[0], 0)
        self.assertEqual(self.table.read_bytes(), expected)


if __name__ == "__main__":
    unittest.main()
