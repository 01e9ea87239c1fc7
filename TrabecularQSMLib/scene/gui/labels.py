"""Settings and options by the labels of their widgets, for sentences that name them as library and commands do."""

import re
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

# Options of the command line, and arguments of the library, whose parameter has another name.
_FLAGS = {
    **dict.fromkeys(("subject", "session", "acq", "run", "series"), "scan_labels"),
    "mask": "mask_segmentation",
    "echo_times": "echo_times_ms",
    "overwrite": "replace_results",
    "draws": "ankle_draws",
    "bandwidth_hz": "bandwidth",
    "voxels_mm": "voxels",
    "b0_degrees": "angles",
}


@cache
def labelsOf(path: Path, translate=lambda context, text: text) -> dict[str, str]:
    """Return the name of each parameter, such as ``mask_erosion``, to the label of its widget.

    Names like ``scanLabels`` are returned as ``scan_labels``, since sentences have none of the former.

    :param path: the panel's .ui file: forms of a label and a widget with the property SlicerParameterName in each row.
    :param translate: function of context and text by which the application translates the file, of ``slicer.i18n``.
    """
    labels, panel = {}, ElementTree.parse(path)
    for form in panel.iterfind(".//layout[@class='QFormLayout']"):
        rows = {}
        for item in form.iterfind("item"):
            rows.setdefault(item.get("row"), {})[item.get("column")] = item
        for row in rows.values():
            label = next((label.text for label in (_labelIn(item) for item in row.values()) if label is not None), None)
            for item in row.values():
                for name in item.iterfind(".//property[@name='SlicerParameterName']/string"):
                    name = re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", name.text.rpartition(".")[2])
                    if label:
                        shown = translate(panel.findtext("class"), label)
                        labels[name] = shown.rstrip(":").partition(" [")[0]
    return labels


def _labelIn(item):
    # Beside its widget, or with it where both have a line of their own.
    places = ("widget", "layout/item/widget")
    texts = (item.find(f"{place}[@class='QLabel']/property[@name='text']/string") for place in places)
    return next((text for text in texts if text is not None), None)


def inLabels(text: str, labels: dict[str, str]) -> str:
    """Return a text with labels in place of the names of parameters and of the options of the command line.

    :param text: a sentence of the library.
    :param labels: what `labelsOf` returned.
    """

    def ofName(found):
        name = _FLAGS.get(found[1], found[1])
        return f"'{labels[name]}'" if name in labels else found[0]

    def ofFlag(found):
        name = found[1].replace("-", "_")
        name = _FLAGS.get(name, name)
        return f"'{labels[name]}'" if name in labels else found[0]

    text = re.sub(r"`?\b([a-z0-9]+(?:_[a-z0-9]+)+)\b`?", ofName, text)
    text = re.sub(r"`([a-z0-9]+)`", ofName, text)
    # What stands behind a flag in capitals is the form of its value.
    text = re.sub(r"(?<!\S)--([a-z0-9-]+)( [A-Z]+\b)*", ofFlag, text)
    return eachOnce(text)


def eachOnce(text: str) -> str:
    """Return a text in which a label that stands there for several options, since they are one row, stands once.

    :param text: with labels in quotes.
    """
    return re.sub(r"('[^']+')( (and|or) \1)+", r"\1", text)
