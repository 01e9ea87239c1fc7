import unittest

import numpy as np

from TrabecularQSMLib.analysis.placement import on_place

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


if __name__ == "__main__":
    unittest.main()
