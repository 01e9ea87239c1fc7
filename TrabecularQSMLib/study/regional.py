"""What is measured of one subject: its regions in its maps and in its other images, which are registered."""

from collections.abc import Sequence
from pathlib import Path

from ..analysis.measure import COLUMNS
from ..files.nifti import read_grid, write_image
from ..files.provenance import Activity
from ..files.regions import regions_on
from ..files.transforms import write_transform
from ..files.writing import input_hashes, write_json, write_labels
from ..progress import Progress, part
from .companions import attenuation_of_files, bvtv_of_files, regions_seen, register_files
from .measure import measure_files
from .subjects import Subject

# Kinds that are registered, as they are called in names.
_IMAGES = {"bssfp": "bSSFP", "ct": "CT"}


def measure_subject(
    subject: Subject, anat: Path, stem: str, only: Sequence[str], progress: Progress | None = None
) -> tuple[list[dict], list[str], list[Activity]]:
    """Register the images of a subject to its maps, measure its regions in all of them, and write what belongs there.

    Parameters
    ----------
    subject : Subject
    anat : Path
        Folder of its maps; transforms, registered images and regions go there too.
    stem : str
        Name of its scan.
    only : sequence of str
        Names of the regions to measure; all by default.
    progress : callable, optional

    Returns
    -------
    rows : list of dict
        Of all regions in all images, in the columns of `measure`.
    notes : list of str
    activities : list of Activity
        What was done.
    """
    files, notes, rows, activities = subject.companions, [], [], []
    mip = anat / f"{stem}_MIP.nii.gz"
    within = (subject.folder / "anat" / mip.name).as_posix()
    ways = {}
    for number, kind in enumerate(_IMAGES):
        if kind in files:
            both = register_files(mip, files[kind], progress=part(progress, 0.4 * number, 0.4 * (number + 1)))
            ways[kind] = anat / f"{subject.name}_from-MIP_to-{_IMAGES[kind]}_xfm.tfm"
            write_transform(ways[kind], both.registration.matrix)
            image = f"{subject.name}_space-MIP_{_IMAGES[kind]}"
            write_image(anat / f"{image}.nii.gz", both.on_fixed, both.affine)
            activities.append(_registering(kind, files[kind], ways[kind].name, within))
            write_json(anat / f"{image}.json", {"Description": activities[-1].label, **activities[-1].sidecar})
            notes += [*both.notes, _how_good(_IMAGES[kind], both.registration)]
    if "regions" not in files:
        return rows, notes, activities
    where = {"regions": files["regions"], "only": only}
    _, shape, affine = read_grid(mip)
    labels, names, told = regions_on(image=mip, shape=shape, affine=affine, path=files["regions"], only=only)
    activities.append(_measuring(files, within))
    write_labels(anat / f"{subject.name}_dseg", labels, affine, names, activities[-1].sidecar)
    notes += told
    # Its notes are those of placing the regions on the echo MIP.
    rows += measure_files(anat, files["regions"], case=subject.name, only=only)[0]
    for kind, way in ways.items():
        where["only"], told = regions_seen(files["regions"], files[kind], transform=way, only=only)
        notes += told
        if kind == "bssfp" and "bone" in files and where["only"]:
            share = part(progress, 0.8, 1.0)
            found, told = bvtv_of_files(files[kind], bone=files["bone"], transform=way, progress=share, **where)
            rows += [_as_row(one, subject.name) for one in found]
            notes += told
        if kind == "ct" and where["only"]:
            found, told = attenuation_of_files(files[kind], case=subject.name, transform=way, **where)
            rows += found
            notes += told
    return rows, notes, activities


def _registering(kind, path, way, mip):
    return Activity(
        "register",
        f"{_IMAGES[kind]} registered to the echo MIP",
        (f"OUTPUT/{mip}", path.name),
        {"output": way},
        input_hashes([path]),
        (mip,),
    )


def _measuring(files, mip):
    """The regions brought to the maps' grid and measured, in all images that there are."""
    return Activity(
        "measure",
        f"Regions measured in the maps{''.join(f' and the {_IMAGES[kind]}' for kind in _IMAGES if kind in files)}",
        (f"OUTPUT/{Path(mip).parent.as_posix()}",),
        {"regions": files["regions"].name, "output": "T.csv"},
        input_hashes(sorted(files.values())),
        (mip,),
    )


def _how_good(name, found):
    return f"{name} registered to the echo MIP: quality {found.quality:.3f}, overlap {100 * found.overlap:.0f} %."


def _as_row(found, case):
    """Apparent BV/TV of a region in the columns of `measure`."""
    values = {"case": case, "region": found.region, "quantity": "bvtv", "unit": "1", "n": found.n, "mean": found.bvtv}
    return dict.fromkeys(COLUMNS) | values
