"""3D Slicer module: maps of susceptibility, R2* and fat fraction from a multi-echo gradient-echo scan."""

import sys
from pathlib import Path
from typing import Annotated

import qt
import slicer
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode, vtkMRMLSequenceNode
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper
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
from TrabecularQSMLib.errors import Cancelled  # noqa: E402
from TrabecularQSMLib.pipeline import KeptFields  # noqa: E402
from TrabecularQSMLib.progress import part  # noqa: E402
from TrabecularQSMLib.scene.gui import connectors, show  # noqa: E402 - connectors registers them
from TrabecularQSMLib.scene.gui.numbers import numbers  # noqa: E402
from TrabecularQSMLib.scene.gui.packages import withPackages  # noqa: E402
from TrabecularQSMLib.scene.gui.panel import PanelMixin  # noqa: E402
from TrabecularQSMLib.scene.gui.parameters import wrapped  # noqa: E402
from TrabecularQSMLib.scene.gui.preview import PreviewSlider  # noqa: E402
from TrabecularQSMLib.scene.gui.reconstruction import (  # noqa: E402
    AcquisitionParameters,
    DicomParameters,
    Forecast,
    SettingsParameters,
    fillAcquisition,
    loadOptions,
    mapsSummary,
    missing,
    missingDicom,
    missingOfLCurve,
    missingOfLoose,
    packSettings,
    proposeMask,
    runOptions,
    sayOnApply,
    scanSummary,
    sequencesOfLoose,
    unpackSettings,
)
from TrabecularQSMLib.scene.gui.results import ResultsBrowser, askedFor, lcurveSummary, remember  # noqa: E402
from TrabecularQSMLib.scene.gui.samples import SAMPLE  # noqa: E402
from TrabecularQSMLib.scene.gui.startup import describe, registerResources  # noqa: E402
from TrabecularQSMLib.scene.gui.tests import ModuleTestMixin  # noqa: E402
from TrabecularQSMLib.settings import Settings, load_presets, preset  # noqa: E402

# Buttons of the panel; each has a slot of its name, such as onApplyButton.
BUTTONS = ("folder", "file", "loose", "proposeMask", "lcurve", "apply", "layout", "dicom")


#
# TrabecularQSM
#


class TrabecularQSM(ScriptedLoadableModule):
    """The module as Slicer lists it."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        describe(parent)
        self.parent.title = _("Trabecular QSM")
        self.parent.dependencies = ["Sequences", "Segmentations", "Plots"]
        self.parent.helpText = _(
            "Magnetic susceptibility, R2* and fat fraction of trabecular bone from a multi-echo gradient-echo scan: "
            "water–fat separation, background field removal and dipole inversion. To try it: TrabecularQSM phantom in "
            "the module Sample Data, then Apply here. For research only, not for diagnosis."
        )
        resources = Path(__file__).resolve().parent / "Resources"
        slicer.app.connect("startupCompleted()", lambda: registerResources(TrabecularQSMLogic, resources))


#
# TrabecularQSMParameterNode
#


@parameterNodeWrapper
class TrabecularQSMParameterNode:
    """The parameters of the module.

    magnitudeSequence, phaseSequence - The scan, one volume for each echo.
    acquisition - Field strength, echo times and direction of B0, taken from the magnitude sequence.
    scanLabels - Which scan of a folder is loaded, such as sub-01 run-1.
    voxelSize - Voxel size of a file that stores none, in mm along its array axes.
    fileEchoTimes, fileFieldStrength - Echo times in ms and field strength in tesla of files that do not say them.
    looseMagnitudes, loosePhases, looseEchoTimes - Volumes and echo times in ms of which sequences are made.
    maskSegmentation, maskSegment - Where susceptibility is solved; the body without its surface if there is none.
    preset - Name of the preset that gives λ where the settings do not.
    settings - All settings of the reconstruction.
    previewDecades - λ that is tried out, as a power of ten times the preset's.
    lcurveRegularizations - Values of λ of the L-curve; around that of the settings if empty.
    lcurveRegions - Segments whose mean susceptibility is followed over λ.
    dicom - Maps as DICOM objects.
    outputName - Start of the names of the results; that of the magnitude sequence if empty.
    """

    magnitudeSequence: vtkMRMLSequenceNode | None
    phaseSequence: vtkMRMLSequenceNode | None
    acquisition: AcquisitionParameters
    scanLabels: str = ""
    voxelSize: str = ""
    fileEchoTimes: str = ""
    fileFieldStrength: str = ""
    looseMagnitudes: list[vtkMRMLScalarVolumeNode]
    loosePhases: list[vtkMRMLScalarVolumeNode]
    looseEchoTimes: str = ""
    maskSegmentation: vtkMRMLSegmentationNode | None
    maskSegment: str = ""
    preset: Annotated[str, Choice(list(load_presets()))] = "default"
    settings: SettingsParameters
    previewDecades: Annotated[float, WithinRange(-2.0, 2.0)] = 0.0
    lcurveRegularizations: str = ""
    lcurveRegions: vtkMRMLSegmentationNode | None
    dicom: DicomParameters
    outputName: str = ""


#
# TrabecularQSMWidget
#


class TrabecularQSMWidget(PanelMixin, ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The module's panel."""

    _scan = None

    def setup(self) -> None:
        """Build the panel."""
        self.build(TrabecularQSMLogic())
        self.connectButtons(BUTTONS)
        # Not currentIndexChanged: a preset that comes with a loaded scene must not undo that scene's settings.
        self.ui.presetComboBox.connect("activated(int)", self.onPresetActivated)
        self.results = ResultsBrowser(self)
        self.preview = PreviewSlider(self)
        self.start()

    def cleanup(self) -> None:
        """Also let go of what is previewed."""
        self.preview.forget()
        super().cleanup()

    def forgetStatus(self) -> None:
        """Take back what was said, and let go of what belongs to the scene."""
        super().forgetStatus()
        self.preview.forget()
        self.logic.kept.forget()

    def refreshPanel(self) -> None:
        """Take over a newly selected scan, and say on the buttons what can be done, or why it cannot."""
        p, ui = self._parameterNode, self.ui
        fillAcquisition(p)
        if not ui.echoTimesLineEdit.focus:
            ui.echoTimesLineEdit.cursorPosition = 0  # show the first echo time rather than the last
        before, self._scan = self._scan, p.magnitudeSequence and p.magnitudeSequence.GetID()
        if self._scan != before and not self.running:
            ui.statusLabel.text = ""  # it was about another scan
        for selector in (ui.looseMagnitudesSelector, ui.loosePhasesSelector):
            connectors.hideNodes(selector, scene.volumesThatAreNoEchoes())
        self.results.refresh()
        self._refreshButtons()

    def _refreshButtons(self) -> None:
        p, ui = self._parameterNode, self.ui
        ui.edgeThresholdSpinBox.enabled = not p.settings.edge_steepness
        ui.edgeFractionSpinBox.enabled = not (p.settings.edge_steepness or p.settings.edge_threshold)
        ui.maskSegmentSelector.visible = bool(p.maskSegmentation)
        p.maskSegment = connectors.followSegmentation(
            ui.maskSegmentSelector, p.maskSegmentation, p.maskSegment, self.say
        )
        for section in ("inputs", "parameters", "advanced", "outputs"):
            getattr(ui, f"{section}CollapsibleButton").enabled = not self.running
        missing = self.logic.missing(p)
        self.offer(
            ui.proposeMaskButton, "" if self.results.run else _("Apply first: bones are found in maps."), wide=False
        )
        self.offer(ui.dicomButton, missingDicom(p, self.results.run), wide=True)
        self.offer(ui.looseButton, missingOfLoose(p), wide=True)
        text, basis = self.logic.forecast.ofLCurve(p)
        self.offer(ui.lcurveButton, missingOfLCurve(p), wide=True, text=text)
        ui.lcurveButton.toolTip += basis
        self.preview.refresh()
        sayOnApply(ui.applyButton, missing, self.running, self.cancelRequested, self.logic.forecast.ofRun(p))
        ui.layoutButton.enabled = self._layoutBefore is not None

    def onApplyButton(self) -> None:
        """Start a run, or stop it."""
        if self.running:
            self.onCancelButton()
            return
        nodes = self.run(
            lambda progress: self.logic.processParameterNode(self._parameterNode, progress),
            _("Susceptibility mapping failed."),
            lambda nodes: self.inWords(self.logic.summary(nodes)),
        )
        if nodes:
            self.preview.end()
            self.bringUp(show.showMaps, nodes)
            self.ui.resultsCollapsibleButton.collapsed = False
            self.results.refresh(latest=True)
            self.refresh()

    def onLcurveButton(self) -> None:
        nodes = self.run(
            lambda progress: self.logic.lcurveParameterNode(self._parameterNode, progress),
            _("The L-curve failed."),
            lambda nodes: self.inWords(lcurveSummary(nodes)),
        )
        if nodes:
            self.bringUp(show.showChart, nodes.lcurveChart)

    def onFolderButton(self) -> None:
        path = qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), _("Folder of a multi-echo scan"))
        if path:
            self.loadScan(path)

    def onFileButton(self) -> None:
        path = qt.QFileDialog.getOpenFileName(
            slicer.util.mainWindow(), _("File of a multi-echo scan"), "", _("Scans (*.mat *.nii *.nii.gz *.dcm)")
        )
        if path:
            self.loadScan(path)

    def loadScan(self, path) -> None:
        """Load a scan from a folder or file, select it and show it."""
        nodes, p = None, self._parameterNode
        try:
            nodes = self.run(
                lambda progress: withPackages(
                    lambda: self.logic.loadScan(path, progress=progress, **loadOptions(p, self.labels()))
                ),
                _("The scan could not be loaded."),
                lambda nodes: self.inWords(scanSummary(*nodes)),
            )
        finally:
            # Where several scans or something missing were the reason, this is where to choose.
            self.ui.loadingCollapsibleButton.collapsed = bool(nodes)
        if nodes:
            show.showEchoes(nodes[0])

    def onLooseButton(self) -> None:
        nodes = self.step(
            self.logic.loadLooseVolumes,
            _("The sequences could not be made."),
            lambda nodes: self.inWords(scanSummary(*nodes)),
        )
        if nodes:
            show.showEchoes(nodes[0])

    def onProposeMaskButton(self) -> None:
        maps = self.results.run.nodes
        self.run(
            lambda progress: proposeMask(self._parameterNode, maps, progress),
            _("No mask could be proposed."),
            lambda node: _("{name} is a proposal: look at it, and edit it in the Segment Editor.").format(
                name=node.GetName()
            ),
        )

    def onDicomButton(self) -> None:
        run = self.results.run
        self.run(
            lambda progress: withPackages(lambda: self.logic.exportDicom(self._parameterNode, run, progress)),
            _("The DICOM files could not be written."),
            lambda paths: _("Wrote {count} DICOM files to {folder}.").format(
                count=len(paths), folder=self._parameterNode.dicom.folder.strip()
            ),
        )

    def onPresetActivated(self, index: int) -> None:
        self.logic.applyPreset(self._parameterNode)


#
# TrabecularQSMLogic
#


class TrabecularQSMLogic(ScriptedLoadableModuleLogic):
    """What the module does, without its panel.

    >>> logic = TrabecularQSMLogic()
    >>> magnitude, phase = logic.loadPhantom()[:2]
    >>> nodes = logic.process(magnitude, phase)
    >>> nodes["chi"].GetName()
    'ankle phantom χ [ppm]'
    """

    def __init__(self) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        self.forecast = Forecast()
        self.kept = KeptFields()

    def getParameterNode(self) -> TrabecularQSMParameterNode:
        """Return the parameters of this scene."""
        return wrapped(TrabecularQSMParameterNode, super().getParameterNode())

    def process(self, magnitudeSequence, phaseSequence, **options) -> dict:
        """Compute the maps of a scan as volumes in a folder; all options are those of `scene.reconstructNodes`.

        Where nothing but the inversion differs from the run before, only that is computed.

        :param magnitudeSequence: sequence of magnitude volumes over the echo time.
        :param phaseSequence: the same of the phase.
        :return: volume nodes by the name of their quantity.
        """
        return scene.reconstructNodes(magnitudeSequence, phaseSequence, kept=self.kept, **options)

    def processParameterNode(self, parameterNode, progress=None) -> dict:
        """Call `process` with what the parameter node says."""
        asked = askedFor(parameterNode)  # the panel may be changed meanwhile
        with self.forecast.learning(parameterNode, self.kept):
            return remember(self.process(**self.options(parameterNode), progress=progress), asked)

    def lcurveParameterNode(self, parameterNode, progress=None):
        """Compute the L-curve with what the parameter node says; return the nodes of `scene.lcurveNodes`."""
        return scene.lcurveNodes(
            **self.options(parameterNode),
            regularizations=numbers(parameterNode.lcurveRegularizations, _("λ values")) or None,
            regions=parameterNode.lcurveRegions,
            kept=self.kept,
            progress=progress,
        )

    def options(self, p) -> dict:
        """Return the arguments of a run, as they are now."""
        return runOptions(p) | {"settings": self.settings(p)}

    def settings(self, p) -> Settings:
        """Return the settings of the parameter node, with the preset's λ if it has none."""
        return preset(p.preset, **unpackSettings(p.settings))

    def applyPreset(self, p) -> None:
        """Fill in the settings of the chosen preset."""
        p.settings = packSettings(Settings(**load_presets()[p.preset]["settings"]))

    def missing(self, p) -> str:
        """Return what keeps a run from starting, in one phrase; nothing if it can."""
        return missing(p)

    def exportDicom(self, p, run, progress=None) -> list:
        """Write a run, one of `scene.runsInScene`, as DICOM objects; return the files."""
        source, folder = p.dicom.source.strip(), p.dicom.folder.strip()
        options = {"name": run.name.removesuffix(" maps"), "regions": p.dicom.regions, "plain": p.dicom.plain}
        return scene.exportDicom(run.nodes, source, folder, **options, progress=progress)

    def loadScan(self, path, progress=None, **options) -> list:
        """Load a scan with `scene.loadScan`, and select it; return its magnitude and phase sequence (or None)."""
        sequences = scene.loadScan(path, progress=part(progress, 0.0, 0.9), **options)
        scene.browsed(sequences, part(progress, 0.9, 1.0))
        return self._select(*sequences)

    def loadLooseVolumes(self, p, progress=None) -> list:
        """Make sequences of the volumes chosen in the parameter node, and select them."""
        sequences = sequencesOfLoose(p, part(progress, 0.0, 0.8))
        scene.browsed(sequences, part(progress, 0.8, 1.0))
        return self._select(*sequences)

    def loadPhantom(self, progress=None) -> list:
        """Simulate an ankle in a few seconds, and select its scan.

        :return: magnitude sequence, phase sequence and segmentation of its regions.
        """
        nodes = scene.addPhantom(SAMPLE, progress=progress)
        return [*self._select(nodes.magnitudeSequence, nodes.phaseSequence), nodes.regions]

    def _select(self, magnitude, phase):
        p = self.getParameterNode()
        with slicer.util.NodeModify(p.parameterNode):
            p.magnitudeSequence, p.phaseSequence = magnitude, phase
        fillAcquisition(p)
        return [magnitude, phase]

    def summary(self, nodes: dict) -> str:
        """Return one line about a result and what a user should know of it."""
        return mapsSummary(nodes)


#
# TrabecularQSMTest
#


class TrabecularQSMTest(ModuleTestMixin, ScriptedLoadableModuleTest):
    """Run by Reload and Test, and by ctest."""

    def setUp(self) -> None:
        super().setUp()
        self.logic = TrabecularQSMLogic()

    def test_the_phantom_becomes_maps_with_units(self):
        _magnitude, _phase, regions = self.logic.loadPhantom()
        p = self.logic.getParameterNode()
        self.assertEqual(self.logic.missing(p), "")
        p.settings.inversion = "closed-form"
        nodes = self.logic.processParameterNode(p)
        self.assertEqual(nodes["chi"].GetVoxelValueUnits().GetCodeMeaning(), "parts per million")
        values, masks = slicer.util.arrayFromVolume(nodes["chi"]), scene.masksFromSegmentation(regions, nodes["chi"])
        bone, muscle = (values[masks[name]].mean() for name in ("calcaneus subtalar", "muscle"))
        self.assertLess(bone, muscle - 0.2)  # bone is diamagnetic

    def test_a_cancelled_run_leaves_the_scene_as_it_was(self):
        magnitude, phase, _regions = self.logic.loadPhantom()
        before = slicer.mrmlScene.GetNumberOfNodes()

        def cancel(fraction, message):
            if fraction > 0.3:
                raise Cancelled

        self.assertRaises(Cancelled, self.logic.process, magnitude, phase, progress=cancel)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), before)

    def test_the_parameters_have_the_defaults_of_the_library(self):
        self.assertEqual(self.logic.settings(self.logic.getParameterNode()), preset())

    def test_every_preset_fills_in_its_settings(self):
        p = self.logic.getParameterNode()
        for p.preset in load_presets():
            self.logic.applyPreset(p)
            self.assertEqual(self.logic.settings(p), preset(p.preset))

    def test_what_is_missing_is_said(self):
        p = self.logic.getParameterNode()
        self.assertTrue(self.logic.missing(p))
        self.logic.loadPhantom()
        for name, wrong in {"field_strength": 0.0, "echo_times_ms": "1 2", "b0_direction": "x"}.items():
            right = getattr(p.acquisition, name)
            setattr(p.acquisition, name, wrong)
            self.assertTrue(self.logic.missing(p), name)
            setattr(p.acquisition, name, right)
        self.assertEqual(self.logic.missing(p), "")
