"""No parser sees a file before ours knows what it is; what is wrong is told by its cause."""

import gzip
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scans import AFFINE

from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.files import nifti, read_acquisition
from TrabecularQSMLib.files.echoes import read_json
from TrabecularQSMLib.files.formats import decoded
from TrabecularQSMLib.files.maps import read_settings
from TrabecularQSMLib.files.regions import read_regions, regions_on
from TrabecularQSMLib.files.tables import read_table
from TrabecularQSMLib.files.transforms import read_transform, write_transform
from TrabecularQSMLib.files.writing import write_text
from TrabecularQSMLib.images import mask_of, matrix_from

ARRAY = np.random.default_rng(3).integers(-900, 900, (4, 5, 6)).astype(np.int16)


class FileTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def refused(self, read, path, *words):
        with self.assertRaises(InputError) as caught:
            read(path)
        for word in words:
            self.assertIn(word, str(caught.exception))

    def header(self, at):
        """A NIfTI file with fields (format and place in the header: values) written over."""
        path = self.folder / "x.nii"
        nifti.write_image(path, ARRAY, AFFINE)
        content = bytearray(path.read_bytes())
        for (kind, place), values in at.items():
            struct.pack_into("<" + kind, content, place, *values)
        path.write_bytes(content)
        return path


class FormatTest(FileTest):
    def test_another_kind_of_file_is_named_with_what_to_do(self):
        kinds = {
            "Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
            "datalad get": b"/annex/objects/MD5E-s1--00.nii.gz\n",
            "a web page": b"\n<!DOCTYPE html><html>Sign in</html>",
            "mri_convert": struct.pack(">4i", 1, 20, 20, 20) + bytes(300),
            "dcm2niix": bytes(128) + b"DICM" + bytes(200),
            "ZIP archive": b"PK\x03\x04" + bytes(100),
            "mrconvert": b"mrtrix image\ndim: 2,2,2\n",
            "Philips PAR/REC": b"# === DATA DESCRIPTION FILE ===\n",
            "a picture (TIFF)": b"II*\x00" + bytes(100),
            "packed by RAR": b"Rar!\x1a\x07" + bytes(100),
            "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(100),
            "as no known format": bytes(range(200, 256)) * 8,
            "it is a text": b"some notes about the scan\n",
        }
        for words, content in kinds.items():
            for name in ("scan.nii", "scan.nii.gz"):
                with self.subTest(words, name=name):
                    path = self.folder / name
                    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
                    self.refused(nifti.read_image, path, name, words)

    def test_a_scan_of_another_kind_is_named_with_what_to_do(self):
        for name, content, words in (
            ("scan.PAR", b"# === DATA DESCRIPTION FILE ===\n", "PAR/REC pair; convert it with dcm2niix, and give"),
            ("scan.zip", b"PK\x03\x04" + bytes(100), "unpack it"),
            ("scan.nrrd", b"NRRD0005\n", "is an image in NRRD, neither a folder nor"),
        ):
            (self.folder / name).write_bytes(content)
            self.refused(read_acquisition, self.folder / name, name, words)

    def test_what_is_not_there_is_told_by_its_kind(self):
        self.refused(nifti.read_image, self.folder / "none.nii", "does not exist")
        self.refused(nifti.read_image, self.folder, "is a folder")
        for target, words in ((".git/annex/objects/x", "datalad get"), ("gone.nii", "copy it or the link anew")):
            link = self.folder / f"{len(words)}.nii"
            os.symlink(target, link)
            for read in (nifti.read_image, read_transform, read_regions):
                self.refused(read, link, f"is a link to {target}", words)

    def test_the_name_does_not_decide_whether_it_is_packed(self):
        nifti.write_image(self.folder / "x.nii.gz", ARRAY, AFFINE)
        (self.folder / "y.nii").write_bytes((self.folder / "x.nii.gz").read_bytes())
        (self.folder / "z.nii.gz").write_bytes(gzip.decompress((self.folder / "x.nii.gz").read_bytes()))
        for name in ("x.nii.gz", "y.nii", "z.nii.gz"):
            array, affine = nifti.read_image(self.folder / name)
            np.testing.assert_array_equal(array, ARRAY)
            np.testing.assert_allclose(affine, AFFINE, atol=1e-5)

    def test_any_damage_of_a_file_ends_in_a_sentence_or_an_image(self):
        rng = np.random.default_rng(8)
        for name in ("x.nii", "x.nii.gz", "x.nrrd", "x.mha"):
            path = self.folder / name
            nifti.write_image(path, ARRAY, AFFINE)
            content = path.read_bytes()
            for _ in range(60):
                damaged = bytearray(content[: rng.integers(1, len(content) + 1)])
                for at in rng.integers(0, min(len(damaged), 400), 4):
                    damaged[at] = rng.integers(0, 256)
                path.write_bytes(damaged)
                try:
                    nifti.read_image(path)
                except InputError:
                    pass

    def test_values_that_changed_on_the_way_are_noticed_by_their_check_sum(self):
        sitk.WriteImage(sitk.GetImageFromArray(ARRAY), str(self.folder / "x.nrrd"), True)
        nifti.write_image(self.folder / "x.nii.gz", ARRAY, AFFINE)
        for name in ("x.nii.gz", "x.nrrd"):
            path = self.folder / name
            content = bytearray(path.read_bytes())
            content[-8] ^= 1  # where gzip keeps it
            path.write_bytes(content)
            self.refused(nifti.read_image, path, name, "damaged")

    def test_text_is_read_in_the_encodings_of_windows_too(self):
        for encoding in ("utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252"):
            self.assertEqual(decoded("Tubérosité".encode(encoding)), "Tubérosité")
        self.assertEqual(decoded("5 µm – à".encode("cp1252")), "5 µm – à")

    @unittest.skipUnless(sys.platform == "linux", "other systems have no such names")
    def test_files_are_written_under_names_that_are_no_text(self):
        code = """if True:
            import os, sys
            from pathlib import Path
            import numpy as np
            from TrabecularQSMLib.files import nifti, regions, transforms
            folder = Path(os.fsdecode(os.fsencode(sys.argv[1]) + b"/Ergebnis \\xe4"))
            folder.mkdir()
            ones = np.ones((4, 4, 4), np.uint8)
            for name in ("x.nii.gz", "x.nii", "x.nrrd"):
                nifti.write_image(folder / name, ones, np.eye(4))
                assert np.array_equal(nifti.read_image(folder / name)[0], ones)
            regions.write_segments(folder / "x.seg.nrrd", ones.astype(np.int32), np.eye(4), {1: "talus"})
            assert regions.read_regions(folder / "x.seg.nrrd")[2] == {1: "talus"}
            transforms.write_transform(folder / "x.tfm", np.eye(4))
            assert np.array_equal(transforms.read_transform(folder / "x.tfm"), np.eye(4))
        """  # in a process of its own: ITK ends it where it fails
        root = str(Path(__file__).parents[2])
        done = subprocess.run(
            [sys.executable, "-c", code, self.folder],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": root},
        )
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_file_name_that_is_no_text_can_be_written_into_one(self):
        write_text(self.folder / "log.json", os.fsdecode(b"Tub\xe9rosit\xe9"))
        self.assertIn("Tub", (self.folder / "log.json").read_text(encoding="utf-8"))


class StandInTest(FileTest):
    """Each reader says what it found in the place of the file."""

    READERS = (
        read_acquisition, read_regions, read_transform, read_table, read_settings, read_json, nifti.read_image,
        nifti.read_series, nifti.read_layers, nifti.read_grid, nifti.read_metadata, nifti.header_notes,
    )  # fmt: skip
    FOUND = {
        "a pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
        "a pointer of git-annex": b"/annex/objects/MD5E-s1--00\n",
        "a web page": b"\n<!DOCTYPE html><html>Sign in</html>",
        "is empty": b"",
    }

    def test_every_reader_names_what_stands_for_the_file(self):
        for read in self.READERS:
            for ending in ("nii.gz", "mat", "dcm", "json", "csv", "tfm", "seg.nrrd", "without"):
                for words, content in self.FOUND.items():
                    with self.subTest(read.__name__, ending=ending, words=words):
                        path = self.folder / f"x.{ending}"
                        path.write_bytes(content)
                        self.refused(read, path, path.name, words)

    def test_every_reader_of_files_names_a_folder_and_a_link_to_nowhere(self):
        folder, link = self.folder / "x.nii", self.folder / "y.nii"
        folder.mkdir()
        os.symlink("gone.nii", link)
        for read in self.READERS:
            with self.subTest(read.__name__):
                self.refused(read, folder, "it is empty" if read is read_acquisition else "is a folder")
                self.refused(read, link, "is a link to gone.nii")

    def test_a_mat_file_that_is_another_kind_of_file_is_named(self):
        path = self.folder / "scan.mat"
        for words, content in {
            "a picture (PNG), which has no place in the patient, not a MATLAB file": b"\x89PNG\r\n\x1a\n" + bytes(99),
            "a ZIP archive": b"PK\x03\x04" + bytes(200),
            "is not a MATLAB file": bytes(range(200, 256)) * 10,
            "damaged or cut short": b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + bytes(3),
        }.items():
            path.write_bytes(content)
            self.refused(read_acquisition, path, "scan.mat", words)


class NiftiTest(FileTest):
    # Format and place of the fields of version 1.
    DIM, TYPE, ZOOMS, UNITS = ("8h", 40), ("h", 70), ("8f", 76), ("b", 123)
    CODES, QUATERNION, ROWS = ("2h", 252), ("6f", 256), ("12f", 280)

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


class NrrdTest(FileTest):
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


class SharesTest(FileTest):
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


class TransformTest(FileTest):
    TEXT = (
        "#Insight Transform File V1.0\nTransform: Euler3DTransform_double_3_3\nParameters: {}\nFixedParameters: 0 0 0\n"
    )

    def write(self, parameters, text=TEXT, name="t.tfm"):
        path = self.folder / name
        path.write_bytes(text.format(parameters).encode())
        return path

    def test_every_linear_transform_of_itk_is_read_as_itk_does(self):
        rng = np.random.default_rng(4)
        names = "AffineTransform ScaleTransform TranslationTransform Euler3DTransform VersorRigid3DTransform"
        names += " VersorTransform Similarity3DTransform ScaleVersor3DTransform ScaleSkewVersor3DTransform"
        kinds = [getattr(sitk, name)(*([] if "3D" in name or "Versor" in name else [3])) for name in names.split()]
        for transform in kinds:
            numbers = np.array(transform.GetParameters()) + 0.1 * rng.normal(size=len(transform.GetParameters()))
            transform.SetParameters(numbers.tolist())
            if transform.GetFixedParameters():
                transform.SetFixedParameters((*rng.normal(size=3), *transform.GetFixedParameters()[3:]))
        for transform in (*kinds, sitk.CompositeTransform(list(kinds))):
            for ending in ("tfm", "mat", "h5"):
                if ending == "mat" and transform.GetName() == "CompositeTransform":
                    continue  # ITK writes none
                if ending == "h5" and transform.GetName() not in ("CompositeTransform", "Euler3DTransform"):
                    continue  # a process for each takes its time
                with self.subTest(transform.GetName(), ending=ending):
                    path = str(self.folder / f"t.{ending}")
                    sitk.WriteTransform(transform, path)
                    np.testing.assert_allclose(read_transform(path), matrix_from(transform), atol=1e-9)

    def test_a_transform_that_mirrors_is_told(self):
        nifti.write_image(self.folder / "d.nii", np.ones(ARRAY.shape, np.uint8), np.eye(4))
        affine = np.diag([-1.0, 1, 1, 1])
        affine[0, 3] = 5
        for matrix, count in ((np.eye(4), 0), (affine, 1)):
            write_transform(self.folder / "t.tfm", matrix)
            path = self.folder / "d.nii"
            notes = regions_on(path, path, ARRAY.shape, np.eye(4), transform=self.folder / "t.tfm")[2]
            self.assertEqual([note.partition(", as")[0][-7:] for note in notes], count * ["mirrors"])

    def test_regions_of_another_grid_without_a_transform_are_told_and_turned_axes_are_the_same_grid(self):
        path, turned = self.folder / "d.nii", np.array([[0.0, -1, 0, 5], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
        for affine, told in ((np.eye(4), False), (turned, False), (turned + 0.5 * np.eye(4, k=3), True)):
            nifti.write_image(path, np.ones(ARRAY.shape, np.uint8), affine)
            notes = regions_on(path, path, ARRAY.shape, np.eye(4), may_have_moved=True)[2]
            self.assertEqual("no transform was given" in " ".join(notes), told)

    def test_a_transform_that_stretches_is_told_also_where_volumes_stay(self):
        path, table = self.folder / "d.nii", self.folder / "t.tfm"
        nifti.write_image(path, np.ones(ARRAY.shape, np.uint8), np.eye(4))
        write_transform(table, np.diag([2, 0.5, 1, 1]))
        notes = regions_on(path, path, ARRAY.shape, np.eye(4), transform=table)[2]
        self.assertIn("is not rigid: it stretches by 0.5 to 2, and volumes by 1", notes[0])

    def test_transforms_of_other_programs_are_called_so_and_a_mark_before_text_does_not_matter(self):
        for words, text in (
            ("FSL", "1 0 0 2.5\n0 1 0 -3e-1\n0 0 1 0\n0 0 0 1\n"),
            ("elastix", '(Transform "EulerTransform")\n(NumberOfParameters 6)\n'),
            ("FreeSurfer", "type      = 1\nnxforms   = 1\n"),
            ("MINC", "MNI Transform File\n"),
        ):
            for name in ("t.mat", "t.txt"):
                self.refused(read_transform, self.write("", text, name), f"is a transform of {words}", "not of ITK")
        path = self.write("0.1 0.2 0.3 1 2 3")
        matrix = read_transform(path)
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
        np.testing.assert_array_equal(read_transform(path), matrix)

    def test_what_would_end_itk_is_refused_by_its_cause(self):
        good = "0.1 0.2 0.3 1 2 3"
        self.assertEqual(read_transform(self.write(good)).shape, (4, 4))
        for words, parameters, text in (
            ("no text", "0\0\0 0 0 0 0 0", self.TEXT),
            ("not all Parameters are numbers", "0 0 x 0 0 0", self.TEXT),
            ("not all Parameters are numbers", "0 0 nan 0 0 0", self.TEXT),
            ("has 5 parameters, not 6", "0 0 0 0 0", self.TEXT),
            ("has 0 parameters", "", self.TEXT),
            ("BSplineTransform", good, self.TEXT.replace("Euler3DTransform", "BSplineTransform")),
            ("not a linear transform in three", good, self.TEXT.replace("3_3", "2_2")),
            ("holds 2 transforms", good, self.TEXT + self.TEXT.partition("\n")[2].replace("{}", good)),
            ("holds 0 transforms", "", "#Insight Transform File V1.0\n"),
            ("the line 'Parameters", good, "#Insight Transform File V1.0\nParameters: {}\n"),
            ("a web page", "", "<html></html>"),
        ):
            with self.subTest(words):
                self.refused(read_transform, self.write(parameters, text), "t.tfm", words)
        self.refused(read_transform, self.write("", "MATLAB"), "cannot be read as a transform")
        self.refused(read_transform, self.write("", "MATLAB", "t.mat"), "cannot be read as a transform")
        path = self.folder / "large.mat"
        # MATLAB 4: type, rows, columns, no imaginary part, length of the name; 2⁶⁰ bytes of numbers that are not there.
        path.write_bytes(struct.pack("<5i", 0, 2**30 - 1, 2**27, 0, 6) + b"fixed\0")
        self.refused(read_transform, path, "cannot be read as a transform")
        image = self.folder / "x.nii"
        nifti.write_image(image, ARRAY, AFFINE)
        self.refused(read_transform, image, "it is an image in NIfTI")


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


if __name__ == "__main__":
    unittest.main()
