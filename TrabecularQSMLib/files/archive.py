"""Results as DICOM objects for an archive: maps, regions, and statistics of regions, in the patient's own study."""

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from .. import __version__
from ..errors import PackageNeeded
from ..progress import Progress, report
from ..quantities import ALL_QUANTITIES, UNIT_CODES, Quantity
from .dicom_frames import require_pydicom
from .dicom_reference import OF_STUDY, read_reference
from .mr_images import LPS, MANUFACTURER, MODEL, set_window, slice_images
from .terminology import PRIVATE_SCHEME, REGION_CODES
from .writing import staged

# Maps that go to the archive unless others are named.
EXPORTED = ("chi", "r2star", "pdff", "field_hz")
_SERIAL = "0"
# Series numbers of results, above those of scanners.
_FIRST_SERIES = 9000
# Statistics of a region: column of `measure`, and its code.
_STATISTICS = {
    "mean": ("373098007", "SCT", "Mean"),
    "sd": ("386136009", "SCT", "Standard Deviation"),
    "median": ("373099004", "SCT", "Median"),
    "min": ("255605001", "SCT", "Minimum"),
    "max": ("56851009", "SCT", "Maximum"),
}
_STANDARD_ERROR = ("standard_error", PRIVATE_SCHEME, "Standard error of the mean by noise")
# Positions are rounded to so many decimals of a mm.
_DECIMALS = 5


def write_dicom(
    output,
    source,
    stem: str,
    maps: Mapping[str, np.ndarray],
    affine: np.ndarray,
    *,
    labels: np.ndarray | None = None,
    names: Mapping[int, str] | None = None,
    rows: Sequence[dict] = (),
    plain: bool = False,
    progress: Progress | None = None,
) -> list[Path]:
    """Write maps as Parametric Maps, regions as a Segmentation, and their statistics as a measurement report.

    Parameters
    ----------
    output : path
        Folder for ``<stem>_<map>.dcm``, ``<stem>_regions.dcm`` and ``<stem>_measurements.dcm``.
    source : path
        DICOM file, or folder with files, of the scan: patient, study and frame of reference are taken from it.
    stem : str
        Name of the scan, such as ``sub-01``.
    maps : mapping of quantity name to (K, J, I) array
        Stored as float32, in the quantity's unit.
    affine : (4, 4) array
        Voxel indices (i, j, k) to RAS in mm.
    labels : (K, J, I) int array, optional
        Regions, 0 for none.
    names : mapping of int to str, optional
        Of the labels.
    rows : sequence of dict
        Statistics of the regions, as `measure` gives them.
    plain : bool
        Also write each map as MR images of 16 bits with a slope, for archives that show nothing else.
    progress : callable, optional

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    InputError
        If highdicom is missing, the source is no DICOM of one study, or the maps do not lie where its images lie.

    Notes
    -----
    Identifiers follow from the study and the values, so that the same result is the same object for the archive.
    """
    highdicom = _require_highdicom()
    pydicom = require_pydicom()
    reference = read_reference(pydicom, Path(source), affine, progress)
    output, written = Path(output), []
    series = iter(range(_FIRST_SERIES, _FIRST_SERIES + 1000))
    with warnings.catch_warnings(), staged(output) as staging:
        # They quote values of the study, such as names, and nothing can be done about them here.
        warnings.simplefilter("ignore", UserWarning)
        for number, (name, array) in enumerate(maps.items()):
            quantity = ALL_QUANTITIES[name]
            report(progress, 0.7 * number / len(maps), f"Writing {quantity.title}")
            of = _Series(pydicom, reference, stem, name, array, next(series))
            made = _parametric_map(highdicom, pydicom, reference, array, affine, quantity, of)
            _save(made, staging / f"{stem}_{name}.dcm", written)
            if plain:
                of = _Series(pydicom, reference, stem, f"{name} plain", array, next(series))
                for k, one in enumerate(_plain_images(pydicom, reference, array, affine, quantity, of)):
                    _save(one, staging / f"{stem}_{name}_images" / f"{k:04d}.dcm", written)
        if labels is not None and names:
            report(progress, 0.75, "Writing regions")
            of = _Series(pydicom, reference, stem, "regions", labels, next(series))
            regions = _segmentation(highdicom, reference, labels, names, affine, of)
            _save(regions, staging / f"{stem}_regions.dcm", written)
            if rows:
                report(progress, 0.9, "Writing measurements")
                of = _Series(pydicom, reference, stem, "measurements", repr(rows), next(series))
                measured = _measurements(highdicom, reference, regions, names, rows, of)
                _save(measured, staging / f"{stem}_measurements.dcm", written)
        report(progress, 0.98, "Putting the files into place")  # the last moment for Cancel
    report(progress, 1.0, "Written")
    return [output / path.relative_to(staging) for path in written]


class _Series:
    """Identifiers of a series and its instances, which follow from the study and what is stored."""

    def __init__(self, pydicom, reference, stem, name, content, number):
        content = content.encode() if isinstance(content, str) else np.ascontiguousarray(content).tobytes()
        self._pydicom = pydicom
        self._parts = [reference.StudyInstanceUID, stem, name, __version__, hashlib.sha256(content).hexdigest()]
        self.number, self.description = number, f"TrabecularQSM {name}"
        self.uid = self.instance("series")

    def instance(self, what) -> str:
        """Identifier of one object."""
        return self._pydicom.uid.generate_uid(entropy_srcs=[*self._parts, str(what)])

    def options(self) -> dict:
        """What highdicom asks of every object."""
        return {
            "series_instance_uid": self.uid,
            "series_number": self.number,
            "sop_instance_uid": self.instance("object"),
            "instance_number": 1,
            "manufacturer": MANUFACTURER,
            "series_description": self.description,
        }


def _require_highdicom():
    try:
        import highdicom
    except ImportError as error:
        reason = "DICOM objects need highdicom; install it with 'pip install highdicom'."
        raise PackageNeeded(reason, "highdicom") from error
    return highdicom


def _save(dataset, path, written):
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    written.append(path)


def _sorted_along_normal(made):
    """Put the frames of a map in their order along rows × columns, by which the reader in 3D Slicer places them.

    highdicom has them the other way round.
    """
    orientation = made.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0].ImageOrientationPatient
    normal = np.cross(*np.array(orientation, float).reshape(2, 3))
    groups = made.PerFrameFunctionalGroupsSequence
    heights = [normal @ np.array(one.PlanePositionSequence[0].ImagePositionPatient, float) for one in groups]
    order = np.argsort(heights)
    frames = np.frombuffer(made.FloatPixelData, np.float32).reshape(len(groups), -1)
    made.FloatPixelData = np.ascontiguousarray(frames[order]).tobytes()
    made.PerFrameFunctionalGroupsSequence = [groups[n] for n in order]


def _geometry(highdicom, affine, count):
    """Pixel measures, orientation, and the position of every slice, by an affine to RAS."""
    lps = LPS @ affine
    sizes = np.linalg.norm(lps[:3, :3], axis=0)
    cosines = lps[:3, :3] / sizes
    measures = highdicom.PixelMeasuresSequence(
        pixel_spacing=(float(sizes[1]), float(sizes[0])),
        slice_thickness=float(sizes[2]),
        spacing_between_slices=float(sizes[2]),
    )
    orientation = highdicom.PlaneOrientationSequence(
        "PATIENT", [float(value) for value in (*cosines[:, 0], *cosines[:, 1])]
    )
    positions = [
        highdicom.PlanePositionSequence("PATIENT", np.round(lps[:3, 3] + k * lps[:3, 2], _DECIMALS).tolist())
        for k in range(count)
    ]
    return {"pixel_measures": measures, "plane_orientation": orientation, "plane_positions": positions}


def _coded(highdicom, value, scheme, meaning):
    return highdicom.sr.CodedConcept(value=value, scheme_designator=scheme, meaning=meaning)


def _unit(highdicom, unit):
    code, meaning = UNIT_CODES[unit]
    return _coded(highdicom, code, "UCUM", meaning)


def _quantity(highdicom, name):
    quantity = ALL_QUANTITIES.get(name)
    if quantity is not None and quantity.code:
        return _coded(highdicom, quantity.code[0], "DCM", quantity.code[1])
    return _coded(highdicom, name, PRIVATE_SCHEME, name if quantity is None else quantity.title)


def _parametric_map(highdicom, pydicom, reference, array, affine, quantity: Quantity, series):
    array = np.ascontiguousarray(array, np.float32)
    finite = array[np.isfinite(array)]
    limits = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    low, high = quantity.display or limits
    window = highdicom.VOILUTTransformation(window_center=(low + high) / 2, window_width=max(high - low, 1e-6))
    mapping = highdicom.pm.RealWorldValueMapping(
        lut_label=quantity.name[:16],
        lut_explanation=quantity.title[:64],
        unit=_unit(highdicom, quantity.unit),
        value_range=limits,
        slope=1.0,
        intercept=0.0,
        quantity_definition=_quantity(highdicom, quantity.name),
    )
    made = highdicom.pm.ParametricMap(
        [reference],
        array,
        manufacturer_model_name=MODEL,
        software_versions=__version__,
        device_serial_number=_SERIAL,
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[mapping],
        voi_lut_transformations=[window],
        content_label=quantity.name.upper()[:16],
        content_description=quantity.title[:64],
        **_geometry(highdicom, affine, len(array)),
        **series.options(),
    )
    # The reader of maps in 3D Slicer ends where nothing says what of the body they show.
    anatomy = pydicom.Dataset()
    anatomy.FrameLaterality = "U"
    anatomy.AnatomicRegionSequence = [_coded(highdicom, "38266002", "SCT", "Entire body")]
    made.SharedFunctionalGroupsSequence[0].FrameAnatomySequence = [anatomy]
    _sorted_along_normal(made)
    return made


def _segmentation(highdicom, reference, labels, names, affine, series):
    order = list(names)
    numbers = np.zeros(int(labels.max()) + 1, np.uint8)
    described = []
    for number, label in enumerate(order, start=1):
        numbers[label] = number
        category, kind = _region_codes(highdicom, names[label])
        described.append(
            highdicom.seg.SegmentDescription(
                segment_number=number,
                segment_label=names[label][:64],
                segmented_property_category=category,
                segmented_property_type=kind,
                algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.MANUAL,
                tracking_uid=series.instance(names[label]),
                tracking_id=names[label][:64],
            )
        )
    return highdicom.seg.Segmentation(
        [reference],
        numbers[labels],
        segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=described,
        manufacturer_model_name=MODEL,
        software_versions=__version__,
        device_serial_number=_SERIAL,
        content_label="REGIONS",
        **_geometry(highdicom, affine, len(labels)),
        **series.options(),
    )


def _region_codes(highdicom, name):
    category, kind, _ = REGION_CODES.get(name, ("SCT^123037004^Anatomical Structure", None, None))
    scheme, value, meaning = category.split("^")
    found = _coded(highdicom, value, scheme, meaning)
    if kind is None:
        return found, _coded(highdicom, "region", PRIVATE_SCHEME, name[:64])
    scheme, value, meaning = kind.split("^")
    return found, _coded(highdicom, value[:16], scheme, meaning)


def _measurements(highdicom, reference, regions, names, rows, series):
    """A measurement report (TID 1500) with a group for each region."""
    sr = highdicom.sr
    device = sr.ObserverContext(
        observer_type=_coded(highdicom, "121007", "DCM", "Device"),
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=series.instance("device"), name=MODEL, manufacturer_name=MANUFACTURER, model_name=__version__
        ),
    )
    groups = []
    for number, name in enumerate(names.values(), start=1):
        category, kind = _region_codes(highdicom, name)
        measurements = [found for row in rows if row["region"] == name for found in _statistics(highdicom, row)]
        if measurements:
            groups.append(
                sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
                    tracking_identifier=sr.TrackingIdentifier(series.instance(name), name),
                    referenced_segment=sr.ReferencedSegment(
                        regions.SOPClassUID,
                        regions.SOPInstanceUID,
                        number,
                        source_series=sr.SourceSeriesForSegmentation(reference.SeriesInstanceUID),
                    ),
                    finding_category=category,
                    finding_type=kind,
                    measurements=measurements,
                )
            )
    content = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=device),
        procedure_reported=_coded(highdicom, "113091000", "SCT", "MRI"),
        imaging_measurements=groups,
        title=_coded(highdicom, "126000", "DCM", "Imaging Measurement Report"),
    )
    return sr.Comprehensive3DSR(evidence=[regions, reference], content=content[0], **series.options())


def _statistics(highdicom, row):
    name, unit = _quantity(highdicom, row["quantity"]), _unit(highdicom, row["unit"])
    for column, code in (*_STATISTICS.items(), ("se", _STANDARD_ERROR)):
        value = row.get(column)
        if value is not None:
            yield highdicom.sr.Measurement(
                name=name, value=float(value), unit=unit, derivation=_coded(highdicom, *code)
            )


def _plain_images(pydicom, reference, array, affine, quantity, series):
    """One MR image a slice, 16 bits with a slope that keeps the largest value."""
    values = np.nan_to_num(np.asarray(array, np.float32), posinf=0.0, neginf=0.0)
    low, high = quantity.display or (0.0, float(values.max()))
    for k, image in enumerate(slice_images(pydicom, values, affine, float(np.abs(values).max()))):
        for key in OF_STUDY:
            if key in reference:
                image.add(reference[key])
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = series.instance(k)
        image.SeriesInstanceUID, image.SeriesNumber = series.uid, series.number
        image.SeriesDescription = series.description
        image.ImageType = ["DERIVED", "SECONDARY", "QUANTITY"]
        image.DerivationDescription = f"{quantity.title} [{quantity.unit}]"
        image.RescaleType = quantity.unit[:16]
        set_window(pydicom, image, low, high)
        yield image
