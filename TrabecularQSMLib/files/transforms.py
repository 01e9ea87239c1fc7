"""Linear transforms in files of ITK: texts and MATLAB files are read here, so that ITK's parsers see numbers only."""

import codecs
import errno
import math
import os
import re
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import InputError, counted
from ..images import matrix_from, transform_from
from .apart import read_transforms
from .formats import decoded, first_bytes, kind_of, name_for_itk, read_bytes
from .matlab import read_variables

_LINEAR = {
    "AffineTransform": lambda: sitk.AffineTransform(3),
    "MatrixOffsetTransformBase": lambda: sitk.AffineTransform(3),
    "Euler3DTransform": sitk.Euler3DTransform,
    "IdentityTransform": lambda: sitk.Transform(3, sitk.sitkIdentity),
    "Rigid3DTransform": lambda: sitk.AffineTransform(3),
    "ScaleTransform": lambda: sitk.ScaleTransform(3),
    "ScaleSkewVersor3DTransform": sitk.ScaleSkewVersor3DTransform,
    "ScaleVersor3DTransform": sitk.ScaleVersor3DTransform,
    "Similarity3DTransform": sitk.Similarity3DTransform,
    "TranslationTransform": lambda: sitk.TranslationTransform(3),
    "VersorRigid3DTransform": sitk.VersorRigid3DTransform,
    "VersorTransform": sitk.VersorTransform,
}
_LINES = re.compile(r"(Transform|Parameters|FixedParameters):(.*)")
# How transforms of other programs begin, and whose they are.
_FOREIGN = (
    (rb"\s*(?:[-+\d.eE]+[ \t]+){3}[-+\d.eE]+\s*\n", "FSL (a plain matrix)"),
    (rb"(?s).{0,200}?\(Transform ", "elastix"),
    (rb"(?s).{0,400}?\bnxforms\b", "FreeSurfer"),
    (rb"MNI Transform File", "MINC"),
)
_SMALLEST_DETERMINANT = 1e-6


def read_transform(path) -> np.ndarray:
    """Read a linear transform as a matrix (4, 4) from RAS points to RAS points.

    Parameters
    ----------
    path : path
        ``.tfm``, ``.txt``, ``.mat`` or ``.h5`` of ITK; also several linear ones in a composite.

    Raises
    ------
    InputError
        If the file is absent, damaged, or holds a transform that is not linear or has no inverse.
    """
    path = Path(path)
    start = first_bytes(path).removeprefix(codecs.BOM_UTF8)
    if whose := next((whose for pattern, whose in _FOREIGN if re.match(pattern, start)), None):
        raise InputError(
            f"{path} is a transform of {whose}, not of ITK; convert it to one (.tfm), or register the images again."
        )
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        matrix = _product(path, read_transforms(path), composite=True)
    elif path.suffix.lower() == ".mat":
        matrix = _product(path, _of_matlab(path))
    elif start.startswith(b"#Insight Transform File"):
        matrix = _product(path, _of_text(path))
    else:
        kind = kind_of(path, start)
        what = f"is {kind[0]}" if kind else "is of a kind that is not known"
        raise InputError(f"{path} cannot be read as a transform: it {what}; give a .tfm file such as register writes.")
    if not np.all(np.isfinite(matrix)) or abs(np.linalg.det(matrix[:3, :3])) < _SMALLEST_DETERMINANT:
        raise InputError(f"{path} holds a transform without an inverse; give a rigid or affine one.")
    return matrix


def write_transform(path, matrix: np.ndarray) -> None:
    """Write a matrix (4, 4) from RAS points to RAS points as an ITK transform, such as ``.tfm``.

    Raises
    ------
    OSError
        If it does not fit on the disk, of which ITK says nothing.
    """
    try:
        with name_for_itk(path) as name:
            sitk.WriteTransform(transform_from(matrix), name)
        whole = np.allclose(read_transform(path), matrix, atol=1e-6)
    except (RuntimeError, InputError):
        whole = False
    if not whole:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def _of_matlab(path):
    """Class, parameters and fixed parameters of a MATLAB file as ITK and ANTs write it."""
    try:
        found = read_variables(path)
    except InputError as error:
        raise _damaged(path, "it is no whole MATLAB file") from error
    names = [name for name in found if name != "fixed"]
    if len(names) != 1:
        raise _damaged(path, f"it holds {len(names)} variables beside 'fixed', not one")
    if "Transform" not in names[0]:
        raise _damaged(path, f"its variable {names[0]} is none of ITK's transforms (a matrix of SPM?)")
    numbers = [found.get(name, np.empty(0)) for name in (names[0], "fixed")]
    if not all(isinstance(values, np.ndarray) and values.dtype.kind in "fiu" for values in numbers):
        raise _damaged(path, "its variables are no numbers")
    return [(names[0], *(values.ravel().astype(float).tolist() for values in numbers))]


def _of_text(path):
    """Class, parameters and fixed parameters of each transform in a text."""
    content = read_bytes(path)
    if b"\0" in content:
        raise _damaged(path, "it holds bytes that are no text")
    found = []
    for line in decoded(content).splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        parts = _LINES.fullmatch(line)
        if parts is None or (parts[1] != "Transform" and not found):
            raise _damaged(path, f"it holds the line {line[:40]!r}")
        if parts[1] == "Transform":
            found.append([parts[2].strip(), [], []])
            continue
        try:
            numbers = [float(word) for word in parts[2].split()]
        except ValueError:
            numbers = [math.nan]
        if not all(map(math.isfinite, numbers)):
            raise _damaged(path, f"not all {parts[1]} are numbers")
        found[-1][1 if parts[1] == "Parameters" else 2] = numbers
    return found


def _product(path, found, *, composite=False):
    """Matrix of one transform, or of a composite, which applies its last one first."""
    if found and found[0][0].startswith("CompositeTransform_"):
        found, composite = found[1:], True
    if not found or len(found) > 1 and not composite:
        raise _damaged(path, f"it holds {len(found)} transforms, not one")
    matrix = np.eye(4)
    for name, parameters, fixed in found:
        matrix = matrix @ _matrix(path, name, parameters, fixed)
    return matrix


def _matrix(path, name, parameters, fixed):
    kind, _, dimensions = name.partition("_")
    if kind not in _LINEAR or not dimensions.endswith("3_3"):
        raise _not_linear(path, name)
    transform = _LINEAR[kind]()
    expected = len(transform.GetParameters())
    if len(parameters) != expected:
        raise _damaged(path, f"{name} has {counted(len(parameters), 'parameter')}, not {expected}")
    if len(fixed) not in (0, 3, 4):
        raise _damaged(path, f"{name} has {counted(len(fixed), 'fixed parameter')}, not 3")
    try:
        if stored := transform.GetFixedParameters():
            # Older files have the center alone, without the order of Euler's angles.
            transform.SetFixedParameters([*fixed, *stored[len(fixed) :]])
        transform.SetParameters(parameters)
    except RuntimeError as error:
        raise _damaged(path, f"ITK refuses the parameters of {name}") from error
    return matrix_from(transform)


def _damaged(path, why):
    return InputError(f"{path} cannot be read as a transform: {why}; give a .tfm file such as register writes.")


def _not_linear(path, name):
    return InputError(f"{path} is not a linear transform in three dimensions, but {name}; give a rigid or affine one.")
