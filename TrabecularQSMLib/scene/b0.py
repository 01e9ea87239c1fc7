"""The direction of B0 that nodes remember, and what there is to ask about it."""

import numpy as np
import slicer

from ..images import cosines
from .volumes import affineFromVolume

# The direction of B0 is along the grid's own axes i, j, k, with which it turns where a transform is hardened; scenes of
# earlier versions have it in RAS.
B0_ATTRIBUTE = "TrabecularQSM.B0DirectionIJK"
OLD_B0_ATTRIBUTE = "TrabecularQSM.B0DirectionRAS"
# A grid that is turned by more than this against the patient is worth a question about B0; scanners are that exact.
TURNED_DEGREES = 5.0


def b0Along(affine: np.ndarray, direction) -> str:
    """Return a direction of B0 as `B0_ATTRIBUTE` holds it: along a grid's own axes i, j, k.

    :param affine: voxel indices (i, j, k) to RAS in mm.
    :param direction: in RAS.
    """
    return " ".join(repr(float(x)) for x in np.linalg.solve(cosines(affine), direction))


def directionAlong(volumeNode) -> tuple[float, float, float] | None:
    """Return the direction of B0 that a map remembers, along its axes i, j, k; None where it does not.

    :param volumeNode: a map.
    """
    along = volumeNode.GetAttribute(B0_ATTRIBUTE)
    return tuple(float(x) for x in along.split()) if along else None


def directionOf(volumeNode) -> tuple[float, float, float] | None:
    """Return the direction of B0 in RAS that a map remembers; None where it does not.

    :param volumeNode: a map.
    """
    along = directionAlong(volumeNode)
    return None if along is None else _inRAS(affineFromVolume(volumeNode), along)


def b0DirectionOf(sequence) -> tuple[float, float, float] | None:
    """Return the direction of B0 in RAS, or None where a sequence does not say it.

    :param sequence: magnitudes of a scan.
    """
    along, old = (sequence.GetAttribute(name) for name in (B0_ATTRIBUTE, OLD_B0_ATTRIBUTE))
    if along and sequence.GetNumberOfDataNodes():
        return _inRAS(affineFromVolume(sequence.GetNthDataNode(0)), [float(x) for x in along.split()])
    return tuple(float(x) for x in old.split()) if old else None


def b0Notes(sequence, above, known, affine: np.ndarray) -> list[str]:
    """Return what a user should answer about a direction of B0 that is taken without having been given.

    :param sequence: magnitudes of a scan.
    :param above: transform that the scan is under, or None.
    :param known: direction that the sequence says, or None.
    :param affine: of its grid, voxel indices (i, j, k) to RAS in mm.
    """
    name = sequence.GetName()
    if above is not None and _turns(above):
        return [
            f"{name} is under the transform {above.GetName()}, which turns it; B0 was taken as the scan has it "
            "without that transform. If the transform sets right how the scan lay in the scanner, harden it, or give "
            "the direction of B0."
        ]
    angle = np.degrees(np.arccos(min(1.0, np.abs(cosines(affine)[2]).max())))
    if known is None and angle > TURNED_DEGREES:
        return [
            f"{name} does not say the direction of B0, and its grid is tilted by {angle:.0f}° against the patient's "
            "axis; B0 was taken along S. If the scan was turned after it was acquired, give the direction of B0."
        ]
    return []


def _inRAS(affine, along):
    # Rounding is no direction.
    return tuple((np.round(cosines(affine) @ along, 12) + 0.0).tolist())


def _turns(transform):
    """Whether a transform takes the direction S to another one."""
    matrix = slicer.util.vtkMatrixFromArray(np.eye(4))
    if not transform.IsTransformToWorldLinear():
        return True
    transform.GetMatrixTransformToWorld(matrix)
    superior = slicer.util.arrayFromVTKMatrix(matrix)[:3, 2]
    return superior[2] < np.cos(np.radians(TURNED_DEGREES)) * np.linalg.norm(superior)
