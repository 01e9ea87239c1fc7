import math
import unittest

import numpy as np
from scipy import special

from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.simulation.geometry import draw_geometry, expected_bvtv
from TrabecularQSMLib.simulation.image import check_repeats
from TrabecularQSMLib.simulation.model import measure_image
from TrabecularQSMLib.simulation.orientation import directions_at, fabric, watson_directions
from TrabecularQSMLib.simulation.settings import SimulationSettings


def within(vector, other):
    """Angle between two directions in degrees, whichever way they point."""
    return math.degrees(math.acos(min(1.0, abs(float(np.dot(vector, other))))))


class WatsonTest(unittest.TestCase):
    def test_directions_scatter_about_the_axis_as_the_distribution_says(self):
        axis = np.array([0.0, 0.6, 0.8])
        for concentration in (-1000.0, -3.0, 0.0, 2.0, 50.0, 700.0):
            found = watson_directions(axis, concentration, 40_000, np.random.default_rng(1))
            np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1)
            cosine = (found @ axis) ** 2
            expected = special.hyp1f1(1.5, 2.5, concentration) / special.hyp1f1(0.5, 1.5, concentration) / 3
            self.assertLess(abs(cosine.mean() - expected), 4 * cosine.std() / 200, concentration)
            # Nothing prefers a side of the axis.
            beside = found - (found @ axis)[:, None] * axis
            self.assertLess(np.abs(beside.mean(axis=0)).max(), 4 * beside.std() / 200)


class ThroughTest(unittest.TestCase):
    def test_bodies_hold_the_voxels_within_their_radius_at_any_angle(self):
        place = np.indices((24,) * 3)
        for shape in ("cylinders", "plates"):
            for orientation in ((1, 0, 0), (0, 1, 0), (1, 1, 0), (3, -2, 1), (1, 1, 1), (-0.02, 0.01, 1)):
                settings = SimulationSettings(size=24, shape=shape, orientation=orientation)
                found = draw_geometry(settings, 1, 3, 0)
                random = np.random.default_rng(np.random.SeedSequence([0, 1, 3, 0]))
                offset = place - random.integers(0, 24, (1, 3))[0][:, None, None, None]
                along = np.einsum("akji,a->kji", offset, settings.orientation)
                squared = along**2 if shape == "plates" else (offset**2).sum(axis=0) - along**2
                np.testing.assert_array_equal(found, squared <= 9 + 1e-9)

    def test_each_body_has_a_direction_of_its_own_and_the_same_seed_the_same_ones(self):
        settings = SimulationSettings(size=48, shape="cylinders", concentration=0.0)
        first = draw_geometry(settings, 12, 3, 0)
        np.testing.assert_array_equal(first, draw_geometry(settings, 12, 3, 0))
        self.assertGreater(fabric(first).shares[0], 0.2)
        aligned = draw_geometry(SimulationSettings(size=48, shape="cylinders"), 12, 3, 0)
        self.assertLess(fabric(aligned).shares[0], 1e-6)
        self.assertIsNone(expected_bvtv(settings, 12, 3))
        self.assertIsNotNone(expected_bvtv(SimulationSettings(size=48, concentration=0.0), 12, 3))  # of spheres
        with self.assertRaisesRegex(InputError, "concentration is 2000; give a number from -1000"):
            SimulationSettings(concentration=2000)

    def test_cylinders_and_plates_along_an_axis_come_in_again_where_they_leave(self):
        for shape in ("cylinders", "plates"):
            for axis in np.eye(3):
                settings = SimulationSettings(size=24, shape=shape, orientation=axis, boundary="filled")
                mask = draw_geometry(settings, 3, 4, 2)
                check_repeats(mask)
                for shifted in (np.roll(mask, 12, other) for other in range(3)):
                    check_repeats(shifted)


class FabricTest(unittest.TestCase):
    def test_parallel_cylinders_have_two_equal_shares_and_their_axis_for_main_direction(self):
        for orientation in ((1, 0, 0), (3, 2, 1)):
            settings = SimulationSettings(size=64, shape="cylinders", orientation=orientation)
            found = fabric(draw_geometry(settings, 12, 4, 0))
            self.assertLess(within(found.directions[0], settings.orientation), 1.0)
            self.assertLess(found.shares[0], 0.01)
            self.assertAlmostEqual(found.shares[2], 0.5, delta=0.08)
            self.assertGreater(found.anisotropy, 0.95)

    def test_parallel_plates_have_one_share_along_their_normal(self):
        settings = SimulationSettings(size=64, shape="plates", orientation=(1, -2, 2))
        found = fabric(draw_geometry(settings, 2, 3, 0))
        self.assertGreater(found.shares[2], 0.98)
        self.assertLess(within(found.directions[2], settings.orientation), 1.0)

    def test_spheres_look_alike_from_everywhere(self):
        found = fabric(draw_geometry(SimulationSettings(size=64), 30, 6, 0))
        np.testing.assert_allclose(found.shares, 1 / 3, atol=0.03)
        self.assertLess(found.anisotropy, 0.15)

    def test_r2prime_of_cylinders_grows_with_the_squared_sine_of_the_angle_of_b0(self):
        settings = SimulationSettings(size=48, shape="cylinders", orientation=(0, 1, 0), boundary="filled")
        mask = draw_geometry(settings, 6, 4, 0)
        angles = (90.0, 0.0, math.degrees(math.acos(3**-0.5)))
        used, rows = measure_image(mask, np.eye(4), [1.0], b0_angles=angles, boundary="filled")
        across, along, magic = (row["r2prime_per_s"] for row in rows)
        self.assertEqual(tuple(row["b0_angle"] for row in rows), angles)
        self.assertAlmostEqual(used.b0_direction[1], 0, places=5)
        self.assertIsNone(along)  # one field everywhere
        self.assertAlmostEqual(magic / across, 2 / 3, delta=0.01)

    def test_directions_turn_from_the_main_one(self):
        found = directions_at(np.array([0, 0, 1.0]), np.array([0, 1.0, 0]), (0, 30, 90))
        np.testing.assert_allclose(found, [[0, 0, 1], [0, 0.5, math.sqrt(0.75)], [0, 1, 0]], atol=1e-12)


if __name__ == "__main__":
    unittest.main()
