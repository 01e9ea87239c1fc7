"""What headers say of the pulse sequence that the echoes alone do not show: why maps may mean something else."""

import re
from collections.abc import Mapping

from ..acquisition import GYROMAGNETIC_RATIO_HZ_PER_T
from ..fieldmap.fat_models import FAT_MODELS, MOST_DISPLACED, enough_bandwidth
from ..fieldmap.t1 import seen_with_t1, t1_of, t1_weighting
from .dicom_frames import text_of, value_in_groups, value_of
from .formats import is_number

# A fat fraction of one half that is off by no more than this is not told of.
_LITTLE_BIAS = 0.02
# Beyond these no gradient echo is meant: a longer TR, in s, is that of a volume or a shot, not from pulse to pulse.
_MOST_DEGREES, _LONGEST_TR_S = 90.0, 1.0
_NO_FAT = (
    "which takes away most of the signal of fat: the fat fraction is far too low, and field, R2* and χ of marrow are "
    "those of the little that is left; scan without it"
)
_CODES = (
    ("ScanOptions", "FS", "with fat saturation", _NO_FAT),
    ("ScanOptions", "WE", "with water excitation", _NO_FAT),
    (
        "SequenceVariant", "MTC", "with magnetization transfer",
        "which weakens water and not fat: the fat fraction is too high; scan without it",
    ),
    (
        "ScanningSequence", "IR", "with inversion recovery",
        "which weakens water and fat differently: the fat fraction is wrong; scan without it",
    ),
    (
        "ScanningSequence", "EP", "by echo-planar imaging",
        "which displaces fat against water by voxels: all maps are wrong where fat and water meet; scan a multi-echo "
        "gradient echo",
    ),
)  # fmt: skip
_AGENT = ("ContrastBolusIngredient", "ContrastBolusAgent")
# How people and programs say there that none was given; BIDS has NONE.
_NO_AGENT = r"(?i)(none|no|n/?a|without|ohne)\b|\W*$"

# Where the header of an enhanced image says the same in words, and how they begin then.
_WORDS = (
    ("ScanOptions", "FS", "SpectrallySelectedSuppression", ("FAT",)),
    ("ScanOptions", "WE", "SpectrallySelectedExcitation", ("WATER",)),
    ("SequenceVariant", "MTC", "MagnetizationTransfer", ("ON", "OFF")),
    ("ScanningSequence", "IR", "InversionRecovery", ("YES",)),
    ("ScanningSequence", "EP", "EchoPlanarPulseSequence", ("YES",)),
    ("ScanningSequence", "SE", "EchoPulseSequence", ("SPIN",)),
)

# Numbers of a header, how much of them is one of a sidecar's, and where the header of an enhanced image has them.
_NUMBERS = (
    ("FlipAngle", 1.0, "MRTimingAndRelatedParametersSequence"),
    ("RepetitionTime", 1e-3, "MRTimingAndRelatedParametersSequence"),
    ("PixelBandwidth", 1.0, "MRImagingModifierSequence"),
)


def said_by(header) -> dict:
    """Return what the header of a DICOM image says of the pulse sequence, named and in units as in sidecars."""
    said = {key: [text_of(header, key)] for key in ("ScanOptions", "SequenceVariant", "ScanningSequence")}
    for key, code, name, begins in _WORDS:
        if text_of(header, name, "MRModifierSequence").startswith(begins):
            said[key].append(code)
    said |= {key: text_of(header, key) for key in _AGENT}
    said["SpoilingState"] = text_of(header, "Spoiling", "MRModifierSequence") != "NONE"
    for key, factor, groups in _NUMBERS:
        value = value_of(header, key)
        value = value_in_groups(header, groups, key) if value is None else value
        said[key] = None if value is None else factor * value
    return said


def on_sequence(said: Mapping, source: str, *, field_strength=None, imaging_frequency=None) -> list[str]:
    """Return what a user should know of a scan by what its header says of the pulse sequence.

    Parameters
    ----------
    said : mapping
        What a sidecar says, named as in BIDS and by dcm2niix; times in s.
    source : str
        Name for messages.
    field_strength, imaging_frequency : float, optional
        Tesla and Hz, of which one is needed for T1.
    """
    notes = []
    codes = {key: _codes(said.get(key)) for key in ("ScanOptions", "SequenceVariant", "ScanningSequence")}
    if said.get("MTState") is True:
        codes["SequenceVariant"].add("MTC")
    notes += [
        f"{source} was acquired {how} ({key} {code}), {what}." for key, code, how, what in _CODES if code in codes[key]
    ]
    if "SE" in codes["ScanningSequence"] and "GR" not in codes["ScanningSequence"]:
        notes.append(
            f"{source} is a spin echo (ScanningSequence SE): R2* is wrong, and field and χ as well unless its echoes "
            "were shifted against the spin echo, as for Dixon; scan a multi-echo gradient echo."
        )
    agents = (said[key].strip() for key in _AGENT if isinstance(said.get(key), str))
    if agent := next((one for one in agents if not re.match(_NO_AGENT, one)), None):
        notes.append(
            f"{source} was acquired with a contrast agent ({agent}), which changes χ and R2* wherever it "
            "comes, and the fat fraction by T1: do not compare it with scans without."
        )
    strength = field_strength or (imaging_frequency and imaging_frequency / GYROMAGNETIC_RATIO_HZ_PER_T)
    return notes + (_on_t1(said, source, strength) + _on_displaced_fat(said, source, strength) if strength else [])


def _codes(value) -> set[str]:
    """Codes of an element of DICOM, as a list or as the text that converters make of it."""
    texts = value if isinstance(value, list) else [value]
    return {
        code for text in texts if isinstance(text, str) for code in text.replace("\\", " ").replace("_", " ").split()
    }


def _on_t1(said, source, field_strength):
    """Say by how much T1 makes the fat fraction too high."""
    angle = said.get("FlipAngle")
    time = said.get("RepetitionTimeExcitation", said.get("RepetitionTime"))
    if not (is_number(angle) and 0 < angle <= _MOST_DEGREES and is_number(time) and 0 < time <= _LONGEST_TR_S):
        return []
    weighting = t1_weighting(angle, time, field_strength)
    read = seen_with_t1(0.5, weighting)
    if abs(read - 0.5) < _LITTLE_BIAS:
        return []
    if said.get("SpoilingState") is False:
        return [
            f"{source} was not spoiled (SpoilingState), so that the fat fraction is off by T1 and T2, and by how much "
            "is not known: do not take `t1_weighting` from flip angle and repetition time, but scan with spoiling."
        ]
    water, fat = t1_of(field_strength)
    return [
        f"{source} has pulses of {angle:.3g}° every {1e3 * time:.4g} ms, between which fat recovers faster than water: "
        f"with T1 of about {fat:.2f} and {water:.2f} s at {field_strength:.3g} T, a fat fraction of 0.50 reads "
        f"{read:.2f} unless `t1_weighting` is {weighting:.2f}; a smaller flip angle avoids it."
    ]


def _on_displaced_fat(said, source, field_strength):
    """Say if fat appears so far off along the read-out that it fills the cortex beside it."""
    bandwidth = said.get("PixelBandwidth")
    fat_hz = FAT_MODELS["ren-marrow"].main_hz(GYROMAGNETIC_RATIO_HZ_PER_T * field_strength)
    if not is_number(bandwidth) or bandwidth <= 0 or abs(fat_hz) / bandwidth <= MOST_DISPLACED:
        return []
    return [
        f"{source} was read with {bandwidth:.4g} Hz a voxel, so that fat appears {abs(fat_hz) / bandwidth:.2g} voxels "
        "off along the read-out (chemical shift) and fills cortex beside it: fat fraction and R2* are wrong where fat "
        "ends, and χ of marrow errs by more than noise; with "
        f"{enough_bandwidth(fat_hz)} Hz or more it is half a voxel at most."
    ]
