"""How long each action of the panels says nothing at most, on the sample data: below 0.5 s, Cancel feels immediate.

python Testing/Benchmarks/silence.py

It needs ``slicer-core``, and measures what nodes and arrays take; what views draw of them, only the application shows.
Two times are given: that of the clock, and that of the processor in the thread of the nodes, which other programs on
the computer do not lengthen. Where it can be started so, ``chrt --fifo 10`` before the command keeps them away.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Python"))
import headless

headless.start()

from TrabecularQSMLib import scene  # noqa: E402
from TrabecularQSMLib.phantom import CompanionSettings, PhantomSettings  # noqa: E402
from TrabecularQSMLib.scene.registration import STARTS  # noqa: E402
from TrabecularQSMLib.settings import preset  # noqa: E402
from TrabecularQSMLib.simulation.monte_carlo import ParameterGrid  # noqa: E402
from TrabecularQSMLib.simulation.settings import SimulationSettings  # noqa: E402

# The sample of scene.gui.samples, which needs Qt.
SAMPLE = PhantomSettings(shape=(74, 74, 34))
SAMPLE_COMPANIONS = CompanionSettings(bssfp_voxel_mm=(0.6, 0.6, 1.2), ct_voxel_mm=(1.2, 1.2, 1.2), structure_mm=0.15)


def silence(name, work):
    """Print the longest time between two reports of some work by clock and processor, and return its result."""
    times = [(time.monotonic(), time.thread_time(), "start")]
    # As a panel: what a report does is no silence.
    result = work(lambda fraction, message: times.append((time.monotonic(), time.thread_time(), message)))
    times.append((time.monotonic(), time.thread_time(), "end"))
    gaps = [(b[0] - a[0], b[1] - a[1], a[2]) for a, b in zip(times, times[1:], strict=False)]
    (clock, _, where), processor = max(gaps), max(gap[1] for gap in gaps)
    total = times[-1][0] - times[0][0]
    print(f"| {name} | {clock:.2f} | {processor:.2f} | {total:.1f} | {where} |", flush=True)
    return result


def main():
    """Print a table of all actions."""
    print("| action | clock s | processor s | as a whole s | after |\n| --- | --- | --- | --- | --- |")
    found = silence("sample with bSSFP and CT", lambda told: scene.addCompanions(SAMPLE, SAMPLE_COMPANIONS, "a", told))
    scan, regions = found.phantom[:2], found.boneRegions
    settings = preset("default", inversion="closed-form")
    maps = silence("Apply, closed form", lambda told: scene.reconstructNodes(*scan, settings=settings, progress=told))
    silence("Apply, TV-MEDI", lambda told: scene.reconstructNodes(*scan, settings=preset(), progress=told))
    silence("L-curve", lambda told: scene.lcurveNodes(*scan, settings=settings, regions=regions, progress=told))
    silence("propose bones", lambda told: scene.proposeRegionsNodes(maps, progress=told))
    silence("propose a mask", lambda told: scene.proposeMaskNode(maps, regions))
    silence("empty regions", lambda told: scene.regionTemplate(maps["mip"], "right"))
    segment = regions.GetSegmentation().GetNthSegmentID(0)
    silence("split", lambda told: scene.splitRegionNodes(regions, segment, 10, maps["mip"]))
    for start in (start for start in STARTS if start != "landmarks"):
        silence(
            f"register bSSFP from {start}",
            lambda told, start=start: scene.registerNodes(maps["mip"], found.bssfp, start=start, progress=told),
        )
    silence("checkerboard", lambda told: scene.checkerboardNodes(maps["mip"], found.bssfp, 8, progress=told))
    three = [maps[name] for name in ("chi", "r2star", "pdff")]
    measured = silence("measure", lambda told: scene.measureNodes(three, regions, case="a", progress=told))
    reference = found.boneReference
    bone = reference.GetSegmentation().GetNthSegmentID(0)
    options = {"case": "a", "boneSegmentation": reference, "boneSegmentID": bone}
    bvtv = silence("BV/TV", lambda told: scene.bvtvNodes(found.bssfp, regions, **options, progress=told))
    silence("bone reference", lambda told: scene.proposeBoneReferenceNode(found.bssfp, regions, progress=told))
    silence("register CT", lambda told: scene.registerNodes(maps["mip"], found.ct, progress=told))
    silence("CT", lambda told: scene.attenuationNodes(found.ct, regions, case="a", progress=told))
    silence("regression", lambda told: scene.regressNodes([measured, bvtv.table], "bvtv", "chi"))
    box = SimulationSettings(size=128)
    silence("geometry, 128³", lambda told: scene.configurationNodes(box, number=50, radius=8, progress=told))
    grid = ParameterGrid(numbers=(10, 50), radii=(4, 8), repeats=1)
    silence("simulation, four geometries", lambda told: scene.simulateNodes(box, grid, progress=told))


if __name__ == "__main__":
    main()
