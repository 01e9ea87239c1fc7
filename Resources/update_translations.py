"""Bring the translations up to date with the texts of the panels.

    python Resources/update_translations.py          all languages that are there
    python Resources/update_translations.py fr      French too, or a first file of it
    python Resources/update_translations.py --check change nothing; exit code 1 if a file is out of date or unfinished

Texts are what ``_()`` gets in the modules and in TrabecularQSMLib/scene/gui, and the strings of the .ui files. What is
translated stays, what is new is marked as unfinished, what is gone is taken out. The files are Qt's (Qt Linguist opens
them), and their contexts those by which 3D Slicer looks a text up: slicer.i18n for Python, the class of a .ui file.
"""

import ast
import sys
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "TrabecularQSM" / "Resources" / "Translations"


def python_texts(path: Path) -> list[str]:
    """Return what ``_()`` gets in a Python file, in its order."""
    calls = [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_"
    ]
    for call in calls:
        if len(call.args) != 1 or not isinstance(call.args[0], ast.Constant) or not isinstance(call.args[0].value, str):
            sys.exit(
                f"{path}, line {call.lineno}: _() gets {ast.unparse(call)}; give it one plain string, then .format()."
            )
    return [call.args[0].value for call in sorted(calls, key=lambda call: (call.lineno, call.col_offset))]


def panel_texts(path: Path) -> tuple[str, list[str]]:
    """Return the class of a .ui file and its strings, less those that are marked as not to be translated."""
    root = ElementTree.parse(path).getroot()
    return root.findtext("class"), [
        item.text for item in root.iter("string") if item.text and item.text.strip() and item.get("notr") != "true"
    ]


def python_context(path: Path) -> str:
    """Return the context of a Python file's texts, as slicer.i18n builds it."""
    return f"{path.parent.name}.{path.stem}" if (path.parent / "__init__.py").exists() else path.stem


def texts(root: Path = ROOT) -> dict[str, list[str]]:
    """Return the texts of each context, each once."""
    found = {}
    for path in sorted([*root.glob("TrabecularQSM/*.py"), *root.glob("TrabecularQSMLib/scene/gui/*.py")]):
        found.setdefault(python_context(path), []).extend(python_texts(path))
    for path in sorted(root.glob("TrabecularQSM/Resources/UI/*.ui")):
        context, strings = panel_texts(path)
        found.setdefault(context, []).extend(strings)
    return {context: list(dict.fromkeys(strings)) for context, strings in sorted(found.items()) if strings}


def read(path: Path) -> dict[tuple[str, str], str]:
    """Return the finished translations of a file by context and text."""
    found = {}
    if path.exists():
        for context in ElementTree.parse(path).iter("context"):
            for message in context.iter("message"):
                translation = message.find("translation")
                if translation.text and translation.get("type") is None:
                    found[context.findtext("name"), message.findtext("source")] = translation.text
    return found


def compose(language: str, known: dict[tuple[str, str], str], found: dict[str, list[str]]) -> tuple[str, int]:
    """Return the content of a file of translations, and how many are unfinished."""
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        "<!DOCTYPE TS>",
        f'<TS version="2.1" language="{language}" sourcelanguage="en">',
    ]
    unfinished = 0
    for context, strings in found.items():
        lines += ["<context>", f"    <name>{_xml(context)}</name>"]
        for text in strings:
            translation = known.get((context, text))
            unfinished += translation is None
            lines += [
                "    <message>",
                f"        <source>{_xml(text)}</source>",
                f"        <translation>{_xml(translation)}</translation>"
                if translation is not None
                else '        <translation type="unfinished"></translation>',
                "    </message>",
            ]
        lines.append("</context>")
    return "\n".join([*lines, "</TS>", ""]), unfinished


def _xml(text):
    return escape(text, {'"': "&quot;", "'": "&apos;"})


def main() -> None:
    """Update the files, or with --check only say whether something is missing."""
    languages, check, found, wrong = set(sys.argv[1:]) - {"--check"}, "--check" in sys.argv, texts(), False
    if any(name.startswith("-") for name in languages):
        sys.exit(__doc__)
    for language in sorted(languages | {path.stem.partition("_")[2] for path in FOLDER.glob("*.ts")}):
        path = FOLDER / f"TrabecularQSM_{language}.ts"
        text, unfinished = compose(language, read(path), found)
        wrong |= unfinished > 0 or not path.exists() or path.read_text(encoding="utf-8") != text
        print(f"{path.relative_to(ROOT)}: {sum(map(len, found.values()))} texts, {unfinished} unfinished")
        if not check:
            path.write_text(text, encoding="utf-8", newline="\n")
    sys.exit(check and wrong)


if __name__ == "__main__":
    main()
