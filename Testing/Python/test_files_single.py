"""One file of all echoes, its partner beside it, and echoes of complex numbers."""

import json
import struct
import unittest

import numpy as np
import scans
import scipy.io
from reading import CONVERT, IMAGE_TYPES, FolderTest, write_series

from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.files import nifti
from TrabecularQSMLib.files.parts import split_part


class OneFileTest(FolderTest):
    def write(self, names, parts=("mag", "phase"), sidecar=None):
        for name, part in zip(names, parts, strict=True):
            write_series(self.folder / name, [CONVERT[part](echo) for echo in scans.echoes()])
            if sidecar is not None:
                (self.folder / f"{name.partition('.')[0]}.json").write_text(json.dumps(sidecar))
        return self.folder / names[0]

    SIDECAR = {"MagneticFieldStrength": 3.0}

    def test_echoes_along_the_fourth_axis_are_read_with_the_partner_beside(self):
        for names in (
            ("x_mag.nii", "x_phase.nii"), ("Magnitude.nii", "Phase.nii"), ("x.nii", "x_ph.nii"),
            ("mag_x.nii", "phs_x.nii"),
        ):  # fmt: skip
            with self.subTest(names):
                path = self.write(names, sidecar={**self.SIDECAR, "EchoTime": list(scans.ECHO_TIMES)})
                for name in names:
                    scan = self.read(path.with_name(name))
                    self.assert_same_scan(scan.acquisition)
                    self.assertEqual(scan.stem, "sub-01")
                for file in self.folder.iterdir():
                    file.unlink()
        self.write(("a_real.nii", "a_imaginary.nii"), ("real", "imag"), sidecar=self.SIDECAR)
        self.assert_same_scan(self.read(self.folder / "a_imaginary.nii", echo_times=scans.ECHO_TIMES).acquisition)

    def test_echo_times_are_asked_for_and_those_given_win(self):
        path = self.write(("x_mag.nii", "x_phase.nii"), sidecar=self.SIDECAR)
        self.assert_refused("4 volumes", "`echo_times`", path=path)
        self.assert_refused("4 echoes but `echo_times` gives 2", path=path, echo_times=(0.001, 0.002))
        given = (0.002, 0.003, 0.004, 0.005)
        self.assert_same_scan(self.read(path, echo_times=given).acquisition, times=given)
        self.write(("x_mag.nii", "x_phase.nii"), sidecar={**self.SIDECAR, "EchoTime": list(scans.ECHO_TIMES)})
        acquisition = self.read(path, echo_times=given).acquisition
        self.assert_same_scan(acquisition, times=given)
        self.assert_refused("do not increase", path=path, echo_times=given[::-1])
        self.assertIn("1.2, 1.9, 2.6, 3.3 ms", acquisition.notes[0])
        self.write(("x_mag.nii", "x_phase.nii"), sidecar={**self.SIDECAR, "EchoTime": [0.001, 0.002]})
        self.assert_refused("4 volumes but EchoTime of its sidecar", path=path)

    def test_the_one_header_of_sepia_beside_says_what_no_sidecar_says(self):
        path = self.write(("x_mag.nii", "x_phase.nii"))
        header = {"TE": np.array(scans.ECHO_TIMES), "B0": 3.0, "CF": 127.74e6, "matrixSize": [6, 5, 4]}
        scipy.io.savemat(self.folder / "sepia_header.mat", header)
        scan = self.read(path)
        self.assert_same_scan(scan.acquisition)
        self.assertEqual(scan.acquisition.imaging_frequency, 127.74e6)
        self.assertIn("is taken from sepia_header.mat beside it", scan.acquisition.notes[0])
        self.assertIn(self.folder / "sepia_header.mat", scan.files)
        self.assert_refused("give the 4-D image that it is the header of", path=self.folder / "sepia_header.mat")
        # Neither one of two, nor that of other images; what a sidecar says wins.
        scipy.io.savemat(self.folder / "b.mat", header)
        self.assert_refused("no sidecar says their echo times", path=path)
        for changes in ({"TE": [1e-3, 2e-3]}, {"matrixSize": [6, 5, 9]}, {"TE": "soon"}):
            scipy.io.savemat(self.folder / "b.mat", {**header, **changes})
            self.assert_same_scan(self.read(path).acquisition)
        later = [time + 1e-3 for time in scans.ECHO_TIMES]
        (self.folder / "x_mag.json").write_text(json.dumps({**self.SIDECAR, "EchoTime": later}))
        (self.folder / "x_phase.json").write_text(json.dumps({**self.SIDECAR, "EchoTime": later}))
        scan = self.read(path)
        self.assert_same_scan(scan.acquisition, times=later)
        self.assertNotIn(self.folder / "sepia_header.mat", scan.files)

    def test_without_sidecars_everything_is_given_by_hand(self):
        path = self.write(("x_mag.nii", "x_phase.nii"))
        self.assert_refused("neither field strength nor imaging frequency", path=path, echo_times=scans.ECHO_TIMES)
        acquisition = self.read(path, echo_times=scans.ECHO_TIMES, field_strength=3.0).acquisition
        self.assert_same_scan(acquisition)

    def test_a_field_strength_that_is_given_wins_and_that_is_said(self):
        path = self.write(("x_mag.nii", "x_phase.nii"), sidecar={**self.SIDECAR, "EchoTime": list(scans.ECHO_TIMES)})
        for given, noted in ((3.0, 0), (1.5, 1)):
            acquisition = self.read(path, field_strength=given).acquisition
            self.assertEqual(acquisition.field_strength, given)
            said = [note for note in acquisition.notes if "says a field strength of 3 T; that of `field_str" in note]
            self.assertEqual(len(said), noted)

    def test_both_parts_in_one_file_are_told_with_the_way_to_part_them(self):
        magnitudes, phases = ([CONVERT[part](echo) for echo in scans.echoes()] for part in ("mag", "phase"))
        path = self.folder / "x.nii"
        for words, volumes in {
            "8 volumes, of which 4 have values below zero .* first 4 volumes and the last 4": magnitudes + phases,
            "odd volumes and the even ones": [one for pair in zip(magnitudes, phases, strict=True) for one in pair],
            "each of its 4 volumes has values below zero: name the part": phases,
        }.items():
            write_series(path, volumes)
            for alone in (False, True):
                with self.subTest(words, alone=alone), self.assertRaisesRegex(InputError, words):
                    self.read(path, echo_times=scans.ECHO_TIMES, magnitude_alone=alone)

    def test_a_missing_partner_is_named_as_the_file_is(self):
        path = self.write(("mag_x.nii", "phase_x.nii"), sidecar=self.SIDECAR)
        (self.folder / "phase_x.nii").unlink()
        self.assert_refused("such as phase_x.nii.gz", "found none", path=path)
        path.rename(self.folder / "x.nii")
        self.assert_refused("such as x_phase.nii.gz", path=self.folder / "x.nii")

    def test_a_folder_of_one_such_pair_will_do(self):
        self.write(("x_mag.nii", "x_phase.nii"), sidecar={**self.SIDECAR, "EchoTime": list(scans.ECHO_TIMES)})
        self.assert_same_scan(self.read().acquisition)
        self.write(("y_mag.nii", "y_phase.nii"), sidecar=self.SIDECAR)
        self.assert_refused("several volumes", "give that file")

    def test_a_bids_folder_may_hold_such_files(self):
        names = ("sub-02_part-mag_MEGRE.nii", "sub-02_part-phase_MEGRE.nii")
        self.write(names, sidecar={**self.SIDECAR, "EchoTime": list(scans.ECHO_TIMES)})
        for path in (self.folder, self.folder / names[1]):
            scan = self.read(path)
            self.assert_same_scan(scan.acquisition)
            self.assertEqual(scan.stem, "sub-02")
        (self.folder / "sub-02_part-phase_MEGRE.json").unlink()  # one sidecar will do
        self.assert_same_scan(self.read().acquisition)

    def test_a_partner_that_is_missing_or_not_clear_is_told(self):
        path = self.write(("x_mag.nii", "y_phase.nii"), sidecar=self.SIDECAR)
        self.assert_refused("x_mag.nii is the mag part", "x_phase.nii.gz", "found none", path=path)
        self.write(("x_phase.nii", "x_ph.nii"), ("phase", "phase"))
        self.assert_refused("found x_ph.nii and x_phase.nii", path=path)

    def test_a_magnitude_without_partner_is_read_where_it_will_do(self):
        path = self.write(("x.nii",), ("mag",), sidecar={**self.SIDECAR, "EchoTime": list(scans.ECHO_TIMES)})
        self.assert_refused("found none; export it, or set magnitude_maps to yes", path=path)
        for place in (path, self.folder):
            acquisition = self.read(place, magnitude_alone=True).acquisition
            self.assertFalse(acquisition.has_phase)
            np.testing.assert_allclose(acquisition.echoes, np.abs(scans.echoes()), atol=1e-3)

    def test_one_volume_is_no_scan(self):
        nifti.write_image(self.folder / "x_mag.nii", np.zeros((2, 3, 4), np.float32), scans.AFFINE)
        self.assert_refused("holds one volume", "give the folder", path=self.folder / "x_mag.nii")

    def test_words_for_parts_are_found_only_as_words(self):
        self.assertEqual(split_part("sub-1_part-mag_MEGRE"), ("sub-1_MEGRE", "mag"))
        self.assertEqual(split_part("Phase"), ("", "phase"))
        self.assertEqual(split_part("x_e1_ph"), ("x_e1", "phase"))
        self.assertEqual(split_part("magnet_phantom"), ("magnet_phantom", None))


class ComplexTest(FolderTest):
    def test_complex_echoes_are_magnitude_and_phase_in_each_folder_that_is_read(self):
        def write(folder, name, side):
            place = self.folder / folder
            place.mkdir()
            for n, (echo, time) in enumerate(zip(scans.echoes(), scans.ECHO_TIMES, strict=True), start=1):
                values = {"EchoTime": time, "MagneticFieldStrength": 3, "ImagingFrequency": 127.74, **side}
                nifti.write_image(place / f"{name.format(n)}.nii.gz", echo, scans.AFFINE)
                (place / f"{name.format(n)}.json").write_text(json.dumps(values))
            return place

        bids = write("bids", "sub-01_echo-{}_MEGRE", {})
        converted = write("converted", "gre_e{}", {"SeriesNumber": 5, "ImageType": IMAGE_TYPES["mag"]})
        for folder in (bids, converted):
            self.assert_same_scan(self.read(folder).acquisition)
        self.assertEqual(self.read(bids).acquisition.notes, ())
        image = bids / "sub-01_echo-2_MEGRE.nii.gz"
        with self.assertRaisesRegex(InputError, "holds complex numbers; expected one real number"):
            nifti.read_image(image)  # such as a mask
        nifti.write_image(image, np.abs(scans.echoes()[1]), scans.AFFINE)
        self.assert_refused("4 echoes with part-mag for 1, part-complex for 3", path=bids)

    def test_one_complex_file_of_all_echoes_needs_nothing_beside_it(self):
        path = self.folder / "all.nii"
        write_series(path, scans.echoes(), np.complex64)
        options = {"echo_times": scans.ECHO_TIMES, "field_strength": 3.0}
        for place in (path, self.folder):
            self.assert_same_scan(self.read(place, **options).acquisition)
        content = bytearray(path.read_bytes())
        struct.pack_into("<2f", content, 112, 0.5, 3.0)  # a scale holds for either part
        path.write_bytes(content)
        scaled, _ = nifti.read_series(path)
        np.testing.assert_allclose(scaled, 0.5 * scans.echoes() + 3 + 3j, rtol=1e-5)


if __name__ == "__main__":
    unittest.main()
