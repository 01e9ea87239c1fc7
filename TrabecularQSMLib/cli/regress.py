"""The command regress."""

import argparse
from pathlib import Path

from .common import FIGURE_ENDINGS, add_command, check_outputs, print_result, write_outputs


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
        "tables", nargs="+", metavar="T.csv", help="tables of measure, bvtv or others; joined on case and region"
    )
    for axis in ("x", "y"):
        parser.add_argument(
            f"--{axis}", required=True, metavar="NAME", help="a column, or a quantity of measure's table (its mean)"
        )
    parser.add_argument("--group", metavar="COLUMN", help="what a row is of (default: region or label)")
    parser.add_argument("--subject", metavar="COLUMN", help="whose a row is (default: case or subject)")
    parser.add_argument("--pair", nargs=2, metavar=("A", "B"), help="two groups whose differences are regressed")
    parser.add_argument(
        "--exclude",
        nargs="+",
        type=_condition,
        default=(),
        metavar="COLUMN=VALUE",
        help="rows to leave out, such as subject=10",
    )
    parser.add_argument("--output", metavar="OUT.json", required=True, help="estimates to write")
    parser.add_argument("--figure", metavar="OUT.png", help="picture to write (.png or .svg; needs matplotlib)")


def _condition(text):
    column, sign, value = text.partition("=")
    if not (column and sign):
        raise argparse.ArgumentTypeError(f"{text} is not of the form COLUMN=VALUE")
    return column, value


def _regress(arguments):
    from ..analysis.regression import regress
    from ..analysis.tables import pair_up, read_table
    from ..outputs import json_text
    from ..regression_figure import Panel, regression_figure

    check_outputs((arguments.output, (".json",)), (arguments.figure, FIGURE_ENDINGS))
    tables = [read_table(path) for path in arguments.tables]
    pairs = pair_up(
        tables, arguments.x, arguments.y, group=arguments.group, subject=arguments.subject, exclude=arguments.exclude
    )
    result = regress(
        pairs.x, pairs.y, groups=pairs.groups, subjects=pairs.subjects, pair=arguments.pair and tuple(arguments.pair)
    )
    rows = {"x": pairs.x.tolist(), "y": pairs.y.tolist(), "group": pairs.groups, "subject": pairs.subjects}
    contents = {arguments.output: json_text({"x": pairs.x_label, "y": pairs.y_label, **result.as_dict(), "rows": rows})}
    if arguments.figure:
        kind = Path(arguments.figure).suffix[1:].lower()
        contents[arguments.figure] = regression_figure([Panel(pairs, result)], kind)
    written = write_outputs(contents)
    for title, line in (("pooled", result.pooled), *((f"within {name}", one) for name, one in result.within.items())):
        print(_sentence(title, line))
    if result.paired:
        print(_sentence("differences {} − {}".format(*result.paired.groups), result.paired.line))
    if result.mixed:
        low, high = result.mixed.slope_ci
        print(f"mixed model: slope {result.mixed.slope:.4g} ({low:.4g} to {high:.4g}), p {result.mixed.p:.2g}")
    print_result(result.warnings, written)


def _sentence(title, line):
    return (
        f"{title}: slope {line.slope:.4g} ({line.slope_ci[0]:.4g} to {line.slope_ci[1]:.4g}), "
        f"intercept {line.intercept:.4g}, R² {line.r2:.4f}, p {line.p:.2g}, n {line.n}"
    )
