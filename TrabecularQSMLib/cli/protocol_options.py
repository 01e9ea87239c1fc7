"""The options of the command protocol, and the settings that they say."""

from typing import NamedTuple

from ..errors import InputError
from .common import OPTIONS, naming, positive, with_default

# Option, setting, what its values are called, and how many of these are one of the setting's.
_PROTOCOL = (
    ("echo-times", "echo_times", "MS", 1e3),
    ("field-strength", "field_strength", "T", 1),
    ("voxel-size", "voxel_size", ("I", "J", "K"), 1),
    ("snr", "snr", "S", 1),
    ("bandwidth", "bandwidth_hz", "HZ", 1),
    ("readout", "readout", None, 1),
    ("trains", "trains", "N", 1),
    ("flip-angle", "flip_angle", "DEG", 1),
    ("repetition-time", "repetition_time", "MS", 1e3),
)
_REQUIRED = ("echo-times", "field-strength", "voxel-size", "snr")
_SCANNER = (
    ("readout-axis", "readout_axis", None, 1),
    ("gradient", "gradient", "MT/M", 1),
    ("slew-rate", "slew_rate", "T/M/S", 1),
    ("shortest-echo", "shortest_echo", "MS", 1e3),
    ("longest-echo", "longest_echo", "MS", 1e3),
    ("echoes", "echoes", "N", 1),
)
_ASSUMED = (
    ("fat-model", "fat_model", "NAME", 1),
    ("pdff", "pdff", "X", 1),
    ("r2star", "r2star", ("LOW", "HIGH"), 1),
    ("bvtv", "bvtv", "X", 1),
    ("region-radius", "region_radii_mm", "MM", 1),
    ("regularization", "regularization", "λ", 1),
    ("chi-slope", "chi_slope", "PPM", 1),
    ("subject-sd", "subject_sd", "X", 1),
    ("repeat-sd", "repeat_sd", "PPM", 1),
    ("bvtv-difference", "bvtv_difference", "X", 1),
)
# Options that only some runs heed, and those of which one starts such a run.
_HEEDED = (
    (("sweep_field_strengths", "sweep_voxels", "sweep_angles", "sweep_echo_times"), ("sweep",)),
    (("mask",), ("chain",)),
    (("preset", "inversion"), ("ankle", "chain")),
    (("bone_shape", "bone_radius", "bone_orientation", "bone_concentration", "repeats"), ("chain", "sweep")),
    (("seed",), ("ankle", "chain", "sweep")),
)
_OF_DIRECTIONS = ("bone_orientation", "bone_concentration")
# What sentences of the protocol's settings are called here.
WORDS = (
    OPTIONS
    | {
        "chi_sigma": "reconstruct --chi-sigma yes",
        "ankle": "--ankle",
        "voxel_size_mm": "the right one in it",
        "bone_radius": "--bone-radius",
    }
    | {name: f"--{flag}" for flag, name, _, _ in (*_PROTOCOL, *_SCANNER, *_ASSUMED)}
)

# The same of bone, of the sweep and of the ankle; the BV/TV of their blocks are no value of --bvtv.
_OF_BONE = {
    "repeats": "--repeats", "radius": "--bone-radius", "draws": "--ankle", "seed": "--seed", "bvtv": "BV/TV",
    "field_strengths": "--sweep-field-strengths", "voxels_mm": "--sweep-voxels", "b0_degrees": "--sweep-angles",
}  # fmt: skip


class Request(NamedTuple):
    """What is asked for: a protocol, and its settings in the ankle, of the chain and of the sweep, None if not."""

    settings: object
    ankle: object
    chain: object
    sweep: object


def add_options(parser):
    """Add the options of a protocol, and of its runs in a digital ankle and on simulated bone."""
    for options, group in (
        (_PROTOCOL, parser),
        (_SCANNER, parser.add_argument_group("what the scanner can do, for a better echo train")),
        (_ASSUMED, parser.add_argument_group("what is assumed of marrow and study")),
    ):
        for option in options:
            _add_option(group, *option)
    _add_bone(parser)


def request_of(arguments) -> Request:
    """Return what is asked for; `InputError` in the words of the options if it cannot be."""
    _refuse_unused(arguments)
    with naming(WORDS):
        settings = _settings(arguments)
        with naming(_OF_BONE):
            return Request(
                settings,
                _ankle_settings(arguments),
                _chain_settings(arguments, settings),
                _sweep_settings(arguments, settings),
            )


def _add_bone(parser):
    from ..protocol.ankle import AnkleSettings
    from ..protocol.bone import BoneSettings
    from ..settings import CHOICES, load_presets
    from ..simulation.settings import SHAPES

    default, draws = BoneSettings(), AnkleSettings.draws
    bvtv = tuple(f"{one:g}" for one in default.bvtv)
    group = parser.add_argument_group("in a digital ankle and on simulated bone, minutes")
    text = with_default("χ of regions by so many draws of noise that go the whole way through a digital ankle", draws)
    group.add_argument("--ankle", nargs="?", type=int, const=draws, metavar="DRAWS", help=text)
    text = "blocks of trabeculae of these BV/TV in the digital ankle, scanned, reconstructed and measured"
    group.add_argument("--chain", nargs="*", type=float, metavar="BVTV", help=with_default(text, bvtv))
    text = "R2*, fat fraction and χ of regions of these BV/TV under each of several conditions, without noise"
    group.add_argument("--sweep", nargs="*", type=float, metavar="BVTV", help=with_default(text, bvtv))
    for flag, metavar, text in (
        ("field-strengths", "T", "field strengths of the sweep (default: the protocol's)"),
        ("voxels", "MM", "edges of cubic voxels of the sweep (default: the protocol's, of the same volume)"),
        ("angles", "DEG", "angles of B0 against S, towards R, of the sweep (default: 0)"),
    ):
        group.add_argument(f"--sweep-{flag}", nargs="+", type=float, metavar=metavar, help=text)
    text = "another echo train of the sweep; may be given several times"
    group.add_argument("--sweep-echo-times", nargs="+", type=float, action="append", metavar="MS", help=text)
    text = with_default("geometries of each BV/TV; for --chain also patients and draws of noise", default.repeats)
    group.add_argument("--repeats", type=positive, metavar="K", help=text)
    text = with_default("of the pieces of bone", default.shape)
    group.add_argument("--bone-shape", choices=SHAPES, help=text)
    text = with_default("of them, in voxels of 0.1 mm; half the thickness of plates", default.radius)
    group.add_argument("--bone-radius", type=positive, metavar="R", help=text)
    text = with_default("of cylinders, or of the normal of plates", tuple(f"{x:g}" for x in default.orientation))
    group.add_argument("--bone-orientation", nargs=3, type=float, metavar=("R", "A", "S"), help=text)
    text = with_default("κ of their directions about it: 0 all alike, above along, below across", "all along it")
    group.add_argument("--bone-concentration", type=float, metavar="κ", help=text)
    text = "a binary image of bone instead, such as of a micro-CT, along the scan's axes (NIfTI, NRRD); for --chain"
    group.add_argument("--mask", metavar="FILE", help=text)
    group.add_argument("--seed", type=int, metavar="N", help=with_default("of all that", 0))
    text = with_default("of the reconstruction", "default")
    group.add_argument("--preset", choices=tuple(load_presets()), help=text)
    text = "of the reconstruction, instead of the preset's"
    group.add_argument("--inversion", choices=CHOICES["inversion"], help=text)
    where = group.add_mutually_exclusive_group()
    where.add_argument("--workers", type=positive, metavar="N", default=1, help=with_default("processes to use", 1))
    where.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster, such as tcp://host:8786")


def _add_option(group, flag, name, metavar, factor):
    from ..fieldmap.fat_models import FAT_MODELS
    from ..phantom.settings import READOUTS
    from ..protocol.settings import ProtocolSettings
    from ..settings import setting_texts

    field, text = ProtocolSettings.__dataclass_fields__[name], setting_texts(ProtocolSettings.__doc__)[name]
    choices = {"readout": READOUTS, "readout_axis": ("i", "j", "k"), "fat_model": tuple(FAT_MODELS)}.get(name)
    options = {"dest": name, "metavar": metavar, "required": flag in _REQUIRED}
    if choices:
        options["choices"] = choices
    else:
        options["type"] = int if name in ("trains", "echoes") else float
    if isinstance(metavar, tuple):
        options["nargs"] = len(metavar)
    elif name in ("echo_times", "region_radii_mm"):
        options["nargs"] = "+"
    text = text.replace("%", "%%").replace("Seconds", "In ms").replace("along k, j, i", "along I, J, K")
    if flag not in _REQUIRED and field.default is not None:
        default = field.default
        text = with_default(text, tuple(f"{x:g}" for x in default) if isinstance(default, tuple) else default)
    group.add_argument(f"--{flag}", help=text, **options)


def _refuse_unused(arguments):
    """Raise `InputError` if an option was given that only a run on simulated bone heeds, and there is none."""
    for names, starts in _HEEDED:
        given = [name for name in names if getattr(arguments, name) is not None]
        if given and all(getattr(arguments, one) is None for one in starts):
            flags = " or ".join(f"--{one}" for one in starts)
            raise InputError(f"--{given[0].replace('_', '-')} is of {flags}; give that too, or leave it out.")
    for name in ("bone_shape", "bone_radius", "bone_orientation", "bone_concentration"):
        flag = f"--{name.replace('_', '-')}"
        if getattr(arguments, name) is None:
            continue
        if arguments.mask is not None:
            raise InputError(f"{flag} is of random bone, and --mask is one given geometry; leave one of them out.")
        if name in _OF_DIRECTIONS and arguments.bone_shape in (None, "spheres"):
            raise InputError(f"{flag} is of cylinders and plates; give one of them to --bone-shape, or leave it out.")


def _settings(arguments):
    from ..protocol.settings import ProtocolSettings

    given = {}
    for _, name, _, factor in (*_PROTOCOL, *_SCANNER, *_ASSUMED):
        value = getattr(arguments, name)
        if value is not None:
            given[name] = (
                tuple(_in_ours(x, factor) for x in value) if isinstance(value, list) else _in_ours(value, factor)
            )
    given["voxel_size"] = given["voxel_size"][::-1]
    return ProtocolSettings(**given)


def _in_ours(value, factor):
    """A value in the unit of the settings; times to a nanosecond, so that milliseconds do not get a tail."""
    return value if factor == 1 else round(value / factor, 9)


def _bone(arguments, bvtv):
    """Blocks of bone as given."""
    from ..protocol.bone import BoneSettings

    given = {"bvtv": tuple(bvtv)} if bvtv else {}
    for name in ("shape", "radius", "orientation", "concentration"):
        given[name] = getattr(arguments, f"bone_{name}")
    return BoneSettings(**{name: value for name, value in given.items() if value is not None}, **_draws(arguments))


def _draws(arguments):
    """How many geometries are drawn, and from which seed, as far as given."""
    return {name: value for name in ("repeats", "seed") if (value := getattr(arguments, name)) is not None}


def _bone_of_mask(arguments):
    """The bone of a file, whose BV/TV is its own."""
    from ..files.nifti import read_image
    from ..protocol.bone import bone_of_image

    if arguments.chain:
        raise InputError("A mask has the BV/TV that it has; leave out the values of --chain, or --mask.")
    image, affine = read_image(arguments.mask)
    return bone_of_image(image, affine, arguments.mask, **_draws(arguments))


def _chain_settings(arguments, settings):
    """Settings of the chain; None where it is not asked for."""
    from ..protocol.chain import ChainSettings, check_block

    if arguments.chain is None:
        return None
    bone = _bone(arguments, arguments.chain) if arguments.mask is None else _bone_of_mask(arguments)
    check_block(settings, bone)
    return ChainSettings(bone, _reconstruction(arguments))


def _reconstruction(arguments):
    """Settings of the reconstruction in the ankle and of the chain."""
    from ..settings import preset

    changes = {} if arguments.inversion is None else {"inversion": arguments.inversion}
    return preset(arguments.preset or "default", **changes)


def _ankle_settings(arguments):
    """Settings of the digital ankle; None where it is not asked for."""
    from ..protocol.ankle import AnkleSettings

    if arguments.ankle is None:
        return None
    if arguments.regularization is not None:
        raise InputError(
            "--regularization is of balls in noise alike in all voxels, and --ankle reconstructs with the λ of its "
            "preset and inversion; leave one of them out."
        )
    return AnkleSettings(arguments.ankle, _reconstruction(arguments), arguments.seed or 0)


def _sweep_settings(arguments, settings):
    """Settings of the sweep; None where it is not asked for."""
    from ..protocol.sweep import SweepSettings

    if arguments.sweep is None:
        return None
    if arguments.mask is not None:
        raise InputError("--mask is for --chain; a sweep needs random bone, so leave out one of them.")
    if not arguments.output:
        raise InputError("A sweep is a table and a picture; give --output FOLDER for them.")
    trains = tuple(tuple(_in_ours(time, 1e3) for time in train) for train in arguments.sweep_echo_times or ())
    return SweepSettings.around(
        settings,
        _bone(arguments, arguments.sweep),
        field_strengths=tuple(arguments.sweep_field_strengths or ()),
        voxels_mm=tuple(arguments.sweep_voxels or ()),
        b0_degrees=tuple(arguments.sweep_angles or ()),
        trains=trains,
    )
