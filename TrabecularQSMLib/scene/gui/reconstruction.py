"""Parameters of the module TrabecularQSM, what is read from them, and what they lack."""

import contextlib
import functools
import itertools
import time
import typing
from dataclasses import fields
from typing import Annotated

import slicer
from slicer import vtkMRMLSegmentationNode
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterPack

from ...acquisition import ECHO_TIMES_S, FEWEST_ECHOES
from ...errors import InputError
from ...inversion.lcurve import checked_regularizations
from ...pipeline import LCURVE_COUNT
from ...pipeline.solving import effort
from ...settings import CHOICES, OPTIONAL, RANGES, Settings, preset
from ..bones import proposeMaskNode, proposeRegionsNodes
from ..echoes import SOURCE_ATTRIBUTE, holdsVolumes, notesOf, phaseOf, scanValues, sequencesFromVolumes
from ..load import LABELS
from ..regions import showOutlines
from ..volumes import removeWithHelpers
from .numbers import echoTimesText, numbers, oneNumber
from .panel import onButton

# Of the parameter node: the scan of which the acquisition was filled in, and with what.
_FILLED_FROM, _FILLED_STRENGTH, _FILLED_B0 = "filledFrom", "filledFieldStrength", "filledB0Direction"

# How a choice that may be left out is called. A number that may be left out is 0 then, the lowest value of its widget.
NOTHING = "nothing"
# Letters of notes beyond which the status line leaves them to the results.
_LONG_NOTES = 250
# Lowest value of a number that must be positive; the widgets show no more decimals.
SMALLEST = 1e-8


def _packed(name: str, value):
    """Value of a setting as the parameter node holds it."""
    return value if value is not None else NOTHING if name in CHOICES else 0


def _settingsPack():
    """Class with every field of Settings, with its default, choices and range."""
    annotations, defaults = {}, {}
    for name, hint in typing.get_type_hints(Settings).items():
        default = _packed(name, getattr(Settings, name))
        if name in CHOICES:
            annotations[name] = Annotated[str, Choice([_packed(name, choice) for choice in CHOICES[name]])]
        else:
            kind = int if int in (hint, *typing.get_args(hint)) else float
            low, high = RANGES[name]
            low = 0 if name in OPTIONAL else max(low, SMALLEST) if low > 0 else low
            annotations[name] = Annotated[kind, WithinRange(kind(low), kind(high))]
            default = kind(default)
        defaults[name] = default
    return parameterPack(type("SettingsParameters", (), {"__annotations__": annotations, **defaults}))


SettingsParameters = _settingsPack()


def packSettings(settings: Settings) -> SettingsParameters:
    """Return settings as the parameter node holds them.

    :param settings: those of the library.
    """
    return SettingsParameters(**{name: _packed(name, value) for name, value in settings.as_dict().items()})


def unpackSettings(pack: SettingsParameters) -> dict:
    """Return the values of settings by name, None where one is left out.

    :param pack: settings of the parameter node.
    """
    values = {field.name: getattr(pack, field.name) for field in fields(Settings)}
    return {
        name: None if value == NOTHING or (name in OPTIONAL and value == 0) else value for name, value in values.items()
    }


@parameterPack
class AcquisitionParameters:
    """What is known of the scan beside its voxels.

    field_strength - Tesla; 0 where it is not known.
    echo_times_ms - Echo times in ms, separated by spaces or commas.
    b0_direction - Direction of B0 in RAS.
    """

    field_strength: Annotated[float, WithinRange(0.0, 30.0)] = 0.0
    echo_times_ms: str = ""
    b0_direction: str = "0 0 1"


@parameterPack
class DicomParameters:
    """Maps as DICOM objects.

    source - DICOM file or folder of the scan, of which patient and study are taken.
    folder - Where the files go.
    regions - What is written as segmentation, with statistics.
    plain - Whether plain MR images are written as well.
    """

    source: str = ""
    folder: str = ""
    regions: vtkMRMLSegmentationNode | None
    plain: bool = False


def _orItsError(missing):
    """Let a function return as its phrase what is wrong input for it."""

    @functools.wraps(missing)
    def said(p) -> str:
        try:
            return missing(p)
        except InputError as error:
            return str(error)

    return said


def missingDicom(p, run) -> str:
    """Return what keeps maps from being written as DICOM, in one phrase; nothing if they can.

    :param p: parameters of the module.
    :param run: one of `scene.runsInScene`, or None.
    """
    if run is None:
        return _("Apply first: there are no maps")
    if not p.dicom.source.strip():
        return _("Choose the scan's DICOM files")
    return "" if p.dicom.folder.strip() else _("Choose the folder to write")


@_orItsError
def missing(p) -> str:
    """Return what keeps a run from starting, in one phrase; nothing if it can.

    :param p: parameters of the module.
    """
    magnitude, phase = p.magnitudeSequence, p.phaseSequence
    if not magnitude:
        return _("Select the magnitude sequence")
    if not phase and p.settings.magnitude_maps == "no":
        return _("Select the phase sequence")
    if magnitude is phase:
        return _("Magnitude and phase must be two sequences")
    if not holdsVolumes(magnitude):
        return _("The magnitude sequence holds no volumes")
    if phase and not holdsVolumes(phase):
        return _("The phase sequence holds no volumes")
    count = magnitude.GetNumberOfDataNodes()
    if phase and phase.GetNumberOfDataNodes() != count:
        return _("Magnitude and phase differ in number of echoes")
    if count < FEWEST_ECHOES:
        return _("At least three echoes are needed")
    found = _missingOfAcquisition(p.acquisition, count)
    if not found and p.maskSegmentation and not p.maskSegment:
        return _("Select a mask segment")
    return found


def _missingOfAcquisition(given: AcquisitionParameters, count: int) -> str:
    if not given.field_strength:
        return _("Enter the field strength")
    direction = numbers(given.b0_direction, _("components of B0"))
    if len(direction) != 3 or not any(direction):
        return _("Enter three numbers for the direction of B0")
    return _missingOfTimes(given.echo_times_ms, count)


def _missingOfTimes(text: str, count: int) -> str:
    times = _milliseconds(text)
    if len(times) != count:
        return _("Enter {count} echo times in ms").format(count=count)
    if min(times) <= 0 or any(after <= before for before, after in itertools.pairwise(times)):
        return _("Enter echo times that increase from above zero")
    least, most = (1e3 * limit for limit in ECHO_TIMES_S)
    return "" if least <= max(times) <= most else _("Enter the echo times in ms")


def _milliseconds(text: str) -> list[float]:
    return numbers(text, _("echo times"), "ms")


@_orItsError
def missingOfLCurve(p) -> str:
    """Return what keeps an L-curve from starting, in one phrase; nothing if it can.

    :param p: parameters of the module.
    """
    if values := numbers(p.lcurveRegularizations, _("λ values")):
        checked_regularizations(values)
    return missing(p)


@_orItsError
def missingOfLoose(p) -> str:
    """Return what keeps volumes from being made into sequences, in one phrase; nothing if they can.

    :param p: parameters of the module.
    """
    magnitudes, phases = _looseVolumes(p)
    if not magnitudes:
        return _("Tick the magnitude volumes")
    if not phases and p.settings.magnitude_maps == "no":
        return _("Tick the phase volumes")
    if phases and len(phases) != len(magnitudes):
        return _("Tick as many phase as magnitude volumes")
    times = _milliseconds(p.looseEchoTimes)
    return "" if len(times) == len(magnitudes) else _("Enter one echo time in ms for each volume")


def _looseVolumes(p) -> tuple[list, list]:
    return tuple([node for node in nodes if node] for nodes in (p.looseMagnitudes, p.loosePhases))


def fillAcquisition(p) -> None:
    """Take the acquisition from the magnitude sequence if another one was selected, and the phase that belongs to it.

    A field strength that was entered before, while no scan said one, is kept for a scan that does not say it.

    :param p: parameters of the module.
    """
    sequence, node = p.magnitudeSequence, p.parameterNode
    if not sequence or node.GetNodeReferenceID(_FILLED_FROM) == sequence.GetID():
        return
    times, strength, direction = scanValues(sequence)
    entered = 0.0 if float(node.GetAttribute(_FILLED_STRENGTH) or 0) else p.acquisition.field_strength
    with slicer.util.NodeModify(node):
        node.SetNodeReferenceID(_FILLED_FROM, sequence.GetID())
        p.phaseSequence = phaseOf(sequence) or p.phaseSequence
        p.acquisition = AcquisitionParameters(
            field_strength=round(strength, 4) if strength else entered,
            echo_times_ms=echoTimesText(times),
            b0_direction=" ".join(f"{x:.6g}" for x in direction),
        )
        p.dicom.source = sequence.GetAttribute(SOURCE_ATTRIBUTE) or p.dicom.source
        node.SetAttribute(_FILLED_STRENGTH, repr(strength or 0.0))
        node.SetAttribute(_FILLED_B0, p.acquisition.b0_direction)


def runOptions(p) -> dict:
    """Return the arguments of a run but for its settings, as they are now.

    :param p: parameters of the module.
    """
    times, strength, _direction = scanValues(p.magnitudeSequence)
    given = p.acquisition
    # What was not edited is taken from the sequence itself, with all its digits.
    same = given.echo_times_ms == echoTimesText(times)
    return {
        "magnitudeSequence": p.magnitudeSequence,
        "phaseSequence": p.phaseSequence,
        "maskSegmentation": p.maskSegmentation,
        "maskSegmentID": p.maskSegment or None,
        "echoTimes": None if same else [t / 1e3 for t in _milliseconds(given.echo_times_ms)],
        "fieldStrength": None if given.field_strength == round(strength or 0, 4) else given.field_strength,
        "b0Direction": None
        if given.b0_direction == p.parameterNode.GetAttribute(_FILLED_B0)
        else numbers(given.b0_direction, _("components of B0")),
        "name": p.outputName.strip() or None,
    }


def scanSummary(magnitudeSequence, _phaseSequence) -> str:
    """Return one line about a scan that was loaded, and what a user should know of it.

    :param magnitudeSequence: its magnitude.
    """
    first = magnitudeSequence.GetNthDataNode(0)
    strength = scanValues(magnitudeSequence)[1]
    count = magnitudeSequence.GetNumberOfDataNodes()
    one = _("{name}: one echo of {shape} voxels, {size} mm, {strength}.")
    several = _("{name}: {count} echoes of {shape} voxels, {size} mm, {strength}.")
    said = (one if count == 1 else several).format(
        name=magnitudeSequence.GetName().removesuffix(" magnitude"),
        count=count,
        shape=" × ".join(str(n) for n in first.GetImageData().GetDimensions()),
        size=" × ".join(f"{x:.3g}" for x in first.GetSpacing()),
        strength=f"{strength:.4g} T" if strength else _("field strength not known"),
    )
    return " ".join([said, *notesOf(magnitudeSequence)])


def proposeMask(p, maps: dict, progress=None):
    """Propose a mask, bones and what of the body is around them, and select it; return its node.

    :param p: parameters of the module; the bones are the regions of the L-curve, or are found if there are none.
    :param maps: volume nodes of a run by their quantity.
    :param progress: ``progress(fraction, message)``; what it raises stops the search.
    """
    found = None if p.lcurveRegions else proposeRegionsNodes(maps, progress=progress)
    try:
        mask = proposeMaskNode(maps, found or p.lcurveRegions)
    except BaseException:
        if found:
            removeWithHelpers(found)
        raise
    for node in filter(None, (found, mask)):
        showOutlines(node)
    with slicer.util.NodeModify(p.parameterNode):
        p.maskSegmentation, p.maskSegment = mask, mask.GetSegmentation().GetNthSegmentID(0)
    return mask


class Forecast:
    """How long runs take: from the last run of this session, or else from the digital ankle on two cores."""

    # Seconds for each voxel and echo of all stages before the inversion: 0.6 to 0.8 millionths on one processor of some
    # 3 GHz, of which the application needs its share.
    _USUAL = 1e-6
    _WORTH_SAYING_S = 30.0

    def __init__(self) -> None:
        self._rate = None

    @contextlib.contextmanager
    def learning(self, p, kept):
        """Take the time of a whole run, if it is not cancelled, and computes its fields itself.

        :param p: parameters of the module.
        :param kept: where fields are kept.
        """
        begun, share = time.monotonic(), _voxels(p) * (1 + effort(_settings(p)))
        whole = p.settings.stop_after == NOTHING
        yield
        if whole and share and not kept.were_used:
            self._rate = (time.monotonic() - begun) / share

    def ofRun(self, p) -> tuple[str, str]:
        """Return a text of the button Apply that says how long a run takes, and on what that is based.

        :param p: parameters of the module.
        :return: nothing where it is short, or cannot be started.
        """
        return self._said(p, _("Apply (about {time})"))

    def ofLCurve(self, p) -> tuple[str, str]:
        """Return the same of the button for the L-curve.

        :param p: parameters of the module.
        """
        if missingOfLCurve(p):
            return "", ""
        count = len(numbers(p.lcurveRegularizations, _("λ values"))) or LCURVE_COUNT
        text = _("Compute L-curve ({count} values, about {time})")
        return self._said(p, text, count)

    def _said(self, p, text, count=None):
        if missing(p):
            return "", ""
        try:
            inverting = effort(_settings(p)) if count is None else effort(_settings(p, stop_after=None), count)
        except InputError:  # said when the run is asked for
            return "", ""
        seconds = (self._rate or self._USUAL) * _voxels(p) * (1 + inverting)
        if seconds < self._WORTH_SAYING_S:
            return "", ""
        basis = (
            _(" The time is foretold from the last run of this session.")
            if self._rate
            else _(" The time is foretold for two cores of a laptop; after a run, from that run.")
        )
        time = f"{round(seconds / 60)} min" if seconds > 100 else f"{round(seconds / 10) * 10} s"
        return text.format(time=time, count=count), basis


def sayOnApply(button, missing: str, running: bool, cancelRequested: bool, forecast: tuple[str, str]) -> None:
    """Say on the button Apply what it does now.

    :param button: the button.
    :param missing: what keeps a run from starting.
    :param running: whether a run can be cancelled.
    :param cancelRequested: whether it was cancelled already.
    :param forecast: what `Forecast.ofRun` returned.
    """
    if running:
        button.text = _("Cancelling…") if cancelRequested else _("Cancel")
        button.toolTip = _("Stop; nothing is added to the scene.")
    else:
        button.text = onButton(missing or forecast[0] or _("Apply"))
        button.toolTip = missing or _("Compute the maps and put them into a folder of the scene.") + forecast[1]
    button.enabled = not cancelRequested if running else not missing


def mapsSummary(nodes: dict) -> str:
    """Return one line about a result and what a user should know of it.

    :param nodes: volume nodes of a run.
    """
    said = _("Added one map.") if len(nodes) == 1 else _("Added {count} maps.").format(count=len(nodes))
    notes = notesOf(next(iter(nodes.values())))
    if sum(map(len, notes)) > _LONG_NOTES:  # the results, which open below, would be pushed off a small screen
        notes = [_("What to know of them stands under 'Results', in {count} notes.").format(count=len(notes))]
    return " ".join([said, *notes])


def sequencesOfLoose(p, progress=None) -> tuple:
    """Make sequences of the volumes that are ticked, and return them.

    :param p: parameters of the module.
    :param progress: ``progress(fraction, message)``; if it raises, nothing is added.
    """
    magnitudes, phases = _looseVolumes(p)
    name = magnitudes[0].GetName() if magnitudes else "scan"
    if not phases and p.settings.magnitude_maps == "yes":
        phases = None
    return sequencesFromVolumes(magnitudes, phases, _milliseconds(p.looseEchoTimes), name, progress)


def loadOptions(p, labels: dict[str, str]) -> dict:
    """Return what `scene.loadScan` is told beside the path, as it is now.

    :param p: parameters of the module.
    :param labels: what `labels.labelsOf` returned for the panel, whose words sentences use.
    """
    widgets = {"voxel_size": "voxel_size", "echo_times": "file_echo_times", "field_strength": "file_field_strength"}
    widgets |= {"b0_direction": "b0_direction", **dict.fromkeys(LABELS.values(), "scan_labels")}
    return {
        "labels": p.scanLabels,
        "voxelSize": numbers(p.voxelSize, _("voxel sizes")) or None,
        "echoTimes": [time / 1e3 for time in _milliseconds(p.fileEchoTimes)] or None,
        "fieldStrength": oneNumber(p.fileFieldStrength, _("field strength")),
        "magnitudeAlone": p.settings.magnitude_maps == "yes",
        "words": {name: f"'{labels[parameter]}'" for name, parameter in widgets.items()},
    }


def _settings(p, **changes):
    """The settings of the panel."""
    return preset(p.preset, **unpackSettings(p.settings) | changes)


def _voxels(p) -> int:
    """Voxels of all echoes."""
    first = p.magnitudeSequence.GetNthDataNode(0)
    points = first.GetImageData().GetNumberOfPoints() if first is not None and first.GetImageData() else 0
    return points * p.magnitudeSequence.GetNumberOfDataNodes()
