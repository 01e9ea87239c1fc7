"""Figures of maps as RGB arrays and PNG files, with the core dependencies alone."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..acquisition import Reorientation, voxel_size
from ..quantities import ALL_QUANTITIES, COLORED, display_window
from .glyphs import HEIGHT, text_mask

INVERSION_TITLES = {"closed-form": "Closed form", "medi-l2": "MEDI-ℓ2", "medi-tv": "TV-MEDI"}

# Lightness rises evenly from one anchor to the next, so that equal steps look equal also to the color-blind.
_COLOR_ANCHORS = np.array(
    [(10, 8, 47), (66, 21, 104), (129, 43, 123), (193, 73, 106), (235, 121, 82), (249, 181, 78), (249, 237, 148)]
)
_BACKGROUND, _INK, _FAINT = 18, 235, 150
_TEXT = 2  # pixels per glyph pixel
_GAP = 14
_BAR_WIDTH = 14
# How slices lie on the page: axis of the (S, A, R) array across which they are cut, and the letters at top and left.
_PLANES = {"sagittal": (2, "S", "A"), "coronal": (1, "S", "R"), "axial": (0, "A", "R")}


@dataclass(frozen=True, eq=False)
class _Panel:
    title: str
    slice: np.ndarray
    window: tuple[float, float]
    colored: bool


def map_figure(
    maps: dict[str, np.ndarray],
    affine: np.ndarray,
    *,
    truth: dict[str, np.ndarray] | None = None,
    plane: str = "sagittal",
    voxel: tuple[int, int, int] | None = None,
    columns: int = 4,
    panel_size: int = 280,
) -> np.ndarray:
    """Picture of one slice through several maps, each with title, unit, window and color bar.

    Parameters
    ----------
    maps : dict of (K, J, I) array
        Maps by the name of their quantity; a name that is no quantity becomes the title.
    affine : (4, 4) array
        Voxel indices (i, j, k) to RAS mm; slices are shown in patient orientation with square pixels.
    truth : dict of (K, J, I) array, optional
        Known truth by the same names, shown below its map in the same window.
    plane : {"sagittal", "coronal", "axial"}
        Anatomical plane closest to the slice.
    voxel : (k, j, i), optional
        Voxel of the arrays that the slice goes through; the middle by default.
    columns : int
        Panels side by side.
    panel_size : int
        Pixels of the longer side of a slice.

    Returns
    -------
    (rows, columns, 3) uint8 array
        The picture.
    """
    truth = truth or {}
    rows = []
    names = list(maps)
    for start in range(0, len(names), columns):
        chosen = names[start : start + columns]
        windows = {name: display_window(name, np.asarray(maps[name])) for name in chosen}
        for arrays, is_truth in ((maps, False), (truth, True)):
            panels = [None] * len(chosen)
            for position, name in enumerate(chosen):
                if name in arrays:
                    title = "Truth" if is_truth else _title(name)
                    slice_ = _oriented(arrays[name], affine, plane, voxel)
                    panels[position] = _Panel(title, slice_, windows[name], name in COLORED)
            if any(panels):
                rows.append(panels)
    return _picture(rows, _pixel_sizes(affine, plane), _PLANES[plane][1:], panel_size)


def compare_inversions(
    chi_maps: dict[str, np.ndarray],
    mip: np.ndarray,
    affine: np.ndarray,
    *,
    truth: np.ndarray | None = None,
    window: tuple[float, float] | None = None,
    plane: str = "sagittal",
    voxel: tuple[int, int, int] | None = None,
    panel_size: int = 280,
) -> np.ndarray:
    """Picture of the dipole inversions side by side in one window, beside the echo MIP (as figure 2 of the paper).

    Parameters
    ----------
    chi_maps : dict of (K, J, I) array
        Susceptibility in ppm by the name of the inversion.
    mip : (K, J, I) array
        Maximum over echoes of the magnitude.
    affine : (4, 4) array
        Voxel indices (i, j, k) to RAS mm.
    truth : (K, J, I) array, optional
        Known susceptibility in ppm, with the reference of the maps.
    window : (low, high), optional
        In ppm; that of the quantity by default.
    plane, voxel, panel_size
        As for `map_figure`.

    Returns
    -------
    (rows, columns, 3) uint8 array
        The picture.
    """
    window = window or display_window("chi", mip)
    shown = {INVERSION_TITLES.get(name, name): chi for name, chi in chi_maps.items()}
    if truth is not None:
        shown["Truth"] = truth
    panels = [_Panel(_title("mip"), _oriented(mip, affine, plane, voxel), display_window("mip", mip), False)]
    for title, chi in shown.items():
        panels.append(_Panel(f"{title} χ [ppm]", _oriented(chi, affine, plane, voxel), window, False))
    return _picture([panels], _pixel_sizes(affine, plane), _PLANES[plane][1:], panel_size)


def write_png(path: str | Path, picture: np.ndarray) -> Path:
    """Write an RGB picture; the file appears only when it is complete."""
    path = Path(path)
    partial = path.with_name(f".{path.stem}.{os.getpid()}.png")
    try:
        sitk.WriteImage(sitk.GetImageFromArray(np.ascontiguousarray(picture, dtype=np.uint8), isVector=True), partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def colors(values: np.ndarray, window: tuple[float, float], colored: bool) -> np.ndarray:
    """Colors (..., 3) uint8 of values shown in a window; what is not a number is black."""
    low, high = window
    values = np.asarray(values, dtype=np.float64)
    position = np.clip((values - low) / (high - low), 0.0, 1.0)
    missing = ~np.isfinite(values)
    position[missing] = 0.0
    anchors = _COLOR_ANCHORS if colored else np.array([(0, 0, 0), (255, 255, 255)])
    at = np.linspace(0.0, 1.0, len(anchors))
    result = np.stack([np.interp(position, at, channel) for channel in anchors.T], axis=-1)
    result[missing] = 0
    return np.round(result).astype(np.uint8)


def _title(name):
    quantity = ALL_QUANTITIES.get(name)
    if quantity is None:
        return name
    title = "Susceptibility χ" if name == "chi" else quantity.title
    return title if quantity.unit == "1" else f"{title} [{quantity.unit}]"


def _oriented(array, affine, plane, voxel):
    """Slice with superior (or anterior) up, and anterior (or the patient's right) on the left."""
    array = np.asarray(array)
    reorientation = Reorientation.to_ras(affine, array.shape)
    axis = _PLANES[plane][0]
    old_axis = reorientation.order[axis]
    index = array.shape[old_axis] // 2 if voxel is None else voxel[old_axis]
    if reorientation.flips[axis]:
        index = array.shape[old_axis] - 1 - index
    return reorientation.apply(array).take(index, axis=axis)[::-1, ::-1]


def _pixel_sizes(affine, plane):
    """Size in mm of a slice's rows and columns."""
    # The order of the axes does not depend on the shape, which `to_ras` keeps only for the flips.
    reorientation = Reorientation.to_ras(affine, (1, 1, 1))
    sizes = voxel_size(reorientation.apply_affine(affine))
    return tuple(size for axis, size in enumerate(sizes) if axis != _PLANES[plane][0])


def _enlarged(image, pixel_sizes, panel_size):
    """Repeat pixels so that they become square and the longer side has `panel_size` pixels."""
    extent = np.array(image.shape[:2]) * pixel_sizes
    rows, columns = np.maximum(np.round(extent / extent.max() * panel_size).astype(int), 1)
    from_row = np.arange(rows) * image.shape[0] // rows
    from_column = np.arange(columns) * image.shape[1] // columns
    return image[np.ix_(from_row, from_column)]


def _picture(rows, pixel_sizes, letters, panel_size):
    drawn = [
        [None if panel is None else _draw(panel, pixel_sizes, letters, panel_size) for panel in row] for row in rows
    ]
    height = max(image.shape[0] for row in drawn for image in row if image is not None)
    width = max(image.shape[1] for row in drawn for image in row if image is not None)
    across = max(len(row) for row in drawn)
    shape = (len(drawn) * (height + _GAP) + _GAP, across * (width + _GAP) + _GAP, 3)
    picture = np.full(shape, _BACKGROUND, dtype=np.uint8)
    for number, row in enumerate(drawn):
        for position, image in enumerate(row):
            if image is not None:
                top, left = _GAP + number * (height + _GAP), _GAP + position * (width + _GAP)
                picture[top : top + image.shape[0], left : left + image.shape[1]] = image
    return picture


def _draw(panel, pixel_sizes, letters, panel_size):
    """One slice with its title above and its color bar on the right."""
    image = colors(_enlarged(panel.slice, pixel_sizes, panel_size), panel.window, panel.colored)
    low, high = panel.window
    bar = np.linspace(high, low, image.shape[0])[:, None].repeat(_BAR_WIDTH, axis=1)
    labels = [_number(value) for value in (high, (low + high) / 2, low)]
    line = HEIGHT * _TEXT
    head = line + 6
    bar_left = image.shape[1] + 6
    label_left = bar_left + _BAR_WIDTH + 5
    title_width = text_mask(panel.title, _TEXT).shape[1]
    width = max(label_left + max(text_mask(label, _TEXT).shape[1] for label in labels), title_width)
    canvas = np.full((head + image.shape[0], width, 3), _BACKGROUND, dtype=np.uint8)
    _write(canvas, panel.title, 0, 0, _TEXT, _INK)
    canvas[head:, : image.shape[1]] = image
    canvas[head:, bar_left : bar_left + _BAR_WIDTH] = colors(bar, panel.window, panel.colored)
    for label, fraction in zip(labels, (0.0, 0.5, 1.0), strict=True):
        _write(canvas, label, head + round(fraction * (image.shape[0] - 7 * _TEXT)), label_left, _TEXT, _INK)
    # The letters of the patient's directions stand on a dark field, to be read on any image.
    for letter, top, left in (
        (letters[0], head, image.shape[1] // 2 - 7),
        (letters[1], head + image.shape[0] // 2 - 9, 0),
    ):
        canvas[top : top + 7 * _TEXT + 4, left : left + 5 * _TEXT + 4] = _BACKGROUND
        _write(canvas, letter, top + 2, left + 2, _TEXT, _FAINT)
    return canvas


def _number(value):
    text = f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return text.replace("-", "−")


def _write(canvas, text, top, left, scale, gray):
    mask = text_mask(text, scale)[: canvas.shape[0] - top, : canvas.shape[1] - left]
    canvas[top : top + mask.shape[0], left : left + mask.shape[1]][mask] = gray
