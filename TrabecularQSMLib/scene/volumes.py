"""Maps as scalar volume nodes: geometry, quantity and unit as coded entries, window and colors."""

import numpy as np
import slicer
from slicer import vtkMRMLScalarVolumeNode

from ..figures import COLORED
from ..quantities import QUANTITIES, display_window

PRIVATE_SCHEME = "99TRABQSM"
# Units of the quantities as UCUM code and meaning.
UNIT_CODES = {
    "ppm": ("[ppm]", "parts per million"),
    "1/s": ("/s", "per second"),
    "Hz": ("Hz", "hertz"),
    "1": ("1", "no units"),
    "a.u.": ("[arb'U]", "arbitrary unit"),
}
# Both are in every scene, also without the application's color files.
GREY, COLOR = "vtkMRMLColorTableNodeGrey", "vtkMRMLColorTableNodeIron"


def addMapVolume(array: np.ndarray, affine: np.ndarray, quantityName: str, baseName: str) -> vtkMRMLScalarVolumeNode:
    """Add a map to the scene.

    :param array: values [k, j, i] in the quantity's unit; stored as float32.
    :param affine: voxel indices (i, j, k) to RAS in mm.
    :param quantityName: a name of `quantities.QUANTITIES`.
    :param baseName: start of the node's name, which goes on with quantity and unit (NRRD files hold no unit).
    :return: the volume node.
    """
    quantity = QUANTITIES[quantityName]
    # Not in square brackets, which slicer.util.getNode would take for a pattern.
    unit = "" if quantity.unit == "1" else f" ({quantity.unit})"
    node = newVolume(array, affine, f"{baseName} {quantity.name}{unit}")
    value, meaning = quantity.code or (quantity.name, quantity.title)
    node.SetVoxelValueQuantity(_codedEntry(value, "DCM" if quantity.code else PRIVATE_SCHEME, meaning))
    value, meaning = UNIT_CODES[quantity.unit]
    node.SetVoxelValueUnits(_codedEntry(value, "UCUM", meaning))
    node.SetDescription(f"{quantity.description} Unit: {quantity.unit}.")
    slicer.mrmlScene.AddNode(node)
    try:
        node.CreateDefaultDisplayNodes()
        display = node.GetScalarVolumeDisplayNode()
        display.SetAutoWindowLevel(False)
        display.SetWindowLevelMinMax(*display_window(quantityName, array))
        display.SetAndObserveColorNodeID(COLOR if quantityName in COLORED else GREY)
    except BaseException:
        removeWithHelpers(node)
        raise
    return node


def newVolume(array: np.ndarray, affine: np.ndarray, name: str) -> vtkMRMLScalarVolumeNode:
    """Make a scalar volume node of float32 voxels that is in no scene yet.

    :param array: values [k, j, i].
    :param affine: voxel indices (i, j, k) to RAS in mm.
    :param name: name of the node.
    """
    node = vtkMRMLScalarVolumeNode()
    node.SetName(name)
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(np.asarray(affine, dtype=np.float64)))
    # float32 always: bool and int64 are refused by nodes, and a complex array would lose its imaginary part silently.
    slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(array, dtype=np.float32))
    return node


def removeWithHelpers(node) -> None:
    """Remove a node with its display and storage nodes, which would stay behind unseen.

    :param node: any node of the scene.
    """
    helpers = []
    if node.IsA("vtkMRMLDisplayableNode"):
        helpers += [node.GetNthDisplayNode(n) for n in range(node.GetNumberOfDisplayNodes())]
    if node.IsA("vtkMRMLStorableNode"):
        helpers += [node.GetNthStorageNode(n) for n in range(node.GetNumberOfStorageNodes())]
    for one in (*filter(None, helpers), node):
        slicer.mrmlScene.RemoveNode(one)


def affineFromVolume(volumeNode) -> np.ndarray:
    """Return the affine (i, j, k → RAS mm) of a volume node, (4, 4) float64; parent transforms are not applied.

    :param volumeNode: any volume node.
    """
    matrix = slicer.util.vtkMatrixFromArray(np.eye(4))
    volumeNode.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def _codedEntry(value, scheme, meaning):
    entry = slicer.vtkCodedEntry()
    entry.SetValueSchemeMeaning(value, scheme, meaning)
    return entry
