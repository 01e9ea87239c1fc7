"""How far water–fat separation can be trusted, on objects that each stand for a kind of scan.

Run as ``python Testing/Benchmarks/separation.py [PART …]``, with the machine doing nothing else. Parts: ankle, ramp,
field-strength, long-train, organs, sign, random-signs, little-fat, sign-limits, read-out, sigma. It prints and judges
nothing.
"""

import sys
import time
import tracemalloc
from collections import Counter
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import scipy.fft
from scipy.optimize import least_squares

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from TrabecularQSMLib.acquisition import GYROMAGNETIC_RATIO_HZ_PER_T, Acquisition  # noqa: E402
from TrabecularQSMLib.fieldmap import masks  # noqa: E402
from TrabecularQSMLib.fieldmap.fat_models import FAT_MODELS  # noqa: E402
from TrabecularQSMLib.fieldmap.kind import find_kind  # noqa: E402
from TrabecularQSMLib.fieldmap.refine import refine  # noqa: E402
from TrabecularQSMLib.fieldmap.sample import draw  # noqa: E402
from TrabecularQSMLib.fieldmap.separation import separate  # noqa: E402
from TrabecularQSMLib.fieldmap.signal import Model, synthesize  # noqa: E402
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom  # noqa: E402
from TrabecularQSMLib.pipeline import reconstruct  # noqa: E402
from TrabecularQSMLib.settings import preset  # noqa: E402

THREADS = 2
FAT = FAT_MODELS["ren-marrow"]
PAPER = 1.25e-3 + 0.7e-3 * np.arange(9)


def plane(n=128):
    """Coordinates j and i from −1 to 1 of one slice, and the distance from its center."""
    j, i = np.meshgrid(np.linspace(-1, 1, n), np.linspace(-1, 1, n), indexing="ij")
    return j[None], i[None], np.hypot(j, i)[None]


def scan(pdff, field_hz, r2star, echo_times, tesla, *, snr, inside=1.0, gain=None, seed=1):
    """An acquisition with signal 1 inside; `gain` (E, …) multiplies the echoes before noise of 1/snr is added."""
    rng = np.random.default_rng(seed)
    echo_times = np.asarray(echo_times, float)
    model = Model(echo_times, FAT.signal(echo_times, tesla * GYROMAGNETIC_RATIO_HZ_PER_T))
    pdff, field_hz, r2star, inside = np.broadcast_arrays(pdff, field_hz, r2star, inside)
    flat = synthesize((inside * (1 - pdff)).ravel(), (inside * pdff).ravel(), field_hz.ravel(), r2star.ravel(), model)
    echoes = flat.reshape(-1, *pdff.shape) * np.exp(0.7j)
    if gain is not None:
        echoes = echoes * gain
    echoes = echoes + (rng.standard_normal((*echoes.shape, 2)) @ [1, 1j]) / snr
    return Acquisition(echoes.astype(np.complex64), echo_times, np.diag([1.5, 1.5, 1.5, 1.0]), field_strength=tesla)


def fields(acquisition, **settings):
    return reconstruct(acquisition, preset(stop_after="fieldmap", mask_erosion=0.0, **settings), threads=THREADS)


def within_period(difference, period):
    return difference - period * np.round(difference / period)


def swapped(result, pdff, inside):
    return 100 * np.mean(np.abs(result.maps["pdff"] - pdff)[inside] > 0.4)


def ankle():
    """Time, memory, and errors against the floor at three noise levels."""
    print("\nankle, 147 × 147 × 68 × 9")
    print(
        f"{'SNR':>5} {'seconds':>9}{'GB':>6}{'> 50 Hz %':>11}{'floor %':>9}{'> 100 Hz %':>11}{'RMSE Hz':>9}"
        f"{'floor Hz':>9}"
    )
    clean = make_phantom(PhantomSettings(seed=2020, snr=None))
    largest = clean.truth["signal"].max()
    for snr in (40, 15, 8):
        rng = np.random.default_rng(snr)
        echoes = clean.acquisition.echoes.copy()
        for echo in echoes:
            echo.real += largest / snr * rng.standard_normal(echo.shape, dtype=np.float32)
            echo.imag += largest / snr * rng.standard_normal(echo.shape, dtype=np.float32)
        print(f"{snr:5} {separation_figures(clean, echoes)}")


def separation_figures(phantom, echoes):
    """Seconds, GB beyond the input, shares of gross errors and RMSE against those of the fit from the truth."""
    scan, truth = phantom.acquisition, phantom.truth
    mip = masks.combine_echoes(echoes)
    noise = masks.noise_level(echoes, mip)
    body = masks.body_mask(masks.signal_mask(mip, noise, 0.05))
    options = {"echo_times": scan.echo_times, "imaging_frequency": scan.imaging_frequency, "fat_model": FAT}
    options["noise"] = noise
    with scipy.fft.set_workers(THREADS):
        start = time.perf_counter()
        found = separate(echoes, body, scan.voxel_size, **options)
        seconds = time.perf_counter() - start
        # Again, as counting what arrays take costs time; the peak of the process is that of the phantom.
        tracemalloc.start()
        separate(echoes, body, scan.voxel_size, **options)
        gigabytes = tracemalloc.get_traced_memory()[1] / 1e9
        tracemalloc.stop()
    counted = body & (truth["signal"] > 0.1 * truth["signal"].max()) & (truth["cortex"] < 1e-3)
    error = within_period(found.field_hz - truth["field_hz"], found.period_hz)[counted]
    model = Model(scan.echo_times, FAT.signal(scan.echo_times, scan.imaging_frequency))
    floor, *_ = refine(echoes[:, counted], model, truth["field_hz"][counted], truth["r2star"][counted])
    floor = floor - truth["field_hz"][counted]
    rmse = [np.sqrt(np.mean(e[np.abs(e) <= 50] ** 2)) for e in (error, floor)]
    shares = [100 * np.mean(np.abs(e) > limit) for e, limit in ((error, 50), (floor, 50), (error, 100))]
    return (
        f"{seconds:9.1f}{gigabytes:6.2f}{shares[0]:11.4f}{shares[1]:9.4f}{shares[2]:11.4f}{rmse[0]:9.3f}{rmse[1]:9.3f}"
    )


def ramp():
    """Voxels a period off their neighbors, with offsets and ramps of the field."""
    print("\nankle 73 × 73 × 34, offset and ramp: voxels a whole period off their neighbors %")
    base = PhantomSettings(seed=2021, shape=(73, 73, 34), snr=40.0)
    period = 1 / 0.7e-3
    for offset, turns in ((900, 0), (-900, 0), (0, 1), (0, -1), (900, 1), (-900, -1)):
        gradient = (0.0, 0.0, turns * period / base.field_of_view_mm[1])
        phantom = make_phantom(replace(base, field_offset_hz=float(offset), field_gradient_hz_per_mm=gradient))
        result, truth = reconstruct(phantom.acquisition, preset(stop_after="fieldmap"), threads=THREADS), phantom.truth
        # Outside of the body there is no field.
        counted = (
            (truth["signal"] > 0.1 * truth["signal"].max()) & (truth["cortex"] < 1e-3) & (result.maps["water"] > 0)
        )
        periods = np.round((result.maps["field_hz"] - truth["field_hz"])[counted] / period)
        print(f"  {offset:+5} Hz {turns:+d} period: {100 * np.mean(periods != np.median(periods)):.4f}")


def mixed_object():
    j, i, r = plane()
    tissue = np.sin(9 * i) * np.sin(7 * j)
    return np.choose((tissue > 0).astype(int) + (tissue > 0.55), [0.02, 0.92, 0.5]), r < 0.9


def field_strength():
    """The same problem in phase at five field strengths: a scale that is not natural fails at some of them."""
    print("\nwater, fat and mixed tissue, echo times scaled with 1/B0, swapped %")
    pdff, inside = mixed_object()
    j, i, _ = plane()
    for name, unit in (
        ("6 × 3.86 ms at 0.345 T", 2.07e-3 + 3.86e-3 * np.arange(6)),
        ("9 × 0.7 ms at 3 T", PAPER / 0.115),
    ):
        for snr in (40, 20, 10):
            shares = []
            for tesla in (0.345, 0.55, 1.0, 1.5, 3.0):
                scale = tesla / 0.345
                data = scan(
                    pdff, (10 + 40 * i + 25 * j) * scale, 15.0 * scale, unit / scale, tesla, snr=snr, inside=inside
                )
                shares.append(f"{tesla} T {swapped(fields(data, phase_sign='+1'), pdff, inside):.3f}")
            print(f"  {name}, SNR {snr}: " + ", ".join(shares))


def long_train():
    """A disk of water seen for 24 ms: many minima, a few Hz wide."""
    print("\nwater disk, 16 echoes to 24 ms, 3 T, swapped % and walls in the field")
    j, i, r = plane()
    for snr in (40, 20, 10):
        for strength in (40, 150):
            field = strength * i + strength / 2 * j - strength * r**2
            data = scan(0.0, field, 30.0, 1.5e-3 * np.arange(1, 17), 3.0, snr=snr, inside=r < 0.9)
            result = fields(data, phase_sign="+1")
            wrong = np.abs(within_period(result.maps["field_hz"] - field, 1 / 1.5e-3)) > 20
            print(
                f"  SNR {snr}, field ±{strength} Hz: swapped {swapped(result, 0.0, r < 0.9):.3f}, "
                f"off {100 * np.mean(wrong[r < 0.9]):.3f}"
            )


def organs():
    """Two organs with air between them; echoes off by 10 %."""
    print("\ntwo organs in a gap, echoes off by 10 % (SD), swapped %")
    j, i, _ = plane()
    inside = (np.hypot(i + 0.45, j) < 0.4) | (np.hypot(i - 0.45, j) < 0.4)
    for name, times in (("9 × 0.7 ms", PAPER), ("6 × 1.2 ms", 1.2e-3 * np.arange(1, 7))):
        for kind in ("scale", "phase", "both", "voxels"):
            for left, right in ((0.02, 0.92), (0.0, 0.0), (0.9, 0.9)):
                pdff = np.where(i < 0, left, right)
                shares = []
                for seed in range(5):
                    rng = np.random.default_rng(100 + seed)
                    shape = (times.size, *inside.shape) if kind == "voxels" else (times.size, 1, 1, 1)
                    scale, phase = 0.1 * rng.standard_normal((2, *shape))
                    gain = 1 + {"scale": scale, "phase": 1j * phase}.get(kind, scale + 1j * phase)
                    data = scan(pdff, 60 * i - 30 * j, 40.0, times, 3.0, snr=40, inside=inside, gain=gain)
                    shares.append(swapped(fields(data, phase_sign="+1"), pdff, inside))
                print(f"  {name}, {kind}, {left}/{right}: " + " ".join(f"{share:.2f}" for share in shares))


def sign():
    """Phase of the opposite sign: found, told to be undecidable, or missed."""
    print("\nsign of a negated phase")
    j, i, r = plane(96)
    trains = (
        ("9 × 0.7 ms, 3 T", PAPER, 3.0),
        ("6 × 0.94 ms, 3 T", 2.3e-3 + 0.94e-3 * np.arange(6), 3.0),
        ("6 × 3 ms, 3 T", 2.5e-3 + 3e-3 * np.arange(6), 3.0),
        ("4 × 0.98 ms, 3 T", 1.22e-3 + 0.98e-3 * np.arange(4), 3.0),
        ("6 × 3.86 ms, 0.35 T", 2.07e-3 + 3.86e-3 * np.arange(6), 0.35),
        ("3 × 3.2 ms, 1.5 T", 2.87e-3 + 3.2e-3 * np.arange(3), 1.5),
    )
    for name, times, tesla in trains:
        for share in (0.0, 0.05, 0.3):
            answers = []
            for snr in (10, 30):
                for theta in (0.0, 0.2) if snr == 30 else (0.0,):
                    pdff = np.where(r > 0.9 * np.sqrt(1 - share), 0.92, 0.03 if share else 0.0)
                    gain = np.exp(1j * theta * (-1.0) ** np.arange(times.size))[:, None, None, None]
                    data = scan(
                        pdff, (30 * i + 20 * j) * tesla / 3, 40.0, times, tesla, snr=snr, inside=r < 0.9, gain=gain
                    )
                    right = []
                    for turned in (True, False):
                        echoes = data.echoes.conj() if turned else data.echoes
                        result = fields(replace(data, echoes=echoes))
                        told = any("sign of the phase" in note.lower() for note in result.notes)
                        found = result.settings.phase_sign == ("-1" if turned else "+1")
                        right.append(("right" if found else "WRONG") + (" (unsure)" if told else ""))
                    answers.append(f"SNR {snr} θ {theta}: {'/'.join(right)}")
            print(f"  {name}, fat {100 * share:.0f} %: " + "; ".join(answers))


def random_signs(scans=115):
    """Scans of any kind, drawn at random: how often the sign is found, told to be undecidable, or sure and wrong."""
    print("\nsign of the phase in random scans")
    counts = Counter()
    for seed in range(scans):
        about, told = random_scan(np.random.default_rng(seed))
        counts[about, told] += 1
        if told == "SURE AND WRONG":
            print(f"  seed {seed}: {about}, {told}")
    for (about, told), count in sorted(counts.items()):
        print(f"  {about}: {told} {count}")


def random_scan(rng):
    """What a random scan is like, and what is told of its sign."""
    j, i, _ = plane(28)
    tesla, snr = rng.choice([0.35, 0.55, 1.0, 1.5, 3.0, 7.0]), rng.choice([8, 15, 25, 40])
    count, fraction = rng.integers(3, 17), rng.choice([0.0, 0.02, 0.1, 0.3, 0.5, 0.8, 0.95, 1.0])
    mixed = np.choose((i > -0.3).astype(int) + (i > 0.3), [0.92, 0.5, 0.03])
    tissue = (fraction, mixed, np.where((i > 0.6) & (j < -0.5), 0.92, 0.02))[rng.integers(3)]
    spacing = rng.choice([rng.uniform(0.15, 0.45), rng.uniform(0.5, 1.4)]) / (3.4 * 42.577 * tesla)
    times = spacing * (rng.uniform(0.8, 2.0) + np.arange(count))
    n, trains, backward = np.arange(count), rng.integers(1, max(count // 4, 1) + 1), rng.choice([0, 1])
    offsets, slopes = rng.uniform(-0.6, 0.6, (2, 2 * trains))
    group = n % trains + trains * backward * (n // trains % 2 if count >= 4 * trains else 0)
    errors = rng.choice([0.0, 0.02, 0.05, 0.1])
    scale, phase = errors * rng.standard_normal((2, count))
    gain = (1 + scale + 1j * phase)[:, None, None, None] * np.exp(
        1j * (offsets[group][:, None, None, None] + slopes[group][:, None, None, None] * i)
    )
    field = 42.577 * tesla * (0.3 * i - 0.2 * j + rng.normal(0, 0.3))
    data = scan(tissue, field, rng.uniform(8, 60), times, tesla, snr=snr, gain=gain, seed=rng.integers(2**32))
    told = told_of_sign(data, np.ones(i.shape, bool), turned=rng.random() < 0.5)
    about = "3 and 4 echoes" if count < 5 else "no fat" if np.max(tissue) < 0.05 else "with fat"
    return f"{about}, {'no errors' if errors == 0 else 'errors'} of echoes", told


def little_fat(draws=2):
    """Sign of the phase where some voxels are fat or all hold a little: the paper's train, one slice and six."""
    print("\nsign with little fat, 9 × 0.7 ms, 3 T: right / undecidable / sure and wrong, at SNR 10, 15, 40")
    objects = [(f"{share:.0%} of voxels fat", share, 0.02) for share in (0.05, 0.1, 0.2, 0.5)]
    objects += [(f"{fraction:.0%} of fat everywhere", 0.0, fraction) for fraction in (0.05, 0.1)]
    for name, share, fraction in objects:
        for own in (False, True):
            cells = []
            for slices, snr in product((1, 6), (10, 15, 40)):
                told = Counter(fat_rim(share, fraction, snr, slices, own, seed) for seed in range(draws))
                cells.append("/".join(str(told[answer]) for answer in ("right", "undecidable", "SURE AND WRONG")))
            print(f"  {name}, {'three trains with phases' if own else 'one train'}: " + ", ".join(cells))


def fat_rim(share, fraction, snr, slices, own_phases, seed):
    """What is told of the sign of a disk with a rim or a core of fat, every other seed with its phase negated."""
    rng = np.random.default_rng([seed, slices, snr])
    j, i, r = (np.repeat(axis, slices, axis=0) for axis in plane(28))
    k, inside, core = np.linspace(-1, 1, slices)[:, None, None], r < 0.95, rng.random() < 0.5
    edge = np.quantile(r[inside], share if core else 1 - share)
    fat = inside & ((r < edge) if core else (r > edge))
    gain, n = None, np.arange(9) % 3
    if own_phases:
        offset, slope = rng.uniform(-0.8, 0.8, 3), rng.uniform(-0.4, 0.4, 3)
        gain = np.exp(1j * (offset[n][:, None, None, None] + slope[n][:, None, None, None] * i))
    field = 128 * (rng.normal(0, 0.3) + 0.3 * i - 0.2 * j + 0.1 * k)
    pdff, r2star = np.where(fat, rng.uniform(0.88, 0.97), fraction), rng.uniform(20, 60)
    data = scan(pdff, field, r2star, PAPER, 3.0, snr=snr, inside=inside, gain=gain, seed=seed)
    return told_of_sign(data, inside, turned=seed % 2 == 1)


def told_of_sign(data, mask, turned):
    """What is told of the sign of a scan, with its phase negated if `turned`."""
    echoes = data.echoes.conj() if turned else data.echoes
    where = {"echo_times": data.echo_times, "imaging_frequency": data.imaging_frequency, "fat_model": FAT}
    kind = find_kind(*draw(echoes, mask, **where))
    right = kind.sign == (-1 if turned else 1)
    return ("right" if right else "SURE AND WRONG") if kind.sure_of_sign else "undecidable"


def sign_limits(voxels=524, r2star=40.0):
    """How much less likely the wrong sign is where all voxels hold the same, with exact echoes and errors of 3 %."""
    print(
        "\nlogarithm of how much less likely the wrong sign is, 9 × 0.7 ms, 3 T, one slice, SNR 10: exact echoes, 3 %"
    )
    model = Model(PAPER, FAT.signal(PAPER, 3 * GYROMAGNETIC_RATIO_HZ_PER_T))
    train = np.arange(PAPER.size) % 3
    for fraction, own in product((0.05, 0.1), (False, True)):
        true = synthesize(1 - fraction, fraction, 0.0, r2star, model)[:, 0].conj()
        least = []
        for error in (1e-6, 0.03):

            def left(p, true=true, own=own, error=error):
                water, fat, phase, turn, rate = p[:5]
                gain = np.exp(1j * own * np.r_[0, p[5:7]][train] + error * (p[7:16] + 1j * p[16:]))
                fit = synthesize(water, fat, 100 * turn, 100 * rate, model)[:, 0] * np.exp(1j * phase) * gain
                off = np.sqrt(voxels) * 10 * (fit - true)
                return np.concatenate([off.real, off.imag, p[7:]])

            starts = [
                np.r_[1 - fat, fat, 0, f / 100, r2star / 100, np.zeros(20)] for fat in (0, 0.9) for f in (0, 434, -434)
            ]
            least.append(min(least_squares(left, start, x_scale="jac").cost for start in starts))
        name = "three trains with phases" if own else "one train"
        print(f"  {fraction:.0%} of fat, {name}: {least[0]:.0f}, {least[1]:.1f}")


def read_out():
    """Bipolar read-outs and interleaved trains against the same object without: PDFF and field of regions."""
    print("\nread-out: largest difference of a region's mean from the monopolar scan, at the center and the edges")
    j, i, r = plane(96)
    inside = r < 0.93
    pdff = np.where(j < -0.3, 0.05, np.where(j < 0.3, 0.5, 0.9))
    trains = (
        ("12 × 1.1 ms, 3 T", 1.1e-3 * np.arange(1, 13), 3.0),
        ("9 × 0.7 ms, 3 T", PAPER, 3.0),
        ("6 × 1.15 ms, 3 T", 1.2e-3 + 1.15e-3 * np.arange(6), 3.0),
        ("8 × 2.2 ms, 1.5 T", 1.3e-3 + 2.2e-3 * np.arange(8), 1.5),
    )
    for name, times, tesla in trains:
        n = np.arange(times.size)[:, None, None, None]
        gains = {"monopolar": np.ones(n.shape)}
        for offset, slope in ((0.0, 0.1), (0.0, 0.35), (0.0, 0.65), (0.4, 0.3), (-0.2, -0.65)):
            gains[f"bipolar {offset:+} {slope:+}·x"] = np.exp(1j * (offset + slope * i) * (-1.0) ** n)
        gains["bipolar, odd echoes 8 % brighter"] = np.exp(0.5j * i * (-1.0) ** n) * (1 + 0.04 * (-1.0) ** n)
        given = {}
        offsets, slopes = np.array([0.0, 0.5, -0.4, 0.3]), np.array([0.0, 0.2, 0.3, -0.3])
        for number in (2, 3, 4):
            if times.size < 2 * number:
                continue
            kind = f"{number} trains" + ("" if number < 4 else ", said")
            gains[kind] = np.exp(1j * (offsets[n % number] + slopes[n % number] * i))
            # What is not looked for unasked.
            given[kind] = {} if number < 4 else {"trains": "4", "readout": "monopolar"}
            if times.size >= 4 * number:
                backward = n // number % 2
                kind = f"{number} trains, bipolar, said"
                gains[kind] = gains[f"{number} trains"] * np.exp(1j * (0.4 - 0.5 * i) * backward)
                given[kind] = {"trains": str(number), "readout": "bipolar"}
        wanted = None
        for kind, gain in gains.items():
            data = scan(pdff, 40 * i - 20 * j, 40.0, times, tesla, snr=50, inside=inside, gain=gain, seed=3)
            result = fields(data, **given.get(kind, {}))
            values = []
            for share in (0.05, 0.5, 0.9):
                for where in (np.abs(i) < 0.15, i > 0.55, i < -0.55):
                    box = inside & (r < 0.88) & (pdff == share) & where
                    values.append([result.maps[m][box].mean() for m in ("pdff", "field_hz")])
            values = np.array(values)
            wanted = values if wanted is None else wanted
            off = values - wanted
            # A whole period of the field, the same everywhere, is what no scan can tell.
            worst = np.abs(off).max(axis=0)
            note = [text for text in result.notes if "echoes" in text]
            print(f"  {name}, {kind}: PDFF {100 * worst[0]:.2f} %, field {worst[1]:.2f} Hz; {' '.join(note)[:160]}")


def sigma():
    """Errors of repeated scans in units of the standard deviations that the maps say."""
    print("\nSD of (found − true) / σ over repeated noise: field, R2*, PDFF")
    j, i, r = plane(96)
    for name, times, tesla in (
        ("9 × 0.7 ms, 3 T", PAPER, 3.0),
        ("6 × 2.2 ms, 1.5 T", 1.3e-3 + 2.2e-3 * np.arange(6), 1.5),
        ("3 × 1.15 ms, 3 T", 1.15e-3 * np.arange(1, 4), 3.0),
    ):
        for snr in (40, 15):
            for share in (0.1, 0.3, 0.5, 0.7, 0.9):
                data = scan(share, 30.0, 60.0, times, tesla, snr=snr, inside=r < 0.9)
                maps = fields(data, phase_sign="+1", readout="monopolar", trains="1").maps
                inside = (r < 0.88) & (maps["mask"] > 0)
                scores = [
                    ((maps[quantity][inside] - true) / maps[f"sigma_{short}"][inside]).std()
                    for quantity, short, true in (
                        ("field_hz", "field", 30.0), ("r2star", "r2star", 60.0), ("pdff", "pdff", share)
                    )
                ]  # fmt: skip
                print(f"  {name}, SNR {snr}, PDFF {share}: " + " ".join(f"{score:.3f}" for score in scores))


PARTS = {
    "ankle": ankle, "ramp": ramp, "field-strength": field_strength, "long-train": long_train, "organs": organs,
    "sign": sign, "random-signs": random_signs, "little-fat": little_fat,
    "sign-limits": sign_limits, "read-out": read_out, "sigma": sigma,
}  # fmt: skip


def main():
    for name in sys.argv[1:] or PARTS:
        PARTS[name]()


if __name__ == "__main__":
    main()
