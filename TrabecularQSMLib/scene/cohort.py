"""What a cohort has left in its output folder, as nodes."""

from pathlib import Path

from ..errors import InputError
from ..files.formats import read_json_file
from ..files.maps import find_scan, read_chi_noise, read_maps, read_sidecar
from ..files.tables import read_measured
from ..pipeline import Reconstruction
from ..progress import Progress, part
from ..study.cohort import TABLE
from .alive import keepAlive
from .measure import addRows
from .reconstruct import addMapVolumes
from .regions import loadRegions, showOutlines
from .volumes import removeWithHelpers


def loadMaps(folder, *, progress: Progress | None = None) -> dict:
    """Load the maps that the command line has made of one scan, and the regions beside them.

    Nothing is left in the scene if it fails or is cancelled.

    :param folder: that of one subject or session below the output of ``cohort`` or ``reconstruct``.
    :param progress: ``progress(fraction, message)``; what it raises stops the loading.
    :return: volume nodes by the name of their quantity, in a folder of the scene.
    :raises InputError: if it holds no maps, or those of several scans.
    """
    left_out = []
    stem, files = find_scan(folder, left_out)
    maps, affine = keepAlive(lambda told: read_maps(files, left_out, progress=told), part(progress, 0.0, 0.6))
    first = files[next(iter(maps))]
    sidecar, settings = read_sidecar(first.with_name(f"{first.name.removesuffix('.nii.gz')}.json"))
    # What a cohort notes holds that of the maps, and what was said of registrations.
    record = next(iter(sorted(Path(folder).glob("*_cohort.json"))), None)
    notes = (sidecar if record is None else read_json_file(record)).get("Notes", ())
    noise = read_chi_noise(files["sigma_chi"]) if "sigma_chi" in maps else None
    result = Reconstruction(maps, settings, (*left_out, *notes), chi_noise=noise)
    drawn = first.with_name(f"{stem}_dseg.nii.gz")
    regions = loadRegions(drawn, f"{stem} regions") if drawn.exists() else None
    try:
        nodes = addMapVolumes(
            result, affine, stem, b0Direction=sidecar.get("B0Direction"), progress=part(progress, 0.6, 1.0)
        )
    except BaseException:
        if regions:
            removeWithHelpers(regions)
        raise
    if regions:
        showOutlines(regions)
    return nodes


def cohortTable(output):
    """Load the table of all subjects of a cohort, and return its node.

    :param output: output folder of ``cohort``.
    :raises InputError: if there is none, or no region was measured.
    """
    output = Path(output)
    rows = read_measured(output / TABLE)
    if not rows:
        raise InputError(f"{output / TABLE} holds no row; give the cohort's subjects regions to be measured in.")
    return addRows(rows, None, f"{output.name} cohort table")
