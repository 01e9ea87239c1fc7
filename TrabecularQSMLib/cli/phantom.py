"""The command that simulates a scan: phantom."""

from ..errors import InputError
from .common import ProgressLine, add_command, check_writable, naming, print_result, with_default

# Flag, setting of the phantom, its values on the command line, and how many of these are one of the setting's.
_FLAGS = (
    ("shape", "shape", ("I", "J", "K"), 1),
    ("snr", "snr", "S", 1),
    ("seed", "seed", "N", 1),
    ("tilt", "tilt_degrees", "DEG", 1),
    ("field-of-view", "field_of_view_mm", ("I", "J", "K"), 1),
    ("orientation", "orientation", None, 1),
    ("field-strength", "field_strength", "T", 1),
    ("echo-times", "echo_times", "MS", 1e3),
    ("fat-model", "fat_model", "NAME", 1),
    ("field-offset", "field_offset_hz", "HZ", 1),
    ("field-gradient", "field_gradient_hz_per_mm", ("R", "A", "S"), 1),
    ("anatomy", "anatomy", None, 1),
    ("gap", "gap_mm", "MM", 1),
    ("chi-fat", "chi_fat", "PPM", 1),
    ("chi-bone", "chi_bone", "PPM", 1),
    ("marrow-pdff", "marrow_pdff", "X", 1),
    ("porosity", "porosity", "X", 1),
    ("readout", "readout", None, 1),
    ("readout-axis", "readout_axis", None, 1),
    ("readout-offset", "readout_offset_rad", "RAD", 1),
    ("readout-slope", "readout_slope_rad", "RAD", 1),
    ("readout-magnitude", "readout_magnitude", "X", 1),
    ("train-offsets", "train_offsets_rad", "RAD", 1),
    ("train-slopes", "train_slopes_rad", "RAD", 1),
    ("bandwidth", "bandwidth_hz", "HZ", 1),
)
# Those that most users meet.
_MAIN = ("shape", "snr", "seed", "tilt", "anatomy")


def add_commands(commands):
    """Add the command of this file to the parser."""
    add_command(
        commands,
        "phantom",
        _phantom,
        "A simulated ankle or knee as a BIDS dataset, with truth maps under derivatives/truth.",
        "phantom ankle --shape 98 98 45 --snr 40 --seed 1 --tilt 20 --companions",
        _add_options,
    )


def _add_options(parser):
    from ..phantom import CompanionSettings, PhantomSettings
    from ..phantom.anatomy import ANATOMIES
    from ..phantom.settings import ORIENTATIONS, READOUTS
    from ..settings import setting_texts

    parser.add_argument("output", metavar="OUTPUT", help="new folder, or a phantom's dataset")
    group = parser.add_argument_group("scan and patient")
    texts = setting_texts(PhantomSettings.__doc__)
    choices = {
        "anatomy": ANATOMIES, "orientation": ORIENTATIONS, "readout": READOUTS, "readout_axis": ("i", "j", "k"),
    }  # fmt: skip
    for flag, name, metavar, factor in _FLAGS:
        default = PhantomSettings.__dataclass_fields__[name].default
        options = {"dest": name, "metavar": metavar, "help": texts[name].replace("%", "%%")}
        if factor == 1e3:
            options["help"] = options["help"].replace("Seconds", "In ms")
        if default not in (None, ()):
            shown = tuple(f"{factor * value:g}" for value in default) if isinstance(default, tuple) else default
            options["help"] += f" {with_default('', shown).strip()}"
        one = (*default, 0.0)[0] if isinstance(default, tuple) else 0.0 if default is None else default
        if name in choices:
            options["choices"] = tuple(choices[name])
        else:
            options["type"] = type(one)
        if isinstance(default, tuple):
            options["nargs"] = len(metavar) if isinstance(metavar, tuple) else "+"
        (parser if flag in _MAIN else group).add_argument(f"--{flag}", **options)
    parser.add_argument(
        "--subject", metavar="ID", default="01", help=with_default("label; OUTPUT may hold other subjects", "01")
    )
    parser.add_argument(
        "--dicom", metavar="FOLDER", help="also the scan as a DICOM study, as a scanner would give it, to try that way"
    )
    group = parser.add_argument_group("other scans of the same patient")
    group.add_argument(
        "--companions",
        action="store_true",
        help="also a bSSFP with trabeculae and a CT, each after a known motion, and their truth",
    )
    companions = CompanionSettings()
    for name, value in (("bssfp", companions.bssfp_voxel_mm), ("ct", companions.ct_voxel_mm)):
        group.add_argument(
            f"--{name}-voxel-size",
            nargs=3,
            type=float,
            metavar=("I", "J", "K"),
            help=with_default("mm", value),
        )


def _phantom(arguments):
    from ..files.dicom_frames import require_pydicom
    from ..files.mr_images import write_study
    from ..files.phantom import refuse_filled, write_phantom
    from ..phantom import CompanionSettings, PhantomSettings, make_companions, make_phantom
    from ..progress import part

    given = {}
    for _, name, _, factor in _FLAGS:
        value = getattr(arguments, name)
        if value is not None:
            given[name] = value if factor == 1 else [one / factor for one in value]
    with naming({name: f"--{flag}" for flag, name, *_ in _FLAGS}):
        settings = PhantomSettings(**given)
    sizes = {"bssfp_voxel_mm": arguments.bssfp_voxel_size, "ct_voxel_mm": arguments.ct_voxel_size}
    sizes = {name: tuple(size) for name, size in sizes.items() if size}
    if sizes and not arguments.companions:
        raise InputError("A voxel size of bSSFP or CT is given, but --companions is not; add it to simulate them.")
    with naming({"bssfp_voxel_mm": "--bssfp-voxel-size", "ct_voxel_mm": "--ct-voxel-size"}):
        others = CompanionSettings(**sizes)
    refuse_filled(arguments.output, arguments.subject)
    check_writable(arguments.output)
    if arguments.dicom:
        require_pydicom()
        check_writable(arguments.dicom)
    with ProgressLine() as progress:
        phantom = make_phantom(settings, progress=part(progress, 0.0, 0.4))
        companions = None
        if arguments.companions:
            companions = make_companions(phantom, others, progress=part(progress, 0.4, 0.8))
        studies = []
        if arguments.dicom:
            share = part(progress, 0.8, 0.9)
            studies = write_study(arguments.dicom, phantom.acquisition, arguments.subject, share)
        written = write_phantom(
            arguments.output,
            phantom,
            companions=companions,
            subject=arguments.subject,
            progress=part(progress, 0.9, 1.0),
        )
    notes = []
    if companions is not None and not companions.bone.any():
        notes.append(
            f"No voxel of the bSSFP ({' × '.join(f'{h:.3g}' for h in others.bssfp_voxel_mm)} mm) is cortical bone as a "
            "whole: the bone reference is empty; choose smaller ones (--bssfp-voxel-size)."
        )
    print_result(notes, [*studies, *written])
