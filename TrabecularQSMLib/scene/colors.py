"""Color tables of maps: gray, sequential and diverging, made once for each scene and saved with it."""

import numpy as np
import slicer

# In every scene, also without the application's color files.
GRAY = "vtkMRMLColorTableNodeGrey"
# Anchors at equal steps, red, green and blue of 255. Both are dark where there is little to see, as is the background
# of slice views, and get lighter evenly from there: sequential from low to high (viridis), diverging from the middle to
# both ends, blue below and red above.
_ANCHORS = {
    "sequential": (
        (68, 1, 84), (71, 45, 123), (59, 82, 139), (44, 114, 142), (33, 145, 140), (40, 174, 128), (94, 201, 98),
        (173, 220, 48), (253, 231, 37),
    ),
    "diverging": (
        (158, 176, 255), (81, 159, 211), (40, 104, 134), (20, 48, 62), (12, 12, 12), (65, 18, 1), (125, 52, 30),
        (190, 111, 99), (255, 173, 173),
    ),
}  # fmt: skip
_NAMES = {"sequential": "Trabecular QSM sequential", "diverging": "Trabecular QSM diverging"}
_KIND_ATTRIBUTE = "TrabecularQSM.Colors"
_COLORS = 256


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
    node.SetNumberOfColors(_COLORS)
    for number, color in enumerate(colors(kind)):
        node.SetColor(number, f"{number}", *color.tolist(), 1.0)
    # Not among the tables of segments and label maps.
    node.SetAttribute("Category", "Trabecular QSM")
    return slicer.mrmlScene.AddNode(node)


def colorTables() -> list:
    """Return the color tables of this extension that the scene has."""
    nodes = slicer.util.getNodesByClass("vtkMRMLColorTableNode")
    return [node for node in nodes if node.GetAttribute(_KIND_ATTRIBUTE)]


def colors(kind: str) -> np.ndarray:
    """Return red, green and blue, 0 to 1, of a color table from its lowest to its highest value, (256, 3).

    :param kind: "sequential" or "diverging".
    """
    anchors = np.array(_ANCHORS[kind]) / 255
    along, places = np.linspace(0, 1, _COLORS), np.linspace(0, 1, len(anchors))
    return np.stack([np.interp(along, places, channel) for channel in anchors.T], axis=1)
