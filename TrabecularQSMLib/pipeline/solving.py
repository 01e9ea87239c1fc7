"""From the local field to χ: the chosen inversion, its corrections, and what noise makes of it."""

import warnings
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from ..errors import SolverWarning
from ..fieldmap.t1 import without_t1
from ..inversion import METHODS, invert
from ..inversion.cortex import COARSEST_MM, displaced, field_of_share, missing_share, susceptibility_of_share
from ..inversion.grid import Grid
from ..inversion.noise import DRAWS, SEED, chi_noise
from ..inversion.prior import fat_prior
from ..inversion.weights import beyond_interior
from ..kernels import convolve, dipole_kernel
from ..progress import Progress, part
from ..quantities import ADDED_MAPS
from ..settings import Settings
from .fields import Fields
from .more_noise import signal_noise, with_more_noise

# Measured millionths of a second of one processor for each voxel of a scan of nine echoes that all stages before the
# inversion take, which efforts are multiples of (`methods.Inversion`); and the effort of cortex apart.
FIELDS_US, _APART = 5.0, 0.5


def effort(settings: Settings, runs: int | None = None) -> float:
    """Return about how long cortex apart and inversions take, against all stages before.

    `runs` is the number of inversions with cortex apart once; by default, what the settings need.
    """
    if settings.stop_after is not None:
        return 0.0
    apart, once = _apart(settings), METHODS[settings.inversion].effort
    return (1 + DRAWS * (settings.chi_sigma == "yes")) * (apart + once) if runs is None else apart + runs * once


def share_before(settings: Settings, runs: int | None = None) -> float:
    """Return the share of an `effort` that cortex apart takes."""
    return _apart(settings) / effort(settings, runs)


def _apart(settings):
    return _APART if settings.separate_cortex == "yes" else 0.0


def inversion_seconds(voxels: int, settings: Settings) -> float:
    """Return about how many seconds of one processor cortex apart and inversions take on a scan of so many voxels."""
    return 1e-6 * voxels * FIELDS_US * effort(settings)


def solve(fields: Fields, settings: Settings, grid: Grid, progress: Progress | None) -> tuple[list[str], dict | None]:
    """Put χ, and its standard deviation if asked for, into the maps; return what is to be said, and the noise."""
    wanted = settings.chi_sigma == "yes"
    once = 1 / (1 + DRAWS * wanted)
    chi, said = _solve_once(fields, settings, grid, part(progress, 0.0, once))
    fields.maps["chi"] = np.where(fields.drawn, chi, 0)
    for name in ADDED_MAPS["chi_sigma"]:
        fields.maps.pop(name, None)  # of the settings before
    found = None
    if wanted:
        of_noise, found = _noise(fields, settings, grid, chi, part(progress, once, 1.0))
        fields.maps |= of_noise
        said.append(
            "The standard deviation of χ is that by noise, drawn three times and taken through weights, edges, cortex, "
            "background removal and inversion; errors that are not noise (background, voxels cut by cortex, "
            "regularization), and what noise does to the mask, are not in it: a lower bound."
        )
    if settings.reference == "mask":
        mean = fields.maps["chi"][fields.drawn].mean(dtype=np.float64)
        fields.maps["chi"] = np.where(fields.drawn, fields.maps["chi"] - np.float32(mean), 0)
        said.append(f"χ is relative to its mean over the mask: {mean:+.4f} ppm was taken off.")
    return said, found


def _solve_once(fields, settings, grid, progress) -> tuple[np.ndarray, list[str]]:
    """Return χ in ppm, (K, J, I), and what is to be said."""
    before = share_before(settings, 1)
    apart, said = cortex_apart(fields, settings, grid, part(progress, 0.0, before))
    options = inversion_options(fields, settings, grid, apart)
    chi = invert(
        grid.put(apart.local),
        fields.voxel_size,
        method=settings.inversion,
        regularization=settings.regularization,
        progress=part(progress, before, 1.0),
        **options,
    )
    return grid.take(apart.whole(chi, "renewed" in options)), said


def inversion_options(fields: Fields, settings: Settings, grid: Grid, apart: "Apart | None" = None) -> dict:
    """Return what `inversion.invert` is told beside the field, its method and λ."""
    options = {
        "b0_direction": fields.b0_direction,
        "data_weight": grid.put(fields.data_weight),
        "edge_weight": grid.put(fields.edge_weight, fill=1.0, goes_on=True),
        **METHODS[settings.inversion].arguments(settings),
    }
    beyond, edges = METHODS[settings.inversion].beyond, options["edge_weight"]
    if beyond is not None and edges.ndim == 4:
        options["edge_weight"] = beyond_interior(edges, grid.put(fields.interior, goes_on=True), beyond)
    if settings.fat_prior:
        pdff = (fields.maps | without_t1(fields.maps, settings.t1_weighting))["pdff"]
        options["prior"] = grid.put(fat_prior(pdff, fields.mask, chi_fat=settings.fat_prior))
    if apart is not None and apart.delta and options.get("rounds", 1) > 1:
        options["renewed"] = partial(_local_of_rest, fields, grid, apart)
    return options


class Apart(NamedTuple):
    """What is solved apart, and the local field of the rest."""

    share: np.ndarray  # of cortex, on the grid of the inversion
    delta: float  # in ppm, χ of cortex less that of its surroundings; 0 for nothing apart
    local: np.ndarray  # (K, J, I), in ppm, less that of `delta` times the share

    def whole(self, chi: np.ndarray, renewed: bool) -> np.ndarray:
        """Return χ of the rest with that of cortex, which displaces what it stands in the place of if so inverted."""
        cortex = np.float32(self.delta) * (self.share - self.share.mean())  # the mean over the grid stays zero
        return chi + cortex - displaced(self.share, chi) if renewed else chi + cortex


def _local_of_rest(fields, grid, apart, chi, progress):
    """Local field, on the grid, of all but cortex, where cortex displaces tissue of this χ."""
    kernel = dipole_kernel(chi.shape, fields.voxel_size, fields.b0_direction)
    more = grid.take(convolve(kernel, displaced(apart.share, chi)))
    return grid.put(apart.local + fields.change_of_local(more, progress))


def cortex_apart(fields: Fields, settings: Settings, grid: Grid, progress: Progress | None) -> tuple[Apart, list[str]]:
    """Return cortex apart from the rest, and what is to be said."""
    if settings.separate_cortex == "no":
        return _not_apart(fields, grid), []
    if settings.padding not in fields.apart:
        fields.apart[settings.padding] = _find_cortex(fields, settings.padding, grid, progress)
    apart, said = fields.apart[settings.padding]
    return apart, [said]


def _not_apart(fields, grid):
    return Apart(np.zeros_like(grid.put(fields.local_field)), 0.0, fields.local_field)


def _find_cortex(fields, padding, grid, progress) -> tuple[Apart, str]:
    """What `cortex_apart` returns.

    The field of cortex is taken off before the background: much of it lies on the mask's surface, where background
    removals take it for background.
    """
    signal = fields.signal[fields.body]
    if signal.size == 0 or signal.min() == signal.max():
        said = "There is no magnitude that differs between tissues, by which cortex is told"
        return _not_apart(fields, grid), f"{said}: it was not solved apart (separate_cortex)."
    if (longest := max(fields.voxel_size)) > COARSEST_MM:
        said = f"Voxels of {longest:.3g} mm are too coarse to tell the share of cortex ({COARSEST_MM:g} mm at most)"
        return _not_apart(fields, grid), f"{said}: it was not solved apart (separate_cortex)."
    around = Grid.around(fields.body, padding)
    put = partial(around.put, goes_on=True)
    decay = {}
    if "r2star" in fields.maps:
        decay = {
            "r2star": put(fields.maps["r2star"]),
            "echo_times": fields.echo_times,
            "noise": put(signal_noise(fields)),
        }
    share = missing_share(
        *(put(array) for array in (fields.signal, fields.fat_fraction, fields.body)),
        fields.voxel_size,
        **decay,
        progress=part(progress, 0.0, 0.2),
    )
    # Voxels on the surface miss signal since the body ends there.
    share = around.take(share) * ndimage.binary_erosion(fields.body, np.ones((3, 3, 3)), border_value=1)
    field = field_of_share(
        put(share), fields.voxel_size, b0_direction=fields.b0_direction, progress=part(progress, 0.2, 0.7)
    )
    share = grid.put(share * fields.mask, goes_on=True)
    # Both fields as background removal and filling in leave them: else thick cortex would seem too weak.
    of_share = fields.change_of_local(around.take(field), part(progress, 0.7, 0.8))
    delta, said = susceptibility_of_share(
        grid.put(fields.local_field),
        grid.put(of_share),
        share,
        grid.put(fields.data_weight),
        grid.put(fields.edge_weight, fill=1.0, goes_on=True),
        grid.put(fields.interior, goes_on=True),
        fields.voxel_size,
        b0_direction=fields.b0_direction,
        progress=part(progress, 0.8, 1.0),
    )
    if not delta:
        return _not_apart(fields, grid), said
    return Apart(share, delta, fields.local_field - np.float32(delta) * of_share), said


def _noise(fields, settings, grid, chi, progress) -> tuple[dict[str, np.ndarray], dict]:
    """Maps of the standard deviation of χ and of draws of its noise, and how neighbors share it."""
    random, draws = np.random.default_rng(SEED), []
    for number in range(DRAWS):
        here = part(progress, number / DRAWS, (number + 1) / DRAWS)
        again = with_more_noise(fields, random, part(here, 0.0, 0.1))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SolverWarning)  # said of χ itself already
            noisy, _ = _solve_once(again, settings, grid, part(here, 0.1, 1.0))
        draws.append(noisy - chi)
        if settings.reference == "mask":
            draws[-1] -= draws[-1][fields.drawn].mean(dtype=np.float64)
    sigma, noise, found = chi_noise(draws, fields.drawn & (fields.maps["reliability"] > 0), fields.voxel_size)
    return dict(zip(ADDED_MAPS["chi_sigma"], (sigma, *noise), strict=True)), found
