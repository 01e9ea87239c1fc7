"""Provenance of a dataset's files as BIDS has it: what was done, to what, by which software, where.

Sidecars name the activity that made their file; ``prov/`` tells of each activity, and of what it used that lies
elsewhere. Times, hosts and paths are not in it: the same work gives the same record.
"""

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy
import scipy
import SimpleITK as sitk

from .. import __version__
from .formats import read_entries
from .writing import SOFTWARE, write_json

_VERSIONS = {
    SOFTWARE: __version__,
    "numpy": numpy.__version__,
    "scipy": scipy.__version__,
    "SimpleITK": sitk.__version__,
}


@dataclass(frozen=True)
class Activity:
    """One step of the work.

    Parameters
    ----------
    name : str
        Of the command that repeats it, such as ``reconstruct``.
    label : str
        What is done, in words.
    arguments : sequence of str
        Of that command; INPUT and OUTPUT stand for folders.
    options : mapping of str to str
        Its options and their values.
    inputs : mapping of str to str
        Files from elsewhere, by name, with their hashes as `input_hashes` gives them.
    within : sequence of str
        Files of the same dataset, as paths inside it.
    """

    name: str
    label: str
    arguments: Sequence[str]
    options: Mapping[str, str]
    inputs: Mapping[str, str] = field(default_factory=dict)
    within: Sequence[str] = ()

    @cached_property
    def sidecar(self) -> dict:
        """What the sidecar of a file says that it made."""
        software = {"Name": SOFTWARE, "Version": __version__}
        return {"GeneratedBy": self.record["Id"], "Software": software, "Sources": self._sources}

    @property
    def _sources(self):
        return [*map(_entity, self.inputs.values()), *(f"bids::{file}" for file in self.within)]

    @cached_property
    def record(self) -> dict:
        """Its entry among the activities."""
        options = [f"--{name} {value}" for name, value in self.options.items()]
        values = {
            "Label": self.label,
            "Command": " ".join(["trabecular-qsm", self.name, *self.arguments, *options]),
            "AssociatedWith": [one["Id"] for one in _software()],
            "Used": [_environment()["Id"], *self._sources],
        }
        return {"Id": _identifier(self.name, values), **values}

    @property
    def entities(self) -> list[dict]:
        """Entries of the files that it used from elsewhere."""
        return [
            {"Id": _entity(digest), "Label": Path(name).name, "AtLocation": name, "Digest": _digest(digest)}
            for name, digest in self.inputs.items()
        ]


def write_activities(folder: Path, label: str, activities: Sequence[Activity]) -> None:
    """Write what is known of activities: ``prov/prov-<label>_act.json``, ``…_ent``, ``…_soft`` and ``…_env``.

    Parameters
    ----------
    folder : Path
        Of the dataset.
    label : str
        Of the scan and what was done: such as ``sub-01_ses-2``; BIDS has no hyphen in labels.
    activities : sequence of Activity
    """
    entities = {one["Id"]: one for activity in activities for one in activity.entities}
    contents = {
        "act": {"Activities": [activity.record for activity in activities]},
        "ent": {"ProvEntities": list(entities.values())},
        "soft": {"Software": _software()},
        "env": {"Environments": [_environment()]},
    }
    for suffix, values in contents.items():
        write_json(_record_file(folder, label, suffix), values)


def software_of(folder: Path, label: str) -> list[tuple[str, str]]:
    """Return names and versions of the software that `write_activities` told of, and the environment, if there."""
    try:
        soft, env = (read_entries(_record_file(folder, label, kind)) for kind in ("soft", "env"))
        found = [(one["Label"], one["Version"]) for one in soft["Software"]]
        return [*found, *(("environment", f"{one['Label']}, {one['OperatingSystem']}") for one in env["Environments"])]
    except (KeyError, TypeError):
        return []


def _record_file(folder, label, suffix):
    return folder / "prov" / f"prov-{label.replace('-', '').replace('_', '+')}_{suffix}.json"


def _software():
    found = []
    for name, version in _VERSIONS.items():
        values = {"Label": name, "Version": version}
        found.append({"Id": _identifier(name, values), **values})
    return found


def _environment():
    values = {
        "Label": f"{platform.python_implementation()} {platform.python_version()} on {platform.machine()}",
        "OperatingSystem": platform.system(),
    }
    return {"Id": _identifier("environment", values), **values}


def _identifier(name, values):
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
    return f"bids::prov#{name}-{digest[:8]}"


def _entity(digest):
    return f"bids::prov#provEntity-{digest.removeprefix('sha256:')[:16]}"


def _digest(text):
    kind, _, value = text.partition(":")
    return {kind: value}
