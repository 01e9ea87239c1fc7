"""What the tests of the panels share: a panel that is opened and driven as a user would."""

import sys
import unittest
import weakref
from unittest import mock

import qt
import slicer

# What Slicer leaves for a panel in a window of 1280 × 720, with Data Probe and the closed help above it.
PANEL_WIDTH, PANEL_HEIGHT = 400, 380


def bound(widget):
    """Widgets of the panel by the parameter they are bound to."""
    children = [child for child in vars(widget.ui).values() if hasattr(child, "property")]
    return {name: child for child in children if (name := child.property("SlicerParameterName"))}


def names():
    """ID and name of all nodes of the scene."""
    nodes = [slicer.mrmlScene.GetNthNode(n) for n in range(slicer.mrmlScene.GetNumberOfNodes())]
    return sorted((node.GetID(), node.GetName() or "") for node in nodes)


def toolTip(widget):
    """Tooltip of a widget as it was set: the application wraps long ones in a paragraph."""
    return widget.toolTip.removeprefix("<p>").removesuffix("</p>")


def emit(signal, *arguments):
    """Emit a signal of a widget, as a user's click would."""
    getattr(signal, "emit", signal)(*arguments)


def run(*cases):
    """Run test classes one after the other; leave with 1 if one fails."""
    suite = unittest.TestSuite(map(unittest.defaultTestLoader.loadTestsFromTestCase, cases))
    if not unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful():
        sys.exit(1)


class PanelCase(unittest.TestCase):
    """A panel over an empty scene."""

    module = ""

    def setUp(self):
        slicer.mrmlScene.Clear(0)
        representation = getattr(slicer.modules, self.module.lower()).widgetRepresentation()
        representation.enter()
        self.representation, self.widget = representation, representation.self()
        self.ui = self.widget.ui

    @property
    def p(self):
        return self.widget._parameterNode

    def record(self, *functions):
        """Note what is shown by these functions of scene.gui.show, which need plot and table views."""
        self.shown = []
        show = sys.modules[type(self.widget).__module__].show
        for name in functions:
            self.replace(show, name, lambda *nodes, name=name: self.shown.append((name, *nodes)))

    def replace(self, place, name, function=None):
        """Put something in the place of a function until the end of the test."""
        patch = mock.patch.object(place, name, function or mock.Mock())
        patch.start()
        self.addCleanup(patch.stop)

    def during(self, action):
        """Call `action` when the run lets events pass for the first time."""
        qt.QTimer.singleShot(0, action)

    def layouts(self):
        """The layout manager, showing the conventional layout, over a scene that has layouts."""
        if slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode") is None:
            slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLayoutNode")
        manager = slicer.app.layoutManager()
        manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView)
        return manager

    def check_steps(self, steps):
        """The button of each step shows its section alone."""
        for step in reversed(steps):
            getattr(self.ui, f"{step}StepButton").click()
            shown = [other for other in steps if not getattr(self.ui, f"{other}Section").isHidden()]
            pressed = [other for other in steps if getattr(self.ui, f"{other}StepButton").checked]
            bold = [other for other in steps if getattr(self.ui, f"{other}StepButton").font.bold()]
            self.assertEqual((shown, pressed, bold), ([step], [step], [step]))

    def check_laptop(self, buttons):
        """Progress, status and the button of each step are seen without scrolling in a window of 1280 × 720.

        :param buttons: step to its button without "Button".
        """
        panel = self.ui.progressBar.parent()
        long = "A status line of two lines, as long as the sentence of a registration that says what to look at next."
        for step, name in buttons.items():
            self.widget.showStep(step)
            self.ui.statusLabel.text = long
            # At once: later the window around the panel gives it its own size again.
            panel.resize(PANEL_WIDTH, panel.layout().heightForWidth(PANEL_WIDTH))
            panel.layout().activate()
            self.assertEqual(panel.width, PANEL_WIDTH)
            self.assertLessEqual(panel.minimumSizeHint.width(), PANEL_WIDTH, step)
            for widget in (self.ui.progressBar, self.ui.statusLabel, getattr(self.ui, f"{name}Button")):
                bottom = widget.mapTo(panel, qt.QPoint(0, widget.height)).y()
                self.assertLessEqual(bottom, PANEL_HEIGHT, f"{step}: {widget.name}")

    def check_every_parameter_is_bound(self):
        expected = []
        for name, info in self.p.allParameters.items():
            pack = getattr(info.unalteredType, "allParameters", None)
            expected += [f"{name}.{member}" for member in pack] if pack else [name]
        self.assertEqual(sorted(bound(self.widget)), sorted(expected))

    def check_a_namesake_is_taken(self, parameter, first, second):
        """What a selector shows is used, although it does not signal the choice of a node of the same name."""
        selector = bound(self.widget)[parameter]
        selector.setCurrentNode(first)
        selector.blockSignals(True)
        selector.setCurrentNode(second)
        selector.blockSignals(False)
        self.assertIs(self.p.getValue(parameter), first)
        used = self.widget.run(lambda progress: self.p.getValue(parameter), "", str)
        self.assertIs(used, second)
        self.assertIs(self.p.getValue(parameter), second)

    def check_nothing_is_left_of_a_visit(self):
        """The parameters go when the panel is left; otherwise each visit makes every change of them slower."""
        parameters = weakref.ref(self.p)
        self.representation.exit()
        self.assertIsNone(parameters())
        self.representation.enter()

    def check_parameters_of_another_version(self, wrong, lacking):
        """Parameters that this version cannot read, and one that it has in addition, have their defaults.

        :param wrong: name of a parameter with choices or a range to what stands in the saved scene.
        :param lacking: name of a parameter that the scene lacks.
        """
        names = [*wrong, lacking]
        defaults = {name: self.p.getValue(name) for name in names}
        node = self.p.parameterNode
        self.representation.exit()
        node.DisableModifiedEventOn()  # parameters that a failed assertion still holds would read them
        for name, text in wrong.items():
            node.SetParameter(name, text)
        node.UnsetParameter(lacking)
        node.DisableModifiedEventOff()
        self.representation.enter()
        self.assertEqual({name: self.p.getValue(name) for name in names}, defaults)
        self.assertIn("they have their defaults now", self.ui.statusLabel.text)
        for name in wrong:
            self.assertIn(self.widget.inWords(name.rpartition(".")[2]), self.ui.statusLabel.text)
        self.widget.say("")
        self.representation.exit()
        self.representation.enter()
        self.assertEqual(self.ui.statusLabel.text, "")  # said once

    def check_reload(self, parameter, lineEdit):
        """A new panel on a new library shows the parameter; run this last, since test files go on with the old one."""
        before, library = self.widget, sys.modules["TrabecularQSMLib.scene"]
        setattr(before._parameterNode, parameter, "kept")
        before.onReload()
        after = getattr(slicer.modules, f"{self.module}Widget")
        self.assertIsNot(after, before)
        self.assertIsNot(sys.modules["TrabecularQSMLib.scene"], library)
        self.assertEqual(getattr(after.ui, lineEdit).text, "kept")
        self.assertEqual(before.Observations, [])
