"""Phantom, reconstruct, measure and lcurve from files to files."""

import importlib.util
import json
import shutil
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
from commands import files, run

from TrabecularQSMLib.files import nifti
from TrabecularQSMLib.files.maps import find_maps, planned_maps
from TrabecularQSMLib.settings import preset

HAS_MATPLOTLIB = importlib.util.find_spec("matplotlib") is not None


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
        self.assertIn(f"Largest curvature at λ = {sidecar['BestRegularization']:.4g} mm²", out)
        zero = sidecar["InflectionRegularization"]
        self.assertIn("smooths less, at " + ("none of the smaller λ" if zero is None else f"λ = {zero:.4g} mm²"), out)
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
