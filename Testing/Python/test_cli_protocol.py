"""The command protocol: its table, its page, and what it refuses."""

import csv
import importlib.util
import json
import re
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
from commands import run

from TrabecularQSMLib.files.nifti import write_image
from TrabecularQSMLib.protocol import assess, chain, sweep
from TrabecularQSMLib.protocol.ankle import InAnkle, Measured
from TrabecularQSMLib.protocol.chain import COLUMNS, Chain
from TrabecularQSMLib.protocol.sweep import COLUMNS as SWEEP_COLUMNS
from TrabecularQSMLib.report import protocol as report
from TrabecularQSMLib.study import estimate

COMMAND = (
    "protocol --echo-times 1.2 2.4 3.6 4.8 6 7.2 --field-strength 1.5 --voxel-size 2 2 4 --snr 30 --bandwidth 1300 "
    "--readout bipolar --region-radius 6"
).split()
HAS_PAGES = importlib.util.find_spec("jinja2") and importlib.util.find_spec("matplotlib")


class ProtocolTest(unittest.TestCase):
    def replaced(self, module, name, **behavior):
        """A stand-in for what takes long."""
        patch = mock.patch.object(module, name, **behavior)
        self.addCleanup(patch.stop)
        return patch.start()

    @unittest.skipUnless(HAS_PAGES, "needs jinja2 and matplotlib")
    def test_it_prints_what_it_knows_and_does_not_and_writes_a_page_that_needs_no_server_and_a_table(self):
        with tempfile.TemporaryDirectory() as folder:
            code, out, err = run(*COMMAND, "--output", f"{folder}/out")
            self.assertEqual(code, 0, err)
            self.assertIn("voxels of 2 × 2 × 4 mm", out)
            for words in ("σ of R2*: ", "field period: 833.3 Hz", "each of two groups: 39 ", "--subject-sd"):
                self.assertIn(words, out)
            self.assertNotIn("`subject_sd`", out)
            files = {path.name: path for path in (Path(folder) / "out").iterdir()}
            self.assertEqual(sorted(files), ["protocol.csv", "protocol.html", "protocol.json"])
            page = files["protocol.html"].read_text(encoding="utf-8")
            self.assertEqual(re.findall(r'(?:src|href)="(?!data:image/png;base64,|#)', page), [])
            self.assertNotIn("://", re.sub(r"base64,[^\"]*", "", page))
            with open(files["protocol.csv"], encoding="utf-8", newline="") as file:
                table = list(csv.DictReader(file))
            stored = json.loads(files["protocol.json"].read_text(encoding="utf-8"))
            self.assertEqual(len(table), len(stored["rows"]))
            self.assertEqual(stored["settings"]["echo_times"][1], 0.0024)

    @unittest.skipUnless(HAS_PAGES, "needs jinja2 and matplotlib")
    def test_with_the_chain_its_table_and_picture_are_there_too(self):
        values = (0, 50, -2.3, 0.1, 0.02, 100.0, 101.0, 9.0, 0.9, 0.89, 0.01, 1.0)
        rows = [dict(zip(COLUMNS, (x, *values[:2], -2 * x, -x, *values[4:]), strict=True)) for x in (0.1, 0.2, 0.3)]
        ran = self.replaced(chain, "run_chain", return_value=Chain(rows, ("ε is 0.1 ppm.",)))
        self.replaced(report, "protocol_figure", return_value=b"")
        with tempfile.TemporaryDirectory() as folder:
            code, out, err = run(*COMMAND, "--chain", "0.1", "0.2", "0.3", "--bone-shape", "plates", "--output", folder)
            self.assertEqual(code, 0, err)
            settings = ran.call_args.args[1]
            self.assertEqual((settings.bone.bvtv, settings.bone.shape), ((0.1, 0.2, 0.3), "plates"))
            self.assertIn("On simulated bone: χ changes by -1 ppm", out)
            self.assertIn("Note: The reconstruction of simulated bone notes: ε is 0.1 ppm.", out)
            self.assertIn("plates of radius 0.2 mm", (Path(folder) / "protocol.html").read_text(encoding="utf-8"))
            table = (Path(folder) / "chain.csv").read_text(encoding="utf-8").splitlines()
            self.assertEqual((len(table), table[0]), (4, ",".join(COLUMNS)))
            self.assertEqual(len(json.loads((Path(folder) / "protocol.json").read_text())["chain_rows"]), 3)

    @unittest.skipUnless(HAS_PAGES, "needs jinja2 and matplotlib")
    def test_with_an_ankle_its_regions_and_what_it_costs_are_told(self):
        measured = [Measured("ball of radius 6 mm", 6.0, 90, 0.02, 0.5), Measured("talus", None, 700, 0.03, 0.7)]
        ran = self.replaced(assess, "run_ankle", return_value=InAnkle(measured, ("It is noisy.",)))
        self.replaced(report, "protocol_figure", return_value=b"")
        with tempfile.TemporaryDirectory() as folder:
            options = ["--ankle", "--inversion", "closed-form", "--seed", "3", "--output", folder]
            code, out, err = run(*COMMAND, *options)
            self.assertEqual(code, 0, err)
            used = ran.call_args.args[1]
            self.assertEqual((used.draws, used.seed, used.reconstruction.inversion), (50, 3, "closed-form"))
            self.assertRegex(err, r"50 draws, about \d+ s of a processor, 0\.\d+ GB of memory")
            self.assertIn("σ of mean χ by noise: 0.03 ppm (talus, 700 voxels)", out)
            self.assertIn("one digital ankle", out)
            self.assertIn("Note: The reconstruction of the digital ankle notes: It is noisy.", out)
            page = (Path(folder) / "protocol.html").read_text(encoding="utf-8")
            self.assertIn("50 draws of noise in a digital ankle (seed 3), which tell it to 10%", page)
            self.assertEqual(json.loads((Path(folder) / "protocol.json").read_text())["ankle"]["draws"], 50)
        self.assertIn("--ankle measures both", run(*COMMAND)[1])

    @unittest.skipUnless(HAS_PAGES, "needs jinja2 and matplotlib")
    def test_a_sweep_that_was_stopped_goes_on_and_gives_the_same_table(self):
        def rows_of(_settings, sweep, bvtv, repeat, progress=None):
            values = (bvtv, repeat, 1.5, 2.0, 0.0, 0, bvtv, 50.0, 65.0, 0.0, -bvtv, -bvtv)
            if stop and bvtv > 0.1:
                raise KeyboardInterrupt
            computed.append(bvtv)
            return [
                dict(zip(SWEEP_COLUMNS, values, strict=True)) | {"field_strength": t} for t in sweep.field_strengths
            ]

        command = [*COMMAND, "--sweep", "0.1", "0.2", "--sweep-field-strengths", "1.5", "3", "--repeats", "1"]
        stop, computed = True, []
        self.replaced(sweep, "block_rows", side_effect=rows_of)
        self.replaced(report, "protocol_figure", return_value=b"")
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / "out"
            self.assertEqual(run(*command, "--output", output)[0], 130)
            self.assertEqual([path.name for path in output.iterdir()], ["sweep.csv.partial"])
            stop = False
            # Told before what takes long.
            code, out, err = run(*command, "--seed", "5", "--output", output)
            self.assertEqual((code, out), (2, ""))
            self.assertIn("belongs to a run with other parameters", err)
            self.assertNotIn("Noise and second minima", err)
            code, _, err = run(*command, "--output", output)
            self.assertEqual((code, computed), (0, [0.1, 0.2]), err)
            table = (output / "sweep.csv").read_text(encoding="utf-8").splitlines()
            self.assertEqual(len(table), 5)
            self.assertIn(",1.2 2.4 3.6 4.8 6 7.2,", table[1])
            self.assertFalse((output / "sweep.csv.partial").exists())
            run(*command, "--output", Path(folder) / "at once")
            self.assertEqual((output / "sweep.csv").read_bytes(), (Path(folder) / "at once" / "sweep.csv").read_bytes())
            self.assertIn('id="sweep"', (output / "protocol.html").read_text(encoding="utf-8"))
        self.assertIn("give --output FOLDER", run(*command)[2])

    def test_what_bone_costs_is_told_before_and_what_does_not_fit_is_refused(self):
        ran = self.replaced(chain, "run_chain", return_value=Chain([], ()))
        code, _, err = run(*COMMAND, "--chain", "0.1", "--repeats", "1", "--workers", "1")
        self.assertEqual(code, 0, err)
        self.assertRegex(err, r"0 % 1 block, about \d+ s of a processor, 0\.\d+ GB of memory for each process")
        self.replaced(estimate, "free_memory", return_value=0.1e9)
        code, _, err = run(*COMMAND, "--chain", "0.1")
        self.assertEqual((code, ran.call_count), (2, 1))
        self.assertRegex(err, r"about 0\.\d+ GB of memory and there are 0\.1 GB; take larger voxels")

    def test_a_mask_must_be_of_trabeculae_and_is_looked_at_before_all_else(self):
        self.replaced(chain, "run_chain", return_value=Chain([], ()))
        assessed = self.replaced(assess, "assess", wraps=assess.assess)
        with tempfile.TemporaryDirectory() as folder:
            mask = Path(folder) / "mask.nii.gz"
            blocks = np.kron(np.indices((8, 8, 8)).sum(axis=0) % 2, np.ones((8, 8, 8)))
            few, most = blocks.copy(), np.ones(blocks.shape)
            few[:], most[0] = 0, 0
            few[0, 0, 0] = 1
            for voxel, bone, wanted, words in (
                (0.3, blocks, 0, "is about 1.4 mm thick with voxels of 0.3 mm"),
                (1.0, blocks, 2, "of 1 mm"),
                (1e-4, blocks, 2, "of 0.0001 mm, and trabeculae are"),
                (0.05, few, 2, "0.0% of"),
                (0.05, most, 2, "98.4% of"),
                (0.1, blocks, 2, "The block of 6.4 × 6.4 × 6.4 mm holds 3 × 3 × 1 voxels of the scan"),
            ):
                write_image(mask, bone, np.diag([voxel, voxel, voxel, 1]))
                code, out, err = run(*COMMAND, "--chain", "--mask", mask)
                self.assertEqual(code, wanted, err)
                self.assertIn(words, out + err)
            shape = ["--bone-shape", "plates"]
            self.assertIn("is of random bone, and --mask", run(*COMMAND, "--chain", "--mask", mask, *shape)[2])
        self.assertEqual(assessed.call_count, 1)

    def test_impossible_input_is_one_sentence_and_nothing_is_written(self):
        with tempfile.TemporaryDirectory() as folder:
            for words, changes in (
                ("the last one to 7.2 ms; give a --longest-echo", ["--shortest-echo", "9"]),
                ("three or more that increase in --echo-times", ["--echo-times", "1", "2"]),
                ("--sweep-angles is of --sweep; give that too", ["--sweep-angles", "10"]),
                ("--preset is of --ankle or --chain", ["--preset", "paper", "--sweep"]),
                ("--ankle is 1; give a whole number between 2", ["--ankle", "1"]),
                ("--regularization is of balls in noise alike", ["--ankle", "--regularization", "0.1"]),
                ("--bone-concentration is of --chain or --sweep", ["--bone-concentration", "-1e1"]),
                ("--snr is 0.0; give a finite number between 1 and", ["--snr", "0"]),
                ("are 0.00125 0.00195 0.00265 ms; give them", ["--echo-times", "0.00125", "0.00195", "0.00265"]),
                ("--bandwidth is 1431000.0; give", ["--bandwidth", "1431000"]),
                ("Another echo train: The echo times are 3 2 1 ms", ["--sweep", "--sweep-echo-times", "3", "2", "1"]),
                ("--sweep-angles is 900.0; give", ["--sweep", "--sweep-angles", "900"]),
                # Names that the parts of a request share are told by the option of the part.
                ("--bvtv is 2.0; give", ["--bvtv", "2"]),
                ("trabecular-qsm: BV/TV is 2.0; give", ["--chain", "2"]),
                ("--bone-radius is 900; give", ["--sweep", "--bone-radius", "900"]),
                ("is of cylinders and plates; give one", ["--bone-orientation", "1", "0", "0", "--sweep"]),
            ):
                code, _, err = run(*COMMAND, *changes, "--output", f"{folder}/out")
                self.assertEqual(code, 2)
                self.assertIn(words, err)
                self.assertEqual(list(Path(folder).iterdir()), [])


if __name__ == "__main__":
    unittest.main()
