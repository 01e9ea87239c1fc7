"""Statistics of maps in segments, on real MRML."""

import tempfile
import unittest
from pathlib import Path

import numpy as np
from scenes import AFFINE, SHAPE, SceneTest, cancel_at, random_map, slicer
from test_analysis_placement import two_bones

from TrabecularQSMLib import scene
from TrabecularQSMLib.analysis.measure import COLUMNS, measure
from TrabecularQSMLib.errors import Cancelled, InputError
from TrabecularQSMLib.scene import tables
from TrabecularQSMLib.scene.folders import resultFolder
from TrabecularQSMLib.scene.volumes import newVolume

NAMES = {1: "subtalar", 2: "tuber"}


def regions():
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[1:3, 1:4, :2] = 1
    labels[3:, 2:, 1:] = 2
    return labels


class MeasureTest(SceneTest):
    def setUp(self):
        super().setUp()
        self.segmentation = scene.addSegmentation(regions(), NAMES, AFFINE, "regions")

    def add(self, array, quantity="chi", affine=AFFINE, name="ankle"):
        return scene.addMapVolume(array, affine, quantity, name)

    def test_the_table_has_the_rows_of_the_command_line(self):
        arrays = {name: random_map(seed).astype(np.float32) for seed, name in enumerate(("chi", "r2star"))}
        arrays["mask"] = (random_map(5) > -1).astype(np.float32)
        volumes = {name: self.add(array, name) for name, array in arrays.items()}
        table = scene.measureNodes(volumes, self.segmentation, case="sub-01")
        rows = tables.rowsFromTable(table)
        self.assertEqual(list(rows[0]), list(COLUMNS))
        expected = measure(arrays, regions(), NAMES, case="sub-01")
        rows, expected = (sorted(some, key=lambda row: (row["quantity"], row["region"])) for some in (rows, expected))
        self.assertEqual(rows, expected)
        self.assertGreater(sum(row["excluded"] for row in rows if row["quantity"] == "chi"), 0)
        self.assertEqual(sum(row["excluded"] for row in rows if row["quantity"] == "r2star"), 0)

    def test_columns_have_units_descriptions_and_codes(self):
        table = scene.measureNodes([self.add(random_map())], self.segmentation, case="sub-01")
        self.assertEqual(table.GetColumnUnitLabel("n"), "voxels")
        self.assertTrue(all(table.GetColumnDescription(name) for name in COLUMNS))
        self.assertIn("373098007", table.GetColumnProperty("mean", tables.DERIVATION_PROPERTY))

    def test_cases_are_appended_and_the_same_case_replaces_its_rows(self):
        table = scene.measureNodes([self.add(random_map(1))], self.segmentation, case="sub-01")
        other = self.add(random_map(2), name="other")
        self.assertIs(scene.measureNodes([other], self.segmentation, case="sub-02", table=table), table)
        again = scene.measureNodes([other], self.segmentation, case="sub-01", table=table)
        means = {(row["case"], row["region"]): row["mean"] for row in tables.rowsFromTable(again)}
        self.assertEqual(len(tables.rowsFromTable(again)), 4)
        for region in NAMES.values():
            self.assertEqual(means["sub-01", region], means["sub-02", region])
        self.assertEqual(table.GetColumnUnitLabel("n"), "voxels")
        scene.measureNodes([self.add(random_map(3), "r2star")], self.segmentation, case="sub-01", table=table)
        self.assertEqual(len(tables.rowsFromTable(table)), 6)

    def test_a_table_that_is_removed_meanwhile_gives_way_to_a_new_one(self):
        table = scene.measureNodes([self.add(random_map(1))], self.segmentation, case="sub-01")

        def remove(fraction, message):
            if table.GetScene():
                slicer.mrmlScene.RemoveNode(table)

        again = scene.measureNodes(
            [self.add(random_map(2), name="b")], self.segmentation, case="sub-02", table=table, progress=remove
        )
        self.assertIs(again.GetScene(), slicer.mrmlScene)
        self.assertEqual({row["case"] for row in tables.rowsFromTable(again)}, {"sub-02"})

    def test_values_of_another_scan_under_the_same_case_are_told(self):
        options = {"segmentation": self.segmentation, "case": "sub-01"}
        first = self.add(random_map(1))
        table = scene.measureNodes([first], **options)
        scene.measureNodes([first], table=table, **options)
        self.assertEqual(scene.notesOf(table), [])  # the same again
        scene.measureNodes([self.add(random_map(2), name="other")], table=table, **options)
        self.assertRegex(
            scene.notesOf(table)[0], r"values of case sub-01 are replaced \(rows: 2\); another scan needs a"
        )
        scene.measureNodes([self.add(random_map(3), "r2star")], table=table, **options)
        self.assertEqual(scene.notesOf(table), [])

    def test_a_region_that_was_renamed_is_told_before_it_counts_twice(self):
        options = {"segmentation": self.segmentation, "case": "sub-01"}
        chi = self.add(random_map(1))
        table = scene.measureNodes([chi], **options)
        segment = self.segmentation.GetSegmentation().GetNthSegment(0)
        before = segment.GetName()
        segment.SetName("heel")
        scene.measureNodes([chi], table=table, **options)
        self.assertRegex(
            scene.notesOf(table)[0], f"^{before} of case sub-01: the same values .* another name now; delete"
        )
        self.assertEqual(len(scene.notesOf(table)), 1)
        # Other regions of the case, such as parts, are nobody's former name.
        table = scene.measureNodes([chi], **options)
        segment.SetName(before)
        scene.measureNodes([self.add(random_map(2), name="other")], table=table, **options)
        self.assertNotIn("another name", " ".join(scene.notesOf(table)))

    def test_regions_without_reliable_values_are_told(self):
        maps = {"chi": self.add(random_map()), "mask": self.add((regions() == 1).astype(np.float32), "mask")}
        table = scene.measureNodes(maps, self.segmentation, case="sub-01")
        (note,) = scene.notesOf(table)
        self.assertIn("100% of the region tuber hold no reliable value of any map", note)

    def test_regions_that_the_map_cuts_off_are_told(self):
        moved = AFFINE.copy()
        moved[:3, 3] += 2 * moved[:3, 0]
        cut = scene.addSegmentation(regions(), NAMES, moved, "cut")
        whole = scene.measureNodes([self.add(random_map())], self.segmentation, case="sub-01")
        self.assertEqual(scene.notesOf(whole), [])
        (note,) = scene.notesOf(scene.measureNodes([self.add(random_map())], cut, case="sub-02"))
        self.assertRegex(note, "67 % of the region tuber lie outside of ankle")

    def test_regions_that_were_transposed_are_told(self):
        fraction, labels = two_bones()
        for turned, told in ((labels, 0), (labels.transpose(0, 2, 1), 1)):
            regions = scene.addSegmentation(turned, NAMES, AFFINE, "turned")
            table = scene.measureNodes([self.add(fraction, "pdff")], regions, case="sub-01")
            notes = scene.notesOf(table)
            self.assertEqual(["stored in another orientation" in note for note in notes], told * [True])

    def test_maps_of_reliability_and_mask_in_the_same_folder_count(self):
        chi = random_map().astype(np.float32)
        unreliable = np.ones(SHAPE, dtype=np.float32)
        unreliable[1, 1, 0] = 0
        nodes = {}
        with resultFolder("ankle maps") as put:
            for name, array in {"chi": chi, "reliability": unreliable}.items():
                nodes[name] = put(self.add(array, name))
        self.add(np.zeros(SHAPE), "reliability")  # of another folder
        rows = tables.rowsFromTable(scene.measureNodes([nodes["chi"]], self.segmentation, case="sub-01"))
        self.assertEqual([row["excluded"] for row in rows], [1, 0])

    def test_regions_follow_to_another_grid_under_a_transform(self):
        finer = AFFINE.copy()
        finer[:3, 0] /= 2
        finer[:3, 3] -= finer[:3, 0] / 2
        chi = random_map().astype(np.float32)
        volume = self.add(np.repeat(chi, 2, axis=2), affine=finer)
        shift = np.eye(4)
        shift[:3, 3] = (40.0, -3.0, 9.0)
        transform = self.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(shift))
        back = finer.copy()
        back[:3, 3] -= shift[:3, 3]
        volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(back))
        volume.SetAndObserveTransformNodeID(transform.GetID())
        rows = tables.rowsFromTable(scene.measureNodes([volume], self.segmentation, case="sub-01"))
        for row, label in zip(rows, NAMES, strict=True):
            self.assertAlmostEqual(row["mean"], chi[regions() == label].mean(), places=5)
            self.assertEqual(row["n"], 2 * np.count_nonzero(regions() == label))

    def test_a_volume_without_quantity_goes_by_its_name(self):
        node = slicer.mrmlScene.AddNode(newVolume(random_map(), AFFINE, "T2 map"))
        rows = tables.rowsFromTable(scene.measureNodes([node], self.segmentation, case="sub-01"))
        self.assertEqual({(row["quantity"], row["unit"]) for row in rows}, {("T2 map", "")})

    def test_the_table_is_saved_and_read_back_as_csv(self):
        table = scene.measureNodes([self.add(random_map())], self.segmentation, case="sub-01")
        storage = slicer.vtkMRMLTableStorageNode()
        with tempfile.TemporaryDirectory() as folder:
            storage.SetFileName(str(Path(folder) / "table.csv"))
            self.assertTrue(storage.WriteData(table))
            again = self.scene.AddNewNodeByClass("vtkMRMLTableNode")
            self.assertTrue(storage.ReadData(again))
        rows, expected = tables.rowsFromTable(again), tables.rowsFromTable(table)
        self.assertEqual([list(row) for row in rows], [list(row) for row in expected])
        for row, right in zip(rows, expected, strict=True):
            self.assertEqual(row["region"], right["region"])
            self.assertAlmostEqual(row["mean"], right["mean"], delta=1e-4)  # tables show four digits

    def test_a_number_that_there_is_not_is_an_empty_one(self):
        labels = np.zeros(SHAPE, dtype=np.uint8)
        labels[0, 0, 0] = 1
        segmentation = scene.addSegmentation(labels, {1: "one voxel"}, AFFINE, "small")
        table = scene.measureNodes([self.add(random_map())], segmentation, case="sub-01")
        self.assertIsNone(tables.rowsFromTable(table)[0]["sd"])

    def test_wrong_input_gets_its_sentence_and_changes_nothing(self):
        chi, mask = self.add(random_map()), self.add(np.ones(SHAPE), "mask")
        far = AFFINE.copy()
        far[:3, 3] += 1000
        elsewhere = self.add(random_map(), affine=far, name="far")
        table = scene.measureNodes([chi], self.segmentation, case="sub-01")
        other = tables.addTable("other", [tables.Column("case", ["a"])])
        empty = self.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "empty")
        ids, rows = self.node_ids(), tables.rowsFromTable(table)
        for volumes, segmentation, target, sentence in (
            ([elsewhere], self.segmentation, table, r"far χ.* with regions: The region 'subtalar' .*is empty"),
            ([mask], self.segmentation, table, "no map to measure"),
            ([chi, elsewhere], self.segmentation, table, "both maps of chi; choose one"),
            ([chi], empty, table, "with empty: The segmentation holds no region"),
            ([chi], self.segmentation, other, "table other has no column region"),
        ):
            with self.assertRaisesRegex(InputError, sentence):
                scene.measureNodes(volumes, segmentation, case="sub-02", table=target)
        self.assertEqual((self.node_ids(), tables.rowsFromTable(table)), (ids, rows))

    def test_a_table_of_other_columns_is_refused_before_anything_is_measured(self):
        chi, wrong = self.add(random_map()), tables.addTable("other", [tables.Column("case", ["a"])])
        for step, image in ((scene.measureNodes, [chi]), (scene.attenuationNodes, chi), (scene.bvtvNodes, chi)):
            with self.subTest(step.__name__), self.assertRaisesRegex(InputError, "other has no column region"):
                step(image, self.segmentation, case="a", table=wrong, progress=lambda *_: self.fail("measured"))

    def test_a_cancelled_run_changes_nothing(self):
        table = scene.measureNodes([self.add(random_map())], self.segmentation, case="sub-01")
        maps = [self.add(random_map(), name) for name in ("r2star", "pdff")]
        ids, rows = self.node_ids(), tables.rowsFromTable(table)
        for limit in (0.0, 0.5, 1.0):
            with self.assertRaises(Cancelled):
                scene.measureNodes(maps, self.segmentation, case="sub-02", table=table, progress=cancel_at(limit))
        self.assertEqual((self.node_ids(), tables.rowsFromTable(table)), (ids, rows))


if __name__ == "__main__":
    unittest.main()
