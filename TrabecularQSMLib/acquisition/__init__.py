"""What is reconstructed: a multi-echo scan, or a field that other software has measured, each checked once."""

from .field import FIELD_STAGES, FIELD_UNITS, MeasuredField, field_in_ppm
from .orientation import PATIENT_SUPERIOR, Reorientation, b0_direction, check_spacing, on_field_of_view, voxel_size
from .scan import ECHO_TIMES_S, FEWEST_ECHOES, GIVEN_ECHO_TIMES_S, Acquisition
from .strength import FIELD_STRENGTHS_T, GYROMAGNETIC_RATIO_HZ_PER_T, on_strength

__all__ = [
    "ECHO_TIMES_S",
    "FEWEST_ECHOES",
    "FIELD_STAGES",
    "FIELD_STRENGTHS_T",
    "FIELD_UNITS",
    "GIVEN_ECHO_TIMES_S",
    "GYROMAGNETIC_RATIO_HZ_PER_T",
    "PATIENT_SUPERIOR",
    "Acquisition",
    "MeasuredField",
    "Reorientation",
    "b0_direction",
    "check_spacing",
    "field_in_ppm",
    "on_field_of_view",
    "on_strength",
    "voxel_size",
]
