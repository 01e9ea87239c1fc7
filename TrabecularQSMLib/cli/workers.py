"""Who computes for a command: this process, other ones of this computer, or a Dask cluster."""

import logging
import re
import sys
from concurrent.futures import CancelledError
from contextlib import contextmanager

from ..errors import InputError

_CONNECT_WITHIN_S = 10
# A path may follow, for schedulers behind a gateway; those of the same process have a path alone.
_ADDRESS = re.compile(r".*[^:/]:\d+(/.*)?|inproc://.+")


@contextmanager
def executors_of(workers: int, scheduler: str | None):
    """Give what makes executors, or None to work in this process; what goes wrong with workers becomes a sentence."""
    if scheduler is None:
        from ..simulation.monte_carlo import process_pool

        yield (lambda: process_pool(workers)) if workers > 1 else None
        return
    try:
        from distributed import Client, KilledWorker
    except ImportError as error:
        raise InputError('--scheduler needs Dask; install it with: pip install "dask[distributed]"') from error
    if not _ADDRESS.fullmatch(scheduler):
        raise InputError(f"The scheduler's address is {scheduler!r}; give host and port, such as tcp://host:8786.")
    with _quiet("distributed", "tornado"):
        try:
            client = Client(scheduler, timeout=_CONNECT_WITHIN_S, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            raise InputError(
                f"The scheduler {scheduler} does not answer within {_CONNECT_WITHIN_S} s; "
                "check that it runs and that the address is right."
            ) from error
        with client:
            if not client.scheduler_info()["workers"]:
                print(f"The scheduler {scheduler} has no workers yet; waiting for some.", file=sys.stderr)
            try:
                yield client.get_executor
            except (CancelledError, OSError) as error:
                raise InputError(
                    f"The scheduler {scheduler} went away; what was done is kept, so start it and give the same "
                    "command again."
                ) from error
            except KilledWorker as error:
                raise InputError(
                    f"Workers of {scheduler} were killed repeatedly, most likely for lack of memory; "
                    "give them more, or a smaller --size."
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
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
