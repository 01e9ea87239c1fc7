"""NRRD by our own parser: what its header declares is compared with the file before anything is read."""

import gzip
import math
import re
import zlib
from pathlib import Path

import numpy as np

from ..errors import InputError
from .formats import BEST_PACKING, beside, cut_short, decoded, filled, first_bytes

_TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "signed long long int", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_TYPE_OF = {name: code for code, names in _TYPES.items() for name in names}
# Signs that bring the axes of a named space to RAS; without a name ITK takes LPS.
_SIGNS = {
    "right-anterior-superior": (1, 1, 1),
    "left-anterior-superior": (-1, 1, 1),
    "left-posterior-superior": (-1, -1, 1),
}
_SHORT = {"ras": "right-anterior-superior", "las": "left-anterior-superior", "lps": "left-posterior-superior"}
# Units of length in mm.
_MM = {"m": 1e3, "cm": 10.0, "mm": 1.0, "um": 1e-3, "µm": 1e-3, "micron": 1e-3, "microns": 1e-3}
_LARGEST_HEADER = 1 << 22


def read_header(path: Path) -> tuple[dict[str, str], dict[str, str], int]:
    """Return the fields of a NRRD file (in small letters), its key–value pairs, and where its values start.

    Text is UTF-8, or Western European where it is not, as programs on Windows wrote it.

    Raises
    ------
    InputError
        If the header does not end, or a line of it is neither.
    """
    content = first_bytes(path, _LARGEST_HEADER, unpacked=False)
    # In a file whose values lie elsewhere the header may end with it.
    content += b"\n\n" if re.search(rb"(?im)^data ?file:", content) else b""
    ends = [(at, len(mark)) for mark in (b"\n\n", b"\n\r\n") if (at := content.find(mark)) >= 0]
    if not ends:
        raise InputError(f"{path} is cut short: its NRRD header has no end; copy or export it again.")
    end, length = min(ends)
    if b"\0" in content[:end]:
        raise InputError(f"{path} has a damaged NRRD header: it holds bytes that are no text; copy or export it again.")
    text = decoded(content[:end])
    fields, pairs = {}, {}
    for line in text.splitlines()[1:]:
        key, mark, value = line.partition(":=")
        if mark and ":" not in key:
            pairs[key.strip()] = value.strip()
            continue
        key, mark, value = line.partition(":")
        if mark:
            fields[key.strip().lower()] = value.strip()
        elif line.strip() and not line.startswith("#"):
            raise InputError(f"{path} has the line {line[:40]!r} in its NRRD header, which is no field; save it again.")
    return fields, pairs, end + length


def read_nrrd(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a NRRD file: array (L, K, J, I) of L values in each voxel, and affine (i, j, k → RAS).

    Raises
    ------
    InputError
        If its header is incomplete or contradicts itself, or the file does not hold what it announces.
    """
    fields, _, start = read_header(path)
    try:
        sizes = [int(word) for word in fields["sizes"].split()]
        kind = _TYPE_OF[fields["type"].lower()]
        encoding = fields["encoding"].lower()
        vectors = _vectors(fields, len(sizes))
        order = {"little": "<", "big": ">"}[fields.get("endian", "little").lower()]
    except (KeyError, ValueError) as error:
        raise InputError(f"{path} has a NRRD header without usable {error}; save it again as NIfTI or NRRD.") from error
    data, elsewhere = path, fields.get("data file", fields.get("datafile"))
    if elsewhere is not None:
        if elsewhere.upper().startswith("LIST") or "%" in elsewhere:
            raise InputError(f"{path} keeps its values in several files; save it as one .nrrd file.")
        data, start = beside(path, elsewhere), 0
    if encoding not in ("raw", "gzip", "gz"):
        raise InputError(f"{path} has the NRRD encoding {encoding}; save it with raw or gzip.")
    if fields.get("byte skip", "0") != "0" or fields.get("line skip", "0") != "0":
        raise InputError(f"{path} skips bytes or lines after its NRRD header; save it again as NIfTI or NRRD.")
    if min(sizes, default=0) < 1:
        raise InputError(f"{path} declares the sizes {fields['sizes']}; expected positive numbers, so save it again.")
    spatial = [axis for axis, vector in enumerate(vectors) if vector is not None]
    rest = [axis for axis in range(len(sizes)) if axis not in spatial]
    if len(spatial) != 3 or spatial != list(range(spatial[0], spatial[0] + 3)):
        raise InputError(f"{path} has {len(spatial)} dimensions in space; expected three, so save it as a volume.")
    array = _values(data, start, np.dtype(order + kind), sizes, encoding).reshape(sizes[::-1])
    # In C order the axes are reversed; those outside of space come first.
    moved = [len(sizes) - 1 - axis for axis in (*rest[::-1], *spatial[::-1])]
    array = array.transpose(moved).reshape(-1, *(sizes[axis] for axis in spatial[::-1]))
    return array, _affine(path, fields, [vectors[axis] for axis in spatial])


def _vectors(fields, dimensions):
    """Direction of each axis in space, or None for an axis that is none of it."""
    if "space directions" in fields:
        words = fields["space directions"].replace(" none", " none ").replace(")", ") ").replace(", ", ",").split()
        vectors = [None if word == "none" else _numbers(word) for word in words]
    else:
        spacings = fields.get("spacings", "1 " * dimensions).split()
        vectors = []
        for word in spacings:
            space = np.isfinite(float(word)) and len([v for v in vectors if v is not None]) < 3
            unit = np.eye(3)[len([v for v in vectors if v is not None])] if space else None
            vectors.append(unit * float(word) if space else None)
    if len(vectors) != dimensions or any(vector is not None and len(vector) != 3 for vector in vectors):
        raise ValueError("space directions")
    return vectors


def _numbers(word):
    return np.array([float(number) for number in word.strip("()").split(",")])


def _affine(path, fields, vectors):
    space = fields.get("space", "left-posterior-superior").lower()
    signs = _SIGNS.get(_SHORT.get(space, space))
    if signs is None:
        raise InputError(f"{path} lies in the space {space}; save it in left-posterior-superior.")
    affine = np.eye(4)
    affine[:3, :3] = np.transpose(vectors)
    if "space origin" in fields:
        try:
            affine[:3, 3] = _numbers(fields["space origin"].replace(" ", ""))
        except ValueError as error:
            raise InputError(f"{path} has the space origin {fields['space origin']}; save it again.") from error
    affine[:3] *= _millimeters(path, fields) * np.array(signs)[:, None]
    return affine


def _millimeters(path, fields):
    """How many mm the header's unit of length has."""
    units = set(re.findall(r'[^\s"]+', fields.get("space units", "mm")))
    if len(units) != 1 or not units <= _MM.keys():
        raise InputError(f"{path} has the space units {fields['space units']}; save it in mm.")
    return _MM[units.pop()]


def _values(path, start, dtype, sizes, encoding):
    needed = math.prod(sizes) * dtype.itemsize
    stored = path.stat().st_size - start
    if stored < needed if encoding == "raw" else stored * BEST_PACKING < needed:
        raise cut_short(path)
    with open(path, "rb") as file:
        file.seek(start)
        if encoding == "raw":
            return np.fromfile(file, dtype, math.prod(sizes)).astype(dtype.newbyteorder("="), copy=False)
        try:
            with gzip.open(file) as archive:
                content = filled(archive, needed)
                archive.read(1)  # at its end gzip compares its check sum
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(f"{path} is cut short or damaged; copy or export it again.") from error
    if len(content) < needed:
        raise cut_short(path)
    return np.frombuffer(content, dtype).astype(dtype.newbyteorder("="))
