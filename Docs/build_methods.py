"""Write Docs/Methods.md and TrabecularQSMLib/data/settings.schema.json from the records and docstrings of the code.

Run as ``python Docs/build_methods.py`` after a method or a setting was added or changed; a test compares.
"""

import importlib
import inspect
import json
import pkgutil
import sys
from dataclasses import MISSING, fields
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from TrabecularQSMLib.methods import Method  # noqa: E402
from TrabecularQSMLib.phantom import CompanionSettings, PhantomSettings  # noqa: E402
from TrabecularQSMLib.protocol.settings import ProtocolSettings  # noqa: E402
from TrabecularQSMLib.settings import CHOICES, OPTIONAL, RANGES, WHOLE, Settings, load_presets, setting_texts  # noqa: E402
from TrabecularQSMLib.simulation.settings import DecaySettings, SimulationSettings  # noqa: E402

# Rooms with methods, in the order in which a scan meets them.
ROOMS = ("fieldmap", "background", "inversion", "analysis", "simulation", "phantom", "protocol")
OTHER_SETTINGS = {
    "a simulation": SimulationSettings,
    "its decay": DecaySettings,
    "the phantom": PhantomSettings,
    "its bSSFP and CT": CompanionSettings,
    "a protocol": ProtocolSettings,
}
HEAD = """\
# Every method

Written by `python Docs/build_methods.py` from the code; do not edit. Names in `code` are what flags and files take.
Ranges and sources of settings are in the tables below; a number in brackets is the method's own default.
"""


def records(room: str) -> dict[str, Method]:
    """Return the methods of a room: those of its registry by name, then the others of its files by function."""
    package = importlib.import_module(f"TrabecularQSMLib.{room}")
    found = dict(getattr(package, "METHODS", {}))
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        code = importlib.import_module(module.name)
        for one in (*getattr(code, "METHODS", ()), *filter(None, [getattr(code, "METHOD", None)])):
            # Records of other files are imported by name as methods, not as records.
            if isinstance(one, Method) and one not in found.values():
                found[one.function.__qualname__] = one
    return found


def markdown() -> str:
    """Return the page."""
    parts = [HEAD]
    for room in ROOMS:
        package = importlib.import_module(f"TrabecularQSMLib.{room}")
        parts.append(f"## {package.__doc__.partition(': ')[0].partition('.')[0].strip()}\n")
        rows = [_method_row(room, name, one) for name, one in records(room).items()]
        parts.append(_table(("Method", "Minimizes or solves", "Settings", "Reference", "Test"), rows))
    parts.append("## Settings of a reconstruction\n")
    parts.append(
        "Flags are the names with `-` for `_`. Where presets differ from the default, their value stands behind it.\n"
    )
    parts.append(_table(("Setting", "Default", "Values", "What it is, and where the default comes from"), _settings()))
    for title, dataclass in OTHER_SETTINGS.items():
        texts = setting_texts(dataclass.__doc__)
        rows = [(f"`{one.name}`", _value(one.default), texts[one.name]) for one in fields(dataclass)]
        parts += [f"## Settings of {title}\n", _table(("Setting", "Default", "What it is"), rows)]
    return "\n".join(parts)


def schema() -> dict:
    """Return the JSON schema of settings, as sidecars and ``--settings`` files hold them."""
    properties = {}
    texts = setting_texts()
    for one in fields(Settings):
        if one.name in CHOICES:
            kind = {"enum": list(CHOICES[one.name])}
        else:
            low, high = RANGES[one.name]
            number = "integer" if one.name in WHOLE else "number"
            kind = {"type": [number, "null"] if one.name in OPTIONAL else number, "minimum": low, "maximum": high}
        properties[one.name] = {"description": texts[one.name], **kind, "default": one.default}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "settings.schema.json",
        "title": "Settings of a reconstruction",
        "description": "Written by Docs/build_methods.py; do not edit.",
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
    }


def schema_text() -> str:
    """Return the schema as it is written."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


OUTPUTS = {"Docs/Methods.md": markdown, "TrabecularQSMLib/data/settings.schema.json": schema_text}


def _method_row(room, name, one):
    title = f"{one.title}, `{name}`" if name in getattr(_package(room), "METHODS", ()) else one.title
    cells = []
    if hasattr(one, "regularization"):
        presets = {preset: entry["regularization"].get(name) for preset, entry in load_presets().items()}
        others = ", ".join(f"`{preset}` {value:g}" for preset, value in presets.items() if value is not None)
        cells.append(f"λ = {one.regularization:g} {one.unit}" + (f" ({others})" if others else ""))
    own = {
        keyword: parameter.default
        for keyword, parameter in inspect.signature(one.function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.default not in (parameter.empty, None, "", ())
    }
    for keyword, setting in one.options.items():
        default = own.get(keyword) if getattr(Settings, setting) is None else None
        cells.append(f"`{setting}`" + (f" ({default:g})" if default is not None else ""))
    cells += [f"{key} = {_value(value)}" for key, value in own.items() if key not in (*one.options, "threads")]
    return title, one.solves, ", ".join(cells) or "none", one.reference or "ours", f"`{one.test}`"


def _package(room):
    return importlib.import_module(f"TrabecularQSMLib.{room}")


def _settings():
    texts, rows = setting_texts(), []
    for one in fields(Settings):
        if one.name in CHOICES:
            values = ", ".join("none" if choice is None else f"`{choice}`" for choice in CHOICES[one.name])
        else:
            values = "{:g} to {:g}".format(*RANGES[one.name]) + (", whole" if one.name in WHOLE else "")
            values += ", or none" if one.name in OPTIONAL else ""
        default = _value(one.default)
        for preset, entry in load_presets().items():
            if entry["settings"].get(one.name, one.default) != one.default:
                default += f"; `{preset}` {_value(entry['settings'][one.name])}"
        rows.append((f"`{one.name}`", default, values, texts[one.name]))
    return rows


def _value(value):
    if value is MISSING:
        return "must be given"
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return " ".join(_value(one) for one in value)
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else f"`{value}`"


def _table(head, rows):
    lines = [head, ["---"] * len(head), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _cell(text):
    return text.replace("|", r"\|").replace("R2*", r"R2\*")


if __name__ == "__main__":
    for file, text in OUTPUTS.items():
        (ROOT / file).write_text(text(), encoding="utf-8", newline="\n")
