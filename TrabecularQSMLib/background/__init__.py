"""Background field removal: what sources outside the mask add to the field. One method a file.

Each file ends with the record `METHOD` of a function ::

    method(total_field, mask, voxel_size, *, progress=None, **options) -> local_field, interior

of arrays (K, J, I): the local field in the unit of the total field, float32, zero outside `interior`, which holds where
the method leaves the field known (bool). The total field counts in the mask alone. A method that also `needs` the
direction of B0, how far each voxel's field counts or where the body is says so in its record, and gets them from
`remove` by the names that they have there. A mask in which it can solve nothing is an `InputError`.
"""

import numpy as np

from ..progress import Progress, part
from . import air_model, lbv, none, pdf, resharp, v_sharp

# One line a method; menus and flags have this order.
METHODS = {
    "lbv": lbv.METHOD,
    "v-sharp": v_sharp.METHOD,
    "resharp": resharp.METHOD,
    "pdf": pdf.METHOD,
    "air-model": air_model.METHOD,
    "none": none.METHOD,
}
# Whether the field of the air is taken off before.
AIR_FIRST = ("off", "on")


def remove(
    total_field: np.ndarray,
    mask: np.ndarray,
    voxel_size,
    *,
    method: str,
    b0_direction,
    data_weight: np.ndarray,
    body: np.ndarray,
    air_first: str = "off",
    progress: Progress | None = None,
    **options,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the local field by a method of `METHODS`, and where it holds.

    Parameters
    ----------
    total_field : (K, J, I) array
        ppm; for methods that do not `need` B0 any unit, which the result has too. Values outside the mask do not count.
    mask : (K, J, I) bool array
        Where susceptibility is solved.
    voxel_size : (3,) floats
        mm.
    method : str
        Name in `METHODS`.
    b0_direction : (3,) floats
        Unit vector along k, j, i.
    data_weight : (K, J, I) array
        How far the field of each voxel counts, 0 to 1.
    body : (K, J, I) bool array
        Tissue, cortex included, of which the mask is a part; the rest of the image is air.
    air_first : {"off", "on"}
        Whether `air_model` is applied before.
    progress : callable, optional
        ``progress(fraction, message)``; what it raises stops the removal.
    **options
        Of the method alone.

    Returns
    -------
    local_field : (K, J, I) float32 array
        Zero outside the interior.
    interior : (K, J, I) bool array
    """
    given = {"b0_direction": b0_direction, "data_weight": data_weight, "body": body}
    chosen, start = METHODS[method], 0.0
    if air_first == "on" and chosen is not air_model.METHOD:
        start = 0.1
        total_field, mask = air_model.air_model(
            total_field, mask, voxel_size, progress=part(progress, 0, start), **given
        )
    options |= {name: given[name] for name in chosen.needs}
    return chosen.function(total_field, mask, voxel_size, progress=part(progress, start, 1.0), **options)
