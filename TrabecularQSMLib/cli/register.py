"""The command register."""

from pathlib import Path

from ..errors import InputError
from .common import (
    FIGURE_ENDINGS,
    ProgressLine,
    add_command,
    check_outputs,
    errors_of,
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
    from ..analysis.ct import without_padding
    from ..analysis.registration import register_rigid
    from ..figures.registration import checkerboard_figure
    from ..figures.style import require_matplotlib
    from ..files.nifti import header_notes, read_image, write_image
    from ..files.transforms import read_transform, write_transform
    from ..images import check_right_angles, resample

    check_outputs(
        (arguments.output, _TRANSFORM_ENDINGS),
        (arguments.resampled, _IMAGE_ENDINGS),
        (arguments.checkerboard, FIGURE_ENDINGS),
        inputs=(arguments.fixed, arguments.moving, arguments.initial, arguments.mask),
    )
    if arguments.checkerboard:
        require_matplotlib()
    start = read_transform(arguments.initial) if arguments.initial else arguments.start
    fixed, affine = read_image(arguments.fixed)
    if arguments.resampled:
        check_right_angles(affine, arguments.fixed)  # no writer of images keeps others
    moving, its_affine = read_image(arguments.moving)
    padding = [note for image in (fixed, moving) for note in without_padding(image)[1]]
    mask, notes = _read_mask(arguments.mask, arguments.fixed, fixed, affine)
    notes += padding + header_notes(arguments.fixed, arguments.moving, arguments.mask)
    with ProgressLine() as progress, errors_of(f"{arguments.moving} to {arguments.fixed}"):
        found = register_rigid(fixed, affine, moving, its_affine, start=start, fixed_mask=mask, progress=progress)
    writers = {arguments.output: lambda path: write_transform(path, found.matrix)}
    if arguments.resampled or arguments.checkerboard:
        on_fixed = resample(moving, its_affine, fixed.shape, affine, found.matrix, outside=float(moving.min()))
        if arguments.resampled:
            writers[arguments.resampled] = lambda path: write_image(path, on_fixed, affine)
        if arguments.checkerboard:
            kind = Path(arguments.checkerboard).suffix[1:].lower()
            writers[arguments.checkerboard] = checkerboard_figure(fixed, on_fixed, affine, kind)
    written = write_outputs(writers)
    notes += notes_on_subjects(arguments.fixed, arguments.moving)
    if not found.converged:
        notes.append("The steps had not become short at the end; look at the result closely.")
    print_result(notes, written)
    shift, turn = found.displacement(fixed.shape, affine), found.rotation_degrees
    print(f"Quality {found.quality:.3f} (0 to 1), overlap {100 * found.overlap:.0f} %")
    print(f"Displacement {shift:.1f} mm at the center of FIXED, rotation {turn:.1f}°")


def _read_mask(file, fixed_file, fixed, affine):
    from ..files.nifti import read_image
    from ..images import geometry_difference, mask_of

    if file is None:
        return None, []
    mask, its_affine = read_image(file)
    difference = geometry_difference(fixed.shape, affine, mask.shape, its_affine)
    if difference:
        raise InputError(f"The mask {file} is not on the grid of {fixed_file}: {difference}; draw it on that image.")
    return mask_of(mask, file)
