"""Storage orders, threads and masks: what may not change maps, and where they end."""

import unittest
from dataclasses import replace
from itertools import permutations, product
from unittest import mock

import numpy as np
from pieces import FAST, SEPARATION, changed, crop, fast, phantom, remember_separation

from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.pipeline import reconstruct, separated
from TrabecularQSMLib.settings import preset


def setUpModule():
    remember_separation()


def stored_otherwise(array, order, flips):
    """Axes k, j, i of an array permuted, then flipped."""
    lead = array.ndim - 3
    array = array.transpose(*range(lead), *(lead + axis for axis in order))
    return array[(..., *(slice(None, None, flip) for flip in flips))]


class OrderTest(unittest.TestCase):
    def test_storage_orders_and_flips_give_the_same_maps(self):
        # All numerics run in the closest RAS order; what remains is rounding of sums over other memory layouts.
        acquisition = crop(phantom().acquisition, (slice(4, 21), slice(6, 36), slice(8, 36)))
        # The same echoes on voxels that differ along all axes, so that no exchange goes unseen.
        stretched = acquisition.affine.copy()
        stretched[:3, :3] *= (1.2, 1.0, 0.8)
        acquisition = changed(acquisition, affine=stretched)
        settings = replace(FAST, mask_erosion=2.0)
        wanted = reconstruct(acquisition, settings).maps
        flips = list(product((1, -1), repeat=3))
        for number, order in enumerate(permutations(range(3))):
            flip = flips[(3 * number + 1) % 8]
            with self.subTest(order=order, flip=flip):
                affine = acquisition.affine.copy()
                for new, (old, sign) in enumerate(zip(order, flip, strict=True)):
                    column = acquisition.affine[:3, 2 - old]
                    affine[:3, 2 - new] = sign * column
                    if sign < 0:
                        affine[:3, 3] += column * (acquisition.shape[old] - 1)
                other = changed(acquisition, echoes=stored_otherwise(acquisition.echoes, order, flip), affine=affine)
                found = reconstruct(other, settings).maps
                for name, array in found.items():
                    np.testing.assert_allclose(
                        array,
                        stored_otherwise(wanted[name], order, flip),
                        rtol=1e-4,
                        atol=1e-4 * np.abs(wanted[name]).max(),
                        err_msg=name,
                    )

    def test_the_same_scan_gives_the_same_bytes_on_one_thread_and_on_two(self):
        acquisition = phantom().acquisition
        settings = preset(inversion_iterations=10)
        with mock.patch.multiple(separated, **SEPARATION):
            one, two = (reconstruct(acquisition, settings, threads=n).maps for n in (1, 2))
        for name, array in one.items():
            self.assertEqual(array.tobytes(), two[name].tobytes(), name)


class MaskTest(unittest.TestCase):
    def setUp(self):
        self.mask = np.zeros(phantom().acquisition.shape, np.int16)
        self.mask[5:18, 10:36, 12:40] = 3

    def test_the_users_mask_comes_out_as_it_went_in_where_there_is_a_field(self):
        bump = self.mask.copy()
        bump[4, 20:24, 20:24] = bump[3, 20:24, 20:24] = 3
        result = reconstruct(phantom().acquisition, FAST, mask=bump)
        # LBV leaves its outermost layer without field: four slices of the box's sides, and the bump's top and bottom.
        expected = np.zeros(bump.shape, bool)
        expected[4:17, 11:35, 13:39] = bump[4:17, 11:35, 13:39]
        np.testing.assert_array_equal(result.maps["mask"], expected)
        # χ is solved in all of it, from the local field of its interior.
        self.assertTrue(np.all((result.maps["chi"] != 0) == expected))
        self.assertEqual(sum("no field" in note and "background" in note for note in result.notes), 1)
        whole = reconstruct(phantom().acquisition, replace(FAST, background="none"), mask=bump)
        np.testing.assert_array_equal(whole.maps["mask"], bump != 0)
        self.assertFalse(any("no field" in note for note in whole.notes))

    def test_a_thin_slab_has_no_chi_in_its_end_slices_and_a_note(self):
        for slices, told in ((5, True), (17, False)):
            slab = crop(phantom().acquisition, (slice(3, 3 + slices), slice(None), slice(None)))
            result = reconstruct(slab, FAST)
            for name in ("mask", "chi"):
                self.assertFalse(result.maps[name][[0, -1]].any())
                self.assertTrue(result.maps[name][1:-1].any(axis=(1, 2)).all())
            self.assertTrue(np.all((result.maps["chi"] != 0) == (result.maps["mask"] > 0)))
            self.assertEqual(sum(f"in {slices - 2} slices left–right only" in n for n in result.notes), int(told))

    def test_a_wrong_mask_is_refused(self):
        for mask, words in ((self.mask[1:], "shape"), (self.mask * 0, "empty"), (self.mask > 5, "empty")):
            with self.assertRaisesRegex(InputError, words):
                reconstruct(phantom().acquisition, FAST, mask=mask)

    def test_a_mask_in_the_air_is_no_failure(self):
        rng = np.random.default_rng(1)
        echoes = rng.standard_normal((9, 8, 10, 12, 2)) @ [1, 1j]
        noise = changed(phantom().acquisition, echoes=echoes)
        mask = np.zeros((8, 10, 12), bool)
        mask[1:6, 2:8, 2:9] = True
        result = reconstruct(noise, FAST, mask=mask)
        self.assertTrue(all(np.all(np.isfinite(array)) for array in result.maps.values()))
        with self.assertRaisesRegex(InputError, "give a mask"):
            reconstruct(noise, FAST)

    def test_a_mask_too_thin_for_lbv_and_a_single_slice_say_what_it_needs(self):
        acquisition = phantom().acquisition
        slab = np.zeros(acquisition.shape, bool)
        slab[10:12] = True
        slice_alone = crop(acquisition, (slice(11, 12), slice(None), slice(None)))
        for scan, mask in ((acquisition, slab), (slice_alone, None)):
            with self.assertRaisesRegex(InputError, "at least three slices"):
                reconstruct(scan, FAST, mask=mask)
        maps = reconstruct(slice_alone, replace(FAST, stop_after="fieldmap")).maps
        self.assertEqual(maps["pdff"].shape, (1, 48, 48))
        body = fast().maps["mask"][11] > 0
        self.assertLess(np.median(np.abs(maps["field_hz"][0] - fast().maps["field_hz"][11])[body]), 0.5)

    def test_voxels_in_another_unit_are_told_and_not_the_depth_that_follows(self):
        acquisition = phantom().acquisition
        small = acquisition.affine @ np.diag([0.1, 0.1, 0.1, 1])
        with self.assertRaisesRegex(InputError, "less than a joint: check its voxel size, which is in mm"):
            reconstruct(changed(acquisition, affine=small), FAST)

    def test_erosion_that_leaves_nothing_is_refused(self):
        with self.assertRaisesRegex(InputError, "mask_erosion"):
            reconstruct(phantom().acquisition, replace(FAST, mask_erosion=50.0))


if __name__ == "__main__":
    unittest.main()
