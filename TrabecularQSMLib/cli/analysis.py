"""The commands from maps to numbers about bone."""

from pathlib import Path

from ..errors import InputError
from .common import add_command, print_result


def add_commands(commands):
    """Add the commands of this file to the parser."""
    _add_measure(commands)


def _add_measure(commands):
    parser = add_command(
        commands,
        "measure",
        _measure,
        "Statistics of maps in regions, one row for each case, region and quantity.",
        "measure maps --regions ankle/derivatives/truth/sub-01/anat/sub-01_dseg.nii.gz --output regions.csv",
    )
    parser.add_argument("maps", metavar="MAPS", help="folder that reconstruct wrote")
    parser.add_argument(
        "--regions",
        metavar="SEG",
        required=True,
        help="label map on the maps' grid (NIfTI, NRRD); names from a BIDS .tsv beside it or a .seg.nrrd's header",
    )
    parser.add_argument("--output", metavar="T.csv", required=True, help="table to write")


def _measure(arguments):
    from ..measure import COLUMNS, csv_text, measure_files
    from ..outputs import write_files

    output = Path(arguments.output)
    if output.is_dir():
        raise InputError(f"{output} is a folder; give the name of a .csv file.")
    rows = measure_files(arguments.maps, arguments.regions)
    print_result((), write_files(output.parent, {Path(output.name): csv_text(COLUMNS, rows)}))
