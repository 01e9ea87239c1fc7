import argparse
import contextlib
import importlib.util
import inspect
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from dataclasses import fields
from pathlib import Path
from unittest import mock

import numpy as np
import scans

from TrabecularQSMLib import __version__, cli, pipeline, settings
from TrabecularQSMLib.analysis import bvtv
from TrabecularQSMLib.analysis.registration import register_rigid
from TrabecularQSMLib.errors import Cancelled, InputError
from TrabecularQSMLib.files import nifti, writing
from TrabecularQSMLib.files.maps import find_maps, planned_maps
from TrabecularQSMLib.phantom import PhantomSettings
from TrabecularQSMLib.pipeline import Reconstruction
from TrabecularQSMLib.settings import CHOICES, Settings, preset

COMMANDS = next(
    tuple(action.choices) for action in cli.build_parser()._actions if isinstance(action, argparse._SubParsersAction)
)
ROOT = Path(__file__).resolve().parents[2]
HAS_MATPLOTLIB = importlib.util.find_spec("matplotlib") is not None


def run(*arguments):
    """Exit code, stdout and stderr of a command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = cli.main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = stop.code
    return code, out.getvalue(), err.getvalue()


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


def stub(acquisition, settings, **_):
    """In the place of pipeline.reconstruct: maps of the right shape."""
    maps = {name: np.ones(acquisition.shape, np.float32) for name in ("chi", "mask")}
    return Reconstruction(maps, settings, (*acquisition.notes, "a note"))


def parser_of(command):
    choices = next(a for a in cli.build_parser()._actions if isinstance(a, argparse._SubParsersAction)).choices
    return choices[command]


class CommandLineTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.scan, self.output = self.folder / "scan", self.folder / "out"

    def assert_refused(self, *words, code=2, arguments=(), command="reconstruct"):
        """The command ends with one sentence on stderr and writes nothing."""
        there = files(self.folder)
        found, out, err = run(command, *(arguments or (self.scan, self.output)))
        self.assertEqual(found, code, err)
        self.assertEqual(out, "")
        sentence = err.strip().splitlines()[-1]
        for word in words:
            self.assertIn(word, sentence)
        self.assertTrue(sentence.startswith("trabecular-qsm: ") and sentence.endswith("."), sentence)
        self.assertEqual(files(self.folder), there)
        self.assertFalse(self.output.exists() and not any(f.startswith("out/") for f in there))


class FormsTest(unittest.TestCase):
    def test_a_name_that_the_system_does_not_take_is_one_sentence(self):
        long = "x" * 300 + ".csv"
        for arguments in (("measure", ROOT, "--regions", "r.nii", "--output", long), ("reconstruct", long, "o")):
            code, _, err = run(*arguments)
            self.assertEqual((code, len(err.splitlines())), (2, 1))
            self.assertRegex(err, r"^trabecular-qsm: x{80}… cannot be reached .*; give another name\.$")

    def test_every_setting_has_its_flag_with_the_same_choices(self):
        for command, left_out in (("reconstruct", set()), ("lcurve", {"stop_after"})):
            actions = {action.dest: action for action in parser_of(command)._actions}
            for field in fields(Settings):
                if field.name in left_out:
                    self.assertNotIn(field.name, actions)
                    continue
                action = actions[field.name]
                self.assertEqual(action.option_strings, ["--" + field.name.replace("_", "-")])
                self.assertEqual(action.default, argparse.SUPPRESS)
                self.assertEqual(action.choices, CHOICES.get(field.name))
                self.assertGreater(len(action.help), 10, f"{field.name} has no help")

    def test_every_value_of_every_setting_can_be_given_by_its_flag(self):
        for field in fields(Settings):
            low, high = settings.RANGES.get(field.name, (None, None))
            for value in CHOICES.get(field.name, (low, high)):
                text = "none" if value is None else str(value)
                arguments = parser_of("reconstruct").parse_args(["a", "b", f"--{field.name.replace('_', '-')}", text])
                found = getattr(cli.scan.chosen_settings(arguments), field.name)
                self.assertEqual(found or None, value or None, field.name)
                if value is not None:
                    self.assertIs(type(found), type(value), field.name)  # solvers count to whole numbers only

    def test_the_forms_that_are_promised_are_understood(self):
        parse = cli.build_parser().parse_args
        arguments = parse(
            "reconstruct IN OUT --preset paper --settings F.json --background lbv --inversion medi-l2"
            " --stop-after fieldmap --regularization 0.1 --fat-model seven-peak --mask M --voxel-size 1 2 3"
            " --phase-sign -1 --b0-direction 0 0 -1 --threads 2 --overwrite --dry-run"
            " --subject 01 --session a --run 2".split()
        )
        self.assertEqual((arguments.phase_sign, arguments.b0_direction), ("-1", [0, 0, -1]))
        parse("measure MAPS --regions SEG --output T.csv".split())
        self.assertEqual(parse("lcurve IN OUT --lambdas 0.1 1 10".split()).lambdas, [0.1, 1, 10])
        self.assertEqual(parse("phantom OUT --shape 5 6 7 --snr 20 --seed 3 --tilt -10".split()).tilt_degrees, -10)

    def test_help_has_an_example_and_the_methods_that_exist(self):
        for command in COMMANDS:
            code, out, _ = run(command, "--help")
            self.assertEqual(code, 0)
            self.assertIn(f"Example:\n  trabecular-qsm {command} ", out)
            example = out.partition("Example:\n  trabecular-qsm ")[2].split()
            cli.build_parser().parse_args(example)
        _, out, _ = run("reconstruct", "--help")
        for method in (*CHOICES["inversion"], *CHOICES["background"], *CHOICES["fat_model"], *settings.load_presets()):
            self.assertIn(method, out)

    def test_choices_and_defaults_that_a_command_repeats_are_those_of_the_library(self):
        # They are typed once more, because importing the library for them would take most of a second.
        for command, flag, choices, function, keyword in (
            ("bvtv", "rule", bvtv.RULES, bvtv.apparent_bvtv, "rule"),
            ("bvtv", "combination", bvtv.COMBINATIONS, bvtv.combine_phase_cycles, "method"),
            ("register", "start", ("geometry", "moments"), register_rigid, "start"),
        ):
            (action,) = [action for action in parser_of(command)._actions if action.dest == flag]
            self.assertEqual(tuple(action.choices), choices)
            self.assertEqual(action.default, inspect.signature(function).parameters[keyword].default)

    def test_the_version_is_printed(self):
        self.assertEqual(run("--version"), (0, f"TrabecularQSM {__version__}\n", ""))

    def test_every_setting_of_the_phantom_but_its_points_per_voxel_is_a_flag(self):
        from TrabecularQSMLib.cli.phantom import _FLAGS

        self.assertEqual(
            {name for _, name, *_ in _FLAGS} | {"supersampling"}, set(PhantomSettings.__dataclass_fields__)
        )
        text = (
            "--anatomy knee --gap 9 --echo-times 1 2 3.5 5 6 7 --readout bipolar --readout-slope -0.5 --bandwidth 700 "
            "--train-offsets 0 0.4 -1 --field-gradient 0 -3 1 --chi-bone -3 --tilt -10"
        )
        with mock.patch("TrabecularQSMLib.phantom.make_phantom", side_effect=InputError("enough")) as made:
            run("phantom", Path(tempfile.gettempdir()) / "never-made", *text.split())
        expected = PhantomSettings(
            anatomy="knee", gap_mm=9, echo_times=(0.001, 0.002, 0.0035, 0.005, 0.006, 0.007), readout="bipolar",
            readout_slope_rad=-0.5, bandwidth_hz=700, train_offsets_rad=(0, 0.4, -1),
            field_gradient_hz_per_mm=(0, -3, 1), chi_bone=-3, tilt_degrees=-10,
        )  # fmt: skip
        self.assertEqual(made.call_args[0][0], expected)

    def test_a_folder_that_cannot_be_written_is_told_before_the_work(self):
        with tempfile.TemporaryDirectory() as folder:
            blocked = Path(folder) / "file"
            blocked.write_text("not a folder")
            with mock.patch("TrabecularQSMLib.phantom.make_phantom", side_effect=AssertionError("simulated")):
                code, _, err = run("phantom", blocked / "ankle")
        self.assertEqual(code, 2)
        self.assertIn("ankle cannot be written", err)

    def test_words_that_the_shell_did_not_fill_in_are_no_names_of_files(self):
        for words, expected in (
            (("reconstruct", "", "maps"), "The argument 2 is empty"),
            (("reconstruct", "ankle", "~/maps"), "~/maps begins with ~"),
            (("reconstruct", "ankle", "maps", "--settings=~/x.json"), "begins with ~"),
        ):
            code, _, err = run(*words)
            self.assertEqual(code, 2)
            self.assertIn(expected, err)

    def test_wrong_usage_ends_with_2(self):
        for arguments in ([], ["reconstruct"], ["reconstruct", "a", "b", "--inversion", "magic"], ["x"]):
            self.assertEqual(run(*arguments)[0], 2)
        code, _, err = run("reconstruct", "a", "b", "--threads", "0")
        self.assertEqual(code, 2)
        self.assertIn("positive", err)
        self.assertEqual(len(err.splitlines()), 1)

    def test_python_m_runs_it_and_leaves_the_libraries_under_numpy_one_thread(self):
        program = (
            "import os, sys; from TrabecularQSMLib import cli; assert 'numpy' not in sys.modules;"
            "code = cli.main(['reconstruct', 'no', 'where', '--threads', '2']);"
            "print(code, os.environ['OPENBLAS_NUM_THREADS'])"
        )
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "4"}
        execute = lambda *command: subprocess.run(  # noqa: E731
            [sys.executable, *command], capture_output=True, text=True, env=environment, check=True
        )
        self.assertEqual(execute("-c", program).stdout.split(), ["2", "1"])
        self.assertIn(__version__, execute("-m", "TrabecularQSMLib", "--version").stdout)


class SettingsTest(CommandLineTest):
    def settings(self, *flags):
        arguments = parser_of("reconstruct").parse_args(["a", "b", *(str(flag) for flag in flags)])
        return cli.scan.chosen_settings(arguments)

    def test_flags_win_over_the_file_and_the_file_over_the_preset(self):
        file = self.folder / "settings.json"
        file.write_text(json.dumps({"Settings": {"edge_fraction": 0.7, "mask_erosion": 2.0}, "Units": "ppm"}))
        found = self.settings("--preset", "authors-code", "--settings", file, "--mask-erosion", "5")
        self.assertEqual((found.mask_erosion, found.edge_fraction, found.edge_weight), (5.0, 0.7, 0.0))
        self.assertEqual(self.settings("--preset", "authors-code"), preset("authors-code"))
        self.assertEqual(self.settings(), preset())

    def test_a_kind_of_edge_given_alone_counts_and_not_that_of_the_preset_or_the_file(self):
        def kind(*flags):
            found = self.settings(*flags)
            return found.edge_steepness, found.edge_threshold, found.edge_fraction

        file = self.folder / "settings.json"
        for stored, wanted in (
            ({"edge_fraction": 0.7}, (None, None, 0.7)),
            # A sidecar of a version that knew no steepness.
            ({"edge_threshold": 0.18, "edge_fraction": 0.4}, (None, 0.18, 0.4)),
            (preset().as_dict(), (0.0125, None, 0.4)),
        ):
            file.write_text(json.dumps({"Settings": stored}))
            self.assertEqual(kind("--settings", file), wanted)
            self.assertEqual(kind("--settings", file, "--edge-fraction", "0.3"), (None, None, 0.3))
            self.assertEqual(kind("--settings", file, "--edge-threshold", "0.2")[:2], (None, 0.2))
            self.assertEqual(kind("--settings", file, "--edge-steepness", "0.02")[0], 0.02)
            hard = (None, stored.get("edge_threshold"), stored["edge_fraction"])
            self.assertEqual(kind("--settings", file, "--edge-steepness", "none"), hard)
        for flags in (("--edge-threshold", "0.2"), ("--edge-steepness", "0.02")):
            with self.assertRaisesRegex(InputError, f"{flags[0]} and --edge-fraction make edges of different kinds"):
                kind("--edge-fraction", "0.3", *flags)
        self.assertEqual(kind("--edge-fraction", "0.3", "--edge-threshold", "none"), (None, None, 0.3))

    def test_a_sidecar_repeats_its_settings_whatever_the_preset(self):
        used = preset("paper", inversion="closed-form", phase_sign="-1", padding=4)
        file = self.folder / "sub-01_Chimap.json"
        file.write_text(json.dumps({"Settings": used.as_dict()}))
        self.assertEqual(self.settings("--settings", file), used)
        self.assertEqual(self.settings("--settings", file, "--preset", "authors-code"), used)

    def test_another_inversion_than_the_files_takes_its_own_regularization(self):
        file = self.folder / "settings.json"
        file.write_text(json.dumps(preset(inversion="closed-form", regularization=7.0).as_dict()))
        self.assertEqual(self.settings("--settings", file).regularization, 7)
        self.assertEqual(self.settings("--settings", file, "--inversion", "closed-form").regularization, 7)
        other = self.settings("--settings", file, "--inversion", "medi-l2")
        self.assertEqual(other.regularization, preset(inversion="medi-l2").regularization)

    def test_wrong_settings_are_refused(self):
        scans.write_bids(self.scan)
        file = self.folder / "settings.json"
        for content, words in (
            ("{", "not valid JSON"),
            ("[1]", "not a table of names and values"),
            ('{"edge_fractoin": 1}', "unknown setting 'edge_fractoin'"),
            ('{"edge_fraction": "half"}', "edge_fraction is 'half'"),
        ):
            with self.subTest(words):
                file.write_text(content)
                self.assert_refused(words, arguments=(self.scan, self.output, "--settings", file))
        self.assert_refused("does not exist", arguments=(self.scan, self.output, "--settings", self.folder / "none"))
        self.assert_refused("edge_fraction is 2.0", arguments=(self.scan, self.output, "--edge-fraction", 2))


class ExitTest(CommandLineTest):
    def setUp(self):
        super().setUp()
        scans.write_bids(self.scan)

    def test_done_prints_notes_and_files(self):
        with mock.patch.object(pipeline, "reconstruct", stub):
            code, out, _ = run("reconstruct", self.scan, self.output)
        self.assertEqual(code, 0)
        self.assertIn("Note: a note", out)
        for file in files(self.output):
            self.assertIn(str(self.output / file), out)

    def test_a_folder_for_results_that_is_a_link_in_a_circle_is_told(self):
        try:
            self.output.symlink_to(self.output)
        except OSError:
            self.skipTest("links cannot be made here")
        for argv in (("reconstruct", self.scan, self.output), ("simulate", "--output", self.output / "x.csv")):
            code, _, err = run(*argv)
            self.assertEqual(code, 2)
            self.assertIn("is a link that leads to itself; give another name, or remove the link.", err)

    def test_cancelling_ends_with_130_and_leaves_nothing(self):
        for error in (KeyboardInterrupt, Cancelled):
            with mock.patch.object(pipeline, "reconstruct", side_effect=error):
                self.assert_refused("cancelled", code=130)

    def test_a_bug_keeps_its_traceback(self):
        with mock.patch.object(pipeline, "reconstruct", side_effect=ZeroDivisionError):
            with self.assertRaises(ZeroDivisionError):
                run("reconstruct", self.scan, self.output)
        self.assertFalse(self.output.exists())

    def test_a_dry_run_names_files_and_writes_none(self):
        code, out, _ = run("reconstruct", self.scan, self.output, "--dry-run", "--stop-after", "fieldmap")
        self.assertEqual(code, 0)
        self.assertIn(f"Would read {self.scan / 'sub-01_echo-1_part-mag_MEGRE.nii'}", out)
        self.assertIn(f"Would write {self.output / 'sub-01' / 'anat' / 'sub-01_PDFFmap.nii.gz'}", out)
        self.assertNotIn("Chimap", out)
        self.assertFalse(self.output.exists())

    def test_existing_results_are_refused_before_anything_is_computed(self):
        with mock.patch.object(pipeline, "reconstruct", stub):
            run("reconstruct", self.scan, self.output)
            self.assertEqual(run("reconstruct", self.scan, self.output, "--overwrite")[0], 0)
        with mock.patch.object(pipeline, "reconstruct") as never:
            self.assert_refused("already holds", "--overwrite")
            never.assert_not_called()

    def test_results_are_not_put_among_the_files_they_are_made_of(self):
        data = self.folder / "data"
        scans.write_bids(data / "sub-01" / "anat")
        (data / "dataset_description.json").write_text("{}")
        before = files(data)
        for arguments in (
            ("reconstruct", data, data),
            ("reconstruct", data / "sub-01", data),
            ("reconstruct", data, data / "sub-01", "--overwrite"),
            ("reconstruct", data / "sub-01" / "anat", data / "sub-01" / "anat" / ".." / "anat"),
            ("lcurve", data, data),
            ("convert", data / "sub-01", data, "--overwrite"),
            ("cohort", data, data, "--overwrite"),
        ):
            with self.subTest(arguments):
                code, _, err = run(*arguments)
                self.assertEqual(code, 2, err)
                self.assertRegex(err, "holds the input.*derivatives|pip install")  # without matplotlib no L-curve
        self.assertEqual(files(data), before)
        for output in (data / "derivatives" / "maps", data / "maps", self.folder):
            with self.subTest(output), mock.patch.object(pipeline, "reconstruct", stub):
                self.assertEqual(run("reconstruct", data, output)[0], 0)

    def test_what_belongs_to_one_run_is_in_the_log_alone(self):
        with mock.patch.object(pipeline, "reconstruct", stub):
            run("reconstruct", self.scan, self.output, "--threads", "1")
        log = json.loads((self.output / "logs" / "run.json").read_text())["sub-01"]
        self.assertEqual((log["Input"], log["Threads"]), (str(self.scan.resolve()), 1))
        for file in files(self.output):
            if file != "logs/run.json":
                self.assertNotIn(str(self.folder).encode(), (self.output / file).read_bytes())

    def test_a_console_without_greek_letters_is_no_reason_to_fail(self):
        stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        with mock.patch.object(sys, "stdout", stream), mock.patch.object(pipeline, "reconstruct", stub):
            with contextlib.redirect_stderr(io.StringIO()):
                self.assertEqual(cli.main(["reconstruct", str(self.scan), str(self.folder / "λ")]), 0)


class WrongInputTest(CommandLineTest):
    """Each wrong input of the reader and of reconstruct: its sentence, exit code 2, nothing written."""

    def rewrite(self, name, array, affine=scans.AFFINE):
        nifti.write_image(self.scan / name, array, affine)

    def test_too_few_echoes(self):
        scans.write_bids(self.scan, scans.echoes(count=2))
        self.assert_refused("sub-01 has 2 echoes", "at least three")

    def test_missing_parts_of_an_echo(self):
        scans.write_bids(self.scan)
        (self.scan / "sub-01_echo-4_part-phase_MEGRE.nii").unlink()
        self.assert_refused("part-mag for 4, part-phase for 3")

    def test_shapes_or_geometries_that_differ(self):
        scans.write_bids(self.scan)
        self.rewrite("sub-01_echo-2_part-mag_MEGRE.nii", np.ones((4, 5, 7), np.float32))
        self.assert_refused("sub-01_echo-2_part-mag_MEGRE.nii", "6 × 5 × 4", "7 × 5 × 4")
        self.rewrite("sub-01_echo-2_part-mag_MEGRE.nii", np.ones((4, 5, 6), np.float32), scans.AFFINE + np.eye(4, k=3))
        self.assert_refused("different grids", "apart")

    def test_echo_times_that_are_missing_do_not_increase_or_are_in_ms(self):
        good = {"MagneticFieldStrength": 3}
        cases = {
            "has no EchoTime": lambda n: good,
            "one echo time": lambda n: {**good, "EchoTime": 0.003},
            "look like milliseconds": lambda n: {**good, "EchoTime": 1.0 + n},
            "divided by 1,000 twice": lambda n: {**good, "EchoTime": 1e-6 * n},
        }
        for words, sidecar in cases.items():
            with self.subTest(words):
                scans.write_bids(self.scan, sidecar=sidecar)
                self.assert_refused(words)

    def test_phase_not_in_radians(self):
        scans.write_bids(self.scan, phase=lambda radians: (17 * radians).astype(np.float32))
        self.assert_refused("The phase of sub-01", "expected radians")

    def test_a_missing_field_strength(self):
        scans.write_bids(self.scan, sidecar=lambda n: {"EchoTime": n * 1e-3})
        self.assert_refused("neither field strength nor imaging frequency")

    def test_values_that_are_not_numbers(self):
        scans.write_bids(self.scan)
        for value in (np.nan, np.inf):
            self.rewrite("sub-01_echo-3_part-phase_MEGRE.nii", np.full((4, 5, 6), value, np.float32))
            self.assert_refused("sub-01_echo-3_part-phase_MEGRE.nii holds 120 voxels that are not numbers")

    def test_a_magnitude_of_zero(self):
        scans.write_bids(self.scan)
        for number in range(1, 5):
            self.rewrite(f"sub-01_echo-{number}_part-mag_MEGRE.nii", np.zeros((4, 5, 6), np.float32))
        self.assert_refused("zero everywhere")

    def test_a_truncated_file(self):
        scans.write_bids(self.scan)
        path = self.scan / "sub-01_echo-3_part-mag_MEGRE.nii"
        path.write_bytes(path.read_bytes()[:600])
        self.assert_refused(path.name, "cut short")

    def test_an_empty_mask_or_one_on_another_grid(self):
        scans.write_bids(self.scan)
        mask = self.folder / "mask.nii"
        arguments = (self.scan, self.output, "--mask", mask)
        nifti.write_image(mask, np.zeros((4, 5, 6), np.uint8), scans.AFFINE)
        self.assert_refused("mask.nii is zero everywhere", arguments=arguments)
        nifti.write_image(mask, np.ones((4, 5, 5), np.uint8), scans.AFFINE)
        self.assert_refused("not on the grid of sub-01", arguments=arguments)

    def test_what_was_decided_about_a_mask_stands_in_the_sidecars(self):
        scans.write_bids(self.scan)
        mask, soft = self.folder / "mask.nii", np.zeros((4, 5, 6), np.float32)
        soft[1:3, 1:4, 1:5], soft[0, 1:4, 1:5] = 1, 0.3
        nifti.write_image(mask, soft, scans.AFFINE)
        with mock.patch.object(pipeline, "reconstruct", stub):
            code, out, err = run("reconstruct", self.scan, self.output, "--mask", mask)
        self.assertEqual(code, 0, err)
        (sidecar,) = self.output.rglob("*_Chimap.json")
        notes = json.loads(sidecar.read_text(encoding="utf-8"))["Notes"]
        self.assertEqual(notes[0], "a note")
        self.assertIn("it was cut at 0.5", notes[1])
        self.assertEqual(out.count("it was cut at 0.5"), 1)

    def test_a_full_disk(self):
        scans.write_bids(self.scan)
        full = OSError(28, "No space left on device")
        with (
            mock.patch.object(pipeline, "reconstruct", stub),
            mock.patch.object(writing, "write_image", side_effect=full),
        ):
            self.assert_refused("no space left")

    def test_echo_times_and_field_strength_are_in_ms_and_tesla(self):
        scans.write_bids(self.scan, sidecar=lambda number: None)
        given = ("--echo-times", "1.2", "1.9", "2.6", "3.3", "--field-strength", "3")
        code, out, err = run("reconstruct", self.scan, self.output, "--dry-run", *given)
        self.assertEqual((code, err), (0, ""))
        arguments = (self.scan, self.output, *given[:4], *given[5:])
        self.assert_refused("4 echoes but --echo-times (ms) gives 3", arguments=arguments)
        arguments = (self.scan, self.output, "--echo-times", "0.0012", "0.0019", "0.0026", "0.0033", *given[5:])
        self.assert_refused("0.0012 0.0019 0.0026 0.0033 ms", "give them in ms", arguments=arguments)

    def test_several_scans(self):
        scans.write_bids(self.scan)
        scans.write_bids(self.scan, name="sub-02")
        self.assert_refused("2 scans (sub-01, sub-02)", "--subject")

    def test_a_single_slice_says_how_many_background_removal_needs(self):
        rng = np.random.default_rng(3)
        times = np.array(scans.ECHO_TIMES)[:, None, None, None]
        signal = 100 * np.exp(2j * np.pi * 20 * times) * np.ones((1, 24, 24)) + rng.standard_normal((4, 1, 24, 24))
        scans.write_bids(self.scan, signal.astype(np.complex64), affine=np.diag([2.0, 2, 2, 1]))
        self.assert_refused("slice")
        code, _, err = run("reconstruct", self.scan, self.output, "--stop-after", "fieldmap")
        self.assertEqual(code, 0, err)


class WholeChainTest(unittest.TestCase):
    """Phantom, maps, table and L-curve from files to files on a small grid."""

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.ankle, cls.maps = cls.folder / "ankle", cls.folder / "maps"
        cls.regions = cls.ankle / "derivatives" / "truth" / "sub-01" / "anat" / "sub-01_dseg.nii.gz"
        cls.results = [
            run("phantom", cls.ankle, "--shape", 37, 36, 19, "--seed", 2),
            run("reconstruct", cls.ankle, cls.maps, "--inversion", "closed-form"),
        ]

    def test_all_planned_maps_are_written_on_the_grid_of_the_scan(self):
        self.assertEqual([code for code, _, _ in self.results], [0, 0], self.results)
        maps = find_maps(self.maps)["sub-01"]
        self.assertEqual(list(maps), planned_maps(preset()))
        _, affine = nifti.read_image(self.ankle / "sub-01" / "anat" / "sub-01_echo-1_part-mag_MEGRE.nii")
        for path in maps.values():
            array, its_affine = nifti.read_image(path)
            self.assertEqual(array.shape, (19, 36, 37))
            np.testing.assert_array_equal(its_affine, affine)

    def test_the_planned_maps_of_each_stage_are_those_that_are_written(self):
        for stage in ("fieldmap", "background"):
            output = self.folder / stage
            code, _, err = run("reconstruct", self.ankle, output, "--stop-after", stage)
            self.assertEqual(code, 0, err)
            expected = planned_maps(preset(stop_after=stage))
            self.assertEqual(list(find_maps(output)["sub-01"]), expected)

    def test_a_map_s_sidecar_repeats_it_to_the_same_bytes(self):
        sidecar = self.maps / "sub-01" / "anat" / "sub-01_R2starmap.json"
        again = self.folder / "again"
        code, _, err = run("reconstruct", self.ankle, again, "--settings", sidecar)
        self.assertEqual(code, 0, err)
        self.assertEqual(files(again), files(self.maps))
        for file in files(again):
            if file != "logs/run.json" and not file.endswith(".json"):
                self.assertEqual((again / file).read_bytes(), (self.maps / file).read_bytes(), file)
        first, second = (
            json.loads((f / "sub-01" / "anat" / "sub-01_Chimap.json").read_text()) for f in (self.maps, again)
        )
        self.assertEqual(first["Settings"], second["Settings"])

    def test_measure_gives_near_truth_in_marrow(self):
        tables = {}
        for name, folder in (("maps", self.maps), ("truth", self.ankle / "derivatives" / "truth")):
            path = self.folder / f"{name}.csv"
            code, out, err = run("measure", folder, "--regions", self.regions, "--output", path)
            self.assertEqual((code, out.splitlines()[-1]), (0, str(path)), err)
            if name == "maps":
                self.assertRegex(out, "^Note: sub-01: χ is as the map has it, .* ppm over the mask")
            lines = [line.split(",") for line in path.read_text().splitlines()]
            tables[name] = {(line[1], line[2]): float(line[5]) for line in lines[1:] if line[5]}
        # Voxels of 6 mm: dephasing and partial volume blur R2*, so only the fat fraction is held to the truth here.
        for region in ("calcaneus tuber", "calcaneus cavum"):
            self.assertAlmostEqual(tables["maps"][region, "pdff"], tables["truth"][region, "pdff"], delta=0.03)

    def test_measure_refuses_what_is_not_its_input(self):
        output = self.folder / "t.csv"
        code, _, err = run("measure", self.folder / "none", "--regions", self.regions, "--output", output)
        self.assertEqual(code, 2)
        self.assertIn("not a folder", err)
        code, _, err = run("measure", self.maps, "--regions", self.folder / "none.nii", "--output", output)
        self.assertEqual(code, 2)
        self.assertIn("none.nii does not exist", err)
        self.assertFalse(output.exists())

    @unittest.skipUnless(HAS_MATPLOTLIB, "matplotlib is not installed")
    def test_lcurve_writes_table_figure_and_corner(self):
        output = self.folder / "curve"
        lambdas = ("0.01", "0.1", "1", "10")
        command = ("lcurve", self.ankle, output, "--inversion", "closed-form", "--lambdas", *lambdas)
        code, out, err = run(*command, "--regions", self.regions)
        self.assertEqual(code, 0, err)
        stem = output / "sub-01" / "anat" / "sub-01_desc-closedform_lcurve"
        header, *rows = stem.with_suffix(".csv").read_text().splitlines()
        self.assertTrue(header.startswith("regularization,discrepancy,data_term,regularizer,curvature,chi calcaneus"))
        table = np.array([[float(cell) for cell in row.split(",")] for row in rows])
        np.testing.assert_allclose(table[:, 0], [float(x) for x in lambdas])
        self.assertTrue(np.all(np.diff(table[:, 1]) > 0), "the closed form's residual grows with λ")
        sidecar = json.loads(stem.with_suffix(".json").read_text())
        self.assertIn(f"Largest curvature at λ = {sidecar['BestRegularization']:g}", out)
        zero = sidecar["InflectionRegularization"]
        self.assertIn("Zero curvature is not below it" if zero is None else f"Zero curvature at λ = {zero:g}", out)
        self.assertEqual(stem.with_suffix(".png").read_bytes()[:8], b"\x89PNG\r\n\x1a\n")
        code, _, err = run(*command)
        self.assertEqual(code, 2)
        self.assertIn("already holds", err)
        code, _, err = run("lcurve", self.ankle, self.folder / "dry", "--lambdas", "1", "1", "2", "--dry-run")
        self.assertEqual((code, "three different positive values" in err), (2, True), err)

    def test_lcurve_without_matplotlib_says_how_to_get_it_before_anything_is_computed(self):
        output = self.folder / "without"
        with mock.patch.dict(sys.modules, {"matplotlib": None}):
            code, _, err = run("lcurve", self.ankle, output)
        self.assertEqual(code, 2)
        self.assertIn("pip install matplotlib", err)
        self.assertFalse(output.exists())

    def test_a_phantom_is_not_written_over_what_is_there(self):
        code, _, err = run("phantom", self.ankle)
        self.assertEqual(code, 2)
        self.assertIn("exists already", err)
        code, _, err = run("phantom", self.folder / "odd", "--shape", 1, 1, 1)
        self.assertEqual(code, 2)
        self.assertFalse((self.folder / "odd").exists())


if __name__ == "__main__":
    unittest.main()
