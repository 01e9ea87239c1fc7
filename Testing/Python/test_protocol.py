"""What a protocol tells: bounds against derivatives and draws of noise, swaps, regions, echo trains, subjects."""

import math
import unittest
from dataclasses import replace

import numpy as np

from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.fieldmap.refine import refine
from TrabecularQSMLib.fieldmap.separation import fat_fraction
from TrabecularQSMLib.fieldmap.signal import synthesize
from TrabecularQSMLib.fieldmap.t1 import without_t1
from TrabecularQSMLib.inversion.closed_form import closed_form
from TrabecularQSMLib.protocol.assess import COLUMNS, assess, rows
from TrabecularQSMLib.protocol.bias import bone_signal_bias, gradient_bias, gradient_for
from TrabecularQSMLib.protocol.bounds import bounds
from TrabecularQSMLib.protocol.region import ball_of_chi
from TrabecularQSMLib.protocol.remarks import doubts, unknowns
from TrabecularQSMLib.protocol.settings import ProtocolSettings
from TrabecularQSMLib.protocol.subjects import subjects
from TrabecularQSMLib.protocol.swaps import swaps
from TrabecularQSMLib.protocol.train import closest_spacing, given_train, recommend

PAPER = ProtocolSettings(
    echo_times=tuple(1.25e-3 + 0.7e-3 * n for n in range(9)),
    field_strength=3.0,
    voxel_size=(1.5, 1.5, 1.5),
    snr=40.0,
    bandwidth_hz=1431.4,
    trains=3,
)
DIXON = ProtocolSettings(
    echo_times=tuple(1.2e-3 * n for n in range(1, 7)),
    field_strength=1.5,
    voxel_size=(3.0, 1.5, 1.5),
    snr=30.0,
    bandwidth_hz=1300.0,
    readout="bipolar",
)


def signal_of(parameters, model):
    """Echoes as real numbers, of |W|, its phase, |F|, its phase, field [Hz], R2* [1/s]."""
    water, water_phase, fat, fat_phase, field, rate = parameters
    found = synthesize(water * np.exp(1j * water_phase), fat * np.exp(1j * fat_phase), field, rate, model)[:, 0]
    return np.concatenate([found.real, found.imag])


class BoundsTest(unittest.TestCase):
    def test_they_are_the_inverse_fisher_matrix_of_six_real_numbers(self):
        for settings, pdff, rate in ((PAPER, 0.1, 40.0), (PAPER, 0.9, 220.0), (DIXON, 0.6, 80.0)):
            model = settings.model()
            at = np.array([1 - pdff, 0.7, pdff, -0.4, 35.0, rate])
            steps = np.array([1e-5, 1e-5, 1e-5, 1e-5, 1e-3, 1e-3])
            jacobian = np.stack(
                [(signal_of(at + s, model) - signal_of(at - s, model)) / (2 * s.sum()) for s in np.diag(steps)], axis=1
            )
            covariance = np.linalg.inv(jacobian.T @ jacobian) * settings.noise**2
            # With W and F in one phase, the fraction is that of the magnitudes; the phases' part is of second order
            # only where they are equal.
            at[1] = at[3] = 0.2
            jacobian = np.stack(
                [(signal_of(at + s, model) - signal_of(at - s, model)) / (2 * s.sum()) for s in np.diag(steps)], axis=1
            )
            in_phase = np.linalg.inv(jacobian.T @ jacobian) * settings.noise**2
            slope = np.array([-pdff, 0, 1 - pdff, 0, 0, 0])
            found = bounds(model, settings.noise, (rate,), (pdff,))
            # The field's holds to second order.
            np.testing.assert_allclose(found.field_hz[0, 0], math.sqrt(in_phase[4, 4]), rtol=4e-3)
            np.testing.assert_allclose(found.sigma_r2star[0, 0], math.sqrt(in_phase[5, 5]), rtol=1e-4)
            np.testing.assert_allclose(found.sigma_pdff[0, 0], math.sqrt(slope @ in_phase @ slope), rtol=1e-3)
            # The bound of the field depends on the phase of fat against water, which marrow does not choose.
            self.assertNotAlmostEqual(covariance[4, 4] / in_phase[4, 4], 1, places=2)

    def test_repeated_noise_through_our_fit_shows_them(self):
        random = np.random.default_rng(4)
        for settings in (PAPER, DIXON):
            model, rate = settings.model(), settings.middle_r2star
            # 100 draws in each of 11 fat fractions; a standard deviation of 100 draws is known to 7 %, all of them 2 %.
            found = bounds(model, settings.noise, (rate,))
            pdff = np.repeat(np.array(found.pdff), 100)
            signal = synthesize(1 - pdff, pdff, 0.0, rate, model)
            noise = random.standard_normal((2, *signal.shape)) * settings.noise
            field, r2star, water, fat, _ = refine(
                signal + noise[0] + 1j * noise[1], model, np.zeros(pdff.size), np.full(pdff.size, rate)
            )
            fraction = fat_fraction(water, fat)
            measured = (np.stack([field, r2star, fraction]).reshape(3, -1, 100)).var(axis=2, ddof=1)
            expected = np.stack([found.field_hz, found.sigma_r2star, found.sigma_pdff])[:, 0] ** 2
            # Fractions are cut off at 0 and 1, which halves their variance there.
            inside = [slice(None), slice(None), slice(1, -1)]
            for values, wanted, some in zip(measured, expected, inside, strict=True):
                self.assertAlmostEqual(math.sqrt(np.mean(values[some] / wanted[some])), 1, delta=0.06)

    def test_they_fall_with_the_snr(self):
        better = replace(PAPER, snr=80.0)
        low, high = (bounds(one.model(), one.noise, (130.0,)) for one in (better, PAPER))
        for name in ("field_hz", "sigma_r2star", "sigma_pdff"):
            np.testing.assert_allclose(2 * getattr(low, name), getattr(high, name), rtol=1e-3)

    def test_the_snr_is_that_of_marrow_in_the_first_echo(self):
        first = synthesize(1 - PAPER.pdff, PAPER.pdff, 0.0, PAPER.middle_r2star, PAPER.model())[0]
        np.testing.assert_allclose(np.abs(first) / PAPER.noise, 40.0)


class SwapsTest(unittest.TestCase):
    def test_the_second_minimum_of_the_papers_echoes_is_the_distance_of_fat_and_water(self):
        found = swaps(PAPER)
        self.assertAlmostEqual(found.period_hz, 1 / 0.7e-3, places=3)
        np.testing.assert_allclose(found.distance_hz, abs(PAPER.fat_hz), rtol=0.06)
        # Half and half is half and half at no other field; pure fat and water are nearly taken for each other.
        self.assertGreater(found.margin[5], 5 * found.margin[[0, -1]].max())

    def test_a_voxel_takes_the_wrong_minimum_where_it_strays_farther_and_not_before(self):
        from TrabecularQSMLib.fieldmap.cuts import choose_globally

        found = swaps(PAPER)
        distance, margin, stray = (float(one[-1]) for one in (found.distance_hz, found.margin, found.stray_hz))
        model = PAPER.model()
        power = np.sum(np.abs(synthesize(0.0, 1.0, 0.0, PAPER.middle_r2star, model)) ** 2)
        mask = np.zeros((3, 3, 3), bool)
        mask[1, 1, :] = mask[1, :, 1] = mask[:, 1, 1] = True
        middle = 3
        self.assertEqual(np.argwhere(mask)[middle].tolist(), [1, 1, 1])
        for offset, wanted in ((0.97 * stray, 0), (1.03 * stray, 1)):
            field = np.zeros((2, 7))
            field[:, middle] = offset, offset - distance
            misfit = np.array([[0.0] * 7, [1e3] * 7])
            misfit[1, middle] = margin
            deviation = np.full(7, PAPER.noise / math.sqrt(power) / model.train)
            chosen, *_ = choose_globally(
                np.zeros(7, int), field, misfit, deviation, mask, (1.5,) * 3,
                period_hz=model.period_hz, distance_hz=found.confusion_hz,
            )  # fmt: skip
            self.assertEqual(chosen[middle], wanted, offset)


class RegionTest(unittest.TestCase):
    def test_the_error_of_a_mean_is_that_of_repeated_noise(self):
        shape, size = (50, 40, 50), (2.0, 2.5, 2.0)
        voxels, error, share = ball_of_chi(size, 7.0, b0_direction=(1, 0, 0), regularization=0.2)
        axes = np.meshgrid(*(h * (np.arange(n) - n // 2) for n, h in zip(shape, size, strict=True)), indexing="ij")
        ball = sum(axis**2 for axis in axes) <= 49
        self.assertEqual(np.count_nonzero(ball), voxels)
        random = np.random.default_rng(8)
        means = [
            closed_form(random.standard_normal(shape, np.float32), size, b0_direction=(1, 0, 0), regularization=0.2)[
                ball
            ].mean()
            for _ in range(100)
        ]
        # 100 draws tell a standard deviation to 7 %.
        self.assertAlmostEqual(np.std(means) / error, 1, delta=0.15)
        self.assertTrue(0.3 < share < 1)

    def test_less_regularization_gives_more_noise_and_more_of_the_contrast(self):
        some = [ball_of_chi((3, 3, 3), 9.0, b0_direction=(1, 0, 0), regularization=x) for x in (0.02, 0.2, 2)]
        for one, other in zip(some, some[1:], strict=False):
            self.assertGreater(one[1], other[1])
            self.assertGreater(one[2], other[2])


class BiasTest(unittest.TestCase):
    def test_without_bone_or_gradient_there_is_none(self):
        model = PAPER.model()
        for bias in (bone_signal_bias(model, 0.0, 0.9, 130.0), gradient_bias(model, 0.0, 1.5, 0.9, 130.0)):
            np.testing.assert_allclose((bias.field_hz, bias.r2star, bias.pdff), 0, atol=1e-3)

    def test_bones_signal_counts_less_the_later_the_first_echo(self):
        late = replace(PAPER, echo_times=tuple(time + 2e-3 for time in PAPER.echo_times))
        early, late = (bone_signal_bias(one.model(), 0.3, 0.9, 130.0) for one in (PAPER, late))
        self.assertGreater(abs(early.r2star), 10 * abs(late.r2star))
        self.assertGreater(abs(early.pdff), 10 * abs(late.pdff))

    def test_the_gradient_for_a_rate_adds_that_rate_and_falls_with_the_voxel(self):
        model = PAPER.model()
        small, large = (gradient_for(model, 10.0, edge, 0.9, 130.0) for edge in (1.0, 3.0))
        self.assertAlmostEqual(gradient_bias(model, large, 3.0, 0.9, 130.0).r2star, 10.0, places=3)
        self.assertAlmostEqual(small, 3 * large, places=3)
        self.assertTrue(math.isnan(gradient_for(model, 1e4, 1.0, 0.9, 130.0)))


class TrainTest(unittest.TestCase):
    def test_echoes_cannot_be_closer_than_read_out_and_gradients_allow(self):
        bipolar, flyback = replace(PAPER, readout="bipolar"), PAPER
        self.assertGreater(closest_spacing(flyback), closest_spacing(bipolar))
        self.assertGreater(closest_spacing(bipolar), 1 / 1431.4)
        # A weaker gradient takes longer back, a wider read-out less.
        self.assertGreater(closest_spacing(replace(PAPER, gradient=25.0)), closest_spacing(flyback))
        self.assertLess(closest_spacing(replace(PAPER, bandwidth_hz=2000.0)), closest_spacing(flyback))
        self.assertAlmostEqual(closest_spacing(replace(PAPER, bandwidth_hz=None)), 2.1e-3)

    def test_what_is_recommended_is_better_in_all_and_can_be_scanned(self):
        settings = replace(PAPER, longest_echo=9e-3, echoes=12)
        given, found = given_train(settings), recommend(settings)
        self.assertNotEqual(found.echo_times, given.echo_times)
        for new, old in zip(found.bounds.typical(), given.bounds.typical(), strict=True):
            self.assertLess(new, old)
        times = np.array(found.echo_times)
        self.assertTrue(times[0] >= 1.25e-3 and times[-1] <= 9e-3 + 1e-9 and times.size <= 12)
        self.assertGreaterEqual(found.trains * np.diff(times).min(), closest_spacing(settings) - 1e-9)
        self.assertGreaterEqual(found.swaps.least_stray_hz, 0.9 * given.swaps.least_stray_hz)

    def test_less_noise_is_not_bought_with_fields_taken_for_each_other(self):
        times = tuple(1.2e-3 + 0.6e-3 * n for n in range(8))
        settings = replace(
            PAPER, field_strength=1.5, echo_times=times, trains=2, bandwidth_hz=2000.0, readout="bipolar"
        )
        given, found = given_train(settings), recommend(settings)
        # One train 1.05 ms apart has less noise, but a field that strays by 76 Hz is swapped instead of 140.
        self.assertGreater(given.swaps.least_stray_hz, 130)
        self.assertGreaterEqual(found.swaps.least_stray_hz, 0.9 * given.swaps.least_stray_hz)

    def test_where_nothing_is_better_the_given_train_stays(self):
        self.assertEqual(recommend(PAPER).echo_times, PAPER.echo_times)


class SubjectsTest(unittest.TestCase):
    def test_they_are_those_of_the_textbook(self):
        # Cohen 1988, table 2.4.1: 26 for d = 0.8, 64 for d = 0.5; and 34 pairs for d = 0.5.
        self.assertEqual([subjects(0.8, 1.0), subjects(0.5, 1.0), subjects(0.5, 1.0, groups=1)], [26, 64, 34])

    def test_they_grow_with_the_deviation_until_no_study_is_large_enough(self):
        found = [subjects(0.02, sd) for sd in (0.0, 0.01, 0.03, 0.1)]
        self.assertEqual(found, sorted(found))
        self.assertEqual(found[0], 2)
        self.assertIsNone(subjects(1e-4, 1.0))


class AssessTest(unittest.TestCase):
    found = None

    def setUp(self):
        if AssessTest.found is None:
            AssessTest.found = assess(DIXON)

    def test_every_row_says_what_it_rests_on(self):
        table = rows(self.found)
        self.assertGreater(len(table), 30)
        for row in table:
            self.assertEqual(tuple(row), COLUMNS)
            self.assertTrue(row["rests_on"] and row["quantity"], row)
            self.assertTrue(row["value"] is None or math.isfinite(row["value"]), row)

    def test_a_better_snr_makes_nothing_worse(self):
        better = assess(replace(DIXON, snr=60.0))
        for one, other in zip(better.regions, self.found.regions, strict=True):
            self.assertAlmostEqual(2 * one.sigma_chi, other.sigma_chi, places=4)
            self.assertLessEqual(one.between, other.between)
            self.assertLessEqual(one.within, other.within)

    def test_what_is_not_known_is_said_with_the_setting_that_decides_it(self):
        names = [name for name in ("subject_sd", "chi_slope", "repeat_sd", "r2star", "shortest_echo")]
        said = " ".join(unknowns(self.found))
        for name in names:
            self.assertIn(f"`{name}`", said)
        known = replace(self.found, settings=replace(DIXON, repeat_sd=0.01, r2star=(30, 90), shortest_echo=1e-3,
                                                     longest_echo=8e-3))  # fmt: skip
        self.assertNotIn("`repeat_sd`", " ".join(unknowns(known)))
        self.assertNotIn("`r2star`", " ".join(unknowns(known)))
        self.assertIn("a lower bound", said)
        self.assertIn(f"{self.found.given.swaps.distance_hz[0]:.0f} Hz off fits as well even without noise", said)
        given = self.found.given
        sure = replace(given, swaps=replace(given.swaps, margin=np.ones_like(given.swaps.margin)))
        sure = replace(self.found, given=sure)
        self.assertNotIn("does not tell its field", " ".join(unknowns(sure)))
        too_close = replace(self.found, settings=replace(DIXON, echo_times=(1e-3, 1.5e-3, 2e-3)))
        self.assertIn("allow no less than", " ".join(unknowns(too_close)))
        rising = replace(self.found, settings=replace(DIXON, chi_slope=2.3))
        self.assertIn("a number below zero is expected", " ".join(unknowns(rising)))
        self.assertNotIn("below zero", said)

    def test_the_bias_by_t1_is_what_the_reconstruction_takes_off(self):
        found = replace(self.found, settings=replace(DIXON, flip_angle=15.0, repetition_time=0.011))
        bias = {row["quantity"]: row["value"] for row in rows(found) if "T1" in row["quantity"]}
        for name, true in (("fat fraction by T1", DIXON.pdff), ("fat fraction by T1, of one half", 0.5)):
            seen = np.full((1, 1, 1), true + bias[name], np.float32)
            maps = without_t1({"pdff": seen, "sigma_pdff": seen}, found.settings.t1_weighting)
            self.assertAlmostEqual(float(maps["pdff"][0, 0, 0]), true, places=6)
        self.assertGreater(bias[name], 0.1)
        self.assertNotIn("`flip_angle`", " ".join(unknowns(found)))

    def test_the_bias_by_t1_is_asked_for_without_flip_angle_or_repetition_time(self):
        for given in ({"flip_angle": 15.0}, {"repetition_time": 0.011}, {}):
            found = replace(self.found, settings=replace(DIXON, **given))
            self.assertTrue(all(row["value"] is None for row in rows(found) if "T1" in row["quantity"]))
            self.assertIn("`flip_angle` and `repetition_time`", " ".join(unknowns(found)))

    def test_fat_that_appears_more_than_half_a_voxel_off_is_told_with_the_bandwidth_that_is_enough(self):
        sure = replace(self.found.given.swaps, margin=np.ones_like(self.found.given.swaps.margin))
        found = replace(self.found, given=replace(self.found.given, swaps=sure))
        said = lambda **changes: [one for one in doubts(replace(found, settings=replace(DIXON, **changes)))]  # noqa: E731
        # At 1.5 T the main peak of fat lies 217 Hz off.
        self.assertEqual(said(bandwidth_hz=440.0), [])
        (note,) = said(bandwidth_hz=300.0, echo_times=tuple(5e-3 * n for n in range(1, 7)))
        self.assertIn("Fat appears 0.72 voxels off along the read-out", note)
        self.assertIn("a `bandwidth_hz` of 440 or more", note)
        self.assertEqual(said(bandwidth_hz=None), [])
        self.assertIn(
            "how far off fat appears", " ".join(unknowns(replace(found, settings=replace(DIXON, bandwidth_hz=None))))
        )

    def test_trains_that_take_turns_unevenly_are_not_too_close_and_echoes_before_their_read_out_are_told(self):
        # Two trains 0.3 ms apart, each with echoes 2 ms apart.
        turns = replace(PAPER, echo_times=tuple(1e-3 * t for t in (1.2, 1.5, 3.2, 3.5, 5.2, 5.5)), trains=2)
        self.assertAlmostEqual(turns.spacing, 2e-3)
        self.assertAlmostEqual(closest_spacing(replace(turns, bandwidth_hz=None)), 2e-3)
        found = replace(self.found, settings=turns, closest_spacing=closest_spacing(turns))
        sure = replace(found.given.swaps, margin=np.ones_like(found.given.swaps.margin))
        found = replace(found, given=replace(found.given, swaps=sure))
        self.assertEqual(doubts(found), [])
        early = replace(found, settings=replace(turns, shortest_echo=0.2e-3))
        (note,) = doubts(early)
        self.assertIn("The first echo, 0.2 ms, comes before half of a read-out of 0.699 ms is over", note)
        in_all = replace(turns, bandwidth_hz=1e5)
        (note,) = doubts(replace(found, settings=in_all, closest_spacing=closest_spacing(in_all)))
        self.assertIn("check `bandwidth_hz` and `readout` (the bandwidth is that of one voxel)", note)
        noted = replace(found, notes=("R2* is high.",))
        self.assertEqual(doubts(noted), ["The reconstruction of the digital ankle notes: R2* is high."])
        self.assertLessEqual(set(doubts(noted)), set(unknowns(noted)))


class SettingsTest(unittest.TestCase):
    def test_impossible_values_are_told(self):
        for words, changes in (
            ("echo times are 1 2 ms", {"echo_times": (1e-3, 2e-3)}),
            ("three or more that increase", {"echo_times": (1e-3, 3e-3, 2e-3)}),
            ("echo times are 1000 2000 3000 ms", {"echo_times": (1.0, 2.0, 3.0)}),
            ("voxel_size", {"voxel_size": (0, 1, 1)}),
            ("snr", {"snr": 0.0}),
            ("field_strength", {"field_strength": 300.0}),
            ("`bandwidth_hz` is -5.0; give a finite number between 10 and 1e\\+06 Hz", {"bandwidth_hz": -5.0}),
            ("trains", {"trains": 5}),
            ("readout", {"readout": "spiral"}),
            ("pdff", {"pdff": 1.5}),
            ("lowest rate first", {"r2star": (100.0, 50.0)}),
            ("χ tells nothing", {"chi_slope": 0.0}),
            ("`longest_echo` is 0.011; give a finite number between 0.1 and 500 ms", {"longest_echo": 1.1e-5}),
            ("`longest_echo` after", {"shortest_echo": 9e-3}),
        ):
            with self.subTest(words), self.assertRaisesRegex(InputError, words):
                replace(PAPER, **changes)


if __name__ == "__main__":
    unittest.main()
