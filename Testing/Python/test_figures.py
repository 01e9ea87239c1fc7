"""Pictures: slices in patient orientation, honest windows and colors, one layout, files that hold all they need."""

import importlib.util
import itertools
import re
import sys
import unittest
from unittest import mock

import numpy as np

from TrabecularQSMLib.acquisition import Reorientation
from TrabecularQSMLib.analysis.bvtv import ApparentBVTV
from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.figures import style
from TrabecularQSMLib.figures.bvtv import bvtv_figure
from TrabecularQSMLib.figures.colors import COLORS, color_table
from TrabecularQSMLib.figures.lcurve import compare_lcurves, lcurve_figure
from TrabecularQSMLib.figures.maps import View, compare_inversions, map_figure, map_panel
from TrabecularQSMLib.figures.profiles import profile_figure
from TrabecularQSMLib.figures.registration import checkerboard_figure
from TrabecularQSMLib.inversion.lcurve import LCurve
from TrabecularQSMLib.quantities import ALL_QUANTITIES, display_window

HAS_MATPLOTLIB = importlib.util.find_spec("matplotlib") is not None
# Voxels of 3, 1.5 and 2 mm: 24 mm in S, 15 mm in A and 12 mm in R.
SHAPE = (8, 10, 6)
AFFINE = np.array([[2.0, 0, 0, -10], [0, 1.5, 0, -20], [0, 0, 3.0, 5], [0, 0, 0, 1]])
MIDDLE = View(AFFINE)
PLANES = ("sagittal", "coronal", "axial")
LETTERS = {"sagittal": ("S", "A"), "coronal": ("S", "R"), "axial": ("A", "R")}


def marked_volume():
    """Zero but for the corner towards superior, anterior and right."""
    array = np.zeros(SHAPE, dtype=np.float32)
    array[4:, 5:, 3:] = 1.0
    return array


def noise(seed=1):
    return np.random.default_rng(seed).random(SHAPE).astype(np.float32)


def figure_of(function, *arguments, **options):
    """The figure of matplotlib that a function draws, instead of its bytes."""
    with mock.patch.object(style, "_save", side_effect=lambda figure, _: figure):
        return function(*arguments, **options)


def curve_of(method="medi-l2", **more):
    values = np.logspace(-2, 1, 4)
    return LCurve(method, values, values, 2 * values, 1 / values, values, float(values[1]), **more)


def slices_of(figure):
    return [axes for axes in figure.axes if not axes.axison]


def bars_of(figure):
    return [axes for axes in figure.axes if axes.axison]


def shown(axes):
    """Array of the slice of an axes."""
    return axes.images[0].get_array()


def titles_of(figure):
    return [text.get_text() for text in figure.texts]


def place_of(artist, figure):
    """Left, bottom, right and top in inches."""
    return artist.get_window_extent(figure._get_renderer()).extents / figure.dpi


def lightness(rgb):
    """L* of the CIE, 0 to 100."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    return np.where(luminance > 0.008856, 116 * np.cbrt(luminance) - 16, 903.3 * luminance)


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
class LayoutTest(unittest.TestCase):
    def check(self, figure):
        """Nothing touches, and all lies on the page."""
        figure.draw_without_rendering()  # a legend places its texts when it is drawn
        texts = [
            *figure.texts,
            # A slice's ticks are there, but not drawn.
            *(text for axes in figure.axes for text in (*axes.texts, *(axes.get_yticklabels() if axes.axison else ()))),
            *(text for legend in figure.legends for text in legend.get_texts()),
        ]
        places = [(text.get_text(), place_of(text, figure)) for text in texts if text.get_text()]
        pictures = [("slice or bar", place_of(axes, figure)) for axes in figure.axes]
        width, height = figure.get_size_inches()
        for name, (left, bottom, right, top) in places + pictures:
            self.assertTrue(-0.01 <= left and -0.01 <= bottom and right <= width and top <= height, name)
        for (name, one), (other, two) in (
            *itertools.combinations(places, 2),
            *itertools.combinations(pictures, 2),
        ):
            apart = np.maximum(one[:2], two[:2]) - np.minimum(one[2:], two[2:])
            self.assertGreater(apart.max(), 0, f"{name} and {other}")

    def test_one_five_and_twelve_maps_have_their_places(self):
        for number, grid in ((1, (1, 1)), (5, (2, 3)), (12, (3, 4))):
            maps = {name: noise() for name in list(ALL_QUANTITIES)[:number]}
            for planes in (("axial",), PLANES):
                figure = figure_of(map_figure, maps, View(AFFINE, planes))
                self.assertEqual(len(slices_of(figure)), number * len(planes))
                self.check(figure)
            places = np.array([axes.get_position().p0 for axes in slices_of(figure)]).round(6)
            self.assertEqual(tuple(len(np.unique(places[:, axis])) for axis in (1, 0)), (grid[0] * 3, grid[1]))

    def test_narrow_slices_long_titles_and_legends_have_their_places(self):
        regions = np.arange(np.prod(SHAPE)).reshape(SHAPE) % 10
        names = {label: f"calcaneus, part {label}" for label in range(1, 8)}
        affine = AFFINE @ np.diag([1, 1, 0.2, 1])  # slices of 4.8 mm in height and 15 mm in width
        view = View(affine, ("sagittal", "coronal"), regions=regions, region_names=names)
        figure = figure_of(map_figure, {"mip": noise(), "a title that is far longer than any other": noise()}, view)
        self.check(figure)
        self.assertEqual(figure.legends[0].get_texts()[0].get_text(), "calcaneus, part 1")
        self.assertEqual(figure.legends[0].get_texts()[-1].get_text(), "9")

    def test_every_bar_has_its_unit_and_the_window_of_its_slice(self):
        figure = figure_of(map_figure, {name: noise() for name in ALL_QUANTITIES}, MIDDLE)
        bars = zip(ALL_QUANTITIES.values(), slices_of(figure), bars_of(figure), strict=True)
        for quantity, axes, bar in bars:
            self.assertEqual([text.get_text() for text in bar.texts], [f"[{quantity.unit}]"])
            low, high = axes.images[0].get_clim()
            self.assertEqual(bar.get_ylim(), (low, high))
            ramp = bar.images[0]
            # High values on top: the first row of the ramp, drawn at the upper end of its extent.
            self.assertEqual((ramp.get_extent()[3], shown(bar)[0, 0], shown(bar)[-1, 0]), (high, high, low))
            self.assertEqual((ramp.get_cmap(), ramp.get_clim()), (axes.images[0].get_cmap(), (low, high)))
            ends = [float(text.get_text().replace("−", "-")) for text in bar.get_yticklabels()]
            np.testing.assert_allclose(ends, (low, (low + high) / 2, high), rtol=5e-3)

    def test_the_scale_bar_is_as_long_as_it_says(self):
        for voxel_mm, said in ((1.0, "2 mm"), (1.5, "2 mm"), (5.0, "1 cm"), (40.0, "10 cm"), (0.02, "0.05 mm")):
            affine = np.diag([voxel_mm, voxel_mm, voxel_mm, 1])
            (axes,) = slices_of(figure_of(map_figure, {"mip": noise()}, View(affine)))
            (line,) = (line for line in axes.lines if line.get_gid() == "scale-bar")
            self.assertIn(said, [text.get_text() for text in axes.texts])
            number, unit = said.split()
            length = float(np.ptp(line.get_xdata()))
            self.assertAlmostEqual(length, float(number) * {"mm": 1, "cm": 10}[unit])
            # In the units of the slice, whose width is that of its 10 voxels.
            self.assertAlmostEqual(abs(np.diff(axes.get_xlim())[0]), 10 * voxel_mm)
            self.assertLessEqual(length, 3 * voxel_mm)

    def test_charts_lie_above_the_slices(self):
        maps = {value: noise() for value in (0.1, 1.0)}
        figure = figure_of(compare_lcurves, [curve_of(maps=maps)], noise() > 0, View(AFFINE, PLANES))
        slices = max(axes.get_position().y1 for axes in slices_of(figure))
        self.assertGreater(min(axes.get_position().y0 for axes in bars_of(figure) if axes.lines), slices)


@unittest.skipUnless(HAS_MATPLOTLIB, "matplotlib is not installed")
class LambdaTest(unittest.TestCase):
    def test_curves_of_inversions_are_drawn_over_their_maps_with_a_ring_for_each(self):
        first = {10.0: noise(3), 0.1: noise()}
        curves = [curve_of("closed-form", maps=first), curve_of("medi-tv", maps={0.01: noise(4)})]
        mask = marked_volume() > 0
        figure = figure_of(compare_lcurves, curves, mask, MIDDLE)
        titles = ["Closed form χ, λ 0.1 mm²", "Closed form χ, λ 10 mm²", "TV-MEDI χ, λ 0.01 ppm·mm"]
        self.assertEqual(titles_of(figure), titles)
        drawn = slices_of(figure)[1]
        self.assertTrue(np.ma.getmaskarray(shown(drawn))[4:, 5:].all())
        np.testing.assert_array_equal(shown(drawn)[:4, :5], noise(3)[4:, 5:, 3][::-1, ::-1])
        charts = [axes for axes in bars_of(figure) if axes.lines]
        for axes, name in zip(charts, ("discrepancy", "data_term"), strict=True):
            line, rings, *_ = axes.lines
            np.testing.assert_array_equal(
                line.get_xydata(), np.transpose([curves[0].regularization, getattr(curves[0], name)])
            )
            np.testing.assert_allclose(rings.get_xdata(), [0.1, 10])
            self.assertIn("λ, in the units below", axes.get_xlabel())

    def test_lambda_and_both_terms_have_their_units(self):
        for method, unit, term in (("closed-form", "mm²", "ppm²/mm²"), ("medi-tv", "ppm·mm", "ppm/mm")):
            figure = figure_of(lcurve_figure, curve_of(method, region_means={"talus": np.ones(4)}), "sub-01")
            discrepancy, curve, means = figure.axes
            self.assertEqual([axes.get_xlabel() for axes in (discrepancy, means)], [f"λ [{unit}]"] * 2)
            self.assertEqual(curve.get_ylabel(), f"log₁₀ regularizer [{term}]")
            self.assertIn(unit, curve.get_legend().get_texts()[0].get_text())

    def test_logarithmic_axes_have_plain_numbers(self):
        curve = curve_of(region_means={"talus": np.ones(4)}, maps={0.1: noise()})
        for figure in (
            figure_of(lcurve_figure, curve, "sub-01"),
            figure_of(compare_lcurves, [curve], noise() > 0, MIDDLE),
        ):
            figure.draw_without_rendering()
            for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
                if axis.get_scale() == "log":
                    labels = [text.get_text() for text in axis.get_ticklabels(which="both") if text.get_text()]
                    self.assertGreater(len(labels), 1)
                    for label in labels:
                        float(label.replace("−", "-"))


@unittest.skipUnless(HAS_MATPLOTLIB, "matplotlib is not installed")
class ProfileTest(unittest.TestCase):
    def test_a_line_lies_on_its_voxels_and_its_chart_shows_them(self):
        volume, k = noise(), np.arange(1, 7)
        # From voxel to voxel along k, at j 2 and i 3, in the slice through the middle.
        points = (AFFINE @ [np.full(2, 3), np.full(2, 2), k[[0, -1]], np.ones(2)])[:3].T
        shade = np.zeros(SHAPE)
        shade[3] = 1
        panels = [map_panel("chi", volume), map_panel("chi", -volume)]
        figure = figure_of(
            profile_figure, panels, {"Across": points}, MIDDLE, shade=shade, plain=map_panel("mip", volume)
        )
        self.assertEqual(len(slices_of(figure)), 3)
        for axes in slices_of(figure):
            (line,) = (line for line in axes.lines if line.get_gid() == "line-0")
            # Rows of 3 mm from superior, columns of 1.5 mm from anterior.
            np.testing.assert_allclose(line.get_xdata(), 1.5 * (10 - 2.5))
            np.testing.assert_allclose(line.get_ydata(), 3 * (8 - 0.5 - k[[0, -1]]))
        (chart,) = (axes for axes in figure.axes if axes.get_title() == "Across")
        for line, sign in zip(chart.lines, (1, -1), strict=True):
            distance, values = line.get_data()
            at = np.isin(distance.round(6), 3.0 * (k - 1))
            np.testing.assert_allclose(values[at], sign * volume[k, 2, 3], rtol=1e-6)
        low, high = chart.collections[0].get_datalim(chart.transData).intervalx
        self.assertTrue(4.5 - 0.76 <= low < 6 < high <= 7.5 + 0.76)


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


@unittest.skipUnless(HAS_MATPLOTLIB, "matplotlib is not installed")
class LogarithmicTest(unittest.TestCase):
    def test_an_axis_of_any_length_has_a_few_labels_which_are_numbers(self):
        from matplotlib.figure import Figure

        for low, high in ((620, 900), (0.21, 0.49), (3, 30), (2e-3, 1.5), (1e-4, 1e2)):
            axes = Figure().subplots()
            axes.set(yscale="log", ylim=(low, high))
            style.label_logarithmic(axes.yaxis)
            axes.figure.canvas.draw()
            labels = [one for one in axes.yaxis.get_ticklabels() if low <= one.get_position()[1] <= high]
            self.assertTrue(2 <= len(labels) <= 10, (low, high))
            for one in labels:
                self.assertAlmostEqual(float(one.get_text()) / one.get_position()[1], 1, places=5)


@unittest.skipUnless(HAS_MATPLOTLIB, "matplotlib is not installed")
class FileTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.made = {picture_format: cls.pictures(picture_format) for picture_format in style.FORMATS}

    @staticmethod
    def pictures(picture_format):
        curve = curve_of(region_means={"talus $1": np.logspace(-2, 1, 4)}, maps={0.1: noise()})
        regions = (noise() > 0.5).astype(int)
        histogram = ApparentBVTV("talus", 0.3, 2.5, 0.5, 1.9, 8, np.array([1, 5, 2]), np.arange(4.0))
        view = View(AFFINE, PLANES, regions=regions, region_names={1: "a < b & $c"})
        return {
            "maps": map_figure({"chi": noise(), "r2star": noise()}, view, picture_format=picture_format),
            "inversions": compare_inversions({"medi-l2": noise()}, noise(), view, picture_format=picture_format),
            "checkerboard": checkerboard_figure(noise(), noise(2), AFFINE, picture_format),
            "lcurve": lcurve_figure(curve, "sub-01", picture_format),
            "lcurves": compare_lcurves([curve], noise() > 0.1, MIDDLE, picture_format),
            "bvtv": bvtv_figure([histogram], "sub-01", picture_format),
        }

    def test_the_same_picture_gives_the_same_bytes_whatever_the_reader_has_set(self):
        import matplotlib

        for picture_format, start in (("png", b"\x89PNG\r\n\x1a\n"), ("svg", b"<?xml")):
            with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "red", "savefig.dpi": 50}):
                again = self.pictures(picture_format)
            for name, picture in self.made[picture_format].items():
                self.assertEqual(picture[: len(start)], start)
                self.assertTrue(picture == again[name], f"{name} {picture_format}")
                self.assertFalse(matplotlib.__version__.encode() in picture, f"{name} {picture_format}")

    def test_an_svg_needs_no_font_and_no_other_file(self):
        for name, picture in self.made["svg"].items():
            text = picture.decode()
            self.assertNotRegex(text, "<text|font-family|@font-face|<dc:date", name)
            # Comments say what the outlines are; names are no formulas, so that a formula would be shown as it is.
            self.assertNotIn("mathdefault", text, name)
            for link in re.findall(r'href="([^"]*)"', text):
                self.assertRegex(link, "^(#|data:image/png;base64,)", name)

    def test_formats_differ_in_nothing_that_is_drawn(self):
        view = View(AFFINE)
        one, two = (figure_of(map_figure, {"chi": noise()}, view, picture_format=f) for f in style.FORMATS)
        np.testing.assert_array_equal(shown(slices_of(one)[0]), shown(slices_of(two)[0]))


class WithoutMatplotlibTest(unittest.TestCase):
    def test_one_sentence_says_how_to_install_it(self):
        with mock.patch.dict(sys.modules, {"matplotlib": None}):
            for draw in (
                lambda: map_figure({"chi": noise()}, MIDDLE),
                lambda: checkerboard_figure(noise(), noise(), AFFINE),
            ):
                with self.assertRaisesRegex(InputError, "^The figure needs matplotlib; .*: pip install matplotlib$"):
                    draw()


if __name__ == "__main__":
    unittest.main()
