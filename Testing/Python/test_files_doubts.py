"""What is told of the values of echoes: of phases and magnitudes that no scan has, and of slices of the other sign."""

import unittest
import warnings

import numpy as np
from scipy import ndimage

from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.files.doubts import doubts, on_magnitude
from TrabecularQSMLib.files.echoes import check_magnitude
from TrabecularQSMLib.files.phase import polar_to_complex
from TrabecularQSMLib.files.slices import undo_alternate_slices, undo_slices
from TrabecularQSMLib.files.wraps import on_wraps
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom


class DoubtsTest(unittest.TestCase):
    def setUp(self):
        settings = PhantomSettings(shape=(56, 50, 16), supersampling=1, seed=3, echo_times=(2e-3, 5e-3, 8e-3, 11e-3))
        self.echoes = make_phantom(settings).acquisition.echoes
        self.magnitude, self.phase = np.abs(self.echoes), np.angle(self.echoes)

    def said(self, magnitude=None, phase=None):
        magnitude, phase = self.magnitude if magnitude is None else magnitude, self.phase if phase is None else phase
        return doubts((magnitude * np.exp(1j * phase)).astype(np.complex64), "x")

    def test_what_was_measured_and_what_was_cut_out_is_not_doubted(self):
        body = self.magnitude[0] > 0.1 * self.magnitude[0].max()
        self.assertEqual(self.said(), [])
        self.assertEqual(self.said(phase=self.phase * body), [])
        self.assertEqual(self.said(self.magnitude * body, self.phase * body), [])
        self.assertEqual(doubts(0 * self.echoes, "x"), [])

    def test_a_phase_that_lies_elsewhere_than_its_magnitude_is_told_with_the_way_back(self):
        for words, moved in {
            "turned round along j": np.flip(self.phase, 2),
            "turned round along i": np.flip(self.phase, 3),
            "moved by -1 along j": np.roll(self.phase, 1, 2),
            "moved by +2 along i": np.roll(self.phase, -2, 3),
        }.items():
            with self.subTest(words):
                self.assertIn(words, self.said(phase=moved)[0])
        slice_alone = np.s_[:, 8:9, :, :]
        self.assertIn("moved by +2 along i", self.said(self.magnitude[slice_alone], moved[slice_alone])[0])
        self.assertEqual(self.said(self.magnitude[slice_alone], self.phase[slice_alone]), [])

    def test_parts_that_are_exchanged_or_no_phase_are_refused_whatever_their_numbers(self):
        magnitude, phase = np.round(1000 * self.magnitude), np.round((self.phase / np.pi + 1) * 2048)
        signal, body = 1000 * self.echoes, self.magnitude > 0.1 * self.magnitude.max()
        for words, parts in (
            ("exchanged", (phase, magnitude)),
            ("exchanged", (self.phase + np.pi, self.magnitude)),
            ("real or imaginary part", (self.magnitude, self.echoes.real)),
            ("real or imaginary part", (self.magnitude * body, self.echoes.imag * body)),
            ("real or imaginary part", (np.abs(signal).round(), signal.real.round())),
        ):
            with self.assertRaisesRegex(InputError, words):
                polar_to_complex((parts[0] + 1j * parts[1]).astype(np.complex64), "x")
        unwrapped = np.cumsum(np.full(4, 0.2))[:, None, None, None] * (1 + np.arange(50)[:, None] / 50)
        for parts in (
            (magnitude, phase),
            (self.magnitude, self.phase),
            (self.magnitude * body, self.phase * body),
            (self.magnitude, unwrapped),
            (np.pi + self.magnitude, self.phase),
            (magnitude[..., :1], phase[..., :1]),
        ):
            polar_to_complex((parts[0] + 1j * parts[1]).astype(np.complex64), "x")

    def test_a_first_echo_whose_phase_is_the_zero_of_the_others_was_not_clipped(self):
        self.assertEqual(self.said(phase=self.phase - self.phase[:1]), [])

    def test_a_phase_without_low_frequencies_is_told(self):
        width = (0, 3, 3, 3)
        low = ndimage.gaussian_filter(self.echoes.real, width) + 1j * ndimage.gaussian_filter(self.echoes.imag, width)
        filtered = np.angle(self.echoes * low.conj())
        self.assertIn("low frequencies had been filtered out", self.said(phase=filtered)[0])
        # By chance, the phase of a small field is as near to zero.
        self.assertEqual(self.said(phase=filtered + 0.4), [])
        filtered[0] += 0.4
        self.assertEqual(self.said(phase=filtered), [])

    def test_a_knee_whose_phase_three_voxels_apart_happens_to_contradict_its_wraps_is_right(self):
        settings = PhantomSettings(
            shape=(40, 40, 20), supersampling=1, seed=222, snr=40.0, field_strength=1.5, anatomy="knee",
            echo_times=tuple(1e-3 * (2.99 + 2.3 * np.arange(6))), field_offset_hz=5.367237082427603,
        )  # fmt: skip
        gains = np.array([0.98, 1.051, 0.957, 0.953, 0.961, 0.925])  # errors of single echoes of 5 %
        gains = gains * np.exp(1j * np.array([-1.628, -1.624, -1.557, -1.504, -1.651, -1.448]))
        right = make_phantom(settings).acquisition.echoes * gains[:, None, None, None]
        self.assertEqual(list(on_wraps(right.astype(np.complex64), "x")), [])

    def test_noise_alone_on_the_line_where_phase_wraps_is_right(self):
        # The phase of tissue takes all values but that at which it wraps: only voxels of air lie there.
        _, j, i = np.indices((8, 60, 60))
        random = np.random.default_rng(0)
        inside = np.hypot(j - 30, i - 30) < 20
        echoes = inside * np.exp(1j * (0.3 + (j - 10) / 40 * 5.7)) + 0.15 * (
            random.standard_normal((2, 8, 60, 60, 2)) @ [1, 1j]
        )
        self.assertEqual(list(on_wraps(echoes.astype(np.complex64), "x")), [])

    def test_a_phase_that_was_averaged_while_it_was_wrapped_is_told(self):
        ramp = 0.25 * np.indices(self.phase.shape[1:]).sum(axis=0)  # which wraps in all directions
        wrapped = (self.phase + ramp + np.pi) % (2 * np.pi) - np.pi
        self.assertEqual(self.said(phase=wrapped), [])
        for name, averaged in {
            "moved by half a voxel": ndimage.shift(wrapped, (0, 0, 0.5, 0), order=1, mode="nearest"),
            "along the slices": ndimage.shift(wrapped, (0, 0.3, 0, 0), order=1, mode="nearest"),
            "of three voxels": ndimage.uniform_filter(wrapped, (1, 1, 1, 3)),
            "from 0 to a turn": ndimage.uniform_filter(wrapped % (2 * np.pi), (1, 1, 2, 1)),
        }.items():
            with self.subTest(name):
                (note,) = self.said(phase=averaged)
                self.assertIn("The phase of x was averaged while it was wrapped", note)
        wrapped[1] = averaged[1]
        self.assertIn("echo 2 of x was averaged", self.said(phase=wrapped)[0])
        # Thin layers of water in fat, whose phase happens to lie where it wraps, are anatomy.
        knee = make_phantom(PhantomSettings(shape=(54, 54, 22), snr=30, seed=2, anatomy="knee")).acquisition.echoes
        inner = ndimage.binary_erosion(np.abs(knee).max(axis=0) > 0.1 * np.abs(knee).max(), iterations=3)
        self.assertNotIn("averaged", " ".join(doubts(knee * inner, "x")))
        smooth = ndimage.uniform_filter(self.magnitude * np.exp(1j * wrapped), (1, 1, 2, 2))
        self.assertEqual(doubts(smooth.astype(np.complex64), "x"), [])

    def test_any_scale_of_the_signal_is_doubted_alike_and_without_a_warning(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for scale in (1e-30, 1, 1e30):
                self.assertEqual(doubts(self.echoes * np.float32(scale), "x"), [])

    def test_a_part_alone_and_parts_of_two_scales_are_told(self):
        for words, signal in (("no imaginary part", self.magnitude + 0j), ("is 1 everywhere", np.exp(1j * self.phase))):
            with self.assertRaisesRegex(InputError, words):
                doubts(signal.astype(np.complex64), "x")
        noise = np.random.default_rng(2).normal(0, 0.02, (2, *self.echoes.shape))
        noisy = self.echoes + noise[0] + 1j * noise[1]
        self.assertEqual(doubts(noisy.astype(np.complex64), "x"), [])
        self.assertIn("0.51 times as strong", doubts((noisy.real + 2j * noisy.imag).astype(np.complex64), "x")[0])

    def test_a_logarithm_copied_slices_and_rounded_values_are_told(self):
        decibels = 20 * np.log10(1 + 1e3 * self.magnitude)
        self.assertIn("logarithm (dB) of a magnitude", self.said(decibels)[0])
        filled = np.repeat(self.magnitude[:, ::2], 2, axis=1)
        self.assertIn("8 of 16 slices of x (first 2) are copies", self.said(filled, 0 * filled + 0.1)[0])
        few = np.round(7 * self.magnitude / self.magnitude.max())
        self.assertIn("in whole numbers up to 7", polar_to_complex((few + 1j * self.phase).astype(np.complex64), "x"))

    def test_noise_tells_what_was_made_of_a_magnitude_without_phase(self):
        image = self.magnitude[0]
        for plain in (image, np.ones_like(image), image - 1, np.full_like(image, np.nan)):
            self.assertEqual(on_magnitude(plain, "x", "BV/TV is"), [])
        for words, other in (
            ("squared", image**2), ("root", np.sqrt(image)), ("logarithm", np.log1p(1e3 * image)),
        ):  # fmt: skip
            self.assertRegex(on_magnitude(other, "x", "BV/TV is")[0], f"{words}.* BV/TV is wrong")
        # Filters bring the edge of the body into the air, which is skewed as by a logarithm then.
        for words, spread in (
            ("", 0),
            ("", 0.7),
            ("the image was filtered", 1.5),
            ("the image was filtered", (0, 2, 2)),
        ):
            found = " ".join(on_magnitude(ndimage.gaussian_filter(image, spread), "x", "BV/TV is"))
            self.assertEqual((words in found, "logarithm" in found, bool(found)), (True, False, bool(words)), found)

    def test_a_phase_that_was_cut_out_takes_its_voxels_along(self):
        cut = self.magnitude[0] < 0.2 * self.magnitude[0].max()
        for value, scale in ((0, 1), (-4096, 4096 / np.pi)):
            echoes = (self.magnitude + 1j * np.where(cut, value, scale * self.phase)).astype(np.complex64)
            self.assertIn(f"is exactly {value} in", polar_to_complex(echoes, "x"))
            self.assertFalse(echoes[:, cut].any())
            np.testing.assert_allclose(echoes[:, ~cut], self.echoes[:, ~cut], atol=2e-3 * self.magnitude.max())

    def test_a_phase_in_few_steps_is_not_cut_out(self):
        steps = np.clip(np.round(self.phase * 8 / np.pi), -8, 8) * np.pi / 8
        echoes = (self.magnitude + 1j * steps).astype(np.complex64)
        self.assertNotIn("cut out", polar_to_complex(echoes, "x") or "")
        self.assertGreater(np.mean(np.abs(echoes) > 0), 0.99)

    def test_a_magnitude_filtered_without_its_phase_is_told_but_no_filter_of_both(self):
        smooth = ndimage.gaussian_filter(self.magnitude, (0, 0, 0.7, 0.7))
        self.assertEqual([one[:43] for one in self.said(smooth)], ["Noise in the air of x is smoother in magnit"])
        for size in (0.5, 1.0):
            filtered = ndimage.gaussian_filter(self.echoes, (0, 0, size, size))
            self.assertEqual(self.said(np.abs(filtered), np.angle(filtered)), [])

    def test_steep_phase_of_tissue_in_voxels_of_7_mm_is_no_noise_of_air(self):
        for shape in (24, 24, 12), (30, 31, 14):
            settings = PhantomSettings(shape=shape, supersampling=1, echo_times=(1.25e-3, 1.95e-3, 2.65e-3))
            self.assertEqual(doubts(make_phantom(settings).acquisition.echoes, "x"), [])

    def test_a_constant_that_was_added_to_the_magnitude_is_told_but_no_noise_of_several_coils(self):
        constant = 0.1 * np.median(self.magnitude[0][self.magnitude[0] > 0.3 * self.magnitude[0].max()])
        (note,) = self.said(self.magnitude + constant)
        self.assertIn("as if a constant had been added to the magnitude", note)
        rng = np.random.default_rng(5)
        for coils in (2, 8):
            noise = rng.normal(0, 0.02, (2 * coils, *self.magnitude.shape)) * self.magnitude.max()
            self.assertEqual(self.said(np.sqrt(self.magnitude**2 + (noise**2).sum(axis=0))), [])

    def test_a_magnitude_that_was_squared_or_scaled_echo_by_echo_is_told(self):
        self.assertIn("squared magnitude", self.said(self.magnitude**2)[0])
        self.assertIn("root of a magnitude", self.said(np.sqrt(self.magnitude))[0])
        peaks = self.magnitude.max(axis=(1, 2, 3), keepdims=True)
        self.assertIn("same largest magnitude, 4095", self.said(np.round(4095 * self.magnitude / peaks))[0])
        bright = np.quantile(self.magnitude, 0.999, axis=(1, 2, 3), keepdims=True)
        self.assertIn("same largest magnitude, 1", self.said(np.minimum(self.magnitude / bright, 1))[0])
        bright = np.quantile(self.magnitude, 0.99, axis=(1, 2, 3), keepdims=True)
        self.assertIn("99 % of its own values", self.said(self.magnitude / bright)[0])
        peaks = np.abs(self.echoes.real).max(axis=(1, 2, 3), keepdims=True)
        self.assertIn("same largest real part", doubts(self.echoes / peaks, "x")[0])

    def test_what_piles_up_at_its_largest_value_was_clipped(self):
        most = self.magnitude[0].max()
        for which, top in {"echo 1 of ": [0.5], "echoes 1, 2 of ": [0.5, 0.4], "": [0.5, 0.4, 0.3, 0.2]}.items():
            clipped = self.magnitude.copy()
            for echo, share in zip(clipped, top, strict=False):
                np.minimum(echo, share * most, out=echo)
            with self.subTest(which):
                self.assertRegex(self.said(clipped)[0], f"^The magnitude of {which}x ends at .* was clipped there")
                self.assertIn(f"The magnitude of {which}x ends", check_magnitude(clipped + 0j, "x")[0])
        real = np.clip(self.echoes.real, -0.4 * most, 0.4 * most) + 1j * self.echoes.imag
        self.assertRegex(doubts(real, "x")[0], "^The real part of (echoes [1-4, ]+ of )?x ends at .* was clipped there")
        for levels in (127, 4095):  # of few, some have the largest by chance
            stored = np.round(levels * self.magnitude / self.magnitude.max())
            self.assertEqual([*self.said(stored), *check_magnitude(stored + 0j, "x")], [])

    def test_a_magnitude_alone_is_doubted_as_one_with_phase(self):
        magnitude = self.magnitude
        bright = np.quantile(magnitude, 0.99, axis=(1, 2, 3), keepdims=True)
        twice, copied = magnitude.copy(), magnitude.copy()
        twice[2] = twice[1]
        copied[:, 5] = copied[:, 4]
        for words, wrong in {
            "spread as that of a squared magnitude": magnitude**2,
            "skewed as that of the root": np.sqrt(magnitude),
            "same largest magnitude": magnitude / magnitude.max(axis=(1, 2, 3), keepdims=True),
            "99 % of its own values": magnitude / bright,
            "copies of the slice before": copied,
            "in whole numbers up to 9": np.round(9 * magnitude / magnitude.max()),
        }.items():
            with self.subTest(words):
                self.assertIn(words, " ".join(check_magnitude(wrong + 0j, "x")))
        with self.assertRaisesRegex(InputError, "magnitude of echo 2 and of echo 3 of x is the same image"):
            check_magnitude(twice + 0j, "x")


class SlicesTest(unittest.TestCase):
    def test_a_phase_that_runs_the_other_way_in_single_slices_or_every_other_one_is_negated_and_told(self):
        steep = {"field_gradient_hz_per_mm": (20.0, 0.0, 0.0)}  # the field passes zero between two slices
        patterns = [[], [9], [8, 14], [*range(1, 24, 2)]]
        for changes, tried in (({"snr": 10.0}, patterns), (steep, patterns[::3])):
            settings = PhantomSettings(shape=(50, 50, 24), supersampling=1, seed=3, **changes)
            right = make_phantom(settings).acquisition.echoes
            for slices in tried:
                with self.subTest(changes, slices=slices):
                    echoes = right.copy()
                    echoes[:, slices] = echoes[:, slices].conj()
                    notes = undo_slices(echoes, "x")
                    np.testing.assert_array_equal(echoes, right)
                    self.assertEqual(len(notes), bool(slices))
                    for note in notes:
                        self.assertIn("1 slice of x (10)" if slices == [9] else f"{len(slices)} slices of x", note)
                    for number in (1, 4):
                        echoes[number, slices] = echoes[number, slices].conj()
                    notes = undo_slices(echoes, "x")
                    np.testing.assert_array_equal(echoes, right)
                    self.assertEqual(["echoes 2, 5 of x" in note for note in notes], [True] * bool(slices))

    def test_a_field_that_bends_along_an_axis_in_a_right_scan_is_none(self):
        echo_times = tuple(0.43e-3 + 0.3e-3 * np.arange(6))
        settings = PhantomSettings(
            shape=(40, 40, 20), supersampling=1, seed=10, snr=40.0, field_strength=7.0, echo_times=echo_times
        )
        right = make_phantom(settings).acquisition.echoes
        echoes = right.copy()
        self.assertEqual(undo_slices(echoes, "x"), [])
        np.testing.assert_array_equal(echoes, right)

    def test_a_slice_of_which_a_part_runs_the_other_way_is_none_if_the_rest_would_not_go_on(self):
        # Two fifths of the voxels of slice 8 would go on if negated, the others neither way; all of a negated one do.
        rng = np.random.default_rng(1)
        for share, undone in ((0.4, 0), (0.95, 1)):
            phase = np.broadcast_to(rng.uniform(-np.pi, np.pi, (40, 40)), (4, 15, 40, 40)).copy()
            other = np.where(rng.random((40, 40)) < share, -phase[0, 7], rng.uniform(-np.pi, np.pi, (40, 40)))
            phase[2, 7] = other
            echoes = np.exp(1j * phase).astype(np.complex64)
            before = echoes.copy()
            self.assertEqual(len(undo_slices(echoes, "x")), undone)
            before[2, 7] = before[2, 7].conj() if undone else before[2, 7]
            np.testing.assert_array_equal(echoes, before)

    def test_a_sign_that_alternates_along_the_slices_is_undone(self):
        rng = np.random.default_rng(0)
        noise = rng.standard_normal((3, 8, 20, 20, 2)) @ [1, 1j]
        smooth = (30 + noise).astype(np.complex64)
        smooth[:, :, :8] = noise[:, :, :8]
        turned = smooth.copy()
        turned[:, 1::2] *= -1
        self.assertEqual(undo_alternate_slices(turned), [0, 1, 2])
        np.testing.assert_array_equal(turned, smooth)
        for some in ([0], [1], [1, 2]):
            for number in some:
                turned[number, 1::2] *= -1
            self.assertEqual(undo_alternate_slices(turned), some)
            np.testing.assert_array_equal(turned, smooth)
        for other in (smooth, noise.astype(np.complex64), smooth[:, :1], 0 * smooth):
            before = other.copy()
            self.assertEqual(undo_alternate_slices(other), [])
            np.testing.assert_array_equal(other, before)


if __name__ == "__main__":
    unittest.main()
