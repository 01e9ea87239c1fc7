"""What T1 does to the fat fraction, and its way back."""

import unittest

import numpy as np

from TrabecularQSMLib.fieldmap.t1 import t1_of, t1_weighting, without_t1


def bloch(flip_angle, repetition_time, t1):
    """Signal of the steady state, by pulses one after the other with perfect spoiling."""
    along, angle = 1.0, np.radians(flip_angle)
    for _ in range(20_000):
        left = np.exp(-repetition_time / t1)
        signal, along = along * np.sin(angle), 1 - left + left * along * np.cos(angle)
    return signal


class T1Test(unittest.TestCase):
    def test_the_weighting_is_that_of_pulses_one_after_the_other(self):
        for angle, time, field in ((5.0, 0.013, 3.0), (20.0, 0.01, 1.5), (60.0, 0.3, 0.35)):
            water, fat = (bloch(angle, time, t1) for t1 in t1_of(field))
            self.assertAlmostEqual(t1_weighting(angle, time, field), fat / water, places=6)

    def test_t1_is_longer_where_the_field_is_stronger(self):
        np.testing.assert_allclose(np.divide(t1_of(3.0), t1_of(1.5)), 1.21)
        np.testing.assert_allclose(t1_of(3.0), (0.898, 0.382))

    def test_fractions_and_their_deviations_become_those_without(self):
        true = np.linspace(0, 1, 11, dtype=np.float32)
        weighting = 1.7
        seen = weighting * true / (1 - true + weighting * true)
        random = np.random.default_rng(1)
        noisy = seen + 0.003 * random.standard_normal((20_000, 1)).astype(np.float32)
        maps = {"pdff": seen, "sigma_pdff": np.full_like(seen, 0.003), "r2star": seen}
        found = without_t1(maps, weighting)
        self.assertEqual(set(found), {"pdff", "sigma_pdff"})
        np.testing.assert_allclose(found["pdff"], true, atol=1e-6)
        spread = without_t1({"pdff": noisy, "sigma_pdff": noisy}, weighting)["pdff"].std(axis=0)
        np.testing.assert_allclose(found["sigma_pdff"], spread, rtol=0.03)

    def test_no_weighting_changes_nothing(self):
        self.assertEqual(without_t1({"pdff": np.ones(3), "sigma_pdff": np.ones(3)}, 1.0), {})


if __name__ == "__main__":
    unittest.main()
