"""The least that noise does to field, R2* and fat fraction: standard deviations over fat fractions and rates."""

from dataclasses import dataclass

import numpy as np

from ..fieldmap.signal import Model
from ..fieldmap.uncertainty import standard_deviations

PDFFS = tuple(np.linspace(0, 1, 11).tolist())


@dataclass(frozen=True, eq=False)
class Bounds:
    """Cramér–Rao bounds, (R, P) arrays over R2* [1/s] and fat fraction: of the field in Hz, R2* in 1/s, and PDFF."""

    r2star: tuple[float, ...]
    pdff: tuple[float, ...]
    field_hz: np.ndarray
    sigma_r2star: np.ndarray
    sigma_pdff: np.ndarray

    def worst(self) -> tuple[float, float, float]:
        """Return the largest bounds of field, R2* and fat fraction."""
        return tuple(float(one.max()) for one in (self.field_hz, self.sigma_r2star, self.sigma_pdff))

    def typical(self) -> tuple[float, float, float]:
        """Return the root mean squares of the bounds of field, R2* and fat fraction."""
        return tuple(
            float(np.sqrt(np.mean(one.astype(np.float64) ** 2)))
            for one in (self.field_hz, self.sigma_r2star, self.sigma_pdff)
        )


def bounds(model: Model, noise: float, r2star, pdff=PDFFS) -> Bounds:
    """Return the Cramér–Rao bounds of tissue whose signal at echo time zero is 1.

    Parameters
    ----------
    model : Model
        Echo times and fat signal.
    noise : float
        Standard deviation of the noise in the real channel.
    r2star, pdff : sequences of floats
        1/s, and fractions.

    Notes
    -----
    Those of the six real numbers |W|, |F|, two phases, field and R2* of the fit, by `fieldmap.uncertainty`: the maps of
    standard deviations that a scan of this protocol gets. Field, phases and R2* itself do not change them but by decay.
    """
    rates, fractions = np.meshgrid(np.asarray(r2star, np.float64), np.asarray(pdff, np.float64), indexing="ij")
    water, fat = (1 - fractions).ravel() + 0j, fractions.ravel() + 0j
    found = standard_deviations(water, fat, np.zeros(water.size), rates.ravel(), model, noise)
    return Bounds(
        tuple(float(rate) for rate in r2star),
        tuple(float(fraction) for fraction in pdff),
        *(one.reshape(rates.shape) for one in found),
    )
