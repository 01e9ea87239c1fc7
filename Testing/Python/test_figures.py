"""Pictures: slices in patient orientation with their regions, honest windows and colors."""

import unittest

import numpy as np
from pictures import (
    AFFINE,
    HAS_MATPLOTLIB,
    LETTERS,
    MIDDLE,
    PLANES,
    SHAPE,
    bars_of,
    figure_of,
    lightness,
    marked_volume,
    noise,
    shown,
    slices_of,
    titles_of,
)

from TrabecularQSMLib.acquisition import Reorientation
from TrabecularQSMLib.figures import style
from TrabecularQSMLib.figures.colors import COLORS, color_table
from TrabecularQSMLib.figures.maps import View, compare_inversions, map_figure
from TrabecularQSMLib.figures.registration import checkerboard_figure
from TrabecularQSMLib.quantities import ALL_QUANTITIES, display_window


@unittest.skipUnless(HAS_MATPLOTLIB, "matplotlib is not installed")
class OrientationTest(unittest.TestCase):
    def test_a_marked_corner_lies_where_its_letters_say(self):
        view = View(AFFINE, PLANES, (6, 7, 4))
        figure = figure_of(map_figure, {"mask": marked_volume()}, view)
        for axes, plane in zip(slices_of(figure), PLANES, strict=True):
            image = shown(axes)
            rows, columns = (n // 2 for n in image.shape)
            self.assertEqual(image[:rows, :columns].min(), 1, plane)
            self.assertEqual(image.sum(), rows * columns, plane)
            # The first row is drawn on top, the first column on the left.
            left, right, bottom, top = axes.images[0].get_extent()
            self.assertEqual((left < right, top < bottom, axes.images[0].origin), (True, True, "upper"))
            at = {text.get_text(): text.get_position() for text in axes.texts}
            above, beside = LETTERS[plane]
            self.assertGreater(at[above][1], 0.9)
            self.assertLess(at[beside][0], 0.1)

    def test_storage_order_and_flips_do_not_change_the_picture(self):
        volume, voxel = noise(), (5, 2, 4)
        expected = slices_of(figure_of(map_figure, {"pdff": volume}, View(AFFINE, PLANES, voxel)))
        for order, flips in (((2, 0, 1), (True, False, True)), ((1, 2, 0), (False, True, True))):
            shuffle = Reorientation(order, flips, volume.shape)
            stored, affine = shuffle.apply(volume), shuffle.apply_affine(AFFINE)
            place = [voxel[axis] for axis in order]
            place = tuple(n - 1 - p if f else p for p, f, n in zip(place, flips, stored.shape, strict=True))
            figure = figure_of(map_figure, {"pdff": stored}, View(affine, PLANES, place))
            for axes, other in zip(slices_of(figure), expected, strict=True):
                np.testing.assert_array_equal(shown(axes), shown(other), err_msg=f"{order}")
                np.testing.assert_allclose(axes.images[0].get_extent(), other.images[0].get_extent())

    def test_anisotropic_slices_are_shown_in_their_proportions_and_one_scale(self):
        figure = figure_of(map_figure, {"pdff": noise()}, View(AFFINE, PLANES))
        sizes = [axes.get_position().size * figure.get_size_inches() for axes in slices_of(figure)]
        scale = sizes[0][0] / 15
        np.testing.assert_allclose(sizes, scale * np.array([(15, 24), (12, 24), (12, 15)]))


@unittest.skipUnless(HAS_MATPLOTLIB, "matplotlib is not installed")
class WindowTest(unittest.TestCase):
    def test_gray_is_linear_between_the_ends_of_the_window(self):
        chi = np.zeros(SHAPE)
        chi[:5, 9, 3] = (-5, -1, 0, 1, 5)
        (axes,) = slices_of(figure_of(map_figure, {"chi": chi}, MIDDLE))
        image = axes.images[0]
        gray = image.to_rgba(image.get_array())[::-1, 0]
        np.testing.assert_allclose(gray[:5, 0], [0, 0, 0.5, 1, 1], atol=0.5 / 255)
        np.testing.assert_array_equal(gray[:, 0], gray[:, 2])

    def test_what_is_not_a_number_is_as_dark_as_the_page_in_every_kind_of_colors(self):
        from matplotlib.colors import to_rgba

        array = np.ones(SHAPE)
        array[:4, 5:], array[4:, 5:] = np.nan, np.inf
        maps = {name: array for name in ("chi", "r2star", "local_field")}
        figure = figure_of(map_figure, maps, MIDDLE)
        for axes in slices_of(figure):
            colors = axes.images[0].to_rgba(axes.images[0].get_array())
            np.testing.assert_allclose(colors[:, :5], np.broadcast_to(to_rgba(style.DARK), (8, 5, 4)))
            self.assertGreater(colors[:, 5:, :3].max(), 0.3)
        self.assertLess(lightness(np.array(to_rgba(style.DARK)[:3])), 8)
        self.assertEqual(figure.get_facecolor(), to_rgba(style.DARK))

    def test_maps_in_color_are_drawn_inside_the_body_only(self):
        body = marked_volume() > 0
        maps = {"pdff": np.zeros(SHAPE), "mip": noise()}
        colored, gray = slices_of(figure_of(map_figure, maps, MIDDLE, truth={"pdff": maps["pdff"]}, body=body))[:2]
        np.testing.assert_array_equal(np.ma.getmaskarray(shown(colored))[:4, :5], False)
        self.assertEqual(np.ma.count(shown(colored)), 20)
        self.assertEqual(np.ma.count(shown(gray)), 80)

    def test_images_and_susceptibility_are_gray_values_sequential_and_fields_diverging(self):
        for name in ("chi", "water", "fat", "mip", "mask"):
            self.assertEqual(ALL_QUANTITIES[name].colors, "gray")
        for name, quantity in ALL_QUANTITIES.items():
            (axes,) = slices_of(figure_of(map_figure, {name: noise()}, MIDDLE))
            self.assertEqual(axes.images[0].get_cmap().name, quantity.colors, name)
            if quantity.colors == "diverging":
                low, high = axes.images[0].get_clim()
                self.assertEqual(low, -high, name)

    def test_sequential_colors_grow_lighter_all_along_the_scale_in_even_steps(self):
        for colors in ("gray", "sequential"):
            steps = np.diff(lightness(style.color_map(colors)(np.linspace(0, 1, 18))[:, :3]))
            self.assertGreater(steps.min(), 0.7 * steps.mean(), colors)
            self.assertLess(steps.max(), 1.3 * steps.mean(), colors)

    def test_sequential_colors_are_those_that_readers_know(self):
        import matplotlib

        known = matplotlib.colormaps["viridis"](np.linspace(0, 1, COLORS))[:, :3]
        # Nine colors with straight lines between them: a step that is hardly seen.
        self.assertLess(np.abs(color_table("sequential") - known).mean(), 0.01)

    def test_diverging_colors_are_equally_light_on_either_side_of_the_dark_zero(self):
        light = lightness(style.color_map("diverging")(np.linspace(0, 1, 257))[:, :3])
        # A color of 255 steps cannot be closer.
        np.testing.assert_allclose(light, light[::-1], atol=1)
        self.assertLess(abs(int(np.argmin(light)) - 128), 3)
        self.assertGreater(np.diff(light[128::8]).min(), 0)
        self.assertLess(light.min(), 8)  # as the page

    def test_truth_is_shown_below_its_map_in_the_same_window(self):
        maps = {"water": noise(), "mip": noise(2)}
        figure = figure_of(map_figure, maps, MIDDLE, truth={"water": maps["water"] / 2})
        water, _, truth = slices_of(figure)
        self.assertEqual(titles_of(figure), ["Water", "Echo MIP", "Truth"])
        self.assertEqual(truth.images[0].get_clim(), water.images[0].get_clim())
        self.assertEqual(truth.get_position().x0, water.get_position().x0)
        self.assertLess(truth.get_position().y1, water.get_position().y0)

    def test_inversions_share_one_window_in_gray(self):
        chi = noise()
        options = {"truth": 3 * chi, "window": (0.0, 0.4)}
        figure = figure_of(compare_inversions, {"closed-form": chi, "other": chi}, chi, MIDDLE, **options)
        self.assertEqual(titles_of(figure), ["Echo MIP", "Closed form χ", "other χ", "Truth χ"])
        for axes in slices_of(figure)[1:]:
            self.assertEqual((axes.images[0].get_clim(), axes.images[0].get_cmap().name), ((0.0, 0.4), "gray"))

    def test_a_window_does_not_depend_on_what_is_missing(self):
        water = noise()
        holes = np.append(water.ravel(), [np.nan, np.inf]).astype(water.dtype)
        self.assertEqual(display_window("water", holes), display_window("water", water))
        self.assertEqual(display_window("water", np.full(3, np.nan)), (0.0, 1.0))


@unittest.skipUnless(HAS_MATPLOTLIB, "matplotlib is not installed")
class OutlineTest(unittest.TestCase):
    def outlines(self, axes):
        return {c.get_gid(): np.concatenate([p.vertices for p in c.get_paths()]) for c in axes.collections}

    def test_outlines_run_along_the_borders_of_regions(self):
        regions = np.zeros(SHAPE, int)
        regions[5:, 7:, :] = 3  # in the upper left of the slice, to its edge
        regions[1:4, 2:6, :] = 8
        regions[0, 0, 0] = 9  # not in the slice
        view = View(AFFINE, regions=regions, region_names={3: "talus", 9: "tibia"})
        figure = figure_of(map_figure, {"chi": noise(), "mip": noise()}, view)
        for axes in slices_of(figure):
            found = self.outlines(axes)
            self.assertEqual(set(found), {"region-3", "region-8"})
            # mm from the left and from above: columns of 1.5 mm from anterior, rows of 3 mm from superior
            for name, (left, right, top, bottom) in (("region-3", (0, 3, 0, 3)), ("region-8", (4, 8, 4, 7))):
                expected = np.array([(left, top), (right, bottom)]) * (1.5, 3)
                np.testing.assert_allclose([found[name].min(0), found[name].max(0)], expected)
            np.testing.assert_allclose((axes.get_xlim(), axes.get_ylim()), ((0, 15), (24, 0)))
        self.assertEqual([text.get_text() for text in figure.legends[0].get_texts()], ["talus", "8"])
        colors = [line.get_color() for line in figure.legends[0].get_lines()]
        self.assertEqual(len(set(colors)), 2)

    def test_without_regions_there_are_no_outlines_and_no_legend(self):
        figure = figure_of(map_figure, {"chi": noise()}, MIDDLE)
        self.assertEqual((len(figure.legends), len(slices_of(figure)[0].collections)), (0, 0))

    def test_more_regions_than_colors_differ_in_their_lines(self):
        regions = np.arange(np.prod(SHAPE)).reshape(SHAPE) % 13
        figure = figure_of(map_figure, {"chi": noise()}, View(AFFINE, PLANES, regions=regions))
        looks = {(line.get_color(), line.get_linestyle()) for line in figure.legends[0].get_lines()}
        self.assertEqual(len(looks), 12)


@unittest.skipUnless(HAS_MATPLOTLIB, "matplotlib is not installed")
class CheckerboardTest(unittest.TestCase):
    def test_tiles_beyond_the_moving_image_are_dark(self):
        fixed = 1 + noise()
        moving = fixed.copy()
        moving[:4] = moving.min() - 1  # as where `register` finds nothing
        figure = figure_of(checkerboard_figure, fixed, moving, AFFINE)
        self.assertEqual(titles_of(figure)[:3], ["Fixed, sagittal", "Moving, sagittal", "Both, sagittal"])
        self.assertEqual(bars_of(figure), [])
        fixed_slice, moving_slice, both = (shown(axes) for axes in slices_of(figure)[:3])
        self.assertEqual(moving_slice[4:].max(), 0)
        self.assertGreater(fixed_slice[4:].max(), 0.5)
        # Each voxel of the board is of one of the two, and below half of them are of the moving one.
        self.assertTrue(np.all((both == fixed_slice) | (both == moving_slice)))
        self.assertEqual(np.count_nonzero(both[4:] == 0), 20)


if __name__ == "__main__":
    unittest.main()
