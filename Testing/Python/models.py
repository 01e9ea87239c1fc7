"""Signal models and noise for tests of water and fat."""

import numpy as np

from TrabecularQSMLib.fieldmap.fat_models import FAT_MODELS
from TrabecularQSMLib.fieldmap.signal import Model

FREQUENCY = 127.73e6
FAT = FAT_MODELS["ren-marrow"]
EQUAL = 1.25e-3 + 0.7e-3 * np.arange(9)
UNEQUAL = np.array([1.2, 1.93, 2.61, 3.37, 4.02, 4.85, 5.5, 6.31]) * 1e-3


def model_at(echo_times, fat_model=FAT):
    return Model(np.asarray(echo_times, float), fat_model.signal(echo_times, FREQUENCY))


def within_period(difference, period):
    return difference - period * np.round(difference / period)


def noise(rng, shape, deviation):
    return deviation * (rng.standard_normal((*shape, 2)) @ [1, 1j])
