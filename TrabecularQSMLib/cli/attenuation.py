"""The command attenuation."""

from ..errors import InputError
from .common import (
    TABLE_ENDINGS,
    add_command,
    add_only_and_output,
    add_regions_of_mip,
    case_of_image,
    check_outputs,
    notes_on_subjects,
    print_result,
    write_outputs,
)


def add_commands(commands):
    """Add the command of this file to the parser."""
    parser = add_command(
        commands,
        "attenuation",
        _attenuation,
        "Attenuation of a CT in regions, and with a calibration bone mineral density, in the columns of measure.",
        "attenuation sub-01_CT.nii.gz --regions regions.seg.nrrd --transform ct.tfm --output ct.csv",
    )
    parser.add_argument("image", metavar="CT", help="CT in Hounsfield units")
    add_regions_of_mip(parser)
    parser.add_argument("--slope", type=float, metavar="S", help="of the calibration, mg/cm³ per HU")
    parser.add_argument("--intercept", type=float, metavar="I", help="of the calibration, mg/cm³")
    parser.add_argument(
        "--rods",
        metavar="FILE.csv",
        help="rods of a calibration phantom: columns hu and density (mg/cm³), for K2HPO4 also water",
    )
    add_only_and_output(parser)


def _attenuation(arguments):
    from ..analysis.measure import COLUMNS
    from ..files.tables import csv_text
    from ..study.companions import attenuation_of_files

    check_outputs((arguments.output, TABLE_ENDINGS), inputs=(arguments.rods,))
    calibration = _calibration(arguments)
    rows, told = attenuation_of_files(
        arguments.image,
        arguments.regions,
        case=case_of_image(arguments),
        transform=arguments.transform,
        only=arguments.only,
        calibration=calibration,
    )
    notes = notes_on_subjects(arguments.image, arguments.regions, arguments.transform) + told
    if calibration is not None:
        notes.append(f"Density = {calibration.slope:.5g} × HU {calibration.intercept:+.5g} mg/cm³.")
    print_result(notes, write_outputs({arguments.output: csv_text(COLUMNS, rows)}))


def _calibration(arguments):
    """Calibration by line or rods, or None."""
    from ..analysis.ct import Calibration, fit_calibration
    from ..files.tables import read_rods

    line = (arguments.slope, arguments.intercept)
    if arguments.rods:
        if line != (None, None):
            raise InputError("There are both --rods and a line; give --rods, or --slope with --intercept.")
        return fit_calibration(**read_rods(arguments.rods))
    if line == (None, None):
        return None
    if None in line:
        raise InputError("A calibration line needs both --slope and --intercept; give the other one too.")
    return Calibration(*line)
