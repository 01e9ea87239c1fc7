"""Agreement of a map with its truth: figures that are known by construction."""

import unittest

import numpy as np
from scipy import ndimage

from TrabecularQSMLib.analysis.accuracy import accuracy, hfen, xsim
from TrabecularQSMLib.errors import InputError

SHAPE = (14, 15, 16)


def smooth_truth():
    """A random map of 0.1 ppm that a Laplacian of Gaussian sees, and where it counts."""
    rng = np.random.default_rng(0)
    truth = ndimage.gaussian_filter(rng.standard_normal(SHAPE), 1.0)
    where = np.zeros(SHAPE, bool)
    where[3:-3, 2:-3, 4:-2] = True
    return 0.1 * truth / truth.std(), where


class AccuracyTest(unittest.TestCase):
    def test_the_truth_with_an_offset_is_perfect(self):
        truth, where = smooth_truth()
        found = accuracy((truth + 0.3).astype(np.float32), truth, where)
        for name, wanted in {"r2": 1, "slope": 1, "rmse": 0, "hfen": 0, "xsim": 1, "nonlinearity": 0}.items():
            # float32 of values around 0.3: 3e-8, and K₂² L² is 1e-6.
            self.assertAlmostEqual(getattr(found, name), wanted, places=5, msg=name)
        self.assertAlmostEqual(found.intercept, 0.3, places=6)
        self.assertEqual(found.count, where.sum())

    def test_a_line_with_noise_gives_its_slope_and_its_share_of_variance(self):
        truth, where = smooth_truth()
        noise = np.random.default_rng(1).standard_normal(SHAPE)
        # Independent of the truth by construction, so that the shares are exact.
        x = truth[where] - truth[where].mean()
        n = noise[where] - noise[where].mean()
        n -= x * (n @ x) / (x @ x)
        measured = np.zeros(SHAPE)
        measured[where] = 1.5 * x + n * (1.5 * np.std(x) / np.std(n)) - 2
        found = accuracy(measured, truth, where)
        self.assertAlmostEqual(found.slope, 1.5, places=9)
        self.assertAlmostEqual(found.r2, 0.5, places=9)
        self.assertAlmostEqual(found.rmse, np.std(x) * np.sqrt(0.5**2 + 1.5**2), places=9)

    def test_a_bend_is_told_as_a_share_of_the_rise(self):
        # Uniform truth from −1 to 1: x + a x² has the line x + a/3, and is off it by
        # a·0.9² − a/3 at the 95th percentile.
        where = np.ones((1, 1, 4001), bool)
        truth = np.linspace(-1, 1, 4001).reshape(where.shape)
        found = accuracy(truth + 0.1 * truth**2, truth, where)
        self.assertAlmostEqual(found.nonlinearity, 0.1 * (0.81 - 1 / 3) / 1.8, places=3)

    def test_values_outside_do_not_count(self):
        truth, where = smooth_truth()
        measured = 0.8 * truth
        other = np.where(where, measured, 1e3)
        self.assertEqual(accuracy(measured, truth, where), accuracy(other, np.where(where, truth, -50), where))

    def test_the_high_frequency_error_is_that_of_the_scale(self):
        truth, where = smooth_truth()
        self.assertAlmostEqual(hfen(0.7 * truth, truth, where), 0.3, places=12)
        self.assertAlmostEqual(hfen(np.zeros(SHAPE), truth, where), 1.0, places=12)

    def test_the_similarity_of_constants_is_the_luminance_term_alone(self):
        a, b = 0.02, 0.05
        inner = np.zeros((25, 25, 25), bool)
        inner[12, 12, 12] = True  # the windows reach 5 voxels
        found = xsim(np.full(inner.shape, a), np.full(inner.shape, b), inner)
        self.assertAlmostEqual(found, (2 * a * b + 1e-4) / (a**2 + b**2 + 1e-4), places=9)
        # Structure alone: equal means of zero, variances and their product enter with K₂.
        wave = 0.01 * np.where(np.indices(inner.shape).sum(axis=0) % 2, 1.0, -1.0)
        self.assertAlmostEqual(xsim(-wave, wave, inner), (1e-6 - 2e-4) / (1e-6 + 2e-4), places=3)
        # Of a single voxel of 0.1 ppm, windows of 1.5 voxels hold their middle weight.
        window = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
        weight = (window[5] / window.sum()) ** 3
        mean, square = 0.1 * weight, 0.01 * weight
        wanted = 1e-4 * 1e-6 / ((mean**2 + 1e-4) * (square - mean**2 + 1e-6))
        self.assertAlmostEqual(xsim(0.1 * inner, 0 * wave, inner), wanted, places=9)

    def test_too_few_voxels_and_a_constant_truth_are_refused(self):
        truth, where = smooth_truth()
        for wrong in (np.zeros(SHAPE, bool), np.arange(truth.size).reshape(SHAPE) < 2):
            with self.assertRaisesRegex(InputError, "three or more"):
                accuracy(truth, truth, wrong)
        with self.assertRaisesRegex(InputError, "three or more"):
            accuracy(truth, np.zeros(SHAPE), where)


if __name__ == "__main__":
    unittest.main()
