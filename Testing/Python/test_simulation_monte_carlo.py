import multiprocessing
import multiprocessing.spawn
import os
import shutil
import signal
import sys
import tempfile
import threading
import unittest
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from unittest import mock

import numpy as np
from scipy import stats

from TrabecularQSMLib.errors import Cancelled, InputError
from TrabecularQSMLib.files.tables import csv_text
from TrabecularQSMLib.simulation import monte_carlo
from TrabecularQSMLib.simulation.model import COLUMNS
from TrabecularQSMLib.simulation.monte_carlo import ParameterGrid, simulate, sorted_rows
from TrabecularQSMLib.simulation.settings import SimulationSettings
from TrabecularQSMLib.simulation.summary import (
    fit_power,
    is_bent,
    linearity,
    over_parameter,
    summarize,
    summary_columns,
)
from TrabecularQSMLib.workers import process_pool

SETTINGS = SimulationSettings(size=24, seed=3)
GRID = ParameterGrid(numbers=(5, 10), radii=(3, 4), delta_chis=(0.5, 1.0), repeats=3)


def flat(geometries):
    return sorted_rows(row for rows in geometries for row in rows)


def table(executors=None):
    return csv_text(COLUMNS, flat(simulate(SETTINGS, GRID, executors=executors)))


class WorkersTest(unittest.TestCase):
    def test_the_same_table_comes_from_any_number_of_workers_and_from_dask(self):
        expected = table()
        self.assertEqual(expected.count("\n"), 1 + 4 * 2 * 3)
        self.assertEqual(table(lambda: process_pool(2)), expected)
        self.assertEqual(table(lambda: process_pool(4)), expected)
        self.assertEqual(table(lambda: ThreadPoolExecutor(3)), expected)
        try:
            from distributed import Client
        except ImportError:
            self.skipTest("needs dask[distributed]")
        with Client(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0") as client:
            self.assertEqual(table(client.get_executor), expected)

    @unittest.skipUnless(hasattr(signal, "pthread_sigmask"), "needs signals")
    def test_workers_never_hear_ctrl_c_not_even_while_they_start(self):
        masks = []

        class Pool(ThreadPoolExecutor):
            def submit(self, *arguments):
                masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, []))  # what a process started here inherits
                return super().submit(*arguments)

        self.assertEqual(len(flat(simulate(SETTINGS, GRID, executors=lambda: Pool(1)))), 4 * 2 * 3)
        self.assertTrue(masks and all(signal.SIGINT in mask for mask in masks))
        self.assertNotIn(signal.SIGINT, signal.pthread_sigmask(signal.SIG_BLOCK, []))

    @unittest.skipUnless(hasattr(signal, "SIGKILL"), "needs signals")
    def test_a_killed_worker_loses_nothing_and_repeats_nothing(self):
        pools = []

        def pool():
            pools.append(process_pool(1))
            return pools[-1]

        geometries = []
        for rows in simulate(SETTINGS, GRID, executors=pool):
            geometries.append(tuple(rows[0][name] for name in ("number", "radius", "repeat")))
            if len(geometries) == 4:
                os.kill(next(iter(pools[0]._processes)), signal.SIGKILL)
        self.assertEqual(len(pools), 2)
        self.assertEqual(sorted(geometries), GRID.geometries())

    def test_inside_an_application_workers_run_its_python_and_not_the_application(self):
        application = mock.patch.object(sys, "executable", "/opt/Slicer/bin/SlicerApp-real")
        self.addCleanup(multiprocessing.get_context("spawn").set_executable, sys.executable)
        with application, mock.patch.object(shutil, "which", return_value=None):
            with self.assertRaisesRegex(InputError, "this program is SlicerApp-real and there is no PythonSlicer"):
                process_pool(2)
        with tempfile.TemporaryDirectory() as folder:
            beside = Path(folder) / "PythonSlicer"
            beside.symlink_to(sys.executable)
            with application, mock.patch.dict(os.environ, {"PATH": folder}), process_pool(1) as pool:
                used = multiprocessing.spawn.get_executable()
                self.assertEqual(os.fsdecode(used), str(beside))
                self.assertEqual(pool.submit(abs, -3).result(60), 3)

    def test_workers_that_keep_being_killed_are_told(self):
        class Broken(ThreadPoolExecutor):
            def submit(self, *_):
                raise BrokenProcessPool("killed")

        with self.assertRaisesRegex(InputError, "Workers were killed 4 times"):
            list(simulate(SETTINGS, GRID, executors=lambda: Broken(1)))

    def test_a_worker_of_another_version_is_refused(self):
        with self.assertRaisesRegex(InputError, "A worker has TrabecularQSM .*, but 0.0 asks"):
            monte_carlo._work("0.0", SETTINGS, (1.0,), (3, 2, 0))

    def test_what_is_done_is_left_out(self):
        done = GRID.geometries()[3:]
        rest = flat(simulate(SETTINGS, GRID, done=done))
        self.assertEqual({(row["number"], row["radius"], row["repeat"]) for row in rest}, set(GRID.geometries()[:3]))
        everything = flat(simulate(SETTINGS, GRID))
        self.assertEqual([row for row in everything if row in rest], rest)

    def test_a_cancelled_run_stops_what_was_not_begun(self):
        begun = threading.Semaphore(0)
        executor = ThreadPoolExecutor(1)
        submit = executor.submit
        executor.submit = lambda work, *arguments: submit(lambda: (begun.release(), work(*arguments))[1])
        told = []

        def progress(fraction, message):
            told.append((fraction, message))
            if fraction > 0.1:
                raise Cancelled

        with self.assertRaises(Cancelled):
            list(simulate(SETTINGS, GRID, executors=lambda: executor, progress=progress))
        self.assertLess(begun._value, len(GRID.geometries()))
        self.assertEqual(told[0], (0.0, "0 of 12 geometries"))

    def test_progress_reaches_the_end(self):
        for executors in (None, lambda: ThreadPoolExecutor(1)):
            progress = mock.Mock()
            list(simulate(SETTINGS, GRID, executors=executors, progress=progress))
            self.assertEqual(progress.call_args.args, (1.0, "12 of 12 geometries"))

    def test_the_result_of_a_geometry_does_not_depend_on_the_rest_of_the_grid(self):
        alone = flat(simulate(SETTINGS, ParameterGrid((10,), (4,), (1.0,), 1)))
        self.assertIn(alone[0], flat(simulate(SETTINGS, GRID)))

    def test_wrong_parameters_are_told_before_anything_is_simulated(self):
        for wrong, words in (
            (lambda: ParameterGrid(repeats=0), "number of repeats is 0"),
            (lambda: ParameterGrid(radii=()), "no radius"),
            (lambda: ParameterGrid(delta_chis=(1.0, 0.0)), "Δχ is 0 ppm"),
            (lambda: ParameterGrid(delta_chis=(float("nan"),)), "Δχ is nan ppm"),
            (lambda: simulate(SETTINGS, ParameterGrid((5,), (3, 12))), "radius of 12 voxels does not fit"),
        ):
            with self.assertRaisesRegex(InputError, words):
                wrong()


class SummaryTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        grid = ParameterGrid(numbers=(5, 15, 40), radii=(3, 4, 5), delta_chis=(0.5, 1.0), repeats=4)
        cls.settings = SimulationSettings(size=32)
        cls.rows = flat(simulate(cls.settings, grid))
        cls.summary = summarize(cls.rows, cls.settings)

    def test_means_and_errors_are_those_of_the_rows(self):
        self.assertEqual(len(self.summary), 18)
        for found in self.summary:
            self.assertEqual(tuple(found), summary_columns(self.settings))
            same = [r for r in self.rows if all(r[x] == found[x] for x in ("number", "radius", "delta_chi"))]
            values = [row["mean_chi"] for row in same]
            self.assertAlmostEqual(found["mean_chi_mean"], np.mean(values))
            self.assertAlmostEqual(found["mean_chi_se"], np.std(values, ddof=1) / 2)
            self.assertLess(abs(found["bvtv_mean"] - found["expected_bvtv"]), 5 * found["bvtv_se"] + 1e-3)

    def test_single_repeats_and_missing_lines_leave_cells_empty(self):
        rows = [{**row, "r2prime_hwhm_ppm": None} for row in self.rows if row["repeat"] == 0]
        found = summarize(rows, self.settings)[0]
        self.assertEqual((found["repeats"], found["bvtv_sd"], found["r2prime_hwhm_ppm_mean"]), (1, None, None))

    def test_chi_is_linear_in_density_and_r2prime_is_not(self):
        # The published table of doi 10.1002/mrm.27531 for Δχ = 1 ppm: N = 200, and r = 10.
        table = {
            "bvtv": (0.04601, 0.11940, 0.30283, 0.45296, 0.67956, 0.79539, 0.16531, 0.23713, 0.36322, 0.41838),
            "mean_chi": (0.03744, 0.09730, 0.24683, 0.36892, 0.55223, 0.64518, 0.13482, 0.19323, 0.29596, 0.34069),
            "r2prime_hwhm_ppm": (
                0.01504, 0.03866, 0.08770, 0.11625, 0.14118, 0.14832, 0.05021, 0.07127, 0.10294, 0.11462,
            ),
        }  # fmt: skip
        columns = {f"{name}_mean": values for name, values in table.items()}
        published = [
            {"delta_chi": 1.0, **dict(zip(columns, values, strict=True))}
            for values in zip(*columns.values(), strict=True)
        ]
        for rows, bar in ((published, 0.003), (self.summary, 0.02)):
            chi, r2prime = (linearity(rows, name)[-1] for name in ("mean_chi", "r2prime_hwhm_ppm"))
            self.assertLess(chi.nonlinearity, bar)
            self.assertGreater(r2prime.nonlinearity, 0.04)
        (r2prime,) = linearity(published, "r2prime_hwhm_ppm")
        self.assertLess(r2prime.p, 1e-5)
        self.assertLess(r2prime.curvature, 0)

    def test_slopes_are_proportional_to_delta_chi(self):
        half, one = linearity(self.summary, "mean_chi")
        self.assertAlmostEqual(one.line.slope / half.line.slope, 2, places=10)
        self.assertTrue(one.line.slope_ci[0] < one.line.slope < one.line.slope_ci[1])
        self.assertEqual(one.as_dict()["line"]["n"], 9)

    def test_no_slope_is_told_from_two_densities_or_from_one(self):
        self.assertEqual(linearity(self.summary[:4], "mean_chi"), [])
        self.assertEqual(linearity([{**row, "bvtv_mean": 0.2} for row in self.summary], "mean_chi"), [])

    def test_a_known_curvature_is_found_and_its_absence_too(self):
        x = np.linspace(0.1, 0.9, 12)
        noise = 1e-3 * np.random.default_rng(0).normal(size=12)
        for bend in (0.0, -0.3):
            y = 0.8 * x + bend * x**2 + noise
            rows = [
                {"delta_chi": 1.0, "bvtv_mean": a, "mean_chi_mean": b}
                for a, b in zip(x.tolist(), y.tolist(), strict=True)
            ]
            (found,) = linearity(rows, "mean_chi")
            self.assertAlmostEqual(found.curvature, bend, delta=0.02)
            (self.assertLess if bend else self.assertGreater)(found.p, 0.01)
            # The same as the t test of the coefficient.
            coefficients, covariance = np.polyfit(x, y, 2, cov=True)
            expected = 2 * stats.t.sf(abs(coefficients[0]) / covariance[0, 0] ** 0.5, x.size - 3)
            self.assertAlmostEqual(found.p / expected, 1, places=6)

    def test_what_is_constant_is_no_curve(self):
        row = {"delta_chi": 1.0, "mean_chi_mean": 0.0}
        (found,) = linearity([{**row, "bvtv_mean": x} for x in (0.1, 0.2, 0.35, 0.4)], "mean_chi")
        self.assertEqual((found.line.slope, found.line.slope_ci, found.p, found.nonlinearity), (0, (0, 0), 1, 0))

    def test_r2prime_has_no_line_over_both_signs(self):
        self.assertTrue(is_bent("delta_chi", "r2prime_hwhm_ppm", [-1, 0.5, 1]))
        for parameter, quantity, x in (("delta_chi", "mean_chi", [-1, 1]), ("delta_chi", "r2prime_hwhm_ppm", [1, 2])):
            self.assertFalse(is_bent(parameter, quantity, x))

    def test_a_power_is_fitted_by_least_squares(self):
        x = np.array([1.0, 2.0, 3.0])
        for power in (1, 2, 3):
            found = fit_power(x, 2 * x**power, power)
            self.assertAlmostEqual(found.a, 2)
            self.assertAlmostEqual(found.r2, 1)
            self.assertAlmostEqual(float(found.at(2.0)), 2 * 2**power)

    def test_a_panel_keeps_the_other_parameters_at_the_papers_value_or_the_middle(self):
        rows = over_parameter(self.summary, "number")
        self.assertEqual([row["number"] for row in rows], [5, 15, 40])
        self.assertEqual({(row["radius"], row["delta_chi"]) for row in rows}, {(4, 1.0)})


if __name__ == "__main__":
    unittest.main()
