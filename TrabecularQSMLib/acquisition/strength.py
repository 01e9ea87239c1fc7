"""Field strength and imaging frequency: one from the other, and neither in another unit."""

from numbers import Real

import numpy as np

from ..errors import InputError

GYROMAGNETIC_RATIO_HZ_PER_T = 42.577478518e6  # proton, CODATA 2018, not shielded
FIELD_STRENGTHS_T = (0.01, 30.0)
# Names of magnets are rounded: what is sold as 3 T may be 2.89 T, 3.6 % less.
_SAME_FIELD = 0.04
# Strengths of most scanners, and by which shares no scanner lies below and above them: it is likelier a slip.
_USUAL_T, _SLIPS = (0.55, 1.5, 3.0, 7.0), ((-0.08, -_SAME_FIELD), (0.015, 0.08))
# Other units that are met, as how much of them one tesla or one hertz is.
_UNITS = {"T": {"gauss": 1e4, "mT": 1e3, "MHz": 1e-6 * GYROMAGNETIC_RATIO_HZ_PER_T}, "Hz": {"MHz": 1e-6, "kHz": 1e-3}}


def checked_field_strength(strength: float | None, frequency: float | None, source: str) -> tuple[float, float]:
    """Return tesla and Hz, of which one may be None; refuse what no scanner has, and two that do not agree."""
    if strength is None and frequency is None:
        raise InputError(
            f"{source} says neither field strength nor imaging frequency; give `field_strength`, or add "
            "MagneticFieldStrength in tesla to its header."
        )
    for name, value, unit, least, most in (
        ("field strength", strength, "T", *FIELD_STRENGTHS_T),
        ("imaging frequency", frequency, "Hz", *(t * GYROMAGNETIC_RATIO_HZ_PER_T for t in FIELD_STRENGTHS_T)),
    ):
        if value is None:
            continue
        if not isinstance(value, Real) or not 0 < value < np.inf:
            raise InputError(f"{source} has the {name} {value!s} {unit}; expected a positive number, so correct it.")
        if not least <= value <= most:
            # The usual one of the values that it would have in other units.
            fits = [(abs(np.log(value / factor / (0.1 * most))), other, value / factor) for other, factor
                    in _UNITS[unit].items() if least <= value / factor <= most]  # fmt: skip
            guess = f" (if it is in {min(fits)[1]}, that would be {min(fits)[2]:.4g} {unit})" if fits else ""
            raise InputError(
                f"{source} has the {name} {value:.9g} {unit}; expected {least:.3g} to {most:.3g} {unit}, so "
                f"check its unit{guess}."
            )
    if strength is None:
        strength = frequency / GYROMAGNETIC_RATIO_HZ_PER_T
    if frequency is None:
        frequency = strength * GYROMAGNETIC_RATIO_HZ_PER_T
    if abs(frequency / (strength * GYROMAGNETIC_RATIO_HZ_PER_T) - 1) > _SAME_FIELD:
        raise InputError(
            f"{source} has a field strength of {strength:g} T, at which protons have "
            f"{1e-6 * strength * GYROMAGNETIC_RATIO_HZ_PER_T:.4g} MHz, but an imaging frequency of "
            f"{1e-6 * frequency:.4g} MHz; correct one of them."
        )
    return float(strength), float(frequency)


def on_strength(frequency: float | None, source: str) -> list[str]:
    """Say where an imaging frequency in Hz, if known, lies beside that of a usual scanner, as no scanner's does."""
    if frequency is None:
        return []
    strength = frequency / GYROMAGNETIC_RATIO_HZ_PER_T
    return [
        f"{source} has an imaging frequency of {1e-6 * frequency:.4g} MHz, as at {strength:.3g} T, {off:+.1%} off "
        f"{usual:g} T and the frequency of no usual scanner: if it is wrong, fat is looked for in the wrong place, and "
        "fat fraction, field in ppm and χ are wrong; check ImagingFrequency or the field strength of the header."
        for usual in _USUAL_T
        if any(low < (off := strength / usual - 1) < high for low, high in _SLIPS)
    ]
