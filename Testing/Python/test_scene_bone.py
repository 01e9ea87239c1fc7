"""Apparent BV/TV, CT and phase cycles, on real MRML."""

import unittest

import numpy as np
from scenes import AFFINE, SceneTest, cancel_at, slicer
from test_analysis_placement import limb

from TrabecularQSMLib import scene
from TrabecularQSMLib.analysis.bvtv import COLUMNS, apparent_bvtv, combine_phase_cycles, correct_bias
from TrabecularQSMLib.analysis.ct import Calibration, attenuation
from TrabecularQSMLib.errors import Cancelled, InputError
from TrabecularQSMLib.scene import tables
from TrabecularQSMLib.scene.volumes import newVolume

SHAPE = (16, 18, 20)
NAMES = {1: "subtalar", 2: "tuber"}


def regions():
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[2:14, 2:16, 2:8] = 1
    labels[2:14, 2:16, 12:18] = 2
    return labels


def bone():
    cortex = np.zeros(SHAPE, dtype=np.uint8)
    cortex[2:14, 2:16, 9:11] = 1
    return cortex


def image():
    """Marrow at 1,000 with bone at 50 in it, more of it in the first region; cortex is bone alone."""
    rng = np.random.default_rng(8)
    share = np.select([regions() == 1, regions() == 2], [0.4, 0.2], 0.0)
    signal = np.where(rng.random(SHAPE) < share, 50.0, 1000.0)
    signal[bone() > 0] = 50.0
    return np.abs(signal + rng.normal(0, 30, SHAPE)).astype(np.float32)


class BoneTest(SceneTest):
    def setUp(self):
        super().setUp()
        self.image = self.add(image(), "bSSFP")
        self.segmentation = scene.addSegmentation(regions(), NAMES, AFFINE, "regions")
        self.bone = scene.addSegmentation(bone(), {1: "cortex"}, AFFINE, "bone")

    def add(self, array, name, affine=AFFINE):
        return slicer.mrmlScene.AddNode(newVolume(array, affine, name))

    def move(self, *nodes):
        matrix = np.eye(4)
        matrix[:3, 3] = (30.0, -20.0, 10.0)
        transform = self.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
        for node in nodes:
            node.SetAndObserveTransformNodeID(transform.GetID())
        return transform

    def unchanged(self):
        return self.node_ids(), self.hierarchy_count()


class UnregisteredTest(BoneTest):
    """Regions of another grid, measured in images that nothing has brought to them."""

    def setUp(self):
        super().setUp()
        ct = np.full(SHAPE, -1000.0, np.float32)  # air, soft tissue and bone
        ct[1:15, 1:17, 1:19] = 40
        ct[regions() > 0] = 300
        self.images = [self.image, self.add(ct, "CT")]

    def told(self):
        """Whether the tables of both images say so."""
        options = {"boneSegmentation": self.bone, "biasCorrection": False}
        tables = [
            scene.bvtvNodes(self.image, self.segmentation, case="sub-01", **options).table,
            scene.attenuationNodes(self.images[1], self.segmentation, case="sub-01"),
        ]
        return ["lies on another grid" in " ".join(scene.notesOf(table)) for table in tables]

    def test_they_are_told_until_the_images_are_under_a_transform_of_their_own(self):
        affine = AFFINE.copy()
        affine[0, 3] += 0.3
        for node in self.images:
            node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(affine))
        self.assertEqual(self.told(), [True, True])
        self.move(*self.images, self.segmentation, self.bone)  # all alike
        self.assertEqual(self.told(), [True, True])
        self.segmentation.SetAndObserveTransformNodeID(None)
        transform = self.image.GetParentTransformNode()
        transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(np.eye(4)))
        self.assertEqual(self.told(), [False, False])

    def test_regions_that_were_drawn_on_the_images_are_not(self):
        self.assertEqual(self.told(), [False, False])


class BvtvTest(BoneTest):
    def run_bvtv(self, **options):
        options = {"boneSegmentation": self.bone, "case": "sub-01", "biasCorrection": False, **options}
        return scene.bvtvNodes(self.image, self.segmentation, **options)

    def test_what_is_to_be_known_of_the_image_is_in_the_notes_of_the_table(self):
        nodes = self.run_bvtv()
        self.assertEqual(scene.notesOf(nodes.table), [])
        slicer.util.arrayFromVolume(self.image)[2:5][regions()[2:5] == 2] = 0
        nodes = self.run_bvtv(table=nodes.table)
        said = " ".join(scene.notesOf(nodes.table))
        self.assertIn("bSSFP: 25% of the region tuber are exactly 0", said)
        self.assertIn("values of case sub-01 are replaced", said)

    def test_a_bone_volume_beyond_the_range_is_told(self):
        slicer.util.arrayFromVolume(self.image)[bone() > 0] = 900
        said = " ".join(scene.notesOf(self.run_bvtv().table))
        self.assertRegex(said, "bSSFP: The apparent BV/TV of subtalar is .*, beyond 0 to 1")

    def test_the_table_has_the_numbers_of_the_library(self):
        for rule in ("half-peak", "robust"):
            nodes = self.run_bvtv(rule=rule)
            expected = apparent_bvtv(image(), regions(), NAMES, bone() > 0, rule=rule)
            self.assertEqual(tables.rowsFromTable(nodes.table), [one.row("sub-01") for one in expected])
            self.assertIsNone(nodes.corrected)
        self.assertEqual(list(tables.rowsFromTable(nodes.table)[0]), list(COLUMNS))
        self.assertEqual(nodes.table.GetColumnUnitLabel("n"), "voxels")
        self.assertIn("Apparent BV/TV", nodes.table.GetColumnProperty("bvtv", tables.QUANTITY_PROPERTY))

    def test_shading_is_taken_out_and_the_corrected_volume_kept(self):
        nodes = self.run_bvtv(biasCorrection=True)
        expected = correct_bias(image(), AFFINE)
        np.testing.assert_array_equal(slicer.util.arrayFromVolume(nodes.corrected), expected)
        found = tables.rowsFromTable(nodes.table)[0]["bvtv"]
        self.assertEqual(found, apparent_bvtv(expected, regions(), NAMES, bone() > 0)[0].bvtv)

    def test_regions_bone_and_image_are_followed_through_their_transforms(self):
        expected = tables.rowsFromTable(self.run_bvtv().table)
        transform = self.move(self.image, self.bone)
        back = AFFINE.copy()
        back[:3, 3] -= (30.0, -20.0, 10.0)
        self.image.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(back))
        self.bone = scene.addSegmentation(bone(), {1: "cortex"}, back, "moved bone")
        self.bone.SetAndObserveTransformNodeID(transform.GetID())
        nodes = self.run_bvtv(biasCorrection=True)
        self.assertIs(nodes.corrected.GetParentTransformNode(), transform)
        self.assertEqual(tables.rowsFromTable(self.run_bvtv().table), expected)

    def test_the_bone_reference_may_be_a_segment_of_the_regions(self):
        labels = regions()
        labels[bone() > 0] = 3
        segmentation = scene.addSegmentation(labels, {**NAMES, 3: "cortex"}, AFFINE, "all")
        ID = segmentation.GetSegmentation().GetSegmentIdBySegmentName("cortex")
        expected = tables.rowsFromTable(self.run_bvtv().table)
        nodes = scene.bvtvNodes(self.image, segmentation, case="sub-01", boneSegmentID=ID, biasCorrection=False)
        self.assertEqual(tables.rowsFromTable(nodes.table), expected)

    def test_the_chart_shows_histograms_with_the_levels_of_marrow_and_bone(self):
        nodes = self.run_bvtv()
        found = apparent_bvtv(image(), regions(), NAMES, bone() > 0)
        count = nodes.chart.GetNumberOfPlotSeriesNodes()
        series = {node.GetName(): node for node in map(nodes.chart.GetNthPlotSeriesNode, range(count))}
        self.assertEqual(list(series), ["subtalar", "subtalar marrow", "tuber", "tuber marrow", "bone"])
        for one in found:
            rows = tables.rowsFromTable(series[one.region].GetTableNode())
            self.assertEqual(sum(row["count"] for row in rows), one.n)
            level = tables.rowsFromTable(series[f"{one.region} marrow"].GetTableNode())
            self.assertEqual({row["signal"] for row in level}, {one.marrow})
            self.assertEqual(series[one.region].GetColor(), series[f"{one.region} marrow"].GetColor())
        self.assertEqual(
            {row["signal"] for row in tables.rowsFromTable(series["bone"].GetTableNode())}, {found[0].bone}
        )

    def test_each_region_is_told_while_it_is_read(self):
        said = []
        self.run_bvtv(progress=lambda fraction, message: said.append(message))
        self.assertLessEqual({f"Reading the region {name}" for name in NAMES.values()}, set(said))

    def test_cases_are_appended(self):
        table = self.run_bvtv().table
        self.assertIs(self.run_bvtv(case="sub-02", table=table).table, table)
        self.run_bvtv(case="sub-02", table=table)
        self.assertEqual(scene.notesOf(table), [])
        self.run_bvtv(case="sub-02", rule="robust", table=table)
        self.assertIn("values of case sub-02 are replaced (rows: 2)", scene.notesOf(table)[0])
        cases = [row["case"] for row in tables.rowsFromTable(table)]
        self.assertEqual(cases, ["sub-01"] * 2 + ["sub-02"] * 2)

    def test_wrong_input_gets_its_sentence_and_changes_nothing(self):
        empty = scene.addSegmentation(np.zeros(SHAPE, np.uint8), {1: "nothing"}, AFFINE, "empty")
        far = AFFINE.copy()
        far[:3, 3] += 1000
        away = self.add(image(), "away", far)
        constant = self.add(np.ones(SHAPE), "constant")
        table = tables.addTable("other", [tables.Column("x", [1.0])])
        elsewhere = scene.addSegmentation(regions() == 1, {1: "not on the image"}, far, "elsewhere")
        before = self.unchanged()
        for given, options, sentence in (
            (self.image, {"boneSegmentation": empty}, "segment nothing of empty has no voxel inside the scan"),
            (
                self.image,
                {"boneSegmentation": None},
                "regions has 2 segments; choose .* bone reference",
            ),
            (away, {}, "segment cortex of bone has no voxel inside the scan; draw it where the scan is.$"),
            (constant, {}, "constant: The image is 1 everywhere"),
            (self.image, {"table": table}, "table other has no column case"),
        ):
            with self.assertRaisesRegex(InputError, sentence):
                options = {"boneSegmentation": self.bone, "case": "a", "biasCorrection": False, **options}
                scene.bvtvNodes(given, self.segmentation, **options)
        with self.assertRaisesRegex(InputError, "bSSFP: The region 'not on the image' .* has no voxel"):
            scene.bvtvNodes(self.image, elsewhere, case="a", boneSegmentation=self.bone, biasCorrection=False)
        self.assertEqual(self.unchanged(), before)

    def test_a_cancelled_run_changes_nothing(self):
        table = self.run_bvtv().table
        before, rows = self.unchanged(), tables.rowsFromTable(table)
        for limit in (0.0, 0.5, 1.0):
            with self.assertRaises(Cancelled):
                self.run_bvtv(case="sub-02", biasCorrection=True, table=table, progress=cancel_at(limit))
        self.assertEqual((self.unchanged(), tables.rowsFromTable(table)), (before, rows))


class CtTest(BoneTest):
    def setUp(self):
        super().setUp()
        self.array = np.select([regions() == 1, regions() == 2], [300, 150], -120).astype(np.float32) + image() / 20
        self.ct = self.add(self.array, "CT")

    def test_attenuation_and_density_are_rows_of_the_table_of_maps(self):
        chi = scene.addMapVolume(self.array / 1000, AFFINE, "chi", "ankle")
        table = scene.measureNodes([chi], self.segmentation, case="sub-01")
        calibration = Calibration(0.8, -5.0)
        options = {"case": "sub-01", "calibration": calibration}
        self.assertIs(scene.attenuationNodes(self.ct, self.segmentation, table=table, **options), table)
        rows = tables.rowsFromTable(table)
        self.assertEqual(rows[2:], attenuation(self.array, regions(), NAMES, **options))
        self.assertEqual({row["quantity"] for row in rows}, {"chi", "ct", "bmd"})
        alone = scene.attenuationNodes(self.ct, self.segmentation, case="sub-01")
        self.assertEqual({row["quantity"] for row in tables.rowsFromTable(alone)}, {"ct"})

    def test_what_a_user_should_know_of_the_ct_is_kept_with_the_table(self):
        table = scene.attenuationNodes(self.ct, self.segmentation, case="sub-01")
        self.assertEqual(scene.notesOf(table), [])
        cut = self.add(np.minimum(self.array, 250), "windowed")
        scene.attenuationNodes(cut, self.segmentation, case="sub-02", table=table)
        self.assertRegex(" ".join(scene.notesOf(table)), "^windowed: .* voxels hold the largest value, 250 HU")
        scene.attenuationNodes(self.ct, self.segmentation, case="sub-02", table=table)
        self.assertIn("values of case sub-02 are replaced", " ".join(scene.notesOf(table)))
        scene.attenuationNodes(self.ct, self.segmentation, case="sub-01", table=table)
        self.assertEqual(scene.notesOf(table), [])

    def test_regions_that_lie_beside_their_bones_are_told_for_ct_and_bssfp(self):
        ct, labels = limb()
        affine = np.diag([2.0, 1.0, 2.0, 1.0])
        names = {1: "talus", 2: "calcaneus"}
        beside = scene.addSegmentation(np.roll(labels, -9, 1), names, affine, "beside")
        bone = scene.addSegmentation(ct > 900, {1: "cortex"}, affine, "shell")
        table = scene.attenuationNodes(self.add(ct, "leg", affine), beside, case="sub-01")
        self.assertIn("leg: What the regions hold varies by", " ".join(scene.notesOf(table)))
        options = {"case": "sub-01", "boneSegmentation": bone, "biasCorrection": False}
        table = scene.bvtvNodes(self.add(2000 - ct, "marrow", affine), beside, **options).table
        self.assertIn("marrow: What the regions hold varies by", " ".join(scene.notesOf(table)))

    def test_each_region_is_told_while_it_is_read_and_cancel_leaves_nothing(self):
        told = []
        options = {"case": "sub-01", "progress": lambda fraction, message: told.append((fraction, message))}
        scene.attenuationNodes(self.ct, self.segmentation, **options)
        self.assertLessEqual({f"Reading the region {name}" for name in NAMES.values()}, {said for _, said in told})
        self.assertEqual(told, sorted(told, key=lambda one: one[0]))
        before = self.unchanged()

        def cancel(fraction, message):
            raise Cancelled

        with self.assertRaises(Cancelled):
            scene.attenuationNodes(self.ct, self.segmentation, case="sub-01", progress=cancel)
        self.assertEqual(self.unchanged(), before)

    def test_the_ct_is_measured_where_its_transform_puts_it(self):
        expected = tables.rowsFromTable(scene.attenuationNodes(self.ct, self.segmentation, case="a"))
        self.move(self.ct)
        back = AFFINE.copy()
        back[:3, 3] -= (30.0, -20.0, 10.0)
        self.ct.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(back))
        self.assertEqual(tables.rowsFromTable(scene.attenuationNodes(self.ct, self.segmentation, case="a")), expected)

    def test_wrong_input_gets_its_sentence(self):
        before = self.unchanged()
        matrix = slicer.util.vtkMatrixFromArray(np.eye(4) + 1000 * np.eye(4, k=3))
        self.move(self.ct).SetMatrixTransformToParent(matrix)
        with self.assertRaisesRegex(InputError, "CT with regions: The region 'subtalar' .*empty"):
            scene.attenuationNodes(self.ct, self.segmentation, case="a")
        slicer.mrmlScene.RemoveNode(self.ct.GetParentTransformNode())
        self.assertEqual(self.unchanged(), before)


class PhaseCyclesTest(BoneTest):
    def test_phase_cycles_become_one_volume_under_the_same_transform(self):
        arrays = [np.random.default_rng(n).random(SHAPE).astype(np.float32) for n in range(2)]
        volumes = [self.add(array, f"cycle {n}") for n, array in enumerate(arrays)]
        transform = self.move(*volumes)
        for method, name in (("maximum", "cycle 0 combined"), ("root-sum-of-squares", "cycle 0 combined 2")):
            node = scene.combinePhaseCyclesNodes(volumes, method)
            np.testing.assert_array_equal(slicer.util.arrayFromVolume(node), combine_phase_cycles(arrays, method))
            self.assertEqual(node.GetName(), name)
            self.assertIs(node.GetParentTransformNode(), transform)
        np.testing.assert_allclose(scene.affineFromVolume(node), AFFINE, atol=1e-9)

    def test_different_grids_get_their_sentence(self):
        shifted = AFFINE.copy()
        shifted[:3, 3] += 1
        other = self.add(image(), "other", shifted)
        before = self.unchanged()
        with self.assertRaisesRegex(InputError, "bSSFP and other are on different grids: the same voxels lie"):
            scene.combinePhaseCyclesNodes([self.image, other])
        with self.assertRaisesRegex(InputError, "no image to combine"):
            scene.combinePhaseCyclesNodes([])
        self.assertEqual(self.unchanged(), before)


if __name__ == "__main__":
    unittest.main()
