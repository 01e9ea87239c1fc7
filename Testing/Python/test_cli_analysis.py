"""The commands measure, bvtv, attenuation, split and morphometry, from files to files."""

import csv
import importlib.util
import shutil
import sys
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
from commands import files, run
from reading import InFolderTest

from TrabecularQSMLib.analysis import bvtv
from TrabecularQSMLib.figures.bvtv import bvtv_figure
from TrabecularQSMLib.files import nifti, transforms
from TrabecularQSMLib.images import resample
from TrabecularQSMLib.study import companions

# The echo MIP's grid of 3 mm and the other scan's of 1 × 1 × 2 mm, with axes of different directions.
MIP = np.array([[3.0, 0, 0, -45], [0, 3, 0, -45], [0, 0, 3, -30], [0, 0, 0, 1]])
IMAGE = np.array([[-1.0, 0, 0, 50], [0, 1, 0, -50], [0, 0, 2, -40], [0, 0, 0, 1]])
IMAGE_SHAPE, MIP_SHAPE = (40, 100, 100), (20, 30, 30)
REGIONS = {1: (np.array([-20.0, 10, 5]), "tuber"), 2: (np.array([15.0, -15, -5]), "talus")}
MARROW, BONE, RADIUS = 1000.0, 100.0, 9.0
HAS_MATPLOTLIB = importlib.util.find_spec("matplotlib") is not None


def motion():
    """Matrix from points of the echo MIP to points of the image: far more than a region's radius."""
    turn = np.radians(8)
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    matrix[:3, 3] = 12, -7, 6
    return matrix


def balls(shape, affine, matrix, radius):
    """Labels of balls around the regions' centers, which `matrix` moves, on a grid."""
    index = np.indices(shape)[::-1].reshape(3, -1)
    points = affine[:3, :3] @ index + affine[:3, 3:]
    labels = np.zeros(shape, np.uint8)
    for label, (center, _) in REGIONS.items():
        moved = matrix[:3, :3] @ center + matrix[:3, 3]
        labels[(np.linalg.norm(points - moved[:, None], axis=0) < radius).reshape(shape)] = label
    return labels


def read(path):
    return list(csv.DictReader(Path(path).read_text().splitlines()))


class AnalysisTest(InFolderTest):
    """Two balls of marrow with different shares of bone in muscle; regions inside of them on another grid."""

    def setUp(self):
        super().setUp()
        self.regions, self.bone = self.folder / "regions.nii.gz", self.folder / "bone.nii.gz"
        self.transform, self.output = self.folder / "t.tfm", self.folder / "out.csv"
        self.image = self.folder / "sub-07_ses-2_acq-x_bSSFP.nii.gz"
        nifti.write_image(self.regions, balls(MIP_SHAPE, MIP, np.eye(4), RADIUS), MIP)
        rows = "".join(f"{label}\t{name}\n" for label, (_, name) in REGIONS.items())
        (self.folder / "regions.tsv").write_text("index\tname\n" + rows)
        transforms.write_transform(self.transform, motion())
        # What is to be found lies where the motion has brought it, a little larger than the regions.
        rng = np.random.default_rng(0)
        self.where = balls(IMAGE_SHAPE, IMAGE, motion(), RADIUS + 5)
        share = np.select([self.where == 1, self.where == 2], [0.15, 0.35], 0.6)
        mixture = np.where(rng.random(IMAGE_SHAPE) < share, BONE, MARROW)
        self.values = np.abs(mixture + rng.normal(0, 30, IMAGE_SHAPE)).astype(np.float32)
        reference = np.zeros(IMAGE_SHAPE, np.uint8)
        reference[:3, :20, :20] = 1
        self.values[reference == 1] = BONE
        nifti.write_image(self.bone, reference, IMAGE)
        nifti.write_image(self.image, self.values, IMAGE)

    def bvtv(self, *more, image=None, transform=True):
        arguments = ["bvtv", image or self.image, "--regions", self.regions, "--bone", self.bone]
        if transform:
            arguments += ["--transform", self.transform]
        return run(*arguments, "--output", self.output, "--no-bias-correction", *more)

    def assert_refused(self, found, words):
        code, out, err = found
        self.assertEqual((code, out), (2, ""), err)
        sentence = err.strip().splitlines()[-1]
        self.assertRegex(sentence, words)
        self.assertTrue(sentence.startswith("trabecular-qsm: "))
        self.assertFalse(self.output.exists())

    def by_region(self, *more, column="bvtv", **options):
        code, _, err = self.bvtv(*more, **options)
        self.assertEqual(code, 0, err)
        return {row["region"]: float(row[column]) for row in read(self.output)}


class BvtvTest(AnalysisTest):
    def test_regions_follow_the_transform_from_the_echo_mip_to_the_image(self):
        code, out, err = self.bvtv()
        self.assertEqual(code, 0, err)
        self.assertIn("tuber: apparent BV/TV 0.1", out)
        first, second = read(self.output)
        self.assertEqual(list(first), ["case", "region", "bvtv", "marrow", "bone", "mean", "n"])
        self.assertEqual((first["case"], first["region"], second["region"]), ("sub-07_ses-2", "tuber", "talus"))
        # Marrow's level is half a peak's width over its mean.
        self.assertAlmostEqual(float(first["bvtv"]), 0.15, delta=0.05)
        self.assertAlmostEqual(float(second["bvtv"]), 0.35, delta=0.05)
        self.assertAlmostEqual(float(first["bone"]), BONE, delta=1)
        # Voxels of the image are 2 mm³.
        self.assertAlmostEqual(float(first["n"]) * 2, 4 / 3 * np.pi * RADIUS**3, delta=300)
        # Elsewhere there is 60 % of bone: without the transform, or with its inverse, all is different.
        self.assertGreater(self.by_region(transform=False)["tuber"], 0.25)
        without = self.bvtv(transform=False)[1]
        self.assertIn("no transform was given: regions count where they were drawn", without)
        self.assertIn("give --transform unless", without)
        self.assertNotIn("no transform was given", self.bvtv()[1])
        transforms.write_transform(self.transform, np.linalg.inv(motion()))
        self.assertGreater(self.by_region()["tuber"], 0.5)

    def test_what_hardly_belongs_together_is_noted(self):
        regions = self.folder / "sub-09_dseg.nii.gz"
        shutil.copy(self.regions, regions)
        stretched = motion() @ np.diag([1.2, 1.2, 1.2, 1])
        transforms.write_transform(self.transform, stretched)
        arguments = ("--bone", self.bone, "--transform", self.transform, "--output", self.output)
        code, out, err = run("bvtv", self.image, "--regions", regions, *arguments, "--no-bias-correction")
        self.assertEqual(code, 0, err)
        self.assertIn(
            "different subjects: sub-07_ses-2_acq-x_bSSFP.nii.gz (sub-07) and sub-09_dseg.nii.gz (sub-09)", out
        )
        self.assertIn("t.tfm is not rigid: it stretches by 1.2 to 1.2, and volumes by 1.73", out)
        self.assertNotIn("different subjects", self.bvtv()[1])

    def test_case_and_regions_can_be_chosen(self):
        self.assertEqual(list(self.by_region("--only", "talus", "--case", "Anna")), ["talus"])
        self.assertEqual(read(self.output)[0]["case"], "Anna")
        other = self.folder / "scan.v2.nii.gz"
        shutil.copy(self.image, other)
        self.by_region(image=other)
        self.assertEqual(read(self.output)[0]["case"], "scan")

    def test_the_rule_can_be_chosen(self):
        found = [self.by_region("--rule", rule, column="marrow")["talus"] for rule in bvtv.RULES]
        expected = [
            bvtv.apparent_bvtv(self.values, self.placed(), {2: "talus"}, self.values == BONE, rule=rule)[0].marrow
            for rule in bvtv.RULES
        ]
        np.testing.assert_allclose(found, expected, rtol=1e-6)
        self.assertNotAlmostEqual(found[0], found[1], places=2)

    def placed(self):
        labels, affine = nifti.read_image(self.regions)
        matrix = np.linalg.inv(motion())
        return resample(labels, affine, IMAGE_SHAPE, IMAGE, matrix, interpolation="nearest")

    def test_a_region_without_trabecular_bone_is_noted(self):
        here = self.where == 1
        self.values[here] = MARROW + np.random.default_rng(1).normal(0, 5, np.count_nonzero(here))
        nifti.write_image(self.image, self.values, IMAGE)
        code, out, err = self.bvtv()
        self.assertEqual(code, 0, err)
        self.assertIn("less than trabecular bone gives", out)
        self.assertNotIn("BV/TV of talus", out)

    def test_a_bone_reference_that_is_not_the_darkest_is_noted(self):
        self.values[self.values == BONE] = 0.8 * MARROW
        nifti.write_image(self.image, self.values, IMAGE)
        code, out, err = self.bvtv()
        self.assertEqual(code, 0, err)
        self.assertRegex(out, "Note: The apparent BV/TV of talus is 1.*beyond 0 to 1")
        self.assertNotIn("BV/TV of tuber", out)

    def test_bias_is_corrected_unless_it_is_told_not_to(self):
        plain = self.by_region(column="marrow")
        with mock.patch.object(companions, "correct_bias", lambda image, affine, *, progress: affine[2, 2] * image):
            self.assertEqual(self.by_region(column="marrow"), plain)
            code, _, err = run(
                *("bvtv", self.image, "--regions", self.regions, "--bone", self.bone, "--transform", self.transform),
                *("--output", self.output),
            )
        self.assertEqual(code, 0, err)
        for row in read(self.output):
            self.assertAlmostEqual(float(row["marrow"]), 2 * plain[row["region"]], places=2)

    def test_phase_cycles_are_combined(self):
        alone = self.by_region(column="marrow")
        other = self.folder / "other.nii.gz"
        left, right = self.values.copy(), self.values.copy()
        left[:, :, ::2], right[:, :, 1::2] = 0, 0  # bands of which each hides half
        alike = self.values.copy()
        alike[0, 0, 0] += 1
        for combination, factor in (("maximum", 1), ("root-sum-of-squares", 2**0.5)):
            for first, second, scale in ((left, right, 1), (self.values, alike, factor)):
                nifti.write_image(self.image, first, IMAGE)
                nifti.write_image(other, second, IMAGE)
                both = self.by_region("--combine", other, "--combination", combination, column="marrow")
                for region, marrow in alone.items():
                    self.assertAlmostEqual(both[region] / marrow, scale, places=4)
        nifti.write_image(self.folder / "other.nii.gz", right[:5], IMAGE)
        self.output.unlink()
        self.assert_refused(self.bvtv("--combine", self.folder / "other.nii.gz"), "other.nii.gz is not on the grid of")

    def test_the_bone_reference_may_be_on_another_grid_and_among_other_segments(self):
        expected = self.by_region(column="bone")
        reference, _ = nifti.read_image(self.bone)
        cut = reference[:5, :25, :25].copy()
        cut[-1] = 2
        nifti.write_image(self.bone, cut, IMAGE)
        self.bone.with_name("bone.tsv").write_text("index\tname\n1\tbone\n2\tother\n")
        self.assertEqual(self.by_region(column="bone"), expected)
        self.output.unlink()
        self.bone.with_name("bone.tsv").write_text("index\tname\n1\tcortex\n2\tother\n")
        self.assert_refused(self.bvtv(), "2 regions .cortex, other. and none is called bone")

    @unittest.skipUnless(HAS_MATPLOTLIB, "matplotlib is not installed")
    def test_the_picture_shows_every_regions_histogram_with_its_levels(self):
        picture = self.folder / "out.svg"
        self.by_region("--figure", picture)
        text = picture.read_text()
        self.assertIn("<svg", text)
        counts, edges = np.array([1, 5, 2]), np.array([0.0, 1, 2, 3])
        results = [bvtv.ApparentBVTV(name, 0.3, 2.5, 0.5, 1.9, 8, counts, edges) for name in ("tuber", "talus")]
        pictures = [bvtv_figure(results[:number], "sub-01") for number in (1, 2, 2)]
        self.assertEqual(pictures[0][:8], b"\x89PNG\r\n\x1a\n")
        self.assertEqual(pictures[1], pictures[2])
        self.assertGreater(len(pictures[1]), len(pictures[0]))

    def test_a_missing_matplotlib_is_noticed_before_the_work(self):
        with mock.patch.dict(sys.modules, {"matplotlib": None}):
            self.assert_refused(self.bvtv("--figure", self.folder / "out.png"), "pip install matplotlib")

    def test_wrong_input_is_refused_before_anything_is_written(self):
        before = files(self.folder)
        self.assert_refused(self.bvtv("--figure", self.folder / "out.jpg"), "out.jpg does not end with .png or .svg")
        self.assert_refused(self.bvtv("--figure", self.folder), f"{self.folder} is a folder; give the name of a file")
        self.assert_refused(self.bvtv("--only", "knee"), "no region 'knee'; it has tuber, talus")
        self.assert_refused(self.bvtv(image=self.folder / "none.nii"), "none.nii does not exist")
        self.assert_refused(run("bvtv", *"a --regions b --bone c --output d.txt".split()), "d.txt does not end with")
        self.assertEqual(files(self.folder), before)
        far = motion()
        far[0, 3] = 500
        transforms.write_transform(self.transform, far)
        self.assert_refused(self.bvtv(), "'tuber' .* has no voxel on the grid of sub-07.*transform")
        transforms.write_transform(self.transform, motion())
        nifti.write_image(self.image, self.values, np.diag([1e-3] * 3 + [1]) @ IMAGE)
        self.assert_refused(self.bvtv(), "bSSFP.nii.gz has voxels of .* mm; expected 0.01 to 100 mm, so check the unit")
        nifti.write_image(self.image, 0 * self.values + 5, IMAGE)
        self.assert_refused(self.bvtv(), "bSSFP.nii.gz: The image is 5 everywhere")
        nifti.write_image(self.bone, np.zeros(IMAGE_SHAPE, np.uint8), IMAGE)
        self.assert_refused(self.bvtv(), "bone.nii.gz holds no region")

    def test_a_region_that_the_image_cuts_off_is_noted(self):
        matrix = motion()
        matrix[2, 3] += 30
        transforms.write_transform(self.transform, matrix)
        _, out, _ = self.bvtv()
        self.assertRegex(out, r"Note: \d\d % of the region tuber lie outside of .*bSSFP")
        self.assertNotIn("region talus", out)


class AttenuationTest(AnalysisTest):
    def setUp(self):
        super().setUp()
        self.ct = self.folder / "sub-07_CT.nii.gz"
        hu = np.select([self.where == 1, self.where == 2], [150, 300], -100)
        nifti.write_image(self.ct, hu.astype(np.int16), IMAGE)

    def attenuation(self, *more):
        return run(
            *("attenuation", self.ct, "--regions", self.regions, "--transform", self.transform),
            *("--output", self.output, *more),
        )

    def means(self, *more):
        code, _, err = self.attenuation(*more)
        self.assertEqual(code, 0, err)
        return {(row["region"], row["quantity"]): (float(row["mean"]), row["unit"]) for row in read(self.output)}

    def test_attenuation_is_that_of_the_registered_regions(self):
        found = self.means()
        self.assertEqual(found, {("tuber", "ct"): (150, "HU"), ("talus", "ct"): (300, "HU")})
        self.assertEqual(read(self.output)[0]["case"], "sub-07")

    def test_density_comes_from_a_line_or_from_rods(self):
        found = self.means("--slope", 0.8, "--intercept", -4)
        self.assertAlmostEqual(found["tuber", "bmd"][0], 116, places=3)
        self.assertEqual(found["talus", "bmd"][1], "mg/cm³")
        rods = self.folder / "rods.csv"
        rods.write_text("rod,hu,density\nA,5,0\nB,130,100\nC,255,200\n")
        self.assertAlmostEqual(self.means("--rods", rods)["tuber", "bmd"][0], 116, places=3)
        # Mindways: attenuation of rods that follow the form with σ = 1.2 and β = 6.
        water, density = np.array([1012.2, 1057.0, 1103.6, 1119.5, 923.2]), np.array([-51.8, -53.4, 58.9, 157.0, 375.8])
        hu = water + (1.2 + 0.2174) * density + 6 - 999.6
        rows = "".join(f"{h},{d},{w}\n" for h, d, w in zip(hu, density, water, strict=True))
        rods.write_text("hu,density,water\n" + rows)
        self.assertAlmostEqual(self.means("--rods", rods)["tuber", "bmd"][0], (150 - 6) / 1.2, places=3)

    def test_half_a_calibration_and_wrong_rods_are_refused(self):
        rods = self.folder / "rods.csv"
        rods.write_text("hu,density\n5,0\nsix,2\n")
        self.assert_refused(self.attenuation("--slope", 1), "both --slope and --intercept")
        self.assert_refused(self.attenuation("--rods", rods), "Row 2 of .*rods.csv has 'six' for hu")
        self.assert_refused(self.attenuation("--rods", rods, "--slope", 1), "both --rods and a line")
        rods.write_text("HU,mg\n5,0\n")
        self.assert_refused(self.attenuation("--rods", rods), "columns HU, mg; expected hu and density")


class SplitTest(AnalysisTest):
    def test_parts_are_a_label_map_that_measure_takes(self):
        parts = self.folder / "parts.nii.gz"
        code, out, err = run("split", self.regions, "--region", "talus", "--count", 4, "--output", parts)
        self.assertEqual((code, out), (0, f"{parts}\n{self.folder / 'parts.tsv'}\n"), err)
        labels, affine = nifti.read_image(parts)
        np.testing.assert_allclose(affine, MIP)
        regions, _ = nifti.read_image(self.regions)
        np.testing.assert_array_equal(labels > 0, regions == 2)
        self.assertLessEqual(np.ptp(np.bincount(labels.ravel())[1:]), 1)
        nifti.write_image(self.folder / "maps.nii.gz", self.values, IMAGE)
        (self.folder / "maps").mkdir()
        nifti.write_image(self.folder / "maps" / "sub-01_Chimap.nii.gz", np.ones(MIP_SHAPE, np.float32) * labels, MIP)
        code, _, err = run("measure", self.folder / "maps", "--regions", parts, "--output", self.output)
        self.assertEqual(code, 0, err)
        self.assertEqual([(row["region"], row["mean"]) for row in read(self.output)],
                         [(f"talus {number}", str(number)) for number in (1, 2, 3, 4)])  # fmt: skip
        code, _, err = run(
            *("measure", self.folder / "maps", "--regions", parts, "--output", self.output),
            *("--only", "talus 3", "talus 1"),
        )
        self.assertEqual([row["region"] for row in read(self.output)], ["talus 1", "talus 3"], err)

    def test_an_unknown_region_too_many_parts_and_another_ending_are_refused(self):
        for words, region, count, output in (
            ("no region 'knee'; it has tuber, talus", "knee", 2, "p.nii.gz"),
            ("talus of .*regions.nii.gz: The region has .* voxels, fewer than the 5000", "talus", 5000, "p.nii.gz"),
            ("p.seg.nrrd does not end with .nii.gz", "talus", 2, "p.seg.nrrd"),
        ):
            output = self.folder / output
            found = run("split", self.regions, "--region", region, "--count", count, "--output", output)
            self.assert_refused(found, words)

    def test_the_drawn_regions_are_not_written_over(self):
        before = self.regions.read_bytes(), (self.folder / "regions.tsv").read_bytes()
        for output in ("regions.nii.gz", "regions.nii"):  # the second has its names where the first has them
            found = run("split", self.regions, "--region", "talus", "--count", 2, "--output", self.folder / output)
            self.assert_refused(found, r"regions\.(nii.gz|tsv) is an input and would be written over")
        self.assertEqual((self.regions.read_bytes(), (self.folder / "regions.tsv").read_bytes()), before)
        parts = self.folder / "PARTS.NII.GZ"
        self.assertEqual(run("split", self.regions, "--region", "talus", "--count", 2, "--output", parts)[0], 0)
        self.assertEqual(set(np.unique(nifti.read_image(parts)[0])), {0, 1, 2})
        self.assertTrue((self.folder / "PARTS.tsv").is_file())


class MorphometryTest(AnalysisTest):
    def morphometry(self, *more):
        return run("morphometry", self.image, "--output", self.output, *more)

    @unittest.skipUnless(importlib.util.find_spec("itk"), "itk-bonemorphometry is not installed")
    def test_structure_of_the_whole_mask_and_of_regions(self):
        affine = np.diag([0.05, 0.05, 0.05, 1])
        bone = np.broadcast_to((np.arange(48) + 2) % 12 < 4, (20, 20, 48)).astype(np.uint8)
        nifti.write_image(self.image, 255 * bone, affine)
        code, _, err = self.morphometry("--case", "cube")
        self.assertEqual(code, 0, err)
        (row,) = read(self.output)
        self.assertEqual(list(row), ["case", "region", "bvtv", "thickness", "spacing", "n"])
        self.assertEqual((row["case"], row["region"], row["n"]), ("cube", "whole image", "19200"))
        self.assertAlmostEqual(float(row["bvtv"]), 1 / 3, places=5)
        self.assertAlmostEqual(float(row["thickness"]), 1.5 * 0.2, places=5)
        labels = np.zeros(bone.shape, np.uint8)
        labels[:5, :, :12], labels[5:] = 1, 2
        nifti.write_image(self.regions, labels, affine)
        code, _, err = self.morphometry("--regions", self.regions, "--only", "talus")
        self.assertEqual([(row["region"], row["n"]) for row in read(self.output)], [("talus", "14400")], err)
        self.output.unlink()
        nifti.write_image(self.image, self.values, IMAGE)
        self.assert_refused(self.morphometry(), "is no mask of bone: it holds .* different values")

    def test_without_itk_it_says_what_to_install(self):
        nifti.write_image(self.image, (self.values > 500).astype(np.uint8), IMAGE)
        with mock.patch.dict(sys.modules, {"itk": None}):
            self.assert_refused(self.morphometry(), "pip install itk-bonemorphometry")


if __name__ == "__main__":
    unittest.main()
