"""The page of a cohort: how values are spread, who stands out, and what goes with what."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from .. import __version__
from ..analysis.measure import COLUMNS
from ..analysis.observations import observe
from ..analysis.regression import regress
from ..analysis.studies.ranges import ranges_of_regions
from ..analysis.studies.repeatability import repeatability_of_regions
from ..analysis.tables import Table, pair_up
from ..errors import InputError
from ..figures.regression import Panel, regression_figure
from ..figures.strips import strip_figure
from ..figures.studies import agreement_figure
from ..files.tables import read_table
from .case import Figure, measured_rows
from .pages import number, page, picture

# Pairs that are regressed where both are there: x, y.
PAIRS = (("bvtv", "chi"), ("bvtv", "r2star"), ("ct", "chi"), ("r2star", "chi"))
_SHOWN = ("chi", "r2star", "pdff", "bvtv", "ct", "density")
_SHOWN_COLUMNS = ("case", "region", "quantity", "unit", "n", "mean", "se", "sd", "median")
_NUMERIC = ("n", "mean", "se", "sd", "median")
# An interquartile range needs so many cases to mean something.
_LEAST_CASES = 5


def cohort_report(output, pages: Mapping[str, Path]) -> str:
    """Return the page of what `cohort` left in a folder.

    Parameters
    ----------
    output : path
        Folder with ``cohort.csv``.
    pages : mapping of case to path
        The cases' own pages, to which this one links.

    Raises
    ------
    InputError
        If the tables cannot be read, or Jinja2 or matplotlib is missing.
    """
    output = Path(output)
    rows = measured_rows(output / "cohort.csv")
    table = Table("cohort.csv", COLUMNS, tuple(row for row in rows if row["mean"] is not None))
    status = output / "subjects.csv"
    ended = read_table(status).rows if status.exists() else []
    addresses = {case: Path(os.path.relpath(path, output)).as_posix() for case, path in pages.items()}
    by_quantity = {
        name: chosen
        for name in _SHOWN
        if (chosen := [row for row in rows if row["quantity"] == name and row["mean"] is not None])
    }
    distributions = [
        Figure(picture(strip_figure(name, chosen)), f"Region means of {name}, one point a case.")
        for name, chosen in by_quantity.items()
    ]
    failed = [row for row in ended if row["status"] == "failed"]
    return page(
        "report_cohort.html",
        title=f"Cohort {output.resolve().name}",
        version=__version__,
        summary=f"{len(addresses)} cases, {len({row['region'] for row in rows})} regions"
        + (f"; {len(failed)} of {len(ended)} subjects failed in the last run" if failed else ""),
        failed=failed,
        cases=[{"name": case, "address": address} for case, address in sorted(addresses.items())],
        distributions=distributions,
        outliers=[one for name, chosen in by_quantity.items() for one in _outliers(name, chosen, addresses)],
        studies=[found for name in by_quantity if (found := _study(table, name))],
        regressions=[found for x, y in PAIRS if (found := _regression(table, x, y))],
        columns=_SHOWN_COLUMNS,
        numeric=_NUMERIC,
        rows=rows,
    )


def _outliers(name, rows, addresses):
    """Region means that lie beyond Tukey's fences of their region over the cases."""
    found = []
    for region in dict.fromkeys(row["region"] for row in rows):
        chosen = [row for row in rows if row["region"] == region]
        if len(chosen) < _LEAST_CASES:
            continue
        low, high = np.percentile([row["mean"] for row in chosen], (25, 75))
        reach = 1.5 * (high - low)
        found += [
            {
                "case": row["case"],
                "address": addresses.get(row["case"]),
                "region": region,
                "quantity": name,
                "mean": row["mean"],
                "low": float(low),
                "high": float(high),
            }
            for row in chosen
            if not low - reach <= row["mean"] <= high + reach
        ]
    return found


def _study(table, name):
    """Repeatability of a quantity where subjects have several sessions, else its normal range; None of too few."""
    try:
        observations = observe([table], name)
        again = len(observations.session_names) > 1
        study = repeatability_of_regions(observations) if again else ranges_of_regions(observations)
    except InputError:
        return None
    what = "repeatability, if nothing changed between the sessions" if again else "range of these subjects"
    rows = [(_repeatability_row if again else _range_row)(one) for one in study.results]
    return {
        "title": f"{observations.label}: {what}",
        "source": picture(agreement_figure(study.results, observations.label)) if again else None,
        "columns": list(rows[0]),
        "rows": rows,
        "notes": list(study.notes),
    }


def _repeatability_row(found):
    return {
        "region": found.region,
        "n": found.subjects,
        "ICC(2,1)": found.icc_agreement,
        "95 %": _from_to(found.icc_agreement_ci),
        "SD within": found.within_sd,
        "noise": found.noise,
        "coefficient": found.coefficient,
    }


def _range_row(found):
    return {
        "region": found.region,
        "n": len(found.values),
        "mean": found.mean,
        "SD": found.sd,
        "mean ± 1.96 SD": _from_to(found.limits_at()),
        "median": found.percentiles["median"][0],
    }


def _from_to(interval):
    return None if interval is None else f"{number(interval[0])} to {number(interval[1])}"


def _regression(table, x, y):
    """One pair's picture, lines and notes, or None where there is too little of it."""
    quantities = {row["quantity"] for row in table.rows}
    if not {x, y} <= quantities:
        return None
    try:
        pairs = pair_up([table], x, y)
        result = regress(pairs.x, pairs.y, groups=pairs.groups, subjects=pairs.subjects)
    except InputError:
        return None
    lines = [_line("pooled", result.pooled), *(_line(f"within {name}", one) for name, one in result.within.items())]
    return {
        "source": picture(regression_figure([Panel(pairs, result)])),
        "caption": f"{pairs.y_label} over {pairs.x_label}; each point is a region of a case.",
        "lines": lines,
        "notes": list(result.warnings),
    }


def _line(title, found):
    low, high = found.slope_ci
    values = {"n": found.n, "slope": found.slope, "low": low, "high": high, "r2": found.r2, "p": found.p}
    return {"title": title, **{key: value if key == "n" else float(value) for key, value in values.items()}}
