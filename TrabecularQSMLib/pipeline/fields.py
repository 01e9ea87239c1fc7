"""The stages before inversion: from echoes, or a field measured elsewhere, to the local field and its weights."""

from dataclasses import replace
from functools import partial

import numpy as np

from .. import background
from ..acquisition import Acquisition, MeasuredField, b0_direction, voxel_size
from ..errors import InputError
from ..fieldmap import magnitude, masks, two_rates
from ..fieldmap.contradiction import find_contradiction
from ..fieldmap.displacement import BEYOND_SLICES, find_displacement
from ..fieldmap.fat_models import FAT_MODELS, FatModel
from ..fieldmap.kind import Kind, find_kind
from ..fieldmap.lines import find_lines
from ..fieldmap.mistakes import find_mistake
from ..fieldmap.sample import draw
from ..fieldmap.separation import EXACT_ECHOES, Separation, fat_fraction, separate
from ..fieldmap.spectrum import choose_spectrum, estimate_shift, sample
from ..fieldmap.uncertainty import share_of_noise
from ..fieldmap.unwrap import parts_apart, steepness, unwrap
from ..inversion.weights import SMOOTHING_MM, data_weight, edge_weight
from ..progress import Progress, part, report
from ..settings import Settings
from . import remarks

# A field that is not zero in more than this share of an image tells nothing of the body.
_EVERYWHERE = 0.95
# So many voxels are asked whether a sign of the phase that was given is right.
_ASKED = 2000


class Fields:
    """The stages before inversion, run on construction; everything in the closest RAS order.

    `maps` has what they give by name, `settings` what was found, `notes` what a user should know. Where background was
    removed, there are also `total_field`, the `local_field` and the `interior` in which it holds, `mask` in which χ is
    solved and `drawn`, its part with a field, both weights, and `signal` at echo time zero with its `fat_fraction`.
    """

    def __init__(self, acquisition: Acquisition | MeasuredField, settings: Settings, mask, progress: Progress | None):
        self.acquisition = acquisition  # not needed any more once this is made
        self.imaging_frequency = acquisition.imaging_frequency
        self.settings, self.given_sign = settings, settings.phase_sign
        self.notes = list(acquisition.notes)
        self.maps: dict[str, np.ndarray] = {}
        self.apart: dict[int, tuple] = {}  # what `solving.cortex_apart` finds, by padding: once for all inversions
        self.echo_times = None
        if not isinstance(acquisition, MeasuredField):
            _check_echoes_suffice(acquisition, settings)
            self.echo_times = acquisition.echo_times
        self.reorientation = acquisition.reorientation
        affine = self.reorientation.apply_affine(acquisition.affine)
        self.voxel_size = voxel_size(affine)
        self.b0_direction = b0_direction(affine, acquisition.b0_patient)
        self.mask_given = mask is not None
        self.fit_residual = None
        if mask is not None:
            mask = self.reorientation.apply(masks.checked_mask(mask, acquisition.shape))

        if isinstance(acquisition, MeasuredField):
            total_ppm, edges, trust, start = *self._given_field(mask), 0.0
        elif not acquisition.has_phase:
            self._fit_magnitude_alone(self.reorientation.apply(acquisition.echoes), mask, progress)
            return
        else:
            echoes = self.reorientation.apply(acquisition.echoes)
            edges, trust = self._separate(echoes, mask, part(progress, 0.0, 0.8))
            total_ppm = self.maps["field_hz"] * np.float32(1e6 / acquisition.imaging_frequency)
            start = 0.8
        if settings.stop_after != "fieldmap":
            self._remove_background(total_ppm, edges, trust, part(progress, start, 1.0))

    @property
    def signal(self) -> np.ndarray:
        """Signal at echo time zero; of a field, its magnitude."""
        return self.maps["water"] + self.maps["fat"] if "water" in self.maps else self.magnitude

    def _given_field(self, mask) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Begin with a field that was measured already: return it, the image of its edges, and its reliability."""
        given, settings, apply = self.acquisition, self.settings, self.reorientation.apply
        if settings.stop_after == "fieldmap":
            raise InputError(f"{given.source} is a field map already; leave out the setting stop_after.")
        if settings.fat_prior:
            raise InputError(f"{given.source} has no fat fraction, which the fat prior needs; set fat_prior to 0.")
        field, known, trust = apply(given.field), apply(given.known), apply(given.known).astype(np.float32)
        if settings.chi_sigma == "yes":
            raise InputError(
                f"{given.source} has no standard deviation of the field, which that of χ needs; set chi_sigma to no."
            )
        if settings.phase_sign == "auto":
            self.notes.append(
                "The sign of a field cannot be told from it alone, so it was taken to be positive where the frequency "
                "is higher; set the phase sign to -1 if it is the other way round."
            )
        elif settings.phase_sign == "-1":
            field = -field
        changes = {"phase_sign": "-1" if settings.phase_sign == "-1" else "+1"}
        if given.stage == "local":
            changes |= {"background": "none", "air_first": "off"}
        body = known
        if mask is None and given.magnitude is None and known.mean() > _EVERYWHERE:
            raise InputError(
                f"{given.source} is not zero in {known.mean():.0%} of the image, which does not tell where the body "
                "is; give a mask, or a magnitude."
            )
        if given.magnitude is None:
            self.magnitude = np.ones(field.shape, np.float32)
            self.notes.append("There is no magnitude: all voxels of the field count alike, and no edge of χ is free.")
        else:
            self.magnitude = apply(given.magnitude)
            noise = masks.noise_of_magnitude(self.magnitude)
            signal = masks.signal_mask(self.magnitude, noise, settings.mask_threshold)
            body, trust = masks.body_mask(signal), trust * signal
            if settings.edge_image == "opposed-phase":
                changes["edge_image"] = "magnitude"
                self.notes.append("A field has no opposed-phase image, so edges are those of the magnitude.")
        if mask is not None:
            self.mask = mask
        elif given.stage == "local":
            self.mask = known
            self.notes.append("No mask was given, so χ was solved wherever the local field is not zero.")
        else:
            self.mask = self._eroded(body)
        self.body = body | self.mask
        self.fat_fraction = np.zeros_like(self.magnitude)
        self.settings = replace(settings, **changes)
        self.maps |= {"mask": self.mask.astype(np.float32), "reliability": trust}
        return field, self.magnitude, trust

    def _separate(self, echoes, mask, progress) -> tuple[np.ndarray, np.ndarray]:
        """Make the maps of the echoes; return the image of the edges of χ, and the reliability."""
        settings = self.settings
        # What noise alone reaches is known of the MIP: in a root sum of squares the noise of all echoes adds up.
        mip = masks.combine_echoes(echoes)
        noise = masks.noise_level(echoes, mip)
        self.noise = np.float32(noise)
        signal, fitted = self._find_body(mip, noise, mask)
        model = self._model()
        drawn = draw(echoes, signal & fitted, **model)
        kind = self._find_kind(*drawn, part(progress, 0.0, 0.04))
        self._keep_kind(kind)
        self.notes += self._on_given_sign(*drawn, kind)
        mistake = find_mistake(*drawn, kind=kind, noise=noise, progress=part(progress, 0.04, 0.05))
        self.notes += remarks.on_mistake(mistake)
        if mistake is None:  # which would be one
            self.notes += self._contradictions(echoes, drawn, kind)
        end = 0.95 - 0.25 * sum(value == "yes" for value in (settings.separate_rates, settings.magnitude_maps))
        half = end if settings.fat_spectrum == "given" else (0.05 + end) / 2
        separation = self._fit(echoes, fitted, model, kind, noise, part(progress, 0.05, half))
        if settings.fat_spectrum != "given" and self._find_spectrum(echoes, signal & fitted, separation, kind, model):
            if kind.groups is not None:  # with the spectrum found, as when the settings are repeated
                kind = self._find_kind(*draw(echoes, signal & fitted, **model), None)
            separation = self._fit(echoes, fitted, model, kind, noise, part(progress, half, end))
        self.notes += self._oddities(echoes, separation, signal & fitted)
        trust = masks.reliability(
            mip, separation.residual, separation.excess, separation.margin, fitted,
            noise=noise, threshold=settings.mask_threshold,
        )  # fmt: skip
        field_hz = unwrap(
            separation.field_hz, fitted, trust, separation.period_hz,
            offset_period_hz=None if kind.groups is None else kind.groups.period_hz(self.acquisition.echo_times),
        )  # fmt: skip
        self.notes += remarks.on_parts(parts_apart(field_hz, fitted, self.voxel_size), separation)
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
        self.notes += remarks.on_trust(trust, self.mask, self.maps, len(model["echo_times"]), share_of_noise=seen)
        self._keep_residual(separation.residual, fitted)
        self._add_maps(echoes, fitted, trust, model, kind, noise, part(progress, end, 0.99))
        opposed = settings.edge_image == "opposed-phase"
        return np.abs(separation.water - separation.fat) if opposed else self.magnitude, trust

    def _oddities(self, echoes, separation, inside) -> list[str]:
        """What the fit took off, where it misses, and how steep the field is."""
        return [
            *remarks.on_gains(separation.gains),
            *remarks.on_lines(find_lines(separation.excess, inside), inside),
            *remarks.on_steepness(*steepness(echoes, self.acquisition.echo_times, inside)),
        ]

    def _keep_residual(self, residual, fitted):
        """Keep what the fit leaves over, and its median, unless it is nothing by necessity."""
        if len(self.acquisition.echo_times) > EXACT_ECHOES:
            self.maps["residual"] = residual
            if (inside := self.mask & fitted).any():
                self.fit_residual = float(np.median(residual[inside]))

    def _model(self) -> dict:
        """What fits of the echoes are told of the scan."""
        return {
            "echo_times": self.acquisition.echo_times,
            "imaging_frequency": self.acquisition.imaging_frequency,
            "fat_model": self._fat_model(),
        }

    def _find_body(self, mip, noise, mask) -> tuple[np.ndarray, np.ndarray]:
        """Find the body and the mask; return where there is signal, and where echoes are fitted."""
        signal = masks.signal_mask(mip, noise, self.settings.mask_threshold)
        body = masks.body_mask(signal)
        self.mask = self._eroded(body) if mask is None else mask
        if mask is not None:
            self.notes += remarks.on_mask(mask, signal, self.acquisition.source)
        self.body = body | self.mask
        return signal, self.body

    def _fat_model(self, name: str | None = None) -> FatModel:
        settings = self.settings
        return FAT_MODELS[name or settings.fat_model].at_temperature(settings.temperature).shifted(settings.fat_shift)

    def _fit(self, echoes, fitted, model, kind, noise, progress) -> Separation:
        return separate(
            echoes, fitted, self.voxel_size, **model, sign=kind.sign, groups=kind.groups, noise=noise,
            find_gains=self.settings.echo_gains == "auto", progress=progress,
        )  # fmt: skip

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

    def _contradictions(self, echoes, drawn, kind) -> list[str]:
        """Where the echoes cannot be of one measurement."""
        found = find_contradiction(*drawn, kind=kind)
        if found is None or found.axis is not None:
            moved = find_displacement(echoes, *drawn, kind=kind)
            # What lies elsewhere seems to have slices of its own, and such slices seem to lie elsewhere, but less.
            if moved and (found is None or moved.voxels > BEYOND_SLICES):
                return remarks.on_displacement(moved)
        return remarks.on_contradiction(found)

    def _keep_kind(self, kind):
        """Put what was found into the settings, and say it."""
        settings = self.settings
        readout = settings.readout if settings.readout != "auto" else "bipolar" if kind.bipolar else "monopolar"
        trains = settings.trains if settings.trains != "auto" else str(kind.trains)
        self.settings = replace(settings, phase_sign=f"{kind.sign:+d}", readout=readout, trains=trains)
        self.notes += remarks.on_kind(kind, settings, self.settings, self.acquisition.echo_times)

    def _on_given_sign(self, voxels, sample, kind) -> list[str]:
        """Whether the sign of the phase that was given is the wrong one, as some of the voxels say."""
        if self.given_sign == "auto":
            return []
        some, settings = slice(_ASKED), self.settings
        groups = {"bipolar": settings.readout == "bipolar", "trains": int(settings.trains)}
        return remarks.on_given_sign(kind, find_kind(voxels[:, some], sample.part(some), **groups))

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

    def _fit_magnitude_alone(self, echoes, mask, progress):
        """Maps of a scan without phase."""
        settings, mip = self.settings, masks.combine_echoes(echoes)
        noise = magnitude.noise_from_magnitude(masks.noise_level(echoes, mip))
        _, fitted = self._find_body(mip, noise, mask)
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

    def _eroded(self, body) -> np.ndarray:
        """Mask of the body without its surface."""
        mask = masks.erode(body, self.settings.mask_erosion, self.voxel_size)
        if not mask.any():
            raise InputError(
                f"No voxel of {self.acquisition.source} is farther than {self.settings.mask_erosion:g} mm from the "
                "surface of what gives signal; lower mask_threshold or mask_erosion, or give a mask."
            )
        return mask

    def _remove_background(self, total_ppm, edges, trust, progress):
        if not (isinstance(self.acquisition, MeasuredField) and self.acquisition.stage == "local"):
            self.maps["total_field"] = total_ppm
        self.total_field, self.trust = total_ppm, trust
        self.local_field, self.interior = self.local(total_ppm, progress)
        self.maps["reliability"] = np.where(self.interior, trust, 0)
        self.drawn = self.mask & _planes_with(self.interior)
        self.maps["mask"] = self.drawn.astype(np.float32)
        # A mask that was made here may end where it likes.
        left_out = np.count_nonzero(self.mask & ~self.drawn) if self.mask_given else 0
        if self.mask_given or self.settings.mask_erosion < remarks.NEAR_SKIN_MM:
            self.notes += remarks.on_surroundings(self.mask, self.body, self.voxel_size, self.settings.background)
        self.notes += remarks.on_slab(self.interior, int(left_out), self.voxel_size)
        self.maps["local_field"] = self.local_field
        self.weigh(edges)

    def weigh(self, edges: np.ndarray) -> None:
        """Make both weights, with edges of χ where those of an image are."""
        self.edges = edges
        self.data_weight = data_weight(self.magnitude, self.interior, self.trust)
        self.edge_weight = edge_weight(
            edges,
            self.mask,
            self.voxel_size,
            fraction=self.settings.edge_fraction,
            threshold=self.settings.edge_threshold,
            weight=self.settings.edge_weight,
            smoothing=SMOOTHING_MM if self.settings.edge_image == "smoothed-magnitude" else 0.0,
        )

    def local(self, total_ppm, progress) -> tuple[np.ndarray, np.ndarray]:
        """Return the local field of a total field, and where it holds."""
        local, interior = background.remove(
            # Where nothing was measured the field is noise of whole periods, which spheres and surfaces would spread.
            masks.fill_unreliable(total_ppm, self.trust, self.mask, self.voxel_size),
            self.mask,
            self.voxel_size,
            method=self.settings.background,
            air_first=self.settings.air_first,
            b0_direction=self.b0_direction,
            data_weight=data_weight(self.magnitude, self.mask, self.trust),
            body=self.body,
            progress=progress,
            **background.METHODS[self.settings.background].arguments(self.settings),
        )
        # Where nothing was measured (cortex, air) it is noise of whole periods, which weighted inversions do not see,
        # but others do.
        return masks.fill_unreliable(local, np.where(interior, self.trust, 0), interior, self.voxel_size), interior


def _planes_with(mask):
    """Voxels in whose planes, across each axis, lies a voxel of the mask."""
    return remarks.occupied(mask, 0) & remarks.occupied(mask, 1) & remarks.occupied(mask, 2)


def _check_echoes_suffice(acquisition: Acquisition, settings: Settings):
    """Refuse what the scan has too few echoes or no phase for, before the work."""
    count, source = len(acquisition.echo_times), acquisition.source
    if not acquisition.has_phase and settings.magnitude_maps == "no":
        raise InputError(
            f"{source} has no phase, which field and susceptibility need; export the phase as well, or set "
            "magnitude_maps to yes for R2* and fat fraction from the magnitude alone."
        )
    if not acquisition.has_phase and settings.separate_rates == "yes":
        raise InputError(f"{source} has no phase, which R2* of water and of fat needs; set separate_rates to no.")
    for name, least, what in (
        ("separate_rates", two_rates.LEAST_ECHOES, "R2* of water and of fat"),
        ("magnitude_maps", magnitude.LEAST_ECHOES, "water, fat and R2* from the magnitude"),
    ):
        if getattr(settings, name) == "yes" and count < least:
            raise InputError(
                f"{source} has {count} echoes, but {what} need {least} at least; set {name} to no, or acquire more."
            )
