"""What README.md and Docs/ tell users is true: the Python runs, the messages exist, every widget is explained."""

import ast
import contextlib
import importlib.util
import io
import os
import re
import shlex
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from TrabecularQSMLib.cli import build_parser, main
from TrabecularQSMLib.quantities import QUANTITIES

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
TROUBLESHOOTING = (ROOT / "Docs" / "Troubleshooting.md").read_text(encoding="utf-8")
# Everything that a reader of the repository may open.
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "Docs").rglob("*.md")])
# Module with a panel to the page that explains it.
PAGES = {
    path.stem: (ROOT / "Docs" / f"{path.stem}.md").read_text(encoding="utf-8")
    for path in sorted((ROOT / "TrabecularQSM" / "Resources" / "UI").glob("*.ui"))
}
# Where the parts of modules lie that need no widget.
PARAMETER_FILES = {
    "TrabecularQSM": "reconstruction.py",
    "TrabecularQSMAnalysis": "analysis.py",
    "TrabecularQSMSimulation": "simulation.py",
}
# The examples' shape is replaced by one of half as many voxels, which keeps the tests short.
SHAPE, TEST_SHAPE = "shape=(74, 74, 34)", "shape=(58, 58, 27)"
GAP = "…"


def section(title, text=TEXT):
    """Text between a heading and the next one."""
    found = re.search(rf"^## {re.escape(title)}$(.*?)(?=^## |\Z)", text, flags=re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def example(title):
    """The Python of a section."""
    (block,) = re.findall(r"^```python\n(.*?)^```$", section(title), flags=re.MULTILINE | re.DOTALL)
    return block


def printed(code):
    """What an example prints, as a dict of the region and the numbers after it."""
    assert code.count(SHAPE) == 1
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(code.replace(SHAPE, TEST_SHAPE), "README.md", "exec"), {"__name__": "readme"})
    lines = [line.partition(" χ ") for line in output.getvalue().splitlines()]
    return {region.strip(): [float(x) for x in re.findall(r"-?\d+\.\d+", rest)] for region, _, rest in lines}


def messages():
    """All texts of the code, with a gap for what is filled in."""
    found = [(ROOT / "Makefile").read_text(encoding="utf-8")]
    for path in (*ROOT.glob("TrabecularQSMLib/**/*.py"), *ROOT.glob("TrabecularQSM/*.py")):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        for node in (node for node in nodes if id(node) not in docstrings):
            if isinstance(node, ast.JoinedStr):
                found.append("".join(part.value if isinstance(part, ast.Constant) else GAP for part in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(re.sub(r"\{[^{}]*\}", GAP, node.value))
    return found


def is_said(message, texts):
    """Tell whether the parts of a message around its gaps occur in one text in that order."""
    pattern = ".*".join(re.escape(part.strip()) for part in message.split(GAP))
    return any(re.search(pattern, text, flags=re.DOTALL) for text in texts)


class ExampleTest(unittest.TestCase):
    def check(self, chi):
        self.assertEqual(len(chi), 8)
        # Bone is diamagnetic: dense bone lies below muscle.
        self.assertLess(chi["calcaneus subtalar"][0], chi["muscle"][0] - 0.2)

    def test_the_example_of_the_library_runs(self):
        values = printed(example("Python library"))
        self.check(values)
        self.assertTrue(all(len(pair) == 2 for pair in values.values()), values)

    def test_the_example_of_the_console_runs_on_nodes(self):
        code = example("Python console")
        self.assertLessEqual(len(code.splitlines()), 15)
        try:
            import slicer
        except ImportError as error:
            self.skipTest(f"the libraries of 3D Slicer (slicer-core) cannot be imported: {error}")
        import headless

        # Without the application this is a scene of slicer-core; nothing of the example is replaced but the shape.
        headless.start()
        headless.clear()
        self.addCleanup(headless.clear)
        self.check(printed(code))
        self.assertIsNotNone(slicer.mrmlScene.GetFirstNodeByName("ankle phantom χ [ppm]"))


class TroubleshootingTest(unittest.TestCase):
    def test_every_message_is_one_of_the_code(self):
        pages = "".join(section("What the buttons say", page) for page in PAGES.values())
        rows = re.findall(r"^\| (`.*?) \| ", TROUBLESHOOTING + pages, flags=re.MULTILINE)
        quoted = [message for row in rows for message in re.findall(r"`([^`]+)`", row)]
        quoted += ["Susceptibility mapping failed.", "The L-curve failed.", "Cancelled.", "Cancelling…"]
        self.assertGreater(len(quoted), 20)
        texts = messages()
        for message in quoted:
            self.assertIn(f"`{message}`", TROUBLESHOOTING + pages)
            self.assertTrue(is_said(message, texts), message)
        self.assertFalse(is_said("… says neither field strength nor temperature", texts))
        self.assertFalse(is_said("The module as Slicer lists it.", texts))  # a docstring

    def test_every_reason_why_a_button_is_disabled_is_there(self):
        for module, page in PAGES.items():
            paths = [
                ROOT / "TrabecularQSM" / f"{module}.py",
                ROOT / "TrabecularQSMLib" / "scene" / "gui" / PARAMETER_FILES[module],
            ]
            nodes = (node for path in paths for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
            functions = (node for node in nodes if isinstance(node, ast.FunctionDef))
            calls = [
                node
                for function in functions
                if function.name.lstrip("_").startswith("missing")
                for node in ast.walk(function)
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            ]
            # What another function gets, such as numbers(), are words that go into its error.
            words = {id(value) for call in calls if call.func.id != "_" for value in call.args}
            reasons = [call.args[0].value for call in calls if call.func.id == "_" and id(call) not in words]
            self.assertGreater(len(reasons), 2, module)
            for reason in reasons:
                self.assertIn(f"`{re.sub('{.*?}', GAP, reason)}`", section("What the buttons say", page))


class UserInterfaceTest(unittest.TestCase):
    def test_every_label_and_button_is_explained(self):
        for module, page in PAGES.items():
            text = section("User interface", page)
            explained = re.findall(r"^\| ([^|]+?) \|", text, flags=re.MULTILINE)
            explained = {part.strip() for cell in explained for part in re.split(r"[,:] ", cell)}
            explained |= set(re.findall(r"^\*\*(.+?)\*\*", text, flags=re.MULTILINE))
            path = ROOT / "TrabecularQSM" / "Resources" / "UI" / f"{module}.ui"
            labels = [
                label.rstrip(":")
                for widget in ElementTree.parse(path).iter("widget")
                if widget.get("class") in ("QLabel", "QPushButton", "ctkCollapsibleButton")
                and (label := widget.findtext("property[@name='text']/string"))
            ]
            self.assertGreater(len(labels), 10)
            for label in labels:
                self.assertIn(label, explained, module)


def commands(text):
    """Return the command lines that are shown, as lists of words; a backslash at a line's end joins it to the next."""
    lines = re.findall(r"^ {4,}trabecular-qsm (.+)$", text.replace("\\\n", " "), flags=re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


class CommandTest(unittest.TestCase):
    def test_every_command_line_that_is_shown_is_understood(self):
        parser, count = build_parser(), 0
        for path in DOCUMENTS:
            for words in commands(path.read_text(encoding="utf-8")):
                with self.subTest(file=path.name, command=" ".join(words)):
                    output = io.StringIO()
                    try:
                        with contextlib.redirect_stderr(output):
                            parser.parse_args(words)
                    except SystemExit:
                        self.fail(output.getvalue())
                count += 1
        self.assertGreater(count, 15)

    @unittest.skipUnless(all(map(importlib.util.find_spec, ("highdicom", "dcm2niix", "jinja2"))), "needs dicom, report")
    def test_the_five_commands_lead_from_dicom_to_dicom(self):
        five = commands(TEXT)[-5:]
        self.assertEqual([words[0] for words in five], ["phantom", "convert", "cohort", "report", "export"])
        five[0][3:6] = "30", "31", "14"  # coarser, which keeps the test short
        self.addCleanup(os.chdir, os.getcwd())
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            for words in five:
                output = io.StringIO()
                with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
                    self.assertEqual(main(words), 0, f"{words}: {output.getvalue()}")
            for name in ("cohort.csv", "report.html", "sub-01/sub-01_report.html"):
                self.assertTrue(Path("out", name).is_file(), name)
            archived = sorted(path.stem.removeprefix("sub-01_") for path in Path("archive").iterdir())
            os.chdir(ROOT)  # a folder in use cannot be removed everywhere
        self.assertEqual(archived, ["chi", "field_hz", "measurements", "pdff", "r2star", "regions"])

    def test_every_command_is_in_the_table(self):
        (action,) = (action for action in build_parser()._actions if action.choices)
        page = (ROOT / "Docs" / "CommandLine.md").read_text(encoding="utf-8")
        self.assertEqual(
            sorted(re.findall(r"^\| `(\S+?)[ `]", page.partition("## Input")[0], re.MULTILINE)), sorted(action.choices)
        )


class OutputTest(unittest.TestCase):
    def test_every_map_that_is_written_is_in_the_table(self):
        page = (ROOT / "Docs" / "CommandLine.md").read_text(encoding="utf-8")
        table = page.partition("## Output")[2].partition("\n## ")[0]
        listed = set(
            re.findall(r"`([^`]+)`", "".join(line.split("|")[1] for line in table.splitlines() if "|" in line))
        )
        self.assertEqual(listed - {"file"}, {quantity.suffix for quantity in QUANTITIES.values()})


class FirstScreenTest(unittest.TestCase):
    def test_the_two_commands_come_first_and_the_rest_is_short(self):
        lines = TEXT.splitlines()
        first = [line.split("#")[0].strip() for line in lines[1:] if line][:2]
        self.assertEqual(first, ["make demo", "make test"])
        self.assertLessEqual(len(lines), 200)


class LinkTest(unittest.TestCase):
    def anchors(self, path):
        titles = re.findall(r"^##+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}

    def test_every_picture_page_and_heading_that_is_linked_exists(self):
        for source in DOCUMENTS:
            targets = re.findall(r"\]\(([^)]+)\)", source.read_text(encoding="utf-8"))
            for target in (t for t in targets if "://" not in t):
                name, _, anchor = target.partition("#")
                path = (source.parent / name).resolve() if name else source
                self.assertTrue(path.is_file(), f"{source.name}: {target}")
                if anchor:
                    self.assertIn(anchor, self.anchors(path), f"{source.name}: {target}")

    def test_every_test_that_is_named_exists(self):
        text = (ROOT / "Docs" / "Release.md").read_text(encoding="utf-8")
        named = re.findall(r"`((?:test|panel|reconstruction|analysis)_\w+)(?:\.(?!py)(\w+))?`", text)
        self.assertGreater(len(named), 20)
        for file, case in named:
            path = next((ROOT / "Testing").rglob(f"{file}.py"), None)
            self.assertIsNotNone(path, file)
            if case:
                self.assertTrue(f"class {case}(" in path.read_text(encoding="utf-8"), f"{file}.{case}")

    def test_every_file_of_this_repository_that_is_named_exists(self):
        count = 0
        for source in DOCUMENTS:
            text = source.read_text(encoding="utf-8")
            for name in re.findall(
                r"`((?:TrabecularQSM|TrabecularQSMLib|Testing|Docs|Resources|\.github)/[\w./*-]*)`", text
            ):
                with self.subTest(file=source.name, name=name):
                    self.assertTrue(list(ROOT.glob(name.rstrip("/"))), name)
                count += 1
        self.assertGreater(count, 10)
