"""The field of a geometry, and the χ that an inversion gives back."""

import math
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np
import scipy.fft

from ..errors import InputError
from ..kernels import dipole_planes
from ..methods import Method
from .settings import SimulationSettings
from .transfer import dipole_in_space, offsets, short_dipole, transfer_planes, window_of

_VOXEL = (1.0, 1.0, 1.0)
# Bytes for each voxel of the region at most, measured at 65³ to 260³ with a fifth on top: making the kernel, or R2′ of
# imaging voxels.
_BYTES = {"periodic": 155, "linear": 75, "filled": 60}
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
    is zero before and what is not wanted after. The field of the linear boundary has windows shorter still
    (`transfer.short_dipole`).
    """

    def __init__(self, settings: SimulationSettings, shape=None, threads: int = 1):
        self.settings = settings
        self.shape = (settings.size,) * 3 if shape is None else tuple(int(n) for n in shape)
        self.window = self.shape if settings.boundary == "filled" else window_of(self.shape)
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
    def _dipole(self) -> "_Transfer":
        """Transfer function of the field."""
        if self.settings.boundary == "linear":
            depth, planes = short_dipole(self.shape, self.settings.b0_direction)
            return _Transfer(depth, [_apart(plane) for plane in planes])
        return self._transfer(self._box_planes())

    def _gain(self):
        """Transfer function of the field and its inversion together."""
        return self._transfer(self._gain_planes())

    def _transfer(self, planes: Iterator[np.ndarray]) -> "_Transfer":
        """Transfer function on the window of one of the box."""
        return _Transfer(self.window[0], [_apart(plane) for plane in self._on_window(planes)])

    def _box_planes(self) -> Iterator[np.ndarray]:
        """The dipole of the whole box, plane by plane of its half grid."""
        if self.settings.boundary == "linear":
            return dipole_in_space(self.box, self.settings.b0_direction)
        return dipole_planes(self.box, _VOXEL, self.settings.b0_direction)

    def _gain_planes(self) -> Iterator[np.ndarray]:
        """D² / (D² + λ E), plane by plane of the box's half grid."""
        weight = np.float32(self.settings.regularization)
        deep, high, wide = (2 - 2 * np.cos(2 * np.pi * scipy.fft.fftfreq(n)) for n in self.box)
        for k, plane in enumerate(self._box_planes()):
            squared = plane**2
            denominator = weight * (deep[k] + high[:, None] + wide).astype(np.float32) + squared
            if k == 0:
                squared[0, 0] = 0  # no field tells the mean
            yield np.divide(squared, denominator, out=np.zeros_like(squared), where=denominator > 0)

    def _on_window(self, planes: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """Transfer function on the window that does to the region what that of the box does, by planes."""
        if self.window == self.box:
            return planes
        deep, high, wide = (offsets(n) % m for n, m in zip(self.window, self.box, strict=True))
        half = np.empty((self.box[0] // 2 + 1, high.size, wide.size), np.complex64)
        for k, plane in enumerate(planes):
            half[k] = scipy.fft.ifft2(plane, workers=self.threads)[np.ix_(high, wide)]
        return transfer_planes(self.window, lambda j: scipy.fft.irfft(half[:, j], self.box[0], axis=0)[deep])

    def _checked(self, mask):
        if mask.shape != self.shape:
            raise InputError(f"The geometry has shape {mask.shape} but the region has {self.shape}; give one grid.")
        return mask.astype(bool, copy=False)

    def _filter(self, region, transfer: "_Transfer"):
        """Convolve with the kernel of a real and even transfer function, from the region to the region.

        Few rows or a plane at a time, which stays in the processor's cache.
        """
        (deep, high, wide), length = self.shape, transfer.depth
        spectrum = np.empty((length // 2 + 1, high + 1, wide), np.complex64)[:, :high]  # planes apart, as _APART
        padded = np.zeros((length, _ROWS, wide), np.float32)
        rows = [slice(j, min(j + _ROWS, high)) for j in range(0, high, _ROWS)]
        for some in rows:
            part = padded[:, : some.stop - some.start]
            part[:deep] = region[:, some]
            spectrum[:, some] = scipy.fft.rfft(part, axis=0, workers=self.threads)
        memory = np.empty(max(factors.size for factors in transfer.planes), np.complex64)
        for plane, factors in zip(spectrum, transfer.planes, strict=True):
            self._filter_plane(plane, factors, memory[: factors.size].reshape(factors.shape))
        result = np.empty(self.shape, np.float32)
        for some in rows:
            result[:, some] = scipy.fft.irfft(spectrum[:, some], length, axis=0, workers=self.threads)[:deep]
        return result

    def _filter_plane(self, plane, factors, padded):
        """Filter a plane (J, I) of the spectrum in place, in the memory of a padded one."""
        high, wide = plane.shape
        whole, narrow = padded[:, :-_APART], padded[:, :wide]
        narrow[:high] = plane
        narrow[high:] = padded[:, wide:] = 0
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


class _Transfer(NamedTuple):
    """A transfer function: the length of its grid along k, and its planes of the half grid, with zeros after rows."""

    depth: int
    planes: list[np.ndarray]


def _apart(plane):
    """A plane of float32, with `_APART` zeros after each row."""
    high, wide = plane.shape
    result = np.zeros((high, wide + _APART), np.float32)
    result[:, :wide] = plane
    return result


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


METHOD = Method(
    FieldModel,
    title="Field and χ of a geometry",
    solves="convolution with the dipole kernel; χ by the closed form",
    test="test_simulation.FieldTest",
    reference="Salomir et al. 2003, doi 10.1002/cmr.b.10083; Diefenbach et al., MRM 2019, doi 10.1002/mrm.27531",
)
