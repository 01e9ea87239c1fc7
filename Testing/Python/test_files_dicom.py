"""DICOM folders by the conventions of three vendors, through dcm2niix and frame by frame."""

import contextlib
import io
import shutil
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import dicoms
import numpy as np
import scans

from TrabecularQSMLib import cli
from TrabecularQSMLib.acquisition import Reorientation
from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.files import bids, converted, dicom, dicom_frames, dicom_series, nifti, read_acquisition
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom

try:
    import dcm2niix
except ImportError:  # an extra package
    dcm2niix = None

# Vendor, part to series number, enhanced.
KINDS = {
    "siemens": ("siemens", {"mag": 5, "phase": 6}, False),
    "philips": ("philips", {"mag": 5, "phase": 5}, False),
    "philips real": ("philips", {"real": 5, "imag": 5}, False),
    "ge": ("ge", {"mag": 5, "phase": 5, "real": 5, "imag": 5}, False),
    "ge real": ("ge", {"real": 5, "imag": 5}, False),
    "siemens enhanced": ("siemens", {"mag": 5, "phase": 6}, True),
    "philips enhanced": ("philips", {"mag": 5, "phase": 5}, True),
    "philips enhanced real": ("philips", {"real": 5, "imag": 5}, True),
    "ge enhanced": ("ge", {"real": 5, "imag": 5}, True),
}
# dcm2niix takes the echoes of these for slices.
STACKED = ("ge enhanced",)
FAST = ("--stop-after", "fieldmap")


@unittest.skipIf(dicoms.pydicom is None, "pydicom is not installed")
class DicomTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.signal = scans.echoes((4, 20, 24))

    def write(self, kind, folder="in", **changes):
        vendor, parts, enhanced = KINDS[kind]
        study = dicoms.Study(self.folder / folder, vendor)
        study.write(self.signal, parts, enhanced=enhanced, **changes)
        return study

    def assert_refused(self, *words, path=None, **options):
        with self.assertRaises(InputError) as caught:
            read_acquisition(path or self.folder, **options)
        for word in words:
            self.assertIn(word, str(caught.exception))

    def assert_same_scan(self, acquisition, signal=None, parts=("mag", "phase")):
        """Equal in space, whatever the order and direction of the axes, but for the rounding to whole numbers."""
        expected = scans.acquisition(echoes=self.signal if signal is None else signal)
        found, wanted = acquisition.reorientation, expected.reorientation
        np.testing.assert_allclose(
            found.apply_affine(acquisition.affine), wanted.apply_affine(expected.affine), atol=1e-4
        )
        ratio = found.apply(acquisition.echoes) / wanted.apply(expected.echoes)
        bright = np.abs(wanted.apply(expected.echoes)) > 50
        np.testing.assert_allclose(np.abs(ratio[bright]), 10, rtol=3e-3)
        np.testing.assert_allclose(np.angle(ratio[bright]), 0, atol=2e-3)
        np.testing.assert_allclose(acquisition.echo_times, scans.ECHO_TIMES)
        np.testing.assert_allclose((acquisition.field_strength, acquisition.imaging_frequency), (3, 127.74e6))


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


class FramesTest(DicomTest):
    def test_frames_give_the_same_scan_without_conversion(self):
        for kind in KINDS:
            with self.subTest(kind):
                self.write(kind, kind)
                (candidate,) = dicom_series.find((self.folder / kind).iterdir())
                self.assertTrue(candidate.complete)
                self.assert_same_scan(dicom_series.read(candidate))

    def test_what_pydicom_cannot_decode_is_decoded_by_itk_or_told(self):
        cannot = property(lambda dataset: (_ for _ in ()).throw(RuntimeError("no decoder")))
        for kind in ("siemens", "philips", "siemens enhanced"):
            self.write(kind, kind)
            for path in (self.folder / kind).iterdir():
                dataset = dicoms.pydicom.dcmread(path)
                dataset.compress(dicoms.pydicom.uid.RLELossless)
                dataset.save_as(path)
            (candidate,) = dicom_series.find((self.folder / kind).iterdir())
            with self.subTest(kind), mock.patch.object(dicoms.pydicom.dataset.Dataset, "pixel_array", cannot):
                if "enhanced" not in kind:
                    self.assert_same_scan(dicom_series.read(candidate))
                    continue
                with self.assertRaisesRegex(InputError, "RLE Lossless.*no decoder.*uncompressed"):
                    dicom_series.read(candidate)

    def test_a_file_that_was_cut_short_or_not_fetched_is_told_as_such(self):
        self.write("siemens")
        path = sorted((self.folder / "in").iterdir())[3]
        whole = path.read_bytes()
        for content, words in (
            (whole[:-50], f"{path.name} is damaged or cut short .*; copy or export it again"),
            (b"", f"slice .* is not there.* In that folder .*{path.name} is empty"),
            (b"version https://git-lfs.github.com/spec/v1\n", f"In that folder .*{path.name} is a pointer of Git LFS"),
        ):
            path.write_bytes(content)
            with self.assertRaisesRegex(InputError, words):
                read_acquisition(self.folder / "in")

    def test_patients_and_repetitions_are_told_apart(self):
        for name in ("a", "b"):
            study = self.write("siemens", name)
            study.write(self.signal, {"mag": 7, "phase": 8})
        found = dicom_series.find(path for path in self.folder.rglob("*") if path.is_file())
        self.assertEqual([one.names for one in found], [["5", "6"], ["5", "6"], ["7", "8"], ["7", "8"]])
        for one in found:
            self.assertEqual(len({path.parent for path in dicom_series.files_of(one)}), 1)
            self.assert_same_scan(dicom_series.read(one))

    def test_a_copy_of_a_file_is_no_other_slice(self):
        self.write("siemens")
        for file in sorted((self.folder / "in").iterdir())[:5]:
            shutil.copy(file, file.with_name("copy of " + file.name))
        (candidate,) = dicom_series.find(sorted((self.folder / "in").iterdir()))
        self.assert_same_scan(dicom_series.read(candidate))

    def test_repetitions_of_one_series_are_not_mixed_and_single_images_that_came_twice_are_told(self):
        # Two measurements as scanners store them: the same series of magnitude, and the same of phase.
        study = self.write("siemens")
        study.write(1.5 * self.signal, {"mag": 5, "phase": 6}, AcquisitionNumber=2)
        ends = [dicom_series.read(one).echoes[0, 0, 0, 0] for one in self.found()]
        self.assertEqual(len(ends), 2)
        np.testing.assert_allclose(ends[1], 1.5 * ends[0], rtol=0.01)
        shutil.rmtree(self.folder / "in")
        self.write("siemens")
        file = min((self.folder / "in").iterdir())
        again = dicoms.pydicom.dcmread(file)
        again.SOPInstanceUID = dicoms.pydicom.uid.generate_uid()
        again.save_as(file.with_name("again"))
        (candidate,) = self.found()
        self.assertIn("1 image of series 5 ankle came twice", candidate.notes[0])
        self.assert_same_scan(dicom_series.read(candidate))

    def test_means_of_echoes_among_the_echoes_are_not_taken_for_them_and_told(self):
        self.write("siemens")
        for number, file in enumerate(sorted((self.folder / "in").iterdir())[:4]):
            mean = dicoms.pydicom.dcmread(file)
            mean.ImageType = ["DERIVED", "PRIMARY", "M", "MEAN", "ND"]
            mean.SOPInstanceUID = dicoms.pydicom.uid.generate_uid()
            mean.PixelData = np.full(mean.pixel_array.shape, 7, np.uint16).tobytes()
            mean.save_as(file.with_name(f"A{number}"))  # comes first by its name
        (candidate,) = self.found()
        self.assertIn("4 images of series 5 ankle came twice with other values", candidate.notes[0])
        self.assert_same_scan(dicom_series.read(candidate))

    def test_slices_beside_the_others_are_refused_whatever_they_are_of(self):
        def beside(header, millimeters):
            along = np.array(header.ImageOrientationPatient[:3], float)
            header.ImagePositionPatient = [*(np.array(header.ImagePositionPatient, float) + millimeters * along)]

        count = 4 * 4
        for which in (lambda n: n >= count, lambda n: n == 5, lambda n: n % 4 == 2, lambda n: n // 4 % 4 == 1):
            self.write("siemens")
            self.edit(lambda header, n, which=which: beside(header, 20.0 * which(n)))
            with self.assertRaisesRegex(InputError, "lie up to 20 mm beside where the others put them"):
                dicom_series.read(self.found()[0])
            shutil.rmtree(self.folder / "in")
        self.write("siemens")
        self.edit(lambda header, n: beside(header, 0.02 * (n % 3)))  # as rounding does
        dicom_series.read(self.found()[0])

    def edit(self, change):
        """Change the headers of all files, by a function of header and number."""
        for number, file in enumerate(sorted((self.folder / "in").iterdir())):
            dataset = dicoms.pydicom.dcmread(file)
            change(dataset, number)
            dataset.save_as(file)

    def test_echoes_of_one_echo_time_by_rounding_are_no_copies_and_refused(self):
        self.write("siemens")
        self.edit(lambda header, _: setattr(header, "EchoTime", round(float(header.EchoTime))))
        with self.assertRaisesRegex(
            InputError, "give the echoes 3 and 4 one echo time, 3 ms; give all as `echo_times`"
        ):
            converted.chosen("folder", self.found())
        with self.assertRaisesRegex(InputError, "one echo time"):
            dicom_series.read(self.found()[0])

    def test_series_without_numbers_are_one_scan_if_nothing_comes_twice(self):
        self.write("siemens")
        self.edit(lambda header, _: delattr(header, "SeriesNumber"))
        (candidate,) = self.found()
        self.assert_same_scan(dicom_series.read(candidate))

    def test_slopes_of_philips_without_their_scale_are_told(self):
        self.write("philips")
        self.assertEqual(self.found()[0].notes, ())
        self.edit(lambda header, _: header.pop((0x2005, 0x100E)))
        self.assertEqual(self.found()[0].notes, ())  # one slope for all
        self.edit(lambda header, number: setattr(header, "RescaleSlope", 2 + number // 4))
        self.assertIn("several Rescale Slopes but not the scale of Philips", self.found()[0].notes[0])

    def test_echoes_without_an_echo_time_are_told(self):
        self.write("siemens")
        for file in sorted((self.folder / "in").iterdir())[:4]:
            dataset = dicoms.pydicom.dcmread(file)
            dataset.EchoTime = 0
            dataset.save_as(file)
        self.assertIn("4 images of series 5+6 ankle without an echo time are left out.", self.found()[0].notes)

    def test_magnitude_and_phase_of_the_same_correction_of_distortion_belong_together(self):
        study = self.write("siemens")
        study.write(2 * self.signal, {"mag": 4}, ImageType=["ORIGINAL", "PRIMARY", "M", "DIS2D"])
        candidates = self.found()
        self.assertEqual([one.names for one in candidates], [["4"], ["5", "6"]])
        self.assertEqual([one.complete for one in candidates], [False, True])

    def test_mosaics_are_told(self):
        dicoms.Study(self.folder / "in").write(
            self.signal[:, :1], {"mag": 5}, ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"]
        )
        (candidate,) = self.found()
        with self.assertRaisesRegex(InputError, "are mosaics, with all slices as tiles of one"):
            dicom_series.grid_of(candidate)

    def test_parts_that_do_not_belong_together_are_told(self):
        study = self.write("siemens")
        for file in sorted((self.folder / "in").iterdir())[16:]:
            file.unlink()
        study.write(self.signal[..., :12], {"phase": 6})
        with self.assertRaisesRegex(InputError, r"do not belong together \(Columns 24 against 12\)"):
            converted.chosen("folder", self.found())

    def test_the_magnitude_of_one_patient_and_the_phase_of_another_are_no_scan(self):
        # Whatever anonymizing left of them alike: patient, examination, numbers of series.
        for name, value in (("PatientName", "Other"), ("PatientBirthDate", "19700101"), ("PatientID", "T2")):
            study = dicoms.Study(self.folder / "in")
            study.write(self.signal, {"mag": 5})
            study.write(self.signal, {"phase": 6}, **{name: value})
            with self.assertRaisesRegex(InputError, f"do not belong together .{name} .* against {value}"):
                converted.chosen("folder", self.found())
            shutil.rmtree(self.folder / "in")

    def test_frames_of_reference_that_differ_within_a_scan_are_told(self):
        study = dicoms.Study(self.folder / "in")
        study.write(self.signal, {"mag": 5})
        (alone,) = self.found()
        self.assertEqual(alone.notes, ())
        study.write(self.signal, {"phase": 6}, FrameOfReferenceUID=dicoms.pydicom.uid.generate_uid())
        (candidate,) = self.found()
        self.assertRegex(" ".join(candidate.notes), "series 5.6 ankle lie in 2 frames of reference, as those of two")
        # Another scan that is whole is taken without them.
        study.write(self.signal, {"mag": 7, "phase": 8})
        self.assertEqual(converted.chosen("folder", self.found()).names, ["7", "8"])

    def found(self):
        return dicom_series.find(sorted((self.folder / "in").iterdir()))

    def test_images_without_a_place_are_no_part_of_a_scan(self):
        self.write("siemens")
        for name, value in (("PixelSpacing", [0, 0]), ("ImageOrientationPatient", [0] * 6), ("EchoTime", None)):
            for file in (self.folder / "in").iterdir():
                dataset = dicoms.pydicom.dcmread(file)
                setattr(dataset, name, value)
                dataset.save_as(file)
            self.assertEqual(dicom_series.find((self.folder / "in").iterdir()), [])
        self.assert_refused("DICOM files, but no MR image that says its echo time, position, orientation")

    def test_files_that_are_no_images_are_left_aside(self):
        self.write("siemens")
        (self.folder / "in" / "notes.txt").write_text("x" * 200)
        (self.folder / "in" / "broken.dcm").write_bytes(bytes(128) + b"DICM" + b"\xff" * 50)
        (candidate,) = dicom_series.find((self.folder / "in").iterdir())
        self.assert_same_scan(dicom_series.read(candidate))


if __name__ == "__main__":
    unittest.main()
