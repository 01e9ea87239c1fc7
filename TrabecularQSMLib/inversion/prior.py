"""A prior of χ from the fat fraction, an option of every inversion."""

import numpy as np

from ..methods import Method


def fat_prior(pdff: np.ndarray, mask: np.ndarray, *, chi_fat: float) -> np.ndarray:
    """Return ``χ_fat · PDFF`` inside the mask in ppm, (K, J, I) float32.

    Inversions then regularize χ less this, not χ: where the field does not tell, χ follows fat.

    Parameters
    ----------
    pdff : (K, J, I) array
        0 to 1.
    mask : (K, J, I) bool array
    chi_fat : float
        χ of fat against water in ppm.

    Notes
    -----
    With or without it, in marrow ``χ − χ_fat·PDFF`` is after referencing to water
    ``BV/TV · (χ_bone − χ_fat·PDFF)``: what bone adds by taking the place of marrow.
    """
    return np.where(mask, np.float32(chi_fat) * np.clip(pdff, 0, 1), 0).astype(np.float32)


METHOD = Method(
    fat_prior,
    title="Fat prior (off unless chosen)",
    solves="regularizes χ − χ_fat·PDFF in place of χ",
    test="test_inversion_splitting.PriorTest",
    options={"chi_fat": "fat_prior"},
)
