"""The stages before inversion of a field that other software measured."""

from dataclasses import replace
from functools import partial

import numpy as np

from ..acquisition import MeasuredField
from ..background.air_model import follows_air
from ..errors import InputError
from ..fieldmap import masks
from ..inversion import METHODS
from ..progress import Progress
from ..settings import Settings
from . import remarks
from .fields import Fields

# A field that is not zero in more than this share of an image tells nothing of the body.
_EVERYWHERE = 0.95


class FieldsOfMeasured(Fields):
    """Fields of a field that was measured already: the background removal is left, if it has a background."""

    def __init__(self, given: MeasuredField, settings: Settings, mask, progress: Progress | None):
        _check_settings(given, settings)
        super().__init__(given, settings, mask)
        apply = self.reorientation.apply
        field, known = apply(given.field), apply(given.known)
        if settings.phase_sign == "auto":
            self.notes.append(
                "The sign of a field cannot be told from it alone, so it was taken to be positive where the frequency "
                "is higher; set the phase sign to -1 if it is the other way round."
            )
        elif settings.phase_sign == "-1":
            field = -field
        body, trust = self._find_body(known)
        self._choose_mask(body, known)
        inside = known & (body if given.stage == "total" else self.mask) & (trust > 0)
        self.notes += remarks.on_values(field, inside, given.stage)
        if given.stage == "total":
            follows = partial(self._follows_air, field, known & body, body, trust)
            self.notes += remarks.on_air(follows, self.b0_direction)
        else:
            self.notes += remarks.on_local_field(field[inside])
        self.fat_fraction = np.zeros_like(self.magnitude)
        self._keep_choices()
        self.maps |= {"mask": self.mask.astype(np.float32), "reliability": trust}
        if given.stage == "total":
            self.maps["total_field"] = field
        self._remove_background(field, self.magnitude, trust, progress)

    def _find_body(self, known) -> tuple[np.ndarray, np.ndarray]:
        """Take the magnitude, if there is one; return the body, and the reliability of the field."""
        given, trust = self.acquisition, known.astype(np.float32)
        if given.magnitude is None:
            if self.given_mask is None and known.mean() > _EVERYWHERE:
                raise InputError(
                    f"{given.source} is not zero in {known.mean():.0%} of the image, which does not tell where the "
                    "body is; give a mask, or a magnitude."
                )
            self.magnitude = np.ones(known.shape, np.float32)
            self.notes.append("There is no magnitude: all voxels of the field count alike, and no edge of χ is free.")
            return known, trust
        self.magnitude = self.reorientation.apply(given.magnitude)
        noise = masks.noise_of_magnitude(self.magnitude)
        signal = masks.signal_mask(self.magnitude, noise, self.settings.mask_threshold)
        return masks.body_mask(signal), trust * signal

    def _choose_mask(self, body, known):
        """Take the user's mask, or where a local field is known, or the eroded body."""
        if self.given_mask is not None:
            self.mask = self.given_mask
            self.notes += self._on_mask(known & body, body)
        elif self.acquisition.stage == "local":
            self.mask = known
            self.notes.append("No mask was given, so χ was solved wherever the local field is not zero.")
        else:
            self.mask = self._eroded(body)
        self.body = body | self.mask

    def _follows_air(self, field, known, body, trust, b0_direction):
        return follows_air(field, known, self.voxel_size, b0_direction=b0_direction, data_weight=trust, body=body)

    def _keep_choices(self):
        """Put what a field leaves no choice of into the settings."""
        settings = self.settings
        changes = {"phase_sign": "-1" if settings.phase_sign == "-1" else "+1"}
        if self.acquisition.stage == "local":
            changes |= {"background": "none", "air_first": "off"}
        if self.acquisition.magnitude is not None and settings.edge_image == "opposed-phase":
            changes["edge_image"] = "magnitude"
            self.notes.append("A field has no opposed-phase image, so edges are those of the magnitude.")
        self.settings = replace(settings, **changes)


def _check_settings(given: MeasuredField, settings: Settings):
    """Refuse what a field alone cannot give, before the work."""
    if settings.stop_after == "fieldmap":
        raise InputError(f"{given.source} is a field map already; leave out the setting stop_after.")
    if given.stage == "local" and METHODS[settings.inversion].total:
        raise InputError(
            f"{given.source} is a local field, but the inversion {settings.inversion} begins from the total one; "
            "choose another inversion, or give the total field."
        )
    if settings.fat_prior:
        raise InputError(f"{given.source} has no fat fraction, which the fat prior needs; set fat_prior to 0.")
    for name, what in (("separate_rates", "R2* of water and of fat"), ("magnitude_maps", "maps of the magnitude")):
        if getattr(settings, name) == "yes":
            raise InputError(f"{given.source} is a field without echoes, which {what} need; set {name} to no.")
    if settings.chi_sigma == "yes":
        raise InputError(
            f"{given.source} has no standard deviation of the field, which that of χ needs; set chi_sigma to no."
        )
