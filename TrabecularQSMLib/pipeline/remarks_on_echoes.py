"""What echoes say of their scan, header and export, and of how they were fitted, in sentences."""

from collections.abc import Sequence

import numpy as np

from ..fieldmap.contradiction import Contradiction
from ..fieldmap.displacement import Displacement
from ..fieldmap.gains import EchoGains
from ..fieldmap.kind import Kind
from ..fieldmap.mistakes import Mistake
from ..fieldmap.readout import SURE
from ..fieldmap.separation import Separation
from ..fieldmap.signal import common_spacing
from ..fieldmap.unwrap import PartApart
from ..settings import Settings
from .remarks import DIRECTIONS

# A part cut off by air is told of where the field changes by more than this part of a period on the way to it, or where
# another minimum costs its voxels less than this on average, which errors of echoes may do.
_STEEP, _TORN = 0.25, 1.0
# From voxel to voxel the field of a whole image changes by less than this part of its period (0.03 at most in right
# scans); from a fifth on, fat and water are exchanged in parts of it.
_STEEP_STEP = 0.17
# Errors of single echoes, as logarithms, beyond which it is doubted that they are such.
_LARGE_GAIN = 0.4
# An echo stands out of noise above so many standard deviations of it; fewer than these say little of water and fat.
_ABOVE_NOISE, _FEWEST_ABOVE = 3.0, 4
# Phases between groups of echoes, at the center or from there to the edge, for which a plain read-out that was given is
# doubted, in rad: errors of single echoes of 10 % leave 0.21 at the center, of 5 % 0.16 to the edge in two organs. The
# second holds where single echoes are off by nothing else.
_LEAST_PHASE, _LEAST_PLAIN_PHASE = 0.25, 0.1
# Noise is so many times as much alike in neighbors as by chance.
_SHARED = 1.2
_EVEN_AND_ODD = "even and odd echoes (bipolar read-out or two trains)"
_POWERS = {0.5: "root", 2.0: "square"}
_OFF_BY_ONE = "Do not trust the maps before magnitude and phase of each echo have been put together again."


def on_kind(kind: Kind, settings: Settings, found: Settings, echo_times: Sequence[float]) -> list[str]:
    """What sort of scan was found, where `settings` left it to the data; `found` has the answer."""
    notes, groups = [], kind.groups
    if settings.phase_sign == "auto" and kind.likely_sign:
        notes.append(
            f"The sign of the phase is likely but not sure from {len(echo_times)} echoes, in which errors of single "
            f"ones, or noise, may feign it: fat fits better by {kind.sign_errors:.0f} standard errors if the phase "
            f"{'grows' if kind.sign > 0 else 'falls'} with frequency, so this was taken; set the phase sign if you "
            "know it."
        )
    elif settings.phase_sign == "auto" and not kind.sure_of_sign:
        notes.append(
            "The sign of the phase cannot be told from this scan (both fit alike, as without fat, or errors of echoes "
            "or another substance, such as silicone, hide it), so it was taken to grow with frequency; set the phase "
            "sign if it falls."
        )
    elif settings.phase_sign == "auto" and kind.sign < 0:
        notes.append(
            "The phase falls with frequency in this scan (fat fits better that way by "
            f"{kind.sign_errors:.0f} standard errors); it was conjugated."
        )
    if kind.far_off_hz is not None:
        half = 1 / common_spacing(echo_times) / 2
        notes.append(
            f"The field as a whole lies {kind.far_off_hz:+.0f} Hz off the scanner's frequency, and near it if moved by "
            f"half a period ({half:.0f} Hz): probably every other echo is negated, as some read-outs store them. The "
            "field in Hz is then off by half a period everywhere, and χ is right."
        )
    if kind.jump_ppm is not None:
        notes.append(
            f"The field jumps by {kind.jump_ppm:+.1f} ppm from water to fat, more than their susceptibility can do: do "
            "not trust the maps before scale and sign of the phase, echo times and field strength have been checked."
        )
    if groups is not None:
        period = groups.period_hz(echo_times)
        what = [] if found.readout == "monopolar" else [_EVEN_AND_ODD]
        what += [] if found.trains == "1" else [f"echoes of {found.trains} interleaved trains"]
        axis = int(np.abs(groups.slope).sum(axis=0).argmax())
        gains = ", ".join(
            f"{offset:+.2f} {slope:+.2f} rad and {100 * np.expm1(magnitude):+.1f} %"
            for offset, slope, magnitude in zip(
                groups.offset[1:], groups.slope[1:, axis], groups.magnitude[1:], strict=True
            )
        )
        notes.append(
            f"Phase and magnitude differ between {' and '.join(what)}: by {gains} (at the center, from there "
            f"to the edge {DIRECTIONS[axis]}, in magnitude; {kind.groups_errors:.0f} standard errors); this was "
            f"taken off, and the field as a whole is known up to {period:.0f} Hz. Set "
            "readout and trains if the scan is of another kind."
        )
    elif len(echo_times) == 3:
        notes.append(
            "From three echoes nothing tells whether the read-out is bipolar; a phase between even and odd echoes "
            "would be taken for fat."
        )
    return notes


def on_given_sign(kind: Kind, asked: Kind) -> list[str]:
    """Where the sign of the phase that was given, as in `kind`, is not the one that the echoes say when `asked`."""
    if not asked.sure_of_sign or asked.sign == kind.sign:
        return []
    return [
        f"The phase sign was set to {kind.sign:+d}, and this was taken, but fat fits better by {asked.sign_errors:.0f} "
        f"standard errors with {asked.sign:+d}: field, χ and fat fraction are wrong unless you know it otherwise; "
        "leave the phase sign to the data (auto)."
    ]


def on_given_readout(asked: Kind, plain: bool = False) -> list[str]:
    """Where read-out and trains were given as plain, but echoes `asked` have phases of groups, as no errors leave.

    `plain` says that gains of single echoes are little but those of the groups.
    """
    groups, least = asked.groups, _LEAST_PLAIN_PHASE if plain else _LEAST_PHASE
    if groups is None or max(np.abs(groups.offset).max(), np.abs(groups.slope).max()) < least:
        return []
    if not plain and asked.groups_errors < SURE:
        return []
    what = _EVEN_AND_ODD if asked.bipolar else f"echoes of {asked.trains} interleaved trains"
    return [
        f"The settings say that all echoes are read alike (readout monopolar, one train), and this was taken, but the "
        f"phase differs between {what} by up to {np.abs(groups.offset).max():.2f} rad at the center and as much as "
        f"{np.abs(groups.slope).max():.2f} rad more at the edge ({asked.groups_errors:.0f} standard errors): fat "
        "fraction and field are wrong unless you know it otherwise; leave readout and trains to the data (auto)."
    ]


def on_denoising(shared: float) -> list[str]:
    """Where noise in the echoes of neighbors points so many times as often in one direction as by chance."""
    if shared < _SHARED:
        return []
    return [
        "Noise was taken off all echoes together, as by principal components of patches: what is noise in the echoes "
        f"of neighbors is {shared:.1f} times as much alike as by chance. Standard deviations and standard errors are "
        "smaller than the errors of the maps then; give the echoes as they were before denoising if these matter."
    ]


def on_decay(voxels: np.ndarray, noise: float) -> list[str]:
    """Where noise leaves few of the echoes (E, V) of most voxels; `noise` is that of the real channel."""
    echoes = len(voxels)
    above = np.count_nonzero(np.abs(voxels) > _ABOVE_NOISE * noise, axis=0)
    if echoes < _FEWEST_ABOVE or not above.size or (left := np.median(above)) >= _FEWEST_ABOVE:
        return []
    return [
        f"In half of the voxels or more only {left:.0f} of {echoes} echoes stand out of noise, so fast does the signal "
        "decay, or so weak is it: water may be taken for fat and fat for water all over the image, with either sign of "
        "the phase, and no map says so; check the fat fraction in a tissue that is known, or acquire echoes earlier "
        "and closer together."
    ]


def on_mistake(mistake: Mistake | None) -> list[str]:
    """What is wrong in the header or the export, as the echoes show."""
    if mistake is None:
        return []
    number, which = mistake.number, f"echo {mistake.number}" if mistake.number else "every other echo"
    undone = {
        "scale": f"if fat lay {number:.2g} times as far from water, as with so much larger times or field strength",
        "offset": f"if all echo times were {1e3 * abs(number):.2g} ms {'later' if number > 0 else 'earlier'}",
        "order": f"if echoes {number} and {number + 1} changed places",
        "reversed": "in the reverse order of echoes",
        "gap": f"if an echo were missing behind echo {number}, so that the later ones have later echo times",
        "negated": f"if {which} were negated",
        "conjugated": f"if the phase of {which} were negated",
        "power": f"with the {_POWERS.get(number, f'power {number:.2g}')} of the magnitude in its place",
        "magnitude": f"if each magnitude were that of the echo {'behind' if number > 0 else 'before'} it",
        "phases": "if the phases of the echoes, but not their magnitudes, were in the reverse order",
        "phase": f"if each phase were that of the echo {'behind' if number > 0 else 'before'} it",
    }[mistake.what]
    to_do = {
        "power": "R2* and fat fraction are wrong then; export the magnitude as it was measured.",
        "magnitude": _OFF_BY_ONE,
        "phase": _OFF_BY_ONE,
        "phases": _OFF_BY_ONE,
    }.get(
        mistake.what,
        "Do not trust the maps before echo times, field strength and order of the echoes have been checked; "
        "`echo_times` and `field_strength` give others than the header.",
    )
    return [
        f"The scan fits far better {undone}: that takes {mistake.gained:.0%} off what is left over "
        f"({mistake.errors:.0f} standard errors). {to_do}"
    ]


def on_contradiction(found: Contradiction | None) -> list[str]:
    """Where magnitude and phase cannot be of one measurement."""
    if found is None:
        return []
    notes = []
    if found.axis is not None:
        notes.append(
            f"Echoes are off the model by {found.scale:.0%} in magnitude and {found.phase:.2f} rad in phase, otherwise "
            f"in each slice {DIRECTIONS[found.axis]}, as where every slice has a scale or a phase of its own: R2* and "
            "fat fraction are wrong there; export all slices of an echo alike (in DICOM, with the Rescale Slope of "
            "each)."
        )
    elif found.scale or found.phase:
        notes.append(
            f"Echoes are off the model by {found.scale:.1%} in magnitude and {found.phase:.2f} rad in phase, otherwise "
            "in each place of the image, as where each was corrected on its own (a bias field or a background phase "
            "taken off): R2* and fat fraction are wrong there; export the echoes without corrections."
        )
    elif found.errors:
        parts = [("magnitude", found.along), ("phase", found.across)]
        (less, least), (more, most) = sorted(parts, key=lambda part: part[1])
        notes.append(
            f"The echoes are off the model by {most:.1%} of the signal in {more} but by {least:.1%} in {less}, where "
            f"noise does both alike ({found.errors:.0f} standard errors): the {more} has errors of its own that "
            f"differ over the image, or the {less} was smoothed. Fat fraction and R2* are wrong where it matters; "
            "export both without filters and corrections."
        )
    return notes


def on_displacement(found: Displacement) -> list[str]:
    """Where echoes lie elsewhere than the others."""
    which = ("echoes " if len(found.echoes) > 1 else "echo ") + ", ".join(map(str, found.echoes))
    return [
        f"Something lies elsewhere in {which} than in the others, {'turned about the axis ' * found.turned}"
        f"{DIRECTIONS[found.axis]}, by {found.voxels:.2f} voxels or more ({found.errors:.0f} standard errors), as "
        "where the patient moved between trains, echoes were shifted on their own, or a bipolar read-out displaces fat "
        "back and forth: fat fraction and R2* are wrong at edges; export the echoes without motion correction, or "
        "acquire them again, a bipolar read-out with more bandwidth."
    ]


def on_steepness(steps_hz: Sequence[float], period_hz: float) -> list[str]:
    """Where the field changes from voxel to voxel by so much of its period that neighbors hardly tell its branch."""
    axis = int(np.argmax(np.abs(steps_hz)))
    if abs(steps_hz[axis]) < _STEEP_STEP * period_hz:
        return []
    return [
        f"The field changes by {abs(steps_hz[axis]):.0f} Hz from voxel to voxel, {DIRECTIONS[axis]}, all over the "
        f"image, of {period_hz:.0f} Hz up to which echoes tell it: so steep a field may be off by whole periods in "
        "every step, and water taken for fat; check shim and fat fraction, or acquire thinner slices or echoes closer "
        "together."
    ]


def on_lines(found: tuple[int, np.ndarray] | None, inside: np.ndarray) -> list[str]:
    """Where echoes miss the model in whole lines."""
    if found is None:
        return []
    axis, where = found
    return [
        f"In {np.count_nonzero(where.any(axis=axis))} lines {DIRECTIONS[axis]} ({where.sum() / inside.sum():.1%} of "
        "what has signal) the echoes fit no tissue while they do on both sides, as radio interference (a zipper), or "
        "flow in a straight vessel, leaves them: nothing is known there, as the map of reliability shows; leave it out "
        "of regions."
    ]


def on_gains(gains: EchoGains | None) -> list[str]:
    """By how much single echoes were off, and whether water and fat could be the other way round."""
    if gains is None:
        return []
    notes = []
    percent = ", ".join(f"{100 * (abs(gain) - 1):+.0f}" for gain in gains.gains)
    phase = ", ".join(f"{np.angle(gain):+.2f}" for gain in gains.gains)
    notes.append(
        f"Single echoes are off the model in the same way everywhere, by {percent} % in magnitude and {phase} rad "
        f"in phase ({gains.errors:.0f} standard errors); this was taken off, but for a slope over echoes, which is "
        "R2* and field. Set echo gains to none to keep the echoes as they are."
    )
    if np.abs(np.log(gains.gains)).max() > _LARGE_GAIN:
        notes.append(
            "Errors so large are seldom those of a scanner: do not trust the maps before it has been checked that "
            "every echo has its own magnitude, phase and echo time."
        )
    if gains.alike:
        notes.append(
            "With such errors of echoes, water taken for fat or fat for water fits this scan nearly as well; check "
            "the fat fraction in a tissue that is known."
        )
    return notes


def on_parts(parts: Sequence[PartApart], separation: Separation, fitted: np.ndarray) -> list[str]:
    """Which parts of what was fitted, cut off by air, are tied to the others by a guess alone, or all of it is."""
    notes, period = [], separation.period_hz
    guessed = [part for part in parts if abs(part.change_hz) > _STEEP * period]
    if guessed:
        gap, change = (max(values) for values in zip(*((p.gap_mm, abs(p.change_hz)) for p in guessed), strict=True))
        notes.append(
            f"{_count_of(guessed)} cut off by {gap:.0f} mm without signal, over which the field changes by "
            f"{change:.0f} Hz, is tied to the rest by a guess: the field there may be off by whole periods of "
            f"{period:.0f} Hz."
        )
    largest = fitted & ~np.any([part.inside for part in parts], axis=0)
    torn = [part for part in parts if separation.own_margin[part.inside].mean() < _TORN]
    if largest.any() and separation.own_margin[largest].mean() < _TORN:
        notes.append(
            "The echoes of this scan can hardly tell water from fat, as few of them, noise, or phases between groups "
            "leave it: both may have changed places all over the image; check the fat fraction in a tissue that is "
            "known."
        )
    elif torn:
        notes.append(
            f"{_count_of(torn)} cut off by air can hardly tell water from fat by its own echoes; check the fat "
            "fraction there in a tissue that is known."
        )
    return notes


def _count_of(parts) -> str:
    voxels = ", ".join(str(np.count_nonzero(part.inside)) for part in parts)
    return (
        f"A part of the body ({voxels} voxels)" if len(parts) == 1 else f"Each of {len(parts)} parts ({voxels} voxels)"
    )
