"""What 3D Slicer's build, its test runner and the Extensions Index read: metadata, addresses of pictures, tests."""

import ast
import json
import re
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "Testing" / "Python"
MODULES = ROOT / "TrabecularQSM"


def count_tests(name, folder=TESTS):
    """Count the tests that Slicer's runner finds in a file, by its loader; None if the file asks to be skipped."""
    sys.path.insert(0, str(folder))
    try:
        return unittest.TestLoader().loadTestsFromName(name).countTestCases()
    except unittest.SkipTest:
        return None
    finally:
        sys.path.remove(str(folder))


def module_tests(source, name):
    """Test methods that Reload and Test and ctest run in a module file, which only the application can import."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef) and node.name == f"{name}Test":
            bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
            if "ScriptedLoadableModuleTest" in bases:
                return [m.name for m in node.body if isinstance(m, ast.FunctionDef) and m.name.startswith("test")]
    return []


class TestRunnerTest(unittest.TestCase):
    def test_slicer_finds_tests_in_every_test_file(self):
        for path in TESTS.glob("test_*.py"):
            with self.subTest(file=path.name):
                count = count_tests(path.stem)
                if count is None:
                    self.skipTest("the libraries of 3D Slicer are missing")
                self.assertGreater(count, 0)

    def test_a_file_of_bare_functions_would_be_noticed(self):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "bare_functions.py").write_text("def test_something():\n    pass\n", encoding="utf-8")
            self.assertEqual(count_tests("bare_functions", folder), 0)
        del sys.modules["bare_functions"]

    def test_every_module_file_has_its_test_class(self):
        for path in MODULES.glob("*.py"):
            self.assertTrue(module_tests(path.read_text(encoding="utf-8"), path.stem), path.name)
        self.assertEqual(module_tests("class XTest(Other):\n    def test_a(self): pass", "X"), [])
        self.assertEqual(module_tests("class XTest(ScriptedLoadableModuleTest):\n    pass", "X"), [])

    def test_the_workflow_runs_every_test_file_in_the_application(self):
        text = (ROOT / ".github" / "workflows" / "slicer.yml").read_text(encoding="utf-8")
        for needed in ("Testing/Python/test_*.py", "TrabecularQSM/*.py", "slicer.testing.runUnitTest"):
            self.assertIn(needed, text)


class MetadataTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cmake = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
        cls.index = json.loads((ROOT / "Resources/ExtensionsIndex/TrabecularQSM.json").read_text(encoding="utf-8"))

    def setting(self, name):
        """Value of a variable, on one quoted line: the Extensions Index looks for it by a regular expression."""
        found = re.findall(rf'^set\({name} "([^"]*)"\)$', self.cmake, flags=re.MULTILINE)
        self.assertEqual(len(found), 1, name)
        return found[0]

    def test_nothing_is_left_out(self):
        for name in ("HOMEPAGE", "CONTRIBUTORS", "DESCRIPTION", "ICONURL", "SCREENSHOTURLS", "DEPENDS", "KEYWORDS"):
            self.assertTrue(self.setting(f"EXTENSION_{name}"))
        # Parentheses print truncated in Slicer's summary, and addresses with & are cut.
        self.assertNotRegex(self.setting("EXTENSION_CONTRIBUTORS"), r"[()]")
        self.assertNotIn("&", self.setting("EXTENSION_ICONURL") + self.setting("EXTENSION_SCREENSHOTURLS"))
        for name in ("LICENSE", "README"):
            file = re.search(rf'EXTENSION_{name}_FILE "\$\{{CMAKE_CURRENT_SOURCE_DIR\}}/([^"]+)"', self.cmake).group(1)
            self.assertTrue((ROOT / file).is_file(), file)

    def test_pictures_are_files_of_this_repository(self):
        owner = self.setting("REPOSITORY_OWNER")
        start = f"https://raw.githubusercontent.com/{owner}/SlicerTrabecularQSM/main/"
        addresses = [self.setting("EXTENSION_ICONURL"), *self.setting("EXTENSION_SCREENSHOTURLS").split()]
        for address in addresses:
            self.assertTrue(address.startswith(start), address)
            path = ROOT / address.removeprefix(start)
            self.assertEqual(path.read_bytes()[:8], b"\x89PNG\r\n\x1a\n", path)
        icon = (ROOT / addresses[0].removeprefix(start)).read_bytes()
        size = tuple(int.from_bytes(icon[at : at + 4], "big") for at in (16, 20))
        self.assertEqual(size, (128, 128))

    def test_the_index_entry_and_cmake_name_one_repository(self):
        owner = self.setting("REPOSITORY_OWNER")
        self.assertEqual(self.index["scm_url"], f"https://github.com/{owner}/SlicerTrabecularQSM.git")
        self.assertEqual(
            self.setting("EXTENSION_HOMEPAGE"), "https://github.com/${REPOSITORY_OWNER}/SlicerTrabecularQSM"
        )
        self.assertIn("project(TrabecularQSM)\n", self.cmake)

    def test_the_index_entry_keeps_to_its_schema(self):
        entry = dict(self.index)
        self.assertTrue(entry.pop("$schema").endswith("/slicer-extension-catalog-entry-schema-v1.0.2.json#"))
        kinds = {
            "category": str, "scm_url": str, "scm_revision": str, "build_dependencies": list,
            "build_subdirectory": str, "tier": int,
        }  # fmt: skip
        self.assertEqual({name: type(value) for name, value in entry.items()}, kinds)
        self.assertEqual(self.index["category"], "Quantification")  # of the closed list of the Index
        self.assertNotIn(b"\r", (ROOT / "Resources/ExtensionsIndex/TrabecularQSM.json").read_bytes())


if __name__ == "__main__":
    unittest.main()
