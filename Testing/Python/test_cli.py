"""Forms, settings and ends of the commands."""

import argparse
import contextlib
import importlib.util
import inspect
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest
from dataclasses import fields
from pathlib import Path
from unittest import mock

import scans
from commands import CommandLineTest, files, run, stub

from TrabecularQSMLib import __version__, cli, pipeline, settings
from TrabecularQSMLib.analysis import bvtv
from TrabecularQSMLib.analysis.registration import register_rigid
from TrabecularQSMLib.cli.common import in_options
from TrabecularQSMLib.errors import Cancelled, InputError
from TrabecularQSMLib.phantom import PhantomSettings
from TrabecularQSMLib.settings import CHOICES, Settings, preset

PARSERS = next(action.choices for action in cli.build_parser(filled=True)._actions if action.choices)
COMMANDS = tuple(PARSERS)
ROOT = Path(__file__).resolve().parents[2]
HAS_MATPLOTLIB = importlib.util.find_spec("matplotlib") is not None


class FormsTest(unittest.TestCase):
    def test_a_name_that_the_system_does_not_take_is_one_sentence(self):
        long = "x" * 300 + ".csv"
        for arguments in (("measure", ROOT, "--regions", "r.nii", "--output", long), ("reconstruct", long, "o")):
            code, _, err = run(*arguments)
            self.assertEqual((code, len(err.splitlines())), (2, 1))
            self.assertRegex(err, r"^trabecular-qsm: x{80}… cannot be reached .*; give another name\.$")

    def test_every_setting_has_its_flag_with_the_same_choices(self):
        for command, left_out in (("reconstruct", set()), ("lcurve", {"stop_after"})):
            actions = {action.dest: action for action in PARSERS[command]._actions}
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
                arguments = PARSERS["reconstruct"].parse_args(["a", "b", f"--{field.name.replace('_', '-')}", text])
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
            for example in out.partition("Example:\n")[2].strip().splitlines():
                cli.build_parser().parse_args(example.split()[1:])
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
            (action,) = [action for action in PARSERS[command]._actions if action.dest == flag]
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

    def test_what_is_wrong_with_a_number_is_told_of_the_option_that_was_given(self):
        with tempfile.TemporaryDirectory() as folder:
            for words, said in {
                "phantom OUT --field-offset 1e9": "--field-offset is 1000000000.0; give",
                "phantom OUT --snr 0": "--snr is 0.0; give",
                "phantom OUT --readout-slope 1": "--readout-slope is 1, but",
                "phantom OUT --train-slopes 1": "--train-slopes holds 1 number and --train-offsets 0; give as many",
                "phantom OUT --echo-times 5 4 3": "The echo times are 5 4 3 ms; give three or more that increase in "
                "--echo-times.",
                "phantom OUT --companions --ct-voxel-size 0 1 1": "--ct-voxel-size is 0.0 1.0 1.0; give",
                "reconstruct IN OUT --mask-erosion 99": "--mask-erosion is 99.0; give",
                "reconstruct IN OUT --padding 9999": "--padding is 9999; give",
            }.items():
                code, _, err = run(*words.replace("OUT", f"{folder}/out").split())
                self.assertEqual((code, err.partition(said)[0], os.listdir(folder)), (2, "trabecular-qsm: ", []), err)

    def test_settings_that_a_note_names_are_options_and_files_are_left_as_they_are(self):
        for text, said in {
            "It was not solved apart (separate_cortex).": "It was not solved apart (--separate-cortex).",
            "Give `trains`, or lower mask_erosion.": "Give --trains, or lower --mask-erosion.",
            "mask_erosion.nii and a/mask_erosion are files, 'mask_erosion' a name, trains run, `no_such` stays.": None,
        }.items():
            self.assertEqual(in_options(text), said or text)

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

    def test_what_was_probably_meant_is_asked_for(self):
        for words, expected in {
            ("recon",): "did you mean reconstruct?; see trabecular-qsm --help",
            ("cohorts",): "did you mean cohort?",
            ("reconstruct", "a", "b", "--inverson", "tgv"): "--inverson tgv; did you mean --inversion?; see "
            "trabecular-qsm reconstruct --help",
            ("reconstruct", "a", "b", "--presets=paper"): "did you mean --preset?",
            ("reconstruct", "a", "b", "--inversion", "meditv"): "did you mean medi-tv?",
            ("statistics", "repeat", "t.csv"): "did you mean repeatability?",
            ("reconstruct", "a", "b", "--regularization", "0,03"): "'0,03' is not a number (decimals have a point)",
            ("reconstruct", "a", "b", "--padding", "1.5"): "'1.5' is not a whole number",
            ("reconstruct", "a", "b", "--threads", "all"): "'all' is not a whole number",
        }.items():
            code, _, err = run(*words)
            self.assertEqual(code, 2)
            self.assertIn(expected, err)
        for words in (("help",), ("reconstruct", "a", "b", "c"), ("measure", "a", "--q")):
            self.assertNotIn("did you mean", run(*words)[2])

    @unittest.skipUnless(importlib.util.find_spec("argcomplete"), "argcomplete is not installed")
    def test_the_tab_key_completes_commands_options_and_choices(self):
        for line, expected in {
            "trabecular-qsm rec": ["reconstruct "],
            "trabecular-qsm lcurve a b --inversion-": ["--inversion-tolerance", "--inversion-iterations"],
            "trabecular-qsm reconstruct a b --readout ": ["auto", "monopolar", "bipolar"],
        }.items():
            with tempfile.TemporaryDirectory() as folder:
                answer = Path(folder, "answer")
                asked = {"COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE_IFS": "\n", "_ARGCOMPLETE": "1"}
                environment = {**os.environ, **asked, "_ARGCOMPLETE_STDOUT_FILENAME": str(answer)}
                subprocess.run([sys.executable, "-m", "TrabecularQSMLib"], env=environment, cwd=ROOT, check=True)
                self.assertEqual(answer.read_text(encoding="utf-8").split("\n"), expected)

    def test_version_and_help_load_no_library_and_the_options_none_of_its_slow_ones(self):
        slow = {"scipy.interpolate", "scipy.optimize", "scipy.signal", "scipy.stats"}  # more than half of all seconds
        loading = "import sys; from TrabecularQSMLib import cli"
        for what, not_loaded in (
            ("cli.main(['--version'])", {"numpy", "scipy", "SimpleITK"}),
            ("cli.build_parser().format_help()", {"numpy", "scipy", "SimpleITK"}),
            ("cli.main(['reconstruct'])", {"SimpleITK"} | slow),
            ("cli.build_parser(filled=True)", slow),
            ("import TrabecularQSMLib.files, TrabecularQSMLib.study.cohort, TrabecularQSMLib.protocol.assess", slow),
        ):
            with self.subTest(what):
                loaded = f"print(*sorted({not_loaded} & {{*sys.modules}}))"
                program = f"{loading}\ntry: {what}\nexcept SystemExit: pass\n{loaded}"
                answer = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True)
                self.assertEqual(answer.stdout.split()[-1:], [__version__.encode()] if "version" in what else [])

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
        arguments = PARSERS["reconstruct"].parse_args(["a", "b", *(str(flag) for flag in flags)])
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
            ('{"edge_fraction": "half"}', f"{file}: 'edge_fraction' is 'half'; give a number between 0 and 1."),
            ('{"reference": "fat"}', f"{file}: 'reference' is 'fat'; choose one of"),
            ('{"inversion": "closed-form", "weak_harmonic": 1}', f"{file}: 'weak_harmonic' is 1, but the inversion"),
        ):
            with self.subTest(words):
                file.write_text(content)
                self.assert_refused(words, arguments=(self.scan, self.output, "--settings", file))
        self.assert_refused("does not exist", arguments=(self.scan, self.output, "--settings", self.folder / "none"))
        self.assert_refused("--edge-fraction is 2.0", arguments=(self.scan, self.output, "--edge-fraction", 2))


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

    @unittest.skipIf(sys.platform == "win32", "Windows has no such signals")
    def test_a_signal_ends_with_130_wherever_it_comes(self):
        # Of a module that is run, Python ends by the signal once a plain KeyboardInterrupt has left an exec, though it
        # was caught; and a module may catch it while it is imported.
        signaled = "os.kill(os.getpid(), signal.SIGINT); [None for _ in range(1000000)]"
        (self.folder / "swallows.py").write_text(
            f"import os, signal\ntry:\n    {signaled}\nexcept BaseException:\n    pass\n"
        )
        path = os.pathsep.join(map(str, (ROOT, self.folder)))
        for text in (signaled, "import swallows, time; time.sleep(5)"):
            (self.folder / "stopped.py").write_text(
                "import os, signal, sys\nfrom unittest import mock\nfrom TrabecularQSMLib import cli, pipeline\n"
                "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # which a job in the background ignores
                f"stop = lambda *_, **__: exec({text!r}, globals())\n"
                "mock.patch.object(pipeline, 'reconstruct', stop).start()\nsys.exit(cli.main())\n"
            )
            command = [sys.executable, "-m", "stopped", "reconstruct", str(self.scan), str(self.output)]
            with self.subTest(text):
                ended = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})
                self.assertEqual(ended.returncode, 130, ended.stderr)
                self.assertIn("cancelled; nothing was written", ended.stderr)

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


if __name__ == "__main__":
    unittest.main()
