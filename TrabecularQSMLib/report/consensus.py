"""What the consensus on susceptibility mapping asks a publication to tell, filled in as far as files say it.

Items of tables 3 (hardware), 4 and 5 of the recommendations of the ISMRM's study group (doi 10.1002/mrm.30006); those
that no file tells are None, so that a reader sees what is still to be looked up.
"""

from collections.abc import Sequence

import numpy as np

from ..acquisition import voxel_size
from ..background import METHODS as BACKGROUNDS
from ..fieldmap.fat_models import FAT_MODELS
from ..files.maps import ECHOES, LOCAL_FIELD, MAGNITUDE
from ..inversion import METHODS as INVERSIONS
from ..inversion.cortex import APART
from ..settings import Settings

Item = tuple[str, str | None]


def acquisition_items(sidecar: dict, shape, affine: np.ndarray) -> list[Item]:
    """Return the items on scanner and acquisition (tables 3 and 4), each with its value or None.

    Parameters
    ----------
    sidecar : dict
        Of a map that `write_reconstruction` wrote.
    shape : (k, j, i)
        Voxels.
    affine : (4, 4) array
        (i, j, k) → RAS mm.
    """
    protocol, settings = sidecar.get("Protocol", {}), sidecar.get("Settings", {})
    field = sidecar.get("MagneticFieldStrength")
    counts, sizes = shape[::-1], voxel_size(affine)[::-1]
    readout, trains = settings.get("readout", "auto"), settings.get("trains")
    return [
        ("Scanner", _text(protocol, *_SCANNER)),
        ("Field strength", None if field is None else f"{field:.4g} T"),
        ("Center frequency", _with_unit(sidecar.get("ImagingFrequency"), "MHz", ".7g")),
        ("Receive coil, its elements", _text(protocol, "ReceiveCoilName", "ReceiveCoilActiveElements")),
        ("Gradient system", None),
        ("Sequence type", _text(protocol, "MRAcquisitionType", "ScanningSequence", "PulseSequenceType")),
        ("Sequence name", _text(protocol, "PulseSequenceName", "SequenceName")),
        ("k-space trajectory", None),
        ("Orientation of the slices", _orientation(affine)),
        ("Orientation of B0 in the patient (R, A, S)", _numbers(sidecar.get("B0Direction"), "", "g", ", ")),
        ("Echoes (number, echo times)", _echoes(sidecar.get("EchoTimes"))),
        ("Repetition time", _with_unit(protocol.get("RepetitionTime"), "ms", ".4g", 1e3)),
        ("Flip angle", _with_unit(protocol.get("FlipAngle"), "°", "g")),
        ("Bandwidth of a pixel", _with_unit(protocol.get("PixelBandwidth"), "Hz", "g")),
        ("Matrix", " × ".join(map(str, counts))),
        ("Field of view", _numbers([n * size for n, size in zip(counts, sizes, strict=True)], "mm", ".4g")),
        ("Voxel size", _numbers(sizes, "mm", ".4g")),
        ("Read-out", None if readout == "auto" else f"{readout}, {trains} train{'s' if trains != '1' else ''}"),
        ("Flow compensation", _option(protocol, "FC")),
        ("Acceleration", _acceleration(protocol)),
        ("Partial Fourier", _text(protocol, "PartialFourier") or _option(protocol, "PFP")),
        ("Partial echo", _option(protocol, "PFF")),
        ("Elliptical k-space shutter", None),
        ("Phase stabilization", None),
        ("Scan time", _with_unit(protocol.get("AcquisitionDuration"), "s", "g")),
        ("Coil combination of the phase", None),
    ]


def frequency_items(sidecars: Sequence[dict]) -> list[Item]:
    """Return the mean ± SD of the center frequency on each scanner, which a study on several ones is to tell."""
    found: dict[str, list[float]] = {}
    for sidecar in sidecars:
        frequency = sidecar.get("ImagingFrequency")
        if isinstance(frequency, int | float):
            found.setdefault(_text(sidecar.get("Protocol", {}), *_SCANNER) or "scanner not known", []).append(frequency)
    return [
        (f"Center frequency, {scanner}", f"{np.mean(values):.4f} ± {np.std(values, ddof=1):.4f} MHz (mean ± SD)")
        if len(values) > 1
        else (f"Center frequency, {scanner}", f"{values[0]:.4f} MHz")
        for scanner, values in found.items()
    ]


def reconstruction_items(sidecar: dict, reference: str | None) -> list[Item]:
    """Return the items on reconstruction and analysis (table 5), each with its value or None.

    Parameters
    ----------
    sidecar : dict
        Of a map that `write_reconstruction` wrote.
    reference : str, optional
        What susceptibility is relative to, with mean and SD over the mask.
    """
    settings, made = Settings.from_dict(sidecar["Settings"]), sidecar.get("Software", {})
    background, inversion = BACKGROUNDS[settings.background], INVERSIONS[settings.inversion]
    items = [
        ("Toolbox", f"{made.get('Name', 'TrabecularQSM')} {made.get('Version', '')}".strip()),
        *_field_items(_start(sidecar), settings),
        ("Mask", _mask(sidecar, settings)),
    ]
    if _has_local_field(sidecar, settings):
        before = "field of the air around the body, then " if settings.air_first == "on" else ""
        items.append(("Background removal", before + _method(background, settings)))
    if _has_chi(sidecar, settings):
        how = f"{_method(inversion, settings)}; λ = {settings.regularization:g} {inversion.unit}"
        items += [
            ("Dipole inversion", how + ("; cortex, which gives no signal, apart" if _is_apart(sidecar) else "")),
            ("Referencing", reference),
        ]
    return [
        *items,
        ("Further processing", "none: maps are on the grid of the scan"),
        ("Left out of statistics", "voxels of reliability 0, not finite, or for χ and fields in ppm outside the mask"),
        ("Criteria of inclusion", None),
    ]


def methods_paragraph(sidecar: dict) -> tuple[str, list[str]]:
    """Return a paragraph for a paper's methods, and the references that it cites in order."""
    settings, version = Settings.from_dict(sidecar["Settings"]), sidecar.get("Software", {}).get("Version", "")
    references = ["Diefenbach et al., MRM 2019, doi 10.1002/mrm.27531"]

    def cite(text):
        marks = []
        for one in filter(None, (part.strip() for part in text.split(";"))):
            if one not in references:
                references.append(one)
            marks.append(str(references.index(one) + 1))
        return f" [{', '.join(marks)}]" if marks else ""

    sentences = [
        f"Maps were computed with TrabecularQSM {version} after Diefenbach et al. [1].",
        _of_start(sidecar, settings, cite),
        _of_background(sidecar, settings, cite),
        _of_inversion(sidecar, settings, cite),
    ]
    return " ".join(filter(None, sentences)), references


def _of_start(sidecar, settings, cite):
    start, fat = _start(sidecar), FAT_MODELS[settings.fat_model]
    if start not in (ECHOES, MAGNITUDE):
        return f"The {start.replace('-', ' ')} was computed with other software."
    echoes = _echoes(sidecar.get("EchoTimes")) or "the echoes"
    spectrum = f"the fat spectrum “{fat.title}”{cite(fat.reference)}"
    if start == MAGNITUDE:
        return f"R2* and fat fraction were fitted to the magnitude of {echoes} with {spectrum}."
    return (
        f"Water, fat, R2* and the field map were fitted to the complex signal of {echoes} with {spectrum}; the "
        f"read-out was {_readout(settings)}."
    )


def _of_background(sidecar, settings, cite):
    if not _has_local_field(sidecar, settings) or _start(sidecar) == LOCAL_FIELD:
        return None
    method = BACKGROUNDS[settings.background]
    if method is BACKGROUNDS["none"]:
        return "No background field was removed before the inversion."
    first = "after a model of the field of the air around the body " if settings.air_first == "on" else ""
    where = "the given mask" if "MaskFile" in sidecar else f"the body, eroded by {settings.mask_erosion:g} mm"
    return f"Background fields were removed {first}by the method “{method.title}”{cite(method.reference)} in {where}."


def _of_inversion(sidecar, settings, cite):
    if not _has_chi(sidecar, settings):
        return None
    method = INVERSIONS[settings.inversion]
    return (
        f"Susceptibility was computed by the method “{method.title}”{cite(method.reference)} with λ = "
        f"{settings.regularization:g} {method.unit}"
        + (", that of cortex, which gives no signal, apart from the rest" if _is_apart(sidecar) else "")
        + f"; it is relative to {_RELATIVE_TO[settings.reference]}."
    )


def _start(sidecar):
    # Sidecars of before 29 November 2026 do not say it.
    return sidecar.get("StartedFrom", ECHOES)


def _has_local_field(sidecar, settings):
    return _start(sidecar) != MAGNITUDE and settings.stop_after != "fieldmap"


def _has_chi(sidecar, settings):
    return _start(sidecar) != MAGNITUDE and settings.stop_after is None


def _is_apart(sidecar):
    return any(APART in note for note in sidecar.get("Notes", ()))


_SCANNER = ("Manufacturer", "ManufacturersModelName", "SoftwareVersions")
_RELATIVE_TO = {"none": "no region: its mean over the grid of the inversion is zero", "mask": "its mean over the mask"}
# Patient axes (R, A, S) that slices lie across.
_ACROSS = ("sagittal", "coronal", "axial")


def _field_items(start, settings):
    """Items of table 5 from the phase to the unwrapped field."""
    if start not in (ECHOES, MAGNITUDE):
        return [("Phase, echoes, unwrapping", f"not known here: the {start.replace('-', ' ')} is of other software")]
    fat = FAT_MODELS[settings.fat_model].title
    if start == MAGNITUDE:
        return [("R2*, water and fat", f"fit of water, fat ({fat}) and R2* to the magnitude of all echoes")]
    gains = ", errors of single echoes found and taken off" if settings.echo_gains == "auto" else ""
    return [
        ("Phase reconstruction", f"the scanner's; phase sign {settings.phase_sign} (+1: it grows with frequency)"),
        (
            "Combination of echoes, field map, R2*, water and fat",
            f"complex fit of water, fat ({fat}), field and R2* to all echoes, field chosen by minimum cuts{gains}",
        ),
        ("Unwrapping", "region growing over the field map, in units of its period"),
    ]


def _mask(sidecar, settings):
    if "MaskFile" in sidecar:
        return f"given ({sidecar['MaskFile']})"
    if _start(sidecar) == LOCAL_FIELD:
        return "where the local field is not zero"
    return f"signal above {settings.mask_threshold:g} of its bright end, eroded by {settings.mask_erosion:g} mm"


def _method(method, settings):
    chosen = {name: getattr(settings, name) for name in method.options.values()}
    options = ", ".join(f"{name} {value}" for name, value in chosen.items() if value is not None)
    return method.title + (f" ({options})" if options else "")


def _readout(settings):
    trains = f", of {settings.trains} interleaved trains" if settings.trains not in ("auto", "1") else ""
    return settings.readout + trains


def _orientation(affine):
    """Which plane slices, those across the third axis of the image, are nearest to, and how far they are tilted."""
    across = affine[:3, 2] / np.linalg.norm(affine[:3, 2])
    nearest = int(np.argmax(np.abs(across)))
    tilt = np.degrees(np.arccos(min(abs(across[nearest]), 1.0)))
    return _ACROSS[nearest] + (f", tilted by {tilt:.0f}°" if tilt >= 0.5 else "")


def _option(protocol, code):
    """Whether an option is among those that the scanner lists; None where it is not, as not all scanners list all."""
    listed = str(protocol.get("ScanOptions", "")).replace("\\", " ").replace("_", " ").split()
    return f"yes (scan option {code})" if code in listed else None


def _text(protocol, *keys):
    return " ".join(str(protocol[key]) for key in keys if key in protocol) or None


def _with_unit(value, unit, style, factor=1.0):
    if not isinstance(value, int | float):
        return None
    return f"{factor * value:{style}} {unit}".replace(" °", "°")


def _numbers(values, unit, style, between=" × "):
    if values is None:
        return None
    return f"{between.join(f'{value:{style}}' for value in values)} {unit}".strip()


def _echoes(times):
    if not times:
        return None
    return f"{len(times)} echoes ({', '.join(f'{1e3 * time:.4g}' for time in times)} ms)"


def _acceleration(protocol):
    factors = [
        f"{protocol[key]:g} ({where})"
        for key, where in (("ParallelReductionFactorInPlane", "phase"), ("ParallelReductionFactorOutOfPlane", "slice"))
        if isinstance(protocol.get(key), int | float)
    ]
    return " ".join([_text(protocol, "ParallelAcquisitionTechnique") or "", *factors]) or None
