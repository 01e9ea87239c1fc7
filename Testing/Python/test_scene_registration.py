"""Registration of volumes, by this library and by BRAINS, on real MRML."""

import types
import unittest
from functools import partial
from unittest import mock

import numpy as np
from scenes import cancel_at, slicer
from scipy import ndimage
from two_images import (
    FIXED_AFFINE,
    FIXED_SHAPE,
    MOVING_AFFINE,
    MOVING_SHAPE,
    TRUTH,
    TwoImagesTest,
    rigid,
)

from TrabecularQSMLib import scene
from TrabecularQSMLib.analysis.registration import Registration
from TrabecularQSMLib.errors import Cancelled, InputError
from TrabecularQSMLib.images import resample
from TrabecularQSMLib.pipeline import Reconstruction
from TrabecularQSMLib.scene import registration
from TrabecularQSMLib.scene.gui.undo import oneUndoStep
from TrabecularQSMLib.scene.registration import pointsBetween, qualityOf
from TrabecularQSMLib.scene.volumes import controlPoints, newVolume, pointsInVolume
from TrabecularQSMLib.settings import preset


class RegistrationTest(TwoImagesTest):
    def test_the_moving_volume_comes_under_the_transform_that_moves_it_onto_the_fixed_one(self):
        transform = scene.registerNodes(self.fixed, self.moving)
        self.assertIs(self.moving.GetParentTransformNode(), transform)
        self.assertIsNone(self.fixed.GetParentTransformNode())
        self.assertEqual(transform.GetName(), "bSSFP to echo MIP")
        self.assertLess(self.error_mm(), 0.75)
        # Not hardened: the voxels and their own geometry are as they were.
        np.testing.assert_allclose(scene.affineFromVolume(self.moving), MOVING_AFFINE, atol=1e-9)
        np.testing.assert_array_equal(slicer.util.arrayFromVolume(self.moving), self.arrays[1])
        # A point of the moving volume, taken to its parent, is the same place of the fixed one.
        toParent = slicer.util.vtkMatrixFromArray(np.eye(4))
        transform.GetMatrixTransformToParent(toParent)
        place = TRUTH @ (5, 6, 7, 1)
        np.testing.assert_allclose(slicer.util.arrayFromVTKMatrix(toParent) @ place, (5, 6, 7, 1), atol=0.75)

    def test_the_transform_says_how_good_it_is(self):
        transform = scene.registerNodes(self.fixed, self.moving, start="moments")
        quality = qualityOf(transform)
        self.assertEqual(quality["program"], "SimpleITK")
        self.assertTrue(0.1 < quality["quality"] <= 1, quality)
        self.assertIn(f"quality {quality['quality']:.3f}", transform.GetDescription())
        self.assertEqual(qualityOf(self.transform(np.eye(4))), {})

    def test_images_with_nothing_in_common_are_told(self):
        noise = np.random.default_rng(1).normal(size=MOVING_SHAPE)
        slicer.util.updateVolumeFromArray(self.moving, noise.astype(np.float32))
        self.without_search()
        found = Registration(TRUTH, mutual_information=0.0, quality=0.0, overlap=1.0, iterations=1, converged=True)
        with mock.patch.object(registration, "register_rigid", return_value=found):
            transform = scene.registerNodes(self.fixed, self.moving)
        self.assertIn("next to nothing in common", qualityOf(transform)["warning"])
        self.assertIn("next to nothing in common", transform.GetDescription())

    def test_labels_among_the_images_and_padding_are_told(self):
        labels = (self.arrays[1] > 0.5).astype(np.float32)
        labels[0] = -3024
        slicer.util.updateVolumeFromArray(self.moving, labels)
        self.without_search()
        found = Registration(TRUTH, mutual_information=1.0, quality=0.5, overlap=1.0, iterations=1, converged=False)
        with mock.patch.object(registration, "register_rigid", return_value=found):
            transform = scene.registerNodes(self.fixed, self.moving)
        for said in (" ".join(qualityOf(transform)["notes"]), transform.GetDescription()):
            self.assertIn("bSSFP holds a few whole numbers in patches, as labels do", said)
            self.assertIn("which is the padding of a CT", said)
            self.assertNotIn("echo MIP holds", said)

    def test_what_fails_while_nodes_are_moved_leaves_them_where_they_were(self):
        self.without_search()
        found = Registration(TRUTH, mutual_information=1.0, quality=0.5, overlap=1.0, iterations=1, converged=True)
        above, ids = self.transform(np.eye(4)), self.node_ids()
        self.moving.SetAndObserveTransformNodeID(above.GetID())
        broken = mock.Mock(**{"SetAndObserveTransformNodeID.side_effect": [RuntimeError("gone"), None]})
        with (
            mock.patch.object(registration, "register_rigid", return_value=found),
            mock.patch.object(registration, "_movedTogether", return_value=[self.moving, broken]),
            self.assertRaisesRegex(RuntimeError, "gone"),
        ):
            scene.registerNodes(self.fixed, self.moving)
        self.assertIs(self.moving.GetParentTransformNode(), above)
        self.assertEqual(self.node_ids(), ids)
        with (
            mock.patch.object(registration, "_noteImages", side_effect=RuntimeError("gone")),
            self.assertRaisesRegex(RuntimeError, "gone"),
        ):
            scene.checkerboardNodes(self.fixed, self.moving, 4)
        self.assertEqual(self.node_ids(), ids)

    def test_a_registration_starts_from_the_transform_set_by_hand_and_keeps_that(self):
        self.without_search()
        near = self.transform(np.linalg.inv(rigid((3, -4, 4), (5.0, -2.0, 4.0))))
        self.moving.SetAndObserveTransformNodeID(near.GetID())
        before = self.error_mm()
        transform = scene.registerNodes(self.fixed, self.moving, start="current")
        self.assertIsNot(transform, near)
        self.assertLess(self.error_mm(), min(0.75, before))
        self.assertIs(self.scene.GetFirstNodeByName("by hand"), near)

    def test_a_fixed_volume_under_a_transform_stays_where_it_is_seen(self):
        self.without_search()
        above = self.transform(rigid((30, 0, 0), (50, 60, 70)))
        self.fixed.SetAndObserveTransformNodeID(above.GetID())
        transform = scene.registerNodes(self.fixed, self.moving, start="moments")
        self.assertIs(transform.GetParentTransformNode(), above)
        self.assertLess(self.error_mm(), 0.75)

    def test_segmentations_drawn_on_the_moving_volume_go_with_it(self):
        self.without_search()
        drawn, other = scene.regionTemplate(self.moving), scene.regionTemplate(self.fixed)
        elsewhere = scene.regionTemplate(self.moving)
        above = self.transform(np.eye(4))
        elsewhere.SetAndObserveTransformNodeID(above.GetID())
        transform = scene.registerNodes(self.fixed, self.moving, useBrains=True, run=lambda *arguments: TRUTH)
        self.assertIs(drawn.GetParentTransformNode(), transform)
        self.assertIsNone(other.GetParentTransformNode())
        self.assertIs(elsewhere.GetParentTransformNode(), above)

    def test_landmarks_are_a_start_wherever_the_volumes_are_seen(self):
        self.without_search()
        above = self.transform(rigid((0, 0, 90), (0, 0, 100)), "far away")
        self.moving.SetAndObserveTransformNodeID(above.GetID())
        places = np.array([[0, 0, 0, 1], [20, 0, 5, 1], [0, 20, 0, 1], [5, 5, 20, 1]], dtype=float)
        toWorld = rigid((0, 0, 90), (0, 0, 100))
        fixedPoints = self.points("on fixed", places[:, :3])
        movingPoints = self.points("on moving", (places @ TRUTH.T @ toWorld.T)[:, :3])
        scene.registerNodes(self.fixed, self.moving, start="landmarks", landmarks=(fixedPoints, movingPoints))
        self.assertLess(self.error_mm(), 0.75)
        ids = self.node_ids()
        with self.assertRaisesRegex(InputError, "needs a point list on bSSFP"):
            scene.registerNodes(self.fixed, self.moving, start="landmarks", landmarks=(fixedPoints, None))
        # A point without its place is listed, and no landmark; nor is its partner then.
        for number in (1, 2):
            fixedPoints.UnsetNthControlPointPosition(number)
        with self.assertRaisesRegex(InputError, "2 pairs of landmarks"):
            scene.registerNodes(self.fixed, self.moving, start="landmarks", landmarks=(fixedPoints, movingPoints))
        movingPoints.RemoveAllControlPoints()
        with self.assertRaisesRegex(InputError, "fixed image has 4 landmarks and the moving one 0"):
            scene.registerNodes(self.fixed, self.moving, start="landmarks", landmarks=(fixedPoints, movingPoints))
        self.assertEqual(self.node_ids(), ids)

    def test_registering_by_landmarks_again_changes_nothing(self):
        # A program that stays where it starts shows the start alone.
        self.without_search()
        options = {"start": "landmarks", "useBrains": True, "run": lambda fixed, moving, start, *rest: start}
        above = self.transform(rigid((0, 0, 90), (0, 0, 100)), "far away")
        self.moving.SetAndObserveTransformNodeID(above.GetID())
        places = np.array([[0, 0, 0, 1], [20, 0, 5, 1], [0, 20, 0, 1], [5, 5, 20, 1]], dtype=float)
        fixedPoints = self.points("on fixed", places[:, :3])
        # Set where the moving volume is seen, as the second list of a user: under no transform, or under the volume's.
        seen = (places @ TRUTH.T @ rigid((0, 0, 90), (0, 0, 100)).T)[:, :3]
        for under in (None, above.GetID()):
            self.moving.SetAndObserveTransformNodeID(above.GetID())
            movingPoints = self.scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "on moving")
            movingPoints.SetAndObserveTransformNodeID(under)
            for point in seen:
                movingPoints.AddControlPointWorld(*point)
            found, lists = [], (fixedPoints, movingPoints)
            for name in ("one", "two", None, None):  # under a new transform, the same one, and without computing
                scene.registerNodes(self.fixed, self.moving, landmarks=lists, name=name, **options)
                found.append(pointsBetween(self.fixed, self.moving))
                # The points are seen on the same tissue of the moving volume as before.
                own = pointsInVolume(controlPoints(movingPoints), self.moving)
                np.testing.assert_allclose(own, (places @ TRUTH.T)[:, :3], atol=1e-6)
            for one in found:
                np.testing.assert_allclose(one, TRUTH, atol=1e-6)
        # They go with the volume also where it is registered in another way.
        options |= {"start": "geometry"}
        scene.registerNodes(self.fixed, self.moving, landmarks=(fixedPoints, movingPoints), **options)
        own = pointsInVolume(controlPoints(movingPoints), self.moving)
        np.testing.assert_allclose(own, (places @ TRUTH.T)[:, :3], atol=1e-6)
        with self.assertRaisesRegex(InputError, "on fixed is chosen as points on both volumes"):
            scene.registerNodes(self.fixed, self.moving, start="landmarks", landmarks=(fixedPoints, fixedPoints))

    def test_registering_again_with_the_same_images_and_options_changes_nothing(self):
        self.without_search()
        found = types.SimpleNamespace(matrix=TRUTH, mutual_information=0.5, iterations=3, converged=True)
        for start in ("geometry", "moments", "current"):
            with mock.patch.object(registration, "register_rigid", return_value=found) as program:
                transform = scene.registerNodes(self.fixed, self.moving, start=start)
                ids, matrix, quality = self.node_ids(), pointsBetween(self.fixed, self.moving), qualityOf(transform)
                self.assertNotIn("repeated", quality)
                self.assertIs(scene.registerNodes(self.fixed, self.moving, start=start), transform)
            program.assert_called_once()
            self.assertEqual(self.node_ids(), ids)
            np.testing.assert_array_equal(pointsBetween(self.fixed, self.moving), matrix)
            self.assertEqual(qualityOf(transform), quality | {"repeated": True})

    def test_what_was_changed_since_is_registered_again(self):
        self.without_search()
        calls = []

        def run(*arguments):
            calls.append(arguments)
            return TRUTH

        def changed(node):
            array = slicer.util.arrayFromVolume(node)
            array[10, 10, 10] += 1

        mask = scene.addSegmentation(np.ones(FIXED_SHAPE, np.uint8), {1: "all"}, FIXED_AFFINE, "all")
        options = {"useBrains": True, "run": run}
        for number, change in enumerate(
            (
                lambda: None,
                lambda: changed(self.fixed),
                lambda: changed(self.moving),
                lambda: options.update(mask=mask),
                lambda: options.update(start="moments"),
            ),
            start=1,
        ):
            change()
            for _press in range(2):
                transform = scene.registerNodes(self.fixed, self.moving, **options)
            self.assertEqual(len(calls), number)
        # All are the newest result of one transform.
        self.assertEqual([node.GetName() for node in self.transforms()], ["bSSFP to echo MIP"])
        self.assertIs(self.moving.GetParentTransformNode(), transform)

    def test_another_pair_or_a_transform_changed_by_hand_gets_a_new_one(self):
        self.without_search()
        matrices = [TRUTH, np.eye(4)]
        options = {"useBrains": True, "run": lambda *arguments: matrices[0]}
        first = scene.registerNodes(self.fixed, self.moving, **options)
        other = slicer.mrmlScene.AddNode(newVolume(self.arrays[0], FIXED_AFFINE, "other"))
        second = scene.registerNodes(other, self.moving, **options)
        self.assertIsNot(first, second)
        byHand = slicer.util.vtkMatrixFromArray(rigid((0, 0, 0), (1, 2, 3)))
        second.SetMatrixTransformToParent(byHand)
        third = scene.registerNodes(other, self.moving, **options)
        self.assertEqual(third.GetName(), "bSSFP to other 2")
        kept = slicer.util.vtkMatrixFromArray(np.eye(4))
        second.GetMatrixTransformToParent(kept)
        self.assertEqual(kept.GetElement(2, 3), 3)
        self.assertLess(self.error_mm(), 1e-9)
        # What moved the fixed volume meanwhile takes the moving one along.
        other.SetAndObserveTransformNodeID(self.transform(rigid((0, 0, 20), (5, 0, 0))).GetID())
        fourth = scene.registerNodes(other, self.moving, **options)
        self.assertIs(fourth.GetParentTransformNode(), other.GetParentTransformNode())
        self.fixed = other
        self.assertLess(self.error_mm(), 1e-9)

    def test_a_result_brought_up_to_date_is_taken_back_by_undo(self):
        self.without_search()
        self.addCleanup(self.scene.ClearUndoStack)
        self.addCleanup(self.scene.SetUndoFlag, self.scene.GetUndoFlag())
        self.scene.SetUndoFlag(True)
        for kind in ("vtkMRMLLinearTransformNode", "vtkMRMLScalarVolumeNode"):
            self.scene.AddDefaultNode(default := getattr(slicer, kind)())
            default.SetUndoEnabled(True)
            self.addCleanup(default.SetUndoEnabled, False)
        self.moving.SetUndoEnabled(True)
        options = {"useBrains": True, "run": lambda fixed, moving, start, inside, told: start}
        transform = scene.registerNodes(self.fixed, self.moving, start="moments", **options)
        before, quality = pointsBetween(self.fixed, self.moving), qualityOf(transform)
        with oneUndoStep():
            scene.registerNodes(self.fixed, self.moving, **options)
        self.assertLess(self.error_mm(), 1e-9)
        self.scene.Undo()
        np.testing.assert_allclose(pointsBetween(self.fixed, self.moving), before, atol=1e-9)
        self.assertEqual(qualityOf(self.moving.GetParentTransformNode()), quality)

    def test_the_other_maps_of_a_run_go_with_the_one_that_is_registered(self):
        self.without_search()
        maps = {"mip": self.arrays[1], "chi": self.arrays[1] - 0.5}
        nodes = scene.addMapVolumes(Reconstruction(maps, preset(), ()), MOVING_AFFINE, "ankle")
        drawn = scene.regionTemplate(nodes["chi"])
        run = {"useBrains": True, "run": lambda *arguments: TRUTH}
        transform = scene.registerNodes(self.fixed, nodes["mip"], **run)
        for node in (*nodes.values(), drawn):
            self.assertIs(node.GetParentTransformNode(), transform)
        # One that was taken away stays where it was put.
        nodes["chi"].SetAndObserveTransformNodeID(None)
        scene.registerNodes(self.fixed, nodes["mip"], **run)
        self.assertIsNone(nodes["chi"].GetParentTransformNode())

    def test_only_what_is_inside_the_mask_counts(self):
        self.without_search()
        masks = []

        def run(fixed, moving, start, inside, progress):
            masks.append(inside)
            return np.eye(4)

        inside = np.zeros(FIXED_SHAPE, dtype=np.uint8)
        inside[5:20, 5:20, 5:20] = 1
        mask = scene.addSegmentation(inside, {1: "bones"}, FIXED_AFFINE, "bones")
        scene.registerNodes(self.fixed, self.moving, mask=mask, useBrains=True, run=run)
        np.testing.assert_array_equal(masks[0], inside > 0)
        with mock.patch.object(registration, "register_rigid", wraps=registration.register_rigid) as used:
            scene.registerNodes(self.fixed, self.moving, start="current", mask=mask)
        np.testing.assert_array_equal(used.call_args.kwargs["fixed_mask"], inside > 0)
        empty = scene.addSegmentation(0 * inside, {1: "nothing"}, FIXED_AFFINE, "nothing")
        with self.assertRaisesRegex(InputError, "nothing has no voxel inside echo MIP"):
            scene.registerNodes(self.fixed, self.moving, mask=empty)

    def test_a_checkerboard_shows_the_registered_volume_on_the_fixed_grid(self):
        transform = self.transform(np.linalg.inv(TRUTH))
        self.moving.SetAndObserveTransformNodeID(transform.GetID())
        board = scene.checkerboardNodes(self.fixed, self.moving, 4)
        np.testing.assert_allclose(scene.affineFromVolume(board), FIXED_AFFINE, atol=1e-9)
        values = slicer.util.arrayFromVolume(board)
        # At the middle of the grid both show the object, and where the moving one is seen it is inverted.
        size = -(-max(FIXED_SHAPE) // 4)
        odd = (np.indices(FIXED_SHAPE) // size).sum(axis=0) % 2 == 1
        for where, sign in ((odd, -1), (~odd, 1)):
            inner = where & (ndimage.minimum_filter(self.arrays[0], 3) > 0)
            self.assertGreater(sign * np.corrcoef(values[inner], self.arrays[0][inner])[0, 1], 0.5)

    def test_a_checkerboard_made_again_is_brought_up_to_date(self):
        board = scene.checkerboardNodes(self.fixed, self.moving, 4)
        before, ids = slicer.util.arrayFromVolume(board).copy(), self.node_ids()
        transform = self.transform(np.linalg.inv(TRUTH))
        self.moving.SetAndObserveTransformNodeID(transform.GetID())
        self.assertIs(scene.checkerboardNodes(self.fixed, self.moving, 4), board)
        self.assertGreater(np.abs(slicer.util.arrayFromVolume(board) - before).max(), 0.1)
        self.assertEqual(self.node_ids(), sorted([*ids, transform.GetID()]))
        # The other way round it is another one, and so is one with a name.
        other = scene.checkerboardNodes(self.moving, self.fixed, 4)
        named = scene.checkerboardNodes(self.fixed, self.moving, 4, name="kept")
        self.assertEqual(len({board, other, named}), 3)

    def test_tiles_beyond_the_moving_image_are_dark(self):
        # Air of a CT is far below zero, which is what lies beyond an image elsewhere.
        ct = np.where(self.arrays[1] > 0, 500, -1000).astype(np.int16)
        volume = slicer.mrmlScene.AddNode(newVolume(ct, MOVING_AFFINE, "CT"))
        volume.SetAndObserveTransformNodeID(self.transform(rigid((0, 0, 0), (40, 0, 0))).GetID())
        values = slicer.util.arrayFromVolume(scene.checkerboardNodes(self.fixed, volume, tiles=4))
        seen = np.isfinite(resample(ct.astype(float), MOVING_AFFINE, FIXED_SHAPE, FIXED_AFFINE,
                                    pointsBetween(self.fixed, volume), outside=np.nan))  # fmt: skip
        odd = (np.indices(FIXED_SHAPE) // -(-max(FIXED_SHAPE) // 4)).sum(axis=0) % 2 == 1
        self.assertGreater(np.count_nonzero(odd & ~seen), 1000)
        self.assertEqual(values[odd & ~seen].max(), 0)

    def test_wrong_input_gets_its_sentence_and_changes_nothing(self):
        constant = slicer.mrmlScene.AddNode(newVolume(np.ones(FIXED_SHAPE), FIXED_AFFINE, "constant"))
        empty = self.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
        far = self.transform(rigid((0, 0, 0), (900, 0, 0)), "far")
        warp = self.scene.AddNewNodeByClass("vtkMRMLBSplineTransformNode", "warp")
        ids = self.node_ids()
        for fixed, moving, start, above, sentence in (
            (self.fixed, self.fixed, "geometry", None, "fixed and moving volume; choose two"),
            (self.fixed, empty, "geometry", None, "volume empty has no voxels"),
            (constant, self.moving, "geometry", None, "bSSFP to constant: The fixed image is 1 everywhere"),
            (self.fixed, self.moving, "current", far, "do not overlap"),
            (self.fixed, self.moving, "current", warp, "bSSFP is under warp, which is not a linear transform"),
        ):
            self.moving.SetAndObserveTransformNodeID(above.GetID() if above else None)
            with self.assertRaisesRegex(InputError, sentence):
                scene.registerNodes(fixed, moving, start=start)
            self.assertIs(self.moving.GetParentTransformNode(), above)
        self.assertEqual(self.node_ids(), ids)

    def test_a_cancelled_registration_changes_nothing(self):
        above = self.transform(np.eye(4))
        self.moving.SetAndObserveTransformNodeID(above.GetID())
        ids = self.node_ids()
        for limit in (0.0, 0.5, 1.0):
            if limit:
                self.without_search()
            with self.assertRaises(Cancelled):
                scene.registerNodes(self.fixed, self.moving, start="moments", progress=cancel_at(limit))
        self.assertIs(self.moving.GetParentTransformNode(), above)
        self.assertEqual(self.node_ids(), ids)

    def test_a_volume_that_is_deleted_meanwhile_leaves_no_result(self):
        self.without_search()
        for work in (partial(scene.registerNodes, start="moments"), scene.checkerboardNodes):
            moving, seen = slicer.mrmlScene.AddNode(newVolume(self.arrays[1], MOVING_AFFINE, "CT")), []

            def delete(_fraction, _message, moving=moving, seen=seen):
                if not seen:
                    slicer.mrmlScene.RemoveNode(moving)
                    seen.append(self.node_ids())

            with self.assertRaisesRegex(InputError, "CT was deleted during the computation"):
                work(self.fixed, moving, progress=delete)
            self.assertEqual([self.node_ids()], seen)


if __name__ == "__main__":
    unittest.main()
