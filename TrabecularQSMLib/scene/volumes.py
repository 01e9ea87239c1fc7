"""Maps as scalar volume nodes: geometry, quantity and unit as coded entries, window and colors."""

import contextlib
import itertools

import numpy as np
import slicer
import vtk
from slicer import vtkMRMLScalarVolumeDisplayNode, vtkMRMLScalarVolumeNode

from ..errors import InputError
from ..files.terminology import PRIVATE_SCHEME
from ..images import geometry_difference
from ..quantities import ALL_QUANTITIES, UNIT_CODES, Quantity, display_window
from .colors import colorNode

# What a map is called in names of nodes where that is not its title.
SYMBOLS = {"chi": "χ"}


def addMapVolume(array: np.ndarray, affine: np.ndarray, quantityName: str, baseName: str) -> vtkMRMLScalarVolumeNode:
    """Add a map to the scene.

    :param array: values [k, j, i] in the quantity's unit; stored as float32.
    :param affine: voxel indices (i, j, k) to RAS in mm.
    :param quantityName: a name of `quantities.ALL_QUANTITIES`.
    :param baseName: start of the node's name, which goes on with quantity and unit (NRRD files hold no unit).
    :return: the volume node.
    """
    quantity = ALL_QUANTITIES[quantityName]
    node = newVolume(array, affine, freeName(f"{baseName} {mapName(quantityName)}"))
    node.SetVoxelValueQuantity(codedEntry(*quantityCode(quantity)))
    value, meaning = UNIT_CODES[quantity.unit]
    node.SetVoxelValueUnits(codedEntry("UCUM", value, meaning))
    unit = "" if quantity.unit == "1" else f" Unit: {quantity.unit.rstrip('.')}."
    node.SetDescription(f"{quantity.description}{unit}")
    with allOrNone() as added:
        added.append(slicer.mrmlScene.AddNode(node))
        # Not CreateDefaultDisplayNodes: that makes a histogram for a window nobody asks for, and keeps it.
        display = vtkMRMLScalarVolumeDisplayNode()
        followUndo(display)
        display.SetAutoWindowLevel(False)
        added.append(slicer.mrmlScene.AddNode(display))
        node.SetAndObserveDisplayNodeID(display.GetID())
        display.SetWindowLevelMinMax(*display_window(quantityName, array))
        display.SetAndObserveColorNodeID(colorNode(quantity.colors).GetID())
        if quantity.colors == "sequential":
            # Outside of the body, where these maps are zero, nothing is drawn.
            display.SetThreshold(np.finfo(np.float32).tiny, np.finfo(np.float32).max)
            display.SetApplyThreshold(True)
    return node


def mapName(quantityName: str) -> str:
    """Return what a map is called in names of nodes, with its unit.

    :param quantityName: a name of `quantities.ALL_QUANTITIES`.
    """
    quantity = ALL_QUANTITIES[quantityName]
    title = SYMBOLS.get(quantityName, quantity.title)
    # Words begin small within a name, abbreviations do not.
    word = title[0].lower() + title[1:] if title[1:2].islower() else title
    return word if quantity.unit == "1" else f"{word} [{quantity.unit}]"


def nameOf(volumeNode) -> str:
    """Return the name of a volume without its unit, for what is made of it.

    :param volumeNode: any volume node.
    """
    return volumeNode.GetName().partition(" [")[0]


def freeName(name: str, *endings: str) -> str:
    """Return a name that no node of the scene and no folder has yet: the name itself, or with a number behind it.

    Of nodes of one name a selector shows the one and may mean the other.

    :param name: the name.
    :param endings: what else is appended to it, for nodes that are numbered together.
    """
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)

    def isTaken(candidate):
        return slicer.mrmlScene.GetFirstNodeByName(candidate) is not None or hierarchy.GetItemByName(candidate) > 0

    for number in itertools.count(1):
        candidate = name if number == 1 else f"{name} {number}"
        if not any(isTaken(candidate + ending) for ending in endings or ("",)):
            return candidate


def followUndo(node) -> None:
    """Let a node that is not in the scene yet take part in Undo if new nodes of its class do.

    :param node: made by its constructor, which does not look at the scene's default node.
    """
    default = slicer.mrmlScene.GetDefaultNodeByClass(node.GetClassName())
    if default is not None:
        node.SetUndoEnabled(default.GetUndoEnabled())


def newVolume(array: np.ndarray, affine: np.ndarray, name: str) -> vtkMRMLScalarVolumeNode:
    """Make a scalar volume node of float32 voxels that is in no scene yet.

    :param array: values [k, j, i].
    :param affine: voxel indices (i, j, k) to RAS in mm.
    :param name: name of the node.
    """
    node = vtkMRMLScalarVolumeNode()
    followUndo(node)
    node.SetName(name)
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(np.asarray(affine, dtype=np.float64)))
    # float32 always: bool and int64 are refused by nodes, and a complex array would lose its imaginary part silently.
    slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(array, dtype=np.float32))
    return node


def removeWithHelpers(node) -> None:
    """Remove a node with its display and storage nodes, which would stay behind unseen.

    :param node: any node; nothing happens if it is no longer in the scene.
    """
    helpers = []
    if node.IsA("vtkMRMLDisplayableNode"):
        helpers += [node.GetNthDisplayNode(n) for n in range(node.GetNumberOfDisplayNodes())]
    if node.IsA("vtkMRMLStorableNode"):
        helpers += [node.GetNthStorageNode(n) for n in range(node.GetNumberOfStorageNodes())]
    for one in (*filter(None, helpers), node):
        # The scene finds nodes by their ID, which another node has after the scene was closed.
        if one.GetScene() is slicer.mrmlScene:
            slicer.mrmlScene.RemoveNode(one)


@contextlib.contextmanager
def allOrNone():
    """Give a list for the nodes that a block adds; they are removed again, last first, if the block raises."""
    added = []
    try:
        yield added
    except BaseException:
        for node in reversed(added):
            removeWithHelpers(node)
        raise


def quantityOf(volumeNode) -> tuple[str, str]:
    """Return what a volume is a map of, and its unit; its own name where it does not say.

    :param volumeNode: any scalar volume.
    """
    quantity, units = volumeNode.GetVoxelValueQuantity(), volumeNode.GetVoxelValueUnits()
    code = (quantity.GetCodingSchemeDesignator(), quantity.GetCodeValue()) if quantity else None
    for known in ALL_QUANTITIES.values():
        if code == quantityCode(known)[:2]:
            return known.name, known.unit
    code = (units.GetCodeValue() or "") if units else ""
    return volumeNode.GetName(), next((unit for unit, (known, _) in UNIT_CODES.items() if known == code), code)


def quantityCode(quantity: Quantity) -> tuple[str, str, str]:
    """Return the coded entry of a quantity: scheme, value and meaning.

    :param quantity: one of `quantities.ALL_QUANTITIES`.
    """
    if quantity.code:
        return ("DCM", *quantity.code)
    return PRIVATE_SCHEME, quantity.name, quantity.title


def affineFromVolume(volumeNode) -> np.ndarray:
    """Return the affine (i, j, k → RAS mm) of a volume node, (4, 4) float64; parent transforms are not applied.

    :param volumeNode: any volume node.
    """
    matrix = slicer.util.vtkMatrixFromArray(np.eye(4))
    volumeNode.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def checkClass(node, className: str, what: str, advice: str) -> None:
    """Raise `InputError` unless a node is of a class.

    :param node: whatever was chosen.
    :param className: of MRML.
    :param what: what it was chosen for, such as "a table of values".
    :param advice: what to do, such as "choose a table".
    """
    if node is None or not node.IsA(className):
        found = "nothing" if node is None else f"{node.GetName()}, a {node.GetNodeTagName()} node,"
        raise InputError(f"There is {found} where {what} is asked for; {advice}.")


def checkVolume(node, name: str = "image") -> None:
    """Raise `InputError` unless a node is a scalar volume with voxels that lie in space; label maps are.

    :param node: whatever was chosen.
    :param name: what it was chosen for.
    """
    checkClass(node, "vtkMRMLScalarVolumeNode", f"the {name}", "choose a volume")
    if not hasVoxels(node):
        raise InputError(f"The volume {node.GetName()} has no voxels; choose another as {name}.")
    if node.GetImageData().GetNumberOfScalarComponents() != 1:
        raise InputError(f"The volume {node.GetName()} has several values in each voxel; choose another as {name}.")
    axes = affineFromVolume(node)[:3, :3]
    if not np.isfinite(axes).all() or np.linalg.det(axes) == 0:  # an axis without length is not-a-number
        raise InputError(f"The axes of the volume {node.GetName()} do not span a volume; choose another as {name}.")


def hasVoxels(volumeNode) -> bool:
    """Return whether a volume holds values: an image may have a size and none.

    :param volumeNode: any volume node.
    """
    image = volumeNode.GetImageData()
    return image is not None and image.GetNumberOfPoints() > 0 and image.GetPointData().GetScalars() is not None


def gridDifference(volumeNode, otherVolumeNode) -> str | None:
    """Say how the grid of a second volume differs from that of a first one, or None if they are the same.

    :param volumeNode: any scalar volume.
    :param otherVolumeNode: another one.
    :raises InputError: if one of them is no such volume.
    """
    for one in (volumeNode, otherVolumeNode):
        checkVolume(one)
    if volumeNode.GetTransformNodeID() != otherVolumeNode.GetTransformNodeID():
        return "they are under different transforms"
    grids = [(slicer.util.arrayFromVolume(one).shape, affineFromVolume(one)) for one in (volumeNode, otherVolumeNode)]
    return geometry_difference(*grids[0], *grids[1])


def transformBetween(node, otherNode) -> vtk.vtkGeneralTransform:
    """Return the transform from a node's own coordinates to those of another one; the world's for None.

    :param node: any node that can be under a transform.
    :param otherNode: another one.
    """
    above = [one and one.GetParentTransformNode() for one in (node, otherNode)]
    between = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(*above, between)
    # One that does not change with the nodes.
    kept = vtk.vtkGeneralTransform()
    kept.DeepCopy(between)
    return kept


def pointsInVolume(worldPoints, volumeNode) -> np.ndarray:
    """Return points of the world in a volume's own coordinates, without the transforms above it, (n, 3) RAS mm.

    :param worldPoints: points (n, 3) as they are seen.
    :param volumeNode: any volume node.
    """
    toVolume = transformBetween(None, volumeNode)
    return np.array([toVolume.TransformPoint(point) for point in worldPoints]).reshape(-1, 3)


def controlPoints(markups) -> np.ndarray:
    """Return the control points of markups as they are seen, (n, 3) RAS mm; not-a-number where one is not placed.

    :param markups: any markups node.
    :raises InputError: if it is none.
    """
    checkClass(markups, "vtkMRMLMarkupsNode", "a list of points", "choose points that were placed on the image")
    points = slicer.util.arrayFromMarkupsControlPoints(markups, world=True).reshape(-1, 3)
    for number in range(len(points)):
        if markups.GetNthControlPointPositionStatus(number) != markups.PositionDefined:
            points[number] = np.nan
    return points


def codedEntry(scheme: str, value: str, meaning: str):
    """Return a coded entry.

    :param scheme: coding scheme, such as DCM, SCT or UCUM.
    :param value: code.
    :param meaning: its meaning in words.
    """
    entry = slicer.vtkCodedEntry()
    entry.SetValueSchemeMeaning(value, scheme, meaning)
    return entry
