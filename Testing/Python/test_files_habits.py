"""What people really have in their folders: lost signs, names of other programs, addresses, copies of identifiers."""

import io
import tarfile
import unittest

import numpy as np
import scans
import scipy.io
from dicoms import Study, pydicom
from reading import FolderTest

from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.files import nifti
from TrabecularQSMLib.files.echoes import check_magnitude
from TrabecularQSMLib.files.field import read_field
from TrabecularQSMLib.files.phase import polar_to_complex


class MagnitudeTest(unittest.TestCase):
    def polar(self, deepest):
        signal = scans.echoes()
        echoes = (np.abs(signal) + 1j * np.angle(signal)).astype(np.complex64)
        echoes.real[0, 0, 0, :3] = -deepest * echoes.real.max()
        return echoes

    def test_what_interpolation_brings_below_zero_counts_as_zero_and_is_told(self):
        for deepest, told in ((0.001, True), (0.04, True), (1e-6, False), (0.0, False)):
            with self.subTest(deepest):
                echoes = self.polar(deepest)
                self.assertEqual("falls below zero" in (polar_to_complex(echoes, "x") or ""), told)
                self.assertTrue(np.all(echoes[0, 0, 0, :3] == 0))
                alone = self.polar(deepest).real + 0j
                self.assertEqual(any("falls below zero" in note for note in check_magnitude(alone, "x")), told)
                self.assertEqual(alone.real.min(), 0)

    def test_what_falls_farther_is_no_magnitude(self):
        for check in (polar_to_complex, check_magnitude):
            with self.assertRaisesRegex(InputError, "negative values"):
                check(self.polar(0.1), "x")

    def test_whole_numbers_that_lost_their_sign_are_no_phase(self):
        signal = scans.echoes()
        for scale in (1000, 2048 / np.pi, 4096 / np.pi):
            with self.subTest(scale):
                phase = np.clip(np.round(np.angle(signal) * scale), -4096, 4095).astype(np.int16)
                right = (np.abs(signal) + 1j * (phase / scale)).astype(np.complex64)
                polar_to_complex(right, "x")
                lost = (np.abs(signal) + 1j * phase.view(np.uint16)).astype(np.complex64)
                with self.assertRaisesRegex(InputError, "stored without it, so that 65536 was added"):
                    polar_to_complex(lost, "x")


class NamesTest(FolderTest):
    def field(self, name, stage, unit="ppm"):
        values = 0.1 * np.random.default_rng(0).standard_normal((4, 5, 6))
        nifti.write_image(self.folder / f"{name}.nii.gz", values.astype(np.float32), scans.AFFINE)
        return read_field(self.folder / f"{name}.nii.gz", stage, unit=unit).acquisition

    def test_what_is_named_as_another_map_is_no_field(self):
        for name in ("sub-01_Chimap", "Sepia_Chimap", "subject_QSM", "a_chi", "sub-01_desc-sigma_fieldmap"):
            with self.subTest(name), self.assertRaisesRegex(InputError, "by its name, not a field"):
                self.field(name, "local")
        for name in ("qsm_localfield", "chief_field", "machine", "sigma-3T_scan_local"):
            self.field(name, "local")

    def test_a_field_that_is_named_as_one_of_another_stage_is_told(self):
        for name, stage, told in (
            ("sub-01_desc-total_fieldmapppm", "local", True),
            ("Sepia_localfield", "total", True),
            ("sub-01_desc-local_fieldmapppm", "local", False),
            ("total_field", "total", False),
            ("from_total_field_local_field", "local", False),
            ("B0", "total", False),
        ):
            with self.subTest(name):
                self.assertEqual("by its name" in " ".join(self.field(name, stage).notes), told)

    def test_a_unit_that_is_not_known_is_to_be_brought_to_one_that_is(self):
        (self.folder / "f.json").write_text('{"Units": "ppb"}')
        with self.assertRaisesRegex(InputError, "'ppb'; expected one of ppm, Hz, rad/s.* or bring its values"):
            self.field("f", "local", None)

    def test_addresses_and_archives_and_the_index_of_a_medium_are_named(self):
        for address in ("https://example.org/scan.zip", "file:///scan", "s3://bucket/scan"):
            self.assert_refused("is an address", path=address)
        with tarfile.open(self.folder / "scan.tar.gz", "w:gz") as packed:
            packed.addfile(tarfile.TarInfo("scan"), io.BytesIO())
        self.assert_refused("is an archive (tar); unpack it", path=self.folder / "scan.tar.gz")
        (self.folder / "DICOMDIR").write_bytes(bytes(128) + b"DICM" + bytes(100))
        self.assert_refused("give the folder that it lies in", path=self.folder / "DICOMDIR")

    def test_cells_of_matlab_are_told(self):
        cells = np.empty((1, 4), object)
        cells[0] = list(scans.ECHO_TIMES)
        whole = {
            "images": scans.echoes().transpose(3, 2, 1, 0)[:, :, :, None],
            "TE": scans.ECHO_TIMES,
            "FieldStrength": 3.0,
            "PrecessionIsClockwise": 1.0,
        }
        for field in ("TE", "images"):
            scipy.io.savemat(self.folder / "x.mat", {"imDataParams": {**whole, field: cells}})
            self.assert_refused(f"'{field}' of x.mat is no array", "cell2mat", path=self.folder / "x.mat")


@unittest.skipUnless(pydicom, "pydicom is not installed")
class IdentifiersTest(FolderTest):
    def changed(self, change):
        Study(self.folder).write(scans.echoes(), {"mag": 1, "phase": 2})
        for path in sorted(path for path in self.folder.rglob("*") if path.is_file()):
            dataset = pydicom.dcmread(path)
            change(dataset)
            dataset.save_as(path)

    def test_images_that_an_anonymizer_gave_one_identifier_are_no_copies(self):
        def change(dataset):
            dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"

        self.changed(change)
        self.assertEqual(self.read().acquisition.echoes.shape, scans.echoes().shape)

    def test_a_phase_whose_image_type_was_taken_away_is_asked_for(self):
        self.changed(lambda dataset: setattr(dataset, "ImageType", ["DERIVED", "SECONDARY"]))
        self.assert_refused("is the phase, its image type does not say so")

    def test_parts_as_bruker_names_them_are_known(self):
        def change(dataset):
            part = "PHASE_IMAGE" if "P" in dataset.ImageType else "MAGNITUDE_IMAGE"
            dataset.ImageType = ["ORIGINAL", "PRIMARY", part]

        self.changed(change)
        self.assertTrue(self.read().acquisition.has_phase)


if __name__ == "__main__":
    unittest.main()
