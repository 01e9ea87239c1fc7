import unittest

import numpy as np

from TrabecularQSMLib.analysis.profile import line_profile
from TrabecularQSMLib.errors import InputError

# Oblique and anisotropic: axes that are mixed up show.
AFFINE = np.eye(4)
AFFINE[:3, :3] = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))[0] * (1.5, 0.8, 2.5)
AFFINE[:3, 3] = (-31.0, 12.5, 7.0)
SHAPE = (8, 12, 10)
SLOPE = np.array([1.0, -2.0, 0.5])


def place(i, j, k):
    return (AFFINE @ (i, j, k, 1))[:3]


def ramp():
    """An image whose value at each place is the place times SLOPE."""
    k, j, i = np.indices(SHAPE)
    return (np.stack([i, j, k], axis=-1) @ AFFINE[:3, :3].T + AFFINE[:3, 3]) @ SLOPE


class ProfileTest(unittest.TestCase):
    def test_a_ramp_over_the_patient_is_read_along_every_leg_of_the_line(self):
        corners = np.array([place(1, 1, 1), place(8, 2, 6), place(2, 9.5, 3)])
        distance, values = line_profile(ramp(), AFFINE, corners, step=0.5)
        legs = np.linalg.norm(np.diff(corners, axis=0), axis=1)
        self.assertAlmostEqual(distance[-1], legs.sum())
        self.assertLessEqual(np.diff(distance).max(), 0.5 + 1e-9)
        for at, value in zip(distance, values, strict=True):
            leg = int(at > legs[0])
            where = corners[leg] + (corners[leg + 1] - corners[leg]) * (at - leg * legs[0]) / legs[leg]
            self.assertAlmostEqual(value, where @ SLOPE, places=6)

    def test_samples_are_half_a_voxel_apart_unless_told(self):
        distance, _ = line_profile(ramp(), AFFINE, [place(0, 0, 0), place(0, 10, 0)])
        np.testing.assert_allclose(distance, np.linspace(0, 8, 21))

    def test_outside_of_the_image_there_is_no_value(self):
        distance, values = line_profile(ramp(), AFFINE, [place(4, 4, -3), place(4, 4, 5)], step=0.25)
        # Voxels reach half of their edge of 2.5 mm beyond their middle.
        np.testing.assert_array_equal(np.isnan(values), distance < 2.5 * 2.5 - 1e-6)
        self.assertAlmostEqual(values[-1], place(4, 4, 5) @ SLOPE)
        distance, values = line_profile(ramp(), AFFINE, [place(4, 4, 5), place(4, 4, 9)], step=0.25)
        np.testing.assert_array_equal(np.isnan(values), distance > 2.5 * 2.5 + 1e-6)

    def test_the_nearest_voxels_value_can_be_asked_for(self):
        image = np.arange(np.prod(SHAPE)).reshape(SHAPE).astype(np.int16)
        _, values = line_profile(image, AFFINE, [place(1.2, 2.9, 3.3), place(1.4, 3.2, 3.1)], order=0)
        np.testing.assert_array_equal(values, image[3, 3, 1])

    def test_wrong_input_gets_its_sentence(self):
        start = place(1, 1, 1)
        for words, points, step in (
            ("has 1 point and no length", [start], None),
            ("has 2 points and no length", [start, start], None),
            ("has 0 points", np.zeros((0, 3)), None),
            ("step along the line is 0", [start, place(2, 2, 2)], 0),
            ("whole line is outside", [place(-5, 1, 1), place(-9, 1, 1)], None),
            ("has no position", [start, [np.nan, 0, 0]], None),
        ):
            with self.subTest(words), self.assertRaisesRegex(InputError, words):
                line_profile(ramp(), AFFINE, points, step=step)


if __name__ == "__main__":
    unittest.main()
