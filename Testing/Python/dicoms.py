"""Small multi-echo scans as DICOM files, by the conventions of three vendors, classic and enhanced multi-frame."""

from pathlib import Path

import numpy as np
from scans import AFFINE, ECHO_TIMES

try:
    import pydicom
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid
except ImportError:  # an extra package
    pydicom = None

CLASSIC, ENHANCED = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1"
LPS = np.diag([-1.0, -1, 1, 1])
# How each vendor says which part an image is, and how it stores its values.
TYPES = {
    "siemens": {"mag": ("M", "ND"), "phase": ("P", "ND")},
    "philips": {"mag": ("M_FFE", "M", "FFE"), "phase": ("PHASE MAP", "P", "FFE"),
                "real": ("R_FFE", "R", "FFE"), "imag": ("I_FFE", "I", "FFE")},
    "ge": {"mag": ("OTHER",), "phase": ("OTHER",), "real": ("OTHER",), "imag": ("OTHER",)},
}  # fmt: skip
MANUFACTURERS = {"siemens": "SIEMENS", "philips": "Philips Medical Systems", "ge": "GE MEDICAL SYSTEMS"}
COMPONENTS = {"mag": "MAGNITUDE", "phase": "PHASE", "real": "REAL", "imag": "IMAGINARY"}
CONVERT = {"mag": np.abs, "phase": np.angle, "real": np.real, "imag": np.imag}
GE_NUMBERS = {"mag": 0, "phase": 1, "real": 2, "imag": 3}


def stored(vendor, part, values, echo=0):
    """Pixel values as a vendor stores them, and the slope and intercept that it gives."""
    if part != "phase":
        # Philips has a scale of its own for each echo, and another one to look at.
        scale, slope = (philips_scale(part, echo), 2.5) if vendor == "philips" else (1.0, 1.0)
        return np.round(10 * values * scale).astype(np.uint16 if part == "mag" else np.int16), slope, 0.0
    if vendor == "siemens":  # 0 to 4095, of which slope and intercept make −4096 to 4094
        return np.clip(np.round((values / np.pi + 1) * 2048), 0, 4095).astype(np.uint16), 2.0, -4096.0
    if vendor == "philips":  # milliradians
        slope = 2 * np.pi / 4095
        return np.round((values + np.pi) / slope).astype(np.uint16), 1000 * slope, -1000 * np.pi
    return np.round(1000 * values).astype(np.int16), 1.0, 0.0


def philips_scale(part, echo):
    """What Philips divides by, beside slope and intercept: that of phase makes radians of milliradians."""
    return 4095 / (2 * np.pi) if part == "phase" else 2.0 + echo


class Study:
    """Writes the series of one examination into a folder."""

    def __init__(self, folder, vendor="siemens", affine=AFFINE):
        self.folder, self.vendor, self.affine = Path(folder), vendor, affine
        self.folder.mkdir(parents=True, exist_ok=True)
        self.study, self.frame = generate_uid(), generate_uid()
        self.count = 0

    def write(self, signal, part_series, times=ECHO_TIMES, enhanced=False, protocol="ankle", **changes):
        """Write echoes [e, k, j, i]; `part_series` is part to series number; `changes` are values of the header."""
        uids = {number: generate_uid() for number in part_series.values()}
        for part, number in part_series.items():
            frames = [(n, k) for n in range(len(signal)) for k in range(signal.shape[1])]
            if enhanced:
                parts = [name for name, its_number in part_series.items() if its_number == number]
                if part == parts[0]:
                    self._write_enhanced(signal, parts, number, uids[number], times, protocol, changes)
                continue
            for n, k in frames:
                values, slope, intercept = stored(self.vendor, part, CONVERT[part](signal[n, k]), n)
                dataset = self._common(CLASSIC, part, number, uids[number], protocol)
                dataset.EchoTime, dataset.EchoNumbers = 1e3 * times[n], n + 1
                self._plane(dataset, dataset, dataset, k)
                dataset.SliceLocation = float(k * np.linalg.norm(self.affine[:3, 2]))
                if self.vendor != "ge":
                    dataset.RescaleSlope, dataset.RescaleIntercept = slope, intercept
                    dataset.RescaleType = "US"
                if self.vendor == "philips":
                    self._philips(dataset, part, n)
                self._pixels(dataset, values)
                self._save(dataset, changes)

    def _common(self, sop_class, part, number, uid, protocol):
        self.count += 1
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = sop_class
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
        dataset.ImageType = ["ORIGINAL", "PRIMARY", *TYPES[self.vendor][part]]
        dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = dataset.ContentDate = "20260102"
        dataset.StudyTime = dataset.SeriesTime = dataset.AcquisitionTime = dataset.ContentTime = "101112"
        dataset.Modality, dataset.Manufacturer = "MR", MANUFACTURERS[self.vendor]
        dataset.ManufacturerModelName = "test"
        dataset.PatientName, dataset.PatientID, dataset.PatientPosition = "Test^Ankle", "T1", "FFS"
        dataset.StudyInstanceUID, dataset.FrameOfReferenceUID = self.study, self.frame
        dataset.SeriesInstanceUID, dataset.SeriesNumber, dataset.InstanceNumber = uid, number, self.count
        dataset.StudyID = "1"
        dataset.ProtocolName = dataset.SeriesDescription = protocol
        dataset.AcquisitionNumber = 1
        dataset.MRAcquisitionType, dataset.ScanningSequence, dataset.SequenceVariant = "3D", "GR", "SP"
        dataset.MagneticFieldStrength, dataset.ImagingFrequency = 3.0, 127.74
        dataset.RepetitionTime, dataset.FlipAngle = 12.0, 3.0
        if self.vendor == "ge":
            dataset.add(pydicom.DataElement((0x0043, 0x0010), "LO", "GEMS_PARM_01"))
            dataset.add(pydicom.DataElement((0x0043, 0x102F), "SS", GE_NUMBERS[part]))
        return dataset

    def _philips(self, dataset, part, echo):
        dataset.add(pydicom.DataElement((0x2005, 0x0010), "LO", "Philips MR Imaging DD 001"))
        dataset.add(pydicom.DataElement((0x2005, 0x100E), "FL", philips_scale(part, echo)))

    def _plane(self, orientation, position, measures, k):
        lps = LPS @ self.affine
        cosines = lps[:3, :3] / np.linalg.norm(lps[:3, :3], axis=0)
        orientation.ImageOrientationPatient = [float(f"{x:.8f}") for x in (*cosines[:, 0], *cosines[:, 1])]
        position.ImagePositionPatient = [float(f"{x:.6f}") for x in lps[:3, 3] + k * lps[:3, 2]]
        sizes = np.linalg.norm(lps[:3, :3], axis=0)
        measures.PixelSpacing = [float(sizes[1]), float(sizes[0])]
        measures.SliceThickness = measures.SpacingBetweenSlices = float(sizes[2])

    def _pixels(self, dataset, values):
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.Rows, dataset.Columns = values.shape[-2:]
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
        dataset.PixelRepresentation = int(values.dtype.kind == "i")
        dataset.PixelData = np.ascontiguousarray(values).tobytes()

    def _write_enhanced(self, signal, parts, number, uid, times, protocol, changes):
        """One file of all slices, echoes and parts of a series; Siemens has one for each echo and part."""
        if self.vendor == "siemens" and len(signal) > 1:
            for n, echo in enumerate(signal):
                self._write_enhanced(echo[None], parts, number, uid, times[n : n + 1], protocol, changes)
            return
        dataset = self._common(ENHANCED, parts[0], number, uid, protocol)
        mixed = len(parts) > 1
        dataset.ImageType = ["ORIGINAL", "PRIMARY", *(("MIXED", "NONE") if mixed else TYPES[self.vendor][parts[0]])]
        dataset.ComplexImageComponent = "MIXED" if mixed else COMPONENTS[parts[0]]
        shared, frames, pixels = Dataset(), [], []
        self._plane_sequences(shared, 0)
        timing = Dataset()
        timing.RepetitionTime, timing.FlipAngle = 12.0, 3.0
        shared.MRTimingAndRelatedParametersSequence = [timing]
        shared.MRImagingModifierSequence = [Dataset()]
        shared.MRImagingModifierSequence[0].TransmitterFrequency = 127.74
        del shared.PlanePositionSequence
        for p, part in enumerate(parts):
            for k in range(signal.shape[1]):
                for n in range(len(signal)):
                    values, slope, intercept = stored(self.vendor, part, CONVERT[part](signal[n, k]), n)
                    frame = Dataset()
                    if self.vendor == "philips":
                        frame.add(pydicom.DataElement((0x2005, 0x0014), "LO", "Philips MR Imaging DD 005"))
                        frame.add(pydicom.DataElement((0x2005, 0x140F), "SQ", [Dataset()]))
                        self._philips(frame[0x2005, 0x140F].value[0], part, n)
                    frame.FrameContentSequence = [Dataset()]
                    content = frame.FrameContentSequence[0]
                    content.DimensionIndexValues = [k + 1, n + 1, p + 1]
                    content.StackID, content.InStackPositionNumber = "1", k + 1
                    content.FrameAcquisitionNumber = 1
                    self._plane_sequences(frame, k)
                    del frame.PlaneOrientationSequence, frame.PixelMeasuresSequence
                    frame.MREchoSequence = [Dataset()]
                    frame.MREchoSequence[0].EffectiveEchoTime = 1e3 * times[n]
                    frame.MRImageFrameTypeSequence = [Dataset()]
                    kind = frame.MRImageFrameTypeSequence[0]
                    kind.FrameType = ["ORIGINAL", "PRIMARY", *TYPES[self.vendor][part]]
                    kind.ComplexImageComponent = COMPONENTS[part]
                    frame.PixelValueTransformationSequence = [Dataset()]
                    transform = frame.PixelValueTransformationSequence[0]
                    transform.RescaleSlope, transform.RescaleIntercept, transform.RescaleType = slope, intercept, "US"
                    frames.append(frame)
                    pixels.append(values.astype(np.int32))
        dataset.SharedFunctionalGroupsSequence = [shared]
        dataset.PerFrameFunctionalGroupsSequence = frames
        dataset.NumberOfFrames = len(frames)
        pointers = ((0x00209057, 0x00209111), (0x00189082, 0x00189114), (0x00089208, 0x00189226))
        dataset.DimensionIndexSequence = [self._index(*pair) for pair in pointers]
        pixels = np.stack(pixels)
        self._pixels(dataset, pixels.astype(np.uint16 if pixels.min() >= 0 else np.int16))
        self._save(dataset, changes)

    def _index(self, pointer, group):
        item = Dataset()
        item.DimensionIndexPointer, item.FunctionalGroupPointer = pointer, group
        item.DimensionOrganizationUID = self.frame
        return item

    def _plane_sequences(self, group, k):
        group.PlaneOrientationSequence, group.PlanePositionSequence = [Dataset()], [Dataset()]
        group.PixelMeasuresSequence = [Dataset()]
        self._plane(
            group.PlaneOrientationSequence[0], group.PlanePositionSequence[0], group.PixelMeasuresSequence[0], k
        )

    def _save(self, dataset, changes):
        for name, value in changes.items():
            setattr(dataset, name, value)
        dataset.save_as(self.folder / f"IM{self.count:05}", enforce_file_format=True)
