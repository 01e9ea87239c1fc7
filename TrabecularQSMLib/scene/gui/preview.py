"""λ tried out: a slider that shows the closed form at once, and what its λ is for the chosen inversion."""

import qt
from slicer.i18n import tr as _

from ...inversion import METHODS
from ...settings import preset
from ..preview import Preview, missingOfPreview, removePreviews
from ..results import shownMap
from . import show
from .reconstruction import NOTHING
from .results import isOfAnotherScan

_METHOD = "closed-form"
# As the widget of the setting holds it.
_DECIMALS, _LEAST = 5, 1e-5


def closedFormRegularization(p) -> float:
    """Return λ of the closed form that is shown: so many times the preset's as the slider says.

    :param p: parameters of the module.
    """
    return 10**p.previewDecades * preset(p.preset, inversion=_METHOD).regularization


def chosenRegularization(p) -> float:
    """Return what is so many times the preset's λ for the chosen inversion.

    :param p: parameters of the module.
    """
    value = 10**p.previewDecades * preset(p.preset, inversion=p.settings.inversion).regularization
    return max(round(value, _DECIMALS), _LEAST)


class PreviewSlider:
    """Shows χ by the closed form while a slider is moved; the button takes λ over and runs the chosen inversion.

    :param panel: the module's widget, whose ``ui`` has previewSlider, previewLabel and previewButton.
    """

    def __init__(self, panel) -> None:
        self._panel, self._ui, self._preview = panel, panel.ui, None
        # Where changes come faster than they can be shown, the last one is.
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.connect("timeout()", self.onTimer)
        self._ownToolTip = self._ui.previewSlider.toolTip
        self._ui.previewSlider.connect("valueChanged(double)", self.onMoved)
        self._ui.previewButton.connect("clicked(bool)", self.onButton)
        # Not currentIndexChanged: what comes with a loaded scene must not undo that scene's λ.
        self._ui.inversionComboBox.connect("activated(int)", self.onInversionActivated)

    def refresh(self) -> None:
        """Say what λ is, and whether it can be tried out."""
        p, ui, panel = self._panel._parameterNode, self._ui, self._panel
        unit = METHODS[p.settings.inversion].unit
        ui.regularizationSpinBox.suffix = f" {unit}"
        ui.regularizationSpinBox.specialValueText = _("{value:g} {unit} (preset)").format(
            value=preset(p.preset, inversion=p.settings.inversion).regularization, unit=unit
        )
        missing = missingOfPreview(panel.results.run)
        ui.previewSlider.enabled = ui.previewLabel.enabled = not missing and not panel.running
        ui.previewSlider.toolTip = missing or self._ownToolTip
        ui.previewLabel.text = _("{name}, λ {value:.3g} {unit} ({factor:.3g} × preset)").format(
            name=_METHOD, value=closedFormRegularization(p), unit=METHODS[_METHOD].unit, factor=10**p.previewDecades
        )
        text = _("Run {name} with λ {value:.3g} {unit}").format(
            name=p.settings.inversion, value=chosenRegularization(p), unit=unit
        )
        panel.offer(ui.previewButton, self._missing(p, missing), wide=True, text=text)

    def _missing(self, p, missing) -> str:
        if missing:
            return missing if self._panel.results.run else _("Apply first, then try λ")
        if p.settings.stop_after != NOTHING:
            return _("Set Stop after to nothing")
        if isOfAnotherScan(self._panel.results.run, p):
            return _("Select the scan of the chosen run")
        return self._panel.logic.missing(p)

    def onInversionActivated(self, index: int) -> None:
        """Take λ back to the preset's: the number of one inversion says nothing in another."""
        settings = self._panel._parameterNode.settings
        if settings.regularization:
            settings.regularization = 0
            self._panel.say(_("λ is the preset's again, since each inversion has a λ of its own."))

    def onMoved(self, value: float) -> None:
        """Show the closed form as soon as nothing else is to be done."""
        # That the panel shows the parameters of another scene is no wish to see it.
        if self._panel._parameterNodeGuiTag is not None and self._ui.previewSlider.enabled:
            self._timer.start()

    def onTimer(self) -> None:
        """Show the closed form with the λ of the slider."""
        p, run = self._panel._parameterNode, self._panel.results.run
        if p is None or self._panel.running or missingOfPreview(run):
            return
        if self._preview is None or not self._preview.isOf(run):
            removePreviews()
            self._preview = Preview(run)
        node = self._preview.show(closedFormRegularization(p))
        if shownMap() is not node:
            show.showMap(node)
            self._panel.results.refresh()
            self._panel.say(_("Shown: {name}; the maps of the run stay as they are.").format(name=node.GetName()))

    def onButton(self) -> None:
        """Take λ over, and run the chosen inversion with it."""
        p = self._panel._parameterNode
        p.settings.regularization = chosenRegularization(p)
        self._panel.onApplyButton()

    def end(self) -> None:
        """Take the preview out of the scene, and let its field go."""
        self.forget()
        removePreviews()

    def forget(self) -> None:
        """Let the field go, before the scene is closed or the panel taken apart."""
        self._timer.stop()
        self._preview = None
