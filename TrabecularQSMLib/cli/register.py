"""The command register."""

from pathlib import Path

from .common import (
    FIGURE_ENDINGS,
    ProgressLine,
    add_command,
    check_outputs,
    notes_on_subjects,
    print_result,
    write_outputs,
)

_TRANSFORM_ENDINGS = (".tfm", ".txt", ".h5", ".mat")
_IMAGE_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".mha")


def add_commands(commands):
    """Add the command of this file to the parser."""
    parser = add_command(
        commands,
        "register",
        _register,
        "Rigid registration of two images of a patient by mutual information, such as bSSFP or CT to the echo MIP.",
        "register maps/sub-01/anat/sub-01_MIP.nii.gz ankle/sub-01/anat/sub-01_bSSFP.nii.gz --output bssfp.tfm",
    )
    parser.add_argument("fixed", metavar="FIXED", help="image that stays: the echo MIP")
    parser.add_argument("moving", metavar="MOVING", help="image that is brought to it")
    parser.add_argument(
        "--output",
        metavar="T.tfm",
        required=True,
        help="transform to write; it maps points of FIXED to points of MOVING, as ITK and Slicer take it",
    )
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--initial", metavar="T0.tfm", help="rigid transform to start from, such as one made by hand")
    start.add_argument(
        "--start",
        choices=("geometry", "moments"),
        default="geometry",
        help="start from the centers of the images, then of all shifts the best, or from the centers of mass of their "
        "intensities (default: geometry)",
    )
    parser.add_argument("--mask", metavar="M", help="where to compare, on the grid of FIXED (all that is not zero)")
    parser.add_argument("--resampled", metavar="OUT.nii.gz", help="also write MOVING on the grid of FIXED")
    parser.add_argument(
        "--checkerboard",
        metavar="OUT.png",
        help="also write a picture of both images in alternate tiles (.png or .svg; needs matplotlib)",
    )


def _register(arguments):
    from ..figures.registration import checkerboard_figure
    from ..figures.style import require_matplotlib
    from ..files.nifti import read_grid, write_image
    from ..files.transforms import read_transform, write_transform
    from ..images import check_right_angles
    from ..study.companions import register_files

    check_outputs(
        (arguments.output, _TRANSFORM_ENDINGS),
        (arguments.resampled, _IMAGE_ENDINGS),
        (arguments.checkerboard, FIGURE_ENDINGS),
        inputs=(arguments.fixed, arguments.moving, arguments.initial, arguments.mask),
    )
    if arguments.checkerboard:
        require_matplotlib()
    start = read_transform(arguments.initial) if arguments.initial else arguments.start
    if arguments.resampled:
        check_right_angles(read_grid(arguments.fixed)[-1], arguments.fixed)  # no writer of images keeps others
    with ProgressLine() as progress:
        both = register_files(arguments.fixed, arguments.moving, start=start, mask=arguments.mask, progress=progress)
    found = both.registration
    writers = {arguments.output: lambda path: write_transform(path, found.matrix)}
    if arguments.resampled:
        writers[arguments.resampled] = lambda path: write_image(path, both.on_fixed, both.affine)
    if arguments.checkerboard:
        kind = Path(arguments.checkerboard).suffix[1:].lower()
        writers[arguments.checkerboard] = checkerboard_figure(both.fixed, both.on_fixed, both.affine, kind)
    written = write_outputs(writers)
    print_result([*both.notes, *notes_on_subjects(arguments.fixed, arguments.moving)], written)
    shift, turn = found.displacement(both.fixed.shape, both.affine), found.rotation_degrees
    print(f"Quality {found.quality:.3f} (0 to 1), overlap {100 * found.overlap:.0f} %")
    print(f"Displacement {shift:.1f} mm at the center of FIXED, rotation {turn:.1f}°")
