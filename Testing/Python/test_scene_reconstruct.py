"""The whole way from sequence nodes to maps and L-curves on real MRML."""

import json
import unittest
from unittest import mock

import numpy as np
from scenes import AFFINE, SceneTest, random_map, slicer

from TrabecularQSMLib import scene
from TrabecularQSMLib.errors import Cancelled
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom
from TrabecularQSMLib.pipeline import Reconstruction, reconstruct
from TrabecularQSMLib.scene import reconstruct as reconstruct_module
from TrabecularQSMLib.settings import Settings, preset


class ReconstructNodesTest(SceneTest):
    @classmethod
    def setUpClass(cls):
        cls.phantom = make_phantom(PhantomSettings(shape=(36, 37, 18), seed=4, tilt_degrees=15.0))
        cls.settings = preset("default", inversion="closed-form")

    def sequences(self):
        return scene.addEchoSequences(self.phantom.acquisition, "ankle")

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

    def test_a_cancelled_run_leaves_the_scene_as_it_was(self):
        magnitude, phase = self.sequences()
        before = self.node_ids(), self.hierarchy_count()

        def cancel(fraction, message):
            if fraction > 0.3:
                raise Cancelled

        with self.assertRaises(Cancelled):
            scene.reconstructNodes(magnitude, phase, settings=self.settings, progress=cancel)
        self.assertEqual((self.node_ids(), self.hierarchy_count()), before)

    def test_a_failure_while_nodes_are_made_leaves_the_scene_as_it_was(self):
        result = Reconstruction({"chi": random_map(), "pdff": random_map()}, self.settings, ())
        before = self.node_ids(), self.hierarchy_count()
        made = []

        def second_fails(*arguments):
            if made:
                raise MemoryError
            made.append(scene.addMapVolume(*arguments))
            return made[0]

        with mock.patch.object(reconstruct_module, "addMapVolume", second_fails), self.assertRaises(MemoryError):
            scene.addMapVolumes(result, AFFINE, "ankle")
        self.assertEqual((self.node_ids(), self.hierarchy_count()), before)


if __name__ == "__main__":
    unittest.main()
