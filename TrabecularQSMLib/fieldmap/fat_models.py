"""Fat spectra, read from ``data/fat_models.json``."""

import json
from dataclasses import dataclass
from importlib import resources

import numpy as np


@dataclass(frozen=True)
class FatModel:
    """A fat spectrum: shifts against water in ppm (negative is a lower frequency) and amplitudes that sum to one."""

    name: str
    title: str
    shifts_ppm: tuple[float, ...]
    amplitudes: tuple[float, ...]
    reference: str

    @property
    def main_shift_ppm(self) -> float:
        """Shift of the largest peak."""
        return self.shifts_ppm[int(np.argmax(self.amplitudes))]

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
        )
    return models


FAT_MODELS: dict[str, FatModel] = _read()
