"""What is said of a protocol beside its numbers: what cannot be as given, and what the numbers do not know."""

import numpy as np

from ..fieldmap.fat_models import MOST_DISPLACED, enough_bandwidth
from .assess import Assessment
from .settings import ProtocolSettings
from .swaps import Swaps

# So much closer than computed, echoes are no contradiction: timing is in steps.
_CLOSER = 0.98


def doubts(found: Assessment) -> list[str]:
    """Return what cannot be as it is given or will not work, and what the reconstruction of the ankle notes.

    One sentence each, which names the settings that decide in backticks.
    """
    said = _on_timing(found) + _on_displaced_fat(found.settings) + _on_second_field(found.given.swaps)
    slope = found.settings.chi_slope
    if slope > 0:
        said.append(
            f"χ is given as rising with BV/TV (`chi_slope`, {slope:g} ppm), but bone is more diamagnetic than marrow: "
            "a number below zero is expected. Noise and subjects are the same for both."
        )
    return said + [f"The reconstruction of the digital ankle notes: {note}" for note in found.notes]


def unknowns(found: Assessment) -> list[str]:
    """Return `doubts`, and what the numbers do not know, with the setting that decides it."""
    settings = found.settings
    said = doubts(found) + _on_limits(settings)
    said.append(
        f"How BV/TV differs between subjects (`subject_sd`, {settings.subject_sd:g}) and how χ changes with it "
        f"(`chi_slope`, {settings.chi_slope:g} ppm) are assumptions; take them from a study like yours."
    )
    if settings.repeat_sd == 0:
        said.append(
            "What positioning, drawing of regions and background removal add between scans is not known: `repeat_sd`, "
            "0 here. Noise alone is a lower bound, and seldom what limits a study."
        )
    if settings.r2star is None:
        low, high = settings.r2star_range
        said.append(
            f"R2* of the marrow, {low:.3g} to {high:.3g} 1/s, is that of the digital ankle at this field: `r2star`."
        )
    return said + _on_noise_of_regions(found)


def _on_timing(found) -> list[str]:
    """Echoes that lie closer, or earlier, than the read-out allows."""
    settings, said = found.settings, []
    if settings.bandwidth_hz is None:
        return []
    if settings.spacing < _CLOSER * found.closest_spacing:
        closest = f"{1e3 * found.closest_spacing:.3g} ms"
        said.append(
            f"The given echoes of one train are {1e3 * settings.spacing:.3g} ms apart, but bandwidth and gradients "
            f"allow no less than {closest}: check `bandwidth_hz` and `readout` (the bandwidth is that of one voxel), "
            "`trains`, `gradient` and `slew_rate`."
        )
    first, half = min(settings.echo_times[0], settings.first_allowed), 0.5 / settings.bandwidth_hz
    if first < _CLOSER * half:
        said.append(
            f"The first echo, {1e3 * first:.3g} ms, comes before half of a read-out of {2e3 * half:.3g} ms is over, "
            "which partial echoes alone allow: check `bandwidth_hz`, `echo_times` and `shortest_echo`."
        )
    return said


def _on_displaced_fat(settings: ProtocolSettings) -> list[str]:
    """Fat that appears so far off that it fills the cortex beside it."""
    voxels = settings.displaced_voxels
    if voxels is None or voxels <= MOST_DISPLACED:
        return []
    enough = enough_bandwidth(settings.fat_hz)
    return [
        f"Fat appears {voxels:.2g} voxels off along the read-out and fills cortex beside it, so that χ of marrow can "
        "err by more than noise, which no σ here holds: with a "
        f"`bandwidth_hz` of {enough} or more, at the price of SNR, it is half a voxel at most."
    ]


def _on_limits(settings: ProtocolSettings) -> list[str]:
    """What decides how close, how early and how late echoes can be."""
    said = []
    if settings.bandwidth_hz is None:
        said.append(
            "How close echoes can be, and how far off fat appears, follow from the bandwidth, which is not given: "
            "`bandwidth_hz`. The given spacing is taken for the closest, and fat for where it is."
        )
    if settings.shortest_echo is None or settings.longest_echo is None:
        said.append(
            "RF pulse and TR decide how early and how late an echo can be: `shortest_echo` and `longest_echo`. Where "
            "they are not given, the given train's first and last echo are the limits."
        )
    if settings.t1_weighting is None:
        said.append(
            "By how much T1 makes the fat fraction too high follows from `flip_angle` and `repetition_time`, which are "
            "not given."
        )
    return said


def _on_second_field(swaps: Swaps) -> list[str]:
    """Where our search finds another field as good as a voxel's own, even without noise."""
    if swaps.least_margin >= 0:
        return []
    worst = int(np.argmin(swaps.margin))
    return [
        f"A voxel by itself does not tell its field: with a fat fraction of {swaps.pdff[worst]:g}, one that is "
        f"{swaps.distance_hz[worst]:.0f} Hz off fits as well even without noise, so its neighbors alone decide. Water "
        "and fat may change places where these are few or far off; choose other `echo_times`."
    ]


def _on_noise_of_regions(found) -> list[str]:
    """What the error of χ of regions by noise lacks."""
    if found.ankle is None:
        return [
            "The error of χ of regions is that of noise as in marrow everywhere: a lower bound. In a body, voxels of "
            "little signal such as cortex add to it, and TV-MEDI has another: in balls of 3, 6 and 9 mm it had 1.4, "
            "1.9 and 3.6 times this error with the paper's protocol (3 T, voxels of 1.5 mm), 1.3, 1.7 and 2.2 with a "
            "Dixon of 1.5 T, and 4, 13 and 16 with one of 7 T and 1 mm (the share of cortex is told no better there "
            "than at 3 T), and gave less of their χ back. `ankle` measures both through the whole reconstruction; the "
            "error of a scan is told by `chi_sigma`."
        ]
    said = [
        f"The error of χ by noise is that of {found.ankle.draws} draws, which tell it to {found.ankle.precision:.0%}, "
        "in one digital ankle; a patient has another size and cortex. That of a scan is told by `chi_sigma`."
    ]
    out = [one.name for one in found.regions if not one.in_ankle]
    if out:
        said.append(
            f"No {' and no '.join(out)} lies wholly in marrow of the digital ankle: there the error is that of noise "
            "as in marrow everywhere, a lower bound (`region_radii_mm`)."
        )
    return said
