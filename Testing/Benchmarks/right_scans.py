"""Random scans of any kind in which nothing is wrong: what is told of them all the same, and which maps are wrong.

Run as ``python Testing/Benchmarks/right_scans.py FIRST LAST [given]``, for seeds from FIRST up to LAST. An ankle, a
knee, two organs or a disk; 0.345 to 7 T; 3 to 16 echoes; SNR 8 to 60; monopolar, bipolar or interleaved; a field as in
vivo. Everything is left to the data, or is `given`. It counts false alarms and wrong maps of which nothing is told, and
judges nothing.
"""

import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import ndimage

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from TrabecularQSMLib.acquisition import GYROMAGNETIC_RATIO_HZ_PER_T, PATIENT_SUPERIOR, Acquisition  # noqa: E402
from TrabecularQSMLib.fieldmap.fat_models import FAT_MODELS  # noqa: E402
from TrabecularQSMLib.fieldmap.signal import Model, synthesize  # noqa: E402
from TrabecularQSMLib.files.echoes import check_magnitude, to_complex  # noqa: E402
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom  # noqa: E402
from TrabecularQSMLib.pipeline import reconstruct  # noqa: E402
from TrabecularQSMLib.settings import preset  # noqa: E402

FAT = FAT_MODELS["ren-marrow"]
# What is true of a right scan: that it is noisy or of few echoes, what was found of it, and that some is unknown.
TRUE = (
    "A part of the body", "Each of", "From three echoes", "In half of the voxels or more only", "Noise is stronger",
    "Noise leaves", "Phase and magnitude differ", "Single echoes are off", "The phase falls", "The scan is noisy",
    "The echoes of this scan can", "The sign of the phase", "Three echoes", "With such errors",
)  # fmt: skip


@dataclass(frozen=True)
class Tissue:
    """Signal at echo time zero, fat fraction, field in ppm and R2* at 3 T, (K, J, I) each, affine, what is tissue."""

    signal: np.ndarray
    pdff: np.ndarray
    field_ppm: np.ndarray
    r2star: np.ndarray
    affine: np.ndarray
    pure: np.ndarray


@dataclass(frozen=True)
class Drawn:
    """A scan, what it is of, its truth, and the settings that say what is true of it."""

    about: str
    acquisition: Acquisition
    tissue: Tissue
    field_hz: np.ndarray
    strong: np.ndarray
    settings: dict


def limb(anatomy, seed):
    """Tissue of a digital ankle or knee."""
    phantom = make_phantom(PhantomSettings(shape=(40, 40, 20), supersampling=1, seed=seed, snr=None, anatomy=anatomy))
    truth = phantom.truth
    ppm = truth["field_hz"] / phantom.acquisition.imaging_frequency * 1e6
    pure = (truth["cortex"] < 0.02) & (truth["signal"] > 0)
    signal = truth["water"] + truth["fat"]
    return Tissue(signal, truth["pdff"], ppm, truth["r2star"], phantom.acquisition.affine, pure)


def organs(rng):
    """Two organs with air between them, each of one tissue with vessels of another."""
    k, j, i = np.meshgrid(*(np.linspace(-1, 1, n) for n in (12, 44, 44)), indexing="ij")
    left, right = (np.hypot(i + 0.45 * side, j * rng.uniform(0.8, 1.2)) < 0.4 for side in (1, -1))
    pdff = np.where(i < 0, *rng.choice([0.0, 0.03, 0.1, 0.3, 0.6, 0.92], 2))
    vessel = np.hypot(np.abs(i) - 0.45, j) < 0.1
    inside = left | right
    return Tissue(
        inside * rng.uniform(0.7, 1), np.where(vessel, 0.01, pdff),
        rng.normal(0, 0.5) + 0.4 * i * rng.normal() + 0.3 * j * rng.normal() + 0.2 * k * rng.normal(),
        np.where(vessel, 15.0, rng.uniform(25, 90)), np.diag([2.0, 2.0, 4.0, 1.0]), inside,
    )  # fmt: skip


def disk(rng):
    """A disk of one mixture, of stripes, or of muscle with a rim of fat."""
    k, j, i = np.meshgrid(*(np.linspace(-1, 1, n) for n in (6, 48, 48)), indexing="ij")
    r = np.hypot(j, i)
    pdff = [
        np.full(r.shape, rng.choice([0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0])),
        np.choose((i > -0.3).astype(int) + (i > 0.3), [0.92, 0.5, 0.03]),
        np.where(r > rng.uniform(0.6, 0.88), 0.92, 0.02),
    ][rng.integers(3)]
    return Tissue(
        (r < 0.93).astype(float), pdff, rng.normal(0, 0.5) + 0.4 * i - 0.3 * j + 0.1 * k - 0.4 * r**2,
        np.full(r.shape, rng.uniform(20, 80)), np.diag([2.0, 2.0, 5.0, 1.0]), r < 0.93,
    )  # fmt: skip


def in_vivo(rng, shape):
    """What else a field has in a body, in ppm: a shim that is off, and something with air nearby."""
    k, j, i = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    shim = rng.uniform(-0.5, 0.5, 6) @ [axis.ravel() for axis in (k, j, i, k * j, i**2 - j**2, i * k)]
    k, j, i = (
        axis - off for axis, off in zip((k, j, i), (rng.uniform(-1, 1), 1.3, rng.uniform(-0.5, 0.5)), strict=True)
    )
    distance = np.sqrt(k**2 + j**2 + i**2)
    return shim.reshape(shape) + 0.2 * rng.uniform(0, 1) * (3 * k**2 / distance**2 - 1) / distance**3


def read_out(rng, count):
    """Read-out, trains, and the gains (E, 1) of echoes at the center with what is added to the edge."""
    n, ways = np.arange(count), ["monopolar", "monopolar", "monopolar"]
    ways += ["bipolar"] if count >= 4 else []
    ways += ["2", "3"] if count >= 9 else []
    way = str(rng.choice(ways))
    group = n % {"monopolar": 1, "bipolar": 2}.get(way, int(way) if way.isdigit() else 1)
    offset, slope = np.r_[0, rng.uniform(-0.6, 0.6, 2)][group], np.r_[0, rng.uniform(-0.4, 0.4, 2)][group]
    return (way, "1") if way.endswith("polar") else ("monopolar", way), offset, slope


def draw(seed):
    """A random right scan."""
    rng = np.random.default_rng([seed, 29])
    kind = str(rng.choice(["ankle", "knee", "organs", "disk"]))
    tissue = limb(kind, seed) if kind in ("ankle", "knee") else (organs if kind == "organs" else disk)(rng)
    tesla, count = float(rng.choice([0.345, 0.55, 1.0, 1.5, 3.0, 7.0])), int(rng.choice([3, 4, 5, 6, 9, 12, 16]))
    # Turns of fat against water from echo to echo, as protocols have them, within what tissue lets see.
    turns = rng.uniform(0.15, 0.45) if rng.random() < 0.7 else rng.uniform(0.55, 0.9)
    spacing = min(turns / (3.4e-6 * GYROMAGNETIC_RATIO_HZ_PER_T * tesla), 0.06 / count)
    times = spacing * (rng.uniform(0.8, 1.8) + np.arange(count))
    field = (tissue.field_ppm + in_vivo(rng, tissue.pdff.shape)) * 1e-6 * GYROMAGNETIC_RATIO_HZ_PER_T * tesla
    rate = 15 + (tissue.r2star - 15) * tesla / 3
    model = Model(times, FAT.signal(times, tesla * GYROMAGNETIC_RATIO_HZ_PER_T))
    water, fat = tissue.signal * (1 - tissue.pdff), tissue.signal * tissue.pdff
    echoes = synthesize(water.ravel(), fat.ravel(), field.ravel(), rate.ravel(), model).reshape(count, *water.shape)
    (readout, trains), offset, slope = read_out(rng, count)
    along = np.linspace(-1, 1, water.shape[1])[:, None]
    gain = np.exp(1j * (offset[:, None, None, None] + slope[:, None, None, None] * along))
    errors = rng.choice([0.0, 0.0, 0.02, 0.05]) * (rng.standard_normal((count, 2)) @ [1, 1j])
    coil = ndimage.gaussian_filter(rng.standard_normal(water.shape), 10, mode="nearest")
    echoes *= (
        gain * np.exp(errors)[:, None, None, None] * np.exp((0.2 + 1j) * coil / coil.std() + 1j * rng.uniform(0, 6))
    )
    snr, sign = float(np.exp(rng.uniform(np.log(8), np.log(60)))), int(rng.choice([1, -1]))
    largest = np.percentile(np.abs(echoes[0])[tissue.pure], 99)
    strong = (np.abs(echoes).max(axis=0) > 5 * largest / snr) & tissue.pure
    echoes += (rng.standard_normal((*echoes.shape, 2)) @ [1, 1j]) * largest / snr
    echoes = (echoes if sign > 0 else echoes.conj()).astype(np.complex64)
    about = (
        f"{kind}, {tesla} T, {count} × {1e3 * spacing:.2f} ms from {1e3 * times[0]:.2f}, SNR {snr:.0f}, {readout}, "
        f"{trains} trains, sign {sign:+d}, errors {np.abs(errors).max():.2f}"
    )
    settings = {"readout": readout, "trains": trains, "phase_sign": f"{sign:+d}"}
    return Drawn(
        about,
        Acquisition(echoes, times, tissue.affine, field_strength=tesla, b0_patient=PATIENT_SUPERIOR),
        tissue,
        field,
        strong,
        settings,
    )


def look(drawn, given):
    """Shares of voxels whose fat fraction and field are wrong, and all that is told."""
    scan = drawn.acquisition
    parts = (np.abs(scan.echoes) + 1j * np.angle(scan.echoes)).astype(np.complex64)
    notes = [*to_complex(parts, ("mag", "phase"), "the scan"), *check_magnitude(np.abs(scan.echoes) + 0j, "the scan")]
    settings = preset(stop_after="fieldmap", **(drawn.settings if given else {}))
    result = reconstruct(replace(scan, echoes=parts), settings, threads=1)
    maps = result.maps
    trusted = drawn.strong & (maps["reliability"] > 0.5)
    swapped = np.mean(np.abs(maps["pdff"] - drawn.tissue.pdff)[trusted] > 0.3) if trusted.any() else 0.0
    sign = result.settings.phase_sign == drawn.settings["phase_sign"]
    return swapped, sign, [*notes, *result.notes]


def main():
    first, last = (int(number) for number in sys.argv[1:3])
    given, counts = "given" in sys.argv, Counter()
    for seed in range(first, last):
        drawn = draw(seed)
        swapped, sign, notes = look(drawn, given)
        # With the other sign, which is told to be unsure, nothing fits.
        false = [note for note in notes if sign and not note.startswith(TRUE)]
        silent = bool(swapped > 0.03 and not notes)
        counts["scans"] += 1
        counts["with a false alarm"] += bool(false)
        counts["fat fraction off by 0.3 in 3 %"] += swapped > 0.03
        counts["of these without a word"] += silent
        counts["sign wrong"] += not sign
        print(
            f"{seed}: {drawn.about}: fat fraction off in {swapped:.1%}{'' if sign else ', sign wrong'}"
            f"{', SILENT' * silent}",
            *(f"    {'! ' * (note in false)}{note[:150]}" for note in notes),
            sep="\n", flush=True,
        )  # fmt: skip
    print(*(f"{what}: {count}" for what, count in counts.items()), sep="\n")


if __name__ == "__main__":
    main()
