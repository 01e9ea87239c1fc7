"""3D Slicer module: maps of susceptibility, R2* and fat fraction from a multi-echo gradient-echo scan."""

import sys
from pathlib import Path
from typing import Annotated

import qt
import slicer
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode, vtkMRMLSequenceNode
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Choice, parameterNodeWrapper
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
from TrabecularQSMLib.inversion import METHODS  # noqa: E402
from TrabecularQSMLib.scene.gui import connectors  # noqa: E402, F401 - registers them
from TrabecularQSMLib.scene.gui.numbers import echoTimesText, numbers  # noqa: E402
from TrabecularQSMLib.scene.gui.panel import PanelMixin  # noqa: E402
from TrabecularQSMLib.scene.gui.reconstruction import (  # noqa: E402
    AcquisitionParameters,
    SettingsParameters,
    missing,
    packSettings,
    unpackSettings,
)
from TrabecularQSMLib.scene.gui.samples import SAMPLE  # noqa: E402
from TrabecularQSMLib.scene.gui.startup import describe, registerResources  # noqa: E402
from TrabecularQSMLib.scene.gui.tests import ModuleTestMixin  # noqa: E402
from TrabecularQSMLib.scene.reconstruct import NOTES_ATTRIBUTE  # noqa: E402
from TrabecularQSMLib.settings import Settings, load_presets, preset  # noqa: E402

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
            "water–fat separation, background field removal and dipole inversion. For research only, not for diagnosis."
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
    looseMagnitudes, loosePhases, looseEchoTimes - Volumes and echo times in ms of which sequences are made.
    maskSegmentation, maskSegment - Where susceptibility is solved; the body without its surface if there is none.
    preset - Name of the preset that gives λ where the settings do not.
    settings - All settings of the reconstruction.
    lcurveRegularizations - Values of λ of the L-curve; around that of the settings if empty.
    lcurveRegions - Segments whose mean susceptibility is followed over λ.
    outputName - Start of the names of the results; that of the magnitude sequence if empty.
    """

    magnitudeSequence: vtkMRMLSequenceNode | None
    phaseSequence: vtkMRMLSequenceNode | None
    acquisition: AcquisitionParameters
    scanLabels: str = ""
    looseMagnitudes: list[vtkMRMLScalarVolumeNode]
    loosePhases: list[vtkMRMLScalarVolumeNode]
    looseEchoTimes: str = ""
    maskSegmentation: vtkMRMLSegmentationNode | None
    maskSegment: str = ""
    preset: Annotated[str, Choice(list(load_presets()))] = "default"
    settings: SettingsParameters
    lcurveRegularizations: str = ""
    lcurveRegions: vtkMRMLSegmentationNode | None
    outputName: str = ""


#
# TrabecularQSMWidget
#


class TrabecularQSMWidget(PanelMixin, ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The module's panel."""

    def setup(self) -> None:
        """Build the panel."""
        self.build(TrabecularQSMLogic())
        self.ui.folderButton.connect("clicked(bool)", self.onFolderButton)
        self.ui.fileButton.connect("clicked(bool)", self.onFileButton)
        self.ui.looseButton.connect("clicked(bool)", self.onLooseButton)
        # Not currentIndexChanged: a preset that comes with a loaded scene must not undo that scene's settings.
        self.ui.presetComboBox.connect("activated(int)", self.onPresetActivated)
        self.ui.lcurveButton.connect("clicked(bool)", self.onLCurveButton)
        self.ui.applyButton.connect("clicked(bool)", self.onApplyButton)
        self.start()

    def refreshPanel(self) -> None:
        """Take over a newly selected scan, and say on the buttons what can be done, or why it cannot."""
        self.logic.fillAcquisition(self._parameterNode)
        if not self.ui.echoTimesLineEdit.focus:
            self.ui.echoTimesLineEdit.cursorPosition = 0  # show the first echo time rather than the last
        self._refreshButtons()

    def _refreshButtons(self) -> None:
        p, ui = self._parameterNode, self.ui
        unit = METHODS[p.settings.inversion].unit
        ui.regularizationSpinBox.suffix = f" {unit}"
        ui.regularizationSpinBox.specialValueText = _("{value:g} {unit} (preset)").format(
            value=preset(p.preset, inversion=p.settings.inversion).regularization, unit=unit
        )
        ui.maskSegmentSelector.enabled = bool(p.maskSegmentation)
        if ui.maskSegmentSelector.currentNode() is not p.maskSegmentation:
            # It selects the first segment by itself.
            segment = p.maskSegment
            ui.maskSegmentSelector.setCurrentNode(p.maskSegmentation)
            known = p.maskSegmentation and p.maskSegmentation.GetSegmentation().GetSegment(segment)
            p.maskSegment = segment if known else ui.maskSegmentSelector.currentSegmentID()
        for section in ("inputs", "parameters", "advanced", "outputs"):
            getattr(ui, f"{section}CollapsibleButton").enabled = not self.running
        missing = self.logic.missing(p)
        self.offer(ui.lcurveButton, missing, wide=False)
        if self.running:
            ui.applyButton.text = _("Cancelling…") if self.cancelRequested else _("Cancel")
        else:
            ui.applyButton.text = missing or _("Apply")
        ui.applyButton.enabled = not self.cancelRequested if self.running else not missing
        ui.applyButton.toolTip = (
            _("Stop; nothing is added to the scene.")
            if self.running
            else missing or _("Compute the maps and put them into a folder of the scene.")
        )

    def onApplyButton(self) -> None:
        """Start a run, or stop it."""
        if self.running:
            self.onCancelButton()
            return
        nodes = self.run(
            lambda progress: self.logic.processParameterNode(self._parameterNode, progress),
            _("Susceptibility mapping failed."),
            self.logic.summary,
        )
        if nodes:
            shown = next(nodes[name] for name in ("chi", "local_field", "field_hz") if name in nodes)
            slicer.util.setSliceViewerLayers(background=shown, foreground=None, label=None, fit=True)

    def onLCurveButton(self) -> None:
        nodes = self.run(
            lambda progress: self.logic.lcurveParameterNode(self._parameterNode, progress),
            _("The L-curve failed."),
            lambda found: _("Largest curvature at λ = {value:g}.").format(value=found.bestRegularization),
        )
        if nodes:
            slicer.modules.plots.logic().ShowChartInLayout(nodes.lcurveChart)

    def onFolderButton(self) -> None:
        path = qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), _("Folder of a multi-echo scan"))
        if path:
            self.loadScan(path)

    def onFileButton(self) -> None:
        path = qt.QFileDialog.getOpenFileName(
            slicer.util.mainWindow(), _("File of a multi-echo scan"), "", _("Scans (*.mat *.nii *.nii.gz)")
        )
        if path:
            self.loadScan(path)

    def loadScan(self, path) -> None:
        """Load a scan from a folder or file and select it."""
        with slicer.util.tryWithErrorDisplay(_("The scan could not be loaded."), waitCursor=True):
            self.logic.loadScan(path, labels=self._parameterNode.scanLabels)

    def onLooseButton(self) -> None:
        with slicer.util.tryWithErrorDisplay(_("The sequences could not be made."), waitCursor=True):
            self.logic.loadLooseVolumes(self._parameterNode)

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

    FILLED_FROM, FILLED_B0 = "filledFrom", "filledB0Direction"

    def getParameterNode(self) -> TrabecularQSMParameterNode:
        """Return the parameters of this scene."""
        return TrabecularQSMParameterNode(super().getParameterNode())

    def process(self, magnitudeSequence, phaseSequence, **options) -> dict:
        """Compute the maps of a scan as volumes in a folder; all options are those of `scene.reconstructNodes`.

        :param magnitudeSequence: sequence of magnitude volumes over the echo time.
        :param phaseSequence: the same of the phase.
        :return: volume nodes by the name of their quantity.
        """
        return scene.reconstructNodes(magnitudeSequence, phaseSequence, **options)

    def processParameterNode(self, parameterNode, progress=None) -> dict:
        """Call `process` with what the parameter node says."""
        return self.process(**self.options(parameterNode), progress=progress)

    def lcurveParameterNode(self, parameterNode, progress=None):
        """Compute the L-curve with what the parameter node says; return the nodes of `scene.lcurveNodes`."""
        return scene.lcurveNodes(
            **self.options(parameterNode),
            regularizations=numbers(parameterNode.lcurveRegularizations, "λ values") or None,
            regions=parameterNode.lcurveRegions,
            progress=progress,
        )

    def options(self, p) -> dict:
        """Return the arguments of a run, as they are now."""
        times, strength, direction = scene.scanValues(p.magnitudeSequence)
        given = p.acquisition
        # What was not edited is taken from the sequence itself, with all its digits.
        same = given.echo_times_ms == echoTimesText(times)
        return {
            "magnitudeSequence": p.magnitudeSequence,
            "phaseSequence": p.phaseSequence,
            "settings": self.settings(p),
            "maskSegmentation": p.maskSegmentation,
            "maskSegmentID": p.maskSegment or None,
            "echoTimes": None if same else [t / 1e3 for t in numbers(given.echo_times_ms, "echo times")],
            "fieldStrength": None if given.field_strength == round(strength or 0, 4) else given.field_strength,
            "b0Direction": None
            if given.b0_direction == p.parameterNode.GetAttribute(self.FILLED_B0)
            else numbers(given.b0_direction, "B0 direction"),
            "name": p.outputName.strip() or None,
        }

    def settings(self, p) -> Settings:
        """Return the settings of the parameter node, with the preset's λ if it has none."""
        return preset(p.preset, **unpackSettings(p.settings))

    def applyPreset(self, p) -> None:
        """Fill in the settings of the chosen preset."""
        p.settings = packSettings(Settings(**load_presets()[p.preset]["settings"]))

    def fillAcquisition(self, p) -> None:
        """Take the acquisition from the magnitude sequence if another one was selected."""
        sequence, node = p.magnitudeSequence, p.parameterNode
        if not sequence or node.GetNodeReferenceID(self.FILLED_FROM) == sequence.GetID():
            return
        times, strength, direction = scene.scanValues(sequence)
        with slicer.util.NodeModify(node):
            node.SetNodeReferenceID(self.FILLED_FROM, sequence.GetID())
            p.acquisition = AcquisitionParameters(
                field_strength=round(strength or 0.0, 4),
                echo_times_ms=echoTimesText(times),
                b0_direction=" ".join(f"{x:.6g}" for x in direction),
            )
            node.SetAttribute(self.FILLED_B0, p.acquisition.b0_direction)

    def missing(self, p) -> str:
        """Return what keeps a run from starting, in one phrase; nothing if it can."""
        return missing(p)

    def loadScan(self, path, **options) -> list:
        """Load a scan with `scene.loadScan`, and select it; return its magnitude and phase sequence."""
        return self._select(*scene.loadScan(path, **options))

    def loadLooseVolumes(self, p) -> list:
        """Make sequences of the volumes chosen in the parameter node, and select them."""
        magnitudes, phases = ([node for node in nodes if node] for nodes in (p.looseMagnitudes, p.loosePhases))
        name = magnitudes[0].GetName() if magnitudes else "scan"
        times = numbers(p.looseEchoTimes, "echo times")
        return self._select(*scene.sequencesFromVolumes(magnitudes, phases, times, name))

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
        self.fillAcquisition(p)
        return [magnitude, phase]

    def summary(self, nodes: dict) -> str:
        """Return one line about a result and what a user should know of it."""
        node = next(iter(nodes.values()))
        notes = node.GetAttribute(NOTES_ATTRIBUTE) or ""
        return " ".join([_("Added {count} maps.").format(count=len(nodes)), *notes.splitlines()])


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
