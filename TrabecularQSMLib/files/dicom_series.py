"""DICOM frames grouped to multi-echo scans by their headers, classic and enhanced multi-frame, by pydicom.

Used where files are not converted: for what dcm2niix mistakes, and in 3D Slicer, which has pydicom.
"""

import contextlib
import os
import struct
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..acquisition import PATIENT_SUPERIOR, Acquisition
from ..errors import InputError, PackageNeeded, counted
from . import apart
from .converted import Candidate, joined, natural
from .echoes import PAIRS, check_magnitude, part_of_type, to_complex
from .scan import field_strength_of

_GE_PART = (0x0043, 0x102F)
_PHILIPS_SCALE, _PHILIPS_GROUP = (0x2005, 0x100E), (0x2005, 0x140F)
_GE_PARTS = {0: "mag", 1: "phase", 2: "real", 3: "imag"}
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])
# Frames of one echo lie this evenly along the normal, in mm.
_EVEN = 0.01
# Numbers beyond, of whatever unit, are damage.
_MOST = 1e30
# What frames of one scan have in common.
_COMMON = ("PatientID", "StudyInstanceUID", "ProtocolName", "FlipAngle", "RepetitionTime", "MagneticFieldStrength",
           "Manufacturer", "Rows", "Columns")  # fmt: skip
_PREAMBLE = 128
# Groups and elements that come first in a file, and the kinds of these elements, which files may say.
_FIRST_GROUPS, _LAST_ELEMENT, _SHORT_KINDS = (0x0002, 0x0008), 0x0018, (b"UL", b"CS", b"UI", b"SH", b"LO")
# Echo times in a header are in ms: if all are shorter than the first they are seconds, longer than the other µs.
_SECONDS_MS, _MICROSECONDS_MS = 0.2, 500.0
# Side of the patient that comes first into the bore, of positions that do not lie along it.
_B0_OF_POSITION = {"L": (1.0, 0.0, 0.0), "R": (1.0, 0.0, 0.0), "A": (0.0, 1.0, 0.0), "P": (0.0, 1.0, 0.0)}


@dataclass(frozen=True, eq=False)
class Frame:
    """One slice of one part of one echo.

    Parameters
    ----------
    path : Path
    index : int or None
        Number of the frame in an enhanced file.
    echo_time : float
        Seconds.
    part : str
        "mag", "phase", "real" or "imag".
    position, rows, columns : (3,) array
        Center of the first voxel, and the direction and size of steps along i and j, in LPS mm.
    slope, intercept : float
        From stored to true values.
    """

    path: Path
    index: int | None
    echo_time: float
    part: str
    position: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    slope: float
    intercept: float

    @property
    def height(self) -> float:
        """Distance along the slices' normal in mm."""
        normal = np.cross(self.rows, self.columns)
        return round(float(self.position @ normal / np.linalg.norm(normal)), 2)


def require_pydicom():
    """Return pydicom, or raise `PackageNeeded`."""
    try:
        import pydicom
    except ImportError as error:
        reason = "For DICOM files pydicom is needed; install it with 'pip install pydicom'."
        raise PackageNeeded(reason, "pydicom") from error
    return pydicom


def is_dicom(path) -> bool:
    """Whether a file is DICOM by its first bytes, with the preamble or, as old programs wrote it, without."""
    if not os.path.isfile(path):  # a pipe would be waited for
        return False
    try:
        with open(path, "rb") as file:
            start = file.read(_PREAMBLE + 4)
    except OSError:
        return False
    return start[_PREAMBLE:] == b"DICM" or _begins_bare(start)


def _begins_bare(start):
    """Whether bytes begin with an element of one of the first groups that another one follows."""
    if len(start) < 12:
        return False
    group, element = struct.unpack_from("<2H", start)
    place, kind = (6, "<H") if start[4:6] in _SHORT_KINDS else (4, "<I")
    following = 8 + struct.unpack_from(kind, start, place)[0]
    if group not in _FIRST_GROUPS or element > _LAST_ELEMENT or following + 4 > len(start):
        return False
    its_group, its_element = struct.unpack_from("<2H", start, following)
    return its_group in _FIRST_GROUPS and (its_group, its_element) > (group, element)


class _WholeFile:
    """A file of which nobody reads more than is there: pydicom asks for as much as an element declares."""

    def __init__(self, file):
        self._file, self._size = file, os.fstat(file.fileno()).st_size
        self.seek, self.tell, self.name = file.seek, file.tell, file.name

    def read(self, count=-1):
        """Read so many bytes, or what is left."""
        left = max(self._size - self._file.tell(), 0)
        return self._file.read(left if count is None or count < 0 else min(count, left))


def read_dataset(path, **options):
    """Read a DICOM file as pydicom does, with the exceptions of many kinds that it makes of damaged ones."""
    pydicom = require_pydicom()
    with open(path, "rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(_WholeFile(file), force=is_dicom(path), **options)


def find(paths) -> list[Candidate]:
    """Group DICOM files to multi-echo scans, whatever is no gradient-echo image left aside.

    Parameters
    ----------
    paths : iterable of path
        DICOM files in any order, also of several series and studies.

    Returns
    -------
    list of Candidate
        Its ``files`` hold, for each echo time and part, the frames by their height along the normal.
    """
    require_pydicom()
    series, seen = {}, set()
    for path in paths:
        # What pydicom and conversions of values raise on a damaged file is of many kinds; its slices are missing then,
        # and that is told.
        with contextlib.suppress(Exception):
            header = _header(path)
            instance = None if header is None else header.get("SOPInstanceUID")
            if header is None or instance in seen:  # a copy of a file
                continue
            seen |= {instance} - {None}
            if frames := _frames(Path(path), header):
                _put(series, header, frames)
    families = {}
    for (common, number, _uid), copies in series.items():
        families.setdefault(common, {}).setdefault(number, []).extend(copies)
    found = [_in_milliseconds(one) for family in families.values() for one in joined(family)]
    return sorted(found, key=lambda one: natural(one.names[0]))


def _in_milliseconds(candidate):
    """Return a scan with echo times that can be some, where its headers give them in seconds or microseconds."""
    times = [1e3 * time for time in candidate.echo_times]
    if len(times) < 3 or times[0] < _MICROSECONDS_MS and times[-1] > _SECONDS_MS:
        return candidate
    unit, factor = ("seconds", 1e3) if times[-1] <= _SECONDS_MS else ("microseconds", 1e-3)
    listed = ", ".join(f"{time:.4g}" for time in times[:3])
    note = (
        f"The headers of {candidate.source} give echo times of {listed}, … ms, as no scanner has: they are taken for "
        f"{unit}."
    )
    files = {(round(time * factor, 6), part): frames for (time, part), frames in candidate.files.items()}
    return replace(candidate, files=files, remarks=(note,))


def files_of(candidate: Candidate) -> list[Path]:
    """Return the files of a candidate's frames, sorted."""
    return sorted({frame.path for stack in candidate.files.values() for frame in stack.values()})


def scan_values(candidate: Candidate) -> dict:
    """Return what the headers of a scan say of its acquisition, named as the arguments of `Acquisition`."""
    first = next(iter(next(iter(candidate.files.values())).values()))
    header = _header(first.path)
    strength, frequency = (_value(header, key) for key in ("MagneticFieldStrength", "ImagingFrequency"))
    if frequency is None:
        frequency = _in_groups(header, "MRImagingModifierSequence", "TransmitterFrequency")
    position = str(header.get("PatientPosition") or "H").upper()
    return {
        "field_strength": strength,
        "imaging_frequency": None if frequency is None else 1e6 * frequency,
        "b0_patient": _B0_OF_POSITION.get(position[:1], PATIENT_SUPERIOR),
    }


def pair_of(candidate: Candidate) -> tuple[str, ...]:
    """Return the pair of parts that every echo of a scan has, or its magnitude alone, or raise `InputError`."""
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
    header = _header(next(iter(next(iter(candidate.files.values())).values())).path)
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
                values = _pixels(frame, opened, files)
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
    values = scan_values(candidate)
    values["field_strength"] = field_strength_of(values["field_strength"], field_strength, source, notes)
    if b0_patient is not None:
        values["b0_patient"] = tuple(b0_patient)
    return Acquisition(
        echoes=echoes,
        echo_times=times if echo_times is None else echo_times,
        affine=affine,
        source=source,
        notes=tuple(notes),
        has_phase=len(pair) == 2,
        **values,
    )


def _header(path):
    """Header of an MR image, or None for other files."""
    header = read_dataset(path, stop_before_pixels=True)
    sizes = [header.get(name) for name in ("Rows", "Columns")]
    return header if header.get("Modality") == "MR" and all(isinstance(n, int) and n > 0 for n in sizes) else None


def _frames(path, header):
    """Frames of a file that are parts of echoes; none if it lacks what places them."""
    groups = header.get("PerFrameFunctionalGroupsSequence")
    if groups is None:
        frame = _frame(path, None, header, [header])
        return [frame] if frame else []
    shared = header.get("SharedFunctionalGroupsSequence") or [None]
    frames = [_frame(path, n, header, [group, shared[0], header]) for n, group in enumerate(groups)]
    return [frame for frame in frames if frame]


def _frame(path, index, header, groups):
    """One frame; `groups` are searched in order, each with the items of its sequences."""
    get = lambda sequence, name: next(  # noqa: E731
        (value for group in groups if group is not None and (value := _of(group, sequence, name)) is not None), None
    )
    orientation = get("PlaneOrientationSequence", "ImageOrientationPatient")
    position = get("PlanePositionSequence", "ImagePositionPatient")
    spacing = get("PixelMeasuresSequence", "PixelSpacing")
    time = get("MREchoSequence", "EffectiveEchoTime")
    time = header.get("EchoTime") if time is None else time
    if orientation is None or position is None or spacing is None or not time:
        return None
    orientation = np.array(orientation, dtype=float)
    if not np.any(np.cross(orientation[:3], orientation[3:])) or not all(spacing):
        return None
    part = _part(header, get)
    slope, intercept = _scale(header, groups, get, part)
    frame = Frame(
        path=path,
        index=index,
        # What is so short may be in seconds.
        echo_time=round(float(time) / 1e3, 6 if float(time) > _SECONDS_MS else 9),
        part=part,
        position=np.array(position, dtype=float),
        rows=orientation[:3] * float(spacing[1]),
        columns=orientation[3:] * float(spacing[0]),
        slope=slope,
        intercept=intercept,
    )
    volume = np.linalg.det([frame.rows, frame.columns, np.cross(frame.rows, frame.columns)])
    numbers = [*frame.position, frame.echo_time, slope, intercept, volume]
    return frame if np.all(np.abs(numbers) < _MOST) and volume > 0 else None


def _scale(header, groups, get, part):
    """Slope and intercept from stored to true values."""
    slope = get("PixelValueTransformationSequence", "RescaleSlope")
    intercept = get("PixelValueTransformationSequence", "RescaleIntercept")
    slope = 1.0 if slope is None else float(slope)
    intercept = 0.0 if intercept is None else float(intercept)
    if part == "phase" or "PHILIPS" not in str(header.get("Manufacturer", "")).upper():
        return slope, intercept
    # Slope and intercept of Philips are to look at; echoes can be compared after division by both slopes
    # (Chenevert et al., Translational Oncology 2014, doi 10.1593/tlo.13811).
    for group in groups:
        if group is None:
            continue
        items = [group, *(group[_PHILIPS_GROUP].value or [] if _PHILIPS_GROUP in group else [])]
        for item in items:
            scale = _number_of(item[_PHILIPS_SCALE].value) if _PHILIPS_SCALE in item else None
            if scale and slope:
                return 1.0 / scale, intercept / (slope * scale)
    return slope, intercept


def _number_of(value):
    """Number of a private element, which is in bytes if the file does not say of what kind it is, or None."""
    if isinstance(value, bytes):
        kind = {2: "<i2", 4: "<f4"}.get(len(value))
        return None if kind is None else np.frombuffer(value, kind)[0].item()
    try:
        return float(value[0] if isinstance(value, list | tuple) or hasattr(value, "__getitem__") else value)
    except (TypeError, ValueError, IndexError):
        return None


def _part(header, get):
    """Part of a frame: GE's own number, or the component and type of the frame or the image."""
    if _GE_PART in header and "GE" in str(header.get("Manufacturer", "")).upper():
        number = _number_of(header[_GE_PART].value)
        if number in _GE_PARTS and "PerFrameFunctionalGroupsSequence" not in header:
            return _GE_PARTS[number]
    component = get("MRImageFrameTypeSequence", "ComplexImageComponent")
    kind = get("MRImageFrameTypeSequence", "FrameType")
    kind = header.get("ImageType") if kind is None else kind
    return part_of_type({"ComplexImageComponent": component, "ImageType": list(kind or [])}) or "mag"


def _of(group, sequence, name):
    """Value in the first item of a sequence of a functional group, or in a plain header."""
    items = group.get(sequence)
    value = items[0].get(name) if items else None
    return group.get(name) if value is None else value


def _in_groups(header, sequence, name):
    def find():
        groups = [*(header.get("SharedFunctionalGroupsSequence") or []),
                  *(header.get("PerFrameFunctionalGroupsSequence") or [])[:1]]  # fmt: skip
        return next((value for group in groups if (value := _of(group, sequence, name)) is not None), None)

    return _readable(find)


def _value(header, name):
    return _readable(lambda: header.get(name))


def _readable(get):
    """Number that `get` takes from a header, or None where there is none that can be read."""
    try:
        value = get()
        return None if value is None else float(value)
    except Exception:  # pydicom converts values when they are asked for, and raises what it likes
        return None


def _put(series, header, frames):
    """Put frames into the first copy of their series that lacks their echo, part and height."""
    first = frames[0]
    common = tuple(str(header.get(name)) for name in _COMMON)
    plane = tuple((np.round([*first.rows, *first.columns], 3) + 0.0).tolist())  # no −0
    number = str(header.get("SeriesNumber") or 0)
    copies = series.setdefault(((common, plane), number, header.get("SeriesInstanceUID")), [])
    title = str(header.get("SeriesDescription") or header.get("ProtocolName") or "")
    for frame in frames:
        key = (frame.echo_time, frame.part)
        one = next((one for one in copies if frame.height not in one.files.get(key, {})), None)
        if one is None:
            copies.append(one := Candidate([number], title, {}))
        one.files.setdefault(key, {})[frame.height] = frame


def _geometry(candidate, pair):
    """Heights of the slices, which all echoes have and which lie evenly, and the affine (i, j, k → RAS)."""
    stacks = [candidate.files[time, part] for time in candidate.echo_times for part in pair]
    heights = sorted(stacks[0])
    missing = max(len(set(heights) ^ set(stack)) for stack in stacks)
    if missing:
        are = f"{counted(missing, 'slice')} of the {candidate.source} {'is' if missing == 1 else 'are'}"
        raise InputError(f"{are} not there, or not in the same place, for every echo and part; export the scan again.")
    first, last = stacks[0][heights[0]], stacks[0][heights[-1]]
    steps = np.diff(heights)
    if len(steps) and np.abs(steps - steps.mean()).max() > max(_EVEN, 0.02 * steps.mean()):
        raise InputError(
            f"The slices of the {candidate.source} lie {steps.min():.4g} to {steps.max():.4g} mm apart; expected even "
            "steps, so export the missing slices."
        )
    if len(steps):
        step = (last.position - first.position) / len(steps)
    else:
        normal = np.cross(first.rows, first.columns)
        header = _header(first.path)
        thickness = _value(header, "SliceThickness") or _in_groups(header, "PixelMeasuresSequence", "SliceThickness")
        step = normal / np.linalg.norm(normal) * float(thickness or 1.0)
    affine = np.eye(4)
    affine[:3, :3] = _LPS_TO_RAS @ np.column_stack([first.rows, first.columns, step])
    affine[:3, 3] = _LPS_TO_RAS @ first.position
    return heights, affine


def _pixels(frame, opened, files):
    """True values (j, i) of a frame; the file of several is kept open in `opened`, and what ITK had to decode."""
    if frame.index is None:
        array = _stored(frame.path, opened, files)
    else:
        if frame.path not in opened:
            opened.clear()
            opened[frame.path] = _stored(frame.path, opened, files)
        array = opened[frame.path]
        array = array[frame.index] if array.ndim == 3 and frame.index < len(array) else array
    if array.ndim != 2:
        raise InputError(
            f"{frame.path} holds pixels of the shape {array.shape}; expected one gray image a frame, so export it "
            "again."
        )
    if (frame.slope, frame.intercept) == (1.0, 0.0):
        return array
    with np.errstate(over="ignore"):  # what is not finite is told where the scan is checked
        return array * np.float32(frame.slope) + np.float32(frame.intercept)


def _stored(path, opened, files):
    dataset = None
    try:
        dataset = read_dataset(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return dataset.pixel_array
    except Exception as error:  # pydicom's decoders end in many exceptions
        if dataset is not None and "PerFrameFunctionalGroupsSequence" not in dataset:
            if path not in opened:
                opened.update(zip(files, apart.read_images(files), strict=True))
            if opened[path] is not None:
                return _without_scale(dataset, opened.pop(path))
        syntax = getattr(getattr(dataset, "file_meta", {}).get("TransferSyntaxUID"), "name", "an unknown coding")
        raise InputError(
            f"The pixels of {path} ({syntax}) cannot be decoded ({error}); store the files uncompressed and try again."
        ) from error


def _without_scale(dataset, image):
    """Stored values of an image that ITK decoded, which it does for more codings than pydicom alone."""
    slope, intercept = _value(dataset, "RescaleSlope") or 1.0, _value(dataset, "RescaleIntercept") or 0.0
    return (image[0].astype(np.float64) - intercept) / slope
