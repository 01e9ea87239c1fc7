"""The command measure."""

from .common import (
    REGIONS_HELP,
    TABLE_ENDINGS,
    add_command,
    add_only_and_output,
    check_outputs,
    notes_on_subjects,
    print_result,
    write_outputs,
)


def add_commands(commands):
    """Add the command of this file to the parser."""
    parser = add_command(
        commands,
        "measure",
        _measure,
        "Statistics of maps in regions, one row for each case, region and quantity.",
        "measure maps --regions ankle/derivatives/truth/sub-01/anat/sub-01_dseg.nii.gz --output regions.csv",
    )
    parser.add_argument("maps", metavar="MAPS", help="folder that reconstruct wrote, or that of one subject in it")
    parser.add_argument("--regions", metavar="SEG", required=True, help=f"{REGIONS_HELP}; of this subject")
    parser.add_argument(
        "--case",
        metavar="NAME",
        help="the first column (default: sub-… and ses-…, with more of the name if scans share it)",
    )
    parser.add_argument(
        "--reference",
        metavar="REGION",
        help="region, or mask for all of it, whose mean is taken off χ (default: χ as the maps have it)",
    )
    add_only_and_output(parser)


def _measure(arguments):
    from ..analysis.measure import COLUMNS, reference_notes, referenced
    from ..files.tables import csv_text
    from ..study.measure import measure_files

    check_outputs((arguments.output, TABLE_ENDINGS))
    rows, outside = measure_files(
        arguments.maps, arguments.regions, case=arguments.case, only=arguments.only, with_mask=True
    )
    chi_notes = reference_notes(rows, arguments.reference)
    if arguments.reference:
        rows = referenced(rows, arguments.reference)
    cases = list(dict.fromkeys(row["case"] for row in rows))
    notes = [] if len(cases) == 1 else [f"The same regions are measured in {len(cases)} scans: {', '.join(cases)}."]
    notes += chi_notes + outside
    notes += notes_on_subjects(f"{cases[0]}_maps", arguments.regions)
    print_result(notes, write_outputs({arguments.output: csv_text(COLUMNS, rows)}))
