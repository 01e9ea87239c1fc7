"""MetaImage by our own parser: what its header declares is compared with the file before anything is read."""

import math
import re
import zlib
from pathlib import Path

import numpy as np

from ..errors import InputError
from .formats import BEST_PACKING, beside, cut_short, decoded, first_bytes

_TYPES = {
    "CHAR": "i1", "UCHAR": "u1", "SHORT": "i2", "USHORT": "u2", "INT": "i4", "UINT": "u4", "LONG": "i4", "ULONG": "u4",
    "LONG_LONG": "i8", "ULONG_LONG": "u8", "FLOAT": "f4", "DOUBLE": "f8",
}  # fmt: skip
_LARGEST_HEADER = 1 << 16
# Fields that have had several names.
_NAMES = {"Position": "Offset", "Origin": "Offset", "Rotation": "TransformMatrix", "Orientation": "TransformMatrix",
          "BinaryDataByteOrderMSB": "ElementByteOrderMSB", "ElementSize": "ElementSpacing"}  # fmt: skip


class MetaImageHeader:
    """What a MetaImage says of its values.

    Parameters
    ----------
    path : Path

    Raises
    ------
    InputError
        If the header is incomplete or contradicts itself, or the file does not hold what it announces.
    """

    def __init__(self, path: Path) -> None:
        self.path, (self._fields, start) = path, _header(path)
        try:
            self.sizes = tuple(int(word) for word in self._fields["DimSize"].split())
            self.components = int(self._fields.get("ElementNumberOfChannels", 1))
            kind = _TYPES[self._fields["ElementType"].removeprefix("MET_")]
            self.affine = self._affine()
        except (KeyError, ValueError) as error:
            raise self._damaged(f"usable {str(error).partition(':')[0]}") from error
        if min(self.sizes, default=0) < 1 or self.components < 1 or len(self.sizes) > 4:
            raise self._damaged("positive sizes")
        self._dtype = np.dtype(("> <"[2 * (not self._is("ElementByteOrderMSB"))]) + kind)
        self._find(start)

    @property
    def placed(self) -> bool:
        """Whether it says how large its voxels are."""
        return "ElementSpacing" in self._fields

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (k, j, i) of a volume."""
        return (*self.sizes, 1, 1, 1)[2::-1]

    def values(self) -> np.ndarray:
        """Read the values: array (L, …, K, J, I) of L values in each voxel, without the first axis if L is one."""
        with open(self._data, "rb") as file:
            file.seek(self._start)
            if self._is("CompressedData"):
                try:
                    content = zlib.decompressobj().decompress(file.read(), self._needed)
                except zlib.error as error:
                    raise cut_short(self._data) from error
            else:
                content = file.read(self._needed)
        if len(content) < self._needed:
            raise cut_short(self._data)
        array = np.frombuffer(content, self._dtype).astype(self._dtype.newbyteorder("="))
        if self.components == 1:
            return array.reshape(self.sizes[::-1])
        return np.moveaxis(array.reshape(*self.sizes[::-1], self.components), -1, 0)

    def _is(self, name):
        return self._fields.get(name, "False").lower() in ("true", "1")

    def _affine(self):
        """Voxel indices (i, j, k) to RAS in mm; MetaImage has LPS, and the direction of each axis in a row."""
        count = len(self.sizes)
        numbers = {
            name: np.array([float(word) for word in self._fields[name].split()]) if name in self._fields else default
            for name, default in (
                ("TransformMatrix", np.eye(count).ravel()), ("ElementSpacing", np.ones(count)),
                ("Offset", np.zeros(count)),
            )
        }  # fmt: skip
        directions = numbers["TransformMatrix"].reshape(count, count)
        if len(numbers["ElementSpacing"]) != count or len(numbers["Offset"]) != count:
            raise ValueError("ElementSpacing and Offset")
        affine, n = np.eye(4), min(count, 3)
        affine[:n, :n] = (directions[:n, :n] * numbers["ElementSpacing"][:n, None]).T
        affine[:n, 3] = numbers["Offset"][:n]
        affine[:2] *= -1
        return affine

    def _find(self, start):
        """Find the values, and refuse a file that cannot hold them before room is made for them."""
        name = self._fields["ElementDataFile"]
        if re.search(r"%|^LIST| ", name):
            raise InputError(f"{self.path} keeps its values in several files; save it as one .mha file.")
        self._data = self.path
        if name != "LOCAL":
            self._data, start = beside(self.path, name), 0
        elif self._fields.get("HeaderSize", "0") not in ("0", "-1"):
            raise InputError(f"{self.path} skips bytes after its MetaImage header; save it again as NIfTI or NRRD.")
        self._start, self._needed = start, math.prod(self.sizes) * self.components * self._dtype.itemsize
        packing = BEST_PACKING if self._is("CompressedData") else 1
        if (self._data.stat().st_size - start) * packing < self._needed:
            raise cut_short(self._data)

    def _damaged(self, lacking):
        return InputError(f"{self.path} has a MetaImage header without {lacking}; copy or export it again.")


def _header(path):
    """Fields of a MetaImage file, and where its values start."""
    content = first_bytes(path, _LARGEST_HEADER, unpacked=False)
    found = re.search(rb"(?m)^ElementDataFile *=[^\n]*(\n|\Z)", content)
    if not found:
        raise InputError(f"{path} is cut short: its MetaImage header has no end; copy or export it again.")
    if b"\0" in content[: found.end()]:
        raise InputError(f"{path} has a damaged MetaImage header: it holds bytes that are no text; export it again.")
    fields = {}
    for line in decoded(content[: found.end()]).splitlines():
        name, mark, value = line.partition("=")
        if mark:
            fields.setdefault(_NAMES.get(name.strip(), name.strip()), value.strip())
    return fields, found.end()
