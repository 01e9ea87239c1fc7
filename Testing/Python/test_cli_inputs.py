"""Wrong input of ``reconstruct``: one sentence, exit code 2, and nothing is written."""

import json
import unittest
from unittest import mock

import numpy as np
import scans
from commands import CommandLineTest, run, stub

from TrabecularQSMLib import pipeline
from TrabecularQSMLib.files import nifti, writing


class WrongInputTest(CommandLineTest):
    """Each wrong input of the reader and of reconstruct: its sentence, exit code 2, nothing written."""

    def rewrite(self, name, array, affine=scans.AFFINE):
        nifti.write_image(self.scan / name, array, affine)

    def test_a_file_in_the_place_of_the_output_folder_is_told_before_the_work(self):
        scans.write_bids(self.scan)
        (self.folder / "file").write_text("x")
        protocol = "--echo-times 1.2 2.3 3.4 --field-strength 3 --voxel-size 1 1 1 --snr 40 --output".split()
        for command, *arguments in (("lcurve", self.scan), ("convert", self.scan), ("cohort", self.scan),
                                    ("protocol", *protocol)):  # fmt: skip
            with self.subTest(command):
                arguments = (*arguments, self.folder / "file")
                self.assert_refused("is a file; give a folder for the results", command=command, arguments=arguments)

    def test_too_few_echoes(self):
        scans.write_bids(self.scan, scans.echoes(count=2))
        self.assert_refused("sub-01 has 2 echoes", "at least three")

    def test_missing_parts_of_an_echo(self):
        scans.write_bids(self.scan)
        (self.scan / "sub-01_echo-4_part-phase_MEGRE.nii").unlink()
        self.assert_refused("part-mag for 4, part-phase for 3")

    def test_shapes_or_geometries_that_differ(self):
        scans.write_bids(self.scan)
        self.rewrite("sub-01_echo-2_part-mag_MEGRE.nii", np.ones((4, 5, 7), np.float32))
        self.assert_refused("sub-01_echo-2_part-mag_MEGRE.nii", "6 × 5 × 4", "7 × 5 × 4")
        self.rewrite("sub-01_echo-2_part-mag_MEGRE.nii", np.ones((4, 5, 6), np.float32), scans.AFFINE + np.eye(4, k=3))
        self.assert_refused("different grids", "apart")

    def test_echo_times_that_are_missing_do_not_increase_or_are_in_ms(self):
        good = {"MagneticFieldStrength": 3}
        cases = {
            "has no EchoTime": lambda n: good,
            "one echo time": lambda n: {**good, "EchoTime": 0.003},
            "look like milliseconds": lambda n: {**good, "EchoTime": 1.0 + n},
            "divided by 1,000 twice": lambda n: {**good, "EchoTime": 1e-6 * n},
        }
        for words, sidecar in cases.items():
            with self.subTest(words):
                scans.write_bids(self.scan, sidecar=sidecar)
                self.assert_refused(words)

    def test_phase_not_in_radians(self):
        scans.write_bids(self.scan, phase=lambda radians: (17 * radians).astype(np.float32))
        self.assert_refused("The phase of sub-01", "expected radians")

    def test_a_missing_field_strength(self):
        scans.write_bids(self.scan, sidecar=lambda n: {"EchoTime": n * 1e-3})
        self.assert_refused("neither field strength nor imaging frequency")

    def test_values_that_are_not_numbers(self):
        scans.write_bids(self.scan)
        for value in (np.nan, np.inf):
            self.rewrite("sub-01_echo-3_part-phase_MEGRE.nii", np.full((4, 5, 6), value, np.float32))
            self.assert_refused("sub-01_echo-3_part-phase_MEGRE.nii holds 120 voxels that are not numbers")

    def test_a_magnitude_of_zero(self):
        scans.write_bids(self.scan)
        for number in range(1, 5):
            self.rewrite(f"sub-01_echo-{number}_part-mag_MEGRE.nii", np.zeros((4, 5, 6), np.float32))
        self.assert_refused("zero everywhere")

    def test_a_truncated_file(self):
        scans.write_bids(self.scan)
        path = self.scan / "sub-01_echo-3_part-mag_MEGRE.nii"
        path.write_bytes(path.read_bytes()[:600])
        self.assert_refused(path.name, "cut short")

    def test_an_empty_mask_or_one_on_another_grid(self):
        scans.write_bids(self.scan)
        mask = self.folder / "mask.nii"
        arguments = (self.scan, self.output, "--mask", mask)
        nifti.write_image(mask, np.zeros((4, 5, 6), np.uint8), scans.AFFINE)
        self.assert_refused("mask.nii is zero everywhere", arguments=arguments)
        nifti.write_image(mask, np.ones((4, 5, 5), np.uint8), scans.AFFINE)
        self.assert_refused("not on the grid of sub-01", arguments=arguments)

    def test_what_was_decided_about_a_mask_stands_in_the_sidecars(self):
        scans.write_bids(self.scan)
        mask, soft = self.folder / "mask.nii", np.zeros((4, 5, 6), np.float32)
        soft[1:3, 1:4, 1:5], soft[0, 1:4, 1:5] = 1, 0.3
        nifti.write_image(mask, soft, scans.AFFINE)
        with mock.patch.object(pipeline, "reconstruct", stub):
            code, out, err = run("reconstruct", self.scan, self.output, "--mask", mask)
        self.assertEqual(code, 0, err)
        (sidecar,) = self.output.rglob("*_Chimap.json")
        notes = json.loads(sidecar.read_text(encoding="utf-8"))["Notes"]
        self.assertEqual(notes[0], "a note")
        self.assertIn("it was cut at 0.5", notes[1])
        self.assertEqual(out.count("it was cut at 0.5"), 1)

    def test_a_full_disk(self):
        scans.write_bids(self.scan)
        full = OSError(28, "No space left on device")
        with (
            mock.patch.object(pipeline, "reconstruct", stub),
            mock.patch.object(writing, "write_image", side_effect=full),
        ):
            self.assert_refused("no space left")

    def test_echo_times_and_field_strength_are_in_ms_and_tesla(self):
        scans.write_bids(self.scan, sidecar=lambda number: None)
        given = ("--echo-times", "1.2", "1.9", "2.6", "3.3", "--field-strength", "3")
        code, out, err = run("reconstruct", self.scan, self.output, "--dry-run", *given)
        self.assertEqual((code, err), (0, ""))
        arguments = (self.scan, self.output, *given[:4], *given[5:])
        self.assert_refused("4 echoes but --echo-times (ms) gives 3", arguments=arguments)
        arguments = (self.scan, self.output, "--echo-times", "0.0012", "0.0019", "0.0026", "0.0033", *given[5:])
        self.assert_refused("0.0012 0.0019 0.0026 0.0033 ms", "give them in ms", arguments=arguments)

    def test_several_scans(self):
        scans.write_bids(self.scan)
        scans.write_bids(self.scan, name="sub-02")
        self.assert_refused("2 scans (sub-01, sub-02)", "--subject")

    def test_a_single_slice_says_how_many_background_removal_needs(self):
        rng = np.random.default_rng(3)
        times = np.array(scans.ECHO_TIMES)[:, None, None, None]
        signal = 100 * np.exp(2j * np.pi * 20 * times) * np.ones((1, 24, 24)) + rng.standard_normal((4, 1, 24, 24))
        scans.write_bids(self.scan, signal.astype(np.complex64), affine=np.diag([2.0, 2, 2, 1]))
        self.assert_refused("slice")
        code, _, err = run("reconstruct", self.scan, self.output, "--stop-after", "fieldmap")
        self.assertEqual(code, 0, err)


if __name__ == "__main__":
    unittest.main()
