"""Bone volume fraction, trabecular thickness and spacing of a binary image that resolves the trabeculae."""

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..methods import Method
from ..progress import Progress, report

COLUMNS = ("case", "region", "bvtv", "thickness", "spacing", "n")
# Voxel edges may differ by this share, the rounding of headers.
_CUBE_TOLERANCE = 0.01


@dataclass(frozen=True)
class Morphometry:
    """Structure of one region.

    Parameters
    ----------
    region : str
    bvtv : float
        Bone volume over total volume.
    thickness, spacing : float
        Mean thickness of the trabeculae and mean distance between them, mm.
    n : int
        Voxels of the region.
    """

    region: str
    bvtv: float
    thickness: float
    spacing: float
    n: int

    def row(self, case: str) -> dict:
        """Return what `COLUMNS` name."""
        return {"case": case, **{name: getattr(self, name) for name in COLUMNS[1:]}}


def require_bone_morphometry() -> None:
    """Raise `InputError` with the way to install it if itk-bonemorphometry is missing."""
    try:
        from itk import BoneMorphometryFeaturesFilter  # noqa: F401
    except ImportError as error:
        raise InputError(
            "Morphometry needs itk-bonemorphometry; install it with: pip install itk-bonemorphometry"
        ) from error


def morphometry(
    bone: np.ndarray,
    labels: np.ndarray,
    names: dict[int, str],
    voxel_size: tuple[float, float, float],
    *,
    progress: Progress | None = None,
) -> list[Morphometry]:
    """Return the structure of each region.

    Parameters
    ----------
    bone : (K, J, I) bool array
        Which voxels are bone, in an image with several voxels across a trabecula, such as micro-CT.
    labels : (K, J, I) int array
        Region of each voxel, 0 for none.
    names : dict of int to str
        Label to region name.
    voxel_size : (k, j, i)
        mm; voxels must be cubes.
    progress : callable, optional
        Called with a fraction and a message for each region.

    Returns
    -------
    list of Morphometry
        In the order of `names`.

    Raises
    ------
    InputError
        If itk-bonemorphometry is missing, voxels are not cubes, shapes differ, there is no region, or one is empty, all
        bone, without bone, or without a surface of bone along the axes.

    Notes
    -----
    itk-bonemorphometry counts surfaces P_L per mm along the three axes of the grid, inside the region only. By the
    plate model (Parfitt et al. 1983, doi 10.1172/JCI111096) thickness = BV/TV / P_L and spacing = (1 − BV/TV) / P_L.
    Both hold for structures without preferred direction; plates that all lie across one axis of the grid come out
    thicker and farther apart by 3/2, as the mean over all directions meets half of the surfaces that this axis meets,
    and the mean over the three axes a third.
    """
    require_bone_morphometry()
    bone = np.asarray(bone) != 0
    if labels.shape != bone.shape:
        raise InputError(f"The regions have shape {labels.shape} but the mask has {bone.shape}; give one grid.")
    # The filter takes the edge along k for that along i.
    if max(voxel_size) > (1 + _CUBE_TOLERANCE) * min(voxel_size):
        raise InputError(
            f"The mask has voxels of {' × '.join(f'{x:.4g}' for x in voxel_size[::-1])} mm; "
            "expected cubes, so resample the image before you threshold it."
        )
    if not names:
        raise InputError("The segmentation holds no region; draw at least one.")
    results = []
    for number, (label, region) in enumerate(names.items()):
        report(progress, number / len(names), f"Measuring {region}")
        inside = labels == label
        size, solid = np.count_nonzero(inside), np.count_nonzero(bone & inside)
        if size == 0:
            raise InputError(f"The region {region!r} (label {label}) has no voxel on the mask; draw it there.")
        if solid in (0, size):
            found = "no bone" if solid == 0 else "nothing but bone"
            raise InputError(f"There is {found} in the region {region!r}; give a mask that shows its trabeculae.")
        surfaces = _surfaces_per_mm(*_cropped(bone, inside), voxel_size)
        if surfaces == 0:
            raise InputError(
                f"Bone in the region {region!r} has no surface along the axes of the grid; draw it larger."
            )
        fraction = solid / size
        results.append(Morphometry(region, fraction, fraction / surfaces, (1 - fraction) / surfaces, int(size)))
    report(progress, 1.0, "Measured the structure")
    return results


def _cropped(bone, inside):
    """The box of the region and one voxel around it, beyond the image's edge the same as inside of it."""
    where = [np.flatnonzero(inside.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    box = tuple(slice(one[0], one[-1] + 3) for one in where)
    return np.pad(bone, 1, mode="edge")[box], np.pad(inside, 1)[box]


def _surfaces_per_mm(bone, inside, voxel_size):
    import itk

    images = [itk.image_from_array(np.ascontiguousarray(array, dtype=np.uint8)) for array in (bone, inside)]
    for image in images:
        image.SetSpacing([float(edge) for edge in voxel_size[::-1]])
    measured = itk.BoneMorphometryFeaturesFilter.New(images[0])
    measured.SetMaskImage(images[1])
    measured.SetThreshold(1)
    measured.Update()
    return measured.GetTbN()


METHOD = Method(
    morphometry,
    title="Morphometry",
    solves="BV/TV; thickness = BV/TV / P_L, spacing = (1 − BV/TV) / P_L by the plate model",
    test="test_analysis_morphometry.MorphometryTest",
    reference="Parfitt et al. 1983, doi 10.1172/JCI111096",
)
