"""What a file is, told by its first bytes before any parser opens it."""

import contextlib
import gzip
import json
import os
import re
import shutil
import struct
import sys
import tempfile
import zlib
from pathlib import Path

from ..errors import InputError

# What was downloaded or fetched in place of the file itself: how it starts, what it is, and what helps.
_STAND_INS = (
    (b"version https://git-lfs", "a pointer of Git LFS, not the file itself", "fetch it with 'git lfs pull'"),
    (b"/annex/objects/", "a pointer of git-annex, not the file itself", "fetch it with 'datalad get'"),
    (b"<!doctype html", "a web page, not the file itself", "download it again"),
    (b"<html", "a web page, not the file itself", "download it again"),
)
# Other kinds of files, and what to do with an image of such a kind.
_KINDS = (
    (b"NRRD", "an image in NRRD", ""),
    (b"mrtrix image", "an image of MRtrix", "convert it to NIfTI with mrconvert"),
    (b"# === DATA DESCRIPTION FILE", "the header of a Philips PAR/REC pair", "convert it with dcm2niix"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file (such as MATLAB 7.3, MINC or ISMRMRD)", "convert the image to NIfTI"),
    (b"CDF\x01", "an image of MINC", "convert it to NIfTI with mnc2nii"),
    (b"MATLAB 5.0", "a MATLAB file", "export the image as NIfTI"),
    (b"\x93NUMPY", "an array of NumPy, which has no geometry", "convert it to NIfTI with its affine"),
    (b"#Insight Transform File", "a transform of ITK", "give the image"),
    (b"II*\x00", "a picture (TIFF), which has no place in the patient", "export the volume as NIfTI"),
    (b"MM\x00*", "a picture (TIFF), which has no place in the patient", "export the volume as NIfTI"),
    (b"Rar!", "packed by RAR", "unpack it"),
    (b"PK\x03\x04", "a ZIP archive (or an Excel workbook)", "unpack it, or save its content in the format asked for"),
    (b"\x1f\x8b", "packed by gzip, perhaps twice", "unpack it"),
    (b"BZh", "packed by bzip2", "unpack it"),
    (b"\xfd7zXZ\x00", "packed by xz", "unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "packed by 7-Zip", "unpack it"),
    (b"(\xb5/\xfd", "packed by Zstandard", "unpack it"),
    (b"%PDF", "a PDF document", "give the image"),
    (b"# vtk DataFile", "a file of VTK (such as a surface)", "export it as an image, regions as a label map"),
    (b"solid ", "a surface (STL)", "export the regions as a label map or .seg.nrrd"),
    (b"<MRML", "a scene of 3D Slicer, without its images", "save the one image or segmentation of it"),
    (b"\x89PNG", "a picture (PNG), which has no place in the patient", "export the volume as NIfTI"),
    (b"\xff\xd8\xff", "a picture (JPEG), which has no place in the patient", "export the volume as NIfTI"),
    (b"GIF8", "a picture (GIF), which has no place in the patient", "export the volume as NIfTI"),
)
# What has no beginning of its own is told by its name.
_NAMES = (
    (r"p\d{4,6}\.7(\.h5)?", "raw data of GE (a P-file)", "reconstruct it on the scanner, and export it as DICOM"),
    (r"meas_.*\.dat", "raw data of Siemens (twix)", "reconstruct it on the scanner, and export it as DICOM"),
    (r".*\.rec", "the values of a Philips PAR/REC or XML/REC pair", "export the scan as DICOM, or PAR with REC"),
    (r"2dseq|visu_pars|acqp|method|reco|fid", "a file of Bruker ParaVision", "export the scan as DICOM from there"),
    (r".*\.(head|brik)", "an image of AFNI", "convert it to NIfTI with 3dAFNItoNIFTI"),
)
# How the remedy of what may be a scan begins.
OF_SCANS = ("unpack", "convert", "reconstruct", "export the scan")
_ENOUGH = 1024
# gzip packs no more than about this many bytes into one.
BEST_PACKING = 1100


@contextlib.contextmanager
def name_for_itk(path):
    """Give the name under which ITK is to write a file: another one where its own is no text, which would end ITK."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        with tempfile.TemporaryDirectory() as folder:
            written = Path(folder) / f"written{Path(path).suffix}"
            yield str(written)
            shutil.copyfile(written, path)
    else:
        yield str(path)


def first_bytes(path, count: int = _ENOUGH, *, unpacked: bool = True) -> bytes:
    """Return the first bytes of a file, by default of what gzip packed into it.

    Raises
    ------
    InputError
        If it is absent, a folder, a link to what is not here, empty, cannot be read, or stands for another file.
    """
    path = Path(path)
    _check_there(path)
    try:
        with open(path, "rb") as file:
            start = file.read(count)
        if unpacked and start[:2] == b"\x1f\x8b":
            with gzip.open(path) as file:
                start = file.read(count)
    except (EOFError, zlib.error) as error:
        raise cut_short(path) from error
    except gzip.BadGzipFile as error:
        raise damaged(path, error) from error
    except OSError as error:
        raise unreadable(path, error) from error
    if not start:
        raise InputError(f"{path} is empty; copy or export it again.")
    for begin, what, remedy in _STAND_INS:
        if start.lstrip().lower().startswith(begin.lower()):
            raise InputError(f"{path} is {what}; {remedy}.")
    return start


def filled(stream, count: int) -> bytearray:
    """Return so many bytes of a stream, or fewer where it ends; room is made for no more than what comes."""
    content = bytearray()
    while len(content) < count and (chunk := stream.read(min(count - len(content), 1 << 20))):
        content += chunk
    return content


def read_json_file(path) -> object:
    """Return what a JSON file holds, in UTF-8 or the encodings of `decoded`, with the errors of `first_bytes`."""
    first_bytes(path)
    try:
        return json.loads(decoded(read_bytes(path)))
    except RecursionError as error:
        raise InputError(f"{path} is not usable JSON (lists in lists without an end); write it again.") from error
    except ValueError as error:
        raise InputError(f"{path} is not valid JSON ({error}); correct it.") from error


def read_entries(path) -> dict:
    """Return what a JSON file that we wrote says, by name; nothing where it is absent or no such file any more."""
    try:
        found = read_json_file(path)
    except InputError:
        return {}
    return found if isinstance(found, dict) else {}


def is_number(value) -> bool:
    """Whether a value of a JSON file is a finite number that a float can hold."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def beside(path: Path, name: str) -> Path:
    """Return the file beside a header that holds its values; folders in the name are left out, as of a moved file.

    Raises
    ------
    InputError
        If there is no such file, or it is none that can be read.
    """
    name = name.replace("\\", "/").rpartition("/")[2].strip()
    if not name.strip(".") or len(name) > 255:
        raise InputError(f"{path} is a header whose values are in the file {name[:40]!r}; save it as one file.")
    found = path.with_name(name)
    first_bytes(found, unpacked=False)
    return found


def companion(path, ending: str) -> Path | None:
    """Return the file beside `path` (without its ending) that ends so, in small letters or large ones; None if none is.

    A link that leads nowhere counts, so that whoever opens it says so.
    """
    spelled = (Path(f"{path}{one}") for one in (ending, ending.upper(), ending.title()))
    return next((file for file in spelled if file.exists() or file.is_symlink()), None)


def read_bytes(path) -> bytes:
    """Return what a small file holds, with the errors of `first_bytes`; an empty file is none."""
    path = Path(path)
    _check_there(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error


def decoded(content: bytes) -> str:
    """Return text in UTF-8, in UTF-16 with a mark, or as Western Windows and older converters wrote it."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        return content.decode("cp1252")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def kind_of(path, start: bytes) -> tuple[str, str] | None:
    """Say what a file is by its first bytes, and what to do to have an image of it; None if that is not known."""
    for begin, what, remedy in _KINDS:
        if start.startswith(begin):
            return what, remedy
    if start[128:132] == b"DICM":
        return "a DICOM file", "convert its series to NIfTI with dcm2niix"
    if start[257:262] == b"ustar":
        return "an archive (tar)", "unpack it"
    name = Path(path).name.lower()
    sizes = struct.unpack_from(">4i", start) if len(start) >= 16 else (0,)
    if sizes[0] == 1 and (name.endswith((".mgh", ".mgz", ".mgh.gz")) or all(0 < n < 4096 for n in sizes)):
        return "an image of FreeSurfer (MGH)", "convert it to NIfTI with mri_convert"
    if is_nifti(start):
        return "an image in NIfTI", ""
    if is_metaimage(start):
        return "an image in MetaImage", ""
    if b"<PRIDE" in start:
        return "the header of a Philips XML/REC pair", "export the scan as DICOM"
    for pattern, what, remedy in _NAMES:
        if re.fullmatch(pattern, name):
            return what, remedy
    if _is_text(start):
        return "a text", "give the image"
    return None


def is_nifti(start: bytes) -> bool:
    """Whether a file starts as NIfTI of version 1 or 2 does, or as the older format Analyze."""
    return len(start) >= 4 and any(start[:4] == struct.pack(order + "i", size) for order in "<>" for size in (348, 540))


def is_metaimage(start: bytes) -> bool:
    """Whether a file starts as MetaImage does."""
    return re.match(rb"(ObjectType|NDims|Comment)\s*=", start) is not None


def cut_short(path) -> InputError:
    """Return what is said of a file that ends too early."""
    return InputError(f"{path} is cut short: it holds less than its header announces; copy or export it again.")


def damaged(path, why) -> InputError:
    """Return what is said of a file that its reader cannot make sense of."""
    return InputError(f"{path} is damaged or cut short ({why}); copy it again.")


def unreadable(path, error: OSError) -> InputError:
    """Return what is said of a file that the system does not give."""
    return InputError(f"{path} cannot be read ({error.strerror or error}); check its permissions and its disk.")


def _check_there(path):
    if path.is_file():
        return
    if path.is_symlink() and not path.exists():
        target = os.readlink(path)
        remedy = (
            "fetch it with 'datalad get'" if ".git/annex" in Path(target).as_posix() else "copy it or the link anew"
        )
        raise InputError(f"{path} is a link to {target}, a file that is not here; {remedy}.")
    if path.is_dir():
        raise InputError(f"{path} is a folder; give the name of a file.")
    raise InputError(f"{path} does not exist or is not a file; check the name.")


def _is_text(start):
    return all(32 <= byte < 127 or byte in (9, 10, 13) for byte in start[:256])
