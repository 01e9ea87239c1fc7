"""What every patient of the phantom is made of: shapes in RAS mm, the tissues that fill them, and how these relax.

Every part is an implicit function (an approximate distance to its surface in mm, negative inside); parts are painted
one over another, so that what comes later replaces what lies below.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

# R2* of marrow at 3 T rises linearly from the first to the second value over this range of BV/TV.
MARROW_R2STAR = (40.0, 220.0)
MARROW_R2STAR_BVTV = (0.08, 0.42)
# Tissues have their R2* at this field strength; of it, dephasing (R2* − R2) grows in proportion to the field.
REFERENCE_TESLA = 3.0
# R2 in 1/s, taken not to change with the field: of fat, muscle, fluid and marrow.
R2_FAT, R2_MUSCLE, R2_FLUID, MARROW_R2 = 15.0, 25.0, 2.0, 15.0
# Outermost layer of the skin, mm. Its T2 is too short for gradient echoes, and it keeps what gives signal away from the
# softened step to air, where the field has no meaning.
SILENT_SKIN = 1.2
# The susceptibility is blurred by this many fine voxels (SD) so that its steps do not make the field ring.
SOFTENING = 0.6
# What can be given instead of drawn: setting and the limits within which it makes sense.
CONSTANTS = {"chi_fat": (-2.0, 2.0), "chi_bone": (-10.0, 2.0), "marrow_pdff": (0.0, 1.0), "porosity": (0.0, 1.0)}


@dataclass(frozen=True)
class Tissue:
    """What one part is made of; constants, or functions of patient coordinates for `bvtv` and `label`.

    `density` is the signal at echo time zero of one volume of marrow or soft tissue; `chi` in ppm against water;
    `r2star` in 1/s at 3 T, and the part `r2` of it does not change with the field (None: all of it). For marrow,
    `bvtv` replaces density, `chi`, `r2star` and `r2`.
    """

    density: float = 0.0
    pdff: float = 0.0
    r2star: float = 0.0
    chi: float = 0.0
    r2: float | None = None
    bvtv: Callable | None = None
    label: int | Callable = 0
    is_cortex: bool = False


@dataclass(frozen=True)
class Part:
    """One shape and its tissue. `box` bounds it in RAS mm, low corner and high corner."""

    distance: Callable
    tissue: Tissue
    box: tuple[tuple[float, float, float], tuple[float, float, float]]


@dataclass(frozen=True)
class Patient:
    """All parts in the order of painting, the box around them, the susceptibilities drawn, and the pose.

    The anatomy's own coordinates of a patient point p are `pose` · p + `shift`.
    """

    parts: tuple[Part, ...]
    box: tuple[tuple[float, float, float], tuple[float, float, float]]
    chi_air: float
    chi_fat: float
    chi_bone: float
    pose: np.ndarray
    shift: np.ndarray


@dataclass(frozen=True)
class Anatomy:
    """A part of the body that can be simulated.

    Parameters
    ----------
    draw : callable
        ``draw(rng, constants)`` returns a `Patient`; every state of the generator is another one. Of `CONSTANTS`, those
        that the mapping `constants` holds are not drawn, and all else is drawn as without it.
    region_names : dict of int to str
        Labels 1 to 3 are compartments of one bone, the first denser than the second; marrow has the labels up to 6.
    pivot : (3,) array
        Where the patient turns between scans, in the anatomy's coordinates.
    bssfp_view, ct_view : (str, (3,) array, (3,) array)
        Orientation, center in the anatomy and size in mm along i, j, k of the other scans' fields of view.
    """

    draw: Callable
    region_names: dict[int, str]
    pivot: np.ndarray
    bssfp_view: tuple
    ct_view: tuple


def marrow_r2star(bvtv):
    """R2* [1/s] at 3 T of marrow without macroscopic field, linear in BV/TV."""
    low, high = MARROW_R2STAR
    first, last = MARROW_R2STAR_BVTV
    return low + (high - low) / (last - first) * (bvtv - first)


def marrow_chi(bvtv, pdff, chi_fat, chi_bone):
    """Susceptibility [ppm] of marrow with trabeculae: (1 − BV/TV)·χ_fat·PDFF + BV/TV·χ_bone."""
    return (1 - bvtv) * (chi_fat * pdff) + bvtv * chi_bone


def relaxation(r2star, r2, field_strength):
    """R2* [1/s] at another field strength [T] of what has `r2star` at 3 T and `r2` at any."""
    if r2 is None:
        return r2star
    share = field_strength / REFERENCE_TESLA
    return r2star * share + r2 * (1 - share)


def ellipsoid(x, y, z, center, semi_axes):
    """Distance to an ellipsoid to first order; half axes may be arrays, or infinite for a tube."""
    scaled = [(p - c) / s for p, c, s in zip((x, y, z), center, semi_axes, strict=True)]
    radius = np.sqrt(sum(q * q for q in scaled))
    slope = np.sqrt(sum((q / s) ** 2 for q, s in zip(scaled, semi_axes, strict=True)))
    # At the center both vanish, and any clearly negative number will do.
    return radius * (radius - 1) / np.maximum(slope, np.float32(1e-6))


def capsule(x, y, z, start, end, start_radius, end_radius):
    """Distance to a rod with round ends whose radius changes along it."""
    start, axis = np.asarray(start), np.subtract(end, start)
    px, py, pz = (p - np.float32(s) for p, s in zip((x, y, z), start, strict=True))
    ax, ay, az = (np.float32(a) for a in axis / (axis @ axis))
    along = np.clip(px * ax + py * ay + pz * az, 0, 1)
    ax, ay, az = (np.float32(a) for a in axis)
    distance = np.sqrt((px - along * ax) ** 2 + (py - along * ay) ** 2 + (pz - along * az) ** 2)
    return distance - (np.float32(start_radius) + np.float32(end_radius - start_radius) * along)


def blend(a, b, width):
    """Union of two shapes with a rounded groove of about `width` mm."""
    h = np.maximum(width - np.abs(a - b), 0) / np.float32(width)
    return np.minimum(a, b) - h * h * np.float32(width / 4)


def profile(along, stations, values):
    """Value along an axis between stations."""
    return np.interp(along, stations, values).astype(np.float32)


class Compartments:
    """BV/TV and labels 1, 2, 3 of a bone whose compartments pass smoothly into one another."""

    TRANSITION = 6.0  # mm

    def __init__(self, centers, bvtv):
        self.centers, self.values = centers, bvtv

    def _shares(self, x, y, z):
        squares = [(x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2 for cx, cy, cz in self.centers]
        nearest = np.minimum(np.minimum(squares[0], squares[1]), squares[2])
        weights = [np.exp((nearest - square) / np.float32(2 * self.TRANSITION**2)) for square in squares]
        total = weights[0] + weights[1] + weights[2]
        return [weight / total for weight in weights]

    def bvtv(self, x, y, z):
        """Bone volume fraction."""
        return sum(np.float32(value) * share for value, share in zip(self.values, self._shares(x, y, z), strict=True))

    def label(self, x, y, z):
        """Number of the compartment, 0 between them."""
        shares = self._shares(x, y, z)
        return sum((n + 1) * (share > 0.9).astype(np.uint8) for n, share in enumerate(shares))


class Drawing:
    """A patient while its tissues are drawn: susceptibilities first, then what an anatomy adds, the pose last."""

    def __init__(self, rng: np.random.Generator, constants: Mapping[str, float]):
        self.rng, self.constants, self.parts = rng, constants, []
        self.chi_air = self.uniform(9.2, 9.5)
        self.chi_fat, self.chi_bone = self.constant("chi_fat", 0.45, 0.70), self.constant("chi_bone", -2.3, -1.4)

    def uniform(self, low, high):
        """Draw a number."""
        return float(self.rng.uniform(low, high))

    def constant(self, name, low, high):
        """Draw one of `CONSTANTS`; one that is given is drawn as well, so that all else stays as it is."""
        drawn = self.uniform(low, high)
        return self.constants.get(name, drawn)

    def wave(self, low, high):
        """Draw a BV/TV with a slow wave of 8 %, which makes a bone less ideal than a constant."""
        mean, direction, phase = self.uniform(low, high), self.rng.normal(size=3), self.uniform(0, 2 * np.pi)
        kx, ky, kz = (np.float32(c) for c in 2 * np.pi / 35 * direction / np.linalg.norm(direction))
        return lambda x, y, z: np.float32(mean) * (1 + np.float32(0.08) * np.sin(kx * x + ky * y + kz * z + phase))

    def add(self, distance, tissue, box):
        """Paint a part over those so far."""
        self.parts.append(Part(distance, tissue, box))

    def add_skin_and_muscle(self, body, box, thickness):
        """Paint the body: silent skin, fat, muscle. Return the tissue of fat, fat of the skin, tendon and fluid."""

        def skin_label(x, y, z):
            # Close to the air, the field of the softened step dephases the signal.
            return np.uint8(8) * (body(x, y, z) < -1.5 - SILENT_SKIN)

        pdff = self.uniform(0.94, 0.97)
        fat = Tissue(density=0.95, pdff=pdff, r2star=self.uniform(26, 34), r2=R2_FAT, chi=self.chi_fat * pdff)
        skin = replace(fat, label=skin_label)
        muscle = Tissue(
            density=0.75, pdff=self.uniform(0.02, 0.04), r2star=self.uniform(26, 34), r2=R2_MUSCLE,
            chi=self.uniform(-0.02, 0.02), label=7,
        )  # fmt: skip
        tendon = Tissue(density=0.25, r2star=self.uniform(110, 130), chi=self.uniform(-0.05, 0.05))
        fluid = Tissue(density=1.0, r2star=self.uniform(26, 34), r2=R2_FLUID)
        muscle_depth = np.float32(self.uniform(*thickness))
        self.add(body, Tissue(), box)
        self.add(lambda x, y, z: body(x, y, z) + np.float32(SILENT_SKIN), skin, box)
        self.add(lambda x, y, z: body(x, y, z) + muscle_depth, muscle, box)
        return fat, skin, tendon, fluid

    def add_bone(self, distance, box, bvtv, label=0, pdff=(0.92, 0.98), thickness=(1.2, 1.5)):
        """Paint a bone: cortex, and marrow with trabeculae in it."""
        pdff, porosity = self.constant("marrow_pdff", *pdff), self.constant("porosity", 0.05, 0.15)
        cortex = np.float32(self.uniform(*thickness))
        self.add(distance, Tissue(chi=(1 - porosity) * self.chi_bone, is_cortex=True), box)
        self.add(lambda x, y, z: distance(x, y, z) + cortex, Tissue(pdff=pdff, bvtv=bvtv, label=label), box)

    def patient(self, box, center) -> Patient:
        """Draw the pose, `center` of the anatomy near the center of the field of view, and return the patient."""
        angle = np.deg2rad(self.uniform(-3, 3))
        turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
        # Turned about the left-right axis only: coordinates then stay functions of few array axes, which is much
        # faster.
        pose = turn / self.uniform(0.97, 1.03)
        shift = center + [self.uniform(-2, 2) for _ in range(3)]
        return Patient(tuple(self.parts), box, self.chi_air, self.chi_fat, self.chi_bone, pose, shift)


def with_other_side(patient: Patient, gap_mm: float) -> Patient:
    """Return a patient with the mirror image beside it, `gap_mm` of air or more between; the origin in the middle.

    What was on the patient's right side stays there. Both sides have the same labels.
    """
    low, high = patient.box
    pitch = high[0] - low[0] + gap_mm

    def mirrored(function):
        return lambda x, y, z: function(-x - np.float32(pitch), y, z)

    def box_of(box):
        (x0, *low), (x1, *high) = box
        return (-x1 - pitch, *low), (-x0 - pitch, *high)

    others = []
    for one in patient.parts:
        functions = {name: getattr(one.tissue, name) for name in ("bvtv", "label")}
        functions = {name: mirrored(value) for name, value in functions.items() if callable(value)}
        others.append(Part(mirrored(one.distance), replace(one.tissue, **functions), box_of(one.box)))
    shift = np.array([-pitch / 2, *patient.shift[1:]])
    box = box_of(patient.box)[0], high
    return replace(patient, parts=(*patient.parts, *others), box=box, shift=shift)
