"""Python packages that some steps need and the application does not have."""

import importlib
import importlib.util

import slicer
from slicer.i18n import tr as _

_HDF5 = b"\x89HDF\r\n\x1a\n"


def isInstalled(package: str) -> bool:
    """Return whether a Python package is there.

    :param package: name by which it is imported and installed.
    """
    return importlib.util.find_spec(package) is not None


def offerPackage(package: str) -> bool:
    """Install a Python package if it is missing and the user agrees; return whether it is there then.

    :param package: name by which it is imported and installed.
    """
    if isInstalled(package):
        return True
    question = _("The Python package {package} is needed. Install it into 3D Slicer?").format(package=package)
    if not slicer.util.confirmOkCancelDisplay(question):
        return False
    if importlib.util.find_spec("slicer.packaging"):  # Slicer 5.12 and later
        packaging = importlib.import_module("slicer.packaging")
        packaging.pip_ensure(package, prompt_install=False, requester="TrabecularQSM")
    else:
        slicer.util.pip_install(package)
    importlib.invalidate_caches()
    return isInstalled(package)


def canBeRead(path) -> bool:
    """Return whether a .mat file can be read, after h5py was offered if it is one of MATLAB 7.3, which needs it.

    :param path: any file.
    """
    with open(path, "rb") as file:
        head = file.read(520)
    # Either at the start or behind MATLAB's own header.
    if _HDF5 not in (head[:8], head[512:]):
        return True
    with slicer.util.tryWithErrorDisplay(_("The Python package h5py could not be installed.")):
        if offerPackage("h5py"):
            return True
    slicer.util.showStatusMessage(_("The file was not loaded: it is one of MATLAB 7.3, which needs h5py."))
    return False
