"""The command statistics: from a cohort's table to tables, pictures and notes."""

import csv
import importlib.util
import tempfile
import unittest
from pathlib import Path

import numpy as np
from commands import run

from TrabecularQSMLib.analysis.measure import COLUMNS
from TrabecularQSMLib.files.tables import csv_text

HAS_MATPLOTLIB = importlib.util.find_spec("matplotlib") is not None


class StatisticsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        rng, rows, people = np.random.default_rng(3), [], ["participant_id\tage\tsex\tdiagnosis"]
        for n in range(1, 17):
            people.append(f"sub-{n:02d}\t{20 + 3 * n if n != 4 else 'n/a'}\t{'MF'[n % 3 == 0]}\t{'ab'[n % 2]}")
            for region, base in (("talus", -0.6), ("tuber", -0.4)):
                own = base + rng.normal(0, 0.1)
                for session in (1, 2) if n != 7 else (1,):
                    value = {"mean": float(own + rng.normal(0, 0.03)), "se": 0.02}
                    names = {"case": f"sub-{n:02d}_ses-{session}", "region": region, "quantity": "chi", "unit": "ppm"}
                    rows.append(dict.fromkeys(COLUMNS) | names | value)
        (cls.folder / "cohort.csv").write_text(csv_text(COLUMNS, rows))
        (cls.folder / "participants.tsv").write_text("\n".join(people) + "\n")

    def statistics(self, kind, *arguments, output="out.csv", people=False):
        tables = [self.folder / "cohort.csv", *([self.folder / "participants.tsv"] if people else [])]
        words = ("statistics", kind, *tables, "--quantity", "chi", "--output", self.folder / output, *arguments)
        return run(*words)

    def rows(self, name="out.csv"):
        with open(self.folder / name, encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def test_repeatability_is_written_printed_and_judges_change(self):
        code, out, err = self.statistics("repeatability", output="r.csv")
        self.assertEqual(code, 0, err)
        rows = self.rows("r.csv")
        self.assertEqual([(row["region"], row["subjects"]) for row in rows], [("talus", "15"), ("tuber", "15")])
        self.assertAlmostEqual(float(rows[0]["within_sd [ppm]"]), 0.03, delta=0.015)
        self.assertIn("Note: Without a value in each of ses-1, ses-2 and left out in talus, tuber: sub-07.", out)
        self.assertRegex(out, r"(?m)^ +talus +tuber\nsubjects +15 +15$")
        each = self.folder / "each.csv"
        code, out, err = self.statistics("change", "--repeatability", self.folder / "r.csv", "--each", each)
        self.assertEqual(code, 0, err)
        subjects = self.rows("each.csv")
        self.assertEqual(len(subjects), 30)
        self.assertAlmostEqual(
            float(subjects[0]["detectable [ppm]"]), float(rows[0]["repeatability_coefficient [ppm]"]), places=5
        )
        self.assertIn("1.5 would by chance", out)

    def test_groups_are_adjusted_for_what_participants_tsv_says(self):
        arguments = ("--sessions", "ses-1", "--group", "diagnosis", "--adjust", "age", "sex")
        code, out, err = self.statistics("groups", *arguments, people=True)
        self.assertEqual(code, 0, err)
        row = self.rows()[0]
        self.assertEqual((row["group"], row["reference"], row["n"], row["n_reference"]), ("b", "a", "8", "7"))
        self.assertEqual(row["degrees_of_freedom"], str(15 - 4))
        self.assertIn("Note: Left out, as the tables do not say their group or age or sex: sub-04.", out)

    def test_power_and_normal_ranges_are_of_one_session(self):
        code, out, err = self.statistics("power", "--sessions", "ses-1", "--difference", "0.1", "--subjects", "20")
        self.assertEqual(code, 0, err)
        self.assertGreater(int(self.rows()[0]["n_each_group"]), 5)
        self.assertIn("Each region is planned for alone", out)
        code, out, err = self.statistics("normal-ranges", "--sessions", "ses-1", "--age", "age", people=True)
        self.assertEqual(code, 0, err)
        self.assertEqual([row["age [years]"] for row in self.rows()], ["30", "40", "50", "60"] * 2)

    @unittest.skipUnless(HAS_MATPLOTLIB, "matplotlib is not installed")
    def test_each_kind_has_a_picture_and_the_same_bytes_again(self):
        for kind, *arguments in (
            ("repeatability",),
            ("change",),
            ("groups", "--sessions", "ses-1", "--group", "diagnosis"),
            ("power", "--sessions", "ses-2", "--subjects", "20", "--difference", "0.1"),
            ("normal-ranges", "--sessions", "ses-2"),
            ("normal-ranges", "--sessions", "ses-2", "--age", "age"),
        ):
            with self.subTest(kind):
                code, _, err = self.statistics(kind, "--figure", self.folder / "a.svg", *arguments, people=True)
                self.assertEqual(code, 0, err)
                self.assertIn(b"<svg", (self.folder / "a.svg").read_bytes())
        # All are rendered alike.
        self.statistics(kind, "--figure", self.folder / "b.svg", *arguments, people=True)
        self.assertEqual((self.folder / "a.svg").read_bytes(), (self.folder / "b.svg").read_bytes())

    def test_wrong_input_is_one_sentence_in_the_words_of_options(self):
        for words, kind, *arguments in (
            ("name first and second by --sessions", "change", "--sessions", "ses-1"),
            ("sub-01 has the sessions ses-1, ses-2; choose one by --sessions", "power", "--subjects", "9"),
            ("Give a --difference to detect", "power", "--sessions", "ses-1"),
            ("no column visit, which --session names", "repeatability", "--session", "visit"),
            ("No table has the column height", "groups", "--sessions", "ses-1", "--group", "height"),
            ("is an input and would be written over", "change", "--repeatability", self.folder / "x.csv", "--each",
             self.folder / "x.csv"),
        ):  # fmt: skip
            with self.subTest(words):
                code, out, err = self.statistics(kind, *arguments, output="none.csv", people=True)
                self.assertEqual((code, out), (2, ""), err)
                self.assertIn(words, err)
                self.assertEqual(len(err.strip().splitlines()), 1)
                self.assertFalse((self.folder / "none.csv").exists())


if __name__ == "__main__":
    unittest.main()
