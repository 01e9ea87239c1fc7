"""Slicer's Segment Editor within a panel, for the regions of its step."""

import slicer

# What a region of bone needs, in the order in which the buttons are shown. The names are those of Slicer's effects.
EFFECTS = (
    "Paint",
    "Draw",
    "Erase",
    "Scissors",
    "Threshold",
    "Islands",
    "Smoothing",
    "Margin",
    "Fill between slices",
    "Logical operators",
)
# The state of this editor; that of the module Segment Editor stays as it is.
_NODE = "TrabecularQSMAnalysis"


class RegionEditor:
    """A qMRMLSegmentEditorWidget that edits while it is shown, and leaves views and keys alone otherwise.

    :param widget: the widget, without a scene yet.
    """

    def __init__(self, widget) -> None:
        self._widget, self._edited = widget, None
        widget.setEffectNameOrder(EFFECTS)

    def edit(self, segmentationNode, sourceVolumeNode) -> None:
        """Edit a segmentation on a volume; nothing happens if it does already.

        :param segmentationNode: segmentation, or None to stop.
        :param sourceVolumeNode: volume to draw on; that on whose grid the segmentation was made if None.
        """
        if segmentationNode is None:
            self.stop()
            return
        wanted = [node and node.GetID() for node in (segmentationNode, sourceVolumeNode)]
        if wanted == self._edited:
            return
        if self._edited is None:
            # The node comes before the scene, with which the widget would select nodes by itself.
            self._widget.setMRMLSegmentEditorNode(_editorNode())
            self._widget.setMRMLScene(slicer.mrmlScene)
            self._widget.installKeyboardShortcuts()
            self._widget.updateWidgetFromMRML()
        self._edited = wanted
        # The segmentation comes first: with it the widget selects the volume of its grid.
        self._widget.setSegmentationNode(segmentationNode)
        if sourceVolumeNode is not None:
            self._widget.setSourceVolumeNode(sourceVolumeNode)

    def stop(self) -> None:
        """Let go of effect, keys, views and nodes: before the panel is left, a run starts, or the scene closes."""
        if self._edited is None:
            return
        self._edited = None
        self._widget.setActiveEffect(None)
        self._widget.uninstallKeyboardShortcuts()
        self._widget.setSegmentationNode(None)
        self._widget.removeViewObservations()


def _editorNode():
    """Return the node with the editor's state, one for each scene."""
    node = slicer.mrmlScene.GetSingletonNode(_NODE, "vtkMRMLSegmentEditorNode")
    if node is None:
        node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLSegmentEditorNode")
        node.UnRegister(None)
        node.SetSingletonTag(_NODE)
        node = slicer.mrmlScene.AddNode(node)
    return node
