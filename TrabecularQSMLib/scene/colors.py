"""Color tables of maps: gray, sequential and diverging, made once for each scene and saved with it."""

import slicer

from ..figures.colors import COLORS, color_table

# In every scene, also without the application's color files.
GRAY = "vtkMRMLColorTableNodeGrey"
_NAMES = {"sequential": "Trabecular QSM sequential", "diverging": "Trabecular QSM diverging"}
_KIND_ATTRIBUTE = "TrabecularQSM.Colors"


def colorNode(kind: str):
    """Return the color table of a kind of map, and add it to the scene if it is not there yet.

    :param kind: "gray", "sequential" or "diverging", as `quantities.Quantity.colors` has it.
    """
    if kind == "gray":
        return slicer.mrmlScene.GetNodeByID(GRAY)
    for node in colorTables():
        if node.GetAttribute(_KIND_ATTRIBUTE) == kind:
            return node
    node = slicer.vtkMRMLColorTableNode()
    node.SetTypeToUser()
    node.SetName(_NAMES[kind])
    node.SetAttribute(_KIND_ATTRIBUTE, kind)
    node.SetNumberOfColors(COLORS)
    for number, color in enumerate(color_table(kind)):
        node.SetColor(number, f"{number}", *color.tolist(), 1.0)
    # Not among the tables of segments and label maps.
    node.SetAttribute("Category", "Trabecular QSM")
    return slicer.mrmlScene.AddNode(node)


def colorTables() -> list:
    """Return the color tables of this extension that the scene has."""
    nodes = slicer.util.getNodesByClass("vtkMRMLColorTableNode")
    return [node for node in nodes if node.GetAttribute(_KIND_ATTRIBUTE)]
