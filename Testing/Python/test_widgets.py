"""The panels fit their modules, as far as files can tell: widgets, parameters, slots, utilities, names of settings."""

import contextlib
import importlib
import io
import re
import shutil
import tempfile
import unittest
from dataclasses import fields
from pathlib import Path

from widget_check import Panel, missing_utilities, module_names, parse, slot_of, used_widgets

from TrabecularQSMLib.cli import build_parser
from TrabecularQSMLib.cli.scan import setting_flag
from TrabecularQSMLib.settings import Settings, load_presets

ROOT = Path(__file__).resolve().parents[2]
SETTING_NAMES = [field.name for field in fields(Settings)]
# They choose where the settings start from.
OTHER_FLAGS = {"--preset", "--settings"}


class PanelTest(unittest.TestCase):
    def test_every_panel_fits_its_module(self):
        for name in module_names(ROOT):
            with self.subTest(module=name):
                panel = Panel(ROOT, name, SETTING_NAMES)
                # The check has something to look at.
                self.assertTrue(panel.widgets and panel.bound and panel.parameters() and used_widgets(panel.tree))
                self.assertEqual(panel.problems(), [])

    def test_every_utility_of_slicer_exists(self):
        self.assertEqual(missing_utilities(ROOT, slicer_util(self)), [])


class SettingNamesTest(unittest.TestCase):
    """Parameter pack and .ui file are compared with Settings above."""

    def test_every_setting_is_a_flag_of_the_command_line_and_nothing_else_is(self):
        text = io.StringIO()
        with contextlib.redirect_stdout(text), self.assertRaises(SystemExit):
            build_parser().parse_args(["reconstruct", "--help"])
        sections = re.split(r"(?m)^(?=\S)", text.getvalue())
        flags = {
            flag
            for section in sections
            if section.startswith(("settings:", "advanced settings:"))
            for flag in re.findall(r"(?m)^  (--[a-z0-9-]+)", section)
        }
        self.assertEqual(flags - OTHER_FLAGS, {setting_flag(name) for name in SETTING_NAMES})

    def test_presets_name_settings_only(self):
        for name, entry in load_presets().items():
            self.assertLessEqual(set(entry["settings"]), set(SETTING_NAMES), name)


class LabelTest(unittest.TestCase):
    def test_errors_about_settings_name_the_labels_of_their_widgets(self):
        try:
            labels = importlib.import_module("TrabecularQSMLib.scene.gui.labels")
        except ImportError as error:
            self.skipTest(f"the libraries of 3D Slicer (slicer-core) cannot be imported: {error}")
        folder = ROOT / "TrabecularQSM" / "Resources" / "UI"
        found = labels.labelsOf(folder / "TrabecularQSM.ui")
        self.assertEqual(set(SETTING_NAMES) - set(found), set())
        text = "lower mask_threshold or `mask_erosion`, or give a mask; see `true_bvtv`."
        expected = "lower 'Mask threshold' or 'Mask erosion', or give a mask; see `true_bvtv`."
        self.assertEqual(labels.inLabels(text, found), expected)
        self.assertEqual(labels.labelsOf(folder / "TrabecularQSMSimulation.ui")["imaging_voxel"], "Imaging voxel")
        # In another language, by the labels that the panel then shows.
        german = {("TrabecularQSM", "Mask threshold:"): "Schwelle der Maske:"}
        shown = labels.labelsOf(folder / "TrabecularQSM.ui", lambda *text: german.get(text, text[1]))
        self.assertEqual(labels.inLabels("lower mask_threshold", shown), "lower 'Schwelle der Maske'")
        # What sentences about a file that lacks something ask for, see `loadOptions`.
        asked = {"file_echo_times": "Files' echo times", "file_field_strength": "Files' field strength"}
        asked |= {"voxel_size": "Voxel size", "scan_labels": "Which scan", "b0_direction": "B0 direction"}
        self.assertEqual({name: found[name] for name in asked}, asked)
        # Each door names its own means: no option of the command line in the panel.
        for text, expected in {
            "choose one with --subject and --run.": "choose one with 'Which scan'.",
            "give it in mm with --voxel-size I J K.": "give it in mm with 'Voxel size'.",
            "no orientation; --b0-direction sets B0.": "no orientation; 'B0 direction' sets B0.",
            "set --echo-times or --mask-erosion, not --device.": "set 'Echo times' or 'Mask erosion', not --device.",
            "the inversion, or --background none.": "the inversion, or 'Background removal' none.",
        }.items():
            self.assertEqual(labels.inLabels(text, found), expected)


def some(names):
    """Every eighth of the names: each is checked alike, and a panel is read anew for each."""
    return sorted(names)[::8]


class BrokenPanelTest(unittest.TestCase):
    """Each check fails on a copy of every module that is broken for it."""

    def setUp(self):
        self.names = module_names(ROOT)
        if not self.names:
            self.skipTest("there is no module to break")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        for part in ("TrabecularQSM", "TrabecularQSMLib/scene"):
            shutil.copytree(ROOT / part, self.root / part)

    @contextlib.contextmanager
    def broken(self, file, pattern, replacement):
        """Replace something in a file of the copy for a while."""
        path = self.root / "TrabecularQSM" / file
        text = path.read_text(encoding="utf-8")
        changed = re.sub(pattern, replacement, text)
        self.assertNotEqual(changed, text)
        path.write_text(changed, encoding="utf-8")
        yield
        path.write_text(text, encoding="utf-8")

    def problems(self, name, setting_names=SETTING_NAMES):
        return "\n".join(Panel(self.root, name, setting_names).problems())

    def test_a_renamed_widget_is_noticed(self):
        for name in self.names:
            for used in some(used_widgets(parse(ROOT / "TrabecularQSM" / f"{name}.py"))):
                with self.broken(f"Resources/UI/{name}.ui", f'name="{used}"', 'name="renamed"'):
                    self.assertIn(f"uses ui.{used},", self.problems(name))

    def test_a_widget_bound_to_an_unknown_parameter_is_noticed(self):
        for name in self.names:
            for bound in some(Panel(ROOT, name, SETTING_NAMES).bound):
                with self.broken(f"Resources/UI/{name}.ui", f">{re.escape(bound)}<", f">{bound}_x<"):
                    found = self.problems(name)
                self.assertIn(f"bound to {bound}_x, which is no parameter", found)
                self.assertIn(f"The parameter {bound} is bound to no widget", found)

    def test_a_parameter_without_widget_is_noticed(self):
        for name in self.names:
            with self.broken(f"{name}.py", r"(@parameterNodeWrapper\nclass .*\n)", r"\1    unused: int = 1\n"):
                self.assertIn("The parameter unused is bound to no widget", self.problems(name))

    def test_a_missing_slot_is_noticed(self):
        for name in self.names:
            source = (ROOT / "TrabecularQSM" / f"{name}.py").read_text(encoding="utf-8")
            slots = set(re.findall(r"(?m)^        self\.ui\.\w+\.connect\(\"[^\"]+\", self\.(\w+)\)", source))
            slots |= {slot_of(button) for button in Panel(ROOT, name, ()).listed_buttons()}
            own = [slot for slot in slots if f"def {slot}(" in source]  # the others are those of all panels
            self.assertTrue(own)
            for slot in some(own):
                with self.broken(f"{name}.py", rf"def {slot}\(", f"def {slot}_x("):
                    self.assertIn(f"connects self.{slot}, which is no method", self.problems(name))

    def test_a_connection_of_the_panel_to_nowhere_is_noticed(self):
        for name in self.names:
            if "<receiver>" not in (ROOT / "TrabecularQSM" / "Resources" / "UI" / f"{name}.ui").read_text(
                encoding="utf-8"
            ):
                continue  # a panel without node selectors
            with self.broken(f"Resources/UI/{name}.ui", r"<receiver>\w+<", "<receiver>nowhere<"):
                self.assertIn("the receiver nowhere, which is no widget", self.problems(name))

    def test_a_setting_that_one_place_lacks_is_noticed(self):
        for name in self.names:
            if any(bound.startswith("settings.") for bound in Panel(ROOT, name, SETTING_NAMES).bound):
                found = self.problems(name, [*SETTING_NAMES, "new_setting"])
                self.assertIn("The setting new_setting is in one only of Settings and the .ui file", found)

    def test_two_widgets_in_one_place_are_noticed(self):
        with self.broken("Resources/UI/TrabecularQSM.ui", 'row="1" column', 'row="0" column'):
            self.assertIn("The layout fatFormLayout has two items in row 0, column 1.", self.problems("TrabecularQSM"))

    def test_two_widgets_of_one_label_are_noticed(self):
        with self.broken("Resources/UI/TrabecularQSM.ui", ">Padding:<", ">Variation:<"):
            self.assertIn("The layout inversionFormLayout has two labels Variation:", self.problems("TrabecularQSM"))

    def test_a_utility_that_slicer_does_not_have_is_noticed(self):
        util = slicer_util(self)
        for name in self.names:
            with self.broken(f"{name}.py", r"(def setup\(self.*\n)", r"\1        slicer.util.setSliceLayers()\n"):
                self.assertEqual(
                    missing_utilities(self.root, util),
                    [f"{name}.py uses slicer.util.setSliceLayers, which does not exist."],
                )


def slicer_util(test):
    """Return slicer.util, or skip the test where it cannot be had."""
    try:
        return importlib.import_module("slicer.util")
    except ImportError as error:
        test.skipTest(f"slicer-core cannot be imported: {error}")


if __name__ == "__main__":
    unittest.main()
