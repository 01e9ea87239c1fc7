"""The command convert."""

from pathlib import Path

from .common import ProgressLine, add_command, check_apart, check_writable, print_result
from .scan import add_reading, reading_options


def add_commands(commands):
    """Add the command of this file to the parser."""
    parser = add_command(
        commands,
        "convert",
        _convert,
        "A scan, such as a DICOM folder, as one subject of a BIDS dataset, for cohort.",
        "convert dicom/patient-7 study --subject 07",
    )
    parser.add_argument("input", metavar="INPUT", help="whatever reconstruct reads")
    parser.add_argument("output", metavar="BIDS", help="dataset to make, or to add the scan to")
    parser.add_argument("--subject", metavar="ID", help="its label in the dataset (default: the input's, or 01)")
    parser.add_argument("--session", metavar="ID", help="label of the session, if there are several")
    parser.add_argument("--run", metavar="ID", dest="run_label", help="which run")
    parser.add_argument("--acq", metavar="ID", help="which acquisition")
    parser.add_argument(
        "--series", metavar="N", help="number of one of the scan's series, where there are several scans"
    )
    add_reading(parser)
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there already")


def _convert(arguments):
    from ..files import bids, read_acquisition
    from ..files.scan import folder_of
    from ..progress import part

    check_writable(arguments.output)
    # A dataset is asked by its own labels; other input gets those that are given.
    is_dataset = Path(arguments.input).is_dir() and bool(bids.find(Path(arguments.input)))
    labels = {} if is_dataset else {"subject": arguments.subject, "session": arguments.session}
    scan = read_acquisition(
        arguments.input, **labels, series=arguments.series, magnitude_alone=True, **reading_options(arguments)
    )
    named = dict(scan.entities)
    named |= {key: value for key, value in (("sub", arguments.subject), ("ses", arguments.session)) if value}
    check_apart(arguments.output, arguments.input, folder_of(named), scan.files)
    with ProgressLine() as progress:
        written = bids.write_scan(
            arguments.output,
            scan.acquisition,
            named,
            protocol=scan.protocol,
            overwrite=arguments.overwrite,
            progress=part(progress, 0.5, 1.0),
        )
    print_result(scan.acquisition.notes, written)
