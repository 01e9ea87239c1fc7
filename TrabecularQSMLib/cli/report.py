"""The command report."""

from pathlib import Path

from ..errors import InputError
from .common import ProgressLine, add_command, check_writable, print_result, write_outputs


def add_commands(commands):
    """Add the command of this file to the parser."""
    parser = add_command(
        commands,
        "report",
        _report,
        "A page for each case, and one for the cohort: HTML files with all pictures inside.",
        "report maps",
    )
    parser.add_argument("output", metavar="OUTPUT", help="folder that reconstruct or cohort wrote")


def _report(arguments):
    from ..files.maps import find_maps
    from ..progress import part
    from ..report.case import case_report
    from ..report.cohort import cohort_report

    output = Path(arguments.output)
    if not output.is_dir():
        raise InputError(f"{output} is not a folder; give the folder that reconstruct or cohort wrote.")
    notes = []
    scans = find_maps(output, notes)
    if not scans:
        raise InputError(f"{output} holds no maps; give the folder that reconstruct or cohort wrote.")
    check_writable(output)
    pages, written = {}, []
    with ProgressLine() as progress:
        for number, (stem, files) in enumerate(scans.items()):
            place = files["mip"].parent.parent / f"{stem}_report.html" if "mip" in files else output
            text = case_report(stem, files, part(progress, number / len(scans), (number + 1) / len(scans)))
            # One by one: a cohort's pages together are larger than need be held.
            written += write_outputs({place: text})
            pages[stem] = place
        if (output / "cohort.csv").exists():
            written += write_outputs({output / "report.html": cohort_report(output, pages)})
    print_result(notes, written)
