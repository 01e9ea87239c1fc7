import tempfile
import unittest
from pathlib import Path

import numpy as np

from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.files.transforms import read_transform, write_transform
from TrabecularQSMLib.images import check_right_angles, is_patched, matrix_from, resample, shear_degrees, transform_from

COSINES = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))[0]
AFFINE = np.eye(4)
AFFINE[:3, :3] = COSINES * (1.5, 0.8, 2.5)
AFFINE[:3, 3] = (-31.0, 12.5, 7.0)
TURN = np.eye(4)
TURN[:3, :3] = np.linalg.qr(np.random.default_rng(6).normal(size=(3, 3)))[0]
TURN[:3, 3] = (3.0, -4.0, 5.0)


class ResampleTest(unittest.TestCase):
    def test_a_ramp_over_the_patient_is_found_again_at_every_transformed_point(self):
        shape, target_shape = (30, 60, 40), (5, 6, 7)
        points = np.stack(np.meshgrid(*(np.arange(n) for n in shape[::-1]), indexing="ij"), -1).transpose(2, 1, 0, 3)
        ras = points @ AFFINE[:3, :3].T + AFFINE[:3, 3]
        ramp = (ras @ (1.0, -2.0, 0.5)).astype(np.float32)
        step = np.eye(4)
        step[:3, 3] = (10.3, 20.6, 9.1)
        target_affine = np.linalg.inv(TURN) @ AFFINE @ step
        found = resample(ramp, AFFINE, target_shape, target_affine, TURN)
        index = np.array([2, 3, 4, 1.0])  # i, j, k
        point = TURN @ target_affine @ index
        self.assertAlmostEqual(float(found[4, 3, 2]), float(point[:3] @ (1.0, -2.0, 0.5)), places=3)

    def test_labels_keep_their_type_and_values(self):
        labels = np.random.default_rng(0).integers(0, 5, (6, 5, 4))
        np.testing.assert_array_equal(resample(labels, AFFINE, labels.shape, AFFINE, interpolation="nearest"), labels)
        inside = labels > 2
        found = resample(inside, AFFINE, labels.shape, AFFINE, interpolation="nearest")
        self.assertEqual(found.dtype, bool)
        np.testing.assert_array_equal(found, inside)


class ShearTest(unittest.TestCase):
    def test_axes_off_right_angles_are_measured_and_refused_where_voxels_tell_sizes(self):
        for degrees in (0.0, 0.05, 0.1, 10.0):
            affine = AFFINE.copy()
            affine[:3, 2] += np.tan(np.radians(degrees)) * 2.5 / 0.8 * AFFINE[:3, 1]
            self.assertAlmostEqual(shear_degrees(affine), degrees, places=6)
            if degrees < 0.06:
                check_right_angles(affine, "x")
            else:
                with self.assertRaisesRegex(InputError, f"axes of x are {degrees:.2g}° off"):
                    check_right_angles(affine, "x")

    def test_a_sheared_image_is_resampled_where_its_axes_put_it(self):
        affine = AFFINE.copy()
        affine[:3, 2] += np.tan(np.radians(10)) * 2.5 / 0.8 * AFFINE[:3, 1]
        k, j, i = np.mgrid[:20, :60, :30]
        ramp = (np.stack([i, j, k], -1) @ affine[:3, :3].T + affine[:3, 3]) @ (1.0, -2.0, 0.5)
        found = resample(ramp.astype(np.float32), affine, (20, 20, 20), AFFINE, outside=np.nan)
        k, j, i = np.mgrid[:20, :20, :20]
        points = np.stack([i, j, k], -1) @ AFFINE[:3, :3].T + AFFINE[:3, 3]
        expected = points @ (1.0, -2.0, 0.5)
        indices = np.linalg.solve(affine[:3, :3], (points - affine[:3, 3])[..., None])[..., 0]
        # At the borders ITK repeats the last voxel.
        inside = np.all((indices > 1e-6) & (indices < np.array([29, 59, 19]) - 1e-6), axis=-1)
        self.assertGreater(inside.mean(), 0.4)
        np.testing.assert_allclose(found[inside], expected[inside], atol=1e-3)


class TransformFileTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "t.tfm"

    def test_a_transform_comes_back_from_its_file_in_ras(self):
        write_transform(self.path, TURN)
        np.testing.assert_allclose(read_transform(self.path), TURN, atol=1e-12)

    def test_itk_moves_lps_points(self):
        point = np.array([1.0, 2.0, 3.0])
        moved = np.array(transform_from(TURN).TransformPoint((point * (-1, -1, 1)).tolist())) * (-1, -1, 1)
        np.testing.assert_allclose(moved, (TURN @ [*point, 1])[:3], atol=1e-12)
        np.testing.assert_allclose(matrix_from(transform_from(TURN)), TURN, atol=1e-12)

    def test_what_is_no_linear_transform_is_refused(self):
        self.assertRaisesRegex(InputError, "does not exist", read_transform, self.path)
        self.path.write_text("not a transform")
        self.assertRaisesRegex(InputError, "cannot be read as a transform", read_transform, self.path)
        write_transform(self.path, np.eye(4))
        text = self.path.read_text().replace("1 0 0 0 1 0 0 0 1", "1 0 0 0 1 0 0 0 0")
        self.assertNotEqual(text, self.path.read_text())
        self.path.write_text(text)
        self.assertRaisesRegex(InputError, "without an inverse", read_transform, self.path)


class KindTest(unittest.TestCase):
    def test_labels_and_masks_are_told_from_images(self):
        labels = np.indices((8, 9, 10)).sum(0) // 7
        image = np.random.default_rng(0).integers(0, 60, labels.shape)
        found = [is_patched(array) for array in (labels, labels > 1, image, image + 0.5, 100 * image)]
        self.assertEqual(found, [True, True, False, False, False])


if __name__ == "__main__":
    unittest.main()
