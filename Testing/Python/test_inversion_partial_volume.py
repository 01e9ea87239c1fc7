"""Voxels that cortex cuts, against slabs whose field is known, and links at cortex."""

import unittest

import numpy as np

from TrabecularQSMLib.inversion.partial_volume import (
    MOST_PASSES,
    SLOPES,
    STANDS,
    field_offset,
    invert_corrected,
    missing_share,
    sharpened,
    slope_of_share,
)
from TrabecularQSMLib.inversion.weights import edge_weight, free_links

BONE = -2.0
SHAPE = (32, 24, 20)
VOXEL_SIZE = (1.5, 1.5, 1.5)
UP, ACROSS = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)


def slab():
    """Missing share of a slab from the middle of plane 13 to that of plane 16: two whole planes, two cut in half."""
    share = np.zeros(SHAPE, np.float32)
    share[14:16], share[13], share[16] = 1.0, 0.5, 0.5
    return share


class OffsetTest(unittest.TestCase):
    def test_a_slab_across_and_along_b0_gives_two_thirds_and_minus_a_third_of_its_part(self):
        share = slab()
        # Inside a slab the field is (1/3 − cos²) χ, outside zero: signal sees none of it, the mean its share.
        for b0, factor in ((UP, 2 / 3), (ACROSS, -1 / 3)):
            # Something else far away, so that the field is not zero where there is signal: it must drop out.
            chi = BONE * share
            chi[24:30] = 3.0
            offset = field_offset(chi, 1 - share, VOXEL_SIZE, b0_direction=b0, slope=BONE)
            cut = offset[[13, 16]]
            # The sharpened share is 0.9 right, as the signal that is known per voxel allows.
            np.testing.assert_allclose(cut, factor * BONE * 0.5, rtol=0.1)
            self.assertLess(np.abs(np.delete(offset, (13, 16), axis=0)).max(), 0.02 * np.abs(cut).max())

    def test_a_tendon_that_is_dark_but_no_bone_gives_none(self):
        share = slab()
        offset = field_offset(0 * share, 1 - share, VOXEL_SIZE, b0_direction=UP, slope=0.0)
        self.assertEqual(np.abs(offset).max(), 0.0)

    def test_a_share_keeps_each_voxel_s_mean_and_gathers_beside_the_slab(self):
        share = slab()
        rng = np.random.default_rng(3)
        share[20:30] = rng.random((10, *SHAPE[1:]), dtype=np.float32)
        fine = sharpened(share)
        self.assertEqual(fine.shape, tuple(2 * n for n in SHAPE))
        self.assertTrue(fine.min() >= 0 and fine.max() <= 1)
        means = fine.reshape(32, 2, 24, 2, 20, 2).mean(axis=(1, 3, 5))
        inside = (share > 0.05) & (share < 0.95)
        np.testing.assert_allclose(means[inside], share[inside], atol=1e-3)
        self.assertTrue(np.all(fine[27] > 0.9) and np.all(fine[26] < 0.1))

    def test_a_share_is_counted_against_the_signal_around_it_whatever_the_coil(self):
        share = slab()
        coil = np.linspace(0.7, 1.0, SHAPE[1], dtype=np.float32)[:, None]
        found = missing_share((1 - share) * coil)
        np.testing.assert_allclose(found[[13, 16], 4:-4, 4:-4], 0.5, atol=0.05)
        thick = np.ones(SHAPE)
        thick[10:22] = 0.01
        np.testing.assert_array_less(0.85, missing_share(thick)[11:21])
        self.assertTrue(np.all(missing_share(np.zeros(SHAPE)) == 1))

    def test_the_slope_is_the_bone_s_own_and_never_beyond_its_range(self):
        share, mask = slab(), np.ones(SHAPE, bool)
        found = slope_of_share(0.5 + BONE * share, share, mask, VOXEL_SIZE)
        np.testing.assert_allclose(found[12:18], BONE, rtol=0.02)
        self.assertEqual(slope_of_share(9 * share, share, mask, VOXEL_SIZE).max(), SLOPES[1])
        self.assertEqual(slope_of_share(-9 * share, share, mask, VOXEL_SIZE).min(), SLOPES[0])

    def test_it_inverts_again_until_the_offset_stands_and_no_more(self):
        share, mask = slab(), np.ones(SHAPE, bool)
        mask[:3] = False
        seen, fractions = [], []

        def known(field, progress):
            seen.append(field)
            progress(1.0, "")
            return BONE * share

        field = np.zeros(SHAPE, np.float32)
        options = {"b0_direction": UP, "progress": lambda fraction, _: fractions.append(fraction)}
        chi, offset, change = invert_corrected(known, field, 1 - share, mask, VOXEL_SIZE, **options)
        self.assertEqual(len(seen), 2)
        self.assertLess(change, STANDS)
        np.testing.assert_array_equal(seen[1], -offset)
        np.testing.assert_allclose(offset[13], 2 / 3 * BONE * 0.5, rtol=0.12)
        self.assertFalse(offset[~mask].any() or field.any())
        self.assertEqual(fractions, sorted(fractions))
        seen.clear()
        chi, offset, change = invert_corrected(
            known, field, 1 - share, mask, VOXEL_SIZE, b0_direction=UP, correction="off", progress=lambda *_: None
        )
        self.assertEqual((len(seen), offset.any(), change), (1, False, 0.0))
        seen.clear()

        def restless(field, progress):
            seen.append(field)
            return BONE * share * (len(seen) % 2 + 0.2)

        change = invert_corrected(restless, field, 1 - share, mask, VOXEL_SIZE, b0_direction=UP)[2]
        self.assertEqual(len(seen), MOST_PASSES + 1)
        self.assertGreater(change, STANDS)


class FreeLinksTest(unittest.TestCase):
    def test_no_link_of_a_voxel_of_cortex_is_penalized_and_all_others_stay(self):
        cortex = np.zeros((9, 9, 9), bool)
        cortex[4, 4, 4] = True
        weight = edge_weight(np.ones(cortex.shape), np.ones(cortex.shape, bool), VOXEL_SIZE)
        freed = free_links(weight, cortex)
        # Forward differences: the voxel's own three links, and those of its three neighbors before it.
        wanted = {(4, 4, 4), (3, 4, 4), (4, 3, 4), (4, 4, 3)}
        self.assertEqual({tuple(at) for at in np.argwhere(freed == 0).tolist()}, wanted)
        self.assertEqual(np.count_nonzero(freed != weight), 4)
        np.testing.assert_array_equal(free_links(weight, cortex, decoupled="off"), weight)
        self.assertTrue(weight.all(), "the input stays as it is")


if __name__ == "__main__":
    unittest.main()
