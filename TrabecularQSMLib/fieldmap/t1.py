"""What T1 does to the fat fraction: between pulses that come fast, fat recovers more of its signal than water."""

from collections.abc import Mapping

import numpy as np

from ..methods import Method

# T1 in s at 3 T of water (paravertebral muscle) and of subcutaneous fat; at 1.5 T, 21 % shorter in the mean of tissues
# (de Bazelaire et al., Radiology 2004, doi 10.1148/radiol.2303021331).
_WATER_S, _FAT_S, _AT_T, _LONGER, _FACTOR_T = 0.898, 0.382, 3.0, 1.21, 2.0

# Maps that T1 changes, and those of their standard deviation.
FRACTIONS = {"pdff": "sigma_pdff", "pdff_magnitude": "sigma_pdff_magnitude"}


def t1_of(field_strength: float) -> tuple[float, float]:
    """Return about what T1 of water in muscle and of fat is, in s, at a field strength in tesla."""
    longer = _LONGER ** (np.log(field_strength / _AT_T) / np.log(_FACTOR_T))
    return float(longer * _WATER_S), float(longer * _FAT_S)


def t1_weighting(flip_angle: float, repetition_time: float, field_strength: float) -> float:
    """Return how many times stronger T1 leaves fat than water, for each proton, in a spoiled gradient echo.

    The steady state is sin α (1 − E) / (1 − E cos α) with E = exp(−TR / T1), so that a fat fraction measured is too
    high (Liu et al., MRM 2007, doi 10.1002/mrm.21301).

    Parameters
    ----------
    flip_angle : float
        α in degrees.
    repetition_time : float
        TR from pulse to pulse, in s.
    field_strength : float
        Tesla, for T1 of `t1_of`.
    """
    water, fat = np.exp(-repetition_time / np.array(t1_of(field_strength)))
    cosine = np.cos(np.radians(flip_angle))
    return float((1 - fat) / (1 - fat * cosine) * (1 - water * cosine) / (1 - water))


def seen_with_t1(pdff: float, weighting: float) -> float:
    """Return what a fat fraction reads of which T1 leaves fat so many times stronger than water."""
    return weighting * pdff / (1 - pdff + weighting * pdff)


def without_t1(maps: Mapping[str, np.ndarray], weighting: float) -> dict[str, np.ndarray]:
    """Return the fat fractions among maps, and their standard deviations, as they would be without T1.

    Parameters
    ----------
    maps : mapping of name to (K, J, I) float32 array
        Of `quantities`; others than `FRACTIONS` are left out.
    weighting : float
        How many times stronger T1 leaves fat than water; of 1, maps stay as they are.
    """
    found = {}
    for name, sigma in FRACTIONS.items():
        if name in maps and weighting != 1:
            both = maps[name] + np.float32(weighting) * (1 - maps[name])
            found |= {name: maps[name] / both, sigma: maps[sigma] * np.float32(weighting) / both**2}
    return found


METHODS = (
    Method(
        without_t1,
        title="Fat fraction without T1",
        solves="p / (p + r (1 − p)), r fat over water of sin α (1 − E) / (1 − E cos α), E = exp(−TR / T1)",
        test="test_fieldmap_t1.T1Test",
        reference="Liu et al., MRM 2007, doi 10.1002/mrm.21301",
        options={"weighting": "t1_weighting"},
    ),
)
