"""What vendors, converters and users do to echoes: which of it is put right, told, or wrong without a word.

Run as ``python Testing/Benchmarks/mistakes.py [spoilt|right]``. `spoilt` does each thing of `SPOILT` to a small ankle
and compares its maps with those of the scan as it was; `right` reconstructs random scans in which nothing is wrong, and
prints what is told of them all the same. Read-out, trains and sign are given. It judges nothing.
"""

import sys
from pathlib import Path

import numpy as np
from scipy import ndimage

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from TrabecularQSMLib.acquisition import Acquisition  # noqa: E402
from TrabecularQSMLib.errors import InputError  # noqa: E402
from TrabecularQSMLib.files.echoes import to_complex  # noqa: E402
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom  # noqa: E402
from TrabecularQSMLib.pipeline import reconstruct  # noqa: E402
from TrabecularQSMLib.settings import preset  # noqa: E402

SMALL = PhantomSettings(shape=(54, 54, 26), supersampling=1, seed=1, snr=40.0)
# What any scan may have, and is told of: not what is looked for here.
USUAL = (
    "The sign of the phase",
    "Single echoes are off",
    "Phase and magnitude differ",
    "Noise leaves R2*",
    "The scan is noisy",
    "With such",
)
RANDOM = np.random.default_rng(7)


def polar(magnitude, phase):
    return magnitude * np.exp(1j * phase)


def magnitudes(change):
    """Change the magnitude (E, K, J, I) of all echoes."""
    return lambda echoes, times: (polar(change(np.abs(echoes)), np.angle(echoes)), times)


def phases(change):
    return lambda echoes, times: (polar(np.abs(echoes), change(np.angle(echoes))), times)


def ordered(*order):
    return lambda echoes, times: (echoes[list(order)], times)


def some(change, *numbers):
    """Change some of the echoes, each (K, J, I)."""

    def changed(echoes, times):
        echoes = echoes.copy()
        for number in numbers:
            echoes[number] = change(echoes[number])
        return echoes, times

    return changed


def every_other(change):
    """Change every other slice of an echo."""
    return lambda echo: np.where(np.arange(len(echo))[:, None, None] % 2, change(echo), echo)


def noise(echo):
    return 0.01 * np.abs(echo).max() * (RANDOM.standard_normal((*echo.shape, 2)) @ [1, 1j])


def one_by_one(change, *numbers):
    """Change some of the magnitudes or phases, each (K, J, I)."""
    return lambda values: np.stack([change(one) if n in numbers else one for n, one in enumerate(values)])


def smooth_random(shape, size):
    coarse = size * RANDOM.standard_normal((4, 4, 4))
    return ndimage.zoom(coarse, [n / 4 for n in shape], order=3, grid_mode=True, mode="nearest")


def of_slices(size):
    return lambda echoes, times: (echoes * np.exp(size * RANDOM.standard_normal((*echoes.shape[:2], 1, 1))), times)


def mirrored(values):
    return values[..., ::-1]


def per_echo(echoes, gains):
    return echoes * gains[:, None, None, None]


def half_a_voxel(values):
    return np.stack([ndimage.shift(one, (0, 0.5, 0.5), order=1, mode="nearest") for one in values])


SPOILT = {
    "root of the magnitude": magnitudes(np.sqrt),
    "square of the magnitude": magnitudes(np.square),
    "square, without air": magnitudes(lambda m: np.where(m.max(axis=0) > 0.15 * m.max(), m, 0) ** 2),
    "logarithm of the magnitude": magnitudes(lambda m: np.log1p(100 * m / m.max())),
    "magnitude clipped": magnitudes(lambda m: np.minimum(m, 0.3 * m.max())),
    "magnitude in 8 bits": magnitudes(lambda m: np.round(255 * m / m.max())),
    "magnitude smoothed": magnitudes(lambda m: ndimage.gaussian_filter(m, (0, 0, 1.5, 1.5))),
    "magnitude inverted": magnitudes(lambda m: m.max() - m),
    "a constant added to the magnitude": magnitudes(lambda m: m + 0.1 * m.max()),
    "magnitude in the reverse order": magnitudes(lambda m: m[::-1]),
    "magnitude of one echo doubled": magnitudes(lambda m: m[[0, 1, 2, 2, 4, 5, 6, 7, 8]]),
    "magnitude off by one echo": magnitudes(lambda m: m[[1, 2, 3, 4, 5, 6, 7, 8, 8]]),
    "phase off by one echo": phases(lambda p: p[[1, 2, 3, 4, 5, 6, 7, 8, 8]]),
    "phase against the first echo": phases(lambda p: p - p[:1]),
    "phase against the echo before": phases(lambda p: np.concatenate([p[:1], np.diff(p, axis=0)])),
    "phase twice as large": phases(lambda p: 2 * p),
    "phase half as large": phases(lambda p: p / 2),
    "phase in 4 bits": phases(lambda p: np.round(8 * p / np.pi) * np.pi / 8),
    "wrapped phase smoothed": phases(lambda p: ndimage.gaussian_filter(p, (0, 0, 1, 1))),
    "wrapped phase moved by half a voxel": phases(half_a_voxel),
    "phase mirrored in odd echoes": phases(one_by_one(mirrored, 1, 3, 5, 7)),
    "phase of one echo mirrored": phases(one_by_one(mirrored, 4)),
    "phase of one echo moved by 13 voxels": phases(one_by_one(lambda p: np.roll(p, 13, 2), 4)),
    "every other echo negated": lambda e, t: (per_echo(e, (-1.0) ** np.arange(9)), t),
    "every other echo conjugated": some(np.conj, 1, 3, 5, 7),
    "first half conjugated": some(np.conj, 0, 1, 2, 3),
    "last half negated": some(np.negative, 4, 5, 6, 7, 8),
    "one echo negated": some(np.negative, 3),
    "one echo conjugated": some(np.conj, 3),
    "two echoes negated": some(np.negative, 1, 4),
    "real and imaginary part of one echo interchanged": some(lambda e: e.imag + 1j * e.real, 3),
    "alternate slices negated in two echoes": some(every_other(np.negative), 1, 3),
    "alternate slices conjugated in two echoes": some(every_other(np.conj), 1, 3),
    "half of the slices negated in one echo": some(lambda e: np.concatenate([e[:13], -e[13:]]), 3),
    "slices of one echo in another order": some(lambda e: np.concatenate([e[::2], e[1::2]]), 3),
    "a phase per slice and echo": of_slices(0.5j),
    "a scale per slice and echo": of_slices(0.2),
    "a smooth scale per echo": lambda e, t: (np.stack([one * np.exp(smooth_random(one.shape, 0.15)) for one in e]), t),
    "a smooth phase per echo": lambda e, t: (np.stack([one * np.exp(smooth_random(one.shape, 0.3j)) for one in e]), t),
    "one echo 0.3 rad off": some(lambda e: e * np.exp(0.3j), 3),
    "one echo 2 rad off": some(lambda e: e * np.exp(2j), 3),
    "a phase that grows with the square of the echo": lambda e, t: (per_echo(e, np.exp(0.05j * np.arange(9) ** 2)), t),
    "echoes in the reverse order": ordered(*range(8, -1, -1)),
    "two echoes interchanged": ordered(0, 1, 3, 2, 4, 5, 6, 7, 8),
    "pairs of echoes interchanged": ordered(1, 0, 3, 2, 5, 4, 7, 6, 8),
    "trains stored one behind the other": ordered(0, 3, 6, 1, 4, 7, 2, 5, 8),
    "odd echoes mirrored": some(mirrored, 1, 3, 5, 7),
    "one echo mirrored": some(mirrored, 4),
    "one echo moved by three voxels": some(lambda e: np.roll(e, 3, 2), 4),
    "odd echoes moved by a voxel": some(lambda e: np.roll(e, 1, 2), 1, 3, 5, 7),
    "one train moved by two voxels": some(lambda e: np.roll(e, 2, 2), 1, 4, 7),
    "one echo of noise": some(noise, 4),
    "two last echoes of noise": some(noise, 7, 8),
    "the first echo without phase": some(lambda e: np.abs(e) + 0j, 0),
    "a constant added to one echo": some(lambda e: e + 0.1 * np.abs(e).max(), 3),
    "first echo left out": lambda e, t: (e[1:], t[:-1]),
    "an echo left out": lambda e, t: (np.delete(e, 3, axis=0), t[:-1]),
    "echo times of 1.4 times the length": lambda e, t: (e, 1.4 * t),
    "echo times of 1, 2, 3 … ms": lambda e, t: (e, 1e-3 * np.arange(1, 10)),
    "echo times a spacing late": lambda e, t: (e, t + t[1] - t[0]),
}  # fmt: skip


def fields(echoes, times, scan, **settings):
    """Maps of echoes, and all that is told of them, as if magnitude and phase had been read from files."""
    parts = (np.abs(echoes) + 1j * np.angle(echoes)).astype(np.complex64)
    notes = to_complex(parts, ("mag", "phase"), "the scan")
    acquisition = Acquisition(parts, np.asarray(times), scan.affine, field_strength=scan.field_strength)
    settings = {"readout": "monopolar", "trains": "1", "phase_sign": "+1"} | settings
    result = reconstruct(acquisition, preset(stop_after="fieldmap", **settings), threads=1)
    return result.maps, [*notes, *result.notes]


def spoilt():
    scan = make_phantom(SMALL).acquisition
    right, usual = fields(scan.echoes, scan.echo_times, scan)
    inside = right["reliability"] > 0.5
    for name, change in SPOILT.items():
        try:
            maps, notes = fields(*change(scan.echoes.copy(), scan.echo_times), scan)
        except InputError as error:
            print(f"{name}: refused ({str(error)[:100]})", flush=True)
            continue
        pdff, field, r2star = ((maps[key] - right[key])[inside] for key in ("pdff", "field_hz", "r2star"))
        offset = np.median(field)
        figures = (
            100 * np.mean(np.abs(pdff) > 0.1),
            100 * np.mean(np.abs(field - offset) > 20),
            offset,
            np.median(r2star),
        )
        wrong = figures[0] > 3 or figures[1] > 4 or abs(figures[2]) > 8 or abs(figures[3]) > 10
        told = [note for note in notes if note not in usual]
        verdict = "told" if told else "WRONG WITHOUT A WORD" if wrong else "right"
        print(
            f"{name}: {verdict}; fat fraction off in {figures[0]:.0f} %, field in {figures[1]:.0f} % and by "
            f"{figures[2]:+.0f} Hz, R2* by {figures[3]:+.0f} 1/s",
            *(f"    {note[:110]}" for note in told),
            sep="\n", flush=True,
        )  # fmt: skip


def right(scans=40):
    count = 0
    for seed in range(scans):
        rng = np.random.default_rng(seed)
        tesla = float(rng.choice([0.35, 1.5, 3.0, 7.0]))
        spacing = float(rng.choice([0.7, 1.15, 2.3])) * 1e-3 * 3 / tesla if tesla > 1 else 3.9e-3
        echoes = int(rng.choice([4, 6, 9, 12])) if tesla > 1 else 6
        bipolar = rng.random() < 0.2
        settings = PhantomSettings(
            shape=(40, 40, 20), supersampling=1, seed=seed, snr=float(rng.choice([8, 15, 40])), field_strength=tesla,
            anatomy=str(rng.choice(["ankle", "knee"])), field_offset_hz=float(rng.normal(0, 20 * tesla)),
            echo_times=tuple(spacing * (1.3 + np.arange(echoes))), readout="bipolar" if bipolar else "monopolar",
            readout_offset_rad=0.4 * bipolar, readout_slope_rad=0.3 * bipolar,
        )  # fmt: skip
        scan = make_phantom(settings).acquisition
        errors = rng.choice([0.0, 0.05]) * (rng.standard_normal((echoes, 2)) @ [1, 1j])
        phase = 1j * rng.uniform(-np.pi, np.pi)  # of the receiver
        measured = per_echo(scan.echoes, np.exp(errors + phase))
        _, found = fields(measured, scan.echo_times, scan, readout=settings.readout)
        told = [note for note in found if not note.startswith(USUAL)]
        count += bool(told)
        print(
            f"{seed}: {tesla} T, {echoes} echoes, SNR {settings.snr:g}",
            *(f"    {note[:110]}" for note in told),
            sep="\n",
        )
    print(f"told of something: {count} of {scans}")


if __name__ == "__main__":
    for part in sys.argv[1:] or ("spoilt", "right"):
        {"spoilt": spoilt, "right": right}[part]()
