"""DICOM folders by the conventions of three vendors, frame by frame."""

import shutil
import unittest
from unittest import mock

import dicoms
import numpy as np
from scanned import KINDS, DicomTest

from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.files import converted, dicom_series, read_acquisition


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
