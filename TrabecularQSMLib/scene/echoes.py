"""Multi-echo scans as two sequence nodes, magnitude and phase, over the echo time."""

import numpy as np
import slicer
from slicer import vtkMRMLSequenceNode

from ..acquisition import Acquisition
from ..errors import InputError
from ..nifti import geometry_difference
from ..readers.phase import polar_to_complex
from .volumes import affineFromVolume, newVolume

INDEX_NAME, INDEX_UNIT = "EchoTime", "ms"
# What a sequence has no place for; saved with the scene.
FREQUENCY_ATTRIBUTE = "TrabecularQSM.ImagingFrequencyHz"
B0_ATTRIBUTE = "TrabecularQSM.B0DirectionRAS"


def addEchoSequences(acquisition: Acquisition, name: str) -> tuple[vtkMRMLSequenceNode, vtkMRMLSequenceNode]:
    """Add a scan to the scene as sequences of its magnitude and phase.

    :param acquisition: the scan.
    :param name: start of the nodes' names.
    :return: magnitude sequence and phase sequence (radians).
    """
    parts = {"magnitude": np.abs, "phase": np.angle}
    return tuple(_addSequence(acquisition, f"{name} {part}", function) for part, function in parts.items())


def echoTimesFromSequence(sequence) -> np.ndarray:
    """Return the echo times of a sequence node in seconds.

    They are its index values, if it has a unit of time, else the echo times that Slicer's multi-volume importer
    leaves as node attributes.

    :param sequence: magnitude or phase sequence.
    :raises InputError: if neither says echo times.
    """
    values = [sequence.GetNthIndexValue(n) for n in range(sequence.GetNumberOfDataNodes())]
    unit = (sequence.GetIndexUnit() or "").strip().lower()
    if unit not in ("ms", "s") and sequence.GetAttribute("MultiVolume.FrameIdentifyingDICOMTagName") == "EchoTime":
        values, unit = (sequence.GetAttribute("MultiVolume.FrameLabels") or "").split(","), "ms"
    try:
        times = np.array([float(value) for value in values])
    except ValueError:
        unit = ""
    if unit not in ("ms", "s"):
        raise InputError(
            f"The sequence {sequence.GetName()} has the index {sequence.GetIndexName() or 'without name'!r} in the "
            f"unit {sequence.GetIndexUnit() or 'none'!r}; expected echo times in ms, so set its index unit to ms and "
            "its index values to the echo times, or give echoTimes in seconds."
        )
    return times / 1e3 if unit == "ms" else times


def acquisitionFromSequences(
    magnitudeSequence, phaseSequence, *, echoTimes=None, fieldStrength=None, b0Direction=None
) -> Acquisition:
    """Return the scan that two sequence nodes hold.

    :param magnitudeSequence: sequence of scalar volumes, one for each echo.
    :param phaseSequence: the same of the phase; stored integers are rescaled to radians, and noted.
    :param echoTimes: seconds; by default what the magnitude sequence says.
    :param fieldStrength: tesla; needed if the sequence was not made by `addEchoSequences`.
    :param b0Direction: direction of B0 in RAS; superior by default.
    :raises InputError: if the sequences are not such a scan, by the nodes' names.
    """
    name = magnitudeSequence.GetName()
    count, phaseCount = (node.GetNumberOfDataNodes() for node in (magnitudeSequence, phaseSequence))
    if count != phaseCount:
        raise InputError(
            f"{name} has {count} echoes but {phaseSequence.GetName()} has {phaseCount}; "
            "choose the magnitude and the phase of one scan."
        )
    if echoTimes is None:
        echoTimes = echoTimesFromSequence(magnitudeSequence)
        if not np.allclose(echoTimes, _orElse(phaseSequence, echoTimes), rtol=1e-3):
            raise InputError(
                f"{name} and {phaseSequence.GetName()} have different echo times; "
                "choose the magnitude and the phase of one scan."
            )
    echoes = affine = None
    for number in range(count):
        for sequence, target in ((magnitudeSequence, "real"), (phaseSequence, "imag")):
            array, itsAffine = _volume(sequence, number)
            if echoes is None:
                echoes, affine = np.empty((count, *array.shape), dtype=np.complex64), itsAffine
            difference = geometry_difference(echoes.shape[1:], affine, array.shape, itsAffine)
            if difference:
                raise InputError(
                    f"Echo {number + 1} of {sequence.GetName()} and the first echo of {name} are on different grids: "
                    f"{difference}; choose echoes of one scan that were not resampled."
                )
            setattr(echoes[number], target, array)
    note = polar_to_complex(echoes, f"{name} and {phaseSequence.GetName()}") if echoes is not None else None
    frequency = magnitudeSequence.GetAttribute(FREQUENCY_ATTRIBUTE)
    direction = (magnitudeSequence.GetAttribute(B0_ATTRIBUTE) or "0 0 1") if b0Direction is None else b0Direction
    return Acquisition(
        echoes=np.empty((0, 1, 1, 1), dtype=np.complex64) if echoes is None else echoes,
        echo_times=echoTimes,
        affine=affine,
        field_strength=fieldStrength,
        imaging_frequency=float(frequency) if frequency and fieldStrength is None else None,
        source=name,
        notes=(note,) if note else (),
        b0_patient=tuple(float(x) for x in (direction.split() if isinstance(direction, str) else direction)),
    )


def _addSequence(acquisition, name, function):
    sequence = vtkMRMLSequenceNode()
    sequence.SetName(name)
    sequence.SetIndexName(INDEX_NAME)
    sequence.SetIndexUnit(INDEX_UNIT)
    sequence.SetIndexType(vtkMRMLSequenceNode.NumericIndex)
    sequence.SetAttribute(FREQUENCY_ATTRIBUTE, repr(acquisition.imaging_frequency))
    sequence.SetAttribute(B0_ATTRIBUTE, " ".join(repr(x) for x in acquisition.b0_patient))
    for echo, echoTime in zip(acquisition.echoes, acquisition.echo_times, strict=True):
        sequence.SetDataNodeAtValue(newVolume(function(echo), acquisition.affine, name), f"{1e3 * echoTime:.9g}")
    return slicer.mrmlScene.AddNode(sequence)


def _orElse(sequence, echoTimes):
    """Echo times of the second sequence, which need not say them."""
    try:
        return echoTimesFromSequence(sequence)
    except InputError:
        return echoTimes


def _volume(sequence, number):
    node = sequence.GetNthDataNode(number)
    if not node.IsA("vtkMRMLScalarVolumeNode") or node.GetImageData() is None:
        raise InputError(
            f"Item {number + 1} of {sequence.GetName()} is not a scalar volume with voxels; "
            "choose a sequence of volumes, one for each echo."
        )
    return slicer.util.arrayFromVolume(node), affineFromVolume(node)
