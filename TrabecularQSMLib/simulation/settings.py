"""Settings of the simulation, with the paper's values."""

import math
from dataclasses import asdict, dataclass

from ..acquisition import GYROMAGNETIC_RATIO_HZ_PER_T
from ..errors import InputError

# What lies around the region, and how long an edge of the computed box is against the region's.
BOXES = {"periodic": 3, "linear": 2, "filled": 1}
SHAPES = ("spheres", "cylinders", "plates")

# The grid of Fig. 8; its smallest and largest values are those of the published tables.
PAPER_NUMBERS = (100, 150, 200, 250, 300)
PAPER_RADII = (5, 7, 10, 12, 15, 17)
PAPER_DELTA_CHIS = (0.5, 1.0, 1.5, 2.0)
PAPER_REPEATS = 100


@dataclass(frozen=True)
class SimulationSettings:
    """What all geometries of a simulation have in common.

    Parameters
    ----------
    size : int
        Edge of the cubic region in voxels; 128 in the paper.
    boundary : str
        ``"periodic"``: the region lies in an empty box three times as long that repeats itself, as in the paper.
        ``"linear"``: empty space without end (for the field within the region; the χ of the box twice as long repeats).
        ``"filled"``: the region itself repeats, and spheres that leave it come in again opposite; no field tells the
        mean χ of what is everywhere, so that there is none.
    shape : str
        ``"spheres"``, ``"cylinders"`` or ``"plates"``; the last two reach through the region.
    orientation : (3,) floats
        Direction of cylinders, or of the normal of plates, along k, j, i; any length.
    b0_direction : (3,) floats
        Direction of B0 along k, j, i; any length.
    regularization : float
        λ of the closed-form χ in squared voxels. The paper prints none for the simulation; 0.788 reproduces its tables.
    field_strength : float
        T, for R2′ in 1/s.
    imaging_voxel : int, optional
        Edge, in voxels of the simulation, of the cubic imaging voxels within which R2′ dephases the signal. The whole
        region by default, as in the paper.
    seed : int
        From which the inclusions of every geometry are drawn.

    Raises
    ------
    InputError
        If a value cannot be simulated.

    References
    ----------
    Diefenbach et al., MRM 2019, doi 10.1002/mrm.27531.
    """

    size: int = 128
    boundary: str = "periodic"
    shape: str = "spheres"
    orientation: tuple[float, float, float] = (1.0, 0.0, 0.0)
    b0_direction: tuple[float, float, float] = (1.0, 0.0, 0.0)
    regularization: float = 0.788
    field_strength: float = 3.0
    imaging_voxel: int | None = None
    seed: int = 0

    def __post_init__(self):
        if self.size < 8:
            raise InputError(f"The region's size is {self.size} voxels; give at least 8.")
        for name, value, choices in (("boundary", self.boundary, BOXES), ("shape", self.shape, SHAPES)):
            if value not in choices:
                raise InputError(f"The {name} is {value!r}; choose one of {', '.join(choices)}.")
        for name, words in (("orientation", "orientation of the inclusions"), ("b0_direction", "direction of B0")):
            vector = getattr(self, name)
            length = math.hypot(*vector)
            if len(vector) != 3 or not (0 < length < math.inf):
                raise InputError(f"The {words} is {_plain(vector[::-1])}; give three numbers that are not all zero.")
            # The same direction is the same simulation, whatever its length.
            object.__setattr__(self, name, tuple(float(x) / length for x in vector))
        if not (1e-12 <= self.regularization <= 1e12):
            raise InputError(f"The regularization is {self.regularization:g}; give a number from 1e-12 to 1e12.")
        if not (0 < self.field_strength <= 1000):
            raise InputError(f"The field strength is {self.field_strength:g} T; give a number above zero, to 1000.")
        if self.imaging_voxel is not None and not 2 <= self.imaging_voxel <= self.size:
            raise InputError(
                f"The imaging voxel has an edge of {self.imaging_voxel} voxels; give 2 to {self.size} (the region)."
            )
        if self.seed < 0:
            raise InputError(f"The seed is {self.seed}; give a whole number from 0.")

    def as_dict(self) -> dict:
        """Return the settings as they are written to files: directions along i, j, k, as users give them (R, A, S)."""
        return asdict(self) | {name: list(getattr(self, name)[::-1]) for name in ("orientation", "b0_direction")}


def rate_per_s(hwhm_ppm: float, field_strength: float) -> float:
    """Return R2′ in 1/s of a Lorentzian line whose half width at half maximum is given in ppm of B0 [T]."""
    return 2 * math.pi * GYROMAGNETIC_RATIO_HZ_PER_T * field_strength * hwhm_ppm * 1e-6


def _plain(vector):
    return " ".join(f"{x:g}" for x in vector)
