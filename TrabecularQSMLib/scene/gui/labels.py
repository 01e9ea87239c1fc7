"""Settings by the labels of their widgets, for errors that name them as the library does."""

import re
from pathlib import Path
from xml.etree import ElementTree


def labelsOf(path: Path) -> dict[str, str]:
    """Return the name of each parameter that reads like code, such as ``mask_erosion``, to the label of its widget.

    :param path: the panel's .ui file: forms of a label and a widget with the property SlicerParameterName in each row.
    """
    labels = {}
    for form in ElementTree.parse(path).iterfind(".//layout[@class='QFormLayout']"):
        rows = {}
        for item in form.iterfind("item"):
            rows.setdefault(item.get("row"), {})[item.get("column")] = item
        for row in rows.values():
            label = row["0"].findtext("widget/property[@name='text']/string") if "0" in row else None
            for item in row.values():
                for name in item.iterfind(".//property[@name='SlicerParameterName']/string"):
                    name = name.text.rpartition(".")[2]
                    if label and "_" in name:
                        labels[name] = label.rstrip(":")
    return labels


def inLabels(text: str, labels: dict[str, str]) -> str:
    """Return a text with labels in place of the names of parameters.

    :param text: a sentence of the library.
    :param labels: what `labelsOf` returned.
    """
    return re.sub(
        r"\b[a-z0-9]+(_[a-z0-9]+)+\b", lambda name: f"'{labels[name[0]]}'" if name[0] in labels else name[0], text
    )
