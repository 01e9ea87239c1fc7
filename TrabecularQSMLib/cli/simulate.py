"""The command simulate."""

import json
from dataclasses import asdict, fields
from pathlib import Path

from .. import __version__
from ..errors import InputError
from .common import (
    FIGURE_ENDINGS,
    ProgressLine,
    add_command,
    check_outputs,
    positive,
    print_result,
    with_default,
    write_outputs,
)

_TABLE = (".csv",)
# Settings that say nothing of a given geometry.
_OF_INCLUSIONS = ("size", "shape", "orientation", "concentration")


def add_commands(commands):
    """Add the commands of this file to the parser."""
    add_command(
        commands,
        "simulate",
        _simulate,
        "BV/TV, mean χ and R2′ of random inclusions of bone, over a grid of parameters (Figures 7 and 8 of the paper).",
        "simulate --number 100 200 300 --radius 5 10 --repeats 5 --output simulation.csv --figure simulation.png",
        _add_options,
    )


def _add_options(parser):
    _add_varied(parser)
    _add_same(parser)
    _add_decay(parser)
    given = parser.add_argument_group("a given geometry instead of random inclusions")
    given.add_argument("--mask", metavar="FILE", help="a binary image of bone (NIfTI, NRRD)")
    given.add_argument("--voxel-size", type=float, metavar="MM", help="edge of its voxels, where it does not say it")
    text = "degrees of B0 from the main direction of its bone, one row for each"
    given.add_argument("--b0-angles", nargs="+", type=float, metavar="DEG", help=text)
    text = "--imaging-voxel in mm instead of voxels"
    given.add_argument("--imaging-voxel-mm", nargs="+", type=float, metavar="MM", help=text)
    parser.add_argument(
        "--output",
        metavar="T.csv",
        required=True,
        help="table to write, with the settings in T.json; a stopped run goes on from it",
    )
    parser.add_argument(
        "--summary", metavar="S.csv", help="means, SD and SE to write; slopes and tests to S.json beside"
    )
    parser.add_argument("--figure", metavar="F.png", help="picture to write (.png or .svg; needs matplotlib)")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--workers", type=positive, metavar="N", help="processes to use, or threads for --mask (default: 1)"
    )
    where.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster, such as tcp://host:8786")


def _add_varied(parser):
    from ..simulation import settings as defaults

    varied = parser.add_argument_group("parameters, of which every combination is simulated")
    varied.add_argument(
        "--number",
        nargs="+",
        type=int,
        metavar="N",
        help=with_default("inclusions in the region", defaults.PAPER_NUMBERS),
    )
    varied.add_argument(
        "--radius",
        nargs="+",
        type=int,
        metavar="R",
        help=with_default("radius of spheres and cylinders, half thickness of plates, voxels", defaults.PAPER_RADII),
    )
    varied.add_argument(
        "--delta-chi",
        nargs="+",
        type=float,
        default=defaults.PAPER_DELTA_CHIS,
        metavar="D",
        help=with_default("χ of bone − χ of marrow, ppm", defaults.PAPER_DELTA_CHIS),
    )
    varied.add_argument(
        "--repeats",
        type=int,
        metavar="K",
        help=with_default("random geometries of each number and radius", defaults.PAPER_REPEATS),
    )


def _add_same(parser):
    from ..simulation import settings as defaults

    default = defaults.SimulationSettings()
    same = parser.add_argument_group("settings, the same for all")
    same.add_argument("--seed", type=int, metavar="S", help=with_default("of the geometries", default.seed))
    same.add_argument("--size", type=int, help=with_default("edge of the region, voxels", default.size))
    same.add_argument(
        "--boundary",
        choices=defaults.BOUNDARIES,
        help=with_default("an empty box that repeats, empty space, or the region itself repeated", default.boundary),
    )
    same.add_argument("--shape", choices=defaults.SHAPES, help=with_default("of the inclusions", default.shape))
    for name, what in (("orientation", "of cylinders, or of the normal of plates"), ("b0-direction", "of B0")):
        value = tuple(f"{x:g}" for x in getattr(default, name.replace("-", "_"))[::-1])
        text = with_default(f"direction {what} in patient space (the axes of a random region)", value)
        same.add_argument(f"--{name}", nargs=3, type=float, metavar=("R", "A", "S"), help=text)
    text = with_default("κ of their directions about it: 0 all alike, above along, below across", "all along it")
    same.add_argument("--concentration", type=float, metavar="κ", help=text)
    text = with_default("λ of the closed-form χ, squared voxels", default.regularization)
    same.add_argument("--regularization", type=float, metavar="λ", help=text)
    text = with_default("T, for R2′ in 1/s", default.field_strength)
    same.add_argument("--field-strength", type=float, metavar="T", help=text)
    text = "edge of the imaging voxels that R2′ is of, in voxels of the simulation, or edges along i, j, k"
    text = with_default(text, "the whole region")
    same.add_argument("--imaging-voxel", nargs="+", type=int, metavar="E", help=text)


def _add_decay(parser):
    from ..fieldmap.fat_models import FAT_MODELS
    from ..simulation.settings import POINT_SPREADS, DecaySettings

    decay = parser.add_argument_group("decay of the signal, as a column beside the width of the line")
    decay.add_argument(
        "--echo-times", nargs="+", type=float, metavar="MS", help="ms, of the echoes that R2′ is fitted to"
    )
    for name, metavar, text, scale in _DECAY_NUMBERS:
        default = getattr(DecaySettings, name)
        text = with_default(text, "none" if default is None else f"{default * scale:g}")
        decay.add_argument(f"--{name.replace('_', '-')}", type=float, metavar=metavar, help=text)
    text = with_default("spectrum of the marrow's fat", DecaySettings.fat_model)
    decay.add_argument("--fat-model", choices=tuple(FAT_MODELS), metavar="NAME", help=text)
    text = with_default("of an imaging voxel: its mean, or k-space cut off, with a window", DecaySettings.point_spread)
    decay.add_argument("--point-spread", choices=POINT_SPREADS, help=text)


# Settings of the decay that are numbers: name, what stands for it, what it is, and units of the option in ours.
_DECAY_NUMBERS = (
    ("fat_fraction", "F", "of the marrow, 0 to 1", 1),
    ("bone_signal", "ρ", "of bone against marrow at time zero", 1),
    ("bone_t2", "MS", "T2 of bone's signal, ms", 1e3),
    ("snr", "S", "of an imaging voxel of marrow at time zero", 1),
)


def _decay_of(arguments):
    """Settings of the decay that were given, or None."""
    from ..simulation.settings import DecaySettings

    chosen = {field.name: getattr(arguments, field.name) for field in fields(DecaySettings)}
    chosen = {name: value for name, value in chosen.items() if value is not None}
    for name in chosen if arguments.echo_times is None else ():
        raise InputError(f"--{name.replace('_', '-')} is of the decay; give --echo-times (ms) too, or leave it out.")
    if not chosen:
        return None
    chosen["echo_times"] = tuple(time / 1e3 for time in arguments.echo_times)
    for name, _, _, scale in _DECAY_NUMBERS:
        if name in chosen:
            chosen[name] /= scale
    return DecaySettings(**chosen)


def _simulate(arguments):
    from ..simulation.settings import SimulationSettings

    _check_paths(arguments)
    own = [field.name for field in fields(SimulationSettings) if field.name != "decay"]
    chosen = {name: getattr(arguments, name) for name in own} | {"decay": _decay_of(arguments)}
    for name in ("orientation", "b0_direction"):
        chosen[name] = chosen[name] and tuple(chosen[name][::-1])
    chosen["imaging_voxel"] = _edges(arguments, "imaging_voxel")
    chosen = {name: value for name, value in chosen.items() if value is not None}
    if arguments.mask is not None:
        _simulate_mask(arguments, chosen)
        return
    if arguments.b0_angles is not None:
        raise InputError(
            "--b0-angles is of a --mask; random bone has its directions from --orientation, so give --b0-direction, "
            "once for each angle (the geometries stay), or use `protocol --sweep --sweep-angles`."
        )
    for name in ("voxel_size", "imaging_voxel_mm"):
        if getattr(arguments, name) is not None:
            raise InputError(f"--{name.replace('_', '-')} is of a --mask; leave it out, or give one.")
    for name in ("orientation", "concentration"):
        if name in chosen and chosen.get("shape", SimulationSettings.shape) == "spheres":
            raise InputError(
                f"--{name} is of cylinders and plates, and spheres have none; give --shape, or leave it out."
            )
    _simulate_grid(arguments, SimulationSettings(**chosen))


def _edges(arguments, name):
    """One edge, or three along k, j, i, of an option."""
    values = getattr(arguments, name)
    if values is not None and len(values) not in (1, 3):
        listed = " ".join(f"{value:g}" for value in values)
        raise InputError(f"--{name.replace('_', '-')} has the values {listed}; give one, or three along i, j, k.")
    return values and (values[0] if len(values) == 1 else tuple(values[::-1]))


def _sidecar(table):
    return str(Path(table).with_suffix(".json"))


def _check_paths(arguments):
    from ..figures.style import require_matplotlib

    files = ((arguments.output, _TABLE), (arguments.summary, _TABLE), (arguments.figure, FIGURE_ENDINGS))
    check_outputs(*files, inputs=(arguments.mask,))
    if arguments.figure:
        require_matplotlib()


def _refuse_beside_mask(arguments):
    """Raise `InputError` if an option was given that one given geometry cannot have."""
    for name in ("number", "radius", "repeats", "seed", *_OF_INCLUSIONS, "summary", "figure", "scheduler"):
        if getattr(arguments, name) is not None:
            raise InputError(f"--{name} does not go with --mask, which is one given geometry; leave one of them out.")
    for one, other, what in (
        ("imaging_voxel", "imaging_voxel_mm", "the same in two units"),
        ("b0_direction", "b0_angles", "two ways to say where B0 is"),
    ):
        if None not in (getattr(arguments, one), getattr(arguments, other)):
            flags = (f"--{name.replace('_', '-')}" for name in (one, other))
            raise InputError(f"{' and '.join(flags)} are {what}; give one of them.")


def _simulate_mask(arguments, chosen):
    from ..files.nifti import read_image
    from ..files.tables import csv_text
    from ..files.writing import json_text
    from ..simulation.field import check_box, needed_memory
    from ..simulation.image import bone_of, cube_edge, header_notes, mask_notes
    from ..simulation.model import columns_of, measure_image
    from ..simulation.orientation import fabric
    from ..simulation.settings import SimulationSettings
    from ..simulation.summary import notes_on
    from ..study.estimate import free_memory

    _refuse_beside_mask(arguments)
    image, affine = read_image(arguments.mask)
    bone = bone_of(image, arguments.mask)
    others = {} if arguments.b0_direction is None else {"b0_patient": arguments.b0_direction}
    of_boundary = SimulationSettings(boundary=chosen.get("boundary", SimulationSettings.boundary))
    check_box(of_boundary, bone.shape, free_memory())
    with ProgressLine() as progress:
        progress(0.0, f"field and χ, up to {needed_memory(of_boundary, bone.shape) / 1e9:.2g} GB of memory")
        settings, rows = measure_image(
            bone,
            affine,
            arguments.delta_chi,
            voxel_size_mm=arguments.voxel_size,
            imaging_voxel_mm=_edges(arguments, "imaging_voxel_mm"),
            b0_angles=arguments.b0_angles,
            threads=arguments.workers or 1,
            source=arguments.mask,
            **others,
            **chosen,
        )
    edge = arguments.voxel_size or cube_edge(affine)
    notes = mask_notes(bone, edge, arguments.mask) + notes_on(rows)
    if arguments.voxel_size:
        notes += header_notes(affine, edge, arguments.mask)
    head = {
        "version": __version__,
        "settings": {name: value for name, value in settings.as_dict().items() if name not in _OF_INCLUSIONS},
        "mask": Path(arguments.mask).name,
        "voxel_size_mm": edge,
    }
    columns = columns_of(settings)
    if arguments.b0_angles is not None:
        columns = ("b0_angle", *columns)
        head["fabric"] = fabric(bone).as_dict(affine)
    contents = {arguments.output: csv_text(columns, rows), _sidecar(arguments.output): json_text(head)}
    print_result(notes, write_outputs(contents))


def _simulate_grid(arguments, settings):
    from ..figures.simulation import check_drawable, simulation_figure
    from ..files.tables import csv_text
    from ..files.writing import json_text
    from ..simulation.field import check_box, needed_memory
    from ..simulation.model import columns_of
    from ..simulation.monte_carlo import ParameterGrid, simulate, sorted_rows
    from ..simulation.summary import linearity, notes_on, over_bvtv, summarize, summary_columns
    from ..study.estimate import free_memory
    from .partial_table import partial_table, read_partial
    from .workers import executors_of

    given = {"numbers": arguments.number, "radii": arguments.radius, "repeats": arguments.repeats}
    given = {name: value if name == "repeats" else tuple(value) for name, value in given.items() if value is not None}
    grid = ParameterGrid(delta_chis=tuple(arguments.delta_chi), **given)
    if arguments.figure:
        check_drawable(grid.numbers, grid.radii, grid.delta_chis)
    partial = Path(f"{arguments.output}.partial")
    head = {"version": __version__, "settings": settings.as_dict(), "parameters": asdict(grid)}
    head = json.loads(json.dumps(head))
    kept = read_partial(partial, head, columns_of(settings))
    rows = [row for some in kept.values() for row in some]
    workers, free = arguments.workers or 1, None if arguments.scheduler else free_memory()
    check_box(settings, memory=free and free / workers)
    with executors_of(workers, arguments.scheduler) as executors, ProgressLine() as progress:
        progress(0.0, f"up to {needed_memory(settings) / 1e9:.2g} GB of memory for each process")
        found = simulate(settings, grid, executors=executors, done=kept, progress=progress)
        with partial_table(partial, head, kept) as keep:
            for new in found:
                keep(new)
                rows += new
    rows = sorted_rows(rows)
    summary = summarize(rows, settings)
    slopes = {name: linearity(summary, name) for name in over_bvtv(settings)}
    contents = {arguments.output: csv_text(columns_of(settings), rows), _sidecar(arguments.output): json_text(head)}
    if arguments.summary:
        values = {name: [one.as_dict() for one in found] for name, found in slopes.items()}
        contents[arguments.summary] = csv_text(summary_columns(settings), summary)
        contents[_sidecar(arguments.summary)] = json_text(head | {"over_bvtv": values})
    if arguments.figure:
        contents[arguments.figure] = simulation_figure(
            summary, Path(arguments.figure).suffix[1:].lower(), settings.shape
        )
    written = write_outputs(contents)
    partial.unlink(missing_ok=True)
    for name, found in slopes.items():
        for one in found:
            print(_sentence(name, one))
    print_result(notes_on(rows), written)


def _sentence(name, found):
    line = found.line
    tested = "" if found.p is None else f", p of curvature {found.p:.2g}"
    return (
        f"{name} over bvtv at Δχ = {found.delta_chi:g} ppm: slope {line.slope:.4g} ({line.slope_ci[0]:.4g} to "
        f"{line.slope_ci[1]:.4g}), R² {line.r2:.5f}, {found.nonlinearity:.2%} off the line{tested}, n {line.n}"
    )
