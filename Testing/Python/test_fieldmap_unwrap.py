"""Whole periods of the field between voxels, between parts that lie apart, and over all."""

import unittest
from unittest import mock

import numpy as np
from models import EQUAL, model_at, within_period
from scipy import ndimage

from TrabecularQSMLib.fieldmap import unwrap as unwrapping
from TrabecularQSMLib.fieldmap.groups import EchoGroups
from TrabecularQSMLib.fieldmap.signal import synthesize
from TrabecularQSMLib.fieldmap.unwrap import _outvoted, parts_apart, steepness, unwrap
from TrabecularQSMLib.pipeline.remarks_on_echoes import on_steepness


class UnwrapTest(unittest.TestCase):
    period = 1 / 0.7e-3

    def setUp(self):
        self.shape = (10, 40, 44)
        z, y, x = np.indices(self.shape)
        # Over four periods from end to end, steepest step a tenth of a period.
        self.field = 150.0 * (y - 20) + 60.0 * (x - 22) * np.sin(z / 4) / 4
        self.weight = np.ones(self.shape)

    def wrap(self, field):
        return within_period(field, self.period)

    def test_a_field_over_several_periods_comes_back(self):
        y, x = np.indices(self.shape)[1:]
        mask = (y - 20) ** 2 + (x - 22) ** 2 < 18**2
        mask &= ~((y - 20) ** 2 + (x - 22) ** 2 < 5**2)
        found = unwrap(self.wrap(self.field), mask, self.weight, self.period)
        self.assertGreater(np.ptp(self.field[mask]), 3 * self.period)
        np.testing.assert_allclose(found[mask], self.field[mask], atol=1e-6)
        self.assertFalse(found[~mask].any())

    def test_parts_without_connection_fit_to_the_largest_one(self):
        y, x = np.indices(self.shape)[1:]
        mask = (y != 30) & (np.abs(x - 40) > 1)
        self.assertEqual(ndimage.label(mask)[1], 4)
        # Across the gaps of up to 3 voxels the field changes by less than half a period.
        found = unwrap(self.wrap(self.field), mask, self.weight, self.period)
        shift = (found - self.field)[mask] / self.period
        np.testing.assert_allclose(shift, np.round(shift[0]), atol=1e-6)

    def test_a_part_behind_another_is_joined_to_that_one(self):
        # 200 Hz across each gap, but 800 Hz, more than half a period, from the last part to the largest.
        x = np.arange(150.0)[None, None]
        field = np.broadcast_to(20 * x - 700, (3, 4, 150))
        mask = np.broadcast_to((x < 80) | ((x >= 90) & (x < 110)) | (x >= 120), field.shape)
        self.assertEqual(ndimage.label(mask)[1], 3)
        found = unwrap(self.wrap(field), mask, np.ones(field.shape), self.period)
        shift = (found - field)[mask] / self.period
        np.testing.assert_allclose(shift, np.round(shift[0]), atol=1e-6)

    def test_parts_are_joined_across_the_narrowest_gap(self):
        # 0, 0.4 and 0.8 periods in a row of parts; the first and the last one meet as well, across a wide gap.
        field = self.period * np.repeat([0, 0.4, 0.8], [4, 7, 5])[None, None] * np.ones((2, 9, 1))
        mask = np.ones(field.shape, bool)
        mask[..., [4, 10]] = mask[:, 5:, 4:11] = False
        self.assertEqual(ndimage.label(mask)[1], 3)
        found = unwrap(self.wrap(field), mask, np.ones(field.shape), self.period)
        np.testing.assert_allclose((found - field)[mask], (found - field)[0, 0, 0], atol=1e-6)

    def test_of_two_voxels_that_each_blame_the_other_none_moves(self):
        values = np.array([0.0, 0.9])
        for votes in (1, 2):
            with mock.patch.object(unwrapping, "VOTES", votes):
                _outvoted(values, np.ones(2), np.array([0]), np.array([1]), 1.0)
            np.testing.assert_array_equal(values, [0, 0.9])

    def test_a_field_as_steep_as_its_period_is_told_and_a_smooth_one_is_not(self):
        k, j, i = np.indices((12, 14, 16))
        inside, rng = (j > 2) & (k > 1), np.random.default_rng(0)
        times = np.array([1.3, 2.3, 3.3, 4.8]) * 1e-3  # the last one is farther

        def steps(field):
            model = model_at(times)
            signal = synthesize(1.0 * (i > 8).ravel(), 1.0 * (i <= 8).ravel(), field.ravel(), 50.0, model)
            signal += 0.05 * (rng.normal(size=(*signal.shape, 2)) @ [1, 1j])
            return steepness(signal.reshape(-1, *k.shape), times, inside)

        found, period = steps(200.0 * k - 50 * i)
        self.assertAlmostEqual(period, 1000)
        np.testing.assert_allclose(found, (200, 0, -50), atol=15)
        (note,) = on_steepness(found, period)
        self.assertRegex(note, r"^The field changes by \d+ Hz from voxel to voxel, inferior–superior")
        self.assertEqual(on_steepness(*steps(100.0 * k)), [])
        self.assertEqual(list(steps(rng.uniform(0, 1000, k.shape))[0]), [0, 0, 0])

    def test_parts_apart_are_told_with_their_gap_and_what_the_field_does_over_it(self):
        y, x = np.indices(self.shape)[1:]
        mask = ((x < 20) & (y > 1)) | ((x > 25) & (y < 30)) | ((x == 30) & (y == 36))
        rng = np.random.default_rng(46)
        field = np.where(x > 25, 300.0, 50.0) + rng.normal(0, 20, self.shape)
        (part,) = parts_apart(np.where(mask, field, 0), mask & (np.indices(self.shape)[0] < 6), (3.0, 1.0, 2.0))
        np.testing.assert_array_equal(part.inside, mask & (x > 25) & (y < 30) & (np.indices(self.shape)[0] < 6))
        self.assertEqual(part.gap_mm, 14.0)
        self.assertAlmostEqual(part.change_hz, 250.0, delta=10.0)
        self.assertEqual(parts_apart(field, mask & (x < 20), (1.0,) * 3), [])

    def test_voxels_of_noise_do_not_mislead_the_trusted_ones(self):
        rng = np.random.default_rng(19)
        y, x = np.indices(self.shape)[1:]
        bad = ((np.abs(y - 20) < 3) & (x % 15 != 0)) | (rng.random(self.shape) < 0.05)
        wrapped = np.where(bad, rng.uniform(-714, 714, self.shape), self.wrap(self.field))
        found = unwrap(wrapped, np.ones(self.shape, bool), np.where(bad, 0.01, 1.0), self.period)
        np.testing.assert_allclose(found[~bad], self.field[~bad], atol=1e-6)

    def test_a_steep_way_of_trust_wins_over_a_smooth_one_without(self):
        # Over six rows the field rises by 0.35 periods each, 2.1 in all, which only two columns tell; between them
        # lies what cannot be trusted, smooth, and rising by 0.1 periods in all.
        y, x = np.indices(self.shape)[1:]
        rows = np.clip(y - 17, 0, 6)
        field = (0.35 * rows - 1.05) * self.period
        bad = (rows > 0) & (rows < 6) & (x % 30 != 5)
        wrapped = self.wrap(np.where(bad, (0.1 / 6 * rows - 1.05) * self.period, field))
        found = unwrap(wrapped, np.ones(self.shape, bool), np.where(bad, 0.01, 1.0), self.period)
        shift = (found - field)[~bad] / self.period
        np.testing.assert_allclose(shift, np.round(shift[0]), atol=1e-6)

    def test_what_lies_behind_a_wrong_voxel_stays_with_its_neighbors(self):
        # The field rises by 0.4 periods from column to column: a voxel 0.3 periods off is closer to the next period of
        # the one behind it than any two right ones are.
        field = np.broadcast_to(0.4 * self.period * np.arange(44.0), self.shape).copy()
        right = np.ones(self.shape, bool)
        for wrong in ((5, 20, 21), (2, 7, 5), (8, 30, 40)):
            right[wrong] = False
            field[wrong] -= 0.3 * self.period
        found = unwrap(self.wrap(field), np.ones(self.shape, bool), self.weight, self.period)
        shift = (found - field)[right] / self.period
        np.testing.assert_allclose(shift, np.round(shift[0]), atol=1e-6)

    def test_a_voxel_follows_its_neighbors_where_the_tree_does_not(self):
        # On a plane of two columns there is no bend to see, and the least trusted voxel hangs on its neighbor's.
        values = np.array([0.0, 0.1, 0.0, 1.0, 0.1, 0.0]) * self.period
        lower, upper = np.array([0, 1, 3, 4, 0, 1, 2]), np.array([1, 2, 4, 5, 3, 4, 5])
        _outvoted(values, np.ones(6), lower, upper, self.period)
        np.testing.assert_allclose(values / self.period, [0, 0.1, 0, 0, 0.1, 0], atol=1e-9)

    def test_the_one_global_period_puts_the_trusted_median_within_half_a_period_of_zero(self):
        mask = np.ones(self.shape, bool)
        weight = np.where(np.indices(self.shape)[1] < 12, 1.0, 0.001)
        median = np.median(self.field[:, :12])
        self.assertLess(median, -self.period / 2)
        for offset in (0.0, 3000.0, -5000.0):
            found = unwrap(self.wrap(self.field + offset), mask, weight, self.period)
            shift = (found - self.field - offset) / self.period
            np.testing.assert_allclose(shift, -np.round((median + offset) / self.period), atol=1e-6)

    def test_with_trains_of_their_own_phases_the_offset_is_known_up_to_the_period_of_one(self):
        mask, third = np.ones(self.shape, bool), self.period / 3
        # Small phases, as of no trains at all, belong to the field that they were found with.
        for phases, period in (([0.0, 1.5, -1.0], third), ([0.0, 0.1, -0.1], self.period)):
            groups = EchoGroups(np.arange(9) % 3, np.array(phases), np.zeros((3, 3)), np.zeros(3))
            self.assertAlmostEqual(groups.period_hz(EQUAL), period, places=6)
        median = np.median(self.field)
        for offset in (0.0, third, -2 * third):
            found = unwrap(self.wrap(self.field + offset), mask, self.weight, self.period, offset_period_hz=third)
            np.testing.assert_allclose(found - self.field, -third * np.round(median / third), atol=1e-6)

    def test_an_empty_mask_and_a_field_without_trust_are_no_failure(self):
        nothing = np.zeros(self.shape, bool)
        self.assertFalse(unwrap(self.field, nothing, self.weight, self.period).any())
        found = unwrap(self.wrap(self.field), ~nothing, np.zeros(self.shape), self.period)
        shift = (found - self.field) / self.period
        np.testing.assert_allclose(shift, np.round(shift[0, 0, 0]), atol=1e-6)


if __name__ == "__main__":
    unittest.main()
