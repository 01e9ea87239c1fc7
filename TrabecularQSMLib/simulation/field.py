"""The field of a geometry, and the χ that an inversion gives back."""

import math
from functools import cached_property

import numpy as np
import scipy.fft

from ..errors import InputError
from ..kernels import dipole_kernel, laplacian_symbol
from ..methods import Method
from .settings import BOXES, SimulationSettings

_VOXEL = (1.0, 1.0, 1.0)
_LARGEST_BOX = 600_000_000  # voxels; building its kernel takes 10 GB
_COLUMNS = 32  # frequencies transformed at once: they stay in the processor's cache


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
        If the box is too large for a computer of today.

    Notes
    -----
    The region lies in a box that is otherwise empty, and only the region is looked at. Transforms along each axis
    therefore leave out what is zero before and what is not wanted after, which takes less than half the time of
    transforms of the box and little memory.

    With the periodic boundary the kernel is the dipole in k-space, ``D = 1/3 − (k·b)² / |k|²``. With the linear one it
    is the dipole in space, ``(3 cos²θ − 1) / (4π r³)`` and 0 at the origin, on a box twice as long: no voxel of the
    region then sees a repetition of another.
    """

    def __init__(self, settings: SimulationSettings, shape=None, threads: int = 1):
        self.settings = settings
        self.shape = (settings.size,) * 3 if shape is None else tuple(int(n) for n in shape)
        self.box = tuple(BOXES[settings.boundary] * n for n in self.shape)
        self.threads = threads
        check_box(settings, self.shape)

    @cached_property
    def kernel(self) -> np.ndarray:
        """Field per χ on the half grid of `box` for `scipy.fft.rfftn`, float32."""
        if self.settings.boundary == "linear":
            return _kernel_sampled_in_space(self.box, self.settings.b0_direction)
        return dipole_kernel(self.box, _VOXEL, self.settings.b0_direction)

    @cached_property
    def mean_weights(self) -> np.ndarray:
        """How much each voxel of bone adds to the region's mean χ, the shape of the region, float64."""
        # The mean is <1, H m> / n with H real and even in k-space, hence its own adjoint: <H 1, m> / n.
        region = np.ones(self.shape, np.float32)
        return self._filter(region, self._gain()).astype(np.float64) / region.size

    def field(self, mask: np.ndarray) -> np.ndarray:
        """Return the field in the region, ppm for each ppm of Δχ of the bone, (K, J, I) float32."""
        return self._filter(self._checked(mask), self.kernel)

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
        return float(self.mean_weights[self._checked(mask) != 0].sum())

    def _gain(self):
        """Of the field and its inversion together: D² / (D² + λ E)."""
        squared = self.kernel**2
        denominator = np.float32(self.settings.regularization) * laplacian_symbol(self.box, _VOXEL)
        denominator += squared
        denominator[0, 0, 0], squared[0, 0, 0] = 1, 0
        squared /= denominator
        return squared

    def _checked(self, mask):
        if mask.shape != self.shape:
            raise InputError(f"The geometry has shape {mask.shape} but the region has {self.shape}; give one grid.")
        return mask.astype(np.float32)

    def _filter(self, array, transfer):
        """Multiply by a real and even function of k on the box, from the region to the region."""
        (deep, high, wide), box, threads = self.shape, self.box, self.threads
        spectrum = scipy.fft.rfft(array, box[2], axis=2, workers=threads)
        for start in range(0, spectrum.shape[2], _COLUMNS):
            columns = slice(start, start + _COLUMNS)
            part = scipy.fft.fft(spectrum[:, :, columns], box[1], axis=1, workers=threads)
            part = scipy.fft.fft(part, box[0], axis=0, workers=threads)
            part *= transfer[:, :, columns]
            part = scipy.fft.ifft(part, axis=0, overwrite_x=True, workers=threads)[:deep]
            spectrum[:, :, columns] = scipy.fft.ifft(part, axis=1, workers=threads)[:, :high]
        return np.ascontiguousarray(scipy.fft.irfft(spectrum, box[2], axis=2, workers=threads)[:, :, :wide])


def check_box(settings: SimulationSettings, shape=None) -> None:
    """Raise `InputError` if the box of a region, of `shape` or the settings' cube, is too large for a computer."""
    shape = shape or (settings.size,) * 3
    box = [BOXES[settings.boundary] * n for n in shape]
    if math.prod(box) > _LARGEST_BOX:
        other = ", or the linear boundary" if settings.boundary == "periodic" else ""
        raise InputError(
            f"The region of {' × '.join(map(str, shape))} voxels needs a box of {' × '.join(map(str, box))}, more than "
            f"{_LARGEST_BOX:.0e} voxels; give a smaller region{other}."
        )


def _kernel_sampled_in_space(box, b0_direction):
    offsets = [np.rint(scipy.fft.fftfreq(n, 1 / n)).astype(np.float32) for n in box]
    k, j, i = offsets[0][:, None, None], offsets[1][:, None], offsets[2]
    squared = k**2 + j**2 + i**2
    squared[0, 0, 0] = 1
    along = k * np.float32(b0_direction[0]) + j * np.float32(b0_direction[1]) + i * np.float32(b0_direction[2])
    kernel = (3 * along**2 / squared - 1) / (4 * np.pi * squared**1.5)
    kernel[0, 0, 0] = 0
    # Half a box away is two places at once; no two voxels of the region are that far apart.
    for axis, n in enumerate(box):
        np.moveaxis(kernel, axis, 0)[n // 2] = 0
    return np.ascontiguousarray(scipy.fft.rfftn(kernel).real)


METHOD = Method(
    FieldModel,
    title="Field and χ of a geometry",
    solves="convolution with the dipole kernel; χ by the closed form",
    test="test_simulation.FieldTest",
    reference="Salomir et al. 2003, doi 10.1002/cmr.b.10083; Diefenbach et al., MRM 2019, doi 10.1002/mrm.27531",
)
