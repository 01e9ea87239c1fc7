"""Susceptibility from a field that other software has measured."""

import json
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path

import numpy as np
import scipy.io
from commands import run

from TrabecularQSMLib.acquisition import GYROMAGNETIC_RATIO_HZ_PER_T, MeasuredField
from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.files.field import read_field
from TrabecularQSMLib.files.maps import find_maps, planned_maps
from TrabecularQSMLib.files.nifti import read_image, write_image
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom
from TrabecularQSMLib.pipeline import reconstruct
from TrabecularQSMLib.pipeline.entry import fields_of
from TrabecularQSMLib.settings import preset

PHANTOM = PhantomSettings(shape=(30, 31, 14))
FAST = preset(inversion="closed-form")


class GivenFieldTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.acquisition = make_phantom(PHANTOM).acquisition
        cls.maps = reconstruct(cls.acquisition, preset(inversion="closed-form", background="none")).maps
        cls.mask = cls.maps["mask"] > 0

    def test_the_chain_s_local_field_gives_the_chain_s_susceptibility(self):
        given = MeasuredField(self.maps["local_field"], self.acquisition.affine, "local")
        found = reconstruct(given, FAST, mask=self.mask)
        # The same numbers through the same inversion.
        np.testing.assert_allclose(found.maps["chi"], self.maps["chi"], atol=1e-6)
        self.assertEqual(found.settings.background, "none")
        self.assertEqual(set(found.maps), set(planned_maps(FAST, given)))

    def test_the_chain_s_total_field_gives_the_chain_s_local_field(self):
        wanted = reconstruct(self.acquisition, FAST).maps["local_field"]
        measured = self.maps["reliability"] > 0
        total = np.where(measured, self.maps["total_field"], 0)
        given = MeasuredField(total, self.acquisition.affine, "total")
        found = reconstruct(given, FAST, mask=self.mask)
        # Where nothing was measured, neighbors fill in by their reliability there, all alike here.
        inside = measured & (wanted != 0)
        self.assertLess(np.std((found.maps["local_field"] - wanted)[inside]), 0.2 * np.std(wanted[inside]))
        self.assertEqual(set(found.maps), set(planned_maps(FAST, given)))

    def test_a_local_field_that_is_too_large_for_one_is_told(self):
        affine = self.acquisition.affine
        local = reconstruct(self.acquisition, FAST).maps["local_field"]
        total = np.where(local != 0, self.maps["total_field"], 0)
        for field, told in ((local, False), (2 * np.pi * local, True), (local / 20, True), (total, True)):
            notes = " ".join(reconstruct(MeasuredField(field, affine, "local"), FAST).notes)
            self.assertEqual("make some tenths: check its unit" in notes, told)
        # Where nothing gives signal, a phase of noise is none of it.
        magnitude = self.maps["mip"] * (np.random.default_rng(3).random(local.shape) > 0.05)
        noisy = np.where((magnitude == 0) & (local != 0), 4, local).astype(np.float32)
        notes = " ".join(reconstruct(MeasuredField(noisy, affine, "local", magnitude=magnitude), FAST).notes)
        self.assertNotIn("make some tenths", notes)

    def test_a_magnitude_gives_weights_edges_and_the_body(self):
        given = MeasuredField(self.maps["total_field"], self.acquisition.affine, "total", magnitude=self.maps["mip"])
        quick = preset(inversion="medi-l2", inversion_iterations=3)
        found = reconstruct(given, quick)
        self.assertEqual(found.settings.edge_image, "smoothed-magnitude")
        asked = reconstruct(given, replace(quick, edge_image="opposed-phase"))
        self.assertEqual(asked.settings.edge_image, "magnitude")
        self.assertIn("A field has no opposed-phase image", " ".join(asked.notes))
        # LBV leaves no field in the outermost slices of the mask, which then ends before them.
        ends = np.ones(self.mask.shape, bool)
        ends[1:-1, 1:-1, 1:-1] = False
        self.assertGreater(np.mean((found.maps["mask"] > 0)[~ends] == self.mask[~ends]), 0.98)
        self.assertFalse(np.any(found.maps["mask"][ends]))
        dark = self.maps["mip"] < 0.05 * self.maps["mip"].max()
        self.assertEqual(found.maps["reliability"][dark].max(), 0)

    def test_unit_sign_and_b0_that_contradict_the_field_of_the_air_are_told(self):
        total, affine = self.maps["total_field"], self.acquisition.affine
        turned = np.eye(4)
        turned[:3, :3] = [[1, 0, 0], [0, 0, -1], [0, 1, 0]]
        cases = {
            "times as strong: check its unit (a factor of 2π is rad/s where Hz is meant)": (2 * np.pi * total, affine),
            "times as strong: check its unit (a factor of 2π is Hz where rad/s is meant)": (total / 2 / np.pi, affine),
            "follows that of the air around the body with the other sign": (-total, affine),
            "if B0 lies posterior–anterior": (total, turned @ affine),
            None: (total, affine),
        }
        for words, (field, its_affine) in cases.items():
            given = MeasuredField(field, its_affine, "total", magnitude=self.maps["mip"])
            notes = " ".join(fields_of(given, preset(), None, None).notes)
            if words:
                self.assertIn(words, notes)
            else:
                self.assertNotIn("that of the air", notes)

    def test_a_mask_that_was_transposed_is_told(self):
        given = MeasuredField(self.maps["local_field"], self.acquisition.affine, "local", magnitude=self.maps["mip"])
        for mask, told in ((self.mask, False), (np.flip(self.mask, 1), True)):
            notes = " ".join(fields_of(given, preset(), mask, None).notes)
            self.assertEqual("The mask agrees with what gives signal by" in notes, told)

    def test_the_sign_is_noted_and_can_be_turned(self):
        given = MeasuredField(-self.maps["local_field"], self.acquisition.affine, "local")
        wrong = reconstruct(given, FAST, mask=self.mask)
        right = reconstruct(given, preset(inversion="closed-form", phase_sign="-1"), mask=self.mask)
        np.testing.assert_allclose(right.maps["chi"], -wrong.maps["chi"], atol=1e-6)
        self.assertIn("sign of a field", " ".join(wrong.notes))
        self.assertNotIn("sign of a field", " ".join(right.notes))
        self.assertIn("There is no magnitude: all voxels", " ".join(wrong.notes))
        self.assertIn("no magnitude that differs between tissues, by which cortex is told", " ".join(wrong.notes))

    def test_the_order_in_which_axes_are_stored_does_not_matter(self):
        affine = self.acquisition.affine @ np.array([[-1.0, 0, 0, 29], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
        given = MeasuredField(self.maps["local_field"], self.acquisition.affine, "local")
        turned = MeasuredField(self.maps["local_field"][..., ::-1], affine, "local")
        np.testing.assert_array_equal(
            reconstruct(given, FAST).maps["chi"], reconstruct(turned, FAST).maps["chi"][..., ::-1]
        )

    def test_what_cannot_be_right_is_refused(self):
        affine, field = self.acquisition.affine, self.maps["total_field"]
        cases = {
            "zero everywhere": {"field": np.zeros_like(field)},
            "wherever it is not zero, as a mask": {"field": 0.3 * self.mask},
            "check its unit": {"field": 128 * field},
            "one real volume": {"field": field[0]},
            "choose one of total, local": {"stage": "echoes"},
            "field's grid": {"magnitude": field[1:]},
            "expected 0.01 to 30 T": {"field_strength": 3000.0},
        }
        for words, changes in cases.items():
            with self.assertRaisesRegex(InputError, words):
                MeasuredField(**{"field": field, "affine": affine, "stage": "total", **changes})
        for setting, value, stage in (
            ("stop_after", "fieldmap", "total"), ("chi_sigma", "yes", "local"), ("separate_rates", "yes", "local"),
            ("magnitude_maps", "yes", "total"), ("inversion", "total-field", "local"),
        ):  # fmt: skip
            with self.assertRaisesRegex(InputError, f"{setting}|choose another inversion"):
                reconstruct(MeasuredField(field, affine, stage), preset(**{setting: value}))
        with self.assertRaisesRegex(InputError, "give a mask, or a magnitude"):
            reconstruct(MeasuredField(field + 1e-3, affine, "total"), FAST)


class FieldFileTest(unittest.TestCase):
    def setUp(self):
        keep = tempfile.TemporaryDirectory()
        self.addCleanup(keep.cleanup)
        self.folder = Path(keep.name)
        rng = np.random.default_rng(0)
        self.affine = np.diag([-1.5, 1.5, 2.0, 1.0])
        self.field = np.zeros((8, 9, 10), np.float32)
        self.field[1:-1, 1:-1, 1:-1] = 0.1 * rng.standard_normal((6, 7, 8))

    def write(self, array, name="theirs.nii.gz", affine=None, **metadata):
        write_image(self.folder / name, np.asarray(array, np.float32), self.affine if affine is None else affine)
        if metadata:
            self.folder.joinpath(name.split(".")[0] + ".json").write_text(json.dumps(metadata), encoding="utf-8")
        return self.folder / name

    def test_every_unit_gives_the_same_field(self):
        hertz = 3 * GYROMAGNETIC_RATIO_HZ_PER_T * 1e-6
        cases = (
            (1.0, {"Units": "ppm"}, {}),
            (1.0, {}, {"unit": "ppm"}),
            (hertz, {"Units": "Hz", "MagneticFieldStrength": 3.0}, {}),
            (hertz, {}, {"unit": "Hz", "field_strength": 3.0}),
            (hertz, {"ImagingFrequency": hertz}, {"unit": "Hz"}),
            (
                hertz,
                {"MagneticFieldStrength": 1.5, "ImagingFrequency": hertz / 2},
                {"unit": "Hz", "field_strength": 3.0},
            ),
            (2 * np.pi * hertz, {"Units": "rad/s", "MagneticFieldStrength": 3.0}, {}),
        )
        for number, (factor, metadata, options) in enumerate(cases):
            path = self.write(factor * self.field, f"f{number}.nii.gz", **metadata)
            scan = read_field(path, "local", **options)
            np.testing.assert_allclose(scan.acquisition.field, self.field, rtol=1e-5, atol=1e-9)
            self.assertEqual(len(scan.files), 2 if metadata else 1)
        self.assertEqual(scan.stem, "sub-01")

    def test_the_direction_of_b0_is_that_of_the_sidecar_unless_it_is_given(self):
        ours = {"B0Direction": [0, 1, 0], "StartedFrom": "echoes"}
        for metadata, given, direction in (
            ({}, None, (0, 0, 1)),
            ({"B0DirectionRAS": [1, 0, 0]}, None, (1, 0, 0)),
            (ours, None, (0, 1, 0)),
            (ours, (0, 0, 1), (0, 0, 1)),
            ({"B0Direction": [0, 1, 0]}, None, (0, 0, 1)),  # along whatever axes another program means
        ):
            path = self.write(self.field, Units="ppm", **metadata)
            self.assertEqual(read_field(path, "local", b0_direction=given).acquisition.b0_patient, direction, metadata)
        for metadata, asked in (
            ({**ours, "B0Direction": [0, 0, 1]}, True),  # may have been assumed
            ({"B0DirectionRAS": [0, 0, 1]}, False),
        ):
            path = self.write(self.field, Units="ppm", MagneticFieldStrength=0.35, **metadata)
            notes = " ".join(read_field(path, "local").acquisition.notes)
            self.assertEqual("unless `b0_direction` is 0 1 0" in notes, asked, metadata)
        with self.assertRaisesRegex(InputError, "B0DirectionRAS of theirs.nii.gz is 'up'"):
            read_field(self.write(self.field, Units="ppm", B0DirectionRAS="up"), "local")

    def test_what_is_too_small_for_a_field_is_told(self):
        phase = np.random.default_rng(1).uniform(-np.pi, np.pi, self.field.shape)
        for array, options in ((1e-6 * self.field, {"unit": "ppm"}), (phase, {"unit": "rad/s", "field_strength": 3.0})):
            with self.assertRaisesRegex(InputError, "tissue and air make 0.005 to 50, so check its unit"):
                read_field(self.write(array), "total", **options)

    def test_what_is_not_finite_was_not_measured(self):
        self.field[4, 4, 4:6] = np.nan, np.inf
        given = read_field(self.write(self.field, Units="ppm"), "local").acquisition
        self.assertFalse(given.known[4, 4, 4:6].any())
        self.assertTrue(np.all(np.isfinite(given.field)))

    def write_medi(self, **changes):
        """A file of MEDI, whose fields are radians in the time between echoes, along axes x, y, z."""
        radians = (2e-6 * np.pi * 1.2e-3 * 127.7e6 * self.field).T
        values = {"RDF": radians, "iFreq": 2 * radians, "Mask": radians != 0, "iMag": np.ones(radians.shape),
                  "delta_TE": 1.2e-3, "CF": 127.7e6, "voxel_size": [1.0, 2.0, 3.0], "B0_dir": [1.0, 0, 0],
                  "matrix_size": radians.shape}  # fmt: skip
        values = {name: value for name, value in {**values, **changes}.items() if value is not None}
        scipy.io.savemat(self.folder / "RDF.mat", values)
        return self.folder / "RDF.mat"

    def test_medis_fields_are_read_from_its_mat_file(self):
        for stage, factor in (("local", 1), ("total", 2)):
            given = read_field(self.write_medi(), stage).acquisition
            np.testing.assert_allclose(given.field, factor * self.field, rtol=1e-5, atol=1e-9)
            np.testing.assert_array_equal(given.magnitude, np.ones(self.field.shape))
            self.assertEqual((given.imaging_frequency, given.b0_patient), (127.7e6, (1, 0, 0)))
            np.testing.assert_array_equal(np.diag(given.affine), (1, 2, 3, 1))
            self.assertIn("radians in the time between echoes", given.notes[1])
        outside = np.ones(self.field.T.shape)
        outside[3] = 0
        self.assertFalse(read_field(self.write_medi(Mask=outside), "local").acquisition.known[..., 3].any())
        cases = (
            ("leave `field_unit` out", {}),
            ("no delta_TE and no CF", {"delta_TE": None, "CF": 0.0}),
            ("no RDF, a field of MEDI", {"RDF": None}),
            ("10 × 9 × 8", {"matrix_size": (8, 9, 10)}),
            ("delta_TE of RDF.mat is 1.2 s, which looks like milliseconds", {"delta_TE": 1.2}),
            ("if it is in MHz", {"CF": 127.7}),
        )
        for words, changes in cases:
            with self.assertRaisesRegex(InputError, words):
                read_field(self.write_medi(**changes), "local", unit=None if changes else "Hz")

    def test_what_medis_variables_contradict_in_each_other_is_told(self):
        bent = np.random.default_rng(3).normal(0, 0.1, (12, 12, 12))
        both = {"RDF": bent, "iFreq": bent + np.indices(bent.shape)[0], "Mask": None, "iMag": None, "matrix_size": None}
        cases = {
            None: both | {"TE": [2e-3, 3.2e-3, 4.4e-3]},
            "6.28 times as strongly": both | {"RDF": 2 * np.pi * bent},
            "-1 times as strongly": both | {"RDF": -bent},
            "delta_TE of RDF.mat is 1.2 ms, but its echo times lie 1 ms apart": both | {"TE": [2e-3, 3e-3, 4e-3]},
        }
        for words, changes in cases.items():
            for stage in ("local", "total"):
                notes = read_field(self.write_medi(**changes), stage).acquisition.notes[2:]
                self.assertEqual(len(notes), words is not None)
                self.assertIn(words or "", " ".join(notes))

    def test_what_is_not_known_is_asked_for_and_what_contradicts_is_refused(self):
        plain = self.write(self.field, "plain.nii.gz")
        odd = self.write(self.field, "odd.nii.gz", Units="T")
        hertz = self.write(self.field, "hertz.nii.gz", Units="Hz")
        shifted = self.write(self.field, "m.nii.gz", affine=np.diag([-1.5, 1.5, 3.0, 1.0]))
        cases = (
            (plain, {}, "Nothing says the unit"),
            (odd, {}, "Units of"),
            (hertz, {}, "says no field strength"),
            (hertz, {"unit": "ppm"}, "leave it out or correct"),
            (plain, {"unit": "kHz"}, "choose one of"),
            (plain, {"unit": "ppm", "magnitude": shifted}, "not on the grid"),
            (self.folder, {"unit": "ppm"}, "is a folder"),
            (self.folder / "none.nii", {"unit": "ppm"}, "none.nii"),
        )
        for path, options, words in cases:
            with self.assertRaisesRegex(InputError, words):
                read_field(path, "local", **options)

    def test_it_runs_on_the_command_line_with_its_provenance(self):
        path = self.write(128 * self.field, "sub-07_theirs.nii.gz")
        given = ("--from", "local-field", "--inversion", "closed-form")
        code, _, err = run("reconstruct", path, self.folder / "out", *given)
        self.assertEqual(code, 2)
        self.assertIn("--field-unit", err)
        given = (*given, "--field-unit", "Hz", "--field-strength", "3")
        code, out, err = run("reconstruct", path, self.folder / "out", *given, "--dry-run")
        self.assertEqual(code, 0, err)
        code, shown, err = run("reconstruct", path, self.folder / "out", *given)
        self.assertEqual(code, 0, err)
        maps = find_maps(self.folder / "out")["sub-07"]
        read = read_field(path, "local", unit="Hz", field_strength=3).acquisition
        self.assertEqual(set(maps), set(planned_maps(FAST, read)))
        self.assertTrue(all(str(file) in out for file in maps.values()))
        self.assertIn("measured elsewhere", shown)
        sidecar = json.loads(Path(str(maps["chi"]).replace(".nii.gz", ".json")).read_text(encoding="utf-8"))
        self.assertEqual(sidecar["Settings"]["background"], "none")
        self.assertEqual(sidecar["MagneticFieldStrength"], 3.0)
        self.assertEqual(list(sidecar["InputFiles"]), ["sub-07_theirs.nii.gz"])
        self.assertTrue(np.any(read_image(maps["chi"])[0]))

    def test_a_mask_goes_with_a_field_with_and_without_magnitude(self):
        path = self.write(self.field, Units="ppm")
        mask = self.write(self.field != 0, "mask.nii.gz")
        magnitude = self.write(1 + 9.0 * (self.field != 0), "magnitude.nii.gz")
        given = ("--from", "local-field", "--inversion", "closed-form", "--dry-run", "--mask", mask)
        for more in ((), ("--magnitude", magnitude)):
            code, _, err = run("reconstruct", path, self.folder / "out", *given, *more)
            self.assertEqual(code, 0, err)

    def test_options_of_the_other_kind_of_input_are_refused(self):
        path = self.write(self.field, Units="ppm")
        cases = (
            (("--from", "total-field", "--echo-times", "1", "2", "3"), "--echo-times"),
            (("--field-unit", "Hz"), "--from total-field"),
            (("--magnitude", "m.nii"), "--from total-field"),
        )
        for options, words in cases:
            code, _, err = run("reconstruct", path, self.folder / "out", *options)
            self.assertEqual(code, 2)
            self.assertIn(words, err)

    def test_a_cohort_says_where_fields_go(self):
        code, _, err = run("cohort", self.folder, self.folder / "out", "--from", "local-field")
        self.assertEqual(code, 2)
        self.assertIn("starts from echoes; give the field of each subject to reconstruct --from", err)


if __name__ == "__main__":
    unittest.main()
