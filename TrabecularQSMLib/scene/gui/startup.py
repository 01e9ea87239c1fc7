"""What the application learns from this extension: of its modules, and once it has started."""

from pathlib import Path

from slicer.i18n import tr as _
from slicer.i18n import translate

from ..regions import TERMINOLOGY_FILE, loadTerminology
from .samples import registerSampleData


def describe(parent) -> None:
    """Fill in what all modules say of themselves.

    :param parent: the module as the application knows it.
    """
    parent.categories = [translate("qSlicerAbstractCoreModule", "Quantification")]
    parent.contributors = ["The TrabecularQSM developers"]
    parent.acknowledgementText = _(
        "Method: Diefenbach et al., Magnetic Resonance in Medicine 2019, doi 10.1002/mrm.27531."
    )


def registerResources(logicClass, resources: Path) -> None:
    """Add the sample data to the module Sample Data, and the terminology to those of segments.

    :param logicClass: class with the methods loadPhantom and loadScan.
    :param resources: the module's folder Resources.
    """
    registerSampleData(logicClass, resources / "SampleData")
    loadTerminology(resources / TERMINOLOGY_FILE)
