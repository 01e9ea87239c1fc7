"""The field of a painted patient: what signal sees of it, and the shim."""

import numpy as np
import scipy.fft
from scipy import ndimage

from ..images import cosines
from ..kernels import block_means, dipole_kernel, frequencies, solid_harmonics, within_thin_layer
from ..progress import report
from .body import SOFTENING
from .fine_grid import FineGrid, centered_mm

# Air around all sources: copies of the patient, which the FFT puts there, must be far away.
PADDING_MM = 90.0


def field_of(source: np.ndarray, grid: FineGrid, region) -> np.ndarray:
    """Field in ppm within `region` of the grid that `source` fills, susceptibility in ppm against its surroundings."""
    shape = [
        scipy.fft.next_fast_len(int(np.ceil(n + PADDING_MM / h)), real=True)
        for n, h in zip(source.shape, grid.voxel_size, strict=True)
    ]
    transform = scipy.fft.rfftn(source, s=shape, workers=-1)
    transform *= dipole_kernel(tuple(shape), grid.voxel_size, grid.b0_direction)
    for cycles in frequencies(shape):
        transform *= np.exp(-2 * (np.pi * SOFTENING * cycles) ** 2).astype(np.float32)
    return np.ascontiguousarray(scipy.fft.irfftn(transform, s=shape, workers=-1, overwrite_x=True)[region])


def smeared_field(fine, grid) -> np.ndarray:
    """Part of the field in ppm that a point's mean and softening smear from cortex into the signal beside it.

    A surface that is flat within a point parts the field within cortex from that beside it, which alone signal sees.
    """
    share, chi = fine.pop("cortex"), fine.pop("cortex_chi")
    near = lambda array: ndimage.gaussian_filter(array, 1.0)  # noqa: E731
    beside = near(fine["chi"] - chi) / np.maximum(near(1 - share), 1e-3)
    excess = ndimage.gaussian_filter(chi - share * beside, SOFTENING)
    excess *= within_thin_layer(share, grid.voxel_size, grid.b0_direction)
    return excess


def fields_seen(fine, source, grid, progress):
    """Fields in ppm that signal sees: of the tissue inside the field of view, and of all sources."""
    report(progress, 0.0, "Field of the tissue inside the field of view")
    smeared = smeared_field(fine, grid)
    local = field_of(fine.pop("chi"), grid, tuple(slice(0, n * grid.factor) for n in grid.shape))
    local -= smeared
    report(progress, 0.5, "Field of all sources")
    total = field_of(source, grid, grid.inside)
    total -= smeared
    return local, total


def _shim(field: np.ndarray, body: np.ndarray, grid: FineGrid) -> np.ndarray:
    """Coefficients of the solid harmonics that fit the voxel-wise field over the body best."""
    z, y, x = centered_mm(grid.shape, np.multiply(grid.voxel_size, grid.factor))
    where = body > 0.5
    columns = [np.broadcast_to(term, grid.shape)[where] for term in solid_harmonics(x, y, z)]
    basis = np.stack(columns, axis=1).astype(np.float64)
    return np.linalg.lstsq(basis.T @ basis, basis.T @ field[where].astype(np.float64), rcond=None)[0]


def shim_and_shift(field, body, grid, settings):
    """Take the shim off a fine field in Hz, and add the settings' offset and gradient, in place."""
    shim = _shim(block_means(field, (grid.factor,) * 3), body, grid)
    offset, gradient = settings.field_offset_hz, settings.field_gradient_hz_per_mm
    slopes = (cosines(settings.affine).T @ gradient) * 100.0  # per unit of the centered coordinates, along i, j, k
    z, y, x = centered_mm(field.shape, grid.voxel_size)
    for k in range(field.shape[0]):  # plane by plane, to need no second fine array
        terms = solid_harmonics(x, y, z[k])
        added = offset + slopes[0] * x + slopes[1] * y + slopes[2] * z[k]
        added = added - sum(coefficient * term for coefficient, term in zip(shim, terms, strict=True))
        field[k] += added[0].astype(np.float32)
