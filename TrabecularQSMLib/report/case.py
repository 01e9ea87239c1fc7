"""The page of one case: its maps, how far they can be trusted, its numbers, and how all of it was made."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from .. import __version__
from ..acquisition import voxel_size
from ..errors import InputError
from ..fieldmap.fat_models import FAT_MODELS
from ..figures.histograms import histogram_figure
from ..figures.maps import View, map_figure
from ..figures.registration import checkerboard_figure
from ..files.formats import read_entries, read_json_file
from ..files.maps import read_maps
from ..files.nifti import read_image
from ..files.provenance import software_of
from ..files.regions import read_regions
from ..files.tables import read_measured
from ..progress import Progress, report
from ..quantities import QUANTITIES
from .consensus import acquisition_items, methods_paragraph, reconstruction_items
from .pages import SHOWN, Figure, page, picture, title_of, with_error

PLANES = ("sagittal", "coronal", "axial")
# What is drawn, in rows of pictures, as far as it is there.
_SHOWN = (("mip", "chi", "r2star", "pdff"), ("water", "fat", "field_hz", "local_field"))
_QUALITY = (("reliability", "residual", "sigma_field"), ("sigma_r2star", "sigma_pdff", "sigma_chi"))
# Fewer maps side by side than these take less of the page, so that all come out about as large.
_NARROW = 3
_HISTOGRAMS = ("chi", "r2star", "pdff")
_SECTIONS = {
    "regions": "Regions",
    "maps": "Maps",
    "quality": "Trust",
    "others": "Registration",
    "methods": "Methods",
    "acquisition": "Acquisition",
    "reconstruction": "Reconstruction",
    "provenance": "Settings and inputs",
}


def case_report(stem: str, files: Mapping[str, Path], progress: Progress | None = None) -> str:
    """Return the page of one scan's maps.

    Parameters
    ----------
    stem : str
        Name of the scan, such as ``sub-01_ses-2``.
    files : mapping of quantity name to path
        Its maps, as `find_maps` finds them. What else a cohort left beside them is shown too: regions, their rows,
        registered images, and pictures of L-curves.
    progress : callable, optional

    Raises
    ------
    InputError
        If a map or its sidecar cannot be read, or Jinja2 or matplotlib is missing.
    """
    if "mask" not in files:
        raise InputError(f"{stem} has no mask among its maps; give the folder that reconstruct wrote.")
    folder, case = files["mask"].parent, _case(stem)
    report(progress, 0.0, f"{stem}: reading")
    left_out = []
    maps, affine = read_maps(files, left_out)
    sidecar = _sidecar({name: files[name] for name in maps})
    mask = maps["mask"] != 0
    labels, names = _labels(folder / f"{case}_dseg.nii.gz", mask.shape)
    inside = mask if labels is None else labels != 0
    view = View(affine, PLANES, _middle(inside if inside.any() else np.ones_like(mask)), labels, names)
    report(progress, 0.2, f"{stem}: drawing maps")
    shown = _figures(maps, _SHOWN, view, "Regions are outlined." if names else "")
    report(progress, 0.5, f"{stem}: drawing how far they can be trusted")
    quality = _figures(maps, _QUALITY, View(affine, PLANES, view.voxel, mask.astype(np.int16), {1: "mask"}), "")
    report(progress, 0.8, f"{stem}: drawing histograms")
    regions = {name: labels == label for label, name in names.items()} if names else {"mask": mask}
    measured = {name: maps[name] for name in _HISTOGRAMS if name in maps}
    whose = "each region's" if names else "the mask's"
    histograms = (
        [Figure(picture(histogram_figure(measured, regions)), f"Share of {whose} voxels over their value.")]
        if measured
        else []
    )
    rows = read_measured(folder / f"{case}_regions.csv")
    others = _others(folder, case, stem, maps.get("mip"), affine)
    text, references = methods_paragraph(sidecar)
    return page(
        "report_case.html",
        title=stem,
        case=case,
        version=__version__,
        summary=_summary(sidecar, mask.shape, affine),
        sections=[{"id": key, "title": title} for key, title in _SECTIONS.items() if key != "others" or others],
        notes=left_out + sidecar.get("Notes", []) + _cohort_notes(folder.parent / f"{case}_cohort.json", sidecar),
        maps=shown,
        quality=quality,
        quality_items=[*kind_items(sidecar), *_quality_items(maps, mask)],
        columns=_columns(rows),
        regions=_region_rows(rows),
        rows=rows,
        histograms=histograms,
        others=others,
        paragraph=text,
        references=references,
        acquisition=acquisition_items(sidecar, mask.shape, affine),
        reconstruction=reconstruction_items(sidecar, _reference(maps, mask, sidecar)),
        settings=[(name, "none" if value is None else value) for name, value in sidecar["Settings"].items()],
        inputs=list(sidecar.get("InputFiles", {}).items()),
        run=_run_items(folder, stem, case),
    )


def _case(stem):
    return "_".join(part for part in stem.split("_") if part.startswith(("sub-", "ses-")))


def _sidecar(files):
    path = files.get("chi", files["mask"])
    path = path.with_name(path.name.removesuffix(".nii.gz") + ".json")
    values = read_json_file(path)
    if not isinstance(values, dict) or not isinstance(values.get("Settings"), dict):
        raise InputError(f"{path} has no Settings; give maps with the sidecars that reconstruct wrote.")
    return values


def _labels(path, shape):
    if not path.exists():
        return None, {}
    labels, _, names = read_regions(path)
    return (labels, names) if labels.shape == shape else (None, {})


def _middle(inside):
    return tuple(int(round(index.mean())) for index in np.nonzero(inside))


def _figures(maps, rows, view, more):
    body = maps.get("reliability", maps["mask"]) > 0
    figures = []
    for row in rows:
        some = {name: maps[name] for name in row if name in maps}
        if some:
            caption = f"{', '.join(_title(name) for name in some)} in three planes. {more}".strip()
            narrow = len(some) < _NARROW
            figures.append(Figure(picture(map_figure(some, view, body=body)), caption, narrow=narrow))
    return figures


def _title(name):
    return QUANTITIES[name].title


def kind_items(sidecar: dict) -> list[tuple[str, str]]:
    """Return what sort of scan it was taken for, and how that is known."""
    settings, found = sidecar["Settings"], set(sidecar.get("FoundFromData", ()))
    if "fat_spectrum" in found:  # several were compared, whichever it is
        found.add("fat_model")
    values = {
        "Read-out": ("readout", str),
        "Trains of echoes": ("trains", str),
        "Phase": ("phase_sign", lambda sign: "grows with frequency" if sign == "+1" else "falls with frequency"),
        "Spectrum of fat": ("fat_model", lambda name: FAT_MODELS[name].title),
    }
    return [
        (title, f"{words(settings[name])} ({'found from the data' if name in found else 'by the settings'})")
        for title, (name, words) in values.items()
        if settings.get(name, "auto") != "auto"
    ]


def _quality_items(maps, mask):
    if "reliability" not in maps or not mask.any():
        return []
    trust = maps["reliability"][mask]
    items = []
    if "residual" in maps:
        median, high = np.percentile(maps["residual"][mask], (50, 95))
        items.append(("Residual of the fit, median in the mask", f"{median:.1%} of the signal"))
        items.append(("Residual of the fit in 95 of 100 voxels", f"below {high:.1%} of the signal"))
    items += [
        ("Median reliability in the mask", f"{np.median(trust):.2f} (0 to 1)"),
        ("Voxels of reliability 0 in the mask", f"{np.mean(trust == 0):.1%}"),
    ]
    known = mask & (maps["reliability"] > 0)
    for name, unit in (("sigma_field", "Hz"), ("sigma_r2star", "1/s"), ("sigma_pdff", "")):
        if name in maps and known.any():
            items.append((f"Median {_title(name)}", f"{np.median(maps[name][known]):.3g} {unit}".strip()))
    if "r2star" in maps and known.any():
        items.append(("R2* below zero", f"{np.mean(maps['r2star'][known] < 0):.1%}"))
    return items


def _columns(rows):
    """Quantities of the table of regions, with their units."""
    units = {row["quantity"]: row["unit"] for row in rows}
    return [{"name": title_of(name), "unit": units[name]} for name in SHOWN if name in units]


def _region_rows(rows):
    """The table of regions: a line each, its means with their standard errors in the order of `_columns`."""
    there = [name for name in SHOWN if any(row["quantity"] == name for row in rows)]
    found = []
    for region in dict.fromkeys(row["region"] for row in rows):
        own = {row["quantity"]: row for row in rows if row["region"] == region}
        first = next((own[name] for name in ("r2star", *own) if name in own), {})
        cells = [own.get(name) for name in there]
        found.append(
            {
                "name": region,
                "n": first.get("n"),
                "excluded": first.get("excluded"),
                "cells": [
                    "–" if cell is None or cell["mean"] is None else with_error(cell["mean"], cell.get("se"))
                    for cell in cells
                ],
            }
        )
    return found


def _run_items(folder, stem, case):
    """Software, and the time that the last run took, as far as files beside the maps tell."""
    root = next((one for one in folder.parents[:3] if (one / "dataset_description.json").exists()), folder.parent)
    items = [*software_of(root, stem)]
    for file, name in (("run.json", stem), ("cohort.json", case)):
        try:
            run = read_entries(root / "logs" / file)[name]
            items += [("computed", run["Computed"])] if "Computed" in run else []
            items += [("time", f"{run['Seconds']:g} s")]
        except (KeyError, TypeError, ValueError):
            continue
    return items


def _reference(maps, mask, sidecar):
    if "chi" not in maps or not mask.any():
        return None
    values = maps["chi"][mask]
    said = {"none": "none", "mask": "mean over the mask"}[sidecar["Settings"].get("reference", "none")]
    mean = f"{values.mean():.3f}".replace("-", "−")
    return f"{said}; over the mask χ is {mean} ± {values.std():.3f} ppm (mean ± SD)"


def _cohort_notes(path, sidecar):
    return [note for note in read_entries(path).get("Notes", []) if note not in sidecar.get("Notes", [])]


def _others(folder, case, stem, mip, affine):
    """Checkerboards of what was registered, and pictures of L-curves."""
    figures = []
    for path in sorted(folder.glob(f"{case}_space-MIP_*.nii.gz")):
        name = path.name.removesuffix(".nii.gz").rpartition("_")[2]
        array, _ = read_image(path)
        if mip is not None and array.shape == mip.shape:
            figures.append(
                Figure(picture(checkerboard_figure(mip, array, affine)), f"Echo MIP (fixed) and {name} (moving).")
            )
    for path in sorted(folder.glob(f"{stem}_*lcurve.png")):
        caption = "L-curve; the square marks the λ of largest curvature."
        figures.append(Figure(picture(path.read_bytes()), caption, light=True))
    return figures


def _summary(sidecar, shape, affine):
    sizes = " × ".join(f"{size:.3g}" for size in voxel_size(affine)[::-1])
    counts = " × ".join(map(str, shape[::-1]))
    field = sidecar.get("MagneticFieldStrength")
    echoes = len(sidecar.get("EchoTimes") or ())
    parts = [f"{counts} voxels of {sizes} mm", f"{echoes} echoes" if echoes else "", f"{field:.3g} T" if field else ""]
    return ", ".join(filter(None, parts))
