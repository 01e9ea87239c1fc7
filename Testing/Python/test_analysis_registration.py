"""Rigid registration: known motions are found in the direction that is promised, and what cannot work is refused."""

import unittest
from functools import lru_cache
from unittest import mock

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from TrabecularQSMLib.analysis import information, registration
from TrabecularQSMLib.analysis.agreement import checkerboard, largest_displacement
from TrabecularQSMLib.analysis.information import on_images
from TrabecularQSMLib.analysis.landmarks import register_landmarks
from TrabecularQSMLib.analysis.registration import agreement, register_and_judge, register_rigid
from TrabecularQSMLib.errors import Cancelled, InputError
from TrabecularQSMLib.fieldmap import masks
from TrabecularQSMLib.images import resample
from TrabecularQSMLib.phantom import CompanionSettings, PhantomSettings, make_companions, make_phantom


def motion(degrees=(4.0, -5.0, 6.0), shift=(8.0, -7.0, 6.0)):
    """Rotation by a vector, then a shift, (4, 4)."""
    x, y, z = vector = np.deg2rad(degrees)
    angle = np.linalg.norm(vector) or 1.0
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) / angle
    matrix = np.eye(4)
    matrix[:3, :3] += np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    matrix[:3, 3] = shift
    return matrix


MOTION = motion()
AFFINE = np.array([[0, 0, 2.0, -44], [-2.0, 0, 0, 50], [0, -2.0, 0, 46], [0, 0, 0, 1]])
# Center and half axes in RAS mm, and gray value.
BONES = (((0, -12, -10), (14, 20, 12), 160), ((3, 12, 14), (9, 9, 18), 40), ((-14, 10, -6), (7, 8, 8), 10))


@lru_cache(maxsize=1)
def fixed_points():
    """RAS of all voxels of the fixed image, mm, (45, 47, 50, 3)."""
    k, j, i = np.indices((45, 47, 50))
    return np.stack([i, j, k], axis=-1) @ AFFINE[:3, :3].T + AFFINE[:3, 3]


@lru_cache(maxsize=1)
def fixed_image():
    """A body with three bones of different size and gray value, (45, 47, 50), with some noise."""
    ras = np.moveaxis(fixed_points(), -1, 0)

    def ball(center, axes):
        distance = np.sqrt(sum(((ras[n] - center[n]) / axes[n]) ** 2 for n in range(3)))
        return np.clip(0.5 + (1 - distance) * min(axes) / 2, 0, 1)

    image = 100 * ball((0, 0, 0), (36, 43, 40))
    for center, axes, value in BONES:
        share = ball(center, axes)
        image += share * (value - image)
    return (image + np.random.default_rng(1).normal(0, 4, image.shape)).astype(np.float32)


@lru_cache(maxsize=1)
def moving_image():
    """Another contrast of the same body after `MOTION`, finer in two directions, with a smaller field of view."""
    affine = np.diag([1.0, 1.0, 2.5, 1.0])
    affine[:3, 3] = (-20.0, -45.0, -26.0)
    moved = resample(fixed_image(), AFFINE, (24, 80, 60), affine, np.linalg.inv(MOTION))
    contrast = 300 - 2.0 * moved + 60 * np.sin(moved / 25)
    return (contrast + np.random.default_rng(2).normal(0, 10, moved.shape)).astype(np.float32), affine


@lru_cache(maxsize=1)
def registered():
    return register_rigid(fixed_image(), AFFINE, *moving_image())


def bone_points():
    return np.argwhere(fixed_image() > 130)[:, ::-1] @ AFFINE[:3, :3].T + AFFINE[:3, 3]


class RigidTest(unittest.TestCase):
    def test_a_known_motion_is_found_from_fixed_to_moving_points(self):
        found = registered()
        self.assertLess(largest_displacement(found.matrix, MOTION, bone_points()), 0.5)
        # The other direction would be far away.
        self.assertGreater(largest_displacement(found.matrix, np.linalg.inv(MOTION), bone_points()), 15)

    def test_the_same_input_gives_the_same_bits(self):
        first, second = registered(), register_rigid(fixed_image(), AFFINE, *moving_image())
        np.testing.assert_array_equal(first.matrix, second.matrix)
        self.assertEqual(first.mutual_information, second.mutual_information)

    def test_the_result_is_rigid_and_its_numbers_are_in_their_ranges(self):
        found = registered()
        np.testing.assert_allclose(found.matrix[:3, :3] @ found.matrix[:3, :3].T, np.eye(3), atol=1e-9)
        np.testing.assert_array_equal(found.matrix[3], (0, 0, 0, 1))
        self.assertTrue(0.2 < found.quality < 1 and found.mutual_information > 0)
        self.assertTrue(0.8 < found.overlap <= 1, found.overlap)
        self.assertTrue(found.converged)
        self.assertTrue(10 < found.iterations < 600)

    def test_a_start_by_hand_is_refined(self):
        by_hand = motion((2, -2, 3), (5, -5, 5))
        found = register_rigid(fixed_image(), AFFINE, *moving_image(), start=by_hand)
        self.assertLess(largest_displacement(found.matrix, MOTION, bone_points()), 0.5)

    def test_moments_find_the_body_in_another_field_of_view(self):
        # The whole body in both, the second elsewhere in the scanner.
        affine = AFFINE.copy()
        affine[:3, 3] += (60, -70, 80)
        found = register_rigid(fixed_image(), AFFINE, 50 - fixed_image(), affine, start="moments")
        self.assertLess(largest_displacement(found.matrix, motion((0, 0, 0), (60, -70, 80)), bone_points()), 0.1)

    def test_a_mask_leaves_out_what_moved_on_its_own(self):
        image, affine = moving_image()
        changed, keep = fixed_image().copy(), np.ones(fixed_image().shape, bool)
        changed[:, :, 33:] = np.roll(changed[:, :, 33:], 9, axis=1)
        keep[:, :, 33:] = False
        errors = [
            largest_displacement(
                register_rigid(changed, AFFINE, image, affine, start=start, fixed_mask=mask).matrix,
                MOTION,
                bone_points(),
            )
            for start, mask in ((MOTION, None), (MOTION, keep), ("geometry", keep))
        ]
        self.assertLess(max(errors[1:]), 0.5)
        self.assertGreater(errors[0], max(errors[1:]))

    def test_a_mask_around_one_bone_is_enough_from_the_centers_of_the_images(self):
        image, affine = moving_image()
        center, axes, _ = BONES[2]
        mask = np.sum(((fixed_points() - center) / (np.array(axes) + 4)) ** 2, axis=-1) < 1
        found = register_rigid(fixed_image(), AFFINE, image, affine, fixed_mask=mask)
        # An eighth of a voxel; shifts tried and refined within the mask alone ended half a voxel away and more.
        self.assertLess(largest_displacement(found.matrix, MOTION, fixed_points()[mask]), 0.25)

    def test_the_search_proposes_four_different_starts_the_best_first(self):
        image, affine = moving_image()
        pair = information.Pair.of(fixed_image(), AFFINE, image, affine, None)
        shifts = information.search_shifts(pair.fixed, pair.moving, None)
        self.assertEqual(len({tuple(matrix[:3, 3]) for matrix in shifts}), 4)
        self.assertLess(largest_displacement(shifts[0], MOTION, bone_points()), 20)

    def test_a_start_is_kept_where_the_steps_within_a_mask_lead_away(self):
        image, affine = moving_image()
        # The first step is one voxel long, wherever it starts.
        with mock.patch.object(registration, "ITERATIONS", 1):
            found = register_rigid(fixed_image(), AFFINE, image, affine, start=MOTION, fixed_mask=fixed_image() > 130)
        np.testing.assert_allclose(found.matrix, MOTION, atol=1e-12)
        self.assertGreater(found.mutual_information, 0)

    def test_what_is_better_within_a_mask_on_one_of_two_grids_alone_is_not_taken(self):
        image, affine = moving_image()
        # Quality of what was found and of the start, on the finest grid and on one twice as coarse.
        for qualities, taken in (((0.6, 0.5, 0.6, 0.5), True), ((0.6, 0.5, 0.4, 0.5), False), ((0.4, 0.5), False)):
            with (
                mock.patch.object(registration, "ITERATIONS", 1),
                mock.patch.object(registration, "shared_information", side_effect=qualities),
            ):
                bones = fixed_image() > 130
                found = register_rigid(fixed_image(), AFFINE, image, affine, start=MOTION, fixed_mask=bones)
            self.assertEqual(np.abs(found.matrix - MOTION).max() > 1e-3, taken, qualities)

    def test_a_start_by_hand_is_refined_where_a_mask_leaves_fine_structures_only(self):
        phantom = make_phantom(PhantomSettings(shape=(98, 98, 45), seed=2))
        settings = CompanionSettings(bssfp_voxel_mm=(1.2, 1.2, 1.8), ct_voxel_mm=(4.0, 4.0, 4.0), structure_mm=0.3)
        companions = make_companions(phantom, settings)
        affine, calcaneus = phantom.settings.affine, np.isin(phantom.regions, (1, 2, 3))
        points = np.argwhere(calcaneus)[:, ::-1] @ affine[:3, :3].T + affine[:3, 3]
        # Two voxels of 2.25 mm around the bone.
        mask = ndimage.binary_dilation(calcaneus, iterations=2)
        by_hand = companions.bssfp_matrix @ motion((0, 0, 1), (1.0, -0.8, 0.7))
        found = register_rigid(
            masks.combine_echoes(phantom.acquisition.echoes),
            affine,
            companions.bssfp,
            companions.bssfp_affine,
            start=by_hand,
            fixed_mask=mask,
        )
        self.assertGreater(largest_displacement(by_hand, companions.bssfp_matrix, points), 1.5)
        self.assertLess(largest_displacement(found.matrix, companions.bssfp_matrix, points), 0.75)

    def test_thin_slabs_of_thin_slices_are_registered_to_thicker_voxels(self):
        affine = np.diag([1.0, 1.0, 0.5, 1.0])
        affine[:3, 3] = (-45.0, -45.0, -10.0)
        slab = resample(fixed_image(), AFFINE, (4, 90, 90), affine), affine
        for images in ((fixed_image(), AFFINE, *slab), (*slab, fixed_image(), AFFINE)):
            found = register_rigid(*images, start=motion((0, 0, 0), (1, -1, 1)))
            self.assertLess(largest_displacement(found.matrix, np.eye(4), affine[:3, 3:].T), 1.0)

    def test_an_image_nearly_all_of_one_value_is_registered(self):
        # One voxel in a thousand is less than the percentiles that clip outliers.
        small = np.zeros(fixed_image().shape, np.uint8)
        small[20:23, 20:23, 20:23] = 1
        found = register_rigid(fixed_image(), AFFINE, small, AFFINE, start=np.eye(4))
        self.assertGreater(found.overlap, 0.8)

    def test_quality_drops_where_the_registration_is_wrong(self):
        image, affine = moving_image()
        right = registered()
        # As if it had been stopped at the start: no step is taken.
        with mock.patch.object(registration, "ITERATIONS", 1):
            wrong = register_rigid(fixed_image(), AFFINE, image, affine, start=motion((9, -9, 0), (14, 0, 6)))
        self.assertLess(wrong.quality, 0.8 * right.quality)
        self.assertFalse(wrong.converged)

    def test_images_with_nothing_in_common_are_told(self):
        image, affine = moving_image()
        noise = np.random.default_rng(0).normal(size=image.shape)
        blurred = ndimage.gaussian_filter(noise, (2, 4, 4))  # of 5 mm
        bones = fixed_image() > 130
        for moving in (noise, np.abs(noise), blurred):
            for mask in (None, bones):
                found = agreement(fixed_image(), AFFINE, moving, affine, MOTION, fixed_mask=mask)
                self.assertIn("next to nothing in common", found.warning)
        for moving in (image, image + 60 * noise):
            for mask in (None, bones):
                found = agreement(fixed_image(), AFFINE, moving, affine, MOTION, fixed_mask=mask)
                self.assertIsNone(found.warning, found)

    def test_a_result_that_a_mere_search_beats_is_told(self):
        images = fixed_image(), AFFINE, *moving_image()
        off = motion((0, 0, 0), (6, 0, 0)) @ MOTION
        self.assertIsNone(agreement(*images, MOTION, searched=off).warning)
        self.assertIn("a search over shifts alone reaches 0.", agreement(*images, off, searched=MOTION).warning)

    def test_images_that_share_clearly_less_than_half_are_told(self):
        left = fixed_image()[:, :, :30]
        for first, told in ((22, True), (16, False), (8, False)):
            beside = AFFINE.copy()
            beside[:3, 3] += first * AFFINE[:3, 0]
            warning = agreement(left, AFFINE, fixed_image()[:, :, first:], beside, np.eye(4)).warning
            self.assertEqual("share no more than" in (warning or ""), told)
        # A slab within the other image covers little of a mask of the body, and has its place all the same.
        slab = AFFINE.copy()
        slab[:3, 3] += 16 * AFFINE[:3, 0]
        images = (fixed_image(), AFFINE, fixed_image()[:, :, 16:29], slab, np.eye(4))
        self.assertIsNone(agreement(*images, fixed_mask=fixed_image() > 0).warning)

    def test_an_image_that_was_mirrored_is_told(self):
        moving, affine = moving_image()
        for image, told in ((moving, False), (np.ascontiguousarray(moving[:, :, ::-1]), True)):
            _, found = register_and_judge(fixed_image(), AFFINE, image, affine)
            self.assertEqual("if one of them is mirrored from left to right" in str(found.warning), told, found)

    def test_progress_rises_and_its_exception_comes_out_as_itself(self):
        seen = []
        register_rigid(fixed_image(), AFFINE, *moving_image(), progress=lambda fraction, _: seen.append(fraction))
        self.assertEqual((seen[0], seen[-1]), (0.0, 1.0))
        self.assertEqual(seen, sorted(seen))
        self.assertGreater(len(seen), 30)

        seen.clear()

        def stop(fraction, _):
            seen.append(fraction)
            if fraction > 0.15:
                raise Cancelled

        self.assertRaises(Cancelled, register_rigid, fixed_image(), AFFINE, *moving_image(), progress=stop)
        self.assertEqual(sum(fraction > 0.15 for fraction in seen), 1, "it went on")

    def test_ctrl_c_comes_out_as_itself_wherever_it_hits_the_callback(self):
        def interrupt(*_):
            raise KeyboardInterrupt

        with mock.patch.object(sitk.ImageRegistrationMethod, "GetCurrentLevel", interrupt):
            self.assertRaises(KeyboardInterrupt, register_rigid, fixed_image(), AFFINE, *moving_image())

    def test_the_search_finds_a_small_field_of_view_far_from_the_center(self):
        fixed = information._checked("fixed", fixed_image(), AFFINE)
        affine = AFFINE.copy()
        affine[:3, 3] += AFFINE[:3, :3] @ (24, 5, 20) + (150, -80, 300)
        moving = information._checked("moving", 200 - fixed_image()[20:, 5:35, 24:], affine)
        starts = information.search_shifts(fixed, moving, None)
        step = (fixed.size_mm3 / information.SEARCH_POINTS) ** (1 / 3)
        np.testing.assert_allclose(starts[0][:3, 3], (150, -80, 300), atol=step)
        np.testing.assert_array_equal(starts[0][:3, :3], np.eye(3))

    def test_input_is_not_changed(self):
        image, affine = moving_image()
        kept = fixed_image().copy(), AFFINE.copy(), image.copy(), affine.copy()
        register_rigid(fixed_image(), AFFINE, image, affine, start=MOTION, fixed_mask=fixed_image() > 50)
        for before, after in zip(kept, (fixed_image(), AFFINE, image, affine), strict=True):
            np.testing.assert_array_equal(before, after)


class WrongInputTest(unittest.TestCase):
    def assert_refused(self, words, fixed=None, moving=None, **options):
        image, affine = moving_image()
        fixed = fixed_image() if fixed is None else fixed
        with self.assertRaisesRegex(InputError, words):
            register_rigid(fixed, AFFINE, image if moving is None else moving, affine, **options)

    def test_images_without_overlap(self):
        self.assert_refused("do not overlap", start=motion(shift=(500, 0, 0)))

    def test_a_constant_image(self):
        self.assert_refused("fixed image is 3 everywhere", fixed=np.full((20, 20, 20), 3.0))
        self.assert_refused("moving image is 0 everywhere", moving=np.zeros((20, 20, 20)))

    def test_values_that_are_not_numbers(self):
        broken = fixed_image().copy()
        broken[3, 4, 5:7] = np.nan, np.inf
        self.assert_refused("fixed image holds 2 voxels that are not numbers", fixed=broken)

    def test_a_single_slice(self):
        self.assert_refused("at least 4 voxels", moving=moving_image()[0][:1])

    def test_an_empty_mask_or_one_of_another_shape(self):
        self.assert_refused("mask is empty", fixed_mask=np.zeros(fixed_image().shape, bool))
        self.assert_refused("mask has shape", fixed_mask=np.ones((2, 2, 2), bool))

    def test_a_mask_that_holds_too_little_to_compare(self):
        for count in (1, 20):
            mask = np.zeros(fixed_image().shape, bool)
            mask[20, 20, 5 : 5 + count] = True
            for start in ("geometry", MOTION):
                self.assert_refused(
                    f"mask holds {count} of .* at least 500; draw it larger", fixed_mask=mask, start=start
                )

    def test_a_start_that_is_not_rigid_or_not_known(self):
        for matrix in (np.diag([1.1, 1, 1, 1]), np.diag([-1, 1, 1, 1]), np.full((4, 4), np.nan), np.eye(3)):
            self.assert_refused("not rigid", start=matrix)
        self.assert_refused("choose geometry, moments", start="anywhere")


class LandmarksTest(unittest.TestCase):
    POINTS = np.array([[0, 0, 0], [30, 5, 0], [-10, 25, 8], [4, -9, 33.0]])

    def test_a_known_motion_is_found_from_fixed_to_moving_points(self):
        moved = self.POINTS @ MOTION[:3, :3].T + MOTION[:3, 3]
        matrix, rms = register_landmarks(self.POINTS, moved)
        np.testing.assert_allclose(matrix, MOTION, atol=1e-9)
        self.assertLess(rms, 1e-9)

    def test_three_points_in_a_plane_are_not_mirrored(self):
        points = self.POINTS[:3]
        matrix, _ = register_landmarks(points, points @ MOTION[:3, :3].T + MOTION[:3, 3])
        np.testing.assert_allclose(matrix, MOTION, atol=1e-9)

    def test_points_of_a_mirror_image_do_not_mirror(self):
        matrix, rms = register_landmarks(self.POINTS, self.POINTS * (-1, 1, 1))
        self.assertAlmostEqual(np.linalg.det(matrix), 1)
        self.assertGreater(rms, 1)

    def test_what_does_not_fit_is_given_in_millimeters(self):
        # Two points 20 mm apart seen 24 mm apart, and one on their axis of symmetry: 2 mm are left at each of two.
        fixed, moving = [[-10, 0, 0], [10, 0, 0], [0, 20, 0]], [[-12, 0, 0], [12, 0, 0], [0, 20, 0]]
        matrix, rms = register_landmarks(fixed, moving)
        np.testing.assert_allclose(matrix, np.eye(4), atol=1e-9)
        self.assertAlmostEqual(rms, np.sqrt(8 / 3), places=9)

    def test_too_few_unpaired_or_collinear_points_are_refused(self):
        for words, fixed, moving in (
            ("2 pairs", self.POINTS[:2], self.POINTS[:2]),
            ("fixed image has 4 landmarks and the moving one 3", self.POINTS, self.POINTS[:3]),
            ("on a line", np.outer((0, 1, 3), (1, 2, 3)), self.POINTS[:3]),
            ("on a line", self.POINTS[:3], np.ones((3, 3))),
        ):
            with self.assertRaisesRegex(InputError, words):
                register_landmarks(fixed, moving)


class ComparisonTest(unittest.TestCase):
    def test_largest_displacement_is_that_of_the_farthest_point(self):
        turn = motion((0, 0, 90), (0, 0, 0))
        self.assertAlmostEqual(largest_displacement(turn, np.eye(4), [[1, 0, 0], [3, 0, 9]]), 3 * np.sqrt(2))

    def test_a_checkerboard_shows_both_images_scaled_in_alternate_tiles(self):
        ramp = np.broadcast_to(np.linspace(0, 1, 8, dtype=np.float32), (4, 8, 8))
        board = checkerboard(ramp, 500 - 300 * ramp, tiles=4)
        self.assertEqual(board.shape, ramp.shape)
        self.assertLess(board[0, 0, 0], 0.2)  # the first image
        self.assertGreater(board[0, 2, 0], 0.8)  # the second
        np.testing.assert_array_equal(board[0, 0], board[2, 2])
        np.testing.assert_array_equal(board[0, 2], board[2, 0])

    def test_a_checkerboard_needs_one_grid(self):
        self.assertRaisesRegex(InputError, "resample", checkerboard, np.ones((2, 2, 2)), np.ones((2, 2, 3)))


class ImagesTest(unittest.TestCase):
    def test_labels_padding_and_an_image_registered_to_itself_are_told_whatever_their_names(self):
        image = np.random.default_rng(3).normal(size=(8, 9, 10))
        labels = np.kron(np.arange(8).reshape(2, 2, 2), np.ones((4, 4, 5)))
        self.assertEqual(on_images(("x", image), ("x", image + 1)), [])
        self.assertIn("x holds a few whole numbers in patches", on_images(("x", labels), ("x", image[:, :8]))[0])
        self.assertIn("padding of a CT", on_images(("x", image), ("x", np.where(image > 2, -3024, image)))[0])
        self.assertIn("x holds the same values as y", on_images(("y", image), ("x", image.copy()))[0])


if __name__ == "__main__":
    unittest.main()
