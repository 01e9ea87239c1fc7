"""What is written and where: maps with sidecars and the phantom, in BIDS names.

Files are made in a hidden folder inside the output folder and moved to their names when all are complete, so that an
exception, a cancelled run or a full disk leaves nothing half-written.
"""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from . import __version__
from .errors import InputError
from .nifti import write_image, write_transform
from .phantom import Companions, Phantom
from .pipeline import Reconstruction
from .progress import Progress, report
from .quantities import ALL_QUANTITIES, QUANTITIES
from .readers.scan import Scan, checked_label, parse_name, stem_of
from .settings import Settings

_QUANTITY_OF_FILE = {quantity.suffix: quantity for quantity in ALL_QUANTITIES.values()}
_GENERATED_BY = [{"Name": "TrabecularQSM", "Version": __version__}]
_BIDS_VERSION = "1.10.0"
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def planned_maps(settings: Settings) -> list[str]:
    """Names of the maps that a reconstruction with `settings` gives."""
    after = {"total_field": "fieldmap", "local_field": "fieldmap", "chi": "background"}
    left_out = [name for name, stage in after.items() if settings.stop_after in ("fieldmap", stage)]
    return [name for name in QUANTITIES if name not in left_out]


def map_files(scan: Scan, names) -> list[Path]:
    """Paths inside the output folder of the maps of a scan, each followed by its sidecar."""
    stems = [scan.folder / f"{scan.stem}_{QUANTITIES[name].suffix}" for name in names]
    return [stem.with_name(stem.name + ending) for stem in stems for ending in (".nii.gz", ".json")]


def find_maps(folder) -> dict[str, dict[str, Path]]:
    """Find the maps below a folder that `write_reconstruction` or `write_phantom` wrote.

    Returns
    -------
    dict of str to dict of str to Path
        Scan (``sub-01_ses-2``, …) to quantity name to file, both sorted.
    """
    scans: dict[str, dict[str, Path]] = {}
    for path in sorted(Path(folder).rglob("sub-*.nii.gz")):
        entities, suffix = parse_name(path.name.removesuffix(".nii.gz"))
        description = entities.pop("desc", None)
        quantity = _QUANTITY_OF_FILE.get(f"desc-{description}_{suffix}" if description else suffix)
        inside = path.relative_to(folder).parts[:-1]
        if quantity is None or "part" in entities or any(part.startswith(".") for part in inside):
            continue
        maps = scans.setdefault(stem_of(entities), {})
        if quantity.name in maps:
            raise InputError(f"{path} and {maps[quantity.name]} are the same map; give the folder of one of them.")
        maps[quantity.name] = path
    order = list(ALL_QUANTITIES)
    return {stem: dict(sorted(scans[stem].items(), key=lambda item: order.index(item[0]))) for stem in sorted(scans)}


def refuse_existing(output, files, overwrite: bool) -> None:
    """Raise `InputError` if one of `files` (paths inside `output`) is there already and `overwrite` is not set."""
    output = Path(output)
    if output.exists() and not output.is_dir():
        raise InputError(f"{output} is a file; give a folder for the results.")
    there = [file for file in files if (output / file).exists()]
    if there and not overwrite:
        raise InputError(
            f"{output} already holds {there[0]}{f' and {len(there) - 1} more' if len(there) > 1 else ''}; "
            "give another folder or add --overwrite."
        )


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
    provenance = {
        "GeneratedBy": _GENERATED_BY,
        "Settings": reconstruction.settings.as_dict(),
        "MagneticFieldStrength": acquisition.field_strength,
        "ImagingFrequency": acquisition.imaging_frequency / 1e6,
        "B0Direction": list(acquisition.b0_patient),
        "Notes": list(reconstruction.notes),
        "InputFiles": input_hashes(scan.files, mask_file),
    }
    with _staged(output) as staging:
        for number, (name, array) in enumerate(reconstruction.maps.items()):
            quantity = QUANTITIES[name]
            report(progress, number / len(reconstruction.maps), f"Writing {quantity.title}")
            _write_map(staging / scan.folder, scan.stem, quantity, array, acquisition.affine, provenance)
        _describe(staging, output, "Susceptibility, R2* and fat fraction maps")
        if run is not None:
            _write_json(staging / "logs" / "run.json", {**_earlier_runs(output), scan.stem: run})
        written = _files(staging)
        for file in set(ever_written) - set(written):
            (output / file).unlink(missing_ok=True)
    report(progress, 1.0, "Written")
    return [output / file for file in written]


def write_phantom(
    output,
    phantom: Phantom,
    *,
    companions: Companions | None = None,
    subject: str = "01",
    progress: Progress | None = None,
) -> list[Path]:
    """Write a phantom as a subject of a BIDS dataset, its truth beside it under ``derivatives/truth``.

    Parameters
    ----------
    output : path
        Folder that is absent or empty, or a dataset without this subject.
    phantom : Phantom
    companions : Companions, optional
        Written as ``sub-X_bSSFP`` and ``sub-X_CT`` beside the echoes. Under the truth: the bone reference on the
        bSSFP's grid, the transforms from the echoes to both, and BV/TV of the simulated trabeculae in the regions.
    subject : str
        Label of the subject.
    progress : callable, optional

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    InputError
        If the folder holds something else, cannot be written or is full; nothing is written then.
    """
    output = Path(output)
    refuse_filled(output, subject)
    acquisition, stem = phantom.acquisition, f"sub-{checked_label(subject, 'sub')}"
    folder = Path(stem, "anat")
    with _staged(output) as staging:
        _describe(staging, output, "Digital ankle phantom", kind="raw")
        anat = staging / folder
        anat.mkdir(parents=True)
        for number, (echo, time) in enumerate(zip(acquisition.echoes, acquisition.echo_times, strict=True), start=1):
            report(progress, 0.6 * (number - 1) / len(acquisition.echoes), f"Writing echo {number}")
            metadata = {
                "EchoTime": float(time),
                "MagneticFieldStrength": acquisition.field_strength,
                "ImagingFrequency": acquisition.imaging_frequency / 1e6,
            }
            for part, array, units in (("mag", np.abs(echo), "arbitrary"), ("phase", np.angle(echo), "rad")):
                name = f"{stem}_echo-{number}_part-{part}_MEGRE"
                write_image(anat / f"{name}.nii", array, acquisition.affine)
                _write_json(anat / f"{name}.json", {**metadata, "Units": units})
        truth = staging / "derivatives" / "truth"
        _describe(truth, output / "derivatives" / "truth", "Truth of the digital ankle phantom")
        provenance = {"GeneratedBy": _GENERATED_BY, "PhantomSettings": asdict(phantom.settings)}
        for number, (name, array) in enumerate(phantom.truth.items()):
            quantity = ALL_QUANTITIES[name]
            report(progress, 0.6 + 0.3 * number / len(phantom.truth), f"Writing true {quantity.title}")
            _write_map(truth / folder, stem, quantity, array, acquisition.affine, provenance)
        drawn = np.unique(phantom.regions)  # on a coarse grid the smallest regions fill no voxel
        names = {label: name for label, name in sorted(phantom.region_names.items()) if label in drawn}
        _write_labels(truth / folder / f"{stem}_dseg", phantom.regions, acquisition.affine, names)
        if companions is not None:
            report(progress, 0.9, "Writing bSSFP and CT")
            _write_companions(anat, truth / folder, stem, companions, provenance)
        written = _files(staging)
    report(progress, 1.0, "Written")
    return [output / file for file in written]


def _write_companions(anat, truth, stem, companions, provenance):
    provenance = {**provenance, "CompanionSettings": asdict(companions.settings)}
    for name, array, affine, matrix, units in (
        ("bSSFP", companions.bssfp, companions.bssfp_affine, companions.bssfp_matrix, "arbitrary"),
        ("CT", companions.ct, companions.ct_affine, companions.ct_matrix, "HU"),
    ):
        write_image(anat / f"{stem}_{name}.nii.gz", array, affine)
        description = f"Simulated {name} of the digital ankle's patient, who lay differently"
        _write_json(anat / f"{stem}_{name}.json", {"Description": description, "Units": units, **provenance})
        write_transform(truth / f"{stem}_from-MIP_to-{name}.tfm", matrix)
    _write_labels(truth / f"{stem}_desc-bone_dseg", companions.bone, companions.bssfp_affine, {1: "bone"})
    rows = "".join(f"{stem},{region},{value:.7g}\n" for region, value in companions.bvtv.items())
    _write_text(truth / f"{stem}_bvtv.csv", "case,region,bvtv\n" + rows)


def refuse_filled(output, subject: str = "01") -> None:
    """Raise `InputError` unless `output` is absent, an empty folder, or a phantom's dataset without this subject."""
    output, name = Path(output), f"sub-{checked_label(subject, 'sub')}"
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    truth = output / "derivatives" / "truth"
    if not truth.is_dir():
        raise InputError(f"{output} exists already and holds no phantom; give a new folder.")
    if any(part.exists() for part in (output / name, truth / name)):
        raise InputError(
            f"{output} exists already; give a new folder or another --subject, or remove what is there first."
        )


def write_files(contents: dict[str | Path, str | bytes | Callable[[Path], None]]) -> list[Path]:
    """Write some files, all or none, and return their paths.

    `contents` maps paths to text, bytes, or a function that writes the file whose path it is given.
    """
    files = {Path(file): content for file, content in contents.items()}
    with contextlib.ExitStack() as stack:
        stagings = {}
        for file, content in files.items():
            if file.parent not in stagings:
                stagings[file.parent] = stack.enter_context(_staged(file.parent))
            path = stagings[file.parent] / file.name
            if callable(content):
                content(path)
            elif isinstance(content, bytes):
                path.write_bytes(content)
            else:
                _write_text(path, content)
    return list(files)


def input_hashes(files, mask_file=None) -> dict[str, str]:
    """SHA-256 of each file by its name, with folders only where the files lie in several."""
    parent = os.path.commonpath([Path(file).parent for file in files])
    hashes = {Path(os.path.relpath(file, parent)).as_posix(): _sha256(file) for file in files}
    if mask_file is not None:
        hashes[Path(mask_file).name] = _sha256(mask_file)
    return hashes


def json_text(values: dict) -> str:
    """Return JSON as it is written everywhere: indented, UTF-8, no NaN."""
    return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


@contextlib.contextmanager
def _staged(output: Path):
    """Give a folder whose files move into `output` when the block ends well; otherwise leave nothing behind."""
    made = [folder for folder in (output, *output.parents) if not folder.exists()]
    staging = None
    try:
        output.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".writing-", dir=output))
        yield staging
        for file in _files(staging):
            (output / file).parent.mkdir(parents=True, exist_ok=True)
            os.replace(staging / file, output / file)
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise InputError(f"There is no space left to write {output}; free some and run again.") from error
        reason = error.strerror or str(error)
        raise InputError(f"{output} cannot be written ({reason}); give a folder that can.") from error
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)
        for folder in made:
            with contextlib.suppress(OSError):  # stays where it holds the results
                folder.rmdir()


def _files(folder):
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def _write_map(folder, stem, quantity, array, affine, provenance):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}_{quantity.suffix}"
    write_image(path.with_name(path.name + ".nii.gz"), np.asarray(array, dtype=np.float32), affine)
    values = {"Description": f"{quantity.title}: {quantity.description}", "Units": quantity.unit, **provenance}
    _write_json(path.with_name(path.name + ".json"), values)


def _write_labels(stem, labels, affine, names):
    """Write a label map and the table of its names."""
    write_image(stem.with_name(stem.name + ".nii.gz"), labels, affine)
    rows = "".join(f"{label}\t{name}\n" for label, name in names.items())
    _write_text(stem.with_name(stem.name + ".tsv"), "index\tname\n" + rows)


def _describe(staging, output, name, kind="derivative"):
    """Write dataset_description.json unless the output has one."""
    if not (output / "dataset_description.json").exists():
        values = {"Name": name, "BIDSVersion": _BIDS_VERSION, "DatasetType": kind, "GeneratedBy": _GENERATED_BY}
        _write_json(staging / "dataset_description.json", values)


def _earlier_runs(output):
    try:
        runs = json.loads((output / "logs" / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return runs if isinstance(runs, dict) else {}


def _write_json(path, values):
    _write_text(path, json_text(values))


def _write_text(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)


def _sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"
