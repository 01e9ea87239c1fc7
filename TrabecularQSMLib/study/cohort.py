"""Every subject of a dataset, from echoes to rows of one table, on any executor.

What is known of one subject is made in a hidden folder and moved to its place by one renaming, so that a run that is
killed at any moment leaves whole subjects and none half-written.
"""

import contextlib
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor
from dataclasses import dataclass, field, replace
from pathlib import Path

from .. import __version__
from ..analysis.measure import COLUMNS
from ..errors import Cancelled, InputError
from ..files import bids, read_acquisition
from ..files.formats import read_entries
from ..files.locks import OPEN_FILES_STAY, lock
from ..files.maps import write_reconstruction
from ..files.provenance import write_activities
from ..files.tables import csv_text, read_table
from ..files.writing import (
    describe_dataset,
    files_below,
    input_hashes,
    json_text,
    staged,
    staging_in,
    sweep,
    write_json,
    write_text,
)
from ..pipeline import reconstruct
from ..progress import Progress, part, report
from ..settings import Settings
from ..workers import completed
from .regional import measure_subject
from .regressions import regressions_of
from .subjects import Subject

# Beside the folders of the subjects.
TABLE, SUBJECTS_TABLE, REGRESSIONS = "cohort.csv", "subjects.csv", "regressions.json"
LOG = Path("logs", "cohort.json")
SUBJECT_COLUMNS = ("case", "status", "message")
_LOCK = ".cohort.lock"
_KILLED = "Its process was killed, most likely for lack of memory; free some, then resume with fewer workers."
_STOPPED = "another run has taken over, or this one was stopped"


@dataclass(frozen=True)
class Work:
    """What is done with every subject.

    Parameters
    ----------
    dataset, output : Path
    settings : Settings
    reading : mapping
        Options of `read_acquisition` beside the labels.
    only : tuple of str
        Regions to measure; all by default.
    threads : int
        Of each subject. Results are the same bytes for the same number.
    run : str
        Name of the run that holds the output's lock.
    """

    dataset: Path
    output: Path
    settings: Settings
    reading: Mapping = field(default_factory=dict)
    only: tuple[str, ...] = ()
    threads: int = 1
    run: str = ""


@dataclass(frozen=True)
class Outcome:
    """How a subject ended.

    Parameters
    ----------
    name : str
        Such as ``sub-01_ses-2``.
    status : {"finished", "unchanged", "failed"}
    message : str
        Why it failed, in a sentence.
    notes : tuple of str
        What a user should know of the result.
    seconds : float
    """

    name: str
    status: str
    message: str = ""
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


def run_cohort(
    subjects: Sequence[Subject],
    work: Work,
    *,
    executors: Callable[[int | None], Executor] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> list[Outcome]:
    """Work on every subject, and write the table of all that are finished.

    Parameters
    ----------
    subjects : sequence of Subject
    work : Work
    executors : callable, optional
        Gives an executor of `concurrent.futures`; with the argument 1 one of a single worker, with which the run goes
        on after a worker was killed. Without it the work is done in this process.
    resume : bool
        Skip subjects whose result is there and made of the same inputs, by the same settings and version.
    overwrite : bool
        Replace results that are there; with `resume` only those that would come out otherwise.
    progress : callable, optional
        What it raises stops the run; subjects that are finished stay.

    Returns
    -------
    list of Outcome
        In the order of `subjects`. A subject that fails does not stop the others.

    Raises
    ------
    InputError
        If results are there and neither to be skipped nor replaced, another run works on the folder, or it cannot be
        written.
    """
    there = [subject.name for subject in subjects if (work.output / subject.folder).exists()]
    if there and not (resume or overwrite):
        raise InputError(
            f"{work.output} already holds {there[0]}{f' and {len(there) - 1} more' if len(there) > 1 else ''}; "
            "give another folder, `resume` to go on, or `overwrite` to replace them."
        )
    with _only_run(work) as work:
        outcomes = {}
        for number, subject in enumerate(subjects):
            report(progress, 0.02 * number / len(subjects), f"Looking at {subject.name}")
            if (there := _judged(subject, work, resume, overwrite)) is not None:
                outcomes[subject.name] = there
        left = {subject.name: (subject, work) for subject in subjects if subject.name not in outcomes}
        for outcome in _worked(left, executors, part(progress, 0.02, 1.0)):
            outcomes[outcome.name] = outcome
        found = [outcomes[subject.name] for subject in subjects]
        _summarize(work, found)
    report(progress, 1.0, "Done")
    return found


def finished_subjects(output) -> dict[str, Path]:
    """Return the subjects whose result in the output of a cohort is whole: name to folder, sorted."""
    records = sorted(Path(output).glob("sub-*/*_cohort.json")) + sorted(Path(output).glob("sub-*/ses-*/*_cohort.json"))
    return dict(sorted((path.name.removesuffix("_cohort.json"), path.parent) for path in records))


def _judged(subject, work, resume, overwrite):
    """Outcome of a subject that is not worked on, or None."""
    place = work.output / subject.folder
    if not place.exists() or (overwrite and not resume):
        return None
    stored = read_entries(place / f"{subject.name}_cohort.json").get("MadeOf")
    try:
        same = stored == json.loads(json_text(_made_of(subject, work)))
    except (InputError, OSError):
        same = False  # an input that cannot be read; working on it says why
    if same:
        return Outcome(subject.name, "unchanged")
    if overwrite:
        return None
    why = "was not made by cohort" if stored is None else "was made of other inputs, settings or version"
    return Outcome(subject.name, "failed", f"{place} {why}; give `overwrite` to replace it.")


def _made_of(subject, work) -> dict:
    """All that the result of a subject depends on, as JSON holds it."""
    sidecars = {file for path in subject.images for file in bids.sidecar(path)[1]}
    return {
        "Version": __version__,
        "Settings": work.settings.as_dict(),
        "Reading": dict(work.reading),
        "Only": list(work.only),
        "Threads": work.threads,
        "Companions": {kind: path.name for kind, path in subject.companions.items()},
        "Inputs": input_hashes(sorted({*subject.images, *sidecars, *subject.companions.values()})),
    }


def _worked(left, executors, progress) -> Iterator[Outcome]:
    """Outcomes of subjects (name to arguments of `work_on`), as soon as they are there."""
    total, left = len(left), dict(left)
    if executors is None:
        for number, (subject, work) in enumerate(left.values()):
            share = part(progress, number / total, (number + 1) / total)
            yield work_on(subject, work, progress=share and _named(share, subject.name))
        return

    def look():
        report(progress, 1 - len(left) / max(total, 1), f"{total - len(left)} of {total} subjects")

    def stop():
        for _, work in left.values():
            (work.output / _LOCK).write_text("", encoding="utf-8")

    alone = None
    while left:
        # With one task at a time a worker that is killed tells which subject it was.
        tasks = left if alone is None else dict(list(left.items())[:1])
        try:
            with contextlib.closing(completed(work_on, tasks, executors(alone), look, stop)) as outcomes:
                for name, future in outcomes:
                    outcome = _outcome_of(name, future)
                    del left[name]
                    yield outcome
        except BrokenExecutor:
            if alone is not None:
                name = next(iter(left))
                del left[name]
                yield Outcome(name, "failed", _KILLED)
            alone = 1
    look()


def _outcome_of(name, future):
    try:
        return future.result()
    except Exception as error:
        # Dask tries again on other workers, and then gives up this task alone.
        if type(error).__name__ == "KilledWorker":
            return Outcome(name, "failed", _KILLED)
        raise


def _named(progress, name):
    return lambda fraction, message: progress(fraction, f"{name}: {message}")


def work_on(subject: Subject, work: Work, *, progress: Progress | None = None) -> Outcome:
    """Make and place the result of one subject; whatever goes wrong becomes the message of its outcome."""
    started = time.monotonic()

    def watched(fraction, message):
        if not _is_running(work):
            raise Cancelled(_STOPPED)
        report(progress, fraction, message)

    try:
        with staging_in(work.output) as staging:
            try:
                notes = _make(subject, work, staging, watched)
            except InputError as error:
                text = str(error).replace(str(staging), str(work.output))
                return Outcome(subject.name, "failed", text, seconds=time.monotonic() - started)
            watched(1.0, "Writing")
            _place(staging, work.output, subject.folder)
    except InputError as error:  # of the output
        return Outcome(subject.name, "failed", str(error), seconds=time.monotonic() - started)
    except MemoryError:
        return Outcome(subject.name, "failed", "There is too little memory for this subject; use fewer workers.")
    except Cancelled:
        raise
    except Exception as error:  # noqa: BLE001 - a fault of ours in one subject must not stop the others
        return Outcome(
            subject.name, "failed", f"A fault of the program ({type(error).__name__}: {error}); please report it."
        )
    return Outcome(subject.name, "finished", "", tuple(notes), time.monotonic() - started)


def _make(subject, work, staging, progress):
    """Everything of one subject below `staging`; returns notes."""
    made_of = _made_of(subject, work)
    labels = {"subject": subject.labels["sub"], "session": subject.labels.get("ses")}
    scan = read_acquisition(
        work.dataset,
        **labels,
        **work.reading,
        grid_needed=work.settings.stop_after != "fieldmap",
        magnitude_alone=work.settings.magnitude_maps == "yes",
    )
    result = reconstruct(scan.acquisition, work.settings, threads=work.threads, progress=part(progress, 0.0, 0.7))
    write_reconstruction(staging, scan, result, progress=part(progress, 0.7, 0.75))
    notes, anat, stem = list(result.notes), staging / scan.folder, scan.stem
    del scan, result  # the echoes are the largest of all
    rows, told, activities = measure_subject(subject, anat, stem, work.only, part(progress, 0.75, 1.0))
    notes += told
    if activities:
        write_activities(staging, f"{subject.name}_desc-cohort", activities)
    write_text(anat / f"{subject.name}_regions.csv", csv_text(COLUMNS, rows))
    write_json(staging / subject.folder / f"{subject.name}_cohort.json", {"MadeOf": made_of, "Notes": notes})
    return notes


def _place(staging, output, folder):
    """Move the folder of a subject to its place by one renaming; an older one is moved away before.

    What is known of how it was made comes first, so that no subject is there without.
    """
    for file in files_below(staging / "prov"):
        (output / "prov").mkdir(exist_ok=True)
        os.replace(staging / "prov" / file, output / "prov" / file)
    place = output / folder
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():
        os.rename(place, staging / ".before")  # removed with the hidden folder
    os.rename(staging / folder, place)


@contextlib.contextmanager
def _only_run(work):
    """Hold the lock of the output for one run, and give the work with its name; what is cancelled tells workers."""
    work.output.mkdir(parents=True, exist_ok=True)
    path, run = work.output / _LOCK, uuid.uuid4().hex
    with contextlib.ExitStack() as closed, open(path, "a+", encoding="utf-8") as file:
        if not lock(file):
            raise InputError(f"Another run is working on {work.output}; wait for it, stop it, or give another folder.")
        closed.callback(_clear, path)
        file.truncate(0)
        file.write(run)
        file.flush()
        sweep(work.output, settled_s=0)  # no other run is at work here
        try:
            yield replace(work, run=run)
        finally:
            # Workers that are still busy see that it is gone, and stop.
            with contextlib.suppress(OSError):
                file.truncate(0)
                if not OPEN_FILES_STAY:
                    path.unlink()


def _clear(path):
    """Remove what is left of a lock that was closed, and the folder if nothing else is in it."""
    with contextlib.suppress(OSError):
        if OPEN_FILES_STAY:
            path.unlink()
    with contextlib.suppress(OSError):
        path.parent.rmdir()


def _is_running(work):
    if not work.run:
        return True
    try:
        return (work.output / _LOCK).read_text(encoding="utf-8") == work.run
    except OSError:
        return False


def _summarize(work, outcomes):
    """Write what is known of all subjects that are finished: their rows, how all ended, and times."""
    lines, header = [], csv_text(COLUMNS, [])
    finished = finished_subjects(work.output)
    for name, folder in finished.items():
        text = (folder / "anat" / f"{name}_regions.csv").read_text(encoding="utf-8")
        lines.append(text.removeprefix(header))
    # Whether it was worked on in this run or before is in the log alone.
    failed = {one.name: one.message for one in outcomes if one.status == "failed"}
    ended = [
        {"case": name, "status": "failed" if name in failed else "finished", "message": failed.get(name, "")}
        for name in sorted({*finished, *failed})
    ]
    times = read_entries(work.output / LOG) | {
        one.name: {"Seconds": round(one.seconds, 1), "Status": one.status}
        for one in outcomes
        if one.status != "unchanged"
    }
    with staged(work.output) as staging:
        write_text(staging / TABLE, header + "".join(lines))
        found = regressions_of(read_table(staging / TABLE)) if any(lines) else []
        regressions = [{"x": pairs.x_label, "y": pairs.y_label, **result.as_dict()} for pairs, result in found]
        write_json(staging / REGRESSIONS, {"Regressions": regressions})
        write_text(staging / SUBJECTS_TABLE, csv_text(SUBJECT_COLUMNS, ended))
        write_json(staging / LOG, times)
        describe_dataset(staging, work.output, "Susceptibility, R2* and fat fraction of a cohort")
