"""The table of a run's maps: an eye, name, unit and window of each, and what to know of the run in plain words."""

import json

import qt
from slicer.i18n import tr as _

from ...errors import InputError
from ...inversion import METHODS
from ...settings import preset
from ..reconstruct import SETTINGS_ATTRIBUTE
from ..results import medianReliability, nameAmongAlike, runsInScene, shownMap
from .reconstruction import unpackSettings
from .show import showMap

# Of a map: what the panel asked for when it was made, see `askedFor`. What the run found out is not in it.
ASKED_ATTRIBUTE = "TrabecularQSM.Asked"

EYE, NAME, UNIT, WINDOW = range(4)
_ICONS = {True: ":/Icons/Small/SlicerVisible.png", False: ":/Icons/Small/SlicerInvisible.png"}
# Below this, most voxels' fits are doubtful; the reconstruction says so as a note too.
_DOUBTFUL, _GOOD = 0.5, 0.8


def fitHeaders(table) -> None:
    """Let rows and columns of a table be as large as their texts, in any font, and the last column reach the edge.

    :param table: QTableWidget without names of rows.
    """
    table.verticalHeader().hide()
    # By the headers themselves: sized at each filling, the last column would no longer reach the edge.
    for header in (table.verticalHeader(), table.horizontalHeader()):
        header.setSectionResizeMode(qt.QHeaderView.ResizeToContents)
    table.horizontalHeader().setStretchLastSection(True)


def lcurveSummary(nodes) -> str:
    """Return what the status line says of an L-curve: its corner, and what speaks against it.

    :param nodes: of `scene.lcurveNodes`.
    """
    corner, zero = nodes.bestRegularization, nodes.inflectionRegularization
    unit = nodes.table.GetColumnUnitLabel("regularization")
    corner = f"{corner:.3g} {unit}"
    if zero is None:
        text = _("L-curve: largest curvature at λ = {value}.").format(value=corner)
    else:
        text = _("L-curve: largest curvature at λ = {value}, zero curvature at λ = {zero}.").format(
            value=corner, zero=f"{zero:.3g} {unit}"
        )
    return " ".join([text, *nodes.notes])


class ResultsBrowser:
    """Lets the user choose among the runs in the scene, and show their maps.

    :param panel: the module's widget, whose ``ui`` has resultsRunComboBox, resultsNotesLabel and resultsTable.
    """

    def __init__(self, panel) -> None:
        self._panel, ui, self._listed, self._words = panel, panel.ui, [], ""
        self._comboBox, self._label, self._table = ui.resultsRunComboBox, ui.resultsNotesLabel, ui.resultsTable
        fitHeaders(self._table)
        self._table.connect("cellClicked(int,int)", self.onMapClicked)
        self._comboBox.connect("activated(int)", self.onRunActivated)
        self._tell()

    @property
    def run(self):
        """The chosen run, one of `scene.runsInScene`, or None."""
        # Nodes are not kept here: they would live on after the scene was closed.
        index = self._comboBox.currentIndex
        chosen = self._listed[index] if 0 <= index < len(self._listed) else None
        return next((run for run in runsInScene() if _ids(run) == chosen), None)

    def refresh(self, latest: bool = False) -> None:
        """List the runs that the scene has now.

        :param latest: choose the latest run rather than that which was chosen.
        """
        before, runs = self.run, runsInScene()
        if [_ids(run) for run in runs] != self._listed or latest:
            self._listed = [_ids(run) for run in runs]
            self._comboBox.clear()
            for run in runs:
                self._comboBox.addItem(run.name)
            kept = before and not latest and _ids(before) in self._listed
            self._comboBox.setCurrentIndex(self._listed.index(_ids(before)) if kept else 0)
            self._tell()
        self._say()
        fillMaps(self._table, self.run)

    def onRunActivated(self, index: int) -> None:
        """Show what the chosen run has."""
        self._tell()
        fillMaps(self._table, self.run)

    def _tell(self):
        self._words = self._panel.inWords(wordsOn(self.run))
        self._say()

    def _say(self):
        changed = changedSince(self.run, self._panel._parameterNode, self._panel.labels())
        said = _("Changed in the panel since this run: {names}.").format(names=", ".join(changed))
        self._label.setText("\n".join([self._words, said] if changed else [self._words]))

    def onMapClicked(self, row: int, column: int) -> None:
        """Show a map in the slice views, or hide it where its eye is clicked."""
        self.refresh()  # a map may have been deleted meanwhile
        maps = self.run.maps if self.run else []
        if row < len(maps):
            node = maps[row].node
            showMap(None if column == EYE and node is shownMap() else node)
            fillMaps(self._table, self.run)


def _ids(run):
    return run.name, [row.node.GetID() for row in run.maps]


def fillMaps(table, run) -> None:
    """Fill a table with the maps of a run.

    :param table: QTableWidget.
    :param run: one of `scene.runsInScene`, or None.
    """
    maps, shown = run.maps if run else [], shownMap()
    table.setColumnCount(4)
    table.setHorizontalHeaderLabels(["", _("Map"), _("Unit"), _("Window")])
    table.setRowCount(len(maps))
    table.clearSelection()
    for number, row in enumerate(maps):
        visible = row.node is shown
        low, high = row.window
        texts = {EYE: "", NAME: row.title, UNIT: row.unit or "–", WINDOW: windowText(low, high)}
        for column, text in texts.items():
            item = qt.QTableWidgetItem(text)
            item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable)
            item.setToolTip(
                _("Shown; click to hide it.") if visible else _("Click to show {name}.").format(name=row.node.GetName())
            )
            if column == EYE:
                eye = qt.QPixmap(_ICONS[visible])
                item.setIcon(qt.QIcon(eye))
                if eye.isNull():  # outside the application
                    item.setText("●" if visible else "○")
            table.setItem(number, column, item)
        if visible:
            table.selectRow(number)


def windowText(low: float, high: float) -> str:
    """Return a window as people write it; what is nearly zero, as after a scene was saved and loaded, is zero.

    :param low: lower end.
    :param high: upper end.
    """
    least = 1e-4 * abs(high - low)
    return " … ".join(f"{0 if abs(end) < least else end:.4g}" for end in (low, high))


def askedFor(p) -> dict:
    """Return what the panel asks a run for, by the name of the parameter; nothing if it is wrong.

    :param p: parameters of the module.
    """
    mask, scan = p.maskSegmentation, {"magnitude_sequence": p.magnitudeSequence, "phase_sequence": p.phaseSequence}
    try:
        given = preset(p.preset, **unpackSettings(p.settings)).as_dict()
    except InputError:  # said when the run is asked for
        return {}
    given |= {name: nameAmongAlike(node) for name, node in scan.items()}
    given |= {
        "field_strength": p.acquisition.field_strength,
        "echo_times_ms": p.acquisition.echo_times_ms.replace(",", " ").split(),
        "b0_direction": p.acquisition.b0_direction.replace(",", " ").split(),
        "mask_segmentation": [nameAmongAlike(mask), p.maskSegment] if mask else None,
    }
    return json.loads(json.dumps(given))


def remember(nodes: dict, asked: dict) -> dict:
    """Write on the maps of a run what was asked for, and return them.

    :param nodes: volume nodes by their quantity.
    :param asked: what `askedFor` returned when the run began.
    """
    for node in nodes.values():
        node.SetAttribute(ASKED_ATTRIBUTE, json.dumps(asked))
    return nodes


def _asked(run):
    return json.loads((run and run.maps[0].node.GetAttribute(ASKED_ATTRIBUTE)) or "{}")


def changedSince(run, p, labels: dict[str, str]) -> list[str]:
    """Return the labels of what the panel asks for otherwise now than when a run was made; none where it is not known.

    :param run: one of `scene.runsInScene`, or None.
    :param p: parameters of the module, or None.
    :param labels: what `labels.labelsOf` returned for the panel.
    """
    asked = _asked(run)
    now = askedFor(p) if asked and p else {}
    return [labels.get(name, name) for name, value in now.items() if name in asked and asked[name] != value]


def isOfAnotherScan(run, p) -> bool:
    """Return whether a run is known to be of another scan than that which the panel has.

    :param run: one of `scene.runsInScene`, or None.
    :param p: parameters of the module.
    """
    of, scan = _asked(run).get("magnitude_sequence"), p.magnitudeSequence
    return bool(of and scan and nameAmongAlike(scan) != of)


def methodOf(run) -> str:
    """Return how χ of a run was made, in one sentence; nothing for runs without χ.

    :param run: one of `scene.runsInScene`.
    """
    node = run.nodes.get("chi")
    used = json.loads((node and node.GetAttribute(SETTINGS_ATTRIBUTE)) or "{}")
    method = METHODS.get(used.get("inversion"))
    if method is None or used.get("regularization") is None:
        return ""
    return _("χ by {inversion} with λ {value:.4g} {unit}, background removal {background}.").format(
        inversion=used["inversion"],
        value=used["regularization"],
        unit=method.unit,
        background=used.get("background"),
    )


def wordsOn(run) -> str:
    """Return what a user should know of a run: how it was made, how far its fit can be trusted, and its notes.

    :param run: one of `scene.runsInScene`, or None.
    """
    if run is None:
        return _("No maps yet: click Apply.")
    words, median = [methodOf(run)], medianReliability(run)
    if median is not None:
        sentence = (
            _("The fit is reliable in most of the mask")
            if median >= _GOOD
            else _("The fit is fair in the mask; look at the map of reliability")
            if median >= _DOUBTFUL
            else _("Most of the fit is doubtful; look at the map of reliability")
        )
        words.append(_("{sentence} (median {value:.2f} of 1).").format(sentence=sentence, value=median))
    return "\n".join(filter(None, [*words, *run.notes]))
