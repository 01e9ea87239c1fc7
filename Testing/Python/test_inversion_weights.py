"""What voxels count, and where edges of an image let χ change."""

import unittest

import numpy as np

from TrabecularQSMLib.inversion.weights import (
    SMOOTHING_MM,
    beyond_interior,
    data_weight,
    edge_weight,
    link_weight,
)
from TrabecularQSMLib.kernels import gradient

VOXEL_SIZE = (1.5, 0.8, 1.1)


class WeightsTest(unittest.TestCase):
    def test_one_hot_voxel_does_not_rescale_the_data_weight(self):
        rng = np.random.default_rng(7)
        magnitude = rng.uniform(50, 100, (20, 20, 20))
        mask = np.ones(magnitude.shape, bool)
        mask[0] = False
        before = data_weight(magnitude, mask)
        magnitude[5, 5, 5] = 1e5
        after = data_weight(magnitude, mask)
        changed = np.abs(after - before)
        changed[5, 5, 5] = 0
        self.assertLess(changed.max(), 1e-3)
        self.assertEqual(after.max(), 1.0)
        self.assertFalse(after[0].any())
        trust = rng.random(mask.shape).astype(np.float32)
        np.testing.assert_allclose(data_weight(magnitude, mask, trust), after * trust)

    def test_forty_percent_of_the_mask_are_edges_where_the_image_changes_most(self):
        rng = np.random.default_rng(8)
        image = rng.standard_normal((16, 18, 20)).cumsum(axis=1)
        mask = np.indices(image.shape)[2] < 12
        weight = edge_weight(image, mask, VOXEL_SIZE, fraction=0.4)
        self.assertEqual(set(np.unique(weight).tolist()), {float(np.float32(0.01)), 1.0})
        self.assertAlmostEqual(np.mean(weight[mask] < 1), 0.4, delta=1e-3)
        steepness = np.sqrt((gradient(image, VOXEL_SIZE) ** 2).sum(axis=0))
        self.assertGreaterEqual(steepness[weight < 1].min(), steepness[weight == 1].max() - 1e-4)
        # Falling edges count as much as rising ones.
        np.testing.assert_array_equal(edge_weight(-image, mask, VOXEL_SIZE, fraction=0.4), weight)

    def test_a_threshold_counts_from_the_largest_gradient_in_the_mask(self):
        image = np.zeros((8, 8, 30))
        image[..., 10:], image[..., 20:] = 100.0, 108.0
        mask = np.ones(image.shape, bool)
        weight = edge_weight(image, mask, (1.0, 1.0, 1.0), threshold=0.1, weight=0.0)
        self.assertTrue(np.all(weight[..., 9] == 0) and np.all(np.delete(weight, 9, axis=2) == 1))
        mask[..., 5:15] = False
        weight = edge_weight(image, mask, (1.0, 1.0, 1.0), threshold=0.1, weight=0.0)
        self.assertTrue(np.all(weight[..., 19] == 0))

    def test_smoothed_edges_follow_the_image_and_not_its_noise(self):
        image = np.random.default_rng(10).normal(0, 1 / 8, (20, 20, 40))
        image[..., 20:] += 0.6
        mask = np.ones(image.shape, bool)
        at_step = [
            np.mean(edge_weight(image, mask, (2.0, 2.0, 2.0), fraction=0.1, smoothing=sd)[..., 17:22] < 1)
            for sd in (0.0, SMOOTHING_MM)
        ]
        self.assertLess(at_step[0], 0.35)
        self.assertGreater(at_step[1], 0.6)


class LinkWeightTest(unittest.TestCase):
    SIZE = (2.0, 1.5, 1.0)

    def weight(self, image, mask=None, **more):
        mask = np.ones(image.shape, bool) if mask is None else mask
        return link_weight(image, mask, self.SIZE, steepness=0.02, **more)

    def ramp(self, axis, slope):
        """An image of 100 at its bright end, which changes along an axis by a share of that in each mm."""
        image = np.full((12, 14, 16), 100.0)
        middle = np.moveaxis(image, axis, 0)[4:8]
        middle -= 100 * slope * self.SIZE[axis] * np.arange(1, 5).reshape(4, 1, 1)
        np.moveaxis(image, axis, 0)[8:] -= 100 * slope * self.SIZE[axis] * 4
        return image

    def test_a_slope_of_the_steepness_halves_the_weight_along_it_and_counts_a_fifth_across(self):
        for axis in range(3):
            weight = self.weight(self.ramp(axis, 0.02))
            within = np.take(weight, 5, axis=axis + 1)
            for link in range(3):
                wanted = 1 / 2 if link == axis else 1 / (1 + 0.2**2)
                np.testing.assert_allclose(within[link], wanted, atol=1e-4, err_msg=f"{axis} {link}")
            np.testing.assert_array_equal(np.take(weight, 1, axis=axis + 1), 1)

    def test_steep_edges_have_the_least_weight_and_falling_ones_that_of_rising_ones(self):
        image = self.ramp(2, 0.2)
        self.assertEqual(self.weight(image, weight=0.05).min(), np.float32(0.05))
        # The bright end of what falls lies on the other side.
        np.testing.assert_allclose(self.weight(image)[2, ..., :-1], self.weight(image[..., ::-1])[2, ..., -2::-1])

    def test_where_the_mask_ends_and_how_bright_the_image_is_do_not_matter(self):
        image = np.zeros((12, 20, 24))
        image[:, 2:] = 80.0  # the body, whose skin is its steepest edge
        image[:, 10:, 8:] = 90.0
        near, far = np.indices(image.shape)[1] > 2, np.indices(image.shape)[1] > 5
        np.testing.assert_array_equal(self.weight(image, near), self.weight(image, far))
        np.testing.assert_allclose(self.weight(1000 * image, far), self.weight(image, far), atol=1e-5)

    def test_a_slope_across_is_the_mean_of_those_of_both_ends_of_the_link(self):
        image = np.full((12, 14, 16), 100.0)
        image[:, 7:] += 0.02 * 100 * self.SIZE[0] * (6 - np.arange(12)).reshape(12, 1, 1)
        bright = np.percentile(image, 99)
        weight = self.weight(image)[1, 6, 5:8, 3]  # in the plane in which the image is even
        squares = np.array([0, 0.5, 1]) * (100 / bright) ** 2
        np.testing.assert_allclose(weight, 1 / (1 + (0.2 * squares) ** 2), atol=1e-4)

    def test_an_image_without_signal_or_mask_and_a_single_slice_have_no_edges(self):
        image = np.zeros((4, 5, 6))
        self.assertTrue(np.all(self.weight(image) == 1))
        self.assertTrue(np.all(self.weight(image + 1, np.zeros(image.shape, bool)) == 1))
        self.assertEqual(self.weight(np.ones((1, 5, 6)), smoothing=SMOOTHING_MM).shape, (3, 1, 5, 6))


class BeyondTest(unittest.TestCase):
    def test_links_that_leave_the_interior_have_one_weight_and_those_within_keep_theirs(self):
        interior = np.zeros((6, 7, 8), bool)
        interior[1:4, 2:5, 3:6] = True
        own = np.random.default_rng(3).uniform(0.1, 1, (3, *interior.shape)).astype(np.float32)
        kept = own.copy()
        weight = beyond_interior(own, interior, 0.03)
        for axis, links in enumerate(weight):
            within = np.zeros(interior.shape, bool)
            # The link of a voxel leads to the next: that of the last plane leaves.
            ends = [4, 5, 6]
            ends[axis] -= 1
            within[tuple(slice(low, high) for low, high in zip((1, 2, 3), ends, strict=True))] = True
            np.testing.assert_array_equal(links[within], own[axis][within])
            np.testing.assert_array_equal(links[~within], np.float32(0.03))
        np.testing.assert_array_equal(own, kept)


if __name__ == "__main__":
    unittest.main()
