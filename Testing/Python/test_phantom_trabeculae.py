"""Trabeculae in the digital ankle: what they hold, and that they dephase marrow as theory has it."""

import unittest
from dataclasses import replace

import numpy as np
from scipy.ndimage import binary_dilation

from TrabecularQSMLib.acquisition import GYROMAGNETIC_RATIO_HZ_PER_T
from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.fieldmap.fat_models import FAT_MODELS
from TrabecularQSMLib.fieldmap.refine import refine
from TrabecularQSMLib.fieldmap.signal import Model
from TrabecularQSMLib.phantom import Block, PhantomSettings, make_phantom
from TrabecularQSMLib.phantom.trabeculae import LABEL, NAME
from TrabecularQSMLib.simulation.field import FieldModel
from TrabecularQSMLib.simulation.geometry import draw_geometry
from TrabecularQSMLib.simulation.settings import SimulationSettings

# Voxels of 3 mm with the calcaneus in the middle; blocks of 12.8 mm.
SCAN = PhantomSettings(
    shape=(50, 46, 24), field_of_view_mm=(150.0, 138.0, 72.0), snr=None, chi_fat=0.5, chi_bone=-1.5, marrow_pdff=1.0
)
QUICK = replace(SCAN, supersampling=1)
CENTER = (0.0, -48.0, -40.0)


def block_of(bone, **changes):
    return Block(bone, 12.8 / bone.shape[0], CENTER, **{"pdff": 1.0, "bone_density": 0.0, **changes})


def geometry(number, radius, **changes):
    return draw_geometry(SimulationSettings(size=64, boundary="filled", **changes), number, radius, 0)


def rates_of(phantom):
    """R2* of the noiseless echoes, in voxels inside the block."""
    return phantom.truth["r2star"][phantom.regions == LABEL]


class BlockTest(unittest.TestCase):
    def test_without_bone_it_is_marrow_with_r2_alone(self):
        phantom = make_phantom(SCAN, block=block_of(np.zeros((64, 64, 64), bool)))
        inside = phantom.regions == LABEL
        # Whole voxels of 3 mm in 12.8 mm.
        self.assertEqual(np.count_nonzero(inside), 4**3)
        self.assertEqual(phantom.region_names[LABEL], NAME)
        self.assertEqual(phantom.truth["bvtv"][inside].max(), 0)
        np.testing.assert_allclose(phantom.truth["chi"][inside], 0.5, rtol=1e-5)
        # Fields of what lies around dephase a voxel of 3 mm a little.
        self.assertAlmostEqual(np.median(rates_of(phantom)), 15, delta=4)
        # Marrow goes on around it.
        self.assertGreater(phantom.truth["bvtv"][binary_dilation(inside) & ~inside].min(), 0.1)

    def test_spheres_dephase_as_their_own_field_has_it(self):
        bone = geometry(2700, 2)
        phantom = make_phantom(SCAN, block=block_of(bone))
        self.assertAlmostEqual(phantom.truth["bvtv"][phantom.regions == LABEL].mean(), bone.mean(), delta=0.01)
        # The field of the geometry by the simulation, voxel by voxel; 15 of its voxels are one of the scan.
        field = FieldModel(SimulationSettings(size=64, boundary="filled", b0_direction=(0, 1, 0))).field(bone)
        whole = (slice(2, 62),) * 3
        turning = 2 * np.pi * GYROMAGNETIC_RATIO_HZ_PER_T * 3 * -2e-6 * field[whole]
        times = np.array(SCAN.echo_times)
        model = Model(times, FAT_MODELS[SCAN.fat_model].signal(times, 3 * GYROMAGNETIC_RATIO_HZ_PER_T))
        signal = []
        for time, fat in zip(times, model.fat, strict=True):
            points = np.exp(1j * turning * time - 15 * time) * ~bone[whole] * fat
            signal.append(points.reshape(4, 15, 4, 15, 4, 15).mean(axis=(1, 3, 5)).ravel())
        direct = refine(np.array(signal), model, np.zeros(64), np.full(64, 100.0))[1]
        self.assertGreater(direct.mean(), 100)
        # Other neighbors at the block's border, and points of 1.5 mm between which the field of the means is constant.
        self.assertAlmostEqual(rates_of(phantom).mean() / direct.mean(), 1, delta=0.05)
        # The field of the block as a whole counts once: twice, the fit would be off by 4.9 Hz.
        inside = phantom.regions == LABEL
        field = phantom.truth["field_hz"][inside]
        fitted = refine(phantom.acquisition.echoes[:, inside], model, field, np.full(64, 100.0))[0]
        self.assertLess(np.std(fitted - field), 4)

    def test_cylinders_dephase_across_the_field_and_not_along_it(self):
        # Along j of a sagittal scan lies B0.
        along, across = (
            np.median(
                rates_of(make_phantom(QUICK, block=block_of(geometry(60, 2, shape="cylinders", orientation=one))))
            )
            for one in ((0, 1, 0), (1, 0, 0))
        )
        self.assertLess(along, 25)
        self.assertGreater(across, 3 * along)

    def test_bone_with_a_signal_is_there_in_early_echoes(self):
        scan = replace(QUICK, echo_times=(0.2e-3, 1.2e-3, 2.2e-3, 5e-3))
        bone = geometry(340, 4)
        with_signal, without = (
            np.abs(make_phantom(scan, block=block_of(bone, bone_density=density)).acquisition.echoes)
            for density in (1.0, 0.0)
        )
        change = (with_signal - without).max(axis=(1, 2, 3)) / without.max()
        self.assertGreater(change[0], 0.03)
        self.assertLess(change[-1], 1e-4)

    def test_what_does_not_fit_is_told(self):
        bone = np.zeros((64, 64, 64), bool)
        for words, block in (
            ("leaves the marrow", Block(bone, 0.2, (0.0, -41.0, 27.0))),
            ("leaves the marrow", Block(bone, 0.42, (0.0, -46.0, -34.0))),
            ("outside the field of view", Block(bone, 0.2, (0.0, 300.0, 0.0))),
            ("three along each axis are the least", Block(bone, 0.1, CENTER)),
        ):
            with self.subTest(words), self.assertRaisesRegex(InputError, words):
                make_phantom(SCAN, block=block)
        for words, changes in (("shape", {"bone": bone[0]}), ("edge of 3 mm", {"voxel_mm": 3.0}), ("fat", {"pdff": 2})):
            with self.subTest(words), self.assertRaisesRegex(InputError, words):
                replace(Block(bone, 0.2, CENTER), **changes)


if __name__ == "__main__":
    unittest.main()
