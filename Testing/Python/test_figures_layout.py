"""Pictures: one layout, axes that can be read, and files that hold all they need."""

import itertools
import re
import sys
import unittest
from unittest import mock

import numpy as np
from pictures import (
    AFFINE,
    HAS_MATPLOTLIB,
    MIDDLE,
    PLANES,
    SHAPE,
    bars_of,
    curve_of,
    figure_of,
    marked_volume,
    noise,
    place_of,
    shown,
    slices_of,
    titles_of,
)

from TrabecularQSMLib.analysis.bvtv import ApparentBVTV
from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.figures import style
from TrabecularQSMLib.figures.bvtv import bvtv_figure
from TrabecularQSMLib.figures.lcurve import compare_lcurves, lcurve_figure
from TrabecularQSMLib.figures.maps import View, compare_inversions, map_figure, map_panel
from TrabecularQSMLib.figures.profiles import profile_figure
from TrabecularQSMLib.figures.registration import checkerboard_figure
from TrabecularQSMLib.quantities import ALL_QUANTITIES


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
