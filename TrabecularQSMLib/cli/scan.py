"""The commands from a scan to maps: reconstruct, lcurve."""

import argparse
import os
import platform
import time
from dataclasses import fields, replace
from pathlib import Path

from .. import __version__
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

# Settings that most users meet; the others are listed under "advanced settings".
_MAIN_SETTINGS = ("background", "inversion", "stop_after", "regularization", "fat_model", "phase_sign")


# What a reconstruction can start from, and the units of a field (those of `acquisition`, which imports late).
_STARTS = ("echoes", "total-field", "local-field")
_FIELD_UNITS = ("ppm", "Hz", "rad/s")


def setting_flag(name: str) -> str:
    """Flag of a setting: ``edge_fraction`` is ``--edge-fraction``."""
    return "--" + name.replace("_", "-")


def add_commands(commands):
    """Add the commands of this file to the parser."""
    add_command(
        commands,
        "reconstruct",
        _reconstruct,
        "Maps of susceptibility, R2*, fat fraction, field and more from a multi-echo scan.",
        "reconstruct ankle maps\n  trabecular-qsm reconstruct dicom/patient-7 maps --subject 07 --preset paper",
        _add_options_of_reconstruct,
    )
    add_command(
        commands,
        "lcurve",
        _lcurve,
        "Table, figure and corner of the L-curve: the inversion over many values of λ.",
        "lcurve ankle curves --inversion medi-l2 --lambdas 0.001 0.01 0.1 1 10",
        _add_options_of_lcurve,
    )


def _add_options_of_reconstruct(parser):
    _add_scan(parser)
    add_settings(parser)


def _add_options_of_lcurve(parser):
    _add_scan(parser)
    parser.add_argument(
        "--lambdas",
        nargs="+",
        type=float,
        default=(),
        metavar="λ",
        help="values of λ in the unit of --regularization, at least three (default: sixteen around the settings' own)",
    )
    parser.add_argument("--regions", metavar="SEG", help="label map on the scan's grid; follows the regions' mean χ")
    add_settings(parser, left_out=("stop_after",))


def _add_scan(parser):
    parser.add_argument(
        "input",
        metavar="INPUT",
        help="BIDS dataset or subject folder with *_MEGRE.nii[.gz]; dcm2niix's folder; a DICOM folder; a 4-D NIfTI "
        "of all echoes with its phase beside it; or a .mat file (ImDataParams, imDataParams, or MEDI's iField); with "
        "--from, the image of a field, or MEDI's RDF.mat",
    )
    parser.add_argument("output", metavar="OUTPUT", help="folder for the results")
    scan = parser.add_argument_group("scan")
    scan.add_argument("--subject", metavar="ID", help="which subject; its name where the input has none (default: 01)")
    scan.add_argument("--session", metavar="ID", help="which session")
    scan.add_argument("--run", metavar="ID", dest="run_label", help="which run")
    scan.add_argument("--acq", metavar="ID", help="which acquisition, where scans differ in acq-")
    scan.add_argument("--series", metavar="N", help="number of one of the scan's series, where there are several scans")
    scan.add_argument(
        "--from",
        dest="start",
        choices=_STARTS,
        default="echoes",
        help=with_default("what INPUT is; a field was measured by other software", "echoes"),
    )
    scan.add_argument("--field-unit", choices=_FIELD_UNITS, help="of a field whose sidecar does not say it (Units)")
    scan.add_argument("--magnitude", metavar="FILE", help="on the grid of a field, for weights, edges and the body")
    scan.add_argument("--mask", metavar="FILE", help="where to solve, on the scan's grid, instead of the mask found")
    add_reading(scan)
    parser.add_argument("--threads", type=positive, metavar="N", help="worker threads (default: one per processor)")
    parser.add_argument("--overwrite", action="store_true", help="replace results that are there already")
    parser.add_argument("--dry-run", action="store_true", help="read and check, say what would be written, and stop")


def add_reading(group):
    """Add what a reader is told beside which scan it is; `reading_options` takes it."""
    group.add_argument(
        "--echo-times",
        nargs="+",
        type=float,
        metavar="MS",
        help="ms, one for each echo, where the files do not say them",
    )
    group.add_argument("--field-strength", type=float, metavar="T", help="tesla, where the files do not say it")
    group.add_argument(
        "--voxel-size", nargs=3, type=float, metavar=("I", "J", "K"), help="mm, for files that store no voxel size"
    )
    group.add_argument(
        "--b0-direction",
        nargs=3,
        type=float,
        metavar=("R", "A", "S"),
        help="B0 in the patient (default: what the files say, or 0 0 1)",
    )


def reading_options(arguments) -> dict:
    """Return the options of `read_acquisition` that are given, beside subject and session."""
    times = arguments.echo_times
    options = {
        "run": arguments.run_label,
        "acq": arguments.acq,
        "echo_times": None if times is None else [1e-3 * time for time in times],
        "field_strength": arguments.field_strength,
        "voxel_size": arguments.voxel_size,
        "b0_direction": arguments.b0_direction,
    }
    return {name: value for name, value in options.items() if value is not None}


def add_settings(parser, left_out=()):
    """Add preset, file and flags of all settings; `chosen_settings` takes them."""
    from ..settings import Settings, load_presets, setting_texts

    group = parser.add_argument_group("settings", "A flag wins over --settings, which wins over --preset.")
    group.add_argument(
        "--preset",
        choices=tuple(load_presets()),
        default="default",
        help=with_default("settings to start from", "default"),
    )
    group.add_argument("--settings", metavar="FILE.json", help="repeat the settings of a map's sidecar")
    advanced = parser.add_argument_group("advanced settings")
    texts = setting_texts()
    for field in fields(Settings):
        if field.name not in left_out:
            target = group if field.name in _MAIN_SETTINGS else advanced
            _add_setting(target, field, texts.get(field.name, ""))


def _add_setting(group, field, text):
    """Add the flag of one field of `Settings`, absent from the result unless given."""
    from ..settings import CHOICES, OPTIONAL, RANGES, WHOLE

    options = {"dest": field.name, "default": argparse.SUPPRESS}
    if field.name in CHOICES:
        choices = ["none" if choice is None else choice for choice in CHOICES[field.name]]
        kind = _or_none(str) if None in CHOICES[field.name] else str
        options |= {"choices": CHOICES[field.name], "metavar": "{" + ",".join(choices) + "}", "type": kind}
    else:
        low, high = RANGES[field.name]
        kind = int if field.name in WHOLE else float
        options |= {"metavar": "N" if kind is int else "X", "type": _or_none(kind) if field.name in OPTIONAL else kind}
        text += f" {low:g} to {high:g}."
    default = "" if field.default is None else f" (default: {field.default})"
    group.add_argument(setting_flag(field.name), help=(in_options(text) + default).replace("%", "%%"), **options)


def _or_none(kind):
    def convert(text):
        return None if text == "none" else kind(text)

    convert.__name__ = kind.__name__  # argparse names it in its message
    return convert


def _reconstruct(arguments):
    from .. import pipeline
    from ..chunks import on_threads
    from ..files.maps import map_files, planned_maps, write_reconstruction
    from ..files.writing import refuse_existing
    from ..quantities import QUANTITIES

    settings = chosen_settings(arguments)
    started = time.time()
    scan = _read_scan(arguments, settings)
    check_apart(arguments.output, arguments.input, scan.folder, scan.files)
    refuse_existing(arguments.output, map_files(scan, QUANTITIES), arguments.overwrite)
    check_writable(arguments.output)
    mask, notes = _read_mask(arguments, scan)
    if arguments.dry_run:
        names = planned_maps(settings, scan.acquisition)
        _print_plan(arguments, scan, settings, map_files(scan, names), notes)
        return
    from ..progress import part

    with ProgressLine() as progress:
        result = pipeline.reconstruct(
            scan.acquisition, settings, mask=mask, threads=arguments.threads, progress=part(progress, 0.0, 0.95)
        )
        result = replace(result, notes=(*result.notes, *notes))
        with on_threads(arguments.threads):
            written = write_reconstruction(
                arguments.output,
                scan,
                result,
                mask_file=arguments.mask,
                overwrite=arguments.overwrite,
                run=_run_record(arguments, started),
                progress=part(progress, 0.95, 1.0),
            )
    print_result(result.notes, written)


def _lcurve(arguments):
    from .. import pipeline
    from ..figures.lcurve import lcurve_figure
    from ..figures.style import require_matplotlib
    from ..files.tables import csv_text
    from ..files.writing import input_hashes, json_text, provenance, refuse_existing, write_files
    from ..inversion import METHODS
    from ..inversion.lcurve import checked_regularizations

    require_matplotlib()
    settings = chosen_settings(arguments, stop_after=None)
    if arguments.lambdas:
        checked_regularizations(arguments.lambdas)  # before anything is read, and on a dry run
    scan = _read_scan(arguments, settings)
    stem = scan.folder / f"{scan.stem}_desc-{settings.inversion.replace('-', '')}_lcurve"
    files = [stem.with_name(stem.name + ending) for ending in (".csv", ".json", ".png")]
    check_apart(arguments.output, arguments.input, scan.folder, scan.files)
    refuse_existing(arguments.output, files, arguments.overwrite)
    check_writable(arguments.output)
    mask, notes = _read_mask(arguments, scan)
    regions = _read_regions(arguments, scan)
    if arguments.dry_run:
        _print_plan(arguments, scan, settings, files, notes)
        return
    with ProgressLine() as progress:
        curve = pipeline.sweep_regularization(
            scan.acquisition,
            settings,
            arguments.lambdas,
            mask=mask,
            regions=regions,
            threads=arguments.threads,
            progress=progress,
        )
    columns = {name: values.tolist() for name, values in curve.columns().items()}
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    sidecar = provenance(
        Description="L-curve: the inversion over λ (regularization)",
        BestRegularization=curve.best,
        InflectionRegularization=curve.inflection,
        Settings=settings.as_dict(),
        Notes=[*curve.notes, *notes],
        InputFiles=input_hashes(scan.files, arguments.mask),
    )
    contents = (
        csv_text(columns, rows),
        json_text(sidecar),
        lcurve_figure(curve, f"{scan.stem}, {settings.inversion}"),
    )
    paths = [Path(arguments.output) / file for file in files]
    written = write_files(dict(zip(paths, contents, strict=True)))
    print_result([*curve.notes, *notes], written)
    unit = METHODS[curve.method].unit
    print(f"Largest curvature at λ = {curve.best:.4g} {unit}")
    zero = curve.inflection
    below = f"at λ = {zero:.4g} {unit}" if zero else "at none of the smaller λ of this sweep"
    print(f"Zero curvature, which smooths less, {below}")


def chosen_settings(arguments, **fixed):
    """Merge preset, file and flags to settings, the later ones winning."""
    from ..files.maps import read_settings
    from ..settings import EDGE_KINDS, Settings, merged

    given = {field.name: getattr(arguments, field.name) for field in fields(Settings) if field.name in arguments}
    kinds = [setting_flag(name) for name in EDGE_KINDS if given.get(name) is not None]
    if len(kinds) > 1:
        raise InputError(f"{' and '.join(kinds)} make edges of different kinds; give one of them.")
    stored = read_settings(arguments.settings) if arguments.settings else {}
    return merged(arguments.preset, stored, {**given, **fixed})


def _read_scan(arguments, settings):
    from ..chunks import on_threads
    from ..files import read_acquisition

    if arguments.start != "echoes":
        return _read_field(arguments)
    for name in ("field_unit", "magnitude"):
        if getattr(arguments, name) is not None:
            raise InputError(f"{setting_flag(name)} belongs to a field; add --from total-field or local-field.")
    with on_threads(arguments.threads):
        return read_acquisition(
            arguments.input,
            subject=arguments.subject,
            session=arguments.session,
            series=arguments.series,
            grid_needed=settings.stop_after != "fieldmap",
            **reading_options(arguments),
            magnitude_alone=settings.magnitude_maps == "yes",
        )


def _read_field(arguments):
    from ..files.field import read_field

    for name in ("echo_times", "voxel_size", "acq", "series"):
        if getattr(arguments, name) is not None:
            raise InputError(f"{setting_flag(name)} belongs to echoes, but --from is {arguments.start}; leave it out.")
    return read_field(
        arguments.input,
        arguments.start.removesuffix("-field"),
        subject=arguments.subject,
        session=arguments.session,
        run=arguments.run_label,
        unit=arguments.field_unit,
        magnitude=arguments.magnitude,
        field_strength=arguments.field_strength,
        b0_direction=arguments.b0_direction,
    )


def _read_mask(arguments, scan):
    from ..files import read_mask

    return (None, []) if arguments.mask is None else read_mask(arguments.mask, scan.acquisition)


def _read_regions(arguments, scan):
    """Regions as masks by name, none of them empty."""
    from ..files.regions import check_regions_grid, read_regions

    if arguments.regions is None:
        return None
    labels, affine, names = read_regions(arguments.regions)
    acquisition = scan.acquisition
    check_regions_grid(arguments.regions, labels, affine, scan.stem, acquisition.shape, acquisition.affine)
    regions = {name: labels == label for label, name in names.items()}
    for name, inside in regions.items():
        if not inside.any():
            raise InputError(f"The region {name!r} of {arguments.regions} is empty; draw it or remove it.")
    return regions


def _run_record(arguments, started):
    """Return what differs between equal runs."""
    import numpy
    import scipy
    import SimpleITK

    finished = time.time()
    stamp = lambda moment: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))  # noqa: E731
    return {
        "Command": ["trabecular-qsm", *arguments.argv],
        "Input": str(Path(arguments.input).resolve()),
        "Output": str(Path(arguments.output).resolve()),
        "Started": stamp(started),
        "Computed": stamp(finished),
        "Seconds": round(finished - started, 1),
        "Host": platform.node(),
        "Platform": platform.platform(),
        "Threads": arguments.threads or os.cpu_count(),
        "Versions": {
            "TrabecularQSM": __version__,
            "Python": platform.python_version(),
            "numpy": numpy.__version__,
            "scipy": scipy.__version__,
            "SimpleITK": SimpleITK.Version.VersionString(),
        },
    }


def _print_plan(arguments, scan, settings, files, notes):
    for note in (*scan.acquisition.notes, *notes):
        print(in_options(note))
    print("Settings:", ", ".join(f"{name} {value}" for name, value in settings.as_dict().items() if value is not None))
    for path in (*scan.files, *([arguments.mask] if arguments.mask else [])):
        print(f"Would read {path}")
    for file in files:
        print(f"Would write {Path(arguments.output) / file}")
