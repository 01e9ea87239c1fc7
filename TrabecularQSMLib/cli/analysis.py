"""The commands from maps to numbers about bone."""

import re
from pathlib import Path

from ..errors import InputError
from .common import (
    FIGURE_ENDINGS,
    ProgressLine,
    add_command,
    check_outputs,
    notes_on_subjects,
    positive,
    print_result,
    write_outputs,
)

_TABLE_ENDINGS, _LABEL_ENDINGS = (".csv",), (".nii.gz", ".nii")
_REGIONS_HELP = "label map (NIfTI, NRRD), named by a BIDS .tsv beside it, or a segmentation of Slicer (.seg.nrrd)"


def add_commands(commands):
    """Add the commands of this file to the parser."""
    _add_measure(commands)
    _add_bvtv(commands)
    _add_attenuation(commands)
    _add_split(commands)
    _add_morphometry(commands)


def _add_measure(commands):
    parser = add_command(
        commands,
        "measure",
        _measure,
        "Statistics of maps in regions, one row for each case, region and quantity.",
        "measure maps --regions ankle/derivatives/truth/sub-01/anat/sub-01_dseg.nii.gz --output regions.csv",
    )
    parser.add_argument("maps", metavar="MAPS", help="folder that reconstruct wrote, or that of one subject in it")
    parser.add_argument("--regions", metavar="SEG", required=True, help=f"{_REGIONS_HELP}; of this subject")
    parser.add_argument(
        "--case",
        metavar="NAME",
        help="the first column (default: sub-… and ses-…, with more of the name if scans share it)",
    )
    _add_only_and_output(parser)


def _add_bvtv(commands):
    parser = add_command(
        commands,
        "bvtv",
        _bvtv,
        "Apparent bone volume fraction of regions in a high-resolution image such as a bSSFP (Majumdar 1997).",
        "bvtv sub-01_bSSFP.nii.gz --regions regions.seg.nrrd --bone bone.seg.nrrd --transform bssfp.tfm "
        "--output bvtv.csv",
    )
    parser.add_argument("image", metavar="IMAGE", help="image in which marrow is bright and bone is dark")
    parser.add_argument("--regions", metavar="SEG", required=True, help=f"{_REGIONS_HELP}, drawn on the echo MIP")
    parser.add_argument(
        "--bone",
        metavar="SEG",
        required=True,
        help="reference of pure cortical bone, drawn on IMAGE; of several regions in the file the one called bone",
    )
    _add_transform_and_case(parser)
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
    _add_only_and_output(parser)


def _add_attenuation(commands):
    parser = add_command(
        commands,
        "attenuation",
        _attenuation,
        "Attenuation of a CT in regions, and with a calibration bone mineral density, in the columns of measure.",
        "attenuation sub-01_CT.nii.gz --regions regions.seg.nrrd --transform ct.tfm --output ct.csv",
    )
    parser.add_argument("image", metavar="CT", help="CT in Hounsfield units")
    parser.add_argument("--regions", metavar="SEG", required=True, help=f"{_REGIONS_HELP}, drawn on the echo MIP")
    _add_transform_and_case(parser)
    parser.add_argument("--slope", type=float, metavar="S", help="of the calibration, mg/cm³ per HU")
    parser.add_argument("--intercept", type=float, metavar="I", help="of the calibration, mg/cm³")
    parser.add_argument(
        "--rods",
        metavar="FILE.csv",
        help="rods of a calibration phantom: columns hu and density (mg/cm³), for K2HPO4 also water",
    )
    _add_only_and_output(parser)


def _add_split(commands):
    parser = add_command(
        commands,
        "split",
        _split,
        "Split a region into compact parts of equal size, to be measured one by one.",
        "split regions.seg.nrrd --region talus --count 10 --output parts.nii.gz",
    )
    parser.add_argument("regions", metavar="SEG", help=_REGIONS_HELP)
    parser.add_argument("--region", metavar="NAME", required=True, help="the region to split")
    parser.add_argument("--count", metavar="N", type=positive, required=True, help="number of parts")
    parser.add_argument(
        "--output", metavar="OUT.nii.gz", required=True, help="label map to write, with a .tsv of names"
    )


def _add_morphometry(commands):
    parser = add_command(
        commands,
        "morphometry",
        _morphometry,
        "True bone volume fraction, trabecular thickness and spacing (mm) of a binary image such as micro-CT.",
        "morphometry bone.nii.gz --regions regions.nii.gz --output structure.csv",
    )
    parser.add_argument("image", metavar="MASK", help="image of cubic voxels: 0 marrow, any other one value bone")
    parser.add_argument("--regions", metavar="SEG", help=f"{_REGIONS_HELP} (default: the whole image)")
    _add_case(parser)
    _add_only_and_output(parser)


def _add_transform_and_case(parser):
    parser.add_argument(
        "--transform", metavar="T.tfm", help="where the regions lie in the image: what `register ECHO_MIP IMAGE` wrote"
    )
    _add_case(parser)


def _add_case(parser):
    parser.add_argument(
        "--case", metavar="NAME", help="the first column (default: sub-… and ses-… at the start of the image's name)"
    )


def _add_only_and_output(parser):
    parser.add_argument("--only", nargs="+", default=(), metavar="NAME", help="regions to measure (default: all)")
    parser.add_argument("--output", metavar="T.csv", required=True, help="table to write")


def _measure(arguments):
    from ..analysis.measure import COLUMNS
    from ..files.tables import csv_text
    from .measure import measure_files

    check_outputs((arguments.output, _TABLE_ENDINGS))
    rows = measure_files(arguments.maps, arguments.regions, case=arguments.case, only=arguments.only)
    cases = list(dict.fromkeys(row["case"] for row in rows))
    notes = [] if len(cases) == 1 else [f"The same regions are measured in {len(cases)} scans: {', '.join(cases)}."]
    notes += notes_on_subjects(f"{cases[0]}_maps", arguments.regions)
    print_result(notes, write_outputs({arguments.output: csv_text(COLUMNS, rows)}))


def _bvtv(arguments):
    from ..analysis.bvtv import COLUMNS, apparent_bvtv, combine_phase_cycles, correct_bias
    from ..figures.bvtv import bvtv_figure
    from ..figures.style import require_matplotlib
    from ..files.nifti import read_image
    from ..files.tables import csv_text

    check_outputs(
        (arguments.output, _TABLE_ENDINGS),
        (arguments.figure, FIGURE_ENDINGS),
        inputs=(arguments.image, arguments.regions),
    )
    if arguments.figure:
        require_matplotlib()
    image, affine = read_image(arguments.image)
    if arguments.combine:
        other, its_affine = read_image(arguments.combine)
        _check_grid(arguments.combine, other, its_affine, arguments.image, image, affine)
        image = combine_phase_cycles([image, other], arguments.combination)
    labels, names, notes = _regions_on(arguments, image, affine)
    bone = _read_bone(arguments, image, affine)
    with ProgressLine() as progress:
        try:
            if arguments.bias_correction:
                image = correct_bias(image, affine, progress=progress)
            found = apparent_bvtv(image, labels, names, bone, rule=arguments.rule)
        except InputError as error:
            raise InputError(f"{arguments.image}: {error}") from error
    notes += [
        f"The apparent BV/TV of {one.region} is {one.bvtv:.3g}, beyond 0 to 1: "
        "look at its histogram (--figure) and at the bone reference."
        for one in found
        if not 0 <= one.bvtv <= 1
    ]
    case = _case(arguments)
    contents = {arguments.output: csv_text(COLUMNS, [one.row(case) for one in found])}
    if arguments.figure:
        contents[arguments.figure] = bvtv_figure(found, case, Path(arguments.figure).suffix[1:].lower())
    print_result(notes, write_outputs(contents))
    for one in found:
        print(f"{one.region}: apparent BV/TV {one.bvtv:.3f}, {one.n} voxels")


def _attenuation(arguments):
    from ..analysis.ct import attenuation
    from ..analysis.measure import COLUMNS
    from ..files.nifti import read_image
    from ..files.tables import csv_text

    check_outputs((arguments.output, _TABLE_ENDINGS), inputs=(arguments.rods,))
    calibration = _calibration(arguments)
    image, affine = read_image(arguments.image)
    labels, names, notes = _regions_on(arguments, image, affine)
    try:
        rows = attenuation(image, labels, names, case=_case(arguments), calibration=calibration)
    except InputError as error:
        raise InputError(f"{arguments.image}: {error}") from error
    if calibration is not None:
        notes.append(f"Density = {calibration.slope:.5g} × HU {calibration.intercept:+.5g} mg/cm³.")
    print_result(notes, write_outputs({arguments.output: csv_text(COLUMNS, rows)}))


def _split(arguments):
    import numpy as np

    from ..analysis.subregions import split_region
    from ..files.nifti import write_image
    from ..files.regions import names_file, read_regions

    table = re.sub(r"\.nii(\.gz)?$", ".tsv", arguments.output, flags=re.IGNORECASE)
    check_outputs(
        (arguments.output, _LABEL_ENDINGS),
        (table, (".tsv",)),
        inputs=(arguments.regions, names_file(arguments.regions)),
    )
    labels, affine, names = read_regions(arguments.regions, only=[arguments.region])
    voxel_size = tuple(np.linalg.norm(affine[:3, :3], axis=0)[::-1])
    try:
        parts = split_region(labels == next(iter(names)), arguments.count, voxel_size)
    except InputError as error:
        raise InputError(f"{arguments.region} of {arguments.regions}: {error}") from error
    rows = "".join(f"{number}\t{arguments.region} {number}\n" for number in range(1, arguments.count + 1))
    contents = {
        arguments.output: lambda path: write_image(path, parts.astype(np.uint16), affine),
        table: "index\tname\n" + rows,
    }
    print_result((), write_outputs(contents))


def _morphometry(arguments):
    import numpy as np

    from ..analysis.morphometry import COLUMNS, morphometry, require_bone_morphometry
    from ..files.nifti import read_image
    from ..files.regions import place_regions, read_regions
    from ..files.tables import csv_text

    check_outputs((arguments.output, _TABLE_ENDINGS))
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
        labels, its_affine, names = read_regions(arguments.regions, only=arguments.only)
        labels = place_regions(arguments.regions, labels, its_affine, names, arguments.image, bone.shape, affine)
    elif arguments.only:
        raise InputError("There is --only but no --regions; give the file that holds them.")
    voxel_size = tuple(np.linalg.norm(affine[:3, :3], axis=0)[::-1])
    with ProgressLine() as progress:
        try:
            found = morphometry(bone != 0, labels, names, voxel_size, progress=progress)
        except InputError as error:
            raise InputError(f"{arguments.image}: {error}") from error
    rows = [one.row(_case(arguments)) for one in found]
    print_result((), write_outputs({arguments.output: csv_text(COLUMNS, rows)}))


def _check_grid(path, array, affine, image_path, image, image_affine):
    from ..images import geometry_difference

    difference = geometry_difference(image.shape, image_affine, array.shape, affine)
    if difference:
        raise InputError(f"{path} is not on the grid of {image_path}: {difference}; give images of one scan.")


def _case(arguments):
    """Name of the case: as given, or subject and session of the image's name, or that name."""
    if arguments.case:
        return arguments.case
    from ..files.scan import case_of

    name = Path(arguments.image).name
    return case_of(name) or name.partition(".")[0]


def _regions_on(arguments, image, affine):
    """Labels on the grid of the image, names, and notes about regions that it cuts off."""
    import numpy as np

    from ..files.nifti import read_transform
    from ..files.regions import place_regions, read_regions

    # The transform maps points of the echo MIP, where the regions are, to points of the image. Resampling asks for
    # the way from the grid that is filled to the one that is read: the inverse.
    notes = notes_on_subjects(arguments.image, arguments.regions, arguments.transform)
    matrix = None
    if arguments.transform:
        matrix = np.linalg.inv(read_transform(arguments.transform))
        volume = abs(np.linalg.det(matrix[:3, :3]))
        if abs(volume - 1) > 0.01:
            notes.append(f"{arguments.transform} changes volumes by a factor of {1 / volume:.3g}; it is no rigid one.")
    labels, its_affine, names = read_regions(arguments.regions, only=arguments.only)
    placed = place_regions(arguments.regions, labels, its_affine, names, arguments.image, image.shape, affine, matrix)
    for label, name in names.items():
        there, here = (
            np.count_nonzero(array == label) * abs(np.linalg.det(its[:3, :3]))
            for array, its in ((labels, its_affine), (placed, affine))
        )
        if here < 0.9 * there:
            notes.append(f"{100 * (1 - here / there):.0f} % of the region {name} lie outside of {arguments.image}.")
    return placed, names, notes


def _read_bone(arguments, image, affine):
    """Mask of the bone reference on the grid of the image."""
    from ..files.regions import place_regions, read_regions

    path = arguments.bone
    _, _, names = read_regions(path)
    if len(names) > 1 and "bone" not in names.values():
        raise InputError(
            f"{path} has {len(names)} regions ({', '.join(names.values())}) and none is called bone; "
            "call the bone reference so, or give a file with it alone."
        )
    name = "bone" if "bone" in names.values() else next(iter(names.values()))
    labels, its_affine, names = read_regions(path, only=[name])
    return place_regions(path, labels, its_affine, names, arguments.image, image.shape, affine) != 0


def _calibration(arguments):
    """Calibration by line or rods, or None."""
    from ..analysis.ct import Calibration, fit_calibration
    from ..files.tables import read_table

    line = (arguments.slope, arguments.intercept)
    if arguments.rods:
        if line != (None, None):
            raise InputError("There are both --rods and a line; give --rods, or --slope with --intercept.")
        columns = {name: [] for name in ("hu", "density", "water")}
        table = read_table(arguments.rods)
        if not {"hu", "density"} <= set(table.columns):
            raise InputError(f"{arguments.rods} has the columns {', '.join(table.columns)}; expected hu and density.")
        for number, row in enumerate(table.rows, start=1):
            for name in columns.keys() & row.keys():
                try:
                    columns[name].append(float(row[name]))
                except ValueError as error:
                    raise InputError(
                        f"Row {number} of {arguments.rods} has {row[name]!r} for {name}; expected a number."
                    ) from error
        return fit_calibration(columns["hu"], columns["density"], columns["water"] or None)
    if line == (None, None):
        return None
    if None in line:
        raise InputError("A calibration line needs both --slope and --intercept; give the other one too.")
    return Calibration(*line)
