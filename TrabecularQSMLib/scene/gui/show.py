"""Results brought into view."""

import slicer


def showChart(chartNode) -> None:
    """Show a chart in a layout with a plot view.

    :param chartNode: the chart.
    """
    slicer.modules.plots.logic().ShowChartInLayout(chartNode)


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
