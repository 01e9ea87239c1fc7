"""The command regress."""

from pathlib import Path

from ..errors import counted
from .common import FIGURE_ENDINGS, add_command, check_outputs, print_result, write_outputs

# Whose lines are printed; a file has those of all.
_MOST_SUBJECTS = 12


def add_commands(commands):
    """Add the commands of this file to the parser."""
    parser = add_command(
        commands,
        "regress",
        _regress,
        "Regression of one quantity of regions on another: pooled, within groups, between paired differences.",
        "regress regions.csv bvtv.csv --x bvtv --y chi --output regression.json --figure regression.png",
    )
    parser.add_argument(
        "tables",
        nargs="+",
        metavar="T.csv",
        help="tables of measure, bvtv or others; joined on case and region, or on case alone where one has no region",
    )
    for axis in ("x", "y"):
        parser.add_argument(
            f"--{axis}",
            required=True,
            metavar="NAME",
            help="a column, or a quantity of measure's table (its mean); TABLE:NAME where several tables have it",
        )
    parser.add_argument("--group", metavar="COLUMN", help="what a row is of (default: region or label)")
    parser.add_argument(
        "--subject",
        metavar="COLUMN",
        help="whose a row is (default: case, subject or participant_id, or what else is called so, such as PatientID, "
        "which a note says; sub-01_ses-2 is of sub-01)",
    )
    parser.add_argument("--pair", nargs=2, metavar=("A", "B"), help="two groups whose differences are regressed")
    parser.add_argument(
        "--exclude",
        nargs="+",
        default=(),
        metavar="COLUMN=VALUE",
        help="rows to leave out, such as subject=10 or 'case=sub-10 and region=talus'",
    )
    parser.add_argument("--output", metavar="OUT.json", required=True, help="estimates to write")
    parser.add_argument("--figure", metavar="OUT.png", help="picture to write (.png or .svg; needs matplotlib)")


def _regress(arguments):
    from ..analysis.regression import regress_pairs
    from ..analysis.tables import pair_up, parse_exclusion
    from ..figures.regression import Panel, regression_figure
    from ..files.tables import read_table
    from ..files.writing import json_text

    check_outputs((arguments.output, (".json",)), (arguments.figure, FIGURE_ENDINGS), inputs=arguments.tables)
    tables = [read_table(path) for path in arguments.tables]
    pairs = pair_up(
        tables,
        arguments.x,
        arguments.y,
        group=arguments.group,
        subject=arguments.subject,
        exclude=[parse_exclusion(text) for text in arguments.exclude],
    )
    result = regress_pairs(pairs, pair=arguments.pair and tuple(arguments.pair))
    rows = {"x": pairs.x.tolist(), "y": pairs.y.tolist(), "group": pairs.groups, "subject": pairs.subjects}
    contents = {arguments.output: json_text({"x": pairs.x_label, "y": pairs.y_label, **result.as_dict(), "rows": rows})}
    if arguments.figure:
        kind = Path(arguments.figure).suffix[1:].lower()
        contents[arguments.figure] = regression_figure([Panel(pairs, result)], kind)
    written = write_outputs(contents)
    print(f"{pairs.y_label} over {pairs.x_label}")
    for title, line in (("pooled", result.pooled), *((f"within {name}", one) for name, one in result.within.items())):
        print(_sentence(title, line))
    for title, found in (
        ("one slope within all groups", result.common),
        ("mixed model, an intercept for each subject", result.mixed),
        ("mixed model, an intercept for each subject and group", result.mixed_within),
    ):
        if found:
            free = getattr(found, "degrees_of_freedom", None)
            by = "" if free is None else f" (t with {free} degrees of freedom)"
            print(f"{title}: {_slope(found)}, p {found.p:.2g}{by}, n {found.n}")
    if result.paired:
        print(_sentence("differences {} − {}".format(*result.paired.groups), result.paired.line))
    for name, line in list(result.per_subject.items())[:_MOST_SUBJECTS]:
        print(_sentence(f"subject {name}", line))
    if len(result.per_subject) > _MOST_SUBJECTS:
        print(f"and {counted(len(result.per_subject) - _MOST_SUBJECTS, 'more subject')}, in {arguments.output}")
    print_result(result.warnings, written)


def _sentence(title, line):
    return f"{title}: {_slope(line)}, intercept {line.intercept:.4g}, R² {line.r2:.4f}, p {line.p:.2g}, n {line.n}"


def _slope(found):
    return f"slope {found.slope:.4g} ({found.slope_ci[0]:.4g} to {found.slope_ci[1]:.4g})"
