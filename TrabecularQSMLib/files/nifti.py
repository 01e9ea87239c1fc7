"""Images in files: NIfTI, NRRD and MetaImage, as arrays [k, j, i] with an affine to RAS."""

import errno
import gzip
import math
import os
import shutil
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import InputError, counted
from ..images import LARGEST_SHEAR, image_from, shear_degrees
from .formats import first_bytes, is_metaimage, is_nifti, kind_of, name_for_itk
from .metaimage import MetaImageHeader
from .nifti_header import read_header, spans_volume
from .nrrd import read_header as read_nrrd_header
from .nrrd import read_nrrd

# So little room on a disk that failed is why, in bytes.
_LITTLE_ROOM = 1 << 16


def read_image(path) -> tuple[np.ndarray, np.ndarray]:
    """Read a scalar volume.

    Parameters
    ----------
    path : path
        NIfTI, NRRD or MetaImage. A fourth axis of length one is dropped.

    Returns
    -------
    array : (K, J, I) array
        Values in the file's own type, or float where the header scales them.
    affine : (4, 4) array
        Voxel indices (i, j, k) to RAS in mm; `header_notes` says what is in doubt about it.

    Raises
    ------
    InputError
        If the file is absent, damaged, cut short, or not one scalar volume.
    """
    file = _opened(path)
    file.check()
    return file.values().reshape(file.shape), file.affine


def read_series(path) -> tuple[np.ndarray, np.ndarray]:
    """Read a volume, or several along the fourth axis, of real or complex values.

    Parameters
    ----------
    path : path
        NIfTI, NRRD or MetaImage.

    Returns
    -------
    array : (E, K, J, I) array
        The volumes in the file's order; one if the file has three dimensions. In the file's own type, or float where
        the header scales them.
    affine : (4, 4) array
        Voxel indices (i, j, k) to RAS in mm; `header_notes` says what is in doubt about it.

    Raises
    ------
    InputError
        If the file is absent, damaged, cut short, or has several values in each voxel.
    """
    file = _opened(path)
    file.check(series=True)
    return file.values().reshape(file.count, *file.shape), file.affine


def read_grid(path) -> tuple[int, tuple[int, int, int], np.ndarray]:
    """Read the header: how many volumes there are, their shape (k, j, i), and the affine (i, j, k → RAS)."""
    file = _opened(path)
    file.check(series=True)
    return file.count, file.shape, file.affine


def is_complex(path) -> bool:
    """Whether an image file holds complex numbers, as NIfTI can."""
    return is_nifti(first_bytes(path)) and read_header(path).dtype.kind == "c"


def read_layers(path) -> tuple[np.ndarray, np.ndarray]:
    """Read a volume of one or several values in each voxel, such as the layers of Slicer's ``.seg.nrrd``.

    Parameters
    ----------
    path : path
        NIfTI, NRRD or MetaImage.

    Returns
    -------
    array : (L, K, J, I) array
        L values in each voxel, in the file's own type, or float where the header scales them.
    affine : (4, 4) array
        Voxel indices (i, j, k) to RAS in mm; `header_notes` says what is in doubt about it.

    Raises
    ------
    InputError
        If the file is absent, damaged, cut short, or has several volumes along a fourth axis.
    """
    file = _opened(path)
    file.check(layers=True)
    return file.values().reshape(file.components, *file.shape), file.affine


def read_metadata(path) -> dict[str, str]:
    """Read the texts that a NRRD header holds beside its fields, such as the names of segments; others have none."""
    path = Path(path)
    if first_bytes(path).startswith(b"NRRD"):
        return read_nrrd_header(path)[1]
    read_grid(path)
    return {}


def stores_orientation(path) -> bool:
    """Whether an image says how it lies in the patient; a NIfTI file with both transform codes zero does not."""
    return not is_nifti(first_bytes(path)) or any(code > 0 for code in read_header(path).codes)


def header_notes(*paths) -> list[str]:
    """Say what is in doubt about the position of images, by name; None stands for no image."""
    files = {path: _opened(path) for path in dict.fromkeys(Path(path) for path in paths if path is not None)}
    notes = _on_places(files)
    for path, file in files.items():
        notes += file.notes
        shear = shear_degrees(file.affine)
        if shear > LARGEST_SHEAR:
            notes.append(
                f"The axes of {path.name} are up to {shear:.2g}° off right angles, as those of a CT with a tilted "
                "gantry; each voxel is taken where they put it."
            )
    return list(dict.fromkeys(notes))


def _on_places(files):
    """Say which images tell nothing of where they lie, where others do."""
    nowhere = [path.name for path, file in files.items() if not file.placed or np.allclose(abs(file.affine), np.eye(4))]
    if not 0 < len(nowhere) < len(files):
        return []
    rest = [path.name for path in files if path.name not in nowhere]
    says = "says" if len(nowhere) == 1 else "say"
    return [
        f"{' and '.join(nowhere)} {says} nothing of place or voxel size, or the 1 mm at the origin that programs write "
        f"where they know nothing, but {' and '.join(rest)} does: check that they lie on each other."
    ]


def save_image(image: sitk.Image, path, *, packed: bool = False, size: int | None = None) -> None:
    """Write an image of ITK whole: it has so many bytes, or is read again.

    Raises
    ------
    OSError
        If it cannot be written, or does not fit on the disk, of which ITK says nothing.
    """
    path, whole = Path(path), False
    try:
        with name_for_itk(path) as name:
            sitk.WriteImage(image, name, useCompression=packed)
            if size is None:
                whole = np.array_equal(*map(sitk.GetArrayFromImage, (sitk.ReadImage(name), image)), equal_nan=True)
            else:
                whole = Path(name).stat().st_size == size
    except RuntimeError:
        pass
    if not whole:
        full = size is not None and path.exists() or shutil.disk_usage(path.parent).free < _LITTLE_ROOM
        code = errno.ENOSPC if full else errno.EIO
        raise OSError(code, os.strerror(code), str(path))


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
    by_size = plain.suffix == ".nii"
    save_image(image_from(array, affine), plain, size=352 + array.nbytes if by_size else None)
    if packed:
        # Neither name nor time in the header: they would make equal maps differ.
        with open(plain, "rb") as source, open(path, "wb") as target:
            with gzip.GzipFile(filename="", mode="wb", fileobj=target, compresslevel=1, mtime=0) as archive:
                shutil.copyfileobj(source, archive, 1 << 20)
        plain.unlink()
    elif plain != path:
        plain.replace(path)


class _Image:
    """An image whose header was read: sizes, affine, and where its values come from."""

    notes: tuple[str, ...] = ()
    complex = False
    # Whether the header says where the image lies and how large its voxels are.
    placed = True

    def check(self, *, layers=False, series=False):
        """Raise `InputError` unless it is one volume, with `layers` of several values, with `series` several.

        Series alone may be complex: they are echoes.
        """
        if self.complex and not series:
            raise InputError(
                f"{self.path} holds complex numbers; expected one real number in each voxel, so save magnitude and "
                "phase (or real and imaginary part) as files of their own."
            )
        if self.components != 1 and not layers:
            echoes = ", or, if these are echoes, along the fourth axis" if series and self.count == 1 else ""
            raise InputError(
                f"{self.path} has {self.components} values in each voxel; expected one, "
                f"so save each component as a volume of its own{echoes}."
            )
        if self.count != 1 and not series:
            raise InputError(
                f"{self.path} has four dimensions, the last of length {self.count}; expected one volume in each file, "
                "so split it."
            )
        if self.dimensions not in (3, 4):
            raise InputError(
                f"{self.path} has {counted(self.dimensions, 'dimension')}; expected three, so save it as a volume "
                "(one slice will do)."
            )


class _Nifti(_Image):
    def __init__(self, path):
        header = read_header(path)
        self.path, self.shape, self.affine, self.notes = path, header.shape, header.affine, header.notes
        self.values, self.complex = header.values, header.dtype.kind == "c"
        self.placed = any(code > 0 for code in header.codes)
        self.dimensions = min(len(header.sizes), 4)
        self.count = header.sizes[3] if len(header.sizes) > 3 else 1
        self.components = math.prod(header.sizes[4:])


class _Nrrd(_Image):
    def __init__(self, path):
        self.path = path
        layers, self.affine = read_nrrd(path)
        self.dimensions, self.count, self.components, self.shape = 3, 1, len(layers), layers.shape[1:]
        self.values = lambda: layers
        self.placed = not {"space directions", "spacings"}.isdisjoint(read_nrrd_header(path)[0])


class _MetaImage(_Image):
    def __init__(self, path):
        header = MetaImageHeader(path)
        self.path, self.shape, self.affine = path, header.shape, header.affine
        self.values, self.dimensions, self.components = header.values, len(header.sizes), header.components
        self.count = header.sizes[3] if self.dimensions == 4 else 1
        self.placed = header.placed


def _opened(path):
    """Return an image with its header read, by our own code: parsers of other libraries trust what files say."""
    path = Path(path)
    start = first_bytes(path)
    if is_nifti(start):
        return _Nifti(path)
    if start.startswith(b"NRRD") or is_metaimage(start):
        image = _MetaImage(path) if is_metaimage(start) else _Nrrd(path)
        if not spans_volume(image.affine):
            raise InputError(f"{path} has a damaged header: its voxel axes span no volume; export it again.")
        return image
    kind = kind_of(path, start)
    what, remedy = kind or ("begins as no known format", "expected NIfTI, NRRD or MetaImage, so convert it")
    raise InputError(f"{path} cannot be read as an image: it {'is ' if kind else ''}{what}; {remedy}.")
