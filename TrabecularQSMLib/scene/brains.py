"""Registration by Slicer's module General Registration (BRAINS), which runs as a program of its own."""

import time
from collections.abc import Callable

import numpy as np
import slicer

from ..analysis.registration import SAMPLES
from ..errors import Cancelled, InputError
from ..progress import Progress, report
from .volumes import affineFromVolume, removeWithHelpers

_POLL_SECONDS, _LONGEST_END_SECONDS = 0.05, 20.0
_LONGEST_ERROR = 1000  # characters, the last ones


def brainsParameters(fixed, moving, transform, *, initialTransform, mask=None) -> dict:
    """Return the arguments of BRAINSFit for a rigid registration, which is told where to start.

    Its own starts put the sample's bSSFP 27 mm and more away from where it belongs. It compares as many voxels as this
    library does: with the 2 % of Slicer's example it moves the sample's CT away from a start that is closer.

    :param fixed: fixed volume.
    :param moving: moving volume.
    :param transform: linear transform node that takes the result.
    :param initialTransform: linear transform node to start from, as one would put the moving volume under it.
    :param mask: label map node on the fixed volume.
    """
    compared = np.count_nonzero(slicer.util.arrayFromVolume(mask)) if mask else fixed.GetImageData().GetNumberOfPoints()
    parameters = {
        "fixedVolume": fixed,
        "movingVolume": moving,
        "linearTransform": transform,
        "useRigid": True,
        "samplingPercentage": min(1.0, SAMPLES / compared),
        "initializeTransformMode": "Off",
        "initialTransform": initialTransform,
    }
    if mask is not None:
        parameters |= {"maskProcessingMode": "ROI", "fixedBinaryVolume": mask}
    return parameters


def runBrains(fixed, moving, start, inside, progress: Progress | None = None, *, command: Callable | None = None):
    """Register with BRAINSFit and return the matrix (4, 4) from fixed to moving points.

    :param fixed: fixed volume.
    :param moving: moving volume; what is above it is as before when this ends.
    :param start: matrix from fixed to moving points.
    :param inside: mask [k, j, i] on the fixed volume, or None.
    :param progress: ``progress(fraction, message)``; what it raises stops the program.
    :param command: function of the arguments and `progress` that runs the program; Slicer's by default.
    :raises InputError: if the module is not there.
    :raises RuntimeError: if the program fails.
    """
    above, added = moving.GetTransformNodeID(), []

    def transformNode(name, matrix):
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", name)
        added.append(node)
        node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
        return node

    try:
        result = transformNode("BRAINS result", np.eye(4))
        initial = transformNode("BRAINS start", np.linalg.inv(start))
        mask = None if inside is None else _addLabelMap(added, inside, affineFromVolume(fixed))
        parameters = brainsParameters(fixed, moving, result, initialTransform=initial, mask=mask)
        (command or _runInSlicer)(parameters, progress)
        # Slicer reads the program's transform, which maps fixed to moving points as ITK does, as the node that takes
        # the moving volume onto the fixed one.
        toParent = slicer.util.vtkMatrixFromArray(np.eye(4))
        result.GetMatrixTransformToParent(toParent)
        return np.linalg.inv(slicer.util.arrayFromVTKMatrix(toParent))
    finally:
        # Slicer puts the moving volume under the result by itself.
        moving.SetAndObserveTransformNodeID(above)
        for node in reversed(added):
            removeWithHelpers(node)


def _runInSlicer(parameters, progress):
    module = getattr(slicer.modules, "brainsfit", None)
    if module is None:
        raise InputError(
            "The module General Registration (BRAINS) is not in this Slicer; choose the other registration method."
        )
    node = slicer.cli.run(module, None, parameters)
    try:
        while node.IsBusy():
            report(progress, node.GetProgress() / 100, "General Registration (BRAINS)")
            # The program's end arrives as an event, also where no panel lets them pass.
            slicer.app.processEvents()
            time.sleep(_POLL_SECONDS)
        if node.GetStatus() & node.Cancelled:
            raise Cancelled
        if node.GetStatus() & node.ErrorsMask or not node.GetStatus() & node.Completed:
            # The program says some of its errors where it says all else.
            said = " ".join(filter(None, (node.GetErrorText(), node.GetOutputText())))
            raise RuntimeError(f"General Registration (BRAINS) failed: {said[-_LONGEST_ERROR:] or 'it did not start'}")
    except BaseException:
        node.Cancel()
        end = time.monotonic() + _LONGEST_END_SECONDS
        while node.IsBusy() and time.monotonic() < end:
            slicer.app.processEvents()
            time.sleep(_POLL_SECONDS)
        raise
    finally:
        removeWithHelpers(node)


def _addLabelMap(added, inside, affine):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "BRAINS mask")
    added.append(node)
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(affine))
    slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(inside, dtype=np.uint8))
    return node
