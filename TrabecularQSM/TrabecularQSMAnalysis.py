"""3D Slicer module: from maps to numbers about bone, by regions, registration, BV/TV, CT and regression."""

import sys
from pathlib import Path

import qt
import slicer
from slicer import vtkMRMLSegmentationNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

# In a checkout the library lies beside this module's folder; installed, it lies beside this file.
CHECKOUT = Path(__file__).resolve().parents[1]
if (CHECKOUT / "TrabecularQSMLib" / "__init__.py").exists() and str(CHECKOUT) not in sys.path:
    sys.path.insert(0, str(CHECKOUT))

from TrabecularQSMLib import scene  # noqa: E402
from TrabecularQSMLib.analysis.ct import Calibration, fit_calibration  # noqa: E402
from TrabecularQSMLib.analysis.tables import parse_exclusion  # noqa: E402
from TrabecularQSMLib.errors import Cancelled, InputError  # noqa: E402
from TrabecularQSMLib.phantom import CompanionSettings, PhantomSettings  # noqa: E402
from TrabecularQSMLib.progress import part  # noqa: E402
from TrabecularQSMLib.scene.gui import connectors, packages, show  # noqa: E402
from TrabecularQSMLib.scene.gui.analysis import (  # noqa: E402
    BvtvParameters,
    CtParameters,
    MeasureParameters,
    ProfileParameters,
    RegionParameters,
    RegistrationParameters,
    RegressionParameters,
)
from TrabecularQSMLib.scene.gui.numbers import numbers, words  # noqa: E402
from TrabecularQSMLib.scene.gui.panel import PanelMixin  # noqa: E402
from TrabecularQSMLib.scene.gui.samples import registerCompanions  # noqa: E402
from TrabecularQSMLib.scene.registration import qualityOf  # noqa: E402
from TrabecularQSMLib.settings import preset  # noqa: E402

# An ankle and its other scans at voxel sizes that are simulated, reconstructed and registered in seconds.
SAMPLE = PhantomSettings(shape=(74, 74, 34))
SAMPLE_COMPANIONS = CompanionSettings(bssfp_voxel_mm=(0.6, 0.6, 1.2), ct_voxel_mm=(1.2, 1.2, 1.2), structure_mm=0.15)


#
# TrabecularQSMAnalysis
#


class TrabecularQSMAnalysis(ScriptedLoadableModule):
    """The module as Slicer lists it."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Trabecular QSM Analysis")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Quantification")]
        self.parent.dependencies = ["Markups", "Plots", "Segmentations", "Tables", "Terminologies", "Transforms"]
        self.parent.contributors = ["The TrabecularQSM developers"]
        self.parent.helpText = _(
            "From maps of susceptibility, R2* and fat fraction to numbers about bone: regions, registration of bSSFP "
            "and CT, statistics, apparent bone volume fraction, regression. For research only, not for diagnosis."
        )
        self.parent.acknowledgementText = _(
            "Method: Diefenbach et al., Magnetic Resonance in Medicine 2019, doi 10.1002/mrm.27531."
        )
        pictures = Path(__file__).resolve().parent / "Resources" / "SampleData"
        slicer.app.connect("startupCompleted()", lambda: registerCompanions(TrabecularQSMAnalysisLogic, pictures))


#
# TrabecularQSMAnalysisParameterNode
#


@parameterNodeWrapper
class TrabecularQSMAnalysisParameterNode:
    """The parameters of the module.

    case - Patient or scan, the first column of all tables.
    segmentation - The regions of all steps.
    regions, registration, measure, bvtv, ct, profile, regression - The parameters of each step.
    """

    case: str = ""
    segmentation: vtkMRMLSegmentationNode | None
    regions: RegionParameters
    registration: RegistrationParameters
    measure: MeasureParameters
    bvtv: BvtvParameters
    ct: CtParameters
    profile: ProfileParameters
    regression: RegressionParameters


#
# TrabecularQSMAnalysisWidget
#


class TrabecularQSMAnalysisWidget(PanelMixin, ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The module's panel."""

    def __init__(self, parent=None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self._said = {}

    def setup(self) -> None:
        """Build the panel."""
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/TrabecularQSMAnalysis.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = TrabecularQSMAnalysisLogic()

        self.ui.templateButton.connect("clicked(bool)", self.onTemplateButton)
        self.ui.loadRegionsButton.connect("clicked(bool)", self.onLoadRegionsButton)
        self.ui.editorButton.connect("clicked(bool)", self.onEditorButton)
        self.ui.splitButton.connect("clicked(bool)", self.onSplitButton)
        self.ui.registerButton.connect("clicked(bool)", self.onRegisterButton)
        self.ui.checkerboardButton.connect("clicked(bool)", self.onCheckerboardButton)
        self.ui.measureButton.connect("clicked(bool)", self.onMeasureButton)
        self.ui.bvtvButton.connect("clicked(bool)", self.onBvtvButton)
        self.ui.cyclesButton.connect("clicked(bool)", self.onCyclesButton)
        self.ui.ctButton.connect("clicked(bool)", self.onCtButton)
        self.ui.rodsButton.connect("clicked(bool)", self.onRodsButton)
        self.ui.profileButton.connect("clicked(bool)", self.onProfileButton)
        self.ui.regressButton.connect("clicked(bool)", self.onRegressButton)
        self.ui.figureButton.connect("clicked(bool)", self.onFigureButton)
        self.ui.statsmodelsButton.connect("clicked(bool)", self.onStatsmodelsButton)
        self.ui.cancelButton.connect("clicked(bool)", self.onCancelButton)
        self.start()

    def refreshPanel(self) -> None:
        """Show the segments to choose from, and say on the buttons what can be done, or why it cannot."""
        self._refreshInputs()
        # Wide buttons have room for the reason why they are disabled; the others say it in their tooltip.
        for step in ("editor", "register", "measure", "bvtv", "ct", "profile", "regress"):
            self._refreshButton(step, getattr(self.ui, f"{step}Button"), wide=True)
        for step in ("template", "split", "checkerboard", "cycles", "rods", "figure"):
            self._refreshButton(step, getattr(self.ui, f"{step}Button"), wide=False)

    def _refreshInputs(self) -> None:
        p, ui = self._parameterNode, self.ui
        p.regions.split_segment = connectors.followSegmentation(
            ui.splitSegmentSelector, p.segmentation, p.regions.split_segment
        )
        p.bvtv.bone_segment = connectors.followSegmentation(
            ui.boneSegmentSelector, p.bvtv.bone_segmentation or p.segmentation, p.bvtv.bone_segment
        )
        landmarks = p.registration.start == "landmarks"
        ui.fixedLandmarksSelector.enabled = ui.movingLandmarksSelector.enabled = landmarks
        for step in ("regions", "registration", "measure", "bvtv", "ct", "profile", "regression"):
            getattr(ui, f"{step}CollapsibleButton").enabled = not self.running
        ui.cancelButton.enabled = self.running and not self.cancelRequested
        ui.statsmodelsButton.visible = not packages.isInstalled("statsmodels")

    def _refreshButton(self, step: str, button, wide: bool) -> None:
        text, toolTip = self._said.setdefault(step, (button.text, button.toolTip))
        missing = self.logic.missing(step, self._parameterNode)
        button.enabled = not missing and not self.running
        button.text = missing if wide and missing else text
        button.toolTip = missing or toolTip

    def onTemplateButton(self) -> None:
        self.atOnce(self.logic.addTemplate, _("The regions could not be made."))

    def onLoadRegionsButton(self) -> None:
        path = qt.QFileDialog.getOpenFileName(
            slicer.util.mainWindow(),
            _("File of regions"),
            "",
            _("Segmentations and label maps (*.nrrd *.nii *.nii.gz)"),
        )
        if path:
            self.atOnce(lambda p: self.logic.loadRegions(p, path), _("The regions could not be loaded."))

    def onEditorButton(self) -> None:
        """Go to the Segment Editor with the regions, and the volume they are drawn on."""
        slicer.util.selectModule("SegmentEditor")
        editor = slicer.modules.SegmentEditorWidget.editor
        editor.setSegmentationNode(self.logic.getParameterNode().segmentation)
        reference = self.logic.getParameterNode().regions.reference
        if reference:
            editor.setSourceVolumeNode(reference)

    def onSplitButton(self) -> None:
        self.atOnce(self.logic.split, _("The region could not be split."))

    def onRegisterButton(self) -> None:
        p = self._parameterNode
        volumes = p.registration.fixed, p.registration.moving
        if self.step(self.logic.register, _("The registration failed."), self.logic.registrationSummary):
            show.showOver(*volumes)

    def onCheckerboardButton(self) -> None:
        board = self.atOnce(self.logic.checkerboard, _("The checkerboard could not be made."))
        slicer.util.setSliceViewerLayers(background=board, foreground=None, fit=True)

    def onMeasureButton(self) -> None:
        table = self.step(self.logic.measure, _("The maps could not be measured."), self.logic.tableSummary)
        if table:
            show.showTable(table)

    def onBvtvButton(self) -> None:
        nodes = self.step(
            self.logic.bvtv, _("BV/TV could not be computed."), lambda nodes: self.logic.tableSummary(nodes.table)
        )
        if nodes:
            show.showTable(nodes.table)
            show.showChart(nodes.chart)

    def onCyclesButton(self) -> None:
        self.atOnce(self.logic.combineCycles, _("The phase cycles could not be combined."))

    def onCtButton(self) -> None:
        table = self.step(self.logic.ct, _("The CT could not be measured."), self.logic.tableSummary)
        if table:
            show.showTable(table)

    def onRodsButton(self) -> None:
        self.atOnce(self.logic.fitRods, _("The calibration failed."))

    def onProfileButton(self) -> None:
        nodes = self.atOnce(self.logic.profile, _("The profile could not be made."))
        show.showChart(nodes.charts[0])

    def onRegressButton(self) -> None:
        nodes = self.step(self.logic.regress, _("The regression failed."), self.logic.regressionSummary)
        if nodes:
            show.showTable(nodes.table)
            show.showChart(nodes.chart)

    def onFigureButton(self) -> None:
        with slicer.util.tryWithErrorDisplay(_("matplotlib could not be installed.")):
            if not packages.offerPackage("matplotlib"):
                return
        path = qt.QFileDialog.getSaveFileName(
            slicer.util.mainWindow(), _("Figure"), "regression.png", _("Figures (*.png *.svg)")
        )
        if path:
            self.atOnce(lambda p: self.logic.saveFigure(p, path), _("The figure could not be saved."))

    def onStatsmodelsButton(self) -> None:
        """Install statsmodels if the user agrees."""
        with slicer.util.tryWithErrorDisplay(_("statsmodels could not be installed.")):
            packages.offerPackage("statsmodels")
        self.refresh()

    def onCancelButton(self) -> None:
        self.cancel()
        self.refresh()


#
# TrabecularQSMAnalysisLogic
#


class TrabecularQSMAnalysisLogic(ScriptedLoadableModuleLogic):
    """What the module does, without its panel: each step is a function of `scene` with what the parameter node says."""

    def getParameterNode(self) -> TrabecularQSMAnalysisParameterNode:
        """Return the parameters of this scene."""
        return TrabecularQSMAnalysisParameterNode(super().getParameterNode())

    def addTemplate(self, p):
        """Add empty segments for the paper's regions, and select them."""
        p.segmentation = scene.regionTemplate(p.regions.reference, p.regions.side)
        return p.segmentation

    def loadRegions(self, p, path):
        """Load regions from a file, and select them."""
        p.segmentation = scene.loadRegions(path)
        return p.segmentation

    def split(self, p):
        """Split a region into parts of a new segmentation."""
        return scene.splitRegionNodes(
            p.segmentation, p.regions.split_segment, p.regions.split_count, p.regions.reference
        )

    def register(self, p, progress=None):
        """Register the moving to the fixed volume; return the transform."""
        r = p.registration
        return scene.registerNodes(
            r.fixed,
            r.moving,
            start=r.start,
            landmarks=(r.fixed_landmarks, r.moving_landmarks),
            mask=r.mask,
            useBrains=r.program == "BRAINS",
            progress=progress,
        )

    def checkerboard(self, p):
        """Return a volume that shows both volumes in turn."""
        return scene.checkerboardNodes(p.registration.fixed, p.registration.moving, p.registration.tiles)

    def measure(self, p, progress=None):
        """Measure maps, and select the table for the next case."""
        maps = [node for node in p.measure.maps if node]
        p.measure.table = scene.measureNodes(
            maps, p.segmentation, case=p.case.strip(), table=p.measure.table, progress=progress
        )
        return p.measure.table

    def bvtv(self, p, progress=None):
        """Compute apparent BV/TV, and select the table for the next case."""
        nodes = scene.bvtvNodes(
            p.bvtv.image,
            p.segmentation,
            case=p.case.strip(),
            boneSegmentation=p.bvtv.bone_segmentation,
            boneSegmentID=p.bvtv.bone_segment,
            biasCorrection=p.bvtv.bias_correction,
            rule=p.bvtv.rule,
            table=p.bvtv.table,
            progress=progress,
        )
        p.bvtv.table = nodes.table
        return nodes

    def combineCycles(self, p):
        """Combine phase cycles, and select the result as the image."""
        cycles = [node for node in p.bvtv.cycles if node]
        p.bvtv.image = scene.combinePhaseCyclesNodes(cycles, p.bvtv.combination)
        return p.bvtv.image

    def ct(self, p, progress=None):
        """Measure the CT, and select the table for the next case."""
        calibration = Calibration(p.ct.slope, p.ct.intercept) if p.ct.slope else None
        p.ct.table = scene.attenuationNodes(
            p.ct.volume, p.segmentation, case=p.case.strip(), calibration=calibration, table=p.ct.table
        )
        return p.ct.table

    def fitRods(self, p) -> None:
        """Fit the calibration line to the rods, and fill it in."""
        line = fit_calibration(*self._rods(p))
        p.ct.slope, p.ct.intercept = line.slope, line.intercept

    def profile(self, p):
        """Plot values along the line."""
        return scene.profileNodes([node for node in p.profile.volumes if node], p.profile.line)

    def regress(self, p, progress=None):
        """Regress y on x."""
        return scene.regressNodes(**self.regressionOptions(p))

    def saveFigure(self, p, path) -> None:
        """Save the regression's figure as PNG or SVG, by the name's ending."""
        scene.saveRegressionFigure(path, **self.regressionOptions(p))

    def regressionOptions(self, p) -> dict:
        """Return the arguments of a regression."""
        r = p.regression
        return {
            "tables": [node for node in r.tables if node],
            "x": r.x.strip(),
            "y": r.y.strip(),
            "group": r.group.strip() or None,
            "subject": r.subject.strip() or None,
            "pair": tuple(words(r.pair)) or None,
            "exclude": [parse_exclusion(word) for word in words(r.exclude)],
        }

    def _rods(self, p):
        return numbers(p.ct.rods_hu, "rods"), numbers(p.ct.rods_density, "rods")

    def missing(self, step: str, p) -> str:
        """Return what keeps a step from starting, in one phrase; nothing if it can."""
        return getattr(self, f"missing{step.title()}")(p)

    def missingTemplate(self, p) -> str:
        return "" if p.regions.reference else _("Select the volume to draw on")

    def missingEditor(self, p) -> str:
        return "" if p.segmentation else _("Select the regions")

    def missingSplit(self, p) -> str:
        if not p.regions.split_segment:
            return self.missingEditor(p) or _("Select the region to split")
        return self.missingEditor(p) or self.missingTemplate(p)

    def missingCheckerboard(self, p) -> str:
        if not p.registration.fixed:
            return _("Select the fixed volume")
        if not p.registration.moving:
            return _("Select the moving volume")
        return "" if p.registration.fixed is not p.registration.moving else _("Fixed and moving must be two volumes")

    def missingRegister(self, p) -> str:
        r = p.registration
        missing = self.missingCheckerboard(p)
        if not missing and r.start == "landmarks" and not (r.fixed_landmarks and r.moving_landmarks):
            return _("Select the points on both volumes")
        return missing

    def missingCase(self, p) -> str:
        return self.missingEditor(p) if p.case.strip() else _("Enter the case")

    def missingMeasure(self, p) -> str:
        return self.missingCase(p) or ("" if any(p.measure.maps) else _("Tick at least one map"))

    def missingBvtv(self, p) -> str:
        if not p.bvtv.image:
            return self.missingCase(p) or _("Select the bSSFP image")
        return self.missingCase(p) or ("" if p.bvtv.bone_segment else _("Select the bone segment"))

    def missingCycles(self, p) -> str:
        return "" if sum(map(bool, p.bvtv.cycles)) > 1 else _("Tick at least two phase cycles")

    def missingCt(self, p) -> str:
        return self.missingCase(p) or ("" if p.ct.volume else _("Select the CT"))

    def missingRods(self, p) -> str:
        try:
            attenuation, density = self._rods(p)
        except InputError as error:
            return str(error)
        return "" if 1 < len(attenuation) == len(density) else _("Enter at least two rods, each with its density")

    def missingProfile(self, p) -> str:
        if not any(p.profile.volumes):
            return _("Tick at least one volume")
        return "" if p.profile.line else _("Select a line")

    def missingRegress(self, p) -> str:
        if not any(p.regression.tables):
            return _("Tick at least one table")
        if not p.regression.x.strip() or not p.regression.y.strip():
            return _("Enter x and y")
        try:
            options = self.regressionOptions(p)
        except InputError:
            return _("Enter rows to leave out as column=value")
        return _("Enter two groups as the pair") if options["pair"] and len(options["pair"]) != 2 else ""

    missingFigure = missingRegress

    def loadCompanions(self, progress=None):
        """Simulate an ankle with bSSFP and CT, reconstruct its maps, and select all of them.

        :return: the nodes of `scene.addCompanions`, and the maps.
        """
        nodes = scene.addCompanions(SAMPLE, SAMPLE_COMPANIONS, progress=part(progress, 0.0, 0.5))
        settings = preset("default", inversion="closed-form")
        maps = scene.reconstructNodes(*nodes.phantom[:2], settings=settings, progress=part(progress, 0.5, 1.0))
        for segmentation in (nodes.phantom.regions, nodes.boneReference):
            segmentation.GetDisplayNode().SetVisibility(False)  # so that the regions of all scans are seen
        p = self.getParameterNode()
        with slicer.util.NodeModify(p.parameterNode):
            p.case, p.segmentation = "phantom", nodes.boneRegions
            p.regions.reference = p.registration.fixed = maps["mip"]
            p.registration.moving = p.bvtv.image = nodes.bssfp
            p.measure.maps = [maps["chi"], maps["r2star"], maps["pdff"]]
            p.bvtv.bone_segmentation, p.ct.volume = nodes.boneReference, nodes.ct
        return nodes, maps

    def registrationSummary(self, transform) -> str:
        """Return one line about a registration."""
        found = qualityOf(transform)
        if "warning" in found:
            return found["warning"]
        return _("Quality {quality:.2f} (0 to 1), overlap {overlap:.0%}; look at the checkerboard.").format(**found)

    def tableSummary(self, table) -> str:
        """Return one line about a table."""
        return _("The table {name} has {count} rows.").format(
            name=table.GetName(), count=table.GetTable().GetNumberOfRows()
        )

    def regressionSummary(self, nodes) -> str:
        """Return the pooled line, and what a user should know of it."""
        line = nodes.result.pooled
        text = _("Pooled: slope {slope:.4g}, R² {r2:.3f}, p {p:.2g}, n {n}.").format(
            slope=line.slope, r2=line.r2, p=line.p, n=line.n
        )
        return " ".join([text, *nodes.result.warnings])


#
# TrabecularQSMAnalysisTest
#


class TrabecularQSMAnalysisTest(ScriptedLoadableModuleTest):
    """Run by Reload and Test, and by ctest."""

    def setUp(self) -> None:
        slicer.mrmlScene.Clear()
        self.logic = TrabecularQSMAnalysisLogic()

    def runTest(self) -> None:
        """Run all tests."""
        for name in (name for name in dir(self) if name.startswith("test_")):
            self.setUp()
            getattr(self, name)()

    def test_the_sample_goes_all_the_way_to_a_regression(self):
        nodes, _maps = self.logic.loadCompanions()
        p = self.logic.getParameterNode()
        p.bvtv.bone_segment = nodes.boneReference.GetSegmentation().GetNthSegmentID(0)
        for step in ("register", "measure", "bvtv", "ct"):
            self.assertEqual(self.logic.missing(step, p), "")
        transform = self.logic.register(p)
        self.assertIs(nodes.bssfp.GetParentTransformNode(), transform)
        self.assertIs(nodes.boneReference.GetParentTransformNode(), transform)
        p.bvtv.bias_correction = False
        tables = [self.logic.measure(p), self.logic.bvtv(p).table]
        p.regression.tables = tables
        result = self.logic.regress(p).result
        self.assertLess(result.pooled.slope, 0)  # bone is diamagnetic

    def test_a_cancelled_run_leaves_the_scene_as_it_was(self):
        self.logic.loadCompanions()
        p = self.logic.getParameterNode()
        before = slicer.mrmlScene.GetNumberOfNodes()

        def cancel(fraction, message):
            raise Cancelled

        for step in (self.logic.register, self.logic.measure):
            self.assertRaises(Cancelled, step, p, cancel)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), before)

    def test_rods_fill_in_the_calibration(self):
        p = self.logic.getParameterNode()
        self.assertTrue(self.logic.missing("rods", p))
        p.ct.rods_hu, p.ct.rods_density = "0 100 200", "-10, 70, 150"
        self.assertEqual(self.logic.missing("rods", p), "")
        self.logic.fitRods(p)
        self.assertAlmostEqual(p.ct.slope, 0.8)
        self.assertAlmostEqual(p.ct.intercept, -10)
