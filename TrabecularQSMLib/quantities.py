"""What each map is called, in which unit it is, and how it is shown: one table for files, figures, tables and nodes."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Quantity:
    """A kind of map.

    `name` is the key in code and tables, `suffix` the end of the BIDS file name, `unit` its UCUM text, `display` the
    window in `unit`, `code` the DICOM coded entry (value, meaning) where the standard has one. `colors` is "gray"
    for images and susceptibility, as is usual, "sequential" for what is read by value, "diverging" for fields, of which
    zero is the middle.
    """

    name: str
    suffix: str
    unit: str
    title: str
    description: str
    display: tuple[float, float] | None = None
    code: tuple[str, str] | None = None
    colors: str = "gray"


_QUANTITIES = (
    Quantity("chi", "Chimap", "ppm", "Susceptibility",
             "Magnetic susceptibility, no reference: its mean over the inversion grid is zero.",
             (-1.0, 1.0), ("126396", "Magnetic Susceptibility")),
    Quantity("r2star", "R2starmap", "1/s", "R2*", "Effective transverse relaxation rate.",
             (0.0, 300.0), ("126395", "R2*"), colors="sequential"),
    Quantity("pdff", "PDFFmap", "1", "Fat fraction", "Proton-density fat fraction |F|/|W+F|, 0 to 1.",
             (0.0, 1.0), ("129100", "Fat fraction"), colors="sequential"),
    Quantity("water", "water", "a.u.", "Water", "Magnitude of the water signal at echo time zero."),
    Quantity("fat", "fat", "a.u.", "Fat", "Magnitude of the fat signal at echo time zero."),
    Quantity("field_hz", "fieldmap", "Hz", "Field map", "Frequency offset, unwrapped; positive is a higher frequency.",
             (-300.0, 300.0), ("110807", "Field Map MR Signal Intensity"), colors="diverging"),
    Quantity("total_field", "desc-total_fieldmapppm", "ppm", "Total field",
             "Relative field change before background removal.", (-2.0, 2.0), colors="diverging"),
    Quantity("local_field", "desc-local_fieldmapppm", "ppm", "Local field",
             "Relative field change after background removal.", (-0.4, 0.4), colors="diverging"),
    Quantity("mask", "mask", "1", "Mask", "Voxels in which susceptibility is solved.", (0.0, 1.0)),
    Quantity("mip", "MIP", "a.u.", "Echo MIP", "Maximum over echoes of the signal magnitude."),
    Quantity("reliability", "desc-reliability_map", "1", "Reliability",
             "How far a voxel's fit can be trusted, 0 to 1, from signal, residual, next fit and mask.", (0.0, 1.0)),
    Quantity("sigma_field", "desc-sigma_fieldmap", "Hz", "SD of the field map",
             "Standard deviation of the field by noise, from the fit.", (0.0, 20.0)),
    Quantity("sigma_r2star", "desc-sigma_R2starmap", "1/s", "SD of R2*",
             "Standard deviation of R2* by noise, from the fit.", (0.0, 100.0)),
    Quantity("sigma_pdff", "desc-sigma_PDFFmap", "1", "SD of the fat fraction",
             "Standard deviation of the fat fraction by noise, from the fit.", (0.0, 0.2)),
)  # fmt: skip

_TRUTH_QUANTITIES = (
    Quantity(
        "bvtv", "desc-bvtv_map", "1", "BV/TV", "Trabecular bone volume fraction.", (0.0, 0.6), colors="sequential"
    ),
    Quantity("cortex", "desc-cortex_map", "1", "Cortical bone", "Fraction of cortical bone.", (0.0, 1.0)),
    Quantity("signal", "desc-signal_map", "a.u.", "Signal", "Magnitude of the first echo without noise."),
)

# Maps of a reconstruction, and all maps: a phantom's truth has three more.
QUANTITIES: dict[str, Quantity] = {quantity.name: quantity for quantity in _QUANTITIES}
ALL_QUANTITIES: dict[str, Quantity] = QUANTITIES | {quantity.name: quantity for quantity in _TRUTH_QUANTITIES}


def display_window(name: str, array: np.ndarray) -> tuple[float, float]:
    """Window in which a map is shown: the quantity's own, or 0 to the 99.5th percentile for signal images."""
    quantity = ALL_QUANTITIES.get(name)
    if quantity is not None and quantity.display is not None:
        return quantity.display
    numbers = array[np.isfinite(array)]
    high = float(np.percentile(numbers, 99.5)) if numbers.size else 0.0
    return 0.0, high if high > 0 else 1.0
