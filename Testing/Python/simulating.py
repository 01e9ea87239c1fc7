"""The command simulate called in the process of the tests."""

import csv
from pathlib import Path
from unittest import mock

from commands import run
from reading import InFolderTest

from TrabecularQSMLib.errors import Cancelled
from TrabecularQSMLib.simulation import monte_carlo

SMALL = "--size 16 --number 3 6 --radius 2 3 --delta-chi -1 2 --repeats 3".split()


class SimulateTest(InFolderTest):
    def setUp(self):
        super().setUp()
        self.table = self.folder / "out" / "T.csv"
        self.partial = Path(f"{self.table}.partial")

    def run_command(self, *arguments, output=None):
        return run("simulate", *arguments, "--output", output or self.table)

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
