"""Scans in BIDS: names, sidecars, and the values of their images."""

import gzip
import json
import unittest
from pathlib import Path

import numpy as np
import scans
import SimpleITK as sitk
from reading import FolderTest

from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.files import bids, nifti, read_acquisition
from TrabecularQSMLib.files.phase import polar_to_complex, take_off_offset


class BidsTest(FolderTest):
    def test_magnitude_and_phase_give_the_signal_and_the_geometry_back(self):
        for extension in (".nii", ".nii.gz"):
            with self.subTest(extension):
                folder = scans.write_bids(self.folder / extension / "sub-01" / "anat", extension=extension)
                scan = read_acquisition(folder.parent.parent)
                np.testing.assert_allclose(scan.acquisition.echoes, scans.echoes(), rtol=0, atol=1e-3)
                np.testing.assert_allclose(scan.acquisition.affine, scans.AFFINE, atol=1e-5)
                np.testing.assert_allclose(scan.acquisition.echo_times, scans.ECHO_TIMES)
                self.assertEqual(scan.acquisition.imaging_frequency, 127.74e6)
                self.assertEqual(scan.acquisition.notes, ())
                self.assertEqual((scan.stem, scan.folder), ("sub-01", Path("sub-01/anat")))
                self.assertEqual(len(scan.files), 16)

    def test_real_and_imaginary_part_give_the_same_signal(self):
        scans.write_bids(self.folder, parts=("real", "imag"))
        np.testing.assert_array_equal(read_acquisition(self.folder).acquisition.echoes, scans.echoes())

    def test_scaled_integer_phase_is_rescaled_and_said_so(self):
        turn = lambda radians: radians / (2 * np.pi) + 0.5  # noqa: E731 - 0 to 1
        signal = scans.echoes((6, 40, 40))
        scales = {
            "0 to 4095": lambda x: np.floor(turn(x) * 4096).clip(0, 4095).astype(np.int16),
            "-4096 to 4094": lambda x: (2 * np.floor(turn(x) * 4096).clip(0, 4095) - 4096).astype(np.int16),
            "-2048 to 2047": lambda x: (np.floor(turn(x) * 4096).clip(0, 4095) - 2048).astype(np.int16),
            "-3142 to 3142": lambda x: np.round(x * 1000).astype(np.int16),
            "-180 to 180": lambda x: np.degrees(x).astype(np.float32),
        }
        for number, (name, scale) in enumerate(scales.items()):
            with self.subTest(name):
                folder = scans.write_bids(self.folder / str(number), signal, phase=scale)
                acquisition = read_acquisition(folder).acquisition
                difference = np.angle(acquisition.echoes * signal.conj())
                self.assertLess(np.abs(difference).max(), 2 * np.pi / 4096 + 1e-3)
                self.assertEqual(len(acquisition.notes), 1)
                self.assertIn("rescaled to radians", acquisition.notes[0])

    def test_phase_from_zero_to_a_whole_turn_is_radians(self):
        scans.write_bids(self.folder, phase=lambda x: np.mod(x, 2 * np.pi).astype(np.float32))
        acquisition = read_acquisition(self.folder).acquisition
        np.testing.assert_allclose(acquisition.echoes, scans.echoes(), rtol=0, atol=1e-3)
        self.assertEqual(acquisition.notes, ())

    def test_phase_in_an_unknown_scale_is_refused(self):
        for number, factor in enumerate((10.0, 1.5 / np.pi, 5000.0)):
            with self.subTest(factor=factor):
                signal = scans.echoes((6, 40, 40))
                signal[0, 0, 0, 0], signal[0, 0, 0, 1] = -1 + 1e-9j, -1 - 1e-9j  # both ends of the turn
                folder = scans.write_bids(
                    self.folder / str(number), signal, phase=lambda x, f=factor: (f * x).astype(np.float32)
                )
                self.assert_refused("The phase of sub-01", "expected radians", path=folder)

    def test_phase_in_half_turns_is_rescaled(self):
        scans.write_bids(self.folder, phase=lambda x: (x / np.pi).astype(np.float32))
        acquisition = read_acquisition(self.folder).acquisition
        np.testing.assert_allclose(acquisition.echoes, scans.echoes(), rtol=0, atol=1e-3)
        self.assertIn("a whole turn is 2", acquisition.notes[0])

    def test_sidecars_in_capitals_and_parts_in_full_are_read(self):
        scans.write_bids(self.folder)
        for path in sorted(self.folder.rglob("*MEGRE.*")):
            path.rename(path.with_name(path.name.replace("-mag", "-magnitude").replace(".json", ".JSON")))
        scan = read_acquisition(self.folder)
        np.testing.assert_allclose(scan.acquisition.echoes, scans.echoes(), rtol=0, atol=1e-3)
        self.assertTrue(any(path.suffix == ".JSON" for path in scan.files))

    def smooth(self, deviation=3):
        """Echoes of a ball in air with a smooth field, and that phase without wraps."""
        rng = np.random.default_rng(5)
        k, j, i = np.mgrid[-1:1:12j, -1:1:24j, -1:1:24j]
        ball, times = (k**2 + j**2 + i**2 < 0.7) * 100.0, np.array(scans.ECHO_TIMES)[:, None, None, None]
        phase = 2 * np.pi * 900 * (i + 0.5 * j * k) * times + 0.4
        noise = (rng.normal(size=(2, *phase.shape)) * deviation)[0] + 1j * rng.normal(size=phase.shape) * deviation
        signal = ball * np.exp(1j * phase) + noise
        return signal.astype(np.complex64), phase + np.angle(signal * np.exp(-1j * phase))

    def polar(self, magnitude, phase):
        held = np.empty(magnitude.shape, np.complex64)
        held.real, held.imag = magnitude, phase
        return held, polar_to_complex(held, "x")

    def test_phase_in_turns_is_rescaled_and_unwrapped_phase_taken_and_both_are_told(self):
        signal, unwrapped = self.smooth()
        turns = np.angle(signal) / (2 * np.pi)
        for phase, words in ((turns, "a whole turn is 1"), (turns + 0.5, "a whole turn is 1"),
                             (unwrapped, "in radians that was unwrapped already")):  # fmt: skip
            for inside in (np.ones(signal.shape, bool), np.abs(signal) > 30):
                with self.subTest(words, low=phase.min()):
                    found, note = self.polar(np.abs(signal) * inside, phase * inside)
                    np.testing.assert_allclose(found[inside], signal[inside], atol=0.01)
                    self.assertIn(words, note)

    def test_radians_from_another_end_in_one_echo_are_radians_and_other_units_are_told(self):
        signal, _ = self.smooth()
        phase = np.angle(signal)
        phase[1] %= 2 * np.pi
        found, note = self.polar(np.abs(signal), phase)
        np.testing.assert_allclose(found, signal, atol=0.01)
        self.assertIsNone(note)
        phase[2] = np.round((phase[2] / np.pi + 1) * 2047.5)
        with self.assertRaisesRegex(InputError, "echo 1 of x runs from .* that of others from 3 to 4095; expected one"):
            self.polar(np.abs(signal), phase)

    def test_air_that_is_as_bright_as_a_fifth_of_the_body_does_not_make_unwrapped_phase_rough(self):
        signal, unwrapped = self.smooth(deviation=20)
        found, note = self.polar(np.abs(signal), unwrapped)
        np.testing.assert_allclose(found, signal, atol=0.01)
        self.assertIn("was unwrapped already", note)

    def test_phase_unwrapped_over_the_echoes_alone_is_taken(self):
        signal, _ = self.smooth()
        phase = np.unwrap(np.angle(signal), axis=0)  # every voxel by itself: wraps in space stay
        self.assertGreater(np.ptp(phase), 10)
        found, note = self.polar(np.abs(signal), phase)
        np.testing.assert_allclose(found, signal, atol=0.01)
        self.assertIn("was unwrapped already", note)

    def test_what_is_no_phase_of_a_scan_is_refused_by_its_cause(self):
        signal, unwrapped = self.smooth()
        radians = np.angle(signal)
        for words, phase in {
            "from -3 to 3 in whole numbers: radians were rounded": np.round(radians),
            "from 0 to 6 in whole numbers": np.round(np.mod(radians, 2 * np.pi)),
            "which it fills as wrapped phase of another scale does": 0.004 / np.pi * radians,
            "from -2 to 2, which it fills": (2 / np.pi * radians).clip(-1.99, 1.99) * (2 / 1.99),
            "which is no phase of a whole scan": 1e-3 * unwrapped,
            "is 0 everywhere": 0 * radians,
            "is no known scale": 40 * unwrapped,
        }.items():
            with self.subTest(words), self.assertRaisesRegex(InputError, words):
                self.polar(np.abs(signal), phase.astype(np.float32))

    def test_echoes_that_contradict_each_other_are_refused_by_their_cause(self):
        signal, unwrapped = self.smooth()
        magnitude, radians = np.abs(signal), np.angle(signal)
        copied, constant, degrees, scaled = (radians.copy() for _ in range(4))
        copied[2], constant[1] = copied[1], 0.5
        degrees[1:], scaled[1] = np.degrees(degrees[1:]), 4096 / np.pi * scaled[1]
        for words, phase in {
            "phase of echo 2 and of echo 3 of x is the same image": copied,
            "phase of echo 2 of x runs from 0.5 to 0.5, that of others from -3.1": constant,
            "phase of echo 1 of x runs from -3.* to 3.*, that of others from -179": degrees.round(3),
            "phase of echo 1 of x runs from -3.* to 3.*, that of others from -4094": scaled,
            "Magnitude and phase of echo 1 of x are the same image": magnitude,
        }.items():
            with self.subTest(words), self.assertRaisesRegex(InputError, words):
                self.polar(magnitude, phase.astype(np.float32))
        magnitude[3] = magnitude[1]
        with self.assertRaisesRegex(InputError, "The magnitude of echo 2 and of echo 4 of x is the same image"):
            self.polar(magnitude, radians)
        magnitude = np.abs(signal)
        with self.assertRaisesRegex(InputError, "Real part and imaginary part of echo 1 of x are the same image"):
            take_off_offset((signal.real * (1 + 1j)).astype(np.complex64), "x")
        # Phase against the first echo fits water and fat as well, whose own phases are free.
        found, note = self.polar(magnitude, (radians - radians[0] + np.pi) % (2 * np.pi) - np.pi)
        np.testing.assert_allclose(found, signal * np.exp(-1j * radians[0]), atol=0.01)
        self.assertIn("phase of echo 1 of x is 0 everywhere", note)

    def test_an_offset_of_real_and_imaginary_part_is_taken_off_and_told(self):
        signal, _ = self.smooth()
        for offset, stored in ((2048, np.uint16), (100, np.float32)):
            held = ((signal.real * 5 + offset).astype(stored) + 1j * (signal.imag * 5 + offset).astype(stored)).astype(
                np.complex64
            )
            note = take_off_offset(held, "x")
            self.assertIn("have an offset", note)
            np.testing.assert_allclose(held, 5 * signal, atol=10)
        untouched = signal.copy()
        self.assertIsNone(take_off_offset(untouched, "x"))
        np.testing.assert_array_equal(untouched, signal)
        uniform = (
            np.full((4, 6, 6, 6), 100 - 80j, np.complex64)
            * (np.arange(4, 8, dtype=np.float32) / 7)[:, None, None, None]
        )
        uniform[:, :3] = 0
        self.assertIsNone(take_off_offset(uniform, "x"))
        with self.assertRaisesRegex(InputError, "nothing below zero"):
            take_off_offset(np.abs(scans.echoes()) + 1j * np.abs(scans.echoes(seed=2)), "x")

    def test_metadata_is_inherited_from_less_specific_and_higher_files(self):
        folder = scans.write_bids(self.folder / "sub-01" / "anat", sidecar=lambda number: None)
        (self.folder / "dataset_description.json").write_text("{}")
        (self.folder / "MEGRE.json").write_text(json.dumps({"MagneticFieldStrength": 1.5, "EchoTime": 9.0}))
        (self.folder / "sub-01" / "sub-01_MEGRE.json").write_text(json.dumps({"MagneticFieldStrength": 3}))
        (folder / "sub-01_MEGRE.json").write_text(json.dumps({"EchoTime": 8.0}))  # less specific than the echoes' own
        (self.folder / "sub-02_MEGRE.json").write_text(json.dumps({"MagneticFieldStrength": 7}))
        (folder / "._sub-01_MEGRE.json").write_bytes(b"\0\5\x16\7")  # of macOS, on a disk of another system
        for number, time in enumerate(scans.ECHO_TIMES, start=1):
            (folder / f"sub-01_echo-{number}_MEGRE.json").write_text(json.dumps({"EchoTime": time}))
        scan = read_acquisition(self.folder)
        self.assertEqual(scan.acquisition.field_strength, 3)
        np.testing.assert_allclose(scan.acquisition.echo_times, scans.ECHO_TIMES)
        self.assertEqual(sum(file.suffix == ".json" for file in scan.files), 7)

    def test_several_scans_are_listed_with_the_options_that_choose(self):
        for name, anat in (("sub-01_run-1", "sub-01"), ("sub-01_run-2", "sub-01"), ("sub-02_ses-a", "sub-02/ses-a")):
            scans.write_bids(self.folder / anat / "anat", name=name)
        self.assert_refused("3 scans", "sub-01_run-1", "sub-02_ses-a", "`subject`", "`session`", "`run`")
        self.assert_refused("2 scans", "`run`.", subject="01")
        self.assert_refused("no scan with sub-03", "sub-02_ses-a", subject="sub-03")
        self.assertEqual(read_acquisition(self.folder, subject="01", run="02").stem, "sub-01_run-2")
        scan = read_acquisition(self.folder, session="ses-a")
        self.assertEqual((scan.stem, scan.folder), ("sub-02_ses-a", Path("sub-02/ses-a/anat")))

    def test_a_series_does_not_choose_where_there_are_none(self):
        scans.write_bids(self.folder)
        file = next(self.folder.rglob("*.nii*"))
        for path, end in ((self.folder, ", and choose by `subject`, .*"), (file, r"\.")):
            with self.assertRaisesRegex(InputError, f"has no series, .* leave `series` out{end}$"):
                read_acquisition(path, series=5)

    def test_a_file_in_the_folder_of_another_subject_or_session_is_told(self):
        for folder, name in (("sub-02/anat", "sub-01"), ("sub-01/ses-2/anat", "sub-01_ses-1")):
            with self.subTest(folder):
                place = self.folder / name
                scans.write_bids(place / folder, name=name)
                self.assert_refused("is called", f"lies in the folder {folder.split('/')[-2]}", path=place / folder)

    def test_a_header_that_knows_nothing_of_the_place_is_noticed(self):
        scans.write_bids(self.folder, affine=np.eye(4))
        self.assertIn("as programs write where they know nothing", read_acquisition(self.folder).acquisition.notes[0])

    def test_scans_that_differ_in_acq_are_chosen_by_it(self):
        for name in ("sub-01_acq-fine", "sub-01_acq-coarse"):
            scans.write_bids(self.folder, name=name)
        self.assert_refused("choose one with `acq`.")
        self.assertEqual(read_acquisition(self.folder, acq="fine").stem, "sub-01_acq-fine")

    def test_results_beside_the_scan_are_not_taken_for_scans(self):
        scans.write_bids(self.folder / "sub-01" / "anat")
        scans.write_bids(self.folder / "derivatives" / "sub-01" / "anat")
        self.assertEqual(read_acquisition(self.folder).stem, "sub-01")

    def test_an_incomplete_scan_is_refused(self):
        scans.write_bids(self.folder)
        (self.folder / "sub-01_echo-3_part-phase_MEGRE.nii").unlink()
        self.assert_refused("4 echoes", "part-mag for 4, part-phase for 3", "export the missing ones")

    def test_magnitude_without_phase_is_read_where_it_will_do(self):
        scans.write_bids(self.folder, parts=("mag",))
        self.assert_refused("4 echoes with part-mag for 4 and no phase", "set magnitude_maps to yes")
        acquisition = read_acquisition(self.folder, magnitude_alone=True).acquisition
        self.assertFalse(acquisition.has_phase)
        np.testing.assert_allclose(acquisition.echoes, np.abs(scans.echoes()), atol=1e-3)
        again = bids.write_scan(self.folder / "derivatives" / "again", acquisition)
        self.assertFalse([path for path in again if "phase" in path.name])
        scans.write_bids(self.folder)
        self.assertTrue(read_acquisition(self.folder, magnitude_alone=True).acquisition.has_phase)

    def test_a_real_part_is_not_taken_for_magnitude(self):
        for path in scans.write_bids(self.folder, parts=("real",)).iterdir():
            path.rename(path.with_name(path.name.replace("real", "mag")))
        self.assert_refused("negative values", magnitude_alone=True)

    def test_a_folder_without_a_scan_is_refused(self):
        self.assert_refused("_MEGRE.nii[.gz]", "dcm2niix")
        self.assert_refused("does not exist", path=self.folder / "nothing")
        file = self.folder / "scan.nii"
        file.write_bytes(b"")
        self.assert_refused("is empty", path=file)
        self.assert_refused("neither a folder nor a NIfTI, DICOM or .mat file", path=Path(__file__))

    def test_two_files_for_one_echo_are_refused(self):
        scans.write_bids(self.folder)
        scans.write_bids(self.folder, extension=".nii.gz")
        self.assert_refused("the same echo and part; give a folder that holds one alone")

    def test_a_name_without_echo_number_is_refused(self):
        nifti.write_image(self.folder / "sub-01_part-mag_MEGRE.nii", np.zeros((2, 3, 4), np.float32), scans.AFFINE)
        self.assert_refused("echo number", "sub-01_part-mag_MEGRE.nii")

    def test_echoes_on_different_grids_are_refused(self):
        file = "sub-01_echo-3_part-mag_MEGRE.nii"
        moved = scans.AFFINE.copy()
        moved[0, 3] += 1
        thicker = scans.AFFINE @ np.diag([1, 1, 1.01, 1])
        cases = {
            "apart": (scans.echoes()[0].real, moved),
            "voxels of": (scans.echoes()[0].real, thicker),
            "6 × 5 × 4 voxels (i × j × k) against 6 × 5 × 3": (scans.echoes()[0].real[:3], scans.AFFINE),
        }
        for words, (array, affine) in cases.items():
            with self.subTest(words):
                scans.write_bids(self.folder)
                nifti.write_image(self.folder / file, array, affine)
                self.assert_refused(file, "different grids", words)

    def test_a_four_dimensional_file_is_refused_unless_its_last_axis_is_one(self):
        scans.write_bids(self.folder)
        path = self.folder / "sub-01_echo-2_part-mag_MEGRE.nii"
        volume = sitk.ReadImage(str(path))
        sitk.WriteImage(sitk.JoinSeries([volume, volume]), str(path))
        self.assert_refused(path.name, "holds 2 volumes but", "export both again")
        sitk.WriteImage(sitk.JoinSeries([volume]), str(path))
        self.assertEqual(read_acquisition(self.folder).acquisition.shape, (4, 5, 6))

    def test_a_truncated_file_is_refused_by_name(self):
        for extension in (".nii", ".nii.gz"):
            for keep in (0.9, 0.5, 0.02, 0):
                with self.subTest(extension=extension, keep=keep):
                    folder = scans.write_bids(self.folder / extension, extension=extension)
                    path = folder / f"sub-01_echo-2_part-phase_MEGRE{extension}"
                    content = path.read_bytes()
                    path.write_bytes(content[: int(keep * len(content))])
                    self.assert_refused(path.name, "cut short" if keep else "is empty", path=folder)

    def test_a_file_packed_in_several_gzip_members_is_read(self):
        folder = scans.write_bids(self.folder, extension=".nii.gz")
        path = folder / "sub-01_echo-2_part-phase_MEGRE.nii.gz"
        content = gzip.decompress(path.read_bytes())
        path.write_bytes(gzip.compress(content[:500]) + gzip.compress(content[500:]))
        np.testing.assert_allclose(read_acquisition(folder).acquisition.echoes, scans.echoes(), rtol=0, atol=1e-3)

    def test_what_is_no_image_is_refused_by_name(self):
        scans.write_bids(self.folder)
        path = self.folder / "sub-01_echo-1_part-mag_MEGRE.nii"
        path.write_bytes(b"not an image at all" * 100)
        self.assert_refused(path.name, "cannot be read as an image")

    def test_values_that_are_not_numbers_are_refused_by_file(self):
        scans.write_bids(self.folder)
        path = self.folder / "sub-01_echo-4_part-phase_MEGRE.nii"
        array = np.zeros((4, 5, 6), np.float32)
        array[0, 0, :2] = np.nan, np.inf
        nifti.write_image(path, array, scans.AFFINE)
        self.assert_refused(path.name, "2 voxels", "not numbers")

    def test_missing_or_wrong_metadata_is_refused(self):
        good = {"EchoTime": 0.001, "MagneticFieldStrength": 3}
        cases = {
            "no EchoTime": lambda n: {"MagneticFieldStrength": 3},
            "MagneticFieldStrength in tesla": lambda n: {"EchoTime": n * 1e-3},
            "milliseconds": lambda n: {**good, "EchoTime": n * 1.0},
            "do not increase": lambda n: {**good, "EchoTime": 0.01 - n * 1e-3},
            "expected one number": lambda n: {**good, "EchoTime": [0.001, 0.002]},
        }
        for number, (words, sidecar) in enumerate(cases.items()):
            with self.subTest(words):
                self.assert_refused(words, path=scans.write_bids(self.folder / str(number), sidecar=sidecar))

    def test_echoes_whose_sidecars_name_several_patients_are_told(self):
        whose = {"PatientID": "A", "StudyInstanceUID": "1.2"}
        for key, other in (("PatientID", "B"), ("StudyInstanceUID", "1.3")):
            scans.write_bids(
                self.folder,
                sidecar=lambda n, key=key, other=other: (
                    {"EchoTime": n / 1e3, "MagneticFieldStrength": 3, **whose, key: other if n == 2 else whose[key]}
                ),
            )
            notes = " ".join(read_acquisition(self.folder).acquisition.notes)
            self.assertRegex(notes, f"{key} of sub-01_echo-1.* is {whose[key]} but that of sub-01_echo-2.* {other}, ")
        scans.write_bids(self.folder)
        self.assertNotIn("check that all are of one", " ".join(read_acquisition(self.folder).acquisition.notes))

    def test_an_imaging_frequency_in_another_unit_is_told_by_its_own_value(self):
        for value, unit in ((127740000, "Hz"), (127740, "kHz")):
            for others in ({}, {"MagneticFieldStrength": 3}):
                with self.subTest(unit, others=others):
                    sidecars = [{"EchoTime": time, "ImagingFrequency": value, **others} for time in scans.ECHO_TIMES]
                    place = self.folder / f"{unit}{len(others)}"
                    folder = scans.write_bids(place, sidecar=lambda number, s=sidecars: s[number - 1])
                    self.assert_refused(f"is {value} MHz, which looks like {unit}", "(127.74)", path=folder)

    def test_an_echo_that_is_not_there_is_told(self):
        scans.write_bids(self.folder, scans.echoes(count=4))
        self.assertEqual(read_acquisition(self.folder).acquisition.notes, ())
        for path in self.folder.glob("*echo-2_*"):
            path.unlink()
        acquisition = read_acquisition(self.folder).acquisition
        np.testing.assert_array_equal(acquisition.echo_times, np.delete(scans.ECHO_TIMES, 1))
        self.assertIn("sub-01 has no echo-2 but later ones", acquisition.notes[0])

    def test_echoes_of_different_scans_are_refused(self):
        for key, values in (("MagneticFieldStrength", (3, 1.5)), ("ImagingFrequency", (127.7, 63.9))):
            sidecars = [{"EchoTime": time, key: values[n > 1]} for n, time in enumerate(scans.ECHO_TIMES)]
            folder = scans.write_bids(self.folder / key, sidecar=lambda number, s=sidecars: s[number - 1])
            self.assert_refused(f"{key} of sub-01_echo-1", f"sub-01_echo-3_part-mag_MEGRE.nii {values[1]}", path=folder)

    def test_echo_times_of_magnitude_and_phase_must_agree(self):
        scans.write_bids(self.folder)
        (self.folder / "sub-01_echo-1_part-phase_MEGRE.json").write_text(json.dumps({"EchoTime": 0.0011}))
        self.assert_refused("0.0012 and 0.0011 s")

    def test_a_broken_sidecar_is_refused_by_name(self):
        scans.write_bids(self.folder)
        path = self.folder / "sub-01_echo-1_part-phase_MEGRE.json"
        path.write_text("{")
        self.assert_refused(path.name, "not valid JSON")

    def test_a_signed_magnitude_is_refused(self):
        scans.write_bids(self.folder)
        for number, echo in enumerate(scans.echoes(), start=1):
            nifti.write_image(self.folder / f"sub-01_echo-{number}_part-mag_MEGRE.nii", echo.real, scans.AFFINE)
        self.assert_refused("negative values", "the phase or the real part")

    def test_a_voxel_size_that_contradicts_the_header_is_refused(self):
        scans.write_bids(self.folder)
        self.assertEqual(read_acquisition(self.folder, voxel_size=(1.5, 1.2, 3)).acquisition.shape, (4, 5, 6))
        self.assert_refused("1.5 × 1.2 × 3 mm", "1 × 1 × 1", "leave it out", voxel_size=(1, 1, 1))
        self.assert_refused("three positive numbers", voxel_size=(1, -1, 1))

    def test_b0_is_taken_from_the_option(self):
        scans.write_bids(self.folder)
        acquisition = read_acquisition(self.folder, b0_direction=(0, 1, 0)).acquisition
        np.testing.assert_allclose(acquisition.b0_direction, (0.6, 0, 0.8), atol=1e-6)

    def test_a_label_that_is_no_label_is_refused(self):
        scans.write_bids(self.folder)
        self.assert_refused("letters and digits", subject="../x")


if __name__ == "__main__":
    unittest.main()
