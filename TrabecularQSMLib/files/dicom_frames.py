"""Frames of DICOM files, classic and enhanced multi-frame: what their headers say of part, echo, place and scale."""

import os
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import PackageNeeded
from .parts import part_of_type

# DICOM's axes to RAS.
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])
_GE_PART = (0x0043, 0x102F)
_PHILIPS_SCALE, _PHILIPS_GROUP = (0x2005, 0x100E), (0x2005, 0x140F)
_GE_PARTS = {0: "mag", 1: "phase", 2: "real", 3: "imag"}
# Numbers beyond, of whatever unit, are damage.
_MOST = 1e30
_PREAMBLE = 128
# Groups and elements that come first in a file, and the kinds of these elements, which files may say.
_FIRST_GROUPS, _LAST_ELEMENT, _SHORT_KINDS = (0x0002, 0x0008), 0x0018, (b"UL", b"CS", b"UI", b"SH", b"LO")
# Echo times in a header are in ms: if all are shorter than the first they are seconds, longer than the other µs.
SECONDS_MS, MICROSECONDS_MS = 0.2, 500.0


@dataclass(frozen=True, eq=False)
class Frame:
    """One slice of one part of one echo.

    Parameters
    ----------
    path : Path
    index : int or None
        Number of the frame in an enhanced file.
    echo_time : float
        Seconds; 0 if the header does not say it.
    part : str
        "mag", "phase", "real" or "imag".
    position, rows, columns : (3,) array
        Center of the first voxel, and the direction and size of steps along i and j, in LPS mm.
    slope, intercept : float
        From stored to true values.
    scaled : bool
        Whether values of one frame can be compared with those of another: not those of Philips whose own scale is gone.
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
    scaled: bool = True

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


def header_of(path):
    """Return the header of an MR image, or None for other files."""
    header = read_dataset(path, stop_before_pixels=True)
    sizes = [header.get(name) for name in ("Rows", "Columns")]
    return header if header.get("Modality") == "MR" and all(isinstance(n, int) and n > 0 for n in sizes) else None


def frames_of(path: Path, header) -> list[Frame]:
    """Return the frames of a file that are parts of echoes; none if it lacks what places them."""
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
    time = float((header.get("EchoTime") if time is None else time) or 0)
    if orientation is None or position is None or spacing is None:
        return None
    orientation = np.array(orientation, dtype=float)
    if not np.any(np.cross(orientation[:3], orientation[3:])) or not all(spacing):
        return None
    part = _part(header, get)
    slope, intercept, scaled = _scale(header, groups, get, part)
    frame = Frame(
        path=path,
        index=index,
        # What is so short may be in seconds.
        echo_time=round(time / 1e3, 6 if time > SECONDS_MS else 9),
        part=part,
        position=np.array(position, dtype=float),
        rows=orientation[:3] * float(spacing[1]),
        columns=orientation[3:] * float(spacing[0]),
        slope=slope,
        intercept=intercept,
        scaled=scaled,
    )
    volume = np.linalg.det([frame.rows, frame.columns, np.cross(frame.rows, frame.columns)])
    numbers = [*frame.position, frame.echo_time, slope, intercept, volume]
    return frame if np.all(np.abs(numbers) < _MOST) and volume > 0 else None


def _scale(header, groups, get, part):
    """Slope and intercept from stored to true values, and whether frames can be compared then."""
    slope = get("PixelValueTransformationSequence", "RescaleSlope")
    intercept = get("PixelValueTransformationSequence", "RescaleIntercept")
    slope = 1.0 if slope is None else float(slope)
    intercept = 0.0 if intercept is None else float(intercept)
    if part == "phase" or "PHILIPS" not in str(header.get("Manufacturer", "")).upper():
        return slope, intercept, True
    # Slope and intercept of Philips are to look at; echoes can be compared after division by both slopes
    # (Chenevert et al., Translational Oncology 2014, doi 10.1593/tlo.13811).
    for group in groups:
        if group is None:
            continue
        items = [group, *(group[_PHILIPS_GROUP].value or [] if _PHILIPS_GROUP in group else [])]
        for item in items:
            scale = _number_of(item[_PHILIPS_SCALE].value) if _PHILIPS_SCALE in item else None
            if scale and slope:
                return 1.0 / scale, intercept / (slope * scale), True
    return slope, intercept, False


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


def value_in_groups(header, sequence, name) -> float | None:
    """Return the number that functional groups give for all frames, or for the first one, if any."""
    return _readable(lambda: float(_in_groups(header, sequence, name)))


def value_of(header, name) -> float | None:
    """Return the number that a header gives, or None where there is none that can be read."""
    return _readable(lambda: float(header.get(name)))


def text_of(header, name, sequence=None) -> str:
    """Return the text that a header gives, or functional groups, several values as DICOM joins them; "" for none."""

    def find():
        value = header.get(name)
        value = _in_groups(header, sequence, name) if value is None and sequence else value
        return "" if value is None else "\\".join([value] if isinstance(value, str) else map(str, value))

    return _readable(find) or ""


def _in_groups(header, sequence, name):
    groups = [*(header.get("SharedFunctionalGroupsSequence") or []),
              *(header.get("PerFrameFunctionalGroupsSequence") or [])[:1]]  # fmt: skip
    return next((value for group in groups if (value := _of(group, sequence, name)) is not None), None)


def _readable(get):
    """What `get` takes from a header, or None where there is nothing that can be read."""
    try:
        return get()
    except Exception:  # pydicom converts values when they are asked for, and raises what it likes
        return None
