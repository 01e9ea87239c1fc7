"""Parameter nodes bound to widgets that Slicer's parameterNodeWrapper does not know yet."""

import math

import ctk
import qt
import slicer
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLTableNode
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import (
    GuiConnector,
    WithinRange,
    parameterNodeGuiConnector,
    splitAnnotations,
    unannotatedType,
)

from .numbers import shortNumber


class _WidgetConnector(GuiConnector):
    """Base of connectors for widgets that parameterNodeWrapper does not know yet."""

    widgetClass = dataType = signal = None

    def __init__(self, widget):
        super().__init__()
        self._widget = widget

    @classmethod
    def canRepresent(cls, widget, datatype) -> bool:
        return type(widget) is getattr(slicer, cls.widgetClass) and datatype == cls.dataType

    @classmethod
    def create(cls, widget, datatype):
        return cls(widget) if cls.canRepresent(widget, datatype) else None

    def _connect(self):
        self._widget.connect(self.signal, self.changed)

    def _disconnect(self):
        self._widget.disconnect(self.signal, self.changed)

    def changed(self, *args):
        super().changed()

    def widget(self):
        return self._widget


@parameterNodeGuiConnector
class SegmentConnector(_WidgetConnector):
    """Binds the segment selected in a qMRMLSegmentSelectorWidget; its node comes from a node selector before it."""

    widgetClass, dataType, signal = "qMRMLSegmentSelectorWidget", str, "currentSegmentChanged(QString)"
    _before = None, ""

    def read(self) -> str:
        """Return the ID of the segment; nothing once after that which was selected has been removed.

        The widget goes on to the first segment then, which `followSegmentation` says.
        """
        node, (nodeID, segmentID) = self._widget.currentNode(), self._before
        found = _currentSegment(self._widget)
        self._before = node and node.GetID(), found
        isGone = node and segmentID and node.GetID() == nodeID and not node.GetSegmentation().GetSegment(segmentID)
        return "" if isGone else found

    def write(self, value: str) -> None:
        """Select a segment by its ID; nothing happens without one."""
        if value and self._widget.currentNode():
            self._widget.setCurrentSegmentID(value)


@parameterNodeGuiConnector
class SmallNumberConnector(_WidgetConnector):
    """Binds a number in a QLineEdit, where it reads ``1e-6``; what is no number in its range leaves the last one."""

    signal = "textChanged(QString)"

    def __init__(self, widget, datatype):
        super().__init__(widget)
        self._value = 0.0
        ranges = (note for note in splitAnnotations(datatype)[1] if isinstance(note, WithinRange))
        self._range = next(((note.minimum, note.maximum) for note in ranges), (-math.inf, math.inf))

    @classmethod
    def canRepresent(cls, widget, datatype) -> bool:
        """Return whether it is for a number in a line edit."""
        return type(widget) is qt.QLineEdit and unannotatedType(datatype) is float

    @classmethod
    def create(cls, widget, datatype):
        """Return a connector with the range of the number."""
        return cls(widget, datatype) if cls.canRepresent(widget, datatype) else None

    def read(self) -> float:
        """Return the number; 0 for an empty text, which shows its placeholder."""
        try:
            value = float(self._widget.text.strip() or 0)
        except ValueError:
            return self._value
        low, high = self._range
        if low <= value <= high:
            self._value = value
        return self._value

    def write(self, value) -> None:
        """Show a number, unless it is what the text says already, which may be half written."""
        if self.read() != value or not self._widget.text:
            self._value = value
            self._widget.text = shortNumber(value) if value else ""


@parameterNodeGuiConnector
class CheckedNodesConnector(_WidgetConnector):
    """Binds the nodes ticked in a qMRMLCheckableNodeComboBox."""

    widgetClass, dataType, signal = (
        "qMRMLCheckableNodeComboBox",
        list[vtkMRMLScalarVolumeNode],
        "checkedNodesChanged()",
    )

    def read(self) -> list:
        """Return the nodes that are ticked."""
        return list(self._widget.checkedNodes())

    def write(self, value) -> None:
        """Tick these nodes and no others."""
        chosen = [node.GetID() for node in value if node]
        for index in range(self._widget.nodeCount()):
            node = self._widget.nodeFromIndex(index)
            if node is None:  # it is being removed
                continue
            state = qt.Qt.Checked if node.GetID() in chosen else qt.Qt.Unchecked
            if self._widget.checkState(node) != state:
                self._widget.setCheckState(node, state)


@parameterNodeGuiConnector
class CheckedTablesConnector(CheckedNodesConnector):
    """Binds the tables ticked in a qMRMLCheckableNodeComboBox."""

    dataType = list[vtkMRMLTableNode]


@parameterNodeGuiConnector
class PathConnector(_WidgetConnector):
    """Binds the text of a ctkPathLineEdit; a Path, for which Slicer has a connector, would be ``.`` for none."""

    dataType, signal = str, "currentPathChanged(QString)"

    @classmethod
    def canRepresent(cls, widget, datatype) -> bool:
        """Return whether it is for a text in a path's line edit."""
        return type(widget) is ctk.ctkPathLineEdit and datatype is str

    def read(self) -> str:
        """Return the path as it stands."""
        return self._widget.currentPath

    def write(self, value: str) -> None:
        """Show a path."""
        self._widget.currentPath = value


def hideNodes(selector, nodeIDs: list[str]) -> None:
    """Leave nodes out of the list of a selector, where it can filter its list.

    :param selector: qMRMLNodeComboBox or a kind of it.
    :param nodeIDs: which nodes.
    """
    model = selector.sortFilterProxyModel() if hasattr(selector, "sortFilterProxyModel") else None
    if model is not None and sorted(model.hiddenNodeIDs) != sorted(nodeIDs):
        model.hiddenNodeIDs = nodeIDs


def followSegmentation(selector, segmentationNode, segmentID: str, say) -> str:
    """Show the segments of a segmentation in a selector, and return the ID of the segment that is selected then.

    :param selector: qMRMLSegmentSelectorWidget whose own selector of segmentations is hidden.
    :param segmentationNode: segmentation that is selected elsewhere in the panel, or None.
    :param segmentID: segment that is selected if it is there; otherwise the widget's choice.
    :param say: called with a sentence where the widget has gone on to another segment, since its own was removed.
    """
    selector.enabled = bool(segmentationNode)
    if selector.currentNode() is not segmentationNode:
        # By way of none: the selector inside does not signal a change to a node of the same name, and the widget would
        # go on to show the segments of the node before. It selects the first segment by itself.
        selector.setCurrentNode(None)
        selector.setCurrentNode(segmentationNode)
        if segmentationNode and segmentationNode.GetSegmentation().GetSegment(segmentID):
            selector.setCurrentSegmentID(segmentID)
    elif not segmentID and (found := _currentSegment(selector)):
        text = _("The segment that was selected in {name} is gone; {other} is selected now.")
        other = segmentationNode.GetSegmentation().GetSegment(found).GetName()
        say(text.format(name=segmentationNode.GetName(), other=other))
    return _currentSegment(selector)


def _currentSegment(selector):
    # Where a segmentation has no segment, the widget goes on to give that of the one before.
    node, segmentID = selector.currentNode(), selector.currentSegmentID()
    return segmentID if node and segmentID and node.GetSegmentation().GetSegment(segmentID) else ""
