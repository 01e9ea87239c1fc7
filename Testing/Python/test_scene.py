"""Maps as nodes on real MRML: values, units, geometry, display, and a scene written and read back."""

import json
import tempfile
import unittest
from pathlib import Path

import headless
import numpy as np
from scenes import AFFINE, SHAPE, SceneTest, random_acquisition, random_map, slicer
from vtk.util.numpy_support import vtk_to_numpy

from TrabecularQSMLib import scene
from TrabecularQSMLib.figures.colors import color_table
from TrabecularQSMLib.pipeline import Reconstruction
from TrabecularQSMLib.quantities import QUANTITIES
from TrabecularQSMLib.scene.colors import colorTables
from TrabecularQSMLib.scene.volumes import mapName
from TrabecularQSMLib.settings import Settings


class MapVolumeTest(SceneTest):
    def test_values_and_geometry_come_back_as_they_went_in(self):
        array = random_map()
        node = scene.addMapVolume(array, AFFINE, "chi", "ankle")
        np.testing.assert_array_equal(slicer.util.arrayFromVolume(node), array.astype(np.float32))
        np.testing.assert_allclose(scene.affineFromVolume(node), AFFINE, atol=1e-12)

    def test_a_voxel_lies_where_the_affine_says(self):
        array = np.zeros(SHAPE)
        array[4, 2, 1] = 1
        node = scene.addMapVolume(array, AFFINE, "chi", "ankle")
        matrix = slicer.util.vtkMatrixFromArray(np.eye(4))
        node.GetRASToIJKMatrix(matrix)
        ijk = slicer.util.arrayFromVTKMatrix(matrix) @ AFFINE @ (1, 2, 4, 1)
        np.testing.assert_allclose(ijk[:3], (1, 2, 4), atol=1e-9)
        self.assertEqual(node.GetImageData().GetScalarComponentAsDouble(1, 2, 4, 0), 1)

    def test_every_type_of_number_is_stored_as_float32(self):
        for dtype in (bool, np.uint8, np.int64, np.float64):
            node = scene.addMapVolume(random_map().astype(dtype), AFFINE, "mask", "ankle")
            self.assertEqual(slicer.util.arrayFromVolume(node).dtype, np.float32)

    def test_quantity_and_unit_are_standard_codes(self):
        expected = {
            "chi": ("126396", "DCM", "[ppm]"),
            "r2star": ("126395", "DCM", "/s"),
            "pdff": ("129100", "DCM", "1"),
            "field_hz": ("110807", "DCM", "Hz"),
            "local_field": ("local_field", "99TRABQSM", "[ppm]"),
        }
        for name, (value, scheme, unit) in expected.items():
            node = scene.addMapVolume(random_map(), AFFINE, name, "ankle")
            quantity, units = node.GetVoxelValueQuantity(), node.GetVoxelValueUnits()
            self.assertEqual((quantity.GetCodeValue(), quantity.GetCodingSchemeDesignator()), (value, scheme))
            self.assertEqual((units.GetCodeValue(), units.GetCodingSchemeDesignator()), (unit, "UCUM"))

    def test_every_quantity_has_a_name_with_its_unit_by_which_it_is_found(self):
        for name, quantity in QUANTITIES.items():
            node = scene.addMapVolume(random_map(), AFFINE, name, "ankle")
            # Not by slicer.util.getNode, which takes brackets for a pattern.
            found = slicer.util.getFirstNodeByClassByName("vtkMRMLScalarVolumeNode", node.GetName())
            self.assertIs(found, node)
            if quantity.unit != "1":
                self.assertIn(quantity.unit, node.GetName())
            self.assertEqual(f" Unit: {quantity.unit}" in node.GetDescription(), quantity.unit != "1")
            self.assertFalse(node.GetDescription().endswith(".."), node.GetDescription())
        names = ("chi", "r2star", "pdff", "field_hz", "mip")
        words = ["χ [ppm]", "R2* [1/s]", "fat fraction", "field map [Hz]", "echo MIP [a.u.]"]
        self.assertEqual([mapName(name) for name in names], words)

    def test_maps_are_shown_in_the_window_and_colors_of_their_quantity(self):
        display = scene.addMapVolume(random_map(), AFFINE, "chi", "ankle").GetDisplayNode()
        self.assertFalse(display.GetAutoWindowLevel())
        self.assertEqual((display.GetWindowLevelMin(), display.GetWindowLevelMax()), QUANTITIES["chi"].display)
        self.assertEqual(display.GetColorNode().GetName(), "Grey")
        display = scene.addMapVolume(random_map(), AFFINE, "r2star", "ankle").GetDisplayNode()
        self.assertEqual((display.GetWindowLevelMin(), display.GetWindowLevelMax()), QUANTITIES["r2star"].display)
        self.assertEqual(display.GetColorNode().GetName(), "Trabecular QSM sequential")

    def drawn(self, name, values):
        """Colors in which the values of a map are drawn, red, green, blue and opacity of 255."""
        display = scene.addMapVolume(np.resize(values, SHAPE), AFFINE, name, "ankle").GetDisplayNode()
        drawing = display.GetImageDataConnection().GetProducer()
        drawing.Update()
        image = drawing.GetOutputDataObject(0)
        return vtk_to_numpy(image.GetPointData().GetScalars())[: len(values)].astype(int)

    def test_nothing_is_drawn_outside_the_body_where_a_map_is_read_by_value(self):
        for name in ("r2star", "pdff"):
            low, high = QUANTITIES[name].display
            outside, little, middle, much = self.drawn(name, (0.0, low + 1e-3, (low + high) / 2, high))
            self.assertEqual(outside[3], 0)
            self.assertEqual([color[3] for color in (little, middle, much)], [255] * 3)
            # From dark to light, and not red at the low end.
            self.assertLess(little[:3].sum() + 100, middle[:3].sum())
            self.assertLess(middle[:3].sum() + 60, much[:3].sum())
            self.assertLess(little[0], 100)

    def test_fields_are_as_dark_at_zero_as_the_background_blue_below_and_red_above(self):
        for name in ("field_hz", "total_field", "local_field"):
            low, high = QUANTITIES[name].display
            self.assertEqual(low, -high)
            below, zero, above = self.drawn(name, (low, 0.0, high))
            self.assertLess(zero[:3].max(), 30)
            self.assertGreater(below[2], below[0] + 50)
            self.assertGreater(above[0], above[2] + 50)
            self.assertAlmostEqual(below[:3].mean(), above[:3].mean(), delta=20)

    def test_color_tables_are_made_once_and_saved_with_the_scene(self):
        for name in ("r2star", "pdff", "field_hz", "local_field", "chi"):
            scene.addMapVolume(random_map(), AFFINE, name, "ankle")
        self.assertEqual(len(colorTables()), 2)
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "ankle.mrb")
            self.assertTrue(self.scene.WriteToMRB(path, None))
            headless.clear()
            self.assertEqual(colorTables(), [])
            self.assertTrue(self.scene.ReadFromMRB(path, True))
        display = self.find("ankle R2* [1/s]").GetDisplayNode()
        table = display.GetColorNode()
        self.assertTrue(display.GetApplyThreshold())
        self.assertEqual((table.GetName(), table.GetNumberOfColors()), ("Trabecular QSM sequential", 256))
        found = [0.0] * 4
        table.GetColor(255, found)
        np.testing.assert_allclose(found[:3], color_table("sequential")[255], atol=1 / 255)
        scene.addMapVolume(random_map(), AFFINE, "pdff", "again")
        self.assertEqual(len(colorTables()), 2)


class NamesTest(SceneTest):
    """Of nodes of one name a selector shows the one, and may mean the other."""

    def test_a_second_run_is_numbered_as_a_whole(self):
        maps = {"chi": random_map(), "r2star": random_map()}
        names = []
        for _run in range(3):
            nodes = scene.addMapVolumes(Reconstruction(maps, Settings(), ()), AFFINE, "ankle")
            names += [node.GetName() for node in nodes.values()]
        expected = [f"{name} {word}" for name in ("ankle", "ankle 2", "ankle 3") for word in ("χ [ppm]", "R2* [1/s]")]
        self.assertEqual(names, expected)
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self.scene)
        for name in ("ankle maps", "ankle 2 maps", "ankle 3 maps"):
            self.assertTrue(hierarchy.GetItemByName(name), name)

    def test_two_datasets_of_one_name_are_two_scans(self):
        found = [scene.addEchoSequences(random_acquisition(), "sub-01") for _dataset in range(2)]
        names = [node.GetName() for pair in found for node in pair]
        self.assertEqual(names, ["sub-01 magnitude", "sub-01 phase", "sub-01 2 magnitude", "sub-01 2 phase"])
        browsers = [scene.addEchoBrowser(*pair) for pair in found]
        self.assertEqual([browser.GetName() for browser in browsers], ["sub-01", "sub-01 2"])
        proxies = [browser.GetProxyNode(pair[0]) for browser, pair in zip(browsers, found, strict=True)]
        self.assertEqual([proxy.GetName() for proxy in proxies], ["sub-01 magnitude echo", "sub-01 2 magnitude echo"])

    def test_whatever_is_made_twice_has_two_names(self):
        labels = np.ones(SHAPE, dtype=np.uint8)
        for _run in range(2):
            chi = scene.addMapVolume(random_map(), AFFINE, "chi", "ankle")
            segmentation = scene.addSegmentation(labels, {1: "bone"}, AFFINE, "regions")
            scene.regionTemplate(chi, name="drawn")
            scene.splitRegionNodes(segmentation, None, 2, chi)
            scene.measureNodes([chi], segmentation, case="one")
            scene.checkerboardNodes(chi, chi, name="board")
            cycles = [scene.addMapVolume(n * abs(random_map()), AFFINE, "mip", "ankle") for n in (1, 2)]
            scene.combinePhaseCyclesNodes(cycles, name="combined")
            scene.bvtvNodes(cycles[0], segmentation, case="one", boneSegmentation=segmentation, biasCorrection=False)
        nodes = [node for name in MADE for node in slicer.util.getNodesByClass(name)]
        names = [node.GetName() for node in nodes]
        self.assertGreater(len(names), 20)
        self.assertEqual(sorted(names), sorted(set(names)))


MADE = ("vtkMRMLScalarVolumeNode", "vtkMRMLSegmentationNode", "vtkMRMLTableNode", "vtkMRMLPlotChartNode")


class SceneFileTest(SceneTest):
    def test_a_scene_file_holds_maps_regions_and_echoes(self):
        acquisition = random_acquisition()
        scene.addEchoSequences(acquisition, "ankle")
        maps = {name: random_map(n) for n, name in enumerate(QUANTITIES)}
        nodes = scene.addMapVolumes(Reconstruction(maps, Settings(), ()), AFFINE, "ankle")
        names = {name: node.GetName() for name, node in nodes.items()}
        labels = (np.arange(np.prod(SHAPE)).reshape(SHAPE) // 30).astype(np.uint8)
        scene.addSegmentation(labels, {1: "one", 2: "two", 3: "three"}, AFFINE, "regions")
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "ankle.mrb")
            self.assertTrue(self.scene.WriteToMRB(path, None))
            headless.clear()
            self.assertIsNone(self.scene.GetFirstNodeByName("regions"))
            self.assertTrue(self.scene.ReadFromMRB(path, True))
        for name, array in maps.items():
            node = self.find(names[name])
            np.testing.assert_array_equal(slicer.util.arrayFromVolume(node), array.astype(np.float32))
            np.testing.assert_allclose(scene.affineFromVolume(node), AFFINE, atol=1e-9)
            self.assertEqual(node.GetVoxelValueUnits().GetCodingSchemeDesignator(), "UCUM")
        chi = self.find(names["chi"])
        self.assertEqual(chi.GetVoxelValueQuantity().GetCodeMeaning(), "Magnetic Susceptibility")
        self.assertEqual(chi.GetDisplayNode().GetWindowLevelMax(), QUANTITIES["chi"].display[1])
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self.scene)
        folder = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(chi))
        self.assertEqual(hierarchy.GetItemName(folder), "ankle maps")
        self.assertEqual(Settings.from_dict(json.loads(chi.GetAttribute("TrabecularQSM.Settings"))), Settings())
        again, found = scene.regionsFromSegmentation(self.find("regions"), chi)
        np.testing.assert_array_equal(again, labels)
        self.assertEqual(found, {1: "one", 2: "two", 3: "three"})
        scan = scene.acquisitionFromSequences(self.find("ankle magnitude"), self.find("ankle phase"))
        np.testing.assert_allclose(scan.echoes, acquisition.echoes, atol=2e-6)
        np.testing.assert_allclose(scan.echo_times, acquisition.echo_times, rtol=1e-9)
        np.testing.assert_allclose(scan.b0_patient, acquisition.b0_patient, rtol=1e-9)


if __name__ == "__main__":
    unittest.main()
