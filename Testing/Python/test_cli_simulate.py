import importlib.util
import json
import shutil
import unittest
from unittest import mock

import numpy as np
import SimpleITK as sitk
from simulating import SMALL, SimulateTest

from TrabecularQSMLib.files import nifti
from TrabecularQSMLib.simulation import monte_carlo
from TrabecularQSMLib.simulation.geometry import draw_geometry
from TrabecularQSMLib.simulation.model import COLUMNS
from TrabecularQSMLib.simulation.settings import SimulationSettings

HAS_MATPLOTLIB = importlib.util.find_spec("matplotlib") is not None


class OutputTest(SimulateTest):
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

    def test_where_nothing_can_be_written_is_told_before_the_work(self):
        blocked = self.folder / "file"
        blocked.write_text("not a folder")
        with mock.patch.object(monte_carlo, "_rows_of", side_effect=AssertionError("simulated")):
            self.assert_refused("S.csv cannot be written", arguments=[*SMALL, "--summary", blocked / "S.csv"])
            same = self.table.parent / ".." / "out" / "T.csv"
            self.assert_refused("is given for two outputs", arguments=[*SMALL, "--summary", same])

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


if __name__ == "__main__":
    unittest.main()
