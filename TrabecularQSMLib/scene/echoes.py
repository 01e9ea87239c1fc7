"""Multi-echo scans as two sequence nodes, magnitude and phase, over the echo time."""

from collections.abc import Sequence

import numpy as np
import slicer
from slicer import vtkMRMLSequenceNode

from ..acquisition import GYROMAGNETIC_RATIO_HZ_PER_T, PATIENT_SUPERIOR, Acquisition
from ..errors import InputError, counted
from ..files.echoes import check_magnitude, to_complex
from ..images import geometry_difference
from ..progress import Progress, part, report
from .alive import keepAlive
from .b0 import B0_ATTRIBUTE, b0Along, b0DirectionOf, b0Notes
from .volumes import affineFromVolume, allOrNone, checkClass, freeName, gridDifference, hasVoxels, newVolume

INDEX_NAME, INDEX_UNIT = "EchoTime", "ms"
# Index names that are taken for echo times, without regard to case, spaces and underscores. A series over plain "time"
# is none: it may be a dynamic one.
ECHO_TIME_NAMES = ("echotime", "te")
# What a sequence has no place for; saved with the scene.
FREQUENCY_ATTRIBUTE = "TrabecularQSM.ImagingFrequencyHz"
# Node reference of a magnitude sequence to the phase sequence of the same scan.
PHASE_ROLE = "TrabecularQSM.Phase"
# Node reference of a sequence to the transform above the volumes of which it was made.
TRANSFORM_ROLE = "TrabecularQSM.Transform"
# Of a magnitude sequence that was read from DICOM: one of its files, or their folder.
SOURCE_ATTRIBUTE = "TrabecularQSM.DICOMSource"
# What a user should know about a scan or a result, one sentence a line.
NOTES_ATTRIBUTE = "TrabecularQSM.Notes"


def addEchoSequences(
    acquisition: Acquisition, name: str, progress: Progress | None = None
) -> tuple[vtkMRMLSequenceNode, vtkMRMLSequenceNode]:
    """Add a scan to the scene as sequences of its magnitude and phase.

    :param acquisition: the scan.
    :param name: start of the nodes' names.
    :param progress: ``progress(fraction, message)``, called before each image; if it raises, nothing is added.
    :return: magnitude sequence and phase sequence (radians), or None for a scan without phase.
    """
    affine, times, name = acquisition.affine, 1e3 * acquisition.echo_times, _scanName(name)
    parts = {"magnitude": np.abs, "phase": np.angle} if acquisition.has_phase else {"magnitude": np.abs}
    shares = (part(progress, 0.0, 0.4), part(progress, 0.4, 0.8))
    sequences = [
        _newSequence(f"{name} {word}", times, ((function(echo), affine) for echo in acquisition.echoes), share)
        for (word, function), share in zip(parts.items(), shares[: len(parts)], strict=True)
    ]
    along = b0Along(affine, acquisition.b0_patient)
    for sequence in sequences:
        sequence.SetAttribute(FREQUENCY_ATTRIBUTE, repr(acquisition.imaging_frequency))
        sequence.SetAttribute(B0_ATTRIBUTE, along)
    return (*_addAll(sequences, part(progress, 0.8, 1.0)), *[None] * (2 - len(sequences)))


def sequencesFromVolumes(
    magnitudeVolumes, phaseVolumes, echoTimesMs, name: str, progress: Progress | None = None
) -> tuple[vtkMRMLSequenceNode, vtkMRMLSequenceNode]:
    """Add a scan to the scene whose echoes were loaded as single volumes.

    :param magnitudeVolumes: scalar volumes, one for each echo.
    :param phaseVolumes: the same of the phase, in the same order; None for a scan without phase.
    :param echoTimesMs: echo times in ms, in the same order, which need not be that of time.
    :param name: start of the sequences' names.
    :param progress: ``progress(fraction, message)``, called before each image; if it raises, nothing is added.
    :return: magnitude sequence and phase sequence (or None), ordered by echo time; they are copies, and the volumes
        stay. A transform above the volumes is not applied, but is above the scan, see `transformOfScan`.
    :raises InputError: if the volumes are not such a scan, by their names.
    """
    magnitudeVolumes, alone = list(magnitudeVolumes), phaseVolumes is None
    phaseVolumes = magnitudeVolumes if alone else list(phaseVolumes)
    times = _checkedTimes(echoTimesMs, name)
    if not len(magnitudeVolumes) == len(phaseVolumes) == len(times) or not times:
        raise InputError(
            f"{name} has {counted(len(magnitudeVolumes), 'magnitude volume')}, "
            f"{counted(len(phaseVolumes), 'phase volume')} and {counted(len(times), 'echo time')}; "
            "choose one of each for every echo."
        )
    seen, voxels = set(), {}
    for volume in magnitudeVolumes if alone else (*magnitudeVolumes, *phaseVolumes):
        if volume is None or not _isScalarVolume(volume):
            found = "nothing" if volume is None else volume.GetName()
            raise InputError(f"Among the echoes of {name} is {found}, not a scalar volume with voxels; choose another.")
        if volume.GetID() in seen:
            raise InputError(f"The volume {volume.GetName()} is chosen twice for {name}; choose it for one echo only.")
        seen.add(volume.GetID())
        voxels[volume.GetID()] = slicer.util.arrayFromVolume(volume), affineFromVolume(volume)
        difference = gridDifference(magnitudeVolumes[0], volume)
        if difference:
            raise InputError(
                f"The volumes {magnitudeVolumes[0].GetName()} and {volume.GetName()} are on different grids: "
                f"{difference}; choose echoes of one scan that were not resampled."
            )
    parts, name = {"magnitude": magnitudeVolumes} | ({} if alone else {"phase": phaseVolumes}), _scanName(name)
    shares = (part(progress, 0.0, 0.4), part(progress, 0.4, 0.8))
    sequences = [
        _newSequence(f"{name} {word}", times, (voxels[volume.GetID()] for volume in volumes), share)
        for (word, volumes), share in zip(parts.items(), shares[: len(parts)], strict=True)
    ]
    for sequence in _addAll(sequences, part(progress, 0.8, 1.0)):
        sequence.SetNodeReferenceID(TRANSFORM_ROLE, magnitudeVolumes[0].GetTransformNodeID())
    return (*sequences, *[None] * (2 - len(sequences)))


def addEchoBrowser(magnitudeSequence, phaseSequence, progress: Progress | None = None):
    """Add a sequence browser with which both sequences are looked at, echo by echo.

    :param magnitudeSequence: sequence of magnitude volumes.
    :param phaseSequence: sequence of phase volumes, or None.
    :param progress: ``progress(fraction, message)``, called before each node; if it raises, nothing is added.
    :return: browser node; its proxy nodes are the volumes to show.
    """
    name = freeName(baseName(magnitudeSequence))
    with allOrNone() as added:
        report(progress, 0.0, f"Adding {name}")
        browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", name)
        added.append(browser)
        logic = slicer.modules.sequences.logic()
        for number, sequence in enumerate(filter(None, (magnitudeSequence, phaseSequence))):
            report(progress, 0.2 + 0.3 * number, f"Adding the volume that shows {sequence.GetName()}")
            logic.AddSynchronizedNode(sequence, None, browser)
            # Otherwise the volume has the sequence's name, and which of both a name finds is anyone's guess.
            proxy = browser.GetProxyNode(sequence)
            # The browser goes first: it would make the volumes it shows again.
            added.insert(0, proxy)
            proxy.SetName(freeName(f"{sequence.GetName()} echo"))
            proxy.SetAndObserveTransformNodeID(sequence.GetNodeReferenceID(TRANSFORM_ROLE))
        report(progress, 0.8, f"Showing {name}")
        logic.UpdateProxyNodesFromSequences(browser)
        report(progress, 1.0, f"Added {name}")
    return browser


def browsed(sequences, progress: Progress | None = None):
    """Add a browser to two sequences that were just added, and return it; if that fails, they are removed as well.

    :param sequences: magnitude and phase sequence.
    :param progress: as for `addEchoBrowser`.
    """
    with allOrNone() as added:
        added += sequences
        return addEchoBrowser(*sequences, progress)


def echoTimesFromSequence(sequence) -> np.ndarray:
    """Return the echo times of a sequence node in seconds.

    They are its index values, if the index is called EchoTime and has a unit of time, else the echo times that
    Slicer's multi-volume importer leaves as node attributes.

    :param sequence: magnitude or phase sequence.
    :raises InputError: if neither says echo times.
    """
    values = [sequence.GetNthIndexValue(n) for n in range(sequence.GetNumberOfDataNodes())]
    indexName, unit = sequence.GetIndexName() or "", (sequence.GetIndexUnit() or "").strip().lower()
    scale = {"ms": 1e-3, "s": 1.0}.get(unit)
    if "".join(filter(str.isalnum, indexName)).lower() not in ECHO_TIME_NAMES:
        scale = None
    if scale is None and sequence.GetAttribute("MultiVolume.FrameIdentifyingDICOMTagName") == "EchoTime":
        # DICOM has echo times in ms.
        values, scale = (sequence.GetAttribute("MultiVolume.FrameLabels") or "").split(","), 1e-3
    try:
        times = np.array([float(value) for value in values])
    except ValueError:
        scale = None
    if scale is None or len(times) != sequence.GetNumberOfDataNodes():
        raise InputError(
            f"The sequence {sequence.GetName()} has the index {indexName or 'without name'!r} in the unit "
            f"{unit or 'none'!r}; expected numbers under the name EchoTime in ms, so correct index name, unit and "
            "values, or give the echo times by hand."
        )
    return times * scale


def transformOfScan(sequence):
    """Return the transform node above a scan, or None: that of the volume which shows it, or of those it was made of.

    :param sequence: sequence of volumes.
    """
    proxy = proxyOf(sequence)
    return proxy.GetParentTransformNode() if proxy is not None else sequence.GetNodeReference(TRANSFORM_ROLE)


def phaseOf(magnitudeSequence):
    """Return the phase sequence that was made with a magnitude sequence, or None.

    :param magnitudeSequence: sequence of any origin.
    """
    return magnitudeSequence.GetNodeReference(PHASE_ROLE)


def holdsVolumes(sequence) -> bool:
    """Return whether the first item of a sequence is a scalar volume with voxels.

    :param sequence: any sequence node.
    """
    return sequence.GetNumberOfDataNodes() > 0 and _isScalarVolume(sequence.GetNthDataNode(0))


def notesOf(node) -> list[str]:
    """Return what a user should know about a scan or a result, one sentence each.

    :param node: magnitude sequence, map, or whatever else has the attribute `NOTES_ATTRIBUTE`.
    """
    return (node.GetAttribute(NOTES_ATTRIBUTE) or "").splitlines()


def addNotes(node, notes: Sequence[str]) -> None:
    """Add sentences to what a user should know of a node, which `notesOf` returns.

    :param node: any node.
    :param notes: one sentence each.
    """
    node.SetAttribute(NOTES_ATTRIBUTE, "\n".join([*notesOf(node), *notes]) or None)


def scanValues(magnitudeSequence) -> tuple:
    """Return what a sequence says about its scan: echo times in seconds, field strength in tesla, B0 direction in RAS.

    The first two are None where it does not say them. The direction turns with the grid, if a transform was hardened.

    :param magnitudeSequence: magnitude sequence of any origin.
    """
    frequency = magnitudeSequence.GetAttribute(FREQUENCY_ATTRIBUTE)
    return (
        _orElse(magnitudeSequence, None),
        float(frequency) / GYROMAGNETIC_RATIO_HZ_PER_T if frequency else None,
        b0DirectionOf(magnitudeSequence) or PATIENT_SUPERIOR,
    )


def acquisitionFromSequences(
    magnitudeSequence,
    phaseSequence,
    *,
    echoTimes=None,
    fieldStrength=None,
    b0Direction=None,
    progress: Progress | None = None,
) -> Acquisition:
    """Return the scan that two sequence nodes hold.

    :param magnitudeSequence: sequence of scalar volumes, one for each echo.
    :param phaseSequence: the same of the phase; stored integers are rescaled to radians, and noted. None for a scan
        without phase.
    :param echoTimes: seconds; by default what the magnitude sequence says.
    :param fieldStrength: tesla; needed if the sequence was not made by `addEchoSequences`.
    :param b0Direction: direction of B0 in the scan's own RAS, without the transform above it; by default what the
        magnitude sequence says, or superior, with a note where the scan lies turned.
    :param progress: ``progress(fraction, message)``; what it raises stops the reading.
    :raises InputError: if the sequences are not such a scan, by the nodes' names.
    """
    parts = {"magnitude": magnitudeSequence} | ({} if phaseSequence is None else {"phase": phaseSequence})
    for what, sequence in parts.items():
        checkSequence(sequence, what)
    sequences = list(parts.values())
    name = magnitudeSequence.GetName()
    count, phaseCount = (node.GetNumberOfDataNodes() for node in (sequences[0], sequences[-1]))
    if count != phaseCount:
        raise InputError(
            f"{name} has {counted(count, 'echo')} but {phaseSequence.GetName()} has {phaseCount}; "
            "choose the magnitude and the phase of one scan."
        )
    if echoTimes is None:
        echoTimes = echoTimesFromSequence(magnitudeSequence)
        if not np.allclose(echoTimes, _orElse(sequences[-1], echoTimes), rtol=1e-3):
            raise InputError(
                f"{name} and {phaseSequence.GetName()} have different echo times; "
                "choose the magnitude and the phase of one scan."
            )
    frequency = magnitudeSequence.GetAttribute(FREQUENCY_ATTRIBUTE)
    if count and fieldStrength is None and not frequency:
        raise InputError(f"{name} does not say its field strength; give it in tesla.")
    echoes, affine = _stacked(sequences, part(progress, 0.0, 0.6))
    known = b0DirectionOf(magnitudeSequence)
    notes = _shownNotes(magnitudeSequence) + _pairNotes(magnitudeSequence, phaseSequence) if count else []
    if count and b0Direction is None:
        notes += b0Notes(magnitudeSequence, transformOfScan(magnitudeSequence), known, affine)
    direction = b0Direction if b0Direction is not None else known

    def convert(told):
        report(told, 0.0, f"Reading the phase of {name}")
        decided = []
        if count and phaseSequence is None:
            decided = check_magnitude(echoes, name)
        elif count:
            decided = to_complex(echoes, ("mag", "phase"), f"{name} and {phaseSequence.GetName()}")
        return Acquisition(
            echoes=echoes,
            echo_times=echoTimes,
            affine=affine,
            field_strength=fieldStrength,
            imaging_frequency=float(frequency) if frequency and fieldStrength is None else None,
            source=name,
            notes=(*decided, *notes),
            b0_patient=direction,
            has_phase=phaseSequence is not None,
        )

    return keepAlive(convert, part(progress, 0.6, 1.0))


def _stacked(sequences, progress):
    """Volumes of one or two sequences as real and imaginary part, whatever they mean, with the first one's affine."""
    count = sequences[0].GetNumberOfDataNodes()
    echoes, affine = np.empty((0, 1, 1, 1), dtype=np.complex64), None
    for number in range(count):
        report(progress, number / count, f"Reading echo {number + 1} of {count}")
        for sequence, target in zip(sequences, ("real", "imag")[: len(sequences)], strict=True):
            array, itsAffine = _volume(sequence, number)
            if affine is None:
                echoes, affine = np.zeros((count, *array.shape), dtype=np.complex64), itsAffine
            difference = geometry_difference(echoes.shape[1:], affine, array.shape, itsAffine)
            if difference:
                raise InputError(
                    f"Echo {number + 1} of {sequence.GetName()} and the first echo of {sequences[0].GetName()} are on "
                    f"different grids: {difference}; choose echoes of one scan that were not resampled."
                )
            setattr(echoes[number], target, array)
    return echoes, affine


def checkSequence(node, what: str) -> None:
    """Raise `InputError` unless a node is a sequence.

    :param node: whatever was chosen.
    :param what: what it was chosen for, such as magnitude.
    """
    advice = "choose a sequence of one volume for each echo, or make one from loose volumes"
    checkClass(node, "vtkMRMLSequenceNode", f"the sequence of the {what}", advice)


def _shownNotes(sequence):
    """What a user should know where the volume that shows a scan does not lie where its echoes do."""
    proxy = proxyOf(sequence)
    if proxy is None or proxy.GetImageData() is None:
        return []
    grids = [
        (slicer.util.arrayFromVolume(one).shape, affineFromVolume(one)) for one in (proxy, sequence.GetNthDataNode(0))
    ]
    if not geometry_difference(*grids[0], *grids[1]):
        return []
    return [
        f"{proxy.GetName()} does not lie where the echoes of {sequence.GetName()} do, such as after a transform was "
        "hardened on it; the maps lie where the echoes do. Put it under the transform without hardening it."
    ]


def _pairNotes(magnitudeSequence, phaseSequence):
    """What a user should know where the phase is that of another scan."""
    sequences = slicer.util.getNodesByClass("vtkMRMLSequenceNode")
    others = [node for node in sequences if phaseSequence is not None and phaseOf(node) is phaseSequence]
    if not others or magnitudeSequence in others:
        return []
    return [
        f"{phaseSequence.GetName()} belongs to {others[0].GetName()}, not to {magnitudeSequence.GetName()}; choose the "
        "magnitude and the phase of one scan."
    ]


def proxyOf(sequence):
    """Return the volume that shows a sequence, or None.

    :param sequence: sequence of volumes.
    """
    browser = slicer.modules.sequences.logic().GetFirstBrowserNodeForSequenceNode(sequence)
    return browser.GetProxyNode(sequence) if browser is not None else None


def _checkedTimes(echoTimesMs, name):
    try:
        times = [float(time) for time in echoTimesMs]
    except (TypeError, ValueError):
        times = [np.nan]
    if not all(np.isfinite(time) and time > 0 for time in times):
        raise InputError(f"{name} has the echo times {echoTimesMs}; give one positive number in ms for each echo.")
    if len(set(times)) < len(times):
        listed = ", ".join(f"{time:g}" for time in times)
        raise InputError(f"{name} has the echo times {listed} ms, of which some are equal; give each echo its own.")
    return times


def _newSequence(name, echoTimesMs, volumes, progress):
    """Sequence node, in no scene yet, of pairs of voxels and affine; it puts them into the order of the echo times."""
    sequence = vtkMRMLSequenceNode()
    sequence.SetName(name)
    sequence.SetIndexName(INDEX_NAME)
    sequence.SetIndexUnit(INDEX_UNIT)
    sequence.SetIndexType(vtkMRMLSequenceNode.NumericIndex)
    count = len(echoTimesMs)
    for number, ((array, affine), echoTime) in enumerate(zip(volumes, echoTimesMs, strict=True), start=1):
        report(progress, number / count, f"Adding echo {number} of {count} of {name}")
        sequence.SetDataNodeAtValue(newVolume(array, affine, name), f"{echoTime:.9g}")
    return sequence


def _scanName(name):
    """Name for the sequences of a new scan, the volumes that show them and their browser."""
    return freeName(name, "", " magnitude", " phase", " magnitude echo", " phase echo")


def _addAll(sequences, progress):
    with allOrNone() as added:
        for number, sequence in enumerate(sequences):
            report(progress, number / len(sequences), f"Adding {sequence.GetName()}")
            added.append(slicer.mrmlScene.AddNode(sequence))
        if len(sequences) == 2:
            added[0].SetNodeReferenceID(PHASE_ROLE, added[1].GetID())
        report(progress, 1.0, "Added the echoes")
    return tuple(added)


def _isScalarVolume(node):
    if not node.IsA("vtkMRMLScalarVolumeNode") or not hasVoxels(node):
        return False
    return node.GetImageData().GetNumberOfScalarComponents() == 1  # vector volumes are scalar volumes by class


def baseName(sequence) -> str:
    """Name of a scan, from that of its magnitude sequence.

    :param sequence: magnitude sequence.
    """
    return sequence.GetName().removesuffix(" magnitude")


def _orElse(sequence, echoTimes):
    """Echo times of the second sequence, which need not say them."""
    try:
        return echoTimesFromSequence(sequence)
    except InputError:
        return echoTimes


def _volume(sequence, number):
    node = sequence.GetNthDataNode(number)
    if not _isScalarVolume(node):
        raise InputError(
            f"Item {number + 1} of {sequence.GetName()} is not a scalar volume with voxels; "
            "choose a sequence of volumes, one for each echo."
        )
    return slicer.util.arrayFromVolume(node), affineFromVolume(node)
