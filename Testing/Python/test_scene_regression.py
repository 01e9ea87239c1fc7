"""Regression of quantities in table nodes, on real MRML."""

import json
import tempfile
import unittest
from pathlib import Path

import numpy as np
from scenes import SceneTest, slicer

from TrabecularQSMLib import scene
from TrabecularQSMLib.analysis.regression import regress
from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.scene import regression, tables
from TrabecularQSMLib.scene.tables import Column

REGIONS, CASES = ("subtalar", "tuber"), tuple(f"sub-{n:02}" for n in range(1, 7))


class RegressionTest(SceneTest):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(2)
        keys = [(case, region) for case in CASES for region in REGIONS]
        self.cases, self.regions = zip(*keys, strict=True)
        self.bvtv = np.where(np.array(self.regions) == "subtalar", 0.4, 0.3) + rng.normal(0, 0.03, len(keys))
        self.chi = 0.7 - 3.3 * self.bvtv + rng.normal(0, 0.05, len(keys))
        self.bone = tables.addTable(
            "bone", [Column("case", self.cases), Column("region", self.regions), Column("bvtv", self.bvtv, "1")]
        )
        # In another order, and with rows of another quantity: tables are joined, not laid side by side.
        order = rng.permutation(len(keys))
        long = [("chi", "ppm", self.chi), ("r2star", "1/s", 100 * self.bvtv)]
        rows = [
            {"case": keys[n][0], "region": keys[n][1], "quantity": quantity, "unit": unit, "mean": values[n]}
            for quantity, unit, values in long
            for n in order
        ]
        self.maps = tables.addTable("maps", [Column(name, [row[name] for row in rows]) for name in rows[0]])

    def test_the_estimates_are_those_of_the_library(self):
        nodes = scene.regressNodes([self.maps, self.bone], "bvtv", "chi")
        expected = regress(self.bvtv, self.chi, groups=self.regions, subjects=self.cases)
        rows = {row["estimate"]: row for row in tables.rowsFromTable(nodes.table)}
        lines = {"pooled": expected.pooled, "paired subtalar − tuber": expected.paired.line}
        lines |= {"within all groups": expected.common, "mixed, subjects": expected.mixed}
        lines["mixed, subjects and groups"] = expected.mixed_within
        lines |= {f"within {region}": expected.within[region] for region in REGIONS}
        lines = {name: line for name, line in lines.items() if line is not None}
        self.assertEqual(set(rows), set(lines))
        for name, line in lines.items():
            for key in ("n", "slope", "p", "slope_se"):
                self.assertAlmostEqual(rows[name][key], getattr(line, key), places=9, msg=f"{name} {key}")
            self.assertEqual(rows[name]["intercept"], getattr(line, "intercept", None), name)
            self.assertAlmostEqual(rows[name]["slope_low"], line.slope_ci[0], places=9)
        self.assertAlmostEqual(rows["pooled"]["r2"], expected.pooled.r2, places=12)
        self.assertEqual(nodes.result.warnings, expected.warnings)
        self.assertTrue(expected.warnings)
        written = json.loads(nodes.table.GetAttribute(regression.RESULT_ATTRIBUTE))
        self.assertAlmostEqual(written["pooled"]["slope"], expected.pooled.slope)
        self.assertIn("chi [ppm] per bvtv", nodes.table.GetColumnDescription("slope"))

    def test_every_point_has_its_distance_of_cook(self):
        nodes = scene.regressNodes([self.maps, self.bone], "bvtv", "chi")
        rows = tables.rowsFromTable(nodes.points)
        expected = regress(self.bvtv, self.chi).cooks_distance
        found = {(row["subject"], row["group"]): row for row in rows}
        for n, key in enumerate(zip(self.cases, self.regions, strict=True)):
            self.assertAlmostEqual(found[key]["cooks_distance"], expected[n], places=9)
            self.assertAlmostEqual(found[key]["y chi"], self.chi[n], places=12)

    def test_the_chart_shows_points_by_group_the_line_and_its_band(self):
        nodes = scene.regressNodes([self.maps, self.bone], "bvtv", "chi")
        chart = nodes.chart
        self.assertEqual((chart.GetXAxisTitle(), chart.GetYAxisTitle()), ("BV/TV", "susceptibility [ppm]"))
        series = [chart.GetNthPlotSeriesNode(n) for n in range(chart.GetNumberOfPlotSeriesNodes())]
        names = [one.GetName() for one in series]
        within = nodes.result.within
        expected = [name for region in REGIONS for name in (region, f"its line, R² {within[region].r2:.2f}")]
        expected += [f"pooled, R² {nodes.result.pooled.r2:.2f}", "95 % band"]
        self.assertEqual(names, expected)
        for points, line, region in zip(series[::2], series[1::2], REGIONS, strict=False):
            shown = sorted(row["x"] for row in tables.rowsFromTable(points.GetTableNode()))
            np.testing.assert_allclose(shown, sorted(self.bvtv[np.array(self.regions) == region]))
            self.assertEqual(points.GetLineStyle(), points.LineStyleNone)
            for row in tables.rowsFromTable(line.GetTableNode()):
                self.assertAlmostEqual(row["line"], within[region].slope * row["x"] + within[region].intercept)
            self.assertEqual((points.GetColor(), line.GetLineStyle()), (line.GetColor(), line.LineStyleDash))
        for row in tables.rowsFromTable(series[4].GetTableNode()):
            self.assertAlmostEqual(row["line"], nodes.result.pooled.slope * row["x"] + nodes.result.pooled.intercept)
        self.assertEqual(series[4].GetMarkerStyle(), series[4].MarkerStyleNone)
        # Both limits of the band are one line, there and back.
        band = tables.rowsFromTable(series[5].GetTableNode())
        pooled = nodes.result.pooled
        for row, back in zip(band[: len(band) // 2], band[::-1], strict=False):
            self.assertEqual(row["x"], back["x"])
            self.assertTrue(row["band"] < pooled.at(row["x"]) < back["band"])

    def test_columns_of_one_table_rows_left_out_and_other_groups(self):
        columns = [
            Column("label", [1.0, 1.0, 3.0, 3.0] * 2),
            Column("a", range(8)),
            Column("b", [3, 4, 6, 5, 9, 8, 9, 12]),
        ]
        table = tables.addTable("wide", columns)
        nodes = scene.regressNodes([table], "a", "b", exclude=[{"a": "7"}])
        self.assertEqual(nodes.result.pooled.n, 7)
        self.assertEqual(list(nodes.result.within), ["1", "3"])

    def test_results_lie_in_one_folder(self):
        before = self.node_ids()
        nodes = scene.regressNodes([self.maps, self.bone], "bvtv", "chi")
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self.scene)
        folder = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(nodes.table))
        self.assertEqual(hierarchy.GetItemName(folder), "χ over BV/TV regression")
        for ID in set(self.node_ids()) - set(before):
            item = hierarchy.GetItemByDataNode(self.scene.GetNodeByID(ID))
            self.assertEqual(hierarchy.GetItemParent(item), folder, ID)

    def test_the_figure_is_saved_as_png_or_svg(self):
        try:
            import matplotlib  # noqa: F401
        except ImportError:
            self.skipTest("matplotlib is not installed")
        given = ([self.maps, self.bone], "bvtv", "chi")
        with tempfile.TemporaryDirectory() as folder:
            for ending, start in ((".png", b"\x89PNG"), (".SVG", b"<?xml")):
                path = Path(folder) / f"figure{ending}"
                scene.saveRegressionFigure(path, *given, group="region")
                self.assertEqual(path.read_bytes()[: len(start)], start)
            with self.assertRaisesRegex(InputError, "figure.pdf does not end with .png or .svg"):
                scene.saveRegressionFigure(Path(folder) / "figure.pdf", *given)

    def test_wrong_input_gets_its_sentence_and_changes_nothing(self):
        short = tables.addTable("short", [Column("a", [1, 2]), Column("b", [1, 2])])
        empty = self.scene.AddNewNodeByClass("vtkMRMLTableNode", "empty")
        holes = tables.addTable("holes", [Column("a", [1, 2, 3]), Column("b", [1.0, None, 3.0])])
        ids = self.node_ids()
        for given, x, y, sentence in (
            ([], "bvtv", "chi", "no table to take values from"),
            ([empty], "bvtv", "chi", "table empty has no rows"),
            ([self.bone], "bvtv", "chi", "no column or quantity chi; there are case, region, bvtv"),
            ([short], "a", "b", "has 2 points; at least three"),
            ([holes], "a", "b", "Row 2 of holes has no number for b"),
        ):
            with self.assertRaisesRegex(InputError, sentence):
                scene.regressNodes(given, x, y)
        self.bone.GetTable().RemoveRow(3)
        with self.assertRaisesRegex(InputError, "gives chi of sub-02, tuber, but no row gives bvtv of it"):
            scene.regressNodes([self.maps, self.bone], "bvtv", "chi")
        self.assertEqual(self.node_ids(), ids)


if __name__ == "__main__":
    unittest.main()
