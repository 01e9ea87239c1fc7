"""The field of a geometry, and the χ that an inversion gives back."""

import math
from collections.abc import Callable, Iterator
from functools import cached_property

import numpy as np
import scipy.fft

from ..errors import InputError
from ..kernels import dipole_planes
from ..methods import Method
from .settings import SimulationSettings

_VOXEL = (1.0, 1.0, 1.0)
# Bytes for each voxel of the region at most, measured at 192³ and 260³ with a fifth on top: making the kernel, or R2′
# of imaging voxels where the region repeats.
_BYTES = {"periodic": 155, "linear": 85, "filled": 60}
# Samples between the rows of a plane: rows that are a power of two of bytes apart share few lines of the cache.
_APART = 8
# Rows transformed together: more of them leave the cache.
_ROWS = 2
_MOST_MEMORY = 16e9  # of a computer of which nothing is known


class FieldModel:
    """Field and χ of geometries of one region; what does not depend on the geometry is computed once.

    Parameters
    ----------
    settings : SimulationSettings
        Boundary, direction of B0 and λ.
    shape : (3,) ints, optional
        Of the region along k, j, i, where it is not the cube of the settings.
    threads : int
        Of the Fourier transforms; the numbers do not depend on it.

    Raises
    ------
    InputError
        If the region needs more memory than a computer of today has.

    Notes
    -----
    The region lies in a box that is otherwise empty, and only the region is looked at. With the periodic boundary the
    kernel is the dipole in k-space, ``D = 1/3 − (k·b)² / |k|²``. With the linear one it is the dipole in space,
    ``(3 cos²θ − 1) / (4π r³)`` and 0 at the origin, on a box about twice as long, the window: no voxel of the region
    then sees a repetition of another.

    Two voxels of the region lie less than its length apart, so that of any kernel in space only those offsets count:
    a window about twice as long as the region holds them, whatever the box. Transforms along each axis leave out what
    is zero before and what is not wanted after.
    """

    def __init__(self, settings: SimulationSettings, shape=None, threads: int = 1):
        self.settings = settings
        self.shape = (settings.size,) * 3 if shape is None else tuple(int(n) for n in shape)
        around = tuple(scipy.fft.next_fast_len(2 * n - 1) for n in self.shape)
        self.window = self.shape if settings.boundary == "filled" else around
        self.box = tuple(3 * n for n in self.shape) if settings.boundary == "periodic" else self.window
        self.threads = threads
        check_box(settings, self.shape)

    @cached_property
    def mean_weights(self) -> np.ndarray:
        """How much each voxel of bone adds to the region's mean χ, the shape of the region, float32."""
        # The mean is <1, H m> / n with H real and even in k-space, hence its own adjoint: <H 1, m> / n.
        region = np.ones(self.shape, np.float32)
        return self._filter(region, self._gain()) / np.float32(region.size)

    def field(self, mask: np.ndarray) -> np.ndarray:
        """Return the field in the region, ppm for each ppm of Δχ of the bone, (K, J, I) float32."""
        return self._filter(self._checked(mask), self._dipole)

    def chi_map(self, mask: np.ndarray) -> np.ndarray:
        """Return the closed-form χ in the region, ppm for each ppm of Δχ, (K, J, I) float32.

        Notes
        -----
        ``χ = F⁻¹ [D F f / (D² + λ E)]`` of the field of the whole box, with the kernel that made the field and E the
        symbol of −Δ in voxels (equation 1 of Diefenbach et al. 2019 with W_d = W_g = 1 and p = 2). The mean over the
        box, which no field tells, is zero.
        """
        return self._filter(self._checked(mask), self._gain())

    def mean_chi(self, mask: np.ndarray) -> float:
        """Return the region's mean of `chi_map` by one sum, without any transform."""
        # Rows in single precision, which is a quarter of the time, and their sum in double.
        rows = np.einsum("kji,kji->kj", self.mean_weights, self._checked(mask))
        return float(rows.sum(dtype=np.float64))

    @cached_property
    def _dipole(self):
        """Transfer function of the field on the window."""
        if self.settings.boundary == "linear":
            planes = _transfer(self.window, lambda j: _dipole_in_space(self.window, j, self.settings.b0_direction))
            return self._laid_out(planes)
        return self._laid_out(self._on_window(dipole_planes(self.box, _VOXEL, self.settings.b0_direction)))

    def _gain(self):
        """Transfer function of the field and its inversion together, on the window."""
        return self._laid_out(self._on_window(self._gain_planes()))

    def _laid_out(self, planes: Iterator[np.ndarray]) -> np.ndarray:
        """Planes of a transfer function on the window, with `_APART` zeros after each row."""
        deep, high, wide = self.window
        result = np.zeros((deep // 2 + 1, high, wide + _APART), np.float32)
        for out, plane in zip(result, planes, strict=True):
            out[:, :wide] = plane
        return result

    def _gain_planes(self):
        """D² / (D² + λ E), plane by plane of the box's half grid."""
        box, weight = self.box, np.float32(self.settings.regularization)
        if box == self.window:
            planes = self._dipole[:, :, : box[2]]
        else:
            planes = dipole_planes(box, _VOXEL, self.settings.b0_direction)
        deep, high, wide = (2 - 2 * np.cos(2 * np.pi * scipy.fft.fftfreq(n)) for n in box)
        for k, plane in enumerate(planes):
            squared = plane**2
            denominator = weight * (deep[k] + high[:, None] + wide).astype(np.float32) + squared
            if k == 0:
                squared[0, 0] = 0  # no field tells the mean
            yield np.divide(squared, denominator, out=np.zeros_like(squared), where=denominator > 0)

    def _on_window(self, planes: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """Transfer function on the window that does to the region what that of the box does, by planes."""
        if self.window == self.box:
            return planes
        deep, high, wide = (_offsets(n) % m for n, m in zip(self.window, self.box, strict=True))
        half = np.empty((self.box[0] // 2 + 1, high.size, wide.size), np.complex64)
        for k, plane in enumerate(planes):
            half[k] = scipy.fft.ifft2(plane, workers=self.threads)[np.ix_(high, wide)]
        return _transfer(self.window, lambda j: scipy.fft.irfft(half[:, j], self.box[0], axis=0)[deep])

    def _checked(self, mask):
        if mask.shape != self.shape:
            raise InputError(f"The geometry has shape {mask.shape} but the region has {self.shape}; give one grid.")
        return mask.astype(bool, copy=False)

    def _filter(self, region, transfer):
        """Convolve with the kernel of a real and even transfer function, from the region to the region.

        Few rows or a plane at a time, which stays in the processor's cache.
        """
        (deep, high, wide), window = self.shape, self.window
        spectrum = np.empty((window[0] // 2 + 1, high + 1, wide), np.complex64)[:, :high]  # planes apart, as _APART
        padded = np.zeros((window[0], _ROWS, wide), np.float32)
        rows = [slice(j, min(j + _ROWS, high)) for j in range(0, high, _ROWS)]
        for some in rows:
            part = padded[:, : some.stop - some.start]
            part[:deep] = region[:, some]
            spectrum[:, some] = scipy.fft.rfft(part, axis=0, workers=self.threads)
        padded = np.zeros((window[1], window[2] + _APART), np.complex64)
        for plane, factors in zip(spectrum, transfer, strict=True):
            self._filter_plane(plane, factors, padded)
        result = np.empty(self.shape, np.float32)
        for some in rows:
            result[:, some] = scipy.fft.irfft(spectrum[:, some], window[0], axis=0, workers=self.threads)[:deep]
        return result

    def _filter_plane(self, plane, factors, padded):
        """Filter a plane (J, I) of the spectrum in place, in the memory of a padded one."""
        high, wide = plane.shape
        whole, narrow = padded[:, : self.window[2]], padded[:, :wide]
        narrow[:high] = plane
        narrow[high:] = whole[:, wide:] = 0
        self._in_place(scipy.fft.fft, narrow, 0)
        self._in_place(scipy.fft.fft, whole, 1)
        padded *= factors
        self._in_place(scipy.fft.ifft, whole, 1)
        self._in_place(scipy.fft.ifft, narrow, 0)
        plane[:] = narrow[:high]

    def _in_place(self, transform, array, axis):
        found = transform(array, axis=axis, overwrite_x=True, workers=self.threads)
        if not np.may_share_memory(found, array):  # another back end of scipy may not overwrite what it may
            array[:] = found


def needed_memory(settings: SimulationSettings, shape=None) -> float:
    """Return about how many bytes a geometry takes at most, of a region of `shape` or the settings' cube."""
    return float(_BYTES[settings.boundary] * math.prod(shape or (settings.size,) * 3))


def check_box(settings: SimulationSettings, shape=None, memory: float | None = None) -> None:
    """Raise `InputError` if a region, of `shape` or the settings' cube, needs more than `memory` bytes, or 16 GB."""
    shape = tuple(shape or (settings.size,) * 3)
    needed, most = needed_memory(settings, shape), memory or _MOST_MEMORY
    if needed > most:
        fits = int((most / _BYTES[settings.boundary]) ** (1 / 3))
        other = ", or the linear boundary" if settings.boundary == "periodic" else ""
        raise InputError(
            f"The region of {' × '.join(map(str, shape[::-1]))} voxels needs {needed / 1e9:.3g} GB of memory but there "
            f"are {most / 1e9:.3g} GB; give a smaller region, such as a cube of {fits} voxels{other}."
        )


def _transfer(grid, row: Callable[[int], np.ndarray]) -> Iterator[np.ndarray]:
    """Planes of the half grid along k of the transform of a real and even kernel, whose plane of a j in space is `row`.

    Row by row, since the kernel, its transform and copies of both would need three times the memory.
    """
    half = np.empty((grid[0] // 2 + 1, *grid[1:]), np.complex64)
    # Half a grid away is two places at once, and no two voxels of the region are that far apart.
    apart = [_offsets(n) == -n / 2 for n in grid]
    for j in range(grid[1]):
        kernel = row(j)
        kernel[apart[0]] = kernel[:, apart[2]] = 0
        half[:, j] = 0 if apart[1][j] else scipy.fft.rfft(kernel, axis=0)
    for plane in half:
        yield scipy.fft.fft2(plane).real


def _dipole_in_space(grid, j, b0_direction):
    """Field of a voxel at the origin in the plane of a row j of a grid around it, (K, I) float64."""
    k, j, i = _offsets(grid[0])[:, None], _offsets(grid[1])[j], _offsets(grid[2])
    squared = k**2 + j**2 + i**2 * 1.0
    origin = squared == 0
    squared[origin] = 1
    along = k * b0_direction[0] + j * b0_direction[1] + i * b0_direction[2]
    return np.where(origin, 0, (3 * along**2 / squared - 1) / (4 * np.pi * squared**1.5))


def _offsets(n):
    """Offsets in voxels along an axis of n, from 0 up and then from the left of it."""
    return np.rint(scipy.fft.fftfreq(n, 1 / n)).astype(int)


METHOD = Method(
    FieldModel,
    title="Field and χ of a geometry",
    solves="convolution with the dipole kernel; χ by the closed form",
    test="test_simulation.FieldTest",
    reference="Salomir et al. 2003, doi 10.1002/cmr.b.10083; Diefenbach et al., MRM 2019, doi 10.1002/mrm.27531",
)
