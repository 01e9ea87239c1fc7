import math
import unittest

import dephasing
import numpy as np

from TrabecularQSMLib.acquisition import GYROMAGNETIC_RATIO_HZ_PER_T
from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.fieldmap.fat_models import FAT_MODELS
from TrabecularQSMLib.simulation.decay import decay_rate, fit_decay, voxel_signals
from TrabecularQSMLib.simulation.field import FieldModel
from TrabecularQSMLib.simulation.model import DECAY, columns_of
from TrabecularQSMLib.simulation.monte_carlo import ParameterGrid, simulate
from TrabecularQSMLib.simulation.settings import POINT_SPREADS, DecaySettings, SimulationSettings
from TrabecularQSMLib.simulation.summary import linearity, summarize

TESLA = 3.0
HZ_PER_PPM = GYROMAGNETIC_RATIO_HZ_PER_T * TESLA * 1e-6
TIMES = (1e-3, 2.2e-3, 3.5e-3, 5e-3, 7e-3)


def silent(times=TIMES, **chosen):
    """Settings of a decay in which bone has no signal."""
    return DecaySettings(times, **{"bone_signal": 0.0} | chosen)


def random_region(shape=(12, 16, 20)):
    rng = np.random.default_rng(5)
    return rng.normal(0, 0.1, shape).astype(np.float32), rng.random(shape) < 0.3


class SignalTest(unittest.TestCase):
    def test_the_signal_of_a_region_is_the_sum_of_its_marrow_and_bone(self):
        field, bone = random_region()
        decay = DecaySettings(TIMES, fat_fraction=0.7)
        fat = FAT_MODELS[decay.fat_model].signal(TIMES, HZ_PER_PPM * 1e6)
        for delta_chi in (1.0, -2.5):
            found = voxel_signals(field, bone, decay, field_strength=TESLA, delta_chi=delta_chi)
            self.assertEqual(found.shape, (5, 1, 1, 1))
            for time, peaks, signal in zip(TIMES, fat, found.ravel(), strict=True):
                tissue = np.where(bone, 0.3 * np.exp(-time / 0.5e-3), 0.3 + 0.7 * peaks)
                turn = np.exp(2j * np.pi * HZ_PER_PPM * delta_chi * field.astype(np.float64) * time)
                self.assertLess(abs((tissue * turn).mean() - signal), 2e-5)

    def test_imaging_voxels_are_those_that_lie_wholly_in_the_region_and_their_mean_is_the_region(self):
        field, bone = random_region()
        decay = DecaySettings(TIMES)
        whole = voxel_signals(field, bone, decay, field_strength=TESLA)
        blocks = voxel_signals(field, bone, decay, field_strength=TESLA, edge=(6, 4, 5))
        self.assertEqual(blocks.shape, (5, 2, 4, 4))
        np.testing.assert_allclose(blocks.mean(axis=(1, 2, 3)), whole.ravel(), atol=2e-5)
        self.assertEqual(voxel_signals(field, bone, decay, field_strength=TESLA, edge=5).shape, (5, 2, 3, 4))
        with self.assertRaisesRegex(InputError, "do not fit the region"):
            voxel_signals(field, bone, decay, field_strength=TESLA, edge=(6, 4, 21))

    def test_a_scanner_keeps_what_varies_slowly_and_the_box_blurs_it(self):
        line = np.arange(32)
        bone = (1 + np.cos(2 * np.pi * line / 32) > 1) & np.ones((16, 16, 32), bool)
        flat = np.zeros(bone.shape, np.float32)
        marrow = ~bone
        spectrum = np.fft.fft(marrow[0, 0].astype(float)) / 32
        for point_spread in POINT_SPREADS:
            decay = silent(point_spread=point_spread)
            found = voxel_signals(flat, bone, decay, field_strength=TESLA, edge=8)[0, 0, 0].real
            if point_spread == "box":
                expected = marrow[0, 0].reshape(4, 8).mean(axis=1)
            else:
                order = np.array([0, 1, -2, -1])
                window = 0.5 + 0.5 * np.cos(2 * np.pi * order / 4) if point_spread == "hann" else 1
                turn = np.exp(2j * np.pi * np.outer(np.arange(4), order) / 4)
                expected = (turn @ (spectrum[order] * window)).real
            np.testing.assert_allclose(found, expected, atol=1e-6, err_msg=point_spread)

    def test_what_cannot_be_simulated_is_told(self):
        for wrong, words in (
            ({"echo_times": ()}, "echo times are none ms"),
            ({"echo_times": (1e-3,)}, "echo times are 1 ms; give two or more"),
            ({"echo_times": (2e-3, 1e-3)}, "increasing"),
            ({"echo_times": (1.0, 2.0)}, "between 0 and 500 ms"),
            ({"echo_times": (1e-3, math.nan)}, "echo times are 1, nan ms"),
            ({"fat_fraction": 1.1}, "fat fraction is 1.1"),
            ({"fat_model": "lard"}, "fat model is 'lard'; choose one of ren-marrow"),
            ({"bone_signal": -1}, "signal of bone is -1"),
            ({"bone_t2": 0}, "T2 of bone is 0 ms"),
            ({"snr": 0}, "SNR is 0"),
            ({"point_spread": "round"}, "choose one of box, sinc, hann"),
        ):
            with self.assertRaisesRegex(InputError, words):
                DecaySettings(**{"echo_times": TIMES} | wrong)


class RateTest(unittest.TestCase):
    def test_a_lorentzian_line_decays_at_its_half_width_whatever_the_echoes_and_the_fat(self):
        # Quantiles of a Lorentzian cut off at 4,000 half widths, so that its decay is exponential from early on; the
        # ripple of the cut is 2e-4 of the signal, which decays by a tenth.
        hwhm = 0.03
        values = 0.05 + hwhm * np.tan(np.linspace(-1, 1, 400_001) * math.atan(4000))
        field, nowhere = values.reshape(1, 1, -1), np.zeros((1, 1, values.size), bool)
        expected = 2 * np.pi * HZ_PER_PPM * hwhm
        for times in (TIMES, (2e-3, 9e-3), (4e-3, 5e-3, 6e-3, 12e-3)):
            for fat in (0.0, 0.5, 1.0):
                found = decay_rate(field, nowhere, silent(times, fat_fraction=fat), field_strength=TESLA)
                self.assertAlmostEqual(found / expected, 1, delta=5e-3)

    def test_a_uniform_field_does_not_dephase_at_all(self):
        field = np.full((4, 4, 4), 0.1, np.float32)
        field[0, 0] = np.nextafter(field[0, 0], np.float32(1))
        for edge in (None, 2):
            rate = decay_rate(field, np.zeros(field.shape, bool), silent(), field_strength=TESLA, edge=edge)
            self.assertAlmostEqual(rate, 0, delta=1e-4)

    def test_the_fit_recovers_rates_of_many_voxels_and_the_first_signal(self):
        rates, sizes = np.array([[5.0, 40.0], [150.0, 600.0]]), np.array([[1.0, 0.3], [2.0, 0.9]])
        decay = silent(fat_fraction=0.6)
        fat = FAT_MODELS[decay.fat_model].signal(TIMES, HZ_PER_PPM * 1e6)[:, None, None]
        times = np.array(TIMES)[:, None, None]
        signals = sizes * (0.4 + 0.6 * fat) * np.exp((2j * np.pi * 77.0 - rates) * times + 1j)
        rate, amplitude = fit_decay(signals, decay, field_strength=TESLA)
        np.testing.assert_allclose(rate, rates, rtol=1e-7)
        np.testing.assert_allclose(amplitude, sizes, rtol=1e-7)

    def test_the_fit_is_the_best_of_all_rates_where_the_decay_is_not_exponential(self):
        field, bone = random_region()
        decay = silent((2e-3, 4e-3, 6e-3, 10e-3))
        signal = voxel_signals(field, bone, decay, field_strength=TESLA).ravel()
        found = float(fit_decay(signal[:, None], decay, field_strength=TESLA)[0][0])
        costs = []
        for rate in found + np.linspace(-20, 20, 41):
            for hertz in np.linspace(-3, 3, 61):
                shape = np.exp((2j * np.pi * hertz - rate) * np.array(decay.echo_times))
                left = signal - shape * (shape.conj() @ signal) / (shape.conj() @ shape)
                costs.append((float(np.sum(np.abs(left) ** 2)), rate))
        self.assertAlmostEqual(min(costs)[1], found, delta=1.0)

    def test_the_region_is_the_mean_of_its_voxels_by_their_signal_and_none_without_marrow(self):
        field, bone = random_region()
        decay = silent()
        signals = voxel_signals(field, bone, decay, field_strength=TESLA, edge=4)
        rate, _ = fit_decay(signals, decay, field_strength=TESLA)
        found = decay_rate(field, bone, decay, field_strength=TESLA, edge=4)
        self.assertAlmostEqual(found, float(np.average(rate, weights=np.abs(signals[0]))), places=9)
        self.assertIsNone(decay_rate(field, bone | True, DecaySettings(TIMES), field_strength=TESLA))

    def test_the_signal_of_bone_raises_the_rate_of_early_echoes_alone(self):
        field, bone = random_region()
        for times, low, high in (((0.2e-3, 1e-3, 2e-3), 20, 300), ((5e-3, 6e-3, 7e-3), -0.1, 0.1)):
            with_bone, without = (
                decay_rate(field, bone, decay, field_strength=TESLA) for decay in (DecaySettings(times), silent(times))
            )
            self.assertTrue(low < with_bone - without < high, (times, with_bone, without))

    def test_noise_scatters_the_rate_as_its_bound_says_and_the_seed_sets_it(self):
        field, nowhere = np.zeros((1, 1, 8)), np.zeros((1, 1, 8), bool)
        decay = silent(snr=50.0)
        rates = [decay_rate(field, nowhere, decay, field_strength=TESLA, seed=(seed,)) for seed in range(200)]
        time = np.array(TIMES)
        expected = 1 / 50 / np.sqrt(((time - time.mean()) ** 2).sum())  # Cramér–Rao at rate 0
        self.assertAlmostEqual(np.std(rates) / expected, 1, delta=0.15)
        self.assertEqual(rates[7], decay_rate(field, nowhere, decay, field_strength=TESLA, seed=(7,)))


class LiteratureTest(unittest.TestCase):
    """One object of bone in a field that we compute, against integrals over its analytic field: within 3 %."""

    def check(self, field, bone, inside, dephasing_of, hertz):
        """`inside` is where the analytic field counts; `hertz` is δω / 2π."""
        marrow = inside & ~bone
        volume, around = np.count_nonzero(bone), np.count_nonzero(marrow)
        values, nowhere = field[marrow].reshape(1, 1, -1), np.zeros((1, 1, around), bool)
        reach = volume / (volume + around)
        for turns in ((0.2, 0.4, 0.6, 0.8), (1.0, 2.0, 3.0, 4.0), (8.0, 12.0, 16.0)):  # quadratic, between, exponential
            decay = silent(tuple(turn / (2 * np.pi * hertz) for turn in turns))
            signal = voxel_signals(values, nowhere, decay, field_strength=TESLA).ravel()
            lost = np.array([dephasing_of(turn, reach) for turn in turns])
            np.testing.assert_array_less(np.abs((1 - signal) * around / volume / lost - 1), 0.03, err_msg=str(turns))
            rate = decay_rate(values, nowhere, decay, field_strength=TESLA)
            expected = fit_decay((1 - lost * volume / around)[:, None], decay, field_strength=TESLA)[0][0]
            self.assertAlmostEqual(rate / expected, 1, delta=0.03, msg=turns)

    def test_the_integrals_have_the_limits_of_the_literature(self):
        for dephasing_of, early, late in ((dephasing.sphere, 0.4, 2 * np.pi / 3**1.5), (dephasing.cylinder, 0.25, 1.0)):
            self.assertAlmostEqual(dephasing_of(0.05).real / 0.05**2, early, delta=1e-3 * early)
            grown = (dephasing_of(60.0) - dephasing_of(50.0)).real
            self.assertAlmostEqual(grown / 10, late, delta=2e-3)

    def test_a_sphere_in_empty_space_dephases_its_surroundings_as_the_integral_says(self):
        model = FieldModel(SimulationSettings(size=72, boundary="linear"))
        squared = sum(x.astype(float) ** 2 for x in np.ogrid[-36:36, -36:36, -36:36])
        bone = squared <= 8**2
        self.check(model.field(bone), bone, squared <= 33**2, dephasing.sphere, HZ_PER_PPM / 3)

    def test_a_cylinder_dephases_its_surroundings_as_the_integral_says_at_each_angle(self):
        squared = sum(x.astype(float) ** 2 for x in np.ogrid[-200:200, -200:200])
        squared = np.broadcast_to(squared, (2, 400, 400))
        bone = squared <= 16**2
        for degrees in (0.0, math.degrees(math.acos(3**-0.5)), 90.0):
            angle = math.radians(degrees)
            settings = SimulationSettings(boundary="filled", b0_direction=(math.cos(angle), math.sin(angle), 0))
            # The region repeats and its mean field is zero: add what the density of cylinders takes away.
            field = FieldModel(settings, bone.shape).field(bone) + bone.mean() * (3 * math.cos(angle) ** 2 - 1) / 6
            if degrees == 0:
                rate = decay_rate(field, bone, silent(), field_strength=TESLA)
                self.assertAlmostEqual(rate, 0, delta=1e-4)
            else:
                hertz = HZ_PER_PPM * math.sin(angle) ** 2 / 2
                self.check(field, bone, squared <= 140**2, dephasing.cylinder, hertz)


class TableTest(unittest.TestCase):
    def test_rows_and_summary_have_the_decay_where_echo_times_are_given(self):
        grid = ParameterGrid((5, 10, 15), (3,), (0.5, 1.0), 2)
        settings = SimulationSettings(size=24, decay=DecaySettings(TIMES, snr=100.0))
        rows = [row for some in simulate(settings, grid) for row in some]
        self.assertEqual(set(rows[0]), set(columns_of(settings)))
        self.assertNotIn(DECAY, columns_of(SimulationSettings()))
        alone = [row for some in simulate(settings, ParameterGrid((10,), (3,), (1.0,), 1)) for row in some]
        self.assertIn(alone[0], rows)
        summary = summarize(rows, settings)
        self.assertGreater(summary[-1][f"{DECAY}_mean"], summary[0][f"{DECAY}_mean"])
        self.assertEqual([line.quantity for line in linearity(summary, DECAY)], [DECAY, DECAY])


if __name__ == "__main__":
    unittest.main()
