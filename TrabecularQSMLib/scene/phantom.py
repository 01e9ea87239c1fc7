"""The digital ankle as nodes: sample data that is made on the spot."""

from typing import NamedTuple

from ..files.terminology import REGION_CODES
from ..phantom import Phantom, PhantomSettings, make_phantom
from ..progress import Progress, part
from .alive import keepAlive
from .echoes import addEchoBrowser, addEchoSequences
from .regions import addSegmentation, showOutlines
from .volumes import allOrNone, freeName


class PhantomNodes(NamedTuple):
    """A simulated scan in the scene, and the regions of its truth."""

    magnitudeSequence: object
    phaseSequence: object
    regions: object
    browser: object


def addPhantom(
    settings: PhantomSettings | None = None, name: str = "ankle phantom", progress: Progress | None = None
) -> PhantomNodes:
    """Simulate a scan of an ankle and add it to the scene, with its regions and a browser to look at the echoes.

    Nothing is left in the scene if it fails or is cancelled.

    :param settings: `phantom.PhantomSettings`; the paper's protocol by default.
    :param name: start of the nodes' names.
    :param progress: ``progress(fraction, message)``; what it raises stops the run.
    """
    phantom = keepAlive(lambda told: make_phantom(settings, progress=told), part(progress, 0.0, 0.8))
    return addPhantomNodes(phantom, name, part(progress, 0.8, 1.0))


def addPhantomNodes(phantom: Phantom, name: str, progress: Progress | None = None) -> PhantomNodes:
    """Add a simulated scan to the scene, with its regions and a browser to look at the echoes.

    :param phantom: what `phantom.make_phantom` returned.
    :param name: start of the nodes' names.
    :param progress: ``progress(fraction, message)``, called before each node; if it raises, nothing is left.
    """
    affine, name = phantom.acquisition.affine, freeName(name, "", " magnitude", " phase", " regions")
    with allOrNone() as added:
        added += addEchoSequences(phantom.acquisition, name, part(progress, 0.0, 0.4))
        magnitude, phase = added
        regions = addSegmentation(
            phantom.regions,
            phantom.region_names,
            affine,
            f"{name} regions",
            codes=REGION_CODES,
            progress=part(progress, 0.4, 0.7),
        )
        added.append(regions)
        showOutlines(regions)
        browser = addEchoBrowser(magnitude, phase, part(progress, 0.7, 1.0))
    return PhantomNodes(magnitude, phase, regions, browser)
