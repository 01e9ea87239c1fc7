"""What the application learns from this extension once it has started."""

from pathlib import Path

from ..regions import TERMINOLOGY_FILE, loadTerminology
from .samples import registerSampleData


def registerResources(logicClass, resources: Path) -> None:
    """Add the sample data to the module Sample Data, and the terminology to those of segments.

    :param logicClass: class with the methods loadPhantom and loadScan.
    :param resources: the module's folder Resources.
    """
    registerSampleData(logicClass, resources / "SampleData")
    loadTerminology(resources / TERMINOLOGY_FILE)
