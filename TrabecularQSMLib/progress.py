"""Progress callbacks: ``progress(fraction, message)`` with a fraction in 0–1.

A callback stops the run by raising `Cancelled`; nothing here or in the solvers catches it.
"""

from collections.abc import Callable

Progress = Callable[[float, str], None]


def part(progress: Progress | None, start: float, stop: float, message: str | None = None) -> Progress | None:
    """Callback for one stage of a longer run: its 0–1 becomes ``start``–``stop`` of `progress`.

    `message`, if given, stands for those of the stage.
    """
    if progress is None:
        return None
    return lambda fraction, own: progress(start + (stop - start) * fraction, message or own)


def report(progress: Progress | None, fraction: float, message: str) -> None:
    """Call `progress` if there is one."""
    if progress is not None:
        progress(min(max(fraction, 0.0), 1.0), message)
