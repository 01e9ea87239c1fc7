"""3D Slicer module: what susceptibility and R2′ say about bone density, simulated with random pieces of bone."""

import sys
from pathlib import Path
from typing import Annotated

import slicer
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper
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
from TrabecularQSMLib.scene.gui import show  # noqa: E402
from TrabecularQSMLib.scene.gui.parameters import wrapped  # noqa: E402
from TrabecularQSMLib.scene.gui.protocol import (  # noqa: E402
    BoneParameters,
    ProtocolParameters,
    ankleSettings,
    chainSettings,
    chainSummary,
    missingOfProtocol,
    onBone,
    onProtocol,
    protocolSettings,
    protocolSummary,
    sweepSettings,
    sweepSummary,
)
from TrabecularQSMLib.scene.gui.simulation import (  # noqa: E402
    ConfigurationParameters,
    DecayParameters,
    SimulationParameters,
    configurationSummary,
    missingOfConfiguration,
    missingOfRun,
    runText,
    simulationSettings,
    simulationSummary,
    varied,
)
from TrabecularQSMLib.scene.gui.startup import describe  # noqa: E402
from TrabecularQSMLib.scene.gui.steps import StepsMixin  # noqa: E402
from TrabecularQSMLib.scene.gui.tests import ModuleTestMixin  # noqa: E402
from TrabecularQSMLib.simulation.settings import SimulationSettings  # noqa: E402

# Buttons of the panel; each has a slot of its name, such as onRunButton.
BUTTONS = ("run", "configuration", "protocol", "chain", "sweep", "cancel", "layout")
# Parts of the panel; each has a button and a section of its name.
STEPS = ("table", "configuration", "model", "protocol", "bone")


#
# TrabecularQSMSimulation
#


class TrabecularQSMSimulation(ScriptedLoadableModule):
    """The module as Slicer lists it."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        describe(parent)
        self.parent.title = _("Trabecular QSM Simulation")
        self.parent.dependencies = ["Plots", "Segmentations", "Tables"]
        self.parent.helpText = _(
            "Simulates how susceptibility and R2′ depend on bone density: random spheres, cylinders or plates of bone "
            "in a magnetic field, as in figures 7 and 8 of the paper. To try it: click Run. For research only, not for "
            "diagnosis."
        )


#
# TrabecularQSMSimulationParameterNode
#


@parameterNodeWrapper
class TrabecularQSMSimulationParameterNode:
    """The parameters of the module.

    model, decay - What all geometries share.
    b0_direction, orientation - Directions of B0, and of cylinders or the normal of plates, in RAS.
    concentration - Of their directions about it; empty where all lie in it.
    numbers, radii, delta_chis - What is varied, separated by spaces or commas.
    repeats - Random geometries for each number and radius.
    name - Start of the names of the results.
    configuration - The geometry to look at.
    protocol - The protocol to assess.
    bone - Simulated bone that the protocol scans.
    """

    model: SimulationParameters
    decay: DecayParameters
    b0_direction: str = "0 0 1"
    orientation: str = "0 0 1"
    concentration: str = ""
    numbers: str = "100 200 300"
    radii: str = "5 10 15"
    delta_chis: str = "0.5 1 1.5 2"
    repeats: Annotated[int, WithinRange(1, 100000)] = 2
    name: str = "simulation"
    configuration: ConfigurationParameters
    protocol: ProtocolParameters
    bone: BoneParameters


#
# TrabecularQSMSimulationWidget
#


class TrabecularQSMSimulationWidget(StepsMixin, ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The module's panel."""

    def setup(self) -> None:
        """Build the panel."""
        self.build(TrabecularQSMSimulationLogic())
        self.connectButtons(BUTTONS)
        self.showOneAtATime(STEPS)
        self.start()

    def refreshPanel(self) -> None:
        """Say on the buttons what can be done, or why it cannot."""
        p, ui = self._parameterNode, self.ui
        for widget in (ui.orientationLineEdit, ui.concentrationLineEdit):
            widget.enabled = p.model.shape != SimulationSettings.shape
        for widget in (
            ui.fatFractionSpinBox,
            ui.fatModelComboBox,
            ui.boneSignalSpinBox,
            ui.boneT2SpinBox,
            ui.snrSpinBox,
            ui.pointSpreadComboBox,
        ):
            widget.enabled = bool(p.decay.echo_times_ms.strip())
        missing = missingOfRun(p)
        self.offer(ui.runButton, missing, wide=True, text="" if missing else runText(p))
        self.offer(ui.configurationButton, missingOfConfiguration(p), wide=True)
        missing, text = onProtocol(p)
        self.offer(ui.protocolButton, missing, wide=True, text=text)
        for button, isSweep in ((ui.chainButton, False), (ui.sweepButton, True)):
            missing, text = onBone(p, isSweep)
            self.offer(button, missing, wide=True, text=text)
        for widget in (ui.boneOrientationLineEdit, ui.boneConcentrationLineEdit):
            widget.enabled = p.bone.shape != SimulationSettings.shape
        for lineEdit in (ui.protocolEchoTimesLineEdit, ui.echoTimesLineEdit):
            if not lineEdit.focus:
                lineEdit.cursorPosition = 0  # show the first echo time rather than the last
        self.refreshSteps()
        ui.cancelButton.enabled = self.running and not self.cancelRequested

    def onRunButton(self) -> None:
        nodes = self.step(self.logic.run, _("The simulation failed."), simulationSummary)
        if nodes:
            # Those over BV/TV as in the paper's figure 8; the others are in the folder.
            charts = [chart for (_quantity, over), chart in nodes.charts.items() if over == "bvtv"]
            self.bringUp(show.showNumbers, nodes.summary, charts or [*nodes.charts.values()][:2], False)

    def onConfigurationButton(self) -> None:
        nodes = self.step(self.logic.showConfiguration, _("The geometry could not be simulated."), configurationSummary)
        if nodes:
            self.bringUp(show.showGeometry, nodes.bone, nodes.field)

    def onProtocolButton(self) -> None:
        failed = _("The protocol could not be assessed.")
        nodes = self.step(self.logic.assessProtocol, failed, protocolSummary)
        if nodes:
            self.bringUp(show.showNumbers, nodes.table, [*nodes.charts.values()], False)

    def onChainButton(self) -> None:
        nodes = self.step(self.logic.scanBone, _("Simulated bone could not be scanned."), chainSummary)
        if nodes:
            self.bringUp(show.showNumbers, nodes.table, [*nodes.charts.values()], False)

    def onSweepButton(self) -> None:
        nodes = self.step(self.logic.sweepConditions, _("The sweep failed."), sweepSummary)
        if nodes:
            # Those of the first condition; the others are in the folder.
            first = next(iter(nodes.charts))[0]
            charts = [chart for (condition, _quantity), chart in nodes.charts.items() if condition == first]
            self.bringUp(show.showNumbers, nodes.table, charts, False)


#
# TrabecularQSMSimulationLogic
#


class TrabecularQSMSimulationLogic(ScriptedLoadableModuleLogic):
    """What the module does, without its panel.

    >>> logic = TrabecularQSMSimulationLogic()
    >>> parameters = logic.getParameterNode()
    >>> parameters.numbers, parameters.radii, parameters.model.size = "10 20 30", "3", 32
    >>> nodes = logic.run(parameters)
    >>> nodes.table.GetNumberOfRows()
    24
    """

    def getParameterNode(self) -> TrabecularQSMSimulationParameterNode:
        """Return the parameters of this scene."""
        return wrapped(TrabecularQSMSimulationParameterNode, super().getParameterNode())

    def run(self, p, progress=None):
        """Simulate what the parameter node says; return the nodes of `scene.simulateNodes`."""
        return scene.simulateNodes(simulationSettings(p), varied(p), name=self._name(p), progress=progress)

    def showConfiguration(self, p, progress=None):
        """Simulate the geometry to look at; return the nodes of `scene.configurationNodes`."""
        c = p.configuration
        return scene.configurationNodes(
            simulationSettings(p),
            number=c.number,
            radius=c.radius,
            deltaChi=c.delta_chi,
            repeat=c.repeat,
            name=f"{self._name(p)} {c.number} × {c.radius}",
            progress=progress,
        )

    def assessProtocol(self, p, progress=None):
        """Assess the protocol; return the nodes of `scene.protocolNodes`."""
        return scene.protocolNodes(protocolSettings(p), ankleSettings(p), progress=progress)

    def scanBone(self, p, progress=None):
        """Scan simulated bone with the protocol, reconstruct and measure it; return the nodes of `scene.chainNodes`."""
        return scene.chainNodes(protocolSettings(p), chainSettings(p.bone), progress=progress)

    def sweepConditions(self, p, progress=None):
        """Look at simulated bone under several conditions; return the nodes of `scene.sweepNodes`."""
        settings = protocolSettings(p)
        return scene.sweepNodes(settings, sweepSettings(p.bone, settings), progress=progress)

    def _name(self, p):
        return p.name.strip() or "simulation"


#
# TrabecularQSMSimulationTest
#


class TrabecularQSMSimulationTest(ModuleTestMixin, ScriptedLoadableModuleTest):
    """Run by Reload and Test, and by ctest."""

    def setUp(self) -> None:
        super().setUp()
        self.logic = TrabecularQSMSimulationLogic()
        self.p = self.logic.getParameterNode()
        self.p.model.size = 24
        self.p.numbers, self.p.radii, self.p.repeats = "4 8 12", "2 3", 1

    def test_a_run_gives_a_table_and_charts(self):
        nodes = self.logic.run(self.p)
        self.assertEqual(nodes.table.GetNumberOfRows(), 24)
        self.assertIn(("mean_chi", "bvtv"), nodes.charts)
        self.assertIn("Δχ 2 ppm: χ rises by", simulationSummary(nodes))

    def test_a_geometry_can_be_looked_at(self):
        self.p.configuration.number, self.p.configuration.radius = 8, 3
        nodes = self.logic.showConfiguration(self.p)
        self.assertEqual(slicer.util.arrayFromVolume(nodes.field).shape, (24, 24, 24))
        self.assertIn("BV/TV 0.", configurationSummary(nodes))

    def test_echo_times_add_the_decay(self):
        self.p.decay.echo_times_ms, self.p.decay.fat_fraction = "1 2.5 4", 0.9
        nodes = self.logic.run(self.p)
        self.assertIn(("r2prime_decay_per_s", "bvtv"), nodes.charts)
        self.p.configuration.number, self.p.configuration.radius = 8, 3
        self.assertIn("Over the echo times it is", configurationSummary(self.logic.showConfiguration(self.p)))
        self.p.decay.echo_times_ms = "4 1"
        self.assertIn("echo times are 4, 1 ms", missingOfRun(self.p))

    def test_directions_can_be_spread(self):
        self.p.model.shape = "cylinders"
        for text, concentration in (("", None), ("0", 0.0), (" -20.5", -20.5)):
            self.p.concentration = self.p.bone.concentration = text
            self.assertEqual(simulationSettings(self.p).concentration, concentration)
            self.assertEqual(chainSettings(self.p.bone).bone.concentration, concentration)
        self.assertEqual(self.logic.run(self.p).table.GetNumberOfRows(), 24)
        for text, said in (("1 2", "give one number"), ("2000", "concentration is 2000"), ("x", "give one number")):
            self.p.concentration = text
            self.assertIn(said, missingOfRun(self.p))

    def test_a_protocol_is_assessed(self):
        nodes = self.logic.assessProtocol(self.p)
        self.assertGreater(nodes.table.GetNumberOfRows(), 30)
        self.assertIn("field 1.24 Hz", protocolSummary(nodes))
        for name, wrong in {"echo_times": "1 2", "voxel_size": "1 1"}.items():
            right = getattr(self.p.protocol, name)
            setattr(self.p.protocol, name, wrong)
            self.assertTrue(missingOfProtocol(self.p), name)
            setattr(self.p.protocol, name, right)

    def test_a_cancelled_run_leaves_the_scene_as_it_was(self):
        before = slicer.mrmlScene.GetNumberOfNodes()

        def cancel(fraction, message):
            if fraction > 0.3:
                raise Cancelled

        self.assertRaises(Cancelled, self.logic.run, self.p, cancel)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), before)

    def test_the_parameters_have_the_defaults_of_the_library(self):
        slicer.mrmlScene.Clear()
        self.assertEqual(simulationSettings(self.logic.getParameterNode()), SimulationSettings())

    def test_what_is_missing_is_said(self):
        self.assertEqual(missingOfRun(self.p), "")
        for name, wrong in {"numbers": "", "radii": "x", "delta_chis": "0", "b0_direction": "0 0 0"}.items():
            right = getattr(self.p, name)
            setattr(self.p, name, wrong)
            self.assertTrue(missingOfRun(self.p), name)
            setattr(self.p, name, right)
        self.p.radii = "13"
        self.assertIn("13", missingOfRun(self.p))
        self.p.configuration.radius = 20
        self.assertIn("20", missingOfConfiguration(self.p))
