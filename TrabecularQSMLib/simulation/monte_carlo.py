"""Many random geometries over a grid of parameters, in this process or on the workers of an executor."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

from .. import __version__
from ..errors import InputError, counted
from ..progress import Progress, report
from ..workers import completed
from .field import FieldModel, check_box
from .geometry import check_inclusions, draw_geometry
from .model import check_delta_chis, measure_rows
from .settings import PAPER_DELTA_CHIS, PAPER_NUMBERS, PAPER_RADII, PAPER_REPEATS, SimulationSettings

_RESTARTS = 3

Geometry = tuple[int, int, int]  # number, radius, repeat


@dataclass(frozen=True)
class ParameterGrid:
    """Parameters of which every combination is simulated `repeats` times; the paper's Fig. 8 by default.

    Parameters
    ----------
    numbers, radii : tuple of int
        Inclusions in the region, and their radius in voxels.
    delta_chis : tuple of float
        χ of bone − χ of marrow in ppm; all are measured in the same geometries.
    repeats : int
        Random geometries for each number and radius.

    Raises
    ------
    InputError
        If a list is empty, a Δχ is zero, or there are no repeats.
    """

    numbers: tuple[int, ...] = PAPER_NUMBERS
    radii: tuple[int, ...] = PAPER_RADII
    delta_chis: tuple[float, ...] = PAPER_DELTA_CHIS
    repeats: int = PAPER_REPEATS

    def __post_init__(self):
        for name, what in (("numbers", "number"), ("radii", "radius"), ("delta_chis", "Δχ")):
            values = tuple(sorted(set(getattr(self, name))))
            if not values:
                raise InputError(f"There is no {what}; give at least one.")
            object.__setattr__(self, name, values)
        check_delta_chis(self.delta_chis)
        if self.repeats < 1:
            raise InputError(f"The number of repeats is {self.repeats}; give at least 1.")

    def geometries(self) -> list[Geometry]:
        """Return number, radius and repeat of every geometry, in the order of the table."""
        return list(product(self.numbers, self.radii, range(self.repeats)))


def simulate(
    settings: SimulationSettings,
    grid: ParameterGrid,
    *,
    executors: Callable[[], Executor] | None = None,
    done: Iterable[Geometry] = (),
    progress: Progress | None = None,
) -> Iterator[list[dict]]:
    """Simulate every geometry of a grid, and give its rows as soon as it is done.

    Parameters
    ----------
    settings : SimulationSettings
        What all geometries share.
    grid : ParameterGrid
        What is varied.
    executors : callable, optional
        Gives an executor of `concurrent.futures`, such as ``lambda: workers.process_pool(4)`` or, for Dask,
        ``client.get_executor``; it is called again if the executor breaks because a worker was killed. Without it the
        work is done in this process.
    done : iterable of (number, radius, repeat)
        Geometries to leave out.
    progress : callable, optional
        Gets the fraction that is done, five times a second or after each geometry.

    Returns
    -------
    iterator of list of dict
        For each geometry a row with the keys of `model.columns_of` for every Δχ, in any order (`sorted_rows`).
        The numbers depend on settings and parameters alone, not on workers or order: every geometry has a random
        stream of its own, from seed, number, radius and repeat.

    Raises
    ------
    InputError
        If inclusions do not fit the region, its box is too large, or workers keep being killed.
    """
    check_grid(settings, grid)
    everything = grid.geometries()
    done = set(done)
    missing = [geometry for geometry in everything if geometry not in done]
    return _simulate(settings, grid.delta_chis, missing, len(everything), executors, progress)


def check_grid(settings: SimulationSettings, grid: ParameterGrid, memory: float | None = None) -> None:
    """Raise `InputError` if not every geometry of a grid can be simulated, in `memory` bytes."""
    check_box(settings, memory=memory)
    for number, radius in product(grid.numbers, grid.radii):
        check_inclusions(settings, number, radius)


def sorted_rows(rows: Iterable[dict]) -> list[dict]:
    """Return rows by number, radius, Δχ and repeat."""
    return sorted(rows, key=lambda row: tuple(row[name] for name in ("number", "radius", "delta_chi", "repeat")))


def _simulate(settings, delta_chis, missing, total, executors, progress):
    def tell():
        done = f"{total - len(missing)} of {counted(total, 'geometry', 'geometries')}"
        report(progress, 1 - len(missing) / total, done)

    if executors is None:
        model = FieldModel(settings)
        while missing:
            tell()
            yield _rows_of(model, delta_chis, missing[0])
            del missing[0]
        tell()
        return
    missing = set(missing)
    for _ in range(_RESTARTS + 1):
        tasks = {geometry: (__version__, settings, delta_chis, geometry) for geometry in sorted(missing)}
        try:
            with closing(completed(_work, tasks, executors(), tell)) as finished:
                for geometry, future in finished:
                    rows = future.result()
                    missing.discard(geometry)
                    yield rows
            tell()
            return
        except BrokenExecutor as error:
            broken = error
    raise InputError(
        f"Workers were killed {_RESTARTS + 1} times, most likely for lack of memory; give fewer or a smaller size."
    ) from broken


def _work(version, settings, delta_chis, geometry):
    if version != __version__:
        raise InputError(
            f"A worker has TrabecularQSM {__version__}, but {version} asks it to work; install that there."
        )
    return _rows_of(_model(settings), delta_chis, geometry)


@lru_cache(maxsize=1)
def _model(settings):
    """Of a worker, for all of its geometries."""
    return FieldModel(settings)


def _rows_of(model, delta_chis, geometry):
    number, radius, repeat = geometry
    mask = draw_geometry(model.settings, number, radius, repeat)
    rows = measure_rows(model, mask, delta_chis, seed=geometry)
    return [{"number": number, "radius": radius, "repeat": repeat} | row for row in rows]
