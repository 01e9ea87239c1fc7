"""Small files of every kind that is read, and ways to damage them: what the quick test and ``make fuzz`` share.

A damage is three whole numbers: which operation, where, and a value for it. Any three are valid, so that hypothesis,
a random generator and a fuzzer's bytes can all make them.
"""

import gzip
import importlib.util
import itertools
import json
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np
import scipy.io
import SimpleITK as sitk
from dicoms import Study, pydicom
from scans import AFFINE, ECHO_TIMES, echoes, write_bids

from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.files import dicom_frames, dicom_series, nifti, read_acquisition
from TrabecularQSMLib.files.archive import write_dicom
from TrabecularQSMLib.files.field import read_field
from TrabecularQSMLib.files.maps import read_chi_noise, read_settings
from TrabecularQSMLib.files.regions import read_regions
from TrabecularQSMLib.files.tables import read_measured, read_rods, read_table
from TrabecularQSMLib.files.transforms import read_transform
from TrabecularQSMLib.settings import preset

try:
    import h5py
except ImportError:  # an extra package
    h5py = None

LARGEST = 1 << 16
_HEADER = 400  # bytes at the start of a file in which half of all damages are
_WORDS = (
    b"", b"-1", b"0", b"1e999", b"-1e-300", b"NaN", b"null", b"true", b'"x"', b"[]", b"{}", b"9" * 400, b"9" * 5000,
    b"[" * 100_000, b'{"a":' * 100_000, b"\0", b"\xff\xfe", "µ".encode("latin-1"), b"../../x", b"%s%n", b"<script>",
)  # fmt: skip
_NUMBERS = tuple(
    struct.pack(order + kind, value)
    for order in "<>"
    for kind, values in (
        ("h", (-1, 0, 32767)),
        ("i", (-1, 0, 2**31 - 1, -(2**31), 2**16)),
        ("q", (-1, 0, 2**63 - 1, 2**40)),
        ("f", (np.nan, np.inf, -1e38, 1e-40)),
        ("d", (np.nan, np.inf, -1e308, 1e-310)),
    )
    for value in values
)


def _cut(content, at, _value):
    return content[:at]


def _bit(content, at, value):
    return content[:at] + bytes([content[at] ^ 1 << value % 8]) + content[at + 1 :]


def _byte(content, at, value):
    return content[:at] + bytes([value % 256]) + content[at + 1 :]


def _number(content, at, value):
    number = _NUMBERS[value % len(_NUMBERS)]
    at -= at % 2  # fields of headers lie evenly
    return content[:at] + number + content[at + len(number) :]


def _nothing(content, at, value):
    return content[:at] + bytes(value % 64) + content[at + value % 64 :]


def _gone(content, at, value):
    return content[:at] + content[at + value % 64 :]


def _twice(content, at, value):
    return content[: at + value % 4096] + content[at:]


def _word(content, at, value):
    found = re.compile(rb"-?\d[\d.eE+-]*|\"[^\"]*\"|\w+").search(content, at)
    start, end = found.span() if found else (at, at)
    return content[:start] + _WORDS[value % len(_WORDS)] + content[end:]


_OPERATIONS = (_cut, _bit, _byte, _number, _nothing, _gone, _twice, _word)


def damaged(content: bytes, damages) -> bytes:
    """Return content after some damages, each (operation, place, value)."""
    for operation, place, value in damages:
        if not content:
            break
        reach = min(_HEADER, len(content)) if place % 2 else len(content)
        content = _OPERATIONS[operation % len(_OPERATIONS)](content, place * reach // LARGEST % len(content), value)
    return content


def random_damages(rng) -> list[tuple[int, int, int]]:
    """Draw one to four damages."""
    return rng.integers(0, LARGEST, (rng.integers(1, 5), 3)).tolist()


@dataclass(frozen=True)
class Kind:
    """A kind of file: good content, and who reads it.

    Parameters
    ----------
    name : str
    files : dict of str to bytes
        What lies in a folder, by name.
    victims : tuple of str
        The files that are damaged, one at a time.
    readers : tuple of (str, callable)
        What is called with the path of the file of that name, or with the folder where it is "".
    foreign : bool
        Whether code that is not Python's parses the file, in a process that is started for it.
    """

    name: str
    files: dict[str, bytes]
    victims: tuple[str, ...]
    readers: tuple[tuple[str, Callable], ...]
    foreign: bool = False

    def try_case(self, folder: Path, victim: int, packed: int, damages) -> bool:
        """Damage one file and read it with every reader: whether all refused it. What else they raise is a fault.

        With `packed`, what gzip packed is damaged and packed again.
        """
        name = self.victims[victim % len(self.victims)]
        good = self.files[name]
        for other, content in self.files.items():
            if not (folder / other).exists():
                (folder / other).parent.mkdir(parents=True, exist_ok=True)
                (folder / other).write_bytes(content)
        inside = packed % 2 and good[:2] == b"\x1f\x8b"
        bad = damaged(gzip.decompress(good) if inside else good, damages)
        (folder / name).write_bytes(gzip.compress(bad, 1) if inside else bad)
        refused = 0
        for place, read in self.readers:
            try:
                read(folder / (place or "."))
            except InputError as error:
                refused += 1
                if not str(error).strip():
                    raise AssertionError("an error without a sentence") from error
        (folder / name).write_bytes(good)
        return refused == len(self.readers)


def kinds(folder: Path) -> list[Kind]:
    """Make all kinds; `folder` is used for what only writes to files."""
    found = (_images(folder), _scans(folder), _texts(), _transforms(folder), _matlab(folder), _dicom(folder))
    return [kind for some in found for kind in some]


_READERS_OF_IMAGES = (
    nifti.read_image, nifti.read_series, nifti.read_layers, nifti.read_metadata, nifti.header_notes, read_regions,
)  # fmt: skip


def _images(folder):
    array = np.random.default_rng(3).integers(0, 3, (4, 5, 6)).astype(np.int16)
    names = ("x.nii", "x.nii.gz", "x.nrrd", "x.seg.nrrd", "x.mha", "x.mhd")
    for name in names:
        nifti.write_image(folder / name, array, AFFINE)
    content = {name: (folder / name).read_bytes() for name in names}
    sitk.WriteImage(sitk.ReadImage(str(folder / "x.mha")), str(folder / "packed.mha"), useCompression=True)
    content["packed.mha"] = (folder / "packed.mha").read_bytes()
    head, _, values = content["x.nrrd"].partition(b"\n\n")
    content["packed.nrrd"] = head.replace(b"encoding: raw", b"encoding: gzip") + b"\n\n" + gzip.compress(values)
    content["2.nii"] = _nifti_2(content["x.nii"])
    content["x.seg.nrrd"] = content["x.seg.nrrd"].replace(
        b"\n\n", b"\nSegment0_Name:=tibia\nSegment0_LabelValue:=1\nSegment0_Layer:=0\n\n", 1
    )
    content["x.nhdr"] = head + b"\ndata file: x.raw\n"
    raw = (folder / "x.raw").read_bytes()
    for name in content:
        readers = tuple((name, read) for read in (*_READERS_OF_IMAGES, _local_field))
        beside = {"x.raw": raw} if name in ("x.mhd", "x.nhdr") else {}
        yield Kind(name, {name: content[name], **beside}, (name, name, name, *beside), readers)
    named = {"x.nii": content["x.nii"], "x.tsv": b"index\tname\n1\ttibia\n2\ttalus\n"}
    yield Kind("names of labels", named, ("x.tsv",), (("x.nii", read_regions),))


def _local_field(path):
    return read_field(path, "local", unit="ppm")


def _nifti_2(content):
    """Return the same image in NIfTI-2."""
    fields = (("8h", 40), ("2h", 70), ("8f", 76), ("12f", 280))
    dim, (kind, bits), zooms, rows = (struct.unpack_from(f"<{form}", content, at) for form, at in fields)
    header = bytearray(544)
    struct.pack_into("<i4s4s2h8q", header, 0, 540, b"n+2\0", b"\r\n\x1a\n", kind, bits, *dim)
    struct.pack_into("<8dq2d", header, 104, *zooms, 544, 1.0, 0.0)
    struct.pack_into("<2i", header, 344, 0, 1)
    struct.pack_into("<12d", header, 400, *rows)
    return bytes(header) + content[352:]


def _content(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def _scans(folder):
    bids = _content(write_bids(folder / "bids" / "sub-01" / "anat", extension=".nii.gz"))
    images, sidecars = (tuple(name for name in bids if name.endswith(ending))[:3] for ending in ("gz", "json"))
    for name in bids:
        if name.endswith("json"):
            bids[name] = bids[name].replace(b"{", b'{"B0DirectionRAS": [0, 0.6, 0.8], "RepetitionTime": 0.1, ', 1)
    scan = (("", read_acquisition),)
    yield Kind("BIDS image", bids, images, scan)
    yield Kind("BIDS sidecar", bids, sidecars, scan)
    left = {}
    for name, content in bids.items():
        stem, ending = name.partition(".")[::2]
        number, part = re.search(r"echo-(\d)_part-(\w+?)_", stem).groups()
        if ending == "json":
            content = json.dumps({**json.loads(content), "SeriesNumber": 4, "SeriesDescription": "ankle",
                                  "ImageType": ["ORIGINAL", "M" if part == "mag" else "P"]}).encode()  # fmt: skip
        left[f"ankle_e{number}{'' if part == 'mag' else '_ph'}.{ending}"] = content
    yield Kind("sidecar of dcm2niix", left, tuple(name for name in left if name.endswith("json"))[:3], scan)
    signal = echoes()
    for name, array in (("s_mag.nii", np.abs(signal)), ("s_ph.nii", np.angle(signal))):
        sitk.WriteImage(sitk.GetImageFromArray(array, isVector=False), str(folder / name))
    several = {name: (folder / name).read_bytes() for name in ("s_mag.nii", "s_ph.nii")}
    several["s_mag.json"] = json.dumps({"EchoTime": ECHO_TIMES, "MagneticFieldStrength": 3.0}).encode()
    yield Kind("one file of all echoes", several, tuple(several), (("s_mag.nii", read_acquisition),))
    field = {"f.nii": (folder / "x.nii").read_bytes(),
             "f.json": b'{"Units": "Hz", "MagneticFieldStrength": 3.0, "ImagingFrequency": 127.7}'}  # fmt: skip
    yield Kind("field map", field, tuple(field), (("f.nii", lambda path: read_field(path, "total")),))


def _texts():
    settings = json.dumps({"Settings": preset("paper").as_dict(), "Notes": ["a"]}, indent=1).encode()
    yield Kind("settings", {"s.json": settings}, ("s.json",), (("s.json", read_settings),))
    noise = b'{"NoiseOfChi": {"Voxels": [1, 10, 100.5], "VarianceRatio": [1.0, 2e1, 30]}}'
    yield Kind("noise", {"c.json": noise}, ("c.json",), (("c.nii.gz", read_chi_noise),))
    comma = b'case,region,n,mean,se\n"a, b",tibia,99,-1.25,0.03\nsub-01,talus,9,1e-3,\n'
    decimal = "case\tregion\thu\tdensity\twater\nÄ\ttibia\t1.234,5\t0,5\t1\nb\ttalus\t−12,25\t1 000\t2\n".encode()
    rows = b"case,region,quantity,unit,n,mean\nsub-01,tibia,chi,ppm,99,-1.25\nsub-01,talus,chi,ppm,9,\n"
    yield Kind("measured rows", {"m.csv": rows}, ("m.csv",), (("m.csv", read_measured),))
    for name, content in (("t.csv", comma), ("t.tsv", decimal), ("u.csv", decimal.decode().encode("utf-16"))):
        yield Kind(name, {name: content}, (name,), ((name, read_table), (name, read_rods)))


def _transforms(folder):
    rigid = sitk.Euler3DTransform((1.0, 2.0, 3.0), 0.1, 0.2, -0.1, (4.0, 5.0, 6.0))
    affine = sitk.AffineTransform(3)
    several = sitk.CompositeTransform([rigid, affine])
    for name, transform in (("r.tfm", rigid), ("a.txt", affine), ("c.tfm", several), ("r.mat", rigid)):
        sitk.WriteTransform(transform, str(folder / name))
        yield Kind(name, {name: (folder / name).read_bytes()}, (name,), ((name, read_transform),))
    sitk.WriteTransform(several, str(folder / "c.h5"))
    yield Kind("c.h5", {"c.h5": (folder / "c.h5").read_bytes()}, ("c.h5",), (("c.h5", read_transform),), foreign=True)


def _matlab(folder):
    values = {"signal": echoes().transpose(3, 2, 1, 0), "TE_s": np.array([ECHO_TIMES]), "centerFreq_Hz": 127.74e6,
              "fieldStrength_T": 3.0, "voxelSize_mm": np.array([[1.5, 1.2, 3.0]]), "orientation": "sag"}  # fmt: skip
    toolbox = {"images": values["signal"][:, :, :, None], "TE": values["TE_s"], "FieldStrength": 3.0,
               "PrecessionIsClockwise": 1.0, "voxelSize": values["voxelSize_mm"],
               "more": np.array(["a", 1.0], object)}  # fmt: skip
    medi = {"iField": values["signal"].conj(), "TE": values["TE_s"], "CF": 127.74e6, "voxel_size": [1.5, 1.2, 3.0],
            "matrix_size": values["signal"].shape[:3], "B0_dir": [0.0, 0.0, 1.0]}  # fmt: skip
    for name, content, options in (
        ("medi.mat", medi, {}),
        ("plain.mat", {"ImDataParams": values}, {}),
        ("packed.mat", {"imDataParams": toolbox}, {"do_compression": True}),
        ("nested.mat", {"study": {"name": "x", "first": {"ImDataParams": values}}, "cells": toolbox["more"]}, {}),
    ):
        scipy.io.savemat(folder / name, content, **options)
        readers = ((name, read_acquisition), (name, read_transform))
        yield Kind(name, {name: (folder / name).read_bytes()}, (name,), readers)
    if h5py is None:
        return
    with h5py.File(folder / "7.3.mat", "w", userblock_size=512) as file:
        group = file.create_group("ImDataParams")
        complex_type = np.dtype([("real", "f4"), ("imag", "f4")])
        group.create_dataset("signal", data=echoes().view(complex_type), compression="gzip", chunks=True)
        for name in ("TE_s", "centerFreq_Hz", "fieldStrength_T", "voxelSize_mm"):
            group[name] = np.atleast_2d(values[name]).T
        group["orientation"] = np.array([[115], [97], [103]], np.uint16)
        group["orientation"].attrs["MATLAB_class"] = np.bytes_("char")
    content = (folder / "7.3.mat").read_bytes()
    content = b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM" + content[128:]
    yield Kind("7.3.mat", {"7.3.mat": content}, ("7.3.mat",), (("7.3.mat", read_acquisition),), foreign=True)


def _dicom(folder):
    if pydicom is None:
        return
    signal, numbers = echoes((3, 12, 10), 3), itertools.count(1)
    for name, vendor, enhanced in (("classic DICOM", "siemens", False), ("enhanced DICOM", "philips", True)):
        with mock.patch("dicoms.generate_uid", lambda: f"1.2.3.{next(numbers)}"):
            Study(folder / name, vendor).write(signal, {"mag": 4, "phase": 5}, ECHO_TIMES[:3], enhanced)
        files = _content(folder / name)
        yield Kind(name, files, tuple(files)[:3], (("", _frame_by_frame),))
        yield Kind(f"{name}, converted", files, tuple(files)[:3], (("", read_acquisition),), foreign=True)
    one = dict([next(iter(_content(folder / "classic DICOM").items()))])
    if importlib.util.find_spec("highdicom"):
        yield Kind("source of DICOM results", one, tuple(one), (("", _export),), foreign=True)


def _export(folder):
    array = np.ones((3, 12, 10), np.float32)
    write_dicom(folder.parent / "archive", folder, "sub-01", {"chi": array}, AFFINE, plain=True)


def _frame_by_frame(folder):
    for candidate in dicom_series.find(sorted(path for path in folder.iterdir() if dicom_frames.is_dicom(path))):
        dicom_series.read(candidate)
