"""What can be told about a module's panel from its files alone: Python by its syntax tree, the .ui file as XML."""

import ast
import itertools
import xml.etree.ElementTree as ElementTree
from pathlib import Path

PARAMETER = "SlicerParameterName"
CONNECTING = ("connect", "disconnect", "addObserver", "removeObserver")


def module_names(root: Path) -> list[str]:
    """Names of the scripted modules of a checkout that have a panel."""
    return sorted(path.stem for path in (root / "TrabecularQSM" / "Resources" / "UI").glob("*.ui"))


class Panel:
    """A module file, its .ui file, and the parts of panels that modules share."""

    def __init__(self, root: Path, name: str, setting_names):
        self.setting_names = list(setting_names)
        shared = sorted((root / "TrabecularQSMLib" / "scene" / "gui").glob("*.py"))
        module = root / "TrabecularQSM" / f"{name}.py"
        self.trees = {path.name: parse(path) for path in (module, *shared)}
        self.tree = self.trees[module.name]
        self.ui = ElementTree.parse(root / "TrabecularQSM" / "Resources" / "UI" / f"{name}.ui").getroot()
        self.classes = {
            node.name: node for tree in self.trees.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
        }

    def problems(self) -> list[str]:
        """Everything that is wrong, one sentence each."""
        checks = (
            self.missing_widgets,
            self.missing_parameters,
            self.missing_slots,
            self.setting_differences,
            self.shared_cells,
            self.repeated_labels,
        )
        return list(itertools.chain.from_iterable(check() for check in checks))

    @property
    def widgets(self) -> set[str]:
        """Names of the widgets of the .ui file."""
        return {element.get("name") for element in self.ui.iter("widget")}

    @property
    def bound(self) -> list[str]:
        """Names of the parameters that widgets are bound to."""
        return [
            "".join(prop.itertext()).strip()
            for element in self.ui.iter("widget")
            for prop in element.findall("property")
            if prop.get("name") == PARAMETER
        ]

    def listed_buttons(self) -> list[str]:
        """Names of the list that the module passes to ``connectButtons``: of buttons, each with a slot of its name."""
        for call in (n for n in ast.walk(self.tree) if isinstance(n, ast.Call)):
            if isinstance(call.func, ast.Attribute) and call.func.attr == "connectButtons":
                for node in (n for tree in self.trees.values() for n in tree.body if isinstance(n, ast.Assign)):
                    if ast.unparse(node.targets[0]) == ast.unparse(call.args[0]):
                        return eval(compile(ast.Expression(node.value), "names", "eval"), {})
        return []

    def missing_widgets(self):
        """Widgets that Python or a connection of the .ui file uses and that are not there."""
        for name in self.listed_buttons():
            if f"{name}Button" not in self.widgets:
                yield f"The list of buttons has {name}, but {name}Button is no widget of the .ui file."
        for file, tree in self.trees.items():
            for used in sorted(used_widgets(tree) - self.widgets):
                yield f"{file} uses ui.{used}, which is no widget of the .ui file."
        for end in ("sender", "receiver"):
            for element in self.ui.iter(end):
                if element.text not in self.widgets:
                    yield f"The .ui file has a connection with the {end} {element.text}, which is no widget of it."

    def parameters(self) -> set[str]:
        """All parameters, those of packs with a dot."""
        nodes = [node for node in self.classes.values() if decorated(node, "parameterNodeWrapper")]
        return set().union(*(self._members(node.name, "") for node in nodes))

    def missing_parameters(self):
        """Names in the .ui file that are no parameter, and parameters without widget."""
        known = self.parameters()
        for name in self.bound:
            if name not in known:
                yield f"A widget is bound to {name}, which is no parameter."
        for name in sorted(known - set(self.bound)):
            yield f"The parameter {name} is bound to no widget."

    def _members(self, class_name, prefix):
        members = set()
        for statement in self.classes[class_name].body:
            if not isinstance(statement, ast.AnnAssign):
                continue
            name, kind = prefix + statement.target.id, ast.unparse(statement.annotation)
            if kind in self.classes and decorated(self.classes[kind], "parameterPack"):
                members |= self._members(kind, f"{name}.")
            elif self._is_pack_of_settings(kind):
                members |= {f"{name}.{setting}" for setting in self.setting_names}
            else:
                members.add(name)
        return members

    def _is_pack_of_settings(self, name):
        """Tell if a class is made by a function that goes through the fields of Settings and packs them."""
        body = [node for tree in self.trees.values() for node in tree.body]
        functions = {node.name: node for node in body if isinstance(node, ast.FunctionDef)}
        for node in body:
            if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == [name]:
                function = functions.get(ast.unparse(node.value).removesuffix("()"))
                calls = {ast.unparse(n) for n in ast.walk(function or node) if isinstance(n, ast.Call)}
                reads = {"fields(Settings)", "get_type_hints(Settings)", "typing.get_type_hints(Settings)"}
                return bool(calls & reads) and any(call.startswith("parameterPack(") for call in calls)
        return False

    def missing_slots(self):
        """Methods that are connected to a signal or an event, and that the class does not have."""
        for node in self.classes.values():
            methods = self._methods(node)
            for call in (n for n in ast.walk(node) if isinstance(n, ast.Call)):
                if not isinstance(call.func, ast.Attribute) or call.func.attr not in CONNECTING:
                    continue
                slot = call.args[-1] if call.args else None
                if is_of_self(slot) and slot.attr not in methods:
                    yield f"{node.name} connects self.{slot.attr}, which is no method of it."
        widget = next(node for node in ast.walk(self.tree) if getattr(node, "name", "").endswith("Widget"))
        for name in self.listed_buttons():
            slot = slot_of(name)
            if slot not in self._methods(widget):
                yield f"{widget.name} connects self.{slot}, which is no method of it."

    def _methods(self, node):
        methods = {statement.name for statement in node.body if isinstance(statement, ast.FunctionDef)}
        for base in node.bases:
            if ast.unparse(base) in self.classes:
                methods |= self._methods(self.classes[ast.unparse(base)])
        return methods

    def setting_differences(self):
        """Settings that the pack or the .ui file has too many or too few."""
        packed = {name.partition(".")[2] for name in self.parameters() if name.startswith("settings.")}
        shown = {name.partition(".")[2] for name in self.bound if name.startswith("settings.")}
        if packed or shown:  # a module may have other parameters
            for where, names in (("parameter pack", packed), (".ui file", shown)):
                for name in sorted(names ^ set(self.setting_names)):
                    yield f"The setting {name} is in one only of Settings and the {where}."

    def repeated_labels(self):
        """Labels that stand twice in one form."""
        for form in self.ui.iterfind(".//layout[@class='QFormLayout']"):
            labels = [
                label.findtext("property[@name='text']/string")
                for label in form.iterfind("item/widget[@class='QLabel']")
            ]
            for text in sorted({text for text in labels if text and labels.count(text) > 1}):
                yield f"The layout {form.get('name')} has two labels {text}"

    def shared_cells(self):
        """Cells of a layout that two items claim, of which Qt shows one only."""
        for layout in self.ui.iter("layout"):
            cells = [(item.get("row"), item.get("column")) for item in layout.findall("item") if item.get("row")]
            for row, column in sorted({cell for cell in cells if cells.count(cell) > 1}):
                yield f"The layout {layout.get('name')} has two items in row {row}, column {column}."


def parse(path: Path) -> ast.Module:
    """Syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def slot_of(button: str) -> str:
    """Name of the slot of a button of `Panel.listed_buttons`."""
    return f"on{button[0].upper()}{button[1:]}Button"


def decorated(node, name):
    """Tell if a class has a decorator."""
    return name in {ast.unparse(decorator) for decorator in node.decorator_list}


def is_of_self(node):
    """Tell if an expression is self.<something>."""
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"


def used_widgets(tree) -> set[str]:
    """Attributes that are read from self.ui, or from a local name for it."""
    used = set()
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        aliases = set()
        for assignment in (node for node in ast.walk(function) if isinstance(node, ast.Assign)):
            for target in assignment.targets:
                pairs = [(target, assignment.value)]
                if isinstance(target, ast.Tuple) and isinstance(assignment.value, ast.Tuple):
                    pairs = zip(target.elts, assignment.value.elts, strict=False)
                aliases |= {ast.unparse(one) for one, value in pairs if ast.unparse(value) == "self.ui"}
        for node in ast.walk(function):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) in aliases | {"self.ui"}:
                used.add(node.attr)
        for loop in (node for node in ast.walk(function) if isinstance(node, ast.For)):
            used |= _widgets_by_name(loop, aliases | {"self.ui"})
    return used


def _widgets_by_name(loop, aliases):
    """Widgets of ``for x in ("a", "b"): getattr(ui, f"{x}Button")``."""
    used = set()
    for call in (node for node in ast.walk(loop) if isinstance(node, ast.Call)):
        if ast.unparse(call.func) == "getattr" and ast.unparse(call.args[0]) in aliases:
            try:
                values = ast.literal_eval(loop.iter)
            except ValueError:  # names that the function is given, or that the library lists
                continue
            for value in values:
                used.add(eval(compile(ast.Expression(call.args[1]), "name", "eval"), {loop.target.id: value}))
    return used


def used_utilities(tree) -> set[str]:
    """Names that a file takes from slicer.util."""
    used = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "slicer.util":
            used.add(node.attr)
        elif isinstance(node, ast.ImportFrom) and node.module == "slicer.util":
            used |= {alias.name for alias in node.names}
    return used


def missing_utilities(root: Path, util) -> list[str]:
    """Names that modules and scene take from slicer.util and that it does not have."""
    paths = [*(root / "TrabecularQSM").glob("*.py"), *(root / "TrabecularQSMLib" / "scene").rglob("*.py")]
    return [
        f"{path.name} uses slicer.util.{name}, which does not exist."
        for path in sorted(paths)
        for name in sorted(used_utilities(parse(path)))
        if not hasattr(util, name)
    ]
