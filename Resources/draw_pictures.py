"""Draw the icons of the modules and the thumbnails of their sample data, from what they stand for (with matplotlib).

python Resources/draw_pictures.py
"""

import sys
from pathlib import Path

import numpy as np
import SimpleITK
from matplotlib.colors import Normalize
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from TrabecularQSMLib.figures.style import color_map  # noqa: E402
from TrabecularQSMLib.phantom import CompanionSettings, PhantomSettings, make_companions, make_phantom  # noqa: E402
from TrabecularQSMLib.pipeline import reconstruct  # noqa: E402
from TrabecularQSMLib.quantities import QUANTITIES  # noqa: E402

OUTPUT = ROOT / "TrabecularQSM" / "Resources"
ICON_SIZE, OVERSAMPLING = 128, 4
THUMBNAIL_SIZE = (192, 288)
QUICK_COMPANIONS = CompanionSettings(bssfp_voxel_mm=(0.6, 0.6, 1.2), ct_voxel_mm=(1.2, 1.2, 1.2), structure_mm=0.15)
BONE, MARROW, RAISED, LOWERED = (244, 236, 214), (120, 84, 60), (214, 69, 65), (52, 120, 190)
# Points of the plot of the analysis' icon, in half widths, right and down.
POINTS = ((-0.5, -0.62), (-0.33, -0.32), (-0.1, -0.28), (0.02, 0.08), (0.25, 0.02), (0.42, 0.42), (0.68, 0.4))
# Centers and radius of the spheres of the simulation's icon, in half widths.
SPHERES = ((-0.42, -0.4), (0.45, -0.46), (0.02, 0.16), (-0.5, 0.5), (0.52, 0.48))
SPHERE_RADIUS = 0.3


def icon() -> np.ndarray:
    """Bone with its trabeculae, and the dipole field around it: RGBA."""
    size = ICON_SIZE * OVERSAMPLING
    y, x = np.mgrid[:size, :size] / (size - 1) * 2 - 1
    radius = np.hypot(x, y)
    picture = np.zeros((size, size, 4))
    # 3 cos² − 1 of the angle to B0, which points up.
    lobes = (3 * (y / np.maximum(radius, 1e-6)) ** 2 - 1) * (0.5 / np.maximum(radius, 0.5)) ** 3
    strength = np.clip(np.abs(lobes) * 1.2, 0, 1) * np.clip((0.99 - radius) / 0.06, 0, 1)
    picture[..., :3] = field_colors(lobes)
    picture[..., 3] = 255 * strength
    bone = radius < 0.52
    # Trabeculae run in three directions, as in the calcaneus.
    waves = [np.cos(22 * (x * np.cos(a) + y * np.sin(a))) for a in np.radians([0, 60, 120])]
    trabeculae = (np.max(waves, axis=0) > 0.86) | (radius > 0.45)
    picture[bone] = np.where(trabeculae[bone][:, None], (*BONE, 255), (*MARROW, 255))
    return reduced(picture)


def simulation_icon() -> np.ndarray:
    """Equal spheres of bone in a region, and the sum of their dipole fields between them: RGBA."""
    size = ICON_SIZE * OVERSAMPLING
    y, x = np.mgrid[:size, :size] / (size - 1) * 2 - 1
    picture, lobes, light = np.zeros((size, size, 4)), np.zeros((size, size)), np.zeros((size, size))
    for center_x, center_y in SPHERES:
        right, up = x - center_x, y - center_y
        radius = np.hypot(right, up)
        lobes += (3 * (up / np.maximum(radius, 1e-6)) ** 2 - 1) * (SPHERE_RADIUS / np.maximum(radius, 0.1)) ** 3
        # Lit from above on the left.
        lit = 1.1 - 0.55 * np.hypot(right + 0.35 * SPHERE_RADIUS, up + 0.35 * SPHERE_RADIUS) / SPHERE_RADIUS
        light[radius < SPHERE_RADIUS] = np.clip(lit, 0.1, 1)[radius < SPHERE_RADIUS]
    distance = np.maximum(np.abs(x), np.abs(y))
    bone = light > 0
    picture[..., :3] = np.where(bone[..., None], np.multiply.outer(light, BONE), field_colors(lobes))
    picture[..., 3] = 255 * np.where(bone, 1, np.clip(np.abs(lobes), 0, 1)) * (distance < 0.9)
    picture[(distance >= 0.9) & (distance < 0.97)] = (*MARROW, 255)
    return reduced(picture)


def analysis_icon() -> np.ndarray:
    """Bone with its trabeculae behind a plot of susceptibility against its density: RGBA."""
    size = ICON_SIZE * OVERSAMPLING
    y, x = np.mgrid[:size, :size] / (size - 1) * 2 - 1
    radius = np.hypot(x, y)
    picture = np.zeros((size, size, 4))
    waves = [np.cos(16 * (x * np.cos(a) + y * np.sin(a))) for a in np.radians([0, 60, 120])]
    trabeculae = (np.max(waves, axis=0) > 0.86) | (radius > 0.9)
    bone = radius < 0.97
    # Pale, so that the plot stands out.
    pale = np.where(trabeculae[..., None], BONE, 255 - (255 - np.array(MARROW)) * 0.45)
    picture[bone] = np.concatenate([pale, np.full((size, size, 1), 255.0)], axis=-1)[bone]
    line = np.abs(y - 0.85 * x + 0.12) < 0.05
    picture[line & (np.abs(x) < 0.72)] = (*RAISED, 255)
    for right, down in POINTS:
        distance = np.hypot(x - right, y - down)
        picture[distance < 0.13] = (255, 255, 255, 255)
        picture[distance < 0.1] = (*LOWERED, 255)
    axes = (np.abs(x + 0.8) < 0.045) & (np.abs(y) < 0.8) | (np.abs(y - 0.8) < 0.045) & (np.abs(x) < 0.8)
    picture[axes] = (40, 40, 40, 255)
    return reduced(picture)


def field_colors(field: np.ndarray) -> np.ndarray:
    """Color of the sign of a field: RGB."""
    return np.where(field[..., None] > 0, RAISED, LOWERED)


def reduced(picture: np.ndarray) -> np.ndarray:
    """Average RGBA over the oversampled pixels."""
    blocks = picture.reshape(ICON_SIZE, OVERSAMPLING, ICON_SIZE, OVERSAMPLING, 4)
    alpha = blocks[..., 3:]
    color = (blocks[..., :3] * alpha).sum((1, 3)) / np.maximum(alpha.sum((1, 3)), 1e-6)
    return np.concatenate([color, alpha.mean((1, 3))], axis=-1).round().astype(np.uint8)


def phantom_thumbnail() -> np.ndarray:
    """Sagittal slice of susceptibility of the sample phantom: RGB."""
    phantom = make_phantom(PhantomSettings(shape=(74, 74, 34)))
    maps = reconstruct(phantom.acquisition).maps
    chi = np.ma.masked_where(maps["mask"] <= 0, maps["chi"])[17]
    quantity = QUANTITIES["chi"]
    gray = color_map(quantity.colors).with_extremes(bad="black")
    picture = gray(Normalize(*quantity.display)(chi), bytes=True)[..., :3]
    picture = picture.repeat(2, axis=0).repeat(2, axis=1)
    return captioned(picture, "simulated")


def companions_thumbnail() -> np.ndarray:
    """Sagittal slices of the simulated bSSFP and CT of the sample phantom: RGB."""
    companions = make_companions(make_phantom(PhantomSettings(shape=(74, 74, 34))), QUICK_COMPANIONS)
    slices = [companions.bssfp[len(companions.bssfp) // 2], companions.ct[::-1, :, companions.ct.shape[2] // 2]]
    tiles = []
    for array, window in zip(slices, ((0, 3000), (-300, 900)), strict=True):
        gray = np.clip((array.astype(float) - window[0]) / (window[1] - window[0]), 0, 1)
        rows, columns = (np.linspace(0, n - 1, 140).astype(int) for n in gray.shape)
        tiles.append((255 * gray[np.ix_(rows, columns)]).astype(np.uint8))
    return captioned(np.repeat(np.concatenate(tiles, axis=1)[..., None], 3, axis=-1), "bSSFP, CT: simulated")


def captioned(picture: np.ndarray, text: str) -> np.ndarray:
    """Put a picture into the middle of a thumbnail, over a line of text."""
    canvas = np.zeros((*THUMBNAIL_SIZE, 3), np.uint8)
    picture = picture[: THUMBNAIL_SIZE[0] - 26]
    left = (THUMBNAIL_SIZE[1] - picture.shape[1]) // 2
    canvas[: picture.shape[0], left : left + picture.shape[1]] = picture
    image = Image.fromarray(canvas)
    font = ImageFont.truetype(findfont("DejaVu Sans"), 17)
    place = (THUMBNAIL_SIZE[1] / 2, THUMBNAIL_SIZE[0] - 8)
    ImageDraw.Draw(image).text(place, text, fill=(230, 230, 230), font=font, anchor="ms")
    return np.asarray(image)


def example_thumbnail() -> np.ndarray:
    """The icon; the example scan is not part of this repository, so no picture of it is."""
    drawn = icon().astype(float)
    picture = np.zeros((ICON_SIZE + 20, ICON_SIZE, 3), np.uint8)
    picture[20:] = drawn[..., :3] * drawn[..., 3:] / 255
    return captioned(picture, "download 1.2 GB")


def write(path: Path, picture: np.ndarray) -> None:
    """Write a PNG of 8-bit RGB or RGBA."""
    path.parent.mkdir(parents=True, exist_ok=True)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(picture, isVector=True), str(path))
    print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    write(OUTPUT / "Icons" / "TrabecularQSM.png", icon())
    write(OUTPUT / "Icons" / "TrabecularQSMAnalysis.png", analysis_icon())
    write(OUTPUT / "Icons" / "TrabecularQSMSimulation.png", simulation_icon())
    write(OUTPUT / "SampleData" / "TrabecularQSM-phantom.png", phantom_thumbnail())
    write(OUTPUT / "SampleData" / "TrabecularQSMAnalysis-companions.png", companions_thumbnail())
    write(OUTPUT / "SampleData" / "TrabecularQSM-ankle.png", example_thumbnail())
