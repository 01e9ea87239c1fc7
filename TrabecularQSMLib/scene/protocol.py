"""What a protocol tells before anybody is scanned, as a table and charts."""

import json
from typing import NamedTuple

import numpy as np

from ..progress import Progress, part, report
from ..protocol.ankle import AnkleSettings
from ..protocol.assess import COLUMNS, Assessment, assess, rows
from ..protocol.remarks import doubts, unknowns
from ..protocol.settings import ProtocolSettings
from .alive import keepAlive
from .echoes import addNotes
from .folders import resultFolder
from .tables import COLORS, Column, addChart, addSeries, addTable, columnsOf
from .volumes import freeName

_ABOUT = {
    "part": "What the number is about",
    "quantity": "What it is",
    "value": "The number",
    "unit": "Its unit",
    "of": "What it is of",
    "rests_on": "How it was found, and what is assumed",
}
_BOUNDS = {
    "field_hz": ("noise of the field", "σ of the field [Hz]"),
    "sigma_pdff": ("noise of the fat fraction", "σ of the fat fraction"),
}
SETTINGS_ATTRIBUTE = "TrabecularQSM.Protocol"


class ProtocolNodes(NamedTuple):
    """A protocol in the scene: all numbers, charts of the noise over the fat fraction by name, and the assessment.

    `notes` say what cannot be as it is given, one sentence each; the table's attribute `NOTES_ATTRIBUTE` says what the
    numbers do not know, too.
    """

    table: object
    charts: dict[str, object]
    assessment: Assessment
    notes: list[str]


def protocolNodes(
    settings: ProtocolSettings,
    ankle: AnkleSettings | None = None,
    *,
    name: str = "protocol",
    progress: Progress | None = None,
) -> ProtocolNodes:
    """Return what a protocol tells as a table, with charts of its noise, in a folder.

    Nothing is left in the scene if it fails or is cancelled.

    :param settings: the protocol, and what is assumed.
    :param ankle: how χ of regions is measured in the digital ankle, which takes minutes; otherwise it is not.
    :param name: start of the names of the nodes.
    :param progress: ``progress(fraction, message)``; what it raises stops the work.
    """
    found = keepAlive(lambda told: assess(settings, ankle, progress=told), part(progress, 0.0, 0.98))
    report(progress, 1.0, "Assessed")
    name = freeName(name, "", " table")
    with resultFolder(name) as put:
        about = {column: Column(column, (), "", text) for column, text in _ABOUT.items()}
        table = put(addTable(f"{name} table", columnsOf(rows(found), {key: about[key] for key in COLUMNS})))
        used = settings.as_dict() | ({} if ankle is None else {"ankle": ankle.as_dict()})
        table.SetAttribute(SETTINGS_ATTRIBUTE, json.dumps(used))
        addNotes(table, unknowns(found))
        charts = {key: _overFraction(put, found, key, name) for key in _BOUNDS}
    return ProtocolNodes(table, charts, found, doubts(found))


def _overFraction(put, found, key, name):
    """Chart of a bound over the fat fraction, one line for each R2*; that of the better train is dashed."""
    words, title = _BOUNDS[key]
    series, trains = [], {"": found.given}
    if not found.is_best:
        trains[", better"] = found.recommended
    for which, train in trains.items():
        for number, rate in enumerate(train.bounds.r2star):
            values = np.asarray(getattr(train.bounds, key)[number], np.float64)
            label = f"R2* {rate:.3g}{which}"
            columns = [Column("x", list(train.bounds.pdff)), Column("y", values.tolist())]
            points = put(addTable(f"{name} {words} {label} points", columns, hidden=True))
            one = addSeries(put, label, points, "x", "y", COLORS[number], points=not which)
            if which:
                one.SetLineStyle(one.LineStyleDash)
            series.append(one)
    return addChart(put, f"{name} {words}", words[0].upper() + words[1:], series, "Fat fraction", title)
