"""DICOM folders by the conventions of three vendors, through dcm2niix."""

import contextlib
import io
import shutil
import unittest
from unittest import mock

import dicoms
import numpy as np
import scans
from scanned import KINDS, DicomTest

from TrabecularQSMLib import cli
from TrabecularQSMLib.acquisition import Reorientation
from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.files import bids, converted, dicom, dicom_frames, dicom_series, nifti, read_acquisition
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom

try:
    import dcm2niix
except ImportError:  # an extra package
    dcm2niix = None

# dcm2niix takes the echoes of these for slices.
STACKED = ("ge enhanced",)
FAST = ("--stop-after", "fieldmap")


@unittest.skipIf(dcm2niix is None, "dcm2niix is not installed")
class FolderTest(DicomTest):
    def test_every_vendor_and_kind_of_file_gives_the_scan(self):
        for kind in KINDS:
            with self.subTest(kind):
                folder = kind.replace(" ", "-")
                self.write(kind, folder)
                scan = read_acquisition(self.folder / folder, subject="3")
                self.assert_same_scan(scan.acquisition)
                self.assertEqual(scan.stem, "sub-3")
                self.assertTrue(all(file.parent.name == folder for file in scan.files))
                stacked = any("frame by frame" in note for note in scan.acquisition.notes)
                self.assertEqual(stacked, kind in STACKED, scan.acquisition.notes)
                self.assertEqual(scan.protocol.get("FlipAngle"), None if stacked else 3)

    def test_headers_tell_of_fat_saturation_and_t1_by_either_reader(self):
        changes = {"FlipAngle": 15.0, "RepetitionTime": 11.0, "ScanOptions": "FS", "PixelBandwidth": 400.0}
        enhanced = {"SpectrallySelectedSuppression": "FAT", "FlipAngle": 15.0, "RepetitionTime": 11.0}
        for kind, said in (("siemens", changes), ("philips", changes), ("ge enhanced", enhanced)):
            with self.subTest(kind):
                self.write(kind, kind, **said)
                notes = " ".join(read_acquisition(self.folder / kind).acquisition.notes)
                for word in ("with fat saturation (ScanOptions FS)", "15° every 11 ms"):
                    self.assertIn(word, notes)
                self.assertEqual("400 Hz a voxel" in notes, "PixelBandwidth" in said)
                (candidate,) = dicom_series.find(sorted((self.folder / kind).iterdir()))
                notes = " ".join(dicom_series.read(candidate).notes)
                for word in ("with fat saturation (ScanOptions FS)", "unless `t1_weighting` is 1.74"):
                    self.assertIn(word, notes)
        self.write("ge enhanced", "unspoiled", Spoiling="NONE", **enhanced)
        (candidate,) = dicom_series.find(sorted((self.folder / "unspoiled").iterdir()))
        self.assertIn("was not spoiled", " ".join(dicom_series.read(candidate).notes))

    def test_a_sign_that_alternates_from_slice_to_slice_is_undone(self):
        smooth = (200 + self.signal / 10).astype(np.complex64)
        self.signal = smooth.copy()
        self.signal[:, 1::2] *= -1
        self.write("ge real")
        acquisition = read_acquisition(self.folder).acquisition
        self.assertTrue(any("half a turn from slice to slice" in note for note in acquisition.notes))
        # Which of the slices are turned is arbitrary: one sign for all.
        ratio = acquisition.echoes.sum() / smooth.sum()
        self.assert_same_scan(acquisition, smooth * np.sign(ratio.real))

    def test_one_enhanced_file_is_a_scan_and_one_classic_file_is_none(self):
        for kind in ("philips enhanced", "siemens"):
            self.write(kind, kind)
        (path,) = (self.folder / "philips enhanced").iterdir()
        self.assert_same_scan(read_acquisition(path).acquisition)
        self.assert_refused("series 5 ankle: 1 echo with mag", path=next((self.folder / "siemens").iterdir()))

    def test_several_scans_are_listed_and_one_is_chosen(self):
        study = self.write("siemens")
        study.write(self.signal, {"mag": 8, "phase": 9}, protocol="other")
        study.write(self.signal[:1], {"mag": 1}, protocol="localizer")
        self.assert_refused("2 scans", "series 5+6 ankle: 4 echoes with mag, phase", "series 8+9 other", "`series`")
        self.assert_same_scan(read_acquisition(self.folder, series=9).acquisition)

    def test_interleaved_trains_in_series_of_their_own_are_one_scan(self):
        study = self.write("philips")
        later = tuple(time + 0.0003 for time in scans.ECHO_TIMES)
        study.write(np.roll(self.signal, 1, axis=3), {"mag": 6, "phase": 6}, times=later)
        acquisition = read_acquisition(self.folder).acquisition
        np.testing.assert_allclose(acquisition.echo_times, sorted(scans.ECHO_TIMES + later))
        self.assertIn("series 5+6 ankle come from 2 series, joined to one scan of 8 echoes", acquisition.notes[0])

    def test_one_command_makes_maps(self):
        phantom = make_phantom(PhantomSettings(shape=(30, 31, 14), seed=1)).acquisition
        signal = phantom.echoes * np.float32(300 / np.abs(phantom.echoes).max())
        study = dicoms.Study(self.folder / "in", "siemens", affine=phantom.affine)
        study.write(signal, {"mag": 5, "phase": 6}, times=phantom.echo_times)
        bids.write_scan(self.folder / "bids", phantom)
        found = []
        for name in ("in", "bids"):
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                code = cli.main(["reconstruct", f"{self.folder / name}", f"{self.folder / name}-maps", *FAST])
            self.assertEqual(code, 0)
            array, affine = nifti.read_image(self.folder / f"{name}-maps" / "sub-01" / "anat" / "sub-01_PDFFmap.nii.gz")
            found.append(Reorientation.to_ras(affine, array.shape).apply(array))
        difference = np.abs(found[0] - found[1])
        self.assertLess(np.percentile(difference, 99), 0.01)  # whole numbers and 12 bits of phase
        self.assertGreater(np.ptp(found[1]), 0.8)

    def test_missing_parts_and_slices_are_told(self):
        self.write("siemens")
        files = sorted((self.folder / "in").iterdir())
        files[2].unlink()
        self.assert_refused(
            "1 slice of the series 5+6 ankle is not there, or not in the same place, for every echo and part"
        )
        for file in files[len(files) // 2 :]:
            file.unlink()
        self.assert_refused("no scan of at least three echoes", "series 5 ankle: 4 echoes with mag")
        self.assert_refused("series 5 ankle has 4 echoes with mag", series=5)

    def test_magnitude_alone_is_read_where_it_will_do(self):
        self.write("siemens")
        files = sorted((self.folder / "in").iterdir())
        for file in files[len(files) // 2 :]:
            file.unlink()
        self.assert_refused("set magnitude_maps to yes")
        for options in ({}, {"series": 5}):
            alone = read_acquisition(self.folder / "in", magnitude_alone=True, **options).acquisition
            self.assertFalse(alone.has_phase or alone.echoes.imag.any())
        candidate = converted.chosen("", dicom_series.find(files[: len(files) // 2]), magnitude_alone=True)
        frames = dicom_series.read(candidate)  # without conversion
        self.assertFalse(frames.has_phase)
        put = lambda one: one.reorientation.apply(one.echoes)  # noqa: E731
        np.testing.assert_allclose(put(frames), put(alone), rtol=1e-5)

    def test_slices_that_lie_unevenly_are_told(self):
        self.write("philips")
        for path in (self.folder / "in").iterdir():
            header = dicoms.pydicom.dcmread(path, stop_before_pixels=True)
            if header.InstanceNumber % 4 == 3:  # the third slice of every echo
                path.unlink()
        self.assert_refused("lie 3 to 6 mm apart", "missing slices")

    def test_echo_times_given_win_and_b0_follows_the_position(self):
        self.write("philips", PatientPosition="LFS")
        given = (0.002, 0.003, 0.004, 0.005)
        acquisition = read_acquisition(self.folder, echo_times=given).acquisition
        np.testing.assert_array_equal(acquisition.echo_times, given)
        self.assertEqual(acquisition.b0_patient, (1, 0, 0))
        self.assertEqual(read_acquisition(self.folder, b0_direction=(0, 1, 0)).acquisition.b0_patient, (0, 1, 0))

    def test_files_without_preamble_are_read(self):
        self.write("siemens")
        for path in sorted(self.folder.rglob("*")):
            if path.is_file():
                path.write_bytes(path.read_bytes()[132:])  # the preamble and its mark
        np.testing.assert_allclose(np.abs(self.read_frames()) / 10, np.abs(self.signal), atol=0.06)  # as stored

    def test_echo_times_in_other_units_are_told_and_right_and_all_alike_refused(self):
        for factor, words in ((1e-3, "taken for seconds"), (1e3, "taken for microseconds")):
            self.write("philips enhanced", times=[factor * time for time in scans.ECHO_TIMES])
            found = dicom_series.find([path for path in self.folder.rglob("*") if path.is_file()])[0]
            np.testing.assert_allclose(found.echo_times, scans.ECHO_TIMES, rtol=1e-3)
            self.assertIn(words, found.notes[0])
            shutil.rmtree(self.folder / "in")
        self.write("philips enhanced", times=[2e-3] * 4)
        self.assert_refused("all say the echo time 2 ms")

    def test_echo_times_given_decide_where_headers_tell_none_apart(self):
        for kind, changes in (
            ("siemens", {"times": [2e-3] * 4}),
            ("siemens", {"EchoTime": None, "EchoNumbers": None}),
            ("philips enhanced", {"times": [2e-3] * 4}),
        ):
            with self.subTest(kind, **changes):
                self.write(kind, **changes)
                scan = read_acquisition(self.folder, echo_times=scans.ECHO_TIMES)
                self.assert_same_scan(scan.acquisition)
                self.assertIn("order of their numbers", scan.acquisition.notes[0])
            shutil.rmtree(self.folder / "in")
        self.write("siemens", times=[2e-3] * 4)
        self.assert_refused("or all of them as `echo_times`", echo_times=scans.ECHO_TIMES[:3])

    def test_a_folder_with_other_images_beside_the_dicom_files_is_read(self):
        self.write("siemens")
        nifti.write_image(self.folder / "sub-01_CT.nii", np.zeros((2, 2, 2), np.float32), np.eye(4))
        (self.folder / "sub-01_CT.json").write_text('{"EchoTime": 0.001}')
        self.assert_same_scan(read_acquisition(self.folder).acquisition)

    def read_frames(self):
        """Echoes that frames give, whether dcm2niix could read them or not."""
        paths = [path for path in self.folder.rglob("*") if dicom_frames.is_dicom(path)]
        return dicom_series.read(dicom_series.find(paths)[0]).echoes

    def test_what_dcm2niix_makes_of_other_size_is_not_passed_on(self):
        self.write("philips")
        grid = dicom_series.grid_of
        with mock.patch.object(dicom_series, "grid_of", lambda one: ((9, 20, 24), grid(one)[1])):
            acquisition = read_acquisition(self.folder).acquisition
        self.assertIn("another grid (20 × 24 × 9 voxels", acquisition.notes[0])
        self.assert_same_scan(acquisition)

    def test_what_dcm2niix_scales_otherwise_is_not_passed_on(self):
        def rescale(header, number):
            """Other slopes from slice to slice, for the same values."""
            factor = 1 + 0.1 * (number % 5)
            values = np.round(header.pixel_array / factor).astype(header.pixel_array.dtype)
            header.PixelData, header.RescaleSlope = values.tobytes(), float(header.RescaleSlope) * factor
            header[0x2005, 0x100E].value /= factor

        self.write("philips")
        with mock.patch.object(dicom, "with_places", side_effect=InputError("no decoder")):
            self.assertEqual(read_acquisition(self.folder).acquisition.notes, ())
        for file in sorted((self.folder / "in").iterdir()):
            header = dicoms.pydicom.dcmread(file)
            rescale(header, int(header.InstanceNumber))
            header.save_as(file)
        acquisition = read_acquisition(self.folder).acquisition
        self.assertIn("dcm2niix scales images of one part in several ways", acquisition.notes[0])
        self.assert_same_scan(acquisition)

    def test_missing_packages_are_named_with_the_way_to_get_them(self):
        self.write("siemens")
        with mock.patch.dict("sys.modules", pydicom=None):
            self.assert_refused("pydicom is needed", "pip install pydicom")
        with mock.patch.dict("sys.modules", dcm2niix=None), mock.patch.object(dicom.shutil, "which", lambda name: None):
            self.assert_refused("dcm2niix is needed", "pip install dcm2niix")


if __name__ == "__main__":
    unittest.main()
