"""A simulated ankle scan becomes maps beside their truth, as arrays and as nodes of a 3D Slicer scene.

Run by ``make demo``; writes to demo-output/.
"""

import os
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing" / "Python")]

from TrabecularQSMLib.analysis.regression import regress  # noqa: E402
from TrabecularQSMLib.analysis.tables import pair_up  # noqa: E402
from TrabecularQSMLib.figures import maps as figures  # noqa: E402
from TrabecularQSMLib.figures.lcurve import compare_lcurves  # noqa: E402
from TrabecularQSMLib.figures.profiles import profile_figure  # noqa: E402
from TrabecularQSMLib.figures.regression import Panel, regression_figure  # noqa: E402
from TrabecularQSMLib.files.tables import read_table  # noqa: E402
from TrabecularQSMLib.files.writing import write_files  # noqa: E402
from TrabecularQSMLib.phantom import CompanionSettings, PhantomSettings, make_companions, make_phantom  # noqa: E402
from TrabecularQSMLib.pipeline import reconstruct_each, sweep_regularization  # noqa: E402
from TrabecularQSMLib.progress import part  # noqa: E402
from TrabecularQSMLib.settings import preset  # noqa: E402

OUTPUT = ROOT / "demo-output"
PUBLISHED_TABLE = ROOT / "Testing" / "Data" / "diefenbach2019_figure4.csv"
TV_CHI = "mean_chi_MEDIl1TVnesta"
# Another patient than those on which the default settings were chosen.
SEED = 2019
COMPARED = {"chi": "χ [ppm]", "r2star": "R2* [1/s]", "pdff": "PDFF", "field_hz": "field [Hz]"}
# Of Figure S2, against each inversion's own; χ of every other is shown.
LAMBDAS = (0.1, 0.3, 1, 3, 10)
REFERENCE = "muscle"
NOT_MARROW = ("muscle", "skin fat")
# Left out: the total field, which is the field map in ppm; the echo MIP, which is beside the inversions; the mask.
FIGURE_MAPS = ("chi", "r2star", "pdff", "local_field", "field_hz", "water", "fat", "reliability")


class Progress:
    """One line that is rewritten on a terminal; elsewhere one line for each stage."""

    def __init__(self, title):
        self.title, self.start, self.stage = title, time.monotonic(), None
        print(title, flush=True)

    def __call__(self, fraction, message):
        if sys.stdout.isatty():
            bar = "#" * round(30 * fraction)
            print(f"\r  [{bar:30}] {fraction:4.0%}  {message:45.45}", end="", flush=True)
        elif message.split("(")[0] != self.stage:
            self.stage = message.split("(")[0]
            print(f"  {fraction:4.0%}  {message}", flush=True)

    def done(self):
        line = f"  done in {time.monotonic() - self.start:.0f} s"
        print(f"\r{line:90}" if sys.stdout.isatty() else line, flush=True)


def main():
    warnings.formatwarning = lambda message, *_: f"  note: {message}\n"  # as users are told, without the code behind it
    started = time.monotonic()
    OUTPUT.mkdir(exist_ok=True)
    settings = PhantomSettings(seed=SEED)
    size = " × ".join(str(n) for n in settings.shape)
    progress = Progress(
        f"Simulating an ankle of {size} voxels and {len(settings.echo_times)} echoes, SNR {settings.snr:g}"
    )
    phantom = make_phantom(settings, progress=progress)
    progress.done()

    inversions = tuple(figures.INVERSION_TITLES)
    titles = ", ".join(figures.INVERSION_TITLES.values())
    progress = Progress(f"Reconstructing with {titles}, and with cortex not apart")
    chosen = [preset("default", inversion=inversion) for inversion in inversions]
    together = preset("default", separate_cortex="no")
    *results, together = reconstruct_each(phantom.acquisition, [*chosen, together], progress=progress)
    results = dict(zip(inversions, results, strict=True))
    progress.done()
    result = results[preset("default").inversion]
    for note in result.notes:
        print(f"  note: {note}")

    print_regions(phantom, result.maps)
    print_agreement(phantom, {figures.INVERSION_TITLES[name]: r.maps for name, r in results.items()})
    print()
    found = {name: r.maps for name, r in results.items()}
    for path in write_figures(phantom, found, result.maps, together.maps["chi"]):
        print(f"wrote {shown(path)}")
    print(f"wrote {shown(recompute_figure_4())}")
    print(f"wrote {shown(draw_figure_s2())}")
    run_scene()
    print(f"\nAll done in {time.monotonic() - started:.0f} s.")
    print(f"Pictures are in {shown(OUTPUT)}; ankle.mrb opens in 3D Slicer.")
    print("The command line is .venv/bin/trabecular-qsm: see Batch in README.md.")


def against_reference(chi, phantom, valid):
    """χ minus its mean in muscle: a susceptibility map has no reference of its own."""
    label = next(label for label, name in phantom.region_names.items() if name == REFERENCE)
    return chi - chi[(phantom.regions == label) & valid].mean()


def valid_voxels(maps):
    return (maps["mask"] > 0) & (maps["reliability"] > 0)


def print_regions(phantom, maps):
    valid = valid_voxels(maps)
    pairs = {name: (phantom.truth[name], maps[name]) for name in COMPARED}
    pairs["chi"] = tuple(against_reference(chi, phantom, valid) for chi in pairs["chi"])
    print(f"\nMean of each region, truth and measured (χ against {REFERENCE})\n")
    head = "".join(f"{title:^20}" for title in COMPARED.values())
    print(f"{'':22}{'voxels':>8}{head}")
    print(f"{'region':22}{'':8}" + f"{'truth':>10}{'measured':>10}" * len(pairs))
    for label, name in phantom.region_names.items():
        inside = (phantom.regions == label) & valid
        cells = "".join(f"{array[inside].mean():10.{digits(key)}f}" for key in pairs for array in pairs[key])
        print(f"{name:22}{np.count_nonzero(inside):8}{cells}")


def digits(name):
    return 1 if name in ("r2star", "field_hz") else 3


def print_agreement(phantom, maps_by_title):
    """R² and slope of measured against true χ."""
    print("\nMeasured against true χ\n")
    columns = ("all marrow", "calcaneus", "region means (marrow)")
    print(f"{'':14}" + "".join(f"{column:^26}" for column in columns))
    print(f"{'inversion':14}" + f"{'R²':>12}{'slope':>8}{'':6}" * len(columns))
    marrow = [label for label, name in phantom.region_names.items() if name not in NOT_MARROW]
    calcaneus = [label for label, name in phantom.region_names.items() if name.startswith("calcaneus")]
    for title, maps in maps_by_title.items():
        valid = valid_voxels(maps)
        fits = []
        for labels in (marrow, calcaneus):
            inside = np.isin(phantom.regions, labels) & valid
            fits.append(fit(phantom.truth["chi"][inside], maps["chi"][inside]))
        regions = [(phantom.regions == label) & valid for label in marrow]
        fits.append(fit(*([array["chi"][r].mean() for r in regions] for array in (phantom.truth, maps))))
        print(f"{title:14}" + "".join(f"{r2:12.3f}{slope:8.3f}{'':6}" for r2, slope in fits))


def fit(true, measured):
    true, measured = np.asarray(true, float), np.asarray(measured, float)
    slope = np.polyfit(true, measured, 1)[0]
    return np.corrcoef(true, measured)[0, 1] ** 2, slope


def write_figures(phantom, maps_by_inversion, maps, chi_together):
    """Maps beside their truth, the three inversions as in figure 2 of the paper, and cortex as in its figure 9."""
    valid = valid_voxels(maps)
    view = view_of_calcaneus(phantom)
    solved = lambda array: np.where(maps["mask"] > 0, array, np.nan)  # noqa: E731
    shown_chi = lambda chi: solved(against_reference(chi, phantom, valid))  # noqa: E731
    fitted = maps["water"] + maps["fat"] > 0
    measured = {name: maps[name] for name in FIGURE_MAPS}
    measured |= {"chi": shown_chi(maps["chi"]), "local_field": solved(maps["local_field"])}
    truth = {name: phantom.truth[name] for name in FIGURE_MAPS if name in phantom.truth}
    truth |= {"chi": shown_chi(truth["chi"]), "local_field": solved(truth["local_field"])}
    inversions = {name: shown_chi(found["chi"]) for name, found in maps_by_inversion.items()}
    in_planes = replace(view, planes=("sagittal", "coronal", "axial"))
    chi = {"Truth χ": truth["chi"], "TV-MEDI χ": shown_chi(chi_together), "TV-MEDI χ, cortex apart": measured["chi"]}
    panels = [replace(figures.map_panel("chi", array), title=title) for title, array in chi.items()]
    lines = {
        "Across the tibia, whose cortex lies along B0": across(phantom, "distal tibia", view.voxel[0]),
        "Across a metatarsal, whose cortex does not": across(phantom, "metatarsals", view.voxel[0]),
    }
    cortex = {"shade": phantom.truth["cortex"], "plain": figures.map_panel("mip", maps["mip"])}
    return write_files(
        {
            OUTPUT / "maps.png": figures.map_figure(measured, view, truth=truth, body=fitted),
            OUTPUT / "inversions.png": figures.compare_inversions(
                inversions, maps["mip"], in_planes, truth=truth["chi"]
            ),
            OUTPUT / "cortex.png": profile_figure(panels, lines, view, **cortex),
        }
    )


def view_of_calcaneus(phantom):
    """The sagittal slice with most of the calcaneus."""
    calcaneus = [label for label, name in phantom.region_names.items() if name.startswith("calcaneus")]
    voxel = tuple(int(np.median(axis)) for axis in np.nonzero(np.isin(phantom.regions, calcaneus)))
    return figures.View(phantom.acquisition.affine, voxel=voxel)


def across(phantom, name, k):
    """Ends in RAS mm of a line in a sagittal slice across a bone at its middle, to 10 mm beyond its marrow."""
    label = next(label for label, one in phantom.region_names.items() if one == name)
    parts, _ = ndimage.label(phantom.regions[k] == label)
    j, i = np.nonzero(parts == 1 + np.argmax(np.bincount(parts.ravel())[1:]))
    points = (phantom.acquisition.affine @ [i, j, np.full_like(i, k), np.ones_like(i)])[:3].T
    middle = points.mean(axis=0)
    beside = np.linalg.svd(points - middle, full_matrices=False)[2][1]
    reach = 10 + np.percentile(np.abs((points - middle) @ beside), 90)
    return np.array([middle - reach * beside, middle + reach * beside])


def draw_figure_s2():
    """Discrepancy and χ over λ for the three inversions, with large voxels to save time."""
    phantom = make_phantom(PhantomSettings(seed=SEED, shape=(64, 64, 30)))
    progress = Progress("\nInverting over λ, as in the paper's Figure S2, with voxels of 3.4 mm")
    curves = []
    for number, inversion in enumerate(figures.INVERSION_TITLES):
        settings = preset("default", inversion=inversion, separate_cortex="no")
        values = [settings.regularization * factor for factor in LAMBDAS]
        here = part(progress, number / 3, (number + 1) / 3)
        curves.append(sweep_regularization(phantom.acquisition, settings, values, keep=values[::2], progress=here))
    progress.done()
    mask = next(iter(curves[0].maps.values())) != 0
    picture = compare_lcurves(curves, mask, view_of_calcaneus(phantom))
    return write_files({OUTPUT / "lambdas.png": picture})[0]


def recompute_figure_4():
    """The paper's pooled lines from its published table, and beside them those within each region."""
    print("\nThe paper's Figure 4 from its published table: R² of the lines\n")
    print(f"{'':42}" + "".join(f"{title:>10}" for title in ("pooled", "subtalar", "tuber", "paired")))
    table, panels = read_table(PUBLISHED_TABLE), []
    for x, y in (("apparentBVTV", "mean_R2s"), ("apparentBVTV", TV_CHI), ("mean_R2s", TV_CHI)):
        pairs = pair_up([table], x, y)
        found = regress(pairs.x, pairs.y, groups=pairs.groups, subjects=pairs.subjects)
        panels.append(Panel(pairs, found))
        lines = (found.pooled, *found.within.values(), found.paired.line)
        print(f"  {f'{y} over {x}':40}" + "".join(f"{line.r2:10.4f}" for line in lines))
    return write_files({OUTPUT / "figure4.png": regression_figure(panels)})[0]


def run_scene():
    """The same through nodes of a 3D Slicer scene, at half the resolution to save time, and on to bone."""
    print("\nThe same through nodes of a 3D Slicer scene, at half the resolution")
    os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
    try:
        import slicer  # noqa: F401
    except ImportError as error:
        print(f"  Left out: the libraries of 3D Slicer cannot be imported here ({error})")
        return
    import demo_scene
    import headless

    from TrabecularQSMLib import scene

    mrml = headless.start()
    phantom = make_phantom(PhantomSettings(seed=SEED, shape=(74, 74, 34)))
    progress = Progress(
        "Simulating a bSSFP of 0.3 × 0.3 × 0.9 mm with trabeculae and a CT of the same patient, displaced"
    )
    companions = make_companions(phantom, CompanionSettings(ct_voxel_mm=(0.9, 0.9, 1.2)), progress=progress)
    progress.done()
    nodes = scene.addCompanionNodes(phantom, companions, "ankle")
    progress = Progress("Reconstructing from sequence nodes")
    maps = scene.reconstructNodes(*nodes.phantom[:2], progress=progress)
    progress.done()
    for node in maps.values():
        quantity, unit = node.GetVoxelValueQuantity(), node.GetVoxelValueUnits()
        print(f"  {node.GetName():34}{quantity.GetCodeMeaning():32}{unit.GetCodeMeaning()}")
    demo_scene.measure_bone(nodes, maps, phantom, companions, OUTPUT, Progress)
    demo_scene.simulate(Progress)
    # Large and not changed since they were made: left out of the scene file to keep it small.
    for node in (nodes.bssfp, nodes.ct):
        mrml.RemoveNode(node)
    if not demo_scene.write_and_read_back(mrml, OUTPUT / "ankle.mrb", maps, phantom):
        sys.exit(1)


def shown(path):
    return os.path.relpath(path)


if __name__ == "__main__":
    main()
