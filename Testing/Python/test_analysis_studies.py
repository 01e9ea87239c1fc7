"""Statistics of studies against published tables, other programs, and what intervals promise."""

import unittest
import warnings
from dataclasses import replace

import numpy as np
from scipy import stats

from TrabecularQSMLib.analysis.inference import NORMAL, holm, limit_interval
from TrabecularQSMLib.analysis.observations import Observations
from TrabecularQSMLib.analysis.studies.change import change_of_regions, coefficients_of, paired_change
from TrabecularQSMLib.analysis.studies.groups import compare_groups, compare_regions
from TrabecularQSMLib.analysis.studies.power import detectable_effect, plan, power_of, subjects_needed
from TrabecularQSMLib.analysis.studies.ranges import normal_range, ranges_of_regions
from TrabecularQSMLib.analysis.studies.repeatability import repeatability, repeatability_of_regions
from TrabecularQSMLib.analysis.tables import Table
from TrabecularQSMLib.errors import InputError

# Six targets, four judges: Shrout and Fleiss, Psychol Bull 1979;86:420, table 2.
SHROUT = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)
# Peak expiratory flow of 17 subjects [l/min], twice by a Wright meter, twice by a mini meter: Bland and Altman, Lancet
# 1986;1:307, table 1.
WRIGHT = np.array(
    [
        [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427],
        [490, 397, 512, 401, 470, 611, 415, 431, 638, 429, 420, 633, 275, 492, 165, 372, 421],
    ],
    float,
).T
MINI = np.array(
    [
        [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451],
        [525, 415, 508, 444, 500, 625, 460, 390, 642, 432, 420, 605, 227, 467, 268, 370, 443],
    ],
    float,
).T


def observed(values, errors=None, regions=("talus",), unit="ppm"):
    """Observations of (n, sessions) values, the same in each region but for a shift."""
    n, k = values.shape
    keys = [(f"s{i}", f"ses-{j + 1}", region) for region in regions for i in range(n) for j in range(k)]
    subjects, sessions, names = zip(*keys, strict=True)
    shifts = np.repeat(np.arange(len(regions)), n * k)
    error = np.full(n * k, np.nan) if errors is None else np.ravel(errors)
    cases = tuple(f"{one}_{session}" for one, session in zip(subjects, sessions, strict=True))
    array = np.tile(values.ravel(), len(regions)) + shifts
    return Observations(array, np.tile(error, len(regions)), cases, subjects, sessions, names, "chi", unit)


class RepeatabilityTest(unittest.TestCase):
    def test_intraclass_correlations_are_those_of_shrout_and_fleiss(self):
        found = repeatability(SHROUT)
        self.assertEqual((round(found.icc_agreement, 2), round(found.icc_consistency, 2)), (0.29, 0.71))
        # As the R package psych prints them for the same table.
        np.testing.assert_allclose(found.icc_agreement_ci, (0.019, 0.76), atol=0.005)
        np.testing.assert_allclose(found.icc_consistency_ci, (0.34, 0.95), atol=0.005)
        # McGraw and Wong, Psychol Methods 1996;1:30, table 7: a and b of an ICC of this size, and v by them.
        n, k, icc = 6, 4, found.icc_agreement
        of_rows, of_columns = k * SHROUT.mean(axis=1).var(ddof=1), n * SHROUT.mean(axis=0).var(ddof=1)
        of_left = SHROUT.var() * n * k - of_rows * (n - 1) - of_columns * (k - 1)
        of_left /= (n - 1) * (k - 1)
        a, b = k * icc / (n * (1 - icc)), 1 + k * icc * (n - 1) / (n * (1 - icc))
        v = (a * of_columns + b * of_left) ** 2
        v /= (a * of_columns) ** 2 / (k - 1) + (b * of_left) ** 2 / ((n - 1) * (k - 1))
        upper, lower = stats.f.ppf(0.975, n - 1, v), stats.f.ppf(0.975, v, n - 1)
        both = k * of_columns + (k * n - k - n) * of_left
        low = n * (of_rows - upper * of_left) / (upper * both + n * of_rows)
        high = n * (lower * of_rows - of_left) / (both + n * lower * of_rows)
        np.testing.assert_allclose(found.icc_agreement_ci, (low, high), rtol=1e-9)
        self.assertIsNone(found.agreement)

    def test_limits_of_agreement_are_those_of_bland_and_altman(self):
        found = repeatability(np.column_stack([MINI[:, 0], WRIGHT[:, 0]])).agreement
        self.assertEqual((round(found.bias, 1), round(found.sd, 1)), (-2.1, 38.8))
        np.testing.assert_allclose(found.bias_ci, (-22.0, 17.8), atol=0.1)
        # They took 2 for 1.96: −79.7 and 75.5.
        np.testing.assert_allclose((found.lower, found.upper), (-79.7, 75.5), atol=0.04 * 38.8 + 0.1)
        # Exact intervals are asymmetric: wider outward than their ±t √(3/n) SD, and narrower inward.
        approximate = stats.t.ppf(0.975, 16) * np.sqrt(3 / 17) * 38.8
        self.assertGreater(found.upper_ci[1] - found.upper, 1.2 * approximate)
        self.assertLess(found.upper - found.upper_ci[0], 0.8 * approximate)
        for both, published in ((WRIGHT, 43.2), (MINI, 56.4)):
            # Their coefficient of repeatability: twice the SD of differences about zero.
            self.assertAlmostEqual(2 * np.sqrt(2) * repeatability(both).within_sd, published, delta=0.15)

    def test_spreads_are_those_of_a_mixed_model(self):
        try:
            from statsmodels.regression.mixed_linear_model import MixedLM
        except ImportError:
            self.skipTest("statsmodels is not installed")
        found = repeatability(WRIGHT / 100)
        model = MixedLM(WRIGHT.ravel() / 100, np.ones((34, 1)), groups=np.repeat(np.arange(17), 2)).fit(reml=True)
        self.assertAlmostEqual(found.within_sd, np.sqrt(model.scale), places=4)
        self.assertAlmostEqual(found.between_sd, np.sqrt(model.cov_re[0, 0]), places=3)

    def test_an_interval_of_a_limit_holds_it_as_often_as_it_says(self):
        rng, n = np.random.default_rng(4), 8
        values = rng.normal(size=(4000, n))
        low, high = limit_interval(0, 1, n - 1, 1 / n, 1)
        mean, sd = values.mean(axis=1), values.std(axis=1, ddof=1)
        above, below = mean + low * sd > NORMAL, mean + high * sd < NORMAL
        # 2.5 ± 0.25 % of 4000 draws each.
        np.testing.assert_allclose((above.mean(), below.mean()), 0.025, atol=0.0075)
        self.assertEqual(limit_interval(0, 1, n - 1, 1 / n, -1), (-high, -low))

    def test_an_interval_holds_its_estimate_also_where_sessions_differ_more_than_subjects(self):
        found = repeatability(np.array([[2.6, -1.9], [-0.5, 0.3], [0.9, -0.2]]))
        self.assertLess(found.icc_agreement, -0.5)
        low, high = found.icc_agreement_ci
        self.assertTrue(low <= found.icc_agreement <= high, (low, high))

    def test_notes_tell_what_the_data_cannot(self):
        values = WRIGHT / 100 - 4
        study = repeatability_of_regions(observed(values, np.full_like(values, 0.2)))
        (found,) = study.results
        self.assertIsNone(found.within_cv)
        self.assertAlmostEqual(found.noise, 0.2)
        self.assertRegex(study.notes[0], "With 17 subjects .* between -25 and .50 %")
        self.assertIn("zero of chi is a convention", study.notes[1])
        growing = np.column_stack([WRIGHT[:, 0], 1.3 * WRIGHT[:, 1]])
        self.assertIn("differences change with the mean", " ".join(repeatability_of_regions(observed(growing)).notes))
        shifted = repeatability_of_regions(observed(np.column_stack([WRIGHT[:, 0], WRIGHT[:, 0] + 1])))
        self.assertIn("sessions but for a shift, do not differ at all", " ".join(shifted.notes))
        copied = np.array(WRIGHT)
        copied[: len(copied) // 2 + 1, 1] = copied[: len(copied) // 2 + 1, 0]
        self.assertIn("the very same value in all sessions", " ".join(repeatability_of_regions(observed(copied)).notes))
        self.assertIsNone(shifted.results[0].icc_agreement_ci)
        self.assertIn("choose two by `sessions`", repeatability_of_regions(observed(SHROUT)).notes[-1])


class ChangeTest(unittest.TestCase):
    def test_it_is_the_paired_t_test(self):
        found, expected = paired_change(*MINI.T), stats.ttest_rel(MINI[:, 1], MINI[:, 0])
        self.assertAlmostEqual(found.p, expected.pvalue, places=12)
        np.testing.assert_allclose(found.ci, expected.confidence_interval(), rtol=1e-10)
        self.assertAlmostEqual(found.effect, expected.statistic / np.sqrt(17), places=12)

    def test_each_subject_is_judged_by_noise_or_by_repeatability(self):
        values = np.array([[0, 0.05], [1, 0.9], [2, 2.01], [3, 3.2]])
        errors = np.array([[0.03, 0.04], [0.01, 0.01], [0.1, 0.1], [0.05, np.nan]])
        study = change_of_regions(observed(values, errors, ("talus", "tuber")))
        found = study.results[0]
        np.testing.assert_allclose(found.detectable[:3], NORMAL * np.array([0.05, 0.0141421, 0.141421]), rtol=1e-5)
        self.assertEqual([row["seen"] for row in found.subject_rows("ppm")], ["no", "yes", "no", ""])
        self.assertEqual((found.seen(1), found.seen(-1)), (0, 1))
        self.assertIn("noise alone", " ".join(study.notes))
        self.assertIn("2 of 6 changes of a subject exceed what is detectable; 0.3 would by chance", study.notes[-1])
        self.assertEqual(found.p_holm, min(2 * found.p, 1))
        study = change_of_regions(observed(values), coefficients={"talus": 0.15})
        self.assertEqual((study.results[0].seen(1), study.results[0].seen(-1)), (1, 0))
        unknown = change_of_regions(observed(values))
        self.assertIsNone(unknown.results[0].seen(1))
        self.assertIn("Standard errors are missing in talus", unknown.notes[0])

    def test_which_session_is_the_first_is_told_where_the_alphabet_says_it(self):
        for names, told in (
            (("ses-pre", "ses-post"), "from ses-post to ses-pre"),
            (("ses-baseline", "ses-12months"), "from ses-12months to ses-baseline"),
            (("ses-2", "ses-10"), None),
        ):
            values = observed(MINI)
            values = replace(values, sessions=tuple(names[one == "ses-2"] for one in values.sessions))
            for study in (change_of_regions, repeatability_of_regions):
                self.assertEqual("as their names follow in the alphabet" in study(values).notes[0], told is not None)
                self.assertIn(told or "", " ".join(study(values).notes))
                self.assertNotIn("in the alphabet", " ".join(study(values, names).notes))
            change = change_of_regions(values, names).results[0]
            self.assertAlmostEqual(change.mean, np.diff(MINI).mean())

    def test_coefficients_are_read_of_the_same_quantity_and_unit(self):
        values = observed(MINI)
        row = {"quantity": "chi", "region": "talus", "repeatability_coefficient [ppm]": "0.1"}
        self.assertEqual(coefficients_of(Table("r.csv", tuple(row), (row,)), values), {"talus": 0.1})
        for words, other in (
            ("of other quantities than chi", row | {"quantity": "pdff"}),
            ("no number of repeatability_coefficient .ppm. for talus", row | {"repeatability_coefficient [ppm]": ""}),
            ("has no columns region and repeatability_coefficient .ppm.;", {"quantity": "chi", "region": "talus"}),
        ):
            with self.subTest(words), self.assertRaisesRegex(InputError, words):
                coefficients_of(Table("r.csv", tuple(other), (other,)), values)


class GroupsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        rng = np.random.default_rng(1)
        cls.groups = np.repeat(["a", "b", "c"], (9, 10, 11))
        cls.age, cls.sex = rng.uniform(20, 80, 30), np.array(["m", "f", "f"] * 10)
        cls.values = 0.02 * cls.age + (cls.groups == "b") + 0.5 * (cls.sex == "m") + rng.normal(0, 0.5, 30)
        cls.covariates = {"age": [str(age) for age in cls.age], "sex": cls.sex.tolist()}

    def test_adjusted_differences_are_those_of_statsmodels(self):
        try:
            from statsmodels.api import OLS
        except ImportError:
            self.skipTest("statsmodels is not installed")
        found, notes = compare_groups(self.values, self.groups, self.covariates, reference="b")
        columns = [self.groups == "a", self.groups == "c", self.age, self.sex == "m"]
        model = OLS(self.values, np.column_stack([np.ones(30), *columns])).fit()
        for number, one in enumerate(found, start=1):
            self.assertAlmostEqual(one.difference, model.params[number], places=10)
            np.testing.assert_allclose(one.ci, model.conf_int()[number], rtol=1e-9)
            self.assertAlmostEqual(one.p, model.pvalues[number], places=12)
            at_means = model.predict([1, one.group == "a", one.group == "c", self.age.mean(), np.mean(self.sex == "m")])
            self.assertAlmostEqual(one.mean, at_means[0], places=10)
        both = model.f_test(np.eye(5)[1:3])
        self.assertAlmostEqual(found[0].p_groups, float(both.pvalue), places=12)
        self.assertEqual(notes, [])

    def test_two_groups_without_covariates_are_students_t_test(self):
        chosen = self.groups != "c"
        (found,), _ = compare_groups(self.values[chosen], self.groups[chosen])
        a, b = (self.values[self.groups == name] for name in "ab")
        expected = stats.ttest_ind(b, a)
        self.assertAlmostEqual(found.p, expected.pvalue, places=12)
        # Hedges and Olkin 1985: g = d (1 − 3/(4 ν − 1)).
        self.assertAlmostEqual(found.effect, expected.statistic * np.sqrt(1 / 9 + 1 / 10) * (1 - 3 / 67), places=10)

    def test_the_interval_of_an_effect_holds_it_as_often_as_it_says(self):
        rng, held, groups = np.random.default_rng(8), 0, ["a"] * 6 + ["b"] * 6
        for _ in range(200):
            (one,), _ = compare_groups(rng.normal(size=12) + np.repeat([0, 1.5], 6), groups)
            # As Cohen's d: g is smaller by a factor of no account here.
            held += one.effect_ci[0] <= 1.5 * (1 - 3 / 39) <= one.effect_ci[1]
        self.assertAlmostEqual(held / 200, 0.95, delta=0.046)  # three standard errors

    def test_holms_correction_is_that_of_statsmodels(self):
        p = [0.01, 0.04, 0.03, 0.005, 0.9]
        np.testing.assert_allclose(holm(p), [0.04, 0.09, 0.09, 0.025, 0.9])
        try:
            from statsmodels.stats.multitest import multipletests
        except ImportError:
            return
        np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])

    def test_regions_are_corrected_together_and_unknown_subjects_named(self):
        values = observed(self.values[:, None], regions=("talus", "tuber"))
        groups = [*self.groups.tolist(), *self.groups.tolist()]
        covariates = {"age": [None if place % 30 == 4 else str(age) for place, age in enumerate(np.tile(self.age, 2))]}
        study = compare_regions(values, groups, covariates, reference="a")
        self.assertEqual([(one.region, one.group) for one in study.results][1:3], [("talus", "c"), ("tuber", "b")])
        self.assertEqual(study.results[0].n_reference, 8)
        np.testing.assert_allclose([one.p_holm for one in study.results], holm([one.p for one in study.results]))
        self.assertEqual(study.notes[0], "Left out, as the tables do not say their group or age: s4.")

    def test_a_region_that_cannot_be_answered_for_is_left_out_with_the_reason(self):
        both = observed(self.values[:, None], regions=("talus", "tuber"))
        few = both.chosen([n < 30 or n > 57 for n in range(60)])
        study = compare_regions(few, [*self.groups, "a", "b"])
        self.assertEqual({one.region for one in study.results}, {"talus"})
        self.assertIn("tuber was left out: The comparison in tuber is of 2 subjects", study.notes[0])

    def test_notes_tell_where_the_adjustment_does_not_hold(self):
        groups, age = np.repeat(["a", "b"], 10), np.tile(np.arange(20.0, 70, 5), 2)
        noise = np.random.default_rng(2).normal(size=20)
        told = {"age": [str(one) for one in age]}
        slopes = compare_groups(np.where(groups == "a", 0.5, -0.5) * age + noise, groups, told)[1]
        self.assertIn("slope over age differs between groups", " ".join(slopes))
        spreads = compare_groups(noise * np.where(groups == "a", 1, 12), groups)[1]
        self.assertIn("spread differs", " ".join(spreads))
        with warnings.catch_warnings(action="error"):  # the distance of two from their median tells no spread
            pairs = compare_groups(noise[:6], ["a", "a", "b", "b", "c", "c"])[1]
        self.assertNotIn("spread differs", " ".join(pairs))
        apart = {"age": [str(one + 100 * (group == "b")) for one, group in zip(age, groups, strict=True)]}
        self.assertIn("no age is common to all groups", " ".join(compare_groups(noise, groups, apart)[1]))


class PowerTest(unittest.TestCase):
    def test_numbers_of_subjects_are_those_of_cohens_tables(self):
        # Cohen, Statistical Power Analysis 1988, table 2.4.1: α 0.05 two-sided, power 0.8; d 0.2, 0.5, 0.8.
        self.assertEqual([subjects_needed(effect) for effect in (0.2, 0.5, 0.8)], [394, 64, 26])

    def test_power_is_that_of_statsmodels(self):
        try:
            from statsmodels.stats.power import TTestIndPower, TTestPower
        except ImportError:
            self.skipTest("statsmodels is not installed")
        for solver, design in ((TTestIndPower(), "groups"), (TTestPower(), "change")):
            self.assertAlmostEqual(power_of(0.7, 15, design=design), solver.power(0.7, 15, 0.05), places=9)
            expected = solver.solve_power(0.4, power=0.9, alpha=0.01)
            self.assertEqual(subjects_needed(0.4, design=design, power=0.9, alpha=0.01), int(np.ceil(expected)))
            self.assertEqual(power_of(1e8, 1000, design=design), 1)
            for n in (3, 40):
                self.assertAlmostEqual(power_of(detectable_effect(n, design=design), n, design=design), 0.8, places=6)

    def test_a_plan_takes_the_spread_that_was_measured(self):
        values = np.random.default_rng(5).normal(0, 0.2, (12, 2))
        study = plan(observed(values), difference=0.2, subjects=20, sessions=["ses-1"])
        (found,), sd = study.results, values[:, 0].std(ddof=1)
        self.assertAlmostEqual(found.sd, sd)
        self.assertEqual(found.needed, subjects_needed(0.2 / sd))
        self.assertGreater(found.needed_safely, found.needed)
        self.assertAlmostEqual(found.detectable, detectable_effect(20) * sd)
        changes = plan(observed(values, np.full((12, 2), 0.3)), design="change", difference=0.2)
        self.assertAlmostEqual(changes.results[0].sd, np.diff(values).std(ddof=1))
        self.assertIn("explains all of the spread", changes.notes[0])

    def test_without_a_second_session_noise_is_the_least_spread_of_a_change(self):
        study = plan(observed(np.zeros((3, 1)), np.full((3, 1), 0.1)), design="change", difference=0.1)
        self.assertAlmostEqual(study.results[0].sd, np.sqrt(2) * 0.1)
        self.assertIsNone(study.results[0].needed_safely)
        self.assertIn("Nobody was measured twice", study.notes[0])


class RangeTest(unittest.TestCase):
    def test_percentiles_lie_between_ranks_that_hold_them(self):
        n = 200
        found = normal_range(np.random.default_rng(6).permutation(np.arange(1.0, n + 1)))
        for name, share in (("p2_5", 0.025), ("median", 0.5), ("p97_5", 0.975)):
            _, (low, high) = found.percentiles[name]
            held = stats.binom.cdf(high - 1, n, share) - stats.binom.cdf(low - 1, n, share)
            self.assertTrue(0.95 <= held < 0.99, (name, held))
        # The best known case: ranks 86 and 115 hold the median of 200 (Conover's tables).
        self.assertEqual(found.percentiles["median"][1], (86, 115))
        self.assertIsNone(normal_range(np.arange(100.0)).percentiles["p2_5"][1])

    def test_the_trend_over_age_is_that_of_statsmodels(self):
        try:
            from statsmodels.api import OLS
        except ImportError:
            self.skipTest("statsmodels is not installed")
        rng = np.random.default_rng(7)
        ages = rng.uniform(22, 71, 40)
        values = 0.01 * ages + rng.normal(0, 0.3, 40)
        found, model = normal_range(values, ages), OLS(values, np.column_stack([np.ones(40), ages])).fit()
        self.assertAlmostEqual(found.trend.slope, model.params[1], places=12)
        np.testing.assert_allclose(found.trend.slope_ci, model.conf_int()[1], rtol=1e-9)
        self.assertAlmostEqual(found.trend.p, model.pvalues[1], places=12)
        self.assertAlmostEqual(found.sd, np.sqrt(model.scale), places=12)
        rows = found.as_rows("ppm")
        self.assertEqual([row["age [years]"] for row in rows], [30, 40, 50, 60, 70])
        expected = model.get_prediction([1, 70]).conf_int()[0]
        np.testing.assert_allclose((rows[-1]["mean_low [ppm]"], rows[-1]["mean_high [ppm]"]), expected, rtol=1e-9)

    def test_an_interval_of_a_limit_at_an_age_holds_it_as_often_as_it_says(self):
        rng, ages, held = np.random.default_rng(9), np.linspace(20, 80, 12), 0
        for _ in range(250):
            found = normal_range(0.1 * ages + rng.normal(size=12), ages)
            middle, leverage = found.at(80.0)
            low, high = limit_interval(middle, found.sd, found.free, leverage, 1)
            held += low <= 8 + NORMAL <= high
        self.assertAlmostEqual(held / 250, 0.95, delta=0.041)  # three standard errors

    def test_notes_tell_what_the_range_cannot(self):
        values = np.exp(np.random.default_rng(1).normal(size=(40, 1)))
        notes = " ".join(ranges_of_regions(observed(values)).notes)
        self.assertIn("talus: values are not normal", notes)
        self.assertIn("of 40 subjects; 120 are asked for", notes)
        ages = np.linspace(20, 80, 40)
        bent = observed(((ages - 50) ** 2 + np.random.default_rng(3).normal(0, 100, 40))[:, None])
        told = [None, *[f"{age:.1f}" for age in ages[1:]]]
        study = ranges_of_regions(bent, told)
        self.assertIn("trend over age is bent", " ".join(study.notes))
        self.assertEqual(study.notes[0], "Left out, as the tables do not say their age: s0.")


class RefusalTest(unittest.TestCase):
    def test_wrong_input_is_one_sentence(self):
        nine = [str(n % 3) for n in range(9)]
        values, two = np.arange(9.0) ** 1.5, ["a", "b"]
        pilot = observed(np.random.default_rng(0).normal(size=(5, 1)))
        for words, call in (
            ("of 2 subjects; at least 3", lambda: repeatability(np.ones((2, 2)))),
            ("needs two sessions of each subject; there is one", lambda: repeatability(np.ones((3, 1)))),
            ("All values in the region are the same", lambda: repeatability(np.ones((3, 2)))),
            ("values that are no numbers", lambda: repeatability(np.full((3, 2), np.nan))),
            ("there is one, ses-1", lambda: repeatability_of_regions(pilot)),
            ("All subjects change by the same", lambda: paired_change(np.arange(4.0), np.arange(4.0) + 1)),
            ("name first and second by `sessions`: there are ses-1", lambda: change_of_regions(pilot)),
            ("no repeatability coefficient of talus", lambda: change_of_regions(observed(MINI), None, {"tuber": 1})),
            ("All 9 subjects are of the group a", lambda: compare_groups(values, ["a"] * 9)),
            ("The group b has one subject", lambda: compare_groups(values, ["a"] * 8 + ["b"])),
            ("The reference x is none of", lambda: compare_groups(values, nine, reference="x")),
            ("too few for groups and 1 covariate", lambda: compare_groups(values[:4], two * 2, {"w": list("1248")})),
            ("say the same of the subjects", lambda: compare_groups(values, nine, {"age": ["5", "6", "7"] * 3})),
            (
                r"The covariates \(chi\) alone give all values",
                lambda: compare_groups(values, nine, {"chi": [str(2 * one) for one in values]}),
            ),
            ("lie on one line over age", lambda: normal_range(values, 3 * values)),
            ("age is the same of all subjects, 5", lambda: compare_groups(values, nine, {"age": ["5"] * 9})),
            ("9 different texts of 9 subjects", lambda: compare_groups(values, nine, {"age": list("abcdefghi")})),
            (
                "age is a number of most subjects but 34y of",
                lambda: compare_groups(values, nine, {"age": ["34y", *map(str, range(8))]}),
            ),
            ("needs more than 1,000,000 subjects", lambda: subjects_needed(1e-4)),
            ("give two or more", lambda: detectable_effect(1)),
            ("Give a `difference` to detect", lambda: plan(pilot)),
            ("The difference is 0; give one that is not zero", lambda: plan(pilot, difference=0.0)),
            ("The power is 1.2; expected between 0.05 and 1", lambda: plan(pilot, difference=1, power=1.2)),
            ("The alpha is 5; expected between 0 and 1", lambda: plan(pilot, difference=1, alpha=5)),
            ("The design is 'crossed'", lambda: plan(pilot, difference=1, design="crossed")),
            ("the tables have neither", lambda: plan(pilot, difference=1, design="change")),
            ("three subjects whose values differ", lambda: plan(observed(np.ones((5, 1))), difference=1)),
            ("All subjects are of the age 40", lambda: normal_range(values, np.full(9, 40.0))),
            ("The ages run from 1950 to 1958; expected years", lambda: normal_range(values, 1950 + np.arange(9.0))),
            ("Age is 'old' of a subject", lambda: ranges_of_regions(pilot, ["1", "2", "old", "4", "5"])),
            ("in talus is of 3 subjects; at least 4", lambda: ranges_of_regions(pilot, ["1", "2", "3", None, None])),
        ):
            with self.subTest(words), self.assertRaisesRegex(InputError, words):
                call()


if __name__ == "__main__":
    unittest.main()
