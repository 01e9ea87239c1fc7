"""What is said of a scan and its mask, on small arrays."""

import unittest
from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.fieldmap import masks
from TrabecularQSMLib.fieldmap.gains import EchoGains
from TrabecularQSMLib.fieldmap.unwrap import PartApart
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom
from TrabecularQSMLib.pipeline import reconstruct, remarks, remarks_on_echoes
from TrabecularQSMLib.settings import preset

TIMES = 1e-3 * np.arange(1, 7)


def maps_of(r2star=40.0, sigma_r2star=5.0, sigma_pdff=0.02, shape=(1, 10, 10)):
    """Maps that say nothing of note."""
    maps = {"mip": 1.0, "r2star": r2star, "sigma_r2star": sigma_r2star, "sigma_pdff": sigma_pdff}
    return {name: np.full(shape, value) for name, value in maps.items()}


class RemarksTest(unittest.TestCase):
    def test_a_mask_in_air_is_told_and_one_without_signal_refused(self):
        signal = np.zeros((2, 10, 10), bool)
        signal[:, :4] = True
        self.assertEqual(remarks.on_mask(signal, signal, "x"), [])
        (note,) = remarks.on_mask(np.ones_like(signal), signal, "x")
        self.assertIn("Only 40% of the voxels in the mask have signal", note)
        with self.assertRaisesRegex(InputError, "No voxel of the mask has signal in x"):
            remarks.on_mask(~signal, signal, "x")

    def test_a_mask_of_one_bone_and_one_up_to_the_skin_are_told(self):
        body = np.zeros((30, 60, 60), bool)
        body[:, 5:55, 5:55] = True
        voxel_size = (1.0, 1.0, 1.0)
        whole, bone = masks.erode(body, 5, voxel_size), np.zeros_like(body)
        bone[10:20, 20:40, 20:40] = True
        about = {"body": body, "voxel_size": voxel_size}
        self.assertEqual(remarks.on_surroundings(whole, **about, background="lbv"), [])
        for background in ("lbv", "v-sharp"):
            (note,) = remarks.on_surroundings(bone, **about, background=background)
            self.assertIn("The mask covers 8% of the tissue in this scan", note)
        (note,) = remarks.on_surroundings(masks.erode(body, 2, voxel_size), **about, background="lbv")
        self.assertIn("17% of the mask lies within 4 mm of the body's surface, where LBV", note)
        self.assertEqual(remarks.on_surroundings(body, **about, background="pdf"), [])
        self.assertEqual(remarks.on_surroundings(bone, **about, background="none"), [])

    def test_a_local_field_too_large_or_too_small_for_its_unit_is_told(self):
        field = np.random.default_rng(0).normal(0, 0.09, 2000)  # 0.23 ppm in one voxel of a hundred
        for factor, told in ((1, 0), (3.4, 0), (2 * np.pi, 1), (1 / (2 * np.pi), 1), (1 / 128, 1)):
            notes = remarks.on_local_field(field * factor)
            self.assertEqual(len(notes), told, factor)
            self.assertEqual("background was removed" in "".join(notes), factor > 4)
        self.assertEqual(remarks.on_local_field(field[:0]), [])

    def test_what_is_no_whole_field_is_told_by_its_values(self):
        rng = np.random.default_rng(1)
        k, j, i = np.indices((20, 40, 40))
        total = 3e-3 * ((i - 20.0) ** 2 + (j - 12) * k) / 2 + rng.normal(0, 0.05, k.shape)
        local, inside = rng.normal(-0.05, 0.1, k.shape), np.hypot(j - 20, i - 20) < 15
        wrapped = (total + 0.4) % 0.8 - 0.4
        noisy = np.where(inside, total, rng.uniform(-1e3, 1e3, k.shape))  # air does not count
        spiked = np.where(rng.random(k.shape) < 1e-4, 9.0, total)
        for field, stage, words in (
            (total, "total", ""),
            (noisy, "total", ""),
            (spiked, "total", ""),
            (np.abs(total), "total", ""),
            (local, "local", ""),
            (np.round(local, 2), "local", ""),
            (wrapped, "total", "jumps by nearly all of that"),
            (np.where(inside, wrapped, 0), "total", "jumps by nearly all of that"),
            (np.clip(total, -0.1, 0.3), "total", "has its l"),
            (np.clip(local, -0.1, None), "local", "its least value, -0.1 ppm"),
            (np.abs(local), "local", "above zero nearly everywhere"),
            (local - 1, "local", "below zero nearly everywhere"),
        ):
            notes = remarks.on_values(field, inside, stage)
            self.assertEqual([words in note for note in notes], [True] if words else [], (words, notes))
        few = inside & (k == 0) & (j == 20)  # one of them has the least value
        self.assertEqual(remarks.on_values(total, few, "total"), [])

    def test_slices_without_field_are_told_and_that_a_mask_that_was_written_lacks_them(self):
        (note,) = remarks.on_slab(np.ones((30, 30, 30), bool), 5, (1.0, 1.0, 1.0))
        self.assertIn("5 voxels of the mask lie in slices in which background removal leaves no field", note)
        self.assertIn("The mask that a run writes lacks such slices already", note)

    def test_errors_of_echoes_that_no_scanner_makes_are_doubted(self):
        for largest, count in ((1.3, 1), (0.5, 2)):
            notes = remarks_on_echoes.on_gains(EchoGains(np.array([1, 1.1, largest * np.exp(0.1j)]), 9.0, alike=False))
            self.assertEqual(len(notes), count)
        self.assertIn("do not trust the maps", notes[1])

    def test_echoes_of_which_few_stand_out_of_noise_are_told(self):
        times, noise = 1.4e-3 * np.arange(1, 7)[:, None], 0.02
        for rate, echoes, told in ((100.0, 6, 0), (600.0, 6, 1), (100.0, 3, 0)):
            notes = remarks_on_echoes.on_decay(np.exp(-rate * times[:echoes]) * np.ones(50), noise)
            self.assertEqual(len(notes), told, (rate, echoes))
            self.assertEqual(remarks_on_echoes.on_decay(np.exp(-rate * times[:echoes]) * np.ones(50), 0.0), [])
        self.assertEqual(remarks_on_echoes.on_decay(np.ones((6, 0)), noise), [])
        scan = make_phantom(PhantomSettings(shape=(40, 40, 6), supersampling=1, seed=4, snr=None)).acquisition
        echoes = scan.echoes * np.exp(-1500 * scan.echo_times)[:, None, None, None]
        noise = np.random.default_rng(0).standard_normal((*echoes.shape, 2)) @ [1, 1j] * np.abs(echoes[0]).max() / 40
        scan = replace(scan, echoes=(echoes + noise).astype(np.complex64))
        settings = preset(stop_after="fieldmap", phase_sign="+1", readout="monopolar", trains="1")
        notes = reconstruct(scan, settings).notes
        self.assertTrue(any("only 3 of 9 echoes stand out of noise" in note for note in notes), notes)
        # Noise in most echoes looks like mistakes: none is told beside it.
        self.assertFalse([note for note in notes if "fits far better" in note or "The settings say" in note])

    def test_slices_that_are_not_to_be_trusted_are_told_where_the_rest_is(self):
        mask = np.ones((10, 10, 10), bool)
        maps = maps_of(shape=mask.shape)
        for low, notes in ((slice(4, 5), 0), (slice(4, 7), 1)):
            trust = np.ones(mask.shape)
            trust[low, 3:] = 0.2
            found = remarks.on_trust(trust, mask, maps, TIMES)
            self.assertEqual(len(found), notes)
        self.assertIn("is 1.00, but below 0.50 in 3 of 10 slices inferior–superior (among them 5 and 7)", found[0])

    def test_a_reliability_that_is_low_by_noise_alone_blames_no_model(self):
        mask = np.ones((1, 10, 10), bool)
        for share, words in ((0.95, "The scan is noisy"), (0.5, "The echoes do not fit the model well")):
            (note,) = remarks.on_trust(
                np.full(mask.shape, 0.4), mask, maps_of(), TIMES, share_of_noise=lambda share=share: share
            )
            self.assertTrue(note.startswith(words))

    def test_noise_that_is_stronger_inside_than_in_air_blames_no_model(self):
        mask = np.ones((10, 10, 10), bool)
        trust = np.ones(mask.shape)
        trust[3:7] = 0.2
        for reliability, words in ((np.full(mask.shape, 0.4), "in the mask is 0.40"), (trust, "in 4 of 10 slices")):
            for chance, of_air, begins in (
                (0.99, 0.5, "Noise is stronger in parts"),
                (0.94, 0.5, "The echoes do not fit the model"),
                (0.98, 0.8, "The echoes do not fit the model"),
            ):
                (note,) = remarks.on_trust(
                    reliability, mask, maps_of(shape=mask.shape), TIMES,
                    share_of_noise=lambda of_air=of_air: of_air, share_by_chance=lambda chance=chance: chance,
                )  # fmt: skip
                self.assertTrue(note.startswith(begins), note)
                self.assertIn(words, note)

    def test_r2star_that_noise_leaves_at_its_limits_or_unknown_is_told(self):
        trust, mask = np.ones((1, 10, 10)), np.ones((1, 10, 10), bool)
        maps = maps_of()
        maps["r2star"][0, 0] = -200.0
        self.assertEqual(remarks.on_trust(trust, mask, maps, TIMES), [])
        maps["r2star"][0, 0] = -400.0
        (note,) = remarks.on_trust(trust, mask, maps, TIMES)
        self.assertIn(
            "unknown in 10% of the voxels in the mask: it ends at the limits of its range (-400 and 2000", note
        )
        # The train takes 5 ms.
        self.assertEqual(remarks.on_trust(trust, mask, maps_of(sigma_r2star=75.0), TIMES), [])
        # More than half of what noise leaves unknown may be negative, which is no misfit, but not nearly all.
        maps = maps_of(-10.0, 90.0)
        maps["r2star"][0, :4] = 30.0
        (note,) = remarks.on_trust(trust, mask, maps, TIMES)
        self.assertIn("Noise leaves R2* unknown: its standard deviation in the mask is 90 1/s", note)
        maps["r2star"][0, :2] = -500.0
        notes = remarks.on_trust(trust, mask, maps, TIMES)
        self.assertIn("unknown in 20% of the voxels", notes[0])
        self.assertIn("80% of its R2* are below zero", notes[1])
        (note,) = remarks.on_trust(trust, mask, maps_of(-10.0), TIMES)
        self.assertIn("100% of its R2* are below zero", note)
        # Noise makes half and a little more of small ones negative, though it does not leave them unknown.
        maps = maps_of(-10.0, 70.0)
        maps["r2star"][0].flat[:45] = 30.0
        self.assertEqual(remarks.on_trust(trust, mask, maps, TIMES), [])
        maps["sigma_r2star"][:] = 30.0
        (note,) = remarks.on_trust(trust, mask, maps, TIMES)
        self.assertIn("55% of its R2* are below zero", note)

    def test_water_and_fat_that_echoes_hardly_tell_apart_are_told_all_over_or_in_parts_cut_off(self):
        fitted = np.ones((2, 4, 10), bool)
        fitted[..., 6] = False
        apart = PartApart(fitted & (np.arange(10) > 6), 1.0, 0.0)
        for largest, beyond, words in (
            (3.0, 3.0, []),
            (3.0, 0.5, ["A part of the body (24 voxels) cut off by air can hardly tell"]),
            (0.5, 3.0, ["The echoes of this scan can hardly tell water from fat"]),
            (0.5, 0.5, ["The echoes of this scan can hardly tell water from fat"]),
        ):
            own = SimpleNamespace(own_margin=np.where(apart.inside, beyond, largest) * fitted, period_hz=400.0)
            notes = remarks_on_echoes.on_parts([apart], own, fitted)
            self.assertEqual([note[: len(word)] for note, word in zip(notes, words, strict=True)], words)
            if largest == beyond:
                whole = remarks_on_echoes.on_parts([], own, fitted)
                self.assertEqual(len(whole), largest < 1)
        self.assertEqual(remarks_on_echoes.on_parts([], own, np.zeros_like(fitted)), [])

    def test_a_fat_fraction_that_noise_leaves_unknown_is_told(self):
        trust, mask = np.ones((1, 10, 10)), np.ones((1, 10, 10), bool)
        maps = maps_of(sigma_pdff=0.15)
        self.assertEqual(remarks.on_trust(trust, mask, maps, TIMES), [])
        # In the middle voxel it may be known well: one tissue in a place of the spectrum, or a dark one.
        maps["sigma_pdff"] = np.where(np.indices(mask.shape)[1] < 1, 0.25, 0.1)
        (note,) = remarks.on_trust(trust, mask, maps, TIMES)
        self.assertIn("Noise leaves the fat fraction unknown in 10% of the voxels in the mask", note)


if __name__ == "__main__":
    unittest.main()
