"""What a user should know of a scan and its fields, in sentences."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ..errors import InputError
from ..fieldmap.contradiction import Contradiction
from ..fieldmap.displacement import Displacement
from ..fieldmap.gains import EchoGains
from ..fieldmap.kind import Kind
from ..fieldmap.masks import depth_of
from ..fieldmap.mistakes import Mistake
from ..fieldmap.refine import R2STAR_RANGE
from ..fieldmap.separation import Separation
from ..fieldmap.signal import common_spacing
from ..fieldmap.unwrap import PartApart
from ..inversion.lcurve import LCurve
from ..settings import Settings

# A whole scan is not to be trusted where its median reliability is lower, or a larger share of its R2* negative.
_LOW_TRUST, _MOST_NEGATIVE = 0.5, 0.5
# It is by noise where that of air explains this share of what the fit leaves over, or more.
_MOSTLY_NOISE = 0.85
# Nor are slices, where most voxels are below this part of the median and which hold this share of the mask.
_LOW_IN_SLICES, _MANY_SLICES = 0.5, 0.2
# Noise leaves R2* unknown where more than this share of it ends at the limits of its range.
_MOST_AT_LIMITS = 0.05
# Bone has none, but a mask with less than this share of its voxels in signal covers air.
_LEAST_SIGNAL = 0.5
# Tissue lies deeper than this in mm; of it, a user's mask covers this share at least if χ is to be right: on the ankle,
# masks of single bones, and of all bones with 9 mm around, gave 0.0 to 0.7 of the contrast.
_CORE_MM, _LEAST_BODY = 5.0, 0.4
# Nearer to the skin than this in mm, LBV takes local field for background; told of from this share of the mask on.
NEAR_SKIN_MM, _MUCH_NEAR_SKIN = 4.0, 0.05
# In a slab with a field of fewer slices, or thinner in mm, χ says little: on the ankle, its contrast is less than three
# quarters of what it is in all slices.
_FEW_SLICES, _THIN_MM = 6, 20.0
# A part cut off by air is told of where the field changes by more than this part of a period on the way to it, or where
# another minimum costs its voxels less than this on average, which errors of echoes may do.
_STEEP, _TORN = 0.25, 1.0
# Where two power laws meet, the curvature of an L-curve is 0.7 at most; below this there is no corner to speak of. A λ
# more often below or above that of the settings than this is told of.
_ROUND, _FAR = 0.5, 5.0
# A field follows that of the air with such a correlation, surely with that; its unit is right if it is so many times as
# strong. B0 lies along an axis with such a cosine, along another one if it follows better by so much.
_FOLLOWS, _SURELY_FOLLOWS, _LEAST_FACTOR, _MOST_FACTOR = 0.75, 0.85, 0.3, 2.5
_ALONG, _BETTER = 0.7, 0.05
# From voxel to voxel the field of a whole image changes by less than this part of its period (0.03 at most in right
# scans); from a fifth on, fat and water are exchanged in parts of it.
_STEEP_STEP = 0.17
# Errors of single echoes, as logarithms, beyond which it is doubted that they are such.
_LARGE_GAIN = 0.4
_POWERS = {0.5: "root", 2.0: "square"}
_OFF_BY_ONE = "Do not trust the maps before magnitude and phase of each echo have been put together again."
# The axes of arrays in the closest RAS order.
DIRECTIONS = ("inferior–superior", "posterior–anterior", "left–right")


def on_kind(kind: Kind, settings: Settings, found: Settings, echo_times: Sequence[float]) -> list[str]:
    """What sort of scan was found, where `settings` left it to the data; `found` has the answer."""
    notes, groups = [], kind.groups
    if settings.phase_sign == "auto" and kind.likely_sign:
        notes.append(
            f"The sign of the phase is likely but not sure from {len(echo_times)} echoes, in which errors of single "
            f"ones may feign it: fat fits better by {kind.sign_errors:.0f} standard errors if the phase "
            f"{'grows' if kind.sign > 0 else 'falls'} with frequency, so this was taken; set the phase sign if you "
            "know it."
        )
    elif settings.phase_sign == "auto" and not kind.sure_of_sign:
        notes.append(
            "The sign of the phase cannot be told from this scan (both fit alike, as without fat, or errors of "
            "echoes hide it), so it was taken to grow with frequency; set the phase sign if it falls."
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
        what = [] if found.readout == "monopolar" else ["even and odd echoes (bipolar read-out or two trains)"]
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


def on_mask(mask: np.ndarray, signal: np.ndarray, source: str) -> list[str]:
    """Where a user's mask lies, if not where there is signal.

    Raises
    ------
    InputError
        If it has no voxel with signal.
    """
    share = float(np.mean(signal[mask]))
    if share == 0:
        raise InputError(f"No voxel of the mask has signal in {source}; check that it belongs to this scan.")
    if share >= _LEAST_SIGNAL:
        return []
    return [
        f"Only {share:.0%} of the voxels in the mask have signal; check that it is not inverted and does not cover "
        "air, in which there is neither field nor χ."
    ]


def on_surroundings(mask: np.ndarray, body: np.ndarray, voxel_size, background: str) -> list[str]:
    """How a mask lies in the body: sources outside of a small one, and the skin near a large one, mislead χ."""
    if background == "none":
        return []
    notes, depth = [], depth_of(body, voxel_size)
    core = depth > _CORE_MM
    if core.any() and (share := float(np.mean(mask[core]))) < _LEAST_BODY:
        notes.append(
            f"The mask covers {share:.0%} of the tissue in this scan. What lies outside of it, and with it much of "
            "what lies inside near its surface, is taken for background, so χ has too little contrast, and none if the "
            "mask is a single bone: leave the mask out or give one of the whole limb, and name bones as regions "
            "instead; the inversion total-field suffers less."
        )
    near = float(np.mean(depth[mask] <= NEAR_SKIN_MM)) if mask.any() else 0.0
    if background == "lbv" and near > _MUCH_NEAR_SKIN:
        notes.append(
            f"{near:.0%} of the mask lies within {NEAR_SKIN_MM:g} mm of the body's surface, where LBV takes local "
            "field for background, so χ may be wrong far into it: let the mask end 5 mm below the skin (mask erosion), "
            "or choose the background removal pdf, which loses less."
        )
    return notes


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


def on_parts(parts: Sequence[PartApart], separation: Separation) -> list[str]:
    """Which parts of the body, cut off by air, are tied to the others by a guess alone."""
    notes, period = [], separation.period_hz
    guessed = [part for part in parts if abs(part.change_hz) > _STEEP * period]
    if guessed:
        gap, change = (max(values) for values in zip(*((p.gap_mm, abs(p.change_hz)) for p in guessed), strict=True))
        notes.append(
            f"{_count_of(guessed)} cut off by {gap:.0f} mm without signal, over which the field changes by "
            f"{change:.0f} Hz, is tied to the rest by a guess: the field there may be off by whole periods of "
            f"{period:.0f} Hz."
        )
    torn = [part for part in parts if separation.own_margin[part.inside].mean() < _TORN]
    if torn:
        notes.append(
            f"{_count_of(torn)} cut off by air can hardly tell water from fat by its own echoes; check the fat "
            "fraction there in a tissue that is known."
        )
    return notes


def on_trust(
    trust: np.ndarray,
    mask: np.ndarray,
    maps: Mapping[str, np.ndarray],
    echoes: int,
    *,
    share_of_noise: Callable[[], float] = lambda: 0.0,
) -> list[str]:
    """Where the fit as a whole is not to be trusted: whatever the reason, or by noise, if that is what it leaves.

    `share_of_noise` is asked for only where the reliability is low: it goes through all echoes.
    """
    notes = []
    if echoes == 3:
        notes.append(
            "Three echoes fit water, fat, field and R2* exactly, so nothing tells how well: "
            "take R2* with care, and acquire six echoes or more."
        )
    inside = mask & (maps["mip"] > 0)
    found = []
    if inside.any() and (median := float(np.median(trust[inside]))) < _LOW_TRUST:
        if (noise := share_of_noise()) > _MOSTLY_NOISE:
            notes.append(
                f"The scan is noisy: the median reliability in the mask is {median:.2f}, and {noise:.0%} of "
                "what the model leaves over is noise as in air. Take means over regions, with their standard errors; "
                "if the scan should be better than that, check echo times and the sign of the phase."
            )
        else:
            found.append(f"the median reliability in the mask is {median:.2f}")
    elif inside.any():
        found += _on_slices(trust, inside, median)
    rates = maps["r2star"][inside & (trust > 0)]
    if rates.size and (share := float(np.mean(rates < 0))) > _MOST_NEGATIVE:
        found.append(f"{share:.0%} of its R2* are below zero")
    low, high = R2STAR_RANGE
    if rates.size and (share := float(np.mean((rates <= low) | (rates >= high)))) > _MOST_AT_LIMITS:
        notes.append(
            f"Noise leaves R2* unknown in {share:.0%} of the voxels in the mask: it ends at the limits of its range "
            f"({low:.0f} and {high:.0f} 1/s), and its standard deviation there is larger than its error can be."
        )
    if found:
        notes.append(
            f"The echoes do not fit the model well: {' and '.join(found)}; do not trust the maps before echo "
            "times, units and sign of the phase, fat spectrum, read-out and mask have been checked."
        )
    return notes


def _on_slices(trust, inside, median) -> list[str]:
    """In how many slices across one axis most voxels are not to be trusted, as where an echo of theirs is wrong."""
    found, limit = [], _LOW_IN_SLICES * median
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        voxels = inside.sum(axis=others)
        low = 2 * (inside & (trust < limit)).sum(axis=others) > voxels
        found.append((voxels[low].sum() / voxels.sum(), axis, np.flatnonzero(low), low.size))
    share, axis, slices, count = max(found, key=lambda one: one[0])
    if share < _MANY_SLICES:
        return []
    return [
        f"the median reliability is {median:.2f}, but below {limit:.2f} in {slices.size} of {count} slices "
        f"{DIRECTIONS[axis]} (among them {slices[0] + 1} and {slices[-1] + 1})"
    ]


def on_air(follows: Callable, b0_direction: Sequence[float]) -> list[str]:
    """What the field of the air around the body says of unit, sign and B0 of a field that was measured elsewhere.

    `follows` gives correlation and factor of `air_model.follows_air` for a direction of B0.
    """
    correlation, factor = follows(b0_direction)
    others = [axis for axis in range(3) if abs(b0_direction[axis]) < _ALONG]
    best, axis = max((abs(follows(np.eye(3)[axis])[0]), axis) for axis in others)
    size, said = abs(factor), "The total field follows that of the air around the body"
    if best > max(_SURELY_FOLLOWS, abs(correlation) + _BETTER):
        return [
            f"{said} if B0 lies {DIRECTIONS[axis]} (correlation {best:.2f}), not as it is ({abs(correlation):.2f}): "
            "check the orientation and `b0_direction`, or χ is wrong."
        ]
    notes = []
    if abs(correlation) > (_FOLLOWS if size > 1 else _SURELY_FOLLOWS) and not _LEAST_FACTOR < size < _MOST_FACTOR:
        units = "rad/s where Hz is meant" if size > 1 else "Hz where rad/s is meant"
        notes.append(
            f"{said} (correlation {correlation:+.2f}), but is {size:.2g} times as strong: check its unit (a factor of "
            f"2π is {units}) and the field strength; χ is off by as much."
        )
    if correlation < -_FOLLOWS:
        notes.append(
            f"{said} with the other sign (correlation {correlation:+.2f}): set the phase sign to the other one, or χ "
            "has the wrong sign."
        )
    return notes


def on_slab(interior: np.ndarray, left_out: int, voxel_size) -> list[str]:
    """Where slices of a user's mask have no field, and where the field is known in a few slices only."""
    notes = []
    if left_out:
        notes.append(
            f"{left_out} voxels of the mask lie in slices in which background removal leaves no field (its "
            "outermost ones), so they are left out of it and χ is not drawn there; draw the mask a slice larger if "
            "they are wanted, or set background to none if the field has none."
        )
    slices = [int(np.count_nonzero(occupied(interior, axis))) for axis in range(3)]
    thickness = [count * size for count, size in zip(slices, voxel_size, strict=True)]
    axis = int(np.argmin(thickness))
    if min(slices) < _FEW_SLICES or thickness[axis] < _THIN_MM:
        notes.append(
            f"The local field is known in {slices[axis]} slices {DIRECTIONS[axis]} only ({thickness[axis]:.3g} "
            "mm); χ needs the field around its sources, so do not trust it in so thin a slab: acquire a thicker "
            "one, or set stop_after to background."
        )
    return notes


def on_lcurve(curve: LCurve, regularization: float) -> list[str]:
    """Why the λ at the corner of an L-curve is not to be taken unseen; `regularization` is that of the settings."""
    notes, largest = [], curve.curvature[1:-1].max()
    if curve.best in curve.regularization[[1, -2]]:
        notes.append(
            "The curvature is largest at the end of the values of λ, and may be larger beyond; give more values."
        )
    if largest < _ROUND:
        notes.append(
            f"The L-curve has no sharp corner: its largest curvature is {largest:.2f}, where two power laws that meet "
            "have 0.7."
        )
    factor = curve.best / regularization
    if max(factor, 1 / factor) > _FAR:
        side = f"{factor:.0f} times above" if factor > 1 else f"{1 / factor:.0f} times below"
        notes.append(
            f"Its λ is {side} that of the settings, {regularization:g}, and nothing tells how far χ is from the truth "
            "there; compare χ of both before you take it."
        )
    return notes


def occupied(mask: np.ndarray, axis: int) -> np.ndarray:
    """Return which planes across an axis hold a voxel of the mask; it broadcasts to the mask."""
    return mask.any(axis=tuple(other for other in range(3) if other != axis), keepdims=True)


def _count_of(parts) -> str:
    voxels = ", ".join(str(np.count_nonzero(part.inside)) for part in parts)
    return (
        f"A part of the body ({voxels} voxels)" if len(parts) == 1 else f"Each of {len(parts)} parts ({voxels} voxels)"
    )
