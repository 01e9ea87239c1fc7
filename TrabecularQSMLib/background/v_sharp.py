"""V-SHARP: mean values over spheres as large as fit, deconvolved."""

import numpy as np
import scipy.fft

from ..errors import InputError
from ..inversion.grid import Grid
from ..kernels import convolve
from ..methods import Background
from ..progress import Progress, report
from .spheres import fits, sphere_kernel

# Frequencies at which the largest sphere leaves less than this of the local field are not recovered.
TRUNCATION = 0.05
_MOST_RADII = 12


def v_sharp(
    total_field: np.ndarray,
    mask: np.ndarray,
    voxel_size,
    *,
    radius: float = 12.0,
    truncation: float = TRUNCATION,
    progress: Progress | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the local field by sophisticated harmonic artifact reduction with spheres of several sizes.

    Parameters and results are those of `background.remove`; in the interior the smallest sphere lies in the mask as a
    whole. And:

    Parameters
    ----------
    radius : float
        Largest radius in mm; the smallest is the voxel's longest edge.
    truncation : float
        Where the largest sphere leaves less than this of a frequency, that frequency is zero.

    Raises
    ------
    InputError
        If no sphere fits into the mask.

    Notes
    -----
    A harmonic field equals its mean over any sphere, so ``f − ρ_r * f = u − ρ_r * u`` for the local field u, with the
    largest r for which the sphere about a voxel lies in the mask. It is deconvolved as if all had the largest radius.

    References
    ----------
    Wu et al., MRM 2012, doi 10.1002/mrm.23000; Schweser et al., NeuroImage 2011, doi 10.1016/j.neuroimage.2010.10.070.
    """
    mask = np.asarray(mask, bool)
    least = max(voxel_size)
    count = max(2, min(_MOST_RADII, 1 + int(np.ceil((radius - least) / least))))
    radii = np.linspace(max(radius, least), least, count)
    grid = _grid(mask, voxel_size, radii[0])
    field = grid.put(np.where(mask, total_field, 0).astype(np.float32))
    inside = grid.put(mask)
    left, filtered, deconvolution = inside.copy(), np.zeros(field.shape, np.float32), None
    for index, size in enumerate(radii):
        kernel = sphere_kernel(field.shape, voxel_size, size)
        here = fits(kernel, inside) & left
        if here.any():
            if deconvolution is None:
                deconvolution = 1 - kernel
            filtered[here] = (field - convolve(kernel, field))[here]
            left &= ~here
        report(progress, (index + 1) / (count + 1), "Removing the background field (V-SHARP)")
    interior = inside & ~left
    if deconvolution is None:
        raise InputError(
            f"No sphere of {least:g} mm fits into the mask (image of {mask.shape[::-1]} voxels); background removal "
            "needs a mask three voxels thick, so acquire more slices, enlarge the mask, or stop after the field map."
        )
    transform = scipy.fft.rfftn(filtered)
    kept = np.abs(deconvolution) > truncation
    transform *= np.divide(1, deconvolution, out=np.zeros_like(deconvolution), where=kept)
    local = np.where(interior, scipy.fft.irfftn(transform, s=field.shape, overwrite_x=True), 0)
    report(progress, 1.0, "Removing the background field (V-SHARP)")
    return grid.take(local.astype(np.float32)), grid.take(interior)


def _grid(mask, voxel_size, radius):
    if not mask.any():
        raise InputError("The mask is empty, so no sphere fits into it; draw it where the bone is.")
    return Grid.around(mask, tuple(2 + int(np.ceil(radius / h)) for h in voxel_size))


METHOD = Background(
    v_sharp,
    title="V-SHARP",
    solves="f − ρ_r * f with the largest sphere ρ_r in the mask, deconvolved by 1 − ρ of the largest, above 0.05",
    test="test_background_spheres.VSHARPTest",
    reference="Wu et al., MRM 2012, doi 10.1002/mrm.23000",
    options={"radius": "background_radius"},
)
