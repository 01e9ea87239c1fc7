"""How repeatable regions of simulated patients are, and how much of it the standard errors by noise explain.

Run as ``python Testing/Benchmarks/repeatability.py``. Each of several digital ankles is scanned twice with noise of its
own, the second time with ``--again`` noise alone, a tilted grid, or the patient laid down anew, and measured in its
true regions. `statistics repeatability` then has the answer: the standard deviation within patients beside
``noise_se``. It prints a table, and writes the rows as a table like ``cohort.csv`` with ``--output``. With ``--true``
the phantom's background, or its share of cortex, takes the place of what is found, which says where the rest is from.
"""

import argparse
import sys
import time
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing" / "Benchmarks")]

from chi_sigma import noisy  # noqa: E402

from TrabecularQSMLib.analysis.measure import COLUMNS, measure, referenced  # noqa: E402
from TrabecularQSMLib.analysis.observations import observe  # noqa: E402
from TrabecularQSMLib.analysis.studies.repeatability import repeatability_of_regions  # noqa: E402
from TrabecularQSMLib.analysis.tables import Table  # noqa: E402
from TrabecularQSMLib.files.tables import csv_text  # noqa: E402
from TrabecularQSMLib.inversion.grid import Grid  # noqa: E402
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom, simulate  # noqa: E402
from TrabecularQSMLib.pipeline import reconstruct, solving  # noqa: E402
from TrabecularQSMLib.pipeline.fields import Fields  # noqa: E402
from TrabecularQSMLib.settings import preset  # noqa: E402

# How the second scan differs: tilt of its grid, or how the patient is turned about the left–right axis and moved, in
# degrees and mm.
AGAIN = ("noise", "tilted", "laid-down")
TILT, TURN, MOVE = 5.0, 6.0, (2.0, -3.0, 1.0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", type=int, nargs=3, default=(74, 74, 34))
    parser.add_argument("--patients", type=int, default=6)
    parser.add_argument("--snr", type=float, default=40.0)
    parser.add_argument("--again", choices=AGAIN, default="laid-down")
    parser.add_argument("--inversion", default="closed-form")
    parser.add_argument("--reference", metavar="REGION", help="whose mean is taken off χ")
    parser.add_argument("--true", nargs="*", choices=("background", "share"), default=())
    parser.add_argument("--output", metavar="T.csv")
    given = parser.parse_args()
    settings, rows, start = preset(inversion=given.inversion, chi_sigma="yes"), [], time.perf_counter()
    for patient in range(1, given.patients + 1):
        for session, again in ((1, "noise"), (2, given.again)):
            phantom = posed(PhantomSettings(shape=tuple(given.shape), seed=patient, snr=None), again)
            with told(phantom, given.true):
                result = reconstruct(noisy(phantom, given.snr, 2 * patient + session), settings, threads=1)
            case = f"sub-{patient:02d}_ses-{session}"
            own = {"case": case, "chi_noise": result.chi_noise}
            rows += measure(result.maps, phantom.regions, phantom.region_names, **own)
            print(f"{case}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    if given.reference:
        rows = referenced(rows, given.reference)
    if given.output:
        Path(given.output).write_text(csv_text(COLUMNS, rows), encoding="utf-8")
    print("| quantity | region | SD within | noise | ICC(2,1) |\n| --- | --- | --- | --- | --- |")
    for quantity in ("chi", "r2star", "pdff"):
        shown = [row for row in rows if quantity != "chi" or row["region"] != given.reference]
        study = repeatability_of_regions(observe([Table("regions", COLUMNS, tuple(shown))], quantity))
        for one in study.results:
            noise = np.nan if one.noise is None else one.noise
            print(
                f"| {quantity} | {one.region} | {one.within_sd:.3g} | {noise:.3g} | {one.icc_agreement:.3f} |",
            )
    print(limits_of_all(rows))


def limits_of_all(rows) -> str:
    """Bias of the second scan and limits of agreement of χ over all patients and regions, in ppb."""
    means = {(row["case"], row["region"]): row["mean"] for row in rows if row["quantity"] == "chi"}
    pairs = (
        (mean, means[case.replace("ses-1", "ses-2"), name]) for (case, name), mean in means.items() if "ses-1" in case
    )
    change = 1e3 * np.array([second - first for first, second in pairs if None not in (first, second)])
    limit, largest = 1.96 * change.std(ddof=1), abs(change).max()
    return f"χ, second less first: {change.mean():+.0f} ± {limit:.0f} ppb, at most {largest:.0f}"


def told(phantom, known) -> ExitStack:
    """A context in which the background or the share of cortex is the phantom's own."""
    found, find_cortex, context = Fields.local, solving._find_cortex, ExitStack()
    truth = {name: phantom.acquisition.reorientation.apply(array) for name, array in phantom.truth.items()}

    def local(fields, total, progress):
        _, interior = found(fields, total, progress)
        return np.where(interior, total - truth["total_field"] + truth["local_field"], 0).astype(np.float32), interior

    def with_share(fields, padding, grid, progress):
        share = Grid.around(fields.body, padding).put(truth["cortex"].astype(np.float32), goes_on=True)
        with mock.patch.object(solving, "missing_share", lambda *_, **__: share):
            return find_cortex(fields, padding, grid, progress)

    if "background" in known:
        context.enter_context(mock.patch.object(Fields, "local", local))
    if "share" in known:
        context.enter_context(mock.patch.object(solving, "_find_cortex", with_share))
    return context


def posed(settings, again):
    """The phantom of a patient who lies as at first, on a grid that may be tilted, or anew."""
    draw_patient, angle = simulate.draw_patient, np.deg2rad(TURN)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])

    def laid_down(*given, **options):
        patient = draw_patient(*given, **options)
        return replace(patient, pose=turn @ patient.pose, shift=patient.shift + MOVE)

    if again == "tilted":
        settings = replace(settings, tilt_degrees=TILT)
    anew = mock.patch.object(simulate, "draw_patient", laid_down) if again == "laid-down" else nullcontext()
    with anew:
        return make_phantom(settings)


if __name__ == "__main__":
    main()
