"""Readers: from files of one format to one `Scan`."""

from pathlib import Path

import numpy as np

from ..acquisition import Acquisition
from ..errors import InputError
from ..images import geometry_difference
from . import bids, mat, nifti
from .regions import as_mask
from .scan import Scan

__all__ = ["Scan", "read_acquisition", "read_mask"]


def read_acquisition(
    path, *, subject=None, session=None, run=None, acq=None, voxel_size=None, b0_direction=None
) -> Scan:
    """Read one multi-echo gradient-echo scan.

    Parameters
    ----------
    path : path
        BIDS dataset, subject folder or any folder with ``*_MEGRE.nii[.gz]`` files, or a ``.mat`` file that holds
        ``ImDataParams`` (the authors') or ``imDataParams`` (the ISMRM fat–water toolbox's).
    subject, session, run, acq : str, optional
        Labels, with or without ``sub-`` and so on. In a folder they choose among several scans; for a ``.mat`` file
        they name the results (subject 01 if not given).
    voxel_size : (3,) sequence, optional
        Size in mm along i, j and k, for files that store none. Refused if the file stores another one.
    b0_direction : (3,) sequence, optional
        Direction of B0 in patient coordinates R A S; superior if not given.

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
    labels = {"sub": subject, "ses": session, "acq": acq, "run": run}
    options = {"voxel_size": voxel_size, "b0_patient": b0_direction}
    if path.is_dir():
        return bids.read(path, labels, **options)
    if not path.exists():
        raise InputError(f"{path} does not exist; give a BIDS dataset, a subject folder or a .mat file.")
    if path.suffix.lower() == ".mat":
        return mat.read(path, labels, **options)
    raise InputError(
        f"{path} is neither a folder nor a .mat file; give the BIDS dataset or subject folder that holds all echoes."
    )


def read_mask(path, acquisition: Acquisition, notes: list[str] | None = None) -> np.ndarray:
    """Read a mask on the grid of `acquisition`: bool (K, J, I), true where the file is not zero.

    One with values that are not whole is cut at half of its largest, and `notes` takes a sentence on it.
    """
    array, affine = nifti.read_image(path)
    difference = geometry_difference(acquisition.shape, acquisition.affine, array.shape, affine)
    if difference:
        raise InputError(
            f"The mask {path} is not on the grid of {acquisition.source}: {difference}; resample it to the scan first."
        )
    if not np.all(np.isfinite(array)):
        raise InputError(f"The mask {path} holds values that are not numbers; expected zero outside and one inside.")
    mask = as_mask(array, f"the mask {path}", notes)
    if not mask.any():
        raise InputError(f"The mask {path} is zero everywhere; draw it again or leave out --mask.")
    return mask
