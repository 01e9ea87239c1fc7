"""Results brought into view."""

import slicer
from slicer import vtkMRMLLayoutNode

from ..regions import hideOtherSegmentations

# Number of a layout of Slicer's scene, and one more for each chart; Slicer's own are below 100, others take 500 and on.
_CHARTS_LAYOUT = 7300


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
    number = _CHARTS_LAYOUT + len(tags)
    layoutNode = slicer.app.layoutManager().layoutLogic().GetLayoutNode()
    if not layoutNode.IsLayoutDescription(number):
        layoutNode.AddLayoutDescription(number, chartsLayout(tags))
    slicer.app.layoutManager().setLayout(number)
    for tag, chartNode in zip(tags, chartNodes, strict=True):
        # The layout has made the views.
        slicer.mrmlScene.GetSingletonNode(tag, "vtkMRMLPlotViewNode").SetPlotChartNodeID(chartNode.GetID())


def chartsLayout(tags) -> str:
    """Return the description of a layout of a slice view and, beside it, plot views below each other.

    :param tags: names of the plot views.
    """
    plots = "".join(
        f'<item><view class="vtkMRMLPlotViewNode" singletontag="{tag}">'
        f'<property name="viewlabel" action="default">P{number}</property></view></item>'
        for number, tag in enumerate(tags, 1)
    )
    red = (
        '<view class="vtkMRMLSliceNode" singletontag="Red"><property name="orientation" action="default">Axial'
        '</property><property name="viewlabel" action="default">R</property>'
        '<property name="viewcolor" action="default">#F34A33</property></view>'
    )
    return (
        f'<layout type="horizontal" split="true"><item>{red}</item>'
        f'<item><layout type="vertical" split="true">{plots}</layout></item></layout>'
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
