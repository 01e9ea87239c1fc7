"""What the panels say and how they look: texts that can be translated, German, and no color that a dark style hides."""

import importlib.util
import re
import shutil
import string
import tempfile
import unittest
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]
TRANSLATIONS = ROOT / "TrabecularQSM" / "Resources" / "Translations"
# A color of text or ground that is written down, which is right on light ground or on dark, not on both.
COLOR = re.compile(
    r"#[0-9a-f]{3}\b|#[0-9a-f]{6}\b|\brgba?\(|styleSheet|Q(Color|Palette|Brush)\b|<(palette|colorgroup|color|font)\b"
    r"|\b(bg|background-)?color\s*[:=]\s*['\"]?\w",
    re.IGNORECASE,
)


def load_script():
    """Return Resources/update_translations.py as a module."""
    spec = importlib.util.spec_from_file_location("update_translations", ROOT / "Resources" / "update_translations.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def placeholders(text):
    """Replacement fields as slicer.i18n compares them: where they differ, it drops the translation."""
    return sorted(
        f"{name}!{conversion}:{spec}"
        for _, name, spec, conversion in string.Formatter().parse(text)
        if name is not None
    )


def panel_files(root=ROOT):
    """Files that make the panels."""
    return [
        *root.glob("TrabecularQSM/Resources/UI/*.ui"),
        *root.glob("TrabecularQSM/*.py"),
        *root.glob("TrabecularQSMLib/scene/gui/*.py"),
    ]


class TranslationTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.script = load_script()

    def test_every_text_of_the_panels_is_one_plain_string(self):
        found = self.script.texts()
        for name in ("TrabecularQSM", "TrabecularQSMAnalysis", "TrabecularQSMSimulation", "gui.run"):
            self.assertTrue(found[name], name)
        # Names of classes in a .ui file are not for translators: translated, a selector would list nothing.
        self.assertEqual([text for texts in found.values() for text in texts if text.startswith("vtkMRML")], [])

    def test_translations_keep_placeholders_units_and_marks(self):
        files = sorted(TRANSLATIONS.glob("*.ts"))
        self.assertIn("TrabecularQSM_de.ts", [path.name for path in files])
        for path in files:
            self.assertEqual(ElementTree.parse(path).getroot().get("language"), path.stem.partition("_")[2])
            known = self.script.read(path)
            self.assertTrue(known)
            for (_context, text), translation in known.items():
                with self.subTest(file=path.name, text=text):
                    self.assertEqual(placeholders(translation), placeholders(text))
                    # The space between a number and its unit, and the colon after a label.
                    self.assertEqual(translation[0] == " ", text[0] == " ")
                    self.assertEqual(translation[-1] == ":", text[-1] == ":")

    def test_labels_leave_room_for_what_they_name_on_a_laptop(self):
        """Of 400 pixels; the widths of the English panel are measured in `Testing/Application`."""
        widest = {"QLabel": 28, "QCheckBox": 28}
        for path in sorted(TRANSLATIONS.glob("*.ts")):
            known = self.script.read(path)
            for panel in sorted(ROOT.glob("TrabecularQSM/Resources/UI/*.ui")):
                root = ElementTree.parse(panel).getroot()
                for widget in root.iter("widget"):
                    text = widget.findtext("property[@name='text']/string")
                    most = widest.get(widget.get("class"), max(20, len(text or "")))
                    shown = known.get((root.findtext("class"), text), "")
                    if widget.get("class") in widest or widget.get("name").endswith("StepButton"):
                        self.assertLessEqual(len(shown), most, f"{path.name}, {widget.get('name')}: {shown}")

    def test_german_is_installed(self):
        text = (ROOT / "TrabecularQSM" / "CMakeLists.txt").read_text(encoding="utf-8")
        for path in TRANSLATIONS.glob("*"):
            self.assertIn(f"  Resources/Translations/{path.name}\n", text)

    def test_an_update_keeps_what_is_translated_marks_what_is_new_and_drops_what_is_gone(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "TrabecularQSM_de.ts")
            known = {("a", '<old> & "gone"'): "weg", ("a", " stays"): " 'bleibt'"}
            text, unfinished = self.script.compose("de", known, {"a": [source for _context, source in known]})
            path.write_text(text, encoding="utf-8")
            self.assertEqual((self.script.read(path), unfinished), (known, 0))
            text, unfinished = self.script.compose("de", self.script.read(path), {"a": [" stays", "new {n}"]})
            path.write_text(text, encoding="utf-8")
            self.assertEqual((self.script.read(path), unfinished), ({("a", " stays"): " 'bleibt'"}, 1))
            self.assertIn('<source>new {n}</source>\n        <translation type="unfinished">', text)

    def test_a_text_that_is_put_together_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "module.py")
            for call in ('_(f"{count} maps")', '_("maps " + name)', "_(name)"):
                path.write_text(call, encoding="utf-8")
                with self.assertRaisesRegex(SystemExit, "one plain string"):
                    self.script.python_texts(path)
            path.write_text('_("two " "halves")', encoding="utf-8")
            self.assertEqual(self.script.python_texts(path), ["two halves"])


class DarkStyleTest(unittest.TestCase):
    def test_panels_leave_colors_to_the_style(self):
        files = panel_files()
        self.assertGreater(len(files), 10)
        for path in files:
            text = path.read_text(encoding="utf-8")
            if path.name == "show.py":
                # Layouts name the bars of Slicer's views, which have the same color in any style.
                text = re.sub(r"_SLICE = .*?\n\)\n", "", text, flags=re.DOTALL)
            lines = text.splitlines()
            found = [f"{number}: {line.strip()}" for number, line in enumerate(lines, 1) if COLOR.search(line)]
            self.assertEqual(found, [], path.name)

    def test_a_color_in_a_panel_is_noticed(self):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(ROOT / "TrabecularQSM", Path(folder, "TrabecularQSM"))
            path = Path(folder, "TrabecularQSM", "Resources", "UI", "TrabecularQSM.ui")
            text = path.read_text(encoding="utf-8")
            self.assertIn(path, panel_files(Path(folder)))
            self.assertIsNone(COLOR.search(text))
            for color in (
                '<property name="styleSheet">', "<b style='color: red'>", '<font color="black">', "<color alpha='255'>",
                "background-color: white", "#00ff00", "rgb(0, 0, 0)", "qt.QColor(0, 0, 0)", "<palette>",
            ):  # fmt: skip
                self.assertIsNotNone(COLOR.search(color), color)


if __name__ == "__main__":
    unittest.main()
