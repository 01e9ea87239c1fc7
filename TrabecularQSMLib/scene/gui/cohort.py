"""The step Cohort of the module TrabecularQSMAnalysis: all subjects of a dataset, while the application goes on."""

from pathlib import Path
from typing import Annotated, NamedTuple

import qt
import slicer
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterPack

from ...errors import Cancelled, InputError
from ...files.maps import read_settings
from ...settings import Settings, load_presets, merged
from ...study.background import BackgroundCohort
from ...study.cohort import TABLE, finished_subjects
from ...study.estimate import in_words, needed_memory, needed_seconds, usable_workers, whole_seconds
from ...study.subjects import COMPANIONS, Subject, find_subjects
from .. import regression
from ..alive import keepAlive
from ..cohort import cohortTable, loadMaps
from . import show
from .analysis import regressionOptions, regressionSummary, tableSummary
from .reconstruction import mapsSummary
from .results import fitHeaders

SUBJECT, BESIDE, MISSING, MEMORY, TIME, STATE = range(6)
_LOOK_EVERY_MS = 500


@parameterPack
class CohortParameters:
    """All subjects of a dataset.

    dataset, output - Folders: a BIDS dataset, and where the results go.
    preset, settings_file - Settings of the reconstruction; those of a file, a map's sidecar, win.
    regions, bssfp, bone, ct - Where the files of each subject are, as patterns; nothing for those that there are not.
    worker_count - Subjects at a time; as many as processors and memory allow if 0.
    replace_results - Whether results made of other inputs or settings are replaced.
    """

    dataset: str = ""
    output: str = ""
    preset: Annotated[str, Choice(list(load_presets()))] = "default"
    settings_file: str = ""
    regions: str = ""
    bssfp: str = ""
    bone: str = ""
    ct: str = ""
    worker_count: Annotated[int, WithinRange(0, 1024)] = 0
    replace_results: bool = False


def patternsOf(c: CohortParameters) -> dict[str, str]:
    """Return the patterns that are given, by kind of file.

    :param c: parameters of the step.
    """
    kinds = {"regions": c.regions, "bssfp": c.bssfp, "bone": c.bone, "ct": c.ct}
    return {kind: pattern.strip() for kind, pattern in kinds.items() if pattern.strip()}


def cohortOptions(c: CohortParameters) -> dict:
    """Return the options of the command ``cohort``, which goes on where an earlier run ended.

    :param c: parameters of the step.
    """
    return {
        **patternsOf(c),
        "preset": c.preset,
        "settings": c.settings_file.strip(),
        "workers": c.worker_count,
        "resume": True,
        "overwrite": c.replace_results,
    }


def cohortSettings(c: CohortParameters) -> Settings:
    """Return the settings of the reconstruction: those of the preset, or of the file.

    :param c: parameters of the step.
    """
    file = c.settings_file.strip()
    return merged(c.preset, read_settings(file) if file else {}, {})


class Listed(NamedTuple):
    """A subject, and what it takes: bytes, and seconds of one processor."""

    subject: Subject
    memory: float
    seconds: float


class CohortStep:
    """Lists the subjects of a dataset, and runs the command ``cohort`` in a process of its own.

    :param panel: the module's widget, whose ``ui`` has the step's widgets.
    """

    def __init__(self, panel) -> None:
        self._panel, self._ui = panel, panel.ui
        # The run, and what is listed: the output folder stays that of the list, whatever is chosen meanwhile.
        self._process, self._stopping = None, False
        self._listed, self._output, self._failures = [], "", {}
        self._timer = qt.QTimer()
        self._timer.setInterval(_LOOK_EVERY_MS)
        self._timer.connect("timeout()", self.onTimer)
        for name in ("Find", "Run", "Table"):
            getattr(self._ui, f"cohort{name}Button").connect("clicked(bool)", getattr(self, f"on{name}"))
        table = self._ui.cohortTable
        fitHeaders(table)
        table.connect("cellDoubleClicked(int,int)", self.onSubject)

    @property
    def isRunning(self) -> bool:
        """Whether a cohort goes on."""
        return self._process is not None

    @property
    def _parameters(self):
        return self._panel._parameterNode and self._panel._parameterNode.cohort

    def refresh(self) -> None:
        """Say on the buttons what can be done, or why it cannot."""
        c, panel, ui = self._parameters, self._panel, self._ui
        noDataset = "" if c.dataset.strip() else _("Choose the dataset")
        missing = noDataset or ("" if c.output.strip() else _("Choose the output folder"))
        panel.offer(ui.cohortFindButton, _("A cohort is running") if self.isRunning else noDataset, wide=False)
        if self.isRunning:
            missing = _("Cancelling…") if self._stopping else ""
        panel.offer(ui.cohortRunButton, missing, wide=True, text=_("Cancel") if self.isRunning else "")
        there = c.output.strip() and Path(c.output.strip(), TABLE).is_file()
        panel.offer(ui.cohortTableButton, "" if there else _("There are no results yet"), wide=False)
        ui.cohortProgressBar.visible = self.isRunning

    def onFind(self) -> None:
        """List the subjects of the dataset."""
        self._panel.step(self._find, _("The subjects could not be listed."), self._said)

    def _find(self, p, progress=None):
        c = p.cohort
        dataset, patterns, settings = c.dataset.strip(), patternsOf(c), cohortSettings(c)

        def find(told):
            found = find_subjects(dataset, patterns)
            return [Listed(one, needed_memory(one), needed_seconds(one, settings)) for one in found]

        listed = keepAlive(find, progress)
        self._listed, self._output, self._failures = listed, c.output.strip(), {}
        self._fill()
        return listed

    def _said(self, listed) -> str:
        most = max(one.memory for one in listed)
        lacking = sum(bool(one.subject.missing) for one in listed)
        workers = self._parameters.worker_count or usable_workers(most, len(listed))
        one = _("One subject, {memory} GB, about {time}.")
        several = _("{count} subjects, {memory} GB each, {workers} at a time: about {time}.")
        text = (one if len(listed) == 1 else several).format(
            count=len(listed),
            memory=f"{most / 1e9:.1f}",
            workers=workers,
            time=in_words(whole_seconds([one.seconds for one in listed], workers)),
        )
        return " ".join([text, _("{count} of them lack files.").format(count=lacking)]) if lacking else text

    def onRun(self) -> None:
        """Start a cohort, or stop it."""
        if self.isRunning:
            self._stopping = True
            self._process.stop()
            self._panel.refresh()
            return
        if self._panel.step(self._start, _("The cohort could not be started."), lambda listed: _("Running.")):
            self._timer.start()
            self._panel.refresh()

    def _start(self, p, progress=None):
        listed = self._find(p, progress)
        dataset, options = p.cohort.dataset.strip(), cohortOptions(p.cohort)
        self._process, self._stopping = BackgroundCohort(dataset, self._output, options), False
        return listed

    def onTimer(self) -> None:
        """Show how far a cohort is, and how it ended."""
        if not self.isRunning:
            self._timer.stop()
            return
        finished = self._fill()
        if not self._process.is_running():
            self._timer.stop()
            self._end()
            return
        fraction, message = self._process.progress()
        self._ui.cohortProgressBar.value = round(100 * fraction)
        done = sum(one.subject.name in finished for one in self._listed)
        said = _("{done} of {count} subjects are finished.").format(done=done, count=len(self._listed))
        # One at a time tells what is done with it.
        self._panel.sayOf("cohort", f"{said} {message}" if message.startswith("sub-") else said)

    def _end(self) -> None:
        process, self._process, self._stopping = self._process, None, False
        self._ui.cohortProgressBar.value = 0
        failed = ""
        try:
            said = self._ended(process.result())
        except Cancelled as reason:
            said = " ".join([_("Cancelled."), str(reason)])
        except (InputError, RuntimeError) as error:
            said = failed = self._panel.inWords(" ".join([_("The cohort failed."), str(error)]))
        self._fill()
        self._panel.sayOf("cohort", said)
        self._panel.refresh()
        if failed:
            slicer.util.errorDisplay(failed)

    def _ended(self, ended) -> str:
        """Show the table of a cohort where the user waits for it, and return what is said of its end."""
        self._failures = {name: self._panel.inWords(reason) for name, reason in ended.failures.items()}
        said = [ended.summary, *(f"{name}: {reason}" for name, reason in self._failures.items())]
        if ended.notes:
            said.append(_("What there is to know of each subject is told with its maps."))
        if self._parameters and self._panel.shownStep == "cohort" and self._hasRows():
            said.append(self._showTable(self._output))
        return " ".join(said)

    def _hasRows(self) -> bool:
        with open(Path(self._output, TABLE), encoding="utf-8") as file:
            return sum(1 for _line in file) > 1  # the names of the columns

    def stop(self) -> None:
        """Stop a cohort, before the panel is taken apart."""
        self._timer.stop()
        if self.isRunning:
            self._process.stop()
            self._process = None

    def _fill(self) -> dict:
        """Fill the table, and return the subjects that are finished by now."""
        finished, table = finished_subjects(self._output) if self._output else {}, self._ui.cohortTable
        table.setColumnCount(6)
        table.setHorizontalHeaderLabels([_("Subject"), _("Has"), _("Lacks"), _("GB"), _("Time"), _("State")])
        table.setRowCount(len(self._listed))
        for number, listed in enumerate(self._listed):
            for column, text in self._texts(listed, finished).items():
                if (old := table.item(number, column)) is not None and old.text() == text:
                    continue  # so that a selection stays
                item = qt.QTableWidgetItem(text)
                item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable)
                item.setToolTip(self._failures.get(listed.subject.name) or text)
                table.setItem(number, column, item)
        return finished

    def _texts(self, listed: Listed, finished) -> dict[int, str]:
        subject, state = listed.subject, "–"
        if subject.name in self._failures:
            state = _("failed")
        elif subject.name in finished:
            state = _("finished")
        elif self.isRunning:
            state = _("waiting")
        images = _("{count} images").format(count=len(subject.images))
        return {
            SUBJECT: subject.name,
            BESIDE: ", ".join([images, *(COMPANIONS[kind] for kind in subject.companions)]),
            MISSING: ", ".join(COMPANIONS[kind] for kind in subject.missing) or "–",
            MEMORY: f"{listed.memory / 1e9:.1f}",
            TIME: in_words(listed.seconds),
            STATE: state,
        }

    def onSubject(self, row: int, column: int) -> None:
        """Load and show the maps of a subject that is finished."""
        subject = self._listed[row].subject
        if subject.name not in self._fill():
            self._panel.sayOf("cohort", _("{name} is not finished; there are no maps yet.").format(name=subject.name))
            return
        folder = Path(self._output, subject.folder)
        nodes = self._panel.run(
            lambda progress: loadMaps(folder, progress=progress),
            _("The maps could not be loaded."),
            mapsSummary,
        )
        if nodes:
            self._panel.bringUp(show.showMaps, nodes)

    def onTable(self) -> None:
        """Load the table of all subjects, show it, and the regression of step 7 where it has what that needs."""
        self._showTable(self._parameters.output.strip())

    def _showTable(self, output) -> str:
        found = self._panel.step(
            lambda p, progress: self._regressed(p, output), _("The table could not be loaded."), lambda found: found[-1]
        )
        if not found:
            return ""
        table, nodes, said = found
        self._panel.bringUp(show.showNumbers, table, [nodes.chart] if nodes else [], False)
        return said

    def _regressed(self, p, output):
        table = cohortTable(output)
        p.regression.tables = [table]
        try:
            nodes = regression.regressNodes(**regressionOptions(p))
        except InputError as reason:
            return table, None, " ".join([tableSummary(table), _("No regression:"), str(reason)])
        return table, nodes, " ".join([tableSummary(table), regressionSummary(nodes)])
