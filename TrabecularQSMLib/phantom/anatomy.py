"""The anatomies that can be simulated, and the drawing of a patient."""

import numpy as np

from . import ankle, knee
from .body import CONSTANTS, Patient, with_other_side

ANATOMIES = {"ankle": ankle.ANATOMY, "knee": knee.ANATOMY}


def draw_patient(rng: np.random.Generator, settings=None) -> Patient:
    """Draw anatomy, pose and tissue properties; every seed is another patient.

    Of `settings`, a `PhantomSettings`, it reads anatomy, constants and gap; default: an ankle.
    """
    if settings is None:
        return ankle.ANATOMY.draw(rng, {})
    given = {name: getattr(settings, name) for name in CONSTANTS}
    patient = ANATOMIES[settings.anatomy].draw(rng, {name: value for name, value in given.items() if value is not None})
    return patient if settings.gap_mm is None else with_other_side(patient, settings.gap_mm)
