"""Other processes that work for this one: pools of them, and tasks handed to whatever executor there is."""

import multiprocessing
import multiprocessing.connection
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, ProcessPoolExecutor, wait
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Thread

from .errors import InputError

_LOOK_EVERY_S = 0.2  # whether the user cancelled, while workers are busy
# As `creationflags` of a process: no window of a console on Windows.
NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)


def process_pool(workers: int) -> ProcessPoolExecutor:
    """Return an executor of so many new processes of this computer.

    Raises
    ------
    InputError
        If this program is not Python itself, such as an application with Python in it, and there is no Python beside.
    """
    python = python_program()
    # Spawned, as everywhere but on Linux by default: forked processes would share locks of threads that are not there.
    context = multiprocessing.get_context("spawn")
    context.set_executable(python)
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_begin_worker)


def python_program() -> str:
    """Path of the Python that workers run: in 3D Slicer not the application, which would open another window.

    Raises
    ------
    InputError
        If this program is not Python itself, such as an application with Python in it, and there is no Python beside.
    """
    for path in (sys.executable, shutil.which("PythonSlicer")):
        if path and Path(path).stem.lower().startswith("python"):
            return path
    raise InputError(
        f"Workers need Python, but this program is {Path(sys.executable or 'unknown').name} and there is no "
        "PythonSlicer on its path; work without other processes, or start the command line."
    )


def _begin_worker():
    # Ctrl+C reaches all processes of a terminal: the first one calls the work back, the others finish what they began.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A first process that is killed calls nothing back, and its workers would wait for it for ever.
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent():
    multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


def completed(
    work: Callable,
    tasks: Mapping,
    executor: Executor,
    look: Callable[[], None] = lambda: None,
    stop: Callable[[], None] = lambda: None,
) -> Iterator[tuple]:
    """Hand out tasks to an executor, and give the future of each as soon as it is done.

    Parameters
    ----------
    work : callable
        What an executor's processes can import.
    tasks : mapping
        Key to the arguments of `work`.
    executor : Executor
        It is shut down in the end; what was not begun is called back then.
    look : callable
        Called five times a second while workers are busy; what it raises stops the work.
    stop : callable
        Called when the work is stopped, before what was begun is waited for.

    Returns
    -------
    iterator of (key, Future)

    Raises
    ------
    BrokenExecutor
        If a worker was killed; what was not given before has no result then.
    """
    futures = {}
    try:
        with _quiet_start():
            for key, arguments in tasks.items():
                futures[executor.submit(work, *arguments)] = key
        while futures:
            look()
            for future in wait(futures, _LOOK_EVERY_S, FIRST_COMPLETED).done:
                if isinstance(error := future.exception(), BrokenExecutor):
                    raise error
                yield futures.pop(future), future
    except BrokenExecutor:
        raise
    except BaseException:
        stop()
        raise
    finally:
        for future in futures:
            future.cancel()
        executor.shutdown()


def results(
    work: Callable, tasks: Mapping, executors: Callable[[], Executor] | None, look: Callable[[], None] = lambda: None
) -> Iterator[tuple]:
    """Give key and result of each task as soon as it is done.

    Parameters
    ----------
    work, tasks, look
        As for `completed`; in this process `look` is called before each task.
    executors : callable, optional
        Gives an executor; without it the work is done in this process, in the order of the tasks.
    """
    if executors is None:
        for key, arguments in tasks.items():
            look()
            yield key, work(*arguments)
        return
    with closing(completed(work, tasks, executors(), look)) as finished:
        for key, future in finished:
            yield key, future.result()


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
