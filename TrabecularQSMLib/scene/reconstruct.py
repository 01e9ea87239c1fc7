"""The whole reconstruction from nodes to nodes."""

import json

import numpy as np
import slicer

from .. import __version__
from ..pipeline import Reconstruction, reconstruct
from ..progress import Progress
from ..settings import Settings
from .echoes import acquisitionFromSequences
from .volumes import addMapVolume, removeWithDisplay

SETTINGS_ATTRIBUTE = "TrabecularQSM.Settings"
VERSION_ATTRIBUTE = "TrabecularQSM.Version"


def reconstructNodes(
    magnitudeSequence,
    phaseSequence,
    *,
    settings: Settings | None = None,
    mask: np.ndarray | None = None,
    echoTimes=None,
    fieldStrength: float | None = None,
    b0Direction=None,
    name: str | None = None,
    progress: Progress | None = None,
) -> dict:
    """Reconstruct susceptibility, R2*, fat fraction and fields from two sequences, as volumes in a folder.

    Nothing is left in the scene if it fails or is cancelled.

    :param magnitudeSequence: sequence of magnitude volumes over the echo time.
    :param phaseSequence: the same of the phase.
    :param settings: `settings.Settings`; the preset ``default`` by default.
    :param mask: where susceptibility is solved, an array [k, j, i] on the grid of the sequences.
    :param echoTimes: seconds; by default what the magnitude sequence says.
    :param fieldStrength: tesla; needed for sequences that do not know it.
    :param b0Direction: direction of B0 in RAS; superior by default.
    :param name: start of the names of folder and volumes; by default that of the magnitude sequence.
    :param progress: ``progress(fraction, message)``; what it raises stops the run.
    :return: volume nodes by the name of their quantity.
    :raises InputError: if the nodes are no usable scan.
    """
    acquisition = acquisitionFromSequences(
        magnitudeSequence, phaseSequence, echoTimes=echoTimes, fieldStrength=fieldStrength, b0Direction=b0Direction
    )
    result = reconstruct(acquisition, settings, mask=mask, progress=progress)
    name = name or magnitudeSequence.GetName().removesuffix(" magnitude")
    return addMapVolumes(result, acquisition.affine, name, beside=magnitudeSequence)


def addMapVolumes(result: Reconstruction, affine: np.ndarray, name: str, *, beside=None) -> dict:
    """Add all maps of a reconstruction to the scene, in a folder of the subject hierarchy.

    :param result: what `pipeline.reconstruct` returned.
    :param affine: voxel indices (i, j, k) to RAS in mm.
    :param name: start of the names of folder and volumes.
    :param beside: node beside which the folder is placed; at the top by default.
    :return: volume nodes by the name of their quantity.
    """
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    # An item that does not exist has the number 0, which is no parent.
    item = hierarchy.GetItemByDataNode(beside) if beside is not None else 0
    parent = hierarchy.GetItemParent(item) if item else hierarchy.GetSceneItemID()
    folder, nodes = hierarchy.CreateFolderItem(parent, f"{name} maps"), {}
    try:
        for quantityName, array in result.maps.items():
            node = nodes[quantityName] = addMapVolume(array, affine, quantityName, name)
            node.SetAttribute(SETTINGS_ATTRIBUTE, json.dumps(result.settings.as_dict()))
            node.SetAttribute(VERSION_ATTRIBUTE, __version__)
            # The application makes an item for each node that is added; without it there is none yet.
            item = hierarchy.GetItemByDataNode(node) or hierarchy.CreateItem(folder, node)
            hierarchy.SetItemParent(item, folder)
    except BaseException:
        for node in nodes.values():
            hierarchy.RemoveItem(hierarchy.GetItemByDataNode(node), False)
            removeWithDisplay(node)
        hierarchy.RemoveItem(folder)
        raise
    return nodes
