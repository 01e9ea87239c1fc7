"""The folder that dcm2niix leaves: images with sidecars, grouped to scans by what the sidecars say.

Names are whatever the user chose; they tell only what the sidecars do not.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

from ..errors import InputError
from ..images import geometry_difference
from . import nifti
from .bids import EXPECTED_NAME, NOT_SEARCHED, files_below, image_files
from .candidates import LEAST_ECHOES, Candidate, fits, joined, merged, natural, on_equal_times
from .echoes import MAGNITUDE_ADVICE, EchoFile, number_of, read_json, scan_of
from .formats import OF_SCANS, companion, first_bytes, is_nifti, is_number, kind_of
from .parts import PAIRS, TYPE_KEYS, WHOSE, bare_name, correction_of, name_of_part, part_of, split_part
from .scan import Scan, checked_label, parse_name

_ECHO = re.compile(r"_e(?:cho-)?\d+(?=_|$|[a-z]$)")
# Number of an echo in a name, whoever gave it.
_NUMBER = re.compile(r"(?i)(?<![a-z])e(?:cho)?[-_]?(\d+)(?!\d)")
# What echoes of one scan have in common.
_COMMON = (*WHOSE, "ProtocolName", "RepetitionTime", "FlipAngle", "MagneticFieldStrength", "distortion correction")
_LISTED = 8
# Files that lie beside images, and how many others are looked at for what they are.
_BESIDE = (".json", ".tsv", ".csv", ".txt", ".md", ".html", ".bval", ".bvec")
_LOOKED_AT = 20


def read(
    folder: Path, candidates: list[Candidate], labels: dict, series=None, *, magnitude_alone=False, **options
) -> Scan:
    """Read the one multi-echo scan of a converter's folder, or the one of `series`.

    Parameters
    ----------
    folder : Path
    candidates : list of Candidate
        What `find` found.
    labels : dict
        sub, ses, acq, run to label or None: the name of the results, by default that of the files where they have
        BIDS labels, and else subject 01.
    series : str or int, optional
        Number of one of the scan's series, or what its files' names begin with.
    magnitude_alone : bool
        Whether a scan of magnitude alone will do, where there is none with phase.
    **options
        Those of `echoes.scan_of`.
    """
    candidate = chosen(folder, candidates, series, magnitude_alone)
    options |= {
        "source": candidate.source,
        "notes": candidate.notes,
        "by_time": True,
        "magnitude_alone": magnitude_alone,
    }
    files = list(candidate.files.values())
    return scan_of(files, named(labels, files[0].path), folder, **options)


def named(labels: dict, path: Path | None = None) -> dict[str, str]:
    """Entities of a scan: the labels given, else those of a file's name, subject 01 if there is none."""
    stored = parse_name(bare_name(path))[0] if path else {}
    found = {key: stored.get(key) if label is None else label for key, label in labels.items()}
    found["sub"] = "01" if found.get("sub") is None else found["sub"]
    return {key: checked_label(label, key) for key, label in found.items() if label is not None}


def chosen(folder, candidates: list[Candidate], series=None, magnitude_alone=False) -> Candidate:
    """Return the one candidate that is a complete scan (or magnitude alone), or the one of the series asked for."""
    if series is not None:
        left = [one for one in candidates if str(series) in one.names]
        if len(left) != 1:
            if left:
                raise InputError(
                    f"{folder} holds {len(left)} scans of the series {series} ({_listed(left)}); give a folder that "
                    "holds only one of them."
                )
            raise InputError(f"{folder} holds no series {series}; choose from: {_listed(candidates)}.")
        return _without_fault(left[0])
    complete = [one for one in candidates if one.complete]
    magnitudes = [one for one in candidates if one.magnitude]
    if magnitude_alone and not complete:
        complete = magnitudes
    if len(complete) > 1:
        names = [name for one in complete for name in one.names]
        advice = "choose one with `series`"
        if len(set(names)) < len(names):
            advice = "give a folder that holds only one of them"
        raise InputError(f"{folder} holds {len(complete)} scans ({_listed(complete)}); {advice}.")
    if not complete:
        _refuse_alike(folder, candidates)
        advice = MAGNITUDE_ADVICE if magnitudes else "choose one with `series` to see what it lacks"
        raise InputError(
            f"{folder} holds no scan of at least three echoes with magnitude and phase or real and imaginary part, but "
            f"{_listed(candidates)}; {_apart(candidates) or 'export what is missing'}, or {advice}."
        )
    return _without_fault(complete[0])


def _without_fault(candidate):
    if candidate.fault:
        raise InputError(candidate.fault)
    return candidate


def _refuse_alike(folder, candidates):
    """Refuse images of one series that all say the same echo time, which makes scans of one echo of them."""
    counts = Counter((tuple(one.names), tuple(one.files)) for one in candidates if len(one.echo_times) == 1)
    for (names, keys), count in counts.items():
        if count >= LEAST_ECHOES:
            raise InputError(
                f"The images of series {'+'.join(names)} in {folder} ({', '.join(part for _, part in keys)}) all say "
                f"the echo time {1e3 * keys[0][0]:g} ms; give each echo its own EchoTime, or all of them as "
                "`echo_times`."
            )


def _apart(candidates):
    """Say why parts, or two series, that would be a scan together are not taken for one; nothing if none are such."""
    for one in candidates:
        if unpaired := _unpaired(one):
            return unpaired
    for pair in combinations(candidates, 2):
        first, second = pair
        if first.magnitude and first.files.keys() == second.files.keys() and first.common == second.common:
            return (
                f"if {first.source} or {second.source}, alike in echoes, is the phase, its image type does not say so, "
                "as after anonymization: export it with that, or name its images as in BIDS (part-phase); else export "
                "what is missing"
            )
        if first.files.keys() & second.files.keys() or not merged(pair).complete:
            continue
        files = [next(iter(one.files.values())) for one in pair]
        names = [one.source for one in pair]
        difference = None
        if isinstance(files[0], EchoFile):  # frames of DICOM tell their grid by what they have in common
            (_, *grid), (_, *other) = (nifti.read_grid(file.path) for file in files)
            difference = geometry_difference(*grid, *other)
            names = [file.path.name for file in files]
        difference = difference or next(
            (f"{key} {value} against {second.common.get(key)}" for key, value in first.common.items()
             if value != second.common.get(key)), None
        )  # fmt: skip
        if difference:
            return f"{' and '.join(names)} do not belong together ({difference}), so export both of one scan"
    return ""


def _unpaired(candidate):
    """Say which echo times of two parts have no partner in the other; nothing where others or none have."""
    for pair in PAIRS:
        first, second = ({time for time, its_part in candidate.files if its_part == part} for part in pair)
        if min(len(first), len(second)) >= LEAST_ECHOES and first != second:
            alone = " and ".join(
                f"{part} alone has {', '.join(f'{1e3 * time:.6g}' for time in sorted(times)[:_LISTED])} ms"
                for part, times in zip(pair, (first - second, second - first), strict=True)
                if times
            )
            return (
                f"the parts of {candidate.source} have different echo times ({alone}), so correct these, or give the "
                "images that belong together alone"
            )
    return ""


def _common(file):
    """What a file has in common with the others of its scan, numbers to four digits, and its correction at the end."""
    values = (file.metadata.get(key) for key in _COMMON[:-1])
    return (*(f"{value:.4g}" if is_number(value) else str(value) for value in values), correction_of(file.metadata))


def find(folder: Path, echo_times: Sequence[float] | None = None) -> list[Candidate]:
    """Group the images of a folder to scans by their sidecars; empty if none has an echo time.

    Where that gives no scan, `echo_times` (seconds) are those of the echoes that sidecars or names number.
    """
    images = image_files(folder)
    files = [file for path in images if (file := _echo_file(path))]
    found = _scans(files)
    if not any(one.complete for one in found):
        found = _by_names(files) or found
    if echo_times is None or any(fits(one, echo_times) for one in found):
        return found
    numbered = _scans([file for path in images if (file := _numbered_file(path, echo_times))])
    return numbered if any(fits(one, echo_times) for one in numbered) else found


def _by_names(files):
    """Return the scans if names tell the parts, whatever sidecars say, and if that makes any."""
    named = [replace(file, part=split_part(bare_name(file.path))[1] or file.part) for file in files]
    changed = next((one for one, other in zip(named, files, strict=True) if one.part != other.part), None)
    found = _scans(named) if changed else []
    note = changed and (
        "The sidecars say the same part of two images of an echo, so that the names tell the parts "
        f"({changed.path.name} is {changed.part})."
    )
    said = [replace(one, remarks=(*one.remarks, note)) for one in found]
    return said if any(one.complete for one in said) else []


def _scans(files):
    found = _grouped(files, by_folder=True)
    if not any(one.complete for one in found):
        # The scanner may have corrected the distortion of the magnitude alone, which is noted where it is read.
        mixed = _grouped(files, by_folder=True, corrected=False)
        found = mixed if any(one.complete for one in mixed) else found
    if not any(one.complete for one in found):
        # Each series may have a folder of its own; but folders may be patients as well, whose series repeat.
        wider = _grouped(files, by_folder=False)
        if len({(one.names[0], key) for one in found for key in one.files}) == len(files):
            found = wider
    return sorted(map(_with_order, found), key=lambda one: natural(one.names[0]))


def _with_order(candidate):
    """The candidate, with a remark if echoes are numbered by their times in one part, but in the other one are not."""
    for pair in PAIRS:
        orders = []
        for part in pair:
            numbers = {_any_number(file): time for (time, its), file in candidate.files.items() if its == part}
            orders.append([numbers[number] for number in sorted(numbers, key=lambda number: number or 0)])
        if len(orders[0]) >= LEAST_ECHOES and sorted(orders[0]) == sorted(orders[1]) and orders[0] != orders[1]:
            listed = (", ".join(f"{1e3 * time:.4g}" for time in order[:_LISTED]) for order in orders)
            note = (
                f"Echoes of {candidate.source} that are numbered alike have the echo times {next(listed)} ms in the "
                f"{pair[0]} images and {next(listed)} ms in the {pair[1]} images: the times are taken; correct the "
                "sidecars of one of the two if they are exchanged there."
            )
            return replace(candidate, remarks=(*candidate.remarks, note))
    return candidate


def _any_number(file):
    """Number of the echo that a sidecar, or else a name, says, or None."""
    named = _NUMBER.search(bare_name(file.path))
    return _number(file) or (int(named[1]) if named else None)


def _numbered_file(path, echo_times):
    """Return one volume with the echo time of its number, which its sidecar or name says, or None."""
    side = _sidecar(path)
    metadata = read_json(side) if side else {}
    named = _NUMBER.search(bare_name(path))
    number = number_of(metadata, "EchoNumber", path.name) or (int(named[1]) if named else 0)
    if number not in range(1, len(echo_times) + 1) or nifti.read_grid(path)[0] > 1:
        return None
    return _of_part(path, side, metadata, echo_times[int(number) - 1])


def _echo_file(path):
    """Return one volume with an echo time in the sidecar beside it, or None."""
    side = _sidecar(path)
    if side is None or nifti.read_grid(path)[0] > 1:
        return None
    metadata = read_json(side)
    time = metadata.get("EchoTime")
    if isinstance(time, list) and len(time) == 1:
        time = metadata["EchoTime"] = time[0]
    time = number_of(metadata, "EchoTime", path.name)
    return None if time is None or not time > 0 else _of_part(path, side, metadata, time)


def _of_part(path, side, metadata, time):
    if side and side.stem != bare_name(path):  # of the other part: what it says of that is not of this one
        metadata = {key: value for key, value in metadata.items() if key not in TYPE_KEYS}
    return EchoFile(path, part_of(path, metadata), (round(time, 5),), metadata, (side,) if side else ())


def _sidecar(path):
    """Return the sidecar of an image, or that of the other part of the same echo, or None."""
    if side := companion(path.with_name(bare_name(path)), ".json"):
        return side
    base, part = split_part(bare_name(path))
    if part is None:
        return None
    others = (other for other in sorted(path.parent.iterdir()) if other.suffix.lower() == ".json")
    return next((other for other in others if split_part(other.stem)[0] == base), None)


def _grouped(files, by_folder, corrected=True):
    families, grids = {}, []
    for file in files:
        grid = nifti.read_grid(file.path)[1:]
        same = next((n for n, other in enumerate(grids) if geometry_difference(*other, *grid) is None), len(grids))
        if same == len(grids):
            grids.append(grid)
        common = _common(file) if corrected else _common(file)[:-1]
        families.setdefault((file.path.parent if by_folder else None, common, same), []).append(file)
    found = []
    for family in families.values():
        series = _series(family)
        if any(len(copies) > 1 for copies in series.values()):
            # The same echoes several times under one number, such as of two patients: only equal names belong together.
            named = {}
            for file in family:
                named.setdefault(_series_name(file)[1], []).append(file)
            found += [one for some in named.values() for one in joined(_series(some))]
        else:
            found += joined(series)
    return found


def _series_name(file):
    """Series number or name of a file, and the name without them."""
    bare = _ECHO.sub("", split_part(bare_name(file.path))[0])
    number = file.metadata.get("SeriesNumber")
    if not is_number(number):
        return bare, bare
    return str(int(number)), re.sub(rf"(?<!\d)0*{int(number)}(?!\d)", "#", bare)


def _number(file):
    """Number of the echo that a sidecar says, or None."""
    number = file.metadata.get("EchoNumber")
    return number if is_number(number) else None


def _series(files):
    """Return candidates of one series each, several of a series that has an echo and part more than once."""
    series = {}
    for file in files:
        name = _series_name(file)[0]
        key = (file.order[0], file.part)
        copies = series.setdefault(name, [])
        one = next((one for one in copies if key not in one.files), None)
        if one is None:
            title = str(file.metadata.get("SeriesDescription") or file.metadata.get("ProtocolName") or "")
            common = dict(zip(_COMMON, _common(file), strict=True))
            copies.append(one := Candidate([name], title, {}, common=common))
            numbers = (_number(other.files[key]) for other in copies[:2] if key in other.files)
            copies[0].fault = copies[0].fault or on_equal_times(copies[0], key[0], next(numbers, None), _number(file))
        one.files[key] = file
    return series


def _listed(candidates):
    names = [str(one) for one in candidates]
    text = "; ".join(names[:_LISTED]) + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")
    return text or "nothing else"


def _echo_of(path):
    """Whether the sidecar of an image of several volumes says one echo time."""
    side = _sidecar(path)
    return side is not None and is_number(read_json(side).get("EchoTime"))


def nothing_found(folder: Path) -> InputError:
    """Return what is said of a folder without any scan."""
    images = image_files(folder)
    several = next((path for path in images if nifti.read_grid(path)[0] > 1), None)
    if several and _echo_of(several):
        return InputError(
            f"{several.name} in {folder} says one EchoTime but holds several volumes, such as both parts of one echo "
            "or repetitions; split each such file into one volume a part, of one repetition, called alike such as "
            f"{name_of_part(bare_name(several), 'mag')} and {name_of_part(bare_name(several), 'phase')}."
        )
    if several:
        return InputError(
            f"{folder} holds no echoes with EchoTime in a JSON sidecar, but {several.name} has several volumes; if "
            "these are the echoes, give that file instead of the folder, with `echo_times`."
        )
    others = [path for path in files_below(folder) if path not in images and path.suffix.lower() not in _BESIDE]
    scan = next((path for path in others if path.suffix.lower() == ".mat"), None)
    for path in others[:_LOOKED_AT]:
        if not path.suffix and path.is_file() and not path.stat().st_size:
            continue  # such as a mark that a program left
        try:
            start = first_bytes(path, unpacked=path.suffix.lower() == ".mgz")
        except InputError as error:
            return InputError(f"{folder} holds no multi-echo images: {error}")
        if is_nifti(start):
            return InputError(
                f"{folder} holds no multi-echo images in single files: {path.name} is a header apart from its values; "
                "save each image as one .nii file."
            )
        kind = None if path.suffix.lower() == ".mat" else kind_of(path, start)
        if kind and not kind[1] and not images and not scan:
            kind = kind[0], "convert each echo to a NIfTI file of its own, numbered such as x_e1_mag"
        if kind and kind[1].startswith(OF_SCANS):
            return InputError(f"{folder} holds no multi-echo images: {path.name} is {kind[0]}; {kind[1]}.")
    if scan and not images:
        return InputError(f"{folder} holds no images of echoes but {scan.name}; give that file instead of the folder.")
    found = ""
    if images:
        found = f" but {len(images)} NIfTI files that no JSON sidecar gives an EchoTime (or give `echo_times`, if "
        found += "sidecars or names number the echoes, such as x_e1_mag)"
    if not images and not others:
        aside = [name for name in NOT_SEARCHED if (folder / name).is_dir()]
        found = f" but {' and '.join(aside)}, which are not searched (give a folder in there)" if aside else ""
        found = found or ("" if files_below(folder) else ", it is empty")
    return InputError(
        f"{folder} holds no multi-echo images{found}; expected {EXPECTED_NAME} in a BIDS dataset or subject folder, "
        "what dcm2niix leaves (NIfTI files, each with its JSON sidecar), or DICOM files."
    )
