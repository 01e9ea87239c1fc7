"""What a user should know of a scan and its fields, in sentences."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ..errors import InputError, counted
from ..fieldmap.masks import depth_of
from ..fieldmap.signal import r2star_range
from ..inversion.lcurve import LCurve

# A whole scan is not to be trusted where its median reliability is lower, or a larger share of its R2* negative; of
# those that noise leaves unknown the latter, as noise alone makes half of them so. By noise alone the median of others
# is nearer to zero than this part of their standard deviation.
_LOW_TRUST, _MOST_NEGATIVE, _NOT_BY_NOISE, _NEAR_ZERO = 0.5, 0.5, 0.75, 0.25
# It is by noise where that of air explains this share of what the fit leaves over, or more.
_MOSTLY_NOISE = 0.85
# So is it, stronger though it be than in air, where no more than this part of what that of air does not explain is
# alike in neighbors: 0.00 of noise three times as strong, 0.06 and more of mistakes of exports and headers.
_ALIKE = 0.04
# Nor are slices, where most voxels are below this part of the median and which hold this share of the mask.
_LOW_IN_SLICES, _MANY_SLICES = 0.5, 0.2
# Noise leaves R2* unknown where more than this share of it ends at the limits of its range, or its standard deviation
# in the median is this part of one over the length of the train or more.
_MOST_AT_LIMITS, _UNKNOWN_R2STAR = 0.05, 0.4
# It leaves the fat fraction unknown where its standard deviation is larger than this, told of from this share on.
_UNKNOWN_PDFF, _MANY_UNKNOWN = 0.2, 0.05
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
# Where two power laws meet, the curvature of an L-curve is 0.7 at most; below this there is no corner to speak of. A λ
# more often below or above that of the settings than this is told of.
_ROUND, _FAR = 0.5, 5.0
# A field follows that of the air with such a correlation, surely with that; its unit is right if it is so many times as
# strong. B0 lies along an axis with such a cosine, along another one if it follows better by so much.
_FOLLOWS, _SURELY_FOLLOWS, _LEAST_FACTOR, _MOST_FACTOR = 0.75, 0.85, 0.3, 2.5
_ALONG, _BETTER = 0.7, 0.05
# A local field is larger than the first, in ppm, in hardly a voxel, and than the second in one of a hundred: which has
# 0.23 to 0.79 on ankles, knees and two people at 1.5 to 7 T, and 1.5 to 6 of the total field.
_MOST_LOCAL_PPM, _LEAST_LOCAL_PPM = 1.0, 0.06
# A field is wrapped if this share of its neighbors differ by its range (percentiles), within the first parts of it, and
# more of them than by less than that and the third part: of right ones, two of 10⁶ do so. It is clipped if so many
# voxels have its least or largest value; of a local field 4 % or more lie on either side of zero, on ankles and knees.
_JUMPS, _WHOLE, _HALF, _TRIMMED, _CLIPPED, _ONE_SIDE = 2e-4, (0.8, 1.2), 0.4, 0.1, 0.01, 0.002
# The axes of arrays in the closest RAS order.
DIRECTIONS = ("inferior–superior", "posterior–anterior", "left–right")


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


def on_trust(
    trust: np.ndarray,
    mask: np.ndarray,
    maps: Mapping[str, np.ndarray],
    echo_times: Sequence[float],
    *,
    share_of_noise: Callable[[], float] = lambda: 0.0,
    share_by_chance: Callable[[], float] = lambda: 0.0,
) -> list[str]:
    """Where the fit as a whole is not to be trusted: whatever the reason, or by noise, if that is what it leaves.

    `share_of_noise` and `share_by_chance` are asked for only where the reliability is low: they go through the echoes.
    """
    notes = []
    if len(echo_times) == 3:
        notes.append(
            "Three echoes fit water, fat, field and R2* exactly, so nothing tells how well, and water may be taken for "
            "fat and fat for water where R2* is far above 50 1/s: take the maps with care, and acquire six echoes or "
            "more."
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
    if found and 1 - share_by_chance() < _ALIKE * (1 - share_of_noise() ** 2):
        notes.append(
            f"Noise is stronger in parts of the scan than in its air, as parallel imaging makes it: {found.pop()}, and "
            "what the model leaves over differs from voxel to voxel as noise does. Take means over regions, with their "
            "standard errors; where nothing should have made noise so strong, check the export."
        )
    known = inside & (trust > 0)
    rates, errors = maps["r2star"][known], maps["sigma_r2star"][known]
    unknown = _on_noisy_rates(rates, errors, echo_times) if rates.size else []
    by_noise = not rates.size or not unknown and np.median(rates) > -_NEAR_ZERO * np.median(errors)
    most = _NOT_BY_NOISE if unknown else _MOST_NEGATIVE
    if not by_noise and (share := float(np.mean(rates < 0))) > most:
        found.append(f"{share:.0%} of its R2* are below zero")
    notes += unknown
    if known.any() and (share := float(np.mean(maps["sigma_pdff"][known] > _UNKNOWN_PDFF))) > _MANY_UNKNOWN:
        notes.append(
            f"Noise leaves the fat fraction unknown in {share:.0%} of the voxels in the mask: its standard deviation "
            f"there is above {_UNKNOWN_PDFF:g}, as where all echoes come when water and fat are in the same or in "
            "opposite phase, or have decayed. Water may be taken for fat and fat for water; take means over regions "
            "with their standard errors."
        )
    if found:
        notes.append(
            f"The echoes do not fit the model well: {' and '.join(found)}; do not trust the maps before echo "
            "times, units and sign of the phase, fat spectrum, read-out and mask have been checked."
        )
    return notes


def _on_noisy_rates(rates, sigma, echo_times) -> list[str]:
    """Where noise leaves R2* unknown, by its limits or its standard deviation."""
    low, high = r2star_range(echo_times)
    if (share := float(np.mean((rates <= low) | (rates >= high)))) > _MOST_AT_LIMITS:
        return [
            f"Noise leaves R2* unknown in {share:.0%} of the voxels in the mask: it ends at the limits of its range "
            f"({low:.0f} and {high:.0f} 1/s), and its standard deviation there is larger than its error can be."
        ]
    if (median := float(np.median(sigma))) * (echo_times[-1] - echo_times[0]) > _UNKNOWN_R2STAR:
        return [
            f"Noise leaves R2* unknown: its standard deviation in the mask is {median:.0f} 1/s in the median, as the "
            "train of echoes is short or the signal decays fast; take means over regions with their standard errors."
        ]
    return []


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


def on_local_field(field: np.ndarray) -> list[str]:
    """What the size of a local field that was measured elsewhere says of it; `field` is that of its voxels, in ppm."""
    size = float(np.percentile(np.abs(field), 99)) if field.size else 0.0
    if not field.size or _LEAST_LOCAL_PPM < size < _MOST_LOCAL_PPM:
        return []
    background = ", and that its background was removed (else begin from the total field)"
    removed = background if size >= _MOST_LOCAL_PPM else ""
    return [
        f"The local field reaches {size:.2g} ppm in one voxel of a hundred, where bone, marrow and muscle make some "
        f"tenths: check its unit (rad/s are 2π times as many as Hz) and the field strength{removed}; χ is off by as "
        "much."
    ]


def on_values(field: np.ndarray, inside: np.ndarray, stage: str) -> list[str]:
    """What the values of a field that was measured elsewhere say of it.

    Parameters
    ----------
    field : (K, J, I) array
        ppm.
    inside : (K, J, I) bool array
        Where it was measured and tissue gives signal.
    stage : {"total", "local"}
    """
    values = field[inside]
    if not values.size or np.ptp(values) == 0:
        return []
    low, high = float(values.min()), float(values.max())
    if stage == "local" and min(np.mean(values < 0), np.mean(values > 0)) < _ONE_SIDE:
        return [
            f"The local field is {'above' if high > -low else 'below'} zero nearly everywhere, but sources make both "
            "signs around them: this is another map (a magnitude, a rate, an absolute value), or something was added "
            "to it, and χ is wrong; give the field itself."
        ]
    for end, what in ((low, "least"), (high, "largest")):
        # One voxel always has it.
        if (share := (np.count_nonzero(values == end) - 1) / values.size) > _CLIPPED:
            return [
                f"The {stage} field has its {what} value, {end:.3g} ppm, in {share:.0%} of its voxels, as where a "
                "window or a number format cut it off: χ is wrong there; export it whole."
            ]
    steps = []
    for axis in range(3):
        both, along = (np.moveaxis(one, axis, 0) for one in (inside, field))
        steps.append(np.abs(np.diff(along, axis=0))[both[1:] & both[:-1]])
    low, high = np.percentile(values, (_TRIMMED, 100 - _TRIMMED))  # spikes go beyond
    steps = np.concatenate(steps) / max(high - low, np.finfo(np.float32).tiny)
    least, most = _WHOLE
    whole = np.count_nonzero((steps > least) & (steps < most))
    if whole <= max(_JUMPS * steps.size, np.count_nonzero((steps > _HALF) & (steps <= least))):
        return []
    return [
        f"The {stage} field runs from {low:.3g} to {high:.3g} ppm and jumps by nearly all of that between neighbors, "
        "as one that is wrapped, or where water and fat were exchanged: χ is wrong; unwrap it first, or begin from the "
        "echoes."
    ]


def on_slab(interior: np.ndarray, left_out: int, voxel_size) -> list[str]:
    """Where slices of a user's mask have no field, and where the field is known in a few slices only."""
    notes = []
    if left_out:
        notes.append(
            f"{left_out} voxels of the mask lie in slices in which background removal leaves no field (its "
            "outermost ones), so they are left out of it and χ is not drawn there; draw the mask a slice larger if "
            "they are wanted, or set background to none if the field has none. The mask that a run writes lacks such "
            "slices already, so given again it loses others, and χ differs: to repeat that run, give no mask."
        )
    slices = [int(np.count_nonzero(occupied(interior, axis))) for axis in range(3)]
    thickness = [count * size for count, size in zip(slices, voxel_size, strict=True)]
    axis = int(np.argmin(thickness))
    if min(slices) < _FEW_SLICES or thickness[axis] < _THIN_MM:
        notes.append(
            f"The local field is known in {counted(slices[axis], 'slice')} {DIRECTIONS[axis]} only "
            f"({thickness[axis]:.3g} mm); χ needs the field around its sources, so do not trust it in so thin a slab: "
            "acquire a thicker one, or set stop_after to background."
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
