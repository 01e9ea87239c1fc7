"""The command statistics: questions of a study, answered from tables of many subjects."""

from pathlib import Path

from .common import FIGURE_ENDINGS, TABLE_ENDINGS, add_command, check_outputs, positive, print_result, write_outputs

# Columns of a printed table, side by side.
_ACROSS = 4
# What a row is of, which heads its column; the rest is below.
_KEYS = ("region", "group", "age [years]")


def add_commands(commands):
    """Add the command of this file to the parser."""
    parser = add_command(
        commands,
        "statistics",
        None,
        "Statistics of a study: repeatability, change, groups compared, power, normal ranges.",
        "statistics repeatability out/cohort.csv --quantity chi --output repeatability.csv --figure repeatability.png",
    )
    kinds = parser.add_subparsers(metavar="KIND", required=True)
    _add_repeatability(kinds)
    _add_change(kinds)
    _add_groups(kinds)
    _add_power(kinds)
    _add_ranges(kinds)


def _add_repeatability(kinds):
    _add_kind(
        kinds,
        "repeatability",
        _repeatability,
        "ICC, limits of agreement, SD and CV within subjects, repeatability coefficient, of subjects measured again.",
        "repeatability out/cohort.csv --quantity chi --output repeatability.csv --figure repeatability.png",
        sessions="those that are compared (default: all)",
    )


def _add_change(kinds):
    parser = _add_kind(
        kinds,
        "change",
        _change,
        "Change from one session to another: mean over subjects, and each subject's against what can be seen.",
        "change out/cohort.csv --quantity chi --sessions ses-1 ses-2 --repeatability repeatability.csv "
        "--output change.csv",
        sessions="first and second (default: the two that there are)",
    )
    parser.add_argument(
        "--repeatability",
        metavar="R.csv",
        help="what `statistics repeatability` wrote: a subject's change must exceed its coefficient (default: noise "
        "alone, by the standard errors of the tables)",
    )
    parser.add_argument("--each", metavar="EACH.csv", help="table of each subject's change to write")


def _add_groups(kinds):
    parser = _add_kind(
        kinds,
        "groups",
        _groups,
        "Groups compared in each region, adjusted for covariates, p values corrected for the number of regions (Holm).",
        "groups out/cohort.csv study/participants.tsv --quantity chi --group diagnosis --adjust age sex "
        "--output groups.csv",
        sessions="one, where subjects have several",
    )
    parser.add_argument("--group", metavar="COLUMN", required=True, help="what group a subject is of")
    parser.add_argument("--reference", metavar="NAME", help="group that others are compared with (default: the first)")
    parser.add_argument(
        "--adjust", nargs="+", default=(), metavar="COLUMN", help="covariates, such as age and sex; numbers or kinds"
    )


def _add_power(kinds):
    from ..analysis.studies.design import ALPHA, DESIGNS, POWER

    parser = _add_kind(
        kinds,
        "power",
        _power,
        "Subjects that a planned study needs, or the difference that it can detect, from the spread in a pilot.",
        "power out/cohort.csv --quantity chi --difference 0.1 --subjects 20 --output power.csv",
        sessions="one of the pilot; two for the design change",
    )
    parser.add_argument("--design", choices=DESIGNS, default=DESIGNS[0], help=f"(default: {DESIGNS[0]})")
    parser.add_argument("--difference", type=float, metavar="D", help="to detect, in the unit of the quantity")
    parser.add_argument("--subjects", type=positive, metavar="N", help="that can be had: of each group, or in all")
    parser.add_argument("--power", type=float, metavar="P", default=POWER, help=f"(default: {POWER})")
    parser.add_argument("--alpha", type=float, metavar="P", default=ALPHA, help=f"(default: {ALPHA})")


def _add_ranges(kinds):
    parser = _add_kind(
        kinds,
        "normal-ranges",
        _ranges,
        "Normal range of each region, from healthy subjects: mean ± 1.96 SD and percentiles, or a trend over age.",
        "normal-ranges out/cohort.csv study/participants.tsv --quantity chi --age age --output ranges.csv",
        sessions="one, where subjects have several",
    )
    parser.add_argument("--age", metavar="COLUMN", help="age of the subjects in years, which the range then follows")


def _add_kind(kinds, name, run, description, example, *, sessions):
    parser = add_command(kinds, name, run, description, f"statistics {example}")
    parser.add_argument(
        "tables",
        nargs="+",
        metavar="T.csv",
        help="tables of cohort, measure, bvtv or others, and of the subjects, such as participants.tsv",
    )
    parser.add_argument("--quantity", metavar="NAME", required=True, help="a column, or a quantity of measure's table")
    parser.add_argument("--sessions", nargs="+", metavar="NAME", help=sessions)
    parser.add_argument("--subject", metavar="COLUMN", help="whose a row is (default: case, subject or participant_id)")
    parser.add_argument(
        "--session", metavar="COLUMN", help="when it was measured (default: session, or ses-2 of the case sub-01_ses-2)"
    )
    parser.add_argument("--region", metavar="COLUMN", help="what it is of (default: region or label)")
    parser.add_argument("--exclude", nargs="+", default=(), metavar="COLUMN=VALUE", help="rows to leave out")
    parser.add_argument("--output", metavar="OUT.csv", required=True, help="table to write")
    parser.add_argument("--figure", metavar="OUT.png", help="picture to write (.png or .svg; needs matplotlib)")
    return parser


def _repeatability(arguments):
    from ..analysis.studies.repeatability import repeatability_of_regions
    from ..figures.studies import agreement_figure

    _, observations = _observed(arguments)
    _finish(arguments, observations, repeatability_of_regions(observations, arguments.sessions), agreement_figure)


def _change(arguments):
    from ..analysis.studies.change import change_of_regions, coefficients_of
    from ..figures.studies import change_figure
    from ..files.tables import read_table

    _, observations = _observed(arguments, arguments.repeatability, each=arguments.each)
    coefficients = None
    if arguments.repeatability:
        coefficients = coefficients_of(read_table(arguments.repeatability), observations)
    study = change_of_regions(observations, arguments.sessions, coefficients)
    more = {}
    if arguments.each:
        rows = [row for result in study.results for row in result.subject_rows(observations.unit)]
        more[arguments.each] = _csv(observations, rows)
    _finish(arguments, observations, study, change_figure, more)


def _groups(arguments):
    from ..analysis.observations import one_session, variables_of
    from ..analysis.studies.groups import compare_regions
    from ..figures.studies import groups_figure

    tables, observations = _observed(arguments)
    observations = one_session(observations, arguments.sessions)
    told = variables_of(tables, [arguments.group, *arguments.adjust], observations, subject=arguments.subject)
    covariates = {name: told[name] for name in arguments.adjust}
    study = compare_regions(observations, told[arguments.group], covariates, reference=arguments.reference)
    _finish(arguments, observations, study, groups_figure)


def _power(arguments):
    from ..analysis.studies.power import plan
    from ..figures.studies import power_figure

    _, observations = _observed(arguments)
    study = plan(
        observations,
        design=arguments.design,
        difference=arguments.difference,
        subjects=arguments.subjects,
        power=arguments.power,
        alpha=arguments.alpha,
        sessions=arguments.sessions,
    )
    _finish(arguments, observations, study, power_figure)


def _ranges(arguments):
    from ..analysis.observations import one_session, variables_of
    from ..analysis.studies.ranges import ranges_of_regions
    from ..figures.studies import ranges_figure

    tables, observations = _observed(arguments)
    observations = one_session(observations, arguments.sessions)
    ages = None
    if arguments.age:
        ages = variables_of(tables, [arguments.age], observations, subject=arguments.subject)[arguments.age]
    _finish(arguments, observations, ranges_of_regions(observations, ages), ranges_figure)


def _observed(arguments, *inputs, each=None):
    """Tables and the values in them, after a look at what is to be written."""
    from ..analysis.observations import observe
    from ..analysis.tables import parse_exclusion
    from ..files.tables import read_table

    outputs = ((arguments.output, TABLE_ENDINGS), (each, TABLE_ENDINGS), (arguments.figure, FIGURE_ENDINGS))
    check_outputs(*outputs, inputs=(*arguments.tables, *inputs))
    tables = [read_table(path) for path in arguments.tables]
    return tables, observe(
        tables,
        arguments.quantity,
        subject=arguments.subject,
        session=arguments.session,
        region=arguments.region,
        exclude=[parse_exclusion(text) for text in arguments.exclude],
    )


def _finish(arguments, observations, study, figure, more=()):
    """Write table and picture, and print what was found."""
    rows = study.rows(observations.unit)
    contents = {arguments.output: _csv(observations, rows), **dict(more)}
    if arguments.figure:
        kind = Path(arguments.figure).suffix[1:].lower()
        contents[arguments.figure] = figure(study.results, observations.label, kind)
    written = write_outputs(contents)
    for start in range(0, len(rows), _ACROSS):
        print(_printed(rows[start : start + _ACROSS]))
    print_result(study.notes, written)


def _csv(observations, rows):
    from ..files.tables import csv_text

    rows = [{"quantity": observations.name, **row} for row in rows]
    return csv_text(tuple(rows[0]), rows)


def _printed(rows):
    """Rows as columns of text, as there are more numbers of each than fit side by side."""
    heads = [" ".join(_cell(row[key]) for key in _KEYS if key in row) for row in rows]
    lines = [["", *heads], *([name, *(_cell(row[name]) for row in rows)] for name in rows[0] if name not in _KEYS)]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    return "".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() + "\n" for line in lines
    )


def _cell(value):
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
