"""What only libraries can read that end or hang on damaged files: in a process of its own, and this one goes on.

That is HDF5, of MATLAB and of ITK's transforms, and DICOM images whose pixels are packed.
"""

import contextlib
import json
import math
import os
import subprocess
import sys
import threading
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..workers import NO_WINDOW, python_program
from .formats import BEST_PACKING, damaged, filled

# Reading slower than this is taken for hanging.
_STARTING_S, _BYTES_PER_S = 60.0, 2e6
# No filter is loaded from shared libraries that lie where HDF5 looks for such.
_NO_PLUGINS = {"HDF5_PLUGIN_PRELOAD": "::"}
_CODE = "import sys; sys.path[:] = {path!r}; from TrabecularQSMLib.files import apart; apart.main()"
_NO_END = "the library that reads it does not come to its end"


def read_arrays(
    path, structs: Collection[str], variables: Collection[str] = (), parameters: Collection[str] = ()
) -> dict:
    """Read what an HDF5 file of MATLAB holds under some names.

    Parameters
    ----------
    path : path
    structs : collection of str
        Groups that are read with all their fields, wherever they lie.
    variables : collection of str
        Datasets that are read if they lie in the nearest group that holds any of them.
    parameters : collection of str
        Those of them that are read from the next groups where that one has none.

    Returns
    -------
    dict
        Structs as dicts of their fields, and the variables: arrays with MATLAB's own axes, text as str, None for what
        is neither. None stands for a struct that is no group.

    Raises
    ------
    InputError
        If the file is damaged, or holds less than it declares.
    """
    with _answer(_arrays_of, path, list(structs), list(variables), list(parameters)) as (found, array):

        def filled_in(value):
            if isinstance(value, dict):
                return {name: filled_in(one) for name, one in value.items()}
            return array(*value) if isinstance(value, list) else value

        return filled_in(found)


def read_transforms(path) -> list[list]:
    """Read the transforms of an HDF5 file of ITK: class, parameters and fixed parameters of each."""
    with _answer(_transforms_of, path) as (found, _):
        return found


def read_images(paths: Sequence[Path]) -> list[np.ndarray | None]:
    """Read DICOM images by ITK: arrays (1, J, I), None for what it cannot read, or for all if it ends on one."""
    try:
        with _answer(_images_of, *paths) as (found, array):
            return [one and array(*one) for one in found]
    except InputError:
        return [None] * len(paths)


@contextlib.contextmanager
def _answer(task, path, *more):
    """Give what a process of its own answers, and a function for the arrays that follow; it is ended if it hangs."""
    process = subprocess.Popen(
        [python_program(), "-c", _CODE.format(path=sys.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **_NO_PLUGINS},
        creationflags=NO_WINDOW,
    )
    size = sum(os.path.getsize(one) for one in (path, *more) if isinstance(one, str | Path))
    timer = threading.Timer(_STARTING_S + size / _BYTES_PER_S, process.kill)
    timer.start()

    def array(kind, shape):
        dtype = np.dtype(kind)
        content = filled(process.stdout, dtype.itemsize * math.prod(shape))
        if len(content) < dtype.itemsize * math.prod(shape):
            raise damaged(path, _NO_END)
        return np.frombuffer(content, dtype).reshape(shape, order="F")

    try:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps([task.__name__, str(path), *map(_plain, more)]).encode())
            process.stdin.close()
        line = process.stdout.readline()
        answer = json.loads(line) if line else {"error": _NO_END}
        if "error" in answer:
            raise damaged(path, answer["error"])
        yield answer["found"], array
    finally:
        timer.cancel()
        process.kill()
        process.stdout.close()
        process.wait()


def _plain(value):
    return str(value) if isinstance(value, Path) else value


def main() -> None:
    """Do the task that comes by standard input, in the process that is started for it."""
    task, *arguments = json.load(sys.stdin)
    arrays = []
    try:
        answer = {"found": globals()[task](arrays, *arguments)}
    except Exception as error:  # whatever the libraries raise on damaged files
        arrays.clear()
        answer = {"error": str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__}
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
    for array in arrays:
        sys.stdout.buffer.write(array)
    sys.stdout.buffer.flush()


def _images_of(arrays, *paths):
    import SimpleITK as sitk

    found = []
    for path in paths:
        try:
            array = sitk.GetArrayFromImage(sitk.ReadImage(path))
        except RuntimeError:
            found.append(None)
            continue
        # In the order of axes that `_answer` expects.
        arrays.append(np.ascontiguousarray(array.T))
        found.append([array.dtype.str, array.shape])
    return found


def _transforms_of(_, path):
    import SimpleITK as sitk

    def parts(transform):
        if transform.GetName() != "CompositeTransform":
            return [transform]
        composite = sitk.CompositeTransform(transform)
        return [one for n in range(composite.GetNumberOfTransforms()) for one in parts(composite.GetNthTransform(n))]

    return [
        [f"{one.GetName()}_double_{one.GetDimension()}_{one.GetDimension()}"]
        + ([one.GetParameters(), one.GetFixedParameters()] if one.IsLinear() else [[], []])
        for one in parts(sitk.ReadTransform(path))
    ]


def _arrays_of(arrays, path, structs, variables, parameters):
    import h5py

    with h5py.File(path, "r") as file:
        room, found = BEST_PACKING * os.path.getsize(path), {}
        for group in _groups(file):
            own = dict(_own(group))
            wanted = parameters if any(name in found for name in variables) else variables
            found |= _fields({name: own[name] for name in wanted if name in own and name not in found}, arrays, room)
            for name in own.keys() & set(structs) - found.keys():
                struct = own[name]
                found[name] = _fields(dict(_own(struct)), arrays, room) if isinstance(struct, h5py.Group) else None
        return found


def _groups(file):
    """Yield a group and those inside, the nearest first."""
    import h5py

    waiting, seen = [file], {file}
    for group in waiting:
        yield group
        for name, item in _own(group):
            # What cells and arrays of structs refer to lies under #refs#.
            if isinstance(item, h5py.Group) and name != "#refs#" and item not in seen:
                seen.add(item)
                waiting.append(item)


def _own(group):
    """Yield what lies in a group of the file itself: links to elsewhere could name any file."""
    import h5py

    for name in group:
        if isinstance(group.get(name, getlink=True), h5py.HardLink):
            yield name, group[name]


def _fields(items, arrays, room):
    """Fields of a struct: text, None, or type and shape of an array, which is put behind `arrays`."""
    import h5py

    fields = {}
    for name, item in items.items():
        if not isinstance(item, h5py.Dataset):
            continue
        if item.external or item.is_virtual:
            raise ValueError(f"the values of {name} lie in other files")
        if item.size * item.dtype.itemsize > room:
            raise ValueError(f"{name} declares more than the file can hold")
        fields[name] = None
        pairs = item.dtype.names == ("real", "imag")
        if item.dtype.kind not in "fiub" and not pairs:
            continue
        array = np.empty(0) if item.attrs.get("MATLAB_empty", 0) else item[()]
        if item.attrs.get("MATLAB_class", b"") == b"char":
            fields[name] = "".join(map(chr, array.ravel(order="F").tolist()))
            continue
        if pairs and array.size:
            array = array.view(np.complex64 if array.dtype["real"] == np.float32 else np.complex128)
        arrays.append(np.ascontiguousarray(array))
        fields[name] = [array.dtype.str, array.shape[::-1]]  # HDF5 counts from the slowest axis, MATLAB the fastest
    return fields
