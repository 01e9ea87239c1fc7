"""The digital ankle as nodes: sample data that is made on the spot."""

from typing import NamedTuple

from ..files.terminology import REGION_CODES
from ..phantom import Phantom, PhantomSettings, make_phantom
from ..progress import Progress, part, report
from .alive import keepAlive
from .echoes import addEchoBrowser, addEchoSequences
from .regions import addSegmentation, showOutlines
from .volumes import freeName, removeWithHelpers


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
    phantom = keepAlive(lambda told: make_phantom(settings, progress=told), part(progress, 0.0, 0.9))
    return addPhantomNodes(phantom, name, progress)


def addPhantomNodes(phantom: Phantom, name: str, progress: Progress | None = None) -> PhantomNodes:
    """Add a simulated scan to the scene, with its regions and a browser to look at the echoes.

    :param phantom: what `phantom.make_phantom` returned.
    :param name: start of the nodes' names.
    :param progress: ``progress(fraction, message)``, called at the end; if it raises, nothing is left in the scene.
    """
    affine, added, name = phantom.acquisition.affine, [], freeName(name, "", " magnitude", " phase", " regions")
    try:
        magnitude, phase = addEchoSequences(phantom.acquisition, name)
        added += (magnitude, phase)
        codes = REGION_CODES
        regions = addSegmentation(phantom.regions, phantom.region_names, affine, f"{name} regions", codes=codes)
        added.append(regions)
        showOutlines(regions)
        browser = addEchoBrowser(magnitude, phase)
        # The browser comes last and goes first: it would make the volumes it shows again.
        added += (*(browser.GetProxyNode(sequence) for sequence in (magnitude, phase)), browser)
        report(progress, 1.0, "Added the digital ankle")
    except BaseException:
        for node in reversed(added):
            removeWithHelpers(node)
        raise
    return PhantomNodes(magnitude, phase, regions, browser)
