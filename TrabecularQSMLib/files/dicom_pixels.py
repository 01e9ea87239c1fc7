"""Pixels of DICOM frames as true values, by pydicom or, for codings that it lacks, by ITK."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import InputError
from . import apart
from .dicom_frames import LPS_TO_RAS, Frame, read_dataset, value_of

# Elements that hold pixels.
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


def with_places(frame: Frame, opened: dict) -> tuple[np.ndarray, np.ndarray]:
    """Return the true values (n,) of a frame, and where they lie in RAS mm (3, n).

    `opened` and errors are those of `pixels`; ITK is not asked.
    """
    values = pixels(frame, opened)
    j, i = (axis.ravel() for axis in np.indices(values.shape))
    places = frame.position[:, None] + np.outer(frame.rows, i) + np.outer(frame.columns, j)
    return values.ravel().astype(np.float64), LPS_TO_RAS @ places


def pixels(frame: Frame, opened: dict, files: Sequence[Path] = ()) -> np.ndarray:
    """Return the true values (j, i) of a frame.

    Parameters
    ----------
    frame : Frame
    opened : dict
        Kept from frame to frame of a scan: the file of several frames, and what ITK had to decode.
    files : sequence of Path
        Those of the scan, for ITK, which reads all at once.

    Raises
    ------
    InputError
        If the pixels cannot be read.
    """
    if frame.index is None:
        array = _stored(frame.path, opened, files)
    else:
        if frame.path not in opened:
            opened.clear()
            opened[frame.path] = _stored(frame.path, opened, files)
        array = opened[frame.path]
        array = array[frame.index] if array.ndim == 3 and frame.index < len(array) else array
    if array.ndim != 2:
        raise InputError(
            f"{frame.path} holds pixels of the shape {array.shape}; expected one gray image a frame, so export it "
            "again."
        )
    if (frame.slope, frame.intercept) == (1.0, 0.0):
        return array
    with np.errstate(over="ignore"):  # what is not finite is told where the scan is checked
        return array * np.float32(frame.slope) + np.float32(frame.intercept)


def _stored(path, opened, files):
    dataset = None
    try:
        dataset = read_dataset(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return dataset.pixel_array
    except Exception as error:  # pydicom's decoders end in many exceptions
        if files and dataset is not None and "PerFrameFunctionalGroupsSequence" not in dataset:
            if path not in opened:
                opened.update(zip(files, apart.read_images(files), strict=True))
            if opened[path] is not None:
                return _without_scale(dataset, opened.pop(path))
        if dataset is not None and not any(name in dataset for name in _PIXELS):
            raise InputError(f"{path} holds no pixels; export it again.") from error
        coding = getattr(dataset, "file_meta", {}).get("TransferSyntaxUID")
        syntax = getattr(coding, "name", "an unknown coding")
        if coding is not None and not coding.is_private and not coding.is_compressed:
            raise InputError(f"{path} is damaged or cut short ({error}); copy or export it again.") from error
        raise InputError(
            f"The pixels of {path} ({syntax}) cannot be decoded ({error}); store the files uncompressed and try again."
        ) from error


def _without_scale(dataset, image):
    """Stored values of an image that ITK decoded, which it does for more codings than pydicom alone."""
    slope, intercept = value_of(dataset, "RescaleSlope") or 1.0, value_of(dataset, "RescaleIntercept") or 0.0
    return (image[0].astype(np.float64) - intercept) / slope
