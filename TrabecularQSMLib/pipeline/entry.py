"""Which way a scan takes to its fields, and what it must have for it."""

from ..acquisition import Acquisition, MeasuredField
from ..errors import InputError
from ..fieldmap import magnitude, two_rates
from ..progress import Progress
from ..settings import Settings
from .echoes import MagnitudeFields
from .fields import Fields
from .measured import FieldsOfMeasured
from .separated import SeparatedFields


def fields_of(acquisition: Acquisition | MeasuredField, settings: Settings, mask, progress: Progress | None) -> Fields:
    """Run the stages before inversion that the scan needs, and return what they give."""
    if isinstance(acquisition, MeasuredField):
        return FieldsOfMeasured(acquisition, settings, mask, progress)
    _check_echoes_suffice(acquisition, settings)
    return (SeparatedFields if acquisition.has_phase else MagnitudeFields)(acquisition, settings, mask, progress)


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
    if not acquisition.has_phase and settings.chi_sigma == "yes":
        raise InputError(f"{source} has no phase, which χ and its standard deviation need; set chi_sigma to no.")
    for name, least, what in (
        ("separate_rates", two_rates.LEAST_ECHOES, "R2* of water and of fat"),
        ("magnitude_maps", magnitude.LEAST_ECHOES, "water, fat and R2* from the magnitude"),
    ):
        if getattr(settings, name) == "yes" and count < least:
            raise InputError(
                f"{source} has {count} echoes, but {what} need {least} at least; set {name} to no, or acquire more."
            )
