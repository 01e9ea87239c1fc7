"""Results in a folder of the subject hierarchy, all of them or none."""

import contextlib
from collections.abc import Callable, Iterator

import slicer
import vtk

from .colors import colorTables
from .volumes import freeName, removeWithHelpers


@contextlib.contextmanager
def resultFolder(name: str, beside=None) -> Iterator[Callable]:
    """Make a folder, and give the function that puts a node of the scene into it.

    If the block fails, folder and nodes are removed again.

    :param name: name of the folder; numbered if there is one.
    :param beside: node beside which it is placed, or a sequence whose shown volume is; at the top by default.
    """
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    folder, nodes = hierarchy.CreateFolderItem(_parentItem(hierarchy, beside), freeName(name)), []
    colors = colorTables()

    def put(node):
        nodes.append(node)
        # The application makes an item for each node that is added; without it there is none yet.
        item = hierarchy.GetItemByDataNode(node) or hierarchy.CreateItem(folder, node)
        hierarchy.SetItemParent(item, folder)
        return node

    try:
        yield put
    except BaseException:
        for node in reversed(nodes):
            hierarchy.RemoveItem(hierarchy.GetItemByDataNode(node), False)
            removeWithHelpers(node)
        hierarchy.RemoveItem(folder)
        for table in colorTables():
            if table not in colors:
                removeWithHelpers(table)
        raise


def sameFolder(node) -> list:
    """Return the scalar volumes that lie in the folder of a node, with itself; none where that is no folder.

    :param node: any node.
    """
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    parent, children = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)), vtk.vtkIdList()
    if not parent or parent == hierarchy.GetSceneItemID():
        return []
    hierarchy.GetItemChildren(parent, children)
    nodes = (hierarchy.GetItemDataNode(children.GetId(n)) for n in range(children.GetNumberOfIds()))
    return [one for one in nodes if one is not None and one.IsA("vtkMRMLScalarVolumeNode")]


def _parentItem(hierarchy, beside):
    # An item that does not exist has the number 0, which is no parent.
    item = hierarchy.GetItemByDataNode(beside) if beside is not None else 0
    if not item and beside is not None and beside.IsA("vtkMRMLSequenceNode"):
        # Sequences themselves are not shown in the hierarchy; the volume that plays one lies in its study.
        browser = slicer.modules.sequences.logic().GetFirstBrowserNodeForSequenceNode(beside)
        proxy = browser.GetProxyNode(beside) if browser is not None else None
        item = hierarchy.GetItemByDataNode(proxy) if proxy is not None else 0
    return hierarchy.GetItemParent(item) if item else hierarchy.GetSceneItemID()
