"""Voxel-wise work in chunks that fit the cache, on a few threads."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed

import scipy.fft

from .progress import Progress, report


def run_chunks(
    work: Callable[[slice], None], count: int, size: int, *, message: str = "", progress: Progress | None = None
) -> None:
    """Call ``work(slice)`` for all chunks of ``range(count)``, on as many threads as `scipy.fft.get_workers` says.

    `work` writes its results into arrays of the caller; NumPy lets other threads run meanwhile. The chunks do not
    depend on the number of threads, so the results do not either. `progress` is called from this thread only; what
    it raises stops the chunks that have not begun.
    """
    chunks = [slice(start, min(start + size, count)) for start in range(0, count, size)]
    if len(chunks) == 1:  # a thread would take longer to start than many a small fit takes
        work(chunks[0])
        report(progress, 1.0, message)
        return
    executor = ThreadPoolExecutor(max_workers=scipy.fft.get_workers())
    try:
        futures = [executor.submit(work, chunk) for chunk in chunks]
        for done, future in enumerate(as_completed(futures), start=1):
            future.result()
            report(progress, done / len(chunks), message)
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
