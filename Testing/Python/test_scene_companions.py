"""The digital ankle with bSSFP and CT, and the way from there to a regression, on real MRML."""

import unittest
from unittest import mock

import numpy as np
from scenes import SceneTest, cancel_at, slicer

from TrabecularQSMLib import scene
from TrabecularQSMLib.errors import Cancelled
from TrabecularQSMLib.phantom import CompanionSettings, PhantomSettings, make_companions, make_phantom
from TrabecularQSMLib.scene import companions as companions_module
from TrabecularQSMLib.scene.tables import rowsFromTable

SETTINGS = PhantomSettings(shape=(48, 48, 24), seed=3)
QUICK = CompanionSettings(bssfp_voxel_mm=(0.9, 0.9, 1.5), ct_voxel_mm=(3, 3, 3), structure_mm=0.5)


class CompanionsTest(SceneTest):
    def test_bssfp_and_ct_have_their_own_geometry_quantity_and_bone_reference(self):
        nodes = scene.addCompanions(SETTINGS, QUICK)
        expected = make_companions(make_phantom(SETTINGS), QUICK)
        for node, array, affine in (
            (nodes.bssfp, expected.bssfp, expected.bssfp_affine),
            (nodes.ct, expected.ct, expected.ct_affine),
        ):
            np.testing.assert_array_equal(slicer.util.arrayFromVolume(node), array)
            np.testing.assert_allclose(scene.affineFromVolume(node), affine, atol=1e-9)
        bone = scene.maskFromSegment(nodes.boneReference, None, nodes.bssfp)
        np.testing.assert_array_equal(bone, expected.bone > 0)
        labels, names = scene.regionsFromSegmentation(nodes.boneRegions, nodes.bssfp)
        self.assertEqual(set(names.values()), set(expected.bvtv))
        self.assertEqual(set(np.unique(labels)), {0, *names})
        truth = {row["region"]: row["true_bvtv"] for row in rowsFromTable(nodes.truth)}
        self.assertEqual(truth, expected.bvtv)
        self.assertEqual(nodes.ct.GetVoxelValueUnits().GetCodeMeaning(), "Hounsfield unit")
        self.assertGreater(nodes.phantom.regions.GetSegmentation().GetNumberOfSegments(), 3)

    def test_the_bone_reference_goes_with_the_bssfp(self):
        nodes = scene.addCompanions(SETTINGS, QUICK)
        fixed = nodes.phantom.browser.GetProxyNode(nodes.phantom.magnitudeSequence)
        truth = make_companions(make_phantom(SETTINGS), QUICK).bssfp_matrix
        transform = scene.registerNodes(fixed, nodes.bssfp, useBrains=True, run=lambda *arguments: truth)
        self.assertIs(nodes.boneReference.GetParentTransformNode(), transform)

    def test_a_cancelled_run_leaves_the_scene_as_it_was(self):
        before = self.node_ids(), self.hierarchy_count()
        for limit in (0.2, 0.6, 1.0):
            with self.assertRaises(Cancelled):
                scene.addCompanions(SETTINGS, QUICK, progress=cancel_at(limit))
            self.assertEqual((self.node_ids(), self.hierarchy_count()), before)

    def test_what_fails_halfway_leaves_nothing_behind(self):
        phantom = make_phantom(SETTINGS)
        companions = make_companions(phantom, QUICK)
        before = self.node_ids()
        with mock.patch.object(companions_module, "addTable", side_effect=MemoryError):
            self.assertRaises(MemoryError, scene.addCompanionNodes, phantom, companions, "ankle")
        self.assertEqual(self.node_ids(), before)


if __name__ == "__main__":
    unittest.main()
