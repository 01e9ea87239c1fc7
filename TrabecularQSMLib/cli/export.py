"""The command export."""

from ..errors import InputError
from .common import REGIONS_HELP, ProgressLine, add_command, check_apart, check_writable, print_result


def add_commands(commands):
    """Add the command of this file to the parser."""
    parser = add_command(
        commands,
        "export",
        _export,
        "Maps, regions and their statistics as DICOM objects in the patient's study, for an archive.",
        "export maps/sub-01 --dicom scan --regions regions.seg.nrrd --output archive",
    )
    parser.add_argument("maps", metavar="MAPS", help="folder that reconstruct wrote, or that of one subject in it")
    parser.add_argument(
        "--dicom", metavar="SOURCE", required=True, help="DICOM folder of the scan: its patient and study are taken"
    )
    parser.add_argument("--output", metavar="FOLDER", required=True, help="folder for the DICOM files")
    parser.add_argument("--regions", metavar="SEG", help=f"{REGIONS_HELP}; also their statistics are written")
    parser.add_argument("--only", nargs="+", default=(), metavar="NAME", help="maps to write (default: the main ones)")
    parser.add_argument(
        "--plain", action="store_true", help="also plain MR images of 16 bits, for archives that show nothing else"
    )


def _export(arguments):
    from ..analysis.measure import measure
    from ..files.archive import EXPORTED, write_dicom
    from ..files.maps import find_scan, read_maps
    from ..files.regions import regions_on
    from ..files.scan import case_of
    from ..progress import part

    notes = []
    stem, files = find_scan(arguments.maps, notes)
    if unknown := [name for name in arguments.only if name not in files]:
        raise InputError(f"There is no map {unknown[0]!r} of {stem}; choose from {', '.join(files)}.")
    check_apart(arguments.output, arguments.dicom)
    check_writable(arguments.output)
    maps, affine = read_maps(files, notes)
    labels, names, rows = None, {}, []
    if arguments.regions:
        shape = next(iter(maps.values())).shape
        labels, names, told = regions_on(arguments.regions, files[next(iter(maps))], shape, affine)
        notes += told
        rows = measure(maps, labels, names, case=case_of(f"{stem}_") or stem)
    chosen = [name for name in arguments.only or EXPORTED if name in maps]
    with ProgressLine() as progress:
        written = write_dicom(
            arguments.output,
            arguments.dicom,
            stem,
            {name: maps[name] for name in chosen},
            affine,
            labels=labels,
            names=names,
            rows=rows,
            plain=arguments.plain,
            progress=part(progress, 0.1, 1.0),
        )
    print_result(notes, written)
