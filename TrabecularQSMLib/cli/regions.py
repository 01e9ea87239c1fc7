"""The command regions."""

from pathlib import Path

from ..errors import InputError
from .common import ProgressLine, add_command, check_outputs, notes_on_subjects, print_result, write_outputs

_SEGMENT_ENDINGS, _MASK_ENDINGS = (".seg.nrrd",), (".nii.gz", ".nii")


def add_commands(commands):
    """Add the command of this file to the parser."""
    parser = add_command(
        commands,
        "regions",
        _regions,
        "Bones proposed from maps, to be looked at and edited in Slicer: marrow behind cortex, named in a hindfoot.",
        "regions maps --output regions.seg.nrrd --side right",
    )
    parser.add_argument("maps", metavar="MAPS", help="folder that reconstruct wrote, or that of one subject in it")
    parser.add_argument("--output", metavar="SEG.seg.nrrd", required=True, help="segmentation to write")
    parser.add_argument(
        "--side", choices=("left", "right"), help="written with the names; chooses the foot where the maps show both"
    )
    parser.add_argument("--scan", metavar="NAME", help="which scan, such as sub-01_run-2, where MAPS holds several")
    parser.add_argument(
        "--whole-calcaneus", action="store_true", help="do not cut the calcaneus into subtalar region, tuber and cavum"
    )
    parser.add_argument(
        "--mask", metavar="M.nii.gz", help="also write where χ may be solved: the bones and what is around them"
    )
    parser.add_argument("--image", metavar="IMAGE", help="bSSFP in which the bone reference is looked for")
    parser.add_argument("--transform", metavar="T.tfm", help="what `register ECHO_MIP IMAGE` wrote")
    parser.add_argument(
        "--bone", metavar="BONE.seg.nrrd", help="also write the bone reference for bvtv: dark cortex of IMAGE"
    )


def _regions(arguments):
    import numpy as np

    from ..analysis.bones import mask_around, propose_bones
    from ..files.nifti import write_image
    from ..files.regions import write_segments
    from ..files.terminology import proposed_codes

    check_outputs(
        (arguments.output, _SEGMENT_ENDINGS),
        (arguments.mask, _MASK_ENDINGS),
        (arguments.bone, _SEGMENT_ENDINGS),
        inputs=(arguments.image, arguments.transform),
    )
    if bool(arguments.bone) != bool(arguments.image):
        raise InputError("The bone reference needs both --image and --bone; give the other one too.")
    scan, maps, affine, left_out = _read_maps(arguments)
    with ProgressLine() as progress:
        found = propose_bones(maps, affine, side=arguments.side, cut=not arguments.whole_calcaneus, progress=progress)
    if not found.names:
        raise InputError(f"{arguments.maps} shows no marrow behind cortex; draw the regions by hand.")
    codes = proposed_codes(found.names.values(), arguments.side)
    contents = {arguments.output: lambda path: write_segments(path, found.labels, affine, found.names, codes)}
    if arguments.mask:
        mask = mask_around(found.labels, maps["mask"], affine)
        contents[arguments.mask] = lambda path: write_image(path, mask.astype(np.uint8), affine)
    if arguments.bone:
        contents[arguments.bone] = _bone_reference(arguments, found.labels, affine)
    notes = [*left_out, *found.notes, *notes_on_subjects(f"{scan}_maps", arguments.image, arguments.transform)]
    print_result(notes, write_outputs(contents))
    volume = abs(np.linalg.det(affine[:3, :3])) / 1000
    for label, name in found.names.items():
        print(f"{name}: {np.count_nonzero(found.labels == label) * volume:.1f} cm³")
    print("These are proposals: look at each in the Segment Editor before you measure.")


def _read_maps(arguments):
    """Name of the scan, its maps that are needed, their affine, and notes."""
    from ..files.maps import find_maps, read_maps

    folder, notes = arguments.maps, []
    scans = find_maps(folder, notes) if Path(folder).is_dir() else {}
    if not scans:
        raise InputError(f"{folder} is no folder with maps such as sub-01_PDFFmap.nii.gz; give what reconstruct wrote.")
    if arguments.scan and arguments.scan not in scans:
        raise InputError(f"{folder} has no scan {arguments.scan}; it has {', '.join(scans)}.")
    if len(scans) > 1 and not arguments.scan:
        raise InputError(f"{folder} holds {len(scans)} scans ({', '.join(scans)}); choose one by --scan.")
    scan = arguments.scan or next(iter(scans))
    needed = ("pdff", "mip", *(["mask"] if arguments.mask else []))
    if missing := next((name for name in needed if name not in scans[scan]), None):
        raise InputError(f"{folder} has no {missing} map of {scan}; give the folder that reconstruct wrote.")
    maps, affine = read_maps({name: scans[scan][name] for name in needed}, notes)
    if missing := next((name for name in needed if name not in maps), None):
        raise InputError(f"{folder} has no {missing} map of {scan} on the grid of the others; reconstruct it again.")
    return scan, maps, affine, notes


def _bone_reference(arguments, labels, affine):
    """Function that writes the bone reference of the image."""
    import numpy as np

    from ..analysis.bones import cortex_reference
    from ..files.nifti import read_image
    from ..files.regions import write_segments
    from ..files.terminology import proposed_codes
    from ..files.transforms import read_transform
    from ..images import resample

    image, its_affine = read_image(arguments.image)
    # T maps points of the echo MIP to points of the image; resampling asks for the way back.
    matrix = np.linalg.inv(read_transform(arguments.transform)) if arguments.transform else None
    placed = resample(labels, affine, image.shape, its_affine, matrix, interpolation="nearest")
    try:
        bone = cortex_reference(image, placed, its_affine)
    except InputError as error:
        raise InputError(f"{arguments.image}: {error}") from error
    return lambda path: write_segments(path, bone, its_affine, {1: "bone"}, proposed_codes(["bone"]))
