"""What the consensus on susceptibility mapping asks a publication to tell, filled in as far as files say it.

Items of tables 4 and 5 of the recommendations of the ISMRM's study group (doi 10.1002/mrm.30006); those that no file
tells are None, so that a reader sees what is still to be looked up.
"""

from ..background import METHODS as BACKGROUNDS
from ..fieldmap.fat_models import FAT_MODELS
from ..inversion import METHODS as INVERSIONS
from ..settings import Settings

Item = tuple[str, str | None]


def acquisition_items(sidecar: dict, shape, voxel_size) -> list[Item]:
    """Return the items on the acquisition (table 4), each with its value or None.

    Parameters
    ----------
    sidecar : dict
        Of a map that `write_reconstruction` wrote.
    shape : (k, j, i)
        Voxels.
    voxel_size : (k, j, i)
        In mm.
    """
    protocol, settings = sidecar.get("Protocol", {}), sidecar.get("Settings", {})
    scanner = " ".join(str(protocol[key]) for key in _SCANNER if key in protocol)
    field = sidecar.get("MagneticFieldStrength")
    counts, sizes = shape[::-1], voxel_size[::-1]
    readout, trains = settings.get("readout"), settings.get("trains")
    return [
        ("Scanner", scanner or None),
        ("Field strength", None if field is None else f"{field:.4g} T"),
        ("Center frequency", _with_unit(sidecar.get("ImagingFrequency"), "MHz", ".7g")),
        ("Receive coil", _text(protocol, "ReceiveCoilName")),
        ("Sequence type", _text(protocol, "MRAcquisitionType", "ScanningSequence", "PulseSequenceType")),
        ("Sequence name", _text(protocol, "PulseSequenceName", "SequenceName")),
        ("k-space trajectory", None),
        ("Orientation of B0 in the patient (R, A, S)", _numbers(sidecar.get("B0Direction"), "", "g", ", ")),
        ("Echoes (number, echo times)", _echoes(sidecar.get("EchoTimes"))),
        ("Repetition time", _with_unit(protocol.get("RepetitionTime"), "ms", ".4g", 1e3)),
        ("Flip angle", _with_unit(protocol.get("FlipAngle"), "°", "g")),
        ("Bandwidth of a pixel", _with_unit(protocol.get("PixelBandwidth"), "Hz", "g")),
        ("Matrix", " × ".join(map(str, counts))),
        ("Field of view", _numbers([n * size for n, size in zip(counts, sizes, strict=True)], "mm", ".4g")),
        ("Voxel size", _numbers(sizes, "mm", ".4g")),
        ("Read-out", None if readout is None else f"{readout}, {trains} train{'s' if trains != '1' else ''}"),
        ("Flow compensation", None),
        ("Acceleration", _acceleration(protocol)),
        ("Partial Fourier", _text(protocol, "PartialFourier")),
        ("Partial echo", None),
        ("Elliptical k-space shutter", None),
        ("Phase stabilization", None),
        ("Scan time", _with_unit(protocol.get("AcquisitionDuration"), "s", "g")),
        ("Coil combination of the phase", None),
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
    settings = Settings.from_dict(sidecar["Settings"])
    made = sidecar.get("Software", {})
    background, inversion = BACKGROUNDS[settings.background], INVERSIONS[settings.inversion]
    fat = FAT_MODELS[settings.fat_model]
    stop = settings.stop_after
    items = [
        ("Toolbox", f"{made.get('Name', 'TrabecularQSM')} {made.get('Version', '')}".strip()),
        ("Phase sign", f"{settings.phase_sign} (positive: phase grows with frequency)"),
        (
            "Field map, R2*, water and fat",
            f"complex fit of water, fat ({fat.title}), field and R2* to all echoes, field chosen by minimum cuts",
        ),
        ("Unwrapping", "region growing over the field map, in units of its period"),
        (
            "Mask",
            f"signal above {settings.mask_threshold:g} of its bright end, eroded by {settings.mask_erosion:g} mm, "
            "unless a mask was given",
        ),
    ]
    if stop != "fieldmap":
        items.append(("Background removal", _method(background, settings)))
    if stop is None:
        items += [
            (
                "Dipole inversion",
                f"{_method(inversion, settings)}; λ = {settings.regularization:g} {inversion.unit}",
            ),
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
    settings = Settings.from_dict(sidecar["Settings"])
    made = sidecar.get("Software", {})
    references = ["Diefenbach et al., MRM 2019, doi 10.1002/mrm.27531"]

    def cite(text):
        marks = []
        for one in filter(None, (part.strip() for part in text.split(";"))):
            if one not in references:
                references.append(one)
            marks.append(str(references.index(one) + 1))
        return f" [{', '.join(marks)}]" if marks else ""

    fat = FAT_MODELS[settings.fat_model]
    times = sidecar.get("EchoTimes")
    sentences = [
        f"Maps were computed with TrabecularQSM {made.get('Version', '')} after Diefenbach et al. [1].",
        f"Water, fat, R2* and the field map were fitted to the complex signal of {_echoes(times) or 'the echoes'} with "
        f"the fat spectrum “{fat.title}”{cite(fat.reference)}; the read-out was {settings.readout}.",
    ]
    if settings.stop_after != "fieldmap":
        method = BACKGROUNDS[settings.background]
        sentences.append(
            f"Background fields were removed by the method “{method.title}”{cite(method.reference)} in the body, "
            f"eroded by {settings.mask_erosion:g} mm."
        )
    if settings.stop_after is None:
        method = INVERSIONS[settings.inversion]
        sentences.append(
            f"Susceptibility was computed by the method “{method.title}”{cite(method.reference)} with λ = "
            f"{settings.regularization:g} {method.unit}."
        )
    return " ".join(sentences), references


_SCANNER = ("Manufacturer", "ManufacturersModelName", "SoftwareVersions")


def _method(method, settings):
    chosen = {name: getattr(settings, name) for name in method.options.values()}
    options = ", ".join(f"{name} {value}" for name, value in chosen.items() if value is not None)
    return method.title + (f" ({options})" if options else "")


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
