"""Maps of a scan in files, with sidecars, in BIDS names."""

from itertools import pairwise
from pathlib import Path

import numpy as np

from ..acquisition import Acquisition, MeasuredField
from ..errors import InputError
from ..fieldmap.magnitude import is_equidistant
from ..fieldmap.separation import EXACT_ECHOES
from ..images import geometry_difference
from ..pipeline import Reconstruction
from ..progress import Progress, report
from ..quantities import ADDED_MAPS, ALL_QUANTITIES, QUANTITIES, WITHOUT_PHASE, unit_in_words
from ..settings import Settings
from .echoes import MAPS_B0_KEY
from .formats import read_entries, read_json_file
from .nifti import read_image
from .parts import bare_name
from .provenance import Activity, write_activities
from .scan import Scan, parse_name, stem_of
from .writing import (
    SOFTWARE,
    files_below,
    input_hashes,
    is_ours,
    provenance,
    refuse_existing,
    staged_dataset,
    write_json,
    write_maps,
)

# What is made of a field that was measured elsewhere, the total field aside.
_OF_FIELDS = ("mask", "reliability", "local_field", "chi")
# What a reconstruction may have started from, as the sidecars' StartedFrom says.
ECHOES, MAGNITUDE, LOCAL_FIELD = "echoes", "magnitude", "local-field"
# Where a sidecar says how noise of χ averages over voxels.
CHI_NOISE = "NoiseOfChi"
# Units of the same quantities that other software writes, by that of ours.
_OTHER_UNITS = {
    "ppm": ("ppb", "ppt", "hz", "rad", "rad/s", "si", "1"),
    "1/s": ("1/ms", "/ms", "ms^-1", "ms-1", "ms", "s", "msec", "sec"),
    "1": ("%", "percent", "permille", "‰"),
    "Hz": ("ppm", "ppb", "rad", "rad/s", "khz", "t"),
}
_QUANTITY_OF_FILE = {quantity.suffix: quantity for quantity in ALL_QUANTITIES.values()}


def planned_maps(settings: Settings, acquisition: Acquisition | MeasuredField | None = None) -> list[str]:
    """Names of the maps that a reconstruction with `settings` gives; of `acquisition`, if not of any scan."""
    of_noise = ADDED_MAPS["chi_sigma"]
    after = {"total_field": "fieldmap", "local_field": "fieldmap"} | dict.fromkeys(("chi", *of_noise), "background")
    left_out = [name for name, stage in after.items() if settings.stop_after in ("fieldmap", stage)]
    if isinstance(acquisition, MeasuredField):
        names = [*(["total_field"] if acquisition.stage == "total" else []), *_OF_FIELDS]
        return [name for name in QUANTITIES if name in names and name not in left_out]
    if acquisition is not None and len(acquisition.echo_times) <= EXACT_ECHOES:
        left_out.append("residual")
    arlo = acquisition is None or is_equidistant(acquisition.echo_times)
    added = [name for setting, names in ADDED_MAPS.items() if getattr(settings, setting) == "yes" for name in names]
    added = [name for name in added if arlo or not name.endswith("_arlo")]
    if acquisition is not None and not acquisition.has_phase:
        added = [name for name in added if name not in of_noise]
        return [name for name in QUANTITIES if name in (*WITHOUT_PHASE, *added)]
    left_out += [name for names in ADDED_MAPS.values() for name in names if name not in added]
    return [name for name in QUANTITIES if name not in left_out]


def map_files(scan: Scan, names) -> list[Path]:
    """Paths inside the output folder of the maps of a scan, each followed by its sidecar."""
    stems = [scan.folder / f"{scan.stem}_{QUANTITIES[name].suffix}" for name in names]
    return [stem.with_name(stem.name + ending) for stem in stems for ending in (".nii.gz", ".json")]


def find_maps(folder, notes: list[str] | None = None) -> dict[str, dict[str, Path]]:
    """Find the maps below a folder that `write_reconstruction` or `write_phantom` wrote.

    Where files of other software lie beside them, those of the same map or in another unit are left out.

    Parameters
    ----------
    folder : path
    notes : list of str, optional
        Takes sentences on what was left out, and on maps that lie deeper than a reconstruction puts them.

    Returns
    -------
    dict of str to dict of str to Path
        Scan (``sub-01_ses-2``, …) to quantity name to file, both sorted.

    Raises
    ------
    InputError
        If a map is there twice, or all that there are have a unit in their sidecar that is not ours.
    """
    scans: dict[str, dict[str, Path]] = {}
    wrong = []
    for path in sorted(Path(folder).rglob("sub-*.nii.gz")):
        entities, suffix = parse_name(path.name.removesuffix(".nii.gz"))
        description = entities.pop("desc", None)
        quantity = _QUANTITY_OF_FILE.get(f"desc-{description}_{suffix}" if description else suffix)
        inside = path.relative_to(folder).parts[:-1]
        if quantity is None or "part" in entities or any(part.startswith(".") for part in inside):
            continue
        if said := _other_unit(path, quantity.unit):
            wrong.append(
                f"The sidecar of {path} says the unit {said}; expected {unit_in_words(quantity.unit)}, so bring both "
                "to that"
            )
            continue
        maps = scans.setdefault(stem_of(entities), {})
        if quantity.name in maps:
            path, other = _ours_first(path, maps[quantity.name])
            wrong.append(f"The sidecar of {other} does not say that it comes from {SOFTWARE}, as that of {path} does")
        maps[quantity.name] = path
    if wrong and not scans:
        raise InputError(f"{wrong[0]}.")
    if notes is not None:
        notes += [f"{why}; the map was left out." for why in wrong]
        root = Path(folder).resolve()
        ways = [
            (root.name, *path.resolve().relative_to(root).parts) for maps in scans.values() for path in maps.values()
        ]
        below = sorted({after for way in ways for before, after in pairwise(way) if before == "derivatives"})
        if foreign := [name for name in below if name != "trabecular-qsm"]:
            notes.append(
                f"Maps below {folder} are those of {', '.join(foreign)} in derivatives, where reconstruct puts none; "
                "check that these are meant, or give the folder that reconstruct wrote."
            )
    order = list(ALL_QUANTITIES)
    return {stem: dict(sorted(scans[stem].items(), key=lambda item: order.index(item[0]))) for stem in sorted(scans)}


def _other_unit(path, unit):
    """Return the unit that the sidecar of a map, which may be of other software, says, if that is not ours."""
    said = _sidecar(path).get("Units")
    return said.strip() if isinstance(said, str) and said.strip().lower() in _OTHER_UNITS.get(unit, ()) else None


def read_maps(
    paths: dict[str, Path], notes: list[str], *, progress: Progress | None = None
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Read maps of one scan, on one grid.

    Parameters
    ----------
    paths : dict of str to Path
        As `find_maps` gives them. What this program did not write is left out where it cannot be read or lies on
        another grid than what it wrote.
    notes : list of str
        Takes a sentence on what was left out.
    progress : callable, optional

    Returns
    -------
    dict of str to (k, j, i) array
    (4, 4) array
        Their affine.

    Raises
    ------
    InputError
        If a map cannot be read, or they are not on one grid.
    """
    ours = {name: path for name, path in paths.items() if _is_ours(path)}
    maps, first = {}, None
    for number, (name, path) in enumerate({**ours, **paths}.items()):
        report(progress, number / len(paths), f"Reading {path.name}")
        try:
            image, affine = read_image(path)
            first = first or (path, image.shape, affine)
            if difference := geometry_difference(*first[1:], image.shape, affine):
                raise InputError(f"{path} is not on the grid of {first[0].name}: {difference}; reconstruct it again.")
        except InputError as error:
            if not ours or name in ours:
                raise
            notes.append(f"{path}, which does not come from {SOFTWARE}, was left out: {error}")
            continue
        maps[name] = image
    return {name: maps[name] for name in paths if name in maps}, first[2]


def _is_ours(path):
    return is_ours(_sidecar(path))


def _sidecar(path):
    return read_entries(path.with_name(f"{bare_name(path)}.json"))


def _ours_first(*paths):
    """Two files of one map: that which this program wrote, and the other; `InputError` if nothing tells."""
    ours = [path for path in paths if _is_ours(path)]
    if len(ours) != 1:
        raise InputError(f"{paths[0]} and {paths[1]} are the same map; give the folder of one of them.")
    return ours[0], next(path for path in paths if path != ours[0])


def find_scan(folder, notes: list[str] | None = None) -> tuple[str, dict[str, Path]]:
    """Return the one scan whose maps lie below a folder, and its maps as `find_maps` gives them, with its arguments.

    Raises
    ------
    InputError
        If there are no maps, or those of several scans.
    """
    scans = find_maps(folder, notes) if Path(folder).is_dir() else {}
    if len(scans) != 1:
        found = f"holds {len(scans)} scans ({', '.join(list(scans)[:4])})" if scans else "holds no maps"
        raise InputError(f"{folder} {found}; give the folder of one scan that reconstruct or cohort wrote.")
    return next(iter(scans.items()))


def read_sidecar(path) -> tuple[dict, Settings]:
    """Return all that the sidecar of a map says, or a JSON file of settings alone, and the settings in it.

    Raises
    ------
    InputError
        If it cannot be read, is no JSON, or has a setting that does not exist or a value that it cannot have.
    """
    stored = read_json_file(path)
    return stored, Settings.from_dict(_settings_in(stored), str(path))


def read_settings(path) -> dict:
    """Return the settings in a file that `read_sidecar` reads, by name: those that it gives alone."""
    return _settings_in(read_sidecar(path)[0])


def _settings_in(stored):
    return stored.get("Settings", stored) if isinstance(stored, dict) else stored


def read_chi_noise(path) -> dict | None:
    """Return how noise of χ averages over voxels, as the sidecar of a map says (`inversion.noise.chi_noise`), or None.

    Raises
    ------
    InputError
        If there is such an entry, but not two lists of numbers of the same length.
    """
    sidecar = Path(path).with_name(Path(path).name.removesuffix(".nii.gz") + ".json")
    found = read_entries(sidecar).get(CHI_NOISE)
    if found is None:
        return None
    try:
        voxels, ratios = (np.asarray(found[name], np.float64) for name in ("Voxels", "VarianceRatio"))
    except (KeyError, TypeError, ValueError, OverflowError):
        voxels = ratios = np.empty(0)
    good = voxels.ndim == 1 and voxels.shape == ratios.shape and voxels.size > 0
    if not good or not np.all(np.diff(voxels) > 0) or not (np.all(voxels > 0) and np.all(ratios > 0)):
        raise InputError(
            f"{sidecar} does not say how noise of χ averages: {CHI_NOISE} needs growing Voxels and VarianceRatio, "
            "above zero; reconstruct again with chi_sigma yes."
        )
    return found


def write_reconstruction(
    output,
    scan: Scan,
    reconstruction: Reconstruction,
    *,
    mask_file=None,
    overwrite: bool = False,
    run: dict | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Write the maps of a scan as float32 NIfTI with JSON sidecars under ``output/sub-X/[ses-Y/]anat``.

    Parameters
    ----------
    output : path
        Folder; made if absent.
    scan : Scan
    reconstruction : Reconstruction
    mask_file : path, optional
        The user's mask, named with its checksum in the sidecars.
    overwrite : bool
        Replace what an earlier run wrote for this scan, all of it: maps that this run does not give are removed.
    run : dict, optional
        Times, host, paths: whatever differs between equal runs. Goes to ``output/logs/run.json`` alone, which holds
        the last run of each scan.
    progress : callable, optional

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    InputError
        If results are there already, or the folder cannot be written or is full; nothing is written then.
    """
    output = Path(output)
    ever_written = map_files(scan, QUANTITIES)
    refuse_existing(output, ever_written, overwrite)
    acquisition = scan.acquisition
    planned = map_files(scan, reconstruction.maps)
    hashes = input_hashes(scan.files, mask_file)
    activity = Activity(
        "reconstruct",
        "Water, fat, field, R2* and susceptibility of a scan",
        ("INPUT", "OUTPUT"),
        {"settings": planned[1].as_posix()},
        hashes,
    )
    origin = provenance(
        **activity.sidecar,
        Settings=reconstruction.settings.as_dict(),
        FoundFromData=list(reconstruction.found),
        **({} if reconstruction.fit_residual is None else {"FitResidual": round(reconstruction.fit_residual, 5)}),
        StartedFrom=_start_of(acquisition),
        **({} if mask_file is None else {"MaskFile": Path(mask_file).name}),
        **_strength(acquisition),
        **{MAPS_B0_KEY: list(acquisition.b0_patient)},
        EchoTimes=[float(time) for time in getattr(acquisition, "echo_times", ())],
        Protocol=scan.protocol,
        **({} if reconstruction.chi_noise is None else {CHI_NOISE: reconstruction.chi_noise}),
        Notes=list(reconstruction.notes),
        InputFiles=hashes,
    )
    name = "Susceptibility, R2* and fat fraction maps"
    with staged_dataset(output, name, progress=progress) as (staging, written):
        maps = reconstruction.maps
        write_maps(staging / scan.folder, scan.stem, maps, acquisition.affine, origin, progress=progress)
        write_activities(staging, scan.stem, [activity])
        if run is not None:
            write_json(staging / "logs" / "run.json", {**read_entries(output / "logs" / "run.json"), scan.stem: run})
        for file in set(ever_written) - set(files_below(staging)):
            (output / file).unlink(missing_ok=True)
    return written


def _start_of(acquisition):
    if isinstance(acquisition, MeasuredField):
        return f"{acquisition.stage}-field"
    return ECHOES if acquisition.has_phase else MAGNITUDE


def _strength(acquisition):
    """Field strength and frequency for a sidecar; a field in ppm may come without."""
    if acquisition.imaging_frequency is None:
        return {}
    return {
        "MagneticFieldStrength": acquisition.field_strength,
        "ImagingFrequency": acquisition.imaging_frequency / 1e6,
    }
