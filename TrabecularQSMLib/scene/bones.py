"""Bones, a mask for χ and a bone reference proposed from nodes, as segments to be edited."""

import numpy as np
import slicer

from ..analysis.bones import cortex_reference, mask_around, propose_bones
from ..errors import InputError
from ..files.terminology import proposed_codes
from ..progress import Progress, part, report
from ..quantities import ALL_QUANTITIES
from .alive import keepAlive
from .echoes import NOTES_ATTRIBUTE
from .regions import addSegmentation, regionsFromSegmentation
from .volumes import affineFromVolume, checkVolume, gridDifference, nameOf, quantityOf


def proposeRegionsNodes(
    maps, side: str | None = None, progress: Progress | None = None, *, cut: bool = True, name: str | None = None
):
    """Propose the bones that maps show as segments with names and terminology, to be looked at and edited.

    Nothing is added if it fails or is cancelled. What a user should know is in the node's attribute
    `NOTES_ATTRIBUTE`.

    :param maps: volumes of fat fraction and echo MIP of one scan, or a dictionary of them such as `reconstructNodes`
        returns; others in it do not matter.
    :param side: "left", "right" or, for none, "not stated"; part of the terminology, and the foot that is named where
        the maps show both.
    :param progress: ``progress(fraction, message)``; what it raises stops the search.
    :param cut: whether the calcaneus is cut into subtalar region, tuber and cavum.
    :param name: name of the node; by default that of the folder's scan and "proposed regions".
    :return: the segmentation node.
    :raises InputError: if a map is missing or on another grid, or no bone is found.
    """
    side = None if side == "not stated" else side
    volumes = _mapsByQuantity(maps, ("pdff", "mip"))
    affine = affineFromVolume(volumes["pdff"])
    arrays = {quantity: slicer.util.arrayFromVolume(volume) for quantity, volume in volumes.items()}
    found = keepAlive(lambda told: propose_bones(arrays, affine, side=side, cut=cut, progress=told), progress)
    if not found.names:
        raise InputError(f"{volumes['pdff'].GetName()} shows no marrow behind cortex; draw the regions by hand.")
    scan = nameOf(volumes["pdff"]).removesuffix(f" {ALL_QUANTITIES['pdff'].title.lower()}")
    name = name or f"{scan} proposed regions"
    node = _added(found.labels, found.names, volumes["pdff"], name, proposed_codes(found.names.values(), side))
    if found.notes:
        node.SetAttribute(NOTES_ATTRIBUTE, "\n".join(found.notes))
    return node


def proposeMaskNode(maps, segmentation, name: str | None = None):
    """Propose where χ is solved, bones and what of the body is around them, as the segment "mask" of a new node.

    :param maps: as in `proposeRegionsNodes`, with the map "mask" of where the field can be used.
    :param segmentation: the bones.
    :param name: name of the node; by default that of the segmentation and "mask".
    :raises InputError: if no bone is in the body.
    """
    body = _mapsByQuantity(maps, ("mask",))["mask"]
    labels, _ = regionsFromSegmentation(segmentation, body)
    inside = mask_around(labels, slicer.util.arrayFromVolume(body), affineFromVolume(body))
    return _added(inside, {1: "mask"}, body, name or f"{segmentation.GetName()} mask")


def proposeBoneReferenceNode(image, segmentation, name: str | None = None, progress: Progress | None = None):
    """Propose the bone reference of apparent BV/TV, dark cortex at the bones, as the segment "bone" of a new node.

    :param image: bSSFP volume, registered to where the bones are.
    :param segmentation: the bones.
    :param name: name of the node; by default that of the image and "bone reference".
    :param progress: ``progress(fraction, message)``; what it raises stops the search.
    :raises InputError: if no bone lies on the image, or it shows no cortex.
    """
    checkVolume(image)
    labels, _ = regionsFromSegmentation(segmentation, image, progress=part(progress, 0.0, 0.3))
    array, affine = slicer.util.arrayFromVolume(image), affineFromVolume(image)

    def search(told):
        report(told, 0.0, "Looking for cortex")
        return cortex_reference(array, labels, affine)

    try:
        bone = keepAlive(search, part(progress, 0.3, 1.0))
    except InputError as error:
        raise InputError(f"{image.GetName()}: {error}") from error
    return _added(bone, {1: "bone"}, image, name or f"{nameOf(image)} bone reference", proposed_codes(["bone"]))


def _mapsByQuantity(maps, needed):
    """Volumes by the quantities that are needed, all on one grid."""
    volumes = maps.values() if isinstance(maps, dict) else maps
    found = {}
    for volume in volumes:
        checkVolume(volume, "map")
        quantity = quantityOf(volume)[0]
        if quantity in needed and quantity in found:
            raise InputError(
                f"{found[quantity].GetName()} and {volume.GetName()} are both {quantity}; give the maps of one scan."
            )
        if quantity in needed:
            found[quantity] = volume
    for quantity in needed:
        if quantity not in found:
            raise InputError(f"There is no map of {quantity} among the volumes; choose the maps of one reconstruction.")
        difference = gridDifference(found[needed[0]], found[quantity])
        if difference:
            raise InputError(
                f"The volumes {found[needed[0]].GetName()} and {found[quantity].GetName()} are on different grids: "
                f"{difference}; choose the maps of one reconstruction."
            )
    return found


def _added(labels, names, volume, name, codes=None):
    node = addSegmentation(np.asarray(labels, np.int16), names, affineFromVolume(volume), name, codes=codes)
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    node.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
    return node
