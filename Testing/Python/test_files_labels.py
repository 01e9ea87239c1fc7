"""Which values are labels, shares of voxels, or a mask."""

import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import SimpleITK as sitk
from reading import InFolderTest
from scans import AFFINE

from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.files import nifti
from TrabecularQSMLib.files.regions import read_regions, write_segments
from TrabecularQSMLib.files.transforms import write_transform
from TrabecularQSMLib.images import mask_of

ARRAY = np.random.default_rng(3).integers(-900, 900, (4, 5, 6)).astype(np.int16)


class SharesTest(InFolderTest):
    def test_labels_that_were_computed_with_are_whole_but_for_rounding(self):
        labels = np.abs(ARRAY) % 2
        nifti.write_image(
            self.folder / "x.nii", labels + 1e-6 * np.random.default_rng(1).normal(size=ARRAY.shape), AFFINE
        )
        np.testing.assert_array_equal(read_regions(self.folder / "x.nii")[0], labels)
        with self.assertRaisesRegex(InputError, "names would come from x.tsv beside it"):
            read_regions(self.folder / "x.nii", only=["talus"])

    def test_shares_of_voxels_and_images_are_no_labels(self):
        shares = np.round(255 * np.random.default_rng(1).random((6, 7, 8))).astype(np.uint8)
        nifti.write_image(self.folder / "x.nii", shares, AFFINE)
        self.refused(read_regions, self.folder / "x.nii", "change from voxel to voxel, as an image or shares")
        for kind in ("Master", "Source"):
            image = sitk.GetImageFromArray((shares > 200).astype(np.uint8))
            image.SetMetaData(f"Segmentation_{kind}Representation", "Fractional labelmap")
            sitk.WriteImage(image, str(self.folder / "x.seg.nrrd"))
            self.refused(read_regions, self.folder / "x.seg.nrrd", "is a fractional segmentation")


class MaskTest(unittest.TestCase):
    HARD = np.zeros((6, 6, 6), np.uint8)
    HARD[1:5, 1:5, 1:5] = 1

    def test_one_value_is_inside_whatever_it_is(self):
        for factor, kind in ((1, bool), (1, np.uint8), (255, np.uint8), (0.25, np.float32)):
            mask, notes = mask_of((self.HARD * factor).astype(kind), "m")
            np.testing.assert_array_equal(mask, self.HARD > 0)
            self.assertEqual(notes, [])

    def test_values_between_are_cut_at_one_half_and_told(self):
        soft = np.where(self.HARD > 0, 1.0, 1e-3)
        soft[0], soft[1, 1:5, 1:5] = -0.04, 0.49
        soft[2, 2, 2] = 1.08
        for factor in (1.0, 255.0):
            mask, notes = mask_of(soft.clip(0) * factor if factor > 1 else soft, "m.nii")
            np.testing.assert_array_equal(mask, soft > 0.5)
            self.assertIn("m.nii holds values between 0 and", notes[0])
        mask, notes = mask_of(np.round(255 * soft.clip(0, 1)).astype(np.uint8), "m.nii")
        np.testing.assert_array_equal(mask, soft > 0.5)
        self.assertIn("cut at 127.5", notes[0])

    def test_labels_are_all_inside_and_told(self):
        labels = self.HARD.copy()
        labels[1], labels[2, 2, 2] = 3, 7
        mask, notes = mask_of(labels, "m")
        np.testing.assert_array_equal(mask, labels > 0)
        self.assertIn("labels 1, 3, 7", notes[0])

    def test_whole_numbers_that_change_from_voxel_to_voxel_are_no_labels(self):
        i, j, k = np.indices((12, 12, 12))
        blurred = np.round(np.clip(60 - 2 * np.hypot(np.hypot(i - 6, j - 6), k - 6) ** 2, 0, None))
        self.assertLess(len(np.unique(blurred)), 64)
        with self.assertRaisesRegex(InputError, "different values up to 60, like an image"):
            mask_of(blurred, "m")
        mask, notes = mask_of(1 + i // 3 + 4 * (j // 3) + 16 * (k // 6), "m")  # thirty-two regions
        self.assertTrue(mask.all())
        self.assertIn("the labels 1, 2,", notes[0])

    def test_a_mask_without_an_outside_is_told(self):
        with self.assertRaisesRegex(InputError, "labels from 1 to 2 and nothing outside"):
            mask_of(1 + (self.HARD > 0), "m")
        self.assertIn("is 1 everywhere", mask_of(np.ones((3, 4, 5)), "m")[1][0])

    def test_what_is_no_mask_is_refused(self):
        rng = np.random.default_rng(1)
        for words, array in {
            "zero everywhere": 0 * self.HARD,
            "down to -1": self.HARD.astype(int) - 1,
            "values down to -3": self.HARD.astype(int) * 4 - 3,
            "not numbers": np.where(self.HARD > 0, np.nan, 0),
            "up to 1 that are no whole numbers, like an image": rng.beta(2, 8, (16, 16, 16)).clip(0, 0.7) / 0.7,
            "like an image": rng.integers(0, 4000, (6, 6, 6)),
            "no whole numbers, like an image": rng.normal(200, 40, (6, 6, 6)),
        }.items():
            with self.subTest(words), self.assertRaisesRegex(InputError, words):
                mask_of(array, "m")


class FullDiskTest(InFolderTest):
    def test_an_image_that_holds_no_numbers_is_written_all_the_same(self):
        array = np.where(ARRAY > 0, ARRAY, np.nan).astype(np.float32)
        for ending in (".nrrd", ".mha"):
            nifti.write_image(self.folder / f"x{ending}", array, AFFINE)
            read = sitk.GetArrayFromImage(sitk.ReadImage(str(self.folder / f"x{ending}")))
            np.testing.assert_array_equal(read, array)

    def test_what_itk_cuts_short_on_a_full_disk_is_an_error_for_every_kind_of_file(self):
        labels = np.random.default_rng(3).integers(0, 2, (8, 9, 10)).astype(np.int16)
        place = self.folder / "x"

        def cut(write):
            def short(what, name, **options):
                write(what, name, **options)
                content = Path(name).read_bytes()
                Path(name).write_bytes(content[: 2 * len(content) // 3])

            return short

        for ending, write in (
            (".seg.nrrd", lambda path: write_segments(path, labels, AFFINE, {1: "talus"})),
            (".nrrd", lambda path: nifti.write_image(path, labels, AFFINE)),
            (".mha", lambda path: nifti.write_image(path, labels, AFFINE)),
            (".tfm", lambda path: write_transform(path, np.eye(4))),
        ):
            path = place.with_suffix(ending)
            write(path)
            with (
                self.subTest(ending),
                mock.patch.object(sitk, "WriteImage", cut(sitk.WriteImage)),
                mock.patch.object(sitk, "WriteTransform", cut(sitk.WriteTransform)),
                self.assertRaises(OSError),
            ):
                write(path)


if __name__ == "__main__":
    unittest.main()
