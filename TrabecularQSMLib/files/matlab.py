"""MATLAB files of versions 4 to 7 by our own parser: every size is compared with the file before room is made for it.

The one of scipy ends the process on some damaged files, and asks for whatever memory they declare.
"""

import math
import struct
import zlib
from collections.abc import Collection
from pathlib import Path

import numpy as np

from ..errors import InputError
from .formats import BEST_PACKING, damaged, read_bytes

# Types of stored data, and the classes of arrays that hold numbers (double, single, and integers of both kinds).
_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_MATRIX, _PACKED = 14, 15
_STRUCT, _CHARACTERS, _NUMBERS = 2, 4, range(6, 16)
_ENCODINGS = {2: "utf-16", 4: "utf-32"}  # by the size of a character; of one byte, UTF-8
_COMPLEX = 0x800
_TYPES_4 = ("f8", "f4", "i4", "i2", "u2", "u1")
_DEEPEST = 32


def read_variables(path: Path, wanted: Collection[str] = ()) -> dict:
    """Read the variables of a MATLAB file, or those of `wanted` alone.

    Returns
    -------
    dict of str to value
        Numbers as arrays with MATLAB's own axes, text as str, one struct as dict. None stands for all else, such as
        cells, sparse arrays and arrays of structs.

    Raises
    ------
    InputError
        If it is no such file, or damaged.
    """
    content = memoryview(read_bytes(path))
    mark = bytes(content[124:128])
    try:
        if bytes(content[:6]) == b"MATLAB" and len(content) < 136:
            raise ValueError("it holds no variable")
        if mark[2:] in (b"IM", b"MI") and mark[:2] in (b"\0\1", b"\1\0"):
            return dict(_variables_5(content, "<" if mark[2:] == b"IM" else ">", wanted))
        order = _order_4(content)
        if order:
            return dict(_variables_4(content, order, wanted))
    except (ValueError, struct.error, zlib.error) as error:
        raise damaged(path, error) from error
    raise InputError(f"{path} is not a MATLAB file; give a .mat file that MATLAB saved.")


def _variables_5(content, order, wanted):
    for kind, data in _elements(content[128:], order):
        if kind == _PACKED:
            # The name comes first, so that what is not wanted need not be unpacked.
            if wanted and _matrix(_unpacked(data, order, 4096), order, wanted, peek=True)[0] not in wanted:
                continue
            data = _unpacked(data, order)
        elif kind != _MATRIX:
            continue
        name, value = _matrix(data, order, wanted)
        if name and (not wanted or name in wanted):
            yield name, value


def _unpacked(data, order, most=None):
    """Unpack one element without its tag, or its first bytes."""
    archive = zlib.decompressobj()
    kind, size = struct.unpack(order + "II", archive.decompress(data, 8))
    if kind != _MATRIX or size > BEST_PACKING * len(data):
        raise ValueError("packed data that are no array")
    content = memoryview(archive.decompress(archive.unconsumed_tail, min(size, most or size) or 1))
    if len(content) < min(size, most or size):
        raise ValueError("packed data that end too early")
    return content


def _elements(content, order):
    """Yield type and data of the elements that lie one after the other."""
    at = 0
    while at < len(content):
        kind, size = struct.unpack_from(order + "II", content, at)
        start = at + 8
        if kind >> 16:  # up to four bytes lie in the tag
            kind, size, start = kind & 0xFFFF, kind >> 16, at + 4
        if start + size > len(content) or start == at + 4 and size > 4:
            raise ValueError(f"an element of {size} bytes where {len(content) - start} are left")
        yield kind, content[start : start + size]
        at = max(at + 8, start + size)
        if kind != _PACKED:
            at += -at % 8


def _matrix(content, order, wanted=(), *, peek=False, depth=0):
    """Name and value of an array; the name alone if it is not wanted, or to `peek`."""
    parts = _elements(content, order)
    take = lambda: next(parts, (0, b""))  # noqa: E731 - an element that is not there is empty
    flags = np.frombuffer(take()[1], order + "u4")
    if not len(flags):
        return "", np.empty((0, 0))
    shape = tuple(np.frombuffer(take()[1], order + "i4").tolist())
    name = bytes(take()[1]).decode("utf-8", "replace")
    if peek or wanted and depth == 0 and name not in wanted:
        return name, None
    if min(shape, default=0) < 0:
        raise ValueError(f"an array of the shape {shape}")
    kind = int(flags[0]) & 0xFF
    if kind in _NUMBERS:
        real = _numbers(*take(), order, shape)
        return name, _joined(real, _numbers(*take(), order, shape)) if flags[0] & _COMPLEX else real
    if kind == _CHARACTERS:
        return name, _text(*take(), order)
    if kind == _STRUCT and math.prod(shape) == 1:
        return name, _fields(parts, order, depth + 1)
    return name, None


def _fields(parts, order, depth):
    if depth > _DEEPEST:
        raise ValueError("structs in structs without an end")
    length = np.frombuffer(next(parts, (0, b""))[1], order + "i4")
    names = bytes(next(parts, (0, b""))[1])
    step = int(length[0]) if len(length) else 0
    if step < 1:
        raise ValueError("a struct without names")
    names = [names[at : at + step].split(b"\0")[0].decode("utf-8", "replace") for at in range(0, len(names), step)]
    found = {}
    for name, (kind, data) in zip(names, parts, strict=False):
        if kind != _MATRIX:
            raise ValueError(f"the field {name} that is no array")
        found[name] = _matrix(data, order, depth=depth)[1]
    if len(found) < len(names):
        raise ValueError("a struct with fewer values than names")
    return found


def _numbers(kind, data, order, shape):
    if kind not in _TYPES:
        raise ValueError(f"numbers of the type {kind}")
    array = np.frombuffer(data, order + _TYPES[kind])
    if array.size != math.prod(shape):
        raise ValueError(f"{array.size} numbers for an array of the shape {shape}")
    return array.reshape(shape, order="F")


def _joined(real, imaginary):
    array = np.empty(real.shape, np.result_type(real.dtype, np.complex64), order="F")
    array.real, array.imag = real, imaginary
    return array


def _text(kind, data, order):
    width = np.dtype(_TYPES.get(kind, "u1")).itemsize
    width = {17: 2, 18: 4}.get(kind, width)
    encoding = _ENCODINGS.get(width)
    return bytes(data).decode(f"{encoding}-{'le' if order == '<' else 'be'}" if encoding else "utf-8", "replace")


def _order_4(content):
    """Byte order of version 4, whose files begin with an array, or None."""
    if len(content) < 20:
        return None
    for order, first in (("<", 0), (">", 1000)):
        code, *_ = struct.unpack_from(order + "5i", content)
        if first <= code < first + 1000 and code % 1000 // 10 < len(_TYPES_4) and code % 10 < 3:
            return order
    return None


def _variables_4(content, order, wanted):
    at = 0
    while at < len(content):
        code, rows, columns, has_imaginary, length = struct.unpack_from(order + "5i", content, at)
        kind = code % 100 // 10
        if min(code, rows, columns, length) < 0 or kind >= len(_TYPES_4):
            raise ValueError(f"an array of {rows} × {columns}")
        dtype = np.dtype(order + _TYPES_4[kind])
        parts = 2 if has_imaginary else 1
        start, size = at + 20 + length, rows * columns * dtype.itemsize
        at = start + parts * size
        if at > len(content):
            raise ValueError(f"an array of {rows} × {columns} where {len(content) - start} bytes are left")
        name = bytes(content[start - length : start]).split(b"\0")[0].decode("latin-1")
        if wanted and name not in wanted:
            continue
        real, *rest = (
            np.frombuffer(content, dtype, rows * columns, start + n * size).reshape((rows, columns), order="F")
            for n in range(parts)
        )
        yield name, None if code % 10 else _joined(real, rest[0]) if rest else real
