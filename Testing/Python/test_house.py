"""The repository agrees with itself: file lists, versions, data files and what the library imports."""

import ast
import graphlib
import importlib
import json
import re
import subprocess
import sys
import unittest
from dataclasses import fields
from functools import cache
from pathlib import Path

import TrabecularQSMLib
from TrabecularQSMLib import inversion, settings
from TrabecularQSMLib.cli.common import OPTIONS
from TrabecularQSMLib.errors import worded
from TrabecularQSMLib.fieldmap.fat_models import FAT_MODELS

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "TrabecularQSMLib"

# Run in a fresh interpreter: imports the modules named in argv with all other packages made unfindable, then
# reconstructs a small phantom; with the libraries of 3D Slicer, through nodes.
IMPORT_ALONE = """
import importlib, sys
root, extra, *names = sys.argv[1:]
allowed = set(sys.stdlib_module_names) | {"numpy", "scipy", "SimpleITK", "TrabecularQSMLib", *extra.split()}
class OnlyAllowed:
    def find_spec(self, name, path=None, target=None):
        # sysconfig reads its build-time values from a module whose name depends on the platform.
        if name.partition(".")[0] not in allowed and not name.startswith("_sysconfigdata"):
            raise ModuleNotFoundError(f"{name} is not a dependency of the core", name=name)
sys.path.insert(0, root)
if extra:
    # These libraries import what they like, such as matplotlib; ours must not.
    sys.path.insert(0, root + "/Testing/Python")
    import headless
    headless.start()
    for name in [name for name in sys.modules if name.partition(".")[0] not in allowed | {"headless"}]:
        if not name.startswith("_"):
            del sys.modules[name]
sys.meta_path.insert(0, OnlyAllowed())
for name in names:
    try:
        importlib.import_module(name)
    except Exception as error:
        print(f"{name}: {error!r}")
from TrabecularQSMLib.phantom import PhantomSettings
from TrabecularQSMLib.settings import preset
settings, small = preset(inversion="closed-form"), PhantomSettings(shape=(30, 31, 14))
if extra:
    from TrabecularQSMLib import scene
    maps = scene.reconstructNodes(*scene.addPhantom(small)[:2], settings=settings)
else:
    from TrabecularQSMLib.phantom import make_phantom
    from TrabecularQSMLib.pipeline import reconstruct
    maps = reconstruct(make_phantom(small).acquisition, settings).maps
assert "chi" in maps
"""


def cmake_list(path, name):
    text = re.sub(r"#.*", "", path.read_text(encoding="utf-8"))
    return re.search(rf"set\({name}\b([^)]*)\)", text).group(1).split()


def library_files(pattern):
    return sorted(path.relative_to(LIBRARY).as_posix() for path in LIBRARY.rglob(pattern))


class FileListTest(unittest.TestCase):
    def test_cmake_installs_every_python_file_of_the_library(self):
        self.assertEqual(
            sorted(cmake_list(LIBRARY / "CMakeLists.txt", "LIBRARY_PYTHON_SCRIPTS")), library_files("*.py")
        )

    def test_cmake_installs_every_data_file_of_the_library(self):
        self.assertEqual(
            sorted(cmake_list(LIBRARY / "CMakeLists.txt", "LIBRARY_RESOURCES")), sorted(library_files("data/*"))
        )

    def test_cmake_builds_every_scripted_module(self):
        folder = ROOT / "TrabecularQSM"
        modules = sorted(path.stem for path in folder.glob("*.py"))
        self.assertEqual(sorted(cmake_list(folder / "CMakeLists.txt", "SCRIPTED_MODULES")), modules)

    def test_cmake_registers_every_test_file(self):
        names = sorted(path.stem for path in (ROOT / "Testing" / "Python").glob("test_*.py"))
        self.assertEqual(sorted(cmake_list(ROOT / "Testing" / "CMakeLists.txt", "UNIT_TESTS")), names)

    def test_every_test_file_begins_with_its_room(self):
        rooms = [*FLOOR_OF, *ABOUT_THE_WHOLE]
        for path in (ROOT / "Testing" / "Python").glob("test_*.py"):
            name = path.stem.removeprefix("test_")
            self.assertTrue(any(name == room or name.startswith(f"{room}_") for room in rooms), path.name)

    def test_tests_on_nodes_are_skipped_where_slicers_libraries_are_missing(self):
        for path in (ROOT / "Testing" / "Python").glob("*.py"):
            if path.stem not in ("scenes", "headless"):  # scenes skips, and everybody gets slicer and vtk from it
                self.assertNotRegex(path.read_text(encoding="utf-8"), r"(?m)^import (slicer|vtk)\b", path.name)

    def test_folders_with_code_are_packages(self):
        folders = {path.parent for path in LIBRARY.rglob("*.py")}
        self.assertEqual([str(folder) for folder in folders if not (folder / "__init__.py").exists()], [])


class VersionTest(unittest.TestCase):
    def test_the_citation_names_the_version_of_the_library(self):
        citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
        self.assertEqual(re.search(r"(?m)^version: (\S+)$", citation).group(1), TrabecularQSMLib.__version__)

    def test_the_wheel_takes_its_version_from_the_library(self):
        project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        self.assertIn('version = { attr = "TrabecularQSMLib.__version__" }', project)

    def test_the_recipe_of_neurocontainers_names_the_version_of_the_library(self):
        recipe = (ROOT / "Resources" / "Neurocontainers" / "build.yaml").read_text(encoding="utf-8")
        self.assertIn(f"\nversion: {TrabecularQSMLib.__version__}\n", recipe)

    def test_workflows_name_every_action_by_its_commit(self):
        for path in (ROOT / ".github" / "workflows").glob("*.yml"):
            for action in re.findall(r"uses: (.*)", path.read_text(encoding="utf-8")):
                self.assertRegex(action, r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", path.name)

    def test_one_version_of_ruff_formats_the_code(self):
        pinned = re.search(r'"ruff==([\d.]+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8")).group(1)
        self.assertIn(f"rev: v{pinned}\n", (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))


class ImportTest(unittest.TestCase):
    def setUp(self):
        slicer = sys.modules.get("slicer")
        if getattr(slicer, "app", None) is not None:
            self.skipTest("inside the application, which has far more packages; there is no bare interpreter to start")

    def names(self, chosen):
        names = []
        for file in library_files("*.py"):
            parts = ["TrabecularQSMLib", *file.removesuffix(".py").split("/")]
            if parts[-1] != "__main__" and chosen(parts):
                names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
        self.assertGreater(len(names), 10)
        return names

    def run_alone(self, extra, names):
        # -S would hide the packages; -I keeps the user's PYTHONPATH and current folder out.
        command = [sys.executable, "-I", "-c", IMPORT_ALONE, str(ROOT), extra, *names]
        result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        self.assertEqual((result.stdout, result.returncode), ("", 0), result.stderr)

    def test_the_library_outside_scene_needs_nothing_but_numpy_scipy_and_simpleitk(self):
        self.run_alone("", self.names(lambda parts: parts[1] != "scene"))

    def test_the_library_with_scene_needs_only_vtk_and_slicer_on_top(self):
        try:
            importlib.import_module("slicer")
        except ImportError as error:
            self.skipTest(f"slicer-core cannot be imported: {error}")
        # scene/gui holds parts of panels, which exist in the application only.
        names = self.names(lambda parts: parts[1:3] != ["scene", "gui"])
        self.run_alone("slicer slicer_core vtk vtkmodules", names)


# Rooms from the ground up; imports run downward. On one floor a room may use another, never in a circle.
FLOORS = (
    (
        "images",
        "acquisition",
        "quantities",
        "kernels",
        "smoothing",
        "solvers",
        "methods",
        "chunks",
        "workers",
        "progress",
        "errors",
    ),  # fmt: skip
    ("fieldmap", "background", "inversion", "simulation", "analysis"),
    ("pipeline", "settings", "phantom", "protocol", "figures"),
    ("files",),
    ("study", "report"),
    ("cli", "scene"),
)
# Tests of no room alone.
ABOUT_THE_WHOLE = ("accuracy", "extension", "house", "readme", "widgets")
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


@cache
def tree_of(file):
    """The syntax of a file of the library, read once for all tests."""
    return ast.parse((LIBRARY / file).read_text(encoding="utf-8"))


def imported_rooms(file):
    """Rooms whose code a file of the library imports, anywhere in it."""
    package = ["TrabecularQSMLib", *file.split("/")[:-1]]
    found = set()
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            base = [*start, *(node.module.split(".") if node.module else [])]
            targets = [[*base, alias.name] for alias in node.names]
        elif isinstance(node, ast.Import):
            targets = [alias.name.split(".") for alias in node.names]
        else:
            continue
        found |= {target[1] for target in targets if target[0] == "TrabecularQSMLib" and len(target) > 1}
    return found & FLOOR_OF.keys()


class RoomTest(unittest.TestCase):
    def test_the_library_has_the_rooms_of_the_table_and_no_other(self):
        found = {path.stem for path in LIBRARY.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
        self.assertEqual(found, FLOOR_OF.keys() | {"__init__", "__main__"})

    def test_imports_run_downward(self):
        upward, sideways = [], {}
        for file in library_files("*.py"):
            room = file.split("/")[0].removesuffix(".py")
            for other in imported_rooms(file) - {room}:
                if FLOOR_OF.get(other, 0) > FLOOR_OF.get(room, len(FLOORS)):
                    upward.append(f"{file} imports {other}")
                elif FLOOR_OF.get(other) == FLOOR_OF.get(room):
                    sideways.setdefault(room, set()).add(other)
        self.assertEqual(upward, [])
        # Raises CycleError, which names the circle.
        list(graphlib.TopologicalSorter(sideways).static_order())
        self.assertEqual([rooms for rooms in sideways.items() if rooms[0] in FLOORS[-1]], [])


class LengthTest(unittest.TestCase):
    MOST_LINES, EXCUSE = 60, "Long because "

    def long_functions(self, tree):
        """Names of the functions whose body has too many lines, its docstring aside, and gives no reason for it."""
        found = []
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                docstring = ast.get_docstring(node)
                body = node.body[1:] if docstring else node.body
                lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
                if lines > self.MOST_LINES and self.EXCUSE not in (docstring or ""):
                    found.append(f"{node.name} ({lines} lines)")
        return found

    def test_no_function_is_long_without_a_reason_in_its_docstring(self):
        found = {file: self.long_functions(tree_of(file)) for file in library_files("*.py")}
        self.assertEqual({file: names for file, names in found.items() if names}, {})

    def test_a_long_function_is_noticed_and_its_reason_accepted(self):
        body = "    x = 1\n" * 61
        self.assertEqual(self.long_functions(ast.parse(f'def f():\n    """Do."""\n{body}')), ["f (61 lines)"])
        self.assertEqual(self.long_functions(ast.parse(f"def f():\n{body[:-10]}")), [])
        self.assertEqual(
            self.long_functions(ast.parse(f'def f():\n    """Do.\n\n    Long because of it.\n    """\n{body}')), []
        )


class WordsTest(unittest.TestCase):
    def test_sentences_of_the_library_name_arguments_which_each_door_words_and_no_options(self):
        flags = []
        for file in library_files("*.py"):
            if file.startswith("cli/"):
                continue
            constants = (node.value for node in ast.walk(tree_of(file)) if isinstance(node, ast.Constant))
            texts = [value for value in constants if isinstance(value, str)]
            flags += [(file, text) for text in texts if re.search(r"(^|[\s'(])--[a-z]", text)]
        self.assertEqual(flags, [])
        self.assertEqual(worded("give `voxel_size` for `labels`", OPTIONS), "give --voxel-size I J K for `labels`")


class DataTest(unittest.TestCase):
    def read(self, name):
        return json.loads((LIBRARY / "data" / name).read_text(encoding="utf-8"))

    def validator(self, name):
        """Validator of a schema, which may refer to one beside it."""
        try:
            import jsonschema
            import referencing
        except ImportError as error:
            self.skipTest(f"jsonschema is not installed: {error}")
        schemas = [self.read(path.name) for path in (LIBRARY / "data").glob("*.schema.json")]
        named = [(one["$id"], referencing.Resource.from_contents(one)) for one in schemas if "$id" in one]
        schema = self.read(name)
        jsonschema.Draft202012Validator.check_schema(schema)
        return jsonschema.Draft202012Validator(schema, registry=referencing.Registry().with_resources(named))

    def test_data_files_keep_to_their_schema(self):
        data = [path.name for path in (LIBRARY / "data").glob("*.json") if not path.name.endswith(".schema.json")]
        self.assertEqual(sorted(data), ["fat_models.json", "presets.json"])
        for name in data:
            self.validator(name.replace(".json", ".schema.json")).validate(self.read(name))
        settings_only = self.validator("settings.schema.json")
        for name in self.read("presets.json")["presets"]:
            settings_only.validate(settings.preset(name).as_dict())
        for wrong in ({"lambda": 1}, {"padding": 1.5}, {"inversion": "none"}, {"edge_fraction": 2}):
            self.assertFalse(settings_only.is_valid(wrong), wrong)

    def test_every_fat_model_has_an_amplitude_for_each_peak_and_a_name_of_its_own(self):
        entries = self.read("fat_models.json")["fat_models"]
        self.assertEqual(len(entries), len(FAT_MODELS))
        for entry in entries:
            self.assertEqual(len(entry["peaks_ppm"]), len(entry["amplitudes_percent"]), entry["name"])

    def test_presets_set_only_what_exists_and_give_a_regularization_to_every_inversion(self):
        known = {field.name for field in fields(settings.Settings)}
        for name, entry in self.read("presets.json")["presets"].items():
            self.assertLessEqual(set(entry["settings"]), known, name)
            self.assertLessEqual(set(entry["regularization"]), set(inversion.METHODS), name)
            for method in inversion.METHODS:
                self.assertGreater(settings.preset(name, inversion=method).regularization, 0, (name, method))


if __name__ == "__main__":
    unittest.main()
