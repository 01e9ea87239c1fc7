"""Scans as converters and other programs leave them."""

import json
import os
import shutil
import struct
import tempfile
import unittest
from pathlib import Path

import numpy as np
import scans
import SimpleITK as sitk

from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.files import nifti, read_acquisition
from TrabecularQSMLib.files.parts import part_of_type, split_part
from TrabecularQSMLib.files.slices import undo_alternate_slices, undo_slices
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom

IMAGE_TYPES = {
    "mag": ["ORIGINAL", "PRIMARY", "M", "ND"],
    "phase": ["ORIGINAL", "PRIMARY", "P", "ND"],
    "real": ["ORIGINAL", "PRIMARY", "R_FFE", "R", "FFE"],
    "imag": ["ORIGINAL", "PRIMARY", "I_FFE", "I", "FFE"],
}
ENDINGS = {"mag": "", "phase": "_ph", "real": "_real", "imag": "_imaginary"}
CONVERT = {"mag": np.abs, "phase": np.angle, "real": np.real, "imag": np.imag}


def write_series(path, volumes, kind=np.float32):
    """Write volumes along the fourth axis of a plain NIfTI file, with the affine of the tests, which ITK drops."""
    sitk.WriteImage(sitk.JoinSeries([sitk.GetImageFromArray(one.astype(kind)) for one in volumes]), str(path))
    content = bytearray(Path(path).read_bytes())
    struct.pack_into("<2h", content, 252, 0, 1)
    struct.pack_into("<12f", content, 280, *scans.AFFINE[:3].ravel())
    struct.pack_into("<3f", content, 80, *np.linalg.norm(scans.AFFINE[:3, :3], axis=0))
    Path(path).write_bytes(content)


class DoorTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def read(self, path=None, **options):
        return read_acquisition(path or self.folder, **options)

    def assert_refused(self, *words, path=None, **options):
        with self.assertRaises(InputError) as caught:
            self.read(path, **options)
        for word in words:
            self.assertIn(word, str(caught.exception))

    def assert_same_scan(self, acquisition, signal=None, times=scans.ECHO_TIMES):
        np.testing.assert_allclose(acquisition.echoes, scans.echoes() if signal is None else signal, rtol=0, atol=1e-3)
        np.testing.assert_allclose(acquisition.echo_times, times)
        np.testing.assert_allclose(acquisition.affine, scans.AFFINE, atol=1e-5)
        self.assertEqual(acquisition.field_strength, 3.0)


class ConvertedTest(DoorTest):
    def write(
        self, number, parts=("mag", "phase"), times=scans.ECHO_TIMES, name="megre_{}", folder="", seed=1, **changes
    ):
        """Write a series as dcm2niix does; a change that is None takes a value away."""
        place = self.folder / folder
        place.mkdir(parents=True, exist_ok=True)
        for n, (echo, time) in enumerate(zip(scans.echoes(seed=seed), times, strict=False), 1):
            for part in parts:
                stem = f"{name.format(number)}_e{n}{ENDINGS[part]}"
                nifti.write_image(place / f"{stem}.nii.gz", CONVERT[part](echo).astype(np.float32), scans.AFFINE)
                side = {"EchoTime": time, "EchoNumber": n, "ImageType": IMAGE_TYPES[part], "SeriesNumber": number}
                side |= {"MagneticFieldStrength": 3, "ImagingFrequency": 127.74, "ProtocolName": "ankle", **changes}
                side = {key: value for key, value in side.items() if value is not None}
                (place / f"{stem}.json").write_text(json.dumps(side))

    def test_its_folder_is_read_as_it_is(self):
        for parts in (("mag", "phase"), ("real", "imag")):
            with self.subTest(parts):
                self.write(5, parts, folder=parts[0])
                scan = self.read(self.folder / parts[0], subject="7")
                self.assert_same_scan(scan.acquisition)
                self.assertEqual((scan.stem, len(scan.files), scan.acquisition.notes), ("sub-7", 16, ()))

    def test_sidecars_in_capitals_are_read(self):
        self.write(5)
        for side in sorted(self.folder.glob("*.json")):
            side.rename(side.with_suffix(".JSON"))
        self.assert_same_scan(self.read().acquisition)

    def test_parts_are_told_by_numbered_words(self):
        self.assertEqual(split_part("sub-01_magnitude2"), ("sub-01_2", "mag"))
        self.write(5, ImageType=None, SeriesNumber=None)
        for path in sorted(self.folder.glob("*")):
            stem, ending = path.name.split(".", 1)
            number, word = stem.split("_e")[1][0], "phase" if stem.endswith("_ph") else "magnitude"
            path.rename(path.with_name(f"sub-01_{word}{number}.{ending}"))
        self.assert_same_scan(self.read().acquisition)

    def test_echo_times_all_alike_and_both_parts_in_one_file_are_told(self):
        self.write(5, times=(2e-3,) * 4)
        self.assert_refused("series 5", "all say the echo time 2 ms; give each echo its own")
        for path in sorted(self.folder.glob("*_ph*")):
            path.unlink()
        for n, path in enumerate(sorted(self.folder.glob("*.nii.gz")), start=1):
            path.unlink()
            write_series(self.folder / f"megre_5_e{n}.nii", [np.abs(scans.echoes()[0]), np.angle(scans.echoes()[0])])
        self.assert_refused("says one EchoTime but holds several volumes", "megre_5_e1_phase")

    def test_echoes_in_different_scales_for_displays_are_told(self):
        for floats, slopes, told in ((0, (2, 3, 2, 2), True), (0, (2, 2, 2, 2), False), (1, (2, 3, 2, 2), False)):
            self.write(5, UsePhilipsFloatNotDisplayScaling=floats, PhilipsScaleSlope=0.01)
            for number, slope in enumerate(slopes, start=1):
                self.edit(f"*_e{number}*.json", lambda side, slope=slope: {**side, "PhilipsRescaleSlope": slope})
            notes = self.read().acquisition.notes
            self.assertEqual(["differs between them by up to 1.5 times" in note for note in notes], told * [True])

    def test_names_tell_the_parts_where_sidecars_say_one_for_both(self):
        self.write(5, ImageType=["ORIGINAL", "PRIMARY", "M", "FFE"])
        scan = self.read()
        self.assert_same_scan(scan.acquisition)
        self.assertIn("(megre_5_e1_ph.nii.gz is phase)", scan.acquisition.notes[0])

    def test_echo_times_that_differ_between_the_parts_are_told(self):
        self.write(5)
        self.edit("*_e2_ph.json", lambda side: {**side, "EchoTime": side["EchoTime"] + 1e-4})
        self.assert_refused("different echo times (mag alone has 1.9 ms and phase alone has 2 ms), so correct these")

    def test_echo_times_that_rounding_made_alike_are_told(self):
        self.write(5, times=(0.001, 0.002, 0.003, 0.003))
        self.assert_refused("give the echoes 3 and 4 one echo time, 3 ms; give all as `echo_times`")
        self.assert_same_scan(self.read(echo_times=scans.ECHO_TIMES).acquisition)

    def test_echo_times_given_decide_where_numbers_tell_the_echoes_apart(self):
        for changes in ({"EchoTime": 2e-3}, {"EchoTime": None}, {"EchoTime": None, "EchoNumber": None}):
            with self.subTest(**changes):
                self.write(5, **changes)
                self.assert_refused("`echo_times`")
                self.assert_same_scan(self.read(echo_times=scans.ECHO_TIMES).acquisition)
        for path in self.folder.glob("*.json"):
            path.unlink()
        self.assert_same_scan(self.read(echo_times=scans.ECHO_TIMES, field_strength=3.0).acquisition)

    def test_parts_of_another_correction_of_distortion_are_told(self):
        self.write(5)
        self.edit("*_ph.json", lambda side: {**side, "ImageType": ["ORIGINAL", "PRIMARY", "P", "DIS2D"]})
        self.assertIn("the mag part ND and the phase part DIS2D", self.read().acquisition.notes[0])

    def test_the_sidecars_win_over_the_names(self):
        self.write(5)
        for n in range(1, 5):  # reversed numbers, and no word for the part
            for ending, word in (("", "a"), ("_ph", "b")):
                for kind in (".nii.gz", ".json"):
                    (self.folder / f"megre_5_e{n}{ending}{kind}").rename(self.folder / f"image_{word}{9 - n}{kind}")
        self.assert_same_scan(self.read().acquisition)

    def test_magnitude_and_phase_in_series_of_their_own_belong_together(self):
        self.write(5, ("mag",))
        self.write(6, ("phase",))
        self.assert_same_scan(self.read().acquisition)
        self.assert_refused("do not increase", echo_times=scans.ECHO_TIMES[::-1])
        # A repetition is a scan of its own; so is one of another protocol.
        self.write(7, ("mag",))
        self.write(8, ("phase",))
        self.write(11, RepetitionTime=0.02, ProtocolName="other")
        self.assert_refused("3 scans", "series 5+6 ankle: 4 echoes with mag, phase", "series 7+8", "`series`")
        self.assertEqual(len(self.read(series=6).files), 16)
        self.assertIn("megre_8_e1_ph", str(self.read(series="7").files))
        self.assert_refused("no series 99", "series 11 other", series=99)

    def test_why_magnitude_and_phase_are_no_scan_is_told(self):
        self.write(5, ("mag",), RepetitionTime=0.012)
        self.write(6, ("phase",), RepetitionTime=0.0120000001)  # as after a division
        self.assert_same_scan(self.read().acquisition)
        self.write(6, ("phase",), RepetitionTime=0.015)
        self.assert_refused("megre_6_e1_ph.nii.gz do not belong together (RepetitionTime 0.012 against 0.015)")
        self.write(6, ("phase",), RepetitionTime=0.012)
        for path in self.folder.glob("*_ph.nii.gz"):
            nifti.write_image(path, nifti.read_image(path)[0][1:], scans.AFFINE)
        self.assert_refused("do not belong together (6 × 5 × 4 voxels (i × j × k) against 6 × 5 × 3)")

    def test_other_series_of_the_examination_are_left_aside(self):
        self.write(2, ("mag",), times=(0.005,), ProtocolName="localizer")
        self.write(3, ("mag", "phase"), times=(0.005, 0.007), ProtocolName="field map")
        self.write(5, ("mag",))
        self.write(6, ("phase",))
        self.write(7, ("mag",), times=(0.0025,), ImageType=["DERIVED", "PRIMARY", "M", "T2_STAR MAP"])
        self.assert_same_scan(self.read().acquisition)

    def test_interleaved_trains_in_series_of_their_own_are_one_scan(self):
        later = tuple(time + 0.0003 for time in scans.ECHO_TIMES)
        for number, part, times, seed in ((5, "mag", scans.ECHO_TIMES, 1), (6, "phase", scans.ECHO_TIMES, 1),
                                          (7, "mag", later, 2), (8, "phase", later, 2)):  # fmt: skip
            self.write(number, (part,), times, seed=seed)
        acquisition = self.read().acquisition
        np.testing.assert_allclose(acquisition.echo_times, sorted(scans.ECHO_TIMES + later))
        np.testing.assert_allclose(acquisition.echoes[1], scans.echoes(seed=2)[0], atol=1e-3)
        self.assertIn("come from 2 series, joined to one scan of 8 echoes", acquisition.notes[0])

    def test_a_folder_for_each_series_is_read_and_patients_are_never_mixed(self):
        self.write(5, ("mag",), folder="a/5")
        self.write(6, ("phase",), folder="a/6")
        self.assert_same_scan(self.read().acquisition)
        self.write(5, ("mag",), folder="b/5")
        self.write(6, ("phase",), folder="b/6")
        self.assert_refused("no scan of at least three echoes with magnitude and phase")
        self.assert_same_scan(self.read(self.folder / "b").acquisition)

    def test_patients_in_one_folder_are_told_apart_by_the_names(self):
        for name in ("anna_{}", "bert_{}"):
            self.write(5, ("mag",), name=name)
            self.write(6, ("phase",), name=name)
        for series in (None, 5):  # whose number does not choose
            self.assert_refused("2 scans", "a folder that holds only one of them", series=series)
        for path in self.folder.glob("anna*"):
            path.unlink()
        self.assert_same_scan(self.read().acquisition)

    def test_patients_that_sidecars_name_are_told_apart_whatever_else_is_alike(self):
        for key in ("PatientName", "PatientBirthDate"):
            self.write(5, ("mag",), **{key: "A"})
            self.write(6, ("phase",), **{key: "B"})
            self.assert_refused(f"do not belong together ({key} A against B)")

    def test_without_phase_it_is_said_what_there_is(self):
        self.write(5, ("mag",))
        self.assert_refused("series 5 ankle: 4 echoes with mag", "export what is missing")
        self.assert_refused("part-mag for 4", series=5)
        self.assert_refused("set magnitude_maps to yes")

    def test_magnitude_alone_is_read_where_it_will_do_and_no_scan_has_phase(self):
        self.write(5, ("mag",))
        acquisition = self.read(magnitude_alone=True).acquisition
        self.assertFalse(acquisition.has_phase)
        np.testing.assert_allclose(acquisition.echoes, np.abs(scans.echoes()), atol=1e-3)
        self.write(7)
        self.assertTrue(self.read(magnitude_alone=True).acquisition.has_phase)

    def test_sidecars_without_series_number_are_grouped_by_name(self):
        self.write(5, SeriesNumber=None)
        self.assert_same_scan(self.read().acquisition)

    def test_names_of_another_bids_suffix_give_the_labels(self):
        for path in scans.write_bids(self.folder, name="sub-07_ses-2").iterdir():
            path.rename(path.with_name(path.name.replace("MEGRE", "T2starw")))
        scan = self.read()
        self.assert_same_scan(scan.acquisition)
        self.assertEqual(scan.stem, "sub-07_ses-2")
        self.assertEqual(self.read(subject="1").stem, "sub-1_ses-2")

    def test_images_without_sidecars_are_told(self):
        nifti.write_image(self.folder / "x.nii", np.zeros((2, 3, 4), np.float32), scans.AFFINE)
        self.assert_refused("1 NIfTI files that no JSON sidecar gives an EchoTime", "dcm2niix")

    def edit(self, pattern, change):
        for path in self.folder.glob(pattern):
            path.write_text(json.dumps(change(json.loads(path.read_text()))))

    def test_an_echo_time_alone_in_a_list_is_one_and_others_are_told(self):
        self.write(5)
        self.edit("*.json", lambda side: {**side, "EchoTime": [side["EchoTime"]]})
        self.assert_same_scan(self.read().acquisition)
        self.edit("*.json", lambda side: {**side, "EchoTime": list(scans.ECHO_TIMES)})
        self.assert_refused("EchoTime of megre_5_e1", "expected one number")
        self.edit("*.json", lambda side: {**side, "EchoTime": "1.2 ms"})
        self.assert_refused("EchoTime of megre_5_e1", "'1.2 ms'; expected one number")

    def test_one_sidecar_of_an_echo_will_do_where_the_names_tell_the_part(self):
        self.write(5)
        for path in self.folder.glob("*_ph.json"):
            path.unlink()
        self.assert_same_scan(self.read().acquisition)

    def test_a_type_that_is_no_list_tells_nothing(self):
        for other in (5, {"a": 1}, None):
            self.write(5, ImageType=other)
            self.assert_same_scan(self.read().acquisition)

    def test_a_type_may_be_one_text_as_dicom_writes_it(self):
        self.write(5)
        self.edit("*.json", lambda side: {**side, "ImageType": "\\".join(side["ImageType"])})
        for n in range(1, 5):
            for kind in (".nii.gz", ".json"):
                (self.folder / f"megre_5_e{n}_ph{kind}").rename(self.folder / f"megre_5_e{n}x{kind}")
        self.assert_same_scan(self.read().acquisition)

    def test_a_folder_of_packed_images_or_of_headers_alone_is_told(self):
        (self.folder / "x.nii.bz2").write_bytes(b"BZh91AY")
        self.assert_refused("x.nii.bz2 is packed by bzip2; unpack it")
        (self.folder / "x.nii.bz2").unlink()
        (self.folder / "x.hdr").write_bytes(struct.pack("<i", 348) + bytes(344))
        self.assert_refused("x.hdr is a header apart from its values")

    def test_a_folder_without_a_scan_says_what_it_holds(self):
        self.assert_refused("it is empty")
        for name in ("derivatives", "sourcedata"):
            (self.folder / name).mkdir()
        self.assert_refused("but derivatives and sourcedata, which are not searched (give a folder in there)")
        for name in ("derivatives", "sourcedata"):
            (self.folder / name).rmdir()
        (self.folder / "notes.txt").write_text("to do")
        (self.folder / "scan.mat").write_bytes(b"MATLAB 5.0 MAT-file")
        self.assert_refused("no images of echoes but scan.mat; give that file")
        for n in range(3):
            (self.folder / f"{n}.dcm").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
        self.assert_refused("0.dcm is a pointer of Git LFS", "git lfs pull")

    def test_the_image_type_of_every_vendor_tells_the_part(self):
        for types, part in (
            (["ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE"], "mag"),
            (["ORIGINAL", "PRIMARY", "PHASE MAP", "P", "FFE"], "phase"),
            (["ORIGINAL", "PRIMARY", "P", "NONE"], "phase"),
            (["ORIGINAL", "PRIMARY", "OTHER", "REAL"], "real"),
            (["ORIGINAL", "PRIMARY", "OTHER", "IMAGINARY"], "imag"),
            (["ORIGINAL", "PRIMARY", "OTHER"], None),
        ):
            self.assertEqual(part_of_type({"ImageType": types}), part)
        self.assertEqual(part_of_type({"ComplexImageComponent": "PHASE"}), "phase")


class OneFileTest(DoorTest):
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


class ComplexTest(DoorTest):
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


class RunsTest(DoorTest):
    TIMES = tuple(n * 1e-4 + 0.001 for n in range(9))

    def signal(self):
        return scans.echoes(count=9)

    def write_runs(self, parts=("mag", "phase"), times=TIMES, **changes):
        """Three runs of three echoes each, interleaved."""
        for run in range(3):
            sidecar = lambda n, run=run: {  # noqa: E731
                "EchoTime": times[run + 3 * (n - 1)], "MagneticFieldStrength": 3, "RepetitionTime": 0.01
            } | {key: value[run] for key, value in changes.items()}  # fmt: skip
            scans.write_bids(self.folder, self.signal()[run::3], f"sub-01_run-{run + 1}", parts, sidecar=sidecar)

    def test_interleaved_trains_stored_as_runs_are_one_scan_and_that_is_said(self):
        self.write_runs()
        scan = self.read()
        self.assert_same_scan(scan.acquisition, self.signal(), self.TIMES)
        self.assertEqual(scan.stem, "sub-01")
        self.assertIn("3 runs (run-1 to run-3) differ in echo time", scan.acquisition.notes[0])
        self.assertEqual(len(self.read(run="2").acquisition.echo_times), 3)
        for path in self.folder.glob("*part-phase*.json"):  # one sidecar of an echo will do
            path.unlink()
        self.assert_same_scan(self.read().acquisition, self.signal(), self.TIMES)

    def test_runs_that_repeat_echoes_or_differ_otherwise_stay_scans_of_their_own(self):
        self.write_runs(times=(*self.TIMES[:4], self.TIMES[3], *self.TIMES[5:]))
        self.assert_refused("3 scans", "`run`")
        self.write_runs(FlipAngle=(5, 5, 20))
        self.assert_refused("3 scans", "`run`")
        self.write_runs()
        scans.write_bids(self.folder / "sub-02", name="sub-02")
        self.assert_refused("4 scans", "`subject` and `run`")

    def test_runs_of_one_file_each_are_joined_in_the_order_of_time(self):
        for run in range(3):
            for part in ("mag", "phase"):
                stem = self.folder / f"sub-01_run-{run + 1}_part-{part}_MEGRE"
                write_series(f"{stem}.nii", [CONVERT[part](echo) for echo in self.signal()[run::3]])
                side = {"EchoTime": self.TIMES[run::3], "MagneticFieldStrength": 3}
                Path(f"{stem}.json").write_text(json.dumps(side))
        self.assert_same_scan(self.read().acquisition, self.signal(), self.TIMES)

    def test_echoes_and_parts_that_a_converter_numbered_as_runs_are_one_scan(self):
        for run, (part, n) in enumerate(((part, n) for part in ("mag", "phase") for n in range(9)), 1):
            stem = self.folder / f"sub-01_run-{run:02}_MEGRE"
            nifti.write_image(f"{stem}.nii", CONVERT[part](self.signal()[n]).astype(np.float32), scans.AFFINE)
            side = {"EchoTime": self.TIMES[n], "MagneticFieldStrength": 3, "ImageType": IMAGE_TYPES[part]}
            Path(f"{stem}.json").write_text(json.dumps(side))
        self.assert_same_scan(self.read().acquisition, self.signal(), self.TIMES)


class FileKindTest(DoorTest):
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


class SlicesTest(unittest.TestCase):
    def test_a_phase_that_runs_the_other_way_in_single_slices_or_every_other_one_is_negated_and_told(self):
        steep = {"field_gradient_hz_per_mm": (20.0, 0.0, 0.0)}  # the field passes zero between two slices
        patterns = [[], [9], [8, 14], [*range(1, 24, 2)]]
        for changes, tried in (({"snr": 10.0}, patterns), (steep, patterns[::3])):
            settings = PhantomSettings(shape=(50, 50, 24), supersampling=1, seed=3, **changes)
            right = make_phantom(settings).acquisition.echoes
            for slices in tried:
                with self.subTest(changes, slices=slices):
                    echoes = right.copy()
                    echoes[:, slices] = echoes[:, slices].conj()
                    notes = undo_slices(echoes, "x")
                    np.testing.assert_array_equal(echoes, right)
                    self.assertEqual(len(notes), bool(slices))
                    for note in notes:
                        self.assertIn("1 slice of x (10)" if slices == [9] else f"{len(slices)} slices of x", note)
                    for number in (1, 4):
                        echoes[number, slices] = echoes[number, slices].conj()
                    notes = undo_slices(echoes, "x")
                    np.testing.assert_array_equal(echoes, right)
                    self.assertEqual(["echoes 2, 5 of x" in note for note in notes], [True] * bool(slices))

    def test_a_sign_that_alternates_along_the_slices_is_undone(self):
        rng = np.random.default_rng(0)
        noise = rng.standard_normal((3, 8, 20, 20, 2)) @ [1, 1j]
        smooth = (30 + noise).astype(np.complex64)
        smooth[:, :, :8] = noise[:, :, :8]
        turned = smooth.copy()
        turned[:, 1::2] *= -1
        self.assertEqual(undo_alternate_slices(turned), [0, 1, 2])
        np.testing.assert_array_equal(turned, smooth)
        for some in ([0], [1], [1, 2]):
            for number in some:
                turned[number, 1::2] *= -1
            self.assertEqual(undo_alternate_slices(turned), some)
            np.testing.assert_array_equal(turned, smooth)
        for other in (smooth, noise.astype(np.complex64), smooth[:, :1], 0 * smooth):
            before = other.copy()
            self.assertEqual(undo_alternate_slices(other), [])
            np.testing.assert_array_equal(other, before)


if __name__ == "__main__":
    unittest.main()
