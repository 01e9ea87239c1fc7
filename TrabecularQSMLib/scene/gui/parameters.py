"""Parameters of scenes that another version of the extension has saved."""

import slicer
from slicer.parameterNodeWrapper import unannotatedType

# Of a parameter node: names of the parameters that could not be read, until a panel has said so.
_NOT_READ_ATTRIBUTE = "TrabecularQSM.NotRead"


def wrapped(wrapperClass, node):
    """Return a module's parameters, of which those that its node lacks, or that are wrong in it, have their defaults.

    Otherwise one of them, such as a setting that was added since or a method that is gone, keeps the panel shut.

    :param wrapperClass: class made by parameterNodeWrapper.
    :param node: the node that it wraps.
    """
    wrong = []
    with slicer.util.NodeModify(node):
        for name, serializer, default in _leaves(wrapperClass):
            there = serializer.isIn(node, name)
            if there and _isReadable(serializer, node, name):
                continue
            serializer.write(node, name, default)
            if there:
                wrong.append(name.rpartition(".")[2])
    if wrong:
        node.SetAttribute(_NOT_READ_ATTRIBUTE, ", ".join(wrong))
    return wrapperClass(node)


def takeNotRead(node) -> str:
    """Return which parameters `wrapped` has given their defaults, and forget it; nothing if there were none.

    :param node: parameter node of a module.
    """
    found = node.GetAttribute(_NOT_READ_ATTRIBUTE) or ""
    node.RemoveAttribute(_NOT_READ_ATTRIBUTE)
    return found


def _leaves(wrapperClass):
    """Name, serializer and default of each parameter that is stored, those of packs one by one."""
    for name, info in wrapperClass.allParameters.items():
        members = getattr(unannotatedType(info.unalteredType), "allParameters", None)
        if members is None:
            yield name, info.serializer, info.default.value
            continue
        for member, its in members.items():
            yield f"{name}.{member}", its.serializer, getattr(info.default.value, member)


def _isReadable(serializer, node, name) -> bool:
    try:
        value = serializer.read(node, name)
        if hasattr(serializer, "validate"):
            serializer.validate(value)
    except (ValueError, TypeError):
        return False
    return True
