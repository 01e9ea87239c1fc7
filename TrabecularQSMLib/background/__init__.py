"""Background field removal: what sources outside the mask add to the field. One method a file.

Each file ends with the record `METHOD` of a function ::

    remove(total_field, mask, voxel_size, *, progress=None, **options) -> local_field, interior

of arrays (K, J, I): the local field in the unit of the total field, float32, zero outside `interior`, which holds where
the method leaves the field known (bool). A mask in which it can solve nothing is an `InputError`.
"""

from . import lbv, none

# One line a method; menus and flags have this order.
METHODS = {
    "lbv": lbv.METHOD,
    "none": none.METHOD,
}
