"""Standard deviation of χ by noise, of voxels and of regions' means."""

import unittest

import numpy as np
from scipy.ndimage import gaussian_filter

from TrabecularQSMLib.inversion.noise import DRAWS, chi_noise

SHAPE = (40, 40, 40)
VOXEL_SIZE = (1.5, 1.5, 1.5)


def draws(blur, count=DRAWS, seed=5):
    rng = np.random.default_rng(seed)
    return [gaussian_filter(rng.standard_normal(SHAPE), blur, mode="wrap") for _ in range(count)]


class NoiseTest(unittest.TestCase):
    known = np.zeros(SHAPE, bool)
    known[4:36, 4:36, 4:36] = True

    def test_independent_voxels_have_their_deviation_and_means_fall_with_their_root(self):
        scale = np.linspace(0.5, 2.0, SHAPE[0])[:, None, None]
        sigma, shared = chi_noise([scale * one for one in draws(0)], self.known, VOXEL_SIZE)
        self.assertEqual(sigma.dtype, np.float32)
        self.assertEqual(np.abs(sigma[~self.known]).max(), 0)
        np.testing.assert_allclose(sigma[4:36, 4:36, 4:36].mean(axis=(1, 2)), scale[4:36, 0, 0], rtol=0.05)
        # 3 draws of balls of up to 4,000 voxels in 32,768: the larger ones are few.
        np.testing.assert_allclose(shared["VarianceRatio"][:6], 1, atol=0.25)
        self.assertEqual(shared["Voxels"][0], 1)
        self.assertTrue(np.all(np.diff(shared["Voxels"]) > 0))

    def test_the_error_of_a_mean_over_neighbors_that_share_noise_is_that_of_repeated_noise(self):
        sigma, shared = chi_noise(draws(1.5), self.known, VOXEL_SIZE)
        region = np.zeros(SHAPE, bool)
        region[14:24, 15:23, 12:24] = True
        ratio = np.interp(np.log(region.sum()), np.log(shared["Voxels"]), np.log(shared["VarianceRatio"]))
        error = np.exp(ratio / 2) * np.linalg.norm(sigma[region]) / region.sum()
        repeated = np.std([one[region].mean() for one in draws(1.5, count=100, seed=6)])
        self.assertGreater(np.exp(ratio), 20)
        # Repeats tell it to 7 %, and three draws of a grid of 30 such regions to 8 %.
        self.assertAlmostEqual(error / repeated, 1, delta=0.25)

    def test_voxels_that_are_not_known_have_no_part(self):
        hole = self.known.copy()
        hole[10:14] = False
        one = draws(1.0)
        wild = [np.where(hole, draw, 1e6) for draw in one]
        for found, wanted in zip(chi_noise(wild, hole, VOXEL_SIZE), chi_noise(one, hole, VOXEL_SIZE), strict=True):
            np.testing.assert_equal(found, wanted)

    def test_what_all_draws_shift_alike_is_no_noise(self):
        one = draws(1.0)
        shifted, (sigma, shared) = (
            chi_noise([draw + 3 for draw in one], self.known, VOXEL_SIZE),
            chi_noise(one, self.known, VOXEL_SIZE),
        )
        np.testing.assert_allclose(shifted[0], sigma, rtol=1e-5)
        np.testing.assert_allclose(shifted[1]["VarianceRatio"], shared["VarianceRatio"], rtol=1e-5)
