import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from commands import run

DATA = Path(__file__).resolve().parents[1] / "Data" / "diefenbach2019_figure4.csv"
HAS_MATPLOTLIB = importlib.util.find_spec("matplotlib") is not None


class RegressTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def regress(self, *arguments, table=DATA, x="apparentBVTV", y="mean_R2s", output="r.json"):
        return run("regress", table, "--x", x, "--y", y, "--output", self.folder / output, *arguments)

    @unittest.skipUnless(HAS_MATPLOTLIB, "matplotlib is not installed")
    def test_the_published_table_becomes_estimates_and_a_picture(self):
        code, out, err = self.regress("--figure", self.folder / "r.svg")
        self.assertEqual(code, 0, err)
        found = json.loads((self.folder / "r.json").read_text(encoding="utf-8"))
        self.assertAlmostEqual(found["pooled"]["r2"], 0.5325, places=4)
        self.assertLessEqual({"n", "slope", "intercept", "r2", "p", "slope_ci"}, set(found["pooled"]))
        self.assertEqual((list(found["within"]), found["paired"]["groups"]), (["1", "3"], ["1", "3"]))
        self.assertEqual(len(found["cooks_distance"]), 28)
        self.assertIn("mean_R2s over apparentBVTV\npooled: slope", out)
        self.assertIn("R² 0.5325", out)
        self.assertIn("14 subjects give 28 rows", out)
        self.assertIn("one slope within all groups: slope -294.7 (-721.2 to 131.8), p 0.17, n 28", out)
        self.assertAlmostEqual(found["common_within"]["slope"], -294.7, places=1)
        first = (self.folder / "r.svg").read_bytes()
        self.assertIn(b"<svg", first)
        self.regress("--figure", self.folder / "r.svg")
        self.assertEqual((self.folder / "r.svg").read_bytes(), first)

    @unittest.skipUnless(HAS_MATPLOTLIB, "matplotlib is not installed")
    def test_parts_of_bones_have_a_line_of_each_subject(self):
        table = self.folder / "parts.csv"
        rows = [f"{s},part {n},{n + 5 * k},{(k + 1) * n}" for k, s in enumerate(("$a$", "b$^")) for n in range(20)]
        table.write_text("case,region,ct,chi\n" + "\n".join(rows))
        code, out, err = self.regress("--figure", self.folder / "r.svg", table=table, x="ct", y="chi")
        self.assertEqual(code, 0, err)
        for name, slope in (("$a$", 1), ("b$^", 2)):
            self.assertIn(f"subject {name}: slope {slope} ", out)

    def test_whoever_stops_reading_is_no_error(self):
        output = self.folder / "r.json"
        command = [sys.executable, "-m", "TrabecularQSMLib", "regress", DATA, "--x", "mean_R2s", "--y", "apparentBVTV"]
        reader, writer = os.pipe()
        os.close(reader)
        ended = subprocess.run(
            [*command, "--output", output], stdout=writer, stderr=subprocess.PIPE, cwd=DATA.parents[2], check=False
        )
        os.close(writer)
        self.assertEqual((ended.returncode, ended.stderr), (0, b""))
        self.assertTrue(output.is_file())

    def test_rows_are_excluded_and_pairs_chosen(self):
        code, _, err = self.regress("--exclude", "subject=10", "subject=14", "--pair", "3", "1")
        self.assertEqual(code, 0, err)
        found = json.loads((self.folder / "r.json").read_text(encoding="utf-8"))
        self.assertEqual((found["pooled"]["n"], found["paired"]["groups"]), (24, ["3", "1"]))

    def test_wrong_input_is_one_sentence_and_writes_nothing(self):
        two = self.folder / "two.csv"
        two.write_text("case,region,a,b\n1,r,1,2\n1,s,2,3\n")
        used = self.folder / "used.json"
        used.write_text(two.read_text())
        for words, arguments in (
            ("no column or quantity BVTV", {"x": "BVTV"}),
            ("2 points; at least three", {"table": two, "x": "a", "y": "b"}),
            ("does not end with .png or .svg", {"arguments": ("--figure", self.folder / "r.pdf")}),
            ("is a folder; give the name of a file that ends with .json", {"output": "."}),
            ("is an input and would be written over", {"table": used, "output": "used.json"}),
            ("not two of the groups", {"arguments": ("--pair", "1", "2")}),
        ):
            there = sorted(self.folder.iterdir())
            code, out, err = self.regress(*arguments.pop("arguments", ()), **arguments)
            self.assertEqual((code, out), (2, ""), err)
            self.assertIn(words, err)
            self.assertEqual(len(err.strip().splitlines()), 1)
            self.assertEqual(sorted(self.folder.iterdir()), there)


if __name__ == "__main__":
    unittest.main()
