"""Formats of files: both versions of NIfTI, NRRD and MetaImage against ITK, links, encodings of sidecars, masks."""

import json
import os
import struct
import unittest

import numpy as np
import scans
import SimpleITK as sitk
from reading import FolderTest

from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.files import nifti, read_mask
from TrabecularQSMLib.images import image_from


class MaskTest(FolderTest):
    def test_a_mask_on_the_grid_is_read_and_others_are_refused(self):
        path = self.folder / "mask.nrrd"
        array = np.zeros((4, 5, 6), np.uint8)
        array[1:3, 2, 3:] = 1
        nifti.write_image(path, array, scans.AFFINE)
        mask, notes = read_mask(path, scans.acquisition())
        np.testing.assert_array_equal(mask, array > 0)
        self.assertEqual(notes, [])
        moved = scans.AFFINE.copy()
        moved[2, 3] += 3
        for words, values, affine in (("zero everywhere", 0 * array, scans.AFFINE), ("not on the grid", array, moved)):
            with self.subTest(words):
                nifti.write_image(path, values, affine)
                with self.assertRaisesRegex(InputError, words):
                    read_mask(path, scans.acquisition())
        with self.assertRaisesRegex(InputError, "does not exist"):
            read_mask(self.folder / "none.nii", scans.acquisition())
        # Why it lies elsewhere decides what helps.
        nifti.write_image(self.folder / "mask.nii", array, moved)
        for source, codes, words in (
            ("a scan", None, "resample it to the scan first"),
            ("a scan", (0, 0), "its header does not say where it lies"),
            ("a.mat", None, "draw it on a map that was made of this file"),
        ):
            content = bytearray((self.folder / "mask.nii").read_bytes())
            if codes is not None:
                struct.pack_into("<2h", content, 252, *codes)
            (self.folder / "other.nii").write_bytes(content)
            with self.assertRaisesRegex(InputError, words):
                read_mask(self.folder / "other.nii", scans.acquisition(source=source))


class ForeignFileTest(FolderTest):
    """Every image is checked before any reader, and what it is not is told by what it is."""

    def image(self, values, *, sform=None, qform=None, codes=(0, 0), name="x.nii", version=1, type_code=16, sizes=None):
        """Write NIfTI by its definition: sform (3, 4), qform as quaternion b c d and offsets."""
        header = bytearray(348 if version == 1 else 540)
        sizes = sizes or values.shape[::-1]
        put = lambda form, at, *given: struct.pack_into("<" + form, header, at, *given)  # noqa: E731
        if version == 1:
            put("i", 0, 348)
            put("4h", 40, 3, *sizes)
            put("2h", 70, type_code, 32)
            put("4f", 76, 1, 2, 2, 2)
            put("3f", 108, 352, 1, 0)
            header[344:348] = b"n+1\0"
            put("2h", 252, *codes)
            put("6f", 256, *(qform or [0] * 6))
            put("12f", 280, *np.ravel(sform if sform is not None else np.zeros((3, 4))))
        else:
            put("i8s2h", 0, 540, b"n+2\0\r\n\x1a\n", type_code, 32)
            put("4q", 16, 3, *sizes)
            put("4d", 104, 1, 2, 2, 2)
            put("q2d", 168, 544, 1, 0)
            put("2i", 344, *codes)
            put("12d", 400, *np.ravel(sform if sform is not None else np.zeros((3, 4))))
        path = self.folder / name
        path.write_bytes(bytes(header) + bytes(4) + values.astype("<f4").tobytes())
        return path

    values = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    place = np.array([[2.0, 0, 0, 10], [0, 2, 0, 20], [0, 0, 2, 30]])

    def refused(self, path, words):
        self.assertRaisesRegex(InputError, words, nifti.read_image, path)

    def test_both_versions_and_both_positions_are_read(self):
        for version in (1, 2):
            array, affine = nifti.read_image(self.image(self.values, sform=self.place, codes=(0, 1), version=version))
            np.testing.assert_array_equal(array, self.values)
            np.testing.assert_array_equal(affine[:3], self.place)
        half = np.sqrt(0.5)  # a quarter turn about S: i runs along A
        _, affine = nifti.read_image(self.image(self.values, qform=[0, 0, half, 1, 2, 3], codes=(1, 0)))
        np.testing.assert_allclose(affine[:3], [[0, -2, 0, 1], [2, 0, 0, 2], [0, 0, 2, 3]], atol=1e-6)

    def test_values_of_one_file_begin_behind_its_header_whatever_is_said(self):
        for version, kind, at in ((1, "<f", 108), (2, "<q", 168)):
            path = self.image(self.values, sform=self.place, codes=(0, 1), version=version)
            content = bytearray(path.read_bytes())
            struct.pack_into(kind, content, at, 0)
            path.write_bytes(content)
            np.testing.assert_array_equal(nifti.read_image(path)[0], self.values)

    def test_geometry_of_itk_is_that_of_our_own_parser(self):
        path = self.folder / "scan.nii"
        nifti.write_image(path, self.values, scans.AFFINE)
        image, affine = sitk.ReadImage(str(path)), nifti.read_image(path)[1]
        for index in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)):
            ras = np.array(image.TransformIndexToPhysicalPoint(index)) * (-1, -1, 1)
            np.testing.assert_allclose((affine @ [*index, 1])[:3], ras, atol=1e-5)

    def test_nrrd_and_metaimage_are_those_of_itk_and_checked_before(self):
        for ending in (".nrrd", ".mha"):
            for packed in (False, True):
                path = self.folder / f"x{ending}"
                image = image_from(self.values.astype(np.int16), scans.AFFINE)
                sitk.WriteImage(image, str(path), packed)
                array, affine = nifti.read_image(path)
                np.testing.assert_array_equal(array, self.values)
                np.testing.assert_allclose(affine, scans.AFFINE, atol=1e-5)
                content = path.read_bytes()
                path.write_bytes(content.replace(b"5 4 3", b"5000 4000 3000"))
                self.refused(path, "cut short")
                path.write_bytes(content[:60])
                self.refused(path, "cut short|header|values")


class FileKindTest(FolderTest):
    def as_second_version(self, path, order="<"):
        """Write a plain NIfTI file anew as version 2, by its definition."""
        first = path.read_bytes()
        get = lambda kind, start: struct.unpack_from("<" + kind, first, start)  # noqa: E731
        header = bytearray(544)
        put = lambda kind, start, *values: struct.pack_into(order + kind, header, start, *values)  # noqa: E731
        put("i", 0, 540)
        header[4:12] = b"n+2\0\r\n\x1a\n"
        put("2h", 12, *get("2h", 70))
        put("8q", 16, *get("8h", 40))
        put("8d", 104, *get("8f", 76))
        put("q", 168, 544)
        put("2d", 176, *get("2f", 112))
        put("2i", 344, *get("2h", 252))
        put("6d", 352, *get("6f", 256))
        put("12d", 400, *get("12f", 280))
        values = np.frombuffer(first[352:], "<f4").astype(order + "f4")
        path.write_bytes(bytes(header) + values.tobytes())

    def test_nifti_2_is_read_like_nifti_1(self):
        for order in "<>":
            with self.subTest(order):
                scans.write_bids(self.folder)
                for path in self.folder.glob("*.nii"):
                    self.as_second_version(path, order)
                scan = self.read()
                self.assert_same_scan(scan.acquisition)
                self.assertEqual(scan.acquisition.notes, ())
        path.write_bytes(path.read_bytes()[:700])
        self.assert_refused(path.name, "cut short")

    def test_nifti_2_with_one_of_both_transforms_has_the_same_geometry(self):
        for name, start in (("qform", 344), ("sform", 348)):
            with self.subTest(without=name):
                scans.write_bids(self.folder)
                for path in self.folder.glob("*.nii"):
                    self.as_second_version(path)
                    content = bytearray(path.read_bytes())
                    struct.pack_into("<i", content, start, 0)
                    path.write_bytes(content)
                self.assert_same_scan(self.read().acquisition)

    def test_a_damaged_nifti_2_is_told(self):
        scans.write_bids(self.folder)
        path = self.folder / "sub-01_echo-1_part-mag_MEGRE.nii"
        self.as_second_version(path)
        path.write_bytes(path.read_bytes()[:700])
        self.assert_refused(path.name, "cut short")

    @unittest.skipUnless(hasattr(os, "symlink"), "no links here")
    def test_linked_folders_are_followed_and_a_link_upwards_ends(self):
        scans.write_bids(self.folder / "elsewhere" / "anat")
        (self.folder / "data" / "sub-01").mkdir(parents=True)
        try:
            (self.folder / "data" / "sub-01" / "anat").symlink_to(self.folder / "elsewhere" / "anat")
            (self.folder / "elsewhere" / "anat" / "up").symlink_to(self.folder / "data")
        except OSError as error:
            self.skipTest(f"links cannot be made: {error}")
        self.assert_same_scan(self.read(self.folder / "data").acquisition)

    def test_a_sidecar_in_latin_1_is_read(self):
        scans.write_bids(self.folder)
        for path in self.folder.glob("*.json"):
            values = json.loads(path.read_text()) | {"InstitutionName": "Universität"}
            path.write_bytes(json.dumps(values, ensure_ascii=False).encode("latin-1"))
        self.assert_same_scan(self.read().acquisition)

    def test_a_sidecar_that_is_a_dangling_link_is_told(self):
        scans.write_bids(self.folder)
        path = self.folder / "sub-01_echo-1_part-mag_MEGRE.json"
        path.unlink()
        try:
            path.symlink_to(self.folder / "gone.json")
        except OSError as error:
            self.skipTest(f"links cannot be made: {error}")
        self.assert_refused(path.name, "gone.json, a file that is not here")


if __name__ == "__main__":
    unittest.main()
