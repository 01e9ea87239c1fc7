"""Pages of a case and of a cohort: complete in themselves, everything from users escaped."""

import contextlib
import html
import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
from chromium import browser

from TrabecularQSMLib import cli
from TrabecularQSMLib.analysis.measure import COLUMNS
from TrabecularQSMLib.analysis.tables import Table
from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.files.maps import find_maps
from TrabecularQSMLib.files.phantom import write_phantom
from TrabecularQSMLib.files.tables import csv_text, read_measured
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom
from TrabecularQSMLib.report import consensus, pages
from TrabecularQSMLib.report.case import case_report, kind_items
from TrabecularQSMLib.report.cohort import _how, _outliers, cohort_report
from TrabecularQSMLib.settings import preset
from TrabecularQSMLib.study.regressions import regressions_of

EVIL = "<script>alert(1)</script>"
SIDECAR = {
    "Software": {"Name": "TrabecularQSM", "Version": "0.1.0"},
    "Settings": preset("paper").as_dict(),
    "MagneticFieldStrength": 3.0,
    "ImagingFrequency": 127.74,
    "EchoTimes": [0.0012, 0.0024, 0.0036],
    "Protocol": {"Manufacturer": "A", "FlipAngle": 5, "RepetitionTime": 0.0148, "ParallelReductionFactorInPlane": 2.0},
}


class NumberTest(unittest.TestCase):
    def test_a_mean_has_the_digits_of_its_error(self):
        for mean, error, text in (
            (-0.18112, 0.0261, "−0.181 ± 0.026"), (192.51, 3.261, "192.5 ± 3.3"), (192.51, 32.61, "193 ± 33"),
            (0.96373, 0.0000901, "0.9637 ± 0.0001"), (0.96373, None, "0.964"), (-0.18112, 0.0, "−0.181"),
        ):  # fmt: skip
            self.assertEqual(pages.with_error(mean, error), text)

    def test_how_the_kind_of_scan_is_known_is_said(self):
        settings = preset("paper", readout="bipolar", trains="1", phase_sign="-1").as_dict()
        items = dict(kind_items({"Settings": settings, "FoundFromData": ["readout"]}))
        self.assertEqual(items["Read-out"], "bipolar (found from the data)")
        self.assertEqual(items["Phase"], "falls with frequency (by the settings)")


class ConsensusTest(unittest.TestCase):
    def test_items_are_filled_from_the_files_or_not_known(self):
        items = dict(consensus.acquisition_items(SIDECAR, (68, 147, 130), np.diag([-1.5, -1.5, 2.0, 1.0])))
        self.assertEqual(items["Field strength"], "3 T")
        self.assertEqual(items["Echoes (number, echo times)"], "3 echoes (1.2, 2.4, 3.6 ms)")
        self.assertEqual(items["Repetition time"], "14.8 ms")
        self.assertEqual(items["Flip angle"], "5°")
        self.assertEqual(items["Matrix"], "130 × 147 × 68")
        self.assertEqual(items["Field of view"], "195 × 220.5 × 136 mm")
        self.assertEqual(items["Acceleration"].strip(), "2 (phase)")
        self.assertEqual(items["Orientation of the slices"], "axial")
        self.assertIsNone(items["Flow compensation"])
        self.assertIsNone(items["Partial echo"])
        found = dict(consensus.reconstruction_items(SIDECAR, "none; 0.1 ± 0.2 ppm"))
        self.assertIn("LBV", found["Background removal"])
        self.assertIn("λ = ", found["Dipole inversion"])
        self.assertEqual(found["Referencing"], "none; 0.1 ± 0.2 ppm")

    def test_orientation_and_options_are_told_from_what_there_is(self):
        tilt = np.radians(12)
        affine = np.array([[0, 0, np.cos(tilt), 0], [1, 0, 0, 0], [0, 1, np.sin(tilt), 0], [0, 0, 0, 1]])
        options = {**SIDECAR, "Protocol": {"ScanOptions": "FC\\PFF\\SAT1"}}
        items = dict(consensus.acquisition_items(options, (3, 4, 5), affine))
        self.assertEqual(items["Orientation of the slices"], "sagittal, tilted by 12°")
        self.assertEqual(items["Flow compensation"], "yes (scan option FC)")
        self.assertEqual(items["Partial echo"], "yes (scan option PFF)")
        self.assertIsNone(items["Partial Fourier"])

    def test_the_center_frequency_is_told_for_each_scanner(self):
        other = {"ImagingFrequency": 123.2, "Protocol": {"Manufacturer": "B"}}
        items = consensus.frequency_items([SIDECAR, {**SIDECAR, "ImagingFrequency": 127.76}, other, {}])
        expected = [
            ("Center frequency, A", "127.7500 ± 0.0141 MHz (mean ± SD)"),
            ("Center frequency, B", "123.2000 MHz"),
        ]
        self.assertEqual(items, expected)

    def test_the_paragraph_says_what_was_done(self):
        def paragraph(more=(), **changes):
            settings = preset("default", readout="bipolar", trains="3", phase_sign="+1", **changes).as_dict()
            return consensus.methods_paragraph({**SIDECAR, "Settings": settings, **dict(more)})[0]

        text = paragraph()
        for words in ("complex signal", "bipolar, of 3 interleaved trains", "in the body, eroded by 5 mm", "no region"):
            self.assertIn(words, text)
        self.assertNotIn("cortex", text)
        notes = [
            "χ of what gives no signal lies 2 ppm below that of its surroundings; it was solved apart from the rest."
        ]
        self.assertIn("that of cortex, which gives no signal, apart", paragraph({"Notes": notes}))
        self.assertIn("in the given mask", paragraph({"MaskFile": "mask.nii.gz"}))
        self.assertIn("relative to its mean over the mask", paragraph(reference="mask"))
        self.assertIn("a model of the field of the air", paragraph(air_first="on"))
        self.assertIn("No background field was removed", paragraph(background="none"))
        elsewhere = paragraph({"StartedFrom": "local-field"}, background="none")
        self.assertIn("The local field was computed with other software. Susceptibility was", elsewhere)
        magnitude = paragraph({"StartedFrom": "magnitude"})
        self.assertIn("to the magnitude of 3 echoes", magnitude)
        self.assertNotIn("usceptibility was", magnitude)

    def test_what_was_not_run_is_not_claimed(self):
        settings = {**SIDECAR["Settings"], "stop_after": "fieldmap"}
        items = dict(consensus.reconstruction_items({**SIDECAR, "Settings": settings}, None))
        self.assertFalse({"Background removal", "Dipole inversion", "Referencing"} & items.keys())
        text, references = consensus.methods_paragraph({**SIDECAR, "Settings": settings})
        self.assertNotIn("usceptibility was computed", text)
        whole, more = consensus.methods_paragraph(SIDECAR)
        self.assertGreater(len(more), len(references))
        marks = {int(mark) for marks in re.findall(r"\[([\d, ]+)\]", whole) for mark in marks.split(",")}
        self.assertEqual(marks, set(range(1, len(more) + 1)))


@unittest.skipUnless(importlib.util.find_spec("jinja2") and importlib.util.find_spec("matplotlib"), "needs jinja2")
class PageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        dataset, cls.output = cls.folder / "study", cls.folder / "out"
        write_phantom(dataset, make_phantom(PhantomSettings(shape=(30, 31, 14))), subject="01")
        names = dataset / "derivatives/truth/sub-01/anat/sub-01_dseg.tsv"
        names.write_text(names.read_text(encoding="utf-8").replace("talus", f"talus {EVIL}"), encoding="utf-8")
        arguments = ["cohort", str(dataset), str(cls.output), "--inversion", "closed-form", "--workers", "1"]
        arguments += ["--regions", "derivatives/truth/{folder}/anat/{name}_dseg.nii.gz"]
        arguments += ["--bssfp", "derivatives/truth/{folder}/anat/{name}_fat.nii.gz"]  # a stand-in that is small
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            assert cli.main(arguments) == 0
            assert cli.main(["report", str(cls.output)]) == 0
        cls.case = (cls.output / "sub-01" / "sub-01_report.html").read_text(encoding="utf-8")
        cls.cohort = (cls.output / "report.html").read_text(encoding="utf-8")

    def test_pages_ask_nothing_of_anybody(self):
        for text in (self.case, self.cohort):
            for address in re.findall(r"(?:src|href)=\"([^\"]*)\"", text):
                self.assertRegex(address, r"^(data:image/png;base64,|#|sub-01/sub-01_report\.html$)")
            self.assertNotRegex(text, r"@import|url\(|<link|<iframe|<object")
            self.assertIn("default-src 'none'", text)
            self.assertLess(len(text), 10e6)

    def test_the_official_validator_of_bids_finds_no_error(self):
        places = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
        program = shutil.which("bids-validator-deno", path=places)
        if program is None:
            self.skipTest("needs bids-validator-deno, the official validator of BIDS")
        for folder in (self.output, self.folder / "study", self.folder / "study" / "derivatives" / "truth"):
            with self.subTest(folder.name):
                command = [program, folder, "--format", "json"]
                result = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=120, check=False)
                issues = json.loads(result.stdout)["issues"]["issues"]
                self.assertEqual([one for one in issues if one["severity"] == "error"], [])
                self.assertEqual(result.returncode, 0, result.stderr)

    def test_in_a_browser_pages_ask_for_nothing_run_nothing_of_users_fit_a_phone_and_print(self):
        with browser() as page:
            for path in (self.output / "sub-01" / "sub-01_report.html", self.output / "report.html"):
                page.open(path, 400)
                self.assertEqual(page.asked(), [])
                self.assertEqual(page.happened("Page.javascriptDialogOpening"), [])
                self.assertEqual(page.happened("Runtime.exceptionThrown"), [])
                self.assertIn(EVIL, page.evaluate("document.body.innerText"))
                self.assertEqual(page.evaluate("document.documentElement.scrollWidth"), 400)
                self.assertTrue(page.pdf().startswith(b"%PDF"))
            # The table of the cohort is sorted by its fifth column, what has no number last.
            page.evaluate("document.querySelectorAll('#rows th button')[5].click()")
            shown = page.evaluate("[...document.querySelectorAll('#rows tbody tr')].map(row => row.cells[5].innerText)")
        values = [float(text.replace("−", "-")) for text in shown if text != "–"]
        self.assertEqual(shown[len(values) :], ["–"] * (len(shown) - len(values)))
        self.assertGreater(len(values), 30)
        self.assertEqual(values, sorted(values))

    def test_names_of_users_are_shown_and_never_run(self):
        for text in (self.case, self.cohort):
            self.assertNotIn(EVIL, text)
            self.assertIn(html.escape(EVIL), text)

    def test_a_case_shows_its_maps_rows_settings_and_hashes(self):
        self.assertGreaterEqual(self.case.count("data:image/png"), 4)
        rows = read_measured(self.output / "cohort.csv")
        mean = next(row["mean"] for row in rows if row["region"] == "calcaneus tuber" and row["quantity"] == "r2star")
        self.assertIn(pages.number(mean), self.case)
        for words in (
            "not known from the files", "sha256:", "edge_fraction", "ppm (mean ± SD)", "closed form",
            "monopolar (found from the data)", "of the signal", "SimpleITK", "(moving).", "All statistics",
        ):  # fmt: skip
            self.assertIn(words.lower(), self.case.lower())

    def test_a_cohort_shows_its_cases_regressions_and_how_it_was_made(self):
        for words in ("registered to the echo MIP", "each point is a region of a case", "Maps were computed with"):
            self.assertTrue(words in self.cohort, words)
        (made, text, references) = _how(
            [{"name": "sub-01", "sidecar": SIDECAR}] * 2
            + [{"name": "sub-02", "sidecar": {**SIDECAR, "Settings": {**SIDECAR["Settings"], "padding": 9}}}]
        )
        self.assertEqual(dict(made)["padding"], f"{SIDECAR['Settings']['padding']} (9: sub-02)")
        self.assertEqual((text, references), consensus.methods_paragraph(SIDECAR))

    def test_the_same_maps_give_the_same_page(self):
        (files,) = find_maps(self.output).values()
        self.assertEqual(case_report("sub-01", files), self.case)

    def test_a_case_without_regions_says_where_they_go_and_shows_the_mask(self):
        (files,) = find_maps(self.output).values()
        copied = {name: Path(shutil.copy(path, self.folder / path.name)) for name, path in files.items()}
        for path in files.values():
            sidecar = path.with_name(path.name.replace(".nii.gz", ".json"))
            shutil.copy(sidecar, self.folder / sidecar.name)
        self.assertIn("Share of each region's voxels", html.unescape(self.case))
        text = html.unescape(case_report("sub-01", copied))
        self.assertIn("Share of the mask's voxels over their value.", text)
        self.assertRegex(text, "No regions were measured.*sub-01_dseg.nii.gz.*sub-01_regions.csv")

    def test_who_stands_out_is_named(self):
        rows = [{"case": f"sub-{n}", "region": "talus", "mean": float(n % 3)} for n in range(9)]
        # Quartiles of 0.25 and 2: Tukey's upper fence is 2 + 1.5 · 1.75 = 4.6.
        for value, told in ((4.5, []), (4.7, [("sub-x", "sub-x/page.html")])):
            found = _outliers(
                "chi", [*rows, {"case": "sub-x", "region": "talus", "mean": value}], {"sub-x": "sub-x/page.html"}
            )
            self.assertEqual([(one["case"], one["address"]) for one in found], told)

    def test_a_cohort_has_its_repeatability_or_else_its_ranges(self):
        for sessions, there, absent in (
            (2, "Susceptibility [ppm]: repeatability", "± 1.96 SD"),
            (1, "± 1.96 SD", "repeatability"),
        ):
            rows = [
                dict.fromkeys(COLUMNS) | {"case": f"sub-{n}_ses-{s}", "region": f"talus {EVIL}", "quantity": "chi",
                                          "unit": "ppm", "mean": n + 0.1 * (n * s % 3), "se": 0.02}
                for n in range(1, 6) for s in range(sessions)
            ]  # fmt: skip
            output = self.folder / f"sessions-{sessions}"
            output.mkdir()
            (output / "cohort.csv").write_text(csv_text(COLUMNS, rows), encoding="utf-8")
            text = cohort_report(output, {})
            self.assertIn(there, text)
            self.assertNotIn(absent, text)
            self.assertNotIn(EVIL, text)
        # Two subjects are too few for either.
        (output / "cohort.csv").write_text(csv_text(COLUMNS, rows[:2]), encoding="utf-8")
        self.assertNotIn("Subjects and sessions", cohort_report(output, {}))

    def test_a_case_without_one_quantity_does_not_take_the_regression_away(self):
        rows = [
            {"case": f"sub-{n}", "region": "talus", "quantity": name, "unit": "", "mean": n + 0.1 * (n * factor % 3)}
            for n in range(6) for name, factor in (("ct", 1), ("chi", 2)) if (n, name) != (4, "ct")
        ]  # fmt: skip
        ((_, result),) = regressions_of(Table("cohort.csv", tuple(rows[0]), tuple(rows)))
        self.assertEqual(result.pooled.n, 5)
        self.assertIn("Without one of ct and chi and left out: sub-4 talus.", result.warnings)

    def test_what_is_no_result_is_refused(self):
        with self.assertRaisesRegex(InputError, "holds no maps|is not a folder"):
            cli.report._report(type("Arguments", (), {"output": str(self.folder / "study" / "none")}))
        (files,) = find_maps(self.output).values()
        with self.assertRaisesRegex(InputError, "no mask among"):
            case_report("sub-01", {"chi": files["chi"]})
        with mock.patch.dict(sys.modules, {"jinja2": None}):
            with self.assertRaisesRegex(InputError, "pip install jinja2 matplotlib"):
                cohort_report(self.output, {})


if __name__ == "__main__":
    unittest.main()
