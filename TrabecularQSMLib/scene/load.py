"""Scans from files, by the reader of the command line."""

import logging

from ..errors import InputError
from ..files import read_acquisition
from .echoes import addEchoSequences

# How BIDS labels are called in the reader.
LABELS = {"sub": "subject", "ses": "session", "run": "run", "acq": "acq"}


def loadScan(path, *, labels: str = "", name: str | None = None) -> tuple:
    """Load a scan and return its magnitude sequence and phase sequence.

    :param path: BIDS dataset, folder of echoes or .mat file.
    :param labels: which of several scans of a folder, such as ``sub-01 run-1``.
    :param name: start of the names of the sequences; by default the scan's own.
    :raises InputError: if there is no such scan, or more than one.
    """
    chosen = dict((pair.split("-", 1) if "-" in pair else (pair, "")) for pair in labels.replace("_", " ").split())
    unknown = [key for key in chosen if key not in LABELS]
    if unknown:
        raise InputError(
            f"{unknown[0]!r} in {labels!r} is no label of a scan; give labels such as sub-01, ses-1, acq-x or run-1."
        )
    scan = read_acquisition(path, **{LABELS[key]: value for key, value in chosen.items()})
    for note in scan.acquisition.notes:
        logging.info(note)
    return addEchoSequences(scan.acquisition, name or scan.stem)
