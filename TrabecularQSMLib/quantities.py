"""What each map is called, in which unit it is, and how it is shown: one table for files, figures, tables and nodes."""

from dataclasses import dataclass

import numpy as np

# Units of quantities, and of what is measured beside them, as UCUM code and meaning.
UNIT_CODES = {
    "ppm": ("[ppm]", "parts per million"),
    "1/s": ("/s", "per second"),
    "Hz": ("Hz", "hertz"),
    "1": ("1", "no units"),
    "a.u.": ("[arb'U]", "arbitrary unit"),
    "HU": ("[hnsf'U]", "Hounsfield unit"),
}


@dataclass(frozen=True)
class Quantity:
    """A kind of map.

    `name` is the key in code and tables, `suffix` the end of the BIDS file name, `unit` its UCUM text, `display` the
    window in `unit`, `code` the DICOM coded entry (value, meaning) where the standard has one; no two have the same, as
    nodes are known by it. `colors` is "gray"
    for images and susceptibility, as is usual, "sequential" for what is read by value, "diverging" for fields, of which
    zero is the middle. `measured` says whether regions have statistics of it, `only_in_mask` whether it is known in the
    mask alone, `zero_is_unknown` whether a zero says that it is not known there, `sigma` which map holds its standard
    deviation by noise, and, where neighbors share that noise, `draws` which maps hold draws of it.
    """

    name: str
    suffix: str
    unit: str
    title: str
    description: str
    display: tuple[float, float] | None = None
    code: tuple[str, str] | None = None
    colors: str = "gray"
    measured: bool = True
    only_in_mask: bool = False
    zero_is_unknown: bool = False
    sigma: str | None = None
    draws: tuple[str, ...] = ()


_QUANTITIES = (
    Quantity("chi", "Chimap", "ppm", "Susceptibility",
             "Magnetic susceptibility; with the reference none its mean over the inversion grid is zero.",
             (-1.0, 1.0), ("126396", "Magnetic Susceptibility"), only_in_mask=True, sigma="sigma_chi",
             draws=("noise_chi_1", "noise_chi_2")),
    Quantity("r2star", "R2starmap", "1/s", "R2*", "Effective transverse relaxation rate.",
             (0.0, 300.0), ("126395", "R2*"), colors="sequential", sigma="sigma_r2star"),
    Quantity("pdff", "PDFFmap", "1", "Fat fraction", "Proton-density fat fraction |F|/|W+F|, 0 to 1.",
             (0.0, 1.0), ("129100", "Fat fraction"), colors="sequential", sigma="sigma_pdff"),
    Quantity("water", "water", "a.u.", "Water", "Magnitude of the water signal at echo time zero."),
    Quantity("fat", "fat", "a.u.", "Fat", "Magnitude of the fat signal at echo time zero."),
    Quantity("field_hz", "fieldmap", "Hz", "Field map", "Frequency offset, unwrapped; positive is a higher frequency.",
             (-300.0, 300.0), ("110807", "Field Map MR Signal Intensity"), colors="diverging",
             sigma="sigma_field"),
    Quantity("total_field", "desc-total_fieldmapppm", "ppm", "Total field",
             "Relative field change before background removal.", (-2.0, 2.0), colors="diverging", only_in_mask=True),
    Quantity("local_field", "desc-local_fieldmapppm", "ppm", "Local field",
             "Relative field change after background removal.", (-0.4, 0.4), colors="diverging", only_in_mask=True),
    Quantity("mask", "mask", "1", "Mask", "Voxels in which susceptibility is solved.", (0.0, 1.0),
             measured=False),
    Quantity("mip", "MIP", "a.u.", "Echo MIP", "Maximum over echoes of the signal magnitude."),
    Quantity("reliability", "desc-reliability_map", "1", "Reliability",
             "How far a voxel's fit can be trusted, 0 to 1, from signal, residual, next fit and mask.", (0.0, 1.0),
             measured=False),
    Quantity("residual", "desc-residual_map", "1", "Residual of the fit",
             "What the fit leaves over of a voxel's echoes: root sum of squares, as a part of that of the signal.",
             (0.0, 0.25), measured=False),
    Quantity("sigma_field", "desc-sigma_fieldmap", "Hz", "SD of the field map",
             "Standard deviation of the field by noise, from the fit.", (0.0, 20.0), measured=False),
    Quantity("sigma_r2star", "desc-sigma_R2starmap", "1/s", "SD of R2*",
             "Standard deviation of R2* by noise, from the fit.", (0.0, 100.0), measured=False),
    Quantity("sigma_pdff", "desc-sigma_PDFFmap", "1", "SD of the fat fraction",
             "Standard deviation of the fat fraction by noise, from the fit.", (0.0, 0.2), measured=False),
    Quantity("sigma_chi", "desc-sigma_Chimap", "ppm", "SD of susceptibility",
             "Standard deviation of susceptibility by noise, which neighbors share; systematic errors are "
             "not in it.", (0.0, 0.1), measured=False, only_in_mask=True),
    Quantity("noise_chi_1", "desc-noise1_Chimap", "ppm", "Noise of susceptibility, first draw",
             "A draw of the noise of susceptibility, of which means over regions have that of a region.",
             (-0.1, 0.1), colors="diverging", measured=False, only_in_mask=True),
    Quantity("noise_chi_2", "desc-noise2_Chimap", "ppm", "Noise of susceptibility, second draw",
             "Another draw, independent of the first.",
             (-0.1, 0.1), colors="diverging", measured=False, only_in_mask=True),
    Quantity("r2star_water", "desc-water_R2starmap", "1/s", "R2* of water",
             "R2* of the water signal alone; 0 where it is not determined.",
             (0.0, 300.0), colors="sequential", zero_is_unknown=True, sigma="sigma_r2star_water"),
    Quantity("r2star_fat", "desc-fat_R2starmap", "1/s", "R2* of fat",
             "R2* of the fat signal alone; 0 where it is not determined.",
             (0.0, 300.0), colors="sequential", zero_is_unknown=True, sigma="sigma_r2star_fat"),
    Quantity("sigma_r2star_water", "desc-sigmawater_R2starmap", "1/s", "SD of R2* of water",
             "Standard deviation of R2* of water by noise, from the fit.", (0.0, 100.0), measured=False),
    Quantity("sigma_r2star_fat", "desc-sigmafat_R2starmap", "1/s", "SD of R2* of fat",
             "Standard deviation of R2* of fat by noise, from the fit.", (0.0, 100.0), measured=False),
    Quantity("r2star_arlo", "desc-arlo_R2starmap", "1/s", "R2* by ARLO",
             "R2* of the magnitude as of water alone (ARLO): where fat is, its beating with water is taken for decay.",
             (0.0, 300.0), colors="sequential", sigma="sigma_r2star_arlo"),
    Quantity("r2star_magnitude", "desc-magnitude_R2starmap", "1/s", "R2* of the magnitude",
             "R2* of water and fat fitted to the magnitude alone.",
             (0.0, 300.0), colors="sequential", sigma="sigma_r2star_magnitude"),
    Quantity("pdff_magnitude", "desc-magnitude_PDFFmap", "1", "Fat fraction of the magnitude",
             "Proton-density fat fraction fitted to the magnitude alone, 0 to 1.",
             (0.0, 1.0), colors="sequential", sigma="sigma_pdff_magnitude"),
    Quantity("sigma_r2star_arlo", "desc-sigmaarlo_R2starmap", "1/s", "SD of R2* by ARLO",
             "Standard deviation of R2* by ARLO by noise.", (0.0, 100.0), measured=False),
    Quantity("sigma_r2star_magnitude", "desc-sigmamagnitude_R2starmap", "1/s", "SD of R2* of the magnitude",
             "Standard deviation of R2* of the magnitude by noise, from the fit.", (0.0, 100.0), measured=False),
    Quantity("sigma_pdff_magnitude", "desc-sigmamagnitude_PDFFmap", "1", "SD of the fat fraction of the magnitude",
             "Standard deviation of the fat fraction of the magnitude by noise, from the fit.", (0.0, 0.2),
             measured=False),
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

# Maps that a setting adds.
ADDED_MAPS = {
    "separate_rates": tuple(name for name in QUANTITIES if name.endswith(("_water", "_fat"))),
    "magnitude_maps": tuple(name for name in QUANTITIES if name.endswith(("_arlo", "_magnitude"))),
    "chi_sigma": ("sigma_chi", *QUANTITIES["chi"].draws),
}
# What a scan without phase gives beside those of its magnitude.
WITHOUT_PHASE = ("water", "fat", "mip", "mask", "reliability", "residual")


def unit_in_words(unit: str) -> str:
    """Return a unit as a sentence names it."""
    return "a fraction" if unit == "1" else unit


def display_window(name: str, array: np.ndarray) -> tuple[float, float]:
    """Window in which a map is shown: the quantity's own, or 0 to the 99.5th percentile for signal images."""
    quantity = ALL_QUANTITIES.get(name)
    if quantity is not None and quantity.display is not None:
        return quantity.display
    numbers = array[np.isfinite(array)]
    high = float(np.percentile(numbers, 99.5)) if numbers.size else 0.0
    return 0.0, high if high > 0 else 1.0
