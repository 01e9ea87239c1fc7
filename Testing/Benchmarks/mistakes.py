"""What vendors, converters and users do to echoes: which of it is put right, told, or wrong without a word.

Run as ``python Testing/Benchmarks/mistakes.py [spoilt|right|decays|cut|units]``. `spoilt` does each thing of `SPOILT`
to a small ankle and compares its maps with those of the scan as it was; `right` reconstructs random scans in which
nothing is wrong, and prints what is told of them all the same; `decays` does so with tissue that decays fast; `cut`
stores those of `right` in many forms, and counts where phase is taken for cut out; `units` counts columns of tables
that are taken for fractions and percent. Read-out, trains and sign are given. It judges nothing.
"""

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from TrabecularQSMLib.analysis.oddities import two_units  # noqa: E402
from TrabecularQSMLib.errors import InputError  # noqa: E402
from TrabecularQSMLib.files.echoes import check_magnitude, to_complex  # noqa: E402
from TrabecularQSMLib.files.phase import polar_to_complex  # noqa: E402
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom  # noqa: E402
from TrabecularQSMLib.pipeline import reconstruct  # noqa: E402
from TrabecularQSMLib.settings import preset  # noqa: E402

SMALL = PhantomSettings(shape=(54, 54, 26), supersampling=1, seed=1, snr=40.0)
# What any scan may have, and is told of: not what is looked for here.
USUAL = (
    "The sign of the phase",
    "Single echoes are off",
    "Phase and magnitude differ",
    "Noise leaves",
    "Noise is stronger",
    "The scan is noisy",
    "With such",
    "In half of the voxels or more only",
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


def in_voxels(*ways):
    """Move each echo by a way along the last axis, as a body does: the signal, not its phase."""
    return lambda echoes, times: (
        np.stack([
            np.fft.ifftn(ndimage.fourier_shift(np.fft.fftn(echo), (0, 0, way)))
            for echo, way in zip(echoes, ways, strict=True)
        ]),
        times,
    )  # fmt: skip


def turned(degrees):
    """Turn an echo about the first axis."""

    def turn(echo):
        parts = (ndimage.rotate(part, degrees, axes=(1, 2), reshape=False, order=1) for part in (echo.real, echo.imag))
        return np.add(*(part * unit for part, unit in zip(parts, (1, 1j), strict=True)))

    return turn


def zipper(echoes, times):
    echoes = echoes.copy()
    echoes[:, :, 27] += np.abs(echoes).max() * (RANDOM.standard_normal((*echoes[:, :, 27].shape, 2)) @ [1, 1j])
    return echoes, times


def steep(periods):
    """Add a field that changes by so many of its periods from slice to slice."""

    def changed(echoes, times):
        turns = periods * np.arange(echoes.shape[1]) * ((times - times[0]) / (times[1] - times[0]))[:, None]
        return echoes * np.exp(2j * np.pi * turns)[..., None, None], times

    return changed


def to_percentile(magnitude):
    return magnitude / np.percentile(magnitude, 99, axis=(1, 2, 3), keepdims=True)


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
    "wrapped phase moved by a third of a voxel along the slices": phases(
        lambda p: np.stack([ndimage.shift(one, (0.33, 0, 0), order=1, mode="nearest") for one in p])
    ),
    "wrapped phase moved by splines": phases(
        lambda p: np.stack([ndimage.shift(one, (0, 0, 0.5), order=3, mode="nearest") for one in p])
    ),
    "wrapped phase of one echo averaged over three voxels": phases(
        one_by_one(lambda p: ndimage.uniform_filter(p, (1, 1, 3)), 3)
    ),
    "wrapped phase through a median": phases(lambda p: ndimage.median_filter(p, (1, 1, 5, 5))),
    "magnitude scaled to a percentile echo by echo": magnitudes(to_percentile),
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
    "one train moved by half a voxel": in_voxels(*(0.5, 0, 0) * 3),
    "one train moved by a quarter of a voxel": in_voxels(*(0, 0.25, 0) * 3),
    "echoes that drift by a tenth of a voxel": in_voxels(*0.1 * np.arange(9)),
    "one train moved by two voxels": some(lambda e: np.roll(e, 2, 2), 1, 4, 7),
    "one echo of noise": some(noise, 4),
    "two last echoes of noise": some(noise, 7, 8),
    "the first echo without phase": some(lambda e: np.abs(e) + 0j, 0),
    "a constant added to one echo": some(lambda e: e + 0.1 * np.abs(e).max(), 3),
    "first echo left out": lambda e, t: (e[1:], t[:-1]),
    "an echo left out": lambda e, t: (np.delete(e, 3, axis=0), t[:-1]),
    "first echo clipped at half": magnitudes(one_by_one(lambda m: np.minimum(m, 0.5 * m.max()), 0)),
    "real part clipped": lambda e, t: (np.clip(e.real, -0.5 * np.abs(e).max(), 0.5 * np.abs(e).max()) + 1j * e.imag, t),
    "magnitude to the power of 0.7": magnitudes(lambda m: m**0.7),
    "magnitude to the power of 1.4": magnitudes(lambda m: m**1.4),
    "phases in the reverse order": phases(lambda p: p[::-1]),
    "one echo turned by 3°": some(turned(3), 3),
    "last echoes turned by 2°": some(turned(2), 6, 7, 8),
    "a zipper": zipper,
    "field of a fifth of a period per slice": steep(0.2),
    "field of a period and a third per slice": steep(1.3),
    "echo times of 1.4 times the length": lambda e, t: (e, 1.4 * t),
    "echo times of 1, 2, 3 … ms": lambda e, t: (e, 1e-3 * np.arange(1, 10)),
    "echo times a spacing late": lambda e, t: (e, t + t[1] - t[0]),
}  # fmt: skip


def fields(echoes, times, scan, **settings):
    """Maps of echoes, and all that is told of them, as if magnitude and phase had been read from files."""
    parts = (np.abs(echoes) + 1j * np.angle(echoes)).astype(np.complex64)
    notes = to_complex(parts, ("mag", "phase"), "the scan")
    acquisition = replace(scan, echoes=parts, echo_times=np.asarray(times), notes=())
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


def forms(magnitude, phase, body):
    """Forms in which a right scan may be stored, each as magnitude and phase: none of them had its phase cut out."""
    tight = ndimage.binary_erosion(body, iterations=2)
    return {
        "body alone": (magnitude * body, phase * body),
        "body alone, tightly": (magnitude * tight, phase * tight),
        "magnitude of the body alone": (magnitude * body, phase),
        "magnitude with a soft mask": (magnitude * ndimage.gaussian_filter(body.astype(float), 1.5), phase),
        "12 bits, body alone": (magnitude * body, np.round(phase / np.pi * 2047) * np.pi / 2047 * body),
        "8 bits": (magnitude, np.round(phase / np.pi * 127) * np.pi / 127),
        "8 bits, body alone": (magnitude * body, np.round(phase / np.pi * 127) * np.pi / 127 * body),
        "tenths of rad": (magnitude, np.round(phase, 1)),
        "degrees": (magnitude, np.round(np.degrees(phase))),
        "clipped to 3.1": (magnitude, np.clip(phase, -3.1, 3.1)),
        "against the first echo": (magnitude, np.angle(np.exp(1j * (phase - phase[:1])))),
    }


def cut(scans=40):
    """Whether phase is taken for cut out where it is not, in right scans in many forms."""
    told, count = Counter(), 0
    for seed in range(scans):
        echoes = a_right_scan(seed)[0]
        magnitude, phase = np.abs(echoes), np.angle(echoes)
        body = ndimage.binary_opening(magnitude.max(axis=0) > 0.2 * magnitude.max())
        for name, (size, turn) in forms(magnitude, phase, body).items():
            note = polar_to_complex((size + 1j * turn).astype(np.complex64), "the scan") or ""
            told[name] += "was cut out" in note
            count += 1
    print(f"phase taken for cut out: {told.total()} of {count}", *(f"{n} {c}" for n, c in told.items() if c))


def units(draws=1000):
    """Whether a column is taken for one of fractions and percent: right ones, and such with one half in percent."""
    random = np.random.default_rng(0)

    def of_two(one, other):
        """A column, and which of two kinds each row is of."""
        kind = random.random(random.choice([8, 14, 28, 60])) < 0.5
        return np.where(kind, one(kind.size), other(kind.size)), kind

    def normal(mean, deviation):
        return lambda count: np.clip(random.normal(mean, deviation, count), 0.1 * mean, None)

    def mixed():
        values, kind = of_two(normal(0.3, 0.08), normal(0.3, 0.08))
        return np.where(kind, 100 * values, values), random.random(kind.size) < 0.5

    columns = {
        "fat fraction of muscle and marrow": lambda: of_two(normal(0.05, 0.02), normal(0.9, 0.03)),
        "the same in percent": lambda: of_two(normal(5, 2), normal(90, 3)),
        "percent, muscle below 1": lambda: of_two(normal(0.6, 0.15), normal(90, 3)),
        "volumes of small and large bones": lambda: of_two(normal(0.6, 0.1), normal(55, 8)),
        "R2*, log-normal": lambda: of_two(*[lambda n: random.lognormal(np.log(80), 0.7, n)] * 2),
        "standard errors, log-normal": lambda: of_two(*[lambda n: random.lognormal(np.log(0.05), 1, n)] * 2),
        "three decades": lambda: of_two(*[lambda n: 10 ** random.uniform(-1, 2, n)] * 2),
        "half of a column in percent": mixed,
    }
    for name, draw in columns.items():
        told = np.zeros(2, int)
        for _ in range(draws):
            values, kind = draw()
            told += [bool(two_units(values)), bool(two_units(values, kind))]
        print(f"{name}: told in {told[0]} of {draws}, {told[1]} where the groups are given")


def a_right_scan(seed):
    """Echoes (E, K, J, I) of a random scan in which nothing is wrong, the scan, and its settings."""
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
    return per_echo(scan.echoes, np.exp(errors + phase)), scan, settings


def right(scans=40):
    count = 0
    for seed in range(scans):
        measured, scan, settings = a_right_scan(seed)
        _, found = fields(measured, scan.echo_times, scan, readout=settings.readout)
        found += [f"of the magnitude alone: {note}" for note in check_magnitude(np.abs(measured) + 0j, "the scan")]
        told = [note for note in found if not note.startswith(USUAL)]
        count += bool(told)
        print(
            f"{seed}: {settings.field_strength} T, {len(measured)} echoes, SNR {settings.snr:g}",
            *(f"    {note[:110]}" for note in told),
            sep="\n",
        )
    print(f"told of something: {count} of {scans}")


def decays(scans=40):
    """Random right scans of tissue that decays fast (iron, contrast agent), some noisier in the middle than in air."""
    count = 0
    for seed in range(scans):
        rng = np.random.default_rng(seed)
        tesla, number = float(rng.choice([1.5, 3.0, 7.0])), int(rng.choice([4, 6, 9, 12]))
        spacing = float(rng.choice([0.7, 1.15])) * 3e-3 / tesla
        settings = PhantomSettings(
            shape=(40, 40, 20), supersampling=1, seed=seed, snr=None, field_strength=tesla,
            echo_times=tuple(spacing * (rng.uniform(0.6, 1.6) + np.arange(number))),
        )  # fmt: skip
        phantom = make_phantom(settings)
        scan, truth = phantom.acquisition, phantom.truth
        iron, snr, more = float(rng.choice([100, 300, 600, 1000])), float(rng.choice([15, 40, 100])), rng.choice([1, 2])
        j, i = np.meshgrid(*[np.linspace(-1, 1, 40)] * 2, indexing="ij")
        stronger = 1 + (more - 1) * np.exp(-(j**2 + i**2) / 0.2)
        echoes = per_echo(scan.echoes, np.exp(-iron * scan.echo_times))
        noise = rng.standard_normal((*echoes.shape, 2)) @ [1, 1j] * stronger
        echoes = echoes + noise * np.abs(echoes[0]).max() / snr
        maps, found = fields(echoes, scan.echo_times, scan)
        told = [note for note in found if not note.startswith(USUAL)]
        count += bool(told)
        inside = (truth["signal"] > 0.25 * truth["signal"].max()) & (truth["cortex"] < 0.02)
        wrong = np.mean(np.abs(maps["pdff"] - truth["pdff"])[inside] > 0.3)
        print(
            f"{seed}: {tesla} T, {number} echoes, R2* {iron:g} 1/s more, SNR {snr:g}: fat fraction off by 0.3 in "
            f"{wrong:.1%}{', few echoes told' * any('stand out of noise' in note for note in found)}",
            *(f"    {note[:110]}" for note in told),
            sep="\n", flush=True,
        )  # fmt: skip
    print(f"told of something: {count} of {scans}")


if __name__ == "__main__":
    parts = {"decays": decays, "spoilt": spoilt, "right": right, "cut": cut, "units": units}
    for part in sys.argv[1:] or parts:
        parts[part]()
