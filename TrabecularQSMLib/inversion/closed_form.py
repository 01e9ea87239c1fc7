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
    field = np.asarray(local_field, np.float32)
    kernel = dipole_kernel(field.shape, voxel_size, b0_direction)
    denominator = kernel**2 + np.float32(regularization) * laplacian_symbol(field.shape, voxel_size)
    denominator[0, 0, 0] = 1
    transform = scipy.fft.rfftn(field)
    transform *= kernel / denominator
    chi = scipy.fft.irfftn(transform, s=field.shape, overwrite_x=True)
    report(progress, 1.0, "Inverted the field (closed form)")
    return chi


METHOD = Inversion(
    closed_form,
    title="Closed form",
    solves="‖Dχ − f‖² + λ ‖∇χ‖²",
    test="test_inversion.ClosedFormTest",
    reference="Bilgic et al., MRM 2014, doi 10.1002/mrm.25029",
    power=2,
    weighted=False,
    regularization=0.2,
    effort=0.15,
)
