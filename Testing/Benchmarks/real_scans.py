"""Fat fraction of regions in two real scans, beside what they read on 28 November 2026.

Run as ``python Testing/Benchmarks/real_scans.py FOLDER`` with cases 16 (neck, five echoes) and 17 (shoulder, three
echoes, both at 1.5 T) of the ISMRM 2012 water–fat challenge as ``16.mat`` and ``17.mat`` in the folder. They are
CC BY-NC 4.0 and no part of the project. It prints and judges nothing: a swapped region is off by more than a half,
while every program reads 0.3 in this deltoid.
"""

import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from TrabecularQSMLib.files import read_acquisition  # noqa: E402
from TrabecularQSMLib.pipeline import reconstruct  # noqa: E402
from TrabecularQSMLib.settings import preset  # noqa: E402

VOXEL_SIZE = (1.5, 1.5, 4.0)  # the files store none
# Slice, rows and columns of the array, and the mean fat fraction.
REGIONS = {
    "16": {
        "skin fat": (0, slice(33, 40), slice(148, 158), 0.892),
        "tongue": (2, slice(128, 136), slice(44, 52), 0.098),
        "vertebral marrow": (0, slice(104, 114), slice(110, 117), 0.183),
    },
    "17": {
        "humeral head": (1, slice(42, 56), slice(45, 60), 0.891),
        "skin fat": (1, slice(50, 60), slice(95, 99), 0.886),
        "subscapular muscle": (3, slice(66, 73), slice(19, 26), 0.193),
        "deltoid": (1, slice(55, 75), slice(80, 86), 0.301),
    },
}


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for case, regions in REGIONS.items():
        scan = read_acquisition(Path(sys.argv[1]) / f"{case}.mat", voxel_size=VOXEL_SIZE)
        result = reconstruct(scan.acquisition, preset(stop_after="fieldmap"))
        maps = result.maps
        inside = maps["mask"] > 0
        print(f"{case}: median reliability {np.median(maps['reliability'][inside]):.3f}")
        for name, (*box, before) in regions.items():
            box = tuple(box)
            print(
                f"  {name:20} fat fraction {maps['pdff'][box].mean():.3f} (before {before}), "
                f"reliability {maps['reliability'][box].mean():.2f}"
            )
        for note in result.notes:
            print(f"  {note}")


if __name__ == "__main__":
    main()
