"""Results brought into view."""

import slicer

from ..echoes import proxyOf
from ..regions import hideOtherSegmentations, showOutlines

# Numbers of layouts are shared by all extensions; these are unlikely to be taken. What is in a layout of numbers is
# counted on top.
SLICES_LAYOUT, GEOMETRY_LAYOUT, _NUMBERS_LAYOUT, _END = 47101, 47110, 47120, 47200
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
_GEOMETRY = f"""<layout type="horizontal" split="true"><item splitSize="600">
<view class="vtkMRMLViewNode" singletontag="1"><property name="viewlabel" action="default">1</property></view></item>
<item splitSize="400"><layout type="vertical" split="true">{_RED}{_YELLOW}{_GREEN}</layout></item></layout>"""
_PLOT = """<item><view class="vtkMRMLPlotViewNode" singletontag="{tag}">
<property name="viewlabel" action="default">P{number}</property></view></item>"""
_TABLE_TAG = "TableView1"
# Maps of a run, of which the first that it has is shown.
_FIRST_SHOWN = ("chi", "local_field", "field_hz", "pdff_magnitude")
_TABLE = f"""<item splitSize="350"><view class="vtkMRMLTableViewNode" singletontag="{_TABLE_TAG}">
<property name="viewlabel" action="default">T</property></view></item>"""


def showNumbers(tableNode=None, chartNodes=(), slices: bool = True) -> None:
    """Show a table below, and charts below each other or, where there are no slices, beside each other.

    :param tableNode: the table, or None.
    :param chartNodes: the charts; None among them is left out.
    :param slices: whether slice views are shown as well.
    """
    charts = [node for node in chartNodes if node is not None]
    tags = [f"PlotView{number}" for number in range(1, len(charts) + 1)]
    number = _NUMBERS_LAYOUT + 4 * len(charts) + 2 * (tableNode is not None) + slices
    if not _setLayout(number, numbersLayout(tags, tableNode is not None, slices)):
        return
    for tag, node in zip(tags, charts, strict=True):
        _view("vtkMRMLPlotViewNode", tag).SetPlotChartNodeID(node.GetID())
    if tableNode is not None:
        slicer.app.applicationLogic().GetSelectionNode().SetActiveTableID(tableNode.GetID())
        _view("vtkMRMLTableViewNode", _TABLE_TAG).SetTableNodeID(tableNode.GetID())


def showChart(chartNode) -> None:
    """Show one chart beside a slice view.

    :param chartNode: the chart.
    """
    showNumbers(chartNodes=[chartNode])


def numbersLayout(tags, table: bool, slices: bool) -> str:
    """Return the description of a layout of slice views, charts and a table.

    :param tags: names of the plot views.
    :param table: whether there is a table.
    :param slices: whether there are slice views: one beside charts, three otherwise.
    """
    plots = "".join(_PLOT.format(tag=tag, number=number) for number, tag in enumerate(tags, 1))
    if not slices:
        above = f'<layout type="horizontal" split="true">{plots}</layout>'
    elif tags:
        beside = f'<item splitSize="500"><layout type="vertical" split="true">{plots}</layout></item>'
        above = f'<layout type="horizontal" split="true">{_RED}{beside}</layout>'
    else:
        above = _SLICES
    if not table:
        return above
    return f'<layout type="vertical" split="true"><item splitSize="650">{above}</item>{_TABLE}</layout>'


def showGeometry(bone, field) -> None:
    """Show a simulated geometry: its field in the slice views with outlines of the bone, and that alone in 3-D.

    :param bone: segmentation.
    :param field: volume.
    """
    hideOtherSegmentations(bone)
    showOutlines(bone)
    bone.CreateClosedSurfaceRepresentation()  # for the 3-D view
    _setLayout(GEOMETRY_LAYOUT, _GEOMETRY)
    slicer.util.setSliceViewerLayers(background=field, foreground=None, fit=True)
    slicer.util.resetThreeDViews()


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


def showMaps(nodes: dict) -> None:
    """Show that map of a run that is looked at first: susceptibility, or what there is instead.

    :param nodes: volume nodes by the name of their quantity.
    """
    showSlices()
    showMap(next((nodes[name] for name in _FIRST_SHOWN if name in nodes), next(iter(nodes.values()))), fit=True)


def showSlices() -> None:
    """Show a layout of three large slice views."""
    _setLayout(SLICES_LAYOUT, _SLICES)


def _setLayout(number: int, description: str) -> bool:
    """Show a layout of our own, made known to the scene if it is not yet; False where the scene has no layouts."""
    node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    if node is None:
        return False
    if not node.IsLayoutDescription(number):
        node.AddLayoutDescription(number, description)
    slicer.app.layoutManager().setLayout(number)
    return True


def _view(className, tag):
    """View of a layout; the application has made it by now."""
    node = slicer.mrmlScene.GetSingletonNode(tag, className)
    if node is None:
        node = slicer.mrmlScene.CreateNodeByClass(className)
        node.UnRegister(None)
        node.SetSingletonTag(tag)
        node.SetLayoutName(tag)
        node = slicer.mrmlScene.AddNode(node)
    return node


def showLayout(number: int) -> None:
    """Go back to a layout.

    :param number: what `layout` returned.
    """
    slicer.app.layoutManager().setLayout(number)


def layout() -> int:
    """Return the number of the layout that is shown."""
    return slicer.app.layoutManager().layout


def isForResults(number: int) -> bool:
    """Return whether a layout is one of those for charts, tables and geometries, to which nobody goes back.

    :param number: what `layout` returned.
    """
    return GEOMETRY_LAYOUT <= number < _END
