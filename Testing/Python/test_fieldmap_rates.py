"""R2* of water and of fat, each its own."""

import unittest

import numpy as np

from TrabecularQSMLib.fieldmap.fat_models import FAT_MODELS
from TrabecularQSMLib.fieldmap.groups import EchoGroups
from TrabecularQSMLib.fieldmap.two_rates import LARGEST_SIGMA, two_rates

ECHO_TIMES = 1.2e-3 + 0.7e-3 * np.arange(9)
FREQUENCY = 127.74e6
MARROW = FAT_MODELS["ren-marrow"]
SHAPE = (10, 20, 30)


def scan(pdff, water_rate, fat_rate, *, field=40.0, snr=np.inf, seed=0, echo_times=ECHO_TIMES):
    """Echoes (E, K, J, I) of water and fat that decay with rates of their own."""
    time = echo_times[:, None, None, None]
    fat = MARROW.signal(echo_times, FREQUENCY)[:, None, None, None]
    signal = (1 - pdff) * np.exp(-water_rate * time) + pdff * fat * np.exp(-fat_rate * time)
    signal = signal * np.exp(2j * np.pi * field * time) * np.ones(SHAPE)
    noise = np.random.default_rng(seed).standard_normal((*signal.shape, 2)) @ [1, 1j]
    return signal + (noise / snr if np.isfinite(snr) else 0)


def fit(echoes, **options):
    values = {"echo_times": ECHO_TIMES, "imaging_frequency": FREQUENCY, "fat_model": MARROW, **options}
    start = np.full(SHAPE, 37.0), np.full(SHAPE, 60.0)
    return two_rates(echoes, np.ones(SHAPE, bool), *start, **values)


class TwoRatesTest(unittest.TestCase):
    def test_both_rates_of_a_signal_without_noise_are_found(self):
        pdff = np.linspace(0.15, 0.85, 30)
        found = fit(scan(pdff, 45.0, 130.0))
        np.testing.assert_allclose(found.r2star_water, 45.0, atol=0.05)
        np.testing.assert_allclose(found.r2star_fat, 130.0, atol=0.05)

    def test_equal_rates_come_out_equal(self):
        found = fit(scan(0.4, 80.0, 80.0))
        np.testing.assert_allclose(found.r2star_water, 80.0, atol=0.05)
        np.testing.assert_allclose(found.r2star_fat, 80.0, atol=0.05)

    def test_standard_deviations_are_those_of_repeated_noise(self):
        found = fit(scan(0.4, 45.0, 90.0, snr=100.0), noise=0.01)
        for rate, sigma, truth in (
            (found.r2star_water, found.sigma_water, 45.0), (found.r2star_fat, found.sigma_fat, 90.0)
        ):  # fmt: skip
            self.assertGreater((rate != 0).mean(), 0.999)
            scores = (rate - truth) / sigma
            # 6,000 voxels: the SD of an SD is 1 %, and the fit is a little off a straight line.
            self.assertTrue(0.95 < scores.std() < 1.05, scores.std())
            self.assertLess(abs(scores.mean()), 0.1)

    def test_the_noise_is_found_from_the_residuals_where_none_is_given(self):
        told, found = (fit(scan(0.4, 45.0, 90.0, snr=100.0), noise=noise) for noise in (0.01, 0.0))
        ratio = np.median(found.sigma_water) / np.median(told.sigma_water)
        self.assertTrue(0.97 < ratio < 1.03, ratio)

    def test_the_rate_of_what_is_hardly_there_is_not_told(self):
        found = fit(scan(0.04, 45.0, 90.0, snr=400.0))
        self.assertFalse(found.r2star_fat.any() or found.sigma_fat.any())
        self.assertLess(abs(np.median(found.r2star_water) - 45.0), 1.0)
        noisy = fit(scan(0.4, 45.0, 90.0, snr=4.0), noise=0.25)
        self.assertLess((noisy.r2star_water != 0).mean(), 0.2)
        self.assertLess(noisy.sigma_water.max(), LARGEST_SIGMA)

    def test_a_phase_that_falls_and_the_phases_of_echo_groups_are_taken_off(self):
        echoes = scan(0.4, 45.0, 90.0)
        groups = EchoGroups(np.arange(9) % 2, np.array([0, 0.5]), np.zeros((2, 3)), np.array([0, 0.1]))
        turned = echoes * np.exp(groups.magnitude + 1j * groups.offset)[groups.group][:, None, None, None]
        found = fit(turned, groups=groups)
        np.testing.assert_allclose(found.r2star_fat, 90.0, atol=0.1)
        found = fit(echoes.conj(), sign=-1)
        np.testing.assert_allclose(found.r2star_fat, 90.0, atol=0.1)

    def test_four_echoes_are_enough_without_noise(self):
        times = ECHO_TIMES[:8:2]
        found = fit(scan(0.5, 45.0, 90.0, echo_times=times), echo_times=times)
        np.testing.assert_allclose(found.r2star_water, 45.0, atol=0.1)

    def test_nothing_is_found_outside_the_mask(self):
        mask = np.zeros(SHAPE, bool)
        mask[2, 3, 4:9] = True
        start = np.full(SHAPE, 37.0), np.full(SHAPE, 60.0)
        options = {"echo_times": ECHO_TIMES, "imaging_frequency": FREQUENCY, "fat_model": MARROW}
        found = two_rates(scan(0.5, 45.0, 90.0), mask, *start, **options)
        np.testing.assert_array_equal(found.r2star_water != 0, mask)
        self.assertFalse(two_rates(scan(0.5, 45.0, 90.0), mask & False, *start, **options).r2star_fat.any())


if __name__ == "__main__":
    unittest.main()
