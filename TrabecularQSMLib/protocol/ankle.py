"""What noise does to χ of regions of the digital ankle: scanned with the protocol, reconstructed, measured again."""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, field, replace
from typing import NamedTuple

import numpy as np
from scipy.ndimage import distance_transform_edt

from ..kernels import convolve, dipole_kernel
from ..methods import Method
from ..phantom import make_phantom
from ..phantom.anatomy import ANATOMIES
from ..phantom.settings import numbers
from ..pipeline import reconstruct
from ..progress import Progress, part, report
from ..settings import Settings, preset
from ..workers import results
from .chain import MUSCLE, ankle_settings, marrow_of, noisy
from .region import ball_name
from .settings import ProtocolSettings

# Draws of noise: a standard deviation of so many is known to 10 %.
_DRAWS = 50
# Balls of one radius that are laid into marrow at most.
_MOST_BALLS = 8
# Reconstructions that are one piece of work, for which the ankle is made once.
_AT_ONCE = 10
# Which random numbers: others than those of the chain.
_STREAM = 31


@dataclass(frozen=True)
class AnkleSettings:
    """How the digital ankle is reconstructed, and how often.

    Parameters
    ----------
    draws : int
        Of noise, two at least: n of them tell a standard deviation to 1 / √(2 (n − 1)).
    reconstruction : Settings
        Those of the reconstruction.
    seed : int
        Of the patient and of the noise.

    Raises
    ------
    InputError
        If a number is impossible.
    """

    draws: int = _DRAWS
    reconstruction: Settings = field(default_factory=preset)
    seed: int = 0

    def __post_init__(self):
        for name, low, high in (("draws", 2, 10_000), ("seed", 0, 2**31 - 1)):
            number = numbers(name, getattr(self, name), 1, whole=True, low=low, high=high)[0]
            object.__setattr__(self, name, number)  # the dataclass is frozen

    @property
    def precision(self) -> float:
        """To what part of itself the draws tell a standard deviation."""
        return 1 / math.sqrt(2 * (self.draws - 1))

    def as_dict(self) -> dict:
        """Return the settings as they are written to files."""
        return asdict(self)


class Measured(NamedTuple):
    """A region, or the balls of one radius: `voxels`, σ of mean χ by noise in ppm, and the `share` given back."""

    name: str
    radius_mm: float | None
    voxels: int
    sigma_chi: float
    share: float


class InAnkle(NamedTuple):
    """What was measured in the digital ankle: its `places`, and the `notes` of the reconstruction of the first draw."""

    places: list[Measured]
    notes: tuple[str, ...]


class _Place(NamedTuple):
    """A region of bone, or balls of one radius that lie apart in marrow: `pieces` of bool voxels."""

    name: str
    radius_mm: float | None
    pieces: list[np.ndarray]


# Of each place, the voxels and the mean χ of its pieces.
_Means = dict[str, list[tuple[int, float]]]


def run_ankle(
    settings: ProtocolSettings,
    ankle: AnkleSettings,
    *,
    executors: Callable[[], Executor] | None = None,
    progress: Progress | None = None,
) -> InAnkle:
    """Return what noise does to the mean χ of balls of each radius in marrow, and of each region of bone.

    Parameters
    ----------
    settings : ProtocolSettings
        The scan, and the radii of balls; a radius of which no ball lies in marrow is left out.
    ankle : AnkleSettings
        Reconstruction and draws.
    executors : callable, optional
        Gives an executor for other processes; the numbers are the same.
    progress : callable, optional

    Notes
    -----
    Every draw adds noise to the echoes and goes the whole way, in one mask. The standard deviation is over draws, that
    of balls the root mean square over up to eight. The share is the change of mean χ when BV/TV there is higher by the
    difference to be found, over that change itself: the field of it turns the echoes of the first draw.
    """
    groups, found, notes = _groups(settings, ankle), {}, ()
    count = sum(map(len, groups))

    def tell():
        report(progress, len(found) / count, f"{len(found)} of {count} reconstructions")

    def of_group(number):
        start = number * _AT_ONCE
        return None if executors else part(progress, start / count, (start + len(groups[number])) / count)

    tasks = {number: (settings, ankle, group, of_group(number)) for number, group in enumerate(groups)}
    for number, (means, said) in results(ankle_means, tasks, executors, tell):
        found |= dict(zip(groups[number], means, strict=True))
        notes += said
    tell()
    raised_by = settings.chi_slope * settings.bvtv_difference
    places = [
        _measured(name, radius, ankle.draws, found, raised_by)
        for name, radius in _names(settings).items()
        if name in found[0, None]
    ]
    return InAnkle(places, notes)


def reconstructions(settings: ProtocolSettings, ankle: AnkleSettings) -> tuple[int, int]:
    """Return how often the ankle is made, and how often it is reconstructed."""
    groups = _groups(settings, ankle)
    return len(groups), 1 + sum(map(len, groups))  # once more for its notes


def _groups(settings, ankle) -> list[list[tuple[int, str | None]]]:
    """Draws, and places with more bone in the first one, in pieces of work."""
    jobs = [(draw, None) for draw in range(ankle.draws)] + [(0, name) for name in _names(settings)]
    return [jobs[start : start + _AT_ONCE] for start in range(0, len(jobs), _AT_ONCE)]


def ankle_means(
    settings: ProtocolSettings, ankle: AnkleSettings, jobs: list[tuple[int, str | None]], progress: Progress | None
) -> tuple[list[_Means], tuple[str, ...]]:
    """Return what is measured in each of some scans, and what the reconstruction of the first draw notes.

    A scan is a draw of noise, and where there is more bone, by name.
    """
    count = 1 + len(jobs) + ((0, None) in jobs)
    parts = (part(progress, number / count, (number + 1) / count) for number in range(count))
    phantom = make_phantom(ankle_settings(settings, ankle.seed), progress=next(parts))
    # What noise does to the mask is no part of the error. Not the mask of background removal, which lacks slices: as
    # a given one it would lose them twice.
    until = replace(ankle.reconstruction, stop_after="fieldmap")
    mask = reconstruct(phantom.acquisition, until, threads=1).maps["mask"]
    places = {one.name: one for one in _places(phantom, settings)}
    found, notes = [], ()
    for draw, raised in jobs:
        scan = noisy(phantom, settings.snr, np.random.default_rng((ankle.seed, _STREAM, draw)))
        if (draw, raised) == (0, None):
            # As users reconstruct a scan, without that mask: some notes are of a mask that was given.
            notes = tuple(reconstruct(scan, ankle.reconstruction, threads=1, progress=next(parts)).notes)
        if raised is not None:
            scan = _with_more_bone(scan, places[raised].pieces, settings)
        maps = reconstruct(scan, ankle.reconstruction, mask=mask, threads=1, progress=next(parts)).maps
        means = {one.name: list(_means(maps, one.pieces)) for one in places.values()}
        found.append({name: some for name, some in means.items() if some})
    return found, notes


def _names(settings) -> dict[str, float | None]:
    """Name and radius of all that may be measured."""
    balls = {ball_name(radius): radius for radius in settings.region_radii_mm}
    return balls | {name: None for label, name in ANATOMIES["ankle"].region_names.items() if label < MUSCLE}


def _places(phantom, settings) -> Iterator[_Place]:
    """What can be measured: balls of each radius that lie in marrow, up to eight, and regions of bone."""
    for name, radius in _names(settings).items():
        if radius is not None:
            pieces = [*_balls(marrow_of(phantom), settings.voxel_size, radius)]
        else:
            labels = [label for label, other in phantom.region_names.items() if other == name]
            pieces = [np.isin(phantom.regions, labels)]
        yield _Place(name, radius, pieces)


def _balls(marrow, voxel_size, radius) -> Iterator[np.ndarray]:
    """Balls that lie wholly in marrow and apart."""
    random = np.random.default_rng(0)
    left = distance_transform_edt(marrow, sampling=voxel_size) > radius
    sizes = np.asarray(voxel_size)
    for _ in range(_MOST_BALLS):
        centers = np.argwhere(left)
        if not len(centers):
            return
        center = centers[random.integers(len(centers))]
        axes = [h * (np.arange(n) - c) for n, h, c in zip(marrow.shape, sizes, center, strict=True)]
        k, j, i = np.meshgrid(*axes, indexing="ij", sparse=True)
        squared = k**2 + j**2 + i**2
        yield squared <= radius**2
        left &= squared > (2 * radius) ** 2


def _with_more_bone(scan, pieces, settings):
    """The scan with the field of χ that bone of the difference to be found has in some pieces."""
    # As much empty space around as the image is wide: what repeats is far away.
    shape = tuple(2 * n for n in scan.shape)
    chi, image = np.zeros(shape, np.float32), tuple(slice(0, n) for n in scan.shape)
    for piece in pieces:
        chi[image][piece] = settings.chi_slope * settings.bvtv_difference
    field = convolve(dipole_kernel(shape, settings.voxel_size, scan.b0_direction), chi)[image]
    turning = np.float32(2e-6 * np.pi * settings.imaging_frequency) * field
    turned = [np.exp(1j * np.float32(time) * turning) for time in scan.echo_times]
    return replace(scan, echoes=scan.echoes * np.stack(turned))


def _means(maps, pieces) -> Iterator[tuple[int, float]]:
    """Voxels and mean χ of pieces, as far as it is known there."""
    for piece in pieces:
        known = piece & (maps["mask"] != 0)
        if known.any():
            yield int(np.count_nonzero(known)), float(maps["chi"][known].mean(dtype=np.float64))


def _measured(name, radius, draws, found, raised_by) -> Measured:
    """What all draws say of a place."""
    means = np.array([[mean for _, mean in found[draw, None][name]] for draw in range(draws)])
    raised = np.array([mean for _, mean in found[0, name][name]])
    voxels = round(np.mean([count for count, _ in found[0, None][name]]))
    sigma = float(np.sqrt(means.var(axis=0, ddof=1).mean()))
    return Measured(name, radius, voxels, sigma, float((raised - means[0]).mean() / raised_by))


METHOD = Method(
    run_ankle,
    title="Noise of χ in a digital ankle",
    solves="draws of noise through separation, background removal and inversion; means of balls and of regions",
    test="test_protocol_ankle.AnkleTest",
)
