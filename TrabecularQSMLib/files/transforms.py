"""Linear transforms of ITK by our own parser: no damaged file reaches ITK's, which a NUL byte can crash."""

import re
from pathlib import Path

import numpy as np
import scipy.io
import SimpleITK as sitk

from ..errors import InputError

_LPS_TO_RAS = np.array([-1.0, -1.0, 1.0, 1.0])
_LARGEST_BYTES = 1 << 20  # a linear transform is below 1 kB; what is far longer is a warp or no transform
_HDF5 = b"\x89HDF\r\n\x1a\n"


def _matrix_and_translation(parameters):
    return np.reshape(parameters[:9], (3, 3)), parameters[9:]


def _euler(parameters, last_first=False):
    (ca, cb, cc), (sa, sb, sc) = np.cos(parameters[:3]), np.sin(parameters[:3])
    x = np.array([[1, 0, 0], [0, ca, -sa], [0, sa, ca]])
    y = np.array([[cb, 0, sb], [0, 1, 0], [-sb, 0, cb]])
    z = np.array([[cc, -sc, 0], [sc, cc, 0], [0, 0, 1]])
    return (z @ y @ x if last_first else z @ x @ y), parameters[3:6]


def _versor(vector):
    """Rotation of a unit quaternion by its imaginary part."""
    square = float(vector @ vector)
    if square > 1 + 1e-6:
        raise ValueError("its versor is longer than one")
    w = np.sqrt(max(1 - square, 0.0))
    x, y, z = vector
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + 2 * w * cross + 2 * cross @ cross


# Name of a class of ITK: the number of its parameters, and its matrix and translation.
_CLASSES = {
    "AffineTransform": (12, _matrix_and_translation),
    "MatrixOffsetTransformBase": (12, _matrix_and_translation),
    "Rigid3DTransform": (12, _matrix_and_translation),
    "Euler3DTransform": (6, _euler),
    "VersorRigid3DTransform": (6, lambda p: (_versor(p[:3]), p[3:])),
    "Similarity3DTransform": (7, lambda p: (p[6] * _versor(p[:3]), p[3:6])),
    "VersorTransform": (3, lambda p: (_versor(p), np.zeros(3))),
    "ScaleTransform": (3, lambda p: (np.diag(p), np.zeros(3))),
    "TranslationTransform": (3, lambda p: (np.eye(3), p)),
    "IdentityTransform": (0, lambda p: (np.eye(3), np.zeros(3))),
}


def read_linear(path: Path) -> np.ndarray:
    """Read a linear transform of ITK as a matrix (4, 4) from RAS points to RAS points.

    Parameters
    ----------
    path : path
        Text (``.tfm``, ``.txt``), Matlab 4 (``.mat``, as ANTs writes it) or HDF5 (``.h5``).

    Raises
    ------
    InputError
        If it is no such file, or a transform that is not linear in three dimensions.
    """
    with open(path, "rb") as file:
        content = file.read(_LARGEST_BYTES + 1)
    if content.startswith(_HDF5):
        parts = _hdf5_parts(path)
    elif content.startswith(b"#Insight Transform File"):
        parts = _text_parts(content, path)
    elif path.suffix.lower() == ".mat" and len(content) <= _LARGEST_BYTES:
        parts = _matlab_parts(path)
    else:
        raise _no_transform(path, "it does not start as one")
    if parts and parts[0][0].startswith("CompositeTransform"):
        parts = parts[1:]
    elif len(parts) > 1:
        raise InputError(f"{path} holds {len(parts)} transforms; give a file with one, or one composite.")
    if not parts:
        raise _no_transform(path, "it holds none")
    matrix = np.eye(4)
    for part in parts:  # the last of a composite is applied first
        matrix = matrix @ _matrix(path, *part)
    return matrix * _LPS_TO_RAS[:, None] * _LPS_TO_RAS


def _matrix(path, name, parameters, fixed):
    kind, _, sizes = name.partition("_")
    if kind not in _CLASSES or not re.fullmatch(r"(double|float)_3_3", sizes):
        raise InputError(
            f"{path} holds the transform {name[:60]!r}, which is not a linear transform in three dimensions that is "
            "known here; give a rigid or affine one, such as AffineTransform_double_3_3."
        )
    count, build = _CLASSES[kind]
    values = np.concatenate([parameters, fixed])
    if len(parameters) != count or len(fixed) not in (0, 3, 4) or not np.all(np.isfinite(values)):
        raise _no_transform(
            path, f"{kind} has {len(parameters)} parameters and {len(fixed)} fixed ones; expected {count} finite and 3"
        )
    try:
        if kind == "Euler3DTransform" and len(fixed) == 4 and fixed[3]:
            linear, translation = _euler(parameters, last_first=True)
        else:
            linear, translation = build(parameters)
    except ValueError as error:
        raise _no_transform(path, str(error)) from error
    center = fixed[:3] if len(fixed) >= 3 and kind != "TranslationTransform" else np.zeros(3)
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = linear, translation + center - linear @ center
    return matrix


def _text_parts(content, path):
    """Name, parameters and fixed parameters of each transform of a text file."""
    if len(content) > _LARGEST_BYTES:
        raise InputError(f"{path} is too long for a linear transform; give a rigid or affine one.")
    if b"\0" in content:
        raise _no_transform(path, "it holds NUL bytes, so it is damaged")
    parts = []
    for line in content.decode("latin-1").splitlines():
        key, colon, value = line.partition(":")
        if not line.strip() or line.startswith("#"):
            continue
        key = key.strip()
        if not colon or key not in ("Transform", "Parameters", "FixedParameters") or (key != "Transform" and not parts):
            raise _no_transform(path, f"the line {line[:40]!r} is not one of it")
        if key == "Transform":
            parts.append([value.strip(), np.zeros(0), np.zeros(0)])
            continue
        try:
            parts[-1][1 if key == "Parameters" else 2] = np.array([float(word) for word in value.split()])
        except ValueError as error:
            raise _no_transform(path, f"{key} holds what is no number") from error
    return parts


def _matlab_parts(path):
    try:
        held = {name: np.ravel(values) for name, values in scipy.io.loadmat(path).items() if name[:2] != "__"}
        fixed = np.asarray(held.pop("fixed"), dtype=np.float64)
        return [(name, np.asarray(values, dtype=np.float64), fixed) for name, values in held.items()]
    except Exception as error:  # scipy raises almost anything for a damaged file
        raise _no_transform(path, "it is no .mat file of ITK") from error


def _hdf5_parts(path):
    try:
        import h5py
    except ImportError:
        return [_itk_part(path)]
    try:
        with h5py.File(path) as file:
            groups = file["TransformGroup"]
            parts = []
            for number in sorted(groups, key=int):
                name = np.ravel(groups[number]["TransformType"][()])[0]
                values = [
                    np.ravel(groups[number][key][()]).astype(np.float64) if key in groups[number] else np.zeros(0)
                    for key in ("TransformParameters", "TransformFixedParameters")
                ]
                parts.append((name.decode() if isinstance(name, bytes) else str(name), *values))
            return parts
    except (OSError, KeyError, ValueError, TypeError, IndexError) as error:
        raise _no_transform(path, "it is damaged, or HDF5 of another kind") from error


def _itk_part(path):
    """One transform of an HDF5 file by ITK, where h5py is not there."""
    try:
        transform = sitk.ReadTransform(str(path))
    except RuntimeError as error:
        raise _no_transform(path, "it is damaged, or HDF5 of another kind") from error
    if transform.GetDimension() != 3 or not transform.IsLinear():
        raise InputError(f"{path} is not a linear transform in three dimensions; give a rigid or affine one.")
    points = np.array([transform.TransformPoint(point) for point in np.vstack([np.zeros(3), np.eye(3)]).tolist()])
    values = np.concatenate([(points[1:] - points[0]).T.ravel(), points[0]])
    return "AffineTransform_double_3_3", values, np.zeros(3)


def _no_transform(path, reason):
    return InputError(f"{path} cannot be read as a transform ({reason}); give a .tfm file such as register writes.")
