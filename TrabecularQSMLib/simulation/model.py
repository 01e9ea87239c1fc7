"""What is measured of one geometry."""

from dataclasses import dataclass

import numpy as np

from ..acquisition import PATIENT_SUPERIOR, b0_direction
from ..errors import InputError
from .decay import decay_rate
from .field import FieldModel
from .image import bone_of, check_repeats, cube_edge
from .lineshape import Line, fit_line_shape, fit_within_voxels
from .orientation import directions_at, fabric
from .settings import SimulationSettings, rate_per_s

COLUMNS = (
    "number",
    "radius",
    "delta_chi",
    "repeat",
    "bvtv",
    "mean_chi",
    "r2prime_hwhm_ppm",
    "r2prime_per_s",
    "r2prime_fwhm_ppm",
    "r2prime_fwhm_per_s",
)
DECAY = "r2prime_decay_per_s"
# Of Δχ: what cannot be told from nothing, or is in another unit, and beyond titanium (182 ppm).
_LEAST_PPM, _MOST_PPM = 1e-3, 1e3
_FEWEST_PLANES = 8  # of a mask: bone goes on beyond it, and the field of a slice is not that of bone


def columns_of(settings: SimulationSettings) -> tuple[str, ...]:
    """Return the columns of a table: `COLUMNS`, and R2′ of the decay where settings have one."""
    return COLUMNS if settings.decay is None else (*COLUMNS, DECAY)


@dataclass(frozen=True)
class Measured:
    """One geometry for a Δχ of 1 ppm; field, χ and R2′ are proportional to Δχ.

    `bvtv` is a fraction; `mean_chi` the region's mean of the closed-form χ in ppm, None where the region repeats itself
    (no field tells it); `line` the fitted histogram of the field outside the bone in ppm, None where too little is
    marrow or no line fits.
    """

    bvtv: float
    mean_chi: float | None
    line: Line | None

    def quantities(self, delta_chi: float, field_strength: float) -> dict:
        """Return BV/TV, mean χ and R2′ of bone that differs by `delta_chi` [ppm], by the names of `COLUMNS`."""
        hwhm = None if self.line is None else abs(delta_chi) * self.line.hwhm
        return {
            "bvtv": self.bvtv,
            "mean_chi": None if self.mean_chi is None else delta_chi * self.mean_chi,
            "r2prime_hwhm_ppm": hwhm,
            "r2prime_per_s": None if hwhm is None else rate_per_s(hwhm, field_strength),
            "r2prime_fwhm_ppm": None if hwhm is None else 2 * hwhm,
            "r2prime_fwhm_per_s": None if hwhm is None else rate_per_s(2 * hwhm, field_strength),
        }


def measure_geometry(model: FieldModel, mask: np.ndarray, field: np.ndarray | None = None) -> Measured:
    """Measure BV/TV, mean χ and R2′ of a geometry.

    Parameters
    ----------
    model : FieldModel
        Of the region.
    mask : (K, J, I) bool array
        Where bone is, such as from `draw_geometry`.
    field : (K, J, I) array, optional
        ``model.field(mask)``, where it is there already.

    Raises
    ------
    InputError
        If the mask is not on the region's grid.
    """
    mask = mask.astype(bool, copy=False)
    field = model.field(mask) if field is None else field
    edge = model.settings.imaging_voxel
    return Measured(
        bvtv=int(np.count_nonzero(mask)) / mask.size,
        mean_chi=None if model.settings.boundary == "filled" else model.mean_chi(mask),
        line=fit_line_shape(field, ~mask) if edge is None else fit_within_voxels(field, ~mask, edge),
    )


def measure_rows(
    model: FieldModel, mask: np.ndarray, delta_chis, *, seed=(), field: np.ndarray | None = None
) -> list[dict]:
    """Measure a geometry for several Δχ, and the decay of its signal where the settings have one.

    Parameters
    ----------
    model, mask, field
        As for `measure_geometry`.
    delta_chis : sequence of floats
        χ of bone − χ of marrow, ppm.
    seed : sequence of ints
        Of the noise, beside the settings' seed.

    Returns
    -------
    list of dict
        One for each Δχ: ``"delta_chi"``, `Measured.quantities`, and R2′ of the decay.
    """
    settings = model.settings
    mask = mask.astype(bool, copy=False)
    field = model.field(mask) if field is None else field
    measured = measure_geometry(model, mask, field)
    rows = [{"delta_chi": d} | measured.quantities(d, settings.field_strength) for d in delta_chis]
    for row in rows if settings.decay else ():
        row[DECAY] = decay_rate(
            field,
            mask,
            settings.decay,
            field_strength=settings.field_strength,
            delta_chi=row["delta_chi"],
            edge=settings.imaging_voxel,
            seed=(settings.seed, *seed),
        )
    return rows


def measure_image(
    image: np.ndarray,
    affine: np.ndarray,
    delta_chis,
    *,
    b0_patient=PATIENT_SUPERIOR,
    voxel_size_mm: float | None = None,
    imaging_voxel_mm: float | tuple[float, float, float] | None = None,
    b0_angles=None,
    threads: int = 1,
    source: str = "The image",
    **chosen,
) -> tuple[SimulationSettings, list[dict]]:
    """Measure a given geometry, such as of a micro-CT, instead of random inclusions.

    Parameters
    ----------
    image : (K, J, I) array
        Cubic voxels of two values: 0 for marrow, the other one for bone.
    affine : (4, 4) array
        Voxel indices (i, j, k) to RAS in mm.
    delta_chis : sequence of floats
        χ of bone − χ of marrow, ppm.
    b0_patient : (3,) floats
        Direction of B0 in RAS.
    voxel_size_mm : float, optional
        Edge of the cubic voxels, where the affine does not know it.
    imaging_voxel_mm : float or (3,) floats, optional
        Edge of the imaging voxels, to the nearest voxel of the image, or edges along k, j, i; instead of the setting
        `imaging_voxel`.
    b0_angles : sequence of floats, optional
        Degrees of B0 from the main direction of the bone's fabric towards the one that its surfaces look into most,
        instead of `b0_patient`.
    threads : int
        Of the Fourier transforms.
    source : str
        What errors call the image.
    **chosen
        Other settings that differ from the defaults of `SimulationSettings`.

    Returns
    -------
    settings : SimulationSettings
        Those used, with B0 at the first angle.
    rows : list of dict
        One for each Δχ with the keys of `columns_of`; number, radius and repeat are None;
        with `b0_angles` for each of them, as ``"b0_angle"``.

    Raises
    ------
    InputError
        If voxels are not cubes, the image is not binary, does not repeat although the boundary is ``"filled"``, or a
        setting or Δχ cannot be simulated.
    """
    check_delta_chis(delta_chis)
    edge = cube_edge(affine, source) if voxel_size_mm is None else voxel_size_mm
    if not edge > 0:
        raise InputError(f"The voxel size of {source} is {edge:g} mm; give a number above zero.")
    bone = bone_of(image, source)
    if min(bone.shape) < _FEWEST_PLANES:
        raise InputError(
            f"{source} has {' × '.join(map(str, bone.shape[::-1]))} voxels; the field of bone needs {_FEWEST_PLANES} "
            "along each axis at least, so give a larger piece."
        )
    if chosen.get("boundary") == "filled":
        check_repeats(bone, source)
    if imaging_voxel_mm is not None:
        chosen["imaging_voxel"] = _in_voxels(imaging_voxel_mm, edge, min(bone.shape))
    places = [({}, b0_direction(affine, b0_patient))]
    if b0_angles is not None:
        found = fabric(bone).directions
        directions = directions_at(found[0], found[2], b0_angles)
        places = [({"b0_angle": angle}, tuple(place)) for angle, place in zip(b0_angles, directions, strict=True)]
    # The shortest edge is what imaging voxels must fit into.
    chosen["size"] = min(bone.shape)
    every = [SimulationSettings(**chosen | {"b0_direction": direction}) for _, direction in places]
    blank = {"number": None, "radius": None, "repeat": None}
    rows = []
    for (place, _), settings in zip(places, every, strict=True):
        model = FieldModel(settings, bone.shape, threads=threads)
        rows += [blank | place | row for row in measure_rows(model, bone, sorted(set(delta_chis)))]
    return every[0], rows


def _in_voxels(edges_mm, edge, most) -> tuple[int, ...]:
    """Edges of imaging voxels to whole voxels of `edge` mm, 2 to `most` of them."""
    edges_mm = np.broadcast_to(edges_mm, 3)
    voxels = np.rint(edges_mm / edge)
    if not np.all((voxels >= 2) & (voxels <= most)):
        listed = " × ".join(f"{one:g}" for one in edges_mm[::-1])
        raise InputError(
            f"Imaging voxels of {listed} mm do not fit a piece of bone with voxels of {edge:.3g} mm; give edges from "
            f"{2 * edge:.3g} to {most * edge:.3g} mm."
        )
    return tuple(voxels.astype(int).tolist())


def check_delta_chis(delta_chis) -> None:
    """Raise `InputError` if a Δχ [ppm] is zero, not a number, or beyond what any matter has."""
    for value in delta_chis:
        if not _LEAST_PPM <= abs(value) <= _MOST_PPM:
            raise InputError(
                f"Δχ is {value:g} ppm; give {_LEAST_PPM:g} to {_MOST_PPM:g} ppm, above or below zero (the sign is that "
                "of bone − marrow, which differ by 0.5 to 2.5)."
            )
