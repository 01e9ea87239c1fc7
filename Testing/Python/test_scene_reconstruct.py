"""The whole way from sequence nodes to maps and L-curves on real MRML."""

import json
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path
from unittest import mock

import headless
import numpy as np
from scenes import AFFINE, SHAPE, SceneTest, cancel_at, random_acquisition, random_map, slicer, vtk

from TrabecularQSMLib import scene
from TrabecularQSMLib.acquisition import MeasuredField
from TrabecularQSMLib.errors import Cancelled, InputError
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom
from TrabecularQSMLib.pipeline import Reconstruction, reconstruct, sweep_regularization
from TrabecularQSMLib.quantities import ADDED_MAPS, WITHOUT_PHASE
from TrabecularQSMLib.scene import lcurve as lcurve_module
from TrabecularQSMLib.scene import reconstruct as reconstruct_module
from TrabecularQSMLib.scene.b0 import directionOf
from TrabecularQSMLib.scene.volumes import newVolume
from TrabecularQSMLib.settings import Settings, preset


class PhantomTest(SceneTest):
    @classmethod
    def setUpClass(cls):
        cls.phantom = make_phantom(PhantomSettings(shape=(36, 37, 18), seed=4, tilt_degrees=15.0))
        cls.settings = preset("default", inversion="closed-form")

    def sequences(self):
        return scene.addEchoSequences(self.phantom.acquisition, "ankle")

    def state(self):
        return self.node_ids(), self.hierarchy_count()

    def segmentation(self):
        phantom = self.phantom
        return scene.addSegmentation(phantom.regions, phantom.region_names, phantom.acquisition.affine, "regions")


class ReconstructFieldTest(PhantomTest):
    def test_a_field_of_other_software_gives_what_its_array_gives(self):
        affine, settings = self.phantom.acquisition.affine, replace(self.settings, phase_sign="+1")
        field = self.phantom.truth["field_hz"].astype(np.float32)
        magnitude = self.phantom.truth["signal"].astype(np.float32)
        given = MeasuredField(field / (3 * 42.577478518), affine, "total", magnitude=magnitude)
        expected = reconstruct(given, settings)
        fieldNode, magnitudeNode = (
            slicer.mrmlScene.AddNode(newVolume(array, affine, name))
            for array, name in ((field, "theirs"), (magnitude, "magnitude"))
        )
        before = self.state()
        for words, changes in {
            "unit= is 'T'": {"unit": "T"},
            "give fieldStrength=": {"fieldStrength": None},
            "choose one of total, local": {"stage": "echoes"},
            "where the magnitude is asked for": {"magnitudeNode": self.segmentation()},
        }.items():
            call = {"stage": "total", "unit": "Hz", "fieldStrength": 3.0, "settings": settings, **changes}
            with self.assertRaisesRegex(InputError, words):
                scene.reconstructField(fieldNode, **call)
        nodes = scene.reconstructField(
            fieldNode, "total", "Hz", magnitudeNode=magnitudeNode, fieldStrength=3.0, settings=settings
        )
        self.assertEqual(set(nodes), set(expected.maps))
        chi = slicer.util.arrayFromVolume(nodes["chi"])
        np.testing.assert_allclose(chi, expected.maps["chi"], atol=1e-5)
        self.assertEqual(nodes["chi"].GetName(), "theirs χ [ppm]")
        self.assertIn("taken from theirs in Hz", scene.notesOf(nodes["chi"])[0])
        self.assertNotEqual(self.state(), before)

    def test_a_field_that_is_a_map_of_ours_keeps_its_direction_of_b0(self):
        sideways = replace(self.phantom.acquisition, b0_patient=(0.0, 1.0, 0.0))
        maps = scene.reconstructNodes(*scene.addEchoSequences(sideways, "ankle"), settings=self.settings)
        for given, direction in ((None, (0, 1, 0)), ((0, 0, 1), (0, 0, 1))):
            nodes = scene.reconstructField(
                maps["local_field"], "local", "ppm", b0Direction=given, settings=self.settings
            )
            np.testing.assert_allclose(directionOf(nodes["chi"]), direction, atol=1e-9)
        # Superior may have been assumed.
        again = scene.reconstructField(
            nodes["chi"], "local", "ppm", fieldStrength=0.35, settings=replace(self.settings, stop_after="background")
        )
        self.assertIn("`b0_direction` is 0 1 0", " ".join(scene.notesOf(again["local_field"])))


class ReconstructNodesTest(PhantomTest):
    def test_the_nodes_hold_what_the_arrays_give(self):
        expected = reconstruct(self.phantom.acquisition, self.settings)
        seen = []
        nodes = scene.reconstructNodes(
            *self.sequences(), settings=self.settings, progress=lambda fraction, message: seen.append(fraction)
        )
        self.assertEqual(set(nodes), set(expected.maps))
        for name in ("field_hz", "r2star", "pdff", "chi"):
            found, array = slicer.util.arrayFromVolume(nodes[name]), expected.maps[name]
            # The scan went through magnitude and phase in float32, which the search for the field hardly notices.
            close = np.isclose(found, array, rtol=1e-3, atol=1e-3 * np.abs(array).max())
            self.assertGreater(close.mean(), 0.999, name)
        np.testing.assert_allclose(scene.affineFromVolume(nodes["chi"]), self.phantom.acquisition.affine, atol=1e-9)
        self.assertEqual(seen[-1], 1.0)

    def test_results_lie_in_a_folder_and_know_their_settings(self):
        nodes = scene.reconstructNodes(*self.sequences(), settings=self.settings)
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self.scene)
        folders = {hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) for node in nodes.values()}
        self.assertEqual([hierarchy.GetItemName(folder) for folder in folders], ["ankle maps"])
        stored = Settings.from_dict(json.loads(nodes["chi"].GetAttribute("TrabecularQSM.Settings")))
        self.assertEqual(stored.inversion, "closed-form")
        self.assertEqual(stored.phase_sign, "+1")

    def test_the_folder_lies_beside_the_scan_in_its_study(self):
        magnitude, phase = self.sequences()
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self.scene)
        study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "visit 1")
        shown = scene.addEchoBrowser(magnitude, phase).GetProxyNode(magnitude)
        hierarchy.SetItemParent(hierarchy.GetItemByDataNode(shown) or hierarchy.CreateItem(study, shown), study)
        nodes = scene.addMapVolumes(
            Reconstruction({"chi": random_map()}, self.settings, ()), AFFINE, "ankle", beside=magnitude
        )
        folder = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(nodes["chi"]))
        self.assertEqual(hierarchy.GetItemName(hierarchy.GetItemParent(folder)), "visit 1")

    def test_nodes_that_the_application_has_put_elsewhere_come_into_the_folder(self):
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self.scene)

        @vtk.calldata_type(vtk.VTK_OBJECT)
        def make_item(caller, event, node):
            if node.IsA("vtkMRMLScalarVolumeNode"):
                hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)

        tag = self.scene.AddObserver(slicer.vtkMRMLScene.NodeAddedEvent, make_item)
        self.addCleanup(self.scene.RemoveObserver, tag)
        nodes = scene.addMapVolumes(Reconstruction({"chi": random_map()}, self.settings, ()), AFFINE, "ankle")
        folder = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(nodes["chi"]))
        self.assertEqual(hierarchy.GetItemName(folder), "ankle maps")

    def test_notes_are_kept_with_the_maps(self):
        notes = ("The phase was rescaled.", "It was conjugated.")
        nodes = scene.addMapVolumes(Reconstruction({"chi": random_map()}, self.settings, notes), AFFINE, "ankle")
        self.assertEqual(nodes["chi"].GetAttribute("TrabecularQSM.Notes").split("\n"), list(notes))

    def test_a_segment_is_the_mask(self):
        magnitude, phase = self.sequences()
        labels = np.zeros(self.phantom.regions.shape, dtype=np.uint8)
        labels[4:14, 10:26, 10:26] = 2
        labels[0, 0, 0] = 1
        drawn = scene.addSegmentation(labels, {1: "other", 2: "box"}, self.phantom.acquisition.affine, "drawn")
        segmentID = drawn.GetSegmentation().GetSegmentIdBySegmentName("box")
        nodes = scene.reconstructNodes(
            magnitude, phase, settings=self.settings, maskSegmentation=drawn, maskSegmentID=segmentID
        )
        inside = slicer.util.arrayFromVolume(nodes["mask"]) > 0
        # Less its outermost slices, in which the background leaves no field.
        expected = np.zeros(labels.shape, dtype=bool)
        expected[5:13, 11:25, 11:25] = True
        np.testing.assert_array_equal(inside, expected)
        self.assertIn("left out of it", " ".join(scene.notesOf(nodes["mask"])))
        self.assertEqual(np.abs(slicer.util.arrayFromVolume(nodes["chi"])[~inside]).max(), 0)

    def test_maps_lie_where_the_scan_is_seen(self):
        magnitude, phase = self.sequences()
        proxy = scene.addEchoBrowser(magnitude, phase).GetProxyNode(magnitude)
        transform = self.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "moved")
        turn = vtk.vtkTransform()
        turn.Translate(500, 60, 70)
        turn.RotateX(30)
        transform.SetMatrixTransformToParent(turn.GetMatrix())
        affine = self.phantom.acquisition.affine
        labels = np.zeros(self.phantom.regions.shape, dtype=np.uint8)
        labels[4:14, 10:26, 10:26] = 1
        drawn = scene.addSegmentation(labels, {1: "box"}, affine, "drawn")
        expected = scene.reconstructNodes(magnitude, phase, settings=self.settings, maskSegmentation=drawn)
        proxy.SetAndObserveTransformNodeID(transform.GetID())
        drawn.SetAndObserveTransformNodeID(transform.GetID())
        seen = scene.reconstructNodes(magnitude, phase, settings=self.settings, maskSegmentation=drawn)
        self.assertEqual({node.GetParentTransformNode() for node in seen.values()}, {transform})
        np.testing.assert_allclose(scene.affineFromVolume(seen["chi"]), affine, atol=1e-9)
        for name in ("mask", "chi"):
            found, before = (slicer.util.arrayFromVolume(nodes[name]) for nodes in (seen, expected))
            np.testing.assert_array_equal(found, before, name)
        self.assertIn("which turns it; B0 was taken as", seen["chi"].GetAttribute("TrabecularQSM.Notes"))
        # A mask that stays where it was is no longer where the scan is.
        drawn.SetAndObserveTransformNodeID(None)
        with self.assertRaisesRegex(InputError, "box of drawn has no voxel inside the scan"):
            scene.reconstructNodes(magnitude, phase, settings=self.settings, maskSegmentation=drawn)

    def test_no_map_is_a_node_of_another_type_than_float32(self):
        nodes = scene.reconstructNodes(*self.sequences(), settings=self.settings)
        self.assertEqual({slicer.util.arrayFromVolume(node).dtype for node in nodes.values()}, {np.dtype(np.float32)})

    def test_magnitude_alone_gives_maps_of_the_magnitude(self):
        scan = self.phantom.acquisition
        alone = replace(scan, echoes=np.abs(scan.echoes).astype(np.complex64), has_phase=False)
        magnitude, phase = scene.addEchoSequences(alone, "ankle")
        self.assertIsNone(phase)
        self.assertEqual(scene.addEchoBrowser(magnitude, None).GetNumberOfSynchronizedSequenceNodes(True), 1)
        with self.assertRaisesRegex(InputError, "ankle magnitude has no phase"):
            scene.reconstructNodes(magnitude, None, settings=self.settings)
        settings = replace(self.settings, magnitude_maps="yes")
        nodes = scene.reconstructNodes(magnitude, None, settings=settings)
        self.assertEqual(set(nodes), {*WITHOUT_PHASE, *ADDED_MAPS["magnitude_maps"]})
        array = slicer.util.arrayFromVolume(nodes["pdff_magnitude"])
        np.testing.assert_array_equal(array, reconstruct(alone, settings).maps["pdff_magnitude"])
        (run,) = scene.runsInScene()
        self.assertIn("Fat fraction of the magnitude", [row.title for row in run.maps])

    def test_loose_volumes_of_magnitude_alone_become_a_scan(self):
        volumes = [scene.addMapVolume(random_map(n) ** 2, AFFINE, "mip", f"echo {n}") for n in range(3)]
        magnitude, phase = scene.sequencesFromVolumes(volumes, None, (1.0, 2.0, 3.0), "loose")
        self.assertEqual((magnitude.GetNumberOfDataNodes(), phase), (3, None))
        acquisition = scene.acquisitionFromSequences(magnitude, None, fieldStrength=3.0)
        self.assertFalse(acquisition.has_phase)
        np.testing.assert_allclose(acquisition.echoes[1], random_map(1) ** 2, rtol=1e-6)

    def test_a_cancelled_run_leaves_the_scene_as_it_was(self):
        magnitude, phase = self.sequences()
        before = self.state()
        for limit in (0.0, 0.3, 0.6, 1.0):
            with self.assertRaises(Cancelled):
                scene.reconstructNodes(magnitude, phase, settings=self.settings, progress=cancel_at(limit))
            self.assertEqual(self.state(), before)

    def test_wrong_input_gets_its_sentence_and_leaves_the_scene_as_it_was(self):
        magnitude, phase = self.sequences()
        other, _ = scene.addEchoSequences(random_acquisition(), "other")
        zero, _ = scene.addEchoSequences(random_acquisition(echoes=np.ones((4, *SHAPE), dtype=complex)), "zero")
        for n in range(4):
            slicer.util.arrayFromVolume(zero.GetNthDataNode(n))[:] = 0
        few, few_phase = scene.addEchoSequences(random_acquisition(), "few")
        for sequence in (few, few_phase):
            sequence.RemoveDataNodeAtValue("1.25")
            sequence.RemoveDataNodeAtValue("1.95")
        broken, broken_phase = scene.addEchoSequences(random_acquisition(), "broken")
        slicer.util.arrayFromVolume(broken.GetNthDataNode(2))[0, 0, 0] = np.nan
        empty = self.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "drawn")
        wrong = (
            ((magnitude, other), {}, "ankle magnitude has 9 echoes but other phase has|other magnitude has 4"),
            ((zero, other), {}, "zero everywhere"),
            ((few, few_phase), {}, "few magnitude has 2 echoes; water–fat separation needs at least three"),
            ((broken, broken_phase), {}, "Echo 3 of broken magnitude holds 1 voxel that is not a number"),
            ((magnitude, phase), {"maskSegmentation": empty}, "drawn has 0 segments; choose the one that is the mask"),
            ((magnitude, phase), {"echoTimes": np.arange(1, 10)}, "look like milliseconds; give seconds"),
            ((magnitude, phase), {"echoTimes": (0.001, 0.002)}, "9 echoes but 2 echo times"),
            ((magnitude, phase), {"echoTimes": np.arange(9, 0, -1) / 1e3}, "do not increase"),
            ((magnitude, phase), {"fieldStrength": -3.0}, "the field strength -3.0 T; expected a positive number"),
            ((magnitude, phase), {"fieldStrength": "3"}, "the field strength 3 T; expected a positive number"),
            ((magnitude, phase), {"b0Direction": (0, 0, 0)}, "three numbers R A S"),
        )
        before = self.state()
        for sequences, options, sentence in wrong:
            with self.subTest(sentence=sentence):
                with self.assertRaisesRegex(InputError, sentence):
                    scene.reconstructNodes(*sequences, settings=self.settings, **options)
                self.assertEqual(self.state(), before)

    def test_a_failure_while_nodes_are_made_leaves_the_scene_as_it_was(self):
        result = Reconstruction({"chi": random_map(), "pdff": random_map()}, self.settings, ())
        before = self.state()
        made = []

        def second_fails(*arguments):
            if made:
                raise MemoryError
            made.append(scene.addMapVolume(*arguments))
            return made[0]

        with mock.patch.object(reconstruct_module, "addMapVolume", second_fails), self.assertRaises(MemoryError):
            scene.addMapVolumes(result, AFFINE, "ankle")
        self.assertEqual(self.state(), before)


class LCurveNodesTest(PhantomTest):
    LAMBDAS = (0.001, 0.01, 0.1, 1.0, 10.0)

    def sweep(self, **options):
        return scene.lcurveNodes(*self.sequences(), settings=self.settings, regularizations=self.LAMBDAS, **options)

    def test_the_table_holds_what_the_library_gives_with_units(self):
        regions = {name: self.phantom.regions == label for label, name in self.phantom.region_names.items()}
        expected = sweep_regularization(self.phantom.acquisition, self.settings, self.LAMBDAS, regions=regions)
        labels = self.phantom.regions.copy()
        labels[0, 0, 0] = 99  # outside the body
        affine = self.phantom.acquisition.affine
        drawn = scene.addSegmentation(labels, {**self.phantom.region_names, 99: "air"}, affine, "regions")
        nodes = self.sweep(regions=drawn)
        columns = {
            "regularization": (expected.regularization, "mm²"),
            "discrepancy": (expected.discrepancy, "ppm²"),
            "data_term": (expected.data_term, "ppm²"),
            "regularizer": (expected.regularizer, "ppm²/mm²"),
            "curvature": (expected.curvature, "1"),
            "chi calcaneus tuber": (expected.region_means["calcaneus tuber"], "ppm"),
        }
        for name, (values, unit) in columns.items():
            found = slicer.util.arrayFromTableColumn(nodes.table, name)
            # The scan went through magnitude and phase in float32.
            np.testing.assert_allclose(found, values, rtol=2e-2, atol=2e-3 * np.abs(values).max(), err_msg=name)
            self.assertEqual(nodes.table.GetColumnUnitLabel(name), unit)
            self.assertTrue(nodes.table.GetColumnDescription(name))
        self.assertEqual(nodes.bestRegularization, expected.best)
        self.assertEqual(nodes.table.GetNumberOfColumns(), 5 + len(regions))
        said = nodes.table.GetAttribute("TrabecularQSM.Notes").splitlines()
        self.assertEqual(said, list(nodes.notes))
        self.assertIn("The region air has no voxel where χ is solved, so it was left out", " ".join(said))

    def test_the_charts_show_the_columns_and_mark_the_corner(self):
        nodes = self.sweep(regions=self.segmentation())
        expected = {
            nodes.lcurveChart: ("data_term", "regularizer", True, "Data term [ppm²]"),
            nodes.discrepancyChart: ("regularization", "discrepancy", True, "lambda [mm²]"),
            nodes.regionChart: ("regularization", "chi calcaneus subtalar", False, "lambda [mm²]"),
        }
        for chart, (x, y, logarithmic, title) in expected.items():
            series = chart.GetNthPlotSeriesNode(0)
            self.assertIs(series.GetTableNode(), nodes.table)
            self.assertEqual((series.GetXColumnName(), series.GetYColumnName()), (x, y))
            self.assertTrue(chart.GetXAxisLogScale())
            self.assertEqual(chart.GetYAxisLogScale(), logarithmic)
            self.assertEqual(chart.GetXAxisTitle(), title)
        self.assertEqual(nodes.regionChart.GetNumberOfPlotSeriesNodes(), len(self.phantom.region_names))
        for chart in (nodes.lcurveChart, nodes.discrepancyChart):
            corner = chart.GetNthPlotSeriesNode(1)
            # A single point is drawn as two at one place.
            drawn = slicer.util.arrayFromTableColumn(corner.GetTableNode(), "data_term")
            self.assertEqual(
                drawn.tolist(), 2 * slicer.util.arrayFromTableColumn(nodes.cornerTable, "data_term").tolist()
            )
            self.assertIn(f"lambda {nodes.bestRegularization:.3g}", corner.GetName())
        found = slicer.util.arrayFromTableColumn(nodes.cornerTable, "regularization")
        np.testing.assert_allclose(found, [nodes.bestRegularization], rtol=1e-3)  # tables show four digits

    def test_tables_and_charts_lie_in_a_folder_without_region_chart_if_there_are_no_regions(self):
        nodes = self.sweep(name="visit")
        self.assertIsNone(nodes.regionChart)
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self.scene)
        folders = {hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) for node in nodes[:4]}
        self.assertEqual([hierarchy.GetItemName(folder) for folder in folders], ["visit L-curve"])

    def test_a_scene_file_holds_the_curve(self):
        nodes = self.sweep()
        values = slicer.util.arrayFromTableColumn(nodes.table, "discrepancy").copy()
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "curve.mrb")
            self.assertTrue(self.scene.WriteToMRB(path, None))
            headless.clear()
            self.assertTrue(self.scene.ReadFromMRB(path, True))
        table = self.find("ankle L-curve table")
        # Table files have six digits.
        np.testing.assert_allclose(slicer.util.arrayFromTableColumn(table, "discrepancy"), values, rtol=1e-5)
        self.assertEqual(table.GetColumnUnitLabel("regularizer"), "ppm²/mm²")
        chart = self.find("ankle L-curve chart")
        self.assertEqual(chart.GetNthPlotSeriesNode(0).GetTableNode().GetName(), table.GetName())

    def test_cancelled_or_failed_it_leaves_the_scene_as_it_was(self):
        magnitude, phase = self.sequences()
        regions = self.segmentation()
        before = self.state()
        for limit in (0.1, 0.5, 1.0):
            with self.assertRaises(Cancelled):
                scene.lcurveNodes(magnitude, phase, settings=self.settings, progress=cancel_at(limit))
            self.assertEqual(self.state(), before)
        with mock.patch.object(lcurve_module, "labelResult", side_effect=MemoryError), self.assertRaises(MemoryError):
            scene.lcurveNodes(magnitude, phase, settings=self.settings, regularizations=self.LAMBDAS, regions=regions)
        self.assertEqual(self.state(), before)
        with self.assertRaisesRegex(InputError, "three different positive values of λ; found 1"):
            scene.lcurveNodes(magnitude, phase, settings=self.settings, regularizations=(1.0,))
        self.assertEqual(self.state(), before)


if __name__ == "__main__":
    unittest.main()
