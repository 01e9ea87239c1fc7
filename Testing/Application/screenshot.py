"""Pictures of a module's panel in the steps of its tutorial, on simulated data, each with a caption.

    Slicer --additional-module-paths TrabecularQSM --python-script Testing/Application/screenshot.py

SCREENSHOT_MODULE names the module (TrabecularQSM by default), SCREENSHOT the file to write: the panel after its
main job. SCREENSHOT_STEPS names a folder instead, for one picture of each step of the tutorial. SCREENSHOT_CAPTION
says in one line what the pictures are of. Where there are no plot views, a chart is drawn beside the panel by VTK, as
the application does.
"""

import contextlib
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import qt
import SimpleITK
import slicer

from TrabecularQSMLib.files.phantom import write_phantom
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom
from TrabecularQSMLib.scene.gui import samples
from TrabecularQSMLib.scene.volumes import quantityOf

MODULE = os.environ.get("SCREENSHOT_MODULE", "TrabecularQSM")
TITLE = "Module " + MODULE.replace("TrabecularQSM", "Trabecular QSM ").strip()
STEPS = os.environ.get("SCREENSHOT_STEPS")
WINDOW = (1240, 1000) if not STEPS else (1240, 760)
# Pixels of a chart that is drawn beside the panel, and where the window is cut off below.
CHART_SIZE, CHART_END = (690, 480), 640


def maps(widget):
    """The simulated ankle, its maps, and an L-curve."""
    yield "1-sample", samples.loadPhantom(widget.logic)[0], "Sample data: the first echo of the simulated ankle"
    widget.ui.applyButton.click()
    widget.logic.forecast = type(widget.logic.forecast)()  # how long this machine took is of no interest
    widget.refresh()
    yield "2-apply", named(" χ "), "After Apply: susceptibility, -1 to 1 ppm, with the regions as outlines"
    if not STEPS:
        return
    signal = widget.ui.resultsTable.cellClicked
    getattr(signal, "emit", signal)(1, 1)
    yield "3-results", named(" R2* "), "Results: a click shows a map with its colors, here R2*"
    p = widget.logic.getParameterNode()
    p.settings.inversion, p.lcurveRegions = "closed-form", slicer.util.getNodesByClass("vtkMRMLSegmentationNode")[0]
    for name in ("inputs", "results", "parameters", "outputs"):
        getattr(widget.ui, f"{name}CollapsibleButton").collapsed = True
    widget.ui.lcurveCollapsibleButton.collapsed = False
    yield "4-lcurve", charted(widget, "lcurveButton"), "L-curve: misfit against smoothness, the corner marked"
    widget.ui.lcurveCollapsibleButton.collapsed, widget.ui.parametersCollapsibleButton.collapsed = True, False
    p.settings.inversion, widget.ui.previewSlider.value = "medi-tv", 0.5
    slicer.app.processEvents()
    yield "5-preview", named("preview"), "Try λ: the closed form follows the slider, here at three times the preset's λ"


def analysis(widget):
    """The sample data, registered, measured, and regressed."""
    samples.loadCompanions(widget.logic)
    p = widget.logic.getParameterNode()
    yield "1-sample", p.registration.fixed, "Sample data: the maps' echo MIP with the regions of the bones"
    volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    p.measure.maps = [node for node in volumes if quantityOf(node)[0] in ("chi", "r2star")]
    widget.ui.registrationStepButton.click()
    widget.ui.registerButton.click()
    if STEPS:
        widget.ui.checkerboardButton.click()
        yield "2-register", p.registration.fixed, "Registration: tiles of MIP and bSSFP; edges go on across them"
    widget.ui.measureStepButton.click()
    widget.ui.measureButton.click()
    widget.ui.bvtvStepButton.click()
    yield "3-bvtv", charted(widget, "bvtvButton"), "Apparent BV/TV: histograms with the levels of marrow and bone"
    p.regression.tables, p.regression.x, p.regression.y = [p.measure.table, p.bvtv.table], "bvtv", "r2star"
    widget.ui.regressionStepButton.click()
    yield "4-regression", charted(widget, "regressButton"), "Regression of R2* on BV/TV over the regions"
    if STEPS:
        with cohort(widget):
            yield "5-cohort", p.registration.fixed, "Cohort: a study of three, while it runs beside the application"
    widget.ui.bvtvStepButton.click()
    slicer.util.setSliceViewerLayers(
        background=p.registration.fixed, foreground=p.registration.moving, foregroundOpacity=0.5, fit=True
    )
    if not STEPS:
        yield "5-end", p.registration.fixed, "After its steps on the simulated ankle: bSSFP over MIP"


@contextlib.contextmanager
def cohort(widget):
    """The step Cohort, of whose three subjects one at least is finished."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for number in (1, 2, 3):
            phantom = make_phantom(PhantomSettings(shape=(48, 48, 24), seed=number))
            write_phantom(Path(folder, "study"), phantom, subject=f"0{number}")
        # Paths as people have them.
        before = os.getcwd()
        os.chdir(folder)
        try:
            widget.ui.cohortStepButton.click()
            widget.ui.cohortDatasetLineEdit.currentPath = "study"
            widget.ui.cohortOutputLineEdit.currentPath = "results"
            widget.ui.cohortRegionsLineEdit.text = "derivatives/truth/{folder}/anat/{name}_dseg.nii.gz"
            widget.ui.cohortBssfpLineEdit.text = "{folder}/anat/{name}_bSSFP.nii.gz"
            widget.ui.cohortRunButton.click()
            while widget.cohort.isRunning and "0 of" in widget.ui.statusLabel.text.replace("Running.", "0 of"):
                slicer.app.processEvents()
                time.sleep(0.1)
            yield
            widget.cohort.stop()
        finally:
            os.chdir(before)


def simulation(widget):
    """A small grid after Run, and one geometry."""
    widget.ui.repeatsSpinBox.value = 1
    yield "1-run", charted(widget, "runButton"), "Run: what the charts of BV/TV show is said in the status line"
    widget.ui.configurationStepButton.click()
    widget.ui.configurationButton.click()
    if not STEPS:
        widget.ui.tableStepButton.click()
    yield "2-geometry", named("field"), "After Run and Show geometry: the field around spheres of bone"
    if STEPS:
        widget.ui.boneStepButton.click()
        widget.ui.boneRepeatsSpinBox.value = 1
        yield "3-sweep", charted(widget, "sweepButton"), "Sweep: R2* over BV/TV at three field strengths"


PICTURES = {"TrabecularQSM": maps, "TrabecularQSMAnalysis": analysis, "TrabecularQSMSimulation": simulation}


def main():
    representation = getattr(slicer.modules, MODULE.lower()).widgetRepresentation()
    if slicer.util.mainWindow() is not None and hasattr(slicer.util.mainWindow(), "moduleSelector"):
        slicer.util.selectModule(MODULE)
    else:
        representation.enter()
    slicer.util.mainWindow().resize(*WINDOW)
    picture = None
    for name, shown, caption in PICTURES[MODULE](representation.self()):
        picture = taken(shown, f"{TITLE}. {caption}")
        if STEPS:
            write(picture, Path(STEPS) / f"tutorial-{MODULE.removeprefix('Trabecular')}-{name}.png")
    if not STEPS:
        write(picture, os.environ["SCREENSHOT"])


def taken(shown, caption):
    """The window, with slices through a volume or with a chart, over a caption."""
    chart = shown.IsA("vtkMRMLPlotChartNode")
    slicer.app.processEvents()
    if not chart:
        slicer.app.layoutManager().resetSliceViews()
        jump(slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")[0] if shown.IsA("vtkMRMLSequenceNode") else shown)
    slicer.util.forceRenderAllViews()
    slicer.app.processEvents()
    window = slicer.util.mainWindow()
    label = qt.QLabel("\n".join([caption, os.environ.get("SCREENSHOT_CAPTION", "")]).strip())
    label.setStyleSheet("background: white; color: #1e1e1e; padding: 8px; font-size: 15px")
    label.setWordWrap(True)
    label.setFixedWidth(window.width)
    label.adjustSize()
    picture = pixels(window)
    if chart and not slicer.app.layoutManager().plotViewCount:
        sys.path.append(str(Path(__file__).resolve().parents[1] / "Python"))
        from charts import Drawn

        width, height = CHART_SIZE
        picture = picture[:CHART_END].copy()
        picture[:, -width - 8 :] = 255
        picture[20 : 20 + height, -width - 4 : -4] = Drawn(shown, CHART_SIZE).pixels[..., :3]
    return np.concatenate([picture, pixels(label)])


def write(picture, path):
    """Write a picture as PNG, of 256 colors where the package Pillow is there to choose them."""
    try:
        from PIL import Image
    except ImportError:
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(picture, isVector=True), str(path), useCompression=True)
    else:
        Image.fromarray(picture).quantize(256).save(path, optimize=True)


def named(part):
    """The volume whose name holds a text."""
    volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    return next(node for node in volumes if part in node.GetName())


def charted(widget, button):
    """The chart that is shown when a button is clicked, or the first one made then."""
    before = slicer.util.getNodesByClass("vtkMRMLPlotChartNode")
    getattr(widget.ui, button).click()
    return next(node for node in slicer.util.getNodesByClass("vtkMRMLPlotChartNode") if node not in before)


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


if __name__ == "__main__":
    main()
