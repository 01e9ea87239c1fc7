import importlib.util
import sys
import unittest
from unittest import mock

import numpy as np

from TrabecularQSMLib.analysis.morphometry import COLUMNS, morphometry
from TrabecularQSMLib.errors import Cancelled, InputError

CUBE = (0.1, 0.1, 0.1)


def plates(axis=2, thickness=4, period=12, periods=4):
    """Plates across one axis; whole periods, cut in the middle of a plate."""
    places = np.indices((period * periods,) * 3)[axis]
    return (places + thickness // 2) % period < thickness


@unittest.skipUnless(importlib.util.find_spec("itk"), "itk-bonemorphometry is not installed")
class MorphometryTest(unittest.TestCase):
    def measure(self, bone, labels=None, names=None, voxel_size=CUBE, **options):
        labels = np.ones(bone.shape, np.uint8) if labels is None else labels
        return morphometry(bone, labels, names or {1: "talus"}, voxel_size, **options)

    def test_plates_have_their_thickness_and_spacing_in_mm_along_every_axis(self):
        for axis in range(3):
            for edge in (0.1, 0.05):
                (found,) = self.measure(plates(axis), voxel_size=(edge,) * 3)
                self.assertAlmostEqual(found.bvtv, 1 / 3, places=12)
                # By 3/2 more than 4 and 8 voxels, as the docstring says of plates across one axis.
                self.assertAlmostEqual(found.thickness, 1.5 * 4 * edge, places=6)
                self.assertAlmostEqual(found.spacing, 1.5 * 8 * edge, places=6)
        self.assertEqual(tuple(found.row("sub-01")), COLUMNS)

    def test_a_structure_without_direction_has_the_thickness_of_its_surface(self):
        # Balls of radius 10: for the plate model, thickness is 2 volume / surface = 2 r / 3.
        size, places = 48, np.indices((48,) * 3)
        bone = ((places - (size - 1) / 2) ** 2).sum(axis=0) < 10**2
        (found,) = self.measure(bone)
        self.assertAlmostEqual(found.thickness, 0.1 * 2 * 10 / 3, delta=0.01)
        self.assertAlmostEqual(found.spacing / found.thickness, (1 - found.bvtv) / found.bvtv)

    def test_the_edge_of_a_region_or_of_the_image_is_no_surface_of_bone(self):
        bone = plates()
        labels = np.zeros(bone.shape, np.uint8)
        labels[3:20, 5:40, 12:36] = 1  # two periods
        labels[30:, 30:, :24] = 2  # up to three faces of the image
        first, second = self.measure(bone, labels, {1: "a", 2: "b"})
        for found in (first, second):
            self.assertAlmostEqual(found.thickness, 0.6, places=6)
        self.assertEqual((first.region, first.n, second.n), ("a", 17 * 35 * 24, 18 * 18 * 24))

    def test_progress_can_cancel(self):
        def cancel(fraction, message):
            raise Cancelled

        with self.assertRaises(Cancelled):
            self.measure(plates(), progress=cancel)

    def test_wrong_input_gets_its_sentence(self):
        bone = plates()
        labels = np.ones(bone.shape, np.uint8)
        for words, arguments in {
            "0.1 × 0.1 × 0.3 mm; expected cubes": (bone, labels, {1: "a"}, (0.3, 0.1, 0.1)),
            "shape": (bone, labels[1:], {1: "a"}, CUBE),
            "holds no region": (bone, labels, {}, CUBE),
            "'a' .label 4. has no voxel": (bone, labels, {4: "a"}, CUBE),
            "no bone in the region 'a'": (0 * bone, labels, {1: "a"}, CUBE),
            "nothing but bone in the region 'a'": (bone | True, labels, {1: "a"}, CUBE),
        }.items():
            with self.subTest(words), self.assertRaisesRegex(InputError, words):
                morphometry(*arguments)


class MissingTest(unittest.TestCase):
    def test_without_itk_it_says_what_to_install(self):
        with mock.patch.dict(sys.modules, {"itk": None}):
            with self.assertRaisesRegex(InputError, "pip install itk-bonemorphometry"):
                morphometry(np.ones((2, 2, 2)), np.ones((2, 2, 2), int), {1: "a"}, CUBE)


if __name__ == "__main__":
    unittest.main()
