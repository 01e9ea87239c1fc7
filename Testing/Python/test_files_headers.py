"""Headers of NIfTI and NRRD: what contradicts itself is told or refused, and the rest is read."""

import struct
import unittest

import numpy as np
from reading import InFolderTest
from scans import AFFINE

from TrabecularQSMLib.files import nifti, read_acquisition
from TrabecularQSMLib.files.regions import read_regions

ARRAY = np.random.default_rng(3).integers(-900, 900, (4, 5, 6)).astype(np.int16)


class NiftiTest(InFolderTest):
    # Format and place of the fields of version 1.
    DIM, TYPE, ZOOMS, UNITS = ("8h", 40), ("h", 70), ("8f", 76), ("b", 123)
    CODES, ROWS = ("2h", 252), ("12f", 280)

    def header(self, at):
        """A NIfTI file with fields (format and place in the header: values) written over."""
        path = self.folder / "x.nii"
        nifti.write_image(path, ARRAY, AFFINE)
        content = bytearray(path.read_bytes())
        for (kind, place), values in at.items():
            struct.pack_into("<" + kind, content, place, *values)
        path.write_bytes(content)
        return path

    def moved(self, millimeters):
        rows = AFFINE[:3].copy()
        rows[0, 3] += millimeters
        return rows.ravel()

    def test_the_sform_wins_and_the_other_position_is_told(self):
        path = self.header(at={self.CODES: (1, 2), self.ROWS: self.moved(10)})
        _, affine = nifti.read_image(path)
        np.testing.assert_allclose(affine[0, 3] - AFFINE[0, 3], 10, atol=1e-5)
        (note,) = nifti.header_notes(path)
        for word in ("x.nii", "10 mm apart", "sform (code 2, aligned) is taken", "qform (code 1, scanner)"):
            self.assertIn(word, note)
        self.assertNotIn("mirror", note)

    def test_positions_of_which_one_mirrors_the_other_are_told(self):
        for axis in range(3):
            turned = AFFINE.copy()
            turned[:, axis] *= -1
            path = self.header(at={self.CODES: (1, 1), self.ROWS: turned[:3].ravel().tolist()})
            (note,) = nifti.header_notes(path)
            self.assertIn("they mirror each other, so in one of them left and right are exchanged", note)

    def test_positions_that_differ_by_rounding_are_one(self):
        self.assertEqual(nifti.header_notes(self.header(at={self.CODES: (1, 1), self.ROWS: self.moved(0.1)})), [])

    def test_one_position_alone_is_taken(self):
        for codes, rows, expected in (((1, 0), self.moved(9), 0), ((0, 1), self.moved(9), 9)):
            path = self.header(at={self.CODES: codes, self.ROWS: rows})
            np.testing.assert_allclose(nifti.read_image(path)[1][0, 3] - AFFINE[0, 3], expected, atol=1e-5)
            self.assertEqual(nifti.header_notes(path), [])
        path = self.header(at={self.CODES: (0, 0)})
        np.testing.assert_allclose(nifti.read_image(path)[1], np.diag([1.5, 1.2, 3, 1]), atol=1e-6)
        self.assertFalse(nifti.stores_orientation(path))

    def test_an_sform_of_no_volume_gives_way_or_is_refused(self):
        path = self.header(at={self.CODES: (1, 1), self.ROWS: [0.0] * 12})
        np.testing.assert_allclose(nifti.read_image(path)[1], AFFINE, atol=1e-5)
        self.assertIn("spans no volume; its qform is taken", nifti.header_notes(path)[0])
        path = self.header(at={self.CODES: (0, 1), self.ROWS: [np.nan] * 12})
        self.refused(nifti.read_image, path, "span no volume")

    def test_an_image_without_place_among_others_is_told(self):
        path, other = self.header(at={self.CODES: (0, 0)}), self.folder / "map.nii"
        nifti.write_image(other, ARRAY, AFFINE)
        self.assertIn("x.nii says nothing of place", nifti.header_notes(other, path)[0])
        nifti.write_image(self.folder / "eye.nii", ARRAY, np.eye(4))
        self.assertIn("eye.nii says nothing of place", nifti.header_notes(other, self.folder / "eye.nii")[0])
        nifti.write_image(self.folder / "x.mha", ARRAY, AFFINE)
        content = (self.folder / "x.mha").read_bytes()
        (self.folder / "x.mha").write_bytes(content.replace(b"ElementSpacing", b"NoSpacing"))
        self.assertIn("x.mha says nothing of place", nifti.header_notes(other, self.folder / "x.mha")[0])
        self.assertEqual(nifti.header_notes(path, self.folder / "eye.nii"), [])  # nothing to lie on

    def test_sheared_axes_are_kept_and_told(self):
        sheared = AFFINE.copy()
        sheared[:3, 2] += np.tan(np.radians(10)) * 3 / 1.2 * AFFINE[:3, 1]
        path = self.header(at={self.CODES: (0, 1), self.ROWS: sheared[:3].ravel()})
        np.testing.assert_allclose(nifti.read_image(path)[1], sheared, atol=1e-5)
        (note,) = nifti.header_notes(path)
        self.assertIn("10° off right angles", note)

    def test_voxel_sizes_that_contradict_the_sform_are_told(self):
        path = self.header(at={self.CODES: (0, 1), self.ZOOMS: (1, 1, 1, 1, 0, 0, 0, 0)})
        self.assertIn(
            "voxels of 1 × 1 × 1 mm, but those of its sform measure 1.5 × 1.2 × 3", nifti.header_notes(path)[0]
        )

    def test_units_other_than_mm_are_converted_and_told(self):
        path = self.header(at={self.UNITS: (3,)})
        np.testing.assert_allclose(nifti.read_image(path)[1][:3], AFFINE[:3] / 1000, atol=1e-6)
        self.assertIn("is in µm", nifti.header_notes(path)[0])

    def test_a_header_that_contradicts_itself_is_refused_before_room_is_made(self):
        cases = {
            "its sizes are": {self.DIM: (9, 6, 5, 4, 1, 1, 1, 1)},
            "sizes are [3, 6, -5": {self.DIM: (3, 6, -5, 4, 1, 1, 1, 1)},
            "cut short": {self.DIM: (3, 30000, 30000, 30000, 1, 1, 1, 1)},
            "complex numbers": {self.TYPE: (2048,)},
            "colors": {self.TYPE: (128,)},
            "NIfTI type 7": {self.TYPE: (7,)},
            "4 values in each voxel": {self.DIM: (5, 3, 5, 2, 1, 4, 1, 1)},
            "last of length 4": {self.DIM: (4, 3, 5, 2, 4, 1, 1, 1)},
            "2 dimensions": {self.DIM: (2, 6, 5, 1, 1, 1, 1, 1)},
            "which side is left": {("4s", 344): (b"\0\0\0\0",)},
        }
        for words, fields in cases.items():
            with self.subTest(words):
                self.refused(nifti.read_image, self.header(at=fields), "x.nii", words)

    def test_echoes_along_the_fifth_axis_are_told_where_they_belong(self):
        path = self.header(at={self.DIM: (5, 3, 5, 2, 1, 4, 1, 1)})
        self.refused(nifti.read_series, path, "4 values in each voxel", "if these are echoes, along the fourth axis")

    def test_a_header_apart_from_its_values_finds_them(self):
        content = self.header(at={("4s", 344): (b"ni1\0",), ("f", 108): (0.0,)}).read_bytes()
        (self.folder / "pair.hdr").write_bytes(content[:352])
        self.refused(nifti.read_image, self.folder / "pair.hdr", "pair.img", "not beside it")
        (self.folder / "pair.img").write_bytes(content[352:])
        np.testing.assert_array_equal(nifti.read_image(self.folder / "pair.hdr")[0], ARRAY)
        for ending in ("hdr", "img"):
            self.refused(read_acquisition, self.folder / f"pair.{ending}", "one of a pair of header and values")


class NrrdTest(InFolderTest):
    def write(self, encoding="utf-8", cut=0, **changes):
        fields = {"type": "uchar", "dimension": "3", "sizes": "6 5 4", "encoding": "raw"} | changes
        lines = ["NRRD0005", *(f"{key}: {value}" for key, value in fields.items()), "Segment0_Name:=Tubérosité",
                 "Segment0_LabelValue:=1", "Segment0_Layer:=0", "", ""]  # fmt: skip
        path = self.folder / f"{encoding}.seg.nrrd"
        path.write_bytes("\n".join(lines).encode(encoding) + bytes([1] * (120 - cut)))
        return path

    def test_names_of_segments_are_read_in_any_usual_encoding(self):
        for encoding in ("utf-8", "latin-1", "cp1252"):
            self.assertEqual(read_regions(self.write(encoding))[2], {1: "Tubérosité"})

    def test_segments_of_the_same_voxels_are_refused(self):
        path = self.write()
        path.write_bytes(path.read_bytes().replace(b"\n\n", b"\nSegment1_Name:=talus\nSegment1_LabelValue:=1\n\n", 1))
        self.refused(read_regions, path, "gives the segments Tubérosité and talus the same voxels (label 1)")

    def test_a_label_of_two_names_is_refused(self):
        nifti.write_image(self.folder / "d.nii", np.abs(ARRAY) % 2, AFFINE)
        (self.folder / "d.tsv").write_text("index\tname\n1\ttibia\n1\ttalus\n")
        self.refused(read_regions, self.folder / "d.nii", "calls the label 1 both tibia and talus")

    def test_a_damaged_header_is_refused(self):
        for words, changes in {
            "cut short": {"cut": 1},
            "2 dimensions in space": {"sizes": "6 5"},
            "sizes 6 0 4": {"sizes": "6 0 4"},
            "gone.raw": {"data file": "gone.raw"},
            "no text": {"content": "\0"},
        }.items():
            with self.subTest(words):
                self.refused(nifti.read_image, self.write(**changes), words)

    def test_names_of_labels_beside_an_image_are_read_in_any_usual_encoding(self):
        nifti.write_image(self.folder / "d.nii", np.abs(ARRAY) % 2, AFFINE)
        for encoding in ("utf-8", "latin-1", "utf-16"):
            (self.folder / "d.tsv").write_bytes("index\tname\n1\tTubérosité\n".encode(encoding))
            self.assertEqual(read_regions(self.folder / "d.nii")[2], {1: "Tubérosité"})

    def test_its_unit_of_length_counts(self):
        for unit, factor in (("m", 1e3), ("um", 1e-3), ("mm", 1)):
            path = self.write(**{"spacings": "0.1 0.2 0.3", "space units": " ".join([f'"{unit}"'] * 3)})
            sizes = np.linalg.norm(nifti.read_image(path)[1][:3, :3], axis=0)
            np.testing.assert_allclose(sizes, factor * np.array([0.1, 0.2, 0.3]))
        self.refused(nifti.read_image, self.write(**{"space units": '"in" "in" "in"'}), "save it in mm")


if __name__ == "__main__":
    unittest.main()
