"""What the tests of background removal share: a grid of voxels that are no cubes, and a mask on it."""

import numpy as np

SHAPE, VOXEL_SIZE = (20, 25, 30), (3.0, 1.2, 1.0)


def positions(shape=SHAPE, voxel_size=VOXEL_SIZE):
    """Coordinates in mm from the middle of the grid, (3, K, J, I)."""
    return np.stack([(n - (size - 1) / 2) * h for n, size, h in zip(np.indices(shape), shape, voxel_size, strict=True)])


def two_parts():
    """A mask of two parts, one with a hole, and one reaching the border of the image."""
    z, y, x = positions()
    large = (z / 27) ** 2 + (y / 13) ** 2 + ((x + 4) / 9) ** 2 < 1
    hole = (z / 8) ** 2 + (y / 3) ** 2 + ((x + 4) / 3) ** 2 < 1
    return (large & ~hole) | (x > 8)


def round_mask():
    """A mask that is thick enough for spheres."""
    z, y, x = positions()
    return (z / 28) ** 2 + (y / 14) ** 2 + (x / 14) ** 2 < 1


def dipole_field(center, radius, chi):
    """Field in ppm of a sphere of susceptibility `chi` against its surroundings, B0 along k, zero within it."""
    z, y, x = positions() - np.reshape(center, (3, 1, 1, 1))
    r = np.sqrt(z**2 + y**2 + x**2)
    return np.where(r > radius, chi / 3 * radius**3 * (3 * z**2 - r**2) / np.maximum(r, radius) ** 5, 0)


# What `remove` hands to methods that need it.
GIVEN = {"b0_direction": (1.0, 0.0, 0.0), "data_weight": np.ones(SHAPE, np.float32), "body": np.ones(SHAPE, bool)}
