"""What runs have left in the scene: their maps with unit and window, and what a user should know of them."""

from typing import NamedTuple

import numpy as np
import slicer

from ..quantities import ALL_QUANTITIES
from .echoes import notesOf, proxyOf
from .reconstruct import SETTINGS_ATTRIBUTE
from .volumes import quantityOf

# Of a volume that shows what a map would be, for a while.
PREVIEW_ATTRIBUTE = "TrabecularQSM.Preview"


class MapRow(NamedTuple):
    """A map: its node, quantity, title, unit ("" for fractions), and the window in which it is shown."""

    node: object
    quantity: str
    title: str
    unit: str
    window: tuple[float, float]


class Run(NamedTuple):
    """The maps of a run in the order of `quantities.ALL_QUANTITIES`, by the folder in which they lie."""

    name: str
    maps: list[MapRow]
    notes: list[str]

    @property
    def nodes(self) -> dict:
        """Volume nodes by the name of their quantity, as `reconstructNodes` returns them."""
        return {row.quantity: row.node for row in self.maps}


def runsInScene() -> list[Run]:
    """Return the runs whose maps the scene has, the latest first; maps that were taken out of their folder are none."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    folders = {}
    for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
        item = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node))
        known = quantityOf(node)[0] in ALL_QUANTITIES
        if known and node.GetAttribute(SETTINGS_ATTRIBUTE) and item and item != hierarchy.GetSceneItemID():
            folders.setdefault(item, []).append(node)
    order = list(ALL_QUANTITIES)
    runs = []
    for item, nodes in reversed(folders.items()):
        rows = sorted(map(_row, nodes), key=lambda row: order.index(row.quantity))
        runs.append(Run(hierarchy.GetItemName(item), rows, notesOf(rows[0].node)))
    return runs


def _row(node):
    quantity, unit = quantityOf(node)
    display = node.GetScalarVolumeDisplayNode()
    window = (display.GetWindowLevelMin(), display.GetWindowLevelMax()) if display else (np.nan, np.nan)
    return MapRow(node, quantity, ALL_QUANTITIES[quantity].title, "" if unit == "1" else unit, window)


def medianReliability(run: Run) -> float | None:
    """Return the median reliability of the fit in the mask, 0 to 1, or None where a run has no such maps.

    :param run: one of `runsInScene`.
    """
    nodes = run.nodes
    if not {"reliability", "mask"} <= set(nodes):
        return None
    reliability, mask = (slicer.util.arrayFromVolume(nodes[name]) for name in ("reliability", "mask"))
    return float(np.median(reliability[mask > 0])) if reliability.shape == mask.shape and (mask > 0).any() else None


def shownMap():
    """Return the volume in the background of the slice views, or None."""
    composites = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    shown = composites[0].GetBackgroundVolumeID() if composites else None
    return slicer.mrmlScene.GetNodeByID(shown) if shown else None


def nameAmongAlike(node) -> str | None:
    """Return a name that a saved scene keeps, with its place if several of a class are called so; None of None.

    :param node: any node of the scene, or None.
    """
    if node is None:
        return None
    alike = [one for one in slicer.util.getNodesByClass(node.GetClassName()) if one.GetName() == node.GetName()]
    return f"{node.GetName()} ({alike.index(node) + 1})" if node in alike[1:] else node.GetName()


def volumesThatAreNoEchoes() -> list[str]:
    """Return the IDs of the volumes that cannot be echoes of a scan to be made: results, and what shows sequences."""
    made = (SETTINGS_ATTRIBUTE, PREVIEW_ATTRIBUTE)
    volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    shown = {proxyOf(sequence) for sequence in slicer.util.getNodesByClass("vtkMRMLSequenceNode")}
    return [node.GetID() for node in volumes if node in shown or any(map(node.GetAttribute, made))]
