"""The simulated bSSFP and CT: their contrast, their trabeculae and their motion against the phantom's truth."""

import unittest
from dataclasses import replace
from functools import lru_cache

import numpy as np

from TrabecularQSMLib.analysis.agreement import largest_displacement
from TrabecularQSMLib.analysis.registration import register_rigid
from TrabecularQSMLib.errors import Cancelled, InputError
from TrabecularQSMLib.fieldmap.masks import combine_echoes
from TrabecularQSMLib.images import resample
from TrabecularQSMLib.phantom import CompanionSettings, PhantomSettings, make_companions, make_phantom
from TrabecularQSMLib.phantom.companions import HU_BONE, _fraction, _structure

COARSE = CompanionSettings(bssfp_voxel_mm=(1.0, 1.0, 1.5), ct_voxel_mm=(1.5, 1.5, 1.5), structure_mm=0.25)
SILENT = replace(COARSE, bssfp_snr=1e6, ct_noise_hu=0)
CALCANEUS = ("calcaneus subtalar", "calcaneus tuber", "calcaneus cavum")


@lru_cache(maxsize=1)
def phantom():
    return make_phantom(PhantomSettings(shape=(73, 73, 34), seed=5))


@lru_cache(maxsize=2)
def made(settings=COARSE):
    return make_companions(phantom(), settings)


def on_phantom(image, affine, matrix):
    """The image on the phantom's grid, where its tissue is; NaN where it shows nothing."""
    shape, its_affine = phantom().regions.shape, phantom().settings.affine
    return resample(image.astype(np.float32), affine, shape, its_affine, matrix, outside=np.nan)


class GeometryTest(unittest.TestCase):
    def test_true_motion_brings_the_tissue_of_the_phantom_onto_its_own(self):
        companions = made(SILENT)
        bssfp = on_phantom(companions.bssfp, companions.bssfp_affine, companions.bssfp_matrix)
        ct = on_phantom(companions.ct, companions.ct_affine, companions.ct_matrix)
        fat, muscle = (phantom().regions == label for label in (8, 7))
        self.assertGreater(np.nanmedian(bssfp[fat]), 1.8 * np.nanmedian(bssfp[muscle]))

        def share_of_muscle(ct):
            return np.mean(np.abs(ct[muscle & np.isfinite(ct)] - 40) < 20)

        self.assertGreater(share_of_muscle(ct), 0.998)
        # In the other direction, or without motion, the tissues do not agree.
        for matrix in (np.linalg.inv(companions.ct_matrix), np.eye(4)):
            moved = on_phantom(companions.ct, companions.ct_affine, matrix)
            self.assertLess(share_of_muscle(moved), 0.95)

    def test_motions_are_rigid_within_their_limits_and_differ(self):
        tiny = CompanionSettings(bssfp_voxel_mm=(8, 8, 8), ct_voxel_mm=(8, 8, 8), structure_mm=1)
        for seed in range(3):
            companions = make_companions(make_phantom(PhantomSettings(shape=(20, 20, 12), seed=seed)), tiny)
            for matrix in (companions.bssfp_matrix, companions.ct_matrix):
                np.testing.assert_allclose(matrix[:3, :3] @ matrix[:3, :3].T, np.eye(3), atol=1e-12)
                angle = np.degrees(np.arccos((np.trace(matrix[:3, :3]) - 1) / 2))
                self.assertTrue(3 < angle <= 10, angle)
            self.assertGreater(np.abs(companions.bssfp_matrix - companions.ct_matrix).max(), 0.1)

    def test_registration_from_the_centers_finds_the_motion_of_both(self):
        companions = made()
        mip = combine_echoes(phantom().acquisition.echoes)
        affine = phantom().settings.affine
        points = np.argwhere(np.isin(phantom().regions, (1, 2, 3)))[:, ::-1] @ affine[:3, :3].T + affine[:3, 3]
        for image, its_affine, truth in (
            (companions.bssfp, companions.bssfp_affine, companions.bssfp_matrix),
            (companions.ct, companions.ct_affine, companions.ct_matrix),
        ):
            found = register_rigid(mip, affine, image, its_affine)
            # A quarter of a voxel of 3 mm.
            self.assertLess(largest_displacement(found.matrix, truth, points), 0.75)
            self.assertGreater(largest_displacement(np.eye(4), truth, points), 5)


class StructureTest(unittest.TestCase):
    def test_the_share_of_bone_is_the_bvtv_asked_for(self):
        settings = CompanionSettings(bssfp_voxel_mm=(0.9, 0.9, 0.9), structure_mm=0.15)
        tile = _structure(settings, np.random.default_rng(0))
        self.assertEqual(tile.shape, (30, 30, 30, 216))
        index = np.nonzero(np.ones(tile.shape[:3], bool))
        for bvtv in (0.08, 0.25, 0.42):
            found = _fraction(tile, index, np.full(index[0].size, bvtv, np.float32))
            self.assertAlmostEqual(float(found.mean()), bvtv, delta=0.005)
            self.assertGreater(found.std(), 0.02)  # voxels differ: it is a structure

    def test_structure_has_the_size_of_trabeculae(self):
        settings = CompanionSettings(bssfp_voxel_mm=(0.1, 0.1, 0.1))
        with_period = _structure(replace(settings, structure_mm=0.1), np.random.default_rng(0))[:20, :20, :, 0]
        line = with_period.astype(float) - with_period.mean()
        power = (np.abs(np.fft.rfft(line, axis=2)) ** 2).mean(axis=(0, 1))
        frequency = np.fft.rfftfreq(line.shape[2], 0.1)
        # Hardly anything shorter than half a millimeter.
        self.assertLess(power[frequency > 2.5].sum(), 0.05 * power.sum())

    def test_true_bvtv_of_the_regions_is_that_of_the_phantom(self):
        found = made().bvtv
        # Metatarsals are out of the field of view; muscle and fat have no trabeculae.
        self.assertEqual(set(found), {*CALCANEUS, "distal tibia", "talus"})
        names = {name: label for label, name in phantom().region_names.items()}
        for name, bvtv in found.items():
            expected = phantom().truth["bvtv"][phantom().regions == names[name]].mean()
            self.assertAlmostEqual(bvtv, float(expected), delta=0.01, msg=name)


class ContrastTest(unittest.TestCase):
    def test_denser_bone_is_darker_in_bssfp_and_brighter_in_ct(self):
        companions = made(SILENT)
        bssfp = on_phantom(companions.bssfp, companions.bssfp_affine, companions.bssfp_matrix)
        ct = on_phantom(companions.ct, companions.ct_affine, companions.ct_matrix)
        means = [[np.nanmean(image[phantom().regions == label]) for label in (1, 2, 3)] for image in (bssfp, ct)]
        self.assertTrue(means[0][0] < means[0][1] < means[0][2], means)
        self.assertTrue(means[1][0] > means[1][1] > means[1][2], means)

    def test_bone_reference_is_cortex_and_dark(self):
        companions = made()
        bone = companions.bone > 0
        self.assertEqual(set(np.unique(companions.bone)), {0, 1})
        cortex = on_phantom(companions.bone, companions.bssfp_affine, companions.bssfp_matrix)
        self.assertGreater(phantom().truth["cortex"][cortex > 0.3].mean(), 0.3)
        whole = companions.bssfp[companions.bssfp > 0.5 * companions.bssfp.max()].mean()
        self.assertLess(companions.bssfp[bone].mean(), 0.2 * whole)
        self.assertGreater(bone.sum(), 300)

    def test_ct_is_in_hounsfield_units(self):
        ct = made(SILENT).ct
        self.assertEqual((ct.dtype, ct.min()), (np.int16, -1000))
        self.assertTrue(0.5 * HU_BONE < ct.max() <= HU_BONE)

    def test_noise_is_rician_with_the_signal_to_noise_ratio_asked_for(self):
        companions = made()
        air = companions.ct[companions.ct < -850]
        self.assertLess(abs(np.median(air) + 1000), 5)
        # Far from the body: the mean of a Rayleigh distribution is √(π/2) times the deviation of one channel.
        corner = companions.bssfp[-6:, :20, :6].astype(float)
        self.assertAlmostEqual(corner.mean(), np.sqrt(np.pi / 2) * 2000 / COARSE.bssfp_snr, delta=8)

    def test_a_coil_makes_the_same_tissue_brighter_on_one_side(self):
        companions = made(SILENT)
        fat = on_phantom(companions.bssfp, companions.bssfp_affine, companions.bssfp_matrix)[phantom().regions == 8]
        low, high = np.nanpercentile(fat, (5, 95))
        self.assertGreater(high / low, 1.1)


class RunningTest(unittest.TestCase):
    def test_the_same_settings_give_the_same_bytes(self):
        again = make_companions(phantom(), COARSE)
        for name in ("bssfp", "bone", "ct", "bssfp_affine", "bssfp_matrix", "ct_matrix"):
            np.testing.assert_array_equal(getattr(again, name), getattr(made(), name), name)
        self.assertEqual(again.bvtv, made().bvtv)

    def test_progress_rises_and_cancel_passes(self):
        seen = []
        make_companions(phantom(), COARSE, progress=lambda fraction, _: seen.append(fraction))
        self.assertEqual(seen, sorted(seen))
        self.assertEqual(seen[-1], 1.0)

        def stop(fraction, _):
            if fraction > 0.6:
                raise Cancelled

        self.assertRaises(Cancelled, make_companions, phantom(), COARSE, progress=stop)

    def test_settings_that_cannot_be_simulated_are_named(self):
        for name, value in (
            ("bssfp_voxel_mm", (0.3, 0.3)),
            ("ct_voxel_mm", (0.0, 1, 1)),
            ("structure_mm", 5),
            ("largest_shift_mm", -1),
            ("bssfp_snr", float("nan")),
        ):
            with self.assertRaisesRegex(InputError, name):
                CompanionSettings(**{name: value})


if __name__ == "__main__":
    unittest.main()
