"""Scans as converters and other programs leave them."""

import json
import struct
import unittest
from pathlib import Path

import numpy as np
import scans
from reading import CONVERT, ENDINGS, IMAGE_TYPES, FolderTest, write_series

from TrabecularQSMLib.files import nifti
from TrabecularQSMLib.files.parts import part_of_type, split_part


class ConvertedTest(FolderTest):
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

    def test_echoes_that_are_numbered_otherwise_in_one_part_are_told(self):
        self.write(5)
        self.assertNotIn("numbered alike", " ".join(self.read().acquisition.notes))
        for changed, told in (("*_e[12]_ph.json", True), ("*_e[12].json", False)):  # then both are numbered so
            self.edit(changed, lambda side: {**side, "EchoNumber": 3 - side["EchoNumber"]})
            notes = " ".join(self.read().acquisition.notes)
            self.assertEqual(
                "that are numbered alike have the echo times 1.2, 1.9, 2.6, 3.3 ms in the mag" in notes, told
            )

    def test_in_phase_and_opposed_phase_are_no_parts(self):
        for name in ("dixon_in_phase", "dixon_opp-phase", "t1 out of phase", "op_phase"):
            self.assertEqual(split_part(name), (name, None))
        self.assertEqual(split_part("dixon_in_phase_e1_ph"), ("dixon_in_phase_e1", "phase"))
        self.assertEqual(split_part("phase"), ("", "phase"))
        self.assertEqual(split_part("knee_post-op_phase"), ("knee_post-op", "phase"))

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
        # Such as maps with their report.
        (self.folder / "report.html").write_text("<!DOCTYPE html><html></html>")
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


class RunsTest(FolderTest):
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


if __name__ == "__main__":
    unittest.main()
