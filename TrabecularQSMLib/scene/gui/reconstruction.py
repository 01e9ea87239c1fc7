"""Parameters of the module TrabecularQSM, what is read from them, and what they lack."""

import typing
from dataclasses import fields
from typing import Annotated

from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterPack

from ...errors import InputError
from ...settings import CHOICES, OPTIONAL, RANGES, Settings
from .numbers import numbers

# How a choice that may be left out is called. A number that may be left out is 0 then, the lowest value of its widget.
NOTHING = "nothing"
# Lowest value of a number that must be positive; the widgets show no more decimals.
SMALLEST = 1e-8


def _packed(name: str, value):
    """Value of a setting as the parameter node holds it."""
    return value if value is not None else NOTHING if name in CHOICES else 0


def _settingsPack():
    """Class with every field of Settings, with its default, choices and range."""
    annotations, defaults = {}, {}
    for name, hint in typing.get_type_hints(Settings).items():
        default = _packed(name, getattr(Settings, name))
        if name in CHOICES:
            annotations[name] = Annotated[str, Choice([_packed(name, choice) for choice in CHOICES[name]])]
        else:
            kind = int if int in (hint, *typing.get_args(hint)) else float
            low, high = RANGES[name]
            low = 0 if name in OPTIONAL else max(low, SMALLEST) if low > 0 else low
            annotations[name] = Annotated[kind, WithinRange(kind(low), kind(high))]
            default = kind(default)
        defaults[name] = default
    return parameterPack(type("SettingsParameters", (), {"__annotations__": annotations, **defaults}))


SettingsParameters = _settingsPack()


def packSettings(settings: Settings) -> SettingsParameters:
    """Return settings as the parameter node holds them.

    :param settings: those of the library.
    """
    return SettingsParameters(**{name: _packed(name, value) for name, value in settings.as_dict().items()})


def unpackSettings(pack: SettingsParameters) -> dict:
    """Return the values of settings by name, None where one is left out.

    :param pack: settings of the parameter node.
    """
    values = {field.name: getattr(pack, field.name) for field in fields(Settings)}
    return {
        name: None if value == NOTHING or (name in OPTIONAL and value == 0) else value for name, value in values.items()
    }


@parameterPack
class AcquisitionParameters:
    """What is known of the scan beside its voxels.

    field_strength - Tesla; 0 where it is not known.
    echo_times_ms - Echo times in ms, separated by spaces or commas.
    b0_direction - Direction of B0 in RAS.
    """

    field_strength: Annotated[float, WithinRange(0.0, 30.0)] = 0.0
    echo_times_ms: str = ""
    b0_direction: str = "0 0 1"


def missing(p) -> str:
    """Return what keeps a run from starting, in one phrase; nothing if it can.

    :param p: parameters of the module.
    """
    magnitude, phase, given = p.magnitudeSequence, p.phaseSequence, p.acquisition
    if not magnitude:
        return _("Select the magnitude sequence")
    if not phase:
        return _("Select the phase sequence")
    if magnitude is phase:
        return _("Magnitude and phase must be two sequences")
    count = magnitude.GetNumberOfDataNodes()
    if phase.GetNumberOfDataNodes() != count:
        return _("Magnitude and phase have different numbers of echoes")
    if not given.field_strength:
        return _("Enter the field strength")
    try:
        if len(numbers(given.echo_times_ms, _("echo times"))) != count:
            return _("Enter {count} echo times in ms").format(count=count)
        if len(numbers(given.b0_direction, _("B0 direction"))) != 3:
            return _("Enter three numbers for the direction of B0")
    except InputError as error:
        return str(error)
    if p.maskSegmentation and not p.maskSegment:
        return _("Select a mask segment")
    return ""
