"""The command protocol: what a protocol can tell before anybody is scanned."""

from dataclasses import asdict
from pathlib import Path

from .. import __version__
from ..errors import worded
from .common import (
    OPTIONS,
    ProgressLine,
    add_command,
    check_writable,
    positive,
    print_result,
    with_default,
    write_outputs,
)

# Option, setting, what its values are called, and how many of these are one of the setting's.
_PROTOCOL = (
    ("echo-times", "echo_times", "MS", 1e3),
    ("field-strength", "field_strength", "T", 1),
    ("voxel-size", "voxel_size", ("I", "J", "K"), 1),
    ("snr", "snr", "S", 1),
    ("bandwidth", "bandwidth_hz", "HZ", 1),
    ("readout", "readout", None, 1),
    ("trains", "trains", "N", 1),
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
# What sentences of the protocol's settings are called here.
_WORDS = (
    OPTIONS
    | {"chi_sigma": "reconstruct --chi-sigma yes"}
    | {name: f"--{flag}" for flag, name, _, _ in (*_PROTOCOL, *_SCANNER, *_ASSUMED)}
)


def add_commands(commands):
    """Add the command of this file to the parser."""
    parser = add_command(
        commands,
        "protocol",
        _protocol,
        "Before a study: noise of field, R2*, fat fraction and χ, bias, swaps, a better echo train, subjects needed.",
        "protocol --echo-times 1.25 1.95 2.65 3.35 4.05 4.75 5.45 6.15 6.85 --trains 3 --field-strength 3 "
        "--voxel-size 1.5 1.5 1.5 --bandwidth 1431 --snr 40 --output page",
    )
    for options, group in (
        (_PROTOCOL, parser),
        (_SCANNER, parser.add_argument_group("what the scanner can do, for a better echo train")),
        (_ASSUMED, parser.add_argument_group("what is assumed of marrow and study")),
    ):
        for option in options:
            _add_option(group, *option)
    _add_chain(parser)
    parser.add_argument(
        "--output", metavar="FOLDER", help="folder for protocol.html (needs jinja2 and matplotlib), .csv and .json"
    )


def _add_chain(parser):
    from ..protocol.chain import ChainSettings
    from ..settings import CHOICES, load_presets
    from ..simulation.settings import SHAPES

    default = ChainSettings()
    group = parser.add_argument_group("the whole way on simulated bone, minutes")
    group.add_argument(
        "--chain",
        nargs="*",
        type=float,
        metavar="BVTV",
        help=with_default(
            "blocks of trabeculae of these BV/TV in the digital ankle, scanned, reconstructed and measured",
            tuple(f"{one:g}" for one in default.bvtv),
        ),
    )
    text = with_default("patients, geometries and draws of noise for each BV/TV", default.repeats)
    group.add_argument("--repeats", type=positive, metavar="K", default=default.repeats, help=text)
    group.add_argument("--shape", choices=SHAPES, default=default.shape, help=with_default("of bone", default.shape))
    text = with_default("of it, in voxels of 0.1 mm; half the thickness of plates", default.radius)
    group.add_argument("--radius", type=positive, metavar="R", default=default.radius, help=text)
    group.add_argument(
        "--orientation", nargs=3, type=float, metavar=("R", "A", "S"), default=default.orientation,
        help=with_default("of cylinders, or of the normal of plates", tuple(f"{x:g}" for x in default.orientation)),
    )  # fmt: skip
    group.add_argument("--seed", type=int, metavar="N", default=default.seed, help=with_default("of all that", 0))
    group.add_argument("--preset", choices=tuple(load_presets()), default="default", help="of the reconstruction")
    group.add_argument(
        "--inversion", choices=CHOICES["inversion"], help="of the reconstruction, instead of the preset's"
    )
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


def _settings(arguments):
    from ..protocol.settings import ProtocolSettings

    given = {}
    for _, name, _, factor in (*_PROTOCOL, *_SCANNER, *_ASSUMED):
        value = getattr(arguments, name)
        if value is not None:
            # Rounded to a nanosecond, so that milliseconds do not become numbers with a tail.
            scaled = (lambda x, factor=factor: round(x / factor, 9)) if factor != 1 else (lambda x: x)
            given[name] = tuple(scaled(x) for x in value) if isinstance(value, list) else scaled(value)
    given["voxel_size"] = given["voxel_size"][::-1]
    return ProtocolSettings(**given)


def _chain(arguments, settings):
    """Settings and rows of the chain; None where it is not asked for."""
    from ..protocol.chain import ChainSettings, run_chain
    from ..settings import preset
    from .workers import executors_of

    if arguments.chain is None:
        return None
    given = {"bvtv": tuple(arguments.chain)} if arguments.chain else {}
    for name in ("repeats", "shape", "radius", "seed"):
        given[name] = getattr(arguments, name)
    changes = {} if arguments.inversion is None else {"inversion": arguments.inversion}
    chain = ChainSettings(
        orientation=tuple(arguments.orientation), reconstruction=preset(arguments.preset, **changes), **given
    )
    with executors_of(arguments.workers, arguments.scheduler) as executors, ProgressLine() as progress:
        return chain, run_chain(settings, chain, executors=executors, progress=progress)


def _protocol(arguments):
    from ..figures.style import require_matplotlib
    from ..files.tables import csv_text
    from ..files.writing import json_text
    from ..protocol.assess import COLUMNS, assess, rows, unknowns
    from ..protocol.chain import COLUMNS as CHAIN_COLUMNS
    from ..report.pages import require_jinja
    from ..report.protocol import advice, chain_sentences, protocol_page, summary

    settings = _settings(arguments)
    if arguments.output:
        require_jinja()
        require_matplotlib()
        check_writable(arguments.output)
    with ProgressLine() as progress:
        found = assess(settings, progress)
    chain = _chain(arguments, settings)
    said = [worded(sentence, _WORDS) for sentence in unknowns(found)]
    print(summary(found))
    for row in rows(found):
        print(_line(row))
    print(advice(found))
    for sentence in chain_sentences(chain[1]) if chain else ():
        print(f"On simulated bone: {sentence}")
    written = []
    if arguments.output:
        folder = Path(arguments.output)
        head = {"version": __version__, "settings": settings.as_dict(), "rows": rows(found), "unknown": said}
        contents = {
            folder / "protocol.html": protocol_page(found, said, "Protocol", chain),
            folder / "protocol.csv": csv_text(COLUMNS, rows(found)),
        }
        if chain:
            head |= {"chain": asdict(chain[0]), "chain_rows": chain[1]}
            contents[folder / "chain.csv"] = csv_text(CHAIN_COLUMNS, chain[1])
        written = write_outputs(contents | {folder / "protocol.json": json_text(head)})
    print_result(said, written)


def _line(row):
    value = "–" if row["value"] is None else f"{row['value']:.4g}"
    number = f"{value} {row['unit']}".strip()
    return f"{row['quantity']}: {number}" + (f" ({row['of']})" if row["of"] else "")
