"""The knee: a slender right one in supine position, the joint near the origin; the leg goes on above and below.

Sizes are those of a small adult, so that it fits the field of view of the ankle; a seed moves, turns and scales it a
little and draws its tissue properties. Marrow of the femur keeps some blood-forming part.
"""

import numpy as np

from .body import SILENT_SKIN, Anatomy, Compartments, Drawing, Patient, blend, capsule, ellipsoid, profile

REGION_NAMES = {
    1: "femur medial condyle",
    2: "femur lateral condyle",
    3: "femur metaphysis",
    4: "proximal tibia",
    5: "patella",
    6: "proximal fibula",
    7: "muscle",
    8: "skin fat",
}
FIELD_OF_VIEW_CENTER = np.array([0.0, -5.0, 0.0])
BODY_BOX = ((-47.0, -72.0, -2000.0), (47.0, 62.0, 2000.0))
# Centers of the compartments of the femur: medial condyle, lateral condyle, metaphysis.
FEMUR_CENTERS = ((-18.0, -14.0, 8.0), (20.0, -14.0, 8.0), (0.0, -2.0, 42.0))


def _body(x, y, z):
    stations = (-120.0, -60.0, 0.0, 40.0, 120.0)
    half_width = profile(z, stations, (40.0, 43.0, 45.0, 45.5, 46.0))
    half_depth = profile(z, stations, (44.0, 49.0, 58.0, 60.0, 60.0))
    center = profile(z, stations, (-14.0, -10.0, -4.0, -5.0, -6.0))
    return ellipsoid(x, y - center, np.zeros_like(z), (0.0, 0.0, 0.0), (half_width, half_depth, np.float32(1e3)))


def _femur(x, y, z):
    stations = (14.0, 28.0, 50.0, 80.0, 120.0)
    half_width = profile(z, stations, (33.0, 30.0, 21.0, 16.0, 14.0))
    half_depth = profile(z, stations, (20.0, 20.0, 17.0, 15.0, 14.5))
    shaft = ellipsoid(x, y, np.zeros_like(z), (0.0, 2.0, 0.0), (half_width, half_depth, np.float32(1e3)))
    shaft = np.maximum(shaft, 12 - z)
    medial = ellipsoid(x, y, z, (-18.0, -12.0, 11.0), (16.0, 29.0, 20.0))
    lateral = ellipsoid(x, y, z, (19.0, -11.0, 11.0), (15.5, 28.0, 19.0))
    trochlea = ellipsoid(x, y, z, (1.0, 6.0, 20.0), (26.0, 17.0, 17.0))
    return blend(blend(np.minimum(medial, lateral), trochlea, 6.0), shaft, 8.0)


def _tibia(x, y, z):
    stations = (-120.0, -75.0, -50.0, -30.0, -16.0)
    half_width = profile(z, stations, (12.0, 14.0, 19.0, 31.0, 35.0))
    half_depth = profile(z, stations, (14.0, 16.0, 19.0, 22.0, 23.0))
    shaft = ellipsoid(x, y, np.zeros_like(z), (0.0, -7.0, 0.0), (half_width, half_depth, np.float32(1e3)))
    tuberosity = capsule(x, y, z, (2.0, 8.0, -38.0), (2.0, 5.0, -52.0), 6.0, 5.0)
    bone = np.maximum(blend(shaft, tuberosity, 6.0), z + 12)
    # Cartilage and menisci keep the joint surfaces apart.
    return np.maximum(bone, np.float32(4.0) - _femur(x, y, z))


def _fibula(x, y, z):
    head = capsule(x, y, z, (29.0, -24.0, -29.0), (28.0, -24.0, -48.0), 7.0, 5.0)
    shaft = capsule(x, y, z, (28.0, -24.0, -48.0), (24.0, -24.0, -400.0), 5.0, 5.0)
    return np.maximum(np.minimum(head, shaft), np.float32(2.0) - _tibia(x, y, z))


def _patella(x, y, z):
    bone = ellipsoid(x, y, z, (1.0, 36.0, 18.0), (20.0, 10.0, 20.0))
    return np.maximum(bone, np.float32(4.0) - _femur(x, y, z))


def _quadriceps(x, y, z):
    tendon = capsule(x / 3, y, z, (0.0, 40.0, 34.0), (0.0, 34.0, 400.0), 3.2, 3.0)
    return np.maximum(tendon, _body(x, y, z) + np.float32(3))


def _patellar_tendon(x, y, z):
    return capsule(x / 3, y, z, (0.3, 42.0, 4.0), (0.7, 16.0, -42.0), 2.8, 2.6)


def _hoffa(x, y, z):
    return ellipsoid(x, y, z, (0.0, 26.0, -8.0), (20.0, 11.0, 15.0))


def _popliteal_fat(x, y, z):
    pad = ellipsoid(x, y, z, (0.0, -50.0, 10.0), (14.0, 9.0, 42.0))
    return np.maximum(pad, _body(x, y, z) + np.float32(SILENT_SKIN))


def _joint_fluid(x, y, z):
    near = ellipsoid(x, y, z, (0.0, -4.0, -6.0), (39.0, 34.0, 12.0))
    return np.maximum(near, np.minimum(_femur(x, y, z), _tibia(x, y, z)) - np.float32(3))


def draw_patient(rng: np.random.Generator, constants) -> Patient:
    """Draw a knee; see `Anatomy`."""
    drawing = Drawing(rng, constants)
    draw, add, add_bone = drawing.uniform, drawing.add, drawing.add_bone
    fat, _skin, tendon, fluid = drawing.add_skin_and_muscle(_body, BODY_BOX, (6.0, 7.5))
    add(_popliteal_fat, fat, ((-15, -60, -33), (15, -40, 53)))
    add(_hoffa, fat, ((-21, 14, -24), (21, 38, 8)))
    add(_quadriceps, tendon, ((-11, 28, 29), (11, 45, 2000)))
    add(_joint_fluid, fluid, ((-40, -39, -19), (40, 31, 7)))
    add(_patellar_tendon, tendon, ((-10, 12, -46), (12, 46, 8)))

    below_plateau, far_from_joint, medial = draw(0.34, 0.40), draw(0.08, 0.12), draw(0.05, 0.15)
    femur = Compartments(FEMUR_CENTERS, (draw(0.33, 0.40), draw(0.22, 0.29), draw(0.09, 0.15)))

    def tibia_bvtv(x, y, z):
        # The medial plateau (left in a right knee) bears more.
        side = 1 - np.float32(medial) * np.tanh(x / np.float32(12))
        return far_from_joint + (below_plateau * side - far_from_joint) * np.exp(np.minimum(z + 13, 0) / np.float32(20))

    bone = {"pdff": (0.90, 0.97), "thickness": (1.2, 1.7)}
    add_bone(_fibula, ((20, -33, -2000), (38, -15, -21)), drawing.wave(0.12, 0.18), 6, **bone)
    add_bone(_tibia, ((-37, -32, -2000), (37, 16, -11)), tibia_bvtv, lambda x, y, z: np.uint8(4) * (z > -60), **bone)
    # Above the knee some of the marrow is left that forms blood.
    add_bone(
        _femur, ((-37, -42, -11), (37, 25, 2000)), femur.bvtv, femur.label, pdff=(0.82, 0.95), thickness=(1.2, 1.7)
    )
    add_bone(_patella, ((-20, 25, -3), (22, 47, 39)), drawing.wave(0.26, 0.33), 5, **bone)
    return drawing.patient(BODY_BOX, FIELD_OF_VIEW_CENTER)


ANATOMY = Anatomy(
    draw_patient,
    REGION_NAMES,
    pivot=np.array([0.0, -5.0, 0.0]),
    bssfp_view=("sagittal", np.array([0.0, -5.0, 0.0]), np.array([140.0, 150.0, 98.0])),
    ct_view=("axial", np.array([0.0, -5.0, 0.0]), np.array([110.0, 150.0, 160.0])),
)
