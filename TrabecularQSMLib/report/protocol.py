"""The page of a protocol: what it can tell before anybody is scanned, and what that rests on."""

from collections.abc import Sequence

from .. import __version__
from ..errors import counted
from ..figures.protocol import protocol_figure
from ..protocol.assess import Assessment, rows
from .pages import page, picture

_PARTS = {
    "regions": "χ of regions",
    "subjects": "Number of subjects",
    "noise": "Noise of a voxel",
    "bias": "Bias",
    "swaps": "Fields taken for each other",
    "train": "Echo train",
}


def protocol_page(
    found: Assessment, unknowns: Sequence[str], title: str, chain: tuple[bytes, Sequence[dict]] | None = None
) -> str:
    """Return the page of a protocol, its pictures inside.

    Parameters
    ----------
    found : Assessment
    unknowns : sequence of str
        What the numbers do not know (`protocol.assess.unknowns`), in the words of the door.
    title : str
    chain : (bytes, list of dict), optional
        Picture and rows of the chain on simulated bone.

    Raises
    ------
    InputError
        If Jinja2 or matplotlib is missing.
    """
    table = rows(found)
    return page(
        "report_protocol.html",
        title=title,
        version=__version__,
        summary=summary(found),
        advice=advice(found),
        unknowns=list(unknowns),
        figure=picture(protocol_figure(found)),
        parts=[
            {"id": part, "title": heading, "rows": [row for row in table if row["part"] == part]}
            for part, heading in _PARTS.items()
        ],
        chain=None if chain is None else {"figure": picture(chain[0]), "rows": chain[1]},
    )


def summary(found: Assessment) -> str:
    """Return the protocol in one line."""
    settings = found.settings
    sizes = " × ".join(f"{size:g}" for size in settings.voxel_size[::-1])
    listed = " ".join(f"{1e3 * time:.4g}" for time in settings.echo_times)
    width = "" if settings.bandwidth_hz is None else f", {settings.bandwidth_hz:g} Hz a voxel"
    trains = counted(settings.trains, "train")
    return (
        f"{settings.field_strength:g} T, echoes at {listed} ms in {trains}, {settings.readout}, voxels of {sizes} mm"
        f"{width}, SNR {settings.snr:g} of marrow in the first echo"
    )


def advice(found: Assessment) -> str:
    """Return which echo train to take, in one sentence."""
    if found.is_best:
        return (
            "No echo train of the same scan time was found that has less noise in field, R2* and fat fraction alike "
            "and is as sure of its field: keep the given one, or allow more echoes or later ones."
        )
    train = found.recommended
    listed = " ".join(f"{1e3 * time:.4g}" for time in train.echo_times)
    less = ", ".join(
        f"{name} {1 - ratio:.0%}" for name, ratio in zip(("field", "R2*", "fat fraction"), found.ratios, strict=True)
    )
    return (
        f"In the same scan time, echoes at {listed} ms in {counted(train.trains, 'train')} have less noise by: {less}."
    )
