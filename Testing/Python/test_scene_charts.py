"""Charts as users see them, drawn by the VTK of slicer-core: letters, legends, points, and no error in the log."""

import unittest
from itertools import product
from unittest import mock

import numpy as np
from charts import SIZE, Drawn, ink, seriesOf, texts
from scenes import AFFINE, SHAPE, SceneTest

from TrabecularQSMLib import scene
from TrabecularQSMLib.inversion.lcurve import LCurve
from TrabecularQSMLib.protocol.bone import BoneSettings
from TrabecularQSMLib.protocol.chain import TRUTHS, Chain, ChainSettings
from TrabecularQSMLib.protocol.settings import ProtocolSettings
from TrabecularQSMLib.protocol.sweep import CONDITIONS, SweepSettings
from TrabecularQSMLib.scene import lcurve, protocol_bone, tables
from TrabecularQSMLib.scene.tables import Column, drawable
from TrabecularQSMLib.settings import preset
from TrabecularQSMLib.simulation.monte_carlo import ParameterGrid
from TrabecularQSMLib.simulation.settings import SimulationSettings

PROTOCOL = ProtocolSettings(tuple(1e-3 * (1.25 + 0.7 * n) for n in range(9)), 3.0, (1.5, 1.5, 1.5), 40.0)
# As an Assessment shows it: echoes so few that a better train is found, and dashed.
ASSESSED = ProtocolSettings(tuple(1.2e-3 * n for n in range(1, 7)), 1.5, (4.0, 2.0, 2.0), 30.0, region_radii_mm=(6.0,))
TRAIN = "1.25 1.95 2.65 3.35 4.05 4.75 5.45 6.15 6.85"
REGIONS = ("calcaneus subtalar", "calcaneus tuber", "calcaneus cavum", "distal tibia", "talus", "metatarsals", "muscle")


def lcurveOf():
    """An L-curve as the sweep gives it, of made-up numbers."""
    values = np.logspace(-3, 1, 9)
    return LCurve(
        method="closed-form",
        regularization=values,
        discrepancy=10 + values,
        data_term=10 + 30 * values,
        regularizer=100 / (0.01 + values),
        curvature=np.exp(-np.abs(np.log(values))),
        best=float(values[4]),
        region_means={name: 0.1 * n - values / 20 for n, name in enumerate(REGIONS)},
    )


def chainRows(settings, chain, progress=None):
    """Rows as `run_chain` gives them, of made-up numbers."""
    rows = []
    for bvtv, repeat in chain.bone.points():
        made = {"bvtv": bvtv + 0.01 * repeat, "repeat": repeat, "voxels": 216, "reliable": 1.0}
        for name, slope, zero in (("chi", -1.6, 0.4), ("r2star", 700.0, 20.0), ("pdff", 0.05, 0.88)):
            made |= {name: zero + slope * bvtv, f"{name}_sd": 0.1, TRUTHS[name]: zero + 1.1 * slope * bvtv}
        rows.append(made)
    return Chain(rows, ("ε is 0.1 ppm.",))


def sweepRows(settings, sweep, progress=None):
    """Rows as `run_sweep` gives them, of made-up numbers."""
    for bvtv, repeat in sweep.bone.points():
        conditions = product(sweep.field_strengths, sweep.voxels_mm, sweep.b0_degrees, range(len(sweep.trains)))
        yield [
            {"bvtv_wanted": bvtv, "repeat": repeat, **dict(zip(CONDITIONS, one, strict=True)), "bvtv": bvtv + 0.001}
            | {"r2prime": 150 * bvtv * one[0], "r2star": 15 + 150 * bvtv * one[0], "pdff_bias": -0.02 * bvtv * one[0]}
            | {"chi_true": -2.3 * bvtv, "chi": -1.4 * bvtv - 0.001 * one[1]}
            for one in conditions
        ]


class ChartTest(SceneTest):
    """All charts of all steps, each looked at in the same way."""

    def regression(self, groups, rows):
        rng = np.random.default_rng(4)
        names = [name for name in REGIONS[:groups] for _row in range(rows)]
        x = rng.uniform(0.15, 0.3, len(names))
        columns = [
            Column("case", [f"sub-{n:02}" for n in range(len(names))]),
            Column("region", names),
            Column("bvtv", x, "1"),
            Column("r2star", 900 * x + rng.normal(0, 5, len(names))),
        ]
        return scene.regressNodes([tables.addTable("values", columns)], "bvtv", "r2star")

    def profile(self):
        line = self.scene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", "my line")
        for index in ((0, 0, 0, 1), (3, 4, 5, 1)):
            line.AddControlPointWorld(*(AFFINE @ index)[:3])
        maps = [
            scene.addMapVolume(np.random.default_rng(n).normal(size=SHAPE), AFFINE, name, "ankle phantom")
            for n, name in enumerate(("chi", "local_field", "r2star", "pdff"))
        ]
        return scene.profileNodes(maps, line)

    def histograms(self):
        rng = np.random.default_rng(3)
        image = rng.normal(1000, 100, (24, 24, 24))
        labels = np.zeros(image.shape, np.uint8)
        labels[:6], labels[8:14], labels[20:] = 1, 2, 3
        image[labels == 3] = rng.normal(100, 10, np.count_nonzero(labels == 3))
        volume = scene.addMapVolume(image, np.eye(4), "signal", "bSSFP")
        drawn = scene.addSegmentation(labels, {1: "subtalar", 2: "tuber", 3: "bone"}, np.eye(4), "drawn")
        bone = drawn.GetSegmentation().GetSegmentIdBySegmentName("bone")
        return scene.bvtvNodes(volume, drawn, case="a", boneSegmentID=bone, biasCorrection=False)

    def onBone(self):
        bone = BoneSettings(bvtv=(0.1, 0.2, 0.4), repeats=2)
        trains = tuple(tuple(1e-3 * (first + n) for n in range(6)) for first in (1, 2))
        varied = {"field_strengths": (1.5, 3.0, 7.0), "trains": trains}
        with (
            mock.patch.object(protocol_bone, "run_chain", chainRows),
            mock.patch.object(protocol_bone, "run_sweep", sweepRows),
        ):
            chain = scene.chainNodes(PROTOCOL, ChainSettings(bone))
            self.assertEqual(scene.notesOf(chain.table), ["ε is 0.1 ppm."])
            sweep = scene.sweepNodes(PROTOCOL, SweepSettings.around(PROTOCOL, bone, **varied))
            self.assertEqual(sweep.notes, [])
        return chain, sweep

    def charts(self):
        """Chart nodes by a name of where they come from."""
        grid = ParameterGrid((4, 8, 12), (2, 3), (0.5, 1.0, 1.5, 2.0), 1)
        simulated = scene.simulateNodes(SimulationSettings(size=20), grid).charts
        found = {f"simulation {y} {x}": chart for (y, x), chart in simulated.items()}
        found |= {f"profile {n}": chart for n, chart in enumerate(self.profile().charts)}
        for groups, rows in ((5, 1), (2, 4), (3, 4), (7, 4), (1, 5)):
            found[f"regression of {groups} groups with {rows} rows"] = self.regression(groups, rows).chart
        colors = dict.fromkeys(REGIONS, (0.2, 0.5, 0.8))
        curves = lcurve._addNodes(lcurveOf(), preset(inversion="closed-form"), "ankle phantom", colors, None)
        found |= {"L-curve": curves.lcurveChart, "misfit": curves.discrepancyChart, "regions": curves.regionChart}
        found["histograms"] = self.histograms().chart
        found |= {f"protocol {key}": chart for key, chart in scene.protocolNodes(ASSESSED).charts.items()}
        for nodes in self.onBone():
            found |= {f"{nodes.table.GetName()} {key}": chart for key, chart in nodes.charts.items()}
        return found

    def test_charts_are_readable_and_hide_nothing(self):
        charts = self.charts()
        self.assertGreater(len(charts), 27)
        legends = 0
        for name, chart in charts.items():
            with self.subTest(name):
                drawn = Drawn(chart)
                self.assertEqual(drawn.errors, [])
                for text in texts(chart):
                    self.assertTrue(text.strip())
                    self.assertEqual(ink(text)[0], [], text)
                self.assertLess(ink(chart.GetTitle(), chart.GetTitleFontSize())[1], SIZE[0])
                self.assertLess(ink(chart.GetYAxisTitle(), chart.GetAxisTitleFontSize())[1], SIZE[1])
                points, box = drawn.points(), drawn.legend()
                self.assertTrue(np.all((points > 0) & (points < SIZE)))
                if box:
                    legends += 1
                    self.assertLessEqual(len(seriesOf(chart)), 8)
                    left, right, low, high = box
                    x, y = points.T
                    self.assertFalse(np.any((x > left) & (x < right) & (y > low) & (y < high)), (box, points))
                    self.assertGreater(left, 0)
                    self.assertGreater(low, 0)
        self.assertGreater(legends, 4)

    def test_the_font_of_charts_has_no_greek_which_is_why_there_are_words(self):
        for letter in "χλ′‖":
            self.assertEqual(ink(letter)[0], [letter])
        self.assertEqual(drawable("Δχ over λ, R2′"), "susceptibility difference over lambda, R2'")
        self.assertEqual(drawable("ankle phantom local field [ppm]", 20), "ankle pha…ield [ppm]")

    def test_a_single_point_is_drawn_without_an_error(self):
        table = tables.addTable("one", [Column("x", [1.0]), Column("y", [2.0])])
        series = tables.addSeries(lambda node: node, "one", table, "x", "y", (0, 0, 0), line=False)
        chart = tables.addChart(lambda node: node, "chart", "One", [series], "x", "y")
        self.assertEqual(Drawn(chart).errors, [])
        # As it was before: this is the error that the application logs.
        series.SetAndObserveTableNodeID(table.GetID())
        self.assertIn("line with <2 points", " ".join(Drawn(chart).errors))

    def test_the_limits_of_a_band_are_not_joined_at_their_end(self):
        band = seriesOf(self.regression(1, 5).chart)[-1]
        rows = tables.rowsFromTable(band.GetTableNode())
        middle = len(rows) // 2
        self.assertEqual([number for number, row in enumerate(rows) if row["band"] is None], [middle])
        self.assertEqual(rows[middle - 1]["x"], rows[middle + 1]["x"])

    def test_colors_are_told_in_the_tables_beside(self):
        nodes = self.regression(7, 4)
        self.assertFalse(nodes.chart.GetLegendVisibility())
        rows = {row["estimate"]: row["color"] for row in tables.rowsFromTable(nodes.table)}
        self.assertEqual((rows["pooled"], rows["within calcaneus subtalar"]), ("black", "blue"))
        self.assertEqual(rows["within muscle"], "blue square")
        self.assertEqual(
            {row["color"] for row in tables.rowsFromTable(nodes.points) if row["group"] == "talus"}, {"amber"}
        )

    def test_bone_that_is_scanned_and_swept_is_seen_over_bvtv_with_what_is_true(self):
        chain, sweep = self.onBone()
        rows = tables.rowsFromTable(chain.table)
        self.assertEqual([(row["bvtv"], row["chi"]) for row in rows], [(row["bvtv"], row["chi"]) for row in chain.rows])
        self.assertEqual(chain.table.GetColumnTitle("chi_true"), "true χ [ppm]")
        self.assertEqual([one.GetName() for one in seriesOf(chain.charts["r2star"])][:2], ["without noise", "measured"])
        self.assertEqual([line.quantity for line in chain.lines], ["chi", "r2star", "pdff"])
        rows = tables.rowsFromTable(sweep.table)
        self.assertEqual(len(rows), 6 * 3 * 3)
        self.assertEqual({row["train"] for row in rows}, {"1 2 3 4 5 6", "2 3 4 5 6 7", TRAIN})
        self.assertEqual({condition for condition, _quantity in sweep.charts}, {"field_strength", "train"})
        chart = sweep.charts["field_strength", "chi"]
        self.assertEqual([one.GetName() for one in seriesOf(chart)], ["1.5 T", "3 T", "7 T", "true"])
        points = tables.rowsFromTable(seriesOf(chart)[1].GetTableNode())
        np.testing.assert_allclose([row["x"] for row in points], [0.101, 0.201, 0.401])  # means over the repeats

    def test_a_profile_of_two_units_has_a_chart_for_each(self):
        charts = self.profile().charts
        names = [chart.GetName() for chart in charts]
        self.assertEqual(names, ["my line profile chart [ppm]", "my line profile chart [1/s]", "my line profile chart"])
        self.assertEqual(len({chart.GetName() for chart in charts}), 3)


class TableTest(SceneTest):
    def test_headers_have_units_and_numbers_four_digits_but_none_is_lost(self):
        values = [0.123456789, 1234.56789, None, 3.23688123e-05]
        columns = [Column("case", ["a", "b", "c", "d"]), Column("mean_chi", values, "ppm", "Mean", title="mean χ")]
        table = tables.addTable("numbers", [*columns, Column("n", [1, 2, 3, 123456], "voxels")])
        shown = [table.GetTable().GetColumnByName("mean_chi").GetValue(n) for n in (0, 1, 3)]
        self.assertEqual(shown, [0.1235, 1235.0, 3.237e-05])
        self.assertEqual(table.GetTable().GetColumnByName("n").GetValue(3), 123456)
        self.assertTrue(table.GetUseColumnTitleAsColumnHeader())
        titles = [table.GetColumnTitle(name) for name in ("case", "mean_chi", "n")]
        self.assertEqual(titles, ["case", "mean χ [ppm]", "n [voxels]"])
        self.assertEqual([row["mean_chi"] for row in tables.rowsFromTable(table)], values)
        # What was changed by hand counts as it is shown, and so do all rows if one was taken away.
        table.GetTable().GetColumnByName("mean_chi").SetValue(1, 7.0)
        self.assertEqual([row["mean_chi"] for row in tables.rowsFromTable(table)][:2], [values[0], 7.0])
        table.GetTable().RemoveRow(0)
        self.assertEqual([row["mean_chi"] for row in tables.rowsFromTable(table)][0], 7.0)

    def test_rows_that_are_added_keep_titles_and_digits(self):
        first = [Column("case", ["a"]), Column("bvtv", [1 / 3], "1", "Share", title="BV/TV")]
        table = tables.addTable("numbers", [*first, Column("other", [2 / 3], "mm", "Kept", title="Other")])
        tables.appendRows(table, [Column("case", ["b"]), *[c._replace(values=[1 / 7]) for c in first[1:]]], ("case",))
        self.assertEqual([row["bvtv"] for row in tables.rowsFromTable(table)], [1 / 3, 1 / 7])
        self.assertEqual(tables.rowsFromTable(table)[0]["other"], 2 / 3)
        self.assertEqual([table.GetColumnTitle(name) for name in ("bvtv", "other")], ["BV/TV", "Other [mm]"])
        self.assertEqual(table.GetColumnUnitLabel("other"), "mm")


if __name__ == "__main__":
    unittest.main()
