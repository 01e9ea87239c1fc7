"""How well bones and the parts of the calcaneus are proposed on simulated patients.

Run as ``python Testing/Benchmarks/bones.py [CASES [VOXEL_MM [SNR]]]``: 12 patients, 2.2 mm and 15 by default; tilted by
−20° to +20°, every other one a left foot (a mirrored grid). The bones are compared with what is simulated as marrow at
the middle of the voxels; the parts with the phantom's regions, which hold only voxels that are of one part as a whole.
It prints and judges nothing.
"""

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from TrabecularQSMLib import pipeline  # noqa: E402
from TrabecularQSMLib.analysis.bones import PARTS, propose_bones  # noqa: E402
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom  # noqa: E402
from TrabecularQSMLib.phantom.anatomy import draw_patient  # noqa: E402
from TrabecularQSMLib.settings import preset  # noqa: E402

CASES, VOXEL_MM, SNR = 12, 2.2, 15.0
# Patients of no other benchmark, and none of those that the method was made with (500 to 520).
FIRST_SEED = 7000
FIELD_OF_VIEW = np.array([220.0, 220.0, 101.2])
# In the order in which the patient's marrow is painted.
BONES = ("fibula", "tibia", "talus", "calcaneus", "tarsals", "metatarsals")
NAMED = ("tibia", "talus", "calcaneus")


def main() -> None:
    """Run all cases and print Dice for each, and the least and mean of all."""
    given = [float(text) for text in sys.argv[1:]]
    cases, voxel, snr = (*given, *(CASES, VOXEL_MM, SNR)[len(given) :])
    columns = (*NAMED, *PARTS)
    print(f"{voxel:g} mm, SNR {snr:g}, {os.cpu_count()} cores")
    print(
        "case  tilt  side   " + "  ".join(f"{name.removeprefix('calcaneus '):>9}" for name in columns) + "  others  s"
    )
    table = []
    for number in range(int(cases)):
        tilt = -20 + 40 * number / max(int(cases) - 1, 1)
        side = ("right", "left")[number % 2]
        row, others, seconds = _case(FIRST_SEED + number, tilt, side, voxel, snr)
        table.append([row[name] for name in columns])
        print(f"{FIRST_SEED + number}  {tilt:4.0f}  {side:5}  " + _cells(table[-1]) + f"  {others:6}  {seconds:.1f}")
    print(f"{'least':19}" + _cells(np.min(table, axis=0)))
    print(f"{'mean':19}" + _cells(np.mean(table, axis=0)))


def _cells(values):
    return "  ".join(f"{value:9.3f}" for value in values)


def _case(seed, tilt, side, voxel, snr):
    """Dice by name, the number of unnamed bones that are half anything but marrow, and the time it took."""
    shape = tuple(int(n) for n in np.round(FIELD_OF_VIEW / voxel))
    settings = PhantomSettings(
        shape=shape,
        field_of_view_mm=tuple(n * voxel for n in shape),
        snr=snr,
        seed=seed,
        tilt_degrees=tilt,
    )
    phantom = make_phantom(settings)
    maps = pipeline.reconstruct(phantom.acquisition, replace(preset("default"), stop_after="fieldmap")).maps
    # B0 is along the patient's S axis, so that the mirror image of a scan is the scan of the other foot.
    affine = phantom.acquisition.affine
    mirrored = np.diag([-1.0, 1, 1, 1]) @ affine if side == "left" else affine
    start = time.perf_counter()
    found = propose_bones(maps, mirrored, side=side)
    seconds = time.perf_counter() - start
    truth = _marrow(seed, affine, phantom.regions.shape)
    masks = {name: found.labels == label for label, name in found.names.items()}
    row = {}
    for name in NAMED:
        parts = [mask for key, mask in masks.items() if key.split()[0] == name]
        row[name] = _dice(np.any(parts, axis=0), truth == BONES.index(name) + 1) if parts else 0.0
    labels = {name: label for label, name in phantom.region_names.items()}
    for name in PARTS:
        row[name] = _dice(masks[name], phantom.regions == labels[name]) if name in masks else 0.0
    wrong = sum(np.mean(truth[mask] > 0) < 0.5 for name, mask in masks.items() if name.startswith("bone"))
    return row, wrong, seconds


def _marrow(seed, affine, shape):
    """Number in `BONES` of the marrow at the middle of each voxel, 0 elsewhere."""
    patient = draw_patient(np.random.default_rng((seed, 0)))
    k, j, i = np.indices(shape)
    points = np.einsum("ab,bkji->akji", affine, np.stack([i, j, k, np.ones(shape)]))[:3]
    x, y, z = (np.einsum("ab,bkji->akji", patient.pose, points) + patient.shift[:, None, None, None]).astype(np.float32)
    labels, number = np.zeros(shape, np.uint8), 0
    for part in patient.parts:
        number += part.tissue.bvtv is not None
        if part.tissue.is_cortex or part.tissue.bvtv is not None:
            labels[part.distance(x, y, z) < 0] = 0 if part.tissue.is_cortex else number
    return labels


def _dice(one, other):
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


if __name__ == "__main__":
    main()
