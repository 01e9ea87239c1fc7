"""The one place that knows the order of the stages: from a multi-echo scan to maps."""

import contextlib
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import scipy.fft

from . import background
from .acquisition import Acquisition, MeasuredField, b0_direction, voxel_size
from .errors import InputError, SolverWarning
from .fieldmap import magnitude, masks, two_rates
from .fieldmap.fat_models import FAT_MODELS, FatModel
from .fieldmap.gains import EchoGains
from .fieldmap.kind import Kind, find_kind
from .fieldmap.separation import Separation, fat_fraction, separate
from .fieldmap.spectrum import choose_spectrum, estimate_shift, sample
from .fieldmap.unwrap import parts_apart, unwrap
from .inversion import METHODS, invert, lcurve, partial_volume
from .inversion.grid import Grid
from .inversion.noise import DRAWS, SEED, chi_noise
from .inversion.prior import fat_prior
from .inversion.weights import CORTEX, data_weight, edge_weight, free_links
from .progress import Progress, part, report
from .settings import Settings, preset

# Settings that "auto" leaves to the data.
KIND_SETTINGS = ("phase_sign", "readout", "trains")
# ... those that say which spectrum of fat was found ...
SPECTRUM_SETTINGS = ("fat_spectrum", "fat_model", "fat_shift")
# ... and all that may turn out on the way, with what a field measured elsewhere leaves no choice of.
_FOUND_SETTINGS = (*KIND_SETTINGS, *SPECTRUM_SETTINGS, "background", "air_first", "edge_image")
# A field that is not zero in more than this share of an image tells nothing of the body.
_EVERYWHERE = 0.95
# A whole scan is not to be trusted where its median reliability is lower, or a larger share of its R2* negative.
_LOW_TRUST, _MOST_NEGATIVE = 0.5, 0.5
# In a slab with a field of fewer slices, or thinner in mm, χ says little: on the ankle, its contrast is less than three
# quarters of what it is in all slices.
_FEW_SLICES, _THIN_MM = 6, 20.0
# A part cut off by air is told of where the field changes by more than this part of a period on the way to it, or where
# another minimum costs its voxels less than this on average, which errors of echoes may do.
_STEEP, _TORN = 0.25, 1.0
# Values of λ of an L-curve whose values are not given.
LCURVE_COUNT = 16
# The axes of arrays in the closest RAS order.
DIRECTIONS = ("inferior–superior", "posterior–anterior", "left–right")


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """Maps of one scan.

    `maps` has the names of `quantities.QUANTITIES` that the stages run so far give, each (K, J, I) float32 in the
    order of the input; `settings` are those used, with phase sign and λ filled in; `notes` say what a user should
    know, `chi_noise` how the noise of χ averages over voxels (`inversion.noise.chi_noise`), where it was asked for.
    """

    maps: dict[str, np.ndarray]
    settings: Settings
    notes: tuple[str, ...]
    chi_noise: dict[str, list[float]] | None = None


def reconstruct(
    acquisition: Acquisition | MeasuredField,
    settings: Settings | None = None,
    *,
    mask: np.ndarray | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Reconstruction:
    """Return susceptibility, R2*, fat fraction and the fields on the way from a multi-echo scan.

    Parameters
    ----------
    acquisition : Acquisition or MeasuredField
        The echoes, or a field that other software has made of them: what follows it is then all that is done.
    settings : Settings, optional
        Default: the preset ``default``.
    mask : (K, J, I) array, optional
        Where susceptibility is solved, not zero inside; used as it is, but for slices in which background removal
        leaves no field at all. Default: the body, eroded.
    threads : int, optional
        Default: one per processor.
    progress : callable, optional
        ``progress(fraction, message)``; what it raises stops the run.

    Returns
    -------
    Reconstruction

    Raises
    ------
    InputError
        If the mask does not fit or leaves nothing to solve, or the scan lacks the phase or echoes that the settings
        need.
    """
    return reconstruct_each(acquisition, [settings], mask=mask, threads=threads, progress=progress)[0]


def reconstruct_each(
    acquisition: Acquisition | MeasuredField,
    settings: Sequence[Settings | None],
    *,
    mask: np.ndarray | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> list[Reconstruction]:
    """Return one reconstruction for each of several inversions, which share all stages before.

    Parameters
    ----------
    acquisition, mask, threads, progress
        As for `reconstruct`.
    settings : sequence of Settings
        They may differ in `inversion_settings` only.

    Raises
    ------
    InputError
        Also if they differ in anything else.
    """
    settings = [_complete(one) for one in settings]
    if not settings:
        raise InputError("There are no settings to reconstruct with; give one for each inversion.")
    for name in Settings.__dataclass_fields__:
        if name not in inversion_settings() and len({getattr(one, name) for one in settings}) > 1:
            raise InputError(f"Inversions are compared on the same fields, but {name} differs; give it one value.")
    before = _share_of_fields([one.inversion for one in settings if one.stop_after is None])
    results, step = [], (1 - before) / len(settings)
    with _workers(threads):
        fields = _Fields(acquisition, settings[0], mask, part(progress, 0.0, before))
        for index, one in enumerate(settings):
            ending, shared = [], None
            if one.stop_after is None and acquisition.has_phase:
                grid = Grid.around(fields.mask, one.padding)
                with _solver_warnings() as ending:
                    where = part(progress, before + step * index, before + step * (index + 1))
                    said, shared = fields.solve(one, grid, where)
                ending += said
            found = {name: getattr(fields.settings, name) for name in _FOUND_SETTINGS}
            if one.stop_after is None and METHODS[one.inversion].total:
                ending = [
                    f"The inversion {one.inversion} takes the background away itself: it used the total field, with "
                    "background none and mask erosion 0 mm, whatever else was chosen.",
                    *ending,
                ]
            results.append(fields.reconstruction(replace(one, **found), ending, shared))
    report(progress, 1.0, "Done")
    return results


def inversion_settings() -> set[str]:
    """Names of the settings that nothing before the inversion depends on: those of every inversion, and of its own."""
    own = {"inversion", "regularization", "padding", "fat_prior", "cortex_decoupled", "partial_volume_correction"}
    own |= {"chi_sigma", "reference"}
    return own.union(*(method.options.values() for method in METHODS.values()))


def sweep_regularization(
    acquisition: Acquisition | MeasuredField,
    settings: Settings | None = None,
    regularizations: Sequence[float] = (),
    *,
    mask: np.ndarray | None = None,
    regions: Mapping[str, np.ndarray] | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> lcurve.LCurve:
    """Return the L-curve of the settings' inversion over values of λ, from the same fields for each.

    The field is the one measured, whatever `partial_volume_correction` says.

    Parameters
    ----------
    acquisition, settings, mask, threads, progress
        As for `reconstruct`.
    regularizations : sequence of floats
        λ; default: sixteen values from a hundredth to a hundred times the settings' own.
    regions : mapping of name to (K, J, I) bool array, optional
        In the order of the input; the mean χ of their voxels in the mask is followed over λ.

    Raises
    ------
    InputError
        If the settings stop before the inversion, or for fewer than three values of λ.
    """
    settings = _complete(settings)
    if settings.stop_after is not None:
        raise InputError("An L-curve needs the inversion; leave out the setting stop_after.")
    if not acquisition.has_phase:
        raise InputError(f"{acquisition.source} has no phase, which an L-curve needs; export the phase as well.")
    if not len(regularizations):
        regularizations = settings.regularization * np.logspace(-2, 2, LCURVE_COUNT)
    regularizations = lcurve.checked_regularizations(regularizations)  # before the minutes that the fields take
    before = _share_of_fields([settings.inversion] * len(regularizations))
    with _workers(threads):
        fields = _Fields(acquisition, settings, mask, part(progress, 0.0, before))
        grid = Grid.around(fields.mask, settings.padding)
        apply = fields.reorientation.apply
        return lcurve.sweep(
            grid.put(fields.local_field),
            fields.voxel_size,
            regularizations,
            method=settings.inversion,
            regions={name: grid.put(apply(inside) & fields.mask) for name, inside in (regions or {}).items()},
            progress=part(progress, before, 1.0),
            **fields.inversion_options(settings, grid),
        )


class _Fields:
    """The stages before inversion, run on construction; everything in the closest RAS order."""

    def __init__(self, acquisition: Acquisition | MeasuredField, settings: Settings, mask, progress: Progress | None):
        self.acquisition = acquisition
        self.settings = settings
        self.notes = list(acquisition.notes)
        self.maps: dict[str, np.ndarray] = {}
        if not isinstance(acquisition, MeasuredField):
            _check_echoes_suffice(acquisition, settings)
        self.reorientation = acquisition.reorientation
        affine = self.reorientation.apply_affine(acquisition.affine)
        self.voxel_size = voxel_size(affine)
        self.b0_direction = b0_direction(affine, acquisition.b0_patient)
        self.mask_given = mask is not None
        if mask is not None:
            mask = self.reorientation.apply(masks.checked_mask(mask, acquisition.shape))

        if isinstance(acquisition, MeasuredField):
            total_ppm, edges, trust, start = *self._given_field(mask), 0.0
        elif not acquisition.has_phase:
            self._fit_magnitude_alone(self.reorientation.apply(acquisition.echoes), mask, progress)
            return
        else:
            echoes = self.reorientation.apply(acquisition.echoes)
            separation, trust = self._separate(echoes, mask, part(progress, 0.0, 0.8))
            total_ppm = self.maps["field_hz"] * np.float32(1e6 / acquisition.imaging_frequency)
            opposed, start = settings.edge_image == "opposed-phase", 0.8
            edges = np.abs(separation.water - separation.fat) if opposed else self.magnitude
        if settings.stop_after != "fieldmap":
            self._remove_background(total_ppm, edges, trust, part(progress, start, 1.0))

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
        self.signal = self.magnitude
        self.settings = replace(settings, **changes)
        self.maps |= {"mask": self.mask.astype(np.float32), "reliability": trust}
        return field, self.magnitude, trust

    def _separate(self, echoes, mask, progress) -> tuple[Separation, np.ndarray]:
        settings = self.settings
        # What noise alone reaches is known of the MIP: in a root sum of squares the noise of all echoes adds up.
        mip = masks.combine_echoes(echoes)
        noise = masks.noise_level(echoes, mip)
        signal = masks.signal_mask(mip, noise, settings.mask_threshold)
        body = masks.body_mask(signal)
        self.mask = self._eroded(body) if mask is None else mask
        fitted = self.body = body | self.mask
        model = {
            "echo_times": self.acquisition.echo_times,
            "imaging_frequency": self.acquisition.imaging_frequency,
            "fat_model": self._fat_model(),
        }
        kind = self._find_kind(echoes, signal & fitted, model, part(progress, 0.0, 0.05))
        self._tell_kind(kind)
        end = 0.95 - 0.25 * sum(value == "yes" for value in (settings.separate_rates, settings.magnitude_maps))
        half = end if settings.fat_spectrum == "given" else (0.05 + end) / 2
        separation = self._fit(echoes, fitted, model, kind, noise, part(progress, 0.05, half))
        if settings.fat_spectrum != "given" and self._find_spectrum(echoes, signal & fitted, separation, kind, model):
            if kind.groups is not None:  # with the spectrum found, as when the settings are repeated
                kind = self._find_kind(echoes, signal & fitted, model, None)
            separation = self._fit(echoes, fitted, model, kind, noise, part(progress, half, end))
        self._tell_gains(separation.gains)
        trust = masks.reliability(
            mip, separation.residual, separation.excess, separation.margin, fitted,
            noise=noise, threshold=settings.mask_threshold,
        )  # fmt: skip
        field_hz = unwrap(
            separation.field_hz, fitted, trust, separation.period_hz,
            offset_period_hz=None if kind.groups is None else kind.groups.period_hz(self.acquisition.echo_times),
        )  # fmt: skip
        self._tell_parts(separation, field_hz, fitted)
        report(progress, 1.0, "Unwrapped the field")
        combination = settings.echo_combination
        self.magnitude = mip if combination == "mip" else masks.combine_echoes(echoes, combination)
        self.signal = np.abs(separation.water) + np.abs(separation.fat)
        self.maps |= {
            "pdff": fat_fraction(separation.water, separation.fat),
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
        self._tell_trust(trust)
        self._add_maps(echoes, fitted, trust, model, kind, noise, part(progress, end, 0.99))
        return separation, trust

    def _fat_model(self, name: str | None = None) -> FatModel:
        settings = self.settings
        return FAT_MODELS[name or settings.fat_model].at_temperature(settings.temperature).shifted(settings.fat_shift)

    def _fit(self, echoes, fitted, model, kind, noise, progress) -> Separation:
        return separate(
            echoes, fitted, self.voxel_size, **model, sign=kind.sign, groups=kind.groups, noise=noise,
            find_gains=self.settings.echo_gains == "auto", progress=progress,
        )  # fmt: skip

    def _find_kind(self, echoes, where, model, progress) -> Kind:
        settings = self.settings
        return find_kind(
            echoes,
            where,
            **model,
            sign=None if settings.phase_sign == "auto" else int(settings.phase_sign),
            bipolar=None if settings.readout == "auto" else settings.readout == "bipolar",
            trains=None if settings.trains == "auto" else int(settings.trains),
            progress=progress,
        )

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
        body = masks.body_mask(masks.signal_mask(mip, noise, settings.mask_threshold))
        self.mask = self._eroded(body) if mask is None else mask
        fitted = body | self.mask
        model = {
            "echo_times": self.acquisition.echo_times,
            "imaging_frequency": self.acquisition.imaging_frequency,
            "fat_model": self._fat_model(),
        }
        fit = self._fit_magnitude(echoes, fitted, model, noise, progress)
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

    def _tell_trust(self, trust):
        """Say where the fit as a whole is not to be trusted, whatever the reason."""
        if len(self.acquisition.echo_times) == 3:
            self.notes.append(
                "Three echoes fit water, fat, field and R2* exactly, so nothing tells how well: "
                "take R2* with care, and acquire six echoes or more."
            )
        inside = self.mask & (self.maps["mip"] > 0)
        found = []
        if inside.any() and (median := float(np.median(trust[inside]))) < _LOW_TRUST:
            found.append(f"the median reliability in the mask is {median:.2f}")
        rates = self.maps["r2star"][inside & (trust > 0)]
        if rates.size and (share := float(np.mean(rates < 0))) > _MOST_NEGATIVE:
            found.append(f"{share:.0%} of its R2* are below zero")
        if found:
            self.notes.append(
                f"The echoes do not fit the model well: {' and '.join(found)}; do not trust the maps before echo "
                "times, units and sign of the phase, fat spectrum, read-out and mask have been checked."
            )

    def _tell_kind(self, kind: Kind):
        """Put what was found into the settings, and what a user should know into the notes."""
        settings, groups = self.settings, kind.groups
        if settings.phase_sign == "auto" and not kind.sure_of_sign:
            self.notes.append(
                "The sign of the phase cannot be told from this scan (both fit alike, as without fat), so it was taken "
                "to grow with frequency; set the phase sign if it falls."
            )
        elif settings.phase_sign == "auto" and kind.sign < 0:
            self.notes.append(
                "The phase falls with frequency in this scan (fat fits better that way by "
                f"{kind.sign_errors:.0f} standard errors); it was conjugated."
            )
        readout = settings.readout if settings.readout != "auto" else "bipolar" if kind.bipolar else "monopolar"
        trains = settings.trains if settings.trains != "auto" else str(kind.trains)
        if groups is not None:
            period = groups.period_hz(self.acquisition.echo_times)
            what = [] if readout == "monopolar" else ["even and odd echoes (bipolar read-out or two trains)"]
            what += [] if trains == "1" else [f"echoes of {trains} interleaved trains"]
            axis = int(np.abs(groups.slope).sum(axis=0).argmax())
            gains = ", ".join(
                f"{offset:+.2f} {slope:+.2f} rad and {100 * np.expm1(magnitude):+.1f} %"
                for offset, slope, magnitude in zip(
                    groups.offset[1:], groups.slope[1:, axis], groups.magnitude[1:], strict=True
                )
            )
            self.notes.append(
                f"Phase and magnitude differ between {' and '.join(what)}: by {gains} (at the center, from there "
                f"to the edge {DIRECTIONS[axis]}, in magnitude; {kind.groups_errors:.0f} standard errors); this was "
                f"taken off, and the field as a whole is known up to {period:.0f} Hz. Set "
                "readout and trains if the scan is of another kind."
            )
        elif len(self.acquisition.echo_times) == 3:
            self.notes.append(
                "From three echoes nothing tells whether the read-out is bipolar; a phase between even and odd echoes "
                "would be taken for fat."
            )
        self.settings = replace(settings, phase_sign=f"{kind.sign:+d}", readout=readout, trains=trains)

    def _tell_parts(self, separation, field_hz, fitted):
        """Say which parts of the body, cut off by air, are tied to the others by a guess alone."""
        parts = parts_apart(field_hz, fitted, self.voxel_size)
        period = separation.period_hz
        guessed = [part for part in parts if abs(part.change_hz) > _STEEP * period]
        if guessed:
            gap, change = (max(values) for values in zip(*((p.gap_mm, abs(p.change_hz)) for p in guessed), strict=True))
            self.notes.append(
                f"{_count_of(guessed)} cut off by {gap:.0f} mm without signal, over which the field changes by "
                f"{change:.0f} Hz, is tied to the rest by a guess: the field there may be off by whole periods of "
                f"{period:.0f} Hz."
            )
        torn = [part for part in parts if separation.own_margin[part.inside].mean() < _TORN]
        if torn:
            self.notes.append(
                f"{_count_of(torn)} cut off by air can hardly tell water from fat by its own echoes; check the fat "
                "fraction there in a tissue that is known."
            )

    def _tell_gains(self, gains: EchoGains | None):
        """Say by how much single echoes were off, and whether water and fat could be the other way round."""
        if gains is None:
            return
        percent = ", ".join(f"{100 * (abs(gain) - 1):+.0f}" for gain in gains.gains)
        phase = ", ".join(f"{np.angle(gain):+.2f}" for gain in gains.gains)
        self.notes.append(
            f"Single echoes are off the model in the same way everywhere, by {percent} % in magnitude and {phase} rad "
            f"in phase ({gains.errors:.0f} standard errors); this was taken off, but for a slope over echoes, which is "
            "R2* and field. Set echo gains to none to keep the echoes as they are."
        )
        if gains.alike:
            self.notes.append(
                "With such errors of echoes, water taken for fat or fat for water fits this scan nearly as well; check "
                "the fat fraction in a tissue that is known."
            )

    def _remove_background(self, total_ppm, edges, trust, progress):
        if not (isinstance(self.acquisition, MeasuredField) and self.acquisition.stage == "local"):
            self.maps["total_field"] = total_ppm
        self.trust = trust
        self.local_field, interior = self._local(total_ppm, progress)
        self.maps["reliability"] = np.where(interior, trust, 0)
        self.drawn = self.mask & _planes_with(interior)
        self.maps["mask"] = self.drawn.astype(np.float32)
        self._tell_slab(interior)
        self.maps["local_field"] = self.local_field
        self.data_weight = data_weight(self.magnitude, interior, trust)
        self.edge_weight = edge_weight(
            edges,
            self.mask,
            self.voxel_size,
            fraction=self.settings.edge_fraction,
            threshold=self.settings.edge_threshold,
            weight=self.settings.edge_weight,
        )

    def _tell_slab(self, interior):
        """Say where slices of a user's mask have no field, and where the field is known in a few slices only."""
        left_out = int(np.count_nonzero(self.mask & ~self.drawn))
        if left_out and self.mask_given:
            self.notes.append(
                f"{left_out} voxels of the mask lie in slices in which background removal leaves no field (its "
                "outermost ones), so they are left out of it and χ is not drawn there; draw the mask a slice larger if "
                "they are wanted, or set background to none if the field has none."
            )
        slices = [int(np.count_nonzero(_occupied(interior, axis))) for axis in range(3)]
        thickness = [count * size for count, size in zip(slices, self.voxel_size, strict=True)]
        axis = int(np.argmin(thickness))
        if min(slices) < _FEW_SLICES or thickness[axis] < _THIN_MM:
            self.notes.append(
                f"The local field is known in {slices[axis]} slices {DIRECTIONS[axis]} only ({thickness[axis]:.3g} "
                "mm); χ needs the field around its sources, so do not trust it in so thin a slab: acquire a thicker "
                "one, or set stop_after to background."
            )

    def _local(self, total_ppm, progress) -> tuple[np.ndarray, np.ndarray]:
        """The local field of a total field, and where it holds."""
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
        # Where nothing was measured (cortex, air) the field is noise of whole periods. Weighted inversions do not see
        # it; for the others it is replaced by the field around it.
        return masks.fill_unreliable(local, np.where(interior, self.trust, 0), interior, self.voxel_size), interior

    def solve(self, settings: Settings, grid: Grid, progress: Progress | None) -> tuple[list[str], dict | None]:
        """Put χ, and its standard deviation if asked for, into the maps; return what is to be said, and the noise."""
        wanted = settings.chi_sigma == "yes"
        share = 1 / (1 + DRAWS) if wanted else 1.0
        once = partial(
            self._invert_once,
            settings=settings,
            options=self.inversion_options(settings, grid),
        )
        chi, offset, said = self._invert(once, settings, grid, part(progress, 0.0, share))
        self.maps["chi"] = np.where(self.drawn, grid.take(chi), 0)
        self.maps.pop("sigma_chi", None)  # of the settings before
        found = None
        if wanted:
            self.maps["sigma_chi"], found = self._noise(once, grid, chi, offset, part(progress, share, 1.0))
            said.append(
                "The standard deviation of χ is that by noise of the field, drawn three times and taken through "
                "background removal and inversion; errors that are not noise (background, voxels cut by cortex, "
                "regularization), and what noise does to mask, weights and edges, are not in it: a lower bound."
            )
        if settings.reference == "mask":
            mean = self.maps["chi"][self.drawn].mean(dtype=np.float64)
            self.maps["chi"] = np.where(self.drawn, self.maps["chi"] - np.float32(mean), 0)
            said.append(f"χ is relative to its mean over the mask: {mean:+.4f} ppm was taken off.")
        return said, found

    def _noise(self, once, grid, chi, offset, progress) -> tuple[np.ndarray, dict]:
        """Standard deviation of χ, and how neighbors share its noise."""
        ppm = self.maps["sigma_field"] * np.float32(1e6 / self.acquisition.imaging_frequency)
        random, draws = np.random.default_rng(SEED), []
        for number in range(DRAWS):
            here = part(progress, number / DRAWS, (number + 1) / DRAWS)
            drawn = random.standard_normal(ppm.shape, dtype=np.float32)
            field, _ = self._local(self.maps["total_field"] + ppm * drawn, part(here, 0.0, 0.1))
            noisy = once(grid.put(field) - offset, part(here, 0.1, 1.0))
            draws.append(grid.take(noisy - chi))
        return chi_noise(draws, self.drawn & (self.maps["reliability"] > 0), self.voxel_size)

    def _invert_once(self, field, progress, *, settings, options) -> np.ndarray:
        return invert(
            field,
            self.voxel_size,
            method=settings.inversion,
            regularization=settings.regularization,
            progress=progress,
            **options,
        )

    def _invert(self, once, settings, grid, progress) -> tuple[np.ndarray, np.ndarray, list[str]]:
        """Return χ on a grid, what was taken off its field, and what is to be said about it."""
        known = grid.put(self.maps["reliability"]) > 0
        chi, offset, change = partial_volume.invert_corrected(
            once,
            grid.put(self.local_field),
            grid.put(self.signal),
            known,
            self.voxel_size,
            b0_direction=self.b0_direction,
            correction=settings.partial_volume_correction,
            progress=progress,
        )
        if settings.partial_volume_correction == "off":
            return chi, offset, []
        said = (
            f"Voxels cut by cortex: {np.abs(offset[known]).max(initial=0):.2f} ppm at most were taken off their field"
        )
        if change > partial_volume.STANDS:
            said += f"; after {partial_volume.MOST_PASSES} passes the correction still changes by {change:.0%}"
        return chi, offset, [said + "."]

    def inversion_options(self, settings: Settings, grid: Grid) -> dict:
        # The share takes seconds on a large image.
        decoupled = settings.cortex_decoupled == "on"
        cortex = partial_volume.missing_share(self.signal) > CORTEX if decoupled else None
        edges = free_links(self.edge_weight, cortex, decoupled=settings.cortex_decoupled)
        options = {
            "b0_direction": self.b0_direction,
            "data_weight": grid.put(self.data_weight),
            "edge_weight": grid.put(edges, fill=1.0),
            **METHODS[settings.inversion].arguments(settings),
        }
        if settings.fat_prior:
            options["prior"] = grid.put(fat_prior(self.maps["pdff"], self.mask, chi_fat=settings.fat_prior))
        return options

    def reconstruction(self, settings: Settings, notes, shared=None) -> Reconstruction:
        undo = self.reorientation.undo
        maps = {name: undo(array.astype(np.float32, copy=False)) for name, array in self.maps.items()}
        return Reconstruction(maps, settings, (*self.notes, *notes), shared)


def _occupied(mask, axis):
    """Which planes across an axis hold a voxel of the mask."""
    return mask.any(axis=tuple(other for other in range(3) if other != axis), keepdims=True)


def _planes_with(mask):
    """Voxels in whose planes, across each axis, lies a voxel of the mask."""
    return _occupied(mask, 0) & _occupied(mask, 1) & _occupied(mask, 2)


def _count_of(parts) -> str:
    voxels = ", ".join(str(np.count_nonzero(part.inside)) for part in parts)
    return (
        f"A part of the body ({voxels} voxels)" if len(parts) == 1 else f"Each of {len(parts)} parts ({voxels} voxels)"
    )


def _complete(settings: Settings | None) -> Settings:
    """Settings with λ filled in, and without the stages that a total-field inversion does without."""
    if settings is None:
        return preset()
    if settings.stop_after is None and METHODS[settings.inversion].total:
        settings = replace(settings, background="none", air_first="off", mask_erosion=0.0)
    if settings.regularization is None:
        return replace(settings, regularization=preset(inversion=settings.inversion).regularization)
    return settings


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


def _share_of_fields(inversions: Sequence[str]) -> float:
    """Share of the whole time that the stages before some inversions take: progress goes by time."""
    return 1 / (1 + sum(METHODS[name].effort for name in inversions))


@contextlib.contextmanager
def _solver_warnings() -> Iterator[list[str]]:
    """Collect what solvers say about their end, which belongs to the result; all other warnings go where they went."""
    said = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield said
    for one in caught:
        if issubclass(one.category, SolverWarning):
            said.append(str(one.message))
        else:
            # In the whole process, such as from objects that another part of the application leaves behind.
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno, source=one.source)


def _workers(threads: int | None) -> contextlib.AbstractContextManager:
    if threads is not None and threads < 1:
        raise InputError(f"threads is {threads}; give a whole number of at least 1.")
    return scipy.fft.set_workers(threads or os.cpu_count() or 1)
