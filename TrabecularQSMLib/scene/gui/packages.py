"""Python packages that some steps need and the application does not have."""

import importlib
import importlib.util

import slicer
from slicer.i18n import tr as _

from ...errors import Cancelled, PackageNeeded


def isInstalled(package: str) -> bool:
    """Return whether a Python package is there.

    :param package: name by which it is imported and installed.
    """
    return importlib.util.find_spec(package) is not None


def offerPackage(*packages: str) -> bool:
    """Install Python packages if they are missing and the user agrees; return whether they are there then.

    :param packages: names by which they are imported and installed.
    """
    missing = [package for package in packages if not isInstalled(package)]
    if not missing:
        return True
    question = _("The Python package {package} is needed. Install it into 3D Slicer?")
    if len(missing) > 1:
        question = _("The Python packages {package} are needed. Install them into 3D Slicer?")
    if not slicer.util.confirmOkCancelDisplay(question.format(package=", ".join(missing))):
        return False
    if importlib.util.find_spec("slicer.packaging"):  # Slicer 5.12 and later
        packaging = importlib.import_module("slicer.packaging")
        packaging.pip_ensure(missing, prompt_install=False, requester="TrabecularQSM")
    else:
        slicer.util.pip_install(missing)
    importlib.invalidate_caches()
    return all(map(isInstalled, missing))


def withPackages(work):
    """Return what some work returns; where it needs packages that are missing, they are offered and it is done again.

    :param work: function without arguments.
    :raises Cancelled: if the user does not want them.
    """
    try:
        return work()
    except PackageNeeded as error:
        if not offerPackage(*error.packages):
            reason = _("Cancelled: {packages} is needed and was not installed.")
            raise Cancelled(reason.format(packages=", ".join(error.packages))) from error
    return work()
