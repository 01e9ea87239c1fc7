"""DICOM frames grouped to multi-echo scans by their headers, classic and enhanced multi-frame, by pydicom.

Used where files are not converted: for what dcm2niix mistakes, and in 3D Slicer, which has pydicom.
"""

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..acquisition import Acquisition
from ..errors import InputError, counted
from .candidates import Candidate, fits, joined, merged, natural, on_equal_times
from .dicom_frames import (
    LPS_TO_RAS,
    MICROSECONDS_MS,
    SECONDS_MS,
    Frame,
    frames_of,
    header_of,
    require_pydicom,
    value_in_groups,
    value_of,
)
from .dicom_pixels import pixels
from .echoes import check_magnitude, to_complex
from .parts import PAIRS, WHOSE, correction_of
from .scan import field_strength_of
from .sequence import on_sequence, said_by

# Frames of one echo lie this evenly along the normal, in mm.
_EVEN = 0.01
# And in the plane, in voxels: rounding of headers is far less.
_BESIDE_VOXELS = 0.1
# What frames of one scan have in common.
_COMMON = (*WHOSE, "ProtocolName", "FlipAngle", "RepetitionTime", "MagneticFieldStrength", "Manufacturer", "Rows",
           "Columns", "orientation", "FrameOfReferenceUID", "distortion correction")  # fmt: skip
# Beside its identifier, what tells an image from others.
_OWN = ("SeriesInstanceUID", "SeriesNumber", "InstanceNumber", "EchoTime", "EchoNumbers", "ImageType",
        "ImagePositionPatient")  # fmt: skip
# What they may differ in where there is no scan otherwise, which is noted: the last of these first.
_MAY_DIFFER, _FRAME = 2, _COMMON.index("FrameOfReferenceUID")
# Side of the patient that comes first into the bore, of positions that do not lie along it.
_B0_OF_POSITION = {"L": (1.0, 0.0, 0.0), "R": (1.0, 0.0, 0.0), "A": (0.0, 1.0, 0.0), "P": (0.0, 1.0, 0.0)}


class _Placed(NamedTuple):
    """A frame, what its series has in common with others, the series, its order at its place, and if it is derived."""

    frame: Frame
    common: tuple[str, ...]
    number: str
    uid: str | None
    title: str
    order: tuple
    derived: bool


def find(paths, echo_times: Sequence[float] | None = None) -> list[Candidate]:
    """Group DICOM files to multi-echo scans, whatever is no gradient-echo image left aside.

    Parameters
    ----------
    paths : iterable of path
        DICOM files in any order, also of several series and studies.
    echo_times : sequence of float, optional
        Seconds. Where the headers' own give no scan of as many echoes, and as many frames of one part lie at one place,
        each has the one of its rank by the numbers of series, echo and image.

    Returns
    -------
    list of Candidate
        Its ``files`` hold, for each echo time and part, the frames by their height along the normal.
    """
    require_pydicom()
    placed = list(_placed(paths))
    found = _candidates(placed)
    if echo_times is None or any(fits(one, echo_times) for one in found):
        return found
    note = "`echo_times` are given to the images in the order of their numbers, whatever the headers say."
    timed = [
        replace(one, remarks=(*one.remarks, note), by_order=True) for one in _candidates(_timed(placed, echo_times))
    ]
    return timed if any(fits(one, echo_times) for one in timed) else found


def _candidates(placed: list[_Placed]) -> list[Candidate]:
    """Return the scans of frames."""
    untimed = Counter((one.common, one.number) for one in placed if not one.frame.echo_time)
    series = _series([one for one in placed if one.frame.echo_time])
    found = _joined(series, untimed)
    for left_out in range(1, _MAY_DIFFER + 1):
        if any(one.complete for one in found):
            break
        mixed = _joined(series, untimed, left_out)
        found = mixed if any(one.complete for one in mixed) else found
    return sorted(found, key=lambda one: natural(one.names[0]))


def _placed(paths) -> Iterator[_Placed]:
    """Read the headers of files, each frame once."""
    seen = set()
    for path in paths:
        # What pydicom and conversions of values raise on a damaged file is of many kinds; its slices are missing then,
        # and that is told.
        with contextlib.suppress(Exception):
            header = header_of(path)
            if header is None or (instance := _identity(header)) in seen:  # a copy of a file
                continue
            seen |= {instance} - {None}
            if frames := frames_of(Path(path), header):
                yield from _of_file(header, frames)


def _identity(header):
    """What two copies of a file have in common, or None: anonymizers may give all files the identifier of one."""
    said = [header.get(name) for name in ("SOPInstanceUID", *_OWN)]
    return None if said[0] is None else str(said)


def _of_file(header, frames):
    plane = np.round([*frames[0].rows, *frames[0].columns], 3) + 0.0  # no −0
    common = [str(header.get(name)) for name in _COMMON]
    common[_COMMON.index("orientation")], common[-1] = str(plane.tolist()), correction_of(header)
    number = str(header.get("SeriesNumber") or 0)
    title = str(header.get("SeriesDescription") or header.get("ProtocolName") or "")
    order = (natural(number), value_of(header, "EchoNumbers") or 0, value_of(header, "InstanceNumber") or 0)
    derived = "DERIVED" in (header.get("ImageType") or ())
    for n, frame in enumerate(frames):
        yield _Placed(frame, tuple(common), number, header.get("SeriesInstanceUID"), title, (*order, n), derived)


def _timed(placed: list[_Placed], echo_times) -> list[_Placed]:
    """Give echo times to frames by their order, where there is one for each at a place."""
    places = {}
    for one in placed:
        places.setdefault((one.common, one.frame.part, one.frame.height), []).append(one)
    result = []
    for there in places.values():
        if len(there) == len(echo_times):
            there = [
                one._replace(frame=replace(one.frame, echo_time=time))
                for one, time in zip(sorted(there, key=lambda one: one.order), echo_times, strict=True)
            ]
        result += there
    return result


def _series(placed: Iterable[_Placed]) -> dict[tuple, list[Candidate]]:
    """Return the frames by series, in as many copies as have the same echo, part and height."""
    series = {}
    echoes = {}
    # What was made of the images, such as the mean of echoes, is none of them.
    for frame, common, number, uid, title, order, _derived in sorted(placed, key=lambda one: one.derived):
        copies = series.setdefault((common, number, uid), [])
        key = (frame.echo_time, frame.part)
        one = next((one for one in copies if frame.height not in one.files.get(key, {})), None)
        if one is None:
            copies.append(one := Candidate([number], title, {}, common=dict(zip(_COMMON, common, strict=True))))
        first = echoes.setdefault((common, number, uid, *key), order[1])
        copies[0].fault = copies[0].fault or on_equal_times(copies[0], frame.echo_time, first, order[1])
        one.files.setdefault(key, {})[frame.height] = frame
    return {key: _without_strays(copies) for key, copies in series.items()}


def _without_strays(copies):
    """Leave out copies of single images, which are no scan of their own."""
    sizes = [sum(map(len, one.files.values())) for one in copies]
    strays = sum(size for size in sizes if size < sizes[0])
    if not strays:
        return copies
    first = copies[0]
    note = f"{counted(strays, 'image')} of {first.source} came twice; the first of each is taken."
    if any(_differ(first, one) for one, size in zip(copies, sizes, strict=True) if size < sizes[0]):
        note = (
            f"{counted(strays, 'image')} of {first.source} came twice with other values, as where a mean of echoes "
            "lies among them: those are taken that are not derived, and of these the first; check them."
        )
    whole = [one for one, size in zip(copies, sizes, strict=True) if size == sizes[0]]
    return [replace(first, remarks=(note,)), *whole[1:]]


def _differ(first, strays):
    """Whether images that came twice, of which strays are the second, are no copies."""
    pairs = [
        (first.files[key][height], frame) for key, stack in strays.files.items() for height, frame in stack.items()
    ]
    read = ({}, {})  # a file of many frames is decoded once
    with contextlib.suppress(InputError):  # which tells what cannot be read where it is
        return any(
            not np.array_equal(*(pixels(one, own, [one.path]) for one, own in zip(pair, read, strict=True)))
            for pair in pairs
        )
    return False


def _joined(series, untimed, left_out=0):
    """Return the scans of series that have the same in common, but for so many of the last that it may differ in."""
    families, count = {}, len(_COMMON) - left_out
    for (common, number, _uid), copies in series.items():
        families.setdefault(common[:count], {}).setdefault(number, []).extend(copies)
    found = []
    for shared, family in families.items():
        family = {number: _of_one_number(copies) for number, copies in family.items()}
        for one in map(_in_milliseconds, joined(family)):
            own = lambda common, name, one=one, shared=shared: common[:count] == shared and name in one.names  # noqa: E731
            said = list(one.remarks)
            if without := sum(number for key, number in untimed.items() if own(*key)):
                said.append(f"{counted(without, 'image')} of {one.source} without an echo time are left out.")
            if (frames := len({common[_FRAME] for common, name, _ in series if own(common, name)})) > 1:
                said.append(
                    f"The images of {one.source} lie in {frames} frames of reference, as those of two patients, or of "
                    "one who was placed anew: check that they are of one scan."
                )
            found.append(replace(one, remarks=(*said, *_on_scale(one))))
    return found


def _on_scale(candidate):
    """Say if frames of Philips lack the scale by which echoes can be compared, and differ in their slope."""
    frames = [frame for stack in candidate.files.values() for frame in stack.values()]
    slopes = {(frame.part, frame.slope) for frame in frames if not frame.scaled}
    if len(slopes) <= len({part for part, _ in slopes}):
        return []
    return [
        f"The images of {candidate.source} have several Rescale Slopes but not the scale of Philips (2005,100E), as "
        "where private elements were taken away: echoes may be scaled differently, and R2* and fat fraction be wrong; "
        "export with private elements."
    ]


def _of_one_number(copies):
    """Series of one number, such as of none, are parts and trains of one scan where no echo and part comes twice."""
    keys = [key for one in copies for key in one.files]
    if len(copies) < 2 or len(set(keys)) < len(keys):
        return copies
    return [merged(copies)]


def _in_milliseconds(candidate):
    """Return a scan with echo times that can be some, where its headers give them in seconds or microseconds."""
    times = [1e3 * time for time in candidate.echo_times]
    if len(times) < 3 or times[0] < MICROSECONDS_MS and times[-1] > SECONDS_MS:
        return candidate
    unit, factor = ("seconds", 1e3) if times[-1] <= SECONDS_MS else ("microseconds", 1e-3)
    listed = ", ".join(f"{time:.4g}" for time in times[:3])
    note = (
        f"The headers of {candidate.source} give echo times of {listed}, … ms, as no scanner has: they are taken for "
        f"{unit}."
    )
    files = {(round(time * factor, 6), part): frames for (time, part), frames in candidate.files.items()}
    return replace(candidate, files=files, remarks=(*candidate.remarks, note))


def files_of(candidate: Candidate) -> list[Path]:
    """Return the files of a candidate's frames, sorted."""
    return sorted({frame.path for stack in candidate.files.values() for frame in stack.values()})


def scan_values(candidate: Candidate) -> dict:
    """Return what the headers of a scan say of its acquisition, named as the arguments of `Acquisition`."""
    return _scan_values(_first_header(candidate))


def _first_header(candidate):
    return header_of(next(iter(next(iter(candidate.files.values())).values())).path)


def _scan_values(header):
    strength, frequency = (value_of(header, key) for key in ("MagneticFieldStrength", "ImagingFrequency"))
    if frequency is None:
        frequency = value_in_groups(header, "MRImagingModifierSequence", "TransmitterFrequency")
    position = str(header.get("PatientPosition") or "H").upper()
    return {
        "field_strength": strength,
        "imaging_frequency": None if frequency is None else 1e6 * frequency,
        "b0_patient": _B0_OF_POSITION.get(position[:1]),
    }


def pair_of(candidate: Candidate) -> tuple[str, ...]:
    """Return the pair of parts that every echo of a scan has, or its magnitude alone, or raise `InputError`."""
    if candidate.fault:
        raise InputError(candidate.fault)
    if candidate.magnitude:
        return ("mag",)
    pair = next((pair for pair in PAIRS if set(pair) <= set(candidate.parts)), None)
    if pair is None:
        raise InputError(
            f"The {candidate.source} has {len(candidate.echo_times)} echoes with "
            f"{', '.join(candidate.parts) or 'no part for all'}; expected magnitude and phase, or real and imaginary "
            "part, of every echo, so export the missing ones."
        )
    return pair


def grid_of(candidate: Candidate) -> tuple[tuple[int, int, int], np.ndarray]:
    """Return the shape (k, j, i) of a scan and its affine (i, j, k → RAS); `InputError` if slices are missing."""
    heights, affine = _geometry(candidate, pair_of(candidate))
    header = _first_header(candidate)
    return (len(heights), int(header.Rows), int(header.Columns)), affine


def read(candidate: Candidate, *, echo_times=None, field_strength=None, b0_patient=None, notes=()) -> Acquisition:
    """Read the frames of a scan.

    Parameters
    ----------
    candidate : Candidate
        One of those that `find` found.
    echo_times : sequence of float, optional
        Seconds, instead of those of the headers.
    field_strength : float, optional
        Tesla, instead of that of the headers.
    b0_patient : (3,) sequence, optional
        Direction of B0 in RAS; by default along the bore as the patient lay in it.
    notes : tuple of str
        What was noticed before.

    Raises
    ------
    InputError
        If a part or slices are missing or the pixels cannot be read.
    """
    source, times, pair = candidate.source, candidate.echo_times, pair_of(candidate)
    heights, affine = _geometry(candidate, pair)
    echoes, opened, files = None, {}, files_of(candidate)
    for n, time in enumerate(times):
        for target, part in zip(("real", "imag")[: len(pair)], pair, strict=True):
            for k, height in enumerate(heights):
                frame = candidate.files[time, part][height]
                values = pixels(frame, opened, files)
                if echoes is None:
                    echoes = np.zeros((len(times), len(heights), *values.shape), np.complex64)
                if values.shape != echoes.shape[2:]:
                    raise InputError(
                        f"{frame.path} holds {values.shape} pixels, but others of its scan {echoes.shape[2:]}; export "
                        "the scan again."
                    )
                setattr(echoes[n, k], target, values)
    decided = to_complex(echoes, pair, source) if len(pair) == 2 else check_magnitude(echoes, source)
    notes = [*candidate.notes, *notes, *decided]
    header = _first_header(candidate)
    values = _scan_values(header)
    values["field_strength"] = field_strength_of(values["field_strength"], field_strength, source, notes)
    if b0_patient is not None:
        values["b0_patient"] = b0_patient
    strength = {key: values[key] for key in ("field_strength", "imaging_frequency")}
    notes += on_sequence(said_by(header), source, **strength)
    return Acquisition(
        echoes=echoes,
        echo_times=times if echo_times is None else echo_times,
        affine=affine,
        source=source,
        notes=tuple(notes),
        has_phase=len(pair) == 2,
        **values,
    )


def _geometry(candidate, pair):
    """Heights of the slices, which all echoes have and which lie evenly, and the affine (i, j, k → RAS)."""
    stacks = [candidate.files[time, part] for time in candidate.echo_times for part in pair]
    heights = sorted(stacks[0])
    missing = max(len(set(heights) ^ set(stack)) for stack in stacks)
    if missing:
        are = f"{counted(missing, 'slice')} of the {candidate.source} {'is' if missing == 1 else 'are'}"
        raise InputError(f"{are} not there, or not in the same place, for every echo and part; export the scan again.")
    first, last = stacks[0][heights[0]], stacks[0][heights[-1]]
    if "MOSAIC" in (header_of(first.path).get("ImageType") or ()):
        raise InputError(
            f"The images of the {candidate.source} are mosaics, with all slices as tiles of one; export single slices "
            "or enhanced DICOM, or convert them with dcm2niix and give its folder."
        )
    steps = np.diff(heights)
    if len(steps) and np.abs(steps - steps.mean()).max() > max(_EVEN, 0.02 * steps.mean()):
        raise InputError(
            f"The slices of the {candidate.source} lie {steps.min():.4g} to {steps.max():.4g} mm apart; expected even "
            "steps, so export the missing slices."
        )
    if len(steps):
        step = (last.position - first.position) / len(steps)
        _check_places(candidate, stacks, heights, step)
    else:
        normal = np.cross(first.rows, first.columns)
        header = header_of(first.path)
        thickness = value_of(header, "SliceThickness") or value_in_groups(
            header, "PixelMeasuresSequence", "SliceThickness"
        )
        step = normal / np.linalg.norm(normal) * float(thickness or 1.0)
    affine = np.eye(4)
    affine[:3, :3] = LPS_TO_RAS @ np.column_stack([first.rows, first.columns, step])
    affine[:3, 3] = LPS_TO_RAS @ first.position
    return heights, affine


def _check_places(candidate, stacks, heights, step):
    """Refuse slices that are at the right height but lie beside the others."""
    places = stacks[0][heights[0]].position + np.outer(np.arange(len(heights)), step)
    found = np.array([[stack[height].position for height in heights] for stack in stacks])
    off = float(np.linalg.norm(found - places, axis=-1).max())
    if off > _BESIDE_VOXELS * min(np.linalg.norm(one) for one in (stacks[0][heights[0]].rows, step)):
        raise InputError(
            f"Slices of the {candidate.source} lie up to {off:.3g} mm beside where the others put them, such as those "
            "of another scan or of a patient who was placed anew; export one scan, without resampling."
        )
