"""Headers of NRRD: checked before ITK reads the file, and their texts in whatever encoding they were written."""

import math
import re
from pathlib import Path

from ..errors import InputError
from .formats import cut_short, decoded, first_bytes

_LONGEST = 1 << 24
_BYTES = {
    "char": 1, "int8": 1, "uchar": 1, "uint8": 1, "short": 2, "int16": 2, "ushort": 2, "uint16": 2, "int": 4,
    "int32": 4, "uint": 4, "uint32": 4, "long long": 8, "longlong": 8, "int64": 8, "uint64": 8, "float": 4, "double": 8,
}  # fmt: skip


def read_nrrd_header(path) -> dict[str, str]:
    """Return the key–value pairs of a NRRD header, such as the names of segments.

    Raises
    ------
    InputError
        If the header does not end, contradicts itself, or the file is shorter than it says.
    """
    path = Path(path)
    start = first_bytes(path, _LONGEST, unpacked=False)
    end = re.search(rb"\r?\n\r?\n", start)
    detached = re.search(rb"(?im)^data ?file:\s*(.*?)\s*$", start)
    if end is None and detached is None:
        raise cut_short(path)
    header = start[: end.start() if end else len(start)]
    if b"\0" in header:
        raise InputError(f"{path} has a damaged header: it holds bytes that are no text; copy or export it again.")
    lines = decoded(header).splitlines()[1:]
    fields = dict(line.lower().split(": ", 1) for line in lines if ": " in line and ":=" not in line)
    fields = {name.strip(): text.strip() for name, text in fields.items()}
    pairs = dict(line.split(":=", 1) for line in lines if ":=" in line)
    _check_sizes(path, fields, None if detached else end.end())
    if detached and not detached[1].lower().startswith(b"list") and b"%" not in detached[1]:
        first_bytes(path.with_name(decoded(detached[1])), 1, unpacked=False)
    return {key.strip(): value.replace("\\n", "\n") for key, value in pairs.items()}


def _check_sizes(path, fields, begin):
    """Refuse sizes that are none, and values that are not all there (`begin` is where they do, if in this file)."""
    sizes = fields.get("sizes", "").split()
    if fields.get("dimension") != str(len(sizes)) or not all(size.isdecimal() and int(size) > 0 for size in sizes):
        raise InputError(
            f"{path} has a damaged header: it says dimension {fields.get('dimension')} and sizes "
            f"{' '.join(sizes) or 'none'}; export it again."
        )
    kind = re.sub(r"^(un)?signed ", lambda found: "u" if found[1] else "", fields.get("type", "").removesuffix("_t"))
    plain = fields.get("encoding") == "raw" and not {"byte skip", "byteskip", "line skip", "lineskip"} & fields.keys()
    if begin is not None and plain and kind in _BYTES:
        if path.stat().st_size < begin + math.prod(map(int, sizes)) * _BYTES[kind]:
            raise cut_short(path)
