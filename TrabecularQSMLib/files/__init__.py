"""Readers: from files of one format to one `Scan`."""

from pathlib import Path

import numpy as np

from ..acquisition import GIVEN_ECHO_TIMES_S, Acquisition, MeasuredField
from ..errors import InputError, PackageNeeded
from ..images import geometry_difference, is_around, mask_of
from . import bids, converted, dicom, mat, nifti, single
from .dicom_frames import is_dicom
from .formats import OF_SCANS, first_bytes, is_nifti, kind_of
from .parts import bare_name
from .scan import Scan

# How addresses begin, as far as a path keeps them.
_ADDRESSES = ("http:", "https:", "ftp:", "s3:", "file:")

__all__ = ["Scan", "read_acquisition", "read_mask"]


def read_acquisition(
    path,
    *,
    subject=None,
    session=None,
    run=None,
    acq=None,
    series=None,
    echo_times=None,
    field_strength=None,
    voxel_size=None,
    b0_direction=None,
    grid_needed=True,
    magnitude_alone=False,
) -> Scan:
    """Read one multi-echo gradient-echo scan.

    Parameters
    ----------
    path : path
        BIDS dataset, subject folder or any folder with ``*_MEGRE.nii[.gz]`` files; the folder that dcm2niix left; a
        folder of DICOM files, or one file of all frames; one 4-D NIfTI file, complex or with its partner (phase, or
        imaginary part) beside it; or a ``.mat`` file that holds ``ImDataParams`` (the authors'), ``imDataParams`` (the
        ISMRM fat–water toolbox's) or ``iField`` (MEDI's; or magnitude and phase), with what belongs to it.
    subject, session, run, acq : str, optional
        Labels, with or without ``sub-`` and so on. In a BIDS folder they choose among several scans; for other input
        they name the results (subject 01 if not given).
    series : str or int, optional
        Number of one of the scan's series, where a converter's folder holds several scans.
    echo_times : sequence of float, optional
        Seconds, one for each echo, for files that do not say them; they win over those of the files.
    field_strength : float, optional
        Tesla, for files that do not say it; it wins over that of the files.
    voxel_size : (3,) sequence, optional
        Size in mm along i, j and k, for files that store none. Refused if the file stores another one.
    b0_direction : (3,) sequence, optional
        Direction of B0 in patient coordinates R A S; superior if not given.
    grid_needed : bool
        Whether a file without voxel size is refused; otherwise 1 mm is taken, and noted.
    magnitude_alone : bool
        Whether a scan of NIfTI or DICOM files whose phase is missing is read, as magnitude; its acquisition says so.

    Returns
    -------
    Scan
        Its acquisition's notes say what was rescaled or assumed.

    Raises
    ------
    InputError
        If there is no such scan, more than one, or the scan is incomplete or damaged.
    """
    path = Path(path)
    if voxel_size is not None and (len(voxel_size) != 3 or not all(0 < size < np.inf for size in voxel_size)):
        raise InputError(f"The voxel size is {list(voxel_size)}; give three positive numbers in mm (I J K).")
    shortest, longest = GIVEN_ECHO_TIMES_S
    if echo_times is not None and not all(shortest <= time <= longest for time in echo_times):
        listed = " ".join(f"{1e3 * time:g}" for time in echo_times)
        raise InputError(f"The echo times given are {listed} ms; expected 0.1 to 500 ms, so give them in ms.")
    labels = {"sub": subject, "ses": session, "acq": acq, "run": run}
    options = {
        "voxel_size": voxel_size,
        "b0_patient": b0_direction,
        "echo_times": echo_times,
        "field_strength": field_strength,
        "magnitude_alone": magnitude_alone,
    }
    if path.is_dir():
        return _read_folder(path, labels, series, options)
    if not path.exists() and not path.is_symlink():
        if path.parts and path.parts[0].lower() in _ADDRESSES:
            raise InputError(f"{path} is an address, from which nothing is fetched; give a folder or file by its path.")
        raise InputError(f"{path} does not exist; give a BIDS dataset, a folder of echoes, a 4-D NIfTI or a .mat file.")
    start = first_bytes(path)  # says if it leads nowhere or is not the file itself
    if series is not None and (path.suffix.lower() == ".mat" or bare_name(path)):
        raise _no_series(path)
    if path.suffix.lower() == ".mat":
        del options["magnitude_alone"]  # signals of these are complex
        return mat.read(path, labels, grid_needed=grid_needed, **options)
    if bare_name(path):
        return single.read(path, labels, **options)
    if path.name.upper() == "DICOMDIR":
        raise InputError(f"{path} lists the files of a medium and holds no image; give the folder that it lies in.")
    if is_dicom(path):  # an enhanced file may hold the whole scan
        return dicom.read(path, [path], labels, series, **options)
    if is_nifti(start) or path.suffix.lower() in (".img", ".hdr"):
        raise InputError(f"{path} is one of a pair of header and values; save the echoes as .nii files.")
    kind = kind_of(path, start)
    if kind and kind[1].startswith(OF_SCANS):
        raise InputError(f"{path} is {kind[0]}; {kind[1]}, and give the folder that holds all echoes.")
    raise InputError(
        f"{path} is {f'{kind[0]}, ' if kind else ''}neither a folder nor a NIfTI, DICOM or .mat file; "
        + ("convert the echoes to NIfTI, and " if kind and not kind[1] else "")
        + "give the folder that holds all echoes, or such a file."
    )


def _read_folder(folder, labels, series, options):
    if scans := bids.find(folder):
        if series is not None:
            raise _no_series(folder)
        return bids.read(folder, scans, labels, **options)
    candidates = converted.find(folder, options["echo_times"])
    if series is not None and candidates or any(one.complete or one.magnitude for one in candidates):
        return converted.read(folder, candidates, labels, series, **options)
    files = bids.files_below(folder)
    if paths := [path for path in files if is_dicom(path)]:
        try:
            return dicom.read(folder, paths, labels, series, **options)
        except PackageNeeded:
            raise
        except InputError as error:
            raise InputError(f"{error}{_on_lost(set(files) - set(paths))}") from error
    if candidates:  # which says what they lack
        return converted.read(folder, candidates, labels, series, **options)
    if path := single.find(folder):
        return single.read(path, labels, **options)
    raise converted.nothing_found(folder)


def _on_lost(paths):
    """Say which of files that are no DICOM stand for files that are not here, or hold such, as a scan may lack them."""
    for path in sorted(paths):
        try:
            kind = kind_of(path, first_bytes(path, unpacked=False))
        except InputError as error:
            if path.suffix.lower() in (".dcm", ".ima", ""):
                return f" In that folder {error}"
            continue
        if kind and kind[1].startswith("unpack") and not bare_name(path):
            return f" In that folder {path.name} is {kind[0]}; {kind[1]}."
    return ""


def _no_series(path):
    instead = ", and choose by `subject`, `session`, `acq` or `run`" if path.is_dir() else ""
    return InputError(
        f"{path} has no series, by which only folders of DICOM files or of dcm2niix are chosen from; leave `series` "
        f"out{instead}."
    )


def read_mask(path, acquisition: Acquisition | MeasuredField) -> tuple[np.ndarray, list[str]]:
    """Read a mask on the grid of `acquisition`: bool (K, J, I), true inside, and notes on what had to be decided."""
    array, affine = nifti.read_image(path)
    difference = geometry_difference(acquisition.shape, acquisition.affine, array.shape, affine)
    if difference:
        advice = "resample it to the scan first"
        if acquisition.source.endswith(".mat"):
            advice = "draw it on a map that was made of this file, which itself stores no place"
        elif not nifti.stores_orientation(path):
            advice = "its header does not say where it lies, so export it again with the place of the scan"
        raise InputError(f"The mask {path} is not on the grid of {acquisition.source}: {difference}; {advice}.")
    mask, notes = mask_of(array, Path(path).name)
    return mask, [*nifti.header_notes(path), *notes, *_on_inverted(mask, acquisition, Path(path).name)]


def _on_inverted(mask, acquisition, name):
    """Say if a mask is of what lies around: in all corners, and darker inside than outside."""
    measured = isinstance(acquisition, MeasuredField)
    magnitude = acquisition.magnitude if measured else np.abs(acquisition.echoes[0])
    if magnitude is None or mask.all() or not is_around(mask) or magnitude[mask].mean() >= magnitude[~mask].mean():
        return []
    return [
        f"The mask {name} holds all corners of the scan, and what is outside of it is brighter: it looks inverted; "
        "give 1 to the tissue and 0 to the air around it."
    ]
