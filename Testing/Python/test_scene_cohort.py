"""What a cohort has left in files, as nodes, on real MRML."""

import json
import shutil
import tempfile
import unittest
from pathlib import Path

import numpy as np
import scans
from scenes import SceneTest, cancel_at, slicer

from TrabecularQSMLib import scene
from TrabecularQSMLib.analysis.measure import measure
from TrabecularQSMLib.errors import Cancelled, InputError
from TrabecularQSMLib.files import read_acquisition
from TrabecularQSMLib.files.maps import write_reconstruction
from TrabecularQSMLib.files.tables import csv_text
from TrabecularQSMLib.files.writing import write_labels
from TrabecularQSMLib.pipeline import Reconstruction
from TrabecularQSMLib.scene.tables import rowsFromTable
from TrabecularQSMLib.settings import preset
from TrabecularQSMLib.study.cohort import COLUMNS, TABLE

NAMES = {1: "calcaneus tuber", 2: "talus"}


class CohortTest(SceneTest):
    def setUp(self):
        super().setUp()
        self.output = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.output)
        scans.write_bids(self.output / "in", name="sub-01")
        scan = read_acquisition(self.output / "in")
        rng = np.random.default_rng(1)
        self.maps = {name: rng.standard_normal((4, 5, 6)).astype(np.float32) for name in ("chi", "pdff", "mip")}
        self.labels = np.zeros((4, 5, 6), np.uint8)
        self.labels[1:3, :2], self.labels[1:3, 3:] = 1, 2
        self.settings = preset(inversion="closed-form")
        write_reconstruction(self.output, scan, Reconstruction(self.maps, self.settings, ("Look at it.",)))
        write_labels(self.output / "sub-01" / "anat" / "sub-01_dseg", self.labels, scans.AFFINE, NAMES, {})

    def state(self):
        return self.node_ids(), self.hierarchy_count()

    def test_maps_and_regions_of_a_subject_are_a_run_of_the_scene(self):
        told = []
        nodes = scene.loadMaps(self.output / "sub-01", progress=lambda fraction, message: told.append(fraction))
        self.assertEqual((told, told[-1]), (sorted(told), 1.0))
        self.assertEqual(list(nodes), ["chi", "pdff", "mip"])
        for name, array in self.maps.items():
            np.testing.assert_array_equal(slicer.util.arrayFromVolume(nodes[name]), array)
        np.testing.assert_allclose(scene.affineFromVolume(nodes["chi"]), scans.AFFINE, atol=1e-5)
        (run,) = scene.runsInScene()
        self.assertEqual((run.name, run.notes), ("sub-01 maps", ["Look at it."]))
        self.assertIn('"inversion": "closed-form"', nodes["chi"].GetAttribute("TrabecularQSM.Settings"))
        labels, names = scene.regionsFromSegmentation(self.find("sub-01 regions"), nodes["chi"])
        np.testing.assert_array_equal(labels, self.labels)
        self.assertEqual(names, NAMES)
        self.assertFalse(self.find("sub-01 regions").GetDisplayNode().GetVisibility2DFill())

    def test_the_error_of_a_mean_of_chi_is_that_of_the_command_line(self):
        random = np.random.default_rng(2)
        names = ("sigma_chi", "noise_chi_1", "noise_chi_2")
        self.maps |= {name: random.uniform(0.1, 0.2, (4, 5, 6)).astype(np.float32) for name in names}
        shared = {"Voxels": [1.0, 20.0], "VarianceRatio": [1.0, 4.0]}
        scan, output = read_acquisition(self.output / "in"), self.output / "noisy"
        write_reconstruction(output, scan, Reconstruction(self.maps, self.settings, (), chi_noise=shared))
        nodes = scene.loadMaps(output / "sub-01")
        regions = scene.addSegmentation(self.labels, NAMES, scans.AFFINE, "regions")
        found = rowsFromTable(scene.measureNodes([nodes["chi"]], regions, case="sub-01"))
        wanted = measure(self.maps, self.labels, NAMES, case="sub-01", chi_noise=shared)
        self.assertEqual([row["se"] for row in found], [row["se"] for row in wanted if row["quantity"] == "chi"])
        self.assertGreater(found[0]["se"], 0)

    def test_what_a_cohort_noted_comes_with_the_maps(self):
        record = self.output / "sub-01" / "sub-01_cohort.json"
        record.write_text(json.dumps({"MadeOf": {}, "Notes": ["Look at it.", "The CT fits."]}), encoding="utf-8")
        nodes = scene.loadMaps(self.output / "sub-01")
        self.assertEqual(scene.notesOf(nodes["chi"]), ["Look at it.", "The CT fits."])

    def test_cancelled_it_leaves_the_scene_as_it_was(self):
        before, limits = self.state(), (0.0, 0.6, 0.8, 1.0)
        for limit in limits:
            with self.assertRaises(Cancelled):
                scene.loadMaps(self.output / "sub-01", progress=cancel_at(limit))
            self.assertEqual(self.state(), before)

    def test_a_folder_without_maps_or_with_those_of_several_scans_is_refused(self):
        with self.assertRaisesRegex(InputError, "in holds no maps; give the folder of one scan"):
            scene.loadMaps(self.output / "in")
        shutil.copytree(self.output / "sub-01" / "anat", self.output / "sub-02" / "anat")
        for path in sorted((self.output / "sub-02" / "anat").iterdir()):
            path.rename(path.with_name(path.name.replace("sub-01", "sub-02")))
        with self.assertRaisesRegex(InputError, "2 scans .sub-01, sub-02."):
            scene.loadMaps(self.output)

    def test_the_table_of_all_subjects_is_a_table_node_that_regresses(self):
        rows = [row for case in ("sub-01", "sub-02") for row in measure(self.maps, self.labels, NAMES, case=case)]
        (self.output / TABLE).write_text(csv_text(COLUMNS, rows), encoding="utf-8")
        table = scene.cohortTable(self.output)
        self.assertEqual(table.GetName(), f"{self.output.name} cohort table")
        found = rowsFromTable(table)
        self.assertEqual([(row["case"], row["region"], row["quantity"]) for row in found],
                         [(row["case"], row["region"], row["quantity"]) for row in rows])  # fmt: skip
        np.testing.assert_allclose([row["mean"] for row in found], [row["mean"] for row in rows], rtol=1e-3)
        self.assertEqual(scene.regressNodes([table], "pdff", "chi").result.pooled.n, 4)
        (self.output / TABLE).write_text(csv_text(COLUMNS, []), encoding="utf-8")
        with self.assertRaises(InputError):
            scene.cohortTable(self.output)


if __name__ == "__main__":
    unittest.main()
