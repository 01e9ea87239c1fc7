"""An image of a scan in DICOM, by which results are put into the study of their patient."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import InputError, counted
from ..progress import Progress, report
from .bids import files_below
from .dicom_frames import is_dicom, read_dataset

# Classic, enhanced and converted MR images.
_MR_CLASSES = ("1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1", "1.2.840.10008.5.1.4.1.1.4.4")
# What a plain image needs of its study, and may have.
OF_STUDY = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyID", "StudyDate",
            "StudyTime", "AccessionNumber", "ReferringPhysicianName", "StudyDescription",
            "FrameOfReferenceUID", "PositionReferenceIndicator", "PatientPosition")  # fmt: skip
_MAY_BE_EMPTY = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate", "StudyTime",
                 "AccessionNumber", "ReferringPhysicianName", "PositionReferenceIndicator")  # fmt: skip
# Files of the source that are read between two reports.
_TOLD_EVERY = 50


def read_reference(pydicom, source: Path, affine: np.ndarray, progress: Progress | None):
    """Return the header of an image of a scan, by which patient, study and frame of reference are known.

    Parameters
    ----------
    pydicom : module
    source : path
        DICOM file, or folder with files, of the scan.
    affine : (4, 4) array
        Of maps that were made from the scan: voxel indices (i, j, k) to RAS in mm.
    progress : callable or None

    Raises
    ------
    InputError
        If there is no DICOM image of one study, or the maps do not lie where its images lie.
    """
    paths = [source] if source.is_file() else files_below(source) if source.is_dir() else []
    paths = _telling(paths, progress)
    found, studies = [], {}
    for path in paths:
        # What pydicom raises on a damaged file is of many kinds; such a file is no reference.
        with contextlib.suppress(Exception):
            dataset = read_dataset(path, stop_before_pixels=True) if is_dicom(path) else None
            if dataset is not None and _is_whole(dataset):
                order = [int(dataset.get(key) or 0) for key in ("SeriesNumber", "InstanceNumber")]
                found.append((order, _lies_on(dataset, affine), dataset))
                studies.setdefault(dataset.StudyInstanceUID, path)
    if not found:
        raise InputError(f"{source} holds no DICOM image of an MR scan; give the folder that the maps were made from.")
    if len(studies) > 1:
        listed = ", ".join(path.name for path in list(studies.values())[:3])
        raise InputError(
            f"{source} holds {len(studies)} studies ({listed} and others); give the folder of one of them."
        )
    fitting = [(order, dataset) for order, fits, dataset in found if fits]
    if not fitting:
        raise InputError(
            f"The maps do not lie where the images of {source} lie; give the DICOM folder of the scan that they were "
            "made from."
        )
    _, chosen = min(fitting, key=lambda one: one[0])
    for key in _MAY_BE_EMPTY:  # anonymized studies have lost some
        if key not in chosen or not _is_usable(pydicom, key, chosen.get(key)):
            setattr(chosen, key, None)
    # highdicom reads it, though the maps have their own.
    if "SpacingBetweenSlices" in chosen and _count_floats(chosen.get("SpacingBetweenSlices")) != 1:
        del chosen.SpacingBetweenSlices
    return chosen


def _is_usable(pydicom, key, value):
    """Whether a date or time is one: anonymized studies have words there."""
    kind = {"StudyDate": "DA", "PatientBirthDate": "DA", "StudyTime": "TM"}.get(key)
    try:
        return kind is None or getattr(pydicom.valuerep, kind)(str(value or "")) is not False
    except ValueError:
        return False


def _is_whole(dataset):
    """Whether a header is that of an MR image and holds what others refer to it by."""
    for name in OF_STUDY:
        dataset.get(name)  # values are converted when they are asked for; damaged ones raise
    uids = (
        dataset.get(f"{name}UID") for name in ("SOPInstance", "SeriesInstance", "StudyInstance", "FrameOfReference")
    )
    plane = {"ImagePositionPatient": 3, "ImageOrientationPatient": 6, "PixelSpacing": 2, "SliceThickness": 1}
    plane = {name: n for name, n in plane.items() if name in dataset or dataset.get("SOPClassUID") == _MR_CLASSES[0]}
    return (
        dataset.get("Modality") == "MR"
        and all(_count_floats(dataset.get(name)) == n for name, n in plane.items())
        and dataset.get("SOPClassUID") in _MR_CLASSES
        and all(isinstance(dataset.get(name), int) for name in ("Rows", "Columns"))
        and all(uid is not None and uid.is_valid for uid in uids)
    )


def _count_floats(value):
    values = value if isinstance(value, Sequence) else [value]
    return sum(isinstance(one, float) for one in values)


def _telling(paths, progress):
    """Files of the source, with a report now and then."""
    for number, path in enumerate(paths):
        if number % _TOLD_EVERY == 0:
            report(progress, 0.0, f"Looking at {counted(len(paths), 'file')} of the scan")
        yield path


def _lies_on(dataset, affine):
    """Whether the planes of a DICOM image are planes of the maps' grid."""
    frames = dataset.get("PerFrameFunctionalGroupsSequence", [dataset])
    shared = dataset.get("SharedFunctionalGroupsSequence", [dataset])[0]
    inverse = np.linalg.inv(affine)
    for frame in frames:
        position, orientation = (_group(frame, shared, f"Plane{name}Sequence") for name in ("Position", "Orientation"))
        if "ImagePositionPatient" not in position or "ImageOrientationPatient" not in orientation:
            continue
        point = np.array([*map(float, position.ImagePositionPatient), 1.0]) * (-1, -1, 1, 1)
        index = inverse @ point
        directions = np.array(orientation.ImageOrientationPatient, float).reshape(2, 3) * (-1, -1, 1)
        steps = np.abs(directions @ inverse[:3, :3].T)
        along_axes = np.all(np.sort(steps, axis=1)[:, :2] < 0.02 * steps.max())
        if along_axes and np.all(np.abs(index[:3] - np.round(index[:3])) < 0.1):
            return True
    return False


def _group(frame, shared, name):
    for place in (frame, shared):
        if name in place:
            return place[name].value[0]
    return frame
