"""The life of a module's panel: its making, its connection to the parameters, and the closing of the scene."""

import sys

import qt
import slicer
import vtk
from slicer.i18n import tr as _

from . import show
from .parameters import takeNotRead
from .run import RunMixin

_LATE = -100.0  # priority of an observer
# Characters of a button that is as wide as the panel.
_LONGEST_TEXT = 50
# Pixels to which selectors of nodes can shrink.
_SELECTOR_WIDTH = 100


class PanelMixin(RunMixin):
    """For widget classes that come before ScriptedLoadableModuleWidget and VTKObservationMixin.

    Their setup() calls build(), connects the buttons and calls start(); they have a method refreshPanel().
    """

    ui = logic = None
    _parameterNode = _parameterNodeGuiTag = _parameterTag = _layoutBefore = None
    _refreshing = False

    def __init__(self, parent=None) -> None:
        # Text and tooltip of buttons as the .ui file has them. Before the base class, which may call setup() itself.
        self._ownTexts = {}
        super().__init__(parent)

    def build(self, logic) -> None:
        """Make the widgets of the .ui file that is named after the module.

        :param logic: the module's logic.
        """
        super().setup()
        uiWidget = slicer.util.loadUI(self.resourcePath(f"UI/{self.moduleName}.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        for widget in vars(self.ui).values():
            if isinstance(widget, slicer.qMRMLNodeComboBox | slicer.qMRMLSegmentSelectorWidget):
                _letShrink(widget)
        self.logic = logic

    def connectButtons(self, names) -> None:
        """Connect buttons to the slots of their names.

        :param names: such as "template", for templateButton and onTemplateButton.
        """
        for name in names:
            slot = getattr(self, f"on{name[0].upper()}{name[1:]}Button")
            getattr(self.ui, f"{name}Button").connect("clicked(bool)", slot)

    def bringUp(self, shown, *arguments) -> None:
        """Show results, and remember the layout of views before for the button that goes back to it.

        :param shown: function of `show`.
        :param arguments: what it is called with.
        """
        before = show.layout()
        shown(*arguments)
        if before != show.layout() and not show.isForResults(before):
            self._layoutBefore = before
        self.refresh()

    def onLayoutButton(self) -> None:
        """Go back to the layout before."""
        layout, self._layoutBefore = self._layoutBefore, None
        show.showLayout(layout)
        self.refresh()

    def start(self) -> None:
        """Observe scene and application, and connect the panel to the parameters."""
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEnd)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartImportEvent, self.onSceneStartImport)
        # After the selectors of nodes, which list all nodes anew when a scene has been read.
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self.onSceneEnd, priority=_LATE)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.NodeAboutToBeRemovedEvent, self.onNodeAboutToBeRemoved)
        # What is listed may have been deleted elsewhere, with all that belongs to it: once for all of it.
        self._soon = qt.QTimer()
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.connect("timeout()", self.refresh)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.NodeRemovedEvent, self.onNodeRemoved)
        # The window may be closed while a run lets events pass.
        slicer.app.connect("lastWindowClosed()", self.onLastWindowClosed)
        self.initializeParameterNode()

    def cleanup(self) -> None:
        """Stop a run and let go of the scene, before the module is reloaded or the application quits."""
        self.gone = True
        self.cancel()
        self._soon.stop()
        slicer.app.disconnect("lastWindowClosed()", self.onLastWindowClosed)
        self.setParameterNode(None)
        self.removeObservers()

    def onLastWindowClosed(self) -> None:
        """Stop a run, before widgets are destroyed."""
        self.cancel()

    def enter(self) -> None:
        """Connect the panel to the parameters, each time the module is opened."""
        self.initializeParameterNode()

    def exit(self) -> None:
        """Disconnect the panel; a run goes on."""
        self.setParameterNode(None)

    def onReload(self) -> None:
        """Reload this module and the library."""
        self.cancel()
        for name in [name for name in sys.modules if name.partition(".")[0] == "TrabecularQSMLib"]:
            del sys.modules[name]
        super().onReload()

    def onSceneStartClose(self, caller=None, event=None) -> None:
        """Let go of the scene, and of what was said of it."""
        self.cancel()
        self.setParameterNode(None)
        self.forgetStatus()

    def forgetStatus(self) -> None:
        """Take back what was said."""
        self.ui.statusLabel.text = ""

    def onSceneStartImport(self, caller=None, event=None) -> None:
        """Let go of the parameters: selectors that list all nodes anew would set them to nothing."""
        self.setParameterNode(None)

    def onSceneEnd(self, caller=None, event=None) -> None:
        """Take up the new scene's parameters."""
        if self.parent.isEntered:
            self.initializeParameterNode()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeAboutToBeRemoved(self, caller, event, node) -> None:
        """Select nothing instead of a node that is removed; the selector itself would go on to the next one."""
        for selector in vars(self.ui).values():
            if (
                type(selector) is slicer.qMRMLNodeComboBox
                and selector.noneEnabled
                and self._parameterNode
                and selector.currentNode() is node
            ):
                selector.setCurrentNode(None)

    def onNodeRemoved(self, caller=None, event=None) -> None:
        """Bring the panel up to date as soon as nothing else is to be done."""
        if self._parameterNode and not slicer.mrmlScene.IsClosing():
            self._soon.start()

    def initializeParameterNode(self) -> None:
        """Show the parameters of the scene."""
        self.setParameterNode(self.logic.getParameterNode())
        if names := takeNotRead(self._parameterNode.parameterNode):
            text = _("This version cannot read these parameters of the scene; they have their defaults now: {names}.")
            self.say(text.format(names=self.inWords(names)))

    def setParameterNode(self, parameterNode) -> None:
        """Show and observe other parameters, or none.

        :param parameterNode: what the logic's getParameterNode returns, or None.
        """
        if self._parameterNode:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            self._parameterNodeGuiTag = None  # until the widgets show the new ones
            self._parameterNode.RemoveObserver(self._parameterTag)
        self._parameterNode = parameterNode
        if parameterNode:
            self._parameterNodeGuiTag = parameterNode.connectGui(self.ui)
            # Not by addObserver of the mixin, which would keep these parameters, and their observers, for ever.
            self._parameterTag = parameterNode.AddObserver(vtk.vtkCommand.ModifiedEvent, self.refresh)
        self.refresh()

    def refresh(self, caller=None, event=None) -> None:
        """Bring the panel up to date, if it shows parameters and is not at it already."""
        if self._refreshing or not self._parameterNode or slicer.mrmlScene.IsImporting():
            return
        self._refreshing = True
        try:
            self.refreshPanel()
        finally:
            self._refreshing = False

    def offer(self, button, missing: str, *, wide: bool, text: str = "") -> None:
        """Enable a button, or say why it cannot be pressed.

        :param button: the button.
        :param missing: what is missing, for its tooltip; nothing if it can be pressed.
        :param wide: whether it has room to say so as its text as well.
        :param text: text while it can be pressed, if not that of the .ui file.
        """
        missing = missing and self.inWords(missing)
        ownText, toolTip = self._ownTexts.setdefault(button.name, (button.text, button.toolTip))
        button.enabled = not missing and not self.running
        button.toolTip = missing or toolTip
        if wide:
            button.text = onButton(missing or text or ownText)

    def onCancelButton(self) -> None:
        """Ask the run to stop, and show that it was asked."""
        self.cancel()
        self.refresh()

    def takeOverSelections(self) -> None:
        """Write into the parameters which nodes the selectors show.

        A selector does not signal when another node of the same name is chosen, so that the parameters may still have
        the node that was chosen before.
        """
        for selector in vars(self.ui).values():
            name = type(selector) is slicer.qMRMLNodeComboBox and selector.property("SlicerParameterName")
            shown = selector.currentNode() if name and self._parameterNode else None
            if shown is not None and self._parameterNode.getValue(name) is not shown:
                self._parameterNode.setValue(name, shown)

    def run(self, work, failure: str, summary):
        """Do something long, as RunMixin does, with the nodes that the panel shows.

        :param work: function of a progress callback.
        :param failure: what the message box says if it fails.
        :param summary: function of the result, for the status line.
        :return: what `work` returned; None if it was cancelled, or if something is running already.
        """
        if not self.running:
            self.takeOverSelections()
        return super().run(work, failure, summary)

    def step(self, work, failure: str, summary):
        """Do something long with the parameters as they are now.

        :param work: function of parameters and a progress callback.
        :param failure: what the message box says if it fails.
        :param summary: function of the result, for the status line.
        :return: what `work` returned; None if it was cancelled.
        """
        parameterNode = self._parameterNode
        return self.run(lambda progress: work(parameterNode, progress), failure, summary)

    def atOnce(self, work, failure: str, summary=None):
        """Do something that takes a second or two with the parameters as they are now.

        :param work: function of parameters.
        :param failure: what the message box says if it fails.
        :param summary: function of the result, for the status line, which is emptied without it.
        :return: what `work` returned; None if it failed.
        """
        self.takeOverSelections()
        self.say("")  # what it says was of something else
        with slicer.util.tryWithErrorDisplay(failure, waitCursor=True):
            with self.oneAction(failure):
                result = work(self._parameterNode)
            if summary:
                self.say(summary(result))
            return result


def onButton(said: str) -> str:
    """Return what a button has room for: a whole sentence, which would widen the panel, is left to its tooltip.

    :param said: what it should say.
    """
    return said if len(said) <= _LONGEST_TEXT else _("Check the parameters (see tooltip)")


def _letShrink(selector) -> None:
    """Let the name that a selector shows be cut off, where it would make the panel wider than its window."""
    policy = qt.QSizePolicy(qt.QSizePolicy.Ignored, qt.QSizePolicy.Fixed)
    policy.setHorizontalStretch(1)  # as wide as there is room for beside a button
    selector.setSizePolicy(policy)
    selector.minimumWidth = _SELECTOR_WIDTH
