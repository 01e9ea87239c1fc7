"""Many random geometries over a grid of parameters, in this process or on the workers of an executor."""

import multiprocessing
import multiprocessing.connection
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path
from threading import Thread

from .. import __version__
from ..errors import InputError, counted
from ..progress import Progress, report
from .field import FieldModel, check_box
from .geometry import check_inclusions, draw_geometry
from .model import check_delta_chis, measure_geometry
from .settings import PAPER_DELTA_CHIS, PAPER_NUMBERS, PAPER_RADII, PAPER_REPEATS, SimulationSettings

_RESTARTS = 3
_LOOK_EVERY_S = 0.2  # whether the user cancelled, while workers are busy

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
        Gives an executor of `concurrent.futures`, such as ``lambda: process_pool(4)`` or, for Dask,
        ``client.get_executor``; it is called again if the executor breaks because a worker was killed. Without it the
        work is done in this process.
    done : iterable of (number, radius, repeat)
        Geometries to leave out.
    progress : callable, optional
        Gets the fraction that is done, five times a second or after each geometry.

    Returns
    -------
    iterator of list of dict
        For each geometry a row with the keys of `model.COLUMNS` for every Δχ, in any order; `sorted_rows` orders them.
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


def check_grid(settings: SimulationSettings, grid: ParameterGrid) -> None:
    """Raise `InputError` if not every geometry of a grid can be simulated."""
    check_box(settings)
    for number, radius in product(grid.numbers, grid.radii):
        check_inclusions(settings, number, radius)


def sorted_rows(rows: Iterable[dict]) -> list[dict]:
    """Return rows by number, radius, Δχ and repeat."""
    return sorted(rows, key=lambda row: tuple(row[name] for name in ("number", "radius", "delta_chi", "repeat")))


def process_pool(workers: int) -> ProcessPoolExecutor:
    """Return an executor of so many new processes of this computer.

    Raises
    ------
    InputError
        If this program is not Python itself, such as an application with Python in it, and there is no Python beside.
    """
    python = _python()
    # Spawned, as everywhere but on Linux by default: forked processes would share locks of threads that are not there.
    context = multiprocessing.get_context("spawn")
    context.set_executable(python)
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_begin_worker)


def _python() -> str:
    """Path of the Python that workers run: in 3D Slicer not the application, which would open another window."""
    for path in (sys.executable, shutil.which("PythonSlicer")):
        if path and Path(path).stem.lower().startswith("python"):
            return path
    raise InputError(
        f"Workers need Python, but this program is {Path(sys.executable or 'unknown').name} and there is no "
        "PythonSlicer on its path; simulate without workers, or start the command line."
    )


def _begin_worker():
    # Ctrl+C reaches all processes of a terminal: the first one calls the work back, the others finish what they began.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A first process that is killed calls nothing back, and its workers would wait for it for ever.
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent():
    multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


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
        try:
            with _started(executors, settings, delta_chis, missing) as futures:
                while futures:
                    tell()
                    for future in wait(futures, _LOOK_EVERY_S, FIRST_COMPLETED).done:
                        rows = future.result()
                        missing.discard(futures.pop(future))
                        yield rows
            tell()
            return
        except BrokenExecutor as error:
            broken = error
    raise InputError(
        f"Workers were killed {_RESTARTS + 1} times, most likely for lack of memory; give fewer or a smaller size."
    ) from broken


@contextmanager
def _started(executors, settings, delta_chis, geometries):
    """Hand out geometries to a new executor; on the way out call back what was not begun."""
    executor = executors()
    futures = {}
    try:
        with _quiet_start():
            for geometry in sorted(geometries):
                futures[executor.submit(_work, __version__, settings, delta_chis, geometry)] = geometry
        yield futures
    finally:
        for future in futures:
            future.cancel()
        executor.shutdown()


@contextmanager
def _quiet_start():
    """Let processes that start here never hear Ctrl+C, not even before `_begin_worker`."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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
    settings = model.settings
    measured = measure_geometry(model, draw_geometry(settings, number, radius, repeat))
    return [
        {"number": number, "radius": radius, "delta_chi": delta_chi, "repeat": repeat}
        | measured.quantities(delta_chi, settings.field_strength)
        for delta_chi in delta_chis
    ]
