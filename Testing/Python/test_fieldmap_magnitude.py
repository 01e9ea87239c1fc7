"""R2* and fat fraction from the magnitude alone."""

import unittest

import numpy as np

from TrabecularQSMLib.fieldmap.fat_models import FAT_MODELS
from TrabecularQSMLib.fieldmap.magnitude import (
    arlo,
    cross_check,
    disagreement,
    doubt,
    fit_magnitude,
    is_equidistant,
    noise_from_magnitude,
)
from TrabecularQSMLib.fieldmap.masks import noise_level

ECHO_TIMES = 1.2e-3 + 0.7e-3 * np.arange(9)
FREQUENCY = 127.74e6
MARROW = FAT_MODELS["ren-marrow"]
SHAPE = (8, 20, 25)


def scan(pdff, rate, *, snr=np.inf, seed=0):
    """Complex echoes (E, K, J, I) of water and fat, with noise in both channels."""
    time = ECHO_TIMES[:, None, None, None]
    fat = MARROW.signal(ECHO_TIMES, FREQUENCY)[:, None, None, None]
    signal = (1 - pdff + pdff * fat) * np.exp((2j * np.pi * 70 - rate) * time) * np.ones(SHAPE)
    noise = np.random.default_rng(seed).standard_normal((*signal.shape, 2)) @ [1, 1j]
    return signal + (noise / snr if np.isfinite(snr) else 0)


def fit(echoes, **options):
    values = {"echo_times": ECHO_TIMES, "imaging_frequency": FREQUENCY, "fat_model": MARROW, **options}
    return fit_magnitude(echoes, np.ones(SHAPE, bool), **values)


def ones():
    return np.ones(SHAPE, bool)


class ArloTest(unittest.TestCase):
    def test_the_rate_of_one_decaying_signal_is_found(self):
        rate = np.linspace(10, 400, 25)
        found, _ = arlo(scan(0.0, rate), ones(), echo_times=ECHO_TIMES)
        # Simpson's rule is wrong by (R2* Δ)⁴ / 180: 0.003 % at 400 1/s.
        np.testing.assert_allclose(found, np.broadcast_to(rate, SHAPE), rtol=1e-4)

    def test_the_standard_deviation_is_that_of_repeated_noise(self):
        found, sigma = arlo(scan(0.0, 100.0, snr=60.0), ones(), echo_times=ECHO_TIMES, noise=1 / 60)
        scores = (found - 100.0) / sigma
        self.assertTrue(0.95 < scores.std() < 1.05, scores.std())  # 4,000 voxels
        self.assertLess(abs(scores.mean()), 0.1)

    def test_the_floor_of_noise_is_taken_off(self):
        # At the last echo the signal is as large as the noise, which then adds a half to the magnitude.
        echoes = scan(0.0, 300.0, snr=8.0)
        plain, _ = arlo(echoes, ones(), echo_times=ECHO_TIMES)
        corrected, _ = arlo(echoes, ones(), echo_times=ECHO_TIMES, noise=1 / 8)
        self.assertLess(np.median(plain), 275)
        self.assertLess(abs(np.median(corrected) - 300), 8)

    def test_fat_is_taken_for_decay(self):
        found, _ = arlo(scan(0.6, 50.0), ones(), echo_times=ECHO_TIMES)
        self.assertGreater(float(found.mean()), 75)

    def test_only_equidistant_echoes_are(self):
        self.assertTrue(is_equidistant(ECHO_TIMES))
        self.assertTrue(is_equidistant(ECHO_TIMES + 1e-6 * (np.arange(9) % 2)))  # rounded by the scanner
        self.assertFalse(is_equidistant(ECHO_TIMES + 1e-4 * (np.arange(9) % 2)))


class FitTest(unittest.TestCase):
    def test_fat_on_both_sides_of_one_half_is_found_without_noise(self):
        pdff = np.linspace(0, 1, 25)
        found = fit(scan(pdff, 60.0))
        np.testing.assert_allclose(found.pdff, np.broadcast_to(pdff, SHAPE), atol=0.005)
        np.testing.assert_allclose(found.r2star, 60.0, atol=1.0)
        np.testing.assert_allclose(found.water + found.fat, 1.0, atol=0.01)

    def test_one_start_alone_would_take_fat_for_water(self):
        # A single peak leaves the ambiguity: 30 % and 70 % look alike, and neither start is better.
        single = FAT_MODELS["single-peak"]
        found = fit(scan(0.7, 60.0, snr=100.0), fat_model=single, noise=0.01)
        self.assertLess(np.median(found.margin), 1.0)
        self.assertGreater(doubt(found.margin), 0.3)
        found = fit(scan(0.7, 60.0, snr=100.0), noise=0.01)
        self.assertLess(np.mean(np.abs(found.pdff - 0.7) > 0.1), 0.001)

    def test_standard_deviations_are_those_of_repeated_noise(self):
        for pdff in (0.2, 0.85):
            found = fit(scan(pdff, 60.0, snr=150.0), noise=1 / 150)
            for values, sigma, truth in (
                (found.r2star, found.sigma_r2star, 60.0), (found.pdff, found.sigma_pdff, pdff)
            ):  # fmt: skip
                scores = (values - truth) / sigma
                self.assertTrue(0.93 < scores.std() < 1.07, (pdff, truth, scores.std()))
                self.assertLess(abs(scores.mean()), 0.1)

    def test_the_floor_of_noise_leaves_no_bias(self):
        echoes = scan(0.0, 300.0, snr=10.0)
        plain, corrected = fit(echoes, noise=0.0), fit(echoes, noise=0.1)
        self.assertLess(np.median(plain.r2star), 285)
        self.assertLess(abs(np.median(corrected.r2star) - 300), 8)

    def test_a_voxel_that_cannot_tell_follows_those_around_it(self):
        pdff = np.where(np.arange(25) < 12, 0.08, 0.92)
        wrong = []
        for votes in (True, False):
            echoes = scan(pdff, 60.0, snr=25.0)
            if not votes:  # voxels apart, with nothing between them
                mask = np.zeros(SHAPE, bool)
                mask[::2, ::2, ::2] = True
                found = fit_magnitude(echoes, mask, echo_times=ECHO_TIMES, imaging_frequency=FREQUENCY,
                                      fat_model=MARROW, noise=0.04)  # fmt: skip
            else:
                mask, found = ones(), fit(echoes, noise=0.04)
            wrong.append(float(np.mean(np.abs(found.pdff - pdff)[mask] > 0.3)))
        self.assertLess(wrong[0], 0.03)
        self.assertLess(wrong[0], wrong[1] / 2)

    def test_the_phase_does_not_count(self):
        echoes = scan(0.3, 60.0, snr=50.0)
        np.testing.assert_array_equal(fit(echoes).pdff, fit(np.abs(echoes)).pdff)

    def test_noise_is_found_from_magnitude_alone(self):
        rng = np.random.default_rng(1)
        echoes = np.abs(rng.standard_normal((4, 24, 24, 24, 2)) @ [3, 3j])
        found = noise_from_magnitude(noise_level(echoes, echoes.max(axis=0)))
        self.assertLess(abs(found / 3 - 1), 0.05)
        found = fit(scan(0.3, 60.0, snr=50.0))
        self.assertLess(abs(found.noise * 50 - 1), 0.05)

    def test_a_voxel_without_signal_stays_finite(self):
        echoes = scan(0.3, 60.0)
        echoes[:, 0] = 0
        for noise in (0.0, 0.02):
            found = fit(echoes, noise=noise)
            for name in ("water", "fat", "r2star", "pdff", "residual", "margin", "sigma_r2star", "sigma_pdff"):
                self.assertTrue(np.all(np.isfinite(getattr(found, name))), name)


class DisagreementTest(unittest.TestCase):
    def test_noise_alone_gives_one(self):
        rng = np.random.default_rng(0)
        efficient = rng.normal(0, 1, 20000)
        other = efficient + rng.normal(0, 2, 20000)  # what is less than efficient adds noise of its own
        median, spread = disagreement(other, efficient, np.full(20000, np.sqrt(5)), np.ones(20000))
        self.assertLess(abs(median), 0.1)
        self.assertLess(abs(spread - 1), 0.03)
        self.assertGreater(disagreement(other + 8, efficient, np.full(20000, np.sqrt(5)), np.ones(20000))[1], 4)

    def maps(self, **changes):
        rng = np.random.default_rng(0)
        maps = {}
        for name, value, sigma in (("r2star", 60, 5), ("pdff", 0.3, 0.02)):
            maps[name] = value + rng.normal(0, sigma, SHAPE)
            maps[f"{name}_magnitude"] = maps[name] + rng.normal(0, sigma, SHAPE)
            maps[f"sigma_{name}"] = np.full(SHAPE, sigma, float)
            maps[f"sigma_{name}_magnitude"] = np.full(SHAPE, sigma * np.sqrt(2))
        return maps | {name: maps[name] + change for name, change in changes.items()}

    def test_nothing_is_said_where_noise_explains_all(self):
        self.assertEqual(cross_check(self.maps(), np.ones(SHAPE), np.full(SHAPE, 10.0)), [])

    def test_what_differs_is_said_with_its_size(self):
        notes = cross_check(self.maps(r2star_magnitude=20.0), np.ones(SHAPE), np.full(SHAPE, 10.0))
        self.assertEqual(len(notes), 1)
        self.assertRegex(notes[0], r"R2\* by \+(19|20)\.\d 1/s, \d\.\d times what noise does \(medians\)")
        notes = cross_check(self.maps(pdff_magnitude=0.6), np.ones(SHAPE), np.full(SHAPE, 10.0))
        self.assertRegex(" ".join(notes), "In 100.0% of the reliable voxels the magnitude takes water for fat")

    def test_what_fat_does_to_arlo_is_said(self):
        maps = self.maps() | {"r2star_arlo": np.full(SHAPE, 90.0), "sigma_r2star_arlo": np.full(SHAPE, 5.0)}
        notes = cross_check(maps, np.ones(SHAPE), np.full(SHAPE, 10.0))
        self.assertRegex(notes[-1], "ARLO knows water alone: 100% of the reliable voxels")


if __name__ == "__main__":
    unittest.main()
