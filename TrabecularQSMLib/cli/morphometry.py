"""The command morphometry."""

from ..errors import InputError, errors_of
from .common import (
    REGIONS_HELP,
    TABLE_ENDINGS,
    ProgressLine,
    add_case,
    add_command,
    add_only_and_output,
    case_of_image,
    check_outputs,
    print_result,
    write_outputs,
)


def add_commands(commands):
    """Add the command of this file to the parser."""
    parser = add_command(
        commands,
        "morphometry",
        _morphometry,
        "True bone volume fraction, trabecular thickness and spacing (mm) of a binary image such as micro-CT.",
        "morphometry bone.nii.gz --regions regions.nii.gz --output structure.csv",
    )
    parser.add_argument("image", metavar="MASK", help="image of cubic voxels: 0 marrow, any other one value bone")
    parser.add_argument("--regions", metavar="SEG", help=f"{REGIONS_HELP} (default: the whole image)")
    add_case(parser)
    add_only_and_output(parser)


def _morphometry(arguments):
    import numpy as np

    from ..acquisition import voxel_size
    from ..analysis.morphometry import COLUMNS, morphometry, require_bone_morphometry
    from ..files.nifti import read_image
    from ..files.regions import place_regions, read_regions
    from ..files.tables import csv_text
    from ..images import check_right_angles

    check_outputs((arguments.output, TABLE_ENDINGS))
    bone, affine = read_image(arguments.image)
    values = np.unique(bone)
    if values.size != 2 or values[0] != 0:
        raise InputError(
            f"{arguments.image} is no mask of bone: it holds {values.size} different values from {values[0]:g}; "
            "expected 0 and one other, so threshold it first."
        )
    require_bone_morphometry()
    labels, names = np.ones(bone.shape, np.uint8), {1: "whole image"}
    if arguments.regions:
        _, _, names = read = read_regions(arguments.regions, only=arguments.only)
        labels = place_regions(arguments.regions, read, arguments.image, (bone.shape, affine))
    elif arguments.only:
        raise InputError("There is --only but no --regions; give the file that holds them.")
    check_right_angles(affine, arguments.image)
    with ProgressLine() as progress, errors_of(arguments.image):
        found = morphometry(bone != 0, labels, names, voxel_size(affine), progress=progress)
    rows = [one.row(case_of_image(arguments)) for one in found]
    print_result((), write_outputs({arguments.output: csv_text(COLUMNS, rows)}))
