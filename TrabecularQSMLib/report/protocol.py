"""The page of a protocol: what it can tell before anybody is scanned, and what that rests on."""

from collections.abc import Sequence

from .. import __version__
from ..errors import counted
from ..figures.protocol import chain_figure, protocol_figure
from ..protocol.assess import Assessment, rows
from ..protocol.chain import ChainSettings, chain_lines
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
    found: Assessment,
    unknowns: Sequence[str],
    title: str,
    chain: tuple[ChainSettings, list[dict]] | None = None,
    sweep: bytes | None = None,
) -> str:
    """Return the page of a protocol, its pictures inside.

    Parameters
    ----------
    found : Assessment
    unknowns : sequence of str
        What the numbers do not know (`protocol.assess.unknowns`), in the words of the door.
    title : str
    chain : (ChainSettings, list of dict), optional
        Settings and rows of the chain on simulated bone.
    sweep : bytes, optional
        Picture of a sweep.

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
        chain=None if chain is None else _chain(*chain),
        sweep=None if sweep is None else picture(sweep),
    )


def _chain(settings, table):
    bone, used = settings.bone, settings.reconstruction
    what = f"{bone.shape} of radius {bone.radius * bone.voxel_mm:g} mm" if bone.mask is None else "a given geometry"
    return {
        "about": f"{what}, {used.background} and {used.inversion} at λ = {used.regularization:g}",
        "figure": picture(chain_figure(table)),
        "lines": chain_sentences(table),
        "rows": table,
    }


def chain_sentences(table: list[dict]) -> list[str]:
    """Return what the rows of a chain say of each quantity, one sentence each."""
    said = []
    for one in chain_lines(table):
        name, unit = {"chi": ("χ", " ppm"), "r2star": ("R2*", " 1/s"), "pdff": ("The fat fraction", "")}[one.quantity]
        against = {"chi": "truth", "r2star": "same echoes without noise", "pdff": "truth"}[one.quantity]
        # A slope of the true fat fraction is zero.
        share = f", {one.slope / one.true_slope:.0%} of the true one" if one.quantity == "chi" else ""
        told = f"; about the line, it tells BV/TV to {one.scatter:.2g}" if one.quantity != "pdff" else ""
        said.append(
            f"{name} changes by {one.slope:+.4g}{unit} with BV/TV from 0 to 1{share}{told}. Against the {against} it "
            f"is off by {one.bias:+.3g}{unit} on average."
        )
    return said


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
