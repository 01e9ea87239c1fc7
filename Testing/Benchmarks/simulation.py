"""The published tables of the simulation beside ours, its time and memory, and what the boundaries change.

Run as ``python Testing/Benchmarks/simulation.py [REPEATS]``, 20 by default: a few minutes. It prints and judges nothing
but whether a number lies within 4 combined standard errors or 1 % of the published one.
"""

import itertools
import os
import resource
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing" / "Python")]

import dephasing  # noqa: E402

from TrabecularQSMLib.acquisition import GYROMAGNETIC_RATIO_HZ_PER_T  # noqa: E402
from TrabecularQSMLib.analysis.line import fit_line  # noqa: E402
from TrabecularQSMLib.simulation.decay import decay_rate, fit_decay  # noqa: E402
from TrabecularQSMLib.simulation.field import FieldModel  # noqa: E402
from TrabecularQSMLib.simulation.geometry import draw_geometry, expected_bvtv  # noqa: E402
from TrabecularQSMLib.simulation.lineshape import fit_line_shape, fit_within_voxels  # noqa: E402
from TrabecularQSMLib.simulation.model import measure_geometry  # noqa: E402
from TrabecularQSMLib.simulation.settings import DecaySettings, SimulationSettings, rate_per_s  # noqa: E402
from TrabecularQSMLib.simulation.summary import fit_power  # noqa: E402
from TrabecularQSMLib.workers import completed, process_pool  # noqa: E402

REPEATS = 20
PAPER_GEOMETRIES, PUBLISHED_REPEATS = 3000, 100
# Seconds of a processor for a geometry; gigabytes.
SECONDS_BARS, GIGABYTES_BAR = {"periodic": 0.35, "linear": 0.12}, 1.0
TASK_S = 0.1
ERRORS_BAR, RELATIVE_BAR = 4.0, 0.01
# Means for Δχ = 1 ppm: number, radius → BV/TV, |mean χ| [ppm], R2′ as half width [ppm]; from the tables that accompany
# Diefenbach et al., MRM 2019, doi 10.1002/mrm.27531 (Figures 7 and 8).
PUBLISHED = {
    (200, 5): (0.04601, 0.03744, 0.01504),
    (200, 7): (0.11940, 0.09730, 0.03866),
    (200, 10): (0.30283, 0.24683, 0.08770),
    (200, 12): (0.45296, 0.36892, 0.11625),
    (200, 15): (0.67956, 0.55223, 0.14118),
    (200, 17): (0.79539, 0.64518, 0.14832),
    (100, 10): (0.16531, 0.13482, 0.05021),
    (150, 10): (0.23713, 0.19323, 0.07127),
    (250, 10): (0.36322, 0.29596, 0.10294),
    (300, 10): (0.41838, 0.34069, 0.11462),
}
PUBLISHED_SLOPE = 0.810627  # of mean χ over BV/TV at 1 ppm, all 30 combinations
PUBLISHED_CUBIC = (1.8497e-4, 1.5022e-4)  # BV/TV and χ over the radius at N = 200
# δω t in rad: where the decay is quadratic, and where it is exponential.
EARLY, LATE, DECAY_BAR = (0.1, 0.3, 0.5, 0.8), (6.0, 8.0, 10.0, 12.0), 0.03
# R2* over apparent BV/TV of the paper's Figure 4 (slope and intercept), its echoes, and what bone has for Δχ.
PUBLISHED_R2STAR, BONE_PPM = (748.1, -99.7), -2.5
PAPER_DECAY = DecaySettings(tuple(1e-3 * (1.25 + 0.7 * n) for n in range(9)), fat_fraction=0.94)
# T2* in ms (mean and SD) of trabeculae in six wrists at three field strengths, and its echoes, of a radial read-out
# with fat suppressed (abstract of PMC5730971).
WRIST_T2STAR = {1.5: (4.58, 1.04), 3.0: (2.42, 0.56), 7.0: (1.22, 0.30)}
WRIST_DECAY = DecaySettings((0.15e-3, 0.3e-3, 0.6e-3, 1.2e-3, 3.5e-3, 7e-3))
STATIC_DEPHASING = 2 * np.pi / (9 * np.sqrt(3))


def main():
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else REPEATS
    print(f"{os.cpu_count()} processors, {load()}\n")
    found, seconds = measure_all(SimulationSettings(), PUBLISHED, repeats)
    print_published(found, repeats)
    print_slopes(found)
    print_time("periodic", seconds)
    linear, seconds = measure_all(SimulationSettings(boundary="linear"), [(200, 5), (200, 10), (200, 17)], repeats)
    print_time("linear", seconds)
    print_workers()
    print(f"\nLargest memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB "
          f"(bar {GIGABYTES_BAR:g} GB)")  # fmt: skip
    print("\nLinear boundary against periodic, the same geometries: mean χ, R2′")
    for key, values in linear.items():
        chi, width = (values.mean(axis=0) / found[key].mean(axis=0))[1:]
        print(f"N {key[0]:3d} r {key[1]:2d}   {chi - 1:+7.2%}   {width - 1:+7.2%}")
    print_static_dephasing()
    print_decays()
    print_early_decays()
    print_beside_published()
    print_voxel_sizes()
    print(f"\nAt the end {load()}")


def measure_all(settings, parameters, repeats):
    """BV/TV, mean χ and half width of every repeat by number and radius; seconds and seconds of a processor of each."""
    started = time.perf_counter()
    model = FieldModel(settings)
    model.mean_weights  # noqa: B018 - computed here, once
    before = time.perf_counter() - started
    found, seconds = {}, [(before, 0.0)]
    for number, radius in parameters:
        rows = []
        for repeat in range(repeats):
            started, busy = time.perf_counter(), time.process_time()
            measured = measure_geometry(model, draw_geometry(settings, number, radius, repeat))
            seconds.append((time.perf_counter() - started, time.process_time() - busy))
            rows.append((measured.bvtv, measured.mean_chi, measured.line.hwhm))
        found[number, radius] = np.array(rows, np.float64)
    return found, np.array(seconds)


def print_published(found, repeats):
    """Beside each published mean ours, and how far apart they are."""
    settings = SimulationSettings()
    print("\n  N   r  quantity  published      ours  standard error  combined errors  difference  within the bar")
    within = 0
    for key, published in PUBLISHED.items():
        for name, there, values in zip(("BV/TV", "mean χ", "R2′"), published, found[key].T, strict=True):
            deviation = values.std(ddof=1)
            combined = deviation * np.sqrt(1 / repeats + 1 / PUBLISHED_REPEATS)
            errors, relative = (values.mean() - there) / combined, values.mean() / there - 1
            good = abs(errors) <= ERRORS_BAR or abs(relative) <= RELATIVE_BAR
            within += good
            print(
                f"{key[0]:3d}  {key[1]:2d}  {name:<8}  {there:9.5f} {values.mean():9.5f}"
                f"  {deviation / repeats**0.5:14.5f}  {errors:+15.1f}  {relative:+10.2%}  {'yes' if good else 'NO'}"
            )
        print(f"         expected BV/TV {expected_bvtv(settings, *key):.5f}")
    print(
        f"{within} of {3 * len(PUBLISHED)} numbers within {ERRORS_BAR:g} combined standard errors or {RELATIVE_BAR:.0%}"
    )


def print_slopes(found):
    """Lines and curves of Fig. 7 and 8 over what was simulated."""
    means = {key: values.mean(axis=0) for key, values in found.items()}
    bvtv, chi, width = np.array(list(means.values())).T
    line = fit_line(bvtv, chi)
    print(
        f"\nMean χ over BV/TV, {line.n} combinations: slope {line.slope:.5f} ({line.slope_ci[0]:.5f} to "
        f"{line.slope_ci[1]:.5f}) ppm, published over 30 {PUBLISHED_SLOPE:.5f}; r {line.r:.6f}"
    )
    print(f"R2′ over BV/TV: r² {fit_line(bvtv, width).r2:.4f}")
    radii = np.array([key[1] for key in means if key[0] == 200])
    rows = np.array([values for key, values in means.items() if key[0] == 200])
    for name, column, published in zip(("BV/TV", "mean χ"), (0, 1), PUBLISHED_CUBIC, strict=True):
        cubic = fit_power(radii, rows[:, column])
        print(f"{name} over the radius: {cubic.a:.4e} r³, R² {cubic.r2:.3f}; published {published:.4e}")


def print_time(boundary, seconds):
    """Time before the first geometry, of each, and what the paper's grid would take."""
    (before, _), seconds = seconds[0], seconds[1:]
    median, busy = np.median(seconds, axis=0)
    print(
        f"\n{boundary}: {before:.1f} s before the first geometry; {median:.2f} s a geometry in the median, "
        f"{busy:.3f} s of a processor (bar {SECONDS_BARS[boundary]:g} s), {seconds[:, 1].min():.3f} s at least, "
        f"{len(seconds)} geometries\n"
        f"The paper's {PAPER_GEOMETRIES:,} geometries: {PAPER_GEOMETRIES * busy / 120:.0f} min on two processors"
    )


def print_workers():
    """Hand out tasks as long as a geometry to more workers than there are processors, which is why they only sleep."""
    from distributed import Client, LocalCluster

    print(f"\nTasks of {TASK_S:g} s handed out to workers: times as fast as one that works without a break")
    for workers in 1, 2, 4, 8:
        tasks = {number: (TASK_S + 1e-6 * number,) for number in range(40 * workers)}  # Dask does what is equal once
        several = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None}
        with LocalCluster(**several) as cluster, Client(cluster) as client:
            on_dask = times_as_fast(tasks, client.get_executor())
        pool = process_pool(workers)
        list(pool.map(time.sleep, [TASK_S] * workers))  # they have started
        print(f"{workers} workers   processes {times_as_fast(tasks, pool):.2f}   Dask {on_dask:.2f}")


def times_as_fast(tasks, executor):
    """How much sooner tasks that sleep are done than one after another."""
    started = time.perf_counter()
    done = sum(1 for _ in completed(time.sleep, tasks, executor))
    return done * TASK_S / (time.perf_counter() - started)


def print_static_dephasing():
    """Half width over the static rate of dilute spheres, in a filled box and in an island."""
    print("\nR2′ of dilute spheres over 2π/(9√3) Δχ BV/TV, standard error of 40 repeats")
    for boundary, size, number, radius in (
        ("filled", 96, 100, 4),
        ("filled", 96, 190, 4),
        ("filled", 128, 200, 5),
        ("periodic", 128, 100, 5),
        ("periodic", 128, 200, 5),
    ):
        settings = SimulationSettings(size=size, boundary=boundary)
        found = measure_all(settings, [(number, radius)], 40)[0][number, radius]
        ratios = found[:, 2] / (STATIC_DEPHASING * found[:, 0])
        print(
            f"{boundary:<8}  size {size:3d}  N {number}  r {radius}  BV/TV {found[:, 0].mean():.4f}  "
            f"{ratios.mean():.3f} ± {ratios.std(ddof=1) / np.sqrt(40):.3f}"
        )


def print_decays():
    """R2′ of the decay of many spheres and cylinders at random places over that of the literature's decay."""
    print(f"\nR2′ of the decay over the literature's, within early and late turns (bar {DECAY_BAR:.0%})")
    settings = SimulationSettings(size=192, boundary="filled")
    model = FieldModel(settings)
    masks = (draw_geometry(settings, 33, 8, repeat) for repeat in range(12))
    print_decay("spheres, 192³, r 8", model, masks, dephasing.sphere, 1 / 3)
    for degrees in (0.0, np.degrees(np.arccos(3**-0.5)), 90.0):
        angle = np.radians(degrees)
        settings = SimulationSettings(boundary="filled", b0_direction=(np.cos(angle), np.sin(angle), 0))
        model = FieldModel(settings, (2, 1024, 1024))
        masks = (repeating_cylinders(13, 16, model.shape, seed) for seed in range(30))
        print_decay(f"cylinders, 1024², r 16, {degrees:.1f}°", model, masks, dephasing.cylinder, np.sin(angle) ** 2 / 2)


def print_decay(name, model, masks, dephasing_of, ppm):
    """One line; `ppm` is δω / (γ B0) for a Δχ of 1 ppm."""
    found, density = [], []
    for mask in masks:
        field = model.field(mask)
        density.append(mask.mean())
        found.append([over_literature(model, mask, field, dephasing_of, ppm, turns) for turns in (EARLY, LATE)])
    mean, error = np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / len(found) ** 0.5
    unit = "" if ppm > 1e-6 else " 1/s, none expected"
    print(
        f"{name:<32}  BV/TV {np.mean(density):.4f}  early {mean[0]:.3f} ± {error[0]:.3f}  late {mean[1]:.3f} ± "
        f"{error[1]:.3f}{unit}"
    )


def over_literature(model, mask, field, dephasing_of, ppm, turns):
    """R2′ of the decay over that of the literature's within some turns; in 1/s where no decay is expected."""
    per_s = 2 * np.pi * GYROMAGNETIC_RATIO_HZ_PER_T * model.settings.field_strength * 1e-6
    times = tuple(turn / (per_s * (ppm if ppm > 1e-6 else 0.5)) for turn in turns)
    decay = DecaySettings(times, bone_signal=0.0)
    rate = decay_rate(field, mask, decay, field_strength=model.settings.field_strength)
    if ppm <= 1e-6:
        return rate
    # As many objects as would leave so much marrow if they overlap by chance.
    lost = [-np.log(1 - mask.mean()) * dephasing_of(per_s * ppm * time) for time in times]
    return rate / fit_decay(np.exp(-np.array(lost))[:, None], decay, field_strength=3.0)[0][0]


def print_early_decays():
    """How the early decay of spheres depends on their density and on their radius in voxels, and why."""
    print(
        "\nSpheres in 128³: early R2′ over the literature's; mean square of the field over 4/45 f (1 − f), where f is "
        "BV/TV:\nof all space, and of bone alone"
    )
    settings = SimulationSettings(boundary="filled")
    model = FieldModel(settings)
    for bvtv in (0.01, 0.05, 0.15, 0.3):
        for radius in (4, 6, 8, 12):
            number = next(n for n in itertools.count(1) if expected_bvtv(settings, n, radius) >= bvtv)
            found = []
            for repeat in range(8):
                mask = draw_geometry(settings, number, radius, repeat)
                field, density = model.field(mask), mask.mean()
                early = over_literature(model, mask, field, dephasing.sphere, 1 / 3, EARLY)
                squares = np.mean(field**2), np.mean(field[mask] ** 2)
                found.append((early, *(one / (4 / 45 * density * (1 - density)) for one in squares)))
            mean, error = np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / len(found) ** 0.5
            numbers = "   ".join(f"{a:.3f} ± {b:.3f}" for a, b in zip(mean, error, strict=True))
            print(f"BV/TV {bvtv:.2f}, radius {radius:2d}   {numbers}")


def repeating_cylinders(number, radius, shape, seed):
    """Cylinders along k at random places, that come in again where they leave."""
    mask = np.zeros(shape, bool)
    line = np.arange(-radius, radius + 1)
    disk = line[:, None] ** 2 + line**2 <= radius**2
    for center in np.random.default_rng(seed).integers(0, shape[1], (number, 2)):
        mask[(slice(None), *np.ix_(*((line + c) % shape[1] for c in center)))] |= disk
    return mask


def print_beside_published():
    """R2′ of bone of several shapes over published echoes, beside what was measured with them."""
    slope, intercept = PUBLISHED_R2STAR
    print(f"\nPublished at 3 T: R2* = {slope:g} BV/TV − {-intercept:g} 1/s, BV/TV 0.24 to 0.44")
    rates = (f"{1e3 / t2:.0f} ± {1e3 * sd / t2**2:.0f} at {tesla:g} T" for tesla, (t2, sd) in WRIST_T2STAR.items())
    print(f"Published of the wrist: R2* {', '.join(rates)}")
    print(
        f"Ours, Δχ {BONE_PPM:g} ppm, R2′ in 1/s: width and decay over TE 1.25 to 6.85 ms at 3 T, both at 1.5 T; decay "
        "of water over TE 0.15 to 7 ms at 1.5, 3 and 7 T"
    )
    middle = (slice(30, 130),) * 3  # far from the border, beyond which there is no bone
    for shape, numbers, radius in (
        ("cylinders", (18, 45, 90, 150), 5),
        ("plates", (4, 9, 16), 3),
        ("spheres", (700, 1500, 2600, 4000), 5),
    ):
        settings = SimulationSettings(size=160, boundary="linear", shape=shape, concentration=0.0)
        model = FieldModel(settings)
        for number in numbers:
            rows = []
            for repeat in range(4):
                mask = draw_geometry(settings, number, radius, repeat)
                field, bone = model.field(mask)[middle], mask[middle]
                rows.append([bone.mean(), *rates_beside_published(field, bone)])
            density, *rates = np.mean(rows, axis=0)
            print(f"{shape:<9}  BV/TV {density:.3f}   " + "  ".join(f"{rate:6.1f}" for rate in rates))


def rates_beside_published(field, bone):
    """Width and decay of R2′ as the paper's echoes show it at 3 and 1.5 T, and as those of the wrist do."""
    width = abs(BONE_PPM) * fit_line_shape(field, ~bone).hwhm

    def decay(echoes, tesla):
        return decay_rate(field, bone, echoes, field_strength=tesla, delta_chi=BONE_PPM)

    papers = [rate for tesla in (3.0, 1.5) for rate in (rate_per_s(width, tesla), decay(PAPER_DECAY, tesla))]
    return papers + [decay(WRIST_DECAY, tesla) for tesla in WRIST_T2STAR]


def print_voxel_sizes():
    """R2′ within imaging voxels of several sizes and at several field strengths, of one geometry."""
    settings = SimulationSettings()
    model = FieldModel(settings)
    mask = draw_geometry(settings, 200, 10, 0)
    field = model.field(mask)
    print("\nR2′ within imaging voxels, N 200, r 10, Δχ 1 ppm: edge in radii, half width, 1/s at 1.5, 3 and 7 T")
    for edge in (8, 16, 32, 64, 128):
        width = fit_within_voxels(field, ~mask, edge).hwhm
        rates = "  ".join(f"{rate_per_s(width, tesla):6.1f}" for tesla in (1.5, 3.0, 7.0))
        print(f"{edge / 10:5.1f}   {width:.4f} ppm   {rates}")


def load():
    """How busy the computer is, where it tells."""
    return f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "load unknown"


if __name__ == "__main__":
    main()
