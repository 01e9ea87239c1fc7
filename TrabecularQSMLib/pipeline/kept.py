"""Fields that are kept, so that another inversion of the same scan starts at once."""

import copy
import hashlib
from dataclasses import fields

import numpy as np

from ..acquisition import Acquisition, MeasuredField
from ..inversion import METHODS
from ..progress import Progress, report
from ..settings import Settings
from .entry import fields_of
from .fields import Fields


def inversion_settings() -> set[str]:
    """Names of the settings that nothing before the inversion depends on: those of every inversion, and of its own."""
    corrections = {"t1_weighting", "fat_prior", "separate_cortex", "chi_sigma", "reference"}
    own = {"inversion", "regularization", "padding", *corrections}
    return own.union(*(method.options.values() for method in METHODS.values()))


class KeptFields:
    """The fields of the last scan, without its echoes; those before are let go before others are computed.

    They are those of a scan whose every number is the same, with the same mask, and settings that differ in
    `inversion_settings` only: results are the same bytes as without them.
    """

    def __init__(self) -> None:
        # Assigned at once: a run that was cancelled may still be computing in another thread.
        self._kept: tuple[bytes, Fields] | None = None
        self.were_used = False

    def of(
        self, acquisition: Acquisition | MeasuredField, settings: Settings, mask, progress: Progress | None
    ) -> Fields:
        """Return the fields of a scan, as `fields_of` does; `were_used` says whether they had been kept."""
        key, kept = _key(acquisition, settings, mask), self._kept
        self.were_used = kept is not None and kept[0] == key
        if self.were_used:
            report(progress, 1.0, "The fields are those of the run before")
        else:
            self.forget()
            computed = fields_of(acquisition, settings, mask, progress)
            computed.acquisition = None
            self._kept = kept = key, computed
        # What an inversion puts into the maps stays its own.
        given = copy.copy(kept[1])
        given.maps = dict(given.maps)
        return given

    def forget(self) -> None:
        """Let the fields go."""
        self._kept = None


def _key(acquisition, settings, mask) -> bytes:
    """Digest of everything that fields depend on."""
    parts = {one.name: getattr(acquisition, one.name) for one in fields(acquisition)}
    parts |= {name: value for name, value in settings.as_dict().items() if name not in inversion_settings()}
    digest = hashlib.blake2b(type(acquisition).__name__.encode())
    for name, value in [*parts.items(), ("the mask", mask)]:
        array = value if isinstance(value, np.ndarray) else None
        digest.update(repr((name, (array.shape, array.dtype.str) if array is not None else value)).encode())
        if array is not None:
            digest.update(np.ascontiguousarray(array))
    return digest.digest()
