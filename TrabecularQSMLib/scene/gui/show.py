"""Results brought into view."""

import slicer
from slicer import vtkMRMLLayoutNode

from ..echoes import proxyOf
from ..regions import hideOtherSegmentations, showOutlines

# Numbers of layouts are shared by all extensions; these are unlikely to be taken. That of charts counts them on top.
SLICES_LAYOUT, _CHARTS_LAYOUT = 47101, 47110
_SLICE = """<item splitSize="{size}"><view class="vtkMRMLSliceNode" singletontag="{name}">
<property name="orientation" action="default">{orientation}</property>
<property name="viewlabel" action="default">{name[0]}</property>
<property name="viewcolor" action="default">{color}</property></view></item>"""
_RED, _YELLOW, _GREEN = (
    _SLICE.format(name=name, orientation=orientation, color=color, size=size)
    # The colors by which Slicer knows its views, in any style.
    for name, orientation, color, size in (
        ("Red", "Axial", "#F34A33", 600),
        ("Yellow", "Sagittal", "#EDD54C", 500),
        ("Green", "Coronal", "#6EB04B", 500),
    )
)
# One slice large, for maps: no space is given to a 3-D view, in which they are not seen.
_SLICES = f"""<layout type="horizontal" split="true">{_RED}<item splitSize="400">
<layout type="vertical" split="true">{_YELLOW}{_GREEN}</layout></item></layout>"""


def showChart(chartNode) -> None:
    """Show a chart in a layout with a plot view.

    :param chartNode: the chart.
    """
    slicer.modules.plots.logic().ShowChartInLayout(chartNode)


def showCharts(chartNodes) -> None:
    """Show charts below each other, beside a slice view; one alone as `showChart` does.

    :param chartNodes: one or several charts.
    """
    if len(chartNodes) == 1:
        showChart(chartNodes[0])
        return
    tags = [f"PlotView{number}" for number in range(1, len(chartNodes) + 1)]
    _setLayout(_CHARTS_LAYOUT + len(tags), chartsLayout(tags))
    # The layout has made the views.
    views = [slicer.mrmlScene.GetSingletonNode(tag, "vtkMRMLPlotViewNode") for tag in tags]
    if None in views:
        showChart(chartNodes[0])
        return
    for view, chartNode in zip(views, chartNodes, strict=True):
        view.SetPlotChartNodeID(chartNode.GetID())


def chartsLayout(tags) -> str:
    """Return the description of a layout of a slice view and, beside it, plot views below each other.

    :param tags: names of the plot views.
    """
    plots = "".join(
        f'<item><view class="vtkMRMLPlotViewNode" singletontag="{tag}">'
        f'<property name="viewlabel" action="default">P{number}</property></view></item>'
        for number, tag in enumerate(tags, 1)
    )
    return (
        f'<layout type="horizontal" split="true">{_RED}'
        f'<item splitSize="500"><layout type="vertical" split="true">{plots}</layout></item></layout>'
    )


def showGeometry(bone, field) -> None:
    """Show a simulated geometry: its field in the slice views, its bone alone in a layout with a 3-D view.

    :param bone: segmentation.
    :param field: volume.
    """
    hideOtherSegmentations(bone)
    bone.CreateClosedSurfaceRepresentation()  # for the 3-D view
    slicer.app.layoutManager().setLayout(vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    slicer.util.setSliceViewerLayers(background=field, foreground=None, fit=True)
    slicer.util.resetThreeDViews()


def showTable(tableNode) -> None:
    """Show a table in a layout with a table view.

    :param tableNode: the table.
    """
    layout = slicer.app.layoutManager()
    layout.setLayout(slicer.modules.tables.logic().GetLayoutWithTable(layout.layout))
    slicer.app.applicationLogic().GetSelectionNode().SetActiveTableID(tableNode.GetID())
    slicer.app.applicationLogic().PropagateTableSelection()


def showOver(fixed, moving) -> None:
    """Show two volumes over each other in the slice views, half transparent.

    :param fixed: volume in the background.
    :param moving: volume in the foreground.
    """
    slicer.util.setSliceViewerLayers(background=fixed, foreground=moving, foregroundOpacity=0.5, fit=True)


def showEchoes(magnitudeSequence) -> None:
    """Show the volume of a scan's magnitude in the slice views.

    :param magnitudeSequence: sequence that a browser plays.
    """
    shown = proxyOf(magnitudeSequence)
    if shown is not None:
        slicer.util.setSliceViewerLayers(background=shown, foreground=None, label=None, fit=True)


def showMap(volumeNode, *, fit: bool = False) -> None:
    """Show a map alone in the slice views, with its own colors, and all regions as outlines on it.

    :param volumeNode: the map; nothing is shown for None.
    :param fit: whether the views are moved to it.
    """
    for segmentation in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        showOutlines(segmentation)
    slicer.util.setSliceViewerLayers(background=volumeNode, foreground=None, label=None, fit=fit)


def showSlices() -> int | None:
    """Show a layout of three large slice views, and return the one before; None if it is that already."""
    before = slicer.app.layoutManager().layout
    if before == SLICES_LAYOUT or not _setLayout(SLICES_LAYOUT, _SLICES):
        return None
    return before


def _setLayout(number: int, description: str) -> bool:
    """Show a layout of our own, made known to the scene if it is not yet; False where the scene has no layouts."""
    node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    if node is None:
        return False
    if not node.IsLayoutDescription(number):
        node.AddLayoutDescription(number, description)
    slicer.app.layoutManager().setLayout(number)
    return True


def showLayout(layout: int) -> None:
    """Go back to a layout.

    :param layout: its number.
    """
    slicer.app.layoutManager().setLayout(layout)
