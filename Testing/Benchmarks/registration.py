"""How well bSSFP and CT are registered to the echo MIP, and what becomes of BV/TV on the way.

Run as ``python Testing/Benchmarks/registration.py [CASES [MAPS]]``: simulated patients at the paper's size, 20 by
default; for the first MAPS of them, 4 by default, χ is reconstructed as well. It prints and judges nothing.
"""

import os
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from TrabecularQSMLib import pipeline  # noqa: E402
from TrabecularQSMLib.analysis.agreement import largest_displacement  # noqa: E402
from TrabecularQSMLib.analysis.bvtv import RULES, apparent_bvtv, correct_bias  # noqa: E402
from TrabecularQSMLib.analysis.line import fit_line  # noqa: E402
from TrabecularQSMLib.analysis.registration import register_rigid  # noqa: E402
from TrabecularQSMLib.fieldmap import masks  # noqa: E402
from TrabecularQSMLib.images import resample  # noqa: E402
from TrabecularQSMLib.phantom import PhantomSettings, make_companions, make_phantom  # noqa: E402
from TrabecularQSMLib.settings import preset  # noqa: E402

CASES, MAPS = 20, 4
# Patients of no other benchmark.
FIRST_SEED = 400
# What is asked for: displacement over the calcaneus, and time.
MILLIMETERS_BAR, SECONDS_BAR = 0.75, 20.0
CALCANEUS = (1, 2, 3)


def main():
    cases, maps = (int(sys.argv[n]) if len(sys.argv) > n else default for n, default in ((1, CASES), (2, MAPS)))
    print(f"{os.cpu_count()} processors, {load()}\n")
    print("seed  scan   moved  error  quality  overlap  steps  seconds")
    found, rows = defaultdict(list), []
    for seed in range(FIRST_SEED, FIRST_SEED + cases):
        phantom = make_phantom(PhantomSettings(seed=seed))
        companions = make_companions(phantom)
        matrix = register_both(phantom, companions, found)
        chi = None
        if seed < FIRST_SEED + maps:
            chi = pipeline.reconstruct(phantom.acquisition, preset(stop_after=None)).maps["chi"]
        rows += region_rows(phantom, companions, matrix, chi)
    print()
    for name, values in found.items():
        error, seconds = np.array(values).T
        print(
            f"{name}: largest displacement error over the calcaneus {np.median(error):.2f} mm in the median, "
            f"{error.max():.2f} mm at most, {np.count_nonzero(error <= MILLIMETERS_BAR)} of {cases} within "
            f"{MILLIMETERS_BAR} mm; {np.median(seconds):.1f} s in the median, {seconds.max():.1f} s at most, "
            f"{np.count_nonzero(seconds <= SECONDS_BAR)} of {cases} within {SECONDS_BAR:g} s"
        )
    print_bvtv(rows)
    print(f"\nAt the end {load()}")


def load():
    return f"load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "load average not known"


def register_both(phantom, companions, found):
    """Register bSSFP and CT, print and collect errors and times; the matrix to the bSSFP."""
    mip, affine = masks.combine_echoes(phantom.acquisition.echoes), phantom.settings.affine
    points = np.argwhere(np.isin(phantom.regions, CALCANEUS))[:, ::-1] @ affine[:3, :3].T + affine[:3, 3]
    matrices = []
    for name, image, its_affine, truth in (
        ("bSSFP", companions.bssfp, companions.bssfp_affine, companions.bssfp_matrix),
        ("CT", companions.ct, companions.ct_affine, companions.ct_matrix),
    ):
        start = time.perf_counter()
        result = register_rigid(mip, affine, image, its_affine)
        seconds = time.perf_counter() - start
        error = largest_displacement(result.matrix, truth, points)
        found[name].append((error, seconds))
        moved = largest_displacement(np.eye(4), truth, points)
        print(
            f"{phantom.settings.seed:4}  {name:5}  {moved:5.1f}  {error:5.2f}  {result.quality:7.3f}  "
            f"{result.overlap:7.3f}  {result.iterations:5}  {seconds:7.1f}",
            flush=True,
        )
        matrices.append(result.matrix)
    return matrices[0]


def region_rows(phantom, companions, matrix, chi):
    """True and apparent BV/TV, and χ if given, of the regions that the bSSFP shows, one dict for each."""
    image, affine = companions.bssfp, companions.bssfp_affine
    names = {label: name for label, name in phantom.region_names.items() if name in companions.bvtv}
    labels = resample(
        phantom.regions, phantom.settings.affine, image.shape, affine, np.linalg.inv(matrix), interpolation="nearest"
    )
    corrected = correct_bias(image, affine)
    apparent = {rule: apparent_bvtv(corrected, labels, names, companions.bone, rule=rule) for rule in RULES}
    rows = []
    for number, (label, name) in enumerate(names.items()):
        row = {"seed": phantom.settings.seed, "region": name, "true": companions.bvtv[name]}
        row |= {rule: values[number].bvtv for rule, values in apparent.items()}
        if chi is not None:
            inside = phantom.regions == label
            row |= {"chi": chi[inside].mean(dtype=float), "true chi": phantom.truth["chi"][inside].mean(dtype=float)}
        rows.append(row)
    return rows


def print_bvtv(rows):
    """Print apparent against true BV/TV, whether it ranks the regions, and how well it and χ predict it."""
    print("\nregion              true   " + "  ".join(f"{rule:>9}" for rule in RULES) + "   (means over the patients)")
    for region in dict.fromkeys(row["region"] for row in rows):
        means = [np.mean([row[key] for row in rows if row["region"] == region]) for key in ("true", *RULES)]
        print(f"{region:18}  {means[0]:.3f}  " + "  ".join(f"{mean:9.3f}" for mean in means[1:]))
    seeds = sorted({row["seed"] for row in rows})
    for rule in RULES:
        right = {"calcaneus": 0, "": 0}
        for part in right:
            for seed in seeds:
                pairs = [(r["true"], r[rule]) for r in rows if r["seed"] == seed and r["region"].startswith(part)]
                right[part] += sorted(pairs) == sorted(pairs, key=lambda pair: pair[1])
        print(
            f"{rule}: ranks the three regions of the calcaneus rightly in {right['calcaneus']} of {len(seeds)} "
            f"patients, all regions in {right['']}"
        )
    with_chi = [row for row in rows if "chi" in row]
    for key, chosen in ((RULES[0], rows), (RULES[1], rows), ("chi", with_chi), ("true chi", with_chi)):
        if len(chosen) > 2:
            line = fit_line(*(np.array([row[name] for row in chosen]) for name in ("true", key)))
            print(
                f"{key} on true BV/TV: n {line.n}, slope {line.slope:.3f}, intercept {line.intercept:.3f}, "
                f"R² {line.r2:.3f}"
            )


if __name__ == "__main__":
    main()
