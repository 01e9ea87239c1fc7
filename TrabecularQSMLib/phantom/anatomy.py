"""The patient of the digital ankle: shapes in RAS mm, and the tissues that fill them.

A right foot in supine position, the middle of the ankle near the origin. Every part is an implicit function (an
approximate distance to its surface in mm, negative inside); parts are painted one over another, so that what comes
later replaces what lies below. Sizes are those of an adult; a seed moves, turns and scales the foot a little and draws
its tissue properties.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

REGION_NAMES = {
    1: "calcaneus subtalar",
    2: "calcaneus tuber",
    3: "calcaneus cavum",
    4: "distal tibia",
    5: "talus",
    6: "metatarsals",
    7: "muscle",
    8: "skin fat",
}
# R2* of marrow rises linearly from the first to the second value over this range of BV/TV.
MARROW_R2STAR = (40.0, 220.0)
MARROW_R2STAR_BVTV = (0.08, 0.42)
# Where the center of the field of view lies in the anatomy, RAS mm.
FIELD_OF_VIEW_CENTER = np.array([0.0, 8.0, 20.0])
# Outermost layer of the skin, mm. Its T2 is too short for gradient echoes, and it keeps what gives signal away from the
# softened step to air, where the field has no meaning.
SILENT_SKIN = 1.2
# Box around the patient in RAS mm; the leg goes on above it.
BODY_BOX = ((-46.0, -84.0, -82.0), (46.0, 196.0, 2000.0))


@dataclass(frozen=True)
class Tissue:
    """What one part is made of; constants, or functions of patient coordinates for `bvtv` and `label`.

    `density` is the signal at echo time zero of one volume of marrow or soft tissue; `chi` in ppm against water;
    `r2star` in 1/s. For marrow, `bvtv` replaces density, `chi` and `r2star`.
    """

    density: float = 0.0
    pdff: float = 0.0
    r2star: float = 0.0
    chi: float = 0.0
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
    """All parts in the order of painting, the susceptibilities drawn, and the pose.

    The anatomy's own coordinates of a patient point p are `pose` · p + `shift`.
    """

    parts: tuple[Part, ...]
    chi_air: float
    chi_fat: float
    chi_bone: float
    pose: np.ndarray
    shift: np.ndarray


def marrow_r2star(bvtv):
    """R2* [1/s] of marrow without macroscopic field, linear in BV/TV."""
    low, high = MARROW_R2STAR
    first, last = MARROW_R2STAR_BVTV
    return low + (high - low) / (last - first) * (bvtv - first)


def marrow_chi(bvtv, pdff, chi_fat, chi_bone):
    """Susceptibility [ppm] of marrow with trabeculae: (1 − BV/TV)·χ_fat·PDFF + BV/TV·χ_bone."""
    return (1 - bvtv) * (chi_fat * pdff) + bvtv * chi_bone


def _ellipsoid(x, y, z, center, semi_axes):
    """Distance to an ellipsoid to first order; half axes may be arrays, or infinite for a tube."""
    scaled = [(p - c) / s for p, c, s in zip((x, y, z), center, semi_axes, strict=True)]
    radius = np.sqrt(sum(q * q for q in scaled))
    slope = np.sqrt(sum((q / s) ** 2 for q, s in zip(scaled, semi_axes, strict=True)))
    # At the center both vanish, and any clearly negative number will do.
    return radius * (radius - 1) / np.maximum(slope, np.float32(1e-6))


def _capsule(x, y, z, start, end, start_radius, end_radius):
    """Distance to a rod with round ends whose radius changes along it."""
    start, axis = np.asarray(start), np.subtract(end, start)
    px, py, pz = (p - np.float32(s) for p, s in zip((x, y, z), start, strict=True))
    ax, ay, az = (np.float32(a) for a in axis / (axis @ axis))
    along = np.clip(px * ax + py * ay + pz * az, 0, 1)
    ax, ay, az = (np.float32(a) for a in axis)
    distance = np.sqrt((px - along * ax) ** 2 + (py - along * ay) ** 2 + (pz - along * az) ** 2)
    return distance - (np.float32(start_radius) + np.float32(end_radius - start_radius) * along)


def _blend(a, b, width):
    """Union of two shapes with a rounded groove of about `width` mm."""
    h = np.maximum(width - np.abs(a - b), 0) / np.float32(width)
    return np.minimum(a, b) - h * h * np.float32(width / 4)


def _profile(along, stations, values):
    return np.interp(along, stations, values).astype(np.float32)


def _leg(x, y, z):
    stations = (-20.0, 20.0, 70.0, 110.0, 200.0)
    half_width = _profile(z, stations, (33.0, 38.0, 36.5, 38.5, 43.0))
    half_depth = _profile(z, stations, (36.0, 38.0, 39.0, 43.0, 50.0))
    below = np.minimum(z + 10, 0)  # the lower end is round
    return _ellipsoid(x, y, below, (2.0, -21.0, 0.0), (half_width, half_depth, np.float32(45)))


def _foot(x, y, z):
    stations = (-60.0, 0.0, 40.0, 70.0, 110.0, 150.0, 190.0)
    center = _profile(y, stations, (-43.0, -37.0, -32.0, -40.0, -52.0, -59.0, -62.0))
    half_height = _profile(y, stations, (32.0, 37.0, 38.0, 31.0, 21.0, 15.0, 11.0))
    half_width = _profile(y, stations, (31.0, 34.0, 37.0, 39.0, 42.0, 42.0, 38.0))
    beyond = np.minimum(y + 55, 0) + np.maximum(y - 175, 0)  # heel and toes are round
    return _ellipsoid(x, beyond, z - center, (0.0, 0.0, 0.0), (half_width, np.float32(23), half_height))


def _body(x, y, z):
    return _blend(_leg(x, y, z), _foot(x, y, z), 22.0)


def _talus(x, y, z):
    dome = _ellipsoid(x, y, z, (0.0, -14.0, 2.0), (18.0, 23.0, 15.0))
    head = _capsule(x, y, z, (-1.0, 0.0, -2.0), (-5.0, 22.0, -8.0), 11.5, 10.5)
    return _blend(dome, head, 6.0)


def _tibia(x, y, z):
    stations = (18.0, 35.0, 60.0, 110.0)
    half_width = _profile(z, stations, (22.0, 18.0, 14.0, 13.0))
    half_depth = _profile(z, stations, (21.0, 17.5, 14.5, 14.0))
    shaft = _ellipsoid(x, y, np.zeros_like(z), (-2.0, -15.0, 0.0), (half_width, half_depth, np.float32(1e3)))
    shaft = np.maximum(shaft, 13 - z)
    malleolus = _capsule(x, y, z, (-20.0, -14.0, 22.0), (-25.0, -14.0, 4.0), 8.0, 5.5)
    # The joint surface follows the talus at the width of the gap.
    return np.maximum(_blend(shaft, malleolus, 5.0), np.float32(3.2) - _talus(x, y, z))


def _fibula(x, y, z):
    ankle = _capsule(x, y, z, (27.0, -22.0, -6.0), (28.0, -24.0, 35.0), 6.5, 5.5)
    shaft = _capsule(x, y, z, (28.0, -24.0, 35.0), (25.0, -26.0, 400.0), 5.5, 5.5)
    return np.maximum(np.minimum(ankle, shaft), np.float32(2.0) - _talus(x, y, z))


def _calcaneus(x, y, z):
    tuber = _ellipsoid(x, y, z, (0.0, -47.0, -40.0), (17.0, 22.0, 21.0))
    middle = _ellipsoid(x, y, z, (0.0, -22.0, -33.0), (17.0, 28.0, 18.0))
    front = _ellipsoid(x, y, z, (4.0, 4.0, -36.0), (14.0, 20.0, 13.0))
    bone = _blend(_blend(tuber, middle, 8.0), front, 8.0)
    return np.maximum(bone, np.float32(2.6) - _talus(x, y, z))


def _tarsals(x, y, z):
    cuboid = _ellipsoid(x, y, z, (10.0, 42.0, -41.0), (13.0, 16.0, 11.0))
    navicular = _ellipsoid(x, y, z, (-8.0, 42.0, -13.0), (15.0, 8.0, 12.0))
    cuneiforms = _ellipsoid(x, y, z, (-10.0, 61.0, -23.0), (16.0, 10.0, 10.0))
    bone = np.minimum(np.minimum(cuboid, navicular), cuneiforms)
    return np.maximum(bone, np.float32(2.0) - np.minimum(_talus(x, y, z), _calcaneus(x, y, z)))


def _metatarsals(x, y, z):
    rods = []
    for n, radius in enumerate((7.5, 5.8, 5.6, 5.4, 5.6)):
        base = (-22.0 + 11.5 * n, 76.0 - 4.0 * n, -27.0 - 4.5 * n)
        head = (-30.0 + 15.0 * n, 142.0 - 6.0 * n, -60.0 - 0.5 * n)
        rods.append(_capsule(x, y, z, base, head, 5.2, radius))
    return np.minimum.reduce(np.broadcast_arrays(*rods))


def _achilles(x, y, z):
    upper = _capsule(x / 2, y, z, (0.0, -50.0, 35.0), (0.0, -52.0, 400.0), 3.0, 3.0)
    lower = _capsule(x / 2, y, z, (0.0, -68.0, -32.0), (0.0, -50.0, 35.0), 3.2, 3.0)
    return np.maximum(np.minimum(upper, lower), _body(x, y, z) + np.float32(3))


def _extensor(x, y, z):
    upper = _capsule(x, y, z, (-8.0, 8.0, 40.0), (-8.0, 10.0, 400.0), 3.0, 3.0)
    lower = _capsule(x, y, z, (-18.0, 52.0, -4.0), (-8.0, 8.0, 40.0), 2.6, 3.0)
    # The straight line would leave the skin in the bend of the ankle.
    return np.maximum(np.minimum(upper, lower), _body(x, y, z) + np.float32(3))


def _heel_pad(x, y, z):
    pad = _ellipsoid(x, y, z, (0.0, -46.0, -74.0), (24.0, 26.0, 12.0))
    return np.maximum(pad, _body(x, y, z) + np.float32(SILENT_SKIN))


def _fat_pad(x, y, z):
    return _ellipsoid(x, y, z, (0.0, -41.0, 27.0), (13.0, 6.5, 26.0))


def _joint_fluid(x, y, z):
    near = _ellipsoid(x, y, z, (0.0, -14.0, 12.0), (21.0, 24.0, 13.0))
    return np.maximum(near, _talus(x, y, z) - np.float32(4))


class _Calcaneus:
    """BV/TV and labels of the calcaneus: three compartments that pass smoothly into one another."""

    CENTERS = ((0.0, -18.0, -25.0), (0.0, -50.0, -40.0), (2.0, -4.0, -43.0))  # subtalar, tuber, cavum
    TRANSITION = 6.0  # mm

    def __init__(self, bvtv):
        self.values = bvtv

    def _shares(self, x, y, z):
        squares = [(x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2 for cx, cy, cz in self.CENTERS]
        nearest = np.minimum(np.minimum(squares[0], squares[1]), squares[2])
        weights = [np.exp((nearest - square) / np.float32(2 * self.TRANSITION**2)) for square in squares]
        total = weights[0] + weights[1] + weights[2]
        return [weight / total for weight in weights]

    def bvtv(self, x, y, z):
        return sum(np.float32(value) * share for value, share in zip(self.values, self._shares(x, y, z), strict=True))

    def label(self, x, y, z):
        shares = self._shares(x, y, z)
        return sum((n + 1) * (share > 0.9).astype(np.uint8) for n, share in enumerate(shares))


def draw_patient(rng: np.random.Generator) -> Patient:
    """Draw anatomy, pose and tissue properties; every seed is another patient."""
    draw = lambda low, high: float(rng.uniform(low, high))  # noqa: E731
    chi_air, chi_fat, chi_bone = draw(9.2, 9.5), draw(0.45, 0.70), draw(-2.3, -1.4)

    def skin_label(x, y, z):
        # Close to the air, the field of the softened step dephases the signal.
        return np.uint8(8) * (_body(x, y, z) < -1.5 - SILENT_SKIN)

    fat_fraction = draw(0.94, 0.97)
    fat = Tissue(density=0.95, pdff=fat_fraction, r2star=draw(26, 34), chi=chi_fat * fat_fraction)
    skin = replace(fat, label=skin_label)
    muscle = Tissue(density=0.75, pdff=draw(0.02, 0.04), r2star=draw(26, 34), chi=draw(-0.02, 0.02), label=7)
    tendon = Tissue(density=0.25, r2star=draw(110, 130), chi=draw(-0.05, 0.05))
    fluid = Tissue(density=1.0, r2star=draw(26, 34))
    skin_thickness = draw(5.0, 5.8)
    parts = [
        Part(_body, Tissue(), BODY_BOX),
        Part(lambda x, y, z: _body(x, y, z) + np.float32(SILENT_SKIN), skin, BODY_BOX),
        Part(lambda x, y, z: _body(x, y, z) + np.float32(skin_thickness), muscle, BODY_BOX),
        Part(_heel_pad, skin, ((-26, -76, -84), (26, -18, -60))),
        Part(_fat_pad, fat, ((-15, -50, 0), (15, -33, 55))),
        Part(_achilles, tendon, ((-9, -74, -38), (9, -44, 2000))),
        Part(_extensor, tendon, ((-23, 3, -9), (-3, 57, 2000))),
        Part(_joint_fluid, fluid, ((-24, -40, -3), (24, 13, 27))),
    ]

    def add_bone(distance, box, bvtv, label=0):
        pdff, porosity, thickness = draw(0.92, 0.98), draw(0.05, 0.15), draw(1.2, 1.5)
        cortex = Tissue(chi=(1 - porosity) * chi_bone, is_cortex=True)
        marrow = Tissue(pdff=pdff, bvtv=bvtv, label=label)
        parts.append(Part(distance, cortex, box))
        parts.append(Part(lambda x, y, z: distance(x, y, z) + np.float32(thickness), marrow, box))

    def uniform(low, high):
        # A slow wave of 8 % makes the compartment less ideal than a constant.
        mean, direction, phase = draw(low, high), rng.normal(size=3), draw(0, 2 * np.pi)
        kx, ky, kz = (np.float32(c) for c in 2 * np.pi / 35 * direction / np.linalg.norm(direction))
        return lambda x, y, z: np.float32(mean) * (1 + np.float32(0.08) * np.sin(kx * x + ky * y + kz * z + phase))

    near_joint, far_from_joint = draw(0.32, 0.36), draw(0.08, 0.11)
    calcaneus = _Calcaneus((draw(0.35, 0.42), draw(0.24, 0.30), draw(0.08, 0.15)))

    def tibia_bvtv(x, y, z):
        return far_from_joint + (near_joint - far_from_joint) * np.exp(-np.maximum(z - 17, 0) / np.float32(22))

    def tibia_label(x, y, z):
        return np.uint8(4) * (z < 60)

    add_bone(_fibula, ((17, -36, -16), (38, -14, 2000)), uniform(0.14, 0.20))
    add_bone(_tibia, ((-36, -38, -4), (22, 8, 2000)), tibia_bvtv, tibia_label)
    add_bone(_talus, ((-20, -39, -23), (20, 35, 19)), uniform(0.28, 0.34), 5)
    add_bone(_calcaneus, ((-20, -72, -64), (21, 27, -10)), calcaneus.bvtv, calcaneus.label)
    add_bone(_tarsals, ((-28, 22, -54), (25, 73, 1)), uniform(0.22, 0.28))
    add_bone(_metatarsals, ((-40, 54, -70), (40, 152, -20)), uniform(0.17, 0.23), 6)
    angle = np.deg2rad(draw(-3, 3))
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    # Turned about the left-right axis only: coordinates then stay functions of few array axes, which is much faster.
    pose = turn / draw(0.97, 1.03)
    shift = FIELD_OF_VIEW_CENTER + [draw(-2, 2) for _ in range(3)]
    return Patient(tuple(parts), chi_air, chi_fat, chi_bone, pose, shift)
