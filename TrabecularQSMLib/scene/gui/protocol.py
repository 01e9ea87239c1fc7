"""The steps about protocols of the module TrabecularQSMSimulation: parameters, and what is read from them."""

from functools import partial
from typing import Annotated

from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterPack

from ...errors import InputError, worded
from ...inversion import METHODS
from ...phantom.settings import READOUTS
from ...protocol.ankle import AnkleSettings
from ...protocol.bone import BoneSettings
from ...protocol.chain import ChainSettings, check_block
from ...protocol.estimate import Cost, ankle_cost, chain_cost, sweep_cost
from ...protocol.settings import ProtocolSettings
from ...protocol.sweep import SweepSettings
from ...settings import load_presets, preset
from ...simulation.settings import SHAPES
from ...study.estimate import free_memory, in_words
from .labels import eachOnce
from .numbers import echoTimesText, numbers, oneNumber

# How the inversion is called that is the preset's.
PRESETS_OWN = "preset"
_BONE = BoneSettings()


@parameterPack
class ProtocolParameters:
    """A protocol to assess.

    echo_times - Milliseconds, separated by spaces.
    trains - Interleaved trains.
    field_strength - Tesla.
    voxel_size - Millimeters along I, J, K.
    snr - Of marrow in the first echo.
    bandwidth - Hz of one voxel; 0 if it is not known.
    readout - Whether all echoes of a train are read in one direction.
    flip_angle, repetition_time - Degrees, and ms from pulse to pulse; 0 if they are not known.
    longest_echo - How late a last echo can be, ms; 0 for as late as the given one.
    ankle_draws - Draws of noise in the digital ankle, for χ of regions; 0 for none.
    """

    echo_times: str = "1.25 1.95 2.65 3.35 4.05 4.75 5.45 6.15 6.85"
    trains: Annotated[int, WithinRange(1, 4)] = 3
    field_strength: Annotated[float, WithinRange(0.01, 30.0)] = 3.0
    voxel_size: str = "1.5 1.5 1.5"
    snr: Annotated[float, WithinRange(1.0, 100000.0)] = 40.0
    bandwidth: Annotated[float, WithinRange(0.0, 1000000.0)] = 1431.0
    readout: Annotated[str, Choice(list(READOUTS))] = ProtocolSettings.readout
    flip_angle: Annotated[float, WithinRange(0.0, 90.0)] = 5.0
    repetition_time: Annotated[float, WithinRange(0.0, 10000.0)] = 13.0
    longest_echo: Annotated[float, WithinRange(0.0, 500.0)] = 0.0
    ankle_draws: Annotated[int, WithinRange(0, 10000)] = 0


@parameterPack
class BoneParameters:
    """Simulated bone that the protocol scans, and the conditions of a sweep.

    bvtv - BV/TV of the blocks, separated by spaces.
    repeats - Random geometries for each.
    shape, radius, orientation - Of the pieces of bone; the radius in voxels of 0.1 mm, the orientation R A S.
    concentration - Of their directions about it; empty where all lie in it.
    seed - Start of the random numbers.
    preset, inversion - Of the reconstruction.
    field_strengths, voxels, angles - Tesla, mm and degrees, separated by spaces; the protocol's own if empty.
    trains - Other echo trains in ms; a semicolon between two of them.
    """

    bvtv: str = " ".join(f"{one:g}" for one in _BONE.bvtv)
    repeats: Annotated[int, WithinRange(1, 1000)] = _BONE.repeats
    shape: Annotated[str, Choice(list(SHAPES))] = _BONE.shape
    radius: Annotated[int, WithinRange(1, (_BONE.size - 1) // 2)] = _BONE.radius
    orientation: str = " ".join(f"{one:g}" for one in _BONE.orientation)
    concentration: str = ""
    seed: Annotated[int, WithinRange(0, 2147483647)] = _BONE.seed
    preset: Annotated[str, Choice(list(load_presets()))] = "default"
    inversion: Annotated[str, Choice([PRESETS_OWN, *METHODS])] = PRESETS_OWN
    field_strengths: str = "1.5 3 7"
    voxels: str = ""
    angles: str = ""
    trains: str = ""


def protocolSettings(p) -> ProtocolSettings:
    """Return the protocol of the parameter node.

    :param p: parameters of the module.
    """
    given = p.protocol
    return ProtocolSettings(
        echo_times=tuple(time / 1e3 for time in numbers(given.echo_times, _("echo times"), "ms")),
        field_strength=given.field_strength,
        voxel_size=tuple(reversed(numbers(given.voxel_size, _("voxel sizes")))),
        snr=given.snr,
        bandwidth_hz=given.bandwidth or None,
        readout=given.readout,
        trains=given.trains,
        flip_angle=given.flip_angle or None,
        repetition_time=given.repetition_time / 1e3 or None,
        longest_echo=given.longest_echo / 1e3 or None,
    )


def ankleSettings(p) -> AnkleSettings | None:
    """Return how χ of regions is measured in the digital ankle; None if it is not.

    :param p: parameters of the module.
    """
    draws = p.protocol.ankle_draws
    return AnkleSettings(draws, _reconstruction(p.bone), p.bone.seed) if draws else None


def _reconstruction(b):
    changes = {} if b.inversion == PRESETS_OWN else {"inversion": b.inversion}
    return preset(b.preset, **changes)


def boneSettings(b: BoneParameters) -> BoneSettings:
    """Return what bone the protocol scans.

    :param b: parameters of the step.
    """
    return BoneSettings(
        bvtv=tuple(numbers(b.bvtv, _("values of BV/TV"))),
        repeats=b.repeats,
        shape=b.shape,
        radius=b.radius,
        orientation=tuple(numbers(b.orientation, _("components of the orientation"))),
        concentration=oneNumber(b.concentration, _("concentration")),
        seed=b.seed,
    )


def chainSettings(b: BoneParameters) -> ChainSettings:
    """Return the bone, and how its scan is reconstructed.

    :param b: parameters of the step.
    """
    return ChainSettings(boneSettings(b), _reconstruction(b))


def sweepSettings(b: BoneParameters, settings: ProtocolSettings) -> SweepSettings:
    """Return the bone, and the conditions under which it is looked at.

    :param b: parameters of the step.
    :param settings: the protocol, whose conditions are taken where none are given.
    """
    trains = [numbers(text, _("echo times"), "ms") for text in b.trains.split(";") if text.strip()]
    return SweepSettings.around(
        settings,
        boneSettings(b),
        field_strengths=tuple(numbers(b.field_strengths, _("field strengths"))),
        voxels_mm=tuple(numbers(b.voxels, _("voxel sizes"))),
        b0_degrees=tuple(numbers(b.angles, _("angles"))),
        trains=tuple(tuple(time / 1e3 for time in train) for train in trains),
    )


def onProtocol(p) -> tuple[str, str]:
    """Return what keeps the protocol from being assessed, and else how long that takes, for a button.

    :param p: parameters of the module.
    """
    if missing := missingOfProtocol(p):
        return missing, ""
    if not p.protocol.ankle_draws:
        return "", ""
    try:
        cost = ankle_cost(protocolSettings(p), ankleSettings(p))
    except InputError as error:
        return str(error), ""
    text = _("Assess protocol (about {time}, {memory} GB)")
    return _lacksMemory(cost), text.format(time=in_words(cost.seconds), memory=f"{cost.memory / 1e9:.1f}")


def missingOfProtocol(p) -> str:
    """Return what keeps the protocol from being assessed, in one phrase; nothing if it can.

    :param p: parameters of the module.
    """
    if not p.protocol.echo_times.strip():
        return _("Enter the echo times")
    try:
        protocolSettings(p)
    except InputError as error:
        return str(error)
    return ""


def onBone(p, isSweep: bool) -> tuple[str, str]:
    """Return what keeps bone from being scanned, and else how much of it takes how long, for a button.

    :param p: parameters of the module.
    :param isSweep: whether it is a sweep over conditions rather than a chain.
    """
    if missing := missingOfProtocol(p):
        return missing, ""
    if not p.bone.bvtv.strip():
        return _("Enter values of BV/TV"), ""
    try:
        settings = protocolSettings(p)
        if isSweep:
            what, cost = sweepSettings(p.bone, settings), sweep_cost
            text = _("Sweep (blocks: {count}, about {time}, {memory} GB)")
        else:
            what, cost = chainSettings(p.bone), partial(chain_cost, settings)
            check_block(settings, what.bone)
            text = _("Scan (blocks: {count}, about {time}, {memory} GB)")
    except InputError as error:
        return str(error), ""
    needed = cost(what)
    return _lacksMemory(needed), text.format(
        count=len(what.bone.points()), time=in_words(needed.seconds), memory=f"{needed.memory / 1e9:.1f}"
    )


def _lacksMemory(cost: Cost) -> str:
    free = free_memory()
    if free is None or cost.memory <= free:
        return ""
    return _(
        "It takes about {needed} GB of memory, and {free} GB are free; take larger voxels, or close programs."
    ).format(needed=f"{cost.memory / 1e9:.1f}", free=f"{free / 1e9:.1f}")


def protocolSummary(nodes) -> str:
    """Return some lines about a protocol: its noise, the subjects needed, and a better echo train.

    :param nodes: what `scene.protocolNodes` returned.
    """
    found = nodes.assessment
    field, r2star, pdff = found.marrow.worst()
    balls = [region for region in found.regions if region.radius_mm is not None]
    region = balls[len(balls) // 2]
    text = _(
        "Noise of a voxel: field {field:.3g} Hz, R2* {r2star:.3g} 1/s, fat fraction {pdff:.2g}; χ of a region of "
        "{radius:g} mm: {chi:.2g} ppm. Subjects in each of two groups: {count}."
    ).format(
        field=field,
        r2star=r2star,
        pdff=pdff,
        radius=region.radius_mm,
        chi=region.sigma_chi,
        count="–" if region.between is None else region.between,
    )
    if found.is_best:
        better = _("No better echo train was found for the same time.")
    else:
        times = echoTimesText(found.recommended.echo_times)
        better = _("Less noise in the same time: echoes at {times} ms, trains: {trains}.")
        better = better.format(times=times, trains=found.recommended.trains)
    return " ".join([text, better, _told(nodes)]).strip()


def _told(nodes) -> str:
    """Return the notes of nodes, with what the panel calls settings; what it has none for are plain words."""
    readout = f"'{_('Bandwidth and read-out')}'"
    labels = {
        "trains": f"'{_('Interleaved trains')}'",
        "readout": readout,
        "bandwidth_hz": readout,
        "echo_times": f"'{_('Echo times')}'",
        "bone_radius": f"'{_('Radius')}'",
        **{name: name.replace("_", " ") for name in ("gradient", "slew_rate", "shortest_echo", "chi_slope")},
    }
    return eachOnce(worded(" ".join(nodes.notes), labels))


def chainSummary(nodes) -> str:
    """Return what scans of simulated bone say of χ, R2* and fat fraction over BV/TV.

    :param nodes: what `scene.chainNodes` returned.
    """
    lines = {line.quantity: line for line in nodes.lines}
    if not lines:
        text = _("Measured blocks: {count}. Three or more of different BV/TV tell slope and bias.")
        return " ".join([text.format(count=len(nodes.rows)), _told(nodes)]).strip()
    chi, r2star, pdff = (lines[name] for name in ("chi", "r2star", "pdff"))
    text = _(
        "With BV/TV from 0 to 1, χ changes by {chi:+.3g} ppm ({share:.0%} of the true change) and R2* by {r2star:+.3g} "
        "1/s; they tell BV/TV to {byChi:.2g} and {byR2star:.2g}. The fat fraction is off by {bias:+.3f}."
    ).format(
        chi=chi.slope,
        share=chi.slope / chi.true_slope,
        r2star=r2star.slope,
        byChi=chi.scatter,
        byR2star=r2star.scatter,
        bias=pdff.bias,
    )
    return f"{text} {_told(nodes)}".strip()


def sweepSummary(nodes) -> str:
    """Return how far a sweep's R2*, bias of the fat fraction and part of χ reach.

    :param nodes: what `scene.sweepNodes` returned.
    """
    r2star, bias = ([row[name] for row in nodes.rows] for name in ("r2star", "pdff_bias"))
    back = [row["chi"] / row["chi_true"] for row in nodes.rows]
    text = _(
        "R2* {low:.0f} to {high:.0f} 1/s, fat fraction off by {least:+.3f} to {most:+.3f}, {less:.0%} to {more:.0%} of "
        "χ comes back. All charts lie in the folder {name}."
    ).format(
        low=min(r2star),
        high=max(r2star),
        least=min(bias),
        most=max(bias),
        less=min(back),
        more=max(back),
        name=nodes.table.GetName().removesuffix(" table"),
    )
    return f"{text} {_told(nodes)}".strip()
