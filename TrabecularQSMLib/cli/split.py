"""The command split."""

import re

from ..errors import errors_of
from .common import REGIONS_HELP, add_command, check_outputs, positive, print_result, write_outputs


def add_commands(commands):
    """Add the command of this file to the parser."""
    parser = add_command(
        commands,
        "split",
        _split,
        "Split a region into compact parts of equal size, to be measured one by one.",
        "split regions.seg.nrrd --region talus --count 10 --output parts.nii.gz",
    )
    parser.add_argument("regions", metavar="SEG", help=REGIONS_HELP)
    parser.add_argument("--region", metavar="NAME", required=True, help="the region to split")
    parser.add_argument("--count", metavar="N", type=positive, required=True, help="number of parts")
    parser.add_argument(
        "--output", metavar="OUT.nii.gz", required=True, help="label map to write, with a .tsv of names"
    )


def _split(arguments):
    import numpy as np

    from ..acquisition import voxel_size
    from ..analysis.subregions import split_region
    from ..files.nifti import write_image
    from ..files.regions import names_file, read_regions
    from ..files.writing import names_text
    from ..images import check_right_angles

    table = re.sub(r"\.nii(\.gz)?$", ".tsv", arguments.output, flags=re.IGNORECASE)
    check_outputs(
        (arguments.output, (".nii.gz", ".nii")),
        (table, (".tsv",)),
        inputs=(arguments.regions, names_file(arguments.regions)),
    )
    labels, affine, names = read_regions(arguments.regions, only=[arguments.region])
    check_right_angles(affine, arguments.regions)
    with errors_of(f"{arguments.region} of {arguments.regions}"):
        parts = split_region(labels == next(iter(names)), arguments.count, voxel_size(affine))
    contents = {
        arguments.output: lambda path: write_image(path, parts.astype(np.uint16), affine),
        table: names_text({number: f"{arguments.region} {number}" for number in range(1, arguments.count + 1)}),
    }
    print_result((), write_outputs(contents))
