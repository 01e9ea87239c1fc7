"""From a scan to maps in one call, on a small piece of the digital ankle."""

import json
import unittest
import warnings
from dataclasses import replace
from types import SimpleNamespace
from unittest import mock

import numpy as np
import scans
from pieces import FAST, SMALL, changed, fast, phantom, remember_separation, slab

from TrabecularQSMLib.acquisition import GYROMAGNETIC_RATIO_HZ_PER_T, Acquisition
from TrabecularQSMLib.errors import InputError, SolverWarning
from TrabecularQSMLib.fieldmap import sample
from TrabecularQSMLib.fieldmap.fat_models import FAT_MODELS
from TrabecularQSMLib.fieldmap.masks import fill_unreliable
from TrabecularQSMLib.fieldmap.signal import Model, synthesize
from TrabecularQSMLib.fieldmap.t1 import FRACTIONS, without_t1
from TrabecularQSMLib.inversion import METHODS
from TrabecularQSMLib.inversion.grid import Grid
from TrabecularQSMLib.phantom import PhantomSettings
from TrabecularQSMLib.pipeline import fields, reconstruct, reconstruct_each, separated, solving, sweep_regularization
from TrabecularQSMLib.pipeline.entry import fields_of
from TrabecularQSMLib.pipeline.fields import SMOOTHING_MM
from TrabecularQSMLib.pipeline.more_noise import with_more_noise
from TrabecularQSMLib.pipeline.solving import inversion_options
from TrabecularQSMLib.quantities import ADDED_MAPS, QUANTITIES, WITHOUT_PHASE
from TrabecularQSMLib.settings import CHOICES, Settings, load_presets, preset

FIELD_MAPS = {
    "pdff",
    "water",
    "fat",
    "field_hz",
    "r2star",
    "mip",
    "mask",
    "reliability",
    "residual",
    "sigma_field",
    "sigma_r2star",
    "sigma_pdff",
}
ADDED = {name for names in ADDED_MAPS.values() for name in names}
PERIOD_HZ = 1 / 0.7e-3


def setUpModule():
    remember_separation()


class MapsTest(unittest.TestCase):
    def test_every_stage_gives_its_maps_in_the_shape_of_the_scan(self):
        acquisition = phantom().acquisition
        stages = {
            "fieldmap": FIELD_MAPS,
            "background": FIELD_MAPS | {"total_field", "local_field"},
            None: set(QUANTITIES) - ADDED,
        }
        self.assertEqual(set(stages), set(CHOICES["stop_after"]))
        for stage, names in stages.items():
            result = fast() if stage is None else reconstruct(acquisition, replace(FAST, stop_after=stage))
            self.assertEqual(set(result.maps), names)
            for name, array in result.maps.items():
                self.assertEqual((array.shape, array.dtype), (acquisition.shape, np.float32), name)
                self.assertTrue(array.flags.c_contiguous and np.all(np.isfinite(array)), name)
                # With the background, the reliability loses the mask's outer layer, the mask what has no field.
                if name not in ("reliability", "mask"):
                    np.testing.assert_array_equal(array, fast().maps[name])

    def test_where_nothing_was_measured_the_local_field_is_what_lies_around(self):
        maps, scan = fast().maps, phantom().acquisition
        local, interior = maps["local_field"], maps["local_field"] != 0
        self.assertTrue(np.any(interior & (maps["reliability"] == 0)))
        filled = fill_unreliable(local, maps["reliability"], interior, scan.voxel_size)
        np.testing.assert_allclose(filled, local, atol=1e-6)

    def test_the_image_is_smoothed_where_edges_are_by_its_steepness(self):
        for image, steepness, smoothing in (
            ("magnitude", None, 0.0),
            ("smoothed-magnitude", None, SMOOTHING_MM),
            ("magnitude", 0.15, SMOOTHING_MM),
        ):
            settings = replace(FAST, edge_image=image, edge_steepness=steepness)
            ones = np.ones((3, 4, 5), np.float32)
            scan = SimpleNamespace(
                magnitude=ones, interior=ones > 0, trust=ones, mask=ones > 0, voxel_size=(1, 1, 1), settings=settings
            )
            name = "edge_weight" if steepness is None else "link_weight"
            with mock.patch.object(fields, name) as weight:
                fields.Fields.weigh(scan, ones)
            self.assertEqual(weight.call_args.kwargs["smoothing"], smoothing)

    def test_beyond_the_interior_soft_edges_have_the_weight_of_the_inversion(self):
        shape = (5, 6, 7)
        interior = np.zeros(shape, bool)
        interior[1:-1, 1:-1, 1:-1] = True
        scan = SimpleNamespace(b0_direction=(0, 0, 1), data_weight=np.ones(shape, np.float32), interior=interior)
        for name, edges, wanted in (
            ("tgv", (3, *shape), METHODS["tgv"].beyond),
            ("medi-tv", (3, *shape), 0.7),
            ("total-field", (3, *shape), 0.7),  # has a rule of its own
            ("tgv", shape, 0.7),  # edges all or nothing, as in the paper
        ):
            scan.edge_weight = np.full(edges, 0.7, np.float32)
            found = inversion_options(scan, replace(FAST, inversion=name), Grid.around(interior, 2))["edge_weight"]
            self.assertEqual(found[..., 1, 1, 1].max(), np.float32(wanted), name)
            self.assertTrue(np.all(found[..., 3, 3, 3] == np.float32(0.7)), name)

    def test_maps_keep_to_their_meaning(self):
        maps, frequency = fast().maps, phantom().acquisition.imaging_frequency
        np.testing.assert_allclose(maps["total_field"], maps["field_hz"] * 1e6 / frequency, rtol=1e-5)
        np.testing.assert_array_equal(maps["mip"], np.abs(phantom().acquisition.echoes).max(axis=0))
        self.assertEqual(set(np.unique(maps["mask"]).tolist()), {0.0, 1.0})
        for name in ("pdff", "reliability"):
            self.assertTrue(np.all((maps[name] >= 0) & (maps[name] <= 1)), name)
        outside = maps["mask"] == 0
        for name in ("local_field", "chi", "reliability"):
            self.assertFalse(maps[name][outside].any(), name)

    def test_field_fat_fraction_and_r2star_are_those_of_the_phantom(self):
        truth, maps = phantom().truth, fast().maps
        pure = (truth["signal"] > 0.2 * truth["signal"].max()) & (truth["cortex"] < 1e-3)
        error = (maps["field_hz"] - truth["field_hz"])[pure]
        # Noise alone is about 2 Hz at SNR 40; test_accuracy holds the full size to its bars.
        self.assertLess(np.sqrt(np.mean(error[np.abs(error) < 50] ** 2)), 3.0)
        self.assertLess(np.mean(np.abs(error) > 50), 1e-3)
        self.assertLess(abs(np.mean((maps["pdff"] - truth["pdff"])[pure])), 0.01)
        self.assertLess(abs(np.mean((maps["r2star"] - truth["r2star"])[pure])), 5.0)
        # Noise of 1/40 of the brightest signal, which the later echoes of bone and marrow do not have.
        self.assertTrue(1 / 40 < fast().fit_residual < 0.2, fast().fit_residual)
        # Signal of 40 times the noise at first, of which decay and fat leave less; bone and its edges fit the least.
        bright = pure & (truth["signal"] > 0.8 * truth["signal"].max())
        self.assertTrue(1 / 80 < np.median(maps["residual"][bright]) < 1 / 20)

    def test_settings_come_back_with_what_was_found(self):
        settings = fast().settings
        self.assertEqual(settings, replace(FAST, phase_sign="+1", readout="monopolar", trains="1"))
        bare = reconstruct(phantom().acquisition, Settings(inversion="closed-form", phase_sign="+1"))
        self.assertEqual(bare.settings.regularization, FAST.regularization)
        self.assertEqual(fast().found, ("phase_sign", "readout", "trains"))
        self.assertEqual(bare.found, ("readout", "trains"))
        np.testing.assert_array_equal(bare.maps["chi"], fast().maps["chi"])

    def test_all_presets_run_from_end_to_end(self):
        truth = phantom().truth["chi"]
        for name in load_presets():
            with self.subTest(preset=name):
                # A fraction of the iterations is enough to run through everything.
                maps = reconstruct(phantom().acquisition, preset(name, inversion_iterations=30)).maps
                inside = maps["reliability"] > 0.5
                # Fat and bone are told apart in a box that cuts the ankle on all sides, less so where cortex is solved
                # with the rest; more is asked at full size.
                least = 0.4 if preset(name).separate_cortex == "yes" else 0.2
                self.assertGreater(np.corrcoef(maps["chi"][inside], truth[inside])[0, 1], least)


class SpectrumTest(unittest.TestCase):
    SETTINGS = replace(FAST, stop_after="fieldmap")

    def test_another_spectrum_is_taken_where_it_fits_better_and_its_sidecar_repeats_it(self):
        settings = replace(self.SETTINGS, fat_model="single-peak", fat_spectrum="best")
        with mock.patch.object(separated, "FAT_MODELS", {n: FAT_MODELS[n] for n in ("single-peak", "ren-marrow")}):
            result = reconstruct(phantom().acquisition, settings)
        self.assertEqual((result.settings.fat_model, result.settings.fat_spectrum), ("ren-marrow", "given"))
        self.assertTrue(any("ren-marrow fits this scan better than single-peak" in note for note in result.notes))
        for name, array in result.maps.items():
            same = array if name in ("reliability", "mask") else fast().maps[name]
            np.testing.assert_array_equal(array, same, name)

    def test_a_cold_sample_shows_as_a_shift_and_the_settings_repeat_the_maps_bit_for_bit(self):
        settings = replace(self.SETTINGS, fat_spectrum="shifted", temperature=20.0)
        scan = phantom().acquisition
        # A bipolar read-out, whose phases depend on the spectrum as well.
        turned = changed(scan, echoes=scan.echoes * np.exp(0.3j * (np.arange(9) % 2))[:, None, None, None])
        result = reconstruct(turned, settings)
        self.assertEqual(result.settings.readout, "bipolar")
        self.assertLess(abs(result.settings.fat_shift - 0.17), 0.02)
        self.assertTrue(any("standard error" in note and "ppm" in note for note in result.notes))
        again = reconstruct(turned, Settings.from_dict(json.loads(json.dumps(result.settings.as_dict()))))
        for name, array in result.maps.items():
            np.testing.assert_array_equal(again.maps[name], array, name)

    def test_water_of_another_temperature_is_part_of_the_model(self):
        cold = reconstruct(phantom().acquisition, replace(self.SETTINGS, temperature=20.0))
        same = reconstruct(phantom().acquisition, replace(self.SETTINGS, temperature=20.0, fat_shift=0.17))
        inside = fast().maps["reliability"] > 0.5
        error = lambda maps: np.abs(maps["pdff"] - fast().maps["pdff"])[inside].mean()  # noqa: E731
        self.assertGreater(error(cold.maps), 1e-3)
        self.assertLess(error(same.maps), 1e-5)

    def test_the_fat_fraction_is_had_without_t1_and_all_else_stays(self):
        maps = reconstruct(phantom().acquisition, replace(FAST, t1_weighting=1.7)).maps
        for name, array in maps.items():
            if name not in FRACTIONS and name not in FRACTIONS.values():
                np.testing.assert_array_equal(array, fast().maps[name], name)
        for name, array in without_t1(fast().maps, 1.7).items():
            np.testing.assert_allclose(maps[name], array, rtol=1e-6, err_msg=name)
        self.assertGreater(np.abs(maps["pdff"] - fast().maps["pdff"]).max(), 0.1)

    def test_a_fat_prior_is_of_the_fat_fraction_without_t1(self):
        seen = []
        with mock.patch.object(solving, "fat_prior", lambda pdff, mask, chi_fat: seen.append(pdff) or 0 * pdff):
            reconstruct(phantom().acquisition, replace(FAST, t1_weighting=1.7, fat_prior=0.6))
        undone = phantom().acquisition.reorientation.undo(seen[0])
        np.testing.assert_allclose(undone, without_t1(fast().maps, 1.7)["pdff"], rtol=1e-6)

    def test_three_echoes_tell_no_spectrum(self):
        scan = phantom().acquisition
        three = changed(scan, echoes=scan.echoes[:3], echo_times=scan.echo_times[:3])
        for way in ("best", "shifted"):
            result = reconstruct(three, replace(self.SETTINGS, fat_spectrum=way))
            self.assertIn("Three echoes fit any spectrum", " ".join(result.notes))
            self.assertEqual((result.settings.fat_model, result.settings.fat_shift), ("ren-marrow", 0.0))


class AddedMapsTest(unittest.TestCase):
    SETTINGS = replace(FAST, stop_after="fieldmap")

    def test_rates_of_water_and_fat_and_of_the_magnitude_come_beside_the_usual_maps(self):
        settings = replace(self.SETTINGS, separate_rates="yes", magnitude_maps="yes")
        result, truth = reconstruct(phantom().acquisition, settings), phantom().truth
        self.assertEqual(set(result.maps), FIELD_MAPS | ADDED - {*ADDED_MAPS["chi_sigma"]})
        for name, array in result.maps.items():
            self.assertTrue(array.flags.c_contiguous and np.all(np.isfinite(array)), name)
            if name in FIELD_MAPS - {"reliability", "mask"}:
                np.testing.assert_array_equal(array, fast().maps[name])
        inside = result.maps["reliability"] > 0.5
        for name in ("r2star_water", "r2star_fat", "r2star_magnitude"):
            known = inside & (result.maps[name] != 0)
            self.assertGreater(known.sum(), 1000)
            self.assertLess(abs(np.median((result.maps[name] - truth["r2star"])[known])), 3.0, name)
        self.assertLess(abs(np.median((result.maps["pdff_magnitude"] - truth["pdff"])[inside])), 0.01)
        water = inside & (truth["pdff"] < 0.02)
        self.assertLess(abs(np.median((result.maps["r2star_arlo"] - truth["r2star"])[water])), 5.0)
        self.assertIn("ARLO knows water alone", " ".join(result.notes))

    def test_a_scan_without_phase_gives_maps_of_its_magnitude_and_says_what_it_lacks(self):
        scan, truth = phantom().acquisition, phantom().truth
        alone = Acquisition(
            np.abs(scan.echoes).astype(np.complex64), scan.echo_times, scan.affine,
            imaging_frequency=scan.imaging_frequency, source="a scan", has_phase=False,
        )  # fmt: skip
        with self.assertRaisesRegex(InputError, "a scan has no phase.*magnitude_maps to yes"):
            reconstruct(alone, FAST)
        for setting in ("separate_rates", "chi_sigma"):
            with self.assertRaisesRegex(InputError, setting):
                reconstruct(alone, replace(FAST, magnitude_maps="yes", **{setting: "yes"}))
        with self.assertRaisesRegex(InputError, "L-curve"):
            sweep_regularization(alone, FAST)
        result = reconstruct(alone, replace(FAST, magnitude_maps="yes", inversion="total-field"))
        self.assertNotIn("total field", " ".join(result.notes))
        self.assertEqual(set(result.maps), {*WITHOUT_PHASE, *ADDED_MAPS["magnitude_maps"]})
        inside = result.maps["reliability"] > 0.5
        self.assertLess(abs(np.median((result.maps["pdff_magnitude"] - truth["pdff"])[inside])), 0.02)
        self.assertIn("field and susceptibility need the phase", " ".join(result.notes))

    def test_echoes_that_are_not_equidistant_leave_arlo_out(self):
        scan, some = phantom().acquisition, [0, 1, 2, 3, 5, 8]
        uneven = changed(scan, echoes=scan.echoes[some], echo_times=scan.echo_times[some])
        result = reconstruct(uneven, replace(self.SETTINGS, magnitude_maps="yes"))
        self.assertNotIn("r2star_arlo", result.maps)
        self.assertIn("not equally far apart", " ".join(result.notes))

    def test_too_few_echoes_are_refused_before_the_work(self):
        scan = phantom().acquisition
        three = changed(scan, echoes=scan.echoes[:3], echo_times=scan.echo_times[:3])
        for name in ("separate_rates", "magnitude_maps"):
            with self.assertRaisesRegex(InputError, f"3 echoes, but .* need 4 at least; set {name} to no"):
                reconstruct(three, replace(self.SETTINGS, **{name: "yes"}))


class NoiseAndReferenceTest(unittest.TestCase):
    def test_the_deviation_of_chi_comes_beside_the_same_chi_and_again_the_same(self):
        one, two = (reconstruct(slab(), replace(FAST, chi_sigma="yes")) for _ in range(2))
        np.testing.assert_array_equal(one.maps["chi"], reconstruct(slab(), FAST).maps["chi"])
        np.testing.assert_array_equal(one.maps["sigma_chi"], two.maps["sigma_chi"])
        self.assertEqual(one.chi_noise, two.chi_noise)
        self.assertIsNone(fast().chi_noise)
        self.assertNotIn("sigma_chi", fast().maps)
        known = (one.maps["mask"] > 0) & (one.maps["reliability"] > 0)
        np.testing.assert_array_equal(one.maps["sigma_chi"] > 0, known)
        self.assertIn("errors that are not noise", " ".join(one.notes))
        for name in ADDED_MAPS["chi_sigma"]:
            self.assertEqual(np.abs(one.maps[name][~known]).max(), 0, name)
            self.assertGreater(one.maps[name][known].std(), 0, name)

    def test_noise_drawn_once_more_is_that_of_the_maps_and_moves_all_that_chi_needs(self):
        scan = phantom().acquisition
        fields = fields_of(scan, FAST, None, None)
        again = with_more_noise(fields, np.random.default_rng(1), None)
        sure = fields.mask & (fields.maps["sigma_r2star"] < 20) & (fields.maps["sigma_pdff"] < 0.02)
        sure &= (fields.fat_fraction > 0.1) & (fields.fat_fraction < 0.9)
        ppm = 1e6 / scan.imaging_frequency
        faster = (again.maps["r2star"] - fields.maps["r2star"])[sure]
        for change, sigma in (
            (faster, fields.maps["sigma_r2star"]),
            ((again.fat_fraction - fields.fat_fraction)[sure], fields.maps["sigma_pdff"]),
            ((again.total_field - fields.total_field)[sure], fields.maps["sigma_field"] * ppm),
        ):
            self.assertAlmostEqual(np.std(change / sigma[sure]), 1, delta=0.05)
        brighter = np.log(again.signal[sure] / fields.signal[sure])
        self.assertGreater(np.corrcoef(brighter, faster)[0, 1], 0.5)
        for name in ("local_field", "data_weight", "edge_weight", "magnitude"):
            self.assertFalse(np.array_equal(getattr(again, name), getattr(fields, name)), name)
        np.testing.assert_array_equal(again.mask, fields.mask)

    def test_settings_after_one_with_a_deviation_have_none(self):
        short = preset(inversion="medi-l2", inversion_iterations=1, chi_sigma="yes")
        first, second = reconstruct_each(phantom().acquisition, [short, FAST])
        self.assertIn("sigma_chi", first.maps)
        # Of χ, and not again of each draw of noise.
        self.assertEqual(sum("did not reach its tolerance" in note for note in first.notes), 1, first.notes)
        self.assertNotIn("sigma_chi", second.maps)
        self.assertIsNone(second.chi_noise)

    def test_the_mask_as_reference_takes_its_mean_off_and_says_so(self):
        result = reconstruct(phantom().acquisition, replace(FAST, reference="mask", chi_sigma="yes"))
        inside, chi = result.maps["mask"] > 0, fast().maps["chi"]
        mean = chi[inside].mean(dtype=np.float64)
        self.assertGreater(abs(mean), 1e-3)
        np.testing.assert_allclose(result.maps["chi"], np.where(inside, chi - mean, 0), atol=1e-6)
        absolute = reconstruct(phantom().acquisition, replace(FAST, chi_sigma="yes"))
        known = inside & (result.maps["reliability"] > 0)
        noise, same = (one.maps["noise_chi_1"] for one in (result, absolute))
        # Noise of the mean that is taken off is taken off, too.
        self.assertAlmostEqual((noise - same)[known].std(), 0, places=6)
        self.assertGreater(abs((noise - same)[known].mean()), 1e-4)
        self.assertIn(f"relative to its mean over the mask: {mean:+.4f} ppm was taken off", " ".join(result.notes))
        self.assertEqual(result.settings.reference, "mask")


class PhaseTest(unittest.TestCase):
    def test_a_conjugated_scan_is_found_told_and_reconstructed_alike(self):
        acquisition = phantom().acquisition
        conjugated = changed(acquisition, echoes=acquisition.echoes.conj())
        settings = replace(FAST, stop_after="fieldmap")
        result = reconstruct(conjugated, settings)
        self.assertEqual(result.settings.phase_sign, "-1")
        self.assertTrue(any("conjugated" in note for note in result.notes))
        self.assertFalse(any("conjugated" in note for note in fast().notes))
        told = reconstruct(conjugated, replace(settings, phase_sign="-1"))
        self.assertFalse(told.notes)
        for maps in (result.maps, told.maps):
            np.testing.assert_allclose(maps["field_hz"], fast().maps["field_hz"], atol=1e-3)

    def test_a_wrong_sign_that_was_given_is_told_and_is_taken_for_no_other_mistake(self):
        told = " ".join(reconstruct(scans.small_ankle()[0], preset(phase_sign="-1", stop_after="fieldmap")).notes)
        self.assertIn("The phase sign was set to -1, and this was taken, but fat fits better by", told)
        self.assertNotIn("fits far better", told)

    def test_a_bipolar_scan_that_is_given_as_plain_is_told_and_errors_of_echoes_are_not(self):
        scan, given = scans.small_ankle()[0], preset(stop_after="fieldmap", readout="monopolar", trains="1")
        backward = (np.arange(len(scan.echoes)) % 2)[:, None, None, None]
        along = np.linspace(-1, 1, scan.shape[1])[:, None]
        errors = 0.05 * (np.random.default_rng(3).standard_normal((len(scan.echoes), 2)) @ [1, 1j])
        for gain, told in (
            (1j * (0.4 + 0.2 * along) * backward, True),
            # No larger than errors of single echoes may leave, but the same in all echoes of a direction.
            (0.15j * backward, True),
            (errors[:, None, None, None], False),
            (0.15j * backward + 2 * errors[:, None, None, None], False),
        ):
            notes = reconstruct(changed(scan, echoes=(scan.echoes * np.exp(gain)).astype(np.complex64)), given).notes
            self.assertEqual(any("The settings say that all echoes are read alike" in note for note in notes), told)

    def test_a_phase_of_a_given_read_out_that_noise_nearly_hides_is_told_if_single_echoes_have_none(self):
        times, given = tuple(1.4e-3 + 2.2e-3 * np.arange(6)), replace(FAST, stop_after="fieldmap", trains="1")
        scan = phantom(
            PhantomSettings(
                shape=(40, 40, 20), supersampling=1, seed=44, snr=15.0, field_strength=1.5, echo_times=times
            )
        ).acquisition
        errors = 0.05 * (np.random.default_rng(3).standard_normal((6, 2)) @ [1, 1j])
        for gain, told in ((0.12j * (np.arange(6) % 2), True), (errors, False), (0 * errors, False)):
            echoes = (scan.echoes * np.exp(gain)[:, None, None, None]).astype(np.complex64)
            notes = reconstruct(
                changed(scan, echoes=echoes), replace(given, readout="monopolar", phase_sign="+1")
            ).notes
            self.assertEqual(any("The settings say that all echoes are read alike" in note for note in notes), told)

    def test_a_field_beyond_whole_periods_comes_back_but_for_one_global_period(self):
        settings = replace(SMALL, field_offset_hz=2600.0, field_gradient_hz_per_mm=(20.0, 45.0, -30.0), snr=100.0)
        truth = phantom(settings).truth
        maps = reconstruct(phantom(settings).acquisition, replace(FAST, stop_after="fieldmap")).maps
        trusted = (maps["reliability"] > 0.9) & (truth["cortex"] < 1e-3)
        self.assertGreater(np.ptp(truth["field_hz"][trusted]), 2 * PERIOD_HZ)
        periods = (maps["field_hz"] - truth["field_hz"])[trusted] / PERIOD_HZ
        shift = np.round(np.median(periods))
        self.assertNotEqual(shift, 0)
        # Within 20 Hz: the gradient dephases within a voxel and moves its mean.
        self.assertGreater(np.mean(np.abs(periods - shift) < 20 / PERIOD_HZ), 0.999)
        # The rule: the trusted median lies within half a period of zero.
        self.assertLess(abs(np.median(maps["field_hz"][maps["reliability"] > 0.5])), PERIOD_HZ / 2 * 1.05)

    def test_three_echoes_are_separated_and_r2star_comes_with_a_warning(self):
        acquisition = phantom().acquisition
        three = changed(acquisition, echoes=acquisition.echoes[:3], echo_times=acquisition.echo_times[:3])
        result = reconstruct(three, replace(FAST, stop_after="fieldmap"))
        self.assertTrue(any("Three echoes" in note for note in result.notes))
        self.assertIsNone(result.fit_residual)
        self.assertNotIn("residual", result.maps)
        truth = phantom().truth
        pure = (truth["signal"] > 0.5 * truth["signal"].max()) & (truth["cortex"] < 1e-3)
        error = np.abs(result.maps["field_hz"] - truth["field_hz"])[pure]
        self.assertLess(np.median(error), 10.0)

    def test_echoes_that_contradict_the_model_are_told_in_one_note(self):
        scan = slab()
        self.assertFalse(any("do not trust" in note for note in fast().notes))
        auto = replace(FAST, stop_after="fieldmap")
        given = replace(auto, phase_sign="+1", readout="monopolar", trains="1")
        wrong = {
            "two echoes exchanged": (scan.echoes[[0, 1, 5, 3, 4, 2, *range(6, len(scan.echoes))]], auto),
            "echoes the other way round": (scan.echoes[::-1], given),
        }
        for name, (echoes, settings) in wrong.items():
            # A quarter of the voxels that are looked at otherwise.
            with self.subTest(name), mock.patch.object(sample, "VOXELS", 2000):
                result = reconstruct(changed(scan, echoes=echoes), settings)
                self.assertEqual(sum("do not trust the maps" in note for note in result.notes), 1, result.notes)

    def test_parts_cut_off_by_air_are_told_where_their_field_or_tissue_is_a_guess(self):
        times, model = 1.2e-3 * np.arange(1, 7), FAT_MODELS["ren-marrow"]
        _, y, x = np.indices((1, 30, 64))
        inside = (np.abs(x - 16) < 12) & (np.abs(y - 15) < 12) | (np.abs(x - 48) < 10) & (np.abs(y - 15) < 12)
        rng = np.random.default_rng(47)

        def notes(pdff, step, snr):
            field = np.where(x > 32, step, 0.0) + 1.0 * y
            signal = synthesize(
                (inside * (1 - pdff)).ravel(), (inside * pdff).ravel(), field.ravel(), 40.0,
                Model(times, model.signal(times, 3 * GYROMAGNETIC_RATIO_HZ_PER_T)),
            )  # fmt: skip
            echoes = signal.reshape(6, *x.shape) + rng.standard_normal((6, *x.shape, 2)) @ [1, 1j] / snr
            scan = Acquisition(echoes.astype(np.complex64), times, np.diag([1.5, 1.5, 1.5, 1.0]), field_strength=3.0)
            settings = preset(stop_after="fieldmap", phase_sign="+1", readout="monopolar", trains="1")
            return [note for note in reconstruct(scan, settings).notes if "cut off" in note or "hardly tell" in note]

        self.assertEqual(notes(0.5, 20.0, 40), [])
        (guess,) = notes(0.5, 260.0, 40)
        self.assertIn("whole periods of 833 Hz", guess)
        # Of fat alone, six echoes 1.2 ms apart tell little where noise is loud.
        (torn,) = notes(np.where(x > 32, 0.9, 0.5), 20.0, 8)
        self.assertIn("cut off by air can hardly tell water from fat", torn)
        (torn,) = notes(0.9, 20.0, 8)
        self.assertIn("The echoes of this scan can hardly tell water from fat", torn)

    def test_only_what_solvers_say_becomes_a_note(self):
        def noisy(*arguments, progress=None, **options):
            # As the application's process does, whatever of it is at fault.
            warnings.warn("subprocess 22185 is still running", ResourceWarning, stacklevel=1)
            warnings.warn("no longer offered", UserWarning, stacklevel=1)
            warnings.warn("did not reach its tolerance", SolverWarning, stacklevel=1)
            return np.zeros(arguments[0].shape, np.float32)

        with mock.patch.object(solving, "invert", noisy), warnings.catch_warnings(record=True) as passed:
            warnings.simplefilter("always", UserWarning)
            warnings.simplefilter("ignore", ResourceWarning)
            result = reconstruct(phantom().acquisition, replace(FAST, separate_cortex="no"))
        self.assertEqual([note for note in result.notes if "ankle" not in note], ["did not reach its tolerance"])
        self.assertEqual([str(one.message) for one in passed], ["no longer offered"])

    def test_notes_of_the_reader_are_kept(self):
        noted = changed(phantom().acquisition, notes=("The phase was rescaled.",))
        self.assertIn("The phase was rescaled.", reconstruct(noted, replace(FAST, stop_after="fieldmap")).notes)


if __name__ == "__main__":
    unittest.main()
