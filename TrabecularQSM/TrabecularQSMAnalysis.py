"""3D Slicer module: from maps to numbers about bone, by regions, registration, BV/TV, CT and regression."""

import sys
from pathlib import Path

import qt
import slicer
from slicer import vtkMRMLSegmentationNode
from slicer.i18n import tr as _
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
from TrabecularQSMLib.errors import Cancelled  # noqa: E402
from TrabecularQSMLib.scene.gui import connectors, packages, show  # noqa: E402
from TrabecularQSMLib.scene.gui.analysis import (  # noqa: E402
    BUTTONS,
    STEPS,
    BvtvParameters,
    CtParameters,
    MeasureParameters,
    ProfileParameters,
    RegionParameters,
    RegistrationParameters,
    RegressionParameters,
    added,
    calibrationSummary,
    missing,
    proposalMaps,
    proposalSummary,
    registrationSummary,
    regressionOptions,
    regressionSummary,
    rods,
    tableSummary,
)
from TrabecularQSMLib.scene.gui.cohort import CohortParameters, CohortStep  # noqa: E402
from TrabecularQSMLib.scene.gui.drawing import RegionEditor  # noqa: E402
from TrabecularQSMLib.scene.gui.parameters import wrapped  # noqa: E402
from TrabecularQSMLib.scene.gui.samples import registerCompanions, selectCompanions  # noqa: E402
from TrabecularQSMLib.scene.gui.startup import describe  # noqa: E402
from TrabecularQSMLib.scene.gui.steps import StepsMixin  # noqa: E402
from TrabecularQSMLib.scene.gui.tests import ModuleTestMixin  # noqa: E402

#
# TrabecularQSMAnalysis
#


class TrabecularQSMAnalysis(ScriptedLoadableModule):
    """The module as Slicer lists it."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        describe(parent)
        self.parent.title = _("Trabecular QSM Analysis")
        self.parent.dependencies = ["Markups", "Plots", "Segmentations", "Tables", "Terminologies", "Transforms"]
        self.parent.helpText = _(
            "From maps of susceptibility, R2* and fat fraction to numbers about bone: regions, registration of bSSFP "
            "and CT, statistics, apparent bone volume fraction, regression. To try it: TrabecularQSM phantom with "
            "bSSFP and CT in the module Sample Data, then the steps here. For research only, not for diagnosis."
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
    regions, registration, measure, bvtv, ct, profile, regression, cohort - The parameters of each step.
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
    cohort: CohortParameters


#
# TrabecularQSMAnalysisWidget
#


class TrabecularQSMAnalysisWidget(StepsMixin, ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The module's panel."""

    def setup(self) -> None:
        """Build the panel."""
        self.build(TrabecularQSMAnalysisLogic())
        self.editor = RegionEditor(self.ui.segmentEditor)
        self.cohort = CohortStep(self)
        self.connectButtons(BUTTONS)
        self.ui.drawCollapsibleButton.connect("contentsCollapsed(bool)", self.refresh)
        self.showOneAtATime(STEPS)
        self.start()

    def setParameterNode(self, parameterNode) -> None:
        """Show other parameters; without any, before the panel is left or the scene closed, editing ends."""
        if parameterNode is None:
            self.editor.stop()
        super().setParameterNode(parameterNode)

    def cleanup(self) -> None:
        """Also stop a cohort, before the module is reloaded or the application quits."""
        self.cohort.stop()
        super().cleanup()

    def onLastWindowClosed(self) -> None:
        """Also end editing, whose keys are those of the window."""
        self.editor.stop()
        super().onLastWindowClosed()

    def refreshPanel(self) -> None:
        """Show the segments to choose from, and say on the buttons what can be done, or why it cannot."""
        self._refreshInputs()
        # Wide buttons have room for the reason why they are disabled; the others say it in their tooltip.
        for step in ("register", "measure", "bvtv", "ct", "profile", "regress"):
            self.offer(getattr(self.ui, f"{step}Button"), self.logic.missing(step, self._parameterNode), wide=True)
        for step in ("propose", "template", "split", "checkerboard", "proposeBone", "cycles", "rods", "figure"):
            self.offer(getattr(self.ui, f"{step}Button"), self.logic.missing(step, self._parameterNode), wide=False)
        self.offer(self.ui.drawCollapsibleButton, self.logic.missing("draw", self._parameterNode), wide=False)

    def _refreshInputs(self) -> None:
        p, ui = self._parameterNode, self.ui
        p.regions.split_segment = connectors.followSegmentation(
            ui.splitSegmentSelector, p.segmentation, p.regions.split_segment, self.say
        )
        p.bvtv.bone_segment = connectors.followSegmentation(
            ui.boneSegmentSelector, p.bvtv.bone_segmentation or p.segmentation, p.bvtv.bone_segment, self.say
        )
        landmarks = p.registration.start == "landmarks"
        ui.fixedLandmarksSelector.enabled = ui.movingLandmarksSelector.enabled = landmarks
        drawing = self.shownStep == "regions" and not ui.drawCollapsibleButton.collapsed and not self.running
        self.editor.edit(p.segmentation if drawing else None, p.regions.reference)
        self.refreshSteps()
        ui.cancelButton.enabled = self.running and not self.cancelRequested
        ui.statsmodelsButton.visible = not packages.isInstalled("statsmodels")
        self.cohort.refresh()

    def onProposeButton(self) -> None:
        self.step(self.logic.propose, _("No bones could be proposed."), proposalSummary)

    def onTemplateButton(self) -> None:
        self.atOnce(self.logic.addTemplate, _("The regions could not be made."), added)

    def onLoadRegionsButton(self) -> None:
        path = qt.QFileDialog.getOpenFileName(
            slicer.util.mainWindow(),
            _("File of regions"),
            "",
            _("Segmentations and label maps (*.nrrd *.nii *.nii.gz)"),
        )
        if path:
            self.atOnce(lambda p: self.logic.loadRegions(p, path), _("The regions could not be loaded."), added)

    def onSplitButton(self) -> None:
        self.atOnce(self.logic.split, _("The region could not be split."), added)

    def onRegisterButton(self) -> None:
        volumes = self._parameterNode.registration.fixed, self._parameterNode.registration.moving
        if self.step(self.logic.register, _("The registration failed."), registrationSummary):
            show.showOver(*volumes)

    def onCheckerboardButton(self) -> None:
        board = self.step(self.logic.checkerboard, _("The checkerboard could not be made."), added)
        if board:
            slicer.util.setSliceViewerLayers(background=board, foreground=None, fit=True)

    def onMeasureButton(self) -> None:
        table = self.step(self.logic.measure, _("The maps could not be measured."), tableSummary)
        if table:
            self.bringUp(show.showNumbers, table)

    def onBvtvButton(self) -> None:
        nodes = self.step(self.logic.bvtv, _("BV/TV could not be computed."), lambda nodes: tableSummary(nodes.table))
        if nodes:
            self.bringUp(show.showNumbers, nodes.table, [nodes.chart])

    def onProposeBoneButton(self) -> None:
        self.step(self.logic.proposeBone, _("No bone reference could be proposed."), added)

    def onCyclesButton(self) -> None:
        self.atOnce(self.logic.combineCycles, _("The phase cycles could not be combined."), added)

    def onCtButton(self) -> None:
        table = self.step(self.logic.ct, _("The CT could not be measured."), tableSummary)
        if table:
            self.bringUp(show.showNumbers, table)

    def onRodsButton(self) -> None:
        self.atOnce(self.logic.fitRods, _("The calibration failed."), calibrationSummary)

    def onProfileButton(self) -> None:
        nodes = self.step(self.logic.profile, _("The profile could not be made."), lambda nodes: added(nodes.charts[0]))
        if nodes:
            self.bringUp(show.showNumbers, None, nodes.charts)

    def onRegressButton(self) -> None:
        nodes = self.step(self.logic.regress, _("The regression failed."), regressionSummary)
        if nodes:
            self.bringUp(show.showNumbers, nodes.table, [nodes.chart], False)

    def onFigureButton(self) -> None:
        with slicer.util.tryWithErrorDisplay(_("matplotlib could not be installed.")):
            if not packages.offerPackage("matplotlib"):
                return
        path = qt.QFileDialog.getSaveFileName(
            slicer.util.mainWindow(), _("Figure"), "regression.png", _("Figures (*.png *.svg)")
        )
        if path:
            self.atOnce(
                lambda p: self.logic.saveFigure(p, path),
                _("The figure could not be saved."),
                lambda nothing: _("Saved {path}.").format(path=path),
            )

    def onStatsmodelsButton(self) -> None:
        """Install statsmodels if the user agrees."""
        with slicer.util.tryWithErrorDisplay(_("statsmodels could not be installed.")):
            packages.offerPackage("statsmodels")
        self.refresh()


#
# TrabecularQSMAnalysisLogic
#


class TrabecularQSMAnalysisLogic(ScriptedLoadableModuleLogic):
    """What the module does, without its panel: each step is a function of `scene` with what the parameter node says."""

    def getParameterNode(self) -> TrabecularQSMAnalysisParameterNode:
        """Return the parameters of this scene."""
        return wrapped(TrabecularQSMAnalysisParameterNode, super().getParameterNode())

    def propose(self, p, progress=None):
        """Propose bones, select them, and show their outlines."""
        maps = proposalMaps(p)
        p.segmentation = scene.proposeRegionsNodes(maps, p.regions.side, progress)
        p.regions.reference = p.regions.reference or maps[1]
        scene.regions.showOutlines(p.segmentation)
        scene.regions.hideOtherSegmentations(p.segmentation)
        return p.segmentation

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

    def checkerboard(self, p, progress=None):
        """Return a volume that shows both volumes in turn."""
        r = p.registration
        return scene.checkerboardNodes(r.fixed, r.moving, r.tiles, progress=progress)

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

    def proposeBone(self, p, progress=None):
        """Propose the bone reference of BV/TV, and select it."""
        node = scene.proposeBoneReferenceNode(p.bvtv.image, p.segmentation, progress=progress)
        p.bvtv.bone_segmentation, p.bvtv.bone_segment = node, node.GetSegmentation().GetNthSegmentID(0)
        return node

    def combineCycles(self, p):
        """Combine phase cycles, and select the result as the image."""
        cycles = [node for node in p.bvtv.cycles if node]
        p.bvtv.image = scene.combinePhaseCyclesNodes(cycles, p.bvtv.combination)
        return p.bvtv.image

    def ct(self, p, progress=None):
        """Measure the CT, and select the table for the next case."""
        calibration = Calibration(p.ct.slope, p.ct.intercept) if p.ct.slope else None
        p.ct.table = scene.attenuationNodes(
            p.ct.volume,
            p.segmentation,
            case=p.case.strip(),
            calibration=calibration,
            table=p.ct.table,
            progress=progress,
        )
        return p.ct.table

    def fitRods(self, p):
        """Fit the calibration line to the rods, fill it in, and return it."""
        line = fit_calibration(*rods(p))
        p.ct.slope, p.ct.intercept = line.slope, line.intercept
        return line

    def profile(self, p, progress=None):
        """Plot values along the line."""
        volumes = [node for node in p.profile.volumes if node]
        return scene.profileNodes(volumes, p.profile.line, progress=progress)

    def regress(self, p, progress=None):
        """Regress y on x."""
        return scene.regressNodes(**regressionOptions(p))

    def saveFigure(self, p, path) -> None:
        """Save the regression's figure as PNG or SVG, by the name's ending."""
        scene.saveRegressionFigure(path, **regressionOptions(p))

    def missing(self, step: str, p) -> str:
        """Return what keeps a step from starting, in one phrase; nothing if it can."""
        return missing(step, p)

    def loadCompanions(self, progress=None):
        """Simulate an ankle with bSSFP and CT, reconstruct its maps, and select all of them.

        :return: the nodes of `scene.addCompanions`, and the maps.
        """
        return selectCompanions(self.getParameterNode(), progress)


#
# TrabecularQSMAnalysisTest
#


class TrabecularQSMAnalysisTest(ModuleTestMixin, ScriptedLoadableModuleTest):
    """Run by Reload and Test, and by ctest."""

    def setUp(self) -> None:
        super().setUp()
        self.logic = TrabecularQSMAnalysisLogic()

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
