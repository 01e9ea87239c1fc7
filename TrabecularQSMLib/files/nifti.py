"""Images and transforms in files: NIfTI and whatever else ITK reads, as arrays [k, j, i] with an affine to RAS."""

import errno
import gzip
import math
import os
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from ..images import affine_from, image_from, transform_from
from .transforms import read_linear

_NIFTI_TYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"
}  # fmt: skip

_CUT_SHORT = "{path} is cut short: it holds less than its header announces; copy or export it again."


def read_image(path) -> tuple[np.ndarray, np.ndarray]:
    """Read a scalar volume.

    Parameters
    ----------
    path : path
        NIfTI, NRRD or any other format of ITK. A fourth axis of length one is dropped.

    Returns
    -------
    array : (K, J, I) array
        Values in the file's own type, or float where the header scales them.
    affine : (4, 4) array
        Voxel indices (i, j, k) to RAS in mm.

    Raises
    ------
    InputError
        If the file is absent, damaged, cut short, or not one scalar volume.
    """
    path = Path(path)
    reader = _open(path)
    shape, affine = _geometry(reader, path)
    # ITK fills with zeros what is missing at the end of a NIfTI file and what is not a number, and says nothing.
    if path.name.lower().endswith((".nii", ".nii.gz")):
        return _nifti_values(path, shape), affine
    try:
        return sitk.GetArrayFromImage(reader.Execute()).reshape(shape), affine
    except RuntimeError as error:
        raise _unreadable(path, error) from error


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
    path = Path(path)
    reader = _open(path)
    if reader.GetNumberOfComponents() == 1:
        array, affine = read_image(path)
        return array[None], affine
    shape, affine = _geometry(reader, path, layers=True)
    try:
        return np.moveaxis(sitk.GetArrayFromImage(reader.Execute()), -1, 0).reshape(-1, *shape), affine
    except RuntimeError as error:
        raise _unreadable(path, error) from error


def read_metadata(path) -> dict[str, str]:
    """Read the header's text fields, named as ITK does."""
    reader = _open(Path(path))
    return {key: reader.GetMetaData(key) for key in reader.GetMetaDataKeys()}


def stores_orientation(path) -> bool:
    """Whether an image says how it lies in the patient; a NIfTI file with both transform codes zero does not."""
    metadata = read_metadata(path)
    codes = [metadata[key] for key in ("qform_code", "sform_code") if key in metadata]
    return not codes or any(code.strip() != "0" for code in codes)


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


def _open(path):
    """Return an ITK reader that knows the header."""
    if not path.is_file():
        raise InputError(f"{path} does not exist or is not a file; check the name.")
    if path.stat().st_size == 0:
        raise InputError(_CUT_SHORT.format(path=path))
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise _unreadable(path, error) from error
    return reader


def _unreadable(path, error):
    reason = str(error).strip().rpartition("\n")[2].removeprefix("ITK ERROR: ").strip().rstrip(".")
    return InputError(f"{path} cannot be read as an image ({reason}); it may be cut short: copy or export it again.")


def _geometry(reader, path, layers=False):
    """Shape (k, j, i) and affine (i, j, k → RAS) of a header."""
    size, dimensions = reader.GetSize(), reader.GetDimension()
    if reader.GetNumberOfComponents() != 1 and not layers:
        raise InputError(
            f"{path} has {reader.GetNumberOfComponents()} values in each voxel; expected one, "
            "so save each component as a volume of its own."
        )
    if dimensions == 4 and size[3] != 1:
        raise InputError(
            f"{path} has four dimensions, the last of length {size[3]}; expected one volume in each file, so split it."
        )
    if dimensions not in (3, 4):
        raise InputError(
            f"{path} has {dimensions} dimensions; expected three, so save it as a volume (one slice will do)."
        )
    return size[2::-1], affine_from(reader)


def _nifti_values(path, shape):
    """Values (k, j, i) of a single-file NIfTI, version 1 or 2, scaled as its header says."""
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path) if packed else open(path, "rb") as file:
            dtype, offset, slope, intercept = _nifti_header(file.read(540), path)
            file.seek(offset)
            array = np.empty(math.prod(shape), dtype)
            if _fill(file, memoryview(array).cast("B")) < array.nbytes:
                raise InputError(_CUT_SHORT.format(path=path))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(_CUT_SHORT.format(path=path)) from error
    array = array.reshape(shape)
    if slope != 0 and math.isfinite(slope) and math.isfinite(intercept) and (slope, intercept) != (1.0, 0.0):
        array = array * slope + intercept
    return array


def _fill(file, target):
    """Read into `target` until it is full or the file ends (one call may return less); how many bytes came."""
    done = 0
    while done < len(target) and (count := file.readinto(target[done:])):
        done += count
    return done


def _nifti_header(header, path):
    """Type of the values, their offset in bytes, slope and intercept."""
    for order in "<>":
        size = struct.unpack(order + "i", header[:4])[0] if len(header) >= 348 else None
        if size == 348:
            code, (offset, slope, intercept) = header[70:72], struct.unpack(order + "3f", header[108:120])
        elif size == 540 and len(header) == 540:
            code, (offset, slope, intercept) = header[12:14], struct.unpack(order + "q2d", header[168:192])
        else:
            continue
        code = struct.unpack(order + "h", code)[0]
        if code not in _NIFTI_TYPES:
            raise InputError(f"{path} holds values of NIfTI type {code}; expected real numbers, so export it as float.")
        return np.dtype(order + _NIFTI_TYPES[code]), int(offset), slope, intercept
    raise InputError(_CUT_SHORT.format(path=path))
