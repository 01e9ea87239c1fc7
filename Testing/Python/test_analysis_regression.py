import json
import sys
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
from scipy import stats

from TrabecularQSMLib.analysis.line import cooks_distance, fit_line
from TrabecularQSMLib.analysis.regression import regress
from TrabecularQSMLib.analysis.tables import pair_up
from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.files.tables import read_table

PAPER = Path(__file__).resolve().parents[1] / "Data" / "diefenbach2019_figure4.csv"
TV, CLOSED, L2 = "mean_chi_MEDIl1TVnesta", "mean_chi_closedFormL2", "mean_chi_MEDIl2TVcg"
R2STAR, BVTV = "mean_R2s", "apparentBVTV"

try:
    import statsmodels  # noqa: F401

    HAS_STATSMODELS = True
except ImportError:
    HAS_STATSMODELS = False


def example(subjects=40, seed=0, subject_sd=3.0, noise=0.5, slope=2.0):
    """Two regions of each subject; subjects differ by an intercept of their own."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=2 * subjects)
    names = np.repeat(np.arange(subjects), 2)
    y = 5 + slope * x + subject_sd * rng.normal(size=subjects)[names] + noise * rng.normal(size=x.size)
    return x, y, np.tile(["a", "b"], subjects), names


class LineTest(unittest.TestCase):
    def test_the_line_is_that_of_linear_algebra(self):
        x, y, _, _ = example()
        line = fit_line(x, y)
        (slope, intercept), residual = np.linalg.lstsq(np.column_stack([x, np.ones_like(x)]), y, rcond=None)[:2]
        np.testing.assert_allclose((line.slope, line.intercept), (slope, intercept), rtol=1e-10)
        self.assertAlmostEqual(line.r2, 1 - residual[0] / ((y - y.mean()) ** 2).sum(), places=10)

    def test_interval_and_band_hold_the_truth_as_often_as_they_say(self):
        rng, x, repeats = np.random.default_rng(1), np.linspace(0, 1, 12), 1500
        slope_in = line_in = 0
        for _ in range(repeats):
            line = fit_line(x, 1 + 2 * x + rng.normal(size=12))
            slope_in += line.slope_ci[0] <= 2 <= line.slope_ci[1]
            low, high = line.band(np.array([0.9]))
            line_in += low[0] <= 1 + 2 * 0.9 <= high[0]
        self.assertAlmostEqual(slope_in / repeats, 0.95, delta=0.02)
        self.assertAlmostEqual(line_in / repeats, 0.95, delta=0.02)

    def test_what_has_no_line_is_refused(self):
        self.assertRaisesRegex(InputError, "2 points; at least three", fit_line, [1, 2], [3, 4])
        self.assertRaisesRegex(InputError, "same x, 2", fit_line, [2, 2, 2], [1, 2, 3])
        self.assertRaisesRegex(InputError, "Row 2 .* not a number", fit_line, [1, np.nan, 3], [1, 2, 3])

    def test_a_constant_y_has_slope_zero_and_no_correlation(self):
        line = fit_line([1, 2, 3], [4, 4, 4])
        self.assertEqual((line.slope, line.r2, line.p), (0, 0, 1))


class NoteTest(unittest.TestCase):
    def test_values_that_stand_for_none_and_names_spelled_in_two_ways_are_told(self):
        x, y, groups, subjects = example()
        self.assertNotIn("far from", " ".join(regress(x, y, groups=groups, subjects=subjects).warnings))
        y = np.array(y)
        y[3] = -999
        said = " ".join(regress(x, y, groups=groups, subjects=subjects).warnings)
        self.assertIn(f"Row 4 ({subjects[3]}, {groups[3]}) has y -999, far from all others", said)
        groups = [str(name).upper() if n == 0 else str(name) for n, name in enumerate(groups)]
        said = " ".join(regress(x, y, groups=groups, subjects=subjects).warnings)
        self.assertIn("differ in spelling alone", said)


class CookTest(unittest.TestCase):
    def test_it_is_how_far_the_fit_moves_without_the_row(self):
        x, y, _, _ = example(8)
        line = fit_line(x, y)
        fitted = line.slope * x + line.intercept
        variance = ((y - fitted) ** 2).sum() / (x.size - 2)
        for row, distance in enumerate(cooks_distance(x, y)):
            without = fit_line(np.delete(x, row), np.delete(y, row))
            moved = fitted - (without.slope * x + without.intercept)
            self.assertAlmostEqual(distance, (moved**2).sum() / (2 * variance), places=9)


class StructureTest(unittest.TestCase):
    def test_groups_subjects_and_differences_have_lines_of_their_own(self):
        x, y, groups, subjects = example()
        result = regress(x, y, groups=groups, subjects=subjects)
        for name in "ab":
            self.assertEqual(result.within[name], fit_line(x[groups == name], y[groups == name]))
        dx, dy = x[groups == "a"] - x[groups == "b"], y[groups == "a"] - y[groups == "b"]
        self.assertEqual((result.paired.groups, result.paired.line), (("a", "b"), fit_line(dx, dy)))
        self.assertAlmostEqual(result.paired.y_difference, dy.mean())
        turned = regress(x, y, groups=groups, subjects=subjects, pair=("b", "a")).paired
        self.assertAlmostEqual(turned.line.slope, result.paired.line.slope)
        self.assertAlmostEqual(turned.x_difference, -result.paired.x_difference)
        self.assertIn("40 subjects give 80 rows", result.warnings[0])

    def test_three_rows_of_a_subject_give_a_line_of_its_own(self):
        x, y = np.arange(6.0), np.array([0, 1, 2, 0, 2, 4.0])
        slopes = {s: line.slope for s, line in regress(x, y, subjects=[*"AAABBB"]).per_subject.items()}
        self.assertEqual({s: round(slope, 9) for s, slope in slopes.items()}, {"A": 1.0, "B": 2.0})

    @unittest.skipUnless(HAS_STATSMODELS, "statsmodels is not installed")
    def test_the_mixed_model_finds_the_slope_and_both_spreads(self):
        x, y, groups, subjects = example(300)
        mixed = regress(x, y, groups=groups, subjects=subjects).mixed
        self.assertTrue(mixed.slope_ci[0] < 2 < mixed.slope_ci[1], mixed)
        self.assertAlmostEqual(mixed.subject_sd, 3.0, delta=0.4)
        self.assertAlmostEqual(mixed.residual_sd, 0.5, delta=0.06)
        # The subjects' differences are no noise to it: its error is far below that of the pooled line.
        self.assertLess(mixed.slope_se, 0.4 * fit_line(x, y).slope_se)
        self.assertEqual((mixed.n, mixed.subjects, mixed.converged), (600, 300, True))

    @unittest.skipUnless(HAS_STATSMODELS, "statsmodels is not installed")
    def test_few_subjects_of_a_mixed_model_are_counted_as_few(self):
        rng = np.random.default_rng(2)
        subjects = [f"s{n // 2}" for n in range(10)]
        x, y = rng.normal(size=10), rng.normal(size=10) + np.repeat(rng.normal(size=5), 2)
        found = regress(x, y, subjects=subjects).mixed
        self.assertEqual(found.degrees_of_freedom, 3)
        self.assertAlmostEqual(found.p, 2 * stats.t.sf(abs(found.slope / found.slope_se), 3))
        self.assertAlmostEqual(found.slope_ci[1] - found.slope, stats.t.ppf(0.975, 3) * found.slope_se)
        two = regress(x[:4], y[:4], subjects=subjects[:4])
        self.assertIsNone(two.mixed)
        self.assertTrue(any("needs three subjects" in note for note in two.warnings), two.warnings)

    @unittest.skipUnless(HAS_STATSMODELS, "statsmodels is not installed")
    def test_the_mixed_model_does_not_depend_on_units(self):
        x, y, _, subjects = example()
        one, other = regress(x, y, subjects=subjects).mixed, regress(1e4 * x, 1e-3 * y, subjects=subjects).mixed
        self.assertAlmostEqual(other.slope * 1e7 / one.slope, 1, places=6)
        self.assertAlmostEqual(other.subject_sd * 1e3 / one.subject_sd, 1, places=5)

    def test_without_statsmodels_all_else_is_there_and_it_is_said(self):
        x, y, groups, subjects = example()
        with mock.patch.dict(sys.modules, {"statsmodels.regression.mixed_linear_model": None}):
            result = regress(x, y, groups=groups, subjects=subjects)
        self.assertIsNone(result.mixed)
        self.assertTrue(any("pip install statsmodels" in note for note in result.warnings))
        self.assertIsNotNone(result.paired)

    def test_one_subject_three_groups_and_wrong_pairs_are_told(self):
        x, y, groups, subjects = example()
        self.assertIn("one subject, 7;", regress(x, y, subjects=[7] * x.size).warnings[0])
        third = np.tile([*"abcd"], x.size // 4)
        result = regress(x, y, groups=third, subjects=np.arange(x.size) // 4)
        self.assertIsNone(result.paired)
        self.assertTrue(any("There are 4 groups" in note for note in result.warnings))
        paired = regress(x, y, groups=third, subjects=np.arange(x.size) // 4, pair=("d", "b")).paired
        self.assertEqual((paired.groups, paired.line.n), (("d", "b"), 20))
        self.assertRaisesRegex(InputError, "not two of the groups", regress, x, y, groups=groups, pair=("a", "x"))

    def test_a_group_too_small_for_a_line_is_left_out_and_told(self):
        result = regress([1, 2, 3, 4], [1, 3, 2, 4], groups=["a", "a", "a", "b"])
        self.assertEqual(list(result.within), ["a"])
        self.assertIn("No line within the group b:", result.warnings[0])
        alone = regress([1, 2, 3], [1, 3, 2], groups=["a", "b", "c"])
        self.assertEqual((alone.within, len(alone.warnings)), ({}, 1))

    def test_one_slope_within_all_groups_is_that_of_intercepts_for_each(self):
        x, y, groups, _ = example()
        common = regress(x, y, groups=groups).common
        design = np.column_stack([x, groups == "a", groups == "b"])
        solution, (rest,) = np.linalg.lstsq(design, y, rcond=None)[:2]
        error = np.sqrt(rest / (x.size - 3) * np.linalg.inv(design.T @ design)[0, 0])
        np.testing.assert_allclose((common.slope, common.slope_se), (solution[0], error), rtol=1e-9)
        half = stats.t.ppf(0.975, x.size - 3) * error
        np.testing.assert_allclose(common.slope_ci, (solution[0] - half, solution[0] + half), rtol=1e-9)
        self.assertAlmostEqual(common.p, 2 * stats.t.sf(abs(solution[0] / error), x.size - 3), places=12)
        self.assertIsNone(regress(x, y).common)
        # Nothing varies within the groups, or nothing is left over.
        self.assertIsNone(regress([1, 1, 2, 2], [1, 2, 3, 4], groups=[*"aabb"]).common)
        self.assertIsNone(regress([1, 2, 3, 5], [1, 2, 3, 4], groups=[*"abcd"]).common)

    def test_a_slope_that_only_groups_make_is_told(self):
        rng = np.random.default_rng(2)
        groups = np.repeat([0, 1], 20)
        x, y = groups + 0.1 * rng.normal(size=40), groups + 0.1 * rng.normal(size=40)
        told = "rests on differences between the groups"
        self.assertTrue(any(told in note for note in regress(x, y, groups=groups).warnings))
        # A clear slope within the groups, and the opposite one between them.
        x = rng.normal(size=40) + 3 * groups
        y = x - 9 * groups + 0.1 * rng.normal(size=40)
        result = regress(x, y, groups=groups)
        self.assertTrue(all(line.slope > 0.9 for line in result.within.values()))
        self.assertLess(result.pooled.slope, 0)
        self.assertTrue(any(told in note for note in result.warnings), result.warnings)

    def test_a_slope_that_groups_share_is_not_put_down_to_them(self):
        rng = np.random.default_rng(3)
        groups, wrong = np.repeat([0, 1], 8), 0
        for _ in range(200):
            x = rng.normal(size=16)
            y = 0.7 * x + rng.normal(size=16)
            wrong += any("rests on" in note for note in regress(x, y, groups=groups).warnings)
        # By a confidence interval of 95 % that holds what it is compared with, far less than one time in twenty.
        self.assertLess(wrong, 4)

    def test_few_subjects_are_told(self):
        x, y, groups, subjects = example(4)
        result = regress(x, y, groups=groups, subjects=subjects)
        self.assertEqual(any("There are 4 subjects" in note for note in result.warnings), HAS_STATSMODELS)

    @unittest.skipUnless(HAS_STATSMODELS, "statsmodels is not installed")
    def test_intercepts_of_groups_take_their_differences_out_of_the_mixed_model(self):
        x, y, groups, subjects = example(60)
        x, y = x + 4 * (groups == "a"), y - 20 * (groups == "a")
        result = regress(x, y, groups=groups, subjects=subjects)
        low, high = result.mixed_within.slope_ci
        self.assertTrue(low < 2 < high, result.mixed_within)
        # Groups are centered, so that the line goes through the mean of all rows, as many in each group.
        self.assertAlmostEqual(result.mixed_within.intercept + result.mixed_within.slope * x.mean(), y.mean(), places=6)
        self.assertFalse(result.mixed.slope_ci[0] < 2 < result.mixed.slope_ci[1], result.mixed)
        many = regress(x, y, groups=np.arange(x.size) % 50, subjects=subjects)
        self.assertIsNone(many.mixed_within)

    def test_what_a_result_is_written_as_has_no_value_that_json_lacks(self):
        x = np.array([1, 2, 4, 5, 7, 8.0])
        for y in (np.full(6, 2.0), np.array([1, 1, 1, 2, 3, 5.0])):
            result = regress(x, y, groups=[*"aaabbb"], subjects=[*"ababab"])
            written = json.loads(json.dumps(result.as_dict(), allow_nan=False))
            self.assertEqual(written["within"]["a"]["slope_ci"], [0, 0])
        self.assertEqual((result.within["a"].slope_se, result.within["a"].p), (0, 1))

    def test_values_too_large_to_compute_with_are_told(self):
        self.assertRaisesRegex(
            InputError, "beyond 1e.100; check their units", regress, [1, 2, 3], [1e308, -1e308, 1e308]
        )

    def test_pictures_show_groups_or_else_subjects_or_all_as_one(self):
        x, y, groups, subjects = example(6)
        result = regress(x, y, groups=groups, subjects=subjects)
        self.assertEqual(result.series(groups, subjects), (tuple(groups), result.within))
        self.assertEqual(regress(x, y).series(None, None), (("",) * x.size, {}))
        x, y, parts, two = np.arange(40), np.arange(40) % 7, [f"part {n}" for n in range(20)] * 2, [*"01"] * 20
        result = regress(x, y, groups=parts, subjects=two)
        self.assertEqual(result.series(parts, two), (tuple(two), result.per_subject))
        self.assertEqual(result.series(parts, [*map(str, x)])[0], ("",) * 40)


class PaperTest(unittest.TestCase):
    """The published table (Diefenbach et al. 2019, figures 4 and S3) against the numbers recomputed from it."""

    def result(self, y, x, without=()):
        pairs = pair_up([read_table(PAPER)], x, y, exclude=[{"subject": one} for one in without])
        return regress(pairs.x, pairs.y, groups=pairs.groups, subjects=pairs.subjects)

    def check(self, found, expected):
        """Equal to four digits."""
        self.assertAlmostEqual(found / expected, 1, delta=5e-4 if abs(expected) < 1 else 5e-5, msg=(found, expected))

    def test_pooled(self):
        for y, x, without, n, slope, intercept, r2, p in (
            (R2STAR, BVTV, (), 28, 748.126, -99.679, 0.5325, 1.052e-5),
            (TV, BVTV, (), 28, -3.27271, 0.686263, 0.5645, 4.08e-6),
            (TV, R2STAR, (), 28, -0.00397902, 0.190423, 0.8771, 2.415e-13),
            (CLOSED, BVTV, (), 28, -3.25872, 0.695177, 0.4440, 1.0833e-4),
            (CLOSED, R2STAR, (), 28, -0.00375286, 0.169839, 0.6190, 6.879e-7),
            (L2, BVTV, (), 28, -7.4347, -4.84842, 0.0003633, 0.9233),
            (L2, BVTV, ("10",), 26, -3.41597, 0.916514, 0.6215, 1.727e-6),
            (L2, R2STAR, ("10",), 26, -0.00385927, 0.346184, 0.7733, 3.341e-9),
            (TV, BVTV, ("14",), 26, None, None, 0.673, None),
        ):
            line = self.result(y, x, without).pooled
            self.assertEqual(line.n, n)
            for found, expected in ((line.slope, slope), (line.intercept, intercept), (line.p, p)):
                if expected is not None:
                    self.check(found, expected)
            self.assertAlmostEqual(line.r2, r2, delta=5.1e-5 if p else 5e-4)

    def test_within_regions_and_paired(self):
        for y, x, subtalar, tuber, paired in (
            (TV, BVTV, (0.0745, 0.35), (0.0246, 0.59), (0.005, 0.81)),
            (TV, R2STAR, (0.670, 3e-4), (0.084, 0.31), (0.209, 0.10)),
            (R2STAR, BVTV, (0.138, 0.19), (0.041, 0.49), (0.078, 0.33)),
        ):
            result = self.result(y, x)
            lines = (result.within["1"], result.within["3"], result.paired.line)
            for line, (r2, p) in zip(lines, (subtalar, tuber, paired), strict=True):
                self.assertEqual(line.n, 14)
                self.assertAlmostEqual(line.r2, r2, delta=6e-4)
                self.assertAlmostEqual(line.p, p, delta=0.006 if p > 0.01 else 5e-5)
        within = self.result(TV, BVTV).within["1"]
        self.assertAlmostEqual(within.slope, 1.2307, places=4)

    def test_the_outlier_named_in_the_text_is_found(self):
        pairs = pair_up([read_table(PAPER)], BVTV, TV)
        distance = cooks_distance(pairs.x, pairs.y)
        self.assertEqual(pairs.subjects[int(distance.argmax())], "14")


class FewSubjectsTest(unittest.TestCase):
    @unittest.skipUnless(HAS_STATSMODELS, "statsmodels is not installed")
    def test_five_subjects_find_a_slope_that_is_not_there_no_more_often_than_said(self):
        draw, found = np.random.default_rng(5), []
        for _ in range(60):
            whose = np.repeat(np.arange(5), 2)
            x = draw.uniform(0.15, 0.4, 10)
            y = draw.normal(0, 0.1, 5)[whose] + draw.normal(0, 0.05, 10)
            mixed = regress(x, y, subjects=[f"s{subject}" for subject in whose]).mixed
            found.append(mixed.p < 0.05)
            low, high = mixed.slope_ci
            self.assertEqual(low <= 0 <= high, mixed.p >= 0.05)
        # 3 are expected; by the normal distribution there were 8 of 60.
        self.assertLessEqual(sum(found), 5)


if __name__ == "__main__":
    unittest.main()
