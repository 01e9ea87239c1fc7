"""Figures as tests see them: what is drawn, and where."""

import importlib.util
from functools import lru_cache
from unittest import mock

import numpy as np

from TrabecularQSMLib.figures import style
from TrabecularQSMLib.figures.maps import View
from TrabecularQSMLib.inversion.lcurve import LCurve

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


@lru_cache(maxsize=1)
def renderer_of(figure):
    """What knows how large texts are, which takes longer to make than to ask."""
    return figure._get_renderer()


def place_of(artist, figure):
    """Left, bottom, right and top in inches."""
    return artist.get_window_extent(renderer_of(figure)).extents / figure.dpi


def lightness(rgb):
    """L* of the CIE, 0 to 100."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    return np.where(luminance > 0.008856, 116 * np.cbrt(luminance) - 16, 903.3 * luminance)
