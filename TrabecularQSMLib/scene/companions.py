"""The digital ankle with a bSSFP and a CT of the same patient as nodes: sample data for what comes after the maps."""

from typing import NamedTuple

import numpy as np
import slicer

from ..files.terminology import REGION_CODES
from ..phantom import Companions, CompanionSettings, Phantom, PhantomSettings, make_companions, make_phantom
from ..progress import Progress, part, report
from ..quantities import UNIT_CODES
from .alive import keepAlive
from .phantom import PhantomNodes, addPhantomNodes
from .regions import addSegmentation, showOutlines
from .tables import Column, addTable
from .volumes import allOrNone, codedEntry, freeName, newVolume

BONE_REFERENCE = "cortical bone"
# What the application gives to a CT from DICOM.
_CT_QUANTITY = ("DCM", "112031", "Attenuation Coefficient")
# Of the nodes' names, which are numbered together.
_ENDINGS = (" magnitude", " phase", " regions", " bSSFP", " CT", " bone reference", " bone regions", " true BV/TV")
# Bone window, Hounsfield units.
_CT_WINDOW = (-200.0, 1000.0)


class CompanionNodes(NamedTuple):
    """A simulated scan in the scene, and two other scans of the same patient, who lay differently in each.

    `boneRegions` are the regions that all scans show as a whole, and `truth` the table of their true BV/TV.
    """

    phantom: PhantomNodes
    bssfp: object
    boneReference: object
    ct: object
    boneRegions: object
    truth: object


def addCompanions(
    settings: PhantomSettings | None = None,
    companionSettings: CompanionSettings | None = None,
    name: str = "ankle phantom",
    progress: Progress | None = None,
) -> CompanionNodes:
    """Simulate a scan of an ankle, a bSSFP and a CT, and add them to the scene.

    Nothing is left in the scene if it fails or is cancelled.

    :param settings: `phantom.PhantomSettings`; the paper's protocol by default.
    :param companionSettings: `phantom.CompanionSettings`; the paper's protocol by default.
    :param name: start of the nodes' names.
    :param progress: ``progress(fraction, message)``; what it raises stops the run.
    """

    def simulate(told):
        phantom = make_phantom(settings, progress=part(told, 0.0, 0.4))
        return phantom, make_companions(phantom, companionSettings, progress=part(told, 0.4, 1.0))

    phantom, companions = keepAlive(simulate, part(progress, 0.0, 0.8))
    return addCompanionNodes(phantom, companions, name, part(progress, 0.8, 1.0))


def addCompanionNodes(
    phantom: Phantom, companions: Companions, name: str, progress: Progress | None = None
) -> CompanionNodes:
    """Add a simulated scan and the two others of the same patient to the scene; nothing is left if it fails.

    :param phantom: the scan.
    :param companions: its bSSFP and CT.
    :param name: start of the nodes' names.
    :param progress: ``progress(fraction, message)``, called before each part; if it raises, nothing is left.
    """
    name = freeName(name, "", *_ENDINGS)
    with allOrNone() as added:
        nodes = addPhantomNodes(phantom, name, part(progress, 0.0, 0.4))
        added += (nodes.magnitudeSequence, nodes.phaseSequence, nodes.regions)
        # The browser comes last and goes first: it would make the volumes it shows again.
        added += (*(nodes.browser.GetProxyNode(one) for one in nodes[:2]), nodes.browser)
        bssfp, ct = _addImages(companions, name, added, part(progress, 0.4, 0.6))
        reference = addSegmentation(
            companions.bone,
            {1: BONE_REFERENCE},
            companions.bssfp_affine,
            f"{name} bone reference",
            progress=part(progress, 0.6, 0.7),
        )
        added.append(reference)
        # Drawn on the bSSFP, it goes with it when that is registered.
        reference.SetReferenceImageGeometryParameterFromVolumeNode(bssfp)
        bones = {label: region for label, region in phantom.region_names.items() if region in companions.bvtv}
        labels = np.where(np.isin(phantom.regions, [*bones]), phantom.regions, 0)
        boneRegions = addSegmentation(
            labels,
            bones,
            phantom.acquisition.affine,
            f"{name} bone regions",
            codes=REGION_CODES,
            progress=part(progress, 0.7, 0.9),
        )
        added.append(boneRegions)
        showOutlines(boneRegions)
        report(progress, 0.9, "Adding the true BV/TV")
        truth = addTable(f"{name} true BV/TV", _columnsOfTruth(companions.bvtv))
        added.append(truth)
        report(progress, 1.0, "Added the digital ankle with bSSFP and CT")
    return CompanionNodes(nodes, bssfp, reference, ct, boneRegions, truth)


def _addImages(companions, name, added, progress):
    """Add the bSSFP and the CT, and name them among what was added."""
    images = (
        (companions.bssfp, companions.bssfp_affine, "bSSFP"),
        (companions.ct, companions.ct_affine, "CT"),
    )
    volumes = []
    for number, (array, affine, kind) in enumerate(images):
        report(progress, number / 2, f"Adding the {kind}")
        volumes.append(slicer.mrmlScene.AddNode(newVolume(array, affine, f"{name} {kind}")))
        added.append(volumes[-1])
        report(progress, (number + 0.75) / 2, f"Showing the {kind}")
        volumes[-1].CreateDefaultDisplayNodes()
    bssfp, ct = volumes
    ct.SetVoxelValueQuantity(codedEntry(*_CT_QUANTITY))
    ct.SetVoxelValueUnits(codedEntry("UCUM", *UNIT_CODES["HU"]))
    ct.GetScalarVolumeDisplayNode().SetAutoWindowLevel(False)
    ct.GetScalarVolumeDisplayNode().SetWindowLevelMinMax(*_CT_WINDOW)
    return bssfp, ct


def _columnsOfTruth(bvtv):
    described = "Bone volume fraction of what was simulated"
    return [
        Column("region", list(bvtv), "", "Name of the segment"),
        Column("true_bvtv", list(bvtv.values()), "1", described, title="true BV/TV"),
    ]
