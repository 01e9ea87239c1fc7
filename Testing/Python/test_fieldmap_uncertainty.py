"""How uncertain fits of water, fat, field and R2* are, and whether the fat fraction is biased."""

import unittest

import numpy as np
from models import EQUAL, FAT, FREQUENCY, model_at, noise

from TrabecularQSMLib.fieldmap.refine import refine
from TrabecularQSMLib.fieldmap.separation import fat_fraction, separate
from TrabecularQSMLib.fieldmap.signal import synthesize
from TrabecularQSMLib.fieldmap.uncertainty import (
    noise_of_fit,
    of_exact_fit,
    of_two_minima,
    share_of_noise,
    standard_deviations,
)


class UncertaintyTest(unittest.TestCase):
    def test_errors_are_as_large_as_the_standard_deviations_say(self):
        model, count, deviation = model_at(EQUAL), 4000, 0.03
        rng = np.random.default_rng(41)
        # Water and fat that are not in phase, as after another excitation, add up to less than both.
        for pdff, rate, turn in ((0.15, 40.0, 0), (0.5, 40.0, 0), (0.85, 100.0, 0), (0.6, 40.0, 1.5)):
            parts = np.full(count, (1 - pdff) * 1j), np.full(count, pdff * 1j * np.exp(1j * turn))
            clean = synthesize(*parts, 30.0, rate, model)
            signal = clean + noise(rng, clean.shape, deviation)
            field, r2star, water, fat, residual = refine(signal, model, np.full(count, 30.0), np.full(count, rate))
            sigmas = standard_deviations(water, fat, field, r2star, model, deviation)
            errors = (field - 30.0, r2star - rate, fat_fraction(water, fat) - fat_fraction(*parts))
            for error, sigma in zip(errors, sigmas, strict=True):
                # The standard deviation of 4,000 draws is known to 1.1 %.
                self.assertAlmostEqual((error / sigma).std(), 1, delta=0.05)
            self.assertAlmostEqual(noise_of_fit(residual, 9) / deviation, 1, delta=0.03)
        image, part = signal.reshape(9, 1, 1, -1), (residual / np.linalg.norm(signal, axis=0)).reshape(1, 1, -1)
        for of_it, share in ((0.5, 0.5), (2.0, 1.0), (0.0, 0.0)):
            found = share_of_noise(image, part, part > 0, of_it * deviation)
            self.assertAlmostEqual(found, share, delta=0.03)

    def test_three_echoes_are_as_uncertain_as_they_say_and_not_biased(self):
        # σ is half of one over the length of the train: to first order that of the field would be 10 and 19 % too
        # small. R2* cut at -100 1/s would be 25 to 40 too high, and its errors 0.6 of what σ says.
        model, rng = model_at(1.15e-3 * np.arange(1, 4)), np.random.default_rng(47)
        for pdff in (0.5, 0.7):
            clean = synthesize(np.full(4000, 1 - pdff), np.full(4000, pdff), 30.0, 60.0, model)
            signal = clean + noise(rng, clean.shape, 1 / 15)
            field, r2star, water, fat, _ = refine(signal, model, np.full(4000, 30.0), np.full(4000, 60.0))
            sigma, sigma_r2star, _ = standard_deviations(water, fat, field, r2star, model, 1 / 15)
            self.assertAlmostEqual(((field - 30.0) / sigma).std(), 1, delta=0.07)
            sigma_r2star = of_exact_fit(sigma_r2star, model.train)
            self.assertAlmostEqual(((r2star - 60.0) / sigma_r2star).std(), 1, delta=0.05)
            self.assertAlmostEqual(r2star.mean(), 60, delta=25)

    def test_a_minimum_that_is_hardly_better_than_the_next_is_as_uncertain_as_it_is_often_wrong(self):
        rng, margin = np.random.default_rng(5), np.array([0.0, 1.0, 3.0, np.inf], np.float32)[:, None]
        wrong = rng.random((4, 40000)) < 1 / (1 + np.exp(margin))
        errors = 10 * rng.standard_normal(wrong.shape) + 434 * wrong
        sigma = of_two_minima(np.full((4, 1), 10.0), margin, 434.0)
        np.testing.assert_allclose(np.sqrt(np.mean(errors**2, axis=1)), sigma[:, 0], rtol=0.03)

    def test_maps_of_three_echoes_say_so(self):
        # The third echo is 1.2 σ: the smooth field chooses between minima that are nearly alike.
        model = model_at(1.15e-3 * np.arange(1, 4))
        shape = (1, 96, 96)
        signal = synthesize(np.full(shape, 0.3 + 0j).ravel(), np.full(shape, 0.7 + 0j).ravel(), 30.0, 60.0, model)
        signal = signal + noise(np.random.default_rng(6), signal.shape, 1 / 15)
        options = {"echo_times": model.echo_times, "imaging_frequency": FREQUENCY, "fat_model": FAT}
        found = separate(signal.reshape(3, *shape), np.ones(shape, bool), (2.0, 1.0, 1.0), **options, noise=1 / 15)
        self.assertAlmostEqual(((found.field_hz - 30.0) / found.sigma_field).std(), 1, delta=0.05)
        alike = found.margin < 1  # a swap, of 434 Hz, is as likely as one in four
        self.assertTrue(alike.any())
        self.assertGreater(found.sigma_field[alike].min(), 434 * 0.5)

    def test_without_signal_they_are_large_but_finite(self):
        zero = np.zeros(3)
        field, r2star, pdff = standard_deviations(zero * 1j, zero * 1j, zero, zero, model_at(EQUAL), 1.0)
        np.testing.assert_allclose(field, 1 / 1.4e-3, rtol=1e-6)
        np.testing.assert_allclose(r2star, 2000)
        np.testing.assert_allclose(pdff, 1)


class FatFractionTest(unittest.TestCase):
    def test_it_is_exact_without_noise(self):
        pdff = np.linspace(0, 1, 21)
        phase = np.exp(1j * np.arange(21))
        np.testing.assert_allclose(fat_fraction((1 - pdff) * phase, pdff * phase), pdff, atol=1e-6)
        np.testing.assert_array_equal(fat_fraction(np.zeros(2), np.zeros(2)), 0)

    def test_noise_does_not_move_it_but_for_the_cut_at_the_ends(self):
        # Noise of W and F of 2.5 % in each channel. |F|/(|W|+|F|) would average 3 % at pure water; what is left at
        # exactly 0 and 1 is half of the noise cut off, σ/√(2π) = 1 %, and two SD from the ends nothing.
        rng = np.random.default_rng(18)
        for pdff, most in ((0.0, 0.012), (1.0, 0.012), (0.06, 0.001), (0.94, 0.001), (0.3, 0.001), (0.7, 0.001)):
            water, fat = 1 - pdff + noise(rng, (40000,), 0.025), pdff + noise(rng, (40000,), 0.025)
            found = fat_fraction(water, fat)
            self.assertLess(abs(found.mean() - pdff), most, pdff)
            self.assertTrue(np.all((found >= 0) & (found <= 1)))


if __name__ == "__main__":
    unittest.main()
