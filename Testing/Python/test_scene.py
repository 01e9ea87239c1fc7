"""Maps as nodes on real MRML: values, units, geometry, display, and a scene written and read back."""

import json
import tempfile
import unittest
from pathlib import Path

import headless
import numpy as np
from scenes import AFFINE, SHAPE, SceneTest, random_acquisition, random_map, slicer

from TrabecularQSMLib import scene
from TrabecularQSMLib.pipeline import Reconstruction
from TrabecularQSMLib.quantities import QUANTITIES
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
            self.assertIs(slicer.util.getNode(node.GetName()), node)
            if quantity.unit != "1":
                self.assertIn(quantity.unit, node.GetName())
            self.assertIn(quantity.unit, node.GetDescription())

    def test_maps_are_shown_in_the_window_and_colors_of_their_quantity(self):
        display = scene.addMapVolume(random_map(), AFFINE, "chi", "ankle").GetDisplayNode()
        self.assertFalse(display.GetAutoWindowLevel())
        self.assertEqual((display.GetWindowLevelMin(), display.GetWindowLevelMax()), QUANTITIES["chi"].display)
        self.assertEqual(display.GetColorNode().GetName(), "Grey")
        display = scene.addMapVolume(random_map(), AFFINE, "r2star", "ankle").GetDisplayNode()
        self.assertEqual((display.GetWindowLevelMin(), display.GetWindowLevelMax()), QUANTITIES["r2star"].display)
        self.assertEqual(display.GetColorNode().GetName(), "Iron")


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
