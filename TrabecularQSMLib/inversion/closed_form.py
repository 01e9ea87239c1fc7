"""Closed-form ℓ2-regularized inversion."""

import numpy as np
import scipy.fft

from ..kernels import dipole_kernel, laplacian_symbol
from ..methods import Inversion
from ..progress import Progress, report


def closed_form(
    local_field: np.ndarray, voxel_size, *, b0_direction, regularization: float, progress: Progress | None = None
) -> np.ndarray:
    """Return the χ that minimizes ``‖Dχ − f‖² + λ ‖∇χ‖²`` on the periodic grid, (K, J, I) float32.

    Parameters are those of `inversion.invert`.

    Notes
    -----
    ``χ = F⁻¹ [D F f / (D² + λ E)]`` with E the symbol of −Δ; equation 1 of Diefenbach et al. 2019 with
    W_d = W_g = 1 and p = 2. The mean of χ is zero.

    References
    ----------
    Bilgic et al., MRM 2014, doi 10.1002/mrm.25029.
    """
    chi = ClosedForm(local_field, voxel_size, b0_direction=b0_direction).chi(regularization)
    report(progress, 1.0, "Inverted the field (closed form)")
    return chi


class ClosedForm:
    """The closed form of one field for one λ after the other: the field's spectrum is computed once.

    Parameters
    ----------
    local_field, voxel_size, b0_direction
        As for `closed_form`.
    """

    def __init__(self, local_field: np.ndarray, voxel_size, *, b0_direction):
        field = np.asarray(local_field, np.float32)
        self._shape = field.shape
        self._kernel = dipole_kernel(field.shape, voxel_size, b0_direction)
        self._roughness = laplacian_symbol(field.shape, voxel_size)
        self._spectrum = scipy.fft.rfftn(field)

    def chi(self, regularization: float) -> np.ndarray:
        """Return χ of `closed_form` for one λ, by one inverse transform."""
        denominator = self._kernel**2 + np.float32(regularization) * self._roughness
        denominator[0, 0, 0] = 1
        return scipy.fft.irfftn(self._spectrum * (self._kernel / denominator), s=self._shape, overwrite_x=True)


METHOD = Inversion(
    closed_form,
    title="Closed form",
    solves="‖Dχ − f‖² + λ ‖∇χ‖²",
    test="test_inversion.ClosedFormTest",
    reference="Bilgic et al., MRM 2014, doi 10.1002/mrm.25029",
    power=2,
    weighted=False,
    regularization=0.2,
    effort=0.01,
)
