"""The stages before inversion of echoes with phase: what sort of scan it is, water and fat, and the total field."""

from dataclasses import replace
from functools import partial

import numpy as np

from ..acquisition import Acquisition
from ..fieldmap import magnitude, masks, two_rates
from ..fieldmap.contradiction import find_contradiction, left_over, share_by_chance
from ..fieldmap.denoised import shared_in_air, shared_in_rest
from ..fieldmap.displacement import BEYOND_SLICES, find_displacement
from ..fieldmap.fat_models import FAT_MODELS
from ..fieldmap.kind import Kind, find_kind, fitting_better, seen
from ..fieldmap.lines import find_lines
from ..fieldmap.mistakes import find_mistake
from ..fieldmap.readout import SURE_OF_PLAIN, are_of_groups
from ..fieldmap.sample import draw
from ..fieldmap.separation import Separation, fat_fraction, separate
from ..fieldmap.spectrum import choose_spectrum, estimate_shift, sample
from ..fieldmap.uncertainty import share_of_noise
from ..fieldmap.unwrap import parts_apart, steepness, unwrap
from ..progress import Progress, part, report
from ..settings import Settings
from . import remarks, remarks_on_echoes
from .echoes import EchoFields

# So many voxels are asked whether a sign of the phase that was given is right.
_ASKED = 2000
# The largest echo of noise is less than so many standard deviations of it.
_DARK = 4.0


class SeparatedFields(EchoFields):
    """Fields of a scan with phase, by water–fat separation."""

    def __init__(self, acquisition: Acquisition, settings: Settings, mask, progress: Progress | None):
        super().__init__(acquisition, settings, mask)
        edges, trust = self._separate(self.reorientation.apply(acquisition.echoes), part(progress, 0.0, 0.8))
        if settings.stop_after != "fieldmap":
            total_ppm = self.maps["field_hz"] * np.float32(1e6 / acquisition.imaging_frequency)
            self.maps["total_field"] = total_ppm
            self._remove_background(total_ppm, edges, trust, part(progress, 0.8, 1.0))

    def _separate(self, echoes, progress) -> tuple[np.ndarray, np.ndarray]:
        """Make the maps of the echoes; return the image of the edges of χ, and the reliability."""
        settings = self.settings
        # What noise alone reaches is known of the MIP: in a root sum of squares the noise of all echoes adds up.
        mip = masks.combine_echoes(echoes)
        noise = masks.noise_level(echoes, mip)
        self.noise = np.float32(noise)
        signal, fitted = self._find_body(mip, noise)
        model = self._model()
        drawn = draw(echoes, signal & fitted, **model)
        # Noise in most of the echoes looks like many mistakes, and may speak for either sign.
        few = remarks_on_echoes.on_decay(drawn[0], noise)
        kind = self._find_kind(*drawn, part(progress, 0.0, 0.04))
        kind = kind.with_likely_sign() if few and self.settings.phase_sign == "auto" else kind
        self._keep_kind(kind)
        self.notes += few or self._faults(echoes, drawn, kind, noise, part(progress, 0.04, 0.05))
        end = 0.95 - 0.25 * sum(value == "yes" for value in (settings.separate_rates, settings.magnitude_maps))
        half = end if settings.fat_spectrum == "given" else (0.05 + end) / 2
        separation = self._fit(echoes, fitted, model, kind, noise, part(progress, 0.05, half))
        if settings.fat_spectrum != "given" and self._find_spectrum(echoes, signal & fitted, separation, kind, model):
            if kind.groups is not None:  # with the spectrum found, as when the settings are repeated
                kind = self._find_kind(*draw(echoes, signal & fitted, **model), None)
            separation = self._fit(echoes, fitted, model, kind, noise, part(progress, half, end))
        self.notes += self._oddities(echoes, separation, signal & fitted)
        self.notes += self._denoising(echoes, mip, separation, signal & fitted, kind, model)
        trust = masks.reliability(
            mip, separation.residual, separation.excess, separation.margin, fitted,
            noise=noise, threshold=settings.mask_threshold,
        )  # fmt: skip
        field_hz = unwrap(
            separation.field_hz, fitted, trust, separation.period_hz,
            offset_period_hz=None if kind.groups is None else kind.groups.period_hz(self.acquisition.echo_times),
        )  # fmt: skip
        self.notes += remarks_on_echoes.on_parts(parts_apart(field_hz, fitted, self.voxel_size), separation, fitted)
        report(progress, 1.0, "Unwrapped the field")
        combination = settings.echo_combination
        self.magnitude = mip if combination == "mip" else masks.combine_echoes(echoes, combination)
        self.fat_fraction = fat_fraction(separation.water, separation.fat)
        self.maps |= {
            "pdff": self.fat_fraction,
            "water": np.abs(separation.water),
            "fat": np.abs(separation.fat),
            "field_hz": field_hz,
            "r2star": separation.r2star,
            "mip": mip,
            "mask": self.mask.astype(np.float32),
            "reliability": trust,
            "sigma_field": separation.sigma_field,
            "sigma_r2star": separation.sigma_r2star,
            "sigma_pdff": separation.sigma_pdff,
        }
        inside = self.mask & fitted
        seen = partial(share_of_noise, echoes, separation.residual, inside, noise)
        self.notes += remarks.on_trust(
            trust, self.mask, self.maps, model["echo_times"], share_of_noise=seen,
            share_by_chance=lambda: share_by_chance(left_over(*drawn, kind=kind)),
        )  # fmt: skip
        self._keep_residual(separation.residual, fitted)
        self._add_maps(echoes, fitted, trust, model, kind, noise, part(progress, end, 0.99))
        opposed = settings.edge_image == "opposed-phase"
        return np.abs(separation.water - separation.fat) if opposed else self.magnitude, trust

    def _oddities(self, echoes, separation, inside) -> list[str]:
        """What the fit took off, where it misses, and how steep the field is."""
        return [
            *remarks_on_echoes.on_gains(separation.gains),
            *remarks_on_echoes.on_lines(find_lines(separation.excess, inside), inside),
            *remarks_on_echoes.on_steepness(*steepness(echoes, self.acquisition.echo_times, inside)),
        ]

    def _denoising(self, echoes, mip, separation, inside, kind, model) -> list[str]:
        """Whether noise was taken off the echoes, as air shows, and tissue where air was cut out."""
        in_air = shared_in_air(echoes, (mip > 0) & (mip < _DARK * self.noise))
        in_rest = shared_in_rest(echoes, separation, inside, **model, sign=kind.sign, groups=kind.groups)
        return remarks_on_echoes.on_denoising(max(in_air, in_rest))

    def _find_kind(self, voxels, sample, progress) -> Kind:
        settings = self.settings
        return find_kind(
            voxels,
            sample,
            sign=None if settings.phase_sign == "auto" else int(settings.phase_sign),
            bipolar=None if settings.readout == "auto" else settings.readout == "bipolar",
            trains=None if settings.trains == "auto" else int(settings.trains),
            progress=progress,
        )

    def _keep_kind(self, kind):
        """Put what was found into the settings, and say it."""
        settings = self.settings
        readout = settings.readout if settings.readout != "auto" else "bipolar" if kind.bipolar else "monopolar"
        trains = settings.trains if settings.trains != "auto" else str(kind.trains)
        self.settings = replace(settings, phase_sign=f"{kind.sign:+d}", readout=readout, trains=trains)
        self.notes += remarks_on_echoes.on_kind(kind, settings, self.settings, self.acquisition.echo_times)

    def _faults(self, echoes, drawn, kind, noise, progress) -> list[str]:
        """What is wrong with what was given, with the header, or with the export, as the echoes show."""
        notes = []
        if self.given.phase_sign != "auto":
            voxels, sample = drawn
            some, settings = slice(_ASKED), self.settings
            asked = voxels[:, some], sample.part(some)
            found = find_kind(*asked, bipolar=settings.readout == "bipolar", trains=int(settings.trains))
            notes += remarks_on_echoes.on_given_sign(kind, found)
            if notes:  # what a wrong sign leaves over looks like other mistakes
                drawn, kind = asked, found
        kind = fitting_better(*drawn, kind)
        mistake = find_mistake(*drawn, kind=kind, noise=noise, progress=progress)
        notes += remarks_on_echoes.on_mistake(mistake) or self._doubts_on_readout(drawn, kind)
        return notes if mistake else notes + self._contradictions(echoes, drawn, kind)

    def _doubts_on_readout(self, drawn, kind) -> list[str]:
        """What the echoes say of a read-out and trains that were given as plain."""
        if kind.groups is not None or (self.given.readout, self.given.trains) == ("auto", "auto"):
            return []
        asked = find_kind(*drawn, sign=kind.sign, sure_from=SURE_OF_PLAIN)
        plain = asked.groups is not None and are_of_groups(seen(drawn[0], drawn[1], kind), asked.groups, drawn[1])
        return remarks_on_echoes.on_given_readout(asked, plain)

    def _contradictions(self, echoes, drawn, kind) -> list[str]:
        """Where the echoes cannot be of one measurement."""
        left = left_over(*drawn, kind=kind)
        if left is None:
            return []
        found = find_contradiction(left)
        if found is None or found.axis is not None:
            moved = find_displacement(echoes, left)
            # What lies elsewhere seems to have slices of its own, and such slices seem to lie elsewhere, but less.
            if moved and (found is None or moved.voxels > BEYOND_SLICES):
                return remarks_on_echoes.on_displacement(moved)
        return remarks_on_echoes.on_contradiction(found)

    def _fit(self, echoes, fitted, model, kind, noise, progress) -> Separation:
        return separate(
            echoes, fitted, self.voxel_size, **model, sign=kind.sign, groups=kind.groups, noise=noise,
            find_gains=self.settings.echo_gains == "auto", progress=progress,
        )  # fmt: skip

    def _find_spectrum(self, echoes, where, separation, kind, model) -> bool:
        """Put the spectrum of fat that the scan shows into settings and model, and say whether it is another one."""
        settings, first = self.settings, model["fat_model"]
        times = {name: model[name] for name in ("echo_times", "imaging_frequency")}
        self.settings = replace(settings, fat_spectrum="given")
        if len(model["echo_times"]) == 3:
            self.notes.append("Three echoes fit any spectrum of fat, so nothing tells which is right; it was kept.")
            return False
        best = settings.fat_spectrum == "best"
        voxels = sample(echoes, where, separation, mixed=not best, sign=kind.sign, groups=kind.groups)
        if best:
            names = (settings.fat_model, *(name for name in FAT_MODELS if name != settings.fat_model))
            choice = choose_spectrum(voxels, {name: self._fat_model(name) for name in names}, **times)
            self.notes.append(choice.sentence(settings.fat_model))
            self.settings = replace(self.settings, fat_model=choice.best)
        else:
            shift = estimate_shift(voxels, first, **times)
            self.notes.append(shift.sentence(self.acquisition.imaging_frequency, first))
            if shift.seen:
                self.settings = replace(self.settings, fat_shift=settings.fat_shift + shift.ppm)
        model["fat_model"] = self._fat_model()
        return model["fat_model"] != first

    def _add_maps(self, echoes, fitted, trust, model, kind, noise, progress):
        """Add the maps that settings ask for beside the usual ones, and say what they tell."""
        if self.settings.separate_rates == "yes":
            rates = two_rates.two_rates(
                echoes, fitted & (trust > 0), self.maps["field_hz"], self.maps["r2star"],
                **model, sign=kind.sign, groups=kind.groups, noise=noise, progress=part(progress, 0.0, 0.5),
            )  # fmt: skip
            self.maps |= {
                "r2star_water": rates.r2star_water,
                "r2star_fat": rates.r2star_fat,
                "sigma_r2star_water": rates.sigma_water,
                "sigma_r2star_fat": rates.sigma_fat,
            }
        if self.settings.magnitude_maps == "yes":
            fit = self._fit_magnitude(echoes, fitted, model, noise, part(progress, 0.5, 1.0))
            self.notes += magnitude.cross_check(self.maps, trust, fit.margin)
