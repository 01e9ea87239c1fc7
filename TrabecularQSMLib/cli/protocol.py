"""The command protocol: what a protocol can tell before anybody is scanned."""

import json
from pathlib import Path
from typing import NamedTuple

from .. import __version__
from ..errors import InputError, counted, worded
from .common import ProgressLine, add_command, check_writable, print_result, write_outputs
from .protocol_options import WORDS, add_options, request_of


def add_commands(commands):
    """Add the command of this file to the parser."""
    add_command(
        commands,
        "protocol",
        _protocol,
        "Before a study: noise of field, R2*, fat fraction and χ, bias, swaps, a better echo train, subjects needed.",
        "protocol --echo-times 1.25 1.95 2.65 3.35 4.05 4.75 5.45 6.15 6.85 --trains 3 --field-strength 3 "
        "--voxel-size 1.5 1.5 1.5 --bandwidth 1431 --snr 40 --output page",
        _add_options,
    )


def _add_options(parser):
    add_options(parser)
    parser.add_argument(
        "--output", metavar="FOLDER", help="folder for protocol.html (needs jinja2 and matplotlib), .csv and .json"
    )


def _mask_notes(arguments, chain):
    """What to say of a mask whose bone is no trabeculae."""
    from ..simulation.image import mask_notes

    if arguments.mask is None:
        return []
    bone = chain.bone
    return mask_notes(bone.mask, bone.voxel_mm, arguments.mask)


def _assess(arguments, settings, ankle):
    """What is told of the protocol."""
    from ..protocol.assess import assess
    from ..protocol.estimate import ankle_cost
    from .workers import executors_of

    if ankle is None:
        with ProgressLine() as progress:
            return assess(settings, progress=progress)
    with executors_of(arguments.workers, arguments.scheduler) as executors, ProgressLine() as progress:
        _tell_cost(counted(ankle.draws, "draw"), ankle_cost(settings, ankle), progress)
        return assess(settings, ankle, executors=executors, progress=progress)


def _run_chain(arguments, settings, chain):
    """Rows of the chain, and what its reconstructions note."""
    from ..protocol.chain import run_chain
    from ..protocol.estimate import chain_cost
    from .workers import executors_of

    with executors_of(arguments.workers, arguments.scheduler) as executors, ProgressLine() as progress:
        _tell_cost(counted(len(chain.bone.points()), "block"), chain_cost(settings, chain), progress)
        return run_chain(settings, chain, executors=executors, progress=progress)


def _check_memory(arguments, request):
    """Refuse what does not fit, before anything long begins."""
    from ..protocol.estimate import ankle_cost, chain_cost, sweep_cost
    from ..study.estimate import free_memory

    settings, ankle, chain, sweep = request
    costs = [ankle and ankle_cost(settings, ankle), chain and chain_cost(settings, chain), sweep and sweep_cost(sweep)]
    memory = arguments.workers * max((cost.memory for cost in costs if cost), default=0)
    free = None if arguments.scheduler else free_memory()
    if free is not None and memory > free:
        raise InputError(
            f"It takes about {memory / 1e9:.3g} GB of memory and there are {free / 1e9:.3g} GB; take larger voxels, or "
            "fewer --workers."
        )


def _tell_cost(what, cost, progress):
    """Say before a run how long it takes and how much memory."""
    from ..study.estimate import in_words

    time = in_words(cost.seconds)
    progress(0.0, f"{what}, about {time} of a processor, {cost.memory / 1e9:.2g} GB of memory for each process")


class _Partial(NamedTuple):
    """The table of a sweep while it runs: its file, what the run is, and rows of a run that was stopped."""

    path: Path
    head: dict
    kept: dict

    @classmethod
    def of(cls, arguments, settings, sweep):
        """What there is of a run; `InputError` if it is of another, before anything long begins."""
        from ..protocol.sweep import COLUMNS
        from .partial_table import read_blocks

        path = Path(arguments.output) / "sweep.csv.partial"
        head = {"version": __version__, "settings": settings.as_dict(), "sweep": sweep.as_dict()}
        head = json.loads(json.dumps(head))
        return cls(path, head, read_blocks(path, head, COLUMNS, ("bvtv_wanted", "repeat")))


def _run_sweep(arguments, settings, sweep, partial):
    """Rows of the sweep, kept while it runs."""
    from ..protocol.estimate import sweep_cost
    from ..protocol.sweep import run_sweep, sorted_rows
    from .partial_table import partial_table
    from .workers import executors_of

    rows = [row for some in partial.kept.values() for row in some]
    with executors_of(arguments.workers, arguments.scheduler) as executors, ProgressLine() as progress:
        _tell_cost(counted(len(sweep.bone.points()), "block"), sweep_cost(sweep), progress)
        found = run_sweep(settings, sweep, executors=executors, done=partial.kept, progress=progress)
        with partial_table(*partial) as keep:
            for new in found:
                keep(new)
                rows += new
    return sorted_rows(rows)


def _protocol(arguments):
    from ..figures.style import require_matplotlib
    from ..protocol.assess import rows
    from ..protocol.bone import bone_notes
    from ..protocol.remarks import unknowns
    from ..report.pages import require_jinja
    from ..report.protocol import advice, chain_sentences, summary

    settings, ankle, chain, sweep = request = request_of(arguments)
    _check_memory(arguments, request)
    partial = sweep and _Partial.of(arguments, settings, sweep)
    if arguments.output:
        require_jinja()
        require_matplotlib()
        check_writable(arguments.output)
    found = _assess(arguments, settings, ankle)
    said = unknowns(found)
    if chain or sweep:
        said += bone_notes((chain or sweep).bone)
    if chain:
        measured = _run_chain(arguments, settings, chain)
        said += [f"The reconstruction of simulated bone notes: {note}" for note in measured.notes]
        said += _mask_notes(arguments, chain)
        chain = (chain, measured.rows)
    said = [worded(sentence, WORDS) for sentence in said]
    print(summary(found))
    for row in rows(found):
        print(_line(row))
    print(advice(found))
    for sentence in chain_sentences(chain[1]) if chain else ():
        print(f"On simulated bone: {sentence}")
    written = []
    if arguments.output:
        swept = sweep and _run_sweep(arguments, settings, sweep, partial)
        written = write_outputs(_contents(Path(arguments.output), found, said, chain, sweep, swept))
        if partial:
            partial.path.unlink(missing_ok=True)
    print_result(said, written)


def _contents(folder, found, said, chain, sweep, swept):
    """Files to write, by name."""
    from ..figures.protocol import sweep_figure
    from ..files.tables import csv_text
    from ..files.writing import json_text
    from ..protocol.assess import COLUMNS, rows
    from ..protocol.chain import COLUMNS as CHAIN_COLUMNS
    from ..protocol.sweep import COLUMNS as SWEEP_COLUMNS
    from ..report.protocol import protocol_page

    head = {"version": __version__, "settings": found.settings.as_dict(), "rows": rows(found), "unknown": said}
    contents = {folder / "protocol.csv": csv_text(COLUMNS, rows(found))}
    picture = None
    if found.ankle is not None:
        head["ankle"] = found.ankle.as_dict()
    if chain:
        head |= {"chain": chain[0].as_dict(), "chain_rows": chain[1]}
        contents[folder / "chain.csv"] = csv_text(CHAIN_COLUMNS, chain[1])
    if sweep is not None:
        head["sweep"] = sweep.as_dict()
        picture = contents[folder / "sweep.png"] = sweep_figure(swept, sweep.varied(), found.settings)
        trains = [" ".join(f"{1e3 * time:g}" for time in train) for train in sweep.trains]
        table = [row | {"train": trains[row["train"]]} for row in swept]
        contents[folder / "sweep.csv"] = csv_text(SWEEP_COLUMNS, table)
    contents[folder / "protocol.html"] = protocol_page(found, said, "Protocol", chain, picture)
    return contents | {folder / "protocol.json": json_text(head)}


def _line(row):
    value = "–" if row["value"] is None else f"{row['value']:.4g}"
    number = f"{value} {row['unit']}".strip()
    return f"{row['quantity']}: {number}" + (f" ({row['of']})" if row["of"] else "")
