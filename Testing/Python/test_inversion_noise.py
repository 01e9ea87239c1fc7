"""Standard deviation of χ by noise, of voxels and of regions' means."""

import unittest

import numpy as np
from scipy.ndimage import gaussian_filter

from TrabecularQSMLib.analysis.measure import measure
from TrabecularQSMLib.inversion.noise import DRAWS, chi_noise

SHAPE = (40, 40, 40)
VOXEL_SIZE = (1.5, 1.5, 1.5)


def draws(blur, count=DRAWS, seed=5):
    rng = np.random.default_rng(seed)
    return [gaussian_filter(rng.standard_normal(SHAPE), blur, mode="wrap") for _ in range(count)]


def _error(sigma, shared, region, noise=()):
    """Standard error of the mean over a region."""
    maps = {"chi": sigma, "sigma_chi": sigma, **{f"noise_chi_{n}": one for n, one in enumerate(noise, 1)}}
    return measure(maps, region.astype(int), {1: "region"}, case="x", chi_noise=shared)[0]["se"]


class NoiseTest(unittest.TestCase):
    known = np.zeros(SHAPE, bool)
    known[4:36, 4:36, 4:36] = True

    def test_independent_voxels_have_their_deviation_and_means_fall_with_their_root(self):
        scale = np.linspace(0.5, 2.0, SHAPE[0])[:, None, None]
        sigma, _, shared = chi_noise([scale * one for one in draws(0)], self.known, VOXEL_SIZE)
        self.assertEqual(sigma.dtype, np.float32)
        self.assertEqual(np.abs(sigma[~self.known]).max(), 0)
        # At the faces of what is known, neighbors lie on one side only.
        np.testing.assert_allclose(sigma[7:33, 4:36, 4:36].mean(axis=(1, 2)), scale[7:33, 0, 0], rtol=0.05)
        # 3 draws of balls of up to 4,000 voxels in 32,768: the larger ones are few.
        np.testing.assert_allclose(shared["VarianceRatio"][:6], 1, atol=0.25)
        self.assertEqual(shared["Voxels"][0], 1)
        self.assertTrue(np.all(np.diff(shared["Voxels"]) > 0))

    def test_the_error_of_a_mean_over_neighbors_that_share_noise_is_that_of_repeated_noise(self):
        sigma, _, shared = chi_noise(draws(1.5), self.known, VOXEL_SIZE)
        region = np.zeros(SHAPE, bool)
        region[14:24, 15:23, 12:24] = True
        error = _error(sigma, shared, region)
        repeated = np.std([one[region].mean() for one in draws(1.5, count=100, seed=6)])
        self.assertGreater(error / (np.linalg.norm(sigma[region]) / region.sum()), 4)
        # Repeats tell it to 7 %, and three draws of a grid of 30 such regions to 8 %.
        self.assertAlmostEqual(error / repeated, 1, delta=0.25)

    def test_z_of_regions_of_any_shape_is_right_where_loud_noise_lies_beside_noise_that_neighbors_share(self):
        # White noise through a kernel G that is known: the true error of a mean w is that of its part, ‖G w‖. By ratios
        # of sums, those of the loud half alone, z is 3.5.
        half = SHAPE[0] // 2

        def quiet(array):
            return 0.2 * gaussian_filter(array, 1.5, mode="wrap")

        noise = [np.concatenate([one[:half], quiet(one)[half:]]) for one in draws(0)]
        sigma, _, shared = chi_noise(noise, self.known, VOXEL_SIZE)
        z_squared = []
        for start, true_noise in ((7, np.copy), (29, quiet)):
            slab, bent, pieces = (np.zeros(SHAPE, bool) for _ in range(3))
            slab[start : start + 2, 8:30, 8:26] = True
            bent[start : start + 3, 8:32, 8:11] = bent[start : start + 3, 8:11, 8:32] = True
            pieces[start : start + 4, 6:34:9, 6:34:9] = pieces[start : start + 4, 7:34:9, 6:34:9] = True
            for region in (slab, bent, pieces):
                true = np.linalg.norm(true_noise(region / region.sum()))
                z_squared.append((true / _error(sigma, shared, region)) ** 2)
        self.assertAlmostEqual(np.sqrt(np.mean(z_squared)), 1, delta=0.3)

    def test_where_there_is_no_noise_rounding_tells_nothing(self):
        loud, apart = np.zeros((2, *SHAPE), bool)
        loud[22:36] = True
        apart[12:22] = True  # wider than what is pooled
        noise, known = [one * loud for one in draws(1.5)], self.known & ~apart
        ratios = [chi_noise(noise, where, VOXEL_SIZE)[2]["VarianceRatio"] for where in (known, known & loud)]
        np.testing.assert_allclose(*ratios, rtol=1e-6)

    def test_draws_of_the_noise_are_independent_and_have_its_variance(self):
        given = draws(0)
        sigma, noise, _ = chi_noise([7 + one for one in given], self.known, VOXEL_SIZE)
        self.assertEqual(len(noise), DRAWS - 1)
        inside = np.array([one[self.known] for one in noise])
        np.testing.assert_allclose(np.cov(inside), np.eye(2), atol=0.03)
        self.assertLess(np.abs(inside.mean(axis=1)).max(), 0.02)
        self.assertEqual(max(np.abs(one[~self.known]).max() for one in noise), 0)
        variance = np.mean([np.square(one) for one in noise], axis=0)
        spread = np.var(given, axis=0, ddof=1)
        np.testing.assert_allclose(variance[self.known], spread[self.known], rtol=1e-4)

    def test_a_region_along_which_noise_is_shared_has_a_larger_error_than_a_ball(self):
        # Noise along the last axis: the mean of a rod has twice the error of that of a ball of as many voxels.
        along = [gaussian_filter(one, (0, 0, 4), mode="wrap") for one in draws(0)]
        sigma, noise, shared = chi_noise(along, self.known, VOXEL_SIZE)
        true = np.std([one[:, :, 12:28].mean(axis=-1) for one in along])
        z_squared = {True: [], False: []}
        for k, j in np.ndindex(8, 8):
            rod = np.zeros(SHAPE, bool)
            rod[4 + 4 * k, 4 + 4 * j, 12:28] = True
            for with_draws, found in z_squared.items():
                found.append((true / _error(sigma, shared, rod, noise if with_draws else ())) ** 2)
        without, with_draws = (np.sqrt(np.mean(z_squared[one])) for one in (False, True))
        self.assertGreater(without, 1.8)
        self.assertLess(with_draws - 1, 0.75 * (without - 1))

    def test_voxels_that_are_not_known_have_no_part(self):
        hole = self.known.copy()
        hole[10:14] = False
        one = draws(1.0)
        wild = [np.where(hole, draw, 1e6) for draw in one]
        for found, wanted in zip(chi_noise(wild, hole, VOXEL_SIZE), chi_noise(one, hole, VOXEL_SIZE), strict=True):
            np.testing.assert_equal(found, wanted)

    def test_a_thin_or_empty_mask_tells_of_small_balls_alone(self):
        draws = np.random.default_rng(0).standard_normal((3, 8, 8, 8), dtype=np.float32)
        for planes, radii in ((slice(2, 3), 2), (slice(0, 0), 0)):
            known = np.zeros(draws[0].shape, bool)
            known[planes] = True
            self.assertEqual(len(chi_noise(list(draws), known, (2, 2, 2))[2]["Voxels"]), radii)

    def test_what_all_draws_shift_alike_is_no_noise(self):
        one = draws(1.0)
        shifted, (sigma, _, shared) = (
            chi_noise([draw + 3 for draw in one], self.known, VOXEL_SIZE),
            chi_noise(one, self.known, VOXEL_SIZE),
        )
        np.testing.assert_allclose(shifted[0], sigma, rtol=1e-5)
        np.testing.assert_allclose(shifted[2]["VarianceRatio"], shared["VarianceRatio"], rtol=1e-5)
