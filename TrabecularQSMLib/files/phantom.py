"""The phantom as a BIDS dataset, its truth beside it."""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..phantom import Companions, Phantom
from ..progress import Progress, report
from ..progress import part as part_of
from .bids import write_echoes
from .nifti import write_image
from .scan import checked_label
from .transforms import write_transform
from .writing import describe_dataset, provenance, staged_dataset, write_json, write_labels, write_maps, write_text


def write_phantom(
    output,
    phantom: Phantom,
    *,
    companions: Companions | None = None,
    subject: str = "01",
    progress: Progress | None = None,
) -> list[Path]:
    """Write a phantom as a subject of a BIDS dataset, its truth beside it under ``derivatives/truth``.

    Parameters
    ----------
    output : path
        Folder that is absent or empty, or a dataset without this subject.
    phantom : Phantom
    companions : Companions, optional
        Written as ``sub-X_bSSFP`` and ``sub-X_CT`` beside the echoes. Under the truth: the bone reference on the
        bSSFP's grid, the transforms from the echoes to both, and BV/TV of the simulated trabeculae in the regions.
    subject : str
        Label of the subject.
    progress : callable, optional

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    InputError
        If the folder holds something else, cannot be written or is full; nothing is written then.
    """
    output = Path(output)
    refuse_filled(output, subject)
    acquisition, stem = phantom.acquisition, f"sub-{checked_label(subject, 'sub')}"
    folder = Path(stem, "anat")
    title = f"digital {phantom.settings.anatomy} phantom"
    with staged_dataset(output, title.capitalize(), "raw", progress) as (staging, written):
        anat = staging / folder
        write_echoes(anat, stem, acquisition, part_of(progress, 0.0, 0.6))
        truth = staging / "derivatives" / "truth"
        describe_dataset(truth, output / "derivatives" / "truth", f"Truth of the {title}")
        origin = provenance(PhantomSettings=asdict(phantom.settings))
        share = part_of(progress, 0.6, 0.9)
        write_maps(truth / folder, stem, phantom.truth, acquisition.affine, origin, "Writing true", share)
        drawn = np.unique(phantom.regions)  # on a coarse grid the smallest regions fill no voxel
        names = {label: name for label, name in sorted(phantom.region_names.items()) if label in drawn}
        write_labels(truth / folder / f"{stem}_dseg", phantom.regions, acquisition.affine, names, origin)
        if companions is not None:
            report(progress, 0.9, "Writing bSSFP and CT")
            _write_companions(anat, truth / folder, stem, companions, phantom.settings.anatomy, origin)
    return written


def _write_companions(anat, truth, stem, companions, anatomy, origin):
    origin = {**origin, "CompanionSettings": asdict(companions.settings)}
    for name, array, affine, matrix, units in (
        ("bSSFP", companions.bssfp, companions.bssfp_affine, companions.bssfp_matrix, "arbitrary"),
        ("CT", companions.ct, companions.ct_affine, companions.ct_matrix, "HU"),
    ):
        write_image(anat / f"{stem}_{name}.nii.gz", array, affine)
        description = f"Simulated {name} of the digital {anatomy}'s patient, who lay differently"
        write_json(anat / f"{stem}_{name}.json", {"Description": description, "Units": units, **origin})
        write_transform(truth / f"{stem}_from-MIP_to-{name}.tfm", matrix)
    write_labels(truth / f"{stem}_desc-bone_dseg", companions.bone, companions.bssfp_affine, {1: "bone"}, origin)
    rows = "".join(f"{stem},{region},{value:.7g}\n" for region, value in companions.bvtv.items())
    write_text(truth / f"{stem}_bvtv.csv", "case,region,bvtv\n" + rows)


def refuse_filled(output, subject: str = "01") -> None:
    """Raise `InputError` unless `output` is absent, an empty folder, or a phantom's dataset without this subject."""
    output, name = Path(output), f"sub-{checked_label(subject, 'sub')}"
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    truth = output / "derivatives" / "truth"
    if not truth.is_dir():
        raise InputError(f"{output} exists already and holds no phantom; give a new folder.")
    if any(part.exists() for part in (output / name, truth / name)):
        raise InputError(
            f"{output} exists already; give a new folder or another `subject`, or remove what is there first."
        )
