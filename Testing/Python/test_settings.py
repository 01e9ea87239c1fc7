"""Presets, ranges and choices of the settings."""

import unittest

from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.settings import CHOICES, OPTIONAL, RANGES, Settings, preset


class SettingsTest(unittest.TestCase):
    def test_the_papers_numbers_are_in_its_preset(self):
        paper = preset("paper")
        self.assertEqual((paper.edge_fraction, paper.edge_weight, paper.edge_threshold), (0.4, 0.01, None))
        self.assertIsNone(paper.edge_steepness)
        self.assertEqual((paper.edge_image, paper.echo_combination), ("opposed-phase", "mip"))
        self.assertEqual((paper.background, paper.inversion, paper.fat_model), ("lbv", "medi-tv", "seven-peak"))
        # 0.2 and 0.1 are in voxel units of 1.5 mm; 0.03 is as printed.
        voxel_mm = 1.5
        for inversion, wanted in (
            ("closed-form", 0.2 * voxel_mm**2),
            ("medi-l2", 0.1 * voxel_mm**2),
            ("medi-tv", 0.03),
        ):
            self.assertAlmostEqual(preset("paper", inversion=inversion).regularization, wanted)

    def test_the_authors_numbers_are_in_their_preset(self):
        code = preset("authors-code")
        self.assertEqual((code.edge_threshold, code.edge_weight, code.edge_image), (0.1, 0.0, "magnitude"))
        self.assertIsNone(code.edge_steepness)
        self.assertEqual((code.echo_combination, code.fat_model), ("rss", "ren-marrow"))
        # Voxel units as above; their TV has a half before the data term, and its gradient is per mm.
        for inversion, wanted in (("closed-form", 0.08 * 2.25), ("medi-l2", 0.008 * 2.25), ("medi-tv", 2 * 0.008)):
            self.assertAlmostEqual(preset("authors-code", inversion=inversion).regularization, wanted)

    def test_the_presets_of_the_paper_and_of_the_authors_leave_cortex_in(self):
        self.assertEqual([preset(name).separate_cortex for name in ("paper", "authors-code")], ["no", "no"])

    def test_what_is_given_wins_over_the_preset(self):
        self.assertEqual(preset("paper", regularization=0.5, inversion="medi-l2").regularization, 0.5)
        self.assertEqual(preset(padding=8).padding, 8)
        with self.assertRaisesRegex(InputError, "authors-code"):
            preset("papers")

    def test_values_beyond_their_range_or_of_another_kind_are_refused_by_name(self):
        for name, (low, high) in RANGES.items():
            whole = name in ("padding", "inversion_iterations")
            for value in (low, high):
                self.assertEqual(getattr(Settings(**{name: value}), name), value)
            wrong = [low - 1, high * 2 + 1, float("nan"), float("inf"), "1", True]
            wrong += [low + 0.5] if whole else []
            for value in wrong + ([] if name in OPTIONAL else [None]):
                with self.subTest(name=name, value=value), self.assertRaisesRegex(InputError, name):
                    Settings(**{name: value})
        for name in OPTIONAL:
            self.assertIsNone(getattr(Settings(**{name: None}), name))

    def test_names_that_do_not_exist_are_refused_with_the_choices(self):
        for name, choices in CHOICES.items():
            with self.assertRaisesRegex(InputError, f"{name}.*{choices[-1]}"):
                Settings(**{name: "nonsense"})
        with self.assertRaisesRegex(InputError, "unknown setting 'lambda'.*regularization"):
            Settings.from_dict({"lambda": 1})
        with self.assertRaisesRegex(InputError, "not a table"):
            Settings.from_dict([1])
        self.assertEqual(Settings.from_dict(preset("paper").as_dict()), preset("paper"))


if __name__ == "__main__":
    unittest.main()
