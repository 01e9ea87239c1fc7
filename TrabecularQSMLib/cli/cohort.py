"""The command cohort."""

import argparse
from pathlib import Path

from ..errors import InputError
from .common import (
    ProgressLine,
    add_command,
    check_apart,
    check_writable,
    in_options,
    positive,
    print_result,
    with_default,
)
from .scan import add_reading, add_settings, chosen_settings, reading_options
from .workers import executors_of

# Exit code where some subjects failed.
SOME_FAILED = 3


def add_commands(commands):
    """Add the command of this file to the parser."""
    add_command(
        commands,
        "cohort",
        _cohort,
        "Every subject and session of a BIDS dataset: maps, and one table of regions with BV/TV and CT.",
        "cohort study out --regions 'derivatives/regions/{folder}/anat/{name}_dseg.nii.gz' --workers 2",
        _add_options,
    )


def _add_options(parser):
    parser.add_argument("dataset", metavar="BIDS", help="dataset with a folder for each subject")
    parser.add_argument("output", metavar="OUTPUT", help="folder for the results")
    files = parser.add_argument_group(
        "files of each subject",
        "Where they lie in the dataset: {name} is sub-01_ses-2, {folder} is sub-01/ses-2, * is anything.",
    )
    files.add_argument("--regions", metavar="PATTERN", help="regions drawn on the echo MIP")
    files.add_argument("--only", nargs="+", default=(), metavar="NAME", help="regions to measure (default: all)")
    files.add_argument("--bssfp", metavar="PATTERN", help="high-resolution image; it is registered to the echo MIP")
    files.add_argument("--bone", metavar="PATTERN", help="bone reference on the bSSFP, for the apparent BV/TV")
    files.add_argument("--ct", metavar="PATTERN", help="CT; it is registered to the echo MIP and measured")
    files.add_argument(
        "--participant-label", nargs="+", default=(), metavar="ID", help="subjects to work on (default: all)"
    )
    scan = parser.add_argument_group("scan")
    scan.add_argument("--run", metavar="ID", dest="run_label", help="which run")
    scan.add_argument("--acq", metavar="ID", help="which acquisition")
    scan.add_argument("--from", dest="start", default="echoes", help=argparse.SUPPRESS)
    add_reading(scan)
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--workers",
        type=positive,
        metavar="N",
        help="subjects at a time (default: as many as processors and memory allow)",
    )
    where.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster, such as tcp://host:8786")
    # The same for any number of workers, so that results do not depend on that.
    parser.add_argument("--threads", type=positive, metavar="N", default=1, help=with_default("of each subject", 1))
    parser.add_argument("--resume", action="store_true", help="skip subjects that are finished and unchanged")
    parser.add_argument("--overwrite", action="store_true", help="replace results that are there already")
    parser.add_argument("--dry-run", action="store_true", help="say what was found and what it needs, and stop")
    add_settings(parser)


def _cohort(arguments):
    from ..study.cohort import LOG, REGRESSIONS, SUBJECTS_TABLE, TABLE, Work, run_cohort
    from ..study.estimate import free_memory, needed_memory, usable_workers
    from ..study.subjects import COMPANIONS, find_subjects

    if arguments.start != "echoes":
        raise InputError(
            "A cohort starts from echoes; give the field of each subject to reconstruct --from total-field or "
            "local-field, and its maps to measure."
        )
    settings = chosen_settings(arguments)
    patterns = {kind: value for kind in COMPANIONS if (value := getattr(arguments, kind))}
    subjects = find_subjects(arguments.dataset, patterns, arguments.participant_label)
    workers = arguments.workers or usable_workers(max(map(needed_memory, subjects)), len(subjects))
    if workers > 1 and not (arguments.workers or arguments.scheduler) and free_memory() is None:
        print(
            f"How much memory is free is not known here: {workers} subjects at a time, as many as processors; give "
            "--workers for fewer."
        )
    if arguments.dry_run:
        _print_plan(subjects, settings, workers)
        return 0
    check_apart(arguments.output, arguments.dataset)
    check_writable(arguments.output)
    work = Work(
        dataset=Path(arguments.dataset),
        output=Path(arguments.output),
        settings=settings,
        reading=reading_options(arguments),
        only=tuple(arguments.only),
        threads=arguments.threads,
    )
    with executors_of(workers, arguments.scheduler) as executors, ProgressLine() as progress:
        outcomes = run_cohort(
            subjects,
            work,
            executors=executors,
            resume=arguments.resume,
            overwrite=arguments.overwrite,
            progress=progress,
        )
    notes = [f"{one.name}: {note}" for one in outcomes for note in one.notes]
    notes += [f"{subject.name} has no {COMPANIONS[kind]}." for subject in subjects for kind in subject.missing]
    print_result(notes, [work.output / file for file in (TABLE, REGRESSIONS, SUBJECTS_TABLE, LOG)])
    failed = [one for one in outcomes if one.status == "failed"]
    for one in failed:
        print(f"{one.name} failed: {in_options(one.message)}")
    unchanged = sum(one.status == "unchanged" for one in outcomes)
    print(
        f"{len(outcomes) - len(failed)} of {len(outcomes)} subjects are finished"
        + (f", {unchanged} of them before." if unchanged else ".")
    )
    return SOME_FAILED if failed else 0


def _print_plan(subjects, settings, workers):
    from ..study.estimate import in_words, needed_memory, needed_seconds, whole_seconds
    from ..study.subjects import COMPANIONS

    seconds = {subject.name: needed_seconds(subject, settings) for subject in subjects}
    for subject in subjects:
        there = [COMPANIONS[kind] for kind in subject.companions]
        missing = ["no phase"] * subject.lacks_phase + [f"no {COMPANIONS[kind]}" for kind in subject.missing]
        print(
            f"{subject.name}: {len(subject.images)} images, {', '.join([*there, *missing]) or 'nothing beside'}; "
            f"{needed_memory(subject) / 1e9:.1f} GB, about {in_words(seconds[subject.name])}"
        )
    whole = in_words(whole_seconds([*seconds.values()], workers))
    print(
        f"{len(subjects)} subjects, {workers} at a time, inversion {settings.inversion}: about {whole} on "
        "processors of some 3 GHz that do nothing else; nothing was written."
    )
