"""How everything is written: complete or not at all.

Files are made in a hidden folder inside the output folder and moved to their names when all are complete, so that an
exception, a cancelled run or a full disk leaves nothing half-written.
"""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .. import __version__
from ..chunks import run_chunks
from ..errors import InputError
from ..progress import Progress, report
from ..quantities import ALL_QUANTITIES, Quantity
from .locks import lock
from .nifti import write_image

SOFTWARE = "TrabecularQSM"
_GENERATED_BY = [{"Name": SOFTWARE, "Version": __version__}]

_BIDS_VERSION = "1.10.0"
# Suffixes of ours that BIDS has; its validator is told to pass the others by, and whatever else a result has.
_BIDS_SUFFIXES = ("Chimap", "R2starmap", "mask")
_NOT_OF_BIDS = (
    "prov",
    "logs",
    "*.csv",
    "*.html",
    "*.png",
    "*.tfm",
    "*_cohort.json",
    "regressions.json",
    "*_bSSFP.*",
    "*_CT.*",
)

_STAGING, _LOCK = ".writing-", "lock"
_SETTLED_S = 60
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def refuse_existing(output, files, overwrite: bool) -> None:
    """Raise `InputError` if one of `files` (paths inside `output`) is there already and `overwrite` is not set."""
    output = Path(output)
    if output.exists() and not output.is_dir():
        raise InputError(f"{output} is a file; give a folder for the results.")
    there = [file for file in files if (output / file).exists()]
    if there and not overwrite:
        raise InputError(
            f"{output} already holds {there[0]}{f' and {len(there) - 1} more' if len(there) > 1 else ''}; "
            "give another folder or `overwrite`."
        )


def write_files(contents: dict[str | Path, str | bytes | Callable[[Path], None]]) -> list[Path]:
    """Write some files, all or none, and return their paths.

    `contents` maps paths to text, bytes, or a function that writes the file whose path it is given.
    """
    files = {Path(file): content for file, content in contents.items()}
    with contextlib.ExitStack() as stack:
        stagings = {}
        for file, content in files.items():
            if file.parent not in stagings:
                stagings[file.parent] = stack.enter_context(staged(file.parent))
            path = stagings[file.parent] / file.name
            if callable(content):
                content(path)
            elif isinstance(content, bytes):
                path.write_bytes(content)
            else:
                write_text(path, content)
    return list(files)


def input_hashes(files, mask_file=None) -> dict[str, str]:
    """SHA-256 of each file by its name, with folders only where the files lie in several."""
    files = [Path(file).absolute() for file in files]
    try:
        parent = os.path.commonpath([file.parent for file in files])
    except ValueError:  # on several drives of Windows
        hashes = {file.name: _sha256(file) for file in files}
    else:
        hashes = {file.relative_to(parent).as_posix(): _sha256(file) for file in files}
    if mask_file is not None:
        hashes[Path(mask_file).name] = _sha256(mask_file)
    return hashes


def provenance(**values) -> dict:
    """Return what each sidecar says of where a file comes from: this program, its version, and `values`."""
    return {"GeneratedBy": _GENERATED_BY, **values}


def is_ours(sidecar: dict) -> bool:
    """Return whether a sidecar says that its file comes from this program."""
    made = sidecar.get("GeneratedBy")
    return isinstance(made, list) and any(isinstance(one, dict) and one.get("Name") == SOFTWARE for one in made)


def json_text(values: dict) -> str:
    """Return JSON as it is written everywhere: indented, UTF-8, no NaN."""
    return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


@contextlib.contextmanager
def staged(output: Path):
    """Give a folder whose files move into `output` when the block ends well; otherwise leave nothing behind."""
    with staging_in(output) as staging:
        yield staging
        for file in files_below(staging):
            (output / file).parent.mkdir(parents=True, exist_ok=True)
            os.replace(staging / file, output / file)


@contextlib.contextmanager
def staging_in(output: Path):
    """Give a new hidden folder inside `output` that is removed in the end; what cannot be written is told.

    Folders that were made for it, and hidden ones that killed runs left, are removed too.
    """
    made = [folder for folder in (output, *output.parents) if not folder.exists()]
    with contextlib.ExitStack() as stack:
        try:
            output.mkdir(parents=True, exist_ok=True)
            sweep(output)
            hidden = Path(tempfile.mkdtemp(prefix=_STAGING, dir=output))
            stack.callback(shutil.rmtree, hidden, ignore_errors=True)
            lock(stack.enter_context(open(hidden / _LOCK, "wb")))  # closed before the folder is removed
            staging = hidden / "files"
            staging.mkdir()
            yield staging
        except OSError as error:
            if error.errno in _NO_SPACE:
                raise InputError(f"There is no space left to write {output}; free some and run again.") from error
            reason = error.strerror or str(error)
            raise InputError(f"{output} cannot be written ({reason}); give a folder that can.") from error
        finally:
            stack.close()
            for folder in made:
                with contextlib.suppress(OSError):  # stays where it holds the results
                    folder.rmdir()


def sweep(output: Path, settled_s: float = _SETTLED_S) -> None:
    """Remove hidden folders of runs that were killed: nobody holds their lock.

    One that is younger than `settled_s` seconds stays: another run may have made it and not locked it yet.
    """
    for hidden in output.glob(f"{_STAGING}*"):
        with contextlib.suppress(OSError):
            age = time.time() - hidden.stat().st_mtime
            if age > settled_s and _is_dead(hidden, age):
                shutil.rmtree(hidden, ignore_errors=True)


def _is_dead(hidden, age):
    try:
        with open(hidden / _LOCK, "rb+") as file:
            return lock(file)
    except FileNotFoundError:  # killed before it was made, or just about to make it
        return age > _SETTLED_S


@contextlib.contextmanager
def staged_dataset(output: Path, name: str, kind: str = "derivative", progress: Progress | None = None):
    """Give a folder as `staged` does, and a list that holds the paths of all that was written when the block ended.

    Parameters
    ----------
    output : Path
        Folder of the dataset, which gets a description if it has none.
    name : str
        What the dataset is called there.
    kind : {"derivative", "raw"}
    progress : callable, optional
        Called at the end.
    """
    written = []
    with staged(output) as staging:
        describe_dataset(staging, output, name, kind)
        yield staging, written
        written += [output / file for file in files_below(staging)]
    report(progress, 1.0, "Written")


def files_below(folder) -> list[Path]:
    """Return the files below a folder, as paths inside it, sorted."""
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def write_map(folder, stem, quantity: Quantity, array, affine, provenance):
    """Write a map as float32 NIfTI with its sidecar; it is called ``<stem>_<suffix of the quantity>``."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}_{quantity.suffix}"
    image = path.with_name(path.name + ".nii.gz")
    write_image(image, np.asarray(array, dtype=np.float32), affine)
    values = {
        "Description": f"{quantity.title}: {quantity.description}",
        "Units": quantity.unit,
        "SkullStripped": False,  # BIDS asks it of every image that was derived
        "Digest": {"sha256": _sha256(image).removeprefix("sha256:")},
        **provenance,
    }
    write_json(path.with_name(path.name + ".json"), values)


def write_maps(folder, stem, maps, affine, provenance, words="Writing", progress=None):
    """Write maps, by the names of their quantities, as `write_map` does."""
    names = list(maps)

    def work(chunk):
        for name in names[chunk]:
            write_map(folder, stem, ALL_QUANTITIES[name], maps[name], affine, provenance)

    run_chunks(work, len(names), 1, message=f"{words} maps", progress=progress)


def write_labels(stem, labels, affine, names, provenance):
    """Write a label map with its sidecar and the table of its names."""
    write_image(stem.with_name(stem.name + ".nii.gz"), labels, affine)
    values = {"Description": "Regions, named by the table", "SkullStripped": False, **provenance}
    write_json(stem.with_name(stem.name + ".json"), values)
    write_text(stem.with_name(stem.name + ".tsv"), names_text(names))


def names_text(names):
    """Return the names of labels as BIDS's table beside a label map."""
    return "index\tname\n" + "".join(f"{label}\t{' '.join(name.split())}\n" for label, name in names.items())


def describe_dataset(staging, output, name, kind="derivative"):
    """Write dataset_description.json, and what BIDS has no name for into .bidsignore, unless the output has them."""
    if not (output / "dataset_description.json").exists():
        values = {"Name": name, "BIDSVersion": _BIDS_VERSION, "DatasetType": kind, "GeneratedBy": _GENERATED_BY}
        write_json(staging / "dataset_description.json", values)
    if not (output / ".bidsignore").exists():
        suffixes = {quantity.suffix.rpartition("_")[2] for quantity in ALL_QUANTITIES.values()} - {*_BIDS_SUFFIXES}
        lines = [*_NOT_OF_BIDS, *(f"*_{suffix}.*" for suffix in sorted(suffixes))]
        write_text(staging / ".bidsignore", "\n".join(lines) + "\n")


def write_json(path, values):
    """Write values as `json_text`."""
    write_text(path, json_text(values))


def write_text(path, text):
    """Write text in UTF-8 with plain newlines; the folder is made if absent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # File names that are no UTF-8 are held as surrogates, which no text may hold.
    with open(path, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        file.write(text)


def _sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"
