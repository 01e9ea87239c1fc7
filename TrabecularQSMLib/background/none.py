"""No background removal."""

import numpy as np

from ..methods import Background
from ..progress import Progress


def none(
    total_field: np.ndarray, mask: np.ndarray, voxel_size, *, progress: Progress | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the total field as it is inside the mask, for fields whose background is already removed."""
    return np.where(mask, total_field, 0).astype(np.float32), np.array(mask, bool)


METHOD = Background(
    none,
    title="None",
    solves="nothing: the local field is the total field in the mask",
    test="test_background.NoneTest",
)
