"""Three protocols: what `protocol` says of them, and whether its standard deviations are those of repeated noise.

Run as ``python Testing/Benchmarks/protocol.py``: 100 draws of noise of each fat fraction and R2* go through our own
separation, spatial step included; it prints a table. ``--write`` also goes the whole way on simulated bone with the
paper's (ten minutes), and writes Docs/Protocols.md and its pictures; ``--pages FOLDER`` writes the three pages.
``--ankle PROTOCOL`` instead compares the error of χ of regions with that of whole reconstructions of a digital ankle,
which has voxels of less signal than marrow (half a minute a draw).
"""

import argparse
import itertools
import sys
from functools import partial
from pathlib import Path

import numpy as np
from scipy.ndimage import distance_transform_edt

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from TrabecularQSMLib.cli.common import OPTIONS  # noqa: E402
from TrabecularQSMLib.errors import worded  # noqa: E402
from TrabecularQSMLib.fieldmap.fat_models import FAT_MODELS  # noqa: E402
from TrabecularQSMLib.fieldmap.separation import fat_fraction, separate  # noqa: E402
from TrabecularQSMLib.fieldmap.signal import synthesize  # noqa: E402
from TrabecularQSMLib.figures.protocol import chain_figure, protocol_figure  # noqa: E402
from TrabecularQSMLib.inversion.closed_form import closed_form  # noqa: E402
from TrabecularQSMLib.phantom import make_phantom  # noqa: E402
from TrabecularQSMLib.pipeline import reconstruct  # noqa: E402
from TrabecularQSMLib.protocol.assess import assess, rows, unknowns  # noqa: E402
from TrabecularQSMLib.protocol.bounds import PDFFS, bounds  # noqa: E402
from TrabecularQSMLib.protocol.chain import (  # noqa: E402
    QUANTITIES,
    TRUTHS,
    ChainSettings,
    ankle_settings,
    marrow_of,
    noisy,
    run_chain,
)
from TrabecularQSMLib.protocol.region import ball, ball_of_chi  # noqa: E402
from TrabecularQSMLib.protocol.settings import ProtocolSettings  # noqa: E402
from TrabecularQSMLib.report.protocol import advice, chain_sentences, protocol_page, summary  # noqa: E402
from TrabecularQSMLib.settings import preset  # noqa: E402

DRAWS = 100
FIELD_HZ = 20.0
PICTURES = Path("Resources", "Screenshots")


def milliseconds(first, spacing, count):
    """Echo times in s."""
    return tuple(round(1e-3 * (first + spacing * n), 6) for n in range(count))


PROTOCOLS = {
    "paper": (
        "The paper's: 3 T, nine echoes in three trains",
        ProtocolSettings(
            milliseconds(1.25, 0.7, 9), 3.0, (1.5, 1.5, 1.5), 40.0, bandwidth_hz=1431.4, trains=3, longest_echo=11e-3
        ),
    ),
    "dixon": (
        "A six-echo Dixon at 1.5 T",
        ProtocolSettings(
            milliseconds(1.2, 1.2, 6), 1.5, (3.0, 1.5, 1.5), 30.0, bandwidth_hz=1300.0, readout="bipolar",
            longest_echo=11e-3,
        ),
    ),
    "seven": (
        "Eight echoes in two trains at 7 T",
        ProtocolSettings(
            milliseconds(1.5, 1.1, 8), 7.0, (1.0, 1.0, 1.0), 40.0, bandwidth_hz=1400.0, trains=2, longest_echo=11e-3
        ),
    ),
}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write Docs/Protocols.md and its pictures")
    parser.add_argument("--pages", metavar="FOLDER", type=Path, help="write the pages")
    parser.add_argument("--ankle", choices=tuple(PROTOCOLS), help="whole reconstructions with this protocol")
    parser.add_argument("--draws", type=int, default=30, help="of noise for --ankle (default: 30)")
    given = parser.parse_args()
    if given.ankle:
        print_regions_of_an_ankle(PROTOCOLS[given.ankle][1], given.draws)
        return
    found = {name: assess(settings) for name, (_, settings) in PROTOCOLS.items()}
    checks = {name: repeated(one.settings) | {"region": repeated_regions(one)} for name, one in found.items()}
    print(check_table(checks))
    if given.pages:
        given.pages.mkdir(parents=True, exist_ok=True)
        for name, one in found.items():
            said = [worded(sentence, OPTIONS) for sentence in unknowns(one)]
            text = protocol_page(one, said, PROTOCOLS[name][0])
            (given.pages / f"{name}.html").write_text(text, encoding="utf-8")
    if given.write:
        for name, one in found.items():
            (ROOT / PICTURES / f"protocol-{name}.png").write_bytes(protocol_figure(one))
        chain = run_chain(PROTOCOLS["paper"][1], ChainSettings())
        (ROOT / PICTURES / "protocol-chain.png").write_bytes(chain_figure(chain))
        (ROOT / "Docs" / "Protocols.md").write_text(page(found, checks, chain), encoding="utf-8", newline="\n")


def repeated(settings) -> dict:
    """Of field, R2* and fat fraction: root mean square of measured over expected standard deviations, and the worst."""
    low, high = settings.r2star_range
    rates, model = np.array([low, settings.middle_r2star, high]), settings.model()
    _, rate, pdff = np.meshgrid(np.arange(DRAWS), rates, np.array(PDFFS), indexing="ij")
    signal = synthesize(1 - pdff.ravel(), pdff.ravel(), FIELD_HZ, rate.ravel(), model)
    random = np.random.default_rng(1)
    noise = settings.noise * (random.standard_normal((2, *signal.shape)))
    echoes = (signal + noise[0] + 1j * noise[1]).reshape(-1, *pdff.shape).astype(np.complex64)
    one = separate(
        echoes,
        np.ones(pdff.shape, bool),
        settings.voxel_size,
        echo_times=model.echo_times,
        imaging_frequency=settings.imaging_frequency,
        fat_model=FAT_MODELS[settings.fat_model],
        find_gains=False,
        noise=settings.noise,
    )
    swapped = np.abs(one.field_hz - FIELD_HZ) > abs(settings.fat_hz) / 4
    maps = {"field": one.field_hz, "R2*": one.r2star, "fat fraction": fat_fraction(one.water, one.fat)}
    expected = bounds(model, settings.noise, rates)
    result = {"swapped": float(swapped.mean())}
    wanted = (expected.field_hz, expected.sigma_r2star, expected.sigma_pdff)
    for (name, values), bound in zip(maps.items(), wanted, strict=True):
        measured = np.ma.array(values, mask=swapped).astype(np.float64).std(axis=0, ddof=1)
        ratio = (measured / bound).filled(np.nan)
        if name == "fat fraction":
            ratio = ratio[:, 1:-1]  # cut off at 0 and 1
        result[name] = (float(np.sqrt(np.nanmean(ratio**2))), float(np.nanmin(ratio)), float(np.nanmax(ratio)))
    return result


def repeated_regions(one) -> tuple[float, float, float]:
    """Of the mean χ of balls, as `repeated`, over the radii.

    Each draw of the field's noise is inverted once, and the ball is laid in eight places of it.
    """
    settings, ratios = one.settings, []
    inverted = partial(closed_form, b0_direction=(1, 0, 0), regularization=settings.regularization)
    field_ppm = float(one.marrow.field_hz[0, 0]) * 1e6 / settings.imaging_frequency
    for region in one.regions:
        inside, random = ball(settings.voxel_size, region.radius_mm), np.random.default_rng(2)
        halves = [(0, n // 2) for n in inside.shape]
        places = [np.roll(inside, place, (0, 1, 2)) for place in itertools.product(*halves)]
        means = []
        for _ in range(DRAWS):
            noise = field_ppm * random.standard_normal(inside.shape, np.float32)
            chi = inverted(noise, settings.voxel_size)
            means.append([chi[place].mean(dtype=np.float64) for place in places])
        ratios.append(float(np.std(means)) / region.sigma_chi)
    return float(np.sqrt(np.mean(np.square(ratios)))), min(ratios), max(ratios)


def print_regions_of_an_ankle(settings, draws):
    """Of the mean χ of balls in marrow, standard deviation over draws over that of the page's model.

    One mask for all draws; the model gets the noise that the field has in each ball.
    """
    phantom, chosen = make_phantom(ankle_settings(settings, 3)), preset("default", inversion="closed-form")
    places = balls_in(marrow_of(phantom), settings)
    scans = (noisy(phantom, settings.snr, np.random.default_rng((9, draw))) for draw in range(draws + 1))
    mask = reconstruct(next(scans), chosen, threads=1).maps["mask"]
    means, noise = [], []
    for scan in scans:
        # A given mask is taken as it is, also by the separation: maps of the draw that found it would be others.
        maps = reconstruct(scan, chosen, mask=mask, threads=1).maps
        means.append([maps["chi"][place].mean(dtype=np.float64) for _, place in places])
        noise.append([np.mean(maps["sigma_field"][place].astype(np.float64) ** 2) for _, place in places])
    found = np.std(means, axis=0, ddof=1)
    hz = np.sqrt(np.mean(noise, axis=0))
    for radius in settings.region_radii_mm:
        which = [number for number, (one, _) in enumerate(places) if one == radius]
        inverted = {"b0_direction": (1.0, 0.0, 0.0), "regularization": settings.regularization}
        error = ball_of_chi(settings.voxel_size, radius, **inverted)[1] * 1e6 / settings.imaging_frequency
        ratios = found[which] / (error * hz[which])
        print(
            f"radius {radius:g} mm, {len(which)} balls, {draws} draws: {np.sqrt(np.mean(ratios**2)):.2f} "
            f"({ratios.min():.2f} to {ratios.max():.2f})"
        )


def balls_in(marrow, settings, most=8):
    """Balls that lie wholly in marrow and apart: radius in mm, and voxels."""
    depth, random = distance_transform_edt(marrow, sampling=settings.voxel_size), np.random.default_rng(0)
    places = np.moveaxis(np.indices(marrow.shape, np.float32), 0, -1) * np.asarray(settings.voxel_size, np.float32)
    found = []
    for radius in settings.region_radii_mm:
        left = depth > radius
        for _ in range(most):
            centers = places[left]
            if not len(centers):
                break
            distance = np.linalg.norm(places - centers[random.integers(len(centers))], axis=-1)
            found.append((radius, distance <= radius))
            left &= distance > 2 * radius
    return found


def check_table(checks) -> str:
    """Markdown."""
    lines = [
        "| protocol | field | R2\\* | fat fraction | χ of regions | wrong minimum |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, found in checks.items():
        ratios = (found[key] for key in ("field", "R2*", "fat fraction", "region"))
        cells = [f"{mean:.3f} ({low:.2f} to {high:.2f})" for mean, low, high in ratios]
        lines.append(f"| {PROTOCOLS[name][0]} | {' | '.join(cells)} | {found['swapped']:.2%} |")
    return "\n".join(lines)


def page(found, checks, chain) -> str:
    """The page of the documentation."""
    names = list(found)
    tables = {name: rows(one) for name, one in found.items()}
    lines = [
        f"| number | unit | {' | '.join(PROTOCOLS[name][0] for name in names)} |",
        "| --- | --- | --- | --- | --- |",
    ]
    for several in zip(*tables.values(), strict=True):
        first = several[0]
        what = first["quantity"] + (f", radius {radius(first)}" if "radius" in first["of"] else "")
        what += ", worst" if first["of"].startswith("worst") else ""
        cells = ["–" if row["value"] is None else f"{row['value']:.4g}" for row in several]
        lines.append(f"| {what} | {first['unit']} | {' | '.join(cells)} |".replace("R2*", "R2\\*"))
    parts = [HEAD, "\n".join(lines), CHECK, check_table(checks)]
    for name, one in found.items():
        title = PROTOCOLS[name][0]
        parts.append(f"## {title}\n\n{summary(one)}. {advice(one)}".replace("R2*", "R2\\*"))
        parts.append(f"![{title}](../{(PICTURES / f'protocol-{name}.png').as_posix()})")
    parts += [
        CHAIN,
        chain_table(chain),
        "\n".join(f"* {one}" for one in chain_sentences(chain)).replace("R2*", "R2\\*"),
    ]
    parts.append(f"![χ, R2\\*, fat fraction over BV/TV](../{(PICTURES / 'protocol-chain.png').as_posix()})")
    return "\n\n".join(parts) + "\n"


def chain_table(rows) -> str:
    """Markdown: what was measured, and in brackets the truth."""
    lines = ["| BV/TV | χ against muscle [ppm] | R2\\* [1/s] | fat fraction |", "| --- | --- | --- | --- |"]
    for row in rows:
        cells = [f"{row[name]:.4g} ({row[TRUTHS[name]]:.4g})" for name in QUANTITIES]
        lines.append(f"| {row['bvtv']:.4g} | {' | '.join(cells)} |")
    return "\n".join(lines)


def radius(row) -> str:
    """The radius that a row is of."""
    return row["of"].partition("radius ")[2].partition(",")[0]


HEAD = """\
# Three protocols

Written by `python Testing/Benchmarks/protocol.py --write`; do not edit. What
[`trabecular-qsm protocol`](CommandLine.md#protocol) says of the paper's protocol and of two others, with echoes allowed
until 11 ms. Only the paper's train is one that was scanned; those of 1.5 and 7 T, and SNR of all three, are assumed.
The Dixon is near a published one of spines (six echoes from 1.21 ms in steps of 1.1, doi 10.3348/kjr.2018.0174, whose
abstract names no field strength); for 7 T, no published train for water and fat in bone could be read. Noise is that of
a fat fraction of 0.9 in the middle of the range of R2\\*, and the worst over all; what each number rests on is on the
command's own pages."""
CHECK = """\
## Whether the standard deviations are right

100 draws of noise for each of 11 fat fractions and three R2\\* go through our own separation, spatial step included:
the standard deviations found over those that the page gives, root mean square over all (smallest to largest of one
cell, which 100 draws tell to 7 %); fractions of 0 and 1 are cut off there and left out. For χ of regions, 100 draws of
the field's noise for each radius are inverted, and their mean is taken in balls in eight places.

That is noise as in marrow everywhere. In whole reconstructions of a digital ankle (`--ankle`: 12 draws, one mask,
closed form, up to eight balls in marrow of each radius), voxels of little signal such as cortex add to it: for radii
of 3, 6 and 9 mm the error is 2.5, 3.1 and 3.6 times that of the page with the paper's protocol, and 1.2, 1.3 and 1.3
times with the Dixon; 7 T was not tried. Noise alike in all voxels gives the page's error to 12 % in the same masks,
background removal included."""
CHAIN = """\
## The whole way, on simulated bone

Spheres of 0.2 mm radius in a block of 12 mm in the calcaneus of two digital ankles, scanned with the paper's protocol
and reconstructed with the default preset (`--chain`). In brackets what is true; for R2\\*, what the same echoes show
without noise."""


if __name__ == "__main__":
    main()
