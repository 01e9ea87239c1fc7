"""Regions as segmentation nodes."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import slicer
import vtk
from slicer import vtkMRMLSegmentationNode
from vtk.util.numpy_support import vtk_to_numpy

from ..acquisition import voxel_size
from ..analysis.subregions import split_region
from ..errors import InputError
from ..files.nifti import read_metadata
from ..files.regions import is_cut_from, on_parts_outside, read_regions
from ..files.terminology import REGION_CODES, SIDES, segment_color, terminology_entry
from ..progress import Progress, report
from .echoes import transformOfScan
from .volumes import (
    affineFromVolume,
    allOrNone,
    checkClass,
    checkVolume,
    followUndo,
    freeName,
    nameOf,
    removeWithHelpers,
)

TERMINOLOGY_FILE = Path("Terminologies", "SegmentationCategoryTypeModifier-TrabecularQSM.term.json")
# The regions that the paper measures, as they are drawn in the Segment Editor.
TEMPLATE = ("calcaneus subtalar", "calcaneus tuber", "calcaneus cavum", "distal tibia")


def addSegmentation(
    regions: np.ndarray,
    regionNames: Mapping[int, str],
    affine: np.ndarray,
    name: str,
    *,
    codes: Mapping[str, tuple[str, str, str]] | None = None,
    progress: Progress | None = None,
) -> vtkMRMLSegmentationNode:
    """Add regions to the scene as segments with their names.

    :param regions: labels [k, j, i]; zero is outside.
    :param regionNames: label to name of the segment; a region without voxels becomes an empty segment.
    :param affine: voxel indices (i, j, k) to RAS in mm.
    :param name: name of the node.
    :param codes: name of a region to its terminology, such as `REGION_CODES`; none by default.
    :param progress: ``progress(fraction, message)``, called before each segment; if it raises, nothing is added.
    """
    unnamed = sorted(set(np.unique(regions).tolist()) - {0} - set(regionNames))
    if unnamed:
        raise InputError(f"The regions of {name} have the label {unnamed[0]} but no name for it; give it one.")
    node = vtkMRMLSegmentationNode()
    followUndo(node)
    node.SetName(freeName(name))
    segmentation, binary = node.GetSegmentation(), slicer.vtkSegmentationConverter
    # One label map that all segments share. The node comes into the scene with them: panels and views that follow it
    # are brought up to date once.
    kind = vtk.VTK_UNSIGNED_CHAR if len(regionNames) < 256 else vtk.VTK_UNSIGNED_SHORT
    image = _orientedImage(np.zeros(regions.shape, bool), affine, kind)
    voxels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(regions.shape)
    for number, (label, regionName) in enumerate(regionNames.items()):
        report(progress, 0.6 * number / len(regionNames), f"Adding the region {regionName}")
        voxels[regions == label] = number + 1
        segment = slicer.vtkSegment()
        segment.SetName(regionName)
        segment.SetColor(*segment_color(number))
        segment.SetLabelValue(number + 1)
        segment.AddRepresentation(binary.GetSegmentationBinaryLabelmapRepresentationName(), image)
        if codes and regionName in codes:
            _setCodes(segment, codes[regionName])
        segmentation.AddSegment(segment)
    with allOrNone() as added:
        report(progress, 0.6, f"Adding {node.GetName()}")
        added.append(slicer.mrmlScene.AddNode(node))
        report(progress, 0.8, f"Showing {node.GetName()}")
        node.CreateDefaultDisplayNodes()
        report(progress, 1.0, f"Added {node.GetName()}")
    return node


def regionTemplate(volumeNode, side: str = "right", name: str | None = None) -> vtkMRMLSegmentationNode:
    """Add empty segments for the paper's regions of calcaneus and tibia, to be drawn in the Segment Editor.

    Other segmentations are hidden, so that they are not drawn over in their colors.

    :param volumeNode: volume on whose grid, and under whose transform, they are drawn.
    :param side: "right", "left" or "not stated"; part of the segments' terminology.
    :param name: name of the node; by default that of the volume and "regions".
    :raises InputError: if the volume has no voxels, or there is no such side.
    """
    checkVolume(volumeNode, "image to draw the regions on")
    if side not in SIDES:
        raise InputError(f"The side is {side!r}; choose {', '.join(SIDES)}.")
    name = freeName(name or f"{nameOf(volumeNode)} regions")
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    try:
        node.CreateDefaultDisplayNodes()
        node.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
        node.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
        for number, regionName in enumerate(TEMPLATE):
            segmentID = node.GetSegmentation().AddEmptySegment("", regionName, segment_color(number))
            codes = (*REGION_CODES[regionName][:2], SIDES[side])
            _setCodes(node.GetSegmentation().GetSegment(segmentID), codes)
    except BaseException:
        removeWithHelpers(node)
        raise
    hideOtherSegmentations(node)
    return node


def hideOtherSegmentations(segmentationNode) -> None:
    """Hide all segmentations but one.

    :param segmentationNode: the one that stays as it is.
    """
    for other in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        if other is not segmentationNode and other.GetDisplayNode() is not None:
            other.GetDisplayNode().SetVisibility(False)


def showOutlines(segmentationNode) -> None:
    """Show segments as outlines alone, so that the image within them is seen.

    :param segmentationNode: any segmentation.
    """
    if segmentationNode.GetDisplayNode() is not None:
        segmentationNode.GetDisplayNode().SetVisibility2DFill(False)


def loadRegions(path, name: str | None = None) -> vtkMRMLSegmentationNode:
    """Load regions from a file as a segmentation with their names.

    :param path: Slicer's ``.seg.nrrd``, or a label map in NIfTI or NRRD, named by a BIDS ``.tsv`` beside it.
    :param name: name of the node; by default that of the file.
    :raises InputError: if there is no such file, or no region in it.
    """
    path = Path(path)
    name = name or path.name.partition(".")[0]
    if path.name.lower().endswith((".seg.nrrd", ".seg.nhdr")):
        return _loadSegments(path, name)
    labels, affine, names = read_regions(path)
    return addSegmentation(labels, names, affine, name, codes=REGION_CODES)


def splitRegionNodes(
    segmentationNode, segmentID: str | None, count: int, referenceVolumeNode, name: str | None = None
) -> vtkMRMLSegmentationNode:
    """Split a segment into compact parts of equal size, as segments of a new segmentation.

    :param segmentationNode: where the segment is.
    :param segmentID: which segment; may be left out if there is one only.
    :param count: how many parts.
    :param referenceVolumeNode: volume on whose grid they are made.
    :param name: name of the new node; by default that of the segment and "parts".
    :raises InputError: if there is no such segment, none of it on the grid, or fewer voxels than parts.
    """
    checkVolume(referenceVolumeNode)
    inside = maskFromSegment(segmentationNode, segmentID, referenceVolumeNode, purpose="region to split")
    affine = affineFromVolume(referenceVolumeNode)
    parts = split_region(inside, count, voxel_size(affine))
    segments = segmentNames(segmentationNode)
    region = segments[segmentID or next(iter(segments))]
    names = {number: f"{region} {number}" for number in range(1, count + 1)}
    node = addSegmentation(parts, names, affine, name or f"{region} parts")
    node.SetAndObserveTransformNodeID(referenceVolumeNode.GetTransformNodeID())
    return node


def loadTerminology(path: Path) -> str:
    """Add the types of a terminology file to those that segments can be given.

    :param path: `TERMINOLOGY_FILE` in the module's folder Resources.
    :return: name of the terminology; empty if it was not loaded, as when there is no module Terminologies.
    """
    module = getattr(slicer.modules, "terminologies", None)
    logic = module.logic() if module else None
    return logic.LoadTerminologyFromFile(str(path)) if logic else ""


def maskFromSegment(
    segmentationNode, segmentID: str | None, referenceVolumeNode, *, purpose: str = "mask"
) -> np.ndarray:
    """Return one segment as a mask [k, j, i] bool on the grid of a volume.

    :param segmentationNode: where the segment is.
    :param segmentID: which segment; may be left out if there is one only.
    :param referenceVolumeNode: volume, or sequence of a scan, whose grid is taken.
    :param purpose: what the segment is, for the error.
    :raises InputError: if there is no such segment, or none of it on the grid.
    """
    names, name = segmentNames(segmentationNode), segmentationNode.GetName()
    ids = list(names)
    segmentID = segmentID or (ids[0] if len(ids) == 1 else None)
    if segmentID not in ids:
        listed = ", ".join(names.values()) or "none"
        found = f"no segment with the ID {segmentID}" if segmentID else f"{len(ids)} segments"
        raise InputError(f"{name} has {found}; choose the one that is the {purpose} (there are: {listed}).")
    inside = _segmentOnGrid(segmentationNode, segmentID, *_gridOf(segmentationNode, referenceVolumeNode))
    if not inside.any():
        otherwise = ", or choose none for the automatic mask" if purpose == "mask" else ""
        raise InputError(
            f"The segment {names[segmentID]} of {name} has no voxel inside the scan; "
            f"draw it where the scan is{otherwise}."
        )
    return inside


def masksFromSegmentation(segmentationNode, referenceVolumeNode) -> dict[str, np.ndarray]:
    """Return every segment as a mask [k, j, i] bool by its name, on the grid of a volume.

    :param segmentationNode: segments that do not overlap, or a label map.
    :param referenceVolumeNode: volume, or sequence of a scan, whose grid is taken.
    :raises InputError: if there is no segment, one is empty, or they overlap or share a name.
    """
    labels, names = regionsFromSegmentation(segmentationNode, referenceVolumeNode)
    if not names:
        raise InputError(f"{segmentationNode.GetName()} has no segment; draw the regions first, or choose none.")
    masks = {name: labels == label for label, name in names.items()}
    for name, inside in masks.items():
        if not inside.any():
            raise InputError(
                f"The segment {name} of {segmentationNode.GetName()} has no voxel inside the scan; "
                "draw it there or remove it."
            )
    return masks


def regionsFromSegmentation(
    segmentationNode, referenceVolumeNode, *, leaveOut: str | None = None, progress: Progress | None = None
) -> tuple[np.ndarray, dict[int, str]]:
    """Return the segments as labels [k, j, i] uint16 on the grid of a volume, and label to name in their order.

    Segments are resampled to the nearest neighbor and moved by parent transforms.

    :param segmentationNode: segments that do not overlap, or a label map.
    :param referenceVolumeNode: volume, or sequence of a scan, whose grid is taken.
    :param leaveOut: ID of a segment that is no region.
    :param progress: ``progress(fraction, message)``, called for each segment: on a large image each takes a while.
    :raises InputError: if segments overlap or share a name.
    """
    segments = segmentNames(segmentationNode)
    grid, toVolume = _gridOf(segmentationNode, referenceVolumeNode)
    labels, names = np.zeros(grid.GetDimensions()[::-1], dtype=np.uint16), {}
    for number, (segmentID, segmentName) in enumerate(segments.items()):
        report(progress, number / len(segments), f"Reading the region {segmentName}")
        if segmentID == leaveOut:
            continue
        if segmentName in names.values():
            raise InputError(
                f"Two segments of {segmentationNode.GetName()} have the name {segmentName}; give each one of its own."
            )
        inside = _segmentOnGrid(segmentationNode, segmentID, grid, toVolume)
        taken = np.unique(labels[inside])
        if taken.size and taken[-1] > 0:
            raise InputError(
                f"The segments {names[int(taken[-1])]} and {segmentName} of {segmentationNode.GetName()} overlap; "
                "take the common voxels away from one of them."
            )
        names[number + 1] = segmentName
        labels[inside] = number + 1
    return labels, names


def notesOnPartsOutside(segmentationNode, volumeNode, labels: np.ndarray, names: Mapping[int, str]) -> list[str]:
    """Say of which segments a part is cut off by a volume.

    :param segmentationNode: what `regionsFromSegmentation` took.
    :param volumeNode: the volume.
    :param labels: its first result.
    :param names: its second one.
    """
    drawn = {}
    for segmentID, name in segmentNames(segmentationNode).items():
        label = next((label for label, its in names.items() if its == name), None)
        if label is not None:
            image = _segmentImage(segmentationNode, segmentID)
            voxels = np.count_nonzero(vtk_to_numpy(image.GetPointData().GetScalars()))
            drawn[label] = voxels * float(np.prod(image.GetSpacing()))
    voxel = float(np.prod(volumeNode.GetSpacing()))
    return on_parts_outside(drawn, names, volumeNode.GetName(), labels, voxel)


def notesOnRegistration(segmentationNode, volumeNode) -> list[str]:
    """Say if regions were drawn on another grid than a volume's, and no transform tells how the patient lay there.

    :param segmentationNode: the regions.
    :param volumeNode: another scan of the patient, in which they are measured.
    """
    above = segmentationNode.GetParentTransformNode()
    if above is not volumeNode.GetParentTransformNode():
        return []
    matrix, whole = vtk.vtkMatrix4x4(), affineFromVolume(volumeNode)
    for segmentID in segmentNames(segmentationNode):
        image = _segmentImage(segmentationNode, segmentID)
        image.GetImageToWorldMatrix(matrix)
        if image.GetNumberOfPoints() and not is_cut_from(slicer.util.arrayFromVTKMatrix(matrix), whole):
            return [
                f"{segmentationNode.GetName()} lies on another grid than {volumeNode.GetName()}, and both are under "
                f"{'one transform' if above else 'no transform'}: regions count where they were drawn, as if the "
                "patient had not moved between the two; register them first unless one was laid on the other before."
            ]
    return []


def _loadSegments(path, name):
    """Segmentation from Slicer's own file: colors, terminology and segments that overlap come with it."""
    read_metadata(path)  # says what is wrong with a file that is no image
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", freeName(name))
    try:
        storage = slicer.vtkMRMLSegmentationStorageNode()
        storage.SetFileName(str(path))
        if not storage.ReadData(node) or not _segmentCount(node):
            raise InputError(f"{path} holds no segment, or is cut short; save the segmentation again.")
        node.CreateDefaultDisplayNodes()
    except BaseException:
        removeWithHelpers(node)
        raise
    return node


def _setCodes(segment, codes):
    segment.SetTag(segment.GetTerminologyEntryTagName(), terminology_entry(codes))


def segmentColors(segmentationNode) -> dict[str, tuple[float, float, float]]:
    """Return the color of every segment by its name.

    :param segmentationNode: any segmentation.
    """
    if _isLabelMap(segmentationNode):
        names = segmentNames(segmentationNode).values()
        return {name: segment_color(number) for number, name in enumerate(names)}
    segments = map(segmentationNode.GetSegmentation().GetNthSegment, range(_segmentCount(segmentationNode)))
    return {segment.GetName(): segment.GetColor() for segment in segments}


def segmentNames(node) -> dict[str, str]:
    """Return the names of segments by their IDs, in their order; of a label map its labels, named by its colors.

    :param node: segmentation or label map.
    :raises InputError: if it is neither.
    """
    if node is not None and node.IsA("vtkMRMLSegmentationNode"):
        segmentation = node.GetSegmentation()
        return {name: segmentation.GetSegment(name).GetName() for name in segmentation.GetSegmentIDs()}
    checkClass(node, "vtkMRMLLabelMapVolumeNode", "regions", "choose a segmentation or a label map")
    checkVolume(node, "label map")
    display = node.GetDisplayNode()
    colors = display.GetColorNode() if display is not None else None
    labels = [label for label in np.unique(slicer.util.arrayFromVolume(node)).tolist() if label]
    broken = next((label for label in labels if label != np.round(label)), None)
    if broken is not None:
        raise InputError(
            f"The label map {node.GetName()} holds the value {broken:.4g}, but labels are whole numbers: it was "
            "interpolated or is no label map; choose another, or make a segmentation of it."
        )
    known = {label: colors.GetColorName(int(label)) if colors is not None else "" for label in labels}
    return {str(label): known[label] or f"label {label}" for label in labels}


def _isLabelMap(node):
    return node is not None and node.IsA("vtkMRMLLabelMapVolumeNode")


def _segmentCount(segmentationNode):
    return segmentationNode.GetSegmentation().GetNumberOfSegments()


def _gridOf(segmentationNode, reference):
    """Empty image on the grid of a volume or of a scan's sequence, and the transform from the segments to it."""
    if reference is not None and reference.IsA("vtkMRMLSequenceNode"):
        volume, above = reference.GetNthDataNode(0), transformOfScan(reference)
        checkVolume(volume, "scan")
    else:
        checkVolume(reference)
        volume, above = reference, reference.GetParentTransformNode()
    shape, affine = slicer.util.arrayFromVolume(volume).shape, affineFromVolume(volume)
    toVolume = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(segmentationNode.GetParentTransformNode(), above, toVolume)
    return _orientedImage(np.zeros(shape, dtype=bool), affine), toVolume


def _segmentImage(segmentationNode, segmentId):
    image = slicer.vtkOrientedImageData()
    if _isLabelMap(segmentationNode):
        inside = slicer.util.arrayFromVolume(segmentationNode) == float(segmentId)
        image = _orientedImage(inside, affineFromVolume(segmentationNode))
    elif not segmentationNode.GetBinaryLabelmapRepresentation(segmentId, image):
        segmentationNode.CreateBinaryLabelmapRepresentation()
        segmentationNode.GetBinaryLabelmapRepresentation(segmentId, image)
    return image


def _segmentOnGrid(segmentationNode, segmentId, grid, toVolume):
    image, resampled = _segmentImage(segmentationNode, segmentId), slicer.vtkOrientedImageData()
    resample = slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage
    if not image.GetNumberOfPoints():
        return np.zeros(grid.GetDimensions()[::-1], dtype=bool)
    if not resample(image, grid, resampled, False, False, toVolume):
        raise RuntimeError(f"A segment of {segmentationNode.GetName()} could not be resampled.")
    return vtk_to_numpy(resampled.GetPointData().GetScalars()).reshape(grid.GetDimensions()[::-1]) > 0


def _orientedImage(inside, affine, kind=vtk.VTK_UNSIGNED_CHAR):
    image = slicer.vtkOrientedImageData()
    image.SetDimensions(*inside.shape[::-1])
    image.AllocateScalars(kind, 1)
    vtk_to_numpy(image.GetPointData().GetScalars())[:] = inside.ravel()
    image.SetImageToWorldMatrix(slicer.util.vtkMatrixFromArray(np.asarray(affine, dtype=np.float64)))
    return image
