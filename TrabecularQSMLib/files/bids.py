"""BIDS multi-echo gradient echoes: ``sub-X[_ses-Y][_acq-…][_run-…]_echo-<n>_part-<part>_MEGRE.nii[.gz]``.

Read where all echoes lie in one file, where trains are stored as runs, and where a converter numbered echoes as runs.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..acquisition import PATIENT_SUPERIOR, Acquisition
from ..errors import InputError, listed
from ..images import geometry_difference
from ..progress import Progress, report
from . import nifti
from .echoes import B0_KEY, EchoFile, read_json, scan_of
from .formats import is_number
from .parts import bare_name, part_of
from .scan import Scan, checked_label, folder_of, parse_name, stem_of
from .writing import refuse_existing, staged_dataset, write_json

SUFFIX = "MEGRE"
EXPECTED_NAME = f"files named sub-<label>_echo-<n>_part-<mag|phase|real|imag>_{SUFFIX}.nii[.gz]"
_OPTIONS = {"sub": "`subject`", "ses": "`session`", "acq": "`acq`", "run": "`run`"}
NOT_SEARCHED = ("derivatives", "sourcedata", "code", "stimuli")
# Echo times of two runs that lie closer, in seconds, are the same echo time.
_SAME_TIME = 2e-5


def read(folder: Path, scans: dict, labels: dict, **options) -> Scan:
    """Read the one scan of those that `find` found that `labels` (sub, ses, acq, run to label or None) leave."""
    left = _left(folder, scans, labels)
    if len(left) > 1:
        joined = _joined(left, scans) if labels.get("run") is None else None
        if joined:
            entities, files, note = joined
            return scan_of(files, entities, folder, by_time=True, notes=(note,), **options)
        raise InputError(_several(folder, left))
    files = [_echo_file(path, number, part) for path, number, part in scans[left[0]]]
    notes = _on_gaps(stem_of(dict(left[0])), {number for _, number, _ in scans[left[0]]} - {None})
    return scan_of(files, dict(left[0]), folder, notes=notes, **options)


def _on_gaps(stem, numbers):
    """Say which echoes are not there, by the numbers of those that are."""
    missing = [str(number) for number in range(1, max(numbers, default=0)) if number not in numbers]
    if not missing or len(missing) > len(numbers):
        return ()
    return (f"{stem} has no echo-{', echo-'.join(missing)} but later ones; the scan is read without.",)


def find(folder: Path) -> dict:
    """All MEGRE images below a folder: entities without echo and part → list of path, echo number, part (or None)."""
    scans = {}
    for path in image_files(folder):
        entities, suffix = parse_name(bare_name(path))
        if suffix != SUFFIX:
            continue
        number, part = entities.pop("echo", None), entities.pop("part", None)
        if next(iter(entities), None) != "sub" or number is not None and not number.isdecimal():
            raise InputError(f"{path} has no subject or no echo number in its name; expected {EXPECTED_NAME}.")
        _check_folders(path, entities)
        scans.setdefault(tuple(entities.items()), []).append((path, None if number is None else int(number), part))
    return scans


def _check_folders(path, entities):
    """Refuse a file that lies in the folder of another subject or session than its name says."""
    for key in ("sub", "ses"):
        # Of sub-X/ses-Y/anat; farther up, folders are called as people like.
        folder = next((name for name in path.parts[-2:-5:-1] if name.startswith(f"{key}-")), None)
        if folder and key in entities and folder != f"{key}-{entities[key]}":
            raise InputError(
                f"{path} is called {key}-{entities[key]} but lies in the folder {folder}; rename one of the two."
            )


def image_files(folder: Path) -> list[Path]:
    """All NIfTI files below a folder and the folders linked there, but for those of results and sources."""
    return [path for path in files_below(folder) if bare_name(path)]


def files_below(folder: Path) -> list[Path]:
    """All files below a folder and the folders linked there, sorted in each; hidden ones and results are left out."""
    found, seen = [], set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if name not in NOT_SEARCHED and not name.startswith("."))
        real = os.path.realpath(parent)
        if real in seen:  # a link to a folder above
            folders.clear()
            continue
        seen.add(real)
        found += [Path(parent, name) for name in sorted(names) if not name.startswith(".")]
    return found


def write_scan(
    output,
    acquisition: Acquisition,
    labels: dict[str, str] | None = None,
    *,
    protocol: Mapping | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> list[Path]:
    """Write a scan as a BIDS dataset, or add it to one: magnitude and phase (if any) of each echo with sidecars.

    Parameters
    ----------
    output : path
        Folder of the dataset.
    acquisition : Acquisition
    labels : dict of str to str, optional
        Labels for sub, ses, acq and run; subject 01 if not given.
    protocol : mapping, optional
        What else the sidecars say of the acquisition, as `Scan.protocol`.
    overwrite : bool
        Replace files that are there already.
    progress : callable, optional

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    InputError
        If a label is none, or files are there already or cannot be written; nothing is written then.
    """
    output, labels = Path(output), {"sub": "01", **(labels or {})}
    entities = {key: checked_label(labels[key], key) for key in _OPTIONS if labels.get(key) is not None}
    folder, stem = folder_of(entities), stem_of(entities)
    numbers = range(1, len(acquisition.echoes) + 1)
    parts = ("mag", "phase") if acquisition.has_phase else ("mag",)
    names = [f"{stem}_echo-{n}_part-{part}_{SUFFIX}.nii" for n in numbers for part in parts]
    refuse_existing(output, [folder / name for name in names], overwrite)
    with staged_dataset(output, "Multi-echo gradient-echo scans", "raw", progress) as (staging, written):
        write_echoes(staging / folder, stem, acquisition, progress, protocol)
    return written


def write_echoes(
    folder: Path,
    stem: str,
    acquisition: Acquisition,
    progress: Progress | None = None,
    protocol: Mapping | None = None,
) -> None:
    """Write the magnitude and phase of a scan with their sidecars: ``<stem>_echo-<n>_part-<part>_MEGRE.nii``."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (echo, time) in enumerate(zip(acquisition.echoes, acquisition.echo_times, strict=True), start=1):
        report(progress, (number - 1) / len(acquisition.echoes), f"Writing echo {number}")
        metadata = {
            **(protocol or {}),
            "EchoTime": float(time),
            "MagneticFieldStrength": acquisition.field_strength,
            "ImagingFrequency": acquisition.imaging_frequency / 1e6,
        }
        if acquisition.b0_patient != PATIENT_SUPERIOR:
            metadata[B0_KEY] = list(acquisition.b0_patient)
        parts = [("mag", np.abs(echo), "arbitrary"), ("phase", np.angle(echo), "rad")]
        for part, array, units in parts if acquisition.has_phase else parts[:1]:
            name = f"{stem}_echo-{number}_part-{part}_{SUFFIX}"
            nifti.write_image(folder / f"{name}.nii", array, acquisition.affine)
            write_json(folder / f"{name}.json", {**metadata, "Units": units})


def _left(folder, scans, labels):
    """Return the scans that the labels leave, at least one."""
    wanted = {key: checked_label(label, key) for key, label in labels.items() if label is not None}
    left = [items for items in scans if all(_same(dict(items).get(key), label) for key, label in wanted.items())]
    if not left:
        asked = ", ".join(f"{key}-{label}" for key, label in wanted.items())
        raise InputError(f"{folder} holds no scan with {asked}; choose from {_listed(scans)}.")
    return left


def _several(folder, left):
    differ = [key for key in _OPTIONS if len({dict(items).get(key) for items in left}) > 1]
    advice = " and ".join(_OPTIONS[key] for key in differ)
    advice = f"choose one with {advice}" if advice else "give a folder that holds only one of them"
    return f"{folder} holds {len(left)} scans ({_listed(left)}); {advice}."


def _same(found, wanted):
    # A run is a number in BIDS, so that --run 1 means run-01 as well.
    return found == wanted or (found or "").isdecimal() and wanted.isdecimal() and int(found) == int(wanted)


def _listed(scans):
    return listed((stem_of(dict(items)) for items in scans), 8)


def _joined(left, scans):
    """One scan of several runs whose echoes differ, or None: entities, files, and a note.

    Such are trains that are interleaved, each stored as a run, and echoes (and parts) that a converter numbered as
    runs. Runs that repeat an echo time are scans of their own.
    """
    entities = [{key: value for key, value in items if key != "run"} for items in left]
    if any(one != entities[0] for one in entities):
        return None
    files, taken, protocols, grid = [], {}, set(), None
    for items in left:
        found = [(path, number, part, *sidecar(path)) for path, number, part in scans[items]]
        # One sidecar of an echo's parts will do, as elsewhere.
        known = {number: metadata["EchoTime"] for _, number, _, metadata, _ in found if "EchoTime" in metadata}
        for path, number, part, metadata, sidecars in found:
            part = part_of(path, metadata, part)
            times = metadata.get("EchoTime", known.get(number))
            times = times if isinstance(times, list) else [times]
            earlier = taken.setdefault(part, [])
            if not all(map(is_number, times)):
                return None
            if any(abs(time - other) < _SAME_TIME for time in times for other in earlier):
                return None
            earlier += times
            protocols.add(tuple(metadata.get(key) for key in ("RepetitionTime", "FlipAngle") if metadata))
            _, shape, affine = nifti.read_grid(path)
            grid = grid or (shape, affine)
            if len(protocols - {()}) > 1 or geometry_difference(*grid, shape, affine):
                return None
            files.append(EchoFile(path, part, (times[0],), metadata, sidecars))
    runs = " to ".join(f"run-{dict(items).get('run')}" for items in (left[0], left[-1]))
    count = max(len(times) for times in taken.values())
    stem = stem_of(entities[0])
    note = (
        f"The echoes of {stem} in {len(left)} runs ({runs}) differ in echo time: joined to one scan of {count} echoes."
    )
    return entities[0], files, note


def _echo_file(path, number, part):
    metadata, sidecars = sidecar(path)
    part = part_of(path, metadata, part)
    order = (number,)
    if number is None:
        time = metadata.get("EchoTime")
        if nifti.read_grid(path)[0] > 1 or isinstance(time, list):
            time = 0.0
        elif not is_number(time):
            raise InputError(
                f"{path} has no echo number in its name and no EchoTime in a JSON sidecar; expected {EXPECTED_NAME}."
            )
        order = (time,)
    return EchoFile(path, part, order, metadata, sidecars)


def sidecar(path: Path) -> tuple[dict, tuple[Path, ...]]:
    """Metadata of an image by BIDS inheritance, nearer and more specific files last, and the files they come from."""
    entities, suffix = parse_name(bare_name(path))
    metadata, used = {}, []
    for folder in _upwards(path.parent):
        applicable = []
        for file in folder.iterdir():
            # Hidden is what macOS leaves beside files on other disks.
            if file.suffix.lower() != ".json" or file.name.startswith("."):
                continue
            its_entities, its_suffix = parse_name(file.stem)
            if its_suffix == suffix and its_entities.items() <= entities.items():
                applicable.append((len(its_entities), file.name, file))
        for _, _, file in sorted(applicable):
            metadata |= read_json(file)
            used.append(file)
    return metadata, tuple(used)


def _upwards(folder):
    """Return the folders from the dataset's top (where dataset_description.json lies) down to `folder`."""
    chain = [folder]
    while not (chain[-1] / "dataset_description.json").exists() and len(chain) < 4:
        chain.append(chain[-1].parent)
    if not (chain[-1] / "dataset_description.json").exists():
        return [folder]
    return chain[::-1]
