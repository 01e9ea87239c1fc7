"""The page of a cohort: how values are spread, who stands out, and what goes with what."""

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from .. import __version__
from ..analysis.measure import COLUMNS
from ..analysis.observations import observe
from ..analysis.studies.ranges import ranges_of_regions
from ..analysis.studies.repeatability import repeatability_of_regions
from ..analysis.tables import Table
from ..errors import InputError
from ..figures.regression import Panel, regression_figure
from ..figures.strips import strip_figure
from ..figures.studies import agreement_figure
from ..files.formats import read_entries
from ..files.tables import read_measured, read_table
from ..study.regressions import regressions_of
from .consensus import frequency_items, methods_paragraph
from .pages import SHOWN, Figure, number, page, picture, title_of

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
    rows = read_measured(output / "cohort.csv")
    table = Table("cohort.csv", COLUMNS, tuple(row for row in rows if row["mean"] is not None))
    status = output / "subjects.csv"
    ended = read_table(status).rows if status.exists() else []
    addresses = {case: Path(os.path.relpath(path, output)).as_posix() for case, path in pages.items()}
    by_quantity = {
        name: chosen
        for name in SHOWN
        if (chosen := [row for row in rows if row["quantity"] == name and row["mean"] is not None])
    }
    regions = list(dict.fromkeys(row["region"] for row in rows))
    distributions = [
        Figure(
            picture(strip_figure(title_of(name), chosen, regions)),
            f"{title_of(name)}: means of regions, a point for each case.",
        )
        for name, chosen in by_quantity.items()
    ]
    failed = [row for row in ended if row["status"] == "failed"]
    cases = [_case(output, name, address) for name, address in sorted(addresses.items())]
    of_all = [note for note in cases[0]["notes"] if all(note in one["notes"] for one in cases)] if cases[1:] else []
    for one in cases:
        one["notes"] = [note for note in one["notes"] if note not in of_all]
    made, paragraph, references = _how(cases)
    return page(
        "report_cohort.html",
        title=f"Cohort {output.resolve().name}",
        version=__version__,
        summary=f"{_count(len(addresses), 'case')}, {_count(len(regions), 'region')}"
        + (f"; {len(failed)} of {len(ended)} subjects failed in the last run" if failed else ""),
        failed=failed,
        cases=cases,
        of_all=of_all,
        distributions=distributions,
        outliers=[one for name, chosen in by_quantity.items() for one in _outliers(name, chosen, addresses)],
        studies=[found for name in by_quantity if (found := _study(table, name))],
        regressions=[_regression(*one) for one in regressions_of(table)],
        made=made,
        paragraph=paragraph,
        references=references,
        columns=_SHOWN_COLUMNS,
        numeric=_NUMERIC,
        rows=rows,
    )


def _count(number, word):
    return f"{number} {word}{'' if number == 1 else 's'}"


def _case(output, name, address):
    """A case with its page, what there is to know of it first, and a sidecar of its maps."""
    folder = (output / address).parent
    notes = read_entries(folder / f"{name}_cohort.json").get("Notes", [])
    sidecar = next(map(read_entries, (folder / "anat").glob(f"{name}_*MIP.json")), {})
    return {"name": name, "address": address, "notes": notes, "sidecar": sidecar}


def _how(cases):
    """How the maps were made: versions, scanners, settings with their cases, and the paragraph of the first case."""
    ways = {}
    for case in cases:
        sidecar = case["sidecar"]
        if "Settings" in sidecar:
            way = (sidecar.get("Software", {}).get("Version", ""), json.dumps(sidecar["Settings"], sort_keys=True))
            ways.setdefault(way, []).append(case)
    if not ways:
        return [], "", []
    common = {}
    for name in json.loads(next(iter(ways))[1]):
        values = {}
        for (_, text), those in ways.items():
            values.setdefault(str(json.loads(text).get(name)), []).extend(case["name"] for case in those)
        common[name] = values
    made = [("version", ", ".join(dict.fromkeys(version for version, _ in ways)))]
    made += frequency_items([case["sidecar"] for case in cases])
    for name, values in common.items():
        most = max(values, key=lambda value: len(values[value]))
        others = "; ".join(f"{value}: {', '.join(names)}" for value, names in values.items() if value != most)
        made.append((name, f"{most} ({others})" if others else most))
    return made, *methods_paragraph(next(iter(ways.values()))[0]["sidecar"])


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
                "quantity": title_of(name),
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
    label = replace(observations, name=title_of(name)).label
    rows = [(_repeatability_row if again else _range_row)(one) for one in study.results]
    return {
        "title": f"{label}: {what}",
        "source": picture(agreement_figure(study.results, label)) if again else None,
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


def _regression(pairs, result):
    """Picture, lines and notes of one pair of quantities."""
    pairs = replace(pairs, x_label=_titled(pairs.x_label), y_label=_titled(pairs.y_label))
    lines = [_line("pooled", result.pooled), *(_line(f"within {name}", one) for name, one in result.within.items())]
    return {
        "source": picture(regression_figure([Panel(pairs, result)])),
        "caption": f"{pairs.y_label} over {pairs.x_label}; each point is a region of a case.",
        "lines": lines,
        "notes": list(result.warnings),
    }


def _titled(label):
    """A label of a quantity, such as ``chi [ppm]``, with its title."""
    name, *unit = label.split(" [", 1)
    return " [".join([title_of(name), *unit])


def _line(title, found):
    low, high = found.slope_ci
    values = {"n": found.n, "slope": found.slope, "low": low, "high": high, "r2": found.r2, "p": found.p}
    return {"title": title, **{key: value if key == "n" else float(value) for key, value in values.items()}}
