"""A small piece of the digital ankle for tests of the pipeline, its maps, and parts of it."""

import pickle
import unittest
from functools import lru_cache, wraps
from hashlib import sha256
from unittest import mock

from TrabecularQSMLib.acquisition import Acquisition
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom
from TrabecularQSMLib.pipeline import reconstruct, separated
from TrabecularQSMLib.settings import preset

SMALL = PhantomSettings(shape=(48, 48, 24), field_of_view_mm=(72.0, 72.0, 36.0), seed=3)
# The inversion that does not iterate, for tests of everything else.
FAST = preset(inversion="closed-form")


def remembered(function):
    """A stage that is not worked out anew for equal arguments: most tests are about what comes after it."""
    made = {}

    @wraps(function)
    def stage(*given, progress=None, **options):
        if progress is not None:
            return function(*given, progress=progress, **options)
        key = sha256(pickle.dumps((given, options))).digest()
        if key not in made:
            made[key] = function(*given, **options)
        return made[key]

    return stage


SEPARATION = {name: getattr(separated, name) for name in ("find_kind", "find_mistake", "separate")}


def remember_separation():
    """For ``setUpModule``: the separation of equal scans is done once in the tests of a file."""
    for name, function in SEPARATION.items():
        patch = mock.patch.object(separated, name, remembered(function))
        patch.start()
        unittest.addModuleCleanup(patch.stop)


@lru_cache(maxsize=4)
def phantom(settings=SMALL):
    return make_phantom(settings)


@lru_cache(maxsize=8)
def fast(settings=SMALL):
    return reconstruct(phantom(settings).acquisition, FAST)


def changed(acquisition, **changes):
    names = ("echoes", "echo_times", "affine", "imaging_frequency", "source", "notes")
    return Acquisition(**{**{name: getattr(acquisition, name) for name in names}, **changes})


def crop(acquisition, slices):
    affine = acquisition.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ [s.start or 0 for s in slices[::-1]]
    return changed(acquisition, echoes=acquisition.echoes[(slice(None), *slices)], affine=affine)


@lru_cache(maxsize=1)
def slab():
    """Ten slices of the phantom, for what takes many runs."""
    return crop(phantom().acquisition, (slice(7, 17), slice(None), slice(None)))
