"""Picture of a module's panel after its main job on simulated data, with a caption.

    Slicer --additional-module-paths TrabecularQSM --python-script Testing/Application/screenshot.py

SCREENSHOT_MODULE names the module (TrabecularQSM by default), SCREENSHOT the file to write; SCREENSHOT_CAPTION says in
one line what the picture is of.
"""

import os
import tempfile
from pathlib import Path

import numpy as np
import qt
import SimpleITK
import slicer

from TrabecularQSMLib.scene.gui import samples
from TrabecularQSMLib.scene.volumes import quantityOf

MODULE = os.environ.get("SCREENSHOT_MODULE", "TrabecularQSM")


def maps(widget):
    """The simulated ankle after Apply."""
    samples.loadPhantom(widget.logic)
    widget.ui.applyButton.click()
    chi = next(node for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") if " χ " in node.GetName())
    return chi, "Module Trabecular QSM after Apply on the simulated ankle: susceptibility, -1 to 1 ppm"


def analysis(widget):
    """The sample data, registered and measured."""
    samples.loadCompanions(widget.logic)
    p = widget.logic.getParameterNode()
    volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    p.measure.maps = [node for node in volumes if quantityOf(node)[0] in ("chi", "r2star")]
    for step, name in (("registration", "register"), ("measure", "measure"), ("bvtv", "bvtv")):
        getattr(widget.ui, f"{step}StepButton").click()
        getattr(widget.ui, f"{name}Button").click()
    p.regression.tables, p.regression.x, p.regression.y = [p.measure.table, p.bvtv.table], "bvtv", "r2star"
    widget.ui.regressionStepButton.click()
    widget.ui.regressButton.click()
    widget.ui.bvtvStepButton.click()
    slicer.util.setSliceViewerLayers(
        background=p.registration.fixed, foreground=p.registration.moving, foregroundOpacity=0.5, fit=True
    )
    return p.registration.fixed, "Module Trabecular QSM Analysis after its steps on the simulated ankle: bSSFP over MIP"


def simulation(widget):
    """A small grid after Run, and one geometry."""
    widget.ui.repeatsSpinBox.value = 1
    widget.ui.runButton.click()
    widget.ui.configurationStepButton.click()
    widget.ui.configurationButton.click()
    widget.ui.tableStepButton.click()
    field = next(node for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") if "field" in node.GetName())
    return field, "Module Trabecular QSM Simulation after Run and Show geometry: the field around spheres of bone"


PICTURES = {"TrabecularQSM": maps, "TrabecularQSMAnalysis": analysis, "TrabecularQSMSimulation": simulation}


def main():
    representation = getattr(slicer.modules, MODULE.lower()).widgetRepresentation()
    if slicer.util.mainWindow() is not None and hasattr(slicer.util.mainWindow(), "moduleSelector"):
        slicer.util.selectModule(MODULE)
    else:
        representation.enter()
    slicer.util.mainWindow().resize(1240, 1000)
    shown, caption = PICTURES[MODULE](representation.self())
    slicer.app.processEvents()
    slicer.app.layoutManager().resetSliceViews()
    jump(shown)
    slicer.util.forceRenderAllViews()
    slicer.app.processEvents()
    window = slicer.util.mainWindow()
    label = qt.QLabel("\n".join([caption, os.environ.get("SCREENSHOT_CAPTION", "")]).strip())
    label.setStyleSheet("background: white; color: #1e1e1e; padding: 8px; font-size: 15px")
    label.setWordWrap(True)
    label.setFixedWidth(window.width)
    label.adjustSize()
    picture = np.concatenate([pixels(window), pixels(label)])
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(picture, isVector=True), os.environ["SCREENSHOT"])


def pixels(widget):
    """A widget as it is seen: RGB."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "widget.png")
        widget.grab().save(path)
        return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(path))[..., :3]


def jump(volume):
    """Show the slices through the middle of what has a value."""
    array = slicer.util.arrayFromVolume(volume)
    k, j, i = (int(np.median(axis)) for axis in np.nonzero(array))
    matrix = slicer.util.vtkMatrixFromArray(np.eye(4))
    volume.GetIJKToRASMatrix(matrix)
    position = matrix.MultiplyPoint((i, j, k, 1))[:3]
    for node in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
        node.JumpSliceByOffsetting(*position)


main()
