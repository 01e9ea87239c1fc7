import itertools
import unittest

import numpy as np
from scipy import ndimage

from TrabecularQSMLib.analysis.subregions import split_region
from TrabecularQSMLib.errors import InputError

VOXEL_SIZE = (3.0, 1.0, 0.8)


def heel(scale=1.0):
    """An ellipsoid of 20 × 34 × 24 mm half axes times `scale`, on an anisotropic grid, bitten at one side."""
    half = np.array([20.0, 34.0, 24.0]) * scale
    shape = np.ceil(2 * half / VOXEL_SIZE).astype(int) + 2
    index = np.stack(np.indices(shape), axis=-1) - (shape - 1) / 2
    place = index * VOXEL_SIZE
    return (((place / half) ** 2).sum(axis=-1) < 1) & (np.linalg.norm(place - (0, 0, half[2]), axis=-1) > half[2] / 2)


class SplitTest(unittest.TestCase):
    def test_parts_fill_the_region_with_sizes_equal_to_one_voxel(self):
        inside = heel(0.4)
        before = inside.copy()
        for count in (1, 2, 3, 7, 10):
            labels = split_region(inside, count, VOXEL_SIZE)
            np.testing.assert_array_equal(labels > 0, before)
            sizes = np.bincount(labels[inside], minlength=count + 1)[1:]
            self.assertEqual(sizes.size, count)
            self.assertLessEqual(np.ptp(sizes), 1)
        np.testing.assert_array_equal(inside, before)

    def test_ten_parts_are_nearly_as_compact_as_balls_and_in_one_piece(self):
        inside = heel()
        labels = split_region(inside, 10, VOXEL_SIZE)
        volume = np.count_nonzero(inside) * np.prod(VOXEL_SIZE) / 10
        of_ball = 0.75 * (3 * volume / 4 / np.pi) ** (1 / 3)
        for number in range(1, 11):
            points = np.argwhere(labels == number) * VOXEL_SIZE
            distance = np.linalg.norm(points - points.mean(axis=0), axis=1).mean()
            self.assertLess(distance, 1.15 * of_ball)
            self.assertEqual(ndimage.label(labels == number, np.ones((3, 3, 3)))[1], 1)

    def test_parts_are_numbered_in_the_order_of_their_centers(self):
        labels = split_region(heel(0.5), 7, VOXEL_SIZE)
        centers = [np.argwhere(labels == number)[:, 0].mean() for number in range(1, 8)]
        self.assertEqual(centers, sorted(centers))

    def test_size_of_voxels_counts(self):
        labels = split_region(np.ones((4, 6, 6), bool), 2, (10.0, 1.0, 1.0))
        self.assertTrue(np.all(labels[:2] == 1) and np.all(labels[2:] == 2))
        labels = split_region(np.ones((4, 6, 8), bool), 2, (1.0, 1.0, 1.0))
        self.assertTrue(np.all(labels[..., :4] == 1) and np.all(labels[..., 4:] == 2))

    def test_no_pair_of_parts_would_gain_by_exchanging_voxels(self):
        inside = heel(0.5)
        labels = split_region(inside, 8, VOXEL_SIZE)
        points = [np.argwhere(labels == number) * VOXEL_SIZE for number in range(1, 9)]
        for one, other in itertools.combinations(points, 2):
            between = other.mean(axis=0) - one.mean(axis=0)
            both = np.sort(np.concatenate([one, other]) @ between)
            best = both[len(one) :].sum() - both[: len(one)].sum()
            now = (other @ between).sum() - (one @ between).sum()
            self.assertGreater(now, best - 1e-3 * len(one) * (between @ between))

    def test_the_same_region_gives_the_same_parts(self):
        inside = heel(0.5)
        np.testing.assert_array_equal(split_region(inside, 10, VOXEL_SIZE), split_region(inside, 10, VOXEL_SIZE))

    def test_as_many_parts_as_voxels_and_scattered_voxels_are_no_bug(self):
        labels = split_region(np.ones((2, 2, 3), bool), 12, (1, 1, 1))
        self.assertEqual(sorted(labels.ravel()), list(range(1, 13)))
        scattered = np.random.default_rng(0).random((9, 9, 9)) < 0.1
        sizes = np.bincount(split_region(scattered, 7, (1, 1, 1))[scattered])[1:]
        self.assertLessEqual(np.ptp(sizes), 1)

    def test_what_cannot_be_split_is_refused(self):
        self.assertRaisesRegex(InputError, "into 0 parts", split_region, heel(0.3), 0, VOXEL_SIZE)
        self.assertRaisesRegex(
            InputError, "has 8 voxels, fewer than the 9", split_region, np.ones((2, 2, 2)), 9, (1, 1, 1)
        )


if __name__ == "__main__":
    unittest.main()
