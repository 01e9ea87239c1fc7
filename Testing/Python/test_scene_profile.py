"""Values along a line, on real MRML."""

import unittest

import numpy as np
from scenes import AFFINE, SHAPE, SceneTest, random_map, slicer

from TrabecularQSMLib import scene
from TrabecularQSMLib.analysis.profile import line_profile
from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.scene import tables


def place(*index):
    return (AFFINE @ (*index, 1))[:3]


class ProfileTest(SceneTest):
    def line(self, *points, kind="Line", name="line"):
        node = self.scene.AddNewNodeByClass(f"vtkMRMLMarkups{kind}Node", name)
        for point in points:
            node.AddControlPointWorld(*point)
        return node

    def test_values_come_with_distance_unit_and_one_chart_for_each_unit(self):
        arrays = {name: random_map(n).astype(np.float32) for n, name in enumerate(("chi", "local_field", "r2star"))}
        volumes = [scene.addMapVolume(array, AFFINE, name, "ankle") for name, array in arrays.items()]
        ends = place(0, 0, 0), place(3, 4, 5)
        nodes = scene.profileNodes(volumes, self.line(*ends))
        for table, (name, array) in zip(nodes.tables, arrays.items(), strict=True):
            distance, values = line_profile(array, AFFINE, ends)
            rows = tables.rowsFromTable(table)
            np.testing.assert_allclose([row["distance"] for row in rows], distance, atol=1e-4)
            np.testing.assert_allclose([row[name] for row in rows], values, atol=1e-4)
        self.assertEqual(nodes.tables[2].GetColumnUnitLabel("r2star"), "1/s")
        self.assertEqual([chart.GetNumberOfPlotSeriesNodes() for chart in nodes.charts], [2, 1])
        self.assertEqual(nodes.charts[0].GetYAxisTitle(), "Value [ppm]")

    def test_the_line_is_followed_where_it_is_seen_on_a_moved_volume(self):
        volume = scene.addMapVolume(random_map(), AFFINE, "chi", "ankle")
        ends = place(0, 1, 2), place(3, 1, 2)
        expected = tables.rowsFromTable(scene.profileNodes([volume], self.line(*ends)).tables[0])
        shift = np.array([100.0, 0, -30.0])
        matrix = np.eye(4)
        matrix[:3, 3] = shift
        transform = self.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
        volume.SetAndObserveTransformNodeID(transform.GetID())
        rows = tables.rowsFromTable(scene.profileNodes([volume], self.line(*(end + shift for end in ends))).tables[0])
        for row, right in zip(rows, expected, strict=True):
            self.assertAlmostEqual(row["chi"], right["chi"], places=4)

    def test_a_point_without_its_place_is_no_end_of_the_line(self):
        volume = scene.addMapVolume(random_map(), AFFINE, "chi", "ankle")
        line = self.line(place(0, 0, 0), place(3, 4, 5))
        line.UnsetNthControlPointPosition(1)
        with self.assertRaisesRegex(InputError, "line has 1 placed point; place at least two"):
            scene.profileNodes([volume], line)

    def test_a_curve_is_followed_along_its_length(self):
        volume = scene.addMapVolume(random_map(), AFFINE, "chi", "ankle")
        corners = place(0, 0, 0), place(3, 0, 0), place(3, 4, 0)
        curve = self.line(*corners, kind="Curve")
        rows = tables.rowsFromTable(scene.profileNodes([volume], curve).tables[0])
        straight = sum(np.linalg.norm(b - a) for a, b in zip(corners, corners[1:], strict=False))
        self.assertAlmostEqual(rows[-1]["distance"], curve.GetCurveLengthWorld(), places=3)
        self.assertAlmostEqual(rows[-1]["distance"] / straight, 1, delta=0.2)

    def test_outside_of_the_volume_there_is_no_value(self):
        volume = scene.addMapVolume(random_map(), AFFINE, "chi", "ankle")
        rows = tables.rowsFromTable(scene.profileNodes([volume], self.line(place(0, 0, 0), place(20, 0, 0))).tables[0])
        self.assertIsNotNone(rows[0]["chi"])
        self.assertIsNone(rows[-1]["chi"])

    def test_wrong_input_gets_its_sentence_and_changes_nothing(self):
        volume = scene.addMapVolume(random_map(), AFFINE, "chi", "ankle")
        one, far = self.line(place(0, 0, 0)), self.line((900, 0, 0), (950, 0, 0))
        point = self.line(place(1, 1, 1), place(1, 1, 1))
        before = self.node_ids(), self.hierarchy_count()
        for volumes, line, sentence in (
            ([volume], one, "line has 1 placed point; place at least two"),
            ([], far, "no volume for the line profile"),
            ([volume], far, r"line on ankle χ \[ppm\]: The whole line is outside"),
            ([volume], point, "no length"),
        ):
            with self.assertRaisesRegex(InputError, sentence):
                scene.profileNodes(volumes, line)
        self.assertEqual((self.node_ids(), self.hierarchy_count()), before)
        self.assertEqual(SHAPE, slicer.util.arrayFromVolume(volume).shape)


if __name__ == "__main__":
    unittest.main()
