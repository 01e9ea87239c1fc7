"""BIDS multi-echo gradient echoes: ``sub-X[_ses-Y][_acq-…][_run-…]_echo-<n>_part-<part>_MEGRE.nii[.gz]``."""

import json
import os
from pathlib import Path

import numpy as np

from ..acquisition import PATIENT_SUPERIOR, Acquisition
from ..errors import InputError
from ..images import geometry_difference
from . import nifti
from .phase import polar_to_complex
from .scan import Scan, check_voxel_size, checked_label, parse_name, stem_of

_SUFFIX = "MEGRE"
_EXPECTED_NAME = f"expected files named sub-<label>_echo-<n>_part-<mag|phase|real|imag>_{_SUFFIX}.nii[.gz]"
_OPTIONS = {"sub": "--subject", "ses": "--session", "acq": "--acq", "run": "--run"}
_NOT_SEARCHED = ("derivatives", "sourcedata", "code", "stimuli")


def read(folder: Path, labels: dict, *, voxel_size=None, b0_patient=None) -> Scan:
    """Read the one scan of a folder that `labels` (sub, ses, acq, run to label or None) leave."""
    entities, files = _choose(folder, _find(folder), labels)
    stem = stem_of(entities)
    parts, numbers = _complete(stem, folder, files)
    paths = [[files[number, part] for part in parts] for number in numbers]
    sidecars = [[_sidecar(path) for path in pair] for pair in paths]
    notes = []
    echoes, affine = _load(paths)
    if parts == ("mag", "phase"):
        note = polar_to_complex(echoes, stem)
        notes += [note] if note else []
    if not nifti.stores_orientation(paths[0][0]):
        notes.append(f"{paths[0][0].name} stores no orientation; --b0-direction sets B0 if it is not along the slices.")
    check_voxel_size(voxel_size, np.linalg.norm(affine[:3, :3], axis=0), stem)
    frequency = _first(sidecars, "ImagingFrequency", stem)
    return Scan(
        acquisition=Acquisition(
            echoes=echoes,
            echo_times=[_echo_time(pair, both) for pair, both in zip(paths, sidecars, strict=True)],
            affine=affine,
            field_strength=_first(sidecars, "MagneticFieldStrength", stem),
            imaging_frequency=None if frequency is None else frequency * 1e6,  # BIDS and DICOM: MHz
            source=stem,
            notes=tuple(notes),
            b0_patient=PATIENT_SUPERIOR if b0_patient is None else tuple(b0_patient),
        ),
        entities=entities,
        files=tuple(sorted({p for pair in paths for p in pair} | {p for both in sidecars for s in both for p in s[1]})),
    )


def _find(folder):
    """All MEGRE images below a folder: entities without echo and part → {(echo, part): path}."""
    scans = {}
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _NOT_SEARCHED and not name.startswith("."))
        for name in sorted(names):
            bare = name.removesuffix(".gz").removesuffix(".nii")
            entities, suffix = parse_name(bare)
            if bare == name or name.startswith(".") or suffix != _SUFFIX:
                continue
            path = Path(parent, name)
            number, part = entities.pop("echo", ""), entities.pop("part", "mag")
            if not number.isdecimal() or next(iter(entities), None) != "sub":
                raise InputError(f"{path} has no subject or echo number in its name; {_EXPECTED_NAME}.")
            files = scans.setdefault(tuple(entities.items()), {})
            if (int(number), part) in files:
                raise InputError(
                    f"{path} and {files[int(number), part].name} are the same echo and part; remove one of them."
                )
            files[int(number), part] = path
    if not scans:
        raise InputError(
            f"{folder} holds no multi-echo images; {_EXPECTED_NAME} in a BIDS dataset or subject folder "
            "(dcm2niix converts DICOM)."
        )
    return scans


def _choose(folder, scans, labels):
    """Return the one scan that the labels leave: its entities and files."""
    wanted = {key: checked_label(label, key) for key, label in labels.items() if label is not None}
    left = [items for items in scans if all(_same(dict(items).get(key), label) for key, label in wanted.items())]
    if not left:
        asked = ", ".join(f"{key}-{label}" for key, label in wanted.items())
        raise InputError(f"{folder} holds no scan with {asked}; choose from {_listed(scans)}.")
    if len(left) > 1:
        differ = [key for key in _OPTIONS if len({dict(items).get(key) for items in left}) > 1]
        advice = " and ".join(_OPTIONS[key] for key in differ)
        advice = f"choose one with {advice}" if advice else "give a folder that holds only one of them"
        raise InputError(f"{folder} holds {len(left)} scans ({_listed(left)}); {advice}.")
    return dict(left[0]), scans[left[0]]


def _same(found, wanted):
    # A run is a number in BIDS, so that --run 1 means run-01 as well.
    return found == wanted or (found or "").isdecimal() and wanted.isdecimal() and int(found) == int(wanted)


def _listed(scans):
    names = [stem_of(dict(items)) for items in scans]
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _complete(stem, folder, files):
    """Return the pair of parts to read and the echo numbers, when every echo has both."""
    numbers = sorted({number for number, _ in files})
    pairs = (("mag", "phase"), ("real", "imag"))
    for pair in pairs:
        if all((number, part) in files for number in numbers for part in pair):
            return pair, numbers
    found = {part: [number for number in numbers if (number, part) in files] for pair in pairs for part in pair}
    text = ", ".join(f"part-{part} for {len(echoes)}" for part, echoes in found.items() if echoes)
    raise InputError(
        f"{stem} in {folder} has {len(numbers)} echoes with {text or 'no known part'}; expected part-mag and "
        "part-phase (or part-real and part-imag) for every echo, so export the missing ones."
    )


def _load(paths):
    """Both parts of all echoes in one complex64 array, as real and imaginary part whatever they mean; the affine."""
    echoes = affine = None
    for number, pair in enumerate(paths):
        for target, path in zip(("real", "imag"), pair, strict=True):
            array, its_affine = nifti.read_image(path)
            if echoes is None:
                echoes, affine = np.empty((len(paths), *array.shape), np.complex64), its_affine
            difference = geometry_difference(echoes.shape[1:], affine, array.shape, its_affine)
            if difference:
                raise InputError(
                    f"{path.name} and {paths[0][0].name} are on different grids: {difference}; "
                    "export all echoes of one scan, without resampling."
                )
            setattr(echoes[number], target, array)
            bad = int(np.count_nonzero(~np.isfinite(array)))
            if bad:
                raise InputError(
                    f"{path.name} holds {bad} voxels that are not numbers (NaN or infinite); "
                    "export it again or replace them by zero."
                )
    return echoes, affine


def _sidecar(path):
    """Metadata of an image by BIDS inheritance, nearer and more specific files last, and the files they come from."""
    entities, suffix = parse_name(path.name.removesuffix(".gz").removesuffix(".nii"))
    metadata, used = {}, []
    for folder in _upwards(path.parent):
        applicable = []
        for file in folder.glob(f"*{suffix}.json"):
            its_entities, its_suffix = parse_name(file.stem)
            if its_suffix == suffix and its_entities.items() <= entities.items():
                applicable.append((len(its_entities), file.name, file))
        for _, _, file in sorted(applicable):
            metadata |= _json(file)
            used.append(file)
    return metadata, used


def _upwards(folder):
    """Return the folders from the dataset's top (where dataset_description.json lies) down to `folder`."""
    chain = [folder]
    while not (chain[-1] / "dataset_description.json").exists() and len(chain) < 4:
        chain.append(chain[-1].parent)
    if not (chain[-1] / "dataset_description.json").exists():
        return [folder]
    return chain[::-1]


def _json(file):
    try:
        values = json.loads(file.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise InputError(f"{file} is not valid JSON ({error}); correct it.") from error
    if not isinstance(values, dict):
        raise InputError(f"{file} is not a JSON object; expected names and values such as EchoTime.")
    return values


def _echo_time(paths, sidecars):
    times = [_number(metadata, "EchoTime", path.name) for path, (metadata, _) in zip(paths, sidecars, strict=True)]
    times = [time for time in times if time is not None]
    if not times:
        raise InputError(
            f"{paths[0].name} has no EchoTime in a JSON sidecar; add one beside it with EchoTime in seconds."
        )
    if max(times) - min(times) > 1e-3 * max(times):
        raise InputError(
            f"{paths[0].name} and {paths[1].name} have the echo times {times[0]:g} and {times[1]:g} s; "
            "expected the same, so correct the sidecars."
        )
    return times[0]


def _first(sidecars, key, stem):
    values = (_number(metadata, key, stem) for pair in sidecars for metadata, _ in pair)
    return next((value for value in values if value is not None), None)


def _number(metadata, key, name):
    value = metadata.get(key)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise InputError(f"{key} of {name} is {value!r}; expected one number, so correct the JSON sidecar.")
    return value
