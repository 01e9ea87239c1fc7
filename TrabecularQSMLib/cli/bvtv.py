"""The command bvtv."""

from pathlib import Path

from ..errors import counted
from .common import (
    FIGURE_ENDINGS,
    TABLE_ENDINGS,
    ProgressLine,
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
    from ..analysis.bvtv import COLUMNS
    from ..figures.bvtv import bvtv_figure
    from ..figures.style import require_matplotlib
    from ..files.tables import csv_text
    from ..study.companions import bvtv_of_files

    check_outputs(
        (arguments.output, TABLE_ENDINGS),
        (arguments.figure, FIGURE_ENDINGS),
        inputs=(arguments.image, arguments.regions),
    )
    if arguments.figure:
        require_matplotlib()
    notes = notes_on_subjects(arguments.image, arguments.regions, arguments.transform)
    with ProgressLine() as progress:
        found, told = bvtv_of_files(
            arguments.image,
            arguments.regions,
            arguments.bone,
            transform=arguments.transform,
            only=arguments.only,
            other=arguments.combine,
            combination=arguments.combination,
            bias_correction=arguments.bias_correction,
            rule=arguments.rule,
            progress=progress,
        )
    case = case_of_image(arguments)
    contents = {arguments.output: csv_text(COLUMNS, [one.row(case) for one in found])}
    if arguments.figure:
        contents[arguments.figure] = bvtv_figure(found, case, Path(arguments.figure).suffix[1:].lower())
    print_result(notes + told, write_outputs(contents))
    for one in found:
        print(f"{one.region}: apparent BV/TV {one.bvtv:.3f}, {counted(one.n, 'voxel')}")
