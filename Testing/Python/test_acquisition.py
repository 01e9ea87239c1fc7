import unittest
from dataclasses import replace
from itertools import permutations, product

import numpy as np
import scans

from TrabecularQSMLib.acquisition import (
    Acquisition,
    Reorientation,
    b0_direction,
    on_field_of_view,
    on_strength,
    voxel_size,
)
from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.pipeline import reconstruct
from TrabecularQSMLib.settings import preset


class AcquisitionTest(unittest.TestCase):
    def assert_refused(self, *words, **changes):
        with self.assertRaises(InputError) as caught:
            scans.acquisition(**changes)
        for word in words:
            self.assertIn(word, str(caught.exception))

    def test_a_direction_of_b0_of_any_length_is_one(self):
        for length in (1e-300, 1e300):
            found = scans.acquisition(b0_patient=(0.0, 0.6 * length, 0.8 * length)).b0_patient
            np.testing.assert_allclose(found, (0, 0.6, 0.8))

    def test_voxel_size_and_b0_follow_from_the_affine_in_array_order(self):
        acquisition = scans.acquisition()
        np.testing.assert_allclose(acquisition.voxel_size, (3.0, 1.2, 1.5))
        np.testing.assert_allclose(acquisition.b0_direction, (0.8, 0.0, -0.6), atol=1e-12)
        np.testing.assert_allclose(np.linalg.norm(b0_direction(scans.AFFINE, (0.6, 0, 0.8))), 1)

    def test_an_image_larger_than_a_person_or_smaller_than_a_joint_is_told(self):
        for size, shape, told in (
            ((0.3, 0.3, 0.9), (90, 300, 300), ""),
            ((1.5, 1.5, 5), (400, 320, 320), ""),  # long
            ((1, 1, 10), (1, 160, 160), ""),  # one slice
            ((0.1, 0.1, 0.3), (30, 30, 30), ""),  # a test object
            ((0.1, 0.1, 0.3), (30, 160, 160), "9 mm, less than a joint: check its voxel size, which is in mm, unless"),
            ((10, 10, 30), (30, 160, 160), "x shows 1600 × 1600 × 900 mm, more than a person"),
        ):
            notes = on_field_of_view(np.diag((*size, 1.0)), shape, "x")
            self.assertEqual(len(notes), bool(told), size)
            self.assertIn(told, "".join(notes))

    def test_b0_of_a_scan_across_the_bore_is_taken_as_given_and_normalized(self):
        acquisition = scans.acquisition(b0_patient=(0, 2, 0))
        np.testing.assert_allclose(acquisition.b0_direction, (0.6, 0.0, 0.8), atol=1e-12)

    def test_field_strength_and_imaging_frequency_give_each_other(self):
        self.assertAlmostEqual(scans.acquisition().imaging_frequency, 127.732e6, delta=1e3)
        by_frequency = scans.acquisition(field_strength=None, imaging_frequency=63.87e6)
        self.assertAlmostEqual(by_frequency.field_strength, 1.5, delta=1e-3)

    def test_a_strength_that_no_usual_scanner_has_is_told(self):
        # Frequencies in MHz of scanners as they are sold, a few of small magnets among them.
        for mhz in (
            14.7,
            21.3,
            23.55,
            25.5,
            42.6,
            49.4,
            63.68,
            63.87,
            123.2,
            123.25,
            127.74,
            127.8,
            200.2,
            297.2,
            400.2,
        ):
            self.assertEqual(on_strength(1e6 * mhz, "a scan"), [], mhz)
        for usual in (63.87, 127.74, 297.2):
            for slip in (0.93, 1.02, 1.05):
                (note,) = on_strength(1e6 * slip * usual, "a scan")
                self.assertIn(f"{slip * usual:.4g} MHz", note)
        for given in ({"field_strength": None}, {"field_strength": 3.0}):
            scan = replace(scans.small_ankle()[0], imaging_frequency=131.5e6, **given)
            notes = reconstruct(scan, preset(stop_after="fieldmap")).notes
            self.assertTrue(any("ImagingFrequency" in note for note in notes), notes)
        self.assertEqual(on_strength(None, "a field in ppm"), [])

    def test_it_cannot_be_changed_and_does_not_copy_what_is_already_in_order(self):
        signal = scans.echoes()
        acquisition = scans.acquisition(echoes=signal)
        self.assertTrue(np.shares_memory(signal, acquisition.echoes))
        self.assertTrue(signal.flags.writeable)
        with self.assertRaises(ValueError):
            acquisition.echoes[0, 0, 0, 0] = 1

    def test_any_storage_order_becomes_one_array_in_ras_order_and_comes_back(self):
        array = scans.echoes()[0].real
        reference = scans.acquisition().reorientation
        world = reference.apply(array)
        for order, flips in product(permutations(range(3)), product((1, -1), repeat=3)):
            with self.subTest(order=order, flips=flips):
                stored = array.transpose(order)[tuple(slice(None, None, flip) for flip in flips)]
                affine = _affine_of_stored(order, flips, array.shape)
                reorientation = Reorientation.to_ras(affine, stored.shape)
                np.testing.assert_array_equal(reorientation.apply(stored), world)
                np.testing.assert_array_equal(reorientation.undo(reorientation.apply(stored)), stored)
                np.testing.assert_allclose(
                    reorientation.apply_affine(affine), reference.apply_affine(scans.AFFINE), atol=1e-12
                )

    def test_a_signal_without_phase_is_refused(self):
        self.assert_refused("is real (float32)", "magnitude · exp(i phase)", echoes=np.abs(scans.echoes()))

    def test_fewer_than_three_echoes_are_refused(self):
        self.assert_refused("2 echoes", "at least three", echoes=scans.echoes(count=2), echo_times=(0.001, 0.002))

    def test_echo_times_that_do_not_fit_the_echoes_are_refused(self):
        self.assert_refused("4 echoes but 3 echo times", "last one of a 4-D file", echo_times=scans.ECHO_TIMES[:3])
        self.assert_refused("no echo times", echo_times=None)

    def test_echo_times_that_do_not_increase_are_refused(self):
        self.assert_refused("do not increase", echo_times=(0.001, 0.003, 0.002, 0.004))
        self.assert_refused("2 echoes at the echo time 0.002 s", echo_times=(0.001, 0.002, 0.002, 0.004))
        self.assert_refused("one echo time, 0.002 s, for all 4 echoes", echo_times=[0.002] * 4)
        self.assert_refused("positive", echo_times=(0, 0.001, 0.002, 0.004))

    def test_echo_times_in_another_unit_are_refused(self):
        self.assert_refused("milliseconds; give seconds (divide by 1,000)", echo_times=(1.2, 1.9, 2.6, 3.3))
        self.assert_refused("microseconds; give seconds (divide by 1,000,000)", echo_times=(1200, 1900, 2600, 3300))
        self.assert_refused("divided by 1,000 twice", echo_times=(1.2e-6, 1.9e-6, 2.6e-6, 3.3e-6))

    def test_voxels_in_another_unit_are_refused(self):
        for scale in (1e-3, 1e3):
            affine = np.diag([scale, scale, scale, 1.0]) @ scans.AFFINE
            self.assert_refused("voxels of", "expected 0.01 to 100 mm", "check the unit", affine=affine)

    def test_a_missing_or_impossible_field_strength_is_refused(self):
        self.assert_refused("MagneticFieldStrength", field_strength=None)
        self.assert_refused("field strength 30000 T", "in gauss, that would be 3 T", field_strength=30000.0)
        self.assert_refused("field strength 127.7 T", "in MHz, that would be 2.999 T", field_strength=127.7)
        self.assert_refused("imaging frequency 127.7 Hz", "in MHz, that would be 1.277e+08 Hz", imaging_frequency=127.7)
        self.assert_refused("3 T, at which", "127.7 MHz, but", "of 63.87 MHz", imaging_frequency=63.87e6)

    def test_axes_off_right_angles_are_told_by_how_much_and_why(self):
        for degrees, words in ((0.2, "by rounding in its header"), (10, "tilted gantry")):
            sheared = scans.AFFINE.copy()
            sheared[:3, 2] += np.tan(np.radians(degrees)) * 3 / 1.2 * scans.AFFINE[:3, 1]
            self.assert_refused(f"{degrees}° off right angles", words, affine=sheared)
        rounded = scans.AFFINE.round(3)
        self.assertEqual(scans.acquisition(affine=rounded).shape, (4, 5, 6))

    def test_signal_that_is_not_a_number_or_nothing_is_refused(self):
        signal = scans.echoes()
        signal[2, 1, 1, 1] = np.nan
        signal[2, 0, 0, 0] = np.inf
        self.assert_refused("Echo 3", "2 voxels", echoes=signal)
        self.assert_refused("zero everywhere", echoes=np.zeros((4, 4, 5, 6), np.complex64))
        self.assert_refused("empty", echoes=np.zeros((4, 0, 5, 6), np.complex64))
        self.assert_refused("3 dimensions", echoes=scans.echoes()[0])

    def test_an_echo_that_was_not_exported_whole_is_refused(self):
        for number in (1, 3, 4):
            signal = scans.echoes()
            signal[number - 1] = 0
            self.assert_refused(f"Echo {number} of a scan is zero everywhere", echoes=signal)
            signal = scans.echoes()
            signal[number - 1, 1] = 0
            self.assert_refused(f"Echo {number} of a scan is zero in", "beside it have signal", echoes=signal)
        signal = scans.echoes()
        signal[:, 1] = 0  # no signal in any echo
        signal[2, 0, 0, 0] = 0  # opposed phase
        scans.acquisition(echoes=signal)

    def test_a_magnitude_whose_square_is_no_number_is_refused(self):
        for factor in (1e-22, 1e25):
            self.assert_refused("single precision", echoes=factor * scans.echoes())

    def test_a_geometry_with_shear_or_without_size_is_refused(self):
        sheared = scans.AFFINE.copy()
        sheared[0, 0] += 0.2
        self.assert_refused("right angles", affine=sheared)
        flat = scans.AFFINE.copy()
        flat[:, 1] = 0
        self.assert_refused("positive", affine=flat)
        self.assert_refused("4×4", affine=np.eye(3))

    def test_a_b0_direction_that_points_nowhere_is_refused(self):
        self.assert_refused("R A S", b0_patient=(0, 0, 0))

    def test_the_message_names_the_source(self):
        self.assert_refused("sub-07", source="sub-07", field_strength=None)

    def test_one_slice_is_accepted(self):
        acquisition = scans.acquisition(echoes=scans.echoes((1, 5, 6)))
        self.assertIsInstance(acquisition, Acquisition)
        self.assertEqual(voxel_size(acquisition.affine), acquisition.voxel_size)


def _affine_of_stored(order, flips, shape):
    """Affine of `array.transpose(order)` with flips, for an array [k, j, i] of scans.AFFINE, column by column."""
    affine = np.eye(4)
    affine[:3, 3] = scans.AFFINE[:3, 3]
    for new_axis, (old_axis, flip) in enumerate(zip(order, flips, strict=True)):
        column = scans.AFFINE[:3, 2 - old_axis]
        affine[:3, 2 - new_axis] = flip * column
        if flip < 0:
            affine[:3, 3] += column * (shape[old_axis] - 1)
    return affine


if __name__ == "__main__":
    unittest.main()
