import unittest
from unittest import mock

import numpy as np

from TrabecularQSMLib.acquisition import Acquisition
from TrabecularQSMLib.fieldmap import masks, mistakes, sample
from TrabecularQSMLib.fieldmap.fat_models import FAT_MODELS
from TrabecularQSMLib.fieldmap.kind import find_kind
from TrabecularQSMLib.fieldmap.sample import draw
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom
from TrabecularQSMLib.pipeline.remarks_on_echoes import on_mistake


def powered(echoes, power):
    return np.abs(echoes) ** power * np.exp(1j * np.angle(echoes))


class MistakesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        times = tuple(1.2e-3 + 1.1e-3 * n for n in range(6))
        settings = PhantomSettings(shape=(40, 40, 12), supersampling=1, seed=4, echo_times=times)
        cls.scan = make_phantom(settings).acquisition
        mip = masks.combine_echoes(cls.scan.echoes)
        cls.mask = mip > 0.1 * mip.max()

    def find(self, echoes=None, times=None, frequency=1.0, sign=1, voxels=200) -> mistakes.Mistake | None:
        scan: Acquisition = self.scan
        echoes = scan.echoes if echoes is None else np.ascontiguousarray(echoes)
        mip = masks.combine_echoes(echoes)
        with mock.patch.object(mistakes, "VOXELS", voxels), mock.patch.object(sample, "VOXELS", 1500):
            drawn = draw(
                echoes, self.mask, echo_times=scan.echo_times if times is None else times,
                imaging_frequency=frequency * scan.imaging_frequency, fat_model=FAT_MODELS["ren-marrow"],
            )  # fmt: skip
            kind = find_kind(*drawn, sign=sign, bipolar=False, trains=1)
            return mistakes.find_mistake(*drawn, kind=kind, noise=masks.noise_level(echoes, mip))

    def test_a_scan_as_its_header_says_has_none_with_errors_of_echoes_neither(self):
        self.assertIsNone(self.find())
        self.assertIsNone(self.find(self.scan.echoes.conj(), sign=-1))
        rng = np.random.default_rng(0)
        gains = np.exp(0.07 * (rng.standard_normal(6) + 1j * rng.standard_normal(6)))[:, None, None, None]
        self.assertIsNone(self.find(self.scan.echoes * gains))
        self.assertIsNone(self.find(self.scan.echoes[:3], times=self.scan.echo_times[:3]))

    def test_errors_of_four_echoes_are_none(self):
        # Draws in which fat seems to lie 0.9 times as far from water, or all echoes to be later.
        times = tuple(0.7e-3 * (1.3 + np.arange(4)))
        for seed, draws in ((77, (60,)), (5, (25, 26))):
            settings = PhantomSettings(shape=(40, 40, 12), supersampling=1, seed=seed, echo_times=times)
            scan = make_phantom(settings).acquisition
            mip = masks.combine_echoes(scan.echoes)
            for number in draws:
                errors = 0.05 * (np.random.default_rng(number).standard_normal((4, 2)) @ [1, 1j])
                echoes = (scan.echoes * np.exp(errors)[:, None, None, None]).astype(np.complex64)
                with mock.patch.object(self, "scan", scan), mock.patch.object(self, "mask", mip > 0.1 * mip.max()):
                    self.assertIsNone(self.find(echoes, voxels=400))

    def test_echoes_that_have_decayed_into_noise_are_none(self):
        # As with iron: without its noise, which a square or another echo takes off, such an echo fits better.
        rng, times = np.random.default_rng(3), tuple(1.25e-3 + 0.7e-3 * np.arange(9))
        settings = PhantomSettings(shape=(40, 40, 12), supersampling=1, seed=4, snr=None, echo_times=times)
        scan = make_phantom(settings).acquisition
        echoes = scan.echoes * np.exp(-600 * scan.echo_times)[:, None, None, None]
        noise = rng.standard_normal((*echoes.shape, 2)) @ [1, 1j] * np.abs(echoes[0]).max() / 40
        with mock.patch.object(self, "scan", scan):
            self.assertIsNone(self.find((echoes + noise).astype(np.complex64)))

    def test_large_errors_of_single_echoes_are_no_mistake(self):
        # Draws in which an echo seems to be negated, or missing.
        for seed in (1, 8):
            rng = np.random.default_rng(seed)
            phases = rng.uniform(-1, 1, 3)[np.arange(6) % 3]
            gains = np.exp(1j * phases + 0.1 * (rng.normal(size=6) + 1j * rng.normal(size=6)))
            self.assertIsNone(self.find(self.scan.echoes * gains[:, None, None, None]))

    def test_a_magnitude_that_a_display_corrected_is_told_where_there_is_little_noise(self):
        times = tuple(1e-3 + 0.7e-3 * n for n in range(9))
        settings = PhantomSettings(shape=(40, 40, 12), supersampling=1, seed=4, snr=60.0, echo_times=times)
        with mock.patch.object(self, "scan", make_phantom(settings).acquisition):
            self.assertIsNone(self.find(times=times))
            found = self.find(powered(self.scan.echoes, 0.7), times=times)
        self.assertEqual((found.what, found.number), ("power", 1.41))
        self.assertIn("with the power 1.4 of the magnitude in its place", on_mistake(found)[0])

    def test_what_the_echoes_contradict_is_named(self):
        echoes, times = self.scan.echoes, self.scan.echo_times
        order, behind, before = [0, 1, 3, 2, 4, 5], [1, 2, 3, 4, 5, 5], [0, 0, 1, 2, 3, 4]
        negated = echoes * np.array([1, 1, 1, 1, -1, 1])[:, None, None, None]
        alternating = echoes * np.array([1, -1, 1, 1, -1, 1])[:, None, None, None]
        cases = {
            ("scale", 2.0): {"frequency": 0.5},
            ("scale", 0.9): {"times": times * 1.1, "voxels": 400},
            ("order", 3): {"echoes": echoes[order]},
            ("gap", 2): {"echoes": np.delete(echoes, 2, axis=0), "times": times[:5]},
            ("negated", 5): {"echoes": negated},
            ("negated", 0): {"echoes": np.delete(alternating, 2, axis=0), "times": np.delete(times, 2)},
            ("power", 2.0): {"echoes": powered(echoes, 0.5)},
            ("power", 0.5): {"echoes": powered(echoes, 2.0)},
            ("phases", 0): {"echoes": np.abs(echoes) * np.exp(1j * np.angle(echoes))[::-1]},
            ("magnitude", 1): {"echoes": np.abs(echoes)[behind] * np.exp(1j * np.angle(echoes))},
            ("phase", -1): {"echoes": np.abs(echoes) * np.exp(1j * np.angle(echoes))[before]},
        }
        for (what, number), changes in cases.items():
            with self.subTest(what, number=number):
                found = self.find(**changes)
                self.assertEqual((found.what, found.number), (what, number))
                to_do = dict.fromkeys(("magnitude", "phase", "phases"), "put together")
                self.assertIn((to_do | {"power": "export the magnitude"}).get(what, "echo times"), on_mistake(found)[0])
