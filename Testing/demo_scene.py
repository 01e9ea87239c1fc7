"""The parts of the demo that need nodes: from maps to numbers about bone, the simulation, and the scene as a file."""

import os

import headless
import numpy as np
import slicer

from TrabecularQSMLib import scene
from TrabecularQSMLib.analysis.agreement import largest_displacement
from TrabecularQSMLib.scene.registration import pointsBetween, qualityOf
from TrabecularQSMLib.scene.tables import rowsFromTable
from TrabecularQSMLib.simulation.monte_carlo import ParameterGrid

CASE = "sub-01"
# Number and radius to BV/TV, |mean χ| and R2′/f0 for 1 ppm: Diefenbach et al. 2019, tables of figure 7.
PUBLISHED = {
    (200, 5): (0.04601, 0.03744, 0.01504),
    (200, 10): (0.30283, 0.24683, 0.08770),
    (200, 17): (0.79539, 0.64518, 0.14832),
    (100, 10): (0.16531, 0.13482, 0.05021),
    (300, 10): (0.41838, 0.34069, 0.11462),
}
REFERENCE = "muscle"


def measure_bone(nodes, maps, phantom, companions, output, progress_of):
    """Register bSSFP and CT, measure regions, and regress: printed against the truth of the phantom."""
    print("\nRegistration to the echo MIP, from a geometry start")
    points = calcaneus_points(phantom)
    for moving, matrix in ((nodes.bssfp, companions.bssfp_matrix), (nodes.ct, companions.ct_matrix)):
        transform = scene.registerNodes(maps["mip"], moving)
        start, error = (
            largest_displacement(found, matrix, points)
            for found in (start_of(nodes, moving), pointsBetween(maps["mip"], moving))
        )
        quality = qualityOf(transform)["quality"]
        print(f"  {moving.GetName():14} {start:4.1f} mm apart, registered to {error:.2f} mm (quality {quality:.2f})")

    progress = progress_of("Apparent BV/TV in the registered regions, after bias correction")
    bvtv = scene.bvtvNodes(
        nodes.bssfp, nodes.boneRegions, case=CASE, boneSegmentation=nodes.boneReference, progress=progress
    )
    progress.done()
    table = scene.measureNodes(maps, nodes.boneRegions, case=CASE)
    scene.attenuationNodes(nodes.ct, nodes.boneRegions, case=CASE, table=table)
    muscle = slicer.util.arrayFromVolume(maps["chi"])[muscle_voxels(phantom, maps)].mean()
    values = {(row["region"], row["quantity"]): row["mean"] for row in rowsFromTable(table)}
    apparent = {row["region"]: row["bvtv"] for row in rowsFromTable(bvtv.table)}
    print(f"\n{'':22}{'true':>9}{'apparent':>10}{'χ against':>13}{'R2*':>9}{'CT':>8}")
    print(f"{'region':22}{'BV/TV':>9}{'BV/TV':>10}{REFERENCE + ', ppm':>13}{'1/s':>9}{'HU':>8}")
    for region, true in companions.bvtv.items():
        chi, r2star, hounsfield = (values[region, name] for name in ("chi", "r2star", "ct"))
        print(f"{region:22}{true:9.3f}{apparent[region]:10.3f}{chi - muscle:13.3f}{r2star:9.1f}{hounsfield:8.0f}")
    by_truth = sorted(companions.bvtv, key=companions.bvtv.get)
    ranked = by_truth == sorted(apparent, key=apparent.get)
    print(f"  apparent BV/TV ranks the regions {'as the truth does' if ranked else 'OTHERWISE THAN THE TRUTH'}")
    true = [companions.bvtv[region] for region in by_truth]
    for title, found in (
        ("apparent BV/TV", [apparent[region] for region in by_truth]),
        ("χ", [values[region, "chi"] for region in by_truth]),
        ("R2*", [values[region, "r2star"] for region in by_truth]),
        ("CT", [values[region, "ct"] for region in by_truth]),
    ):
        print(f"  R² of {title} against true BV/TV over {len(true)} regions: {np.corrcoef(true, found)[0, 1] ** 2:.2f}")
    regression = scene.regressNodes([table, bvtv.table], "bvtv", "chi")
    line = regression.result.pooled
    print(f"  χ against apparent BV/TV: slope {line.slope:.2f} ppm, R² {line.r2:.2f}, n {line.n}")
    scene.saveRegressionFigure(output / "regression.png", [table, bvtv.table], "bvtv", "chi")
    print(f"wrote {os.path.relpath(output / 'regression.png')}")


def simulate(progress_of):
    """A small part of the paper's sphere simulation, beside its published numbers."""
    grid = ParameterGrid(numbers=(100, 200, 300), radii=(5, 10, 17), delta_chis=(1.0,), repeats=1)
    progress = progress_of("\nSimulating spheres of bone, one geometry for each number and radius of nine (paper: 100)")
    nodes = scene.simulateNodes(grid=grid, name="spheres", progress=progress)
    progress.done()
    means = {(row["number"], row["radius"]): row for row in rowsFromTable(nodes.summary)}
    print(f"{'':20}{'BV/TV':^19}{'mean χ [ppm]':^19}{'R2′ [ppm]':^19}")
    print(f"{'number, radius':20}" + f"{'paper':>9}{'here':>8}  " * 3)
    for key, published in PUBLISHED.items():
        found = [means[key][f"{name}_mean"] for name in ("bvtv", "mean_chi", "r2prime_hwhm_ppm")]
        cells = "".join(f"{paper:9.4f}{here:8.4f}  " for paper, here in zip(published, found, strict=True))
        print(f"{key[0]:6}{key[1]:6}{'':8}{cells}")
    for found in nodes.linearity:
        title = {"mean_chi": "χ", "r2prime_hwhm_ppm": "R2′"}[found.quantity]
        print(f"  {title} over BV/TV: slope {found.line.slope:.3f} ppm, {found.nonlinearity:.1%} off the line")


def write_and_read_back(mrml, path, maps, phantom) -> bool:
    """Write the scene to a file, read it into an empty one, and compare; whether all is as it was."""
    before = {node.GetName(): slicer.util.arrayFromVolume(node).copy() for node in maps.values()}
    if not mrml.WriteToMRB(str(path), None):
        print(f"  {os.path.relpath(path)} could not be written.")
        return False
    print(f"wrote {os.path.relpath(path)}")
    headless.clear()
    if not mrml.ReadFromMRB(str(path), True):
        print(f"  {os.path.relpath(path)} could not be read back.")
        return False
    affine = phantom.acquisition.affine
    again = {name: mrml.GetFirstNodeByName(name) for name in before}
    maps_equal = all(
        node is not None
        and np.array_equal(slicer.util.arrayFromVolume(node), before[name])
        and np.allclose(scene.affineFromVolume(node), affine, atol=1e-9)
        for name, node in again.items()
    )
    segmentation, volume = mrml.GetFirstNodeByName("ankle regions"), next(iter(again.values()))
    labels, names = scene.regionsFromSegmentation(segmentation, volume)
    regions_equal = names == phantom.region_names and np.array_equal(labels, phantom.regions)
    echoes = scene.acquisitionFromSequences(
        *(mrml.GetFirstNodeByName(f"ankle {part}") for part in ("magnitude", "phase"))
    )
    difference = np.abs(echoes.echoes - phantom.acquisition.echoes).max() / np.abs(echoes.echoes).max()
    echoes_equal = difference < 1e-6 and np.allclose(echoes.echo_times, phantom.acquisition.echo_times, rtol=1e-9)
    word = {True: "equal", False: "DIFFERENT"}
    print(
        f"  read back: {len(again)} maps {word[maps_equal]}, {len(names)} regions {word[regions_equal]}, "
        f"{len(echoes.echo_times)} echoes {word[bool(echoes_equal)]}"
    )
    return bool(maps_equal and regions_equal and echoes_equal)


def calcaneus_points(phantom):
    labels = [label for label, name in phantom.region_names.items() if name.startswith("calcaneus")]
    voxels = np.argwhere(np.isin(phantom.regions, labels))[:, ::-1]
    affine = phantom.acquisition.affine
    return voxels @ affine[:3, :3].T + affine[:3, 3]


def start_of(nodes, moving):
    """Matrix that puts the centers of both images onto each other: the geometry start."""
    volume = nodes.phantom.browser.GetProxyNode(nodes.phantom.magnitudeSequence)
    shift = np.eye(4)
    shift[:3, 3] = center(moving) - center(volume)
    return shift


def center(volume):
    size = np.array(volume.GetImageData().GetDimensions())
    affine = scene.affineFromVolume(volume)
    return affine[:3, :3] @ ((size - 1) / 2) + affine[:3, 3]


def muscle_voxels(phantom, maps):
    label = next(label for label, name in phantom.region_names.items() if name == REFERENCE)
    reliable = [slicer.util.arrayFromVolume(maps[name]) > 0 for name in ("mask", "reliability")]
    return (phantom.regions == label) & reliable[0] & reliable[1]
