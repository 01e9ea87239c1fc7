"""From image files with their sidecars, one for each echo or of all echoes, to one scan."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..acquisition import PATIENT_SUPERIOR, Acquisition
from ..chunks import run_chunks
from ..errors import InputError, counted
from ..images import geometry_difference
from . import nifti
from .doubts import doubts, doubts_of_magnitude
from .formats import is_number, read_json_file
from .parts import SIGNALS, WHOLE, WHOSE, correction_of
from .phase import polar_to_complex, refuse_copies, rounded, take_off_offset, without_negative
from .scan import PROTOCOL, Scan, check_voxel_size, field_strength_of, stem_of
from .sequence import on_sequence
from .slices import undo_slices

# Direction of B0 in a sidecar of echoes that this program writes, where it is not the patient's superior, and of maps.
B0_KEY, MAPS_B0_KEY = "B0DirectionRAS", "B0Direction"
# Of protons at 30 T; what lies beyond is in another unit.
_MOST_MHZ = 1300.0
# Field strength and frequency of one scan differ by no more than this share between its echoes.
_SAME_SCAN = 0.01
MAGNITUDE_ADVICE = "set magnitude_maps to yes for R2* and fat fraction from the magnitude alone"


@dataclass(frozen=True, eq=False)
class EchoFile:
    """An image file of one part of one echo, or of all echoes along its fourth axis.

    Parameters
    ----------
    path : Path
    part : str
        "mag", "phase", "real", "imag" or `WHOLE`; others are left aside.
    order : tuple
        Which echo it is: files with the same are parts of one echo, and echoes are sorted by it.
    metadata : dict
        Contents of the sidecars, named as in BIDS and by dcm2niix.
    sidecars : tuple of Path
    """

    path: Path
    part: str
    order: tuple
    metadata: dict
    sidecars: tuple[Path, ...]


def read_json(file: Path) -> dict:
    """Read a sidecar: UTF-8, or the encoding of Western Europe that older converters used."""
    values = read_json_file(file)
    if not isinstance(values, dict):
        raise InputError(f"{file} is not a JSON object; expected names and values such as EchoTime.")
    return values


def scan_of(
    files,
    entities: dict,
    place,
    *,
    source: str | None = None,
    echo_times=None,
    field_strength=None,
    by_time: bool = False,
    voxel_size=None,
    b0_patient=None,
    notes=(),
    magnitude_alone: bool = False,
) -> Scan:
    """Read the files of one scan.

    Parameters
    ----------
    files : iterable of EchoFile
        Parts of all echoes; no two with the same part and order.
    entities : dict of str to str
        BIDS entities of the scan.
    place : path
        Where the files were found, for messages.
    source : str, optional
        The scan's name in messages; by default that of its results.
    echo_times : sequence of float, optional
        Seconds; they win over those of the sidecars.
    field_strength : float, optional
        Tesla; it wins over that of the sidecars.
    by_time : bool
        Sort echoes by echo time, for trains that are interleaved.
    voxel_size, b0_patient
        As in `files.read_acquisition`.
    notes : tuple of str
        What was noticed before.
    magnitude_alone : bool
        Take the magnitude where neither its phase nor a real and imaginary part are there.

    Returns
    -------
    Scan

    Raises
    ------
    InputError
        If a part is missing or the files contradict each other.
    """
    source = source or stem_of(entities)
    parts, rows = _complete(source, place, files, magnitude_alone)
    notes = list(notes)
    echoes, affine, counts = _load(rows)
    has_phase = parts != ("mag",)
    notes += to_complex(echoes, parts, source) if has_phase else check_magnitude(echoes, source)
    first = rows[0][0]
    if not nifti.stores_orientation(first.path):
        notes.append(f"{first.path.name} stores no orientation; `b0_direction` sets B0 if it is not along the slices.")
    elif np.array_equal(affine, np.eye(4)):
        notes.append(
            f"{first.path.name} has voxels of 1 × 1 × 1 mm at the origin along the patient's axes, as programs write "
            "where they know nothing of it: check voxel size and orientation, on which χ depends."
        )
    notes += [*nifti.header_notes(first.path), *_on_correction(rows[0], source), *_on_whose(rows, source)]
    notes += _on_display_scale(rows, source)
    check_voxel_size(voxel_size, np.linalg.norm(affine[:3, :3], axis=0), source)
    times = _times(rows, counts, source, echo_times, notes)
    if by_time and echo_times is None:
        order = np.argsort(times, kind="stable")
        echoes, times = echoes[order], [times[n] for n in order]
    frequency = _frequency(rows, source)
    strength = field_strength_of(_common(rows, "MagneticFieldStrength"), field_strength, source, notes)
    notes += on_sequence(first.metadata, source, field_strength=strength, imaging_frequency=frequency)
    return Scan(
        acquisition=Acquisition(
            echoes=echoes,
            echo_times=times,
            affine=affine,
            field_strength=strength,
            imaging_frequency=frequency,
            source=source,
            notes=tuple(notes),
            b0_patient=b0_of(first.metadata, first.path.name) if b0_patient is None else b0_patient,
            has_phase=has_phase,
        ),
        entities=entities,
        files=tuple(sorted({p for row in rows for file in row for p in (file.path, *file.sidecars)})),
        protocol={
            key: value
            for key in PROTOCOL
            if isinstance(value := first.metadata.get(key), str | bool) or is_number(value)
        },
    )


def _on_whose(rows, source):
    """Say if the sidecars of a scan name several patients or examinations."""
    for key in WHOSE:
        said = {}
        for file in (file for row in rows for file in row if file.metadata.get(key)):
            said.setdefault(str(file.metadata[key]), file.path.name)
        if len(said) > 1:
            (one, first), (other, second), *_ = said.items()
            return [
                f"{key} of {first} is {one} but that of {second} {other}, though both are echoes of {source}: check "
                "that all are of one patient and scan."
            ]
    return []


def _on_display_scale(rows, source):
    """Say if images of Philips have the scale to look at, as dcm2niix can be asked to give, and not all the same."""
    scales = {}
    for file in (file for row in rows for file in row if file.part != "phase"):
        said = [file.metadata.get(key) for key in ("PhilipsRescaleSlope", "PhilipsScaleSlope")]
        displayed = file.metadata.get("UsePhilipsFloatNotDisplayScaling") == 0
        if displayed and all(is_number(one) and one > 0 for one in said):
            scales.setdefault(file.part, []).append(said[0] * said[1])
    if all(max(one) <= (1 + _SAME_SCAN) * min(one) for one in scales.values()):
        return []
    return [
        f"The echoes of {source} have the scale of Philips for displays, which differs between them by up to "
        f"{max(max(one) / min(one) for one in scales.values()):.3g} times (UsePhilipsFloatNotDisplayScaling 0): R2* "
        "and fat fraction are wrong; convert again with dcm2niix -p y."
    ]


def _on_correction(row, source):
    """Say if the distortion of one part alone was corrected."""
    done = [correction_of(file.metadata) for file in row]
    if len(set(done)) < 2 or not all(done):
        return []
    said = " and ".join(f"the {file.part} part {one}" for file, one in zip(row, done, strict=True))
    return [
        f"In {source} {said} (ND: the distortion by the gradients was left, DIS: it was corrected): far from the "
        "scanner's center the two are not of one place, and the maps wrong; export both without correction."
    ]


def to_complex(echoes: np.ndarray, parts: tuple[str, ...], source: str) -> list[str]:
    """Turn the parts, held as real and imaginary part of `echoes`, into the signal in place; say what else.

    Parameters
    ----------
    echoes : (E, K, J, I) complex64 array
    parts : tuple of str
        One of `SIGNALS`.
    source : str
        Name for messages.
    """
    note = (polar_to_complex if parts == ("mag", "phase") else take_off_offset)(echoes, source)
    return [*([note] if note else []), *undo_slices(echoes, source), *doubts(echoes, source)]


def check_magnitude(echoes: np.ndarray, source: str) -> list[str]:
    """Return what speaks against echoes of magnitude alone, the real part of `echoes`, being as they were measured.

    Raises
    ------
    InputError
        If values are far below zero, or two echoes the same image.
    """
    negative = without_negative(echoes, source)
    refuse_copies(echoes, ("magnitude", "phase"), source)
    return [*filter(None, [negative, rounded(echoes, source)]), *doubts_of_magnitude(echoes.real, source)]


def _complete(source, place, files, magnitude_alone):
    """Return the parts to read and the files of each echo, when every echo has both; or the magnitude alone."""
    found = {}
    for file in files:
        row = found.setdefault(file.order, {})
        if file.part in row:
            raise InputError(
                f"{row[file.part].path} and {file.path} are the same echo and part; give a folder that holds one alone."
            )
        row[file.part] = file
    rows = [found[order] for order in sorted(found)]
    for pair in SIGNALS:
        if all(part in row for row in rows for part in pair):
            return pair, [tuple(row[part] for part in pair) for row in rows]
    numbers = {part: sum(part in row for row in rows) for pair in SIGNALS for part in pair}
    text = ", ".join(f"part-{part} for {number}" for part, number in numbers.items() if number)
    if numbers["mag"] == len(rows) == sum(numbers.values()):
        nifti.read_grid(rows[0]["mag"].path)  # which tells if a file holds both parts
        if magnitude_alone:
            return ("mag",), [(row["mag"],) for row in rows]
        raise InputError(
            f"{source} in {place} has {len(rows)} echoes with {text} and no phase, which field and "
            f"susceptibility need; export part-phase (or part-real and part-imag) as well, or {MAGNITUDE_ADVICE}."
        )
    raise InputError(
        f"{source} in {place} has {counted(len(rows), 'echo')} with {text or 'no known part'}; expected part-mag and "
        "part-phase (or part-real and part-imag) for every echo, so export the missing ones."
    )


def _load(rows):
    """All parts of all echoes in one complex64 array, two as real and imaginary part whatever they mean.

    Also the affine, and the number of volumes in each row's files.
    """
    grids = [[nifti.read_grid(file.path) for file in row] for row in rows]
    for row, pair in zip(rows, grids, strict=True):
        if pair[0][0] != pair[-1][0]:
            raise InputError(
                f"{row[0].path.name} holds {counted(pair[0][0], 'volume')} but {row[1].path.name} {pair[1][0]}; "
                "expected one for each echo in both, so export both again."
            )
    counts = [pair[0][0] for pair in grids]
    _, shape, affine = grids[0][0]
    echoes = np.zeros((sum(counts), *shape), np.complex64)

    def work(chunk):
        for number in range(chunk.start, chunk.stop):
            start = sum(counts[:number])
            _load_row(rows[number], echoes[start : start + counts[number]], affine, rows[0][0].path.name)

    run_chunks(work, len(rows), 1)
    return echoes, affine, counts


def _load_row(row, echoes, affine, first_name):
    """Read the parts of one row's echoes, on the grid of the file of that name, into their array."""
    for target, file in zip(("real", "imag")[: len(row)], row, strict=True):
        array, its_affine = nifti.read_series(file.path)
        difference = geometry_difference(echoes.shape[1:], affine, array.shape[1:], its_affine)
        if difference:
            raise InputError(
                f"{file.path.name} and {first_name} are on different grids: {difference}; "
                "export all echoes of one scan, without resampling."
            )
        if file.part == WHOLE:
            echoes[...] = array
        else:
            setattr(echoes, target, array)
        bad = int(np.count_nonzero(~np.isfinite(array)))
        if bad:
            found = counted(bad, "voxel that is not a number", "voxels that are not numbers")
            raise InputError(
                f"{file.path.name} holds {found} (NaN or infinite); export it again or replace them by zero."
            )


def _times(rows, counts, source, given, notes):
    """Echo times in seconds: those given, or those of the sidecars."""
    if given is None:
        return [time for row, count in zip(rows, counts, strict=True) for time in _stored_times(row, count)]
    given = [float(time) for time in given]
    if len(given) != sum(counts):
        raise InputError(
            f"{source} has {counted(sum(counts), 'echo')} but `echo_times` gives {len(given)}; give one for each echo."
        )
    try:
        stored = [time for row, count in zip(rows, counts, strict=True) for time in _stored_times(row, count)]
    except InputError:
        return given
    if not np.allclose(stored, given, rtol=1e-3):
        listed = ", ".join(f"{1e3 * time:.4g}" for time in stored)
        notes.append(f"The sidecars of {source} say echo times of {listed} ms; those of `echo_times` are taken.")
    return given


def _stored_times(row, count):
    """Echo times of the volumes of one row, on which the sidecars of both parts agree."""
    times = [(file, _listed_times(file, count)) for file in row]
    times = [(file, found) for file, found in times if found]
    name = row[0].path.name
    if not times:
        if count > 1:
            raise InputError(
                f"{name} holds {count} volumes but no sidecar says their echo times; give them with "
                "`echo_times`, or as a list EchoTime in seconds in a JSON sidecar."
            )
        raise InputError(f"{name} has no EchoTime in a JSON sidecar; add one beside it with EchoTime in seconds.")
    first, last = times[0][1], times[-1][1]
    for one, other in zip(first, last, strict=True):
        if abs(one - other) > 1e-3 * max(abs(one), abs(other)):
            raise InputError(
                f"{row[0].path.name} and {row[1].path.name} have the echo times {one:g} and {other:g} s; "
                "expected the same, so correct the sidecars."
            )
    return first


def _listed_times(file, count):
    """EchoTime of a file's sidecar as a list, or None."""
    value = file.metadata.get("EchoTime")
    if count == 1 and not (isinstance(value, list) and len(value) == 1):
        value = number_of(file.metadata, "EchoTime", file.path.name)
        return None if value is None else [value]
    if value is None:
        return None
    values = value if isinstance(value, list) else [value]
    if len(values) != count or not all(map(is_number, values)):
        raise InputError(
            f"{file.path.name} holds {count} volumes but EchoTime of its sidecar is {value!r}; expected one number for "
            "each, so correct it or give them with `echo_times`."
        )
    return values


def b0_of(metadata: dict, name: str) -> tuple[float, float, float] | None:
    """Return the direction of B0 in the patient, R A S, or None where a sidecar, called so, does not say it.

    Raises
    ------
    InputError
        If it says what is no direction.
    """
    key = MAPS_B0_KEY if "StartedFrom" in metadata else B0_KEY
    direction = metadata.get(key)
    if direction is None:
        return None
    if not isinstance(direction, list | tuple) or len(direction) != 3 or not all(map(is_number, direction)):
        raise InputError(f"{key} of {name} is {direction!r}; expected three numbers R A S.")
    # Of maps, superior may have been assumed, which is to be said again.
    return None if key == MAPS_B0_KEY and tuple(direction) == PATIENT_SUPERIOR else tuple(direction)


def _frequency(rows, source):
    """ImagingFrequency in Hz, which BIDS and DICOM give in MHz."""
    value = _common(rows, "ImagingFrequency")
    if value is not None and value > _MOST_MHZ:
        unit, factor = ("Hz", 1e-6) if value * 1e-3 > _MOST_MHZ else ("kHz", 1e-3)
        raise InputError(
            f"ImagingFrequency of {source} is {value:.9g} MHz, which looks like {unit}; give it in MHz "
            f"({value * factor:.6g}) in the JSON sidecars."
        )
    return None if value is None else 1e6 * value


def _common(rows, key):
    """Number of the sidecars that is the same for the whole scan, or None."""
    stored = [(number_of(file.metadata, key, file.path.name), file.path.name) for row in rows for file in row]
    stored = [(value, name) for value, name in stored if value is not None]
    if not stored:
        return None
    value, name = stored[0]
    for other, its_name in stored:
        if abs(other - value) > _SAME_SCAN * abs(value):
            raise InputError(
                f"{key} of {name} is {value:g} but that of {its_name} {other:g}; expected one for the whole scan, so "
                "correct the sidecars, or give the echoes of one scan alone."
            )
    return value


def number_of(metadata: dict, key: str, name: str):
    """Return a number of a sidecar or None; `name` is the image's, for the message."""
    value = metadata.get(key)
    if value is not None and not is_number(value):
        raise InputError(f"{key} of {name} is {value!r}; expected one number, so correct the JSON sidecar.")
    return value
