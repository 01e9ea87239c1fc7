"""Fields of echoes: what a fit needs with a phase and without, and the maps of a scan that has none."""

from dataclasses import replace

import numpy as np

from ..acquisition import Acquisition
from ..fieldmap import magnitude, masks
from ..fieldmap.fat_models import FAT_MODELS, FatModel
from ..fieldmap.separation import EXACT_ECHOES
from ..progress import Progress, part
from ..settings import Settings
from .fields import Fields


class EchoFields(Fields):
    """Fields, or maps alone, that come from echoes."""

    def __init__(self, acquisition: Acquisition, settings: Settings, mask):
        super().__init__(acquisition, settings, mask)
        self.echo_times = acquisition.echo_times

    def _find_body(self, mip, noise) -> tuple[np.ndarray, np.ndarray]:
        """Find the body and the mask; return where there is signal, and where echoes are fitted."""
        signal = masks.signal_mask(mip, noise, self.settings.mask_threshold)
        body = masks.body_mask(signal)
        self.mask = self._eroded(body) if self.given_mask is None else self.given_mask
        if self.given_mask is not None:
            self.notes += self._on_mask(signal, body)
        self.body = body | self.mask
        return signal, self.body

    def _model(self) -> dict:
        """What fits of the echoes are told of the scan."""
        return {
            "echo_times": self.acquisition.echo_times,
            "imaging_frequency": self.acquisition.imaging_frequency,
            "fat_model": self._fat_model(),
        }

    def _fat_model(self, name: str | None = None) -> FatModel:
        settings = self.settings
        return FAT_MODELS[name or settings.fat_model].at_temperature(settings.temperature).shifted(settings.fat_shift)

    def _fit_magnitude(self, echoes, fitted, model, noise, progress) -> magnitude.MagnitudeFit:
        fit = magnitude.fit_magnitude(echoes, fitted, **model, noise=noise, progress=part(progress, 0.0, 0.9))
        self.maps |= {
            "r2star_magnitude": fit.r2star,
            "pdff_magnitude": fit.pdff,
            "sigma_r2star_magnitude": fit.sigma_r2star,
            "sigma_pdff_magnitude": fit.sigma_pdff,
        }
        times = model["echo_times"]
        if magnitude.is_equidistant(times):
            self.maps["r2star_arlo"], self.maps["sigma_r2star_arlo"] = magnitude.arlo(
                echoes, fitted, echo_times=times, noise=fit.noise, progress=part(progress, 0.9, 1.0)
            )
        else:
            self.notes.append(
                "The echoes are not equally far apart, as R2* by ARLO needs them; R2* of the magnitude comes from the "
                "fit of water and fat alone."
            )
        return fit

    def _keep_residual(self, residual, fitted):
        """Keep what the fit leaves over, and its median, unless it is nothing by necessity."""
        if len(self.acquisition.echo_times) > EXACT_ECHOES:
            self.maps["residual"] = residual
            if (inside := self.mask & fitted).any():
                self.fit_residual = float(np.median(residual[inside]))


class MagnitudeFields(EchoFields):
    """Maps of a scan without phase."""

    def __init__(self, acquisition: Acquisition, settings: Settings, mask, progress: Progress | None):
        super().__init__(acquisition, settings, mask)
        echoes = self.reorientation.apply(acquisition.echoes)
        mip = masks.combine_echoes(echoes)
        noise = magnitude.noise_from_magnitude(masks.noise_level(echoes, mip))
        _, fitted = self._find_body(mip, noise)
        fit = self._fit_magnitude(echoes, fitted, self._model(), noise, progress)
        trust = masks.reliability(
            mip, fit.residual, np.zeros_like(mip), fit.margin, fitted, noise=noise, threshold=settings.mask_threshold
        )
        self.maps |= {
            "water": np.abs(fit.water),
            "fat": np.abs(fit.fat),
            "mip": mip,
            "mask": self.mask.astype(np.float32),
            "reliability": trust,
        }
        self._keep_residual(fit.residual, fitted)
        self.notes.append(
            f"{self.acquisition.source} has no phase: R2* and fat fraction are from the magnitude alone, which tells "
            f"water from fat by the smaller peaks of fat only (in about {magnitude.doubt(fit.margin[self.mask]):.1%} "
            "of the voxels in the mask they may be the wrong way round); field and susceptibility need the phase."
        )
        if settings.fat_spectrum != "given":
            self.notes.append("The spectrum of fat is looked for in the phase, which this scan lacks; it was kept.")
            self.settings = replace(settings, fat_spectrum="given")
        self.notes += magnitude.cross_check(self.maps, trust, fit.margin)
