import json
import os
import signal
import socket
import subprocess
import sys
import time
import unittest
from concurrent.futures import CancelledError
from pathlib import Path
from unittest import mock

from simulating import SMALL, SimulateTest
from windows import like_windows

from TrabecularQSMLib.cli import partial_table, workers
from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.simulation import monte_carlo
from TrabecularQSMLib.simulation.model import COLUMNS

ROOT = Path(__file__).resolve().parents[2]


class RunTest(SimulateTest):
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

    @unittest.skipUnless(os.name == "posix", "needs signals")
    def test_a_run_that_is_ended_or_killed_leaves_no_worker_and_goes_on(self):
        arguments = "--size 64 --number 5 --radius 3 --delta-chi 1 --repeats 20 --workers 2 --output".split()
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
        self.assertEqual(len(self.rows()), 20)

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
