"""Arrays as DICOM images of an MR scan, one a slice, with 16 bits and a slope."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .. import __version__
from ..acquisition import Acquisition
from ..progress import Progress, report
from .dicom_frames import require_pydicom
from .writing import refuse_existing, staged

MANUFACTURER, MODEL = "TrabecularQSM developers", "TrabecularQSM"
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_MOST_INTEGER = 32767
# Part of an echo: what DICOM calls it, its letter among image types, and its series number.
_PARTS = {"mag": ("MAGNITUDE", "M", 1), "phase": ("PHASE", "P", 2)}


def slice_images(pydicom, array: np.ndarray, affine: np.ndarray, largest: float) -> Iterator:
    """Give the images of an array (K, J, I) in the order of k: pixels, where they lie, and no more.

    Parameters
    ----------
    pydicom : module
    array : (K, J, I) array
        Finite.
    affine : (4, 4) array
        Voxel indices (i, j, k) to RAS in mm.
    largest : float
        What the largest integer stands for.
    """
    slope = _decimal(pydicom, largest / _MOST_INTEGER or 1.0)
    lps = LPS @ affine
    sizes = np.linalg.norm(lps[:3, :3], axis=0)
    cosines = lps[:3, :3] / sizes
    for k, plane in enumerate(array):
        image = pydicom.Dataset()
        image.file_meta = pydicom.dataset.FileMetaDataset()
        image.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = pydicom.uid.MRImageStorage
        image.Modality, image.InstanceNumber = "MR", k + 1
        image.Manufacturer, image.ManufacturerModelName, image.SoftwareVersions = MANUFACTURER, MODEL, __version__
        image.ScanningSequence, image.SequenceVariant, image.ScanOptions, image.MRAcquisitionType = "GR", "SP", "", "3D"
        image.RepetitionTime = image.EchoTime = image.EchoTrainLength = None
        image.ImagePositionPatient = [_decimal(pydicom, x) for x in lps[:3, 3] + k * lps[:3, 2]]
        image.ImageOrientationPatient = [_decimal(pydicom, x) for x in (*cosines[:, 0], *cosines[:, 1])]
        image.PixelSpacing = [_decimal(pydicom, sizes[1]), _decimal(pydicom, sizes[0])]
        image.SliceThickness = image.SpacingBetweenSlices = _decimal(pydicom, sizes[2])
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.Rows, image.Columns = plane.shape
        image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 1
        image.RescaleSlope, image.RescaleIntercept = slope, 0
        image.PixelData = np.round(plane / float(slope)).clip(-32768, 32767).astype("<i2").tobytes()
        yield image


def set_window(pydicom, image, low: float, high: float) -> None:
    """Set the range of values that a viewer shows at first."""
    image.WindowCenter, image.WindowWidth = _decimal(pydicom, (low + high) / 2), _decimal(pydicom, high - low)


def write_study(output, acquisition: Acquisition, subject: str, progress: Progress | None = None) -> list[Path]:
    """Write the echoes of a scan as a DICOM study of its own: a series of magnitude and one of phase.

    Parameters
    ----------
    output : path
        Folder for ``mag`` and ``phase``.
    acquisition : Acquisition
        With phase, and B0 along the patient.
    subject : str
        Label of the patient; every identifier follows from it and from the scan.
    progress : callable, optional

    Returns
    -------
    list of Path
        The folders of the series.

    Raises
    ------
    InputError
        If pydicom is missing, there is such a study already, or it cannot be written; nothing is written then.
    """
    pydicom = require_pydicom()
    output, echoes = Path(output), acquisition.echoes
    refuse_existing(output, list(_PARTS), overwrite=False)
    identity = [subject, __version__, hashlib.sha256(echoes.tobytes()).hexdigest()]
    largest = {"mag": float(np.abs(echoes).max()), "phase": np.pi}
    with staged(output) as staging:
        for number, part in enumerate(_PARTS):
            (staging / part).mkdir()
            for n, echo in enumerate(echoes):
                report(progress, (number + n / len(echoes)) / len(_PARTS), f"Writing DICOM, echo {n + 1}")
                values = np.abs(echo) if part == "mag" else np.angle(echo)
                for image in slice_images(pydicom, values, acquisition.affine, largest[part]):
                    _identify(pydicom, image, identity, part, n, acquisition)
                    path = staging / part / f"echo-{n + 1}_{image.InstanceNumber:04d}.dcm"
                    image.save_as(path, enforce_file_format=True)
    return [output / part for part in _PARTS]


def _identify(pydicom, image, identity, part, n, acquisition):
    """Say whose an image is, of which series and echo; what the physician or the scanner would add stays empty."""
    component, letter, series = _PARTS[part]

    def uid(*what):
        return pydicom.uid.generate_uid(entropy_srcs=[*identity, *map(str, what)])

    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = uid(part, n, image.InstanceNumber)
    image.SeriesInstanceUID, image.StudyInstanceUID, image.FrameOfReferenceUID = uid(part), uid("study"), uid("frame")
    image.PatientName, image.PatientID = f"Phantom^{identity[0]}", f"phantom-{identity[0]}"
    image.PatientBirthDate = image.PatientSex = image.StudyDate = image.StudyTime = image.StudyID = None
    image.AccessionNumber = image.ReferringPhysicianName = image.PositionReferenceIndicator = None
    image.PatientPosition, image.SeriesNumber, image.AcquisitionNumber = "FFS", series, 1
    image.StudyDescription = image.ProtocolName = "Simulated"
    image.SeriesDescription = f"Multi-echo gradient echo, {part}"
    image.ImageType, image.ComplexImageComponent = ["ORIGINAL", "PRIMARY", letter], component
    image.InstanceNumber += n * len(acquisition.echoes[0])
    image.EchoTime, image.EchoNumbers = _decimal(pydicom, 1e3 * acquisition.echo_times[n]), n + 1
    image.MagneticFieldStrength = _decimal(pydicom, acquisition.field_strength)
    image.ImagingFrequency = _decimal(pydicom, acquisition.imaging_frequency / 1e6)
    image.RescaleType = "US" if part == "mag" else "rad"
    low, high = (0.0, float(image.RescaleSlope) * _MOST_INTEGER) if part == "mag" else (-np.pi, np.pi)
    set_window(pydicom, image, low, high)


def _decimal(pydicom, value):
    """Return a number as DICOM's decimal string, which has 16 characters."""
    return pydicom.valuerep.DSfloat(float(value), auto_format=True)
