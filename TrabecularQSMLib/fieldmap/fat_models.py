"""Fat spectra, read from ``data/fat_models.json``."""

import json
import math
from dataclasses import dataclass, replace
from importlib import resources

import numpy as np

from ..methods import Method

# Water's resonance moves by this much for each kelvin, that of fat by a tenth of it at most (Rieke & Butts Pauly,
# J Magn Reson Imaging 2008, doi 10.1002/jmri.21265).
WATER_PPM_PER_KELVIN = -0.01
# Fat that appears farther off than so many voxels along the read-out misleads the share of cortex: see
# Docs/Validation.md.
MOST_DISPLACED = 0.5


@dataclass(frozen=True)
class FatModel:
    """A fat spectrum: shifts against water in ppm (negative is a lower frequency) and amplitudes that sum to one.

    The shifts hold at `temperature_celsius`.
    """

    name: str
    title: str
    shifts_ppm: tuple[float, ...]
    amplitudes: tuple[float, ...]
    reference: str
    temperature_celsius: float = 37.0

    @property
    def main_shift_ppm(self) -> float:
        """Shift of the largest peak."""
        return self.shifts_ppm[int(np.argmax(self.amplitudes))]

    def main_hz(self, imaging_frequency: float) -> float:
        """Return the frequency of the largest peak against water in Hz, for an imaging frequency in Hz."""
        return self.main_shift_ppm * 1e-6 * imaging_frequency

    def shifted(self, ppm: float) -> "FatModel":
        """Return the spectrum with all peaks moved by `ppm` against water."""
        return replace(self, shifts_ppm=tuple(shift + ppm for shift in self.shifts_ppm)) if ppm else self

    def at_temperature(self, celsius: float) -> "FatModel":
        """Return the spectrum in a sample at another temperature: water moves, all peaks of fat stay.

        Notes
        -----
        ``δ_p(T) = δ_p(T₀) + 0.01 ppm/K · (T − T₀)``: in a sample at 20 °C fat lies 0.17 ppm farther from water than in
        the body, 22 Hz at 3 T (Hernando et al., MRM 2014, doi 10.1002/mrm.24951, on what comes of leaving it out).
        """
        shifted = self.shifted(-WATER_PPM_PER_KELVIN * (celsius - self.temperature_celsius))
        return replace(shifted, temperature_celsius=float(celsius))

    def signal(self, echo_times: np.ndarray, imaging_frequency: float) -> np.ndarray:
        """Return the fat signal c(t) = Σ a_p exp(2πi δ_p f₀ t), complex128 (E,), for times in s and f₀ in Hz."""
        shifts_hz = np.asarray(self.shifts_ppm) * 1e-6 * imaging_frequency
        return np.exp(2j * np.pi * np.outer(np.asarray(echo_times), shifts_hz)) @ np.asarray(self.amplitudes)


def _read() -> dict[str, FatModel]:
    text = resources.files(__package__.rpartition(".")[0]).joinpath("data/fat_models.json").read_text(encoding="utf-8")
    models = {}
    for entry in json.loads(text)["fat_models"]:
        amplitudes = np.asarray(entry["amplitudes_percent"], dtype=float)
        models[entry["name"]] = FatModel(
            name=entry["name"],
            title=entry["title"],
            shifts_ppm=tuple(round(peak - entry["water_ppm"], 6) for peak in entry["peaks_ppm"]),
            amplitudes=tuple(amplitudes / amplitudes.sum()),
            reference=entry["reference"],
            temperature_celsius=float(entry["temperature_celsius"]),
        )
    return models


FAT_MODELS: dict[str, FatModel] = _read()


def enough_bandwidth(fat_hz: float) -> int:
    """Return the bandwidth of a voxel in Hz, in tens, with which fat appears no farther off than `MOST_DISPLACED`.

    `fat_hz` is the frequency of the main peak of fat against water.
    """
    return 10 * math.ceil(abs(fat_hz) / MOST_DISPLACED / 10)


METHOD = Method(
    FatModel.at_temperature,
    title="Temperature of water",
    solves="peaks of fat against water: δ(T) = δ(T₀) + 0.01 ppm/K · (T − T₀)",
    test="test_fieldmap_spectrum.TemperatureTest",
    reference="Rieke & Butts Pauly, J Magn Reson Imaging 2008, doi 10.1002/jmri.21265; "
    "Hernando et al., MRM 2014, doi 10.1002/mrm.24951",
    options={"celsius": "temperature"},
)
