import unittest

import numpy as np
from scipy import ndimage

from TrabecularQSMLib.analysis.placement import on_edges, on_mask_orientation, on_place

VOXEL = (2.0, 1.0, 2.0)
NAMES = {1: "talus", 2: "calcaneus"}


def limb():
    """A CT of two bones with cortex in muscle, 40 × 80 × 40 voxels, and regions inside of the bones."""
    rng = np.random.default_rng(0)
    place = np.stack(np.indices((40, 80, 40)), -1) * VOXEL
    image, labels = rng.normal(50, 20, place.shape[:3]), np.zeros(place.shape[:3], int)
    for label, center in ((1, (40, 25, 40)), (2, (40, 55, 40))):
        depth = 14 - np.linalg.norm(place - center, axis=-1)
        image[depth > 0] += 1000
        image[depth > 2] -= 750
        labels[depth > 4] = label
    return image, labels


def two_bones():
    """Fat fraction of two bones in muscle, and the regions that they are."""
    k, j, i = np.indices((40, 40, 40))
    bones = [(k - 12) ** 2 + (j - 10) ** 2 + (i - 24) ** 2 < 70, (k - 26) ** 2 / 2 + (j - 30) ** 2 + (i - 16) ** 2 < 60]
    labels = np.select(bones, [1, 2])
    noise = np.random.default_rng(0).normal(0, 0.05, labels.shape)
    return (np.where(labels > 0, 0.9, 0.05) + noise).astype(np.float32), labels


class PlacementTest(unittest.TestCase):
    def test_regions_where_they_were_drawn_are_not_told(self):
        image, labels = limb()
        self.assertEqual(on_place(image, labels, NAMES, VOXEL), [])

    def test_regions_that_reach_into_cortex_and_muscle_are_told_with_how_far_they_may_be_off(self):
        image, labels = limb()
        for shift in ((0, 6, 0), (0, -9, 0), (3, 0, 4)):
            distance = np.linalg.norm(np.multiply(shift, VOXEL))
            (note,) = on_place(image, np.roll(labels, shift, (0, 1, 2)), NAMES, VOXEL)
            told = float(note.split("moved by ")[1].split(" mm")[0])
            self.assertLess(abs(told - distance), 4, note)

    def test_one_tissue_alone_tells_nothing(self):
        image = np.random.default_rng(1).normal(50, 20, (40, 80, 40))
        _, labels = limb()
        self.assertEqual(on_place(image, labels, NAMES, VOXEL), [])
        self.assertEqual(on_place(np.where(labels == 1, image, np.nan), labels, NAMES, VOXEL), [])
        self.assertEqual(on_place(image, np.zeros_like(labels), NAMES, VOXEL), [])


class OrientationTest(unittest.TestCase):
    def setUp(self):
        self.image, self.labels = two_bones()

    def test_regions_that_were_flipped_or_transposed_are_told_with_the_way_back_also_in_one_tissue(self):
        for words, turned in {
            "turned round along j:": np.flip(self.labels, 1),
            "turned round along k and turned round along i:": np.flip(self.labels, (0, 2)),
            "axes k, j, i in the order k, i, j:": self.labels.transpose(0, 2, 1),
        }.items():
            (note,) = on_edges(self.image, turned)
            self.assertIn(words, note)

    def test_regions_that_lie_beside_their_bones_are_told_by_how_far(self):
        for shift, told in (((0, 0, 0), False), ((0, 0, 6), True), ((0, 0, -7), True), ((-2, 1, 5), True)):
            notes = on_edges(self.image, np.roll(self.labels, shift, (0, 1, 2)), (2.0, 1.5, 1.5))
            self.assertEqual(len(notes), told, shift)
            if told:
                distance = np.linalg.norm(np.multiply(shift, (2.0, 1.5, 1.5)))
                self.assertLess(abs(float(notes[0].split("moved by ")[1].split(" mm")[0]) - distance), 1.5, notes[0])

    def test_regions_in_place_and_drawn_within_one_tissue_are_not_told(self):
        within = ndimage.binary_erosion(self.labels > 0, iterations=2)
        elsewhere = np.zeros_like(self.labels)
        elsewhere[4:12, 20:34, 24:38] = 1
        for labels in (self.labels, within, elsewhere, 0 * self.labels):
            self.assertEqual(on_edges(self.image, labels), [])
            self.assertEqual(on_edges(self.image, labels, (2.0, 1.5, 1.5)), [])
        self.assertEqual(on_edges(np.full(self.image.shape, np.nan), self.labels), [])

    def test_a_mask_of_the_body_that_was_turned_is_told(self):
        body = np.zeros((20, 30, 30), bool)
        body[:, 4:20, 8:26] = True
        self.assertEqual(on_mask_orientation(body, body), [])
        self.assertEqual(on_mask_orientation(body & (np.indices(body.shape)[2] < 14), body), [])
        self.assertIn("in the order k, i, j", on_mask_orientation(body.transpose(0, 2, 1), body)[0])
        self.assertIn("turned round along j", on_mask_orientation(np.flip(body, 1), body)[0])
        axes = ("inferior–superior", "posterior–anterior", "left–right")
        self.assertIn("turned round along posterior", on_mask_orientation(np.flip(body, 1), body, axes)[0])
        self.assertEqual(on_mask_orientation(body & False, body & False), [])


if __name__ == "__main__":
    unittest.main()
