"""The subjects and sessions of a BIDS dataset, with the files that belong to each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError
from ..files import bids
from ..files.parts import bare_name
from ..files.scan import checked_label, parse_name, stem_of

# What a subject may have beside its scan, and what people call it.
COMPANIONS = {
    "regions": "regions on the echo MIP",
    "bssfp": "bSSFP",
    "bone": "bone reference on the bSSFP",
    "ct": "CT",
}


@dataclass(frozen=True)
class Subject:
    """One subject, or one session of a subject: a scan and what is measured with it.

    Parameters
    ----------
    labels : dict of str to str
        ``sub``, and ``ses`` where there is one.
    images : tuple of Path
        The images of its multi-echo scans.
    companions : dict of str to Path
        Files of the kinds of `COMPANIONS` that are there.
    missing : tuple of str
        Kinds that were looked for and are not there.
    """

    labels: Mapping[str, str]
    images: tuple[Path, ...]
    companions: Mapping[str, Path] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Such as ``sub-01_ses-2``: the case of its rows."""
        return stem_of(self.labels)

    @property
    def lacks_phase(self) -> bool:
        """Whether all its images are called magnitude."""
        return {parse_name(bare_name(image))[0].get("part") for image in self.images} == {"mag"}

    @property
    def folder(self) -> Path:
        """Its folder in a dataset, such as ``sub-01/ses-2``."""
        return Path(*(f"{key}-{label}" for key, label in self.labels.items()))


def find_subjects(
    dataset, patterns: Mapping[str, str] | None = None, participants: Sequence[str] = ()
) -> list[Subject]:
    """Find every subject and session of a BIDS dataset that has multi-echo scans.

    Parameters
    ----------
    dataset : path
        Folder of the dataset.
    patterns : mapping of str to str, optional
        Kind of `COMPANIONS` to where its files are, from the dataset's folder: ``{name}`` stands for ``sub-01_ses-2``,
        ``{folder}`` for ``sub-01/ses-2``, ``*`` for anything.
    participants : sequence of str
        Labels of the subjects to take, with or without ``sub-``; all by default.

    Returns
    -------
    list of Subject
        Sorted by name.

    Raises
    ------
    InputError
        If there is no dataset or no such subject, a pattern fits several files of one subject or one for all, or there
        is one of a bone reference without those of what it is for.
    """
    dataset = Path(dataset)
    if not dataset.is_dir():
        raise InputError(f"{dataset} is not a folder; give a BIDS dataset, which has a folder for each subject.")
    if "bone" in (patterns or {}) and not {"bssfp", "regions"} <= patterns.keys():
        raise InputError(
            "A bone reference is for the apparent BV/TV of regions in the bSSFP that it was drawn on; give regions and "
            "bSSFP too, or leave it out."
        )
    wanted = [checked_label(label, "sub") for label in participants]
    images = {}
    for entities, files in bids.find(dataset).items():
        labels = tuple((key, value) for key, value in entities if key in ("sub", "ses"))
        images.setdefault(labels, []).extend(path for path, *_ in files)
    if not images:
        raise InputError(f"{dataset} holds no multi-echo scan; expected {bids.EXPECTED_NAME}.")
    there = {dict(labels)["sub"] for labels in images}
    if unknown := [label for label in wanted if label not in there]:
        raise InputError(f"{dataset} holds no subject sub-{unknown[0]}; choose from {', '.join(sorted(there))}.")
    return [
        _with_companions(dataset, Subject(dict(labels), tuple(sorted(images[labels]))), patterns or {})
        for labels in sorted(images, key=lambda labels: stem_of(dict(labels)))
        if not wanted or dict(labels)["sub"] in wanted
    ]


def _with_companions(dataset, subject, patterns):
    found, missing = {}, []
    for kind, pattern in patterns.items():
        if "{name}" not in pattern and "{folder}" not in pattern:
            raise InputError(
                f"The pattern {pattern!r} is the same for all subjects; put {{name}} (sub-01_ses-2) or {{folder}} "
                "(sub-01/ses-2) where they differ."
            )
        try:
            place = pattern.format(name=subject.name, folder=subject.folder.as_posix())
        except (KeyError, ValueError, IndexError) as error:
            raise InputError(
                f"The pattern {pattern!r} cannot be filled in; use {{name}}, {{folder}} and * only."
            ) from error
        root = Path(place).anchor
        files = sorted(Path(root or dataset).glob(place.removeprefix(root)))
        if len(files) > 1:
            raise InputError(
                f"{files[0]} and {files[1].name} both fit {pattern!r} for {subject.name}; give a pattern that fits "
                "one file for each subject."
            )
        if files:
            found[kind] = files[0]
        else:
            missing.append(kind)
    return Subject(subject.labels, subject.images, found, tuple(missing))
