"""The commands phantom --companions and register, and the way from simulated scans to a regression without hands."""

import csv
import importlib.util
import json
import shutil
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
from commands import run

from TrabecularQSMLib.analysis import registration
from TrabecularQSMLib.analysis.agreement import largest_displacement
from TrabecularQSMLib.files import nifti, transforms
from TrabecularQSMLib.files.maps import find_maps

# Echoes of 3.7 mm, and other scans coarse enough to be quick.
PHANTOM = ("--shape", 60, 60, 28, "--bssfp-voxel-size", 1, 1, 1.5, "--ct-voxel-size", 2, 2, 2)
SEEDS = {"01": 11, "02": 12}
# The picture of each subject in another format.
CHECKERBOARDS = {"01": ".png", "02": ".svg"}
HAS_MATPLOTLIB = importlib.util.find_spec("matplotlib") is not None
REGIONS = ("calcaneus subtalar", "calcaneus tuber", "calcaneus cavum")


class NothingInCommonTest(unittest.TestCase):
    def test_images_with_nothing_in_common_are_told(self):
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        rng, noise = np.random.default_rng(2), [folder / f"noise{n}.nii" for n in (1, 2)]
        for path in noise:
            nifti.write_image(path, rng.normal(size=(16, 16, 16)).astype(np.float32), np.diag([4.0, 4.0, 4.0, 1.0]))
        transforms.write_transform(folder / "start.tfm", np.eye(4))
        with mock.patch.object(registration, "search_shifts", return_value=[np.eye(4)]):
            code, out, err = run("register", *noise, "--output", folder / "n.tfm", "--initial", folder / "start.tfm")
        self.assertEqual(code, 0, err)
        self.assertIn("next to nothing in common", out)


class CompanionsTest(unittest.TestCase):
    """Two patients from files to files."""

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.ankle, cls.maps = cls.folder / "ankle", cls.folder / "maps"
        cls.truth = cls.ankle / "derivatives" / "truth"
        cls.results = []
        for subject, seed in SEEDS.items():
            stem = f"sub-{subject}"
            commands = (
                ("phantom", cls.ankle, *PHANTOM, "--seed", seed, "--subject", subject, "--companions"),
                ("reconstruct", cls.ankle, cls.maps, "--inversion", "closed-form", "--subject", subject),
                (
                    *("register", cls.mip(stem), cls.ankle / stem / "anat" / f"{stem}_bSSFP.nii.gz"),
                    *("--output", cls.folder / f"{stem}.tfm", "--resampled", cls.folder / f"{stem}_on_mip.nii.gz"),
                    *(("--checkerboard", cls.checkerboard(subject)) if HAS_MATPLOTLIB else ()),
                ),
            )
            cls.results += [run(*command) for command in commands]

    @classmethod
    def checkerboard(cls, subject):
        return cls.folder / f"sub-{subject}{CHECKERBOARDS[subject]}"

    @classmethod
    def mip(cls, stem):
        return cls.maps / stem / "anat" / f"{stem}_MIP.nii.gz"

    def setUp(self):
        for code, _, err in self.results:
            self.assertEqual(code, 0, err)

    def test_a_second_subject_joins_the_dataset_with_all_its_files(self):
        names = {path.name for path in (self.ankle / "sub-02" / "anat").iterdir()}
        self.assertTrue({f"sub-02_{n}" for n in ("bSSFP.nii.gz", "bSSFP.json", "CT.nii.gz", "CT.json")} <= names)
        truth = {path.name for path in (self.truth / "sub-02" / "anat").iterdir()}
        others = ("from-MIP_to-bSSFP.tfm", "from-MIP_to-CT.tfm", "desc-bone_dseg.nii.gz", "bvtv.csv", "dseg.tsv")
        self.assertTrue({f"sub-02_{name}" for name in others} <= truth)
        self.assertEqual(list(find_maps(self.truth)), ["sub-01", "sub-02"])
        sidecar = json.loads((self.ankle / "sub-02" / "anat" / "sub-02_CT.json").read_text())
        self.assertEqual((sidecar["Units"], sidecar["PhantomSettings"]["seed"]), ("HU", SEEDS["02"]))
        before = sorted(self.ankle.rglob("*"))
        code, _, err = run("phantom", self.ankle, "--subject", "02")
        self.assertEqual((code, sorted(self.ankle.rglob("*"))), (2, before))
        self.assertIn("exists already", err)

    def test_the_true_table_holds_case_region_and_bvtv(self):
        text = (self.truth / "sub-01" / "anat" / "sub-01_bvtv.csv").read_text()
        rows = list(csv.DictReader(text.splitlines()))
        self.assertEqual({row["case"] for row in rows}, {"sub-01"})
        found = {row["region"]: float(row["bvtv"]) for row in rows}
        self.assertTrue(found[REGIONS[0]] > found[REGIONS[1]] > found[REGIONS[2]] > 0.05)

    def test_voxel_sizes_of_scans_that_are_not_asked_for_are_refused(self):
        code, _, err = run("phantom", self.folder / "alone", *PHANTOM)
        self.assertEqual(code, 2)
        self.assertIn("--companions is not", err.splitlines()[-1])
        self.assertFalse((self.folder / "alone").exists())

    def test_a_bone_reference_without_a_voxel_is_told(self):
        sizes = ("--bssfp-voxel-size", "4", "4", "4", "--ct-voxel-size", "4", "4", "4")
        code, out, _ = run("phantom", self.folder / "coarse", "--shape", "20", "20", "12", "--companions", *sizes)
        self.assertEqual(code, 0)
        self.assertIn("Note: No voxel of the bSSFP (4 × 4 × 4 mm) is cortical bone as a whole", out)

    def test_register_finds_the_true_transform_from_mip_to_bssfp(self):
        for stem in ("sub-01", "sub-02"):
            found = transforms.read_transform(self.folder / f"{stem}.tfm")
            truth = transforms.read_transform(self.truth / stem / "anat" / f"{stem}_from-MIP_to-bSSFP.tfm")
            labels, affine = nifti.read_image(self.truth / stem / "anat" / f"{stem}_dseg.nii.gz")
            points = np.argwhere(np.isin(labels, (1, 2, 3)))[:, ::-1] @ affine[:3, :3].T + affine[:3, 3]
            # A quarter of a voxel of 3.7 mm; the other direction is several voxels away.
            self.assertLess(largest_displacement(found, truth, points), 0.9, stem)
            self.assertGreater(largest_displacement(found, np.linalg.inv(truth), points), 6, stem)

    def test_register_says_how_good_it_is_and_writes_what_is_asked_for(self):
        _, out, _ = self.results[2]
        self.assertRegex(out, r"(?m)^Quality 0\.\d{3} \(0 to 1\), overlap \d+ %$")
        self.assertRegex(out, r"(?m)^Displacement \d+\.\d mm at the center of FIXED, rotation \d+\.\d°$")
        for name in ("sub-01.tfm", "sub-01_on_mip.nii.gz"):
            self.assertIn(str(self.folder / name), out)
        mip, affine = nifti.read_image(self.mip("sub-01"))
        resampled, its_affine = nifti.read_image(self.folder / "sub-01_on_mip.nii.gz")
        self.assertEqual(resampled.shape, mip.shape)
        np.testing.assert_array_equal(its_affine, affine)
        labels, _ = nifti.read_image(self.truth / "sub-01" / "anat" / "sub-01_dseg.nii.gz")
        # Marrow is bright in bSSFP and muscle is not: they are where the MIP has them.
        self.assertGreater(resampled[labels == 3].mean(), 1.5 * resampled[labels == 7].mean())

    def test_an_initial_transform_and_a_mask_are_used(self):
        truth = self.truth / "sub-01" / "anat"
        mask, output = self.folder / "mask.nii", self.folder / "again.tfm"
        mip, affine = nifti.read_image(self.mip("sub-01"))
        nifti.write_image(mask, (mip > 0.2 * mip.max()).astype(np.uint8), affine)
        moving = self.ankle / "sub-01" / "anat" / "sub-01_CT.nii.gz"
        start = truth / "sub-01_from-MIP_to-CT.tfm"
        code, out, err = run(
            "register", self.mip("sub-01"), moving, "--output", output, "--initial", start, "--mask", mask
        )
        self.assertEqual(code, 0, err)
        self.assertIn("Quality", out)
        found, expected = transforms.read_transform(output), transforms.read_transform(start)
        self.assertLess(largest_displacement(found, expected, [[0, 0, 0]]), 1.0)

    def test_simulated_scans_become_a_regression_without_touching_a_table(self):
        tables = []
        for subject in SEEDS:
            stem, anat = f"sub-{subject}", self.ankle / f"sub-{subject}" / "anat"
            truth = self.truth / stem / "anat"
            # The bias field has tests of its own, and takes its time.
            chosen = ("--regions", truth / f"{stem}_dseg.nii.gz", "--only", *REGIONS, "--output")
            tables += [self.folder / f"{stem}_{name}.csv" for name in ("maps", "bvtv")]
            commands = (
                ("measure", self.maps / stem, *chosen, tables[-2]),
                (
                    *("bvtv", anat / f"{stem}_bSSFP.nii.gz", "--bone", truth / f"{stem}_desc-bone_dseg.nii.gz"),
                    *("--transform", self.folder / f"{stem}.tfm", "--no-bias-correction", *chosen, tables[-1]),
                ),
            )
            for command in commands:
                code, _, err = run(*command)
                self.assertEqual(code, 0, err)
            rows = {row["region"]: float(row["bvtv"]) for row in csv.DictReader(tables[-1].read_text().splitlines())}
            self.assertEqual(sorted(rows, key=rows.get), list(REGIONS[::-1]), "apparent BV/TV ranks the regions")
        output = self.folder / "regression.json"
        for x in (tables, [*tables[::2], *(self.true_tables())]):
            code, _, err = run("regress", *x, "--x", "bvtv", "--y", "chi", "--output", output, *self.excluded(x))
            self.assertEqual(code, 0, err)
            pooled = json.loads(output.read_text())["pooled"]
            # Bone is diamagnetic, and fat is not: denser bone has less susceptibility.
            self.assertEqual(pooled["n"], 6)
            self.assertLess(pooled["slope"], -0.5)
            self.assertGreater(pooled["r2"], 0.4)  # χ of voxels of 3.7 mm is blurred

    @unittest.skipUnless(HAS_MATPLOTLIB, "matplotlib is not installed")
    def test_the_checkerboard_is_a_png_or_an_svg(self):
        for (subject, ending), start in zip(CHECKERBOARDS.items(), (b"\x89PNG\r\n\x1a\n", b"<?xml"), strict=True):
            path = self.checkerboard(subject)
            self.assertEqual((path.suffix, path.read_bytes()[: len(start)]), (ending, start))
        self.assertIn(str(self.checkerboard("01")), self.results[2][1])

    def test_a_checkerboard_without_matplotlib_is_refused_before_the_work(self):
        mip, output = self.mip("sub-01"), self.folder / "without.tfm"
        with mock.patch.dict(sys.modules, {"matplotlib": None}):
            code, _, err = run("register", mip, mip, "--output", output, "--checkerboard", self.folder / "w.png")
        self.assertEqual((code, output.exists()), (2, False))
        self.assertIn("pip install matplotlib", err)

    def true_tables(self):
        return [self.truth / f"sub-{subject}" / "anat" / f"sub-{subject}_bvtv.csv" for subject in SEEDS]

    def excluded(self, tables):
        """The true table holds regions that were not measured."""
        others = ("region=distal tibia", "region=talus")
        return ("--exclude", *others) if self.true_tables()[0] in tables else ()

    def test_wrong_input_is_refused_before_anything_is_written(self):
        mip, output = self.mip("sub-01"), self.folder / "none.tfm"
        nifti.write_image(self.folder / "small.nii", np.ones((5, 5, 5), np.uint8), np.eye(4))
        nifti.write_image(
            self.folder / "meters.nii", np.indices((5, 5, 5))[0].astype(np.uint8), np.diag([1e-3] * 3 + [1])
        )
        far = np.eye(4)
        far[0, 3] = 900
        transforms.write_transform(self.folder / "far.tfm", far)
        transforms.write_transform(self.folder / "scaled.tfm", np.diag([2.0, 2, 2, 1]))
        for words, arguments in (
            ("does not end with .tfm", (mip, mip, "--output", self.folder / "t.nii")),
            ("does not end with .png", (mip, mip, "--output", output, "--checkerboard", self.folder / "c.jpg")),
            ("absent.nii.gz does not exist", (mip, self.folder / "absent.nii.gz", "--output", output)),
            ("not on the grid of", (mip, mip, "--output", output, "--mask", self.folder / "small.nii")),
            ("is 1 everywhere", (mip, self.folder / "small.nii", "--output", output)),
            (
                "moving image has voxels of 0.001 × 0.001 × 0.001 mm",
                (mip, self.folder / "meters.nii", "--output", output),
            ),
            ("do not overlap", (mip, mip, "--output", output, "--initial", self.folder / "far.tfm")),
            ("not rigid", (mip, mip, "--output", output, "--initial", self.folder / "scaled.tfm")),
            ("is an input and would be written over", (mip, mip, "--output", output, "--resampled", mip)),
        ):
            with self.subTest(words):
                code, out, err = run("register", *arguments)
                self.assertEqual((code, out), (2, ""))
                self.assertIn(words, err.splitlines()[-1])
                self.assertFalse(output.exists())

    def test_scans_of_two_subjects_are_noted(self):
        bssfp = self.ankle / "sub-02" / "anat" / "sub-02_bSSFP.nii.gz"
        code, out, err = run("register", self.mip("sub-01"), bssfp, "--output", self.folder / "mixed.tfm")
        self.assertEqual(code, 0, err)
        self.assertIn("different subjects: sub-01_MIP.nii.gz (sub-01) and sub-02_bSSFP.nii.gz (sub-02)", out)
        self.assertNotIn("different subjects", self.results[2][1])

    def test_an_error_of_the_registration_names_both_files(self):
        mip, flat = self.mip("sub-01"), self.folder / "flat.nii"
        nifti.write_image(flat, np.ones((5, 5, 5), np.uint8), np.eye(4))
        code, _, err = run("register", mip, flat, "--output", self.folder / "none.tfm")
        self.assertEqual(code, 2)
        self.assertIn(f"{flat} to {mip}: The moving image is 1 everywhere", err)


if __name__ == "__main__":
    unittest.main()
