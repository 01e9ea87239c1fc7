"""Fat fraction and signal of a hindfoot of two ellipsoids and a shaft: simpler than the digital ankle, and quick."""

import numpy as np

VOXEL = 2.0
SHAPE = (70, 56, 40)  # k to superior, j to anterior, i to the right
AFFINE = np.array([[VOXEL, 0, 0, -39.0], [0, VOXEL, 0, -71.0], [0, 0, VOXEL, -69.0], [0, 0, 0, 1]])
CORTEX = 2.0
NAMES = ("tibia", "talus", "calcaneus")


def _ellipsoid(points, center, semi_axes):
    scaled = (points - center) / semi_axes
    radius = np.linalg.norm(scaled, axis=-1)
    return radius * (radius - 1) / np.maximum(np.linalg.norm(scaled / semi_axes, axis=-1), 1e-6)


def _distances(points):
    """Distance to the outer surface of each bone and of the body in mm, negative inside, to first order."""
    x, y, z = np.moveaxis(points, -1, 0)
    shaft = np.maximum(np.hypot(x, y + 10) - 14, 13 - z)
    talus = _ellipsoid(points, (0.0, -10.0, -3.0), (17.0, 22.0, 13.0))
    calcaneus = _ellipsoid(points, (2.0, -20.0, -34.0), (15.0, 36.0, 15.0))
    body = np.maximum(np.hypot(x, (y + 12) / 1.55) - 34, -62 - z)
    return (shaft, talus, calcaneus), body


def hindfoot(bones=NAMES, cortex=CORTEX, noise=0.02, seed=0):
    """Maps pdff, mip and mask, and the marrow of each bone by its name; without cortex it is fat in muscle."""
    index = np.stack(np.indices(SHAPE)[::-1], axis=-1)
    points = index @ AFFINE[:3, :3].T + AFFINE[:3, 3]
    distances, body = _distances(points)
    water, fat = np.zeros(SHAPE), np.zeros(SHAPE)

    def paint(distance, new_water, new_fat):
        share = np.clip(0.5 - distance / VOXEL, 0, 1)
        for canvas, value in ((water, new_water), (fat, new_fat)):
            canvas += share * (value - canvas)

    paint(body, 0.0, 0.9)
    paint(body + 6, 0.7, 0.02)
    marrow = {}
    for name, distance in zip(NAMES, distances, strict=True):
        if name in bones:
            paint(distance, 0.0, 0.0) if cortex else None
            paint(distance + cortex, 0.03, 0.55)
            marrow[name] = distance + cortex < 0
    rng = np.random.default_rng(seed)
    noisy_water, noisy_fat = (
        np.hypot(a + rng.normal(0, noise, SHAPE), rng.normal(0, noise, SHAPE)) for a in (water, fat)
    )
    maps = {
        "pdff": (noisy_fat / (noisy_water + noisy_fat)).astype(np.float32),
        "mip": (noisy_water + noisy_fat).astype(np.float32),
        "mask": (body < 0).astype(np.float32),
    }
    return maps, marrow


def dice(one, other):
    """Twice what two masks share over what they have."""
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))
