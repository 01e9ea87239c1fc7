"""Sign of the phase, read-out, trains and errors of single echoes."""

import unittest
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
from models import EQUAL, FAT, FREQUENCY, UNEQUAL, model_at, noise, within_period

from TrabecularQSMLib.acquisition import GYROMAGNETIC_RATIO_HZ_PER_T, Acquisition
from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.fieldmap.gains import Explained
from TrabecularQSMLib.fieldmap.kind import find_kind, fitting_better
from TrabecularQSMLib.fieldmap.sample import Fits, draw
from TrabecularQSMLib.fieldmap.separation import fat_fraction, separate
from TrabecularQSMLib.fieldmap.sign import (
    SURE_BY_FIELD,
    SURE_OF_SIGN,
    may_be_mimicked,
    sign_by_field,
    sign_by_mimics,
    sign_errors,
)
from TrabecularQSMLib.fieldmap.signal import Model, synthesize
from TrabecularQSMLib.fieldmap.smooth_field import SmoothFit, smooth_fits
from TrabecularQSMLib.pipeline import reconstruct
from TrabecularQSMLib.pipeline.remarks_on_echoes import on_kind
from TrabecularQSMLib.settings import preset


class KindTest(unittest.TestCase):
    shape = (2, 40, 44)

    def scan(self, times, deviation, pdff=None, gain=1.0):
        _, y, x = np.indices(self.shape)
        pdff = np.where(x < 11, 0.92, np.where(x < 22, 0.5, 0.03)) if pdff is None else np.full(self.shape, pdff)
        signal = synthesize(1 - pdff.ravel(), pdff.ravel(), (4.0 * y - 2.0 * x).ravel(), 40.0, model_at(times))
        signal = signal.reshape(-1, *self.shape) * gain
        return (signal + noise(np.random.default_rng(40), signal.shape, deviation)).astype(np.complex64)

    def find(self, echoes, times, **given):
        mask = np.ones(self.shape, bool)
        drawn = draw(echoes, mask, echo_times=times, imaging_frequency=FREQUENCY, fat_model=FAT)
        return find_kind(*drawn, **given)

    def test_the_sign_of_the_phase_is_found_by_a_little_fat(self):
        _, _, x = np.indices(self.shape)
        for times in (EQUAL, UNEQUAL):
            echoes = self.scan(times, 0.05, 0.92)
            echoes[..., :40] = self.scan(times, 0.05, 0.0)[..., :40]
            for sign, signal in ((1, echoes), (-1, echoes.conj())):
                kind = self.find(signal, times)
                self.assertEqual((kind.sign, kind.sure_of_sign, kind.groups), (sign, True, None))

    def test_errors_of_single_echoes_make_no_sign_sure_that_is_wrong(self):
        # Draws in which the opposite sign fits better in nearly every voxel.
        times = 1.2e-3 * np.arange(1, 7)
        for seed in (4, 10):
            scale, phase = 0.1 * np.random.default_rng(100 + seed).standard_normal((2, times.size))
            kind = self.find(self.scan(times, 0.025, 0.0, (1 + scale + 1j * phase)[:, None, None, None]), times)
            self.assertEqual((kind.sign, kind.sure_of_sign), (1, False))

    def test_errors_of_single_echoes_leave_a_sign_unsure_that_gains_little(self):
        # Draws in which the opposite sign seems sure, as even and odd echoes, or it alone, take a part of them.
        times = 1.1e-3 + 0.7e-3 * np.arange(6)
        for wrong in (17, 31):
            errors = 0.05 * (np.random.default_rng(wrong).standard_normal((6, 2)) @ [1, 1j])
            kind = self.find(self.scan(times, 0.1, 0.03, np.exp(errors)[:, None, None, None]), times)
            self.assertFalse(kind.sure_of_sign, wrong)

    def test_a_little_fat_tells_the_sign_where_water_tells_the_errors_of_echoes(self):
        scale, phase = 0.1 * np.random.default_rng(100).standard_normal((2, EQUAL.size))
        gain = (1 + scale + 1j * phase)[:, None, None, None]
        echoes = self.scan(EQUAL, 0.02, 0.92, gain)
        echoes[..., :38] = self.scan(EQUAL, 0.02, 0.0, gain)[..., :38]
        kind = self.find(echoes.conj(), EQUAL, bipolar=False, trains=1)
        self.assertEqual((kind.sign, kind.sure_of_sign), (-1, True))

    def test_a_sign_that_nothing_tells_is_judged_by_what_it_leaves_over(self):
        drawn = draw(
            self.scan(EQUAL, 0.02).conj(), np.ones(self.shape, bool), echo_times=EQUAL, imaging_frequency=FREQUENCY,
            fat_model=FAT,
        )  # fmt: skip
        given = find_kind(*drawn, sign=1, bipolar=False, trains=1)
        self.assertIs(fitting_better(*drawn, given), given)
        found = fitting_better(*drawn, replace(given, sure_of_sign=False))
        self.assertEqual(found.sign, -1)
        self.assertLess(found.fits.misfit.mean(), given.fits.misfit.mean() - 0.05)
        self.assertIs(fitting_better(*drawn, found), found)
        likely = given.with_likely_sign()
        self.assertEqual((likely.sign, likely.sure_of_sign, likely.likely_sign), (1, False, True))
        self.assertFalse(likely.with_likely_sign().sure_of_sign)
        self.assertFalse(replace(given, sure_of_sign=False).with_likely_sign().likely_sign)

    def test_a_sign_with_which_water_and_fat_change_places_is_not_told_by_a_smooth_field(self):
        times, frequency = 2.07e-3 + 3.86e-3 * np.arange(6), 0.35 / 3 * FREQUENCY
        j, i = np.meshgrid(*[np.linspace(-1, 1, 64)] * 2, indexing="ij")
        r, model = np.hypot(j, i)[None], Model(times, FAT.signal(times, frequency))
        pdff = np.where(r > 0.9 * np.sqrt(0.7), 0.92, 0.03).ravel()
        clean = synthesize(1 - pdff, pdff, 0.35 / 3 * (30 * i + 20 * j).ravel(), 40.0, model).reshape(6, *r.shape)
        echoes = (clean + noise(np.random.default_rng(1), clean.shape, 1 / 30)).conj().astype(np.complex64)
        drawn = draw(echoes, r < 0.9, echo_times=times, imaging_frequency=frequency, fat_model=FAT)
        kind = find_kind(*drawn)
        self.assertTrue(kind.sign == -1 or not kind.sure_of_sign)

    def test_more_trains_than_echoes_tell_are_refused(self):
        for count, given in ((5, {"trains": 3}), (3, {"bipolar": True}), (6, {"trains": 2, "bipolar": True})):
            with self.assertRaisesRegex(InputError, f"^{count} echoes do not tell"):
                self.find(self.scan(EQUAL[:count], 0.02, 0.0), EQUAL[:count], **given)

    def test_what_rules_out_the_other_sign_beside_errors_of_echoes(self):
        rare = np.arange(600) < 40
        noise = np.exp(0.1 * np.random.default_rng(0).standard_normal(600))

        def seen(left=1.0, score=0.0, fat=rare, of_fat=1.0, alike=False):
            return Explained(SimpleNamespace(misfit=noise * np.where(rare, of_fat, 1.0), fatty=fat), left, score, alike)

        self.assertFalse(seen().beats(seen()))
        self.assertTrue(seen().beats(seen(left=1.7, score=1.0)))
        self.assertFalse(seen().beats(seen(left=1.7, score=-1.0)))
        self.assertTrue(seen().beats(seen(score=4.0)))
        self.assertFalse(seen().beats(seen(score=4.0), by_tuning=False))
        self.assertTrue(seen().beats(seen(of_fat=1.5)))
        self.assertFalse(seen().beats(seen(of_fat=1.1)))
        self.assertFalse(seen(fat=~rare).beats(seen(of_fat=1.5)))
        self.assertFalse(seen(alike=True).beats(seen(of_fat=1.5)))

    def test_errors_that_pairs_of_echoes_take_up_make_no_sign_sure(self):
        # A draw that three trains of two echoes explain, better with the opposite sign, by 70 standard errors.
        times = 1.2e-3 * np.arange(1, 7)
        gain = np.array([0.97 + 0.14j, 1.01 - 0.26j, 1.04 + 0.1j, 1.02 + 0.03j, 1.03 - 0.01j, 1.16 - 0.03j])
        echoes = self.scan(times, 0.025, 0.0, gain[:, None, None, None])
        kind = self.find(echoes, times)
        self.assertEqual((kind.sign, kind.sure_of_sign, kind.groups), (1, False, None))
        kind = self.find(echoes, times, bipolar=False, trains=3)
        self.assertEqual((kind.sign, kind.sure_of_sign, kind.trains), (1, False, 3))

    def test_water_that_contradicts_fat_makes_no_sign_sure(self):
        rng = np.random.default_rng(48)
        fat = np.where(np.arange(1000) < 50, 0.9, 0.0)
        noise = rng.standard_normal(1000)
        for of_water, of_fat, wanted in ((1.0, -3.0, False), (1.0, 3.0, True), (0.0, -3.0, True)):
            other = np.where(fat > 0, of_fat, of_water) + noise
            fits = [Fits(misfit, 0 * fat, 0 * fat, fat) for misfit in (0 * fat, other)]
            self.assertEqual(abs(sign_errors(fits)) > SURE_OF_SIGN, wanted)

    def test_voxels_that_are_water_or_fat_by_the_sign_alone_must_say_more(self):
        noise = np.random.default_rng(49).standard_normal(1000)
        for share, of_all, wanted in ((0.4, 0.25, True), (0.6, 0.25, False), (0.6, 0.6, True)):
            fat = np.where(np.arange(1000) < 1000 * share, 0.9, 0.0)
            fits = [Fits(0 * fat, 0 * fat, 0 * fat, 0 * fat), Fits(of_all + noise, 0 * fat, 0 * fat, fat)]
            self.assertEqual(abs(sign_errors(fits)) > SURE_OF_SIGN, wanted)

    def test_a_little_fat_in_noise_makes_no_sign_sure_in_a_weak_field(self):
        # Nearly every voxel is water with one sign and fat with the other, the wrong one by six standard errors.
        times, frequency = 2.07e-3 + 3.86e-3 * np.arange(6), 0.35 * 42.577e6
        model = Model(times, FAT.signal(times, frequency))
        _, y, x = np.indices((1, 90, 90))
        signal = synthesize(0.92 + 0 * x.ravel(), 0.08, (0.05 * x + 0.02 * y).ravel(), 40.0, model)
        echoes = signal.reshape(-1, *x.shape) + noise(np.random.default_rng(1), (6, *x.shape), 0.1)
        where = {"echo_times": times, "imaging_frequency": frequency, "fat_model": FAT}
        signal, sample = draw(echoes, np.ones(x.shape, bool), **where)
        self.assertLess(abs(sign_errors([sample.fits(signal), sample.fits(signal.conj())])), SURE_OF_SIGN)

    def test_echoes_with_fat_and_water_in_one_phase_make_no_sign_sure(self):
        times = (0.7 + 1.05 * np.arange(6)) / (3.4e-6 * FREQUENCY)
        kind = self.find(self.scan(times, 0.02).conj(), times, bipolar=False, trains=1)
        self.assertEqual((kind.sign, kind.sure_of_sign), (1, False))

    def test_four_echoes_tell_what_sign_is_likely_and_none_for_sure(self):
        times = 0.9e-3 * np.arange(1, 5)
        echoes = self.scan(times, 0.02)
        for sign, signal in ((1, echoes), (-1, echoes.conj())):
            kind = self.find(signal, times)
            self.assertEqual((kind.sign, kind.sure_of_sign, kind.likely_sign), (sign, False, True))

    def test_a_little_fat_in_noise_tells_the_sign_where_the_field_goes_on(self):
        for fat, columns in ((0.92, 4), (0.0, 4), (0.92, 40)):
            with self.subTest(fat, columns=columns):
                echoes = self.scan(EQUAL, 0.1, fat)
                echoes[..., columns:] = self.scan(EQUAL, 0.1, 0.0)[..., columns:]
                where = {"echo_times": EQUAL, "imaging_frequency": FREQUENCY, "fat_model": FAT}
                signal, sample = draw(echoes[:, :1], np.ones((1, *self.shape[1:]), bool), **where)
                seen = [smooth_fits(one, sample.fits(one), sample) for one in (signal, signal.conj())]
                for order in (slice(None), slice(None, None, -1)):
                    errors = sign_by_field(seen[order])
                    self.assertEqual(abs(errors) > SURE_BY_FIELD, fat > 0)
                    self.assertEqual(errors > SURE_BY_FIELD, fat > 0 and order.step is None)

    def test_few_voxels_of_fat_that_all_say_the_same_tell_the_sign(self):
        def seen(*misfits, astray=0):
            lost = np.r_[np.full(astray, 3.0), np.zeros(len(misfits[0]) - astray)]
            return [[SmoothFit(np.array(misfit, float), 1.0, lost)] for misfit in misfits]

        water = [0.0] * 500
        for fat, wanted in ((20, False), (24, True)):
            errors = sign_by_field(seen(water + [0.0] * fat, water + [1.5] * fat))
            self.assertEqual(errors > SURE_BY_FIELD, wanted)
        self.assertLess(sign_by_field(seen(water + [1.5] * 24, water + [0.0] * 24)), -SURE_BY_FIELD)
        # Twice as well is what errors of echoes do; as many against as for it say nothing.
        self.assertLess(sign_by_field(seen(water + [0.0] * 24, water + [1.0] * 24)), SURE_BY_FIELD)
        self.assertEqual(sign_by_field(seen(water + [0.0] * 24 + [1.5] * 24, water + [1.5] * 24 + [0.0] * 24)), 0.0)
        # A few voxels that are off a smooth field with both signs do no harm; more than those of fat do.
        for astray, wanted in ((20, True), (30, False)):
            errors = sign_by_field(seen(water + [0.0] * 24, water + [1.5] * 24, astray=astray))
            self.assertEqual(errors > SURE_BY_FIELD, wanted)

    def test_water_beside_air_makes_no_sign_sure(self):
        # What lies at the poles of a bubble of 24 mm is as far above water as fat is below.
        for center in ((4.0, 0.4, 6.0), (5.0, 5.0, 2.0)):
            k, j, i = (np.indices((10, 32, 32)).T - [5, 16, 16] - center).T
            distance = np.sqrt(k**2 + j**2 + i**2)
            field = 1e-6 * FREQUENCY * 9.4 / 3 * (8 / distance) ** 3 * (3 * (k / distance) ** 2 - 1)
            signal = synthesize(1.0, 0.0, field.ravel(), 20.0, model_at(EQUAL)).reshape(-1, *k.shape)
            echoes = (signal + noise(np.random.default_rng(1), signal.shape, 0.02)).astype(np.complex64)
            where = {"echo_times": EQUAL, "imaging_frequency": FREQUENCY, "fat_model": FAT}
            signal, sample = draw(echoes, distance > 8, **where)
            for one in (signal, signal.conj()):
                self.assertFalse(find_kind(one, sample, bipolar=False, trains=1).sure_of_sign)

    def test_a_sign_without_errors_of_echoes_is_sure_if_the_other_one_needs_some_that_mimic_it(self):
        # One mixture in all voxels: what a wrong sign leaves over is the same in each, as errors of echoes are.
        echoes = self.scan(EQUAL, 0.1, 0.08)
        for sign, signal in ((1, echoes), (-1, echoes.conj())):
            kind = self.find(signal, EQUAL)
            self.assertEqual((kind.sign, kind.sure_of_sign), (sign, True))
            self.assertGreater(kind.sign_errors, SURE_OF_SIGN)

    def test_what_errors_of_echoes_may_take_up_makes_no_sign_sure(self):
        def seen(first, second, left=0.1):
            misfits = np.zeros(1000), np.full(1000, left)
            return [[SmoothFit(*pair, np.zeros(1000))] for pair in zip(misfits, (first, second), strict=True)]

        # Of nine echoes errors at random leave a fifth with one sign in one draw of 16,000; five echoes tell next to
        # nothing, nor do nine in three trains with gains of their own where a tenth is left.
        for first, second, of, wanted in ((1, 50, (9, 1), 1), (9, 50, (9, 1), 0), (10, 50, (5, 1), 0)):
            with self.subTest(first, of=of):
                errors = sign_by_mimics(seen(first, second), *of)
                self.assertEqual(errors > SURE_OF_SIGN, wanted == 1)
                self.assertEqual(sign_by_mimics(seen(second, first, -0.1), *of), -errors)
        self.assertLess(sign_by_mimics(seen(5.0, 50.0), 9, 3), SURE_OF_SIGN)
        self.assertGreater(sign_by_mimics(seen(2.0, 50.0), 9, 3), SURE_OF_SIGN)
        self.assertEqual(sign_by_mimics(seen(50.0, 1.0), 9, 1), 0.0)  # fits better, with more errors
        self.assertEqual(sign_by_mimics(seen(1.0, 30.0)[:1], 9, 1), 0.0)
        # Half of 0.1 in 1,000 voxels is 50, of which gains take off 10, or 40.
        self.assertFalse(may_be_mimicked(seen(10.0, 20.0), 0, 9, 1))
        self.assertTrue(may_be_mimicked(seen(20.0, 60.0), 0, 9, 1))
        self.assertFalse(may_be_mimicked(seen(1.0, 41.0), 0, 9, 1))

    def test_a_line_that_is_no_fat_makes_no_sign_sure(self):
        # Silicone, up to half of the signal: within the echoes' period it lies as far from water as fat, beyond it.
        times, (_, y, x) = 2.3e-3 + 0.94e-3 * np.arange(6), np.indices(self.shape)
        late, share = times[:, None, None, None], 0.5 * x / self.shape[2]
        line = 1 - share + share * np.exp(-4.9e-6j * 2 * np.pi * FREQUENCY * late)
        signal = line * np.exp((2j * np.pi * (4.0 * y - 2.0 * x) - 20) * late)
        for deviation, given in ((1 / 12, {"bipolar": False, "trains": 1}), (1 / 40, {}), (1 / 40, {"bipolar": True})):
            echoes = (signal + noise(np.random.default_rng(4), signal.shape, deviation)).astype(np.complex64)
            for turned in (echoes, echoes.conj()):
                self.assertFalse(self.find(turned, times, **given).sure_of_sign, (deviation, given))

    def test_errors_of_a_few_percent_in_thousands_of_voxels_make_no_sign_sure(self):
        # Beside a bipolar read-out that is found; the opposite sign fits better by 27 standard errors in either draw.
        times, n = 0.5e-3 + 0.4e-3 * np.arange(6), np.arange(6)[:, None, None, None]
        for seed in (0, 1):
            errors = 0.03 * (np.random.default_rng([seed, 3]).standard_normal((6, 2)) @ [1, 1j])
            gain = np.exp(errors[:, None, None, None] + 1j * (n % 2) * (0.3 - 0.4 * np.linspace(-1, 1, 44)))
            kind = self.find(self.scan(times, 0.025, 0.6, gain), times)
            self.assertEqual((kind.sign, kind.sure_of_sign, kind.bipolar), (1, False, True))

    def test_errors_larger_than_noise_in_pure_water_make_no_sign_sure(self):
        # With either sign most of what is left over is theirs; the opposite one fits better by 13 and 31 errors.
        times = 2.3e-3 + 0.94e-3 * np.arange(6)
        for seed in (19, 22):
            errors = 0.03 * (np.random.default_rng(seed).standard_normal((6, 2)) @ [1, 1j])
            kind = self.find(self.scan(times, 1 / 60, 0.0, (1 + errors)[:, None, None, None]), times)
            self.assertEqual((kind.sign, kind.sure_of_sign), (1, False))

    def test_a_field_that_jumps_from_water_to_fat_shows_a_phase_that_was_doubled(self):
        given, echoes = {"sign": 1, "bipolar": False, "trains": 1}, self.scan(EQUAL, 0.02)
        self.assertIsNone(self.find(echoes, EQUAL, **given).jump_ppm)
        self.assertIsNone(self.find(self.scan(EQUAL, 0.1, 0.0), EQUAL, **given).jump_ppm)
        kind = self.find(echoes**2 / np.abs(echoes), EQUAL, **given)
        self.assertIn("jumps by -", on_kind(kind, preset(phase_sign="+1"), preset(), EQUAL)[0])

    def test_a_single_tissue_of_which_noise_takes_a_part_for_another_has_no_jump_of_the_field(self):
        times = 1.15e-3 * np.arange(1, 5)
        kind = self.find(self.scan(times, 0.025, 0.9), times, sign=1, bipolar=False, trains=1)
        self.assertGreater(np.mean(kind.fits.fat < 0.3), 0.1)
        self.assertIsNone(kind.jump_ppm)

    def test_gains_of_trains_that_only_shrink_noise_are_none(self):
        # Where the signal has decayed, gains below one leave less of the noise, and nothing else.
        echoes = self.scan(EQUAL, 0.0) * np.exp(-900 * EQUAL)[:, None, None, None]
        echoes = echoes + noise(np.random.default_rng(41), echoes.shape, np.abs(echoes[0]).max() / 60)
        kind = self.find(echoes.astype(np.complex64), EQUAL, sign=1, bipolar=False)
        self.assertIsNone(kind.groups)

    def test_every_other_echo_negated_shows_in_the_tuning_of_the_scanner(self):
        given, turns = {"sign": 1, "bipolar": False, "trains": 1}, (-1.0) ** np.arange(9)[:, None, None, None]
        echoes = self.scan(EQUAL, 0.05)
        kind = self.find(echoes * turns, EQUAL, **given)
        self.assertAlmostEqual(abs(kind.far_off_hz), 0.5 / 0.7e-3, delta=100)
        self.assertIn("every other echo is negated", on_kind(kind, preset(phase_sign="+1"), preset(), EQUAL)[0])
        for times, changed in ((EQUAL, echoes), (UNEQUAL, self.scan(UNEQUAL, 0.05) * turns[: UNEQUAL.size])):
            self.assertIsNone(self.find(changed, times, **given).far_off_hz)
        # Half a period is then what fat is off by.
        times = 1.15e-3 * np.arange(1, 10)
        self.assertIsNone(self.find(self.scan(times, 0.05) * turns, times, **given).far_off_hz)

    def test_without_fat_the_sign_is_taken_as_it_is_and_not_sure(self):
        kind = self.find(self.scan(EQUAL, 0.05, 0.0).conj(), EQUAL)
        self.assertEqual((kind.sign, kind.sure_of_sign), (1, False))

    def test_the_gains_of_a_bipolar_read_out_and_of_trains_are_found_and_taken_off(self):
        x = np.linspace(-1, 1, self.shape[2])
        n = np.arange(9)[:, None, None, None]
        for number, sign, offsets, slopes, magnitudes in (
            (2, -1, [0.0, -0.6], [0.0, 1.2], [0.0, 0.08]),
            (3, 1, [0.0, 0.5, -0.4], [0.0, 0.2, 0.3], [0.0, 0.0, -0.05]),
        ):
            offset, slope, magnitude = (np.array(values)[n % number] for values in (offsets, slopes, magnitudes))
            gain = np.exp(magnitude + 1j * (offset + slope * x))
            echoes = self.scan(EQUAL, 0.02)
            echoes = (echoes if sign > 0 else echoes.conj()) * gain
            kind = self.find(echoes, EQUAL)
            self.assertEqual((kind.sign, kind.sure_of_sign), (sign, True))
            self.assertEqual((kind.bipolar, kind.trains), (number == 2, 1 if number == 2 else 3))
            self.assertGreater(kind.groups_errors, 20)
            # Some 2000 voxels of noise 0.02: standard errors below 0.003.
            np.testing.assert_allclose(kind.groups.offset, offsets, atol=0.02)
            np.testing.assert_allclose(kind.groups.slope[:, 2], slopes, atol=0.02)
            np.testing.assert_allclose(kind.groups.slope[:, :2], 0, atol=0.02)
            np.testing.assert_allclose(kind.groups.magnitude, magnitudes, atol=0.01)
            maps = separate(
                echoes, np.ones(self.shape, bool), (1.5,) * 3, echo_times=EQUAL, imaging_frequency=FREQUENCY,
                fat_model=FAT, sign=sign, groups=kind.groups,
            )  # fmt: skip
            _, y, columns = np.indices(self.shape)
            error = within_period(maps.field_hz - (4.0 * y - 2.0 * columns), maps.period_hz)
            self.assertLess(np.sqrt(np.mean(error**2)), 4.0)

    def test_what_is_given_is_not_asked(self):
        gain = np.exp(0.3j * (-1.0) ** np.arange(9))[:, None, None, None]
        echoes = self.scan(EQUAL, 0.02, gain=gain)
        self.assertIsNone(self.find(echoes, EQUAL, bipolar=False, trains=1).groups)
        self.assertEqual(self.find(echoes, EQUAL, sign=-1, bipolar=False, trains=1).sign, -1)
        kind = self.find(self.scan(EQUAL, 0.02), EQUAL, sign=1, bipolar=False, trains=3)
        self.assertEqual((kind.sign, kind.trains), (1, 3))


class GainsTest(unittest.TestCase):
    """Errors of single echoes, the same all over the image, in two organs that lie apart."""

    times = 1.2e-3 * np.arange(1, 7)

    def separated(self, left, right, gains):
        _, y, x = np.indices((1, 24, 52))
        inside = (np.abs(x - 13) < 10) | (np.abs(x - 39) < 10)
        pdff, field = np.where(x < 26, left, right), 2.0 * (x - 26) - 1.5 * (y - 12)
        echoes = synthesize(1 - pdff.ravel(), pdff.ravel(), field.ravel(), 40.0, model_at(self.times))
        echoes = echoes.reshape(-1, *inside.shape) * gains[:, None, None, None] * inside
        echoes = echoes + noise(np.random.default_rng(42), echoes.shape, 0.025)
        maps = separate(
            echoes, inside, (1.5,) * 3, echo_times=self.times, imaging_frequency=FREQUENCY, fat_model=FAT
        )  # fmt: skip
        error = within_period(maps.field_hz - field, maps.period_hz)[inside]
        return maps, error, (fat_fraction(maps.water, maps.fat) - pdff)[inside]

    def test_organs_that_lie_apart_are_not_swapped(self):
        # Draws after which water and fat of the plain fit are exchanged in one organ, or in both.
        for seed, left, right in ((1, 0.9, 0.9), (7, 0.9, 0.9), (1, 0.02, 0.92), (2, 0.0, 0.0)):
            scale, phase = 0.1 * np.random.default_rng(100 + seed).standard_normal((2, self.times.size))
            maps, error, _ = self.separated(left, right, 1 + scale + 1j * phase)
            self.assertIsNotNone(maps.gains)
            # Water and fat lie 434 Hz apart; a slope of the phase over echoes is a field.
            self.assertLess(np.abs(error).max(), 60.0)

    def test_two_tissues_tell_the_gains_but_for_a_slope_over_echoes(self):
        gains = np.exp(
            np.array([0.1, -0.15, 0.0, 0.12, -0.05, -0.02]) + 1j * np.array([0.0, 0.1, -0.1, 0.0, -0.08, 0.1])
        )
        maps, _, pdff = self.separated(0.02, 0.92, gains)
        left = np.log(gains / maps.gains.gains)
        slope = np.polynomial.polynomial.polyfit(self.times, left, 1)
        np.testing.assert_allclose(left - slope[0] - slope[1] * self.times, 0, atol=0.01)
        self.assertLess(np.abs(np.mean(pdff)), 0.01)
        self.assertFalse(maps.gains.alike)

    def test_a_scan_without_errors_of_echoes_has_none(self):
        for left, right in ((0.02, 0.92), (0.0, 0.0)):
            self.assertIsNone(self.separated(left, right, np.ones(6))[0].gains)

    def test_a_single_mixture_whose_opposed_echoes_drown_in_noise_has_none(self):
        # Gains that enlarge echoes in phase and shrink the others leave less of the noise, and explain nothing.
        times, n = 1.3e-3 + 2.2e-3 * np.arange(6), 72
        y, x = np.indices((n, n)) - (n - 1) / 2
        inside = (np.hypot(y, x) < 0.45 * n).ravel().astype(float)
        frequency = 1.5 * GYROMAGNETIC_RATIO_HZ_PER_T
        model = Model(times, FAT.signal(times, frequency))
        given = {"phase_sign": "+1", "readout": "monopolar", "trains": "1"}
        told = ("Single echoes are off the model", "The scan fits far better")
        for share in (0.65, 0.55):
            signal = synthesize((1 - share) * inside, share * inside, 30.0, 60.0, model)
            echoes = signal.reshape(-1, 1, n, n) + noise(np.random.default_rng(1), (6, 1, n, n), 1 / 15)
            scan = Acquisition(echoes.astype(np.complex64), times, np.diag([1.5, 1.5, 1.5, 1.0]), field_strength=1.5)
            result = reconstruct(scan, preset(stop_after="fieldmap", mask_erosion=0.0, **given))
            self.assertFalse([note for note in result.notes if note.startswith(told)], share)
            found = result.maps["pdff"][0][inside.reshape(n, n) > 0]
            self.assertAlmostEqual(float(np.median(found)), share, delta=0.01)


if __name__ == "__main__":
    unittest.main()
