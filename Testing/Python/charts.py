"""Charts drawn as the application draws them, by the VTK of slicer-core, for tests that look at them."""

import numpy as np
from scenes import slicer, vtk  # which skips where they are missing
from vtk.util.numpy_support import vtk_to_numpy

SIZE = (460, 260)  # of a plot view in a window of 1600 by 1000
_STYLES = {
    "LineStyleNone": vtk.vtkPen.NO_PEN,
    "LineStyleSolid": vtk.vtkPen.SOLID_LINE,
    "LineStyleDash": vtk.vtkPen.DASH_LINE,
}
_MARKERS = {
    "MarkerStyleNone": vtk.vtkPlotPoints.NONE,
    "MarkerStyleSquare": vtk.vtkPlotPoints.SQUARE,
    "MarkerStyleCircle": vtk.vtkPlotPoints.CIRCLE,
}


class Drawn:
    """A chart node as a picture: `errors` are those of VTK, `chart` its vtkChartXY, `pixels` red, green and blue."""

    def __init__(self, node, size=SIZE):
        self.node, self.errors = node, []
        self.chart, self.view = vtk.vtkChartXY(), vtk.vtkContextView()
        self.view.GetRenderWindow().SetOffScreenRendering(True)
        self.view.GetRenderWindow().SetSize(*size)
        self.view.GetScene().AddItem(self.chart)
        for one in seriesOf(node):
            self._add(one)
        self._write()
        self.pixels = self._render()

    def _add(self, one):
        node = slicer.vtkMRMLPlotSeriesNode
        plot = vtk.vtkPlotLine()
        plot.SetInputData(one.GetTableNode().GetTable(), one.GetXColumnName(), one.GetYColumnName())
        plot.SetColorF(*one.GetColor())
        plot.SetLabel(one.GetName())
        plot.GetPen().SetLineType(next(v for k, v in _STYLES.items() if getattr(node, k) == one.GetLineStyle()))
        plot.SetMarkerStyle(next(v for k, v in _MARKERS.items() if getattr(node, k) == one.GetMarkerStyle()))
        plot.SetMarkerSize(one.GetMarkerSize())
        self.chart.AddPlot(plot)

    def _write(self):
        node, chart = self.node, self.chart
        chart.SetTitle(node.GetTitle())
        chart.GetTitleProperties().SetFontSize(node.GetTitleFontSize())
        chart.SetShowLegend(node.GetLegendVisibility())
        chart.GetLegend().SetLabelSize(node.GetLegendFontSize())
        for place, way in ((vtk.vtkAxis.BOTTOM, "X"), (vtk.vtkAxis.LEFT, "Y")):
            axis = chart.GetAxis(place)
            axis.SetTitle(getattr(node, f"Get{way}AxisTitle")())
            axis.SetLogScale(getattr(node, f"Get{way}AxisLogScale")())
            axis.GetTitleProperties().SetFontSize(node.GetAxisTitleFontSize())
            axis.GetLabelProperties().SetFontSize(node.GetAxisLabelFontSize())
            if not getattr(node, f"Get{way}AxisRangeAuto")():
                axis.SetBehavior(vtk.vtkAxis.FIXED)
                axis.SetUnscaledRange(*getattr(node, f"Get{way}AxisRange")())

    def _render(self):
        window, before = vtk.vtkStringOutputWindow(), vtk.vtkOutputWindow.GetInstance()
        vtk.vtkOutputWindow.SetInstance(window)
        try:
            self.view.Render()
        finally:
            vtk.vtkOutputWindow.SetInstance(before)
        self.errors = window.GetOutput().split("\n\n")[:-1]
        grab = vtk.vtkWindowToImageFilter()
        grab.SetInput(self.view.GetRenderWindow())
        grab.ReadFrontBufferOff()
        grab.Update()
        image = grab.GetOutput()
        self.image = image
        width, height, _ = image.GetDimensions()
        return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1)[::-1]

    def legend(self):
        """Left, right, lower and upper edge of the legend in pixels from the lower left; None where there is none."""
        if not self.node.GetLegendVisibility():
            return None
        box = self.chart.GetLegend().GetBoundingRect(self.view.GetContext())
        return box.GetX(), box.GetX() + box.GetWidth(), box.GetY(), box.GetY() + box.GetHeight()

    def points(self):
        """Where the points of all series are drawn, (n, 2) pixels from the lower left."""
        found = []
        axes = [self.chart.GetAxis(place) for place in (vtk.vtkAxis.BOTTOM, vtk.vtkAxis.LEFT)]
        for one in seriesOf(self.node):
            columns = [
                vtk_to_numpy(one.GetTableNode().GetTable().GetColumnByName(name)).astype(float)
                for name in (one.GetXColumnName(), one.GetYColumnName())
            ]
            found.append(np.stack([self._pixels(*pair) for pair in zip(axes, columns, strict=True)], axis=1))
        found = np.concatenate(found)
        return found[np.isfinite(found).all(axis=1)]  # lines break where there is no number

    def _pixels(self, axis, values):
        low, high = axis.GetUnscaledMinimum(), axis.GetUnscaledMaximum()
        if axis.GetLogScale():
            values, low, high = np.log10(values), np.log10(low), np.log10(high)
        vertical = axis.GetPosition() == vtk.vtkAxis.LEFT
        start, end = axis.GetPoint1()[vertical], axis.GetPoint2()[vertical]
        return start + (values - low) / (high - low) * (end - start)

    def save(self, path):
        writer = vtk.vtkPNGWriter()
        writer.SetFileName(str(path))
        writer.SetInputData(self.image)
        writer.Write()


def seriesOf(chart):
    """Series nodes of a chart."""
    return [chart.GetNthPlotSeriesNode(number) for number in range(chart.GetNumberOfPlotSeriesNodes())]


def texts(chart):
    """All that is written in a chart."""
    names = [one.GetName() for one in seriesOf(chart)] if chart.GetLegendVisibility() else []
    return [chart.GetTitle(), chart.GetXAxisTitle(), chart.GetYAxisTitle(), *names]


def ink(text, size=14):
    """Return the letters of a text that the font of charts does not have, and the text's width in pixels.

    A letter that the font does not have leaves nothing where it is drawn, as a space does.
    """
    blank = [letter for letter in text if not letter.isspace() and not _rendered(letter, size)[0]]
    return blank, _rendered(text, size)[1]


def _rendered(text, size):
    properties, image, extent = vtk.vtkTextProperty(), vtk.vtkImageData(), [0] * 4
    properties.SetFontFamilyToArial()
    properties.SetFontSize(size)
    renderer = vtk.vtkTextRenderer.GetInstance()
    renderer.RenderString(properties, text, image, [0, 0], 72)
    renderer.GetBoundingBox(properties, text, extent, 72)
    scalars = image.GetPointData().GetScalars()
    return bool(scalars) and bool((vtk_to_numpy(scalars)[:, 3] > 0).any()), extent[1] - extent[0]
