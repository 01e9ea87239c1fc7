"""Figures: slices in patient orientation, honest windows, readable text, complete files."""

import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import SimpleITK as sitk

from TrabecularQSMLib.acquisition import Reorientation
from TrabecularQSMLib.figures import glyphs
from TrabecularQSMLib.figures import maps as figures
from TrabecularQSMLib.quantities import QUANTITIES

AFFINE = np.array([[2.0, 0, 0, -10], [0, 1.5, 0, -20], [0, 0, 3.0, 5], [0, 0, 0, 1]])


def marked_volume():
    """Zero but for one bright corner towards superior, anterior and right."""
    array = np.zeros((8, 10, 6), dtype=np.float32)
    array[4:, 5:, 3:] = 1.0
    return array


def slice_of(picture, panel=0, size=280):
    """Image part of a panel: below the title, left of the color bar."""
    head = glyphs.HEIGHT * figures._TEXT + 6 + figures._GAP
    return picture[head : head + size, figures._GAP :]


class OrientationTest(unittest.TestCase):
    def test_a_sagittal_slice_has_superior_up_and_anterior_left(self):
        image = slice_of(figures.map_figure({"mask": marked_volume()}, AFFINE, voxel=(0, 0, 4)))
        extent = image.shape[0] * 15 // 24  # 24 mm in height, 15 mm across
        middle = image[60:-60, 40:extent].mean(axis=-1)
        top, bottom = middle[: len(middle) // 3], middle[-(len(middle) // 3) :]
        self.assertGreater(top[:, :20].min(), 250)
        self.assertEqual(top[:, -20:].max(), 0)
        self.assertEqual(bottom.max(), 0)

    def test_storage_order_and_flips_do_not_change_the_picture(self):
        volume = np.random.default_rng(1).random((8, 10, 6)).astype(np.float32)
        voxel = (5, 2, 4)
        for plane in ("sagittal", "coronal", "axial"):
            expected = figures.map_figure({"pdff": volume}, AFFINE, plane=plane, voxel=voxel)
            for order, flips in (((2, 0, 1), (True, False, True)), ((1, 2, 0), (False, True, True))):
                shuffle = Reorientation(order, flips, volume.shape)
                stored, affine = shuffle.apply(volume), shuffle.apply_affine(AFFINE)
                place = [voxel[axis] for axis in order]
                place = tuple(n - 1 - p if f else p for p, f, n in zip(place, flips, stored.shape, strict=True))
                picture = figures.map_figure({"pdff": stored}, affine, plane=plane, voxel=place)
                np.testing.assert_array_equal(picture, expected, err_msg=f"{plane} {order}")

    def test_an_anisotropic_slice_is_shown_in_its_proportions(self):
        image = figures._enlarged(np.ones((8, 10)), (3.0, 1.5), 240)
        self.assertEqual(image.shape, (240, 150))


class WindowTest(unittest.TestCase):
    def test_grey_is_linear_between_the_ends_of_the_window(self):
        shown = figures.colors(np.array([-5.0, -1.0, 0.0, 1.0, 5.0]), (-1.0, 1.0), colored=False)
        np.testing.assert_array_equal(shown[:, 0], [0, 0, 128, 255, 255])

    def test_what_is_not_a_number_is_black_in_color_too(self):
        shown = figures.colors(np.array([np.nan, np.inf, 0.0]), (0.0, 1.0), colored=True)
        np.testing.assert_array_equal(shown[:2], 0)
        self.assertGreater(shown[2].max(), 0)

    def test_colors_grow_lighter_all_along_the_scale_in_even_steps(self):
        rgb = figures.colors(np.linspace(0, 1, 256), (0.0, 1.0), colored=True) / 255.0
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        luminance = linear @ [0.2126, 0.7152, 0.0722]
        lightness = np.where(luminance > 0.008856, 116 * np.cbrt(luminance) - 16, 903.3 * luminance)
        # Over 15 steps rounding to 8 bits no longer matters.
        steps = np.diff(lightness[::15])
        self.assertGreater(steps.min(), 0.7 * steps.mean())
        self.assertLess(steps.max(), 1.3 * steps.mean())

    def test_truth_is_shown_in_the_window_of_its_map(self):
        chi = np.full((8, 10, 6), 0.5, dtype=np.float32)
        alone = figures.map_figure({"water": chi}, AFFINE)
        both = figures.map_figure({"water": chi}, AFFINE, truth={"water": chi / 2})
        self.assertGreater(both.shape[0], 2 * alone.shape[0] - 2 * figures._GAP)
        below = both[alone.shape[0] :]
        self.assertEqual(below[below.shape[0] // 2, figures._GAP + 100].tolist(), [128] * 3)

    def test_inversions_share_one_window(self):
        chi = np.full((8, 10, 6), 0.1, dtype=np.float32)
        picture = figures.compare_inversions(
            {"closed-form": chi, "medi-tv": 2 * chi}, np.ones_like(chi), AFFINE, truth=3 * chi, window=(0.0, 0.4)
        )
        greys = set(np.unique(picture[picture.shape[0] // 2 + 40]).tolist())
        self.assertLessEqual({64, 128, 191}, greys)


class TextTest(unittest.TestCase):
    def test_every_title_can_be_written(self):
        titles = [figures._title(name) for name in QUANTITIES] + list(figures.INVERSION_TITLES.values())
        for character in set("".join(titles) + "0123456789.−+e*²·χ") - {" "}:
            self.assertIn(character, glyphs.GLYPHS)

    def test_no_two_characters_look_the_same(self):
        for character, glyph in glyphs.GLYPHS.items():
            self.assertEqual(glyph.shape, (glyphs.HEIGHT, glyphs.WIDTH))
            alike = [other for other, drawn in glyphs.GLYPHS.items() if np.array_equal(drawn, glyph)]
            self.assertEqual(alike, [character])

    def test_an_unknown_character_becomes_a_question_mark(self):
        np.testing.assert_array_equal(glyphs.text_mask("漢"), glyphs.text_mask("?"))

    def test_units_are_in_the_titles(self):
        self.assertEqual(figures._title("chi"), "Susceptibility χ [ppm]")
        self.assertEqual(figures._title("r2star"), "R2* [1/s]")
        self.assertEqual(figures._title("pdff"), "Fat fraction")
        self.assertEqual(figures._title("something else"), "something else")


class PngTest(unittest.TestCase):
    def test_a_png_holds_the_picture(self):
        picture = figures.map_figure({"pdff": marked_volume(), "chi": marked_volume()}, AFFINE)
        with tempfile.TemporaryDirectory() as folder:
            path = figures.write_png(Path(folder) / "maps é.png", picture)
            np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(path)), picture)
            self.assertEqual([p.name for p in Path(folder).iterdir()], ["maps é.png"])

    def test_a_failed_write_leaves_the_old_file_and_nothing_else(self):
        picture = np.zeros((4, 4, 3), dtype=np.uint8)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.png"
            path.write_bytes(b"old")
            with mock.patch("os.replace", side_effect=OSError("disk full")), self.assertRaises(OSError):
                figures.write_png(path, picture)
            self.assertEqual([p.name for p in Path(folder).iterdir()], ["a.png"])
            self.assertEqual(path.read_bytes(), b"old")


if __name__ == "__main__":
    unittest.main()
