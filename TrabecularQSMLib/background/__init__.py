"""Background field removal: what sources outside the mask add to the field. One method a file, held by `METHODS`."""

from .lbv import lbv
from .none import none

METHODS = {"lbv": lbv, "none": none}
