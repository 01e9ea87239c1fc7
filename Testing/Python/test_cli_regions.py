"""The command regions, and the segmentation that it writes."""

import csv
import shutil
import tempfile
import unittest
from pathlib import Path

import hindfoot
import numpy as np
from commands import run
from hindfoot import AFFINE
from scipy.ndimage import binary_dilation, zoom

from TrabecularQSMLib.analysis.bones import PARTS, propose_bones
from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.files import nifti, transforms
from TrabecularQSMLib.files.regions import read_regions, write_segments
from TrabecularQSMLib.files.terminology import proposed_codes
from TrabecularQSMLib.quantities import QUANTITIES


def write_maps(folder, maps, stem="sub-01"):
    """Write maps where reconstruct does."""
    anat = folder / stem.partition("_")[0] / "anat"
    anat.mkdir(parents=True, exist_ok=True)
    for name, array in maps.items():
        nifti.write_image(anat / f"{stem}_{QUANTITIES[name].suffix}.nii.gz", array, AFFINE)
    return folder


class RegionsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.maps, cls.marrow = hindfoot.hindfoot()
        cls.bones = propose_bones(cls.maps, AFFINE)

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.segments = self.folder / "regions.seg.nrrd"

    def test_the_segments_are_the_proposed_bones_and_can_be_measured(self):
        maps = write_maps(self.folder / "maps", self.maps)
        code, out, err = run("regions", maps, "--output", self.segments, "--side", "left")
        self.assertEqual(code, 0, err)
        self.assertRegex(out, r"talus: 1\d\.\d cm³")
        labels, affine, names = read_regions(self.segments)
        np.testing.assert_array_equal(labels, self.bones.labels)
        np.testing.assert_allclose(affine, AFFINE)
        self.assertEqual(names, self.bones.names)
        code, _, err = run("measure", maps, "--regions", self.segments, "--output", self.folder / "t.csv")
        self.assertEqual(code, 0, err)
        rows = list(csv.DictReader((self.folder / "t.csv").read_text().splitlines()))
        self.assertEqual({row["region"] for row in rows}, set(names.values()))

    def test_the_calcaneus_stays_whole_and_the_mask_is_one_of_reconstruct_if_asked(self):
        maps = write_maps(self.folder / "maps", self.maps)
        mask = self.folder / "mask.nii.gz"
        code, _, err = run("regions", maps, "--output", self.segments, "--whole-calcaneus", "--mask", mask)
        self.assertEqual(code, 0, err)
        labels, _, names = read_regions(self.segments)
        self.assertEqual(list(names.values()), ["tibia", "talus", "calcaneus"])
        inside, affine = nifti.read_image(mask)
        np.testing.assert_allclose(affine, AFFINE, atol=1e-5)
        self.assertTrue(inside[labels > 0].all())
        self.assertLess(inside.sum(), self.maps["mask"].sum())

    def test_the_bone_reference_is_found_in_a_moved_image_and_taken_by_bvtv(self):
        # An image of 0.7 mm in which the patient lies 3 mm farther to the right.
        shift = np.eye(4)
        shift[0, 3] = 3.0
        image, affine = self.bssfp()
        files = [self.folder / name for name in ("bssfp.nii.gz", "t.tfm", "bone.seg.nrrd", "bvtv.csv")]
        nifti.write_image(files[0], image, shift @ affine)
        transforms.write_transform(files[1], shift)
        maps = write_maps(self.folder / "maps", self.maps)
        code, _, err = run(
            *("regions", maps, "--output", self.segments),
            *("--image", files[0], "--transform", files[1], "--bone", files[2]),
        )
        self.assertEqual(code, 0, err)
        labels, _, names = read_regions(files[2])
        self.assertEqual(names, {1: "bone"})
        self.assertGreater(np.count_nonzero(labels), 100)
        self.assertLess(image[labels > 0].max(), 200)
        code, out, err = run(
            *("bvtv", files[0], "--regions", self.segments, "--bone", files[2], "--transform", files[1]),
            *("--only", *PARTS, "--no-bias-correction", "--output", files[3]),
        )
        self.assertEqual(code, 0, err)

    def bssfp(self):
        """Bright marrow, gray muscle and dark cortex of 2 mm, by nearest neighbor on a finer grid."""
        marrow = (
            zoom(
                np.any(list(self.marrow.values()), axis=0).astype(np.float32),
                3,
                order=1,
                grid_mode=True,
                mode="grid-constant",
            )
            > 0.5
        )
        cortex = binary_dilation(marrow, iterations=4) & ~marrow
        image = np.where(marrow, 1000.0, np.where(cortex, 80.0, 500.0))
        image += np.random.default_rng(3).normal(0, 20, image.shape)
        affine = AFFINE.copy()
        affine[:3, :3] /= 3
        affine[:3, 3] -= affine[:3, :3] @ (1, 1, 1)
        return image.astype(np.float32), affine

    def test_wrong_input_gets_its_sentence_and_writes_nothing(self):
        maps = write_maps(self.folder / "maps", self.maps)
        empty = self.folder / "empty"
        empty.mkdir()
        no_bone = write_maps(self.folder / "fat", hindfoot.hindfoot(cortex=0)[0])
        two = write_maps(self.folder / "two", self.maps, "sub-01_run-1")
        write_maps(two, self.maps, "sub-01_run-2")
        no_mip = write_maps(self.folder / "part", {"pdff": self.maps["pdff"]})
        for folder, more, words in (
            (empty, (), "no folder with maps"),
            (self.folder / "nowhere", (), "no folder with maps"),
            (no_bone, (), "no marrow behind cortex; draw the regions by hand"),
            (two, (), r"2 scans \(sub-01_run-1, sub-01_run-2\); choose one by --scan"),
            (two, ("--scan", "sub-02"), "no scan sub-02; it has sub-01_run-1"),
            (no_mip, (), "no mip map of sub-01"),
            (maps, ("--bone", self.folder / "b.seg.nrrd"), "needs both --image and --bone"),
        ):
            code, _, err = run("regions", folder, "--output", self.segments, *more)
            self.assertEqual(code, 2, err)
            self.assertRegex(err, words)
            self.assertFalse(self.segments.exists())
        code, _, err = run("regions", maps, "--output", self.folder / "regions.nii.gz")
        self.assertEqual(code, 2)
        self.assertIn("does not end with .seg.nrrd", err)
        code, _, err = run("regions", two, "--output", self.segments, "--scan", "sub-01_run-2")
        self.assertEqual(code, 0, err)

    def test_the_same_maps_give_the_same_bytes(self):
        for path in (self.segments, self.folder / "again.seg.nrrd"):
            write_segments(path, self.bones.labels, AFFINE, self.bones.names, proposed_codes(self.bones.names.values()))
        self.assertEqual(self.segments.read_bytes(), (self.folder / "again.seg.nrrd").read_bytes())

    def test_a_region_without_voxels_keeps_its_place(self):
        labels = np.zeros((3, 4, 5), np.int16)
        labels[1, 2, 3] = 300
        write_segments(self.segments, labels, AFFINE, {7: "empty", 300: "one voxel"})
        again, _, names = read_regions(self.segments)
        np.testing.assert_array_equal(again, labels)
        self.assertEqual(names, {7: "empty", 300: "one voxel"})

    def test_a_label_without_a_name_is_refused(self):
        with self.assertRaisesRegex(InputError, "no name for the label 2"):
            write_segments(self.segments, np.full((2, 2, 2), 2), AFFINE, {1: "one"})


if __name__ == "__main__":
    unittest.main()
