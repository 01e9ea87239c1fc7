"""Long computations that let the application live: events pass, Cancel is heard, the time that is left is said."""

import queue
import threading
import time
from collections.abc import Callable

from ..errors import Cancelled
from ..progress import Progress

# The application answers again within this time, whatever is computed.
EVERY_S = 0.2
# What is left is said after so many seconds, from this share of the work on, and where it is more than a wink.
_KNOWN_AFTER_S, _KNOWN_FROM, _WORTH_SAYING_S = 2.0, 0.002, 30.0


def keepAlive(work: Callable, progress: Progress | None):
    """Return what a computation returns, while `progress` is called at least every `EVERY_S` seconds.

    The computation is done by another thread, which must not touch nodes; `progress` is called by this one alone. If
    it raises, that passes at once, and the computation ends at its next report, unseen.

    :param work: function of a progress callback, on arrays.
    :param progress: ``progress(fraction, message)``; without it the computation is done by this thread.
    """
    if progress is None:
        return work(None)
    reports, results, stopped, begun = queue.SimpleQueue(), [], threading.Event(), time.monotonic()
    last = (0.0, "Beginning")

    def hear(fraction, message):
        if stopped.is_set():
            raise Cancelled
        reports.put((fraction, message))

    def compute():
        try:
            results.append((work(hear), None))
        except BaseException as error:  # noqa: BLE001 - raised below, by the thread that asked
            results.append((None, error))
        reports.put(None)

    threading.Thread(target=compute, daemon=True).start()
    try:
        while True:
            try:
                found = reports.get(timeout=EVERY_S)
            except queue.Empty:
                found = last
            if found is None:
                break
            last = found
            progress(last[0], last[1] + timeLeft(last[0], time.monotonic() - begun))
    except BaseException:
        stopped.set()
        raise
    result, error = results[0]
    if error is not None:
        raise error
    return result


def timeLeft(fraction: float, elapsed: float) -> str:
    """Return about how long a computation goes on, to be put behind a message; nothing if that is short or not known.

    :param fraction: how much is done, 0 to 1.
    :param elapsed: seconds since it began.
    """
    if elapsed < _KNOWN_AFTER_S or fraction < _KNOWN_FROM:
        return ""
    left = elapsed * (1 - fraction) / fraction
    if left < _WORTH_SAYING_S:
        return ""
    return f", about {round(left / 60)} min left" if left > 100 else f", about {round(left / 10) * 10} s left"
