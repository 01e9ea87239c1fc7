"""DICOM folders: the scan is chosen by the headers, converted by dcm2niix, and compared with the headers again."""

import importlib.util
import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..acquisition import Reorientation
from ..errors import InputError, PackageNeeded, counted
from ..images import geometry_difference
from ..workers import NO_WINDOW
from . import converted, dicom_series, nifti
from .dicom_pixels import with_places
from .echoes import MAGNITUDE_ADVICE, scan_of
from .scan import Scan, check_voxel_size

# Scales that differ by less are the same.
_SAME_SCALE = 0.01
# A conversion that is slower than this is taken for hanging.
_CONVERTING_S, _BYTES_PER_S = 120.0, 1e6


def read(
    folder: Path,
    paths: list[Path],
    labels: dict,
    series=None,
    *,
    voxel_size=None,
    magnitude_alone: bool = False,
    **options,
) -> Scan:
    """Read the one multi-echo scan of a DICOM folder, or the one of `series`.

    Parameters
    ----------
    folder : Path
        For messages.
    paths : list of Path
        The DICOM files in it.
    labels : dict
        sub, ses, acq, run to label or None: the name of the results, subject 01 if not given.
    series : str or int, optional
        Number of one of the scan's series.
    voxel_size, magnitude_alone, **options
        Those of `echoes.scan_of`.

    Raises
    ------
    InputError
        If there is no such scan or more than one, or a package is missing.
    """
    program = _program()
    candidates = dicom_series.find(paths, options.get("echo_times"))
    if not candidates:
        raise InputError(
            f"{folder} holds {counted(len(paths), 'DICOM file')}, but no MR image that says its echo time, position, "
            "orientation and pixel spacing; export the original images of the scan, or give `echo_times` if these "
            "alone are missing."
        )
    candidate = converted.chosen(folder, candidates, series, magnitude_alone)
    if candidate.magnitude and not magnitude_alone:
        raise InputError(
            f"The {candidate.source} has {len(candidate.echo_times)} echoes with mag; expected magnitude and phase, or "
            f"real and imaginary part, of every echo, so export the missing ones, or {MAGNITUDE_ADVICE}."
        )
    files, grid = dicom_series.files_of(candidate), dicom_series.grid_of(candidate)
    entities = converted.named(labels)
    if candidate.by_order:  # dcm2niix goes by the headers
        return Scan(dicom_series.read(candidate, **options), entities, tuple(files))
    with tempfile.TemporaryDirectory(prefix="dicom-") as place:
        found, did = _convert(program, files, Path(place), candidate, grid)
        if found:
            if options.get("b0_patient") is None:
                options["b0_patient"] = dicom_series.scan_values(candidate)["b0_patient"]
            options |= {"source": candidate.source, "notes": candidate.notes, "voxel_size": voxel_size, "by_time": True}
            scan = scan_of(found, entities, folder, magnitude_alone=magnitude_alone, **options)
            return replace(scan, files=tuple(files))
    note = f"dcm2niix {did}, other than the headers say, so that the {candidate.source} is read frame by frame."
    acquisition = dicom_series.read(candidate, notes=(note,), **options)
    check_voxel_size(voxel_size, acquisition.voxel_size[::-1], candidate.source)
    return Scan(acquisition, entities, tuple(files))


def _program():
    """Return the path of dcm2niix, of its package or of the system; `PackageNeeded` if it or pydicom is missing."""
    missing = [] if importlib.util.find_spec("pydicom") else ["pydicom"]
    if importlib.util.find_spec("dcm2niix"):
        program = importlib.import_module("dcm2niix").bin
    else:
        program = shutil.which("dcm2niix")
    if program is None:
        missing.append("dcm2niix")
    if missing:
        raise PackageNeeded(
            f"For DICOM folders {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} needed; install with "
            f"'pip install {' '.join(missing)}'.",
            *missing,
        )
    return program


def _convert(program, files, place, candidate, grid):
    """Convert files: the images of the scan's pair of parts, or nothing and what dcm2niix did instead."""
    source, target = place / "in", place / "out"
    source.mkdir()
    target.mkdir()
    for number, file in enumerate(files):
        name = source / f"{number:06}.dcm"
        try:
            name.symlink_to(file.resolve())
        except OSError:  # not everyone may make links
            shutil.copyfile(file, name)
    # Without -x i the axes of 3-D scans are interchanged.
    command = [program, "-b", "y", "-ba", "n", "-x", "i", "-z", "n", "-f", "%s", "-o", str(target), str(source)]
    longest = _CONVERTING_S + sum(file.stat().st_size for file in files) / _BYTES_PER_S
    try:
        ended = subprocess.run(
            command, capture_output=True, errors="replace", check=False, timeout=longest, creationflags=NO_WINDOW
        )
    except subprocess.TimeoutExpired:
        return [], "does not come to its end"
    pair = dicom_series.pair_of(candidate)
    expected = {(round(time, 5), part) for time, part in candidate.files if part in pair}
    images = {}
    for one in converted.find(target):
        for key, file in one.files.items():
            if key in images:
                return [], f"makes several images of the echo of {1e3 * key[0]:g} ms ({key[1]})"
            images[key] = file
    if not expected <= images.keys():
        lines = [line.strip() for line in (ended.stdout + ended.stderr).splitlines() if line.strip()]
        said = (
            f" and ended with {ended.returncode} ({lines[-1] if lines else 'no message'})" if ended.returncode else ""
        )
        return [], f"makes {len(expected & images.keys())} of {len(expected)} images of echoes{said}"
    found = [images[key] for key in expected]
    for file in found:
        _, shape, affine = nifti.read_grid(file.path)
        if difference := _difference(grid, (shape, affine)):
            return [], f"makes an image on another grid ({difference})"
    if not _same_scales(candidate, {key: file.path for key, file in images.items() if key in expected}):
        return [], "scales images of one part in several ways"
    return found, ""


def _same_scales(candidate, images) -> bool:
    """Whether some slices of each image are those of the headers with one scale and offset for all of a part.

    Those of Philips have a scale for each image, and dcm2niix takes another one where these vary in an enhanced file.
    """
    lines, opened = {}, {}
    for (time, part), stack in candidate.files.items():
        if (path := images.get((round(time, 5), part))) is None:
            continue
        converted_image = nifti.read_image(path)
        heights = sorted(stack)
        for height in {heights[len(heights) * n // 4] for n in (1, 2, 3)}:
            try:
                values = with_places(stack[height], opened)
            except InputError:  # what pydicom cannot decode, dcm2niix can
                return True
            line = _line(*values, *converted_image)
            lines.setdefault("phase" if part == "phase" else "signal", []).extend([line] if line else [])
    for found in lines.values():
        sizes = [abs(slope) for slope, _ in found]
        if max(sizes) > (1 + _SAME_SCALE) * min(sizes) or min(fit for _, fit in found) < 1 - _SAME_SCALE:
            return False
    return True


def _line(values, places, array, affine):
    """Slope and correlation of a converted image over a slice's values at places in RAS; None where all are one."""
    k, j, i = np.rint((np.linalg.inv(affine) @ np.vstack([places, np.ones(places.shape[1])]))[2::-1]).astype(int)
    other = array[k, j, i].astype(np.float64)
    deviations, others = values - values.mean(), other - other.mean()
    energy = np.sqrt(deviations @ deviations * (others @ others))
    if not deviations.any():
        return None
    product = deviations @ others
    return product / (deviations @ deviations), abs(product) / energy if energy > 0 else 0.0


def _difference(grid, other):
    """How two grids differ apart from the order and direction of their axes, or None."""
    aligned = []
    for shape, affine in (grid, other):
        reorientation = Reorientation.to_ras(affine, shape)
        aligned += [tuple(shape[axis] for axis in reorientation.order), reorientation.apply_affine(affine)]
    return geometry_difference(*aligned)
