"""Whether the standard error of regional χ is what repeated noise shows.

Run as ``python Testing/Benchmarks/chi_sigma.py``. A digital ankle is simulated once without noise; each draw adds noise
to the echoes and runs the whole pipeline with ``chi_sigma``, in one mask, since what noise does to
the mask is no part of the error, and with three draws of its own. Of each region, z is its mean less that over all
draws, over the standard error of the draw; its standard deviation over regions and draws should be 1. Contrasts of two
regions are judged as `measure --reference` has them. It prints a table.
"""

import argparse
import sys
import time
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from unittest import mock

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from TrabecularQSMLib.acquisition import Acquisition  # noqa: E402
from TrabecularQSMLib.analysis.measure import measure, whole_mask  # noqa: E402
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom  # noqa: E402
from TrabecularQSMLib.pipeline import reconstruct, reconstruct_each, solving  # noqa: E402
from TrabecularQSMLib.quantities import ADDED_MAPS  # noqa: E402
from TrabecularQSMLib.settings import preset  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", type=int, nargs=3, default=(74, 74, 34))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--draws", type=int, default=30)
    parser.add_argument("--snr", type=float, default=40.0)
    parser.add_argument("--inversions", nargs="+", default=("closed-form", "medi-l2", "medi-tv"))
    given = parser.parse_args()
    phantom = make_phantom(PhantomSettings(shape=tuple(given.shape), seed=given.seed, snr=None))
    settings = [preset(inversion=name, chi_sigma="yes") for name in given.inversions]
    found = {name: [] for name in given.inversions}
    start = time.perf_counter()
    mask = reconstruct(noisy(phantom, given.snr, 0), preset(inversion="closed-form"), threads=1).maps["mask"]
    for draw in range(given.draws):
        scan = noisy(phantom, given.snr, draw)
        with mock.patch.object(solving, "SEED", solving.SEED + draw):
            each = reconstruct_each(scan, settings, mask=mask, threads=1)
        for name, one in zip(given.inversions, each, strict=True):
            maps = {key: one.maps[key] for key in ("chi", "mask", "reliability", *ADDED_MAPS["chi_sigma"])}
            about = {"case": str(draw), "chi_noise": one.chi_noise}
            rows = measure(maps, phantom.regions, phantom.region_names, **about) + whole_mask(maps, **about)
            found[name].append(
                {row["region"]: row for row in rows if row["quantity"] == "chi" and row["mean"] is not None}
            )
        print(f"draw {draw + 1}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
        if 1 < draw:
            print(table(found), file=sys.stderr, flush=True)
    print(table(found))


def noisy(phantom, snr, draw) -> Acquisition:
    """The scan of a phantom with one draw of noise."""
    scan, random = phantom.acquisition, np.random.default_rng((draw, 77))
    deviation = np.float32(phantom.truth["signal"].max() / snr)
    echoes = scan.echoes.copy()
    for part in (echoes.real, echoes.imag):
        part += deviation * random.standard_normal(part.shape, dtype=np.float32)
    return replace(scan, echoes=echoes)


def table(found) -> str:
    """Markdown: SD of z of each region, of all but the mask and of their contrasts, and standard errors in ppb."""
    regions = list(next(iter(found.values()))[0])
    lines = [f"| inversion | all | contrasts | {' | '.join(regions)} |", f"| --- |{' --- |' * (2 + len(regions))}"]
    for name, draws in found.items():
        means, errors = (np.array([[draw[one][key] for one in regions] for draw in draws]) for key in ("mean", "se"))
        off = (means - means.mean(axis=0)) * np.sqrt(len(draws) / (len(draws) - 1))
        z = np.sqrt(np.mean((off / errors) ** 2, axis=0))
        inside = [number for number, region in enumerate(regions) if region != "mask"]
        pairs = combinations(inside, 2)
        contrasts = [(off[:, a] - off[:, b]) / np.hypot(errors[:, a], errors[:, b]) for a, b in pairs]
        whole = f"{np.sqrt(np.mean(z[inside] ** 2)):.2f} | {np.sqrt(np.mean(np.square(contrasts))):.2f}"
        cells = [f"{one:.2f} ({1e3 * error:.2f} ppb)" for one, error in zip(z, errors.mean(axis=0), strict=True)]
        lines.append(f"| {name} | {whole} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
