"""Susceptibility by the closed form for any λ at once, of the local field in the scene, on real MRML."""

import unittest
from dataclasses import replace

import numpy as np
from scenes import AFFINE, SceneTest, slicer, vtk

from TrabecularQSMLib import scene
from TrabecularQSMLib.acquisition import MeasuredField
from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.pipeline import reconstruct
from TrabecularQSMLib.settings import preset

B0 = (0.0, 0.6, 0.8)
SETTINGS = preset(inversion="closed-form", separate_cortex="no", reference="mask", padding=6)
SHAPE = (13, 18, 20)


def reconstructed(**changes):
    """A local field of noise, inverted; beyond the mask nothing is known."""
    field = np.random.default_rng(2).normal(0, 0.1, SHAPE)
    field[:2] = field[:, :3] = field[:, :, -4:] = 0
    given = MeasuredField(field, AFFINE, "local", b0_patient=B0)
    return reconstruct(given, replace(SETTINGS, **changes))


class PreviewTest(SceneTest):
    def setUp(self):
        super().setUp()
        self.maps = scene.addMapVolumes(reconstructed(), AFFINE, "ankle", b0Direction=B0)

    @property
    def run_(self):
        return scene.runsInScene()[0]

    def test_it_is_the_closed_form_of_the_whole_reconstruction_for_every_regularization(self):
        preview = scene.Preview(self.run_)
        for regularization in (0.05, 3.0):
            found = slicer.util.arrayFromVolume(preview.show(regularization))
            expected = reconstructed(regularization=regularization).maps["chi"]
            # The other way round in memory: float32 sums in another order.
            np.testing.assert_allclose(found, expected, atol=2e-6)
        self.assertGreater(np.abs(found).max(), 0.01)

    def test_it_lies_shows_and_is_measured_as_susceptibility_and_is_named_so(self):
        turned = self.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        self.maps["local_field"].SetAndObserveTransformNodeID(turned.GetID())
        self.maps["chi"].GetScalarVolumeDisplayNode().SetWindowLevel(0.6, 0.1)
        node = scene.Preview(self.run_).show(0.2)
        self.assertEqual(node.GetName(), "ankle closed-form preview χ [ppm]")
        np.testing.assert_allclose(scene.affineFromVolume(node), AFFINE, atol=1e-12)
        self.assertIs(node.GetParentTransformNode(), turned)
        display = node.GetScalarVolumeDisplayNode()
        self.assertEqual((display.GetWindow(), display.GetLevel()), (0.6, 0.1))
        self.assertEqual(node.GetVoxelValueUnits().GetCodeMeaning(), "parts per million")

    def test_one_volume_changes_and_comes_again_when_it_was_deleted(self):
        preview = scene.Preview(self.run_)
        node = preview.show(0.2)
        count, changes = self.scene.GetNumberOfNodes(), []
        node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: changes.append(1))
        self.assertIs(preview.show(0.4), node)
        self.assertEqual((self.scene.GetNumberOfNodes(), bool(changes)), (count, True))
        self.scene.RemoveNode(node)
        again = preview.show(0.4)
        self.assertIs(again.GetScene(), self.scene)
        scene.removePreviews()
        self.assertIsNone(again.GetScene())

    def test_it_is_no_map_of_the_run_and_no_echo_and_a_scene_has_one(self):
        names = set(self.run_.nodes)
        node = scene.Preview(self.run_).show(0.2)
        self.assertEqual((set(self.run_.nodes), len(scene.runsInScene())), (names, 1))
        self.assertIsNot(self.run_.nodes["chi"], node)
        self.assertIn(node.GetID(), scene.volumesThatAreNoEchoes())
        # As after a scene was saved with one and loaded again.
        self.assertEqual(scene.Preview(self.run_).show(0.2).GetName(), "ankle closed-form preview χ [ppm]")
        self.assertIsNone(node.GetScene())

    def test_it_belongs_to_its_run_as_long_as_that_lies_as_it_did(self):
        preview, moved = scene.Preview(self.run_), vtk.vtkTransform()
        self.assertTrue(preview.isOf(self.run_))
        self.assertFalse(preview.isOf(None))
        moved.RotateX(20)
        self.maps["local_field"].ApplyTransform(moved)
        self.assertFalse(preview.isOf(self.run_))
        scene.addMapVolumes(reconstructed(), AFFINE, "other", b0Direction=B0)
        self.assertFalse(preview.isOf(self.run_))

    def test_what_a_run_lacks_is_said(self):
        self.assertIn("no maps yet", scene.missingOfPreview(None))
        self.assertEqual(scene.missingOfPreview(self.run_), "")
        scene.addMapVolumes(reconstructed(), AFFINE, "old")
        self.assertIn("direction of B0", scene.missingOfPreview(self.run_))
        with self.assertRaisesRegex(InputError, "direction of B0"):
            scene.Preview(self.run_)
        scene.addMapVolumes(
            replace(reconstructed(), settings=preset(inversion="total-field")), AFFINE, "total", b0Direction=B0
        )
        self.assertIn("took the background away itself", scene.missingOfPreview(self.run_))
        self.scene.RemoveNode(self.run_.nodes["local_field"])
        self.assertIn("no local field", scene.missingOfPreview(self.run_))


if __name__ == "__main__":
    unittest.main()
