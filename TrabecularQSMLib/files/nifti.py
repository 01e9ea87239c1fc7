"""Images and transforms in files: NIfTI and whatever else ITK reads, as arrays [k, j, i] with an affine to RAS."""

import errno
import gzip
import math
import os
import re
import shutil
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from ..images import affine_from, image_from, transform_from
from .nrrd import read_header, read_nrrd
from .transforms import read_linear

_NIFTI_TYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"
}  # fmt: skip

_META_BYTES = {
    "CHAR": 1, "UCHAR": 1, "SHORT": 2, "USHORT": 2, "INT": 4, "UINT": 4, "LONG_LONG": 8, "ULONG_LONG": 8,
    "FLOAT": 4, "DOUBLE": 8,
}  # fmt: skip

_MOST_SHEAR_DEGREES = 0.06

_CUT_SHORT = "{path} is cut short: it holds less than its header announces; copy or export it again."


def read_image(path, *, sheared: bool = False, notes: list[str] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Read a scalar volume.

    Parameters
    ----------
    path : path
        NIfTI, NRRD or MetaImage. A fourth axis of length one is dropped.
    sheared : bool
        Take axes that are not at right angles, such as those of a CT with gantry tilt, and say so in `notes`.
    notes : list of str, optional
        Takes a sentence where the header has two positions; of NIfTI the sform is taken, as FSL, SPM and nibabel do.

    Returns
    -------
    array : (K, J, I) array
        Values in the file's own type, or float where the header scales them.
    affine : (4, 4) array
        Voxel indices (i, j, k) to RAS in mm.

    Raises
    ------
    InputError
        If the file is absent, damaged, cut short, of another format, not one scalar volume, or sheared.
    """
    layers, affine = _read(Path(path), sheared, notes)
    if len(layers) != 1:
        raise InputError(
            f"{path} has {len(layers)} values in each voxel; expected one, "
            "so save each component as a volume of its own."
        )
    return layers[0], affine


def read_series(path) -> tuple[np.ndarray, np.ndarray]:
    """Read a volume, or several along the fourth axis of a NIfTI file.

    Returns
    -------
    array : (E, K, J, I) array
        The volumes in the file's order; one if the file has three dimensions.
    affine : (4, 4) array
        Voxel indices (i, j, k) to RAS in mm.

    Raises
    ------
    InputError
        As `read_image`.
    """
    path = Path(path)
    if _format(path) != "nifti":
        array, affine = read_image(path)
        return array[None], affine
    header, affine = _nifti_grid(path)
    return _nifti_values(path, header), affine


def read_grid(path, notes: list[str] | None = None) -> tuple[int, tuple[int, int, int], np.ndarray]:
    """Read the header of a NIfTI file: how many volumes there are, their shape (k, j, i), and the affine.

    `notes` takes a sentence where the header has two positions.
    """
    header, affine = _nifti_grid(Path(path), notes)
    return header.count, header.shape, affine


def read_layers(path) -> tuple[np.ndarray, np.ndarray]:
    """Read a volume of one or several values in each voxel, such as the layers of Slicer's ``.seg.nrrd``.

    Returns
    -------
    array : (L, K, J, I) array
        L values in each voxel.
    affine : (4, 4) array
        Voxel indices (i, j, k) to RAS in mm.

    Raises
    ------
    InputError
        As `read_image`.
    """
    return _read(Path(path), True, None)


def read_metadata(path) -> dict[str, str]:
    """Read the key–value pairs of a NRRD header, such as ``Segment0_Name``; other formats have none."""
    path = Path(path)
    return read_header(path)[1] if _format(path) == "nrrd" else {}


def stores_orientation(path) -> bool:
    """Whether an image says how it lies in the patient; a NIfTI file with both transform codes zero does not."""
    path = Path(path)
    return _format(path) != "nifti" or any(code > 0 for code in _nifti_header(_start(path), path).codes)


def read_transform(path) -> np.ndarray:
    """Read a linear transform as a matrix (4, 4) from RAS points to RAS points.

    Parameters
    ----------
    path : path
        ``.tfm``, ``.txt``, ``.mat`` or ``.h5`` of ITK.

    Raises
    ------
    InputError
        If the file is absent, damaged, or holds a transform that is not linear or has no inverse.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path} does not exist or is not a file; give a transform such as register writes.")
    matrix = read_linear(path)
    if not np.all(np.isfinite(matrix)) or abs(np.linalg.det(matrix[:3, :3])) < 1e-6:
        raise InputError(f"{path} holds a transform without an inverse; give a rigid or affine one.")
    return matrix


def write_transform(path, matrix: np.ndarray) -> None:
    """Write a matrix (4, 4) from RAS points to RAS points as an ITK transform, such as ``.tfm``."""
    sitk.WriteTransform(transform_from(matrix), str(path))


def write_image(path, array: np.ndarray, affine: np.ndarray) -> None:
    """Write an array [k, j, i] in the format of the name's ending; the same array and affine give the same NIfTI bytes.

    Raises
    ------
    OSError
        If it cannot be written, or does not fit on the disk (of which ITK says nothing).
    """
    path = Path(path)
    ending = path.name.lower()
    packed = ending.endswith(".nii.gz")
    # ITK knows the endings in small letters only.
    plain = path.with_name(f"{path.name}.plain.nii") if packed or ending.endswith(".nii") else path
    try:
        sitk.WriteImage(image_from(array, affine), str(plain))
    except RuntimeError as error:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path)) from error
    if plain.suffix == ".nii" and plain.stat().st_size != 352 + array.nbytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    if packed:
        # Neither name nor time in the header: they would make equal maps differ.
        with open(plain, "rb") as source, open(path, "wb") as target:
            with gzip.GzipFile(filename="", mode="wb", fileobj=target, compresslevel=4, mtime=0) as archive:
                shutil.copyfileobj(source, archive, 1 << 20)
        plain.unlink()
    elif plain != path:
        plain.replace(path)


def _read(path, sheared, notes):
    """Layers (L, K, J, I) and affine of an image of any format that is known."""
    kind = _format(path)
    if kind == "nifti":
        header = _nifti_header(_start(path), path)
        if header.count != 1:
            raise InputError(
                f"{path} has four dimensions, the last of length {header.count}; expected one volume in each file, "
                "so split it."
            )
        affine = _nifti_affine(header, path, notes)
        layers = _nifti_values(path, header)
    elif kind == "nrrd":
        layers, affine = read_nrrd(path)
    else:
        layers, affine = _metaimage(path)
    _check_axes(path, affine, sheared, notes)
    return layers, affine


def _check_axes(path, affine, sheared, notes):
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    if not (np.all(np.isfinite(affine)) and sizes.min() > 0 and abs(np.linalg.det(affine[:3, :3] / sizes)) > 1e-3):
        raise InputError(
            f"{path} has no usable geometry: voxels of {sizes.tolist()} mm "
            f"at {affine[:3, 3].tolist()}; correct its header."
        )
    cosines = affine[:3, :3] / sizes
    angle = float(np.degrees(np.arcsin(min(np.abs(cosines.T @ cosines - np.eye(3)).max(), 1.0))))
    if angle <= _MOST_SHEAR_DEGREES:
        return
    if not sheared:
        raise InputError(
            f"The voxel axes of {path} are {angle:.2g}° from right angles (gantry tilt, or an affine "
            "registration); resample it to a rectangular grid first."
        )
    if notes is not None:
        notes.append(
            f"The voxel axes of {path} are {angle:.2g}° from right angles (gantry tilt), which is allowed for."
        )


def _format(path):
    """Which format an image has by its content: nifti, nrrd or metaimage; `InputError` names any other."""
    start = _start(path)
    # Whatever is no single NIfTI file is told by how it starts, since the ending lies as often as not.
    if len(start) >= 4 and {struct.unpack(order + "i", start[:4])[0] for order in "<>"} & {348, 540}:
        return "nifti"
    if start.startswith(b"NRRD000"):
        return "nrrd"
    if re.match(rb"(ObjectType|NDims|Comment)\s*=", start):
        return "metaimage"
    name = path.name.lower()
    for found, words, advice in (
        (start.startswith(b"version https://git-lfs"), "a pointer of Git LFS", "fetch the file itself (git lfs pull)"),
        (start[128:132] == b"DICM", "a DICOM file", "convert its series to NIfTI (dcm2niix)"),
        (re.match(rb"\s*<(!doctype|html|\?xml)", start[:200].lower()), "a web page", "download the file again"),
        (name.endswith((".mgz", ".mgh")), "an image of FreeSurfer", "convert it to NIfTI (mri_convert)"),
        (start.startswith((b"MATLAB", b"\x89HDF")), "a file of Matlab or HDF5", "export the image as NIfTI"),
        (start.startswith(b"PK\x03\x04"), "a zip archive", "unpack it"),
        (start.startswith((b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*")), "a picture", "export a volume as NIfTI"),
    ):
        if found:
            raise InputError(f"{path} cannot be read as an image: it is {words}; {advice}.")
    if len(start) < 348 and name.endswith((".nii", ".nii.gz")) and b"\0" in start:
        raise InputError(_CUT_SHORT.format(path=path))
    raise InputError(
        f"{path} cannot be read as an image: it starts as no format that is known here; give NIfTI, NRRD or MetaImage."
    )


def _start(path):
    """First 540 bytes of a file, unpacked."""
    if path.is_symlink() and not path.exists():
        raise InputError(f"{path} is a link to a file that is not here; fetch it first (datalad get) or mend the link.")
    if not path.is_file():
        raise InputError(f"{path} does not exist or is not a file; check the name.")
    try:
        with open(path, "rb") as file:
            start = file.read(540)
        if start.startswith(b"\x1f\x8b"):
            with gzip.open(path) as archive:
                start = archive.read(540)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(_CUT_SHORT.format(path=path)) from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check its permissions.") from error
    if not start or b"\x1f\x8b".startswith(start):
        raise InputError(_CUT_SHORT.format(path=path))
    return start


def _metaimage(path):
    """MetaImage by ITK, after its header was compared with the file."""
    with open(path, "rb") as file:
        content = file.read(1 << 16)
    fields = dict(re.findall(r"^(\w+)\s*=\s*(.*?)\s*$", content.split(b"\0")[0].decode("latin-1"), re.MULTILINE))
    at = re.search(rb"^ElementDataFile\s*=.*\n", content, re.MULTILINE)
    try:
        sizes = [int(word) for word in fields["DimSize"].split()]
        width = _META_BYTES[fields["ElementType"].removeprefix("MET_")]
    except (KeyError, ValueError) as error:
        raise InputError(f"{path} has a MetaImage header without usable {error}; save it again.") from error
    if at is None or fields["ElementDataFile"] != "LOCAL":
        raise InputError(f"{path} keeps its values in another file; save it as one .mha file.")
    if fields.get("ElementNumberOfChannels", "1") != "1" or len(sizes) != 3 or min(sizes) < 1:
        raise InputError(f"{path} is no scalar volume of three dimensions (sizes {sizes}); save one as NIfTI.")
    needed = math.prod(sizes) * width
    stored = path.stat().st_size - at.end()
    if stored * (1100 if fields.get("CompressedData", "False") == "True" else 1) < needed:
        raise InputError(_CUT_SHORT.format(path=path))
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO("MetaImageIO")
    try:
        image = reader.Execute()
    except RuntimeError as error:
        raise InputError(f"{path} is damaged: ITK cannot read it as MetaImage; copy or export it again.") from error
    return sitk.GetArrayFromImage(image)[None], affine_from(image)


@dataclass(frozen=True)
class _Header:
    """What is used of a NIfTI header: sizes, type, where and how values are scaled, and both positions.

    There are `count` volumes of `shape` (k, j, i).
    """

    count: int
    shape: tuple[int, ...]
    dtype: np.dtype
    offset: int
    slope: float
    intercept: float
    sizes: tuple[float, ...]
    codes: tuple[int, int]
    quaternion: tuple[float, ...]
    rows: tuple[float, ...]
    unit_mm: float


def _nifti_header(start, path):
    """Header of a single-file NIfTI, version 1 or 2, from the start of the file."""
    for order in "<>":
        size = struct.unpack(order + "i", start[:4])[0]
        if size in (348, 540):
            break
    take = lambda form, at: struct.unpack_from(order + form, start, at)  # noqa: E731
    if len(start) < size:
        raise InputError(_CUT_SHORT.format(path=path))
    magic = start[344:348] if size == 348 else start[4:8]
    if magic[:3] not in (b"n+1", b"n+2"):
        pair = magic[:2] == b"ni" or magic == bytes(4)
        words = "keeps its values in another file (.img)" if pair else "has no signature of NIfTI"
        raise InputError(f"{path} {words}; save the image as one .nii file.")
    if size == 348:
        dim, (code,), pixdim = take("8h", 40), take("h", 70), take("8f", 76)
        offset, slope, intercept = take("3f", 108)
        codes, quaternion, rows, unit = take("2h", 252), take("6f", 256), take("12f", 280), start[123]
    else:
        dim, (code,), pixdim = take("8q", 16), take("h", 12), take("8d", 104)
        offset, slope, intercept = take("q2d", 168)
        codes, quaternion, rows, (unit,) = take("2i", 344), take("6d", 352), take("12d", 400), take("i", 500)
    if code not in _NIFTI_TYPES:
        raise InputError(f"{path} holds values of NIfTI type {code}; expected real numbers, so export it as float.")
    if not 1 <= dim[0] <= 7 or min(dim[1 : dim[0] + 1]) < 1:
        raise InputError(f"{path} declares the sizes {list(dim)}; expected positive ones, so copy or export it again.")
    used = dim[1 : dim[0] + 1]
    if len(used) < 3:
        raise InputError(
            f"{path} has {len(used)} dimensions; expected three, so save it as a volume (one slice will do)."
        )
    if math.prod(used[4:]) != 1:
        raise InputError(
            f"{path} has {math.prod(used[4:])} values in each voxel; expected one, "
            "so save each component as a volume of its own."
        )
    if not (math.isfinite(offset) and 0 <= offset < 1 << 40):
        raise InputError(f"{path} declares that its values start at byte {offset:g}; copy or export it again.")
    return _Header(
        count=used[3] if len(used) > 3 else 1,
        shape=tuple(used[2::-1]),
        dtype=np.dtype(order + _NIFTI_TYPES[code]),
        offset=int(offset),
        slope=slope,
        intercept=intercept,
        sizes=(-1.0 if pixdim[0] < 0 else 1.0, *(abs(size) or 1.0 for size in pixdim[1:4])),
        codes=codes,
        quaternion=quaternion,
        rows=rows,
        unit_mm={1: 1e3, 3: 1e-3}.get(unit & 7, 1.0),
    )


def _nifti_grid(path, notes=None):
    """Header and affine of a NIfTI file of one or several volumes."""
    if _format(path) != "nifti":
        raise InputError(f"{path} is no NIfTI file, whatever its name says; export it as NIfTI.")
    header = _nifti_header(_start(path), path)
    affine = _nifti_affine(header, path, notes)
    _check_axes(path, affine, False, None)
    return header, affine


def _nifti_affine(header, path, notes):
    """Affine (i, j, k → RAS): that of the sform, which wins where both are there; or of the qform."""
    qform, sform = header.codes[0] > 0 and _qform(header), header.codes[1] > 0 and _sform(header)
    if sform is False:
        # Without either, axes as ITK takes them: along L, P and S.
        return np.diag([*(np.array(header.sizes[1:]) * header.unit_mm * (-1, -1, 1)), 1.0]) if qform is False else qform
    if qform is not False:
        ends = [(0, size - 1) for size in header.shape[::-1]]
        corners = np.array([(i, j, k, 1) for i in ends[0] for j in ends[1] for k in ends[2]])
        apart = float(np.linalg.norm((corners @ (sform - qform).T)[:, :3], axis=1).max())
        if not apart <= 0.1 * np.linalg.norm(sform[:3, :3], axis=0).min() and notes is not None:
            notes.append(
                f"{path} has two positions, up to {apart:.3g} mm apart: its sform (code {header.codes[1]}) is taken, "
                f"as FSL, SPM and nibabel do, and its qform (code {header.codes[0]}) is not."
            )
    return sform


def _sform(header):
    affine = np.eye(4)
    affine[:3] = np.reshape(header.rows, (3, 4)) * header.unit_mm
    return affine


def _qform(header):
    """Affine of the quaternion, whose real part is what the other three leave to length one."""
    b, c, d = header.quaternion[:3]
    square = b * b + c * c + d * d
    a = math.sqrt(max(1 - square, 0.0))
    if square > 1:
        b, c, d = (x / math.sqrt(square) for x in (b, c, d))
    cross = np.array([[0, -d, c], [d, 0, -b], [-c, b, 0]])
    affine = np.eye(4)
    affine[:3, :3] = (np.eye(3) + 2 * a * cross + 2 * cross @ cross) * header.sizes[1:]
    affine[:3, 2] *= header.sizes[0]
    affine[:3, 3] = header.quaternion[3:]
    affine[:3] *= header.unit_mm
    return affine


def _nifti_values(path, header):
    """Values (count, k, j, i) of a single-file NIfTI, scaled as its header says."""
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    shape = (header.count, *header.shape)
    needed = header.offset + math.prod(shape) * header.dtype.itemsize
    # Before anything of that size is asked for; deflate packs at most 1032 to 1.
    if path.stat().st_size * (1100 if packed else 1) < needed:
        raise InputError(_CUT_SHORT.format(path=path))
    try:
        with gzip.open(path) if packed else open(path, "rb") as file:
            file.seek(header.offset)
            array = np.empty(math.prod(shape), header.dtype)
            if _fill(file, memoryview(array).cast("B")) < array.nbytes:
                raise InputError(_CUT_SHORT.format(path=path))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(_CUT_SHORT.format(path=path)) from error
    array = array.reshape(shape)
    scaled = header.slope != 0 and math.isfinite(header.slope) and math.isfinite(header.intercept)
    if scaled and (header.slope, header.intercept) != (1.0, 0.0):
        array = array * header.slope + header.intercept
    return array


def _fill(file, target):
    """Read into `target` until it is full or the file ends (one call may return less); how many bytes came."""
    done = 0
    while done < len(target) and (count := file.readinto(target[done:])):
        done += count
    return done
