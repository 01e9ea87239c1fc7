import json
import unittest

import numpy as np
from scenes import SceneTest, slicer

from TrabecularQSMLib import scene
from TrabecularQSMLib.errors import Cancelled, InputError
from TrabecularQSMLib.protocol import assess
from TrabecularQSMLib.protocol.bone import BoneSettings
from TrabecularQSMLib.protocol.settings import ProtocolSettings
from TrabecularQSMLib.protocol.sweep import SweepSettings, run_sweep
from TrabecularQSMLib.scene.protocol import SETTINGS_ATTRIBUTE
from TrabecularQSMLib.scene.tables import rowsFromTable
from TrabecularQSMLib.simulation.field import FieldModel
from TrabecularQSMLib.simulation.geometry import draw_geometry
from TrabecularQSMLib.simulation.model import COLUMNS
from TrabecularQSMLib.simulation.monte_carlo import ParameterGrid, simulate, sorted_rows
from TrabecularQSMLib.simulation.settings import SimulationSettings

SETTINGS = SimulationSettings(size=24, seed=3)
GRID = ParameterGrid(numbers=(4, 8, 12), radii=(2, 3), delta_chis=(-1.0, 2.0), repeats=2)


class SimulateTest(SceneTest):
    def test_rows_summary_and_charts_come_in_one_folder(self):
        nodes = scene.simulateNodes(SETTINGS, GRID, name="run")
        rows = rowsFromTable(nodes.table)
        expected = sorted_rows(row for some in simulate(SETTINGS, GRID) for row in some)
        self.assertEqual(len(rows), 24)
        for row, other in zip(rows, expected, strict=True):
            self.assertEqual(row, {name: other[name] for name in COLUMNS})
        self.assertEqual(nodes.table.GetColumnUnitLabel("mean_chi"), "ppm")
        self.assertEqual(nodes.summary.GetColumnUnitLabel("r2prime_per_s_mean"), "1/s")
        self.assertIn("standard error", nodes.summary.GetColumnDescription("bvtv_se"))
        self.assertEqual(len(rowsFromTable(nodes.summary)), 12)
        self.assertEqual(
            set(nodes.charts),
            {(quantity, "bvtv") for quantity in ("mean_chi", "r2prime_hwhm_ppm")}
            | {(q, p) for q in ("bvtv", "mean_chi", "r2prime_hwhm_ppm") for p in ("number", "radius", "delta_chi")},
        )
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self.scene)
        folders = {
            hierarchy.GetItemName(hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)))
            for node in (nodes.table, nodes.summary, *nodes.charts.values())
        }
        self.assertEqual(folders, {"run"})

    def test_the_chart_over_bvtv_has_points_and_a_line_for_each_susceptibility(self):
        nodes = scene.simulateNodes(SETTINGS, GRID)
        chart = nodes.charts["mean_chi", "bvtv"]
        self.assertEqual(chart.GetNumberOfPlotSeriesNodes(), 4)
        means = [row for row in rowsFromTable(nodes.summary) if row["delta_chi"] == 2.0]
        points = rowsFromTable(chart.GetNthPlotSeriesNode(2).GetTableNode())
        self.assertEqual([row["x"] for row in points], [row["bvtv_mean"] for row in means])
        self.assertEqual([row["y"] for row in points], [row["mean_chi_mean"] for row in means])
        line = next(one.line for one in nodes.linearity if (one.quantity, one.delta_chi) == ("mean_chi", 2.0))
        drawn = rowsFromTable(chart.GetNthPlotSeriesNode(3).GetTableNode())
        self.assertAlmostEqual(drawn[-1]["y"], line.slope * drawn[-1]["x"] + line.intercept)

    def test_one_configuration_alone_has_no_charts(self):
        nodes = scene.simulateNodes(SETTINGS, ParameterGrid((5,), (3,), (1.0,), 1))
        self.assertEqual((nodes.charts, nodes.linearity, nodes.notes), ({}, [], []))

    def test_what_has_no_line_has_no_chart(self):
        along = SimulationSettings(size=16, shape="cylinders", boundary="filled")  # along B0: one field in all marrow
        nodes = scene.simulateNodes(along, ParameterGrid((2, 3), (2,), (1.0,), 1))
        self.assertEqual(set(nodes.charts), {("bvtv", "number")})
        self.assertEqual([row["fitted"] for row in rowsFromTable(nodes.summary)], [0, 0])
        self.assertIn("R2′ could not be fitted in 2 of 2 rows", nodes.notes[0])
        self.assertIn("No field tells the mean χ", nodes.notes[1])
        self.assertEqual(scene.notesOf(nodes.table), nodes.notes)

    def test_a_cancelled_or_failed_run_leaves_the_scene_as_it_was(self):
        before, items = self.node_ids(), self.hierarchy_count()

        def cancel(fraction, message):
            if fraction > 0.4:
                raise Cancelled

        self.assertRaises(Cancelled, scene.simulateNodes, SETTINGS, GRID, progress=cancel)
        with self.assertRaisesRegex(InputError, "radius"):
            scene.simulateNodes(SETTINGS, ParameterGrid((5,), (30,), (1.0,), 1))
        self.assertRaises(Cancelled, scene.configurationNodes, SETTINGS, number=5, radius=3, progress=cancel)
        self.assertRaisesRegex(InputError, "zero", scene.configurationNodes, SETTINGS, number=5, radius=3, deltaChi=0)
        self.assertEqual((self.node_ids(), self.hierarchy_count()), (before, items))


class ConfigurationTest(SceneTest):
    def test_bone_field_and_susceptibility_are_those_of_the_rows_geometry(self):
        nodes = scene.configurationNodes(SETTINGS, number=8, radius=3, deltaChi=-2.0, repeat=1, name="one")
        bone = draw_geometry(SETTINGS, 8, 3, 1) != 0
        model = FieldModel(SETTINGS)
        np.testing.assert_array_equal(scene.maskFromSegment(nodes.bone, None, nodes.field), bone)
        np.testing.assert_allclose(
            slicer.util.arrayFromVolume(nodes.field), -2 * model.field(bone), rtol=1e-5, atol=1e-7
        )
        np.testing.assert_allclose(
            slicer.util.arrayFromVolume(nodes.chi), -2 * model.chi_map(bone), rtol=1e-5, atol=1e-6
        )
        self.assertEqual(nodes.chi.GetVoxelValueUnits().GetCodeMeaning(), "parts per million")
        row = next(
            row
            for row in rowsFromTable(scene.simulateNodes(SETTINGS, ParameterGrid((8,), (3,), (-2.0,), 2)).table)
            if row["repeat"] == 1
        )
        self.assertEqual(nodes.values, {name: row[name] for name in nodes.values})

    def test_b0_is_along_the_axis_to_the_head(self):
        nodes = scene.configurationNodes(SETTINGS, number=1, radius=3)
        np.testing.assert_array_equal(scene.affineFromVolume(nodes.field)[:3, :3], np.eye(3))
        field = slicer.util.arrayFromVolume(nodes.field)
        inside = np.nonzero(scene.maskFromSegment(nodes.bone, None, nodes.field))
        k, j, i = np.round(np.mean(inside, axis=1)).astype(int)
        reach = [5 if index < 12 else -5 for index in (k, j, i)]
        above, beside = field[k + reach[0], j, i], field[k, j, i + reach[2]]
        self.assertGreater(above, 0)
        self.assertLess(beside, 0)


class ProtocolTest(SceneTest):
    def test_its_numbers_are_a_table_and_its_noise_charts(self):
        settings = ProtocolSettings(
            tuple(1.2e-3 * n for n in range(1, 7)), 1.5, (4.0, 2.0, 2.0), 30.0, region_radii_mm=(6.0,)
        )
        nodes = scene.protocolNodes(settings, name="dixon")
        rows = rowsFromTable(nodes.table)
        expected = assess.rows(nodes.assessment)
        self.assertEqual([row["rests_on"] for row in rows], [row["rests_on"] for row in expected])
        self.assertAlmostEqual(rows[0]["value"], expected[0]["value"], places=6)
        self.assertEqual(json.loads(nodes.table.GetAttribute(SETTINGS_ATTRIBUTE))["voxel_size"], [2.0, 2.0, 4.0])
        chart = nodes.charts["field_hz"]
        self.assertEqual(chart.GetName(), "dixon noise of the field")
        self.assertEqual(chart.GetNumberOfPlotSeriesNodes(), 3 if nodes.assessment.is_best else 6)
        points = rowsFromTable(chart.GetNthPlotSeriesNode(0).GetTableNode())
        self.assertEqual([row["x"] for row in points], list(nodes.assessment.given.bounds.pdff))
        (note,) = nodes.notes
        self.assertIn("A voxel by itself does not tell its field", note)
        self.assertEqual(scene.notesOf(nodes.table)[0], note)
        self.assertIn("`repeat_sd`", " ".join(scene.notesOf(nodes.table)))

    def test_a_cancelled_sweep_leaves_nothing(self):
        settings = ProtocolSettings((1e-3, 2e-3, 3e-3), 3.0, (1.6, 1.6, 1.6), 40.0)
        sweep = SweepSettings.around(settings, BoneSettings(bvtv=(0.1, 0.3), repeats=1, size=32))
        before = self.node_ids(), self.hierarchy_count()

        def cancel(fraction, message):
            if fraction > 0.4:
                raise Cancelled

        with self.assertRaises(Cancelled):
            scene.sweepNodes(settings, sweep, progress=cancel)
        self.assertEqual((self.node_ids(), self.hierarchy_count()), before)
        nodes = scene.sweepNodes(settings, sweep, name="small")
        expected = [row for rows in run_sweep(settings, sweep) for row in rows]
        self.assertEqual(nodes.rows, expected)
        self.assertEqual([row["r2star"] for row in rowsFromTable(nodes.table)], [row["r2star"] for row in expected])
        stored = json.loads(nodes.table.GetAttribute(SETTINGS_ATTRIBUTE))
        self.assertEqual((stored["protocol"]["snr"], stored["bone"]["size"]), (40.0, 32))


if __name__ == "__main__":
    unittest.main()
