"""Several runs of one scan: inversions and L-curves of the same fields, fields kept for the next run; progress."""

import unittest
from dataclasses import replace
from unittest import mock

import numpy as np
from pieces import FAST, crop, fast, phantom, remember_separation, slab

from TrabecularQSMLib.acquisition import MeasuredField
from TrabecularQSMLib.chunks import _openblas
from TrabecularQSMLib.errors import Cancelled, InputError
from TrabecularQSMLib.inversion.grid import Grid
from TrabecularQSMLib.inversion.lcurve import LCurve
from TrabecularQSMLib.pipeline import (
    KeptFields,
    reconstruct,
    reconstruct_each,
    remarks,
    separated,
    solving,
    sweep_regularization,
)
from TrabecularQSMLib.pipeline.fields import Fields
from TrabecularQSMLib.settings import preset


def setUpModule():
    remember_separation()


class ManyTest(unittest.TestCase):
    kept = KeptFields()

    def test_inversions_of_the_same_fields_equal_single_runs(self):
        acquisition = phantom().acquisition
        settings = [FAST, preset(inversion="medi-l2", inversion_iterations=500), replace(FAST, regularization=2.0)]
        calls = []
        original = separated.separate
        self.addCleanup(setattr, separated, "separate", original)
        separated.separate = lambda *args, **more: calls.append(1) or original(*args, **more)
        with mock.patch.object(Fields, "local", autospec=True, side_effect=Fields.local) as local:
            together = reconstruct_each(acquisition, settings)
        self.assertEqual(len(calls), 1)
        self.assertEqual(local.call_count, 2)  # with cortex and without, for all of them
        for one, found in zip(settings, together, strict=True):
            alone = reconstruct(acquisition, one)
            self.assertEqual(found.settings, alone.settings)
            for name, array in alone.maps.items():
                np.testing.assert_array_equal(found.maps[name], array, err_msg=name)

    def test_settings_of_the_fields_must_agree(self):
        with self.assertRaisesRegex(InputError, "mask_erosion"):
            reconstruct_each(phantom().acquisition, [FAST, replace(FAST, mask_erosion=1.0)])
        with self.assertRaises(InputError):
            reconstruct_each(phantom().acquisition, [])

    def test_an_l_curve_follows_regions_from_the_same_fields(self):
        acquisition = phantom().acquisition
        inside = (phantom().regions > 0) & (fast().maps["mask"] > 0)
        regions = {"bone": inside}
        own = FAST.regularization
        options = {"regions": regions, "keep": (own,), "kept": self.kept}
        curve = sweep_regularization(acquisition, FAST, (0.02, own, 2.0), **options)
        self.assertAlmostEqual(curve.region_means["bone"][1], fast().maps["chi"][inside].mean(), places=4)
        self.assertEqual(list(curve.maps), [own])
        np.testing.assert_allclose(curve.maps[own], fast().maps["chi"], atol=1e-5)
        self.assertTrue(np.all(np.diff(curve.discrepancy) > 0))

    def test_what_an_l_curve_cannot_be_made_of_is_refused(self):
        acquisition = phantom().acquisition
        with self.assertRaisesRegex(InputError, "stop_after"):
            sweep_regularization(acquisition, replace(FAST, stop_after="background"))
        with self.assertRaisesRegex(InputError, "at least three"):
            sweep_regularization(acquisition, FAST, (0.1, 0.2))

    def test_an_l_curve_says_where_its_corner_tells_little(self):
        settings = replace(FAST, regularization=20.0)
        curve = sweep_regularization(phantom().acquisition, settings, (0.01, 0.1, 1, 10), kept=self.kept)
        said = " ".join(curve.notes)
        self.assertIn(f"{20 / curve.best:.0f} times below that of the settings, 20,", said)
        self.assertIn("largest at the end of the values", said)
        values = np.logspace(-2, 2, 41)
        corner = 0.7 / np.cosh(np.log(values))
        curve = LCurve("closed-form", values, *np.ones((3, 41)), corner, 1.0)
        self.assertEqual(remarks.on_lcurve(curve, 0.5), [])
        self.assertRegex(remarks.on_lcurve(curve, 0.1)[0], "10 times above that of the settings, 0.1,")
        self.assertRegex(remarks.on_lcurve(replace(curve, curvature=corner / 2), 1.0)[0], "no sharp corner.* is 0.35")

    def test_threads_must_be_positive(self):
        for threads in (0, -1):
            with self.assertRaisesRegex(InputError, "threads"):
                reconstruct(phantom().acquisition, FAST, threads=threads)

    def test_the_library_under_numpy_has_one_thread_meanwhile_and_its_own_afterwards(self):
        if not _openblas():
            self.skipTest("numpy is without its own OpenBLAS here")
        ((get, put),) = _openblas()
        self.addCleanup(put, get())
        put(2)
        seen = []

        def stop(*_):
            seen.append(get())
            raise Cancelled

        with self.assertRaises(Cancelled):
            reconstruct(phantom().acquisition, FAST, progress=stop)
        self.assertEqual((seen, get()), ([1], 2))


class KeptFieldsTest(unittest.TestCase):
    def setUp(self):
        self.kept = KeptFields()
        # The field of a sphere with noise, which takes no fit of echoes.
        k, j, i = (np.arange(24) - 11.5)[:, None, None], (np.arange(24) - 11.5)[:, None], np.arange(24) - 11.5
        radius = np.sqrt(k**2 + j**2 + i**2)
        values = np.where(radius > 3, (3 / radius) ** 3 * (3 * k**2 / radius**2 - 1) / 3, 0)
        values = values + 1e-3 * np.random.default_rng(1).standard_normal(values.shape)
        values[radius > 11] = 0
        self.field = MeasuredField(values, np.diag([1.5, 1.5, 1.5, 1.0]), "total", magnitude=1.0 * (radius < 11))
        self.settings = replace(FAST, separate_cortex="no", mask_erosion=2.0)

    def run_on(self, field=None, mask=None, progress=None, **changes):
        settings = replace(self.settings, **changes)
        return reconstruct(field or self.field, settings, mask=mask, kept=self.kept, progress=progress)

    def test_another_inversion_of_the_same_scan_uses_them_and_gives_the_same_bytes(self):
        first = self.run_on()
        self.assertFalse(self.kept.were_used)
        changes = {"regularization": 1.0, "reference": "mask", "padding": 6}
        found, alone = self.run_on(**changes), reconstruct(self.field, replace(self.settings, **changes))
        self.assertTrue(self.kept.were_used)
        self.assertEqual((found.settings, found.notes), (alone.settings, alone.notes))
        self.assertEqual(set(found.maps), set(alone.maps))
        for name, array in alone.maps.items():
            np.testing.assert_array_equal(found.maps[name], array, err_msg=name)
        # What one run puts into the maps is not in those of the next.
        np.testing.assert_array_equal(self.run_on().maps["chi"], first.maps["chi"])
        self.assertTrue(self.kept.were_used)

    def test_anything_else_that_differs_computes_them_anew(self):
        values, mask = self.field.field.copy(), np.ones(self.field.shape, bool)
        values[10, 11, 12] *= 1.001
        turned = replace(self.field, b0_patient=(0.0, 0.6, 0.8))
        for what, arguments in {
            "first": {},
            "a voxel": {"field": replace(self.field, field=values)},
            "b0": {"field": turned},
            "a mask": {"field": turned, "mask": mask},
            "another mask": {"field": turned, "mask": mask & (self.field.magnitude > 0)},
            "a setting": {"field": turned, "mask": mask & (self.field.magnitude > 0), "background": "none"},
            "notes": {"field": replace(turned, notes=("Read.",)), "background": "none"},
        }.items():
            self.run_on(**arguments)
            self.assertFalse(self.kept.were_used, what)
        self.kept.forget()
        self.run_on(replace(turned, notes=("Read.",)), background="none")
        self.assertFalse(self.kept.were_used)

    def test_echoes_are_not_kept_and_the_noise_of_chi_needs_none(self):
        acquisition = crop(phantom().acquisition, (slice(10, 22), slice(12, 36), slice(12, 36)))
        self.kept.of(acquisition, replace(self.settings, stop_after="background"), None, None)
        given = self.kept.of(acquisition, replace(self.settings, stop_after="background"), None, None)
        self.assertTrue(self.kept.were_used)
        self.assertIsNone(given.acquisition)
        given.maps["chi"] = "mine"
        self.assertNotIn(
            "chi", self.kept.of(acquisition, replace(self.settings, stop_after="background"), None, None).maps
        )
        sigma = solving.solve(
            given, replace(self.settings, chi_sigma="yes", regularization=0.2), Grid.around(given.mask), None
        )
        self.assertEqual(given.maps["sigma_chi"].shape, given.mask.shape)
        self.assertIsNotNone(sigma[1])

    def test_a_run_that_was_stopped_leaves_nothing_half_made(self):
        def stop(fraction, message):
            raise Cancelled

        with self.assertRaises(Cancelled):
            self.run_on(progress=stop)
        self.run_on()
        self.assertFalse(self.kept.were_used)


class ProgressTest(unittest.TestCase):
    def test_progress_rises_from_zero_to_one_and_what_it_raises_passes(self):
        acquisition = slab()
        settings = preset(inversion_iterations=5)
        seen = []
        reconstruct(acquisition, settings, progress=lambda fraction, message: seen.append((fraction, message)))
        fractions = [fraction for fraction, _ in seen]
        self.assertEqual(fractions, sorted(fractions))
        self.assertTrue(0 <= fractions[0] < 0.1 and fractions[-1] == 1.0)
        self.assertTrue(all(isinstance(message, str) and message for _, message in seen))
        for stop_at in (0.0, 0.02, 0.2, 0.3, 0.45, 0.6, 0.95):

            def cancel(fraction, message, stop_at=stop_at):
                if fraction >= stop_at:
                    raise Cancelled

            with self.assertRaises(Cancelled):
                reconstruct(acquisition, settings, progress=cancel)

    def test_it_rises_too_when_the_run_stops_early_or_sweeps(self):
        acquisition = slab()
        for run in (
            lambda progress: reconstruct(acquisition, replace(FAST, stop_after="fieldmap"), progress=progress),
            lambda progress: reconstruct_each(acquisition, [FAST, FAST], progress=progress),
            lambda progress: sweep_regularization(acquisition, FAST, (0.1, 0.2, 0.3), progress=progress),
        ):
            seen = []
            run(lambda fraction, message, seen=seen: seen.append(fraction))
            self.assertEqual(seen, sorted(seen))
            self.assertEqual(seen[-1], 1.0)


if __name__ == "__main__":
    unittest.main()
