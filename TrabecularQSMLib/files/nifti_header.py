"""Headers of NIfTI, versions 1 and 2, read from their definition (nifti1.h, nifti2.h): types, sizes and both positions.

Of the two positions that a header may hold the sform is taken where there is one, as FSL, SPM and nibabel do.
"""

import gzip
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..images import farthest_corner
from .formats import BEST_PACKING, cut_short, damaged, filled, first_bytes, unreadable

_TYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 32: "c8", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
    1792: "c16",
}  # fmt: skip
_OTHER_TYPES = {1: "single bits", 128: "colors", 2048: "complex numbers of 256 bits", 2304: "colors"}
_CODES = {1: "scanner", 2: "aligned", 3: "Talairach", 4: "MNI", 5: "template"}
_MM = {1: 1e3, 2: 1.0, 3: 1e-3}  # units of length: m, mm, µm
# Where each version keeps what is used: format and place of a field.
_FIELDS = {
    1: {
        "dim": ("8h", 40), "type": ("h", 70), "zooms": ("8f", 76), "offset": ("f", 108), "scale": ("2f", 112),
        "units": ("b", 123), "codes": ("2h", 252), "quaternion": ("6f", 256), "rows": ("12f", 280),
        "magic": ("4s", 344),
    },
    2: {
        "dim": ("8q", 16), "type": ("h", 12), "zooms": ("8d", 104), "offset": ("q", 168), "scale": ("2d", 176),
        "units": ("i", 500), "codes": ("2i", 344), "quaternion": ("6d", 352), "rows": ("12d", 400),
        "magic": ("4s", 4),
    },
}  # fmt: skip
_SIZES = {348: 1, 540: 2}
# Lengths beyond, in mm, are damage, and their squares no numbers.
_LEAST_MM, _MOST_MM = 1e-12, 1e12
# Positions that differ by less than this share of a voxel are the same.
_SAME_VOXELS = 0.1


@dataclass(frozen=True, eq=False)
class NiftiHeader:
    """What a NIfTI file says of its values.

    Parameters
    ----------
    path, data : Path
        The file, and the one that holds the values.
    sizes : tuple of int
        Lengths of the axes i, j, k, and of all others, without trailing ones.
    dtype : numpy.dtype
    offset : int
        Where the values begin, in bytes.
    slope, intercept : float
        A value is slope · stored + intercept, unless the slope is 0; of complex numbers, each part is.
    affine : (4, 4) array
        Voxel indices (i, j, k) to RAS in mm.
    codes : (int, int)
        Those of qform and sform; 0 where there is none.
    notes : tuple of str
        What about the position was found to be in doubt.
    """

    path: Path
    data: Path
    sizes: tuple[int, ...]
    dtype: np.dtype
    offset: int
    slope: float
    intercept: float
    affine: np.ndarray
    codes: tuple[int, int]
    notes: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (k, j, i) of a volume."""
        return (*self.sizes, 1, 1, 1)[2::-1]

    def values(self) -> np.ndarray:
        """Read the values, with the axes of `sizes` reversed, scaled as the header says.

        Raises
        ------
        InputError
            If the file holds fewer.
        """
        try:
            packed = first_bytes(self.data, 2, unpacked=False) == b"\x1f\x8b"
            with gzip.open(self.data) if packed else open(self.data, "rb") as file:
                file.seek(self.offset)
                count = math.prod(self.sizes)
                content = filled(file, count * self.dtype.itemsize)
                if packed:
                    file.read(1)  # at its end gzip compares its check sum
        except (EOFError, zlib.error) as error:
            raise cut_short(self.data) from error
        except gzip.BadGzipFile as error:
            raise damaged(self.data, error) from error
        except OSError as error:
            raise unreadable(self.data, error) from error
        if len(content) < count * self.dtype.itemsize:
            raise cut_short(self.data)
        array = np.frombuffer(content, self.dtype).reshape(self.sizes[::-1])
        numbers = math.isfinite(self.slope) and math.isfinite(self.intercept)
        if self.slope != 0 and numbers and (self.slope, self.intercept) != (1.0, 0.0):
            with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is told where values are checked
                intercept = self.intercept * (1 + 1j) if array.dtype.kind == "c" else self.intercept
                array = array * self.slope + intercept
        return array


def read_header(path) -> NiftiHeader:
    """Read and check the header of a NIfTI file, packed or not, or of the pair of ``.hdr`` and ``.img``.

    Raises
    ------
    InputError
        If it contradicts itself or the file, or the values are no numbers.
    """
    path = Path(path)
    start = first_bytes(path, 544)
    order = next(order for order in "<>" if struct.unpack(order + "i", start[:4])[0] in _SIZES)
    size = struct.unpack(order + "i", start[:4])[0]
    if len(start) < size:
        raise cut_short(path)
    version = _SIZES[size]
    take = {name: struct.unpack_from(order + kind, start, at) for name, (kind, at) in _FIELDS[version].items()}
    data = _data_file(path, take["magic"][0][:3], version)
    sizes = _sizes(path, take["dim"])
    code = take["type"][0]
    if code not in _TYPES:
        what = _OTHER_TYPES.get(code, f"values of NIfTI type {code}")
        raise InputError(f"{path} holds {what}; expected one real number in each voxel, so export it as float.")
    dtype = np.dtype(order + _TYPES[code])
    offset = int(take["offset"][0]) if math.isfinite(take["offset"][0]) else 0
    # In one file values come behind the header and four bytes on extensions, whatever a writer says.
    offset = max(offset, size + 4 if data == path else 0)
    _check_length(data, offset, math.prod(sizes) * dtype.itemsize)
    slope, intercept = take["scale"]
    affine, notes = _position(path, take, sizes)
    codes = tuple(int(code) for code in take["codes"])
    return NiftiHeader(path, data, sizes, dtype, offset, slope, intercept, affine, codes, notes)


def spans_volume(affine) -> bool:
    """Whether the axes of voxels (i, j, k → RAS) are three directions."""
    lengths = _lengths(affine)
    if not np.all(np.abs(affine) < _MOST_MM) or not np.all(lengths > _LEAST_MM):
        return False
    return abs(np.linalg.det(affine[:3, :3] / lengths)) > 1e-3


def _data_file(path, magic, version):
    """Return where the values are: in the same file, or in the .img beside it."""
    one, two = (b"n+1", b"ni1") if version == 1 else (b"n+2", b"ni2")
    if magic == one:
        return path
    if magic != two:
        raise InputError(
            f"{path} has the header of Analyze or a damaged one of NIfTI, which does not say which side is left; "
            "export it as NIfTI."
        )
    stem, _, ending = path.name.removesuffix(".gz").rpartition(".")
    image = f"{stem}.{'IMG' if ending.isupper() else 'img'}"
    names = [path.with_name(image + packed) for packed in ("", ".gz")]
    found = next((name for name in names if name.is_file()), None)
    if found is None:
        raise InputError(f"{path} is a header whose values are in {names[0].name}, which is not beside it; copy both.")
    return found


def _sizes(path, dim):
    count = dim[0]
    sizes = dim[1 : count + 1] if 1 <= count <= 7 else ()
    if not sizes or any(n < 1 for n in sizes):
        raise InputError(f"{path} has a damaged header: its sizes are {list(dim)}; copy or export it again.")
    while len(sizes) > 3 and sizes[-1] == 1:
        sizes = sizes[:-1]
    return tuple(int(n) for n in sizes)


def _check_length(data, offset, needed):
    """Refuse a file that cannot hold its values before room is made for them."""
    packed = first_bytes(data, 2, unpacked=False) == b"\x1f\x8b"
    if offset + needed > data.stat().st_size * (BEST_PACKING if packed else 1):
        raise cut_short(data)


def _position(path, take, sizes):
    """Affine of the position that is taken, and what is in doubt about it."""
    scale = _MM.get(take["units"][0] & 7, 1.0)
    qcode, scode = take["codes"]
    zooms = np.abs(np.array(take["zooms"][1:4], dtype=float))
    zooms[len(sizes) :] = np.where(zooms[len(sizes) :] > 0, zooms[len(sizes) :], 1.0)  # of axes that are not there
    if not np.all(np.isfinite(zooms)) or qcode <= 0 >= scode and not np.all(zooms > 0):
        raise InputError(f"{path} has a damaged header: its voxels measure {zooms.tolist()} mm; export it again.")
    sform = qform = None
    notes = []
    if scode > 0:
        sform = np.vstack([np.reshape(take["rows"], (3, 4)), [0, 0, 0, 1]]).astype(float)
        if not spans_volume(sform):
            sform = None
    if qcode > 0:
        qform = _of_quaternion(take["quaternion"], zooms, take["zooms"][0])
        if not spans_volume(qform):
            qform = None
    affine = sform if sform is not None else qform if qform is not None else np.diag([*zooms, 1.0])
    if (scode > 0 and sform is None or scode <= 0 < qcode) and qform is None or not spans_volume(affine):
        raise InputError(f"{path} has a damaged header: its voxel axes span no volume; export it again.")
    if scode > 0 and sform is None:
        notes.append(f"The sform of {path.name} spans no volume; its qform is taken.")
    if sform is not None:
        notes += _doubts(path.name, sform, qform, zooms, (*sizes, 1, 1)[:3], (qcode, scode))
    if scale != 1.0:
        affine = np.diag([scale, scale, scale, 1.0]) @ affine
        unit = "m" if scale > 1 else "µm"
        notes.append(f"The header of {path.name} is in {unit}: its voxels measure {_listed(_lengths(affine))} mm.")
    return affine, tuple(notes)


def _doubts(name, sform, qform, zooms, sizes, codes):
    """Say how the sform differs from what else the header says of the position."""
    if qform is not None:
        far = farthest_corner(sizes[::-1], sform, qform)
        if far > _SAME_VOXELS * _lengths(sform).min():
            mirrored = np.linalg.det(sform[:3, :3]) * np.linalg.det(qform[:3, :3]) < 0
            mirror = "; they mirror each other, so in one of them left and right are exchanged" if mirrored else ""
            quoted = [f"code {code}{', ' + _CODES[code] if code in _CODES else ''}" for code in codes]
            return [
                f"The header of {name} has two positions, up to {far:.3g} mm apart: the sform ({quoted[1]}) is taken, "
                f"as FSL, SPM and nibabel do, not the qform ({quoted[0]}){mirror}."
            ]
    elif np.all(zooms > 0) and not np.allclose(_lengths(sform), zooms, rtol=_SAME_VOXELS):
        return [
            f"The header of {name} has voxels of {_listed(zooms)} mm, but those of its sform measure "
            f"{_listed(_lengths(sform))} mm; the sform is taken."
        ]
    return []


def _of_quaternion(values, zooms, handedness):
    """Affine of a qform: a rotation by a unit quaternion, voxel sizes, a flip of k, and an origin."""
    b, c, d = (float(x) for x in values[:3])
    squares = b * b + c * c + d * d
    if squares > 1:  # by rounding: half a turn
        length = math.sqrt(squares)
        a, b, c, d = 0.0, b / length, c / length, d / length
    else:
        a = math.sqrt(1 - squares)
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    affine = np.eye(4)
    affine[:3, :3] = rotation * (zooms * (1, 1, -1 if handedness < 0 else 1))
    affine[:3, 3] = values[3:]
    return affine


def _lengths(affine):
    with np.errstate(over="ignore"):  # what is so long is refused
        return np.linalg.norm(affine[:3, :3], axis=0)


def _listed(sizes):
    return " × ".join(f"{x:.4g}" for x in sizes)
