"""Voxel-wise work in chunks that fit the cache, on a few threads, and no others in their way."""

import contextlib
import ctypes
import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import lru_cache
from pathlib import Path

import numpy as np
import scipy.fft

from .errors import InputError
from .progress import Progress, report

# Voxels of a slab: some arrays of them stay in a processor's cache. Threads wait for each other between two steps of
# NumPy, so that with slabs of half the size the two take a fifth longer.
SLAB_VOXELS = 130_000


def run_chunks(
    work: Callable[[slice], None], count: int, size: int, *, message: str = "", progress: Progress | None = None
) -> None:
    """Call ``work(slice)`` for all chunks of ``range(count)``, on as many threads as `scipy.fft.get_workers` says.

    `work` writes its results into arrays of the caller; NumPy lets other threads run meanwhile. The chunks do not
    depend on the number of threads, so the results do not either. `progress` is called from this thread only; what
    it raises stops the chunks that have not begun.
    """
    chunks = [slice(start, min(start + size, count)) for start in range(0, count, size)]
    workers = min(scipy.fft.get_workers(), len(chunks))
    if workers <= 1:  # a thread would take longer to start than many a small fit takes
        for done, chunk in enumerate(chunks, start=1):
            work(chunk)
            report(progress, done / len(chunks), message)
        return
    executor = ThreadPoolExecutor(max_workers=workers)
    try:
        futures = [executor.submit(work, chunk) for chunk in chunks]
        for done, future in enumerate(as_completed(futures), start=1):
            future.result()
            report(progress, done / len(chunks), message)
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def run_slabs(work: Callable[[slice], object], shape: tuple) -> list:
    """Return the results of ``work(planes)`` for all slabs, along the first axis, of a grid, in their order.

    What takes several steps a voxel is bound by memory on whole arrays, and by the processor on slabs in its cache.
    """
    size = max(1, SLAB_VOXELS * shape[0] // math.prod(shape))
    results: list = [None] * -(-shape[0] // size)

    def one(planes):
        results[planes.start // size] = work(planes)

    run_chunks(one, shape[0], size)
    return results


@contextlib.contextmanager
def on_threads(count: int | None) -> Iterator[None]:
    """Let chunks and FFTs run on so many threads, in this thread's calls, while this lasts; None: one per processor.

    Raises
    ------
    InputError
        If the number is below one.
    """
    if count is not None and count < 1:
        raise InputError(f"threads is {count}; give a whole number of at least 1.")
    with scipy.fft.set_workers(count or os.cpu_count() or 1), one_blas_thread():
        yield


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Leave the library under numpy (OpenBLAS) one thread for matrix products, in this process, while this lasts.

    The work is shared among threads of our own; for each of its small products those of the library would wait for
    each other, which took up to three times the time of processors. Where numpy has another library nothing happens.
    """
    before = [(put, get()) for get, put in _openblas()]
    try:
        for put, _ in before:
            put(1)
        yield
    finally:
        for put, threads in before:
            put(threads)


@lru_cache(maxsize=1)
def _openblas() -> list[tuple[Callable[[], int], Callable[[int], None]]]:
    """Functions that tell and set the number of threads of the OpenBLAS that came with numpy; nothing if none did."""
    found, package = [], Path(np.__file__).parent
    # Beside the package on Linux and Windows, inside of it on macOS; loaded already, and not once more here.
    for path in (*package.parent.glob("numpy.libs/*openblas*"), *package.glob(".dylibs/*openblas*")):
        with contextlib.suppress(OSError, AttributeError):
            library = ctypes.CDLL(str(path))
            found.append((library.scipy_openblas_get_num_threads64_, library.scipy_openblas_set_num_threads64_))
    return found
