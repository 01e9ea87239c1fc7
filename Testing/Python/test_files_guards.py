"""No parser sees a file before ours knows what it is; what is wrong is told by its cause."""

import gzip
import os
import struct
import subprocess
import sys
import unittest
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from reading import InFolderTest
from scans import AFFINE

from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.files import nifti, read_acquisition
from TrabecularQSMLib.files.echoes import read_json
from TrabecularQSMLib.files.formats import decoded
from TrabecularQSMLib.files.maps import read_settings
from TrabecularQSMLib.files.regions import read_regions
from TrabecularQSMLib.files.tables import read_table
from TrabecularQSMLib.files.transforms import read_transform
from TrabecularQSMLib.files.writing import write_text

ARRAY = np.random.default_rng(3).integers(-900, 900, (4, 5, 6)).astype(np.int16)


class FormatTest(InFolderTest):
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

    def test_a_scan_of_another_kind_is_named_by_file_and_by_folder(self):
        for name, content, words in (
            ("P51200.7", bytes(300), "raw data of GE"),
            ("meas_MID7_gre.dat", bytes(300), "raw data of Siemens"),
            ("a.REC", bytes(300), "the values of a Philips"),
            ("a.xml", b"<PRIDE_V5><Series_Info>", "the header of a Philips XML/REC pair"),
            ("2dseq", bytes(300), "Bruker"),
            ("a+orig.HEAD", b"\ntype = string-attribute\n", "3dAFNItoNIFTI"),
            ("a.mnc", b"CDF\x01" + bytes(300), "mnc2nii"),
            ("a.npy", b"\x93NUMPY\x01" + bytes(100), "NumPy"),
            ("e1_mag.mgz", gzip.compress(struct.pack(">4i", 1, 20, 20, 20) + bytes(300)), "mri_convert"),
            ("e1_mag.nrrd", b"NRRD0005\n", "an image in NRRD"),
            ("e1_mag.mha", b"ObjectType = Image\n", "an image in MetaImage"),
        ):
            with self.subTest(name):
                folder = self.folder / name.replace(".", "_")
                folder.mkdir()
                (folder / name).write_bytes(content)
                self.refused(read_acquisition, folder, name, words)
                self.refused(read_acquisition, folder / name, name, words)
        nifti.write_image(folder / "x.nii", ARRAY, AFFINE)  # what lies beside images is not what they lack
        self.refused(read_acquisition, folder, "1 NIfTI files that no JSON sidecar gives an EchoTime")

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


class StandInTest(InFolderTest):
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


if __name__ == "__main__":
    unittest.main()
