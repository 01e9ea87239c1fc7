"""Who computes for a command: this process, other ones of this computer, or a Dask cluster."""

import logging
import re
import sys
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager
from threading import Thread

from ..errors import InputError

_CONNECT_WITHIN_S = 10
# What is asked of a worker, in words that it understands without our code.
_HAS_OUR_CODE = "__import__('importlib.util').util.find_spec('TrabecularQSMLib') is not None"
# A path may follow, for schedulers behind a gateway; those of the same process have a path alone.
_ADDRESS = re.compile(r".*[^:/]:\d+(/.*)?|inproc://.+")


@contextmanager
def executors_of(workers: int, scheduler: str | None):
    """Give what makes executors, or None to work in this process; what goes wrong with workers becomes a sentence.

    Asked for at most so many workers, it makes an executor of no more where they are of this computer.
    """
    if scheduler is None:
        from ..workers import process_pool

        yield (lambda most=None: process_pool(most or workers)) if workers > 1 else None
        return
    try:
        from distributed import Client, KilledWorker
    except ImportError as error:
        raise InputError('--scheduler needs Dask; install it with: pip install "dask[distributed]"') from error

    class Quiet(Client):
        def __del__(self):
            """Do nothing: it is closed below, and one that was never connected waits 20 s to say so."""

    if not _ADDRESS.fullmatch(scheduler):
        raise InputError(f"The scheduler's address is {scheduler!r}; give host and port, such as tcp://host:8786.")
    with _quiet("distributed", "tornado"):
        try:
            client = _within(_CONNECT_WITHIN_S + 2, Quiet, scheduler, timeout=_CONNECT_WITHIN_S, set_as_default=False)
        except (OSError, ValueError, TypeError, MemoryError, FutureTimeoutError) as error:
            raise InputError(
                f"The scheduler {scheduler} does not answer within {_CONNECT_WITHIN_S} s; "
                "check that it runs and that the address is right."
            ) from error
        with client:
            if not client.scheduler_info()["workers"]:
                print(f"The scheduler {scheduler} has no workers yet; waiting for some.", file=sys.stderr)
            # A worker that cannot read its task drops off without a word, and the run would wait for ever.
            if without := [worker for worker, has in client.run(eval, _HAS_OUR_CODE).items() if not has]:
                raise InputError(
                    f"The worker {without[0]} has no TrabecularQSM; install the same version on all workers."
                )
            try:
                yield lambda most=None: client.get_executor()
            except (CancelledError, OSError) as error:
                raise InputError(
                    f"The scheduler {scheduler} went away; what was done is kept, so start it and give the same "
                    "command again."
                ) from error
            except KilledWorker as error:
                raise InputError(
                    f"Workers of {scheduler} were killed repeatedly, most likely for lack of memory; "
                    "give them more, or less to do at a time."
                ) from error
            except (ImportError, RuntimeError) as error:
                if isinstance(error, RuntimeError) and "deserialization" not in str(error):
                    raise
                raise InputError(
                    f"The scheduler {scheduler} or its workers cannot run our code; install the same versions of "
                    "TrabecularQSM, Python and Dask there as here."
                ) from error


@contextmanager
def _quiet(*names):
    """Silence logs: what goes wrong is told in a sentence, and their tracebacks would hide it."""
    # Some of their loggers below these have levels of their own, but what they say is written by the handlers here.
    silenced = [one for name in names for one in (logging.getLogger(name), *logging.getLogger(name).handlers)]
    levels = [one.level for one in silenced]
    for one in silenced:
        one.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for one, level in zip(silenced, levels, strict=True):
            one.setLevel(level)


def _within(seconds, function, *arguments, **options):
    """Call a function that may not come back; TimeoutError then, and its thread ends with the program."""
    future = Future()

    def call():
        try:
            future.set_result(function(*arguments, **options))
        except BaseException as error:  # noqa: BLE001 - raised below
            future.set_exception(error)

    Thread(target=call, daemon=True).start()
    return future.result(seconds)
