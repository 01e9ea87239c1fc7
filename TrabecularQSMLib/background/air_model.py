"""The air model: the field of the air around the body is known; the rest of the background is fitted."""

import itertools

import numpy as np
import scipy.fft
from scipy import ndimage

from ..errors import InputError
from ..inversion.grid import Grid
from ..kernels import convolve, dipole_kernel
from ..methods import Background
from ..progress import Progress, part, report
from .outside import Shim, margin, without_outside

MESSAGE = "Removing the field of the air"
# Air (0.36 ppm) against soft tissue (−9.05 ppm).
AIR_PPM = 9.4
# The body goes on as it leaves the image for this far at least, and for this share of the image.
BEYOND_MM, BEYOND_SHARE = 60.0, 0.5
# How the section in which it leaves moves on is seen over this length.
DRIFT_MM = 20.0
# Standard deviation in voxels by which the body's edge is softened.
SOFTENING = 0.7
# Standard deviation of χ beyond the image, where the body is only guessed.
BEYOND_PPM = 5.0
# So many voxels along an axis tell whether a field follows that of the air.
MOST_COMPARED = 96
# Copies of the body, which a periodic grid has, are this far away.
OPEN_SPACE_MM = 60.0


def air_model(
    total_field: np.ndarray,
    mask: np.ndarray,
    voxel_size,
    *,
    b0_direction,
    data_weight: np.ndarray,
    body: np.ndarray,
    susceptibility: float = AIR_PPM,
    tolerance: float = 3e-3,
    progress: Progress | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the field less those of the air around the body, of a shim, and of what is beyond the image; and the mask.

    Parameters and results are those of `background.remove`, with W the `data_weight`; beyond the image the body goes on
    as it leaves it. And:

    Parameters
    ----------
    susceptibility : float
        Of air against tissue in ppm.
    tolerance : float
        As that of `pdf`.

    Raises
    ------
    InputError
        If the mask is empty.

    Notes
    -----
    The field of the air is ``χ_air D (1 − B)`` with the body B. What remains of background comes from the shim, and
    from beyond the image, where the body is only guessed: the nine solid harmonics up to second order and dipoles there
    are fitted to the rest as by `pdf`, with s of 5 ppm. Tissue between the mask and the air, such as skin, is thus not
    taken for background.

    References
    ----------
    Salomir et al., Concepts Magn Reson B 2003, doi 10.1002/cmr.b.10083; for the dipoles, Liu et al., NMR Biomed 2011,
    doi 10.1002/nbm.1670.
    """
    mask = np.asarray(mask, bool)
    if not mask.any():
        raise InputError("The mask is empty, so no field can be fitted in it; draw it where the bone is.")
    report(progress, 0.0, MESSAGE)
    rest = np.asarray(total_field, np.float32) - air_field(body, voxel_size, b0_direction, susceptibility)
    report(progress, 0.2, MESSAGE)
    rest = np.where(mask, rest, 0).astype(np.float32)
    grid = Grid.around(np.ones_like(mask), margin(voxel_size))
    spread = grid.put(np.zeros(mask.shape, np.float32), fill=BEYOND_PPM)
    rest = grid.take(
        without_outside(
            grid.put(rest),
            grid.put(np.where(mask, data_weight, 0)),
            spread,
            voxel_size,
            b0_direction=b0_direction,
            tolerance=tolerance,
            message=MESSAGE,
            progress=part(progress, 0.2, 1.0),
        )
    )
    local = np.where(mask, rest, 0).astype(np.float32)
    report(progress, 1.0, MESSAGE)
    return local, mask.copy()


def air_field(body: np.ndarray, voxel_size, b0_direction, susceptibility: float = AIR_PPM) -> np.ndarray:
    """Return the field in ppm of the air around a body, (K, J, I) float32, up to a constant."""
    # Tissue in air has minus the field of air in tissue, and ends; air does not.
    beyond = [int(np.ceil(max(BEYOND_MM / h, BEYOND_SHARE * n))) for n, h in zip(body.shape, voxel_size, strict=True)]
    source = continued(body, voxel_size, beyond)
    shape = [
        scipy.fft.next_fast_len(n + int(np.ceil(OPEN_SPACE_MM / h)), real=True)
        for n, h in zip(source.shape, voxel_size, strict=True)
    ]
    # A sharp edge would ring.
    source = ndimage.gaussian_filter(source, SOFTENING, truncate=3.0)
    source = np.pad(
        source * np.float32(-susceptibility), [(0, n - m) for n, m in zip(shape, source.shape, strict=True)]
    )
    field = convolve(dipole_kernel(shape, voxel_size, b0_direction), source)
    return np.ascontiguousarray(field[tuple(slice(b, b + n) for b, n in zip(beyond, body.shape, strict=True))])


def follows_air(
    field: np.ndarray, mask: np.ndarray, voxel_size, *, b0_direction, data_weight: np.ndarray, body: np.ndarray
) -> tuple[float, float]:
    """Return how well a total field follows that of the air around the body, as a correlation, and how many times.

    Parameters
    ----------
    field : (K, J, I) array
        ppm.
    mask, voxel_size, b0_direction, data_weight, body
        As for `air_model`.

    Notes
    -----
    Both are compared in the mask, without what a shim can make. In the right unit the field is 0.4 to 1.1 times that of
    the air where the body is known to some voxels (simulated ankles and knees); less the more its edge is left out.
    """
    steps = [-(-n // MOST_COMPARED) for n in mask.shape]
    thinned = tuple(slice(step // 2, None, step) for step in steps)
    field, mask, data_weight, body = (one[thinned] for one in (field, mask & (data_weight > 0), data_weight, body))
    field = np.asarray(field, np.float32)
    voxel_size = np.multiply(voxel_size, steps)
    if not mask.any():
        return 0.0, 0.0
    fields, shim = (field, air_field(body, voxel_size, b0_direction)), Shim(np.where(mask, data_weight, 0), voxel_size)
    measured, air = (one[mask].astype(np.float64) for one in (one - shim.fitted(one) for one in fields))
    product, energy = float(measured @ air), float(air @ air)
    size = np.sqrt(energy * float(measured @ measured))
    return (product / size, product / energy) if size > 0 else (0.0, 0.0)


def continued(body: np.ndarray, voxel_size, beyond) -> np.ndarray:
    """Return a body, float32, on a grid that is `beyond` voxels larger on both sides of each axis.

    The section in which the body leaves the image moves on, by what it moved over the last `DRIFT_MM`.
    """
    result = np.asarray(body, np.float32)
    for axis, count in enumerate(beyond):
        moved = np.moveaxis(result, axis, 0)
        steps = min(max(1, round(DRIFT_MM / voxel_size[axis])), moved.shape[0] - 1)
        low, high = _moving_on(moved, steps, count)[::-1], _moving_on(moved[::-1], steps, count)
        result = np.moveaxis(np.concatenate((low, moved, high)), 0, axis)
    return result


def _moving_on(slices, steps, count):
    """The sections that follow the first of `slices` outwards, count of them."""
    last = slices[0]
    if steps < 1 or count < 1 or not last.any():
        return np.zeros((count, *last.shape), np.float32)
    drift = np.array(_shift_between(slices[steps] > 0.5, last > 0.5, steps)) / steps
    return np.stack([ndimage.shift(last, drift * (n + 1), order=1, mode="nearest") for n in range(count)])


def _shift_between(before, after, most):
    """By how many samples, at most `most`, a section moved: with the least share of the overlap that differs."""
    best, found = np.inf, (0, 0)
    rows, columns = (range(-min(most, n - 1), min(most, n - 1) + 1) for n in before.shape)
    for shift in sorted(itertools.product(rows, columns), key=lambda s: s[0] ** 2 + s[1] ** 2):
        ahead = tuple(slice(max(s, 0), n + min(s, 0)) for s, n in zip(shift, before.shape, strict=True))
        behind = tuple(slice(max(-s, 0), n + min(-s, 0)) for s, n in zip(shift, before.shape, strict=True))
        one, other = before[behind], after[ahead]
        both = np.count_nonzero(one | other)
        differing = np.count_nonzero(one ^ other) / both if both else np.inf
        if differing < best - 1e-9:
            best, found = differing, shift
    return found


METHOD = Background(
    air_model,
    title="Air model",
    solves="‖W (f − 9.4 ppm · D (1 − body) − h − D χ)‖² / 0.05² + ‖χ / 5‖² [ppm] over χ beyond the image and "
    "second-order solid harmonics h",
    test="test_background_outside.AirModelTest",
    reference="Salomir et al., Concepts Magn Reson B 2003, doi 10.1002/cmr.b.10083",
    options={"tolerance": "background_tolerance"},
    needs=("b0_direction", "data_weight", "body"),
)
