"""Water, fat, field and R2* of single voxels and of small volumes, against signals with known parameters."""

import unittest
from types import SimpleNamespace

import numpy as np
from models import EQUAL, FAT, FREQUENCY, UNEQUAL, model_at, noise, within_period

from TrabecularQSMLib.fieldmap.cuts import choose_globally
from TrabecularQSMLib.fieldmap.fat_models import FAT_MODELS
from TrabecularQSMLib.fieldmap.neighborhood import choose_candidates
from TrabecularQSMLib.fieldmap.refine import refine
from TrabecularQSMLib.fieldmap.search import CANDIDATES, search, search_table
from TrabecularQSMLib.fieldmap.separation import fat_fraction, separate
from TrabecularQSMLib.fieldmap.signal import Model, common_spacing, project, synthesize
from TrabecularQSMLib.fieldmap.uncertainty import standard_deviations


def voxels(model, count, seed, fields_hz=(-1800.0, 1800.0), rates=(0.0, 900.0), fractions=(0.0, 1.0)):
    """Noiseless signals of random voxels, a tenth of them pure water and a tenth pure fat, and their parameters."""
    rng = np.random.default_rng(seed)
    pdff = rng.uniform(*fractions, count)
    if fractions == (0.0, 1.0):
        pdff[: count // 10], pdff[count // 10 : count // 5] = 0.0, 1.0
    phase = np.exp(2j * np.pi * rng.random(count))
    truth = SimpleNamespace(
        pdff=pdff,
        water=(1 - pdff) * phase,
        fat=pdff * phase,
        field_hz=rng.uniform(*fields_hz, count),
        r2star=rng.uniform(*rates, count),
    )
    return synthesize(truth.water, truth.fat, truth.field_hz, truth.r2star, model), truth


def brute_force(signal, model, field_hz, r2star):
    """Residual sum of squares of one voxel, by a least-squares solver on the model as it is written."""
    decay = np.exp((2j * np.pi * field_hz - r2star) * model.echo_times)
    basis = np.stack([decay, decay * model.fat], axis=1)
    coefficients = np.linalg.lstsq(basis, signal, rcond=None)[0]
    return float(np.sum(np.abs(signal - basis @ coefficients) ** 2))


def cost_around(signal, model, field_hz, r2star):
    """The residual of `brute_force` as a function of the distance from a field and a rate."""
    return lambda df, dr: brute_force(signal, model, field_hz + df, r2star + dr)


class SignalTest(unittest.TestCase):
    def test_the_projection_is_the_least_squares_fit(self):
        rng = np.random.default_rng(1)
        for times in (EQUAL, UNEQUAL, EQUAL[:3]):
            model = model_at(times)
            signal = noise(rng, (times.size, 5), 1.0)
            field, rate = rng.uniform(-900, 900, 5), rng.uniform(-50, 400, 5)
            cost = project(signal, model, field, rate).cost
            for n in range(5):
                # Rounding of complex128 and the condition of the normal equations, which three echoes make worst.
                self.assertAlmostEqual(cost[n], brute_force(signal[:, n], model, field[n], rate[n]), delta=1e-9)

    def test_its_slope_is_the_derivative_of_the_residual(self):
        rng = np.random.default_rng(2)
        for times in (EQUAL, UNEQUAL):
            model = model_at(times)
            signal, truth = voxels(model, 6, 3, rates=(0, 300))
            signal = signal + noise(rng, signal.shape, 0.1)
            field, rate = truth.field_hz + 20.0, truth.r2star + 15.0
            slope = project(signal, model, field, rate).slope
            # The rate is 2πi f − R2*, and the slope points downhill.
            for n in range(6):
                cost = cost_around(signal[:, n], model, field[n], rate[n])
                # Central differences over 0.1 Hz and 1 1/s: curvature changes over tens of Hz, so 1e-4 of the largest.
                by_field = (cost(0.1, 0) - cost(-0.1, 0)) / 0.2
                by_rate = (cost(0, 1) - cost(0, -1)) / 2
                scale = 4 * np.pi * abs(slope[n])
                self.assertAlmostEqual(by_field, -4 * np.pi * slope[n].imag, delta=1e-3 * scale)
                self.assertAlmostEqual(by_rate, 2 * slope[n].real, delta=1e-3 * scale)

    def test_its_curvature_is_that_of_the_residual_where_the_fit_is_exact(self):
        model = model_at(EQUAL)
        signal, truth = voxels(model, 6, 4, rates=(0, 300))
        curvature = project(signal, model, truth.field_hz, truth.r2star).curvature
        for n in range(6):
            cost = cost_around(signal[:, n], model, truth.field_hz[n], truth.r2star[n])
            # The residual at 0.5 Hz off is the curvature alone to second order; the next order is (0.5 / 100)².
            self.assertAlmostEqual(
                (cost(0.5, 0) + cost(-0.5, 0)) / (2 * (np.pi * curvature[n] ** 0.5) ** 2), 1, delta=1e-3
            )
            self.assertAlmostEqual((cost(0, 2) + cost(0, -2)) / (8 * curvature[n]), 1, delta=1e-3)

    def test_the_period_is_one_over_the_common_spacing(self):
        self.assertAlmostEqual(model_at(EQUAL).period_hz, 1 / 0.7e-3, places=6)
        # Missing echoes, and times rounded to a microsecond as scanners write them.
        self.assertAlmostEqual(common_spacing(np.array([1.0, 2.4, 4.5, 5.9]) * 1e-3), 0.7e-3, places=9)
        self.assertAlmostEqual(common_spacing(np.round(1.15e-3 + 0.6667e-3 * np.arange(12), 6)), 0.6667e-3, delta=1e-7)
        # A bipolar train with unequal gaps of 0.9 and 1.2 ms.
        self.assertAlmostEqual(common_spacing(np.array([1.0, 1.9, 3.1, 4.0, 5.2]) * 1e-3), 0.3e-3, places=9)
        # Without a common divisor.
        odd = np.array([1.0, 2.0, 2.0 + np.sqrt(2), 2.0 + np.pi, 2.0 + np.sqrt(27)]) * 1e-3
        self.assertAlmostEqual(common_spacing(odd), 1e-3 / 12, places=9)


class SearchTest(unittest.TestCase):
    def test_its_candidates_are_the_minima_of_the_residual_over_field_and_r2star(self):
        rng = np.random.default_rng(5)
        for times in (EQUAL, UNEQUAL, EQUAL[:3]):
            model = model_at(times)
            table = search_table(model, FREQUENCY)
            signal, _ = voxels(model, 4, 6, rates=(20, 200))
            signal = (signal + noise(rng, signal.shape, 0.05)).astype(np.complex64)
            field, rate, cost = search(signal, table)
            self.assertEqual(field.shape, (CANDIDATES, 4))
            for n in range(4):
                power = np.sum(np.abs(signal[:, n]) ** 2)
                grid = np.array(
                    [[brute_force(signal[:, n], model, f, r) for f in table.field_hz] for r in table.r2star]
                )
                curve = grid.min(axis=0) / power
                minima = np.flatnonzero((curve <= np.roll(curve, 1)) & (curve < np.roll(curve, -1)))
                minima = minima[np.argsort(curve[minima])][:CANDIDATES]
                step = table.field_hz[1] - table.field_hz[0]
                for found_field, found_rate, found_cost in zip(field[:, n], rate[:, n], cost[:, n], strict=True):
                    # Between grid points by the parabola: at most half a step away from one of the minima, whose cost
                    # it lowers by at most the bend over half a step; 1e-5 for float32.
                    nearest = minima[np.argmin(np.abs(table.field_hz[minima] - found_field))]
                    self.assertLessEqual(abs(table.field_hz[nearest] - found_field), 0.51 * step)
                    self.assertAlmostEqual(table.r2star[np.argmin(grid[:, nearest])], found_rate, places=3)
                    bend = curve[nearest - 1] + curve[(nearest + 1) % curve.size] - 2 * curve[nearest]
                    self.assertLess(found_cost, curve[nearest] + 1e-5)
                    self.assertGreater(found_cost, curve[nearest] - bend / 8 - 1e-5)
                self.assertAlmostEqual(cost[0, n], curve[minima[0]], delta=1e-2)
                self.assertEqual(len(set(field[:, n].tolist())), min(CANDIDATES, minima.size))

    def test_it_searches_the_whole_period_but_no_further_than_bone_against_air(self):
        equal = search_table(model_at(EQUAL), FREQUENCY).field_hz
        step = equal[1] - equal[0]
        self.assertAlmostEqual(equal[-1] + step - equal[0], 1 / 0.7e-3, places=6)
        unequal = search_table(model_at(UNEQUAL), FREQUENCY).field_hz
        self.assertAlmostEqual(unequal[0], -15e-6 * FREQUENCY, delta=1)


class RefineTest(unittest.TestCase):
    def best_of_candidates(self, signal, model):
        table = search_table(model, FREQUENCY)
        fields, rates, _ = search(signal, table)
        fits = [refine(signal, model, f, r) for f, r in zip(fields, rates, strict=True)]
        best = np.argmin([fit[4] for fit in fits], axis=0)
        return [np.choose(best, values) for values in zip(*fits, strict=True)]

    def test_echoes_without_noise_give_back_what_they_were_made_of(self):
        # Steps below 1e-5 Hz and 1e-4 1/s end the fit, and convergence is quadratic on exact data.
        for times, seed in ((EQUAL, 7), (UNEQUAL, 8)):
            with self.subTest(times=times):
                model = model_at(times)
                signal, truth = voxels(model, 2000, seed)
                field, r2star, water, fat, residual = self.best_of_candidates(signal, model)
                error = within_period(field - truth.field_hz, model.period_hz)
                self.assertLess(np.abs(error).max(), 1e-3)
                # Most end far below the last step, as only complex128 can.
                self.assertLess(np.median(np.abs(error)), 1e-7)
                self.assertLess(np.abs(r2star - truth.r2star).max(), 0.01)
                self.assertLess(np.abs(fat_fraction(water, fat) - truth.pdff).max(), 1e-5)
                self.assertLess(residual.max(), 1e-5)
                # Whole periods of the field turn water and fat at time zero by the first echo's share of them.
                turned = np.exp(2j * np.pi * (field - truth.field_hz) * times[0])
                same = np.abs(field - truth.field_hz) < 1
                self.assertTrue(same.any() and (times is UNEQUAL or not same.all()))
                np.testing.assert_allclose(water[same], truth.water[same], atol=1e-5)
                np.testing.assert_allclose(fat * turned, truth.fat, atol=1e-5)

    def test_every_fat_spectrum_works(self):
        for name, fat_model in FAT_MODELS.items():
            if len(fat_model.shifts_ppm) == 1:
                continue  # one peak of fat at f is water at another field
            model = model_at(EQUAL, fat_model)
            signal, truth = voxels(model, 50, 9, fields_hz=(-600, 600), rates=(20, 200))
            field = self.best_of_candidates(signal, model)[0]
            self.assertLess(np.abs(within_period(field - truth.field_hz, model.period_hz)).max(), 1e-3, name)

    def test_r2star_is_neither_cut_at_zero_nor_capped(self):
        model = model_at(EQUAL)
        rng = np.random.default_rng(10)
        signal, truth = voxels(model, 4000, 11, fields_hz=(-300, 300), rates=(0.0, 0.0))
        _, r2star, *_ = refine(signal + noise(rng, signal.shape, 0.01), model, truth.field_hz, np.full(4000, 10.0))
        # The spread is about 6 1/s, of the mean 0.1; a cut at zero would move the mean to 0.4 × 6.
        self.assertGreater(r2star.std(), 2.0)
        self.assertLess(abs(r2star.mean()), 0.5)
        signal, truth = voxels(model, 200, 12, fields_hz=(-300, 300), rates=(1000.0, 1800.0))
        _, r2star, *_ = refine(signal, model, truth.field_hz + 5, np.full(200, 1000.0))
        self.assertLess(np.abs(r2star - truth.r2star).max(), 0.01)

    def test_a_step_that_raises_the_cost_is_taken_back_until_a_shorter_one_lowers_it(self):
        # Without that, a tenth of these voxels stays where it began, with up to 19 times the residual.
        model, rng = model_at(1.2e-3 * np.arange(1, 7)), np.random.default_rng(16)
        signal, truth = voxels(model, 2000, 17, fields_hz=(-100, 100), rates=(10, 300))
        signal = signal + noise(rng, signal.shape, 0.02)
        start = truth.field_hz + rng.uniform(-10, 10, 2000), truth.r2star * rng.uniform(0.3, 3, 2000)
        found, best = (refine(signal, model, *at)[4] for at in (start, (truth.field_hz, truth.r2star)))
        self.assertLess(np.mean(found > 1.001 * best), 0.01)

    def test_three_echoes_are_fitted_exactly(self):
        # As many numbers as unknowns: from a start nearby the fit returns them, with no residual to judge by.
        model = model_at(EQUAL[:3])
        signal, truth = voxels(model, 200, 13, fields_hz=(-300, 300), rates=(40.0, 60.0), fractions=(0.2, 0.8))
        field, r2star, _, _, residual = refine(signal, model, truth.field_hz + 1, truth.r2star - 3)
        self.assertLess(residual.max(), 1e-4)
        self.assertLess(np.median(np.abs(field - truth.field_hz)), 0.01)
        self.assertLess(np.median(np.abs(r2star - truth.r2star)), 0.1)

    def test_noise_without_signal_stays_finite(self):
        signal = noise(np.random.default_rng(14), (9, 500), 1.0)
        signal[:, :5] = 0
        model = model_at(EQUAL)
        fields, rates, _ = search(signal, search_table(model, FREQUENCY))
        for values in refine(signal, model, fields[0], rates[0]):
            self.assertTrue(np.all(np.isfinite(values)))


class NeighborhoodTest(unittest.TestCase):
    def test_swapped_islands_are_put_right_and_the_sure_stay(self):
        shape, period, voxel_size = (16, 32, 32), 1 / 0.7e-3, (1.5, 1.5, 1.5)
        rng = np.random.default_rng(15)
        z, y, x = np.indices(shape)
        true = 8.0 * y - 3.0 * x  # Hz; wraps nothing, changes by 400 Hz in all
        mask = (y - 16) ** 2 + (x - 16) ** 2 < 15**2
        island = ((z - 8) ** 2 + (y - 12) ** 2 + (x - 20) ** 2 < 4**2) | (rng.random(shape) < 0.1)
        sure = ~island & (rng.random(shape) < 0.3)
        field = np.stack([true, true + 420.0, true - 390.0])[:, mask]
        # Noise of one unit of log-likelihood is cost 1e-3 here. The swapped fit is a little better in the islands.
        cost = np.full(field.shape, 0.010)
        cost[1] = np.where(sure[mask], 0.2, 0.011)
        cost[2] = 0.3
        swapped = island[mask]
        field[:2, swapped] = field[1::-1, swapped]
        chosen, *_ = choose_candidates(
            field,
            cost,
            np.ones(swapped.size),
            mask,
            voxel_size,
            period_hz=period,
            distance_hz=430.0,
            train=5.6e-3,
            degrees_of_freedom=12,
        )
        self.assertGreater(swapped.sum(), 500)
        np.testing.assert_array_equal(chosen, swapped.astype(int))

    def test_a_true_jump_that_the_fit_is_sure_of_stays(self):
        shape = (8, 16, 16)
        mask = np.ones(shape, bool)
        # Half of the volume, and single voxels with all others around them against it.
        jump = (np.indices(shape)[1] > 7) ^ (np.random.default_rng(20).random(shape) < 0.02)
        field = np.stack([np.where(jump, 300.0, -100.0), np.where(jump, -100.0, 300.0)]).reshape(2, -1)
        cost = np.stack([np.full(mask.size, 0.001), np.full(mask.size, 0.9)])
        chosen, *_ = choose_candidates(
            field,
            cost,
            np.ones(mask.size),
            mask,
            (1.0, 1.0, 1.0),
            period_hz=1428.0,
            distance_hz=430.0,
            train=5.6e-3,
            degrees_of_freedom=12,
        )
        self.assertFalse(chosen.any())


class GlobalStepTest(unittest.TestCase):
    period, swap = 1428.0, 430.0

    def choose(self, mask, field, misfit, chosen):
        return choose_globally(
            chosen, field, misfit, np.full(chosen.size, 5.0), mask, (1.5,) * 3, period_hz=self.period,
            distance_hz=self.swap,
        )  # fmt: skip

    def test_a_swapped_organ_in_the_middle_of_another_moves_as_a_whole(self):
        shape = (3, 48, 48)
        _, y, x = np.indices(shape)
        mask = (y - 24) ** 2 + (x - 24) ** 2 < 22**2
        island = ((y - 22) ** 2 + (x - 26) ** 2 < 12**2)[mask]
        true = (6.0 * y - 3.0 * x)[mask]
        rng = np.random.default_rng(30)
        # Inside, the swapped fit is as good on average and often better; single voxels cannot leave the island.
        field = np.stack([true, true + self.swap])
        misfit = np.stack([rng.exponential(2.0, true.size), np.where(island, rng.exponential(2.0, true.size), 40.0)])
        self.assertGreater(np.mean(misfit[1, island] < misfit[0, island]), 0.4)
        self.assertFalse(self.choose(mask, field, misfit, island.astype(int))[0].any())

    def test_an_organ_behind_a_gap_follows_the_field_of_the_other(self):
        shape = (1, 40, 90)
        _, y, x = np.indices(shape)
        mask = (np.abs(x - 44.5) > 3) & (np.abs(x - 44.5) < 40)
        right = (x > 44)[mask]
        true = (2.0 * y + 1.0 * x)[mask]
        field = np.stack([true, true + self.swap])
        misfit = np.stack([np.full(true.size, 1.0), np.where(right, 1.0, 30.0)])
        self.assertFalse(self.choose(mask, field, misfit, right.astype(int))[0].any())

    def test_what_the_echoes_are_sure_of_stays(self):
        mask = np.ones((1, 30, 30), bool)
        half = (np.indices(mask.shape)[2] > 14)[mask]
        field = np.stack([np.where(half, 400.0, 0.0), np.where(half, 0.0, 400.0)])
        misfit = np.stack([np.zeros(half.size), np.full(half.size, 20.0)])
        self.assertFalse(self.choose(mask, field, misfit, np.zeros(half.size, int))[0].any())

    def test_the_margin_falls_where_another_minimum_is_as_good(self):
        mask = np.ones((1, 9, 9), bool)
        field = np.zeros((2, 81)) + [[0.0], [self.swap]]
        misfit = np.zeros((2, 81))
        misfit[1], misfit[1, 40] = 5.0, -23.5
        chosen, margin, own = self.choose(mask, field, misfit, np.zeros(81, int))
        self.assertFalse(chosen.any())
        # Four neighbors at 6 units each hold the one that is better off elsewhere by 23.5.
        self.assertAlmostEqual(margin[40], 0.5, places=4)
        self.assertAlmostEqual(margin[20], 29.0, places=4)
        self.assertEqual((own[40], own[20]), (-23.5, 5.0))


class SeparationTest(unittest.TestCase):
    shape = (6, 20, 22)
    options = {"imaging_frequency": FREQUENCY, "fat_model": FAT}

    def scan(self, times, deviation, seed=16, pdff=None, r2star=60.0):
        rng = np.random.default_rng(seed)
        _, y, x = np.indices(self.shape)
        truth = SimpleNamespace(
            field_hz=4.0 * y - 150.0 + 2.0 * x, pdff=np.where(x < 11, 0.95, 0.03) if pdff is None else pdff
        )
        model = model_at(times)
        pdff = np.broadcast_to(truth.pdff, self.shape).ravel()
        signal = synthesize(1 - pdff, pdff, truth.field_hz.ravel(), r2star, model)
        signal = signal.reshape(-1, *self.shape) + noise(rng, (times.size, *self.shape), deviation)
        return signal.astype(np.complex64), truth

    def test_a_volume_of_fat_beside_water_is_told_apart_without_swaps(self):
        for times in (EQUAL, UNEQUAL):
            for sign in (1, -1):
                echoes, truth = self.scan(times, 0.025)
                mask = np.ones(self.shape, bool)
                mask[0, :3] = False
                found = separate(
                    echoes if sign > 0 else echoes.conj(), mask, (1.5,) * 3, echo_times=times, sign=sign, **self.options
                )
                error = within_period(found.field_hz - truth.field_hz, found.period_hz)[mask]
                # A swap is off by about 400 Hz; the noise by 3 Hz or so.
                self.assertLess(np.abs(error).max(), 40.0)
                self.assertLess(np.abs(fat_fraction(found.water, found.fat) - truth.pdff)[mask].mean(), 0.05)
                for values in (found.water, found.fat, found.field_hz, found.r2star, found.residual):
                    self.assertFalse(values[~mask].any())

    def test_tissue_that_decays_between_two_rates_of_the_search_or_fast_is_not_taken_for_other(self):
        _, y, x = np.indices(self.shape)
        for count, first, pdff, rate, deviation in (
            (6, 1.33e-3, 0.92, 375.0, 0.02), (6, 1.15e-3, 0.02, 355.0, 0.005), (4, 1.15e-3, 0.3, 245.0, 0.005),
            (12, 1.15e-3, 0.3, 790.0, 0.005), (16, 1.15e-3, 0.02, 580.0, 0.005),
        ):  # fmt: skip
            times = first + 1.15e-3 * np.arange(count)
            echoes = synthesize(1 - pdff, pdff, (2.0 * y - 0.5 * x).ravel(), rate, model_at(times))
            echoes = echoes.reshape(-1, *self.shape)
            echoes = echoes + noise(np.random.default_rng(33), echoes.shape, deviation)
            maps = separate(echoes, np.ones(self.shape, bool), (1.5,) * 3, echo_times=times, **self.options)
            self.assertLess(np.mean(np.abs(fat_fraction(maps.water, maps.fat) - pdff) > 0.2), 0.01, rate)

    def test_fields_and_times_scaled_with_field_strength_are_the_same_problem(self):
        # Water and fat lie 50 Hz apart at 0.345 T, and all else, noise too, is that of 3 T.
        times = 2.07e-3 + 3.86e-3 * np.arange(6)
        found = []
        for scale in (1.0, 3.0 / 0.345):
            frequency = 0.115 * scale * FREQUENCY
            model = Model(times / scale, FAT.signal(times / scale, frequency))
            _, y, x = np.indices(self.shape)
            field, pdff = scale * (2.0 * y - 0.5 * x), np.where((x // 5 + y // 5) % 2, 0.92, 0.02)
            echoes = synthesize(1 - pdff.ravel(), pdff.ravel(), field.ravel(), 15.0 * scale, model)
            echoes = echoes.reshape(-1, *self.shape)
            echoes = echoes + noise(np.random.default_rng(31), echoes.shape, 0.03)
            maps = separate(
                echoes, np.ones(self.shape, bool), (1.5,) * 3, echo_times=times / scale, imaging_frequency=frequency,
                fat_model=FAT,
            )  # fmt: skip
            found.append(fat_fraction(maps.water, maps.fat))
            # Noise of 3 % moves PDFF by 2 % or so.
            self.assertLess(np.abs(found[-1] - pdff).max(), 0.2)
        np.testing.assert_allclose(*found, atol=1e-3)

    def test_a_tie_moves_a_field_as_much_as_it_is_unknown(self):
        model, deviation = model_at(EQUAL), 0.02
        signal = synthesize(np.full(50, 0.3), np.full(50, 0.7), 20.0, 60.0, model)
        signal = signal + noise(np.random.default_rng(44), signal.shape, deviation)
        start = np.full(50, 20.0), np.full(50, 60.0)
        field, r2star, water, fat, _ = refine(signal, model, *start)
        sigma, *_ = standard_deviations(water, fat, field, r2star, model, deviation)
        for share, spread in ((0.5, 1.0), (0.1, 3.0)):
            # Drawn by 4 Hz to where it would be with this standard deviation: as two measurements are weighted.
            tied, rate, *_ = refine(
                signal, model, *start, tied_to=field + 4.0, tie=(deviation / (spread * sigma.mean())) ** 2
            )
            np.testing.assert_allclose(tied - field, 4.0 * share, rtol=0.3)
            self.assertAlmostEqual((tied - field).mean(), 4.0 * share, delta=0.06)
            np.testing.assert_allclose(rate, r2star, atol=1.0)

    def test_the_residual_is_a_share_of_the_signal(self):
        echoes, _ = self.scan(EQUAL, 0.0)
        rng = np.random.default_rng(17)
        echoes = echoes + noise(rng, echoes.shape, 0.05)
        found = separate(echoes, np.ones(self.shape, bool), (1.5,) * 3, echo_times=EQUAL, **self.options)
        # 18 real numbers less 6 parameters, each of variance 0.05².
        wanted = np.sqrt(12) * 0.05 / np.sqrt(np.sum(np.abs(echoes) ** 2, axis=0))
        self.assertAlmostEqual(np.sqrt(np.mean((found.residual / wanted) ** 2)), 1, delta=0.05)


if __name__ == "__main__":
    unittest.main()
