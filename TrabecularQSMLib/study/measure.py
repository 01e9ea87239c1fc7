"""From the maps of a folder and a file of regions to rows of statistics."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..acquisition import voxel_size
from ..analysis.measure import MASK, measure, on_excluded, on_sizes, on_support, whole_mask
from ..analysis.placement import on_edges
from ..errors import InputError
from ..files.maps import find_maps, read_chi_noise, read_maps
from ..files.nifti import header_notes
from ..files.regions import notes_on_parts_outside, place_regions, read_regions
from ..files.scan import case_of

# What shows edges of bones best.
_SHOWS_EDGES = ("pdff", "mip")


def on_measured(
    rows: Sequence[Mapping], measured: Sequence[tuple[Mapping[str, np.ndarray], np.ndarray, Sequence[float]]]
) -> list[str]:
    """Return what rows of `measure` say, and maps of which they are with the labels on them and voxel sizes in mm.

    How regions lie is asked of the map alone that shows edges best.
    """
    on_map = {name: (one, labels, size) for maps, labels, size in measured for name, one in maps.items()}
    best = next((on_map[name] for name in _SHOWS_EDGES if name in on_map), None)
    return [
        *(note for maps, *_ in measured for note in on_support(maps)),
        *on_excluded(rows),
        *on_sizes(rows),
        *([] if best is None else on_edges(*best)),
    ]


def measure_files(
    folder, regions, *, case: str | None = None, only: Sequence[str] = (), with_mask: bool = False
) -> tuple[list[dict], list[str]]:
    """Return the rows of `measure` for every scan of a subject whose maps lie below `folder`, with its regions.

    Notes say of which regions a part lies outside of the maps.

    Parameters
    ----------
    folder : path
        What ``reconstruct`` or ``phantom`` wrote.
    regions : path
        Label map as `read_regions` takes it, on any grid of the same patient space: each voxel of a map is in the
        region that holds its middle.
    case : str, optional
        First column; by default `case_of` the scan, or its whole name where several scans would share that.
    only : sequence of str
        Names of the regions to measure; all by default.
    with_mask : bool
        Whether a last row holds χ over the whole mask, as the region `MASK`.

    Raises
    ------
    InputError
        If there are no maps, those of several subjects, or such of one scan on several grids, `case` is given for
        several scans, or a region is empty or has no voxel on the grid of a map.
    """
    if not Path(folder).is_dir():
        raise InputError(f"{folder} is not a folder; give the folder that reconstruct wrote.")
    notes = []
    scans = find_maps(folder, notes)
    if not scans:
        raise InputError(f"{folder} holds no map such as sub-01_Chimap.nii.gz; give the folder that reconstruct wrote.")
    subjects = list(dict.fromkeys(scan.partition("_")[0] for scan in scans))
    if len(subjects) > 1:
        raise InputError(
            f"{folder} holds maps of {', '.join(subjects[:4])}{' and others' if len(subjects) > 4 else ''}, but "
            "regions are of one subject; give the folder of that subject, and measure them one by one."
        )
    if case and len(scans) > 1:
        raise InputError(
            f"{folder} holds {len(scans)} scans ({', '.join(scans)}), which cannot all be the case {case}."
        )
    short = {scan: case or case_of(f"{scan}_") for scan in scans}
    cases = short if len(set(short.values())) == len(scans) else {scan: scan for scan in scans}
    labels, affine, names = read = read_regions(regions, only=only)
    if MASK in names.values():
        notes.append(
            f"A region is called {MASK}, which elsewhere is the name for all voxels with χ: regressions and statistics "
            "leave it out; give the region another name."
        )
    rows = []
    for scan, paths in scans.items():
        maps, grid = read_maps(paths, notes)
        first = (paths[next(iter(maps))], next(iter(maps.values())).shape, grid)
        placed = place_regions(regions, read, first[0], first[1:])
        notes += header_notes(first[0], regions)
        notes += notes_on_parts_outside(labels, affine, names, first[0].name, placed, first[2])
        noise = read_chi_noise(paths["sigma_chi"]) if "sigma_chi" in maps else None
        measured = measure(maps, placed, names, case=cases[scan], chi_noise=noise)
        notes += on_measured(measured, [(maps, placed, voxel_size(first[2]))])
        rows += measured
        if with_mask and MASK not in names.values():
            rows += whole_mask(maps, case=cases[scan], chi_noise=noise)
    return rows, list(dict.fromkeys(notes))
