"""From the local field to χ: the chosen inversion, its corrections, and what noise makes of it."""

from functools import partial

import numpy as np

from ..inversion import METHODS, invert, partial_volume
from ..inversion.grid import Grid
from ..inversion.noise import DRAWS, SEED, chi_noise
from ..inversion.prior import fat_prior
from ..inversion.weights import CORTEX, free_links
from ..progress import Progress, part
from ..settings import Settings
from .fields import Fields


def solve(fields: Fields, settings: Settings, grid: Grid, progress: Progress | None) -> tuple[list[str], dict | None]:
    """Put χ, and its standard deviation if asked for, into the maps; return what is to be said, and the noise."""
    wanted = settings.chi_sigma == "yes"
    share = 1 / (1 + DRAWS) if wanted else 1.0
    once = partial(
        _invert_once,
        voxel_size=fields.voxel_size,
        settings=settings,
        options=inversion_options(fields, settings, grid),
    )
    chi, offset, said = _invert(fields, once, settings, grid, part(progress, 0.0, share))
    fields.maps["chi"] = np.where(fields.drawn, grid.take(chi), 0)
    fields.maps.pop("sigma_chi", None)  # of the settings before
    found = None
    if wanted:
        fields.maps["sigma_chi"], found = _noise(fields, once, grid, chi, offset, part(progress, share, 1.0))
        said.append(
            "The standard deviation of χ is that by noise of the field, drawn three times and taken through "
            "background removal and inversion; errors that are not noise (background, voxels cut by cortex, "
            "regularization), and what noise does to mask, weights and edges, are not in it: a lower bound."
        )
    if settings.reference == "mask":
        mean = fields.maps["chi"][fields.drawn].mean(dtype=np.float64)
        fields.maps["chi"] = np.where(fields.drawn, fields.maps["chi"] - np.float32(mean), 0)
        said.append(f"χ is relative to its mean over the mask: {mean:+.4f} ppm was taken off.")
    return said, found


def inversion_options(fields: Fields, settings: Settings, grid: Grid) -> dict:
    """Return what `inversion.invert` is told beside the field, its method and λ."""
    # The share takes seconds on a large image.
    decoupled = settings.cortex_decoupled == "on"
    cortex = partial_volume.missing_share(fields.signal) > CORTEX if decoupled else None
    edges = free_links(fields.edge_weight, cortex, decoupled=settings.cortex_decoupled)
    options = {
        "b0_direction": fields.b0_direction,
        "data_weight": grid.put(fields.data_weight),
        "edge_weight": grid.put(edges, fill=1.0),
        **METHODS[settings.inversion].arguments(settings),
    }
    if settings.fat_prior:
        options["prior"] = grid.put(fat_prior(fields.maps["pdff"], fields.mask, chi_fat=settings.fat_prior))
    return options


def _noise(fields, once, grid, chi, offset, progress) -> tuple[np.ndarray, dict]:
    """Standard deviation of χ, and how neighbors share its noise."""
    ppm = fields.maps["sigma_field"] * np.float32(1e6 / fields.acquisition.imaging_frequency)
    random, draws = np.random.default_rng(SEED), []
    for number in range(DRAWS):
        here = part(progress, number / DRAWS, (number + 1) / DRAWS)
        drawn = random.standard_normal(ppm.shape, dtype=np.float32)
        field, _ = fields.local(fields.maps["total_field"] + ppm * drawn, part(here, 0.0, 0.1))
        noisy = once(grid.put(field) - offset, part(here, 0.1, 1.0))
        draws.append(grid.take(noisy - chi))
    return chi_noise(draws, fields.drawn & (fields.maps["reliability"] > 0), fields.voxel_size)


def _invert(fields, once, settings, grid, progress) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return χ on a grid, what was taken off its field, and what is to be said about it."""
    known = grid.put(fields.maps["reliability"]) > 0
    chi, offset, change = partial_volume.invert_corrected(
        once,
        grid.put(fields.local_field),
        grid.put(fields.signal),
        known,
        fields.voxel_size,
        b0_direction=fields.b0_direction,
        correction=settings.partial_volume_correction,
        progress=progress,
    )
    if settings.partial_volume_correction == "off":
        return chi, offset, []
    said = f"Voxels cut by cortex: {np.abs(offset[known]).max(initial=0):.2f} ppm at most were taken off their field"
    if change > partial_volume.STANDS:
        said += f"; after {partial_volume.MOST_PASSES} passes the correction still changes by {change:.0%}"
    return chi, offset, [said + "."]


def _invert_once(field, progress, *, voxel_size, settings, options) -> np.ndarray:
    return invert(
        field,
        voxel_size,
        method=settings.inversion,
        regularization=settings.regularization,
        progress=progress,
        **options,
    )
