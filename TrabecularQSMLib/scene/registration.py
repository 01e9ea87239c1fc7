"""Rigid registration of volumes; the result is a transform node above the moving volume, which can be taken back."""

import hashlib
import json
from collections.abc import Callable

import numpy as np
import slicer

from ..analysis.agreement import checkerboard
from ..analysis.information import on_images
from ..analysis.landmarks import register_landmarks
from ..analysis.registration import agreement, find_start, on_result, register_rigid
from ..errors import InputError
from ..images import resample
from ..progress import Progress, part, report
from .alive import keepAlive
from .brains import runBrains
from .folders import sameFolder
from .reconstruct import SETTINGS_ATTRIBUTE
from .regions import regionsFromSegmentation
from .volumes import (
    affineFromVolume,
    checkVolume,
    controlPoints,
    freeName,
    gridDifference,
    nameOf,
    newVolume,
    pointsInVolume,
    removeWithHelpers,
    transformBetween,
)

# How well the images agree, as JSON; saved with the scene.
QUALITY_ATTRIBUTE = "TrabecularQSM.Registration"
# Of a transform or a checkerboard: the volumes of which it is the result.
_FIXED_ROLE, _MOVING_ROLE = "TrabecularQSM.Fixed", "TrabecularQSM.Moving"
# From where a registration starts. "current" is what the user has set by hand: the transform above the moving volume.
STARTS = ("geometry", "moments", "current", "landmarks")


def registerNodes(
    fixed,
    moving,
    *,
    start: str = "geometry",
    landmarks: tuple | None = None,
    mask=None,
    useBrains: bool = False,
    run: Callable = runBrains,
    name: str | None = None,
    progress: Progress | None = None,
):
    """Register a volume to another one rigidly, and put it under the transform that was found, not hardened.

    The transform's matrix to its parent takes points of the moving volume to where they are in the fixed one. The
    transform that was above the moving volume before stays in the scene as it was. What belongs to the moving volume
    goes with it: segmentations that were drawn on it, such as a bone reference, the other maps of its run, its
    landmarks. Nothing changes if it fails or is cancelled.

    Where the moving volume is under the transform that was found for these two volumes before, that one is brought up
    to date: as the output of a Slicer module it is the result of the newest options, and the scene does not fill with
    transforms of which one alone is in use. Clone it in the module Data to keep it. With the same images and options
    nothing is computed, and nothing changes. A transform that was changed by hand since is kept, and a new one made.

    :param fixed: volume that stays, such as the echo MIP.
    :param moving: volume that is moved, such as the bSSFP or CT.
    :param start: one of `STARTS`.
    :param landmarks: point lists on the fixed and on the moving volume, in the same order, for the start "landmarks";
        the second one goes with the moving volume whatever the start.
    :param mask: segmentation on the fixed volume; only voxels in its segments count. All by default.
    :param useBrains: whether Slicer's module General Registration (BRAINS) registers, instead of this library.
    :param run: what runs BRAINS, for tests.
    :param name: name of a transform node that is new in any case.
    :param progress: ``progress(fraction, message)``; what it raises stops the run.
    :return: the transform node.
    :raises InputError: if the volumes, points or mask are none that can be registered, or one is deleted meanwhile.
    """
    for volume in (fixed, moving):
        checkVolume(volume, "image to register")
    if fixed is moving:
        raise InputError(f"{fixed.GetName()} is chosen as fixed and moving volume; choose two volumes.")
    initial = _initial(start, fixed, moving, landmarks)
    inside = None
    if mask is not None:
        inside = regionsFromSegmentation(mask, fixed)[0] > 0
        if not inside.any():
            raise InputError(f"{mask.GetName()} has no voxel inside {fixed.GetName()}; draw it there, or choose none.")
    images = [(slicer.util.arrayFromVolume(volume), affineFromVolume(volume)) for volume in (fixed, moving)]
    arrays = (*images[0], *images[1])
    known = None if name else _foundBefore(fixed, moving)
    # Added to zero, -0 is 0.
    options = start if start != "landmarks" else (initial.round(6) + 0.0).tolist(), useBrains
    request = _digest(arrays, inside, options)
    before = qualityOf(known) if known else {}
    if before.get("request") == request:
        matrix, quality = np.array(before["matrix"]), before | {"repeated": True}
    else:
        try:
            matrix, quality = _found((fixed, moving), arrays, initial, inside, useBrains and run, progress)
        except InputError as error:
            raise InputError(f"{moving.GetName()} to {fixed.GetName()}: {error}") from error
        quality |= {"request": request, "matrix": matrix.tolist()}
    _checkThere(fixed, moving)
    report(progress, 1.0, "Registered")
    points = (landmarks or (None, None))[1]
    return _putUnder(moving, fixed, matrix, known or name or f"{nameOf(moving)} to {nameOf(fixed)}", quality, points)


def _found(volumes, arrays, start, inside, run, progress):
    """Matrix from fixed to moving points, and its quality; by BRAINS if there is what runs it."""
    # Where the images lie after a search over shifts: from there BRAINS starts, and to it results are compared.
    searched, word = None, start if isinstance(start, str) else ""
    if run or word != "geometry":
        searched = keepAlive(
            lambda told: find_start(*arrays, fixed_mask=inside, progress=told), part(progress, 0.0, 0.2)
        )
    if run:
        if word == "moments":
            start = find_start(*arrays, start="moments", fixed_mask=inside)
        elif word == "geometry":
            start = searched
        matrix = run(*volumes, start, inside, part(progress, 0.2, 0.98))
        quality = {"program": "BRAINSFit"}
    else:
        found = keepAlive(
            lambda told: register_rigid(*arrays, start=start, fixed_mask=inside, progress=told),
            part(progress, 0.2, 0.98),
        )
        matrix = found.matrix
        quality = {
            "program": "SimpleITK",
            "mutual_information": found.mutual_information,
            "iterations": found.iterations,
            "converged": found.converged,
        }
    named = ((volume.GetName(), array) for volume, array in zip(volumes, arrays[::2], strict=True))
    quality["notes"] = on_images(*named)
    report(progress, 0.98, "Comparing the images")
    judged = keepAlive(
        lambda _told: agreement(*arrays, matrix, fixed_mask=inside, searched=searched), part(progress, 0.98, 1.0)
    )
    quality |= {"quality": judged.quality, "overlap": judged.overlap}
    if judged.warning:
        program = " Choose SimpleITK as the program." if run else ""
        quality["warning"] = judged.warning + program
    elif not run:
        quality["notes"] += on_result(found, judged)
    return matrix, quality


def _foundBefore(fixed, moving):
    """The transform above a volume if it was found for these two, and is as it was found; or None."""
    transform = moving.GetParentTransformNode()
    if transform is None or transform.GetTransformNodeID() != fixed.GetTransformNodeID():
        return None
    if _notedImages(transform) != (fixed, moving):
        return None
    asFound = np.allclose(pointsBetween(fixed, moving), qualityOf(transform)["matrix"], atol=1e-6)
    return transform if asFound else None


def _digest(arrays, inside, options):
    """Text that is another one where any of the images, the mask or the options is."""
    digest = hashlib.blake2b(json.dumps(options).encode(), digest_size=16)
    for array in (*arrays, *([] if inside is None else [inside])):
        digest.update(f"{array.shape} {array.dtype}".encode())
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


def qualityOf(transformNode) -> dict:
    """Return what `registerNodes` noted about a transform; empty for transforms of other origin.

    :param transformNode: any transform node.
    """
    return json.loads(transformNode.GetAttribute(QUALITY_ATTRIBUTE) or "{}")


def notesOnQuality(quality: dict) -> list[str]:
    """Return what a user should know of a registration, one sentence each.

    :param quality: what `qualityOf` returned.
    """
    return [*filter(None, [quality.get("warning")]), *quality.get("notes", [])]


def pointsBetween(fixed, moving) -> np.ndarray:
    """Return the matrix (4, 4) from points of a volume to those of another one, by the transforms above both.

    :param fixed: volume in whose own coordinates, without its transforms, points are given.
    :param moving: volume in whose own coordinates they are wanted.
    :raises InputError: if the transforms are not linear.
    """
    for volume in (fixed, moving):
        transform = volume.GetParentTransformNode()
        if transform is not None and not transform.IsTransformToWorldLinear():
            raise InputError(
                f"{volume.GetName()} is under {transform.GetName()}, which is not a linear transform; "
                "take it away or harden it first."
            )
    matrix = slicer.util.vtkMatrixFromArray(np.eye(4))
    slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(
        fixed.GetParentTransformNode(), moving.GetParentTransformNode(), matrix
    )
    return slicer.util.arrayFromVTKMatrix(matrix)


def checkerboardNodes(fixed, moving, tiles: int = 8, name: str | None = None, progress: Progress | None = None):
    """Return a volume on the fixed volume's grid whose tiles show the fixed and the moving volume in turn.

    The checkerboard that was made of these two before is brought up to date.

    :param fixed: volume that stays.
    :param moving: volume under its transform.
    :param tiles: how many along the longest edge.
    :param name: name of a volume that is new in any case.
    :param progress: ``progress(fraction, message)``; what it raises stops it.
    :raises InputError: if one of the volumes is none, or is deleted meanwhile.
    """
    for volume in (fixed, moving):
        checkVolume(volume)
    array, affine = slicer.util.arrayFromVolume(fixed), affineFromVolume(fixed)
    movingArray, movingAffine = slicer.util.arrayFromVolume(moving), affineFromVolume(moving)
    toMoving = pointsBetween(fixed, moving)

    def compute(told):
        report(told, 0.0, "Making the checkerboard")
        source = movingArray.astype(np.float32)
        moved = resample(source, movingAffine, array.shape, affine, toMoving, outside=np.nan)
        return checkerboard(array, moved, tiles)

    board = keepAlive(compute, progress)
    _checkThere(fixed, moving)
    node = newVolume(board, affine, freeName(name or f"{nameOf(moving)} on {nameOf(fixed)}"))
    known = None if name else _boardOf(fixed, moving)
    if known:
        # Another image, not other values in it: Undo keeps the one before.
        known.SetAndObserveImageData(node.GetImageData())
        known.CopyOrientation(node)
        known.SetAndObserveTransformNodeID(fixed.GetTransformNodeID())
        return known
    node.SetAndObserveTransformNodeID(fixed.GetTransformNodeID())
    slicer.mrmlScene.AddNode(node)
    try:
        _noteImages(node, fixed, moving)
        node.CreateDefaultDisplayNodes()
    except BaseException:
        removeWithHelpers(node)
        raise
    return node


def _checkThere(*volumes):
    """Raise `InputError` if a volume was deleted while its values were computed with: nothing can lie over it."""
    for volume in volumes:
        if volume.GetScene() is not slicer.mrmlScene:
            raise InputError(
                f"{volume.GetName()} was deleted during the computation, so nothing was changed; load it again."
            )


def _boardOf(fixed, moving):
    """The checkerboard of two volumes that is in the scene, or None."""
    volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    return next((node for node in volumes if _notedImages(node) == (fixed, moving)), None)


def _noteImages(result, fixed, moving):
    """Keep with a result of which volumes it is."""
    for role, node in ((_FIXED_ROLE, fixed), (_MOVING_ROLE, moving)):
        result.SetNodeReferenceID(role, node.GetID())


def _notedImages(result):
    return result.GetNodeReference(_FIXED_ROLE), result.GetNodeReference(_MOVING_ROLE)


def _initial(start, fixed, moving, landmarks):
    """Start as the library takes it: a word, or the matrix from fixed to moving points."""
    current = pointsBetween(fixed, moving)
    if start == "current":
        return current
    if start != "landmarks":
        return start
    lists = []
    landmarks = landmarks or (None, None)
    if landmarks[0] is landmarks[1] is not None:
        raise InputError(f"{landmarks[0].GetName()} is chosen as points on both volumes; choose a list for each.")
    for markups, volume in zip(landmarks, (fixed, moving), strict=True):
        if markups is None:
            raise InputError(f"The start from landmarks needs a point list on {volume.GetName()}; choose one.")
        lists.append(controlPoints(markups))
    if len(lists[0]) == len(lists[1]):
        # A point that is listed but not placed leaves its partner alone.
        placed = np.all(np.isfinite(np.hstack(lists)), axis=1)
        lists = [points[placed] for points in lists]
    return register_landmarks(pointsInVolume(lists[0], fixed), pointsInVolume(lists[1], moving))[0]


def _movedTogether(volume):
    """The volume, and what was drawn or computed on it and is where it is."""
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    above, volumes = volume.GetTransformNodeID(), [volume]
    if volume.GetAttribute(SETTINGS_ATTRIBUTE):
        volumes += [
            one
            for one in sameFolder(volume)
            if one is not volume and one.GetAttribute(SETTINGS_ATTRIBUTE) and not gridDifference(volume, one)
        ]
    drawn = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    return [
        *volumes,
        *(one for one in drawn if one.GetNodeReference(role) in volumes and one.GetTransformNodeID() == above),
    ]


def _putUnder(moving, fixed, matrix, transform, quality, points):
    """Put a volume and what goes with it under a transform that is there, or a new one of a name; return it."""
    isNew, moved = isinstance(transform, str), []
    if isNew:
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", freeName(transform))
    toVolume = transformBetween(points, moving) if points is not None else None
    together = _movedTogether(moving)
    try:
        # `matrix` takes fixed to moving points, as ITK has it; a transform node takes the moving volume to its parent.
        transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(np.linalg.inv(matrix)))
        transform.SetAndObserveTransformNodeID(fixed.GetTransformNodeID())
        _noteImages(transform, fixed, moving)
        transform.SetAttribute(QUALITY_ATTRIBUTE, json.dumps(quality))
        if "quality" in quality:
            description = f"Registration quality {quality['quality']:.3f} (0 to 1), overlap {quality['overlap']:.2f}."
            transform.SetDescription(" ".join([description, *notesOnQuality(quality)]))
        for node in together:
            moved.append((node, node.GetTransformNodeID()))
            node.SetAndObserveTransformNodeID(transform.GetID())
        if points is not None:
            # Set where the volume was seen until now: from here on they are its own points, and go where it goes.
            points.ApplyTransform(toVolume)
            points.SetAndObserveTransformNodeID(transform.GetID())
    except BaseException:
        for node, above in moved:
            node.SetAndObserveTransformNodeID(above)
        if isNew:
            removeWithHelpers(transform)
        raise
    return transform
