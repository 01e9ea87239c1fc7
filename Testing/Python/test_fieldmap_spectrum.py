"""Spectra of fat: water's temperature, the better of several, and a shift of all peaks."""

import unittest
from types import SimpleNamespace

import numpy as np

from TrabecularQSMLib.fieldmap.fat_models import FAT_MODELS
from TrabecularQSMLib.fieldmap.signal import Model, synthesize
from TrabecularQSMLib.fieldmap.spectrum import Sample, choose_spectrum, estimate_shift, sample

ECHO_TIMES = 1.2e-3 + 0.7e-3 * np.arange(9)
FREQUENCY = 127.74e6
MARROW = FAT_MODELS["ren-marrow"]
SCAN = {"echo_times": ECHO_TIMES, "imaging_frequency": FREQUENCY}


def voxels(spectrum, pdff=None, *, count=1500, snr=40.0, seed=0):
    """Voxels with random fields and R2*, and fat fractions from 0 to 1 if none are given; starts are 5 Hz off."""
    rng = np.random.default_rng(seed)
    pdff = rng.uniform(0, 1, count) if pdff is None else np.full(count, pdff)
    model = Model(ECHO_TIMES, spectrum.signal(ECHO_TIMES, FREQUENCY))
    field = rng.uniform(-80, 80, count)
    signal = synthesize(1 - pdff, pdff, field, rng.uniform(20, 150, count), model)
    return Sample(signal + rng.standard_normal((*signal.shape, 2)) @ [1, 1j] / snr, field + 5, np.full(count, 60.0))


class TemperatureTest(unittest.TestCase):
    def test_in_a_cold_sample_fat_lies_farther_from_water(self):
        cold = MARROW.at_temperature(20.0)
        np.testing.assert_allclose(np.subtract(cold.shifts_ppm, MARROW.shifts_ppm), -0.17, atol=1e-9)
        self.assertEqual((cold.amplitudes, cold.temperature_celsius), (MARROW.amplitudes, 20.0))
        np.testing.assert_allclose(cold.at_temperature(37.0).shifts_ppm, MARROW.shifts_ppm, atol=1e-9)

    def test_at_the_temperature_of_the_body_spectra_are_those_of_the_file(self):
        for name, spectrum in FAT_MODELS.items():
            self.assertEqual(spectrum.at_temperature(37.0).shifted(0.0), spectrum, name)


class ChoiceTest(unittest.TestCase):
    def choose(self, signal, first="ren-marrow", others=("seven-peak", "single-peak")):
        return choose_spectrum(signal, {name: FAT_MODELS[name] for name in (first, *others)}, **SCAN)

    def test_the_spectrum_of_which_the_echoes_are_made_is_found(self):
        for name in ("seven-peak", "single-peak"):
            choice = self.choose(voxels(FAT_MODELS[name]))
            self.assertEqual((choice.best, choice.sure), (name, True))
            self.assertIn(
                f"The fat spectrum {name} fits this scan better than ren-marrow", choice.sentence("ren-marrow")
            )

    def test_the_first_is_kept_where_it_is_right(self):
        choice = self.choose(voxels(MARROW))
        self.assertEqual((choice.best, choice.sure), ("ren-marrow", False))
        self.assertLess(choice.errors, 0)
        self.assertIn("ren-marrow was kept", choice.sentence("ren-marrow"))

    def test_the_first_is_kept_where_the_data_cannot_tell(self):
        # Marrow and subcutaneous fat differ by a percent of their peaks: nothing at this noise.
        choice = self.choose(voxels(FAT_MODELS["ren-scat"], count=300, snr=8.0), others=("ren-scat",))
        self.assertEqual((choice.best, choice.sure), ("ren-marrow", False))

    def test_without_fat_nothing_is_told(self):
        choice = self.choose(voxels(MARROW, pdff=0.0, snr=1000.0, count=200))
        self.assertEqual((choice.best, choice.sure, choice.voxels), ("ren-marrow", False, 0))
        self.assertIn("cannot be told", choice.sentence("ren-marrow"))


class ShiftTest(unittest.TestCase):
    def test_a_shift_is_found_within_its_standard_error(self):
        for shift in (-0.17, 0.1):
            found = estimate_shift(voxels(MARROW.shifted(shift)), MARROW, **SCAN)
            self.assertTrue(found.seen)
            self.assertLess(abs(found.ppm - shift), 4 * found.error)
            self.assertLess(found.error, 0.005)

    def test_the_standard_error_is_that_of_repeated_noise(self):
        found = [estimate_shift(voxels(MARROW, count=300, seed=seed), MARROW, **SCAN) for seed in range(16)]
        scores = np.array([one.ppm / one.error for one in found])
        # 16 values: their SD is within 0.5 to 1.6 of the truth but once in a thousand times.
        self.assertTrue(0.5 < scores.std(ddof=1) < 1.6, scores.std(ddof=1))
        self.assertLess(abs(scores.mean()), 0.9)

    def test_no_shift_is_taken_where_there_is_none(self):
        found = estimate_shift(voxels(MARROW), MARROW, **SCAN)
        self.assertTrue(found.known and not found.seen)
        self.assertIn("none was taken", found.sentence(FREQUENCY, MARROW))

    def test_fat_alone_tells_no_shift(self):
        found = estimate_shift(voxels(MARROW.shifted(-0.17), pdff=1.0, snr=200.0), MARROW, **SCAN)
        self.assertFalse(found.known)
        self.assertIn("cannot be told", found.sentence(FREQUENCY, MARROW))

    def test_the_sentence_gives_ppm_hertz_and_the_temperature_that_would_do_it(self):
        found = estimate_shift(voxels(MARROW.at_temperature(20.0)), MARROW, **SCAN)
        self.assertRegex(found.sentence(FREQUENCY, MARROW), r"-0\.1\d+ ± 0\.00\d+ ppm \(-2\d\.\d+ ± .* Hz, .*had 20 °C")


class SampleTest(unittest.TestCase):
    def test_voxels_with_fat_or_with_both_are_taken_and_turned(self):
        signal, shape = voxels(MARROW, count=60).signal.reshape(9, 3, 4, 5), (3, 4, 5)
        mask = np.zeros(shape, bool)
        mask[1:, 2] = True
        fat = np.broadcast_to([0.0, 0.05, 0.3, 0.6, 1.0], shape)
        separation = SimpleNamespace(water=1 - fat, fat=fat, field_hz=np.full(shape, 7.0), r2star=np.full(shape, 9.0))
        for mixed, last in ((False, 5), (True, 4)):
            expected = signal[:, 1:, 2, 2:last].reshape(9, -1).astype(np.complex64)
            found = sample(signal, mask, separation, mixed=mixed)
            np.testing.assert_array_equal(found.signal, expected)
            self.assertEqual((found.field_hz.max(), found.r2star.min()), (7.0, 9.0))
            found = sample(signal, mask, separation, mixed=mixed, sign=-1)
            np.testing.assert_array_equal(found.signal, expected.conj())


if __name__ == "__main__":
    unittest.main()
