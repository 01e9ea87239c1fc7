"""The ankle: a right foot in supine position, the middle of the joint near the origin.

Sizes are those of an adult; a seed moves, turns and scales the foot a little and draws its tissue properties.
"""

import numpy as np

from .body import SILENT_SKIN, Anatomy, Compartments, Drawing, Patient, blend, capsule, ellipsoid, profile

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
# Where the center of the field of view lies in the anatomy, RAS mm.
FIELD_OF_VIEW_CENTER = np.array([0.0, 8.0, 20.0])
# Box around the patient in RAS mm; the leg goes on above it.
BODY_BOX = ((-46.0, -84.0, -82.0), (46.0, 196.0, 2000.0))
# Centers of the compartments of the calcaneus: subtalar, tuber, cavum.
CALCANEUS_CENTERS = ((0.0, -18.0, -25.0), (0.0, -50.0, -40.0), (2.0, -4.0, -43.0))


def _leg(x, y, z):
    stations = (-20.0, 20.0, 70.0, 110.0, 200.0)
    half_width = profile(z, stations, (33.0, 38.0, 36.5, 38.5, 43.0))
    half_depth = profile(z, stations, (36.0, 38.0, 39.0, 43.0, 50.0))
    below = np.minimum(z + 10, 0)  # the lower end is round
    return ellipsoid(x, y, below, (2.0, -21.0, 0.0), (half_width, half_depth, np.float32(45)))


def _foot(x, y, z):
    stations = (-60.0, 0.0, 40.0, 70.0, 110.0, 150.0, 190.0)
    center = profile(y, stations, (-43.0, -37.0, -32.0, -40.0, -52.0, -59.0, -62.0))
    half_height = profile(y, stations, (32.0, 37.0, 38.0, 31.0, 21.0, 15.0, 11.0))
    half_width = profile(y, stations, (31.0, 34.0, 37.0, 39.0, 42.0, 42.0, 38.0))
    beyond = np.minimum(y + 55, 0) + np.maximum(y - 175, 0)  # heel and toes are round
    return ellipsoid(x, beyond, z - center, (0.0, 0.0, 0.0), (half_width, np.float32(23), half_height))


def _body(x, y, z):
    return blend(_leg(x, y, z), _foot(x, y, z), 22.0)


def _talus(x, y, z):
    dome = ellipsoid(x, y, z, (0.0, -14.0, 2.0), (18.0, 23.0, 15.0))
    head = capsule(x, y, z, (-1.0, 0.0, -2.0), (-5.0, 22.0, -8.0), 11.5, 10.5)
    return blend(dome, head, 6.0)


def _tibia(x, y, z):
    stations = (18.0, 35.0, 60.0, 110.0)
    half_width = profile(z, stations, (22.0, 18.0, 14.0, 13.0))
    half_depth = profile(z, stations, (21.0, 17.5, 14.5, 14.0))
    shaft = ellipsoid(x, y, np.zeros_like(z), (-2.0, -15.0, 0.0), (half_width, half_depth, np.float32(1e3)))
    shaft = np.maximum(shaft, 13 - z)
    malleolus = capsule(x, y, z, (-20.0, -14.0, 22.0), (-25.0, -14.0, 4.0), 8.0, 5.5)
    # The joint surface follows the talus at the width of the gap.
    return np.maximum(blend(shaft, malleolus, 5.0), np.float32(3.2) - _talus(x, y, z))


def _fibula(x, y, z):
    ankle = capsule(x, y, z, (27.0, -22.0, -6.0), (28.0, -24.0, 35.0), 6.5, 5.5)
    shaft = capsule(x, y, z, (28.0, -24.0, 35.0), (25.0, -26.0, 400.0), 5.5, 5.5)
    return np.maximum(np.minimum(ankle, shaft), np.float32(2.0) - _talus(x, y, z))


def _calcaneus(x, y, z):
    tuber = ellipsoid(x, y, z, (0.0, -47.0, -40.0), (17.0, 22.0, 21.0))
    middle = ellipsoid(x, y, z, (0.0, -22.0, -33.0), (17.0, 28.0, 18.0))
    front = ellipsoid(x, y, z, (4.0, 4.0, -36.0), (14.0, 20.0, 13.0))
    bone = blend(blend(tuber, middle, 8.0), front, 8.0)
    return np.maximum(bone, np.float32(2.6) - _talus(x, y, z))


def _tarsals(x, y, z):
    cuboid = ellipsoid(x, y, z, (10.0, 42.0, -41.0), (13.0, 16.0, 11.0))
    navicular = ellipsoid(x, y, z, (-8.0, 42.0, -13.0), (15.0, 8.0, 12.0))
    cuneiforms = ellipsoid(x, y, z, (-10.0, 61.0, -23.0), (16.0, 10.0, 10.0))
    bone = np.minimum(np.minimum(cuboid, navicular), cuneiforms)
    return np.maximum(bone, np.float32(2.0) - np.minimum(_talus(x, y, z), _calcaneus(x, y, z)))


def _metatarsals(x, y, z):
    rods = []
    for n, radius in enumerate((7.5, 5.8, 5.6, 5.4, 5.6)):
        base = (-22.0 + 11.5 * n, 76.0 - 4.0 * n, -27.0 - 4.5 * n)
        head = (-30.0 + 15.0 * n, 142.0 - 6.0 * n, -60.0 - 0.5 * n)
        rods.append(capsule(x, y, z, base, head, 5.2, radius))
    return np.minimum.reduce(np.broadcast_arrays(*rods))


def _achilles(x, y, z):
    upper = capsule(x / 2, y, z, (0.0, -50.0, 35.0), (0.0, -52.0, 400.0), 3.0, 3.0)
    lower = capsule(x / 2, y, z, (0.0, -68.0, -32.0), (0.0, -50.0, 35.0), 3.2, 3.0)
    return np.maximum(np.minimum(upper, lower), _body(x, y, z) + np.float32(3))


def _extensor(x, y, z):
    upper = capsule(x, y, z, (-8.0, 8.0, 40.0), (-8.0, 10.0, 400.0), 3.0, 3.0)
    lower = capsule(x, y, z, (-18.0, 52.0, -4.0), (-8.0, 8.0, 40.0), 2.6, 3.0)
    # The straight line would leave the skin in the bend of the ankle.
    return np.maximum(np.minimum(upper, lower), _body(x, y, z) + np.float32(3))


def _heel_pad(x, y, z):
    pad = ellipsoid(x, y, z, (0.0, -46.0, -74.0), (24.0, 26.0, 12.0))
    return np.maximum(pad, _body(x, y, z) + np.float32(SILENT_SKIN))


def _fat_pad(x, y, z):
    return ellipsoid(x, y, z, (0.0, -41.0, 27.0), (13.0, 6.5, 26.0))


def _joint_fluid(x, y, z):
    near = ellipsoid(x, y, z, (0.0, -14.0, 12.0), (21.0, 24.0, 13.0))
    return np.maximum(near, _talus(x, y, z) - np.float32(4))


def draw_patient(rng: np.random.Generator, constants) -> Patient:
    """Draw an ankle; see `Anatomy`."""
    drawing = Drawing(rng, constants)
    draw, add, add_bone = drawing.uniform, drawing.add, drawing.add_bone
    fat, skin, tendon, fluid = drawing.add_skin_and_muscle(_body, BODY_BOX, (5.0, 5.8))
    add(_heel_pad, skin, ((-26, -76, -84), (26, -18, -60)))
    add(_fat_pad, fat, ((-15, -50, 0), (15, -33, 55)))
    add(_achilles, tendon, ((-9, -74, -38), (9, -44, 2000)))
    add(_extensor, tendon, ((-23, 3, -9), (-3, 57, 2000)))
    add(_joint_fluid, fluid, ((-24, -40, -3), (24, 13, 27)))

    near_joint, far_from_joint = draw(0.32, 0.36), draw(0.08, 0.11)
    calcaneus = Compartments(CALCANEUS_CENTERS, (draw(0.35, 0.42), draw(0.24, 0.30), draw(0.08, 0.15)))

    def tibia_bvtv(x, y, z):
        return far_from_joint + (near_joint - far_from_joint) * np.exp(-np.maximum(z - 17, 0) / np.float32(22))

    add_bone(_fibula, ((17, -36, -16), (38, -14, 2000)), drawing.wave(0.14, 0.20))
    add_bone(_tibia, ((-36, -38, -4), (22, 8, 2000)), tibia_bvtv, lambda x, y, z: np.uint8(4) * (z < 60))
    add_bone(_talus, ((-20, -39, -23), (20, 35, 19)), drawing.wave(0.28, 0.34), 5)
    add_bone(_calcaneus, ((-20, -72, -64), (21, 27, -10)), calcaneus.bvtv, calcaneus.label)
    add_bone(_tarsals, ((-28, 22, -54), (25, 73, 1)), drawing.wave(0.22, 0.28))
    add_bone(_metatarsals, ((-40, 54, -70), (40, 152, -20)), drawing.wave(0.17, 0.23), 6)
    return drawing.patient(BODY_BOX, FIELD_OF_VIEW_CENTER)


ANATOMY = Anatomy(
    draw_patient,
    REGION_NAMES,
    pivot=np.array([0.0, -30.0, -25.0]),
    bssfp_view=("sagittal", np.array([0.0, -20.0, -10.0]), np.array([130.0, 150.0, 92.0])),
    ct_view=("axial", np.array([0.0, 10.0, -5.0]), np.array([110.0, 210.0, 160.0])),
)
