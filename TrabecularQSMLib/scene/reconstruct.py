"""The whole reconstruction from nodes to nodes."""

import json

import numpy as np
import slicer

from .. import __version__
from ..acquisition import GYROMAGNETIC_RATIO_HZ_PER_T, PATIENT_SUPERIOR, MeasuredField, field_in_ppm
from ..errors import InputError, worded
from ..images import geometry_difference
from ..pipeline import KeptFields, Reconstruction, reconstruct
from ..progress import Progress, part, report
from ..settings import Settings
from .alive import keepAlive
from .b0 import B0_ATTRIBUTE, b0Along, directionOf
from .echoes import NOTES_ATTRIBUTE, acquisitionFromSequences, baseName, transformOfScan
from .folders import resultFolder
from .regions import maskFromSegment
from .volumes import addMapVolume, affineFromVolume, checkVolume, freeName, nameOf

SETTINGS_ATTRIBUTE = "TrabecularQSM.Settings"
VERSION_ATTRIBUTE = "TrabecularQSM.Version"
# Of a map of the standard deviation of χ: how that noise averages over voxels.
CHI_NOISE_ATTRIBUTE = "TrabecularQSM.NoiseOfChi"


def reconstructNodes(
    magnitudeSequence,
    phaseSequence,
    *,
    settings: Settings | None = None,
    maskSegmentation=None,
    maskSegmentID: str | None = None,
    echoTimes=None,
    fieldStrength: float | None = None,
    b0Direction=None,
    name: str | None = None,
    kept: KeptFields | None = None,
    progress: Progress | None = None,
) -> dict:
    """Reconstruct susceptibility, R2*, fat fraction and fields from two sequences, as volumes in a folder.

    They come under the transform above the scan: that of the volume which shows its magnitude. B0 is the scan's own.
    Nothing is left in the scene if it fails or is cancelled.

    :param magnitudeSequence: sequence of magnitude volumes over the echo time.
    :param phaseSequence: the same of the phase; None for maps of the magnitude alone (setting `magnitude_maps`).
    :param settings: `settings.Settings`; the preset ``default`` by default.
    :param maskSegmentation: segmentation with the segment in which susceptibility is solved, instead of the body
        found in the scan.
    :param maskSegmentID: which of its segments; may be left out if it has one only.
    :param echoTimes: seconds; by default what the magnitude sequence says.
    :param fieldStrength: tesla; needed for sequences that do not know it.
    :param b0Direction: direction of B0 in the scan's own RAS; by default what the magnitude sequence says, or superior.
    :param name: start of the names of folder and volumes, numbered where there are such; by default that of the
        magnitude sequence.
    :param kept: fields of the run before, used where nothing but the inversion differs, and replaced otherwise.
    :param progress: ``progress(fraction, message)``; what it raises stops the run.
    :return: volume nodes by the name of their quantity.
    :raises InputError: if the nodes are no usable scan.
    """
    acquisition, mask = scanFromSequences(
        magnitudeSequence,
        phaseSequence,
        maskSegmentation=maskSegmentation,
        maskSegmentID=maskSegmentID,
        echoTimes=echoTimes,
        fieldStrength=fieldStrength,
        b0Direction=b0Direction,
        progress=part(progress, 0.0, 0.02),
    )
    result = keepAlive(
        lambda told: reconstruct(acquisition, settings, mask=mask, kept=kept, progress=told),
        part(progress, 0.02, 0.97),
    )
    return addMapVolumes(
        result,
        acquisition.affine,
        name or baseName(magnitudeSequence),
        beside=magnitudeSequence,
        transform=transformOfScan(magnitudeSequence),
        b0Direction=acquisition.b0_patient,
        progress=part(progress, 0.97, 1.0),
    )


def reconstructField(
    fieldNode,
    stage: str,
    unit: str,
    *,
    magnitudeNode=None,
    fieldStrength: float | None = None,
    settings: Settings | None = None,
    maskSegmentation=None,
    maskSegmentID: str | None = None,
    b0Direction=None,
    name: str | None = None,
    progress: Progress | None = None,
) -> dict:
    """Reconstruct susceptibility from a field that other software has measured, as volumes in a folder.

    They come under the transform above the field. Nothing is left in the scene if it fails or is cancelled.

    :param fieldNode: volume of the field, positive where the frequency is higher (else the setting `phase_sign` is -1);
        zeros were not measured.
    :param stage: ``"total"`` if it still holds its background, or ``"local"``.
    :param unit: ``"ppm"``, ``"Hz"`` or ``"rad/s"``.
    :param magnitudeNode: volume on the same grid, for weights, edges and the body.
    :param fieldStrength: tesla, for a field in Hz or rad/s.
    :param settings: those of `reconstructNodes`, as are maskSegmentation, maskSegmentID, name and progress.
    :param b0Direction: direction of B0 in RAS; by default that of the map that the field is, or superior.
    :return: volume nodes by the name of their quantity.
    :raises InputError: if the nodes are no usable field.
    """
    checkVolume(fieldNode, "field")
    source, affine = fieldNode.GetName(), affineFromVolume(fieldNode)
    frequency = None if fieldStrength is None else fieldStrength * GYROMAGNETIC_RATIO_HZ_PER_T
    try:
        ppm = field_in_ppm(slicer.util.arrayFromVolume(fieldNode), unit, frequency, source)
    except InputError as error:
        raise InputError(worded(str(error), {"field_unit": "unit=", "field_strength": "fieldStrength="})) from error
    magnitude = None
    if magnitudeNode is not None:
        checkVolume(magnitudeNode, "magnitude")
        magnitude = slicer.util.arrayFromVolume(magnitudeNode)
        if difference := geometry_difference(ppm.shape, affine, magnitude.shape, affineFromVolume(magnitudeNode)):
            raise InputError(f"The magnitude {magnitudeNode.GetName()} is not on the grid of {source}: {difference}.")
    known = directionOf(fieldNode)
    if b0Direction is None and known != PATIENT_SUPERIOR:  # which may have been assumed, and is said again
        b0Direction = known
    field = MeasuredField(
        ppm,
        affine,
        stage,
        magnitude=magnitude,
        field_strength=fieldStrength,
        source=source,
        notes=(f"The {stage} field was measured elsewhere and taken from {source} in {unit}.",),
        b0_patient=b0Direction,
    )
    mask = None
    if maskSegmentation is not None:
        mask = maskFromSegment(maskSegmentation, maskSegmentID, fieldNode)
    result = keepAlive(lambda told: reconstruct(field, settings, mask=mask, progress=told), part(progress, 0.0, 0.97))
    return addMapVolumes(
        result,
        affine,
        name or nameOf(fieldNode),
        beside=fieldNode,
        transform=fieldNode.GetParentTransformNode(),
        b0Direction=field.b0_patient,
        progress=part(progress, 0.97, 1.0),
    )


def scanFromSequences(
    magnitudeSequence, phaseSequence, *, maskSegmentation=None, maskSegmentID=None, **values
) -> tuple:
    """Return the acquisition of two sequences, and on its grid the segment in which susceptibility is solved, or None.

    :param magnitudeSequence: sequence of magnitude volumes over the echo time.
    :param phaseSequence: the same of the phase.
    :param maskSegmentation: segmentation node or None.
    :param maskSegmentID: which of its segments; may be left out if it has one only.
    :param values: those of `acquisitionFromSequences`, also `progress`.
    """
    acquisition = acquisitionFromSequences(magnitudeSequence, phaseSequence, **values)
    if maskSegmentation is None:
        return acquisition, None
    return acquisition, maskFromSegment(maskSegmentation, maskSegmentID, magnitudeSequence)


def labelResult(node, settings: Settings, notes=()) -> None:
    """Write on a node how it was made.

    :param node: a result.
    :param settings: those used.
    :param notes: sentences that a user should know.
    """
    node.SetAttribute(SETTINGS_ATTRIBUTE, json.dumps(settings.as_dict()))
    node.SetAttribute(VERSION_ATTRIBUTE, __version__)
    if notes:
        node.SetAttribute(NOTES_ATTRIBUTE, "\n".join(notes))


def addMapVolumes(
    result: Reconstruction,
    affine: np.ndarray,
    name: str,
    *,
    beside=None,
    transform=None,
    b0Direction=None,
    progress: Progress | None = None,
) -> dict:
    """Add all maps of a reconstruction to the scene, in a folder of the subject hierarchy.

    :param result: what `pipeline.reconstruct` returned.
    :param affine: voxel indices (i, j, k) to RAS in mm.
    :param name: start of the names of folder and volumes.
    :param beside: node beside which the folder is placed; at the top by default.
    :param transform: transform node above the scan, under which the maps come.
    :param b0Direction: direction of B0 in the scan's own RAS, which the maps then remember.
    :param progress: ``progress(fraction, message)``, called before each map; if it raises, nothing is added.
    :return: volume nodes by the name of their quantity.
    """
    nodes, name = {}, freeName(name, " maps")
    with resultFolder(f"{name} maps", beside) as put:
        for number, (quantityName, array) in enumerate(result.maps.items()):
            report(progress, number / len(result.maps), f"Adding the map {quantityName}")
            node = nodes[quantityName] = put(addMapVolume(array, affine, quantityName, name))
            node.SetAndObserveTransformNodeID(transform and transform.GetID())
            labelResult(node, result.settings, result.notes)
            if quantityName == "sigma_chi" and result.chi_noise:
                node.SetAttribute(CHI_NOISE_ATTRIBUTE, json.dumps(result.chi_noise))
            if b0Direction is not None:
                node.SetAttribute(B0_ATTRIBUTE, b0Along(affine, b0Direction))
        report(progress, 1.0, "Added the maps")
    return nodes
