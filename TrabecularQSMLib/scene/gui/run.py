"""Long work started from a panel: progress bar, status line, Cancel, one message if it fails."""

import contextlib

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate

from ...errors import Cancelled, InputError
from .labels import inLabels, labelsOf
from .undo import oneUndoStep


class RunMixin:
    """For widget classes whose ``ui`` has a progressBar and a statusLabel, and which have a method refresh()."""

    running = cancelRequested = False
    # Set when the panel is taken apart, such as by the application quitting while a run lets events pass: its widgets
    # are gone then.
    gone = False

    def cancel(self) -> None:
        """Ask the run, if there is one, to stop at its next report."""
        self.cancelRequested = self.running

    def run(self, work, failure: str, summary):
        """Do something long.

        :param work: function of a progress callback.
        :param failure: what the message box says if it fails.
        :param summary: function of the result, for the status line.
        :return: what `work` returned; None if it was cancelled, or if something is running already.
        """
        if self.running:
            return None
        self.running, self.cancelRequested, result = True, False, None
        self.refresh()
        try:
            with slicer.util.tryWithErrorDisplay(failure):
                try:
                    with self.oneAction(failure):
                        result = work(self._onProgress)
                    self.say(summary(result))
                except Cancelled as reason:
                    self.say(str(reason) or _("Cancelled."))
        finally:
            self.running = self.cancelRequested = False
            if not self.gone:
                self.ui.progressBar.value = 0
                self.refresh()
        return result

    @contextlib.contextmanager
    def oneAction(self, failure: str):
        """Do something as one step of Undo; an error names the widgets' labels, and is said in the status line too.

        :param failure: what is said before the error.
        """
        try:
            with oneUndoStep(), self.inWidgetsWords():
                yield
        except Cancelled:
            raise
        except Exception as error:
            self.say(f"{failure} {error}")
            raise

    def inWords(self, text: str) -> str:
        """Return a text of the library with the labels of widgets in place of parameters and options.

        :param text: one or several sentences.
        """
        return inLabels(text, self.labels())

    def labels(self) -> dict[str, str]:
        """Return the labels of widgets by their parameters, see `labelsOf`."""
        return labelsOf(self.resourcePath(f"UI/{self.moduleName}.ui"), translate)

    @contextlib.contextmanager
    def inWidgetsWords(self):
        """Let errors about settings name the widgets' labels."""
        try:
            yield
        except InputError as error:
            text = self.inWords(str(error))
            if text == str(error):
                raise
            raise InputError(text) from error

    def say(self, message: str) -> None:
        """Show a message in the panel, and at the foot of the window, where it is seen however long the panel is.

        :param message: one or several sentences.
        """
        if self.gone:
            return
        self.ui.statusLabel.text = message
        slicer.util.showStatusMessage(message)

    def _onProgress(self, fraction: float, message: str) -> None:
        if self.gone:
            raise Cancelled
        self.ui.progressBar.value = round(100 * fraction)
        self.say(message)
        # This is where clicks on Cancel, and the closing of scene and application, arrive.
        slicer.app.processEvents()
        if self.cancelRequested or self.gone:
            raise Cancelled
