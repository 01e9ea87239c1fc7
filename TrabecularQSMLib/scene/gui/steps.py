"""Panels of several steps, of which one is shown at a time."""

from .panel import PanelMixin


class StepsMixin(PanelMixin):
    """As PanelMixin, for a ``ui`` that has a button and a section for each step, and a layoutButton.

    Their setup() calls showOneAtATime() as well, and their refreshPanel() refreshSteps().
    """

    shownStep, _steps = "", ()

    def __init__(self, parent=None) -> None:
        self._said = {}  # by step
        super().__init__(parent)

    def showOneAtATime(self, steps) -> None:
        """Show one step at a time, so that it is seen whole on a small screen, by the buttons of the steps.

        :param steps: such as "regions", for regionsStepButton and regionsSection; the first is shown.
        """
        self._steps = steps
        for step in steps:
            button = getattr(self.ui, f"{step}StepButton")
            button.connect("clicked(bool)", lambda checked, step=step: self.showStep(step))
        self.showStep(steps[0])

    def showStep(self, step: str) -> None:
        """Show a step, and what was said of it.

        :param step: one of those that `showOneAtATime` was given.
        """
        self.shownStep = step
        for other in self._steps:
            button = getattr(self.ui, f"{other}StepButton")
            button.checked = other == step
            # In dark styles a pressed button looks nearly as the others.
            font = button.font
            font.setBold(other == step)
            button.setFont(font)
            getattr(self.ui, f"{other}Section").visible = other == step
        self.ui.statusLabel.text = self._said.get(step, "")
        self.refresh()

    def refreshSteps(self) -> None:
        """Let steps be chosen and changed while nothing runs."""
        for step in self._steps:
            getattr(self.ui, f"{step}StepButton").enabled = not self.running
            getattr(self.ui, f"{step}Section").enabled = not self.running
        self.ui.layoutButton.enabled = self._layoutBefore is not None

    def say(self, message: str) -> None:
        """Show a message, which stays with the step that is shown now.

        :param message: one or several sentences.
        """
        self.sayOf(self.shownStep, message)

    def sayOf(self, step: str, message: str) -> None:
        """Show a message that belongs to a step: in the panel when that is shown.

        :param step: one of those that `showOneAtATime` was given.
        :param message: one or several sentences.
        """
        self._said[step] = message
        if step == self.shownStep:
            super().say(message)

    def forgetStatus(self) -> None:
        """Take back what was said of all steps."""
        self._said.clear()
        super().forgetStatus()
