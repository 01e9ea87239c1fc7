import tempfile
import unittest
from pathlib import Path

import numpy as np

from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.files.transforms import read_transform, write_transform
from TrabecularQSMLib.images import matrix_from, resample, transform_from

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


if __name__ == "__main__":
    unittest.main()
