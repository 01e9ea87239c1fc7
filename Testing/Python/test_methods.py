"""A method is added in one file and one line of a registry; the table of methods is what the code says."""

import ast
import contextlib
import importlib.util
import inspect
import json
import tempfile
import unittest
from dataclasses import fields
from pathlib import Path
from unittest import mock

import numpy as np
from commands import run

from TrabecularQSMLib import background, inversion
from TrabecularQSMLib.files.phantom import write_phantom
from TrabecularQSMLib.inversion.lcurve import sweep
from TrabecularQSMLib.methods import Background, Inversion
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom
from TrabecularQSMLib.pipeline import reconstruct
from TrabecularQSMLib.settings import CHOICES, RANGES, Settings, load_presets, preset, setting_texts

ROOT = Path(__file__).resolve().parents[2]
PHANTOM = PhantomSettings(shape=(30, 31, 14))


def page():
    """The script that writes the table of methods."""
    spec = importlib.util.spec_from_file_location("build_methods", ROOT / "Docs" / "build_methods.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# What CONTRIBUTING shows: a file of background/ would hold these ...
def toy_background(total_field, mask, voxel_size, *, tolerance=0.0, progress=None):
    """Return the total field less its mean in the mask, and the mask."""
    local = np.where(mask, total_field - total_field[mask].mean(), 0)
    return local.astype(np.float32), np.array(mask, bool)


TOY_BACKGROUND = Background(
    toy_background,
    title="Toy",
    solves="f less its mean",
    test="test_methods.AddedMethodTest",
    options={"tolerance": "background_tolerance"},
)


# ... and a file of inversion/ these; each has one line in METHODS of its folder.
def toy_inversion(local_field, voxel_size, *, b0_direction, regularization, progress=None):
    """Return the field over λ."""
    return np.asarray(local_field / regularization, np.float32)


TOY_INVERSION = Inversion(
    toy_inversion,
    title="Toy",
    solves="λ χ − f",
    test="test_methods.AddedMethodTest",
    power=1,
    weighted=False,
    regularization=2.5,
)


class AddedMethodTest(unittest.TestCase):
    def setUp(self):
        patches = contextlib.ExitStack()
        patches.enter_context(mock.patch.dict(background.METHODS, {"toy": TOY_BACKGROUND}))
        patches.enter_context(mock.patch.dict(inversion.METHODS, {"toy": TOY_INVERSION}))
        self.addCleanup(patches.close)

    def check(self, maps):
        inside = maps["mask"] != 0
        total = maps["total_field"]
        # Only trusted voxels hold the toy's own field. The mean that it takes off is that of the field filled where
        # there is no signal, close to that of the field.
        trusted = maps["reliability"] > 0
        found, expected = maps["chi"][trusted], (total - total[inside].mean())[trusted] / 2.5
        np.testing.assert_allclose(found, expected, atol=0.02)
        np.testing.assert_allclose(found - found.mean(), expected - expected.mean(), atol=1e-4)

    def test_it_runs_in_the_pipeline_with_the_regularization_of_its_record(self):
        for name in load_presets():
            self.assertEqual(preset(name, inversion="toy").regularization, 2.5)
        settings = preset("paper", background="toy", inversion="toy")
        self.check(reconstruct(make_phantom(PHANTOM).acquisition, settings).maps)

    def test_it_runs_on_the_command_line(self):
        from TrabecularQSMLib.files.nifti import read_image

        with tempfile.TemporaryDirectory() as folder:
            write_phantom(Path(folder) / "in", make_phantom(PHANTOM))
            code, _, err = run(
                "reconstruct", f"{folder}/in", f"{folder}/out", "--background", "toy", "--inversion", "toy"
            )
            self.assertEqual(code, 0, err)
            anat = Path(folder) / "out" / "sub-01" / "anat"
            settings = json.loads((anat / "sub-01_Chimap.json").read_text(encoding="utf-8"))["Settings"]
            self.assertEqual(
                [settings[name] for name in ("background", "inversion", "regularization")], ["toy", "toy", 2.5]
            )
            names = {"chi": "Chimap", "total_field": "desc-total_fieldmapppm", "mask": "mask"}
            names["reliability"] = "desc-reliability_map"
            self.check({name: read_image(anat / f"sub-01_{file}.nii.gz")[0] for name, file in names.items()})
        self.assertIn(
            "closed-form,medi-l2,medi-tv,medi-tv-nesterov,tgv,total-field,toy",
            "".join(run("reconstruct", "--help")[1].split()),
        )

    def test_it_runs_on_nodes(self):
        try:
            import slicer
        except ImportError as error:
            self.skipTest(f"the libraries of 3D Slicer (slicer-core) cannot be imported: {error}")
        import headless

        headless.start()
        headless.clear()
        self.addCleanup(headless.clear)
        from TrabecularQSMLib import scene

        nodes = scene.reconstructNodes(
            *scene.addPhantom(PHANTOM)[:2], settings=preset(background="toy", inversion="toy")
        )
        self.check({name: slicer.util.arrayFromVolume(node) for name, node in nodes.items()})

    def test_it_is_in_the_choices_and_in_the_table_and_gone_when_it_is_taken_away(self):
        script = page()
        self.assertIn("toy", CHOICES["background"])
        self.assertIn("| Toy, `toy` | f less its mean | `background_tolerance` (0) |", script.markdown())
        self.assertIn("| Toy, `toy` | λ χ − f | λ = 2.5 ppm·mm |", script.markdown())
        self.assertIn("toy", script.schema()["properties"]["inversion"]["enum"])
        self.doCleanups()
        self.assertNotIn("toy", CHOICES["background"] + CHOICES["inversion"])
        self.assertNotIn("toy", script.markdown())
        self.assertEqual(run("reconstruct", "in", "out", "--inversion", "toy")[0], 2)

    def test_its_l_curve_can_be_drawn(self):
        field = np.random.default_rng(0).standard_normal((6, 7, 8)).astype(np.float32)
        curve = sweep(
            field, (1, 1, 1), (1, 2, 4), method="toy", b0_direction=(1, 0, 0), data_weight=field, edge_weight=field
        )
        self.assertTrue(np.all(np.diff(curve.regularizer) < 0))


class TableTest(unittest.TestCase):
    def setUp(self):
        self.script = page()
        self.records = {
            f"{room}: {name}": one for room in self.script.ROOMS for name, one in self.script.records(room).items()
        }

    def test_the_committed_files_are_what_the_script_writes(self):
        for file, text in self.script.OUTPUTS.items():
            found = (ROOT / file).read_text(encoding="utf-8")
            self.assertEqual(found, text(), f"{file} is old; run: python Docs/build_methods.py")

    def test_every_method_of_the_registries_is_in_it_once(self):
        for room in (background, inversion):
            for name, one in room.METHODS.items():
                self.assertEqual([found for found in self.records.values() if found is one], [one], name)
        self.assertGreater(len(self.records), 30)

    def test_every_test_that_it_names_exists(self):
        for name, one in self.records.items():
            file, _, wanted = one.test.partition(".")
            tree = ast.parse((ROOT / "Testing" / "Python" / f"{file}.py").read_text(encoding="utf-8"))
            (found,) = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == wanted] or [None]
            self.assertIsNotNone(found, f"{name}: {one.test}")
            tests = [node for node in found.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
            self.assertTrue(tests, f"{name}: {one.test}")

    def test_every_record_is_complete_and_its_options_are_keywords_and_settings(self):
        known = {field.name for field in fields(Settings)}
        for name, one in self.records.items():
            self.assertTrue(one.title and one.solves and "\n" not in one.solves, name)
            self.assertTrue(not one.reference or "doi 10." in one.reference, name)
            self.assertLessEqual(set(one.options), set(inspect.signature(one.function).parameters), name)
            self.assertLessEqual(set(one.options.values()), known, name)

    def test_a_setting_that_is_none_is_not_passed(self):
        method = inversion.METHODS["medi-tv-nesterov"]
        self.assertEqual(method.arguments(preset()), {})
        self.assertEqual(method.arguments(preset(inversion_iterations=7)), {"iterations": 7})


class SettingTest(unittest.TestCase):
    """A setting that one place does not know turns these red; flags and panels are compared in test_widgets."""

    def test_every_setting_has_a_text_values_a_row_a_schema_and_a_method_that_takes_it(self):
        script, texts = page(), setting_texts()
        rows = (
            (ROOT / "Docs" / "Methods.md").read_text(encoding="utf-8").partition("## Settings of a reconstruction")[2]
        )
        schema = json.loads((ROOT / "TrabecularQSMLib" / "data" / "settings.schema.json").read_text(encoding="utf-8"))
        taken = {
            setting
            for room in script.ROOMS
            for one in script.records(room).values()
            for setting in one.options.values()
        }
        # They choose methods, stages and maps, and λ goes to every inversion.
        taken |= {"background", "air_first", "inversion", "regularization", "stop_after"}
        taken |= {"separate_rates", "magnitude_maps", "separate_cortex", "chi_sigma", "reference"}
        names = {field.name for field in fields(Settings)}
        self.assertEqual(texts.keys(), names)
        self.assertEqual(CHOICES.keys() | RANGES.keys(), names)
        self.assertEqual(CHOICES.keys() & RANGES.keys(), set())
        self.assertEqual(schema["properties"].keys(), names)
        self.assertEqual(taken, names)
        for name in names:
            self.assertIn(f"\n| `{name}` | ", rows)

    def test_texts_are_read_from_a_docstring_with_and_without_indentation(self):
        lines = ("Parameters", "----------", "a_b : int", "    One ``two``", "    three.", "c, d : str", "    Four.")
        others = ("", "Raises", "------", "E", "    No.", "")
        dedented = "\n".join(("Head.", "", *lines, *others))
        indented = "\n".join(("Head.", "", *(f"    {line}" if line else "" for line in (*lines, *others))))
        wanted = {"a_b": "One two three.", "c": "Four.", "d": "Four."}
        self.assertEqual(setting_texts(indented), wanted)
        self.assertEqual(setting_texts(dedented), wanted)
        self.assertEqual(setting_texts(inspect.cleandoc(Settings.__doc__)), setting_texts(Settings.__doc__))
        self.assertEqual(setting_texts(None), {})


if __name__ == "__main__":
    unittest.main()
