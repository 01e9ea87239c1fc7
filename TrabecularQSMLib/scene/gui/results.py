"""The table of a run's maps: an eye, name, unit and window of each, and what to know of the run in plain words."""

import qt
from slicer.i18n import tr as _

from ..results import medianReliability, runsInScene, shownMap
from .show import showMap

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

    :param runComboBox: QComboBox of the runs.
    :param notesLabel: QLabel of what to know of the chosen one.
    :param table: QTableWidget of its maps.
    :param inWords: gives a sentence of the library the labels of the panel's widgets.
    """

    def __init__(self, runComboBox, notesLabel, table, inWords) -> None:
        self._comboBox, self._label, self._table, self._listed = runComboBox, notesLabel, table, []
        self._inWords = inWords
        fitHeaders(table)
        table.connect("cellClicked(int,int)", self.onMapClicked)
        runComboBox.connect("activated(int)", self.onRunActivated)
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
        fillMaps(self._table, self.run)

    def onRunActivated(self, index: int) -> None:
        """Show what the chosen run has."""
        self._tell()
        fillMaps(self._table, self.run)

    def _tell(self):
        self._label.setText(self._inWords(wordsOn(self.run)))

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


def wordsOn(run) -> str:
    """Return what a user should know of a run: how far its fit can be trusted, and its notes, one a line.

    :param run: one of `scene.runsInScene`, or None.
    """
    if run is None:
        return _("No maps yet: click Apply.")
    words, median = [], medianReliability(run)
    if median is not None:
        sentence = (
            _("The fit is reliable in most of the mask")
            if median >= _GOOD
            else _("The fit is fair in the mask; look at the map of reliability")
            if median >= _DOUBTFUL
            else _("Most of the fit is doubtful; look at the map of reliability")
        )
        words.append(_("{sentence} (median {value:.2f} of 1).").format(sentence=sentence, value=median))
    return "\n".join([*words, *run.notes])
