"""The command bvtv."""

from pathlib import Path

from ..errors import InputError, counted
from .common import (
    FIGURE_ENDINGS,
    TABLE_ENDINGS,
    ProgressLine,
    add_command,
    add_only_and_output,
    add_regions_of_mip,
    case_of_image,
    check_outputs,
    errors_of,
    notes_on_subjects,
    print_result,
    write_outputs,
)


def add_commands(commands):
    """Add the command of this file to the parser."""
    parser = add_command(
        commands,
        "bvtv",
        _bvtv,
        "Apparent bone volume fraction of regions in a high-resolution image such as a bSSFP (Majumdar 1997).",
        "bvtv sub-01_bSSFP.nii.gz --regions regions.seg.nrrd --bone bone.seg.nrrd --transform bssfp.tfm "
        "--output bvtv.csv",
    )
    parser.add_argument("image", metavar="IMAGE", help="image in which marrow is bright and bone is dark")
    parser.add_argument(
        "--bone",
        metavar="SEG",
        required=True,
        help="reference of pure cortical bone, drawn on IMAGE; of several regions in the file the one called bone",
    )
    add_regions_of_mip(parser)
    parser.add_argument(
        "--no-bias-correction", dest="bias_correction", action="store_false", help="leave the coil's shading as it is"
    )
    parser.add_argument(
        "--rule",
        choices=("half-peak", "robust"),
        default="half-peak",
        help="how the marrow level is found in the histogram: as the authors do, or without bins (default: half-peak)",
    )
    parser.add_argument("--combine", metavar="IMAGE2", help="the other phase cycle of the bSSFP, on the grid of IMAGE")
    parser.add_argument(
        "--combination",
        choices=("maximum", "root-sum-of-squares"),
        default="maximum",
        help="how IMAGE and IMAGE2 become one (default: maximum)",
    )
    parser.add_argument("--figure", metavar="OUT.png", help="histograms with their levels (.png or .svg)")
    add_only_and_output(parser)


def _bvtv(arguments):
    from ..analysis.bvtv import COLUMNS, apparent_bvtv, combine_phase_cycles, correct_bias
    from ..figures.bvtv import bvtv_figure
    from ..figures.style import require_matplotlib
    from ..files.nifti import read_image
    from ..files.regions import read_bone, regions_on
    from ..files.tables import csv_text
    from ..images import geometry_difference

    check_outputs(
        (arguments.output, TABLE_ENDINGS),
        (arguments.figure, FIGURE_ENDINGS),
        inputs=(arguments.image, arguments.regions),
    )
    if arguments.figure:
        require_matplotlib()
    image, affine = read_image(arguments.image)
    if arguments.combine:
        other, its_affine = read_image(arguments.combine)
        if difference := geometry_difference(image.shape, affine, other.shape, its_affine):
            raise InputError(
                f"{arguments.combine} is not on the grid of {arguments.image}: {difference}; give images of one scan."
            )
        image = combine_phase_cycles([image, other], arguments.combination)
    labels, names, notes = regions_on(
        arguments.regions, arguments.image, image.shape, affine, transform=arguments.transform, only=arguments.only
    )
    notes = notes_on_subjects(arguments.image, arguments.regions, arguments.transform) + notes
    bone = read_bone(arguments.bone, arguments.image, image.shape, affine)
    with ProgressLine() as progress, errors_of(arguments.image):
        if arguments.bias_correction:
            image = correct_bias(image, affine, progress=progress)
        found = apparent_bvtv(image, labels, names, bone, rule=arguments.rule)
    notes += [
        f"The apparent BV/TV of {one.region} is {one.bvtv:.3g}, beyond 0 to 1: "
        "look at its histogram (--figure) and at the bone reference."
        for one in found
        if not 0 <= one.bvtv <= 1
    ]
    case = case_of_image(arguments)
    contents = {arguments.output: csv_text(COLUMNS, [one.row(case) for one in found])}
    if arguments.figure:
        contents[arguments.figure] = bvtv_figure(found, case, Path(arguments.figure).suffix[1:].lower())
    print_result(notes, write_outputs(contents))
    for one in found:
        print(f"{one.region}: apparent BV/TV {one.bvtv:.3f}, {counted(one.n, 'voxel')}")
