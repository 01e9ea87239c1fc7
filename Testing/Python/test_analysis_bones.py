"""Bones proposed from maps: of the digital ankle, of simple shapes, and what must not be claimed."""

import unittest
from dataclasses import replace

import hindfoot
import numpy as np
from hindfoot import AFFINE, dice

from TrabecularQSMLib import pipeline
from TrabecularQSMLib.analysis import marrow
from TrabecularQSMLib.analysis.bones import (
    MASK_REACH_MM,
    PARTS,
    REMAINDER,
    TRANSITION_MM,
    cortex_reference,
    cut_calcaneus,
    mask_around,
    propose_bones,
)
from TrabecularQSMLib.errors import Cancelled, InputError
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom
from TrabecularQSMLib.settings import preset

MIRROR = np.diag([-1.0, 1.0, 1.0, 1.0])


def named(bones):
    return {name: bones.labels == label for label, name in bones.names.items()}


class AnkleTest(unittest.TestCase):
    """The digital ankle at 2.5 mm, tilted, with the noise of a poor scan."""

    @classmethod
    def setUpClass(cls):
        settings = PhantomSettings(
            shape=(72, 72, 36), field_of_view_mm=(180, 180, 90), snr=20, seed=41, tilt_degrees=-12
        )
        cls.phantom = make_phantom(settings)
        cls.affine = cls.phantom.acquisition.affine
        separation_only = replace(preset("default"), stop_after="fieldmap")
        cls.maps = pipeline.reconstruct(cls.phantom.acquisition, separation_only).maps
        cls.bones = propose_bones(cls.maps, cls.affine)
        cls.masks = named(cls.bones)

    def truth(self, *names):
        return np.isin(self.phantom.regions, [n for n, name in self.phantom.region_names.items() if name in names])

    def test_the_bones_of_the_hindfoot_have_their_names_and_the_others_numbers(self):
        self.assertEqual(list(self.masks)[:6], ["tibia", "talus", REMAINDER, *PARTS])
        self.assertTrue(all(name.startswith("bone ") for name in list(self.masks)[6:]))
        self.assertEqual(self.bones.notes, ())

    def test_the_marrow_of_a_bone_is_all_in_its_segment_and_no_other_tissue(self):
        marrow = self.phantom.truth["bvtv"] > 0.03  # the tail of the blur of painting is no marrow
        calcaneus = np.any([mask for name, mask in self.masks.items() if name.startswith("calcaneus")], axis=0)
        whole = {"talus": self.masks["talus"], "distal tibia": self.masks["tibia"], "calcaneus": calcaneus}
        for name, mask in whole.items():
            names = list(PARTS) if name == "calcaneus" else [name]
            inner = self.truth(*names)
            self.assertGreater(np.mean(mask[inner]), 0.98, name)
            self.assertGreater(np.mean(marrow[mask]), 0.98, name)
            others = self.truth(*(set(self.phantom.region_names.values()) - set(names)))
            self.assertLess(np.mean(others[mask]), 0.002, name)

    def test_the_parts_of_the_calcaneus_are_those_of_the_phantom(self):
        for name in PARTS:
            self.assertGreater(dice(self.masks[name], self.truth(name)), 0.8, name)

    def test_the_skin_and_pads_of_fat_are_not_claimed(self):
        claimed = self.bones.labels > 0
        self.assertLess(np.mean(claimed[self.truth("skin fat")]), 0.002)

    def test_the_other_foot_is_the_mirror_image(self):
        mirrored = propose_bones(self.maps, MIRROR @ self.affine)
        self.assertEqual(mirrored.names, self.bones.names)
        np.testing.assert_array_equal(mirrored.labels, self.bones.labels)

    def test_the_order_in_which_voxels_are_stored_does_not_matter(self):
        # Sagittal slices become axial ones, and two axes turn around.
        turned = {name: np.flip(np.moveaxis(array, 0, 2), (0, 1)) for name, array in self.maps.items()}
        k, j, _ = turned["pdff"].shape
        step = np.zeros((4, 4))
        # New (i, j, k) to old: old k is new i; old i is new j and old j is new k, both counted from the other end.
        step[2, 0], step[0, 1], step[1, 2], step[3, 3] = 1, -1, -1, 1
        step[0, 3], step[1, 3] = j - 1, k - 1
        again = propose_bones(turned, self.affine @ step)
        self.assertEqual(again.names, self.bones.names)
        for label, name in self.bones.names.items():
            back = np.moveaxis(np.flip(again.labels == label, (0, 1)), 2, 0)
            self.assertGreater(dice(back, self.bones.labels == label), 0.97, name)


class MarrowTest(unittest.TestCase):
    def test_parts_of_marrow_that_meet_in_a_wide_bright_face_are_one(self):
        labels = np.repeat([1, 2], 10)[None, None] * np.ones((10, 20, 1), np.int32)
        for signal, height, parts in ((1.0, 10, 1), (0.5, 10, 2), (1.0, 7, 2)):  # faces of 200 and 140 mm²
            found = marrow._joined(labels[:height], np.full(labels[:height].shape, signal), (1.0, 1.0, 1.0))
            self.assertEqual(len(np.unique(found)), parts)

    def test_a_cortex_is_darker_than_what_lies_on_either_side(self):
        distance = np.linalg.norm(np.stack(np.indices((40, 40, 40))) - 19.5, axis=0)
        inside = distance < 9
        shell = (distance >= 9) & (distance < 11)
        for within, beyond, share in ((0.2, 0.6, 1.0), (0.6, 0.6, 0.0), (0.2, 0.2, 0.0)):
            magnitude = np.select([inside, shell], [1.0, within], beyond)
            self.assertAlmostEqual(marrow._enclosure(inside, magnitude, (1.0, 1.0, 1.0)), share, delta=0.02)


class SimpleFootTest(unittest.TestCase):
    def test_marrow_behind_cortex_is_found_and_named(self):
        maps, marrow = hindfoot.hindfoot()
        masks = named(propose_bones(maps, AFFINE, cut=False))
        self.assertEqual(list(masks), list(hindfoot.NAMES))
        for name, mask in masks.items():
            self.assertGreater(dice(mask, marrow[name]), 0.95, name)

    def test_bones_that_are_far_apart_are_no_joint_and_have_no_names(self):
        maps, _ = hindfoot.hindfoot()
        between = 26  # a plane of 2 mm between calcaneus and talus
        far = {name: np.insert(array, [between] * 8, array[between], axis=0) for name, array in maps.items()}
        self.assertNotIn("calcaneus", propose_bones(far, AFFINE, cut=False).names.values())

    def test_without_one_of_the_three_no_bone_has_a_name(self):
        for missing in hindfoot.NAMES:
            maps, marrow = hindfoot.hindfoot(bones=set(hindfoot.NAMES) - {missing})
            bones = propose_bones(maps, AFFINE)
            self.assertEqual(list(bones.names.values()), ["bone 1", "bone 2"], missing)
            self.assertRegex(bones.notes[0], "No tibia, talus and calcaneus were found together")

    def test_a_foot_upside_down_or_back_to_front_has_no_names(self):
        # As where the header is wrong: what is told by position must not be told then.
        maps, _ = hindfoot.hindfoot()
        for signs in ((1, 1, -1, 1), (1, -1, 1, 1)):
            bones = propose_bones(maps, np.diag(signs) @ AFFINE)
            self.assertEqual(list(bones.names.values()), ["bone 1", "bone 2", "bone 3"])

    def test_of_two_feet_the_side_chooses_one(self):
        one, _ = hindfoot.hindfoot()
        both = {name: np.concatenate([array, array], axis=2) for name, array in one.items()}
        bones = propose_bones(both, AFFINE)
        self.assertEqual(set(name.split()[0] for name in bones.names.values()), {"bone"})
        self.assertRegex(bones.notes[0], "2 feet.*choose a side")
        half = hindfoot.SHAPE[2]
        for side, inside in (("left", np.s_[..., :half]), ("right", np.s_[..., half:])):
            masks = named(propose_bones(both, AFFINE, side=side))
            self.assertEqual(masks["talus"][inside].sum(), masks["talus"].sum(), side)
            self.assertIn("bone 3", masks)

    def test_fat_without_cortex_is_no_bone(self):
        maps, _ = hindfoot.hindfoot(cortex=0)
        self.assertEqual(propose_bones(maps, AFFINE).names, {})

    def test_a_ball_of_water_with_a_shell_of_fat_claims_nothing(self):
        distance = np.linalg.norm(np.stack(np.indices((40, 40, 40))) - 19.5, axis=0) * 2
        for shell in (4, 10, 20):  # mm
            water, fat = 1.0 * (distance < 36 - shell), 1.0 * ((distance >= 36 - shell) & (distance < 36))
            noise = np.abs(np.random.default_rng(1).normal(0, 0.03, water.shape))
            maps = {"pdff": fat / np.maximum(water + fat, 1e-3), "mip": water + fat + noise}
            bones = propose_bones(maps, np.diag([2.0, 2, 2, 1]))
            self.assertEqual((bones.names, bones.labels.any(), bones.labels.shape), ({}, False, water.shape))

    def test_maps_without_fat_or_of_a_single_slice_end_well(self):
        for shape in ((20, 20, 20), (1, 30, 30)):
            for pdff in (0.0, 1.0):
                maps = {"pdff": np.full(shape, pdff), "mip": np.ones(shape)}
                self.assertEqual(propose_bones(maps, np.eye(4)).names, {})

    def test_wrong_input_gets_its_sentence_and_progress_stops_the_search(self):
        maps, _ = hindfoot.hindfoot()
        with self.assertRaisesRegex(InputError, "no map 'mip' among pdff"):
            propose_bones({"pdff": maps["pdff"]}, AFFINE)
        with self.assertRaisesRegex(InputError, "shapes .* give those of one scan"):
            propose_bones({"pdff": maps["pdff"], "mip": maps["mip"][1:]}, AFFINE)
        with self.assertRaisesRegex(InputError, "side is 'both'; choose left or right"):
            propose_bones(maps, AFFINE, side="both")

        def stop(fraction, message):
            if fraction > 0.3:
                raise Cancelled(message)

        with self.assertRaises(Cancelled):
            propose_bones(maps, AFFINE, progress=stop)


class CutTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        _, marrow = hindfoot.hindfoot()
        cls.calcaneus, cls.talus = marrow["calcaneus"], marrow["talus"]
        cls.parts = cut_calcaneus(cls.calcaneus, cls.talus, AFFINE)

    def test_the_tuber_is_behind_and_the_cavum_in_front_below_the_subtalar_region(self):
        subtalar, tuber, cavum = ((np.argwhere(part) * 2).mean(axis=0) for part in self.parts.values())
        self.assertLess(tuber[1] + 15, subtalar[1])
        self.assertLess(subtalar[1] + 5, cavum[1])
        self.assertLess(cavum[0] + 3, subtalar[0])

    def test_parts_keep_off_each_other_and_off_the_cortex(self):
        points = [np.argwhere(part) * 2.0 for part in self.parts.values()]
        for number, some in enumerate(points):
            self.assertGreater(len(some), 300)
            for others in points[:number]:
                nearest = min(np.linalg.norm(others - point, axis=1).min() for point in some)
                self.assertGreaterEqual(nearest, TRANSITION_MM - 2.0)
        outside = ~self.calcaneus
        for part in self.parts.values():
            for axis in range(3):
                self.assertFalse(np.any(np.roll(part, 1, axis) & outside | np.roll(part, -1, axis) & outside))

    def test_a_turned_bone_is_cut_along_its_own_axes(self):
        angle = np.deg2rad(25)
        turn = np.eye(4)
        turn[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        again = cut_calcaneus(self.calcaneus, self.talus, turn @ AFFINE)
        for name, part in self.parts.items():
            np.testing.assert_array_equal(again[name], part)


class CompanionsTest(unittest.TestCase):
    """The mask for χ and the bone reference that come with the bones."""

    def test_the_mask_is_what_of_the_body_is_near_bones(self):
        maps, marrow = hindfoot.hindfoot()
        bones = np.any(list(marrow.values()), axis=0)
        mask = mask_around(bones, maps["mask"], AFFINE)
        body = maps["mask"] != 0
        self.assertTrue(mask[bones].all())
        self.assertFalse(mask[~body].any())
        self.assertGreater(np.count_nonzero(body), np.count_nonzero(mask))
        one = np.zeros((60, 1, 1), bool)
        one[30] = True
        along = np.flatnonzero(mask_around(one, np.ones(one.shape), np.eye(4)))
        self.assertEqual((along[0], along[-1]), (30 - MASK_REACH_MM, 30 + MASK_REACH_MM))
        with self.assertRaisesRegex(InputError, "no bone within the body"):
            mask_around(np.zeros(body.shape), body, AFFINE)

    def test_the_bone_reference_is_cortex_alone(self):
        distance = np.linalg.norm(np.stack(np.indices((60, 60, 60))) - 29.5, axis=0)  # voxels of 0.5 mm
        cortex = (distance >= 20) & (distance < 24)
        image = np.where(distance < 20, 900.0, 450.0)
        image[cortex] = 50
        image += np.random.default_rng(2).normal(0, 30, image.shape)
        found = cortex_reference(image, distance < 20, np.diag([0.5, 0.5, 0.5, 1]))
        self.assertTrue(cortex[found].all())
        self.assertGreater(np.count_nonzero(found), 0.15 * np.count_nonzero(cortex))
        # Labels that lie half a millimeter off change little.
        moved = cortex_reference(image, np.roll(distance < 20, 1, axis=0), np.diag([0.5, 0.5, 0.5, 1]))
        self.assertGreater(np.mean(cortex[moved]), 0.99)

    def test_an_image_without_cortex_is_refused(self):
        bones = np.zeros((30, 30, 30), bool)
        bones[10:20, 10:20, 10:20] = True
        for image in (np.ones(bones.shape), np.where(bones, 900.0, 450.0)):
            with self.assertRaisesRegex(InputError, "no cortex around the bones|no bone"):
                cortex_reference(image, bones, np.eye(4))
        with self.assertRaisesRegex(InputError, "No bone lies on the image"):
            cortex_reference(image, ~bones & bones, np.eye(4))
        with self.assertRaisesRegex(InputError, "give one grid"):
            cortex_reference(image[1:], bones, np.eye(4))


if __name__ == "__main__":
    unittest.main()
